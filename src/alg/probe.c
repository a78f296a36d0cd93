/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Measuring what a request costs on a device: the best of a few, one at a time,
 * over data that compresses about as text does.
 */
#include "alg/probe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <wd/comp.h>
#include <wd/memop.h>

#include "base/compiler.h"

#define TRIES	   4
#define TIMEOUT_MS 1000
#define DST_EXTRA  1024 /* more than incompressible data of a probe's size grows */

/* Either family's request. */
union probe_req {
	struct wd_req head;
	struct wd_comp_req comp;
	struct wd_memop_req memop;
};

static bool is_comp(uint32_t op)
{
	return op == WD_OP_COMPRESS || op == WD_OP_DECOMPRESS;
}

static int open_queue(struct wd_queue *q, const struct sched_route *route, uint32_t op,
		      const char *device)
{
	*q = (struct wd_queue){ .size = sizeof(*q), .capa = route->capa, .timeout_ms = TIMEOUT_MS };
	q->capa.op = op;
	/* The same alg, if need be on another device: only to get something to decompress. */
	if (device != NULL)
		strcpy(q->device, device);
	return wd_request_queue(q);
}

static void fill_req(union probe_req *req, uint32_t op, const uint8_t *src, size_t src_len,
		     uint8_t *dst, size_t dst_len)
{
	memset(req, 0, sizeof(*req));
	req->head.op = (uint16_t)op;
	if (is_comp(op)) {
		req->comp.format = WD_COMP_DEFLATE;
		req->comp.src = src;
		req->comp.src_len = (uint32_t)src_len;
		req->comp.dst = dst;
		req->comp.dst_len = (uint32_t)dst_len;
	} else if (op != WD_OP_NOP) {
		req->memop.src = src;
		req->memop.dst = dst;
		req->memop.len = src_len;
	}
}

/* One request, waited for.  Returns 0 or a negative errno. */
static int run(struct wd_queue *q, union probe_req *req)
{
	struct wd_req *done;
	int ret = wd_send(q, &req->head);

	if (ret == 0)
		ret = wd_recv_sync(q, &done);
	return ret != 0 ? ret : req->head.status <= WD_STATUS_STREAM_END ? 0 : -EIO;
}

static int measure(struct wd_queue *q, uint32_t op, const uint8_t *src, size_t src_len,
		   uint8_t *dst, size_t dst_len, uint64_t *ret_ns)
{
	uint64_t best = UINT64_MAX;
	union probe_req req;
	int i;

	for (i = 0; i < TRIES; i++) {
		uint64_t start = wait_clock_ns();
		int ret;

		fill_req(&req, op, src, src_len, dst, dst_len);
		ret = run(q, &req);
		if (ret != 0)
			return ret;
		best = base_min_u64(best, wait_clock_ns() - start);
	}
	*ret_ns = best;
	return 0;
}

/* Something like text: words of a few letters, in no order, always the same. */
static void fill_text(uint8_t *p, size_t n)
{
	uint32_t x = 1;
	size_t i;

	for (i = 0; i < n; i++) {
		x = x * 1664525u + 1013904223u;
		p[i] = x >> 29 ? (uint8_t)("etaoinsh"[x >> 24 & 7]) : ' ';
	}
}

/* Replaces the text at @src by what it compresses to.  Returns 0 or a negative errno. */
static int compress_sample(const struct sched_route *route, uint8_t *src, size_t bytes,
			   uint8_t *tmp, size_t tmp_len, size_t *ret_len)
{
	union probe_req req;
	struct wd_queue q;
	int ret = open_queue(&q, route, WD_OP_COMPRESS, NULL);

	if (ret != 0)
		return ret;
	fill_req(&req, WD_OP_COMPRESS, src, bytes, tmp, tmp_len);
	ret = run(&q, &req);
	if (ret == 0) {
		memcpy(src, tmp, req.comp.produced);
		*ret_len = req.comp.produced;
	}
	wd_release_queue(&q);
	return ret;
}

int alg_probe(const struct sched_route *route, const struct sched_device *device, size_t bytes,
	      uint64_t *ret_ns)
{
	uint32_t op = route->capa.op;
	size_t room = bytes + DST_EXTRA;
	size_t src_len = bytes;
	struct wd_queue q;
	uint8_t *src = malloc(2 * room);
	int ret = 0;

	if (src == NULL)
		return -ENOMEM;
	fill_text(src, bytes);
	if (op == WD_OP_DECOMPRESS)
		ret = compress_sample(route, src, bytes, src + room, room, &src_len);
	if (ret != 0)
		goto out_free;
	ret = open_queue(&q, route, op, device->lane.name);
	if (ret != 0)
		goto out_free;
	ret = measure(&q, is_comp(op) ? op : WD_OP_COPY, src, src_len, src + room, room, ret_ns);
	wd_release_queue(&q);
out_free:
	/* A request left behind by a time-out was dropped with the queue. */
	free(src);
	return ret;
}

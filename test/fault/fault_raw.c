/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Columns of the fault matrix that use a queue of their own: nobody does again
 * what failed, but each request comes back once, and a queue that died is made
 * anew.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <zlib.h>

#include <wd/comp.h>
#include <wd/memop.h>

#include "fault/fault_ops.h"

#define RAW_TIMEOUT_MS 150 /* nobody gives a raw queue up but its owner */
#define NR_ROUNDS      4u
#define NR_OUT	       4u /* requests in flight at a time */
#define GZIP_HEADER    10u
#define GZIP_TRAILER   8u

static uint8_t outs[NR_OUT][SAMPLE_BYTES + SAMPLE_ROOM];

/* A request of whatever family, and how often it came back. */
struct raw {
	union {
		struct wd_req head;
		struct wd_comp_req comp;
		struct wd_memop_req memop;
	};
	const struct sample *sample;
	uint8_t *out;
	unsigned int nr_back;
};

static void raw_fill(struct raw *r, uint32_t op, unsigned int i)
{
	const struct sample *s = &samples[1 + i % (NR_SAMPLES - 2)];

	*r = (struct raw){ .sample = s, .out = outs[i] };
	memset(r->out, 0xee, sizeof(outs[i]));
	if (op == WD_OP_COMPRESS || op == WD_OP_DECOMPRESS) {
		bool is_packed = op == WD_OP_DECOMPRESS;

		r->comp.format = WD_COMP_DEFLATE;
		r->comp.level = is_packed ? 0 : 1;
		r->comp.src = is_packed ? s->packed + GZIP_HEADER : s->plain;
		r->comp.src_len =
			(uint32_t)(is_packed ? s->packed_len - GZIP_HEADER - GZIP_TRAILER : s->len);
		r->comp.dst = r->out;
		r->comp.dst_len = sizeof(outs[i]);
	} else {
		r->memop.src = op != WD_OP_FILL ? s->plain : NULL;
		r->memop.dst = op != WD_OP_CRC32 ? r->out : NULL;
		r->memop.len = s->len;
		r->memop.pattern = 0x0102030405060708u;
	}
	r->head.op = (uint16_t)op;
}

static bool is_filled(const struct raw *r)
{
	const uint8_t *pattern = (const uint8_t *)&r->memop.pattern;
	size_t i = 0;

	while (i < r->sample->len && r->out[i] == pattern[i % 8])
		i++;
	return i == r->sample->len && r->out[i] == 0xee;
}

static bool is_raw_right(const struct raw *r)
{
	const struct sample *s = r->sample;

	switch (r->head.op) {
	case WD_OP_COMPRESS:
		return r->comp.produced <= r->comp.dst_len && r->comp.consumed == s->len &&
		       is_packed_right(s, -15, r->out, r->comp.produced);
	case WD_OP_DECOMPRESS:
		return r->comp.consumed == r->comp.src_len && r->comp.produced == s->len &&
		       !memcmp(r->out, s->plain, s->len);
	case WD_OP_COPY:
		return r->memop.done == s->len && !memcmp(r->out, s->plain, s->len);
	case WD_OP_FILL:
		return r->memop.done == s->len && is_filled(r);
	default:
		return r->memop.done == s->len && r->memop.crc == crc32(0, s->plain, (uInt)s->len);
	}
}

static void raw_note(struct cell *cell, const struct raw *r)
{
	bool is_done = r->head.status == WD_STATUS_OK || r->head.status == WD_STATUS_STREAM_END;

	if (r->nr_back > 1)
		cell_complain(cell, "came back again", r->nr_back);
	else if (!r->nr_back)
		cell_note(cell, -ETIMEDOUT, false, 0);
	else if (is_done)
		cell_note(cell, 0, is_raw_right(r), 0);
	else
		cell_note(cell, r->head.status == WD_STATUS_DEVICE_GONE ? -ENODEV : -EIO, false, 0);
}

/* Takes what is out until all is back or nothing more comes; 0 or why nothing does. */
static int raw_take(struct cell *cell, struct wd_queue *q, struct raw *raws, unsigned int sent)
{
	unsigned int nr_back = 0;
	struct wd_req *req;

	while (nr_back < sent) {
		int ret = wd_recv_sync(q, &req);
		unsigned int i;

		if (ret == -ENODEV)
			cell_complain(cell, "gone, and not all came back before", nr_back);
		if (ret)
			return ret;
		for (i = 0; i < sent && req != &raws[i].head; i++)
			;
		if (i < sent)
			raws[i].nr_back++;
		else
			cell_complain(cell, "what was not sent came back", 0);
		nr_back++;
	}
	/* A second answer to one of them shows here. */
	return wd_recv(q, &req) == 0 ? 1 : 0;
}

/* A few requests at once, over a queue that the caller makes anew when it died. */
static void raw_round(struct cell *cell, struct wd_queue *q, uint32_t op)
{
	struct raw raws[NR_OUT];
	unsigned int i, sent;
	int ret = 0;

	for (sent = 0; sent < NR_OUT && !ret; sent += !ret) {
		raw_fill(&raws[sent], op, sent);
		ret = wd_send(q, &raws[sent].head);
	}
	if (ret)
		cell_note(cell, ret, false, 0);
	ret = raw_take(cell, q, raws, sent);
	if (ret > 0)
		cell_complain(cell, "more came back than was sent", ret);
	if (ret < 0)
		wd_release_queue(q);
	for (i = 0; i < sent; i++)
		raw_note(cell, &raws[i]);
	/* One whose requests came back as gone has died. */
	if (!ret && wd_recv(q, &(struct wd_req *){ NULL }) == -ENODEV)
		wd_release_queue(q);
}

void fault_raw(struct cell *cell, const char *alg, uint32_t op)
{
	struct wd_queue q = { .size = sizeof(q),
			      .capa = { .alg = alg, .op = op },
			      .timeout_ms = RAW_TIMEOUT_MS };
	unsigned int i;

	snprintf(q.device, sizeof(q.device), "%s", cell->device);
	for (i = 0; i < NR_ROUNDS; i++) {
		int ret = q.queue ? 0 : wd_request_queue(&q);

		if (ret)
			cell_note(cell, ret, false, 0);
		else
			raw_round(cell, &q, op);
	}
	wd_release_queue(&q);
}

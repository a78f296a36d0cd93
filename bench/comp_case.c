/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* Prepares a comparison, does single blocks both ways, and verifies the results. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comp_case.h"

#define CODEC_SPARE 64u /* more room than the exact bound: codecs want some to be fast */

/* Blocks in an order that no predictor knows; the same every time. */
static void scatter(struct comp_block *block, size_t nr)
{
	uint64_t x = 88172645463325252u;
	size_t i;

	for (i = nr; i > 1; i--) {
		struct comp_block swapped = block[i - 1];
		size_t k;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		k = (size_t)(x % i);
		block[i - 1] = block[k];
		block[k] = swapped;
	}
}

/* For decompression: what libisal's level 1 makes of each block. */
static int pack_blocks(struct comp_case *c)
{
	struct direct_codec *packer = direct_codec_create(DIRECT_LIBISAL, 1);
	size_t i;

	c->packed = malloc(c->nr_blocks * c->room);
	for (i = 0; packer && c->packed && i < c->nr_blocks; i++) {
		struct comp_block *b = &c->block[i];
		uint8_t *to = c->packed + i * c->room;

		b->src_len = direct_codec_deflate(packer, b->plain, b->plain_len, to, c->room);
		b->src = to;
		if (!b->src_len)
			break;
	}
	direct_codec_destroy(packer);
	return i == c->nr_blocks ? 0 : -1;
}

static int lay_out(struct comp_case *c, const struct sample *sample)
{
	size_t i;

	c->nr_blocks = sample->nr_bytes / c->block_bytes;
	c->block = calloc(c->nr_blocks + 1, sizeof(*c->block));
	c->outputs = malloc(COMP_DEPTH * c->room);
	if (!c->nr_blocks || !c->block || !c->outputs)
		return -1;
	memset(c->outputs, 1, COMP_DEPTH * c->room);
	for (i = 0; i < COMP_DEPTH; i++)
		c->slot[i].out = c->outputs + i * c->room;
	for (i = 0; i < c->nr_blocks; i++) {
		c->block[i].plain = c->block[i].src = sample->bytes + i * c->block_bytes;
		c->block[i].plain_len = c->block[i].src_len = c->block_bytes;
	}
	scatter(c->block, c->nr_blocks);
	return c->kind->op == WD_OP_DECOMPRESS ? pack_blocks(c) : 0;
}

int comp_case_init(struct comp_case *c, const struct comp_kind *kind, size_t block_bytes,
		   const struct sample *sample)
{
	const enum direct_kind other = kind->direct == DIRECT_LIBISAL ? DIRECT_LIBDEFLATE :
									DIRECT_LIBISAL;
	int err;

	memset(c, 0, sizeof(*c));
	c->kind = kind;
	c->block_bytes = block_bytes;
	c->room = wd_comp_bound(WD_COMP_DEFLATE, block_bytes) + CODEC_SPARE;
	c->direct = direct_codec_create(kind->direct, kind->direct_level);
	c->twin = direct_codec_create(kind->direct, kind->direct_level);
	c->judge = direct_codec_create(other, 1);
	if (!c->direct || !c->twin || !c->judge || lay_out(c, sample)) {
		fprintf(stderr, "bench_comp: no memory, or less input than one block\n");
		return -1;
	}
	c->q.size = sizeof(c->q);
	c->q.capa.alg = "deflate";
	c->q.capa.op = kind->op;
	snprintf(c->q.device, sizeof(c->q.device), "embed:hisi_zip-0");
	err = wd_request_queue(&c->q);
	if (err) {
		fprintf(stderr, "bench_comp: %s\n", wd_error_text(err));
		return -1;
	}
	return 0;
}

void comp_case_fini(struct comp_case *c)
{
	wd_release_queue(&c->q);
	direct_codec_destroy(c->direct);
	direct_codec_destroy(c->twin);
	direct_codec_destroy(c->judge);
	free(c->block);
	free(c->packed);
	free(c->outputs);
}

static size_t call_codec(const struct comp_case *c, struct direct_codec *codec,
			 const struct comp_block *b, uint8_t *out)
{
	if (c->kind->op == WD_OP_COMPRESS)
		return direct_codec_deflate(codec, b->src, b->src_len, out, c->room);
	return direct_codec_inflate(codec, b->src, b->src_len, out, c->room);
}

size_t comp_case_call_direct(struct comp_case *c, const struct comp_block *b, uint8_t *out)
{
	return call_codec(c, c->direct, b, out);
}

int comp_case_send(struct comp_case *c, const struct comp_block *b, struct comp_slot *slot)
{
	slot->req = (struct wd_comp_req){
		.head = { .op = (uint16_t)c->kind->op, .user = slot },
		.format = WD_COMP_DEFLATE,
		.level = (uint8_t)c->kind->level,
		.src = b->src,
		.src_len = (uint32_t)b->src_len,
		.dst = slot->out,
		.dst_len = (uint32_t)c->room,
	};
	return wd_send(&c->q, &slot->req.head);
}

bool comp_case_is_good(const struct wd_req *req)
{
	return req->status == WD_STATUS_OK || req->status == WD_STATUS_STREAM_END;
}

size_t comp_case_call_queue(struct comp_case *c, const struct comp_block *b, struct comp_slot *slot)
{
	struct wd_req *req;

	if (comp_case_send(c, b, slot) || wd_recv_sync(&c->q, &req) || !comp_case_is_good(req))
		return 0;
	return slot->req.produced;
}

/* Whether @out is what it should be: decompressed by the codec that did not make it. */
static bool is_right(struct comp_case *c, const struct comp_block *b, const uint8_t *out,
		     size_t bytes, uint8_t *spare)
{
	if (c->kind->op == WD_OP_COMPRESS) {
		if (direct_codec_inflate(c->judge, out, bytes, spare, c->room) != b->plain_len)
			return false;
		out = spare;
		bytes = b->plain_len;
	}
	return bytes == b->plain_len && !memcmp(out, b->plain, bytes);
}

int comp_case_verify(struct comp_case *c, struct comp_sizes *sizes)
{
	struct comp_slot *slot = &c->slot[0];
	uint8_t *spare = c->slot[1].out;
	size_t i;

	memset(sizes, 0, sizeof(*sizes));
	for (i = 0; i < c->nr_blocks; i++) {
		const struct comp_block *b = &c->block[i];
		size_t direct = comp_case_call_direct(c, b, slot->out);
		bool is_good = direct && is_right(c, b, slot->out, direct, spare);
		size_t queue;

		memset(slot->out, 0, b->plain_len);
		queue = comp_case_call_queue(c, b, slot);
		if (!is_good || !queue || !is_right(c, b, slot->out, queue, spare)) {
			fprintf(stderr, "bench_comp: %s of %zu bytes: %s\n", c->kind->name,
				c->block_bytes,
				is_good ? "the queue's result is wrong" :
					  "the direct result is wrong");
			return -1;
		}
		/* libisal's choices depend on where its state lies: this is its own noise. */
		sizes->nr_differ_twin += call_codec(c, c->twin, b, spare) != direct;
		sizes->plain += b->plain_len;
		sizes->direct += direct;
		sizes->queue += queue;
		if (direct < b->plain_len)
			sizes->nr_differ_packed += direct != queue;
		else
			sizes->nr_differ_other += direct != queue;
	}
	return 0;
}

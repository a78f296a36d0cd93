/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* Prepares a comparison, does single blocks both ways, and verifies the results. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comp_case.h"

static int make_slots(struct comp_case *c)
{
	const size_t room = c->blocks.room;
	size_t i;

	c->outputs = malloc(COMP_DEPTH * room);
	if (!c->outputs)
		return -1;
	memset(c->outputs, 1, COMP_DEPTH * room);
	for (i = 0; i < COMP_DEPTH; i++)
		c->slot[i].out = c->outputs + i * room;
	return 0;
}

int comp_case_init(struct comp_case *c, const struct comp_kind *kind, size_t block_bytes,
		   const struct sample *sample)
{
	const enum direct_kind other = kind->direct == DIRECT_LIBISAL ? DIRECT_LIBDEFLATE :
									DIRECT_LIBISAL;
	int err;

	memset(c, 0, sizeof(*c));
	c->kind = kind;
	c->direct = direct_codec_create(kind->direct, kind->direct_level);
	c->twin = direct_codec_create(kind->direct, kind->direct_level);
	c->judge = direct_codec_create(other, 1);
	if (!c->direct || !c->twin || !c->judge ||
	    comp_blocks_init(&c->blocks, kind->op, block_bytes, sample) || make_slots(c)) {
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
	comp_blocks_fini(&c->blocks);
	free(c->outputs);
}

size_t comp_case_call_direct(struct comp_case *c, const struct comp_block *b, uint8_t *out)
{
	return comp_blocks_call(&c->blocks, b, c->direct, out);
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
		.dst_len = (uint32_t)c->blocks.room,
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

static bool is_right(struct comp_case *c, const struct comp_block *b, const uint8_t *out,
		     size_t bytes, uint8_t *spare)
{
	return comp_blocks_is_right(&c->blocks, b, out, bytes, c->judge, spare);
}

int comp_case_verify(struct comp_case *c, struct comp_sizes *sizes)
{
	struct comp_slot *slot = &c->slot[0];
	uint8_t *spare = c->slot[1].out;
	size_t i;

	memset(sizes, 0, sizeof(*sizes));
	for (i = 0; i < c->blocks.nr; i++) {
		const struct comp_block *b = &c->blocks.block[i];
		size_t direct = comp_case_call_direct(c, b, slot->out);
		bool is_good = direct && is_right(c, b, slot->out, direct, spare);
		size_t queue;

		memset(slot->out, 0, b->plain_len);
		queue = comp_case_call_queue(c, b, slot);
		if (!is_good || !queue || !is_right(c, b, slot->out, queue, spare)) {
			fprintf(stderr, "bench_comp: %s of %zu bytes: %s\n", c->kind->name,
				c->blocks.block_bytes,
				is_good ? "the queue's result is wrong" :
					  "the direct result is wrong");
			return -1;
		}
		/* libisal's choices depend on where its state lies: this is its own noise. */
		sizes->nr_differ_twin += comp_blocks_call(&c->blocks, b, c->twin, spare) != direct;
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

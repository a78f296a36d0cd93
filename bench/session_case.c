/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* Drives a session: submits, polls, and has a codec that did not do it judge what came. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "library.h"
#include "session_case.h"

#define BURST 16u /* most that one poll hands out */

int session_case_init(struct session_case *c, const struct comp_blocks *blocks, int level,
		      unsigned int depth, struct wd_sched *sched)
{
	const struct wd_comp_opts opts = {
		.size = sizeof(opts),
		.op = blocks->op,
		.format = WD_COMP_DEFLATE,
		.level = level,
		.device = "embed:hisi_zip-0",
		.depth = depth,
		.sched = sched,
	};
	unsigned int i;
	int err;

	memset(c, 0, sizeof(*c));
	c->blocks = blocks;
	c->depth = depth;
	c->judge = direct_codec_create(DIRECT_LIBDEFLATE, 1);
	c->spare = malloc(blocks->room);
	c->outputs = malloc(depth * blocks->room);
	c->slot = calloc(depth, sizeof(*c->slot));
	c->idle = calloc(depth, sizeof(struct session_slot *));
	if (!c->judge || !c->spare || !c->outputs || !c->slot || !c->idle)
		return library_fail("session", -ENOMEM);
	memset(c->spare, 1, blocks->room);
	memset(c->outputs, 1, depth * blocks->room);
	for (i = 0; i < depth; i++) {
		c->slot[i].out = c->outputs + i * blocks->room;
		c->idle[c->nr_idle++] = &c->slot[i];
	}
	err = wd_comp_open(&opts, &c->comp);
	return err ? library_fail("wd_comp_open", err) : 0;
}

void session_case_fini(struct session_case *c)
{
	wd_comp_close(c->comp);
	direct_codec_destroy(c->judge);
	free(c->spare);
	free(c->outputs);
	free(c->slot);
	free(c->idle);
	memset(c, 0, sizeof(*c));
}

static void fill_in(const struct session_case *c, struct session_slot *slot,
		    const struct comp_block *block, uint64_t planned_ns)
{
	slot->block = block;
	slot->planned_ns = planned_ns;
	slot->io = (struct wd_comp_io){
		.head = { .user = slot },
		.src = block->src,
		.src_len = block->src_len,
		.dst = slot->out,
		.dst_len = c->blocks->room,
	};
}

/* Whether the operation says that it did what was asked. */
static int check(const struct wd_comp_io *io)
{
	const struct session_slot *slot = io->head.user;

	if (io->head.error)
		return library_fail("an operation", io->head.error);
	if (io->head.status != WD_STATUS_OK && io->head.status != WD_STATUS_STREAM_END)
		return library_wrong("an operation", wd_status_text(io->head.status));
	if (io->consumed != slot->block->src_len || !io->produced)
		return library_wrong("an operation", "says OK, but left some of its input");
	return 0;
}

int session_case_submit(struct session_case *c, const struct comp_block *block, uint64_t planned_ns)
{
	struct session_slot *slot;
	int err;

	if (!c->nr_idle)
		return 0;
	slot = c->idle[c->nr_idle - 1];
	fill_in(c, slot, block, planned_ns);
	err = wd_comp_submit(c->comp, &slot->io);
	if (err == -EAGAIN)
		return 0;
	if (err)
		return library_fail("wd_comp_submit", err);
	c->nr_idle--;
	return 1;
}

/* What was handed out, to ret_slots[]; their slots are idle again. */
static int take(struct session_case *c, struct wd_comp_io **ios, int n,
		struct session_slot **ret_slots)
{
	int i;

	for (i = 0; i < n; i++) {
		if (check(ios[i]))
			return -1;
		ret_slots[i] = ios[i]->head.user;
		c->idle[c->nr_idle++] = ret_slots[i];
	}
	return n;
}

int session_case_poll(struct session_case *c, struct session_slot **ret_slots, unsigned int room)
{
	struct wd_comp_io *ios[BURST];
	int n = wd_comp_poll(c->comp, ios, room < BURST ? room : BURST);

	return n < 0 ? library_fail("wd_comp_poll", n) : take(c, ios, n, ret_slots);
}

int session_case_wait(struct session_case *c, struct session_slot **ret_slots, unsigned int room)
{
	struct wd_comp_io *ios[BURST];
	int n = wd_comp_wait(c->comp, ios, room < BURST ? room : BURST, 0);

	return n < 0 ? library_fail("wd_comp_wait", n) : take(c, ios, n, ret_slots);
}

static int verify(struct session_case *c, const struct session_slot *slot)
{
	if (comp_blocks_is_right(c->blocks, slot->block, slot->out, slot->io.produced, c->judge,
				 c->spare))
		return 0;
	return library_wrong("an operation", "its output is wrong");
}

int session_case_call(struct session_case *c, const struct comp_block *block)
{
	struct session_slot *slot = &c->slot[0];
	int err;

	fill_in(c, slot, block, 0);
	err = wd_comp_block(c->comp, &slot->io);
	return err ? library_fail("wd_comp_block", err) : check(&slot->io);
}

static int run(struct session_case *c, size_t *at, size_t nr, bool is_verified)
{
	struct session_slot *slots[BURST];
	size_t submitted = 0, ended = 0;
	int i, n;

	while (ended < nr) {
		if (submitted < nr) {
			n = session_case_submit(c, &c->blocks->block[*at], 0);
			if (n < 0)
				return -1;
			if (n) {
				submitted++;
				*at = comp_blocks_next(c->blocks, *at);
				continue;
			}
		}
		n = session_case_poll(c, slots, BURST);
		if (n < 0)
			return -1;
		for (i = 0; is_verified && i < n; i++)
			if (verify(c, slots[i]))
				return -1;
		ended += (size_t)n;
	}
	return 0;
}

int session_case_run(struct session_case *c, size_t *at, size_t nr)
{
	return run(c, at, nr, false);
}

int session_case_verify(struct session_case *c, size_t *at, size_t nr)
{
	return run(c, at, nr, true);
}

int session_case_verify_last(struct session_case *c)
{
	unsigned int i;

	for (i = 0; i < c->depth; i++)
		if (c->slot[i].io.produced && verify(c, &c->slot[i]))
			return -1;
	return 0;
}

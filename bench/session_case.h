/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* A session with as many operations in flight as it takes, on the blocks of a benchmark. */
#ifndef BENCH_SESSION_CASE_H
#define BENCH_SESSION_CASE_H

#include <wd/comp.h>

#include "comp_blocks.h"

/* One of the operations in flight, with room for its output. */
struct session_slot {
	struct wd_comp_io io; /* io.head.user is the slot */
	const struct comp_block *block;
	uint8_t *out;
	uint64_t planned_ns; /* the benchmark's own */
};

struct session_case {
	const struct comp_blocks *blocks;
	struct wd_comp *comp;
	struct direct_codec *judge;
	uint8_t *spare; /* the judge's */
	uint8_t *outputs;
	unsigned int depth;
	unsigned int nr_idle;
	struct session_slot *slot;
	struct session_slot **idle; /* not in flight */
};

/*
 * Opens a session for @blocks: raw deflate of @level, or inflate, over @sched
 * (NULL: the process's).  All memory of outputs is touched.  0, or -1 after a
 * message.
 */
int session_case_init(struct session_case *c, const struct comp_blocks *blocks, int level,
		      unsigned int depth, struct wd_sched *sched);
void session_case_fini(struct session_case *c);

/*
 * Begins one operation.  1, 0 when there is no room for it now, or -1 after a
 * message.
 */
int session_case_submit(struct session_case *c, const struct comp_block *block,
			uint64_t planned_ns);

/*
 * Takes what ended, whose slots are in ret_slots[], of @room, until the next
 * submit.  How many, or -1 after a message: also where one of them failed.
 */
int session_case_poll(struct session_case *c, struct session_slot **ret_slots, unsigned int room);

/* The same, but waits for the first.  0 only when nothing is in flight. */
int session_case_wait(struct session_case *c, struct session_slot **ret_slots, unsigned int room);

/* One block, waited for.  0, or -1 after a message. */
int session_case_call(struct session_case *c, const struct comp_block *block);

/* @nr blocks from *at on, as many in flight as the session takes.  0, or -1 after a message. */
int session_case_run(struct session_case *c, size_t *at, size_t nr);

/* The same, and every output is looked at. */
int session_case_verify(struct session_case *c, size_t *at, size_t nr);

/* Looks at what the slots hold from the last operations.  0, or -1 after a message. */
int session_case_verify_last(struct session_case *c);

#endif

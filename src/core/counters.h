/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Counters of queues, in memory that another process may look at.  A queue has a
 * block with one writer at a time; when it closes, its block is added to its
 * device's.  How others get to see them is stats_page.h's.
 */
#ifndef CORE_COUNTERS_H
#define CORE_COUNTERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <wd/stats.h>

#include "base/barrier.h"
#include "base/compiler.h"

#define COUNTERS_NR (sizeof(struct wd_counters) / sizeof(uint64_t))

enum counter {
	COUNTER_SENT,
	COUNTER_RECEIVED,
	COUNTER_ABANDONED,
	COUNTER_ERRORS,
	COUNTER_RETRIES,
	COUNTER_SPILLED,
	COUNTER_BOUNCED_BYTES,
	COUNTER_POPULATED_PAGES,
	COUNTER_TIMEOUTS,
	COUNTER_FAILURES,
};

_Static_assert(COUNTER_FAILURES + 1 == COUNTERS_NR, "one name per counter");

/* Alone in its pair of cache lines: queues of several threads do not slow each other down. */
struct counter_block {
	_Atomic uint64_t value[COUNTERS_NR];
	_Atomic uint32_t device_id; /* 0: the block is free */
	uint32_t reserved;
} BASE_ALIGNED(128);

struct stats_front;
struct counters; /* the registry's: all devices and blocks of this process */

/* @is_shown: other processes may read them.  Returns 0 or -ENOMEM; failing to show is logged only. */
int counters_create(bool is_shown, struct counters **ret_counters);
/* The same, shown in @dir, a string that stays; NULL: not shown. */
int counters_create_in(const char *dir, struct counters **ret_counters);
/*
 * Takes what is shown away, but counting goes on: the process ends with queues
 * open.  NULL is accepted.
 */
void counters_hide(struct counters *c);
/* Hides and frees them.  NULL is accepted. */
void counters_destroy(struct counters *c);
/* In a child, of the parent's: lets go without touching what the parent shows. */
void counters_abandon(struct counters *c);

/* All below under the registry's lock. */

/*
 * Says that there is a device; beyond the room it is only not shown.  Returns 0 or
 * -ENOMEM: without a place, no queue of the device would ever get a block.
 */
int counters_add_device(struct counters *c, uint32_t id, const char *name);
/* A zeroed block for a queue of a device that was added, or NULL for lack of memory. */
struct counter_block *counters_open(struct counters *c, uint32_t device_id);
/* Adds it to the device's totals and frees it. */
void counters_close(struct counters *c, struct counter_block *block);
/* Totals of a device, open queues included, and how many are open. */
void counters_read(struct counters *c, uint32_t device_id, struct wd_counters *ret_sum,
		   uint32_t *ret_nr_queues);
/* For what belongs to no queue: adds to the device's totals. */
void counters_add(struct counters *c, uint32_t device_id, enum counter which, uint64_t n);

/* Makes a place for a front end, whose name is one.  Returns 0 or -ENOSPC; 0 also where it has one. */
int counters_add_front(struct counters *c, const char *name);
/* The totals of the @i-th front end; false when there are fewer. */
bool counters_read_front(struct counters *c, unsigned int i, struct wd_front_stats *ret_stats);

/*
 * Adds to the counters of a front end; false when it has no place yet.  The only
 * one that needs no lock: any thread, while the counters live.
 */
bool counters_count_front(struct counters *c, const char *name,
			  const uint64_t add[WD_FRONT_COUNTERS_NR]);

/* What a front's place has, in this process's page or in a copy of another's. */
void counters_sum_front(const struct stats_front *front, struct wd_front_stats *ret_stats);

/*
 * One writer at a time: no locked instruction, and readers see whole values.  In
 * order, so that what is back was out before: pairs with counters_read().
 */
static inline void counter_bump(struct counter_block *b, enum counter which, uint64_t n)
{
	wd_store_release(&b->value[which], wd_load_relaxed(&b->value[which]) + n);
}

static inline uint64_t counter_get(const struct counter_block *b, enum counter which)
{
	return wd_load_relaxed(&b->value[which]);
}

#endif

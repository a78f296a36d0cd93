/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The dummy model's own types: the chip and its queues.  Nothing outside
 * chip/dummy includes this.
 */
#ifndef CHIP_DUMMY_DUMMY_H
#define CHIP_DUMMY_DUMMY_H

#include "base/compiler.h"
#include "base/wait.h"
#include "chip/chip_fault.h"
#include "chip/dummy/dummy_memop.h"

#define DUMMY_ARMED (1ull << 32)

enum dummy_queue_state {
	DUMMY_QUEUE_OPEN = 0,
	DUMMY_QUEUE_STARTED = 1,
	DUMMY_QUEUE_STOPPED = 2, /* by its owner, reset or fault; only close is left */
};

enum dummy_class {
	DUMMY_SMALL = 0,
	DUMMY_LARGE = 1,
	DUMMY_CLASSES = 2,
};

/* Descriptors of one class that the device holds, and where its turn is. */
struct dummy_held {
	uint32_t nr;
	uint32_t turn; /* the slot to look at first */
	uint64_t slots[DUMMY_GROUPS_MAX];
};

struct dummy_queue {
	struct chip_queue base;
	struct dummy_chip *dummy;
	uint32_t number;
	uint32_t nr_groups;
	uint64_t dus_addr;	/* 0: not bound */
	_Atomic uint32_t state; /* enum dummy_queue_state */
	_Atomic uint64_t armed; /* 0, or DUMMY_ARMED and the number of answers taken */

	/* Written by doorbells, and apart: what the runner polls, and what it does not. */
	BASE_ALIGNED(2 * BASE_CACHE_LINE) _Atomic uint64_t submitted[DUMMY_GROUPS_MAX];
	BASE_ALIGNED(2 * BASE_CACHE_LINE) _Atomic uint64_t nr_doorbells;
	_Atomic uint64_t nr_bad_doorbells;

	/* Owned by the one runner, who holds is_running; atomics are read by others to look. */
	BASE_ALIGNED(2 * BASE_CACHE_LINE) _Atomic uint32_t is_running;
	_Atomic uint32_t nr_held;
	_Atomic uint32_t nr_answered;
	uint32_t fetch_turn; /* the slot to fetch first */
	uint32_t nr_entries; /* shared ones taken, besides the queue's own */
	uint32_t streak;     /* small ones served in a row while a large one waited */
	uint32_t set_aside;  /* slot + 1 of the one that is next but may not be begun; 0: none */
	uint32_t flip_again; /* slot + 1 whose answer a fault repeats; 0: none */
	struct chip_gate gate;
	_Atomic uint64_t fetched[DUMMY_GROUPS_MAX]; /* submission bits acted upon */
	uint64_t done[DUMMY_GROUPS_MAX];	    /* DONE words as last written */
	struct dummy_held held[DUMMY_CLASSES];
	_Atomic uint64_t nr_requests;
	_Atomic uint64_t nr_completions;
	_Atomic uint64_t nr_errors;
	_Atomic uint64_t nr_refused;
	_Atomic uint64_t nr_events;
	_Atomic uint64_t nr_bytes_in;
	_Atomic uint64_t nr_bytes_out;

	uint8_t bounce[DUMMY_PAGE_BYTES];
	struct dummy_desc desc[]; /* by slot: the copies that were checked and are used */
};

struct dummy_chip {
	struct chip base;
	struct dma_space dma;
	uint32_t nr_queues;
	uint32_t nr_slots;
	_Atomic uint32_t nr_free_entries;
	struct wait_mutex lock; /* queue table, totals of closed queues */
	struct chip_counters closed;
	struct dummy_queue *queue[]; /* by number */
};

static inline struct dummy_queue *dummy_to_queue(struct chip_queue *queue)
{
	return base_container_of(queue, struct dummy_queue, base);
}

/* dummy_chip.c: by a runner that has let go, as a fault says so; see chip_faults_is_reset_due() */
void dummy_chip_reset_itself(struct dummy_chip *dummy, uint32_t nr_resets);

/* dummy_queue.c: doorbells, running and stopping one queue; as chip.h has them. */
void dummy_queue_doorbell(struct chip_queue *queue, uint32_t offset, uint64_t value);
bool dummy_queue_has_work(struct chip_queue *queue);
uint64_t dummy_queue_due_ns(struct chip_queue *queue);
int dummy_queue_run(struct chip_queue *queue, unsigned int budget, const struct chip_pace *pace);
void dummy_queue_stop(struct chip_queue *queue);
/* Ends a started queue for its user; does nothing to another. */
void dummy_queue_reset(struct dummy_queue *q);
void dummy_queue_add_counters(const struct dummy_queue *q, struct chip_counters *sum);

#endif

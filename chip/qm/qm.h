/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The queue manager model's own types: a chip with an engine behind it, and its
 * queue pairs.  Nothing outside chip/qm includes this.
 */
#ifndef CHIP_QM_QM_H
#define CHIP_QM_QM_H

#include "base/compiler.h"
#include "base/wait.h"
#include "chip/chip_dma.h"
#include "chip/chip_fault.h"
#include "chip/qm/engine.h"
#include "hw/hisi_qm_hw.h"

#define QM_SQE_BYTES_MAX 128
#define QM_PAGE_BYTES	 4096u

enum qm_queue_state {
	QM_QUEUE_INIT = 0,
	QM_QUEUE_STARTED = 1,
	QM_QUEUE_STOPPED = 2, /* by its owner or by reset; only close is left */
};

/* What starting a queue pair needs, from the mailbox or from a front. */
struct qm_queue_conf {
	uint64_t sq_addr;
	uint64_t cq_addr;
	uint64_t status_addr; /* ds_rx, ds_tx; 0: this user has none */
	uint32_t sq_depth;
	uint32_t cq_depth;
	uint32_t qc_type;
};

struct qm_queue {
	struct chip_queue base;
	struct qm_chip *qm;
	uint32_t number;
	uint32_t state; /* enum qm_queue_state, under the chip's lock */
	struct qm_queue_conf conf;
	void *engine_queue;
	_Atomic uint32_t is_halted; /* not started or stopped: begin no request */
	_Atomic uint32_t is_armed;  /* report the next completion */

	/* Written by the SQ doorbell; whoever runs the queue polls it. */
	BASE_ALIGNED(2 * BASE_CACHE_LINE) _Atomic uint32_t sq_tail;

	/*
	 * Written by every doorbell and read by the runner only when the CQ seems
	 * full: so the line stays with the queue's user, whose next stores would
	 * otherwise wait for it.
	 */
	BASE_ALIGNED(2 * BASE_CACHE_LINE) _Atomic uint32_t cq_head;
	_Atomic uint64_t nr_doorbells;
	_Atomic uint64_t nr_bad_doorbells;

	/* Owned by the one runner, who holds is_running; others look rarely: a look costs a cache line. */
	BASE_ALIGNED(2 * BASE_CACHE_LINE) _Atomic uint32_t is_running;
	_Atomic uint32_t sq_head;
	_Atomic uint32_t cq_tail;
	uint32_t cq_phase;
	uint32_t cq_head_seen;	     /* cq_head when it was looked at last */
	_Atomic uint32_t is_cq_full; /* the last run ended for lack of room */
	_Atomic uint64_t nr_requests;
	_Atomic uint64_t nr_completions;
	_Atomic uint64_t nr_errors;
	_Atomic uint64_t nr_events;
	_Atomic uint64_t nr_lost_streams;
	_Atomic uint64_t nr_bytes_in;
	_Atomic uint64_t nr_bytes_out;
	struct chip_gate gate; /* of the SQE at sq_head */
};

struct qm_chip {
	struct chip base;
	struct dma_space dma;
	const struct engine_ops *engine_ops;
	void *engine;
	uint32_t nr_queues;
	uint32_t depth;
	struct wait_mutex lock; /* queue table, states, totals of closed queues */
	struct chip_counters closed;
	struct qm_queue *queue[]; /* by number */
};

/* qm_chip.c: by a runner that has let go, as a fault says so; see chip_faults_is_reset_due() */
void qm_chip_reset_itself(struct qm_chip *qm, uint32_t nr_resets);

/* qm_queue.c: starting, running and stopping one queue pair. */
int qm_queue_start_locked(struct qm_queue *q, const struct qm_queue_conf *conf);
void qm_queue_stop(struct qm_queue *q);
void qm_queue_doorbell(struct chip_queue *base, uint32_t offset, uint64_t value);
int qm_queue_run(struct chip_queue *base, unsigned int budget, const struct chip_pace *pace);
uint64_t qm_queue_due_ns(struct chip_queue *base);
/* Sets the status word @from_end of the user's memory, HISI_QM_DS_*_FROM_END. */
void qm_queue_disable(struct qm_queue *q, uint32_t from_end);
bool qm_queue_has_work(struct chip_queue *base);
void qm_queue_add_counters(const struct qm_queue *q, struct chip_counters *sum);

#endif

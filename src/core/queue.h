/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The library's side of a struct wd_queue: cold life in queue.c, hot calls in
 * queue_io.c, what sessions need beside them in lane.c.
 */
#ifndef CORE_QUEUE_H
#define CORE_QUEUE_H

#include <stdbool.h>

#include "base/compiler.h"
#include "base/wait.h"
#include "core/backend.h"
#include "core/counters.h"
#include "core/lane.h"
#include "core/registry.h"

#define QUEUE_ALG_MAX 64

struct share_range;
struct bounce_pool;

struct core_queue {
	/* hot, read only while the device lives */
	const struct wd_driver *io; /* driver, or core_dead_driver */
	void *drv_queue;
	int (*run)(struct wd_backend_queue *bq, unsigned int budget, enum backend_runner runner);
	struct wd_backend_queue *bq;
	struct counter_block *counters;
	const _Atomic uint32_t
		*life_word; /* differs from life in a child: not this process's queue */
	uint32_t life;
	uint32_t device_id;
	bool is_shared;
	bool is_unfit; /* its device refused it once: not kept for others */
	bool has_fd;
	bool is_full;	   /* has_fd: sending found it full, and nothing was received since */
	bool is_elsewhere; /* somebody asked that a thread of the device's be at it */
	/* hot, written */
	uint32_t nr_in_flight;
	int nr_run;		/* done by the caller's own runs, not yet received; unless shared */
	struct wait_mutex lock; /* of a shared queue */
	/* cold */
	const struct wd_driver *driver;
	const struct wd_backend *backend;
	struct wd_device *device;
	uint32_t op;
	uint32_t depth;
	uint32_t depth_wished;
	bool is_near;
	struct core_queue *next_forgotten; /* in a child, of its parent's queues */
	char alg[QUEUE_ALG_MAX];	   /* that it was opened for */
	struct share_range *ranges;
	struct bounce_pool *bounce; /* of a device without SVA */
};

/*
 * Stops a queue that lives: its device is gone, not to be believed, or given up.
 * What is in flight is still to be handed out.
 */
void core_queue_kill(struct core_queue *cq, bool is_failure);

/* Stops and frees a queue; requests in flight are dropped.  Not with NULL.  Registry locked. */
void core_queue_destroy_locked(struct core_queue *cq);

/* share.c: ends what wd_mem_share() did for the queue.  Registry locked. */
void core_queue_forget_ranges_locked(struct core_queue *cq);

/* bounce.c: gives a queue of a device without SVA its port's memory calls, and ends that. */
int bounce_open(struct core_queue *cq);
void bounce_close(struct core_queue *cq);

/* In place of a driver whose device is gone; abandon hands out the rest. */
extern const struct wd_driver core_dead_driver;

static inline bool core_queue_is_dead(const struct core_queue *cq)
{
	return cq->io == &core_dead_driver;
}

static inline bool core_queue_is_foreign(const struct core_queue *cq)
{
	return base_unlikely(wd_load_relaxed(cq->life_word) != cq->life);
}

/* Only a queue that says so is used by several threads. */
static inline void core_queue_lock(struct core_queue *cq)
{
	if (base_unlikely(cq->is_shared))
		wait_mutex_lock(&cq->lock);
}

static inline void core_queue_unlock(struct core_queue *cq)
{
	if (base_unlikely(cq->is_shared))
		wait_mutex_unlock(&cq->lock);
}

/* In a child: lets go of a queue of its parent, which stays as it is. */
void core_queue_forget(struct core_queue *cq);

/* Sees to it that a thread is at the queue's work, whoever looks.  Queue locked. */
int core_queue_run_elsewhere_locked(struct core_queue *cq);

/*
 * The queue behind @q, which a child has connected anew if it was its parent's;
 * NULL when there is none (@ret_err says why, if not NULL), or none was to be had:
 * the next call tries again.
 */
struct core_queue *core_queue_renew(struct wd_queue *q, int *ret_err);

static inline struct core_queue *core_queue_of(struct wd_queue *q, int *ret_err)
{
	/* pairs with the release in core_queue_renew(): threads of a child may share @q */
	struct core_queue *cq = q ? __atomic_load_n(&q->queue, __ATOMIC_ACQUIRE) : NULL;

	if (base_likely(cq && !core_queue_is_foreign(cq)))
		return cq;
	return core_queue_renew(q, ret_err);
}

#endif

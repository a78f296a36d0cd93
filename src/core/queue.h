/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* The library's side of a struct wd_queue: cold life in queue.c, hot calls in queue_io.c. */
#ifndef CORE_QUEUE_H
#define CORE_QUEUE_H

#include <stdbool.h>

#include "base/compiler.h"
#include "base/wait.h"
#include "core/backend.h"
#include "core/registry.h"

#define QUEUE_ALG_MAX 64

struct share_range {
	struct share_range *next;
	uintptr_t addr;
	size_t bytes; /* 0: all of memory */
};

struct core_queue {
	/* hot, read only while the device lives */
	const struct wd_driver *io; /* driver, or core_dead_driver */
	void *drv_queue;
	int (*run)(struct wd_backend_queue *bq, unsigned int budget, bool is_waiting);
	struct wd_backend_queue *bq;
	uint32_t device_id;
	bool is_shared;
	bool is_unfit; /* its device refused it once: not kept for others */
	/* hot, written */
	uint64_t nr_sent;
	uint64_t nr_received;
	uint64_t nr_errors;
	uint32_t nr_run;	/* done by the caller's own runs, not yet received; unless shared */
	struct wait_mutex lock; /* of a shared queue */
	/* cold */
	const struct wd_driver *driver;
	const struct wd_backend *backend;
	struct wd_device *device;
	uint32_t op;
	uint32_t depth;
	uint32_t depth_wished;
	char alg[QUEUE_ALG_MAX]; /* that it was opened for */
	struct share_range *ranges;
};

/* Stops and frees a queue; requests in flight are dropped.  Not with NULL. */
void core_queue_destroy(struct core_queue *cq);

/* Frees what wd_mem_share() remembers. */
void core_queue_forget_ranges(struct core_queue *cq);

/* In place of a driver whose device is gone; abandon hands out the rest. */
extern const struct wd_driver core_dead_driver;

static inline bool core_queue_is_dead(const struct core_queue *cq)
{
	return cq->io == &core_dead_driver;
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

static inline struct core_queue *core_queue_of(const struct wd_queue *q)
{
	return q ? q->queue : NULL;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* What sessions need of a queue beyond the public calls; taking is in queue_io.c. */
#include <errno.h>
#include <string.h>

#include "base/barrier.h"
#include "core/lane.h"
#include "core/queue.h"

void lane_set_event(struct wd_queue *q, struct wait_event *ev)
{
	struct core_queue *cq = q->queue;

	/* the event before where it is found: pairs with the backend's acquire */
	wd_store_release(&cq->bq->event, ev ? ev : &cq->bq->own_event);
}

void lane_arm(struct wd_queue *q)
{
	struct core_queue *cq = q->queue;

	core_queue_lock(cq);
	cq->io->arm(cq->drv_queue);
	core_queue_unlock(cq);
}

uint64_t lane_due_ns(struct wd_queue *q)
{
	struct core_queue *cq = q->queue;
	bool is_here;

	core_queue_lock(cq);
	is_here = cq->run;
	core_queue_unlock(cq);
	return is_here ? cq->backend->due_ns(cq->bq) : 0;
}

int lane_run_elsewhere(struct wd_queue *q)
{
	struct core_queue *cq = q->queue;
	int err = 0;

	core_queue_lock(cq);
	if (!core_queue_is_dead(cq))
		err = core_queue_run_elsewhere_locked(cq);
	core_queue_unlock(cq);
	return err;
}

void lane_give_up(struct wd_queue *q, bool is_failure)
{
	struct core_queue *cq = q->queue;

	core_queue_lock(cq);
	if (!core_queue_is_dead(cq))
		core_queue_kill(cq, is_failure);
	core_queue_unlock(cq);
}

bool lane_is_foreign(const struct wd_queue *q)
{
	const struct core_queue *cq = q->queue;

	return cq && core_queue_is_foreign(cq);
}

void lane_forget(struct wd_queue *q)
{
	struct core_queue *cq = q->queue;

	if (!cq)
		return;
	q->queue = NULL;
	q->depth = cq->depth_wished;
	core_queue_forget(cq);
}

const struct wd_config *lane_config(void)
{
	return registry_config();
}

uint32_t lane_life(void)
{
	return registry_life();
}

void lane_count(struct wd_queue *q, size_t counter, uint64_t n)
{
	struct core_queue *cq = q->queue;

	core_queue_lock(cq);
	counter_bump(cq->counters, (enum counter)(counter / sizeof(uint64_t)), n);
	core_queue_unlock(cq);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The queues that a scheduler's sessions use.  A session has queues of its own,
 * which cost no lock, while a device has plenty; the rest of a device's queues,
 * and all of a device with few, are opened shared, and each further session joins
 * the one with the fewest users.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "alg/sched.h"
#include "base/barrier.h"
#include "base/compiler.h"

#define PLENTY_QUEUES 16u /* a device with fewer has only shared ones */

static struct sched_queue *least_used(const struct sched_device *d, bool is_near)
{
	struct sched_queue *sq, *best = NULL;
	uint32_t best_nr = 0;

	for (sq = d->queues; sq != NULL; sq = sq->next) {
		uint32_t nr = wd_load_relaxed(&sq->nr_users);

		if (!sq->is_shared)
			continue;
		/* One of the kind wished rather than another, if it is no fuller. */
		if (best == NULL || nr < best_nr || (nr == best_nr && sq->is_near == is_near)) {
			best = sq;
			best_nr = nr;
		}
	}
	return best;
}

static int open_locked(struct sched_route *route, struct sched_device *d, bool is_near,
		       struct sched_queue **ret_queue)
{
	struct sched_queue *sq = calloc(1, sizeof(*sq));
	int ret;

	if (sq == NULL)
		return -ENOMEM;
	sq->is_near = is_near;
	sq->is_shared = route->sched->opts.queues > 0 || d->lane.nr_queues < PLENTY_QUEUES ||
			d->nr_queues >= d->lane.nr_queues / 2;
	sq->queue.size = sizeof(sq->queue);
	sq->queue.capa = route->capa;
	sq->queue.flags = (is_near ? WD_QUEUE_F_NEAR : 0) | (sq->is_shared ? WD_QUEUE_F_SHARED : 0);
	strcpy(sq->queue.device, d->lane.name);
	ret = wd_request_queue(&sq->queue);
	if (ret != 0) {
		free(sq);
		return ret;
	}
	sq->sched = route->sched;
	sq->device = d;
	sq->next = d->queues;
	sq->is_listed = true;
	d->queues = sq;
	d->nr_queues++;
	*ret_queue = sq;
	return 0;
}

static int get_locked(struct sched_route *route, struct sched_device *d, bool is_near,
		      struct sched_queue **ret_queue)
{
	const unsigned int limit = route->sched->opts.queues;
	int ret = -EBUSY;

	if (limit == 0 || d->nr_queues < limit)
		ret = open_locked(route, d, is_near, ret_queue);
	if (ret != -EBUSY)
		return ret;
	*ret_queue = least_used(d, is_near);
	return *ret_queue != NULL ? 0 : -EBUSY;
}

int sched_queue_get(struct sched_route *route, unsigned int device, bool is_near,
		    struct sched_queue **ret_queue)
{
	struct sched_device *d = &route->devices[device];
	struct sched_queue *sq;
	int ret;

	wait_mutex_lock(&route->sched->lock);
	ret = get_locked(route, d, is_near, &sq);
	if (ret == 0)
		atomic_fetch_add_explicit(&sq->nr_users, 1, memory_order_relaxed);
	wait_mutex_unlock(&route->sched->lock);
	if (ret == 0)
		*ret_queue = sq;
	return ret;
}

static void unlist_locked(struct sched_queue *sq)
{
	struct sched_queue **p = &sq->device->queues;

	if (!sq->is_listed)
		return;
	while (*p != sq)
		p = &(*p)->next;
	*p = sq->next;
	sq->is_listed = false;
	sq->device->nr_queues--;
}

void sched_queue_put(struct sched_queue *sq)
{
	bool is_last;

	wait_mutex_lock(&sq->sched->lock);
	is_last = atomic_fetch_sub_explicit(&sq->nr_users, 1, memory_order_relaxed) == 1;
	if (is_last)
		unlist_locked(sq);
	wait_mutex_unlock(&sq->sched->lock);
	if (!is_last)
		return;
	wd_release_queue(&sq->queue);
	free(sq);
}

void sched_queue_give_up(struct sched_queue *sq, enum sched_given_up why)
{
	wait_mutex_lock(&sq->sched->lock);
	if (!wd_load_relaxed(&sq->given_up))
		wd_store_relaxed(&sq->given_up, why);
	unlist_locked(sq);
	wait_mutex_unlock(&sq->sched->lock);
}

/* ---------------------------------------------------------------- listening */

static struct sched_listener *next_leader_locked(struct sched_queue *sq)
{
	struct sched_listener *l, *any = NULL;

	for (l = sq->listeners; l != NULL; l = l->next) {
		if (l->is_asleep)
			return l;
		any = l;
	}
	return any;
}

static void set_leader_locked(struct sched_queue *sq, struct sched_listener *l)
{
	sq->leader = l;
	lane_set_event(&sq->queue, l != NULL ? l->event : NULL);
}

/* The leader may not look when told any more: one that will, if there is one, takes the lead. */
static void leave_lead_locked(struct sched_queue *sq)
{
	struct sched_listener *next = next_leader_locked(sq);

	if (!next->is_asleep)
		return;
	set_leader_locked(sq, next);
	/* What was reported to the old one may concern the new one. */
	wait_event_signal(next->event);
}

void sched_listen(struct sched_queue *sq, struct sched_listener *l, struct wait_event *event,
		  bool is_asleep)
{
	wait_mutex_lock(&sq->lock);
	l->event = event;
	l->is_asleep = is_asleep;
	if (!l->is_listening) {
		l->next = sq->listeners;
		sq->listeners = l;
		l->is_listening = true;
	}
	/* One that will look when told takes the lead from one that may not. */
	if (sq->leader == NULL || (is_asleep && !sq->leader->is_asleep))
		set_leader_locked(sq, l);
	else if (sq->leader == l && !is_asleep)
		leave_lead_locked(sq);
	wait_mutex_unlock(&sq->lock);
}

void sched_unlisten(struct sched_queue *sq, struct sched_listener *l)
{
	struct sched_listener **p;
	struct wait_event *told = NULL;

	if (!l->is_listening)
		return;
	wait_mutex_lock(&sq->lock);
	for (p = &sq->listeners; *p != l; p = &(*p)->next)
		;
	*p = l->next;
	l->is_listening = false;
	if (sq->leader == l) {
		set_leader_locked(sq, next_leader_locked(sq));
		/* What was reported to the old one may concern the new one. */
		told = sq->leader != NULL ? sq->leader->event : NULL;
	}
	/* Under the lock: the new leader's session is there as long as it listens. */
	if (told != NULL)
		wait_event_signal(told);
	wait_mutex_unlock(&sq->lock);
}

void sched_queue_tell_all(struct sched_queue *sq)
{
	struct sched_listener *l;

	wait_mutex_lock(&sq->lock);
	for (l = sq->listeners; l != NULL; l = l->next)
		wait_event_signal(l->event);
	wait_mutex_unlock(&sq->lock);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Life of a queue: requested, connected, released.  All cold.  A released queue
 * that is empty and healthy stays started with its device for the next who
 * asks, because connecting costs a thousand times what a request does.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "core/device.h"
#include "core/queue.h"

#define DRV_QUEUE_ALIGN 128
#define CLASS_MAX	99 /* of throughput and latency */

static bool is_wish_valid(const struct wd_queue *q)
{
	const uint32_t capa_flags = WD_CAPA_F_SVA | WD_CAPA_F_NUMA_NODE | WD_CAPA_F_LEVELS |
				    WD_CAPA_F_SHARE | WD_CAPA_F_HERE;
	unsigned int i;

	if (!q || q->size != sizeof(*q) || q->flags & ~(WD_QUEUE_F_SHARED | WD_QUEUE_F_NEAR) ||
	    !q->capa.alg || !*q->capa.alg || strlen(q->capa.alg) >= QUEUE_ALG_MAX ||
	    q->capa.flags & ~capa_flags || q->capa.reserved || q->timeout_ms < 0 ||
	    q->capa.throughput > CLASS_MAX || q->capa.latency > CLASS_MAX ||
	    !memchr(q->device, '\0', sizeof(q->device)))
		return false;
	for (i = 0; i < BASE_ARRAY_SIZE(q->reserved); i++)
		if (q->reserved[i])
			return false;
	return true;
}

static void *alloc_drv_queue(size_t bytes)
{
	void *p;

	bytes = base_align_up(bytes, DRV_QUEUE_ALIGN);
	p = aligned_alloc(DRV_QUEUE_ALIGN, bytes);
	if (p)
		memset(p, 0, bytes);
	return p;
}

static int queue_connect_locked(struct wd_device *d, const struct wd_queue *q,
				struct core_queue **ret_queue)
{
	const struct wd_backend *backend = d->host->backend;
	struct core_queue *cq = calloc(1, sizeof(*cq));
	int err = -ENOMEM;

	if (!cq)
		return -ENOMEM;
	cq->device = d;
	cq->device_id = d->info.id;
	cq->driver = d->driver;
	cq->io = d->driver;
	cq->backend = backend;
	cq->run = backend->run;
	cq->op = q->capa.op;
	strcpy(cq->alg, q->capa.alg);
	cq->depth_wished = q->depth;
	cq->depth = q->depth;
	cq->is_near = q->flags & WD_QUEUE_F_NEAR;
	cq->life_word = wait_life_word();
	cq->life = wd_load_relaxed(cq->life_word);
	cq->counters = counters_open(registry_counters(), d->info.id);
	if (!cq->counters)
		goto out_free;
	err = backend->open(d->host, d->backend_name, cq->is_near ? BACKEND_QUEUE_F_NEAR : 0,
			    &cq->bq);
	if (err)
		goto out_counters;
	cq->bq->port.flags = d->info.flags;
	wd_store_relaxed(&cq->bq->event, &cq->bq->own_event);
	err = bounce_open(cq);
	if (err)
		goto out_close;
	err = -ENOMEM;
	cq->drv_queue = alloc_drv_queue(d->driver->queue_bytes);
	if (!cq->drv_queue)
		goto out_bounce;
	err = d->driver->open(cq->drv_queue, &cq->bq->port, &q->capa, &cq->depth);
	if (err)
		goto out_free_drv;
	err = backend->start(cq->bq);
	if (err)
		goto out_close_drv;
	*ret_queue = cq;
	return 0;

out_close_drv:
	backend->stop(cq->bq);
	d->driver->close(cq->drv_queue);
out_free_drv:
	free(cq->drv_queue);
out_bounce:
	bounce_close(cq);
out_close:
	backend->close(cq->bq);
out_counters:
	counters_close(registry_counters(), cq->counters);
out_free:
	free(cq);
	return err;
}

void core_queue_destroy_locked(struct core_queue *cq)
{
	cq->backend->stop(cq->bq);
	counter_bump(cq->counters, COUNTER_ABANDONED, cq->nr_in_flight);
	core_queue_forget_ranges_locked(cq);
	cq->driver->close(cq->drv_queue);
	free(cq->drv_queue);
	bounce_close(cq);
	wait_event_fini(&cq->bq->own_event);
	cq->backend->close(cq->bq);
	counters_close(registry_counters(), cq->counters);
	free(cq);
}

void core_queue_kill(struct core_queue *cq, bool is_failure)
{
	cq->backend->stop(cq->bq);
	cq->io = &core_dead_driver;
	cq->run = NULL;
	cq->is_unfit = true;
	if (is_failure) {
		counter_bump(cq->counters, COUNTER_FAILURES, 1);
		log_write(WD_LOG_WARN, "%s failed with %u requests in flight",
			  cq->device->info.name, cq->nr_in_flight);
	}
	/* Who sleeps on its descriptor must learn of it. */
	wait_event_signal(&cq->bq->own_event);
}

/* An idle queue of @d opened for the same and still alive, or NULL. */
static struct core_queue *take_idle_locked(struct wd_device *d, const struct wd_queue *q)
{
	unsigned int i = 0;

	while (i < d->nr_idle) {
		struct core_queue *cq = d->idle[i];
		struct wd_req *none;

		if (cq->op != q->capa.op || cq->depth_wished != q->depth ||
		    cq->is_near != !!(q->flags & WD_QUEUE_F_NEAR) || strcmp(cq->alg, q->capa.alg)) {
			i++;
			continue;
		}
		d->idle[i] = d->idle[--d->nr_idle];
		/* The device may have gone meanwhile. */
		if (!cq->driver->recv(cq->drv_queue, &none, 1))
			return cq;
		core_queue_destroy_locked(cq);
	}
	return NULL;
}

static int connect_locked(const struct wd_queue *q, struct core_queue **ret_queue)
{
	const char *name = *q->device ? q->device : registry_config()->device;
	struct wd_device *d;
	int err = device_choose(&q->capa, name, &d);

	if (err)
		return err;
	*ret_queue = take_idle_locked(d, q);
	if (*ret_queue)
		return 0;
	/* An idle queue that does not fit must not keep a fitting one from being opened. */
	if (d->nr_idle && d->host->backend->free_queues(d->host, d->backend_name) <= 0)
		core_queue_destroy_locked(d->idle[--d->nr_idle]);
	return queue_connect_locked(d, q, ret_queue);
}

/* Connects @q, whatever it holds. */
static int request_locked(struct wd_queue *q)
{
	struct core_queue *cq;
	int err = connect_locked(q, &cq);

	if (err)
		return err;
	registry_count_open(1);
	cq->is_shared = q->flags & WD_QUEUE_F_SHARED;
	memcpy(q->device, cq->device->info.name, sizeof(q->device));
	q->depth = cq->depth;
	/* pairs with the acquire in core_queue_of() */
	__atomic_store_n(&q->queue, cq, __ATOMIC_RELEASE);
	return 0;
}

int wd_request_queue(struct wd_queue *q)
{
	int err;

	if (!is_wish_valid(q) || q->queue)
		return -EINVAL;
	err = registry_lock();
	if (err)
		return err;
	err = request_locked(q);
	registry_unlock();
	return err;
}

/* Empty and healthy, and nothing was made for it that others do not want. */
static bool is_worth_keeping(const struct core_queue *cq)
{
	return !cq->nr_in_flight && !core_queue_is_dead(cq) && !cq->is_unfit && !cq->is_elsewhere &&
	       !cq->has_fd && cq->device->nr_idle < DEVICE_IDLE_MAX;
}

void wd_release_queue(struct wd_queue *q)
{
	struct core_queue *cq = q ? q->queue : NULL;

	if (!cq)
		return;
	q->queue = NULL;
	if (core_queue_is_foreign(cq)) {
		core_queue_forget(cq);
		return;
	}
	/* The registry was read when the queue was requested: locking cannot fail. */
	if (registry_lock())
		return;
	registry_count_open(-1);
	if (is_worth_keeping(cq)) {
		cq->nr_run = 0;
		core_queue_forget_ranges_locked(cq);
		wd_store_release(&cq->bq->event, &cq->bq->own_event);
		cq->device->idle[cq->device->nr_idle++] = cq;
	} else {
		core_queue_destroy_locked(cq);
	}
	registry_unlock();
}

/*
 * What it holds is the parent's, and memory of it may be in any state; only its
 * event's descriptors were inherited for good.
 */
void core_queue_forget(struct core_queue *cq)
{
	wait_event_fini(&cq->bq->own_event);
	registry_forget_queue(cq);
}

/* Several threads may come with the same shared queue: the first one connects it. */
static int renew_locked(struct wd_queue *q, struct core_queue **ret_forget)
{
	struct core_queue *cq = q->queue;
	int err;

	if (!cq || !is_wish_valid(q))
		return -EINVAL;
	if (!core_queue_is_foreign(cq))
		return 0;
	err = request_locked(q);
	if (!err)
		*ret_forget = cq;
	return err;
}

BASE_COLD struct core_queue *core_queue_renew(struct wd_queue *q, int *ret_err)
{
	struct core_queue *old = NULL, *cq = NULL;
	int err = -EINVAL;

	if (q && __atomic_load_n(&q->queue, __ATOMIC_RELAXED))
		err = registry_lock();
	if (!err) {
		err = renew_locked(q, &old);
		cq = err ? NULL : q->queue;
		registry_unlock();
	}
	if (old)
		core_queue_forget(old);
	if (err && ret_err)
		*ret_err = err;
	return cq;
}

int core_queue_run_elsewhere_locked(struct core_queue *cq)
{
	int err = cq->backend->run_elsewhere ? cq->backend->run_elsewhere(cq->bq) : 0;

	if (!err)
		cq->is_elsewhere = true;
	return err;
}

int wd_queue_fd(struct wd_queue *q)
{
	int err = -EINVAL;
	struct core_queue *cq = core_queue_of(q, &err);
	int fd;

	if (!cq)
		return err;
	core_queue_lock(cq);
	if (core_queue_is_dead(cq))
		err = -ENODEV;
	else
		err = cq->has_fd ? 0 : core_queue_run_elsewhere_locked(cq);
	fd = err ? err : wait_event_fd(&cq->bq->own_event);
	cq->has_fd |= fd >= 0;
	core_queue_unlock(cq);
	return fd;
}

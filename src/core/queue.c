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

static bool is_request_valid(const struct wd_queue *q)
{
	const uint32_t capa_flags = WD_CAPA_F_SVA | WD_CAPA_F_NUMA_NODE | WD_CAPA_F_LEVELS;
	unsigned int i;

	if (!q || q->size != sizeof(*q) || q->queue || q->flags & ~WD_QUEUE_F_SHARED ||
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

static int queue_connect(struct wd_device *d, const struct wd_queue *q,
			 struct core_queue **ret_queue)
{
	const struct wd_backend *backend = d->host->backend;
	struct core_queue *cq = calloc(1, sizeof(*cq));
	int err;

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
	err = backend->open(d->host, d->backend_name, &cq->bq);
	if (err)
		goto out_free;
	cq->bq->port.flags = d->info.flags;
	err = -ENOMEM;
	cq->drv_queue = alloc_drv_queue(d->driver->queue_bytes);
	if (!cq->drv_queue)
		goto out_close;
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
out_close:
	backend->close(cq->bq);
out_free:
	free(cq);
	return err;
}

void core_queue_destroy(struct core_queue *cq)
{
	cq->backend->stop(cq->bq);
	cq->driver->close(cq->drv_queue);
	free(cq->drv_queue);
	cq->backend->close(cq->bq);
	core_queue_forget_ranges(cq);
	free(cq);
}

/* An idle queue of @d opened for the same and still alive, or NULL. */
static struct core_queue *take_idle_locked(struct wd_device *d, const struct wd_queue *q)
{
	unsigned int i = 0;

	while (i < d->nr_idle) {
		struct core_queue *cq = d->idle[i];
		struct wd_req *none;

		if (cq->op != q->capa.op || cq->depth_wished != q->depth ||
		    strcmp(cq->alg, q->capa.alg)) {
			i++;
			continue;
		}
		d->idle[i] = d->idle[--d->nr_idle];
		/* The device may have gone meanwhile. */
		if (!cq->driver->recv(cq->drv_queue, &none, 1))
			return cq;
		core_queue_destroy(cq);
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
		core_queue_destroy(d->idle[--d->nr_idle]);
	return queue_connect(d, q, ret_queue);
}

int wd_request_queue(struct wd_queue *q)
{
	struct core_queue *cq;
	int err;

	if (!is_request_valid(q))
		return -EINVAL;
	err = registry_lock();
	if (err)
		return err;
	err = connect_locked(q, &cq);
	if (!err)
		registry_count_open(1);
	registry_unlock();
	if (err)
		return err;
	cq->is_shared = q->flags & WD_QUEUE_F_SHARED;
	memcpy(q->device, cq->device->info.name, sizeof(q->device));
	q->depth = cq->depth;
	q->queue = cq;
	return 0;
}

void wd_release_queue(struct wd_queue *q)
{
	struct core_queue *cq = core_queue_of(q);
	struct wd_device *d;

	if (!cq)
		return;
	q->queue = NULL;
	d = cq->device;
	/* The registry was read when the queue was requested: locking cannot fail. */
	if (registry_lock())
		return;
	registry_count_open(-1);
	d->info.requests += cq->nr_received;
	d->info.errors += cq->nr_errors;
	if (cq->nr_sent == cq->nr_received && !core_queue_is_dead(cq) && !cq->is_unfit &&
	    d->nr_idle < DEVICE_IDLE_MAX) {
		cq->nr_sent = cq->nr_received = cq->nr_errors = 0;
		cq->nr_run = 0;
		core_queue_forget_ranges(cq);
		d->idle[d->nr_idle++] = cq;
		cq = NULL;
	}
	registry_unlock();
	if (cq)
		core_queue_destroy(cq);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Chip models inside this process: their memory is ours, every pointer is good,
 * doorbells are calls.  Who waits for a request runs its own queue; workers do
 * it only where the configuration asks for threads.
 */
#include <errno.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/barrier.h"
#include "base/compiler.h"
#include "base/wait.h"
#include "chip/chip.h"
#include "core/backend.h"

struct embed_device {
	char name[WD_DEVICE_NAME_MAX]; /* "hisi_zip-0" */
	const struct chip_model *model;
	struct chip *chip; /* created with its first queue */
};

/* host->state */
struct embed {
	struct chip_workers *workers; /* started with the first queue, if at all */
	unsigned int nr_devices;
	struct embed_device device[CONFIG_EMBED_DEVICES_MAX];
};

struct embed_queue {
	struct wd_backend_queue base;
	struct embed *embed;
	struct chip_queue *chip_queue;
	bool is_with_workers;
	_Atomic uint32_t nr_events; /* parked on */
	_Atomic uint32_t nr_sleeping;
	_Atomic uint32_t nr_events_seen; /* by the last wait */
};

static struct embed_queue *to_embed(struct wd_backend_queue *bq)
{
	return base_container_of(bq, struct embed_queue, base);
}

static void embed_raise(void *owner, void *queue_owner)
{
	struct embed_queue *eq = queue_owner;

	(void)owner;
	atomic_fetch_add(&eq->nr_events, 1);
	/* nr_events, then nr_sleeping: pairs with embed_wait() */
	wd_full_mb();
	if (wd_load_relaxed(&eq->nr_sleeping))
		wait_wake(&eq->nr_events);
}

/* Device names from the configured models, numbered per model. */
static int embed_init(struct wd_backend_host *host)
{
	const struct wd_config *config = host->config;
	struct embed *embed;
	unsigned int i, k, number;

	if (host->state)
		return 0;
	embed = calloc(1, sizeof(*embed));
	if (!embed)
		return -ENOMEM;
	for (i = 0; i < config->nr_embed; i++) {
		struct embed_device *d = &embed->device[embed->nr_devices];

		d->model = chip_find_model(config->embed[i]);
		if (!d->model) {
			host->complaint = "WD_EMBED names a chip model that is not there";
			free(embed);
			return -EINVAL;
		}
		for (k = 0, number = 0; k < embed->nr_devices; k++)
			number += embed->device[k].model == d->model;
		snprintf(d->name, sizeof(d->name), "%s-%u", d->model->name, number);
		embed->nr_devices++;
	}
	host->state = embed;
	return 0;
}

static int embed_scan(struct wd_backend_host *host,
		      void (*found)(void *arg, const struct wd_device_info *info), void *arg)
{
	struct embed *embed;
	unsigned int i;
	int err = embed_init(host);

	if (err)
		return err;
	embed = host->state;
	for (i = 0; i < embed->nr_devices; i++) {
		const struct chip_model *model = embed->device[i].model;
		struct wd_device_info info = {
			.flags = WD_CAPA_F_SVA | (model->has_levels ? WD_CAPA_F_LEVELS : 0),
			.numa_node = -1,
			.throughput = model->throughput,
			.latency = model->latency,
		};

		snprintf(info.name, sizeof(info.name), "%s", embed->device[i].name);
		snprintf(info.driver, sizeof(info.driver), "%s", model->name);
		snprintf(info.api, sizeof(info.api), "%s", model->api);
		snprintf(info.algs, sizeof(info.algs), "%s", model->algs);
		found(arg, &info);
	}
	return 0;
}

static int find_device(struct wd_backend_host *host, const char *name,
		       struct embed_device **ret_device)
{
	struct embed *embed = host->state;
	struct embed_device *d;
	struct chip_config config = { 0 };
	unsigned int i;
	int err;

	for (i = 0; i < embed->nr_devices && strcmp(embed->device[i].name, name); i++)
		;
	if (i == embed->nr_devices)
		return -ENODEV;
	d = &embed->device[i];
	if (!d->chip) {
		config.depth = host->config->embed_depth;
		config.raise = embed_raise;
		chip_dma_use_own_memory(&config);
		err = chip_create(d->model, &config, &d->chip);
		if (err)
			return err;
	}
	*ret_device = d;
	return 0;
}

static int embed_free_queues(struct wd_backend_host *host, const char *name)
{
	struct embed_device *d;
	int err = find_device(host, name, &d);

	return err ? err : d->chip->ops->free_queues(d->chip);
}

static void embed_ring(void *arg, uint32_t offset, uint64_t value)
{
	struct embed_queue *eq = arg;
	struct chip_queue *q = eq->chip_queue;

	q->chip->ops->queue_doorbell(q, offset, value);
	if (eq->is_with_workers)
		chip_workers_kick(eq->embed->workers);
}

static int embed_control(struct wd_port *port, unsigned long cmd, void *param)
{
	struct chip_queue *q = base_container_of(port, struct embed_queue, base.port)->chip_queue;

	return q->chip->ops->queue_control(q, cmd, param);
}

/* The device's share of user memory, as the kernel would have it mapped: zeroed pages. */
static int map_regions(struct embed_queue *eq)
{
	struct wd_region *dus = &eq->base.port.region[WD_REGION_DUS];
	struct chip_queue *q = eq->chip_queue;
	struct chip_queue_layout layout;
	int err;

	q->chip->ops->queue_layout(q, &layout);
	/* Doorbells are calls here; the region only has its size. */
	eq->base.port.region[WD_REGION_MMIO].bytes = layout.mmio_bytes;
	if (!layout.dus_bytes)
		return 0;
	dus->addr = mmap(NULL, layout.dus_bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (dus->addr == MAP_FAILED) {
		dus->addr = NULL;
		return -ENOMEM;
	}
	dus->bytes = layout.dus_bytes;
	err = q->chip->ops->queue_bind(q, (uintptr_t)dus->addr, dus->bytes);
	if (err)
		munmap(dus->addr, dus->bytes);
	return err;
}

static int start_workers(struct wd_backend_host *host, struct embed *embed)
{
	struct chip_workers_config config = {
		.nr_threads = host->config->embed_workers,
		.spin_ns = host->config->embed_spin_ns,
	};

	if (!config.nr_threads || embed->workers)
		return 0;
	return chip_workers_create(&config, &embed->workers);
}

static int embed_open(struct wd_backend_host *host, const char *name,
		      struct wd_backend_queue **ret_queue)
{
	struct embed *embed = host->state;
	struct embed_device *d;
	struct embed_queue *eq;
	int err = find_device(host, name, &d);

	if (err)
		return err;
	err = start_workers(host, embed);
	if (err)
		return err;
	eq = calloc(1, sizeof(*eq));
	if (!eq)
		return -ENOMEM;
	eq->embed = embed;
	err = d->chip->ops->queue_open(d->chip, eq, &eq->chip_queue);
	if (err)
		goto out_free;
	eq->base.port.api = d->model->api;
	eq->base.port.ring = embed_ring;
	eq->base.port.ring_arg = eq;
	eq->base.port.control = embed_control;
	err = map_regions(eq);
	if (err)
		goto out_close;
	*ret_queue = &eq->base;
	return 0;

out_close:
	d->chip->ops->queue_close(eq->chip_queue);
out_free:
	free(eq);
	return err;
}

static int embed_start(struct wd_backend_queue *bq)
{
	struct embed_queue *eq = to_embed(bq);
	int err = eq->chip_queue->chip->ops->queue_start(eq->chip_queue);

	if (err || !eq->embed->workers)
		return err;
	err = chip_workers_add(eq->embed->workers, eq->chip_queue);
	eq->is_with_workers = !err;
	return err;
}

static void embed_stop(struct wd_backend_queue *bq)
{
	struct embed_queue *eq = to_embed(bq);

	eq->chip_queue->chip->ops->queue_stop(eq->chip_queue);
	if (eq->is_with_workers)
		chip_workers_remove(eq->embed->workers, eq->chip_queue);
	eq->is_with_workers = false;
}

static void embed_close(struct wd_backend_queue *bq)
{
	struct embed_queue *eq = to_embed(bq);
	struct wd_region *dus = &eq->base.port.region[WD_REGION_DUS];

	eq->chip_queue->chip->ops->queue_close(eq->chip_queue);
	if (dus->addr)
		munmap(dus->addr, dus->bytes);
	free(eq);
}

static int embed_run(struct wd_backend_queue *bq, unsigned int budget, bool is_waiting)
{
	struct embed_queue *eq = to_embed(bq);

	/* Who only looks leaves the work to those that were started for it. */
	if (eq->is_with_workers && !is_waiting)
		return 0;
	return eq->chip_queue->chip->ops->queue_run(eq->chip_queue, budget, NULL);
}

static int embed_wait(struct wd_backend_queue *bq, uint64_t deadline_ns)
{
	struct embed_queue *eq = to_embed(bq);
	uint32_t seen = wd_load_relaxed(&eq->nr_events_seen);
	int err = 0;

	atomic_fetch_add(&eq->nr_sleeping, 1);
	/* nr_sleeping, then nr_events: pairs with embed_raise() */
	wd_full_mb();
	if (wd_load_acquire(&eq->nr_events) == seen)
		err = wait_park(&eq->nr_events, seen, deadline_ns);
	atomic_fetch_sub(&eq->nr_sleeping, 1);
	wd_store_relaxed(&eq->nr_events_seen, wd_load_acquire(&eq->nr_events));
	return err;
}

static void embed_fini(struct wd_backend_host *host)
{
	struct embed *embed = host->state;
	unsigned int i;

	if (!embed)
		return;
	chip_workers_destroy(embed->workers);
	for (i = 0; i < embed->nr_devices; i++)
		if (embed->device[i].chip)
			embed->device[i].chip->ops->destroy(embed->device[i].chip);
	free(embed);
	host->state = NULL;
}

const struct wd_backend wd_backend_embed = {
	.name = "embed",
	.scan = embed_scan,
	.free_queues = embed_free_queues,
	.open = embed_open,
	.fini = embed_fini,
	.start = embed_start,
	.stop = embed_stop,
	.close = embed_close,
	.run = embed_run,
	.wait = embed_wait,
};

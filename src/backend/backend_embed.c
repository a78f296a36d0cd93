/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Chip models inside this process: their memory is ours, doorbells are calls, and
 * every pointer is good unless the configuration says otherwise (embed_memory.h).  Who waits for a request runs its own queue; workers do
 * it only where the configuration asks for threads.
 */
#include <errno.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "backend/embed_memory.h"
#include "base/barrier.h"
#include "base/compiler.h"
#include "base/wait.h"
#include "chip/chip.h"
#include "core/backend.h"

struct embed_device {
	char name[WD_DEVICE_NAME_MAX]; /* "hisi_zip-0" */
	const struct chip_model *model;
	const struct config_embed *config;
	struct chip *chip;	     /* created with its first queue */
	struct embed_memory *memory; /* with the chip; NULL: it takes any pointer */
};

/* host->state */
struct embed {
	const struct wd_config *config;
	struct wait_mutex lock;	      /* of workers, and of attaching queues to them */
	struct chip_workers *workers; /* started when first needed; stays until fini */
	_Atomic uint32_t has_ended;   /* their threads are gone: who looks does the work */
	unsigned int nr_devices;
	struct embed_device device[CONFIG_EMBED_DEVICES_MAX];
};

struct embed_queue {
	struct wd_backend_queue base;
	struct embed *embed;
	struct embed_memory *memory; /* the device's */
	struct chip_queue *chip_queue;
	bool is_near;
	bool is_attached; /* a worker may work on it, too; under the embed's lock */
	/*
	 * Workers are to be told of each request, and who only looks leaves the work to
	 * them.  Changes under the same thread rule as doorbells.
	 */
	_Atomic(struct chip_workers *) workers;
};

#define LONG_NS (10 * WAIT_NS_PER_MS) /* not done by who only looks */

static struct embed_queue *to_embed(struct wd_backend_queue *bq)
{
	return base_container_of(bq, struct embed_queue, base);
}

static void embed_raise(void *owner, void *queue_owner)
{
	struct embed_queue *eq = queue_owner;

	(void)owner;
	/* pairs with the release in lane_set_event() */
	wait_event_signal(wd_load_acquire(&eq->base.event));
}

/* Device names from the configured models, numbered per model. */
static int embed_init(struct wd_backend_host *host)
{
	const struct wd_config *config = host->config;
	struct chip_fault fault;
	struct embed *embed;
	unsigned int i, k, number;

	if (host->state)
		return 0;
	embed = calloc(1, sizeof(*embed));
	if (!embed)
		return -ENOMEM;
	for (i = 0; i < config->nr_embed; i++) {
		struct embed_device *d = &embed->device[embed->nr_devices];

		d->model = chip_find_model(config->embed[i].model);
		if (!d->model) {
			host->complaint = "WD_EMBED names a chip model that is not there";
			goto out_free;
		}
		for (k = 0; k < config->embed[i].nr_faults; k++)
			if (chip_fault_parse(config->embed[i].fault[k], &fault)) {
				host->complaint = "WD_EMBED names a fault that is none";
				goto out_free;
			}
		d->config = &config->embed[i];
		for (k = 0, number = 0; k < embed->nr_devices; k++)
			number += embed->device[k].model == d->model;
		snprintf(d->name, sizeof(d->name), "%s-%u", d->model->name, number);
		embed->nr_devices++;
	}
	embed->config = config;
	host->state = embed;
	return 0;

out_free:
	free(embed);
	return -EINVAL;
}

static uint32_t memory_flags(const struct config_embed *config)
{
	switch (config->memory) {
	case CONFIG_MEMORY_SHARE:
		return WD_CAPA_F_SHARE;
	case CONFIG_MEMORY_BOUNCE:
		return 0;
	default:
		return WD_CAPA_F_SVA;
	}
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
		const struct config_embed *config = embed->device[i].config;
		/* A slower one stands in for a device that is elsewhere. */
		bool is_here = !config->delay_ns && !config->delay_ns_per_kib;
		struct wd_device_info info = {
			.flags = memory_flags(config) | (is_here ? WD_CAPA_F_HERE : 0) |
				 (model->has_levels ? WD_CAPA_F_LEVELS : 0),
			.numa_node = config->numa_node,
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

/* The chip as it is configured, and its way to memory. */
static int create_chip(struct wd_backend_host *host, struct embed_device *d)
{
	const struct config_embed *e = d->config;
	struct chip_fault faults[CONFIG_EMBED_FAULTS_MAX];
	struct chip_config config = {
		.nr_queues = e->nr_queues,
		.depth = e->depth ? e->depth : host->config->embed_depth,
		.delay_ns = e->delay_ns,
		.delay_ns_per_kib = e->delay_ns_per_kib,
		.faults = faults,
		.nr_faults = e->nr_faults,
		.raise = embed_raise,
	};
	unsigned int i;
	int err = 0;

	for (i = 0; i < e->nr_faults && !err; i++)
		err = chip_fault_parse(e->fault[i], &faults[i]);
	if (err)
		return err;
	if (e->memory == CONFIG_MEMORY_SVA)
		chip_dma_use_own_memory(&config);
	else
		err = embed_memory_create(e->memory, &d->memory);
	if (err)
		return err;
	if (d->memory)
		embed_memory_set_dma(d->memory, &config);
	err = chip_create(d->model, &config, &d->chip);
	if (err) {
		embed_memory_destroy(d->memory);
		d->memory = NULL;
	}
	return err;
}

static struct embed_device *find_device(struct embed *embed, const char *name)
{
	unsigned int i;

	for (i = 0; i < embed->nr_devices; i++)
		if (!strcmp(embed->device[i].name, name))
			return &embed->device[i];
	return NULL;
}

static int find_chip(struct wd_backend_host *host, const char *name,
		     struct embed_device **ret_device)
{
	struct embed_device *d = find_device(host->state, name);
	int err = 0;

	if (!d)
		return -ENODEV;
	if (!d->chip)
		err = create_chip(host, d);
	if (err)
		return err;
	*ret_device = d;
	return 0;
}

static int embed_free_queues(struct wd_backend_host *host, const char *name)
{
	struct embed_device *d;
	int err = find_chip(host, name, &d);

	return err ? err : d->chip->ops->free_queues(d->chip);
}

static void embed_ring(void *arg, uint32_t offset, uint64_t value)
{
	struct embed_queue *eq = arg;
	struct chip_queue *q = eq->chip_queue;
	struct chip_workers *workers = wd_load_relaxed(&eq->workers);

	q->chip->ops->queue_doorbell(q, offset, value);
	if (workers)
		chip_workers_kick(workers);
}

static int embed_control(struct wd_port *port, unsigned long cmd, void *param)
{
	struct chip_queue *q = base_container_of(port, struct embed_queue, base.port)->chip_queue;

	return q->chip->ops->queue_control(q, cmd, param);
}

/* The device's share of user memory, as the kernel would have it mapped: zeroed pages. */
static void *alloc_region(struct embed_queue *eq, size_t bytes, uint64_t *ret_addr)
{
	void *p;

	if (eq->memory)
		return embed_memory_alloc(eq->memory, bytes, ret_addr);
	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
		 -1, 0);
	*ret_addr = (uintptr_t)p;
	return p == MAP_FAILED ? NULL : p;
}

static void free_region(struct embed_queue *eq, struct wd_region *region)
{
	if (region->addr && eq->memory)
		embed_memory_free(eq->memory, region->addr, region->bytes);
	else if (region->addr)
		munmap(region->addr, region->bytes);
	region->addr = NULL;
}

static int map_regions(struct embed_queue *eq)
{
	struct wd_region *dus = &eq->base.port.region[WD_REGION_DUS];
	struct chip_queue *q = eq->chip_queue;
	struct chip_queue_layout layout;
	uint64_t addr;
	int err;

	q->chip->ops->queue_layout(q, &layout);
	/* Doorbells are calls here; the region only has its size. */
	eq->base.port.region[WD_REGION_MMIO].bytes = layout.mmio_bytes;
	if (!layout.dus_bytes)
		return 0;
	dus->addr = alloc_region(eq, layout.dus_bytes, &addr);
	if (!dus->addr)
		return -ENOMEM;
	dus->bytes = layout.dus_bytes;
	err = q->chip->ops->queue_bind(q, addr, dus->bytes);
	if (err)
		free_region(eq, dus);
	return err;
}

/* ---------------------------------------------------------------- workers */

/* The pool; without a configured number of threads, one is started for whoever asks. */
static int start_workers_locked(struct embed *embed)
{
	unsigned int nr = embed->config->embed_workers;
	struct chip_workers_config config = {
		.nr_threads = nr ? nr : 1,
		.spin_ns = embed->config->embed_spin_ns,
	};

	return embed->workers ? 0 : chip_workers_create(&config, &embed->workers);
}

/* From now on a worker that is awake works on the queue, too. */
static int attach(struct embed_queue *eq)
{
	struct embed *embed = eq->embed;
	int err = 0;

	wait_mutex_lock(&embed->lock);
	if (!eq->is_attached) {
		err = start_workers_locked(embed);
		if (!err)
			err = chip_workers_add(embed->workers, eq->chip_queue);
		eq->is_attached = !err;
	}
	wait_mutex_unlock(&embed->lock);
	return err;
}

static void detach(struct embed_queue *eq)
{
	struct embed *embed = eq->embed;
	bool was_attached;

	wd_store_relaxed(&eq->workers, NULL);
	wait_mutex_lock(&embed->lock);
	was_attached = eq->is_attached;
	eq->is_attached = false;
	wait_mutex_unlock(&embed->lock);
	/* Waits for a worker: nobody else is to wait for that behind the lock. */
	if (was_attached)
		chip_workers_remove(embed->workers, eq->chip_queue);
}

static int embed_run_elsewhere(struct wd_backend_queue *bq)
{
	struct embed_queue *eq = to_embed(bq);
	int err = attach(eq);

	if (err)
		return err;
	wd_store_relaxed(&eq->workers, eq->embed->workers);
	/* Of what was published before they knew. */
	chip_workers_kick(eq->embed->workers);
	return 0;
}

/*
 * A worker does the long request at the queue's head; whoever looks goes on doing
 * the short ones.  Without a worker to be had, late is better than never.
 */
static BASE_COLD int hand_over(struct embed_queue *eq)
{
	if (attach(eq))
		return eq->chip_queue->chip->ops->queue_run(eq->chip_queue, 1, NULL);
	chip_workers_kick(eq->embed->workers);
	return 0;
}

/* At the library's end.  What the workers leave undone is done by whoever waits. */
static void embed_end_threads(struct wd_backend_host *host)
{
	struct embed *embed = host->state;

	if (!embed)
		return;
	wd_store_relaxed(&embed->has_ended, 1);
	wait_mutex_lock(&embed->lock);
	if (embed->workers)
		chip_workers_stop(embed->workers);
	wait_mutex_unlock(&embed->lock);
}

/* ---------------------------------------------------------------- queues */

static int embed_open(struct wd_backend_host *host, const char *name, uint32_t flags,
		      struct wd_backend_queue **ret_queue)
{
	struct embed *embed = host->state;
	struct embed_device *d;
	struct embed_queue *eq;
	int err = find_chip(host, name, &d);

	if (err)
		return err;
	eq = calloc(1, sizeof(*eq));
	if (!eq)
		return -ENOMEM;
	eq->embed = embed;
	eq->memory = d->memory;
	eq->is_near = flags & BACKEND_QUEUE_F_NEAR || d->config->is_near;
	wd_store_relaxed(&eq->base.event, &eq->base.own_event);
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

	if (err || !eq->embed->config->embed_workers || eq->is_near)
		return err;
	err = embed_run_elsewhere(bq);
	if (err)
		eq->chip_queue->chip->ops->queue_stop(eq->chip_queue);
	return err;
}

static void embed_stop(struct wd_backend_queue *bq)
{
	struct embed_queue *eq = to_embed(bq);

	eq->chip_queue->chip->ops->queue_stop(eq->chip_queue);
	detach(eq);
}

static void embed_close(struct wd_backend_queue *bq)
{
	struct embed_queue *eq = to_embed(bq);

	eq->chip_queue->chip->ops->queue_close(eq->chip_queue);
	free_region(eq, &eq->base.port.region[WD_REGION_DUS]);
	free(eq);
}

static int embed_run(struct wd_backend_queue *bq, unsigned int budget, enum backend_runner runner)
{
	static const struct chip_pace pace = { .long_ns = LONG_NS };
	struct embed_queue *eq = to_embed(bq);
	struct chip_queue *q = eq->chip_queue;
	int n;

	/* Without threads, who waits does it, however long: no thread starts for that. */
	if ((runner == BACKEND_RUN_WAIT && !eq->embed->config->embed_workers) ||
	    base_unlikely(wd_load_relaxed(&eq->embed->has_ended)))
		return q->chip->ops->queue_run(q, budget, NULL);
	if (runner == BACKEND_RUN_POLL && wd_load_relaxed(&eq->workers))
		return 0;
	n = q->chip->ops->queue_run(q, budget, &pace);
	return base_unlikely(n == -E2BIG) ? hand_over(eq) : n;
}

static uint64_t embed_due_ns(struct wd_backend_queue *bq)
{
	struct embed_queue *eq = to_embed(bq);

	return eq->chip_queue->chip->ops->queue_due_ns(eq->chip_queue);
}

/* ---------------------------------------------------------------- memory */

/* Asked for only by who has a queue of the device: its chip is there. */
static struct embed_memory *memory_of(struct wd_backend_host *host, const char *name)
{
	return find_device(host->state, name)->memory;
}

static int embed_share(struct wd_backend_host *host, const char *name, uintptr_t addr, size_t bytes,
		       uint32_t direction)
{
	return embed_memory_share(memory_of(host, name), addr, bytes, direction);
}

static void embed_unshare(struct wd_backend_host *host, const char *name, uintptr_t addr,
			  size_t bytes)
{
	embed_memory_unshare(memory_of(host, name), addr, bytes);
}

static void *embed_mem_alloc(struct wd_backend_host *host, const char *name, size_t bytes,
			     uint64_t *ret_addr)
{
	return embed_memory_alloc(memory_of(host, name), bytes, ret_addr);
}

static void embed_mem_free(struct wd_backend_host *host, const char *name, void *ptr, size_t bytes)
{
	embed_memory_free(memory_of(host, name), ptr, bytes);
}

static void embed_fini(struct wd_backend_host *host)
{
	struct embed *embed = host->state;
	unsigned int i;

	if (!embed)
		return;
	chip_workers_destroy(embed->workers);
	for (i = 0; i < embed->nr_devices; i++) {
		if (embed->device[i].chip)
			embed->device[i].chip->ops->destroy(embed->device[i].chip);
		embed_memory_destroy(embed->device[i].memory);
	}
	free(embed);
	host->state = NULL;
}

const struct wd_backend wd_backend_embed = {
	.name = "embed",
	.scan = embed_scan,
	.free_queues = embed_free_queues,
	.open = embed_open,
	.fini = embed_fini,
	.end_threads = embed_end_threads,
	.share = embed_share,
	.unshare = embed_unshare,
	.mem_alloc = embed_mem_alloc,
	.mem_free = embed_mem_free,
	.start = embed_start,
	.stop = embed_stop,
	.close = embed_close,
	.run = embed_run,
	.due_ns = embed_due_ns,
	.run_elsewhere = embed_run_elsewhere,
};

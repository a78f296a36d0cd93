/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The model of the dummy machine (hw/dummy_hw.h), written to be copied: the
 * chip and the life of its queues.  What a queue does while it lives is in
 * dummy_queue.c.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/barrier.h"
#include "chip/chip_trace.h"
#include "chip/dummy/dummy.h"
#include "uapi/wd_dummy.h"

#define QUEUES_DEFAULT 64u
#define QUEUES_MAX     1024u
#define SLOTS_DEFAULT  256u

static struct dummy_chip *to_dummy(struct chip *chip)
{
	return base_container_of(chip, struct dummy_chip, base);
}

static int dummy_chip_create(const struct chip_model *model, const struct chip_config *config,
			     struct chip **ret_chip)
{
	uint32_t nr_queues = config->nr_queues ? config->nr_queues : QUEUES_DEFAULT;
	uint32_t nr_slots = config->depth ? config->depth : SLOTS_DEFAULT;
	struct dummy_chip *dummy;
	int err;

	if (nr_queues > QUEUES_MAX)
		return -EINVAL;
	/* The owner may wish the same of all its chips. */
	nr_slots = base_min_u32(nr_slots, DUMMY_SLOTS_MAX);
	dummy = calloc(1, sizeof(*dummy) + nr_queues * sizeof(dummy->queue[0]));
	if (!dummy)
		return -ENOMEM;
	dummy->base.ops = model->ops;
	dummy->base.config = *config;
	dummy->dma = (struct dma_space){ .dma = &dummy->base.config.dma, .owner = config->owner };
	dummy->nr_queues = nr_queues;
	dummy->nr_slots = nr_slots;
	/* One queue alone is never refused; two busy ones are. */
	wd_store_relaxed(&dummy->nr_free_entries, nr_slots);
	err = chip_faults_init(&dummy->base);
	if (err)
		goto out_free;
	err = chip_trace_init(&dummy->base);
	if (err)
		goto out_faults;
	*ret_chip = &dummy->base;
	return 0;

out_faults:
	chip_faults_fini(&dummy->base);
out_free:
	free(dummy);
	return err;
}

static void dummy_chip_destroy(struct chip *chip)
{
	chip_trace_fini(chip);
	chip_faults_fini(chip);
	free(to_dummy(chip));
}

static int dummy_chip_free_queues(struct chip *chip)
{
	struct dummy_chip *dummy = to_dummy(chip);
	uint32_t i;
	int n = 0;

	wait_mutex_lock(&dummy->lock);
	for (i = 0; i < dummy->nr_queues; i++)
		n += !dummy->queue[i];
	wait_mutex_unlock(&dummy->lock);
	return n;
}

static void dummy_chip_counters(struct chip *chip, struct chip_counters *ret_counters)
{
	struct dummy_chip *dummy = to_dummy(chip);
	uint32_t i;

	wait_mutex_lock(&dummy->lock);
	*ret_counters = dummy->closed;
	for (i = 0; i < dummy->nr_queues; i++)
		if (dummy->queue[i])
			dummy_queue_add_counters(dummy->queue[i], ret_counters);
	wait_mutex_unlock(&dummy->lock);
}

static int dummy_queue_open(struct chip *chip, void *queue_owner, struct chip_queue **ret_queue)
{
	struct dummy_chip *dummy = to_dummy(chip);
	struct dummy_queue *q;
	size_t bytes;
	uint32_t i;
	int err = -EBUSY;

	if (chip_faults_refuse_opening(chip))
		return -EBUSY;
	bytes = base_align_up(sizeof(*q) + dummy->nr_slots * sizeof(q->desc[0]),
			      _Alignof(struct dummy_queue));
	q = aligned_alloc(_Alignof(struct dummy_queue), bytes);
	if (!q)
		return -ENOMEM;
	memset(q, 0, bytes);
	q->base.chip = chip;
	q->base.owner = queue_owner;
	q->dummy = dummy;
	q->nr_groups = (dummy->nr_slots + DUMMY_GROUP - 1) / DUMMY_GROUP;
	wait_mutex_lock(&dummy->lock);
	for (i = 0; i < dummy->nr_queues && err; i++) {
		if (dummy->queue[i])
			continue;
		q->number = i;
		dummy->queue[i] = q;
		err = 0;
	}
	wait_mutex_unlock(&dummy->lock);
	if (err) {
		free(q);
		return err;
	}
	*ret_queue = &q->base;
	return 0;
}

static void dummy_queue_close(struct chip_queue *queue)
{
	struct dummy_queue *q = dummy_to_queue(queue);
	struct dummy_chip *dummy = q->dummy;

	wait_mutex_lock(&dummy->lock);
	dummy->queue[q->number] = NULL;
	dummy_queue_add_counters(q, &dummy->closed);
	wait_mutex_unlock(&dummy->lock);
	free(q);
}

static void dummy_queue_layout(struct chip_queue *queue, struct chip_queue_layout *ret_layout)
{
	size_t slots_bytes = (size_t)dummy_to_queue(queue)->dummy->nr_slots * DUMMY_DESC_BYTES;

	ret_layout->mmio_bytes = DUMMY_MMIO_BYTES;
	ret_layout->dus_bytes = base_align_up(DUMMY_DUS_SLOTS + slots_bytes, DUMMY_PAGE_BYTES);
}

static int dummy_queue_bind(struct chip_queue *queue, uint64_t addr, size_t bytes)
{
	struct dummy_queue *q = dummy_to_queue(queue);
	struct chip_queue_layout layout;

	dummy_queue_layout(queue, &layout);
	if (!addr || addr % DUMMY_DESC_BYTES || addr + bytes < addr || bytes < layout.dus_bytes ||
	    wd_load_relaxed(&q->state) != DUMMY_QUEUE_OPEN)
		return -EINVAL;
	q->dus_addr = addr;
	return 0;
}

static int dummy_queue_control(struct chip_queue *queue, unsigned long cmd, void *param)
{
	struct wd_dummy_info *info = param;

	if (cmd != WD_DUMMY_CMD_GET_INFO)
		return -EINVAL;
	*info = (struct wd_dummy_info){ .nr_slots = dummy_to_queue(queue)->dummy->nr_slots };
	return 0;
}

static int dummy_queue_start(struct chip_queue *queue)
{
	struct dummy_queue *q = dummy_to_queue(queue);
	int err = -EINVAL;

	wait_mutex_lock(&q->dummy->lock);
	if (q->dus_addr && wd_load_relaxed(&q->state) == DUMMY_QUEUE_OPEN) {
		/* what bind set, for whoever runs the queue: pairs with is_started() in dummy_queue.c */
		wd_store_release(&q->state, DUMMY_QUEUE_STARTED);
		chip_trace_add(queue->chip, CHIP_EVENT_START, q->number, 0, 0);
		err = 0;
	}
	wait_mutex_unlock(&q->dummy->lock);
	return err;
}

static void reset_locked(struct dummy_chip *dummy)
{
	uint32_t i;

	chip_trace_add(&dummy->base, CHIP_EVENT_RESET, 0, 0, 0);
	for (i = 0; i < dummy->nr_queues; i++)
		if (dummy->queue[i])
			dummy_queue_reset(dummy->queue[i]);
	chip_faults_end_reset(&dummy->base);
}

static void dummy_chip_reset(struct chip *chip)
{
	struct dummy_chip *dummy = to_dummy(chip);

	wait_mutex_lock(&dummy->lock);
	reset_locked(dummy);
	wait_mutex_unlock(&dummy->lock);
}

void dummy_chip_reset_itself(struct dummy_chip *dummy, uint32_t nr_resets)
{
	wait_mutex_lock(&dummy->lock);
	if (chip_faults_is_reset_due(&dummy->base, nr_resets))
		reset_locked(dummy);
	wait_mutex_unlock(&dummy->lock);
}

static const struct chip_ops dummy_chip_ops = {
	.create = dummy_chip_create,
	.destroy = dummy_chip_destroy,
	.reset = dummy_chip_reset,
	.free_queues = dummy_chip_free_queues,
	.counters = dummy_chip_counters,
	.queue_open = dummy_queue_open,
	.queue_close = dummy_queue_close,
	.queue_layout = dummy_queue_layout,
	.queue_bind = dummy_queue_bind,
	.queue_control = dummy_queue_control,
	.queue_start = dummy_queue_start,
	.queue_stop = dummy_queue_stop,
	.queue_doorbell = dummy_queue_doorbell,
	.queue_run = dummy_queue_run,
	.queue_due_ns = dummy_queue_due_ns,
	.queue_has_work = dummy_queue_has_work,
};

const struct chip_model chip_dummy_model = {
	.name = "dummy",
	.api = "dummy_v3",
	.algs = "memop",
	.throughput = 10,
	.latency = 10,
	.ops = &dummy_chip_ops,
};

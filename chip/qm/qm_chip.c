/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * A HiSilicon function as its kernel driver and queue manager present it to
 * users: queues opened, asked about, started, reset and closed.  Running a
 * queue is qm_queue.c.  Facts: user ABI 1.4, 1.5, 2.1, 2.2, 2.4.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/barrier.h"
#include "chip/chip_trace.h"
#include "chip/qm/qm.h"
#include "uapi/hisi_qm.h"

#define ZIP_QUEUES_DEFAULT 64u
#define DEPTH_DEFAULT	   1024u

static struct qm_chip *to_qm(struct chip *chip)
{
	return base_container_of(chip, struct qm_chip, base);
}

static struct qm_queue *to_queue(struct chip_queue *queue)
{
	return base_container_of(queue, struct qm_queue, base);
}

static int qm_chip_create(const struct engine_ops *engine_ops, const struct chip_model *model,
			  const struct chip_config *config, struct chip **ret_chip)
{
	uint32_t nr_queues = config->nr_queues ? config->nr_queues : ZIP_QUEUES_DEFAULT;
	uint32_t depth = config->depth ? config->depth : DEPTH_DEFAULT;
	struct qm_chip *qm;
	int err;

	if (nr_queues > HISI_QM_MAX_QUEUES || depth < HISI_QM_DEPTH_MIN ||
	    depth > HISI_QM_DEPTH_MAX)
		return -EINVAL;
	qm = calloc(1, sizeof(*qm) + nr_queues * sizeof(qm->queue[0]));
	if (!qm)
		return -ENOMEM;
	qm->base.ops = model->ops;
	qm->base.config = *config;
	qm->dma = (struct dma_space){ .dma = &qm->base.config.dma, .owner = config->owner };
	qm->engine_ops = engine_ops;
	qm->nr_queues = nr_queues;
	qm->depth = depth;
	err = chip_faults_init(&qm->base);
	if (err)
		goto out_free;
	err = chip_trace_init(&qm->base);
	if (err)
		goto out_faults;
	err = engine_ops->create(config->flags, &qm->engine);
	if (err)
		goto out_trace;
	*ret_chip = &qm->base;
	return 0;

out_trace:
	chip_trace_fini(&qm->base);
out_faults:
	chip_faults_fini(&qm->base);
out_free:
	free(qm);
	return err;
}

static void qm_chip_destroy(struct chip *chip)
{
	struct qm_chip *qm = to_qm(chip);

	qm->engine_ops->destroy(qm->engine);
	chip_trace_fini(chip);
	chip_faults_fini(chip);
	free(qm);
}

/* Facts 2.4: sending disabled everywhere, queues drained, then receiving disabled. */
static void reset_locked(struct qm_chip *qm)
{
	struct chip *chip = &qm->base;
	uint32_t i;

	chip_trace_add(chip, CHIP_EVENT_RESET, 0, 0, 0);
	for (i = 0; i < qm->nr_queues; i++)
		if (qm->queue[i] && qm->queue[i]->state == QM_QUEUE_STARTED)
			qm_queue_disable(qm->queue[i], HISI_QM_DS_TX_FROM_END);
	for (i = 0; i < qm->nr_queues; i++) {
		struct qm_queue *q = qm->queue[i];

		if (!q || q->state != QM_QUEUE_STARTED)
			continue;
		qm_queue_stop(q);
		qm_queue_disable(q, HISI_QM_DS_RX_FROM_END);
		q->state = QM_QUEUE_STOPPED;
		/* Who sleeps must learn of it. */
		if (chip->config.raise)
			chip->config.raise(chip->config.owner, q->base.owner);
	}
	chip_faults_end_reset(chip);
}

static void qm_chip_reset(struct chip *chip)
{
	struct qm_chip *qm = to_qm(chip);

	wait_mutex_lock(&qm->lock);
	reset_locked(qm);
	wait_mutex_unlock(&qm->lock);
}

void qm_chip_reset_itself(struct qm_chip *qm, uint32_t nr_resets)
{
	wait_mutex_lock(&qm->lock);
	if (chip_faults_is_reset_due(&qm->base, nr_resets))
		reset_locked(qm);
	wait_mutex_unlock(&qm->lock);
}

static int qm_chip_free_queues(struct chip *chip)
{
	struct qm_chip *qm = to_qm(chip);
	uint32_t i;
	int n = 0;

	wait_mutex_lock(&qm->lock);
	for (i = 0; i < qm->nr_queues; i++)
		n += !qm->queue[i];
	wait_mutex_unlock(&qm->lock);
	return n;
}

static void qm_chip_counters(struct chip *chip, struct chip_counters *ret_counters)
{
	struct qm_chip *qm = to_qm(chip);
	uint32_t i;

	wait_mutex_lock(&qm->lock);
	*ret_counters = qm->closed;
	for (i = 0; i < qm->nr_queues; i++)
		if (qm->queue[i])
			qm_queue_add_counters(qm->queue[i], ret_counters);
	wait_mutex_unlock(&qm->lock);
}

static int qm_chip_queue_open(struct chip *chip, void *queue_owner, struct chip_queue **ret_queue)
{
	struct qm_chip *qm = to_qm(chip);
	struct qm_queue *q;
	uint32_t i;
	int err = -EBUSY;

	if (chip_faults_refuse_opening(chip))
		return -EBUSY;
	q = aligned_alloc(_Alignof(struct qm_queue), sizeof(*q));
	if (!q)
		return -ENOMEM;
	memset(q, 0, sizeof(*q));
	q->base.chip = chip;
	q->base.owner = queue_owner;
	q->qm = qm;
	q->conf.sq_depth = qm->depth;
	q->conf.cq_depth = qm->depth;
	wd_store_relaxed(&q->is_halted, 1);
	wait_mutex_lock(&qm->lock);
	for (i = 0; i < qm->nr_queues && err; i++) {
		if (qm->queue[i])
			continue;
		q->number = i;
		qm->queue[i] = q;
		err = 0;
	}
	wait_mutex_unlock(&qm->lock);
	if (err) {
		free(q);
		return err;
	}
	*ret_queue = &q->base;
	return 0;
}

static void qm_chip_queue_close(struct chip_queue *queue)
{
	struct qm_queue *q = to_queue(queue);
	struct qm_chip *qm = q->qm;

	wait_mutex_lock(&qm->lock);
	qm->queue[q->number] = NULL;
	qm_queue_add_counters(q, &qm->closed);
	wait_mutex_unlock(&qm->lock);
	if (q->engine_queue)
		qm->engine_ops->queue_destroy(q->engine_queue);
	free(q);
}

static size_t ring_bytes(const struct qm_queue *q)
{
	return (size_t)q->qm->engine_ops->sqe_bytes * q->conf.sq_depth +
	       (size_t)HISI_QM_CQE_BYTES * q->conf.cq_depth;
}

static void qm_chip_queue_layout(struct chip_queue *queue, struct chip_queue_layout *ret_layout)
{
	ret_layout->mmio_bytes = HISI_QM_MMIO_BYTES;
	ret_layout->dus_bytes =
		base_align_up(ring_bytes(to_queue(queue)), QM_PAGE_BYTES) + QM_PAGE_BYTES;
}

static int qm_chip_queue_bind(struct chip_queue *queue, uint64_t addr, size_t bytes)
{
	struct qm_queue *q = to_queue(queue);
	struct chip_queue_layout layout;

	qm_chip_queue_layout(queue, &layout);
	if (bytes < layout.dus_bytes || addr % QM_PAGE_BYTES || addr + bytes < addr ||
	    q->state != QM_QUEUE_INIT)
		return -EINVAL;
	q->conf.sq_addr = addr;
	q->conf.cq_addr = addr + (uint64_t)q->qm->engine_ops->sqe_bytes * q->conf.sq_depth;
	/* The user finds the status words from the end of what it mapped. */
	q->conf.status_addr = addr + bytes - HISI_QM_DS_RX_FROM_END;
	return 0;
}

static int qm_chip_queue_control(struct chip_queue *queue, unsigned long cmd, void *param)
{
	struct qm_queue *q = to_queue(queue);
	struct hisi_qp_info *info = param;
	struct hisi_qp_ctx *ctx = param;

	switch (cmd) {
	case UACCE_CMD_QM_SET_QP_CTX:
		if (ctx->qc_type >= q->qm->engine_ops->nr_qc_types || q->state != QM_QUEUE_INIT)
			return -EINVAL;
		q->conf.qc_type = ctx->qc_type;
		ctx->id = (uint16_t)q->number;
		return 0;
	case UACCE_CMD_QM_SET_QP_INFO:
		*info = (struct hisi_qp_info){
			.sqe_size = q->qm->engine_ops->sqe_bytes,
			.sq_depth = (uint16_t)q->conf.sq_depth,
			.cq_depth = (uint16_t)q->conf.cq_depth,
		};
		return 0;
	default:
		return -EINVAL;
	}
}

static int qm_chip_queue_start(struct chip_queue *queue)
{
	struct qm_queue *q = to_queue(queue);
	struct qm_queue_conf conf = q->conf;
	int err = -EINVAL;

	wait_mutex_lock(&q->qm->lock);
	if (conf.sq_addr)
		err = qm_queue_start_locked(q, &conf);
	wait_mutex_unlock(&q->qm->lock);
	return err;
}

static void qm_chip_queue_stop(struct chip_queue *queue)
{
	struct qm_queue *q = to_queue(queue);

	qm_queue_stop(q);
	wait_mutex_lock(&q->qm->lock);
	q->state = QM_QUEUE_STOPPED;
	wait_mutex_unlock(&q->qm->lock);
}

static int zip_chip_create(const struct chip_model *model, const struct chip_config *config,
			   struct chip **ret_chip)
{
	return qm_chip_create(&engine_zip_ops, model, config, ret_chip);
}

static const struct chip_ops zip_chip_ops = {
	.create = zip_chip_create,
	.destroy = qm_chip_destroy,
	.reset = qm_chip_reset,
	.free_queues = qm_chip_free_queues,
	.counters = qm_chip_counters,
	.queue_open = qm_chip_queue_open,
	.queue_close = qm_chip_queue_close,
	.queue_layout = qm_chip_queue_layout,
	.queue_bind = qm_chip_queue_bind,
	.queue_control = qm_chip_queue_control,
	.queue_start = qm_chip_queue_start,
	.queue_stop = qm_chip_queue_stop,
	.queue_doorbell = qm_queue_doorbell,
	.queue_run = qm_queue_run,
	.queue_has_work = qm_queue_has_work,
	.queue_due_ns = qm_queue_due_ns,
};

const struct chip_model chip_hisi_zip_model = {
	.name = "hisi_zip",
	.api = "hisi_qm_v3",
	.algs = "zlib\ngzip\ndeflate",
	.throughput = 10,
	.latency = 10,
	.has_levels = true,
	.ops = &zip_chip_ops,
};

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * One queue pair: doorbell to fetch to completion to event.  Doorbells come
 * from the queue's owner at any time; one thread at a time, whoever takes
 * is_running, fetches, serves and completes in order.  Facts: user ABI 2.3 to
 * 2.7.
 */
#include <errno.h>
#include <string.h>

#include "base/barrier.h"
#include "base/bytes.h"
#include "base/ring.h"
#include "chip/chip_trace.h"
#include "chip/qm/qm.h"

/*
 * Counters of one writer: no locked instruction, and readers see whole values.
 * Doorbells that race with each other may be counted as one.
 */
static void count(_Atomic uint64_t *counter, uint64_t n)
{
	wd_store_relaxed(counter, wd_load_relaxed(counter) + n);
}

static void raise_event(struct qm_queue *q)
{
	struct chip *chip = q->base.chip;

	/* The runner and an arming doorbell may both find the event due: one reports it. */
	if (!atomic_exchange_explicit(&q->is_armed, 0, memory_order_acq_rel))
		return;
	atomic_fetch_add_explicit(&q->nr_events, 1, memory_order_relaxed);
	chip_trace_add(chip, CHIP_EVENT_RAISE, q->number, 0, 0);
	if (chip->config.raise)
		chip->config.raise(chip->config.owner, q->base.owner);
}

int qm_queue_start_locked(struct qm_queue *q, const struct qm_queue_conf *conf)
{
	const struct engine_ops *engine_ops = q->qm->engine_ops;
	int err;

	if (q->state != QM_QUEUE_INIT)
		return -EINVAL;
	if (conf->sq_depth < HISI_QM_DEPTH_MIN || conf->sq_depth > HISI_QM_DEPTH_MAX ||
	    conf->cq_depth < HISI_QM_DEPTH_MIN || conf->cq_depth > HISI_QM_DEPTH_MAX ||
	    conf->qc_type >= engine_ops->nr_qc_types || conf->sq_addr % engine_ops->sqe_bytes ||
	    conf->cq_addr % HISI_QM_CQE_BYTES || conf->status_addr % sizeof(uint32_t))
		return -EINVAL;
	err = engine_ops->queue_create(q->qm->engine, conf->qc_type, &q->engine_queue);
	if (err)
		return err;
	q->conf = *conf;
	q->cq_phase = 1;
	/* The first completion after start raises an event with no doorbell. */
	wd_store_relaxed(&q->is_armed, 1);
	q->state = QM_QUEUE_STARTED;
	/* conf and engine_queue before is_halted: pairs with the doorbell's acquire */
	wd_store_release(&q->is_halted, 0);
	chip_trace_add(q->base.chip, CHIP_EVENT_START, q->number, 0, 0);
	return 0;
}

void qm_queue_disable(struct qm_queue *q, uint32_t from_end)
{
	if (q->conf.status_addr)
		dma_store_release_le32(&q->qm->dma,
				       q->conf.status_addr + HISI_QM_DS_RX_FROM_END - from_end,
				       HISI_QM_DS_DISABLED);
}

/* Returns when no request is being worked on; a runner leaves after the one it is at. */
void qm_queue_stop(struct qm_queue *q)
{
	wd_store_relaxed(&q->is_halted, 1);
	/* is_halted, then is_running: pairs with the order in qm_queue_run() */
	wd_full_mb();
	while (wd_load_acquire(&q->is_running))
		wait_yield();
	chip_trace_add(q->base.chip, CHIP_EVENT_STOP, q->number, 0, 0);
}

void qm_queue_doorbell(struct chip_queue *base, uint32_t offset, uint64_t value)
{
	struct qm_queue *q = base_container_of(base, struct qm_queue, base);
	uint32_t number = (uint32_t)(value & HISI_QM_DB_QN_MASK);
	uint32_t cmd = (uint32_t)(value >> HISI_QM_DB_CMD_SHIFT & HISI_QM_DB_CMD_MASK);
	uint32_t idx = (uint32_t)(value >> HISI_QM_DB_IDX_SHIFT & HISI_QM_DB_IDX_MASK);

	if (offset != HISI_QM_DB_OFFSET || number != q->number || wd_load_acquire(&q->is_halted))
		goto out_bad;
	if (cmd == HISI_QM_DB_CMD_SQ && idx < q->conf.sq_depth) {
		/* SQEs before the tail: pairs with the acquire in qm_queue_run() */
		wd_store_release(&q->sq_tail, idx);
	} else if (cmd == HISI_QM_DB_CMD_CQ && idx < q->conf.cq_depth) {
		/* CQEs were read before their slots are given back: pairs with has_cq_room() */
		wd_store_release(&q->cq_head, idx);
		if (value & HISI_QM_DB_C_FLAG) {
			wd_store_relaxed(&q->is_armed, 1);
			/* is_armed, then cq_tail: pairs with the end of qm_queue_run() */
			wd_full_mb();
			if (wd_load_relaxed(&q->cq_tail) != idx)
				raise_event(q);
		}
	} else {
		goto out_bad;
	}
	count(&q->nr_doorbells, 1);
	chip_trace_add(base->chip, CHIP_EVENT_DOORBELL, q->number, value, 0);
	return;

out_bad:
	count(&q->nr_bad_doorbells, 1);
}

static bool has_cq_room(const struct qm_queue *q)
{
	uint32_t next = ring_next(wd_load_relaxed(&q->cq_tail), q->conf.cq_depth);

	/* pairs with the release in qm_queue_doorbell() */
	return next != wd_load_acquire(&q->cq_head);
}

/* The same for the runner, who looks at cq_head again only when the CQ seems full. */
static bool find_cq_room(struct qm_queue *q)
{
	bool is_full = false;

	if (ring_next(wd_load_relaxed(&q->cq_tail), q->conf.cq_depth) == q->cq_head_seen) {
		/* pairs with the release in qm_queue_doorbell() */
		q->cq_head_seen = wd_load_acquire(&q->cq_head);
		is_full = !has_cq_room(q);
	}
	if (base_unlikely(is_full != wd_load_relaxed(&q->is_cq_full)))
		wd_store_relaxed(&q->is_cq_full, is_full);
	return !is_full;
}

static uint64_t sqe_addr(const struct qm_queue *q, uint32_t slot)
{
	return q->conf.sq_addr + (uint64_t)slot * q->qm->engine_ops->sqe_bytes;
}

/*
 * Writes the finished SQE back.  A cache line that the engine left as it was is
 * there already, and stays in the other side's cache.
 */
static CHIP_INTO_HOT_PATH int write_back(struct qm_queue *q, uint64_t addr, const uint8_t *sqe,
					 const uint8_t *fetched)
{
	uint32_t at, bytes = q->qm->engine_ops->sqe_bytes;

	for (at = 0; at < bytes; at += BASE_CACHE_LINE)
		if (memcmp(sqe + at, fetched + at, BASE_CACHE_LINE) &&
		    dma_write(&q->qm->dma, addr + at, sqe + at, BASE_CACHE_LINE))
			return -EFAULT;
	return 0;
}

/* Whether there is a request that nothing but the gate can hold back. */
static CHIP_INTO_HOT_PATH bool has_request(struct qm_queue *q)
{
	return wd_load_acquire(&q->sq_tail) != wd_load_relaxed(&q->sq_head) &&
	       !wd_load_relaxed(&q->is_halted) &&
	       (base_likely(!wd_load_relaxed(&q->is_cq_full)) || has_cq_room(q));
}

bool qm_queue_has_work(struct chip_queue *base)
{
	struct qm_queue *q = base_container_of(base, struct qm_queue, base);

	return has_request(q) && !chip_gate_is_shut(base->chip, &q->gate);
}

uint64_t qm_queue_due_ns(struct chip_queue *base)
{
	struct qm_queue *q = base_container_of(base, struct qm_queue, base);

	return has_request(q) ? chip_gate_due_ns(base->chip, &q->gate) : 0;
}

/*
 * Writes the CQE, its last word with the phase last.  A CQ that cannot be
 * reached is lost: the user finds out by its time-out, as with silicon.
 */
static CHIP_INTO_HOT_PATH void write_cqe(struct qm_queue *q, uint32_t slot)
{
	uint32_t cq_tail = wd_load_relaxed(&q->cq_tail);
	uint64_t addr = q->conf.cq_addr + (uint64_t)cq_tail * HISI_QM_CQE_BYTES;
	uint8_t cqe[HISI_QM_CQE_DW3_OFFSET] = { 0 };

	bytes_put_le16(cqe + offsetof(struct hisi_qm_cqe, sq_head), (uint16_t)slot);
	bytes_put_le16(cqe + offsetof(struct hisi_qm_cqe, sq_num), (uint16_t)q->number);
	if (!dma_write(&q->qm->dma, addr, cqe, sizeof(cqe)))
		dma_store_release_le32(&q->qm->dma, addr + HISI_QM_CQE_DW3_OFFSET,
				       q->cq_phase << HISI_QM_CQE_DW3_PHASE_SHIFT);
	q->cq_phase = ring_next_phase(q->cq_phase, cq_tail, q->conf.cq_depth);
	/* the CQE before the tail: pairs with has_cq_room() and the arming doorbell */
	wd_store_release(&q->cq_tail, ring_next(cq_tail, q->conf.cq_depth));
}

/* Facts 2.4: the whole queue fails, and its user finds both status words set. */
static BASE_COLD void fail_queue(struct qm_queue *q)
{
	wd_store_relaxed(&q->is_halted, 1);
	qm_queue_disable(q, HISI_QM_DS_TX_FROM_END);
	qm_queue_disable(q, HISI_QM_DS_RX_FROM_END);
	count(&q->nr_errors, 1);
	wd_store_relaxed(&q->is_armed, 1);
	raise_event(q);
}

/* Writes @sqe back and completes it for @cqe_slot.  Returns false when the SQ is gone. */
static CHIP_INTO_HOT_PATH bool complete(struct qm_queue *q, uint32_t slot, uint32_t cqe_slot,
					const uint8_t *sqe, const uint8_t *fetched,
					const struct engine_result *result)
{
	if (base_unlikely(write_back(q, sqe_addr(q, slot), sqe, fetched)))
		return false;
	write_cqe(q, cqe_slot);
	count(&q->nr_completions, 1);
	count(&q->nr_bytes_in, result->bytes_in);
	count(&q->nr_bytes_out, result->bytes_out);
	if (base_unlikely(result->is_error))
		count(&q->nr_errors, 1);
	if (base_unlikely(result->is_lost_stream))
		count(&q->nr_lost_streams, 1);
	chip_trace_add(q->base.chip, CHIP_EVENT_COMPLETE, q->number, cqe_slot, result->status);
	return true;
}

static CHIP_INTO_HOT_PATH void count_fetch(struct qm_queue *q, uint32_t slot)
{
	count(&q->nr_requests, 1);
	chip_trace_add(q->base.chip, CHIP_EVENT_FETCH, q->number, slot, 0);
}

/* Copies the SQE in @slot; false when the SQ is gone. */
static CHIP_INTO_HOT_PATH bool fetch(struct qm_queue *q, uint32_t slot, uint8_t *ret_sqe)
{
	return !dma_read(&q->qm->dma, sqe_addr(q, slot), ret_sqe, q->qm->engine_ops->sqe_bytes);
}

/* Fetches, serves and completes the SQE in @slot.  Returns false when its memory is gone. */
static bool serve_one(struct qm_queue *q, uint32_t slot)
{
	_Alignas(BASE_CACHE_LINE) uint8_t fetched[QM_SQE_BYTES_MAX], sqe[QM_SQE_BYTES_MAX];
	struct engine_result result = { 0 };

	if (base_unlikely(!fetch(q, slot, fetched)))
		return false;
	memcpy(sqe, fetched, sizeof(sqe));
	count_fetch(q, slot);
	q->qm->engine_ops->serve(q->engine_queue, &q->qm->dma, sqe, &result);
	return complete(q, slot, slot, sqe, fetched, &result);
}

/* ---- with faults, delays or a limit of time */

/* The slot that a corrupt completion names: another one, or one that there is not. */
static uint32_t wrong_slot(const struct qm_queue *q, uint32_t slot, uint64_t nth)
{
	return nth % 2 ? UINT16_MAX : ring_next(slot, q->conf.sq_depth);
}

/* The same as serve_one() as a device does it that is not well. */
static BASE_COLD bool serve_badly(struct qm_queue *q, uint32_t slot, const uint8_t *fetched,
				  const struct chip_verdict *verdict)
{
	const struct engine_ops *engine_ops = q->qm->engine_ops;
	_Alignas(BASE_CACHE_LINE) uint8_t sqe[QM_SQE_BYTES_MAX];
	struct engine_result result = { 0 };
	uint32_t cqe_slot = slot;

	memcpy(sqe, fetched, sizeof(sqe));
	count_fetch(q, slot);
	if (verdict->kinds & CHIP_STRUCK(CHIP_FAULT_ERROR))
		engine_ops->fail(sqe, &result);
	else
		engine_ops->serve(q->engine_queue, &q->qm->dma, sqe, &result);
	if (verdict->kinds & CHIP_STRUCK(CHIP_FAULT_CORRUPT_OUTPUT) && !result.is_error)
		engine_ops->spoil(q->engine_queue, &q->qm->dma, fetched, result.bytes_out);
	if (verdict->kinds & CHIP_STRUCK(CHIP_FAULT_CORRUPT_RESULT))
		engine_ops->exceed(sqe, verdict->nth);
	if (verdict->kinds & CHIP_STRUCK(CHIP_FAULT_DROP))
		return true;
	if (verdict->kinds & CHIP_STRUCK(CHIP_FAULT_CORRUPT_COMPLETION))
		cqe_slot = wrong_slot(q, slot, verdict->nth);
	if (!complete(q, slot, cqe_slot, sqe, fetched, &result))
		return false;
	/* A second CQE for which there is no room is lost. */
	if (verdict->kinds & CHIP_STRUCK(CHIP_FAULT_DUPLICATE) && has_cq_room(q)) {
		write_cqe(q, cqe_slot);
		count(&q->nr_completions, 1);
	}
	return true;
}

/* This request stays unfinished, and no other is begun: the rest comes when the run has ended. */
static void begin_reset(struct qm_queue *q, uint32_t slot, struct chip_run *run,
			const struct chip_verdict *verdict)
{
	count_fetch(q, slot);
	wd_store_relaxed(&q->is_halted, 1);
	run->end = CHIP_RUN_RESET;
	run->nr_resets = verdict->nr_resets;
}

enum qm_step {
	QM_STEP_SERVE,
	QM_STEP_SERVED,
	QM_STEP_LEAVE, /* not begun, and the run is over */
	QM_STEP_FAIL,  /* the SQ is gone */
};

/*
 * What to do about the SQE in @slot; one that goes wrong is served here.  Others
 * are fetched anew, be it at once or when their time has come.
 */
static BASE_COLD enum qm_step look_closer(struct qm_queue *q, uint32_t slot, struct chip_run *run)
{
	_Alignas(BASE_CACHE_LINE) uint8_t fetched[QM_SQE_BYTES_MAX];
	struct engine_forecast forecast;
	struct chip_verdict verdict;

	if (!fetch(q, slot, fetched))
		return QM_STEP_FAIL;
	q->qm->engine_ops->forecast(q->engine_queue, fetched, &forecast);
	if (!chip_gate_may_pass(q->base.chip, &q->gate, q->number, slot, forecast.bytes_in) ||
	    !chip_run_take_time(run, forecast.ns))
		return QM_STEP_LEAVE;
	verdict = chip_gate_pass(&q->gate);
	if (!verdict.kinds)
		return QM_STEP_SERVE;
	if (verdict.kinds & CHIP_STRUCK(CHIP_FAULT_RESET)) {
		begin_reset(q, slot, run, &verdict);
		return QM_STEP_LEAVE;
	}
	return serve_badly(q, slot, fetched, &verdict) ? QM_STEP_SERVED : QM_STEP_FAIL;
}

/* ---- running */

/* Does the request in @slot.  Returns false when that ends the run. */
static inline bool work_on(struct qm_queue *q, uint32_t slot, struct chip_run *run)
{
	enum qm_step step = QM_STEP_SERVE;

	if (base_unlikely(chip_run_is_watched(run, q->base.chip)))
		step = look_closer(q, slot, run);
	if (base_likely(step == QM_STEP_SERVE))
		step = base_likely(serve_one(q, slot)) ? QM_STEP_SERVED : QM_STEP_FAIL;
	if (base_unlikely(step == QM_STEP_FAIL))
		fail_queue(q);
	return step == QM_STEP_SERVED;
}

/* Works through what is published, as the one runner. */
static unsigned int run_published(struct qm_queue *q, unsigned int budget,
				  const struct chip_pace *pace, struct chip_run *run)
{
	uint32_t head = wd_load_relaxed(&q->sq_head);
	uint32_t tail = head;
	unsigned int nr = 0;

	while (nr < budget && find_cq_room(q) && !wd_load_relaxed(&q->is_halted) &&
	       !chip_pace_is_interrupted(pace)) {
		/* Looked at again only when used up; pairs with the release in the doorbell. */
		if (head == tail)
			tail = wd_load_acquire(&q->sq_tail);
		if (head == tail)
			break;
		if (base_unlikely(!work_on(q, head, run)))
			break;
		head = ring_next(head, q->conf.sq_depth);
		wd_store_relaxed(&q->sq_head, head);
		nr++;
		/* May miss an arming doorbell of this moment: the end of the run does not. */
		if (wd_load_relaxed(&q->is_armed))
			raise_event(q);
	}
	return nr;
}

static bool try_take(struct qm_queue *q)
{
	return !wd_load_relaxed(&q->is_running) &&
	       !atomic_exchange_explicit(&q->is_running, 1, memory_order_acq_rel);
}

/* Becomes the queue's runner; where there is one, it will see what the caller published. */
static bool take(struct qm_queue *q)
{
	if (base_likely(try_take(q)))
		return true;
	/* the caller's sq_tail, then is_running: pairs with the end of qm_queue_run() */
	wd_full_mb();
	return try_take(q);
}

int qm_queue_run(struct chip_queue *base, unsigned int budget, const struct chip_pace *pace)
{
	struct qm_queue *q = base_container_of(base, struct qm_queue, base);
	struct chip_run run = chip_run_begin(pace);
	unsigned int nr = 0;

	do {
		if (!take(q))
			return chip_run_result(&run, nr, -EBUSY);
		/* is_running, then is_halted: pairs with qm_queue_stop() */
		wd_full_mb_after_exchange();
		nr += run_published(q, budget - nr, pace, &run);
		wd_store_release(&q->is_running, 0);
		/*
		 * is_running and cq_tail, then sq_tail and is_armed.  A doorbell that
		 * came meanwhile, whose sender was turned away by is_running, is found
		 * here; so is an arming doorbell that did not see the last CQE.
		 */
		wd_full_mb();
		if (wd_load_relaxed(&q->is_armed) &&
		    wd_load_relaxed(&q->cq_tail) != wd_load_relaxed(&q->cq_head))
			raise_event(q);
		if (base_unlikely(run.end)) {
			if (run.end == CHIP_RUN_RESET)
				qm_chip_reset_itself(q->qm, run.nr_resets);
			break;
		}
	} while (nr < budget && !chip_pace_is_interrupted(pace) && qm_queue_has_work(base));
	return chip_run_result(&run, nr, 0);
}

void qm_queue_add_counters(const struct qm_queue *q, struct chip_counters *sum)
{
	sum->doorbells += wd_load_relaxed(&q->nr_doorbells);
	sum->bad_doorbells += wd_load_relaxed(&q->nr_bad_doorbells);
	sum->requests += wd_load_relaxed(&q->nr_requests);
	sum->completions += wd_load_relaxed(&q->nr_completions);
	sum->errors += wd_load_relaxed(&q->nr_errors);
	sum->events += wd_load_relaxed(&q->nr_events);
	sum->lost_streams += wd_load_relaxed(&q->nr_lost_streams);
	sum->bytes_in += wd_load_relaxed(&q->nr_bytes_in);
	sum->bytes_out += wd_load_relaxed(&q->nr_bytes_out);
}

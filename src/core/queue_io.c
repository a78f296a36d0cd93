/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* Send, receive, wait: the hot entry points and nothing else. */
#include <errno.h>

#include "base/barrier.h"
#include "base/compiler.h"
#include "core/queue.h"

#define SPIN_NS		20000u /* about what it costs to put a core to sleep and wake it */
#define SPINS_PER_CLOCK 32u

/* ---------------------------------------------------------------- dead queues */

static int dead_send(void *queue, struct wd_req *const *reqs, unsigned int nr)
{
	(void)queue;
	(void)reqs;
	(void)nr;
	return -ENODEV;
}

static int dead_flush(void *queue)
{
	(void)queue;
	return -ENODEV;
}

static int dead_recv(void *queue, struct wd_req **ret_reqs, unsigned int nr)
{
	(void)queue;
	(void)ret_reqs;
	(void)nr;
	return -ENODEV;
}

static void dead_arm(void *queue)
{
	(void)queue;
}

/* Takes the driver's place once the device is gone, so that living queues need not ask. */
const struct wd_driver core_dead_driver = {
	.send = dead_send,
	.flush = dead_flush,
	.recv = dead_recv,
	.arm = dead_arm,
};

/* ---------------------------------------------------------------- send */

/* The descriptor says whether there is room. */
static BASE_COLD void note_full(struct core_queue *cq)
{
	cq->is_full = true;
	wait_event_fd_set_writable(&cq->bq->own_event, false);
}

static BASE_COLD void note_room(struct core_queue *cq)
{
	cq->is_full = false;
	wait_event_fd_set_writable(&cq->bq->own_event, true);
}

static BASE_COLD int send_failed(struct core_queue *cq, int err)
{
	if (err == -ENODEV)
		cq->is_unfit = true;
	else if (err == -EAGAIN && cq->has_fd && cq->nr_in_flight)
		note_full(cq);
	return err;
}

static inline int send_some(struct core_queue *cq, struct wd_req *const *reqs, unsigned int nr)
{
	int n = cq->io->send(cq->drv_queue, reqs, nr);

	if (base_unlikely(n <= 0))
		return send_failed(cq, n);
	cq->nr_in_flight += (unsigned int)n;
	counter_bump(cq->counters, COUNTER_SENT, (unsigned int)n);
	return n;
}

static BASE_COLD int send_shared(struct core_queue *cq, struct wd_req *const *reqs, unsigned int nr)
{
	int n;

	wait_mutex_lock(&cq->lock);
	n = send_some(cq, reqs, nr);
	wait_mutex_unlock(&cq->lock);
	return n;
}

int wd_send_burst(struct wd_queue *q, struct wd_req *const *reqs, unsigned int nr)
{
	int err = -EINVAL;
	struct core_queue *cq = core_queue_of(q, &err);

	if (base_unlikely(!cq || !reqs || !nr))
		return !cq ? err : nr ? -EINVAL : 0;
	if (base_unlikely(cq->is_shared))
		return send_shared(cq, reqs, nr);
	return send_some(cq, reqs, nr);
}

int wd_send(struct wd_queue *q, struct wd_req *req)
{
	int err = -EINVAL;
	struct core_queue *cq = core_queue_of(q, &err);
	int n;

	if (base_unlikely(!cq || !req))
		return cq ? -EINVAL : err;
	if (base_unlikely(cq->is_shared))
		n = send_shared(cq, &req, 1);
	else
		n = send_some(cq, &req, 1);
	return n < 0 ? n : 0;
}

int wd_flush(struct wd_queue *q)
{
	int err = -EINVAL;
	struct core_queue *cq = core_queue_of(q, &err);

	if (!cq)
		return err;
	core_queue_lock(cq);
	err = cq->io->flush(cq->drv_queue);
	if (err == -ENODEV)
		cq->is_unfit = true;
	core_queue_unlock(cq);
	return err;
}

/* ---------------------------------------------------------------- receive */

/* What is rare about requests handed out: errors, copies, room in a queue that was full. */
static BASE_COLD void note_rare(struct core_queue *cq, struct wd_req **reqs, int n,
				enum counter which)
{
	uint64_t nr_errors = 0, bounced = 0;
	int i;

	for (i = 0; i < n; i++) {
		nr_errors += reqs[i]->status > WD_STATUS_OUTPUT_FULL;
		bounced += reqs[i]->bounced_bytes;
	}
	if (which == COUNTER_RECEIVED)
		counter_bump(cq->counters, COUNTER_ERRORS, nr_errors);
	counter_bump(cq->counters, COUNTER_BOUNCED_BYTES, bounced);
	if (cq->is_full)
		note_room(cq);
}

/* What every request handed out goes through. */
static inline int hand_out(struct core_queue *cq, struct wd_req **reqs, int n, enum counter which)
{
	const uint32_t device_id = cq->device_id;
	uint64_t rare = cq->is_full;
	int i = 0;

	do {
		rare |= reqs[i]->bounced_bytes | (reqs[i]->status > WD_STATUS_OUTPUT_FULL);
		reqs[i]->device_id = device_id;
	} while (base_unlikely(++i < n));
	if (base_unlikely(rare))
		note_rare(cq, reqs, n, which);
	counter_bump(cq->counters, which, (unsigned int)n);
	cq->nr_in_flight -= (unsigned int)n;
	return n;
}

/*
 * The device is gone or not to be believed.  It is stopped first, so that what
 * is handed out is nobody else's any more: what it had finished, then the rest,
 * each request once, then -ENODEV.
 */
static BASE_COLD int take_from_dead(struct core_queue *cq, struct wd_req **ret_reqs,
				    unsigned int nr)
{
	int n;

	if (!core_queue_is_dead(cq))
		core_queue_kill(cq, true);
	n = cq->driver->recv(cq->drv_queue, ret_reqs, nr);
	if (n > 0)
		return hand_out(cq, ret_reqs, n, COUNTER_RECEIVED);
	n = cq->driver->abandon(cq->drv_queue, ret_reqs, nr);
	return n > 0 ? hand_out(cq, ret_reqs, n, COUNTER_ABANDONED) : -ENODEV;
}

/* Takes what is finished. */
static inline int take(struct core_queue *cq, struct wd_req **ret_reqs, unsigned int nr)
{
	int n = cq->io->recv(cq->drv_queue, ret_reqs, nr);

	if (base_likely(n > 0))
		return hand_out(cq, ret_reqs, n, COUNTER_RECEIVED);
	return base_likely(!n) ? 0 : take_from_dead(cq, ret_reqs, nr);
}

/*
 * Nothing is there: the descriptor is not readable from here on, until the device
 * reports.  What finished meanwhile is found by looking once more.
 */
static BASE_COLD int take_before_idle(struct core_queue *cq, struct wd_req **ret_reqs,
				      unsigned int nr)
{
	wait_event_fd_clear(&cq->bq->own_event);
	cq->io->arm(cq->drv_queue);
	return take(cq, ret_reqs, nr);
}

static inline int take_or_idle(struct core_queue *cq, struct wd_req **ret_reqs, unsigned int nr)
{
	int n = take(cq, ret_reqs, nr);

	if (base_unlikely(cq->has_fd && !n))
		return take_before_idle(cq, ret_reqs, nr);
	return n;
}

/* For a queue that several threads use: none keeps its lock while it works. */
static BASE_COLD int take_or_run_shared(struct core_queue *cq, struct wd_req **ret_reqs,
					unsigned int nr, enum lane_take how)
{
	int (*run)(struct wd_backend_queue * bq, unsigned int budget, enum backend_runner runner);
	bool is_out;
	int n;

	wait_mutex_lock(&cq->lock);
	n = take_or_idle(cq, ret_reqs, nr);
	is_out = cq->nr_in_flight;
	run = cq->run;
	wait_mutex_unlock(&cq->lock);
	if (n || !is_out || !run || how == LANE_TAKE_DONE ||
	    run(cq->bq, nr, how == LANE_TAKE_WAIT ? BACKEND_RUN_WAIT : BACKEND_RUN_POLL) <= 0)
		return n;
	wait_mutex_lock(&cq->lock);
	n = take(cq, ret_reqs, nr);
	is_out = cq->nr_in_flight;
	wait_mutex_unlock(&cq->lock);
	/* Who was turned away while this thread ran the queue, and sleeps, runs it next. */
	if (is_out)
		wait_event_signal(wd_load_acquire(&cq->bq->event));
	return n;
}

/*
 * Takes what is finished.  Where the device is in this process, nothing is
 * before somebody did it: without what an earlier run has left, that comes first.
 */
static inline int take_or_run(struct core_queue *cq, struct wd_req **ret_reqs, unsigned int nr,
			      enum lane_take how)
{
	int nr_run;
	int n;

	if (base_unlikely(cq->is_shared))
		return take_or_run_shared(cq, ret_reqs, nr, how);
	nr_run = cq->nr_run;
	if (cq->run && !nr_run && cq->nr_in_flight && how != LANE_TAKE_DONE) {
		n = cq->run(cq->bq, nr,
			    how == LANE_TAKE_WAIT ? BACKEND_RUN_WAIT : BACKEND_RUN_POLL);
		nr_run = n > 0 ? n : 0;
	}
	n = take_or_idle(cq, ret_reqs, nr);
	nr_run -= n > 0 ? n : nr_run;
	cq->nr_run = nr_run > 0 ? nr_run : 0;
	return n;
}

int wd_recv_burst(struct wd_queue *q, struct wd_req **ret_reqs, unsigned int nr)
{
	int err = -EINVAL;
	struct core_queue *cq = core_queue_of(q, &err);

	if (base_unlikely(!cq || !ret_reqs || !nr))
		return !cq ? err : nr ? -EINVAL : 0;
	return take_or_run(cq, ret_reqs, nr, LANE_TAKE_POLL);
}

int wd_recv(struct wd_queue *q, struct wd_req **ret_req)
{
	int err = -EINVAL;
	struct core_queue *cq = core_queue_of(q, &err);
	int n;

	if (base_unlikely(!cq || !ret_req))
		return cq ? -EINVAL : err;
	n = take_or_run(cq, ret_req, 1, LANE_TAKE_POLL);
	if (n > 0)
		return 0;
	return n ? n : -EAGAIN;
}

int lane_take(struct wd_queue *q, struct wd_req **ret_reqs, unsigned int nr, enum lane_take how)
{
	return take_or_run(q->queue, ret_reqs, nr, how);
}

static bool has_in_flight(struct core_queue *cq)
{
	bool is_out;

	core_queue_lock(cq);
	is_out = cq->nr_in_flight;
	core_queue_unlock(cq);
	return is_out;
}

static void arm(struct core_queue *cq)
{
	core_queue_lock(cq);
	cq->io->arm(cq->drv_queue);
	core_queue_unlock(cq);
}

static BASE_COLD int timed_out(struct core_queue *cq)
{
	core_queue_lock(cq);
	counter_bump(cq->counters, COUNTER_TIMEOUTS, 1);
	core_queue_unlock(cq);
	return -ETIMEDOUT;
}

/* Sleeps until the device reports, or a run will find work again, or it is too late. */
static void sleep_until_reported(struct core_queue *cq, uint32_t seen, uint64_t deadline_ns)
{
	uint64_t due_ns;
	bool is_run;

	core_queue_lock(cq);
	is_run = cq->run;
	core_queue_unlock(cq);
	due_ns = is_run ? cq->backend->due_ns(cq->bq) : 0;
	if (due_ns && due_ns < deadline_ns)
		deadline_ns = due_ns;
	wait_event_wait(&cq->bq->own_event, seen, deadline_ns);
}

/* Nothing was there: spin for what waking would cost, then sleep until told. */
static BASE_COLD int recv_slowly(struct core_queue *cq, struct wd_req **ret_req, int timeout_ms)
{
	uint64_t timeout_ns =
		(uint64_t)(timeout_ms ? timeout_ms : WD_TIMEOUT_DEFAULT_MS) * WAIT_NS_PER_MS;
	uint64_t start = wait_clock_ns();
	uint64_t now = start;
	unsigned int spins = 0;
	int n = 0;

	while (!n && now - start < SPIN_NS && now - start < timeout_ns) {
		if (!has_in_flight(cq))
			return -EAGAIN;
		wd_cpu_relax();
		n = take_or_run(cq, ret_req, 1, LANE_TAKE_WAIT);
		if (++spins % SPINS_PER_CLOCK == 0)
			now = wait_clock_ns();
	}
	while (!n) {
		uint32_t seen = wait_event_seq(&cq->bq->own_event);

		arm(cq);
		n = take_or_run(cq, ret_req, 1, LANE_TAKE_WAIT);
		if (n)
			break;
		if (!has_in_flight(cq))
			return -EAGAIN;
		if (wait_clock_ns() - start >= timeout_ns)
			return timed_out(cq);
		sleep_until_reported(cq, seen, start + timeout_ns);
	}
	return n < 0 ? n : 0;
}

int wd_recv_sync(struct wd_queue *q, struct wd_req **ret_req)
{
	int err = -EINVAL;
	struct core_queue *cq = core_queue_of(q, &err);
	int n;

	if (base_unlikely(!cq || !ret_req || q->timeout_ms < 0))
		return cq ? -EINVAL : err;
	n = take_or_run(cq, ret_req, 1, LANE_TAKE_WAIT);
	if (base_likely(n > 0))
		return 0;
	return n ? n : recv_slowly(cq, ret_req, q->timeout_ms);
}

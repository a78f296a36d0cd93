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

/*
 * The device is gone or not to be believed.  It is stopped first, so that what
 * is handed out is nobody else's any more; each request once, then -ENODEV.
 */
static BASE_COLD int recv_from_dead(struct core_queue *cq, struct wd_req **ret_reqs,
				    unsigned int nr)
{
	int n;

	if (!core_queue_is_dead(cq)) {
		cq->backend->stop(cq->bq);
		cq->io = &core_dead_driver;
		cq->run = NULL;
		log_write(WD_LOG_WARN, "%s is gone with %llu requests in flight",
			  cq->device->info.name,
			  (unsigned long long)(cq->nr_sent - cq->nr_received));
	}
	n = cq->driver->abandon(cq->drv_queue, ret_reqs, nr);
	return n > 0 ? n : -ENODEV;
}

/* ---------------------------------------------------------------- send */

static inline int send_some(struct core_queue *cq, struct wd_req *const *reqs, unsigned int nr)
{
	int n = cq->io->send(cq->drv_queue, reqs, nr);

	if (base_likely(n > 0))
		cq->nr_sent += (unsigned int)n;
	else if (base_unlikely(n == -ENODEV))
		cq->is_unfit = true;
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
	struct core_queue *cq = core_queue_of(q);

	if (base_unlikely(!cq || !reqs || !nr))
		return cq && !nr ? 0 : -EINVAL;
	if (base_unlikely(cq->is_shared))
		return send_shared(cq, reqs, nr);
	return send_some(cq, reqs, nr);
}

int wd_send(struct wd_queue *q, struct wd_req *req)
{
	struct core_queue *cq = core_queue_of(q);
	int n;

	if (base_unlikely(!cq || !req))
		return -EINVAL;
	if (base_unlikely(cq->is_shared))
		n = send_shared(cq, &req, 1);
	else
		n = send_some(cq, &req, 1);
	return n < 0 ? n : 0;
}

int wd_flush(struct wd_queue *q)
{
	struct core_queue *cq = core_queue_of(q);
	int err;

	if (!cq)
		return -EINVAL;
	core_queue_lock(cq);
	err = cq->io->flush(cq->drv_queue);
	if (err == -ENODEV)
		cq->is_unfit = true;
	core_queue_unlock(cq);
	return err;
}

/* ---------------------------------------------------------------- receive */

/* Takes what is finished. */
static inline int take(struct core_queue *cq, struct wd_req **ret_reqs, unsigned int nr)
{
	int n = cq->io->recv(cq->drv_queue, ret_reqs, nr);
	int i;

	if (base_unlikely(n < 0))
		n = recv_from_dead(cq, ret_reqs, nr);
	if (base_unlikely(n <= 0))
		return n;
	for (i = 0; i < n; i++) {
		ret_reqs[i]->device_id = cq->device_id;
		cq->nr_errors += ret_reqs[i]->status > WD_STATUS_OUTPUT_FULL;
	}
	cq->nr_received += (unsigned int)n;
	return n;
}

/* For a queue that several threads use: none keeps its lock while it works. */
static BASE_COLD int take_or_run_shared(struct core_queue *cq, struct wd_req **ret_reqs,
					unsigned int nr, bool is_waiting)
{
	int (*run)(struct wd_backend_queue * bq, unsigned int budget, bool is_waiting);
	bool is_out;
	int n;

	wait_mutex_lock(&cq->lock);
	n = take(cq, ret_reqs, nr);
	is_out = cq->nr_sent != cq->nr_received;
	run = cq->run;
	wait_mutex_unlock(&cq->lock);
	if (n || !is_out || !run || run(cq->bq, nr, is_waiting) <= 0)
		return n;
	wait_mutex_lock(&cq->lock);
	n = take(cq, ret_reqs, nr);
	wait_mutex_unlock(&cq->lock);
	return n;
}

/*
 * Takes what is finished.  Where the device is in this process, nothing is
 * before somebody did it: without what an earlier run has left, that comes first.
 */
static inline int take_or_run(struct core_queue *cq, struct wd_req **ret_reqs, unsigned int nr,
			      bool is_waiting)
{
	int n;

	if (base_unlikely(cq->is_shared))
		return take_or_run_shared(cq, ret_reqs, nr, is_waiting);
	if (cq->run && !cq->nr_run && cq->nr_sent != cq->nr_received) {
		n = cq->run(cq->bq, nr, is_waiting);
		cq->nr_run = n > 0 ? (unsigned int)n : 0;
	}
	n = take(cq, ret_reqs, nr);
	cq->nr_run -= n > 0 && (unsigned int)n < cq->nr_run ? (unsigned int)n : cq->nr_run;
	return n;
}

int wd_recv_burst(struct wd_queue *q, struct wd_req **ret_reqs, unsigned int nr)
{
	struct core_queue *cq = core_queue_of(q);

	if (base_unlikely(!cq || !ret_reqs || !nr))
		return cq && !nr ? 0 : -EINVAL;
	return take_or_run(cq, ret_reqs, nr, false);
}

int wd_recv(struct wd_queue *q, struct wd_req **ret_req)
{
	struct core_queue *cq = core_queue_of(q);
	int n;

	if (base_unlikely(!cq || !ret_req))
		return -EINVAL;
	n = take_or_run(cq, ret_req, 1, false);
	if (n > 0)
		return 0;
	return n ? n : -EAGAIN;
}

static bool has_in_flight(struct core_queue *cq)
{
	bool is_out;

	core_queue_lock(cq);
	is_out = cq->nr_sent != cq->nr_received;
	core_queue_unlock(cq);
	return is_out;
}

static void arm(struct core_queue *cq)
{
	core_queue_lock(cq);
	cq->io->arm(cq->drv_queue);
	core_queue_unlock(cq);
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
		n = take_or_run(cq, ret_req, 1, true);
		if (++spins % SPINS_PER_CLOCK == 0)
			now = wait_clock_ns();
	}
	while (!n) {
		arm(cq);
		n = take_or_run(cq, ret_req, 1, true);
		if (n)
			break;
		if (!has_in_flight(cq))
			return -EAGAIN;
		if (wait_clock_ns() - start >= timeout_ns)
			return -ETIMEDOUT;
		cq->backend->wait(cq->bq, start + timeout_ns);
	}
	return n < 0 ? n : 0;
}

int wd_recv_sync(struct wd_queue *q, struct wd_req **ret_req)
{
	struct core_queue *cq = core_queue_of(q);
	int n;

	if (base_unlikely(!cq || !ret_req || q->timeout_ms < 0))
		return -EINVAL;
	n = take_or_run(cq, ret_req, 1, true);
	if (base_likely(n > 0))
		return 0;
	return n ? n : recv_slowly(cq, ret_req, q->timeout_ms);
}

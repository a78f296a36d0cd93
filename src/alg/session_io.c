/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * A request's way: to a device that the scheduler names, over one of the
 * session's legs there, and back; again elsewhere when the device failed.  Each
 * job ends exactly once, in its session's thread.
 */
#include <errno.h>

#include "alg/session_io.h"
#include "base/barrier.h"
#include "core/config.h"

#define TAKE_MAX   16u /* finished requests taken at once */
#define RUN_MAX	   4u  /* requests that one poll does here, unless they take long */
#define GONE_MAX   2u  /* queues found dead at one sending before a device is passed over */
#define FAILED_MAX 4u  /* failures after which a request is not tried again */

uint64_t session_hang_ns(int32_t timeout_ms)
{
	uint64_t ms = lane_config()->hang_ms;

	return (ms > 0 ? ms : (uint64_t)timeout_ms / 2 + 1) * WAIT_NS_PER_MS;
}

/* Goes through the legs that have a queue; @at is 0 to begin.  NULL at the end. */
static struct alg_leg *next_leg(struct alg_session *s, unsigned int *at)
{
	const unsigned int nr_own = s->port.route->nr * ALG_LEG_KINDS;
	const unsigned int nr_check = s->check != NULL ? s->check->route->nr * ALG_LEG_KINDS : 0;

	while (*at < nr_own + nr_check) {
		unsigned int i = (*at)++;
		struct alg_port *port = i < nr_own ? &s->port : s->check;
		struct alg_leg *leg;

		i -= i < nr_own ? 0 : nr_own;
		leg = &port->leg[i / ALG_LEG_KINDS][i % ALG_LEG_KINDS];
		if (leg->sq != NULL)
			return leg;
	}
	return NULL;
}

/* ---------------------------------------------------------------- legs */

static int leg_open(struct alg_session *s, struct alg_port *port, unsigned int device,
		    enum alg_leg_kind kind, struct alg_leg *leg)
{
	const struct lane_device *lane = &port->route->devices[device].lane;
	int ret;

	ret = sched_queue_get(port->route, device, lane->has_workers && kind == ALG_LEG_NEAR,
			      &leg->sq);
	if (ret != 0) {
		leg->sq = NULL;
		return ret;
	}
	/* A shared queue may be of the other kind than the leg. */
	leg->is_others = !lane->is_in_process || (lane->has_workers && !leg->sq->is_near);
	/* Other sessions' threads may take our jobs, and must be able to tell us. */
	if (leg->sq->is_shared && s->event == NULL) {
		s->event = sched_event_get(s->sched);
		ret = s->event == NULL ? -ENOMEM : 0;
	}
	if (ret == 0 && s->has_fd)
		ret = lane_run_elsewhere(&leg->sq->queue);
	if (ret != 0)
		session_leg_drop(leg);
	return ret;
}

void session_leg_drop(struct alg_leg *leg)
{
	sched_unlisten(leg->sq, &leg->listener);
	sched_queue_put(leg->sq);
	leg->sq = NULL;
}

/*
 * The kind of leg that the next request goes to.  Where workers run the far one,
 * both get work according to what they have; who waits for a request does it
 * itself, near.
 */
static enum alg_leg_kind pick_kind(const struct alg_port *port, unsigned int device, bool is_sync)
{
	const struct lane_device *lane = &port->route->devices[device].lane;

	if (!lane->has_workers)
		return lane->is_in_process ? ALG_LEG_NEAR : ALG_LEG_FAR;
	if (is_sync || port->leg[device][ALG_LEG_NEAR].bytes_in_flight <=
			       port->leg[device][ALG_LEG_FAR].bytes_in_flight)
		return ALG_LEG_NEAR;
	return ALG_LEG_FAR;
}

/* A leg to send over; one whose queue was given up is let go when it is empty. */
static int leg_get(struct alg_session *s, struct alg_port *port, unsigned int device,
		   enum alg_leg_kind kind, struct alg_leg **ret_leg)
{
	struct alg_leg *leg = &port->leg[device][kind];

	if (base_unlikely(leg->sq != NULL && wd_load_relaxed(&leg->sq->given_up))) {
		if (leg->in_flight > 0)
			return -EAGAIN;
		session_leg_drop(leg);
	}
	*ret_leg = leg;
	return base_likely(leg->sq != NULL) ? 0 : leg_open(s, port, device, kind, leg);
}

int session_first_queue(struct alg_session *s)
{
	struct alg_leg *leg;
	sched_set full = 0;
	unsigned int first = SCHED_ANEW;
	int err = -ENODEV;

	for (;;) {
		int device = sched_choose(s->port.route, 0, full, 0, NULL, &first);
		int ret;

		if (device < 0)
			return err;
		ret = leg_get(s, &s->port, (unsigned int)device,
			      pick_kind(&s->port, (unsigned int)device, true), &leg);
		if (ret == 0 || ret == -ENOMEM || ret == -EINVAL)
			return ret;
		if (err != -EBUSY)
			err = ret;
		full |= 1u << device;
	}
}

/* Stops a queue.  All that use it learn of it, and take what is theirs. */
static BASE_COLD void give_up(struct sched_queue *sq, enum sched_given_up why)
{
	sched_queue_give_up(sq, why);
	lane_give_up(&sq->queue, why == SCHED_DEVICE_FAILED);
	sched_queue_tell_all(sq);
}

static void leg_listen(struct alg_session *s, struct alg_leg *leg, bool is_asleep)
{
	sched_listen(leg->sq, &leg->listener, s->event, is_asleep);
	lane_arm(&leg->sq->queue);
}

/* ---------------------------------------------------------------- sending */

/* The jobs out over a leg, oldest first: to see when one is overtaken. */
static void leg_add(struct alg_leg *leg, struct alg_job *job)
{
	if (leg->in_flight++ == 0) {
		leg->quiet_since_ns = 0;
		leg->is_overtaken = false;
	}
	leg->bytes_in_flight += job->bytes;
	job->newer = NULL;
	job->older = leg->newest;
	if (job->older != NULL)
		job->older->newer = job;
	else
		leg->oldest = job;
	leg->newest = job;
}

static void leg_remove(struct alg_leg *leg, struct alg_job *job)
{
	leg->in_flight--;
	leg->bytes_in_flight -= job->bytes;
	if (job->newer != NULL)
		job->newer->older = job->older;
	else
		leg->newest = job->older;
	if (job->older != NULL) {
		job->older->newer = job->newer;
		leg->is_overtaken = true;
		return;
	}
	leg->oldest = job->newer;
	leg->is_overtaken = false;
	leg->overtaken_since_ns = 0;
}

static BASE_COLD void device_failed(struct alg_port *port, unsigned int device, struct alg_leg *leg)
{
	/* Whatever its driver says of what is in flight: it comes back. */
	give_up(leg->sq, SCHED_DEVICE_FAILED);
	sched_note_failed(port->route, device);
	if (leg->in_flight == 0)
		session_leg_drop(leg);
}

static int send_over(struct alg_session *s, struct alg_job *job, unsigned int device,
		     enum alg_leg_kind kind)
{
	struct alg_leg *leg;
	int ret = leg_get(s, job->port, device, kind, &leg);

	if (ret != 0)
		return ret;
	job->req->user = job;
	/* A request of a burst that is done again has nobody to publish it. */
	if (base_unlikely(s->is_burst))
		job->req->flags |= WD_REQ_F_MORE;
	else
		job->req->flags &= (uint16_t)~WD_REQ_F_MORE;
	/* Before it is sent: from then on another thread may have it. */
	job->leg = leg;
	job->device = device;
	job->is_out = true;
	ret = wd_send(&leg->sq->queue, job->req);
	if (base_unlikely(ret != 0)) {
		job->is_out = false;
		if (ret == -ENODEV)
			device_failed(job->port, device, leg);
		return ret;
	}
	leg_add(leg, job);
	/* A descriptor tells of what was sent after it was last looked at, too. */
	if (base_unlikely(s->has_fd && !leg->listener.is_listening))
		leg_listen(s, leg, false);
	sched_note_sent(job->port->route, device);
	return 0;
}

static BASE_COLD void count_detour(struct alg_job *job)
{
	struct wd_queue *q = &job->leg->sq->queue;

	if (job->is_spilled) {
		job->io->flags |= WD_IO_F_SPILLED;
		lane_count(q, offsetof(struct wd_counters, spilled), 1);
	}
	if (job->is_retry) {
		job->io->retries++;
		lane_count(q, offsetof(struct wd_counters, retries), 1);
	}
}

static sched_set all_devices(const struct alg_job *job)
{
	return (1u << job->port->route->nr) - 1;
}

/* A stream that was begun is nobody's to choose for.  As sched_choose(). */
static int only_device(const struct alg_job *job, sched_set full, unsigned int *first)
{
	*first = (unsigned int)__builtin_ctz(job->only);
	return full >> *first & 1 ? -1 : (int)*first;
}

/* What a program's own policy wants to know; NULL for others. */
static const uint32_t *count_in_flight(const struct alg_port *port, uint32_t *counts)
{
	unsigned int i;

	if (base_likely(port->route->sched->opts.policy != WD_SCHED_CUSTOM))
		return NULL;
	for (i = 0; i < port->route->nr; i++)
		counts[i] =
			port->leg[i][ALG_LEG_NEAR].in_flight + port->leg[i][ALG_LEG_FAR].in_flight;
	return counts;
}

/* A device that failed at it is a worse choice than one that had better not get it. */
static sched_set unfit_devices(const struct alg_job *job)
{
	sched_set unfit = job->avoid | job->prefer_not;

	return base_likely(unfit != all_devices(job)) ? unfit : job->avoid;
}

/* The only device that knows the job's stream is gone.  Whether another can go on with it. */
static BASE_COLD bool send_elsewhere(struct alg_job *job)
{
	job->avoid |= job->only;
	if (++job->nr_failed > FAILED_MAX || job->ops->redo(job) != 0)
		return false;
	job->is_retry = true;
	return job->only == 0;
}

/* Hands the job's request over.  Returns 0, -EAGAIN when no queue has room, or why not. */
static int job_send(struct alg_session *s, struct alg_job *job)
{
	sched_set full = 0;
	bool has_room_later = false;
	uint32_t counts[WD_SCHED_DEVICES_MAX];
	const uint32_t *in_flight = count_in_flight(job->port, counts);
	unsigned int nr_gone = 0;
	unsigned int first = SCHED_ANEW;
	int err = -EAGAIN;

	for (;;) {
		enum alg_leg_kind kind;
		int device = job->only != 0 ? only_device(job, full, &first) :
					      sched_choose(job->port->route, job->bytes, full,
							   unfit_devices(job), in_flight, &first);
		int ret;

		if (device < 0 && job->only != 0 && err == -ENODEV && !has_room_later &&
		    send_elsewhere(job)) {
			full = 0;
			first = SCHED_ANEW;
			continue;
		}
		if (device < 0)
			return has_room_later ? -EAGAIN : err;
		kind = pick_kind(job->port, (unsigned int)device, job->is_sync);
		ret = send_over(s, job, (unsigned int)device, kind);
		if (ret == -EAGAIN && job->port->route->devices[device].lane.has_workers)
			ret = send_over(s, job, (unsigned int)device,
					kind == ALG_LEG_NEAR ? ALG_LEG_FAR : ALG_LEG_NEAR);
		if (base_likely(ret == 0)) {
			job->is_spilled = (unsigned int)device != first &&
					  !(job->prefer_not >> first & 1);
			if (base_unlikely(job->is_spilled || job->is_retry))
				count_detour(job);
			return 0;
		}
		if (ret == -ENOMEM || ret == -EINVAL)
			return ret;
		/* A queue that died is no reason against another one of the same device. */
		if (ret == -ENODEV && ++nr_gone <= GONE_MAX)
			continue;
		has_room_later |= ret == -EAGAIN || ret == -EBUSY;
		err = ret;
		full |= 1u << device;
	}
}

/* Until there is room. */
static void job_wait(struct alg_session *s, struct alg_job *job)
{
	session_jobs_push(&s->waiting, job);
	s->nr_waiting++;
}

int alg_session_begin(struct alg_session *s, struct alg_job *job, bool may_wait)
{
	int ret;

	job->session = s;
	job->avoid = 0;
	job->nr_failed = 0;
	job->is_retry = false;
	job->is_in_flight = true;
	ret = s->waiting.first == NULL ? job_send(s, job) : -EAGAIN;
	if (ret == -EAGAIN && may_wait) {
		job_wait(s, job);
		ret = 0;
	}
	if (ret == 0)
		s->nr_jobs++;
	else
		job->is_in_flight = false;
	return ret;
}

void alg_session_flush(struct alg_session *s)
{
	struct alg_leg *leg;
	unsigned int at;

	for (at = 0; (leg = next_leg(s, &at)) != NULL;) {
		if (leg->in_flight > 0)
			wd_flush(&leg->sq->queue);
	}
}

/* Goes on with a job in flight: sends its next request, or ends it. */
static void job_go_on(struct alg_session *s, struct alg_job *job)
{
	int ret = s->waiting.first == NULL ? job_send(s, job) : -EAGAIN;

	if (ret == -EAGAIN)
		job_wait(s, job);
	else if (ret != 0)
		session_end(s, job, ret);
}

bool session_send_waiting(struct alg_session *s)
{
	bool has_moved = false;

	while (s->waiting.first != NULL) {
		struct alg_job *job = s->waiting.first;
		int ret = job_send(s, job);

		if (ret == -EAGAIN)
			break;
		session_jobs_pop(&s->waiting);
		s->nr_waiting--;
		has_moved = true;
		if (ret != 0)
			session_end(s, job, ret);
	}
	return has_moved;
}

/* ---------------------------------------------------------------- answers */

void session_end(struct alg_session *s, struct alg_job *job, int error)
{
	job->io->error = error;
	job->is_in_flight = false;
	s->nr_jobs--;
	job->ops->ended(job);
	if (job->is_sync)
		return;
	session_jobs_push(&s->ended, job);
	s->nr_ended++;
	/* Whichever call found it: one that hands nothing out, perhaps. */
	if (base_unlikely(s->has_fd))
		wait_event_signal(s->event);
}

static BASE_COLD void end_cancelled(struct alg_session *s, struct alg_job *job)
{
	s->nr_cancelled++;
	job->io->status = WD_STATUS_CANCELLED;
	session_end(s, job, 0);
}

static int errno_of(uint32_t status)
{
	return status == WD_STATUS_DEVICE_GONE ? -ENODEV : -EIO;
}

/* Whether some device has not failed at this request yet. */
static bool has_other_device(const struct alg_job *job)
{
	return job->avoid != all_devices(job);
}

/*
 * The device did not do it.  What it refused, another may do; what it failed at,
 * it may do itself the next time, if there is no other.
 */
static BASE_COLD void job_failed(struct alg_session *s, struct alg_job *job, uint32_t status)
{
	bool is_refused = status == WD_STATUS_BAD_REQUEST || status == WD_STATUS_BAD_ADDRESS;
	bool is_our_doing = status == WD_STATUS_DEVICE_GONE &&
			    wd_load_relaxed(&job->leg->sq->given_up) == SCHED_CALLER_GAVE_UP;
	int ret;

	if (s->is_cancelling) {
		end_cancelled(s, job);
		return;
	}
	if (!is_our_doing) {
		job->avoid |= 1u << job->device;
		job->nr_failed++;
	}
	if (status == WD_STATUS_DEVICE_GONE && !is_our_doing)
		sched_note_failed(job->port->route, job->device);
	if (job->nr_failed > FAILED_MAX || (is_refused && !has_other_device(job))) {
		session_end(s, job, errno_of(status));
		return;
	}
	ret = job->ops->redo(job);
	if (ret != 0) {
		session_end(s, job, status == WD_STATUS_DEVICE_GONE ? -ENODEV : ret);
		return;
	}
	job->is_retry = true;
	job_go_on(s, job);
}

static inline void note_served(struct alg_job *job)
{
	struct wd_io *io = job->io;
	const struct wd_req *req = job->req;

	io->device_id = req->device_id;
	io->requests++;
	io->bounced_bytes += req->bounced_bytes;
	/* What its device refused at first and took later. */
	io->retries += req->retries;
}

/* Goes on with a request that no device has failed at yet. */
static inline void next_request(struct alg_session *s, struct alg_job *job)
{
	job->avoid = 0;
	job->nr_failed = 0;
	job->is_retry = false;
	job_go_on(s, job);
}

/* A request of this session's came back. */
static void answer(struct alg_session *s, struct alg_job *job)
{
	uint32_t status = job->req->status;
	int ret;

	leg_remove(job->leg, job);
	job->is_out = false;
	note_served(job);
	if (base_unlikely(status > WD_STATUS_BAD_CHECKSUM || status == WD_STATUS_PENDING)) {
		job_failed(s, job, status);
		return;
	}
	ret = job->ops->answered(job);
	if (base_likely(ret <= 0)) {
		session_end(s, job, ret);
	} else if (ret == ALG_REDO) {
		job_failed(s, job, WD_STATUS_DEVICE_ERROR);
	} else if (s->is_cancelling) {
		end_cancelled(s, job);
	} else if (ret == ALG_WAIT) {
		session_jobs_push(&s->held, job);
	} else {
		next_request(s, job);
	}
}

void alg_session_hold(struct alg_session *s, struct alg_job *job)
{
	job->session = s;
	job->is_in_flight = true;
	s->nr_jobs++;
	session_jobs_push(&s->held, job);
}

/* The one that waits longest; what it waits for there is once. */
bool session_resume_held(struct alg_session *s)
{
	struct alg_job *job = s->held.first;
	int ret;

	if (base_likely(job == NULL))
		return false;
	ret = job->ops->resume(job);
	if (ret == ALG_WAIT)
		return false;
	session_jobs_pop(&s->held);
	if (ret <= 0)
		session_end(s, job, ret);
	else
		next_request(s, job);
	return true;
}

/*
 * Another session's: it will find it in its inbox.  The job is not ours to touch
 * after that; the session stays until it was told.
 */
static void deliver(struct alg_job *job)
{
	struct alg_session *to = job->session;
	struct wait_event *event = to->event;
	struct alg_job *first = wd_load_relaxed(&to->inbox);

	atomic_fetch_add_explicit(&to->nr_delivering, 1, memory_order_relaxed);
	do
		job->next = first;
	/* the request's results before the job: pairs with session_take_inbox() */
	while (!atomic_compare_exchange_weak_explicit(&to->inbox, &first, job, memory_order_seq_cst,
						      memory_order_relaxed));
	wait_event_signal(event);
	/* our last touch: pairs with the acquire in alg_session_close() */
	atomic_fetch_sub_explicit(&to->nr_delivering, 1, memory_order_release);
}

bool session_take_inbox(struct alg_session *s)
{
	struct alg_job *job, *next, *in_order = NULL;

	if (base_likely(wd_load_relaxed(&s->inbox) == NULL))
		return false;
	job = atomic_exchange_explicit(&s->inbox, NULL, memory_order_acquire);
	for (; job != NULL; job = next) {
		next = job->next;
		job->next = in_order;
		in_order = job;
	}
	for (job = in_order; job != NULL; job = next) {
		next = job->next;
		answer(s, job);
	}
	return true;
}

bool session_leg_take(struct alg_session *s, struct alg_leg *leg, enum lane_take how)
{
	struct sched_queue *sq = leg->sq;
	struct wd_req *reqs[TAKE_MAX];
	unsigned int nr = how == LANE_TAKE_DONE ? TAKE_MAX : how == LANE_TAKE_WAIT ? 1 : RUN_MAX;
	int i, n = lane_take(&sq->queue, reqs, nr, how);

	if (n == -ENODEV && !wd_load_relaxed(&sq->given_up))
		give_up(sq, SCHED_DEVICE_FAILED);
	if (n <= 0)
		return false;
	atomic_fetch_add_explicit(&sq->nr_taken, 1, memory_order_relaxed);
	for (i = 0; i < n; i++) {
		struct alg_job *job = reqs[i]->user;

		if (base_likely(job->session == s))
			answer(s, job);
		else
			deliver(job);
	}
	return true;
}

/* Empty queues that were given up: their devices may have no others to give. */
static BASE_COLD void drop_given_up(struct alg_session *s)
{
	struct alg_leg *leg;
	unsigned int at;

	for (at = 0; (leg = next_leg(s, &at)) != NULL;)
		if (leg->in_flight == 0 && wd_load_relaxed(&leg->sq->given_up))
			session_leg_drop(leg);
}

/* ---------------------------------------------------------------- queues that hang */

/*
 * A queue hangs when nothing at all came from it for long, or when its oldest
 * request was overtaken and still does not come.
 */
static bool is_hung(struct alg_session *s, struct alg_leg *leg, uint64_t now)
{
	uint32_t taken = wd_load_relaxed(&leg->sq->nr_taken);

	if (leg->taken_seen != taken || leg->quiet_since_ns == 0) {
		leg->taken_seen = taken;
		leg->quiet_since_ns = now;
	}
	if (leg->is_overtaken && leg->overtaken_since_ns == 0)
		leg->overtaken_since_ns = now;
	return now - leg->quiet_since_ns > s->hang_ns ||
	       (leg->is_overtaken && now - leg->overtaken_since_ns > s->hang_ns);
}

BASE_COLD void session_look_for_hang(struct alg_session *s)
{
	uint64_t now = wait_clock_ns();
	struct alg_leg *leg;
	unsigned int at;

	for (at = 0; (leg = next_leg(s, &at)) != NULL;) {
		if (leg->in_flight == 0 || wd_load_relaxed(&leg->sq->given_up) ||
		    !is_hung(s, leg, now))
			continue;
		give_up(leg->sq, SCHED_DEVICE_FAILED);
	}
}

/* ---------------------------------------------------------------- giving up */

BASE_COLD unsigned int session_cancel_all(struct alg_session *s)
{
	struct alg_leg *leg;
	unsigned int at;
	struct alg_job *job;

	/* Whatever comes back from here on does not go on. */
	s->is_cancelling = true;
	s->nr_cancelled = 0;
	while ((job = session_jobs_pop(&s->waiting)) != NULL)
		end_cancelled(s, job);
	while ((job = session_jobs_pop(&s->held)) != NULL)
		end_cancelled(s, job);
	s->nr_waiting = 0;
	for (at = 0; (leg = next_leg(s, &at)) != NULL;) {
		if (leg->in_flight > 0 && !wd_load_relaxed(&leg->sq->given_up)) {
			give_up(leg->sq, SCHED_CALLER_GAVE_UP);
		}
	}
	/* All of it is in our queues, or on its way through another session's thread. */
	while (s->nr_jobs > 0) {
		bool has_moved = session_take_inbox(s);

		for (at = 0; (leg = next_leg(s, &at)) != NULL;) {
			if (leg->in_flight > 0)
				has_moved |= session_leg_take(s, leg, LANE_TAKE_DONE);
		}
		if (!has_moved)
			wait_yield();
	}
	s->is_cancelling = false;
	drop_given_up(s);
	return s->nr_cancelled;
}

/* ---------------------------------------------------------------- waiting */

void session_listen(struct alg_session *s, bool is_asleep)
{
	struct alg_leg *leg;
	unsigned int at;

	for (at = 0; (leg = next_leg(s, &at)) != NULL;) {
		/* Who waits for room hears of what others take. */
		if (leg->in_flight > 0 || s->nr_waiting > 0)
			leg_listen(s, leg, is_asleep);
		else
			/* With nothing out it would lead, and others would not be told. */
			sched_unlisten(leg->sq, &leg->listener);
	}
}

void session_unlisten(struct alg_session *s)
{
	struct alg_leg *leg;
	unsigned int at;

	for (at = 0; (leg = next_leg(s, &at)) != NULL;) {
		/* A descriptor goes on telling, but who looks at it may not come soon. */
		if (s->has_fd && leg->in_flight > 0)
			sched_listen(leg->sq, &leg->listener, s->event, false);
		else
			sched_unlisten(leg->sq, &leg->listener);
	}
}

bool session_is_crowded(struct alg_session *s)
{
	struct alg_leg *leg;
	unsigned int at;

	for (at = 0; (leg = next_leg(s, &at)) != NULL;)
		if (leg->in_flight > 0 && wd_load_relaxed(&leg->sq->nr_users) > 1)
			return true;
	return false;
}

uint64_t session_due_ns(struct alg_session *s)
{
	struct alg_leg *leg;
	unsigned int at;
	uint64_t due_ns = 0;

	for (at = 0; (leg = next_leg(s, &at)) != NULL;) {
		uint64_t leg_ns = leg->in_flight > 0 ? lane_due_ns(&leg->sq->queue) : 0;

		if (leg_ns != 0 && (due_ns == 0 || leg_ns < due_ns))
			due_ns = leg_ns;
	}
	return due_ns;
}

int session_run_elsewhere(struct alg_session *s)
{
	struct alg_leg *leg;
	unsigned int at;

	for (at = 0; (leg = next_leg(s, &at)) != NULL;) {
		int ret = lane_run_elsewhere(&leg->sq->queue);

		if (ret != 0)
			return ret;
	}
	return 0;
}

struct wd_queue *alg_session_queue(struct alg_session *s)
{
	unsigned int at = 0;
	struct alg_leg *leg = next_leg(s, &at);

	return leg != NULL ? &leg->sq->queue : NULL;
}

void session_count_timeout(struct alg_session *s)
{
	struct alg_leg *leg;
	unsigned int at;

	for (at = 0; (leg = next_leg(s, &at)) != NULL;) {
		if (leg->in_flight > 0) {
			lane_count(&leg->sq->queue, offsetof(struct wd_counters, timeouts), 1);
			return;
		}
	}
}

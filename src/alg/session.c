/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Sessions of all families: their life, waiting, polling and giving up.  How a
 * request finds a queue and what happens when it comes back is session_io.c.
 */
#include "alg/session.h"

#include <errno.h>
#include <string.h>

#include "alg/session_io.h"
#include "base/barrier.h"
#include "core/config.h"

#define SPIN_NS		20000u /* about what it costs to put a core to sleep and wake it */
#define SPINS_PER_CLOCK 32u
#define POLLS_PER_LOOK	256u /* while all goes well */

int alg_opts_check(const void *opts, uint32_t size, size_t known)
{
	const uint8_t *byte = opts;

	if (size < known)
		return -EINVAL;
	for (size_t i = known; i < size; i++)
		if (byte[i] != 0)
			return -EINVAL;
	return 0;
}

/* ---------------------------------------------------------------- life */

static void jobs_init(struct alg_jobs *jobs)
{
	jobs->first = NULL;
	jobs->end = &jobs->first;
}

static int port_open(struct alg_session *s, struct alg_port *port, const struct wd_capa *capa,
		     const char *device)
{
	memset(port, 0, sizeof(*port));
	return sched_route(s->sched, capa, device, &port->route);
}

int alg_session_open(struct alg_session *s, struct wd_sched *sched, const struct wd_capa *capa,
		     const char *device, int32_t timeout_ms, sched_probe *probe)
{
	int ret;

	memset(s, 0, sizeof(*s));
	jobs_init(&s->waiting);
	jobs_init(&s->held);
	jobs_init(&s->ended);
	s->timeout_ms = timeout_ms > 0 ? timeout_ms : WD_TIMEOUT_DEFAULT_MS;
	ret = sched_get(sched, &s->sched);
	if (ret != 0) {
		s->sched = NULL;
		return ret;
	}
	s->life = lane_life();
	s->hang_ns = session_hang_ns(s->timeout_ms);
	ret = port_open(s, &s->port, capa, device != NULL ? device : "");
	if (ret != 0)
		goto out_put;
	sched_measure(s->port.route, probe);
	ret = session_first_queue(s);
	if (ret != 0)
		goto out_put;
	return 0;

out_put:
	sched_put(s->sched);
	s->sched = NULL;
	return ret;
}

int alg_session_open_check(struct alg_session *s, const struct wd_capa *capa)
{
	struct alg_port *check = calloc(1, sizeof(*check));
	int ret;

	if (check == NULL)
		return -ENOMEM;
	ret = port_open(s, check, capa, "");
	if (ret != 0) {
		free(check);
		return ret;
	}
	s->check = check;
	return 0;
}

/* A child's: what is the parent's is let go of without a touch. */
static int port_renew(struct alg_session *s, struct alg_port *port)
{
	struct sched_route *old = port->route;
	int ret = port_open(s, port, &old->capa, old->device);

	/* What is wanted stands there still, for the next try. */
	if (ret != 0)
		port->route = old;
	return ret;
}

static BASE_COLD int session_renew(struct alg_session *s)
{
	int ret;

	if (s->sched->root == s->sched)
		ret = sched_get(NULL, &s->sched);
	else
		ret = sched_renew(s->sched);
	if (ret != 0)
		return ret;
	jobs_init(&s->waiting);
	jobs_init(&s->held);
	jobs_init(&s->ended);
	wd_store_relaxed(&s->inbox, NULL);
	s->nr_jobs = 0;
	s->nr_ended = 0;
	/* The parent's memory, but the child's descriptors. */
	if (s->event != NULL && s->has_fd)
		wait_event_fini(s->event);
	s->event = NULL;
	s->nr_waiting = 0;
	s->has_fd = false;
	wd_store_relaxed(&s->nr_delivering, 0);
	ret = port_renew(s, &s->port);
	if (ret == 0 && s->check != NULL)
		ret = port_renew(s, s->check);
	if (ret == 0)
		s->life = lane_life();
	else if (s->sched->root == s->sched)
		sched_put(s->sched);
	return ret;
}

bool alg_session_enter(struct alg_session *s, int *ret)
{
	*ret = 0;
	if (base_likely(s->life == lane_life()))
		return false;
	*ret = session_renew(s);
	return true;
}

static void port_close(struct alg_port *port)
{
	unsigned int i, kind;

	for (i = 0; i < port->route->nr; i++)
		for (kind = 0; kind < ALG_LEG_KINDS; kind++)
			if (port->leg[i][kind].sq != NULL)
				session_leg_drop(&port->leg[i][kind]);
}

void alg_session_close(struct alg_session *s)
{
	int ret;

	if (s->sched == NULL)
		return;
	alg_session_enter(s, &ret);
	if (ret == 0) {
		alg_session_cancel(s);
		/* another thread may be about to signal: pairs with the release in deliver() */
		while (wd_load_acquire(&s->nr_delivering) > 0)
			wait_yield();
		port_close(&s->port);
		if (s->check != NULL)
			port_close(s->check);
		if (s->event != NULL)
			wait_event_fd_close(s->event);
		sched_event_put(s->sched, s->event);
		sched_put(s->sched);
	}
	free(s->check);
	s->check = NULL;
	s->event = NULL;
	s->sched = NULL;
}

/* ---------------------------------------------------------------- jobs that ended */

struct alg_job *alg_session_next_ended(struct alg_session *s)
{
	struct alg_job *job = session_jobs_pop(&s->ended);

	if (job != NULL)
		s->nr_ended--;
	return job;
}

void alg_session_end_at_once(struct alg_session *s, struct alg_job *job)
{
	s->nr_jobs++;
	job->session = s;
	job->is_in_flight = true;
	session_end(s, job, 0);
}

/* ---------------------------------------------------------------- polling */

/*
 * What this session has out; but also what others have, where it is in the way
 * of this one, or where this one is told when it finishes.
 */
static bool is_of_concern(const struct alg_session *s, const struct alg_leg *leg)
{
	return leg->in_flight > 0 || base_unlikely(s->nr_waiting > 0) ||
	       base_unlikely(s->has_fd && leg->listener.is_listening);
}

/* One round over the legs that others do the work for, or over those that they do not. */
static bool poll_legs(struct alg_session *s, struct alg_port *port, bool is_others,
		      enum lane_take how)
{
	bool has_moved = false;
	unsigned int i, kind;

	for (i = 0; i < port->route->nr; i++) {
		for (kind = 0; kind < ALG_LEG_KINDS; kind++) {
			struct alg_leg *leg = &port->leg[i][kind];

			if (leg->sq != NULL && leg->is_others == is_others && is_of_concern(s, leg))
				has_moved |= session_leg_take(s, leg, how);
		}
	}
	return has_moved;
}

static bool poll_ports(struct alg_session *s, bool is_others, enum lane_take how)
{
	bool has_moved = poll_legs(s, &s->port, is_others, how);

	if (base_unlikely(s->check != NULL))
		has_moved |= poll_legs(s, s->check, is_others, how);
	return has_moved;
}

/*
 * What others have finished comes first, so that they get new work soon; only
 * without that is work done here.
 */
static bool poll_once(struct alg_session *s, enum lane_take how)
{
	if (poll_ports(s, true, LANE_TAKE_DONE))
		return true;
	if (poll_ports(s, false, how))
		return true;
	return how == LANE_TAKE_WAIT && poll_ports(s, true, how);
}

bool alg_session_poll(struct alg_session *s, enum lane_take how)
{
	bool has_moved = session_take_inbox(s);

	has_moved |= session_send_waiting(s);
	has_moved |= session_resume_held(s);
	if (!has_moved || how == LANE_TAKE_WAIT)
		has_moved |= poll_once(s, how);
	if (base_unlikely(!has_moved || ++s->nr_polls % POLLS_PER_LOOK == 0) && s->nr_jobs > 0)
		session_look_for_hang(s);
	return has_moved;
}

/* ---------------------------------------------------------------- waiting */

static bool is_over(const struct alg_session *s, const struct alg_job *job)
{
	if (job != NULL)
		return !job->is_in_flight;
	return s->ended.first != NULL || s->nr_jobs == 0;
}

static uint64_t earliest(uint64_t a, uint64_t b)
{
	return b != 0 && b < a ? b : a;
}

/* Sleeps until something may have happened, or until the deadline. */
static BASE_COLD void session_sleep(struct alg_session *s, uint64_t deadline_ns)
{
	uint32_t seen;

	if (s->event == NULL)
		s->event = sched_event_get(s->sched);
	/* Nothing to be told by: without memory, or with nothing out. */
	if (s->event == NULL || s->nr_waiting == s->nr_jobs) {
		wait_yield();
		return;
	}
	seen = wait_event_seq(s->event);
	session_listen(s, true);
	if (!alg_session_poll(s, LANE_TAKE_WAIT)) {
		deadline_ns = earliest(deadline_ns, wait_clock_ns() + s->hang_ns);
		deadline_ns = earliest(deadline_ns, session_due_ns(s));
		wait_event_wait(s->event, seen, deadline_ns);
	}
	session_unlisten(s);
}

static BASE_COLD int wait_slowly(struct alg_session *s, struct alg_job *job, int timeout_ms)
{
	uint64_t start = wait_clock_ns();
	uint64_t deadline_ns =
		start + (uint64_t)(timeout_ms > 0 ? timeout_ms : s->timeout_ms) * WAIT_NS_PER_MS;
	uint64_t idle_since = start;
	uint64_t now = start;
	unsigned int spins = 0;

	for (;;) {
		bool has_moved = alg_session_poll(s, LANE_TAKE_WAIT);

		if (is_over(s, job))
			return 0;
		if (has_moved || ++spins % SPINS_PER_CLOCK == 0)
			now = wait_clock_ns();
		if (has_moved)
			idle_since = now;
		if (now >= deadline_ns)
			return -ETIMEDOUT;
		if (now - idle_since < SPIN_NS && !session_is_crowded(s)) {
			wd_cpu_relax();
			continue;
		}
		session_sleep(s, deadline_ns);
		now = wait_clock_ns();
	}
}

int alg_session_wait(struct alg_session *s, struct alg_job *job, int timeout_ms)
{
	int ret;

	alg_session_poll(s, LANE_TAKE_WAIT);
	if (base_likely(is_over(s, job)))
		return 0;
	ret = wait_slowly(s, job, timeout_ms);
	if (ret != 0)
		session_count_timeout(s);
	return ret;
}

/* ---------------------------------------------------------------- giving up */

unsigned int alg_session_cancel(struct alg_session *s)
{
	return session_cancel_all(s);
}

/* ---------------------------------------------------------------- descriptor */

int alg_session_fd(struct alg_session *s)
{
	int fd, ret;

	if (s->event == NULL)
		s->event = sched_event_get(s->sched);
	if (s->event == NULL)
		return -ENOMEM;
	fd = wait_event_fd(s->event);
	if (fd < 0)
		return fd;
	ret = session_run_elsewhere(s);
	if (ret != 0)
		return ret;
	s->has_fd = true;
	/* What ended before there was a descriptor to tell of it. */
	wait_event_signal(s->event);
	return fd;
}

void alg_session_settle(struct alg_session *s)
{
	wait_event_fd_clear(s->event);
	session_listen(s, false);
	/* For room in a queue that others fill there is no event: the caller looks again. */
	if (alg_session_poll(s, LANE_TAKE_DONE) || s->nr_waiting > 0)
		wait_event_signal(s->event);
}

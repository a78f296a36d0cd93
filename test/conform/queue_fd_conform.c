/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * A queue's descriptor over every device, in epoll: when it wakes, when it does
 * not, and what it costs when nothing happens; with and without configured
 * workers.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>

#include "queue_rig.h"

#define DEADLINE_MS 60000
#define ROUNDS	    300

static struct wd_device_info devices[RIG_DEVICES_MAX];
static int nr_devices;

static int watch(int ep, int fd, uint32_t events, void *arg)
{
	struct epoll_event wish = { .events = events, .data.ptr = arg };

	return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &wish);
}

/* What is ready now, or within the deadline; 0: nothing. */
static uint32_t look(int ep, int timeout_ms)
{
	struct epoll_event got = { 0 };
	int n = epoll_wait(ep, &got, 1, timeout_ms);

	assert_true(n >= 0);
	return n ? got.events : 0;
}

/* A queue with its descriptor in an epoll of its own, and nothing to tell yet. */
static int open_watched(const struct wd_device_info *d, char *alg, uint32_t events,
			struct wd_queue *q)
{
	int ep = epoll_create1(EPOLL_CLOEXEC);
	struct wd_req *back;

	assert_true(ep >= 0);
	*q = rig_wish(d, alg);
	assert_ok(wd_request_queue(q));
	assert_ok(watch(ep, wd_queue_fd(q), events, q));
	assert_int_equal(look(ep, 0), events & (EPOLLIN | EPOLLOUT));
	assert_int_equal(wd_recv(q, &back), -EAGAIN);
	return ep;
}

static void close_watched(int ep, struct wd_queue *q)
{
	wd_release_queue(q);
	close(ep);
}

/* Nobody calls wd_recv() before it is told to. */
static void it_wakes_when_something_finished(void **state)
{
	int i, k;

	(void)state;
	for (i = 0; i < nr_devices; i++) {
		char alg[sizeof(devices[i].algs)];
		struct wd_queue q;
		struct wd_req req = { 0 }, *back;
		int ep = open_watched(&devices[i], alg, EPOLLIN, &q);

		for (k = 0; k < ROUNDS; k++) {
			assert_int_equal(look(ep, 0), 0);
			assert_ok(wd_send(&q, &req));
			assert_int_equal(look(ep, DEADLINE_MS), EPOLLIN);
			assert_ok(wd_recv(&q, &back));
			assert_ptr_equal(back, &req);
			assert_int_equal(wd_recv(&q, &back), -EAGAIN);
		}
		close_watched(ep, &q);
	}
}

/* Edge-triggered: as long as it is received until there is none, no edge is missed. */
static void edges_are_enough(void **state)
{
	enum {
		NR = 16
	};
	int i, k;

	(void)state;
	for (i = 0; i < nr_devices; i++) {
		char alg[sizeof(devices[i].algs)];
		struct wd_queue q;
		struct wd_req req[NR] = { { 0 } }, *back;
		unsigned int out;
		int ep = open_watched(&devices[i], alg, EPOLLIN | EPOLLET, &q);

		for (k = 0; k < ROUNDS; k++) {
			for (out = 0; out < 1u + (unsigned int)k % NR; out++)
				assert_ok(wd_send(&q, &req[out]));
			while (out) {
				assert_int_equal(look(ep, DEADLINE_MS), EPOLLIN);
				while (!wd_recv(&q, &back))
					out--;
			}
		}
		close_watched(ep, &q);
	}
}

/* Level-triggered: it stays so until wd_recv() finds nothing. */
static void it_stays_readable_until_nothing_is_left(void **state)
{
	int i, k;

	(void)state;
	for (i = 0; i < nr_devices; i++) {
		char alg[sizeof(devices[i].algs)];
		struct wd_queue q;
		struct wd_req req[4] = { { 0 } }, *back;
		int ep = open_watched(&devices[i], alg, EPOLLIN, &q);

		for (k = 0; k < 4; k++)
			assert_ok(wd_send(&q, &req[k]));
		for (k = 0; k < 4; k++) {
			assert_int_equal(look(ep, DEADLINE_MS), EPOLLIN);
			while (wd_recv(&q, &back) == -EAGAIN)
				assert_int_equal(look(ep, DEADLINE_MS), EPOLLIN);
		}
		assert_int_equal(wd_recv(&q, &back), -EAGAIN);
		assert_int_equal(look(ep, 0), 0);
		close_watched(ep, &q);
	}
}

static void it_is_writable_unless_full(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < nr_devices; i++) {
		char alg[sizeof(devices[i].algs)];
		struct wd_queue q;
		struct wd_req *req, *back;
		unsigned int nr, out, k;
		int ep = open_watched(&devices[i], alg, EPOLLOUT | EPOLLET, &q);

		req = calloc(q.depth + 1, sizeof(*req));
		assert_non_null(req);
		for (k = 0; k < 3; k++) {
			for (nr = 0; nr <= q.depth && !wd_send(&q, &req[nr]); nr++)
				;
			assert_int_equal(nr, q.depth);
			/* Not one more, and no edge yet. */
			while (look(ep, 0))
				;
			for (out = nr; out; out--) {
				assert_ok(wd_recv_sync(&q, &back));
				if (out == nr)
					assert_int_equal(look(ep, DEADLINE_MS) & EPOLLOUT,
							 EPOLLOUT);
			}
			assert_ok(wd_send(&q, &req[0]));
			assert_ok(wd_recv_sync(&q, &back));
		}
		close_watched(ep, &q);
		free(req);
	}
}

/* One thread, one epoll, queues of all devices. */
static void one_epoll_serves_many_queues(void **state)
{
	enum {
		QUEUES = 6
	};
	char alg[QUEUES][sizeof(devices[0].algs)];
	struct wd_queue q[QUEUES];
	struct wd_req req[QUEUES] = { { 0 } }, *back;
	unsigned int got[QUEUES] = { 0 };
	int ep = epoll_create1(EPOLL_CLOEXEC);
	unsigned int k, done = 0;

	(void)state;
	for (k = 0; k < QUEUES; k++) {
		q[k] = rig_wish(&devices[k % (unsigned int)nr_devices], alg[k]);
		assert_ok(wd_request_queue(&q[k]));
		assert_ok(watch(ep, wd_queue_fd(&q[k]), EPOLLIN, &q[k]));
		assert_ok(wd_send(&q[k], &req[k]));
	}
	while (done < QUEUES * ROUNDS) {
		struct epoll_event event;

		assert_int_equal(epoll_wait(ep, &event, 1, DEADLINE_MS), 1);
		k = (unsigned int)((struct wd_queue *)event.data.ptr - q);
		if (wd_recv(&q[k], &back))
			continue;
		assert_ptr_equal(back, &req[k]);
		done++;
		if (++got[k] < ROUNDS)
			assert_ok(wd_send(&q[k], &req[k]));
	}
	for (k = 0; k < QUEUES; k++)
		wd_release_queue(&q[k]);
	close(ep);
}

static long switches(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return u.ru_nvcsw;
}

/*
 * All threads of the process sleep, and nothing wakes them: whoever waits in epoll
 * goes to sleep and comes back once.  A thread that looked around now and then
 * would show as more.
 */
static void idle_costs_no_processor(void **state)
{
	enum {
		IDLE_MS = 300,
		FEW = 12 /* the waiter itself, and workers that fall asleep only now */
	};
	int i;

	(void)state;
	for (i = 0; i < nr_devices; i++) {
		char alg[sizeof(devices[i].algs)];
		struct wd_queue q;
		struct wd_req req = { 0 }, *back;
		long before;
		int ep = open_watched(&devices[i], alg, EPOLLIN, &q);

		assert_ok(wd_send(&q, &req));
		assert_int_equal(look(ep, DEADLINE_MS), EPOLLIN);
		assert_ok(wd_recv(&q, &back));
		assert_int_equal(wd_recv(&q, &back), -EAGAIN);
		before = switches();
		assert_int_equal(look(ep, IDLE_MS), 0);
		assert_true(switches() - before <= FEW);
		close_watched(ep, &q);
	}
}

/* A device that resets itself wakes who waits; what was in flight comes back, then -ENODEV. */
static void a_device_that_goes_is_told(void **state)
{
	static const char *const models[] = { "hisi_zip", "dummy" };
	const char *workers = getenv("WD_EMBED_WORKERS");
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		char embed[64], alg[sizeof(devices[0].algs)];
		struct wd_queue q;
		struct wd_req req[3] = { { 0 } }, *back;
		int ep, k, err = -EAGAIN, nr = 0, nr_gone = 0;

		wd_fini();
		snprintf(embed, sizeof(embed), "%s:fault=reset@2", models[i]);
		assert_ok(rig_up(embed, workers));
		nr_devices = rig_devices(devices);
		assert_int_equal(nr_devices, 1);
		ep = open_watched(&devices[0], alg, EPOLLIN, &q);
		for (k = 0; k < 3; k++)
			err = wd_send(&q, &req[k]);
		while (nr < 3 && (!err || err == -EAGAIN || nr < k)) {
			assert_true(look(ep, DEADLINE_MS) & EPOLLIN);
			err = wd_recv(&q, &back);
			if (err == -ENODEV)
				break;
			if (err)
				continue;
			nr++;
			nr_gone += back->status == WD_STATUS_DEVICE_GONE;
		}
		assert_true(nr_gone > 0);
		while ((err = wd_recv(&q, &back)) == 0)
			;
		assert_int_equal(err, -ENODEV);
		assert_true(look(ep, 0) & EPOLLIN);
		assert_int_equal(wd_queue_fd(&q), -ENODEV);
		close_watched(ep, &q);
	}
	wd_fini();
	assert_ok(rig_up("hisi_zip,dummy", workers));
	nr_devices = rig_devices(devices);
}

static int up(void **state)
{
	(void)state;
	if (rig_up("hisi_zip,dummy", *state ? *state : "0"))
		return -1;
	nr_devices = rig_devices(devices);
	return nr_devices == 2 ? 0 : -1;
}

static int down(void **state)
{
	(void)state;
	wd_fini();
	return 0;
}

static char workers_off[] = "0", workers_on[] = "1";

#define BOTH(test)                                                             \
	cmocka_unit_test_prestate_setup_teardown(test, up, down, workers_off), \
		cmocka_unit_test_prestate_setup_teardown(test, up, down, workers_on)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(it_wakes_when_something_finished),
		BOTH(edges_are_enough),
		BOTH(it_stays_readable_until_nothing_is_left),
		BOTH(it_is_writable_unless_full),
		BOTH(one_epoll_serves_many_queues),
		BOTH(idle_costs_no_processor),
		BOTH(a_device_that_goes_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

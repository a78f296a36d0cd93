/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The founding queue calls over every device of this machine, with requests that
 * ask for nothing: the same program on each, whatever its driver and backend.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <wd/comp.h>
#include <wd/memop.h>
#include <wd/wd.h>

#include "lib/t_assert.h"
#include "lib/t_fork.h"

#define DEVICES_MAX 16

static struct wd_device_info devices[DEVICES_MAX];
static int nr_devices;

static int find_devices(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < DEVICES_MAX; i++)
		devices[i].size = sizeof(devices[i]);
	nr_devices = wd_list_devices(devices, DEVICES_MAX);
	/* A machine with no device at all proves nothing. */
	return nr_devices > 0 && nr_devices <= DEVICES_MAX ? 0 : -1;
}

/* A queue of that device, for the first of its algorithms. */
static struct wd_queue wish(const struct wd_device_info *d, char *alg, uint32_t depth)
{
	struct wd_queue q = { .size = sizeof(q), .depth = depth };

	snprintf(alg, sizeof(d->algs), "%s", d->algs);
	alg[strcspn(alg, "\n")] = '\0';
	q.capa.alg = alg;
	q.capa.op = strcmp(alg, "memop") ? WD_OP_COMPRESS : WD_OP_COPY;
	snprintf(q.device, sizeof(q.device), "%s", d->name);
	return q;
}

/* Every pointer that was sent comes back, once, with its status and who served it. */
static void what_goes_in_comes_out(void **state)
{
	enum {
		ROUNDS = 200
	};
	int i;

	(void)state;
	for (i = 0; i < nr_devices; i++) {
		char alg[sizeof(devices[i].algs)];
		struct wd_queue q = wish(&devices[i], alg, 0);
		struct wd_req *req, *back;
		unsigned char *seen;
		unsigned int round, k, n;

		assert_ok(wd_request_queue(&q));
		assert_string_equal(q.device, devices[i].name);
		assert_true(q.depth > 0);
		req = calloc(q.depth + 1, sizeof(*req));
		seen = calloc(q.depth + 1, 1);
		assert_true(req && seen);
		assert_int_equal(wd_recv(&q, &back), -EAGAIN);
		for (round = 0; round < ROUNDS; round++) {
			unsigned int nr = round % 3 ? 1 + round * 7 % q.depth : q.depth;

			memset(seen, 0, q.depth + 1);
			for (k = 0; k < nr; k++)
				assert_ok(wd_send(&q, &req[k]));
			if (nr == q.depth)
				assert_int_equal(wd_send(&q, &req[nr]), -EAGAIN);
			for (n = 0; n < nr; n++) {
				assert_ok(wd_recv_sync(&q, &back));
				k = (unsigned int)(back - req);
				assert_true(k < nr && !seen[k]);
				seen[k] = 1;
				assert_int_equal(back->status, WD_STATUS_OK);
				assert_int_equal(back->device_id, devices[i].id);
			}
			assert_int_equal(wd_recv(&q, &back), -EAGAIN);
			assert_int_equal(wd_recv_sync(&q, &back), -EAGAIN);
		}
		wd_release_queue(&q);
		free(req);
		free(seen);
	}
}

static void more_to_come_waits_for_flush(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < nr_devices; i++) {
		char alg[sizeof(devices[i].algs)];
		struct wd_queue q = wish(&devices[i], alg, 0);
		struct wd_req req[3] = { { .flags = WD_REQ_F_MORE }, { .flags = WD_REQ_F_MORE } };
		struct wd_req *back;
		int k;

		assert_ok(wd_request_queue(&q));
		assert_ok(wd_send(&q, &req[0]));
		assert_ok(wd_send(&q, &req[1]));
		for (k = 0; k < 100; k++)
			assert_int_equal(wd_recv(&q, &back), -EAGAIN);
		assert_ok(wd_flush(&q));
		assert_ok(wd_recv_sync(&q, &back));
		assert_ok(wd_recv_sync(&q, &back));
		/* A send without the flag publishes what came before it. */
		assert_ok(wd_send(&q, &req[0]));
		assert_ok(wd_send(&q, &req[2]));
		assert_ok(wd_recv_sync(&q, &back));
		assert_ok(wd_recv_sync(&q, &back));
		wd_release_queue(&q);
	}
}

static void all_queues_taken_is_busy(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < nr_devices; i++) {
		char alg[sizeof(devices[i].algs)];
		struct wd_queue *q;
		int n, k;

		n = devices[i].free_queues;
		q = calloc((size_t)n + 1, sizeof(*q));
		assert_non_null(q);
		for (k = 0; k < n; k++) {
			q[k] = wish(&devices[i], alg, 4);
			assert_ok(wd_request_queue(&q[k]));
		}
		q[n] = wish(&devices[i], alg, 4);
		assert_int_equal(wd_request_queue(&q[n]), -EBUSY);
		wd_release_queue(&q[0]);
		assert_ok(wd_request_queue(&q[n]));
		for (k = 0; k <= n; k++)
			wd_release_queue(&q[k]);
		/* The idle ones that remain do not fit another depth, and do not stand in the way. */
		for (k = 0; k < n; k++) {
			q[k] = wish(&devices[i], alg, 5);
			assert_ok(wd_request_queue(&q[k]));
		}
		for (k = 0; k < n; k++)
			wd_release_queue(&q[k]);
		free(q);
	}
}

static void released_with_work_in_flight(void **state)
{
	int i, k;

	(void)state;
	for (i = 0; i < nr_devices; i++) {
		for (k = 0; k < 20; k++) {
			char alg[sizeof(devices[i].algs)];
			struct wd_queue q = wish(&devices[i], alg, 0);
			struct wd_req req[2] = { { 0 } };

			assert_ok(wd_request_queue(&q));
			assert_ok(wd_send(&q, &req[0]));
			assert_ok(wd_send(&q, &req[1]));
			wd_release_queue(&q);
			memset(req, 0xff, sizeof(req));
		}
	}
}

/* ------------------------------------------------ one queue, many threads */

#define THREADS	   4
#define PER_THREAD 3000

struct shared_case {
	struct wd_queue *q;
	_Atomic unsigned int nr_received;
};

static void *use_shared(void *arg)
{
	struct shared_case *c = arg;
	unsigned int sent = 0;

	/* Each sends its share and takes back whatever comes, whoever sent it. */
	while (atomic_load(&c->nr_received) < THREADS * PER_THREAD) {
		struct wd_req *back;
		int err;

		if (sent < PER_THREAD) {
			struct wd_req *fresh = calloc(1, sizeof(*fresh));

			if (!fresh)
				return (void *)1;
			err = wd_send(c->q, fresh);
			if (err)
				free(fresh);
			if (err && err != -EAGAIN)
				return (void *)1;
			sent += !err;
		}
		err = wd_recv(c->q, &back);
		if (err == -EAGAIN)
			continue;
		if (err || back->status != WD_STATUS_OK)
			return (void *)1;
		free(back);
		atomic_fetch_add(&c->nr_received, 1);
	}
	return NULL;
}

static void a_shared_queue_serves_threads(void **state)
{
	int i, k;

	(void)state;
	for (i = 0; i < nr_devices; i++) {
		char alg[sizeof(devices[i].algs)];
		struct wd_queue q = wish(&devices[i], alg, 0);
		struct shared_case c = { .q = &q };
		pthread_t thread[THREADS];

		q.flags = WD_QUEUE_F_SHARED;
		assert_ok(wd_request_queue(&q));
		for (k = 0; k < THREADS; k++)
			assert_ok(pthread_create(&thread[k], NULL, use_shared, &c));
		for (k = 0; k < THREADS; k++) {
			void *failed;

			pthread_join(thread[k], &failed);
			assert_null(failed);
		}
		assert_int_equal(c.nr_received, THREADS * PER_THREAD);
		wd_release_queue(&q);
	}
}

/* Threads with queues of their own, opened and given back all the time. */
static void *open_and_close(void *arg)
{
	const struct wd_device_info *d = arg;
	int round;

	for (round = 0; round < 100; round++) {
		char alg[sizeof(d->algs)];
		struct wd_queue q = wish(d, alg, 0);
		struct wd_req req = { 0 }, *back;

		if (wd_request_queue(&q) || wd_send(&q, &req) || wd_recv_sync(&q, &back) ||
		    back != &req)
			return (void *)1;
		wd_release_queue(&q);
	}
	return NULL;
}

static void threads_open_and_close_queues(void **state)
{
	pthread_t thread[THREADS];
	int i, k;

	(void)state;
	for (i = 0; i < nr_devices; i++) {
		for (k = 0; k < THREADS; k++)
			assert_ok(pthread_create(&thread[k], NULL, open_and_close, &devices[i]));
		for (k = 0; k < THREADS; k++) {
			void *failed;

			pthread_join(thread[k], &failed);
			assert_null(failed);
		}
	}
}

/* ------------------------------------------------ who works, and who only looks */

#define LONG_BYTES ((size_t)128 << 20) /* some 30 ms, by the model's estimate */

/* Memory that costs nothing to read: no page of it is there. */
static const void *nothing_at_all(void)
{
	void *p = mmap(NULL, LONG_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		       0);

	return p == MAP_FAILED ? NULL : p;
}

static int nr_threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	int n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}

/* No thread can be started from here on. */
static int refuse_threads(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAGAIN),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = 5, .filter = filter };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

/* Looks until it is there; returns 0, or 1 when that lasts for ever. */
static int poll_for(struct wd_queue *q, struct wd_req *want)
{
	time_t deadline = time(NULL) + 60;
	struct wd_req *back;
	int err;

	while ((err = wd_recv(q, &back)) == -EAGAIN && time(NULL) < deadline)
		sched_yield();
	return err || back != want || want->status;
}

static int look_at_long_work(bool can_start_threads)
{
	struct wd_queue q = { .size = sizeof(q), .capa = { .alg = "memop", .op = WD_OP_CRC32 } };
	struct wd_memop_req req = { .head = { .op = WD_OP_CRC32 }, .src = nothing_at_all() };
	int before;

	setenv("WD_EMBED", "dummy", 1);
	setenv("WD_EMBED_WORKERS", "0", 1);
	if (!req.src || wd_request_queue(&q))
		return 1;
	if (!can_start_threads && refuse_threads())
		return 0; /* not to be had here */
	if (!can_start_threads && wd_queue_fd(&q) != -EAGAIN)
		return 1;
	/* What is short is done by who looks. */
	before = nr_threads();
	req.len = 4096;
	if (wd_send(&q, &req.head) || poll_for(&q, &req.head) || nr_threads() != before)
		return 1;
	/* What is long is not, unless there is nobody else. */
	req.len = LONG_BYTES;
	if (wd_send(&q, &req.head) || poll_for(&q, &req.head) || req.done != LONG_BYTES ||
	    nr_threads() != before + can_start_threads)
		return 1;
	/* And it goes on as before. */
	req.len = 4096;
	if (wd_send(&q, &req.head) || poll_for(&q, &req.head))
		return 1;
	wd_release_queue(&q);
	return 0;
}

static void who_looks_does_nothing_long(void **state)
{
	int can;

	(void)state;
	if (!t_forks_are_seen())
		skip();
	for (can = 0; can <= 1; can++) {
		int status;
		pid_t pid;

		/* Of a child, which has its own configuration and begins anew. */
		fflush(NULL);
		pid = fork();
		if (!pid)
			_exit(look_at_long_work(can));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

/* Workers, if there are any, leave a near queue to its owner. */
static void a_near_queue_is_its_owners(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < nr_devices; i++) {
		char alg[sizeof(devices[i].algs)];
		struct wd_queue far = wish(&devices[i], alg, 0), near = wish(&devices[i], alg, 0);
		struct wd_req req[2] = { { 0 } }, *back;

		near.flags = WD_QUEUE_F_NEAR;
		assert_ok(wd_request_queue(&far));
		assert_ok(wd_request_queue(&near));
		assert_ok(wd_send(&near, &req[0]));
		/* A worker that is at the far one comes by the near one, too, if it knows it. */
		assert_ok(wd_send(&far, &req[1]));
		assert_ok(wd_recv_sync(&far, &back));
		assert_int_equal(req[0].status, WD_STATUS_PENDING);
		assert_ok(wd_recv(&near, &back));
		assert_ptr_equal(back, &req[0]);
		wd_release_queue(&near);
		wd_release_queue(&far);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_queues_taken_is_busy),
		cmocka_unit_test(what_goes_in_comes_out),
		cmocka_unit_test(more_to_come_waits_for_flush),
		cmocka_unit_test(released_with_work_in_flight),
		cmocka_unit_test(a_shared_queue_serves_threads),
		cmocka_unit_test(threads_open_and_close_queues),
		cmocka_unit_test(who_looks_does_nothing_long),
		cmocka_unit_test(a_near_queue_is_its_owners),
	};

	return cmocka_run_group_tests(tests, find_devices, NULL);
}

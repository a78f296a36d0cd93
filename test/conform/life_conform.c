/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * An ordinary life: brought up and down, by users that do not know of each other,
 * with threads that come and go, signals, descriptors closed behind its back, and
 * an end in the middle of work.  Unloading is unload_conform.c.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include <wd/memop.h>

#include "queue_rig.h"

#define DEADLINE_MS 60000

extern char **environ;

static char *self;
static char workers_off[] = "0", workers_on[] = "2";

static struct wd_queue wish(void)
{
	return (struct wd_queue){ .size = sizeof(struct wd_queue),
				  .capa = { .alg = "memop", .op = WD_OP_COPY },
				  .timeout_ms = DEADLINE_MS };
}

/* One request there and back; returns 0 or what went wrong. */
static int use_once(struct wd_queue *q)
{
	struct wd_req req = { 0 }, *back = NULL;
	int err = wd_send(q, &req);

	if (!err)
		err = wd_recv_sync(q, &back);
	return err ? err : back != &req || req.status;
}

/* ------------------------------------------------ up and down */

static void init_and_fini_are_counted(void **state)
{
	int threads = rig_threads();
	int fds = rig_count("/proc/self/fd");
	struct wd_queue q = wish();
	int round;

	setenv("WD_EMBED_WORKERS", *state, 1);
	for (round = 0; round < 20; round++) {
		wd_fini();
		assert_ok(wd_init());
		assert_ok(wd_init());
		q = wish();
		assert_ok(wd_request_queue(&q));
		assert_true(wd_queue_fd(&q) >= 0);
		assert_true(rig_count("/proc/self/task") > threads);
		assert_ok(use_once(&q));
		wd_fini();
		/* In somebody's hands: it goes on. */
		wd_fini();
		assert_ok(use_once(&q));
		wd_release_queue(&q);
		/* Who comes last ends it. */
		assert_ok(wd_init());
		wd_fini();
		assert_int_equal(rig_await_threads(threads), threads);
		assert_int_equal(rig_count("/proc/self/fd"), fds);
	}
}

/* What was set meanwhile counts from the next beginning. */
static void each_beginning_reads_the_configuration(void **state)
{
	struct wd_device_info devices[RIG_DEVICES_MAX];

	(void)state;
	assert_ok(rig_up("dummy", "0"));
	assert_int_equal(rig_devices(devices), 1);
	wd_fini();
	assert_ok(rig_up("hisi_zip,dummy,dummy", "0"));
	assert_int_equal(rig_devices(devices), 3);
	wd_fini();
	assert_int_equal(rig_up("nonsense", "0"), -EINVAL);
	assert_ok(rig_up("hisi_zip,dummy", "0"));
	wd_fini();
}

/* A library that uses ours, in a program that does so as well. */
static void *be_some_user(void *arg)
{
	int round;

	for (round = 0; round < 60; round++) {
		struct wd_queue q = wish();

		if (round % 2 && wd_init())
			return arg;
		if (wd_request_queue(&q) || use_once(&q))
			return arg;
		if (round % 3 == 0 && wd_queue_fd(&q) < 0)
			return arg;
		if (use_once(&q))
			return arg;
		wd_release_queue(&q);
		if (round % 2)
			wd_fini();
	}
	return NULL;
}

static void users_need_not_know_of_each_other(void **state)
{
	enum {
		USERS = 4
	};
	pthread_t thread[USERS];
	int i;

	setenv("WD_EMBED_WORKERS", *state, 1);
	for (i = 0; i < USERS; i++)
		assert_ok(pthread_create(&thread[i], NULL, be_some_user, self));
	for (i = 0; i < USERS; i++) {
		void *failed;

		pthread_join(thread[i], &failed);
		assert_null(failed);
	}
	assert_ok(wd_init());
	wd_fini();
}

static void *use_and_end(void *arg)
{
	struct wd_queue q = wish();

	if (wd_request_queue(&q) || use_once(&q))
		return arg;
	wd_release_queue(&q);
	return NULL;
}

static void threads_come_and_go(void **state)
{
	enum {
		THREADS = 4,
		ROUNDS = 50
	};
	pthread_t thread[THREADS];
	int i, round, fds;

	setenv("WD_EMBED_WORKERS", *state, 1);
	assert_ok(wd_init());
	fds = rig_count("/proc/self/fd");
	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < THREADS; i++)
			assert_ok(pthread_create(&thread[i], NULL, use_and_end, self));
		for (i = 0; i < THREADS; i++) {
			void *failed;

			pthread_join(thread[i], &failed);
			assert_null(failed);
		}
	}
	assert_int_equal(rig_count("/proc/self/fd"), fds);
	wd_fini();
}

/* ------------------------------------------------ signals */

/*
 * Of the one thread that takes signals.  No atomic: in a handler that touches one,
 * ThreadSanitizer may handle the next signal and then leave all of them blocked.
 */
static volatile sig_atomic_t nr_signals;
static _Atomic uint32_t is_over;

static void count_signal(int number)
{
	(void)number;
	nr_signals++;
}

static void *send_signals(void *arg)
{
	pthread_t *to = arg;
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	while (!atomic_load(&is_over)) {
		pthread_kill(*to, SIGUSR1);
		poll(NULL, 0, 1);
	}
	return NULL;
}

/* Handlers without SA_RESTART, in a thread that sleeps for a request most of the time. */
static void signals_interrupt_no_wait(void **state)
{
	const struct itimerval often = { { 0, 500 }, { 0, 500 } }, never = { { 0, 0 }, { 0, 0 } };
	struct sigaction act = { .sa_handler = count_signal }, old[2];
	pthread_t me = pthread_self(), thread;
	struct wd_queue q = wish();
	int i;

	assert_ok(rig_up("dummy:delay=1500us", *state));
	assert_ok(wd_request_queue(&q));
	assert_ok(sigaction(SIGALRM, &act, &old[0]));
	assert_ok(sigaction(SIGUSR1, &act, &old[1]));
	atomic_store(&is_over, 0);
	nr_signals = 0;
	assert_ok(pthread_create(&thread, NULL, send_signals, &me));
	assert_ok(setitimer(ITIMER_REAL, &often, NULL));
	for (i = 0; i < 200 || nr_signals < 50; i++) {
		assert_true(i < 20000);
		errno = 4711;
		assert_ok(use_once(&q));
		assert_int_equal(errno, 4711);
	}
	assert_ok(setitimer(ITIMER_REAL, &never, NULL));
	atomic_store(&is_over, 1);
	pthread_join(thread, NULL);
	sigaction(SIGALRM, &old[0], NULL);
	sigaction(SIGUSR1, &old[1], NULL);
	wd_release_queue(&q);
	wd_fini();
}

/* Whether a thread blocks SIGUSR1 and SIGALRM, as the kernel tells. */
static bool blocks_signals(const char *tid)
{
	const unsigned long long want = 1ull << (SIGUSR1 - 1) | 1ull << (SIGALRM - 1);
	char path[320], line[128];
	unsigned long long blocked = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%s/status", tid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "SigBlk:", 7))
			blocked = strtoull(line + 7, NULL, 16);
	if (f)
		fclose(f);
	return (blocked & want) == want;
}

static int nr_blocking(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *d;
	int n = 0;

	assert_non_null(dir);
	while ((d = readdir(dir)))
		n += d->d_name[0] != '.' && blocks_signals(d->d_name);
	closedir(dir);
	return n;
}

/* Signals of the process are for the program's threads: workers take none. */
static void workers_block_signals(void **state)
{
	int threads = rig_threads(), blocking = nr_blocking();
	struct wd_queue q = wish();
	int workers;

	assert_ok(rig_up("dummy", *state));
	assert_ok(wd_request_queue(&q));
	assert_true(wd_queue_fd(&q) >= 0);
	workers = rig_count("/proc/self/task") - threads;
	assert_true(workers > 0);
	assert_int_equal(nr_blocking() - blocking, workers);
	wd_release_queue(&q);
	wd_fini();
}

/* ------------------------------------------------ descriptors closed by others */

static int has_close_range(void)
{
#ifdef SYS_close_range
	return !syscall(SYS_close_range, 3u, ~0u, 0u);
#else
	return 0;
#endif
}

/* What a daemon does: all descriptors closed, and their numbers used for its own files. */
static void its_descriptors_may_be_closed(void **state)
{
	struct wd_queue q = wish();
	struct wd_req req = { 0 }, *back;
	int pipes[8][2], status, fd, i;
	char byte;
	pid_t pid;

	assert_ok(rig_up("dummy", *state));
	fflush(NULL);
	/* In a child: the test program's own may be among them. */
	pid = fork();
	if (!pid) {
		struct pollfd p = { .events = POLLIN };

		CHILD_CHECK(!wd_request_queue(&q) && wd_queue_fd(&q) >= 0);
		CHILD_CHECK(wd_recv(&q, &back) == -EAGAIN);
		if (!has_close_range())
			_exit(77);
		for (i = 0; i < 8; i++)
			CHILD_CHECK(!pipe2(pipes[i], O_NONBLOCK | O_CLOEXEC));
		for (i = 0; i < 50; i++) {
			CHILD_CHECK(!use_once(&q));
			CHILD_CHECK(wd_recv(&q, &back) == -EAGAIN);
		}
		fd = wd_queue_fd(&q);
		CHILD_CHECK(fd > pipes[7][1] && wd_queue_fd(&q) == fd);
		p.fd = fd;
		CHILD_CHECK(wd_recv(&q, &back) == -EAGAIN);
		CHILD_CHECK(!poll(&p, 1, 0));
		CHILD_CHECK(!wd_send(&q, &req));
		CHILD_CHECK(poll(&p, 1, DEADLINE_MS) == 1);
		CHILD_CHECK(!wd_recv(&q, &back));
		wd_release_queue(&q);
		CHILD_CHECK(fcntl(fd, F_GETFD) == -1);
		/* Theirs are open, and nothing was written to them. */
		for (i = 0; i < 8; i++) {
			CHILD_CHECK(read(pipes[i][0], &byte, 1) == -1 && errno == EAGAIN);
			CHILD_CHECK(write(pipes[i][1], "x", 1) == 1);
		}
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	wd_fini();
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

/* ------------------------------------------------ the end in the middle */

#define WAITERS 3

static pthread_barrier_t all_at_work;

static void *wait_for_ever(void *arg)
{
	struct wd_queue q = wish();
	struct wd_req req[2] = { { 0 } }, *back;
	int round;

	(void)arg;
	if (wd_request_queue(&q))
		abort();
	pthread_barrier_wait(&all_at_work);
	for (round = 0;; round++) {
		if (wd_send(&q, &req[0]) || wd_recv_sync(&q, &back))
			abort();
	}
	return NULL;
}

/* main() of the program below: it ends while its threads are in wd_recv_sync(). */
static int end_while_threads_wait(void)
{
	struct wd_queue q = wish();
	pthread_t thread;
	int i;

	pthread_barrier_init(&all_at_work, NULL, WAITERS + 1);
	for (i = 0; i < WAITERS; i++)
		if (pthread_create(&thread, NULL, wait_for_ever, NULL) || pthread_detach(thread))
			return 1;
	pthread_barrier_wait(&all_at_work);
	if (wd_request_queue(&q) || wd_queue_fd(&q) < 0)
		return 1;
	for (i = 0; i < 20; i++)
		if (use_once(&q))
			return 1;
	exit(0);
}

static void a_program_may_end_at_any_time(void **state)
{
	/* By the shell, for which an emulator of another processor is just a program. */
	char *argv[] = {
		(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c",
		(char *)(uintptr_t) "exec $MESON_EXE_WRAPPER \"$0\" --end-while-threads-wait", self,
		NULL
	};
	int round;

	setenv("WD_EMBED_WORKERS", *state, 1);
	for (round = 0; round < 10; round++) {
		pid_t pid;

		setenv("WD_EMBED", round % 2 ? "dummy:delay=500us" : "dummy", 1);
		assert_ok(posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ));
		assert_child(pid);
	}
	setenv("WD_EMBED", "hisi_zip,dummy", 1);
}

#define BOTH(test) \
	cmocka_unit_test_prestate(test, workers_off), cmocka_unit_test_prestate(test, workers_on)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		BOTH(init_and_fini_are_counted),
		cmocka_unit_test(each_beginning_reads_the_configuration),
		BOTH(users_need_not_know_of_each_other),
		BOTH(threads_come_and_go),
		BOTH(signals_interrupt_no_wait),
		BOTH(workers_block_signals),
		BOTH(its_descriptors_may_be_closed),
		BOTH(a_program_may_end_at_any_time),
	};

	if (argc == 2 && !strcmp(argv[1], "--end-while-threads-wait"))
		return end_while_threads_wait();
	self = argv[0];
	return cmocka_run_group_tests(tests, NULL, NULL);
}

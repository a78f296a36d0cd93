/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* What poll() finds of an event's descriptor, and what becomes of one that was closed by others. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/barrier.h"
#include "base/event.h"
#include "lib/t_assert.h"

#define DEADLINE_MS 60000

static short poll_now(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };

	assert_true(poll(&p, 1, 0) >= 0);
	return p.revents;
}

/* The lowest number that is free now. */
static int next_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	close(fd);
	return fd;
}

static void who_waits_is_woken_once_it_is_signalled(void **state)
{
	struct wait_event ev = { 0 };
	uint32_t seen = wait_event_seq(&ev);

	(void)state;
	assert_int_equal(wait_event_wait(&ev, seen, wait_clock_ns()), -ETIMEDOUT);
	wait_event_signal(&ev);
	/* It has moved on already: no sleep. */
	assert_ok(wait_event_wait(&ev, seen, WAIT_FOREVER));
	assert_int_not_equal(wait_event_seq(&ev), seen);
	wait_event_fini(&ev);
}

static void the_descriptor_says_what_it_is_told(void **state)
{
	struct wait_event ev = { 0 };
	int first = next_fd();
	int fd = wait_event_fd(&ev);
	unsigned int round;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(wait_event_fd(&ev), fd);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	/* What came before it is found by looking. */
	assert_int_equal(poll_now(fd), POLLIN | POLLOUT);
	for (round = 0; round < 100; round++) {
		wait_event_fd_clear(&ev);
		wait_event_fd_clear(&ev);
		assert_int_equal(poll_now(fd), POLLOUT);
		wait_event_fd_set_writable(&ev, false);
		wait_event_fd_set_writable(&ev, false);
		assert_int_equal(poll_now(fd), 0);
		wait_event_signal(&ev);
		wait_event_signal(&ev);
		assert_int_equal(poll_now(fd), POLLIN);
		wait_event_fd_set_writable(&ev, true);
		assert_int_equal(poll_now(fd), POLLIN | POLLOUT);
	}
	wait_event_fini(&ev);
	wait_event_fini(&ev);
	assert_int_equal(next_fd(), first);
}

/* Each change of what it says is one edge, and no other moment is. */
static void epoll_sees_the_edges(void **state)
{
	struct epoll_event wish = { .events = EPOLLIN | EPOLLOUT | EPOLLET }, got;
	struct wait_event ev = { 0 };
	int fd = wait_event_fd(&ev);
	int ep = epoll_create1(EPOLL_CLOEXEC);

	(void)state;
	wait_event_fd_clear(&ev);
	assert_ok(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &wish));
	assert_int_equal(epoll_wait(ep, &got, 1, 0), 1);
	assert_int_equal(got.events, EPOLLOUT);
	assert_int_equal(epoll_wait(ep, &got, 1, 0), 0);
	wait_event_signal(&ev);
	assert_int_equal(epoll_wait(ep, &got, 1, 0), 1);
	assert_true(got.events & EPOLLIN);
	wait_event_signal(&ev);
	assert_int_equal(epoll_wait(ep, &got, 1, 0), 0);
	wait_event_fd_clear(&ev);
	assert_int_equal(epoll_wait(ep, &got, 1, 0), 0);
	wait_event_signal(&ev);
	assert_int_equal(epoll_wait(ep, &got, 1, 0), 1);
	wait_event_fd_clear(&ev);
	wait_event_fd_set_writable(&ev, false);
	while (epoll_wait(ep, &got, 1, 0) > 0)
		assert_false(got.events & EPOLLOUT);
	wait_event_fd_set_writable(&ev, true);
	assert_int_equal(epoll_wait(ep, &got, 1, 0), 1);
	assert_true(got.events & EPOLLOUT);
	close(ep);
	wait_event_fini(&ev);
}

/* ------------------------------------------------ a signal is never lost */

#define SIGNALS 20000

struct ping {
	struct wait_event ev;
	_Atomic uint32_t nr_done;
};

static void *signal_many(void *arg)
{
	struct ping *ping = arg;
	unsigned int i;

	for (i = 0; i < SIGNALS; i++) {
		atomic_fetch_add(&ping->nr_done, 1);
		wait_event_signal(&ping->ev);
	}
	return NULL;
}

static void no_signal_is_lost_to_a_clear(void **state)
{
	struct ping ping = { 0 };
	struct pollfd p = { .fd = wait_event_fd(&ping.ev), .events = POLLIN };
	pthread_t thread[2];
	uint32_t seen = 0;

	(void)state;
	assert_ok(pthread_create(&thread[0], NULL, signal_many, &ping));
	assert_ok(pthread_create(&thread[1], NULL, signal_many, &ping));
	while (seen < 2 * SIGNALS) {
		wait_event_fd_clear(&ping.ev);
		if (wd_load_relaxed(&ping.nr_done) == seen)
			assert_int_equal(poll(&p, 1, DEADLINE_MS), 1);
		seen = wd_load_relaxed(&ping.nr_done);
	}
	pthread_join(thread[0], NULL);
	pthread_join(thread[1], NULL);
	wait_event_fini(&ping.ev);
}

/* A descriptor that is told nothing wakes nobody. */
static void idle_costs_nothing(void **state)
{
	struct wait_event ev = { 0 };
	struct pollfd p = { .fd = wait_event_fd(&ev), .events = POLLIN };
	struct rusage before, after;

	(void)state;
	wait_event_fd_clear(&ev);
	getrusage(RUSAGE_THREAD, &before);
	assert_int_equal(poll(&p, 1, 20), 0);
	getrusage(RUSAGE_THREAD, &after);
	assert_true(after.ru_nvcsw - before.ru_nvcsw <= 2);
	wait_event_fini(&ev);
}

/* ------------------------------------------------ closed behind its back */

/* Both ends closed, and their numbers given to a pipe that is somebody else's. */
static void a_number_that_changed_hands_is_let_alone(void **state)
{
	struct wait_event ev = { 0 };
	int fd = wait_event_fd(&ev), other = fd + 1;
	int pipe_fds[2], again;
	char byte;

	(void)state;
	assert_int_equal(other, next_fd() - 1);
	close(fd);
	close(other);
	assert_ok(pipe2(pipe_fds, O_NONBLOCK | O_CLOEXEC));
	assert_int_equal(pipe_fds[0], fd);
	assert_int_equal(pipe_fds[1], other);
	assert_int_equal(write(other, "x", 1), 1);
	wait_event_fd_clear(&ev);
	wait_event_fd_set_writable(&ev, false);
	wait_event_signal(&ev);
	errno = 4711;
	wait_event_fd_set_writable(&ev, true);
	wait_event_fd_clear(&ev);
	wait_event_signal(&ev);
	assert_int_equal(errno, 4711);
	/* Nothing was read, nothing written. */
	assert_int_equal(read(fd, &byte, 1), 1);
	assert_int_equal(byte, 'x');
	assert_int_equal(read(fd, &byte, 1), -1);

	errno = 4711;
	again = wait_event_fd(&ev);
	assert_true(again >= 0 && again != fd && again != other);
	assert_int_equal(errno, 4711);
	assert_int_equal(poll_now(again), POLLIN | POLLOUT);
	wait_event_fd_clear(&ev);
	assert_int_equal(poll_now(again), POLLOUT);
	wait_event_fini(&ev);
	assert_int_equal(write(other, "x", 1), 1);
	close(fd);
	close(other);
}

/* Another socket under the same number is not ours either; one end lost is both. */
static void one_end_lost_makes_another_pair(void **state)
{
	struct wait_event ev = { 0 };
	int first = next_fd();
	int k;

	(void)state;
	for (k = 0; k < 2; k++) {
		int fd = wait_event_fd(&ev), lost = fd + k;
		int theirs[2];
		char byte;

		wait_event_fd_set_writable(&ev, false);
		assert_ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, theirs));
		assert_int_equal(dup2(theirs[0], lost), lost);
		wait_event_fd_clear(&ev);
		wait_event_fd_set_writable(&ev, true);
		wait_event_fd_set_writable(&ev, false);
		wait_event_signal(&ev);
		assert_int_equal(recv(theirs[1], &byte, 1, 0), -1);
		fd = wait_event_fd(&ev);
		assert_true(fd >= 0);
		/* As writable as was said last. */
		assert_int_equal(poll_now(fd), POLLIN);
		wait_event_fd_set_writable(&ev, true);
		assert_int_equal(poll_now(fd), POLLIN | POLLOUT);
		assert_int_equal(fcntl(lost, F_GETFD), 0); /* theirs: not closed */
		close(lost);
		close(theirs[0]);
		close(theirs[1]);
		wait_event_fini(&ev);
	}
	assert_int_equal(next_fd(), first);
}

static void no_more_descriptors_is_said(void **state)
{
	struct wait_event ev = { 0 };
	struct rlimit old, few;

	(void)state;
	assert_ok(getrlimit(RLIMIT_NOFILE, &old));
	few = old;
	few.rlim_cur = (rlim_t)next_fd() + 1; /* one end would do */
	assert_ok(setrlimit(RLIMIT_NOFILE, &few));
	errno = 4711;
	assert_int_equal(wait_event_fd(&ev), -EMFILE);
	assert_int_equal(errno, 4711);
	wait_event_signal(&ev);
	wait_event_fd_clear(&ev);
	assert_ok(setrlimit(RLIMIT_NOFILE, &old));
	assert_true(wait_event_fd(&ev) >= 0);
	wait_event_fini(&ev);
}

/* In a child the inherited ends are closed, and the parent's go on. */
static void a_child_lets_go_of_the_parents(void **state)
{
	struct wait_event ev = { 0 };
	int fd = wait_event_fd(&ev);
	int status;
	pid_t pid;

	(void)state;
	wait_event_fd_clear(&ev);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		wait_event_fini(&ev);
		_exit(fcntl(fd, F_GETFD) != -1 || fcntl(fd + 1, F_GETFD) != -1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(poll_now(fd), POLLOUT);
	wait_event_signal(&ev);
	assert_int_equal(poll_now(fd), POLLIN | POLLOUT);
	wait_event_fini(&ev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_waits_is_woken_once_it_is_signalled),
		cmocka_unit_test(the_descriptor_says_what_it_is_told),
		cmocka_unit_test(epoll_sees_the_edges),
		cmocka_unit_test(no_signal_is_lost_to_a_clear),
		cmocka_unit_test(idle_costs_nothing),
		cmocka_unit_test(a_number_that_changed_hands_is_let_alone),
		cmocka_unit_test(one_end_lost_makes_another_pair),
		cmocka_unit_test(no_more_descriptors_is_said),
		cmocka_unit_test(a_child_lets_go_of_the_parents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

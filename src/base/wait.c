/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* Time, threads and chance on Linux.  See wait.h for why they are in one place. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/barrier.h"
#include "base/wait.h"

#define NS_PER_S 1000000000ull

uint64_t wait_clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

int wait_park(_Atomic uint32_t *word, uint32_t seen, uint64_t deadline_ns)
{
	struct timespec t = {
		.tv_sec = (time_t)(deadline_ns / NS_PER_S),
		.tv_nsec = (long)(deadline_ns % NS_PER_S),
	};
	int saved_errno = errno;
	int ret = 0;

	/* FUTEX_WAIT_BITSET takes an absolute deadline of the monotonic clock. */
	if (syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, seen,
		    deadline_ns == WAIT_FOREVER ? NULL : &t, NULL, FUTEX_BITSET_MATCH_ANY) < 0 &&
	    errno == ETIMEDOUT)
		ret = -ETIMEDOUT;
	errno = saved_errno;
	return ret;
}

void wait_wake(_Atomic uint32_t *word)
{
	int saved_errno = errno;

	syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, INT32_MAX, NULL, NULL, 0);
	errno = saved_errno;
}

void wait_yield(void)
{
	sched_yield();
}

int wait_thread_start(struct wait_thread *t, void *(*run)(void *arg), void *arg)
{
	sigset_t all, old;
	pthread_t id;
	int err;

	_Static_assert(sizeof(pthread_t) <= sizeof(t->id), "a thread id fits");
	/* Signals are for the program's own threads. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&id, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err)
		return -err;
	t->id = (unsigned long)id;
	return 0;
}

void wait_thread_join(struct wait_thread *t)
{
	pthread_join((pthread_t)t->id, NULL);
}

int wait_current_node(void)
{
	unsigned int cpu, node;

	if (getcpu(&cpu, &node) < 0)
		return -1;
	return (int)node;
}

int wait_random(void *buf, size_t bytes)
{
	unsigned char *p = buf;

	while (bytes) {
		ssize_t n = getrandom(p, bytes, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		bytes -= (size_t)n;
	}
	return 0;
}

void wait_mutex_lock(struct wait_mutex *m)
{
	uint32_t free_word = 0;

	if (atomic_compare_exchange_strong_explicit(&m->word, &free_word, 1, memory_order_acquire,
						    memory_order_relaxed))
		return;
	/* 2 says that someone sleeps, so that the owner's unlock wakes. */
	while (atomic_exchange_explicit(&m->word, 2, memory_order_acquire) != 0)
		wait_park(&m->word, 2, WAIT_FOREVER);
}

void wait_mutex_unlock(struct wait_mutex *m)
{
	if (atomic_exchange_explicit(&m->word, 0, memory_order_release) == 2)
		wait_wake(&m->word);
}

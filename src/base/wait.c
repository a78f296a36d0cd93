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
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/barrier.h"
#include "base/compiler.h"
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

/* ---------------------------------------------------------------- a process's life */

#define PAGE_BYTES_MAX 65536 /* of the processors that we know */

/*
 * The words lie in a page that the kernel wipes in a child, whoever forks and how.
 * Where it does not (before Linux 4.14, some emulators), a child is known by its
 * process id, which costs a system call: only who asks for the word is told, and
 * not who kept the pointer.
 */
struct life_page {
	_Atomic uint32_t life;
	_Atomic uint32_t is_claimed;
	/* without the kernel's help: process id, shifted, and whether the words above are its */
	_Atomic uint64_t owner;
};

#define OWNER_IS_READY 1u
#define OWNER_SHIFT    32

/* Of the library itself, so that it goes with it and not before: some whole page in here. */
static char life_room[2 * PAGE_BYTES_MAX];
static _Atomic(struct life_page *) life_page;
static _Atomic uint32_t is_never_wiped;

static BASE_COLD struct life_page *find_life_page(void)
{
	size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	size_t bytes = page_bytes < PAGE_BYTES_MAX ? page_bytes : PAGE_BYTES_MAX;
	struct life_page *page = (struct life_page *)base_align_up((uintptr_t)life_room, bytes);
	int saved_errno = errno;

	/* Twice the same where two threads come at once. */
	if (page_bytes > PAGE_BYTES_MAX || madvise(page, bytes, MADV_WIPEONFORK))
		wd_store_relaxed(&is_never_wiped, 1);
	errno = saved_errno;
	/* is_never_wiped before the page: pairs with the acquire in get_life_page() */
	wd_store_release(&life_page, page);
	return page;
}

/* Wipes the page in a child, as the kernel would have done. */
static BASE_COLD void wipe_inherited(struct life_page *page)
{
	const uint64_t mine = (uint64_t)getpid() << OWNER_SHIFT;
	uint64_t seen = wd_load_acquire(&page->owner);

	for (;;) {
		if (seen == (mine | OWNER_IS_READY))
			return;
		if (seen == mine) {
			/* another thread of this process is at it */
			wait_yield();
			seen = wd_load_acquire(&page->owner);
		} else if (atomic_compare_exchange_strong(&page->owner, &seen, mine)) {
			wd_store_relaxed(&page->life, 0);
			wd_store_relaxed(&page->is_claimed, 0);
			/* the wiped words first: pairs with the acquires above */
			wd_store_release(&page->owner, mine | OWNER_IS_READY);
			return;
		}
	}
}

static struct life_page *get_life_page(void)
{
	struct life_page *page = wd_load_acquire(&life_page);

	if (base_unlikely(!page))
		page = find_life_page();
	if (base_unlikely(wd_load_relaxed(&is_never_wiped)))
		wipe_inherited(page);
	return page;
}

const _Atomic uint32_t *wait_life_word(void)
{
	return &get_life_page()->life;
}

bool wait_life_claim(void)
{
	struct life_page *page = get_life_page();

	if (!atomic_exchange(&page->is_claimed, 1))
		return true;
	while (!wd_load_acquire(&page->life))
		wait_yield();
	return false;
}

void wait_life_begin(uint32_t number)
{
	/* what was set up before the number: pairs with the acquire of the word */
	wd_store_release(&get_life_page()->life, number);
}

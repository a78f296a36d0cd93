/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The one seam to time, threads and chance: clock, park and wake, threads,
 * thread identity, random.  Library and chip model use nothing else for these,
 * because a deterministic simulation will replace this header's functions.
 */
#ifndef BASE_WAIT_H
#define BASE_WAIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WAIT_NS_PER_MS 1000000ull
#define WAIT_FOREVER   UINT64_MAX

/* Monotonic time in ns; never fails. */
uint64_t wait_clock_ns(void);

/*
 * Sleeps while *word == seen, until woken or until deadline_ns of the monotonic
 * clock (WAIT_FOREVER: none).  Spurious returns happen; the caller looks again.
 * Returns 0 or -ETIMEDOUT.
 */
int wait_park(_Atomic uint32_t *word, uint32_t seen, uint64_t deadline_ns);

/* Wakes all that are parked on @word; the caller has changed it first. */
void wait_wake(_Atomic uint32_t *word);

/* Brings the processor's other threads forward while spinning. */
void wait_yield(void);

struct wait_thread {
	unsigned long id;
};

/* Starts a thread with every signal blocked.  Returns 0 or a negative errno. */
int wait_thread_start(struct wait_thread *t, void *(*run)(void *arg), void *arg);
void wait_thread_join(struct wait_thread *t);

/*
 * A word that is 0 in a process that was forked after the last call of
 * wait_life_begin(), whichever way it was forked; else the number given there.
 * Where the kernel does not help (before Linux 4.14), the word is right at each
 * call of this, but not for who looks at it again by the pointer.
 */
const _Atomic uint32_t *wait_life_word(void);

/*
 * Begins a life under @number, not 0.  In a child several threads may find the
 * word 0 at once: exactly one of them gets true from wait_life_claim(), sets
 * things up and calls this; the others wait in it and get false.
 */
bool wait_life_claim(void);
void wait_life_begin(uint32_t number);

/* Processor and NUMA node the caller runs on now; -1 where unknown. */
int wait_current_node(void);

/* Fills with random bytes.  Returns 0 or a negative errno. */
int wait_random(void *buf, size_t bytes);

/* A lock for cold paths: 0 free, 1 taken, 2 taken with sleepers. */
struct wait_mutex {
	_Atomic uint32_t word;
};

void wait_mutex_lock(struct wait_mutex *m);
void wait_mutex_unlock(struct wait_mutex *m);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Something to wait for: a counter that is parked on, and on demand a
 * descriptor for poll().  Who waits reads the counter, looks for what it wants,
 * and waits for the counter to move on; who signals makes it true first.
 */
#ifndef BASE_EVENT_H
#define BASE_EVENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/wait.h"

struct event_fd; /* event.c */

struct wait_event {
	_Atomic uint32_t seq;	      /* parked on; moves with each signal */
	_Atomic uint32_t nr_sleeping; /* threads in wait_event_wait() */
	_Atomic(struct event_fd *) fd;
};

/*
 * A zeroed event is ready; fini frees its descriptor.  Nobody may be inside a call
 * on it.  In a child, fini of its parent's event lets go of the inherited copy.
 */
void wait_event_fini(struct wait_event *ev);

/*
 * Lets go of the descriptor only.  A signal may come at the same time, or later,
 * and does nothing to it.
 */
void wait_event_fd_close(struct wait_event *ev);

static inline uint32_t wait_event_seq(struct wait_event *ev)
{
	return atomic_load_explicit(&ev->seq, memory_order_acquire);
}

/* Any thread.  No system call unless somebody sleeps or the descriptor is not readable yet. */
void wait_event_signal(struct wait_event *ev);

/*
 * Sleeps until the event was signalled after @seen was read, or until
 * deadline_ns; may return early.  Returns 0 or -ETIMEDOUT.
 */
int wait_event_wait(struct wait_event *ev, uint32_t seen, uint64_t deadline_ns);

/*
 * The descriptor, made by the first call; made anew, perhaps under another number,
 * if somebody else closed it.  Close-on-exec.  One that was just made is readable,
 * so that whoever waits for it looks first; it is writable as was said last.  One
 * thread at a time for this and the two calls below.  Returns it, or -ENOMEM,
 * -EMFILE, -EOPNOTSUPP.
 */
int wait_event_fd(struct wait_event *ev);

/*
 * Readable from the next signal on, and not before.  Cheap when it is so already.
 * The caller looks once more for what it waits for after this.
 */
void wait_event_fd_clear(struct wait_event *ev);

/* Whether poll() finds it writable.  Cheap when it is so already. */
void wait_event_fd_set_writable(struct wait_event *ev, bool is_writable);

#endif

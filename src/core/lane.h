/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * What sessions need of a queue beyond the public calls: taking with a choice of
 * how much work to do for it, waiting for several queues at once, giving a queue
 * up, counting.  The only core header, beside config.h, that src/alg sees.
 */
#ifndef CORE_LANE_H
#define CORE_LANE_H

#include <stdbool.h>
#include <stdint.h>

#include <wd/stats.h>
#include <wd/wd.h>

#include "base/event.h"
#include "core/config.h"

enum lane_take {
	LANE_TAKE_DONE, /* only what is finished already */
	LANE_TAKE_POLL, /* and what a device in this process can do soon, where nobody else is at it */
	LANE_TAKE_WAIT, /* and whatever it takes */
};

/* As wd_recv_burst(). */
int lane_take(struct wd_queue *q, struct wd_req **ret_reqs, unsigned int nr, enum lane_take how);

/*
 * Where the queue's device reports to; NULL: to nobody but wd_recv_sync().  The
 * event lives until the queue was released or given up.
 */
void lane_set_event(struct wd_queue *q, struct wait_event *ev);

/* Asks for a report; take once more after this before waiting. */
void lane_arm(struct wd_queue *q);

/* When work of the queue that is held back can go on (wait_clock_ns()); 0: none is. */
uint64_t lane_due_ns(struct wd_queue *q);

/* The queue's work gets on without anybody taking or waiting.  As wd_queue_fd(). */
int lane_run_elsewhere(struct wd_queue *q);

/*
 * Gives a queue up: the device is stopped, which lasts at most as long as the
 * request being worked on; what was in flight comes back through lane_take(),
 * finished or as DEVICE_GONE, then -ENODEV.  @is_failure: the device is to blame.
 */
void lane_give_up(struct wd_queue *q, bool is_failure);

/* Whether it was made before this process was forked: it is the parent's, not to be used. */
bool lane_is_foreign(const struct wd_queue *q);

/*
 * Forgets a foreign queue; the struct is as if zeroed but for what was wished,
 * and can be requested again.
 */
void lane_forget(struct wd_queue *q);

/* The configuration; stays as it is while lane_root_get() holds. */
const struct wd_config *lane_config(void);

/* The number of this process's life, not 0: another one in a child. */
uint32_t lane_life(void);

/* Adds to a counter of the queue, by its offset in struct wd_counters. */
void lane_count(struct wd_queue *q, size_t counter, uint64_t n);

#define LANE_DEVICES_MAX 16

/* One device that suits, as the scheduler sees it. */
struct lane_device {
	uint32_t id;
	uint32_t flags; /* WD_CAPA_F_* */
	char name[WD_DEVICE_NAME_MAX];
	bool is_here;	     /* WD_CAPA_F_HERE */
	bool is_in_process;  /* its queues are run by who waits, and by workers */
	bool is_near;	     /* on the node wished, or of the caller */
	bool has_workers;    /* is_in_process: threads work on its queues unless NEAR */
	uint32_t throughput; /* class */
	uint32_t nr_queues;  /* free when asked */
};

/*
 * The devices that suit @capa, nearest first, at most @nr.  A device that has no
 * free queue now counts.  Returns how many, or a negative errno as
 * wd_request_queue().
 */
int lane_find_devices(const struct wd_capa *capa, const char *name, struct lane_device *ret_devices,
		      unsigned int nr);

/*
 * The process's one object of the layer above, made on demand under the
 * registry's lock by @create; in a child it is made anew.  Each successful get
 * has its put.  Without users it is ended with the registry: @destroy runs under
 * the registry's lock.  Returns 0 or what @create says.
 */
int lane_root_get(int (*create)(void **ret_root), void (*destroy)(void *root), void **ret_root);
void lane_root_put(void);

#endif

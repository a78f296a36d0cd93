/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Counters: what each device did for a process.  They add up: at any moment
 * sent = received + abandoned + what is in flight.
 */
#ifndef WD_STATS_H
#define WD_STATS_H

#include <wd/wd.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Running totals; they only grow. */
struct wd_counters {
	uint64_t sent;		/* requests handed over */
	uint64_t received;	/* came back answered, well or not */
	uint64_t abandoned;	/* came back unanswered: device gone, queue given up or released */
	uint64_t errors;	/* of those received, in an error status */
	uint64_t retries;	/* of those sent, that had been sent before, here or elsewhere */
	uint64_t spilled;	/* of those sent, that were another device's first */
	uint64_t bounced_bytes; /* copied because the device could not reach them in place */
	uint64_t populated_pages; /* made ready by wd_mem_populate() and sessions that ask for it */
	uint64_t timeouts;	  /* waits that ran out */
	uint64_t failures;	  /* queues that died: device gone, reset, or not to be believed */
};

/* One device's part in one process. */
struct wd_device_stats {
	uint32_t size; /* sizeof(struct wd_device_stats), set by the caller */
	uint32_t id;   /* wd_req.device_id */
	char name[WD_DEVICE_NAME_MAX];
	uint32_t queues; /* open now, idle ones included */
	uint32_t reserved;
	struct wd_counters counters;
};

/**
 * wd_stats_read() - read a process's counters
 * @pid: 0 for this process, else one whose setting "stats" is on and is this user's
 *	(root: anybody's)
 * @stats: array of @nr, each with the same size set; may be NULL when @nr is 0
 * @nr: room
 *
 * Each counter is read whole; they are not read at one instant, but in an order
 * that never shows more back than was out.  Of another process that has more than
 * 256 queues open, or 64 devices, the rest is not shown: a queue's counts until it
 * closes.
 *
 * Thread rule: any thread.
 * Return: how many devices there are (may be more than @nr), or -EINVAL, -ESRCH
 * (no such process, or it shows no counters), -EACCES (another user's), -EIO (what
 * it shows makes no sense, or there is no /proc to find it by), -ENOMEM; for this
 * process also what wd_init() returns.
 */
WD_API int wd_stats_read(int pid, struct wd_device_stats *stats, unsigned int nr);

/**
 * wd_stats_list() - processes of this user (root: of all) that show their counters
 * @pids: room for @nr
 * @nr: room
 *
 * Return: how many there are (may be more than @nr), or a negative errno.
 */
WD_API int wd_stats_list(int *pids, unsigned int nr);

/*
 * Front ends: libraries that stand in for another one (zlib, ...) and send only
 * some of its work through queues.  What they decided is counted beside what
 * devices did.  Running totals.
 */
enum wd_front_counter {
	WD_FRONT_STREAMS = 0,	   /* begun, wherever they went */
	WD_FRONT_QUEUED = 1,	   /* of these, that sent work through a queue */
	WD_FRONT_MOVED = 2,	   /* of those queued, that went on in the other library */
	WD_FRONT_REPEATED = 3,	   /* requests whose work the other library did again */
	WD_FRONT_QUEUED_BYTES = 4, /* uncompressed bytes that went through queues */
	WD_FRONT_OTHER_BYTES = 5,  /* and that the other library did */
};

#define WD_FRONT_COUNTERS_NR 6
#define WD_FRONT_NAME_MAX    24 /* with its end */

struct wd_front_stats {
	uint32_t size; /* sizeof(struct wd_front_stats), set by the caller */
	uint32_t reserved;
	char name[WD_FRONT_NAME_MAX];
	uint64_t counter[WD_FRONT_COUNTERS_NR]; /* enum wd_front_counter */
};

/**
 * wd_stats_front_add() - count for a front end
 * @front: its name, visible characters; a process has up to 8 of them
 * @add: what to add to each counter; entries that are 0 cost nothing
 *
 * A child process counts for itself alone.
 *
 * Thread rule: any thread; takes no lock once the front's name is known.
 * Return: 0, -EINVAL, -ENOSPC (too many fronts), or what wd_init() returns.
 */
WD_API int wd_stats_front_add(const char *front, const uint64_t add[WD_FRONT_COUNTERS_NR]);

/**
 * wd_stats_read_fronts() - read the counters of a process's front ends
 * @pid: as for wd_stats_read()
 * @stats: array of @nr, each with the same size set; may be NULL when @nr is 0
 * @nr: room
 *
 * Thread rule: any thread.
 * Return: how many there are (may be more than @nr), or as wd_stats_read().
 */
WD_API int wd_stats_read_fronts(int pid, struct wd_front_stats *stats, unsigned int nr);

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * What a backend provides: devices, and queues of them as mapped regions with
 * a doorbell.  The only core header that a backend sees.
 */
#ifndef CORE_BACKEND_H
#define CORE_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include <wd/driver.h>
#include <wd/wd.h>

#include "base/event.h"
#include "core/config.h"

struct wd_backend;

/* A backend in use: one per process.  What it keeps between calls hangs off state. */
struct wd_backend_host {
	const struct wd_backend *backend;
	const struct wd_config *config;
	const char *complaint; /* set by scan where it fails: why, for the log */
	void *state;
};

/*
 * Begins a backend's queue.  open fills port; the backend's own state follows.
 * What the device reports goes to event: the queue's own, or that of whoever
 * waits for several queues (core/lane.h).
 */
struct wd_backend_queue {
	struct wd_port port;
	_Atomic(struct wait_event *) event;
	struct wait_event own_event;
};

/* Who works on a queue whose device is in this process. */
enum backend_runner {
	BACKEND_RUN_POLL, /* only looks: nothing that takes long */
	BACKEND_RUN_WAIT, /* waits for one of its requests */
};

#define BACKEND_QUEUE_F_NEAR (1u << 0) /* WD_QUEUE_F_NEAR */

/* scan, free_queues, open and fini are called under one lock. */
struct wd_backend {
	const char *name; /* prefix of its devices' names */
	/*
	 * Calls @found for each device with every field set but size and id; name
	 * is without the prefix.  A machine without any is no error.  Returns 0 or
	 * a negative errno.
	 */
	int (*scan)(struct wd_backend_host *host,
		    void (*found)(void *arg, const struct wd_device_info *info), void *arg);
	/* Free queues of a device now, by the name it was found under. */
	int (*free_queues)(struct wd_backend_host *host, const char *name);
	/* Opens a queue of the device @name; flags: BACKEND_QUEUE_F_*. */
	int (*open)(struct wd_backend_host *host, const char *name, uint32_t flags,
		    struct wd_backend_queue **ret_queue);
	/* Frees host->state.  All queues are closed. */
	void (*fini)(struct wd_backend_host *host);
	/* Ends the backend's threads, although queues are open: the library's code goes away. */
	void (*end_threads)(struct wd_backend_host *host);
	/*
	 * Devices with WD_CAPA_F_SHARE: makes whole pages at @addr reachable at that
	 * address, for reading, writing or both (WD_MAP_*), and ends that; on return
	 * from unshare the device touches them no more.  core/share.c keeps ranges
	 * from overlapping.  Pages that are shared already get these rights in place
	 * of theirs, reachable all the while; unshare may end parts of what one call
	 * shared, and what several did.  Under the same lock as open.
	 */
	int (*share)(struct wd_backend_host *host, const char *name, uintptr_t addr, size_t bytes,
		     uint32_t direction);
	void (*unshare)(struct wd_backend_host *host, const char *name, uintptr_t addr,
			size_t bytes);
	/*
	 * Devices without WD_CAPA_F_SVA: zeroed pages that both sides reach, and
	 * where the device sees them.  NULL when there is none left.  Any thread that
	 * has a queue of the device.
	 */
	void *(*mem_alloc)(struct wd_backend_host *host, const char *name, size_t bytes,
			   uint64_t *ret_addr);
	void (*mem_free)(struct wd_backend_host *host, const char *name, void *ptr, size_t bytes);
	/* Starts it after the driver has prepared it. */
	int (*start)(struct wd_backend_queue *bq);
	/*
	 * Stops it: on return the device touches none of its requests' memory.
	 * Lasts at most as long as the request being worked on.
	 */
	void (*stop)(struct wd_backend_queue *bq);
	void (*close)(struct wd_backend_queue *bq);
	/*
	 * Where the device runs in this process: works on up to @budget requests
	 * of this queue in the caller's thread.  Returns how many, or -EBUSY when
	 * another thread is at it.  NULL where a real device does the work.
	 */
	int (*run)(struct wd_backend_queue *bq, unsigned int budget, enum backend_runner runner);
	/*
	 * When a run will find work that is held back now, in base/wait.h's time; 0:
	 * nothing is.  NULL with run.
	 */
	uint64_t (*due_ns)(struct wd_backend_queue *bq);
	/*
	 * From now on nobody need receive or wait for the queue to get on: a thread
	 * is at it.  Returns 0 or a negative errno.  NULL where a real device is.
	 */
	int (*run_elsewhere)(struct wd_backend_queue *bq);
};

/* All backends of this build in order of preference, NULL at the end. */
extern const struct wd_backend *const wd_backends[];

#endif

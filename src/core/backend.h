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

#include "core/config.h"

struct wd_backend;

/* A backend in use: one per process.  What it keeps between calls hangs off state. */
struct wd_backend_host {
	const struct wd_backend *backend;
	const struct wd_config *config;
	const char *complaint; /* set by scan where it fails: why, for the log */
	void *state;
};

/* Begins a backend's queue.  open fills port; the backend's own state follows. */
struct wd_backend_queue {
	struct wd_port port;
};

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
	/* Opens a queue of the device @name. */
	int (*open)(struct wd_backend_host *host, const char *name,
		    struct wd_backend_queue **ret_queue);
	/* Frees host->state.  All queues are closed. */
	void (*fini)(struct wd_backend_host *host);
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
	 * of this queue in the caller's thread, which waits for one of them or only
	 * looks.  Returns how many, or -EBUSY when another thread is at it.  NULL
	 * where a real device does the work.
	 */
	int (*run)(struct wd_backend_queue *bq, unsigned int budget, bool is_waiting);
	/*
	 * Waits until the device reported a completion since the last wait or
	 * until deadline_ns (base/wait.h).  Returns 0 or -ETIMEDOUT.
	 */
	int (*wait)(struct wd_backend_queue *bq, uint64_t deadline_ns);
};

/* All backends of this build in order of preference, NULL at the end. */
extern const struct wd_backend *const wd_backends[];

#endif

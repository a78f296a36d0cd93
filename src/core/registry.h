/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The process's devices: which backends there are, what they found, which
 * driver serves it, which idle queues are kept.  One of the two writable
 * globals of the library hangs here (backend_registry.c), under one lock.
 */
#ifndef CORE_REGISTRY_H
#define CORE_REGISTRY_H

#include <stdbool.h>

#include "base/compiler.h"
#include "core/backend.h"

struct core_queue;

#define DEVICE_IDLE_MAX 8 /* queues kept started for the next who asks */

struct wd_device {
	struct wd_device *next;
	struct wd_device_info info;
	struct wd_backend_host *host;
	const struct wd_driver *driver; /* NULL: no driver of ours knows it */
	const char *backend_name;	/* info.name without its prefix */
	struct share_table *shares;	/* share.c; NULL until something is shared */
	struct core_queue *idle[DEVICE_IDLE_MAX];
	unsigned int nr_idle;
};

struct config_overrides;
struct counters;
struct share_table;

/*
 * Locks the registry, reading configuration and devices first if that was not
 * done.  Returns 0 with the lock held, or a negative errno without.
 */
int registry_lock(void);
void registry_unlock(void);

/*
 * Forgets all devices and closes idle queues, unless a queue is in somebody's
 * hands.  The next call begins anew.
 */
void registry_fini(void);

/* All below with the lock held. */
struct wd_device *registry_devices(void);
struct wd_device *registry_find_device(uint32_t id);
const struct wd_config *registry_config(void);

/* Counts queues in the hands of callers. */
void registry_count_open(int change);

struct counters *registry_counters(void);

/*
 * The counters for who holds no lock: they stay until registry_leave_counters(),
 * which follows in any case.  NULL before the registry is ready.
 */
struct counters *registry_enter_counters(void);
void registry_leave_counters(void);

/* share.c: frees what is left of a device's. */
void share_table_destroy(struct wd_device *d);

/*
 * Locks the registry without reading anything.  Returns where the program's own
 * settings are kept; they are not to be changed when *ret_is_in_use.
 */
struct config_overrides **registry_lock_settings(bool *ret_is_in_use);

/* lane_life(); without the lock. */
uint32_t registry_life(void);

/* In a child: keeps a queue of its parent where it is not lost.  Without the lock. */
void registry_forget_queue(struct core_queue *cq);

/* driver_registry.c: the driver for a device, or NULL. */
const struct wd_driver *driver_find(const char *name, const char *api);

/* log.c: in a child, where the parent's lock may be held by a thread that is not here. */
void log_begin_life(void);

/* log.c: cold paths only. */
BASE_PRINTF(2, 3) void log_write(enum wd_log_level level, const char *fmt, ...);

#endif

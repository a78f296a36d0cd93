/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The registry of backends and their devices.  Read once, at the first call
 * that needs a device; taken down when the library is unloaded.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/wait.h"
#include "core/queue.h"
#include "core/registry.h"

#define BACKENDS_MAX 4

static struct {
	struct wait_mutex lock;
	bool is_ready;
	struct wd_config config;
	struct wd_backend_host host[BACKENDS_MAX];
	unsigned int nr_hosts;
	struct wd_device *devices; /* in order of preference; never removed */
	uint32_t last_id;
	int nr_open;  /* queues in the hands of callers */
	int scan_err; /* of the scan under way */
} registry;

static void add_device(void *arg, const struct wd_device_info *found)
{
	struct wd_backend_host *host = arg;
	struct wd_device *d = calloc(1, sizeof(*d));
	struct wd_device **end;
	int n;

	if (!d) {
		registry.scan_err = -ENOMEM;
		return;
	}
	d->info = *found;
	d->info.size = sizeof(d->info);
	n = snprintf(d->info.name, sizeof(d->info.name), "%s:%s", host->backend->name, found->name);
	if (n < 0 || (size_t)n >= sizeof(d->info.name)) {
		log_write(WD_LOG_WARN, "device name too long, ignored: %s", found->name);
		free(d);
		return;
	}
	snprintf(d->info.backend, sizeof(d->info.backend), "%s", host->backend->name);
	d->info.id = ++registry.last_id;
	d->host = host;
	d->backend_name = d->info.name + strlen(host->backend->name) + 1;
	d->driver = driver_find(d->info.driver, d->info.api);
	if (!d->driver)
		log_write(WD_LOG_INFO, "no driver for %s (%s, %s)", d->info.name, d->info.driver,
			  d->info.api);
	for (end = &registry.devices; *end; end = &(*end)->next)
		;
	*end = d;
}

static void fini_locked(void)
{
	while (registry.devices) {
		struct wd_device *d = registry.devices;

		while (d->nr_idle)
			core_queue_destroy(d->idle[--d->nr_idle]);
		registry.devices = d->next;
		free(d);
	}
	while (registry.nr_hosts) {
		struct wd_backend_host *host = &registry.host[--registry.nr_hosts];

		host->backend->fini(host);
	}
	registry.is_ready = false;
}

static int init_locked(void)
{
	const struct wd_backend *const *b;
	const char *name;
	int err = config_read(&registry.config, &name);

	if (err) {
		log_write(WD_LOG_ERROR, "%s has a value that makes no sense", name);
		return err;
	}
	registry.scan_err = 0;
	for (b = wd_backends; *b && registry.nr_hosts < BACKENDS_MAX; b++) {
		struct wd_backend_host *host = &registry.host[registry.nr_hosts++];

		*host = (struct wd_backend_host){ .backend = *b, .config = &registry.config };
		err = (*b)->scan(host, add_device, host);
		if (!err)
			err = registry.scan_err;
		if (err) {
			log_write(WD_LOG_ERROR, "backend %s: %s", (*b)->name,
				  host->complaint ? host->complaint : wd_error_text(err));
			fini_locked();
			return err;
		}
	}
	registry.is_ready = true;
	return 0;
}

int registry_lock(void)
{
	int err = 0;

	wait_mutex_lock(&registry.lock);
	if (!registry.is_ready)
		err = init_locked();
	if (err)
		wait_mutex_unlock(&registry.lock);
	return err;
}

void registry_unlock(void)
{
	wait_mutex_unlock(&registry.lock);
}

void registry_count_open(int change)
{
	registry.nr_open += change;
}

struct wd_device *registry_devices(void)
{
	return registry.devices;
}

struct wd_device *registry_find_device(uint32_t id)
{
	struct wd_device *d;

	for (d = registry.devices; d && d->info.id != id; d = d->next)
		;
	return d;
}

const struct wd_config *registry_config(void)
{
	return &registry.config;
}

/* When the library is unloaded or the program ends: no thread of ours outlives it. */
__attribute__((destructor)) void registry_fini(void)
{
	wait_mutex_lock(&registry.lock);
	/* At exit, threads may still be at work on their queues: these go with the process. */
	if (!registry.nr_open)
		fini_locked();
	wait_mutex_unlock(&registry.lock);
}

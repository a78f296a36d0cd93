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

#include "base/barrier.h"
#include "base/compiler.h"
#include "base/wait.h"
#include "core/queue.h"
#include "core/registry.h"

#define BACKENDS_MAX 4

/* Who counts is done in a microsecond, unless it was stopped half way. */
#define COUNTING_MAX_NS (1000 * WAIT_NS_PER_MS)

struct inherited;

/* Of this process; a child begins with a zeroed one. */
static struct registry {
	struct wait_mutex lock;
	bool is_ready;
	struct wd_config config;
	struct wd_backend_host host[BACKENDS_MAX];
	unsigned int nr_hosts;
	struct wd_device *devices; /* in order of preference; never removed */
	struct counters *counters;
	uint32_t last_id;
	unsigned int nr_inits; /* wd_init() without its wd_fini() */
	int nr_open;	       /* queues in the hands of callers, and users of the root */
	int scan_err;	       /* of the scan under way */
	void *root;	       /* lane_root_get() */
	void (*destroy_root)(void *root);
	struct core_queue *forgotten; /* queues of a parent that were in the program's hands */
	_Atomic(struct counters *) entrance; /* registry_enter_counters(); NULL: closed */
	_Atomic uint32_t nr_inside;
} registry;

/* What a child sets aside of its parent's: never touched, but not lost either. */
struct inherited {
	struct inherited *next;
	struct registry registry;
};

/* Outlives registry; a child goes on with it. */
static struct {
	uint32_t last_life;
	struct config_overrides *overrides; /* under registry.lock */
	struct inherited *inherited;
} ancestry;

/* ---------------------------------------------------------------- a process's life */

/*
 * In a child: the parent's queues, threads and devices are not ours, and its locks
 * may be held by a thread that is not here.  All of it is set aside.
 */
static void set_aside_inherited(void)
{
	struct inherited *old = malloc(sizeof(*old));

	if (registry.counters)
		counters_abandon(registry.counters);
	if (old) {
		old->registry = registry;
		old->next = ancestry.inherited;
		ancestry.inherited = old;
	}
	registry = (struct registry){ 0 };
	log_begin_life();
}

/* Every way to the registry comes through here first. */
static uint32_t begin_life(void)
{
	uint32_t life = wd_load_acquire(wait_life_word());

	if (base_likely(life))
		return life;
	if (!wait_life_claim())
		return wd_load_acquire(wait_life_word());
	life = ancestry.last_life + 1;
	if (ancestry.last_life)
		set_aside_inherited();
	/* Its own number before anything is made under it, should a thread fork right now. */
	ancestry.last_life = life ? life : 1;
	wait_life_begin(ancestry.last_life);
	return ancestry.last_life;
}

uint32_t registry_life(void)
{
	return begin_life();
}

/* ---------------------------------------------------------------- devices */

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
	if (counters_add_device(registry.counters, d->info.id, d->info.name)) {
		registry.scan_err = -ENOMEM;
		free(d);
		return;
	}
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

/*
 * Lets nobody in any more, and waits for those inside.  False when one does not
 * come out: what it counts in must stay then.
 */
static bool close_entrance(void)
{
	uint64_t deadline_ns = wait_clock_ns() + COUNTING_MAX_NS;

	/* closed, then who is inside: pairs with registry_enter_counters() */
	atomic_store(&registry.entrance, NULL);
	while (atomic_load(&registry.nr_inside)) {
		if (wait_clock_ns() >= deadline_ns)
			return false;
		wait_yield();
	}
	return true;
}

static void fini_locked(void)
{
	bool is_counting = !close_entrance();
	struct counters *counters;

	while (registry.devices) {
		struct wd_device *d = registry.devices;

		while (d->nr_idle)
			core_queue_destroy_locked(d->idle[--d->nr_idle]);
		share_table_destroy(d);
		registry.devices = d->next;
		free(d);
	}
	while (registry.nr_hosts) {
		struct wd_backend_host *host = &registry.host[--registry.nr_hosts];

		host->backend->fini(host);
	}
	/* After the devices' threads: they signal events of the layer above. */
	if (registry.root)
		registry.destroy_root(registry.root);
	registry.root = NULL;
	counters = registry.counters;
	registry.counters = NULL;
	/* A child forked in this moment must not find what is being freed. */
	wd_full_mb();
	if (base_likely(!is_counting))
		counters_destroy(counters);
	else
		counters_hide(counters);
	registry.last_id = 0;
	registry.is_ready = false;
}

static int init_locked(void)
{
	const struct wd_backend *const *b;
	char complaint[256];
	int err = config_read(&registry.config, ancestry.overrides, complaint, sizeof(complaint));

	if (err) {
		log_write(WD_LOG_ERROR, "%s", err == -EINVAL ? complaint : wd_error_text(err));
		return err;
	}
	err = counters_create(registry.config.is_stats_shown, &registry.counters);
	if (err)
		return err;
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
	wd_store_release(&registry.entrance, registry.counters);
	return 0;
}

int registry_lock(void)
{
	int err = 0;

	begin_life();
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

struct counters *registry_counters(void)
{
	return registry.counters;
}

struct counters *registry_enter_counters(void)
{
	begin_life();
	/* inside, then whether it is open: pairs with close_entrance() */
	atomic_fetch_add(&registry.nr_inside, 1);
	return atomic_load(&registry.entrance);
}

void registry_leave_counters(void)
{
	/* what was counted before that: pairs with close_entrance() */
	atomic_fetch_sub_explicit(&registry.nr_inside, 1, memory_order_release);
}

struct config_overrides **registry_lock_settings(bool *ret_is_in_use)
{
	begin_life();
	wait_mutex_lock(&registry.lock);
	*ret_is_in_use = registry.is_ready;
	return &ancestry.overrides;
}

void registry_forget_queue(struct core_queue *cq)
{
	begin_life();
	wait_mutex_lock(&registry.lock);
	cq->next_forgotten = registry.forgotten;
	registry.forgotten = cq;
	wait_mutex_unlock(&registry.lock);
}

/* ---------------------------------------------------------------- the layer above */

int lane_root_get(int (*create)(void **ret_root), void (*destroy)(void *root), void **ret_root)
{
	int err = registry_lock();

	if (err)
		return err;
	if (!registry.root) {
		err = create(&registry.root);
		registry.destroy_root = destroy;
	}
	if (!err) {
		registry.nr_open++;
		*ret_root = registry.root;
	}
	registry_unlock();
	return err;
}

void lane_root_put(void)
{
	begin_life();
	wait_mutex_lock(&registry.lock);
	registry.nr_open--;
	wait_mutex_unlock(&registry.lock);
}

/* ---------------------------------------------------------------- its end */

int wd_init(void)
{
	int err = registry_lock();

	if (err)
		return err;
	registry.nr_inits++;
	registry_unlock();
	return 0;
}

void wd_fini(void)
{
	begin_life();
	wait_mutex_lock(&registry.lock);
	if (registry.nr_inits && !--registry.nr_inits && !registry.nr_open)
		fini_locked();
	wait_mutex_unlock(&registry.lock);
}

/* When the library is unloaded or the program ends: no thread of ours outlives it. */
__attribute__((destructor)) void registry_fini(void)
{
	unsigned int i;

	/* A child that never used the library has nothing but its parent's. */
	if (!wd_load_acquire(wait_life_word()))
		return;
	wait_mutex_lock(&registry.lock);
	/* At exit, threads may still be at work on their queues: these go with the process. */
	if (!registry.nr_open) {
		fini_locked();
		config_overrides_free(ancestry.overrides);
		ancestry.overrides = NULL;
	} else {
		counters_hide(registry.counters);
	}
	for (i = 0; i < registry.nr_hosts; i++)
		registry.host[i].backend->end_threads(&registry.host[i]);
	wait_mutex_unlock(&registry.lock);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* What devices there are, and which of them suits a wish. */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/compiler.h"
#include "base/wait.h"
#include "core/counters.h"
#include "core/device.h"
#include "core/lane.h"

#define DISTANCE_UNKNOWN 1 /* between the same node (0) and another one (2) */
#define DISTANCE_OTHER	 2

/* Whether @alg stands on a line of its own in @algs. */
static bool has_alg(const char *algs, const char *alg)
{
	size_t n = strlen(alg);

	while (*algs) {
		size_t line = strcspn(algs, "\n");

		if (line == n && !memcmp(algs, alg, n))
			return true;
		algs += line + (algs[line] == '\n');
	}
	return false;
}

static bool device_suits(const struct wd_device *d, const struct wd_capa *capa, const char *name)
{
	const struct wd_device_info *info = &d->info;
	uint32_t features = WD_CAPA_F_SVA | WD_CAPA_F_LEVELS | WD_CAPA_F_SHARE | WD_CAPA_F_HERE;

	return d->driver && !info->isolated && (!*name || !strcmp(name, info->name)) &&
	       has_alg(info->algs, capa->alg) && !(capa->flags & features & ~info->flags) &&
	       (!capa->throughput || info->throughput >= capa->throughput) &&
	       (!capa->latency || info->latency <= capa->latency);
}

static int distance(const struct wd_device *d, int node)
{
	if (node < 0 || d->info.numa_node < 0)
		return DISTANCE_UNKNOWN;
	return d->info.numa_node == node ? 0 : DISTANCE_OTHER;
}

/* Queues to be had, or a negative errno; idle ones are kept for whoever asks. */
static int nr_free_queues(const struct wd_device *d)
{
	int n = d->host->backend->free_queues(d->host, d->backend_name);

	if (!d->nr_idle)
		return n;
	return (n > 0 ? n : 0) + (int)d->nr_idle;
}

int device_choose(const struct wd_capa *capa, const char *name, struct wd_device **ret_device)
{
	int node = capa->flags & WD_CAPA_F_NUMA_NODE ? capa->numa_node : wait_current_node();
	struct wd_device *d, *best = NULL;
	int best_distance = INT_MAX;
	int best_free = 0;
	int err = -ENODEV;

	for (d = registry_devices(); d; d = d->next) {
		int nr_free;

		if (!device_suits(d, capa, name))
			continue;
		nr_free = nr_free_queues(d);
		if (nr_free <= 0) {
			/* Some device could do it: say busy rather than that there is none. */
			err = nr_free ? nr_free : -EBUSY;
			continue;
		}
		if (distance(d, node) > best_distance ||
		    (distance(d, node) == best_distance && nr_free <= best_free))
			continue;
		best = d;
		best_distance = distance(d, node);
		best_free = nr_free;
	}
	if (!best)
		return err;
	*ret_device = best;
	return 0;
}

/* Nearest first, and as discovered where that is the same. */
static void insert_device(struct lane_device *devices, int *nr, int max,
			  const struct lane_device *found, int *distances, int found_distance)
{
	int i = *nr < max ? *nr : max;

	if (i == max && (max == 0 || distances[max - 1] <= found_distance))
		return;
	if (i == max)
		i--;
	else
		++*nr;
	for (; i > 0 && distances[i - 1] > found_distance; i--) {
		devices[i] = devices[i - 1];
		distances[i] = distances[i - 1];
	}
	devices[i] = *found;
	distances[i] = found_distance;
}

int lane_find_devices(const struct wd_capa *capa, const char *name, struct lane_device *ret_devices,
		      unsigned int nr)
{
	int node = capa->flags & WD_CAPA_F_NUMA_NODE ? capa->numa_node : wait_current_node();
	int distances[LANE_DEVICES_MAX];
	struct wd_device *d;
	int n = 0;
	int err = registry_lock();

	if (err)
		return err;
	nr = nr < LANE_DEVICES_MAX ? nr : LANE_DEVICES_MAX;
	if (!name || !*name)
		name = registry_config()->device;
	for (d = registry_devices(); d; d = d->next) {
		int free_queues = nr_free_queues(d);
		struct lane_device found = {
			.id = d->info.id,
			.flags = d->info.flags,
			.is_here = d->info.flags & WD_CAPA_F_HERE,
			.is_in_process = d->host->backend->run,
			.is_near = distance(d, node) != DISTANCE_OTHER,
			.throughput = d->info.throughput,
			.nr_queues = free_queues > 0 ? (uint32_t)free_queues : 0,
		};

		if (!device_suits(d, capa, name))
			continue;
		memcpy(found.name, d->info.name, sizeof(found.name));
		found.has_workers = found.is_in_process && registry_config()->embed_workers;
		insert_device(ret_devices, &n, (int)nr, &found, distances, distance(d, node));
	}
	registry_unlock();
	return n ? n : -ENODEV;
}

/* One element of the caller's array, whose size may be that of another release. */
static struct wd_device_info *info_at(struct wd_device_info *infos, unsigned int i)
{
	return (struct wd_device_info *)(void *)((char *)infos + (size_t)i * infos->size);
}

int wd_list_devices(struct wd_device_info *infos, unsigned int nr)
{
	struct wd_device *d;
	unsigned int i;
	int n = 0;
	int err;

	if (nr && (!infos || infos->size < sizeof(infos->size) ||
		   infos->size % _Alignof(struct wd_device_info)))
		return -EINVAL;
	for (i = 0; i < nr; i++)
		if (info_at(infos, i)->size != infos->size)
			return -EINVAL;
	err = registry_lock();
	if (err)
		return err;
	for (d = registry_devices(); d; d = d->next, n++) {
		struct wd_device_info info = d->info;
		struct wd_counters counters;
		uint32_t nr_open;

		if ((unsigned int)n >= nr)
			continue;
		counters_read(registry_counters(), info.id, &counters, &nr_open);
		info.requests = counters.received;
		info.errors = counters.errors;
		info.free_queues = nr_free_queues(d) > 0 ? nr_free_queues(d) : 0;
		info.size = infos->size;
		memcpy(info_at(infos, (unsigned int)n), &info,
		       base_min_u64(infos->size, sizeof(info)));
	}
	registry_unlock();
	return n;
}

const char *wd_device_name(uint32_t device_id)
{
	struct wd_device *d;
	const char *name = "none";

	if (!device_id || registry_lock())
		return name;
	d = registry_find_device(device_id);
	if (d)
		name = d->info.name;
	registry_unlock();
	return name;
}

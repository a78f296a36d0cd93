/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* What devices there are, and which of them suits a wish. */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/compiler.h"
#include "base/wait.h"
#include "core/device.h"

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
	uint32_t features = WD_CAPA_F_SVA | WD_CAPA_F_LEVELS;

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

		if ((unsigned int)n >= nr)
			continue;
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

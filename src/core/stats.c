/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* The public calls that read counters: this process's, and what others show. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "core/registry.h"
#include "core/stats_page.h"

/* One element of the caller's array, whose size may be that of another release. */
static struct wd_device_stats *stats_at(struct wd_device_stats *stats, unsigned int i)
{
	return (struct wd_device_stats *)(void *)((char *)stats + (size_t)i * stats->size);
}

static bool is_array_valid(struct wd_device_stats *stats, unsigned int nr)
{
	unsigned int i;

	if (nr && (!stats || stats->size < sizeof(stats->size) ||
		   stats->size % _Alignof(struct wd_device_stats)))
		return false;
	for (i = 0; i < nr; i++)
		if (stats_at(stats, i)->size != stats->size)
			return false;
	return true;
}

static void put(struct wd_device_stats *stats, unsigned int i, struct wd_device_stats *found)
{
	found->size = stats->size;
	memcpy(stats_at(stats, i), found, base_min_u64(stats->size, sizeof(*found)));
}

static int read_own(struct wd_device_stats *stats, unsigned int nr)
{
	struct wd_device *d;
	unsigned int n = 0;
	int err = registry_lock();

	if (err)
		return err;
	for (d = registry_devices(); d; d = d->next, n++) {
		struct wd_device_stats found = { .id = d->info.id };

		if (n >= nr)
			continue;
		memcpy(found.name, d->info.name, sizeof(found.name));
		counters_read(registry_counters(), d->info.id, &found.counters, &found.queues);
		put(stats, n, &found);
	}
	registry_unlock();
	return (int)n;
}

/* Adds a block of a copied page; the sum of what makes sense is never too large. */
static bool add_block(struct wd_device_stats *found, const struct counter_block *b)
{
	uint64_t sum[COUNTERS_NR];
	unsigned int i;

	memcpy(sum, &found->counters, sizeof(sum));
	for (i = 0; i < COUNTERS_NR; i++)
		if (__builtin_add_overflow(sum[i], counter_get(b, i), &sum[i]))
			return false;
	memcpy(&found->counters, sum, sizeof(sum));
	return true;
}

static bool sum_device(const struct stats_page *page, const struct stats_device *d,
		       struct wd_device_stats *ret_found)
{
	unsigned int i;

	*ret_found = (struct wd_device_stats){
		.id = wd_load_relaxed(&d->total.device_id),
		.queues = wd_load_relaxed(&d->nr_queues),
	};
	memcpy(ret_found->name, d->name, sizeof(ret_found->name));
	if (!add_block(ret_found, &d->total))
		return false;
	for (i = 0; i < STATS_BLOCKS_MAX; i++)
		if (wd_load_relaxed(&page->block[i].device_id) == ret_found->id &&
		    !add_block(ret_found, &page->block[i]))
			return false;
	return true;
}

static int sum_page(const struct stats_page *page, struct wd_device_stats *stats, unsigned int nr)
{
	unsigned int i, n = 0;

	for (i = 0; i < STATS_DEVICES_MAX; i++) {
		struct wd_device_stats found;

		if (!wd_load_relaxed(&page->device[i].total.device_id))
			continue;
		if (!sum_device(page, &page->device[i], &found))
			return -EIO;
		if (n < nr)
			put(stats, n, &found);
		n++;
	}
	return (int)n;
}

int wd_stats_read(int pid, struct wd_device_stats *stats, unsigned int nr)
{
	struct stats_page *page;
	int ret;

	if (pid < 0 || !is_array_valid(stats, nr))
		return -EINVAL;
	if (!pid)
		return read_own(stats, nr);
	ret = stats_page_read(STATS_DIR, pid, &page);
	if (ret)
		return ret;
	ret = sum_page(page, stats, nr);
	free(page);
	return ret;
}

int wd_stats_list(int *pids, unsigned int nr)
{
	if (nr && !pids)
		return -EINVAL;
	return stats_page_list(STATS_DIR, pids, nr);
}

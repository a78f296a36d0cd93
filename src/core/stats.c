/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* The public calls that read counters: this process's, and what others show. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "core/registry.h"
#include "core/stats_page.h"

_Static_assert(offsetof(struct wd_device_stats, size) == 0 &&
		       offsetof(struct wd_front_stats, size) == 0,
	       "every element begins with its size");
_Static_assert(_Alignof(struct wd_device_stats) == _Alignof(struct wd_front_stats),
	       "elements are aligned alike");

/* One element of the caller's array, whose size, its first word, may be that of another release. */
static void *element_at(void *array, unsigned int i)
{
	const uint32_t *size = array;

	return (char *)array + (size_t)i * *size;
}

static bool is_array_valid(void *array, unsigned int nr)
{
	const uint32_t *size = array;
	unsigned int i;

	if (nr && (!size || *size < sizeof(*size) || *size % _Alignof(struct wd_device_stats)))
		return false;
	for (i = 0; i < nr; i++)
		if (*(const uint32_t *)element_at(array, i) != *size)
			return false;
	return true;
}

/* @found is @bytes long; its size becomes the caller's. */
static void put(void *array, unsigned int i, void *found, size_t bytes)
{
	uint32_t size = *(const uint32_t *)array;

	*(uint32_t *)found = size;
	memcpy(element_at(array, i), found, base_min_u64(size, bytes));
}

/* ---------------------------------------------------------------- devices */

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
		put(stats, n, &found, sizeof(found));
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
			put(stats, n, &found, sizeof(found));
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

/* ---------------------------------------------------------------- front ends */

/* The first time that this process counts for it. */
static BASE_COLD int add_to_new(const char *front, const uint64_t add[WD_FRONT_COUNTERS_NR])
{
	int err;

	if (!stats_is_name(front, WD_FRONT_NAME_MAX))
		return -EINVAL;
	err = registry_lock();
	if (err)
		return err;
	err = counters_add_front(registry_counters(), front);
	if (!err)
		counters_count_front(registry_counters(), front, add);
	registry_unlock();
	return err;
}

int wd_stats_front_add(const char *front, const uint64_t add[WD_FRONT_COUNTERS_NR])
{
	struct counters *c;
	bool is_counted;

	if (!front || !add)
		return -EINVAL;
	c = registry_enter_counters();
	is_counted = c && counters_count_front(c, front, add);
	registry_leave_counters();
	return base_likely(is_counted) ? 0 : add_to_new(front, add);
}

static int read_own_fronts(struct wd_front_stats *stats, unsigned int nr)
{
	struct wd_front_stats found = { 0 };
	unsigned int n;
	int err = registry_lock();

	if (err)
		return err;
	for (n = 0; counters_read_front(registry_counters(), n, &found); n++)
		if (n < nr)
			put(stats, n, &found, sizeof(found));
	registry_unlock();
	return (int)n;
}

static int read_page_fronts(const struct stats_page *page, struct wd_front_stats *stats,
			    unsigned int nr)
{
	struct wd_front_stats found = { 0 };
	unsigned int i, n = 0;

	for (i = 0; i < STATS_FRONTS_MAX; i++) {
		if (!wd_load_relaxed(&page->front[i].is_named))
			continue;
		counters_sum_front(&page->front[i], &found);
		if (n < nr)
			put(stats, n, &found, sizeof(found));
		n++;
	}
	return (int)n;
}

int wd_stats_read_fronts(int pid, struct wd_front_stats *stats, unsigned int nr)
{
	struct stats_page *page;
	int ret;

	if (pid < 0 || !is_array_valid(stats, nr))
		return -EINVAL;
	if (!pid)
		return read_own_fronts(stats, nr);
	ret = stats_page_read(STATS_DIR, pid, &page);
	if (ret)
		return ret;
	ret = read_page_fronts(page, stats, nr);
	free(page);
	return ret;
}

/* ---------------------------------------------------------------- processes */

int wd_stats_list(int *pids, unsigned int nr)
{
	if (nr && !pids)
		return -EINVAL;
	return stats_page_list(STATS_DIR, pids, nr);
}

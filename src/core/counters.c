/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Who counts where.  Devices and open queues have their places in a page that
 * may be shown (stats_page.h); what it has no room for has places elsewhere, which
 * only this process sees: such a queue's counts are shown when it closes and
 * they join its device's.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/registry.h"
#include "core/stats_page.h"

/*
 * A number of blocks: first the page's, then as many of our own as it takes.
 * Whose they are is kept apart, because the page's file can be written by others
 * of this user: then counts are wrong, and nothing else is.
 */
struct block_chunk {
	struct block_chunk *next;
	struct counter_block *block;
	unsigned int nr_used;
	struct device_place *owner[STATS_BLOCKS_MAX]; /* NULL: free */
};

/* Where a device counts: in the page, or where it has no room, in memory of its own. */
struct device_place {
	struct device_place *next;
	uint32_t id;
	uint32_t nr_queues;
	struct stats_device *shown;
	void *own; /* the memory, or NULL */
};

struct counters {
	struct stats_page *page;
	struct block_chunk chunk; /* the page's; others follow */
	struct device_place *devices;
	unsigned int nr_devices;
	/* A front's place in the page is the same as here; names do not change once counted. */
	char front_name[STATS_FRONTS_MAX][WD_FRONT_NAME_MAX];
	_Atomic uint32_t nr_fronts;
	bool is_shown;
	struct stats_place place;
};

/* ---------------------------------------------------------------- life */

static bool show(struct counters *c, const char *dir)
{
	int err = stats_page_show(dir, &c->page, &c->place);

	if (!err)
		return true;
	errno = -err;
	log_write(WD_LOG_WARN, "other processes cannot see the counters of this one: %s: %m", dir);
	return false;
}

int counters_create_in(const char *dir, struct counters **ret_counters)
{
	struct counters *c = calloc(1, sizeof(*c));
	void *p;

	if (!c)
		return -ENOMEM;
	c->is_shown = dir && show(c, dir);
	if (!c->is_shown) {
		p = mmap(NULL, sizeof(*c->page), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED) {
			free(c);
			return -ENOMEM;
		}
		c->page = p;
	}
	c->chunk.block = c->page->block;
	*ret_counters = c;
	return 0;
}

int counters_create(bool is_shown, struct counters **ret_counters)
{
	return counters_create_in(is_shown ? STATS_DIR : NULL, ret_counters);
}

void counters_hide(struct counters *c)
{
	if (!c || !c->is_shown)
		return;
	stats_page_hide(&c->place);
	c->is_shown = false;
}

void counters_destroy(struct counters *c)
{
	if (!c)
		return;
	counters_hide(c);
	while (c->chunk.next) {
		struct block_chunk *chunk = c->chunk.next;

		c->chunk.next = chunk->next;
		free(chunk->block);
		free(chunk);
	}
	while (c->devices) {
		struct device_place *d = c->devices;

		c->devices = d->next;
		free(d->own);
		free(d);
	}
	munmap(c->page, sizeof(*c->page));
	free(c);
}

/*
 * Memory of the child's own takes the place of the page, so that what is left of
 * the parent's queues points at something, and nothing that is done to it gets
 * out.  The rest of *c may have been half changed when the parent forked.
 */
void counters_abandon(struct counters *c)
{
	if (!c->is_shown)
		return;
	mmap(c->page, sizeof(*c->page), PROT_READ | PROT_WRITE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	c->is_shown = false;
}

/* ---------------------------------------------------------------- moving counts */

/*
 * A count is in two places or in none between these two.  Each store after begin
 * is a release, so that who sees one of them sees that changes is odd or has
 * moved on; pairs with the reader, which looks at changes before and after.
 */
static void begin_change(struct counters *c)
{
	_Atomic uint32_t *changes = &c->page->header.changes;

	wd_store_relaxed(changes, wd_load_relaxed(changes) + 1);
}

static void end_change(struct counters *c)
{
	_Atomic uint32_t *changes = &c->page->header.changes;

	wd_store_release(changes, wd_load_relaxed(changes) + 1);
}

static void move_counts(struct counter_block *from, struct counter_block *to)
{
	unsigned int i;

	for (i = 0; i < COUNTERS_NR; i++) {
		wd_store_release(&to->value[i], counter_get(to, i) + counter_get(from, i));
		wd_store_release(&from->value[i], 0);
	}
}

/* ---------------------------------------------------------------- devices */

static struct device_place *find_device(struct counters *c, uint32_t id)
{
	struct device_place *d;

	for (d = c->devices; d && d->id != id; d = d->next)
		;
	return d;
}

/* Zeroed, aligned as the blocks in it are. */
static void *alloc_blocks(size_t bytes)
{
	void *p = aligned_alloc(_Alignof(struct counter_block), bytes);

	if (p)
		memset(p, 0, bytes);
	return p;
}

int counters_add_device(struct counters *c, uint32_t id, const char *name)
{
	struct device_place *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	if (c->nr_devices < STATS_DEVICES_MAX)
		d->shown = &c->page->device[c->nr_devices];
	else
		d->shown = d->own = alloc_blocks(sizeof(*d->shown));
	if (!d->shown) {
		free(d);
		return -ENOMEM;
	}
	c->nr_devices++;
	d->id = id;
	d->next = c->devices;
	c->devices = d;
	begin_change(c);
	strncpy(d->shown->name, name, sizeof(d->shown->name) - 1);
	/* the name before what makes it one */
	wd_store_release(&d->shown->total.device_id, id);
	end_change(c);
	return 0;
}

/* ---------------------------------------------------------------- queues */

static struct block_chunk *add_chunk(struct block_chunk *last)
{
	struct block_chunk *chunk = calloc(1, sizeof(*chunk));

	if (!chunk)
		return NULL;
	chunk->block = alloc_blocks(STATS_BLOCKS_MAX * sizeof(*chunk->block));
	if (!chunk->block) {
		free(chunk);
		return NULL;
	}
	last->next = chunk;
	return chunk;
}

static struct block_chunk *find_room(struct counters *c)
{
	struct block_chunk *chunk = &c->chunk;

	while (chunk->nr_used == STATS_BLOCKS_MAX) {
		struct block_chunk *next = chunk->next ? chunk->next : add_chunk(chunk);

		if (!next)
			return NULL;
		chunk = next;
	}
	return chunk;
}

static void set_nr_queues(struct device_place *d, uint32_t nr)
{
	d->nr_queues = nr;
	wd_store_release(&d->shown->nr_queues, nr);
}

struct counter_block *counters_open(struct counters *c, uint32_t device_id)
{
	struct device_place *d = find_device(c, device_id);
	struct block_chunk *chunk = d ? find_room(c) : NULL;
	unsigned int i;

	if (!chunk)
		return NULL;
	for (i = 0; chunk->owner[i]; i++)
		;
	chunk->owner[i] = d;
	chunk->nr_used++;
	begin_change(c);
	wd_store_release(&chunk->block[i].device_id, device_id);
	set_nr_queues(d, d->nr_queues + 1);
	end_change(c);
	return &chunk->block[i];
}

void counters_close(struct counters *c, struct counter_block *b)
{
	struct block_chunk *chunk = &c->chunk;
	struct device_place *d;

	while (b < chunk->block || b >= chunk->block + STATS_BLOCKS_MAX)
		chunk = chunk->next;
	d = chunk->owner[b - chunk->block];
	chunk->owner[b - chunk->block] = NULL;
	chunk->nr_used--;
	begin_change(c);
	move_counts(b, &d->shown->total);
	wd_store_release(&b->device_id, 0);
	set_nr_queues(d, d->nr_queues - 1);
	end_change(c);
}

/* ---------------------------------------------------------------- sums */

/* What is sent is read last, so that never more is back than was out. */
static void add_block(uint64_t *sum, const struct counter_block *b)
{
	unsigned int i;

	for (i = COUNTERS_NR; i-- > 0;)
		sum[i] += wd_load_acquire(&b->value[i]); /* each before the next */
}

void counters_read(struct counters *c, uint32_t device_id, struct wd_counters *ret_sum,
		   uint32_t *ret_nr_queues)
{
	struct device_place *d = find_device(c, device_id);
	uint64_t sum[COUNTERS_NR] = { 0 };
	struct block_chunk *chunk;
	unsigned int i;

	_Static_assert(sizeof(sum) == sizeof(*ret_sum), "counters and nothing else");
	if (d)
		add_block(sum, &d->shown->total);
	for (chunk = &c->chunk; d && chunk; chunk = chunk->next)
		for (i = 0; chunk->nr_used && i < STATS_BLOCKS_MAX; i++)
			if (chunk->owner[i] == d)
				add_block(sum, &chunk->block[i]);
	memcpy(ret_sum, sum, sizeof(sum));
	*ret_nr_queues = d ? d->nr_queues : 0;
}

void counters_add(struct counters *c, uint32_t device_id, enum counter which, uint64_t n)
{
	struct device_place *d = find_device(c, device_id);

	if (d)
		counter_bump(&d->shown->total, which, n);
}

/* ---------------------------------------------------------------- front ends */

/* By the names kept here, since the page's can be written by others. */
static struct stats_front *find_front(struct counters *c, const char *name)
{
	/* the names before their number: pairs with the release in counters_add_front() */
	uint32_t i, nr = wd_load_acquire(&c->nr_fronts);

	for (i = 0; i < nr; i++)
		if (!strcmp(c->front_name[i], name))
			return &c->page->front[i];
	return NULL;
}

int counters_add_front(struct counters *c, const char *name)
{
	uint32_t nr = wd_load_relaxed(&c->nr_fronts);
	struct stats_front *front;

	if (find_front(c, name))
		return 0;
	if (nr == STATS_FRONTS_MAX)
		return -ENOSPC;
	front = &c->page->front[nr];
	strcpy(c->front_name[nr], name);
	begin_change(c);
	memcpy(front->name, c->front_name[nr], sizeof(front->name));
	/* the name before what makes it one */
	wd_store_release(&front->is_named, 1);
	end_change(c);
	wd_store_release(&c->nr_fronts, nr + 1);
	return 0;
}

bool counters_count_front(struct counters *c, const char *name,
			  const uint64_t add[WD_FRONT_COUNTERS_NR])
{
	struct stats_front *front = find_front(c, name);
	unsigned int i;

	if (!front)
		return false;
	for (i = 0; i < WD_FRONT_COUNTERS_NR; i++)
		if (add[i])
			/* in order: pairs with counters_sum_front() */
			atomic_fetch_add_explicit(&front->value[i], add[i], memory_order_release);
	return true;
}

/* Streams are read last, so that there are never more queued than begun. */
void counters_sum_front(const struct stats_front *front, struct wd_front_stats *ret_stats)
{
	unsigned int i;

	for (i = WD_FRONT_COUNTERS_NR; i-- > 0;)
		ret_stats->counter[i] =
			wd_load_acquire(&front->value[i]); /* each before the next */
	memcpy(ret_stats->name, front->name, sizeof(ret_stats->name));
}

bool counters_read_front(struct counters *c, unsigned int i, struct wd_front_stats *ret_stats)
{
	if (i >= wd_load_relaxed(&c->nr_fronts))
		return false;
	counters_sum_front(&c->page->front[i], ret_stats);
	memcpy(ret_stats->name, c->front_name[i], sizeof(ret_stats->name));
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Ranges that overlap, touch, nest and repeat, as points on the line of
 * addresses: each has the rights from there to the next point, and the number of
 * ranges that begin or end there.  A range adds two points at most and takes
 * them away again, so that removing it needs no memory.
 *
 * The backend is told of intervals whose rights change, and of no others.  It
 * learns of new ones before anybody can find them in the table, and of old ones
 * after nobody can.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <wd/mem.h>

#include "base/barrier.h"
#include "base/compiler.h"
#include "base/wait.h"
#include "core/queue.h"
#include "core/share.h"

_Static_assert(WD_SHARE_READ == WD_MAP_READ && WD_SHARE_WRITE == WD_MAP_WRITE,
	       "rights of ranges are directions of mappings");

struct share_point {
	uintptr_t addr;
	uint32_t nr_bounds; /* ranges that begin or end here; never 0 between two calls */
	uint32_t nr_read;   /* ranges that cover what follows, by right */
	uint32_t nr_write;
};

struct share_table {
	_Atomic uint32_t lock; /* readers, or LOCK_WRITER */
	_Atomic uint32_t nr_points;
	uint32_t room;
	struct share_point *points; /* by address */
};

/* ---------------------------------------------------------------- lock */

/*
 * Many readers, for as long as a search takes; one writer, whom the registry's
 * lock keeps alone and who holds this for as long as moving the points takes.
 */
#define LOCK_WRITER (1u << 31)

static void lock_read(struct share_table *t)
{
	/* pairs with unlock_write() */
	while (atomic_fetch_add_explicit(&t->lock, 1, memory_order_acquire) & LOCK_WRITER) {
		atomic_fetch_sub_explicit(&t->lock, 1, memory_order_relaxed);
		while (wd_load_relaxed(&t->lock) & LOCK_WRITER)
			wait_yield();
	}
}

static void unlock_read(struct share_table *t)
{
	/* pairs with lock_write() */
	atomic_fetch_sub_explicit(&t->lock, 1, memory_order_release);
}

static void lock_write(struct share_table *t)
{
	atomic_fetch_or_explicit(&t->lock, LOCK_WRITER, memory_order_relaxed);
	/* pairs with unlock_read() */
	while (wd_load_acquire(&t->lock) != LOCK_WRITER)
		wait_yield();
}

static void unlock_write(struct share_table *t)
{
	/* pairs with lock_read() */
	atomic_fetch_and_explicit(&t->lock, ~LOCK_WRITER, memory_order_release);
}

/* ---------------------------------------------------------------- points */

/* The first point behind @addr. */
static uint32_t find_behind(const struct share_table *t, uintptr_t addr)
{
	uint32_t low = 0, high = wd_load_relaxed(&t->nr_points);

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (t->points[middle].addr <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static uint32_t rights_of(const struct share_point *p)
{
	return (p->nr_read ? WD_MAP_READ : 0) | (p->nr_write ? WD_MAP_WRITE : 0);
}

bool share_covers(struct share_table *t, uintptr_t addr, size_t bytes, uint32_t direction)
{
	uintptr_t end = addr + bytes;
	bool is_covered = false;
	uint32_t i, nr;

	/* Nothing is shared: cheap.  What is being shared now may be missed. */
	if (!wd_load_relaxed(&t->nr_points) || end < addr)
		return false;
	lock_read(t);
	nr = wd_load_relaxed(&t->nr_points);
	for (i = find_behind(t, addr); i && i < nr; i++) {
		if ((rights_of(&t->points[i - 1]) & direction) != direction)
			break;
		is_covered = t->points[i].addr >= end;
		if (is_covered)
			break;
	}
	unlock_read(t);
	return is_covered;
}

/* Room for two more points. */
static int reserve(struct share_table *t)
{
	uint32_t nr = wd_load_relaxed(&t->nr_points);
	uint32_t room = t->room ? t->room * 2 : 16;
	struct share_point *old = t->points, *more;

	if (nr + 2 <= t->room)
		return 0;
	more = malloc(room * sizeof(*more));
	if (!more)
		return -ENOMEM;
	if (nr)
		memcpy(more, old, nr * sizeof(*more));
	lock_write(t);
	t->points = more;
	t->room = room;
	unlock_write(t);
	free(old);
	return 0;
}

/* Makes @addr a point, or counts it once more.  There is room. */
static void add_bound(struct share_table *t, uintptr_t addr)
{
	uint32_t i = find_behind(t, addr), nr = wd_load_relaxed(&t->nr_points);
	struct share_point point = { .addr = addr, .nr_bounds = 1 };

	if (i && t->points[i - 1].addr == addr) {
		t->points[i - 1].nr_bounds++;
		return;
	}
	if (i) {
		point.nr_read = t->points[i - 1].nr_read;
		point.nr_write = t->points[i - 1].nr_write;
	}
	memmove(&t->points[i + 1], &t->points[i], (nr - i) * sizeof(point));
	t->points[i] = point;
	wd_store_relaxed(&t->nr_points, nr + 1);
}

static void drop_bound(struct share_table *t, uintptr_t addr)
{
	uint32_t i = find_behind(t, addr) - 1, nr = wd_load_relaxed(&t->nr_points);

	/* No range begins or ends here: it is as before the point. */
	if (--t->points[i].nr_bounds)
		return;
	memmove(&t->points[i], &t->points[i + 1], (nr - i - 1) * sizeof(t->points[0]));
	wd_store_relaxed(&t->nr_points, nr - 1);
}

static void drop_bounds(struct share_table *t, uintptr_t start, uintptr_t end)
{
	lock_write(t);
	drop_bound(t, end);
	drop_bound(t, start);
	unlock_write(t);
}

/* Counts a range that has its points: @change is 1, or -1 as unsigned. */
static void count_range(struct share_table *t, uintptr_t start, uintptr_t end, uint32_t direction,
			uint32_t change)
{
	uint32_t i;

	lock_write(t);
	for (i = find_behind(t, start) - 1; t->points[i].addr < end; i++) {
		t->points[i].nr_read += direction & WD_MAP_READ ? change : 0;
		t->points[i].nr_write += direction & WD_MAP_WRITE ? change : 0;
	}
	unlock_write(t);
}

/* ---------------------------------------------------------------- the backend's part */

static int set_rights(struct wd_device *d, uintptr_t start, uintptr_t end, uint32_t old,
		      uint32_t new)
{
	const struct wd_backend *backend = d->host->backend;

	if (old == new)
		return 0;
	if (new)
		return backend->share(d->host, d->backend_name, start, end - start, new);
	backend->unshare(d->host, d->backend_name, start, end - start);
	return 0;
}

/*
 * Tells the backend of a range's intervals, from @start to @end, what changes for
 * them with this range of @direction beside the others in the table (@is_added),
 * or without it.  Neighbours of the same fate are one call.  Returns 0, or an
 * error and in *ret_stop how far it came.
 */
static int tell_backend(struct wd_device *d, uintptr_t start, uintptr_t end, uint32_t direction,
			bool is_added, uintptr_t *ret_stop)
{
	const struct share_table *t = d->shares;
	uint32_t i = find_behind(t, start) - 1;
	int err = 0;

	*ret_stop = start;
	while (*ret_stop < end && !err) {
		uint32_t others = rights_of(&t->points[i]);
		uintptr_t stop;

		do {
			stop = t->points[++i].addr;
		} while (stop < end && rights_of(&t->points[i]) == others);
		if (is_added)
			err = set_rights(d, *ret_stop, stop, others, others | direction);
		else
			err = set_rights(d, *ret_stop, stop, others | direction, others);
		/* Taking rights away is not refused: what failed was to leave some. */
		if (!is_added)
			err = 0;
		if (!err)
			*ret_stop = stop;
	}
	return err;
}

/* ---------------------------------------------------------------- ranges */

static uintptr_t page_mask(void)
{
	return (uintptr_t)sysconf(_SC_PAGESIZE) - 1;
}

static uintptr_t page_start(uintptr_t addr)
{
	return addr & ~page_mask();
}

static uintptr_t page_end(uintptr_t addr, size_t bytes)
{
	return ((addr + bytes - 1) | page_mask()) + 1;
}

int share_table_create(struct wd_device *d)
{
	if (!d->shares)
		d->shares = calloc(1, sizeof(*d->shares));
	return d->shares ? 0 : -ENOMEM;
}

void share_table_destroy(struct wd_device *d)
{
	if (d->shares)
		free(d->shares->points);
	free(d->shares);
	d->shares = NULL;
}

int share_add(struct wd_device *d, uintptr_t addr, size_t bytes, uint32_t direction)
{
	uintptr_t start = page_start(addr), end = page_end(addr, bytes), stop;
	struct share_table *t;
	int err = share_table_create(d);

	if (err)
		return err;
	/* The last page of all: no program's. */
	if (end < start)
		return -EFAULT;
	t = d->shares;
	err = reserve(t);
	if (err)
		return err;
	lock_write(t);
	add_bound(t, start);
	add_bound(t, end);
	unlock_write(t);
	err = tell_backend(d, start, end, direction, true, &stop);
	if (err)
		goto out_undo;
	count_range(t, start, end, direction, 1);
	return 0;

out_undo:
	if (stop > start)
		tell_backend(d, start, stop, direction, false, &stop);
	drop_bounds(t, start, end);
	return err;
}

void share_remove(struct wd_device *d, uintptr_t addr, size_t bytes, uint32_t direction)
{
	uintptr_t start = page_start(addr), end = page_end(addr, bytes), stop;

	count_range(d->shares, start, end, direction, -1u);
	tell_backend(d, start, end, direction, false, &stop);
	drop_bounds(d->shares, start, end);
}

void core_queue_forget_ranges_locked(struct core_queue *cq)
{
	while (cq->ranges) {
		struct share_range *r = cq->ranges;

		cq->ranges = r->next;
		if (r->bytes && cq->device->info.flags & WD_CAPA_F_SHARE)
			share_remove(cq->device, r->addr, r->bytes, r->direction);
		free(r);
	}
}

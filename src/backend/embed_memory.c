/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Two kinds.  SHARE: addresses are pointers, and a table of pages says which of
 * them the device may use; a page's rights change without an allocation, and who
 * takes them away waits until the model has let go.  BOUNCE: the device sees its
 * own memory only, at addresses that are nobody's pointers, each used once, so
 * that a pointer or a stale address in a descriptor is found out.
 *
 * Whatever the model touches is asked for here first, by any of its threads,
 * under one short lock.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "backend/embed_memory.h"
#include "base/barrier.h"
#include "base/compiler.h"
#include "base/wait.h"

#define PAGE_SHIFT   12u /* the least there is */
#define LEVEL_BITS   9u
#define LEVEL_SLOTS  (1u << LEVEL_BITS)
#define NR_LEVELS    4u
#define ADDRESS_BITS (PAGE_SHIFT + NR_LEVELS * LEVEL_BITS)

#define PAGE_OWN (1u << 7) /* beside WD_MAP_*: lent by the device, for both */

#define WINDOW_START (1ull << 60) /* beyond any pointer */
#define WINDOW_GAP   (1ull << PAGE_SHIFT)

#define IN_USE_MAX 64u /* threads of the model, times what one has mapped at once */

/* Inner levels of the table of pages; below them pages' rights, a byte each. */
struct page_node {
	void *below[LEVEL_SLOTS];
};

/* Memory lent at an address of the device's own. */
struct window_piece {
	uint64_t addr;
	uint8_t *ptr;
	size_t bytes;
};

struct embed_memory {
	enum config_memory kind;
	struct wait_mutex lock;
	/* BOUNCE */
	uint64_t window_end;
	struct window_piece *pieces; /* by address */
	size_t nr_pieces;
	size_t pieces_room;
	/* SHARE */
	void *pages; /* a struct page_node */
	struct memory_in_use {
		uintptr_t start;
		uintptr_t end;
	} in_use[IN_USE_MAX]; /* mapped by the model now */
	uint32_t nr_in_use;
	uint32_t nr_not_noted; /* mapped too, and in_use was full: may be anywhere */
	uint32_t nr_waiting;
	_Atomic uint32_t nr_ended; /* parked on: moves while somebody waits */
};

/* ---------------------------------------------------------------- table of pages */

/* The rights of the pages in @addr's lowest level, or NULL. */
static uint8_t *find_leaf(void **top, uintptr_t addr, bool is_made)
{
	uint32_t level;

	for (level = NR_LEVELS - 1;; level--) {
		if (!*top && is_made)
			*top = calloc(LEVEL_SLOTS, level ? sizeof(void *) : 1);
		if (!*top || !level)
			return *top;
		top = &((struct page_node *)*top)
			       ->below[addr >> (PAGE_SHIFT + level * LEVEL_BITS) &
				       (LEVEL_SLOTS - 1)];
	}
}

static void free_pages(void *node, uint32_t level)
{
	uint32_t i;

	for (i = 0; level && node && i < LEVEL_SLOTS; i++)
		free_pages(((struct page_node *)node)->below[i], level - 1);
	free(node);
}

/* Pages of @addr to @end in the lowest level of @addr: their first, and how many. */
static uint32_t pages_in_leaf(uintptr_t addr, uintptr_t end, uint32_t *ret_first)
{
	uint64_t nr = ((end - 1) >> PAGE_SHIFT) - (addr >> PAGE_SHIFT) + 1;

	*ret_first = addr >> PAGE_SHIFT & (LEVEL_SLOTS - 1);
	return (uint32_t)base_min_u64(nr, LEVEL_SLOTS - *ret_first);
}

static uintptr_t next_leaf(uintptr_t addr)
{
	return ((addr >> (PAGE_SHIFT + LEVEL_BITS)) + 1) << (PAGE_SHIFT + LEVEL_BITS);
}

/* Makes what is missing of the table.  Locked, like the two below. */
static int make_leaves(struct embed_memory *m, uintptr_t addr, uintptr_t end)
{
	for (; addr < end; addr = next_leaf(addr))
		if (!find_leaf(&m->pages, addr, true))
			return -ENOMEM;
	return 0;
}

static void change_pages(struct embed_memory *m, uintptr_t addr, uintptr_t end, uint8_t cleared,
			 uint8_t set)
{
	for (; addr < end; addr = next_leaf(addr)) {
		uint8_t *leaf = find_leaf(&m->pages, addr, false);
		uint32_t i, nr = pages_in_leaf(addr, end, &i);

		for (; leaf && nr--; i++)
			leaf[i] = (leaf[i] & ~cleared) | set;
	}
}

static bool are_pages_open(struct embed_memory *m, uintptr_t addr, uintptr_t end, uint8_t either)
{
	for (; addr < end; addr = next_leaf(addr)) {
		uint8_t *leaf = find_leaf(&m->pages, addr, false);
		uint32_t i, nr = pages_in_leaf(addr, end, &i);

		for (; nr--; i++)
			if (!leaf || !(leaf[i] & either))
				return false;
	}
	return true;
}

/* ---------------------------------------------------------------- kind SHARE */

static void *share_map(void *owner, uint64_t addr, size_t bytes, bool is_write)
{
	struct embed_memory *m = owner;
	uint8_t either = PAGE_OWN | (is_write ? WD_MAP_WRITE : WD_MAP_READ);
	bool is_open;

	if (!addr || (addr + bytes) >> ADDRESS_BITS)
		return NULL;
	wait_mutex_lock(&m->lock);
	is_open = are_pages_open(m, addr, addr + bytes, either);
	if (is_open && m->nr_in_use < IN_USE_MAX)
		m->in_use[m->nr_in_use++] = (struct memory_in_use){ addr, addr + bytes };
	else if (is_open)
		m->nr_not_noted++;
	wait_mutex_unlock(&m->lock);
	return is_open ? (void *)(uintptr_t)addr : NULL;
}

static void share_unmap(void *owner, void *ptr, size_t bytes, bool is_write)
{
	struct embed_memory *m = owner;
	uintptr_t addr = (uintptr_t)ptr;
	bool is_waited_for;
	uint32_t i;

	(void)is_write;
	wait_mutex_lock(&m->lock);
	for (i = m->nr_in_use; i-- > 0;)
		if (m->in_use[i].start == addr && m->in_use[i].end == addr + bytes)
			break;
	if (i < m->nr_in_use)
		m->in_use[i] = m->in_use[--m->nr_in_use];
	else
		m->nr_not_noted--;
	is_waited_for = m->nr_waiting;
	if (is_waited_for)
		atomic_fetch_add_explicit(&m->nr_ended, 1, memory_order_relaxed);
	wait_mutex_unlock(&m->lock);
	if (is_waited_for)
		wait_wake(&m->nr_ended);
}

static bool is_range_in_use_locked(const struct embed_memory *m, uintptr_t addr, uintptr_t end)
{
	uint32_t i;

	for (i = 0; i < m->nr_in_use; i++)
		if (m->in_use[i].start < end && addr < m->in_use[i].end)
			return true;
	return m->nr_not_noted;
}

/* No new mapping is given out from here on; returns when there is no old one. */
static void close_pages(struct embed_memory *m, uintptr_t addr, size_t bytes, uint8_t cleared)
{
	uintptr_t end = addr + bytes;
	uint32_t seen;

	wait_mutex_lock(&m->lock);
	change_pages(m, addr, end, cleared, 0);
	m->nr_waiting++;
	while (is_range_in_use_locked(m, addr, end)) {
		seen = wd_load_relaxed(&m->nr_ended);
		wait_mutex_unlock(&m->lock);
		wait_park(&m->nr_ended, seen, WAIT_FOREVER);
		wait_mutex_lock(&m->lock);
	}
	m->nr_waiting--;
	wait_mutex_unlock(&m->lock);
}

static int open_pages(struct embed_memory *m, uintptr_t addr, size_t bytes, uint8_t cleared,
		      uint8_t set)
{
	int err;

	if ((addr + bytes) >> ADDRESS_BITS || addr + bytes < addr)
		return -EFAULT;
	wait_mutex_lock(&m->lock);
	err = make_leaves(m, addr, addr + bytes);
	if (!err)
		change_pages(m, addr, addr + bytes, cleared, set);
	wait_mutex_unlock(&m->lock);
	return err;
}

int embed_memory_share(struct embed_memory *m, uintptr_t addr, size_t bytes, uint32_t direction)
{
	int err = open_pages(m, addr, bytes, WD_MAP_READ | WD_MAP_WRITE, (uint8_t)direction);

	/* A right may have been taken away: whoever had it must have let go. */
	if (!err && direction != (WD_MAP_READ | WD_MAP_WRITE))
		close_pages(m, addr, bytes, 0);
	return err;
}

void embed_memory_unshare(struct embed_memory *m, uintptr_t addr, size_t bytes)
{
	close_pages(m, addr, bytes, WD_MAP_READ | WD_MAP_WRITE);
}

/* ---------------------------------------------------------------- kind BOUNCE */

/* The last piece that begins at @addr or before, or nr_pieces. */
static size_t find_piece_locked(const struct embed_memory *m, uint64_t addr)
{
	size_t low = 0, high = m->nr_pieces;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (m->pieces[middle].addr <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? low - 1 : m->nr_pieces;
}

static void *window_map(void *owner, uint64_t addr, size_t bytes, bool is_write)
{
	struct embed_memory *m = owner;
	void *ptr = NULL;
	size_t i;

	(void)is_write;
	wait_mutex_lock(&m->lock);
	i = find_piece_locked(m, addr);
	if (i < m->nr_pieces && addr - m->pieces[i].addr <= m->pieces[i].bytes &&
	    bytes <= m->pieces[i].bytes - (addr - m->pieces[i].addr))
		ptr = m->pieces[i].ptr + (addr - m->pieces[i].addr);
	wait_mutex_unlock(&m->lock);
	return ptr;
}

/* Addresses only grow: the new piece is the last one. */
static int add_piece(struct embed_memory *m, void *ptr, size_t bytes, uint64_t *ret_addr)
{
	struct window_piece *more;
	size_t room;
	int err = 0;

	wait_mutex_lock(&m->lock);
	if (m->nr_pieces == m->pieces_room) {
		room = m->pieces_room ? m->pieces_room * 2 : 16;
		more = realloc(m->pieces, room * sizeof(*more));
		err = more ? 0 : -ENOMEM;
		m->pieces = more ? more : m->pieces;
		m->pieces_room = more ? room : m->pieces_room;
	}
	if (!err) {
		*ret_addr = m->window_end;
		m->pieces[m->nr_pieces++] =
			(struct window_piece){ .addr = m->window_end, .ptr = ptr, .bytes = bytes };
		m->window_end += base_align_up(bytes, 1u << PAGE_SHIFT) + WINDOW_GAP;
	}
	wait_mutex_unlock(&m->lock);
	return err;
}

static void remove_piece(struct embed_memory *m, const void *ptr)
{
	size_t i;

	wait_mutex_lock(&m->lock);
	for (i = 0; i < m->nr_pieces && m->pieces[i].ptr != ptr; i++)
		;
	if (i < m->nr_pieces) {
		m->nr_pieces--;
		memmove(&m->pieces[i], &m->pieces[i + 1],
			(m->nr_pieces - i) * sizeof(m->pieces[0]));
	}
	wait_mutex_unlock(&m->lock);
}

/* ---------------------------------------------------------------- both */

void *embed_memory_alloc(struct embed_memory *m, size_t bytes, uint64_t *ret_addr)
{
	int saved_errno = errno;
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int err;

	errno = saved_errno;
	if (p == MAP_FAILED)
		return NULL;
	if (m->kind == CONFIG_MEMORY_BOUNCE) {
		err = add_piece(m, p, bytes, ret_addr);
	} else {
		err = open_pages(m, (uintptr_t)p, bytes, 0, PAGE_OWN);
		*ret_addr = (uintptr_t)p;
	}
	if (!err)
		return p;
	munmap(p, bytes);
	return NULL;
}

void embed_memory_free(struct embed_memory *m, void *ptr, size_t bytes)
{
	if (m->kind == CONFIG_MEMORY_BOUNCE)
		remove_piece(m, ptr);
	else
		close_pages(m, (uintptr_t)ptr, bytes, PAGE_OWN);
	munmap(ptr, bytes);
}

int embed_memory_create(enum config_memory kind, struct embed_memory **ret_memory)
{
	struct embed_memory *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->kind = kind;
	m->window_end = WINDOW_START;
	*ret_memory = m;
	return 0;
}

void embed_memory_destroy(struct embed_memory *m)
{
	if (!m)
		return;
	free_pages(m->pages, NR_LEVELS - 1);
	free(m->pieces);
	free(m);
}

void embed_memory_set_dma(struct embed_memory *m, struct chip_config *config)
{
	config->owner = m;
	config->dma = m->kind == CONFIG_MEMORY_BOUNCE ?
			      (struct chip_dma){ .map = window_map } :
			      (struct chip_dma){ .map = share_map, .unmap = share_unmap };
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* Guarded buffers and allocators that keep a log; see diff_memory.h. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "diff_memory.h"

#define MARK	   0xc9
#define MARK_BYTES 256u

int guarded_init(struct guarded *g, size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *all;

	memset(g, 0, sizeof(*g));
	bytes = (bytes + page - 1) / page * page;
	all = mmap(NULL, bytes + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (all == MAP_FAILED)
		return -ENOMEM;
	if (mprotect(all + page, bytes, PROT_READ | PROT_WRITE)) {
		munmap(all, bytes + 2 * page);
		return -ENOMEM;
	}
	g->base = all + page;
	g->bytes = bytes;
	guarded_place(g, 0, true);
	return 0;
}

void guarded_fini(struct guarded *g)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (g->base)
		munmap(g->base - page, g->bytes + 2 * page);
	memset(g, 0, sizeof(*g));
}

/* How many marked bytes lie before and behind the buffer. */
static size_t marks_before(const struct guarded *g)
{
	size_t n = (size_t)(g->at - g->base);

	return n < MARK_BYTES ? n : MARK_BYTES;
}

static size_t marks_behind(const struct guarded *g)
{
	size_t n = g->bytes - (size_t)(g->at - g->base) - g->claimed;

	return n < MARK_BYTES ? n : MARK_BYTES;
}

uint8_t *guarded_place(struct guarded *g, size_t claimed, bool is_at_end)
{
	assert(claimed <= g->bytes);
	g->at = is_at_end ? g->base + g->bytes - claimed : g->base;
	g->claimed = claimed;
	memset(g->at - marks_before(g), MARK, marks_before(g));
	memset(g->at + claimed, MARK, marks_behind(g));
	return g->at;
}

static bool is_marked(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != MARK)
			return false;
	return true;
}

bool guarded_is_intact(const struct guarded *g)
{
	return is_marked(g->at - marks_before(g), marks_before(g)) &&
	       is_marked(g->at + g->claimed, marks_behind(g));
}

void alloc_log_reset(struct alloc_log *log, unsigned int fail_at)
{
	for (unsigned int i = 0; i < log->nr_live; i++)
		free(log->live[i].p);
	log->fail_at = fail_at;
	log->nr_allocs = 0;
	log->nr_events = 0;
	log->nr_live = 0;
	log->is_wrong = false;
}

static void note(struct alloc_log *log, bool is_free, unsigned int items, unsigned int size)
{
	if (log->nr_events == ALLOC_EVENTS_MAX) {
		log->is_wrong = true;
		return;
	}
	log->events[log->nr_events++] =
		(struct alloc_event){ .is_free = is_free, .items = items, .size = size };
}

void *alloc_log_alloc(void *opaque, unsigned int items, unsigned int size)
{
	struct alloc_log *log = opaque;
	size_t bytes = (size_t)items * size;
	void *p;

	note(log, false, items, size);
	if (++log->nr_allocs == log->fail_at || log->nr_live == ALLOC_EVENTS_MAX)
		return NULL;
	p = malloc(bytes ? bytes : 1);
	if (!p)
		return NULL;
	memset(p, 0xa5, bytes); /* who takes it for zeros is wrong */
	log->live[log->nr_live++] = (struct alloc_live){ .p = p, .number = log->nr_allocs };
	return p;
}

void alloc_log_free(void *opaque, void *p)
{
	struct alloc_log *log = opaque;

	for (unsigned int i = 0; i < log->nr_live; i++) {
		if (log->live[i].p != p)
			continue;
		note(log, true, log->live[i].number, 0);
		log->live[i] = log->live[--log->nr_live];
		free(p);
		return;
	}
	log->is_wrong = true;
}

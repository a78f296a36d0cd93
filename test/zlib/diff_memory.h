/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Memory that tells on whoever touches what was not handed over: buffers between
 * unmapped pages, and allocators that write down what they are asked for.
 */
#ifndef DIFF_MEMORY_H
#define DIFF_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An area between unmapped pages, within which one buffer at a time is placed. */
struct guarded {
	uint8_t *base;
	size_t bytes;
	uint8_t *at;
	size_t claimed;
};

/* 0 or -ENOMEM. */
int guarded_init(struct guarded *g, size_t bytes);
void guarded_fini(struct guarded *g);

/*
 * A buffer of @claimed bytes that begins after, or with @is_at_end ends before,
 * an unmapped page; what lies on its other side is marked.  Ends the one before.
 */
uint8_t *guarded_place(struct guarded *g, size_t claimed, bool is_at_end);

/* False if the marks around the buffer were written over. */
bool guarded_is_intact(const struct guarded *g);

/* What custom allocators were asked for, in its order. */
struct alloc_event {
	bool is_free;
	unsigned int items; /* or, of a free, which allocation */
	unsigned int size;
};

struct alloc_live {
	void *p;
	unsigned int number;
};

#define ALLOC_EVENTS_MAX 512u

struct alloc_log {
	unsigned int fail_at; /* this one fails, counted from 1; 0: none */
	unsigned int nr_allocs;
	unsigned int nr_events;
	unsigned int nr_live;
	bool is_wrong; /* freed what is not its own, or too much for this log */
	struct alloc_event events[ALLOC_EVENTS_MAX];
	struct alloc_live live[ALLOC_EVENTS_MAX];
};

/* Begins anew; what is still held from before is freed. */
void alloc_log_reset(struct alloc_log *log, unsigned int fail_at);

/* For zalloc and zfree, with the log as opaque. */
void *alloc_log_alloc(void *opaque, unsigned int items, unsigned int size);
void alloc_log_free(void *opaque, void *p);

#endif

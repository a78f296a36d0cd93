/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The way to a queue: libwd, loaded when the first batch is worth a request, and
 * sessions and buffers that streams borrow for one call.  A stream keeps nothing
 * of a session's between its calls, so that it may be copied, dropped or go on in
 * a child like any memory.
 */
#ifndef FRONTEND_WDZ_QUEUE_H
#define FRONTEND_WDZ_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wd/comp.h>
#include <wd/stats.h>

#include "wdz_policy.h"

extern struct wdz_settings wdz_settings_read_once;
extern bool wdz_has_settings;

void wdz_settings_find(void);

/* Read once, at the first stream. */
static inline const struct wdz_settings *wdz_settings(void)
{
	/* pairs with the release where they are read */
	if (__builtin_expect(!__atomic_load_n(&wdz_has_settings, __ATOMIC_ACQUIRE), 0))
		wdz_settings_find();
	return &wdz_settings_read_once;
}

/* Whether there is a libwd.  The first call loads it. */
bool wdz_queue_is_there(void);

/*
 * Whether a stream that begins now should count on queues: not where there is no
 * libwd, nor for a while after requests or sessions failed.  A call is a chance let go.
 */
bool wdz_queue_is_promising(void);

/*
 * One batch as deflate blocks that need nothing of what came before.  They end
 * on a byte boundary; the last batch of a stream with its last block.
 */
struct wdz_batch {
	int level;
	bool is_last;
	const void *src;
	size_t src_len;
	void *dst;
	size_t dst_len; /* wdz_queue_bound() or more is enough */
	size_t produced;
};

bool wdz_queue_deflate(struct wdz_batch *b);
size_t wdz_queue_bound(size_t src_len, bool is_last);

/* A whole stream.  False: it is for zlib to say what is wrong with it, if anything. */
bool wdz_queue_inflate(enum wd_comp_format format, const void *src, size_t src_len, void *dst,
		       size_t dst_len, size_t *ret_consumed, size_t *ret_produced);

/* The sums over payload, as fast as may be: by libwd where it is loaded, else zlib's. */
uint32_t wdz_adler32(uint32_t adler, const void *p, size_t len);
uint32_t wdz_crc32(uint32_t crc, const void *p, size_t len);

enum wdz_front {
	WDZ_FRONT_DEFLATE,
	WDZ_FRONT_INFLATE,
	WDZ_FRONTS_NR,
};

/* What a stream did since it last said so. */
struct wdz_counts {
	uint64_t n[WD_FRONT_COUNTERS_NR];
};

/* What a stream says at its end, or when it has been through a queue: that `wd stats` shows. */
void wdz_counts_add(enum wdz_front front, struct wdz_counts *counts);

/* A buffer of at least *bytes, which becomes its size; or NULL.  Giving back takes NULL. */
void *wdz_buffer_get(size_t *bytes);
void wdz_buffer_put(void *buffer);

#endif

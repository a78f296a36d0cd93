/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * What goes through a queue and what stays with the system's zlib: the settings
 * and the thresholds, as pure functions, so that `wd explain` tells what the
 * library does.  The constants are what bench/bench_zlib.c found.
 */
#ifndef FRONTEND_WDZ_POLICY_H
#define FRONTEND_WDZ_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum wdz_mode {
	WDZ_MODE_AUTO = 0,   /* by the thresholds */
	WDZ_MODE_OFF = 1,    /* all is the system's zlib */
	WDZ_MODE_ALWAYS = 2, /* wherever a queue can do it at all */
};

#define WDZ_GATHER_KIB_MAX 8192u

struct wdz_settings {
	enum wdz_mode mode;
	/* 0: the library's own */
	size_t deflate_min;
	size_t inflate_min;
	size_t gather_bytes;
	size_t inflate_least; /* wdz_inflate_min() */
	const char *ignored;  /* the first setting whose value makes no sense, or NULL */
};

/**
 * wdz_settings_read() - the settings as the environment has them
 * @ret_settings: filled whatever the environment holds
 * @get: secure_getenv(), or what stands in for it
 *
 * WDZ=auto|off|always, WDZ_DEFLATE_MIN=BYTES, WDZ_INFLATE_MIN=BYTES,
 * WDZ_GATHER_KIB=1..8192.  A value that makes no sense counts as not set.
 */
void wdz_settings_read(struct wdz_settings *ret_settings, char *(*get)(const char *name));

/*
 * Whether the blocks of a stream opened like this may come from a queue: others
 * want what only zlib's own matcher gives (strategies, level 0), less memory, or
 * a window that a device may not keep to.  @window_bits as for deflateInit2().
 */
bool wdz_may_deflate(const struct wdz_settings *s, int level, int window_bits, int mem_level,
		     int strategy);

/* The least input, to a flush or to the end, that is worth a request. */
size_t wdz_deflate_min(const struct wdz_settings *s);

/* The level to ask a device for, whose output is no larger than zlib's at @level. */
int wdz_queue_level(int level);

/* How much a stream gathers before its next block is made. */
size_t wdz_gather_bytes(const struct wdz_settings *s, int level);

/*
 * Whether a whole stream of @avail_in bytes or less, all of it there, with room
 * for @avail_out is worth a request.  @is_last: the caller says that it is all
 * there (Z_FINISH).
 */
bool wdz_may_inflate(const struct wdz_settings *s, size_t avail_in, size_t avail_out, bool is_last);

/* The least compressed input that is worth a request. */
static inline size_t wdz_inflate_min(const struct wdz_settings *s)
{
	return s->inflate_least;
}

#endif

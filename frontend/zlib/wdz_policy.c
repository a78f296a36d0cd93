/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* Settings and thresholds: no state, no call of any other library. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wdz_policy.h"

#define BYTES_MAX	  (1u << 30)
#define MEM_LEVEL_DEFAULT 8
#define WINDOW_BITS_MAX	  15

/*
 * Below these zlib is as fast or its blocks are smaller: a request costs about as
 * much as zlib needs for some hundred bytes.  At 512 bytes a queue takes 0.4 to 0.8
 * of zlib's time; at 256 its blocks are up to 3 % larger.
 */
#define DEFLATE_MIN 512
#define INFLATE_MIN 512

/*
 * Batches know nothing of each other.  At the fast levels 256 KiB cost under 1 %
 * of size against a window kept; at 1 MiB level 6 comes out as small as zlib's.
 */
#define FAST_GATHER (256u << 10)
#define GOOD_GATHER (1u << 20)

/* A buffer not meant for the whole has about the size of the input's. */
#define ROOM_FOR_WHOLE 4

static bool is_fast(int level)
{
	return level == 1 || level == 2;
}

static size_t read_number(const char *text, size_t max, size_t unit, bool *ret_ok)
{
	unsigned long long n;
	char *end;

	*ret_ok = false;
	if (*text < '0' || *text > '9')
		return 0;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || *end || n < 1 || n > max)
		return 0;
	*ret_ok = true;
	return (size_t)n * unit;
}

static void read_size(struct wdz_settings *s, char *(*get)(const char *), const char *name,
		      size_t max, size_t unit, size_t *ret_bytes)
{
	const char *text = get(name);
	bool ok;

	if (!text)
		return;
	*ret_bytes = read_number(text, max, unit, &ok);
	if (!ok && !s->ignored)
		s->ignored = name;
}

void wdz_settings_read(struct wdz_settings *ret_settings, char *(*get)(const char *name))
{
	static const char *const modes[] = {
		[WDZ_MODE_AUTO] = "auto",
		[WDZ_MODE_OFF] = "off",
		[WDZ_MODE_ALWAYS] = "always",
	};
	const char *mode = get("WDZ");
	unsigned int i;

	*ret_settings = (struct wdz_settings){ 0 };
	if (mode) {
		ret_settings->ignored = "WDZ";
		for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
			if (strcmp(mode, modes[i]))
				continue;
			ret_settings->mode = (enum wdz_mode)i;
			ret_settings->ignored = NULL;
		}
	}
	read_size(ret_settings, get, "WDZ_DEFLATE_MIN", BYTES_MAX, 1, &ret_settings->deflate_min);
	read_size(ret_settings, get, "WDZ_INFLATE_MIN", BYTES_MAX, 1, &ret_settings->inflate_min);
	ret_settings->inflate_least = INFLATE_MIN;
	if (ret_settings->inflate_min)
		ret_settings->inflate_least = ret_settings->inflate_min;
	if (ret_settings->mode == WDZ_MODE_ALWAYS)
		ret_settings->inflate_least = 1;
	read_size(ret_settings, get, "WDZ_GATHER_KIB", WDZ_GATHER_KIB_MAX, 1024,
		  &ret_settings->gather_bytes);
}

bool wdz_may_deflate(const struct wdz_settings *s, int level, int window_bits, int mem_level,
		     int strategy)
{
	const int bits = window_bits < 0 ? -window_bits : window_bits & 15;

	if (s->mode == WDZ_MODE_OFF || !level || bits != WINDOW_BITS_MAX)
		return false;
	/* 1 is Z_FILTERED: a wish about matching, that dynamic codes serve as well. */
	return mem_level >= MEM_LEVEL_DEFAULT && (strategy == 0 || strategy == 1);
}

size_t wdz_deflate_min(const struct wdz_settings *s)
{
	if (s->mode == WDZ_MODE_ALWAYS)
		return 1;
	if (s->deflate_min)
		return s->deflate_min;
	return DEFLATE_MIN;
}

/*
 * zlib's last two levels take two and three times as long as its level 7 for a
 * thousandth of size.  Over a corpus of nine kinds of data in 1 MiB batches, size
 * in relation to zlib's and speed: 8 by a device's 7 is 0.998 and 3.5 times, 9 by
 * its 8 is 0.991 and 1.8 times; by its 9 it would be 0.991 and 1.3 times.
 */
int wdz_queue_level(int level)
{
	return level > 7 ? level - 1 : level;
}

size_t wdz_gather_bytes(const struct wdz_settings *s, int level)
{
	if (s->gather_bytes)
		return s->gather_bytes;
	return is_fast(level) ? FAST_GATHER : GOOD_GATHER;
}

bool wdz_may_inflate(const struct wdz_settings *s, size_t avail_in, size_t avail_out, bool is_last)
{
	if (s->mode == WDZ_MODE_OFF || avail_in < wdz_inflate_min(s))
		return false;
	if (s->mode == WDZ_MODE_ALWAYS)
		return true;
	return avail_out / (is_last ? 1 : ROOM_FOR_WHOLE) >= avail_in;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * usage: zlib_cases SUBJECT
 *
 * Sequences of calls that a library in zlib's place got wrong once, and that random
 * programs seldom hit.  Each writes what a program can see; zlib's text and the
 * subject's must be the same.  Silent when they are.
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diff_api.h"

#define BYTES	  400000u
#define TEXT_ROOM 4096u

static uint8_t data[BYTES], packed[BYTES], out[2 * BYTES];

static char text[2][TEXT_ROOM];
static char *at;

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *format, ...)
{
	va_list va;

	va_start(va, format);
	at += vsnprintf(at, TEXT_ROOM / 2, format, va);
	va_end(va);
}

static void fill(void)
{
	uint32_t x = 1;

	for (size_t i = 0; i < BYTES; i++) {
		x = x * 1664525 + 1013904223;
		data[i] = "etaoin shrdlu\n"[(x >> 24) % 14];
		if (i % 97 > 40)
			data[i] = data[i - 41];
	}
}

static int begin(const struct zlib_api *z, z_stream *s, int level, int window_bits)
{
	memset(s, 0, sizeof(*s));
	return z->deflateInit2_(s, level, Z_DEFLATED, window_bits, 8, 0, ZLIB_VERSION,
				(int)sizeof(*s));
}

static int give(const struct zlib_api *z, z_stream *s, size_t from, uInt n, uInt room, int flush)
{
	s->next_in = data + from;
	s->avail_in = n;
	s->avail_out = room;
	return z->deflate(s, flush);
}

/* A stack struct that was never opened, on the way out of a function that failed. */
static void never_opened(const struct zlib_api *z)
{
	z_stream s;

	memset(&s, 0xa5, sizeof(s));
	s.zalloc = Z_NULL;
	s.zfree = Z_NULL;
	say("%d %d %d %d\n", z->deflateEnd(&s), z->deflate(&s, 0), z->inflateEnd(&s),
	    z->deflateReset(&s));
}

static void input_after_a_begun_finish(const struct zlib_api *z)
{
	z_stream s;
	int ret;

	begin(z, &s, 6, 15);
	s.next_out = out;
	say("%d ", give(z, &s, 0, 400, 10, Z_FINISH));
	say("%d ", give(z, &s, 400, 100, 1000, Z_NO_FLUSH));
	say("%d ", give(z, &s, 400, 100, 0, Z_NO_FLUSH));
	ret = give(z, &s, 0, 0, 1000, Z_FINISH);
	say("%d %lu %lx %d\n", ret, s.total_in, s.adler, z->deflateEnd(&s));
}

static void parameters_outlive_a_reset(const struct zlib_api *z)
{
	z_stream s;

	begin(z, &s, 6, -15);
	s.next_out = out;
	s.avail_out = sizeof(out);
	say("%d ", z->deflateParams(&s, 0, 0));
	say("%d ", z->deflateReset(&s));
	say("%d ", give(z, &s, 0, 100000, sizeof(out), Z_FINISH));
	say("%lu %d\n", s.total_out, z->deflateEnd(&s)); /* stored: this is known */
	begin(z, &s, 6, -15);
	s.next_out = out;
	s.avail_out = sizeof(out);
	z->deflateParams(&s, 6, Z_FIXED);
	z->deflateReset(&s);
	say("%d ", give(z, &s, 0, 100000, sizeof(out), Z_FINISH));
	say("%d %d\n", out[0] >> 1 & 3, z->deflateEnd(&s)); /* a block of fixed codes */
}

/* The input lies at the end of the room for the output, as in loaders of programs. */
static void output_over_its_input(const struct zlib_api *z)
{
	uLongf n = sizeof(packed);
	z_stream s;
	int ret;

	z->compress2(packed, &n, data, 200000, 6);
	memcpy(out + 200000 + 64 - n, packed, n);
	memset(&s, 0, sizeof(s));
	z->inflateInit2_(&s, 15, ZLIB_VERSION, (int)sizeof(s));
	s.next_in = out + 200000 + 64 - n;
	s.avail_in = (uInt)n;
	s.next_out = out;
	s.avail_out = 200000;
	ret = z->inflate(&s, Z_FINISH);
	say("%d %lu %d %d\n", ret, s.total_out, memcmp(out, data, 200000), z->inflateEnd(&s));
}

/* The room ends where the header does: zlib reads on. */
static void room_for_the_header_alone(const struct zlib_api *z)
{
	z_stream s;
	int ret;

	begin(z, &s, 6, 15);
	s.next_out = out;
	ret = give(z, &s, 0, 100, 2, Z_FINISH);
	say("%d %u %lu %lx\n", ret, s.avail_in, s.total_in, s.adler);
	z->deflateEnd(&s);
}

static unsigned int allocations_left;

static voidpf few(voidpf opaque, uInt items, uInt size)
{
	(void)opaque;
	return allocations_left-- ? calloc(items, size) : NULL;
}

static void give_back(voidpf opaque, voidpf p)
{
	(void)opaque;
	free(p);
}

static void a_copy_without_memory(const struct zlib_api *z)
{
	z_stream s = { .zalloc = few, .zfree = give_back }, copy;

	allocations_left = 7;
	z->deflateInit2_(&s, 6, Z_DEFLATED, 15, 8, 0, ZLIB_VERSION, (int)sizeof(s));
	memset(&copy, 0xa5, sizeof(copy));
	say("%d ", z->deflateCopy(&copy, &s));
	say("%d %d\n", z->deflateEnd(&copy), z->deflateEnd(&s));
}

static void bounds(const struct zlib_api *z)
{
	static const int mem_levels[] = { 8, 9 };
	z_stream s;

	for (int i = 0; i < 2; i++) {
		memset(&s, 0, sizeof(s));
		z->deflateInit2_(&s, 6, Z_DEFLATED, 15, mem_levels[i], 0, ZLIB_VERSION,
				 (int)sizeof(s));
		say("%lu ", z->deflateBound(&s, 100000));
		s.next_out = out;
		give(z, &s, 0, 1000, sizeof(out), Z_FULL_FLUSH);
		say("%lu ", z->deflateBound(&s, 100000));
		give(z, &s, 0, 1000, sizeof(out), Z_FINISH);
		say("%lu\n", z->deflateBound(&s, 100000));
		z->deflateEnd(&s);
	}
}

/* Nothing more to take, and no pointer to it: the sums stay. */
static void no_input_at_null(const struct zlib_api *z)
{
	z_stream s;
	int ret;

	begin(z, &s, 6, 15);
	s.next_out = out;
	give(z, &s, 0, 100000, sizeof(out), Z_NO_FLUSH);
	s.next_in = NULL;
	ret = z->deflate(&s, Z_FINISH);
	say("%d %lx %d\n", ret, s.adler, z->deflateEnd(&s));
}

static void (*const cases[])(const struct zlib_api *z) = {
	never_opened,
	input_after_a_begun_finish,
	parameters_outlive_a_reset,
	output_over_its_input,
	room_for_the_header_alone,
	a_copy_without_memory,
	bounds,
	no_input_at_null,
};

/*
 * Many flushes of little are not to lose what their window gains: the one thing here
 * that is about compressed bytes.  Not of zlib's when all is to go through a queue.
 */
static size_t flushed_bytes(const struct zlib_api *z)
{
	z_stream s;
	size_t n;

	begin(z, &s, 6, -15);
	s.next_out = out;
	for (n = 0; n + 1024 <= 100000; n += 1024)
		give(z, &s, n, 1024, BYTES, Z_SYNC_FLUSH);
	n = s.total_out;
	z->deflateEnd(&s);
	return n;
}

int main(int argc, char **argv)
{
	const char *mode = getenv("WDZ");
	struct zlib_api api[2];
	int bad = 0;

	if (argc != 2 || zlib_api_load(&api[0], "libz.so.1") || zlib_api_load(&api[1], argv[1]))
		return 1;
	fill();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (int side = 0; side < 2; side++) {
			at = text[side];
			cases[i](&api[side]);
		}
		if (!strcmp(text[0], text[1]))
			continue;
		fprintf(stderr, "zlib_cases: case %zu: zlib says\n%s%s says\n%s", i, text[0],
			argv[1], text[1]);
		bad = 1;
	}
	if ((!mode || strcmp(mode, "always")) &&
	    flushed_bytes(&api[1]) > flushed_bytes(&api[0]) + flushed_bytes(&api[0]) / 50) {
		fprintf(stderr, "zlib_cases: flushes lose their window\n");
		bad = 1;
	}
	return bad;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Real data in both directions: licence texts, C headers and this program
 * itself, besides zeros and noise.  zlib decodes what the device made and makes
 * what the device decodes.
 */
#include <glob.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include <wd/comp.h>

#include "lib/t_assert.h"

#define KIND_BYTES (1u << 20)
#define NR_KINDS   5

struct kind {
	const char *name;
	const char *pattern; /* files it is made of, NULL: made here */
	unsigned char *data;
	size_t len;
};

static struct kind kinds[NR_KINDS] = {
	{ .name = "text", .pattern = "/usr/share/common-licenses/*" },
	{ .name = "code", .pattern = "/usr/include/*.h" },
	{ .name = "binary", .pattern = "/proc/self/exe" },
	{ .name = "zeros" },
	{ .name = "noise" },
};

static void append_file(struct kind *k, const char *path)
{
	FILE *f = fopen(path, "rb");

	if (!f)
		return;
	k->len += fread(k->data + k->len, 1, KIND_BYTES - k->len, f);
	fclose(f);
}

static void fill(struct kind *k)
{
	uint64_t seed = 88172645463325252ull;
	glob_t found;
	size_t i;

	if (!k->pattern) {
		k->len = KIND_BYTES;
		for (i = 0; strcmp(k->name, "noise") == 0 && i < k->len; i++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			k->data[i] = (unsigned char)(seed >> 32);
		}
		return;
	}
	assert_ok(glob(k->pattern, 0, NULL, &found));
	for (i = 0; i < found.gl_pathc && k->len < KIND_BYTES; i++)
		append_file(k, found.gl_pathv[i]);
	globfree(&found);
	/* Less would prove less than this test says. */
	assert_true(k->len > 10000);
}

static int make_kinds(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < NR_KINDS; i++) {
		kinds[i].data = calloc(1, KIND_BYTES);
		assert_non_null(kinds[i].data);
		fill(&kinds[i]);
	}
	return 0;
}

static int free_kinds(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < NR_KINDS; i++)
		free(kinds[i].data);
	return 0;
}

/* zlib's name for a format. */
static int window_bits(enum wd_comp_format format)
{
	return format == WD_COMP_DEFLATE ? -15 : format == WD_COMP_ZLIB ? 15 : 15 + 16;
}

static void judge_decodes(enum wd_comp_format format, const unsigned char *packed, size_t len,
			  const struct kind *k)
{
	unsigned char *out = malloc(k->len + 1);
	z_stream z = { 0 };

	assert_non_null(out);
	assert_int_equal(inflateInit2(&z, window_bits(format)), Z_OK);
	z.next_in = (unsigned char *)packed;
	z.avail_in = (unsigned int)len;
	z.next_out = out;
	z.avail_out = (unsigned int)k->len + 1;
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.avail_in, 0);
	assert_int_equal(z.total_out, k->len);
	assert_memory_equal(out, k->data, k->len);
	inflateEnd(&z);
	free(out);
}

static void device_packs_for_zlib(void **state)
{
	static const int level[] = { WD_COMP_LEVEL_DEFAULT, 1, 2, 3, 4, 6, 9, WD_COMP_LEVEL_FASTEST,
				     WD_COMP_LEVEL_SMALLEST };
	unsigned int f, i, l;

	(void)state;
	for (f = WD_COMP_DEFLATE; f <= WD_COMP_GZIP; f++) {
		size_t bound = wd_comp_bound((enum wd_comp_format)f, KIND_BYTES);
		unsigned char *packed = malloc(bound);

		assert_non_null(packed);
		for (i = 0; i < NR_KINDS; i++) {
			for (l = 0; l < sizeof(level) / sizeof(level[0]); l++) {
				size_t len = bound;

				assert_ok(wd_comp_compress((enum wd_comp_format)f, level[l],
							   kinds[i].data, kinds[i].len, packed,
							   &len));
				judge_decodes((enum wd_comp_format)f, packed, len, &kinds[i]);
			}
		}
		free(packed);
	}
}

static void device_unpacks_what_zlib_made(void **state)
{
	static const int level[] = { 0, 1, 6, 9 };
	unsigned int f, i, l;

	(void)state;
	for (f = WD_COMP_DEFLATE; f <= WD_COMP_GZIP; f++) {
		unsigned char *packed = malloc(2 * KIND_BYTES), *out = malloc(KIND_BYTES);

		assert_true(packed && out);
		for (i = 0; i < NR_KINDS; i++) {
			for (l = 0; l < sizeof(level) / sizeof(level[0]); l++) {
				size_t len = KIND_BYTES;
				z_stream z = { 0 };

				assert_int_equal(deflateInit2(&z, level[l], Z_DEFLATED,
							      window_bits((enum wd_comp_format)f),
							      8, Z_DEFAULT_STRATEGY),
						 Z_OK);
				z.next_in = kinds[i].data;
				z.avail_in = (unsigned int)kinds[i].len;
				z.next_out = packed;
				z.avail_out = 2 * KIND_BYTES;
				assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
				assert_ok(wd_comp_decompress((enum wd_comp_format)f, packed,
							     z.total_out, out, &len));
				assert_int_equal(len, kinds[i].len);
				assert_memory_equal(out, kinds[i].data, len);
				deflateEnd(&z);
			}
		}
		free(packed);
		free(out);
	}
}

/* Higher levels earn their time: on real text and code none is worse than level 1. */
static void levels_are_worth_it(void **state)
{
	size_t bound = wd_comp_bound(WD_COMP_GZIP, KIND_BYTES);
	unsigned char *packed = malloc(bound);
	unsigned int i, level;

	(void)state;
	assert_non_null(packed);
	for (i = 0; i < 2; i++) {
		size_t first = bound;

		assert_ok(wd_comp_compress(WD_COMP_GZIP, 1, kinds[i].data, kinds[i].len, packed,
					   &first));
		for (level = 2; level <= 9; level++) {
			size_t len = bound;

			assert_ok(wd_comp_compress(WD_COMP_GZIP, (int)level, kinds[i].data,
						   kinds[i].len, packed, &len));
			assert_true(len < first);
		}
	}
	free(packed);
}

/* The first half of a stream, and perhaps the rest. */
static struct wd_comp *inflate_half(const unsigned char *packed, size_t len, unsigned char *out,
				    struct wd_comp_io *io)
{
	struct wd_comp_opts opts = { .size = sizeof(opts),
				     .op = WD_OP_DECOMPRESS,
				     .format = WD_COMP_GZIP };
	struct wd_comp *c;

	assert_ok(wd_comp_open(&opts, &c));
	*io = (struct wd_comp_io){
		.src = packed, .src_len = len / 2, .dst = out, .dst_len = KIND_BYTES
	};
	assert_ok(wd_comp_stream(c, io, WD_COMP_NO_FLUSH));
	assert_int_equal(io->consumed, len / 2);
	return c;
}

/* A device keeps the state of so many inflate streams; those given up take no place. */
static void streams_given_up_harm_no_other(void **state)
{
	size_t len = wd_comp_bound(WD_COMP_GZIP, KIND_BYTES), done;
	unsigned char *packed = malloc(len), *out = malloc(KIND_BYTES), *peek = malloc(KIND_BYTES);
	struct wd_comp_io io, other;
	struct wd_comp *slow;
	int i;

	(void)state;
	assert_true(packed && out && peek);
	assert_ok(wd_comp_compress(WD_COMP_GZIP, 1, kinds[0].data, kinds[0].len, packed, &len));
	slow = inflate_half(packed, len, out, &io);
	done = io.produced;
	for (i = 0; i < 600; i++)
		wd_comp_close(inflate_half(packed, len < 2000 ? len : 2000, peek, &other));
	io = (struct wd_comp_io){ .src = packed + len / 2,
				  .src_len = len - len / 2,
				  .dst = out + done,
				  .dst_len = KIND_BYTES - done };
	assert_ok(wd_comp_stream(slow, &io, WD_COMP_FINISH));
	assert_int_equal(io.head.status, WD_STATUS_STREAM_END);
	assert_int_equal(done + io.produced, kinds[0].len);
	assert_memory_equal(out, kinds[0].data, kinds[0].len);
	wd_comp_close(slow);
	free(packed);
	free(out);
	free(peek);
}

#define THREADS 80 /* more than a device has queues */

static void *one_shots(void *arg)
{
	const struct kind *k = &kinds[0];
	unsigned char packed[8192], back[4096];
	int i;

	for (i = 0; i < 20; i++) {
		size_t len = sizeof(packed), back_len = sizeof(back);

		if (wd_comp_compress(WD_COMP_GZIP, 1, k->data, 4096, packed, &len) ||
		    wd_comp_decompress(WD_COMP_GZIP, packed, len, back, &back_len) ||
		    back_len != 4096 || memcmp(back, k->data, 4096))
			return arg;
	}
	return NULL;
}

static void more_threads_than_queues_take_turns(void **state)
{
	pthread_t thread[THREADS];
	unsigned int i;

	(void)state;
	for (i = 0; i < THREADS; i++)
		assert_ok(pthread_create(&thread[i], NULL, one_shots, &kinds[0]));
	for (i = 0; i < THREADS; i++) {
		void *failed;

		pthread_join(thread[i], &failed);
		assert_null(failed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(device_packs_for_zlib),
		cmocka_unit_test(device_unpacks_what_zlib_made),
		cmocka_unit_test(levels_are_worth_it),
		cmocka_unit_test(streams_given_up_harm_no_other),
		cmocka_unit_test(more_threads_than_queues_take_turns),
	};

	return cmocka_run_group_tests(tests, make_kinds, free_kinds);
}

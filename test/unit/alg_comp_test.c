/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Compression sessions against a scripted device (alg_comp_device.c): arguments,
 * one-shot calls, blocks and headers, and what is said when the device is full,
 * slow, lying or gone.  Streams are comp_stream_test.c's.  zlib judges the
 * output.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "alg_comp_device.h"
#include "base/compiler.h"

/* ------------------------------------------------------------- opening, arguments */

static void open_checks_options(void **state)
{
	static const char long_name[] = "a-device-name-that-is-as-long-as-the-field-for-it";
	const struct wd_comp_opts good = { .size = sizeof(good),
					   .op = WD_OP_COMPRESS,
					   .format = WD_COMP_ZLIB,
					   .level = 9,
					   .window_bits = 12,
					   .timeout_ms = 77,
					   .device = "fake:0" };
	struct {
		struct wd_comp_opts opts;
		uint64_t more;
	} grown = { .opts = good };
	struct wd_comp_opts opts;
	struct wd_comp *c = NULL;

	(void)state;
	assert_int_equal(wd_comp_open(NULL, &c), -EINVAL);
	assert_int_equal(wd_comp_open(&good, NULL), -EINVAL);
#define REFUSED(field, value)                                       \
	do {                                                        \
		opts = good;                                        \
		opts.field = value;                                 \
		assert_int_equal(wd_comp_open(&opts, &c), -EINVAL); \
	} while (0)
	REFUSED(size, 0);
	REFUSED(size, sizeof(opts) - 1);
	REFUSED(op, WD_OP_COPY);
	REFUSED(format, 0);
	REFUSED(format, 4);
	REFUSED(level, -1);
	REFUSED(level, 12);
	REFUSED(window_bits, 11);
	REFUSED(window_bits, 16);
	REFUSED(timeout_ms, -1);
	REFUSED(device, long_name);
	REFUSED(flags, 1u << 2);
	REFUSED(depth, WD_COMP_DEPTH_MAX + 1);
#undef REFUSED
	assert_null(c);
	grown.opts.size = sizeof(grown);
	grown.more = 1;
	assert_int_equal(wd_comp_open(&grown.opts, &c), -EINVAL);
	grown.more = 0;
	assert_int_equal(wd_comp_open(&grown.opts, &c), 0);
	assert_string_equal(seen.alg, "zlib");
	assert_string_equal(seen.device, "fake:0");
	wd_comp_close(c);
	wd_comp_close(NULL);
	fake_rescan();
	fake.dev[0].open_ret = -EIO;
	assert_int_equal(wd_comp_open(&good, &c), -EIO);
	opts = good;
	opts.device = "fake:1";
	assert_int_equal(wd_comp_open(&opts, &c), -ENODEV);
}

static void calls_check_arguments(void **state)
{
	struct wd_comp *c = fake_open_session(WD_OP_COMPRESS, WD_COMP_GZIP);
	uint8_t bytes[64] = { 0 };
	struct wd_comp_io io = { .src = NULL, .src_len = 1, .dst = bytes, .dst_len = 64 };
	struct iovec iov = { .iov_base = bytes, .iov_len = (8u << 20) + 1 };
	size_t len = 64;

	(void)state;
	assert_int_equal(wd_comp_block(NULL, &io), -EINVAL);
	assert_int_equal(wd_comp_block(c, NULL), -EINVAL);
	assert_int_equal(wd_comp_block(c, &io), -EINVAL);
	assert_int_equal(wd_comp_stream(c, &io, WD_COMP_FINISH), -EINVAL);
	io.src = bytes;
	io.dst = NULL;
	assert_int_equal(wd_comp_block(c, &io), -EINVAL);
	assert_int_equal(wd_comp_stream(c, &io, WD_COMP_FINISH), -EINVAL);
	io.dst = bytes;
	assert_int_equal(wd_comp_stream(c, &io, (enum wd_comp_flush)3), -EINVAL);
	assert_int_equal(wd_comp_block_sgl(c, &iov, 1, &iov, 1, &io), -EINVAL);
	assert_int_equal(wd_comp_block_sgl(c, NULL, 1, &iov, 0, &io), -EINVAL);
	iov.iov_base = NULL;
	iov.iov_len = 1;
	assert_int_equal(wd_comp_block_sgl(c, &iov, 1, &iov, 0, &io), -EINVAL);
	wd_comp_close(c);
	wd_comp_reset(NULL);
	assert_int_equal(wd_comp_compress(WD_COMP_GZIP, 0, bytes, 1, bytes, NULL), -EINVAL);
	assert_int_equal(wd_comp_compress(9, 0, bytes, 1, bytes, &len), -EINVAL);
	assert_int_equal(wd_comp_compress(WD_COMP_GZIP, 12, bytes, 1, bytes, &len), -EINVAL);
	assert_int_equal(wd_comp_decompress(WD_COMP_GZIP, NULL, 1, bytes, &len), -EINVAL);
	assert_int_equal(seen.requests, 0);
}

static void bound_is_checked_for_overflow(void **state)
{
	(void)state;
	assert_int_equal(wd_comp_bound(0, 1), 0);
	assert_int_equal(wd_comp_bound(4, 1), 0);
	assert_int_equal(wd_comp_bound(WD_COMP_DEFLATE, 0), 5);
	assert_int_equal(wd_comp_bound(WD_COMP_ZLIB, 0), 11);
	assert_int_equal(wd_comp_bound(WD_COMP_GZIP, 0), 23);
	assert_int_equal(wd_comp_bound(WD_COMP_GZIP, 65535), 65535 + 23);
	assert_int_equal(wd_comp_bound(WD_COMP_GZIP, 65536), 65536 + 28);
	assert_int_equal(wd_comp_bound(WD_COMP_DEFLATE, SIZE_MAX), 0);
	assert_int_equal(wd_comp_bound(WD_COMP_DEFLATE, SIZE_MAX - SIZE_MAX / 65535 * 4), 0);
	assert_true(wd_comp_bound(WD_COMP_DEFLATE, SIZE_MAX - SIZE_MAX / 13000) > SIZE_MAX / 2);
}

/* ------------------------------------------------------------- blocks */

static void one_shot_round_trip(void **state)
{
	static const size_t sizes[] = { 0, 1, 2, 7, 100, 4096, 65535, 65536, 300000 };
	uint8_t *random = fake_random(300000);
	uint8_t *back = malloc(300000);
	uint8_t *packed = malloc(400000);

	(void)state;
	for (size_t f = 0; f < BASE_ARRAY_SIZE(fake_formats); f++) {
		for (size_t i = 0; i < BASE_ARRAY_SIZE(sizes); i++) {
			size_t bound = wd_comp_bound(fake_formats[f], sizes[i]);
			size_t len = bound;
			size_t back_len = sizes[i];

			assert_int_equal(wd_comp_compress(fake_formats[f], 1, random, sizes[i],
							  packed, &len),
					 0);
			fake_judge(fake_formats[f], packed, len, random, sizes[i]);
			/* Room of exactly the size is enough, also where that is none at all. */
			assert_int_equal(wd_comp_decompress(fake_formats[f], packed, len, back,
							    &back_len),
					 0);
			assert_int_equal(back_len, sizes[i]);
			assert_memory_equal(back, random, sizes[i]);
			if (sizes[i] < 4096)
				continue;
			assert_int_equal(len, bound);
			len = bound - 1;
			assert_int_equal(wd_comp_compress(fake_formats[f], 1, random, sizes[i],
							  packed, &len),
					 -ENOSPC);
			assert_int_equal(len, bound - 1);
			back_len = sizes[i] - 1;
			assert_int_equal(wd_comp_decompress(fake_formats[f], packed, bound, back,
							    &back_len),
					 -ENOSPC);
		}
	}
	free(packed);
	free(back);
	free(random);
	/* Each call gave its queue back, and the next one took the same. */
	assert_true(seen.queues_open <= 6);
	assert_int_equal(seen.queues_opened, seen.queues_open);
}

/* 20 MB need three pieces; the bound stays exact, and inflating needs more than one request too. */
static void large_blocks_go_in_pieces(void **state)
{
	const size_t n = 20000003;
	uint8_t *random = fake_random(n);
	uint8_t *back = malloc(n);
	size_t bound = wd_comp_bound(WD_COMP_GZIP, n);
	uint8_t *packed = malloc(bound);
	struct wd_comp *c = fake_open_session(WD_OP_COMPRESS, WD_COMP_GZIP);
	struct wd_comp_io io = { .src = random, .src_len = n, .dst = packed, .dst_len = bound };
	size_t back_len = n;

	(void)state;
	fake.dev[0].is_bouncing = true;
	assert_int_equal(wd_comp_block(c, &io), 0);
	assert_int_equal(io.head.status, WD_STATUS_OK);
	assert_int_equal(io.consumed, n);
	assert_int_equal(io.produced, bound);
	assert_int_equal(io.head.requests, 3);
	assert_int_equal(io.head.retries, 3);
	assert_int_equal(io.head.bounced_bytes, n);
	assert_string_equal(wd_device_name(io.head.device_id), "fake:0");
	assert_int_equal(seen.odd_pieces, 0);
	fake_judge(WD_COMP_GZIP, packed, bound, random, n);
	assert_int_equal(wd_comp_decompress(WD_COMP_GZIP, packed, bound, back, &back_len), 0);
	assert_memory_equal(back, random, n);
	back_len = n - 1;
	assert_int_equal(wd_comp_decompress(WD_COMP_GZIP, packed, bound, back, &back_len), -ENOSPC);
	io.dst_len = bound - 1;
	assert_int_equal(wd_comp_block(c, &io), 0);
	assert_int_equal(io.head.status, WD_STATUS_OUTPUT_FULL);
	assert_int_equal(io.consumed + io.produced, 0);
	wd_comp_close(c);
	free(packed);
	free(back);
	free(random);
}

/* Compressible data in rooms from too small to ample: full or right, never wrong. */
static void large_blocks_in_any_room(void **state)
{
	const size_t n = 9000001;
	uint8_t *text = fake_text(n);
	size_t bound = wd_comp_bound(WD_COMP_ZLIB, n);
	uint8_t *packed = malloc(bound);
	struct wd_comp *c = fake_open_session(WD_OP_COMPRESS, WD_COMP_ZLIB);
	bool was_full = false;
	bool was_ok = false;

	(void)state;
	for (size_t room = 0; room <= bound; room += room < 4 ? 1 : n / 9) {
		struct wd_comp_io io = { .src = text, .src_len = n, .dst = packed, .dst_len = room };

		assert_int_equal(wd_comp_block(c, &io), 0);
		if (io.head.status == WD_STATUS_OUTPUT_FULL) {
			assert_false(was_ok);
			was_full = true;
			continue;
		}
		was_ok = true;
		assert_int_equal(io.head.status, WD_STATUS_OK);
		fake_judge(WD_COMP_ZLIB, packed, io.produced, text, n);
	}
	assert_true(was_full && was_ok);
	assert_int_equal(seen.odd_pieces, 0);
	wd_comp_close(c);
	free(packed);
	free(text);
}

/* Small input, much output: the first try in one request is full, pieces do it. */
static void inflate_beyond_one_request(void **state)
{
	const size_t n = (17u << 20) + 5;
	uint8_t *zeros = calloc(1, n);
	uint8_t *back = malloc(n);
	size_t len;
	uint8_t *packed = fake_zlib_pack(WD_COMP_GZIP, zeros, n, &len);

	(void)state;
	for (unsigned int variant = 0; variant < 2; variant++) {
		size_t back_len = n;

		fake.dev[0].is_full_ok = variant == 1;
		memset(back, 0xff, n);
		assert_int_equal(wd_comp_decompress(WD_COMP_GZIP, packed, len, back, &back_len), 0);
		assert_int_equal(back_len, n);
		assert_memory_equal(back, zeros, n);
		back_len = n - 1;
		assert_int_equal(wd_comp_decompress(WD_COMP_GZIP, packed, len, back, &back_len),
				 -ENOSPC);
	}
	free(packed);
	free(back);
	free(zeros);
}

static void blocks_of_several_members(void **state)
{
	const size_t n = 5000;
	uint8_t *text = fake_text(n);
	uint8_t packed[20000];
	uint8_t back[6000];
	size_t len = fake_members(text, n, packed, 3);
	struct wd_comp *c = fake_open_session(WD_OP_DECOMPRESS, WD_COMP_GZIP);
	struct wd_comp_io io = { .src = packed, .src_len = len, .dst = back, .dst_len = n };
	size_t back_len = n;

	(void)state;
	assert_int_equal(wd_comp_block(c, &io), 0);
	assert_int_equal(io.head.status, WD_STATUS_OK);
	assert_int_equal(io.consumed, len);
	assert_int_equal(io.produced, n);
	assert_int_equal(io.head.requests, 3);
	assert_memory_equal(back, text, n);
	memcpy(packed + len, "garbage", 7);
	io.src_len = len + 7;
	assert_int_equal(wd_comp_block(c, &io), 0);
	assert_int_equal(io.head.status, WD_STATUS_OK);
	assert_int_equal(io.consumed, len);
	assert_int_equal(wd_comp_decompress(WD_COMP_GZIP, packed, len + 7, back, &back_len),
			 -EBADMSG);
	fake.dev[0].is_end_always = true;
	assert_int_equal(wd_comp_decompress(WD_COMP_GZIP, packed, len, back, &back_len), 0);
	/* Cut anywhere, but between members, it is no whole stream. */
	io.dst_len = sizeof(back);
	for (size_t cut = 0; cut < len; cut++) {
		io.src_len = cut;
		assert_int_equal(wd_comp_block(c, &io), 0);
		if (io.head.status == WD_STATUS_OK)
			assert_true(io.consumed == cut || (io.consumed == cut - 1));
		else
			assert_int_equal(io.head.status, WD_STATUS_BAD_DATA);
	}
	wd_comp_close(c);
	free(text);
}

/* What follows the last member is not looked at, in pieces no more than in one request. */
static void blocks_of_any_size_stop_at_a_lone_first_byte(void **state)
{
	const size_t sizes[] = { 5000, 9u << 20 };

	(void)state;
	for (size_t i = 0; i < BASE_ARRAY_SIZE(sizes); i++) {
		size_t len;
		uint8_t *zeros = calloc(1, sizes[i]);
		uint8_t *back = malloc(sizes[i]);
		uint8_t *packed = fake_zlib_pack(WD_COMP_GZIP, zeros, sizes[i], &len);
		struct wd_comp *c = fake_open_session(WD_OP_DECOMPRESS, WD_COMP_GZIP);
		struct wd_comp_io io = { .dst = back, .dst_len = sizes[i] };

		packed = realloc(packed, len + 1);
		packed[len] = 0x1f;
		io.src = packed;
		io.src_len = len + 1;
		assert_int_equal(wd_comp_block(c, &io), 0);
		assert_int_equal(io.head.status, WD_STATUS_OK);
		assert_int_equal(io.consumed, len);
		assert_int_equal(io.produced, sizes[i]);
		wd_comp_close(c);
		free(packed);
		free(back);
		free(zeros);
	}
}

static void blocks_tell_bad_data(void **state)
{
	const size_t n = 3000;
	uint8_t *text = fake_text(n);
	uint8_t back[4000];

	(void)state;
	for (size_t f = 0; f < BASE_ARRAY_SIZE(fake_formats); f++) {
		size_t len;
		uint8_t *packed = fake_zlib_pack(fake_formats[f], text, n, &len);
		struct wd_comp *c = fake_open_session(WD_OP_DECOMPRESS, fake_formats[f]);
		struct wd_comp_io io = {
			.src = packed, .src_len = len, .dst = back, .dst_len = sizeof(back)
		};

		if (fake_formats[f] != WD_COMP_DEFLATE) {
			packed[len - 3] ^= 1;
			assert_int_equal(wd_comp_block(c, &io), 0);
			assert_int_equal(io.head.status, WD_STATUS_BAD_CHECKSUM);
			packed[len - 3] ^= 1;
			packed[0] ^= 1;
			assert_int_equal(wd_comp_block(c, &io), 0);
			assert_int_equal(io.head.status, WD_STATUS_BAD_DATA);
			packed[0] ^= 1;
		}
		for (size_t cut = 0; cut < len; cut += cut < 40 || len - cut < 40 ? 1 : 17) {
			io.src_len = cut;
			assert_int_equal(wd_comp_block(c, &io), 0);
			assert_int_equal(io.head.status, WD_STATUS_BAD_DATA);
		}
		io.src_len = len;
		assert_int_equal(wd_comp_block(c, &io), 0);
		assert_int_equal(io.head.status, WD_STATUS_OK);
		wd_comp_close(c);
		free(packed);
	}
	free(text);
}

/* ------------------------------------------------------------- scattered */

/* Cuts @n bytes at @base into elements of uneven size, some of them empty. */
static unsigned int scatter(uint8_t *base, size_t n, size_t step, struct iovec *iov)
{
	unsigned int nr = 0;

	iov[nr++] = (struct iovec){ .iov_base = base, .iov_len = 0 };
	for (size_t at = 0; at < n;) {
		size_t run = step + nr % 3;

		run = run < n - at ? run : n - at;
		iov[nr++] = (struct iovec){ .iov_base = base + at, .iov_len = run };
		at += run;
		if (nr % 5 == 0)
			iov[nr++] = (struct iovec){ .iov_base = NULL, .iov_len = 0 };
	}
	return nr;
}

static void scattered_blocks(void **state)
{
	static const size_t sizes[] = { 0, 1, 50, 3000 };
	static const size_t steps[] = { 1, 3, 9, 11, 700, 5000 };
	uint8_t *text = fake_text(3000);
	uint8_t packed[4000];
	uint8_t back[3100];
	struct iovec *src = calloc(10000, sizeof(*src));
	struct iovec *dst = calloc(10000, sizeof(*dst));

	(void)state;
	for (size_t k = 0;
	     k < BASE_ARRAY_SIZE(fake_formats) * BASE_ARRAY_SIZE(sizes) * BASE_ARRAY_SIZE(steps);
	     k++) {
		enum wd_comp_format format = fake_formats[k % 3];
		size_t n = sizes[k / 3 % 4];
		size_t step = steps[k / 12];
		size_t bound = wd_comp_bound(format, n);
		struct wd_comp *c = fake_open_session(WD_OP_COMPRESS, format);
		struct wd_comp_io io = { 0 };
		unsigned int src_nr = scatter(text, n, step, src);
		unsigned int dst_nr = scatter(packed, bound, step, dst);
		size_t len;

		assert_int_equal(wd_comp_block_sgl(c, src, src_nr, dst, dst_nr, &io), 0);
		assert_int_equal(io.head.status, WD_STATUS_OK);
		assert_int_equal(io.consumed, n);
		len = io.produced;
		fake_judge(format, packed, len, text, n);
		/* A byte too few, and rooms that end in the header. */
		for (size_t room = 0; room < len; room += room < 20 ? 1 : len - 1 - room) {
			dst_nr = scatter(packed, room, step, dst);
			assert_int_equal(wd_comp_block_sgl(c, src, src_nr, dst, dst_nr, &io), 0);
			assert_int_equal(io.head.status, WD_STATUS_OUTPUT_FULL);
			assert_int_equal(io.consumed + io.produced, 0);
			if (room == len - 1)
				break;
		}
		wd_comp_close(c);

		c = fake_open_session(WD_OP_DECOMPRESS, format);
		dst_nr = scatter(packed, bound, step, dst);
		src_nr = scatter(text, n, step, src);
		assert_int_equal(wd_comp_compress(format, 0, text, n, packed, &bound), 0);
		len = bound;
		src_nr = scatter(packed, len, step, src);
		dst_nr = scatter(back, n, step, dst);
		assert_int_equal(wd_comp_block_sgl(c, src, src_nr, dst, dst_nr, &io), 0);
		assert_int_equal(io.head.status, WD_STATUS_OK);
		assert_int_equal(io.consumed, len);
		assert_int_equal(io.produced, n);
		assert_memory_equal(back, text, n);
		/* With room to spare: else a device may say that there is too little. */
		dst_nr = scatter(back, n + 100, step, dst);
		for (size_t cut = 0; cut < len; cut += cut < 30 ? 1 : 100) {
			src_nr = scatter(packed, cut, step, src);
			assert_int_equal(wd_comp_block_sgl(c, src, src_nr, dst, dst_nr, &io), 0);
			assert_int_equal(io.head.status, WD_STATUS_BAD_DATA);
		}
		if (n > 0) {
			src_nr = scatter(packed, len, step, src);
			dst_nr = scatter(back, n - 1, step, dst);
			assert_int_equal(wd_comp_block_sgl(c, src, src_nr, dst, dst_nr, &io), 0);
			assert_int_equal(io.head.status, WD_STATUS_OUTPUT_FULL);
		}
		wd_comp_close(c);
	}
	free(dst);
	free(src);
	free(text);
}

/* ------------------------------------------------------------- headers */

static void gzip_header_goes_out_once_and_comes_back(void **state)
{
	struct wd_comp_gzip_header h = {
		.size = sizeof(h), .mtime = 1234567890, .os = 255, .has_name = 1, .name = "a name"
	};
	struct wd_comp_gzip_header got = { .size = sizeof(got) };
	struct wd_comp *c = fake_open_session(WD_OP_COMPRESS, WD_COMP_GZIP);
	struct wd_comp *d = fake_open_session(WD_OP_DECOMPRESS, WD_COMP_GZIP);
	uint8_t packed[100];
	uint8_t back[10];
	struct wd_comp_io io = { .src = "hello", .src_len = 5, .dst = packed, .dst_len = 20 };

	(void)state;
	assert_int_equal(wd_comp_set_gzip_header(d, &h), -EINVAL);
	assert_int_equal(wd_comp_get_gzip_header(c, &got), -EINVAL);
	assert_int_equal(wd_comp_get_gzip_header(d, &got), -EAGAIN);
	h.size--;
	assert_int_equal(wd_comp_set_gzip_header(c, &h), -EINVAL);
	h.size++;
	h.reserved = 1;
	assert_int_equal(wd_comp_set_gzip_header(c, &h), -EINVAL);
	h.reserved = 0;
	assert_int_equal(wd_comp_set_gzip_header(c, &h), 0);
	/* What did not fit used nothing up. */
	assert_int_equal(wd_comp_block(c, &io), 0);
	assert_int_equal(io.head.status, WD_STATUS_OUTPUT_FULL);
	io.dst_len = sizeof(packed);
	assert_int_equal(wd_comp_block(c, &io), 0);
	assert_int_equal(io.head.status, WD_STATUS_OK);
	fake_judge(WD_COMP_GZIP, packed, io.produced, (const uint8_t *)"hello", 5);
	io = (struct wd_comp_io){
		.src = packed, .src_len = io.produced, .dst = back, .dst_len = 10
	};
	assert_int_equal(wd_comp_block(d, &io), 0);
	assert_int_equal(io.head.status, WD_STATUS_OK);
	assert_int_equal(wd_comp_get_gzip_header(d, &got), 0);
	assert_int_equal(got.size, sizeof(got));
	assert_int_equal(got.mtime, h.mtime);
	assert_int_equal(got.os, 255);
	assert_int_equal(got.has_name, 1);
	assert_string_equal(got.name, "a name");
	/* The next has the plain one again. */
	io = (struct wd_comp_io){ .src = "x", .src_len = 1, .dst = packed, .dst_len = 100 };
	assert_int_equal(wd_comp_stream(c, &io, WD_COMP_NO_FLUSH), 0);
	assert_int_equal(wd_comp_set_gzip_header(c, &h), -EBUSY);
	assert_int_equal(wd_comp_block(c, &io), -EBUSY);
	assert_memory_equal(packed, "\x1f\x8b\x08\0\0\0\0\0\0\x03", 10);
	wd_comp_close(c);
	wd_comp_close(d);
}

/* ------------------------------------------------------------- a device in trouble */

#define FAILED_MAX 4 /* times that a request is done again */

static int status_errno(uint32_t status)
{
	return status == WD_STATUS_DEVICE_GONE ? -ENODEV : -EIO;
}

static bool is_refusal(uint32_t status)
{
	return status == WD_STATUS_BAD_REQUEST || status == WD_STATUS_BAD_ADDRESS;
}

static const uint32_t bad_statuses[] = { WD_STATUS_BAD_REQUEST,
					 WD_STATUS_BAD_ADDRESS,
					 WD_STATUS_STATE_LOST,
					 WD_STATUS_DEVICE_ERROR,
					 WD_STATUS_DEVICE_GONE,
					 WD_STATUS_PENDING,
					 4711 };

/* Makes the next @nr requests fail. */
static void fail_next(uint32_t status, unsigned int nr)
{
	fake.dev[0].fail_status = status;
	fake.dev[0].fail_at = seen.requests + 1;
	fake.dev[0].nr_fails = nr;
}

/* What the only device failed at it may do the next time, but not for ever; what it refused, never. */
static void failures_are_done_again_a_few_times(void **state)
{
	uint8_t text[1000] = "some text";
	uint8_t packed[2000];
	uint8_t good[2000];
	size_t good_len = sizeof(good);

	(void)state;
	assert_int_equal(wd_comp_compress(WD_COMP_GZIP, 0, text, 1000, good, &good_len), 0);
	for (size_t i = 0; i < 2 * BASE_ARRAY_SIZE(bad_statuses); i++) {
		uint32_t status = bad_statuses[i / 2];
		unsigned int nr_tries = is_refusal(status) ? 1 : FAILED_MAX + 1;
		bool is_compress = i % 2 == 0;
		struct wd_comp *c = fake_open_session(
			is_compress ? WD_OP_COMPRESS : WD_OP_DECOMPRESS, WD_COMP_GZIP);
		struct wd_comp_io io = { .src = is_compress ? text : good,
					 .src_len = is_compress ? 1000 : good_len,
					 .dst = packed,
					 .dst_len = sizeof(packed) };
		unsigned int before = seen.requests;

		fail_next(status, 100);
		assert_int_equal(wd_comp_block(c, &io), status_errno(status));
		assert_int_equal(io.head.error, status_errno(status));
		assert_int_equal(seen.requests - before, nr_tries);
		assert_int_equal(io.head.requests, nr_tries);
		assert_int_equal(io.head.retries, nr_tries - 1);
		/* A block leaves nothing behind; a stream is over and says so until reset. */
		fake.dev[0].fail_at = 0;
		assert_int_equal(wd_comp_block(c, &io), 0);
		fail_next(status, 100);
		assert_int_equal(wd_comp_stream(c, &io, WD_COMP_FINISH), status_errno(status));
		assert_int_equal(wd_comp_stream(c, &io, WD_COMP_FINISH), status_errno(status));
		wd_comp_reset(c);
		fake.dev[0].fail_at = 0;
		assert_int_equal(wd_comp_stream(c, &io, WD_COMP_FINISH), 0);
		assert_int_equal(io.head.status, WD_STATUS_STREAM_END);
		wd_comp_close(c);
	}
}

/* A failure now and then nobody sees but in the numbers. */
static void passing_failures_are_not_seen(void **state)
{
	uint8_t *text = fake_text(300000);
	uint8_t *packed = malloc(400000);

	(void)state;
	for (size_t i = 0; i < BASE_ARRAY_SIZE(bad_statuses); i++) {
		struct wd_comp *c = fake_open_session(WD_OP_COMPRESS, WD_COMP_GZIP);
		struct wd_comp_io io = {
			.src = text, .src_len = 300000, .dst = packed, .dst_len = 400000
		};

		if (is_refusal(bad_statuses[i])) {
			wd_comp_close(c);
			continue;
		}
		fail_next(bad_statuses[i], FAILED_MAX);
		assert_int_equal(wd_comp_block(c, &io), 0);
		assert_int_equal(io.head.status, WD_STATUS_OK);
		assert_int_equal(io.head.requests, FAILED_MAX + 1);
		assert_int_equal(io.head.retries, FAILED_MAX);
		fake_judge(WD_COMP_GZIP, packed, io.produced, text, 300000);
		wd_comp_close(c);
	}
	free(packed);
	free(text);
}

static void lies_are_not_believed(void **state)
{
	uint8_t text[1000] = "some text";
	uint8_t back[1000];
	uint8_t packed[2000];
	size_t len = sizeof(packed);
	size_t back_len = sizeof(back);
	struct wd_comp *c;
	struct wd_comp_io io;

	(void)state;
	/* A lie is a failure: done again. */
	fake.dev[0].lie_at = 1;
	assert_int_equal(wd_comp_compress(WD_COMP_ZLIB, 0, text, 1000, packed, &len), 0);
	assert_int_equal(seen.requests, 2);
	fake_judge(WD_COMP_ZLIB, packed, len, text, 1000);
	fake.dev[0].stuck_at = 3;
	len = sizeof(packed);
	assert_int_equal(wd_comp_compress(WD_COMP_ZLIB, 0, text, 1000, packed, &len), 0);
	assert_int_equal(seen.requests, 4);
	fake_judge(WD_COMP_ZLIB, packed, len, text, 1000);
	fake.dev[0].lie_at = seen.requests + 1;
	assert_int_equal(wd_comp_decompress(WD_COMP_ZLIB, packed, len, back, &back_len), 0);
	assert_int_equal(seen.requests, 6);
	assert_memory_equal(back, text, 1000);
	/* A stream that does not move must not go round and round. */
	c = fake_open_session(WD_OP_DECOMPRESS, WD_COMP_ZLIB);
	io = (struct wd_comp_io){ .src = packed, .src_len = len, .dst = back, .dst_len = 1000 };
	fake.dev[0].stuck_at = seen.requests + 1;
	assert_int_equal(wd_comp_stream(c, &io, WD_COMP_NO_FLUSH), -EIO);
	wd_comp_reset(c);
	fail_next(WD_STATUS_OUTPUT_FULL, 1);
	assert_int_equal(wd_comp_stream(c, &io, WD_COMP_NO_FLUSH), -EIO);
	wd_comp_close(c);
	/* Compressing has no data to call bad, and had room for the worst. */
	c = fake_open_session(WD_OP_COMPRESS, WD_COMP_ZLIB);
	io = (struct wd_comp_io){ .src = text, .src_len = 1000, .dst = packed, .dst_len = 2000 };
	fail_next(WD_STATUS_BAD_DATA, 100);
	assert_int_equal(wd_comp_block(c, &io), -EIO);
	assert_int_equal(io.head.requests, FAILED_MAX + 1);
	fail_next(WD_STATUS_BAD_DATA, 1);
	assert_int_equal(wd_comp_block(c, &io), 0);
	fake_judge(WD_COMP_ZLIB, packed, io.produced, text, 1000);
	fail_next(WD_STATUS_OUTPUT_FULL, 100);
	assert_int_equal(wd_comp_stream(c, &io, WD_COMP_FINISH), -EIO);
	wd_comp_reset(c);
	fail_next(WD_STATUS_OUTPUT_FULL, 1);
	assert_int_equal(wd_comp_stream(c, &io, WD_COMP_FINISH), 0);
	assert_int_equal(io.head.status, WD_STATUS_STREAM_END);
	fake_judge(WD_COMP_ZLIB, packed, io.produced, text, 1000);
	wd_comp_close(c);
}

/* ------------------------------------------------------------- time-outs */

static struct wd_comp *open_impatient(enum wd_comp_format format)
{
	const struct wd_comp_opts opts = {
		.size = sizeof(opts), .op = WD_OP_COMPRESS, .format = format, .timeout_ms = 5
	};

	return fake_open(&opts);
}

static void after_a_timeout_nothing_is_sent_until_it_is_back(void **state)
{
	uint8_t text[1000] = "some text";
	uint8_t packed[2000];
	struct wd_comp_io *none;
	struct wd_comp_io io = { .src = text, .src_len = 1000, .dst = packed, .dst_len = 2000 };
	struct wd_comp *c;

	(void)state;
	fake_configure("hang_ms", "60000");
	c = open_impatient(WD_COMP_ZLIB);
	fake.dev[0].is_silent = true;
	assert_int_equal(wd_comp_block(c, &io), -ETIMEDOUT);
	assert_int_equal(io.head.error, -ETIMEDOUT);
	assert_int_equal(wd_comp_block(c, &io), -ETIMEDOUT);
	assert_int_equal(wd_comp_stream(c, &io, WD_COMP_FINISH), -ETIMEDOUT);
	wd_comp_reset(c);
	assert_int_equal(wd_comp_block(c, &io), -ETIMEDOUT);
	assert_int_equal(seen.requests, 1);
	/* Nothing that anybody would be handed. */
	assert_int_equal(wd_comp_in_flight(c), 0);
	assert_int_equal(wd_comp_wait(c, &none, 1, 0), 0);
	fake.dev[0].is_silent = false;
	assert_int_equal(wd_comp_block(c, &io), 0);
	assert_int_equal(io.head.status, WD_STATUS_OK);
	assert_int_equal(io.head.requests, 1);
	fake_judge(WD_COMP_ZLIB, packed, io.produced, text, 1000);
	assert_int_equal(fake_counters().timeouts, 4);

	/* A stream does not survive it, for nobody knows how far it came. */
	fake.dev[0].is_silent = true;
	assert_int_equal(wd_comp_stream(c, &io, WD_COMP_FINISH), -ETIMEDOUT);
	fake.dev[0].is_silent = false;
	assert_int_equal(wd_comp_stream(c, &io, WD_COMP_FINISH), -EIO);
	wd_comp_reset(c);
	assert_int_equal(wd_comp_stream(c, &io, WD_COMP_FINISH), 0);
	assert_int_equal(io.head.status, WD_STATUS_STREAM_END);
	fake_judge(WD_COMP_ZLIB, packed, io.produced, text, 1000);

	/* Whoever finds it back: a poll for others' sake, or giving all up. */
	for (unsigned int i = 0; i < 2; i++) {
		fake.dev[0].is_silent = true;
		assert_int_equal(wd_comp_stream(c, &io, WD_COMP_FINISH), -ETIMEDOUT);
		fake.dev[0].is_silent = false;
		if (i == 0)
			assert_int_equal(wd_comp_poll(c, &none, 1), 0);
		else
			assert_int_equal(wd_comp_cancel(c), 1);
		assert_int_equal(wd_comp_stream(c, &io, WD_COMP_FINISH), -EIO);
		wd_comp_reset(c);
		assert_int_equal(wd_comp_stream(c, &io, WD_COMP_FINISH), 0);
		assert_int_equal(io.head.status, WD_STATUS_STREAM_END);
	}

	/* Closing with a request out: the queue waits for it, then the memory goes. */
	fake.dev[0].is_silent = true;
	fake.dev[0].ends_one = true;
	assert_int_equal(wd_comp_stream(c, &io, WD_COMP_FINISH), -ETIMEDOUT);
	wd_comp_close(c);
}

/* What silence costs where the queue is given up before the time is over. */
static void a_queue_that_hangs_is_given_up(void **state)
{
	struct wd_comp_opts opts = { .size = sizeof(opts),
				     .op = WD_OP_COMPRESS,
				     .format = WD_COMP_ZLIB };
	uint8_t text[1000] = "some text";
	uint8_t packed[2000];
	struct wd_comp_io io = { .src = text, .src_len = 1000, .dst = packed, .dst_len = 2000 };
	struct wd_comp *c;

	(void)state;
	fake.nr_devices = 2;
	fake_configure("hang_ms", "3");
	c = fake_open_session(WD_OP_COMPRESS, WD_COMP_ZLIB);
	fake.dev[0].is_silent = true;
	assert_int_equal(wd_comp_block(c, &io), 0);
	assert_int_equal(io.head.status, WD_STATUS_OK);
	assert_string_equal(wd_device_name(io.head.device_id), "fake:1");
	assert_int_equal(io.head.requests, 2);
	assert_int_equal(io.head.retries, 1);
	fake_judge(WD_COMP_ZLIB, packed, io.produced, text, 1000);
	assert_int_equal(fake_counters().failures, 1);
	assert_int_equal(fake_counters().abandoned, 1);
	wd_comp_close(c);
	/* By default after half of the wait. */
	fake_rescan();
	opts.timeout_ms = 500;
	assert_int_equal(wd_comp_open(&opts, &c), 0);
	assert_int_equal(wd_comp_block(c, &io), 0);
	assert_string_equal(wd_device_name(io.head.device_id), "fake:1");
	wd_comp_close(c);
}

/* ------------------------------------------------------------- sending */

static void send_in_trouble(void **state)
{
	uint8_t text[1000] = "some text";
	uint8_t packed[2000];
	struct wd_comp *c = fake_open_session(WD_OP_COMPRESS, WD_COMP_ZLIB);
	struct wd_comp_io io = { .src = text, .src_len = 1000, .dst = packed, .dst_len = 2000 };

	(void)state;
	/* A device that cannot take more just now is asked again. */
	fake.dev[0].nr_busy_sends = 10;
	assert_int_equal(wd_comp_block(c, &io), 0);
	assert_int_equal(io.head.status, WD_STATUS_OK);
	/* A queue that is refused is replaced a few times. */
	fake.dev[0].send_ret = -ENODEV;
	assert_int_equal(wd_comp_block(c, &io), -ENODEV);
	assert_int_equal(seen.queues_opened, 3);
	assert_int_equal(seen.requests, 1);
	fake.dev[0].send_ret = -EOPNOTSUPP;
	assert_int_equal(wd_comp_block(c, &io), -EOPNOTSUPP);
	fake.dev[0].send_ret = 0;
	assert_int_equal(wd_comp_block(c, &io), 0);
	assert_int_equal(io.head.status, WD_STATUS_OK);
	wd_comp_close(c);
	/* Always busy: the session's time runs out, and the request is sent later. */
	c = open_impatient(WD_COMP_ZLIB);
	fake.dev[0].send_ret = -EAGAIN;
	assert_int_equal(wd_comp_block(c, &io), -ETIMEDOUT);
	fake.dev[0].send_ret = 0;
	assert_int_equal(wd_comp_block(c, &io), 0);
	assert_int_equal(io.head.status, WD_STATUS_OK);
	wd_comp_close(c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_begin_test, fake_end_test)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(open_checks_options),
		TEST(calls_check_arguments),
		TEST(bound_is_checked_for_overflow),
		TEST(one_shot_round_trip),
		TEST(large_blocks_go_in_pieces),
		TEST(large_blocks_in_any_room),
		TEST(inflate_beyond_one_request),
		TEST(blocks_of_several_members),
		TEST(blocks_of_any_size_stop_at_a_lone_first_byte),
		TEST(blocks_tell_bad_data),
		TEST(scattered_blocks),
		TEST(gzip_header_goes_out_once_and_comes_back),
		TEST(failures_are_done_again_a_few_times),
		TEST(passing_failures_are_not_seen),
		TEST(lies_are_not_believed),
		TEST(after_a_timeout_nothing_is_sent_until_it_is_back),
		TEST(a_queue_that_hangs_is_given_up),
		TEST(send_in_trouble),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Streams in both directions against a scripted device (alg_comp_device.c):
 * pieces of any size in and out, flushes, members, and what ends a stream.
 * zlib judges the output.
 */
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

/* ------------------------------------------------------------- compressing in pieces */

/* Feeds @src in steps of @in into rooms of @out, flushing every @flush_every steps. */
static size_t deflate_all(struct wd_comp *c, const uint8_t *src, size_t n, size_t in, size_t out,
			  unsigned int flush_every, uint8_t *packed)
{
	size_t len = 0;
	size_t at = 0;
	unsigned int step = 0;

	for (;;) {
		size_t run = in < n - at ? in : n - at;
		enum wd_comp_flush flush = at + run == n ? WD_COMP_FINISH :
					   flush_every != 0 && ++step % flush_every == 0 ?
							   WD_COMP_SYNC_FLUSH :
							   WD_COMP_NO_FLUSH;
		struct wd_comp_io io = {
			.src = src + at, .src_len = run, .dst = packed + len, .dst_len = out
		};

		do {
			assert_int_equal(wd_comp_stream(c, &io, flush), 0);
			assert_true(io.consumed <= io.src_len && io.produced <= io.dst_len);
			at += io.consumed;
			len += io.produced;
			io.src = src + at;
			io.src_len -= io.consumed;
			io.dst = packed + len;
			if (io.head.status == WD_STATUS_STREAM_END) {
				assert_int_equal(at, n);
				return len;
			}
			if (io.head.status == WD_STATUS_OUTPUT_FULL)
				assert_int_equal(io.produced, out);
			else
				assert_int_equal(io.head.status, WD_STATUS_OK);
		} while (io.head.status == WD_STATUS_OUTPUT_FULL);
		assert_int_equal(io.src_len, 0);
	}
}

static void streams_compress_in_any_pieces(void **state)
{
	static const size_t sizes[] = { 0, 1, 5, 1000, 131072, 400001 };
	static const size_t ins[] = { 1, 7, 1000, 65535, 65536, 131073, 1u << 20 };
	static const size_t outs[] = { 1, 13, 255, 256, 5000, 70000, 1u << 20 };
	uint8_t *text = fake_text(400001);
	uint8_t *packed = malloc(3u << 20);
	unsigned int k = 0;

	(void)state;
	for (size_t s = 0; s < BASE_ARRAY_SIZE(sizes); s++) {
		for (size_t i = 0; i < BASE_ARRAY_SIZE(ins); i++) {
			for (size_t o = 0; o < BASE_ARRAY_SIZE(outs); o++, k++) {
				enum wd_comp_format format = fake_formats[k % 3];
				struct wd_comp *c;
				size_t len;

				/* Bytes one by one are slow: not all of both. */
				if (ins[i] < 1000 && sizes[s] > 1000 && o % 3 != 0)
					continue;
				c = fake_open_session(WD_OP_COMPRESS, format);
				seen.odd_pieces = 0;
				len = deflate_all(c, text, sizes[s], ins[i], outs[o], 0, packed);
				fake_judge(format, packed, len, text, sizes[s]);
				assert_int_equal(seen.odd_pieces, 0);
				/* The next call begins the next stream. */
				len = deflate_all(c, text, sizes[s], ins[i], 1u << 20, 2, packed);
				fake_judge(format, packed, len, text, sizes[s]);
				wd_comp_close(c);
			}
		}
	}
	free(packed);
	free(text);
}

static void sync_flush_lets_all_be_read(void **state)
{
	uint8_t *text = fake_text(100000);
	uint8_t *packed = malloc(200000);
	uint8_t *back = malloc(100000);
	struct wd_comp *c = fake_open_session(WD_OP_COMPRESS, WD_COMP_ZLIB);
	z_stream z = { .next_in = packed };
	struct wd_comp_io io = { .dst = packed, .dst_len = 200000 };
	size_t at = 0;

	(void)state;
	assert_int_equal(inflateInit2(&z, 15), Z_OK);
	z.next_out = back;
	z.avail_out = 100000;
	/* Nothing yet to flush: the header alone goes out. */
	assert_int_equal(wd_comp_stream(c, &io, WD_COMP_SYNC_FLUSH), 0);
	assert_int_equal(io.produced, 2);
	assert_int_equal(io.head.requests, 0);
	z.avail_in = 2;
	for (size_t run = 1; at + run <= 100000; at += run, run = run * 2 + 1) {
		io.dst = z.next_in + z.avail_in;
		io.dst_len -= io.produced;
		io.src = text + at;
		io.src_len = run;
		assert_int_equal(wd_comp_stream(c, &io, WD_COMP_SYNC_FLUSH), 0);
		assert_int_equal(io.head.status, WD_STATUS_OK);
		assert_int_equal(io.consumed, run);
		z.avail_in += io.produced;
		inflate(&z, Z_SYNC_FLUSH);
		assert_int_equal(z.avail_in, 0);
		assert_int_equal(z.total_out, at + run);
		assert_memory_equal(back, text, at + run);
		/* Again without input: nothing is written. */
		io.dst = z.next_in;
		io.dst_len -= io.produced;
		io.src_len = 0;
		assert_int_equal(wd_comp_stream(c, &io, WD_COMP_SYNC_FLUSH), 0);
		assert_int_equal(io.head.status, WD_STATUS_OK);
		assert_int_equal(io.produced, 0);
		assert_int_equal(io.head.requests, 0);
	}
	inflateEnd(&z);
	wd_comp_close(c);
	free(back);
	free(packed);
	free(text);
}

static void large_input_is_not_copied(void **state)
{
	const size_t n = 1u << 20;
	uint8_t *text = fake_text(n);
	uint8_t *packed = malloc(2 * n);
	struct wd_comp *c = fake_open_session(WD_OP_COMPRESS, WD_COMP_GZIP);
	struct wd_comp_io io = { .src = text, .src_len = n - 1, .dst = packed, .dst_len = 2 * n };

	(void)state;
	seen.watch_src = text;
	seen.watch_src_len = n;
	assert_int_equal(wd_comp_stream(c, &io, WD_COMP_NO_FLUSH), 0);
	assert_int_equal(io.consumed, n - 1);
	/* All but the odd tail, which waits for what follows. */
	assert_int_equal(seen.direct_src_bytes, n - 4);
	assert_ptr_equal(seen.last.dst, packed + 10);
	wd_comp_close(c);
	free(packed);
	free(text);
}

static void levels_and_who_served_are_told(void **state)
{
	struct wd_comp_opts opts = { .size = sizeof(opts),
				     .op = WD_OP_COMPRESS,
				     .format = WD_COMP_DEFLATE,
				     .level = 9,
				     .window_bits = 13 };
	uint8_t *text = fake_text(300000);
	uint8_t *packed = malloc(400000);
	struct wd_comp_io io = { .src = text, .src_len = 300000, .dst = packed, .dst_len = 400000 };
	struct wd_comp *c;

	(void)state;
	assert_int_equal(wd_comp_open(&opts, &c), 0);
	fake.dev[0].level_max_stream = 3;
	assert_int_equal(wd_comp_block(c, &io), 0);
	assert_int_equal(io.level, 9);
	assert_int_equal(seen.last.window_bits, 13);
	assert_int_equal(wd_comp_stream(c, &io, WD_COMP_FINISH), 0);
	assert_int_equal(io.head.status, WD_STATUS_STREAM_END);
	assert_int_equal(io.level, 3);
	assert_string_equal(wd_device_name(io.head.device_id), "fake:0");
	assert_int_equal(io.head.requests, 1);
	wd_comp_close(c);
	free(packed);
	free(text);
}

/* ------------------------------------------------------------- decompressing in pieces */

/* Feeds @packed in steps of @in into rooms of @out; returns the last status. */
static uint32_t inflate_all(struct wd_comp *c, const uint8_t *packed, size_t len, size_t in,
			    size_t out, uint8_t *back, size_t *ret_len)
{
	size_t at = 0;
	size_t n = 0;
	struct wd_comp_io io = { 0 };

	do {
		size_t run = in < len - at ? in : len - at;

		io = (struct wd_comp_io){
			.src = packed + at, .src_len = run, .dst = back + n, .dst_len = out
		};
		assert_int_equal(
			wd_comp_stream(c, &io, at + run == len ? WD_COMP_FINISH : WD_COMP_NO_FLUSH),
			0);
		assert_true(io.consumed <= run && io.produced <= out);
		at += io.consumed;
		n += io.produced;
		if (io.head.status == WD_STATUS_STREAM_END && (at == len || io.consumed == 0))
			break;
	} while (io.head.status == WD_STATUS_OK || io.head.status == WD_STATUS_OUTPUT_FULL ||
		 io.head.status == WD_STATUS_STREAM_END);
	*ret_len = n;
	return io.head.status;
}

static void streams_decompress_in_any_pieces(void **state)
{
	static const size_t ins[] = { 1, 2, 7, 100, 4096, 1u << 20 };
	static const size_t outs[] = { 1, 13, 255, 256, 257, 5000, 1u << 20 };
	const size_t n = 60000;
	uint8_t *text = fake_text(n);
	uint8_t *back = malloc(n + (1u << 20));

	(void)state;
	for (unsigned int k = 0; k < 3 * 4; k++) {
		enum wd_comp_format format = fake_formats[k % 3];
		size_t len;
		uint8_t *packed = fake_zlib_pack(format, text, n, &len);

		fake.dev[0].is_full_ok = (k / 3 & 1) != 0;
		fake.dev[0].step_bytes = (k / 3 & 2) != 0 ? 3 : 0;
		for (size_t i = 0; i < BASE_ARRAY_SIZE(ins); i++) {
			for (size_t o = 0; o < BASE_ARRAY_SIZE(outs); o++) {
				struct wd_comp *c = fake_open_session(WD_OP_DECOMPRESS, format);
				size_t got;

				assert_int_equal(inflate_all(c, packed, len, ins[i], outs[o], back,
							     &got),
						 WD_STATUS_STREAM_END);
				assert_int_equal(got, n);
				assert_memory_equal(back, text, n);
				wd_comp_reset(c);
				assert_int_equal(inflate_all(c, packed, len - 1, ins[i], outs[o],
							     back, &got),
						 WD_STATUS_BAD_DATA);
				wd_comp_close(c);
			}
		}
		free(packed);
	}
	free(back);
	free(text);
}

static void members_cut_at_every_byte(void **state)
{
	const size_t n = 300;
	uint8_t *text = fake_text(n);
	uint8_t packed[1000];
	uint8_t back[400];
	size_t len = fake_members(text, n, packed, 3);
	struct wd_comp *c = fake_open_session(WD_OP_DECOMPRESS, WD_COMP_GZIP);

	(void)state;
	for (size_t cut = 0; cut <= len; cut++) {
		struct wd_comp_io io = {
			.src = packed, .src_len = cut, .dst = back, .dst_len = sizeof(back)
		};
		size_t got;

		wd_comp_reset(c);
		assert_int_equal(wd_comp_stream(c, &io, WD_COMP_NO_FLUSH), 0);
		assert_int_equal(io.consumed, cut);
		got = io.produced;
		io.src = packed + cut;
		io.src_len = len - cut;
		io.dst = back + got;
		io.dst_len = n - got;
		assert_int_equal(wd_comp_stream(c, &io, WD_COMP_NO_FLUSH), 0);
		assert_int_equal(io.head.status, WD_STATUS_STREAM_END);
		assert_int_equal(io.consumed, len - cut);
		assert_int_equal(got + io.produced, n);
		assert_memory_equal(back, text, n);
	}
	wd_comp_close(c);
	free(text);
}

static void what_follows_the_last_member(void **state)
{
	const size_t n = 300;
	uint8_t *text = fake_text(n);
	uint8_t packed[1000];
	uint8_t back[400];
	size_t len = fake_members(text, n, packed, 2);
	struct wd_comp *c = fake_open_session(WD_OP_DECOMPRESS, WD_COMP_GZIP);
	struct wd_comp_io io = { .src = packed, .src_len = len + 3, .dst = back, .dst_len = 400 };

	(void)state;
	memcpy(packed + len, "\x1f\x8c\x1f", 3);
	assert_int_equal(wd_comp_stream(c, &io, WD_COMP_NO_FLUSH), 0);
	assert_int_equal(io.head.status, WD_STATUS_STREAM_END);
	assert_int_equal(io.consumed, len);
	io.src = packed + len;
	io.src_len = 3;
	assert_int_equal(wd_comp_stream(c, &io, WD_COMP_NO_FLUSH), 0);
	assert_int_equal(io.head.status, WD_STATUS_STREAM_END);
	assert_int_equal(io.consumed, 0);
	/* Only a first byte that could be a member's: wait for the next, then think again. */
	io.src_len = 1;
	assert_int_equal(wd_comp_stream(c, &io, WD_COMP_NO_FLUSH), 0);
	assert_int_equal(io.head.status, WD_STATUS_OK);
	assert_int_equal(io.consumed, 1);
	io.src = packed + len + 1;
	assert_int_equal(wd_comp_stream(c, &io, WD_COMP_NO_FLUSH), 0);
	assert_int_equal(io.head.status, WD_STATUS_STREAM_END);
	assert_int_equal(io.consumed, 0);
	/* A member that ends after its first byte is cut short. */
	io.src = packed;
	assert_int_equal(wd_comp_stream(c, &io, WD_COMP_FINISH), 0);
	assert_int_equal(io.head.status, WD_STATUS_BAD_DATA);
	/* And a block may follow what has ended. */
	io.src_len = len;
	assert_int_equal(wd_comp_block(c, &io), 0);
	assert_int_equal(io.head.status, WD_STATUS_OK);
	wd_comp_close(c);

	/* zlib: one stream, and its end stays its end until reset. */
	c = fake_open_session(WD_OP_DECOMPRESS, WD_COMP_ZLIB);
	len = 1000;
	assert_int_equal(compress(packed, &len, text, n), Z_OK);
	io.src_len = len;
	for (unsigned int i = 0; i < 3; i++) {
		io.src_len = len;
		assert_int_equal(wd_comp_stream(c, &io, WD_COMP_FINISH), 0);
		assert_int_equal(io.head.status, WD_STATUS_STREAM_END);
		assert_int_equal(io.consumed, i == 1 ? 0 : len);
		if (i == 1)
			wd_comp_reset(c);
	}
	wd_comp_close(c);
	free(text);
}

static void streams_end_at_the_first_error(void **state)
{
	const size_t n = 3000;
	uint8_t *text = fake_text(n);
	uint8_t back[4000];
	size_t len;
	uint8_t *packed = fake_zlib_pack(WD_COMP_GZIP, text, n, &len);
	struct wd_comp *c = fake_open_session(WD_OP_DECOMPRESS, WD_COMP_GZIP);
	struct wd_comp_io io = { .src = packed, .src_len = len, .dst = back, .dst_len = 4000 };

	(void)state;
	packed[len - 1] ^= 1;
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(wd_comp_stream(c, &io, WD_COMP_NO_FLUSH), 0);
		assert_int_equal(io.head.status, WD_STATUS_BAD_CHECKSUM);
		assert_int_equal(io.head.requests, i == 0);
	}
	packed[len - 1] ^= 1;
	wd_comp_reset(c);
	assert_int_equal(wd_comp_stream(c, &io, WD_COMP_NO_FLUSH), 0);
	assert_int_equal(io.head.status, WD_STATUS_STREAM_END);
	wd_comp_close(c);
	free(packed);
	free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_begin_test, fake_end_test)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(streams_compress_in_any_pieces),	TEST(sync_flush_lets_all_be_read),
		TEST(large_input_is_not_copied),	TEST(levels_and_who_served_are_told),
		TEST(streams_decompress_in_any_pieces), TEST(members_cut_at_every_byte),
		TEST(what_follows_the_last_member),	TEST(streams_end_at_the_first_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Streams through the public API on whatever device the library finds: every
 * format, level and way of cutting, gzip members and headers, and data larger
 * than one request, with zlib as judge.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "conform/comp_rig.h"

/* ------------------------------------------------------------- streams */

struct cut {
	size_t in;  /* bytes of input per call; 0: random */
	size_t out; /* bytes of room per call; 0: random */
};

static const struct cut cuts[] = { { SIZE_MAX_TESTED, ROOM_MAX },
				   { 1, 4096 },
				   { 4096, 1 },
				   { 7, 13 },
				   { 65536, 65536 },
				   { 100000, 300 },
				   { 131072, 131000 },
				   { 0, 0 } };

static size_t cut_size(size_t fixed, size_t left)
{
	size_t n = fixed != 0 ? fixed : 1 + (next_random() & ((1u << next_random() % 18) - 1));

	return n < left ? n : left;
}

/* A whole stream through @c; returns what came out, and the last status. */
static size_t stream(struct wd_comp *c, const struct cut *cut, unsigned int flush_every,
		     const uint8_t *src, size_t n, uint8_t *dst, size_t room, uint32_t *ret_status)
{
	struct wd_comp_io io;
	enum wd_comp_flush flush;
	size_t at = 0;
	size_t out = 0;
	unsigned int nr = 0;

	do {
		size_t run = cut_size(cut->in, n - at);

		flush = at + run == n				    ? WD_COMP_FINISH :
			flush_every != 0 && ++nr % flush_every == 0 ? WD_COMP_SYNC_FLUSH :
								      WD_COMP_NO_FLUSH;
		do {
			io = (struct wd_comp_io){ .src = src + at,
						  .src_len = run,
						  .dst = dst + out,
						  .dst_len = cut_size(cut->out, room - out) };
			dst[out + io.dst_len] = 0xc3;
			assert_int_equal(wd_comp_stream(c, &io, flush), 0);
			assert_true(io.consumed <= io.src_len && io.produced <= io.dst_len);
			assert_int_equal(dst[out + io.dst_len], 0xc3);
			if (io.head.status == WD_STATUS_OK)
				assert_int_equal(io.consumed, io.src_len);
			if (io.head.status == WD_STATUS_OUTPUT_FULL)
				assert_int_equal(io.produced, io.dst_len);
			at += io.consumed;
			run -= io.consumed;
			out += io.produced;
		} while (io.head.status == WD_STATUS_OUTPUT_FULL && out < room);
	} while (io.head.status == WD_STATUS_OK ||
		 (io.head.status == WD_STATUS_STREAM_END && at < n));
	*ret_status = io.head.status;
	return out;
}

static void streams_of_every_kind(void **state)
{
	uint32_t status;
	size_t k = 0;

	(void)state;
	for (size_t s = 0; s < NR(sizes); s++) {
		for (size_t i = 0; i < NR(cuts) * NR(levels) * NR_KINDS; i++, k++) {
			const struct cut *cut = &cuts[i % NR(cuts)];
			enum wd_comp_format format = formats[k % NR(formats)];
			const uint8_t *src = data[i % NR_KINDS];
			struct wd_comp *c;
			struct wd_comp *d;
			unsigned int flush_every;
			size_t n = sizes[s];
			size_t len;

			/* Byte by byte, and every level at full size, only where time is given. */
			if (!is_long && n > 4097 && (cut->in * cut->out < 10000000 || k % 5 != 0))
				n = 4097 + i * 8;
			/* Where every piece copies its context, a part of them will do. */
			if (is_brief && k % BRIEF_PART != 0)
				continue;
			c = open_session(WD_OP_COMPRESS, format, levels[i % NR(levels)]);
			d = open_session(WD_OP_DECOMPRESS, format, 0);
			/* A flush after every byte would cost more than there is room for. */
			flush_every = cut->in == 0 || cut->in > 1000 || n <= 4097 ? i % 3 : 0;
			len = stream(c, cut, flush_every, src, n, packed, ROOM_MAX - 1, &status);
			assert_int_equal(status, WD_STATUS_STREAM_END);
			judge(format, packed, len, src, n);
			len = zlib_pack(format, 1 + k % 9, src, n, k % 2 * 3000, packed, ROOM_MAX);
			assert_int_equal(stream(d, cut, 0, packed, len, back, n, &status), n);
			assert_int_equal(status, WD_STATUS_STREAM_END);
			assert_true(memcmp(back, src, n) == 0);
			wd_comp_close(d);
			wd_comp_close(c);
		}
	}
}

/* Streams, dropped streams and blocks take turns in one session. */
static void a_session_lasts(void **state)
{
	struct wd_comp *c = open_session(WD_OP_COMPRESS, WD_COMP_ZLIB, 1);
	struct wd_comp *d = open_session(WD_OP_DECOMPRESS, WD_COMP_ZLIB, 0);
	struct wd_comp_io io;
	uint32_t status;
	size_t len;

	(void)state;
	for (unsigned int i = 0; i < 200; i++) {
		const uint8_t *src = data[i % NR_KINDS];
		size_t n = next_random() % 20000;

		if (i % 3 == 0) {
			io = (struct wd_comp_io){
				.src = src, .src_len = n, .dst = packed, .dst_len = 100
			};
			assert_int_equal(wd_comp_stream(c, &io, WD_COMP_SYNC_FLUSH), 0);
			assert_int_equal(wd_comp_block(c, &io), -EBUSY);
			wd_comp_reset(c);
		}
		len = i % 2 != 0 ? stream(c, &cuts[7], 2, src, n, packed, ROOM_MAX - 1, &status) :
				   (block(c, src, n, packed, wd_comp_bound(WD_COMP_ZLIB, n), &io),
				    io.produced);
		judge(WD_COMP_ZLIB, packed, len, src, n);
		wd_comp_reset(d);
		if (n > 0) {
			io = (struct wd_comp_io){
				.src = packed, .src_len = len / 2, .dst = back, .dst_len = n / 2
			};
			assert_int_equal(wd_comp_stream(d, &io, WD_COMP_NO_FLUSH), 0);
			wd_comp_reset(d);
		}
		if (i % 2 == 0)
			assert_int_equal(stream(d, &cuts[7], 0, packed, len, back, n, &status), n);
		else
			assert_int_equal(block(d, packed, len, back, n, &io), WD_STATUS_OK);
		assert_true(memcmp(back, src, n) == 0);
	}
	wd_comp_close(d);
	wd_comp_close(c);
}

/* ------------------------------------------------------------- gzip */

static void members_and_headers(void **state)
{
	struct wd_comp_gzip_header h = {
		.size = sizeof(h), .mtime = 86400, .os = 3, .has_name = 1, .name = "members.txt"
	};
	struct wd_comp_gzip_header got = { .size = sizeof(got) };
	struct wd_comp *c = open_session(WD_OP_COMPRESS, WD_COMP_GZIP, 6);
	struct wd_comp *d = open_session(WD_OP_DECOMPRESS, WD_COMP_GZIP, 0);
	struct wd_comp_io io;
	uint32_t status;
	size_t len = 0;
	size_t n = 0;
	gz_header z_header = { .name = (Bytef *)got.name, .name_max = sizeof(got.name) };
	z_stream z = { .next_in = packed };

	(void)state;
	for (unsigned int i = 0; i < 5; i++) {
		size_t part = i == 2 ? 0 : 1000 + i;

		if (i == 0)
			assert_int_equal(wd_comp_set_gzip_header(c, &h), 0);
		assert_int_equal(block(c, data[KIND_TEXT] + n, part, packed + len,
				       wd_comp_bound(WD_COMP_GZIP, part) + 20, &io),
				 WD_STATUS_OK);
		len += io.produced;
		n += part;
	}
	/* zlib reads the same header. */
	z.avail_in = len;
	assert_int_equal(inflateInit2(&z, 31), Z_OK);
	assert_int_equal(inflateGetHeader(&z, &z_header), Z_OK);
	z.next_out = back;
	z.avail_out = 1;
	inflate(&z, Z_NO_FLUSH);
	assert_int_equal(z_header.done, 1);
	assert_int_equal(z_header.time, h.mtime);
	assert_string_equal(got.name, h.name);
	inflateEnd(&z);
	memset(got.name, 0, sizeof(got.name));

	assert_int_equal(block(d, packed, len, back, n, &io), WD_STATUS_OK);
	assert_int_equal(io.consumed, len);
	assert_int_equal(io.produced, n);
	assert_true(memcmp(back, data[KIND_TEXT], n) == 0);
	assert_int_equal(wd_comp_get_gzip_header(d, &got), 0);
	assert_string_equal(got.name, h.name);
	assert_int_equal(got.mtime, h.mtime);
	for (size_t i = 0; i < NR(cuts); i++) {
		assert_int_equal(stream(d, &cuts[i], 0, packed, len, back, n, &status), n);
		assert_int_equal(status, WD_STATUS_STREAM_END);
		assert_true(memcmp(back, data[KIND_TEXT], n) == 0);
		assert_int_equal(wd_comp_get_gzip_header(d, &got), 0);
		assert_string_equal(got.name, h.name);
		wd_comp_reset(d);
	}
	wd_comp_close(d);
	wd_comp_close(c);
}

/* ------------------------------------------------------------- bad input */

static void cut_input_is_bad_data(void **state)
{
	const size_t n = 2000;
	struct wd_comp_io io;
	uint32_t status;

	(void)state;
	for (size_t k = 0; k < NR(formats) * NR_KINDS; k++) {
		enum wd_comp_format format = formats[k % NR(formats)];
		const uint8_t *src = data[k / NR(formats)];
		struct wd_comp *d = open_session(WD_OP_DECOMPRESS, format, 0);
		size_t len = zlib_pack(format, 6, src, n, 0, packed, ROOM_MAX);

		for (size_t at = 0; at < len; at += is_long || at < 40 || len - at < 60 ? 1 : 13) {
			assert_int_equal(block(d, packed, at, back, n + 100, &io),
					 WD_STATUS_BAD_DATA);
			assert_int_equal(
				wd_comp_get_gzip_header(
					d,
					&(struct wd_comp_gzip_header){
						.size = sizeof(struct wd_comp_gzip_header) }),
				format != WD_COMP_GZIP ? -EINVAL :
				at < 10		       ? -EAGAIN :
							 0);
			stream(d, &cuts[at % NR(cuts)], 0, packed, at, back, n + 100, &status);
			assert_int_equal(status, WD_STATUS_BAD_DATA);
			wd_comp_reset(d);
		}
		wd_comp_close(d);
	}
}

/*
 * Flipped bits: an error is said, or the data is right all the same (bits that
 * mean nothing), or it is wrong and zlib does not see it either (an Adler-32 of
 * so few letters that a swap passes).
 */
static void flipped_bits_are_found(void **state)
{
	const size_t n = 3000;
	unsigned int nr_found = 0;
	unsigned int nr = is_long ? 20000 : is_brief ? 1000 / BRIEF_PART : 1000;
	struct wd_comp_io io;
	uint32_t status;
	size_t got;

	(void)state;
	for (size_t k = 0; k < 2 * NR_KINDS; k++) {
		enum wd_comp_format format = k % 2 != 0 ? WD_COMP_GZIP : WD_COMP_ZLIB;
		const uint8_t *src = data[k / 2];
		struct wd_comp *d = open_session(WD_OP_DECOMPRESS, format, 0);
		size_t len = zlib_pack(format, 6, src, n, 500, packed, ROOM_MAX);

		for (unsigned int i = 0; i < nr; i++) {
			size_t bit = next_random() % (len * 8);

			packed[bit / 8] ^= 1u << bit % 8;
			status = block(d, packed, len, back, n, &io);
			if (status != WD_STATUS_OK)
				nr_found++;
			else if (io.produced != n || memcmp(back, src, n) != 0)
				judge(format, packed, io.consumed, back, io.produced);
			got = stream(d, &cuts[i % NR(cuts)], 0, packed, len, back, n + 300,
				     &status);
			if (status == WD_STATUS_STREAM_END &&
			    (got != n || memcmp(back, src, n) != 0))
				judge(format, packed, len, back, got);
			wd_comp_reset(d);
			packed[bit / 8] ^= 1u << bit % 8;
		}
		assert_int_equal(block(d, packed, len, back, n, &io), WD_STATUS_OK);
		wd_comp_close(d);
	}
	assert_true(nr_found > nr * NR_KINDS);
}

static void noise_is_refused(void **state)
{
	struct wd_comp_io io;

	(void)state;
	for (size_t f = 0; f < NR(formats); f++) {
		struct wd_comp *d = open_session(WD_OP_DECOMPRESS, formats[f], 0);

		for (size_t at = 0; at + 300 < 100000; at += 97) {
			uint32_t status = block(d, data[KIND_RANDOM] + at, 300, back, 5000, &io);

			/* Raw deflate may end anywhere by chance; with a header it must not pass. */
			if (formats[f] != WD_COMP_DEFLATE)
				assert_int_not_equal(status, WD_STATUS_OK);
		}
		wd_comp_close(d);
	}
}

/* ------------------------------------------------------------- large */

static void larger_than_one_request(void **state)
{
	const size_t n = (20u << 20) + 3;
	uint8_t *src = malloc(n);
	uint8_t *out = malloc(n + 1);
	size_t bound = wd_comp_bound(WD_COMP_GZIP, n);
	uint8_t *dst = malloc(bound + 1);

	(void)state;
	assert_true(src != NULL && out != NULL && dst != NULL);
	for (unsigned int k = 0; k < 2; k++) {
		struct wd_comp *c = open_session(WD_OP_COMPRESS, WD_COMP_GZIP, 1);
		struct wd_comp *d = open_session(WD_OP_DECOMPRESS, WD_COMP_GZIP, 0);
		struct wd_comp_io io;
		uLong len = n;
		z_stream z = { .next_out = out, .avail_out = n };

		if (k == 0) {
			for (size_t i = 0; i < n; i++)
				src[i] = next_random();
		} else {
			make_text(src, n);
		}
		assert_int_equal(block(c, src, n, dst, bound, &io), WD_STATUS_OK);
		assert_int_equal(io.consumed, n);
		assert_true(io.head.requests > 1);
		if (k == 0)
			assert_int_equal(io.produced, bound);
		len = io.produced;
		z.next_in = dst;
		z.avail_in = len;
		assert_int_equal(inflateInit2(&z, 31), Z_OK);
		assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
		inflateEnd(&z);
		assert_true(memcmp(out, src, n) == 0);
		memset(out, 0, n);
		assert_int_equal(block(d, dst, len, out, n, &io), WD_STATUS_OK);
		assert_true(memcmp(out, src, n) == 0);
		assert_int_equal(block(d, dst, len, out, n - 1, &io), WD_STATUS_OUTPUT_FULL);
		assert_int_equal(block(d, dst, len - 1, out, n, &io), WD_STATUS_BAD_DATA);
		assert_int_equal(block(c, src, n, dst, len - 1, &io), WD_STATUS_OUTPUT_FULL);
		wd_comp_close(d);
		wd_comp_close(c);
	}
	free(dst);
	free(out);
	free(src);
}

/*
 * One block beyond 4 GiB in little memory: the address range repeats one small
 * file, so that writing to it and reading from it are both cheap.
 */
static uint8_t *map_repeated(int fd, size_t window, size_t n)
{
	uint8_t *base =
		mmap(NULL, n, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert_true(base != MAP_FAILED);
	for (size_t at = 0; at < n; at += window)
		assert_true(mmap(base + at, window, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
				 fd, 0) != MAP_FAILED);
	return base;
}

static void beyond_4_gib(void **state)
{
	const size_t window = 32u << 20;
	const size_t n = (4ull << 30) + 2 * window;
	int src_fd = memfd_create("src", MFD_CLOEXEC);
	int out_fd = memfd_create("out", MFD_CLOEXEC);
	size_t room = 2ull << 30;
	uint8_t *src;
	uint8_t *out;
	uint8_t *dst;
	size_t len = room;
	size_t out_len = n;

	(void)state;
	if (!is_long)
		skip();
	assert_int_equal(ftruncate(src_fd, window), 0);
	assert_int_equal(ftruncate(out_fd, window), 0);
	src = map_repeated(src_fd, window, n);
	out = map_repeated(out_fd, window, n);
	make_text(src, window);
	dst = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		   -1, 0);
	assert_true(dst != MAP_FAILED);
	assert_int_equal(wd_comp_compress(WD_COMP_GZIP, 1, src, n, dst, &len), 0);
	/* ISIZE, modulo 2^32 */
	assert_int_equal(dst[len - 1] << 24 | dst[len - 2] << 16 | dst[len - 3] << 8 | dst[len - 4],
			 (uint32_t)n);
	assert_int_equal(wd_comp_decompress(WD_COMP_GZIP, dst, len, out, &out_len), 0);
	assert_int_equal(out_len, n);
	assert_true(memcmp(out, src, window) == 0);
	munmap(dst, room);
	munmap(out, n);
	munmap(src, n);
	close(out_fd);
	close(src_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams_of_every_kind),   cmocka_unit_test(a_session_lasts),
		cmocka_unit_test(members_and_headers),	   cmocka_unit_test(cut_input_is_bad_data),
		cmocka_unit_test(flipped_bits_are_found),  cmocka_unit_test(noise_is_refused),
		cmocka_unit_test(larger_than_one_request), cmocka_unit_test(beyond_4_gib),
	};

	return comp_rig_run("tests", tests, NR(tests));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Blocks through the public API on whatever device the library finds: every
 * format, level, kind of data, size and way of calling, with zlib as judge.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conform/comp_rig.h"

/* ------------------------------------------------------------- blocks */

static void blocks_of_every_kind(void **state)
{
	struct wd_comp_io io;

	(void)state;
	for (size_t f = 0; f < NR(formats); f++) {
		struct wd_comp *d = open_session(WD_OP_DECOMPRESS, formats[f], 0);

		for (size_t l = 0; l < NR(levels); l++) {
			struct wd_comp *c = open_session(WD_OP_COMPRESS, formats[f], levels[l]);

			for (size_t k = 0; k < NR_KINDS * NR(sizes); k++) {
				const uint8_t *src = data[k % NR_KINDS];
				size_t n = sizes[k / NR_KINDS];
				size_t len;

				/* The largest size at every level takes most of the time. */
				if (!is_long && n == SIZE_MAX_TESTED && (k + l + f) % 3 != 0)
					n = 200000;
				assert_int_equal(block(c, src, n, packed,
						       wd_comp_bound(formats[f], n), &io),
						 WD_STATUS_OK);
				assert_int_equal(io.consumed, n);
				assert_string_not_equal(wd_device_name(io.head.device_id), "none");
				len = io.produced;
				judge(formats[f], packed, len, src, n);
				assert_int_equal(block(d, packed, len, back, n, &io), WD_STATUS_OK);
				assert_int_equal(io.consumed, len);
				assert_int_equal(io.produced, n);
				assert_true(memcmp(back, src, n) == 0);
			}
			wd_comp_close(c);
		}
		wd_comp_close(d);
	}
}

static void blocks_made_by_zlib(void **state)
{
	static const int zlib_levels[] = { 0, 1, 6, 9 };
	static const size_t steps[] = { 0, 1000, 40000 };
	struct wd_comp_io io;

	(void)state;
	for (size_t f = 0; f < NR(formats); f++) {
		struct wd_comp *d = open_session(WD_OP_DECOMPRESS, formats[f], 0);

		for (size_t k = 0; k < NR_KINDS * NR(sizes) * NR(zlib_levels); k++) {
			const uint8_t *src = data[k % NR_KINDS];
			size_t n = sizes[k / NR_KINDS % NR(sizes)];
			size_t len;

			if (!is_long && n == SIZE_MAX_TESTED && (k + f) % 3 != 0)
				n = 200000;
			len = zlib_pack(formats[f], zlib_levels[k / NR_KINDS / NR(sizes)], src, n,
					steps[k % NR(steps)], packed, ROOM_MAX);

			assert_int_equal(block(d, packed, len, back, n, &io), WD_STATUS_OK);
			assert_int_equal(io.consumed, len);
			assert_int_equal(io.produced, n);
			assert_true(memcmp(back, src, n) == 0);
			/* A room too small is said, and costs nothing but a second try. */
			if (n == 0)
				continue;
			assert_int_equal(block(d, packed, len, back, n - 1, &io),
					 WD_STATUS_OUTPUT_FULL);
			assert_true(memcmp(back, src, io.produced) == 0);
		}
		wd_comp_close(d);
	}
}

static void bound_is_exact(void **state)
{
	struct wd_comp_io io;

	(void)state;
	for (size_t k = 0; k < NR(formats) * NR(levels) * NR(sizes); k++) {
		enum wd_comp_format format = formats[k % NR(formats)];
		struct wd_comp *c =
			open_session(WD_OP_COMPRESS, format, levels[k / NR(formats) % NR(levels)]);
		size_t n = sizes[k / NR(formats) / NR(levels)];
		size_t bound = wd_comp_bound(format, n);

		assert_int_equal(block(c, data[KIND_RANDOM], n, packed, bound, &io), WD_STATUS_OK);
		judge(format, packed, io.produced, data[KIND_RANDOM], n);
		if (n >= 4095) {
			assert_int_equal(io.produced, bound);
			assert_int_equal(block(c, data[KIND_RANDOM], n, packed, bound - 1, &io),
					 WD_STATUS_OUTPUT_FULL);
			assert_int_equal(io.produced, 0);
		}
		wd_comp_close(c);
	}
}

/* From no room up to what it takes: full, full, ..., done, and done from then on. */
static void every_room_is_full_or_enough(void **state)
{
	struct wd_comp_io io;
	const size_t n = 400;

	(void)state;
	for (size_t k = 0; k < NR(formats) * NR_KINDS; k++) {
		enum wd_comp_format format = formats[k % NR(formats)];
		const uint8_t *src = data[k / NR(formats)];
		struct wd_comp *c = open_session(WD_OP_COMPRESS, format, 6);
		struct wd_comp *d = open_session(WD_OP_DECOMPRESS, format, 0);
		size_t bound = wd_comp_bound(format, n);
		bool was_enough = false;

		for (size_t room = 0; room <= bound; room++) {
			uint32_t status = block(c, src, n, packed, room, &io);

			if (status == WD_STATUS_OUTPUT_FULL) {
				assert_false(was_enough);
				assert_int_equal(io.consumed + io.produced, 0);
				continue;
			}
			assert_int_equal(status, WD_STATUS_OK);
			was_enough = true;
			judge(format, packed, io.produced, src, n);
		}
		assert_true(was_enough);
		bound = io.produced;
		for (size_t room = 0; room <= n; room++)
			assert_int_equal(block(d, packed, bound, back, room, &io),
					 room < n ? WD_STATUS_OUTPUT_FULL : WD_STATUS_OK);
		assert_true(memcmp(back, src, n) == 0);
		wd_comp_close(d);
		wd_comp_close(c);
	}
}

static void one_shot_calls(void **state)
{
	(void)state;
	for (size_t k = 0; k < NR(formats) * NR_KINDS; k++) {
		enum wd_comp_format format = formats[k % NR(formats)];
		const uint8_t *src = data[k / NR(formats)];
		size_t n = 50000;
		size_t bound = wd_comp_bound(format, n);
		size_t len = bound;
		size_t back_len = n;

		assert_int_equal(wd_comp_compress(format, 6, src, n, packed, &len), 0);
		assert_int_equal(wd_comp_decompress(format, packed, len, back, &back_len), 0);
		assert_int_equal(back_len, n);
		assert_true(memcmp(back, src, n) == 0);
		back_len = n - 1;
		assert_int_equal(wd_comp_decompress(format, packed, len, back, &back_len), -ENOSPC);
		back_len = n;
		packed[len] = 0;
		assert_int_equal(wd_comp_decompress(format, packed, len + 1, back, &back_len),
				 -EBADMSG);
		assert_int_equal(wd_comp_decompress(format, packed, len - 1, back, &back_len),
				 -EBADMSG);
		assert_int_equal(wd_comp_decompress(format, packed, 0, back, &back_len), -EBADMSG);
		len--;
		assert_int_equal(wd_comp_compress(format, 6, src, n, packed, &len), -ENOSPC);
	}
}

/* ------------------------------------------------------------- scattered */

/* Cuts @n bytes into at most MAX_IOV elements of random size, some empty. */
static unsigned int scatter(uint8_t *base, size_t n, size_t mean, struct iovec *iov)
{
	unsigned int nr = 0;

	for (size_t at = 0; at < n && nr < MAX_IOV;) {
		size_t run = mean == 1 ? 1 : next_random() % (2 * mean);

		if (run > n - at || nr == MAX_IOV - 1)
			run = n - at;
		iov[nr++] = (struct iovec){ .iov_base = base + at, .iov_len = run };
		at += run;
	}
	return nr;
}

static void scattered_blocks(void **state)
{
	static const size_t means[] = { 1, 5, 300, 20000, 1u << 20 };
	struct iovec *src_iov = calloc(MAX_IOV, sizeof(*src_iov));
	struct iovec *dst_iov = calloc(MAX_IOV, sizeof(*dst_iov));

	(void)state;
	for (size_t k = 0; k < NR(formats) * NR(means) * NR(sizes); k++) {
		enum wd_comp_format format = formats[k % NR(formats)];
		size_t mean = means[k / NR(formats) % NR(means)];
		size_t n = sizes[k / NR(formats) / NR(means)];
		uint8_t *src = data[k % NR_KINDS];
		size_t bound = wd_comp_bound(format, n);
		struct wd_comp *c = open_session(WD_OP_COMPRESS, format, levels[k % NR(levels)]);
		struct wd_comp *d = open_session(WD_OP_DECOMPRESS, format, 0);
		struct wd_comp_io io = { 0 };
		unsigned int src_nr = scatter(src, n, mean, src_iov);
		unsigned int dst_nr =
			scatter(packed, bound, means[next_random() % NR(means)], dst_iov);
		size_t len;

		assert_int_equal(wd_comp_block_sgl(c, src_iov, src_nr, dst_iov, dst_nr, &io), 0);
		assert_int_equal(io.head.status, WD_STATUS_OK);
		assert_int_equal(io.consumed, n);
		len = io.produced;
		judge(format, packed, len, src, n);
		dst_nr = scatter(packed, len - 1, mean, dst_iov);
		assert_int_equal(wd_comp_block_sgl(c, src_iov, src_nr, dst_iov, dst_nr, &io), 0);
		assert_int_equal(io.head.status, WD_STATUS_OUTPUT_FULL);

		len = zlib_pack(format, 6, src, n, 0, packed, ROOM_MAX);
		src_nr = scatter(packed, len, mean, src_iov);
		dst_nr = scatter(back, n, means[next_random() % NR(means)], dst_iov);
		assert_int_equal(wd_comp_block_sgl(d, src_iov, src_nr, dst_iov, dst_nr, &io), 0);
		assert_int_equal(io.head.status, WD_STATUS_OK);
		assert_int_equal(io.consumed, len);
		assert_int_equal(io.produced, n);
		assert_true(memcmp(back, src, n) == 0);
		src_nr = scatter(packed, len - 1, mean, src_iov);
		dst_nr = scatter(back, n + 1, mean, dst_iov);
		assert_int_equal(wd_comp_block_sgl(d, src_iov, src_nr, dst_iov, dst_nr, &io), 0);
		assert_int_equal(io.head.status, WD_STATUS_BAD_DATA);
		wd_comp_close(d);
		wd_comp_close(c);
	}
	free(dst_iov);
	free(src_iov);
}

/* The device's sums are the processor's: in one go, and in two parts. */
static void trailers_hold_the_sums(void **state)
{
	struct wd_comp *z = open_session(WD_OP_COMPRESS, WD_COMP_ZLIB, 1);
	struct wd_comp *g = open_session(WD_OP_COMPRESS, WD_COMP_GZIP, 1);
	struct wd_comp_io io;

	(void)state;
	for (size_t k = 0; k < NR_KINDS * NR(sizes); k++) {
		const uint8_t *src = data[k % NR_KINDS];
		size_t n = sizes[k / NR_KINDS];
		uint32_t sum = wd_comp_adler32(1, src, n / 2);
		const uint8_t *at;

		assert_int_equal(block(z, src, n, packed, ROOM_MAX, &io), WD_STATUS_OK);
		at = packed + io.produced - 4;
		assert_int_equal(wd_comp_adler32(sum, src + n / 2, n - n / 2),
				 (uint32_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3]);
		sum = wd_comp_crc32(0, src, n / 2);
		assert_int_equal(block(g, src, n, packed, ROOM_MAX, &io), WD_STATUS_OK);
		at = packed + io.produced - 8;
		assert_int_equal(wd_comp_crc32(sum, src + n / 2, n - n / 2),
				 (uint32_t)at[3] << 24 | at[2] << 16 | at[1] << 8 | at[0]);
	}
	assert_int_equal(wd_comp_adler32(77, NULL, 0), 77);
	assert_int_equal(wd_comp_crc32(77, NULL, 0), 77);
	wd_comp_close(g);
	wd_comp_close(z);
}

/* ------------------------------------------------------------- one member */

#define BIG_BYTES  (20u << 20)
#define TAIL_ROOM  4096u
#define PIECE_STEP 100000u

/* A gzip member of a block, and what follows it. */
struct member {
	uint8_t *packed;
	size_t len;  /* of the member alone */
	size_t tail; /* bytes behind it */
	const uint8_t *want;
	size_t want_len;
};

static struct wd_comp *open_one_member(void)
{
	struct wd_comp_opts opts = {
		.size = sizeof(opts),
		.op = WD_OP_DECOMPRESS,
		.format = WD_COMP_GZIP,
		.flags = WD_COMP_OPT_ONE_MEMBER,
		.timeout_ms = 600000,
	};
	struct wd_comp *d = NULL;

	assert_int_equal(wd_comp_open(&opts, &d), 0);
	return d;
}

/* What @io says of a call that was given all of @m. */
static void expect_one(const struct member *m, const struct wd_comp_io *io, uint32_t status,
		       const uint8_t *out)
{
	assert_int_equal(io->head.error, 0);
	assert_int_equal(io->head.status, status);
	assert_int_equal(io->consumed, m->len);
	assert_int_equal(io->produced, m->want_len);
	assert_true(memcmp(out, m->want, m->want_len) == 0);
}

static void one_by_block(struct wd_comp *d, const struct member *m, uint8_t *out, size_t room)
{
	struct wd_comp_io io = {
		.src = m->packed, .src_len = m->len + m->tail, .dst = out, .dst_len = room
	};

	assert_int_equal(wd_comp_block(d, &io), 0);
	expect_one(m, &io, WD_STATUS_OK, out);
}

static void one_by_submit(struct wd_comp *d, const struct member *m, uint8_t *out, size_t room)
{
	struct wd_comp_io io = {
		.src = m->packed, .src_len = m->len + m->tail, .dst = out, .dst_len = room
	};
	struct wd_comp_io *ended = NULL;

	assert_int_equal(wd_comp_submit(d, &io), 0);
	assert_int_equal(wd_comp_wait(d, &ended, 1, 0), 1);
	assert_ptr_equal(ended, &io);
	expect_one(m, &io, WD_STATUS_OK, out);
}

/* In two pieces that meet near the member's end. */
static void one_by_sgl(struct wd_comp *d, const struct member *m, uint8_t *out, size_t room)
{
	size_t cut = m->len - 5;
	const struct iovec src[] = { { m->packed, cut }, { m->packed + cut, 5 + m->tail } };
	const struct iovec dst[] = { { out, room / 2 }, { out + room / 2, room - room / 2 } };
	struct wd_comp_io io = { 0 };

	if (m->len + m->tail > WD_COMP_PIECE_MAX || room > WD_COMP_PIECE_MAX)
		return;
	assert_int_equal(wd_comp_block_sgl(d, src, 2, dst, 2, &io), 0);
	expect_one(m, &io, WD_STATUS_OK, out);
}

static void stream_call(struct wd_comp *d, struct wd_comp_io *io, bool is_waited_for)
{
	struct wd_comp_io *ended = NULL;

	if (is_waited_for) {
		assert_int_equal(wd_comp_stream(d, io, WD_COMP_NO_FLUSH), 0);
		return;
	}
	assert_int_equal(wd_comp_submit_stream(d, io, WD_COMP_NO_FLUSH), 0);
	assert_int_equal(wd_comp_wait(d, &ended, 1, 0), 1);
	assert_ptr_equal(ended, io);
	assert_int_equal(io->head.error, 0);
}

/* In pieces of @step, and what follows the member in the same call as its end. */
static void one_by_stream(struct wd_comp *d, const struct member *m, uint8_t *out, size_t room,
			  size_t step, bool is_waited_for)
{
	size_t total = m->len + m->tail;
	struct wd_comp_io io;
	size_t in = 0, made = 0;

	wd_comp_reset(d);
	do {
		size_t n = total - in < step + m->tail ? total - in : step;

		io = (struct wd_comp_io){ .src = m->packed + in,
					  .src_len = n,
					  .dst = out + made,
					  .dst_len = room - made };
		stream_call(d, &io, is_waited_for);
		in += io.consumed;
		made += io.produced;
		assert_true(io.head.status <= WD_STATUS_OUTPUT_FULL);
	} while (io.head.status != WD_STATUS_STREAM_END);
	/* As often as it is asked. */
	for (int i = 0; i < 2; i++) {
		struct wd_comp_io more = { .src = m->packed + in,
					   .src_len = total - in,
					   .dst = out + made,
					   .dst_len = room - made };

		stream_call(d, &more, is_waited_for);
		assert_int_equal(more.head.status, WD_STATUS_STREAM_END);
		assert_int_equal(more.consumed + more.produced, 0);
	}
	io.consumed = in;
	io.produced = made;
	expect_one(m, &io, WD_STATUS_STREAM_END, out);
	wd_comp_reset(d);
}

/* Every way of calling, with room to spare and without. */
static void one_by_all(struct wd_comp *d, const struct member *m, uint8_t *out)
{
	for (size_t spare = 0; spare <= 1000; spare += 1000) {
		size_t room = m->want_len + spare;

		one_by_block(d, m, out, room);
		one_by_sgl(d, m, out, room);
		one_by_submit(d, m, out, room);
		one_by_stream(d, m, out, room, m->len, true);
		one_by_stream(d, m, out, room, PIECE_STEP, spare != 0);
		one_by_stream(d, m, out, room, m->len, false);
	}
}

/* Writes what follows a member: nothing, another one, padding, garbage, half a header, a bad one. */
static size_t put_tail(unsigned int kind, uint8_t *at)
{
	static const uint8_t bad_header[] = { 0x1f, 0x8b, 8, 0xff, 1, 2, 3, 4, 5, 6, 7, 8 };

	switch (kind) {
	case 0:
		return 0;
	case 1:
		return zlib_pack(WD_COMP_GZIP, 6, data[KIND_TEXT], 1000, 0, at, TAIL_ROOM);
	case 2:
		memset(at, 0, 512);
		return 512;
	case 3:
		memset(at, 0xa5, 100);
		return 100;
	case 4:
		at[0] = 0x1f;
		return 1;
	default:
		memcpy(at, bad_header, sizeof(bad_header));
		return sizeof(bad_header);
	}
}

#define NR_TAILS 6

static void one_member_is_all(void **state)
{
	static const size_t small[] = { 0, 1, 4097, SIZE_MAX_TESTED };
	struct wd_comp *d = open_one_member();
	uint8_t *out = malloc(BIG_BYTES + 1000);
	struct member m = { .packed = malloc(BIG_BYTES + (BIG_BYTES >> 8) + TAIL_ROOM) };

	(void)state;
	assert_non_null(out);
	assert_non_null(m.packed);
	for (size_t k = 0; k < NR(small) * NR_TAILS; k++) {
		m.want = data[k % NR_KINDS];
		m.want_len = small[k / NR_TAILS];
		m.len = zlib_pack(WD_COMP_GZIP, 6, m.want, m.want_len, 0, m.packed, ROOM_MAX);
		m.tail = put_tail(k % NR_TAILS, m.packed + m.len);
		one_by_all(d, &m, out);
	}
	free(m.packed);
	free(out);
	wd_comp_close(d);
}

/* Above 8 MB in or out, or both. */
static void one_member_of_any_size_is_all(void **state)
{
	static const size_t big[] = { (8u << 20) + 1, BIG_BYTES };
	struct wd_comp *d = open_one_member();
	uint8_t *out = malloc(BIG_BYTES + 1000);
	uint8_t *src = calloc(1, BIG_BYTES);
	struct member m = { .packed = malloc(BIG_BYTES + (BIG_BYTES >> 8) + TAIL_ROOM),
			    .want = src };

	(void)state;
	assert_non_null(out);
	assert_non_null(src);
	assert_non_null(m.packed);
	for (size_t k = 0; k < NR(big) * 2; k++) {
		/* Zeros are short when they are packed, random bytes are not. */
		for (size_t i = 0; k == 2 && i < BIG_BYTES; i += SIZE_MAX_TESTED)
			memcpy(src + i, data[KIND_RANDOM], SIZE_MAX_TESTED);
		m.want_len = big[k % NR(big)];
		m.len = zlib_pack(WD_COMP_GZIP, 1, src, m.want_len, 0, m.packed,
				  BIG_BYTES + (BIG_BYTES >> 8));
		m.tail = put_tail(1 + k, m.packed + m.len);
		one_by_all(d, &m, out);
	}
	free(m.packed);
	free(src);
	free(out);
	wd_comp_close(d);
}

static void one_member_is_for_reading_gzip(void **state)
{
	(void)state;
	for (size_t k = 0; k < 2 * NR(formats); k++) {
		struct wd_comp_opts opts = {
			.size = sizeof(opts),
			.op = k % 2 ? WD_OP_DECOMPRESS : WD_OP_COMPRESS,
			.format = formats[k / 2],
			.flags = WD_COMP_OPT_ONE_MEMBER,
		};
		struct wd_comp *c = NULL;
		bool is_right = k % 2 && opts.format == WD_COMP_GZIP;

		assert_int_equal(wd_comp_open(&opts, &c), is_right ? 0 : -EINVAL);
		wd_comp_close(c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_of_every_kind),
		cmocka_unit_test(blocks_made_by_zlib),
		cmocka_unit_test(bound_is_exact),
		cmocka_unit_test(every_room_is_full_or_enough),
		cmocka_unit_test(one_shot_calls),
		cmocka_unit_test(scattered_blocks),
		cmocka_unit_test(trailers_hold_the_sums),
		cmocka_unit_test(one_member_is_all),
		cmocka_unit_test(one_member_of_any_size_is_all),
		cmocka_unit_test(one_member_is_for_reading_gzip),
	};

	return comp_rig_run("tests", tests, NR(tests));
}

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_of_every_kind),
		cmocka_unit_test(blocks_made_by_zlib),
		cmocka_unit_test(bound_is_exact),
		cmocka_unit_test(every_room_is_full_or_enough),
		cmocka_unit_test(one_shot_calls),
		cmocka_unit_test(scattered_blocks),
	};

	return comp_rig_run("tests", tests, NR(tests));
}

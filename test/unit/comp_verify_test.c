/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * WD_COMP_OPT_VERIFY over scripted devices (alg_comp_device.c) that answer well
 * and are wrong: nothing wrong is ever handed out.
 */
#include <errno.h>
#include <stdlib.h>

#include "alg_comp_device.h"
#include "base/compiler.h"
#include "lib/t_assert.h"

#define WRONG_MAX 4 /* outputs found wrong after which an operation is given up */

static const enum fake_wrong wrongs[] = { FAKE_WRONG_BIT, FAKE_WRONG_LENGTH, FAKE_WRONG_TRAILER,
					  FAKE_WRONG_CUT };

static struct wd_comp *open_verifying(enum wd_comp_format format)
{
	const struct wd_comp_opts opts = { .size = sizeof(opts),
					   .op = WD_OP_COMPRESS,
					   .format = format,
					   .level = 1,
					   .flags = WD_COMP_OPT_VERIFY };

	return fake_open(&opts);
}

static void have(unsigned int nr_devices)
{
	fake.nr_devices = nr_devices;
	fake_rescan();
}

/* The next @nr compress requests of the first device are answered wrongly. */
static void be_wrong(enum fake_wrong wrong, unsigned int nr)
{
	fake.dev[0].wrong = wrong;
	fake.dev[0].nr_wrong = nr;
}

/* Raw deflate ends in no trailer: its last bits may say nothing. */
static bool is_seen(enum wd_comp_format format, enum fake_wrong wrong)
{
	return format != WD_COMP_DEFLATE || wrong != FAKE_WRONG_TRAILER;
}

/* ------------------------------------------------------------- what is right */

static void what_is_right_is_handed_out(void **state)
{
	static const size_t sizes[] = { 0, 1, 2, 255, 4096, 100000, 9u << 20 };
	uint8_t *text = fake_text(9u << 20);
	uint8_t *random = fake_random(9u << 20);
	size_t room = wd_comp_bound(WD_COMP_GZIP, 9u << 20);
	uint8_t *packed = malloc(room);

	(void)state;
	for (unsigned int k = 0; k < 2 * 3 * BASE_ARRAY_SIZE(sizes); k++) {
		enum wd_comp_format format = fake_formats[k % 3];
		size_t n = sizes[k / 6];
		const uint8_t *src = k / 3 & 1 ? random : text;
		struct wd_comp *c;
		struct wd_comp_io io = { .src = src, .src_len = n, .dst = packed, .dst_len = room };

		/* In pieces: not all of them, for zlib is slow. */
		if (n > WD_COMP_PIECE_MAX && k % 6 != 1 && k % 6 != 5)
			continue;
		have(1 + k % 2);
		c = open_verifying(format);
		assert_ok(wd_comp_block(c, &io));
		assert_int_equal(io.head.status, WD_STATUS_OK);
		assert_int_equal(io.head.flags, WD_IO_F_VERIFIED);
		assert_int_equal(io.head.requests % 2, 0);
		assert_int_equal(io.head.retries, 0);
		/* Who made it, not who checked it. */
		assert_string_equal(wd_device_name(io.head.device_id), "fake:0");
		fake_judge(format, packed, io.produced, src, n);
		/* Without room there is nothing to check. */
		io.dst_len = io.produced - 1;
		assert_ok(wd_comp_block(c, &io));
		assert_int_equal(io.head.status, WD_STATUS_OUTPUT_FULL);
		assert_int_equal(io.produced, 0);
		wd_comp_close(c);
	}
	assert_int_equal(seen.lost, 0);
	free(packed);
	free(random);
	free(text);
}

static void another_device_checks(void **state)
{
	uint8_t *text = fake_text(5000);
	uint8_t packed[6000];
	struct wd_comp_io io = { .src = text, .src_len = 5000, .dst = packed, .dst_len = 6000 };
	struct wd_comp *c;

	(void)state;
	have(3);
	c = open_verifying(WD_COMP_GZIP);
	for (int i = 0; i < 5; i++)
		assert_ok(wd_comp_block(c, &io));
	assert_int_equal(seen.by[0], 5);
	assert_int_equal(seen.by[1], 5);
	/* That is no detour. */
	assert_int_equal(io.head.flags, WD_IO_F_VERIFIED);
	assert_int_equal(fake_counters().spilled, 0);
	/* With the other one gone, what is left. */
	fake.dev[1].is_gone = true;
	fake.dev[2].is_gone = true;
	assert_ok(wd_comp_block(c, &io));
	assert_true((io.head.flags & WD_IO_F_VERIFIED) != 0);
	fake_judge(WD_COMP_GZIP, packed, io.produced, text, 5000);
	wd_comp_close(c);
	free(text);
}

/* Decompressing has nothing to check. */
static void decompressing_is_as_ever(void **state)
{
	const struct wd_comp_opts opts = { .size = sizeof(opts),
					   .op = WD_OP_DECOMPRESS,
					   .format = WD_COMP_ZLIB,
					   .flags = WD_COMP_OPT_VERIFY };
	uint8_t *text = fake_text(5000);
	uint8_t back[5000];
	size_t len;
	uint8_t *packed = fake_zlib_pack(WD_COMP_ZLIB, text, 5000, &len);
	struct wd_comp_io io = { .src = packed, .src_len = len, .dst = back, .dst_len = 5000 };
	struct wd_comp *c = fake_open(&opts);

	(void)state;
	assert_ok(wd_comp_block(c, &io));
	assert_int_equal(io.head.requests, 1);
	assert_int_equal(io.head.flags, 0);
	assert_memory_equal(back, text, 5000);
	wd_comp_close(c);
	free(packed);
	free(text);
}

/* ------------------------------------------------------------- what is wrong */

static void wrong_blocks_are_done_again_elsewhere(void **state)
{
	uint8_t *text = fake_text(5000);
	uint8_t packed[6000];

	(void)state;
	for (unsigned int k = 0; k < 3 * BASE_ARRAY_SIZE(wrongs); k++) {
		enum wd_comp_format format = fake_formats[k % 3];
		enum fake_wrong wrong = wrongs[k / 3];
		struct wd_comp_io io = {
			.src = text, .src_len = 5000, .dst = packed, .dst_len = 6000
		};
		struct wd_comp *c;

		have(2);
		c = open_verifying(format);
		be_wrong(wrong, 1000);
		assert_ok(wd_comp_block(c, &io));
		assert_int_equal(io.head.status, WD_STATUS_OK);
		assert_true((io.head.flags & WD_IO_F_VERIFIED) != 0);
		fake_judge(format, packed, io.produced, text, 5000);
		if (is_seen(format, wrong)) {
			assert_string_equal(wd_device_name(io.head.device_id), "fake:1");
			assert_int_equal(io.head.requests, 4);
			assert_int_equal(io.head.retries, 1);
		}
		wd_comp_close(c);
		/* Alone, it may do better the next time. */
		have(1);
		c = open_verifying(format);
		be_wrong(wrong, WRONG_MAX);
		assert_ok(wd_comp_block(c, &io));
		fake_judge(format, packed, io.produced, text, 5000);
		wd_comp_close(c);
	}
	free(text);
}

/* Nobody is right: it ends, and the session lives. */
static void what_stays_wrong_is_an_error(void **state)
{
	uint8_t *text = fake_text(5000);
	uint8_t packed[6000];
	struct wd_comp_io io = { .src = text, .src_len = 5000, .dst = packed, .dst_len = 6000 };
	struct wd_comp_io *back;
	struct wd_comp *c;

	(void)state;
	have(2);
	c = open_verifying(WD_COMP_GZIP);
	be_wrong(FAKE_WRONG_BIT, 1000);
	fake.dev[1].wrong = FAKE_WRONG_LENGTH;
	fake.dev[1].nr_wrong = 1000;
	assert_int_equal(wd_comp_block(c, &io), -EIO);
	assert_int_equal(seen.requests, 2 * (WRONG_MAX + 1));
	assert_int_equal(io.head.requests, 2 * (WRONG_MAX + 1));
	assert_int_equal(io.head.flags & WD_IO_F_VERIFIED, 0);
	assert_int_equal(wd_comp_stream(c, &io, WD_COMP_FINISH), -EIO);
	wd_comp_reset(c);
	assert_ok(wd_comp_submit(c, &io));
	assert_int_equal(wd_comp_wait(c, &back, 1, 0), 1);
	assert_int_equal(io.head.error, -EIO);
	fake.dev[0].nr_wrong = 0;
	assert_ok(wd_comp_block(c, &io));
	fake_judge(WD_COMP_GZIP, packed, io.produced, text, 5000);
	wd_comp_close(c);
	free(text);
}

static unsigned int scatter(uint8_t *base, size_t n, size_t step, struct iovec *iov)
{
	unsigned int nr = 0;

	for (size_t at = 0; at < n; at += step)
		iov[nr++] = (struct iovec){ .iov_base = base + at,
					    .iov_len = step < n - at ? step : n - at };
	return nr;
}

static void scattered_blocks_are_checked_where_they_lie(void **state)
{
	static const size_t sizes[] = { 0, 1, 5000 };
	uint8_t *text = fake_text(5000);
	uint8_t packed[6000];
	struct iovec *src = calloc(6000, sizeof(*src));
	struct iovec *dst = calloc(6000, sizeof(*dst));

	(void)state;
	for (unsigned int k = 0; k < 3 * BASE_ARRAY_SIZE(wrongs) * BASE_ARRAY_SIZE(sizes); k++) {
		enum wd_comp_format format = fake_formats[k % 3];
		size_t n = sizes[k / 12];
		struct wd_comp_io io = { 0 };
		struct wd_comp *c;

		have(2);
		c = open_verifying(format);
		/* The header does not end where an element does. */
		be_wrong(wrongs[k / 3 % 4], 1000);
		assert_ok(wd_comp_block_sgl(c, src, scatter(text, n, 7, src), dst,
					    scatter(packed, sizeof(packed), 13, dst), &io));
		assert_int_equal(io.head.status, WD_STATUS_OK);
		assert_int_equal(io.consumed, n);
		assert_true((io.head.flags & WD_IO_F_VERIFIED) != 0);
		fake_judge(format, packed, io.produced, text, n);
		wd_comp_close(c);
	}
	free(dst);
	free(src);
	free(text);
}

static void operations_in_flight_are_checked(void **state)
{
	enum {
		NR = 24
	};
	uint8_t *text = fake_text(5000);
	uint8_t(*packed)[6000] = malloc(NR * sizeof(*packed));
	struct wd_comp_io io[NR], *ios[NR], *back[NR];
	struct wd_comp *c;

	(void)state;
	have(2);
	c = open_verifying(WD_COMP_ZLIB);
	for (unsigned int round = 0; round < 2; round++) {
		unsigned int n = 0;

		be_wrong(wrongs[round], 7);
		for (unsigned int i = 0; i < NR; i++) {
			io[i] = (struct wd_comp_io){ .src = text + i,
						     .src_len = 5000 - i,
						     .dst = packed[i],
						     .dst_len = sizeof(packed[i]) };
			ios[i] = &io[i];
		}
		assert_int_equal(wd_comp_submit_burst(c, ios, NR), NR);
		while (n < NR) {
			int got = wd_comp_wait(c, back, NR, 0);

			assert_true(got > 0);
			n += (unsigned int)got;
		}
		for (unsigned int i = 0; i < NR; i++) {
			assert_int_equal(io[i].head.error, 0);
			assert_true((io[i].head.flags & WD_IO_F_VERIFIED) != 0);
			fake_judge(WD_COMP_ZLIB, packed[i], io[i].produced, text + i, 5000 - i);
		}
	}
	/* Given up while they are checked. */
	for (unsigned int i = 0; i < NR; i++)
		assert_ok(wd_comp_submit(c, &io[i]));
	assert_true(wd_comp_poll(c, back, NR) >= 0);
	assert_true(wd_comp_cancel(c) > 0);
	while (wd_comp_poll(c, back, NR) > 0)
		;
	assert_int_equal(wd_comp_in_flight(c), 0);
	wd_comp_close(c);
	free(packed);
	free(text);
}

/* ------------------------------------------------------------- streams */

static size_t compress_stream(struct wd_comp *c, const uint8_t *text, size_t n, size_t step,
			      size_t room, unsigned int flush_every, uint8_t *packed)
{
	struct wd_comp_io io = { 0 };
	size_t at = 0, len = 0;
	unsigned int k = 0;

	while (io.head.status != WD_STATUS_STREAM_END) {
		size_t run = step < n - at ? step : n - at;
		enum wd_comp_flush flush = at + run == n ? WD_COMP_FINISH :
					   flush_every != 0 && ++k % flush_every == 0 ?
							   WD_COMP_SYNC_FLUSH :
							   WD_COMP_NO_FLUSH;

		io = (struct wd_comp_io){
			.src = text + at, .src_len = run, .dst = packed + len, .dst_len = room
		};
		assert_ok(wd_comp_stream(c, &io, flush));
		at += io.consumed;
		len += io.produced;
	}
	assert_int_equal(at, n);
	return len;
}

/* All formats, flushes and piece sizes, with pieces wrong in each way, one or two devices. */
static void streams_are_checked_piece_by_piece(void **state)
{
	static const struct {
		size_t n, step, room;
		unsigned int flush_every;
	} shapes[] = {
		{ 0, 1, 1000, 0 },	   { 5, 2, 1000, 1 },
		{ 5000, 999, 6000, 1 },	   { 300000, 33333, 400000, 2 },
		{ 300000, 5000, 1000, 1 }, { 400000, 150000, 500000, 0 },
	};
	uint8_t *text = fake_text(600000);
	uint8_t *packed = malloc(2000000);

	(void)state;
	for (unsigned int k = 0; k < 3 * 5 * BASE_ARRAY_SIZE(shapes); k++) {
		enum wd_comp_format format = fake_formats[k % 3];
		unsigned int wrong = k / 3 % 5;
		unsigned int shape = k / 15;
		struct wd_comp *c;

		have(1 + k % 2);
		c = open_verifying(format);
		/* A new stream begins with no history. */
		for (unsigned int i = 0; i < 2; i++) {
			size_t len;

			be_wrong(wrongs[wrong % 4], wrong < 4 ? 3 : 0);
			len = compress_stream(c, text, shapes[shape].n, shapes[shape].step,
					      shapes[shape].room, shapes[shape].flush_every,
					      packed);
			fake_judge(format, packed, len, text, shapes[shape].n);
		}
		wd_comp_close(c);
	}
	assert_int_equal(seen.lost, 0);
	free(packed);
	free(text);
}

/* ------------------------------------------------------------- the one that checks */

static void the_checking_device_fails(void **state)
{
	static const uint32_t statuses[] = { WD_STATUS_DEVICE_ERROR, WD_STATUS_DEVICE_GONE,
					     WD_STATUS_BAD_REQUEST, WD_STATUS_BAD_DATA };
	uint8_t *text = fake_text(100000);
	uint8_t *packed = malloc(200000);

	(void)state;
	for (unsigned int k = 0; k < 2 * BASE_ARRAY_SIZE(statuses); k++) {
		struct wd_comp_io io = {
			.src = text, .src_len = 100000, .dst = packed, .dst_len = 200000
		};
		struct wd_comp *c;
		size_t len;

		have(2 + k % 2);
		memset(seen.by, 0, sizeof(seen.by));
		fake.dev[1].fail_status = statuses[k / 2];
		fake.dev[1].fail_at = 1;
		c = open_verifying(WD_COMP_GZIP);
		assert_ok(wd_comp_block(c, &io));
		assert_int_equal(io.head.status, WD_STATUS_OK);
		assert_true((io.head.flags & WD_IO_F_VERIFIED) != 0);
		assert_true(io.head.retries > 0);
		fake_judge(WD_COMP_GZIP, packed, io.produced, text, 100000);
		fake.dev[1].fail_at = seen.by[1] + 2;
		len = compress_stream(c, text, 100000, 15000, 200000, 1, packed);
		fake_judge(WD_COMP_GZIP, packed, len, text, 100000);
		wd_comp_close(c);
	}
	/* Nobody checks: it ends. */
	have(1);
	{
		struct wd_comp *c = open_verifying(WD_COMP_GZIP);
		struct wd_comp_io io = {
			.src = text, .src_len = 100000, .dst = packed, .dst_len = 200000
		};
		unsigned int before;

		fake.dev[0].fail_status = WD_STATUS_DEVICE_ERROR;
		fake.dev[0].fail_at = seen.by[0] + 2;
		fake.dev[0].nr_fails = 1000;
		before = seen.requests;
		assert_int_equal(wd_comp_block(c, &io), -EIO);
		assert_in_range(seen.requests - before, 2, 10);
		fake.dev[0].fail_at = 0;
		assert_ok(wd_comp_block(c, &io));
		fake_judge(WD_COMP_GZIP, packed, io.produced, text, 100000);
		wd_comp_close(c);
	}
	free(packed);
	free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_begin_test, fake_end_test)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_right_is_handed_out),
		TEST(another_device_checks),
		TEST(decompressing_is_as_ever),
		TEST(wrong_blocks_are_done_again_elsewhere),
		TEST(what_stays_wrong_is_an_error),
		TEST(scattered_blocks_are_checked_where_they_lie),
		TEST(operations_in_flight_are_checked),
		TEST(streams_are_checked_piece_by_piece),
		TEST(the_checking_device_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The ZIP engine, stateless requests: SQEs written byte by byte as hardware
 * defines them, every format, level, size and kind of buffer judged by zlib in
 * both directions, room to the byte, and each status.
 */
#include <isa-l/igzip_lib.h>

#include "test/unit/zip_rig.h"

#define MIB (1u << 20)

static const uint32_t sizes[] = { 0,	1,     2,     3,     63,    64,	   65,	  4095,	 4096,
				  4097, 32767, 32768, 32769, 65535, 65536, 65537, 131070 };

/* The 128 bytes of a stateless gzip request as the hardware description has them. */
static void write_golden(uint8_t sqe[128], const void *src, uint32_t src_bytes, void *dst,
			 uint32_t room)
{
	uint64_t s = (uintptr_t)src, d = (uintptr_t)dst;

	memset(sqe, 0, 128);
	for (unsigned int i = 0; i < 4; i++) {
		sqe[16 + i] = (uint8_t)(src_bytes >> 8 * i);
		sqe[56 + i] = (uint8_t)(room >> 8 * i);
	}
	sqe[31] = 0x3a; /* type 3, stream new, finish; not stateful */
	sqe[36] = 0x03; /* gzip */
	sqe[37] = 0x40; /* flat, 32 KiB window */
	for (unsigned int i = 0; i < 8; i++) {
		sqe[72 + i] = (uint8_t)(s >> 8 * i);
		sqe[80 + i] = (uint8_t)(d >> 8 * i);
	}
	memcpy(sqe + 104, "\x11\x22\x33\x44\x55\x66\x77\x88", 8); /* tag */
	sqe[88] = 64; /* a context address that nobody may use */
}

static void a_request_written_by_hand_is_served(void **state)
{
	static const char text[] = "to be or not to be, to be or not to be, to be or not to be";
	const uint32_t n = sizeof(text) - 1;
	uint8_t sqe[128], back[128], out[256], again[sizeof(text)];
	struct engine_result result;
	uint32_t produced;
	struct rig r;

	(void)state;
	rig_open(&r, CHIP_F_STRICT, &rig_own_memory);
	write_golden(sqe, text, n, out, sizeof(out));
	memcpy(back, sqe, sizeof(back));
	engine_zip_ops.serve(r.compress, &r.dma, back, &result);
	assert_int_equal(bytes_get_le32(back), n);
	produced = bytes_get_le32(back + 4);
	assert_int_equal(bytes_get_le32(back + 8), 0); /* strict: no level */
	assert_int_equal(bytes_get_le32(back + 12), 0);
	assert_memory_equal(back + 16, sqe + 16, 44); /* words 4 to 14 */
	assert_int_equal(bytes_get_le32(back + 60), 0);
	assert_memory_equal(back + 64, sqe + 64, 48); /* words 16 to 27 */
	assert_int_equal(bytes_get_le32(back + 120), n);
	assert_int_equal(bytes_bitrev32(~bytes_get_le32(back + 124)),
			 crc32(0, (const Bytef *)text, n));
	judge_inflate(3, 15, out, produced, (const uint8_t *)text, n);

	write_golden(sqe, out, produced, again, n);
	memcpy(back, sqe, sizeof(back));
	engine_zip_ops.serve(r.inflate, &r.dma, back, &result);
	assert_int_equal(bytes_get_le32(back), produced);
	assert_int_equal(bytes_get_le32(back + 4), n);
	assert_int_equal(bytes_get_le32(back + 12), 0x100); /* done, last block seen */
	assert_memory_equal(again, text, n);
	rig_close(&r);
}

static void a_request_for_nothing_touches_nothing(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, 0, &rig_own_memory);
	rig_fill(&r, 3, 0, NULL, 0, NULL, 0x10);
	assert_int_equal(rig_serve(&r, r.compress), 0);
	assert_int_equal(rig_produced(&r), 0);
	rig_fill(&r, 3, 0, NULL, 0, NULL, 0x10);
	assert_int_equal(rig_serve(&r, r.inflate), 0);
	assert_int_equal(rig_produced(&r) | rig_consumed(&r), 0);
	rig_close(&r);
}

static uint32_t serve_with(struct rig *r, void *queue, uint32_t dw7, uint32_t dw9, uint32_t src,
			   uint32_t room)
{
	static uint8_t in[64], out[256];

	rig_fill(r, 1, 0, in, src, out, room);
	bytes_put_le32(&r->sqe.dw7, dw7);
	bytes_put_le32(&r->sqe.dw9, dw9);
	return rig_serve(r, queue);
}

static void bad_fields_are_refused(void **state)
{
	const uint32_t bad = HISI_ZIP_ST_BAD_FIELD, max = 8u << 20;
	struct rig r;

	(void)state;
	rig_open(&r, 0, &rig_own_memory);
	assert_int_equal(serve_with(&r, r.compress, 0x30000000, 0x4001, 64, 256), 0);
	for (uint32_t type = 0; type < 16; type++)
		if (type != 3)
			assert_int_equal(serve_with(&r, r.compress, type << 28, 0x4001, 0, 16),
					 bad);
	for (uint32_t rq = 0; rq < 256; rq++)
		if (rq < 1 || rq > 3)
			assert_int_equal(serve_with(&r, r.compress, 3u << 28, 0x4000 | rq, 64, 256),
					 bad);
	assert_int_equal(serve_with(&r, r.compress, 0x31000000, 0x4001, 64, 256), bad);
	for (uint32_t buf = 2; buf < 16; buf++)
		assert_int_equal(serve_with(&r, r.compress, 3u << 28, 0x4001 | buf << 8, 64, 256),
				 bad);
	for (uint32_t window = 5; window < 16; window++) {
		assert_int_equal(serve_with(&r, r.compress, 3u << 28, 1 | window << 12, 64, 256),
				 bad);
		assert_int_not_equal(serve_with(&r, r.inflate, 3u << 28, 1 | window << 12, 64, 256),
				     bad);
	}
	for (uint32_t level = 12; level < 16; level++)
		assert_int_equal(
			serve_with(&r, r.compress, 3u << 28, 0x4001 | level << 16, 64, 256), bad);
	for (uint32_t bit = 20; bit < 32; bit++)
		assert_int_equal(serve_with(&r, r.compress, 3u << 28, 0x4001 | 1u << bit, 64, 256),
				 bad);
	assert_int_equal(serve_with(&r, r.compress, 3u << 28, 0x4001, max + 1, 256), bad);
	assert_int_equal(serve_with(&r, r.compress, 3u << 28, 0x4001, 64, max + 1), bad);
	assert_int_equal(rig_consumed(&r) | rig_produced(&r), 0);
	rig_close(&r);
	rig_open(&r, CHIP_F_STRICT, &rig_own_memory);
	assert_int_equal(serve_with(&r, r.compress, 3u << 28, 0x4001, 64, 256), 0);
	for (uint32_t bit = 16; bit < 32; bit++)
		assert_int_equal(serve_with(&r, r.compress, 3u << 28, 0x4001 | 1u << bit, 64, 256),
				 bad);
	rig_close(&r);
}

/* One buffer, compressed, judged, inflated again by the engine. */
static void round_trip(struct rig *r, uint32_t format, uint32_t level, const uint8_t *in,
		       uint32_t n, uint8_t *out, uint32_t room)
{
	uint8_t *back = malloc(n + 1);
	uint32_t status, made, used_level;

	rig_fill(r, format, level, in, n, out, room);
	status = rig_serve(r, r->compress);
	made = rig_produced(r);
	used_level = bytes_get_le32(&r->sqe.comp_data_length);
	assert_int_equal(status, made > n ? HISI_ZIP_ST_NEG_COMP : 0);
	assert_int_equal(rig_consumed(r), n);
	assert_true(made <= bound_of(format, n));
	assert_int_equal(used_level, level ? level : 1);
	assert_int_equal(bytes_get_le32(&r->sqe.ctx_dw0), 0);
	judge_inflate(format, 15, out, made, in, n);

	rig_fill(r, format, 0, out, made, back, n);
	assert_int_equal(rig_serve(r, r->inflate), 0);
	assert_int_equal(bytes_get_le32(&r->sqe.dw3), 0x100);
	assert_int_equal(rig_consumed(r), made);
	assert_int_equal(rig_produced(r), n);
	assert_memory_equal(back, in, n);
	free(back);
}

static void formats_levels_and_sizes_round_trip(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, 0, &rig_own_memory);
	for (unsigned int i = 0; i < BASE_ARRAY_SIZE(sizes); i++)
		for (enum rig_data kind = 0; kind < RIG_DATA_KINDS; kind++)
			for (uint32_t format = 1; format <= 3; format++) {
				size_t bound = bound_of(format, sizes[i]);
				struct guarded in = guarded_get(sizes[i]), out = guarded_get(bound);

				rig_data(in.bytes, sizes[i], kind);
				for (uint32_t level = 0; level <= 11; level++)
					if (sizes[i] <= 4097 || level % 3 == format % 3)
						round_trip(&r, format, level, in.bytes, sizes[i],
							   out.bytes, (uint32_t)bound);
				guarded_put(&in);
				guarded_put(&out);
			}
	rig_close(&r);
}

static void large_requests_round_trip(void **state)
{
	const uint32_t n = 8 * MIB;
	uint8_t *in = malloc(n), *out = malloc(n);
	struct rig r;

	(void)state;
	rig_open(&r, 0, &rig_own_memory);
	rig_data(in, n, RIG_MIXED);
	round_trip(&r, 3, 1, in, n, out, n);
	round_trip(&r, 2, 3, in, MIB, out, n);
	rig_data(in, n, RIG_ZEROS);
	round_trip(&r, 2, 10, in, n, out, n);
	rig_close(&r);
	free(in);
	free(out);
}

/* Memory that cannot be mapped is copied; results are the same. */
static void copied_memory_round_trips(void **state)
{
	uint8_t *in = malloc(MIB), *out = malloc(2 * MIB);
	struct rig r;

	(void)state;
	rig_open(&r, 0, &rig_copying);
	for (unsigned int i = 0; i < BASE_ARRAY_SIZE(sizes); i++) {
		rig_data(in, sizes[i], RIG_MIXED);
		round_trip(&r, 3, 6, in, sizes[i], out, (uint32_t)bound_of(3, sizes[i]));
		round_trip(&r, 2, 1, in, sizes[i], out, (uint32_t)bound_of(2, sizes[i]));
	}
	rig_close(&r);
	free(in);
	free(out);
}

/* With exactly the room it takes it succeeds; with a byte less nothing is kept. */
static void room_is_used_to_the_byte(void **state)
{
	static const uint32_t levels[] = { 10, 1, 2, 3, 6, 9, 11 };
	uint8_t *in = malloc(70000), *out = malloc(80000);
	struct rig r;

	(void)state;
	rig_open(&r, 0, &rig_own_memory);
	for (unsigned int i = 0; i < BASE_ARRAY_SIZE(sizes); i++)
		for (unsigned int l = 0; l < BASE_ARRAY_SIZE(levels); l++)
			for (enum rig_data kind = RIG_TEXT; kind <= RIG_MIXED; kind++) {
				uint32_t n = base_min_u32(sizes[i], 70000), made;
				struct guarded exact, less;

				rig_data(in, n, kind);
				rig_fill(&r, 3, levels[l], in, n, out, 80000);
				assert_int_equal(rig_serve(&r, r.compress) & ~0x0du, 0);
				made = rig_produced(&r);
				exact = guarded_get(made);
				round_trip(&r, 3, levels[l], in, n, exact.bytes, made);
				guarded_put(&exact);
				less = guarded_get(made - 1);
				rig_fill(&r, 3, levels[l], in, n, less.bytes, made - 1);
				assert_int_equal(rig_serve(&r, r.compress), HISI_ZIP_ST_NO_ROOM);
				assert_int_equal(rig_consumed(&r) | rig_produced(&r), 0);
				guarded_put(&less);
			}
	rig_fill(&r, 3, 1, in, 100, NULL, 0);
	assert_int_equal(rig_serve(&r, r.compress), HISI_ZIP_ST_NO_ROOM);
	rig_close(&r);
	free(in);
	free(out);
}

static void level_1_is_libisal_to_the_byte(void **state)
{
	static const uint32_t lens[] = { 4096, 65536, MIB };
	uint8_t *in = malloc(MIB), *out = malloc(2 * MIB), *want = malloc(2 * MIB);
	uint8_t *level_buf = malloc(ISAL_DEF_LVL1_SMALL);
	struct isal_zstream z;
	struct rig r;

	(void)state;
	rig_open(&r, 0, &rig_own_memory);
	rig_data(in, MIB, RIG_TEXT);
	for (unsigned int i = 0; i < BASE_ARRAY_SIZE(lens); i++) {
		isal_deflate_stateless_init(&z);
		z.level = 1;
		z.level_buf = level_buf;
		z.level_buf_size = ISAL_DEF_LVL1_SMALL;
		z.end_of_stream = 1;
		z.next_in = in;
		z.avail_in = lens[i];
		z.next_out = want;
		z.avail_out = 2 * MIB;
		assert_int_equal(isal_deflate_stateless(&z), COMP_OK);
		rig_fill(&r, 1, 1, in, lens[i], out, 2 * MIB);
		assert_int_equal(rig_serve(&r, r.compress), 0);
		assert_int_equal(rig_produced(&r), z.total_out);
		assert_memory_equal(out, want, z.total_out);
	}
	rig_close(&r);
	free(in);
	free(out);
	free(want);
	free(level_buf);
}

/* Matches reach no further back than the window, at any level. */
static void windows_are_kept(void **state)
{
	static const int bits[] = { 12, 13, 14, 14, 15 };
	const uint32_t n = 200000;
	uint8_t *in = malloc(n), *out = malloc(2 * n);
	struct rig r;

	(void)state;
	rig_open(&r, 0, &rig_own_memory);
	/* What repeats does so from 3, 7, 14 and 30 KiB away. */
	rig_data(in, n, RIG_TEXT);
	for (uint32_t at = 40000; at + 2000 < n; at += 2000)
		memcpy(in + at, in + at - (3000u << (at / 2000 % 4)), 1500);
	for (uint32_t window = 0; window <= 4; window++)
		for (uint32_t level = 0; level <= 11; level++) {
			uint32_t made;

			rig_fill(&r, 3, level, in, n, out, 2 * n);
			bytes_put_le32(&r.sqe.dw9, 3 | window << 12 | level << 16);
			assert_int_equal(rig_serve(&r, r.compress), 0);
			made = rig_produced(&r);
			judge_inflate(3, bits[window], out, made, in, n);
			if (window < 4 && level >= 3 && level < 10)
				assert_int_equal(bytes_get_le32(&r.sqe.comp_data_length), 2);
		}
	rig_close(&r);
	free(in);
	free(out);
}

static void streams_of_zlib_are_inflated(void **state)
{
	static const int strategies[] = { Z_DEFAULT_STRATEGY, Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE };
	const uint32_t n = 100000;
	uint8_t *in = malloc(n), *out = malloc(2 * n), *back = malloc(n);
	struct rig r;

	(void)state;
	rig_open(&r, 0, &rig_own_memory);
	for (enum rig_data kind = 0; kind < RIG_DATA_KINDS; kind++)
		for (uint32_t format = 1; format <= 3; format++)
			for (int level = 0; level <= 9; level += 3)
				for (unsigned int s = 0; s < BASE_ARRAY_SIZE(strategies); s++) {
					size_t len;

					rig_data(in, n, kind);
					len = judge_deflate(format, level, strategies[s], in, n,
							    out, 2 * n);
					memset(out + len, 0x5a, 20); /* is not looked at */
					rig_fill(&r, format, 0, out, (uint32_t)len + 20, back, n);
					assert_int_equal(rig_serve(&r, r.inflate), 0);
					assert_int_equal(rig_consumed(&r), len);
					assert_int_equal(rig_produced(&r), n);
					assert_memory_equal(back, in, n);
				}
	rig_close(&r);
	free(in);
	free(out);
	free(back);
}

/* A stream cut or damaged anywhere gets an error and never more than its room. */
static void bad_streams_are_refused(void **state)
{
	const uint32_t n = 3000;
	uint8_t in[3000], out[8000];
	struct guarded back = guarded_get(n);
	struct rig r;

	(void)state;
	rig_open(&r, 0, &rig_own_memory);
	rig_data(in, n, RIG_TEXT);
	for (uint32_t format = 1; format <= 3; format++) {
		size_t len = judge_deflate(format, 6, Z_DEFAULT_STRATEGY, in, n, out, sizeof(out));

		for (uint32_t cut = 0; cut < len; cut++) {
			rig_fill(&r, format, 0, out, cut, back.bytes, n);
			assert_int_equal(rig_serve(&r, r.inflate), HISI_ZIP_ST_BAD_DATA);
		}
		for (uint32_t i = 0; i < len; i++)
			for (unsigned int bit = 0; bit < 8; bit += 3) {
				uint32_t status;

				out[i] ^= (uint8_t)(1u << bit);
				rig_fill(&r, format, 0, out, (uint32_t)len, back.bytes, n);
				status = rig_serve(&r, r.inflate);
				assert_true(rig_produced(&r) <= n && rig_consumed(&r) <= len);
				if (i >= len - judge_trailer_bytes(format))
					assert_int_equal(status, HISI_ZIP_ST_BAD_CHECKSUM);
				else if (format != 1 && !r.result.is_error)
					assert_memory_equal(back.bytes, in, n); /* padding bits */
				out[i] ^= (uint8_t)(1u << bit);
			}
	}
	guarded_put(&back);
	rig_close(&r);
}

static void an_inflate_that_fills_its_room_says_what_it_did(void **state)
{
	const uint32_t n = 50000;
	uint8_t *in = malloc(n), *out = malloc(2 * n);
	struct guarded back;
	struct rig r;
	size_t len;

	(void)state;
	rig_open(&r, 0, &rig_own_memory);
	rig_data(in, n, RIG_MIXED);
	len = judge_deflate(3, 6, Z_DEFAULT_STRATEGY, in, n, out, 2 * n);
	for (uint32_t room = 0; room < n; room += 4999) {
		back = guarded_get(room);
		rig_fill(&r, 3, 0, out, (uint32_t)len, back.bytes, room);
		assert_int_equal(rig_serve(&r, r.inflate), HISI_ZIP_ST_NO_ROOM);
		assert_true(rig_produced(&r) <= room && rig_consumed(&r) < len);
		assert_memory_equal(back.bytes, in, rig_produced(&r));
		guarded_put(&back);
	}
	rig_close(&r);
	free(in);
	free(out);
}

/* Source and destination on top of each other: the same result, or an error. */
static void overlapping_buffers_are_harmless(void **state)
{
	const uint32_t n = 40000;
	uint8_t *buf = malloc(4 * n), *in = malloc(n);
	struct rig r;

	(void)state;
	rig_open(&r, 0, &rig_own_memory);
	rig_data(in, n, RIG_TEXT);
	for (uint32_t level = 0; level <= 11; level++) {
		memcpy(buf + n, in, n);
		rig_fill(&r, 3, level, buf + n, n, buf + level * 5000, 2 * n);
		assert_int_equal(rig_serve(&r, r.compress), 0);
		judge_inflate(3, 15, buf + level * 5000, rig_produced(&r), in, n);
	}
	rig_close(&r);
	free(buf);
	free(in);
}

static void queue_types_are_two(void **state)
{
	void *queue;
	struct rig r;

	(void)state;
	rig_open(&r, 0, &rig_own_memory);
	assert_int_equal(engine_zip_ops.sqe_bytes, 128);
	assert_int_equal(engine_zip_ops.nr_qc_types, 2);
	assert_true(engine_zip_ops.queue_create(r.engine, 2, &queue) < 0);
	rig_close(&r);
	engine_zip_ops.queue_destroy(NULL);
	engine_zip_ops.destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_written_by_hand_is_served),
		cmocka_unit_test(a_request_for_nothing_touches_nothing),
		cmocka_unit_test(bad_fields_are_refused),
		cmocka_unit_test(formats_levels_and_sizes_round_trip),
		cmocka_unit_test(large_requests_round_trip),
		cmocka_unit_test(copied_memory_round_trips),
		cmocka_unit_test(room_is_used_to_the_byte),
		cmocka_unit_test(level_1_is_libisal_to_the_byte),
		cmocka_unit_test(windows_are_kept),
		cmocka_unit_test(streams_of_zlib_are_inflated),
		cmocka_unit_test(bad_streams_are_refused),
		cmocka_unit_test(an_inflate_that_fills_its_room_says_what_it_did),
		cmocka_unit_test(overlapping_buffers_are_harmless),
		cmocka_unit_test(queue_types_are_two),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

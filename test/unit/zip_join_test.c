/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The walk over deflate streams, compared with where zlib's inflate stops, for
 * what every codec here makes and for what none would; and streams reopened.
 */
#include <isa-l/igzip_lib.h>
#include <libdeflate.h>

#include "chip/qm/zip_join.h"
#include "test/unit/zip_rig.h"

#define MIB (1u << 20)

static struct zip_join join;

/* Kinds of data beyond the rig's. */
enum {
	STEEP = RIG_DATA_KINDS, /* each value half as likely as the one before: longest codes */
	SPRINKLED,		/* zeros with few other bytes: longest matches, far distances */
	KINDS
};

static void fill(uint8_t *p, size_t n, unsigned int kind)
{
	uint32_t seed = 88172645u;

	if (kind < STEEP) {
		rig_data(p, n, (enum rig_data)kind);
		return;
	}
	memset(p, 0, n);
	for (size_t i = 0; i < n; i += kind == STEEP ? 1 : 1 + rig_random(&seed) % 3000) {
		uint32_t v = rig_random(&seed);

		p[i] = (uint8_t)(kind == STEEP ? (uint32_t)__builtin_ctz(v | 1u << 24) * 9 :
						 v >> 8);
	}
}

/*
 * zlib's own answer; false when it refuses the stream.  As the walk does, it
 * takes any distance: a window full of zeros lies before the stream.
 */
static bool judge_last(const uint8_t *in, size_t bytes, struct zip_last_block *ret_last)
{
	static const uint8_t before[32768];
	static uint8_t unwanted[65536];
	z_stream z = { .next_in = (Bytef *)in, .avail_in = (uInt)bytes };
	int ret;

	assert_int_equal(inflateInit2(&z, -15), Z_OK);
	assert_int_equal(inflateSetDictionary(&z, before, sizeof(before)), Z_OK);
	do {
		uint64_t at;

		z.next_out = unwanted;
		z.avail_out = sizeof(unwanted);
		ret = inflate(&z, Z_BLOCK);
		at = (uint64_t)z.total_in * 8 - ((unsigned int)z.data_type & 7);
		if (ret == Z_OK && (z.data_type & 192) == 128)
			ret_last->header = at;
		if (ret == Z_OK && (z.data_type & 192) == 192)
			ret_last->end = at;
	} while (ret == Z_OK);
	inflateEnd(&z);
	return ret == Z_STREAM_END;
}

/* Walk and zlib agree on @in, which ends where nothing may be read. */
static bool agree(const uint8_t *in, size_t bytes)
{
	struct guarded g = guarded_get(bytes);
	struct zip_last_block want = { 0 }, last = { 0 };
	bool is_sound;

	memcpy(g.bytes, in, bytes);
	is_sound = judge_last(g.bytes, bytes, &want);
	assert_int_equal(zip_join_find_last(&join, g.bytes, bytes, &last), is_sound);
	if (is_sound) {
		assert_int_equal(last.header, want.header);
		assert_int_equal(last.end, want.end);
	}
	guarded_put(&g);
	return is_sound;
}

static size_t pack_libdeflate(int level, const uint8_t *in, size_t n, uint8_t *out, size_t room)
{
	struct libdeflate_compressor *c = libdeflate_alloc_compressor(level);
	size_t made;

	assert_non_null(c);
	made = libdeflate_deflate_compress(c, in, n, out, room);
	libdeflate_free_compressor(c);
	assert_true(made);
	return made;
}

static size_t pack_zlib(int level, int strategy, int memory, bool is_flushed, const uint8_t *in,
			size_t n, uint8_t *out, size_t room)
{
	z_stream z = { .next_in = (Bytef *)in, .next_out = out, .avail_out = (uInt)room };
	size_t made;

	assert_int_equal(deflateInit2(&z, level, Z_DEFLATED, -15, memory, strategy), Z_OK);
	z.avail_in = (uInt)n / 3;
	assert_int_not_equal(deflate(&z, is_flushed ? Z_PARTIAL_FLUSH : Z_NO_FLUSH),
			     Z_STREAM_ERROR);
	z.avail_in = (uInt)(n - z.total_in);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	made = z.total_out;
	deflateEnd(&z);
	return made;
}

static size_t pack_isal(unsigned int level, const uint8_t *in, size_t n, uint8_t *out, size_t room)
{
	uint8_t *level_buf = calloc(1, ISAL_DEF_LVL3_EXTRA_LARGE);
	struct isal_zstream z;

	isal_deflate_init(&z);
	z.level = level;
	z.level_buf = level ? level_buf : NULL;
	z.level_buf_size = level ? ISAL_DEF_LVL3_EXTRA_LARGE : 0;
	z.next_in = (uint8_t *)in;
	z.avail_in = (uint32_t)n;
	z.next_out = out;
	z.avail_out = (uint32_t)room;
	z.end_of_stream = 1;
	assert_int_equal(isal_deflate(&z), COMP_OK);
	assert_int_equal(z.internal_state.state, ZSTATE_END);
	free(level_buf);
	return z.total_out;
}

static const size_t sizes[] = { 0, 1, 2, 100, 5000, 70000, 131072 };
#define SIZE_MOST 131072u

static void walks_over_libdeflate(void **state)
{
	uint8_t *in = malloc(8 * MIB), *out = malloc(9 * MIB);

	(void)state;
	for (unsigned int kind = 0; kind < KINDS; kind++) {
		fill(in, SIZE_MOST, kind);
		for (unsigned int s = 0; s < BASE_ARRAY_SIZE(sizes); s++)
			for (int level = 1; level <= 12; level += sizes[s] > 5000 ? 2 : 1)
				assert_true(agree(out, pack_libdeflate(level, in, sizes[s], out,
								       2 * MIB)));
	}
	for (unsigned int kind = 0; kind < KINDS; kind++) {
		const size_t n = kind == RIG_MIXED ? 8 * MIB : MIB;

		fill(in, n, kind);
		assert_true(agree(out, pack_libdeflate(3, in, n, out, 9 * MIB)));
	}
	free(in);
	free(out);
}

static void walks_over_zlib(void **state)
{
	static const int strategies[] = { Z_DEFAULT_STRATEGY, Z_FILTERED, Z_HUFFMAN_ONLY, Z_RLE,
					  Z_FIXED };
	uint8_t *in = malloc(SIZE_MOST), *out = malloc(2 * SIZE_MOST);

	(void)state;
	for (unsigned int kind = 0; kind < KINDS; kind++) {
		fill(in, SIZE_MOST, kind);
		for (unsigned int s = 0; s < BASE_ARRAY_SIZE(sizes); s++)
			for (unsigned int i = 0; i<5 * 10; i += sizes[s]> 5000 ? 3 : 1)
				assert_true(agree(out,
						  pack_zlib((int)i % 10, strategies[i / 10],
							    1 + (int)(i + s) % 9, i & 1, in,
							    sizes[s], out, (size_t)2 * SIZE_MOST)));
	}
	free(in);
	free(out);
}

static void walks_over_libisal(void **state)
{
	uint8_t *in = malloc(SIZE_MOST), *out = malloc(2 * SIZE_MOST);

	(void)state;
	for (unsigned int kind = 0; kind < KINDS; kind++) {
		fill(in, SIZE_MOST, kind);
		for (unsigned int s = 0; s < BASE_ARRAY_SIZE(sizes); s++)
			for (unsigned int level = 0; level <= 3; level++)
				assert_true(agree(out, pack_isal(level, in, sizes[s], out,
								 (size_t)2 * SIZE_MOST)));
	}
	free(in);
	free(out);
}

/* One stream of each kind of block and code, short enough to be spoilt in many ways. */
#define NR_SAMPLES 6

static size_t sample(unsigned int i, uint8_t *out, size_t room)
{
	static uint8_t in[6000];

	switch (i) {
	case 0:
		fill(in, 900, RIG_TEXT);
		return pack_zlib(6, Z_FIXED, 8, true, in, 900, out, room);
	case 1:
		fill(in, 6000, STEEP);
		return pack_libdeflate(6, in, 6000, out, room);
	case 2:
		fill(in, 300, RIG_RANDOM);
		return pack_zlib(0, Z_DEFAULT_STRATEGY, 8, true, in, 300, out, room);
	case 3:
		fill(in, 6000, SPRINKLED);
		return pack_zlib(9, Z_DEFAULT_STRATEGY, 1, true, in, 6000, out, room);
	case 4:
		fill(in, 6000, RIG_ZEROS); /* one distance code */
		return pack_libdeflate(6, in, 6000, out, room);
	default:
		fill(in, 3000, RIG_TEXT);
		return pack_zlib(6, Z_HUFFMAN_ONLY, 8, false, in, 3000, out, room);
	}
}

static void streams_cut_short_are_refused(void **state)
{
	uint8_t out[8192];

	(void)state;
	for (unsigned int i = 0; i < NR_SAMPLES; i++) {
		size_t bytes = sample(i, out, sizeof(out));
		struct zip_last_block last;

		assert_true(agree(out, bytes));
		for (size_t n = 0; n < bytes; n++)
			assert_false(zip_join_find_last(&join, out, n, &last));
	}
}

/* Most are refused, some only become other streams: zlib knows which. */
static void spoilt_streams_are_refused(void **state)
{
	uint8_t out[8192], kept[8192];
	unsigned int refused = 0;
	uint32_t seed = 521288629u;

	(void)state;
	for (unsigned int i = 0; i < NR_SAMPLES; i++) {
		size_t bytes = sample(i, kept, sizeof(kept));

		for (unsigned int k = 0; k < 3000; k++) {
			/* Half of them where headers and code lengths are. */
			size_t most = k & 1 ? bytes : base_min_u64(bytes, 80);

			memcpy(out, kept, bytes);
			for (unsigned int flips = 1 + k % 3; flips; flips--) {
				uint32_t v = rig_random(&seed);

				out[(v >> 3) % most] ^= (uint8_t)(1u << (v & 7));
			}
			refused += !agree(out, bytes);
		}
	}
	assert_true(refused > 3000);
}

static void garbage_is_refused_as_by_zlib(void **state)
{
	uint8_t p[200];
	uint32_t seed = 1234567u;

	(void)state;
	for (unsigned int k = 0; k < 10000; k++) {
		for (unsigned int i = 0; i < sizeof(p); i++)
			p[i] = (uint8_t)(rig_random(&seed) >> 9);
		/* A dynamic block, which random bits hardly ever begin well. */
		if (k & 1)
			p[0] = (uint8_t)((p[0] & 0x18) | 5);
		agree(p, 1 + k % sizeof(p));
	}
}

/* What no codec makes, by name. */
static void codes_that_do_not_exist_are_refused(void **state)
{
	static const struct {
		uint8_t bytes[24];
		size_t nr;
		bool is_sound;
	} cases[] = {
		{ { 0x03, 0x00 }, 2, true },			   /* an empty fixed block */
		{ { 0x01, 0x00, 0x00, 0xff, 0xff }, 5, true },	   /* an empty stored one */
		{ { 0x07 }, 1, false },				   /* type 3 */
		{ { 0x01, 0x01, 0x00, 0xff, 0xff }, 5, false },	   /* length against complement */
		{ { 0x01, 0x04, 0x00, 0xfb, 0xff, 1 }, 6, false }, /* stored beyond the end */
		{ { 0x1b, 0x03, 0x00 }, 3, false },		   /* length symbol 286 */
		{ { 0xfc, 0x00, 0x00 }, 3, false },		   /* 288 literal codes */
		/* zlib's own examples: missing end of block, over- and undersubscribed sets. */
		{ { 0x04, 0x00, 0xfe, 0xff }, 4, false },
		{ { 0x04, 0x00, 0x24, 0x49, 0x00 }, 5, false },
		{ { 0x04, 0x80, 0x49, 0x92, 0x24, 0x49, 0x92, 0x24, 0x0f, 0xb4, 0xff, 0xff, 0xc3,
		    0x84 },
		  14,
		  false },
		/* One distance code of one bit, and the other bit used. */
		{ { 0x0c, 0xc0, 0x81, 0, 0, 0, 0, 0, 0x90, 0xff, 0x6b, 0x04, 0 }, 13, false },
	};

	(void)state;
	for (unsigned int i = 0; i < BASE_ARRAY_SIZE(cases); i++)
		assert_int_equal(agree(cases[i].bytes, cases[i].nr), cases[i].is_sound);
}

struct bit_writer {
	uint8_t bytes[64];
	unsigned int at; /* bit */
};

static void put_bits(struct bit_writer *w, uint32_t v, unsigned int bits)
{
	for (; bits; bits--, v >>= 1, w->at++)
		w->bytes[w->at / 8] |= (uint8_t)((v & 1) << w->at % 8);
}

/* A sound block, but for how many code lengths it says it has: 0, then its end. */
static size_t write_block(struct bit_writer *w, unsigned int literals, unsigned int distances)
{
	memset(w, 0, sizeof(*w));
	put_bits(w, 5, 3);
	put_bits(w, literals - 257, 5);
	put_bits(w, distances - 1, 5);
	put_bits(w, 18 - 4, 4);
	/* Lengths of 16, 17, 18, 0, and all others up to 1. */
	put_bits(w, 1 << 6 | 2 << 9, 12);
	put_bits(w, 0, 3 * 13);
	put_bits(w, 2, 3);
	/* 1, 255 zeros in two runs, 1, the rest. */
	put_bits(w, 3, 2);
	put_bits(w, (138 - 11) << 1, 8);
	put_bits(w, (117 - 11) << 1, 8);
	put_bits(w, 3, 2);
	for (unsigned int i = 257; i < literals + distances; i++)
		put_bits(w, 1, 2);
	put_bits(w, 2, 2);
	return (w->at + 7) / 8;
}

static void numbers_of_codes_are_limited(void **state)
{
	struct bit_writer w;

	(void)state;
	for (unsigned int literals = 257; literals <= 288; literals++)
		for (unsigned int distances = 1; distances <= 32; distances++) {
			size_t bytes = write_block(&w, literals, distances);

			assert_int_equal(agree(w.bytes, bytes), literals <= 286 && distances <= 30);
		}
}

/* Streams of all kinds one behind the other, reopened, are one stream. */
static void reopened_streams_follow_each_other(void **state)
{
	enum {
		N = 3000,
		PIECES = 300
	};
	uint8_t *in = malloc(N * PIECES), *out = malloc(2 * N * PIECES);
	uint32_t seed = 362436069u;
	size_t at = 0, made = 0;

	(void)state;
	for (unsigned int k = 0; k < PIECES; k++) {
		/* Every length of the last byte's rest is met. */
		const size_t n = rig_random(&seed) % N, room = 2 * N;
		struct zip_last_block last;
		size_t bytes, grown;

		fill(in + at, n, k % KINDS);
		bytes = k % 3 ? pack_libdeflate((int)(k % 12) + 1, in + at, n, out + made, room) :
				pack_zlib((int)k % 10, (int)k % 5, 8, k & 1, in + at, n, out + made,
					  room);
		assert_true(zip_join_find_last(&join, out + made, bytes, &last));
		/* What fills the last byte is nobody's; here it is not zeros. */
		if (last.end % 8)
			out[made + bytes - 1] |= (uint8_t)(0xff << last.end % 8);
		grown = zip_join_reopen(&join, out + made, bytes);
		assert_in_range(grown, bytes + 4, bytes + ZIP_JOIN_GROWTH);
		assert_memory_equal(out + made + grown - 4, "\0\0\xff\xff", 4);
		made += grown;
		at += n;
	}
	memcpy(out + made, "\x03\x00", 2);
	judge_inflate(1, 15, out, made + 2, in, at);
	free(in);
	free(out);
}

static void what_cannot_be_reopened_stays(void **state)
{
	uint8_t out[8192], before[8192];

	(void)state;
	for (unsigned int i = 0; i < NR_SAMPLES; i++) {
		size_t bytes = sample(i, out, sizeof(out));

		memset(out + bytes, 0, 8);
		memcpy(before, out, bytes + 8);
		assert_int_equal(zip_join_reopen(&join, out, bytes - 1), 0);
		assert_int_equal(zip_join_reopen(&join, out, bytes + 1), 0);
		assert_memory_equal(out, before, bytes + 8);
	}
	assert_int_equal(zip_join_reopen(&join, out, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(walks_over_libdeflate),
		cmocka_unit_test(walks_over_zlib),
		cmocka_unit_test(walks_over_libisal),
		cmocka_unit_test(streams_cut_short_are_refused),
		cmocka_unit_test(spoilt_streams_are_refused),
		cmocka_unit_test(garbage_is_refused_as_by_zlib),
		cmocka_unit_test(codes_that_do_not_exist_are_refused),
		cmocka_unit_test(numbers_of_codes_are_limited),
		cmocka_unit_test(reopened_streams_follow_each_other),
		cmocka_unit_test(what_cannot_be_reopened_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Tells data that does not compress, in three steps of rising cost; each may
 * say "this may compress", and only what passes all three is called random.
 *
 * 1. Distinct values.  128 random bytes hold 101 +- 4 different values, text
 *    some 40, machine code some 70.  This is all that compressible data pays.
 *    In larger requests every 4 KiB is looked at, with 64 bytes (57 +- 2.3).
 * 2. Byte histogram.  For n bytes of counts c the sum of c * (c - 1) is
 *    n * (n - 1) / 256 for uniform data, with a relative spread of 23 / n, and
 *    a factor 1 + e above it for skewed data, whose gain by Huffman coding is
 *    at most e / 1.39 bits in a byte.  A skew that gains less than the code's
 *    own description costs is not worth a codec.
 * 3. Matches.  Every a-th position is remembered and every b-th one looked up,
 *    a and b without common factor, so a repeat of a * b + 3 bytes at any
 *    distance within the window is certain to be met, for (1/a + 1/b) steps a
 *    byte.  Without it two copies of one random block would look random.
 */
#include <string.h>

#include "base/compiler.h"
#include "chip/qm/zip_entropy.h"

#define MIN_BYTES    256u  /* below, the codec is cheap and statistics say little */
#define SMALL_BYTES  8192u /* up to here one may look at everything */
#define CHUNK_BYTES  4096u
#define REGION_BYTES 65536u

/* Four standard deviations below what random data shows. */
#define DISTINCT_OF_128 86u
#define DISTINCT_OF_64	46u

/* Sets seen[] for 64 bytes. */
static inline void mark_values(uint8_t seen[256], const uint8_t *p)
{
	for (unsigned int i = 0; i < 64; i++)
		seen[p[i]] = 1;
}

/* At most 255 of them may be set. */
static inline unsigned int count_marks(const uint8_t seen[256])
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < 256; i += 8) {
		uint64_t eight;

		memcpy(&eight, seen + i, sizeof(eight));
		sum += eight; /* bytewise: each of the 32 adds at most 1 */
	}
	return (unsigned int)(sum * 0x0101010101010101ull >> 56);
}

/* At the start: the lines that the codec reads next anyway, so that they cost no miss of their own. */
static bool has_many_values(const uint8_t *in)
{
	uint8_t seen[256];

	memset(seen, 0, sizeof(seen));
	mark_values(seen, in);
	mark_values(seen, in + 64);
	return count_marks(seen) >= DISTINCT_OF_128;
}

static bool has_many_values_everywhere(const uint8_t *in, size_t bytes)
{
	uint8_t seen[256];

	for (size_t at = 0; at + CHUNK_BYTES <= bytes; at += CHUNK_BYTES) {
		memset(seen, 0, sizeof(seen));
		mark_values(seen, in + at);
		if (count_marks(seen) < DISTINCT_OF_64)
			return false;
	}
	return true;
}

static void count_bytes(uint32_t counts[4][256], const uint8_t *p, size_t bytes)
{
	/* Four tables, because runs of one value would wait for their own store. */
	for (; bytes >= 4; bytes -= 4, p += 4) {
		counts[0][p[0]]++;
		counts[1][p[1]]++;
		counts[2][p[2]]++;
		counts[3][p[3]]++;
	}
	while (bytes--)
		counts[0][*p++]++;
}

/* Whether the bytes are as good as evenly spread over all values. */
static bool is_uniform(struct zip_entropy *e, const uint8_t *in, size_t bytes, bool is_careful)
{
	/* Pieces spread over the region: an eighth of other data in it shows. */
	size_t step = !is_careful && bytes > SMALL_BYTES ? bytes / 8 : bytes;
	size_t piece = step == bytes ? bytes : CHUNK_BYTES / 8;
	uint64_t n = 0, pairs = 0, skew_permille;

	memset(e->counts, 0, sizeof(e->counts));
	for (size_t at = 0; at + piece <= bytes; at += step) {
		count_bytes(e->counts, in + at, piece);
		n += piece;
	}
	for (unsigned int v = 0; v < 256; v++) {
		uint64_t c = (uint64_t)e->counts[0][v] + e->counts[1][v] + e->counts[2][v] +
			     e->counts[3][v];

		pairs += c * (c - (c > 0));
	}
	/* The second part covers the spread of random data three times. */
	skew_permille = (is_careful ? 15 : 30) + 64000 / n;
	return pairs * 256 * 1000 <= n * (n - 1) * (1000 + skew_permille);
}

static inline uint32_t load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

struct strides {
	unsigned int remember;
	unsigned int look_up;
	unsigned int remember_past; /* as sparse as the request is short */
	unsigned int seen_bits;	    /* room for what 32 KiB remember */
};

static void remember_past(struct zip_entropy *e, const struct strides *s,
			  const struct zip_past *past)
{
	const unsigned int shift = 32 - s->seen_bits;

	for (unsigned int part = 0; part < 2; part++)
		for (size_t at = 0; at + 4 <= past->nr_bytes[part]; at += s->remember_past) {
			uint32_t v = load32(past->bytes[part] + at);

			e->seen[v * 0x9e3779b1u >> shift] = v;
		}
}

/* Adds up to the region's end; the table goes on from region to region. */
static bool has_matches(struct zip_entropy *e, const struct strides *s, const uint8_t *in,
			size_t bytes)
{
	const unsigned int window = s->remember * s->look_up;
	const unsigned int shift = 32 - s->seen_bits;
	uint64_t hits = 0;

	for (size_t at = 0; at + window + 3 <= bytes; at += window) {
		const uint8_t *p = in + at;

		for (unsigned int i = 0; i < window; i += s->look_up) {
			uint32_t v = load32(p + i);

			hits += e->seen[v * 0x9e3779b1u >> shift] == v;
		}
		for (unsigned int i = 0; i < window; i += s->remember) {
			uint32_t v = load32(p + i);

			e->seen[v * 0x9e3779b1u >> shift] = v;
		}
	}
	/* Each hit stands for one window of repeated bytes; 1/256 of all is worth having. */
	return hits * window * 256 >= bytes;
}

bool zip_entropy_is_random(struct zip_entropy *e, const struct zip_past *past, const uint8_t *in,
			   size_t bytes, bool is_careful)
{
	static const struct strides small = { 5, 6, 35, 12 }, careful = { 7, 8, 7, 13 },
				    large = { 15, 16, 15, 12 };
	const struct strides *s = &large;

	if (bytes < MIN_BYTES || !has_many_values(in))
		return false;
	if (bytes > SMALL_BYTES && !has_many_values_everywhere(in, bytes))
		return false;
	if (bytes <= SMALL_BYTES)
		s = &small;
	else if (is_careful)
		s = &careful;
	memset(e->seen, 0, sizeof(e->seen[0]) << s->seen_bits);
	if (past)
		remember_past(e, s, past);
	for (size_t at = 0; at < bytes; at += REGION_BYTES) {
		size_t n = base_min_u64(bytes - at, REGION_BYTES);

		if (n < MIN_BYTES)
			break; /* a tail too short to judge follows what was judged */
		if (!is_uniform(e, in + at, n, is_careful) || has_matches(e, s, in + at, n))
			return false;
	}
	return true;
}

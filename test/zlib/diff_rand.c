/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* Choices and data; see diff_rand.h. */
#include <string.h>

#include "diff_rand.h"

void rng_seed(struct rng *r, uint64_t seed)
{
	*r = (struct rng){ .state = seed };
}

void rng_bytes(struct rng *r, const uint8_t *bytes, size_t nr_bytes)
{
	*r = (struct rng){ .state = 1, .bytes = bytes, .left = nr_bytes };
}

/* The generator named SplitMix64: any seed is good, 0 as well. */
static uint64_t next(struct rng *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

uint32_t rng_below(struct rng *r, uint32_t n)
{
	uint32_t v = 0;
	size_t want = n <= 256 ? 1 : n <= 65536 ? 2 : 4;

	if (r->left == 0)
		return (uint32_t)((next(r) >> 32) % n);
	for (size_t i = 0; i < want && r->left; i++, r->left--)
		v |= (uint32_t)*r->bytes++ << (8 * i);
	return v % n;
}

bool rng_chance(struct rng *r, unsigned int percent)
{
	return rng_below(r, 100) < percent;
}

struct rng rng_fork(struct rng *r)
{
	struct rng fork;

	rng_seed(&fork, r->left ? rng_below(r, 65536) : next(r));
	return fork;
}

size_t rng_length(struct rng *r, size_t max)
{
	static const uint32_t tops[] = { 1, 12, 300, 4096, 40000, 65536, 300000, 3u << 20 };
	static const uint8_t often[] = { 0, 1, 1, 2, 2, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5 };
	unsigned int top = often[rng_below(r, sizeof(often))];
	size_t n;

	if (rng_chance(r, 3))
		top = 6 + rng_chance(r, 40);
	n = rng_below(r, tops[top] + 1);
	return n < max ? n : max;
}

unsigned int rng_style(struct rng *r)
{
	return rng_chance(r, 40) ? RNG_STYLE_MIXED : rng_below(r, RNG_STYLES);
}

size_t rng_step(struct rng *r, unsigned int style)
{
	if (style >= RNG_STYLES)
		style = rng_below(r, RNG_STYLES);
	switch (style) {
	case 0: /* not always, or nothing would ever move */
		return rng_chance(r, 30) ? 0 : 1 + rng_below(r, 40);
	case 1:
		return 1;
	case 2:
		return 2;
	case 3:
		return 5;
	case 4:
		return 1 + rng_below(r, 200);
	case 5:
		return rng_chance(r, 50) ? 4096 : 1 + rng_below(r, 8192);
	case 6:
		return rng_chance(r, 50) ? 65536 : 1 + rng_below(r, 65536);
	default:
		return SIZE_MAX;
	}
}

static void make_noise(struct rng *r, uint8_t *buf, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += 8) {
		uint64_t v = next(r);

		memcpy(buf + i, &v, bytes - i < 8 ? bytes - i : 8);
	}
}

static void make_text(struct rng *r, uint8_t *buf, size_t bytes)
{
	static const char *const words[] = {
		"the ",	  "of ",     "and ",	  "queue ", "to ",	 "a ",	    "device",
		", ",	  ".\n",     "request",	  "s ",	    "is ",	 "window ", "sent ",
		"never ", "answer ", "without ",  "block ", "between ",	 "\t",	    "memory ",
		"(",	  ")",	     "0123456 ",  "byte ",  "doorbell ", "which ",  "completion ",
		"it ",	  "after ",  "\xc3\xa4r", "Q",
	};
	size_t at = 0;

	while (at < bytes) {
		/* The smaller of two is oftener a small one, as in real text. */
		uint32_t a = rng_below(r, 32);
		uint32_t b = rng_below(r, 32);
		const char *word = words[a < b ? a : b];
		size_t n = strlen(word);

		n = n < bytes - at ? n : bytes - at;
		memcpy(buf + at, word, n);
		at += n;
		if (rng_below(r, 9) == 0 && at < bytes)
			buf[at++] = (uint8_t)('a' + rng_below(r, 26));
	}
}

/* Records of a fixed length with counters, flags and small numbers. */
static void make_records(struct rng *r, uint8_t *buf, size_t bytes)
{
	size_t length = 8 + rng_below(r, 60);
	uint32_t count = rng_below(r, 100000);

	for (size_t i = 0; i < bytes; i++) {
		size_t at = i % length;

		if (at == 0)
			count++;
		if (at < 4)
			buf[i] = (uint8_t)(count >> (8 * at));
		else if (at < 6)
			buf[i] = (uint8_t)rng_below(r, 4);
		else
			buf[i] = (uint8_t)(at * 3);
	}
}

/* What repeats lies so far back that small windows do not reach it. */
static void make_distant(struct rng *r, uint8_t *buf, size_t bytes)
{
	size_t distance = 200 + rng_below(r, 40000);

	make_noise(r, buf, bytes < distance ? bytes : distance);
	for (size_t i = distance; i < bytes; i++)
		buf[i] = buf[i - distance];
	for (size_t i = 0; i + 300 < bytes; i += 100 + rng_below(r, 700))
		buf[i] ^= (uint8_t)rng_below(r, 256);
}

static void make_few_symbols(struct rng *r, uint8_t *buf, size_t bytes)
{
	uint32_t nr = 2 + rng_below(r, 7);

	for (size_t i = 0; i < bytes; i++)
		buf[i] = (uint8_t)('0' + rng_below(r, nr));
}

static void make_runs(struct rng *r, uint8_t *buf, size_t bytes)
{
	for (size_t i = 0; i < bytes;) {
		size_t n = 1 + rng_below(r, rng_below(r, 8) ? 12 : 1000);

		n = n < bytes - i ? n : bytes - i;
		memset(buf + i, (int)rng_below(r, 256), n);
		i += n;
	}
}

static void make_one(struct rng *r, uint8_t *buf, size_t bytes)
{
	switch (rng_below(r, 10)) {
	case 0:
		make_noise(r, buf, bytes);
		break;
	case 1:
		memset(buf, 0, bytes);
		break;
	case 2:
	case 3:
		make_records(r, buf, bytes);
		break;
	case 4:
		make_distant(r, buf, bytes);
		break;
	case 5:
		make_few_symbols(r, buf, bytes);
		break;
	case 6:
		make_runs(r, buf, bytes);
		break;
	default:
		make_text(r, buf, bytes);
	}
}

void data_make(struct rng *r, uint8_t *buf, size_t bytes)
{
	struct rng own = rng_fork(r);

	if (rng_chance(&own, 75)) {
		make_one(&own, buf, bytes);
		return;
	}
	for (size_t at = 0; at < bytes;) {
		size_t n = 1 + rng_below(&own, rng_chance(&own, 50) ? 2000 : 100000);

		n = n < bytes - at ? n : bytes - at;
		make_one(&own, buf + at, n);
		at += n;
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Choices, all from a seed, or from bytes (a fuzzer's) as long as there are any;
 * and data made from choices.
 */
#ifndef DIFF_RAND_H
#define DIFF_RAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rng {
	uint64_t state;
	const uint8_t *bytes;
	size_t left;
};

void rng_seed(struct rng *r, uint64_t seed);

/* Choices come from @bytes first and, after these, from a fixed seed. */
void rng_bytes(struct rng *r, const uint8_t *bytes, size_t nr_bytes);

/* A number below @n, which is not 0. */
uint32_t rng_below(struct rng *r, uint32_t n);

/* True @percent times of a hundred. */
bool rng_chance(struct rng *r, unsigned int percent);

/* One that costs a fuzzer's bytes only once, for what needs many. */
struct rng rng_fork(struct rng *r);

/* A length below @max + 1, small ones often. */
size_t rng_length(struct rng *r, size_t max);

/*
 * How much is handed over in one call: a size from 0 to "all" (SIZE_MAX).  A
 * program keeps to one style (0 to RNG_STYLES - 1) or mixes, RNG_STYLE_MIXED.
 */
#define RNG_STYLES	8u
#define RNG_STYLE_MIXED RNG_STYLES
unsigned int rng_style(struct rng *r);
size_t rng_step(struct rng *r, unsigned int style);

/* Fills @buf with text, records, noise, zeros, distant repeats or a mixture. */
void data_make(struct rng *r, uint8_t *buf, size_t bytes);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The incompressibility test: random data of any size is known for what it is,
 * and nothing that a codec would shrink by more than a little is taken for it.
 */
#include "chip/qm/zip_entropy.h"
#include "test/unit/zip_rig.h"

static struct zip_entropy entropy;

static bool is_random(const uint8_t *p, size_t n)
{
	return zip_entropy_is_random(&entropy, NULL, p, n, false);
}

static void random_data_is_found(void **state)
{
	static const size_t sizes[] = { 512,   1000,  4096,  4097,   8192,    8193,
					16384, 65536, 70000, 131072, 1 << 20, 8 << 20 };
	uint8_t *p = malloc(8 << 20);

	(void)state;
	rig_data(p, 8 << 20, RIG_RANDOM);
	for (unsigned int i = 0; i < BASE_ARRAY_SIZE(sizes); i++) {
		assert_true(zip_entropy_is_random(&entropy, NULL, p, sizes[i], false));
		assert_true(zip_entropy_is_random(&entropy, NULL, p, sizes[i], true));
	}
	/* Many places, so that the statistics' spread is met too. */
	for (size_t at = 0; at + 4096 <= 8 << 20; at += 4096)
		assert_true(is_random(p + at, 4096));
	free(p);
}

static void compressible_data_is_left_to_the_codec(void **state)
{
	static const enum rig_data kinds[] = { RIG_ZEROS, RIG_TEXT, RIG_MIXED, RIG_COPIES };
	static const size_t sizes[] = { 0, 1, 64, 4096, 16384, 65536, 1 << 20 };
	uint8_t *p = malloc(1 << 20);

	(void)state;
	for (unsigned int k = 0; k < BASE_ARRAY_SIZE(kinds); k++) {
		rig_data(p, 1 << 20, kinds[k]);
		for (unsigned int i = 0; i < BASE_ARRAY_SIZE(sizes); i++) {
			if (kinds[k] == RIG_MIXED && sizes[i] < 16384)
				continue;
			assert_false(zip_entropy_is_random(&entropy, NULL, p, sizes[i], false));
			assert_false(zip_entropy_is_random(&entropy, NULL, p, sizes[i], true));
		}
	}
	free(p);
}

/* 64 printable characters: six bits in eight. */
static void base64_is_left_to_the_codec(void **state)
{
	uint8_t p[4096];

	(void)state;
	rig_data(p, sizeof(p), RIG_RANDOM);
	for (unsigned int i = 0; i < sizeof(p); i++)
		p[i] = (uint8_t)('0' + (p[i] & 63));
	assert_false(is_random(p, sizeof(p)));
}

/* Seven random bits in eight: all values below 128. */
static void seven_bits_are_left_to_the_codec(void **state)
{
	static uint8_t p[65536];

	(void)state;
	rig_data(p, sizeof(p), RIG_RANDOM);
	for (unsigned int i = 0; i < sizeof(p); i++)
		p[i] &= 127;
	assert_false(is_random(p, 4096));
	assert_false(is_random(p, sizeof(p)));
}

static void a_repeated_random_block_is_seen_at_any_distance(void **state)
{
	static uint8_t p[65536];

	(void)state;
	for (size_t distance = 100; distance <= 32000; distance += 997) {
		rig_data(p, sizeof(p), RIG_RANDOM);
		memcpy(p + 33000 - distance % 7, p + 33000 - distance % 7 - distance,
		       distance < 2000 ? distance : 2000);
		if (distance >= 1000)
			assert_false(is_random(p, sizeof(p)));
		memcpy(p + 2000 + distance % 1000, p + distance % 1000, 100);
		assert_false(is_random(p, 4096));
	}
}

/* Random to itself, but a copy of what went before it. */
static void a_copy_of_the_past_is_left_to_the_codec(void **state)
{
	static uint8_t p[65536];
	const struct zip_past past = { .bytes = { p, p + 20000 }, .nr_bytes = { 20000, 12768 } };

	(void)state;
	rig_data(p, sizeof(p), RIG_RANDOM);
	assert_true(zip_entropy_is_random(&entropy, &past, p + 32768, 4096, false));
	assert_true(zip_entropy_is_random(&entropy, &past, p + 32768, 32768, false));
	for (unsigned int from = 0; from < 28000; from += 777) {
		memcpy(p + 33000, p + from, 600);
		assert_false(zip_entropy_is_random(&entropy, &past, p + 32768, 4096, false));
		memcpy(p + 33600, p + from + 600, 2000);
		assert_false(zip_entropy_is_random(&entropy, &past, p + 32768, 32768, false));
	}
}

/* 8 KiB of text anywhere in 64 KiB of random data, and a skewed byte in records. */
static void a_part_that_compresses_is_seen(void **state)
{
	static uint8_t p[65536];

	(void)state;
	for (size_t at = 0; at + 8192 <= sizeof(p); at += 4096) {
		rig_data(p, sizeof(p), RIG_RANDOM);
		rig_data(p + at, 8192, RIG_TEXT);
		assert_false(is_random(p, sizeof(p)));
	}
	rig_data(p, sizeof(p), RIG_RANDOM);
	for (unsigned int i = 7; i < sizeof(p); i += 8)
		p[i] = 0x3f; /* as in doubles between 0 and 1 */
	assert_false(is_random(p, 4096));
	assert_false(is_random(p, sizeof(p)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_data_is_found),
		cmocka_unit_test(compressible_data_is_left_to_the_codec),
		cmocka_unit_test(base64_is_left_to_the_codec),
		cmocka_unit_test(seven_bits_are_left_to_the_codec),
		cmocka_unit_test(a_repeated_random_block_is_seen_at_any_distance),
		cmocka_unit_test(a_copy_of_the_past_is_left_to_the_codec),
		cmocka_unit_test(a_part_that_compresses_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

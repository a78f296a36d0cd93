/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* Stored blocks: exact bytes, exact sizes, and zlib reads them. */
#include "chip/qm/zip_stored.h"
#include "test/unit/zip_rig.h"

static void one_block_is_as_the_rfc_says(void **state)
{
	static const uint8_t want[] = { 0x01, 0x03, 0x00, 0xfc, 0xff, 'a', 'b', 'c' };
	uint8_t out[sizeof(want)];

	(void)state;
	assert_int_equal(zip_stored_write(out, (const uint8_t *)"abc", 3, true), sizeof(want));
	assert_memory_equal(out, want, sizeof(want));
	zip_stored_write(out, (const uint8_t *)"abc", 3, false);
	assert_int_equal(out[0], 0);
}

static void nothing_is_one_empty_block(void **state)
{
	static const uint8_t want[] = { 0x01, 0x00, 0x00, 0xff, 0xff };
	uint8_t out[sizeof(want)];

	(void)state;
	assert_int_equal(zip_stored_write(out, want, 0, true), sizeof(want));
	assert_memory_equal(out, want, sizeof(want));
}

static void sizes_around_blocks_are_read_by_zlib(void **state)
{
	static const size_t sizes[] = { 0, 1, 65534, 65535, 65536, 131070, 131071, 200000 };

	(void)state;
	for (unsigned int i = 0; i < BASE_ARRAY_SIZE(sizes); i++) {
		size_t n = sizes[i], bound = bound_of(1, n);
		uint8_t *in = malloc(n + 1), *out = malloc(bound);

		rig_data(in, n, RIG_RANDOM);
		assert_int_equal(zip_stored_bytes(n), bound);
		assert_int_equal(zip_stored_write(out, in, n, true), bound);
		judge_inflate(1, 15, out, bound, in, n);
		free(in);
		free(out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_block_is_as_the_rfc_says),
		cmocka_unit_test(nothing_is_one_empty_block),
		cmocka_unit_test(sizes_around_blocks_are_read_by_zlib),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* What settings mean to the zlib front end, sensible ones and others. */
#include <string.h>

#include "frontend/zlib/wdz_policy.h"
#include "lib/t_assert.h"

/* Pairs of name and value, to the first NULL. */
static const char *const *environment;

static char *get(const char *name)
{
	const char *const *p;

	for (p = environment; p && *p; p += 2)
		if (!strcmp(*p, name))
			return (char *)(uintptr_t)p[1];
	return NULL;
}

static struct wdz_settings read_settings(const char *const *pairs)
{
	struct wdz_settings s;

	memset(&s, 0xa5, sizeof(s));
	environment = pairs;
	wdz_settings_read(&s, get);
	return s;
}

static void nothing_set_is_auto(void **state)
{
	const struct wdz_settings s = read_settings(NULL);

	(void)state;
	assert_int_equal(s.mode, WDZ_MODE_AUTO);
	assert_null(s.ignored);
	assert_true(wdz_may_deflate(&s, 6, 15, 8, 0));
	assert_true(wdz_deflate_min(&s) > 1);
	assert_true(wdz_gather_bytes(&s, 6) > wdz_deflate_min(&s));
	assert_false(wdz_may_inflate(&s, wdz_inflate_min(&s) - 1, 1 << 20, true));
	assert_true(wdz_may_inflate(&s, 10000, 10000, true));
	assert_false(wdz_may_inflate(&s, 10000, 9999, true));
	/* A buffer of about the input's size is one that is filled again and again. */
	assert_false(wdz_may_inflate(&s, 10000, 16384, false));
	assert_true(wdz_may_inflate(&s, 10000, 40000, false));
}

static void modes_are_named(void **state)
{
	static const char *const off[] = { "WDZ", "off", NULL };
	static const char *const always[] = { "WDZ", "always", NULL };
	static const char *const any[] = { "WDZ", "auto", NULL };
	static const char *const wrong[] = { "WDZ", "On", NULL };
	struct wdz_settings s = read_settings(off);

	(void)state;
	assert_int_equal(s.mode, WDZ_MODE_OFF);
	assert_false(wdz_may_deflate(&s, 6, 15, 8, 0));
	assert_false(wdz_may_inflate(&s, 10000, 100000, true));
	s = read_settings(always);
	assert_int_equal(s.mode, WDZ_MODE_ALWAYS);
	assert_int_equal(wdz_deflate_min(&s), 1);
	assert_true(wdz_may_inflate(&s, 1, 0, false));
	s = read_settings(any);
	assert_int_equal(s.mode, WDZ_MODE_AUTO);
	assert_null(s.ignored);
	s = read_settings(wrong);
	assert_int_equal(s.mode, WDZ_MODE_AUTO);
	assert_string_equal(s.ignored, "WDZ");
}

static void numbers_are_whole_and_in_range(void **state)
{
	static const char *const good[] = {
		"WDZ_DEFLATE_MIN", "1", "WDZ_INFLATE_MIN", "70000", "WDZ_GATHER_KIB", "8192", NULL
	};
	static const char *const bad[] = {
		"", "0", "-1", "+5", " 5", "5 ", "1k", "0x10", "8193", "99999999999999999999999",
	};
	struct wdz_settings s = read_settings(good);
	unsigned int i;

	(void)state;
	assert_null(s.ignored);
	assert_int_equal(wdz_deflate_min(&s), 1);
	assert_int_equal(wdz_inflate_min(&s), 70000);
	assert_int_equal(wdz_gather_bytes(&s, 9), 8192u << 10);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *const pairs[] = { "WDZ_GATHER_KIB", bad[i], NULL };

		s = read_settings(pairs);
		assert_string_equal(s.ignored, "WDZ_GATHER_KIB");
		assert_int_equal(s.gather_bytes, 0);
	}
}

static void what_a_queue_cannot_keep_to_is_zlibs(void **state)
{
	const struct wdz_settings s = read_settings(NULL);

	(void)state;
	assert_true(wdz_may_deflate(&s, 1, -15, 8, 0));
	assert_true(wdz_may_deflate(&s, 9, 31, 9, 1));
	assert_false(wdz_may_deflate(&s, 0, 15, 8, 0));
	assert_false(wdz_may_deflate(&s, 6, 14, 8, 0));
	assert_false(wdz_may_deflate(&s, 6, -9, 8, 0));
	assert_false(wdz_may_deflate(&s, 6, 25, 8, 0));
	assert_false(wdz_may_deflate(&s, 6, 15, 7, 0));
	assert_false(wdz_may_deflate(&s, 6, 15, 8, 2));
	assert_false(wdz_may_deflate(&s, 6, 15, 8, 4));
}

static void levels_stay_levels(void **state)
{
	int level;

	(void)state;
	for (level = 1; level <= 9; level++) {
		assert_true(wdz_queue_level(level) >= 1 && wdz_queue_level(level) <= level);
		assert_true(level == 1 || wdz_queue_level(level) >= wdz_queue_level(level - 1));
	}
	assert_int_equal(wdz_queue_level(6), 6);
	assert_int_equal(wdz_queue_level(9), 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_set_is_auto),
		cmocka_unit_test(modes_are_named),
		cmocka_unit_test(numbers_are_whole_and_in_range),
		cmocka_unit_test(what_a_queue_cannot_keep_to_is_zlibs),
		cmocka_unit_test(levels_stay_levels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

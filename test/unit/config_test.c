/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* Settings from the environment: what they mean, and that nonsense is named. */
#include <errno.h>
#include <stdlib.h>

#include "base/wait.h"
#include "core/config.h"
#include "lib/t_assert.h"

static const char *const names[] = { "WD_DEVICE", "WD_EMBED", "WD_EMBED_WORKERS",
				     "WD_EMBED_SPIN_US", "WD_EMBED_DEPTH" };

static int clear(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unsetenv(names[i]);
	return 0;
}

static void defaults(void **state)
{
	struct wd_config config;
	const char *name;

	(void)state;
	assert_ok(config_read(&config, &name));
	assert_string_equal(config.device, "");
	assert_int_equal(config.nr_embed, 2);
	assert_string_equal(config.embed[0], "hisi_zip");
	assert_int_equal(config.embed_workers, 0);
	assert_int_equal(config.embed_spin_ns, 20000);
	assert_int_equal(config.embed_depth, 0);
}

static void settings_are_taken(void **state)
{
	struct wd_config config;
	const char *name;

	(void)state;
	setenv("WD_DEVICE", "embed:dummy-1", 1);
	setenv("WD_EMBED", "dummy,hisi_zip,dummy", 1);
	setenv("WD_EMBED_WORKERS", "3", 1);
	setenv("WD_EMBED_SPIN_US", "forever", 1);
	setenv("WD_EMBED_DEPTH", "100", 1);
	assert_ok(config_read(&config, &name));
	assert_string_equal(config.device, "embed:dummy-1");
	assert_int_equal(config.nr_embed, 3);
	assert_string_equal(config.embed[1], "hisi_zip");
	assert_int_equal(config.embed_workers, 3);
	assert_int_equal(config.embed_spin_ns, WAIT_FOREVER);
	assert_int_equal(config.embed_depth, 100);
	setenv("WD_EMBED", "none", 1);
	assert_ok(config_read(&config, &name));
	assert_int_equal(config.nr_embed, 0);
}

static void nonsense_is_named(void **state)
{
	static const char *const bad[][2] = {
		{ "WD_DEVICE", "a name far too long to be that of any device at all" },
		{ "WD_EMBED", "" },
		{ "WD_EMBED", "hisi_zip," },
		{ "WD_EMBED", ",dummy" },
		{ "WD_EMBED", "d,d,d,d,d,d,d,d,d,d,d,d,d,d,d,d,d" },
		{ "WD_EMBED_WORKERS", "" },
		{ "WD_EMBED_WORKERS", "-1" },
		{ "WD_EMBED_WORKERS", "2x" },
		{ "WD_EMBED_WORKERS", "65" },
		{ "WD_EMBED_SPIN_US", "soon" },
		{ "WD_EMBED_SPIN_US", "99999999999999999999999" },
		{ "WD_EMBED_DEPTH", "1" },
		{ "WD_EMBED_DEPTH", "4097" },
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct wd_config config;
		const char *name;

		clear(NULL);
		setenv(bad[i][0], bad[i][1], 1);
		assert_int_equal(config_read(&config, &name), -EINVAL);
		assert_string_equal(name, bad[i][0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(defaults, clear, clear),
		cmocka_unit_test_setup_teardown(settings_are_taken, clear, clear),
		cmocka_unit_test_setup_teardown(nonsense_is_named, clear, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Settings: what they mean, which origin counts, and that nonsense is told with
 * where it stands and what was expected.  Files lie in a folder of the test's own.
 * What "embed" means is in config_embed_test.c.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/wait.h"
#include "core/config_reading.h"
#include "lib/t_assert.h"

#define PATH_BYTES 512

static const char *const variables[CONFIG_SETTINGS_NR] = {
	"WD_DEVICE",	 "WD_EMBED",	   "WD_EMBED_WORKERS", "WD_EMBED_SPIN_US", "WD_EMBED_DEPTH",
	"WD_BOUNCE_MIB", "WD_SMALL_BYTES", "WD_HANG_MS",       "WD_STATS",
};

static struct {
	char folder[64];
	char file[PATH_BYTES];	      /* WD_CONFIG names it where a test says so */
	char system_file[PATH_BYTES]; /* stands for /etc/warpdrive.conf */
	struct config_reading reading;
} test;

/* ---------------------------------------------------------------- surroundings */

static void forget_all(void)
{
	unsigned int i;

	for (i = 0; i < CONFIG_SETTINGS_NR; i++)
		unsetenv(variables[i]);
	unsetenv("WD_CONFIG");
	unlink(test.file);
	unlink(test.system_file);
}

static int begin(void **state)
{
	(void)state;
	forget_all();
	return 0;
}

static int make_folder(void **state)
{
	(void)state;
	strcpy(test.folder, "/tmp/config_test.XXXXXX");
	if (!mkdtemp(test.folder))
		return -1;
	snprintf(test.file, sizeof(test.file), "%s/file", test.folder);
	snprintf(test.system_file, sizeof(test.system_file), "%s/system", test.folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	forget_all();
	return rmdir(test.folder);
}

static void write_file(const char *path, const void *bytes, size_t n)
{
	FILE *f;

	/* Some file systems write out at once what was cut off and written anew. */
	unlink(path);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	assert_ok(fclose(f));
}

static void write_text(const char *path, const char *text)
{
	write_file(path, text, strlen(text));
}

static int run(bool is_secure, const struct config_overrides *overrides)
{
	const struct config_sources sources = { test.system_file, is_secure };

	memset(&test.reading, 0, sizeof(test.reading));
	return config_reading_run(&test.reading, &sources, overrides);
}

static const struct config_text *text_of(const char *name)
{
	int i = config_find(name);

	assert_true(i >= 0);
	return &test.reading.text[i];
}

static void assert_origin(const char *name, const char *value, const char *origin)
{
	assert_string_equal(text_of(name)->value, value);
	assert_string_equal(text_of(name)->origin, origin);
	assert_int_equal(text_of(name)->is_set, strcmp(origin, "default") != 0);
}

static void assert_said(const char *part)
{
	if (!strstr(test.reading.complaint, part))
		fail_msg("no \"%s\" in: %s", part, test.reading.complaint);
	assert_null(strchr(test.reading.complaint, '\n'));
}

/* ---------------------------------------------------------------- values */

static void defaults(void **state)
{
	const struct wd_config *config = &test.reading.config;

	(void)state;
	assert_ok(run(false, NULL));
	assert_string_equal(config->device, "");
	assert_int_equal(config->nr_embed, 2);
	assert_string_equal(config->embed[0].model, "hisi_zip");
	assert_string_equal(config->embed[1].model, "dummy");
	assert_int_equal(config->embed_workers, 0);
	assert_int_equal(config->embed_spin_ns, 20000);
	assert_int_equal(config->embed_depth, 0);
	assert_int_equal(config->bounce_bytes, 64 << 20);
	assert_int_equal(config->small_bytes, -1);
	assert_int_equal(config->hang_ms, 0);
	assert_false(config->is_stats_shown);
	assert_origin("embed_workers", "0", "default");
	assert_origin("device", "", "default");
}

/* What does not fit a struct wd_setting would be cut. */
static void the_table_fits_what_is_public(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < CONFIG_SETTINGS_NR; i++) {
		const struct config_setting *s = &config_settings[i];

		assert_true(strlen(s->name) < sizeof(((struct wd_setting *)0)->name));
		assert_true(strlen(s->help) < sizeof(((struct wd_setting *)0)->help));
		assert_true(strlen(s->expected) < CONFIG_EXPECTED_BYTES);
		assert_int_equal(config_find(s->name), i);
	}
	assert_int_equal(config_find("Embed"), -ENOENT);
}

static void settings_are_taken(void **state)
{
	static const char *const values[CONFIG_SETTINGS_NR] = {
		"embed:dummy-1",
		"dummy,hisi_zip,dummy",
		"3",
		"forever",
		"100",
		"1",
		"0",
		"250",
		"on",
	};
	const struct wd_config *config = &test.reading.config;
	unsigned int i;

	(void)state;
	for (i = 0; i < CONFIG_SETTINGS_NR; i++)
		setenv(variables[i], values[i], 1);
	assert_ok(run(false, NULL));
	assert_string_equal(config->device, "embed:dummy-1");
	assert_int_equal(config->nr_embed, 3);
	assert_string_equal(config->embed[1].model, "hisi_zip");
	assert_int_equal(config->embed_workers, 3);
	assert_int_equal(config->embed_spin_ns, WAIT_FOREVER);
	assert_int_equal(config->embed_depth, 100);
	assert_int_equal(config->bounce_bytes, 1 << 20);
	assert_int_equal(config->small_bytes, 0);
	assert_int_equal(config->hang_ms, 250);
	assert_true(config->is_stats_shown);
	for (i = 0; i < CONFIG_SETTINGS_NR; i++)
		assert_origin(config_settings[i].name, values[i], variables[i]);
	setenv("WD_EMBED", "none", 1);
	setenv("WD_DEVICE", "", 1);
	assert_ok(run(false, NULL));
	assert_int_equal(config->nr_embed, 0);
	assert_origin("device", "", "WD_DEVICE");
}

static void nonsense_is_named(void **state)
{
	static const struct {
		unsigned int setting;
		const char *value;
		const char *expected;
	} bad[] = {
		{ 0, "a name far too long to be that of any device at all",
		  "a device's name of at most 47 bytes" },
		{ 0, "two\nlines", "no control characters" },
		{ 2, "", "a whole number from 0 to 64" },
		{ 2, "-1", "a whole number from 0 to 64" },
		{ 2, "+1", "a whole number from 0 to 64" },
		{ 2, " 1", "a whole number from 0 to 64" },
		{ 2, "2x", "a whole number from 0 to 64" },
		{ 2, "0x2", "a whole number from 0 to 64" },
		{ 2, "65", "a whole number from 0 to 64" },
		{ 3, "soon", "a whole number from 0 to 1000000, or forever" },
		{ 3, "99999999999999999999999", "or forever" },
		{ 3, "18446744073709551616", "or forever" },
		{ 4, "1", "a whole number from 0 to 4096, but not 1" },
		{ 4, "4097", "but not 1" },
		{ 5, "0", "a whole number from 1 to 65536" },
		{ 5, "65537", "a whole number from 1 to 65536" },
		{ 6, "-1", "a whole number from 0 to 1073741824, or auto" },
		{ 6, "1073741825", "or auto" },
		{ 6, "", "or auto" },
		{ 7, "3600001", "a whole number from 0 to 3600000" },
		{ 7, "1s", "a whole number from 0 to 3600000" },
		{ 8, "", "on or off" },
		{ 8, "yes", "on or off" },
		{ 8, "ON", "on or off" },
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < BASE_ARRAY_SIZE(bad); i++) {
		char wanted[128];

		forget_all();
		setenv(variables[bad[i].setting], bad[i].value, 1);
		assert_int_equal(run(false, NULL), -EINVAL);
		snprintf(wanted, sizeof(wanted), "%s: %s cannot be '%.3s",
			 variables[bad[i].setting], config_settings[bad[i].setting].name,
			 bad[i].value);
		if (strlen(bad[i].value) < 3)
			strcat(wanted, "'");
		assert_memory_equal(test.reading.complaint, wanted, strlen(wanted));
		assert_said(bad[i].expected);
	}
}

/* One byte too much of everything, and as much as there is room for. */
static void long_values_have_an_end(void **state)
{
	char value[CONFIG_VALUE_BYTES + 1];
	unsigned int i;

	(void)state;
	memset(value, 'x', CONFIG_VALUE_BYTES);
	value[CONFIG_VALUE_BYTES] = '\0';
	for (i = 0; i < CONFIG_SETTINGS_NR; i++) {
		forget_all();
		setenv(variables[i], value, 1);
		assert_int_equal(run(false, NULL), -EINVAL);
		assert_said("xxx...': expected at most 1023 bytes");
	}
	memset(value, '0', CONFIG_VALUE_BYTES);
	value[CONFIG_VALUE_BYTES - 1] = '\0';
	forget_all();
	setenv("WD_HANG_MS", value, 1);
	assert_ok(run(false, NULL));
	assert_origin("hang_ms", value, "WD_HANG_MS");
}

/* ---------------------------------------------------------------- origins */

static void later_origins_override(void **state)
{
	static struct config_overrides overrides;
	char origin[PATH_BYTES + 8];

	(void)state;
	write_text(test.system_file,
		   "hang_ms = 1\nembed_workers = 1\nembed_depth = 16\nstats = on\n");
	write_text(test.file, "# ours\n\nembed_workers = 2\nembed_depth = 32\nstats = off\n");
	setenv("WD_CONFIG", test.file, 1);
	setenv("WD_EMBED_DEPTH", "64", 1);
	setenv("WD_STATS", "on", 1);
	overrides.value[config_find("stats")].is_set = true;
	strcpy(overrides.value[config_find("stats")].value, "off");
	assert_ok(run(false, &overrides));
	assert_origin("bounce_mib", "64", "default");
	snprintf(origin, sizeof(origin), "%s:1", test.system_file);
	assert_origin("hang_ms", "1", origin);
	snprintf(origin, sizeof(origin), "%s:3", test.file);
	assert_origin("embed_workers", "2", origin);
	assert_origin("embed_depth", "64", "WD_EMBED_DEPTH");
	assert_origin("stats", "off", "program");
	assert_int_equal(test.reading.config.hang_ms, 1);
	assert_int_equal(test.reading.config.embed_workers, 2);
	assert_int_equal(test.reading.config.embed_depth, 64);
	assert_false(test.reading.config.is_stats_shown);
}

/* A shorter list of devices leaves nothing of a longer one. */
static void overridden_devices_leave_nothing(void **state)
{
	(void)state;
	write_text(test.system_file, "embed = dummy:near:queues=3:fault=drop@1,dummy,dummy\n");
	setenv("WD_EMBED", "hisi_zip", 1);
	assert_ok(run(false, NULL));
	assert_int_equal(test.reading.config.nr_embed, 1);
	assert_false(test.reading.config.embed[0].is_near);
	assert_int_equal(test.reading.config.embed[0].nr_queues, 0);
	assert_int_equal(test.reading.config.embed[0].nr_faults, 0);
}

static void what_is_overridden_is_checked_as_well(void **state)
{
	(void)state;
	write_text(test.system_file, "\nstats = perhaps\n");
	setenv("WD_STATS", "on", 1);
	assert_int_equal(run(false, NULL), -EINVAL);
	assert_said("/system:2: stats cannot be 'perhaps': expected on or off");
}

static void other_variables_are_not_ours(void **state)
{
	(void)state;
	setenv("WD_XYZ", "nonsense", 1);
	setenv("WD_embed", "nonsense", 1);
	assert_ok(run(false, NULL));
	unsetenv("WD_XYZ");
	unsetenv("WD_embed");
}

/* In a set-uid program. */
static void whoever_starts_a_secure_program_has_no_say(void **state)
{
	static struct config_overrides overrides;
	char origin[PATH_BYTES + 8];
	unsigned int i;

	(void)state;
	write_text(test.system_file, "hang_ms = 7\n");
	write_text(test.file, "embed_depth = 32\nnonsense\n");
	setenv("WD_CONFIG", test.file, 1);
	for (i = 0; i < CONFIG_SETTINGS_NR; i++)
		setenv(variables[i], "nonsense, all of it", 1);
	overrides.value[config_find("stats")].is_set = true;
	strcpy(overrides.value[config_find("stats")].value, "on");
	assert_ok(run(true, &overrides));
	snprintf(origin, sizeof(origin), "%s:1", test.system_file);
	for (i = 0; i < CONFIG_SETTINGS_NR; i++) {
		const char *name = config_settings[i].name;

		if (!strcmp(name, "hang_ms"))
			assert_origin(name, "7", origin);
		else if (!strcmp(name, "stats"))
			assert_origin(name, "on", "program");
		else
			assert_origin(name, config_settings[i].fallback, "default");
	}
	assert_int_equal(run(false, &overrides), -EINVAL);
}

static void a_failed_read_changes_nothing(void **state)
{
	struct wd_config config, before;
	char complaint[CONFIG_COMPLAINT_BYTES];
	char tiny[8];

	(void)state;
	memset(&config, 0x5a, sizeof(config));
	before = config;
	setenv("WD_EMBED", "dummy", 1);
	setenv("WD_STATS", "perhaps", 1);
	assert_int_equal(config_read(&config, NULL, complaint, sizeof(complaint)), -EINVAL);
	assert_memory_equal(&config, &before, sizeof(config));
	assert_string_equal(complaint, "WD_STATS: stats cannot be 'perhaps': expected on or off");
	assert_int_equal(config_read(&config, NULL, tiny, sizeof(tiny)), -EINVAL);
	assert_string_equal(tiny, "WD_STAT");
	setenv("WD_STATS", "on", 1);
	assert_ok(config_read(&config, NULL, complaint, sizeof(complaint)));
	assert_int_equal(config.nr_embed, 1);
	assert_true(config.is_stats_shown);
}

/* ---------------------------------------------------------------- files */

static void what_a_file_may_look_like(void **state)
{
	static const char *const good[] = {
		"hang_ms = 12\n",
		"hang_ms=12",
		"\t hang_ms\t=\t12 \t\n",
		"hang_ms = 12\r\n",
		"# hang_ms = 13\n\n   \n  # more\nhang_ms = 12\n",
		"hang_ms = 12 # why\n",
		"hang_ms = 12\t#\n#",
		"\r\nhang_ms = 12\r\n\r\n",
	};
	unsigned int i;

	(void)state;
	setenv("WD_CONFIG", test.file, 1);
	for (i = 0; i < BASE_ARRAY_SIZE(good); i++) {
		write_text(test.file, good[i]);
		assert_ok(run(false, NULL));
		assert_int_equal(test.reading.config.hang_ms, 12);
	}
	write_text(test.file, "");
	assert_ok(run(false, NULL));
	write_text(test.file, "device =\nembed = hisi_zip:fault=drop@1,dummy\n");
	assert_ok(run(false, NULL));
	assert_string_equal(test.reading.config.device, "");
	assert_int_equal(test.reading.config.nr_embed, 2);
}

static void what_a_file_may_not_look_like(void **state)
{
	static const struct {
		const char *bytes;
		size_t n; /* 0: up to the end */
		const char *said;
	} bad[] = {
		{ "hang_ms", 0, "/file:1: expected NAME = VALUE, not 'hang_ms'" },
		{ "\n[section]\n", 0, "/file:2: expected NAME = VALUE, not '[section]'" },
		{ "= 3\n", 0, "/file:1: no setting is called ''" },
		{ "hang = 3\n", 0, "/file:1: no setting is called 'hang'" },
		{ "HANG_MS = 3\n", 0, "/file:1: no setting is called 'HANG_MS'" },
		{ "WD_HANG_MS = 3\n", 0, "/file:1: no setting is called 'WD_HANG_MS'" },
		{ "hang_ms hang_ms = 3\n", 0, "no setting is called 'hang_ms hang_ms'" },
		{ "#\nhang_ms = 12# not\n", 0, "/file:2: hang_ms cannot be '12# not'" },
		{ "hang_ms = \n", 0, "/file:1: hang_ms cannot be ''" },
		{ "hang_ms = '3'\n", 0, "hang_ms cannot be ''3''" },
		{ "hang_ms = = 3\n", 0, "hang_ms cannot be '= 3'" },
		{ "hang_ms = 3\n#\nhang_ms = 3\n", 0, "/file:3: hang_ms is set in line 1 already" },
		{ "hang_ms = 3\0\n", 13, "/file:1: byte 12 is 0x00, which is no text" },
		{ "\0", 1, "/file:1: byte 1 is 0x00" },
		{ "#\n# \x1b[31m\n", 0, "/file:2: byte 3 is 0x1b" },
		{ "hang_ms = 3\r\r\n", 0, "/file:1: byte 12 is 0x0d" },
		{ "\x7f"
		  "ELF",
		  0, "/file:1: byte 1 is 0x7f" },
		{ "device = a\tb\n", 0, "device cannot be 'a?b': expected no control characters" },
	};
	unsigned int i;

	(void)state;
	setenv("WD_CONFIG", test.file, 1);
	for (i = 0; i < BASE_ARRAY_SIZE(bad); i++) {
		write_file(test.file, bad[i].bytes, bad[i].n ? bad[i].n : strlen(bad[i].bytes));
		assert_int_equal(run(false, NULL), -EINVAL);
		assert_said(bad[i].said);
	}
}

static void a_file_and_its_lines_have_an_end(void **state)
{
	static char bytes[65536 + 1];

	(void)state;
	setenv("WD_CONFIG", test.file, 1);
	memset(bytes, '#', sizeof(bytes));
	write_file(test.file, bytes, 1200);
	assert_ok(run(false, NULL));
	write_file(test.file, bytes, 1201);
	assert_int_equal(run(false, NULL), -EINVAL);
	assert_said("/file:1: longer than 1200 bytes");
	memset(bytes, '\n', sizeof(bytes));
	write_file(test.file, bytes, sizeof(bytes) - 1);
	assert_ok(run(false, NULL));
	bytes[sizeof(bytes) - 2] = '#'; /* the last byte there is room for, with no newline */
	write_file(test.file, bytes, sizeof(bytes) - 1);
	assert_ok(run(false, NULL));
	write_file(test.file, bytes, sizeof(bytes));
	assert_int_equal(run(false, NULL), -EINVAL);
	assert_said("/file: is larger than 65536 bytes");
}

/* Whether the file may be absent, and otherwise both have to be readable. */
static void files_that_are_none(void **state)
{
	(void)state;
	assert_ok(run(false, NULL));
	setenv("WD_CONFIG", test.file, 1);
	assert_int_equal(run(false, NULL), -EINVAL);
	assert_said("WD_CONFIG: No such file or directory: '/tmp/config_test.");
	setenv("WD_CONFIG", "", 1);
	assert_int_equal(run(false, NULL), -EINVAL);
	assert_said("WD_CONFIG: No such file or directory: ''");
	setenv("WD_CONFIG", "/nowhere/at\nall", 1);
	assert_int_equal(run(false, NULL), -EINVAL);
	assert_said("WD_CONFIG: No such file or directory: '/nowhere/at?all'");
	setenv("WD_CONFIG", test.folder, 1);
	assert_int_equal(run(false, NULL), -EINVAL);
	assert_said(": is a directory");
	/* Nobody writes to it: to wait for that would be for ever. */
	assert_ok(mkfifo(test.file, 0600));
	setenv("WD_CONFIG", test.file, 1);
	assert_int_equal(run(false, NULL), -EINVAL);
	assert_said("/file: is not a plain file");
	unsetenv("WD_CONFIG");
	assert_ok(rename(test.file, test.system_file));
	assert_int_equal(run(true, NULL), -EINVAL);
	assert_said("/system: is not a plain file");
	assert_ok(unlink(test.system_file));
	assert_ok(symlink("system", test.system_file));
	assert_int_equal(run(false, NULL), -EINVAL);
	assert_said("/system: Too many levels of symbolic links");
}

static void files_that_may_not_be_read(void **state)
{
	(void)state;
	if (!geteuid())
		skip(); /* may read all */
	write_text(test.file, "hang_ms = 1\n");
	write_text(test.system_file, "hang_ms = 1\n");
	assert_ok(chmod(test.file, 0));
	setenv("WD_CONFIG", test.file, 1);
	assert_int_equal(run(false, NULL), -EINVAL);
	assert_said("WD_CONFIG: Permission denied: '");
	assert_ok(chmod(test.system_file, 0));
	assert_int_equal(run(true, NULL), -EINVAL);
	assert_said("/system: Permission denied");
}

/* The end of a long path stays, with the line. */
static void long_paths_are_told_by_their_end(void **state)
{
	char path[PATH_BYTES + 512];
	size_t n;

	(void)state;
	n = (size_t)snprintf(path, sizeof(path), "%s", test.folder);
	while (n < 400)
		n += (size_t)snprintf(path + n, sizeof(path) - n, "/.");
	snprintf(path + n, sizeof(path) - n, "/file");
	write_text(test.file, "\nhang_ms = 1\n");
	setenv("WD_CONFIG", path, 1);
	assert_ok(run(false, NULL));
	n = strlen(text_of("hang_ms")->origin);
	assert_int_equal(n, CONFIG_ORIGIN_BYTES - 1);
	assert_memory_equal(text_of("hang_ms")->origin, "...", 3);
	assert_string_equal(text_of("hang_ms")->origin + n - 9, "/./file:2");
	write_text(test.file, "hang_ms = x\n");
	assert_int_equal(run(false, NULL), -EINVAL);
	assert_said("/./file:1: hang_ms cannot be 'x': expected");
}

/* Whatever stands in a file: a value, or one line that says where it is wrong. */
static void any_bytes_end_well(void **state)
{
	static const char *const pieces[] = {
		"embed", "=",	 "dummy", ":",	  "fault=",  "delay@3", "200us",   ",",	    "\n",
		"#",	 " ",	 "\t",	  "\r\n", "hang_ms", "7",	"memory=", "share", "\\",
		"none",	 "\xff", "near",  "us,",  "stats",   "on",	"device",
	};
	uint32_t random = 1;
	unsigned int i;

	(void)state;
	setenv("WD_CONFIG", test.file, 1);
	for (i = 0; i < 2000; i++) {
		char bytes[256];
		size_t n = 0;
		int err;

		while (n < 200) {
			const char *piece;

			random = random * 1664525 + 1013904223;
			if (random >> 24 == 0)
				break;
			piece = pieces[(random >> 16) % BASE_ARRAY_SIZE(pieces)];
			memcpy(bytes + n, piece, strlen(piece));
			n += strlen(piece);
		}
		write_file(test.file, bytes, n);
		err = run(false, NULL);
		assert_true(!err || err == -EINVAL);
		if (err)
			assert_said("/file:");
	}
}

/* ---------------------------------------------------------------- the program's own */

static void keep_line(void *arg, enum wd_log_level level, const char *text)
{
	assert_int_equal(level, WD_LOG_ERROR);
	snprintf(arg, CONFIG_COMPLAINT_BYTES, "%s", text);
}

static int unset_all(void **state)
{
	unsigned int i;
	int err = 0;

	(void)state;
	for (i = 0; i < CONFIG_SETTINGS_NR; i++)
		err |= wd_config_set(config_settings[i].name, NULL);
	wd_set_log(NULL, NULL, WD_LOG_ERROR);
	forget_all();
	return err;
}

static void assert_setting(const char *name, const char *value, const char *origin)
{
	struct wd_setting setting = { .size = sizeof(setting) };

	assert_ok(wd_config_get(name, 0, &setting));
	assert_int_equal(setting.size, sizeof(setting));
	assert_string_equal(setting.name, name);
	assert_string_equal(setting.value, value);
	assert_string_equal(setting.origin, origin);
	assert_int_equal(setting.is_set, strcmp(origin, "default") != 0);
	assert_true(*setting.help);
}

static void a_program_sets_its_own(void **state)
{
	char said[CONFIG_COMPLAINT_BYTES] = "";

	(void)state;
	wd_set_log(keep_line, said, WD_LOG_ERROR);
	setenv("WD_EMBED_WORKERS", "2", 1);
	assert_setting("embed_workers", "2", "WD_EMBED_WORKERS");
	assert_ok(wd_config_set("embed_workers", "3"));
	assert_ok(wd_config_set("hang_ms", "9"));
	assert_setting("embed_workers", "3", "program");
	assert_int_equal(wd_config_set("embed_workers", "65"), -EINVAL);
	assert_string_equal(said, "program: embed_workers cannot be '65': expected a whole number "
				  "from 0 to 64");
	assert_setting("embed_workers", "3", "program");
	assert_ok(wd_config_set("embed_workers", NULL));
	assert_setting("embed_workers", "2", "WD_EMBED_WORKERS");
	assert_setting("hang_ms", "9", "program");
	assert_int_equal(wd_config_set("nonsense", "1"), -ENOENT);
	assert_int_equal(wd_config_set("nonsense", NULL), -ENOENT);
	assert_int_equal(wd_config_set(NULL, "1"), -EINVAL);
}

static void a_program_reads_all(void **state)
{
	struct {
		struct wd_setting setting;
		char later[8]; /* of a later release */
	} s;
	unsigned int i;

	(void)state;
	for (i = 0; i < CONFIG_SETTINGS_NR; i++) {
		memset(&s, 0x5a, sizeof(s));
		s.setting.size = sizeof(s);
		assert_ok(wd_config_get(NULL, i, &s.setting));
		assert_int_equal(s.setting.size, sizeof(s));
		assert_string_equal(s.setting.name, config_settings[i].name);
		assert_string_equal(s.setting.value, config_settings[i].fallback);
		assert_string_equal(s.setting.help, config_settings[i].help);
		assert_memory_equal(s.later, "\0\0\0\0\0\0\0", 8);
	}
	assert_int_equal(wd_config_get(NULL, i, &s.setting), -ENOENT);
	assert_int_equal(wd_config_get(NULL, UINT32_MAX, &s.setting), -ENOENT);
	assert_int_equal(wd_config_get("nonsense", 0, &s.setting), -ENOENT);
	s.setting.size = sizeof(s.setting) - 1;
	assert_int_equal(wd_config_get("embed", 0, &s.setting), -EINVAL);
	assert_int_equal(wd_config_get("embed", 0, NULL), -EINVAL);
}

static void a_program_learns_what_is_wrong(void **state)
{
	struct wd_setting setting = { .size = sizeof(setting), .name = "untouched" };
	char text[CONFIG_COMPLAINT_BYTES] = "x";

	(void)state;
	assert_ok(wd_config_error(text, sizeof(text)));
	assert_string_equal(text, "");
	assert_ok(wd_config_error(NULL, 0));
	setenv("WD_STATS", "perhaps", 1);
	assert_int_equal(wd_config_error(text, sizeof(text)), -EINVAL);
	assert_string_equal(text, "WD_STATS: stats cannot be 'perhaps': expected on or off");
	assert_int_equal(wd_config_error(text, 4), -EINVAL);
	assert_string_equal(text, "WD_");
	assert_int_equal(wd_config_error(NULL, 0), -EINVAL);
	assert_int_equal(wd_config_get("embed", 0, &setting), -EINVAL);
	assert_string_equal(setting.name, "untouched");
	/* It is the outside that is wrong: the program may go on with its own. */
	assert_ok(wd_config_set("hang_ms", "9"));
	assert_int_equal(wd_init(), -EINVAL);
}

static void not_while_in_use(void **state)
{
	(void)state;
	assert_ok(wd_config_set("embed", "none"));
	assert_ok(wd_init());
	assert_int_equal(wd_config_set("embed", "dummy"), -EBUSY);
	assert_int_equal(wd_config_set("embed", NULL), -EBUSY);
	assert_int_equal(wd_config_set("embed", ""), -EINVAL);
	assert_int_equal(wd_list_devices(NULL, 0), 0);
	assert_setting("embed", "none", "program");
	wd_fini();
	assert_ok(wd_config_set("embed", "dummy,dummy"));
	assert_ok(wd_init());
	assert_int_equal(wd_list_devices(NULL, 0), 2);
	wd_fini();
}

static void a_child_goes_on_with_them(void **state)
{
	struct wd_setting setting = { .size = sizeof(setting) };
	int status;
	pid_t pid;

	(void)state;
	assert_ok(wd_config_set("hang_ms", "9"));
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(wd_config_get("hang_ms", 0, &setting) || strcmp(setting.value, "9") ||
		      wd_config_set("hang_ms", "8"));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_setting("hang_ms", "9", "program");
}

/* Sets and reads in turn; returns @arg when each value was whole. */
static void *set_and_read(void *arg)
{
	struct wd_setting setting = { .size = sizeof(setting) };
	unsigned int i;

	for (i = 0; i < 50; i++)
		if (wd_config_set("embed", i % 2 ? "dummy,dummy" : "none") ||
		    wd_config_get("embed", 0, &setting) ||
		    (strcmp(setting.value, "none") && strcmp(setting.value, "dummy,dummy")))
			return NULL;
	return arg;
}

static void from_any_thread(void **state)
{
	char whole[] = "whole";
	pthread_t thread[3];
	unsigned int i;

	(void)state;
	for (i = 0; i < BASE_ARRAY_SIZE(thread); i++)
		assert_ok(pthread_create(&thread[i], NULL, set_and_read, whole));
	for (i = 0; i < BASE_ARRAY_SIZE(thread); i++) {
		void *ret = NULL;

		assert_ok(pthread_join(thread[i], &ret));
		assert_non_null(ret);
	}
}

#define TEST(name)     cmocka_unit_test_setup_teardown(name, begin, begin)
#define API_TEST(name) cmocka_unit_test_setup_teardown(name, begin, unset_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(defaults),
		TEST(the_table_fits_what_is_public),
		TEST(settings_are_taken),
		TEST(nonsense_is_named),
		TEST(long_values_have_an_end),
		TEST(later_origins_override),
		TEST(overridden_devices_leave_nothing),
		TEST(what_is_overridden_is_checked_as_well),
		TEST(other_variables_are_not_ours),
		TEST(whoever_starts_a_secure_program_has_no_say),
		TEST(what_a_file_may_look_like),
		TEST(what_a_file_may_not_look_like),
		TEST(a_file_and_its_lines_have_an_end),
		TEST(files_that_are_none),
		TEST(files_that_may_not_be_read),
		TEST(long_paths_are_told_by_their_end),
		TEST(any_bytes_end_well),
	};
	const struct CMUnitTest api_tests[] = {
		API_TEST(a_failed_read_changes_nothing),
		API_TEST(a_program_sets_its_own),
		API_TEST(a_program_reads_all),
		API_TEST(a_program_learns_what_is_wrong),
		API_TEST(not_while_in_use),
		API_TEST(a_child_goes_on_with_them),
		API_TEST(from_any_thread),
	};
	int failed = cmocka_run_group_tests(tests, make_folder, remove_folder);

	/* These read the file of this machine, which is to say nothing then. */
	if (!access("/etc/warpdrive.conf", F_OK))
		return failed;
	return failed + cmocka_run_group_tests(api_tests, make_folder, remove_folder);
}

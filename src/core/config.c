/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Reads the settings from all origins.  Nothing else in the library reads the
 * environment or a file for what the user wishes.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "core/config_reading.h"

#define SYSTEM_FILE	"/etc/warpdrive.conf"
#define FILE_VARIABLE	"WD_CONFIG"
#define VARIABLE_PREFIX "WD_"
#define VARIABLE_BYTES	(sizeof(VARIABLE_PREFIX) + sizeof(((struct wd_setting *)0)->name))

/* Bytes that a complaint repeats: a log line has room for the rest then. */
#define SHOWN_MAX	 64
#define SHOWN_ORIGIN_MAX 120

static bool is_control(char c)
{
	return (unsigned char)c < ' ' || c == 0x7f;
}

/* A complaint or an origin is one line, whatever a path or a value holds. */
static void make_printable(char *text)
{
	for (; *text; text++)
		if (is_control(*text))
			*text = '?';
}

int config_reading_complain(struct config_reading *reading, const char *origin, const char *fmt,
			    ...)
{
	size_t size = sizeof(reading->complaint);
	size_t length = strlen(origin);
	bool is_long = length > SHOWN_ORIGIN_MAX;
	int saved = errno; /* for %m */
	va_list args;
	int n;

	/* The end of a path tells more than its beginning. */
	n = snprintf(reading->complaint, size, "%s%s: ", is_long ? "..." : "",
		     is_long ? origin + length - SHOWN_ORIGIN_MAX : origin);
	va_start(args, fmt);
	errno = saved;
	vsnprintf(reading->complaint + n, size - (size_t)n, fmt, args);
	va_end(args);
	make_printable(reading->complaint);
	return -EINVAL;
}

static bool has_control(const char *text)
{
	while (*text && !is_control(*text))
		text++;
	return *text;
}

static int check_and_take(struct config_reading *reading, const struct config_setting *setting,
			  const char *value, char expected[CONFIG_EXPECTED_BYTES])
{
	snprintf(expected, CONFIG_EXPECTED_BYTES, "%s", setting->expected);
	if (strlen(value) >= CONFIG_VALUE_BYTES) {
		snprintf(expected, CONFIG_EXPECTED_BYTES, "at most %zu bytes",
			 CONFIG_VALUE_BYTES - 1);
		return -EINVAL;
	}
	if (has_control(value)) {
		snprintf(expected, CONFIG_EXPECTED_BYTES, "no control characters");
		return -EINVAL;
	}
	return setting->take(value, &reading->config, expected);
}

int config_reading_take(struct config_reading *reading, unsigned int setting, const char *value,
			const char *origin)
{
	const struct config_setting *s = &config_settings[setting];
	struct config_text *text = &reading->text[setting];
	char expected[CONFIG_EXPECTED_BYTES];

	if (check_and_take(reading, s, value, expected))
		return config_reading_complain(reading, origin,
					       "%s cannot be '%.*s%s': expected %s", s->name,
					       SHOWN_MAX, value,
					       strlen(value) > SHOWN_MAX ? "..." : "", expected);
	text->is_set = true;
	strcpy(text->value, value);
	snprintf(text->origin, sizeof(text->origin), "%s", origin);
	make_printable(text->origin);
	return 0;
}

/* ---------------------------------------------------------------- origins */

static int take_defaults(struct config_reading *reading)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < CONFIG_SETTINGS_NR && !err; i++) {
		err = config_reading_take(reading, i, config_settings[i].fallback, "default");
		reading->text[i].is_set = false;
	}
	return err;
}

/* "embed_depth" becomes "WD_EMBED_DEPTH". */
static void format_variable(const char *name, char variable[VARIABLE_BYTES])
{
	char *p;

	snprintf(variable, VARIABLE_BYTES, VARIABLE_PREFIX "%s", name);
	for (p = variable; *p; p++)
		if (*p >= 'a' && *p <= 'z')
			*p = (char)(*p - 'a' + 'A');
}

static int take_environment(struct config_reading *reading)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < CONFIG_SETTINGS_NR && !err; i++) {
		char variable[VARIABLE_BYTES];
		const char *value;

		format_variable(config_settings[i].name, variable);
		value = getenv(variable);
		if (value)
			err = config_reading_take(reading, i, value, variable);
	}
	return err;
}

static int take_named_file(struct config_reading *reading)
{
	const char *path = getenv(FILE_VARIABLE);

	return path ? config_file_read(reading, path, true) : 0;
}

static int take_overrides(struct config_reading *reading, const struct config_overrides *overrides)
{
	unsigned int i;
	int err = 0;

	for (i = 0; overrides && i < CONFIG_SETTINGS_NR && !err; i++)
		if (overrides->value[i].is_set)
			err = config_reading_take(reading, i, overrides->value[i].value, "program");
	return err;
}

int config_reading_run(struct config_reading *reading, const struct config_sources *sources,
		       const struct config_overrides *overrides)
{
	int err = take_defaults(reading);

	if (!err)
		err = config_file_read(reading, sources->system_file, false);
	/* Whoever starts a set-uid program may not tell it which devices to trust. */
	if (!err && !sources->is_secure)
		err = take_named_file(reading);
	if (!err && !sources->is_secure)
		err = take_environment(reading);
	if (!err)
		err = take_overrides(reading, overrides);
	return err;
}

int config_reading_run_here(struct config_reading *reading,
			    const struct config_overrides *overrides)
{
	/* What secure_getenv() goes by; it holds for the file that is named as well. */
	const struct config_sources sources = {
		.system_file = SYSTEM_FILE,
		.is_secure = getauxval(AT_SECURE) != 0,
	};

	return config_reading_run(reading, &sources, overrides);
}

int config_read(struct wd_config *config, const struct config_overrides *overrides, char *complaint,
		size_t size)
{
	struct config_reading *reading = calloc(1, sizeof(*reading));
	int err;

	if (!reading)
		return -ENOMEM;
	err = config_reading_run_here(reading, overrides);
	if (!err)
		*config = reading->config;
	else if (err == -EINVAL)
		snprintf(complaint, size, "%s", reading->complaint);
	free(reading);
	return err;
}

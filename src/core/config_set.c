/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* The calls of <wd/config.h>: settings set and read by the program itself. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/barrier.h"
#include "core/config_reading.h"
#include "core/registry.h"

/* Whether the setting can have @value at all; says to the program's log why not. */
static int check_value(unsigned int setting, const char *value)
{
	struct config_reading *reading = calloc(1, sizeof(*reading));
	int err;

	if (!reading)
		return -ENOMEM;
	err = config_reading_take(reading, setting, value, "program");
	if (err)
		log_write(WD_LOG_ERROR, "%s", reading->complaint);
	free(reading);
	return err;
}

/*
 * A changed copy takes the place of the old ones in one store: a child forked by
 * another thread at any moment finds either whole.
 */
static int set_locked(struct config_overrides **overrides, unsigned int setting, const char *value)
{
	struct config_overrides *old = *overrides;
	struct config_overrides *changed = calloc(1, sizeof(*changed));

	if (!changed)
		return -ENOMEM;
	if (old)
		*changed = *old;
	changed->value[setting].is_set = value;
	if (value)
		strcpy(changed->value[setting].value, value);
	wd_full_mb();
	*overrides = changed;
	wd_full_mb();
	config_overrides_free(old);
	return 0;
}

int wd_config_set(const char *name, const char *value)
{
	struct config_overrides **overrides;
	bool is_in_use;
	int setting = name ? config_find(name) : -EINVAL;
	int err = 0;

	if (setting < 0)
		return setting;
	if (value)
		err = check_value((unsigned int)setting, value);
	if (err)
		return err;
	overrides = registry_lock_settings(&is_in_use);
	err = is_in_use ? -EBUSY : set_locked(overrides, (unsigned int)setting, value);
	registry_unlock();
	return err;
}

void config_overrides_free(struct config_overrides *overrides)
{
	free(overrides);
}

/* All settings as they are now; allocated also when that fails but for -ENOMEM. */
static int read_now(struct config_reading **ret_reading)
{
	struct config_reading *reading = calloc(1, sizeof(*reading));
	struct config_overrides **overrides;
	bool is_in_use;
	int err;

	if (!reading)
		return -ENOMEM;
	overrides = registry_lock_settings(&is_in_use);
	err = config_reading_run_here(reading, *overrides);
	registry_unlock();
	*ret_reading = reading;
	return err;
}

static void format_setting(const struct config_reading *reading, unsigned int setting,
			   struct wd_setting *ret)
{
	const struct config_text *text = &reading->text[setting];

	*ret = (struct wd_setting){ .is_set = text->is_set };
	snprintf(ret->name, sizeof(ret->name), "%s", config_settings[setting].name);
	memcpy(ret->value, text->value, sizeof(ret->value));
	memcpy(ret->origin, text->origin, sizeof(ret->origin));
	snprintf(ret->help, sizeof(ret->help), "%s", config_settings[setting].help);
}

int wd_config_get(const char *name, unsigned int index, struct wd_setting *ret_setting)
{
	struct config_reading *reading = NULL;
	uint32_t size;
	int err;

	if (!ret_setting || ret_setting->size < sizeof(*ret_setting))
		return -EINVAL;
	if (name) {
		int setting = config_find(name);

		if (setting < 0)
			return setting;
		index = (unsigned int)setting;
	}
	if (index >= CONFIG_SETTINGS_NR)
		return -ENOENT;
	err = read_now(&reading);
	if (!err) {
		size = ret_setting->size;
		/* A later release's program finds what this one does not know as zeros. */
		memset(ret_setting, 0, size);
		format_setting(reading, index, ret_setting);
		ret_setting->size = size;
	}
	free(reading);
	return err;
}

int wd_config_error(char *buf, size_t size)
{
	struct config_reading *reading = NULL;
	int err = read_now(&reading);

	if (buf && size)
		snprintf(buf, size, "%s", err == -EINVAL ? reading->complaint : "");
	free(reading);
	return err;
}

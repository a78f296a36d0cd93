/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* The settings there are, one row each, and what their values mean. */
#include <errno.h>
#include <string.h>

#include "base/wait.h"
#include "core/config_reading.h"

#define WORKERS_MAX    64
#define SPIN_US_MAX    1000000
#define DEPTH_MAX      4096
#define BOUNCE_MIB_MAX 65536
#define SMALL_MAX      1073741824
#define HANG_MS_MAX    3600000
#define NS_PER_US      1000ull
#define BYTES_PER_MIB  (1024ull * 1024)

#define DIGITS(x)		 #x
#define NUMBER_FROM_TO(min, max) "a whole number from " DIGITS(min) " to " DIGITS(max)
/* One more step, for what is a macro itself. */
#define NUMBER_FROM(min, max) NUMBER_FROM_TO(min, max)

int config_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9' || __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
			return -EINVAL;
	}
	if (value < min || value > max)
		return -EINVAL;
	*ret_value = value;
	return 0;
}

static int take_unsigned(const char *text, uint64_t max, unsigned int *ret_value)
{
	uint64_t value;

	if (config_number(text, 0, max, &value))
		return -EINVAL;
	*ret_value = (unsigned int)value;
	return 0;
}

static int take_device(const char *text, struct wd_config *config, char *expected)
{
	(void)expected;
	if (strlen(text) >= sizeof(config->device))
		return -EINVAL;
	strcpy(config->device, text);
	return 0;
}

static int take_embed_workers(const char *text, struct wd_config *config, char *expected)
{
	(void)expected;
	return take_unsigned(text, WORKERS_MAX, &config->embed_workers);
}

static int take_embed_spin_us(const char *text, struct wd_config *config, char *expected)
{
	uint64_t us;

	(void)expected;
	if (!strcmp(text, "forever")) {
		config->embed_spin_ns = WAIT_FOREVER;
		return 0;
	}
	if (config_number(text, 0, SPIN_US_MAX, &us))
		return -EINVAL;
	config->embed_spin_ns = us * NS_PER_US;
	return 0;
}

static int take_embed_depth(const char *text, struct wd_config *config, char *expected)
{
	unsigned int depth;

	(void)expected;
	/* A ring of one entry is full when it is empty. */
	if (take_unsigned(text, DEPTH_MAX, &depth) || depth == 1)
		return -EINVAL;
	config->embed_depth = depth;
	return 0;
}

static int take_bounce_mib(const char *text, struct wd_config *config, char *expected)
{
	uint64_t mib;

	(void)expected;
	if (config_number(text, 1, BOUNCE_MIB_MAX, &mib))
		return -EINVAL;
	config->bounce_bytes = mib * BYTES_PER_MIB;
	return 0;
}

static int take_small_bytes(const char *text, struct wd_config *config, char *expected)
{
	uint64_t bytes;

	(void)expected;
	if (!strcmp(text, "auto")) {
		config->small_bytes = -1;
		return 0;
	}
	if (config_number(text, 0, SMALL_MAX, &bytes))
		return -EINVAL;
	config->small_bytes = (int64_t)bytes;
	return 0;
}

static int take_hang_ms(const char *text, struct wd_config *config, char *expected)
{
	(void)expected;
	return take_unsigned(text, HANG_MS_MAX, &config->hang_ms);
}

static int take_stats(const char *text, struct wd_config *config, char *expected)
{
	bool is_on = !strcmp(text, "on");

	(void)expected;
	if (!is_on && strcmp(text, "off"))
		return -EINVAL;
	config->is_stats_shown = is_on;
	return 0;
}

_Static_assert(WD_DEVICE_NAME_MAX == 48, "the text of \"device\" below says so");

/* In the order in which `wd config` and doc/configuration.md show them. */
const struct config_setting config_settings[CONFIG_SETTINGS_NR] = {
	{ "device", "", "the only device to use, named as in 'wd list'; empty: any",
	  "a device's name of at most 47 bytes", take_device },
	{ "embed", "hisi_zip,dummy",
	  "chip models that run in this process, separated by commas: MODEL[:KEY=VALUE]...; or none",
	  "MODEL[:KEY=VALUE]... separated by commas, or none", config_take_embed },
	{ "embed_workers", "0",
	  "threads that run them; with none, whoever waits for a request does its work",
	  NUMBER_FROM(0, WORKERS_MAX), take_embed_workers },
	{ "embed_spin_us", "20",
	  "microseconds for which an idle one of these looks for work before it sleeps, or forever",
	  NUMBER_FROM(0, SPIN_US_MAX) ", or forever", take_embed_spin_us },
	{ "embed_depth", "0", "entries of their queues; 0: each model's own number",
	  NUMBER_FROM(0, DEPTH_MAX) ", but not 1", take_embed_depth },
	{ "bounce_mib", "64", "MiB at most that a queue takes to copy what its device cannot reach",
	  NUMBER_FROM(1, BOUNCE_MIB_MAX), take_bounce_mib },
	{ "small_bytes", "auto",
	  "requests of up to so many bytes stay in this process; auto: measured at first use",
	  NUMBER_FROM(0, SMALL_MAX) ", or auto", take_small_bytes },
	{ "hang_ms", "0",
	  "milliseconds without an answer after which a queue is given up; 0: half of the wait",
	  NUMBER_FROM(0, HANG_MS_MAX), take_hang_ms },
	{ "stats", "off", "on: this process shows its counters to 'wd stats', or off", "on or off",
	  take_stats },
};

int config_find(const char *name)
{
	int i;

	for (i = 0; i < CONFIG_SETTINGS_NR; i++)
		if (!strcmp(config_settings[i].name, name))
			return i;
	return -ENOENT;
}

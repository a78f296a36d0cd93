/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* Reads the environment.  Nothing else in the library does. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/wait.h"
#include "core/config.h"

#define WORKERS_MAX	64
#define DEPTH_MAX	4096
#define SPIN_US_DEFAULT 20
#define SPIN_US_MAX	1000000
#define EMBED_DEFAULT	"hisi_zip,dummy"

/* Whole decimal number of at most @max, or the value it had. */
static int read_number(const char *name, uint64_t max, uint64_t *value)
{
	const char *text = secure_getenv(name);
	unsigned long long v;
	char *end;

	if (!text)
		return 0;
	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno || *end || v > max)
		return -EINVAL;
	*value = v;
	return 0;
}

/* A list of model names separated by commas; whether they exist is the backend's to say. */
static int read_embed(struct wd_config *config)
{
	const char *p = secure_getenv("WD_EMBED");

	if (!p)
		p = EMBED_DEFAULT;
	if (!strcmp(p, "none"))
		return 0;
	for (;;) {
		size_t n = strcspn(p, ",");

		if (!n || n >= sizeof(config->embed[0]) ||
		    config->nr_embed == CONFIG_EMBED_DEVICES_MAX)
			return -EINVAL;
		memcpy(config->embed[config->nr_embed++], p, n);
		if (!p[n])
			return 0;
		p += n + 1;
	}
}

static int read_spin(struct wd_config *config)
{
	const char *text = secure_getenv("WD_EMBED_SPIN_US");
	uint64_t us = SPIN_US_DEFAULT;
	int err;

	if (text && !strcmp(text, "forever")) {
		config->embed_spin_ns = WAIT_FOREVER;
		return 0;
	}
	err = read_number("WD_EMBED_SPIN_US", SPIN_US_MAX, &us);
	config->embed_spin_ns = us * 1000;
	return err;
}

int config_read(struct wd_config *config, const char **ret_name)
{
	const char *device = secure_getenv("WD_DEVICE");
	uint64_t workers = 0, depth = 0;

	*config = (struct wd_config){ 0 };
	*ret_name = "WD_DEVICE";
	if (device) {
		if (strlen(device) >= sizeof(config->device))
			return -EINVAL;
		strcpy(config->device, device);
	}
	*ret_name = "WD_EMBED";
	if (read_embed(config))
		return -EINVAL;
	*ret_name = "WD_EMBED_WORKERS";
	if (read_number("WD_EMBED_WORKERS", WORKERS_MAX, &workers))
		return -EINVAL;
	*ret_name = "WD_EMBED_SPIN_US";
	if (read_spin(config))
		return -EINVAL;
	*ret_name = "WD_EMBED_DEPTH";
	if (read_number("WD_EMBED_DEPTH", DEPTH_MAX, &depth) || depth == 1)
		return -EINVAL;
	config->embed_workers = (unsigned int)workers;
	config->embed_depth = (unsigned int)depth;
	*ret_name = NULL;
	return 0;
}

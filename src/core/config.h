/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* What the library is told from outside; config.c is its only reader. */
#ifndef CORE_CONFIG_H
#define CORE_CONFIG_H

#include <stdint.h>

#include <wd/wd.h>

#define CONFIG_EMBED_DEVICES_MAX 16

struct wd_config {
	/* WD_DEVICE: name of the only device to use, "" for any */
	char device[WD_DEVICE_NAME_MAX];
	/* WD_EMBED: chip models to run in this process, one device each; "none" */
	char embed[CONFIG_EMBED_DEVICES_MAX][32];
	unsigned int nr_embed;
	/* WD_EMBED_WORKERS: threads that run them; without, who waits does it */
	unsigned int embed_workers;
	/* WD_EMBED_SPIN_US: how long an idle worker looks around before it sleeps; "forever" */
	uint64_t embed_spin_ns;
	/* WD_EMBED_DEPTH: entries of a queue, 0 for the model's own; a model may refuse some */
	unsigned int embed_depth;
};

/*
 * Fills in defaults, then the environment, which is ignored in a set-uid
 * program.  Returns 0, or -EINVAL with *ret_name the variable that makes no
 * sense.
 */
int config_read(struct wd_config *config, const char **ret_name);

#endif

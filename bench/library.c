/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* Settings for a measurement, and messages when something fails. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <wd/config.h>

#include "library.h"

static const char *const variables[] = {
	"WD_CONFIG",	  "WD_DEVICE",	   "WD_EMBED",	     "WD_EMBED_WORKERS", "WD_EMBED_SPIN_US",
	"WD_EMBED_DEPTH", "WD_BOUNCE_MIB", "WD_SMALL_BYTES", "WD_HANG_MS",	 "WD_STATS",
};

int library_wrong(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, why);
	return -1;
}

int library_fail(const char *what, int err)
{
	return library_wrong(what, wd_error_text(err));
}

int library_configure(const char *embed, unsigned int workers)
{
	char number[12];
	size_t i;
	int err;

	for (i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		unsetenv(variables[i]);
	snprintf(number, sizeof(number), "%u", workers);
	err = wd_config_set("embed", embed);
	if (!err)
		err = wd_config_set("embed_workers", number);
	return err ? library_fail(embed, err) : 0;
}

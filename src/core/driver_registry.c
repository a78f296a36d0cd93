/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* Finds the driver for a device among those of this build. */
#include <string.h>

#include "core/registry.h"

extern const struct wd_driver *const wd_drivers[];

const struct wd_driver *driver_find(const char *name, const char *api)
{
	const struct wd_driver *const *d;

	for (d = wd_drivers; *d; d++)
		if (!strcmp((*d)->name, name) && (*d)->abi == WD_DRIVER_ABI && !(*d)->probe(api))
			return *d;
	return NULL;
}

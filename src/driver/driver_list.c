/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* The drivers of this build.  A new one is two lines here. */
#include <stddef.h>

#include <wd/driver.h>

extern const struct wd_driver wd_hisi_zip_driver;
extern const struct wd_driver wd_dummy_driver;

/* Read by core/driver_registry.c. */
extern const struct wd_driver *const wd_drivers[];

const struct wd_driver *const wd_drivers[] = {
	&wd_hisi_zip_driver,
	&wd_dummy_driver,
	NULL,
};

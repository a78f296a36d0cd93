/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* The devices of this machine as a whole array, and their flags in words. */
#ifndef DEVICE_INFO_H
#define DEVICE_INFO_H

#include <stdio.h>
#include <wd/wd.h>

/*
 * Describes all devices.  The caller frees *ret_infos.  Returns how many there
 * are, or a negative errno.
 */
int device_info_all(struct wd_device_info **ret_infos);

/* Prints names of the device's flags, or "-" when it has none. */
void device_info_print_flags(FILE *to, const struct wd_device_info *info);

/* Prints the algorithms with @separator between them, or "-". */
void device_info_print_algs(FILE *to, const struct wd_device_info *info, char separator);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* Choosing a device; the registry's lock is held. */
#ifndef CORE_DEVICE_H
#define CORE_DEVICE_H

#include "core/registry.h"

/*
 * The device for a wish, any or the one named @name: nearest node first, then most free queues.  Returns 0,
 * -ENODEV when none suits, -EBUSY when those that do are full.
 */
int device_choose(const struct wd_capa *capa, const char *name, struct wd_device **ret_device);

#endif

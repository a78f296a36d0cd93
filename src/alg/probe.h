/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* Measuring what requests of every family cost on a device: a sched_probe. */
#ifndef ALG_PROBE_H
#define ALG_PROBE_H

#include "alg/sched.h"

int alg_probe(const struct sched_route *route, const struct sched_device *device, size_t bytes,
	      uint64_t *ret_ns);

#endif

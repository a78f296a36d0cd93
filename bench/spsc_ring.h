/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The yardstick of a null request: the least that handing 64 bytes to another
 * processor and 16 bytes back can cost.  No doorbell, no checks, no device.
 */
#ifndef BENCH_SPSC_RING_H
#define BENCH_SPSC_RING_H

#include <stdint.h>

/*
 * Round trips at @depth in flight for at least @run_ns, the caller on
 * @cpu[0], the server on @cpu[1].  Returns 0 or a negative errno.
 */
int spsc_ring_measure(const int cpu[2], unsigned int depth, uint64_t run_ns, double *ret_ns);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* Device register stores: one access of exactly the width named. */
#ifndef BASE_MMIO_H
#define BASE_MMIO_H

#include <stdint.h>

static inline void wd_mmio_write64(volatile void *reg, uint64_t value)
{
	*(volatile uint64_t *)reg = value;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The checksums of RFC 1950 and RFC 1952, by this processor: for what no device
 * sums up, as headers and what is checked after a device.
 */
#ifndef BASE_SUMS_H
#define BASE_SUMS_H

#include <stddef.h>
#include <stdint.h>

/* Both go on from a sum of what came before; @p may be NULL when @len is 0. */

/* Begin with 0. */
uint32_t sums_crc32(uint32_t crc, const void *p, size_t len);

/* Begin with 1. */
uint32_t sums_adler32(uint32_t adler, const void *p, size_t len);

#endif

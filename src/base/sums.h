/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The checksums of RFC 1950 and RFC 1952 over payload, for checking what a
 * device says.  Payload that is not to be checked twice is summed up by the
 * device alone.
 */
#ifndef BASE_SUMS_H
#define BASE_SUMS_H

#include <stddef.h>
#include <stdint.h>

#define SUMS_ADLER_BASE 65521u
#define SUMS_ADLER_RUN	5552u /* bytes for which 32-bit sums cannot overflow */

/* Half a byte at a time: the table is small enough to be a constant here. */
static inline uint32_t sums_crc32(uint32_t crc, const void *p, size_t len)
{
	static const uint32_t table[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
		0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
		0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};
	const uint8_t *byte = p;
	size_t i;

	crc = ~crc;
	for (i = 0; i < len; i++) {
		crc ^= byte[i];
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return ~crc;
}

/* Begin with 1. */
static inline uint32_t sums_adler32(uint32_t adler, const void *p, size_t len)
{
	uint32_t a = adler & 0xffff, b = adler >> 16;
	const uint8_t *byte = p;

	while (len > 0) {
		size_t n = len < SUMS_ADLER_RUN ? len : SUMS_ADLER_RUN;

		len -= n;
		while (n-- > 0) {
			a += *byte++;
			b += a;
		}
		a %= SUMS_ADLER_BASE;
		b %= SUMS_ADLER_BASE;
	}
	return b << 16 | a;
}

#endif

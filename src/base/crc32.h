/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The CRC-32 of RFC 1952, bit by bit, for the few bytes of a file header.  Too
 * slow for payload: that is the device's.
 */
#ifndef BASE_CRC32_H
#define BASE_CRC32_H

#include <stddef.h>
#include <stdint.h>

#define CRC32_POLYNOMIAL 0xedb88320u /* reflected */

/* Continues @crc, 0 to begin, over @len bytes. */
static inline uint32_t crc32_update(uint32_t crc, const void *p, size_t len)
{
	const uint8_t *byte = p;

	crc = ~crc;
	for (size_t i = 0; i < len; i++) {
		crc ^= byte[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ ((crc & 1) != 0 ? CRC32_POLYNOMIAL : 0);
	}
	return ~crc;
}

#endif

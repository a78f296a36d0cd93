/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Checksums at the speed of memory are a codec library's work: this is the one
 * file of base that uses one, so that nobody above it has to.
 */
#include "base/sums.h"

#include <libdeflate.h>

/* To libdeflate no buffer means a sum that begins, whatever came before. */

uint32_t sums_crc32(uint32_t crc, const void *p, size_t len)
{
	return len > 0 ? libdeflate_crc32(crc, p, len) : crc;
}

uint32_t sums_adler32(uint32_t adler, const void *p, size_t len)
{
	return len > 0 ? libdeflate_adler32(adler, p, len) : adler;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* Stored deflate blocks, RFC 1951 section 3.2.4. */
#include <string.h>

#include "base/bytes.h"
#include "base/compiler.h"
#include "chip/qm/zip_stored.h"

size_t zip_stored_write(uint8_t *out, const uint8_t *in, size_t bytes, bool is_final)
{
	uint8_t *p = out;

	do {
		uint32_t n = (uint32_t)base_min_u64(bytes, ZIP_STORED_BLOCK_MAX);

		/* BFINAL in bit 0, block type 0 above it; the rest pads to a byte. */
		*p++ = is_final && n == bytes;
		bytes_put_le16(p, (uint16_t)n);
		bytes_put_le16(p + 2, (uint16_t)~n);
		p += 4;
		/* Not memcpy: foreign addresses decide whether the two overlap. */
		if (n)
			memmove(p, in, n);
		p += n;
		in += n;
		bytes -= n;
	} while (bytes);
	return (size_t)(p - out);
}

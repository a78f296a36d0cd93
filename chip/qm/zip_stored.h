/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Stored deflate blocks: what data becomes that does not compress.  They begin
 * and end on a byte, so that pieces of a stream may be made of them.
 */
#ifndef CHIP_QM_ZIP_STORED_H
#define CHIP_QM_ZIP_STORED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ZIP_STORED_BLOCK_MAX 65535u
#define ZIP_STORED_HEADER    5u

/* Bytes that @bytes of data take, at least one block. */
static inline size_t zip_stored_bytes(size_t bytes)
{
	size_t nr = bytes ? (bytes + ZIP_STORED_BLOCK_MAX - 1) / ZIP_STORED_BLOCK_MAX : 1;

	return bytes + nr * ZIP_STORED_HEADER;
}

/*
 * Writes zip_stored_bytes(@bytes) bytes, starting on a byte; @is_final ends the
 * deflate stream with them.  @in and @out may overlap (then @out is garbage).
 */
size_t zip_stored_write(uint8_t *out, const uint8_t *in, size_t bytes, bool is_final);

#endif

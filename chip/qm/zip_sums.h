/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Checksums and trailers of the three formats.  A sum is kept in its natural
 * value; the SQE carries gzip's as hardware has it, the running register
 * before reflection and complement.  Each function comes from the library
 * where it is faster: CRC-32 runs at 50 GB/s in libisal (17 in libdeflate),
 * Adler-32 at 20 to 30 GB/s in libdeflate (10 to 13 in libisal).
 */
#ifndef CHIP_QM_ZIP_SUMS_H
#define CHIP_QM_ZIP_SUMS_H

#include <stddef.h>
#include <stdint.h>

#include <isa-l/crc.h>
#include <libdeflate.h>

#include "base/bytes.h"
#include "hw/hisi_zip_hw.h"

#define ZIP_TRAILER_MAX 8

static inline uint32_t zip_sum_init(uint32_t format)
{
	return format == HISI_ZIP_REQ_ZLIB ? 1 : 0;
}

static inline uint32_t zip_sum_update(uint32_t format, uint32_t sum, const uint8_t *buf,
				      size_t bytes)
{
	if (format == HISI_ZIP_REQ_GZIP)
		return crc32_gzip_refl(sum, buf, bytes);
	if (format == HISI_ZIP_REQ_ZLIB)
		return libdeflate_adler32(sum, buf, bytes);
	return 0;
}

static inline uint32_t zip_sum_to_word(uint32_t format, uint32_t sum)
{
	return format == HISI_ZIP_REQ_GZIP ? bytes_bitrev32(~sum) : sum;
}

static inline uint32_t zip_sum_from_word(uint32_t format, uint32_t word)
{
	return format == HISI_ZIP_REQ_GZIP ? ~bytes_bitrev32(word) : word;
}

static inline uint32_t zip_trailer_bytes(uint32_t format)
{
	if (format == HISI_ZIP_REQ_GZIP)
		return 8;
	return format == HISI_ZIP_REQ_ZLIB ? 4 : 0;
}

/* Writes zip_trailer_bytes(). */
static inline void zip_trailer_write(uint8_t *out, uint32_t format, uint32_t sum, uint32_t isize)
{
	if (format == HISI_ZIP_REQ_GZIP) {
		bytes_put_le32(out, sum);
		bytes_put_le32(out + 4, isize);
	} else if (format == HISI_ZIP_REQ_ZLIB) {
		bytes_put_be32(out, sum);
	}
}

#endif

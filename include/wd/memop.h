/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Memory operations: copy, fill and CRC-32 as requests.  Algorithm "memop".
 * A queue for it serves all its operations and may answer out of order.
 */
#ifndef WD_MEMOP_H
#define WD_MEMOP_H

#include <wd/wd.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * COPY: len bytes from src to dst, which may not overlap.  FILL: the 8 bytes of
 * pattern, in memory order, again and again over len bytes of dst.  CRC32: the
 * CRC-32 of gzip (RFC 1952) over len bytes of src.
 */
struct wd_memop_req {
	struct wd_req head; /* op: NOP, COPY, FILL or CRC32 */
	const void *src;
	void *dst;
	uint64_t len;
	uint64_t pattern;
	/* results */
	uint64_t done; /* bytes worked on */
	uint32_t crc;
	uint32_t reserved;
};

#ifdef __cplusplus
}
#endif

#endif

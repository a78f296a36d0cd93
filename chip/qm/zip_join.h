/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Joining: a finished deflate stream, from a codec that makes nothing else, as
 * one piece of a longer stream.  Its last block must not call itself the last,
 * and its end must be a byte's.  Where that block begins only a walk over all
 * codes before it tells; the walk decodes no bytes.  RFC 1951, section 3.2.
 */
#ifndef CHIP_QM_ZIP_JOIN_H
#define CHIP_QM_ZIP_JOIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Pieces from here on are worth joining.  Below, the history that the codec does
 * not know costs more than its better matching gains.  Measured over text,
 * markup, programs and fonts against libisal 3 with history: libdeflate 2, the
 * weakest that is joined, is up to 26 % larger in pieces of 16 KiB, still 2 to
 * 5 % larger on JSON and HTML at 64 KiB, and smaller on all but a list of words
 * at 128 KiB.  libdeflate 6 is 19 % larger to 5 % smaller at 16 KiB; at 128 KiB
 * it is 2 to 17 % smaller, and within 6 % of what it makes of 1 MiB.
 */
#define ZIP_JOIN_MIN (128u << 10)

/* What joining adds to a stream at most. */
#define ZIP_JOIN_GROWTH 5u

/*
 * Index bits of the tables.  More swallow more literals at once and take longer
 * to fill.  Of 10 to 13, 11 takes the fewest instructions over 1 MiB of text, JSON
 * and programs together: 4.2 to 4.6 % of libdeflate 6's own.
 */
#define ZIP_JOIN_TABLE_BITS 11
#define ZIP_JOIN_TABLE_SIZE (1u << ZIP_JOIN_TABLE_BITS)

#define ZIP_JOIN_CODE_BITS_MAX 15
#define ZIP_JOIN_SYMBOLS_MAX   288

/* One canonical prefix code. */
struct zip_join_code {
	uint16_t count[ZIP_JOIN_CODE_BITS_MAX + 1]; /* of codes of each length */
	uint16_t limit[ZIP_JOIN_CODE_BITS_MAX + 1]; /* above all codes up to it, left-aligned */
	int32_t delta[ZIP_JOIN_CODE_BITS_MAX + 1];  /* from a code to its place in symbols */
	uint16_t symbols[ZIP_JOIN_SYMBOLS_MAX];	    /* ordered by code */
};

/* Work space of a walk; contents do not matter between calls. */
struct zip_join {
	uint32_t entries[2 * ZIP_JOIN_TABLE_SIZE]; /* literals and lengths, then distances */
	struct zip_join_code literals;
	struct zip_join_code distances;
	bool has_fixed; /* the codes are RFC 1951's fixed ones */
};

/* In bits from the stream's start. */
struct zip_last_block {
	uint64_t header; /* its BFINAL */
	uint64_t end;	 /* behind its last code */
};

/*
 * Finds the last block of the deflate stream at the start of @bytes foreign
 * bytes; false when they hold none.  Distances are not compared with what they
 * reach back to.
 */
bool zip_join_find_last(struct zip_join *j, const uint8_t *stream, size_t bytes,
			struct zip_last_block *ret_last);

/*
 * Lets another block follow the stream that fills @bytes exactly, on a byte;
 * behind it there is room for ZIP_JOIN_GROWTH more.  Returns its new length, or
 * 0 when that is no such stream, which then is as it was.
 */
size_t zip_join_reopen(struct zip_join *j, uint8_t *stream, size_t bytes);

#endif

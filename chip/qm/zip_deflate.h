/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The deflate codecs of one ZIP queue: which codec serves which level, whole
 * streams in one call, and pieces of a stream with the history before them.
 * Deals in raw deflate; trailers and sums are its callers'.
 */
#ifndef CHIP_QM_ZIP_DEFLATE_H
#define CHIP_QM_ZIP_DEFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chip/qm/zip_buffers.h"

/*
 * libisal 2.30's deflate for arm64 reads a few bytes behind its input (seen with
 * a page missing there: isal_deflate_finish_aarch64, set_long_icf_fg_aarch64,
 * isal_deflate_icf_finish_hash_hist_aarch64); its code for x86 does not.
 */
#if defined(__aarch64__)
#define ZIP_DEFLATE_OVERREAD ZIP_SLACK_BYTES
#else
#define ZIP_DEFLATE_OVERREAD 0
#endif

struct isal_zstream;
struct libdeflate_compressor;
struct zip_entropy;
struct zip_join;

/* One per queue; all of it made when first needed and kept. */
struct zip_deflate {
	struct isal_zstream *isal;
	uint8_t *level_buf;
	size_t level_buf_room;
	struct libdeflate_compressor *libdeflate;
	int libdeflate_level;
	struct zip_entropy *entropy;
	struct zip_join *join;
	struct zip_scratch tight;  /* output while it is not known to fit */
	struct zip_scratch window; /* a stream's history in one piece */
	/*
	 * The stream piece after which isal was left, its window holding what
	 * came before; 0: isal is in no stream.
	 */
	uint64_t live_piece;
	unsigned int live_level;
	unsigned int live_hist_bits;
};

void zip_deflate_fini(struct zip_deflate *d);

/*
 * The level (numbered as in the SQE) that serves @level of a whole request or of
 * a stream's piece, unless memory is short there.
 */
uint32_t zip_deflate_served_level(uint32_t level, uint32_t window, size_t bytes, bool is_stream);

/* What compressing @bytes takes, roughly. */
uint64_t zip_deflate_ns(uint32_t level, uint32_t window, size_t bytes, bool is_stream);

/*
 * One whole deflate stream.  Never more than zip_stored_bytes(@bytes); with that
 * much room it cannot fail but for memory.  Returns HISI_ZIP_ST_OK, NO_ROOM or
 * INTERNAL.
 */
uint32_t zip_deflate_whole(struct zip_deflate *d, uint32_t level, uint32_t window,
			   const uint8_t *in, size_t bytes, uint8_t *out, size_t room,
			   size_t *ret_bytes);

/* History of a stream: the last bytes of what its earlier pieces held, as a ring. */
#define ZIP_HISTORY_BYTES 32768u

struct zip_history {
	const uint8_t *ring; /* ZIP_HISTORY_BYTES */
	uint32_t nr_bytes;
	uint32_t end;	/* where the next byte goes */
	uint64_t piece; /* number of the piece that ended there, 0: none or foreign */
};

/*
 * One piece of a stream, ending on a byte; @is_final ends the stream.  Never
 * more than zip_stored_bytes(@bytes), and nothing for a piece of no bytes that
 * is not final.  Returns as zip_deflate_whole(); on success *ret_level says which
 * level served, and the codec may be continued with a piece whose history names
 * @piece.
 */
uint32_t zip_deflate_piece(struct zip_deflate *d, uint32_t level, uint32_t window,
			   const struct zip_history *history, uint64_t piece, bool is_final,
			   const uint8_t *in, size_t bytes, uint8_t *out, size_t room,
			   size_t *ret_bytes, uint32_t *ret_level);

#endif

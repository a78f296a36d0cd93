/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Inflate of the ZIP engine: whole streams in one call, and a stream piece by
 * piece.  Trailers are read and checked here.
 */
#ifndef CHIP_QM_ZIP_INFLATE_H
#define CHIP_QM_ZIP_INFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <isa-l/igzip_lib.h>

#include "chip/qm/zip_request.h"
#include "chip/qm/zip_sums.h"

struct libdeflate_decompressor;

/* One per queue, for whole streams; made when first needed and kept. */
struct zip_inflate {
	struct libdeflate_decompressor *libdeflate;
	struct inflate_state *isal;
};

void zip_inflate_fini(struct zip_inflate *f);

/* One whole stream; fills the answer's counts and sums.  Returns a status of the SQE. */
uint32_t zip_inflate_whole(struct zip_inflate *f, uint32_t format, const uint8_t *in, size_t bytes,
			   uint8_t *out, size_t room, struct zip_answer *a);

/* What inflating @bytes into @room takes, roughly. */
uint64_t zip_inflate_ns(uint32_t bytes, uint32_t room);

/* A stream under way. */
struct zip_inflate_state {
	uint32_t format;
	uint32_t sum;		/* natural, of the output delivered */
	uint32_t isize;		/* bytes delivered, modulo 2^32 */
	bool is_in_trailer;	/* the final block has been decoded, if not all delivered */
	uint32_t trailer_bytes; /* of it, arrived so far */
	uint8_t trailer[ZIP_TRAILER_MAX];
	/*
	 * Positions in the stream: how far the decoder has taken bytes, and how
	 * far software was told they are consumed.  The decoder may be ahead:
	 * software then sends those bytes again and they are skipped.
	 */
	uint64_t taken;
	uint64_t told;
	struct inflate_state isal;
};

void zip_inflate_state_init(struct zip_inflate_state *s, uint32_t format);

/*
 * Goes on with @bytes of input and @room for output; fills counts, sums and
 * ctx_dw0.  Returns OK, END, BAD_DATA or BAD_CHECKSUM.
 */
uint32_t zip_inflate_piece(struct zip_inflate_state *s, const uint8_t *in, size_t bytes,
			   uint8_t *out, size_t room, struct zip_answer *a);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The judge's inflate reads along what a deflate stream put out: compressed
 * bytes need not be equal, but what they decode to has to be the input.
 */
#ifndef DIFF_DECODE_H
#define DIFF_DECODE_H

#include "diff_run.h"

enum wrap {
	WRAP_RAW,
	WRAP_ZLIB,
	WRAP_GZIP
};

struct decoder {
	z_stream strm;
	enum wrap wrap;
	int window_bits;
	size_t fed;  /* bytes of the output that it was given */
	size_t said; /* bytes that it decoded since the last start */
	bool is_open;
	bool is_ended;
};

/* windowBits as deflateInit2() and inflateInit2() take them. */
int wrap_window_bits(enum wrap wrap, int window_bits);

void decoder_open(struct run *run, struct decoder *d, enum wrap wrap, int window_bits);
void decoder_close(struct run *run, struct decoder *d);

/* For the next stream. */
void decoder_restart(struct run *run, struct decoder *d);
void decoder_copy(struct run *run, struct decoder *to, struct decoder *from);

/* A preset dictionary of raw data, from what was fed on. */
void decoder_preset(struct run *run, struct decoder *d, const struct grown *dictionary);

/*
 * Feeds what of @out was not fed yet; fails the run where it does not decode to
 * what stands in @data behind the bytes decoded before, of which there are @bytes.
 */
void decoder_feed(struct run *run, struct decoder *d, const struct grown *out,
		  const struct grown *dictionary, const uint8_t *data, size_t bytes);

/* Fails unless @out from @at on, a full flush, decodes to @data alone. */
void decode_from_flush(struct run *run, const struct grown *out, size_t at, int window_bits,
		       const uint8_t *data, size_t bytes);

#endif

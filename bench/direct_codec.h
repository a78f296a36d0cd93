/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* The yardstick of compression: a codec's own one-shot call, raw deflate. */
#ifndef BENCH_DIRECT_CODEC_H
#define BENCH_DIRECT_CODEC_H

#include <stddef.h>

enum direct_kind {
	DIRECT_LIBISAL,
	DIRECT_LIBDEFLATE,
};

struct direct_codec;

/* A codec that keeps its state between calls, as a program in a hurry would; NULL: no memory. */
struct direct_codec *direct_codec_create(enum direct_kind kind, int level);
void direct_codec_destroy(struct direct_codec *c);

/* Both return bytes written, 0 when it failed or the room was too small. */
size_t direct_codec_deflate(struct direct_codec *c, const void *in, size_t bytes, void *out,
			    size_t room);
size_t direct_codec_inflate(struct direct_codec *c, const void *in, size_t bytes, void *out,
			    size_t room);

#endif

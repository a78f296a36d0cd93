/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* One-shot calls of libisal and libdeflate, as their own manuals advise. */
#include <isa-l/igzip_lib.h>
#include <libdeflate.h>
#include <stdlib.h>

#include "direct_codec.h"

struct direct_codec {
	enum direct_kind kind;
	int level;
	/* libisal */
	struct isal_zstream zstream;
	struct inflate_state inflate;
	uint8_t *level_buf;
	uint32_t level_buf_bytes;
	/* libdeflate */
	struct libdeflate_compressor *compressor;
	struct libdeflate_decompressor *decompressor;
};

static const uint32_t level_buf_bytes[] = {
	ISAL_DEF_LVL0_DEFAULT,
	ISAL_DEF_LVL1_DEFAULT,
	ISAL_DEF_LVL2_DEFAULT,
	ISAL_DEF_LVL3_DEFAULT,
};

struct direct_codec *direct_codec_create(enum direct_kind kind, int level)
{
	struct direct_codec *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->kind = kind;
	c->level = level;
	if (kind == DIRECT_LIBDEFLATE) {
		c->compressor = libdeflate_alloc_compressor(level);
		c->decompressor = libdeflate_alloc_decompressor();
		if (c->compressor && c->decompressor)
			return c;
	} else {
		c->level_buf_bytes = level_buf_bytes[level];
		c->level_buf = calloc(1, c->level_buf_bytes + 1);
		if (c->level_buf)
			return c;
	}
	direct_codec_destroy(c);
	return NULL;
}

void direct_codec_destroy(struct direct_codec *c)
{
	if (!c)
		return;
	if (c->compressor)
		libdeflate_free_compressor(c->compressor);
	if (c->decompressor)
		libdeflate_free_decompressor(c->decompressor);
	free(c->level_buf);
	free(c);
}

size_t direct_codec_deflate(struct direct_codec *c, const void *in, size_t bytes, void *out,
			    size_t room)
{
	struct isal_zstream *z = &c->zstream;

	if (c->kind == DIRECT_LIBDEFLATE)
		return libdeflate_deflate_compress(c->compressor, in, bytes, out, room);
	isal_deflate_stateless_init(z);
	z->level = (uint32_t)c->level;
	z->level_buf = c->level_buf;
	z->level_buf_size = c->level_buf_bytes;
	z->next_in = (uint8_t *)in;
	z->avail_in = (uint32_t)bytes;
	z->next_out = out;
	z->avail_out = (uint32_t)room;
	z->end_of_stream = 1;
	z->flush = NO_FLUSH;
	return isal_deflate_stateless(z) == COMP_OK ? z->total_out : 0;
}

size_t direct_codec_inflate(struct direct_codec *c, const void *in, size_t bytes, void *out,
			    size_t room)
{
	struct inflate_state *z = &c->inflate;
	size_t produced;

	if (c->kind == DIRECT_LIBDEFLATE)
		return libdeflate_deflate_decompress(c->decompressor, in, bytes, out, room,
						     &produced) == LIBDEFLATE_SUCCESS ?
			       produced :
			       0;
	isal_inflate_init(z);
	z->next_in = (uint8_t *)in;
	z->avail_in = (uint32_t)bytes;
	z->next_out = out;
	z->avail_out = (uint32_t)room;
	return isal_inflate_stateless(z) == ISAL_DECOMP_OK ? z->total_out : 0;
}

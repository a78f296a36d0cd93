/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * A sample cut into blocks for a benchmark, in an order that no predictor
 * knows, and who judges whether what came of a block is right.
 */
#ifndef BENCH_COMP_BLOCKS_H
#define BENCH_COMP_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "direct_codec.h"
#include "sample.h"

struct comp_block {
	const uint8_t *src;
	size_t src_len;
	const uint8_t *plain; /* uncompressed */
	size_t plain_len;
};

struct comp_blocks {
	uint32_t op; /* WD_OP_COMPRESS or WD_OP_DECOMPRESS */
	size_t block_bytes;
	size_t room; /* enough for any output, and a little more: codecs want some to be fast */
	size_t nr;
	struct comp_block *block; /* in scattered order */
	uint8_t *packed;	  /* decompression: all input */
};

/*
 * Lays out the blocks of @sample, which must stay; decompression: packed by
 * libisal's level 1.  0, or -1: no memory, or less input than one block.
 */
int comp_blocks_init(struct comp_blocks *b, uint32_t op, size_t block_bytes,
		     const struct sample *sample);
void comp_blocks_fini(struct comp_blocks *b);

/* The block's next one; the first follows the last. */
static inline size_t comp_blocks_next(const struct comp_blocks *b, size_t at)
{
	return at + 1 == b->nr ? 0 : at + 1;
}

/*
 * Whether @out is what came of @block rightly: compressed, it is decompressed by
 * @judge into @spare (of b->room bytes) and compared.
 */
bool comp_blocks_is_right(const struct comp_blocks *b, const struct comp_block *block,
			  const uint8_t *out, size_t bytes, struct direct_codec *judge,
			  uint8_t *spare);

/* A block by @codec, called directly.  Bytes of output, 0 when it failed. */
size_t comp_blocks_call(const struct comp_blocks *b, const struct comp_block *block,
			struct direct_codec *codec, uint8_t *out);

#endif

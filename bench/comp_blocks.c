/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* Cuts a sample into blocks, scatters them, packs them for decompression. */
#include <stdlib.h>
#include <string.h>

#include <wd/comp.h>

#include "comp_blocks.h"

#define CODEC_SPARE 64u /* more room than the exact bound: codecs want some to be fast */

/* Blocks in an order that no predictor knows; the same every time. */
static void scatter(struct comp_block *block, size_t nr)
{
	uint64_t x = 88172645463325252u;
	size_t i;

	for (i = nr; i > 1; i--) {
		struct comp_block swapped = block[i - 1];
		size_t k;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		k = (size_t)(x % i);
		block[i - 1] = block[k];
		block[k] = swapped;
	}
}

/* For decompression: what libisal's level 1 makes of each block. */
static int pack(struct comp_blocks *b)
{
	struct direct_codec *packer = direct_codec_create(DIRECT_LIBISAL, 1);
	size_t i;

	b->packed = malloc(b->nr * b->room);
	for (i = 0; packer && b->packed && i < b->nr; i++) {
		struct comp_block *block = &b->block[i];
		uint8_t *to = b->packed + i * b->room;

		block->src_len =
			direct_codec_deflate(packer, block->plain, block->plain_len, to, b->room);
		block->src = to;
		if (!block->src_len)
			break;
	}
	direct_codec_destroy(packer);
	return i == b->nr ? 0 : -1;
}

int comp_blocks_init(struct comp_blocks *b, uint32_t op, size_t block_bytes,
		     const struct sample *sample)
{
	size_t i;

	memset(b, 0, sizeof(*b));
	b->op = op;
	b->block_bytes = block_bytes;
	b->room = wd_comp_bound(WD_COMP_DEFLATE, block_bytes) + CODEC_SPARE;
	b->nr = sample->nr_bytes / block_bytes;
	b->block = calloc(b->nr + 1, sizeof(*b->block));
	if (!b->nr || !b->block)
		return -1;
	for (i = 0; i < b->nr; i++) {
		b->block[i].plain = b->block[i].src = sample->bytes + i * block_bytes;
		b->block[i].plain_len = b->block[i].src_len = block_bytes;
	}
	scatter(b->block, b->nr);
	return op == WD_OP_DECOMPRESS ? pack(b) : 0;
}

void comp_blocks_fini(struct comp_blocks *b)
{
	free(b->block);
	free(b->packed);
	memset(b, 0, sizeof(*b));
}

bool comp_blocks_is_right(const struct comp_blocks *b, const struct comp_block *block,
			  const uint8_t *out, size_t bytes, struct direct_codec *judge,
			  uint8_t *spare)
{
	if (b->op == WD_OP_COMPRESS) {
		if (direct_codec_inflate(judge, out, bytes, spare, b->room) != block->plain_len)
			return false;
		out = spare;
		bytes = block->plain_len;
	}
	return bytes == block->plain_len && !memcmp(out, block->plain, bytes);
}

size_t comp_blocks_call(const struct comp_blocks *b, const struct comp_block *block,
			struct direct_codec *codec, uint8_t *out)
{
	if (b->op == WD_OP_COMPRESS)
		return direct_codec_deflate(codec, block->src, block->src_len, out, b->room);
	return direct_codec_inflate(codec, block->src, block->src_len, out, b->room);
}

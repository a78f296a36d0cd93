/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Builds the chip's scatter lists.  Facts: user ABI 2.9.  A list is allocated
 * when its slot first needs one of that length; flat requests never come here.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/compiler.h"
#include "driver/hisi/hisi_sgl_drv.h"
#include "hw/hisi_sgl_hw.h"

/* Distance of two blocks: header and entries, rounded up to the alignment. */
#define BLOCK_BYTES                                                                         \
	((sizeof(struct hisi_sgl_header) + HISI_SGL_ENTRIES_MAX * sizeof(struct hisi_sge) + \
	  HISI_SGL_ALIGN - 1) /                                                             \
	 HISI_SGL_ALIGN * HISI_SGL_ALIGN)

/* Entries that cover the first @bytes, or -EINVAL when all of @iov does not. */
static int count_entries(const struct iovec *iov, uint32_t nr, uint64_t bytes)
{
	uint64_t left = bytes;
	int n = 0;
	uint32_t i;

	for (i = 0; i < nr && left; i++) {
		uint64_t len = base_min_u64(iov[i].iov_len, left);

		n += (int)((len + HISI_SGE_BYTES_MAX - 1) / HISI_SGE_BYTES_MAX);
		left -= len;
	}
	return left ? -EINVAL : n;
}

static int reserve(struct hisi_sgl *sgl, int nr_entries)
{
	uint32_t nr_blocks =
		(uint32_t)(nr_entries + HISI_SGL_ENTRIES_MAX - 1) / HISI_SGL_ENTRIES_MAX;
	uint8_t *block;

	nr_blocks += !nr_blocks;
	if (nr_blocks > HISI_SGL_BLOCKS_MAX)
		return -EINVAL;
	if (nr_blocks <= sgl->nr_blocks)
		return 0;
	block = aligned_alloc(HISI_SGL_ALIGN, nr_blocks * BLOCK_BYTES);
	if (!block)
		return -ENOMEM;
	free(sgl->block);
	sgl->block = block;
	sgl->nr_blocks = nr_blocks;
	return 0;
}

static void begin_block(uint8_t *block, int nr_left)
{
	struct hisi_sgl_header *h = (struct hisi_sgl_header *)(void *)block;
	int nr = nr_left < HISI_SGL_ENTRIES_MAX ? nr_left : HISI_SGL_ENTRIES_MAX;

	memset(h, 0, sizeof(*h));
	h->next_dma = nr_left > nr ? htole64((uintptr_t)block + BLOCK_BYTES) : 0;
	h->entry_sum_in_chain = htole16((uint16_t)base_min_u32((uint32_t)nr_left, UINT16_MAX));
	h->entry_sum_in_sgl = htole16((uint16_t)nr);
	h->entry_length_in_sgl = htole16(HISI_SGL_ENTRIES_MAX);
}

int hisi_sgl_fill(struct hisi_sgl *sgl, const struct iovec *iov, uint32_t nr, uint64_t bytes)
{
	int nr_entries = count_entries(iov, nr, bytes);
	uint8_t *block;
	int i, err;
	size_t used = 0; /* of the current piece */

	if (nr_entries < 0)
		return nr_entries;
	err = reserve(sgl, nr_entries);
	if (err)
		return err;
	block = sgl->block;
	begin_block(block, nr_entries);
	for (i = 0; i < nr_entries; i++) {
		int k = i % HISI_SGL_ENTRIES_MAX;
		struct hisi_sge *e;
		uint64_t len;

		if (i && !k) {
			block += BLOCK_BYTES;
			begin_block(block, nr_entries - i);
		}
		while (iov->iov_len == used) {
			iov++;
			used = 0;
		}
		len = base_min_u64(base_min_u64(iov->iov_len - used, HISI_SGE_BYTES_MAX), bytes);
		e = (struct hisi_sge *)(void *)(block + sizeof(struct hisi_sgl_header)) + k;
		*e = (struct hisi_sge){
			.buf = htole64((uintptr_t)iov->iov_base + used),
			.len = htole32((uint32_t)len),
		};
		used += len;
		bytes -= len;
	}
	return 0;
}

void hisi_sgl_fini(struct hisi_sgl *sgl)
{
	free(sgl->block);
	*sgl = (struct hisi_sgl){ 0 };
}

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

/* Where in a program's array of pieces one is. */
struct iov_place {
	const struct iovec *iov;
	uint32_t nr; /* pieces from here on */
	size_t used; /* of the first of them */
};

static int skip_bytes(struct iov_place *at, uint64_t bytes)
{
	for (; at->nr && bytes >= at->iov->iov_len; at->iov++, at->nr--)
		bytes -= at->iov->iov_len;
	at->used = bytes;
	return at->nr || !bytes ? 0 : -EINVAL;
}

/* Entries that cover @bytes from @at on, or -EINVAL when all there is does not. */
static int count_entries(const struct iov_place *at, uint64_t bytes)
{
	uint64_t left = bytes;
	size_t used = at->used;
	int n = 0;
	uint32_t i;

	for (i = 0; i < at->nr && left; i++, used = 0) {
		uint64_t len = base_min_u64(at->iov[i].iov_len - used, left);

		n += (int)((len + HISI_SGE_BYTES_MAX - 1) / HISI_SGE_BYTES_MAX);
		left -= len;
	}
	return left ? -EINVAL : n;
}

static void free_blocks(struct hisi_sgl *sgl)
{
	if (sgl->port && sgl->block)
		sgl->port->memory->free(sgl->port, sgl->block, sgl->nr_blocks * BLOCK_BYTES);
	else
		free(sgl->block);
	sgl->block = NULL;
	sgl->nr_blocks = 0;
}

static int reserve_blocks(struct hisi_sgl *sgl, int nr_entries)
{
	uint32_t nr_blocks =
		(uint32_t)(nr_entries + HISI_SGL_ENTRIES_MAX - 1) / HISI_SGL_ENTRIES_MAX;
	uint64_t addr = 0;
	uint8_t *block;

	nr_blocks += !nr_blocks;
	if (nr_blocks > HISI_SGL_BLOCKS_MAX)
		return -EINVAL;
	if (nr_blocks <= sgl->nr_blocks)
		return 0;
	if (sgl->port)
		block = sgl->port->memory->alloc(sgl->port, nr_blocks * BLOCK_BYTES, &addr);
	else
		block = aligned_alloc(HISI_SGL_ALIGN, nr_blocks * BLOCK_BYTES);
	if (!block)
		return -ENOMEM;
	free_blocks(sgl);
	sgl->block = block;
	sgl->addr = sgl->port ? addr : (uintptr_t)block;
	sgl->nr_blocks = nr_blocks;
	return 0;
}

static int reserve_mappings(struct hisi_sgl *sgl, int nr_entries)
{
	struct wd_mapping *mapping;

	if (!sgl->port || (uint32_t)nr_entries <= sgl->mapping_room)
		return 0;
	mapping = malloc((size_t)nr_entries * sizeof(*mapping));
	if (!mapping)
		return -ENOMEM;
	free(sgl->mapping);
	sgl->mapping = mapping;
	sgl->mapping_room = (uint32_t)nr_entries;
	return 0;
}

static void begin_block(struct hisi_sgl *sgl, size_t offset, int nr_left)
{
	struct hisi_sgl_header *h = (struct hisi_sgl_header *)(void *)(sgl->block + offset);
	int nr = nr_left < HISI_SGL_ENTRIES_MAX ? nr_left : HISI_SGL_ENTRIES_MAX;

	memset(h, 0, sizeof(*h));
	h->next_dma = nr_left > nr ? htole64(sgl->addr + offset + BLOCK_BYTES) : 0;
	h->entry_sum_in_chain = htole16((uint16_t)base_min_u32((uint32_t)nr_left, UINT16_MAX));
	h->entry_sum_in_sgl = htole16((uint16_t)nr);
	h->entry_length_in_sgl = htole16(HISI_SGL_ENTRIES_MAX);
}

/* Where the device finds @bytes at @ptr. */
static int map_entry(struct hisi_sgl *sgl, void *ptr, size_t bytes, uint32_t direction,
		     uint64_t *ret_addr)
{
	struct wd_mapping *m;
	int err;

	*ret_addr = (uintptr_t)ptr;
	if (!sgl->port)
		return 0;
	m = &sgl->mapping[sgl->nr_mapped];
	err = wd_map(sgl->port, ptr, bytes, direction, m);
	if (err)
		return err;
	sgl->nr_mapped++;
	*ret_addr = m->addr;
	return 0;
}

static int fill_entries(struct hisi_sgl *sgl, struct iov_place *at, int nr_entries, uint64_t bytes,
			uint32_t direction)
{
	size_t block = 0;
	int i;

	begin_block(sgl, block, nr_entries);
	for (i = 0; i < nr_entries; i++) {
		int err, k = i % HISI_SGL_ENTRIES_MAX;
		struct hisi_sge *e;
		uint64_t len, addr;

		if (i && !k) {
			block += BLOCK_BYTES;
			begin_block(sgl, block, nr_entries - i);
		}
		while (at->iov->iov_len == at->used) {
			at->iov++;
			at->used = 0;
		}
		len = base_min_u64(base_min_u64(at->iov->iov_len - at->used, HISI_SGE_BYTES_MAX),
				   bytes);
		err = map_entry(sgl, (uint8_t *)at->iov->iov_base + at->used, len, direction,
				&addr);
		if (err)
			return err;
		e = (struct hisi_sge *)(void *)(sgl->block + block +
						sizeof(struct hisi_sgl_header)) +
		    k;
		*e = (struct hisi_sge){ .buf = htole64(addr), .len = htole32((uint32_t)len) };
		at->used += len;
		bytes -= len;
	}
	return 0;
}

int hisi_sgl_fill(struct hisi_sgl *sgl, const struct iovec *iov, uint32_t nr, uint64_t offset,
		  uint64_t bytes, uint32_t direction)
{
	struct iov_place at = { .iov = iov, .nr = nr };
	int nr_entries;
	int err = skip_bytes(&at, offset);

	if (err)
		return err;
	nr_entries = count_entries(&at, bytes);
	if (nr_entries < 0)
		return nr_entries;
	err = reserve_blocks(sgl, nr_entries);
	if (!err)
		err = reserve_mappings(sgl, nr_entries);
	if (!err)
		err = fill_entries(sgl, &at, nr_entries, bytes, direction);
	if (err)
		hisi_sgl_unmap(sgl, NULL, 0);
	return err;
}

void hisi_sgl_unmap(struct hisi_sgl *sgl, struct wd_req *req, uint64_t written)
{
	uint32_t i;

	for (i = 0; i < sgl->nr_mapped; i++) {
		size_t bytes = sgl->mapping[i].bytes;

		if (req)
			wd_unmap(sgl->port, req, &sgl->mapping[i], base_min_u64(written, bytes));
		else
			wd_unmap_unsent(sgl->port, &sgl->mapping[i]);
		written -= base_min_u64(written, bytes);
	}
	sgl->nr_mapped = 0;
}

void hisi_sgl_fini(struct hisi_sgl *sgl)
{
	free_blocks(sgl);
	free(sgl->mapping);
	*sgl = (struct hisi_sgl){ 0 };
}

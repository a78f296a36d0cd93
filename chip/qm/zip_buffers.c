/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Flat buffers and hardware scatter lists of ZIP requests.  A list is walked
 * with entry_sum_in_sgl and next_dma alone, as the chip does, for at most
 * HISI_SGL_BLOCKS_MAX blocks: that is where a list that loops ends.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/compiler.h"
#include "chip/qm/zip_buffers.h"
#include "hw/hisi_zip_hw.h"

#define PAGE_BYTES 4096u /* the least there is */

uint8_t *zip_scratch_get(struct zip_scratch *s, size_t bytes)
{
	/* Coarse steps, so that slowly growing requests do not allocate each time. */
	size_t room = base_align_up(bytes ? bytes : 1, 64 << 10);

	if (bytes <= s->room && s->bytes)
		return s->bytes;
	free(s->bytes);
	s->bytes = malloc(room + ZIP_SLACK_BYTES);
	s->room = s->bytes ? room : 0;
	return s->bytes;
}

void zip_scratch_fini(struct zip_scratch *s)
{
	free(s->bytes);
	s->bytes = NULL;
	s->room = 0;
}

void zip_buffers_fini(struct zip_buffers *b)
{
	zip_scratch_fini(&b->src);
	zip_scratch_fini(&b->dst);
	free(b->segments);
	b->segments = NULL;
	b->segments_room = 0;
}

static uint32_t add_segment(struct zip_buffers *b, uint64_t addr, uint32_t bytes)
{
	if (b->nr_segments == b->segments_room) {
		size_t room = b->segments_room ? b->segments_room * 2 : HISI_SGL_ENTRIES_MAX;
		struct zip_segment *more = realloc(b->segments, room * sizeof(*more));

		if (!more)
			return HISI_ZIP_ST_INTERNAL;
		b->segments = more;
		b->segments_room = room;
	}
	b->segments[b->nr_segments++] = (struct zip_segment){ addr, bytes };
	return HISI_ZIP_ST_OK;
}

/* A walk in progress. */
struct sgl_walk {
	uint64_t skip;	 /* bytes still to be skipped */
	uint64_t need;	 /* bytes the list must still have */
	uint64_t usable; /* bytes still to be noted as segments; at most need */
};

static uint32_t walk_entry(struct zip_buffers *b, const struct hisi_sge *sge, struct sgl_walk *w)
{
	uint64_t addr = bytes_get_le64(&sge->buf);
	uint32_t len = bytes_get_le32(&sge->len);
	uint32_t status;

	if (!len || len > HISI_SGE_BYTES_MAX || addr + len < addr)
		return HISI_ZIP_ST_BAD_SGL;
	if (w->skip >= len) {
		w->skip -= len;
		return HISI_ZIP_ST_OK;
	}
	addr += w->skip;
	len -= (uint32_t)w->skip;
	w->skip = 0;
	if (w->usable) {
		uint32_t noted = (uint32_t)base_min_u64(len, w->usable);

		status = add_segment(b, addr, noted);
		if (status)
			return status;
		w->usable -= noted;
	}
	w->need -= base_min_u64(len, w->need);
	return HISI_ZIP_ST_OK;
}

/* Reads one block at *addr, and where the next one is to *addr. */
static uint32_t walk_block(struct zip_buffers *b, const struct dma_space *dma, uint64_t *addr,
			   struct sgl_walk *w)
{
	struct hisi_sgl_header header;
	uint32_t nr, status = HISI_ZIP_ST_OK;

	if (*addr % HISI_SGL_ALIGN)
		return HISI_ZIP_ST_BAD_SGL;
	if (dma_read(dma, *addr, &header, sizeof(header)))
		return HISI_ZIP_ST_BAD_ADDR;
	nr = bytes_get_le16(&header.entry_sum_in_sgl);
	if (nr > HISI_SGL_ENTRIES_MAX)
		return HISI_ZIP_ST_BAD_SGL;
	if (nr && dma_read(dma, *addr + sizeof(header), b->block, nr * sizeof(b->block[0])))
		return HISI_ZIP_ST_BAD_ADDR;
	for (uint32_t i = 0; i < nr && w->need && !status; i++)
		status = walk_entry(b, &b->block[i], w);
	*addr = bytes_get_le64(&header.next_dma);
	return status;
}

/* Finds @need bytes at @offset of the list and notes the first @usable of them. */
static uint32_t walk(struct zip_buffers *b, const struct dma_space *dma, uint64_t addr,
		     uint64_t offset, uint64_t need, uint64_t usable)
{
	struct sgl_walk w = { .skip = offset, .need = need, .usable = usable };
	uint32_t status;

	b->nr_segments = 0;
	for (unsigned int block = 0; block < HISI_SGL_BLOCKS_MAX && w.need; block++) {
		if (!addr && block)
			break;
		status = walk_block(b, dma, &addr, &w);
		if (status)
			return status;
	}
	return w.need ? HISI_ZIP_ST_BAD_SGL : HISI_ZIP_ST_OK;
}

/* The whole buffer as segments: one if it is flat. */
static uint32_t find_segments(struct zip_buffers *b, const struct dma_space *dma, bool is_sgl,
			      uint64_t addr, uint32_t offset, uint64_t need, uint64_t usable)
{
	if (is_sgl)
		return walk(b, dma, addr, offset, need, usable);
	b->nr_segments = 0;
	return add_segment(b, addr, (uint32_t)usable);
}

void zip_source_close(const struct dma_space *dma, struct zip_source *source)
{
	if (source->mapped)
		dma_unmap(dma, source->mapped, source->nr_bytes, false);
	source->mapped = NULL;
}

/* Whether reading a little behind @p could leave the last page that it lies in. */
static bool is_at_page_end(const struct zip_buffers *b, const uint8_t *p, size_t bytes)
{
	uintptr_t last = (uintptr_t)p + bytes - 1;

	return b->overread && (last ^ (last + b->overread)) & ~(uintptr_t)(PAGE_BYTES - 1);
}

uint32_t zip_source_open(struct zip_buffers *b, const struct dma_space *dma,
			 const struct zip_request *rq, struct zip_source *ret_source)
{
	struct zip_source *s = ret_source;
	uint8_t *p;
	uint32_t status;

	*s = (struct zip_source){ .bytes = b->nowhere, .nr_bytes = rq->src_bytes };
	if (!rq->src_bytes)
		return HISI_ZIP_ST_OK;
	status = find_segments(b, dma, rq->is_sgl, rq->src_addr, rq->src_offset, rq->src_bytes,
			       rq->src_bytes);
	if (status)
		return status;
	if (b->nr_segments == 1) {
		s->mapped = dma_map(dma, b->segments[0].addr, s->nr_bytes, false);
		if (s->mapped && !is_at_page_end(b, s->mapped, s->nr_bytes)) {
			s->bytes = s->mapped;
			return HISI_ZIP_ST_OK;
		}
		zip_source_close(dma, s);
	}
	p = zip_scratch_get(&b->src, s->nr_bytes);
	if (!p)
		return HISI_ZIP_ST_INTERNAL;
	s->bytes = p;
	for (size_t i = 0; i < b->nr_segments; i++) {
		if (dma_read(dma, b->segments[i].addr, p, b->segments[i].bytes))
			return HISI_ZIP_ST_BAD_ADDR;
		p += b->segments[i].bytes;
	}
	return HISI_ZIP_ST_OK;
}

uint32_t zip_dest_open(struct zip_buffers *b, const struct dma_space *dma,
		       const struct zip_request *rq, size_t usable, struct zip_dest *ret_dest)
{
	struct zip_dest *d = ret_dest;
	uint32_t status;

	usable = base_min_u64(base_min_u64(usable, rq->room), ZIP_DEST_MAX);
	*d = (struct zip_dest){ .bytes = b->nowhere, .room = usable };
	b->nr_segments = 0;
	if (!usable)
		return HISI_ZIP_ST_OK;
	status = find_segments(b, dma, rq->is_sgl, rq->dst_addr, rq->dst_offset, rq->room, usable);
	if (status)
		return status;
	if (b->nr_segments == 1) {
		d->mapped = dma_map(dma, b->segments[0].addr, usable, true);
		if (d->mapped) {
			d->bytes = d->mapped;
			d->mapped_bytes = usable;
			return HISI_ZIP_ST_OK;
		}
	}
	d->bytes = zip_scratch_get(&b->dst, usable);
	return d->bytes ? HISI_ZIP_ST_OK : HISI_ZIP_ST_INTERNAL;
}

uint32_t zip_dest_commit(struct zip_buffers *b, const struct dma_space *dma,
			 const struct zip_dest *dest, size_t bytes)
{
	const uint8_t *p = dest->bytes;

	if (dest->mapped)
		return HISI_ZIP_ST_OK;
	for (size_t i = 0; i < b->nr_segments && bytes; i++) {
		size_t n = base_min_u64(bytes, b->segments[i].bytes);

		if (dma_write(dma, b->segments[i].addr, p, n))
			return HISI_ZIP_ST_BAD_ADDR;
		p += n;
		bytes -= n;
	}
	return HISI_ZIP_ST_OK;
}

void zip_dest_close(const struct dma_space *dma, struct zip_dest *dest)
{
	if (dest->mapped)
		dma_unmap(dma, dest->mapped, dest->mapped_bytes, true);
	dest->mapped = NULL;
}

void zip_dest_flip_bit(struct zip_buffers *b, const struct dma_space *dma,
		       const struct zip_request *rq, uint32_t at)
{
	const struct zip_segment *last;
	uint64_t addr;
	uint8_t byte;

	if (find_segments(b, dma, rq->is_sgl, rq->dst_addr, rq->dst_offset, at + 1, at + 1))
		return;
	last = &b->segments[b->nr_segments - 1];
	addr = last->addr + last->bytes - 1;
	if (dma_read(dma, addr, &byte, sizeof(byte)))
		return;
	byte ^= 0x10;
	dma_write(dma, addr, &byte, sizeof(byte));
}

uint32_t zip_source_separate(struct zip_buffers *b, const struct dma_space *dma,
			     const struct zip_dest *dest, struct zip_source *source)
{
	uintptr_t s = (uintptr_t)source->bytes, d = (uintptr_t)dest->bytes;
	uint8_t *copy;

	if (!source->mapped || !dest->mapped || s >= d + dest->room || d >= s + source->nr_bytes)
		return HISI_ZIP_ST_OK;
	copy = zip_scratch_get(&b->src, source->nr_bytes);
	if (!copy)
		return HISI_ZIP_ST_INTERNAL;
	memcpy(copy, source->bytes, source->nr_bytes);
	zip_source_close(dma, source);
	source->bytes = copy;
	return HISI_ZIP_ST_OK;
}

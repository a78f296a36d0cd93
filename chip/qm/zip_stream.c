/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Stateful ZIP requests.  A compress stream lies wholly in its context, window
 * and all, so that it may go on at another queue or another chip; running sums
 * travel in the SQE.  An inflate stream's context only names a state in the
 * engine's table.  The context is written last: a piece that fails leaves it
 * as it was, and the piece may be sent again.
 */
#include <string.h>

#include "base/compiler.h"
#include "chip/qm/zip_stored.h"
#include "chip/qm/zip_stream.h"
#include "chip/qm/zip_sums.h"

static bool is_header_sound(const struct zip_context_header *h, uint32_t kind)
{
	return h->magic == ZIP_CONTEXT_MAGIC && h->kind == kind &&
	       h->history_bytes <= ZIP_HISTORY_BYTES && h->history_end < ZIP_HISTORY_BYTES;
}

static uint32_t write_header(const struct dma_space *dma, uint64_t addr,
			     const struct zip_context_header *h)
{
	return dma_write(dma, addr, h, sizeof(*h)) ? HISI_ZIP_ST_BAD_ADDR : HISI_ZIP_ST_OK;
}

/* dma_write() for bytes that software may have placed anywhere, even where they go. */
static uint32_t write_foreign(const struct dma_space *dma, uint64_t addr, const uint8_t *bytes,
			      size_t n)
{
	void *p = n ? dma_map(dma, addr, n, true) : NULL;

	if (p) {
		memmove(p, bytes, n);
		dma_unmap(dma, p, n, true);
	} else if (n && dma_write(dma, addr, bytes, n)) {
		return HISI_ZIP_ST_BAD_ADDR;
	}
	return HISI_ZIP_ST_OK;
}

/* ------------------------------------------------------------- compress */

/* The ring as memory: in place, else a copy of it.  *ret_mapped: what to unmap, if anything. */
static uint32_t open_ring(struct zip_queue *q, const struct dma_space *dma, uint64_t addr,
			  uint32_t valid_bytes, const uint8_t **ret_ring, void **ret_mapped)
{
	uint8_t *copy;

	*ret_mapped = NULL;
	if (!valid_bytes) {
		*ret_ring = NULL;
		return HISI_ZIP_ST_OK;
	}
	*ret_mapped = dma_map(dma, addr, ZIP_HISTORY_BYTES, false);
	*ret_ring = *ret_mapped;
	if (*ret_mapped)
		return HISI_ZIP_ST_OK;
	copy = zip_scratch_get(&q->ring, ZIP_HISTORY_BYTES);
	if (!copy)
		return HISI_ZIP_ST_INTERNAL;
	*ret_ring = copy;
	return dma_read(dma, addr, copy, ZIP_HISTORY_BYTES) ? HISI_ZIP_ST_BAD_ADDR : HISI_ZIP_ST_OK;
}

/* Appends the last bytes of a piece to the ring at @addr. */
static uint32_t append_history(const struct dma_space *dma, uint64_t addr,
			       struct zip_context_header *h, const uint8_t *in, size_t bytes)
{
	size_t n = base_min_u64(bytes, ZIP_HISTORY_BYTES), before_end;

	in += bytes - n;
	before_end = base_min_u64(n, ZIP_HISTORY_BYTES - h->history_end);
	if (write_foreign(dma, addr + h->history_end, in, before_end) ||
	    write_foreign(dma, addr, in + before_end, n - before_end))
		return HISI_ZIP_ST_BAD_ADDR;
	h->history_end = (uint32_t)(h->history_end + n) % ZIP_HISTORY_BYTES;
	h->history_bytes = (uint32_t)base_min_u64(h->history_bytes + n, ZIP_HISTORY_BYTES);
	return HISI_ZIP_ST_OK;
}

static uint32_t compress_header(struct zip_queue *q, const struct dma_space *dma,
				const struct zip_request *rq, struct zip_context_header *h)
{
	memset(h, 0, sizeof(*h));
	if (!rq->is_new) {
		if (dma_read(dma, rq->ctx_addr, h, sizeof(*h)))
			return HISI_ZIP_ST_BAD_ADDR;
		if (!is_header_sound(h, ZIP_CONTEXT_COMPRESS))
			return HISI_ZIP_ST_STATE_LOST;
		return h->format == rq->format ? HISI_ZIP_ST_OK : HISI_ZIP_ST_BAD_FIELD;
	}
	h->magic = ZIP_CONTEXT_MAGIC;
	h->kind = ZIP_CONTEXT_COMPRESS;
	h->engine = q->states->engine;
	h->format = rq->format;
	return HISI_ZIP_ST_OK;
}

/* The codec's part and the trailer, into opened buffers. */
static uint32_t compress_piece(struct zip_queue *q, const struct zip_request *rq,
			       const struct zip_history *history, uint64_t piece,
			       const struct zip_source *source, const struct zip_dest *dest,
			       struct zip_answer *a)
{
	const uint32_t trailer = rq->is_finish ? zip_trailer_bytes(rq->format) : 0;
	uint32_t status, sum, level, isize = rq->is_new ? 0 : rq->isize;
	size_t made = 0;

	sum = rq->is_new ? zip_sum_init(rq->format) : zip_sum_from_word(rq->format, rq->checksum);
	if (dest->room < trailer)
		return HISI_ZIP_ST_NO_ROOM;
	status = zip_deflate_piece(&q->deflate, rq->level, rq->window, history, piece,
				   rq->is_finish, source->bytes, source->nr_bytes, dest->bytes,
				   dest->room - trailer, &made, &level);
	if (status)
		return status;
	sum = zip_sum_update(rq->format, sum, source->bytes, source->nr_bytes);
	isize += (uint32_t)source->nr_bytes;
	if (trailer)
		zip_trailer_write(dest->bytes + made, rq->format, sum, isize);
	a->consumed = (uint32_t)source->nr_bytes;
	a->produced = (uint32_t)made + trailer;
	a->level = level;
	a->isize = isize;
	a->checksum = zip_sum_to_word(rq->format, sum);
	a->has_sums = true;
	return HISI_ZIP_ST_OK;
}

/* What the context becomes after a piece whose output is delivered. */
static uint32_t compress_save(const struct dma_space *dma, const struct zip_request *rq,
			      const struct zip_source *source, uint64_t piece,
			      struct zip_context_header *h, uint64_t engine)
{
	uint32_t status = HISI_ZIP_ST_OK;

	if (rq->is_finish)
		h->kind = ZIP_CONTEXT_ENDED;
	else
		status = append_history(dma, rq->ctx_addr + ZIP_CONTEXT_HISTORY, h, source->bytes,
					source->nr_bytes);
	h->engine = engine;
	h->piece = piece;
	return status ? status : write_header(dma, rq->ctx_addr, h);
}

static uint32_t compress_open(struct zip_queue *q, const struct dma_space *dma,
			      const struct zip_request *rq, struct zip_source *source,
			      struct zip_dest *dest)
{
	const size_t bound = zip_stored_bytes(rq->src_bytes) + ZIP_TRAILER_MAX;
	uint32_t status = zip_source_open(&q->buffers, dma, rq, source);

	if (!status)
		status = zip_dest_open(&q->buffers, dma, rq, bound, dest);
	return status ? status : zip_source_separate(&q->buffers, dma, dest, source);
}

uint32_t zip_stream_compress(struct zip_queue *q, const struct dma_space *dma,
			     const struct zip_request *rq, struct zip_answer *a)
{
	const uint64_t piece = zip_states_next_piece(q->states);
	struct zip_source source = { 0 };
	struct zip_dest dest = { 0 };
	struct zip_context_header h;
	struct zip_history history;
	void *mapped_ring;
	uint32_t status;

	if (rq->ctx_addr + ZIP_CONTEXT_USED < rq->ctx_addr)
		return HISI_ZIP_ST_BAD_ADDR;
	status = compress_header(q, dma, rq, &h);
	if (status)
		return status;
	history.nr_bytes = h.history_bytes;
	history.end = h.history_end;
	history.piece = h.engine == q->states->engine ? h.piece : 0;
	status = open_ring(q, dma, rq->ctx_addr + ZIP_CONTEXT_HISTORY, h.history_bytes,
			   &history.ring, &mapped_ring);
	if (status)
		return status;
	status = compress_open(q, dma, rq, &source, &dest);
	if (!status)
		status = compress_piece(q, rq, &history, piece, &source, &dest, a);
	if (!status)
		status = zip_dest_commit(&q->buffers, dma, &dest, a->produced);
	if (mapped_ring)
		dma_unmap(dma, mapped_ring, ZIP_HISTORY_BYTES, false);
	if (!status)
		status = compress_save(dma, rq, &source, piece, &h, q->states->engine);
	zip_dest_close(dma, &dest);
	zip_source_close(dma, &source);
	return status;
}

/* -------------------------------------------------------------- inflate */

/* Lets go of the state that a context is about to forget. */
static void forget_state(struct zip_states *t, const struct zip_context_header *h)
{
	if (is_header_sound(h, ZIP_CONTEXT_INFLATE) && zip_states_get(t, h))
		zip_states_drop(t, h->slot);
}

/* Fills @h and returns the stream's state, busy, or NULL with *ret_status set. */
static struct zip_inflate_state *inflate_begin(struct zip_states *t, const struct dma_space *dma,
					       const struct zip_request *rq,
					       struct zip_context_header *h, uint32_t *ret_status)
{
	struct zip_inflate_state *state;

	*ret_status = HISI_ZIP_ST_BAD_ADDR;
	if (rq->ctx_addr + ZIP_CONTEXT_USED < rq->ctx_addr ||
	    dma_read(dma, rq->ctx_addr, h, sizeof(*h)))
		return NULL;
	if (rq->is_new) {
		forget_state(t, h);
		memset(h, 0, sizeof(*h));
		*ret_status = HISI_ZIP_ST_INTERNAL;
		state = zip_states_create(t, &h->slot);
		if (!state)
			return NULL;
		zip_inflate_state_init(state, rq->format);
		h->magic = ZIP_CONTEXT_MAGIC;
		h->kind = ZIP_CONTEXT_INFLATE;
		h->engine = t->engine;
		h->format = rq->format;
		return state;
	}
	*ret_status = HISI_ZIP_ST_STATE_LOST;
	if (!is_header_sound(h, ZIP_CONTEXT_INFLATE))
		return NULL;
	state = zip_states_get(t, h);
	if (state && state->format != rq->format) {
		zip_states_put(t, h->slot, h->piece);
		*ret_status = HISI_ZIP_ST_BAD_FIELD;
		return NULL;
	}
	return state;
}

/* Decides what becomes of the state: kept under a new number, or dropped. */
static uint32_t inflate_end(struct zip_states *t, const struct dma_space *dma,
			    const struct zip_request *rq, struct zip_context_header *h,
			    uint32_t status)
{
	const uint32_t slot = h->slot;

	h->piece = zip_states_next_piece(t);
	if (status != HISI_ZIP_ST_OK)
		h->kind = ZIP_CONTEXT_ENDED;
	if (write_header(dma, rq->ctx_addr, h) &&
	    (status == HISI_ZIP_ST_OK || status == HISI_ZIP_ST_END))
		status = HISI_ZIP_ST_BAD_ADDR;
	if (status != HISI_ZIP_ST_OK)
		zip_states_drop(t, slot);
	else
		zip_states_put(t, slot, h->piece);
	return status;
}

uint32_t zip_stream_inflate(struct zip_queue *q, const struct dma_space *dma,
			    const struct zip_request *rq, struct zip_answer *a)
{
	struct zip_source source = { 0 };
	struct zip_dest dest = { 0 };
	struct zip_context_header h;
	struct zip_inflate_state *state;
	uint32_t status, delivered;

	state = inflate_begin(q->states, dma, rq, &h, &status);
	if (!state)
		return status;
	status = zip_source_open(&q->buffers, dma, rq, &source);
	if (!status)
		status = zip_dest_open(&q->buffers, dma, rq, rq->room, &dest);
	if (!status)
		status = zip_source_separate(&q->buffers, dma, &dest, &source);
	if (status) {
		/* Nothing was decoded: the stream stays as it was, or never began. */
		if (rq->is_new)
			zip_states_drop(q->states, h.slot);
		else
			zip_states_put(q->states, h.slot, h.piece);
		goto out_close;
	}
	status = zip_inflate_piece(state, source.bytes, source.nr_bytes, dest.bytes, dest.room, a);
	delivered = zip_dest_commit(&q->buffers, dma, &dest, a->produced);
	status = inflate_end(q->states, dma, rq, &h, delivered ? delivered : status);
out_close:
	zip_dest_close(dma, &dest);
	zip_source_close(dma, &source);
	return status;
}

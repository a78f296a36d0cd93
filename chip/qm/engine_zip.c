/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The ZIP engine: reads the fields of an SQE of type 3, refuses what hardware
 * would, has the request served, and writes the result words.  Deflate only:
 * LZ77-only, LZ4 and storage requests are refused.  The work is in zip_*.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/compiler.h"
#include "chip/qm/engine.h"
#include "chip/qm/zip_stored.h"
#include "chip/qm/zip_stream.h"
#include "hw/hisi_zip_hw.h"

struct zip_engine {
	bool is_strict;
	struct zip_states states;
};

/* A code that neither the hardware's description nor this model knows. */
#define ST_UNHEARD_OF 0x7fu

#define DW7_TYPE_MASK (0xfu << HISI_ZIP_DW7_TYPE_SHIFT)
#define DW7_TYPE3     (HISI_ZIP_DW7_TYPE3 << HISI_ZIP_DW7_TYPE_SHIFT)

static uint64_t join64(const __le32 *low, const __le32 *high)
{
	return (uint64_t)bytes_get_le32(high) << 32 | bytes_get_le32(low);
}

/* Asks for nothing; common enough in measuring queues to be told from three words. */
static bool is_bypass(const struct hisi_zip_sqe *sqe)
{
	uint32_t dw7 = bytes_get_le32(&sqe->dw7);

	return (dw7 & (DW7_TYPE_MASK | HISI_ZIP_DW7_STATEFUL)) == DW7_TYPE3 &&
	       !bytes_get_le32(&sqe->input_data_length) &&
	       bytes_get_le32(&sqe->dest_avail_out) == HISI_ZIP_BYPASS_AVAIL;
}

/* Splits the SQE into @rq; false when a field is refused. */
static bool decode_sqe(const struct zip_queue *q, const struct hisi_zip_sqe *sqe,
		       struct zip_request *rq)
{
	const uint32_t dw7 = bytes_get_le32(&sqe->dw7), dw9 = bytes_get_le32(&sqe->dw9);
	const uint32_t reserved = q->is_strict ? HISI_ZIP_DW9_RSVD_MASK :
						 HISI_ZIP_DW9_RSVD_LEVELS_MASK;
	const uint32_t buf_type = bytes_field_get(dw9, HISI_ZIP_DW9_BUF_TYPE_SHIFT, 4);

	rq->src_addr = join64(&sqe->source_addr_l, &sqe->source_addr_h);
	rq->dst_addr = join64(&sqe->dest_addr_l, &sqe->dest_addr_h);
	rq->ctx_addr = join64(&sqe->stream_ctx_addr_l, &sqe->stream_ctx_addr_h);
	rq->src_offset = dw7 & HISI_ZIP_DW7_IN_OFFSET_MASK;
	rq->dst_offset = bytes_get_le32(&sqe->dw8) & HISI_ZIP_DW8_OUT_OFFSET_MASK;
	rq->src_bytes = bytes_get_le32(&sqe->input_data_length);
	rq->room = bytes_get_le32(&sqe->dest_avail_out);
	rq->format = dw9 & HISI_ZIP_DW9_REQ_TYPE_MASK;
	rq->level = bytes_field_get(dw9, HISI_ZIP_DW9_LEVEL_SHIFT, 4);
	rq->window = bytes_field_get(dw9, HISI_ZIP_DW9_WINDOW_SHIFT, 4);
	rq->isize = bytes_get_le32(&sqe->isize);
	rq->checksum = bytes_get_le32(&sqe->checksum);
	rq->is_sgl = buf_type == HISI_ZIP_BUF_SGL;
	rq->is_stateful = dw7 & HISI_ZIP_DW7_STATEFUL;
	rq->is_new = dw7 & HISI_ZIP_DW7_STREAM_NEW;
	rq->is_finish = dw7 & HISI_ZIP_DW7_FINISH;

	if ((dw7 & DW7_TYPE_MASK) != DW7_TYPE3 || (dw7 & HISI_ZIP_DW7_RSVD) || (dw9 & reserved))
		return false;
	if (rq->format < HISI_ZIP_REQ_DEFLATE || rq->format > HISI_ZIP_REQ_GZIP ||
	    buf_type > HISI_ZIP_BUF_SGL)
		return false;
	if (rq->src_bytes > HISI_ZIP_FLAT_MAX || (!rq->is_sgl && rq->room > HISI_ZIP_FLAT_MAX))
		return false;
	/* Only compression looks at these: software leaves them 0 to inflate, or does not care. */
	return q->is_inflate ||
	       (rq->window <= HISI_ZIP_WINDOW_32K && rq->level <= ZIP_LEVEL_SMALLEST);
}

/* One finished stream per request, sums and trailer included. */
static uint32_t compress_whole(struct zip_queue *q, const struct zip_request *rq,
			       const struct zip_source *source, const struct zip_dest *dest,
			       struct zip_answer *a)
{
	const uint32_t trailer = zip_trailer_bytes(rq->format);
	uint32_t status, sum;
	size_t made = 0;

	if (dest->room < trailer)
		return HISI_ZIP_ST_NO_ROOM;
	status = zip_deflate_whole(&q->deflate, rq->level, rq->window, source->bytes,
				   source->nr_bytes, dest->bytes, dest->room - trailer, &made);
	if (status)
		return status;
	sum = zip_sum_update(rq->format, zip_sum_init(rq->format), source->bytes, source->nr_bytes);
	zip_trailer_write(dest->bytes + made, rq->format, sum, rq->src_bytes);
	a->consumed = rq->src_bytes;
	a->produced = (uint32_t)made + trailer;
	a->level = zip_deflate_served_level(rq->level, rq->window, source->nr_bytes, false);
	a->isize = rq->src_bytes;
	a->checksum = zip_sum_to_word(rq->format, sum);
	a->has_sums = true;
	return HISI_ZIP_ST_OK;
}

static uint32_t serve_stateless(struct zip_queue *q, const struct dma_space *dma,
				const struct zip_request *rq, struct zip_answer *a)
{
	size_t usable = rq->room;
	struct zip_source source = { 0 };
	struct zip_dest dest = { 0 };
	uint32_t status, delivered;

	/* Beyond the bound nothing is ever written; a little more saves codecs a second try. */
	if (!q->is_inflate)
		usable = zip_stored_bytes(rq->src_bytes) + 4 * ZIP_TRAILER_MAX;
	status = zip_source_open(&q->buffers, dma, rq, &source);
	if (!status)
		status = zip_dest_open(&q->buffers, dma, rq, usable, &dest);
	if (!status)
		status = zip_source_separate(&q->buffers, dma, &dest, &source);
	if (!status) {
		if (q->is_inflate)
			status = zip_inflate_whole(&q->inflate, rq->format, source.bytes,
						   source.nr_bytes, dest.bytes, dest.room, a);
		else
			status = compress_whole(q, rq, &source, &dest, a);
		/* Also what an inflate made before it failed. */
		delivered = zip_dest_commit(&q->buffers, dma, &dest, a->produced);
		status = delivered ? delivered : status;
	}
	zip_dest_close(dma, &dest);
	zip_source_close(dma, &source);
	return status;
}

static uint32_t serve_request(struct zip_queue *q, const struct dma_space *dma,
			      const struct zip_request *rq, struct zip_answer *a)
{
	uint32_t status;

	if (!rq->is_stateful)
		status = serve_stateless(q, dma, rq, a);
	else if (q->is_inflate)
		status = zip_stream_inflate(q, dma, rq, a);
	else
		status = zip_stream_compress(q, dma, rq, a);
	if (q->is_inflate)
		return status;
	/* A compression that failed has kept nothing, and what it put down counts for nothing. */
	if (status)
		*a = (struct zip_answer){ 0 };
	return !status && a->produced > a->consumed ? HISI_ZIP_ST_NEG_COMP : status;
}

/* The result words.  Sums of a failed piece stay, so that it may be sent again. */
static void encode_answer(const struct zip_queue *q, struct hisi_zip_sqe *sqe, uint32_t status,
			  const struct zip_answer *a)
{
	bytes_put_le32(&sqe->consumed, a->consumed);
	bytes_put_le32(&sqe->produced, a->produced);
	bytes_put_le32(&sqe->comp_data_length, q->is_strict ? 0 : a->level);
	bytes_put_le32(&sqe->dw3, status | (a->is_last_block ? HISI_ZIP_DW3_LAST_BLOCK : 0));
	bytes_put_le32(&sqe->ctx_dw0, a->ctx_dw0);
	bytes_put_le32(&sqe->ctx_dw1, 0);
	bytes_put_le32(&sqe->ctx_dw2, 0);
	if (a->has_sums) {
		bytes_put_le32(&sqe->isize, a->isize);
		bytes_put_le32(&sqe->checksum, a->checksum);
	}
}

static void zip_serve(void *engine_queue, const struct dma_space *dma, void *sqe_bytes,
		      struct engine_result *result)
{
	struct zip_queue *q = engine_queue;
	struct hisi_zip_sqe *sqe = sqe_bytes;
	struct zip_answer answer = { 0 };
	struct zip_request rq;
	uint32_t status;

	if (is_bypass(sqe)) {
		memset(sqe, 0, offsetof(struct hisi_zip_sqe, input_data_length));
		*result = (struct engine_result){ 0 };
		return;
	}
	if (decode_sqe(q, sqe, &rq))
		status = serve_request(q, dma, &rq, &answer);
	else
		status = HISI_ZIP_ST_BAD_FIELD;
	encode_answer(q, sqe, status, &answer);
	*result = (struct engine_result){
		.status = status,
		.is_error = status != HISI_ZIP_ST_OK && status != HISI_ZIP_ST_NEG_COMP &&
			    status != HISI_ZIP_ST_END,
		.is_lost_stream = status == HISI_ZIP_ST_STATE_LOST,
		.bytes_in = answer.consumed,
		.bytes_out = answer.produced,
	};
}

/* Setting up, headers and scatter lists of any request: as for the smallest ones. */
#define REQUEST_NS 1000u

static void zip_forecast(const void *engine_queue, const void *sqe,
			 struct engine_forecast *ret_forecast)
{
	const struct zip_queue *q = engine_queue;
	struct zip_request rq;

	*ret_forecast = (struct engine_forecast){ 0 };
	if (is_bypass(sqe) || !decode_sqe(q, sqe, &rq))
		return;
	ret_forecast->bytes_in = rq.src_bytes;
	ret_forecast->ns = REQUEST_NS;
	if (q->is_inflate)
		ret_forecast->ns += zip_inflate_ns(rq.src_bytes, rq.room);
	else
		ret_forecast->ns +=
			zip_deflate_ns(rq.level, rq.window, rq.src_bytes, rq.is_stateful);
}

/* Words of a stream's state stay, so that the piece may be sent again. */
static void zip_fail(void *sqe_bytes, struct engine_result *result)
{
	struct hisi_zip_sqe *sqe = sqe_bytes;

	bytes_put_le32(&sqe->consumed, 0);
	bytes_put_le32(&sqe->produced, 0);
	bytes_put_le32(&sqe->comp_data_length, 0);
	bytes_put_le32(&sqe->dw3, ST_UNHEARD_OF);
	*result = (struct engine_result){ .status = ST_UNHEARD_OF, .is_error = true };
}

static void zip_exceed(void *sqe_bytes, uint64_t nth)
{
	struct hisi_zip_sqe *sqe = sqe_bytes;
	uint32_t room = bytes_get_le32(&sqe->dest_avail_out);
	uint32_t src_bytes = bytes_get_le32(&sqe->input_data_length);

	bytes_put_le32(&sqe->consumed, nth % 2 ? UINT32_MAX : src_bytes + 1);
	bytes_put_le32(&sqe->produced, nth % 2 || room == UINT32_MAX ? UINT32_MAX : room + 1);
}

static void zip_spoil(void *engine_queue, const struct dma_space *dma, const void *sqe,
		      uint64_t bytes)
{
	struct zip_queue *q = engine_queue;
	struct zip_request rq;

	if (bytes && decode_sqe(q, sqe, &rq))
		zip_dest_flip_bit(&q->buffers, dma, &rq, (uint32_t)(bytes / 2));
}

static int zip_create(uint32_t chip_flags, void **ret_engine)
{
	struct zip_engine *e = calloc(1, sizeof(*e));
	int ret;

	if (!e)
		return -ENOMEM;
	e->is_strict = chip_flags & CHIP_F_STRICT;
	ret = zip_states_init(&e->states);
	if (ret) {
		free(e);
		return ret;
	}
	*ret_engine = e;
	return 0;
}

static void zip_destroy(void *engine)
{
	struct zip_engine *e = engine;

	if (!e)
		return;
	zip_states_fini(&e->states);
	free(e);
}

static int zip_queue_create(void *engine, uint32_t qc_type, void **ret_queue)
{
	struct zip_engine *e = engine;
	struct zip_queue *q;

	if (qc_type > HISI_ZIP_QC_DECOMPRESS)
		return -EINVAL;
	q = calloc(1, sizeof(*q));
	if (!q)
		return -ENOMEM;
	q->states = &e->states;
	q->is_strict = e->is_strict;
	q->is_inflate = qc_type == HISI_ZIP_QC_DECOMPRESS;
	q->buffers.overread = q->is_inflate ? 0 : ZIP_DEFLATE_OVERREAD;
	*ret_queue = q;
	return 0;
}

static void zip_queue_destroy(void *engine_queue)
{
	struct zip_queue *q = engine_queue;

	if (!q)
		return;
	zip_buffers_fini(&q->buffers);
	zip_deflate_fini(&q->deflate);
	zip_inflate_fini(&q->inflate);
	zip_scratch_fini(&q->ring);
	free(q);
}

const struct engine_ops engine_zip_ops = {
	.sqe_bytes = HISI_ZIP_SQE_BYTES,
	.nr_qc_types = 2,
	.create = zip_create,
	.destroy = zip_destroy,
	.queue_create = zip_queue_create,
	.queue_destroy = zip_queue_destroy,
	.serve = zip_serve,
	.forecast = zip_forecast,
	.fail = zip_fail,
	.exceed = zip_exceed,
	.spoil = zip_spoil,
};

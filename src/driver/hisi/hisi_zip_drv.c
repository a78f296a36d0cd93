/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The ZIP engine, SQE type 3: struct wd_comp_req to SQE, finished SQE to
 * result.  Facts: user ABI section 3.  Rings are hisi_qm_ring.h's.
 */
#include <stdlib.h>
#include <string.h>

#include <wd/comp.h>
#include <wd/driver.h>

#include "driver/hisi/hisi_qm_ring.h"
#include "driver/hisi/hisi_sgl_drv.h"
#include "hw/hisi_zip_hw.h"

#define API_PREFIX	  "hisi_qm_v"
#define API_TYPE3	  3 /* first interface version with SQE type 3 */
#define WINDOW_BITS_MIN	  12
#define WINDOW_BITS_MAX	  15
#define BITS_TO_WINDOW(b) ((b) == WINDOW_BITS_MAX ? HISI_ZIP_WINDOW_32K : (b)-WINDOW_BITS_MIN)

/* The scatter lists of one slot; allocated when a slot first needs them. */
struct zip_slot_sgl {
	struct hisi_sgl src;
	struct hisi_sgl dst;
};

/* What the request of a slot has mapped beside lists, where the device does not take any pointer. */
struct zip_slot_maps {
	struct wd_mapping src;
	struct wd_mapping dst;
	struct wd_mapping ctx;
};

struct zip_queue {
	struct hisi_qm_ring ring;
	uint16_t op; /* the one its qc_type is for */
	bool has_levels;
	struct zip_slot_maps *maps; /* one per slot; NULL: the device takes any pointer */
	struct wd_port *port;	    /* for them, NULL likewise */
	struct zip_slot_sgl *sgl;   /* one per slot, NULL until the first scattered request */
};

static int zip_probe(const char *api)
{
	size_t n = strlen(API_PREFIX);

	/* The digits after the prefix; a suffix such as "_noiommu" does no harm. */
	if (strncmp(api, API_PREFIX, n) || atoi(api + n) < API_TYPE3)
		return -EOPNOTSUPP;
	return 0;
}

static int zip_open(void *queue, struct wd_port *port, const struct wd_capa *capa, uint32_t *depth)
{
	struct zip_queue *zq = queue;
	uint32_t qc_type;
	int err;

	if (!(port->flags & WD_CAPA_F_SVA) && !port->memory)
		return -EOPNOTSUPP;
	if (capa->op != WD_OP_COMPRESS && capa->op != WD_OP_DECOMPRESS)
		return -EOPNOTSUPP;
	qc_type = capa->op == WD_OP_COMPRESS ? HISI_ZIP_QC_COMPRESS : HISI_ZIP_QC_DECOMPRESS;
	zq->op = (uint16_t)capa->op;
	zq->has_levels = port->flags & WD_CAPA_F_LEVELS;
	err = hisi_qm_ring_open(&zq->ring, port, qc_type, HISI_ZIP_SQE_BYTES, depth);
	if (err || !port->memory)
		return err;
	zq->port = port;
	zq->maps = calloc(zq->ring.sq_depth, sizeof(*zq->maps));
	if (zq->maps)
		return 0;
	hisi_qm_ring_close(&zq->ring);
	return -ENOMEM;
}

static void zip_close(void *queue)
{
	struct zip_queue *zq = queue;
	uint32_t i;

	for (i = 0; zq->sgl && i < zq->ring.sq_depth; i++) {
		hisi_sgl_fini(&zq->sgl[i].src);
		hisi_sgl_fini(&zq->sgl[i].dst);
	}
	free(zq->sgl);
	free(zq->maps);
	hisi_qm_ring_close(&zq->ring);
}

/* ---------------------------------------------------------------- encode */

static inline void put_addr(__le32 *low_high, uint64_t addr)
{
	low_high[0] = htole32((uint32_t)addr);
	low_high[1] = htole32((uint32_t)(addr >> 32));
}

/* The slot's own lists.  Returns NULL when there is no memory for them. */
static struct zip_slot_sgl *get_sgl(struct zip_queue *zq)
{
	struct zip_slot_sgl *sgl;

	if (!zq->sgl)
		zq->sgl = calloc(zq->ring.sq_depth, sizeof(*zq->sgl));
	if (!zq->sgl)
		return NULL;
	sgl = &zq->sgl[zq->ring.sq_tail];
	sgl->src.port = zq->port;
	sgl->dst.port = zq->port;
	return sgl;
}

/*
 * Scattered buffers: lists take the place of the pointers.  Mapped lists begin
 * where the data does: nothing before it is copied, there or back.
 */
static BASE_COLD int encode_sgl(struct zip_queue *zq, const struct wd_comp_req *req,
				struct hisi_zip_sqe *sqe)
{
	uint32_t src_skip = 0, dst_skip = 0;
	struct zip_slot_sgl *sgl;
	int err;

	if (!req->src || !req->dst || req->src_offset > HISI_ZIP_DW7_IN_OFFSET_MASK ||
	    req->dst_offset > HISI_ZIP_DW8_OUT_OFFSET_MASK)
		return -EINVAL;
	if (zq->maps) {
		src_skip = req->src_offset;
		dst_skip = req->dst_offset;
	}
	sgl = get_sgl(zq);
	if (!sgl)
		return -ENOMEM;
	err = hisi_sgl_fill(&sgl->src, req->src, req->src_nr, src_skip,
			    (uint64_t)req->src_offset - src_skip + req->src_len, WD_MAP_READ);
	if (err)
		return err;
	err = hisi_sgl_fill(&sgl->dst, req->dst, req->dst_nr, dst_skip,
			    (uint64_t)req->dst_offset - dst_skip + req->dst_len, WD_MAP_WRITE);
	if (err) {
		hisi_sgl_unmap(&sgl->src, NULL, 0);
		return err;
	}
	sqe->dw7 |= htole32(req->src_offset - src_skip);
	sqe->dw8 = htole32(req->dst_offset - dst_skip);
	sqe->dw9 |= htole32(HISI_ZIP_BUF_SGL << HISI_ZIP_DW9_BUF_TYPE_SHIFT);
	put_addr(&sqe->source_addr_l, sgl->src.addr);
	put_addr(&sqe->dest_addr_l, sgl->dst.addr);
	return 0;
}

static inline int encode_state(const struct wd_comp_req *req, struct hisi_zip_sqe *sqe)
{
	const struct wd_comp_state *state = req->state;
	uint32_t dw7 = HISI_ZIP_DW7_STATEFUL;

	if (!state->buf || (uintptr_t)state->buf % HISI_ZIP_CTX_OFFSET)
		return -EINVAL;
	if (!state->begun)
		dw7 |= HISI_ZIP_DW7_STREAM_NEW;
	if (req->flags & WD_COMP_F_FINISH)
		dw7 |= HISI_ZIP_DW7_FINISH;
	sqe->dw7 |= htole32(dw7);
	put_addr(&sqe->stream_ctx_addr_l, (uintptr_t)state->buf + HISI_ZIP_CTX_OFFSET);
	if (state->begun) {
		sqe->ctx_dw0 = htole32(state->word[0]);
		sqe->ctx_dw1 = htole32(state->word[1]);
		sqe->ctx_dw2 = htole32(state->word[2]);
		sqe->isize = htole32(state->size);
		sqe->checksum = htole32(state->checksum);
	}
	return 0;
}

/* Ends what the request of a slot has mapped; without @req it was not sent. */
static BASE_COLD void unmap_slot(struct zip_queue *zq, uint32_t slot, struct wd_req *req,
				 size_t produced, bool is_done)
{
	struct zip_slot_maps *m = &zq->maps[slot];

	if (zq->sgl) {
		hisi_sgl_unmap(&zq->sgl[slot].src, req, 0);
		hisi_sgl_unmap(&zq->sgl[slot].dst, req, produced);
	}
	if (!req) {
		wd_unmap_unsent(zq->port, &m->src);
		wd_unmap_unsent(zq->port, &m->dst);
		wd_unmap_unsent(zq->port, &m->ctx);
		return;
	}
	wd_unmap(zq->port, req, &m->src, 0);
	wd_unmap(zq->port, req, &m->dst, produced);
	wd_unmap(zq->port, req, &m->ctx, is_done ? HISI_ZIP_CTX_BYTES : 0);
}

/* Puts the addresses of what is mapped in the place of the pointers. */
static BASE_COLD int map_request(struct zip_queue *zq, const struct wd_comp_req *req,
				 struct hisi_zip_sqe *sqe)
{
	struct zip_slot_maps *m = &zq->maps[zq->ring.sq_tail];
	int err = 0;

	if (!(req->flags & WD_COMP_F_SGL)) {
		err = wd_map(zq->port, req->src, req->src_len, WD_MAP_READ, &m->src);
		if (!err)
			err = wd_map(zq->port, req->dst, req->dst_len, WD_MAP_WRITE, &m->dst);
		put_addr(&sqe->source_addr_l, m->src.addr);
		put_addr(&sqe->dest_addr_l, m->dst.addr);
	}
	if (!err && req->state) {
		err = wd_map(zq->port, (uint8_t *)req->state->buf + HISI_ZIP_CTX_OFFSET,
			     HISI_ZIP_CTX_BYTES, WD_MAP_READ | WD_MAP_WRITE, &m->ctx);
		put_addr(&sqe->stream_ctx_addr_l, m->ctx.addr);
	}
	if (err)
		unmap_slot(zq, zq->ring.sq_tail, NULL, 0, false);
	return err;
}

static inline int encode_request(struct zip_queue *zq, const struct wd_comp_req *req,
				 struct hisi_zip_sqe *sqe)
{
	uint32_t bits = req->window_bits ? req->window_bits : WINDOW_BITS_MAX;
	uint32_t avail = req->dst_len;
	uint32_t dw9 = req->format;
	int err = 0;

	if (req->format < WD_COMP_DEFLATE || req->format > WD_COMP_GZIP ||
	    req->src_len > WD_COMP_PIECE_MAX || req->dst_len > WD_COMP_PIECE_MAX ||
	    bits < WINDOW_BITS_MIN || bits > WINDOW_BITS_MAX ||
	    req->level > WD_COMP_LEVEL_SMALLEST || req->flags & ~(WD_COMP_F_FINISH | WD_COMP_F_SGL))
		return -EINVAL;
	if (zq->op == WD_OP_COMPRESS) {
		dw9 |= BITS_TO_WINDOW(bits) << HISI_ZIP_DW9_WINDOW_SHIFT;
		/* Silicon has no levels: the bits are reserved there. */
		if (zq->has_levels)
			dw9 |= (uint32_t)req->level << HISI_ZIP_DW9_LEVEL_SHIFT;
	}
	/* No input and just this room would ask the device for nothing. */
	if (!req->src_len && !req->state && avail == HISI_ZIP_BYPASS_AVAIL)
		avail--;
	sqe->input_data_length = htole32(req->src_len);
	sqe->dest_avail_out = htole32(avail);
	sqe->dw7 = htole32(HISI_ZIP_DW7_TYPE3 << HISI_ZIP_DW7_TYPE_SHIFT);
	sqe->dw9 = htole32(dw9);
	if (req->state) {
		err = encode_state(req, sqe);
		if (err)
			return err;
	}
	if (base_unlikely(req->flags & WD_COMP_F_SGL)) {
		err = encode_sgl(zq, req, sqe);
	} else {
		if ((!req->src && req->src_len) || (!req->dst && avail))
			return -EINVAL;
		put_addr(&sqe->source_addr_l, (uintptr_t)req->src);
		put_addr(&sqe->dest_addr_l, (uintptr_t)req->dst);
	}
	if (base_unlikely(zq->maps != NULL) && !err)
		err = map_request(zq, req, sqe);
	return err;
}

/* In vectors: for a memset of this size compilers choose a string instruction, 30 cycles. */
static inline void clear_sqe(struct hisi_zip_sqe *sqe)
{
	typedef uint64_t vector __attribute__((vector_size(16), may_alias));
	volatile vector *p = (volatile vector *)(void *)sqe;
	unsigned int i;

#pragma GCC unroll 8
	for (i = 0; i < HISI_ZIP_SQE_BYTES / sizeof(vector); i++)
		p[i] = (vector){ 0 };
}

static inline void encode_nop(struct hisi_zip_sqe *sqe)
{
	sqe->dest_avail_out = htole32(HISI_ZIP_BYPASS_AVAIL);
	sqe->dw7 = htole32(HISI_ZIP_DW7_TYPE3 << HISI_ZIP_DW7_TYPE_SHIFT);
	sqe->dw9 = htole32(HISI_ZIP_REQ_GZIP);
}

/* Every request struct begins with its head: NOP needs no more than that. */
static inline const struct wd_comp_req *comp_req_of(const struct wd_req *req)
{
	return base_container_of(req, const struct wd_comp_req, head);
}

static int zip_send(void *queue, struct wd_req *const *reqs, unsigned int nr)
{
	struct zip_queue *zq = queue;
	struct hisi_qm_ring *r = &zq->ring;
	unsigned int n;
	int err = -EAGAIN;

	if (hisi_qm_is_disabled(r->ds_tx) || r->is_broken)
		return -ENODEV;
	for (n = 0; n < nr && hisi_qm_has_room(r); n++) {
		struct wd_req *req = reqs[n];
		struct hisi_zip_sqe *sqe =
			(struct hisi_zip_sqe *)(void *)(r->sq +
							(size_t)r->sq_tail * HISI_ZIP_SQE_BYTES);

		clear_sqe(sqe);
		if (req->op == WD_OP_NOP) {
			encode_nop(sqe);
		} else {
			err = req->op != zq->op ? -EOPNOTSUPP :
						  encode_request(zq, comp_req_of(req), sqe);
			if (base_unlikely(err))
				break;
		}
		sqe->tag_l = htole32(hisi_qm_next_tag(r));
		hisi_qm_push(r, req);
	}
	if (base_unlikely(zq->maps != NULL) && !n)
		err = wd_map_error(err, r->sq_oldest != r->sq_tail);
	/*
	 * A full ring is published whatever was said: room comes only from what was.
	 * The same goes for memory of copies.
	 */
	if ((n && !(reqs[n - 1]->flags & WD_REQ_F_MORE)) || !hisi_qm_has_room(r) ||
	    base_unlikely(n < nr && err == -EAGAIN))
		hisi_qm_publish(r);
	return n ? (int)n : err;
}

static int zip_flush(void *queue)
{
	struct zip_queue *zq = queue;

	if (hisi_qm_is_disabled(zq->ring.ds_tx) || zq->ring.is_broken)
		return -ENODEV;
	hisi_qm_publish(&zq->ring);
	return 0;
}

/* ---------------------------------------------------------------- decode */

static uint32_t decode_status(const struct wd_comp_req *req, const struct hisi_zip_sqe *sqe)
{
	uint32_t dw3 = le32toh(sqe->dw3);
	uint32_t ctx_st = le32toh(sqe->ctx_dw0) & HISI_ZIP_CTX_ST_MASK;

	switch (dw3 & HISI_ZIP_DW3_STATUS_MASK) {
	case HISI_ZIP_ST_OK:
	case HISI_ZIP_ST_NEG_COMP:
		if (req->state && req->head.op == WD_OP_DECOMPRESS &&
		    (ctx_st == HISI_ZIP_CTX_ST_FULL || ctx_st == HISI_ZIP_CTX_ST_END_FULL))
			return WD_STATUS_OUTPUT_FULL;
		return WD_STATUS_OK;
	case HISI_ZIP_ST_END:
		/* Only with bit 8 is it the end of a stream; without state it just worked. */
		if (req->state && dw3 & HISI_ZIP_DW3_LAST_BLOCK)
			return WD_STATUS_STREAM_END;
		return WD_STATUS_OK;
	case HISI_ZIP_ST_NO_ROOM:
		return WD_STATUS_OUTPUT_FULL;
	case HISI_ZIP_ST_BAD_CHECKSUM:
		return WD_STATUS_BAD_CHECKSUM;
	case HISI_ZIP_ST_BAD_DATA:
		return WD_STATUS_BAD_DATA;
	case HISI_ZIP_ST_BAD_FIELD:
	case HISI_ZIP_ST_BAD_SGL:
		return WD_STATUS_BAD_REQUEST;
	case HISI_ZIP_ST_BAD_ADDR:
		return WD_STATUS_BAD_ADDRESS;
	case HISI_ZIP_ST_STATE_LOST:
		return WD_STATUS_STATE_LOST;
	default:
		/* Codes that software never learnt the meaning of. */
		return WD_STATUS_DEVICE_ERROR;
	}
}

static inline void decode_request(const struct zip_queue *zq, struct wd_comp_req *req,
				  const struct hisi_zip_sqe *sqe)
{
	uint32_t status = decode_status(req, sqe);
	uint32_t consumed = le32toh(sqe->consumed);
	uint32_t produced = le32toh(sqe->produced);

	/* The caller will use these as lengths of its own buffers. */
	if (base_unlikely(consumed > req->src_len || produced > req->dst_len)) {
		status = WD_STATUS_DEVICE_ERROR;
		consumed = 0;
		produced = 0;
	}
	req->consumed = consumed;
	req->produced = produced;
	if (zq->op == WD_OP_COMPRESS)
		req->level = zq->has_levels ? (uint8_t)(le32toh(sqe->comp_data_length) &
							HISI_ZIP_DW9_LEVEL_MASK) :
					      WD_COMP_LEVEL_DEFAULT;
	if (req->state) {
		struct wd_comp_state *state = req->state;

		state->word[0] = le32toh(sqe->ctx_dw0);
		state->word[1] = le32toh(sqe->ctx_dw1);
		state->word[2] = le32toh(sqe->ctx_dw2);
		state->size = le32toh(sqe->isize);
		state->checksum = le32toh(sqe->checksum);
		/* A first piece that found no room at all is tried again as the first. */
		if (consumed || produced || status == WD_STATUS_OK)
			state->begun = 1;
	}
	req->head.status = status;
}

/* After decoding: what is copied back is what the results say. */
static BASE_COLD void unmap_done(struct zip_queue *zq, uint32_t slot, struct wd_req *req)
{
	unmap_slot(zq, slot, req, base_container_of(req, struct wd_comp_req, head)->produced, true);
}

static inline void decode_nop(struct wd_req *req, uint32_t dw3)
{
	req->status = dw3 & HISI_ZIP_DW3_STATUS_MASK ? WD_STATUS_DEVICE_ERROR : WD_STATUS_OK;
}

/* The finished request of @slot, or NULL when the SQE there is not the one that was sent. */
static inline struct wd_req *take_slot(struct zip_queue *zq, uint32_t slot)
{
	struct hisi_qm_ring *r = &zq->ring;
	const uint8_t *from = r->sq + (size_t)slot * HISI_ZIP_SQE_BYTES;
	struct hisi_zip_sqe sqe;
	struct wd_req *req;

	if (base_unlikely(bytes_get_le32(from + offsetof(struct hisi_zip_sqe, tag_l)) !=
			  r->slot[slot].tag))
		return NULL;
	req = hisi_qm_pop(r, slot);
	if (req->op == WD_OP_NOP) {
		decode_nop(req, bytes_get_le32(from + offsetof(struct hisi_zip_sqe, dw3)));
		return req;
	}
	memcpy(&sqe, from, sizeof(sqe));
	/* Checked is the copy: the device may write on. */
	atomic_signal_fence(memory_order_seq_cst);
	decode_request(zq, base_container_of(req, struct wd_comp_req, head), &sqe);
	if (base_unlikely(zq->maps != NULL))
		unmap_done(zq, slot, req);
	return req;
}

static inline unsigned int take_finished(struct zip_queue *zq, struct wd_req **ret_reqs,
					 unsigned int nr)
{
	struct hisi_qm_ring *r = &zq->ring;
	unsigned int n;

	for (n = 0; n < nr && !r->is_broken; n++) {
		uint32_t slot;
		int err = hisi_qm_take_cqe(r, &slot);

		if (err == -EAGAIN)
			break;
		ret_reqs[n] = err ? NULL : take_slot(zq, slot);
		if (base_unlikely(!ret_reqs[n])) {
			r->is_broken = true;
			break;
		}
	}
	if (base_likely(n))
		hisi_qm_ack(r, 0);
	return n;
}

static int zip_recv(void *queue, struct wd_req **ret_reqs, unsigned int nr)
{
	struct zip_queue *zq = queue;
	unsigned int n = take_finished(zq, ret_reqs, nr);

	if (base_likely(n) ||
	    base_likely(!zq->ring.is_broken && !hisi_qm_is_disabled(zq->ring.ds_rx)))
		return (int)n;
	/* What was finished just before the status word was set still counts. */
	n = take_finished(zq, ret_reqs, nr);
	return n ? (int)n : -ENODEV;
}

static void zip_arm(void *queue)
{
	struct zip_queue *zq = queue;

	hisi_qm_ack(&zq->ring, HISI_QM_DB_C_FLAG);
}

static int zip_abandon(void *queue, struct wd_req **ret_reqs, unsigned int nr)
{
	struct zip_queue *zq = queue;
	unsigned int n;

	if (!zq->maps)
		return hisi_qm_ring_abandon(&zq->ring, ret_reqs, nr);
	for (n = 0; n < nr; n++) {
		uint32_t slot = zq->ring.sq_oldest;

		if (!hisi_qm_ring_abandon(&zq->ring, &ret_reqs[n], 1))
			break;
		unmap_slot(zq, slot, ret_reqs[n], 0, false);
	}
	return (int)n;
}

const struct wd_driver wd_hisi_zip_driver = {
	.abi = WD_DRIVER_ABI,
	.name = "hisi_zip",
	.queue_bytes = sizeof(struct zip_queue),
	.probe = zip_probe,
	.open = zip_open,
	.close = zip_close,
	.send = zip_send,
	.flush = zip_flush,
	.recv = zip_recv,
	.arm = zip_arm,
	.abandon = zip_abandon,
};

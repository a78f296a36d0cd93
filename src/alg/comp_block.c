/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Whole buffers: a header and one stateless request where sizes allow, else the
 * stream's way of pieces over the same buffers.  Nothing is kept between calls.
 */
#include "alg/alg_comp.h"

#include <errno.h>
#include <string.h>

/*
 * Input from this size usually inflates to more than one request can write, so
 * that trying in one would be work for nothing.
 */
#define INFLATE_ONE_MAX (WD_COMP_PIECE_MAX / 4)

enum comp_block_at {
	AT_BEGIN,  /* of a stream or gzip member */
	AT_ANSWER, /* of one request for all of it */
	AT_TURN,   /* of the stream's way, which is another's now */
	AT_PIECES, /* the stream's way */
	AT_END,	   /* of a stream or member */
};

/* ---------------------------------------------------------------- compress */

/* A compress that does not fit leaves nothing. */
static int compress_full(struct wd_comp_io *io)
{
	io->consumed = 0;
	io->produced = 0;
	io->head.status = WD_STATUS_OUTPUT_FULL;
	return 0;
}

static int compress_done(struct comp_op *op)
{
	op->io->head.status = WD_STATUS_OK;
	op->c->has_set_header = false;
	return 0;
}

/* The one answer of a stateless compress request: all of the input, or not enough room. */
static int compress_absorb(struct comp_op *op)
{
	struct wd_comp_io *io = op->io;

	if (op->at == AT_PIECES)
		return comp_deflate_absorb(op);
	op->at = AT_END;
	if (op->req.head.status == WD_STATUS_OUTPUT_FULL)
		return compress_full(io);
	if ((op->req.head.status != WD_STATUS_OK && op->req.head.status != WD_STATUS_STREAM_END) ||
	    op->req.consumed != op->req.src_len)
		return ALG_REDO;
	io->consumed = op->req.consumed;
	io->produced += op->req.produced;
	return compress_done(op);
}

/* In pieces, over the stream that the session is not using; else ALG_WAIT. */
static int begin_pieces(struct comp_op *op)
{
	int ret = comp_is_under_way(op->c) ? ALG_WAIT : comp_stream_begin(op);

	if (ret != 0)
		return ret;
	op->at = AT_PIECES;
	op->flush = WD_COMP_FINISH;
	op->c->stream.is_block = true;
	op->c->stream.phase = COMP_BODY;
	return 0;
}

static int compress_pieces(struct comp_op *op)
{
	int ret = comp_deflate_advance(op);

	if (ret != 0)
		return ret;
	if (op->io->head.status != WD_STATUS_STREAM_END)
		return compress_full(op->io);
	return compress_done(op);
}

static int compress_advance(struct comp_op *op)
{
	struct wd_comp_io *io = op->io;
	size_t header, room;
	int ret;

	if (op->at == AT_END)
		return 0;
	if (op->at == AT_PIECES)
		return compress_pieces(op);
	header = comp_header_build(op->c, op->small);
	/* Deflate data is never empty. */
	if (io->dst_len <= header)
		return compress_full(io);
	if (header > 0)
		memcpy(io->dst, op->small, header);
	io->produced = header;
	if (io->src_len > COMP_REQUEST_MAX) {
		ret = begin_pieces(op);
		return ret != 0 ? ret : compress_pieces(op);
	}
	room = comp_dst_left(io);
	comp_req_fill(op, io->src, io->src_len, comp_dst_at(io),
		      room < WD_COMP_PIECE_MAX ? room : WD_COMP_PIECE_MAX, NULL);
	op->at = AT_ANSWER;
	return ALG_NEXT;
}

/* ---------------------------------------------------------------- decompress */

static int inflate_pieces(struct comp_op *op)
{
	int ret = comp_inflate_advance(op);

	if (ret == 0 && op->io->head.status == WD_STATUS_STREAM_END)
		op->io->head.status = WD_STATUS_OK;
	return ret;
}

static int begin_inflate_pieces(struct comp_op *op)
{
	int ret = begin_pieces(op);

	if (ret == 0)
		op->c->stream.members = 1; /* the header was read here */
	else
		op->at = AT_TURN;
	return ret;
}

/*
 * Takes the answer of a stateless inflate.  Without room the output went to
 * op->small, just to learn that there is none.
 */
static void inflate_answer(struct comp_op *op)
{
	struct wd_comp_io *io = op->io;

	io->head.status = op->req.head.status;
	if (io->head.status == WD_STATUS_STREAM_END)
		io->head.status = WD_STATUS_OK;
	if (op->is_no_room && op->req.produced > 0) {
		if (io->head.status == WD_STATUS_OK)
			io->head.status = WD_STATUS_OUTPUT_FULL;
		return;
	}
	io->consumed += op->req.consumed;
	io->produced += op->req.produced;
}

static int decompress_absorb(struct comp_op *op)
{
	if (op->at == AT_PIECES)
		return comp_inflate_absorb(op);
	if (op->is_clamped && op->req.head.status == WD_STATUS_OUTPUT_FULL)
		return begin_inflate_pieces(op);
	inflate_answer(op);
	op->at = AT_END;
	return 0;
}

/*
 * One stream or member after its header: ALG_NEXT with one request for all of
 * it, or 0: it is over, or goes on in pieces, members behind it included.
 */
static int inflate_one(struct comp_op *op)
{
	struct wd_comp_io *io = op->io;
	size_t left = comp_src_left(io);
	size_t room = comp_dst_left(io);

	op->is_clamped = room > WD_COMP_PIECE_MAX;
	op->is_no_room = room == 0;
	if (left == 0) {
		io->head.status = WD_STATUS_BAD_DATA;
		op->at = AT_END;
		return 0;
	}
	if (left > WD_COMP_PIECE_MAX || (op->is_clamped && left > INFLATE_ONE_MAX))
		return begin_inflate_pieces(op);
	if (op->is_clamped)
		room = WD_COMP_PIECE_MAX;
	comp_req_fill(op, comp_src_at(io), left, room > 0 ? comp_dst_at(io) : op->small,
		      room > 0 ? room : COMP_ROOM_MIN, NULL);
	op->at = AT_ANSWER;
	return ALG_NEXT;
}

/* Whether another gzip member begins here; in a block all bytes are in sight. */
static bool is_member(const struct comp_op *op)
{
	const uint8_t *src = comp_src_at(op->io);

	return comp_has_members(op->c) && comp_src_left(op->io) >= 2 && src[0] == GZIP_ID1 &&
	       src[1] == GZIP_ID2;
}

/* Reads a member's header.  False when it is none, and the operation over. */
static bool read_header(struct comp_op *op)
{
	struct wd_comp_io *io = op->io;
	size_t used = 0;
	enum header_result result;

	result = comp_header_feed(op->c, &op->parser, comp_src_at(io), comp_src_left(io), &used);
	io->consumed += used;
	if (result == HEADER_DONE)
		return true;
	io->head.status = WD_STATUS_BAD_DATA;
	op->at = AT_END;
	return false;
}

static int decompress_advance(struct comp_op *op)
{
	struct wd_comp_io *io = op->io;
	int ret;

	if (io->src_len == 0) {
		io->head.status = WD_STATUS_BAD_DATA;
		return 0;
	}
	for (;;) {
		if (op->at == AT_TURN) {
			ret = begin_inflate_pieces(op);
			if (ret != 0)
				return ret;
		}
		if (op->at == AT_PIECES)
			return inflate_pieces(op);
		if (op->at == AT_END) {
			if (io->head.status != WD_STATUS_OK || !is_member(op))
				return 0;
			header_parser_init(&op->parser, op->c->format);
			op->at = AT_BEGIN;
		}
		if (!read_header(op))
			continue;
		ret = inflate_one(op);
		if (ret != 0)
			return ret;
	}
}

int comp_block_restart(struct comp_op *op)
{
	op->io->consumed = 0;
	op->io->produced = 0;
	op->io->head.status = WD_STATUS_OK;
	op->at = AT_BEGIN;
	comp_input_begin(op);
	return op->advance(op);
}

void comp_op_set_block(struct comp_op *op)
{
	op->at = AT_BEGIN;
	if (op->c->op == WD_OP_COMPRESS) {
		op->advance = compress_advance;
		op->absorb = compress_absorb;
		return;
	}
	comp_input_begin(op);
	op->advance = decompress_advance;
	op->absorb = decompress_absorb;
}

/* ---------------------------------------------------------------- scattered */

/* Passes over @n bytes, which there are, and over empty elements. */
static void place_advance(struct iov_place *p, size_t n)
{
	p->left -= n;
	p->offset += n;
	while (p->nr > 0 && p->offset >= p->iov->iov_len) {
		p->offset -= p->iov->iov_len;
		p->iov++;
		p->nr--;
	}
}

static int place_init(struct iov_place *p, const struct iovec *iov, unsigned int nr)
{
	*p = (struct iov_place){ .iov = iov, .nr = nr };
	if (iov == NULL && nr > 0)
		return -EINVAL;
	for (unsigned int i = 0; i < nr; i++) {
		if (iov[i].iov_base == NULL && iov[i].iov_len > 0)
			return -EINVAL;
		if (iov[i].iov_len > WD_COMP_PIECE_MAX - p->left)
			return -EINVAL;
		p->left += iov[i].iov_len;
	}
	place_advance(p, 0);
	return 0;
}

/* Bytes that lie in one piece from here, and where. */
static size_t place_run(const struct iov_place *p, uint8_t **ret_at)
{
	if (p->nr == 0)
		return 0;
	*ret_at = (uint8_t *)p->iov->iov_base + p->offset;
	return p->iov->iov_len - p->offset;
}

/* Writes @n bytes, for which there is room, and passes over them. */
static void place_write(struct iov_place *p, const uint8_t *bytes, size_t n)
{
	while (n > 0) {
		uint8_t *at = NULL;
		size_t run = place_run(p, &at);

		if (run > n)
			run = n;
		memcpy(at, bytes, run);
		place_advance(p, run);
		bytes += run;
		n -= run;
	}
}

/* Makes op->req scattered; source and destination are not empty. */
static void sgl_req_fill(struct comp_op *op, const struct iov_place *src,
			 const struct iov_place *dst)
{
	comp_req_fill(op, src->iov, src->left, (void *)(uintptr_t)dst->iov, dst->left, NULL);
	op->req.flags = WD_COMP_F_SGL;
	op->req.src_nr = src->nr;
	op->req.src_offset = src->offset;
	op->req.dst_nr = dst->nr;
	op->req.dst_offset = dst->offset;
}

static int compress_sgl_absorb(struct comp_op *op)
{
	/* A list of nothing is no list: what little comes of it is spread by hand. */
	if (op->src.left == 0 && op->req.head.status == WD_STATUS_OK) {
		if (op->req.produced > op->dst.left) {
			op->at = AT_END;
			return compress_full(op->io);
		}
		place_write(&op->dst, op->small, op->req.produced);
	}
	return compress_absorb(op);
}

static int compress_sgl_advance(struct comp_op *op)
{
	size_t header;

	if (op->at == AT_END)
		return 0;
	header = comp_header_build(op->c, op->small);
	if (op->dst.left <= header)
		return compress_full(op->io);
	place_write(&op->dst, op->small, header);
	op->io->produced = header;
	if (op->src.left == 0)
		comp_req_fill(op, NULL, 0, op->small, COMP_ROOM_MIN, NULL);
	else
		sgl_req_fill(op, &op->src, &op->dst);
	op->at = AT_ANSWER;
	return ALG_NEXT;
}

static int decompress_sgl_advance(struct comp_op *op)
{
	struct iov_place *src = &op->src, room = op->dst;
	enum header_result result = HEADER_MORE;

	if (op->at == AT_END)
		return 0;
	while (result == HEADER_MORE && src->left > 0) {
		uint8_t *at = NULL;
		size_t run = place_run(src, &at);
		size_t used;

		result = comp_header_feed(op->c, &op->parser, at, run, &used);
		op->io->consumed += used;
		place_advance(src, used);
	}
	if (result != HEADER_DONE || src->left == 0) {
		op->io->head.status = WD_STATUS_BAD_DATA;
		return 0;
	}
	op->is_clamped = false;
	op->is_no_room = room.left == 0;
	if (op->is_no_room) {
		op->small_iov = (struct iovec){ .iov_base = op->small, .iov_len = COMP_ROOM_MIN };
		room = (struct iov_place){ .iov = &op->small_iov, .nr = 1, .left = COMP_ROOM_MIN };
	}
	sgl_req_fill(op, src, &room);
	op->at = AT_ANSWER;
	return ALG_NEXT;
}

void comp_op_set_block_sgl(struct comp_op *op)
{
	op->at = AT_BEGIN;
	if (op->c->op == WD_OP_COMPRESS) {
		op->advance = compress_sgl_advance;
		op->absorb = compress_sgl_absorb;
		return;
	}
	comp_input_begin(op);
	op->advance = decompress_sgl_advance;
	op->absorb = decompress_absorb;
}

/* ---------------------------------------------------------------- calls */

int comp_block_ready(struct wd_comp *c)
{
	if (comp_is_under_way(c))
		return -EBUSY;
	if (c->stream.op == NULL)
		c->stream.phase = COMP_IDLE;
	return 0;
}

/* What calls that wait for a block check and prepare alike. */
static int block_enter(struct wd_comp *c)
{
	int ret = comp_enter(c);

	if (ret == 0)
		ret = comp_settle(c);
	return ret != 0 ? ret : comp_block_ready(c);
}

int wd_comp_block(struct wd_comp *comp, struct wd_comp_io *io)
{
	int ret;

	if (comp == NULL || !comp_io_is_valid(io))
		return -EINVAL;
	ret = block_enter(comp);
	if (ret != 0)
		return ret;
	comp_op_init(&comp->own, comp, io);
	comp_op_set_block(&comp->own);
	return comp_op_run(&comp->own);
}

int wd_comp_block_sgl(struct wd_comp *comp, const struct iovec *src, unsigned int src_nr,
		      const struct iovec *dst, unsigned int dst_nr, struct wd_comp_io *io)
{
	struct iov_place from, to;
	int ret;

	if (comp == NULL || io == NULL)
		return -EINVAL;
	ret = place_init(&from, src, src_nr);
	if (ret == 0)
		ret = place_init(&to, dst, dst_nr);
	if (ret == 0)
		ret = block_enter(comp);
	if (ret != 0)
		return ret;
	comp_op_init(&comp->own, comp, io);
	comp->own.src = from;
	comp->own.dst = to;
	comp_op_set_block_sgl(&comp->own);
	return comp_op_run(&comp->own);
}

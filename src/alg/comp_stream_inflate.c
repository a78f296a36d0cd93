/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Decompressing in pieces: headers are read here, deflate data and trailers go
 * to the device from the caller's buffer to the caller's room.  Only where the
 * room is tiny or used up does output pass through a small buffer of the
 * session: the end of a stream must be found even when no byte of room is left.
 */
#include "alg/alg_comp.h"

#include <errno.h>

/*
 * So much input may hold nothing but the end of the last block and a trailer:
 * worth asking the device although the room is used up.
 */
#define PROBE_BYTES 64

static int inflate_over(struct comp_stream *s, struct wd_comp_io *io, uint32_t status)
{
	s->phase = COMP_FAILED;
	s->failed_ret = 0;
	s->failed_status = status;
	io->head.status = status;
	return 0;
}

/*
 * Whether what follows a member begins like another; in a stream one byte is
 * enough to go and see, in a block there is no more to come.
 */
static bool is_next_member(const struct comp_op *op)
{
	const struct wd_comp *c = op->c;
	const struct wd_comp_io *io = op->io;
	size_t left = comp_src_left(io);
	const uint8_t *src;

	if (!comp_has_members(c) || left == 0)
		return false;
	src = comp_src_at(io);
	if (left == 1)
		return src[0] == GZIP_ID1 && !c->stream.is_block;
	return src[0] == GZIP_ID1 && src[1] == GZIP_ID2;
}

/* Reads on in a header.  Returns true when the call is done; status says how. */
static bool inflate_header(struct comp_op *op)
{
	struct wd_comp *c = op->c;
	struct comp_stream *s = &c->stream;
	struct wd_comp_io *io = op->io;
	size_t left = comp_src_left(io);
	size_t used = 0;
	enum header_result result;

	result = comp_header_feed(c, &s->parser, left > 0 ? comp_src_at(io) : op->small, left,
				  &used);
	io->consumed += used;
	if (result == HEADER_DONE) {
		comp_state_begin(s);
		s->is_more = false;
		s->members++;
		s->phase = COMP_BODY;
		return false;
	}
	if (result == HEADER_BAD && s->members > 0 && header_parser_is_no_gzip(&s->parser)) {
		s->phase = COMP_END;
		io->head.status = WD_STATUS_STREAM_END;
	} else if (result == HEADER_BAD || op->flush == WD_COMP_FINISH) {
		inflate_over(s, io, WD_STATUS_BAD_DATA);
	} else {
		io->head.status = WD_STATUS_OK;
	}
	return true;
}

static int inflate_fill(struct comp_op *op)
{
	size_t left = base_min_u64(comp_src_left(op->io), WD_COMP_PIECE_MAX);
	size_t room = base_min_u64(comp_dst_left(op->io), WD_COMP_PIECE_MAX);

	op->piece_is_direct = room >= COMP_ROOM_MIN;
	comp_req_fill(op, left > 0 ? comp_src_at(op->io) : NULL, left,
		      op->piece_is_direct ? comp_dst_at(op->io) : op->c->stream.small,
		      op->piece_is_direct ? room : COMP_ROOM_MIN, &op->c->stream.state);
	return ALG_NEXT;
}

int comp_inflate_absorb(struct comp_op *op)
{
	const struct wd_comp_req *req = &op->req;
	struct comp_stream *s = &op->c->stream;

	op->io->consumed += req->consumed;
	if (op->piece_is_direct) {
		op->io->produced += req->produced;
	} else {
		s->pending_at = s->small;
		s->pending = req->produced;
	}
	s->is_more = req->head.status == WD_STATUS_OUTPUT_FULL || req->produced == req->dst_len;
	switch (req->head.status) {
	case WD_STATUS_STREAM_END:
		s->phase = COMP_END;
		return 0;
	case WD_STATUS_BAD_DATA:
	case WD_STATUS_BAD_CHECKSUM:
		return inflate_over(s, op->io, req->head.status);
	default:
		/* Room and input, or output held back, and yet nothing done: it would go on for ever. */
		if (req->consumed == 0 && req->produced == 0 && (req->src_len > 0 || s->is_more))
			return -EIO;
		return 0;
	}
}

/*
 * The device knows a stream that was begun, and no other can go on with it.  A
 * block can be begun again.
 */
int comp_inflate_redo(struct comp_op *op)
{
	struct comp_stream *s = &op->c->stream;
	int ret;

	if (!op->state_kept.begun) {
		comp_state_begin(s);
		op->job.only = 0;
		return 0;
	}
	if (!s->is_block)
		return -EIO;
	s->phase = COMP_IDLE;
	ret = comp_block_restart(op);
	op->job.only = 0;
	return ret == ALG_NEXT ? 0 : ret < 0 ? ret : -EIO;
}

/* Goes on in deflate data: ALG_NEXT with a piece, or 0 with status when the call is done. */
static int inflate_body(struct comp_op *op)
{
	struct comp_stream *s = &op->c->stream;
	struct wd_comp_io *io = op->io;
	size_t left = comp_src_left(io);

	if (left == 0 && !s->is_more) {
		io->head.status = WD_STATUS_OK;
		if (op->flush == WD_COMP_FINISH)
			inflate_over(s, io, WD_STATUS_BAD_DATA);
		return 0;
	}
	if (comp_dst_left(io) == 0 && io->produced > 0 && left > PROBE_BYTES && !s->is_block) {
		io->head.status = WD_STATUS_OUTPUT_FULL;
		return 0;
	}
	return inflate_fill(op);
}

int comp_inflate_advance(struct comp_op *op)
{
	struct comp_stream *s = &op->c->stream;
	struct wd_comp_io *io = op->io;

	for (;;) {
		if (s->phase == COMP_FAILED)
			return 0;
		if (!comp_stream_drain(s, io)) {
			io->head.status = WD_STATUS_OUTPUT_FULL;
			return 0;
		}
		switch (s->phase) {
		case COMP_HEADER:
			if (inflate_header(op))
				return 0;
			break;
		case COMP_BODY:
			return inflate_body(op);
		default:
			if (!is_next_member(op)) {
				io->head.status = WD_STATUS_STREAM_END;
				return 0;
			}
			header_parser_init(&s->parser, op->c->format);
			s->phase = COMP_HEADER;
			break;
		}
	}
}

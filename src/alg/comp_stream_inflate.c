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
	io->status = status;
	return 0;
}

/*
 * Whether what follows a member begins like another; in a stream one byte is
 * enough to go and see, in a block there is no more to come.
 */
static bool is_next_member(const struct wd_comp *c, const struct wd_comp_io *io)
{
	size_t left = comp_src_left(io);
	const uint8_t *src;

	if (c->format != WD_COMP_GZIP || left == 0)
		return false;
	src = comp_src_at(io);
	if (left == 1)
		return src[0] == GZIP_ID1 && !c->stream.is_block;
	return src[0] == GZIP_ID1 && src[1] == GZIP_ID2;
}

/* Reads on in a header.  Returns true when the call is done; io->status says how. */
static bool inflate_header(struct wd_comp *c, struct wd_comp_io *io, enum wd_comp_flush flush)
{
	struct comp_stream *s = &c->stream;
	size_t left = comp_src_left(io);
	size_t used = 0;
	enum header_result result;

	result = comp_header_feed(c, left > 0 ? comp_src_at(io) : c->small, left, &used);
	io->consumed += used;
	if (result == HEADER_DONE) {
		comp_state_begin(s);
		s->is_more = false;
		s->members++;
		s->phase = COMP_BODY;
		return false;
	}
	if (result == HEADER_BAD && s->members > 0 && header_parser_is_no_gzip(&c->parser)) {
		s->phase = COMP_END;
		io->status = WD_STATUS_STREAM_END;
	} else if (result == HEADER_BAD || flush == WD_COMP_FINISH) {
		inflate_over(s, io, WD_STATUS_BAD_DATA);
	} else {
		io->status = WD_STATUS_OK;
	}
	return true;
}

static int inflate_piece(struct wd_comp *c, struct wd_comp_io *io)
{
	struct comp_stream *s = &c->stream;
	size_t left = comp_src_left(io);
	size_t room = comp_dst_left(io);
	bool is_direct = room >= COMP_ROOM_MIN;
	int ret;

	if (left > WD_COMP_PIECE_MAX)
		left = WD_COMP_PIECE_MAX;
	if (room > WD_COMP_PIECE_MAX)
		room = WD_COMP_PIECE_MAX;
	if (!is_direct)
		room = COMP_ROOM_MIN;
	comp_req_fill(c, left > 0 ? comp_src_at(io) : NULL, left,
		      is_direct ? comp_dst_at(io) : c->small, room, &s->state);
	ret = comp_req_run(c, io);
	if (ret != 0)
		return ret;
	io->consumed += c->req.consumed;
	if (is_direct) {
		io->produced += c->req.produced;
	} else {
		s->pending_at = c->small;
		s->pending = c->req.produced;
	}
	s->is_more = c->req.head.status == WD_STATUS_OUTPUT_FULL || c->req.produced == room;
	switch (c->req.head.status) {
	case WD_STATUS_STREAM_END:
		s->phase = COMP_END;
		return 0;
	case WD_STATUS_BAD_DATA:
	case WD_STATUS_BAD_CHECKSUM:
		return inflate_over(s, io, c->req.head.status);
	default:
		/* Room and input, or output held back, and yet nothing done: it would go on for ever. */
		if (c->req.consumed == 0 && c->req.produced == 0 && (left > 0 || s->is_more))
			return -EIO;
		return 0;
	}
}

/* Goes on in deflate data.  Returns 1 when the call is done, 0 to go on, or a negative errno. */
static int inflate_body(struct wd_comp *c, struct wd_comp_io *io, enum wd_comp_flush flush)
{
	struct comp_stream *s = &c->stream;
	size_t left = comp_src_left(io);
	int ret;

	if (left == 0 && !s->is_more) {
		io->status = WD_STATUS_OK;
		if (flush == WD_COMP_FINISH)
			inflate_over(s, io, WD_STATUS_BAD_DATA);
		return 1;
	}
	if (comp_dst_left(io) == 0 && io->produced > 0 && left > PROBE_BYTES && !s->is_block) {
		io->status = WD_STATUS_OUTPUT_FULL;
		return 1;
	}
	ret = inflate_piece(c, io);
	if (ret != 0)
		return ret;
	return s->phase == COMP_FAILED;
}

int comp_stream_inflate(struct wd_comp *c, struct wd_comp_io *io, enum wd_comp_flush flush)
{
	struct comp_stream *s = &c->stream;
	int ret;

	for (;;) {
		if (!comp_stream_drain(s, io)) {
			io->status = WD_STATUS_OUTPUT_FULL;
			return 0;
		}
		switch (s->phase) {
		case COMP_HEADER:
			if (inflate_header(c, io, flush))
				return 0;
			break;
		case COMP_BODY:
			ret = inflate_body(c, io, flush);
			if (ret < 0)
				return comp_stream_fail(s, ret);
			if (ret > 0)
				return 0;
			break;
		default:
			if (!is_next_member(c, io)) {
				io->status = WD_STATUS_STREAM_END;
				return 0;
			}
			header_parser_init(&c->parser, c->format);
			s->phase = COMP_HEADER;
			break;
		}
	}
}

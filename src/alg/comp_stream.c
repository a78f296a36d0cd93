/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Streams: the entry point, their life, and compressing in pieces.  Small
 * inputs are gathered in a stage, large ones go to the device where they lie.
 * A piece whose worst output fits the caller's room is written there; otherwise
 * it goes to a buffer of the session and is handed out as room appears.  The
 * device ends every piece on a byte boundary, so nothing more is needed for a
 * sync flush than to hold nothing back.
 */
#include "alg/alg_comp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STATE_ALIGN 64 /* of wd_comp_state.buf */

int comp_stream_begin(struct wd_comp *c)
{
	struct comp_stream *s = &c->stream;
	size_t bytes = WD_COMP_STATE_BYTES;
	uint8_t *buf;

	if (s->state.buf == NULL) {
		if (c->op == WD_OP_COMPRESS)
			bytes += COMP_STAGE_BYTES + COMP_OUT_BYTES;
		buf = aligned_alloc(STATE_ALIGN, bytes);
		if (buf == NULL)
			return -ENOMEM;
		memset(buf, 0, WD_COMP_STATE_BYTES);
		s->state.buf = buf;
		s->stage = buf + WD_COMP_STATE_BYTES;
		s->out = s->stage + COMP_STAGE_BYTES;
	}
	comp_state_begin(s);
	s->failed_ret = 0;
	s->is_block = false;
	s->is_more = false;
	s->members = 0;
	s->staged = 0;
	s->pending = 0;
	return 0;
}

void comp_state_begin(struct comp_stream *s)
{
	void *buf = s->state.buf;

	memset(&s->state, 0, sizeof(s->state));
	s->state.buf = buf;
}

void comp_stream_abandon(struct wd_comp *c)
{
	/* A new stream over the same context, which fails at once: a block of no known type. */
	static const uint8_t no_deflate_data = 0x07;
	struct comp_stream *s = &c->stream;
	uint32_t status = c->req.head.status;

	if (c->op != WD_OP_DECOMPRESS || !s->state.begun || c->session.left_out != NULL ||
	    (status != WD_STATUS_OK && status != WD_STATUS_OUTPUT_FULL))
		return;
	comp_state_begin(s);
	comp_req_fill(c, &no_deflate_data, sizeof(no_deflate_data), c->small, COMP_ROOM_MIN,
		      &s->state);
	c->req.flags = WD_COMP_F_FINISH;
	/* Whatever comes of it: the session ends. */
	alg_session_run(&c->session, &c->req.head);
}

void comp_stream_fini(struct comp_stream *s)
{
	free(s->state.buf);
	s->state.buf = NULL;
}

bool comp_stream_drain(struct comp_stream *s, struct wd_comp_io *io)
{
	size_t room = comp_dst_left(io);
	size_t n = s->pending < room ? s->pending : room;

	if (n > 0) {
		memcpy(comp_dst_at(io), s->pending_at, n);
		s->pending_at += n;
		s->pending -= n;
		io->produced += n;
	}
	return s->pending == 0;
}

int comp_stream_fail(struct comp_stream *s, int ret)
{
	s->phase = COMP_FAILED;
	/* The next call may find the request back in time, but not the stream. */
	s->failed_ret = ret == -ETIMEDOUT ? -EIO : ret;
	return ret;
}

static size_t stored_bound(size_t n)
{
	return n + (n + COMP_STORED_BYTES - 1) / COMP_STORED_BYTES * COMP_STORED_OVERHEAD;
}

/* The most that a piece of @n bytes can yield, or what hardware wants to see at least. */
static size_t piece_room(const struct wd_comp *c, size_t n, bool is_last)
{
	size_t bound = stored_bound(n > 0 ? n : 1) + comp_trailer_bytes(c->format);

	if (!is_last)
		bound = stored_bound(n);
	return bound > COMP_ROOM_MIN ? bound : COMP_ROOM_MIN;
}

/*
 * How many of @left bytes of the caller's input make the next piece.  Rather a
 * smaller piece whose output fits the room than a copy of the output, unless
 * the room is smaller than the session's own output buffer.
 */
static size_t piece_len(const struct wd_comp *c, size_t left, size_t room, enum wd_comp_flush flush,
			bool *ret_is_last)
{
	size_t n = left <= COMP_REQUEST_MAX ? left : COMP_PIECE_STEP;
	bool is_last = flush == WD_COMP_FINISH && n == left;

	if (n > COMP_STAGE_BYTES && piece_room(c, n, is_last) > room) {
		size_t overhead = (room / COMP_STORED_BYTES + 1) * COMP_STORED_OVERHEAD;

		/* Where only the trailer has no room, at least a byte is left for the last piece. */
		n = room < n + overhead ? room - overhead : n - 1;
		if (room < COMP_STAGE_BYTES + overhead)
			n = COMP_STAGE_BYTES;
		is_last = false;
	}
	/* Only what is flushed may leave an odd tail with the device. */
	if (n < left || flush == WD_COMP_NO_FLUSH)
		n &= ~(size_t)(COMP_PIECE_ALIGN - 1);
	*ret_is_last = is_last;
	return n;
}

static int deflate_piece(struct wd_comp *c, struct wd_comp_io *io, const uint8_t *src, size_t n,
			 bool is_last)
{
	struct comp_stream *s = &c->stream;
	size_t room = comp_dst_left(io);
	bool is_direct = room >= piece_room(c, n, is_last);
	int ret;

	if (!is_direct)
		comp_req_fill(c, src, n, s->out, COMP_OUT_BYTES, &s->state);
	else if (room > WD_COMP_PIECE_MAX)
		comp_req_fill(c, src, n, comp_dst_at(io), WD_COMP_PIECE_MAX, &s->state);
	else
		comp_req_fill(c, src, n, comp_dst_at(io), room, &s->state);
	c->req.flags = is_last ? WD_COMP_F_FINISH : 0;
	ret = comp_req_run(c, io);
	if (ret != 0)
		return ret;
	if (c->req.head.status != WD_STATUS_OK &&
	    !(is_last && c->req.head.status == WD_STATUS_STREAM_END))
		return -EIO;
	/* There was room for the worst, so a device that left input behind is out of order. */
	if (c->req.consumed != n)
		return -EIO;
	if (is_direct) {
		io->produced += c->req.produced;
	} else {
		s->pending_at = s->out;
		s->pending = c->req.produced;
	}
	if (is_last)
		s->phase = COMP_LAST;
	return 0;
}

static void stage_input(struct comp_stream *s, struct wd_comp_io *io)
{
	size_t n = COMP_STAGE_BYTES - s->staged;

	if (n > comp_src_left(io))
		n = comp_src_left(io);
	if (n == 0)
		return;
	memcpy(s->stage + s->staged, comp_src_at(io), n);
	s->staged += n;
	io->consumed += n;
}

/*
 * One step with input: gathers, or sends a piece.  Returns 1 when there is more
 * to do, 0 when nothing is left to do for this flush, or a negative errno.
 */
static int deflate_step(struct wd_comp *c, struct wd_comp_io *io, enum wd_comp_flush flush)
{
	struct comp_stream *s = &c->stream;
	size_t left = comp_src_left(io);
	bool is_last;
	size_t n;
	int ret;

	if (s->staged > 0 || (flush == WD_COMP_NO_FLUSH && left < COMP_DIRECT_MIN)) {
		stage_input(s, io);
		if (flush == WD_COMP_NO_FLUSH && s->staged < COMP_STAGE_BYTES)
			return 0;
		is_last = flush == WD_COMP_FINISH && comp_src_left(io) == 0;
		ret = deflate_piece(c, io, s->stage, s->staged, is_last);
		s->staged = 0;
		return ret != 0 ? ret : 1;
	}
	if (left == 0 && flush == WD_COMP_SYNC_FLUSH)
		return 0;
	n = piece_len(c, left, comp_dst_left(io), flush, &is_last);
	ret = deflate_piece(c, io, left > 0 ? comp_src_at(io) : NULL, n, is_last);
	if (ret != 0)
		return ret;
	io->consumed += n;
	return 1;
}

int comp_stream_deflate(struct wd_comp *c, struct wd_comp_io *io, enum wd_comp_flush flush)
{
	struct comp_stream *s = &c->stream;
	int ret;

	for (;;) {
		if (!comp_stream_drain(s, io)) {
			io->status = WD_STATUS_OUTPUT_FULL;
			return 0;
		}
		if (s->phase == COMP_LAST) {
			s->phase = COMP_IDLE;
			io->status = WD_STATUS_STREAM_END;
			return 0;
		}
		ret = deflate_step(c, io, flush);
		if (ret < 0)
			return comp_stream_fail(s, ret);
		if (ret == 0) {
			io->status = WD_STATUS_OK;
			return 0;
		}
	}
}

/* The first call of a stream. */
static int stream_start(struct wd_comp *c)
{
	struct comp_stream *s = &c->stream;
	int ret = comp_stream_begin(c);

	if (ret != 0)
		return ret;
	if (c->op == WD_OP_COMPRESS) {
		s->pending = comp_header_build(c, c->small);
		s->pending_at = c->small;
		c->has_set_header = false;
		s->phase = COMP_BODY;
	} else {
		comp_input_begin(c);
		s->phase = COMP_HEADER;
	}
	return 0;
}

int wd_comp_stream(struct wd_comp *comp, struct wd_comp_io *io, enum wd_comp_flush flush)
{
	int ret;

	if (comp == NULL || io == NULL || (unsigned int)flush > WD_COMP_FINISH)
		return -EINVAL;
	if ((io->src == NULL && io->src_len > 0) || (io->dst == NULL && io->dst_len > 0))
		return -EINVAL;
	comp_io_begin(io);
	ret = alg_session_settle(&comp->session);
	if (ret != 0)
		return ret;
	if (comp->stream.phase == COMP_FAILED) {
		io->status = comp->stream.failed_status;
		return comp->stream.failed_ret;
	}
	if (comp->stream.phase == COMP_IDLE) {
		ret = stream_start(comp);
		if (ret != 0)
			return ret;
	}
	if (comp->op == WD_OP_COMPRESS)
		return comp_stream_deflate(comp, io, flush);
	return comp_stream_inflate(comp, io, flush);
}

void wd_comp_reset(struct wd_comp *comp)
{
	/* A request that a time-out left out still uses the buffers: nothing else is touched. */
	if (comp != NULL)
		comp->stream.phase = COMP_IDLE;
}

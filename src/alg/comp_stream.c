/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Streams: the entry point, their life, and compressing in pieces.  Small
 * inputs are gathered in a stage, large ones go to the device where they lie.
 * A piece whose worst output fits the caller's room is written there; otherwise
 * it goes to a buffer of the session and is handed out as room appears.  The
 * device ends every piece on a byte boundary, so nothing more is needed for a
 * sync flush than to hold nothing back, and a piece can be compressed on another
 * device with no history.
 */
#include "alg/alg_comp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STATE_ALIGN 64 /* of wd_comp_state.buf */

int comp_stream_begin(struct comp_op *op)
{
	struct wd_comp *c = op->c;
	struct comp_stream *s = &c->stream;
	size_t bytes = WD_COMP_STATE_BYTES;
	uint8_t *buf;

	if (s->op != NULL && s->op != op)
		return ALG_WAIT;
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
	s->op = op;
	s->failed_ret = 0;
	s->is_block = false;
	s->is_more = false;
	s->members = 0;
	s->staged = 0;
	s->pending = 0;
	comp_verify_stream_begin(s);
	return 0;
}

void comp_state_begin(struct comp_stream *s)
{
	void *buf = s->state.buf;

	memset(&s->state, 0, sizeof(s->state));
	s->state.buf = buf;
	s->only = 0;
}

static int abandoned(struct comp_op *op)
{
	(void)op;
	return 0;
}

void comp_stream_abandon(struct wd_comp *c)
{
	/* A new stream over the same context, which fails at once: a block of no known type. */
	static const uint8_t no_deflate_data = 0x07;
	struct comp_stream *s = &c->stream;
	struct comp_op *op = &c->own;
	struct wd_comp_io none = { 0 };
	sched_set only = s->only;
	uint32_t status = op->req.head.status;
	int ret;

	if (c->op != WD_OP_DECOMPRESS || !s->state.begun || alg_session_enter(&c->session, &ret) ||
	    op->job.is_in_flight || s->op != NULL ||
	    (status != WD_STATUS_OK && status != WD_STATUS_OUTPUT_FULL))
		return;
	comp_op_init(op, c, &none);
	comp_state_begin(s);
	comp_req_fill(op, &no_deflate_data, sizeof(no_deflate_data), op->small, COMP_ROOM_MIN,
		      &s->state);
	op->job.only = only;
	op->req.flags = WD_COMP_F_FINISH;
	op->advance = abandoned;
	op->absorb = abandoned;
	/* Whatever comes of it: the session ends. */
	if (alg_session_begin(&c->session, &op->job, false) == 0)
		alg_session_wait(&c->session, &op->job, 0);
}

void comp_stream_fini(struct comp_stream *s)
{
	free(s->state.buf);
	s->state.buf = NULL;
	comp_verify_stream_fini(s);
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

static void deflate_fill(struct comp_op *op, const uint8_t *src, size_t n, bool is_last)
{
	struct comp_stream *s = &op->c->stream;
	size_t room = comp_dst_left(op->io);

	op->piece_is_direct = room >= piece_room(op->c, n, is_last);
	op->piece_is_last = is_last;
	if (!op->piece_is_direct)
		comp_req_fill(op, src, n, s->out, COMP_OUT_BYTES, &s->state);
	else if (room > WD_COMP_PIECE_MAX)
		comp_req_fill(op, src, n, comp_dst_at(op->io), WD_COMP_PIECE_MAX, &s->state);
	else
		comp_req_fill(op, src, n, comp_dst_at(op->io), room, &s->state);
	op->req.flags = is_last ? WD_COMP_F_FINISH : 0;
}

int comp_deflate_absorb(struct comp_op *op)
{
	struct comp_stream *s = &op->c->stream;
	uint32_t status = op->req.head.status;

	/* There was room for the worst, so a device that left input behind is out of order. */
	if ((status != WD_STATUS_OK && !(op->piece_is_last && status == WD_STATUS_STREAM_END)) ||
	    op->req.consumed != op->req.src_len)
		return ALG_REDO;
	if (op->piece_is_direct) {
		op->io->produced += op->req.produced;
	} else {
		s->pending_at = s->out;
		s->pending = op->req.produced;
	}
	if (op->piece_is_staged)
		s->staged = 0;
	else
		op->io->consumed += op->req.consumed;
	if (op->piece_is_last)
		s->phase = COMP_LAST;
	return 0;
}

/*
 * The piece goes to whatever device there is.  A first piece needs nothing; for a
 * later one an empty piece makes a context without history there, which then
 * gets the sums so far.
 */
int comp_deflate_redo(struct comp_op *op)
{
	struct comp_stream *s = &op->c->stream;

	/* What the failed device wrote there counts for nothing. */
	if (!op->is_priming)
		op->req_kept = op->req;
	s->state = op->state_kept;
	s->only = 0;
	op->job.only = 0;
	if (!op->state_kept.begun)
		return 0;
	op->is_priming = true;
	comp_state_begin(s);
	memset(&op->req, 0, sizeof(op->req));
	op->req.head.op = WD_OP_COMPRESS;
	op->req.format = op->req_kept.format;
	op->req.level = op->req_kept.level;
	op->req.window_bits = op->req_kept.window_bits;
	op->req.src = op->small;
	op->req.dst = op->small;
	op->req.dst_len = COMP_ROOM_MIN;
	op->req.state = &s->state;
	op->job.bytes = 0;
	return 0;
}

int comp_deflate_primed(struct comp_op *op)
{
	struct comp_stream *s = &op->c->stream;

	if (op->req.head.status != WD_STATUS_OK)
		return ALG_REDO;
	op->is_priming = false;
	op->req = op->req_kept;
	op->job.bytes = op->req.src_len;
	s->state.begun = 1;
	s->state.checksum = op->state_kept.checksum;
	s->state.size = op->state_kept.size;
	op->state_kept = s->state;
	s->only = 1u << op->job.device;
	op->job.only = s->only;
	return ALG_NEXT;
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
 * One step with input: gathers, or prepares a piece (ALG_NEXT).  0 when nothing
 * is left to do for this flush.
 */
static int deflate_step(struct comp_op *op)
{
	struct comp_stream *s = &op->c->stream;
	struct wd_comp_io *io = op->io;
	size_t left = comp_src_left(io);
	bool is_last;
	size_t n;

	if (s->staged > 0 || (op->flush == WD_COMP_NO_FLUSH && left < COMP_DIRECT_MIN)) {
		stage_input(s, io);
		if (op->flush == WD_COMP_NO_FLUSH && s->staged < COMP_STAGE_BYTES)
			return 0;
		is_last = op->flush == WD_COMP_FINISH && comp_src_left(io) == 0;
		op->piece_is_staged = true;
		deflate_fill(op, s->stage, s->staged, is_last);
		return ALG_NEXT;
	}
	if (left == 0 && op->flush == WD_COMP_SYNC_FLUSH)
		return 0;
	n = piece_len(op->c, left, comp_dst_left(io), op->flush, &is_last);
	op->piece_is_staged = false;
	deflate_fill(op, left > 0 ? comp_src_at(io) : NULL, n, is_last);
	return ALG_NEXT;
}

int comp_deflate_advance(struct comp_op *op)
{
	struct comp_stream *s = &op->c->stream;
	struct wd_comp_io *io = op->io;

	if (!comp_stream_drain(s, io)) {
		io->head.status = WD_STATUS_OUTPUT_FULL;
		return 0;
	}
	if (s->phase == COMP_LAST) {
		s->phase = COMP_IDLE;
		io->head.status = WD_STATUS_STREAM_END;
		return 0;
	}
	if (deflate_step(op) != 0)
		return ALG_NEXT;
	io->head.status = WD_STATUS_OK;
	return 0;
}

/* The first call of a stream. */
static int stream_start(struct comp_op *op)
{
	struct wd_comp *c = op->c;
	struct comp_stream *s = &c->stream;
	int ret = comp_stream_begin(op);

	if (ret != 0)
		return ret;
	if (c->op == WD_OP_COMPRESS) {
		s->pending = comp_header_build(c, s->small);
		s->pending_at = s->small;
		c->has_set_header = false;
		s->phase = COMP_BODY;
	} else {
		c->has_got_header = false;
		header_parser_init(&s->parser, c->format);
		s->phase = COMP_HEADER;
	}
	return 0;
}

/* A stream that is over says so again. */
static int advance_failed(struct comp_op *op)
{
	const struct comp_stream *s = &op->c->stream;

	op->io->head.status = s->failed_status;
	return s->failed_ret;
}

int comp_op_set_stream(struct comp_op *op, enum wd_comp_flush flush)
{
	struct wd_comp *c = op->c;
	int ret;

	op->flush = flush;
	op->advance = c->op == WD_OP_COMPRESS ? comp_deflate_advance : comp_inflate_advance;
	op->absorb = c->op == WD_OP_COMPRESS ? comp_deflate_absorb : comp_inflate_absorb;
	/* A big block is at work on the session's stream. */
	if (c->stream.op != NULL)
		return -EAGAIN;
	if (c->stream.phase == COMP_FAILED) {
		op->advance = advance_failed;
		return 0;
	}
	if (c->stream.phase == COMP_IDLE) {
		ret = stream_start(op);
		if (ret != 0)
			return ret;
	}
	c->stream.op = op;
	return 0;
}

int wd_comp_stream(struct wd_comp *comp, struct wd_comp_io *io, enum wd_comp_flush flush)
{
	int ret;

	if (comp == NULL || !comp_io_is_valid(io) || (unsigned int)flush > WD_COMP_FINISH)
		return -EINVAL;
	ret = comp_enter(comp);
	if (ret == 0)
		ret = comp_settle(comp);
	if (ret != 0)
		return ret;
	comp_op_init(&comp->own, comp, io);
	ret = comp_op_set_stream(&comp->own, flush);
	return ret != 0 ? ret : comp_op_run(&comp->own);
}

void wd_comp_reset(struct wd_comp *comp)
{
	/* A request that a time-out left out still uses the buffers: nothing else is touched. */
	if (comp != NULL && comp->stream.op == NULL)
		comp->stream.phase = COMP_IDLE;
}

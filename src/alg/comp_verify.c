/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * WD_COMP_OPT_VERIFY: what a device compressed is decompressed, by another one
 * where there is one, and compared with the input before anybody sees it.
 *
 * A whole block is decompressed as it is, trailer and all.  A piece of a stream
 * refers to what came before it: the checking stream begins with the history, as
 * a stored block, then has the piece, then an end if that is not the last one, so
 * that nothing can hide behind it.  No state is kept at the device from piece
 * to piece, so that a piece done again elsewhere is checked in the same way.  The
 * trailer at the end of a stream is compared with sums of our own.
 */
#include "alg/alg_comp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/sums.h"

#define HISTORY_BYTES 32768u
#define STORED_HEADER 5u
#define END_BYTES     STORED_HEADER /* a stored block of nothing */
#define STATE_ALIGN   64u
#define WRONG_MAX     4u /* outputs found wrong after which an operation is given up */
#define DISPUTED      2u /* outputs found wrong after which no other device's word counts */

/* What a stream's checks need of the pieces before. */
struct comp_check_sums {
	uint32_t sum;
	uint32_t size; /* modulo 2^32 */
	uint32_t history_bytes;
	uint8_t history[HISTORY_BYTES];
};

struct comp_check {
	bool is_at_it;
	bool is_wrong;		 /* what was made is not the input: it is to be made again */
	struct wd_comp_req made; /* the request whose output is checked, as it was answered */
	uint32_t made_device;
	uint32_t made_device_id;
	sched_set made_avoid;
	struct wd_comp_state state;
	struct iovec src[4];
	struct iovec dst;
	uint8_t stored[STORED_HEADER];
	uint8_t end[END_BYTES];
	uint8_t *out; /* decompressed: history and piece */
	size_t out_bytes;
};

bool comp_verify_is_at_it(const struct comp_op *op)
{
	return op->check != NULL && op->check->is_at_it;
}

void comp_verify_reset(struct comp_op *op)
{
	op->check->is_at_it = false;
}

/* ---------------------------------------------------------------- memory */

static int reserve(struct comp_op *op, size_t bytes)
{
	struct comp_check *check = op->check;
	uint8_t *out;

	if (check == NULL) {
		check = calloc(1, sizeof(*check));
		if (check == NULL)
			return -ENOMEM;
		check->state.buf = aligned_alloc(STATE_ALIGN, WD_COMP_STATE_BYTES);
		if (check->state.buf == NULL) {
			free(check);
			return -ENOMEM;
		}
		memset(check->state.buf, 0, WD_COMP_STATE_BYTES);
		/* the last block, stored, of no bytes */
		check->end[0] = 1;
		bytes_put_le16(check->end + 1, 0);
		bytes_put_le16(check->end + 3, 0xffff);
		op->check = check;
	}
	if (bytes <= check->out_bytes)
		return 0;
	out = realloc(check->out, bytes);
	if (out == NULL)
		return -ENOMEM;
	check->out = out;
	check->out_bytes = bytes;
	return 0;
}

void comp_verify_fini(struct comp_op *op)
{
	if (op->check == NULL)
		return;
	free(op->check->state.buf);
	free(op->check->out);
	free(op->check);
	op->check = NULL;
}

void comp_verify_stream_begin(struct comp_stream *s)
{
	if (s->sums != NULL)
		memset(s->sums, 0, offsetof(struct comp_check_sums, history));
}

void comp_verify_stream_fini(struct comp_stream *s)
{
	free(s->sums);
	s->sums = NULL;
}

/* ---------------------------------------------------------------- begin */

/* Hardware wants some room, also for nothing; and what is too long must not look cut. */
static uint32_t room_for(uint32_t bytes)
{
	return base_min_u32(bytes + COMP_ROOM_MIN, WD_COMP_PIECE_MAX);
}

static void check_req(struct comp_op *op, struct wd_comp_req *made)
{
	struct wd_comp_req *req = &op->req;

	memset(req, 0, sizeof(*req));
	req->head.op = WD_OP_DECOMPRESS;
	req->format = made->format;
	req->src = made->dst;
	req->src_len = made->produced;
	req->dst = op->check->out;
	req->dst_len = room_for(made->src_len);
	op->job.bytes = made->produced;
}

/* A scattered output is read where it lies. */
static void check_scattered(struct comp_op *op, const struct wd_comp_req *made)
{
	struct wd_comp_req *req = &op->req;

	op->check->dst = (struct iovec){ .iov_base = op->check->out, .iov_len = req->dst_len };
	req->flags = WD_COMP_F_SGL;
	req->src_nr = made->dst_nr;
	req->src_offset = made->dst_offset;
	req->dst = &op->check->dst;
	req->dst_nr = 1;
}

/* The history as a stored block, then the piece without its trailer. */
static void check_piece(struct comp_op *op, const struct wd_comp_req *made)
{
	struct comp_check_sums *sums = op->c->stream.sums;
	struct comp_check *check = op->check;
	struct wd_comp_req *req = &op->req;
	uint32_t trailer = made->flags & WD_COMP_F_FINISH ? comp_trailer_bytes(made->format) : 0;
	uint32_t deflated = made->produced > trailer ? made->produced - trailer : 0;
	bool is_last = made->flags & WD_COMP_F_FINISH && deflated > 0;
	uint32_t history = sums->history_bytes;
	void *buf = check->state.buf;
	unsigned int n = 0;

	if (history > 0) {
		check->stored[0] = 0; /* not the last block, stored */
		bytes_put_le16(check->stored + 1, (uint16_t)history);
		bytes_put_le16(check->stored + 3, (uint16_t)~history);
		check->src[n++] = (struct iovec){ check->stored, STORED_HEADER };
		check->src[n++] = (struct iovec){ sums->history, history };
	}
	if (deflated > 0)
		check->src[n++] = (struct iovec){ made->dst, deflated };
	if (!is_last)
		check->src[n++] = (struct iovec){ check->end, END_BYTES };
	/* More than it takes: an inflate that fills its room leaves the end of a flush unread. */
	check->dst = (struct iovec){ check->out, history + made->src_len + COMP_ROOM_MIN };
	check->state = (struct wd_comp_state){ .buf = buf };
	req->format = WD_COMP_DEFLATE;
	req->flags = WD_COMP_F_SGL;
	req->src = check->src;
	req->src_nr = n;
	req->src_len =
		deflated + (history > 0 ? STORED_HEADER + history : 0) + (is_last ? 0 : END_BYTES);
	req->dst = &check->dst;
	req->dst_nr = 1;
	req->dst_len = check->dst.iov_len;
	req->state = &check->state;
}

/*
 * Who had better not check: the device that made it, if there is another.  After
 * some disagreements it may be the checking device that is never right, so that
 * each is then asked about its own.
 */
static sched_set unfit_to_check(const struct comp_op *op)
{
	const struct sched_route *check = op->c->session.check->route;
	sched_set avoid = 0;
	unsigned int i;

	for (i = 0; i < check->nr; i++) {
		bool has_made_it = check->devices[i].lane.id == op->check->made_device_id;

		if (has_made_it == (op->nr_wrong < DISPUTED))
			avoid |= 1u << i;
	}
	return avoid;
}

int comp_verify_begin(struct comp_op *op)
{
	struct comp_stream *s = &op->c->stream;
	struct comp_check *check;
	int ret = reserve(op, HISTORY_BYTES + op->req.src_len + COMP_ROOM_MIN);

	if (ret != 0)
		return ret;
	if (op->req.state != NULL && s->sums == NULL) {
		s->sums = calloc(1, sizeof(*s->sums));
		if (s->sums == NULL)
			return -ENOMEM;
	}
	check = op->check;
	check->made = op->req;
	check->made_device = op->job.device;
	check->made_device_id = op->job.req->device_id;
	check->made_avoid = op->job.avoid;
	check->is_at_it = true;
	check->is_wrong = false;
	check_req(op, &check->made);
	if (check->made.state != NULL)
		check_piece(op, &check->made);
	else if (check->made.flags & WD_COMP_F_SGL)
		check_scattered(op, &check->made);
	op->job.port = op->c->session.check;
	op->job.only = 0;
	op->job.prefer_not = unfit_to_check(op);
	return ALG_NEXT;
}

/* ---------------------------------------------------------------- answer */

/* Whether @n bytes at @p are the next of the request's input. */
static bool is_input(const struct wd_comp_req *made, const uint8_t *p, size_t n)
{
	const struct iovec *iov = made->src;
	size_t skip = made->src_offset;

	if (!(made->flags & WD_COMP_F_SGL))
		return n == made->src_len && (n == 0 || memcmp(p, made->src, n) == 0);
	for (; n > 0; iov++) {
		size_t len = iov->iov_len;

		if (skip >= len) {
			skip -= len;
			continue;
		}
		len = base_min_u64(len - skip, n);
		if (memcmp(p, (const uint8_t *)iov->iov_base + skip, len) != 0)
			return false;
		skip = 0;
		p += len;
		n -= len;
	}
	return true;
}

static uint32_t next_sum(uint8_t format, const struct comp_check_sums *sums, const void *p,
			 size_t n)
{
	if (format == WD_COMP_GZIP)
		return sums_crc32(sums->sum, p, n);
	return format == WD_COMP_ZLIB ? sums_adler32(sums->size > 0 ? sums->sum : 1, p, n) : 0;
}

static bool is_trailer_right(const struct wd_comp_req *made, uint32_t sum, uint32_t size)
{
	const uint8_t *at =
		(const uint8_t *)made->dst + made->produced - comp_trailer_bytes(made->format);

	if (!(made->flags & WD_COMP_F_FINISH))
		return true;
	if (made->format == WD_COMP_GZIP)
		return bytes_get_le32(at) == sum && bytes_get_le32(at + 4) == size;
	return made->format != WD_COMP_ZLIB || bytes_get_be32(at) == sum;
}

static void append_history(struct comp_check_sums *sums, const uint8_t *p, size_t n)
{
	uint32_t keep;

	if (n >= HISTORY_BYTES) {
		memcpy(sums->history, p + n - HISTORY_BYTES, HISTORY_BYTES);
		sums->history_bytes = HISTORY_BYTES;
		return;
	}
	keep = base_min_u32(sums->history_bytes, HISTORY_BYTES - (uint32_t)n);
	memmove(sums->history, sums->history + sums->history_bytes - keep, keep);
	memcpy(sums->history + keep, p, n);
	sums->history_bytes = keep + (uint32_t)n;
}

/* A piece that is right is part of the history from here on. */
static bool is_piece_right(struct comp_op *op)
{
	struct comp_check_sums *sums = op->c->stream.sums;
	const struct wd_comp_req *made = &op->check->made;
	uint32_t history = sums->history_bytes;
	const uint8_t *piece = op->check->out + history;
	uint32_t sum, size;
	uint32_t trailer = made->flags & WD_COMP_F_FINISH ? comp_trailer_bytes(made->format) : 0;

	if (op->req.head.status != WD_STATUS_STREAM_END || op->req.consumed != op->req.src_len ||
	    op->req.produced != history + made->src_len || made->produced <= trailer ||
	    !is_input(made, piece, made->src_len))
		return false;
	sum = next_sum(made->format, sums, made->src, made->src_len);
	size = sums->size + made->src_len;
	if (!is_trailer_right(made, sum, size))
		return false;
	append_history(sums, made->src, made->src_len);
	sums->sum = sum;
	sums->size = size;
	return true;
}

static bool is_block_right(const struct comp_op *op)
{
	return op->req.head.status <= WD_STATUS_STREAM_END &&
	       op->req.head.status != WD_STATUS_PENDING && op->req.consumed == op->req.src_len &&
	       op->req.produced == op->check->made.src_len &&
	       is_input(&op->check->made, op->check->out, op->req.produced);
}

/* Back to the request whose output was checked. */
static void end_check(struct comp_op *op)
{
	struct comp_check *check = op->check;

	check->is_at_it = false;
	op->req = check->made;
	op->job.port = &op->c->session.port;
	op->job.prefer_not = 0;
	op->job.device = check->made_device;
	op->job.io->device_id = check->made_device_id;
	op->job.bytes = check->made.src_len;
}

int comp_verify_answered(struct comp_op *op)
{
	bool is_right = op->check->made.state != NULL ? is_piece_right(op) : is_block_right(op);

	if (!is_right) {
		if (++op->nr_wrong > WRONG_MAX)
			return -EIO;
		op->check->is_wrong = true;
		return ALG_REDO;
	}
	end_check(op);
	op->io->head.flags |= WD_IO_F_VERIFIED;
	return 0;
}

int comp_verify_redo(struct comp_op *op)
{
	struct comp_check *check = op->check;
	const sched_set all = (1u << op->c->session.port.route->nr) - 1;
	const sched_set made = 1u << check->made_device;

	/* The checking device failed: another one checks. */
	if (!check->is_wrong) {
		if (op->req.state != NULL)
			check->state = (struct wd_comp_state){ .buf = check->state.buf };
		return 0;
	}
	end_check(op);
	/* When all had their turn, the next is anybody's but the last one's. */
	op->job.avoid = (check->made_avoid | made) != all ? check->made_avoid | made : made;
	return op->req.state != NULL ? comp_deflate_redo(op) : 0;
}

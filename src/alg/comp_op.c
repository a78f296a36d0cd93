/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Operations of a compression session as jobs: begun, waited for or not, their
 * requests' answers checked, done again where a device failed, ended.
 */
#include "alg/alg_comp.h"

#include <errno.h>
#include <string.h>

#include <wd/mem.h>

#define POPULATE_MIN (128u << 10) /* less is not worth a system call */

/* ---------------------------------------------------------------- requests */

void comp_req_fill(struct comp_op *op, const void *src, size_t src_len, void *dst, size_t dst_len,
		   struct wd_comp_state *state)
{
	const struct wd_comp *c = op->c;
	struct wd_comp_req *req = &op->req;

	memset(req, 0, sizeof(*req));
	req->head.op = c->op;
	req->format = c->format;
	req->level = c->level;
	req->window_bits = c->window_bits;
	req->src = src_len > 0 ? src : op->small;
	req->src_len = src_len;
	req->dst = dst;
	req->dst_len = dst_len;
	req->state = state;
	if (state != NULL)
		op->state_kept = *state;
	op->job.bytes = src_len;
	op->job.only = state != NULL && state->begun ? c->stream.only : 0;
}

/* Levels by how hard they try; 0, where a device does not tell, is the least promise. */
static uint32_t level_rank(uint32_t level)
{
	if (level == WD_COMP_LEVEL_DEFAULT)
		return 0;
	return level == WD_COMP_LEVEL_FASTEST ? 1 : level + 1;
}

static void note_level(struct comp_op *op, bool is_first)
{
	if (is_first || level_rank(op->req.level) < level_rank(op->io->level))
		op->io->level = op->req.level;
}

static struct comp_op *to_op(struct alg_job *job)
{
	return base_container_of(job, struct comp_op, job);
}

/* The answer of op->req is what it should be: it counts, and the operation goes on. */
static int go_on(struct comp_op *op)
{
	int ret;

	note_level(op, !op->has_level);
	op->has_level = true;
	if (op->req.state != NULL)
		op->c->stream.only = 1u << op->job.device;
	ret = op->absorb(op);
	return ret != 0 ? ret : op->advance(op);
}

static int comp_answered(struct alg_job *job)
{
	struct comp_op *op = to_op(job);
	int ret;

	/* Nobody waits any more, and the caller's room is not to be written again. */
	if (base_unlikely(op->is_left))
		return -EIO;
	if (base_unlikely(op->is_priming))
		return comp_deflate_primed(op);
	if (base_unlikely(comp_verify_is_at_it(op))) {
		ret = comp_verify_answered(op);
		return ret != 0 ? ret : go_on(op);
	}
	/* The device is foreign: its counts are used as lengths, so they are checked, not believed. */
	if (op->req.consumed > op->req.src_len || op->req.produced > op->req.dst_len)
		return ALG_REDO;
	if (base_unlikely(op->c->flags & WD_COMP_OPT_VERIFY) &&
	    op->req.head.status <= WD_STATUS_STREAM_END)
		return comp_verify_begin(op);
	return go_on(op);
}

static int comp_redo(struct alg_job *job)
{
	struct comp_op *op = to_op(job);

	if (op->is_left)
		return -EIO;
	if (comp_verify_is_at_it(op))
		return comp_verify_redo(op);
	if (op->req.state == NULL)
		return 0;
	return op->c->op == WD_OP_COMPRESS ? comp_deflate_redo(op) : comp_inflate_redo(op);
}

static int comp_resume(struct alg_job *job)
{
	struct comp_op *op = to_op(job);

	return op->is_left ? -EIO : op->advance(op);
}

static void comp_ended(struct alg_job *job)
{
	comp_op_end(to_op(job));
}

static const struct alg_job_ops comp_job_ops = {
	.answered = comp_answered,
	.redo = comp_redo,
	.resume = comp_resume,
	.ended = comp_ended,
};

/* ---------------------------------------------------------------- operations */

bool comp_io_is_valid(const struct wd_comp_io *io)
{
	return io != NULL && (io->src != NULL || io->src_len == 0) &&
	       (io->dst != NULL || io->dst_len == 0);
}

/* What the parent had in flight is not the child's; its stream may go on. */
static BASE_COLD void forget_in_flight(struct wd_comp *c)
{
	uint32_t i;

	c->own.job.is_in_flight = false;
	c->free_ops = NULL;
	for (i = 0; c->ops != NULL && i < c->depth; i++) {
		c->ops[i].next = c->free_ops;
		c->free_ops = &c->ops[i];
	}
	if (c->stream.op != NULL)
		comp_stream_fail(&c->stream, -EIO);
	c->stream.op = NULL;
	c->stream.only = 0;
}

int comp_enter(struct wd_comp *c)
{
	int ret;

	if (base_unlikely(alg_session_enter(&c->session, &ret)))
		forget_in_flight(c);
	return ret;
}

int comp_settle(struct wd_comp *c)
{
	if (base_likely(!c->own.job.is_in_flight))
		return 0;
	return alg_session_wait(&c->session, &c->own.job, 0);
}

/* Zeroes the results of @io. */
static void io_begin(struct wd_comp_io *io)
{
	void *user = io->head.user;

	io->head = (struct wd_io){ .user = user };
	io->consumed = 0;
	io->produced = 0;
	io->level = 0;
	io->reserved = 0;
}

void comp_op_init(struct comp_op *op, struct wd_comp *c, struct wd_comp_io *io)
{
	op->c = c;
	op->io_of_call = io;
	op->job.is_sync = op == &c->own;
	if (op->job.is_sync) {
		/* A time-out leaves the operation behind when the caller's struct is gone. */
		op->own_io = *io;
		io = &op->own_io;
	}
	io_begin(io);
	op->io = io;
	op->job.ops = &comp_job_ops;
	op->job.io = &io->head;
	op->job.req = &op->req.head;
	op->job.port = &c->session.port;
	op->is_left = false;
	op->is_priming = false;
	op->has_level = false;
	op->nr_wrong = 0;
	op->job.prefer_not = 0;
	if (op->check != NULL)
		comp_verify_reset(op);
}

static BASE_COLD void populate(struct comp_op *op)
{
	/* Failing to is no failure: pages come one by one then. */
	wd_mem_populate(alg_session_queue(&op->c->session), op->io->dst, op->io->dst_len);
}

void comp_op_end(struct comp_op *op)
{
	struct comp_stream *s = &op->c->stream;

	if (s->op != op)
		return;
	s->op = NULL;
	if (s->is_block)
		s->phase = COMP_IDLE;
	else if (op->io->head.error != 0 || op->io->head.status == WD_STATUS_CANCELLED)
		comp_stream_fail(s, op->io->head.error != 0 ? op->io->head.error : -EIO);
	s->is_block = false;
}

int comp_op_begin(struct comp_op *op)
{
	struct alg_session *s = &op->c->session;
	int ret;

	if (base_unlikely(op->c->flags & WD_COMP_OPT_POPULATE) && op->io->dst_len >= POPULATE_MIN)
		populate(op);
	ret = op->advance(op);
	/* A stream has taken input by now: it rather waits for room than to be tried again. */
	if (ret == ALG_NEXT)
		ret = alg_session_begin(s, &op->job, op->job.is_sync || op->c->stream.op == op);
	else if (ret == ALG_WAIT && !op->job.is_sync)
		ret = -EAGAIN;
	else if (ret == 0 && !op->job.is_sync)
		alg_session_end_at_once(s, &op->job);
	if (ret == ALG_WAIT) {
		alg_session_hold(s, &op->job);
		return 0;
	}
	if (ret != 0) {
		op->io->head.error = ret;
		comp_op_end(op);
	}
	return ret;
}

int comp_op_run(struct comp_op *op)
{
	int ret = comp_op_begin(op);

	if (ret != 0)
		goto out_results;
	if (op->job.is_in_flight) {
		ret = alg_session_wait(&op->c->session, &op->job, 0);
		if (ret != 0) {
			op->is_left = true;
			op->io_of_call->head.error = ret;
			return ret;
		}
	}
	ret = op->io->head.error;
	comp_op_end(op);
out_results:
	*op->io_of_call = *op->io;
	return ret;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* Operations that nobody waits for: begun, polled, given up. */
#include "alg/alg_comp.h"

#include <errno.h>
#include <stdlib.h>

/* Operations for all that the session can have in flight, made by the first that is submitted. */
static int make_ops(struct wd_comp *c)
{
	uint32_t i;

	if (c->ops != NULL)
		return 0;
	c->ops = calloc(c->depth, sizeof(*c->ops));
	if (c->ops == NULL)
		return -ENOMEM;
	for (i = c->depth; i-- > 0;) {
		c->ops[i].next = c->free_ops;
		c->free_ops = &c->ops[i];
	}
	return 0;
}

/* Begins @io without waiting. */
static int submit(struct wd_comp *c, struct wd_comp_io *io)
{
	struct comp_op *op = c->free_ops;
	int ret;

	if (!comp_io_is_valid(io))
		return -EINVAL;
	if (op == NULL)
		return -EAGAIN;
	comp_op_init(op, c, io);
	comp_op_set_block(op);
	ret = comp_op_begin(op);
	if (ret != 0)
		return ret;
	c->free_ops = op->next;
	io->head.job = op;
	return 0;
}

static int submit_enter(struct wd_comp *c)
{
	int ret = comp_enter(c);

	if (ret == 0)
		ret = make_ops(c);
	return ret != 0 ? ret : comp_block_ready(c);
}

int wd_comp_submit(struct wd_comp *comp, struct wd_comp_io *io)
{
	int ret;

	if (comp == NULL)
		return -EINVAL;
	ret = submit_enter(comp);
	return ret != 0 ? ret : submit(comp, io);
}

int wd_comp_submit_burst(struct wd_comp *comp, struct wd_comp_io *const *ios, unsigned int nr)
{
	unsigned int n;
	int ret;

	if (comp == NULL || (ios == NULL && nr > 0))
		return -EINVAL;
	ret = submit_enter(comp);
	comp->session.is_burst = true;
	for (n = 0; n < nr && ret == 0; n++)
		ret = submit(comp, ios[n]);
	comp->session.is_burst = false;
	if (n > 0)
		alg_session_flush(&comp->session);
	n -= ret != 0 && n > 0;
	return n > 0 ? (int)n : ret;
}

int wd_comp_submit_stream(struct wd_comp *comp, struct wd_comp_io *io, enum wd_comp_flush flush)
{
	struct comp_op *op;
	int ret;

	if (comp == NULL || !comp_io_is_valid(io) || (unsigned int)flush > WD_COMP_FINISH)
		return -EINVAL;
	ret = comp_enter(comp);
	if (ret == 0)
		ret = make_ops(comp);
	if (ret != 0)
		return ret;
	op = comp->free_ops;
	if (op == NULL || comp->session.nr_jobs + comp->session.nr_ended > 0)
		return -EAGAIN;
	comp_op_init(op, comp, io);
	ret = comp_op_set_stream(op, flush);
	if (ret == 0)
		ret = comp_op_begin(op);
	if (ret != 0)
		return ret;
	comp->free_ops = op->next;
	io->head.job = op;
	return 0;
}

/* Hands out what ended, up to @nr. */
static unsigned int hand_out(struct wd_comp *c, struct wd_comp_io **ret_ios, unsigned int nr)
{
	struct alg_job *job;
	unsigned int n = 0;

	while (n < nr && (job = alg_session_next_ended(&c->session)) != NULL) {
		struct comp_op *op = base_container_of(job, struct comp_op, job);
		struct wd_comp_io *io = op->io;

		op->next = c->free_ops;
		c->free_ops = op;
		io->head.job = NULL;
		n++;
		/* It may submit others: the operation is free again. */
		if (c->done != NULL)
			c->done(c->arg, io);
		else
			ret_ios[n - 1] = io;
	}
	return n;
}

static int check_poll(const struct wd_comp *c, struct wd_comp_io **ret_ios, unsigned int nr)
{
	if (c == NULL || nr == 0)
		return -EINVAL;
	return ret_ios != NULL || c->done != NULL ? 0 : -EINVAL;
}

int wd_comp_poll(struct wd_comp *comp, struct wd_comp_io **ret_ios, unsigned int nr)
{
	unsigned int n;
	int ret = check_poll(comp, ret_ios, nr);

	if (ret == 0)
		ret = comp_enter(comp);
	if (ret != 0)
		return ret;
	if (comp->session.nr_ended == 0)
		alg_session_poll(&comp->session, LANE_TAKE_POLL);
	n = hand_out(comp, ret_ios, nr);
	if (base_unlikely(n == 0 && comp->session.has_fd)) {
		alg_session_settle(&comp->session);
		n = hand_out(comp, ret_ios, nr);
	}
	return (int)n;
}

int wd_comp_wait(struct wd_comp *comp, struct wd_comp_io **ret_ios, unsigned int nr, int timeout_ms)
{
	int ret = check_poll(comp, ret_ios, nr);

	if (ret == 0 && timeout_ms < 0)
		ret = -EINVAL;
	if (ret == 0)
		ret = comp_enter(comp);
	if (ret == 0 && comp->session.nr_ended == 0 && wd_comp_in_flight(comp) > 0)
		ret = alg_session_wait(&comp->session, NULL, timeout_ms);
	return ret != 0 ? ret : (int)hand_out(comp, ret_ios, nr);
}

int wd_comp_fd(struct wd_comp *comp)
{
	int ret;

	if (comp == NULL)
		return -EINVAL;
	ret = comp_enter(comp);
	return ret != 0 ? ret : alg_session_fd(&comp->session);
}

int wd_comp_cancel(struct wd_comp *comp)
{
	int ret;

	if (comp == NULL)
		return -EINVAL;
	ret = comp_enter(comp);
	return ret != 0 ? ret : (int)alg_session_cancel(&comp->session);
}

unsigned int wd_comp_in_flight(const struct wd_comp *comp)
{
	if (comp == NULL)
		return 0;
	/* What a call that ran out of time left behind nobody hands out. */
	return comp->session.nr_jobs + comp->session.nr_ended - comp->own.job.is_in_flight;
}

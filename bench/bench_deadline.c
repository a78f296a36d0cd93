/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * How far does a wait overrun its deadline?  Each call that waits, with short
 * deadlines, for devices that are slow, lose requests or hang, and for work that
 * itself takes longer than the deadline.  Beside it a plain sleep in the kernel
 * of the same length.  Each case is a process of its own.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wd/comp.h>

#include "comp_blocks.h"
#include "library.h"
#include "measure.h"

#define TRIES	    10u
#define TRIES_MAX   1000u
#define SMALL_BYTES 4096u
#define BIG_BYTES   (1u << 20)
#define BIG_LEVEL   9 /* many times the longest deadline */
#define DEPTH	    4u
#define LIMIT_S	    120u

static const unsigned int deadlines_ms[] = { 1, 5, 20 };

#define NR(array) (sizeof(array) / sizeof((array)[0]))

struct device {
	const char *name;
	const char *embed;
	unsigned int workers;
	bool is_big; /* it is well; the work takes long */
};

static const struct device devices[] = {
	{ .name = "slow", .embed = "hisi_zip:delay=50000us" },
	{ .name = "slow", .embed = "hisi_zip:delay=50000us", .workers = 1 },
	{ .name = "drops", .embed = "hisi_zip:fault=drop@1/1" },
	{ .name = "drops", .embed = "hisi_zip:fault=drop@1/1", .workers = 1 },
	{ .name = "hangs", .embed = "hisi_zip:fault=hang@1" },
	{ .name = "hangs", .embed = "hisi_zip:fault=hang@1", .workers = 1 },
	{ .name = "busy", .embed = "hisi_zip", .is_big = true },
	{ .name = "busy", .embed = "hisi_zip", .is_big = true, .workers = 1 },
};

struct deadline_case;

/* One try: how the wait ended, and how long it and the giving back took. */
struct attempt {
	int err; /* of the wait */
	uint32_t status;
	uint64_t wait_ns;
	uint64_t close_ns;
	size_t produced;
};

struct call {
	const char *name;
	int (*run)(const struct deadline_case *c, uint8_t *out, struct attempt *ret);
};

struct deadline_case {
	const struct device *device;
	const struct call *call;
	unsigned int deadline_ms;
	size_t tries;
	const struct comp_blocks *blocks;
};

struct deadline_result {
	double overrun_us; /* the longest, and the median */
	double median_us;
	double close_us; /* the longest */
	unsigned int nr_timeouts;
	unsigned int nr_done;
	unsigned int nr_failed;
};

static int level_of(const struct deadline_case *c)
{
	return c->device->is_big ? BIG_LEVEL : 1;
}

/* -------------------------------------------------------------------- calls */

static int call_recv_sync(const struct deadline_case *c, uint8_t *out, struct attempt *ret)
{
	const struct comp_block *b = &c->blocks->block[0];
	struct wd_queue q = {
		.size = sizeof(q),
		.capa = { .alg = "deflate", .op = WD_OP_COMPRESS },
		.timeout_ms = (int32_t)c->deadline_ms,
	};
	struct wd_comp_req req = {
		.head = { .op = WD_OP_COMPRESS },
		.format = WD_COMP_DEFLATE,
		.level = (uint8_t)level_of(c),
		.src = b->src,
		.src_len = (uint32_t)b->src_len,
		.dst = out,
		.dst_len = (uint32_t)c->blocks->room,
	};
	struct wd_req *back;
	uint64_t start;
	int err;

	err = wd_request_queue(&q);
	if (err)
		return library_fail("wd_request_queue", err);
	err = wd_send(&q, &req.head);
	if (err) {
		wd_release_queue(&q);
		return library_fail("wd_send", err);
	}
	start = measure_now_ns();
	ret->err = wd_recv_sync(&q, &back);
	ret->wait_ns = measure_now_ns() - start;
	ret->status = ret->err ? 0 : back->status;
	ret->produced = req.produced;
	start = measure_now_ns();
	wd_release_queue(&q);
	ret->close_ns = measure_now_ns() - start;
	return 0;
}

static int open_session(const struct deadline_case *c, struct wd_comp **ret_comp)
{
	const struct wd_comp_opts opts = {
		.size = sizeof(opts),
		.op = WD_OP_COMPRESS,
		.format = WD_COMP_DEFLATE,
		.level = level_of(c),
		.timeout_ms = (int32_t)c->deadline_ms,
		.depth = DEPTH,
	};
	int err = wd_comp_open(&opts, ret_comp);

	return err ? library_fail("wd_comp_open", err) : 0;
}

static struct wd_comp_io make_io(const struct deadline_case *c, uint8_t *out)
{
	const struct comp_block *b = &c->blocks->block[0];

	return (struct wd_comp_io){
		.src = b->src, .src_len = b->src_len, .dst = out, .dst_len = c->blocks->room
	};
}

static void close_session(struct wd_comp *comp, struct attempt *ret)
{
	uint64_t start = measure_now_ns();

	wd_comp_close(comp);
	ret->close_ns = measure_now_ns() - start;
}

static int call_wait(const struct deadline_case *c, uint8_t *out, struct attempt *ret)
{
	struct wd_comp_io io = make_io(c, out), *back;
	struct wd_comp *comp;
	uint64_t start;
	int n;

	if (open_session(c, &comp))
		return -1;
	n = wd_comp_submit(comp, &io);
	if (n) {
		wd_comp_close(comp);
		return library_fail("wd_comp_submit", n);
	}
	start = measure_now_ns();
	n = wd_comp_wait(comp, &back, 1, (int)c->deadline_ms);
	ret->wait_ns = measure_now_ns() - start;
	if (n == 0)
		library_wrong("wd_comp_wait", "forgot what is in flight");
	ret->err = n < 0 ? n : io.head.error;
	ret->status = io.head.status;
	ret->produced = io.produced;
	close_session(comp, ret);
	return n == 0 ? -1 : 0;
}

static int call_block(const struct deadline_case *c, uint8_t *out, struct attempt *ret)
{
	struct wd_comp_io io = make_io(c, out);
	struct wd_comp *comp;
	uint64_t start;

	if (open_session(c, &comp))
		return -1;
	start = measure_now_ns();
	ret->err = wd_comp_block(comp, &io);
	ret->wait_ns = measure_now_ns() - start;
	ret->status = io.head.status;
	ret->produced = io.produced;
	close_session(comp, ret);
	return 0;
}

static int call_sleep(const struct deadline_case *c, uint8_t *out, struct attempt *ret)
{
	uint64_t start = measure_now_ns();

	(void)out;
	poll(NULL, 0, (int)c->deadline_ms);
	ret->wait_ns = measure_now_ns() - start;
	ret->err = -ETIMEDOUT;
	return 0;
}

static const struct call calls[] = {
	{ "wd_recv_sync", call_recv_sync },
	{ "wd_comp_wait", call_wait },
	{ "wd_comp_block", call_block },
};

static const struct call yardstick = { "poll", call_sleep };

/* -------------------------------------------------------------- measurement */

/* What is said to be done must be right. */
static int check(const struct deadline_case *c, const struct attempt *a, const uint8_t *out,
		 uint8_t *spare, struct direct_codec *judge)
{
	if (a->err || (a->status != WD_STATUS_OK && a->status != WD_STATUS_STREAM_END))
		return 0;
	if (comp_blocks_is_right(c->blocks, &c->blocks->block[0], out, a->produced, judge, spare))
		return 0;
	return library_wrong(c->call->name, "its output is wrong");
}

static void note(const struct deadline_case *c, const struct attempt *a, double *ret_overrun_us,
		 struct deadline_result *r)
{
	double over = (double)a->wait_ns / 1e3 - (double)c->deadline_ms * 1e3;

	*ret_overrun_us = over > 0 ? over : 0;
	if (r->close_us < (double)a->close_ns / 1e3)
		r->close_us = (double)a->close_ns / 1e3;
	r->nr_timeouts += a->err == -ETIMEDOUT;
	if (a->err != -ETIMEDOUT) {
		bool is_done = !a->err &&
			       (a->status == WD_STATUS_OK || a->status == WD_STATUS_STREAM_END);

		r->nr_done += is_done;
		r->nr_failed += !is_done;
	}
}

/* In a child process. */
static int measure_case(const void *arg, void *ret_result)
{
	const struct deadline_case *c = arg;
	struct deadline_result *r = ret_result;
	struct direct_codec *judge = direct_codec_create(DIRECT_LIBDEFLATE, 1);
	uint8_t *out = calloc(1, c->blocks->room), *spare = calloc(1, c->blocks->room);
	double overrun_us[TRIES_MAX];
	size_t i;
	int err = 0;

	measure_limit(LIMIT_S);
	memset(r, 0, sizeof(*r));
	if (!judge || !out || !spare)
		err = library_fail("buffers", -ENOMEM);
	if (!err && c->device)
		err = library_configure(c->device->embed, c->device->workers);
	for (i = 0; !err && i < c->tries; i++) {
		struct attempt a = { 0 };

		memset(out, 0, c->blocks->room);
		err = c->call->run(c, out, &a);
		if (!err)
			err = check(c, &a, out, spare, judge);
		note(c, &a, &overrun_us[i], r);
	}
	r->median_us = measure_median(overrun_us, i);
	r->overrun_us = i ? overrun_us[i - 1] : 0;
	direct_codec_destroy(judge);
	free(out);
	free(spare);
	return err;
}

static int bench_case(const struct deadline_case *c)
{
	const char *name = c->device ? c->device->name : "-";
	struct deadline_result r;

	if (measure_apart(measure_case, c, &r, sizeof(r)))
		return library_wrong(name, "was not measured");
	printf("%-6s %7u %-14s %4u | %11.3f %11.3f | %4u %4u %4u | %9.3f\n", name,
	       c->device ? c->device->workers : 0, c->call->name, c->deadline_ms,
	       r.overrun_us / 1e3, r.median_us / 1e3, r.nr_timeouts, r.nr_done, r.nr_failed,
	       r.close_us / 1e3);
	fflush(stdout);
	return 0;
}

static int bench_all(const struct comp_blocks *small, const struct comp_blocks *big, size_t tries)
{
	struct deadline_case c = { .tries = tries };
	size_t d, k, m;

	printf("# %zu tries each\n", tries);
	printf("# %-4s %7s %-14s %4s | %11s %11s | %s | %s\n", "", "workers", "call", "ms",
	       "overrun ms:", "longest, median", "timed out, done, failed",
	       "longest release or close, ms");
	for (m = 0; m < NR(deadlines_ms); m++) {
		c.call = &yardstick;
		c.blocks = small;
		c.deadline_ms = deadlines_ms[m];
		if (bench_case(&c))
			return -1;
	}
	for (d = 0; d < NR(devices); d++) {
		c.device = &devices[d];
		c.blocks = devices[d].is_big ? big : small;
		for (k = 0; k < NR(calls); k++) {
			c.call = &calls[k];
			for (m = 0; m < NR(deadlines_ms); m++) {
				c.deadline_ms = deadlines_ms[m];
				if (bench_case(&c))
					return -1;
			}
		}
	}
	return 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: bench_deadline [--tries N] [FILE...]\n");
	return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "tries", required_argument, NULL, 't' },
		{ 0 },
	};
	struct comp_blocks small = { 0 }, big = { 0 };
	size_t tries = TRIES;
	struct sample sample;
	int o, err;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (o != 't' || !(tries = measure_parse(optarg, TRIES_MAX)))
			return usage();
	if (sample_open(argv + optind, BIG_BYTES, &sample))
		return EXIT_FAILURE;
	err = comp_blocks_init(&small, WD_OP_COMPRESS, SMALL_BYTES, &sample);
	if (!err)
		err = comp_blocks_init(&big, WD_OP_COMPRESS,
				       sample.nr_bytes < BIG_BYTES ? sample.nr_bytes : BIG_BYTES,
				       &sample);
	if (err)
		library_wrong("blocks", "no memory, or less input than one block");
	else
		err = bench_all(&small, &big, tries);
	comp_blocks_fini(&small);
	comp_blocks_fini(&big);
	sample_fini(&sample);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

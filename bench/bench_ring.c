/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * What does a null request cost?  WD_OP_NOP through a queue of each device of
 * this process, beside a bare ring between two threads in the same run.  The
 * chip is run by the caller ("inline") or by a polling thread ("engine").
 * Every repetition is a process of its own, yardstick and queue by turns.
 */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wd/comp.h>
#include <wd/memop.h>
#include <wd/wd.h>

#include "measure.h"
#include "spsc_ring.h"

#define DEPTH_MAX   256u
#define BURST	    32u	   /* most requests in one call, at any depth */
#define CHUNK	    16384u /* requests between two looks at the clock */
#define WARM_UP	    32768u
#define REPEATS_MAX 99u
#define REPEATS	    9u
#define RUN_MS	    60u
#define NS_PER_MS   1000000ull

/* A request of either family: a null request looks at the head alone. */
union null_req {
	struct wd_req head;
	struct wd_comp_req comp;
	struct wd_memop_req memop;
};

struct target {
	const char *name;
	const char *device;
	const char *alg;
	uint32_t op;
};

static const struct target targets[] = {
	{ "hisi_zip", "embed:hisi_zip-0", "deflate", WD_OP_COMPRESS },
	{ "dummy", "embed:dummy-0", "memop", WD_OP_NOP },
};

#define NR_TARGETS (sizeof(targets) / sizeof(targets[0]))

static const unsigned int depths[] = { 1, 32, 256 };

#define NR_DEPTHS (sizeof(depths) / sizeof(depths[0]))

enum mode {
	MODE_INLINE, /* who waits runs the chip */
	MODE_ENGINE, /* a thread polls for doorbells */
	MODE_RING,   /* the yardstick */
};

static const char *const mode_names[] = { "inline", "engine" };

struct ring_case {
	const struct target *target; /* NULL: the yardstick */
	enum mode mode;
	unsigned int depth;
	uint64_t run_ns;
	int nr_cpus;
	int cpu[2];
};

/* A queue under test, with as many requests as may be in flight. */
struct driven {
	struct wd_queue q;
	unsigned int depth;
	unsigned int nr_idle;
	struct wd_req *idle[DEPTH_MAX + BURST]; /* not in flight, in no order */
	union null_req reqs[DEPTH_MAX];
};

static struct driven driven;

/* Before the library is first used: it looks at its environment once. */
static void configure(enum mode mode)
{
	unsetenv("WD_DEVICE");
	unsetenv("WD_EMBED_DEPTH");
	setenv("WD_EMBED", "hisi_zip,dummy", 1);
	setenv("WD_EMBED_WORKERS", mode == MODE_ENGINE ? "1" : "0", 1);
	setenv("WD_EMBED_SPIN_US", "forever", 1);
}

static int open_queue(struct driven *d, const struct target *t, unsigned int depth)
{
	unsigned int i;
	int err;

	memset(d, 0, sizeof(*d));
	d->q.size = sizeof(d->q);
	d->q.capa.alg = t->alg;
	d->q.capa.op = t->op;
	snprintf(d->q.device, sizeof(d->q.device), "%s", t->device);
	err = wd_request_queue(&d->q);
	if (err) {
		fprintf(stderr, "bench_ring: %s: %s\n", t->device, wd_error_text(err));
		return err;
	}
	d->depth = depth;
	if (d->q.depth < depth) {
		fprintf(stderr, "bench_ring: %s: depth is %u only\n", t->device, d->q.depth);
		wd_release_queue(&d->q);
		return -EINVAL;
	}
	for (i = 0; i < depth; i++)
		d->idle[d->nr_idle++] = &d->reqs[i].head;
	return 0;
}

/* ------------------------------------------------------- ways to drive it */

static int fail(int err)
{
	fprintf(stderr, "bench_ring: %s\n", wd_error_text(err));
	return err;
}

static int check(const struct wd_req *req)
{
	if (req->status == WD_STATUS_OK)
		return 0;
	fprintf(stderr, "bench_ring: %s\n", wd_status_text(req->status));
	return -EIO;
}

/* Looks until it is back. */
static int recv_polling(struct wd_queue *q, struct wd_req **ret_req)
{
	int err;

	do
		err = wd_recv(q, ret_req);
	while (err == -EAGAIN);
	return err;
}

/* One at a time, each waited for with wd_recv_sync() or recv_polling(). */
static int drive_one(struct driven *d, uint64_t nr,
		     int (*recv)(struct wd_queue *q, struct wd_req **ret_req))
{
	struct wd_req *req = d->idle[0];
	int err;

	for (; nr; nr--) {
		err = wd_send(&d->q, req);
		if (!err)
			err = recv(&d->q, &req);
		if (err)
			return fail(err);
		err = check(req);
		if (err)
			return err;
	}
	return 0;
}

static int send_some(struct driven *d, uint64_t nr_left)
{
	unsigned int nr = d->nr_idle < BURST ? d->nr_idle : BURST;
	struct wd_req **from;
	int n;

	if (nr > nr_left)
		nr = (unsigned int)nr_left;
	from = d->idle + d->nr_idle - nr;
	n = wd_send_burst(&d->q, from, nr);
	if (n == -EAGAIN)
		return 0;
	if (n < 0)
		return fail(n);
	if ((unsigned int)n < nr)
		memmove(from, from + n, (nr - (unsigned int)n) * sizeof(*from));
	d->nr_idle -= (unsigned int)n;
	return n;
}

/* As many in flight as the depth allows, in bursts. */
static int drive_async(struct driven *d, uint64_t nr)
{
	uint64_t sent = 0, received = 0;
	int i, n;

	while (received < nr) {
		if (d->nr_idle && sent < nr) {
			n = send_some(d, nr - sent);
			if (n < 0)
				return n;
			sent += (uint64_t)n;
			if (n && d->nr_idle && sent < nr)
				continue;
		}
		n = wd_recv_burst(&d->q, d->idle + d->nr_idle, BURST);
		if (n < 0)
			return fail(n);
		for (i = 0; i < n; i++)
			if (check(d->idle[d->nr_idle + (unsigned int)i]))
				return -EIO;
		d->nr_idle += (unsigned int)n;
		received += (uint64_t)n;
	}
	return 0;
}

static int drive(struct driven *d, uint64_t nr)
{
	return d->depth == 1 ? drive_one(d, nr, recv_polling) : drive_async(d, nr);
}

/* ------------------------------------------------------------ measurement */

/* In a child process: ns per request of one repetition. */
static int measure_queue(const struct ring_case *c, double *ret_ns)
{
	uint64_t start, now, nr = 0;
	int err;

	configure(c->mode);
	/* The library's threads stay on the processor that they were started on. */
	if (c->mode == MODE_ENGINE)
		measure_pin(c->cpu[1]);
	err = open_queue(&driven, c->target, c->depth);
	if (err)
		return err;
	measure_pin(c->cpu[0]);
	err = drive(&driven, WARM_UP);
	start = measure_now_ns();
	do {
		if (!err)
			err = drive(&driven, CHUNK);
		nr += CHUNK;
		now = measure_now_ns();
	} while (!err && now - start < c->run_ns);
	wd_release_queue(&driven.q);
	*ret_ns = (double)(now - start) / (double)nr;
	return err;
}

static int measure_case(const void *arg, double *ret_ns)
{
	const struct ring_case *c = arg;

	if (c->mode == MODE_RING)
		return spsc_ring_measure(c->cpu, c->depth, c->run_ns, ret_ns);
	return measure_queue(c, ret_ns);
}

static void print_case(const struct ring_case *c, double *ns, unsigned int repeats,
		       double yardstick)
{
	double median = measure_median(ns, repeats);
	char name[64];

	if (c->target)
		snprintf(name, sizeof(name), "%s %s depth %u", c->target->name, mode_names[c->mode],
			 c->depth);
	else
		snprintf(name, sizeof(name), "ring 64 B depth %u", c->depth);
	printf("%-28s %8.1f %8.2f", name, median, 1e3 / median);
	if (yardstick > 0)
		printf(" %10.2f %10.2f", median / yardstick, yardstick / median);
	else
		printf(" %10s %10s", "-", "-");
	printf("   [%.1f %.1f]\n", ns[0], ns[repeats - 1]);
	fflush(stdout);
}

/* All of one depth: the yardstick and each queue take turns. */
static int bench_depth(unsigned int depth, const struct ring_case *model, unsigned int repeats)
{
	struct ring_case cases[1 + 2 * NR_TARGETS];
	double ns[1 + 2 * NR_TARGETS][REPEATS_MAX];
	unsigned int i, r, mode, nr = 0;
	const bool has_two = model->nr_cpus == 2;
	double yardstick = 0;

	if (has_two) {
		cases[nr] = *model;
		cases[nr++].mode = MODE_RING;
	}
	for (i = 0; i < NR_TARGETS; i++) {
		for (mode = MODE_INLINE; mode <= (has_two ? MODE_ENGINE : MODE_INLINE); mode++) {
			cases[nr] = *model;
			cases[nr].mode = mode;
			cases[nr++].target = &targets[i];
		}
	}
	for (i = 0; i < nr; i++)
		cases[i].depth = depth;
	for (r = 0; r < repeats; r++)
		for (i = 0; i < nr; i++)
			if (measure_in_child(measure_case, &cases[i], &ns[i][r]))
				return -1;
	for (i = 0; i < nr; i++) {
		print_case(&cases[i], ns[i], repeats, yardstick);
		if (!cases[i].target)
			yardstick = measure_median(ns[i], repeats);
	}
	return 0;
}

static int bench_all(uint64_t run_ms, unsigned int repeats)
{
	struct ring_case model = { .run_ns = run_ms * NS_PER_MS };
	unsigned int i;

	model.nr_cpus = measure_find_cpus(model.cpu);
	if (model.nr_cpus < 2)
		printf("# one processor: no yardstick, no engine of its own\n");
	printf("# %u repetitions of %llu ms, medians; spread [min max] in ns\n", repeats,
	       (unsigned long long)run_ms);
	printf("%-28s %8s %8s %10s %10s\n", "# null request", "ns", "Mreq/s", "time/ring",
	       "rate/ring");
	for (i = 0; i < NR_DEPTHS; i++)
		if (bench_depth(depths[i], &model, repeats))
			return EXIT_FAILURE;
	return EXIT_SUCCESS;
}

/* A fixed number of requests and nothing else, for who counts from outside. */
static int run_count(uint64_t nr, const char *device, const char *how, bool is_engine)
{
	const bool is_sync = !strcmp(how, "sync");
	unsigned int i;
	int err;

	if (!is_sync && strcmp(how, "async")) {
		fprintf(stderr, "bench_ring: neither sync nor async: %s\n", how);
		return EXIT_FAILURE;
	}
	for (i = 0; i < NR_TARGETS && strcmp(targets[i].name, device); i++)
		;
	if (i == NR_TARGETS) {
		fprintf(stderr, "bench_ring: unknown device: %s\n", device);
		return EXIT_FAILURE;
	}
	configure(is_engine ? MODE_ENGINE : MODE_INLINE);
	err = open_queue(&driven, &targets[i], is_sync ? 1 : BURST);
	if (err)
		return EXIT_FAILURE;
	err = is_sync ? drive_one(&driven, nr, wd_recv_sync) : drive_async(&driven, nr);
	wd_release_queue(&driven.q);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int usage(void)
{
	fprintf(stderr, "usage: bench_ring [--ms N] [--repeats N]\n"
			"       bench_ring --count N [--engine] hisi_zip|dummy sync|async\n");
	return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "ms", required_argument, NULL, 'm' },
		{ "repeats", required_argument, NULL, 'r' },
		{ "count", required_argument, NULL, 'c' },
		{ "engine", no_argument, NULL, 'e' },
		{ 0 },
	};
	uint64_t run_ms = RUN_MS, repeats = REPEATS, count = 0;
	bool is_engine = false;
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 'e')
			is_engine = true;
		else if (o == 'm')
			run_ms = measure_parse(optarg, 60000);
		else if (o == 'r')
			repeats = measure_parse(optarg, REPEATS_MAX);
		else if (o != 'c' || !(count = measure_parse(optarg, UINT64_MAX)))
			return usage();
	}
	if (!run_ms || !repeats || argc - optind != (count ? 2 : 0) || (is_engine && !count))
		return usage();
	if (count)
		return run_count(count, argv[optind], argv[optind + 1], is_engine);
	return bench_all(run_ms, (unsigned int)repeats);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Does each get its share?  Many threads, each with a session of its own, on a
 * scheduler with few queues, so that sessions share them; how many blocks the
 * slowest and the fastest did in the same time.  Beside it the same threads
 * calling the codec directly: what the kernel's own scheduling makes of them.
 * Each case is a process of its own.
 */
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "library.h"
#include "measure.h"
#include "session_case.h"

#define SAMPLE_BYTES (4u << 20)
#define RUN_MS	     1000u
#define BLOCK_BYTES  4096u
#define BLOCKS_MAX   8u
#define NR_THREADS   64u
#define NR_QUEUES    4u
#define LEVEL	     1
#define DEPTH	     4u /* of a session in flight */
#define NS_PER_MS    1000000ull
#define LIMIT_S	     60u /* beside what was asked for */

enum how {
	HOW_DIRECT,
	HOW_SYNC,
	HOW_ASYNC,
};

struct fair_case {
	const char *name;
	enum how how;
	unsigned int workers;
	const struct comp_blocks *blocks;
	uint64_t run_ns;
};

static const struct fair_case cases[] = {
	{ .name = "direct", .how = HOW_DIRECT },
	{ .name = "sync", .how = HOW_SYNC },
	{ .name = "sync", .how = HOW_SYNC, .workers = 1 },
	{ .name = "async", .how = HOW_ASYNC },
	{ .name = "async", .how = HOW_ASYNC, .workers = 1 },
};

#define NR_CASES (sizeof(cases) / sizeof(cases[0]))

struct fair_result {
	double total;
	double slowest;
	double median;
	double fastest;
	double seconds;
};

struct fair_rig {
	const struct fair_case *fair;
	struct wd_sched *sched;
	_Atomic unsigned int nr_ready;
	_Atomic bool has_begun;
	_Atomic bool is_over;
};

struct client {
	struct fair_rig *rig;
	pthread_t thread;
	size_t at;
	struct session_case session;
	struct direct_codec *codec;
	uint64_t nr;
	int err;
};

/* ------------------------------------------------------------------ threads */

static void rest(void)
{
	nanosleep(&(const struct timespec){ .tv_nsec = NS_PER_MS }, NULL);
}

static int open_client(struct client *c)
{
	const struct fair_case *fair = c->rig->fair;

	c->codec = direct_codec_create(DIRECT_LIBISAL, LEVEL);
	if (!c->codec)
		return library_fail("codec", -ENOMEM);
	return session_case_init(&c->session, fair->blocks, LEVEL, DEPTH, c->rig->sched);
}

/* One block the way that the case wants it; counts what was done. */
static int step(struct client *c)
{
	const struct comp_blocks *blocks = c->rig->fair->blocks;
	const struct comp_block *b = &blocks->block[c->at];
	struct session_slot *slots[DEPTH];
	int n = 1;

	switch (c->rig->fair->how) {
	case HOW_DIRECT:
		n = comp_blocks_call(blocks, b, c->codec, c->session.slot[0].out) ?
			    1 :
			    library_wrong("the codec", "failed");
		break;
	case HOW_SYNC:
		n = session_case_call(&c->session, b) ? -1 : 1;
		break;
	case HOW_ASYNC:
		n = session_case_submit(&c->session, b, 0);
		if (n > 0)
			c->at = comp_blocks_next(blocks, c->at);
		if (n != 0)
			return n < 0 ? -1 : 0;
		n = session_case_wait(&c->session, slots, DEPTH);
		if (n > 0)
			c->nr += (unsigned int)n;
		return n < 0 ? -1 : 0;
	}
	if (n < 0)
		return -1;
	c->at = comp_blocks_next(blocks, c->at);
	c->nr++;
	return 0;
}

/* What is still in flight when time is up. */
static int drain(struct client *c)
{
	struct session_slot *slots[DEPTH];

	while (c->session.comp && wd_comp_in_flight(c->session.comp))
		if (session_case_wait(&c->session, slots, DEPTH) < 0)
			return -1;
	return 0;
}

static void *client_main(void *arg)
{
	struct client *c = arg;
	struct fair_rig *rig = c->rig;

	c->err = open_client(c);
	atomic_fetch_add(&rig->nr_ready, 1);
	while (!atomic_load(&rig->has_begun))
		rest();
	while (!c->err && !atomic_load_explicit(&rig->is_over, memory_order_relaxed))
		c->err = step(c);
	if (!c->err)
		c->err = drain(c);
	if (!c->err)
		c->err = session_case_verify_last(&c->session);
	return NULL;
}

/* -------------------------------------------------------------- measurement */

static int run_clients(struct fair_rig *rig, struct client *client, double *ret_seconds)
{
	const struct comp_blocks *blocks = rig->fair->blocks;
	unsigned int i, nr;
	uint64_t start;
	int err = 0;

	for (nr = 0; nr < NR_THREADS; nr++) {
		client[nr].rig = rig;
		/* Not the same blocks at the same time. */
		client[nr].at = nr * blocks->nr / NR_THREADS;
		if (pthread_create(&client[nr].thread, NULL, client_main, &client[nr])) {
			err = library_wrong("thread", "could not be started");
			break;
		}
	}
	while (atomic_load(&rig->nr_ready) < nr)
		rest();
	start = measure_now_ns();
	atomic_store(&rig->has_begun, true);
	while (!err && measure_now_ns() - start < rig->fair->run_ns)
		rest();
	atomic_store(&rig->is_over, true);
	*ret_seconds = (double)(measure_now_ns() - start) / 1e9;
	for (i = 0; i < nr; i++) {
		pthread_join(client[i].thread, NULL);
		err |= client[i].err;
	}
	for (i = 0; i < nr; i++) {
		session_case_fini(&client[i].session);
		direct_codec_destroy(client[i].codec);
	}
	return err ? -1 : 0;
}

/* In a child process. */
static int measure_case(const void *arg, void *ret_result)
{
	static struct client client[NR_THREADS];
	const struct wd_sched_opts opts = { .size = sizeof(opts), .queues = NR_QUEUES };
	struct fair_rig rig = { .fair = arg };
	struct fair_result *r = ret_result;
	double nr[NR_THREADS];
	unsigned int i;
	int err;

	measure_limit(LIMIT_S + (unsigned int)(rig.fair->run_ns / NS_PER_MS / 1000));
	if (library_configure("hisi_zip", rig.fair->workers))
		return -1;
	err = wd_sched_open(&opts, &rig.sched);
	if (err)
		return library_fail("wd_sched_open", err);
	err = run_clients(&rig, client, &r->seconds);
	wd_sched_close(rig.sched);
	r->total = 0;
	for (i = 0; i < NR_THREADS; i++)
		r->total += nr[i] = (double)client[i].nr;
	r->median = measure_median(nr, NR_THREADS);
	r->slowest = nr[0];
	r->fastest = nr[NR_THREADS - 1];
	return err;
}

static int bench_size(size_t block_bytes, const struct sample *sample, uint64_t run_ms)
{
	struct comp_blocks blocks;
	size_t i;
	int err = 0;

	if (comp_blocks_init(&blocks, WD_OP_COMPRESS, block_bytes, sample))
		err = library_wrong("blocks", "no memory, or less input than one block");
	for (i = 0; !err && i < NR_CASES; i++) {
		struct fair_case c = cases[i];
		struct fair_result r;

		c.blocks = &blocks;
		c.run_ns = run_ms * NS_PER_MS;
		if (measure_apart(measure_case, &c, &r, sizeof(r))) {
			err = library_wrong(c.name, "was not measured");
			break;
		}
		printf("%-8s %7zu %7u | %8.0f %8.0f %8.0f  %6.3f | %10.0f\n", c.name, block_bytes,
		       c.workers, r.slowest, r.median, r.fastest,
		       r.fastest > 0 ? r.slowest / r.fastest : 0, r.total / r.seconds);
		fflush(stdout);
	}
	comp_blocks_fini(&blocks);
	return err;
}

static int usage(void)
{
	fprintf(stderr, "usage: bench_fair [--ms N] [--blocks BYTES,...] [FILE...]\n");
	return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "ms", required_argument, NULL, 'm' },
		{ "blocks", required_argument, NULL, 'b' },
		{ 0 },
	};
	size_t i, sizes[BLOCKS_MAX] = { BLOCK_BYTES }, nr_sizes = 1;
	uint64_t run_ms = RUN_MS;
	struct sample sample;
	int o, err = 0;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 'm' && (run_ms = measure_parse(optarg, 60000)))
			continue;
		if (o != 'b' ||
		    !(nr_sizes = measure_parse_list(optarg, 1 << 20, sizes, BLOCKS_MAX)))
			return usage();
	}
	if (sample_open(argv + optind, SAMPLE_BYTES, &sample))
		return EXIT_FAILURE;
	printf("# %u threads, %u queues, %u in flight each where asynchronous, %u ms\n", NR_THREADS,
	       NR_QUEUES, DEPTH, (unsigned int)run_ms);
	printf("# %-6s %7s %7s | blocks of a thread: slowest, median, fastest; slowest/fastest | "
	       "all, per second\n",
	       "how", "block", "workers");
	for (i = 0; !err && i < nr_sizes; i++)
		err = bench_size(sizes[i], &sample, run_ms);
	sample_fini(&sample);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

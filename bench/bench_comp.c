/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * What does the queue cost around a codec?  Deflate and inflate through a queue
 * against the same codec called directly by the same thread, on the same
 * blocks, by turns.  Nobody else runs the chip: the caller does.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "comp_case.h"
#include "measure.h"

#define SAMPLE_BYTES (8u << 20)
#define RUN_MS	     1000u /* of each of the two measurements of a line */
#define NS_PER_MS    1000000ull
#define SAMPLES_MAX  65536u	  /* calls timed one by one */
#define TURN_BYTES   (128u << 10) /* one by one: codec and queue change places after so much */
#define TURNS_MIN    8u
#define SEGMENTS_MAX 1024u
#define SEGMENTS_MIN 3u
#define SEGMENT_NS   (15 * NS_PER_MS) /* in flight: about so long, then the other one */
#define COUNT_BLOCK  4096u

/* What the engine uses is written at its choice of codec: chip/qm/zip_deflate.c, zip_inflate.c. */
static const struct comp_kind kinds[] = {
	{ "deflate 1", "libisal 1", WD_OP_COMPRESS, 1, DIRECT_LIBISAL, 1 },
	{ "deflate 6", "libdeflate 6", WD_OP_COMPRESS, 6, DIRECT_LIBDEFLATE, 6 },
	{ "inflate", "libdeflate", WD_OP_DECOMPRESS, 0, DIRECT_LIBDEFLATE, 1 },
	{ "inflate", "libisal, engine: libdeflate", WD_OP_DECOMPRESS, 0, DIRECT_LIBISAL, 1 },
};

#define NR_KINDS (sizeof(kinds) / sizeof(kinds[0]))

static const struct comp_kind random_kind = { "random 1",     "libisal 1, engine: stored",
					      WD_OP_COMPRESS, 1,
					      DIRECT_LIBISAL, 1 };

static const size_t block_sizes[] = { 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20 };

#define NR_BLOCK_SIZES (sizeof(block_sizes) / sizeof(block_sizes[0]))

/*
 * The caller does all the work, so that its own time will do where others
 * disturb (--cpu); that clock is a system call, too slow for single short calls.
 */
static uint64_t (*clock_long)(void) = measure_now_ns;
#define LONG_BYTES (64u << 10)

struct latency {
	double direct_us;
	double queue_us;
};

struct throughput {
	double direct_mbps;
	double queue_mbps;
	double ratio; /* median of pairs, and their spread */
	double ratio_min;
	double ratio_max;
};

static int fail(const struct comp_case *c, const char *what)
{
	fprintf(stderr, "bench_comp: %s of %zu bytes: %s\n", c->kind->name, c->blocks.block_bytes,
		what);
	return -1;
}

/* ------------------------------------------------------------- one by one */

/* Times @nr calls from *at on, one side only. */
static int time_calls(struct comp_case *c, bool is_queue, size_t *at, size_t nr, double *ret_ns)
{
	uint64_t (*const clock)(void) = c->blocks.block_bytes < LONG_BYTES ? measure_now_ns :
									     clock_long;
	size_t i;

	for (i = 0; i < nr; i++) {
		const struct comp_block *b = &c->blocks.block[*at];
		struct comp_slot *slot = &c->slot[i % COMP_DEPTH];
		uint64_t start = clock();
		size_t bytes = is_queue ? comp_case_call_queue(c, b, slot) :
					  comp_case_call_direct(c, b, slot->out);

		ret_ns[i] = (double)(clock() - start);
		if (!bytes)
			return fail(c, "a call failed");
		*at = comp_blocks_next(&c->blocks, *at);
	}
	return 0;
}

static int measure_latency(struct comp_case *c, uint64_t run_ns, struct latency *ret)
{
	static double direct_ns[SAMPLES_MAX], queue_ns[SAMPLES_MAX];
	size_t turn = TURN_BYTES / c->blocks.block_bytes ? TURN_BYTES / c->blocks.block_bytes : 1;
	/* Half the blocks apart: neither side meets what the other has just warmed up. */
	size_t at_direct = 0, at_queue = c->blocks.nr / 2;
	uint64_t start = measure_now_ns();
	size_t nr = 0;

	if (turn > c->blocks.nr)
		turn = c->blocks.nr;
	while (nr + turn <= SAMPLES_MAX &&
	       (measure_now_ns() - start < run_ns || nr < TURNS_MIN * turn)) {
		if (time_calls(c, false, &at_direct, turn, direct_ns + nr) ||
		    time_calls(c, true, &at_queue, turn, queue_ns + nr))
			return -1;
		nr += turn;
	}
	ret->direct_us = measure_median(direct_ns, nr) / 1e3;
	ret->queue_us = measure_median(queue_ns, nr) / 1e3;
	return 0;
}

/* -------------------------------------------------------------- in flight */

static int run_direct(struct comp_case *c, size_t from, size_t nr)
{
	size_t i, at = from;

	for (i = 0; i < nr; i++) {
		if (!comp_case_call_direct(c, &c->blocks.block[at], c->slot[i % COMP_DEPTH].out))
			return fail(c, "a call failed");
		at = comp_blocks_next(&c->blocks, at);
	}
	return 0;
}

/* As many in flight as there are slots, until all of @nr are back. */
static int run_queue(struct comp_case *c, size_t from, size_t nr)
{
	struct comp_slot *idle[COMP_DEPTH];
	size_t nr_idle, sent = 0, received = 0, at = from;
	struct wd_req *req;

	for (nr_idle = 0; nr_idle < COMP_DEPTH; nr_idle++)
		idle[nr_idle] = &c->slot[nr_idle];
	while (received < nr) {
		if (nr_idle && sent < nr) {
			if (comp_case_send(c, &c->blocks.block[at], idle[--nr_idle]))
				return fail(c, "not sent");
			at = comp_blocks_next(&c->blocks, at);
			sent++;
			continue;
		}
		if (wd_recv(&c->q, &req))
			return fail(c, "nothing came back");
		if (!comp_case_is_good(req))
			return fail(c, wd_status_text(req->status));
		idle[nr_idle++] = req->user;
		received++;
	}
	return 0;
}

static int time_segment(struct comp_case *c, bool is_queue, size_t from, size_t nr, double *ret_ns)
{
	uint64_t start = clock_long();
	int err = is_queue ? run_queue(c, from, nr) : run_direct(c, from, nr);

	*ret_ns = (double)(clock_long() - start);
	return err;
}

/* Blocks that take about SEGMENT_NS directly, and enough to fill the queue. */
static size_t segment_blocks(double ns_per_block)
{
	double nr = SEGMENT_NS / (ns_per_block > 1 ? ns_per_block : 1);

	return nr < COMP_DEPTH ? COMP_DEPTH : (size_t)nr;
}

static int measure_throughput(struct comp_case *c, uint64_t run_ns, double ns_per_block,
			      struct throughput *ret)
{
	static double direct[SEGMENTS_MAX], queue[SEGMENTS_MAX], ratio[SEGMENTS_MAX];
	const size_t per_segment = segment_blocks(ns_per_block);
	const double bytes = (double)per_segment * (double)c->blocks.block_bytes;
	uint64_t start = measure_now_ns();
	size_t nr, at = 0;

	for (nr = 0; nr < SEGMENTS_MAX && (measure_now_ns() - start < run_ns || nr < SEGMENTS_MIN);
	     nr++) {
		const bool is_queue_first = nr & 1;
		double ns[2]; /* direct, queue */

		if (time_segment(c, is_queue_first, at, per_segment, &ns[is_queue_first]) ||
		    time_segment(c, !is_queue_first, at, per_segment, &ns[!is_queue_first]))
			return -1;
		direct[nr] = bytes * 1e3 / ns[0];
		queue[nr] = bytes * 1e3 / ns[1];
		ratio[nr] = ns[0] / ns[1];
		at = (at + per_segment) % c->blocks.nr;
	}
	ret->direct_mbps = measure_median(direct, nr);
	ret->queue_mbps = measure_median(queue, nr);
	ret->ratio = measure_median(ratio, nr);
	ret->ratio_min = ratio[0];
	ret->ratio_max = ratio[nr - 1];
	return 0;
}

/* ----------------------------------------------------------------- report */

static void print_heading(void)
{
	if (clock_long == measure_thread_cpu_ns)
		printf("# processor time of the thread in flight and from %u bytes\n", LONG_BYTES);
	printf("# %-9s %7s | one by one, p50 us        | %u in flight, MB/s                   "
	       "       | output bytes\n",
	       "", "block", COMP_DEPTH);
	printf("# %-9s %7s | %8s %8s %6s | %8s %8s %6s  %-15s | %9s %9s %s\n", "", "bytes",
	       "direct", "queue", "q/d", "direct", "queue", "q/d", "[min max]", "direct", "queue",
	       "blocks that differ (of those that compress; two direct codecs)");
}

static void print_case(const struct comp_case *c, const struct latency *l,
		       const struct throughput *t, const struct comp_sizes *s)
{
	printf("%-11s %7zu | %8.2f %8.2f %6.3f | %8.1f %8.1f %6.3f  [%5.3f %6.3f]  | %9zu %9zu",
	       c->kind->name, c->blocks.block_bytes, l->direct_us, l->queue_us,
	       l->queue_us / l->direct_us, t->direct_mbps, t->queue_mbps, t->ratio, t->ratio_min,
	       t->ratio_max, s->direct, s->queue);
	printf(" %zu (%zu; %zu) of %zu", s->nr_differ_packed + s->nr_differ_other,
	       s->nr_differ_packed, s->nr_differ_twin, c->blocks.nr);
	if (c->kind == &random_kind)
		printf(", expansion %.3f %%", 100 * ((double)s->queue / (double)s->plain - 1));
	printf("\n");
	fflush(stdout);
}

static int bench_case(const struct comp_kind *kind, size_t block_bytes, const struct sample *sample,
		      uint64_t run_ns)
{
	struct throughput throughput = { 0 };
	struct latency latency = { 0 };
	struct comp_sizes sizes;
	struct comp_case c;
	int err;

	err = comp_case_init(&c, kind, block_bytes, sample);
	if (!err)
		err = comp_case_verify(&c, &sizes);
	if (!err)
		err = measure_latency(&c, run_ns, &latency);
	if (!err)
		err = measure_throughput(&c, run_ns, latency.direct_us * 1e3, &throughput);
	if (!err)
		print_case(&c, &latency, &throughput, &sizes);
	comp_case_fini(&c);
	return err;
}

static int bench_all(const struct sample *sample, size_t only_bytes, uint64_t run_ns)
{
	struct sample noise = { 0 };
	size_t i, k;
	int err;

	print_heading();
	for (i = 0; i < NR_KINDS; i++) {
		printf("# direct: %s\n", kinds[i].codecs);
		for (k = 0; k < NR_BLOCK_SIZES; k++) {
			if (only_bytes && block_sizes[k] != only_bytes)
				continue;
			/* A small file has no large blocks. */
			if (sample->nr_bytes < 2 * block_sizes[k])
				continue;
			if (bench_case(&kinds[i], block_sizes[k], sample, run_ns))
				return -1;
		}
	}
	if (only_bytes && only_bytes != COUNT_BLOCK)
		return 0;
	printf("# direct: %s\n", random_kind.codecs);
	err = sample_make_random(SAMPLE_BYTES, &noise);
	if (!err)
		err = bench_case(&random_kind, COUNT_BLOCK, &noise, run_ns);
	sample_fini(&noise);
	return err;
}

/* A fixed number of blocks of 4 KiB and nothing else, for who counts from outside. */
static int run_count(const struct sample *sample, uint64_t nr)
{
	struct comp_case c;
	size_t i;
	int err = 0;

	for (i = 0; !err && i < NR_KINDS; i++) {
		uint64_t n;

		err = comp_case_init(&c, &kinds[i], COUNT_BLOCK, sample);
		for (n = 0; !err && n < nr; n++)
			if (!comp_case_call_queue(&c, &c.blocks.block[n % c.blocks.nr], &c.slot[0]))
				err = fail(&c, "a call failed");
		if (!err)
			err = run_queue(&c, 0, nr);
		comp_case_fini(&c);
	}
	return err;
}

static int usage(void)
{
	fprintf(stderr, "usage: bench_comp [--ms N] [--block BYTES] [--cpu] [FILE...]\n"
			"       bench_comp --count N [FILE...]\n");
	return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "ms", required_argument, NULL, 'm' },
		{ "block", required_argument, NULL, 'b' },
		{ "count", required_argument, NULL, 'c' },
		{ "cpu", no_argument, NULL, 'u' },
		{ 0 },
	};
	uint64_t run_ms = RUN_MS, only_bytes = 0, count = 0;
	struct sample sample;
	int o, err;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 'm' && (run_ms = measure_parse(optarg, 60000)))
			continue;
		if (o == 'b' && (only_bytes = measure_parse(optarg, 1 << 20)))
			continue;
		if (o == 'u') {
			clock_long = measure_thread_cpu_ns;
			continue;
		}
		if (o != 'c' || !(count = measure_parse(optarg, UINT32_MAX)))
			return usage();
	}
	/* The caller alone runs the chip, whatever the environment says. */
	unsetenv("WD_DEVICE");
	unsetenv("WD_EMBED_WORKERS");
	unsetenv("WD_EMBED_DEPTH");
	setenv("WD_EMBED", "hisi_zip", 1);
	err = optind < argc ? sample_read_files(argv + optind, &sample) :
			      sample_gather(SAMPLE_BYTES, &sample);
	if (err)
		return EXIT_FAILURE;
	err = count ? run_count(&sample, count) :
		      bench_all(&sample, only_bytes, run_ms * NS_PER_MS);
	sample_fini(&sample);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

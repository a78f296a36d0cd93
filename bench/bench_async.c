/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * What do two processors bring?  A session with operations in flight, one worker
 * thread on the second processor and the caller lending the first, against one
 * thread that calls the codec directly, on the same blocks, by turns.  With
 * --hog something else spins on the worker's processor all the time.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "library.h"
#include "measure.h"
#include "session_case.h"

#define SAMPLE_BYTES (8u << 20)
#define RUN_MS	     1000u /* of a line */
#define NS_PER_MS    1000000ull
#define SEGMENT_NS   (15 * NS_PER_MS) /* about so long, then the other one */
#define SEGMENTS_MAX 1024u
#define SEGMENTS_MIN 3u
#define LAPS_MIN     2u /* of the depth, in a segment: filling and draining are part of it */
#define BLOCKS_MAX   8u
#define LIMIT_S	     60u /* beside what was asked for */
#define LEVEL	     1

static const size_t block_sizes[] = { 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20 };
static const size_t hog_block_sizes[] = { 4 << 10 };

static const unsigned int depths[] = { 32, 64 };

#define NR(array) (sizeof(array) / sizeof((array)[0]))

struct async_case {
	struct comp_blocks blocks;
	struct session_case session;
	struct direct_codec *direct;
	uint64_t run_ns;
	double ns_per_block;
};

struct throughput {
	size_t nr; /* pairs of segments */
	double direct_mbps;
	double session_mbps;
	double ratio; /* median of pairs, and their spread */
	double ratio_min;
	double ratio_max;
};

/* ----------------------------------------------------------------- the hog */

/* Spins on @cpu until killed, or until its parent is gone. */
static pid_t start_hog(int cpu)
{
	const pid_t parent = getpid();
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	measure_pin(cpu);
	/* It may have died before it could be watched. */
	while (getppid() == parent) {
		volatile unsigned int i;

		for (i = 0; i < 100000000; i++)
			;
	}
	_exit(EXIT_SUCCESS);
}

static void stop_hog(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* ------------------------------------------------------------- measurement */

static int run_direct(struct async_case *c, size_t *at, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		const struct comp_block *b = &c->blocks.block[*at];
		uint8_t *out = c->session.slot[i % c->session.depth].out;

		if (!comp_blocks_call(&c->blocks, b, c->direct, out))
			return library_wrong("the codec", "failed");
		*at = comp_blocks_next(&c->blocks, *at);
	}
	return 0;
}

/* Both sides do the same blocks, from @from on. */
static int time_segment(struct async_case *c, bool is_session, size_t from, size_t nr,
			double *ret_ns)
{
	const uint64_t start = measure_now_ns();
	int err = is_session ? session_case_run(&c->session, &from, nr) : run_direct(c, &from, nr);

	*ret_ns = (double)(measure_now_ns() - start);
	if (!err && is_session)
		err = session_case_verify_last(&c->session);
	return err;
}

static size_t segment_blocks(const struct async_case *c)
{
	const size_t least = LAPS_MIN * c->session.depth;
	double nr = SEGMENT_NS / c->ns_per_block;

	return nr < (double)least ? least : (size_t)nr;
}

static int measure(struct async_case *c, struct throughput *ret)
{
	static double direct[SEGMENTS_MAX], session[SEGMENTS_MAX], ratio[SEGMENTS_MAX];
	const size_t per_segment = segment_blocks(c);
	const double bytes = (double)per_segment * (double)c->blocks.block_bytes;
	const uint64_t start = measure_now_ns();
	size_t nr, at = 0;

	for (nr = 0;
	     nr < SEGMENTS_MAX && (measure_now_ns() - start < c->run_ns || nr < SEGMENTS_MIN);
	     nr++) {
		const bool is_session_first = nr & 1;
		double ns[2]; /* direct, session */

		if (time_segment(c, is_session_first, at, per_segment, &ns[is_session_first]) ||
		    time_segment(c, !is_session_first, at, per_segment, &ns[!is_session_first]))
			return -1;
		direct[nr] = bytes * 1e3 / ns[0];
		session[nr] = bytes * 1e3 / ns[1];
		ratio[nr] = ns[0] / ns[1];
		at = (at + per_segment) % c->blocks.nr;
	}
	ret->nr = nr;
	ret->direct_mbps = measure_median(direct, nr);
	ret->session_mbps = measure_median(session, nr);
	ret->ratio = measure_median(ratio, nr);
	ret->ratio_min = ratio[0];
	ret->ratio_max = ratio[nr - 1];
	return 0;
}

/* Every block once each way: right or not, how long it takes, and all is warm. */
static int prepare(struct async_case *c, const int *cpu)
{
	size_t at = 0, nr = c->blocks.nr;
	uint64_t start;

	/* A thread of the library stays on the processor that it was started on. */
	measure_pin(cpu[1]);
	if (session_case_verify(&c->session, &at, nr))
		return -1;
	measure_pin(cpu[0]);
	start = measure_now_ns();
	if (run_direct(c, &at, nr))
		return -1;
	c->ns_per_block = (double)(measure_now_ns() - start) / (double)nr + 1;
	return 0;
}

static void print_case(const struct async_case *c, const struct throughput *t)
{
	printf("%-9s %7zu %5u | %8.1f %8.1f %6.3f  [%5.3f %5.3f] of %zu\n",
	       c->blocks.op == WD_OP_COMPRESS ? "deflate 1" : "inflate", c->blocks.block_bytes,
	       c->session.depth, t->direct_mbps, t->session_mbps, t->ratio, t->ratio_min,
	       t->ratio_max, t->nr);
	fflush(stdout);
}

static int bench_case(struct async_case *c, unsigned int depth, const int *cpu)
{
	struct throughput throughput;
	int err;

	measure_limit(LIMIT_S + (unsigned int)(c->run_ns / NS_PER_MS / 1000));
	err = session_case_init(&c->session, &c->blocks, LEVEL, depth, NULL);
	if (!err)
		err = prepare(c, cpu);
	if (!err)
		err = measure(c, &throughput);
	if (!err)
		print_case(c, &throughput);
	session_case_fini(&c->session);
	return err;
}

static int bench_size(struct async_case *c, uint32_t op, size_t block_bytes,
		      const struct sample *sample, const int *cpu)
{
	size_t i;
	int err = 0;

	/* Who does it in the engine: chip/qm/zip_deflate.c, zip_inflate.c. */
	c->direct = direct_codec_create(op == WD_OP_COMPRESS ? DIRECT_LIBISAL : DIRECT_LIBDEFLATE,
					LEVEL);
	if (!c->direct || comp_blocks_init(&c->blocks, op, block_bytes, sample))
		err = library_wrong("blocks", "no memory, or less input than one block");
	for (i = 0; !err && i < NR(depths); i++)
		err = bench_case(c, depths[i], cpu);
	comp_blocks_fini(&c->blocks);
	direct_codec_destroy(c->direct);
	return err;
}

/* -------------------------------------------------------------------- main */

struct wanted {
	size_t blocks[BLOCKS_MAX];
	size_t nr_blocks;
	uint64_t run_ms;
	bool is_inflate;
	bool has_hog;
};

static int bench_all(const struct wanted *w, const struct sample *sample)
{
	const uint32_t op = w->is_inflate ? WD_OP_DECOMPRESS : WD_OP_COMPRESS;
	struct async_case c = { .run_ns = w->run_ms * NS_PER_MS };
	int cpu[2], err = 0, nr_cpus = measure_find_cpus(cpu);
	pid_t hog = 0;
	size_t i;

	if (nr_cpus < 2) {
		printf("# one processor: there is nobody to share the work with\n");
		return 0;
	}
	if (library_configure("hisi_zip", 1))
		return -1;
	if (w->has_hog) {
		hog = start_hog(cpu[1]);
		printf("# something else spins on the worker's processor\n");
	}
	printf("# direct: %s, one thread\n", w->is_inflate ? "libdeflate" : "libisal 1");
	printf("# %7s %7s %5s | %8s %8s %6s  [min max]\n", "", "block", "depth", "MB/s:direct",
	       "session", "s/d");
	for (i = 0; !err && i < w->nr_blocks; i++)
		/* A small file has no large blocks. */
		if (sample->nr_bytes >= 2 * w->blocks[i])
			err = bench_size(&c, op, w->blocks[i], sample, cpu);
	stop_hog(hog);
	return err;
}

static int usage(void)
{
	fprintf(stderr, "usage: bench_async [--ms N] [--blocks BYTES,...] [--inflate] [--hog] "
			"[FILE...]\n");
	return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "ms", required_argument, NULL, 'm' },
		{ "blocks", required_argument, NULL, 'b' },
		{ "inflate", no_argument, NULL, 'i' },
		{ "hog", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct wanted w = { .run_ms = RUN_MS };
	struct sample sample;
	size_t i;
	int o, err;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 'm' && (w.run_ms = measure_parse(optarg, 60000)))
			continue;
		if (o == 'b' &&
		    (w.nr_blocks = measure_parse_list(optarg, 1 << 20, w.blocks, BLOCKS_MAX)))
			continue;
		if (o != 'i' && o != 'h')
			return usage();
		w.is_inflate |= o == 'i';
		w.has_hog |= o == 'h';
	}
	if (!w.nr_blocks) {
		const size_t *sizes = w.has_hog ? hog_block_sizes : block_sizes;

		w.nr_blocks = w.has_hog ? NR(hog_block_sizes) : NR(block_sizes);
		for (i = 0; i < w.nr_blocks; i++)
			w.blocks[i] = sizes[i];
	}
	if (sample_open(argv + optind, SAMPLE_BYTES, &sample))
		return EXIT_FAILURE;
	err = bench_all(&w, &sample);
	sample_fini(&sample);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

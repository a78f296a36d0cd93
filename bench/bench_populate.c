/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * What do fresh pages cost, and what does making them ready in bulk save?
 * Blocks are inflated by a session into memory that was just mapped: as it is,
 * with the session's WD_COMP_OPT_POPULATE, and after wd_mem_populate(); against
 * memory that was touched before, and against the codec called directly.  All by
 * turns; mapping and unmapping are not counted.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <wd/comp.h>
#include <wd/mem.h>

#include "comp_blocks.h"
#include "library.h"
#include "measure.h"

#define SAMPLE_BYTES (8u << 20)
#define RUN_MS	     1000u /* of a block size */
#define NS_PER_MS    1000000ull
#define LAPS_MIN     8u
#define SAMPLES_MAX  16384u
#define BLOCKS_MAX   8u
#define LIMIT_S	     60u /* beside what was asked for */

static const size_t block_sizes[] = { 64 << 10, 256 << 10, 1 << 20 };

#define NR(array) (sizeof(array) / sizeof((array)[0]))

/* What is done before a call, and what does the call. */
struct way {
	const char *name;
	bool is_direct;
	bool is_fresh;
	bool has_option;
	bool has_call;
};

static const struct way ways[] = {
	{ .name = "direct, touched", .is_direct = true },
	{ .name = "direct, fresh", .is_direct = true, .is_fresh = true },
	{ .name = "session, touched" },
	{ .name = "session, fresh", .is_fresh = true },
	{ .name = "session, option", .is_fresh = true, .has_option = true },
	{ .name = "wd_mem_populate", .is_fresh = true, .has_call = true },
};

#define NR_WAYS NR(ways)

struct samples {
	double us[SAMPLES_MAX];
	double faults;
	size_t nr;
};

struct populate_case {
	struct comp_blocks blocks;
	struct direct_codec *codec;
	struct wd_comp *plain;
	struct wd_comp *populating;
	uint8_t *touched;
	struct samples way[NR_WAYS];
};

static long count_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

static int open_session(uint32_t flags, struct wd_comp **ret_comp)
{
	const struct wd_comp_opts opts = {
		.size = sizeof(opts),
		.op = WD_OP_DECOMPRESS,
		.format = WD_COMP_DEFLATE,
		.flags = flags,
	};
	int err = wd_comp_open(&opts, ret_comp);

	return err ? library_fail("wd_comp_open", err) : 0;
}

/* ------------------------------------------------------------------ one call */

static int inflate(struct populate_case *c, const struct way *w, const struct comp_block *b,
		   uint8_t *out)
{
	struct wd_comp_io io = {
		.src = b->src, .src_len = b->src_len, .dst = out, .dst_len = b->plain_len
	};
	int err = 0;

	if (w->is_direct)
		return direct_codec_inflate(c->codec, b->src, b->src_len, out, b->plain_len) ==
				       b->plain_len ?
			       0 :
			       library_wrong("the codec", "failed");
	if (w->has_call)
		err = wd_mem_populate(NULL, out, b->plain_len);
	if (err)
		return library_fail("wd_mem_populate", err);
	err = wd_comp_block(w->has_option ? c->populating : c->plain, &io);
	if (err)
		return library_fail("wd_comp_block", err);
	if (io.head.status != WD_STATUS_OK && io.head.status != WD_STATUS_STREAM_END)
		return library_wrong("wd_comp_block", wd_status_text(io.head.status));
	return io.produced == b->plain_len ? 0 : library_wrong("wd_comp_block", "stopped short");
}

/* One call of one way, timed; its output is compared. */
static int step(struct populate_case *c, unsigned int k, const struct comp_block *b)
{
	struct samples *s = &c->way[k];
	uint8_t *out = c->touched;
	uint64_t start, ns;
	long faults;
	int err;

	if (ways[k].is_fresh) {
		out = mmap(NULL, b->plain_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);
		if (out == MAP_FAILED)
			return library_wrong("mmap", strerror(errno));
	}
	faults = count_faults();
	start = measure_now_ns();
	err = inflate(c, &ways[k], b, out);
	ns = measure_now_ns() - start;
	s->faults += (double)(count_faults() - faults);
	s->us[s->nr++] = (double)ns / 1e3;
	if (!err && memcmp(out, b->plain, b->plain_len))
		err = library_wrong(ways[k].name, "its output is wrong");
	if (ways[k].is_fresh)
		munmap(out, b->plain_len);
	return err;
}

/* --------------------------------------------------------------- measurement */

/* Every way on the same block, then the next block; the first lap warms up. */
static int measure(struct populate_case *c, uint64_t run_ns)
{
	const uint64_t start = measure_now_ns();
	size_t lap, at = 0;
	unsigned int k;

	for (lap = 0; lap <= SAMPLES_MAX && (measure_now_ns() - start < run_ns || lap <= LAPS_MIN);
	     lap++) {
		if (lap == 1)
			memset(c->way, 0, sizeof(c->way));
		for (k = 0; k < NR_WAYS; k++)
			/* Each begins in turn: who comes first finds the input cold. */
			if (step(c, (unsigned int)(lap + k) % NR_WAYS, &c->blocks.block[at]))
				return -1;
		at = comp_blocks_next(&c->blocks, at);
	}
	return 0;
}

/* How much longer than @touched the calls took, lap by lap: the machine's pace changes. */
static double compare(const struct samples *s, const struct samples *touched)
{
	static double ratio[SAMPLES_MAX];
	size_t i;

	for (i = 0; i < s->nr; i++)
		ratio[i] = s->us[i] / touched->us[i];
	return measure_median(ratio, s->nr);
}

static void print_case(struct populate_case *c)
{
	double ratio[NR_WAYS];
	unsigned int k, touched = 0;

	for (k = 0; k < NR_WAYS; k++) {
		if (!ways[k].is_fresh)
			touched = k;
		ratio[k] = compare(&c->way[k], &c->way[touched]);
	}
	for (k = 0; k < NR_WAYS; k++) {
		struct samples *s = &c->way[k];

		/* Sorts: nothing is compared lap by lap from here on. */
		printf("%7zu %-16s | %9.2f", c->blocks.block_bytes, ways[k].name,
		       measure_median(s->us, s->nr));
		printf(" [%.2f %.2f] %7.3f | %8.2f\n", measure_percentile(s->us, s->nr, 10),
		       measure_percentile(s->us, s->nr, 90), ratio[k], s->faults / (double)s->nr);
	}
	fflush(stdout);
}

static int bench_size(size_t block_bytes, const struct sample *sample, uint64_t run_ms)
{
	static struct populate_case c;
	int err = 0;

	measure_limit(LIMIT_S + (unsigned int)(run_ms / 1000));
	memset(&c, 0, sizeof(c));
	/* Who does it in the engine: chip/qm/zip_inflate.c. */
	c.codec = direct_codec_create(DIRECT_LIBDEFLATE, 1);
	c.touched = malloc(block_bytes);
	if (!c.codec || !c.touched ||
	    comp_blocks_init(&c.blocks, WD_OP_DECOMPRESS, block_bytes, sample))
		err = library_wrong("blocks", "no memory, or less input than one block");
	if (!err)
		memset(c.touched, 1, block_bytes);
	if (!err)
		err = open_session(0, &c.plain);
	if (!err)
		err = open_session(WD_COMP_OPT_POPULATE, &c.populating);
	if (!err)
		err = measure(&c, run_ms * NS_PER_MS);
	if (!err)
		print_case(&c);
	wd_comp_close(c.plain);
	wd_comp_close(c.populating);
	comp_blocks_fini(&c.blocks);
	direct_codec_destroy(c.codec);
	free(c.touched);
	return err;
}

static int usage(void)
{
	fprintf(stderr, "usage: bench_populate [--ms N] [--blocks BYTES,...] [FILE...]\n");
	return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "ms", required_argument, NULL, 'm' },
		{ "blocks", required_argument, NULL, 'b' },
		{ 0 },
	};
	size_t i, sizes[BLOCKS_MAX], nr_sizes = NR(block_sizes);
	uint64_t run_ms = RUN_MS;
	struct sample sample;
	int o, err;

	memcpy(sizes, block_sizes, sizeof(block_sizes));
	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 'm' && (run_ms = measure_parse(optarg, 60000)))
			continue;
		if (o != 'b' ||
		    !(nr_sizes = measure_parse_list(optarg, 8 << 20, sizes, BLOCKS_MAX)))
			return usage();
	}
	if (sample_open(argv + optind, SAMPLE_BYTES, &sample))
		return EXIT_FAILURE;
	err = library_configure("hisi_zip", 0);
	printf("# block inflated into | us: median [10 %%, 90 %%], to touched memory | page faults "
	       "per call\n");
	for (i = 0; !err && i < nr_sizes; i++)
		/* A small file has no large blocks. */
		if (sample.nr_bytes >= sizes[i])
			err = bench_size(sizes[i], &sample, run_ms);
	sample_fini(&sample);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

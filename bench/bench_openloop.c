/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * How long does a request take that comes when it comes?  Blocks arrive at
 * random moments (Poisson) at a fraction of what one thread could do, and are
 * counted from the planned moment until they were taken back: by a session with
 * one worker, by a thread that polls a ring, by one that sleeps when its ring
 * is empty.  The same arrivals for all; each turn is a process of its own.
 */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "codec_ring.h"
#include "library.h"
#include "measure.h"
#include "session_case.h"

#define SAMPLE_BYTES (8u << 20)
#define RUN_MS	     300u /* of one turn */
#define REPEATS	     3u
#define REPEATS_MAX  99u
#define NS_PER_MS    1000000ull
#define BLOCK_BYTES  4096u
#define LEVEL	     1
#define DEPTH	     256u /* of the session */
#define WARM_UP	     2000u
#define REQUESTS_MIN 100u
#define BLOCKS_MAX   8u
#define LOADS_MAX    8u
#define LIMIT_S	     60u /* beside what was asked for */

static const size_t loads[] = { 10, 50, 80 }; /* percent */

#define NR(array) (sizeof(array) / sizeof((array)[0]))

enum engine {
	ENGINE_SESSION,
	ENGINE_POLL,
	ENGINE_FUTEX,
	NR_ENGINES
};

static const char *const engine_names[] = { "session", "polling", "sleeping" };

struct loop_case {
	const struct comp_blocks *blocks;
	enum engine engine;
	double gap_ns; /* between arrivals, on average */
	size_t nr;     /* requests */
	uint64_t seed;
	int cpu[2];
};

struct loop_result {
	double p50_us;
	double p90_us;
	double p99_us;
	double faults;	 /* per request */
	double switches; /* of the process, per request */
};

/* What sends and takes back, whichever engine is behind it. */
struct target {
	struct session_case session;
	struct codec_ring *ring;
	struct direct_codec *judge;
	uint8_t *spare;
};

/* ---------------------------------------------------------------- arrivals */

struct arrivals {
	double gap_ns;
	double at_ns;
	uint64_t x;
};

/* The next planned moment; the same ones for the same seed. */
static uint64_t next_arrival(struct arrivals *a)
{
	double uniform;

	a->x ^= a->x << 13;
	a->x ^= a->x >> 7;
	a->x ^= a->x << 17;
	/* above 0, at most 1 */
	uniform = ((double)(a->x >> 11) + 1) / 9007199254740992.0;
	a->at_ns -= log(uniform) * a->gap_ns;
	return (uint64_t)a->at_ns;
}

/* ----------------------------------------------------------------- targets */

static int open_target(struct target *t, const struct loop_case *c)
{
	size_t at = 0;

	memset(t, 0, sizeof(*t));
	if (c->engine == ENGINE_SESSION) {
		/* The library's threads stay on the processor that they were started on. */
		measure_pin(c->cpu[1]);
		if (library_configure("hisi_zip", 1) ||
		    session_case_init(&t->session, c->blocks, LEVEL, DEPTH, NULL) ||
		    session_case_verify(&t->session, &at, c->blocks->nr))
			return -1;
	} else {
		t->judge = direct_codec_create(DIRECT_LIBDEFLATE, 1);
		t->spare = malloc(c->blocks->room);
		t->ring = codec_ring_create(c->blocks, c->engine == ENGINE_FUTEX, c->cpu[1]);
		if (!t->judge || !t->spare || !t->ring)
			return library_wrong("ring", "no memory, or no thread");
	}
	measure_pin(c->cpu[0]);
	return 0;
}

static void close_target(struct target *t)
{
	if (t->session.blocks)
		session_case_fini(&t->session);
	codec_ring_destroy(t->ring);
	direct_codec_destroy(t->judge);
	free(t->spare);
}

/* 1, 0 when there is no room now, or -1. */
static int target_send(struct target *t, const struct comp_block *block, uint64_t planned_ns)
{
	if (t->ring)
		return codec_ring_send(t->ring, block, planned_ns);
	return session_case_submit(&t->session, block, planned_ns);
}

/* 1 with its planned moment, 0 when none is done, or -1. */
static int target_recv(struct target *t, uint64_t *ret_planned_ns)
{
	struct session_slot *slot;
	struct codec_result result;
	int n;

	if (t->ring) {
		if (!codec_ring_recv(t->ring, &result))
			return 0;
		*ret_planned_ns = result.planned_ns;
		return result.bytes ? 1 : library_wrong("ring", "the codec failed");
	}
	n = session_case_poll(&t->session, &slot, 1);
	if (n == 1)
		*ret_planned_ns = slot->planned_ns;
	return n;
}

/* ------------------------------------------------------------- measurement */

/* Sends as planned, takes back what is done; latencies in us to @ret_us, if wanted. */
static int run_loop(struct target *t, const struct loop_case *c, size_t nr, double *ret_us)
{
	struct arrivals a = { c->gap_ns, (double)measure_now_ns(), c->seed };
	uint64_t planned = next_arrival(&a);
	size_t sent = 0, received = 0, at = c->seed % c->blocks->nr;

	while (received < nr) {
		uint64_t was_planned = 0;
		int n;

		if (sent < nr && measure_now_ns() >= planned) {
			n = target_send(t, &c->blocks->block[at], planned);
			if (n < 0)
				return -1;
			if (n) {
				sent++;
				at = comp_blocks_next(c->blocks, at);
				planned = next_arrival(&a);
			}
		}
		n = target_recv(t, &was_planned);
		if (n < 0)
			return -1;
		if (n && ret_us)
			ret_us[received] = (double)(measure_now_ns() - was_planned) / 1e3;
		received += (size_t)n;
	}
	return 0;
}

/* The yardsticks' results, before anything is measured; the session looked at its own. */
static int verify_ring(struct target *t, const struct loop_case *c)
{
	struct codec_result result;
	size_t i;

	for (i = 0; t->ring && i < c->blocks->nr; i++) {
		codec_ring_send(t->ring, &c->blocks->block[i], 0);
		while (!codec_ring_recv(t->ring, &result))
			;
		if (!comp_blocks_is_right(c->blocks, result.block, result.out, result.bytes,
					  t->judge, t->spare))
			return library_wrong("ring", "its output is wrong");
	}
	return 0;
}

static int measure_loop(struct target *t, const struct loop_case *c, double *us,
			struct loop_result *ret)
{
	struct rusage before, after;

	if (verify_ring(t, c) || run_loop(t, c, c->nr < WARM_UP ? c->nr : WARM_UP, us))
		return -1;
	getrusage(RUSAGE_SELF, &before);
	if (run_loop(t, c, c->nr, us))
		return -1;
	getrusage(RUSAGE_SELF, &after);
	if (!t->ring && session_case_verify_last(&t->session))
		return -1;
	ret->p50_us = measure_median(us, c->nr);
	ret->p90_us = measure_percentile(us, c->nr, 90);
	ret->p99_us = measure_percentile(us, c->nr, 99);
	ret->faults = (double)(after.ru_minflt - before.ru_minflt) / (double)c->nr;
	ret->switches = (double)(after.ru_nvcsw - before.ru_nvcsw) / (double)c->nr;
	return 0;
}

/* In a child process. */
static int measure_case(const void *arg, void *ret_result)
{
	const struct loop_case *c = arg;
	double *us = calloc(c->nr, sizeof(*us));
	struct target t;
	int err;

	measure_limit(LIMIT_S + (unsigned int)(4 * c->gap_ns * (double)c->nr / 1e9));
	err = open_target(&t, c);
	if (!err && !us)
		err = library_wrong("latencies", "no memory");
	if (!err) {
		/* Touched: no page of it is new while it is measured. */
		memset(us, 1, c->nr * sizeof(*us));
		err = measure_loop(&t, c, us, ret_result);
	}
	close_target(&t);
	free(us);
	return err;
}

/* What one block takes the codec, in a loop, nothing else: the rate that loads are parts of. */
static int measure_direct(const struct comp_blocks *blocks, double *ret_ns)
{
	struct direct_codec *codec = direct_codec_create(DIRECT_LIBISAL, LEVEL);
	uint8_t *out = calloc(1, blocks->room);
	double lap_ns[5];
	size_t i, lap;
	int err = codec && out ? 0 : -1;

	for (lap = 0; !err && lap < NR(lap_ns); lap++) {
		const uint64_t start = measure_now_ns();

		for (i = 0; !err && i < blocks->nr; i++)
			err = comp_blocks_call(blocks, &blocks->block[i], codec, out) ? 0 : -1;
		lap_ns[lap] = (double)(measure_now_ns() - start) / (double)blocks->nr;
	}
	*ret_ns = measure_median(lap_ns, NR(lap_ns));
	direct_codec_destroy(codec);
	free(out);
	return err ? library_wrong("the codec", "failed") : 0;
}

/* ------------------------------------------------------------------ report */

struct turns {
	double p50[REPEATS_MAX], p90[REPEATS_MAX], p99[REPEATS_MAX];
	double faults[REPEATS_MAX], switches[REPEATS_MAX];
};

static void note(struct turns *t, unsigned int i, const struct loop_result *r)
{
	t->p50[i] = r->p50_us;
	t->p90[i] = r->p90_us;
	t->p99[i] = r->p99_us;
	t->faults[i] = r->faults;
	t->switches[i] = r->switches;
}

static void print_case(const struct loop_case *c, size_t load, const struct turns *turns,
		       unsigned int nr)
{
	const struct turns *t = &turns[c->engine];
	const struct turns *poll = &turns[ENGINE_POLL], *futex = &turns[ENGINE_FUTEX];
	const unsigned int m = nr / 2; /* all are sorted */

	printf("%3zu %% %7zu %-8s | %8.2f [%.2f %.2f] | %8.2f [%.2f %.2f] | %9.2f", load,
	       c->blocks->block_bytes, engine_names[c->engine], t->p50[m], t->p50[0],
	       t->p50[nr - 1], t->p90[m], t->p90[0], t->p90[nr - 1], t->p99[m]);
	printf(" | %6.3f %6.3f | %6.3f %6.3f | %6.3f %6.3f\n", t->p50[m] / poll->p50[m],
	       t->p90[m] / poll->p90[m], t->p50[m] / futex->p50[m], t->p90[m] / futex->p90[m],
	       t->faults[m], t->switches[m]);
	fflush(stdout);
}

static void sort_turns(struct turns *t, unsigned int nr)
{
	measure_median(t->p50, nr);
	measure_median(t->p90, nr);
	measure_median(t->p99, nr);
	measure_median(t->faults, nr);
	measure_median(t->switches, nr);
}

static int bench_load(struct loop_case *c, double direct_ns, size_t load, uint64_t run_ns,
		      unsigned int repeats)
{
	static struct turns turns[NR_ENGINES];
	struct loop_result result;
	unsigned int e, r;

	c->gap_ns = direct_ns * 100 / (double)load;
	c->nr = (size_t)((double)run_ns / c->gap_ns);
	if (c->nr < REQUESTS_MIN)
		c->nr = REQUESTS_MIN;
	for (r = 0; r < repeats; r++) {
		c->seed = 88172645463325252u + r;
		for (e = 0; e < NR_ENGINES; e++) {
			c->engine = e;
			if (measure_apart(measure_case, c, &result, sizeof(result)))
				return library_wrong(engine_names[e], "was not measured");
			note(&turns[e], r, &result);
		}
	}
	for (e = 0; e < NR_ENGINES; e++)
		sort_turns(&turns[e], repeats);
	for (e = 0; e < NR_ENGINES; e++) {
		c->engine = e;
		print_case(c, load, turns, repeats);
	}
	return 0;
}

struct wanted {
	size_t blocks[BLOCKS_MAX];
	size_t nr_blocks;
	size_t loads[LOADS_MAX];
	size_t nr_loads;
	uint64_t run_ms;
	uint64_t repeats;
	uint64_t count;
};

static int bench_size(const struct wanted *w, size_t block_bytes, const struct sample *sample)
{
	struct comp_blocks blocks;
	struct loop_case c = { .blocks = &blocks };
	double direct_ns;
	size_t i;
	int err = 0;

	measure_find_cpus(c.cpu);
	if (comp_blocks_init(&blocks, WD_OP_COMPRESS, block_bytes, sample))
		err = library_wrong("blocks", "no memory, or less input than one block");
	if (!err)
		err = measure_direct(&blocks, &direct_ns);
	if (!err)
		printf("# %zu bytes: libisal 1 called directly takes %.2f us\n", block_bytes,
		       direct_ns / 1e3);
	for (i = 0; !err && i < w->nr_loads; i++)
		err = bench_load(&c, direct_ns, w->loads[i], w->run_ms * NS_PER_MS,
				 (unsigned int)w->repeats);
	comp_blocks_fini(&blocks);
	return err;
}

static int bench_all(const struct wanted *w, const struct sample *sample)
{
	size_t i;

	printf("# %u turns of %u ms; medians of turns, spread [min max]\n",
	       (unsigned int)w->repeats, (unsigned int)w->run_ms);
	printf("# load block engine | p50 us | p90 us | p99 us | p50, p90 to polling | to sleeping "
	       "| per request: page faults, times slept\n");
	for (i = 0; i < w->nr_blocks; i++)
		if (bench_size(w, w->blocks[i], sample))
			return -1;
	return 0;
}

/* A fixed number of requests of the session and nothing else, for who counts from outside. */
static int run_count(const struct wanted *w, const struct sample *sample)
{
	struct comp_blocks blocks;
	struct loop_case c = { .blocks = &blocks, .nr = w->count, .seed = 88172645463325252u };
	double direct_ns;
	struct target t;
	int err;

	measure_limit(10 * LIMIT_S);
	measure_find_cpus(c.cpu);
	if (comp_blocks_init(&blocks, WD_OP_COMPRESS, w->blocks[0], sample))
		return library_wrong("blocks", "no memory, or less input than one block");
	err = measure_direct(&blocks, &direct_ns);
	if (!err)
		err = open_target(&t, &c);
	if (!err) {
		c.gap_ns = direct_ns * 100 / (double)w->loads[0];
		err = run_loop(&t, &c, c.nr, NULL);
		close_target(&t);
	}
	if (!err)
		printf("requests %zu\n", blocks.nr + c.nr);
	comp_blocks_fini(&blocks);
	return err;
}

/* -------------------------------------------------------------------- main */

static int usage(void)
{
	fprintf(stderr, "usage: bench_openloop [--ms N] [--repeats N] [--blocks BYTES,...] "
			"[--loads PERCENT,...] [FILE...]\n"
			"       bench_openloop --count N [--blocks BYTES] [--loads PERCENT] "
			"[FILE...]\n");
	return EXIT_FAILURE;
}

static int parse(int o, struct wanted *w)
{
	switch (o) {
	case 'm':
		return (w->run_ms = measure_parse(optarg, 60000)) != 0;
	case 'r':
		return (w->repeats = measure_parse(optarg, REPEATS_MAX)) != 0;
	case 'c':
		return (w->count = measure_parse(optarg, 100000000)) != 0;
	case 'b':
		w->nr_blocks = measure_parse_list(optarg, 1 << 20, w->blocks, BLOCKS_MAX);
		return w->nr_blocks != 0;
	case 'l':
		w->nr_loads = measure_parse_list(optarg, 200, w->loads, LOADS_MAX);
		return w->nr_loads != 0;
	default:
		return 0;
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "ms", required_argument, NULL, 'm' },
		{ "repeats", required_argument, NULL, 'r' },
		{ "count", required_argument, NULL, 'c' },
		{ "blocks", required_argument, NULL, 'b' },
		{ "loads", required_argument, NULL, 'l' },
		{ 0 },
	};
	struct wanted w = { .run_ms = RUN_MS,
			    .repeats = REPEATS,
			    .blocks = { BLOCK_BYTES },
			    .nr_blocks = 1,
			    .nr_loads = NR(loads) };
	struct sample sample;
	int o, err, cpu[2];

	memcpy(w.loads, loads, sizeof(loads));
	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (!parse(o, &w))
			return usage();
	if (measure_find_cpus(cpu) < 2) {
		printf("# one processor: there is no other for an engine\n");
		return EXIT_SUCCESS;
	}
	if (sample_open(argv + optind, SAMPLE_BYTES, &sample))
		return EXIT_FAILURE;
	err = w.count ? run_count(&w, &sample) : bench_all(&w, &sample);
	sample_fini(&sample);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

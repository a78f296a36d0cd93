/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * zlib_diff [--seed N] [--runs N] [--seconds N] [--seeds FILE] [--verbose] SUBJECT
 *
 * Random programs of zlib calls, side by side on the system's zlib and on SUBJECT.
 * A run is its seed and nothing else: --seed N repeats the run that named it, and
 * with --runs or --seconds the runs from there on are made.  Silent, and 0, if all
 * was equal; 1 if not; 77 without a judge.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "diff_run.h"

#define RUNS_DEFAULT	1000u
#define FAILURES_MAX	10u
#define RUN_SECONDS_MAX 300u

struct options {
	uint64_t seed;
	uint64_t runs;
	uint64_t seconds;
	const char *seeds_file;
	bool is_verbose;
	const char *subject;
};

static const int deadly[] = { SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE, SIGALRM };
#define NR_DEADLY (sizeof(deadly) / sizeof(deadly[0]))

static struct run the_run;
static struct sigaction was[NR_DEADLY];

/* Says which run it was, then lets the signal do what it would have done. */
static void name_run(int signal_number)
{
	char text[512];
	int n = snprintf(text, sizeof(text),
			 "zlib_diff: --seed %llu (%s), step %u, %s: signal %d\n",
			 (unsigned long long)the_run.seed, the_run.kind, the_run.step, the_run.what,
			 signal_number);

	if (n > 0 && write(STDERR_FILENO, text, (size_t)n) < 0)
		_exit(1);
	for (size_t i = 0; i < NR_DEADLY; i++)
		if (deadly[i] == signal_number)
			sigaction(signal_number, &was[i], NULL);
	/* A fault comes again by itself; the others do not. */
	if (signal_number == SIGALRM)
		_exit(1);
}

static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = name_run };

	for (size_t i = 0; i < NR_DEADLY; i++)
		sigaction(deadly[i], &action, &was[i]);
}

static bool run_one(uint64_t seed)
{
	bool is_equal;

	alarm(RUN_SECONDS_MAX);
	is_equal = run_seed(&the_run, seed);
	alarm(0);
	return is_equal;
}

static int run_many(const struct options *o)
{
	time_t end = time(NULL) + (time_t)o->seconds;
	unsigned int nr_failed = 0;

	for (uint64_t i = 0; nr_failed < FAILURES_MAX; i++) {
		if (o->seconds ? time(NULL) >= end : i >= o->runs)
			break;
		nr_failed += !run_one(o->seed + i);
	}
	return nr_failed ? 1 : 0;
}

/* A seed a line; what follows it says why it is kept. */
static int run_file(const char *path)
{
	FILE *f = fopen(path, "r");
	char line[512];
	int ret = 0;

	if (!f) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return 1;
	}
	while (fgets(line, sizeof(line), f)) {
		char *rest;
		uint64_t seed = strtoull(line, &rest, 0);

		if (rest == line) {
			if (line[0] == '#' || line[0] == '\n')
				continue;
			fprintf(stderr, "%s: no seed: %s", path, line);
			ret = 1;
		} else if (!run_one(seed)) {
			ret = 1;
		}
	}
	fclose(f);
	return ret;
}

static bool read_number(const char *text, uint64_t *ret_number)
{
	char *rest;

	errno = 0;
	*ret_number = strtoull(text, &rest, 0);
	return rest != text && *rest == '\0' && !errno;
}

static bool read_options(int argc, char **argv, struct options *o)
{
	const char *brief = getenv("WD_TEST_BRIEF");
	static const struct option names[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "runs", required_argument, NULL, 'r' },
		{ "seconds", required_argument, NULL, 't' },
		{ "seeds", required_argument, NULL, 'f' },
		{ "verbose", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	bool has_seed = false;
	bool is_right = true;
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (c == 's')
			is_right &= has_seed = read_number(optarg, &o->seed);
		else if (c == 'r')
			is_right &= read_number(optarg, &o->runs);
		else if (c == 't')
			is_right &= read_number(optarg, &o->seconds);
		else if (c == 'f')
			o->seeds_file = optarg;
		else if (c == 'v')
			o->is_verbose = true;
		else
			is_right = false;
	}
	if (!has_seed)
		o->seed = o->seconds ? (uint64_t)time(NULL) * 1000000u : 1;
	if (o->runs == 0)
		o->runs = has_seed ? 1 : RUNS_DEFAULT;
	if (brief && strcmp(brief, "0") != 0 && o->runs > 10)
		o->runs /= 5;
	o->subject = optind < argc ? argv[optind] : getenv("ZLIB_DIFF_SUBJECT");
	return is_right && o->subject && argc - optind <= 1;
}

int main(int argc, char **argv)
{
	static struct zlib_api judge;
	static struct zlib_api subject;
	struct options o = { 0 };
	int ret;

	if (!read_options(argc, argv, &o)) {
		fprintf(stderr, "usage: zlib_diff [--seed N] [--runs N] [--seconds N] "
				"[--seeds FILE] [--verbose] SUBJECT\n");
		return 1;
	}
	if (zlib_api_load(&judge, "libz.so.1"))
		return 77;
	if (zlib_api_load(&subject, o.subject) || run_init(&the_run, &judge, &subject))
		return 1;
	the_run.is_verbose = o.is_verbose;
	catch_signals();
	ret = o.seeds_file ? run_file(o.seeds_file) : run_many(&o);
	run_fini(&the_run);
	return ret;
}

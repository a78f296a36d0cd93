/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * What does a program gain that was written for zlib and never heard of us?
 * This one starts itself twice (zlib_worker.c), once with libwdz preloaded, and
 * has both do the same by turns.  What they made is checked here, where zlib is
 * the system's.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* SOCK_CLOEXEC, environ */
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "measure.h"
#include "sample.h"
#include "zlib_report.h"
#include "zlib_worker.h"

#define LIBRARY	     "../frontend/zlib/libwdz.so.1" /* seen from here, where both are built */
#define MIX_BYTES    (8u << 20) /* of this machine's files, where none is named */
#define LARGE_BYTES  (64u << 10)
#define CASE_SECONDS 120 /* more is no measurement: something hangs */
#define ROUNDS_MAX   99
#define ROUNDS_LONG  3 /* are enough for turns that are long by themselves */
#define LONG_NS	     (50 * NS_PER_MS)
#define SIZES_MAX    16
#define LAPS_MAX     10000u
#define SPARE_BYTES  (1u << 20) /* an area has room for twice what is compressed, and this */
#define INPUT_LEVEL  6		/* of what is decompressed */
#define INPUT_PIECE  (64u << 10)
#define NS_PER_MS    1000000u

static const size_t all_sizes[] = {
	1, 16, 64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20,
};

/*
 * How much of an input is used: less for small buffers, so that a call that
 * costs as much as thousands of bytes is not made a million times.
 */
struct effort {
	size_t large_bytes;  /* for buffers from LARGE_BYTES on */
	size_t stream_bytes; /* for smaller ones, in a stream */
	size_t buffer_bytes; /* and one by one */
	size_t stream_calls;
	size_t buffer_calls;
	uint64_t turn_ns; /* of one side; small jobs are done many times over */
	size_t rounds;
};

static const struct effort full = {
	4 << 20, 2 << 20, 512 << 10, 16384, 1500, 10 * NS_PER_MS, 5,
};
static const struct effort quick = {
	256 << 10, 64 << 10, 64 << 10, 1024, 64, NS_PER_MS / 10, 1,
};

struct bench {
	struct effort effort;
	const char *library;
	size_t size[SIZES_MAX];
	size_t nr_sizes;
	size_t level[ZLIB_LEVELS_MAX];
	size_t nr_levels;
	bool is_cpu_time;
	struct zlib_findings findings;
};

enum {
	SIDE_SYSTEM,
	SIDE_OURS,
	SIDES_NR
};

struct side {
	pid_t pid;
	int sock;
	int out_fd;
	struct zlib_area out;
};

/* One input, and the two that work on it. */
struct setting {
	char name[ZLIB_NAME_MAX];
	int fd;
	size_t nr_bytes;
	uint8_t *plain;
	int packed_fd;
	struct zlib_area packed;
	uint8_t *scratch; /* to check what was compressed */
	size_t area_bytes;
	struct side side[SIDES_NR];
};

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "bench_zlib: %s: %s\n", what, why);
	return -1;
}

static int fail_case(const struct setting *s, const struct zlib_job *job, int side, const char *why)
{
	char kind[16] = "inflate";

	if (!job->is_inflate)
		snprintf(kind, sizeof(kind), "deflate %d", job->level);
	fprintf(stderr, "bench_zlib: %s, %s, %s of %llu, %s: %s\n", s->name, kind,
		zlib_way_name(job->way), (unsigned long long)job->buffer_bytes,
		side == SIDE_OURS ? "other library" : "zlib", why);
	return -1;
}

/* ------------------------------------------------------------- the workers */

/* In the child; does not return. */
static void become_worker(const struct setting *s, int side, int sock, const char *preload)
{
	char arg[4][12];
	char *const argv[] = {
		program_invocation_name,
		(char *)(uintptr_t)ZLIB_WORKER_ARG,
		arg[0],
		arg[1],
		arg[2],
		arg[3],
		NULL,
	};
	const int fd[] = { sock, s->fd, s->packed_fd, s->side[side].out_fd };

	/* Whatever becomes of us, it does not stay behind. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (size_t i = 0; i < 4; i++) {
		fcntl(fd[i], F_SETFD, 0);
		snprintf(arg[i], sizeof(arg[i]), "%d", fd[i]);
	}
	if (preload)
		setenv("LD_PRELOAD", preload, 1);
	execv("/proc/self/exe", argv);
	perror("bench_zlib: exec");
	_exit(EXIT_FAILURE);
}

/* A loader that does not find what it shall preload says so and goes on. */
static bool has_mapped(pid_t pid, const char *library)
{
	char line[PATH_MAX + 128], path[32];
	bool is_found = false;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps = fopen(path, "r");
	while (maps && !is_found && fgets(line, sizeof(line), maps))
		is_found = strstr(line, library);
	if (maps)
		fclose(maps);
	return is_found;
}

static int start_worker(struct setting *s, int side, const char *library)
{
	struct side *it = &s->side[side];
	struct zlib_result ready;
	int pair[2];

	it->out_fd = zlib_area_make(s->area_bytes);
	if (it->out_fd < 0 || zlib_area_map(it->out_fd, &it->out))
		return fail(s->name, strerror(errno));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return fail(s->name, strerror(errno));
	fflush(NULL);
	it->sock = pair[0];
	it->pid = fork();
	if (!it->pid)
		become_worker(s, side, pair[1], side == SIDE_OURS ? library : NULL);
	close(pair[1]);
	if (it->pid < 0 || read(it->sock, &ready, sizeof(ready)) != sizeof(ready))
		return fail(s->name, "a worker does not start");
	if (side == SIDE_OURS && !has_mapped(it->pid, library))
		return fail(library, "is not preloaded");
	return 0;
}

static void stop_worker(struct side *it)
{
	if (it->sock >= 0)
		close(it->sock);
	if (it->pid > 0)
		waitpid(it->pid, NULL, 0);
	zlib_area_unmap(&it->out);
	if (it->out_fd >= 0)
		close(it->out_fd);
}

static int setting_open(struct setting *s, const struct bench *b)
{
	size_t most = b->effort.large_bytes > b->effort.stream_bytes ? b->effort.large_bytes :
								       b->effort.stream_bytes;

	s->area_bytes = 2 * (most < s->nr_bytes ? most : s->nr_bytes) + SPARE_BYTES;
	s->packed_fd = s->side[0].sock = s->side[1].sock = -1;
	s->side[0].out_fd = s->side[1].out_fd = -1;
	s->scratch = malloc(s->area_bytes);
	s->plain = mmap(NULL, s->nr_bytes, PROT_READ, MAP_SHARED, s->fd, 0);
	if (!s->scratch || s->plain == MAP_FAILED)
		return fail(s->name, strerror(errno));
	s->packed_fd = zlib_area_make(s->area_bytes);
	if (s->packed_fd < 0 || zlib_area_map(s->packed_fd, &s->packed))
		return fail(s->name, strerror(errno));
	for (int side = 0; side < SIDES_NR; side++)
		if (start_worker(s, side, b->library))
			return -1;
	return 0;
}

static void setting_close(struct setting *s)
{
	for (int side = 0; side < SIDES_NR; side++)
		stop_worker(&s->side[side]);
	zlib_area_unmap(&s->packed);
	if (s->packed_fd >= 0)
		close(s->packed_fd);
	if (s->plain && s->plain != MAP_FAILED)
		munmap(s->plain, s->nr_bytes);
	free(s->scratch);
}

/* ---------------------------------------------------------------- checking */

static bool holds(struct setting *s, const uint8_t *packed, size_t packed_len, const uint8_t *plain,
		  size_t plain_len)
{
	uLongf len = s->area_bytes;
	uLong used = packed_len;

	return uncompress2(s->scratch, &len, packed, &used) == Z_OK && used == packed_len &&
	       len == plain_len && memcmp(s->scratch, plain, plain_len) == 0;
}

static bool is_good(struct setting *s, const struct zlib_job *job, const struct zlib_area *out)
{
	const uint8_t *plain = s->plain + job->from;

	if (job->way == ZLIB_WAY_STREAM) {
		if (out->length[0] > out->room)
			return false;
		if (!job->is_inflate)
			return holds(s, out->bytes, out->length[0], plain, job->bytes);
		return out->length[0] == job->bytes && memcmp(out->bytes, plain, job->bytes) == 0;
	}
	for (size_t i = 0; i < zlib_job_buffers(job); i++) {
		const size_t len = zlib_job_buffer_bytes(job, i), at = i * job->buffer_bytes;

		if (job->is_inflate ?
			    out->length[i] != len || memcmp(out->bytes + at, plain + at, len) != 0 :
			    out->length[i] > job->stride || !holds(s, out->bytes + i * job->stride,
								   out->length[i], plain + at, len))
			return false;
	}
	return true;
}

static uint64_t sum_of_lengths(const struct zlib_job *job, const struct zlib_area *out)
{
	uint64_t sum = out->length[0];

	if (job->way == ZLIB_WAY_STREAM)
		return sum;
	for (size_t i = 1; i < zlib_job_buffers(job); i++)
		sum += out->length[i];
	return sum;
}

/* --------------------------------------------------------------- measuring */

/* What a turn before it made is wiped out, so that each is known to have made its own. */
static void wipe(const struct zlib_job *job, struct zlib_area *out)
{
	const bool is_stream = job->way == ZLIB_WAY_STREAM;
	const size_t nr = is_stream ? 1 : zlib_job_buffers(job);
	size_t bytes = is_stream || job->is_inflate ? job->bytes : nr * job->stride;

	memset(out->length, 0xff, nr * sizeof(*out->length));
	memset(out->bytes, 0x5a, bytes);
}

static int take_turn(struct setting *s, const struct zlib_job *job, int side, bool is_cpu_time,
		     double *ret_ns)
{
	struct side *it = &s->side[side];
	struct zlib_result result;

	wipe(job, &it->out);
	if (send(it->sock, job, sizeof(*job), MSG_NOSIGNAL) != sizeof(*job) ||
	    read(it->sock, &result, sizeof(result)) != sizeof(result))
		return fail_case(s, job, side, "the worker is gone");
	if (result.err != Z_OK)
		return fail_case(s, job, side, zError(result.err));
	if (!is_good(s, job, &it->out))
		return fail_case(s, job, side, "wrong data");
	*ret_ns = (double)(is_cpu_time ? result.cpu_ns : result.wall_ns);
	if (*ret_ns < 1)
		*ret_ns = 1;
	return 0;
}

/* What is decompressed was compressed by the system's zlib. */
static int pack_input(struct setting *s, const struct zlib_job *job)
{
	struct zlib_job pack = *job;
	uint64_t wall, cpu;
	int err;

	pack.is_inflate = 0;
	pack.level = INPUT_LEVEL;
	pack.laps = 1;
	if (job->way == ZLIB_WAY_STREAM)
		pack.buffer_bytes = INPUT_PIECE;
	err = zlib_job_run(&pack, s->plain, &s->packed, &s->packed, &wall, &cpu);
	return err == Z_OK ? 0 : fail_case(s, &pack, SIDE_SYSTEM, zError(err));
}

static int measure(const struct bench *b, struct setting *s, struct zlib_job *job,
		   struct zlib_finding *f)
{
	double system[ROUNDS_MAX], ours[ROUNDS_MAX], times[ROUNDS_MAX], ns[SIDES_NR];
	size_t i, rounds = b->effort.rounds;
	double bytes;

	if (job->is_inflate && pack_input(s, job))
		return -1;
	/* Once for nothing: libraries are loaded, pages are touched, laps are counted. */
	job->laps = 1;
	if (take_turn(s, job, SIDE_OURS, false, &ns[SIDE_OURS]) ||
	    take_turn(s, job, SIDE_SYSTEM, false, &ns[SIDE_SYSTEM]))
		return -1;
	job->laps = 1 + (uint32_t)((double)b->effort.turn_ns / ns[SIDE_SYSTEM]);
	if (job->laps > LAPS_MAX)
		job->laps = LAPS_MAX;
	if (ns[SIDE_SYSTEM] >= LONG_NS)
		rounds = least(rounds, ROUNDS_LONG);
	bytes = (double)job->laps * (double)job->bytes;
	for (i = 0; i < rounds; i++) {
		const int first = i & 1;

		if (take_turn(s, job, first, b->is_cpu_time, &ns[first]) ||
		    take_turn(s, job, !first, b->is_cpu_time, &ns[!first]))
			return -1;
		system[i] = bytes * 1e3 / ns[SIDE_SYSTEM];
		ours[i] = bytes * 1e3 / ns[SIDE_OURS];
		times[i] = ns[SIDE_SYSTEM] / ns[SIDE_OURS];
	}
	f->system_mbps = measure_median(system, i);
	f->ours_mbps = measure_median(ours, i);
	f->speed = measure_median(times, i);
	f->speed_min = times[0];
	f->speed_max = times[i - 1];
	if (!job->is_inflate) {
		f->system_share = (double)sum_of_lengths(job, &s->side[SIDE_SYSTEM].out) / bytes;
		f->size = (double)sum_of_lengths(job, &s->side[SIDE_OURS].out) /
			  (double)sum_of_lengths(job, &s->side[SIDE_SYSTEM].out);
	}
	return 0;
}

/* How much of the input, at this buffer size: its middle. */
static size_t span_bytes(const struct effort *e, size_t nr_bytes, enum zlib_way way, size_t size)
{
	const bool is_stream = way == ZLIB_WAY_STREAM;
	size_t most = is_stream ? e->stream_bytes : e->buffer_bytes;

	if (size >= LARGE_BYTES)
		most = e->large_bytes;
	most = least(most, size * (is_stream ? e->stream_calls : e->buffer_calls));
	return least(most, nr_bytes);
}

static int bench_case(struct bench *b, struct setting *s, int level, enum zlib_way way, size_t size)
{
	struct zlib_finding f = {
		.way = way,
		.is_inflate = level < 0,
		.level = level < 0 ? 0 : level,
		.buffer_bytes = size,
	};
	struct zlib_job job = {
		.way = way,
		.is_inflate = level < 0,
		.level = level,
		.bytes = span_bytes(&b->effort, s->nr_bytes, way, size),
		.buffer_bytes = size,
		.stride = compressBound(size),
	};

	/* A small input has no large buffers. */
	if (job.bytes < size)
		return 0;
	job.from = (s->nr_bytes - job.bytes) / 2;
	memcpy(f.name, s->name, sizeof(f.name));
	measure_limit(CASE_SECONDS);
	if (measure(b, s, &job, &f))
		return -1;
	zlib_report_line(&f);
	return zlib_findings_add(&b->findings, &f);
}

/* @level -1: inflate. */
static int bench_level(struct bench *b, struct setting *s, int level)
{
	for (enum zlib_way way = 0; way < ZLIB_WAYS_NR; way++)
		for (size_t i = 0; i < b->nr_sizes; i++)
			if (bench_case(b, s, level, way, b->size[i]))
				return -1;
	return 0;
}

/* ------------------------------------------------------------------ inputs */

static int bench_input(struct bench *b, const char *name, int fd)
{
	struct setting s = { .fd = fd };
	struct stat st;
	int err;

	snprintf(s.name, sizeof(s.name), "%s", name);
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || !st.st_size)
		return fail(name, "not a file with something in it");
	s.nr_bytes = (size_t)st.st_size;
	err = setting_open(&s, b);
	for (size_t i = 0; !err && i < b->nr_levels; i++)
		err = bench_level(b, &s, (int)b->level[i]);
	if (!err)
		err = bench_level(b, &s, -1);
	setting_close(&s);
	return err;
}

static int bench_file(struct bench *b, const char *path)
{
	const char *slash = strrchr(path, '/');
	int err, fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return fail(path, strerror(errno));
	err = bench_input(b, slash ? slash + 1 : path, fd);
	close(fd);
	return err;
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int bench_folder(struct bench *b, const char *path)
{
	struct dirent **entries;
	int err = 0, nr = scandir(path, &entries, is_visible, alphasort);

	if (nr < 0)
		return fail(path, strerror(errno));
	for (int i = 0; i < nr; i++) {
		char file[PATH_MAX];

		snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name);
		if (!err)
			err = bench_file(b, file);
		free(entries[i]);
	}
	free(entries);
	return err;
}

static int bench_path(struct bench *b, const char *path)
{
	struct stat st;

	if (!stat(path, &st) && S_ISDIR(st.st_mode))
		return bench_folder(b, path);
	return bench_file(b, path);
}

static int bench_mix(struct bench *b)
{
	int err, fd = memfd_create("mix", MFD_CLOEXEC);
	struct sample sample;

	if (fd < 0)
		return fail("memfd", strerror(errno));
	err = sample_gather(MIX_BYTES, &sample);
	if (!err) {
		if (write(fd, sample.bytes, sample.nr_bytes) != (ssize_t)sample.nr_bytes)
			err = fail("memfd", strerror(errno));
		sample_fini(&sample);
	}
	if (!err)
		err = bench_input(b, "mix", fd);
	close(fd);
	return err;
}

/* ------------------------------------------------------------ command line */

static int usage(void)
{
	fprintf(stderr,
		"usage: bench_zlib [OPTION]... [FILE|FOLDER]...\n"
		"  -q, --quick           shows that it works, in a second\n"
		"  -c, --cpu             processor time of the calling thread, not of the clock\n"
		"  -l, --levels N,...    of deflate, default 1,6\n"
		"  -b, --buffers N,...   bytes, default from 1 to 1048576\n"
		"  -r, --rounds N        turns of each side, default 5; 3 where they are long\n"
		"  -m, --mib N           of a file that large buffers use, default 4\n"
		"  -L, --library FILE    to preload, default the libwdz.so.1 built with it\n"
		"Without FILE: a mix of this machine's.  A corpus of nine kinds of files is made\n"
		"with sh mkcorpus.sh FOLDER.\n");
	return EXIT_FAILURE;
}

static bool take_option(struct bench *b, int option)
{
	switch (option) {
	case 'q':
		b->effort = quick;
		return true;
	case 'c':
		b->is_cpu_time = true;
		return true;
	case 'l':
		b->nr_levels = measure_parse_list(optarg, 9, b->level, ZLIB_LEVELS_MAX);
		return b->nr_levels;
	case 'b':
		b->nr_sizes = measure_parse_list(optarg, 64 << 20, b->size, SIZES_MAX);
		return b->nr_sizes;
	case 'r':
		b->effort.rounds = measure_parse(optarg, ROUNDS_MAX);
		return b->effort.rounds;
	case 'm':
		b->effort.large_bytes = measure_parse(optarg, 1024) << 20;
		return b->effort.large_bytes;
	case 'L':
		b->library = optarg;
		return true;
	default:
		return false;
	}
}

/* The library's path as the loader wants it and the kernel shows it; NULL after a message. */
static const char *find_library(const char *given, char ret_path[PATH_MAX])
{
	char path[PATH_MAX + sizeof(LIBRARY)];
	ssize_t len;
	char *slash;

	if (given) {
		snprintf(path, sizeof(path), "%s", given);
	} else {
		len = readlink("/proc/self/exe", path, PATH_MAX - 1);
		path[len > 0 ? len : 0] = '\0';
		slash = strrchr(path, '/');
		strcpy(slash ? slash + 1 : path, LIBRARY);
	}
	if (realpath(path, ret_path))
		return ret_path;
	fail(path, strerror(errno));
	return NULL;
}

/* Who reads the figures knows what they were made with. */
static void print_settings(const struct bench *b)
{
	printf("# zlib %s; other: %s; %s\n", zlibVersion(), b->library,
	       b->is_cpu_time ? "processor time" : "time");
	for (char **e = environ; *e; e++)
		if (strncmp(*e, "WD", 2) == 0)
			printf("# %s\n", *e);
	zlib_report_heading();
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "quick", no_argument, NULL, 'q' },
		{ "cpu", no_argument, NULL, 'c' },
		{ "levels", required_argument, NULL, 'l' },
		{ "buffers", required_argument, NULL, 'b' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "mib", required_argument, NULL, 'm' },
		{ "library", required_argument, NULL, 'L' },
		{ 0 },
	};
	struct bench b = { .effort = full, .level = { 1, 6 }, .nr_levels = 2 };
	char library[PATH_MAX];
	int o, err = 0;

	if (argc > 1 && strcmp(argv[1], ZLIB_WORKER_ARG) == 0)
		return zlib_worker_main(argc - 2, argv + 2);
	b.nr_sizes = sizeof(all_sizes) / sizeof(all_sizes[0]);
	memcpy(b.size, all_sizes, sizeof(all_sizes));
	while ((o = getopt_long(argc, argv, "qcl:b:r:m:L:", options, NULL)) != -1)
		if (!take_option(&b, o))
			return usage();
	if (getenv("LD_PRELOAD")) {
		fail("LD_PRELOAD", "is set, so that the yardstick may be another");
		return EXIT_FAILURE;
	}
	b.library = find_library(b.library, library);
	if (!b.library)
		return EXIT_FAILURE;
	print_settings(&b);
	if (optind == argc)
		err = bench_mix(&b);
	for (; !err && optind < argc; optind++)
		err = bench_path(&b, argv[optind]);
	zlib_report_summary(&b.findings);
	zlib_findings_fini(&b.findings);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

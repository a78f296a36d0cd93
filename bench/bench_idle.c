/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * What do open queues cost while nothing is asked of them?  Queues and sessions
 * are opened and do a few requests; then the process waits in epoll_wait(), and
 * what it used of processors meanwhile is shown, with how often its threads
 * were put to sleep or interrupted.  Beside it the same wait with nothing open.
 * Each case is a process of its own.
 */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "library.h"
#include "measure.h"
#include "session_case.h"

#define RUN_MS	     1000u
#define SETTLE_MS    50u /* from the last request: workers look around for a while */
#define SAMPLE_BYTES (1u << 20)
#define BLOCK_BYTES  4096u
#define NR_OPEN	     8u /* of each kind */
#define NR_REQUESTS  200u
#define DEPTH	     16u
#define WAKES_MAX    1000u /* more often than that it is not idle */
#define NS_PER_MS    1000000ull
#define LIMIT_S	     60u

struct idle_case {
	const char *name;
	unsigned int workers;
	bool has_queues;
	bool has_sessions;
	bool has_fds;
	const struct comp_blocks *blocks;
	uint64_t run_ns;
};

static const struct idle_case cases[] = {
	{ .name = "nothing" },
	{ .name = "queues", .has_queues = true },
	{ .name = "queues", .has_queues = true, .workers = 1 },
	{ .name = "queues, fds", .has_queues = true, .has_fds = true },
	{ .name = "queues, fds", .has_queues = true, .has_fds = true, .workers = 1 },
	{ .name = "sessions", .has_sessions = true },
	{ .name = "sessions", .has_sessions = true, .workers = 1 },
	{ .name = "sessions, fds", .has_sessions = true, .has_fds = true },
	{ .name = "sessions, fds", .has_sessions = true, .has_fds = true, .workers = 1 },
	{ .name = "all", .has_queues = true, .has_sessions = true, .has_fds = true, .workers = 4 },
};

#define NR_CASES (sizeof(cases) / sizeof(cases[0]))

struct idle_result {
	double cpu_ns;
	double user_us;
	double system_us;
	unsigned long voluntary; /* switches of all threads but the one that waits */
	unsigned long involuntary;
	unsigned int nr_threads;
	unsigned int nr_wakes; /* of epoll_wait() before its time */
};

struct idle_rig {
	int epoll;
	unsigned int nr_queues;
	unsigned int nr_sessions;
	struct wd_queue queue[NR_OPEN];
	struct session_case session[NR_OPEN];
};

/* ------------------------------------------------------------------ opening */

static int watch(struct idle_rig *r, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data = { .fd = fd } };

	if (fd < 0)
		return library_fail("descriptor", fd);
	return epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &event) ?
		       library_wrong("epoll_ctl", strerror(errno)) :
		       0;
}

/* Null requests, one after the other; at the end the queue was found empty. */
static int use_queue(struct wd_queue *q)
{
	struct wd_req req = { .op = WD_OP_NOP }, *back;
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < NR_REQUESTS; i++) {
		err = wd_send(q, &req);
		if (!err)
			err = wd_recv_sync(q, &back);
		if (!err && back->status != WD_STATUS_OK)
			return library_wrong("a null request", wd_status_text(back->status));
	}
	if (!err && wd_recv(q, &back) != -EAGAIN)
		return library_wrong("wd_recv", "found what nobody sent");
	return err ? library_fail("a null request", err) : 0;
}

static int open_queues(struct idle_rig *r, const struct idle_case *c)
{
	int err;

	while (r->nr_queues < NR_OPEN) {
		struct wd_queue *q = &r->queue[r->nr_queues];

		q->size = sizeof(*q);
		q->capa.alg = "deflate";
		q->capa.op = WD_OP_COMPRESS;
		err = wd_request_queue(q);
		if (err)
			return library_fail("wd_request_queue", err);
		r->nr_queues++;
		if ((c->has_fds && watch(r, wd_queue_fd(q))) || use_queue(q))
			return -1;
	}
	return 0;
}

static int open_sessions(struct idle_rig *r, const struct idle_case *c)
{
	struct session_slot *slot;
	size_t at = 0;

	while (r->nr_sessions < NR_OPEN) {
		struct session_case *s = &r->session[r->nr_sessions++];

		if (session_case_init(s, c->blocks, 1, DEPTH, NULL) ||
		    (c->has_fds && watch(r, wd_comp_fd(s->comp))) ||
		    session_case_verify(s, &at, NR_REQUESTS) ||
		    session_case_call(s, &c->blocks->block[at]))
			return -1;
		if (session_case_poll(s, &slot, 1))
			return library_wrong("wd_comp_poll", "found what nobody submitted");
	}
	return 0;
}

static void close_all(struct idle_rig *r)
{
	while (r->nr_sessions > 0)
		session_case_fini(&r->session[--r->nr_sessions]);
	while (r->nr_queues > 0)
		wd_release_queue(&r->queue[--r->nr_queues]);
	close(r->epoll);
}

/* -------------------------------------------------------------- measurement */

static void add_switches(const char *tid, struct idle_result *ret)
{
	char path[64], line[128];
	unsigned long n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%.20s/status", tid);
	f = fopen(path, "r");
	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "voluntary_ctxt_switches: %lu", &n) == 1)
			ret->voluntary += n;
		if (sscanf(line, "nonvoluntary_ctxt_switches: %lu", &n) == 1)
			ret->involuntary += n;
	}
	fclose(f);
}

/* Of all threads but this one, which is the process's first. */
static int count_switches(struct idle_result *ret)
{
	DIR *d = opendir("/proc/self/task");
	const struct dirent *e;

	ret->nr_threads = 0;
	ret->voluntary = ret->involuntary = 0;
	if (!d)
		return library_wrong("/proc/self/task", strerror(errno));
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.' || strtol(e->d_name, NULL, 10) == getpid())
			continue;
		ret->nr_threads++;
		add_switches(e->d_name, ret);
	}
	closedir(d);
	return 0;
}

/* The same as getrusage() tells, in finer steps. */
static double process_cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double elapsed_us(struct timeval from, struct timeval to)
{
	return (double)(to.tv_sec - from.tv_sec) * 1e6 + (double)(to.tv_usec - from.tv_usec);
}

/* Waits for @ns in epoll_wait(); how often that returned earlier, or -1 after a message. */
static int wait_idle(const struct idle_rig *r, uint64_t ns)
{
	const uint64_t end = measure_now_ns() + ns;
	struct epoll_event events[2 * NR_OPEN];
	int nr_wakes = 0;
	uint64_t now;

	while ((now = measure_now_ns()) < end) {
		int ms = (int)((end - now + NS_PER_MS - 1) / NS_PER_MS);
		int n = epoll_wait(r->epoll, events, 2 * NR_OPEN, ms);

		if (n < 0)
			return library_wrong("epoll_wait", strerror(errno));
		nr_wakes += n > 0;
		if (nr_wakes == WAKES_MAX)
			return library_wrong("epoll_wait",
					     "a descriptor is readable for no reason");
	}
	return nr_wakes;
}

static int measure_idle(const struct idle_rig *r, uint64_t ns, struct idle_result *ret)
{
	struct idle_result before, after;
	struct rusage usage_before, usage_after;
	double cpu_ns;
	int nr_wakes;

	if (wait_idle(r, SETTLE_MS * NS_PER_MS) < 0 || count_switches(&before))
		return -1;
	getrusage(RUSAGE_SELF, &usage_before);
	cpu_ns = process_cpu_ns();
	nr_wakes = wait_idle(r, ns);
	if (nr_wakes < 0)
		return -1;
	ret->cpu_ns = process_cpu_ns() - cpu_ns;
	getrusage(RUSAGE_SELF, &usage_after);
	if (count_switches(&after))
		return -1;
	ret->user_us = elapsed_us(usage_before.ru_utime, usage_after.ru_utime);
	ret->system_us = elapsed_us(usage_before.ru_stime, usage_after.ru_stime);
	ret->voluntary = after.voluntary - before.voluntary;
	ret->involuntary = after.involuntary - before.involuntary;
	ret->nr_threads = after.nr_threads;
	ret->nr_wakes = (unsigned int)nr_wakes;
	return 0;
}

/* In a child process. */
static int measure_case(const void *arg, void *ret_result)
{
	static struct idle_rig rig;
	const struct idle_case *c = arg;
	int err;

	measure_limit(LIMIT_S + (unsigned int)(c->run_ns / NS_PER_MS / 1000));
	rig.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (rig.epoll < 0)
		return library_wrong("epoll_create1", strerror(errno));
	err = library_configure("hisi_zip", c->workers);
	if (!err && c->has_queues)
		err = open_queues(&rig, c);
	if (!err && c->has_sessions)
		err = open_sessions(&rig, c);
	if (!err)
		err = measure_idle(&rig, c->run_ns, ret_result);
	close_all(&rig);
	return err;
}

/* ------------------------------------------------------------------- report */

static int bench_all(const struct comp_blocks *blocks, uint64_t run_ms)
{
	size_t i;

	printf("# %u of each kind, %u requests each, then %u ms of nothing\n", NR_OPEN, NR_REQUESTS,
	       (unsigned int)run_ms);
	printf("# %-14s %7s %7s | %9s %7s %9s %9s | switches of threads: own, forced | early "
	       "wakes\n",
	       "open", "workers", "threads", "cpu ns", "%", "user us", "system us");
	for (i = 0; i < NR_CASES; i++) {
		struct idle_case c = cases[i];
		struct idle_result r;

		c.blocks = blocks;
		c.run_ns = run_ms * NS_PER_MS;
		if (measure_apart(measure_case, &c, &r, sizeof(r)))
			return library_wrong(c.name, "was not measured");
		printf("%-16s %7u %7u | %9.0f %7.4f %9.0f %9.0f | %5lu %5lu | %u\n", c.name,
		       c.workers, r.nr_threads, r.cpu_ns, 100 * r.cpu_ns / (double)c.run_ns,
		       r.user_us, r.system_us, r.voluntary, r.involuntary, r.nr_wakes);
		fflush(stdout);
	}
	return 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: bench_idle [--ms N] [--blocks BYTES] [FILE...]\n");
	return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "ms", required_argument, NULL, 'm' },
		{ "blocks", required_argument, NULL, 'b' },
		{ 0 },
	};
	uint64_t run_ms = RUN_MS;
	size_t block_bytes = BLOCK_BYTES;
	struct comp_blocks blocks;
	struct sample sample;
	int o, err;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 'm' && (run_ms = measure_parse(optarg, 60000)))
			continue;
		if (o != 'b' || !measure_parse_list(optarg, SAMPLE_BYTES, &block_bytes, 1))
			return usage();
	}
	if (sample_open(argv + optind, SAMPLE_BYTES, &sample))
		return EXIT_FAILURE;
	err = comp_blocks_init(&blocks, WD_OP_COMPRESS, block_bytes, &sample);
	if (err)
		library_wrong("blocks", "no memory, or less input than one block");
	else
		err = bench_all(&blocks, run_ms);
	comp_blocks_fini(&blocks);
	sample_fini(&sample);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

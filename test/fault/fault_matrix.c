/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * usage: fault_matrix sva|share|bounce
 *
 * Each way of using the library meets each fault of a device, with and without
 * workers, beside a healthy device of the same kind and alone.  Each cell is a
 * process of its own.  In all of them: the call ends, the data is right or there
 * is an error, each operation ends exactly once, the counters add up, nothing is
 * left behind, and a session at work on the healthy device notices nothing.
 *
 * WD_TEST_VERBOSE=1 prints the matrix; WD_TEST_CELL=TEXT takes the cells whose
 * label has TEXT.  Under a sanitizer, which is slow, a part of the cells is taken.
 */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <wd/comp.h>
#include <wd/stats.h>

#include "fault/fault_ops.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define THINNING 2u /* one cell of so many */
#define IS_TSAN	 1
#elif defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define THINNING 2u
#define IS_TSAN	 0
#else
#define THINNING 1u
#define IS_TSAN	 0
#endif

#define HANG_MS	     "120"
#define HANG_BIG_MS  "3000" /* a worker at one piece of a big block may be longer than that */
#define CELL_SECONDS 60u    /* what has not ended by then hangs */
#define NR_AT_ONCE   4u	    /* many cells only wait */
#define DEVICES_MAX  8u
#define BYSTANDER_MS 120000
#define BYSTANDER_NS 1000000 /* between its blocks */
#define LEFT_SECONDS 20	     /* for a thread that was joined to leave /proc */
#define LABEL_BYTES  96u
#define SPEC_BYTES   48u
#define EMBED_BYTES  256u
#define HEALTHY	     "embed:hisi_zip-1"

/* ------------------------------------------------------------- what meets what */

struct fault {
	const char *kind;
	const char *at; /* now and then; the first strikes a block in pieces, too */
	const char *rest;
	bool is_lying;	 /* what is delivered is wrong, and all else is well */
	bool shows;	 /* leaves a trace in counters or results */
	bool is_for_big; /* meets the operations that take long */
};

static const struct fault faults[] = {
	{ .kind = "drop", .at = "2/3", .shows = true, .is_for_big = true },
	{ .kind = "delay", .at = "2/3", .rest = ":20ms" },
	{ .kind = "duplicate", .at = "2/3", .shows = true },
	{ .kind = "corrupt-completion", .at = "2/3", .shows = true },
	{ .kind = "corrupt-result", .at = "2/3", .shows = true },
	{ .kind = "corrupt-output",
	  .at = "2/3",
	  .shows = true,
	  .is_lying = true,
	  .is_for_big = true },
	{ .kind = "error", .at = "2/3", .shows = true, .is_for_big = true },
	{ .kind = "hang", .at = "2", .shows = true },
	{ .kind = "reset", .at = "2/3", .shows = true, .is_for_big = true },
	{ .kind = "refuse", .at = "1/2", .shows = true },
};

enum setting {
	BESIDE_NOW_AND_THEN,
	BESIDE_ALWAYS,
	ALONE,
	NR_SETTINGS
};

static const char *const setting_names[NR_SETTINGS] = { "beside", "beside, always", "alone" };

#define NR_FAULTS  NR(faults)
#define NR_OPS_MAX 32u
#define NR_WORKERS 2u
#define CELLS_MAX  (NR_WORKERS * NR_SETTINGS * NR_FAULTS * NR_OPS_MAX)

struct plan {
	const struct fault *fault;
	const struct fault_op *op;
	enum setting setting;
	unsigned int workers;
	char label[LABEL_BYTES];
};

/* What a cell tells the matrix; in memory that both see. */
struct result {
	unsigned int tally[NR_TALLIES];
	bool has_struck;
};

static struct plan plans[CELLS_MAX];
static unsigned int nr_plans;
static struct result *results;
static const char *memory;

static bool is_wanted(const struct plan *p, unsigned int number)
{
	const char *only = getenv("WD_TEST_CELL");

	if (p->op->flags & FAULT_OP_BIG &&
	    (p->setting != BESIDE_NOW_AND_THEN || !p->fault->is_for_big))
		return false;
	if (only)
		return strstr(p->label, only) != NULL;
	return number % THINNING == 0;
}

static void add_plan(const struct fault *fault, const struct fault_op *op, enum setting setting,
		     unsigned int workers)
{
	/* Rows and columns are both of a length that would else leave some out. */
	unsigned int number =
		(unsigned int)(fault - faults) + (unsigned int)(op - fault_ops) + setting + workers;
	struct plan *p = &plans[nr_plans];

	*p = (struct plan){ .fault = fault, .op = op, .setting = setting, .workers = workers };
	snprintf(p->label, sizeof(p->label), "%s, %s, %s, %s, %u workers", fault->kind, op->name,
		 setting_names[setting], memory, workers);
	nr_plans += is_wanted(p, number);
}

static void make_plans(void)
{
	unsigned int workers, setting;

	for (workers = 0; workers < NR_WORKERS; workers++)
		for (setting = 0; setting < NR_SETTINGS; setting++)
			for (size_t f = 0; f < NR_FAULTS; f++)
				for (size_t k = 0; k < nr_fault_ops; k++)
					add_plan(&faults[f], &fault_ops[k], setting, workers);
}

/* ------------------------------------------------------------- a session on the healthy device */

struct bystander {
	struct cell *cell;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t stopped;
	bool is_to_stop; /* under lock */
	uint8_t out[16384];
};

/* Whether to go on, after a little while. */
static bool go_on(struct bystander *b)
{
	struct timespec until;
	bool is_to_stop;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += BYSTANDER_NS;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	pthread_mutex_lock(&b->lock);
	if (!b->is_to_stop)
		pthread_cond_timedwait(&b->stopped, &b->lock, &until);
	is_to_stop = b->is_to_stop;
	pthread_mutex_unlock(&b->lock);
	return !is_to_stop;
}

static void bystander_block(struct bystander *b, struct wd_comp *c, const struct sample *s)
{
	struct wd_comp_io io = {
		.src = s->plain, .src_len = s->len, .dst = b->out, .dst_len = sizeof(b->out)
	};
	int ret = wd_comp_block(c, &io);

	if (ret || io.head.status != WD_STATUS_OK)
		cell_complain(b->cell, "the healthy device failed", ret);
	else if (!is_packed_right(s, 31, b->out, io.produced))
		cell_complain(b->cell, "the healthy device's data is wrong", 0);
	else if (io.head.retries || strcmp(wd_device_name(io.head.device_id), HEALTHY))
		cell_complain(b->cell, "the healthy device's session was disturbed",
			      (long)io.head.retries);
}

static void *stand_by(void *arg)
{
	struct bystander *b = arg;
	const struct wd_comp_opts opts = { .size = sizeof(opts),
					   .op = WD_OP_COMPRESS,
					   .format = WD_COMP_GZIP,
					   .level = 1,
					   .timeout_ms = BYSTANDER_MS,
					   .device = HEALTHY };
	struct wd_comp *c;
	unsigned int i = 0;
	int ret = wd_comp_open(&opts, &c);

	if (ret) {
		cell_complain(b->cell, "the healthy device cannot be had", ret);
		return NULL;
	}
	do
		bystander_block(b, c, &samples[i++ % (NR_SAMPLES - 1)]);
	while (go_on(b));
	wd_comp_close(c);
	return NULL;
}

static void run_beside(struct cell *cell)
{
	struct bystander b = { .lock = PTHREAD_MUTEX_INITIALIZER,
			       .stopped = PTHREAD_COND_INITIALIZER };
	/* Its own, as both threads may have something to say. */
	struct cell of_it = { .op = cell->op, .label = cell->label };

	b.cell = &of_it;
	if (pthread_create(&b.thread, NULL, stand_by, &b)) {
		cell_complain(cell, "no thread for the session beside", 0);
		return;
	}
	cell->op->run(cell);
	pthread_mutex_lock(&b.lock);
	b.is_to_stop = true;
	pthread_cond_signal(&b.stopped);
	pthread_mutex_unlock(&b.lock);
	pthread_join(b.thread, NULL);
	cell->is_bad |= of_it.is_bad;
}

/* ------------------------------------------------------------- one cell */

static void configure(const struct plan *p)
{
	const bool is_memop = p->op->flags & FAULT_OP_MEMOP;
	char spec[SPEC_BYTES], embed[EMBED_BYTES];
	int n;

	snprintf(spec, sizeof(spec), "fault=%s@%s%s", p->fault->kind,
		 p->setting == BESIDE_ALWAYS ? "1/1" : p->fault->at,
		 p->fault->rest ? p->fault->rest : "");
	n = snprintf(embed, sizeof(embed), "%s:memory=%s:%s", is_memop ? "dummy" : "hisi_zip",
		     memory, spec);
	if (is_memop)
		snprintf(embed + n, sizeof(embed) - (size_t)n,
			 ",hisi_zip:memory=%s,hisi_zip:memory=%s", memory, memory);
	else if (p->setting != ALONE)
		snprintf(embed + n, sizeof(embed) - (size_t)n, ",hisi_zip:memory=%s", memory);
	setenv("WD_EMBED", embed, 1);
	setenv("WD_EMBED_WORKERS", p->workers ? "1" : "0", 1);
	setenv("WD_HANG_MS", p->op->flags & FAULT_OP_BIG ? HANG_BIG_MS : HANG_MS, 1);
}

/* Entries of a folder of /proc. */
static int count_entries(const char *path)
{
	DIR *dir = opendir(path);
	int n = 0;

	if (!dir)
		return -1;
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/*
 * What was counted once all is closed.  Returns whether the fault showed.  A
 * worker that gets no processor for long is a hang to who waits for it, so that
 * only without workers a healthy device surely never fails.
 */
static bool check_counters(struct cell *cell, bool may_starve)
{
	struct wd_device_stats stats[DEVICES_MAX] = { 0 };
	bool has_struck = false;
	int i, n;

	for (i = 0; i < (int)DEVICES_MAX; i++)
		stats[i].size = sizeof(stats[i]);
	n = wd_stats_read(0, stats, DEVICES_MAX);
	if (n <= 0)
		cell_complain(cell, "no counters", n);
	for (i = 0; i < n && i < (int)DEVICES_MAX; i++) {
		const struct wd_counters *c = &stats[i].counters;

		if (c->sent != c->received + c->abandoned)
			cell_complain(cell, "counters do not add up: lost",
				      (long)(c->sent - c->received - c->abandoned));
		has_struck |= c->errors || c->failures || c->timeouts || c->spilled || c->retries;
		if (!may_starve && !strcmp(stats[i].name, HEALTHY) && c->failures)
			cell_complain(cell, "the healthy device is said to have failed",
				      (long)c->failures);
	}
	return has_struck;
}

static void check_nothing_left(struct cell *cell, int nr_fds, int nr_threads)
{
	const time_t end = time(NULL) + LEFT_SECONDS;
	int left = count_entries("/proc/self/fd") - nr_fds;

	if (left)
		cell_complain(cell, "descriptors left behind", left);
	if (IS_TSAN) /* it has threads of its own */
		return;
	while ((left = count_entries("/proc/self/task") - nr_threads) > 0 && time(NULL) < end)
		sched_yield();
	if (left)
		cell_complain(cell, "threads left behind", left);
}

static void tell(const struct cell *cell, bool has_struck, struct result *result)
{
	memcpy(result->tally, cell->tally, sizeof(result->tally));
	result->has_struck = has_struck || cell->tally[TALLY_ERROR] || cell->tally[TALLY_WRONG];
}

/* In a child of its own, which exits, so that a leak checker sees the end. */
static int run_cell(const struct plan *p, struct result *result)
{
	const uint32_t flags = p->op->flags;
	struct cell cell = {
		.op = p->op,
		.label = p->label,
		.device = flags & FAULT_OP_MEMOP ? "embed:dummy-0" : "embed:hisi_zip-0",
		.may_err = p->setting == ALONE || flags & (FAULT_OP_RAW | FAULT_OP_INFLATE),
		.may_be_wrong = p->fault->is_lying && !(flags & FAULT_OP_VERIFY),
		.is_lying = p->fault->is_lying,
	};
	int nr_fds, nr_threads, ret;
	bool has_struck;

	alarm(CELL_SECONDS);
	configure(p);
	nr_fds = count_entries("/proc/self/fd");
	nr_threads = count_entries("/proc/self/task");
	ret = wd_init();
	if (ret) {
		cell_complain(&cell, "no library", ret);
		return 1;
	}
	if (p->setting == ALONE && !(flags & FAULT_OP_MEMOP))
		cell.op->run(&cell);
	else
		run_beside(&cell);
	has_struck = check_counters(&cell, p->workers > 0);
	wd_fini();
	check_nothing_left(&cell, nr_fds, nr_threads);
	tell(&cell, has_struck, result);
	return cell.is_bad;
}

/* ------------------------------------------------------------- all cells */

struct running {
	pid_t pid;
	unsigned int plan;
};

/* Waits for one child.  Returns whether it ended well. */
static bool reap(struct running *running, unsigned int *nr)
{
	unsigned int i;
	int status;
	pid_t pid = wait(&status);
	const char *label;

	for (i = 0; i < *nr && running[i].pid != pid; i++)
		;
	if (pid < 0 || i == *nr)
		return false;
	label = plans[running[i].plan].label;
	running[i] = running[--*nr];
	if (status == 0)
		return true;
	if (WIFSIGNALED(status))
		fprintf(stderr, "%s: %s %d\n", label,
			WTERMSIG(status) == SIGALRM ? "hangs: signal" : "died of signal",
			WTERMSIG(status));
	else
		fprintf(stderr, "%s: exit status %d\n", label, WEXITSTATUS(status));
	return false;
}

static bool run_all(void)
{
	struct running running[NR_AT_ONCE];
	unsigned int i, nr = 0;
	bool is_good = true;

	for (i = 0; i < nr_plans; i++) {
		pid_t pid;

		if (nr == NR_AT_ONCE)
			is_good &= reap(running, &nr);
		pid = fork();
		if (pid == 0)
			exit(run_cell(&plans[i], &results[i]));
		if (pid < 0)
			return false;
		running[nr++] = (struct running){ pid, i };
	}
	while (nr > 0)
		is_good &= reap(running, &nr);
	return is_good;
}

/* A fault that shows must have shown somewhere in its row: else nothing was tested. */
static bool have_struck(void)
{
	bool is_good = true;

	for (size_t f = 0; f < NR_FAULTS; f++) {
		bool has_struck = false;
		unsigned int i, nr = 0;

		for (i = 0; i < nr_plans; i++) {
			if (plans[i].fault != &faults[f])
				continue;
			nr++;
			has_struck |= results[i].has_struck;
		}
		if (nr && faults[f].shows && !has_struck) {
			fprintf(stderr, "%s: did not strike in %u cells\n", faults[f].kind, nr);
			is_good = false;
		}
	}
	return is_good;
}

/* ------------------------------------------------------------- the table */

static void add_up(const struct fault *fault, const struct fault_op *op, struct result *sum)
{
	*sum = (struct result){ 0 };
	for (unsigned int i = 0; i < nr_plans; i++)
		for (unsigned int t = 0; t < NR_TALLIES; t++)
			if ((!fault || plans[i].fault == fault) && (!op || plans[i].op == op))
				sum->tally[t] += results[i].tally[t];
}

static void print_row(const struct fault *fault)
{
	struct result sum;

	printf("%-19s", fault ? fault->kind : "all");
	for (size_t k = 0; k <= nr_fault_ops; k++) {
		char text[64];

		add_up(fault, k < nr_fault_ops ? &fault_ops[k] : NULL, &sum);
		snprintf(text, sizeof(text), "%u/%u/%u/%u/%u", sum.tally[TALLY_RIGHT],
			 sum.tally[TALLY_RETRIED], sum.tally[TALLY_ERROR], sum.tally[TALLY_CAUGHT],
			 sum.tally[TALLY_WRONG]);
		printf("  %-14s", text);
	}
	printf("\n");
}

static void print_table(void)
{
	printf("memory %s, %u cells: right / after a retry / error / caught by verify / wrong\n",
	       memory, nr_plans);
	printf("%-19s", "");
	for (size_t k = 0; k < nr_fault_ops; k++)
		printf("  %-14s", fault_ops[k].name);
	printf("  all\n");
	for (size_t f = 0; f < NR_FAULTS; f++)
		print_row(&faults[f]);
	print_row(NULL);
}

int main(int argc, char **argv)
{
	const char *verbose = getenv("WD_TEST_VERBOSE");
	bool is_good;

	if (argc != 2) {
		fprintf(stderr, "usage: fault_matrix sva|share|bounce\n");
		return 1;
	}
	memory = argv[1];
	results = mmap(NULL, sizeof(*results) * CELLS_MAX, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (results == MAP_FAILED || samples_make())
		return 1;
	make_plans();
	is_good = run_all() && have_struck();
	if (verbose && strcmp(verbose, "0"))
		print_table();
	samples_free();
	munmap(results, sizeof(*results) * CELLS_MAX);
	return is_good ? 0 : 1;
}

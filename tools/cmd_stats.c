/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* wd stats: what devices and front ends did for processes that show their counters. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wd/stats.h>
#include "wd_tool.h"

static const char usage[] =
	"Usage: wd stats [-t] [PID]...\n"
	"Show what each device did for the processes PID, or for all of this user that\n"
	"show their counters: those with the setting stats, WD_STATS=on in their\n"
	"environment.\n\n"
	"  -t, --total    also the sum of each process's devices, and of all processes\n"
	"  -h, --help     this text\n\n"
	"Requests that were sent are received, abandoned or in flight. BOUNCED counts\n"
	"bytes, POPULATED pages. Where a library of WarpDrive stands in for another one, a\n"
	"second table tells what it sent through queues. 'man wd' tells of each.\n"
	"Exit status: 0 done, 1 error, or no such process.\n";

/* More than there were a moment ago, in case some have come. */
#define SPARE 16

/* More than a process of this release can have. */
#define FRONTS_MAX 16

enum cell {
	CELL_QUEUES,
	CELL_SENT,
	CELL_RECEIVED,
	CELL_IN_FLIGHT,
	CELL_ABANDONED,
	CELL_ERRORS,
	CELL_RETRIES,
	CELL_SPILLED,
	CELL_BOUNCED,
	CELL_POPULATED,
	CELL_TIMEOUTS,
	CELL_FAILURES,
	CELLS_NR,
};

/* What the columns of a table are called, the first being the rows' names. */
struct headings {
	const char *name;
	int nr;
	const char *cell[CELLS_NR];
};

static const struct headings device_headings = {
	"DEVICE",
	CELLS_NR,
	{
		[CELL_QUEUES] = "QUEUES",
		[CELL_SENT] = "SENT",
		[CELL_RECEIVED] = "RECEIVED",
		[CELL_IN_FLIGHT] = "IN-FLIGHT",
		[CELL_ABANDONED] = "ABANDONED",
		[CELL_ERRORS] = "ERRORS",
		[CELL_RETRIES] = "RETRIES",
		[CELL_SPILLED] = "SPILLED",
		[CELL_BOUNCED] = "BOUNCED",
		[CELL_POPULATED] = "POPULATED",
		[CELL_TIMEOUTS] = "TIMEOUTS",
		[CELL_FAILURES] = "FAILURES",
	},
};

static const struct headings front_headings = {
	"FRONT",
	WD_FRONT_COUNTERS_NR,
	{
		[WD_FRONT_STREAMS] = "STREAMS",
		[WD_FRONT_QUEUED] = "QUEUED",
		[WD_FRONT_MOVED] = "MOVED",
		[WD_FRONT_REPEATED] = "REPEATED",
		[WD_FRONT_QUEUED_BYTES] = "QUEUED-BYTES",
		[WD_FRONT_OTHER_BYTES] = "OTHER-BYTES",
	},
};

struct row {
	char name[WD_DEVICE_NAME_MAX];
	uint64_t cell[CELLS_NR];
};

_Static_assert(WD_FRONT_COUNTERS_NR <= (int)CELLS_NR && WD_FRONT_NAME_MAX <= WD_DEVICE_NAME_MAX,
	       "a row has room for both kinds");

/* ---------------------------------------------------------------- tables */

static struct row row_of(const struct wd_device_stats *stats)
{
	const struct wd_counters *c = &stats->counters;
	uint64_t back = c->received + c->abandoned;
	struct row row = {
		.cell = {
			[CELL_QUEUES] = stats->queues,
			[CELL_SENT] = c->sent,
			[CELL_RECEIVED] = c->received,
			[CELL_IN_FLIGHT] = c->sent > back ? c->sent - back : 0,
			[CELL_ABANDONED] = c->abandoned,
			[CELL_ERRORS] = c->errors,
			[CELL_RETRIES] = c->retries,
			[CELL_SPILLED] = c->spilled,
			[CELL_BOUNCED] = c->bounced_bytes,
			[CELL_POPULATED] = c->populated_pages,
			[CELL_TIMEOUTS] = c->timeouts,
			[CELL_FAILURES] = c->failures,
		},
	};

	snprintf(row.name, sizeof(row.name), "%s", stats->name);
	return row;
}

static struct row row_of_front(const struct wd_front_stats *stats)
{
	struct row row = { 0 };

	memcpy(row.cell, stats->counter, sizeof(stats->counter));
	snprintf(row.name, sizeof(row.name), "%s", stats->name);
	return row;
}

static void add_row(struct row *sum, const struct row *row)
{
	for (int i = 0; i < CELLS_NR; i++)
		sum->cell[i] += row->cell[i];
}

static int max_int(int a, int b)
{
	return a > b ? a : b;
}

/* Each column as wide as its widest. */
static void print_table(const struct headings *headings, const struct row *rows, int nr)
{
	int name_width = strlen(headings->name);
	int width[CELLS_NR];

	for (int i = 0; i < headings->nr; i++)
		width[i] = strlen(headings->cell[i]);
	for (int r = 0; r < nr; r++) {
		name_width = max_int(name_width, strlen(rows[r].name));
		for (int i = 0; i < headings->nr; i++)
			width[i] =
				max_int(width[i], snprintf(NULL, 0, "%" PRIu64, rows[r].cell[i]));
	}
	printf("%-*s", name_width, headings->name);
	for (int i = 0; i < headings->nr; i++)
		printf(" %*s", width[i], headings->cell[i]);
	putchar('\n');
	for (int r = 0; r < nr; r++) {
		printf("%-*s", name_width, rows[r].name);
		for (int i = 0; i < headings->nr; i++)
			printf(" %*" PRIu64, width[i], rows[r].cell[i]);
		putchar('\n');
	}
}

/* ---------------------------------------------------------------- processes */

/* What is shown so far. */
struct report {
	struct row sum; /* of all processes */
	int nr_processes;
	bool is_total;
};

/* The name of a process's program, which may hold anything. */
static void read_comm(int pid, char *ret_comm, size_t room)
{
	char path[64];
	FILE *file;
	size_t len = 0;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	file = fopen(path, "re");
	if (file) {
		len = fread(ret_comm, 1, room - 1, file);
		fclose(file);
	}
	while (len > 0 && ret_comm[len - 1] == '\n')
		len--;
	ret_comm[len] = '\0';
	for (char *p = ret_comm; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
}

/* The caller frees *ret_stats.  How many there are, or a negative errno. */
static int read_all(int pid, struct wd_device_stats **ret_stats)
{
	int nr = wd_stats_read(pid, NULL, 0);
	struct wd_device_stats *stats;
	int room;

	if (nr < 0)
		return nr;
	room = nr + SPARE;
	stats = calloc(room, sizeof(*stats));
	if (!stats)
		return -ENOMEM;
	for (int i = 0; i < room; i++)
		stats[i].size = sizeof(*stats);
	nr = wd_stats_read(pid, stats, room);
	if (nr < 0) {
		free(stats);
		return nr;
	}
	*ret_stats = stats;
	return nr < room ? nr : room;
}

static void print_process(struct report *report, int pid, const struct wd_device_stats *stats,
			  struct row *rows, int nr)
{
	struct row sum = { .name = "total" };
	char comm[64];

	for (int i = 0; i < nr; i++) {
		rows[i] = row_of(&stats[i]);
		add_row(&sum, &rows[i]);
	}
	read_comm(pid, comm, sizeof(comm));
	if (report->nr_processes++)
		putchar('\n');
	printf("PID %d %s\n", pid, comm);
	rows[nr] = sum;
	print_table(&device_headings, rows, report->is_total ? nr + 1 : nr);
	add_row(&report->sum, &sum);
}

/*
 * The second table, where there is one.  A process may have ended since its
 * devices were read: then there is nothing more to say of it.
 */
static void print_fronts(int pid)
{
	struct wd_front_stats stats[FRONTS_MAX];
	struct row rows[FRONTS_MAX];
	int nr;

	for (int i = 0; i < FRONTS_MAX; i++)
		stats[i].size = sizeof(stats[i]);
	nr = wd_stats_read_fronts(pid, stats, FRONTS_MAX);
	if (nr > FRONTS_MAX)
		nr = FRONTS_MAX;
	for (int i = 0; i < nr; i++)
		rows[i] = row_of_front(&stats[i]);
	if (nr > 0)
		print_table(&front_headings, rows, nr);
}

/* 0 or a negative errno. */
static int show_process(struct report *report, int pid)
{
	struct wd_device_stats *stats;
	struct row *rows;
	int nr = read_all(pid, &stats);

	if (nr < 0)
		return nr;
	rows = calloc(nr + 1, sizeof(*rows));
	if (rows) {
		print_process(report, pid, stats, rows, nr);
		print_fronts(pid);
	}
	free(rows);
	free(stats);
	return rows ? 0 : -ENOMEM;
}

static const char *why(int err)
{
	switch (err) {
	case -ESRCH:
		return "no such process, or it does not show its counters";
	case -EACCES:
		return "another user's process";
	case -EIO:
		return "what it shows makes no sense, or is of another version";
	default:
		return tool_library_error(err);
	}
}

static int compare(const void *a, const void *b)
{
	int left = *(const int *)a, right = *(const int *)b;

	return (left > right) - (left < right);
}

/* The caller frees *ret_pids, which are in order.  How many, or a negative errno. */
static int list_all(int **ret_pids)
{
	int nr = wd_stats_list(NULL, 0);
	int room, *pids;

	if (nr < 0)
		return nr;
	room = nr + SPARE;
	pids = calloc(room, sizeof(*pids));
	if (!pids)
		return -ENOMEM;
	nr = wd_stats_list(pids, room);
	if (nr < 0) {
		free(pids);
		return nr;
	}
	nr = nr < room ? nr : room;
	qsort(pids, nr, sizeof(*pids), compare);
	*ret_pids = pids;
	return nr;
}

static int show_all(struct report *report)
{
	int ret = TOOL_OK;
	int *pids;
	int nr = list_all(&pids);

	if (nr < 0) {
		tool_say(NULL, "cannot look for processes: %s", why(nr));
		return TOOL_ERROR;
	}
	for (int i = 0; i < nr; i++) {
		int err = show_process(report, pids[i]);
		char name[16];

		/* One that ended meanwhile is none. */
		if (!err || err == -ESRCH)
			continue;
		snprintf(name, sizeof(name), "%d", pids[i]);
		tool_say(name, "%s", why(err));
		ret = TOOL_ERROR;
	}
	free(pids);
	if (!report->nr_processes && ret == TOOL_OK) {
		tool_say(NULL, "no process shows its counters (WD_STATS=on makes it)");
		ret = TOOL_ERROR;
	}
	return ret;
}

/* A process's number: 0 where @text is none. */
static int parse_pid(const char *text)
{
	char *end;
	long pid;

	if (*text < '1' || *text > '9')
		return 0;
	errno = 0;
	pid = strtol(text, &end, 10);
	return errno || *end || pid > INT_MAX ? 0 : (int)pid;
}

static int show_named(struct report *report, int nr, char **names)
{
	int ret = TOOL_OK;

	for (int i = 0; i < nr; i++) {
		int err = show_process(report, parse_pid(names[i]));

		if (!err)
			continue;
		tool_say(names[i], "%s", why(err));
		ret = TOOL_ERROR;
	}
	return ret;
}

static int run(const struct tool_cmd *cmd, int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "total", no_argument, NULL, 't' },
		{ 0 },
	};
	struct report report = { .sum.name = "total" };
	int opt, ret;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":ht", options, NULL)) != -1) {
		switch (opt) {
		case 'h':
			fputs(usage, stdout);
			return tool_end_stdout();
		case 't':
			report.is_total = true;
			break;
		default:
			return tool_option_error(cmd, options, opt, argv);
		}
	}
	for (int i = optind; i < argc; i++)
		if (!parse_pid(argv[i]))
			return tool_usage_error(cmd, "'%s' is not a process's number", argv[i]);
	ret = optind < argc ? show_named(&report, argc - optind, argv + optind) : show_all(&report);
	if (report.is_total && report.nr_processes > 1) {
		printf("\nAll %d processes\n", report.nr_processes);
		print_table(&device_headings, &report.sum, 1);
	}
	return tool_worse(tool_end_stdout(), ret);
}

const struct tool_cmd cmd_stats = {
	.name = "stats",
	.summary = "show what devices did for running processes",
	.usage = usage,
	.run = run,
};

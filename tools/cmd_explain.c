/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * wd explain: which device would take a request, and why; and before that,
 * whether libwdz would make a request of what a program hands to zlib.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* secure_getenv(), as libwdz reads its settings */
#endif
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wd/sched.h>
#include "frontend/zlib/wdz_policy.h"
#include "wd_tool.h"

/* What deflateInit() asks for. */
#define ZLIB_LEVEL	 6
#define ZLIB_LEVEL_MAX	 9
#define ZLIB_WINDOW_BITS 15
#define ZLIB_MEM_LEVEL	 8

#define MODE_VARIABLE "WDZ"

static const char usage[] =
	"Usage: wd explain [-d] SIZE ALG\n"
	"       wd explain --zlib [-d] [-l LEVEL] SIZE\n"
	"Say which device would take a request of SIZE bytes (1K, 8M) for the\n"
	"algorithm ALG, and why. What that needs to know is measured.\n\n"
	"With --zlib, say first whether libwdz would make a request at all of SIZE bytes\n"
	"that a program hands to zlib in one call, or leave them to the system's zlib.\n\n"
	"  -d, --decompress    to decompress SIZE compressed bytes; else to compress\n"
	"  -h, --help          this text\n"
	"  -l, --level=LEVEL   of --zlib: 0 to 9, default 6\n"
	"  -z, --zlib          what libwdz would do, by the WDZ settings of the environment\n\n"
	"Exit status: 0 done, 1 error, 2 a WDZ setting makes no sense and does not count.\n";

/* What is asked. */
struct question {
	const char *alg;
	uint64_t bytes;
	uint32_t op;
	int level;
	bool is_zlib;
};

/* A number with K, M or G behind it.  Returns false when it is none. */
static bool read_size(const char *text, uint64_t *ret_bytes)
{
	static const char units[] = "KMG";
	unsigned long long n;
	const char *unit;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno)
		return false;
	unit = *end ? strchr(units, *end) : NULL;
	if (*end && (!unit || end[1]))
		return false;
	for (; unit && unit >= units; unit--) {
		if (n > SIZE_MAX / 1024)
			return false;
		n *= 1024;
	}
	*ret_bytes = n;
	return n <= SIZE_MAX;
}

static void print_candidate(const struct wd_candidate *c)
{
	printf("  %-20s", wd_device_name(c->device_id));
	if (c->flags & WD_CANDIDATE_F_COST)
		printf(" %9.1f us", (double)c->cost_ns / 1e3);
	else
		printf(" %12s", "-");
	printf("  %s%s%s%s\n", c->flags & WD_CANDIDATE_F_HERE ? "here" : "elsewhere",
	       c->flags & WD_CANDIDATE_F_NEAR ? ", near" : "",
	       c->flags & WD_CANDIDATE_F_BUSY ? ", busy" : "",
	       c->flags & WD_CANDIDATE_F_AWAY ? ", failed lately" : "");
}

static void print_reason(const struct wd_candidate *all, int nr, unsigned int chosen,
			 unsigned int taken)
{
	const char *name = wd_device_name(all[taken].device_id);

	if (nr == 1) {
		printf("%s takes it: no other device does this work\n", name);
		return;
	}
	if (chosen == taken) {
		printf("%s takes it: the nearest and most capable\n", name);
		return;
	}
	printf("%s takes it: %s comes first, but ", name, wd_device_name(all[chosen].device_id));
	if (all[chosen].flags & (WD_CANDIDATE_F_BUSY | WD_CANDIDATE_F_AWAY))
		printf("is not to be had now\n");
	else
		printf("costs more for a request of this size\n");
}

/* Negative errno where no device does such work. */
static int explain_devices(const char *alg, uint32_t op, uint64_t bytes)
{
	const struct wd_capa capa = { .alg = alg, .op = op };
	struct wd_candidate all[WD_SCHED_DEVICES_MAX];
	unsigned int chosen, taken;
	int i, nr = wd_sched_explain(NULL, &capa, bytes, all, WD_SCHED_DEVICES_MAX, &chosen,
				     &taken);

	if (nr < 0)
		return nr;
	printf("%s, %s, %" PRIu64 " bytes\n", alg, op == WD_OP_COMPRESS ? "compress" : "decompress",
	       bytes);
	for (i = 0; i < nr; i++)
		print_candidate(&all[i]);
	print_reason(all, nr, chosen, taken);
	return 0;
}

static int explain(const struct question *q)
{
	int err = explain_devices(q->alg, q->op, q->bytes);

	if (err) {
		tool_say(q->alg, "%s", tool_library_error(err));
		return TOOL_ERROR;
	}
	return tool_end_stdout();
}

static bool is_compress(const struct question *q)
{
	return q->op == WD_OP_COMPRESS;
}

/* By what a threshold stands: the setting that counts, or the library's own. */
static const char *threshold_origin(const struct question *q, const struct wdz_settings *s)
{
	if (s->mode == WDZ_MODE_ALWAYS)
		return MODE_VARIABLE "=always";
	if (is_compress(q))
		return s->deflate_min ? "WDZ_DEFLATE_MIN" : "default";
	return s->inflate_min ? "WDZ_INFLATE_MIN" : "default";
}

/*
 * Says who takes it, and by what.  False: the system's zlib.  Asked is what no
 * program could ask for better: all in one call, Z_FINISH, all the room.
 */
static bool explain_front(const struct question *q, const struct wdz_settings *s)
{
	size_t min = is_compress(q) ? wdz_deflate_min(s) : wdz_inflate_min(s);
	bool is_possible =
		is_compress(q) ? wdz_may_deflate(s, q->level, ZLIB_WINDOW_BITS, ZLIB_MEM_LEVEL, 0) :
				 wdz_may_inflate(s, SIZE_MAX, SIZE_MAX, true);

	if (s->mode == WDZ_MODE_OFF) {
		printf("the system's zlib takes it: " MODE_VARIABLE "=off\n");
		return false;
	}
	if (!is_possible) {
		printf("the system's zlib takes it: no queue does level %d\n", q->level);
		return false;
	}
	if (q->bytes < min) {
		printf("the system's zlib takes it: less than %zu bytes (%s)\n", min,
		       threshold_origin(q, s));
		return false;
	}
	printf("a queue takes it: %zu bytes or more (%s)%s\n", min, threshold_origin(q, s),
	       is_compress(q) ? "" : ", if all that comes out has room in that call");
	return true;
}

/* What becomes one request of a program that goes on. */
static uint64_t request_bytes(const struct question *q, const struct wdz_settings *s)
{
	uint64_t batch = wdz_gather_bytes(s, q->level);

	if (!is_compress(q))
		return q->bytes;
	printf("a stream gathers up to %" PRIu64 " bytes for a request (%s)\n", batch,
	       s->gather_bytes ? "WDZ_GATHER_KIB" : "default");
	return q->bytes < batch ? q->bytes : batch;
}

static int explain_zlib(const struct question *q)
{
	struct wdz_settings s;
	int err;

	wdz_settings_read(&s, secure_getenv);
	if (is_compress(q))
		printf("libwdz, compress, level %d, %" PRIu64 " bytes\n", q->level, q->bytes);
	else
		printf("libwdz, decompress, %" PRIu64 " bytes\n", q->bytes);
	if (explain_front(q, &s)) {
		/* The header and the sum of what is compressed are libwdz's own work. */
		err = explain_devices(is_compress(q) ? "deflate" : "zlib", q->op,
				      request_bytes(q, &s));
		if (err)
			printf("the system's zlib takes it after all: %s\n",
			       tool_library_error(err));
	}
	if (!s.ignored)
		return tool_end_stdout();
	err = tool_end_stdout();
	tool_say(s.ignored, "makes no sense, and does not count");
	return tool_worse(err, TOOL_WARNING);
}

/* What is behind the options. */
static int take_arguments(const struct tool_cmd *cmd, struct question *q, int nr, char **args)
{
	if (nr != (q->is_zlib ? 1 : 2))
		return tool_usage_error(cmd, q->is_zlib ? "a size is wanted" :
							  "a size and an algorithm are wanted");
	if (!read_size(args[0], &q->bytes))
		return tool_usage_error(cmd, "'%s' is not a size", args[0]);
	if (!q->is_zlib) {
		q->alg = args[1];
		if (q->level >= 0)
			return tool_usage_error(cmd, "-l goes with --zlib only");
		return TOOL_OK;
	}
	if (q->level >= 0 && !is_compress(q))
		return tool_usage_error(cmd, "-l does not go with -d");
	if (q->level < 0)
		q->level = ZLIB_LEVEL;
	return TOOL_OK;
}

static int run(const struct tool_cmd *cmd, int argc, char **argv)
{
	static const struct option options[] = {
		{ "decompress", no_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ "level", required_argument, NULL, 'l' },
		{ "zlib", no_argument, NULL, 'z' },
		{ 0 },
	};
	struct question q = { .op = WD_OP_COMPRESS, .level = -1 };
	int exit_code, opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":dhl:z", options, NULL)) != -1) {
		switch (opt) {
		case 'd':
			q.op = WD_OP_DECOMPRESS;
			break;
		case 'h':
			fputs(usage, stdout);
			return tool_end_stdout();
		case 'l':
			if (*optarg < '0' || *optarg > '0' + ZLIB_LEVEL_MAX || optarg[1])
				return tool_usage_error(cmd, "'%s' is not a level", optarg);
			q.level = *optarg - '0';
			break;
		case 'z':
			q.is_zlib = true;
			break;
		default:
			return tool_option_error(cmd, options, opt, argv);
		}
	}
	exit_code = take_arguments(cmd, &q, argc - optind, argv + optind);
	if (exit_code != TOOL_OK)
		return exit_code;
	return q.is_zlib ? explain_zlib(&q) : explain(&q);
}

const struct tool_cmd cmd_explain = {
	.name = "explain",
	.summary = "say which device would take a request, and why",
	.usage = usage,
	.run = run,
};

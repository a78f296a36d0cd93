/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* wd explain: which device would take a request, and why. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wd/sched.h>
#include "wd_tool.h"

static const char usage[] = "Usage: wd explain [-d] SIZE ALG\n"
			    "Say which device would take a request of SIZE bytes (1K, 8M) for the\n"
			    "algorithm ALG, and why. What that needs to know is measured.\n\n"
			    "  -d, --decompress   to decompress; else to compress\n"
			    "  -h, --help         this text\n\n"
			    "Exit status: 0 done, 1 error.\n";

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

static int explain(uint64_t bytes, const char *alg, uint32_t op)
{
	const struct wd_capa capa = { .alg = alg, .op = op };
	struct wd_candidate all[WD_SCHED_DEVICES_MAX];
	unsigned int chosen, taken;
	int i, nr = wd_sched_explain(NULL, &capa, bytes, all, WD_SCHED_DEVICES_MAX, &chosen,
				     &taken);

	if (nr < 0) {
		tool_say(alg, "%s", tool_library_error(nr));
		return TOOL_ERROR;
	}
	printf("%s, %s, %" PRIu64 " bytes\n", alg, op == WD_OP_COMPRESS ? "compress" : "decompress",
	       bytes);
	for (i = 0; i < nr; i++)
		print_candidate(&all[i]);
	print_reason(all, nr, chosen, taken);
	return tool_end_stdout();
}

static int run(const struct tool_cmd *cmd, int argc, char **argv)
{
	static const struct option options[] = {
		{ "decompress", no_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	uint32_t op = WD_OP_COMPRESS;
	uint64_t bytes;
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":dh", options, NULL)) != -1) {
		switch (opt) {
		case 'd':
			op = WD_OP_DECOMPRESS;
			break;
		case 'h':
			fputs(usage, stdout);
			return tool_end_stdout();
		default:
			return tool_option_error(cmd, options, opt, argv);
		}
	}
	if (argc - optind != 2)
		return tool_usage_error(cmd, "a size and an algorithm are wanted");
	if (!read_size(argv[optind], &bytes))
		return tool_usage_error(cmd, "'%s' is not a size", argv[optind]);
	return explain(bytes, argv[optind + 1], op);
}

const struct tool_cmd cmd_explain = {
	.name = "explain",
	.summary = "say which device would take a request, and why",
	.usage = usage,
	.run = run,
};

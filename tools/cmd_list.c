/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* wd list: one line per device. */
#include <getopt.h>
#include <stdlib.h>
#include "device_info.h"
#include "wd_tool.h"

static const char usage[] =
	"Usage: wd list [-q]\n"
	"List the devices that this process can use, one line each: name, backend,\n"
	"driver, NUMA node, free queues, flags, algorithms.\n\n"
	"  -q, --quiet    no heading\n"
	"  -h, --help     this text\n\n"
	"Flags: sva (takes any pointer as it is), levels (tells compression levels\n"
	"apart), isolated (out of use after errors).\n"
	"Exit status: 0 done, 1 error, 2 no device found.\n";

static void print_line(const struct wd_device_info *info)
{
	char node[16] = "-";

	if (info->numa_node >= 0)
		snprintf(node, sizeof(node), "%d", info->numa_node);
	printf("%-24s %-8s %-10s %4s %6d ", info->name, info->backend, info->driver, node,
	       info->free_queues);
	device_info_print_flags(stdout, info);
	putchar(' ');
	device_info_print_algs(stdout, info, ',');
	putchar('\n');
}

static int run(const struct tool_cmd *cmd, int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "quiet", no_argument, NULL, 'q' },
		{ 0 },
	};
	struct wd_device_info *infos;
	int quiet = 0;
	int nr, opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":hq", options, NULL)) != -1) {
		switch (opt) {
		case 'h':
			fputs(usage, stdout);
			return tool_end_stdout();
		case 'q':
			quiet = 1;
			break;
		default:
			return tool_option_error(cmd, options, opt, argv);
		}
	}
	if (optind < argc)
		return tool_usage_error(cmd, "unexpected argument '%s'", argv[optind]);

	nr = device_info_all(&infos);
	if (nr < 0) {
		tool_say(NULL, "cannot list devices: %s", tool_library_error(nr));
		return TOOL_ERROR;
	}
	if (nr > 0 && !quiet)
		printf("%-24s %-8s %-10s %4s %6s %s %s\n", "NAME", "BACKEND", "DRIVER", "NODE",
		       "QUEUES", "FLAGS", "ALGORITHMS");
	for (int i = 0; i < nr; i++)
		print_line(&infos[i]);
	free(infos);
	if (nr == 0 && !quiet)
		tool_say(NULL, "no device found");
	return tool_worse(tool_end_stdout(), nr ? TOOL_OK : TOOL_WARNING);
}

const struct tool_cmd cmd_list = {
	.name = "list",
	.summary = "list the devices",
	.usage = usage,
	.run = run,
};

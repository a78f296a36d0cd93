/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* wd show: all that is known of one device. */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "device_info.h"
#include "wd_tool.h"

static const char usage[] =
	"Usage: wd show DEVICE\n"
	"Show all that is known of a device, named as in 'wd list'.\n\n"
	"  -h, --help     this text\n\n"
	"Throughput and latency are classes from 1 to 99; 10 is average. Counters are\n"
	"of this process.\n"
	"Exit status: 0 done, 1 error.\n";

static void print_all(const struct wd_device_info *info)
{
	printf("name         %s\n", info->name);
	printf("id           %" PRIu32 "\n", info->id);
	printf("backend      %s\n", info->backend);
	printf("driver       %s\n", info->driver);
	printf("api          %s\n", info->api);
	printf("algorithms   ");
	device_info_print_algs(stdout, info, ' ');
	printf("\nflags        ");
	device_info_print_flags(stdout, info);
	if (info->numa_node >= 0)
		printf("\nNUMA node    %" PRId32 "\n", info->numa_node);
	else
		printf("\nNUMA node    unknown\n");
	printf("free queues  %" PRId32 "\n", info->free_queues);
	printf("isolated     %s\n", info->isolated ? "yes" : "no");
	printf("throughput   %" PRIu32 "\n", info->throughput);
	printf("latency      %" PRIu32 "\n", info->latency);
	printf("requests     %" PRIu64 "\n", info->requests);
	printf("errors       %" PRIu64 "\n", info->errors);
}

static int show(const char *name)
{
	struct wd_device_info *infos;
	int nr = device_info_all(&infos);
	int i;

	if (nr < 0) {
		tool_say(NULL, "cannot list devices: %s", tool_library_error(nr));
		return TOOL_ERROR;
	}
	for (i = 0; i < nr && strcmp(infos[i].name, name) != 0; i++)
		;
	if (i < nr)
		print_all(&infos[i]);
	else
		tool_say(name, "no such device; 'wd list' names them");
	free(infos);
	return i < nr ? tool_end_stdout() : TOOL_ERROR;
}

static int run(const struct tool_cmd *cmd, int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		if (opt != 'h')
			return tool_option_error(cmd, options, opt, argv);
		fputs(usage, stdout);
		return tool_end_stdout();
	}
	if (argc - optind != 1)
		return tool_usage_error(cmd, "%s",
					argc == optind ? "which device?" : "one device at a time");
	return show(argv[optind]);
}

const struct tool_cmd cmd_show = {
	.name = "show",
	.summary = "show all about one device",
	.usage = usage,
	.run = run,
};

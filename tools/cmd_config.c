/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* wd config: what each setting is, and where that was said. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <wd/config.h>
#include <wd/wd.h>
#include "wd_tool.h"

/* A longer value pushes its origin aside, instead of those of all the others. */
#define VALUE_COLUMN_MAX 32

/* Here and not asked of the library, which tells nothing while one of them is wrong. */
static const char usage[] =
	"Usage: wd config [SETTING]\n"
	"List the settings of the library, one line each: name, value ('-' if empty) and\n"
	"where it comes from; or show the value of one setting alone.\n\n"
	"  -h, --help     this text\n\n"
	"Where a setting can come from, later ones override: default;\n"
	"/etc/warpdrive.conf; the file that WD_CONFIG names; the environment, as WD_ and\n"
	"the name in capitals. Files have lines NAME = VALUE, and comments after a #.\n\n"
	"  device         the only device to use, named as in 'wd list'\n"
	"  embed          chip models that run in the process: MODEL[:KEY=VALUE]...,\n"
	"                 separated by commas, or none; keys: memory (sva, share, bounce),\n"
	"                 queues, depth, delay, delay_per_kib, node, near, fault\n"
	"  embed_workers  threads that run them, 0 to 64\n"
	"  embed_spin_us  how long an idle one looks for work, to 1000000, or forever\n"
	"  embed_depth    entries of their queues, 2 to 4096; 0: the model's own number\n"
	"  bounce_mib     MiB that a queue may take to copy what its device cannot\n"
	"                 reach, 1 to 65536\n"
	"  small_bytes    requests of up to so many bytes stay in the process, or auto\n"
	"  hang_ms        how long a queue may leave all requests unanswered, to 3600000;\n"
	"                 0: half of the wait\n"
	"  stats          on: other processes may read the counters; or off\n\n"
	"Exit status: 0 done, 1 a setting is wrong or there is no such one.\n";

static int tell_error(const char *subject, int err)
{
	char text[512];

	if (wd_config_error(text, sizeof(text)) == -EINVAL)
		tool_say(NULL, "%s", text);
	else
		tool_say(subject, "%s", wd_error_text(err));
	return TOOL_ERROR;
}

/* 0, -ENOENT behind the last one, or why the settings cannot be read. */
static int get_setting(const char *name, unsigned int index, struct wd_setting *ret_setting)
{
	ret_setting->size = sizeof(*ret_setting);
	return wd_config_get(name, index, ret_setting);
}

static const char *shown(const struct wd_setting *setting)
{
	return *setting->value ? setting->value : "-";
}

/* Columns as wide as the widest entry. */
static int measure(int *ret_name, int *ret_value)
{
	struct wd_setting s;
	unsigned int i;
	int err;

	*ret_name = *ret_value = 0;
	for (i = 0; (err = get_setting(NULL, i, &s)) == 0; i++) {
		int name = (int)strlen(s.name);
		int value = (int)strlen(shown(&s));

		if (name > *ret_name)
			*ret_name = name;
		if (value > *ret_value && value <= VALUE_COLUMN_MAX)
			*ret_value = value;
	}
	return err == -ENOENT ? 0 : err;
}

static int list(void)
{
	struct wd_setting s;
	int name, value;
	unsigned int i;
	int err = measure(&name, &value);

	if (err)
		return tell_error(NULL, err);
	for (i = 0; (err = get_setting(NULL, i, &s)) == 0; i++)
		printf("%-*s  %-*s  %s\n", name, s.name, value, shown(&s), s.origin);
	if (err != -ENOENT)
		return tell_error(NULL, err);
	return tool_end_stdout();
}

static int show(const char *name)
{
	struct wd_setting s;
	int err = get_setting(name, 0, &s);

	if (err == -ENOENT) {
		tool_say(name, "no such setting; 'wd config' names them");
		return TOOL_ERROR;
	}
	if (err)
		return tell_error(name, err);
	puts(s.value);
	return tool_end_stdout();
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
	if (argc - optind > 1)
		return tool_usage_error(cmd, "one setting at a time");
	return optind < argc ? show(argv[optind]) : list();
}

const struct tool_cmd cmd_config = {
	.name = "config",
	.summary = "show the settings, and where they come from",
	.usage = usage,
	.run = run,
};

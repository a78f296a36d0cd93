/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* The messages of wd: everything that goes to standard error in its name. */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <wd/wd.h>
#include "wd_tool.h"

/*
 * The library says more than its return value has room for (which setting makes
 * no sense), and says it only to a callback, before the call returns.
 */
static char library_said[256];

void tool_say(const char *subject, const char *format, ...)
{
	va_list args;

	fputs("wd: ", stderr);
	if (subject)
		fprintf(stderr, "%s: ", subject);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

int tool_usage_error(const struct tool_cmd *cmd, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "wd %s: ", cmd->name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\nTry 'wd help %s' for more information.\n", cmd->name);
	return TOOL_ERROR;
}

static bool is_known(const struct option *options, int val)
{
	for (; options->name; options++)
		if (options->val == val)
			return true;
	return false;
}

int tool_option_error(const struct tool_cmd *cmd, const struct option *options, int opt,
		      char *const *argv)
{
	const char *word = argv[optind - 1];
	int len = strcspn(word, "=");

	/* A long option leaves its value in optopt, or 0 where it is unknown. */
	if (opt == ':' && word[1] == '-')
		return tool_usage_error(cmd, "'%.*s' needs an argument", len, word);
	if (opt == ':')
		return tool_usage_error(cmd, "'-%c' needs an argument", optopt);
	if (optopt == 0)
		return tool_usage_error(cmd, "'%.*s' is not an option, or not only one", len, word);
	if (is_known(options, optopt))
		return tool_usage_error(cmd, "'%.*s' takes no argument", len, word);
	return tool_usage_error(cmd, "'-%c' is not an option", optopt);
}

static void keep_line(void *arg, enum wd_log_level level, const char *text)
{
	(void)level;
	snprintf(arg, sizeof(library_said), "%s", text);
}

void tool_watch_library(void)
{
	wd_set_log(keep_line, library_said, WD_LOG_ERROR);
}

const char *tool_library_error(int err)
{
	return *library_said ? library_said : wd_error_text(err);
}

int tool_worse(int a, int b)
{
	if (a == TOOL_ERROR || b == TOOL_ERROR)
		return TOOL_ERROR;
	return a == TOOL_WARNING || b == TOOL_WARNING ? TOOL_WARNING : TOOL_OK;
}

int tool_end_stdout(void)
{
	int failed;

	errno = 0;
	failed = ferror(stdout) || fflush(stdout);
	if (!failed)
		return TOOL_OK;
	tool_say("standard output", "%s", errno ? strerror(errno) : "write error");
	return TOOL_ERROR;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* wd: chooses a command and hands it the rest of the command line. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <wd/wd.h>
#include "wd_tool.h"

static const struct tool_cmd *const commands[] = {
	&cmd_list,     &cmd_show,	&cmd_explain, &cmd_stats,
	&cmd_compress, &cmd_decompress, &cmd_run,     &cmd_config,
};

#define COMMANDS_NR (sizeof(commands) / sizeof(commands[0]))

static const struct tool_cmd *find_command(const char *name)
{
	for (size_t i = 0; i < COMMANDS_NR; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

static void print_help(FILE *to)
{
	fputs("Usage: wd COMMAND [OPTION]... [ARGUMENT]...\n"
	      "Work for accelerators through queues of this process.\n\n",
	      to);
	for (size_t i = 0; i < COMMANDS_NR; i++)
		fprintf(to, "  %-12s %s\n", commands[i]->name, commands[i]->summary);
	fputs("  help         this text, or that of a command: wd help COMMAND\n\n"
	      "  --help, --version\n\n"
	      "Exit status: 0 done, 1 error, 2 warning.\n",
	      to);
}

static int print_version(int argc)
{
	if (argc > 0) {
		tool_say(NULL, "--version takes no argument");
		return TOOL_ERROR;
	}
	printf("wd %d.%d.%d (libwd %s)\n", WD_VERSION_MAJOR, WD_VERSION_MINOR, WD_VERSION_PATCH,
	       wd_version());
	return tool_end_stdout();
}

static int unknown_command(const char *name)
{
	tool_say(NULL, "'%s' is not a command", name);
	fputs("Try 'wd help'.\n", stderr);
	return TOOL_ERROR;
}

static int help(int argc, char **argv)
{
	const struct tool_cmd *cmd;

	if (argc > 1) {
		tool_say(NULL, "help takes one command");
		return TOOL_ERROR;
	}
	if (argc == 0 || strcmp(argv[0], "help") == 0) {
		print_help(stdout);
		return tool_end_stdout();
	}
	cmd = find_command(argv[0]);
	if (!cmd)
		return unknown_command(argv[0]);
	fputs(cmd->usage, stdout);
	return tool_end_stdout();
}

/*
 * A file opened while one of the standard descriptors is closed would get its
 * number, and a message would end up in it.  What stands in for such a
 * descriptor refuses the direction that it is for, as a closed one does; a
 * program that is run in the place of this one finds it closed again.
 */
static int fill_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
			continue;
		if (open("/dev/null", (fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) | O_CLOEXEC) != fd)
			return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	const struct tool_cmd *cmd;

	if (fill_standard_descriptors() < 0) {
		tool_say("/dev/null", "%s", strerror(errno));
		return TOOL_ERROR;
	}
	tool_watch_library();
	if (argc < 2) {
		print_help(stderr);
		return TOOL_ERROR;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
		return print_version(argc - 2);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0)
		return help(argc - 2, argv + 2);
	cmd = find_command(argv[1]);
	if (!cmd)
		return unknown_command(argv[1]);
	return cmd->run(cmd, argc - 1, argv + 1);
}

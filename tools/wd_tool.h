/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * What the commands of wd share: exit codes, the one way to write a message,
 * and the entry of each command.
 */
#ifndef WD_TOOL_H
#define WD_TOOL_H

/* As gzip's, so that scripts can take one for the other. */
enum tool_exit {
	TOOL_OK = 0,
	TOOL_ERROR = 1,	  /* something was not done, or the command line is wrong */
	TOOL_WARNING = 2, /* something was left alone, or done with a remark */
};

struct tool_cmd {
	const char *name;
	const char *summary;
	const char *usage; /* whole text of "wd help NAME" */
	int (*run)(const struct tool_cmd *cmd, int argc, char **argv);
};

extern const struct tool_cmd cmd_list;
extern const struct tool_cmd cmd_show;
extern const struct tool_cmd cmd_explain;
extern const struct tool_cmd cmd_stats;
extern const struct tool_cmd cmd_compress;
extern const struct tool_cmd cmd_decompress;
extern const struct tool_cmd cmd_run;
extern const struct tool_cmd cmd_config;

/* Writes "wd: SUBJECT: text" to standard error; a NULL subject is left out. */
void tool_say(const char *subject, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A wrong command line: the message, where help is, and TOOL_ERROR. */
int tool_usage_error(const struct tool_cmd *cmd, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Says what getopt_long() refused: @opt is what it returned, '?' or ':', and the
 * rest what it was given.  Every short option has a long one in @options.
 */
struct option;
int tool_option_error(const struct tool_cmd *cmd, const struct option *options, int opt,
		      char *const *argv);

/* From here on errors that the library tells of are kept for tool_library_error(). */
void tool_watch_library(void);

/* Why a call of the library failed: what it told last, or what @err means. */
const char *tool_library_error(int err);

/* The worse of two exit codes: an error outweighs a warning. */
int tool_worse(int a, int b);

/* Ends standard output: TOOL_OK, or TOOL_ERROR and a message if it was not all written. */
int tool_end_stdout(void);

#endif

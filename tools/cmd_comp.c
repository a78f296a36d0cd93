/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* wd compress and wd decompress: the command line, and file after file. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "comp_file.h"
#include "comp_name.h"
#include "temp_file.h"
#include "wd_tool.h"

/* Long options without a letter. */
enum {
	OPT_FASTEST = 256,
	OPT_SMALLEST,
	OPT_SYNCHRONOUS,
};

#define LEVEL_DEFAULT 6 /* gzip's */

static const char compress_usage[] =
	"Usage: wd compress [OPTION]... [FILE]...\n"
	"Compress each FILE to FILE.gz, in gzip's format, and remove it.\n\n"
	"  -1 to -9            faster to smaller, default -6; --fast and --best are -1 and -9\n"
	"      --fastest       faster than -1\n"
	"      --smallest      smaller than -9, much slower\n"
	"  -c, --stdout        write to standard output, keep the input\n"
	"  -d, --decompress    be wd decompress\n"
	"  -D, --device=NAME   use this device, one of 'wd list'\n"
	"  -f, --force         overwrite, follow links, use the terminal\n"
	"  -h, --help          this text\n"
	"  -k, --keep          keep the input\n"
	"  -l, --list          list sizes, ratio and name; -v adds checksum and time\n"
	"  -n, --no-name       do not store the name and the time\n"
	"  -N, --name          store them (default)\n"
	"  -o, --output=FILE   write to FILE (- is standard output), keep the input\n"
	"  -q, --quiet         no warnings, no progress\n"
	"  -S, --suffix=SUF    use suffix SUF in place of .gz\n"
	"      --synchronous   force the output to the disk before the input goes\n"
	"  -t, --test          test compressed files, write nothing\n"
	"  -v, --verbose       tell ratio, device, level, requests, speed\n\n"
	"Without FILE, or with -, standard input goes to standard output.\n"
	"Exit status: 0 done, 1 error, 2 warning (something was left alone or ignored).\n";

static const char decompress_usage[] =
	"Usage: wd decompress [OPTION]... [FILE]...\n"
	"Decompress each FILE.gz to FILE and remove it. Takes all that gzip has made.\n\n"
	"  -c, --stdout        write to standard output, keep the input\n"
	"  -D, --device=NAME   use this device, one of 'wd list'\n"
	"  -f, --force         overwrite, follow links, use the terminal\n"
	"  -h, --help          this text\n"
	"  -k, --keep          keep the input\n"
	"  -l, --list          list sizes, ratio and name; -v adds checksum and time\n"
	"  -n, --no-name       do not restore the stored name and time (default)\n"
	"  -N, --name          restore them\n"
	"  -o, --output=FILE   write to FILE (- is standard output), keep the input\n"
	"  -q, --quiet         no warnings, no progress\n"
	"  -S, --suffix=SUF    know suffix SUF beside .gz and the like\n"
	"      --synchronous   force the output to the disk before the input goes\n"
	"  -t, --test          test compressed files, write nothing\n"
	"  -v, --verbose       tell ratio, device, requests, speed\n\n"
	"Without FILE, or with -, standard input goes to standard output.\n"
	"Exit status: 0 done, 1 error, 2 warning (something was left alone or ignored).\n";

static const struct option options[] = {
	{ "best", no_argument, NULL, '9' },
	{ "decompress", no_argument, NULL, 'd' },
	{ "device", required_argument, NULL, 'D' },
	{ "fast", no_argument, NULL, '1' },
	{ "fastest", no_argument, NULL, OPT_FASTEST },
	{ "force", no_argument, NULL, 'f' },
	{ "help", no_argument, NULL, 'h' },
	{ "keep", no_argument, NULL, 'k' },
	{ "list", no_argument, NULL, 'l' },
	{ "name", no_argument, NULL, 'N' },
	{ "no-name", no_argument, NULL, 'n' },
	{ "output", required_argument, NULL, 'o' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "silent", no_argument, NULL, 'q' },
	{ "smallest", no_argument, NULL, OPT_SMALLEST },
	{ "stdout", no_argument, NULL, 'c' },
	{ "suffix", required_argument, NULL, 'S' },
	{ "synchronous", no_argument, NULL, OPT_SYNCHRONOUS },
	{ "test", no_argument, NULL, 't' },
	{ "to-stdout", no_argument, NULL, 'c' },
	{ "uncompress", no_argument, NULL, 'd' },
	{ "verbose", no_argument, NULL, 'v' },
	{ 0 },
};

/* Takes one option; false when it is none. */
static bool take_option(struct comp_opts *opts, int opt, int *name_choice)
{
	switch (opt) {
	case '1' ... '9':
		opts->level = opt - '0';
		break;
	case OPT_FASTEST:
		opts->level = WD_COMP_LEVEL_FASTEST;
		break;
	case OPT_SMALLEST:
		opts->level = WD_COMP_LEVEL_SMALLEST;
		break;
	case OPT_SYNCHRONOUS:
		opts->is_synced = true;
		break;
	case 'c':
		opts->is_to_stdout = true;
		break;
	case 'd':
		opts->is_decompress = true;
		break;
	case 'D':
		opts->device = optarg;
		break;
	case 'f':
		opts->is_forced = true;
		break;
	case 'k':
		opts->is_kept = true;
		break;
	case 'l':
		opts->is_list = true;
		break;
	case 'n':
	case 'N':
		*name_choice = opt;
		break;
	case 'o':
		opts->output = optarg;
		break;
	case 'q':
		opts->is_quiet = true;
		opts->is_verbose = false;
		break;
	case 'S':
		opts->suffix = optarg;
		break;
	case 't':
		opts->is_test = true;
		break;
	case 'v':
		opts->is_verbose = true;
		opts->is_quiet = false;
		break;
	default:
		return false;
	}
	return true;
}

/* What single options cannot tell about themselves. */
static int check_options(const struct tool_cmd *cmd, const struct comp_opts *opts, int files_nr)
{
	if (!*opts->suffix || strchr(opts->suffix, '/') ||
	    strlen(opts->suffix) > COMP_NAME_SUFFIX_MAX)
		return tool_usage_error(cmd, "invalid suffix '%s'", opts->suffix);
	if (!opts->output)
		return TOOL_OK;
	if (!*opts->output)
		return tool_usage_error(cmd, "-o needs the name of a file");
	if (opts->is_to_stdout || opts->is_list || opts->is_test)
		return tool_usage_error(cmd, "-o does not go with -c, -l or -t");
	if (files_nr > 1)
		return tool_usage_error(cmd, "-o takes one input");
	return TOOL_OK;
}

static int run_files(const struct comp_opts *opts, char *const *names, int nr)
{
	static const int exit_of[] = {
		[COMP_END_DONE] = TOOL_OK,	   [COMP_END_REMARK] = TOOL_WARNING,
		[COMP_END_SKIPPED] = TOOL_WARNING, [COMP_END_FAILED] = TOOL_ERROR,
		[COMP_END_PACKED] = TOOL_OK,	   [COMP_END_FATAL] = TOOL_ERROR,
	};
	struct comp_table table = { 0 };
	enum comp_end end = COMP_END_DONE;
	struct comp_job *job;
	int exit_code = TOOL_OK;
	int err = comp_job_open(opts, &job);

	if (err) {
		tool_say(NULL, "%s", strerror(-err));
		return TOOL_ERROR;
	}
	for (int i = 0; i < nr && end != COMP_END_FATAL; i++) {
		end = comp_file_run(opts, job, names[i], &table);
		exit_code = tool_worse(exit_code, exit_of[end]);
	}
	if (opts->is_list)
		comp_table_end(&table, opts);
	comp_job_close(job);
	return exit_code;
}

/* Some file systems tell only now that not all was written. */
static int end_stdout(void)
{
	int exit_code = tool_end_stdout();

	if (close(STDOUT_FILENO) < 0 && errno != EBADF) {
		tool_say("standard output", "%s", strerror(errno));
		return TOOL_ERROR;
	}
	return exit_code;
}

static int run(const struct tool_cmd *cmd, int argc, char **argv)
{
	char stdin_name[] = "-";
	char *only_stdin[] = { stdin_name };
	struct comp_opts opts = {
		.is_decompress = cmd == &cmd_decompress,
		.level = LEVEL_DEFAULT,
		.suffix = ".gz",
	};
	int name_choice = 0;
	int exit_code, opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":123456789cdD:fhklnNo:qS:tv", options, NULL)) !=
	       -1) {
		if (opt == 'h') {
			fputs(cmd->usage, stdout);
			return tool_end_stdout();
		}
		if (!take_option(&opts, opt, &name_choice))
			return tool_option_error(cmd, options, opt, argv);
	}
	if (opts.output && strcmp(opts.output, "-") == 0) {
		opts.output = NULL;
		opts.is_to_stdout = true;
	}
	exit_code = check_options(cmd, &opts, argc - optind);
	if (exit_code != TOOL_OK)
		return exit_code;
	opts.is_decompress = opts.is_decompress || opts.is_list || opts.is_test;
	/* As gzip: stored unless refused, restored only if asked for. */
	opts.has_name = name_choice ? name_choice == 'N' : !opts.is_decompress;

	temp_file_catch_signals();
	if (optind < argc)
		exit_code = run_files(&opts, argv + optind, argc - optind);
	else
		exit_code = run_files(&opts, only_stdin, 1);
	return tool_worse(exit_code, end_stdout());
}

const struct tool_cmd cmd_compress = {
	.name = "compress",
	.summary = "compress files to gzip's format",
	.usage = compress_usage,
	.run = run,
};

const struct tool_cmd cmd_decompress = {
	.name = "decompress",
	.summary = "decompress files that gzip can read",
	.usage = decompress_usage,
	.run = run,
};

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* What the command line of wd compress and wd decompress asks for. */
#ifndef COMP_OPTS_H
#define COMP_OPTS_H

#include <stdbool.h>

struct comp_opts {
	bool is_decompress;
	bool is_to_stdout;  /* -c */
	bool is_forced;	    /* -f */
	bool is_kept;	    /* -k */
	bool is_list;	    /* -l, implies decompress */
	bool is_test;	    /* -t, implies decompress */
	bool is_quiet;	    /* -q */
	bool is_verbose;    /* -v */
	bool is_synced;	    /* --synchronous */
	bool has_name;	    /* -N, -n: store or restore name and time */
	int level;	    /* of wd/comp.h */
	const char *output; /* -o, or NULL */
	const char *suffix; /* -S */
	const char *device; /* -D, or NULL for any */
};

/* Whether each input file gives way to an output file next to it. */
static inline bool comp_opts_is_in_place(const struct comp_opts *opts)
{
	return !opts->is_to_stdout && !opts->is_list && !opts->is_test && !opts->output;
}

#endif

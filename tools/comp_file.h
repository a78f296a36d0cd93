/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * One FILE of the command line from its name to the finished output: what is
 * left alone and why, where the output goes, what it keeps of its input, and
 * when the input goes away.
 */
#ifndef COMP_FILE_H
#define COMP_FILE_H

#include "comp_job.h"
#include "comp_report.h"

/*
 * Does @name, "-" for standard input.  Everything that is to be said about it
 * has been said on return.
 */
enum comp_end comp_file_run(const struct comp_opts *opts, struct comp_job *job, const char *name,
			    struct comp_table *table);

#endif

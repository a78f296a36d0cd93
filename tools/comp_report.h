/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* What wd compress and wd decompress tell about a file that went well: -v, -t -v, -l. */
#ifndef COMP_REPORT_H
#define COMP_REPORT_H

#include <stdbool.h>
#include <time.h>
#include "comp_job.h"

/* -v: ratio as gzip tells it, and who did the work. @target is NULL for standard output. */
void comp_report_done(const struct comp_opts *opts, const char *name, const char *target,
		      bool is_replaced, const struct comp_tally *tally);

/* The table of -l while it is being printed; zeroed to begin. */
struct comp_table {
	unsigned int rows;
	uint64_t compressed;
	uint64_t uncompressed;
};

/* One row; @when is 0 when no time is known. */
void comp_table_row(struct comp_table *table, const struct comp_opts *opts, const char *name,
		    time_t when, const struct comp_tally *tally);

/* The totals of several rows. */
void comp_table_end(const struct comp_table *table, const struct comp_opts *opts);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* What bench_zlib found: a line for each case, and all of them against what is wished for. */
#ifndef BENCH_ZLIB_REPORT_H
#define BENCH_ZLIB_REPORT_H

#include <stddef.h>

#include "zlib_worker.h"

#define ZLIB_LEVELS_MAX 10
#define ZLIB_NAME_MAX	64

struct zlib_finding {
	char name[ZLIB_NAME_MAX]; /* of the input */
	enum zlib_way way;
	int is_inflate;
	int level; /* of deflate */
	size_t buffer_bytes;
	double system_mbps; /* medians */
	double ours_mbps;
	double speed; /* times zlib's: median of pairs, and their spread */
	double speed_min;
	double speed_max;
	double size;	     /* of what was compressed, times zlib's; 0 for inflate */
	double system_share; /* of the input that zlib's output is; 0 for inflate */
};

struct zlib_findings {
	struct zlib_finding *all;
	size_t nr, room;
};

const char *zlib_way_name(enum zlib_way way);

void zlib_report_heading(void);
void zlib_report_line(const struct zlib_finding *f);

/* Keeps a copy.  0, or -1. */
int zlib_findings_add(struct zlib_findings *findings, const struct zlib_finding *f);

/* File by file, then each target with the worst file. */
void zlib_report_summary(const struct zlib_findings *findings);

void zlib_findings_fini(struct zlib_findings *findings);

#endif

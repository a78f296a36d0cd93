/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* What wd compress and wd decompress tell about a file that went well. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "comp_report.h"

#define NS_PER_SEC 1e9

/* Saved part of the uncompressed bytes, in per cent; gzip leaves the frame out of it. */
static double saved_percent(uint64_t uncompressed, uint64_t compressed, uint32_t frame)
{
	if (uncompressed == 0)
		return 0;
	return 100.0 * ((double)uncompressed - ((double)compressed - frame)) / uncompressed;
}

static void print_served(const struct comp_opts *opts, const struct comp_tally *tally)
{
	const char *device = wd_device_name(tally->device_id);
	uint64_t plain = opts->is_decompress ? tally->produced : tally->consumed;
	double seconds = tally->elapsed_ns / NS_PER_SEC;

	fprintf(stderr, "\tserved by %s (backend %.*s)", device, (int)strcspn(device, ":"), device);
	if (!opts->is_decompress)
		fprintf(stderr, ", level %" PRIu32, tally->level);
	fprintf(stderr, ", %" PRIu64 " request%s", tally->requests,
		tally->requests == 1 ? "" : "s");
	if (tally->retries)
		fprintf(stderr, ", %" PRIu64 " retries", tally->retries);
	fprintf(stderr, ", %.1f MB/s, %" PRIu64 " bytes bounced\n",
		seconds > 0 ? plain / 1e6 / seconds : 0, tally->bounced_bytes);
}

void comp_report_done(const struct comp_opts *opts, const char *name, const char *target,
		      bool is_replaced, const struct comp_tally *tally)
{
	uint64_t plain = opts->is_decompress ? tally->produced : tally->consumed;
	uint64_t packed = opts->is_decompress ? tally->consumed : tally->produced;

	fprintf(stderr, "%s:\t", name);
	if (opts->is_test)
		fprintf(stderr, " OK\n");
	else
		fprintf(stderr, "%5.1f%% -- %s %s\n",
			saved_percent(plain, packed, tally->header_bytes),
			is_replaced ? "replaced with" : "created", target ? target : "stdout");
	if (tally->requests)
		print_served(opts, tally);
}

static void print_when(time_t when)
{
	struct tm tm;
	char text[32];

	/* The month's name is English in the C locale, which the tool runs in. */
	if (when && localtime_r(&when, &tm) && strftime(text, sizeof(text), "%b %e %H:%M", &tm))
		printf("%s ", text);
	else
		printf("??? ?? ??:?? ");
}

static void print_sizes(uint64_t compressed, uint64_t uncompressed, uint32_t frame,
			const char *name)
{
	printf("%19" PRIu64 " %19" PRIu64 " %5.1f%% %s\n", compressed, uncompressed,
	       saved_percent(uncompressed, compressed, frame), name);
}

void comp_table_row(struct comp_table *table, const struct comp_opts *opts, const char *name,
		    time_t when, const struct comp_tally *tally)
{
	if (table->rows++ == 0 && !opts->is_quiet)
		printf("%s         compressed        uncompressed  ratio uncompressed_name\n",
		       opts->is_verbose ? "method  crc     date  time  " : "");
	if (opts->is_verbose) {
		printf("defla %08" PRIx32 " ", tally->crc);
		print_when(when);
	}
	print_sizes(tally->consumed, tally->produced, tally->header_bytes, name);
	table->compressed += tally->consumed;
	table->uncompressed += tally->produced;
}

void comp_table_end(const struct comp_table *table, const struct comp_opts *opts)
{
	if (table->rows < 2 || opts->is_quiet)
		return;
	if (opts->is_verbose)
		printf("%28s", "");
	print_sizes(table->compressed, table->uncompressed, 0, "(totals)");
}

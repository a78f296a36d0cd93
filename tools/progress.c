/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* The progress line on the terminal. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "progress.h"

#define NS_PER_SEC   1000000000ull
#define FIRST_NS     NS_PER_SEC	      /* shorter work shows nothing */
#define INTERVAL_NS  (NS_PER_SEC / 5) /* often enough to look alive */
#define LINE_COLUMNS 79		      /* one line on the narrowest usual terminal */

uint64_t progress_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_SEC + now.tv_nsec;
}

void progress_start(struct progress *progress, const char *name, uint64_t total, bool is_wanted)
{
	memset(progress, 0, sizeof(*progress));
	progress->name = name;
	progress->total = total;
	progress->is_on = is_wanted && isatty(STDERR_FILENO);
	progress->start_ns = progress_now_ns();
	progress->next_ns = progress->start_ns + FIRST_NS;
}

static void draw(struct progress *progress, uint64_t done, uint64_t now_ns)
{
	double mb = done / 1e6;
	double rate = mb * NS_PER_SEC / (now_ns - progress->start_ns);
	const char *name = strrchr(progress->name, '/');
	char line[LINE_COLUMNS + 1];
	int len;

	name = name && name[1] ? name + 1 : progress->name;
	if (progress->total)
		len = snprintf(line, sizeof(line), "%.40s: %.0f MB, %.0f%%, %.0f MB/s", name, mb,
			       100.0 * done / progress->total, rate);
	else
		len = snprintf(line, sizeof(line), "%.40s: %.0f MB, %.0f MB/s", name, mb, rate);
	if (len > LINE_COLUMNS)
		len = LINE_COLUMNS;
	/* Blanks cover what a longer line before left. */
	fprintf(stderr, "\r%-*s", progress->width, line);
	progress->width = len;
	fflush(stderr);
}

void progress_update(struct progress *progress, uint64_t done)
{
	uint64_t now_ns;

	if (!progress->is_on)
		return;
	now_ns = progress_now_ns();
	if (now_ns < progress->next_ns)
		return;
	draw(progress, done, now_ns);
	progress->next_ns = now_ns + INTERVAL_NS;
}

void progress_wipe(struct progress *progress)
{
	if (!progress->width)
		return;
	fprintf(stderr, "\r%*s\r", progress->width, "");
	fflush(stderr);
	progress->width = 0;
}

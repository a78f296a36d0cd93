/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* Lines and summary of bench_zlib. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"
#include "zlib_report.h"

#define LARGE_BYTES (64u << 10) /* from here on a queue is to gain what its target says */
#define NEVER_BELOW 0.95	/* times zlib's speed, at any size */
#define NO_WORSE    1.0		/* times zlib's size */

/* Some findings, and how many times zlib's speed they are wished to have. */
struct group {
	const char *text;
	int is_inflate;
	int level;
	double target;
};

static const struct group groups[] = {
	{ "deflate 1", 0, 1, 4 },
	{ "deflate 6", 0, 6, 2 },
	{ "inflate", 1, 0, 2 },
};

#define GROUPS_NR (sizeof(groups) / sizeof(groups[0]))

const char *zlib_way_name(enum zlib_way way)
{
	static const char *const names[] = {
		[ZLIB_WAY_CALL] = "call",
		[ZLIB_WAY_RESET] = "reset",
		[ZLIB_WAY_STREAM] = "stream",
	};

	return names[way];
}

static void write_kind(const struct zlib_finding *f, char text[16])
{
	if (f->is_inflate)
		snprintf(text, 16, "inflate");
	else
		snprintf(text, 16, "deflate %d", f->level);
}

void zlib_report_heading(void)
{
	printf("# %-10s %-9s %-6s %7s | %8s %8s %6s  %-15s | %s\n", "input", "", "way", "buffer",
	       "zlib", "other", "times", "[min max]", "size of zlib's");
	printf("# %-10s %-9s %-6s %7s | %8s %8s\n", "", "", "", "bytes", "MB/s", "MB/s");
}

void zlib_report_line(const struct zlib_finding *f)
{
	char kind[16];

	write_kind(f, kind);
	printf("%-12s %-9s %-6s %7zu | %8.4g %8.4g %6.3f  [%5.3f %6.3f]  |", f->name, kind,
	       zlib_way_name(f->way), f->buffer_bytes, f->system_mbps, f->ours_mbps, f->speed,
	       f->speed_min, f->speed_max);
	if (!f->is_inflate)
		printf(" %6.4f", f->size);
	printf("\n");
	fflush(stdout);
}

int zlib_findings_add(struct zlib_findings *findings, const struct zlib_finding *f)
{
	if (findings->nr == findings->room) {
		size_t room = findings->room ? 2 * findings->room : 256;
		struct zlib_finding *all = realloc(findings->all, room * sizeof(*all));

		if (!all)
			return -1;
		findings->all = all;
		findings->room = room;
	}
	findings->all[findings->nr++] = *f;
	return 0;
}

void zlib_findings_fini(struct zlib_findings *findings)
{
	free(findings->all);
	*findings = (struct zlib_findings){ 0 };
}

static bool is_in(const struct zlib_finding *f, const struct group *g)
{
	return f->buffer_bytes >= LARGE_BYTES && f->is_inflate == g->is_inflate &&
	       (f->is_inflate || f->level == g->level);
}

static void write_place(const struct zlib_finding *f, char *text, size_t room)
{
	snprintf(text, room, "%s (%s of %zu)", f->name, zlib_way_name(f->way), f->buffer_bytes);
}

/* Median speed and size of one input's findings in a group; how many there are. */
static size_t find_medians(const struct zlib_findings *findings, const char *name,
			   const struct group *g, double *ret_speed, double *ret_size)
{
	double *values = malloc(2 * (findings->nr + 1) * sizeof(*values));
	double *sizes = values + findings->nr + 1;
	size_t i, nr = 0;

	if (!values)
		return 0;
	for (i = 0; i < findings->nr; i++) {
		const struct zlib_finding *f = &findings->all[i];

		if (!is_in(f, g) || (name && strcmp(f->name, name) != 0))
			continue;
		values[nr] = f->speed;
		sizes[nr++] = f->size;
	}
	*ret_speed = measure_median(values, nr);
	*ret_size = measure_median(sizes, nr);
	free(values);
	return nr;
}

static void summarize_inputs(const struct zlib_findings *findings)
{
	const char *last = "";
	double speed, size;

	printf("# medians of buffers from %u bytes on: times zlib's speed, times its size\n# %-10s",
	       LARGE_BYTES, "input");
	for (size_t g = 0; g < GROUPS_NR; g++)
		printf(" %-15s", groups[g].text);
	printf("\n");
	for (size_t i = 0; i < findings->nr; i++) {
		const char *name = findings->all[i].name;

		if (strcmp(name, last) == 0)
			continue;
		last = name;
		printf("%-12s", name);
		for (size_t g = 0; g < GROUPS_NR; g++) {
			if (!find_medians(findings, name, &groups[g], &speed, &size))
				printf(" %-15s", "-");
			else if (groups[g].is_inflate)
				printf(" %-15.3f", speed);
			else
				printf(" %6.3f %-8.4f", speed, size);
		}
		printf("\n");
	}
}

/* All inputs as one, each as much of it as the others: what the time and the bytes add up to. */
static void summarize_whole(const struct zlib_findings *findings, const struct group *g,
			    enum zlib_way way, size_t buffer_bytes)
{
	double system_time = 0, our_time = 0, system_size = 0, our_size = 0;

	for (size_t i = 0; i < findings->nr; i++) {
		const struct zlib_finding *f = &findings->all[i];

		if (!is_in(f, g) || f->way != way || f->buffer_bytes != buffer_bytes)
			continue;
		system_time += 1 / f->system_mbps;
		our_time += 1 / f->ours_mbps;
		system_size += f->system_share;
		our_size += f->system_share * f->size;
	}
	if (our_time <= 0)
		return;
	printf("%-9s %-6s %7zu | %6.3f", g->text, zlib_way_name(way), buffer_bytes,
	       system_time / our_time);
	if (!g->is_inflate)
		printf(" %6.4f", our_size / system_size);
	printf("\n");
}

static bool is_new_size(const struct zlib_findings *findings, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (findings->all[i].buffer_bytes == findings->all[nr].buffer_bytes)
			return false;
	return true;
}

static void summarize_wholes(const struct zlib_findings *findings)
{
	printf("# all inputs as one: times zlib's speed, times its size\n");
	for (size_t g = 0; g < GROUPS_NR; g++)
		for (enum zlib_way way = 0; way < ZLIB_WAYS_NR; way++)
			for (size_t i = 0; i < findings->nr; i++)
				if (is_new_size(findings, i))
					summarize_whole(findings, &groups[g], way,
							findings->all[i].buffer_bytes);
}

static void summarize_group(const struct zlib_findings *findings, const struct group *g)
{
	const struct zlib_finding *slowest = NULL, *largest = NULL;
	size_t nr, nr_slow = 0, nr_large = 0;
	double speed, size;
	char place[160];

	nr = find_medians(findings, NULL, g, &speed, &size);
	if (!nr)
		return;
	for (size_t i = 0; i < findings->nr; i++) {
		const struct zlib_finding *f = &findings->all[i];

		if (!is_in(f, g))
			continue;
		nr_slow += f->speed < g->target;
		nr_large += f->size > NO_WORSE;
		if (!slowest || f->speed < slowest->speed)
			slowest = f;
		if (!largest || f->size > largest->size)
			largest = f;
	}
	write_place(slowest, place, sizeof(place));
	printf("%s from %u bytes: target %.1f, median %.3f, worst %.3f in %s; %zu of %zu below\n",
	       g->text, LARGE_BYTES, g->target, speed, slowest->speed, place, nr_slow, nr);
	if (g->is_inflate)
		return;
	write_place(largest, place, sizeof(place));
	printf("%s from %u bytes, size: target %.1f, median %.4f, worst %.4f in %s; %zu of %zu above\n",
	       g->text, LARGE_BYTES, NO_WORSE, size, largest->size, place, nr_large, nr);
}

static void summarize_all(const struct zlib_findings *findings)
{
	const struct zlib_finding *slowest = NULL;
	char place[160], kind[16];
	size_t nr_slow = 0;

	for (size_t i = 0; i < findings->nr; i++) {
		const struct zlib_finding *f = &findings->all[i];

		nr_slow += f->speed < NEVER_BELOW;
		if (!slowest || f->speed < slowest->speed)
			slowest = f;
	}
	if (!slowest)
		return;
	write_kind(slowest, kind);
	write_place(slowest, place, sizeof(place));
	printf("any size: target %.2f, worst %.3f in %s, %s; %zu of %zu below\n", NEVER_BELOW,
	       slowest->speed, place, kind, nr_slow, findings->nr);
}

void zlib_report_summary(const struct zlib_findings *findings)
{
	summarize_inputs(findings);
	summarize_wholes(findings);
	printf("# targets: times zlib's speed, times its size\n");
	for (size_t g = 0; g < GROUPS_NR; g++)
		summarize_group(findings, &groups[g]);
	summarize_all(findings);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Gathers input.  The mix takes the beginnings of many files in the order of
 * their names, so that it is the same for the same packages installed.
 */
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "sample.h"

#define FILE_SHARE (128u << 10) /* most bytes of one file in the mix */
#define FILE_LEAST 1024

/* Sixteenths of the mix from below a folder; the last makes up for what is missing. */
static const struct share {
	const char *root;
	unsigned int sixteenths;
} shares[] = {
	{ "/usr/include", 5 },
	{ "/usr/bin", 5 },
	{ "/usr/share", 4 },
	{ "/usr/lib", 16 },
};

/* Appends up to @max bytes of a file; one that cannot be read adds nothing. */
static void append_file(struct sample *s, const char *path, size_t max)
{
	FILE *f = fopen(path, "rb");

	if (!f)
		return;
	s->nr_bytes += fread(s->bytes + s->nr_bytes, 1, max, f);
	fclose(f);
}

int sample_read_files(char *const *paths, struct sample *s)
{
	char *const *path;
	struct stat st;
	size_t room = 0;

	memset(s, 0, sizeof(*s));
	for (path = paths; *path; path++) {
		if (stat(*path, &st) || !S_ISREG(st.st_mode)) {
			fprintf(stderr, "%s: not a file\n", *path);
			return -1;
		}
		room += (size_t)st.st_size;
	}
	s->bytes = malloc(room + 1);
	for (path = paths; s->bytes && *path; path++)
		append_file(s, *path, room - s->nr_bytes);
	if (s->bytes && s->nr_bytes)
		return 0;
	fprintf(stderr, "nothing to read\n");
	sample_fini(s);
	return -1;
}

static int compare_names(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int is_packed(const char *name)
{
	static const char *const ends[] = { ".gz", ".xz", ".bz2", ".zst", ".zip", ".png" };
	size_t i, n = strlen(name);

	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (n > strlen(ends[i]) && !strcmp(name + n - strlen(ends[i]), ends[i]))
			return 1;
	return 0;
}

static void gather_below(const char *root, size_t until, struct sample *s)
{
	char *const roots[] = { (char *)root, NULL };
	FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, compare_names);
	FTSENT *e;

	while (tree && s->nr_bytes < until && (e = fts_read(tree))) {
		size_t max = until - s->nr_bytes;

		if (e->fts_info == FTS_F && e->fts_statp->st_size >= FILE_LEAST &&
		    !is_packed(e->fts_name))
			append_file(s, e->fts_path, max < FILE_SHARE ? max : FILE_SHARE);
	}
	if (tree)
		fts_close(tree);
}

int sample_gather(size_t max, struct sample *s)
{
	size_t i;

	memset(s, 0, sizeof(*s));
	s->bytes = malloc(max);
	if (!s->bytes)
		return -1;
	for (i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
		size_t from = s->nr_bytes;
		size_t until = from + max / 16 * shares[i].sixteenths;

		gather_below(shares[i].root, until < max ? until : max, s);
		printf("# input: %7zu bytes from below %s\n", s->nr_bytes - from, shares[i].root);
	}
	if (s->nr_bytes)
		return 0;
	fprintf(stderr, "no files to gather input from; name some\n");
	sample_fini(s);
	return -1;
}

int sample_open(char *const *paths, size_t max, struct sample *s)
{
	return *paths ? sample_read_files(paths, s) : sample_gather(max, s);
}

int sample_make_random(size_t bytes, struct sample *s)
{
	uint64_t x = 0x9e3779b97f4a7c15u;
	size_t i;

	s->bytes = malloc(bytes);
	s->nr_bytes = bytes;
	if (!s->bytes)
		return -1;
	for (i = 0; i < bytes; i++) {
		/* xorshift64*: its high bits pass for random */
		x ^= x >> 12;
		x ^= x << 25;
		x ^= x >> 27;
		s->bytes[i] = (uint8_t)((x * 0x2545f4914f6cdd1du) >> 56);
	}
	return 0;
}

void sample_fini(struct sample *s)
{
	free(s->bytes);
	s->bytes = NULL;
	s->nr_bytes = 0;
}

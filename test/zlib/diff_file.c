/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* The gz* functions: a file written by each side, then read by each side. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "diff_run.h"

#define FILE_MAX ((size_t)300000)

struct files {
	struct run *run;
	int fd[SIDES];
	gzFile file[SIDES];
	uint8_t *data;
	size_t bytes;
	size_t at;
	bool is_plain; /* written without compression: gzsetparams() crashes in 1.2.13 */
	bool has_read; /* before that, zlib 1.2.13 has no memory for gzungetc() */
};

static void check_file(struct files *f)
{
	int number[SIDES];
	const char *text[SIDES];

	diff_intact(f->run);
	diff_equal_ret(f->run);
	for (int s = 0; s < SIDES; s++)
		text[s] = f->run->api[s]->gzerror(f->file[s], &number[s]);
	diff_equal(f->run, "gzerror", (unsigned long)number[JUDGE], (unsigned long)number[SUBJECT]);
	if (number[JUDGE] != Z_ERRNO && strcmp(text[JUDGE], text[SUBJECT]) != 0)
		diff_fail(f->run, "gzerror says %s, not %s", text[SUBJECT], text[JUDGE]);
	diff_equal(f->run, "gztell", (unsigned long)f->run->api[JUDGE]->file_tell(f->file[JUDGE]),
		   (unsigned long)f->run->api[SUBJECT]->file_tell(f->file[SUBJECT]));
	diff_equal(f->run, "gzeof", (unsigned long)f->run->api[JUDGE]->gzeof(f->file[JUDGE]),
		   (unsigned long)f->run->api[SUBJECT]->gzeof(f->file[SUBJECT]));
}

/* Both sides open side @from's file, or each its own where that is -1. */
static void open_files(struct files *f, const char *mode, int from)
{
	unsigned int room = rng_chance(&f->run->rng, 50) ? 0 : 8 + rng_below(&f->run->rng, 70000);

	diff_step(f->run, "gzdopen: %s, buffer %u", mode, room);
	for (int s = 0; s < SIDES; s++) {
		int fd = f->fd[from < 0 ? s : from];
		char path[64];

		/* A second description, with its own position. */
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		f->file[s] = f->run->api[s]->file_open(path, mode);
		if (!f->file[s])
			diff_fail(f->run, "no file");
		f->run->ret[s] = room ? f->run->api[s]->gzbuffer(f->file[s], room) : 0;
	}
	check_file(f);
}

static void close_files(struct files *f)
{
	diff_step(f->run, "gzclose");
	for (int s = 0; s < SIDES; s++)
		f->run->ret[s] = f->run->api[s]->gzclose(f->file[s]);
	diff_equal_ret(f->run);
}

static void write_piece(struct files *f, size_t n)
{
	unsigned int how = rng_below(&f->run->rng, 3);

	n = n < f->bytes - f->at ? n : f->bytes - f->at;
	diff_step(f->run, "write %u: %zu bytes", how, n);
	for (int s = 0; s < SIDES; s++) {
		const struct zlib_api *api = f->run->api[s];
		uint8_t *in = place_in(f->run, s, f->data + f->at, n);

		if (how == 0 && n)
			f->run->ret[s] = (api->gzputc)(f->file[s], in[0]);
		else if (how == 1)
			f->run->ret[s] = (long)api->gzfwrite(in, 1, n, f->file[s]);
		else
			f->run->ret[s] = api->gzwrite(f->file[s], in, (unsigned int)n);
	}
	check_file(f);
	f->at += how == 0 && n ? 1 : n;
}

/*
 * A seek forward writes zeros; so the data has zeros there.  Not as the first of
 * all, where zlib 1.2.13 may write what lies in its fresh buffer instead.
 */
static void skip_piece(struct files *f)
{
	size_t n = rng_below(&f->run->rng, 2000);

	if (f->at == 0)
		return;
	n = n < f->bytes - f->at ? n : f->bytes - f->at;
	diff_step(f->run, "gzseek while writing: %zu", n);
	memset(f->data + f->at, 0, n);
	for (int s = 0; s < SIDES; s++)
		f->run->ret[s] = f->run->api[s]->file_seek(f->file[s], (long)n, SEEK_CUR);
	f->at += n;
	check_file(f);
}

static void write_something(struct files *f)
{
	struct rng *r = &f->run->rng;
	uint32_t choice = rng_below(r, 10);
	int level = (int)rng_below(r, 10);
	int flush = 1 + (int)rng_below(r, 4);

	if (choice < 7) {
		write_piece(f, rng_step(r, RNG_STYLE_MIXED));
		return;
	}
	if (choice == 7) {
		skip_piece(f);
		return;
	}
	if (choice != 8 && f->is_plain)
		return;
	diff_step(f->run, choice == 8 ? "gzflush %d" : "gzsetparams %d",
		  choice == 8 ? flush : level);
	for (int s = 0; s < SIDES; s++)
		f->run->ret[s] = choice == 8 ? f->run->api[s]->gzflush(f->file[s], flush) :
					       f->run->api[s]->gzsetparams(f->file[s], level, 0);
	check_file(f);
}

static void read_piece(struct files *f, size_t n)
{
	unsigned int how = rng_below(&f->run->rng, 4);

	n = n < FILE_MAX ? n : FILE_MAX;
	diff_step(f->run, "read %u: %zu bytes", how, n);
	for (int s = 0; s < SIDES; s++) {
		const struct zlib_api *api = f->run->api[s];
		uint8_t *out = place_out(f->run, s, n);

		memset(out, 0, n);
		if (how == 0)
			f->run->ret[s] = (api->gzgetc)(f->file[s]);
		else if (how == 1)
			f->run->ret[s] = api->gzgets(f->file[s], (char *)out, (int)n) != NULL;
		else if (how == 2)
			f->run->ret[s] = (long)api->gzfread(out, 1, n, f->file[s]);
		else
			f->run->ret[s] = api->gzread(f->file[s], out, (unsigned int)n);
	}
	check_file(f);
	if (n && memcmp(f->run->out[JUDGE].at, f->run->out[SUBJECT].at, n) != 0)
		diff_fail(f->run, "the bytes read are others");
}

static void read_something(struct files *f)
{
	struct rng *r = &f->run->rng;
	uint32_t choice = rng_below(r, 10);
	long to = (long)rng_below(r, (uint32_t)f->bytes + 100);
	int c = (int)rng_below(r, 256);

	if (choice < 7 || !f->has_read) {
		read_piece(f, 2 + (rng_step(r, RNG_STYLE_MIXED) & 0xfffff));
		f->has_read = true;
		return;
	}
	diff_step(f->run,
		  choice == 7 ? "gzungetc %ld" :
		  choice == 8 ? "gzseek %ld" :
				"gzdirect %ld",
		  choice == 7 ? (long)c : to);
	for (int s = 0; s < SIDES; s++) {
		const struct zlib_api *api = f->run->api[s];

		f->run->ret[s] = choice == 7 ? api->gzungetc(c, f->file[s]) :
				 choice == 8 ? api->file_seek(f->file[s], to, SEEK_SET) :
					       api->gzdirect(f->file[s]);
	}
	check_file(f);
}

/* The whole file, read by the judge, is what was written. */
static void check_whole(struct files *f, int side)
{
	uint8_t *back = run_alloc(f->run, FILE_MAX + 1);
	char path[64];
	gzFile file;

	diff_step(f->run, "the judge reads side %d's file", side);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", f->fd[side]);
	file = f->run->api[JUDGE]->file_open(path, "rb");
	f->run->ret[side] = file ? f->run->api[JUDGE]->gzread(file, back, FILE_MAX + 1) : -1;
	if (file)
		f->run->api[JUDGE]->gzclose(file);
	if (f->run->ret[side] != (long)f->at || memcmp(back, f->data, f->at) != 0)
		diff_fail(f->run, "the file holds something else");
}

static void write_and_read(struct files *f)
{
	static const char *const modes[] = {
		"wb", "wb1", "wb6", "wb9", "wb0", "wb6f", "wb6h", "wbT"
	};
	struct rng *r = &f->run->rng;
	unsigned int steps = 2 + rng_below(r, 20);
	unsigned int mode = rng_below(r, 8);

	f->is_plain = mode == 7;
	open_files(f, modes[mode], -1);
	for (unsigned int i = 0; i < steps; i++)
		write_something(f);
	close_files(f);
	for (int s = 0; s < SIDES; s++)
		check_whole(f, s);
	open_files(f, "rb", (int)rng_below(r, SIDES));
	for (unsigned int i = 0; i < steps; i++)
		read_something(f);
	close_files(f);
}

/* A file without a name: it goes with its descriptor. */
static int unnamed_file(void)
{
	const char *folder = getenv("TMPDIR");
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/zlib_diff.XXXXXX", folder ? folder : "/tmp");
	fd = mkstemp(path);
	if (fd >= 0)
		unlink(path);
	return fd;
}

void file_program(struct run *run)
{
	struct files f = { .run = run };

	f.bytes = rng_length(&run->rng, FILE_MAX);
	f.data = run_alloc(run, FILE_MAX);
	data_make(&run->rng, f.data, f.bytes);
	for (int s = 0; s < SIDES; s++)
		f.fd[s] = unnamed_file();
	diff_step(run, "two files");
	if (f.fd[JUDGE] < 0 || f.fd[SUBJECT] < 0)
		diff_fail(run, "no temporary file");
	write_and_read(&f);
	for (int s = 0; s < SIDES; s++)
		close(f.fd[s]);
}

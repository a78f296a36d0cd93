// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The WarpDrive authors
/*
 * usage: life_program CASE [LIBRARY]
 *
 * An ordinary program linked with zlib, in the ways that programs live; life_test.sh
 * runs it under libwdz.  Exit 0 when what it compressed is what it decompresses,
 * and 1 with a word on standard error otherwise.  Built a second time with a copy
 * of zlib inside.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#define BIG_BYTES  (3u << 20)
#define NR_THREADS 6

/* The part of zlib that is called through a table where it comes from dlopen. */
struct zlib_calls {
	int (*deflate_init)(z_streamp, int, const char *, int);
	int (*deflate)(z_streamp, int);
	int (*deflate_end)(z_streamp);
	int (*inflate_init)(z_streamp, const char *, int);
	int (*inflate)(z_streamp, int);
	int (*inflate_end)(z_streamp);
};

static const struct zlib_calls linked_calls = {
	deflateInit_, deflate, deflateEnd, inflateInit_, inflate, inflateEnd,
};

static void must(bool held, const char *what)
{
	if (held)
		return;
	fprintf(stderr, "life_program: %s\n", what);
	_exit(1);
}

/* Some 1000 words of 41 letters, in another order for each seed: quick to compress. */
static void fill(unsigned char *data, size_t bytes, unsigned int seed)
{
	unsigned int word = 0;

	for (size_t i = 0; i < bytes; i++) {
		if (i % 41 == 0) {
			seed = seed * 1103515245 + 12345;
			word = (seed >> 16) % 1000;
		}
		data[i] = (unsigned char)('a' + word * (i % 41 + 7) % 23);
	}
}

static unsigned char *filled(size_t bytes, unsigned int seed)
{
	unsigned char *data = malloc(bytes);

	must(data, "no memory");
	fill(data, bytes, seed);
	return data;
}

static void check_inflates(const struct zlib_calls *calls, unsigned char *packed,
			   size_t packed_bytes, const unsigned char *data, size_t bytes)
{
	z_stream strm = { .next_in = packed, .avail_in = (uInt)packed_bytes };
	unsigned char *out = malloc(bytes + 1);

	must(out, "no memory");
	must(calls->inflate_init(&strm, ZLIB_VERSION, sizeof(strm)) == Z_OK, "inflateInit");
	strm.next_out = out;
	strm.avail_out = (uInt)bytes + 1;
	must(calls->inflate(&strm, Z_FINISH) == Z_STREAM_END, "inflate");
	must(strm.total_out == bytes && !memcmp(out, data, bytes), "other data comes out");
	must(calls->inflate_end(&strm) == Z_OK, "inflateEnd");
	free(out);
}

static void round_trip(const struct zlib_calls *calls, size_t bytes, int level, unsigned int seed)
{
	unsigned char *data = filled(bytes, seed);
	size_t room = bytes + bytes / 100 + 1000;
	unsigned char *packed = malloc(room);
	z_stream strm = { .next_in = data, .avail_in = (uInt)bytes };

	must(packed, "no memory");
	must(calls->deflate_init(&strm, level, ZLIB_VERSION, sizeof(strm)) == Z_OK, "deflateInit");
	strm.next_out = packed;
	strm.avail_out = (uInt)room;
	must(calls->deflate(&strm, Z_FINISH) == Z_STREAM_END, "deflate");
	check_inflates(calls, packed, strm.total_out, data, bytes);
	must(calls->deflate_end(&strm) == Z_OK, "deflateEnd");
	free(packed);
	free(data);
}

/*
 * Checksums alone, in a program that has a heap, between two system calls that
 * nobody else makes.
 */
static void case_checksum(void)
{
	unsigned char *data = filled(1000, 1);

	must(getpgid(0) > 0, "getpgid");
	must(crc32(crc32(0, NULL, 0), data, 1000) != 0, "crc32");
	must(adler32(adler32(0, NULL, 0), data, 1000) != 1, "adler32");
	must(crc32_combine(1, 2, 3) != 0, "crc32_combine");
	must(getpgid(0) > 0, "getpgid");
	free(data);
}

static bool is_mapped(const char *name)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	bool found = false;
	char line[4200];

	must(maps, "/proc/self/maps");
	while (!found && fgets(line, sizeof(line), maps))
		found = strstr(line, name);
	fclose(maps);
	return found;
}

/* One tiny stream, and whether that took more than zlib. */
static void case_small(void)
{
	round_trip(&linked_calls, 300, 6, 1);
	printf("%s %s\n", getauxval(AT_SECURE) ? "secure" : "ordinary",
	       is_mapped("/libwd.so.1") ? "queue" : "zlib");
}

/* Synchronous calls start no thread. */
static void case_threadless(void)
{
	char line[256];
	FILE *status;

	for (int level = 1; level <= 9; level += 4)
		round_trip(&linked_calls, BIG_BYTES, level, (unsigned int)level);
	status = fopen("/proc/self/status", "re");
	must(status, "/proc/self/status");
	while (fgets(line, sizeof(line), status))
		if (!strncmp(line, "Threads:", 8))
			must(atoi(line + 8) == 1, "threads that nobody asked for");
	fclose(status);
}

static void *thread_work(void *arg)
{
	unsigned int seed = *(unsigned int *)arg;

	for (unsigned int i = 0; i < 4; i++)
		round_trip(&linked_calls, BIG_BYTES / (1 + seed) / (1 + i), i % 2 ? 6 : 1,
			   seed * 16 + i);
	return NULL;
}

static void run_threads(void)
{
	pthread_t threads[NR_THREADS];
	unsigned int seeds[NR_THREADS];

	for (unsigned int i = 0; i < NR_THREADS; i++) {
		seeds[i] = i;
		must(!pthread_create(&threads[i], NULL, thread_work, &seeds[i]), "pthread_create");
	}
	for (unsigned int i = 0; i < NR_THREADS; i++)
		must(!pthread_join(threads[i], NULL), "pthread_join");
}

/* A compress stream stopped at half of its input, and a decompress stream likewise. */
struct halves {
	z_stream deflate, inflate;
	unsigned char *data, *packed, *ready, *out;
	size_t ready_bytes;
};

static void halves_begin(struct halves *h, int level)
{
	uLongf ready_bytes = compressBound(BIG_BYTES);

	memset(h, 0, sizeof(*h));
	h->data = filled(BIG_BYTES, 77);
	h->packed = malloc(ready_bytes);
	h->ready = malloc(ready_bytes);
	h->out = malloc(BIG_BYTES);
	must(h->packed && h->ready && h->out, "no memory");
	must(compress2(h->ready, &ready_bytes, h->data, BIG_BYTES, level) == Z_OK, "compress2");
	h->ready_bytes = ready_bytes;

	must(deflateInit(&h->deflate, level) == Z_OK, "deflateInit");
	h->deflate.next_in = h->data;
	h->deflate.avail_in = BIG_BYTES / 2;
	h->deflate.next_out = h->packed;
	h->deflate.avail_out = (uInt)compressBound(BIG_BYTES);
	must(deflate(&h->deflate, Z_NO_FLUSH) == Z_OK, "deflate");

	must(inflateInit(&h->inflate) == Z_OK, "inflateInit");
	h->inflate.next_in = h->ready;
	h->inflate.avail_in = (uInt)h->ready_bytes / 2;
	h->inflate.next_out = h->out;
	h->inflate.avail_out = BIG_BYTES;
	must(inflate(&h->inflate, Z_NO_FLUSH) == Z_OK, "inflate");
}

static void halves_end(struct halves *h)
{
	h->deflate.avail_in += BIG_BYTES - BIG_BYTES / 2;
	must(deflate(&h->deflate, Z_FINISH) == Z_STREAM_END, "deflate after fork");
	must(h->deflate.total_in == BIG_BYTES, "total_in");
	check_inflates(&linked_calls, h->packed, h->deflate.total_out, h->data, BIG_BYTES);
	must(deflateEnd(&h->deflate) == Z_OK, "deflateEnd");

	h->inflate.avail_in += (uInt)(h->ready_bytes - h->ready_bytes / 2);
	must(inflate(&h->inflate, Z_FINISH) == Z_STREAM_END, "inflate after fork");
	must(!memcmp(h->out, h->data, BIG_BYTES), "other data comes out after fork");
	must(inflateEnd(&h->inflate) == Z_OK, "inflateEnd");
	free(h->data);
	free(h->packed);
	free(h->ready);
	free(h->out);
}

/* Parent, child and grandchild each finish the same streams, and begin others. */
static void fork_twice(int level)
{
	struct halves h;
	int depth = 0, status = 0;
	pid_t child;

	halves_begin(&h, level);
	while ((child = fork()) == 0 && ++depth < 2)
		;
	must(child >= 0, "fork");
	halves_end(&h);
	round_trip(&linked_calls, BIG_BYTES / 2, level, (unsigned int)depth);
	if (child > 0) {
		must(waitpid(child, &status, 0) == child, "waitpid");
		must(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child failed");
	}
	if (depth > 0)
		exit(0);
}

static void case_fork(void)
{
	fork_twice(1);
	fork_twice(6);
}

static void case_threads(void)
{
	run_threads();
	/* Queues of threads that have ended, and of this one, are not the child's. */
	case_fork();
	run_threads();
}

/* Another zlib beside the one that is linked, each with streams of its own. */
static void case_dlopen(const char *path)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	struct zlib_calls calls;

	must(library, path);
	*(void **)&calls.deflate_init = dlsym(library, "deflateInit_");
	*(void **)&calls.deflate = dlsym(library, "deflate");
	*(void **)&calls.deflate_end = dlsym(library, "deflateEnd");
	*(void **)&calls.inflate_init = dlsym(library, "inflateInit_");
	*(void **)&calls.inflate = dlsym(library, "inflate");
	*(void **)&calls.inflate_end = dlsym(library, "inflateEnd");
	must(calls.deflate_init && calls.deflate && calls.deflate_end && calls.inflate_init &&
		     calls.inflate && calls.inflate_end,
	     "dlsym");
	for (unsigned int i = 0; i < 4; i++) {
		round_trip(&calls, i % 2 ? 100 : BIG_BYTES / 3, 1, i);
		round_trip(&linked_calls, i % 2 ? 100 : BIG_BYTES / 3, 6, i);
	}
	dlclose(library);
	round_trip(&linked_calls, BIG_BYTES / 3, 1, 9);
}

/* What libwdz leaves to zlib calls back into libwdz, or does not. */
static void case_files(void)
{
	unsigned char *data = filled(BIG_BYTES, 5), *out = malloc(BIG_BYTES);
	gzFile file = gzopen("life.gz", "wb6");

	must(out && file, "gzopen");
	must(gzwrite(file, data, BIG_BYTES / 2) == BIG_BYTES / 2, "gzwrite");
	must(gzsetparams(file, 1, Z_DEFAULT_STRATEGY) == Z_OK, "gzsetparams");
	must(gzflush(file, Z_FULL_FLUSH) == Z_OK, "gzflush");
	must(gzwrite(file, data + BIG_BYTES / 2, BIG_BYTES / 2) == BIG_BYTES / 2, "gzwrite");
	must(gzclose(file) == Z_OK, "gzclose");
	file = gzopen("life.gz", "rb");
	must(file && gzread(file, out, BIG_BYTES) == BIG_BYTES, "gzread");
	must(gzseek(file, 12345, SEEK_SET) == 12345 && gzgetc(file) == data[12345], "gzseek");
	must(gzclose(file) == Z_OK, "gzclose");
	must(!memcmp(out, data, BIG_BYTES), "other data comes out of the file");
	free(out);
	free(data);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	if (!strcmp(name, "checksum"))
		case_checksum();
	else if (!strcmp(name, "small"))
		case_small();
	else if (!strcmp(name, "threadless"))
		case_threadless();
	else if (!strcmp(name, "fork"))
		case_fork();
	else if (!strcmp(name, "threads"))
		case_threads();
	else if (!strcmp(name, "dlopen") && argc == 3)
		case_dlopen(argv[2]);
	else if (!strcmp(name, "files"))
		case_files();
	else
		must(false, "no such case");
	return 0;
}

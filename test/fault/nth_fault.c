/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* See nth_fault.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include <libdeflate.h>
#include <unistd.h>
#include <zlib.h>

#include "fault/nth_fault.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define IS_TSAN 1 /* it has threads of its own */
#else
#define IS_TSAN 0
#endif

#define NOISE_FROM   80000u /* does not compress from here */
#define NOISE_BYTES  100000u
#define FAILS_MAX    300u /* far more than any way of calling has */
#define RUN_SECONDS  60u  /* what has not ended by then hangs */
#define LEFT_SECONDS 20	  /* for a thread that was joined to leave /proc */

uint8_t data[DATA_BYTES];
uint8_t packed[PACKED_MAX];
size_t packed_bytes;
uint8_t out[PACKED_MAX];
static uint8_t back[DATA_BYTES + 1];

/* ------------------------------------------------------------- calls that fail */

static atomic_bool is_armed;
static atomic_bool is_for_good; /* all from the chosen one on */
static atomic_uint nr_until_failure;
static atomic_bool has_failed;
static atomic_bool has_failed_to_open;

static bool is_to_fail(int error)
{
	unsigned int left = atomic_load(&nr_until_failure);

	if (!atomic_load(&is_armed))
		return false;
	while (left > 0)
		if (atomic_compare_exchange_weak(&nr_until_failure, &left, left - 1))
			return false;
	if (atomic_exchange(&has_failed, true) && !atomic_load(&is_for_good))
		return false;
	errno = error;
	return true;
}

static bool is_open_to_fail(void)
{
	if (!is_to_fail(EMFILE))
		return false;
	atomic_store(&has_failed_to_open, true);
	return true;
}

void nth_fault_disarm(void)
{
	atomic_store(&is_armed, false);
}

bool nth_fault_has_failed(void)
{
	return atomic_load(&has_failed);
}

void nth_fault_note_failed(void)
{
	atomic_store(&has_failed, true);
}

void *__real_malloc(size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__real_calloc(size_t nr, size_t bytes);
void *__wrap_calloc(size_t nr, size_t bytes);
void *__real_realloc(void *p, size_t bytes);
void *__wrap_realloc(void *p, size_t bytes);
void *__real_aligned_alloc(size_t align, size_t bytes);
void *__wrap_aligned_alloc(size_t align, size_t bytes);
/* Where file offsets always have 64 bits, mmap and open go by these names. */
void *__real_mmap(void *addr, size_t bytes, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap(void *addr, size_t bytes, int prot, int flags, int fd, off_t offset);
void *__real_mmap64(void *addr, size_t bytes, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *addr, size_t bytes, int prot, int flags, int fd, off_t offset);
int __real_socketpair(int domain, int type, int protocol, int *fds);
int __wrap_socketpair(int domain, int type, int protocol, int *fds);
int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __real_openat64(int dir, const char *path, int flags, ...);
int __wrap_openat64(int dir, const char *path, int flags, ...);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
			  void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
			  void *arg);
struct libdeflate_compressor *__real_libdeflate_alloc_compressor(int level);
struct libdeflate_compressor *__wrap_libdeflate_alloc_compressor(int level);
struct libdeflate_decompressor *__real_libdeflate_alloc_decompressor(void);
struct libdeflate_decompressor *__wrap_libdeflate_alloc_decompressor(void);

void *__wrap_malloc(size_t bytes)
{
	return is_to_fail(ENOMEM) ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t nr, size_t bytes)
{
	return is_to_fail(ENOMEM) ? NULL : __real_calloc(nr, bytes);
}

void *__wrap_realloc(void *p, size_t bytes)
{
	return is_to_fail(ENOMEM) ? NULL : __real_realloc(p, bytes);
}

void *__wrap_aligned_alloc(size_t align, size_t bytes)
{
	return is_to_fail(ENOMEM) ? NULL : __real_aligned_alloc(align, bytes);
}

void *__wrap_mmap(void *addr, size_t bytes, int prot, int flags, int fd, off_t offset)
{
	return is_to_fail(ENOMEM) ? MAP_FAILED : __real_mmap(addr, bytes, prot, flags, fd, offset);
}

void *__wrap_mmap64(void *addr, size_t bytes, int prot, int flags, int fd, off_t offset)
{
	return is_to_fail(ENOMEM) ? MAP_FAILED :
				    __real_mmap64(addr, bytes, prot, flags, fd, offset);
}

int __wrap_socketpair(int domain, int type, int protocol, int *fds)
{
	return is_to_fail(EMFILE) ? -1 : __real_socketpair(domain, type, protocol, fds);
}

int __wrap_open64(const char *path, int flags, ...)
{
	mode_t mode;
	va_list args;

	va_start(args, flags);
	mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
	va_end(args);
	return is_open_to_fail() ? -1 : __real_open64(path, flags, mode);
}

int __wrap_openat64(int dir, const char *path, int flags, ...)
{
	mode_t mode;
	va_list args;

	va_start(args, flags);
	mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
	va_end(args);
	return is_open_to_fail() ? -1 : __real_openat64(dir, path, flags, mode);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
			  void *arg)
{
	return is_to_fail(EAGAIN) ? EAGAIN : __real_pthread_create(thread, attr, run, arg);
}

struct libdeflate_compressor *__wrap_libdeflate_alloc_compressor(int level)
{
	return is_to_fail(ENOMEM) ? NULL : __real_libdeflate_alloc_compressor(level);
}

struct libdeflate_decompressor *__wrap_libdeflate_alloc_decompressor(void)
{
	return is_to_fail(ENOMEM) ? NULL : __real_libdeflate_alloc_decompressor();
}

void *nth_fault_alloc(size_t align, size_t bytes)
{
	return __real_aligned_alloc(align, bytes);
}

/* ------------------------------------------------------------- data and judge */

static void make_data(void)
{
	static const char text[] = "a queue lives in the program's own address space; ";
	uint64_t random = 0x9e3779b97f4a7c15u;
	z_stream z = { 0 };

	for (size_t i = 0; i < DATA_BYTES; i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		data[i] = i - NOISE_FROM < NOISE_BYTES ? (uint8_t)(random >> 32) :
			  random >> 60 == 0	       ? (uint8_t)(random >> 40) :
							 (uint8_t)text[i % (sizeof(text) - 1)];
	}
	if (deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		exit(1);
	z.next_in = data;
	z.avail_in = DATA_BYTES;
	z.next_out = packed;
	z.avail_out = PACKED_MAX;
	if (deflate(&z, Z_FINISH) != Z_STREAM_END)
		exit(1);
	packed_bytes = z.total_out;
	deflateEnd(&z);
}

int judge_part(const uint8_t *at, size_t bytes, size_t from, size_t len)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)at, .avail_in = (uInt)bytes };
	bool is_right;

	if (inflateInit2(&z, 31) != Z_OK)
		return WRONG;
	z.next_out = back;
	z.avail_out = sizeof(back);
	is_right = inflate(&z, Z_FINISH) == Z_STREAM_END && z.avail_in == 0 && z.total_out == len &&
		   !memcmp(back, data + from, len);
	inflateEnd(&z);
	return is_right ? 0 : WRONG;
}

int judge_packed(size_t bytes)
{
	return judge_part(out, bytes, 0, DATA_BYTES);
}

int judge_plain(size_t bytes)
{
	return bytes == DATA_BYTES && !memcmp(out, data, DATA_BYTES) ? 0 : WRONG;
}

/* ------------------------------------------------------------- runs */

enum outcome {
	OUTCOME_SURVIVED = 0,
	OUTCOME_BAD = 1,
	OUTCOME_NO_FAILURE = 2, /* there are not so many such calls */
};

/* What memory, threads and descriptors that are not to be had may lead to. */
bool nth_fault_is_clean(int error)
{
	/* A configuration that cannot be read is a wrong one. */
	if (error == -EINVAL)
		return atomic_load(&has_failed_to_open);
	return error == -ENOMEM || error == -EIO || error == -EAGAIN || error == -EMFILE;
}

static int count_entries(const char *path)
{
	DIR *dir = opendir(path);
	int n = 0;

	if (!dir)
		return -1;
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* The library goes down with this; then only what was there before is there. */
static bool is_anything_left(int nr_fds, int nr_threads)
{
	const time_t end = time(NULL) + LEFT_SECONDS;

	if (wd_init())
		return true;
	wd_fini();
	while (!IS_TSAN && count_entries("/proc/self/task") > nr_threads && time(NULL) < end)
		sched_yield();
	return count_entries("/proc/self/fd") != nr_fds ||
	       (!IS_TSAN && count_entries("/proc/self/task") != nr_threads);
}

static void configure(const struct way *way)
{
	if (way->embed)
		setenv("WD_EMBED", way->embed, 1);
	if (way->workers)
		setenv("WD_EMBED_WORKERS", way->workers, 1);
	if (way->stats)
		setenv("WD_STATS", way->stats, 1);
}

/* Ends the process, so that a leak checker may change the exit status. */
static void run_child(const struct way *way, unsigned int n, bool for_good)
{
	int nr_fds, nr_threads, ret, again;
	bool is_left;

	alarm(RUN_SECONDS);
	configure(way);
	nr_fds = count_entries("/proc/self/fd");
	nr_threads = count_entries("/proc/self/task");
	atomic_store(&nr_until_failure, n);
	atomic_store(&is_for_good, for_good);
	atomic_store(&is_armed, true);
	ret = way->run();
	nth_fault_disarm();
	again = way->run();
	is_left = is_anything_left(nr_fds, nr_threads);
	if ((ret == 0 || (has_failed && nth_fault_is_clean(ret))) && again == 0 && !is_left)
		exit(has_failed ? OUTCOME_SURVIVED : OUTCOME_NO_FAILURE);
	fprintf(stderr, "%s: call %u%s failed: answered %d, then %d%s\n", way->name, n,
		for_good ? " and all after it" : "", ret, again,
		is_left ? ", and threads or descriptors are left" : "");
	exit(OUTCOME_BAD);
}

static enum outcome run_one(const struct way *way, unsigned int n, bool for_good)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		run_child(way, n, for_good);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return OUTCOME_BAD;
	if (WIFEXITED(status) &&
	    (WEXITSTATUS(status) == OUTCOME_SURVIVED || WEXITSTATUS(status) == OUTCOME_NO_FAILURE))
		return WEXITSTATUS(status);
	fprintf(stderr, "%s: call %u%s failed: wait status %#x\n", way->name, n,
		for_good ? " and all after it" : "", (unsigned int)status);
	return OUTCOME_BAD;
}

static bool survives(const struct way *way, bool for_good)
{
	enum outcome outcome = OUTCOME_SURVIVED;
	bool is_good = true;
	unsigned int n;

	for (n = 0; n < FAILS_MAX && outcome != OUTCOME_NO_FAILURE; n++) {
		outcome = run_one(way, n, for_good);
		is_good &= outcome != OUTCOME_BAD;
	}
	/* None at all: the calls do not come by here. */
	if (n > 1 && n < FAILS_MAX)
		return is_good;
	fprintf(stderr, "%s: %u calls that can fail\n", way->name, n);
	return false;
}

int nth_fault_run(const struct way *ways, size_t nr)
{
	const char *verbose = getenv("WD_TEST_VERBOSE");
	bool is_good = true;

	make_data();
	for (size_t i = 0; i < nr; i++) {
		if (verbose)
			fprintf(stderr, "%s\n", ways[i].name);
		is_good &= survives(&ways[i], false);
		is_good &= survives(&ways[i], true);
	}
	return is_good ? 0 : 1;
}

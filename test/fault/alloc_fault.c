/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Memory that runs out: each way of calling compression is run with the first,
 * the second, ... allocation of library and chip model failing, and with all
 * from there on.  The answer is right or a clean error, and what was left
 * behind serves the next call.  Each run is a process of its own, so that the
 * library begins from nothing and a leak checker sees the end.
 *
 * The linker's --wrap brings the calls here, which sanitizers do not mind.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <libdeflate.h>
#include <unistd.h>
#include <zlib.h>

#include <wd/comp.h>

#define DATA_BYTES  300000u
#define NOISE_FROM  80000u /* does not compress from here */
#define NOISE_BYTES 100000u
#define TURNS_BYTES 70000u /* of what compresses */
#define PACKED_MAX  (DATA_BYTES + 4096u)
#define FAILS_MAX   200u /* far more than any way of calling allocates */

static uint8_t data[DATA_BYTES];
static uint8_t packed[PACKED_MAX]; /* by zlib, as gzip */
static size_t packed_bytes;
static uint8_t out[PACKED_MAX];
static uint8_t back[DATA_BYTES + 1];

/* ------------------------------------------------------------- allocations that fail */

static bool is_armed;
static bool is_for_good; /* all from the chosen one on */
static unsigned int nr_until_failure;
static bool has_failed;

static bool is_to_fail(void)
{
	if (!is_armed)
		return false;
	if (nr_until_failure > 0) {
		nr_until_failure--;
		return false;
	}
	if (has_failed && !is_for_good)
		return false;
	has_failed = true;
	errno = ENOMEM;
	return true;
}

void *__real_malloc(size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__real_calloc(size_t nr, size_t bytes);
void *__wrap_calloc(size_t nr, size_t bytes);
void *__real_realloc(void *p, size_t bytes);
void *__wrap_realloc(void *p, size_t bytes);
void *__real_aligned_alloc(size_t align, size_t bytes);
void *__wrap_aligned_alloc(size_t align, size_t bytes);
void *__real_mmap(void *addr, size_t bytes, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap(void *addr, size_t bytes, int prot, int flags, int fd, off_t offset);
struct libdeflate_compressor *__real_libdeflate_alloc_compressor(int level);
struct libdeflate_compressor *__wrap_libdeflate_alloc_compressor(int level);
struct libdeflate_decompressor *__real_libdeflate_alloc_decompressor(void);
struct libdeflate_decompressor *__wrap_libdeflate_alloc_decompressor(void);

void *__wrap_malloc(size_t bytes)
{
	return is_to_fail() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t nr, size_t bytes)
{
	return is_to_fail() ? NULL : __real_calloc(nr, bytes);
}

void *__wrap_realloc(void *p, size_t bytes)
{
	return is_to_fail() ? NULL : __real_realloc(p, bytes);
}

void *__wrap_aligned_alloc(size_t align, size_t bytes)
{
	return is_to_fail() ? NULL : __real_aligned_alloc(align, bytes);
}

void *__wrap_mmap(void *addr, size_t bytes, int prot, int flags, int fd, off_t offset)
{
	return is_to_fail() ? MAP_FAILED : __real_mmap(addr, bytes, prot, flags, fd, offset);
}

struct libdeflate_compressor *__wrap_libdeflate_alloc_compressor(int level)
{
	return is_to_fail() ? NULL : __real_libdeflate_alloc_compressor(level);
}

struct libdeflate_decompressor *__wrap_libdeflate_alloc_decompressor(void)
{
	return is_to_fail() ? NULL : __real_libdeflate_alloc_decompressor();
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

#define WRONG 1 /* what no error of the library's is */

/* Whether @bytes of out are the data as gzip. */
static int judge_packed(size_t bytes)
{
	z_stream z = { .next_in = out, .avail_in = (uInt)bytes };
	bool is_right;

	if (inflateInit2(&z, 31) != Z_OK)
		return WRONG;
	z.next_out = back;
	z.avail_out = sizeof(back);
	is_right = inflate(&z, Z_FINISH) == Z_STREAM_END && z.avail_in == 0 &&
		   z.total_out == DATA_BYTES && !memcmp(back, data, DATA_BYTES);
	inflateEnd(&z);
	return is_right ? 0 : WRONG;
}

static int judge_plain(size_t bytes)
{
	return bytes == DATA_BYTES && !memcmp(out, data, DATA_BYTES) ? 0 : WRONG;
}

/* ------------------------------------------------------------- ways of calling */

static int compress_once(int level, size_t room)
{
	int ret = wd_comp_compress(WD_COMP_GZIP, level, data, DATA_BYTES, out, &room);

	return ret ? ret : judge_packed(room);
}

static int run_fast(void)
{
	return compress_once(1, PACKED_MAX);
}

/* Room for less than stored blocks takes a detour. */
static int run_tight(void)
{
	return compress_once(6, DATA_BYTES);
}

static int run_decompress(void)
{
	size_t n = sizeof(out);
	int ret = wd_comp_decompress(WD_COMP_GZIP, packed, packed_bytes, out, &n);

	return ret ? ret : judge_plain(n);
}

static int open_session(uint32_t op, struct wd_comp **ret_comp)
{
	struct wd_comp_opts opts = {
		.size = sizeof(opts),
		.op = op,
		.format = WD_COMP_GZIP,
		.level = op == WD_OP_COMPRESS ? 9 : 0,
	};

	return wd_comp_open(&opts, ret_comp);
}

/* In pieces of 70000 bytes: to the device directly, random ones between others. */
static int stream_through(struct wd_comp *c, uint32_t op, const uint8_t *src, size_t bytes)
{
	struct wd_comp_io io = { 0 };
	size_t at = 0, made = 0;

	while (io.status != WD_STATUS_STREAM_END) {
		size_t n = bytes - at < 70000 ? bytes - at : 70000;
		int ret;

		io = (struct wd_comp_io){ .src = src + at,
					  .src_len = n,
					  .dst = out + made,
					  .dst_len = sizeof(out) - made };
		ret = wd_comp_stream(c, &io, at + n == bytes ? WD_COMP_FINISH : WD_COMP_NO_FLUSH);
		if (ret)
			return ret;
		if (io.status != WD_STATUS_OK && io.status != WD_STATUS_STREAM_END)
			return WRONG;
		at += io.consumed;
		made += io.produced;
	}
	return op == WD_OP_COMPRESS ? judge_packed(made) : judge_plain(made);
}

/* A session whose stream failed is good for another. */
static int run_stream(uint32_t op, const uint8_t *src, size_t bytes)
{
	struct wd_comp *c;
	int ret = open_session(op, &c);

	if (ret)
		return ret;
	ret = stream_through(c, op, src, bytes);
	if (ret < 0) {
		is_armed = false;
		wd_comp_reset(c);
		if (stream_through(c, op, src, bytes))
			ret = WRONG;
	}
	wd_comp_close(c);
	return ret;
}

static int run_stream_compress(void)
{
	return run_stream(WD_OP_COMPRESS, data, DATA_BYTES);
}

static int run_stream_decompress(void)
{
	return run_stream(WD_OP_DECOMPRESS, packed, packed_bytes);
}

static int run_scattered(uint32_t op, uint8_t *src, size_t bytes)
{
	struct iovec from[2] = { { src, 1000 }, { src + 1000, bytes - 1000 } };
	struct iovec to[2] = { { out, 70000 }, { out + 70000, sizeof(out) - 70000 } };
	struct wd_comp_io io = { 0 };
	struct wd_comp *c;
	int ret = open_session(op, &c);

	if (ret)
		return ret;
	ret = wd_comp_block_sgl(c, from, 2, to, 2, &io);
	if (!ret && io.status != WD_STATUS_OK)
		ret = WRONG;
	if (!ret)
		ret = op == WD_OP_COMPRESS ? judge_packed(io.produced) : judge_plain(io.produced);
	wd_comp_close(c);
	return ret;
}

static int run_scattered_compress(void)
{
	return run_scattered(WD_OP_COMPRESS, data, DATA_BYTES);
}

static int run_scattered_decompress(void)
{
	return run_scattered(WD_OP_DECOMPRESS, packed, packed_bytes);
}

/* One piece of a stream of raw requests; 0, or -EIO where the stream stays as it was. */
static int send_piece(struct wd_queue *q, struct wd_comp_state *state, unsigned int window_bits,
		      size_t from, size_t bytes, uint8_t *dst, size_t *ret_made)
{
	struct wd_comp_req req = {
		.head.op = WD_OP_COMPRESS,
		.format = WD_COMP_DEFLATE,
		.level = 1,
		.window_bits = (uint8_t)window_bits,
		.flags = from + bytes == TURNS_BYTES ? WD_COMP_F_FINISH : 0,
		.src_len = (uint32_t)bytes,
		.dst_len = PACKED_MAX / 3,
		.src = data + from,
		.dst = dst,
		.state = state,
	};
	struct wd_req *done;
	int ret = wd_send(q, &req.head);

	if (!ret)
		ret = wd_recv_sync(q, &done);
	if (ret)
		return ret;
	*ret_made = req.produced;
	return req.head.status == WD_STATUS_OK && req.consumed == bytes ? 0 : -EIO;
}

/* Whether a decoder with a window of 4 KiB can follow; it looks at it when it runs out of room. */
static int judge_small_window(size_t bytes)
{
	z_stream z = { .next_in = out, .avail_in = (uInt)bytes };
	int ret = Z_OK;

	if (inflateInit2(&z, -12) != Z_OK)
		return WRONG;
	z.next_out = back;
	while (ret == Z_OK) {
		z.avail_out = 7;
		ret = inflate(&z, Z_NO_FLUSH);
	}
	inflateEnd(&z);
	return ret == Z_STREAM_END && z.total_out == TURNS_BYTES &&
			       !memcmp(back, data, TURNS_BYTES) ?
		       0 :
		       WRONG;
}

/* Two streams take turns on a queue; what fails in one is nothing to the other. */
static int take_turns(struct wd_queue *q, uint8_t *bufs)
{
	struct wd_comp_state wide = { .buf = bufs };
	struct wd_comp_state narrow = { .buf = bufs + WD_COMP_STATE_BYTES };
	uint8_t *unwanted = out + 2 * (PACKED_MAX / 3);
	size_t first, second, made;
	int ret;

	(void)send_piece(q, &wide, 15, 0, 3000, unwanted, &made);
	ret = send_piece(q, &narrow, 12, 0, 3000, out, &first);
	if (ret)
		return ret;
	(void)send_piece(q, &wide, 15, 3000, 3000, unwanted, &made);
	ret = send_piece(q, &narrow, 12, 3000, TURNS_BYTES - 3000, out + first, &second);
	return ret ? ret : judge_small_window(first + second);
}

static int run_turns(void)
{
	struct wd_queue q = { .size = sizeof(q),
			      .capa = { .alg = "deflate", .op = WD_OP_COMPRESS } };
	uint8_t *bufs;
	int ret = wd_request_queue(&q);

	if (ret)
		return ret;
	bufs = __real_aligned_alloc(64, (size_t)2 * WD_COMP_STATE_BYTES);
	ret = -ENOMEM;
	if (bufs)
		ret = take_turns(&q, bufs);
	wd_release_queue(&q);
	free(bufs);
	return ret;
}

struct way {
	const char *name;
	int (*run)(void);
};

static const struct way ways[] = {
	{ "one call, fast", run_fast },
	{ "one call, little room", run_tight },
	{ "one call, decompress", run_decompress },
	{ "stream, compress", run_stream_compress },
	{ "stream, decompress", run_stream_decompress },
	{ "scattered, compress", run_scattered_compress },
	{ "scattered, decompress", run_scattered_decompress },
	{ "streams in turns", run_turns },
};

/* ------------------------------------------------------------- runs */

enum outcome {
	OUTCOME_SURVIVED = 0,
	OUTCOME_BAD = 1,
	OUTCOME_NO_FAILURE = 2, /* there are not so many allocations */
};

/* Ends the process, so that a leak checker may change the exit status. */
static void run_child(const struct way *way, unsigned int n, bool for_good)
{
	int ret, again;

	nr_until_failure = n;
	is_for_good = for_good;
	is_armed = true;
	ret = way->run();
	is_armed = false;
	again = way->run();
	if ((ret == 0 || (has_failed && (ret == -ENOMEM || ret == -EIO))) && again == 0)
		exit(has_failed ? OUTCOME_SURVIVED : OUTCOME_NO_FAILURE);
	fprintf(stderr, "%s: allocation %u%s failed: answered %d, then %d\n", way->name, n,
		for_good ? " and all after it" : "", ret, again);
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
	fprintf(stderr, "%s: allocation %u%s failed: wait status %#x\n", way->name, n,
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
	return is_good && n > 1 && n < FAILS_MAX;
}

int main(void)
{
	bool is_good = true;

	make_data();
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		is_good &= survives(&ways[i], false);
		is_good &= survives(&ways[i], true);
	}
	return is_good ? 0 : 1;
}

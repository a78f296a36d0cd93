/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * A program that uses zlib and knows nothing else: what bench_zlib starts twice,
 * once as it is and once with another library in zlib's place, and hands the
 * same jobs.  Data lie in files that all three map; jobs and results come over a
 * socket.
 */
#ifndef BENCH_ZLIB_WORKER_H
#define BENCH_ZLIB_WORKER_H

#include <stddef.h>
#include <stdint.h>

enum zlib_way {
	ZLIB_WAY_CALL =
		0, /* compress2(), uncompress(): all at once, a new stream for each buffer */
	ZLIB_WAY_RESET = 1,  /* one stream, reset for each buffer, which is finished in one call */
	ZLIB_WAY_STREAM = 2, /* one stream of all, in and out by buffers of this size */
};

#define ZLIB_WAYS_NR 3

/* How a job's data are cut, and what is done with them so many times over. */
struct zlib_job {
	uint32_t way; /* enum zlib_way */
	uint32_t is_inflate;
	int32_t level;
	uint32_t laps;
	uint64_t from; /* in the input file */
	uint64_t bytes;
	uint64_t buffer_bytes;
	uint64_t stride; /* of packed buffers in an area: compressBound() of one */
};

struct zlib_result {
	int32_t err; /* zlib's, Z_OK where all went well */
	uint32_t reserved;
	uint64_t wall_ns;
	uint64_t cpu_ns;
};

/* Most buffers of a job, other than in a stream. */
#define ZLIB_BUFFERS_MAX 4096u

/*
 * What was made: buffer after buffer, packed ones a stride apart, plain ones
 * without a gap; the lengths beside them.  Of a stream there is one of length[0].
 */
struct zlib_area {
	uint64_t *length;
	uint8_t *bytes;
	size_t room;
};

/* Makes a file of @room bytes and the lengths.  Returns its descriptor, or -1. */
int zlib_area_make(size_t room);

/* 0, or -1. */
int zlib_area_map(int fd, struct zlib_area *ret_area);
void zlib_area_unmap(struct zlib_area *area);

size_t zlib_job_buffers(const struct zlib_job *job);

/* Of the plain data. */
size_t zlib_job_buffer_bytes(const struct zlib_job *job, size_t at);

/* Deflates @plain to @out, or inflates @packed to @out, job->laps times.  Returns zlib's error. */
int zlib_job_run(const struct zlib_job *job, const uint8_t *plain, const struct zlib_area *packed,
		 struct zlib_area *out, uint64_t *ret_wall_ns, uint64_t *ret_cpu_ns);

#define ZLIB_WORKER_ARG "--worker"

/*
 * main() of the worker: the arguments behind ZLIB_WORKER_ARG are descriptors of
 * the socket, the input, the packed input and the output.  It says that it is
 * ready with an empty result, then answers each job with one.
 */
int zlib_worker_main(int argc, char **argv);

#endif

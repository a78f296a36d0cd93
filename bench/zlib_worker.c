/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* Does jobs with zlib, as a program would that was written for it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memfd_create() */
#endif
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "measure.h"
#include "zlib_worker.h"

#define HEAP_BLOCK_BYTES (8u << 20)

#define LENGTHS_BYTES (ZLIB_BUFFERS_MAX * sizeof(uint64_t))

int zlib_area_make(size_t room)
{
	int fd = memfd_create("area", 0);

	if (fd >= 0 && ftruncate(fd, (off_t)(LENGTHS_BYTES + room))) {
		close(fd);
		return -1;
	}
	return fd;
}

int zlib_area_map(int fd, struct zlib_area *ret_area)
{
	struct stat st;
	uint8_t *at;

	if (fstat(fd, &st) || (size_t)st.st_size <= LENGTHS_BYTES)
		return -1;
	at = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd,
		  0);
	if (at == MAP_FAILED)
		return -1;
	ret_area->length = (uint64_t *)at;
	ret_area->bytes = at + LENGTHS_BYTES;
	ret_area->room = (size_t)st.st_size - LENGTHS_BYTES;
	return 0;
}

void zlib_area_unmap(struct zlib_area *area)
{
	if (area->length)
		munmap(area->length, LENGTHS_BYTES + area->room);
	area->length = NULL;
}

size_t zlib_job_buffers(const struct zlib_job *job)
{
	return (size_t)((job->bytes + job->buffer_bytes - 1) / job->buffer_bytes);
}

size_t zlib_job_buffer_bytes(const struct zlib_job *job, size_t at)
{
	uint64_t left = job->bytes - at * job->buffer_bytes;

	return (size_t)(left < job->buffer_bytes ? left : job->buffer_bytes);
}

/* What one run of a job works with. */
struct run {
	const struct zlib_job *job;
	const uint8_t *plain;
	const struct zlib_area *packed;
	struct zlib_area *out;
	z_stream stream; /* not for ZLIB_WAY_CALL */
};

static int begin_again(struct run *r)
{
	return r->job->is_inflate ? inflateReset(&r->stream) : deflateReset(&r->stream);
}

static int step(struct run *r, int flush)
{
	return r->job->is_inflate ? inflate(&r->stream, flush) : deflate(&r->stream, flush);
}

/* ----------------------------------------------------------- whole buffers */

static int do_whole(struct run *r, const uint8_t *src, size_t src_len, uint8_t *dst, uint64_t *len)
{
	z_stream *s = &r->stream;
	uLongf dst_len = *len;
	int err;

	if (r->job->way == ZLIB_WAY_CALL) {
		err = r->job->is_inflate ? uncompress(dst, &dst_len, src, src_len) :
					   compress2(dst, &dst_len, src, src_len, r->job->level);
		*len = dst_len;
		return err;
	}
	err = begin_again(r);
	if (err != Z_OK)
		return err;
	s->next_in = (z_const Bytef *)src;
	s->avail_in = (uInt)src_len;
	s->next_out = dst;
	s->avail_out = (uInt)*len;
	err = step(r, Z_FINISH);
	*len = s->total_out;
	/* Z_OK would be an end that is not there yet. */
	return err == Z_STREAM_END ? Z_OK : err == Z_OK ? Z_BUF_ERROR : err;
}

static int lap_of_buffers(struct run *r)
{
	const struct zlib_job *job = r->job;
	const size_t nr = zlib_job_buffers(job);

	for (size_t i = 0; i < nr; i++) {
		const size_t plain_len = zlib_job_buffer_bytes(job, i);
		const uint8_t *packed = r->packed->bytes + i * job->stride;
		uint64_t *len = &r->out->length[i];
		int err;

		if (job->is_inflate) {
			*len = plain_len;
			err = do_whole(r, packed, r->packed->length[i],
				       r->out->bytes + i * job->buffer_bytes, len);
		} else {
			*len = job->stride;
			err = do_whole(r, r->plain + i * job->buffer_bytes, plain_len,
				       r->out->bytes + i * job->stride, len);
		}
		if (err != Z_OK)
			return err;
	}
	return Z_OK;
}

/* --------------------------------------------------------------- a stream */

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* All the output that this much input gives.  Ends with Z_BUF_ERROR at most. */
static int drain(struct run *r, int flush)
{
	z_stream *s = &r->stream;
	int err;

	do {
		s->avail_out = (uInt)least(r->job->buffer_bytes, r->out->room - s->total_out);
		if (!s->avail_out)
			return Z_MEM_ERROR;
		err = step(r, flush);
	} while (err == Z_OK && !s->avail_out);
	return err;
}

static int lap_of_stream(struct run *r)
{
	const struct zlib_job *job = r->job;
	const uint8_t *src = job->is_inflate ? r->packed->bytes : r->plain;
	size_t left = (size_t)(job->is_inflate ? r->packed->length[0] : job->bytes);
	z_stream *s = &r->stream;
	int err = begin_again(r);

	if (err != Z_OK)
		return err;
	s->next_in = (z_const Bytef *)src;
	s->next_out = r->out->bytes;
	do {
		s->avail_in = (uInt)least(job->buffer_bytes, left);
		left -= s->avail_in;
		err = drain(r, left || job->is_inflate ? Z_NO_FLUSH : Z_FINISH);
		/* Nothing to do for the last call of a step is no mistake. */
	} while (left && (err == Z_OK || err == Z_BUF_ERROR));
	r->out->length[0] = s->total_out;
	return err == Z_STREAM_END ? Z_OK : err == Z_OK ? Z_BUF_ERROR : err;
}

/* -------------------------------------------------------------------- jobs */

static int time_laps(struct run *r, uint64_t *ret_wall_ns, uint64_t *ret_cpu_ns)
{
	const uint64_t cpu = measure_thread_cpu_ns(), wall = measure_now_ns();
	int err = Z_OK;

	for (uint32_t lap = 0; lap < r->job->laps && err == Z_OK; lap++)
		err = r->job->way == ZLIB_WAY_STREAM ? lap_of_stream(r) : lap_of_buffers(r);
	*ret_wall_ns = measure_now_ns() - wall;
	*ret_cpu_ns = measure_thread_cpu_ns() - cpu;
	return err;
}

int zlib_job_run(const struct zlib_job *job, const uint8_t *plain, const struct zlib_area *packed,
		 struct zlib_area *out, uint64_t *ret_wall_ns, uint64_t *ret_cpu_ns)
{
	struct run r = { .job = job, .plain = plain + job->from, .packed = packed, .out = out };
	int err;

	if (job->way == ZLIB_WAY_CALL)
		return time_laps(&r, ret_wall_ns, ret_cpu_ns);
	err = job->is_inflate ? inflateInit(&r.stream) : deflateInit(&r.stream, job->level);
	if (err != Z_OK)
		return err;
	err = time_laps(&r, ret_wall_ns, ret_cpu_ns);
	/* Z_DATA_ERROR: given up in the middle, which was told above. */
	if (job->is_inflate)
		inflateEnd(&r.stream);
	else
		deflateEnd(&r.stream);
	return err;
}

/*
 * Makes the heap keep what is freed, as that of a program does that has run for
 * a while: else each compress2() of a fresh program gets its memory from the kernel
 * and gives it back, and whatever library happens to lie on top of the heap
 * spares it that.
 */
static void settle_heap(void)
{
	void *volatile block = malloc(HEAP_BLOCK_BYTES);

	free(block);
}

static int serve(int sock, const uint8_t *plain, const struct zlib_area *packed,
		 struct zlib_area *out)
{
	const struct zlib_result ready = { 0 };
	struct zlib_job job;

	if (write(sock, &ready, sizeof(ready)) != sizeof(ready))
		return EXIT_FAILURE;
	while (read(sock, &job, sizeof(job)) == sizeof(job)) {
		struct zlib_result result = { 0 };

		result.err =
			zlib_job_run(&job, plain, packed, out, &result.wall_ns, &result.cpu_ns);
		if (write(sock, &result, sizeof(result)) != sizeof(result))
			return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

int zlib_worker_main(int argc, char **argv)
{
	struct zlib_area packed, out;
	struct stat st;
	uint8_t *plain;
	int fd[4];

	if (argc != 4)
		return EXIT_FAILURE;
	for (int i = 0; i < 4; i++)
		fd[i] = atoi(argv[i]);
	if (fstat(fd[1], &st))
		return EXIT_FAILURE;
	plain = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd[1], 0);
	if (plain == MAP_FAILED || zlib_area_map(fd[2], &packed) || zlib_area_map(fd[3], &out)) {
		perror("bench_zlib: mmap");
		return EXIT_FAILURE;
	}
	settle_heap();
	return serve(fd[0], plain, &packed, &out);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Memory that runs out (nth_fault.h) on each way of calling compression that
 * waits for its result, on a device that takes any pointer.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include <wd/comp.h>

#include "fault/nth_fault.h"

#define TURNS_BYTES 70000u /* of what compresses */

static uint8_t back[TURNS_BYTES + 1];

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
	size_t n = PACKED_MAX;
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

	while (io.head.status != WD_STATUS_STREAM_END) {
		size_t n = bytes - at < 70000 ? bytes - at : 70000;
		int ret;

		io = (struct wd_comp_io){ .src = src + at,
					  .src_len = n,
					  .dst = out + made,
					  .dst_len = sizeof(out) - made };
		ret = wd_comp_stream(c, &io, at + n == bytes ? WD_COMP_FINISH : WD_COMP_NO_FLUSH);
		if (ret)
			return ret;
		if (io.head.status != WD_STATUS_OK && io.head.status != WD_STATUS_STREAM_END)
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
		nth_fault_disarm();
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
	if (!ret && io.head.status != WD_STATUS_OK)
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
	bufs = nth_fault_alloc(64, (size_t)2 * WD_COMP_STATE_BYTES);
	ret = -ENOMEM;
	if (bufs)
		ret = take_turns(&q, bufs);
	wd_release_queue(&q);
	free(bufs);
	return ret;
}

static const struct way ways[] = {
	{ .name = "one call, fast", .run = run_fast },
	{ .name = "one call, little room", .run = run_tight },
	{ .name = "one call, decompress", .run = run_decompress },
	{ .name = "stream, compress", .run = run_stream_compress },
	{ .name = "stream, decompress", .run = run_stream_decompress },
	{ .name = "scattered, compress", .run = run_scattered_compress },
	{ .name = "scattered, decompress", .run = run_scattered_decompress },
	{ .name = "streams in turns", .run = run_turns },
};

int main(void)
{
	return nth_fault_run(ways, sizeof(ways) / sizeof(ways[0]));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * What the tests of the ZIP engine share: an engine with its queues, memory as
 * the engine may see it, SQEs, data of several kinds, and zlib as the judge.
 */
#ifndef TEST_UNIT_ZIP_RIG_H
#define TEST_UNIT_ZIP_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>
#include <zlib.h>

#include "base/bytes.h"
#include "base/compiler.h"
#include "chip/qm/engine.h"
#include "hw/hisi_sgl_hw.h"
#include "hw/hisi_zip_hw.h"

struct rig {
	void *engine;
	void *compress;
	void *inflate;
	struct dma_space dma;
	struct hisi_zip_sqe sqe; /* of the last request, as it came back */
	struct engine_result result;
};

static inline void *rig_map(void *owner, uint64_t addr, size_t bytes, bool is_write)
{
	(void)owner;
	(void)bytes;
	(void)is_write;
	return (void *)(uintptr_t)addr;
}

static inline int rig_read(void *owner, uint64_t addr, void *buf, size_t bytes)
{
	(void)owner;
	memcpy(buf, (void *)(uintptr_t)addr, bytes);
	return 0;
}

static inline int rig_write(void *owner, uint64_t addr, const void *buf, size_t bytes)
{
	(void)owner;
	memcpy((void *)(uintptr_t)addr, buf, bytes);
	return 0;
}

static const struct chip_dma rig_own_memory = { .map = rig_map };
static const struct chip_dma rig_copying = { .read = rig_read, .write = rig_write };

static inline void rig_open(struct rig *r, uint32_t chip_flags, const struct chip_dma *dma)
{
	memset(r, 0, sizeof(*r));
	r->dma.dma = dma;
	assert_int_equal(engine_zip_ops.create(chip_flags, &r->engine), 0);
	assert_int_equal(engine_zip_ops.queue_create(r->engine, 0, &r->compress), 0);
	assert_int_equal(engine_zip_ops.queue_create(r->engine, 1, &r->inflate), 0);
}

static inline void rig_close(struct rig *r)
{
	engine_zip_ops.queue_destroy(r->compress);
	engine_zip_ops.queue_destroy(r->inflate);
	engine_zip_ops.destroy(r->engine);
}

static inline void put_addr(__le32 *low, const void *p)
{
	bytes_put_le32(low, (uint32_t)(uintptr_t)p);
	bytes_put_le32(low + 1, (uint32_t)((uint64_t)(uintptr_t)p >> 32));
}

/* A request of SQE type 3; other words carry values that must come back. */
static inline void rig_fill(struct rig *r, uint32_t format, uint32_t level, const void *src,
			    uint32_t src_bytes, void *dst, uint32_t room)
{
	uint32_t *words = (uint32_t *)&r->sqe;

	for (unsigned int i = 0; i < sizeof(r->sqe) / 4; i++)
		words[i] = htole32(0xa5000000u + i);
	bytes_put_le32(&r->sqe.input_data_length, src_bytes);
	bytes_put_le32(&r->sqe.dw7, 0x30000000u);
	bytes_put_le32(&r->sqe.dw8, 0);
	bytes_put_le32(&r->sqe.dw9, format | HISI_ZIP_WINDOW_32K << 12 | level << 16);
	bytes_put_le32(&r->sqe.dest_avail_out, room);
	put_addr(&r->sqe.source_addr_l, src);
	put_addr(&r->sqe.dest_addr_l, dst);
}

static inline bool is_result_word(unsigned int i)
{
	return i <= 3 || i == 15 || i >= 28;
}

/* Serves the filled request; returns the status. */
static inline uint32_t rig_serve(struct rig *r, void *queue)
{
	struct hisi_zip_sqe before = r->sqe;
	const uint32_t *was = (const uint32_t *)&before, *is = (const uint32_t *)&r->sqe;
	uint32_t status;

	memset(&r->result, 0xee, sizeof(r->result));
	engine_zip_ops.serve(queue, &r->dma, &r->sqe, &r->result);
	for (unsigned int i = 0; i < sizeof(before) / 4; i++)
		if (!is_result_word(i))
			assert_int_equal(is[i], was[i]);
	status = bytes_get_le32(&r->sqe.dw3) & HISI_ZIP_DW3_STATUS_MASK;
	assert_int_equal(bytes_get_le32(&r->sqe.dw3) & ~0x1ffu, 0);
	assert_int_equal(r->result.status, status);
	assert_int_equal(r->result.is_error, status != 0 && status != 0x0d && status != 0x13);
	assert_int_equal(r->result.is_lost_stream, status == HISI_ZIP_ST_STATE_LOST);
	assert_int_equal(r->result.bytes_in, bytes_get_le32(&r->sqe.consumed));
	assert_int_equal(r->result.bytes_out, bytes_get_le32(&r->sqe.produced));
	return status;
}

static inline uint32_t rig_consumed(const struct rig *r)
{
	return bytes_get_le32(&r->sqe.consumed);
}

static inline uint32_t rig_produced(const struct rig *r)
{
	return bytes_get_le32(&r->sqe.produced);
}

/* ------------------------------------------------------------------ data */

enum rig_data {
	RIG_ZEROS,
	RIG_TEXT,
	RIG_RANDOM,
	RIG_MIXED,
	RIG_COPIES,
	RIG_DATA_KINDS
};

static inline uint32_t rig_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static inline void rig_data(uint8_t *p, size_t bytes, enum rig_data kind)
{
	static const char *const words[] = { "queue ", "doorbell ", "the ", "of ", "phase bit ",
					     "is ",    "written ",  "\n",   "0x",  "descriptor " };
	uint32_t seed = 2463534242u;

	for (size_t i = 0; i < bytes;) {
		const char *w = words[rig_random(&seed) >> 7 & 7];

		if (kind == RIG_ZEROS)
			p[i++] = 0;
		else if (kind == RIG_RANDOM || (kind == RIG_MIXED && i >> 12 & 1))
			p[i++] = (uint8_t)(rig_random(&seed) >> 11);
		else if (kind == RIG_COPIES && i >= 1000)
			p[i] = p[i - 1000], i++;
		else if (kind == RIG_COPIES)
			p[i++] = (uint8_t)(rig_random(&seed) >> 11);
		else
			while (*w && i < bytes)
				p[i++] = (uint8_t)*w++;
	}
}

/* Memory that ends where nothing may be read or written. */
struct guarded {
	uint8_t *bytes;
	void *base;
	size_t span;
};

static inline struct guarded guarded_get(size_t bytes)
{
	size_t span = ((bytes + 4095) & ~(size_t)4095) + 4096;
	struct guarded g = { .span = span };

	g.base = mmap(NULL, span, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(g.base != MAP_FAILED);
	assert_int_equal(mprotect((uint8_t *)g.base + span - 4096, 4096, PROT_NONE), 0);
	g.bytes = (uint8_t *)g.base + span - 4096 - bytes;
	return g;
}

static inline void guarded_put(struct guarded *g)
{
	munmap(g->base, g->span);
}

/* ------------------------------------------------------- zlib, the judge */

static inline uint32_t judge_trailer_bytes(uint32_t format)
{
	return format == 3 ? 8 : format == 2 ? 4 : 0;
}

static inline size_t bound_of(uint32_t format, size_t n)
{
	return n + 5 * (n ? (n + 65534) / 65535 : 1) + judge_trailer_bytes(format);
}

/* Inflates headerless @in and checks the trailer; asserts that it is @want and nothing more. */
static inline void judge_inflate(uint32_t format, int window_bits, const uint8_t *in, size_t bytes,
				 const uint8_t *want, size_t want_bytes)
{
	uint8_t *out = malloc(want_bytes + 1);
	z_stream z = { .next_in = (Bytef *)in,
		       .avail_in = (uInt)bytes,
		       .next_out = out,
		       .avail_out = (uInt)want_bytes + 1 };
	const uint8_t *t;

	assert_int_equal(inflateInit2(&z, -window_bits), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.total_out, want_bytes);
	assert_memory_equal(out, want, want_bytes);
	t = in + z.total_in;
	assert_int_equal(z.avail_in, judge_trailer_bytes(format));
	if (format == 2)
		assert_int_equal(be32toh(*(const uint32_t *)memcpy(&(uint32_t){ 0 }, t, 4)),
				 adler32(1, want, (uInt)want_bytes));
	if (format == 3) {
		assert_int_equal(bytes_get_le32(t), crc32(0, want, (uInt)want_bytes));
		assert_int_equal(bytes_get_le32(t + 4), (uint32_t)want_bytes);
	}
	inflateEnd(&z);
	free(out);
}

/* A headerless stream made by zlib, with its trailer; returns its length. */
static inline size_t judge_deflate(uint32_t format, int level, int strategy, const uint8_t *in,
				   size_t bytes, uint8_t *out, size_t room)
{
	z_stream z = { .next_in = (Bytef *)in,
		       .avail_in = (uInt)bytes,
		       .next_out = out,
		       .avail_out = (uInt)room };
	size_t n;

	assert_int_equal(deflateInit2(&z, level, Z_DEFLATED, -15, 8, strategy), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	n = z.total_out;
	deflateEnd(&z);
	assert_true(n + 8 <= room);
	if (format == 2)
		bytes_put_be32(out + n, (uint32_t)adler32(1, in, (uInt)bytes));
	if (format == 3) {
		bytes_put_le32(out + n, (uint32_t)crc32(0, in, (uInt)bytes));
		bytes_put_le32(out + n + 4, (uint32_t)bytes);
	}
	return n + judge_trailer_bytes(format);
}

/* --------------------------------------------------------- scatter lists */

/* @nr entries in blocks of at most @per_block; the memory is the caller's to free. */
static inline void *rig_sgl(uint8_t *const *bufs, const uint32_t *lens, unsigned int nr,
			    unsigned int per_block)
{
	unsigned int blocks = nr ? (nr + per_block - 1) / per_block : 1;
	size_t block_bytes = 64 + (size_t)per_block * 32;
	uint8_t *all;

	block_bytes = (block_bytes + 63) & ~(size_t)63;
	all = aligned_alloc(64, blocks * block_bytes);
	assert_non_null(all);
	memset(all, 0xcc, blocks * block_bytes);
	for (unsigned int b = 0, i = 0; b < blocks; b++) {
		uint8_t *h = all + b * block_bytes;
		unsigned int n = base_min_u32(nr - i, per_block);
		uint64_t next = b + 1 < blocks ? (uintptr_t)h + block_bytes : 0;

		bytes_put_le32(h, (uint32_t)next);
		bytes_put_le32(h + 4, (uint32_t)(next >> 32));
		bytes_put_le16(h + 8, 0xffff); /* entry_sum_in_chain: nobody may believe it */
		bytes_put_le16(h + 10, (uint16_t)n);
		bytes_put_le16(h + 12, (uint16_t)per_block);
		for (unsigned int k = 0; k < n; k++, i++) {
			uint8_t *e = h + 64 + (size_t)k * 32;

			put_addr((__le32 *)(void *)e, bufs[i]);
			bytes_put_le32(e + 16, lens[i]);
		}
	}
	return all;
}

/* Cuts a buffer into entries of odd lengths. */
static inline void *rig_scatter(uint8_t *buf, size_t bytes, uint32_t seed, unsigned int per_block)
{
	enum {
		MAX = 64
	};
	uint8_t *bufs[MAX];
	uint32_t lens[MAX];
	unsigned int nr = 0;

	while (bytes && nr < MAX) {
		size_t n = bytes / 8 + rig_random(&seed) % (bytes / 8 + 1) + 1;

		n = nr == MAX - 1 ? bytes : base_min_u64(n, bytes);
		bufs[nr] = buf;
		lens[nr++] = (uint32_t)n;
		buf += n;
		bytes -= n;
	}
	return rig_sgl(bufs, lens, nr, per_block);
}

#endif

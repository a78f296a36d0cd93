/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Scatter lists and unreachable memory: data cut into entries at any place, and
 * every lie that a list, an address or a length can tell, each met by a status.
 */
#include <errno.h>

#include "test/unit/zip_rig.h"

/* All that the engine may reach in the tests of addresses. */
struct reach {
	uint8_t *bytes;
	size_t size;
};

static void *reach_map(void *owner, uint64_t addr, size_t bytes, bool is_write)
{
	struct reach *m = owner;
	uint64_t base = (uintptr_t)m->bytes;

	(void)is_write;
	if (addr < base || bytes > m->size || addr - base > m->size - bytes)
		return NULL;
	return (void *)(uintptr_t)addr;
}

static int reach_read(void *owner, uint64_t addr, void *buf, size_t bytes)
{
	void *p = reach_map(owner, addr, bytes, false);

	if (!p)
		return -EFAULT;
	memcpy(buf, p, bytes);
	return 0;
}

static int reach_write(void *owner, uint64_t addr, const void *buf, size_t bytes)
{
	void *p = reach_map(owner, addr, bytes, true);

	if (!p)
		return -EFAULT;
	memcpy(p, buf, bytes);
	return 0;
}

static const struct chip_dma reach_mapped = { .map = reach_map };
static const struct chip_dma reach_copied = { .read = reach_read, .write = reach_write };

static void use_sgl(struct rig *r, uint32_t src_offset, uint32_t dst_offset)
{
	bytes_put_le32(&r->sqe.dw9, bytes_get_le32(&r->sqe.dw9) | 1 << 8);
	bytes_put_le32(&r->sqe.dw7, bytes_get_le32(&r->sqe.dw7) | src_offset);
	bytes_put_le32(&r->sqe.dw8, dst_offset);
}

static void scattered_once(struct rig *r, uint8_t *in, uint32_t n, uint32_t offset,
			   unsigned int per_block)
{
	uint8_t *out = malloc(2 * n + 400), *back = malloc(n + offset + 1);
	void *src = rig_scatter(in - offset, n + offset, n + 7, per_block);
	void *dst = rig_scatter(out, 2 * n + 400, n + 9, per_block);
	void *third;
	uint32_t made;

	rig_fill(r, 3, 1, src, n, dst, n + 300);
	use_sgl(r, offset, 10);
	assert_int_equal(rig_serve(r, r->compress) & ~0x0du, 0);
	assert_int_equal(rig_consumed(r), n);
	made = rig_produced(r);
	judge_inflate(3, 15, out + 10, made, in, n);
	third = rig_scatter(back, n + offset + 1, n + 11, per_block);
	rig_fill(r, 3, 0, dst, made, third, n + 1);
	use_sgl(r, 10, offset);
	assert_int_equal(rig_serve(r, r->inflate), 0);
	assert_int_equal(rig_produced(r), n);
	assert_memory_equal(back + offset, in, n);
	free(src);
	free(dst);
	free(third);
	free(out);
	free(back);
}

static void lists_round_trip(void **state)
{
	static const uint32_t sizes[] = { 1, 64, 1000, 4096, 65536, 300000 };
	static const unsigned int per_block[] = { 1, 2, 64, 255 };
	uint8_t *in = malloc(400000);
	struct rig r;

	(void)state;
	for (unsigned int copying = 0; copying < 2; copying++) {
		rig_open(&r, 0, copying ? &rig_copying : &rig_own_memory);
		for (unsigned int i = 0; i < BASE_ARRAY_SIZE(sizes); i++)
			for (unsigned int b = 0; b < BASE_ARRAY_SIZE(per_block); b++) {
				rig_data(in, 400000, RIG_MIXED);
				scattered_once(&r, in + 5000, sizes[i], b * 1500, per_block[b]);
			}
		rig_close(&r);
	}
	free(in);
}

/* One entry is used in place, and the list may be longer than the data. */
static void one_entry_is_enough(void **state)
{
	uint8_t in[5000], out[6000];
	uint8_t *bufs[] = { in, in };
	const uint32_t lens[] = { 5000, 5000 };
	uint8_t *outs[] = { out };
	const uint32_t out_lens[] = { 6000 };
	void *src = rig_sgl(bufs, lens, 2, 255), *dst = rig_sgl(outs, out_lens, 1, 1);
	struct rig r;

	(void)state;
	rig_open(&r, 0, &rig_own_memory);
	rig_data(in, sizeof(in), RIG_TEXT);
	rig_fill(&r, 1, 1, src, 4000, dst, 5900);
	use_sgl(&r, 1000, 100);
	assert_int_equal(rig_serve(&r, r.compress), 0);
	judge_inflate(1, 15, out + 100, rig_produced(&r), in + 1000, 4000);
	rig_close(&r);
	free(src);
	free(dst);
}

/* 8 MiB in more entries than a block has, none of it compressible. */
static void the_largest_request_fits_a_list(void **state)
{
	enum {
		PART = 16384,
		NR = 512,
		BYTES = PART * NR
	};
	uint8_t *in = malloc(BYTES), *out = malloc(BYTES + PART),
		**bufs = malloc(2 * NR * sizeof(*bufs));
	uint32_t *lens = malloc((NR + 1) * sizeof(*lens));
	void *src, *dst;
	struct rig r;

	(void)state;
	rig_open(&r, 0, &rig_own_memory);
	rig_data(in, BYTES, RIG_RANDOM);
	for (unsigned int i = 0; i <= NR; i++) {
		lens[i] = PART;
		bufs[i] = in + (size_t)i * PART;
	}
	src = rig_sgl(bufs, lens, NR, 255);
	for (unsigned int i = 0; i <= NR; i++)
		bufs[i] = out + (size_t)i * PART;
	dst = rig_sgl(bufs, lens, NR + 1, 100);
	rig_fill(&r, 2, 6, src, BYTES, dst, BYTES + PART);
	use_sgl(&r, 0, 0);
	assert_int_equal(rig_serve(&r, r.compress), HISI_ZIP_ST_NEG_COMP);
	judge_inflate(2, 15, out, rig_produced(&r), in, BYTES);
	rig_close(&r);
	free(in);
	free(out);
	free(bufs);
	free(lens);
	free(src);
	free(dst);
}

/* A stateful request over lists. */
static void streams_take_lists(void **state)
{
	uint8_t *in = malloc(100000), *out = malloc(120000), *context = malloc(65536);
	void *src, *dst;
	size_t made = 0;
	struct rig r;

	(void)state;
	rig_open(&r, 0, &rig_own_memory);
	rig_data(in, 100000, RIG_MIXED);
	src = rig_scatter(in, 100000, 5, 3);
	dst = rig_scatter(out, 120000, 6, 4);
	for (uint32_t at = 0; at < 100000; at += 20000) {
		uint32_t isize = bytes_get_le32(&r.sqe.isize),
			 sum = bytes_get_le32(&r.sqe.checksum);

		rig_fill(&r, 3, 1, src, 20000, dst, 21000);
		use_sgl(&r, at, (uint32_t)made);
		bytes_put_le32(&r.sqe.dw7, bytes_get_le32(&r.sqe.dw7) | 1u << 26 |
						   (at ? 0 : 1u << 27) |
						   (at == 80000 ? 1u << 25 : 0));
		put_addr(&r.sqe.stream_ctx_addr_l, context + 64);
		bytes_put_le32(&r.sqe.isize, isize);
		bytes_put_le32(&r.sqe.checksum, sum);
		assert_int_equal(rig_serve(&r, r.compress) & ~0x0du, 0);
		made += rig_produced(&r);
	}
	judge_inflate(3, 15, out, made, in, 100000);
	rig_close(&r);
	free(src);
	free(dst);
	free(in);
	free(out);
	free(context);
}

/* A list of one block with four entries of 1000 bytes, to be spoilt. */
struct victim {
	struct rig r;
	uint8_t *sgl;
	uint8_t data[4000];
	uint8_t out[200000];
};

static void victim_open(struct victim *v)
{
	uint8_t *bufs[4];
	const uint32_t lens[4] = { 1000, 1000, 1000, 1000 };

	for (unsigned int i = 0; i < 4; i++)
		bufs[i] = v->data + i * 1000;
	rig_data(v->data, sizeof(v->data), RIG_TEXT);
	v->sgl = rig_sgl(bufs, lens, 4, 4);
	rig_open(&v->r, 0, &rig_own_memory);
}

static void victim_close(struct victim *v)
{
	rig_close(&v->r);
	free(v->sgl);
}

/* As source of a compression, then as destination of one. */
static uint32_t serve_source(struct victim *v, uint32_t n, uint32_t offset)
{
	uint8_t *bufs[] = { v->out };
	const uint32_t lens[] = { sizeof(v->out) };
	void *dst = rig_sgl(bufs, lens, 1, 1);
	uint32_t status;

	rig_fill(&v->r, 1, 1, v->sgl, n, dst, sizeof(v->out));
	use_sgl(&v->r, offset, 0);
	status = rig_serve(&v->r, v->r.compress);
	if (status)
		assert_int_equal(rig_consumed(&v->r) | rig_produced(&v->r), 0);
	free(dst);
	return status;
}

static uint32_t serve_dest(struct victim *v, uint32_t room, uint32_t offset)
{
	uint8_t *bufs[] = { v->out };
	const uint32_t lens[] = { sizeof(v->out) };
	void *src = rig_sgl(bufs, lens, 1, 1);
	uint32_t status;

	rig_data(v->out, sizeof(v->out), RIG_TEXT);
	rig_fill(&v->r, 1, 1, src, 100, v->sgl, room);
	use_sgl(&v->r, 0, offset);
	status = rig_serve(&v->r, v->r.compress);
	free(src);
	return status;
}

static void short_lists_are_refused(void **state)
{
	struct victim v;

	(void)state;
	victim_open(&v);
	assert_int_equal(serve_source(&v, 4000, 0), 0);
	assert_int_equal(serve_source(&v, 4001, 0), HISI_ZIP_ST_BAD_SGL);
	assert_int_equal(serve_source(&v, 3000, 1000), 0);
	assert_int_equal(serve_source(&v, 3000, 1001), HISI_ZIP_ST_BAD_SGL);
	assert_int_equal(serve_source(&v, 1, 0xffffff), HISI_ZIP_ST_BAD_SGL);
	assert_int_equal(serve_dest(&v, 4000, 0), 0);
	assert_int_equal(serve_dest(&v, 4001, 0), HISI_ZIP_ST_BAD_SGL);
	assert_int_equal(serve_dest(&v, 0xffffffff, 0), HISI_ZIP_ST_BAD_SGL);
	assert_int_equal(serve_dest(&v, 100, 3901), HISI_ZIP_ST_BAD_SGL);
	/* Bytes that the list has no room for are not looked for in what follows it. */
	bytes_put_le16(v.sgl + 10, 3);
	assert_int_equal(serve_source(&v, 3001, 0), HISI_ZIP_ST_BAD_SGL);
	bytes_put_le16(v.sgl + 10, 0);
	assert_int_equal(serve_source(&v, 1, 0), HISI_ZIP_ST_BAD_SGL);
	victim_close(&v);
}

static void lying_lists_are_refused(void **state)
{
	static const uint32_t bad_lens[] = { 0, (8u << 20) + 1, 0x80000000u, 0xffffffffu };
	struct victim v;

	(void)state;
	victim_open(&v);
	/* What the block says of its capacity is not looked at, as in the chip. */
	bytes_put_le16(v.sgl + 12, 3);
	assert_int_equal(serve_source(&v, 4000, 0), 0);
	/* More entries than any block may have. */
	bytes_put_le16(v.sgl + 10, 256);
	assert_int_equal(serve_source(&v, 100, 0), HISI_ZIP_ST_BAD_SGL);
	bytes_put_le16(v.sgl + 10, 4);
	assert_int_equal(serve_source(&v, 100, 0), 0);
	for (unsigned int i = 0; i < BASE_ARRAY_SIZE(bad_lens); i++) {
		bytes_put_le32(v.sgl + 96 + 16, bad_lens[i]);
		assert_int_equal(serve_source(&v, 1001, 0), HISI_ZIP_ST_BAD_SGL);
		assert_int_equal(serve_dest(&v, 1001, 0), HISI_ZIP_ST_BAD_SGL);
	}
	bytes_put_le32(v.sgl + 96 + 16, 1000);
	/* An entry around the end of the address space. */
	memset(v.sgl + 96, 0xff, 8);
	assert_int_equal(serve_source(&v, 1001, 0), HISI_ZIP_ST_BAD_SGL);
	victim_close(&v);
}

static void loops_and_crooked_lists_end(void **state)
{
	struct victim v;

	(void)state;
	victim_open(&v);
	/* Round and round: 256 blocks are walked at most. */
	put_addr((__le32 *)(void *)v.sgl, v.sgl);
	assert_int_equal(serve_source(&v, 256 * 4000, 0), 0);
	assert_int_equal(serve_source(&v, 256 * 4000 + 1, 0), HISI_ZIP_ST_BAD_SGL);
	assert_int_equal(serve_dest(&v, 256 * 4000 + 1, 0), HISI_ZIP_ST_BAD_SGL);
	/* The same without a single entry. */
	bytes_put_le16(v.sgl + 10, 0);
	assert_int_equal(serve_source(&v, 1, 0), HISI_ZIP_ST_BAD_SGL);
	bytes_put_le16(v.sgl + 10, 4);
	/* Not aligned: the first block, and a later one. */
	put_addr((__le32 *)(void *)v.sgl, v.sgl + 32);
	assert_int_equal(serve_source(&v, 4000, 0), 0);
	assert_int_equal(serve_source(&v, 4001, 0), HISI_ZIP_ST_BAD_SGL);
	v.sgl += 32;
	assert_int_equal(serve_source(&v, 1, 0), HISI_ZIP_ST_BAD_SGL);
	v.sgl -= 32;
	victim_close(&v);
}

/* Every byte that a request touches, out of reach in turn. */
static void unreachable_memory_is_told(void **state)
{
	enum {
		SIZE = 1 << 18
	};
	const uint32_t bad = HISI_ZIP_ST_BAD_ADDR;
	struct reach m = { .bytes = aligned_alloc(64, SIZE), .size = SIZE };
	uint8_t *const end = m.bytes + SIZE, *const beyond = end + 4096;
	const struct chip_dma *dmas[] = { &reach_mapped, &reach_copied };
	struct rig r;

	(void)state;
	memset(m.bytes, 0, SIZE);
	rig_data(m.bytes, 4000, RIG_TEXT);
	for (unsigned int d = 0; d < 2; d++) {
		rig_open(&r, 0, dmas[d]);
		r.dma.owner = &m;
		rig_fill(&r, 3, 1, m.bytes, 4000, m.bytes + 8192, 5000);
		assert_int_equal(rig_serve(&r, r.compress), 0);
		rig_fill(&r, 3, 1, end - 3999, 4000, m.bytes + 8192, 5000);
		assert_int_equal(rig_serve(&r, r.compress), bad);
		rig_fill(&r, 3, 1, m.bytes, 4000, beyond, 5000);
		assert_int_equal(rig_serve(&r, r.compress), bad);
		assert_int_equal(rig_consumed(&r) | rig_produced(&r), 0);
		rig_fill(&r, 3, 1, (void *)(UINTPTR_MAX - 100), 4000, m.bytes, 5000);
		assert_int_equal(rig_serve(&r, r.compress), bad);
		/* The list, and what it names. */
		rig_fill(&r, 3, 1, (void *)((uintptr_t)beyond & ~(uintptr_t)63), 10, m.bytes, 5000);
		use_sgl(&r, 0, 0);
		assert_int_equal(rig_serve(&r, r.compress), bad);
		/* The context, of either direction, and before and behind the wrap. */
		for (unsigned int q = 0; q < 2; q++)
			for (unsigned int is_new = 0; is_new < 2; is_new++) {
				rig_fill(&r, 3, 1, m.bytes, 100, m.bytes + 8192, 5000);
				bytes_put_le32(&r.sqe.dw7, 0x34000000u | is_new << 27);
				put_addr(&r.sqe.stream_ctx_addr_l, beyond);
				assert_int_equal(rig_serve(&r, q ? r.inflate : r.compress), bad);
				put_addr(&r.sqe.stream_ctx_addr_l, (void *)(UINTPTR_MAX - 63));
				assert_int_equal(rig_serve(&r, q ? r.inflate : r.compress), bad);
			}
		rig_close(&r);
	}
	free(m.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_round_trip),
		cmocka_unit_test(one_entry_is_enough),
		cmocka_unit_test(the_largest_request_fits_a_list),
		cmocka_unit_test(streams_take_lists),
		cmocka_unit_test(short_lists_are_refused),
		cmocka_unit_test(lying_lists_are_refused),
		cmocka_unit_test(loops_and_crooked_lists_end),
		cmocka_unit_test(unreachable_memory_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

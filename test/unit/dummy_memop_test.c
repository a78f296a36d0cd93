/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The dummy machine's engine by itself: a descriptor in, an answer out, over an
 * arena that is mapped whole, page by page, or not at all.  Every access is
 * checked against the arena's bounds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <zlib.h>

#include "chip/dummy/dummy_memop.h"

#define ARENA_BASE  0x7000000000ull
#define ARENA_BYTES (1u << 20)
#define HALF	    (ARENA_BYTES / 2)

enum map_mode {
	MAP_WHOLE,
	MAP_PAGES, /* nothing that crosses a page */
	MAP_READS, /* for reading only; writes are copied */
	MAP_NEVER, /* read and write only */
	MAP_MODES,
};

static uint8_t *arena;
static enum map_mode mode;
static int nr_mapped;

static bool is_inside(uint64_t addr, size_t bytes)
{
	return addr >= ARENA_BASE && addr - ARENA_BASE <= ARENA_BYTES &&
	       bytes <= ARENA_BYTES - (addr - ARENA_BASE);
}

static void *arena_map(void *owner, uint64_t addr, size_t bytes, bool is_write)
{
	(void)owner;
	assert_true(bytes <= 65536); /* in bounded pieces only */
	if (!is_inside(addr, bytes) || mode == MAP_NEVER || (mode == MAP_READS && is_write) ||
	    (mode == MAP_PAGES && addr % DUMMY_PAGE_BYTES + bytes > DUMMY_PAGE_BYTES))
		return NULL;
	nr_mapped++;
	return arena + (addr - ARENA_BASE);
}

static void arena_unmap(void *owner, void *ptr, size_t bytes, bool is_write)
{
	(void)owner;
	(void)ptr;
	(void)bytes;
	(void)is_write;
	nr_mapped--;
}

static int arena_read(void *owner, uint64_t addr, void *buf, size_t bytes)
{
	(void)owner;
	if (!is_inside(addr, bytes))
		return -EFAULT;
	memcpy(buf, arena + (addr - ARENA_BASE), bytes);
	return 0;
}

static int arena_write(void *owner, uint64_t addr, const void *buf, size_t bytes)
{
	(void)owner;
	if (!is_inside(addr, bytes))
		return -EFAULT;
	memcpy(arena + (addr - ARENA_BASE), buf, bytes);
	return 0;
}

static const struct chip_dma arena_dma = { arena_map, arena_unmap, arena_read, arena_write };

static int create_arena(void **state)
{
	size_t i;

	(void)state;
	arena = malloc(ARENA_BYTES);
	for (i = 0; arena && i < ARENA_BYTES; i++)
		arena[i] = (uint8_t)(i * 7 + i / 251);
	return arena ? 0 : -1;
}

static int free_arena(void **state)
{
	(void)state;
	free(arena);
	return 0;
}

static struct dummy_answer serve(const struct dummy_desc *desc)
{
	const struct dma_space space = { .dma = &arena_dma };
	uint8_t *bounce =
		malloc(DUMMY_PAGE_BYTES); /* to the byte, so that ASan sees one too many */
	struct dummy_answer answer;

	assert_non_null(bounce);
	dummy_memop_serve(&space, bounce, desc, &answer);
	assert_int_equal(nr_mapped, 0);
	free(bounce);
	return answer;
}

static struct dummy_desc to_desc(uint8_t opcode, uint64_t src, uint64_t dst, uint64_t len)
{
	return (struct dummy_desc){
		.opcode = opcode,
		.len = htole64(len),
		.src = htole64(src),
		.dst = htole64(dst),
	};
}

static const size_t sizes[] = { 0, 1, 7, 8, 9, 4095, 4096, 4097, 65535, 65536, 65537, 200001 };

/* Runs @check for every mode, size and some alignments. */
static void for_all(void (*check)(size_t src_at, size_t dst_at, size_t len))
{
	size_t k, at;

	for (mode = MAP_WHOLE; mode < MAP_MODES; mode++)
		for (k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++)
			for (at = 0; at < 3; at++)
				check(at * 3, HALF + 1 + at * 4093, sizes[k]);
}

static void expect_done(const struct dummy_answer *answer, size_t len)
{
	assert_int_equal(answer->status, DUMMY_ST_DONE);
	assert_int_equal(answer->error, DUMMY_ERR_NONE);
	assert_int_equal(answer->done, len);
}

static void check_copy(size_t src_at, size_t dst_at, size_t len)
{
	struct dummy_desc desc =
		to_desc(DUMMY_OP_COPY, ARENA_BASE + src_at, ARENA_BASE + dst_at, len);
	struct dummy_answer answer;

	memset(arena + HALF, 0xee, HALF);
	answer = serve(&desc);
	expect_done(&answer, len);
	assert_int_equal(answer.bytes_in, len);
	assert_int_equal(answer.bytes_out, len);
	assert_memory_equal(arena + dst_at, arena + src_at, len);
	assert_int_equal(arena[dst_at - 1], 0xee);
	assert_int_equal(arena[dst_at + len], 0xee);
}

static void check_fill(size_t src_at, size_t dst_at, size_t len)
{
	static const uint8_t pattern[8] = { 9, 8, 7, 6, 5, 4, 3, 2 };
	struct dummy_desc desc = to_desc(DUMMY_OP_FILL, 0, ARENA_BASE + dst_at, len);
	struct dummy_answer answer;
	size_t i;

	(void)src_at;
	memcpy(desc.pattern, pattern, sizeof(pattern));
	memset(arena + HALF, 0xee, HALF);
	answer = serve(&desc);
	expect_done(&answer, len);
	assert_int_equal(answer.bytes_in, 0);
	assert_int_equal(answer.bytes_out, len);
	for (i = 0; i < len && arena[dst_at + i] == pattern[i % 8]; i++)
		;
	assert_int_equal(i, len);
	assert_int_equal(arena[dst_at - 1], 0xee);
	assert_int_equal(arena[dst_at + len], 0xee);
}

static void check_crc(size_t src_at, size_t dst_at, size_t len)
{
	struct dummy_desc desc = to_desc(DUMMY_OP_CRC32, ARENA_BASE + src_at, 0, len);
	struct dummy_answer answer = serve(&desc);

	(void)dst_at;
	expect_done(&answer, len);
	assert_int_equal(answer.bytes_in, len);
	assert_int_equal(answer.bytes_out, 0);
	assert_int_equal(answer.crc, crc32(0, arena + src_at, (uInt)len));
}

static void copy_copies(void **state)
{
	(void)state;
	for_all(check_copy);
}

static void fill_repeats_its_pattern(void **state)
{
	(void)state;
	for_all(check_fill);
}

static void crc_is_that_of_gzip(void **state)
{
	struct dummy_desc desc = to_desc(DUMMY_OP_CRC32, ARENA_BASE, 0, 9);
	uint8_t before[9];

	(void)state;
	for_all(check_crc);
	/* The check value that everyone publishes. */
	memcpy(before, arena, sizeof(before));
	memcpy(arena, "123456789", 9);
	assert_int_equal(serve(&desc).crc, 0xcbf43926);
	memcpy(arena, before, sizeof(before));
}

static void nop_looks_at_nothing(void **state)
{
	struct dummy_desc desc = to_desc(DUMMY_OP_NOP, 1, 1, UINT64_MAX);
	struct dummy_answer answer = serve(&desc);

	(void)state;
	expect_done(&answer, 0);
	assert_int_equal(answer.bytes_in, 0);
	assert_int_equal(answer.bytes_out, 0);
}

static void expect_failure(const struct dummy_desc *desc, uint8_t error)
{
	struct dummy_answer answer = serve(desc);

	assert_int_equal(answer.status, DUMMY_ST_FAILED);
	assert_int_equal(answer.error, error);
	assert_int_equal(answer.done, 0);
}

static void fields_are_checked_before_anything_is_done(void **state)
{
	const uint64_t base = ARENA_BASE;
	struct dummy_desc desc;

	(void)state;
	mode = MAP_WHOLE;
	desc = to_desc(DUMMY_OP_CRC32 + 1, base, base + HALF, 1);
	expect_failure(&desc, DUMMY_ERR_OPCODE);
	desc.opcode = 0xff;
	expect_failure(&desc, DUMMY_ERR_OPCODE);
	desc = to_desc(DUMMY_OP_NOP, 0, 0, 0);
	desc.rsvd0 = 1;
	expect_failure(&desc, DUMMY_ERR_FIELD);
	desc = to_desc(DUMMY_OP_NOP, 0, 0, 0);
	desc.flags = htole16(2);
	expect_failure(&desc, DUMMY_ERR_FIELD);
	desc = to_desc(DUMMY_OP_NOP, 0, 0, 0);
	desc.rsvd1[0] = htole64(1);
	expect_failure(&desc, DUMMY_ERR_FIELD);
	desc = to_desc(DUMMY_OP_NOP, 0, 0, 0);
	desc.rsvd1[1] = htole64(1ull << 63);
	expect_failure(&desc, DUMMY_ERR_FIELD);
	desc = to_desc(DUMMY_OP_FILL, 0, base, DUMMY_LEN_MAX + 1);
	expect_failure(&desc, DUMMY_ERR_LENGTH);
	desc.len = htole64(UINT64_MAX);
	expect_failure(&desc, DUMMY_ERR_LENGTH);
	desc = to_desc(DUMMY_OP_COPY, base, base + 0xfff, 0x1000);
	expect_failure(&desc, DUMMY_ERR_OVERLAP);
	desc = to_desc(DUMMY_OP_COPY, base + 0xfff, base, 0x1000);
	expect_failure(&desc, DUMMY_ERR_OVERLAP);
	desc = to_desc(DUMMY_OP_COPY, base, base, 1);
	expect_failure(&desc, DUMMY_ERR_OVERLAP);
	desc = to_desc(DUMMY_OP_COPY, UINT64_MAX - 5, base, 16);
	expect_failure(&desc, DUMMY_ERR_ADDRESS);
	desc = to_desc(DUMMY_OP_COPY, base, UINT64_MAX - 5, 16);
	expect_failure(&desc, DUMMY_ERR_ADDRESS);
	desc = to_desc(DUMMY_OP_FILL, UINT64_MAX, UINT64_MAX - 5, 16);
	expect_failure(&desc, DUMMY_ERR_ADDRESS);
	desc = to_desc(DUMMY_OP_COPY, base, base, 0); /* nothing overlaps with nothing */
	assert_int_equal(serve(&desc).status, DUMMY_ST_DONE);
}

/* What was reached before the end of memory is said, and is true. */
static void unreachable_memory_ends_the_work(void **state)
{
	const uint64_t base = ARENA_BASE, end = ARENA_BASE + ARENA_BYTES;
	struct dummy_answer answer;
	struct dummy_desc desc;

	(void)state;
	for (mode = MAP_WHOLE; mode < MAP_MODES; mode++) {
		desc = to_desc(DUMMY_OP_COPY, 0, base, 16);
		expect_failure(&desc, DUMMY_ERR_ADDRESS);
		desc = to_desc(DUMMY_OP_COPY, base, end, 1);
		expect_failure(&desc, DUMMY_ERR_ADDRESS);
		desc = to_desc(DUMMY_OP_COPY, base, end - 0x1800, 0x1801); /* one byte too far */
		answer = serve(&desc);
		assert_int_equal(answer.error, DUMMY_ERR_ADDRESS);
		assert_int_equal(answer.done, 0x1800);
		assert_memory_equal(arena, arena + ARENA_BYTES - 0x1800, 0x1800);
		desc = to_desc(DUMMY_OP_CRC32, end - 0x11000, 0, DUMMY_LEN_MAX);
		answer = serve(&desc);
		assert_int_equal(answer.error, DUMMY_ERR_ADDRESS);
		assert_int_equal(answer.done, 0x11000);
		desc = to_desc(DUMMY_OP_FILL, 0, end - 1, 2);
		answer = serve(&desc);
		assert_int_equal(answer.error, DUMMY_ERR_ADDRESS);
		assert_int_equal(answer.done, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copy_copies),
		cmocka_unit_test(fill_repeats_its_pattern),
		cmocka_unit_test(crc_is_that_of_gzip),
		cmocka_unit_test(nop_looks_at_nothing),
		cmocka_unit_test(fields_are_checked_before_anything_is_done),
		cmocka_unit_test(unreachable_memory_ends_the_work),
	};

	return cmocka_run_group_tests(tests, create_arena, free_arena);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Any memory of a program, over devices of every kind: any pointer, shared
 * memory in place, memory of their own.  Same calls, same results, same bytes;
 * what was copied is counted.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>
#include <zlib.h>

#include <wd/comp.h>
#include <wd/mem.h>
#include <wd/memop.h>
#include <wd/stats.h>
#include <wd/wd.h>

#include "lib/t_assert.h"
#include "lib/t_fork.h"

#define NR_KINDS    3 /* of devices */
#define NR_FAMILIES 2
#define NR_DEVICES  (NR_KINDS * NR_FAMILIES)
#define KIND_SVA    0
#define KIND_SHARE  1
#define KIND_BOUNCE 2
#define ZIP	    0
#define DUMMY	    1

#define DEVICES                                                             \
	"hisi_zip:memory=sva,hisi_zip:memory=share,hisi_zip:memory=bounce," \
	"dummy:memory=sva,dummy:memory=share,dummy:memory=bounce"

#define AREA_BYTES (1u << 18)
#define HUGE_BYTES (2u << 20)
#define MIB	   (1u << 20)

static const char *const names[NR_FAMILIES][NR_KINDS] = {
	{ "embed:hisi_zip-0", "embed:hisi_zip-1", "embed:hisi_zip-2" },
	{ "embed:dummy-0", "embed:dummy-1", "embed:dummy-2" },
};

static uint64_t bounced[NR_FAMILIES][NR_KINDS]; /* as the requests said */
static size_t page;

/* ---------------------------------------------------------------- queues */

static void open_queue(struct wd_queue *q, int family, int kind, enum wd_op op)
{
	*q = (struct wd_queue){ .size = sizeof(*q), .flags = WD_QUEUE_F_NEAR };
	q->capa.alg = family == ZIP ? "gzip" : "memop";
	q->capa.op = op;
	strcpy(q->device, names[family][kind]);
	assert_ok(wd_request_queue(q));
}

static uint64_t *bounced_of(const struct wd_queue *q)
{
	int family = strstr(q->device, "zip") ? ZIP : DUMMY;

	return &bounced[family][q->device[strlen(q->device) - 1] - '0'];
}

static void recv_one(struct wd_queue *q, struct wd_req *head)
{
	struct wd_req *back = NULL;

	assert_ok(wd_recv_sync(q, &back));
	assert_ptr_equal(back, head);
	*bounced_of(q) += head->bounced_bytes;
}

/* One request, there and back; returns what was copied for it. */
static uint64_t do_one(struct wd_queue *q, struct wd_req *head)
{
	assert_ok(wd_send(q, head));
	recv_one(q, head);
	assert_int_equal(head->status, WD_STATUS_OK);
	return head->bounced_bytes;
}

static struct wd_memop_req memop(enum wd_op op, const void *src, void *dst, uint64_t len)
{
	return (struct wd_memop_req){ .head = { .op = op }, .src = src, .dst = dst, .len = len };
}

static struct wd_comp_req comp(enum wd_op op, const void *src, uint32_t src_len, void *dst,
			       uint32_t dst_len)
{
	return (struct wd_comp_req){ .head = { .op = op },
				     .format = WD_COMP_GZIP,
				     .src = src,
				     .src_len = src_len,
				     .dst = dst,
				     .dst_len = dst_len };
}

/* ---------------------------------------------------------------- memory of all sorts */

enum area {
	AREA_HEAP,
	AREA_STATIC,
	AREA_STACK,
	AREA_ANONYMOUS,
	AREA_FILE_PRIVATE,
	AREA_FILE_SHARED,
	AREA_HUGE,
	AREA_READ_ONLY,
	NR_AREAS,
};

#define NR_WRITABLE AREA_READ_ONLY

static uint8_t *area[NR_AREAS];
static uint8_t static_area[AREA_BYTES];
static uint8_t *huge_map;
static FILE *file;

static void fill(uint8_t *p, size_t bytes, unsigned int seed)
{
	for (size_t i = 0; i < bytes; i++)
		p[i] = (uint8_t)("some words of no great length, "[(i + i / 37 + seed) % 31] +
				 (i % 1009 == 0));
}

static uint8_t *map_file(int prot, int flags)
{
	uint8_t *p = mmap(NULL, AREA_BYTES, prot, flags, fileno(file), 0);

	assert_true(p != MAP_FAILED);
	return p;
}

/* A page of the large size where the machine has one to spare, else as near as can be had. */
static uint8_t *map_huge(void)
{
	uintptr_t at;

	huge_map = mmap(NULL, HUGE_BYTES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (huge_map != MAP_FAILED)
		return huge_map;
	huge_map = mmap(NULL, 2 * HUGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);
	assert_true(huge_map != MAP_FAILED);
	at = ((uintptr_t)huge_map + HUGE_BYTES - 1) & ~(uintptr_t)(HUGE_BYTES - 1);
	madvise((void *)at, HUGE_BYTES, MADV_HUGEPAGE);
	return (uint8_t *)at;
}

static int make_areas(void **state)
{
	(void)state;
	page = (size_t)sysconf(_SC_PAGESIZE);
	file = tmpfile();
	if (!file || ftruncate(fileno(file), AREA_BYTES))
		return -1;
	area[AREA_HEAP] = malloc(AREA_BYTES);
	area[AREA_STATIC] = static_area;
	area[AREA_ANONYMOUS] =
		mmap(NULL, AREA_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	area[AREA_FILE_SHARED] = map_file(PROT_READ | PROT_WRITE, MAP_SHARED);
	fill(area[AREA_FILE_SHARED], AREA_BYTES, 3);
	area[AREA_FILE_PRIVATE] = map_file(PROT_READ | PROT_WRITE, MAP_PRIVATE);
	area[AREA_READ_ONLY] = map_file(PROT_READ, MAP_PRIVATE);
	area[AREA_HUGE] = map_huge();
	return area[AREA_HEAP] && area[AREA_ANONYMOUS] != MAP_FAILED ? 0 : -1;
}

static int free_areas(void **state)
{
	(void)state;
	free(area[AREA_HEAP]);
	munmap(area[AREA_ANONYMOUS], AREA_BYTES);
	munmap(area[AREA_FILE_SHARED], AREA_BYTES);
	munmap(area[AREA_FILE_PRIVATE], AREA_BYTES);
	munmap(area[AREA_READ_ONLY], AREA_BYTES);
	munmap(huge_map, huge_map == area[AREA_HUGE] ? HUGE_BYTES : 2 * HUGE_BYTES);
	fclose(file);
	return 0;
}

static void share_all_areas(struct wd_queue *q)
{
	for (unsigned int a = 0; a < NR_AREAS; a++)
		assert_ok(wd_mem_share(q, area[a], AREA_BYTES,
				       a < NR_WRITABLE ? WD_SHARE_READ | WD_SHARE_WRITE :
							 WD_SHARE_READ));
}

static void unshare_all_areas(struct wd_queue *q)
{
	for (unsigned int a = 0; a < NR_AREAS; a++)
		assert_ok(wd_mem_unshare(q, area[a], AREA_BYTES));
}

/* ---------------------------------------------------------------- copy, fill, sum */

static void check_memop(struct wd_queue *q, const uint8_t *src, uint8_t *dst, size_t len,
			bool is_copied)
{
	struct wd_memop_req req;
	uint8_t before = dst[-1], behind = (uint8_t)(src[len] + 1);
	size_t i;

	dst[len] = behind;
	req = memop(WD_OP_COPY, src, dst, len);
	assert_int_equal(do_one(q, &req.head), is_copied ? 2 * len : 0);
	assert_memory_equal(dst, src, len);
	req = memop(WD_OP_CRC32, dst, NULL, len);
	assert_int_equal(do_one(q, &req.head), is_copied ? len : 0);
	assert_int_equal(req.crc, crc32(0, src, (uInt)len));
	req = memop(WD_OP_FILL, NULL, dst, len);
	memcpy(&req.pattern, "01234567", 8);
	assert_int_equal(do_one(q, &req.head), is_copied ? len : 0);
	for (i = 0; i < len; i++)
		if (dst[i] != '0' + i % 8)
			fail();
	assert_int_equal(dst[-1], before);
	assert_int_equal(dst[len], behind);
}

static void check_memop_areas(struct wd_queue *q, bool is_copied)
{
	static const size_t sizes[] = { 0, 1, 4095, 4097, 70001 };
	unsigned int from, to, s;

	for (from = 0; from < NR_AREAS; from++)
		for (to = 0; to < NR_WRITABLE; to++)
			for (s = 0; s < 5; s++)
				check_memop(q, area[from] + (from == to ? 0 : 3),
					    area[to] + AREA_BYTES / 2 + 5 + s, sizes[s], is_copied);
}

static void any_memory_is_worked_on(void **state)
{
	uint8_t stack_area[AREA_BYTES];
	struct wd_queue q;
	unsigned int a;
	int kind;

	(void)state;
	area[AREA_STACK] = stack_area;
	for (a = 0; a < NR_WRITABLE; a++)
		fill(area[a], AREA_BYTES, a);
	for (kind = 0; kind < NR_KINDS; kind++) {
		open_queue(&q, DUMMY, kind, WD_OP_COPY);
		check_memop_areas(&q, kind != KIND_SVA);
		share_all_areas(&q);
		check_memop_areas(&q, kind == KIND_BOUNCE);
		unshare_all_areas(&q);
		check_memop(&q, area[0], area[1] + 1, 1000, kind != KIND_SVA);
		wd_release_queue(&q);
	}
}

/* ---------------------------------------------------------------- compression */

/* The first kind's output, which the others' must equal. */
static uint8_t first_output[AREA_BYTES];
static uint32_t first_bytes;

static void check_output(int kind, const uint8_t *output, uint32_t bytes)
{
	if (kind == KIND_SVA) {
		memcpy(first_output, output, bytes);
		first_bytes = bytes;
	}
	assert_int_equal(bytes, first_bytes);
	assert_memory_equal(output, first_output, bytes);
}

static void check_comp(struct wd_queue *in, struct wd_queue *out, int kind, const uint8_t *src,
		       uint32_t len, uint8_t *dst, uint8_t *back, bool is_copied)
{
	struct wd_comp_req req = comp(WD_OP_COMPRESS, src, len, dst, AREA_BYTES / 4);

	do_one(in, &req.head);
	assert_int_equal(req.consumed, len);
	assert_int_equal(req.head.bounced_bytes, is_copied ? len + req.produced : 0);
	check_output(kind, dst, req.produced);
	req = comp(WD_OP_DECOMPRESS, dst, req.produced, back, AREA_BYTES / 4);
	do_one(out, &req.head);
	assert_int_equal(req.produced, len);
	assert_int_equal(req.head.bounced_bytes, is_copied ? len + req.consumed : 0);
	assert_memory_equal(back, src, len);
}

static void any_memory_is_compressed(void **state)
{
	static const uint32_t sizes[] = { 0, 1, 4097, 60001 };
	uint8_t stack_area[AREA_BYTES];
	struct wd_queue in, out;
	unsigned int from, s, round;
	int kind;

	(void)state;
	area[AREA_STACK] = stack_area;
	fill(area[AREA_STACK], AREA_BYTES, 1);
	for (from = 0; from < NR_AREAS; from++)
		for (s = 0; s < 4; s++)
			for (kind = 0; kind < NR_KINDS; kind++) {
				unsigned int to = (from + 1) % NR_WRITABLE;

				open_queue(&in, ZIP, kind, WD_OP_COMPRESS);
				open_queue(&out, ZIP, kind, WD_OP_DECOMPRESS);
				for (round = 0; round < 2; round++) {
					bool is_copied = kind == KIND_BOUNCE ||
							 (kind == KIND_SHARE && !round);

					if (round)
						share_all_areas(&in); /* for both queues */
					check_comp(&in, &out, kind, area[from] + s, sizes[s],
						   area[to] + AREA_BYTES / 4 + s,
						   area[to] + AREA_BYTES / 2 + 1, is_copied);
				}
				wd_release_queue(&in);
				wd_release_queue(&out);
			}
}

/* A piece's context lies in memory, too, and comes back changed. */
static void streams_keep_their_context(void **state)
{
	static _Alignas(64) uint8_t context[2][WD_COMP_STATE_BYTES];
	uint8_t *src = area[AREA_HEAP], *packed = area[AREA_ANONYMOUS], *back = static_area;
	struct wd_queue in, out;
	unsigned int i, round;
	int kind;

	(void)state;
	fill(src, AREA_BYTES, 9);
	for (round = 0; round < 2; round++)
		for (kind = 0; kind < NR_KINDS; kind++) {
			struct wd_comp_state write = { .buf = context[0] };
			struct wd_comp_state read = { .buf = context[1] };
			uint32_t nr_packed = 0, nr_back = 0;

			memset(context, 0, sizeof(context));
			open_queue(&in, ZIP, kind, WD_OP_COMPRESS);
			open_queue(&out, ZIP, kind, WD_OP_DECOMPRESS);
			if (round)
				assert_ok(wd_mem_share(&in, context, sizeof(context),
						       WD_SHARE_READ | WD_SHARE_WRITE));
			for (i = 0; i < 8; i++) {
				struct wd_comp_req req = comp(WD_OP_COMPRESS, src + i * 9001, 9001,
							      packed + nr_packed, 20000);

				req.state = &write;
				req.flags = i == 7 ? WD_COMP_F_FINISH : 0;
				do_one(&in, &req.head);
				nr_packed += req.produced;
				if (kind == KIND_SHARE && round)
					assert_int_equal(req.head.bounced_bytes,
							 9001 + req.produced);
				else if (kind != KIND_SVA)
					assert_true(req.head.bounced_bytes > 9001 + 65536);
			}
			check_output(kind, packed, nr_packed);
			for (i = 0; i < nr_packed; i += 1000) {
				uint32_t n = nr_packed - i < 1000 ? nr_packed - i : 1000;
				struct wd_comp_req req = comp(WD_OP_DECOMPRESS, packed + i, n,
							      back + nr_back, AREA_BYTES - nr_back);

				req.state = &read;
				assert_ok(wd_send(&out, &req.head));
				recv_one(&out, &req.head);
				assert_int_equal(req.head.status, i + n < nr_packed ?
									  WD_STATUS_OK :
									  WD_STATUS_STREAM_END);
				assert_int_equal(req.consumed, n);
				nr_back += req.produced;
			}
			assert_int_equal(nr_back, 8 * 9001);
			assert_memory_equal(back, src, nr_back);
			wd_release_queue(&in);
			wd_release_queue(&out);
		}
}

/* Lists of pieces here and there, some shared; what lies before the data is left alone. */
static void scattered_memory_is_gathered(void **state)
{
	static uint8_t flat[AREA_BYTES], back[AREA_BYTES], eighth[AREA_BYTES];
	struct iovec src[NR_AREAS], dst[3];
	struct wd_queue in, out;
	unsigned int a, i, n;
	int kind;

	(void)state;
	area[AREA_STACK] = eighth; /* none of its own here */
	for (kind = 0; kind < NR_KINDS; kind++) {
		struct wd_comp_req req = comp(WD_OP_COMPRESS, src, 0, dst, 0);

		for (a = 0, n = 0; a < NR_AREAS; a++) {
			src[a] = (struct iovec){ area[a] + a, 100 + 577 * a };
			memcpy(flat + n, src[a].iov_base, src[a].iov_len);
			n += (uint32_t)src[a].iov_len;
		}
		for (i = 0; i < 3; i++) {
			dst[i] = (struct iovec){ static_area + AREA_BYTES / 2 + i * 30000,
						 10 + i * 9000 };
			memset(dst[i].iov_base, 0x5a, dst[i].iov_len);
		}
		open_queue(&in, ZIP, kind, WD_OP_COMPRESS);
		open_queue(&out, ZIP, kind, WD_OP_DECOMPRESS);
		assert_ok(wd_mem_share(&in, area[AREA_HUGE], AREA_BYTES, WD_SHARE_READ));
		req.flags = WD_COMP_F_SGL;
		req.src_nr = NR_AREAS;
		req.src_offset = 150; /* within the second */
		req.src_len = n - 150 - 7;
		req.dst_nr = 3;
		req.dst_offset = 15; /* likewise */
		req.dst_len = 27000;
		do_one(&in, &req.head);
		n = req.src_len;
		i = req.produced;
		if (kind == KIND_BOUNCE)
			assert_int_equal(req.head.bounced_bytes, n + i);
		else if (kind == KIND_SHARE)
			assert_int_equal(req.head.bounced_bytes, n + i - src[AREA_HUGE].iov_len);
		/* Ten bytes of the first, five of the second: not the output's. */
		for (a = 0; a < 10; a++)
			assert_int_equal(((uint8_t *)dst[0].iov_base)[a], 0x5a);
		for (a = 0; a < 5; a++)
			assert_int_equal(((uint8_t *)dst[1].iov_base)[a], 0x5a);
		assert_true(i < 9000 - 5 + 10);
		check_output(kind, (uint8_t *)dst[1].iov_base + 5, i);
		assert_int_equal(((uint8_t *)dst[2].iov_base)[17999], 0x5a);
		req = comp(WD_OP_DECOMPRESS, first_output, i, back, AREA_BYTES);
		do_one(&out, &req.head);
		assert_int_equal(req.produced, n);
		assert_memory_equal(back, flat + 150, n);
		wd_release_queue(&in);
		wd_release_queue(&out);
	}
}

/* ---------------------------------------------------------------- sharing */

static void a_border_in_the_middle_is_no_obstacle(void **state)
{
	uint8_t *p = area[AREA_ANONYMOUS], *dst = area[AREA_HEAP];
	struct wd_queue q;
	int kind;

	(void)state;
	fill(p, AREA_BYTES, 4);
	for (kind = 0; kind < NR_KINDS; kind++) {
		bool is_copied = kind == KIND_BOUNCE;

		open_queue(&q, DUMMY, kind, WD_OP_COPY);
		assert_ok(wd_mem_share(&q, dst, AREA_BYTES, WD_SHARE_READ | WD_SHARE_WRITE));
		assert_ok(wd_mem_share(&q, p + page, 4 * page, WD_SHARE_READ));
		check_memop(&q, p + page, dst + 1, 4 * page, is_copied);
		check_memop(&q, p + 2 * page - 9, dst + 1, 99, is_copied);
		for (unsigned int i = 0; i < 2; i++) {
			/* Across its beginning, and its end: the source is copied, the rest not. */
			struct wd_memop_req req =
				memop(WD_OP_COPY, p + page * (1 + 4 * i) - 50, dst, 100);

			assert_int_equal(do_one(&q, &req.head),
					 (kind != KIND_SVA) * (is_copied ? 200 : 100));
			assert_memory_equal(dst, req.src, 100);
		}
		/* Two that touch are as one. */
		assert_ok(wd_mem_share(&q, p + 5 * page, 1, WD_SHARE_READ));
		check_memop(&q, p + 5 * page - 50, dst + 1, 100, is_copied);
		wd_release_queue(&q);
	}
}

static void what_cannot_be_shared_is_refused(void **state)
{
	uint8_t *hole, *short_file;
	struct wd_queue q;
	int kind;
	FILE *f;

	(void)state;
	if (!t_madvise_is_heard())
		skip();
	hole = mmap(NULL, 8 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	f = tmpfile();
	assert_true(hole != MAP_FAILED);
	assert_non_null(f);
	assert_ok(ftruncate(fileno(f), (off_t)page));
	short_file = mmap(NULL, 2 * page, PROT_READ, MAP_SHARED, fileno(f), 0);
	assert_true(short_file != MAP_FAILED);
	assert_ok(munmap(hole + 3 * page, page));
	assert_ok(mprotect(hole + 5 * page, page, PROT_NONE));
	assert_ok(mprotect(hole + 6 * page, page, PROT_READ));
	for (kind = 0; kind < NR_KINDS; kind++) {
		open_queue(&q, DUMMY, kind, WD_OP_COPY);
		assert_int_equal(wd_mem_share(&q, hole, 4 * page, WD_SHARE_READ), -EFAULT);
		assert_int_equal(wd_mem_share(&q, hole + 3 * page, 1, WD_SHARE_READ), -EFAULT);
		assert_int_equal(wd_mem_share(&q, hole + 4 * page, page + 1, WD_SHARE_READ),
				 -EFAULT);
		assert_int_equal(wd_mem_share(&q, hole + 6 * page, 9, WD_SHARE_WRITE), -EFAULT);
		assert_int_equal(wd_mem_share(&q, area[AREA_READ_ONLY], AREA_BYTES, WD_SHARE_WRITE),
				 -EFAULT);
		assert_int_equal(wd_mem_share(&q, short_file, 2 * page, WD_SHARE_READ), -EFAULT);
		assert_int_equal(wd_mem_share(&q, hole, 0, WD_SHARE_READ), -EINVAL);
		assert_int_equal(wd_mem_share(&q, hole, SIZE_MAX, WD_SHARE_READ), -EINVAL);
		assert_int_equal(wd_mem_share(&q, hole, 1, 0), -EINVAL);
		assert_int_equal(wd_mem_share(&q, hole, 1, 1u << 9), -EINVAL);
		assert_int_equal(wd_mem_share(&q, NULL, 1, WD_SHARE_READ), -EINVAL);
		assert_int_equal(wd_mem_share(&q, hole, 1, WD_SHARE_ALL), -EINVAL);
		assert_int_equal(wd_mem_unshare(&q, hole, page), -EINVAL);
		assert_ok(wd_mem_share(&q, hole, 3 * page, WD_SHARE_READ | WD_SHARE_WRITE));
		assert_ok(wd_mem_share(&q, hole + 6 * page, 9, WD_SHARE_READ));
		assert_ok(wd_mem_share(&q, short_file, page, WD_SHARE_READ));
		assert_ok(wd_mem_unshare(&q, short_file, page));
		wd_release_queue(&q);
		assert_int_equal(wd_mem_share(&q, hole, page, WD_SHARE_READ), -EINVAL);
		assert_int_equal(wd_mem_unshare(&q, hole, 3 * page), -EINVAL);
	}
	munmap(hole, 3 * page);
	munmap(hole + 4 * page, 4 * page);
	munmap(short_file, 2 * page);
	fclose(f);
}

static void all_of_memory_is_for_devices_of_any_pointer(void **state)
{
	struct wd_queue q;
	int kind;

	(void)state;
	for (kind = 0; kind < NR_KINDS; kind++) {
		open_queue(&q, DUMMY, kind, WD_OP_COPY);
		if (kind == KIND_SVA) {
			assert_ok(wd_mem_share(&q, NULL, 0, WD_SHARE_ALL));
			assert_ok(wd_mem_unshare(&q, NULL, 0));
		} else {
			assert_int_equal(wd_mem_share(&q, NULL, 0, WD_SHARE_ALL), -EOPNOTSUPP);
		}
		assert_int_equal(wd_mem_unshare(&q, NULL, 0), -EINVAL);
		wd_release_queue(&q);
	}
}

static void ranges_are_taken_back_as_often_as_they_were_shared(void **state)
{
	uint8_t *p = area[AREA_ANONYMOUS];
	struct wd_queue q, other;
	int kind;

	(void)state;
	for (kind = 0; kind < NR_KINDS; kind++) {
		struct wd_memop_req req = memop(WD_OP_CRC32, p, NULL, 100);
		uint64_t in_place = kind == KIND_BOUNCE ? 100 : 0;
		uint64_t apart = kind == KIND_SVA ? 0 : 100;

		open_queue(&q, DUMMY, kind, WD_OP_COPY);
		open_queue(&other, DUMMY, kind, WD_OP_COPY);
		assert_ok(wd_mem_share(&q, p, 100, WD_SHARE_READ));
		assert_ok(wd_mem_share(&q, p, 100, WD_SHARE_READ));
		assert_ok(wd_mem_share(&q, p, 4 * page, WD_SHARE_READ));
		/* For all queues of the device, but not theirs to take back. */
		assert_int_equal(do_one(&other, &req.head), in_place);
		assert_int_equal(wd_mem_unshare(&other, p, 100), -EINVAL);
		assert_int_equal(wd_mem_unshare(&q, p, 99), -EINVAL);
		assert_ok(wd_mem_unshare(&q, p, 4 * page));
		assert_ok(wd_mem_unshare(&q, p, 100));
		assert_int_equal(do_one(&q, &req.head), in_place);
		assert_ok(wd_mem_unshare(&q, p, 100));
		assert_int_equal(wd_mem_unshare(&q, p, 100), -EINVAL);
		assert_int_equal(do_one(&q, &req.head), apart);
		/* What a queue leaves goes with it. */
		assert_ok(wd_mem_share(&q, p, 100, WD_SHARE_READ));
		assert_int_equal(do_one(&other, &req.head), in_place);
		wd_release_queue(&q);
		assert_int_equal(do_one(&other, &req.head), apart);
		wd_release_queue(&other);
	}
}

static void one_range_serves_two_devices(void **state)
{
	uint8_t *p = area[AREA_ANONYMOUS];
	struct wd_comp_req req = comp(WD_OP_COMPRESS, p, 1000, p + AREA_BYTES / 2, 10000);
	struct wd_memop_req sum = memop(WD_OP_CRC32, p, NULL, 1000);
	struct wd_queue zip, dummy;

	(void)state;
	open_queue(&zip, ZIP, KIND_SHARE, WD_OP_COMPRESS);
	open_queue(&dummy, DUMMY, KIND_SHARE, WD_OP_COPY);
	assert_ok(wd_mem_share(&zip, p, AREA_BYTES, WD_SHARE_READ | WD_SHARE_WRITE));
	assert_int_equal(do_one(&dummy, &sum.head), 1000);
	assert_ok(wd_mem_share(&dummy, p, AREA_BYTES, WD_SHARE_READ | WD_SHARE_WRITE));
	assert_int_equal(do_one(&dummy, &sum.head), 0);
	assert_int_equal(do_one(&zip, &req.head), 0);
	assert_ok(wd_mem_unshare(&zip, p, AREA_BYTES));
	assert_int_equal(do_one(&dummy, &sum.head), 0);
	assert_int_equal(do_one(&zip, &req.head), 1000 + req.produced);
	wd_release_queue(&zip);
	wd_release_queue(&dummy);
}

/* The device finds the door shut; the request says so, and the next one is copied. */
static void unshared_in_flight_is_a_bad_address(void **state)
{
	uint8_t *p = area[AREA_ANONYMOUS];
	struct wd_comp_req pack = comp(WD_OP_COMPRESS, p, 1000, p + AREA_BYTES / 2, 10000);
	struct wd_memop_req copy = memop(WD_OP_COPY, p, p + AREA_BYTES / 2, 1000);
	struct wd_req *head[NR_FAMILIES] = { &pack.head, &copy.head };
	struct wd_queue q;
	int family;

	(void)state;
	for (family = 0; family < NR_FAMILIES; family++) {
		open_queue(&q, family, KIND_SHARE, family == ZIP ? WD_OP_COMPRESS : WD_OP_COPY);
		assert_ok(wd_mem_share(&q, p, AREA_BYTES, WD_SHARE_READ | WD_SHARE_WRITE));
		/* Nobody works on a near queue but who waits. */
		assert_ok(wd_send(&q, head[family]));
		assert_ok(wd_mem_unshare(&q, p, AREA_BYTES));
		recv_one(&q, head[family]);
		assert_int_equal(head[family]->status, WD_STATUS_BAD_ADDRESS);
		assert_int_equal(head[family]->bounced_bytes, 0);
		assert_true(do_one(&q, head[family]) > 1000);
		assert_ok(wd_mem_share(&q, p, AREA_BYTES, WD_SHARE_READ | WD_SHARE_WRITE));
		assert_int_equal(do_one(&q, head[family]), 0);
		wd_release_queue(&q);
	}
}

/* Shares and unshares around, over and within what the other thread uses. */
static void *share_around(void *arg)
{
	uint8_t *p = area[AREA_ANONYMOUS];
	_Atomic bool *is_done = arg;
	struct wd_queue q;
	unsigned int i;

	open_queue(&q, DUMMY, KIND_SHARE, WD_OP_COPY);
	for (i = 0; !atomic_load(is_done); i++) {
		size_t at = i % 9 * page, bytes = (1 + i % 5) * page;

		assert_ok(wd_mem_share(&q, p + at, bytes, WD_SHARE_READ | i % 2 * WD_SHARE_WRITE));
		assert_ok(wd_mem_share(&q, p, AREA_BYTES, WD_SHARE_READ));
		assert_ok(wd_mem_unshare(&q, p + at, bytes));
		assert_ok(wd_mem_unshare(&q, p, AREA_BYTES));
	}
	wd_release_queue(&q);
	return NULL;
}

static void sharing_does_not_disturb_who_has_shared(void **state)
{
	uint8_t *p = area[AREA_ANONYMOUS];
	_Atomic bool is_done = false;
	struct wd_memop_req req;
	struct wd_queue q;
	pthread_t thread;
	unsigned int i;

	(void)state;
	open_queue(&q, DUMMY, KIND_SHARE, WD_OP_COPY);
	assert_ok(wd_mem_share(&q, p + 4 * page, 4 * page, WD_SHARE_READ | WD_SHARE_WRITE));
	assert_ok(pthread_create(&thread, NULL, share_around, &is_done));
	for (i = 0; i < 2000; i++) {
		req = memop(WD_OP_COPY, p + 4 * page + i % 7, p + 6 * page, 2 * page - 10);
		assert_int_equal(do_one(&q, &req.head), 0);
	}
	atomic_store(&is_done, true);
	pthread_join(thread, NULL);
	wd_release_queue(&q);
}

/* ---------------------------------------------------------------- room for copies */

/* 64 MiB by default: four copies of 8 MiB there and back. */
static void copies_have_their_bound(void **state)
{
	struct wd_memop_req req[6];
	struct wd_req *heads[6], *back;
	uint8_t *p =
		mmap(NULL, 100 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct wd_queue q;
	unsigned int i;

	(void)state;
	assert_true(p != MAP_FAILED);
	fill(p, 8 * MIB, 2);
	open_queue(&q, DUMMY, KIND_BOUNCE, WD_OP_COPY);
	for (i = 0; i < 6; i++) {
		req[i] = memop(WD_OP_COPY, p, p + (1 + i) * 8 * MIB, 8 * MIB);
		heads[i] = &req[i].head;
	}
	assert_int_equal(wd_send_burst(&q, heads, 6), 4);
	assert_int_equal(wd_send_burst(&q, heads + 4, 2), -EAGAIN);
	assert_ok(wd_recv_sync(&q, &back));
	*bounced_of(&q) += back->bounced_bytes;
	assert_int_equal(wd_send_burst(&q, heads + 4, 2), 1);
	for (i = 0; i < 4; i++) {
		assert_ok(wd_recv_sync(&q, &back));
		*bounced_of(&q) += back->bounced_bytes;
		assert_int_equal(back->status, WD_STATUS_OK);
	}
	for (i = 0; i < 5; i++)
		assert_memory_equal(req[i].dst, p, 8 * MIB);
	/* What can never be is not to be waited for. */
	req[0] = memop(WD_OP_CRC32, p, NULL, 65 * MIB);
	assert_int_equal(wd_send(&q, heads[0]), -ENOMEM);
	req[0] = memop(WD_OP_COPY, p, p + 50 * MIB, 40 * MIB);
	assert_int_equal(wd_send(&q, heads[0]), -ENOMEM);
	req[0] = memop(WD_OP_CRC32, p, NULL, 60 * MIB);
	assert_int_equal(do_one(&q, heads[0]), 60 * MIB);
	assert_int_equal(req[0].crc, crc32(0, p, 60 * MIB));
	wd_release_queue(&q);
	munmap(p, 100 * MIB);
}

/* A queue that is dropped with work in flight leaves the buffers as they are. */
static void dropped_requests_copy_nothing_back(void **state)
{
	uint8_t *p = area[AREA_ANONYMOUS];
	struct wd_comp_req pack = comp(WD_OP_COMPRESS, p, 1000, p + AREA_BYTES / 2, 10000);
	struct wd_memop_req copy = memop(WD_OP_COPY, p, p + AREA_BYTES / 2, 1000);
	struct wd_req *head[NR_FAMILIES] = { &pack.head, &copy.head };
	struct wd_queue q;
	int family;

	(void)state;
	fill(p, 1000, 5);
	for (family = 0; family < NR_FAMILIES; family++) {
		memset(p + AREA_BYTES / 2, 0x77, 10000);
		open_queue(&q, family, KIND_BOUNCE, family == ZIP ? WD_OP_COMPRESS : WD_OP_COPY);
		assert_ok(wd_send(&q, head[family]));
		wd_release_queue(&q);
		for (unsigned int i = 0; i < 10000; i++)
			if (p[AREA_BYTES / 2 + i] != 0x77)
				fail();
	}
}

/* ---------------------------------------------------------------- fresh pages, counters */

static struct wd_counters counters_of(const char *name)
{
	struct wd_device_stats stats[NR_DEVICES];
	unsigned int i;

	for (i = 0; i < NR_DEVICES; i++)
		stats[i].size = sizeof(stats[i]);
	assert_int_equal(wd_stats_read(0, stats, NR_DEVICES), NR_DEVICES);
	for (i = 0; strcmp(stats[i].name, name); i++)
		assert_true(i + 1 < NR_DEVICES);
	return stats[i].counters;
}

static unsigned int nr_resident(uint8_t *p, unsigned int nr_pages)
{
	unsigned char there[64];
	unsigned int i, n = 0;

	assert_ok(mincore(p, nr_pages * page, there));
	for (i = 0; i < nr_pages; i++)
		n += there[i] & 1;
	return n;
}

static void fresh_pages_are_made_ready(void **state)
{
	uint64_t before = counters_of(names[DUMMY][KIND_SVA]).populated_pages;
	uint8_t *p =
		mmap(NULL, 64 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct wd_queue q;
	int err;

	(void)state;
	assert_true(p != MAP_FAILED);
	madvise(p, 64 * page, MADV_NOHUGEPAGE);
	err = wd_mem_populate(NULL, p, 1);
	if (err == -EOPNOTSUPP) {
		munmap(p, 64 * page);
		skip();
	}
	assert_ok(err);
	if (!t_madvise_is_heard()) {
		munmap(p, 64 * page);
		skip();
	}
	open_queue(&q, DUMMY, KIND_SVA, WD_OP_COPY);
	p[4 * page] = 42;
	assert_ok(wd_mem_populate(&q, p + 3 * page + 5, 7 * page));
	assert_int_equal(nr_resident(p, 64), 9); /* the first, and eight */
	assert_int_equal(p[4 * page], 42);
	assert_int_equal(counters_of(q.device).populated_pages, before + 7);
	assert_ok(wd_mem_populate(&q, p, 64 * page));
	assert_int_equal(counters_of(q.device).populated_pages, before + 62);
	assert_int_equal(nr_resident(p, 64), 64);
	assert_int_equal(wd_mem_populate(&q, p, 0), -EINVAL);
	assert_int_equal(wd_mem_populate(&q, NULL, 5), -EINVAL);
	assert_int_equal(wd_mem_populate(NULL, p, SIZE_MAX), -EINVAL);
	assert_int_equal(wd_mem_populate(NULL, area[AREA_READ_ONLY], page), -EFAULT);
	munmap(p + page, page);
	assert_int_equal(wd_mem_populate(&q, p, 3 * page), -EFAULT);
	wd_release_queue(&q);
	assert_int_equal(wd_mem_populate(&q, p, 5), -EINVAL);
	munmap(p, page);
	munmap(p + 2 * page, 62 * page);
}

/* Last of all. */
static void counters_say_what_the_requests_said(void **state)
{
	int family, kind;

	(void)state;
	for (family = 0; family < NR_FAMILIES; family++)
		for (kind = 0; kind < NR_KINDS; kind++) {
			struct wd_counters c = counters_of(names[family][kind]);

			assert_int_equal(c.bounced_bytes, bounced[family][kind]);
			assert_int_equal(!c.bounced_bytes, kind == KIND_SVA);
			assert_int_equal(c.sent, c.received + c.abandoned);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_memory_is_worked_on),
		cmocka_unit_test(any_memory_is_compressed),
		cmocka_unit_test(streams_keep_their_context),
		cmocka_unit_test(scattered_memory_is_gathered),
		cmocka_unit_test(a_border_in_the_middle_is_no_obstacle),
		cmocka_unit_test(what_cannot_be_shared_is_refused),
		cmocka_unit_test(all_of_memory_is_for_devices_of_any_pointer),
		cmocka_unit_test(ranges_are_taken_back_as_often_as_they_were_shared),
		cmocka_unit_test(one_range_serves_two_devices),
		cmocka_unit_test(unshared_in_flight_is_a_bad_address),
		cmocka_unit_test(sharing_does_not_disturb_who_has_shared),
		cmocka_unit_test(copies_have_their_bound),
		cmocka_unit_test(dropped_requests_copy_nothing_back),
		cmocka_unit_test(fresh_pages_are_made_ready),
		cmocka_unit_test(counters_say_what_the_requests_said),
	};

	if (setenv("WD_EMBED", DEVICES, 1) || unsetenv("WD_DEVICE"))
		return 1;
	return cmocka_run_group_tests(tests, make_areas, free_areas);
}

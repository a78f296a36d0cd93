/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Copy, fill and CRC-32 through the founding queue calls, over every device
 * that offers them, with memcpy and zlib as judges.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include <wd/memop.h>
#include <wd/wd.h>

#include "lib/t_assert.h"

#define DEVICES_MAX 16
#define QUEUES	    3
#define BUF_BYTES   (1u << 20)

static struct wd_device_info devices[DEVICES_MAX];
static int nr_devices;
static uint8_t *src_buf, *dst_buf;

static int find_devices(void **state)
{
	struct wd_device_info all[DEVICES_MAX];
	size_t i;
	int k, n;

	(void)state;
	for (k = 0; k < DEVICES_MAX; k++)
		all[k].size = sizeof(all[k]);
	n = wd_list_devices(all, DEVICES_MAX);
	for (k = 0; k < n && k < DEVICES_MAX; k++)
		if (strstr(all[k].algs, "memop"))
			devices[nr_devices++] = all[k];
	src_buf = malloc(BUF_BYTES);
	dst_buf = malloc(BUF_BYTES);
	if (!src_buf || !dst_buf)
		return -1;
	for (i = 0; i < BUF_BYTES; i++)
		src_buf[i] = (uint8_t)(i * 131 >> 3 ^ i);
	/* A machine with no device at all proves nothing. */
	return nr_devices > 0 ? 0 : -1;
}

static int free_buffers(void **state)
{
	(void)state;
	free(src_buf);
	free(dst_buf);
	return 0;
}

static void open_queue(struct wd_queue *q, const struct wd_device_info *d, enum wd_op op)
{
	*q = (struct wd_queue){ .size = sizeof(*q), .capa = { .alg = "memop", .op = op } };
	memcpy(q->device, d->name, sizeof(q->device));
	assert_ok(wd_request_queue(q));
	assert_string_equal(q->device, d->name);
}

static struct wd_memop_req memop(enum wd_op op, const void *src, void *dst, uint64_t len)
{
	return (struct wd_memop_req){ .head = { .op = op }, .src = src, .dst = dst, .len = len };
}

/* One request, there and back. */
static uint32_t do_one(struct wd_queue *q, struct wd_memop_req *req)
{
	struct wd_req *back = NULL;

	assert_ok(wd_send(q, &req->head));
	assert_ok(wd_recv_sync(q, &back));
	assert_ptr_equal(back, &req->head);
	assert_string_equal(wd_device_name(back->device_id), q->device);
	assert_int_equal(wd_recv(q, &back), -EAGAIN);
	return req->head.status;
}

static void check_size(struct wd_queue *q, size_t src_at, size_t dst_at, size_t len)
{
	static const uint8_t pattern[8] = { 0xa1, 0xb2, 0xc3, 0xd4, 0xe5, 0xf6, 0x07, 0x18 };
	struct wd_memop_req req;
	size_t i;

	memset(dst_buf, 0xee, BUF_BYTES);
	req = memop(WD_OP_COPY, src_buf + src_at, dst_buf + dst_at, len);
	assert_int_equal(do_one(q, &req), WD_STATUS_OK);
	assert_int_equal(req.done, len);
	assert_memory_equal(dst_buf + dst_at, src_buf + src_at, len);
	assert_int_equal(dst_buf[dst_at - 1], 0xee);
	assert_int_equal(dst_buf[dst_at + len], 0xee);

	req = memop(WD_OP_CRC32, src_buf + src_at, NULL, len);
	assert_int_equal(do_one(q, &req), WD_STATUS_OK);
	assert_int_equal(req.done, len);
	assert_int_equal(req.crc, crc32(0, src_buf + src_at, (uInt)len));

	req = memop(WD_OP_FILL, NULL, dst_buf + dst_at, len);
	memcpy(&req.pattern, pattern, sizeof(pattern));
	assert_int_equal(do_one(q, &req), WD_STATUS_OK);
	assert_int_equal(req.done, len);
	for (i = 0; i < len && dst_buf[dst_at + i] == pattern[i % 8]; i++)
		;
	assert_int_equal(i, len);
	assert_int_equal(dst_buf[dst_at - 1], 0xee);
	assert_int_equal(dst_buf[dst_at + len], 0xee);
}

static void every_size_is_done_to_the_byte(void **state)
{
	static const size_t sizes[] = { 0,    1,    2,	  7,	 8,	9,     63,     64,    65,
					4095, 4096, 4097, 65535, 65536, 65537, 131072, 200001 };
	size_t k, at;
	int i;

	(void)state;
	for (i = 0; i < nr_devices; i++) {
		struct wd_queue q;

		open_queue(&q, &devices[i], WD_OP_COPY);
		for (k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++)
			for (at = 0; at < 3; at++)
				check_size(&q, at * 5, 1 + at * 4093, sizes[k]);
		wd_release_queue(&q);
	}
}

/* Bytes beyond the buffers cannot be touched: there is no page. */
static void nothing_beyond_the_buffers_is_touched(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *p =
		mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t len;
	int i;

	(void)state;
	assert_true(p != MAP_FAILED);
	assert_ok(mprotect(p + page, page, PROT_NONE));
	assert_ok(mprotect(p + 3 * page, page, PROT_NONE));
	for (i = 0; i < nr_devices; i++) {
		struct wd_queue q;

		open_queue(&q, &devices[i], WD_OP_COPY);
		for (len = 1; len <= page; len += len < 20 ? 1 : 509) {
			uint8_t *src = p + page - len, *dst = p + 3 * page - len;
			struct wd_memop_req req;

			memcpy(src, src_buf, len);
			req = memop(WD_OP_COPY, src, dst, len);
			assert_int_equal(do_one(&q, &req), WD_STATUS_OK);
			assert_memory_equal(dst, src, len);
			req = memop(WD_OP_CRC32, src, NULL, len);
			assert_int_equal(do_one(&q, &req), WD_STATUS_OK);
			assert_int_equal(req.crc, crc32(0, src, (uInt)len));
			req = memop(WD_OP_FILL, NULL, dst, len);
			assert_int_equal(do_one(&q, &req), WD_STATUS_OK);
			assert_int_equal(dst[0] | dst[len - 1], 0);
		}
		wd_release_queue(&q);
	}
	munmap(p, 4 * page);
}

static void what_makes_no_sense_is_refused(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < nr_devices; i++) {
		struct wd_memop_req req;
		struct wd_queue q;

		open_queue(&q, &devices[i], WD_OP_COPY);
		req = memop(WD_OP_COPY, src_buf, src_buf + 99, 100);
		assert_int_equal(do_one(&q, &req), WD_STATUS_BAD_REQUEST);
		req = memop(WD_OP_COPY, src_buf + 99, src_buf, 100);
		assert_int_equal(do_one(&q, &req), WD_STATUS_BAD_REQUEST);
		req = memop(WD_OP_CRC32, src_buf, NULL, UINT64_MAX);
		assert_int_equal(do_one(&q, &req), WD_STATUS_BAD_REQUEST);
		req = memop(WD_OP_CRC32, (const void *)UINTPTR_MAX, NULL, 2);
		assert_int_equal(do_one(&q, &req), WD_STATUS_BAD_ADDRESS);
		req = memop(WD_OP_COMPRESS, src_buf, NULL, 1);
		assert_int_equal(wd_send(&q, &req.head), -EOPNOTSUPP);
		req = memop((enum wd_op)999, src_buf, NULL, 1);
		assert_int_equal(wd_send(&q, &req.head), -EOPNOTSUPP);
		/* The queue is none the worse for it. */
		check_size(&q, 0, 1, 1000);
		wd_release_queue(&q);
	}
}

/* A full queue of large and small ones: each comes back once, in any order, with its own result. */
static void mixed_work_in_flight(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < nr_devices; i++) {
		struct wd_memop_req *reqs;
		struct wd_queue q;
		uint32_t k, n, round;

		open_queue(&q, &devices[i], WD_OP_CRC32);
		reqs = calloc(q.depth, sizeof(*reqs));
		assert_non_null(reqs);
		for (round = 0; round < 5; round++) {
			for (k = 0; k < q.depth; k++) {
				size_t len = k % 7 ? k * 3 : 20000 + k;

				reqs[k] = memop(WD_OP_CRC32, src_buf + k, NULL, len);
				reqs[k].head.flags = k % 5 && k + 1 < q.depth ? WD_REQ_F_MORE : 0;
				assert_ok(wd_send(&q, &reqs[k].head));
			}
			for (n = 0; n < q.depth; n++) {
				struct wd_req *back = NULL;
				struct wd_memop_req *req;

				assert_ok(wd_recv_sync(&q, &back));
				req = (struct wd_memop_req *)(void *)back;
				k = (uint32_t)(req - reqs);
				assert_true(k < q.depth && !back->user);
				back->user = &q; /* seen */
				assert_int_equal(back->status, WD_STATUS_OK);
				assert_int_equal(req->crc, crc32(0, src_buf + k, (uInt)req->len));
			}
		}
		wd_release_queue(&q);
		free(reqs);
	}
}

/*
 * Several queues that together want more than a device may hold: what it
 * refuses is handed over again, and is answered once like everything else.
 */
static void queues_that_compete_get_everything_done(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < nr_devices; i++) {
		struct wd_memop_req *reqs[QUEUES];
		struct wd_req *back[64];
		struct wd_queue q[QUEUES];
		uint32_t k, n, nr_left = 0, nr_left_of[QUEUES];

		for (n = 0; n < QUEUES; n++) {
			open_queue(&q[n], &devices[i], WD_OP_COPY);
			reqs[n] = calloc(q[n].depth, sizeof(*reqs[n]));
			assert_non_null(reqs[n]);
			nr_left_of[n] = q[n].depth;
			nr_left += q[n].depth;
			for (k = 0; k < q[n].depth; k++) {
				reqs[n][k] = memop(WD_OP_COPY, src_buf + k,
						   dst_buf + n * 0x10000 + k * 16, 16);
				assert_ok(wd_send(&q[n], &reqs[n][k].head));
			}
		}
		for (n = 0; nr_left; n = (n + 1) % QUEUES) {
			int got = wd_recv_burst(&q[n], back, 1 + nr_left % 64);

			assert_true(got >= 0);
			while (got-- > 0) {
				assert_int_equal(back[got]->status, WD_STATUS_OK);
				assert_null(back[got]->user);
				back[got]->user = &q[n]; /* seen */
				assert_true(nr_left_of[n] > 0);
				nr_left_of[n]--;
				nr_left--;
			}
		}
		for (n = 0; n < QUEUES; n++) {
			for (k = 0; k < q[n].depth; k++)
				assert_memory_equal(dst_buf + n * 0x10000 + k * 16, src_buf + k,
						    16);
			assert_int_equal(wd_recv(&q[n], back), -EAGAIN);
			wd_release_queue(&q[n]);
			free(reqs[n]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_size_is_done_to_the_byte),
		cmocka_unit_test(nothing_beyond_the_buffers_is_touched),
		cmocka_unit_test(what_makes_no_sense_is_refused),
		cmocka_unit_test(mixed_work_in_flight),
		cmocka_unit_test(queues_that_compete_get_everything_done),
	};

	return cmocka_run_group_tests(tests, find_devices, free_buffers);
}

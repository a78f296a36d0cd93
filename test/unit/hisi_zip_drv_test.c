/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The ZIP driver against a queue played by hand: what it writes is compared with
 * bytes taken from the description of the hardware, what it reads is written as
 * such bytes.  No header of ours lays out either.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/uio.h>

#include <wd/comp.h>
#include <wd/driver.h>

#include "lib/t_assert.h"

#define DEPTH	  5u /* no power of two */
#define NUMBER	  7u
#define SQ_BYTES  (128u * DEPTH)
#define CQ_BYTES  (16u * DEPTH)
#define DUS_BYTES 8192u
#define RINGS_MAX 64

#define CMD_QP_CTX  0xC004480Aul
#define CMD_QP_INFO 0xC010480Bul

extern const struct wd_driver wd_hisi_zip_driver;

struct bench {
	struct wd_port port;
	void *queue;
	uint8_t *dus;
	uint32_t depth;
	uint16_t qc_type; /* as the driver asked for */
	uint8_t cq_depth; /* that the device says it has */
	uint64_t ring[RINGS_MAX];
	unsigned int nr_rings;
};

static void ring(void *arg, uint32_t offset, uint64_t value)
{
	struct bench *b = arg;

	assert_int_equal(offset, 0x1000);
	assert_true(b->nr_rings < RINGS_MAX);
	b->ring[b->nr_rings++] = value;
}

static int control(struct wd_port *port, unsigned long cmd, void *param)
{
	struct bench *b = port->ring_arg;
	uint8_t *p = param;

	if (cmd == CMD_QP_CTX) {
		memcpy(&b->qc_type, p + 2, 2);
		p[0] = NUMBER;
		p[1] = 0;
		return 0;
	}
	assert_int_equal(cmd, CMD_QP_INFO);
	memset(p, 0, 16);
	p[0] = 128;
	p[4] = DEPTH;
	p[6] = b->cq_depth;
	return 0;
}

static void bench_prepare(struct bench *b, uint32_t flags, uint8_t cq_depth)
{
	memset(b, 0, sizeof(*b));
	b->cq_depth = cq_depth;
	b->dus = aligned_alloc(4096, DUS_BYTES);
	assert_non_null(b->dus);
	memset(b->dus, 0, DUS_BYTES);
	b->queue = aligned_alloc(128, (wd_hisi_zip_driver.queue_bytes + 127) / 128 * 128);
	assert_non_null(b->queue);
	memset(b->queue, 0, wd_hisi_zip_driver.queue_bytes);
	b->port = (struct wd_port){
		.api = "hisi_qm_v3", .flags = flags, .ring = ring, .ring_arg = b, .control = control
	};
	b->port.region[WD_REGION_DUS] = (struct wd_region){ b->dus, DUS_BYTES };
}

static void bench_start(struct bench *b, uint32_t op)
{
	struct wd_capa capa = { .alg = "gzip", .op = op };

	assert_ok(wd_hisi_zip_driver.open(b->queue, &b->port, &capa, &b->depth));
	assert_int_equal(b->depth, (b->cq_depth < DEPTH ? b->cq_depth : DEPTH) - 1);
}

static void bench_open_depth(struct bench *b, uint32_t op, uint32_t flags, uint8_t cq_depth)
{
	bench_prepare(b, WD_CAPA_F_SVA | flags, cq_depth);
	bench_start(b, op);
}

static void bench_open(struct bench *b, uint32_t op, uint32_t flags)
{
	bench_open_depth(b, op, flags, DEPTH);
}

static void bench_close(struct bench *b)
{
	wd_hisi_zip_driver.close(b->queue);
	free(b->queue);
	free(b->dus);
}

/* 4 bytes of input to 64 of output. */
static struct wd_comp_req small_req(uint16_t op, uint8_t *in, uint8_t *out)
{
	return (struct wd_comp_req){ .head = { .op = op },
				     .format = WD_COMP_GZIP,
				     .src = in,
				     .src_len = 4,
				     .dst = out,
				     .dst_len = 64 };
}

static int send_one(struct bench *b, struct wd_comp_req *req)
{
	struct wd_req *head = &req->head;

	return wd_hisi_zip_driver.send(b->queue, &head, 1);
}

/* Completes @slot with the CQE in place @cqe, phase @phase, as the chip would. */
static void complete(struct bench *b, unsigned int cqe, unsigned int slot, unsigned int phase)
{
	uint8_t *p = b->dus + SQ_BYTES + 16 * cqe;

	p[8] = (uint8_t)slot;
	p[10] = NUMBER;
	p[14] = (uint8_t)phase;
}

static void put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
	p[2] = (uint8_t)(v >> 16);
	p[3] = (uint8_t)(v >> 24);
}

static void stateless_gzip_is_these_bytes(void **state)
{
	struct wd_comp_req req = {
		.head = { .op = WD_OP_COMPRESS },
		.format = WD_COMP_GZIP,
		.level = 6,
		.src_len = 0x123456,
		.dst_len = 0x200000,
		.src = (void *)0x1122334455667788ull,
		.dst = (void *)0x99aabbccddeeff00ull,
	};
	struct bench b;

	(void)state;
	bench_open(&b, WD_OP_COMPRESS, WD_CAPA_F_LEVELS);
	assert_int_equal(b.qc_type, 0);
	assert_int_equal(send_one(&b, &req), 1);
	/* DW0 to DW3: results, zero. */
	assert_bytes(b.dus + 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	/* DW4 input length; DW5, 6 zero; DW7 SQE type 3 in the top bits. */
	assert_bytes(b.dus + 16, 0x56, 0x34, 0x12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x30);
	/* DW8 zero; DW9 type gzip 3, flat 0, window 32K = 4 in [15:12], level 6 in [19:16]. */
	assert_bytes(b.dus + 32, 0, 0, 0, 0, 0x03, 0x40, 0x06, 0);
	/* DW13 zero, DW14 room, DW15 zero. */
	assert_bytes(b.dus + 52, 0, 0, 0, 0, 0x00, 0x00, 0x20, 0, 0, 0, 0, 0);
	/* DW18, 19 source; DW20, 21 destination; DW22, 23 no context. */
	assert_bytes(b.dus + 72, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11);
	assert_bytes(b.dus + 80, 0x00, 0xff, 0xee, 0xdd, 0xcc, 0xbb, 0xaa, 0x99);
	assert_bytes(b.dus + 88, 0, 0, 0, 0, 0, 0, 0, 0);
	/* The doorbell: queue 7, command SQ 0, index 1, no priority. */
	assert_int_equal(b.nr_rings, 1);
	assert_int_equal(b.ring[0], 0x0000000100000007ull);
	assert_int_equal(req.head.status, WD_STATUS_PENDING);
	bench_close(&b);
}

static void without_levels_the_reserved_bits_stay_zero(void **state)
{
	uint8_t in[4], out[64];
	struct wd_comp_req req = { .head = { .op = WD_OP_COMPRESS },
				   .format = WD_COMP_ZLIB,
				   .level = 9,
				   .window_bits = 13,
				   .src = in,
				   .src_len = 4,
				   .dst = out,
				   .dst_len = 64 };
	struct bench b;

	(void)state;
	bench_open(&b, WD_OP_COMPRESS, 0);
	assert_int_equal(send_one(&b, &req), 1);
	assert_bytes(b.dus + 36, 0x02, 0x10, 0, 0);
	bench_close(&b);
}

static void stream_pieces_are_these_bytes(void **state)
{
	static _Alignas(64) uint8_t context[WD_COMP_STATE_BYTES];
	uint8_t in[8], out[300];
	uint64_t ctx_addr = (uintptr_t)context + 64, got;
	struct wd_comp_state stream = { .buf = context };
	struct wd_comp_req req = { .head = { .op = WD_OP_COMPRESS },
				   .format = WD_COMP_GZIP,
				   .src = in,
				   .src_len = 8,
				   .dst = out,
				   .dst_len = 300,
				   .state = &stream };
	struct wd_req *back;
	struct bench b;

	(void)state;
	bench_open(&b, WD_OP_COMPRESS, 0);
	assert_int_equal(send_one(&b, &req), 1);
	/* DW7: stateful (bit 26) and new (bit 27), type 3. */
	assert_bytes(b.dus + 28, 0, 0, 0, 0x3c);
	memcpy(&got, b.dus + 88, 8);
	assert_int_equal(got, ctx_addr);

	/* The chip's answer: all used, 12 bytes out, state words of its own. */
	put32(b.dus + 0, 8);
	put32(b.dus + 4, 12);
	put32(b.dus + 60, 0x1230);
	put32(b.dus + 112, 0x4567);
	put32(b.dus + 116, 0x89ab);
	put32(b.dus + 120, 8);
	put32(b.dus + 124, 0xdeadbeef);
	complete(&b, 0, 0, 1);
	assert_int_equal(wd_hisi_zip_driver.recv(b.queue, &back, 1), 1);
	assert_ptr_equal(back, &req.head);
	assert_int_equal(req.head.status, WD_STATUS_OK);
	assert_int_equal(req.consumed, 8);
	assert_int_equal(req.produced, 12);
	/* The CQ doorbell: command 1, index 1, no event wanted. */
	assert_int_equal(b.ring[1], 0x0000000100001007ull);

	req.flags = WD_COMP_F_FINISH;
	assert_int_equal(send_one(&b, &req), 1);
	/* Continuation and last: bits 26 and 25; the words come back as they were. */
	assert_bytes(b.dus + 128 + 28, 0, 0, 0, 0x36);
	assert_bytes(b.dus + 128 + 60, 0x30, 0x12, 0, 0);
	assert_bytes(b.dus + 128 + 112, 0x67, 0x45, 0, 0, 0xab, 0x89, 0, 0, 8, 0, 0, 0, 0xef, 0xbe,
		     0xad, 0xde);
	bench_close(&b);
}

static void scattered_buffers_are_these_bytes(void **state)
{
	uint8_t a[10], c[20], out[64];
	struct iovec src[] = { { a, 10 }, { NULL, 0 }, { c, 20 } };
	struct iovec dst[] = { { out, 64 } };
	struct wd_comp_req req = { .head = { .op = WD_OP_COMPRESS },
				   .format = WD_COMP_GZIP,
				   .flags = WD_COMP_F_SGL,
				   .src = src,
				   .src_nr = 3,
				   .src_len = 25,
				   .src_offset = 2,
				   .dst = dst,
				   .dst_nr = 1,
				   .dst_len = 54,
				   .dst_offset = 10 };
	struct bench b;
	uint64_t addr, got;
	uint8_t *block;

	(void)state;
	bench_open(&b, WD_OP_COMPRESS, 0);
	assert_int_equal(send_one(&b, &req), 1);
	/* DW7 offset 2, DW8 offset 10, DW9 buffer type 1 in [11:8]. */
	assert_bytes(b.dus + 28, 2, 0, 0, 0x30, 10, 0, 0, 0, 0x03, 0x41, 0, 0);
	memcpy(&addr, b.dus + 72, 8);
	assert_int_equal(addr % 64, 0);
	block = (uint8_t *)(uintptr_t)addr;
	/* Next 0; sum in chain 2; in this block 2; capacity 255. */
	assert_bytes(block, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 2, 0, 255, 0, 0, 0);
	memcpy(&got, block + 64, 8);
	assert_int_equal(got, (uintptr_t)a);
	assert_bytes(block + 64 + 16, 10, 0, 0, 0);
	memcpy(&got, block + 96, 8);
	assert_int_equal(got, (uintptr_t)c);
	assert_bytes(block + 96 + 16, 17, 0, 0, 0);

	/* Not enough there: refused, and nothing was sent. */
	req.src_len = 40;
	assert_int_equal(send_one(&b, &req), -EINVAL);
	assert_int_equal(b.nr_rings, 1);
	bench_close(&b);
}

static void long_lists_are_chained(void **state)
{
	enum {
		NR = 600
	};
	static uint8_t bytes[NR], out[4096];
	static struct iovec src[NR];
	struct iovec dst = { out, sizeof(out) };
	struct wd_comp_req req = { .head = { .op = WD_OP_COMPRESS },
				   .format = WD_COMP_GZIP,
				   .flags = WD_COMP_F_SGL,
				   .src = src,
				   .src_nr = NR,
				   .src_len = NR,
				   .dst = &dst,
				   .dst_nr = 1,
				   .dst_len = sizeof(out) };
	unsigned int i, total = 0;
	struct bench b;
	uint64_t addr;

	(void)state;
	for (i = 0; i < NR; i++)
		src[i] = (struct iovec){ &bytes[i], 1 };
	bench_open(&b, WD_OP_COMPRESS, 0);
	assert_int_equal(send_one(&b, &req), 1);
	memcpy(&addr, b.dus + 72, 8);
	for (i = 0; addr; i++) {
		uint8_t *block = (uint8_t *)(uintptr_t)addr;

		assert_int_equal(addr % 64, 0);
		assert_int_equal(block[10], i < 2 ? 255 : NR - 2 * 255);
		total += block[10];
		memcpy(&addr, block, 8);
	}
	assert_int_equal(i, 3);
	assert_int_equal(total, NR);
	bench_close(&b);
}

static void no_input_is_not_a_request_for_nothing(void **state)
{
	uint8_t out[16];
	struct wd_comp_req req = { .head = { .op = WD_OP_COMPRESS },
				   .format = WD_COMP_DEFLATE,
				   .dst = out,
				   .dst_len = 16 };
	struct wd_req nop = { .op = WD_OP_NOP };
	struct wd_req *head = &nop;
	struct bench b;

	(void)state;
	bench_open(&b, WD_OP_COMPRESS, 0);
	assert_int_equal(send_one(&b, &req), 1);
	assert_bytes(b.dus + 56, 15, 0, 0, 0);
	assert_int_equal(wd_hisi_zip_driver.send(b.queue, &head, 1), 1);
	assert_bytes(b.dus + 128 + 16, 0, 0, 0, 0);
	assert_bytes(b.dus + 128 + 56, 16, 0, 0, 0);
	bench_close(&b);
}

/* Slots and phases over several laps of a depth that is no power of two. */
static void laps_flip_the_phase(void **state)
{
	uint8_t in[4], out[64];
	struct wd_comp_req req[DEPTH];
	struct wd_req *back[DEPTH];
	unsigned int i, lap;
	struct bench b;

	(void)state;
	bench_open(&b, WD_OP_COMPRESS, 0);
	for (i = 0; i < DEPTH; i++)
		req[i] = small_req(WD_OP_COMPRESS, in, out);
	for (lap = 0; lap < 7; lap++) {
		for (i = 0; i < DEPTH - 1; i++)
			assert_int_equal(send_one(&b, &req[i]), 1);
		/* One slot stays free. */
		assert_int_equal(send_one(&b, &req[i]), -EAGAIN);
		for (i = 0; i < DEPTH - 1; i++) {
			unsigned int done = lap * (DEPTH - 1) + i;

			assert_int_equal(wd_hisi_zip_driver.recv(b.queue, back, DEPTH), 0);
			complete(&b, done % DEPTH, done % DEPTH, 1 ^ (done / DEPTH & 1));
			assert_int_equal(wd_hisi_zip_driver.recv(b.queue, back, DEPTH), 1);
			assert_ptr_equal(back[0], &req[i].head);
		}
	}
	bench_close(&b);
}

/* A CQ shorter than the SQ would overflow: it bounds what may be in flight. */
static void a_short_cq_bounds_what_is_in_flight(void **state)
{
	struct wd_req req[DEPTH] = { { .retries = 0xababab, .bounced_bytes = 0xabab } };
	struct wd_req *reqs[DEPTH];
	struct bench b;
	unsigned int i;

	(void)state;
	for (i = 0; i < DEPTH; i++)
		reqs[i] = &req[i];
	bench_open_depth(&b, WD_OP_COMPRESS, 0, 3);
	assert_int_equal(wd_hisi_zip_driver.send(b.queue, reqs, DEPTH), 2);
	assert_int_equal(wd_hisi_zip_driver.send(b.queue, reqs + 2, 1), -EAGAIN);
	/* What the library writes of a request does not begin as it was found. */
	assert_int_equal(req[0].retries, 0);
	assert_int_equal(req[0].bounced_bytes, 0);
	bench_close(&b);
}

static void a_burst_rings_once_and_more_holds_back(void **state)
{
	uint8_t in[4], out[64];
	struct wd_comp_req req[3];
	struct wd_req *reqs[3];
	struct bench b;
	unsigned int i;

	(void)state;
	bench_open(&b, WD_OP_COMPRESS, 0);
	for (i = 0; i < 3; i++) {
		req[i] = small_req(WD_OP_COMPRESS, in, out);
		reqs[i] = &req[i].head;
	}
	req[0].head.flags = WD_REQ_F_MORE;
	assert_int_equal(send_one(&b, &req[0]), 1);
	assert_int_equal(b.nr_rings, 0);
	assert_ok(wd_hisi_zip_driver.flush(b.queue));
	assert_int_equal(b.nr_rings, 1);
	assert_int_equal(b.ring[0] >> 32, 1);
	/* Room for three more: two are taken with one doorbell. */
	assert_int_equal(wd_hisi_zip_driver.send(b.queue, reqs + 1, 2), 2);
	assert_int_equal(b.nr_rings, 2);
	assert_int_equal(b.ring[1] >> 32, 3);
	bench_close(&b);
}

static void send_and_complete(struct bench *b, struct wd_comp_req *req)
{
	assert_int_equal(send_one(b, req), 1);
	put32(b->dus + 0, req->src_len);
	put32(b->dus + 4, 10);
	complete(b, 0, 0, 1);
}

/* What a broken or hostile device may write, one lie each. */
static void lies_are_caught(void **state)
{
	uint8_t in[4], out[64];
	const struct wd_comp_req fresh = small_req(WD_OP_DECOMPRESS, in, out);
	struct wd_comp_req req;
	struct wd_req *back;
	struct bench b;
	int lie;

	(void)state;
	for (lie = 0; lie < 6; lie++) {
		bench_open(&b, WD_OP_DECOMPRESS, 0);
		assert_int_equal(b.qc_type, 1);
		req = fresh;
		send_and_complete(&b, &req);
		switch (lie) {
		case 0: /* consumed more than there was */
			put32(b.dus + 0, 5);
			break;
		case 1: /* produced more than there was room for */
			put32(b.dus + 4, 65);
			break;
		case 2: /* a slot that is free */
			b.dus[SQ_BYTES + 8] = 1;
			break;
		case 3: /* a slot that does not exist */
			b.dus[SQ_BYTES + 8] = DEPTH;
			break;
		case 4:
			b.dus[SQ_BYTES + 9] = 0xff;
			break;
		case 5: /* another request's tag */
			b.dus[104] ^= 1;
			break;
		}
		if (lie < 2) {
			assert_int_equal(wd_hisi_zip_driver.recv(b.queue, &back, 1), 1);
			assert_int_equal(req.head.status, WD_STATUS_DEVICE_ERROR);
			assert_int_equal(req.consumed, 0);
			assert_int_equal(req.produced, 0);
		} else {
			assert_int_equal(wd_hisi_zip_driver.recv(b.queue, &back, 1), -ENODEV);
			assert_int_equal(send_one(&b, &req), -ENODEV);
			assert_int_equal(wd_hisi_zip_driver.abandon(b.queue, &back, 1), 1);
			assert_ptr_equal(back, &req.head);
			assert_int_equal(req.head.status, WD_STATUS_DEVICE_GONE);
			assert_int_equal(wd_hisi_zip_driver.abandon(b.queue, &back, 1), 0);
		}
		bench_close(&b);
	}
}

static void every_status_has_its_meaning(void **state)
{
	static const struct {
		uint32_t dw3;
		uint32_t ctx_dw0;
		int is_stream;
		uint32_t want;
	} table[] = {
		{ 0x00, 0, 0, WD_STATUS_OK },	       { 0x0d, 0, 0, WD_STATUS_OK },
		{ 0x13, 0, 0, WD_STATUS_OK },	       { 0x113, 0, 1, WD_STATUS_STREAM_END },
		{ 0x13, 0, 1, WD_STATUS_OK },	       { 0x00, 2, 1, WD_STATUS_OUTPUT_FULL },
		{ 0x00, 1, 1, WD_STATUS_OUTPUT_FULL }, { 0x00, 3, 1, WD_STATUS_OK },
		{ 0x0e, 0, 0, WD_STATUS_OUTPUT_FULL }, { 0x10, 0, 0, WD_STATUS_BAD_CHECKSUM },
		{ 0x20, 0, 0, WD_STATUS_BAD_DATA },    { 0x21, 0, 0, WD_STATUS_BAD_REQUEST },
		{ 0x22, 0, 0, WD_STATUS_BAD_REQUEST }, { 0x23, 0, 0, WD_STATUS_BAD_ADDRESS },
		{ 0x24, 0, 1, WD_STATUS_STATE_LOST },  { 0x7f, 0, 0, WD_STATUS_DEVICE_ERROR },
	};
	static _Alignas(64) uint8_t context[WD_COMP_STATE_BYTES];
	uint8_t in[4], out[64];
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct wd_comp_state stream = { .buf = context };
		struct wd_comp_req req = { .head = { .op = WD_OP_DECOMPRESS },
					   .format = WD_COMP_ZLIB,
					   .src = in,
					   .src_len = 4,
					   .dst = out,
					   .dst_len = 64,
					   .state = table[i].is_stream ? &stream : NULL };
		struct wd_req *back;
		struct bench b;

		bench_open(&b, WD_OP_DECOMPRESS, 0);
		send_and_complete(&b, &req);
		put32(b.dus + 12, table[i].dw3);
		put32(b.dus + 60, table[i].ctx_dw0);
		assert_int_equal(wd_hisi_zip_driver.recv(b.queue, &back, 1), 1);
		assert_int_equal(req.head.status, table[i].want);
		bench_close(&b);
	}
}

static void a_reset_is_seen_and_answers_everything(void **state)
{
	uint8_t in[4], out[64];
	struct wd_comp_req req[2];
	struct wd_req *back;
	struct bench b;
	unsigned int i;

	(void)state;
	bench_open(&b, WD_OP_COMPRESS, 0);
	for (i = 0; i < 2; i++) {
		req[i] = small_req(WD_OP_COMPRESS, in, out);
		assert_int_equal(send_one(&b, &req[i]), 1);
	}
	/* Only the exact value 1 counts. */
	put32(b.dus + DUS_BYTES - 4, 2);
	put32(b.dus + DUS_BYTES - 8, 2);
	assert_int_equal(wd_hisi_zip_driver.recv(b.queue, &back, 1), 0);
	put32(b.dus + DUS_BYTES - 4, 1);
	assert_int_equal(send_one(&b, &req[0]), -ENODEV);
	assert_int_equal(wd_hisi_zip_driver.recv(b.queue, &back, 1), 0);
	/* What was finished before the reset still counts. */
	put32(b.dus + DUS_BYTES - 8, 1);
	complete(&b, 0, 0, 1);
	assert_int_equal(wd_hisi_zip_driver.recv(b.queue, &back, 1), 1);
	assert_ptr_equal(back, &req[0].head);
	assert_int_equal(wd_hisi_zip_driver.recv(b.queue, &back, 1), -ENODEV);
	assert_int_equal(wd_hisi_zip_driver.abandon(b.queue, &back, 1), 1);
	assert_ptr_equal(back, &req[1].head);
	assert_int_equal(req[1].head.status, WD_STATUS_DEVICE_GONE);
	bench_close(&b);
}

static void wrong_requests_are_refused(void **state)
{
	static _Alignas(64) uint8_t context[WD_COMP_STATE_BYTES + 64];
	uint8_t in[4], out[64];
	const struct wd_comp_req good = small_req(WD_OP_COMPRESS, in, out);
	struct wd_comp_state unaligned = { .buf = context + 1 };
	struct wd_comp_state no_buf = { 0 };
	struct wd_comp_req bad;
	struct bench b;
	int i;

	(void)state;
	bench_open(&b, WD_OP_COMPRESS, 0);
	for (i = 0; i < 10; i++) {
		int want = -EINVAL;

		bad = good;
		switch (i) {
		case 0:
			bad.format = 4;
			break;
		case 1:
			bad.format = 0;
			break;
		case 2:
			bad.src_len = WD_COMP_PIECE_MAX + 1;
			break;
		case 3:
			bad.dst_len = WD_COMP_PIECE_MAX + 1;
			break;
		case 4:
			bad.window_bits = 11;
			break;
		case 5:
			bad.level = 12;
			break;
		case 6:
			bad.src = NULL;
			break;
		case 7:
			bad.state = &unaligned;
			break;
		case 8:
			bad.state = &no_buf;
			break;
		case 9:
			bad.head.op = WD_OP_DECOMPRESS;
			want = -EOPNOTSUPP;
			break;
		}
		assert_int_equal(send_one(&b, &bad), want);
	}
	assert_int_equal(b.nr_rings, 0);
	assert_ok(wd_hisi_zip_driver.probe("hisi_qm_v3"));
	assert_ok(wd_hisi_zip_driver.probe("hisi_qm_v5"));
	assert_ok(wd_hisi_zip_driver.probe("hisi_qm_v3_noiommu"));
	assert_int_equal(wd_hisi_zip_driver.probe("hisi_qm_v2"), -EOPNOTSUPP);
	assert_int_equal(wd_hisi_zip_driver.probe("hisi_qm_v"), -EOPNOTSUPP);
	assert_int_equal(wd_hisi_zip_driver.probe("dummy_v3"), -EOPNOTSUPP);
	bench_close(&b);
}

/* ---------------------------------------------------------------- devices with memory of their own */

#define FAR_AWAY 0x4000000000000000ull /* what the device calls the same memory */

/* The port's memory: every mapping is a copy. */
static struct {
	unsigned int nr_mapped;
	unsigned int nr_lent;
	unsigned int room; /* mappings that can be made */
} memory;

static void *memory_alloc(struct wd_port *port, size_t bytes, uint64_t *ret_addr)
{
	void *p = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);

	(void)port;
	assert_non_null(p);
	memset(p, 0, bytes);
	memory.nr_lent++;
	*ret_addr = (uintptr_t)p + FAR_AWAY;
	return p;
}

static void memory_free(struct wd_port *port, void *ptr, size_t bytes)
{
	(void)port;
	(void)bytes;
	memory.nr_lent--;
	free(ptr);
}

static int memory_map(struct wd_port *port, void *ptr, size_t bytes, uint32_t direction,
		      struct wd_mapping *m)
{
	(void)port;
	assert_true(bytes && direction);
	if (memory.nr_mapped == memory.room)
		return -EAGAIN;
	memory.nr_mapped++;
	*m = (struct wd_mapping){ .ptr = ptr, .bytes = bytes, .direction = direction };
	m->bounce = malloc(bytes);
	assert_non_null(m->bounce);
	memset(m->bounce, 0x99, bytes);
	if (direction & WD_MAP_READ)
		memcpy(m->bounce, ptr, bytes);
	m->addr = (uintptr_t)m->bounce + FAR_AWAY;
	return 0;
}

static void memory_unmap(struct wd_port *port, struct wd_mapping *m, size_t written)
{
	(void)port;
	assert_true(memory.nr_mapped && m->bounce && written <= m->bytes);
	memory.nr_mapped--;
	memcpy(m->ptr, m->bounce, written);
	free(m->bounce);
	m->bounce = NULL;
}

static const struct wd_port_memory port_memory = {
	.alloc = memory_alloc,
	.free = memory_free,
	.map = memory_map,
	.unmap = memory_unmap,
};

static void memory_open(struct bench *b, uint32_t op)
{
	memory.room = 1000;
	bench_prepare(b, 0, DEPTH);
	b->port.memory = &port_memory;
	bench_start(b, op);
}

static void memory_close(struct bench *b)
{
	bench_close(b);
	assert_int_equal(memory.nr_mapped, 0);
	assert_int_equal(memory.nr_lent, 0);
}

/* The memory behind an address that the device was given. */
static uint8_t *behind(const void *field)
{
	uint64_t addr;

	memcpy(&addr, field, sizeof(addr));
	assert_true(addr >= FAR_AWAY);
	return (uint8_t *)(uintptr_t)(addr - FAR_AWAY);
}

static void memory_of_its_own_is_used_for_all(void **state)
{
	static _Alignas(64) uint8_t context[WD_COMP_STATE_BYTES];
	struct wd_comp_state stream = { .buf = context };
	uint8_t in[4] = { 1, 2, 3, 4 }, out[64] = { 0 };
	struct wd_comp_req req = small_req(WD_OP_COMPRESS, in, out);
	struct wd_req *back;
	struct bench b;

	(void)state;
	memory_open(&b, WD_OP_COMPRESS);
	context[64] = 0xc0;
	req.state = &stream;
	assert_int_equal(send_one(&b, &req), 1);
	assert_int_equal(req.head.bounced_bytes, 0);
	assert_memory_equal(behind(b.dus + 72), in, 4);
	memset(behind(b.dus + 80), 0xaa, 64);
	assert_int_equal(behind(b.dus + 88)[0], 0xc0);
	behind(b.dus + 88)[38847] = 0xc1;
	put32(b.dus + 0, 4);
	put32(b.dus + 4, 10);
	complete(&b, 0, 0, 1);
	assert_int_equal(wd_hisi_zip_driver.recv(b.queue, &back, 1), 1);
	assert_int_equal(out[9], 0xaa);
	assert_int_equal(out[10], 0);
	assert_int_equal(context[64 + 38847], 0xc1);
	assert_int_equal(req.head.bounced_bytes, 4 + 10 + 2 * 38848);
	memory_close(&b);
}

static void lists_are_copied_from_the_data_on(void **state)
{
	uint8_t in[2][30] = { { 0 } }, out[3][10] = { { 0 } };
	struct iovec src[] = { { in[0], 30 }, { in[1], 30 } };
	struct iovec dst[] = { { out[0], 10 }, { out[1], 10 }, { out[2], 10 } };
	struct wd_comp_req req = { .head = { .op = WD_OP_COMPRESS },
				   .format = WD_COMP_GZIP,
				   .flags = WD_COMP_F_SGL,
				   .src = src,
				   .src_nr = 2,
				   .src_len = 40,
				   .src_offset = 13,
				   .dst = dst,
				   .dst_nr = 3,
				   .dst_len = 18,
				   .dst_offset = 12 };
	struct wd_req *back;
	uint8_t *list;
	struct bench b;

	(void)state;
	memory_open(&b, WD_OP_COMPRESS);
	in[0][13] = 7;
	in[1][22] = 8;
	assert_int_equal(send_one(&b, &req), 1);
	assert_int_equal(memory.nr_mapped, 4);
	/* No offsets: the lists begin there. */
	assert_bytes(b.dus + 28, 0, 0, 0, 0x30, 0, 0, 0, 0, 0x03, 0x41, 0, 0);
	list = behind(b.dus + 72);
	assert_bytes(list, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 2, 0, 255, 0, 0, 0);
	assert_int_equal(behind(list + 64)[0], 7);
	assert_bytes(list + 64 + 16, 17, 0, 0, 0);
	assert_int_equal(behind(list + 96)[22], 8);
	assert_bytes(list + 96 + 16, 23, 0, 0, 0);
	list = behind(b.dus + 80);
	assert_bytes(list + 64 + 16, 8, 0, 0, 0);
	assert_bytes(list + 96 + 16, 10, 0, 0, 0);
	memset(behind(list + 64), 0xaa, 8);
	memset(behind(list + 96), 0xbb, 10);
	put32(b.dus + 0, 40);
	put32(b.dus + 4, 11);
	complete(&b, 0, 0, 1);
	assert_int_equal(wd_hisi_zip_driver.recv(b.queue, &back, 1), 1);
	assert_bytes(out[1], 0, 0, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa);
	assert_bytes(out[2], 0xbb, 0xbb, 0xbb, 0, 0, 0, 0, 0, 0, 0);
	assert_int_equal(req.head.bounced_bytes, 40 + 11);
	/* Failing in the second list, nothing of the first stays. */
	memory.room = 3;
	assert_int_equal(send_one(&b, &req), -ENOMEM);
	assert_int_equal(memory.nr_mapped, 0);
	memory_close(&b);
}

/* However far it came, a request without room leaves nothing; what was taken is published. */
static void no_room_for_copies_is_as_a_full_queue(void **state)
{
	static _Alignas(64) uint8_t context[WD_COMP_STATE_BYTES];
	struct wd_comp_state stream = { .buf = context };
	uint8_t in[4], out[64];
	struct wd_comp_req req[3];
	struct wd_req *heads[3], *back;
	unsigned int i, room;
	struct bench b;

	(void)state;
	for (room = 0; room < 3; room++) {
		memory_open(&b, WD_OP_COMPRESS);
		for (i = 0; i < 3; i++) {
			req[i] = small_req(WD_OP_COMPRESS, in, out);
			req[i].head.flags = WD_REQ_F_MORE;
			req[i].state = i ? &stream : NULL;
			heads[i] = &req[i].head;
		}
		memory.room = room;
		assert_int_equal(wd_hisi_zip_driver.send(b.queue, heads + 1, 2), -ENOMEM);
		assert_int_equal(memory.nr_mapped, 0);
		memory.room = 2 + room;
		assert_int_equal(wd_hisi_zip_driver.send(b.queue, heads, 3), 1);
		assert_int_equal(memory.nr_mapped, 2);
		assert_int_equal(b.nr_rings, 1);
		assert_int_equal(wd_hisi_zip_driver.send(b.queue, heads + 1, 2), -EAGAIN);
		complete(&b, 0, 0, 1);
		assert_int_equal(wd_hisi_zip_driver.recv(b.queue, &back, 1), 1);
		memory.room = 3;
		assert_int_equal(wd_hisi_zip_driver.send(b.queue, heads + 1, 2), 1);
		/* The rest goes unanswered: nothing is copied back. */
		memset(out, 0x11, sizeof(out));
		assert_int_equal(wd_hisi_zip_driver.abandon(b.queue, heads, 3), 1);
		assert_int_equal(heads[0]->status, WD_STATUS_DEVICE_GONE);
		assert_int_equal(heads[0]->bounced_bytes, 4 + 38848);
		assert_int_equal(out[0], 0x11);
		memory_close(&b);
	}
}

static void results_that_lie_copy_nothing(void **state)
{
	uint8_t in[4], out[64] = { 0 };
	struct wd_comp_req req = small_req(WD_OP_DECOMPRESS, in, out);
	struct wd_req *back;
	struct bench b;

	(void)state;
	memory_open(&b, WD_OP_DECOMPRESS);
	send_and_complete(&b, &req);
	put32(b.dus + 4, 65);
	assert_int_equal(wd_hisi_zip_driver.recv(b.queue, &back, 1), 1);
	assert_int_equal(req.head.status, WD_STATUS_DEVICE_ERROR);
	assert_int_equal(out[0], 0);
	assert_int_equal(req.head.bounced_bytes, 4);
	memory_close(&b);
}

/* Neither any pointer nor memory of its own: nothing that could work. */
static void without_memory_it_is_refused(void **state)
{
	struct wd_capa capa = { .alg = "gzip", .op = WD_OP_COMPRESS };
	struct bench b;

	(void)state;
	bench_prepare(&b, 0, DEPTH);
	assert_int_equal(wd_hisi_zip_driver.open(b.queue, &b.port, &capa, &b.depth), -EOPNOTSUPP);
	free(b.queue);
	free(b.dus);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stateless_gzip_is_these_bytes),
		cmocka_unit_test(without_levels_the_reserved_bits_stay_zero),
		cmocka_unit_test(stream_pieces_are_these_bytes),
		cmocka_unit_test(scattered_buffers_are_these_bytes),
		cmocka_unit_test(long_lists_are_chained),
		cmocka_unit_test(no_input_is_not_a_request_for_nothing),
		cmocka_unit_test(laps_flip_the_phase),
		cmocka_unit_test(a_short_cq_bounds_what_is_in_flight),
		cmocka_unit_test(a_burst_rings_once_and_more_holds_back),
		cmocka_unit_test(lies_are_caught),
		cmocka_unit_test(every_status_has_its_meaning),
		cmocka_unit_test(a_reset_is_seen_and_answers_everything),
		cmocka_unit_test(wrong_requests_are_refused),
		cmocka_unit_test(memory_of_its_own_is_used_for_all),
		cmocka_unit_test(lists_are_copied_from_the_data_on),
		cmocka_unit_test(no_room_for_copies_is_as_a_full_queue),
		cmocka_unit_test(results_that_lie_copy_nothing),
		cmocka_unit_test(without_memory_it_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

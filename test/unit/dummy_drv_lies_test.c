/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The dummy machine's driver against devices that the test plays: what it
 * stores to their registers, and what it makes of answers that lie.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <endian.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include <wd/driver.h>
#include <wd/memop.h>

#include "base/barrier.h"
#include "hw/dummy_hw.h"
#include "uapi/wd_dummy.h"

#define PAGE 4096u

extern const struct wd_driver wd_dummy_driver;

static const struct wd_driver *const drv = &wd_dummy_driver;

/* One queue of the driver on registers and memory that are ours. */
struct fake {
	struct wd_port port;
	void *drv_queue;
	uint32_t nr_slots; /* as control says */
	int control_err;
};

static int fake_control(struct wd_port *port, unsigned long cmd, void *param)
{
	struct fake *q = (struct fake *)(void *)port; /* port is its first member */
	struct wd_dummy_info *info = param;

	assert_int_equal(cmd, WD_DUMMY_CMD_GET_INFO);
	info->nr_slots = q->nr_slots;
	return q->control_err;
}

static void never_rung(void *arg, uint32_t offset, uint64_t value)
{
	(void)arg;
	(void)offset;
	(void)value;
	fail();
}

static void *zeroed(size_t bytes)
{
	void *p = aligned_alloc(PAGE, (bytes + PAGE - 1) / PAGE * PAGE);

	assert_non_null(p);
	memset(p, 0, (bytes + PAGE - 1) / PAGE * PAGE);
	return p;
}

static int send_one(struct fake *q, struct wd_memop_req *req)
{
	struct wd_req *head = &req->head;

	return drv->send(q->drv_queue, &head, 1);
}

static struct wd_memop_req *recv_one(struct fake *q)
{
	struct wd_req *head = NULL;
	int n = drv->recv(q->drv_queue, &head, 1);

	assert_true(n == 0 || n == 1);
	return n ? (struct wd_memop_req *)(void *)head : NULL;
}

static struct wd_memop_req memop(enum wd_op op, const void *src, void *dst, uint64_t len)
{
	return (struct wd_memop_req){ .head = { .op = op }, .src = src, .dst = dst, .len = len };
}

static void open_checks_the_device(void **state)
{
	const struct wd_capa capa = { .alg = "memop" };
	struct fake q = { .nr_slots = 8 };
	void *drv_queue = zeroed(drv->queue_bytes);
	uint32_t depth = 0;

	(void)state;
	assert_int_equal(drv->abi, WD_DRIVER_ABI);
	assert_int_equal(drv->probe("dummy_v3"), 0);
	assert_int_equal(drv->probe("dummy_v2"), -EOPNOTSUPP);

	q.port.control = fake_control;
	q.port.ring = never_rung;
	q.port.region[WD_REGION_DUS].addr = zeroed(PAGE);
	q.port.region[WD_REGION_DUS].bytes = PAGE;
	assert_int_equal(drv->open(drv_queue, &q.port, &capa, &depth), -EOPNOTSUPP);
	q.port.flags = WD_CAPA_F_SVA;
	q.nr_slots = 0;
	assert_int_equal(drv->open(drv_queue, &q.port, &capa, &depth), -EIO);
	q.nr_slots = 61; /* 256 + 61 * 64 is more than a page */
	assert_int_equal(drv->open(drv_queue, &q.port, &capa, &depth), -EIO);
	q.nr_slots = UINT32_MAX;
	assert_int_equal(drv->open(drv_queue, &q.port, &capa, &depth), -EIO);
	q.nr_slots = 60;
	q.control_err = -ENODEV;
	assert_int_equal(drv->open(drv_queue, &q.port, &capa, &depth), -ENODEV);
	q.control_err = 0;
	q.port.ring = NULL;
	assert_int_equal(drv->open(drv_queue, &q.port, &capa, &depth), -EIO); /* no registers */
	q.port.ring = never_rung;
	assert_int_equal(depth, 0);
	assert_int_equal(drv->open(drv_queue, &q.port, &capa, &depth), 0);
	assert_int_equal(depth, 60);
	drv->close(drv_queue);
	free(q.port.region[WD_REGION_DUS].addr);
	free(drv_queue);
}

/* A port with registers that are plain memory: what a mapped device is to the driver. */
static struct fake *fake_create(uint32_t nr_slots)
{
	const struct wd_capa capa = { .alg = "memop" };
	struct fake *q = calloc(1, sizeof(*q));
	uint32_t depth = 0;

	assert_non_null(q);
	q->nr_slots = nr_slots;
	q->port.api = "dummy_v3";
	q->port.flags = WD_CAPA_F_SVA;
	q->port.control = fake_control;
	q->port.region[WD_REGION_MMIO].addr = zeroed(PAGE);
	q->port.region[WD_REGION_MMIO].bytes = PAGE;
	q->port.region[WD_REGION_DUS].bytes = DUMMY_DUS_SLOTS + nr_slots * DUMMY_DESC_BYTES;
	q->port.region[WD_REGION_DUS].addr = zeroed(q->port.region[WD_REGION_DUS].bytes);
	q->drv_queue = zeroed(drv->queue_bytes);
	assert_int_equal(drv->open(q->drv_queue, &q->port, &capa, &depth), 0);
	assert_int_equal(depth, nr_slots);
	return q;
}

static void fake_destroy(struct fake *q)
{
	drv->close(q->drv_queue);
	free(q->drv_queue);
	free(q->port.region[WD_REGION_MMIO].addr);
	free(q->port.region[WD_REGION_DUS].addr);
	free(q);
}

static uint64_t fake_register(struct fake *q, uint32_t reg)
{
	uint64_t value;

	memcpy(&value, (uint8_t *)q->port.region[WD_REGION_MMIO].addr + reg, sizeof(value));
	return value;
}

static struct dummy_desc *fake_desc(struct fake *q, uint32_t slot)
{
	uint8_t *dus = q->port.region[WD_REGION_DUS].addr;

	return (struct dummy_desc *)(void *)(dus + DUMMY_DUS_SLOTS) + slot;
}

/* Flips a DONE bit, with or without reason. */
static void fake_flip(struct fake *q, uint32_t slot)
{
	uint8_t *dus = q->port.region[WD_REGION_DUS].addr;
	_Atomic uint64_t *word =
		(_Atomic uint64_t *)(void *)(dus + DUMMY_DUS_DONE(slot / DUMMY_GROUP));

	wd_store_release(word, wd_load_relaxed(word) ^ htole64(1ull << slot % DUMMY_GROUP));
}

static void fake_record(struct fake *q, uint32_t slot, uint8_t status, uint8_t error, uint64_t done)
{
	struct dummy_desc *desc = fake_desc(q, slot);
	struct dummy_record *record = (struct dummy_record *)(uintptr_t)le64toh(desc->record);

	*record = (struct dummy_record){
		.status = status, .error = error, .tag = desc->tag, .done = htole64(done)
	};
}

static void descriptor_is_as_the_machine_wants_it(void **state)
{
	static uint8_t data[64];
	struct fake *q = fake_create(100);
	struct wd_memop_req req = memop(WD_OP_FILL, data, data + 1, 33);
	struct dummy_desc *desc;
	uint64_t tag;

	(void)state;
	memcpy(&req.pattern, "abcdefgh", 8);
	send_one(q, &req);
	assert_int_equal(fake_register(q, DUMMY_REG_SUBMIT(0)), 1);
	desc = fake_desc(q, 0);
	assert_int_equal(desc->opcode, DUMMY_OP_FILL);
	assert_int_equal(desc->rsvd0 | desc->flags | desc->rsvd1[0] | desc->rsvd1[1], 0);
	assert_int_equal(le64toh(desc->len), 33);
	assert_int_equal(le64toh(desc->src), (uintptr_t)data);
	assert_int_equal(le64toh(desc->dst), (uintptr_t)(data + 1));
	assert_memory_equal(desc->pattern, "abcdefgh", 8);
	assert_int_equal(le64toh(desc->record) % DUMMY_RECORD_BYTES, 0);
	tag = le32toh(desc->tag);
	fake_record(q, 0, DUMMY_ST_DONE, 0, 33);
	fake_flip(q, 0);
	assert_ptr_equal(recv_one(q), &req);
	assert_int_equal(req.head.status, WD_STATUS_OK);

	drv->arm(q->drv_queue);
	assert_int_equal(fake_register(q, DUMMY_REG_ARM), 1); /* one answer taken */
	send_one(q, &req); /* the same slot again: the bit goes back, the tag goes on */
	assert_int_equal(fake_register(q, DUMMY_REG_SUBMIT(0)), 0);
	assert_true(le32toh(desc->tag) != tag);
	fake_destroy(q);
}

static void answers_that_make_no_sense_are_device_errors(void **state)
{
	static const struct {
		uint8_t status, error;
		uint64_t done;
		uint32_t expected;
	} lies[] = {
		{ DUMMY_ST_DONE, 0, 99, WD_STATUS_DEVICE_ERROR },  /* less than all */
		{ DUMMY_ST_DONE, 0, 101, WD_STATUS_DEVICE_ERROR }, /* more than there is */
		{ DUMMY_ST_DONE, 0, UINT64_MAX, WD_STATUS_DEVICE_ERROR },
		{ DUMMY_ST_FAILED, DUMMY_ERR_ADDRESS, 101, WD_STATUS_DEVICE_ERROR },
		{ DUMMY_ST_FAILED, DUMMY_ERR_ADDRESS, 99, WD_STATUS_BAD_ADDRESS },
		{ DUMMY_ST_FAILED, DUMMY_ERR_NONE, 0, WD_STATUS_DEVICE_ERROR },
		{ DUMMY_ST_FAILED, 200, 0, WD_STATUS_DEVICE_ERROR },
		{ 4, 0, 100, WD_STATUS_DEVICE_ERROR },
		{ 255, 255, 100, WD_STATUS_DEVICE_ERROR },
	};
	static uint8_t data[200];
	struct fake *q = fake_create(8);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct wd_memop_req req = memop(WD_OP_COPY, data, data + 100, 100);

		send_one(q, &req);
		fake_record(q, 0, lies[i].status, lies[i].error, lies[i].done);
		fake_flip(q, 0);
		assert_ptr_equal(recv_one(q), &req);
		assert_int_equal(req.head.status, lies[i].expected);
		assert_true(req.done <= req.len);
	}
	fake_destroy(q);
}

/* What was answered before is received, then the queue is at its end. */
static void expect_end(struct fake *q, struct wd_memop_req *answered, struct wd_memop_req *left)
{
	struct wd_req *heads[4];

	if (answered)
		assert_ptr_equal(recv_one(q), answered);
	assert_int_equal(drv->recv(q->drv_queue, heads, 4), -ENODEV);
	assert_int_equal(drv->recv(q->drv_queue, heads, 4), -ENODEV);
	assert_int_equal(drv->abandon(q->drv_queue, heads, 4), 1);
	assert_ptr_equal(heads[0], &left->head);
	assert_int_equal(left->head.status, WD_STATUS_DEVICE_GONE);
}

/* Of a slot in flight, a free one, one beyond the depth. */
static void flips_without_an_answer_end_the_queue(void **state)
{
	static const uint32_t slots[] = { 1, 2, 63 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
		struct fake *q = fake_create(40);
		struct wd_memop_req a = memop(WD_OP_NOP, NULL, NULL, 0), b = a;

		send_one(q, &a); /* slot 0 */
		send_one(q, &b); /* slot 1 */
		fake_record(q, 0, DUMMY_ST_DONE, 0, 0);
		fake_flip(q, 0);
		fake_flip(q, slots[i]);
		expect_end(q, &a, &b);
		fake_destroy(q);
	}
}

/* The answer to something else, or one that comes twice. */
static void answer_of_another_submission_ends_the_queue(void **state)
{
	struct fake *q = fake_create(8);
	struct wd_memop_req req = memop(WD_OP_NOP, NULL, NULL, 0);
	struct dummy_record *record, old;

	(void)state;
	send_one(q, &req);
	fake_record(q, 0, DUMMY_ST_DONE, 0, 0);
	record = (struct dummy_record *)(uintptr_t)le64toh(fake_desc(q, 0)->record);
	old = *record;
	fake_flip(q, 0);
	assert_ptr_equal(recv_one(q), &req);
	send_one(q, &req);
	*record = old;
	assert_null(recv_one(q)); /* without its flip it is nothing */
	fake_flip(q, 0);
	expect_end(q, NULL, &req);
	fake_destroy(q);
}

static void refused_request_is_submitted_again(void **state)
{
	struct fake *q = fake_create(8);
	struct wd_memop_req a = memop(WD_OP_NOP, NULL, NULL, 0), b = a, c = a;

	(void)state;
	send_one(q, &a);
	send_one(q, &b);
	assert_int_equal(fake_register(q, DUMMY_REG_SUBMIT(0)), 3);
	fake_record(q, 1, DUMMY_ST_RETRY, 0, 0);
	fake_flip(q, 1);
	assert_null(recv_one(q));
	/* While the device is busy with another, neither it nor what comes after it is submitted. */
	assert_int_equal(fake_register(q, DUMMY_REG_SUBMIT(0)), 3);
	send_one(q, &c);
	assert_int_equal(fake_register(q, DUMMY_REG_SUBMIT(0)), 3);
	fake_record(q, 0, DUMMY_ST_RETRY, 0, 0);
	fake_flip(q, 0);
	assert_null(recv_one(q));
	/* Nothing is in flight: the first that was refused goes again, alone. */
	assert_int_equal(fake_register(q, DUMMY_REG_SUBMIT(0)), 1);
	fake_record(q, 1, DUMMY_ST_DONE, 0, 0);
	fake_flip(q, 1);
	assert_ptr_equal(recv_one(q), &b);
	assert_int_equal(b.head.retries, 1);
	/* One answered, none refused: two follow. */
	assert_int_equal(fake_register(q, DUMMY_REG_SUBMIT(0)), 4);
	fake_record(q, 0, DUMMY_ST_DONE, 0, 0);
	fake_flip(q, 0);
	fake_record(q, 2, DUMMY_ST_DONE, 0, 0);
	fake_flip(q, 2);
	assert_ptr_equal(recv_one(q), &a);
	assert_ptr_equal(recv_one(q), &c);
	assert_int_equal(a.head.retries, 1);
	assert_int_equal(c.head.retries, 0);
	fake_destroy(q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(open_checks_the_device),
		cmocka_unit_test(descriptor_is_as_the_machine_wants_it),
		cmocka_unit_test(answers_that_make_no_sense_are_device_errors),
		cmocka_unit_test(flips_without_an_answer_end_the_queue),
		cmocka_unit_test(answer_of_another_submission_ends_the_queue),
		cmocka_unit_test(refused_request_is_submitted_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

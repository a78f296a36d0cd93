/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The dummy machine's layouts against bytes written by hand from the table in
 * its description, not through our structs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <endian.h>

#include "hw/dummy_hw.h"
#include "uapi/wd_dummy.h"

static const uint8_t desc_bytes[64] = {
	0x01, 0x00, 0x01, 0x00, 0x04, 0x03, 0x02, 0x01, /* opcode, 0, flags, tag */
	0x22, 0x11, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* length */
	0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, /* source */
	0xf8, 0xf7, 0xf6, 0xf5, 0xf4, 0xf3, 0xf2, 0xf1, /* destination */
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* pattern */
	0xe0, 0xcd, 0xab, 0x00, 0x00, 0x00, 0x00, 0x00, /* completion record */
};

static const uint8_t fill_pattern[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

static const uint8_t record_bytes[32] = {
	0x02, 0x05, 0x00, 0x00, 0x04, 0x03, 0x02, 0x01, /* failed, ADDRESS, 0, tag */
	0x00, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* done */
};

static void desc_is_its_bytes(void **state)
{
	struct dummy_desc desc = {
		.opcode = DUMMY_OP_COPY,
		.flags = htole16(DUMMY_DESC_F_EVENT),
		.tag = htole32(0x01020304),
		.len = htole64(0x1122),
		.src = htole64(0x1122334455667788),
		.dst = htole64(0xf1f2f3f4f5f6f7f8),
		.record = htole64(0xabcde0),
	};
	uint8_t bytes[64];

	(void)state;
	assert_int_equal(sizeof(desc), sizeof(desc_bytes));
	assert_memory_equal(&desc, desc_bytes, sizeof(desc_bytes));

	memcpy(desc.pattern, fill_pattern, sizeof(fill_pattern));
	memcpy(bytes, desc_bytes, sizeof(bytes));
	memcpy(bytes + 0x20, fill_pattern, sizeof(fill_pattern));
	assert_memory_equal(&desc, bytes, sizeof(bytes));
}

static void record_is_its_bytes(void **state)
{
	struct dummy_record record = {
		.status = DUMMY_ST_FAILED,
		.error = DUMMY_ERR_ADDRESS,
		.tag = htole32(0x01020304),
		.done = htole64(0x1000),
	};
	uint8_t bytes[32];

	(void)state;
	assert_int_equal(sizeof(record), sizeof(record_bytes));
	assert_memory_equal(&record, record_bytes, sizeof(record_bytes));

	record.crc = htole32(0xcbf43926);
	memcpy(bytes, record_bytes, sizeof(bytes));
	memcpy(bytes + 0x10, (const uint8_t[]){ 0x26, 0x39, 0xf4, 0xcb }, 4);
	assert_memory_equal(&record, bytes, sizeof(bytes));
}

static void record_head_is_one_word(void **state)
{
	uint64_t head = 0x0102030400000502;

	(void)state;
	assert_int_equal(head & DUMMY_HEAD_STATUS_MASK, DUMMY_ST_FAILED);
	assert_int_equal(head >> DUMMY_HEAD_ERROR_SHIFT & DUMMY_HEAD_ERROR_MASK, DUMMY_ERR_ADDRESS);
	assert_int_equal(head >> DUMMY_HEAD_TAG_SHIFT, 0x01020304);
	head = htole64(head);
	assert_memory_equal(&head, record_bytes, sizeof(head));
}

static void numbers_are_as_described(void **state)
{
	(void)state;
	assert_int_equal(DUMMY_REG_ARM, 0);
	assert_int_equal(DUMMY_REG_SUBMIT(0), 0x80);
	assert_int_equal(DUMMY_REG_SUBMIT(15), 0xf8);
	assert_int_equal(DUMMY_DUS_STATE, 0);
	assert_int_equal(DUMMY_DUS_DONE(15), 0xf8);
	assert_int_equal(DUMMY_DUS_SLOTS, 0x100);
	assert_int_equal(DUMMY_OP_NOP, 0);
	assert_int_equal(DUMMY_OP_COPY, 1);
	assert_int_equal(DUMMY_OP_FILL, 2);
	assert_int_equal(DUMMY_OP_CRC32, 3);
	assert_int_equal(DUMMY_ST_DONE, 1);
	assert_int_equal(DUMMY_ST_RETRY, 3);
	/* _IOR('d', 1, 8 bytes), as every Linux of ours has it */
	assert_int_equal(WD_DUMMY_CMD_GET_INFO, 0x80086401);
	assert_int_equal(offsetof(struct wd_dummy_info, nr_slots), 0);
	assert_int_equal(sizeof(struct wd_dummy_info), 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(desc_is_its_bytes),
		cmocka_unit_test(record_is_its_bytes),
		cmocka_unit_test(record_head_is_one_word),
		cmocka_unit_test(numbers_are_as_described),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

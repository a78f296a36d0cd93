/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note OR Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The dummy machine, version 3: an invented accelerator for memory operations
 * whose queue is a table of slots and not a ring.  All words in memory are
 * little endian.
 *
 * Its user fills any free slots with descriptors, in any order, and flips those
 * slots' bits in the SUBMIT registers.  The device answers a slot by writing a
 * completion record where the descriptor says and then flipping the slot's bit
 * in the DONE words: the device's answer may be that it had no room ("retry").
 * Answers come in any order.  A slot is the device's from one flip to the other.
 *
 * Registers and DONE words hold states, not events: a store that overtakes
 * another, or is seen late, loses nothing.
 *
 * A descriptor as bytes, a COPY of 0x1122 bytes with an event:
 *
 *	00: 01 00 01 00 04 03 02 01   opcode, 0, flags, tag 0x01020304
 *	08: 22 11 00 00 00 00 00 00   length
 *	10: 88 77 66 55 44 33 22 11   source 0x1122334455667788
 *	18: f8 f7 f6 f5 f4 f3 f2 f1   destination 0xf1f2f3f4f5f6f7f8
 *	20: 00 00 00 00 00 00 00 00   pattern, of FILL alone
 *	28: e0 cd ab 00 00 00 00 00   completion record 0xabcde0
 *	30: 00 00 00 00 00 00 00 00   0
 *	38: 00 00 00 00 00 00 00 00   0
 *
 * and its completion record, after an address that could not be reached:
 *
 *	00: 02 05 00 00 04 03 02 01   failed, ADDRESS, 0, tag; stored last
 *	08: 00 10 00 00 00 00 00 00   0x1000 bytes were done
 *	10: 00 00 00 00 00 00 00 00   CRC, of CRC32 alone
 *	18: 00 00 00 00 00 00 00 00   0
 */
#ifndef HW_DUMMY_HW_H
#define HW_DUMMY_HW_H

#include <linux/types.h>

#define DUMMY_SLOTS_MAX	 1024
#define DUMMY_GROUP	 64 /* slots that share a register and a word, slot n in bit n % 64 */
#define DUMMY_GROUPS_MAX (DUMMY_SLOTS_MAX / DUMMY_GROUP)

/* Region 0.  Every register is written by one aligned 64-bit store. */
#define DUMMY_MMIO_BYTES 0x1000
/*
 * ARM: asks for one event as soon as the device has given more answers since
 * the start than the value stored (modulo 2^32), which is how many the user has
 * taken: an answer that crosses the store on its way is not overlooked.
 */
#define DUMMY_REG_ARM 0x000
/* SUBMIT of group g: the submission bits of its slots; all 0 at the start. */
#define DUMMY_REG_SUBMIT(g) (0x080u + 8u * (g))

/* Region 1, in the user's memory: a status word, the DONE words, the slots. */
#define DUMMY_DUS_STATE	  0x000		      /* u32, enum below, written by the device */
#define DUMMY_DUS_DONE(g) (0x080u + 8u * (g)) /* u64, written by the device; 0 at the start */
#define DUMMY_DUS_SLOTS	  0x100

#define DUMMY_STATE_WORKING 0
#define DUMMY_STATE_RESET   1 /* the device was reset: no further answer comes */
#define DUMMY_STATE_FAULT   2 /* the queue's own memory could not be reached: likewise */

#define DUMMY_PATTERN_BYTES 8

struct dummy_desc {
	__u8 opcode;  /* 0: DUMMY_OP_* */
	__u8 rsvd0;   /* 1: 0 */
	__le16 flags; /* 2: DUMMY_DESC_F_* */
	__le32 tag;   /* 4: the user's, comes back; tells an old answer from a new one */
	__le64 len;   /* 8: bytes */
	__le64 src;   /* 16: COPY, CRC32 */
	__le64 dst;   /* 24: COPY, FILL; may not overlap src */
	__u8 pattern[DUMMY_PATTERN_BYTES]; /* 32: FILL: these bytes again and again */
	__le64 record;	 /* 40: address of the completion record, a multiple of its size */
	__le64 rsvd1[2]; /* 48: 0 */
};

#define DUMMY_DESC_BYTES 64
#define DUMMY_LEN_MAX	 (1ull << 30) /* of one descriptor */

#define DUMMY_OP_NOP   0 /* ignores len, src, dst and pattern */
#define DUMMY_OP_COPY  1
#define DUMMY_OP_FILL  2
#define DUMMY_OP_CRC32 3 /* RFC 1952 */

#define DUMMY_DESC_F_EVENT (1u << 0) /* its completion is an event, armed or not */

/* The first 8 bytes are one store, which comes last. */
struct dummy_record {
	__u8 status;  /* 0: DUMMY_ST_*, 0 until answered */
	__u8 error;   /* 1: DUMMY_ERR_* */
	__le16 rsvd0; /* 2: 0 */
	__le32 tag;   /* 4: the descriptor's */
	__le64 done;  /* 8: bytes worked on, from the beginning */
	__le32 crc;   /* 16: of these bytes */
	__le32 rsvd1; /* 20: 0 */
	__le64 rsvd2; /* 24: 0 */
};

#define DUMMY_RECORD_BYTES 32

/* The first 8 bytes of a record as one word. */
#define DUMMY_HEAD_STATUS_MASK 0xffull
#define DUMMY_HEAD_ERROR_SHIFT 8
#define DUMMY_HEAD_ERROR_MASK  0xffull
#define DUMMY_HEAD_TAG_SHIFT   32

#define DUMMY_ST_NONE	0
#define DUMMY_ST_DONE	1
#define DUMMY_ST_FAILED 2 /* error says why */
#define DUMMY_ST_RETRY	3 /* no room in the device: not looked at, submit it again */

#define DUMMY_ERR_NONE	  0
#define DUMMY_ERR_OPCODE  1 /* unknown */
#define DUMMY_ERR_FIELD	  2 /* an unknown flag, or a reserved byte is not 0 */
#define DUMMY_ERR_LENGTH  3 /* more than DUMMY_LEN_MAX */
#define DUMMY_ERR_OVERLAP 4 /* of source and destination */
#define DUMMY_ERR_ADDRESS 5 /* source or destination cannot be reached */

#define DUMMY_DESC_AT(member, byte) \
	_Static_assert(__builtin_offsetof(struct dummy_desc, member) == (byte), "desc " #member)
#define DUMMY_RECORD_AT(member, byte) \
	_Static_assert(__builtin_offsetof(struct dummy_record, member) == (byte), "record " #member)

_Static_assert(sizeof(struct dummy_desc) == DUMMY_DESC_BYTES, "a descriptor is 64 bytes");
DUMMY_DESC_AT(opcode, 0);
DUMMY_DESC_AT(flags, 2);
DUMMY_DESC_AT(tag, 4);
DUMMY_DESC_AT(len, 8);
DUMMY_DESC_AT(src, 16);
DUMMY_DESC_AT(dst, 24);
DUMMY_DESC_AT(pattern, 32);
DUMMY_DESC_AT(record, 40);
DUMMY_DESC_AT(rsvd1, 48);

_Static_assert(sizeof(struct dummy_record) == DUMMY_RECORD_BYTES, "a record is 32 bytes");
DUMMY_RECORD_AT(status, 0);
DUMMY_RECORD_AT(error, 1);
DUMMY_RECORD_AT(tag, 4);
DUMMY_RECORD_AT(done, 8);
DUMMY_RECORD_AT(crc, 16);

_Static_assert(DUMMY_REG_SUBMIT(DUMMY_GROUPS_MAX) <= DUMMY_MMIO_BYTES, "SUBMIT in the page");
_Static_assert(DUMMY_DUS_DONE(DUMMY_GROUPS_MAX) <= DUMMY_DUS_SLOTS, "DONE before the slots");

#endif

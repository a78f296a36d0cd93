/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note OR Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * HiSilicon ZIP engine: the 128-byte SQE of type 3, its bit fields and status
 * codes.  32 little-endian words; the comment is the byte offset.
 */
#ifndef HW_HISI_ZIP_HW_H
#define HW_HISI_ZIP_HW_H

#include <linux/types.h>

struct hisi_zip_sqe {
	__le32 consumed;	  /* 0: result: input bytes used, with the trailer */
	__le32 produced;	  /* 4: result: output bytes written, with the trailer */
	__le32 comp_data_length;  /* 8: result of LZ77 types; ours: level used, if announced */
	__le32 dw3;		  /* 12: result: status */
	__le32 input_data_length; /* 16: bytes */
	__le32 lba_l;		  /* 20: storage only */
	__le32 lba_h;		  /* 24: storage only */
	__le32 dw7;		  /* 28: offset into source SGL, stream bits, SQE type */
	__le32 dw8;		  /* 32: offset into destination SGL */
	__le32 dw9;		  /* 36: request type, buffer type, window */
	__le32 dw10;		  /* 40: storage only */
	__le32 priv_info;	  /* 44: storage only */
	__le32 dw12;		  /* 48: storage only */
	__le32 dw13;		  /* 52: literal buffer size (LZ77), else 0 */
	__le32 dest_avail_out;	  /* 56: bytes of room for output */
	__le32 ctx_dw0;		  /* 60: stream state, in and out */
	__le32 comp_head_addr_l;  /* 64: 0 */
	__le32 comp_head_addr_h;  /* 68: 0 */
	__le32 source_addr_l;	  /* 72 */
	__le32 source_addr_h;	  /* 76 */
	__le32 dest_addr_l;	  /* 80 */
	__le32 dest_addr_h;	  /* 84 */
	__le32 stream_ctx_addr_l; /* 88: stateful only */
	__le32 stream_ctx_addr_h; /* 92: stateful only */
	__le32 literals_addr_l;	  /* 96: LZ77 only */
	__le32 literals_addr_h;	  /* 100: LZ77 only */
	__le32 tag_l;		  /* 104: the sender's, both come back unchanged */
	__le32 tag_h;		  /* 108 */
	__le32 ctx_dw1;		  /* 112: stream state, in and out */
	__le32 ctx_dw2;		  /* 116: stream state, in and out */
	__le32 isize;		  /* 120: running count of uncompressed bytes */
	__le32 checksum;	  /* 124: running checksum */
};

#define HISI_ZIP_SQE_BYTES 128

/* dw3 */
#define HISI_ZIP_DW3_STATUS_MASK 0xffu
#define HISI_ZIP_DW3_LAST_BLOCK	 (1u << 8)

/* dw7 */
#define HISI_ZIP_DW7_IN_OFFSET_MASK 0xffffffu
#define HISI_ZIP_DW7_RSVD	    (1u << 24)
#define HISI_ZIP_DW7_FINISH	    (1u << 25) /* stateful: the last piece */
#define HISI_ZIP_DW7_STATEFUL	    (1u << 26)
#define HISI_ZIP_DW7_STREAM_NEW	    (1u << 27) /* stateful: the first piece */
#define HISI_ZIP_DW7_TYPE_SHIFT	    28
#define HISI_ZIP_DW7_TYPE3	    3u

/* dw8 */
#define HISI_ZIP_DW8_OUT_OFFSET_MASK 0xffffffu

/* dw9 */
#define HISI_ZIP_DW9_REQ_TYPE_MASK    0xffu
#define HISI_ZIP_DW9_BUF_TYPE_SHIFT   8	 /* [11:8], for source and destination */
#define HISI_ZIP_DW9_WINDOW_SHIFT     12 /* [15:12] */
#define HISI_ZIP_DW9_LEVEL_SHIFT      16 /* [19:16]: ours, reserved on silicon; 0: default */
#define HISI_ZIP_DW9_LEVEL_MASK	      0xfu
#define HISI_ZIP_DW9_RSVD_MASK	      0xffff0000u /* on silicon */
#define HISI_ZIP_DW9_RSVD_LEVELS_MASK 0xfff00000u /* with levels announced */

#define HISI_ZIP_REQ_DEFLATE 0x01
#define HISI_ZIP_REQ_ZLIB    0x02
#define HISI_ZIP_REQ_GZIP    0x03

#define HISI_ZIP_BUF_FLAT 0
#define HISI_ZIP_BUF_SGL  1

#define HISI_ZIP_WINDOW_4K  0
#define HISI_ZIP_WINDOW_8K  1
#define HISI_ZIP_WINDOW_16K 2
#define HISI_ZIP_WINDOW_24K 3
#define HISI_ZIP_WINDOW_32K 4

/* ctx_dw0 */
#define HISI_ZIP_CTX_ST_MASK	 0xfu
#define HISI_ZIP_CTX_ST_NONE	 0
#define HISI_ZIP_CTX_ST_END_FULL 1 /* the last block is decoded, its output had no room */
#define HISI_ZIP_CTX_ST_FULL	 2 /* no room in the middle of decompressing */
#define HISI_ZIP_CTX_BFINAL	 (1u << 7)

/* The stream context: bytes from its address that are the engine's own. */
#define HISI_ZIP_CTX_BYTES 38848u
/* Where software puts the engine's part in its buffer. */
#define HISI_ZIP_CTX_OFFSET 64u

#define HISI_ZIP_FLAT_MAX (8u << 20) /* bytes of one flat buffer */

/* Stateless, no input, this room: a request that asks for nothing. */
#define HISI_ZIP_BYPASS_AVAIL 0x10u

/* Status codes; those that no driver names are this model's own. */
#define HISI_ZIP_ST_OK		 0x00
#define HISI_ZIP_ST_NEG_COMP	 0x0d /* done, and the output is larger than the input */
#define HISI_ZIP_ST_NO_ROOM	 0x0e /* dest_avail_out too small */
#define HISI_ZIP_ST_BAD_CHECKSUM 0x10
#define HISI_ZIP_ST_END		 0x13 /* decompression reached the stream's end */
#define HISI_ZIP_ST_BAD_DATA	 0x20 /* ours: not deflate data, or cut short */
#define HISI_ZIP_ST_BAD_FIELD	 0x21 /* ours: a field of the SQE is refused */
#define HISI_ZIP_ST_BAD_SGL	 0x22 /* ours: the scatter list is malformed or too short */
#define HISI_ZIP_ST_BAD_ADDR	 0x23 /* ours: memory cannot be reached */
#define HISI_ZIP_ST_STATE_LOST	 0x24 /* ours: the stream context is not one of ours any more */
#define HISI_ZIP_ST_INTERNAL	 0x2f /* ours: the model ran out of memory */

/* Queue types (struct hisi_qp_ctx) */
#define HISI_ZIP_QC_COMPRESS   0
#define HISI_ZIP_QC_DECOMPRESS 1

#define HISI_ZIP_AT(member, byte) \
	_Static_assert(__builtin_offsetof(struct hisi_zip_sqe, member) == (byte), "SQE " #member)

_Static_assert(sizeof(struct hisi_zip_sqe) == HISI_ZIP_SQE_BYTES, "an SQE is 128 bytes");
HISI_ZIP_AT(produced, 4);
HISI_ZIP_AT(dw3, 12);
HISI_ZIP_AT(input_data_length, 16);
HISI_ZIP_AT(dw7, 28);
HISI_ZIP_AT(dw8, 32);
HISI_ZIP_AT(dw9, 36);
HISI_ZIP_AT(dw13, 52);
HISI_ZIP_AT(dest_avail_out, 56);
HISI_ZIP_AT(ctx_dw0, 60);
HISI_ZIP_AT(source_addr_l, 72);
HISI_ZIP_AT(dest_addr_l, 80);
HISI_ZIP_AT(stream_ctx_addr_l, 88);
HISI_ZIP_AT(literals_addr_l, 96);
HISI_ZIP_AT(tag_l, 104);
HISI_ZIP_AT(ctx_dw1, 112);
HISI_ZIP_AT(isize, 120);
HISI_ZIP_AT(checksum, 124);

#endif

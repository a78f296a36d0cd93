/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note OR Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * HiSilicon scatter list: blocks of a 64-byte header and 32-byte entries, each
 * block 64-byte aligned, chained by next_dma.  The chip walks it with
 * entry_sum_in_sgl and next_dma alone.  Little endian.
 */
#ifndef HW_HISI_SGL_HW_H
#define HW_HISI_SGL_HW_H

#include <linux/types.h>

#define HISI_SGL_ALIGN	     64
#define HISI_SGL_ENTRIES_MAX 255	/* of one block */
#define HISI_SGL_BLOCKS_MAX  256	/* of one chain */
#define HISI_SGE_BYTES_MAX   (8u << 20) /* of one entry */

struct hisi_sgl_header {
	__le64 next_dma;	    /* 0: next block, 0 at the end */
	__le16 entry_sum_in_chain;  /* 8: not to be relied on */
	__le16 entry_sum_in_sgl;    /* 10: valid entries in this block */
	__le16 entry_length_in_sgl; /* 12: capacity of this block */
	__le16 pad;		    /* 14 */
	__le64 software[6];	    /* 16: the chip ignores it */
};

struct hisi_sge {
	__le64 buf;	  /* 0: address */
	__le64 page_ctrl; /* 8: unused */
	__le32 len;	  /* 16: bytes */
	__le32 pad;	  /* 20 */
	__le64 software;  /* 24: the chip ignores it */
};

_Static_assert(sizeof(struct hisi_sgl_header) == 64, "an SGL header is 64 bytes");
_Static_assert(__builtin_offsetof(struct hisi_sgl_header, entry_sum_in_sgl) == 10, "SGL count");
_Static_assert(__builtin_offsetof(struct hisi_sgl_header, entry_length_in_sgl) == 12, "SGL room");
_Static_assert(__builtin_offsetof(struct hisi_sgl_header, software) == 16, "SGL software area");
_Static_assert(sizeof(struct hisi_sge) == 32, "an SGE is 32 bytes");
_Static_assert(__builtin_offsetof(struct hisi_sge, len) == 16, "SGE length");
_Static_assert(__builtin_offsetof(struct hisi_sge, software) == 24, "SGE software area");

#endif

/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note OR Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * HiSilicon queue manager, version 2 and later, as a queue's user sees it:
 * doorbell, completion entry, memory of a queue, status words.  All words in
 * memory are little endian.
 */
#ifndef HW_HISI_QM_HW_H
#define HW_HISI_QM_HW_H

#include <linux/types.h>

/* Doorbell: one aligned 64-bit store at this offset of the MMIO region. */
#define HISI_QM_DB_OFFSET     0x1000
#define HISI_QM_DB_QN_MASK    0x3ffull /* [9:0] queue number */
#define HISI_QM_DB_CMD_SHIFT  12       /* [15:12] command */
#define HISI_QM_DB_CMD_MASK   0xfull
#define HISI_QM_DB_IDX_SHIFT  32 /* [47:32] index */
#define HISI_QM_DB_IDX_MASK   0xffffull
#define HISI_QM_DB_PRIO_SHIFT 48 /* [63:48] priority; bit 0 is c_flag of a CQ doorbell */

#define HISI_QM_DB_CMD_SQ 0 /* index: the slot after the last filled SQE */
#define HISI_QM_DB_CMD_CQ 1 /* index: the CQE looked at next; c_flag 1 arms the event */

#define HISI_QM_DB_C_FLAG (1ull << HISI_QM_DB_PRIO_SHIFT)

/* Region 0 of a queue with a doorbell page of its own. */
#define HISI_QM_MMIO_BYTES 0x10000

#define HISI_QM_MAX_QUEUES 1024
#define HISI_QM_DEPTH_MIN  2
#define HISI_QM_DEPTH_MAX  4096 /* depth - 1 is kept in 12 bits */

/* Region 1: SQ, then CQ, up to a page's end, then one page whose last words are the status. */
#define HISI_QM_DS_RX_FROM_END 8 /* u32, 1: receiving disabled */
#define HISI_QM_DS_TX_FROM_END 4 /* u32, 1: sending disabled */
#define HISI_QM_DS_DISABLED    1

struct hisi_qm_cqe {
	__le32 rsvd0;	/* 0 */
	__le16 cmd_id;	/* 4 */
	__le16 rsvd1;	/* 6 */
	__le16 sq_head; /* 8: slot of the SQE that is done */
	__le16 sq_num;	/* 10: queue number */
	__le16 rsvd2;	/* 12 */
	__le16 w7;	/* 14: bit 0 phase, rest status */
};

#define HISI_QM_CQE_BYTES      16
#define HISI_QM_CQE_PHASE_MASK 1
/* The phase as a bit of the CQE's last 32-bit word, which is written last. */
#define HISI_QM_CQE_DW3_OFFSET	    12
#define HISI_QM_CQE_DW3_PHASE_SHIFT 16

_Static_assert(sizeof(struct hisi_qm_cqe) == HISI_QM_CQE_BYTES, "a CQE is 16 bytes");
_Static_assert(__builtin_offsetof(struct hisi_qm_cqe, cmd_id) == 4, "CQE cmd_id");
_Static_assert(__builtin_offsetof(struct hisi_qm_cqe, sq_head) == 8, "CQE sq_head");
_Static_assert(__builtin_offsetof(struct hisi_qm_cqe, sq_num) == 10, "CQE sq_num");
_Static_assert(__builtin_offsetof(struct hisi_qm_cqe, w7) == 14, "CQE w7");

#endif

/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note OR Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* Commands of a HiSilicon queue manager's uacce queue, as mainline Linux has them. */
#ifndef UAPI_HISI_QM_H
#define UAPI_HISI_QM_H

#include <linux/ioctl.h>
#include <linux/types.h>

struct hisi_qp_ctx {
	__u16 id;      /* 0: out: queue number, goes in the doorbell */
	__u16 qc_type; /* 2: in: 0 or 1; ZIP: 0 compress, 1 decompress */
};

struct hisi_qp_info {
	__u32 sqe_size; /* 0: bytes */
	__u16 sq_depth; /* 4 */
	__u16 cq_depth; /* 6 */
	__u64 reserved; /* 8 */
};

#define UACCE_CMD_QM_SET_QP_CTX	 _IOWR('H', 10, struct hisi_qp_ctx)
#define UACCE_CMD_QM_SET_QP_INFO _IOWR('H', 11, struct hisi_qp_info)

#endif

/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note OR Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* The one command of a dummy queue: what its user must know before it starts it. */
#ifndef UAPI_WD_DUMMY_H
#define UAPI_WD_DUMMY_H

#include <linux/ioctl.h>
#include <linux/types.h>

struct wd_dummy_info {
	__u32 nr_slots; /* 0: out: descriptors that the queue's table holds */
	__u32 reserved; /* 4: out: 0 */
};

#define WD_DUMMY_CMD_GET_INFO _IOR('d', 1, struct wd_dummy_info)

#endif

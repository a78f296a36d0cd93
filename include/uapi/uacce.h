/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note OR Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* User contract of a uacce character device, as mainline Linux has it. */
#ifndef UAPI_UACCE_H
#define UAPI_UACCE_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* One open file is one queue.  Starts it; -EINVAL unless it was just opened. */
#define UACCE_CMD_START_Q _IO('W', 0)
/* Stops and frees the queue before the file is closed. */
#define UACCE_CMD_PUT_Q _IO('W', 1)

/* Attribute "flags", bit 0: shared virtual addressing. */
#define UACCE_DEV_SVA (1 << 0)

/* Regions of a queue; mmap offset is the region times the page size. */
#define UACCE_QFRT_MMIO 0 /* device registers */
#define UACCE_QFRT_DUS	1 /* device user share */

#endif

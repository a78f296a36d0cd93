/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* Memory that a device may use at the program's own addresses. */
#ifndef WD_MEM_H
#define WD_MEM_H

#include <wd/wd.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WD_SHARE_READ  (1u << 0) /* the device may read it */
#define WD_SHARE_WRITE (1u << 1) /* the device may write it */
#define WD_SHARE_ALL   (1u << 2) /* the whole process space (SVA); address and size are 0 */

/**
 * wd_mem_share() - make a range usable by the queue's device at its own address
 * @q: a queue
 * @addr: start of the range
 * @size: bytes
 * @flags: WD_SHARE_READ, WD_SHARE_WRITE or both; or WD_SHARE_ALL
 *
 * A device with shared virtual addressing takes any pointer anyway; there the
 * call checks its arguments and remembers the range.
 *
 * Thread rule: as wd_send().
 * Return: 0, -EINVAL (empty or wrapping range, unknown flags), -EEXIST (shared
 * already with other bounds), -EOPNOTSUPP, -ENOMEM, -ENODEV.
 */
WD_API int wd_mem_share(struct wd_queue *q, void *addr, size_t size, uint32_t flags);

/**
 * wd_mem_unshare() - take a range back
 * @q: the queue it was shared with
 * @addr: start, as shared
 * @size: bytes, as shared
 *
 * Return: 0, -EINVAL when this range is not shared.
 */
WD_API int wd_mem_unshare(struct wd_queue *q, void *addr, size_t size);

#ifdef __cplusplus
}
#endif

#endif

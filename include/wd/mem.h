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

/*
 * Three kinds of device: those that take any pointer (WD_CAPA_F_SVA); those
 * that use memory in place once it was shared (WD_CAPA_F_SHARE); the others
 * reach memory of their own only.  Whatever a device cannot reach where it lies
 * is copied, there and back, and counted as bounced: same calls, same results.
 *
 * A queue has room for so many copies (setting "bounce_mib"): beyond that it is
 * full, as with too many requests, and a request that cannot fit at all is
 * refused with -ENOMEM.
 */

/**
 * wd_mem_share() - make a range usable by the queue's device at its own address
 * @q: a queue
 * @addr: start of the range
 * @size: bytes
 * @flags: WD_SHARE_READ, WD_SHARE_WRITE or both; or WD_SHARE_ALL
 *
 * For all queues of the device in this process; whole pages are shared.  Ranges
 * may touch, overlap and repeat, and be of any memory that lives until they are
 * unshared: heap, huge pages, files.  A range shared with several devices has
 * one address for all.  Where sharing does nothing (SVA: not needed; neither
 * kind: not possible) the range is checked and remembered.  A queue's shares end
 * with it.
 *
 * Thread rule: as wd_send().
 * Return: 0, -EINVAL (empty or wrapping range, unknown flags), -EFAULT (memory
 * that is not there, or may not be accessed that way), -EOPNOTSUPP
 * (WD_SHARE_ALL without SVA), -ENOMEM, -ENODEV.
 */
WD_API int wd_mem_share(struct wd_queue *q, void *addr, size_t size, uint32_t flags);

/**
 * wd_mem_unshare() - take a range back
 * @q: the queue it was shared with
 * @addr: start, as shared
 * @size: bytes, as shared
 *
 * Once for each time it was shared; pages that other ranges cover stay shared.
 * On return the device touches the others no more: a request in flight that
 * uses them ends in WD_STATUS_BAD_ADDRESS, unless it is done already.  Lasts at
 * most as long as the request being worked on.
 *
 * Return: 0, -EINVAL when this range is not shared with @q.
 */
WD_API int wd_mem_unshare(struct wd_queue *q, void *addr, size_t size);

/**
 * wd_mem_populate() - have the pages of an output buffer ready
 * @q: a queue, for its counters; may be NULL
 * @addr: start of the range
 * @size: bytes
 *
 * A page that was never touched costs a fault when the device first writes it;
 * in bulk that is several times cheaper.  Contents stay as they are.  Counted are
 * the pages that were not in memory before.
 *
 * Return: 0, -EINVAL, -EFAULT (not mapped, or not writable), -ENOMEM,
 * -EOPNOTSUPP (the kernel is older than 5.14).
 */
WD_API int wd_mem_populate(struct wd_queue *q, void *addr, size_t size);

#ifdef __cplusplus
}
#endif

#endif

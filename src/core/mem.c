/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* Ranges shared with a queue's device.  With SVA there is nothing to map: they are remembered. */
#include <errno.h>
#include <stdlib.h>

#include <wd/mem.h>

#include "core/queue.h"

void core_queue_forget_ranges(struct core_queue *cq)
{
	while (cq->ranges) {
		struct share_range *r = cq->ranges;

		cq->ranges = r->next;
		free(r);
	}
}

static bool is_range_valid(const void *addr, size_t size, uint32_t flags)
{
	if (flags == WD_SHARE_ALL)
		return !addr && !size;
	return flags && !(flags & ~(WD_SHARE_READ | WD_SHARE_WRITE)) && addr && size &&
	       (uintptr_t)addr + size - 1 >= (uintptr_t)addr;
}

static int share_locked(struct core_queue *cq, uintptr_t addr, size_t bytes)
{
	struct share_range *r;

	if (!(cq->device->info.flags & WD_CAPA_F_SVA))
		return -EOPNOTSUPP;
	for (r = cq->ranges; r; r = r->next)
		if (r->addr == addr)
			return r->bytes == bytes ? 0 : -EEXIST;
	r = malloc(sizeof(*r));
	if (!r)
		return -ENOMEM;
	*r = (struct share_range){ .next = cq->ranges, .addr = addr, .bytes = bytes };
	cq->ranges = r;
	return 0;
}

int wd_mem_share(struct wd_queue *q, void *addr, size_t size, uint32_t flags)
{
	struct core_queue *cq = core_queue_of(q);
	int err;

	if (!cq || !is_range_valid(addr, size, flags))
		return -EINVAL;
	core_queue_lock(cq);
	err = core_queue_is_dead(cq) ? -ENODEV : share_locked(cq, (uintptr_t)addr, size);
	core_queue_unlock(cq);
	return err;
}

int wd_mem_unshare(struct wd_queue *q, void *addr, size_t size)
{
	struct core_queue *cq = core_queue_of(q);
	struct share_range **r, *found = NULL;

	if (!cq)
		return -EINVAL;
	core_queue_lock(cq);
	for (r = &cq->ranges; *r; r = &(*r)->next) {
		if ((*r)->addr != (uintptr_t)addr || (*r)->bytes != size)
			continue;
		found = *r;
		*r = found->next;
		break;
	}
	core_queue_unlock(cq);
	if (!found)
		return -EINVAL;
	free(found);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* Memory as programs hand it over: looked at, shared, taken back, made ready.  All cold. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <wd/mem.h>

#include "base/compiler.h"
#include "core/queue.h"
#include "core/share.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define RESIDENT_PAGES 1024u /* looked at in one go */

/* ---------------------------------------------------------------- what is there */

/*
 * /proc/self/maps, line by line: of "55d0-55e0 rw-p ..." the first two fields.
 * Lines may be longer than the buffer and are cut.
 */
struct maps_reader {
	int fd;
	size_t nr; /* bytes in buf */
	size_t at;
	char buf[4096];
};

static int next_char(struct maps_reader *r)
{
	ssize_t n;

	if (r->at == r->nr) {
		do {
			n = read(r->fd, r->buf, sizeof(r->buf));
		} while (n < 0 && errno == EINTR);
		if (n <= 0)
			return -1;
		r->nr = (size_t)n;
		r->at = 0;
	}
	return (unsigned char)r->buf[r->at++];
}

/* Reads up to the character that ends the number, which is dropped. */
static uintptr_t next_hex(struct maps_reader *r)
{
	uintptr_t v = 0;

	for (;;) {
		int c = next_char(r);

		if (c >= '0' && c <= '9')
			v = v << 4 | (uintptr_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (uintptr_t)(c - 'a' + 10);
		else
			return v;
	}
}

/* The next mapping's bounds and rights; false at the end. */
static bool next_mapping(struct maps_reader *r, uintptr_t *ret_start, uintptr_t *ret_end,
			 uint32_t *ret_direction)
{
	int c;

	*ret_start = next_hex(r);
	*ret_end = next_hex(r);
	*ret_direction = next_char(r) == 'r' ? WD_MAP_READ : 0;
	*ret_direction |= next_char(r) == 'w' ? WD_MAP_WRITE : 0;
	do {
		c = next_char(r);
	} while (c >= 0 && c != '\n');
	return c >= 0;
}

/* Whether mappings cover the range with these rights, from the file's text. */
static int check_mappings(int fd, uintptr_t addr, uintptr_t end, uint32_t direction)
{
	struct maps_reader r = { .fd = fd };
	uintptr_t from, to;
	uint32_t has;

	while (addr < end && next_mapping(&r, &from, &to, &has)) {
		if (to <= addr)
			continue;
		if (from > addr || (has & direction) != direction)
			return -EFAULT;
		addr = to;
	}
	return addr < end ? -EFAULT : 0;
}

/* The same without the rights, where there is no /proc. */
static int check_mapped(uintptr_t addr, uintptr_t end)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	unsigned char resident[RESIDENT_PAGES];

	for (addr &= ~(page - 1); addr < end; addr += page * RESIDENT_PAGES) {
		size_t bytes = base_min_u64(end - addr, page * RESIDENT_PAGES);

		if (mincore((void *)addr, bytes, resident))
			return -EFAULT;
	}
	return 0;
}

/* A mapped file may have become shorter: then its last page is not there. */
static int check_last(uintptr_t last)
{
	char byte;
	struct iovec mine = { &byte, 1 }, theirs = { (void *)last, 1 };

	return process_vm_readv(getpid(), &mine, 1, &theirs, 1, 0) < 0 && errno == EFAULT ?
		       -EFAULT :
		       0;
}

/*
 * Whether memory is there for this use.  Not asked by touching it: reading would
 * cost a page fault each, and writing would change what others are changing.
 */
static int probe_memory(uintptr_t addr, size_t bytes, uint32_t direction)
{
	int saved_errno = errno;
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	int err;

	if (fd >= 0) {
		err = check_mappings(fd, addr, addr + bytes, direction);
		close(fd);
	} else {
		err = check_mapped(addr, addr + bytes);
	}
	if (!err && direction & WD_MAP_READ)
		err = check_last(addr + bytes - 1);
	errno = saved_errno;
	return err;
}

/* ---------------------------------------------------------------- sharing */

static bool is_range_valid(const void *addr, size_t size, uint32_t flags)
{
	if (flags == WD_SHARE_ALL)
		return !addr && !size;
	return flags && !(flags & ~(WD_SHARE_READ | WD_SHARE_WRITE)) && addr && size &&
	       (uintptr_t)addr + size > (uintptr_t)addr;
}

static bool is_dead(struct core_queue *cq)
{
	bool dead;

	core_queue_lock(cq);
	dead = core_queue_is_dead(cq);
	core_queue_unlock(cq);
	return dead;
}

/* With the registry locked: @r is the queue's from here on, unless it fails. */
static int share_locked(struct core_queue *cq, struct share_range *r)
{
	int err = 0;

	if (r->bytes && cq->device->info.flags & WD_CAPA_F_SHARE)
		err = share_add(cq->device, r->addr, r->bytes, r->direction);
	if (err)
		return err;
	r->next = cq->ranges;
	cq->ranges = r;
	return 0;
}

static int share_range(struct core_queue *cq, uintptr_t addr, size_t bytes, uint32_t direction)
{
	struct share_range *r = malloc(sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	*r = (struct share_range){ .addr = addr, .bytes = bytes, .direction = direction };
	err = registry_lock();
	if (!err) {
		err = share_locked(cq, r);
		registry_unlock();
	}
	if (err)
		free(r);
	return err;
}

int wd_mem_share(struct wd_queue *q, void *addr, size_t size, uint32_t flags)
{
	int err = -EINVAL;
	struct core_queue *cq = core_queue_of(q, &err);

	if (!cq)
		return err;
	if (!is_range_valid(addr, size, flags))
		return -EINVAL;
	if (is_dead(cq))
		return -ENODEV;
	if (flags == WD_SHARE_ALL)
		return cq->device->info.flags & WD_CAPA_F_SVA ? share_range(cq, 0, 0, 0) :
								-EOPNOTSUPP;
	err = probe_memory((uintptr_t)addr, size, flags);
	return err ? err : share_range(cq, (uintptr_t)addr, size, flags);
}

/* With the registry locked: the range shared last among those that are the same, or NULL. */
static struct share_range *take_range_locked(struct core_queue *cq, uintptr_t addr, size_t bytes)
{
	struct share_range **at, *r;

	for (at = &cq->ranges; *at; at = &(*at)->next) {
		r = *at;
		if (r->addr != addr || r->bytes != bytes)
			continue;
		*at = r->next;
		return r;
	}
	return NULL;
}

int wd_mem_unshare(struct wd_queue *q, void *addr, size_t size)
{
	struct core_queue *cq = core_queue_of(q, NULL);
	struct share_range *r;

	/* The registry was read when the queue was requested: locking cannot fail. */
	if (!cq || registry_lock())
		return -EINVAL;
	r = take_range_locked(cq, (uintptr_t)addr, size);
	if (r && size && cq->device->info.flags & WD_CAPA_F_SHARE)
		share_remove(cq->device, r->addr, r->bytes, r->direction);
	registry_unlock();
	free(r);
	return r ? 0 : -EINVAL;
}

/* ---------------------------------------------------------------- fresh pages */

/* Pages of whole pages @addr to @end that are not in memory. */
static uint64_t count_absent(uintptr_t addr, uintptr_t end, size_t page)
{
	unsigned char resident[RESIDENT_PAGES];
	uint64_t nr = 0;

	for (; addr < end; addr += page * RESIDENT_PAGES) {
		size_t bytes = base_min_u64(end - addr, page * RESIDENT_PAGES), i;

		if (mincore((void *)addr, bytes, resident))
			return nr;
		for (i = 0; i < bytes / page; i++)
			nr += !(resident[i] & 1);
	}
	return nr;
}

/* What madvise() said, told apart: it has one code for several reasons. */
static BASE_COLD int populate_failed(uintptr_t addr, uintptr_t end, int error)
{
	int err = probe_memory(addr, end - addr, WD_MAP_WRITE);

	if (err)
		return err;
	switch (error) {
	case EINVAL:
		return -EOPNOTSUPP;
	case EFAULT:
		return -EFAULT;
	default:
		return -ENOMEM;
	}
}

static int populate(uintptr_t addr, uintptr_t end)
{
	int ret;

	do {
		ret = madvise((void *)addr, end - addr, MADV_POPULATE_WRITE);
	} while (ret && (errno == EINTR || errno == EAGAIN));
	return ret ? populate_failed(addr, end, errno) : 0;
}

int wd_mem_populate(struct wd_queue *q, void *addr, size_t size)
{
	struct core_queue *cq = q ? core_queue_of(q, NULL) : NULL;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uintptr_t start = (uintptr_t)addr & ~(page - 1);
	uintptr_t end = (((uintptr_t)addr + size - 1) | (page - 1)) + 1;
	int saved_errno = errno;
	uint64_t nr = 0;
	int err;

	if ((q && !cq) || !addr || !size || (uintptr_t)addr + size <= (uintptr_t)addr ||
	    end <= start)
		return -EINVAL;
	if (cq)
		nr = count_absent(start, end, page);
	err = populate(start, end);
	errno = saved_errno;
	if (cq && !err) {
		core_queue_lock(cq);
		counter_bump(cq->counters, COUNTER_POPULATED_PAGES, nr);
		core_queue_unlock(cq);
	}
	return err;
}

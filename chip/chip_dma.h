/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Bounded access of the models to their owner's memory: through a mapping where
 * the owner gives one, else by copying.  Every access of every model goes
 * through here.
 */
#ifndef CHIP_CHIP_DMA_H
#define CHIP_CHIP_DMA_H

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "base/barrier.h"
#include "chip/chip.h"

/* A chip's memory access and whose it is. */
struct dma_space {
	const struct chip_dma *dma;
	void *owner;
};

/* A mapped range, or the reason why there is none: ptr is NULL. */
static inline void *dma_map(const struct dma_space *s, uint64_t addr, size_t bytes, bool is_write)
{
	if (addr + bytes < addr || !s->dma->map)
		return NULL;
	return s->dma->map(s->owner, addr, bytes, is_write);
}

static inline void dma_unmap(const struct dma_space *s, void *ptr, size_t bytes, bool is_write)
{
	if (s->dma->unmap)
		s->dma->unmap(s->owner, ptr, bytes, is_write);
}

/* Both return 0 or -EFAULT; nothing is promised of what was copied on failure. */
static inline int dma_read(const struct dma_space *s, uint64_t addr, void *buf, size_t bytes)
{
	void *p = dma_map(s, addr, bytes, false);

	if (p) {
		memcpy(buf, p, bytes);
		dma_unmap(s, p, bytes, false);
		return 0;
	}
	if (addr + bytes < addr || !s->dma->read)
		return -EFAULT;
	return s->dma->read(s->owner, addr, buf, bytes);
}

static inline int dma_write(const struct dma_space *s, uint64_t addr, const void *buf, size_t bytes)
{
	void *p = dma_map(s, addr, bytes, true);

	if (p) {
		memcpy(p, buf, bytes);
		dma_unmap(s, p, bytes, true);
		return 0;
	}
	if (addr + bytes < addr || !s->dma->write)
		return -EFAULT;
	return s->dma->write(s->owner, addr, buf, bytes);
}

/*
 * Stores one aligned word that the owner polls, after all that was written
 * before it.  Returns 0 or -EFAULT.
 */
static inline int dma_store_release_le32(const struct dma_space *s, uint64_t addr, uint32_t value)
{
	_Atomic uint32_t *p = dma_map(s, addr, sizeof(value), true);

	value = htole32(value);
	if (p) {
		/* pairs with the acquire of the driver's poll */
		wd_store_release(p, value);
		dma_unmap(s, p, sizeof(value), true);
		return 0;
	}
	if (addr + sizeof(value) < addr || !s->dma->write)
		return -EFAULT;
	return s->dma->write(s->owner, addr, &value, sizeof(value));
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * What an embedded device reaches that does not take any pointer: memory of its
 * own, at addresses of its own or the program's, and what was shared with it.
 * In place of an IOMMU; one object per device.
 */
#ifndef BACKEND_EMBED_MEMORY_H
#define BACKEND_EMBED_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "chip/chip.h"
#include "core/backend.h"

struct embed_memory;

/* @kind: SHARE or BOUNCE.  Returns 0 or -ENOMEM. */
int embed_memory_create(enum config_memory kind, struct embed_memory **ret_memory);
/* NULL is accepted.  The chip is destroyed and all memory freed. */
void embed_memory_destroy(struct embed_memory *m);

/* Makes it the chip's only way to memory: sets dma and owner. */
void embed_memory_set_dma(struct embed_memory *m, struct chip_config *config);

/* All below from any thread. */

/* Zeroed pages that both sides reach, and where the device sees them; NULL: no memory. */
void *embed_memory_alloc(struct embed_memory *m, size_t bytes, uint64_t *ret_addr);
/* The device works on no request that names it. */
void embed_memory_free(struct embed_memory *m, void *ptr, size_t bytes);

/*
 * As wd_backend.share and unshare: of kind SHARE.  unshare waits for the piece of
 * a request that is being worked on there.  share returns 0, -ENOMEM or -EFAULT.
 */
int embed_memory_share(struct embed_memory *m, uintptr_t addr, size_t bytes, uint32_t direction);
void embed_memory_unshare(struct embed_memory *m, uintptr_t addr, size_t bytes);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * What of the program's memory a device reaches in place.  One table per device
 * that has WD_CAPA_F_SHARE; changed under the registry's lock, asked by queues
 * for each request without it.
 */
#ifndef CORE_SHARE_H
#define CORE_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/registry.h"

/* One call of wd_mem_share(), remembered by its queue. */
struct share_range {
	struct share_range *next;
	uintptr_t addr;
	size_t bytes;	    /* 0: all of memory */
	uint32_t direction; /* WD_MAP_* */
};

/* All with the registry locked but for share_covers(). */

/* Makes the device's table if there is none.  Returns 0 or -ENOMEM. */
int share_table_create(struct wd_device *d);

/*
 * Adds a range, rounded to whole pages; the device reaches it on return.  Returns
 * 0, -ENOMEM, or what the backend says, with everything as it was.
 */
int share_add(struct wd_device *d, uintptr_t addr, size_t bytes, uint32_t direction);

/* Takes away what was added with the same arguments.  Needs no memory: cannot fail. */
void share_remove(struct wd_device *d, uintptr_t addr, size_t bytes, uint32_t direction);

/* Whether the device reaches all of a range that way.  Any thread; no system call. */
bool share_covers(struct share_table *t, uintptr_t addr, size_t bytes, uint32_t direction);

#endif

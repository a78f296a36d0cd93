/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * How our deflate handles are told from states of zlib's: both begin with the
 * stream that they belong to; ours go on with a word made from their own address.
 * What is not ours, the system's zlib is asked about, which knows its own and
 * refuses the rest.
 */
#ifndef FRONTEND_WDZ_STREAM_H
#define FRONTEND_WDZ_STREAM_H

#include <stdint.h>

#include "wdz_system.h"

struct wdz_head {
	z_streamp strm;
	uint64_t tag;
};

static inline uint64_t wdz_tag(const struct wdz_head *h)
{
	return (uint64_t)(uintptr_t)h ^ 0x64c0de5a6c696221u;
}

/* Our handle behind @strm, or NULL.  zlib's states are all larger than a head. */
static inline struct wdz_head *wdz_own(z_streamp strm)
{
	struct wdz_head *h;

	/* As zlib asks: what was never opened may have anything for a state. */
	if (!strm || !strm->zalloc || !strm->zfree || !strm->state)
		return NULL;
	h = (struct wdz_head *)(void *)strm->state;
	return h->tag == wdz_tag(h) ? h : NULL;
}

#endif

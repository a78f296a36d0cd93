/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The yardstick of an open loop: another thread that does nothing but take
 * blocks from a ring and call the codec.  One thread sends and receives.
 */
#ifndef BENCH_CODEC_RING_H
#define BENCH_CODEC_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "comp_blocks.h"

#define CODEC_RING_SLOTS 1024u /* most in flight */

struct codec_ring;

/*
 * Starts the engine on @cpu.  It looks at an empty ring for ever,
 * or sleeps until a send wakes it.  NULL: no memory, or no thread.
 */
struct codec_ring *codec_ring_create(const struct comp_blocks *blocks, bool is_sleeping, int cpu);
void codec_ring_destroy(struct codec_ring *ring);

/* False when CODEC_RING_SLOTS are in flight. */
bool codec_ring_send(struct codec_ring *ring, const struct comp_block *block, uint64_t planned_ns);

/* One that is done, in the order sent. */
struct codec_result {
	const struct comp_block *block;
	const uint8_t *out; /* until CODEC_RING_SLOTS more were sent */
	size_t bytes;	    /* 0: the codec failed */
	uint64_t planned_ns;
};

/* False when none is done. */
bool codec_ring_recv(struct codec_ring *ring, struct codec_result *ret);

#endif

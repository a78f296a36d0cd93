/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Arithmetic of a ring of any depth, as pure functions.  An idx is already
 * reduced to the ring; nothing here divides, so depths need not be powers of
 * two.  The phase bit flips each lap: an entry whose phase equals the expected
 * one is new.
 */
#ifndef BASE_RING_H
#define BASE_RING_H

#include <stdbool.h>
#include <stdint.h>

static inline uint32_t ring_next(uint32_t idx, uint32_t depth)
{
	return idx + 1 == depth ? 0 : idx + 1;
}

/* Entries from @head up to but without @tail; equal means empty, not full. */
static inline uint32_t ring_fill(uint32_t head, uint32_t tail, uint32_t depth)
{
	return tail >= head ? tail - head : tail + depth - head;
}

/* The expected phase after passing from @idx to the next entry. */
static inline uint32_t ring_next_phase(uint32_t phase, uint32_t idx, uint32_t depth)
{
	return idx + 1 == depth ? phase ^ 1 : phase;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The table of inflate states.  256 slots of some 90 KB each, made when used:
 * more streams under way at once than a chip has queues, in at most 23 MB.
 */
#include <stdlib.h>

#include "chip/qm/zip_context.h"
#include "chip/qm/zip_inflate.h"

int zip_states_init(struct zip_states *t)
{
	int ret = 0;

	while (!ret && !t->engine)
		ret = wait_random(&t->engine, sizeof(t->engine));
	return ret;
}

void zip_states_fini(struct zip_states *t)
{
	for (unsigned int i = 0; i < ZIP_STATES_MAX; i++)
		free(t->slots[i].state);
}

uint64_t zip_states_next_piece(struct zip_states *t)
{
	return atomic_fetch_add_explicit(&t->pieces, 1, memory_order_relaxed) + 1;
}

/* An empty slot, else the idle one used longest ago; NULL when all are busy. */
static struct zip_state_slot *find_room_locked(struct zip_states *t)
{
	struct zip_state_slot *oldest = NULL;

	for (unsigned int i = 0; i < ZIP_STATES_MAX; i++) {
		struct zip_state_slot *s = &t->slots[i];

		if (s->is_busy)
			continue;
		if (!s->state)
			return s;
		if (!oldest || s->last_use < oldest->last_use)
			oldest = s;
	}
	return oldest;
}

struct zip_inflate_state *zip_states_create(struct zip_states *t, uint32_t *ret_slot)
{
	struct zip_inflate_state *state, *evicted;
	struct zip_state_slot *s;

	/* Outside the lock; freed again in the rare case that there is no slot. */
	state = malloc(sizeof(*state));
	if (!state)
		return NULL;
	wait_mutex_lock(&t->lock);
	s = find_room_locked(t);
	evicted = state;
	if (s) {
		evicted = s->state;
		s->state = state;
		s->piece = 0;
		s->is_busy = true;
		*ret_slot = (uint32_t)(s - t->slots);
	}
	wait_mutex_unlock(&t->lock);
	free(evicted);
	return s ? state : NULL;
}

struct zip_inflate_state *zip_states_get(struct zip_states *t,
					 const struct zip_context_header *header)
{
	struct zip_inflate_state *state = NULL;
	struct zip_state_slot *s;

	if (header->engine != t->engine || header->slot >= ZIP_STATES_MAX || !header->piece)
		return NULL;
	s = &t->slots[header->slot];
	wait_mutex_lock(&t->lock);
	if (s->state && !s->is_busy && s->piece == header->piece) {
		s->is_busy = true;
		state = s->state;
	}
	wait_mutex_unlock(&t->lock);
	return state;
}

void zip_states_put(struct zip_states *t, uint32_t slot, uint64_t piece)
{
	struct zip_state_slot *s = &t->slots[slot];

	wait_mutex_lock(&t->lock);
	s->piece = piece;
	s->last_use = ++t->uses;
	s->is_busy = false;
	wait_mutex_unlock(&t->lock);
}

void zip_states_drop(struct zip_states *t, uint32_t slot)
{
	struct zip_state_slot *s = &t->slots[slot];
	struct zip_inflate_state *state;

	wait_mutex_lock(&t->lock);
	state = s->state;
	s->state = NULL;
	s->piece = 0;
	s->is_busy = false;
	wait_mutex_unlock(&t->lock);
	free(state);
}

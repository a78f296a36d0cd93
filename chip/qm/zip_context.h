/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * What the engine keeps in the stream context that software lends it, and the
 * bounded table of inflate states that do not fit there.  Contexts are foreign
 * bytes: software may zero, copy, reuse or forge them, so a state is found by
 * a random number of this engine and a number that changes with every piece.
 */
#ifndef CHIP_QM_ZIP_CONTEXT_H
#define CHIP_QM_ZIP_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/wait.h"
#include "chip/chip_dma.h"
#include "chip/qm/zip_deflate.h"
#include "hw/hisi_zip_hw.h"

#define ZIP_CONTEXT_MAGIC 0x43704957u

enum zip_context_kind {
	ZIP_CONTEXT_COMPRESS = 1,
	ZIP_CONTEXT_INFLATE = 2,
	ZIP_CONTEXT_ENDED = 3,
};

/* At the start of the context, in the processor's own byte order. */
struct zip_context_header {
	uint32_t magic;
	uint32_t kind;	 /* enum zip_context_kind */
	uint64_t engine; /* random number of the engine that wrote it */
	uint64_t piece;	 /* unique within that engine, another one after each piece */
	uint32_t format;
	uint32_t slot;		/* inflate: of the state table */
	uint32_t history_bytes; /* compress: valid in the ring */
	uint32_t history_end;	/* compress: where the next byte goes */
	uint32_t reserved[4];
};

#define ZIP_CONTEXT_HISTORY 64u /* offset of the ring; inflate has none */
#define ZIP_CONTEXT_USED    (ZIP_CONTEXT_HISTORY + ZIP_HISTORY_BYTES)

_Static_assert(sizeof(struct zip_context_header) <= ZIP_CONTEXT_HISTORY, "header before history");
_Static_assert(ZIP_CONTEXT_USED <= HISI_ZIP_CTX_BYTES, "within the engine's part");

struct zip_inflate_state;

#define ZIP_STATES_MAX 256u

struct zip_state_slot {
	struct zip_inflate_state *state;
	uint64_t piece;	   /* that the context must name */
	uint64_t last_use; /* of the table's use count, for eviction */
	bool is_busy;	   /* a queue works on it */
};

/* Shared by the queues of one engine.  The lock is held to look up and evict only. */
struct zip_states {
	struct wait_mutex lock;
	uint64_t engine; /* random, never 0 */
	uint64_t uses;
	_Atomic uint64_t pieces; /* numbers given out */
	struct zip_state_slot slots[ZIP_STATES_MAX];
};

/* 0 or a negative errno. */
int zip_states_init(struct zip_states *t);
void zip_states_fini(struct zip_states *t);

/* A number that no other piece of this engine has; never 0. */
uint64_t zip_states_next_piece(struct zip_states *t);

/*
 * A fresh state in a slot of its own; the least recently used idle one makes
 * room.  NULL when memory is short or all are being worked on.  The caller
 * works on it until put or dropped.
 */
struct zip_inflate_state *zip_states_create(struct zip_states *t, uint32_t *ret_slot);
/* The state that @header names, to be worked on until put or dropped; NULL: not known any more. */
struct zip_inflate_state *zip_states_get(struct zip_states *t,
					 const struct zip_context_header *header);
/* From now on known as @piece. */
void zip_states_put(struct zip_states *t, uint32_t slot, uint64_t piece);
void zip_states_drop(struct zip_states *t, uint32_t slot);

#endif

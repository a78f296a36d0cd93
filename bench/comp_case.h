/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * One comparison: blocks of one size, compressed or decompressed through a
 * queue and by a codec called directly.  comp_case.c prepares and verifies it;
 * bench_comp.c measures.
 */
#ifndef BENCH_COMP_CASE_H
#define BENCH_COMP_CASE_H

#include <stdbool.h>

#include <wd/comp.h>

#include "comp_blocks.h"

#define COMP_DEPTH 32u /* requests in flight */

struct comp_kind {
	const char *name;
	const char *codecs; /* who does it directly, and who in the engine if somebody else */
	uint32_t op;
	int level;
	enum direct_kind direct;
	int direct_level;
};

/* One of the requests in flight, with room for its output. */
struct comp_slot {
	struct wd_comp_req req;
	uint8_t *out;
};

/* What verifying found. */
struct comp_sizes {
	size_t plain;
	size_t direct; /* bytes of output */
	size_t queue;
	size_t nr_differ_packed; /* blocks of another size, of those that compress */
	size_t nr_differ_other;
	size_t nr_differ_twin; /* as much as two direct codecs differ from each other */
};

struct comp_case {
	const struct comp_kind *kind;
	struct comp_blocks blocks;
	uint8_t *outputs;
	struct comp_slot slot[COMP_DEPTH];
	struct wd_queue q;
	struct direct_codec *direct;
	struct direct_codec *twin;  /* the same once more */
	struct direct_codec *judge; /* the other codec */
};

/* Opens the queue and lays out blocks; all memory is touched.  0, or -1 after a message. */
int comp_case_init(struct comp_case *c, const struct comp_kind *kind, size_t block_bytes,
		   const struct sample *sample);
void comp_case_fini(struct comp_case *c);

/* Every block both ways, both results decompressed and compared.  0, or -1 after a message. */
int comp_case_verify(struct comp_case *c, struct comp_sizes *sizes);

/* Bytes of output, 0 when it failed. */
size_t comp_case_call_direct(struct comp_case *c, const struct comp_block *b, uint8_t *out);

/* Hands a block over in @slot. */
int comp_case_send(struct comp_case *c, const struct comp_block *b, struct comp_slot *slot);

/* Whether a request that came back did what was asked. */
bool comp_case_is_good(const struct wd_req *req);

/* One block through the queue, waited for.  Bytes of output, 0 when it failed. */
size_t comp_case_call_queue(struct comp_case *c, const struct comp_block *b,
			    struct comp_slot *slot);

#endif

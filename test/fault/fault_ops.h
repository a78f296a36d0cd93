/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * What the fault matrix does with a device that is not well: each way of using
 * the library, and what came of it.  Which device, and how ill, is the matrix's.
 */
#ifndef TEST_FAULT_OPS_H
#define TEST_FAULT_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NR(a) (sizeof(a) / sizeof((a)[0]))

enum tally {
	TALLY_RIGHT,   /* at the first go */
	TALLY_RETRIED, /* right after a retry */
	TALLY_ERROR,
	TALLY_CAUGHT, /* right after verify had found it wrong */
	TALLY_WRONG,  /* delivered, and wrong */
	NR_TALLIES
};

/* One fault meeting one operation. */
struct cell {
	const struct fault_op *op;
	const char *label;
	const char *device; /* the one that is not well */
	bool may_err;
	bool may_be_wrong;
	bool is_lying; /* the fault is one that only verify finds */
	bool is_bad;   /* something was not as it must be; said on stderr */
	unsigned int tally[NR_TALLIES];
};

#define FAULT_OP_RAW	 (1u << 0) /* the caller's own queue: nobody does it again elsewhere */
#define FAULT_OP_MEMOP	 (1u << 1)
#define FAULT_OP_INFLATE (1u << 2) /* a stream that cannot go on elsewhere */
#define FAULT_OP_VERIFY	 (1u << 3)
#define FAULT_OP_BIG	 (1u << 4) /* takes long: in a few cells only */

struct fault_op {
	const char *name;
	uint32_t flags;
	void (*run)(struct cell *cell);
};

extern const struct fault_op fault_ops[];
extern const unsigned int nr_fault_ops;

/* A piece of the data, and the same packed by zlib. */
struct sample {
	const uint8_t *plain;
	size_t len;
	uint8_t *packed; /* as gzip */
	size_t packed_len;
};

#define NR_SAMPLES   32u
#define SAMPLE_BYTES 12000u /* none but the last, which is for streams, is longer */
#define SAMPLE_ROOM  4096u  /* beyond its length: more than packing it can take */

extern struct sample samples[NR_SAMPLES];

/* Makes the samples; once, before any operation. */
int samples_make(void);
void samples_free(void);

/* Whether zlib decodes @bits (its windowBits) to the sample and nothing is left over. */
bool is_packed_right(const struct sample *sample, int bits, const uint8_t *out, size_t bytes);

/* Says on stderr what is not as it must be. */
void cell_complain(struct cell *cell, const char *what, long number);

/* One operation is over: with a negative errno, or with data that is right or is not. */
void cell_note(struct cell *cell, int error, bool is_right, unsigned int retries);

/* A queue of the cell's device for @alg and @op, and a few rounds of requests on it. */
void fault_raw(struct cell *cell, const char *alg, uint32_t op);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The dummy machine's engine: one descriptor in, one answer out.  It knows
 * nothing of slots, doorbells and queues.
 */
#ifndef CHIP_DUMMY_DUMMY_MEMOP_H
#define CHIP_DUMMY_DUMMY_MEMOP_H

#include <stdint.h>

#include "chip/chip_dma.h"
#include "hw/dummy_hw.h"

#define DUMMY_PAGE_BYTES 4096u

/* What became of a descriptor. */
struct dummy_answer {
	uint8_t status; /* DUMMY_ST_* */
	uint8_t error;	/* DUMMY_ERR_* */
	uint32_t crc;
	uint64_t done;
	/* for the counters */
	uint64_t bytes_in;
	uint64_t bytes_out;
};

/*
 * Serves @desc, a private copy.  @bounce is DUMMY_PAGE_BYTES of scratch, for
 * memory that cannot be mapped.
 */
void dummy_memop_serve(const struct dma_space *dma, uint8_t *bounce, const struct dummy_desc *desc,
		       struct dummy_answer *ret_answer);

/* What @desc will take: bytes of input, and roughly how long; one that is refused, nothing. */
void dummy_memop_forecast(const struct dummy_desc *desc, uint64_t *ret_bytes_in, uint64_t *ret_ns);

/* For faults.  The answer to a descriptor that is not served, for a reason never heard of. */
struct dummy_answer dummy_memop_fail(void);
/* Flips a bit in the middle of what @desc, served, has put out. */
void dummy_memop_spoil(const struct dma_space *dma, const struct dummy_desc *desc,
		       struct dummy_answer *answer);

#endif

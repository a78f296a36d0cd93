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

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * One ZIP request between the parts of the engine: what its SQE asks for, after
 * every field was checked, and what goes back into the SQE's result words.
 * Only engine_zip.c knows where in the SQE they stand.
 */
#ifndef CHIP_QM_ZIP_REQUEST_H
#define CHIP_QM_ZIP_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

struct zip_request {
	uint64_t src_addr;
	uint64_t dst_addr;
	uint64_t ctx_addr;   /* stateful only */
	uint32_t src_offset; /* SGL only */
	uint32_t dst_offset; /* SGL only */
	uint32_t src_bytes;
	uint32_t room;
	uint32_t format; /* HISI_ZIP_REQ_* */
	uint32_t level;	 /* 0 to ZIP_LEVEL_SMALLEST; compress only */
	uint32_t window; /* HISI_ZIP_WINDOW_*; compress only */
	uint32_t isize;	 /* the words of the previous piece */
	uint32_t checksum;
	bool is_sgl;
	bool is_stateful;
	bool is_new;
	bool is_finish;
};

/* Zeroed by the caller; what a part does not set stays zero. */
struct zip_answer {
	uint32_t consumed;
	uint32_t produced;
	uint32_t level; /* that served a compression, as the SQE numbers it */
	uint32_t ctx_dw0;
	uint32_t isize;
	uint32_t checksum; /* in hardware's convention */
	bool is_last_block;
	bool has_sums; /* isize and checksum are results; else the words stay */
};

/* The numbers of the SQE's level field beyond 0 (default) and 1 to 9. */
#define ZIP_LEVEL_FASTEST  10u
#define ZIP_LEVEL_SMALLEST 11u

#endif

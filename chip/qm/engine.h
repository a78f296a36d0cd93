/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * An engine behind the queue manager: one SQE in, one status out.  The queue
 * manager fetches the SQE, hands a copy to the engine, writes the copy back to
 * its slot and completes it.  The engine changes result fields only.
 */
#ifndef CHIP_QM_ENGINE_H
#define CHIP_QM_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "chip/chip_dma.h"

/* What an engine accumulates for the chip's counters while it serves one SQE. */
struct engine_result {
	uint32_t status; /* as in the SQE, for the trace */
	bool is_error;
	bool is_lost_stream;
	uint64_t bytes_in;
	uint64_t bytes_out;
};

/* What an SQE will take, told from it alone. */
struct engine_forecast {
	uint64_t bytes_in;
	uint64_t ns; /* rough: within a factor of two or so on a usual core */
};

struct engine_ops {
	uint32_t sqe_bytes;
	uint32_t nr_qc_types; /* legal queue types are 0 to this less 1 */
	/* One per chip: what its queues share (stream table). */
	int (*create)(uint32_t chip_flags, void **ret_engine);
	void (*destroy)(void *engine);
	/* One per queue, used by one thread at a time: codec state, scratch memory. */
	int (*queue_create)(void *engine, uint32_t qc_type, void **ret_queue);
	void (*queue_destroy)(void *engine_queue);
	/* Serves @sqe, a private copy of sqe_bytes. */
	void (*serve)(void *engine_queue, const struct dma_space *dma, void *sqe,
		      struct engine_result *result);
	/* @sqe may be any bytes: what will be refused takes nothing. */
	void (*forecast)(const void *engine_queue, const void *sqe,
			 struct engine_forecast *ret_forecast);

	/* For faults.  Answers @sqe, which is not served, with a status of no known meaning. */
	void (*fail)(void *sqe, struct engine_result *result);
	/* Makes the counts in a served @sqe exceed its buffers: just so if @nth is even, or by far. */
	void (*exceed)(void *sqe, uint64_t nth);
	/* Flips a bit in the middle of the @bytes that a served @sqe has put out. */
	void (*spoil)(void *engine_queue, const struct dma_space *dma, const void *sqe,
		      uint64_t bytes);
};

extern const struct engine_ops engine_zip_ops;

#endif

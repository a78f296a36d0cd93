/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Stateful requests: one piece of a stream at a time, its state in the stream
 * context.  Sources and destinations are plain memory here.
 */
#ifndef CHIP_QM_ZIP_STREAM_H
#define CHIP_QM_ZIP_STREAM_H

#include "chip/qm/zip_buffers.h"
#include "chip/qm/zip_context.h"
#include "chip/qm/zip_deflate.h"
#include "chip/qm/zip_inflate.h"
#include "chip/qm/zip_request.h"

/* One per queue. */
struct zip_queue {
	struct zip_states *states; /* the engine's */
	bool is_strict;
	bool is_inflate;
	struct zip_buffers buffers;
	struct zip_deflate deflate;
	struct zip_inflate inflate;
	struct zip_scratch ring; /* a history that cannot be mapped */
};

/* Both serve a checked request and return a status of the SQE. */
uint32_t zip_stream_compress(struct zip_queue *q, const struct dma_space *dma,
			     const struct zip_request *rq, struct zip_answer *a);
uint32_t zip_stream_inflate(struct zip_queue *q, const struct dma_space *dma,
			    const struct zip_request *rq, struct zip_answer *a);

#endif

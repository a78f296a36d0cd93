/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Source and destination of one ZIP request as plain memory: in place where a
 * flat buffer or a single scatter-list entry can be mapped, else through
 * scratch memory that the queue keeps.  Scatter lists are foreign bytes: each
 * block is copied and the copy checked.  All functions return a status of the
 * SQE (HISI_ZIP_ST_*).
 */
#ifndef CHIP_QM_ZIP_BUFFERS_H
#define CHIP_QM_ZIP_BUFFERS_H

#include <stddef.h>
#include <stdint.h>

#include "chip/chip_dma.h"
#include "chip/qm/zip_request.h"
#include "hw/hisi_sgl_hw.h"
#include "hw/hisi_zip_hw.h"

/* What one request fills at most: the largest input, stored, and a trailer. */
#define ZIP_DEST_MAX (HISI_ZIP_FLAT_MAX + 4096u)

/* Behind scratch memory, for codecs that read a little further than they were given. */
#define ZIP_SLACK_BYTES 64u

/* Memory that only grows; its contents do not survive growing. */
struct zip_scratch {
	uint8_t *bytes;
	size_t room;
};

/* With ZIP_SLACK_BYTES behind it that may be read; NULL when memory is short. */
uint8_t *zip_scratch_get(struct zip_scratch *s, size_t bytes);
void zip_scratch_fini(struct zip_scratch *s);

struct zip_segment {
	uint64_t addr;
	uint32_t bytes;
};

/* One per queue. */
struct zip_buffers {
	struct zip_scratch src;
	struct zip_scratch dst;
	struct zip_segment *segments; /* of the list walked last */
	size_t segments_room;
	size_t nr_segments;
	struct hisi_sge block[HISI_SGL_ENTRIES_MAX]; /* copy of the block being walked */
	uint32_t overread;  /* bytes that the codec may read behind its input, 0 if none */
	uint8_t nowhere[8]; /* what an empty buffer points to, so that no codec sees NULL */
};

struct zip_source {
	const uint8_t *bytes; /* never NULL once open */
	size_t nr_bytes;
	void *mapped; /* NULL: bytes lie in scratch memory */
};

struct zip_dest {
	uint8_t *bytes; /* never NULL once open */
	size_t room;
	void *mapped; /* NULL: zip_dest_commit() carries the bytes over */
	size_t mapped_bytes;
};

void zip_buffers_fini(struct zip_buffers *b);

/* Without input bytes the source is not touched. */
uint32_t zip_source_open(struct zip_buffers *b, const struct dma_space *dma,
			 const struct zip_request *rq, struct zip_source *ret_source);
void zip_source_close(const struct dma_space *dma, struct zip_source *source);

/*
 * Opens the first @usable bytes of the request's room, or all of it.  To be
 * opened after the source, whose scatter list it forgets.
 */
uint32_t zip_dest_open(struct zip_buffers *b, const struct dma_space *dma,
		       const struct zip_request *rq, size_t usable, struct zip_dest *ret_dest);
/* Delivers the first @bytes of it to the owner's memory. */
uint32_t zip_dest_commit(struct zip_buffers *b, const struct dma_space *dma,
			 const struct zip_dest *dest, size_t bytes);
void zip_dest_close(const struct dma_space *dma, struct zip_dest *dest);

/* Flips a bit of byte @at of the request's destination, where it can be reached. */
void zip_dest_flip_bit(struct zip_buffers *b, const struct dma_space *dma,
		       const struct zip_request *rq, uint32_t at);

/* Copies the source away if it shares memory with the destination. */
uint32_t zip_source_separate(struct zip_buffers *b, const struct dma_space *dma,
			     const struct zip_dest *dest, struct zip_source *source);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * A deflate stream of ours.  wdz_deflate.c holds zlib's calls and the outer
 * form: header, trailer, sums, return codes.  wdz_body.c makes the blocks in
 * between, by a queue or by a raw stream of the system's zlib.
 */
#ifndef FRONTEND_WDZ_DEFLATE_H
#define FRONTEND_WDZ_DEFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wdz_queue.h"
#include "wdz_stream.h"

#define WDZ_HISTORY_BYTES 32768u

/* Not yet given out, or not yet compressed. */
struct wdz_bytes {
	uint8_t *p; /* NULL: none */
	size_t room;
	size_t at, end;
};

enum wdz_status {
	WDZ_INIT,  /* nothing is written */
	WDZ_BUSY,  /* the header is */
	WDZ_ENDED, /* and the last block: only the trailer is missing, if that */
};

enum wdz_body {
	WDZ_BODY_QUEUE, /* input is gathered for a batch */
	WDZ_BODY_ZLIB,	/* the raw stream takes it */
};

struct wdz_deflate {
	struct wdz_head head;
	int wrap; /* 0 raw, 1 zlib, 2 gzip */
	int level, strategy, mem_level;
	int last_flush; /* as zlib has it: -2 before the first call, -1 after output was full */
	enum wdz_status status;
	bool has_trailer; /* is made */
	gz_headerp gz_header;
	uint32_t sum; /* of all input taken */
	bool has_dictionary;
	uint32_t dictionary_sum;

	enum wdz_body body;
	bool may_queue;
	bool is_queued;	      /* a batch went through a queue since the last reset */
	bool is_aligned;      /* zlib's part ended at a byte, and all of it is out */
	bool is_primed;	      /* whole bytes of bits put in wait in zlib's part */
	unsigned int returns; /* from zlib to a queue */
	struct wdz_counts counts;

	z_stream zlib; /* raw */
	bool has_zlib; /* is initialised */
	bool is_zlib_used;
	bool is_zlib_finishing; /* and knows whether it began the last block */
	int zlib_level, zlib_strategy;

	/*
	 * What came before, up to WDZ_HISTORY_BYTES of it at the front, then from
	 * .at to .end what is to be compressed.
	 */
	struct wdz_bytes in;
	size_t nr_history;
	struct wdz_bytes out;
};

static inline bool wdz_has_output(const struct wdz_deflate *d)
{
	return d->out.at < d->out.end;
}

/* Gives out what there is room for. */
void wdz_output_drain(struct wdz_deflate *d, z_streamp strm);

/* Gives out or keeps.  0 or Z_MEM_ERROR. */
int wdz_output_put(struct wdz_deflate *d, z_streamp strm, const void *p, size_t n);

/*
 * Takes input, and does what @flush asks for as far as there is room.  Sets the
 * status to WDZ_ENDED with the last block.  Z_OK, or the error to return.
 */
int wdz_body_run(struct wdz_deflate *d, z_streamp strm, int flush);

/* From here on it is the raw stream.  Z_OK or Z_MEM_ERROR, which leaves all as it was. */
int wdz_body_move(struct wdz_deflate *d);

/* Whether the next stream may go through a queue, by its parameters and by how queues do. */
void wdz_body_choose(struct wdz_deflate *d);

/* As after deflateInit(): nothing was taken, nothing made. */
void wdz_body_reset(struct wdz_deflate *d);

/* The same, but what comes next may refer to what came before.  As wdz_body_move(). */
int wdz_body_reset_keep(struct wdz_deflate *d);

/* The last input, up to WDZ_HISTORY_BYTES, that blocks to come may refer to. */
int wdz_body_history(struct wdz_deflate *d, uint8_t *ret_bytes, size_t *ret_n);

/* Its memory, but that of @d itself. */
void wdz_body_free(struct wdz_deflate *d);

/* A copy of all that lies outside of the struct.  Z_OK, Z_MEM_ERROR with nothing left behind. */
int wdz_body_copy(struct wdz_deflate *to, const struct wdz_deflate *from);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Inside of a compression session: what blocks (comp_block.c) and streams
 * (comp_stream.c, comp_stream_inflate.c) share.  Deflate data and trailers are
 * the device's work; headers and the joining of pieces are done here.
 */
#ifndef ALG_COMP_H
#define ALG_COMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <wd/comp.h>

#include "alg/gzip_header.h"
#include "alg/session.h"

/*
 * Incompressible data travels in stored blocks of at most 65535 bytes with 5
 * bytes before each, and the device never does worse than that.  Pieces of
 * whole blocks therefore cost as much together as the data in one piece.
 */
#define COMP_STORED_BYTES    65535u
#define COMP_STORED_OVERHEAD 5u

/* Largest input of one compress request: stored, with its trailer, it fits WD_COMP_PIECE_MAX. */
#define COMP_REQUEST_MAX (127u * COMP_STORED_BYTES)
/* Piece of a long stream that goes on after it: whole stored blocks and a multiple of 4. */
#define COMP_PIECE_STEP (124u * COMP_STORED_BYTES)
/* Hardware takes non-final compress pieces in multiples of this gladly. */
#define COMP_PIECE_ALIGN 4u

_Static_assert(COMP_REQUEST_MAX + 127 * COMP_STORED_OVERHEAD + GZIP_TRAILER_BYTES <=
		       WD_COMP_PIECE_MAX,
	       "the output of a largest request must fit one request");
_Static_assert(COMP_PIECE_STEP % COMP_PIECE_ALIGN == 0, "pieces must be aligned");

/*
 * Small inputs are gathered to this size: each piece ends its deflate block, so
 * small pieces cost ratio as well as requests.  What is at least
 * COMP_DIRECT_MIN goes to the device from the caller's buffer.
 */
#define COMP_STAGE_BYTES (128u << 10)
#define COMP_DIRECT_MIN	 (64u << 10)
/* Output of a full stage: 3 stored blocks and a trailer; rounded up to whole cache lines. */
#define COMP_OUT_BYTES (COMP_STAGE_BYTES + 64u)
/* Hardware wants more than 200 bytes of room for a piece of a stream. */
#define COMP_ROOM_MIN 256u

_Static_assert(COMP_OUT_BYTES >=
		       COMP_STAGE_BYTES +
			       (COMP_STAGE_BYTES / COMP_STORED_BYTES + 1) * COMP_STORED_OVERHEAD +
			       GZIP_TRAILER_BYTES,
	       "the output of a full stage must fit");

enum comp_phase {
	COMP_IDLE = 0, /* no stream */
	COMP_HEADER,   /* decompress: in a header */
	COMP_BODY,     /* in deflate data */
	COMP_LAST,     /* compress: the last piece is done, its output not all handed out */
	COMP_END,      /* decompress: a stream or gzip member is whole */
	COMP_FAILED,   /* over; what to say is in failed_ret or failed_status */
};

struct comp_stream {
	enum comp_phase phase;
	int failed_ret;		/* negative errno, or 0: */
	uint32_t failed_status; /* enum wd_status */
	bool is_block;		/* decompress: all there is, in one call */
	bool is_more;		/* decompress: the device may hold output for lack of room */
	uint32_t members;	/* decompress: headers read */
	uint32_t staged;	/* compress: bytes in stage */
	size_t pending;		/* bytes at pending_at, to be handed out before anything else */
	const uint8_t *pending_at;
	/* One allocation of the first stream, kept: state.buf, and to compress also: */
	struct wd_comp_state state;
	uint8_t *stage; /* COMP_STAGE_BYTES of input */
	uint8_t *out;	/* COMP_OUT_BYTES of output */
};

struct wd_comp {
	struct alg_session session;
	uint32_t op; /* WD_OP_COMPRESS or WD_OP_DECOMPRESS */
	uint8_t format;
	uint8_t level;
	uint8_t window_bits;
	bool has_set_header;
	bool has_got_header;
	struct comp_stream stream;
	struct wd_comp_req req;
	struct iovec small_iov;
	uint8_t small[GZIP_HEADER_MAX]; /* a header to write, or output where the room is too small */
	struct header_parser parser;
	struct wd_comp_gzip_header set_header; /* for the next output */
	struct wd_comp_gzip_header got_header; /* of the current input */
};

_Static_assert(GZIP_HEADER_MAX >= COMP_ROOM_MIN, "small serves both ends");

static inline size_t comp_trailer_bytes(uint8_t format)
{
	if (format == WD_COMP_GZIP)
		return GZIP_TRAILER_BYTES;
	return format == WD_COMP_ZLIB ? ZLIB_TRAILER_BYTES : 0;
}

static inline size_t comp_src_left(const struct wd_comp_io *io)
{
	return io->src_len - io->consumed;
}

static inline size_t comp_dst_left(const struct wd_comp_io *io)
{
	return io->dst_len - io->produced;
}

/* Never used when there is nothing left, so that a null pointer is not moved. */
static inline const uint8_t *comp_src_at(const struct wd_comp_io *io)
{
	return (const uint8_t *)io->src + io->consumed;
}

static inline uint8_t *comp_dst_at(const struct wd_comp_io *io)
{
	return (uint8_t *)io->dst + io->produced;
}

/* A stream that a caller began and has not ended. */
static inline bool comp_is_under_way(const struct wd_comp *c)
{
	return c->stream.phase == COMP_HEADER || c->stream.phase == COMP_BODY ||
	       c->stream.phase == COMP_LAST;
}

/* Writes the header that this session's next output begins with; returns its length. */
size_t comp_header_build(const struct wd_comp *c, uint8_t *buf);

/*
 * Reads on in the header at @src; the first of an input is kept for
 * wd_comp_get_gzip_header().
 */
enum header_result comp_header_feed(struct wd_comp *c, const uint8_t *src, size_t len,
				    size_t *ret_used);

/* Forgets the input before; the next header is the first. */
void comp_input_begin(struct wd_comp *c);

/* Zeroes the results of @io. */
void comp_io_begin(struct wd_comp_io *io);

/*
 * Prepares c->req for flat buffers; @state NULL for stateless.  The session must
 * be settled.
 */
void comp_req_fill(struct wd_comp *c, const void *src, size_t src_len, void *dst, size_t dst_len,
		   struct wd_comp_state *state);

/*
 * Runs c->req, checks the device's counts and adds to @io who served it, but
 * not consumed and produced.  Returns 0 with a status in c->req.head, or a
 * negative errno.
 */
int comp_req_run(struct wd_comp *c, struct wd_comp_io *io);

/* Makes ready what a stream needs.  Returns 0 or -ENOMEM. */
int comp_stream_begin(struct wd_comp *c);

/* Begins the device's part of a stream or member anew. */
void comp_state_begin(struct comp_stream *s);

/* Goes on with the session's stream; phase says where it is. */
int comp_stream_deflate(struct wd_comp *c, struct wd_comp_io *io, enum wd_comp_flush flush);
int comp_stream_inflate(struct wd_comp *c, struct wd_comp_io *io, enum wd_comp_flush flush);

/* Hands out what is pending; false when room ran out before. */
bool comp_stream_drain(struct comp_stream *s, struct wd_comp_io *io);

/* The stream is over with an errno, which is returned. */
int comp_stream_fail(struct comp_stream *s, int ret);

/*
 * Tells the device that an inflate stream will not go on, so that it forgets it;
 * streams that nobody ends would push out others.
 */
void comp_stream_abandon(struct wd_comp *c);

/* Frees what streams allocated.  The queue must be released. */
void comp_stream_fini(struct comp_stream *s);

#endif

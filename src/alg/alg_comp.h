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
	struct comp_op *op;	/* at work on it, or NULL */
	int failed_ret;		/* negative errno, or 0: */
	uint32_t failed_status; /* enum wd_status */
	bool is_block;		/* all there is, in one operation */
	bool is_more;		/* decompress: the device may hold output for lack of room */
	uint32_t members;	/* decompress: headers read */
	uint32_t staged;	/* compress: bytes in stage */
	size_t pending;		/* bytes at pending_at, to be handed out before anything else */
	const uint8_t *pending_at;
	sched_set only; /* the device that has begun it; 0: not begun */
	/* One allocation of the first stream, kept: state.buf, and to compress also: */
	struct wd_comp_state state;
	uint8_t *stage;			/* COMP_STAGE_BYTES of input */
	uint8_t *out;			/* COMP_OUT_BYTES of output */
	struct header_parser parser;	/* decompress */
	uint8_t small[GZIP_HEADER_MAX]; /* a header to write, or output where the room is too small */
	struct comp_check_sums *sums;	/* comp_verify.c; NULL until a stream is checked */
};

/* What a buffer in pieces, or in one, is looked through with. */
struct iov_place {
	const struct iovec *iov;
	unsigned int nr;
	size_t offset; /* less than iov->iov_len while nr is not 0 */
	size_t left;   /* bytes from here to the end */
};

struct comp_check;

/*
 * An operation: a machine that is advanced to its next request (ALG_NEXT, in
 * req), to its end (0) or to a failure (negative errno), and then absorbs the
 * answer (0, ALG_REDO or negative errno).
 */
struct comp_op {
	struct alg_job job;
	struct wd_comp *c;
	struct comp_op *next;  /* free ones */
	struct wd_comp_io *io; /* of the call; for one that is waited for, own_io */
	struct wd_comp_io *io_of_call;
	struct wd_comp_io own_io;
	int (*advance)(struct comp_op *op);
	int (*absorb)(struct comp_op *op);
	bool has_level;	 /* io->level says something */
	bool is_left;	 /* its call ran out of time: it ends with the request at hand */
	bool is_priming; /* req makes an empty context on another device; req_kept is to follow */
	unsigned int nr_wrong; /* outputs of its requests that a check refused */
	uint8_t at;	       /* enum comp_block_at */
	bool is_clamped;       /* decompress: there is more room than one request can fill */
	bool is_no_room; /* decompress: the output goes to small, to learn whether there is any */
	/* the piece of a stream in req */
	bool piece_is_direct; /* output goes to the caller's room */
	bool piece_is_last;
	bool piece_is_staged; /* input is the stage */
	enum wd_comp_flush flush;
	struct iov_place src; /* scattered block */
	struct iov_place dst;
	struct wd_comp_req req;
	struct wd_comp_req req_kept;
	struct wd_comp_state state_kept; /* before the piece */
	struct comp_check *check;	 /* comp_verify.c; NULL until something is checked */
	struct iovec small_iov;
	struct header_parser parser;
	uint8_t small[GZIP_HEADER_MAX]; /* a header to write, or output where the room is too small */
};

struct wd_comp {
	struct alg_session session;
	uint32_t op;	/* WD_OP_COMPRESS or WD_OP_DECOMPRESS */
	uint32_t flags; /* WD_COMP_OPT_* */
	uint8_t format;
	uint8_t level;
	uint8_t window_bits;
	bool has_set_header;
	bool has_got_header;
	uint32_t depth;
	void (*done)(void *arg, struct wd_comp_io *io);
	void *arg;
	struct comp_stream stream;
	struct comp_op *ops;	  /* of wd_comp_submit(): depth of them, from the first call on */
	struct comp_op *free_ops; /* of these */
	struct wd_comp_gzip_header set_header; /* for the next output */
	struct wd_comp_gzip_header got_header; /* of the current input */
	struct comp_op own;		       /* of the calls that wait */
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
	return !c->stream.is_block &&
	       (c->stream.phase == COMP_HEADER || c->stream.phase == COMP_BODY ||
		c->stream.phase == COMP_LAST);
}

/* Whether another gzip member may follow one that ended. */
static inline bool comp_has_members(const struct wd_comp *c)
{
	return c->format == WD_COMP_GZIP && (c->flags & WD_COMP_OPT_ONE_MEMBER) == 0;
}

/* Writes the header that this session's next output begins with; returns its length. */
size_t comp_header_build(const struct wd_comp *c, uint8_t *buf);

/*
 * Reads on in the header at @src; the first of an input is kept for
 * wd_comp_get_gzip_header().
 */
enum header_result comp_header_feed(struct wd_comp *c, struct header_parser *parser,
				    const uint8_t *src, size_t len, size_t *ret_used);

/* Forgets the input before; the next header is the first. */
void comp_input_begin(struct comp_op *op);

/* Whether @io's buffers make sense. */
bool comp_io_is_valid(const struct wd_comp_io *io);

/* ---- comp_op.c */

/* At the beginning of every call.  Returns 0 or a negative errno. */
int comp_enter(struct wd_comp *c);

/* Before a call that waits: takes back what a time-out left out.  Returns 0 or -ETIMEDOUT. */
int comp_settle(struct wd_comp *c);

/* Makes an operation of @io, which is not begun. */
void comp_op_init(struct comp_op *op, struct wd_comp *c, struct wd_comp_io *io);

/* Does the session's own operation, and waits for it.  Returns 0 or a negative errno. */
int comp_op_run(struct comp_op *op);

/* Begins an operation without waiting.  Returns 0 or a negative errno. */
int comp_op_begin(struct comp_op *op);

/* What an operation that ended has left to do, in its session's thread. */
void comp_op_end(struct comp_op *op);

/* Prepares op->req for flat buffers; @state NULL for stateless. */
void comp_req_fill(struct comp_op *op, const void *src, size_t src_len, void *dst, size_t dst_len,
		   struct wd_comp_state *state);

/* ---- comp_block.c */

void comp_op_set_block(struct comp_op *op);
void comp_op_set_block_sgl(struct comp_op *op);
/* Whether a block may begin: 0, or -EBUSY with a stream under way. */
int comp_block_ready(struct wd_comp *c);
/* The whole block once more, from its beginning: as advance. */
int comp_block_restart(struct comp_op *op);

/* ---- comp_stream.c, comp_stream_inflate.c */

/* Makes ready what a stream of @op needs.  Returns 0, -ENOMEM, or ALG_WAIT: another is at it. */
int comp_stream_begin(struct comp_op *op);

/* Begins the device's part of a stream or member anew. */
void comp_state_begin(struct comp_stream *s);

/* Prepares the stream's next call.  Returns 0 or a negative errno. */
int comp_op_set_stream(struct comp_op *op, enum wd_comp_flush flush);

/* Go on with the session's stream; phase says where it is. */
int comp_deflate_advance(struct comp_op *op);
int comp_deflate_absorb(struct comp_op *op);
int comp_inflate_advance(struct comp_op *op);
int comp_inflate_absorb(struct comp_op *op);

/* Hands out what is pending; false when room ran out before. */
bool comp_stream_drain(struct comp_stream *s, struct wd_comp_io *io);

/* The stream is over with an errno, which is returned. */
int comp_stream_fail(struct comp_stream *s, int ret);

/* A piece is to be done again, on any device.  As alg_job_ops.redo. */
int comp_deflate_redo(struct comp_op *op);
int comp_inflate_redo(struct comp_op *op);
/* The context of another device is made: the piece follows.  As alg_job_ops.answered. */
int comp_deflate_primed(struct comp_op *op);

/*
 * Tells the device that an inflate stream will not go on, so that it forgets it;
 * streams that nobody ends would push out others.
 */
void comp_stream_abandon(struct wd_comp *c);

/* Frees what streams allocated.  Nothing is in flight. */
void comp_stream_fini(struct comp_stream *s);

/* ---- comp_verify.c: WD_COMP_OPT_VERIFY */

/* The output of op->req is to be checked: ALG_NEXT with a request for that, or a negative errno. */
int comp_verify_begin(struct comp_op *op);
bool comp_verify_is_at_it(const struct comp_op *op);
/* For a new operation; there is an op->check. */
void comp_verify_reset(struct comp_op *op);
/* The check's answer: 0 as it should be, ALG_REDO, ALG_NEXT, or a negative errno. */
int comp_verify_answered(struct comp_op *op);
/* As alg_job_ops.redo, while a check is at it or found something. */
int comp_verify_redo(struct comp_op *op);
/* A stream begins; pieces of it were handed out. */
void comp_verify_stream_begin(struct comp_stream *s);
void comp_verify_fini(struct comp_op *op);
void comp_verify_stream_fini(struct comp_stream *s);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Compression: deflate in its three wrappings.  Three ways to use it:
 *
 *  - wd_comp_compress() and wd_comp_decompress(): one call, any size;
 *  - a session (wd_comp_open): whole blocks with wd_comp_block() or a stream in
 *    pieces with wd_comp_stream(), waited for; or many blocks at a time with
 *    wd_comp_submit() and wd_comp_poll();
 *  - struct wd_comp_req through wd_send() and wd_recv(): what the device sees.
 */
#ifndef WD_COMP_H
#define WD_COMP_H

#include <sys/uio.h>
#include <wd/io.h>
#include <wd/sched.h>
#include <wd/wd.h>

#ifdef __cplusplus
extern "C" {
#endif

enum wd_comp_format {
	WD_COMP_DEFLATE = 1, /* RFC 1951, no header, no checksum */
	WD_COMP_ZLIB = 2,    /* RFC 1950 */
	WD_COMP_GZIP = 3,    /* RFC 1952 */
};

/* Levels 1 to 9 as in gzip, and: */
enum wd_comp_level {
	WD_COMP_LEVEL_DEFAULT = 0,   /* the device's own choice */
	WD_COMP_LEVEL_FASTEST = 10,  /* faster than 1, at a worse ratio */
	WD_COMP_LEVEL_SMALLEST = 11, /* smaller than 9, much slower */
};

/* ------------------------------------------------------------- one call */

/**
 * wd_comp_bound() - the most bytes that compressing can yield
 * @format: enum wd_comp_format
 * @src_len: bytes of input
 *
 * Holds for wd_comp_compress() and wd_comp_block() at every level, and is exact
 * for data that does not compress.  With less room the pieces of a block above
 * 8 MB are cut differently, so that only this much is sure to do.  A gzip header
 * set by wd_comp_set_gzip_header() adds its own length.
 *
 * Return: the bound, or 0 for an unknown format or a size that overflows.
 */
WD_API size_t wd_comp_bound(enum wd_comp_format format, size_t src_len);

/**
 * wd_comp_compress() - compress a buffer of any size
 * @format: enum wd_comp_format
 * @level: 1 to 9 or enum wd_comp_level
 * @src: input
 * @src_len: bytes of input, may be 0
 * @dst: output; may not overlap the input
 * @dst_len: in: room; out: bytes written, on success only
 *
 * Thread rule: any thread, at the same time; with more threads than the device
 * has queues, a call waits for one, up to WD_TIMEOUT_DEFAULT_MS.
 * Return: 0, -ENOSPC (room too small; wd_comp_bound() always suffices),
 * -EINVAL, -ENODEV, -EIO, -ENOMEM, -ETIMEDOUT, or as wd_request_queue().  After
 * any of them the buffers are the caller's again.
 */
WD_API int wd_comp_compress(enum wd_comp_format format, int level, const void *src, size_t src_len,
			    void *dst, size_t *dst_len);

/**
 * wd_comp_decompress() - decompress a buffer of any size
 * @format: enum wd_comp_format; gzip input may have several members
 * @src: input, one whole stream and nothing after it
 * @src_len: bytes of input
 * @dst: output; may not overlap the input
 * @dst_len: in: room; out: bytes written, on success only
 *
 * Thread rule: any thread, at the same time.
 * Return: 0, -ENOSPC (room too small), -EBADMSG (corrupt or cut short, or
 * something follows the stream), else as wd_comp_compress().
 */
WD_API int wd_comp_decompress(enum wd_comp_format format, const void *src, size_t src_len,
			      void *dst, size_t *dst_len);

/* ------------------------------------------------------------- sessions */

/*
 * A session: one thread at a time uses it.  Its requests go where its scheduler
 * says (wd/sched.h); when a device fails, what it was given is done again on
 * another, and only an inflate stream cannot go on there.  Beside its part of a
 * queue a session takes 4 KiB; from its first stream (or block above 8 MB) on 64
 * KiB more to decompress, 320 KiB more to compress; from its first wd_comp_submit()
 * on 2 KiB for each operation that it can have in flight.
 *
 * A child process that goes on with a session has queues of its own from its
 * first call on; what the parent had in flight is not the child's.
 *
 * After -ETIMEDOUT of a call that waits, the request is still the device's, and so
 * are the buffers of that call, until a later call of that kind (block or stream)
 * returns anything else, or until wd_comp_cancel() or wd_comp_close().  After any
 * other return they are the caller's.
 */
struct wd_comp;
struct wd_comp_io;

/*
 * Compressing: each output is decompressed again and compared with the input
 * before it is handed out; what differs is done again elsewhere.  Another device
 * checks where there is one.
 */
#define WD_COMP_OPT_VERIFY (1u << 0)
/* Fresh pages of large outputs are made ready in bulk: wd_mem_populate(). */
#define WD_COMP_OPT_POPULATE (1u << 1)
/*
 * Decompressing gzip: the first member is all, as for zlib's inflate(); what
 * follows it is not looked at.
 */
#define WD_COMP_OPT_ONE_MEMBER (1u << 2)

#define WD_COMP_DEPTH_DEFAULT 64
#define WD_COMP_DEPTH_MAX     4096

struct wd_comp_opts {
	uint32_t size;		/* sizeof(struct wd_comp_opts) */
	uint32_t op;		/* WD_OP_COMPRESS or WD_OP_DECOMPRESS */
	uint32_t format;	/* enum wd_comp_format */
	int32_t level;		/* compress: 1 to 9 or enum wd_comp_level */
	uint32_t window_bits;	/* compress: 12 to 15, 0 for 15 */
	int32_t timeout_ms;	/* of each wait for the device; 0: WD_TIMEOUT_DEFAULT_MS */
	const char *device;	/* the only device to use, or NULL for any; copied */
	struct wd_sched *sched; /* NULL: the process's */
	uint32_t flags;		/* WD_COMP_OPT_* */
	uint32_t depth;		/* most operations in flight, 0: WD_COMP_DEPTH_DEFAULT */
	/*
	 * Called for each submitted operation that ended, by wd_comp_poll() and
	 * wd_comp_wait() in their thread; may submit others.  NULL: these two hand
	 * them out.
	 */
	void (*done)(void *arg, struct wd_comp_io *io);
	void *arg; /* for done */
};

/**
 * wd_comp_open() - open a session
 * @opts: what is wanted
 * @ret_comp: the session
 *
 * Thread rule: any thread.
 * Return: 0, -EINVAL, -ENOMEM, or as wd_request_queue().
 */
WD_API int wd_comp_open(const struct wd_comp_opts *opts, struct wd_comp **ret_comp);

/**
 * wd_comp_close() - close a session; what it buffered is dropped
 * @comp: a session, or NULL
 *
 * Waits for a request that a time-out left out, as wd_release_queue() does.
 */
WD_API void wd_comp_close(struct wd_comp *comp);

/* One call's input, output and result.  The buffers stay the caller's. */
struct wd_comp_io {
	struct wd_io head;
	const void *src;
	size_t src_len;
	void *dst;
	size_t dst_len;
	/* results, written when the operation ends without error */
	size_t consumed; /* bytes of src used */
	size_t produced; /* bytes of dst written */
	/*
	 * compress: least level that served it; less than asked where a small
	 * window, or pieces of a stream below 128 KiB, cannot; 0 where the device
	 * does not tell levels apart
	 */
	uint32_t level;
	uint32_t reserved;
};

/**
 * wd_comp_block() - compress or decompress one whole buffer
 * @comp: a session without a stream under way
 * @io: buffers and results
 *
 * io->head.status is OK when all was done; OUTPUT_FULL when dst is too small: nothing
 * is kept, the caller tries again with more room (compress: consumed and produced
 * are 0; decompress: produced says how far it came); BAD_DATA, BAD_CHECKSUM: the
 * input is corrupt or cut short.  Input cut short whose output fills dst exactly
 * may be called OUTPUT_FULL.
 *
 * Decompressing stops after the last gzip member: consumed tells where; what
 * follows is not looked at.  Any size; above 8 MB it is done as a stream, and
 * io->level says when the level was lowered for its last piece.
 *
 * Return: 0 (see io->head.status), -EINVAL, -EBUSY (a stream is under way),
 * -EOPNOTSUPP (the device cannot do this), -ENODEV, -EIO, -ENOMEM, -ETIMEDOUT.
 */
WD_API int wd_comp_block(struct wd_comp *comp, struct wd_comp_io *io);

/**
 * wd_comp_block_sgl() - compress or decompress one whole scattered buffer
 * @comp: a session without a stream under way
 * @src: pieces of the input, up to 8 MB together
 * @src_nr: how many
 * @dst: pieces of the output, up to 8 MB together
 * @dst_nr: how many
 * @io: results; its buffers are not looked at
 *
 * Otherwise as wd_comp_block(), for one stream: a second gzip member is not begun.
 *
 * Return: as wd_comp_block(), and -EINVAL when there is more than 8 MB.
 */
WD_API int wd_comp_block_sgl(struct wd_comp *comp, const struct iovec *src, unsigned int src_nr,
			     const struct iovec *dst, unsigned int dst_nr, struct wd_comp_io *io);

enum wd_comp_flush {
	WD_COMP_NO_FLUSH = 0,	/* the session may keep input back to compress it better */
	WD_COMP_SYNC_FLUSH = 1, /* all input so far can be decompressed from the output so far */
	WD_COMP_FINISH = 2,	/* the input ends here */
};

/**
 * wd_comp_stream() - compress or decompress the next piece of a stream
 * @comp: a session
 * @io: buffers and results
 * @flush: enum wd_comp_flush; decompressing needs FINISH only to learn that the
 *	input was cut short
 *
 * The first call begins a stream.  Each call takes what it can of src and gives
 * what there is room for in dst.  io->head.status is:
 *  OK          all of src was taken: give more input;
 *  OUTPUT_FULL dst was filled and there may be more to give: call again with
 *              room, what is left of src, and the same flush;
 *  STREAM_END  compress, after FINISH: all is written; the next call begins the
 *              next stream.  Decompress: the stream is whole and verified, and
 *              all of src that belongs to it was consumed; gzip input that goes
 *              on with another member just goes on, so that END is final only
 *              when there is no more input.  When a call consumes nothing and
 *              says END, what follows is no further member.
 *  BAD_DATA, BAD_CHECKSUM: the stream is over, and every call says the same
 *              until wd_comp_reset() or a block; so after -ENODEV and -EIO, and
 *              after -ETIMEDOUT it is -EIO.
 *
 * Large pieces of src and dst are used in place; a few hundred bytes of room per
 * call work, at a price.  Two SYNC_FLUSH without input between them write once.
 *
 * Return: 0 (see io->head.status), -EINVAL, -EOPNOTSUPP (the device cannot do this),
 * -ENODEV, -EIO, -ENOMEM, -ETIMEDOUT, -EAGAIN (a submitted block above 8 MB is
 * in flight).
 */
WD_API int wd_comp_stream(struct wd_comp *comp, struct wd_comp_io *io, enum wd_comp_flush flush);

/* ------------------------------------------------------------- in flight */

/**
 * wd_comp_submit() - begin to compress or decompress one whole buffer
 * @comp: a session without a stream under way
 * @io: buffers and results; it and its buffers are the session's until it is
 *	handed out, or done was called for it
 *
 * As wd_comp_block() but does not wait.  What that would do in pieces (above 8
 * MB) is done in pieces here too, one operation at a time.
 *
 * Return: 0, -EAGAIN (as many in flight as the session or its queues take: poll),
 * -EINVAL, -EBUSY (a stream is under way), -ENODEV, -ENOMEM.  After an error @io
 * is the caller's.
 */
WD_API int wd_comp_submit(struct wd_comp *comp, struct wd_comp_io *io);

/**
 * wd_comp_submit_burst() - begin several, with one doorbell per queue
 * @comp: a session without a stream under way
 * @ios: the operations
 * @nr: how many
 *
 * Return: how many of the first were taken, or as wd_comp_submit() when not one was.
 */
WD_API int wd_comp_submit_burst(struct wd_comp *comp, struct wd_comp_io *const *ios,
				unsigned int nr);

/**
 * wd_comp_submit_stream() - begin the next piece of a stream
 * @comp: a session with nothing else in flight
 * @io: buffers and results, as for wd_comp_submit()
 * @flush: as wd_comp_stream()
 *
 * As wd_comp_stream() but does not wait.  One piece at a time.
 *
 * Return: 0, -EAGAIN (something is in flight), -EINVAL, -ENODEV, -ENOMEM.
 */
WD_API int wd_comp_submit_stream(struct wd_comp *comp, struct wd_comp_io *io,
				 enum wd_comp_flush flush);

/**
 * wd_comp_poll() - take operations that ended
 * @comp: a session
 * @ret_ios: room for @nr, or NULL in a session with a done function
 * @nr: how many at most
 *
 * Never blocks.  Where the device is inside this process it may do a request or
 * so of the session's, none that takes long.  Operations end in any order.
 *
 * Return: how many were handed out or done called for, or -EINVAL.
 */
WD_API int wd_comp_poll(struct wd_comp *comp, struct wd_comp_io **ret_ios, unsigned int nr);

/**
 * wd_comp_wait() - the same, but waits for the first
 * @comp: a session
 * @ret_ios: as for wd_comp_poll()
 * @nr: how many at most
 * @timeout_ms: longest wait, as exact as that of wd_recv_sync(); 0: the session's
 *
 * Return: as wd_comp_poll(); 0 at once when nothing is in flight; -ETIMEDOUT: all
 * stays as it was.
 */
WD_API int wd_comp_wait(struct wd_comp *comp, struct wd_comp_io **ret_ios, unsigned int nr,
			int timeout_ms);

/**
 * wd_comp_fd() - a descriptor that tells when to poll a session
 * @comp: a session
 *
 * Readable when an operation may have ended since wd_comp_poll() last found none.
 * Made by the first call, the library's until the session is closed; from then on
 * a thread of the library works on the session's requests to devices inside this
 * process.  Otherwise as wd_queue_fd().
 *
 * Return: the descriptor, or as wd_queue_fd().
 */
WD_API int wd_comp_fd(struct wd_comp *comp);

/**
 * wd_comp_cancel() - give up all that is in flight
 * @comp: a session
 *
 * What was finished is finished; the rest ends with WD_STATUS_CANCELLED, and is
 * handed out by poll like any other.  On return the device touches none of their
 * buffers.  Lasts at most as long as the request being worked on.  A queue that is
 * shared with other sessions is stopped for that: theirs is done again, but an
 * inflate stream with a piece in flight there ends with -ENODEV.
 *
 * Return: how many were given up, or -EINVAL.
 */
WD_API int wd_comp_cancel(struct wd_comp *comp);

/**
 * wd_comp_in_flight() - operations submitted and not yet handed out
 * @comp: a session
 *
 * Return: a count.
 */
WD_API unsigned int wd_comp_in_flight(const struct wd_comp *comp);

/**
 * wd_comp_reset() - drop the stream under way; the next call begins a new one
 * @comp: a session
 */
WD_API void wd_comp_reset(struct wd_comp *comp);

/* What a gzip header says (RFC 1952). */
struct wd_comp_gzip_header {
	uint32_t size;	/* sizeof(struct wd_comp_gzip_header) */
	uint32_t mtime; /* seconds since 1970, 0: not known */
	uint8_t os;	/* 3 Unix, 255 unknown */
	uint8_t has_name;
	uint16_t reserved;
	char name[256]; /* with its end; a longer one is cut */
};

/**
 * wd_comp_set_gzip_header() - what the next gzip stream's or block's header says
 * @comp: a session that compresses to gzip
 * @header: copied; NULL for none
 *
 * Used once, by a stream when it begins or by a block that ends OK: what is
 * compressed after that has the plain header again.
 * Return: 0, -EINVAL, -EBUSY (a stream is under way).
 */
WD_API int wd_comp_set_gzip_header(struct wd_comp *comp, const struct wd_comp_gzip_header *header);

/**
 * wd_comp_get_gzip_header() - what the first header of the current input said
 * @comp: a session that decompresses gzip
 * @ret_header: its size set by the caller
 *
 * Return: 0, -EAGAIN until the first header was read whole, -EINVAL.
 */
WD_API int wd_comp_get_gzip_header(const struct wd_comp *comp,
				   struct wd_comp_gzip_header *ret_header);

/* ------------------------------------------------------------- checksums */

/**
 * wd_comp_adler32() - the checksum of zlib's format, by this processor
 * @adler: of what comes before; 1 to begin
 * @p: bytes; may be NULL when @len is 0
 * @len: how many
 *
 * Thread rule: any thread.
 * Return: the checksum of both.
 */
WD_API uint32_t wd_comp_adler32(uint32_t adler, const void *p, size_t len);

/**
 * wd_comp_crc32() - the checksum of gzip's format, by this processor
 * @crc: of what comes before; 0 to begin
 * @p: bytes; may be NULL when @len is 0
 * @len: how many
 *
 * Thread rule: any thread.
 * Return: the checksum of both.
 */
WD_API uint32_t wd_comp_crc32(uint32_t crc, const void *p, size_t len);

/* ------------------------------------------------------------- requests */

#define WD_COMP_PIECE_MAX   (8u << 20) /* most bytes one request reads or writes */
#define WD_COMP_STATE_BYTES 65536u     /* of wd_comp_state.buf */

/*
 * A stream's state between its pieces.  Zero it to begin; buf is
 * WD_COMP_STATE_BYTES of the caller's memory, 64-byte aligned, the device's
 * from the first piece to the last.  The words are the device's as well.
 */
struct wd_comp_state {
	void *buf;
	uint32_t word[3];
	uint32_t checksum; /* running, in the device's own convention */
	uint32_t size;	   /* running count of uncompressed bytes, modulo 2^32 */
	uint32_t begun;	   /* written by the library: a piece was sent */
};

#define WD_COMP_F_FINISH (1u << 0) /* stream: the last piece */
#define WD_COMP_F_SGL	 (1u << 1) /* src and dst are arrays of struct iovec */

/*
 * One request as the device takes it: deflate data with the trailer of zlib or
 * gzip but without their header, which the sender writes or skips itself.
 * Without state, a request is a whole stream.  With state it is a piece: when
 * compressing, each piece ends on a byte boundary and can be decompressed.
 */
struct wd_comp_req {
	struct wd_req head;	     /* op: COMPRESS or DECOMPRESS, the one the queue is for */
	uint8_t format;		     /* enum wd_comp_format */
	uint8_t level;		     /* enum wd_comp_level or 1 to 9; in: wanted, out: used */
	uint8_t window_bits;	     /* compress: 12 to 15, 0 for 15 */
	uint8_t flags;		     /* WD_COMP_F_* */
	uint32_t src_len;	     /* bytes, at most WD_COMP_PIECE_MAX */
	uint32_t dst_len;	     /* bytes, at most WD_COMP_PIECE_MAX */
	uint32_t src_nr;	     /* WD_COMP_F_SGL: elements of src, else 0 */
	uint32_t dst_nr;	     /* WD_COMP_F_SGL: elements of dst, else 0 */
	uint32_t src_offset;	     /* WD_COMP_F_SGL: bytes to skip at the start of src */
	uint32_t dst_offset;	     /* WD_COMP_F_SGL: bytes to skip at the start of dst */
	const void *src;	     /* bytes, or struct iovec[src_nr] */
	void *dst;		     /* bytes, or struct iovec[dst_nr] */
	struct wd_comp_state *state; /* NULL: stateless */
	/* results */
	uint32_t consumed;
	uint32_t produced;
};

#ifdef __cplusplus
}
#endif

#endif

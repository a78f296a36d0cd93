/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Compression: deflate in its three wrappings.  Three ways to use it:
 *
 *  - wd_comp_compress() and wd_comp_decompress(): one call, any size;
 *  - a session (wd_comp_open): a queue of its own, whole blocks with
 *    wd_comp_block() or a stream in pieces with wd_comp_stream();
 *  - struct wd_comp_req through wd_send() and wd_recv(): what the device sees.
 */
#ifndef WD_COMP_H
#define WD_COMP_H

#include <sys/uio.h>
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
 * A session: a queue of its own; one thread at a time uses it.  Beside the queue
 * it takes 2 KiB, and from its first stream (or block above 8 MB) on 64 KiB more
 * to decompress, 320 KiB more to compress.
 *
 * After -ETIMEDOUT the request is still the device's, and so are the buffers of
 * that call, until a later call of the session returns anything else or the
 * session is closed.  After any other return they are the caller's.
 */
struct wd_comp;

struct wd_comp_opts {
	uint32_t size;	      /* sizeof(struct wd_comp_opts) */
	uint32_t op;	      /* WD_OP_COMPRESS or WD_OP_DECOMPRESS */
	uint32_t format;      /* enum wd_comp_format */
	int32_t level;	      /* compress: 1 to 9 or enum wd_comp_level */
	uint32_t window_bits; /* compress: 12 to 15, 0 for 15 */
	int32_t timeout_ms;   /* of each wait for the device; 0: WD_TIMEOUT_DEFAULT_MS */
	const char *device;   /* a device's name, or NULL for any; copied */
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
	const void *src;
	size_t src_len;
	void *dst;
	size_t dst_len;
	/* results, written whenever the call returns 0 */
	size_t consumed; /* bytes of src used */
	size_t produced; /* bytes of dst written */
	uint32_t status; /* enum wd_status */
	/*
	 * compress: least level that served it; less than asked where a stream or
	 * a small window cannot, 0 where the device does not tell levels apart
	 */
	uint32_t level;
	uint32_t device_id; /* who served it: wd_device_name() */
	uint32_t requests;  /* requests it took */
	uint32_t retries;   /* of these, handed over again */
	uint32_t reserved;
	uint64_t bounced_bytes; /* copied because the device could not reach them in place */
};

/**
 * wd_comp_block() - compress or decompress one whole buffer
 * @comp: a session without a stream under way
 * @io: buffers and results
 *
 * io->status is OK when all was done; OUTPUT_FULL when dst is too small: nothing
 * is kept, the caller tries again with more room (compress: consumed and produced
 * are 0; decompress: produced says how far it came); BAD_DATA, BAD_CHECKSUM: the
 * input is corrupt or cut short.  Input cut short whose output fills dst exactly
 * may be called OUTPUT_FULL.
 *
 * Decompressing stops after the last gzip member: consumed tells where; what
 * follows is not looked at.  Any size; above 8 MB it is done as a stream, and
 * io->level says when the level was lowered for that.
 *
 * Return: 0 (see io->status), -EINVAL, -EBUSY (a stream is under way),
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
 * what there is room for in dst.  io->status is:
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
 * Return: 0 (see io->status), -EINVAL, -EOPNOTSUPP (the device cannot do this),
 * -ENODEV, -EIO, -ENOMEM, -ETIMEDOUT.
 */
WD_API int wd_comp_stream(struct wd_comp *comp, struct wd_comp_io *io, enum wd_comp_flush flush);

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

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Whole buffers: a header and one stateless request where sizes allow, else the
 * stream's way of pieces over the same buffers.  Nothing is kept between calls.
 */
#include "alg/alg_comp.h"

#include <errno.h>
#include <string.h>

/*
 * Input from this size usually inflates to more than one request can write, so
 * that trying in one would be work for nothing.
 */
#define INFLATE_ONE_MAX (WD_COMP_PIECE_MAX / 4)

/* A compress that does not fit leaves nothing. */
static int compress_full(struct wd_comp_io *io)
{
	io->consumed = 0;
	io->produced = 0;
	io->status = WD_STATUS_OUTPUT_FULL;
	return 0;
}

/* The one answer of a stateless compress request: all of @n, or not enough room. */
static int compress_answer(struct wd_comp *c, struct wd_comp_io *io, size_t n)
{
	if (c->req.head.status == WD_STATUS_OUTPUT_FULL)
		return compress_full(io);
	if ((c->req.head.status != WD_STATUS_OK && c->req.head.status != WD_STATUS_STREAM_END) ||
	    c->req.consumed != n)
		return -EIO;
	io->consumed = n;
	io->produced += c->req.produced;
	io->status = WD_STATUS_OK;
	c->has_set_header = false;
	return 0;
}

static int compress_pieces(struct wd_comp *c, struct wd_comp_io *io)
{
	int ret = comp_stream_begin(c);

	if (ret != 0)
		return ret;
	c->stream.phase = COMP_BODY;
	ret = comp_stream_deflate(c, io, WD_COMP_FINISH);
	c->stream.phase = COMP_IDLE;
	if (ret != 0)
		return ret;
	if (io->status != WD_STATUS_STREAM_END)
		return compress_full(io);
	io->status = WD_STATUS_OK;
	c->has_set_header = false;
	return 0;
}

static int compress_block(struct wd_comp *c, struct wd_comp_io *io)
{
	size_t header = comp_header_build(c, c->small);
	size_t room;
	int ret;

	/* Deflate data is never empty. */
	if (io->dst_len <= header)
		return compress_full(io);
	if (header > 0)
		memcpy(io->dst, c->small, header);
	io->produced = header;
	if (io->src_len > COMP_REQUEST_MAX)
		return compress_pieces(c, io);
	room = comp_dst_left(io);
	comp_req_fill(c, io->src, io->src_len, comp_dst_at(io),
		      room < WD_COMP_PIECE_MAX ? room : WD_COMP_PIECE_MAX, NULL);
	ret = comp_req_run(c, io);
	if (ret != 0)
		return ret;
	return compress_answer(c, io, io->src_len);
}

static int inflate_pieces(struct wd_comp *c, struct wd_comp_io *io)
{
	int ret = comp_stream_begin(c);

	if (ret != 0)
		return ret;
	c->stream.is_block = true;
	c->stream.members = 1; /* the header was read by the caller */
	c->stream.phase = COMP_BODY;
	ret = comp_stream_inflate(c, io, WD_COMP_FINISH);
	c->stream.phase = COMP_IDLE;
	if (ret == 0 && io->status == WD_STATUS_STREAM_END)
		io->status = WD_STATUS_OK;
	return ret;
}

/*
 * Takes the answer of a stateless inflate.  Without room the output went to
 * c->small, just to learn that there is none.
 */
static void inflate_answer(struct wd_comp *c, struct wd_comp_io *io, bool is_no_room)
{
	io->status = c->req.head.status;
	if (io->status == WD_STATUS_STREAM_END)
		io->status = WD_STATUS_OK;
	if (is_no_room && c->req.produced > 0) {
		if (io->status == WD_STATUS_OK)
			io->status = WD_STATUS_OUTPUT_FULL;
		return;
	}
	io->consumed += c->req.consumed;
	io->produced += c->req.produced;
}

/*
 * One stream or member after its header.  Returns 1 when the rest was done in
 * pieces, members behind it included, else 0; or a negative errno.
 */
static int inflate_one(struct wd_comp *c, struct wd_comp_io *io)
{
	size_t left = comp_src_left(io);
	size_t room = comp_dst_left(io);
	bool is_clamped = room > WD_COMP_PIECE_MAX;
	int ret;

	if (left == 0) {
		io->status = WD_STATUS_BAD_DATA;
		return 0;
	}
	if (left > WD_COMP_PIECE_MAX || (is_clamped && left > INFLATE_ONE_MAX))
		goto in_pieces;
	if (is_clamped)
		room = WD_COMP_PIECE_MAX;
	comp_req_fill(c, comp_src_at(io), left, room > 0 ? comp_dst_at(io) : c->small,
		      room > 0 ? room : COMP_ROOM_MIN, NULL);
	ret = comp_req_run(c, io);
	if (ret != 0)
		return ret;
	if (is_clamped && c->req.head.status == WD_STATUS_OUTPUT_FULL)
		goto in_pieces;
	inflate_answer(c, io, room == 0);
	return 0;

in_pieces:
	ret = inflate_pieces(c, io);
	return ret != 0 ? ret : 1;
}

/* Whether another gzip member begins here; in a block all bytes are in sight. */
static bool is_member(const struct wd_comp *c, const struct wd_comp_io *io)
{
	const uint8_t *src = comp_src_at(io);

	return c->format == WD_COMP_GZIP && comp_src_left(io) >= 2 && src[0] == GZIP_ID1 &&
	       src[1] == GZIP_ID2;
}

static int decompress_block(struct wd_comp *c, struct wd_comp_io *io)
{
	size_t used = 0;
	int ret;

	comp_input_begin(c);
	if (io->src_len == 0) {
		io->status = WD_STATUS_BAD_DATA;
		return 0;
	}
	for (;;) {
		enum header_result result;

		result = comp_header_feed(c, comp_src_at(io), comp_src_left(io), &used);
		io->consumed += used;
		if (result != HEADER_DONE) {
			io->status = WD_STATUS_BAD_DATA;
			return 0;
		}
		ret = inflate_one(c, io);
		if (ret != 0)
			return ret < 0 ? ret : 0;
		if (io->status != WD_STATUS_OK || !is_member(c, io))
			return 0;
		header_parser_init(&c->parser, c->format);
	}
}

/* What block calls check and prepare alike. */
static int block_enter(struct wd_comp *c, struct wd_comp_io *io)
{
	comp_io_begin(io);
	if (comp_is_under_way(c))
		return -EBUSY;
	c->stream.phase = COMP_IDLE;
	return alg_session_settle(&c->session);
}

int wd_comp_block(struct wd_comp *comp, struct wd_comp_io *io)
{
	int ret;

	if (comp == NULL || io == NULL)
		return -EINVAL;
	if ((io->src == NULL && io->src_len > 0) || (io->dst == NULL && io->dst_len > 0))
		return -EINVAL;
	ret = block_enter(comp, io);
	if (ret != 0)
		return ret;
	if (comp->op == WD_OP_COMPRESS)
		return compress_block(comp, io);
	return decompress_block(comp, io);
}

/* A place in scattered memory; offset is less than iov->iov_len while nr is not 0. */
struct iov_place {
	const struct iovec *iov;
	unsigned int nr;
	size_t offset;
	size_t left; /* bytes from here to the end */
};

/* Passes over @n bytes, which there are, and over empty elements. */
static void place_advance(struct iov_place *p, size_t n)
{
	p->left -= n;
	p->offset += n;
	while (p->nr > 0 && p->offset >= p->iov->iov_len) {
		p->offset -= p->iov->iov_len;
		p->iov++;
		p->nr--;
	}
}

static int place_init(struct iov_place *p, const struct iovec *iov, unsigned int nr)
{
	*p = (struct iov_place){ .iov = iov, .nr = nr };
	if (iov == NULL && nr > 0)
		return -EINVAL;
	for (unsigned int i = 0; i < nr; i++) {
		if (iov[i].iov_base == NULL && iov[i].iov_len > 0)
			return -EINVAL;
		if (iov[i].iov_len > WD_COMP_PIECE_MAX - p->left)
			return -EINVAL;
		p->left += iov[i].iov_len;
	}
	place_advance(p, 0);
	return 0;
}

/* Bytes that lie in one piece from here, and where. */
static size_t place_run(const struct iov_place *p, uint8_t **ret_at)
{
	if (p->nr == 0)
		return 0;
	*ret_at = (uint8_t *)p->iov->iov_base + p->offset;
	return p->iov->iov_len - p->offset;
}

/* Writes @n bytes, for which there is room, and passes over them. */
static void place_write(struct iov_place *p, const uint8_t *bytes, size_t n)
{
	while (n > 0) {
		uint8_t *at = NULL;
		size_t run = place_run(p, &at);

		if (run > n)
			run = n;
		memcpy(at, bytes, run);
		place_advance(p, run);
		bytes += run;
		n -= run;
	}
}

/* Makes c->req scattered; @src and @dst are not empty. */
static void sgl_req_fill(struct wd_comp *c, const struct iov_place *src,
			 const struct iov_place *dst)
{
	comp_req_fill(c, src->iov, src->left, (void *)(uintptr_t)dst->iov, dst->left, NULL);
	c->req.flags = WD_COMP_F_SGL;
	c->req.src_nr = src->nr;
	c->req.src_offset = src->offset;
	c->req.dst_nr = dst->nr;
	c->req.dst_offset = dst->offset;
}

static int compress_sgl(struct wd_comp *c, struct wd_comp_io *io, struct iov_place *src,
			struct iov_place *dst)
{
	size_t header = comp_header_build(c, c->small);
	int ret;

	if (dst->left <= header)
		return compress_full(io);
	place_write(dst, c->small, header);
	io->produced = header;
	/* A list of nothing is no list: what little comes of it is spread by hand. */
	if (src->left == 0)
		comp_req_fill(c, NULL, 0, c->small, COMP_ROOM_MIN, NULL);
	else
		sgl_req_fill(c, src, dst);
	ret = comp_req_run(c, io);
	if (ret != 0)
		return ret;
	if (src->left == 0 && c->req.head.status == WD_STATUS_OK) {
		if (c->req.produced > dst->left)
			return compress_full(io);
		place_write(dst, c->small, c->req.produced);
	}
	return compress_answer(c, io, src->left);
}

static int decompress_sgl(struct wd_comp *c, struct wd_comp_io *io, struct iov_place *src,
			  struct iov_place *dst)
{
	struct iov_place room = *dst;
	enum header_result result = HEADER_MORE;
	int ret;

	comp_input_begin(c);
	while (result == HEADER_MORE && src->left > 0) {
		uint8_t *at = NULL;
		size_t run = place_run(src, &at);
		size_t used;

		result = comp_header_feed(c, at, run, &used);
		io->consumed += used;
		place_advance(src, used);
	}
	if (result != HEADER_DONE || src->left == 0) {
		io->status = WD_STATUS_BAD_DATA;
		return 0;
	}
	if (dst->left == 0) {
		c->small_iov = (struct iovec){ .iov_base = c->small, .iov_len = COMP_ROOM_MIN };
		room = (struct iov_place){ .iov = &c->small_iov, .nr = 1, .left = COMP_ROOM_MIN };
	}
	sgl_req_fill(c, src, &room);
	ret = comp_req_run(c, io);
	if (ret != 0)
		return ret;
	inflate_answer(c, io, dst->left == 0);
	return 0;
}

int wd_comp_block_sgl(struct wd_comp *comp, const struct iovec *src, unsigned int src_nr,
		      const struct iovec *dst, unsigned int dst_nr, struct wd_comp_io *io)
{
	struct iov_place from;
	struct iov_place to;
	int ret;

	if (comp == NULL || io == NULL)
		return -EINVAL;
	ret = place_init(&from, src, src_nr);
	if (ret == 0)
		ret = place_init(&to, dst, dst_nr);
	if (ret == 0)
		ret = block_enter(comp, io);
	if (ret != 0)
		return ret;
	if (comp->op == WD_OP_COMPRESS)
		return compress_sgl(comp, io, &from, &to);
	return decompress_sgl(comp, io, &from, &to);
}

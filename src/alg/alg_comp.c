/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Compression: entry points that open, close and ask, argument checks, sums, the
 * one-shot calls, and the single place that hands a request to the session.
 * Blocks are in comp_block.c, streams in comp_stream.c and
 * comp_stream_inflate.c.
 */
#include "alg/alg_comp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "alg/probe.h"
#include "base/sums.h"
#include "base/wait.h"

#define WINDOW_BITS_MIN 12
#define WINDOW_BITS_MAX 15

#define OPTS_KNOWN (WD_COMP_OPT_VERIFY | WD_COMP_OPT_POPULATE | WD_COMP_OPT_ONE_MEMBER)

static const char *const format_algs[] = {
	[WD_COMP_DEFLATE] = "deflate",
	[WD_COMP_ZLIB] = "zlib",
	[WD_COMP_GZIP] = "gzip",
};

static bool is_format(uint32_t format)
{
	return format >= WD_COMP_DEFLATE && format <= WD_COMP_GZIP;
}

size_t wd_comp_bound(enum wd_comp_format format, size_t src_len)
{
	size_t header = format == WD_COMP_GZIP ? GZIP_FIXED_BYTES :
			format == WD_COMP_ZLIB ? ZLIB_HEADER_BYTES :
						 0;
	size_t blocks = src_len / COMP_STORED_BYTES + (src_len % COMP_STORED_BYTES != 0);
	size_t bound;

	if (!is_format(format))
		return 0;
	if (blocks == 0)
		blocks = 1; /* even nothing is a block */
	/* Alone it cannot overflow: there are far fewer blocks than bytes. */
	bound = blocks * COMP_STORED_OVERHEAD + header + comp_trailer_bytes(format);
	if (__builtin_add_overflow(bound, src_len, &bound))
		return 0;
	return bound;
}

size_t comp_header_build(const struct wd_comp *c, uint8_t *buf)
{
	if (c->format == WD_COMP_GZIP)
		return gzip_header_build(buf, c->has_set_header ? &c->set_header : NULL);
	if (c->format == WD_COMP_ZLIB)
		return zlib_header_build(buf, c->level, c->window_bits);
	return 0;
}

enum header_result comp_header_feed(struct wd_comp *c, struct header_parser *parser,
				    const uint8_t *src, size_t len, size_t *ret_used)
{
	enum header_result result = header_parser_feed(parser, src, len, ret_used);

	if (result == HEADER_DONE && !c->has_got_header && c->format == WD_COMP_GZIP) {
		/* Names are mostly short or none, and this is on the way of every block. */
		memcpy(&c->got_header, &parser->said,
		       offsetof(struct wd_comp_gzip_header, name) + parser->name_len + 1);
		c->has_got_header = true;
	}
	return result;
}

void comp_input_begin(struct comp_op *op)
{
	op->c->has_got_header = false;
	header_parser_init(&op->parser, op->c->format);
}

static int check_opts(const struct wd_comp_opts *opts)
{
	int ret = alg_opts_check(opts, opts->size, sizeof(*opts));

	if (ret != 0)
		return ret;
	if (opts->op != WD_OP_COMPRESS && opts->op != WD_OP_DECOMPRESS)
		return -EINVAL;
	if (!is_format(opts->format))
		return -EINVAL;
	if (opts->level < 0 || opts->level > WD_COMP_LEVEL_SMALLEST)
		return -EINVAL;
	if (opts->window_bits != 0 &&
	    (opts->window_bits < WINDOW_BITS_MIN || opts->window_bits > WINDOW_BITS_MAX))
		return -EINVAL;
	if ((opts->flags & ~OPTS_KNOWN) != 0 || opts->depth > WD_COMP_DEPTH_MAX)
		return -EINVAL;
	if ((opts->flags & WD_COMP_OPT_ONE_MEMBER) != 0 &&
	    (opts->op != WD_OP_DECOMPRESS || opts->format != WD_COMP_GZIP))
		return -EINVAL;
	return opts->timeout_ms < 0 ? -EINVAL : 0;
}

static void comp_fini(struct wd_comp *c)
{
	uint32_t i;

	if (c->session.sched != NULL)
		comp_stream_abandon(c);
	/* First the queues: until they are released a device may write to the rest. */
	alg_session_close(&c->session);
	comp_stream_fini(&c->stream);
	comp_verify_fini(&c->own);
	for (i = 0; c->ops != NULL && i < c->depth; i++)
		comp_verify_fini(&c->ops[i]);
	free(c->ops);
}

/* Fills a zeroed @c. */
static int comp_init(struct wd_comp *c, const struct wd_comp_opts *opts)
{
	struct wd_capa capa = { .alg = format_algs[opts->format], .op = opts->op };
	int ret;

	c->op = opts->op;
	c->format = opts->format;
	c->depth = opts->depth != 0 ? opts->depth : WD_COMP_DEPTH_DEFAULT;
	c->flags = opts->flags;
	c->done = opts->done;
	c->arg = opts->arg;
	if (opts->op == WD_OP_COMPRESS) {
		c->level = opts->level;
		c->window_bits = opts->window_bits != 0 ? opts->window_bits : WINDOW_BITS_MAX;
	} else {
		c->flags &= ~WD_COMP_OPT_VERIFY;
	}
	ret = alg_session_open(&c->session, opts->sched, &capa, opts->device, opts->timeout_ms,
			       alg_probe);
	if (ret == 0 && (c->flags & WD_COMP_OPT_VERIFY) != 0) {
		capa.op = WD_OP_DECOMPRESS;
		ret = alg_session_open_check(&c->session, &capa);
		if (ret != 0)
			comp_fini(c);
	}
	return ret;
}

int wd_comp_open(const struct wd_comp_opts *opts, struct wd_comp **ret_comp)
{
	struct wd_comp *c;
	int ret;

	if (opts == NULL || ret_comp == NULL)
		return -EINVAL;
	ret = check_opts(opts);
	if (ret != 0)
		return ret;
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return -ENOMEM;
	ret = comp_init(c, opts);
	if (ret != 0)
		goto out_free;
	*ret_comp = c;
	return 0;

out_free:
	free(c);
	return ret;
}

void wd_comp_close(struct wd_comp *comp)
{
	if (comp == NULL)
		return;
	comp_fini(comp);
	free(comp);
}

/*
 * With more threads than queues, a one-shot call waits for its turn: whoever has
 * a queue for one block gives it back soon.
 */
static int comp_init_in_turn(struct wd_comp *c, const struct wd_comp_opts *opts)
{
	uint64_t deadline_ns = wait_clock_ns() + WD_TIMEOUT_DEFAULT_MS * WAIT_NS_PER_MS;
	int ret;

	for (;;) {
		memset(c, 0, sizeof(*c));
		ret = comp_init(c, opts);
		if (ret != -EBUSY || wait_clock_ns() >= deadline_ns)
			return ret;
		wait_yield();
	}
}

static int one_shot_errno(const struct wd_comp_io *io)
{
	if (io->head.status == WD_STATUS_OUTPUT_FULL)
		return -ENOSPC;
	return io->head.status == WD_STATUS_OK && io->consumed == io->src_len ? 0 : -EBADMSG;
}

/* One block by a session on the stack, which has no buffers unless it needs pieces. */
static int one_shot(const struct wd_comp_opts *opts, const void *src, size_t src_len, void *dst,
		    size_t *dst_len)
{
	struct wd_comp_io io = { .src = src, .src_len = src_len, .dst = dst };
	struct wd_comp c;
	int ret = check_opts(opts);

	if (dst_len == NULL)
		return -EINVAL;
	if (ret != 0)
		return ret;
	io.dst_len = *dst_len;
	ret = comp_init_in_turn(&c, opts);
	if (ret != 0)
		return ret;
	ret = wd_comp_block(&c, &io);
	comp_fini(&c);
	if (ret == 0)
		ret = one_shot_errno(&io);
	if (ret == 0)
		*dst_len = io.produced;
	return ret;
}

int wd_comp_compress(enum wd_comp_format format, int level, const void *src, size_t src_len,
		     void *dst, size_t *dst_len)
{
	const struct wd_comp_opts opts = {
		.size = sizeof(opts), .op = WD_OP_COMPRESS, .format = format, .level = level
	};

	return one_shot(&opts, src, src_len, dst, dst_len);
}

int wd_comp_decompress(enum wd_comp_format format, const void *src, size_t src_len, void *dst,
		       size_t *dst_len)
{
	const struct wd_comp_opts opts = { .size = sizeof(opts),
					   .op = WD_OP_DECOMPRESS,
					   .format = format };

	return one_shot(&opts, src, src_len, dst, dst_len);
}

int wd_comp_set_gzip_header(struct wd_comp *comp, const struct wd_comp_gzip_header *header)
{
	if (comp == NULL || comp->op != WD_OP_COMPRESS || comp->format != WD_COMP_GZIP)
		return -EINVAL;
	if (header != NULL && (alg_opts_check(header, header->size, sizeof(*header)) != 0 ||
			       header->has_name > 1 || header->reserved != 0))
		return -EINVAL;
	if (comp_is_under_way(comp))
		return -EBUSY;
	comp->has_set_header = header != NULL;
	if (header != NULL)
		comp->set_header = *header;
	return 0;
}

int wd_comp_get_gzip_header(const struct wd_comp *comp, struct wd_comp_gzip_header *ret_header)
{
	uint32_t size;

	if (comp == NULL || comp->op != WD_OP_DECOMPRESS || comp->format != WD_COMP_GZIP)
		return -EINVAL;
	if (ret_header == NULL || ret_header->size < sizeof(*ret_header))
		return -EINVAL;
	if (!comp->has_got_header)
		return -EAGAIN;
	size = ret_header->size;
	*ret_header = comp->got_header;
	ret_header->size = size;
	/* What lies behind the name's end may be of an earlier one. */
	memset(ret_header->name + strlen(ret_header->name), 0,
	       sizeof(ret_header->name) - strlen(ret_header->name));
	return 0;
}

uint32_t wd_comp_adler32(uint32_t adler, const void *p, size_t len)
{
	return sums_adler32(adler, p, len);
}

uint32_t wd_comp_crc32(uint32_t crc, const void *p, size_t len)
{
	return sums_crc32(crc, p, len);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The data pump of compress and decompress.
 *
 * Compressing works in pieces of 4 MiB, each a gzip member of its own: whole
 * blocks get the best codec of every level, memory is bounded, and every reader
 * of gzip takes several members.  Decompressing is one stream.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "comp_job.h"
#include "file_io.h"
#include "wd_tool.h"

#define PIECE_BYTES  (4u << 20) /* of input for a member */
#define STREAM_BYTES (1u << 20) /* of each buffer when decompressing */

/* RFC 1952 */
#define GZIP_MAGIC_0	    0x1f
#define GZIP_MAGIC_1	    0x8b
#define GZIP_METHOD_DEFLATE 8
#define GZIP_FLAG_ENCRYPTED 0x20 /* of gzip's own making, before the RFC */
#define GZIP_FLAGS_RESERVED 0xc0
#define GZIP_FRAME_BYTES    18u /* least header, and trailer */
#define GZIP_TRAILER_BYTES  8

static const char cut_short[] = "unexpected end of file";

struct comp_job {
	const struct comp_opts *opts;
	struct wd_comp *comp; /* NULL until needed, and after it failed */
	uint8_t *in;
	uint8_t *out;
	size_t in_bytes;
	size_t out_bytes;
	/* of the file under way */
	struct comp_source *source;
	struct comp_sink *sink;
	struct comp_tally *tally;
	size_t in_pos; /* decompress: in[in_pos..in_end) is still to be consumed */
	size_t in_end;
	bool is_eof;
	uint8_t tail[GZIP_TRAILER_BYTES]; /* the last bytes consumed */
};

int comp_job_open(const struct comp_opts *opts, struct comp_job **ret_job)
{
	struct comp_job *job = calloc(1, sizeof(*job));

	if (!job)
		return -ENOMEM;
	job->opts = opts;
	if (opts->is_decompress) {
		job->in_bytes = STREAM_BYTES;
		job->out_bytes = STREAM_BYTES;
	} else {
		job->in_bytes = PIECE_BYTES;
		job->out_bytes = wd_comp_bound(WD_COMP_GZIP, PIECE_BYTES) +
				 sizeof(((struct wd_comp_gzip_header *)NULL)->name);
	}
	job->in = malloc(job->in_bytes);
	job->out = malloc(job->out_bytes);
	if (!job->in || !job->out) {
		comp_job_close(job);
		return -ENOMEM;
	}
	*ret_job = job;
	return 0;
}

void comp_job_close(struct comp_job *job)
{
	if (!job)
		return;
	wd_comp_close(job->comp);
	free(job->in);
	free(job->out);
	free(job);
}

static enum comp_end fail(struct comp_job *job, const char *name, const char *text)
{
	progress_wipe(&job->source->progress);
	tool_say(name, "%s", text);
	return COMP_END_FAILED;
}

static enum comp_end fail_data(struct comp_job *job, const char *text)
{
	return fail(job, job->source->name, text);
}

/* The call itself failed: the session is not used again. */
static enum comp_end fail_call(struct comp_job *job, int err)
{
	wd_comp_close(job->comp);
	job->comp = NULL;
	return fail_data(job, wd_error_text(err));
}

static enum comp_end fail_status(struct comp_job *job, const struct wd_comp_io *io)
{
	progress_wipe(&job->source->progress);
	tool_say(job->source->name, "%s: %s", wd_device_name(io->head.device_id),
		 wd_status_text(io->head.status));
	return COMP_END_FAILED;
}

static enum comp_end job_begin(struct comp_job *job, struct comp_source *source,
			       struct comp_sink *sink, struct comp_tally *tally)
{
	struct wd_comp_opts want = {
		.size = sizeof(want),
		.op = job->opts->is_decompress ? WD_OP_DECOMPRESS : WD_OP_COMPRESS,
		.format = WD_COMP_GZIP,
		.level = job->opts->level,
		.device = job->opts->device,
	};
	int err;

	memset(tally, 0, sizeof(*tally));
	job->source = source;
	job->sink = sink;
	job->tally = tally;
	job->in_pos = 0;
	job->in_end = 0;
	job->is_eof = false;
	if (job->comp) {
		wd_comp_reset(job->comp);
		return COMP_END_DONE;
	}
	err = wd_comp_open(&want, &job->comp);
	if (err == 0)
		return COMP_END_DONE;
	job->comp = NULL;
	tool_say(want.device ? want.device : "no device for gzip", "%s", tool_library_error(err));
	return COMP_END_FATAL;
}

static enum comp_end open_sink(struct comp_job *job, const struct wd_comp_gzip_header *header)
{
	enum comp_end end;

	if (job->sink->is_open)
		return COMP_END_DONE;
	progress_wipe(&job->source->progress);
	end = job->sink->open(job->sink, header);
	job->sink->is_open = end == COMP_END_DONE;
	return end;
}

static enum comp_end write_out(struct comp_job *job, size_t len)
{
	int err;

	job->tally->produced += len;
	if (job->sink->fd < 0)
		return COMP_END_DONE;
	err = file_write_full(job->sink->fd, job->out, len);
	if (err == 0)
		return COMP_END_DONE;
	fail(job, job->sink->name, strerror(-err));
	return job->sink->is_stdout ? COMP_END_FATAL : COMP_END_FAILED;
}

static void count(struct comp_job *job, const struct wd_comp_io *io)
{
	struct comp_tally *tally = job->tally;

	tally->consumed += io->consumed;
	tally->requests += io->head.requests;
	tally->retries += io->head.retries;
	tally->bounced_bytes += io->head.bounced_bytes;
	/* A call may find its answer without asking the device, which then is nobody. */
	if (io->head.requests) {
		tally->device_id = io->head.device_id;
		tally->level = io->level;
	}
	progress_update(&job->source->progress, tally->consumed);
}

/* ------------------------------------------------------------- compress */

static enum comp_end compress_piece(struct comp_job *job, size_t len)
{
	struct wd_comp_io io = {
		.src = job->in,
		.src_len = len,
		.dst = job->out,
		.dst_len = job->out_bytes,
	};
	int err = wd_comp_block(job->comp, &io);

	if (err)
		return fail_call(job, err);
	count(job, &io);
	if (io.head.status != WD_STATUS_OK)
		return fail_status(job, &io);
	return write_out(job, io.produced);
}

static enum comp_end compress_members(struct comp_job *job)
{
	bool is_first = true;
	enum comp_end end;
	ssize_t len;

	do {
		len = file_read_full(job->source->fd, job->in, PIECE_BYTES);
		if (len < 0)
			return fail_data(job, strerror(-len));
		/* An empty file has one member, a whole number of pieces no empty one. */
		if (len == 0 && !is_first)
			break;
		end = compress_piece(job, len);
		if (end != COMP_END_DONE)
			return end;
		is_first = false;
	} while (len == PIECE_BYTES);
	return COMP_END_DONE;
}

enum comp_end comp_job_compress(struct comp_job *job, struct comp_source *source,
				const struct wd_comp_gzip_header *header, struct comp_sink *sink,
				struct comp_tally *ret_tally)
{
	enum comp_end end = job_begin(job, source, sink, ret_tally);
	int err;

	if (end != COMP_END_DONE)
		return end;
	ret_tally->header_bytes = GZIP_FRAME_BYTES;
	err = wd_comp_set_gzip_header(job->comp, header);
	if (err)
		return fail_call(job, err);
	if (header && header->has_name)
		ret_tally->header_bytes += strlen(header->name) + 1;
	end = open_sink(job, NULL);
	if (end == COMP_END_DONE)
		end = compress_members(job);
	progress_wipe(&source->progress);
	ret_tally->elapsed_ns = progress_now_ns() - source->progress.start_ns;
	return end;
}

/* ----------------------------------------------------------- decompress */

/* Has at least @least bytes in the buffer, unless the file ends before: 0 or an errno. */
static int fill(struct comp_job *job, size_t least)
{
	size_t left = job->in_end - job->in_pos;

	if (left >= least || job->is_eof)
		return 0;
	memmove(job->in, job->in + job->in_pos, left);
	job->in_pos = 0;
	job->in_end = left;
	while (job->in_end < least && !job->is_eof) {
		ssize_t nr = file_read_some(job->source->fd, job->in + job->in_end,
					    job->in_bytes - job->in_end);

		if (nr < 0)
			return nr;
		job->in_end += nr;
		job->is_eof = nr == 0;
	}
	return 0;
}

/* As gzip -dcf: what is not compressed goes through as it is. */
static enum comp_end pass_through(struct comp_job *job)
{
	enum comp_end end = open_sink(job, NULL);

	while (end == COMP_END_DONE) {
		size_t len = job->in_end - job->in_pos;
		int err;

		if (len == 0)
			break;
		memcpy(job->out, job->in + job->in_pos, len);
		job->in_pos += len;
		job->tally->consumed += len;
		end = write_out(job, len);
		err = fill(job, 1);
		if (err)
			return fail_data(job, strerror(-err));
	}
	return end;
}

/* What can be told from the first bytes, in gzip's words. */
static enum comp_end check_start(struct comp_job *job, bool *ret_is_plain)
{
	const uint8_t *in = job->in;
	size_t len = job->in_end;
	char text[64];

	*ret_is_plain = len < 2 || in[0] != GZIP_MAGIC_0 || in[1] != GZIP_MAGIC_1;
	if (*ret_is_plain && job->opts->is_forced && job->sink->is_stdout)
		return COMP_END_DONE;
	if (len < 2)
		return fail_data(job, cut_short);
	if (*ret_is_plain)
		return fail_data(job, "not in gzip format");
	if (len > 2 && in[2] != GZIP_METHOD_DEFLATE) {
		snprintf(text, sizeof(text), "unknown method %d -- not supported", in[2]);
		return fail_data(job, text);
	}
	if (len > 3 && (in[3] & GZIP_FLAG_ENCRYPTED))
		return fail_data(job, "is encrypted -- not supported");
	if (len > 3 && (in[3] & GZIP_FLAGS_RESERVED)) {
		snprintf(text, sizeof(text), "has flags 0x%x -- not supported", in[3]);
		return fail_data(job, text);
	}
	return COMP_END_DONE;
}

/* Whether the rest of the input is zeros: 1, 0 or a negative errno. */
static int rest_is_zero(struct comp_job *job)
{
	for (;;) {
		int err = fill(job, 1);

		if (err)
			return err;
		if (job->in_pos == job->in_end)
			return 1;
		while (job->in_pos < job->in_end)
			if (job->in[job->in_pos++] != 0)
				return 0;
	}
}

/* Zeros fill up tape blocks and are no remark; anything else is one. */
static enum comp_end check_trailing(struct comp_job *job)
{
	int ret = rest_is_zero(job);

	if (ret < 0)
		return fail_data(job, strerror(-ret));
	if (ret > 0)
		return COMP_END_DONE;
	progress_wipe(&job->source->progress);
	if (!job->opts->is_quiet)
		tool_say(job->source->name, "decompression OK, trailing garbage ignored");
	return COMP_END_REMARK;
}

static void keep_tail(struct comp_job *job, const uint8_t *from, size_t len)
{
	uint8_t *tail = job->tail;

	if (len >= sizeof(job->tail)) {
		memcpy(tail, from + len - sizeof(job->tail), sizeof(job->tail));
		return;
	}
	memmove(tail, tail + len, sizeof(job->tail) - len);
	memcpy(tail + sizeof(job->tail) - len, from, len);
}

/* The output's name may hang on the header: nothing is opened before it is known. */
static enum comp_end take_header(struct comp_job *job, size_t produced)
{
	struct comp_tally *tally = job->tally;
	struct wd_comp_gzip_header *header = &tally->header;

	if (job->sink->is_open)
		return COMP_END_DONE;
	header->size = sizeof(*header);
	tally->has_header = wd_comp_get_gzip_header(job->comp, header) == 0;
	if (!tally->has_header)
		return produced ? open_sink(job, NULL) : COMP_END_DONE;
	tally->header_bytes = GZIP_FRAME_BYTES;
	if (header->has_name)
		tally->header_bytes += strlen(header->name) + 1;
	return open_sink(job, header);
}

/* One call of the session and what it gave. */
static enum comp_end stream_step(struct comp_job *job, struct wd_comp_io *io)
{
	bool is_last = job->is_eof && job->in_pos == job->in_end;
	enum comp_end end;
	int err;

	memset(io, 0, sizeof(*io));
	io->src = job->in + job->in_pos;
	io->src_len = job->in_end - job->in_pos;
	io->dst = job->out;
	io->dst_len = job->out_bytes;
	err = wd_comp_stream(job->comp, io, is_last ? WD_COMP_FINISH : WD_COMP_NO_FLUSH);
	if (err)
		return fail_call(job, err);
	keep_tail(job, io->src, io->consumed);
	job->in_pos += io->consumed;
	count(job, io);
	end = take_header(job, io->produced);
	if (end == COMP_END_DONE && io->produced)
		end = write_out(job, io->produced);
	return end;
}

/* Decompresses member after member, until the input ends or no other one follows. */
static enum comp_end decompress_members(struct comp_job *job)
{
	bool is_between = false; /* a member ended and nothing came after it yet */

	for (;;) {
		struct wd_comp_io io;
		enum comp_end end;
		bool is_idle;
		int err = fill(job, 1);

		if (err)
			return fail_data(job, strerror(-err));
		if (is_between && job->in_pos == job->in_end)
			return COMP_END_DONE;
		end = stream_step(job, &io);
		if (end != COMP_END_DONE)
			return end;
		is_idle = io.consumed == 0 && io.produced == 0;
		switch (io.head.status) {
		case WD_STATUS_STREAM_END:
			if (is_between && is_idle)
				return check_trailing(job);
			is_between = true;
			break;
		case WD_STATUS_OK:
		case WD_STATUS_OUTPUT_FULL:
			if (is_idle && io.src_len)
				return fail_data(job, "the device makes no progress");
			if (is_idle)
				return fail_data(job, cut_short);
			is_between = false;
			break;
		case WD_STATUS_BAD_DATA:
			return fail_data(job, io.src_len ?
						      "invalid compressed data--format violated" :
						      cut_short);
		case WD_STATUS_BAD_CHECKSUM:
			return fail_data(job, "invalid compressed data--crc error");
		default:
			return fail_status(job, &io);
		}
	}
}

enum comp_end comp_job_decompress(struct comp_job *job, struct comp_source *source,
				  struct comp_sink *sink, struct comp_tally *ret_tally)
{
	enum comp_end end = job_begin(job, source, sink, ret_tally);
	bool is_plain;
	int err;

	if (end != COMP_END_DONE)
		return end;
	err = fill(job, 4);
	if (err)
		return fail_data(job, strerror(-err));
	end = check_start(job, &is_plain);
	if (end != COMP_END_DONE)
		return end;
	end = is_plain ? pass_through(job) : decompress_members(job);
	ret_tally->crc = job->tail[0] | job->tail[1] << 8 | job->tail[2] << 16 |
			 (uint32_t)job->tail[3] << 24;
	progress_wipe(&source->progress);
	ret_tally->elapsed_ns = progress_now_ns() - source->progress.start_ns;
	return end;
}

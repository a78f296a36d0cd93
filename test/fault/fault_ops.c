/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The columns of the fault matrix.  None of them asserts: each says what came of
 * every single operation, and cell_note() knows what may come of it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include <wd/comp.h>
#include <wd/stats.h>

#include "fault/fault_ops.h"

#define TIMEOUT_MS    10000 /* far beyond hang_ms: no wait may last that long */
#define NR_SYNC	      11u   /* operations one after another */
#define NR_STREAMS    3u
#define NR_CANCELLED  16u
#define ERRORS_ENOUGH 2u      /* a device that only fails is not asked for ever */
#define LAST_BYTES    200000u /* of the last sample, for streams */
#define OUT_BYTES     (LAST_BYTES + SAMPLE_ROOM)
#define BIG_BYTES     (9u << 20)
#define DEVICES_MAX   8u

struct sample samples[NR_SAMPLES];
static const struct sample *const stream_sample = &samples[NR_SAMPLES - 1];
static uint8_t text[LAST_BYTES];
static uint8_t outs[NR_SAMPLES][SAMPLE_BYTES + SAMPLE_ROOM];
static uint8_t out[OUT_BYTES];

/* ------------------------------------------------------------- data and judge */

static int sample_pack(struct sample *s)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)s->plain, .avail_in = (uInt)s->len };
	size_t room = s->len + SAMPLE_ROOM;

	s->packed = malloc(room);
	if (!s->packed || deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	z.next_out = s->packed;
	z.avail_out = (uInt)room;
	s->packed_len = deflate(&z, Z_FINISH) == Z_STREAM_END ? z.total_out : 0;
	deflateEnd(&z);
	return s->packed_len ? 0 : -EIO;
}

int samples_make(void)
{
	static const char words[] = "what a device writes is copied, the copy is checked; ";
	uint64_t random = 0x9e3779b97f4a7c15u;
	int ret = 0;
	size_t i;

	for (i = 0; i < sizeof(text); i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		text[i] = random >> 61 == 0 ? (uint8_t)(random >> 32) :
					      (uint8_t)words[i % (sizeof(words) - 1)];
	}
	for (i = 0; i < NR_SAMPLES && !ret; i++) {
		samples[i].plain = text + i * 1000;
		samples[i].len = 1 + i * (SAMPLE_BYTES / NR_SAMPLES);
		if (&samples[i] == stream_sample)
			samples[i] = (struct sample){ .plain = text, .len = LAST_BYTES };
		ret = sample_pack(&samples[i]);
	}
	return ret;
}

void samples_free(void)
{
	for (size_t i = 0; i < NR_SAMPLES; i++)
		free(samples[i].packed);
}

bool is_packed_right(const struct sample *sample, int bits, const uint8_t *packed, size_t bytes)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)packed, .avail_in = (uInt)bytes };
	uint8_t *back = malloc(sample->len + 1);
	bool is_right = false;

	if (!back || inflateInit2(&z, bits) != Z_OK) {
		free(back);
		return false;
	}
	z.next_out = back;
	z.avail_out = (uInt)sample->len + 1;
	if (inflate(&z, Z_FINISH) == Z_STREAM_END)
		is_right = !z.avail_in && z.total_out == sample->len &&
			   !memcmp(back, sample->plain, sample->len);
	inflateEnd(&z);
	free(back);
	return is_right;
}

static bool is_right(const struct sample *s, uint32_t op, const uint8_t *at, size_t bytes)
{
	if (op == WD_OP_COMPRESS)
		return is_packed_right(s, 31, at, bytes);
	return bytes == s->len && !memcmp(at, s->plain, s->len);
}

/* ------------------------------------------------------------- what came of it */

void cell_complain(struct cell *cell, const char *what, long number)
{
	cell->is_bad = true;
	fprintf(stderr, "%s: %s (%ld)\n", cell->label, what, number);
}

static bool is_documented(int error)
{
	return error == -ENODEV || error == -EIO || error == -ETIMEDOUT || error == -EBUSY;
}

void cell_note(struct cell *cell, int error, bool is_good, unsigned int retries)
{
	enum tally tally = TALLY_RIGHT;

	if (error)
		tally = TALLY_ERROR;
	else if (!is_good)
		tally = TALLY_WRONG;
	else if (retries)
		tally = cell->is_lying ? TALLY_CAUGHT : TALLY_RETRIED;
	cell->tally[tally]++;
	if (tally == TALLY_ERROR && (!cell->may_err || !is_documented(error)))
		cell_complain(cell, "an error that may not be", error);
	if (tally == TALLY_WRONG && !cell->may_be_wrong)
		cell_complain(cell, "wrong data", 0);
}

static bool is_enough(const struct cell *cell)
{
	return cell->tally[TALLY_ERROR] >= ERRORS_ENOUGH;
}

/* One that ended within a session; @at is where its output went. */
static void note_io(struct cell *cell, const struct wd_comp_io *io, const struct sample *s,
		    uint32_t op)
{
	bool is_good = false;

	if (!io->head.error && io->head.status != WD_STATUS_OK)
		cell_complain(cell, "a status that good input cannot have", io->head.status);
	else if (!io->head.error)
		is_good = io->produced <= io->dst_len && is_right(s, op, io->dst, io->produced);
	cell_note(cell, io->head.error, is_good, io->head.retries);
}

static uint64_t count_retries(void)
{
	struct wd_device_stats stats[DEVICES_MAX] = { 0 };
	uint64_t sum = 0;
	unsigned int i;
	int n;

	for (i = 0; i < DEVICES_MAX; i++)
		stats[i].size = sizeof(stats[i]);
	n = wd_stats_read(0, stats, DEVICES_MAX);
	for (i = 0; (int)i < n && i < DEVICES_MAX; i++)
		sum += stats[i].counters.retries;
	return sum;
}

/* ------------------------------------------------------------- one call */

static void one_call(struct cell *cell, uint32_t op, const struct sample *s)
{
	uint64_t before = count_retries();
	size_t bytes = sizeof(out);
	int ret;

	if (op == WD_OP_COMPRESS)
		ret = wd_comp_compress(WD_COMP_GZIP, 1, s->plain, s->len, out, &bytes);
	else
		ret = wd_comp_decompress(WD_COMP_GZIP, s->packed, s->packed_len, out, &bytes);
	cell_note(cell, ret, !ret && bytes <= sizeof(out) && is_right(s, op, out, bytes),
		  (unsigned int)(count_retries() - before));
}

static void once_compress(struct cell *cell)
{
	for (unsigned int i = 0; i < NR_SYNC && !is_enough(cell); i++)
		one_call(cell, WD_OP_COMPRESS, &samples[i]);
}

static void once_decompress(struct cell *cell)
{
	for (unsigned int i = 0; i < NR_SYNC && !is_enough(cell); i++)
		one_call(cell, WD_OP_DECOMPRESS, &samples[i]);
}

/* ------------------------------------------------------------- blocks */

/* NULL where it cannot be had, which is noted. */
static struct wd_comp *open_session(struct cell *cell, uint32_t op)
{
	const struct wd_comp_opts opts = {
		.size = sizeof(opts),
		.op = op,
		.format = WD_COMP_GZIP,
		.level = op == WD_OP_COMPRESS ? 1 : 0,
		.timeout_ms = TIMEOUT_MS,
		.flags = cell->op->flags & FAULT_OP_VERIFY ? WD_COMP_OPT_VERIFY : 0,
	};
	struct wd_comp *c = NULL;
	int ret = wd_comp_open(&opts, &c);

	if (ret)
		cell_note(cell, ret, false, 0);
	return ret ? NULL : c;
}

static struct wd_comp_io io_of(const struct sample *s, uint32_t op, uint8_t *dst, size_t room)
{
	return (struct wd_comp_io){ .src = op == WD_OP_COMPRESS ? s->plain : s->packed,
				    .src_len = op == WD_OP_COMPRESS ? s->len : s->packed_len,
				    .dst = dst,
				    .dst_len = room };
}

static int scattered(struct wd_comp *c, struct wd_comp_io *io)
{
	uint8_t *src = (uint8_t *)(uintptr_t)io->src, *dst = io->dst;
	struct iovec from[3] = { { src, io->src_len / 3 },
				 { src + io->src_len / 3, 0 },
				 { src + io->src_len / 3, io->src_len - io->src_len / 3 } };
	struct iovec to[2] = { { dst, 300 }, { dst + 300, io->dst_len - 300 } };

	return wd_comp_block_sgl(c, from, NR(from), to, NR(to), io);
}

static void blocks(struct cell *cell, uint32_t op,
		   int (*block)(struct wd_comp *, struct wd_comp_io *))
{
	struct wd_comp *c = open_session(cell, op);
	unsigned int i;

	for (i = 0; c && i < NR_SYNC && !is_enough(cell); i++) {
		struct wd_comp_io io = io_of(&samples[i], op, outs[i], sizeof(outs[i]));
		int ret = block(c, &io);

		if (ret != io.head.error)
			cell_complain(cell, "the call says other than its struct", ret);
		note_io(cell, &io, &samples[i], op);
	}
	wd_comp_close(c);
}

static void block_compress(struct cell *cell)
{
	blocks(cell, WD_OP_COMPRESS, wd_comp_block);
}

static void block_decompress(struct cell *cell)
{
	blocks(cell, WD_OP_DECOMPRESS, wd_comp_block);
}

static void scattered_compress(struct cell *cell)
{
	blocks(cell, WD_OP_COMPRESS, scattered);
}

static void scattered_decompress(struct cell *cell)
{
	blocks(cell, WD_OP_DECOMPRESS, scattered);
}

static void big_block(struct cell *cell)
{
	struct sample s = { .len = BIG_BYTES };
	uint8_t *plain = malloc(BIG_BYTES), *dst = NULL;
	struct wd_comp *c = open_session(cell, WD_OP_COMPRESS);
	size_t room = wd_comp_bound(WD_COMP_GZIP, BIG_BYTES);

	dst = malloc(room);
	if (c && plain && dst) {
		struct wd_comp_io io;

		for (size_t at = 0; at < BIG_BYTES; at += 1u << 16)
			memcpy(plain + at, text + at / 4096, 1u << 16);
		s.plain = plain;
		io = io_of(&s, WD_OP_COMPRESS, dst, room);
		wd_comp_block(c, &io);
		note_io(cell, &io, &s, WD_OP_COMPRESS);
	}
	wd_comp_close(c);
	free(dst);
	free(plain);
}

/* ------------------------------------------------------------- streams */

/* One stream in pieces that are gathered and pieces that are not; 0 or what ended it. */
static int stream_through(struct wd_comp *c, uint32_t op, size_t *ret_made, unsigned int *retries)
{
	static const size_t lens[] = { 70000, 3000, 66000, 100, LAST_BYTES };
	const struct wd_comp_io whole = io_of(stream_sample, op, out, sizeof(out));
	size_t at = 0;
	unsigned int i;

	*ret_made = 0;
	for (i = 0;; i++) {
		size_t piece = op == WD_OP_COMPRESS ? lens[i % NR(lens)] : whole.src_len / 3;
		size_t left = whole.src_len - at;
		struct wd_comp_io io = { .src = (const uint8_t *)whole.src + at,
					 .src_len = piece < left ? piece : left,
					 .dst = out + *ret_made,
					 .dst_len = sizeof(out) - *ret_made };
		int ret = wd_comp_stream(c, &io,
					 io.src_len == left ? WD_COMP_FINISH :
					 i % 2		    ? WD_COMP_SYNC_FLUSH :
							      WD_COMP_NO_FLUSH);

		*retries += io.head.retries;
		if (ret)
			return ret;
		at += io.consumed;
		*ret_made += io.produced;
		if (io.head.status == WD_STATUS_STREAM_END)
			return 0;
		/* There is room for all, so that nothing else is right. */
		if (io.head.status != WD_STATUS_OK || i > NR(lens))
			return (int)io.head.status + 1;
	}
}

static void streams(struct cell *cell, uint32_t op)
{
	struct wd_comp *c = open_session(cell, op);
	unsigned int i;

	for (i = 0; c && i < NR_STREAMS && !is_enough(cell); i++) {
		unsigned int retries = 0;
		size_t made;
		int ret = stream_through(c, op, &made, &retries);

		if (ret > 0)
			cell_complain(cell, "a status that good input cannot have", ret - 1);
		cell_note(cell, ret < 0 ? ret : 0, !ret && is_right(stream_sample, op, out, made),
			  retries);
		if (ret)
			wd_comp_reset(c);
	}
	wd_comp_close(c);
}

static void stream_compress(struct cell *cell)
{
	streams(cell, WD_OP_COMPRESS);
}

static void stream_decompress(struct cell *cell)
{
	streams(cell, WD_OP_DECOMPRESS);
}

/* ------------------------------------------------------------- in flight */

/* All samples but the last, which is for streams, in one session at a time. */
struct flight {
	struct cell *cell;
	struct wd_comp *c;
	uint32_t op;
	unsigned int nr;
	unsigned int nr_ended[NR_SAMPLES];
	struct wd_comp_io io[NR_SAMPLES];
};

/* Submits them; returns how many were taken. */
static unsigned int depart(struct flight *f)
{
	struct wd_comp_io *all[NR_SAMPLES];
	unsigned int i, sent = 0;

	for (i = 0; i < f->nr; i++) {
		f->io[i] = io_of(&samples[i % (NR_SAMPLES - 1)], f->op, outs[i], sizeof(outs[i]));
		f->io[i].head.user = &f->nr_ended[i];
		all[i] = &f->io[i];
	}
	while (sent < f->nr) {
		int n = wd_comp_submit_burst(f->c, all + sent, f->nr - sent);

		if (n <= 0) {
			cell_note(f->cell, n, false, 0);
			break;
		}
		sent += (unsigned int)n;
	}
	return sent;
}

static void arrive(struct flight *f, struct wd_comp_io *io, bool may_be_cancelled)
{
	ptrdiff_t i = io - f->io;

	if (i < 0 || i >= (ptrdiff_t)f->nr || io->head.user != &f->nr_ended[i]) {
		cell_complain(f->cell, "what was never submitted ended", (long)i);
		return;
	}
	if (f->nr_ended[i]++)
		cell_complain(f->cell, "ended again", (long)i);
	else if (may_be_cancelled && !io->head.error && io->head.status == WD_STATUS_CANCELLED)
		cell_note(f->cell, 0, true, io->head.retries);
	else
		note_io(f->cell, io, &samples[i % (NR_SAMPLES - 1)], f->op);
}

static void check_all_arrived(struct flight *f, unsigned int sent)
{
	for (unsigned int i = 0; i < sent; i++)
		if (!f->nr_ended[i])
			cell_complain(f->cell, "never ended", (long)i);
	if (wd_comp_in_flight(f->c))
		cell_complain(f->cell, "still in flight", (long)wd_comp_in_flight(f->c));
}

static void burst(struct cell *cell, uint32_t op)
{
	struct flight f = { .cell = cell, .op = op, .nr = NR_SAMPLES };
	struct wd_comp_io *ios[5];
	unsigned int sent;
	int n;

	f.c = open_session(cell, op);
	if (!f.c)
		return;
	sent = depart(&f);
	while ((n = wd_comp_wait(f.c, ios, NR(ios), 0)) > 0)
		for (int i = 0; i < n; i++)
			arrive(&f, ios[i], false);
	if (n < 0)
		cell_complain(cell, "waiting says", n);
	check_all_arrived(&f, sent);
	wd_comp_close(f.c);
}

static void burst_compress(struct cell *cell)
{
	burst(cell, WD_OP_COMPRESS);
}

static void burst_decompress(struct cell *cell)
{
	burst(cell, WD_OP_DECOMPRESS);
}

static void cancelled(struct cell *cell)
{
	struct flight f = { .cell = cell, .op = WD_OP_COMPRESS, .nr = NR_CANCELLED };
	struct wd_comp_io *ios[5];
	unsigned int sent;
	int n;

	f.c = open_session(cell, WD_OP_COMPRESS);
	if (!f.c)
		return;
	sent = depart(&f);
	n = wd_comp_poll(f.c, ios, 1);
	if (n > 0)
		arrive(&f, ios[0], false);
	n = wd_comp_cancel(f.c);
	if (n < 0)
		cell_complain(cell, "giving up says", n);
	while ((n = wd_comp_poll(f.c, ios, NR(ios))) > 0)
		for (int i = 0; i < n; i++)
			arrive(&f, ios[i], true);
	check_all_arrived(&f, sent);
	/* The session is as good as before. */
	f.io[0] = io_of(&samples[9], WD_OP_COMPRESS, outs[0], sizeof(outs[0]));
	wd_comp_block(f.c, &f.io[0]);
	note_io(cell, &f.io[0], &samples[9], WD_OP_COMPRESS);
	wd_comp_close(f.c);
}

/* ------------------------------------------------------------- raw queues */

static void raw_compress(struct cell *cell)
{
	fault_raw(cell, "deflate", WD_OP_COMPRESS);
}

static void raw_decompress(struct cell *cell)
{
	fault_raw(cell, "deflate", WD_OP_DECOMPRESS);
}

static void raw_copy(struct cell *cell)
{
	fault_raw(cell, "memop", WD_OP_COPY);
}

static void raw_fill_memory(struct cell *cell)
{
	fault_raw(cell, "memop", WD_OP_FILL);
}

static void raw_crc(struct cell *cell)
{
	fault_raw(cell, "memop", WD_OP_CRC32);
}

/* ------------------------------------------------------------- all of them */

const struct fault_op fault_ops[] = {
	{ "once-c", 0, once_compress },
	{ "once-d", 0, once_decompress },
	{ "block-c", 0, block_compress },
	{ "block-d", 0, block_decompress },
	{ "block-v", FAULT_OP_VERIFY, block_compress },
	{ "sgl-c", 0, scattered_compress },
	{ "sgl-d", 0, scattered_decompress },
	{ "sgl-v", FAULT_OP_VERIFY, scattered_compress },
	{ "stream-c", 0, stream_compress },
	{ "stream-d", FAULT_OP_INFLATE, stream_decompress },
	{ "stream-v", FAULT_OP_VERIFY, stream_compress },
	{ "burst-c", 0, burst_compress },
	{ "burst-d", 0, burst_decompress },
	{ "burst-v", FAULT_OP_VERIFY, burst_compress },
	{ "big-c", FAULT_OP_BIG, big_block },
	{ "big-v", FAULT_OP_BIG | FAULT_OP_VERIFY, big_block },
	{ "cancel", 0, cancelled },
	{ "raw-c", FAULT_OP_RAW, raw_compress },
	{ "raw-d", FAULT_OP_RAW, raw_decompress },
	{ "copy", FAULT_OP_RAW | FAULT_OP_MEMOP, raw_copy },
	{ "fill", FAULT_OP_RAW | FAULT_OP_MEMOP, raw_fill_memory },
	{ "crc", FAULT_OP_RAW | FAULT_OP_MEMOP, raw_crc },
};
const unsigned int nr_fault_ops = NR(fault_ops);

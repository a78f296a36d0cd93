/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Deflate of the ZIP engine: libisal where speed counts, libdeflate where size
 * does, stored blocks where neither helps.
 *
 * Measured on one AVX-512 core (MB/s and ratio; C library binary | program
 * text), each at 64 KiB and 1 MiB blocks:
 *
 *            64 KiB                        1 MiB
 * libisal 0  285 1.70 | 308 2.82          287 1.64 | 325 2.83
 * libisal 1  261 1.94 | 291 2.97          252 1.84 | 317 2.96
 * libisal 2  262 1.97 | 280 3.01          186 1.88 | 293 3.01
 * libisal 3  238 1.99 | 234 3.12          182 1.90 | 249 3.13
 * libdefl. 1 105 2.01 | 138 3.15           67 1.94 | 109 3.16
 * libdefl. 2  75 2.12 |  93 3.24           48 2.00 |  73 3.27
 * libdefl. 3  70 2.14 |  73 3.30           44 2.02 |  62 3.33
 * libdefl. 4  66 2.14 |  70 3.33           42 2.02 |  60 3.36
 * libdefl. 6  46 2.19 |  48 3.43           30 2.07 |  38 3.47
 *
 * At 4 KiB the order is the same, libisal 1 and 2 being equal there.
 */
#include <stdlib.h>
#include <string.h>

#include <isa-l/igzip_lib.h>
#include <libdeflate.h>

#include "base/compiler.h"
#include "chip/qm/zip_deflate.h"
#include "chip/qm/zip_entropy.h"
#include "chip/qm/zip_join.h"
#include "chip/qm/zip_stored.h"
#include "hw/hisi_zip_hw.h"

/* The codecs' own spare room at the end of the output, given where there is some. */
#define CODEC_SLACK 16u

/* After this much input a stream's codec is set up anew, so that its 32-bit totals never wrap. */
#define LIVE_BYTES_MAX (1u << 30)

#define ISAL_LEVELS 4

struct codec_choice {
	bool is_isal;
	uint8_t level;	/* the codec's own number */
	uint8_t served; /* as the SQE numbers it */
	uint8_t byte_ns; /* that one byte takes, between text and programs, faster and slower cores */
};

/* What serves a level in one whole request, and why. */
static const struct codec_choice whole_choices[] = {
	[0] = { true, 1, 1, 4 }, /* default: what most callers ask of hardware is speed */
	[1] = { true, 1, 1, 4 },
	[2] = { true, 3, 2,
		6 }, /* libisal 2 gains 1 % on 1; 3 gains 3 to 5 % at 0.8 of its speed */
	[3] = { false, 2, 3, 15 }, /* 3 is as slow as 4 and 1 is no smaller than libisal 3 */
	[4] = { false, 4, 4, 18 },
	[5] = { false, 5, 5, 20 },
	[6] = { false, 6, 6, 27 },
	[7] = { false, 7, 7, 40 },
	[8] = { false, 8, 8, 80 },
	[9] = { false, 9, 9, 120 },
	[ZIP_LEVEL_FASTEST] = { true, 0, ZIP_LEVEL_FASTEST, 4 },
	[ZIP_LEVEL_SMALLEST] = { false, 12, ZIP_LEVEL_SMALLEST, 220 },
};

/* Where libdeflate cannot serve. */
static const struct codec_choice best_isal = { true, 3, 2, 6 };

static const uint32_t level_buf_bytes[ISAL_LEVELS] = {
	ISAL_DEF_LVL0_DEFAULT,
	ISAL_DEF_LVL1_SMALL, /* codes that change with the data gain 0.4 % of a program, lose nothing */
	ISAL_DEF_LVL2_DEFAULT,
	ISAL_DEF_LVL3_DEFAULT,
};

/* log2 of the window; 24 KiB is served by what a power of two may reach. */
static unsigned int window_hist_bits(uint32_t window)
{
	static const uint8_t bits[] = { 12, 13, 14, 14, 15 };

	return bits[window];
}

static bool is_window_limiting(uint32_t window, size_t bytes)
{
	return window != HISI_ZIP_WINDOW_32K && bytes > (size_t)1 << window_hist_bits(window);
}

static const struct codec_choice *choose(uint32_t level, uint32_t window, size_t bytes,
					 bool is_stream)
{
	const struct codec_choice *c = &whole_choices[level];

	if (c->is_isal)
		return c;
	/* libdeflate always reaches back 32 KiB. */
	if (is_window_limiting(window, bytes))
		return &best_isal;
	/* And it has no history from outside.  A piece of no bytes lacks nothing. */
	if (is_stream && bytes && bytes < ZIP_JOIN_MIN)
		return &best_isal;
	return c;
}

uint32_t zip_deflate_served_level(uint32_t level, uint32_t window, size_t bytes, bool is_stream)
{
	return choose(level, window, bytes, is_stream)->served;
}

uint64_t zip_deflate_ns(uint32_t level, uint32_t window, size_t bytes, bool is_stream)
{
	return (uint64_t)bytes * choose(level, window, bytes, is_stream)->byte_ns;
}

void zip_deflate_fini(struct zip_deflate *d)
{
	free(d->isal);
	free(d->level_buf);
	free(d->entropy);
	free(d->join);
	if (d->libdeflate)
		libdeflate_free_compressor(d->libdeflate);
	zip_scratch_fini(&d->tight);
	zip_scratch_fini(&d->window);
	memset(d, 0, sizeof(*d));
}

/* The codec's state and the work space of @level, or NULL. */
static struct isal_zstream *get_isal(struct zip_deflate *d, unsigned int level)
{
	if (level_buf_bytes[level] > d->level_buf_room) {
		free(d->level_buf);
		/* Foreign code reads it before all of it is written; zeros are the same each time. */
		d->level_buf = calloc(1, level_buf_bytes[level]);
		d->level_buf_room = d->level_buf ? level_buf_bytes[level] : 0;
		d->live_piece = 0;
		if (!d->level_buf)
			return NULL;
	}
	if (!d->isal)
		d->isal = calloc(1, sizeof(*d->isal));
	return d->isal;
}

static void set_isal_level(struct zip_deflate *d, unsigned int level, unsigned int hist_bits)
{
	d->isal->level = level;
	d->isal->level_buf = level ? d->level_buf : NULL;
	/* Its size decides how long blocks get: the same as in a direct call. */
	d->isal->level_buf_size = level_buf_bytes[level];
	d->isal->hist_bits = (uint16_t)hist_bits;
}

/* The ring in the order of time. */
static void split_history(const struct zip_history *history, struct zip_past *ret_past)
{
	const uint32_t n = history->nr_bytes;
	/* The older part lies behind the ring's end. */
	const uint32_t older = n > history->end ? n - history->end : 0;

	memset(ret_past, 0, sizeof(*ret_past));
	if (!n)
		return;
	ret_past->bytes[0] = history->ring + ZIP_HISTORY_BYTES - older;
	ret_past->nr_bytes[0] = older;
	ret_past->bytes[1] = history->ring + history->end - (n - older);
	ret_past->nr_bytes[1] = n - older;
}

static bool is_random(struct zip_deflate *d, const struct zip_past *past, const uint8_t *in,
		      size_t bytes, bool is_careful)
{
	if (!d->entropy)
		d->entropy = malloc(sizeof(*d->entropy));
	return d->entropy && zip_entropy_is_random(d->entropy, past, in, bytes, is_careful);
}

/* Both return HISI_ZIP_ST_OK with *ret_bytes 0 when @room was too small. */
static uint32_t whole_isal(struct zip_deflate *d, unsigned int level, unsigned int hist_bits,
			   const uint8_t *in, size_t bytes, uint8_t *out, size_t room,
			   size_t *ret_bytes)
{
	struct isal_zstream *z = get_isal(d, level);

	if (!z)
		return HISI_ZIP_ST_INTERNAL;
	d->live_piece = 0;
	isal_deflate_stateless_init(z);
	set_isal_level(d, level, hist_bits);
	z->next_in = (uint8_t *)in;
	z->avail_in = (uint32_t)bytes;
	z->next_out = out;
	z->avail_out = (uint32_t)room;
	z->end_of_stream = 1;
	z->flush = NO_FLUSH;
	*ret_bytes = isal_deflate_stateless(z) == COMP_OK ? z->total_out : 0;
	return HISI_ZIP_ST_OK;
}

static uint32_t whole_libdeflate(struct zip_deflate *d, int level, const uint8_t *in, size_t bytes,
				 uint8_t *out, size_t room, size_t *ret_bytes)
{
	/* One compressor at most: those of high levels take megabytes. */
	if (d->libdeflate && d->libdeflate_level != level) {
		libdeflate_free_compressor(d->libdeflate);
		d->libdeflate = NULL;
	}
	if (!d->libdeflate)
		d->libdeflate = libdeflate_alloc_compressor(level);
	if (!d->libdeflate)
		return HISI_ZIP_ST_INTERNAL;
	d->libdeflate_level = level;
	*ret_bytes = libdeflate_deflate_compress(d->libdeflate, in, bytes, out, room);
	return HISI_ZIP_ST_OK;
}

static uint32_t whole_codec(struct zip_deflate *d, const struct codec_choice *c, uint32_t window,
			    const uint8_t *in, size_t bytes, uint8_t *out, size_t room,
			    size_t *ret_bytes)
{
	unsigned int hist_bits = 0;

	if (!c->is_isal)
		return whole_libdeflate(d, c->level, in, bytes, out, room, ret_bytes);
	if (is_window_limiting(window, bytes))
		hist_bits = window_hist_bits(window);
	return whole_isal(d, c->level, hist_bits, in, bytes, out, room, ret_bytes);
}

/* An empty block in the fixed code, shorter than a stored one. */
static uint32_t write_empty_final(uint8_t *out, size_t room, size_t *ret_bytes)
{
	static const uint8_t block[2] = { 0x03, 0x00 };

	if (room < sizeof(block))
		return HISI_ZIP_ST_NO_ROOM;
	memcpy(out, block, sizeof(block));
	*ret_bytes = sizeof(block);
	return HISI_ZIP_ST_OK;
}

static uint32_t write_stored(const uint8_t *in, size_t bytes, bool is_final, uint8_t *out,
			     size_t room, size_t *ret_bytes)
{
	if (room < zip_stored_bytes(bytes))
		return HISI_ZIP_ST_NO_ROOM;
	*ret_bytes = zip_stored_write(out, in, bytes, is_final);
	return HISI_ZIP_ST_OK;
}

/* A finished stream becomes a piece that is not the last; *bytes 0: it was not sound. */
static uint32_t reopen(struct zip_deflate *d, uint8_t *coded, size_t *bytes)
{
	if (!d->join)
		d->join = malloc(sizeof(*d->join));
	if (!d->join)
		return HISI_ZIP_ST_INTERNAL;
	*bytes = zip_join_reopen(d->join, coded, *bytes);
	return *bytes ? HISI_ZIP_ST_OK : HISI_ZIP_ST_INTERNAL;
}

/* Data that is not random, by a codec that starts from nothing; stored if that is smaller. */
static uint32_t code_afresh(struct zip_deflate *d, const struct codec_choice *c, uint32_t window,
			    bool is_final, const uint8_t *in, size_t bytes, uint8_t *out,
			    size_t room, size_t *ret_bytes)
{
	const size_t bound = zip_stored_bytes(bytes), growth = is_final ? 0 : ZIP_JOIN_GROWTH;
	size_t coded_room = base_min_u64(room, bound + CODEC_SLACK);
	uint8_t *coded = out;
	uint32_t status;

	/*
	 * Codecs refuse some outputs that would just have fitted.  With room for
	 * stored blocks these are as good then; with less, it is tried elsewhere.
	 */
	if (room < bound) {
		coded_room = bound + CODEC_SLACK;
		coded = zip_scratch_get(&d->tight, coded_room);
		if (!coded)
			return HISI_ZIP_ST_INTERNAL;
	}
	status = whole_codec(d, c, window, in, bytes, coded, coded_room - growth, ret_bytes);
	if (!status && *ret_bytes && !is_final)
		status = reopen(d, coded, ret_bytes);
	if (status)
		return status;
	if (!*ret_bytes || *ret_bytes > bound)
		return write_stored(in, bytes, is_final, out, room, ret_bytes);
	if (*ret_bytes > room)
		return HISI_ZIP_ST_NO_ROOM;
	if (coded != out)
		memcpy(out, coded, *ret_bytes);
	return HISI_ZIP_ST_OK;
}

uint32_t zip_deflate_whole(struct zip_deflate *d, uint32_t level, uint32_t window,
			   const uint8_t *in, size_t bytes, uint8_t *out, size_t room,
			   size_t *ret_bytes)
{
	const struct codec_choice *c = choose(level, window, bytes, false);

	if (!bytes)
		return write_empty_final(out, room, ret_bytes);
	if (is_random(d, NULL, in, bytes, !c->is_isal))
		return write_stored(in, bytes, true, out, room, ret_bytes);
	return code_afresh(d, c, window, true, in, bytes, out, room, ret_bytes);
}

/* Makes isal ready to follow @history: as it was left, or from the history's bytes. */
static uint32_t resume_isal(struct zip_deflate *d, unsigned int level, unsigned int hist_bits,
			    const struct zip_history *history, const struct zip_past *past)
{
	uint8_t *window;

	if (d->live_piece && d->live_piece == history->piece && d->live_level == level &&
	    d->live_hist_bits == hist_bits && d->isal->total_in < LIVE_BYTES_MAX)
		return HISI_ZIP_ST_OK;
	/* What it was left behind is gone, even should the rest fail. */
	d->live_piece = 0;
	isal_deflate_init(d->isal);
	set_isal_level(d, level, hist_bits);
	if (!history->nr_bytes)
		return HISI_ZIP_ST_OK;
	window = zip_scratch_get(&d->window, ZIP_HISTORY_BYTES);
	if (!window)
		return HISI_ZIP_ST_INTERNAL;
	memcpy(window, past->bytes[0], past->nr_bytes[0]);
	memcpy(window + past->nr_bytes[0], past->bytes[1], past->nr_bytes[1]);
	isal_deflate_set_dict(d->isal, window, history->nr_bytes);
	return HISI_ZIP_ST_OK;
}

static bool is_isal_done(const struct isal_zstream *z, bool is_final)
{
	if (is_final)
		return z->internal_state.state == ZSTATE_END;
	return !z->avail_in && z->internal_state.state == ZSTATE_NEW_HDR;
}

/* Lets isal finish a piece whose output nobody wants, so that the next may follow. */
static bool drain_isal(struct isal_zstream *z, bool is_final)
{
	uint8_t unwanted[4096];

	do {
		z->next_out = unwanted;
		z->avail_out = sizeof(unwanted);
		if (isal_deflate(z) != COMP_OK)
			return false;
		if (is_isal_done(z, is_final))
			return true;
	} while (z->avail_out < sizeof(unwanted));
	return false;
}

/* As whole_isal(); afterwards isal stands behind the piece unless live_piece is 0. */
static uint32_t piece_isal(struct zip_deflate *d, bool is_final, uint64_t piece, const uint8_t *in,
			   size_t bytes, uint8_t *out, size_t room, size_t *ret_bytes)
{
	struct isal_zstream *z = d->isal;
	bool is_done;

	z->next_in = (uint8_t *)in;
	z->avail_in = (uint32_t)bytes;
	z->next_out = out;
	z->avail_out = (uint32_t)room;
	z->end_of_stream = is_final;
	z->flush = is_final ? NO_FLUSH : SYNC_FLUSH;
	is_done = isal_deflate(z) == COMP_OK && is_isal_done(z, is_final);
	*ret_bytes = is_done ? room - z->avail_out : 0;
	if (!is_done)
		is_done = room >= zip_stored_bytes(bytes) && drain_isal(z, is_final);
	d->live_piece = is_done && !is_final ? piece : 0;
	return HISI_ZIP_ST_OK;
}

/* libisal 2.30's level 3 does not look into a dictionary on arm64; its others do. */
static unsigned int level_with_history(unsigned int level, const struct zip_history *history)
{
#ifdef __aarch64__
	return level == 3 && history->nr_bytes ? 2 : level;
#else
	(void)history;
	return level;
#endif
}

/* By libisal, which knows the history. */
static uint32_t piece_continued(struct zip_deflate *d, const struct codec_choice *c,
				uint32_t window, const struct zip_history *history, uint64_t piece,
				bool is_final, const uint8_t *in, size_t bytes, uint8_t *out,
				size_t room, size_t *ret_bytes)
{
	const unsigned int level = level_with_history(c->level, history);
	const unsigned int hist_bits = window_hist_bits(window);
	struct zip_past past;
	uint32_t status;

	split_history(history, &past);
	if (is_random(d, &past, in, bytes, false))
		return write_stored(in, bytes, is_final, out, room, ret_bytes);
	if (!get_isal(d, level))
		return HISI_ZIP_ST_INTERNAL;
	status = resume_isal(d, level, hist_bits, history, &past);
	if (status)
		return status;
	d->live_level = level;
	d->live_hist_bits = hist_bits;
	status = piece_isal(d, is_final, piece, in, bytes, out,
			    base_min_u64(room, zip_stored_bytes(bytes)), ret_bytes);
	if (status || *ret_bytes)
		return status;
	return write_stored(in, bytes, is_final, out, room, ret_bytes);
}

/* By libdeflate, which does not; libisal, if live, stays behind what it compressed. */
static uint32_t piece_joined(struct zip_deflate *d, const struct codec_choice *c, uint32_t window,
			     bool is_final, const uint8_t *in, size_t bytes, uint8_t *out,
			     size_t room, size_t *ret_bytes)
{
	if (is_random(d, NULL, in, bytes, true))
		return write_stored(in, bytes, is_final, out, room, ret_bytes);
	return code_afresh(d, c, window, is_final, in, bytes, out, room, ret_bytes);
}

static uint32_t piece_empty(struct zip_deflate *d, const struct zip_history *history,
			    uint64_t piece, bool is_final, uint8_t *out, size_t room,
			    size_t *ret_bytes)
{
	/* isal, if live, is still behind the same bytes; only the number moves on. */
	if (d->live_piece && d->live_piece == history->piece)
		d->live_piece = is_final ? 0 : piece;
	return is_final ? write_empty_final(out, room, ret_bytes) : HISI_ZIP_ST_OK;
}

uint32_t zip_deflate_piece(struct zip_deflate *d, uint32_t level, uint32_t window,
			   const struct zip_history *history, uint64_t piece, bool is_final,
			   const uint8_t *in, size_t bytes, uint8_t *out, size_t room,
			   size_t *ret_bytes, uint32_t *ret_level)
{
	const struct codec_choice *c = choose(level, window, bytes, true);
	uint32_t status;

	*ret_bytes = 0;
	*ret_level = c->served;
	if (!bytes)
		return piece_empty(d, history, piece, is_final, out, room, ret_bytes);
	if (!c->is_isal) {
		status = piece_joined(d, c, window, is_final, in, bytes, out, room, ret_bytes);
		if (status != HISI_ZIP_ST_INTERNAL)
			return status;
		/* Memory short, or a stream that cannot be joined: libisal needs neither. */
		c = &best_isal;
		*ret_level = c->served;
	}
	return piece_continued(d, c, window, history, piece, is_final, in, bytes, out, room,
			       ret_bytes);
}

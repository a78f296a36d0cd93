/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Inflate of the ZIP engine.  libdeflate serves whole streams (5 to 20 % faster
 * than libisal up to 64 KiB); it tells nothing of a stream that fails, so
 * libisal does those again and says how far it came.  Code sets that leave codes
 * unused libisal takes, where zlib and libdeflate do not: what libdeflate calls
 * bad is bad.
 *
 * libisal decodes streams.  It always decodes ahead of the output into its own
 * buffer, and takes up to 8 bytes more of the input than it uses.  They come
 * back to software in one of two ways: at the stream's end they are not
 * counted as consumed; when the output is full they are counted as not yet
 * consumed although the decoder has them, see struct zip_inflate_state.  That
 * way nothing can be owed to software which it gave in an earlier call, and a
 * full output always leaves a byte to come back with, for software that asks
 * again only if it has input.
 */
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "chip/qm/zip_inflate.h"

#define INFLATE_RATIO_MAX 1032u /* 258 bytes in two bits */

void zip_inflate_fini(struct zip_inflate *f)
{
	if (f->libdeflate)
		libdeflate_free_decompressor(f->libdeflate);
	free(f->isal);
	f->libdeflate = NULL;
	f->isal = NULL;
}

static bool is_trailer_right(uint32_t format, uint32_t sum, uint32_t isize, const uint8_t *trailer)
{
	uint8_t right[ZIP_TRAILER_MAX];

	zip_trailer_write(right, format, sum, isize);
	return !memcmp(right, trailer, zip_trailer_bytes(format));
}

/*
 * Most of the time goes into the symbols: 5 to 6 ns per byte of compressed
 * programs and text.  What few symbols say at length is but copied, at an eighth
 * of a nanosecond per byte.  Room that no such input can fill takes no time.
 */
uint64_t zip_inflate_ns(uint32_t bytes, uint32_t room)
{
	uint64_t most = base_min_u64(room, HISI_ZIP_FLAT_MAX);

	return 6ull * bytes + base_min_u64((uint64_t)bytes * INFLATE_RATIO_MAX, most) / 8;
}

/* As far as the stream goes, good or bad. */
static uint32_t whole_isal(struct zip_inflate *f, const uint8_t *in, size_t bytes, uint8_t *out,
			   size_t room, struct zip_answer *a)
{
	struct inflate_state *z;
	int ret;

	if (!f->isal)
		f->isal = calloc(1, sizeof(*f->isal));
	z = f->isal;
	if (!z)
		return HISI_ZIP_ST_INTERNAL;
	isal_inflate_init(z);
	z->next_in = (uint8_t *)in;
	z->avail_in = (uint32_t)bytes;
	z->next_out = out;
	z->avail_out = (uint32_t)room;
	ret = isal_inflate_stateless(z);
	a->consumed = (uint32_t)base_min_u64((size_t)(z->next_in - in), bytes);
	a->produced = (uint32_t)(z->next_out - out);
	a->is_last_block = ret == ISAL_DECOMP_OK;
	if (ret == ISAL_OUT_OVERFLOW)
		return HISI_ZIP_ST_NO_ROOM;
	return ret == ISAL_DECOMP_OK ? HISI_ZIP_ST_OK : HISI_ZIP_ST_BAD_DATA;
}

static uint32_t whole_codec(struct zip_inflate *f, const uint8_t *in, size_t bytes, uint8_t *out,
			    size_t room, struct zip_answer *a)
{
	enum libdeflate_result result;
	size_t used, made;
	uint32_t status;

	if (!f->libdeflate)
		f->libdeflate = libdeflate_alloc_decompressor();
	if (!f->libdeflate)
		return HISI_ZIP_ST_INTERNAL;
	result =
		libdeflate_deflate_decompress_ex(f->libdeflate, in, bytes, out, room, &used, &made);
	if (result != LIBDEFLATE_SUCCESS) {
		status = whole_isal(f, in, bytes, out, room, a);
		return result == LIBDEFLATE_BAD_DATA && !status ? HISI_ZIP_ST_BAD_DATA : status;
	}
	a->consumed = (uint32_t)used;
	a->produced = (uint32_t)made;
	a->is_last_block = true;
	return HISI_ZIP_ST_OK;
}

uint32_t zip_inflate_whole(struct zip_inflate *f, uint32_t format, const uint8_t *in, size_t bytes,
			   uint8_t *out, size_t room, struct zip_answer *a)
{
	const uint32_t trailer_bytes = zip_trailer_bytes(format);
	uint32_t status = whole_codec(f, in, bytes, out, room, a);
	uint32_t sum;

	if (status)
		return status;
	sum = zip_sum_update(format, zip_sum_init(format), out, a->produced);
	a->isize = a->produced;
	a->checksum = zip_sum_to_word(format, sum);
	a->has_sums = true;
	if (bytes - a->consumed < trailer_bytes)
		return HISI_ZIP_ST_BAD_DATA;
	in += a->consumed;
	a->consumed += trailer_bytes;
	return is_trailer_right(format, sum, a->produced, in) ? HISI_ZIP_ST_OK :
								HISI_ZIP_ST_BAD_CHECKSUM;
}

void zip_inflate_state_init(struct zip_inflate_state *s, uint32_t format)
{
	/* The codec's tables are written before they are read; only the rest needs it. */
	memset(s, 0, offsetof(struct zip_inflate_state, isal));
	isal_inflate_init(&s->isal);
	s->format = format;
	s->sum = zip_sum_init(format);
}

/* Whole bytes that the decoder has taken and not used. */
static uint32_t unused_bytes(const struct inflate_state *z)
{
	return z->read_in_length > 0 ? (uint32_t)z->read_in_length / 8 : 0;
}

/* The final block is decoded: what was read beyond it belongs to the trailer or to nobody. */
static void enter_trailer(struct zip_inflate_state *s)
{
	struct inflate_state *z = &s->isal;
	uint32_t nr = unused_bytes(z);
	uint64_t bits = nr ? z->read_in >> z->read_in_length % 8 : 0;

	s->is_in_trailer = true;
	s->taken -= nr;
	while (nr && s->trailer_bytes < zip_trailer_bytes(s->format)) {
		s->trailer[s->trailer_bytes++] = (uint8_t)bits;
		s->taken++;
		bits >>= 8;
		nr--;
	}
}

static void take_trailer(struct zip_inflate_state *s, const uint8_t *in, size_t bytes)
{
	size_t n = base_min_u64(bytes, zip_trailer_bytes(s->format) - s->trailer_bytes);

	memcpy(s->trailer + s->trailer_bytes, in, n);
	s->trailer_bytes += (uint32_t)n;
	s->taken += n;
}

/* How far software may be told that its input is consumed. */
static uint64_t position_to_tell(const struct zip_inflate_state *s, bool is_full)
{
	uint32_t back = unused_bytes(&s->isal);

	if (s->is_in_trailer || !is_full)
		return s->taken;
	return s->taken - base_min_u64(s->taken, back ? back : 1);
}

/* Decodes into @out as far as input and room go; false for bad data. */
static bool decode(struct zip_inflate_state *s, const uint8_t *in, size_t bytes, uint8_t *out,
		   size_t room)
{
	struct inflate_state *z = &s->isal;
	size_t left;

	z->next_in = (uint8_t *)in;
	z->avail_in = s->is_in_trailer ? 0 : (uint32_t)bytes;
	z->next_out = out;
	z->avail_out = (uint32_t)room;
	if (isal_inflate(z) != ISAL_DECOMP_OK)
		return false;
	left = s->is_in_trailer ? bytes : z->avail_in;
	s->taken += bytes - left;
	if (!s->is_in_trailer &&
	    (z->block_state == ISAL_BLOCK_INPUT_DONE || z->block_state == ISAL_BLOCK_FINISH))
		enter_trailer(s);
	if (s->is_in_trailer)
		take_trailer(s, in + (bytes - left), left);
	return true;
}

uint32_t zip_inflate_piece(struct zip_inflate_state *s, const uint8_t *in, size_t bytes,
			   uint8_t *out, size_t room, struct zip_answer *a)
{
	const size_t skip = base_min_u64(bytes, s->taken > s->told ? s->taken - s->told : 0);
	const bool is_good = decode(s, in + skip, bytes - skip, out, room);
	const size_t made = room - s->isal.avail_out;
	bool is_delivered;
	uint64_t tell;

	a->produced = (uint32_t)made;
	if (!is_good)
		return HISI_ZIP_ST_BAD_DATA;
	is_delivered = s->isal.block_state == ISAL_BLOCK_FINISH;
	s->sum = zip_sum_update(s->format, s->sum, out, made);
	s->isize += (uint32_t)made;
	tell = position_to_tell(s, !is_delivered && !s->isal.avail_out);
	if (tell > s->told) {
		a->consumed = (uint32_t)base_min_u64(tell - s->told, bytes);
		s->told += a->consumed;
	}
	a->isize = s->isize;
	a->checksum = zip_sum_to_word(s->format, s->sum);
	a->has_sums = true;
	a->is_last_block = s->is_in_trailer;
	if (!is_delivered && !s->isal.avail_out)
		a->ctx_dw0 = (s->is_in_trailer ? HISI_ZIP_CTX_ST_END_FULL : HISI_ZIP_CTX_ST_FULL) |
			     (s->isal.bfinal ? HISI_ZIP_CTX_BFINAL : 0);
	/* Not the end while software still holds bytes that belong to the stream. */
	if (!is_delivered || s->trailer_bytes < zip_trailer_bytes(s->format) || s->told < s->taken)
		return HISI_ZIP_ST_OK;
	return is_trailer_right(s->format, s->sum, s->isize, s->trailer) ? HISI_ZIP_ST_END :
									   HISI_ZIP_ST_BAD_CHECKSUM;
}

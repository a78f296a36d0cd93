/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* Reads compressed output with the judge; see diff_decode.h. */
#include <string.h>

#include "diff_decode.h"

#define CHUNK	    65536u
#define CHUNK_SMALL 256u

static const Bytef no_bytes[1];

int wrap_window_bits(enum wrap wrap, int window_bits)
{
	return wrap == WRAP_RAW ? -window_bits : wrap == WRAP_GZIP ? window_bits + 16 : window_bits;
}

void decoder_open(struct run *run, struct decoder *d, enum wrap wrap, int window_bits)
{
	memset(d, 0, sizeof(*d));
	/* zlib's deflate makes windows of 8 bits into those of 9. */
	d->window_bits = window_bits == 8 ? 9 : window_bits;
	d->wrap = wrap;
	if (run->api[JUDGE]->inflateInit2_(&d->strm, wrap_window_bits(wrap, d->window_bits),
					   ZLIB_VERSION, (int)sizeof(d->strm)))
		diff_fail(run, "no decoder");
	d->is_open = true;
}

void decoder_close(struct run *run, struct decoder *d)
{
	if (d->is_open)
		run->api[JUDGE]->inflateEnd(&d->strm);
	d->is_open = false;
}

void decoder_restart(struct run *run, struct decoder *d)
{
	run->api[JUDGE]->inflateReset(&d->strm);
	d->fed = 0;
	d->said = 0;
	d->is_ended = false;
}

void decoder_copy(struct run *run, struct decoder *to, struct decoder *from)
{
	*to = *from;
	if (run->api[JUDGE]->inflateCopy(&to->strm, &from->strm))
		diff_fail(run, "no copy of the decoder");
}

void decoder_preset(struct run *run, struct decoder *d, const struct grown *dictionary)
{
	const Bytef *bytes = dictionary->nr ? dictionary->bytes : no_bytes;

	if (run->api[JUDGE]->inflateSetDictionary(&d->strm, bytes, (uInt)dictionary->nr))
		diff_fail(run, "the output does not take its dictionary");
}

/* Decodes a piece and compares it; the return of inflate(). */
static int decode_piece(struct run *run, struct decoder *d, const uint8_t *data, size_t bytes)
{
	static Bytef buf[CHUNK];
	/* Small pieces, so that distances beyond a small window are seen. */
	uInt room = d->window_bits < 15 ? CHUNK_SMALL : CHUNK;
	size_t nr;
	int ret;

	d->strm.next_out = buf;
	d->strm.avail_out = room;
	ret = run->api[JUDGE]->inflate(&d->strm, Z_NO_FLUSH);
	nr = room - d->strm.avail_out;
	if (nr > bytes - d->said || (nr && memcmp(buf, data + d->said, nr) != 0))
		diff_fail(run,
			  "the output decodes to something else, in the %zu bytes from %zu on, "
			  "of %zu",
			  nr, d->said, bytes);
	d->said += nr;
	return ret;
}

void decoder_feed(struct run *run, struct decoder *d, const struct grown *out,
		  const struct grown *dictionary, const uint8_t *data, size_t bytes)
{
	int ret = Z_OK;

	if (out->nr == d->fed)
		return;
	if (d->is_ended)
		diff_fail(run, "the output goes on after its end");
	d->strm.next_in = out->bytes + d->fed;
	d->strm.avail_in = (uInt)(out->nr - d->fed);
	do {
		ret = decode_piece(run, d, data, bytes);
		if (ret == Z_NEED_DICT) {
			decoder_preset(run, d, dictionary);
			ret = Z_OK;
		}
	} while (ret == Z_OK && (d->strm.avail_in || d->strm.avail_out == 0));
	if (ret != Z_OK && ret != Z_BUF_ERROR && ret != Z_STREAM_END)
		diff_fail(run, "the output does not decode: %d, %s, at byte %zu of %zu", ret,
			  d->strm.msg ? d->strm.msg : "", out->nr - d->strm.avail_in, out->nr);
	if (d->strm.avail_in)
		diff_fail(run, "the output has %u bytes behind its end", d->strm.avail_in);
	d->is_ended = ret == Z_STREAM_END;
	d->fed = out->nr;
}

void decode_from_flush(struct run *run, const struct grown *out, size_t at, int window_bits,
		       const uint8_t *data, size_t bytes)
{
	struct decoder d;
	int ret;

	decoder_open(run, &d, WRAP_RAW, window_bits);
	d.strm.next_in = out->bytes + at;
	d.strm.avail_in = (uInt)(out->nr - at);
	do {
		ret = decode_piece(run, &d, data, bytes);
	} while (ret == Z_OK && (d.strm.avail_in || d.strm.avail_out == 0));
	if (ret != Z_STREAM_END || d.said != bytes)
		diff_fail(run, "behind the full flush at %zu it decodes %zu of %zu bytes (%d, %s)",
			  at, d.said, bytes, ret, d.strm.msg ? d.strm.msg : "");
	decoder_close(run, &d);
}

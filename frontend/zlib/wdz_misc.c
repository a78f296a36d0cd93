/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Checksums, names, bounds and inflateBack(), whose window is the program's and
 * whose input comes in pieces: the system's zlib does them.  And whole buffers
 * in one call, which are zlib's calls in a row.
 */
#include <stdlib.h>

#include "wdz_queue.h"
#include "wdz_system.h"

uLong adler32(uLong adler, const Bytef *buf, uInt len)
{
	return wdz_system()->adler32(adler, buf, len);
}

uLong adler32_z(uLong adler, const Bytef *buf, z_size_t len)
{
	return wdz_system()->adler32_z(adler, buf, len);
}

uLong adler32_combine(uLong adler1, uLong adler2, z_off_t len2)
{
	return wdz_system()->adler32_combine(adler1, adler2, len2);
}

uLong adler32_combine64(uLong adler1, uLong adler2, z_off64_t len2)
{
	return wdz_system()->adler32_combine64(adler1, adler2, len2);
}

uLong crc32(uLong crc, const Bytef *buf, uInt len)
{
	return wdz_system()->crc32(crc, buf, len);
}

uLong crc32_z(uLong crc, const Bytef *buf, z_size_t len)
{
	return wdz_system()->crc32_z(crc, buf, len);
}

uLong crc32_combine(uLong crc1, uLong crc2, z_off_t len2)
{
	return wdz_system()->crc32_combine(crc1, crc2, len2);
}

uLong crc32_combine64(uLong crc1, uLong crc2, z_off64_t len2)
{
	return wdz_system()->crc32_combine64(crc1, crc2, len2);
}

uLong crc32_combine_gen(z_off_t len2)
{
	return wdz_system()->crc32_combine_gen(len2);
}

uLong crc32_combine_gen64(z_off64_t len2)
{
	return wdz_system()->crc32_combine_gen64(len2);
}

uLong crc32_combine_op(uLong crc1, uLong crc2, uLong op)
{
	return wdz_system()->crc32_combine_op(crc1, crc2, op);
}

const z_crc_t *get_crc_table(void)
{
	return wdz_system()->get_crc_table();
}

const char *zError(int err)
{
	return wdz_system()->zError(err);
}

uLong zlibCompileFlags(void)
{
	return wdz_system()->zlibCompileFlags();
}

const char *zlibVersion(void)
{
	return wdz_system()->zlibVersion();
}

uLong compressBound(uLong sourceLen)
{
	return wdz_system()->compressBound(sourceLen);
}

int inflateBackInit_(z_streamp strm, int windowBits, unsigned char *window, const char *version,
		     int stream_size)
{
	/* It calls none of ours, but what follows may: there is nothing noted of it. */
	if (strm && stream_size == (int)sizeof(*strm))
		strm->reserved = 0;
	return wdz_system()->inflateBackInit_(strm, windowBits, window, version, stream_size);
}

int inflateBack(z_streamp strm, in_func in, void *in_desc, out_func out, void *out_desc)
{
	return wdz_system()->inflateBack(strm, in, in_desc, out, out_desc);
}

int inflateBackEnd(z_streamp strm)
{
	return wdz_system()->inflateBackEnd(strm);
}

/* The next part of a size that may not fit zlib's unsigned int. */
static uInt part(uLong *left)
{
	const uInt max = (uInt)-1;
	uInt n = *left > max ? max : (uInt)*left;

	*left -= n;
	return n;
}

/*
 * Too little for a queue: zlib's own streams, and some are kept, since to open one
 * costs more than such a buffer.
 */
struct small_stream {
	z_stream z;
	int level; /* deflate */
};

#define SMALL_STREAMS_KEPT 2
#define SMALL_MAX	   65536u /* whatever the settings say: one call is to do it */

static struct small_stream *idle_deflate[SMALL_STREAMS_KEPT];
static struct small_stream *idle_inflate[SMALL_STREAMS_KEPT];

static struct small_stream *small_take(struct small_stream **places)
{
	struct small_stream *s;
	int i;

	for (i = 0; i < SMALL_STREAMS_KEPT; i++) {
		/* Acquires what who gave it back wrote. */
		s = __atomic_exchange_n(&places[i], NULL, __ATOMIC_ACQUIRE);
		if (s)
			return s;
	}
	return NULL;
}

static bool small_keep(struct small_stream **places, struct small_stream *s)
{
	int i;

	for (i = 0; i < SMALL_STREAMS_KEPT; i++) {
		struct small_stream *none = NULL;

		/* Releases it to the next that takes it. */
		if (__atomic_compare_exchange_n(&places[i], &none, s, false, __ATOMIC_RELEASE,
						__ATOMIC_RELAXED))
			return true;
	}
	return false;
}

static int small_deflate_open(int level, struct small_stream **ret_stream)
{
	const struct wdz_system *z = wdz_system();
	struct small_stream *s = small_take(idle_deflate);
	int err;

	if (s) {
		z->deflateReset(&s->z);
		s->z.avail_in = s->z.avail_out = 0;
		if (s->level != level)
			z->deflateParams(&s->z, level, Z_DEFAULT_STRATEGY);
	} else {
		s = calloc(1, sizeof(*s));
		if (!s)
			return Z_MEM_ERROR;
		err = z->deflateInit2_(&s->z, level, Z_DEFLATED, MAX_WBITS, 8, Z_DEFAULT_STRATEGY,
				       ZLIB_VERSION, (int)sizeof(s->z));
		if (err) {
			free(s);
			return err;
		}
	}
	s->level = level;
	*ret_stream = s;
	return Z_OK;
}

static int compress_small(Bytef *dest, uLongf *destLen, const Bytef *source, uLong sourceLen,
			  int level)
{
	const uLong room = *destLen;
	struct small_stream *s;
	int err;

	*destLen = 0;
	err = small_deflate_open(level, &s);
	if (err)
		return err;
	s->z.next_out = dest;
	s->z.avail_out = room > (uInt)-1 ? (uInt)-1 : (uInt)room;
	s->z.next_in = (z_const Bytef *)source;
	s->z.avail_in = (uInt)sourceLen;
	do {
		err = wdz_system()->deflate(&s->z, Z_FINISH);
	} while (err == Z_OK);
	*destLen = s->z.total_out;
	if (!small_keep(idle_deflate, s)) {
		wdz_system()->deflateEnd(&s->z);
		free(s);
	}
	return err == Z_STREAM_END ? Z_OK : err;
}

int compress2(Bytef *dest, uLongf *destLen, const Bytef *source, uLong sourceLen, int level)
{
	uLong left = *destLen;
	z_stream stream;
	int err;

	if (level >= Z_DEFAULT_COMPRESSION && level <= Z_BEST_COMPRESSION &&
	    sourceLen <= SMALL_MAX && sourceLen < wdz_deflate_min(wdz_settings()))
		return compress_small(dest, destLen, source, sourceLen, level);
	*destLen = 0;
	stream.zalloc = Z_NULL;
	stream.zfree = Z_NULL;
	stream.opaque = Z_NULL;
	err = deflateInit_(&stream, level, ZLIB_VERSION, (int)sizeof(stream));
	if (err != Z_OK)
		return err;
	stream.next_out = dest;
	stream.avail_out = 0;
	stream.next_in = (z_const Bytef *)source;
	stream.avail_in = 0;
	do {
		if (!stream.avail_out)
			stream.avail_out = part(&left);
		if (!stream.avail_in)
			stream.avail_in = part(&sourceLen);
		err = deflate(&stream, sourceLen ? Z_NO_FLUSH : Z_FINISH);
	} while (err == Z_OK);
	*destLen = stream.total_out;
	deflateEnd(&stream);
	return err == Z_STREAM_END ? Z_OK : err;
}

int compress(Bytef *dest, uLongf *destLen, const Bytef *source, uLong sourceLen)
{
	return compress2(dest, destLen, source, sourceLen, Z_DEFAULT_COMPRESSION);
}

static int uncompress_stream(z_stream *stream, uLong *room, uLong *left)
{
	int err;

	do {
		if (!stream->avail_out)
			stream->avail_out = part(room);
		if (!stream->avail_in)
			stream->avail_in = part(left);
		/* What is all there is said to be: nothing is kept for a next call. */
		err = inflate(stream, *left || *room ? Z_NO_FLUSH : Z_FINISH);
	} while (err == Z_OK);
	return err;
}

/* zlib's stream, with @left bytes or fewer than a queue is for.  As uncompress_whole(). */
static int uncompress_small(Bytef *dest, uLong *room, const Bytef *source, uLong *left,
			    uLong *ret_total, uLong *ret_unused)
{
	const struct wdz_system *z = wdz_system();
	struct small_stream *s = small_take(idle_inflate);
	int err = Z_OK;

	if (s) {
		z->inflateReset(&s->z);
	} else {
		s = calloc(1, sizeof(*s));
		if (!s)
			return Z_MEM_ERROR;
		err = z->inflateInit2_(&s->z, MAX_WBITS, ZLIB_VERSION, (int)sizeof(s->z));
		if (err) {
			free(s);
			return err;
		}
	}
	s->z.next_in = (z_const Bytef *)source;
	s->z.avail_in = part(left);
	s->z.next_out = dest;
	s->z.avail_out = part(room);
	do {
		err = z->inflate(&s->z, Z_FINISH);
	} while (err == Z_OK);
	*ret_total = s->z.total_out;
	*ret_unused = s->z.avail_in;
	*room += s->z.avail_out;
	if (!small_keep(idle_inflate, s)) {
		z->inflateEnd(&s->z);
		free(s);
	}
	return err;
}

/* Adds what was left of @room to it; what of the input was not used goes to *ret_unused. */
static int uncompress_whole(Bytef *dest, uLong *room, const Bytef *source, uLong *left,
			    uLong *ret_total, uLong *ret_unused)
{
	z_stream stream;
	int err;

	stream.next_in = (z_const Bytef *)source;
	stream.avail_in = 0;
	stream.zalloc = Z_NULL;
	stream.zfree = Z_NULL;
	stream.opaque = Z_NULL;
	err = inflateInit_(&stream, ZLIB_VERSION, (int)sizeof(stream));
	if (err != Z_OK)
		return err;
	stream.next_out = dest;
	stream.avail_out = 0;
	err = uncompress_stream(&stream, room, left);
	*ret_total = stream.total_out;
	*ret_unused = stream.avail_in;
	*room += stream.avail_out;
	inflateEnd(&stream);
	return err;
}

int uncompress2(Bytef *dest, uLongf *destLen, const Bytef *source, uLong *sourceLen)
{
	uLong left = *sourceLen, room = *destLen, total = 0, unused = 0;
	Byte nothing[1]; /* where there is no room: is the stream an empty one? */
	int err;

	if (room) {
		*destLen = 0;
	} else {
		room = 1;
		dest = nothing;
	}
	if (left <= SMALL_MAX && left < wdz_inflate_min(wdz_settings()) && room <= (uInt)-1)
		err = uncompress_small(dest, &room, source, &left, &total, &unused);
	else
		err = uncompress_whole(dest, &room, source, &left, &total, &unused);
	if (err == Z_MEM_ERROR)
		return err;
	*sourceLen -= left + unused;
	if (dest != nothing)
		*destLen = total;
	else if (total && err == Z_BUF_ERROR)
		room = 1;
	if (err == Z_STREAM_END)
		return Z_OK;
	/* Cut short, if it was not the room that ended. */
	if (err == Z_NEED_DICT || (err == Z_BUF_ERROR && room))
		return Z_DATA_ERROR;
	return err;
}

int uncompress(Bytef *dest, uLongf *destLen, const Bytef *source, uLong sourceLen)
{
	return uncompress2(dest, destLen, source, &sourceLen);
}

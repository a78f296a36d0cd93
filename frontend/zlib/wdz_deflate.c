/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * zlib's deflate calls.  A stream that may gain by a queue gets a handle of ours,
 * and then header, trailer, sums and return codes are made here as zlib 1.2.13
 * makes them, and the blocks in wdz_body.c.  Every other stream is zlib's own
 * from the start, and its calls only pass through.
 *
 * A program's own allocators are called as zlib calls them: the raw stream is
 * opened at once with them.  With none given it is opened when it is needed.
 */
#include <stdlib.h>
#include <string.h>

#include "wdz_deflate.h"

static const int mem_level_default = 8;
static const int level_default = 6;

static struct wdz_deflate *own(z_streamp strm)
{
	return (struct wdz_deflate *)(void *)wdz_own(strm);
}

/* Our own stream, used where it was opened. */
static bool is_sound(const struct wdz_deflate *d, z_streamp strm)
{
	return d->head.strm == strm;
}

/* zlib turns it once the trailer is made, and some calls see that. */
static int wrap_now(const struct wdz_deflate *d)
{
	return d->has_trailer ? -d->wrap : d->wrap;
}

/* As zlib says it. */
static int refuse(z_streamp strm, int err)
{
	strm->msg = (z_const char *)(uintptr_t)wdz_system()->zError(err);
	return err;
}

/* ---------------------------------------------------------------- open */

/* What zlib fills in where a program gives none; ours tell that it gave none. */
static voidpf plain_alloc(voidpf opaque, uInt items, uInt size)
{
	(void)opaque;
	return malloc((size_t)items * size);
}

static void plain_free(voidpf opaque, voidpf address)
{
	(void)opaque;
	free(address);
}

static bool is_plain(z_streamp strm)
{
	return !strm->zalloc || strm->zalloc == plain_alloc;
}

static void set_out(struct wdz_deflate *d, z_streamp strm)
{
	strm->total_in = strm->total_out = 0;
	strm->msg = NULL;
	strm->data_type = Z_UNKNOWN;
	d->sum = d->wrap != 2;
	strm->adler = d->sum;
	d->status = WDZ_INIT;
	d->last_flush = -2;
	d->has_trailer = d->has_dictionary = false;
}

/* Of a stream that is all right: whether a handle of ours may do it. */
static bool is_for_us(z_streamp strm, int level, int method, int window_bits, int mem_level,
		      int strategy, const char *version, int stream_size)
{
	if (!strm || !version || version[0] != ZLIB_VERSION[0] || stream_size != sizeof(*strm))
		return false;
	if (method != Z_DEFLATED || level < 0 || level > 9 || mem_level < 1 || mem_level > 9)
		return false;
	if (window_bits != -MAX_WBITS && window_bits != MAX_WBITS && window_bits != MAX_WBITS + 16)
		return false;
	return wdz_may_deflate(wdz_settings(), level, window_bits, mem_level, strategy);
}

static int open_stream(z_streamp strm, int level, int method, int windowBits, int memLevel,
		       int strategy, const char *version, int stream_size)
{
	const int wanted = level == Z_DEFAULT_COMPRESSION ? level_default : level;
	struct wdz_deflate *d = NULL;
	int err;

	if (is_for_us(strm, wanted, method, windowBits, memLevel, strategy, version, stream_size))
		d = calloc(1, sizeof(*d));
	if (!d)
		return wdz_system()->deflateInit2_(strm, level, method, windowBits, memLevel,
						   strategy, version, stream_size);
	d->head.strm = strm;
	d->head.tag = wdz_tag(&d->head);
	d->wrap = windowBits < 0 ? 0 : windowBits > MAX_WBITS ? 2 : 1;
	d->level = d->zlib_level = wanted;
	d->strategy = d->zlib_strategy = strategy;
	d->mem_level = memLevel;
	strm->msg = NULL;
	if (is_plain(strm)) {
		strm->zalloc = plain_alloc;
		strm->opaque = NULL;
		if (!strm->zfree)
			strm->zfree = plain_free;
	} else {
		d->zlib.zalloc = strm->zalloc;
		d->zlib.zfree = strm->zfree;
		d->zlib.opaque = strm->opaque;
		err = wdz_system()->deflateInit2_(&d->zlib, wanted, method, -MAX_WBITS, memLevel,
						  strategy, version, stream_size);
		strm->zfree = d->zlib.zfree;
		if (err) {
			strm->msg = d->zlib.msg;
			strm->state = NULL;
			free(d);
			return err;
		}
		d->has_zlib = true;
	}
	strm->state = (struct internal_state *)(void *)d;
	wdz_body_reset(d);
	set_out(d, strm);
	return Z_OK;
}

/*
 * A program may have found zlib itself by dlopen(), beside us.  Its deflateInit_()
 * calls deflateInit2_() by name, which is ours where we were preloaded; but its
 * deflate() is what comes next, and takes only a stream of its own.
 */
static bool is_for_zlib_itself(const void *caller, int window_bits, int mem_level, int strategy)
{
#ifdef __x86_64__
	(void)window_bits;
	(void)mem_level;
	(void)strategy;
	return wdz_system_is_init(caller);
#else
	/* It may have jumped here, and left no trace but what it asks for. */
	(void)caller;
	return window_bits == MAX_WBITS && mem_level == mem_level_default && !strategy;
#endif
}

int deflateInit2_(z_streamp strm, int level, int method, int windowBits, int memLevel, int strategy,
		  const char *version, int stream_size)
{
	if (is_for_zlib_itself(__builtin_return_address(0), windowBits, memLevel, strategy))
		return wdz_system()->deflateInit2_(strm, level, method, windowBits, memLevel,
						   strategy, version, stream_size);
	return open_stream(strm, level, method, windowBits, memLevel, strategy, version,
			   stream_size);
}

int deflateInit_(z_streamp strm, int level, const char *version, int stream_size)
{
	return open_stream(strm, level, Z_DEFLATED, MAX_WBITS, mem_level_default,
			   Z_DEFAULT_STRATEGY, version, stream_size);
}

int deflateReset(z_streamp strm)
{
	struct wdz_deflate *d = own(strm);

	if (!d)
		return wdz_system()->deflateReset(strm);
	if (!is_sound(d, strm))
		return Z_STREAM_ERROR;
	wdz_body_reset(d);
	set_out(d, strm);
	return Z_OK;
}

int deflateResetKeep(z_streamp strm)
{
	struct wdz_deflate *d = own(strm);
	size_t nr_history;
	int err;

	if (!d)
		return wdz_system()->deflateResetKeep(strm);
	if (!is_sound(d, strm))
		return Z_STREAM_ERROR;
	err = wdz_body_reset_keep(d);
	if (err)
		return err;
	set_out(d, strm);
	/* zlib's header says so then, and gives the sum of nothing. */
	wdz_body_history(d, NULL, &nr_history);
	d->has_dictionary = nr_history;
	d->dictionary_sum = 1;
	return Z_OK;
}

int deflateEnd(z_streamp strm)
{
	struct wdz_deflate *d = own(strm);
	bool is_cut;

	if (!d)
		return wdz_system()->deflateEnd(strm);
	if (!is_sound(d, strm))
		return Z_STREAM_ERROR;
	is_cut = d->status == WDZ_BUSY;
	if (d->has_zlib) {
		int err = wdz_system()->deflateEnd(&d->zlib);

		if (d->body == WDZ_BODY_ZLIB && d->is_zlib_finishing && d->in.at == d->in.end)
			is_cut = is_cut && err;
	}
	wdz_body_free(d);
	d->head.tag = 0;
	free(d);
	strm->state = NULL;
	return is_cut ? Z_DATA_ERROR : Z_OK;
}

int deflateCopy(z_streamp dest, z_streamp source)
{
	struct wdz_deflate *d = own(source), *copy;

	if (!d)
		return wdz_system()->deflateCopy(dest, source);
	if (!is_sound(d, source) || !dest)
		return Z_STREAM_ERROR;
	*dest = *source;
	dest->state = NULL; /* safe to be ended, should it come to nothing */
	copy = malloc(sizeof(*copy));
	if (!copy)
		return Z_MEM_ERROR;
	*copy = *d;
	if (wdz_body_copy(copy, d)) {
		free(copy);
		return Z_MEM_ERROR;
	}
	copy->head.strm = dest;
	copy->head.tag = wdz_tag(&copy->head);
	dest->state = (struct internal_state *)(void *)copy;
	return Z_OK;
}

/* ---------------------------------------------------------------- header and trailer */

static int put_zlib_header(struct wdz_deflate *d, z_streamp strm)
{
	unsigned int header = (Z_DEFLATED + ((MAX_WBITS - 8) << 4)) << 8;
	uint8_t bytes[6];

	if (d->strategy >= Z_HUFFMAN_ONLY || d->level < 2)
		header |= 0 << 6;
	else if (d->level < 6)
		header |= 1 << 6;
	else
		header |= (d->level == 6 ? 2 : 3) << 6;
	if (d->has_dictionary)
		header |= 0x20;
	header += 31 - header % 31;
	bytes[0] = (uint8_t)(header >> 8);
	bytes[1] = (uint8_t)header;
	bytes[2] = (uint8_t)(d->dictionary_sum >> 24);
	bytes[3] = (uint8_t)(d->dictionary_sum >> 16);
	bytes[4] = (uint8_t)(d->dictionary_sum >> 8);
	bytes[5] = (uint8_t)d->dictionary_sum;
	return wdz_output_put(d, strm, bytes, d->has_dictionary ? 6 : 2);
}

static uint8_t gzip_xfl(const struct wdz_deflate *d)
{
	if (d->level == 9)
		return 2;
	return d->strategy >= Z_HUFFMAN_ONLY || d->level < 2 ? 4 : 0;
}

/* A string with its end, or nothing. */
static size_t append_string(uint8_t *to, const Bytef *string)
{
	size_t n = string ? strlen((const char *)string) + 1 : 0;

	if (n)
		memcpy(to, string, n);
	return n;
}

/* What deflateSetHeader() was given. */
static int put_given_header(struct wdz_deflate *d, z_streamp strm)
{
	const gz_header *h = d->gz_header;
	const size_t nr_extra = h->extra ? h->extra_len & 0xffff : 0;
	size_t n = 10 + 2 + nr_extra + 2;
	uint8_t *bytes;
	uint32_t crc;
	int err;

	n += h->name ? strlen((const char *)h->name) + 1 : 0;
	n += h->comment ? strlen((const char *)h->comment) + 1 : 0;
	bytes = malloc(n);
	if (!bytes)
		return Z_MEM_ERROR;
	bytes[0] = 0x1f;
	bytes[1] = 0x8b;
	bytes[2] = Z_DEFLATED;
	bytes[3] = (uint8_t)((h->text ? 1 : 0) + (h->hcrc ? 2 : 0) + (h->extra ? 4 : 0) +
			     (h->name ? 8 : 0) + (h->comment ? 16 : 0));
	bytes[4] = (uint8_t)h->time;
	bytes[5] = (uint8_t)(h->time >> 8);
	bytes[6] = (uint8_t)(h->time >> 16);
	bytes[7] = (uint8_t)(h->time >> 24);
	bytes[8] = gzip_xfl(d);
	bytes[9] = (uint8_t)h->os;
	n = 10;
	if (h->extra) {
		bytes[n++] = (uint8_t)nr_extra;
		bytes[n++] = (uint8_t)(nr_extra >> 8);
		memcpy(bytes + n, h->extra, nr_extra);
		n += nr_extra;
	}
	n += append_string(bytes + n, h->name);
	n += append_string(bytes + n, h->comment);
	if (h->hcrc) {
		crc = wdz_crc32(0, bytes, n);
		bytes[n++] = (uint8_t)crc;
		bytes[n++] = (uint8_t)(crc >> 8);
	}
	err = wdz_output_put(d, strm, bytes, n);
	free(bytes);
	return err;
}

static int put_gzip_header(struct wdz_deflate *d, z_streamp strm)
{
	const uint8_t plain[10] = { 0x1f, 0x8b, Z_DEFLATED, [8] = gzip_xfl(d), [9] = 3 /* Unix */ };

	return d->gz_header ? put_given_header(d, strm) :
			      wdz_output_put(d, strm, plain, sizeof(plain));
}

static int put_header(struct wdz_deflate *d, z_streamp strm)
{
	int err = Z_OK;

	if (d->wrap == 1)
		err = put_zlib_header(d, strm);
	else if (d->wrap == 2)
		err = put_gzip_header(d, strm);
	if (err)
		return err;
	if (d->wrap) {
		d->sum = d->wrap == 1;
		strm->adler = d->sum;
	}
	d->status = WDZ_BUSY;
	d->counts.n[WD_FRONT_STREAMS]++;
	return Z_OK;
}

static int put_trailer(struct wdz_deflate *d, z_streamp strm)
{
	const uint32_t sum = d->sum, n = (uint32_t)strm->total_in;
	const uint8_t zlib[4] = { (uint8_t)(sum >> 24), (uint8_t)(sum >> 16), (uint8_t)(sum >> 8),
				  (uint8_t)sum };
	const uint8_t gzip[8] = { (uint8_t)sum,		(uint8_t)(sum >> 8), (uint8_t)(sum >> 16),
				  (uint8_t)(sum >> 24), (uint8_t)n,	     (uint8_t)(n >> 8),
				  (uint8_t)(n >> 16),	(uint8_t)(n >> 24) };

	d->has_trailer = true;
	if (!d->wrap)
		return Z_OK;
	return d->wrap == 1 ? wdz_output_put(d, strm, zlib, sizeof(zlib)) :
			      wdz_output_put(d, strm, gzip, sizeof(gzip));
}

/* ---------------------------------------------------------------- deflate */

/* Z_BLOCK came late, and ranks between none and partial. */
static int rank(int flush)
{
	return flush * 2 - (flush > 4 ? 9 : 0);
}

/* Output is full: whatever comes next is no repetition. */
static int leave_full(struct wdz_deflate *d)
{
	d->last_flush = -1;
	return Z_OK;
}

/* What comes before there is anything to compress.  Z_STREAM_END: go on. */
static int begin(struct wdz_deflate *d, z_streamp strm, int flush)
{
	const int old_flush = d->last_flush;
	int err;

	d->last_flush = flush;
	if (wdz_has_output(d)) {
		wdz_output_drain(d, strm);
		if (!strm->avail_out)
			return leave_full(d);
	} else if (!strm->avail_in && rank(flush) <= rank(old_flush) && flush != Z_FINISH &&
		   !d->is_primed) {
		return refuse(strm, Z_BUF_ERROR);
	}
	d->is_primed = false;
	/* There is no more input after the first Z_FINISH. */
	if (d->status == WDZ_ENDED && strm->avail_in)
		return refuse(strm, Z_BUF_ERROR);
	if (d->status == WDZ_INIT) {
		err = put_header(d, strm);
		if (err)
			return err;
		if (wdz_has_output(d))
			return leave_full(d);
	}
	return Z_STREAM_END;
}

static int finish(struct wdz_deflate *d, z_streamp strm)
{
	if (!d->has_trailer && put_trailer(d, strm))
		return Z_MEM_ERROR;
	return wdz_has_output(d) ? Z_OK : Z_STREAM_END;
}

/* Whether the last block has begun: then only Z_FINISH may follow. */
static bool is_past_input(struct wdz_deflate *d)
{
	z_stream *z = &d->zlib;

	if (d->status == WDZ_ENDED)
		return true;
	if (d->body != WDZ_BODY_ZLIB || !d->is_zlib_finishing)
		return false;
	/* It knows, and without room says no more than that. */
	z->next_in = NULL;
	z->next_out = (Bytef *)"";
	z->avail_in = z->avail_out = 0;
	return wdz_system()->deflate(z, Z_NO_FLUSH) == Z_STREAM_ERROR;
}

int deflate(z_streamp strm, int flush)
{
	struct wdz_deflate *d = own(strm);
	int ret;

	if (!d)
		return wdz_system()->deflate(strm, flush);
	if (!is_sound(d, strm) || flush > Z_BLOCK || flush < 0)
		return Z_STREAM_ERROR;
	if (!strm->next_out || (strm->avail_in && !strm->next_in) ||
	    (flush != Z_FINISH && is_past_input(d)))
		return refuse(strm, Z_STREAM_ERROR);
	if (!strm->avail_out)
		return refuse(strm, Z_BUF_ERROR);
	ret = begin(d, strm, flush);
	if (ret != Z_STREAM_END)
		return ret;
	if (d->status != WDZ_ENDED) {
		ret = wdz_body_run(d, strm, flush);
		if (ret)
			return ret;
		if (!strm->avail_out)
			return leave_full(d);
	}
	return flush == Z_FINISH ? finish(d, strm) : Z_OK;
}

/* ---------------------------------------------------------------- parameters */

/* zlib's matchers: what is behind changes with these levels. */
static int matcher(int level)
{
	return level == 0 ? 0 : level < 4 ? 1 : 2;
}

int deflateParams(z_streamp strm, int level, int strategy)
{
	struct wdz_deflate *d = own(strm);
	int err;

	if (!d)
		return wdz_system()->deflateParams(strm, level, strategy);
	if (!is_sound(d, strm))
		return Z_STREAM_ERROR;
	if (level == Z_DEFAULT_COMPRESSION)
		level = level_default;
	if (level < 0 || level > 9 || strategy < 0 || strategy > Z_FIXED)
		return Z_STREAM_ERROR;
	if (d->last_flush == -2 && d->body == WDZ_BODY_QUEUE) {
		d->level = level;
		d->strategy = strategy;
		wdz_body_choose(d);
		return Z_OK;
	}
	/* In the middle: zlib flushes a block with the old ones, and goes on with the new. */
	if (d->last_flush != -2 &&
	    (strategy != d->strategy || matcher(level) != matcher(d->level))) {
		err = deflate(strm, Z_BLOCK);
		if (err == Z_STREAM_ERROR)
			return err;
		if (strm->avail_in || d->in.at != d->in.end)
			return Z_BUF_ERROR;
	}
	err = wdz_body_move(d);
	if (err)
		return err;
	d->zlib.avail_in = 0;
	d->zlib.next_out = strm->next_out;
	d->zlib.avail_out = 0; /* all it has to give is out, or it refuses */
	err = wdz_system()->deflateParams(&d->zlib, level, strategy);
	if (err)
		return err;
	d->level = d->zlib_level = level;
	d->strategy = d->zlib_strategy = strategy;
	d->may_queue = false;
	return Z_OK;
}

int deflateTune(z_streamp strm, int good_length, int max_lazy, int nice_length, int max_chain)
{
	struct wdz_deflate *d = own(strm);
	int err;

	if (!d)
		return wdz_system()->deflateTune(strm, good_length, max_lazy, nice_length,
						 max_chain);
	if (!is_sound(d, strm))
		return Z_STREAM_ERROR;
	/* Only zlib's matcher knows these. */
	d->may_queue = false;
	err = wdz_body_move(d);
	return err ? err :
		     wdz_system()->deflateTune(&d->zlib, good_length, max_lazy, nice_length,
					       max_chain);
}

int deflatePrime(z_streamp strm, int bits, int value)
{
	struct wdz_deflate *d = own(strm);
	unsigned int pending = 0;
	int err;

	if (!d)
		return wdz_system()->deflatePrime(strm, bits, value);
	if (!is_sound(d, strm))
		return Z_STREAM_ERROR;
	if (bits < 0 || bits > 16)
		return Z_BUF_ERROR;
	d->may_queue = false;
	d->is_aligned = false;
	err = wdz_body_move(d);
	if (!err)
		err = wdz_system()->deflatePrime(&d->zlib, bits, value);
	if (!err && !wdz_system()->deflatePending(&d->zlib, &pending, NULL))
		d->is_primed = pending;
	return err;
}

int deflatePending(z_streamp strm, unsigned *pending, int *bits)
{
	struct wdz_deflate *d = own(strm);
	unsigned int more = 0;
	int more_bits = 0;

	if (!d)
		return wdz_system()->deflatePending(strm, pending, bits);
	if (!is_sound(d, strm))
		return Z_STREAM_ERROR;
	if (d->body == WDZ_BODY_ZLIB)
		wdz_system()->deflatePending(&d->zlib, &more, &more_bits);
	if (pending)
		*pending = (unsigned int)(d->out.end - d->out.at) + more;
	if (bits)
		*bits = more_bits;
	return Z_OK;
}

int deflateSetHeader(z_streamp strm, gz_headerp head)
{
	struct wdz_deflate *d = own(strm);

	if (!d)
		return wdz_system()->deflateSetHeader(strm, head);
	if (!is_sound(d, strm) || wrap_now(d) != 2)
		return Z_STREAM_ERROR;
	d->gz_header = head;
	return Z_OK;
}

/* ---------------------------------------------------------------- dictionary */

int deflateSetDictionary(z_streamp strm, const Bytef *dictionary, uInt dictLength)
{
	struct wdz_deflate *d = own(strm);
	uLong total;
	int err;

	if (!d)
		return wdz_system()->deflateSetDictionary(strm, dictionary, dictLength);
	if (!is_sound(d, strm) || !dictionary)
		return Z_STREAM_ERROR;
	if (wrap_now(d) == 2 || (wrap_now(d) == 1 && d->status != WDZ_INIT) ||
	    d->in.end != d->in.at)
		return Z_STREAM_ERROR;
	d->may_queue = false;
	err = wdz_body_move(d);
	if (err)
		return err;
	total = d->zlib.total_in;
	err = wdz_system()->deflateSetDictionary(&d->zlib, dictionary, dictLength);
	/* It counts as input. */
	strm->total_in += d->zlib.total_in - total;
	if (err || wrap_now(d) != 1)
		return err;
	d->dictionary_sum = wdz_adler32((uint32_t)strm->adler, dictionary, dictLength);
	strm->adler = d->dictionary_sum;
	d->has_dictionary |= dictLength > 0;
	return Z_OK;
}

int deflateGetDictionary(z_streamp strm, Bytef *dictionary, uInt *dictLength)
{
	struct wdz_deflate *d = own(strm);
	size_t n;
	int err;

	if (!d)
		return wdz_system()->deflateGetDictionary(strm, dictionary, dictLength);
	if (!is_sound(d, strm))
		return Z_STREAM_ERROR;
	err = wdz_body_history(d, dictionary, &n);
	if (!err && dictLength)
		*dictLength = (uInt)n;
	return err;
}

/* ---------------------------------------------------------------- bound */

/* The header and trailer of a stream of ours, as zlib counts them. */
static uLong wrap_bytes(struct wdz_deflate *d)
{
	const gz_header *h = d->gz_header;
	size_t nr_history = 0;
	uLong n;

	if (!d->wrap)
		return 0;
	if (wrap_now(d) == 1) {
		wdz_body_history(d, NULL, &nr_history);
		return 6 + (nr_history ? 4 : 0);
	}
	if (wrap_now(d) != 2)
		return 6;
	n = 18;
	if (h) {
		n += h->extra ? 2 + h->extra_len : 0;
		n += h->name ? strlen((const char *)h->name) + 1 : 0;
		n += h->comment ? strlen((const char *)h->comment) + 1 : 0;
		n += h->hcrc ? 2 : 0;
	}
	return n;
}

/* zlib's numbers, and what is stored has room in them but for a few bytes of input. */
uLong deflateBound(z_streamp strm, uLong sourceLen)
{
	struct wdz_deflate *d = own(strm);
	uLong bound, stored;

	if (!d || !is_sound(d, strm))
		return wdz_system()->deflateBound(strm, sourceLen);
	if (d->mem_level == mem_level_default)
		bound = sourceLen + (sourceLen >> 12) + (sourceLen >> 14) + (sourceLen >> 25) + 7;
	else
		bound = sourceLen + (sourceLen >> 3) + (sourceLen >> 8) + (sourceLen >> 9) + 4;
	/* And a byte: output that is full has not ended. */
	stored = wdz_queue_bound(sourceLen, true) + 1;
	return (bound > stored ? bound : stored) + wrap_bytes(d);
}

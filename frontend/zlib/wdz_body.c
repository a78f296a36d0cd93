/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The blocks of a deflate stream.  Input is gathered until it is worth a batch;
 * a batch goes through a queue and needs nothing of what came before, ends on a
 * byte boundary, and so can be followed by anything.  What a queue is not for
 * (little input before a flush, flushes that end within a byte, a dictionary) a
 * raw stream of zlib's takes from there on, with the last 32 KiB as its window;
 * from a flush to a byte boundary on, the next batch may go through a queue
 * again.
 */
#include <stdlib.h>
#include <string.h>

#include "wdz_deflate.h"

/* To zlib, input is handed in portions of at least this: a call costs as much as some bytes. */
#define SMALL_BYTES  4096u
#define ROOM_LEAST   4096u
#define ROOM_USUAL   (WDZ_HISTORY_BYTES + (1u << 20) + 4096u) /* a batch and its history */
#define RETURN_LEAST (64u << 10) /* input at once that is worth leaving zlib for */
#define TAIL_LEAST   (16u << 10) /* of a stream that has a history */
#define RETURNS_MAX  8u		 /* each way back to zlib costs it hashing its window */
#define BATCH_MAX    (8u << 20)
#define OUT_KEPT_MAX 8192u /* an empty buffer that stays with its stream */

static const uint8_t empty_stored[] = { 0x00, 0x00, 0x00, 0xff, 0xff };
static const uint8_t empty_last[] = { 0x03, 0x00 };

static size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t max_size(size_t a, size_t b)
{
	return a > b ? a : b;
}

/* ---------------------------------------------------------------- output */

static void out_free(struct wdz_deflate *d)
{
	wdz_buffer_put(d->out.p);
	d->out = (struct wdz_bytes){ 0 };
}

void wdz_output_drain(struct wdz_deflate *d, z_streamp strm)
{
	size_t n = min_size(d->out.end - d->out.at, strm->avail_out);

	if (n) {
		memcpy(strm->next_out, d->out.p + d->out.at, n);
		strm->next_out += n;
		strm->avail_out -= (uInt)n;
		strm->total_out += n;
		d->out.at += n;
	}
	if (wdz_has_output(d))
		return;
	d->out.at = d->out.end = 0;
	if (d->out.room > OUT_KEPT_MAX)
		out_free(d);
}

/* Room for @n more behind what is kept. */
static bool out_reserve(struct wdz_deflate *d, size_t n)
{
	size_t bytes = d->out.end + n;
	uint8_t *p;

	if (d->out.p && d->out.room >= bytes)
		return true;
	p = wdz_buffer_get(&bytes);
	if (!p)
		return false;
	if (d->out.end)
		memcpy(p, d->out.p, d->out.end);
	wdz_buffer_put(d->out.p);
	d->out.p = p;
	d->out.room = bytes;
	return true;
}

int wdz_output_put(struct wdz_deflate *d, z_streamp strm, const void *p, size_t n)
{
	if (!wdz_has_output(d) && strm->avail_out >= n) {
		memcpy(strm->next_out, p, n);
		strm->next_out += n;
		strm->avail_out -= (uInt)n;
		strm->total_out += n;
		return Z_OK;
	}
	if (!out_reserve(d, n))
		return Z_MEM_ERROR;
	memcpy(d->out.p + d->out.end, p, n);
	d->out.end += n;
	wdz_output_drain(d, strm);
	return Z_OK;
}

/* ---------------------------------------------------------------- input */

static size_t nr_gathered(const struct wdz_deflate *d)
{
	return d->in.end - d->in.at;
}

/* @n bytes of the program's input are the stream's now. */
static void took(struct wdz_deflate *d, z_streamp strm, size_t n)
{
	if (!n)
		return; /* and next_in may be NULL, which zlib's sums take for a beginning */
	if (d->wrap) {
		d->sum = d->wrap == 1 ? wdz_adler32(d->sum, strm->next_in, n) :
					wdz_crc32(d->sum, strm->next_in, n);
		strm->adler = d->sum;
	}
	strm->next_in += n;
	strm->avail_in -= (uInt)n;
	strm->total_in += n;
}

static bool in_reserve(struct wdz_deflate *d, size_t n)
{
	size_t bytes = ROOM_LEAST;
	uint8_t *p;

	if (d->in.p && d->in.end + n <= d->in.room)
		return true;
	while (bytes < d->in.end + n)
		bytes *= 4;
	if (bytes > ROOM_USUAL)
		bytes = max_size(d->in.end + n, ROOM_USUAL);
	p = wdz_buffer_get(&bytes);
	if (!p)
		return false;
	if (d->in.end)
		memcpy(p, d->in.p, d->in.end);
	wdz_buffer_put(d->in.p);
	d->in.p = p;
	d->in.room = bytes;
	return true;
}

static bool gather(struct wdz_deflate *d, z_streamp strm, size_t n)
{
	if (!in_reserve(d, n))
		return false;
	memcpy(d->in.p + d->in.end, strm->next_in, n);
	d->in.end += n;
	took(d, strm, n);
	return true;
}

/* Nothing is gathered now, and the history ends with these bytes, gathered or not. */
static void remember(struct wdz_deflate *d, const uint8_t *src, size_t n)
{
	size_t keep = min_size(n, WDZ_HISTORY_BYTES);
	size_t before = min_size(d->nr_history, WDZ_HISTORY_BYTES - keep);

	/* Less history is history, too. */
	if (!d->in.p || d->in.room < before + keep) {
		d->in.at = d->in.end = d->nr_history;
		if (!in_reserve(d, keep)) {
			d->in.at = d->in.end = d->nr_history = 0;
			return;
		}
	}
	memmove(d->in.p, d->in.p + d->nr_history - before, before);
	memmove(d->in.p + before, src + n - keep, keep);
	d->nr_history = before + keep;
	d->in.at = d->in.end = d->nr_history;
}

static void forget(struct wdz_deflate *d)
{
	d->nr_history = d->in.at = d->in.end = 0;
}

/* What idles has no more than its history. */
static void settle(struct wdz_deflate *d)
{
	const size_t most = 2 * WDZ_HISTORY_BYTES;
	size_t bytes = d->nr_history;
	uint8_t *p;

	if (nr_gathered(d) || d->in.room <= most)
		return;
	p = bytes ? wdz_buffer_get(&bytes) : NULL;
	if (p)
		memcpy(p, d->in.p, d->nr_history);
	else
		d->nr_history = bytes = 0;
	wdz_buffer_put(d->in.p);
	d->in = (struct wdz_bytes){
		.p = p, .room = bytes, .at = d->nr_history, .end = d->nr_history
	};
}

/* ---------------------------------------------------------------- data type */

enum {
	IS_TEXT = 1 << 0,
	IS_BINARY = 1 << 1,
};

static unsigned int kind_of_byte(uint8_t c)
{
	static const uint32_t not_in_text = 0xf3ffc07fu; /* of the first 32 */

	if (c >= 32 || c == '\t' || c == '\n' || c == '\r')
		return IS_TEXT;
	return not_in_text >> c & 1 ? IS_BINARY : 0;
}

/* Eight bytes of 32 and above, as most of text is. */
static bool is_printable(const uint8_t *p)
{
	const uint64_t ones = 0x0101010101010101u;
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	word &= 0xe0 * ones;
	return !((word - ones) & ~word & 0x80 * ones); /* no byte of it is zero */
}

/* As zlib finds it, for all but data whose first block hides what comes later. */
static int data_type_of(const uint8_t *p, size_t n)
{
	unsigned int seen = 0;
	size_t i, end;

	for (i = 0; i < n; i = end) {
		end = min_size(i + sizeof(uint64_t), n);
		if (end - i == sizeof(uint64_t) && is_printable(p + i)) {
			seen |= IS_TEXT;
			continue;
		}
		while (i < end)
			seen |= kind_of_byte(p[i++]);
		if (seen & IS_BINARY)
			return Z_BINARY;
	}
	return seen & IS_TEXT ? Z_TEXT : Z_BINARY;
}

/* As many symbols as zlib's first block has at least. */
static size_t first_block_bytes(const struct wdz_deflate *d)
{
	return ((size_t)1 << (d->mem_level + 6)) - 1;
}

/* ---------------------------------------------------------------- queue */

/* Blocks of @n bytes, given out as far as there is room.  False: nothing was done. */
static bool make_batch(struct wdz_deflate *d, z_streamp strm, const uint8_t *src, size_t n,
		       bool is_last)
{
	struct wdz_batch b = {
		.level = wdz_queue_level(d->level), .is_last = is_last, .src = src, .src_len = n
	};
	const size_t bound = wdz_queue_bound(n, is_last);
	const bool is_direct = strm->avail_out >= bound;

	if (is_direct) {
		b.dst = strm->next_out;
		b.dst_len = bound;
	} else {
		if (!out_reserve(d, bound))
			return false;
		b.dst = d->out.p + d->out.end;
		b.dst_len = d->out.room - d->out.end;
	}
	if (!wdz_queue_deflate(&b)) {
		d->counts.n[WD_FRONT_REPEATED]++;
		return false;
	}
	if (strm->data_type == Z_UNKNOWN)
		strm->data_type = data_type_of(src, min_size(n, first_block_bytes(d)));
	d->counts.n[WD_FRONT_QUEUED] += !d->is_queued;
	d->counts.n[WD_FRONT_QUEUED_BYTES] += n;
	wdz_counts_add(WDZ_FRONT_DEFLATE, &d->counts);
	d->is_queued = true;
	if (is_direct) {
		strm->next_out += b.produced;
		strm->avail_out -= (uInt)b.produced;
		strm->total_out += b.produced;
	} else {
		d->out.end += b.produced;
	}
	return true;
}

/*
 * One batch of what is gathered, else of the input in place, to the end of the
 * input if it is not too much.  False: it is not to be had.
 */
static bool queue_batch(struct wdz_deflate *d, z_streamp strm, int flush, size_t most)
{
	const bool is_gathered = nr_gathered(d) || wdz_is_overlapping(strm);
	const uint8_t *src;
	bool is_last;
	size_t n;

	if (is_gathered) {
		if (nr_gathered(d) < most &&
		    !gather(d, strm, min_size(most - nr_gathered(d), strm->avail_in)))
			return false;
		src = d->in.p + d->in.at;
		n = nr_gathered(d);
		is_last = flush == Z_FINISH && !strm->avail_in;
	} else {
		/* Where all that may come has room, large ones cost less and gain more. */
		n = min_size(strm->avail_in, BATCH_MAX);
		if (strm->avail_out < wdz_queue_bound(n, false))
			n = min_size(n, most);
		src = strm->next_in;
		is_last = flush == Z_FINISH && n == strm->avail_in;
	}
	if (!make_batch(d, strm, src, n, is_last))
		return false;
	remember(d, src, n);
	if (!is_gathered)
		took(d, strm, n);
	if (is_last)
		d->status = WDZ_ENDED;
	return true;
}

/* The flush itself, once all input is in batches. */
static int queue_flush(struct wdz_deflate *d, z_streamp strm, int flush)
{
	if (flush == Z_FINISH) {
		if (d->status == WDZ_ENDED)
			return Z_OK;
		d->status = WDZ_ENDED;
		return wdz_output_put(d, strm, empty_last, sizeof(empty_last));
	}
	if (flush == Z_BLOCK)
		return Z_OK;
	if (flush == Z_FULL_FLUSH)
		forget(d);
	/* Also behind a batch whose last bytes look like it: receivers cut these four. */
	return wdz_output_put(d, strm, empty_stored, sizeof(empty_stored));
}

/*
 * Whether what is there now is a queue's, or zlib's from here on.  A batch that
 * cannot refer to what came before loses by it, the more the smaller it is: after
 * 1 KiB of a C source half as much again, after 64 KiB 2 %.
 */
static bool is_worth_a_batch(const struct wdz_deflate *d, int flush, size_t n)
{
	size_t least = wdz_deflate_min(wdz_settings());

	if (flush == Z_PARTIAL_FLUSH || flush == Z_BLOCK)
		return false;
	if (!n) /* a flush after a batch, or at the end */
		return d->is_queued;
	if (wdz_settings()->mode != WDZ_MODE_ALWAYS) {
		if (flush == Z_SYNC_FLUSH)
			least = max_size(least, RETURN_LEAST);
		else if (d->nr_history)
			least = max_size(least, TAIL_LEAST);
	}
	return n >= least;
}

/* Sets *ret_moved when zlib is to go on. */
static int queue_run(struct wdz_deflate *d, z_streamp strm, int flush, bool *ret_moved)
{
	const size_t most = wdz_gather_bytes(wdz_settings(), d->level);

	for (;;) {
		size_t n = nr_gathered(d) + strm->avail_in;

		if (n < most && flush == Z_NO_FLUSH) {
			if (!strm->avail_in || gather(d, strm, strm->avail_in))
				return Z_OK;
			break;
		}
		if (n < most && !is_worth_a_batch(d, flush, n))
			break;
		if (n) {
			if (!queue_batch(d, strm, flush, most))
				break;
			wdz_output_drain(d, strm);
		}
		if (!strm->avail_in && !nr_gathered(d)) {
			settle(d);
			return flush == Z_NO_FLUSH ? Z_OK : queue_flush(d, strm, flush);
		}
		if (!strm->avail_out)
			return Z_OK;
	}
	*ret_moved = true;
	return wdz_body_move(d);
}

/* ---------------------------------------------------------------- zlib */

static int zlib_open(struct wdz_deflate *d)
{
	const struct wdz_system *z = wdz_system();
	int err;

	if (!d->has_zlib) {
		err = z->deflateInit2_(&d->zlib, d->level, Z_DEFLATED, -MAX_WBITS, d->mem_level,
				       d->strategy, ZLIB_VERSION, (int)sizeof(d->zlib));
		if (err)
			return Z_MEM_ERROR;
		d->has_zlib = true;
	} else if (d->is_zlib_used) {
		z->deflateReset(&d->zlib);
	}
	if (d->zlib_level != d->level || d->zlib_strategy != d->strategy) {
		d->zlib.avail_in = d->zlib.avail_out = 0;
		z->deflateParams(&d->zlib, d->level, d->strategy);
	}
	d->zlib_level = d->level;
	d->zlib_strategy = d->strategy;
	d->is_zlib_used = true;
	d->is_zlib_finishing = false;
	return Z_OK;
}

int wdz_body_move(struct wdz_deflate *d)
{
	int err;

	if (d->body == WDZ_BODY_ZLIB)
		return Z_OK;
	err = zlib_open(d);
	if (err)
		return err;
	if (d->nr_history)
		wdz_system()->deflateSetDictionary(&d->zlib, d->in.p, (uInt)d->nr_history);
	d->counts.n[WD_FRONT_MOVED] += d->is_queued;
	d->body = WDZ_BODY_ZLIB;
	d->nr_history = 0; /* zlib has it */
	if (!nr_gathered(d))
		forget(d);
	d->is_aligned = false;
	return Z_OK;
}

/* One call of zlib's, with input from where the stream's is not, or from there. */
static int zlib_call(struct wdz_deflate *d, z_streamp strm, const uint8_t *src, size_t n, int flush,
		     size_t *ret_taken)
{
	z_stream *z = &d->zlib;
	uInt produced;
	int err;

	d->is_zlib_finishing |= flush == Z_FINISH;
	z->next_in = (z_const Bytef *)src;
	z->avail_in = (uInt)n;
	z->next_out = strm->next_out;
	z->avail_out = strm->avail_out;
	/*
	 * Whether a flush without input repeats the last one is decided already, from
	 * all calls there were; zlib saw some of them, and is to think of none.
	 */
	if (!n && flush != Z_NO_FLUSH && flush != Z_FINISH)
		wdz_system()->deflate(z, Z_NO_FLUSH);
	err = z->avail_out ? wdz_system()->deflate(z, flush) : Z_OK;
	if (err == Z_BUF_ERROR && !n && flush == Z_NO_FLUSH)
		err = Z_OK;
	*ret_taken = n - z->avail_in;
	d->counts.n[WD_FRONT_OTHER_BYTES] += *ret_taken;
	produced = strm->avail_out - z->avail_out;
	strm->next_out += produced;
	strm->avail_out -= produced;
	strm->total_out += produced;
	if (strm->data_type == Z_UNKNOWN)
		strm->data_type = z->data_type;
	if (err == Z_STREAM_END) {
		d->status = WDZ_ENDED;
		return Z_OK;
	}
	if (err)
		strm->msg = z->msg;
	return err;
}

static int zlib_run(struct wdz_deflate *d, z_streamp strm, int flush)
{
	size_t n = nr_gathered(d), taken;
	int err;

	d->is_aligned = false;
	if (flush == Z_NO_FLUSH && strm->avail_in && n + strm->avail_in <= SMALL_BYTES &&
	    !d->is_zlib_finishing && gather(d, strm, strm->avail_in))
		return Z_OK;
	if (!strm->avail_out) {
		/* The header took all of it.  zlib reads ahead; it cannot be called so. */
		if (strm->avail_in)
			gather(d, strm, min_size(strm->avail_in, 2 * WDZ_HISTORY_BYTES));
		return Z_OK;
	}
	if (n) {
		const bool is_all = !strm->avail_in;

		err = zlib_call(d, strm, d->in.p + d->in.at, n, is_all ? flush : Z_NO_FLUSH,
				&taken);
		d->in.at += taken;
		if (d->in.at == d->in.end)
			d->in.at = d->in.end = 0;
		if (err || !strm->avail_out || is_all)
			goto out;
	}
	err = zlib_call(d, strm, strm->next_in, strm->avail_in, flush, &taken);
	took(d, strm, taken);
out:
	d->is_aligned = !err && strm->avail_out && (flush == Z_SYNC_FLUSH || flush == Z_FULL_FLUSH);
	if (!nr_gathered(d) && d->in.room > SMALL_BYTES)
		settle(d);
	return err;
}

/* A large batch follows a flush to a byte boundary: back to the queue. */
static void return_to_queue(struct wdz_deflate *d)
{
	uInt n = 0;

	forget(d);
	if (in_reserve(d, WDZ_HISTORY_BYTES) &&
	    !wdz_system()->deflateGetDictionary(&d->zlib, d->in.p, &n))
		d->nr_history = d->in.at = d->in.end = n;
	d->body = WDZ_BODY_QUEUE;
	d->returns++;
}

int wdz_body_run(struct wdz_deflate *d, z_streamp strm, int flush)
{
	bool is_moved = false;
	int err;

	if (d->body == WDZ_BODY_ZLIB && d->is_aligned && d->may_queue && !nr_gathered(d) &&
	    strm->avail_in >= RETURN_LEAST && d->returns < RETURNS_MAX)
		return_to_queue(d);
	if (d->body == WDZ_BODY_QUEUE && !d->may_queue) {
		err = wdz_body_move(d);
		if (err)
			return err;
	}
	if (d->body == WDZ_BODY_QUEUE) {
		err = queue_run(d, strm, flush, &is_moved);
		if (err || !is_moved)
			return err;
	}
	return zlib_run(d, strm, flush);
}

/* ---------------------------------------------------------------- life */

void wdz_body_choose(struct wdz_deflate *d)
{
	d->may_queue =
		wdz_may_deflate(wdz_settings(), d->level, MAX_WBITS, d->mem_level, d->strategy) &&
		wdz_queue_is_promising();
}

void wdz_body_reset(struct wdz_deflate *d)
{
	d->returns = 0;
	d->is_queued = d->is_aligned = d->is_primed = false;
	forget(d);
	settle(d);
	d->out.at = d->out.end = 0;
	if (d->out.room > OUT_KEPT_MAX)
		out_free(d);
	wdz_body_choose(d);
	d->body = WDZ_BODY_QUEUE;
}

int wdz_body_reset_keep(struct wdz_deflate *d)
{
	int err;

	d->in.end = d->in.at;
	d->out.at = d->out.end = 0;
	if (d->body == WDZ_BODY_ZLIB)
		err = wdz_system()->deflateResetKeep(&d->zlib);
	else
		err = wdz_body_move(d);
	d->is_queued = d->is_aligned = d->is_primed = d->is_zlib_finishing = false;
	return err;
}

int wdz_body_history(struct wdz_deflate *d, uint8_t *ret_bytes, size_t *ret_n)
{
	size_t keep = min_size(nr_gathered(d), WDZ_HISTORY_BYTES), n = d->nr_history;
	uint8_t *history = d->in.p, *window = NULL;

	if (d->body == WDZ_BODY_ZLIB) {
		uInt zlib_has = 0;

		window = ret_bytes ? malloc(WDZ_HISTORY_BYTES) : NULL;
		if (ret_bytes && !window)
			return Z_MEM_ERROR;
		wdz_system()->deflateGetDictionary(&d->zlib, window, &zlib_has);
		history = window;
		n = zlib_has;
	}
	*ret_n = min_size(n, WDZ_HISTORY_BYTES - keep) + keep;
	if (ret_bytes && *ret_n > keep)
		memcpy(ret_bytes, history + n - (*ret_n - keep), *ret_n - keep);
	if (ret_bytes && keep)
		memcpy(ret_bytes + *ret_n - keep, d->in.p + d->in.end - keep, keep);
	free(window);
	return Z_OK;
}

void wdz_body_free(struct wdz_deflate *d)
{
	wdz_counts_add(WDZ_FRONT_DEFLATE, &d->counts);
	wdz_buffer_put(d->in.p);
	out_free(d);
	d->in = (struct wdz_bytes){ 0 };
}

static bool copy_bytes(struct wdz_bytes *to, const struct wdz_bytes *from)
{
	*to = *from;
	to->p = NULL;
	if (!from->p)
		return true;
	to->p = wdz_buffer_get(&to->room);
	if (to->p)
		memcpy(to->p, from->p, from->end);
	return to->p;
}

int wdz_body_copy(struct wdz_deflate *to, const struct wdz_deflate *from)
{
	to->in.p = to->out.p = NULL;
	to->counts = (struct wdz_counts){ 0 }; /* they are the first's */
	if (copy_bytes(&to->in, &from->in) && copy_bytes(&to->out, &from->out) &&
	    (!from->has_zlib ||
	     !wdz_system()->deflateCopy(&to->zlib, (z_streamp)(uintptr_t)&from->zlib)))
		return Z_OK;
	wdz_buffer_put(to->in.p);
	wdz_buffer_put(to->out.p);
	return Z_MEM_ERROR;
}

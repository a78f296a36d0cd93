/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * zlib's inflate calls.  How far zlib reads its input when output is full, and
 * how many bits it holds then, a program can see; no other decoder stops there.
 * So a queue does only what has no middle: a stream that lies whole in a first
 * call's input, with room for all of its output.  Everything else the system's
 * zlib does.
 *
 * After a queue's work that stream is led to the same end with a small stream of
 * its own, so that whatever is asked for next, zlib answers.
 */
#include <stdlib.h>
#include <string.h>

#include "wdz_queue.h"
#include "wdz_system.h"

/*
 * What is to be known of a stream lies in its reserved word, so that its state is
 * zlib's and nothing but, whoever is called with it: also zlib itself, by a program
 * that found it by dlopen().  A word that was not made for this stream and state
 * (never set, or copied) says nothing.
 *
 *   63..16  of the stream's and the state's addresses
 *   15..8   window bits as for inflateInit2(), plus 64
 */
#define NOTE_KEY	(~(uint64_t)0xffff)
#define NOTE_BITS_SHIFT 8
#define NOTE_BITS_BIAS	64
#define NOTE_FIRST	(1u << 0) /* nothing was read since the last reset */
#define NOTE_PLAIN	(1u << 1) /* may go through a queue: neither checks nor format were changed */
#define NOTE_COUNTED	(1u << 2) /* is among the streams, and its bytes are zlib's */

static const int window_bits_default = 15;

static uint64_t key_of(const z_stream *strm)
{
	const uint64_t mixed = (uint64_t)(uintptr_t)strm * 0x9e3779b97f4a7c15u +
			       (uint64_t)(uintptr_t)strm->state * 0xc2b2ae3d27d4eb4fu;

	return mixed & NOTE_KEY;
}

/* 0 where there is none. */
static uint64_t note_of(const z_stream *strm)
{
	if (!strm || !strm->reserved || (strm->reserved & NOTE_KEY) != key_of(strm))
		return 0;
	return strm->reserved;
}

static int window_bits_of(uint64_t note)
{
	return (int)(note >> NOTE_BITS_SHIFT & 0xff) - NOTE_BITS_BIAS;
}

/* ---------------------------------------------------------------- whether to try */

/*
 * What came of tries where nothing but the sizes spoke for it, by how much room
 * there was: after a vain one so many chances are let go, twice as many each time.
 */
#define CLASSES_NR    16
#define PASS_OVER_MAX 1023

static struct {
	int left, next;
} passes[CLASSES_NR];

static unsigned int class_of(const z_stream *strm, bool is_last)
{
	unsigned int i = 0;
	uInt room;

	for (room = strm->avail_out; i < CLASSES_NR / 2 - 1 && room / 2 >= strm->avail_in;
	     room /= 2)
		i++;
	return is_last ? i + CLASSES_NR / 2 : i;
}

static bool is_passed_over(unsigned int class)
{
	return __atomic_load_n(&passes[class].left, __ATOMIC_RELAXED) > 0 &&
	       __atomic_fetch_sub(&passes[class].left, 1, __ATOMIC_RELAXED) > 0;
}

static void learn(unsigned int class, bool is_success)
{
	int next = __atomic_load_n(&passes[class].next, __ATOMIC_RELAXED);

	if (is_success) {
		if (next)
			__atomic_store_n(&passes[class].next, 0, __ATOMIC_RELAXED);
		return;
	}
	next = next < PASS_OVER_MAX ? 2 * next + 1 : next;
	__atomic_store_n(&passes[class].next, next, __ATOMIC_RELAXED);
	__atomic_store_n(&passes[class].left, next, __ATOMIC_RELAXED);
}

/* The format that zlib would find; 0 for what it should look at itself. */
static int format_of(int window_bits, const z_stream *strm)
{
	const uint8_t *p = strm->next_in;
	const unsigned int wraps = (unsigned int)window_bits / 16 + 1;

	if (wraps & 2 && strm->avail_in >= 18 && p[0] == 0x1f && p[1] == 0x8b)
		/* Neither a checksum of the header nor what is reserved. */
		return p[2] == Z_DEFLATED && !(p[3] & 0xe2) ? WD_COMP_GZIP : 0;
	if (wraps & 1 && strm->avail_in >= 8 && !((p[0] << 8 | p[1]) % 31) &&
	    (p[0] & 15) == Z_DEFLATED && p[0] >> 4 <= 7 && !(p[1] & 0x20))
		return WD_COMP_ZLIB;
	return 0;
}

/* What the last four bytes say, if they are the end of it. */
static uint32_t gzip_size(const z_stream *strm)
{
	const uint8_t *p = strm->next_in + strm->avail_in - 4;

	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* ---------------------------------------------------------------- the end of it */

/*
 * Leads zlib's stream to its end, by a stream of nothing in the same format.  Of what
 * it gave out in the call that compared the sums it keeps no window, and so has none.
 */
static int end_like_zlib(z_streamp strm, int format, const uint8_t *header)
{
	static const uint8_t gzip[10 + 2 + 8] = { 0x1f, 0x8b, Z_DEFLATED, [10] = 3 };
	const uint8_t zlib[2 + 2 + 4] = { header[0], header[1], 3, 0, 0, 0, 0, 1 };
	uint8_t nothing[1];

	strm->next_in = (z_const Bytef *)(format == WD_COMP_GZIP ? gzip : zlib);
	strm->avail_in = format == WD_COMP_GZIP ? sizeof(gzip) : sizeof(zlib);
	strm->next_out = nothing;
	strm->avail_out = sizeof(nothing);
	return wdz_system()->inflate(strm, Z_FINISH);
}

static uint32_t trailer_sum(int format, const uint8_t *end)
{
	const uint8_t *p = end - (format == WD_COMP_GZIP ? 8 : 4);

	return format == WD_COMP_GZIP ?
		       p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24 :
		       (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* By a queue.  False: nothing happened, zlib does it. */
static bool inflate_whole(z_streamp strm, int format, struct wdz_counts *counts, int *ret_err)
{
	const uint8_t *src = strm->next_in;
	uint8_t *dst = strm->next_out;
	const uInt src_len = strm->avail_in, dst_len = strm->avail_out;
	size_t consumed, produced;

	if (!wdz_queue_inflate((enum wd_comp_format)format, src, src_len, dst, dst_len, &consumed,
			       &produced)) {
		counts->n[WD_FRONT_REPEATED]++;
		return false;
	}
	*ret_err = end_like_zlib(strm, format, src);
	strm->next_in = (z_const Bytef *)(uintptr_t)(src + consumed);
	strm->avail_in = src_len - (uInt)consumed;
	strm->next_out = dst + produced;
	strm->avail_out = dst_len - (uInt)produced;
	strm->total_in = consumed;
	strm->total_out = produced;
	strm->adler = trailer_sum(format, src + consumed);
	counts->n[WD_FRONT_QUEUED]++;
	counts->n[WD_FRONT_QUEUED_BYTES] += produced;
	return true;
}

/* Whether a first call looks like it has all of a stream, of @*ret_format, and room for it. */
static bool is_whole(const z_stream *strm, int window_bits, int flush, int *ret_format,
		     bool *ret_is_last)
{
	const struct wdz_settings *s = wdz_settings();

	*ret_is_last = flush == Z_FINISH;
	if (!strm->next_out || !strm->next_in || wdz_is_overlapping(strm) || flush < 0 ||
	    flush > Z_FINISH || !wdz_may_inflate(s, strm->avail_in, strm->avail_out, true))
		return false;
	*ret_format = format_of(window_bits, strm);
	if (!*ret_format)
		return false;
	if (*ret_format == WD_COMP_GZIP && s->mode != WDZ_MODE_ALWAYS) {
		const uint32_t size = gzip_size(strm);

		if (size > strm->avail_out)
			return false;
		*ret_is_last |= size >= strm->avail_in / 2;
	}
	return wdz_may_inflate(s, strm->avail_in, strm->avail_out, *ret_is_last);
}

/* The first call with input that is worth it. */
static bool __attribute__((noinline))
try_whole(z_streamp strm, uint64_t note, int flush, int *ret_err)
{
	const bool is_always = wdz_settings()->mode == WDZ_MODE_ALWAYS;
	struct wdz_counts counts = { .n = { [WD_FRONT_STREAMS] = 1 } };
	bool is_last, is_done = false;
	unsigned int class;
	int format;

	if (is_whole(strm, window_bits_of(note), flush, &format, &is_last)) {
		class = class_of(strm, is_last);
		if ((is_always || !is_passed_over(class)) && wdz_queue_is_promising()) {
			is_done = inflate_whole(strm, format, &counts, ret_err);
			learn(class, is_done);
		}
	}
	wdz_counts_add(WDZ_FRONT_INFLATE, &counts);
	strm->reserved = is_done ? note : note | NOTE_COUNTED;
	return is_done;
}

/* ---------------------------------------------------------------- life */

/*
 * A window of less than 32 KiB is something that zlib checks.  Raw streams have no
 * sum: zlib refuses codes that nobody makes, and a decoder that does not would give
 * out something else.
 */
static bool is_for_us(int window_bits)
{
	const int bits = window_bits & 15;

	return wdz_settings()->mode != WDZ_MODE_OFF && window_bits >= 0 && window_bits < 48 &&
	       (bits == window_bits_default || !bits);
}

static void set_note(z_streamp strm, int window_bits)
{
	strm->reserved = key_of(strm) |
			 (uint64_t)(window_bits + NOTE_BITS_BIAS) << NOTE_BITS_SHIFT |
			 (is_for_us(window_bits) ? NOTE_PLAIN | NOTE_FIRST : 0);
}

/* Adds what zlib did since the last reset. */
static void count_other(uLong total, uint64_t note)
{
	struct wdz_counts counts = { .n = { [WD_FRONT_OTHER_BYTES] = total } };

	if (note & NOTE_COUNTED)
		wdz_counts_add(WDZ_FRONT_INFLATE, &counts);
}

int inflateInit2_(z_streamp strm, int windowBits, const char *version, int stream_size)
{
	int err;

	/* It calls others by name, which may be ours and look for a note. */
	if (strm && stream_size == (int)sizeof(*strm))
		strm->reserved = 0;
	err = wdz_system()->inflateInit2_(strm, windowBits, version, stream_size);
	if (!err)
		set_note(strm, windowBits);
	return err;
}

int inflateInit_(z_streamp strm, const char *version, int stream_size)
{
	return inflateInit2_(strm, window_bits_default, version, stream_size);
}

int inflateEnd(z_streamp strm)
{
	const uint64_t note = note_of(strm);

	if (note) {
		count_other(strm->total_out, note);
		strm->reserved = 0;
	}
	return wdz_system()->inflateEnd(strm);
}

int inflateReset(z_streamp strm)
{
	uint64_t note = note_of(strm);
	int err;

	if (!note)
		return wdz_system()->inflateReset(strm);
	if (note & NOTE_COUNTED)
		count_other(strm->total_out, note);
	strm->reserved = 0; /* it calls others by name, which may be ours */
	err = wdz_system()->inflateReset(strm);
	note &= ~(uint64_t)NOTE_COUNTED;
	/* What inflateValidate() and inflateSync() change, only new window bits undo. */
	if (note & NOTE_PLAIN)
		note |= NOTE_FIRST;
	strm->reserved = note;
	return err;
}

int inflateReset2(z_streamp strm, int windowBits)
{
	const uint64_t note = note_of(strm);
	uLong total;
	int err;

	if (!note)
		return wdz_system()->inflateReset2(strm, windowBits);
	total = strm->total_out;
	strm->reserved = 0;
	err = wdz_system()->inflateReset2(strm, windowBits);
	strm->reserved = note;
	if (err)
		return err;
	count_other(total, note);
	set_note(strm, windowBits);
	return err;
}

/* The copy has no note, and so is zlib's alone. */
int inflateCopy(z_streamp dest, z_streamp source)
{
	int err = wdz_system()->inflateCopy(dest, source);

	if (!err)
		dest->reserved = 0;
	return err;
}

int inflate(z_streamp strm, int flush)
{
	const uint64_t note = note_of(strm);
	int ret;

	if (note & NOTE_FIRST && strm->avail_in) {
		strm->reserved = note & ~(uint64_t)NOTE_FIRST;
		if (strm->avail_in >= wdz_inflate_min(wdz_settings()) &&
		    try_whole(strm, note & ~(uint64_t)NOTE_FIRST, flush, &ret))
			return ret;
	}
	return wdz_system()->inflate(strm, flush);
}

/* ---------------------------------------------------------------- let through */

/* The stream is zlib's to the next reset, or where that does not undo @what, for longer. */
static void leave_to_zlib(z_streamp strm, uint64_t what)
{
	if (note_of(strm))
		strm->reserved &= ~(what | NOTE_FIRST);
}

int inflateGetHeader(z_streamp strm, gz_headerp head)
{
	leave_to_zlib(strm, 0);
	return wdz_system()->inflateGetHeader(strm, head);
}

int inflatePrime(z_streamp strm, int bits, int value)
{
	leave_to_zlib(strm, 0);
	return wdz_system()->inflatePrime(strm, bits, value);
}

int inflateResetKeep(z_streamp strm)
{
	leave_to_zlib(strm, 0);
	return wdz_system()->inflateResetKeep(strm);
}

int inflateSetDictionary(z_streamp strm, const Bytef *dictionary, uInt dictLength)
{
	leave_to_zlib(strm, 0);
	return wdz_system()->inflateSetDictionary(strm, dictionary, dictLength);
}

int inflateSync(z_streamp strm)
{
	leave_to_zlib(strm, NOTE_PLAIN);
	return wdz_system()->inflateSync(strm);
}

int inflateUndermine(z_streamp strm, int subvert)
{
	leave_to_zlib(strm, NOTE_PLAIN);
	return wdz_system()->inflateUndermine(strm, subvert);
}

int inflateValidate(z_streamp strm, int check)
{
	leave_to_zlib(strm, NOTE_PLAIN);
	return wdz_system()->inflateValidate(strm, check);
}

unsigned long inflateCodesUsed(z_streamp strm)
{
	return wdz_system()->inflateCodesUsed(strm);
}

int inflateGetDictionary(z_streamp strm, Bytef *dictionary, uInt *dictLength)
{
	return wdz_system()->inflateGetDictionary(strm, dictionary, dictLength);
}

long inflateMark(z_streamp strm)
{
	return wdz_system()->inflateMark(strm);
}

int inflateSyncPoint(z_streamp strm)
{
	return wdz_system()->inflateSyncPoint(strm);
}

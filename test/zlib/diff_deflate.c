/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Random programs of deflate calls.  Each side puts out what it likes, so a
 * step's room may end a side's work sooner or later: a step is repeated, with the
 * same flush, until both sides had room left, and only then are they compared.
 * A lazy step is not repeated; nothing is compared until the next that is.
 */
#include <stdio.h>
#include <string.h>

#include "diff_decode.h"

#define PAIRS_MAX 3u

/* Of a window, what zlib's deflate may not have at hand. */
#define LOOKAHEAD_MIN 262u

struct pair {
	struct run *run;
	z_stream strm[SIDES];
	bool is_live;
	bool is_custom; /* allocators */
	enum wrap wrap;
	int window_bits;
	int level;
	int strategy;
	int mem_level;
	gz_header *header;

	/* The input of the stream begins at @start and was handed over up to @given. */
	size_t start;
	size_t given;
	size_t dictionary_in; /* zlib counts dictionaries in total_in */
	struct grown out[SIDES];
	struct decoder decoder[SIDES];
	struct grown dictionary;

	bool is_begun;	    /* deflate() was called */
	bool is_lazy;	    /* a side may have more to put out */
	bool is_finishing;  /* Z_FINISH was given */
	bool is_ended;	    /* and answered with Z_STREAM_END */
	bool is_flush_free; /* no flush so far */
	bool is_aligned;    /* a flush was the last that happened */
	bool is_primable;   /* that flush was Z_BLOCK */
	bool is_odd;	    /* levels, history or bits that decide data_type otherwise */
	bool is_header_same;
	bool is_kept; /* the window of a stream before counts, so zlib's output may not decode */
	size_t first_flush;    /* how much input came before it */
	size_t history;	       /* bytes in the window, dictionaries too, before @fresh */
	bool is_history_vague; /* a full flush was begun and not waited for */
	size_t fresh;	       /* input position from which on history was counted */
	size_t full_at[SIDES];
	size_t full_given; /* at the last full flush; SIZE_MAX: none */
};

struct program {
	struct run *run;
	uint8_t *data;
	size_t bytes;
	struct pair pair[PAIRS_MAX];
	unsigned int piece_style;
	unsigned int room_style;
	unsigned int flush_percent;
};

static const char *flush_name(int flush)
{
	static const char *const names[] = { "NO_FLUSH",   "PARTIAL_FLUSH", "SYNC_FLUSH",
					     "FULL_FLUSH", "FINISH",	    "BLOCK",
					     "TREES" };

	return flush >= 0 && flush <= Z_TREES ? names[flush] : "?";
}

static void show(struct pair *p)
{
	for (int s = 0; s < SIDES; s++)
		p->run->shown[s] = &p->strm[s];
}

static size_t consumed(const struct pair *p, int s)
{
	return p->start + p->strm[s].total_in - p->dictionary_in;
}

/* The start of a stream, the first or one after a reset. */
static void begin_stream(struct pair *p, size_t start, bool keeps_window)
{
	p->start = start;
	p->given = start;
	p->dictionary_in = 0;
	p->is_begun = false;
	p->is_lazy = false;
	p->is_finishing = false;
	p->is_ended = false;
	p->is_flush_free = true;
	p->is_aligned = false;
	p->is_primable = false;
	p->is_odd = keeps_window || p->level == 0;
	p->is_kept = keeps_window && (p->is_kept || p->history + start - p->fresh);
	p->is_header_same = false;
	p->first_flush = SIZE_MAX;
	if (!keeps_window) {
		p->history = 0;
		p->is_history_vague = false;
		p->fresh = start;
	}
	p->full_given = SIZE_MAX;
	p->dictionary.nr = 0;
	for (int s = 0; s < SIDES; s++)
		p->out[s].nr = 0;
}

/* How long the judge's header is, or more than there is yet. */
static size_t header_bytes(const struct pair *p)
{
	const struct grown *out = &p->out[JUDGE];
	const gz_header *h = p->header;
	size_t n;

	if (p->wrap == WRAP_RAW)
		return 0;
	if (p->wrap == WRAP_ZLIB)
		return out->nr >= 2 && (out->bytes[1] & 0x20) ? 6 : 2;
	n = 10;
	if (h) {
		n += h->extra ? 2 + h->extra_len : 0;
		n += h->name ? strlen((char *)h->name) + 1 : 0;
		n += h->comment ? strlen((char *)h->comment) + 1 : 0;
		n += h->hcrc ? 2 : 0;
	}
	return n;
}

static void check_header(struct pair *p, int flush)
{
	const struct grown *a = &p->out[JUDGE];
	const struct grown *b = &p->out[SUBJECT];
	size_t n = header_bytes(p);

	if (p->is_flush_free && flush == Z_NO_FLUSH && p->given - p->start < 100 && !p->is_odd)
		diff_equal(p->run, "total_out after the header", p->strm[JUDGE].total_out,
			   p->strm[SUBJECT].total_out);
	if (p->is_header_same || a->nr < n || b->nr < n)
		return;
	if (n && memcmp(a->bytes, b->bytes, n) != 0)
		diff_fail(p->run, "the header's %zu bytes are others", n);
	p->is_header_same = true;
}

static bool is_binary_byte(uint8_t c)
{
	return c <= 6 || (c >= 14 && c <= 25) || (c >= 28 && c <= 31);
}

/* Compared where what every first block must hold decides. */
static void check_data_type(struct pair *p, const uint8_t *data)
{
	size_t bytes = p->given - p->start;
	size_t sure = ((size_t)1 << (p->mem_level + 6)) - 1;

	if (p->is_odd || p->dictionary.nr)
		return;
	sure = sure < p->first_flush ? sure : p->first_flush;
	for (size_t i = 0; i < bytes; i++) {
		if (is_binary_byte(data[p->start + i])) {
			if (i >= sure)
				return;
			break;
		}
	}
	diff_equal(p->run, "data_type", (unsigned long)p->strm[JUDGE].data_type,
		   (unsigned long)p->strm[SUBJECT].data_type);
}

/* Both had room left: what is left to see of the streams is equal. */
static void check_counters(struct pair *p)
{
	const z_stream *a = &p->strm[JUDGE];
	const z_stream *b = &p->strm[SUBJECT];

	diff_equal(p->run, "total_in", a->total_in, b->total_in);
	diff_equal(p->run, "avail_in", a->avail_in, b->avail_in);
	diff_equal(p->run, "adler", a->adler, b->adler);
	diff_equal_msg(p->run);
	diff_equal_allocs(p->run);
}

static void check_marker(struct pair *p, int s)
{
	static const uint8_t marker[] = { 0, 0, 0xff, 0xff };
	const struct grown *out = &p->out[s];
	unsigned int pending = 99;
	int bits = 99;

	if (out->nr < 4 || memcmp(out->bytes + out->nr - 4, marker, 4) != 0)
		diff_fail(p->run, "the flushed output does not end with 00 00 ff ff");
	p->run->ret[s] = p->run->api[s]->deflatePending(&p->strm[s], &pending, &bits);
	if (p->run->ret[s] || pending || bits)
		diff_fail(p->run, "after a flush deflatePending() says %u bytes, %d bits", pending,
			  bits);
}

/* All that was given decodes from what came out. */
static void check_decodes(struct program *g, struct pair *p, int s, bool is_all)
{
	size_t bytes = p->given - p->start;

	if (p->is_kept)
		return;
	decoder_feed(g->run, &p->decoder[s], &p->out[s], &p->dictionary, g->data + p->start, bytes);
	if (is_all && p->decoder[s].said != bytes)
		diff_fail(g->run, "flushed, but only %zu of %zu bytes decode", p->decoder[s].said,
			  bytes);
	if (p->decoder[s].is_ended != p->is_ended)
		diff_fail(g->run, "the output's end comes %s",
			  p->is_ended ? "not with Z_STREAM_END" : "too early");
}

/* What a side was given and took in one call; moves only as much as it says. */
static void check_call(struct pair *p, int s, const z_stream *before)
{
	const z_stream *z = &p->strm[s];

	if (z->avail_in > before->avail_in || z->avail_out > before->avail_out)
		diff_fail(p->run, "avail_in or avail_out grew");
	if (before->next_in && z->next_in != before->next_in + (before->avail_in - z->avail_in))
		diff_fail(p->run, "next_in and avail_in moved differently");
	if (before->next_out &&
	    z->next_out != before->next_out + (before->avail_out - z->avail_out))
		diff_fail(p->run, "next_out and avail_out moved differently");
	if (z->total_in - before->total_in != before->avail_in - z->avail_in ||
	    z->total_out - before->total_out != before->avail_out - z->avail_out)
		diff_fail(p->run, "totals moved differently");
}

/* Room for the @call-th call of a step: as the style has it at first, then more. */
static size_t next_room(struct rng *room, unsigned int style, unsigned int call)
{
	size_t n = rng_step(room, style);
	size_t least = call < 12 ? 0 : call < 40 ? 5000 : (size_t)1 << 20;

	n = n < least ? least : n;
	return n < ROOM_MAX ? n : ROOM_MAX;
}

/* What the calls of a step have in common: deflate(), or deflateParams(). */
struct step {
	bool is_params;
	int flush;
	int level;
	int strategy;
	bool is_lazy;
	size_t upto; /* input is handed over up to here */
};

static void one_call(struct pair *p, int s, const struct step *step, size_t room)
{
	struct run *run = p->run;
	z_stream *z = &p->strm[s];
	z_stream before;
	uint8_t *at = place_out(run, s, room);

	z->next_out = at;
	z->avail_out = (uInt)room;
	before = *z;
	run->ret[s] = step->is_params ? run->api[s]->deflateParams(z, step->level, step->strategy) :
					run->api[s]->deflate(z, step->flush);
	diff_intact(run);
	check_call(p, s, &before);
	grown_add(run, &p->out[s], at, room - z->avail_out);
}

static bool is_done(const struct pair *p, int s, const struct step *step)
{
	long ret = p->run->ret[s];

	if (step->is_lazy || ret == Z_STREAM_END || (ret != Z_OK && ret != Z_BUF_ERROR))
		return true;
	if (step->is_params)
		return ret == Z_OK;
	return p->strm[s].avail_out > 0;
}

/* The number of calls that it took. */
static unsigned int run_side(struct program *g, struct pair *p, int s, const struct step *step,
			     struct rng room)
{
	z_stream *z = &p->strm[s];
	size_t at = consumed(p, s);
	unsigned int call = 0;

	z->next_in = place_in(p->run, s, g->data + at, step->upto - at);
	z->avail_in = (uInt)(step->upto - at);
	do {
		if (call == 4000)
			diff_fail(p->run, "does not come to an end");
		one_call(p, s, step, next_room(&room, g->room_style, call++));
	} while (!is_done(p, s, step));
	if (step->upto > at && memcmp(p->run->in[s].at, g->data + at, step->upto - at) != 0)
		diff_fail(p->run, "wrote to its input");
	return call;
}

/*
 * A side whose room was just used up learns in one more call that there was
 * nothing left, by Z_BUF_ERROR and its message; the other never asked.
 */
static void forgive_buf_error(struct pair *p)
{
	struct run *run = p->run;

	for (int s = 0; s < SIDES; s++)
		if (run->ret[s] == Z_BUF_ERROR)
			run->ret[s] = Z_OK;
	for (int s = 0; s < SIDES; s++)
		p->strm[s].msg = Z_NULL;
}

/* Runs the step on both sides; false if lazy, or an error that both had. */
static bool run_step(struct program *g, struct pair *p, const struct step *step)
{
	struct rng room = rng_fork(&g->run->rng);
	bool is_excused = p->is_lazy;
	unsigned int calls[SIDES];

	for (int s = 0; s < SIDES; s++)
		calls[s] = run_side(g, p, s, step, room);
	is_excused |= calls[JUDGE] > 1 || calls[SUBJECT] > 1;
	p->is_begun |= !step->is_params;
	p->given = step->upto;
	p->is_lazy = step->is_lazy;
	if (step->is_lazy) {
		for (int s = 0; s < SIDES; s++)
			if (g->run->ret[s] != Z_OK && g->run->ret[s] != Z_BUF_ERROR &&
			    g->run->ret[s] != Z_STREAM_END)
				diff_fail(g->run, "returned %ld", g->run->ret[s]);
		forgive_buf_error(p);
		return false;
	}
	if (is_excused)
		forgive_buf_error(p);
	diff_equal_ret(g->run);
	check_counters(p);
	return g->run->ret[JUDGE] == Z_OK || g->run->ret[JUDGE] == Z_STREAM_END;
}

static void check_flushed(struct program *g, struct pair *p, int flush)
{
	bool is_all = flush != Z_NO_FLUSH && flush != Z_BLOCK;

	if (p->first_flush == SIZE_MAX && flush != Z_NO_FLUSH)
		p->first_flush = p->given - p->start;
	for (int s = 0; s < SIDES; s++)
		check_decodes(g, p, s, is_all);
	if (is_all)
		check_data_type(p, g->data);
	if (flush == Z_SYNC_FLUSH || flush == Z_FULL_FLUSH)
		for (int s = 0; s < SIDES; s++)
			check_marker(p, s);
	if (flush != Z_FULL_FLUSH)
		return;
	p->full_given = p->given;
	p->is_history_vague = false;
	p->history = 0;
	p->fresh = p->given;
	for (int s = 0; s < SIDES; s++)
		p->full_at[s] = p->out[s].nr;
}

static void check_end(struct program *g, struct pair *p)
{
	if (p->full_given != SIZE_MAX && !p->is_kept)
		for (int s = 0; s < SIDES; s++)
			decode_from_flush(g->run, &p->out[s], p->full_at[s],
					  p->decoder[s].window_bits, g->data + p->full_given,
					  p->given - p->full_given);
}

static void deflate_step(struct program *g, struct pair *p, const struct step *step)
{
	bool is_first_end = step->flush == Z_FINISH && !p->is_ended;

	diff_step(g->run, "stream %d, %s: %s with %zu bytes of input%s", (int)(p - g->pair),
		  step->is_lazy ? "deflate, once" : "deflate", flush_name(step->flush),
		  step->upto - p->given, p->is_lazy ? " after an unfinished call" : "");
	p->is_finishing |= step->flush == Z_FINISH;
	if (!run_step(g, p, step)) {
		p->is_history_vague |= step->is_lazy && step->flush == Z_FULL_FLUSH;
		p->is_aligned &= !step->is_lazy;
		p->is_primable &= !step->is_lazy;
		p->is_flush_free &= step->flush == Z_NO_FLUSH;
		p->is_odd |= step->is_lazy && step->flush != Z_NO_FLUSH;
		return;
	}
	p->is_ended = g->run->ret[JUDGE] == Z_STREAM_END;
	check_header(p, step->flush);
	p->is_flush_free &= step->flush == Z_NO_FLUSH;
	check_flushed(g, p, step->flush);
	p->is_aligned = step->flush == Z_SYNC_FLUSH || step->flush == Z_FULL_FLUSH ||
			step->flush == Z_PARTIAL_FLUSH;
	p->is_primable = step->flush == Z_BLOCK;
	if (p->is_ended && is_first_end)
		check_end(g, p);
}

static int choose_flush(struct program *g)
{
	static const int flushes[] = { Z_SYNC_FLUSH,	Z_SYNC_FLUSH, Z_FULL_FLUSH,
				       Z_PARTIAL_FLUSH, Z_BLOCK,      Z_FINISH };

	return rng_chance(&g->run->rng, g->flush_percent) ? flushes[rng_below(&g->run->rng, 6)] :
							    Z_NO_FLUSH;
}

static size_t choose_piece(struct program *g, struct pair *p, int flush)
{
	size_t left = g->bytes - p->given;
	size_t n = rng_step(&g->run->rng, g->piece_style);

	if (p->is_finishing || p->is_ended)
		return 0;
	if (flush == Z_FINISH && rng_chance(&g->run->rng, 50))
		return left;
	return n < left ? n : left;
}

static void do_deflate(struct program *g, struct pair *p)
{
	struct step step = { .flush = Z_FINISH };

	if (!p->is_finishing)
		step.flush = choose_flush(g);
	step.upto = p->given + choose_piece(g, p, step.flush);
	step.is_lazy = !p->is_ended && rng_chance(&g->run->rng, 15);
	deflate_step(g, p, &step);
}

/* The end of input that was not taken yet is taken, and nothing stays behind. */
static void do_drain(struct program *g, struct pair *p)
{
	struct step step = { .flush = p->is_finishing ? Z_FINISH : Z_NO_FLUSH, .upto = p->given };

	if (p->is_lazy)
		deflate_step(g, p, &step);
}

static void do_params(struct program *g, struct pair *p)
{
	struct rng *r = &g->run->rng;
	struct step step = {
		.is_params = true,
		.flush = Z_BLOCK,
		.level = (int)rng_below(r, 11) - 1,
		.strategy = rng_chance(r, 70) ? p->strategy : (int)rng_below(r, 5),
		.upto = p->given,
	};
	bool is_done;

	if (rng_chance(r, 4))
		step.level = 10;
	if (rng_chance(r, 4))
		step.strategy = rng_chance(r, 50) ? 5 : -1;
	/* With input it is taken at the old level, or is left where nothing changes. */
	if (!p->is_finishing && g->run->step % 2) {
		size_t left = g->bytes - p->given;

		step.upto += g->run->step * 97u < left ? g->run->step * 97u : left;
	}
	diff_step(g->run, "stream %d, deflateParams: level %d, strategy %d, %zu bytes of input",
		  (int)(p - g->pair), step.level, step.strategy, step.upto - p->given);
	p->is_odd |= p->is_begun;
	p->is_flush_free &= !p->is_begun;
	is_done = run_step(g, p, &step);
	p->given = consumed(p, JUDGE);
	if (!is_done)
		return;
	p->is_lazy = p->strm[JUDGE].avail_out == 0 || p->strm[SUBJECT].avail_out == 0;
	p->is_aligned = false;
	p->is_primable = false;
	p->level = step.level;
	p->strategy = step.strategy;
	p->is_odd |= step.level == 0;
}

/* The window's content, which may lack its newest bytes' oldest counterparts. */
static void do_get_dictionary(struct program *g, struct pair *p)
{
	size_t window = (size_t)1 << p->decoder[JUDGE].window_bits;
	size_t history = p->history + (p->given - p->fresh);
	uInt nr[SIDES] = { 0 };
	size_t tail;

	diff_step(g->run, "deflateGetDictionary: %zu bytes of history", history);
	for (int s = 0; s < SIDES; s++) {
		uint8_t *at = place_aux(g->run, s, NULL, window);

		g->run->ret[s] = g->run->api[s]->deflateGetDictionary(&p->strm[s], at, &nr[s]);
	}
	diff_intact(g->run);
	diff_equal_ret(g->run);
	if (p->is_history_vague)
		; /* the lengths may differ, the newest bytes may not */
	else if (history + LOOKAHEAD_MIN <= window)
		diff_equal(g->run, "dictionary's length", nr[JUDGE], nr[SUBJECT]);
	else if (nr[SUBJECT] > window || (nr[JUDGE] && nr[SUBJECT] + LOOKAHEAD_MIN < nr[JUDGE]))
		diff_fail(g->run, "%u bytes of dictionary, not %u", nr[SUBJECT], nr[JUDGE]);
	tail = nr[JUDGE] < nr[SUBJECT] ? nr[JUDGE] : nr[SUBJECT];
	if (memcmp(g->run->aux[JUDGE].at + nr[JUDGE] - tail,
		   g->run->aux[SUBJECT].at + nr[SUBJECT] - tail, tail) != 0)
		diff_fail(g->run, "the dictionary's bytes are others");
}

static size_t make_dictionary(struct program *g, uint8_t *buf, size_t max)
{
	struct rng *r = &g->run->rng;
	size_t n = rng_length(r, max);

	if (g->bytes && rng_chance(r, 70)) {
		size_t at = rng_below(r, (uint32_t)g->bytes);

		n = n < g->bytes - at ? n : g->bytes - at;
		memcpy(buf, g->data + at, n);
	} else {
		data_make(r, buf, n);
	}
	return n;
}

/* Raw streams take one after a flush too; all others only before they begin. */
static void do_set_dictionary(struct program *g, struct pair *p)
{
	struct run *run = g->run;
	uLong before = p->strm[JUDGE].total_in;
	uint8_t *buf = run_alloc(run, 70000);
	struct grown now = { .bytes = buf, .nr = make_dictionary(g, buf, 70000) };

	/* In these zlib would compress the dictionary itself. */
	if (p->is_begun && !p->is_aligned && p->wrap == WRAP_RAW)
		return;
	diff_step(run, "deflateSetDictionary: %zu bytes", now.nr);
	for (int s = 0; s < SIDES; s++) {
		uint8_t *at = place_aux(run, s, buf, now.nr);

		run->ret[s] = run->api[s]->deflateSetDictionary(&p->strm[s], at, (uInt)now.nr);
	}
	diff_intact(run);
	diff_equal_ret(run);
	check_counters(p);
	p->dictionary_in += p->strm[JUDGE].total_in - before;
	if (run->ret[JUDGE] != Z_OK)
		return;
	grown_add(run, &p->dictionary, buf, now.nr);
	p->history += p->given - p->fresh + now.nr;
	p->fresh = p->given;
	p->full_given = SIZE_MAX;
	if (p->wrap != WRAP_RAW)
		return;
	for (int s = 0; s < SIDES; s++)
		if (!p->decoder[s].is_ended)
			decoder_preset(run, &p->decoder[s], &now);
}

/* An empty block of fixed codes is ten bits and decodes to nothing. */
static void do_prime(struct program *g, struct pair *p)
{
	const int value = 2;
	const int bits = 10;
	int cut = 1 + (int)rng_below(&g->run->rng, 10);

	if (p->is_begun ? !p->is_primable : p->wrap != WRAP_RAW)
		return;
	diff_step(g->run, "deflatePrime: an empty block in pieces of %d bits", cut);
	p->is_odd = true;
	for (int at = 0; at < bits; at += cut) {
		int n = cut < bits - at ? cut : bits - at;

		for (int s = 0; s < SIDES; s++)
			g->run->ret[s] = g->run->api[s]->deflatePrime(
				&p->strm[s], n, (value >> at) & ((1 << n) - 1));
		diff_equal_ret(g->run);
		if (g->run->ret[JUDGE])
			diff_fail(g->run, "priming failed");
	}
	check_counters(p);
}

static void do_tune(struct program *g, struct pair *p)
{
	int v[4];

	for (int i = 0; i < 4; i++)
		v[i] = 4 + (int)rng_below(&g->run->rng, 250);
	diff_step(g->run, "deflateTune: %d %d %d %d", v[0], v[1], v[2], v[3]);
	for (int s = 0; s < SIDES; s++)
		g->run->ret[s] = g->run->api[s]->deflateTune(&p->strm[s], v[0], v[1], v[2], v[3]);
	diff_equal_ret(g->run);
}

static void do_copy(struct program *g, struct pair *p)
{
	struct pair *to = NULL;

	for (unsigned int i = 0; i < PAIRS_MAX && !to; i++)
		if (!g->pair[i].is_live)
			to = &g->pair[i];
	if (!to)
		return;
	diff_step(g->run, "deflateCopy");
	*to = *p;
	for (int s = 0; s < SIDES; s++) {
		memset(&to->strm[s], 0x3c, sizeof(to->strm[s]));
		g->run->ret[s] = g->run->api[s]->deflateCopy(&to->strm[s], &p->strm[s]);
	}
	diff_equal_ret(g->run);
	check_counters(p);
	to->is_live = g->run->ret[JUDGE] == Z_OK;
	if (!to->is_live)
		return;
	show(to);
	check_counters(to);
	to->dictionary = (struct grown){ 0 };
	grown_add(g->run, &to->dictionary, p->dictionary.bytes, p->dictionary.nr);
	for (int s = 0; s < SIDES; s++) {
		to->out[s] = (struct grown){ 0 };
		grown_add(g->run, &to->out[s], p->out[s].bytes, p->out[s].nr);
		decoder_copy(g->run, &to->decoder[s], &p->decoder[s]);
	}
}

static void do_reset(struct program *g, struct pair *p)
{
	/* Kept is a window, which zlib has in order at the end of a stream only. */
	bool keeps = (p->is_ended || (!p->is_begun && p->dictionary.nr == 0)) &&
		     rng_chance(&g->run->rng, 40);

	diff_step(g->run, keeps ? "deflateResetKeep" : "deflateReset");
	for (int s = 0; s < SIDES; s++)
		g->run->ret[s] = keeps ? g->run->api[s]->deflateResetKeep(&p->strm[s]) :
					 g->run->api[s]->deflateReset(&p->strm[s]);
	diff_equal_ret(g->run);
	/* What was given and not taken is the caller's again. */
	for (int s = 0; s < SIDES; s++)
		p->strm[s].avail_in = 0;
	check_counters(p);
	diff_equal(g->run, "total_out", p->strm[JUDGE].total_out, p->strm[SUBJECT].total_out);
	diff_equal(g->run, "data_type", (unsigned long)p->strm[JUDGE].data_type,
		   (unsigned long)p->strm[SUBJECT].data_type);
	begin_stream(p, p->given, keeps);
	for (int s = 0; s < SIDES; s++)
		decoder_restart(g->run, &p->decoder[s]);
}

static void do_set_header(struct program *g, struct pair *p)
{
	gz_header *h;

	if (p->is_begun && p->wrap == WRAP_GZIP)
		return;
	h = rng_chance(&g->run->rng, 85) ? make_header(g->run) : NULL;
	diff_step(g->run, "deflateSetHeader%s", h ? "" : " with none");
	for (int s = 0; s < SIDES; s++)
		g->run->ret[s] = g->run->api[s]->deflateSetHeader(&p->strm[s], h);
	diff_equal_ret(g->run);
	check_counters(p);
	if (p->wrap == WRAP_GZIP)
		p->header = h;
}

/* What a call that must not work says; nothing may move. */
static long misuse(const struct zlib_api *api, z_stream *z, unsigned int which, int flush)
{
	z_stream moved = *z;

	switch (which) {
	case 0:
		z->next_out = Z_NULL;
		return api->deflate(z, flush);
	case 1:
		z->avail_out = 0;
		return api->deflate(z, flush);
	case 2:
		return api->deflate(z, 7);
	case 3:
		return api->deflate(z, -1);
	case 4:
		return api->deflate(z, Z_TREES);
	case 5:
		z->next_in = Z_NULL;
		z->avail_in = 1;
		return api->deflate(z, flush);
	case 6:
		return api->deflate(Z_NULL, flush) * 100 +
		       api->deflateInit_(Z_NULL, 1, ZLIB_VERSION, (int)sizeof(*z));
	case 7:
		return api->deflate(&moved, flush);
	case 8:
		return api->deflateSetDictionary(z, Z_NULL, 3);
	case 9:
		return api->deflatePrime(z, 17, 0) * 100 + api->deflatePrime(z, -1, 0);
	case 10:
		return api->inflate(z, flush);
	case 11:
		return api->deflateEnd(Z_NULL) * 100 + api->deflateEnd(&moved);
	case 12:
		return api->deflateReset(&moved) * 100 + api->deflateParams(&moved, 1, 0);
	case 13:
		return api->deflateCopy(Z_NULL, z) * 100 + api->deflateCopy(&moved, Z_NULL);
	default:
		return api->deflateTune(&moved, 1, 1, 1, 1) * 100 +
		       api->deflatePending(z, Z_NULL, Z_NULL);
	}
}

static void do_misuse(struct program *g, struct pair *p)
{
	unsigned int which = rng_below(&g->run->rng, 15);
	int flush = p->is_finishing ? Z_FINISH : (int)rng_below(&g->run->rng, 5);

	diff_step(g->run, "misuse %u with %s", which, flush_name(flush));
	for (int s = 0; s < SIDES; s++) {
		z_stream *z = &p->strm[s];
		uLong in = z->total_in;
		uLong out = z->total_out;

		z->next_in = place_in(g->run, s, NULL, 0);
		z->avail_in = 0;
		z->next_out = place_out(g->run, s, 100);
		z->avail_out = 100;
		g->run->ret[s] = misuse(g->run->api[s], z, which, flush);
		if (z->total_in != in || z->total_out != out)
			diff_fail(g->run, "a call that must not work moved something");
		z->avail_in = 0;
	}
	diff_intact(g->run);
	diff_equal_ret(g->run);
	diff_equal_msg(g->run);
}

/* Calls after the end, which are answered, but with nothing. */
static void do_after_end(struct program *g, struct pair *p)
{
	int flush = rng_chance(&g->run->rng, 50) ? Z_FINISH : (int)rng_below(&g->run->rng, 6);
	uInt in = rng_chance(&g->run->rng, 40) ? 1 : 0;

	diff_step(g->run, "deflate after the end: %s with %u bytes", flush_name(flush), in);
	for (int s = 0; s < SIDES; s++) {
		z_stream *z = &p->strm[s];

		z->next_in = place_in(g->run, s, "x", in);
		z->avail_in = in;
		z->next_out = place_out(g->run, s, 50);
		z->avail_out = 50;
		g->run->ret[s] = g->run->api[s]->deflate(z, flush);
		if (z->avail_out != 50 || z->avail_in != in)
			diff_fail(g->run, "something moved");
	}
	diff_equal_ret(g->run);
	check_counters(p);
	for (int s = 0; s < SIDES; s++)
		p->strm[s].avail_in = 0;
}

/* 0, or what the judge answered that did not make a stream. */
static long do_init(struct program *g, struct pair *p, const char *version, int size, int method)
{
	struct run *run = g->run;
	bool is_plain = p->wrap == WRAP_ZLIB && p->window_bits == 15 && p->mem_level == 8 &&
			p->strategy == 0 && method == Z_DEFLATED && rng_chance(&run->rng, 60);
	int bits = wrap_window_bits(p->wrap, p->window_bits);

	diff_step(run, "%s: level %d, windowBits %d, memLevel %d, strategy %d%s",
		  is_plain ? "deflateInit" : "deflateInit2", p->level, bits, p->mem_level,
		  p->strategy, p->is_custom ? ", allocators" : "");
	for (int s = 0; s < SIDES; s++) {
		z_stream *z = &p->strm[s];

		memset(z, 0, sizeof(*z));
		set_allocators(run, z, s, p->is_custom);
		run->ret[s] = is_plain ? run->api[s]->deflateInit_(z, p->level, version, size) :
					 run->api[s]->deflateInit2_(z, p->level, method, bits,
								    p->mem_level, p->strategy,
								    version, size);
	}
	show(p);
	diff_equal_ret(run);
	check_counters(p);
	return run->ret[JUDGE];
}

static void choose_settings(struct program *g, struct pair *p)
{
	static const int levels[] = { -1, 0, 1, 1, 1, 2, 3, 4, 5, 6, 6, 6, 7, 8, 9 };
	struct rng *r = &g->run->rng;

	p->run = g->run;
	p->wrap = (enum wrap)rng_below(r, 3);
	p->level = levels[rng_below(r, 15)];
	p->window_bits = rng_chance(r, 80) ? 15 : 8 + (int)rng_below(r, 8);
	p->mem_level = rng_chance(r, 80) ? 8 : 1 + (int)rng_below(r, 9);
	p->strategy = rng_chance(r, 85) ? 0 : (int)rng_below(r, 5);
	p->is_custom = use_allocators(g->run);
}

/* Sometimes one of the arguments is wrong. */
static bool open_pair(struct program *g, struct pair *p)
{
	struct rng *r = &g->run->rng;
	const char *version = ZLIB_VERSION;
	int size = (int)sizeof(z_stream);
	int method = Z_DEFLATED;

	choose_settings(g, p);
	if (rng_chance(r, 4)) {
		switch (rng_below(r, 7)) {
		case 0:
			p->level = rng_chance(r, 50) ? 10 : -2;
			break;
		case 1:
			p->window_bits = rng_chance(r, 50) ? 16 : 7;
			break;
		case 2:
			p->mem_level = rng_chance(r, 50) ? 0 : 10;
			break;
		case 3:
			p->strategy = rng_chance(r, 50) ? 5 : -1;
			break;
		case 4:
			version = rng_chance(r, 50) ? "2.0" : NULL;
			break;
		case 5:
			size -= 4;
			break;
		default:
			method = 7;
		}
	}
	if (do_init(g, p, version, size, method))
		return false;
	p->is_live = true;
	for (int s = 0; s < SIDES; s++)
		decoder_open(g->run, &p->decoder[s], p->wrap, p->window_bits);
	begin_stream(p, 0, false);
	if (p->wrap == WRAP_GZIP && rng_chance(r, 40))
		do_set_header(g, p);
	if (rng_chance(r, 10))
		do_set_dictionary(g, p);
	return true;
}

/* Its return tells whether the stream was in the midst of something. */
static void close_pair(struct program *g, struct pair *p)
{
	show(p);
	diff_step(g->run, "deflateEnd");
	for (int s = 0; s < SIDES; s++) {
		p->strm[s].avail_in = 0;
		g->run->ret[s] = g->run->api[s]->deflateEnd(&p->strm[s]);
		decoder_close(g->run, &p->decoder[s]);
	}
	p->is_live = false;
	if (!p->is_lazy || !p->is_finishing)
		diff_equal_ret(g->run);
	diff_equal_msg(g->run);
	diff_equal_allocs(g->run);
}

static void do_something(struct program *g, struct pair *p)
{
	uint32_t choice = rng_below(&g->run->rng, 100);

	show(p);
	if (choice < 72) {
		do_deflate(g, p);
		if (p->is_primable && rng_chance(&g->run->rng, 30))
			do_prime(g, p);
		return;
	}
	if (choice < 78) {
		do_misuse(g, p);
		return;
	}
	do_drain(g, p);
	if (p->is_lazy)
		return;
	if (choice < 83)
		do_params(g, p);
	else if (choice < 87)
		do_get_dictionary(g, p);
	else if (choice < 90)
		do_set_dictionary(g, p);
	else if (choice < 91)
		do_set_header(g, p);
	else if (choice < 93)
		do_copy(g, p);
	else if (choice < 95)
		do_tune(g, p);
	else if (choice < 96)
		do_prime(g, p);
	else if (p->is_ended && rng_chance(&g->run->rng, 50))
		do_after_end(g, p);
	else if (p->is_ended || choice < 98)
		do_reset(g, p);
}

static void finish_pair(struct program *g, struct pair *p)
{
	struct step step = { .flush = Z_FINISH, .upto = p->given };

	show(p);
	if (rng_chance(&g->run->rng, 90)) {
		if (!p->is_finishing && rng_chance(&g->run->rng, 60))
			step.upto = g->bytes;
		deflate_step(g, p, &step);
		if (rng_chance(&g->run->rng, 30))
			do_after_end(g, p);
	}
	close_pair(g, p);
}

/* One call with the room that deflateBound() asks for. */
static void bound_program(struct program *g)
{
	struct pair *p = &g->pair[0];
	struct run *run = g->run;
	uLong bound[SIDES];

	diff_step(run, "deflateBound and one deflate");
	for (int s = 0; s < SIDES; s++) {
		z_stream *z = &p->strm[s];

		bound[s] = run->api[s]->deflateBound(z, g->bytes);
		if (bound[s] > ROOM_MAX)
			diff_fail(run, "a bound of %lu", bound[s]);
		z->next_in = place_in(run, s, g->data, g->bytes);
		z->avail_in = (uInt)g->bytes;
		one_call(p, s, &(struct step){ .flush = Z_FINISH }, bound[s]);
	}
	p->is_begun = true;
	p->is_finishing = true;
	p->given = g->bytes;
	if (run->ret[JUDGE] != Z_STREAM_END) {
		p->is_lazy = true; /* the judge's own bound did not hold */
		return;
	}
	diff_equal_ret(run);
	p->is_ended = true;
	check_counters(p);
	check_header(p, Z_FINISH);
	check_flushed(g, p, Z_FINISH);
}

void deflate_program(struct run *run)
{
	struct program g = { .run = run };
	struct rng *r = &run->rng;
	unsigned int steps = 3 + rng_below(r, 40);

	g.bytes = rng_length(r, DATA_MAX);
	g.data = run_alloc(run, g.bytes);
	data_make(r, g.data, g.bytes);
	g.piece_style = rng_style(r);
	g.room_style = rng_chance(r, 40) ? RNG_STYLES - 1 : rng_style(r);
	g.flush_percent = rng_chance(r, 50) ? 3 : 10 + rng_below(r, 60);
	if (!open_pair(&g, &g.pair[0]))
		return;
	if (rng_chance(r, 15)) {
		bound_program(&g);
		close_pair(&g, &g.pair[0]);
		return;
	}
	while (steps--) {
		struct pair *p = &g.pair[rng_below(r, PAIRS_MAX)];

		do_something(&g, p->is_live ? p : &g.pair[0]);
	}
	for (unsigned int i = 0; i < PAIRS_MAX; i++)
		if (g.pair[i].is_live)
			finish_pair(&g, &g.pair[i]);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Random programs of inflate calls on streams that the judge made.  What comes
 * out of a stream is no choice, so here everything is compared at every step.
 */
#include <stdio.h>
#include <string.h>

#include "diff_streams.h"

#define PAIRS_MAX 3u

/* Room for the texts of a gzip header, with marks behind. */
#define TEXT_ROOM 400u

struct header_room {
	gz_header header;
	Bytef texts[3][TEXT_ROOM]; /* extra, name, comment */
};

struct pair {
	z_stream strm[SIDES];
	bool is_live;
	size_t at; /* position in the input */
	bool is_first_call;
	bool is_whole; /* a first call came to the end, and the tables of that stay through a reset */
	bool is_ended;
	unsigned int nr_errors;
	struct header_room *room[SIDES]; /* NULL: no header asked for */
};

struct program {
	struct run *run;
	struct made_stream *made;
	struct pair pair[PAIRS_MAX];
	int window_bits; /* as given to inflateInit2() */
	unsigned int in_style;
	unsigned int out_style;
	unsigned int flush_style;
	bool begins_whole;
	size_t left; /* of what all steps together may put out */
};

static void show(struct program *g, struct pair *p)
{
	for (int s = 0; s < SIDES; s++)
		g->run->shown[s] = &p->strm[s];
}

static void check_header_room(struct run *run, const struct pair *p)
{
	const gz_header *a;
	const gz_header *b;

	if (!p->room[JUDGE])
		return;
	a = &p->room[JUDGE]->header;
	b = &p->room[SUBJECT]->header;
	diff_equal(run, "header done", (unsigned long)a->done, (unsigned long)b->done);
	diff_equal(run, "header text", (unsigned long)a->text, (unsigned long)b->text);
	diff_equal(run, "header time", a->time, b->time);
	diff_equal(run, "header xflags", (unsigned long)a->xflags, (unsigned long)b->xflags);
	diff_equal(run, "header os", (unsigned long)a->os, (unsigned long)b->os);
	diff_equal(run, "header extra_len", a->extra_len, b->extra_len);
	diff_equal(run, "header hcrc", (unsigned long)a->hcrc, (unsigned long)b->hcrc);
	if (!a->extra != !b->extra || !a->name != !b->name || !a->comment != !b->comment)
		diff_fail(run, "the header's pointers are set otherwise");
	if (memcmp(p->room[JUDGE]->texts, p->room[SUBJECT]->texts, sizeof(p->room[JUDGE]->texts)) !=
	    0)
		diff_fail(run, "the header's texts are others");
}

/* All that the two streams show. */
static void check_pair(struct program *g, const struct pair *p)
{
	const z_stream *a = &p->strm[JUDGE];
	const z_stream *b = &p->strm[SUBJECT];
	struct run *run = g->run;

	diff_equal_ret(run);
	diff_equal(run, "avail_in", a->avail_in, b->avail_in);
	diff_equal(run, "avail_out", a->avail_out, b->avail_out);
	diff_equal(run, "total_in", a->total_in, b->total_in);
	diff_equal(run, "total_out", a->total_out, b->total_out);
	diff_equal(run, "adler", a->adler, b->adler);
	diff_equal(run, "data_type", (unsigned long)a->data_type, (unsigned long)b->data_type);
	diff_equal_msg(run);
	diff_equal_allocs(run);
	check_header_room(run, p);
}

/* The pointers moved as the counters did, and the same bytes came out. */
static void check_moved(struct program *g, const struct pair *p)
{
	struct run *run = g->run;
	size_t nr = run->out[JUDGE].claimed - p->strm[JUDGE].avail_out;

	for (int s = 0; s < SIDES; s++) {
		const z_stream *z = &p->strm[s];

		if (z->next_in != run->in[s].at + (run->in[s].claimed - z->avail_in))
			diff_fail(run, "next_in and avail_in moved differently");
		if (z->next_out != run->out[s].at + (run->out[s].claimed - z->avail_out))
			diff_fail(run, "next_out and avail_out moved differently");
	}
	if (nr && memcmp(run->out[JUDGE].at, run->out[SUBJECT].at, nr) != 0)
		diff_fail(run, "the %zu bytes put out are others", nr);
	if (run->in[JUDGE].claimed &&
	    memcmp(run->in[JUDGE].at, run->in[SUBJECT].at, run->in[JUDGE].claimed) != 0)
		diff_fail(run, "wrote to its input");
}

static void hand_over(struct program *g, struct pair *p, size_t in, size_t room)
{
	const uint8_t *bytes = in ? g->made->bytes.bytes + p->at : NULL;

	for (int s = 0; s < SIDES; s++) {
		z_stream *z = &p->strm[s];

		z->next_in = place_in(g->run, s, bytes, in);
		z->avail_in = (uInt)in;
		z->next_out = place_out(g->run, s, room);
		z->avail_out = (uInt)room;
	}
}

static int choose_flush(struct program *g)
{
	static const int flushes[] = { Z_NO_FLUSH, Z_SYNC_FLUSH, Z_FINISH, Z_BLOCK, Z_TREES };
	static const int odd[] = { Z_PARTIAL_FLUSH, Z_FULL_FLUSH, 7, -1 };
	struct rng *r = &g->run->rng;

	if (rng_chance(r, 2))
		return odd[rng_below(r, 4)];
	return flushes[g->flush_style < 5 && rng_chance(r, 90) ? g->flush_style : rng_below(r, 5)];
}

static void inflate_step(struct program *g, struct pair *p, size_t in, size_t room, int flush)
{
	struct run *run = g->run;
	size_t left = g->made->bytes.nr - p->at;

	in = in < left ? in : left;
	room = room < ROOM_MAX ? room : ROOM_MAX;
	room = room < g->left ? room : g->left;
	diff_step(run, "inflate: %zu bytes of input, room for %zu, flush %d", in, room, flush);
	hand_over(g, p, in, room);
	for (int s = 0; s < SIDES; s++)
		run->ret[s] = run->api[s]->inflate(&p->strm[s], flush);
	diff_intact(run);
	check_pair(g, p);
	check_moved(g, p);
	p->at += in - p->strm[JUDGE].avail_in;
	g->left -= room - p->strm[JUDGE].avail_out;
	p->is_ended = run->ret[JUDGE] == Z_STREAM_END;
	p->is_whole |= p->is_first_call && (p->is_ended || g->run->ret[JUDGE] == Z_MEM_ERROR);
	p->is_first_call = p->is_first_call && !in;
	p->nr_errors += run->ret[JUDGE] < 0;
}

/* The whole stream in one call, with room that is enough or is not. */
static void whole_step(struct program *g, struct pair *p)
{
	static const int flushes[] = { Z_FINISH, Z_FINISH, Z_NO_FLUSH, Z_SYNC_FLUSH, Z_BLOCK };
	struct rng *r = &g->run->rng;
	size_t in = g->made->bytes.nr - p->at;
	size_t room = g->made->room;

	if (rng_chance(r, 15) && in > g->made->first_bytes)
		in = g->made->first_bytes;
	if (rng_chance(r, 10))
		in -= in ? 1 + rng_below(r, in < 10 ? (uint32_t)in : 10) : 0;
	switch (rng_below(r, 6)) {
	case 0:
		room -= room ? 1 : 0;
		break;
	case 1:
		room += 1;
		break;
	case 2:
		room += rng_below(r, 100000);
		break;
	case 3:
		room = room ? rng_below(r, (uint32_t)room) : 0;
		break;
	default:
		break; /* exact */
	}
	inflate_step(g, p, in, room, flushes[rng_below(r, 5)]);
}

static void do_inflate(struct program *g, struct pair *p)
{
	struct rng *r = &g->run->rng;
	int flush;

	if (p->is_first_call && g->begins_whole) {
		whole_step(g, p);
		return;
	}
	flush = choose_flush(g);
	/* Steps that never get anywhere would be all that is done. */
	if (g->run->step > 150)
		inflate_step(g, p, SIZE_MAX, 65536, flush);
	else
		inflate_step(g, p, rng_step(r, g->in_style), rng_step(r, g->out_style), flush);
}

static void do_set_dictionary(struct program *g, struct pair *p)
{
	struct rng *r = &g->run->rng;
	uint8_t *other = run_alloc(g->run, 40000);
	const uint8_t *bytes = g->made->dictionary.bytes;
	size_t nr = g->made->dictionary.nr;

	if (nr == 0 || rng_chance(r, 20)) {
		nr = rng_length(r, 40000);
		data_make(r, other, nr);
		bytes = other;
	}
	diff_step(g->run, "inflateSetDictionary: %zu bytes", nr);
	for (int s = 0; s < SIDES; s++)
		g->run->ret[s] = g->run->api[s]->inflateSetDictionary(
			&p->strm[s], place_aux(g->run, s, bytes, nr), (uInt)nr);
	diff_intact(g->run);
	check_pair(g, p);
}

static void do_get_dictionary(struct program *g, struct pair *p)
{
	uInt nr[SIDES] = { 99, 99 };

	diff_step(g->run, "inflateGetDictionary");
	for (int s = 0; s < SIDES; s++)
		g->run->ret[s] = g->run->api[s]->inflateGetDictionary(
			&p->strm[s], place_aux(g->run, s, NULL, 32768), &nr[s]);
	diff_intact(g->run);
	check_pair(g, p);
	diff_equal(g->run, "dictionary's length", nr[JUDGE], nr[SUBJECT]);
	if (g->run->ret[JUDGE] == Z_OK &&
	    memcmp(g->run->aux[JUDGE].at, g->run->aux[SUBJECT].at, nr[JUDGE]) != 0)
		diff_fail(g->run, "the dictionary's bytes are others");
}

static void do_get_header(struct program *g, struct pair *p)
{
	struct rng *r = &g->run->rng;
	bool has_extra = rng_chance(r, 70);
	bool has_name = rng_chance(r, 70);
	bool has_comment = rng_chance(r, 70);
	uInt max = rng_below(r, TEXT_ROOM - 8);

	diff_step(g->run, "inflateGetHeader: room for %u", max);
	for (int s = 0; s < SIDES; s++) {
		struct header_room *room = run_alloc(g->run, sizeof(*room));

		memset(room, 0x11, sizeof(*room));
		room->header.extra = has_extra ? room->texts[0] : Z_NULL;
		room->header.extra_max = max;
		room->header.name = has_name ? room->texts[1] : Z_NULL;
		room->header.name_max = max;
		room->header.comment = has_comment ? room->texts[2] : Z_NULL;
		room->header.comm_max = max;
		g->run->ret[s] = g->run->api[s]->inflateGetHeader(&p->strm[s], &room->header);
		p->room[s] = room;
	}
	check_pair(g, p);
}

/* inflateSync() with more of the input, to the next flush point or nowhere. */
static void do_sync(struct program *g, struct pair *p)
{
	size_t in =
		rng_step(&g->run->rng, rng_chance(&g->run->rng, 50) ? RNG_STYLES - 1 : g->in_style);
	size_t left = g->made->bytes.nr - p->at;

	in = in < left ? in : left;
	diff_step(g->run, "inflateSync: %zu bytes", in);
	hand_over(g, p, in, 0);
	for (int s = 0; s < SIDES; s++)
		g->run->ret[s] = g->run->api[s]->inflateSync(&p->strm[s]);
	diff_intact(g->run);
	check_pair(g, p);
	check_moved(g, p);
	p->at += in - p->strm[JUDGE].avail_in;
	p->is_first_call = false;
}

static void do_prime(struct program *g, struct pair *p)
{
	static const int bits_choice[] = { -1, 0, 1, 3, 8, 16, 17 };
	int bits = bits_choice[rng_below(&g->run->rng, 7)];
	int value = (int)rng_below(&g->run->rng, 65536);

	diff_step(g->run, "inflatePrime: %d bits", bits);
	for (int s = 0; s < SIDES; s++)
		g->run->ret[s] = g->run->api[s]->inflatePrime(&p->strm[s], bits, value);
	check_pair(g, p);
}

static void do_reset(struct program *g, struct pair *p)
{
	static const int others[] = { 15, 31, 47, -15, -9, 0, 10, 40, 7, 48, -16, 63 };
	struct rng *r = &g->run->rng;
	unsigned int which = rng_below(r, 4);
	int bits = rng_chance(r, 60) ? g->window_bits : others[rng_below(r, 12)];

	diff_step(g->run, "reset %u, windowBits %d", which, bits);
	for (int s = 0; s < SIDES; s++) {
		const struct zlib_api *api = g->run->api[s];
		z_stream *z = &p->strm[s];

		g->run->ret[s] = which == 0 ? api->inflateReset2(z, bits) :
				 which == 1 ? api->inflateResetKeep(z) :
					      api->inflateReset(z);
	}
	check_pair(g, p);
	p->is_first_call = true;
	p->is_ended = false;
	for (int s = 0; s < SIDES; s++)
		p->room[s] = NULL;
	if (rng_chance(r, 40))
		p->at = 0;
}

static void do_copy(struct program *g, struct pair *p)
{
	struct pair *to = NULL;

	for (unsigned int i = 0; i < PAIRS_MAX && !to; i++)
		if (!g->pair[i].is_live)
			to = &g->pair[i];
	if (!to)
		return;
	diff_step(g->run, "inflateCopy");
	*to = *p;
	for (int s = 0; s < SIDES; s++) {
		memset(&to->strm[s], 0x3c, sizeof(to->strm[s]));
		g->run->ret[s] = g->run->api[s]->inflateCopy(&to->strm[s], &p->strm[s]);
	}
	check_pair(g, p);
	to->is_live = g->run->ret[JUDGE] == Z_OK;
	if (!to->is_live)
		return;
	show(g, to);
	check_pair(g, to);
}

/* Small questions and switches, each answered by a number. */
static long ask(const struct zlib_api *api, z_stream *z, unsigned int which, bool is_on)
{
	z_stream moved = *z;

	switch (which) {
	case 0:
		return api->inflateMark(z);
	case 1:
		return api->inflateSyncPoint(z);
	case 2:
		return api->inflateUndermine(z, is_on);
	case 3:
		return api->inflateValidate(z, is_on);
	case 4:
		return api->inflate(&moved, Z_NO_FLUSH) * 100 + api->inflateEnd(&moved);
	case 5:
		return api->deflate(z, Z_NO_FLUSH) * 100 + api->deflateEnd(z);
	case 6:
		return api->inflateMark(&moved) + api->inflateMark(Z_NULL);
	case 7:
		return api->inflate(Z_NULL, 0) * 100 + api->inflateReset2(&moved, 15);
	case 8:
		return api->inflateSync(Z_NULL) * 100 + api->inflateCopy(Z_NULL, z);
	default:
		return api->inflateGetDictionary(z, Z_NULL, Z_NULL) * 100 +
		       api->inflateSetDictionary(&moved, (const Bytef *)"", 0);
	}
}

static void do_ask(struct program *g, struct pair *p)
{
	static const char *const names[] = { "Mark",  "SyncPoint", "Undermine", "Validate", "moved",
					     "other", "moved",	   "NULL",	"NULL",	    "NULL" };
	unsigned int which = rng_below(&g->run->rng, 10);
	bool is_on = rng_chance(&g->run->rng, 60);

	/* Past a stream that another decoder read, the sum that would go on is not zlib's. */
	if (which == 3 && is_on && p->is_whole)
		return;
	diff_step(g->run, "ask %u: inflate %s, %d", which, names[which], is_on);
	hand_over(g, p, 0, 0);
	for (int s = 0; s < SIDES; s++)
		g->run->ret[s] = ask(g->run->api[s], &p->strm[s], which, is_on);
	check_pair(g, p);
}

/* The tables of a stream that another decoder read are not zlib's. */
static void do_codes_used(struct program *g, struct pair *p)
{
	if (p->is_whole)
		return;
	diff_step(g->run, "inflateCodesUsed");
	for (int s = 0; s < SIDES; s++)
		g->run->ret[s] = (long)g->run->api[s]->inflateCodesUsed(&p->strm[s]);
	check_pair(g, p);
}

/* A buffer or pointer is missing. */
static void do_misuse(struct program *g, struct pair *p)
{
	unsigned int which = rng_below(&g->run->rng, 3);
	int flush = choose_flush(g);

	diff_step(g->run, "misuse %u, flush %d", which, flush);
	hand_over(g, p, 0, which ? 0 : 20);
	for (int s = 0; s < SIDES; s++) {
		z_stream *z = &p->strm[s];

		if (which == 0) {
			z->next_in = Z_NULL;
			z->avail_in = 5;
		} else if (which == 1) {
			z->next_out = Z_NULL;
		}
		g->run->ret[s] = g->run->api[s]->inflate(z, flush);
	}
	check_pair(g, p);
	p->is_first_call = false;
	p->is_ended = g->run->ret[JUDGE] == Z_STREAM_END;
}

/* Encodings of windowBits that read the stream, and some that do not. */
static int choose_window_bits(struct program *g)
{
	static const int any[] = { 0,  8,  9,  15,  16, 24, 31, 32,  40,
				   47, -8, -9, -15, 7,	48, -7, -16, 64 };
	struct rng *r = &g->run->rng;
	int bits = rng_chance(r, 80) ? 15 : g->made->window_bits;

	if (rng_chance(r, 15))
		return any[rng_below(r, 18)];
	if (g->made->wrap != WRAP_RAW && rng_chance(r, 30))
		return rng_chance(r, 80) ? bits + 32 : 32;
	if (g->made->wrap == WRAP_ZLIB && rng_chance(r, 10))
		return 0;
	return wrap_window_bits(g->made->wrap, bits);
}

static bool open_pair(struct program *g, struct pair *p)
{
	struct run *run = g->run;
	bool is_custom = use_allocators(run);
	const char *version = ZLIB_VERSION;
	int size = (int)sizeof(z_stream);
	bool is_plain;

	g->window_bits = choose_window_bits(g);
	is_plain = g->window_bits == 15 && rng_chance(&run->rng, 60);
	if (rng_chance(&run->rng, 1))
		version = "3";
	if (rng_chance(&run->rng, 1))
		size++;
	diff_step(run, "inflateInit: windowBits %d%s%s", g->window_bits, is_plain ? ", plain" : "",
		  is_custom ? ", allocators" : "");
	for (int s = 0; s < SIDES; s++) {
		z_stream *z = &p->strm[s];

		memset(z, 0, sizeof(*z));
		set_allocators(run, z, s, is_custom);
		run->ret[s] = is_plain ?
				      run->api[s]->inflateInit_(z, version, size) :
				      run->api[s]->inflateInit2_(z, g->window_bits, version, size);
	}
	show(g, p);
	check_pair(g, p);
	p->is_live = run->ret[JUDGE] == Z_OK;
	p->is_first_call = true;
	return p->is_live;
}

static void close_pair(struct program *g, struct pair *p)
{
	show(g, p);
	diff_step(g->run, "inflateEnd");
	for (int s = 0; s < SIDES; s++)
		g->run->ret[s] = g->run->api[s]->inflateEnd(&p->strm[s]);
	p->is_live = false;
	check_pair(g, p);
}

static void do_other(struct program *g, struct pair *p)
{
	uint32_t choice = rng_below(&g->run->rng, 100);

	if (choice < 30)
		do_ask(g, p);
	else if (choice < 42)
		do_get_dictionary(g, p);
	else if (choice < 50)
		do_codes_used(g, p);
	else if (choice < 60)
		do_get_header(g, p);
	else if (choice < 70)
		do_copy(g, p);
	else if (choice < 76)
		do_set_dictionary(g, p);
	else if (choice < 84)
		do_sync(g, p);
	else if (choice < 88)
		do_prime(g, p);
	else if (choice < 94)
		do_misuse(g, p);
	else
		do_reset(g, p);
}

static void do_something(struct program *g, struct pair *p)
{
	struct rng *r = &g->run->rng;

	show(g, p);
	if (g->run->ret[JUDGE] == Z_NEED_DICT && rng_chance(r, 80))
		do_set_dictionary(g, p);
	else if (p->is_ended && rng_chance(r, 30))
		do_reset(g, p);
	else if (p->nr_errors && rng_chance(r, 15))
		do_sync(g, p);
	else if (rng_chance(r, p->is_ended ? 30 : p->is_first_call ? 90 : 80))
		do_inflate(g, p);
	else
		do_other(g, p);
}

static void run_steps(struct program *g, unsigned int steps)
{
	struct rng *r = &g->run->rng;

	if (!open_pair(g, &g->pair[0]))
		return;
	if (rng_chance(r, g->made->wrap == WRAP_GZIP ? 40 : 5))
		do_get_header(g, &g->pair[0]);
	if (g->made->dictionary.nr && g->made->wrap == WRAP_RAW && rng_chance(r, 90))
		do_set_dictionary(g, &g->pair[0]);
	while (steps--) {
		struct pair *p = &g->pair[rng_below(r, PAIRS_MAX)];

		p = p->is_live ? p : &g->pair[0];
		do_something(g, p);
		if (p->nr_errors > 8)
			break;
	}
	for (unsigned int i = 0; i < PAIRS_MAX; i++)
		if (g->pair[i].is_live)
			close_pair(g, &g->pair[i]);
}

static void run_made(struct run *run, struct made_stream *m, unsigned int steps)
{
	struct program g = { .run = run, .made = m, .left = (size_t)12 << 20 };
	struct rng *r = &run->rng;

	g.in_style = rng_style(r);
	g.out_style = rng_style(r);
	g.flush_style = rng_below(r, 8);
	g.begins_whole = rng_chance(r, 50);
	run_steps(&g, steps);
}

void inflate_stream(struct run *run, const uint8_t *stream, size_t bytes, size_t room_hint)
{
	struct made_stream m = { .window_bits = 15, .room = room_hint };

	m.wrap = (enum wrap)rng_below(&run->rng, 3);
	grown_add(run, &m.bytes, stream, bytes);
	m.first_bytes = bytes;
	run_made(run, &m, 100);
}

void inflate_program(struct run *run)
{
	struct made_stream m;
	unsigned int steps = 2 + rng_below(&run->rng, rng_chance(&run->rng, 50) ? 20 : 200);

	diff_step(run, "a stream is made");
	make_stream(run, &m);
	run_made(run, &m, steps);
}

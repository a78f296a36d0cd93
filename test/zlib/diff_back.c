/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* inflateBack(): the callers' functions bring the input and take the output. */
#include <string.h>

#include "diff_streams.h"

/* What the functions of one side read, and what they were given. */
struct back {
	struct run *run;
	int side;
	const struct grown *stream;
	size_t at;
	struct rng pieces;
	unsigned int style;
	unsigned int calls_left; /* then they fail */
	struct grown said;
	unsigned int nr_calls;
};

static unsigned int bring(void *opaque, z_const Bytef **ret_bytes)
{
	struct back *b = opaque;
	size_t left = b->stream->nr - b->at;
	size_t n = rng_step(&b->pieces, b->style);

	b->nr_calls++;
	if (b->calls_left == 0 || left == 0)
		return 0;
	b->calls_left--;
	n = n == 0 ? 1 : n;
	n = n < left ? n : left;
	*ret_bytes = place_in(b->run, b->side, b->stream->bytes + b->at, n);
	b->at += n;
	return (unsigned int)n;
}

static int take(void *opaque, Bytef *bytes, unsigned int nr)
{
	struct back *b = opaque;

	b->nr_calls++;
	grown_add(b->run, &b->said, bytes, nr);
	if (b->calls_left == 0)
		return 1;
	b->calls_left--;
	return 0;
}

static void check_back(struct run *run, const struct back *b)
{
	const z_stream *x = run->shown[JUDGE];
	const z_stream *y = run->shown[SUBJECT];

	diff_intact(run);
	diff_equal_ret(run);
	diff_equal_msg(run);
	diff_equal_allocs(run);
	diff_equal(run, "avail_in", x->avail_in, y->avail_in);
	if (!x->next_in != !y->next_in)
		diff_fail(run, "next_in is %s", y->next_in ? "there" : "NULL");
	diff_equal(run, "bytes read", b[JUDGE].at, b[SUBJECT].at);
	diff_equal(run, "calls", b[JUDGE].nr_calls, b[SUBJECT].nr_calls);
	diff_equal(run, "bytes put out", b[JUDGE].said.nr, b[SUBJECT].said.nr);
	if (b[JUDGE].said.nr &&
	    memcmp(b[JUDGE].said.bytes, b[SUBJECT].said.bytes, b[JUDGE].said.nr) != 0)
		diff_fail(run, "the bytes put out are others");
}

static bool open_back(struct run *run, z_stream *strm, int bits)
{
	bool is_custom = use_allocators(run);

	diff_step(run, "inflateBackInit: windowBits %d", bits);
	for (int s = 0; s < SIDES; s++) {
		uint8_t *window = place_out(run, s, (size_t)1 << (bits & 15));

		memset(&strm[s], 0, sizeof(strm[s]));
		set_allocators(run, &strm[s], s, is_custom);
		run->shown[s] = &strm[s];
		run->ret[s] = run->api[s]->inflateBackInit_(&strm[s], bits, window, ZLIB_VERSION,
							    (int)sizeof(strm[s]));
	}
	diff_equal_ret(run);
	diff_equal_msg(run);
	diff_equal_allocs(run);
	return run->ret[JUDGE] == Z_OK;
}

/* Some of the input is handed over before the first call of bring(). */
static void run_back(struct run *run, z_stream *strm, const struct grown *stream)
{
	struct rng *r = &run->rng;
	struct rng pieces = rng_fork(r);
	unsigned int style = rng_style(r);
	unsigned int calls = rng_chance(r, 20) ? rng_below(r, 30) : 1u << 30;
	size_t first = rng_chance(r, 30) ? rng_below(r, (uint32_t)stream->nr + 1) : 0;
	struct back b[SIDES];

	diff_step(run, "inflateBack: %zu bytes, %zu of them at once, %u calls", stream->nr, first,
		  calls);
	for (int s = 0; s < SIDES; s++) {
		b[s] = (struct back){ .run = run,
				      .side = s,
				      .stream = stream,
				      .pieces = pieces,
				      .style = style,
				      .calls_left = calls,
				      .at = first };
		strm[s].next_in = first ? place_in(run, s, stream->bytes, first) : Z_NULL;
		strm[s].avail_in = (uInt)first;
		run->ret[s] = run->api[s]->inflateBack(&strm[s], bring, &b[s], take, &b[s]);
	}
	check_back(run, b);
}

void back_program(struct run *run)
{
	static const int odd[] = { 7, 16, -15, 0 };
	struct rng *r = &run->rng;
	unsigned int times = 1 + rng_below(r, 3);
	struct made_stream m;
	z_stream strm[SIDES];

	diff_step(run, "a stream is made");
	make_raw_stream(run, &m);
	if (rng_chance(r, 30))
		damage(run, &m.bytes);
	if (rng_chance(r, 10))
		m.window_bits = rng_chance(r, 50) ? odd[rng_below(r, 4)] : 8;
	if (!open_back(run, strm, m.window_bits))
		return;
	while (times--)
		run_back(run, strm, &m.bytes);
	diff_step(run, "inflateBackEnd");
	for (int s = 0; s < SIDES; s++)
		run->ret[s] = run->api[s]->inflateBackEnd(&strm[s]);
	diff_equal_ret(run);
	diff_equal_msg(run);
	diff_equal_allocs(run);
}

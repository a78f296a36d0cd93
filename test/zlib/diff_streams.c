/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* Compressed streams that the judge made; see diff_streams.h. */
#include <string.h>

#include "diff_streams.h"

static const int levels[] = { 0, 1, 1, 2, 3, 4, 5, 6, 6, 6, 8, 9 };

/* Deflates all of @data, in pieces with flushes between them. */
static void deflate_pieces(struct run *run, z_stream *z, const uint8_t *data, size_t bytes,
			   struct grown *out)
{
	static const int flushes[] = { Z_NO_FLUSH,   Z_SYNC_FLUSH,    Z_FULL_FLUSH,
				       Z_FULL_FLUSH, Z_PARTIAL_FLUSH, Z_BLOCK };
	static Bytef buf[65536];
	unsigned int style = rng_chance(&run->rng, 60) ? RNG_STYLES - 1 :
							 4 + rng_below(&run->rng, 4);
	unsigned int pieces = 0;
	size_t at = 0;
	int flush = Z_NO_FLUSH;

	while (flush != Z_FINISH) {
		size_t n = ++pieces < 40 ? rng_step(&run->rng, style) : SIZE_MAX;

		n = n < bytes - at ? n : bytes - at;
		flush = at + n == bytes ? Z_FINISH : flushes[rng_below(&run->rng, 6)];
		z->next_in = data + at;
		z->avail_in = (uInt)n;
		at += n;
		do {
			z->next_out = buf;
			z->avail_out = sizeof(buf);
			run->api[JUDGE]->deflate(z, flush);
			grown_add(run, out, buf, sizeof(buf) - z->avail_out);
		} while (z->avail_out == 0);
	}
}

/* Adds one member to @out; its length decoded. */
static size_t add_member(struct run *run, const struct made_stream *m, size_t max,
			 struct grown *out)
{
	const struct zlib_api *api = run->api[JUDGE];
	struct rng *r = &run->rng;
	size_t bytes = rng_length(r, max);
	uint8_t *data = run_alloc(run, bytes);
	int strategy = rng_chance(r, 80) ? 0 : (int)rng_below(r, 5);
	int mem_level = rng_chance(r, 80) ? 8 : 1 + (int)rng_below(r, 9);
	z_stream z = { 0 };

	data_make(r, data, bytes);
	if (api->deflateInit2_(&z, levels[rng_below(r, 12)], Z_DEFLATED,
			       wrap_window_bits(m->wrap, m->window_bits), mem_level, strategy,
			       ZLIB_VERSION, (int)sizeof(z)))
		diff_fail(run, "no stream to inflate");
	if (m->dictionary.nr)
		api->deflateSetDictionary(&z, m->dictionary.bytes, (uInt)m->dictionary.nr);
	if (m->wrap == WRAP_GZIP && rng_chance(r, 50))
		api->deflateSetHeader(&z, make_header(run));
	deflate_pieces(run, &z, data, bytes, out);
	api->deflateEnd(&z);
	return bytes;
}

static void choose_format(struct run *run, struct made_stream *m)
{
	struct rng *r = &run->rng;

	memset(m, 0, sizeof(*m));
	m->wrap = (enum wrap)rng_below(r, 3);
	m->window_bits = rng_chance(r, 75) ? 15 : 9 + (int)rng_below(r, 7);
}

void damage(struct run *run, struct grown *g)
{
	struct rng *r = &run->rng;
	unsigned int nr = 1 + rng_below(r, rng_chance(r, 70) ? 1 : 20);
	size_t at;

	if (g->nr == 0)
		return;
	if (rng_chance(r, 30)) {
		g->nr = rng_below(r, (uint32_t)g->nr);
		return;
	}
	while (nr--) {
		/* The ends hold what is most often looked at. */
		at = rng_below(r, (uint32_t)g->nr);
		if (rng_chance(r, 30))
			at = rng_below(r, g->nr < 12 ? (uint32_t)g->nr : 12);
		else if (rng_chance(r, 30))
			at = g->nr - 1 - rng_below(r, g->nr < 9 ? (uint32_t)g->nr : 9);
		if (rng_chance(r, 80))
			g->bytes[at] ^= (uint8_t)(1u << rng_below(r, 8));
		else
			g->bytes[at] = (uint8_t)rng_below(r, 256);
	}
}

void make_raw_stream(struct run *run, struct made_stream *m)
{
	choose_format(run, m);
	m->wrap = WRAP_RAW;
	m->room = add_member(run, m, DATA_MAX, &m->bytes);
	m->first_bytes = m->bytes.nr;
}

static void make_noise_stream(struct run *run, struct made_stream *m)
{
	size_t bytes = rng_length(&run->rng, 3000);
	uint8_t *noise = run_alloc(run, bytes);

	data_make(&run->rng, noise, bytes);
	grown_add(run, &m->bytes, noise, bytes);
	m->first_bytes = m->bytes.nr;
	m->room = 3 * bytes;
	m->is_bad = true;
}

void make_stream(struct run *run, struct made_stream *m)
{
	struct rng *r = &run->rng;
	uint8_t tail[300];
	size_t nr;

	choose_format(run, m);
	if (rng_chance(r, 4)) {
		make_noise_stream(run, m);
		return;
	}
	if (m->wrap != WRAP_GZIP && rng_chance(r, 15)) {
		uint8_t *dictionary = run_alloc(run, 40000);

		nr = 1 + rng_length(r, 39999);
		data_make(r, dictionary, nr);
		grown_add(run, &m->dictionary, dictionary, nr);
	}
	m->room = add_member(run, m, DATA_MAX, &m->bytes);
	m->first_bytes = m->bytes.nr;
	if (rng_chance(r, 20))
		for (nr = 1 + rng_below(r, 3); nr; nr--)
			add_member(run, m, 50000, &m->bytes);
	if (rng_chance(r, 20)) {
		nr = rng_below(r, sizeof(tail));
		data_make(r, tail, nr);
		grown_add(run, &m->bytes, tail, nr);
	}
	if (rng_chance(r, 30)) {
		damage(run, &m->bytes);
		m->is_bad = true;
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* The calls that do all at once: compress(), uncompress(), sums, and texts. */
#include <string.h>

#include "diff_streams.h"

/* The subject's compressed bytes, and the judge's, each decode with the other. */
static void cross_check(struct run *run, const uint8_t *data, size_t bytes, const uLongf *nr)
{
	Bytef *back = run_alloc(run, bytes);

	for (int s = 0; s < SIDES; s++) {
		uLongf length = bytes;

		run->ret[s] = run->api[JUDGE]->uncompress(back, &length, run->out[s].at, nr[s]);
		if (run->ret[s] || length != bytes || (bytes && memcmp(back, data, bytes) != 0))
			diff_fail(run, "compressed to what does not decode to it");
	}
}

static void compress_step(struct run *run, const uint8_t *data, size_t bytes, size_t room,
			  int level)
{
	uLongf nr[SIDES];

	diff_step(run, "compress2: %zu bytes, room for %zu, level %d", bytes, room, level);
	for (int s = 0; s < SIDES; s++) {
		const struct zlib_api *api = run->api[s];
		uint8_t *in = place_in(run, s, data, bytes);
		uint8_t *out = place_out(run, s, room);

		nr[s] = room;
		run->ret[s] = level == -1 ? api->compress(out, &nr[s], in, bytes) :
					    api->compress2(out, &nr[s], in, bytes, level);
		if (nr[s] > room)
			diff_fail(run, "says %lu bytes with room for %zu", nr[s], room);
	}
	diff_intact(run);
	/* Between what one needs and what the other needs, they may differ. */
	if (run->ret[JUDGE] != run->ret[SUBJECT] &&
	    (run->ret[SUBJECT] == Z_OK || run->ret[SUBJECT] == Z_BUF_ERROR) &&
	    (run->ret[JUDGE] == Z_OK || run->ret[JUDGE] == Z_BUF_ERROR) &&
	    room < run->api[JUDGE]->compressBound(bytes))
		return;
	diff_equal_ret(run);
	if (run->ret[JUDGE] == Z_OK)
		cross_check(run, data, bytes, nr);
}

static void do_compress(struct run *run, const uint8_t *data, size_t bytes)
{
	struct rng *r = &run->rng;
	int level = (int)rng_below(r, 12) - 1;
	uLong bound = run->api[SUBJECT]->compressBound(bytes);
	uLong room = run->api[JUDGE]->compressBound(bytes);

	/* Programs reserve what either of the two has said. */
	if (bound > ROOM_MAX)
		diff_fail(run, "compressBound(%zu) is %lu", bytes, bound);
	if (rng_chance(r, 50))
		room = bound;
	if (rng_chance(r, 30))
		room = rng_below(r, (uint32_t)room + 1);
	compress_step(run, data, bytes, room, level);
}

static void uncompress_step(struct run *run, const struct grown *stream, size_t room, bool is_long)
{
	uLongf nr[SIDES];
	uLong used[SIDES];

	diff_step(run, "uncompress%s: %zu bytes, room for %zu", is_long ? "2" : "", stream->nr,
		  room);
	for (int s = 0; s < SIDES; s++) {
		uint8_t *in = place_in(run, s, stream->bytes, stream->nr);
		uint8_t *out = place_out(run, s, room);

		nr[s] = room;
		used[s] = stream->nr;
		run->ret[s] = is_long ? run->api[s]->uncompress2(out, &nr[s], in, &used[s]) :
					run->api[s]->uncompress(out, &nr[s], in, used[s]);
	}
	diff_intact(run);
	diff_equal_ret(run);
	diff_equal(run, "destLen", nr[JUDGE], nr[SUBJECT]);
	diff_equal(run, "sourceLen", used[JUDGE], used[SUBJECT]);
	if (nr[JUDGE] <= room && nr[JUDGE] &&
	    memcmp(run->out[JUDGE].at, run->out[SUBJECT].at, nr[JUDGE]) != 0)
		diff_fail(run, "the bytes put out are others");
}

static void do_uncompress(struct run *run)
{
	struct rng *r = &run->rng;
	struct made_stream m;
	size_t room;

	diff_step(run, "a stream is made");
	do {
		make_stream(run, &m);
	} while (m.wrap != WRAP_ZLIB && rng_chance(r, 90));
	room = m.room;
	switch (rng_below(r, 5)) {
	case 0:
		room -= room ? 1 : 0;
		break;
	case 1:
		room += rng_below(r, 70000);
		break;
	case 2:
		room = rng_below(r, (uint32_t)room + 1);
		break;
	default:
		break; /* exact */
	}
	uncompress_step(run, &m.bytes, room < ROOM_MAX ? room : ROOM_MAX, rng_chance(r, 50));
}

void block_program(struct run *run)
{
	struct rng *r = &run->rng;
	unsigned int times = 1 + rng_below(r, 5);
	uint8_t *data;
	size_t bytes;

	while (times--) {
		if (rng_chance(r, 50)) {
			do_uncompress(run);
			continue;
		}
		bytes = rng_length(r, DATA_MAX);
		data = run_alloc(run, bytes);
		data_make(r, data, bytes);
		do_compress(run, data, bytes);
	}
}

static void check_sums(struct run *run, const uint8_t *data, size_t bytes, uLong before)
{
	uLong v[SIDES][6];

	diff_step(run, "sums of %zu bytes after %lx", bytes, before);
	for (int s = 0; s < SIDES; s++) {
		const struct zlib_api *api = run->api[s];
		uint8_t *in = place_in(run, s, data, bytes);

		v[s][0] = api->adler32(before, in, (uInt)bytes);
		v[s][1] = api->adler32_z(before, in, bytes);
		v[s][2] = api->crc32(before, in, (uInt)bytes);
		v[s][3] = api->crc32_z(before, in, bytes);
		v[s][4] = api->crc32(before, Z_NULL, 0);
		v[s][5] = api->adler32(before, Z_NULL, 0);
	}
	for (int i = 0; i < 6; i++)
		diff_equal(run, i % 2 ? "sum" : "first form of a sum", v[JUDGE][i], v[SUBJECT][i]);
}

static void check_combined(struct run *run, uLong a, uLong b, long bytes)
{
	uLong v[SIDES][8];

	diff_step(run, "sums %lx and %lx of %ld bytes joined", a, b, bytes);
	for (int s = 0; s < SIDES; s++) {
		const struct zlib_api *api = run->api[s];

		v[s][0] = api->sum_adler32(a, b, bytes);
		v[s][1] = api->sum_adler32_64(a, b, bytes);
		v[s][2] = api->sum_crc32(a, b, bytes);
		v[s][3] = api->sum_crc32_64(a, b, bytes);
		v[s][4] = api->sum_crc32_gen(bytes);
		v[s][5] = api->sum_crc32_gen_64(bytes);
		v[s][6] = api->crc32_combine_op(a, b, v[s][4]);
		v[s][7] = api->get_crc_table()[a & 255];
	}
	for (int i = 0; i < 8; i++)
		diff_equal(run, "joined sum", v[JUDGE][i], v[SUBJECT][i]);
}

static void check_texts(struct run *run)
{
	const struct zlib_api *a = run->api[JUDGE];
	const struct zlib_api *b = run->api[SUBJECT];

	diff_step(run, "texts");
	if (strcmp(a->zlibVersion(), b->zlibVersion()) != 0)
		diff_fail(run, "version %s", b->zlibVersion());
	diff_equal(run, "flags", a->zlibCompileFlags(), b->zlibCompileFlags());
	for (int i = Z_VERSION_ERROR; i <= Z_NEED_DICT; i++)
		if (strcmp(a->zError(i), b->zError(i)) != 0)
			diff_fail(run, "zError(%d) is %s", i, b->zError(i));
}

void sums_program(struct run *run)
{
	struct rng *r = &run->rng;
	unsigned int times = 1 + rng_below(r, 10);
	uint8_t *data = run_alloc(run, 70000);
	size_t bytes = rng_length(r, 70000);

	data_make(r, data, bytes);
	check_texts(run);
	while (times--) {
		size_t n = rng_below(r, (uint32_t)bytes + 1);

		check_sums(run, data, n,
			   rng_chance(r, 50) ? rng_below(r, 2) : rng_below(r, UINT32_MAX));
		check_combined(run, rng_below(r, UINT32_MAX), rng_below(r, UINT32_MAX),
			       rng_chance(r, 50) ? (long)n : (long)rng_below(r, 1u << 31));
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Stateful requests of the ZIP engine: pieces of any size in both directions,
 * judged by zlib; the state words in hardware's convention; pieces sent again;
 * contexts that were copied, moved, forged or forgotten.
 */
#include <pthread.h>

#include "test/unit/zip_rig.h"

#define N 300000u

/* Pieces of level 3 and above are libdeflate's from here on. */
#define JOINED_MIN (128u << 10)

/* As software lends it: the engine's part begins 64 bytes in. */
struct context {
	uint8_t bytes[65536];
};

struct stream {
	struct rig *r;
	uint32_t format;
	uint32_t level;
	struct context *context;
	bool is_begun;
	uint32_t words[5]; /* 15, 28, 29, 30, 31 of the last piece */
};

static void begin(struct stream *s, struct rig *r, uint32_t format, uint32_t level,
		  struct context *context)
{
	memset(s, 0, sizeof(*s));
	s->r = r;
	s->format = format;
	s->level = level;
	s->context = context;
}

/* One piece; state words go back as they came unless the piece failed. */
static uint32_t piece(struct stream *s, void *queue, const void *src, uint32_t src_bytes, void *dst,
		      uint32_t room, bool is_finish)
{
	struct hisi_zip_sqe *sqe = &s->r->sqe;
	uint32_t status;

	rig_fill(s->r, s->format, s->level, src, src_bytes, dst, room);
	bytes_put_le32(&sqe->dw7,
		       0x34000000u | (s->is_begun ? 0 : 1u << 27) | (is_finish ? 1u << 25 : 0));
	put_addr(&sqe->stream_ctx_addr_l, s->context->bytes + 64);
	bytes_put_le32(&sqe->ctx_dw0, s->words[0]);
	bytes_put_le32(&sqe->ctx_dw1, s->words[1]);
	bytes_put_le32(&sqe->ctx_dw2, s->words[2]);
	bytes_put_le32(&sqe->isize, s->words[3]);
	bytes_put_le32(&sqe->checksum, s->words[4]);
	status = rig_serve(s->r, queue);
	if (!s->r->result.is_error) {
		s->is_begun = true;
		s->words[0] = bytes_get_le32(&sqe->ctx_dw0);
		s->words[1] = bytes_get_le32(&sqe->ctx_dw1);
		s->words[2] = bytes_get_le32(&sqe->ctx_dw2);
		s->words[3] = bytes_get_le32(&sqe->isize);
		s->words[4] = bytes_get_le32(&sqe->checksum);
	}
	return status;
}

static bool is_done(uint32_t status)
{
	return status == 0 || status == HISI_ZIP_ST_NEG_COMP;
}

/* Compresses all in pieces of @step; checks each piece's bound; returns the stream's length. */
static size_t compress_in_pieces(struct stream *s, const uint8_t *in, size_t n, size_t step,
				 bool is_last_empty, uint8_t *out)
{
	size_t made = 0, at = 0;

	do {
		uint32_t m = (uint32_t)base_min_u64(step, n - at);
		bool is_finish = at + m == n && !is_last_empty;
		size_t bound = !m && !is_finish ? 0 : bound_of(is_finish ? s->format : 1, m);

		assert_true(is_done(piece(s, s->r->compress, in + at, m, out + made,
					  (uint32_t)bound, is_finish)));
		assert_int_equal(rig_consumed(s->r), m);
		assert_true(rig_produced(s->r) <= bound);
		assert_int_equal(s->words[0] & 15, 0);
		made += rig_produced(s->r);
		at += m;
	} while (at < n);
	if (is_last_empty) {
		assert_true(is_done(piece(s, s->r->compress, NULL, 0, out + made, 16, true)));
		made += rig_produced(s->r);
	}
	return made;
}

/*
 * Inflates as careful software does: what was not consumed comes again, a full
 * output is emptied, until the end.  Returns what the engine left unconsumed.
 */
static size_t inflate_in_pieces(struct stream *s, const uint8_t *in, size_t bytes, size_t in_step,
				size_t out_step, const uint8_t *want, size_t want_bytes)
{
	uint8_t *out = malloc(out_step + 1);
	size_t at = 0, made = 0;
	unsigned int idle = 0;
	uint32_t status;

	do {
		uint32_t m = (uint32_t)base_min_u64(in_step, bytes - at);

		status = piece(s, s->r->inflate, in + at, m, out, (uint32_t)out_step, false);
		assert_true(status == 0 || status == HISI_ZIP_ST_END);
		assert_true(rig_consumed(s->r) <= m && rig_produced(s->r) <= out_step);
		assert_true(made + rig_produced(s->r) <= want_bytes);
		assert_memory_equal(out, want + made, rig_produced(s->r));
		idle = rig_produced(s->r) || rig_consumed(s->r) ? 0 : idle + 1;
		assert_true(idle < 2);
		made += rig_produced(s->r);
		at += rig_consumed(s->r);
		if (status == 0 && (s->words[0] & 15))
			assert_int_equal(rig_produced(s->r), out_step);
	} while (status != HISI_ZIP_ST_END);
	assert_int_equal(bytes_get_le32(&s->r->sqe.dw3), 0x113);
	assert_int_equal(made, want_bytes);
	free(out);
	return bytes - at;
}

static void pieces_round_trip(void **state)
{
	static const size_t steps[] = { 1, 7, 100, 4096, 5001, 32768, 65536, 100001, N };
	uint8_t *in = malloc(N), *out = malloc(8 * N);
	struct context *c = malloc(sizeof(*c));
	struct stream s;
	struct rig r;

	(void)state;
	rig_open(&r, 0, &rig_own_memory);
	for (enum rig_data kind = 0; kind < RIG_DATA_KINDS; kind++)
		for (unsigned int i = 0; i < BASE_ARRAY_SIZE(steps); i++)
			for (uint32_t format = 1; format <= 3; format++) {
				size_t n = steps[i] < 100 ? 4000 : N, made;

				rig_data(in, n, kind);
				memset(c, 0xa5, sizeof(*c));
				begin(&s, &r, format, (i + format) % 12, c);
				made = compress_in_pieces(&s, in, n, steps[i], i & 1, out);
				judge_inflate(format, 15, out, made, in, n);
				begin(&s, &r, format, 0, c);
				memset(out + made, 0x77, 11);
				assert_int_equal(inflate_in_pieces(&s, out, made + 11, steps[i],
								   kind ? 4096 : N, in, n),
						 11);
			}
	rig_close(&r);
	free(in);
	free(out);
	free(c);
}

/* Every way of cutting input and output meets the end exactly, trailer and all. */
static void inflate_ends_where_the_stream_does(void **state)
{
	static const size_t steps[] = { 1, 2, 3, 8, 9, 100, 1000, 70000 };
	static const size_t sizes[] = { 0, 1, 5, 300, 65535, 65536, 65537, 66000, 140000 };
	uint8_t *in = malloc(140000), *out = malloc(160000);
	struct context *c = malloc(sizeof(*c));
	struct stream s;
	struct rig r;

	(void)state;
	rig_open(&r, 0, &rig_own_memory);
	for (unsigned int z = 0; z < BASE_ARRAY_SIZE(sizes); z++)
		for (uint32_t format = 1; format <= 3; format++) {
			enum rig_data kind = z & 1 ? RIG_TEXT : RIG_MIXED;
			size_t len;

			rig_data(in, sizes[z], kind);
			len = judge_deflate(format, 6, format == 1 ? Z_FIXED : Z_DEFAULT_STRATEGY,
					    in, sizes[z], out, 160000);
			memset(out + len, 0x33, 30);
			for (unsigned int i = 0; i < BASE_ARRAY_SIZE(steps); i++)
				for (unsigned int o = 0; o < BASE_ARRAY_SIZE(steps); o++) {
					/* Some thousand calls show what more would. */
					if (len / steps[i] + sizes[z] / steps[o] > 2000)
						continue;
					begin(&s, &r, format, 0, c);
					assert_int_equal(inflate_in_pieces(&s, out, len + 30,
									   steps[i], steps[o], in,
									   sizes[z]),
							 30);
				}
		}
	rig_close(&r);
	free(in);
	free(out);
	free(c);
}

/* The other kind of software: asks again with no input while the state says "full". */
static void a_full_output_is_drained_without_input(void **state)
{
	uint8_t *in = malloc(N), *out = malloc(2 * N), *back = malloc(N);
	struct context *c = malloc(sizeof(*c));
	size_t len, at = 0, made = 0;
	uint32_t status;
	struct stream s;
	struct rig r;

	(void)state;
	rig_open(&r, 0, &rig_own_memory);
	rig_data(in, N, RIG_TEXT);
	len = judge_deflate(3, 6, Z_DEFAULT_STRATEGY, in, N, out, 2 * N);
	begin(&s, &r, 3, 0, c);
	do {
		uint32_t m = s.words[0] & 15 ? 0 : (uint32_t)base_min_u64(10000, len - at);

		/* No input: an address that cannot be touched. */
		status = piece(&s, r.inflate, m ? out + at : NULL, m, back + made,
			       (uint32_t)base_min_u64(7777, N - made), false);
		assert_true(status == 0 || status == HISI_ZIP_ST_END);
		at += rig_consumed(&r);
		made += rig_produced(&r);
	} while (status == 0);
	assert_int_equal(at, len);
	assert_int_equal(made, N);
	assert_memory_equal(back, in, N);
	rig_close(&r);
	free(in);
	free(out);
	free(back);
	free(c);
}

/*
 * Software that ends a stream itself: a stored block, and a trailer from the
 * last piece's words.
 */
static void state_words_make_the_trailer(void **state)
{
	uint8_t in[5000], out[8000];
	struct context *c = malloc(sizeof(*c));
	struct stream s;
	struct rig r;

	(void)state;
	rig_open(&r, 0, &rig_own_memory);
	rig_data(in, sizeof(in), RIG_MIXED);
	for (uint32_t format = 2; format <= 3; format++) {
		size_t made = 0;

		begin(&s, &r, format, 1, c);
		for (unsigned int at = 0; at < 5000; at += 1000) {
			assert_true(is_done(
				piece(&s, r.compress, in + at, 1000, out + made, 2000, false)));
			made += rig_produced(&r);
		}
		memcpy(out + made, "\x01\x00\x00\xff\xff", 5);
		made += 5;
		if (format == 2)
			bytes_put_be32(out + made, s.words[4]);
		if (format == 3) {
			bytes_put_le32(out + made, bytes_bitrev32(~s.words[4]));
			bytes_put_le32(out + made + 4, s.words[3]);
		}
		judge_inflate(format, 15, out, made + judge_trailer_bytes(format), in, 5000);
	}
	rig_close(&r);
	free(c);
}

static void empty_streams_and_pieces_work(void **state)
{
	struct context *c = malloc(sizeof(*c));
	uint8_t out[64], back[4];
	struct stream s;
	struct rig r;

	(void)state;
	rig_open(&r, 0, &rig_own_memory);
	for (uint32_t format = 1; format <= 3; format++) {
		begin(&s, &r, format, 1, c);
		assert_int_equal(piece(&s, r.compress, NULL, 0, NULL, 0, false), 0);
		assert_int_equal(rig_produced(&r), 0);
		assert_int_equal(piece(&s, r.compress, NULL, 0, out, 1, true), HISI_ZIP_ST_NO_ROOM);
		assert_true(is_done(piece(&s, r.compress, NULL, 0, out, 64, true)));
		judge_inflate(format, 15, out, rig_produced(&r), back, 0);
		/* Ended is ended. */
		assert_int_equal(piece(&s, r.compress, out, 4, out, 64, true),
				 HISI_ZIP_ST_STATE_LOST);
	}
	rig_close(&r);
	free(c);
}

/* A piece without room leaves everything as it was and may be sent again. */
static void a_piece_may_be_sent_again(void **state)
{
	uint8_t *in = malloc(N), *out = malloc(2 * N);
	struct context *c = malloc(sizeof(*c)), *before = malloc(sizeof(*c));
	struct stream s;
	size_t made = 0;
	struct rig r;

	(void)state;
	rig_open(&r, 0, &rig_own_memory);
	rig_data(in, N, RIG_MIXED);
	begin(&s, &r, 3, 3, c);
	for (uint32_t at = 0; at < N; at += 10000) {
		uint32_t room = 0, status, isize = s.words[3];

		do {
			memcpy(before, c, sizeof(*c));
			status = piece(&s, r.compress, in + at, 10000, out + made, room,
				       at + 10000 == N);
			if (!is_done(status)) {
				assert_int_equal(status, HISI_ZIP_ST_NO_ROOM);
				assert_int_equal(rig_consumed(&r) | rig_produced(&r), 0);
				assert_int_equal(bytes_get_le32(&r.sqe.isize), isize);
				assert_memory_equal(before, c, sizeof(*c));
			}
			room += 999;
		} while (!is_done(status));
		made += rig_produced(&r);
	}
	judge_inflate(3, 15, out, made, in, N);
	rig_close(&r);
	free(in);
	free(out);
	free(c);
	free(before);
}

/* Streams interleaved on one queue, with whole requests between, and at changing levels. */
static void streams_do_not_disturb_each_other(void **state)
{
	uint8_t *in = malloc(N), *out[3], whole[2000];
	struct context *c = malloc(3 * sizeof(*c));
	size_t made[3] = { 0 };
	struct stream s[3];
	struct rig r;

	(void)state;
	rig_open(&r, 0, &rig_own_memory);
	rig_data(in, N, RIG_TEXT);
	for (unsigned int k = 0; k < 3; k++) {
		out[k] = malloc(N);
		begin(&s[k], &r, k + 1, 1, &c[k]);
	}
	for (uint32_t at = 0; at < N; at += 5000)
		for (unsigned int k = 0; k < 3; k++) {
			s[k].level = at / 20000 % 4 + (at / 5000 % 3 ? 0 : k);
			assert_true(is_done(piece(&s[k], r.compress, in + at, 5000,
						  out[k] + made[k], 6000, at + 5000 == N)));
			made[k] += rig_produced(&r);
			if (at % 3 == k) {
				rig_fill(&r, 1, 1, in, 1000, whole, sizeof(whole));
				assert_int_equal(rig_serve(&r, r.compress), 0);
			}
		}
	for (unsigned int k = 0; k < 3; k++) {
		judge_inflate(k + 1, 15, out[k], made[k], in, N);
		free(out[k]);
	}
	rig_close(&r);
	free(in);
	free(c);
}

/* The window is in the context: another engine goes on, and history still counts. */
static void a_compress_stream_moves_to_another_engine(void **state)
{
	uint8_t *in = malloc(N), *out = malloc(N);
	struct context *c = malloc(sizeof(*c)), *moved = malloc(sizeof(*c));
	struct rig r[2];
	struct stream s;
	size_t made = 0, alone;

	(void)state;
	rig_open(&r[0], 0, &rig_own_memory);
	rig_open(&r[1], CHIP_F_STRICT, &rig_copying);
	rig_data(in, 20000, RIG_RANDOM);
	for (uint32_t at = 20000; at < N; at++)
		in[at] = in[at - 20000];
	begin(&s, &r[0], 2, 0, c);
	for (uint32_t at = 0, i = 0; at < N; at += 10000, i++) {
		s.r = &r[i & 1];
		memcpy(moved, c, sizeof(*c));
		s.context = i & 1 ? moved : c;
		assert_true(is_done(piece(&s, s.r->compress, in + at, 10000, out + made, 20000,
					  at + 10000 == N)));
		made += rig_produced(s.r);
		if (i & 1)
			memcpy(c, moved, sizeof(*c));
	}
	judge_inflate(2, 15, out, made, in, N);
	alone = 20000 + N / 20;
	assert_true(made < alone);
	rig_close(&r[0]);
	rig_close(&r[1]);
	free(in);
	free(out);
	free(c);
	free(moved);
}

static void windows_hold_across_pieces(void **state)
{
	static const int bits[] = { 12, 13, 14, 14, 15 };
	uint8_t *in = malloc(N), *out = malloc(N);
	struct context *c = malloc(sizeof(*c));
	struct hisi_zip_sqe *sqe;
	struct rig r;

	(void)state;
	rig_open(&r, 0, &rig_own_memory);
	sqe = &r.sqe;
	rig_data(in, N, RIG_TEXT);
	for (uint32_t window = 0; window <= 4; window++) {
		size_t made = 0;

		for (uint32_t at = 0; at < N; at += 30000) {
			rig_fill(&r, 1, 2, in + at, 30000, out + made, 40000);
			bytes_put_le32(&sqe->dw9, 1 | window << 12 | 2 << 16);
			bytes_put_le32(&sqe->dw7, 0x34000000u | (at ? 0 : 1u << 27) |
							  (at + 30000 == N ? 1u << 25 : 0));
			put_addr(&sqe->stream_ctx_addr_l, c->bytes + 64);
			assert_int_equal(rig_serve(&r, r.compress), 0);
			made += rig_produced(&r);
		}
		judge_inflate(1, bits[window], out, made, in, N);
	}
	rig_close(&r);
	free(in);
	free(out);
	free(c);
}

/* ------------------------------------------------------- joined pieces */

static uint32_t level_served(const struct stream *s)
{
	return bytes_get_le32(&s->r->sqe.comp_data_length);
}

/* Pieces of @sizes, the last of them ending the stream; each tells the level that served it. */
static void joined_round_trip(struct stream *s, const uint8_t *in, const uint32_t *sizes,
			      unsigned int nr, uint8_t *out)
{
	size_t at = 0, made = 0;

	for (unsigned int i = 0; i < nr; i++) {
		const bool is_last = i + 1 == nr;
		/* An SQE cannot give more room. */
		const uint32_t bound = (uint32_t)base_min_u64(
			bound_of(is_last ? s->format : 1, sizes[i]), HISI_ZIP_FLAT_MAX);

		assert_true(is_done(
			piece(s, s->r->compress, in + at, sizes[i], out + made, bound, is_last)));
		assert_int_equal(rig_consumed(s->r), sizes[i]);
		assert_true(rig_produced(s->r) <= bound);
		assert_int_equal(level_served(s), sizes[i] && sizes[i] < JOINED_MIN ? 2 : s->level);
		made += rig_produced(s->r);
		at += sizes[i];
	}
	judge_inflate(s->format, 15, out, made, in, at);
}

/* Large pieces by libdeflate, small ones by libisal, in any order and at either end. */
static void large_pieces_are_joined(void **state)
{
	static const uint32_t sizes[][6] = {
		{ JOINED_MIN, 5000, JOINED_MIN, JOINED_MIN + 1, JOINED_MIN - 1, 0 },
		{ 1, 200000, 0, 1, 3, 70000 },
		{ 70000, 30000, 150001, 131099, 0, 200000 },
	};
	enum {
		MOST = 700000
	};
	uint8_t *in = malloc(MOST), *out = malloc(MOST + 1000);
	struct context *c = malloc(sizeof(*c));
	struct stream s;
	struct rig r;

	(void)state;
	rig_open(&r, 0, &rig_own_memory);
	for (enum rig_data kind = 0; kind < RIG_DATA_KINDS; kind++) {
		rig_data(in, MOST, kind);
		for (uint32_t level = 3; level <= 11; level += level == 9 ? 2 : 1) {
			unsigned int i = (level + kind) % BASE_ARRAY_SIZE(sizes);

			begin(&s, &r, 1 + level % 3, level, c);
			joined_round_trip(&s, in, sizes[i], 6, out);
		}
	}
	rig_close(&r);
	free(in);
	free(out);
	free(c);
}

static void the_largest_pieces_are_joined(void **state)
{
	uint32_t sizes[] = { HISI_ZIP_FLAT_MAX, 1u << 20, 100, 1u << 20 };
	const size_t most = 11u << 20;
	uint8_t *in = malloc(most), *out = malloc(most);
	struct context *c = malloc(sizeof(*c));
	struct stream s;
	struct rig r;

	(void)state;
	rig_open(&r, 0, &rig_own_memory);
	for (enum rig_data kind = 0; kind < RIG_DATA_KINDS; kind++) {
		rig_data(in, most, kind);
		/* Stored, it has to fit into as much. */
		sizes[0] = HISI_ZIP_FLAT_MAX - (kind == RIG_RANDOM ? 1000 : 0);
		begin(&s, &r, 3, kind == RIG_ZEROS ? 6 : 3, c);
		joined_round_trip(&s, in, sizes, BASE_ARRAY_SIZE(sizes), out);
	}
	rig_close(&r);
	free(in);
	free(out);
	free(c);
}

/* What a joined piece held is history to the small piece behind it. */
static void joined_pieces_leave_history(void **state)
{
	uint8_t *in = malloc(N), *out = malloc(N);
	struct context *c = malloc(sizeof(*c));
	struct stream s;
	size_t made;
	struct rig r;

	(void)state;
	rig_open(&r, 0, &rig_own_memory);
	rig_data(in, 200000, RIG_TEXT);
	rig_data(in + 180000, 20000, RIG_RANDOM);
	memcpy(in + 200000, in + 180000, 20000);
	begin(&s, &r, 1, 6, c);
	assert_int_equal(piece(&s, r.compress, in, 200000, out, N, false), 0);
	made = rig_produced(&r);
	assert_int_equal(piece(&s, r.compress, in + 200000, 20000, out + made, N - 100000, true),
			 0);
	assert_true(rig_produced(&r) < 1000);
	judge_inflate(1, 15, out, made + rig_produced(&r), in, 220000);
	rig_close(&r);
	free(in);
	free(out);
	free(c);
}

/* Too little room changes nothing; just enough is enough, in memory that ends there. */
static void joined_pieces_fit_exactly(void **state)
{
	uint8_t *in = malloc(N), *out = malloc(2 * N);
	struct context *c = calloc(1, sizeof(*c)), *before = malloc(sizeof(*c));

	(void)state;
	for (enum rig_data kind = 0; kind < RIG_DATA_KINDS; kind++)
		for (unsigned int is_finish = 0; is_finish < 2; is_finish++) {
			struct guarded exact;
			struct stream s;
			uint32_t made;
			struct rig r;

			rig_open(&r, 0, &rig_own_memory);
			rig_data(in, N, kind);
			begin(&s, &r, 1, 6, c);
			assert_true(
				is_done(piece(&s, r.compress, in, 150000, out, 2 * N, is_finish)));
			made = rig_produced(&r);
			memcpy(before, c, sizeof(*c));
			begin(&s, &r, 1, 6, c);
			exact = guarded_get(made - 1);
			assert_int_equal(piece(&s, r.compress, in, 150000, exact.bytes, made - 1,
					       is_finish),
					 HISI_ZIP_ST_NO_ROOM);
			guarded_put(&exact);
			exact = guarded_get(made);
			assert_true(is_done(
				piece(&s, r.compress, in, 150000, exact.bytes, made, is_finish)));
			assert_int_equal(rig_produced(&r), made);
			assert_memory_equal(exact.bytes, out, made);
			guarded_put(&exact);
			rig_close(&r);
		}
	free(in);
	free(out);
	free(c);
	free(before);
}

/* libdeflate knows one window only. */
static void small_windows_are_not_joined(void **state)
{
	static const int bits[] = { 12, 13, 14, 14, 15 };
	uint8_t *in = malloc(N), *out = malloc(N);
	struct context *c = malloc(sizeof(*c));
	struct rig r;

	(void)state;
	rig_open(&r, 0, &rig_own_memory);
	rig_data(in, N, RIG_TEXT);
	for (uint32_t window = 0; window <= 4; window++) {
		size_t made = 0;

		for (uint32_t at = 0; at < N; at += N / 2) {
			rig_fill(&r, 1, 0, in + at, N / 2, out + made, N / 2 + 100);
			bytes_put_le32(&r.sqe.dw9, 1 | window << 12 | 6 << 16);
			bytes_put_le32(&r.sqe.dw7, 0x34000000u | (at ? 1u << 25 : 1u << 27));
			put_addr(&r.sqe.stream_ctx_addr_l, c->bytes + 64);
			assert_int_equal(rig_serve(&r, r.compress), 0);
			assert_int_equal(bytes_get_le32(&r.sqe.comp_data_length),
					 window < 4 ? 2 : 6);
			made += rig_produced(&r);
		}
		judge_inflate(1, bits[window], out, made, in, N);
	}
	rig_close(&r);
	free(in);
	free(out);
	free(c);
}

/* Software's staging buffer lies behind the engine's part of the same context. */
static void the_destination_may_lie_in_the_context_buffer(void **state)
{
	struct context *c = malloc(sizeof(*c));
	uint8_t in[3000], out[4000];
	size_t made = 0;
	struct stream s;
	struct rig r;

	(void)state;
	rig_open(&r, 0, &rig_own_memory);
	rig_data(in, sizeof(in), RIG_MIXED);
	begin(&s, &r, 3, 1, c);
	for (uint32_t at = 0; at < 3000; at += 100) {
		assert_true(is_done(piece(&s, r.compress, in + at, 100, c->bytes + 0x9800, 236,
					  at + 100 == 3000)));
		memcpy(out + made, c->bytes + 0x9800, rig_produced(&r));
		made += rig_produced(&r);
	}
	judge_inflate(3, 15, out, made, in, sizeof(in));
	rig_close(&r);
	free(c);
}

static void unknown_contexts_are_refused(void **state)
{
	struct context *c = calloc(1, sizeof(*c)), *copy = malloc(sizeof(*c));
	uint8_t in[2000], out[4000], back[2000];
	uint32_t len;
	struct rig r, other;
	struct stream s, t;

	(void)state;
	rig_open(&r, 0, &rig_own_memory);
	rig_open(&other, 0, &rig_own_memory);
	rig_data(in, sizeof(in), RIG_TEXT);
	len = (uint32_t)judge_deflate(3, 6, Z_DEFAULT_STRATEGY, in, 2000, out, sizeof(out));
	/* Never begun. */
	begin(&s, &r, 3, 0, c);
	s.is_begun = true;
	assert_int_equal(piece(&s, r.inflate, out, len, back, 2000, false), HISI_ZIP_ST_STATE_LOST);
	assert_int_equal(piece(&s, r.compress, in, 10, back, 2000, false), HISI_ZIP_ST_STATE_LOST);
	/* A copy is good once, for whichever comes first. */
	begin(&s, &r, 3, 0, c);
	assert_int_equal(piece(&s, r.inflate, out, 100, back, 2000, false), 0);
	memcpy(copy, c, sizeof(*c));
	t = s;
	t.context = copy;
	assert_int_equal(piece(&s, r.inflate, out + 100, 10, back, 2000, false), 0);
	assert_int_equal(piece(&t, r.inflate, out + 100, 10, back, 2000, false),
			 HISI_ZIP_ST_STATE_LOST);
	/* Another engine does not know it; nor does this one as a compress stream or as zlib. */
	s.r = &other;
	assert_int_equal(piece(&s, other.inflate, out, 1, back, 2000, false),
			 HISI_ZIP_ST_STATE_LOST);
	s.r = &r;
	assert_int_equal(piece(&s, r.compress, in, 10, back, 2000, false), HISI_ZIP_ST_STATE_LOST);
	s.format = 2;
	assert_int_equal(piece(&s, r.inflate, out + 110, 1, back, 2000, false),
			 HISI_ZIP_ST_BAD_FIELD);
	/* None of which did it any harm. */
	s.format = 3;
	assert_int_equal(piece(&s, r.inflate, out + 110, len - 110, back, 2000, false),
			 HISI_ZIP_ST_END);
	assert_int_equal(piece(&s, r.inflate, out, 1, back, 2000, false), HISI_ZIP_ST_STATE_LOST);
	rig_close(&r);
	rig_close(&other);
	free(c);
	free(copy);
}

/* The table is bounded: the stream unused for longest is the one that is lost. */
static void too_many_streams_lose_the_oldest(void **state)
{
	enum {
		STREAMS = 257
	};
	struct context *c = calloc(STREAMS, sizeof(*c));
	struct stream *s = calloc(STREAMS, sizeof(*s));
	uint8_t in[2000], out[4000], back[2000];
	uint32_t len;
	struct rig r;

	(void)state;
	rig_open(&r, 0, &rig_own_memory);
	rig_data(in, sizeof(in), RIG_TEXT);
	len = (uint32_t)judge_deflate(3, 6, Z_DEFAULT_STRATEGY, in, 2000, out, sizeof(out));
	for (unsigned int i = 0; i < STREAMS - 1; i++) {
		begin(&s[i], &r, 3, 0, &c[i]);
		assert_int_equal(piece(&s[i], r.inflate, out, 50, back, 2000, false), 0);
	}
	assert_int_equal(piece(&s[0], r.inflate, out + 50, 50, back, 2000, false), 0);
	begin(&s[STREAMS - 1], &r, 3, 0, &c[STREAMS - 1]);
	assert_int_equal(piece(&s[STREAMS - 1], r.inflate, out, 50, back, 2000, false), 0);
	assert_int_equal(piece(&s[1], r.inflate, out + 50, 50, back, 2000, false),
			 HISI_ZIP_ST_STATE_LOST);
	assert_int_equal(piece(&s[0], r.inflate, out + 100, len - 100, back, 2000, false),
			 HISI_ZIP_ST_END);
	for (unsigned int i = 2; i < STREAMS; i++)
		assert_int_equal(piece(&s[i], r.inflate, out + 50, len - 50, back, 2000, false),
				 HISI_ZIP_ST_END);
	/* Beginning again in the same context gives the old state back at once. */
	for (unsigned int i = 0; i < 1000; i++) {
		begin(&s[0], &r, 3, 0, &c[0]);
		assert_int_equal(piece(&s[0], r.inflate, out, 50, back, 2000, false), 0);
	}
	rig_close(&r);
	free(c);
	free(s);
}

/* One queue of an engine that others use at the same time, worked on by one thread. */
struct worker {
	struct rig r; /* its engine is shared, its queues are its own */
	pthread_t thread;
	const uint8_t *want;
	const uint8_t *stream;
	uint32_t stream_bytes;
	unsigned int good;
};

static void *work(void *arg)
{
	struct worker *w = arg;
	struct context *c = malloc(sizeof(*c));
	uint8_t back[2000];
	struct stream s;

	for (unsigned int i = 0; i < 200; i++) {
		uint32_t at = 0, made = 0, status = 0;

		begin(&s, &w->r, 3, 0, c);
		while (!status) {
			status = piece(&s, w->r.inflate, w->stream + at,
				       base_min_u32(100, w->stream_bytes - at), back + made,
				       base_min_u32(500, 2000 - made), false);
			at += rig_consumed(&w->r);
			made += rig_produced(&w->r);
		}
		w->good += status == HISI_ZIP_ST_END && made == 2000 &&
			   !memcmp(back, w->want, 2000);
	}
	free(c);
	return NULL;
}

static void queues_share_the_table(void **state)
{
	enum {
		WORKERS = 3
	};
	static struct worker w[WORKERS];
	uint8_t in[2000], out[4000];
	struct rig r;
	size_t len;

	(void)state;
	rig_open(&r, 0, &rig_own_memory);
	rig_data(in, sizeof(in), RIG_TEXT);
	len = judge_deflate(3, 6, Z_DEFAULT_STRATEGY, in, 2000, out, sizeof(out));
	for (unsigned int i = 0; i < WORKERS; i++) {
		w[i] = (struct worker){ .r = r, .want = in, .stream = out };
		w[i].stream_bytes = (uint32_t)len;
		assert_int_equal(engine_zip_ops.queue_create(r.engine, 1, &w[i].r.inflate), 0);
		assert_int_equal(pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
	}
	for (unsigned int i = 0; i < WORKERS; i++) {
		pthread_join(w[i].thread, NULL);
		assert_int_equal(w[i].good, 200);
		engine_zip_ops.queue_destroy(w[i].r.inflate);
	}
	rig_close(&r);
}

static void bad_streams_end_in_errors(void **state)
{
	struct context *c = calloc(1, sizeof(*c));
	uint8_t in[2000], out[4000], back[2000];
	struct stream s;
	struct rig r;
	uint32_t len;

	(void)state;
	rig_open(&r, 0, &rig_own_memory);
	rig_data(in, sizeof(in), RIG_TEXT);
	len = (uint32_t)judge_deflate(3, 6, Z_DEFAULT_STRATEGY, in, 2000, out, sizeof(out));
	/* Checksum and length, each split over calls. */
	for (uint32_t i = len - 8; i < len; i++) {
		out[i] ^= 0x10;
		begin(&s, &r, 3, 0, c);
		assert_int_equal(piece(&s, r.inflate, out, i, back, 2000, false), 0);
		assert_int_equal(piece(&s, r.inflate, out + i, len - i, back, 2000, false),
				 HISI_ZIP_ST_BAD_CHECKSUM);
		assert_int_equal(piece(&s, r.inflate, out, 1, back, 2000, false),
				 HISI_ZIP_ST_STATE_LOST);
		out[i] ^= 0x10;
	}
	/* Block type 3. */
	begin(&s, &r, 1, 0, c);
	assert_int_equal(piece(&s, r.inflate, "\x07", 1, back, 2000, false), HISI_ZIP_ST_BAD_DATA);
	/* A match before the beginning, in the fixed code. */
	begin(&s, &r, 1, 0, c);
	assert_int_equal(piece(&s, r.inflate, "\x4b\x04\x72\x00\x00", 5, back, 2000, false),
			 HISI_ZIP_ST_BAD_DATA);
	rig_close(&r);
	free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_round_trip),
		cmocka_unit_test(inflate_ends_where_the_stream_does),
		cmocka_unit_test(a_full_output_is_drained_without_input),
		cmocka_unit_test(state_words_make_the_trailer),
		cmocka_unit_test(empty_streams_and_pieces_work),
		cmocka_unit_test(a_piece_may_be_sent_again),
		cmocka_unit_test(streams_do_not_disturb_each_other),
		cmocka_unit_test(a_compress_stream_moves_to_another_engine),
		cmocka_unit_test(windows_hold_across_pieces),
		cmocka_unit_test(large_pieces_are_joined),
		cmocka_unit_test(the_largest_pieces_are_joined),
		cmocka_unit_test(joined_pieces_leave_history),
		cmocka_unit_test(joined_pieces_fit_exactly),
		cmocka_unit_test(small_windows_are_not_joined),
		cmocka_unit_test(the_destination_may_lie_in_the_context_buffer),
		cmocka_unit_test(unknown_contexts_are_refused),
		cmocka_unit_test(too_many_streams_lose_the_oldest),
		cmocka_unit_test(queues_share_the_table),
		cmocka_unit_test(bad_streams_end_in_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

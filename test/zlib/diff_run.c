/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* What every program of calls needs; see diff_run.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diff_run.h"

static const char *const side_names[SIDES] = { "judge", "subject" };

int run_init(struct run *run, const struct zlib_api *judge, const struct zlib_api *subject)
{
	memset(run, 0, sizeof(*run));
	run->api[JUDGE] = judge;
	run->api[SUBJECT] = subject;
	run->kind = "?";
	for (int s = 0; s < SIDES; s++) {
		if (guarded_init(&run->in[s], ROOM_MAX) || guarded_init(&run->out[s], ROOM_MAX) ||
		    guarded_init(&run->aux[s], ROOM_MAX)) {
			run_fini(run);
			return -ENOMEM;
		}
	}
	return 0;
}

void run_fini(struct run *run)
{
	for (int s = 0; s < SIDES; s++) {
		guarded_fini(&run->in[s]);
		guarded_fini(&run->out[s]);
		guarded_fini(&run->aux[s]);
	}
}

bool run_program(struct run *run, void (*program)(struct run *run))
{
	run->step = 0;
	run->is_failed = false;
	run->nr_compared = 0;
	for (int s = 0; s < SIDES; s++) {
		run->shown[s] = NULL;
		run->ret[s] = 0;
		alloc_log_reset(&run->allocs[s], 0);
	}
	if (!setjmp(run->leave))
		program(run);
	for (int s = 0; s < SIDES; s++)
		alloc_log_reset(&run->allocs[s], 0);
	while (run->nr_owned)
		free(run->owned[--run->nr_owned]);
	return !run->is_failed;
}

bool run_seed(struct run *run, uint64_t seed)
{
	uint32_t choice;

	run->seed = seed;
	rng_seed(&run->rng, seed);
	choice = rng_below(&run->rng, 100);
	if (choice < 44) {
		run->kind = "deflate";
		return run_program(run, deflate_program);
	}
	if (choice < 84) {
		run->kind = "inflate";
		return run_program(run, inflate_program);
	}
	if (choice < 88) {
		run->kind = "inflateBack";
		return run_program(run, back_program);
	}
	if (choice < 95) {
		run->kind = "compress";
		return run_program(run, block_program);
	}
	if (choice < 97) {
		run->kind = "sums";
		return run_program(run, sums_program);
	}
	run->kind = "files";
	return run_program(run, file_program);
}

void diff_step(struct run *run, const char *format, ...)
{
	va_list args;

	run->step++;
	va_start(args, format);
	vsnprintf(run->what, sizeof(run->what), format, args);
	va_end(args);
	if (run->is_verbose)
		fprintf(stderr, "%4u %s\n", run->step, run->what);
}

static void show_side(const struct run *run, int side)
{
	const z_stream *z = run->shown[side];

	fprintf(stderr, "  %-7s returned %ld", side_names[side], run->ret[side]);
	if (z)
		fprintf(stderr,
			", avail_in %u, avail_out %u, total_in %lu, total_out %lu, adler %08lx, "
			"data_type %d, msg %s, state %s",
			z->avail_in, z->avail_out, z->total_in, z->total_out, z->adler,
			z->data_type, z->msg ? z->msg : "(none)", z->state ? "there" : "NULL");
	fputc('\n', stderr);
}

void diff_fail(struct run *run, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "zlib_diff: --seed %llu (%s), step %u, %s:\n  ",
		(unsigned long long)run->seed, run->kind, run->step, run->what);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	for (int s = 0; s < SIDES; s++)
		show_side(run, s);
	run->is_failed = true;
	longjmp(run->leave, 1);
}

void diff_equal(struct run *run, const char *name, unsigned long judge, unsigned long subject)
{
	if (judge != subject)
		diff_fail(run, "%s is %lu (0x%lx), not %lu (0x%lx)", name, subject, subject, judge,
			  judge);
}

void diff_equal_ret(struct run *run)
{
	if (run->ret[JUDGE] != run->ret[SUBJECT])
		diff_fail(run, "returned %ld, not %ld", run->ret[SUBJECT], run->ret[JUDGE]);
}

void diff_equal_msg(struct run *run)
{
	const z_stream *a = run->shown[JUDGE];
	const z_stream *b = run->shown[SUBJECT];

	if (!a->msg != !b->msg || (a->msg && strcmp(a->msg, b->msg) != 0))
		diff_fail(run, "msg is \"%s\", not \"%s\"", b->msg ? b->msg : "(none)",
			  a->msg ? a->msg : "(none)");
	if (!a->state != !b->state)
		diff_fail(run, "state is %s", b->state ? "there" : "NULL");
	if (!a->zalloc != !b->zalloc || !a->zfree != !b->zfree || !a->opaque != !b->opaque)
		diff_fail(run, "zalloc, zfree or opaque is set otherwise");
}

void diff_equal_allocs(struct run *run)
{
	const struct alloc_log *a = &run->allocs[JUDGE];
	const struct alloc_log *b = &run->allocs[SUBJECT];

	for (; run->nr_compared < a->nr_events && run->nr_compared < b->nr_events;
	     run->nr_compared++) {
		const struct alloc_event *x = &a->events[run->nr_compared];
		const struct alloc_event *y = &b->events[run->nr_compared];

		if (x->is_free != y->is_free || x->items != y->items || x->size != y->size)
			diff_fail(run, "allocator call %u is %s %u %u, not %s %u %u",
				  run->nr_compared, y->is_free ? "free" : "alloc", y->items,
				  y->size, x->is_free ? "free" : "alloc", x->items, x->size);
	}
	diff_equal(run, "number of allocator calls", a->nr_events, b->nr_events);
	if (a->is_wrong || b->is_wrong)
		diff_fail(run, "the allocators were used wrongly");
}

void diff_intact(struct run *run)
{
	for (int s = 0; s < SIDES; s++)
		if (!guarded_is_intact(&run->in[s]) || !guarded_is_intact(&run->out[s]) ||
		    !guarded_is_intact(&run->aux[s]))
			diff_fail(run, "the %s wrote beside its buffers", side_names[s]);
}

void *run_alloc(struct run *run, size_t bytes)
{
	void *p = run->nr_owned < OWNED_MAX ? malloc(bytes ? bytes : 1) : NULL;

	if (!p) {
		fprintf(stderr, "zlib_diff: no memory\n");
		exit(1);
	}
	run->owned[run->nr_owned++] = p;
	return p;
}

/* Both sides' buffers lie alike, so that what depends on that is equal. */
static bool is_at_end(const struct run *run)
{
	return (run->step * 5 + run->seed) % 4 != 0;
}

static uint8_t *place(struct guarded *g, const void *bytes, size_t nr, bool at_end)
{
	uint8_t *at = guarded_place(g, nr, at_end);

	if (bytes && nr)
		memcpy(at, bytes, nr);
	return at;
}

uint8_t *place_in(struct run *run, int side, const void *bytes, size_t nr)
{
	return place(&run->in[side], bytes, nr, is_at_end(run));
}

uint8_t *place_out(struct run *run, int side, size_t nr)
{
	return place(&run->out[side], NULL, nr, is_at_end(run));
}

uint8_t *place_aux(struct run *run, int side, const void *bytes, size_t nr)
{
	return place(&run->aux[side], bytes, nr, is_at_end(run));
}

void grown_add(struct run *run, struct grown *g, const void *bytes, size_t nr)
{
	if (nr == 0)
		return;
	if (g->nr + nr > g->room) {
		size_t room = 2 * g->room + nr + 256;
		uint8_t *all = run_alloc(run, room);

		if (g->nr)
			memcpy(all, g->bytes, g->nr);
		g->bytes = all;
		g->room = room;
	}
	memcpy(g->bytes + g->nr, bytes, nr);
	g->nr += nr;
}

bool use_allocators(struct run *run)
{
	unsigned int fail_at;

	if (!rng_chance(&run->rng, 25))
		return false;
	fail_at = rng_chance(&run->rng, 25) ? 1 + rng_below(&run->rng, 12) : 0;
	for (int s = 0; s < SIDES; s++)
		run->allocs[s].fail_at = fail_at;
	return true;
}

void set_allocators(struct run *run, z_stream *strm, int side, bool is_custom)
{
	strm->zalloc = is_custom ? alloc_log_alloc : Z_NULL;
	strm->zfree = is_custom ? alloc_log_free : Z_NULL;
	strm->opaque = is_custom ? &run->allocs[side] : Z_NULL;
}

static Bytef *make_field(struct run *run, size_t bytes, bool is_string)
{
	Bytef *field = run_alloc(run, bytes + 1);

	for (size_t i = 0; i < bytes; i++)
		field[i] = (Bytef)(is_string ? 'a' + i % 26 : i * 7);
	field[bytes] = 0;
	return field;
}

static size_t field_bytes(struct run *run)
{
	static const uint32_t tops[] = { 1, 8, 60, 1000, 65536 };

	return rng_below(&run->rng, tops[rng_below(&run->rng, 5)]);
}

gz_header *make_header(struct run *run)
{
	gz_header *h = run_alloc(run, sizeof(*h));

	memset(h, 0, sizeof(*h));
	h->text = rng_chance(&run->rng, 50);
	h->time = rng_below(&run->rng, 1u << 31);
	h->os = (int)rng_below(&run->rng, 256);
	h->hcrc = rng_chance(&run->rng, 50);
	if (rng_chance(&run->rng, 50)) {
		h->extra_len = (uInt)field_bytes(run);
		h->extra = make_field(run, h->extra_len, false);
	}
	if (rng_chance(&run->rng, 60))
		h->name = make_field(run, field_bytes(run), true);
	if (rng_chance(&run->rng, 40))
		h->comment = make_field(run, field_bytes(run), true);
	return h;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * One run: a random program of calls made on two libraries side by side, the
 * judge and the subject.  Where they differ, diff_fail() prints the step with what both
 * show, and leaves the program by longjmp(): programs check and go on.
 */
#ifndef DIFF_RUN_H
#define DIFF_RUN_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "diff_api.h"
#include "diff_memory.h"
#include "diff_rand.h"

enum {
	JUDGE,
	SUBJECT,
	SIDES
};

/* The longest input of a run, and the most room of one call. */
#define DATA_MAX ((size_t)3 << 20)
#define ROOM_MAX ((size_t)5 << 20)

#define OWNED_MAX 4096u

struct run {
	const struct zlib_api *api[SIDES];
	/* What is handed over lies in these, each side's in its own. */
	struct guarded in[SIDES];
	struct guarded out[SIDES];
	struct guarded aux[SIDES];
	struct alloc_log allocs[SIDES];
	unsigned int nr_compared; /* events of the two logs */
	bool is_verbose;

	struct rng rng;
	uint64_t seed;
	const char *kind;
	unsigned int step;
	char what[256];
	z_stream *shown[SIDES]; /* the streams of the step, or NULL */
	long ret[SIDES];
	bool is_failed;
	jmp_buf leave;
	void *owned[OWNED_MAX];
	unsigned int nr_owned;
};

/* 0 or -ENOMEM. */
int run_init(struct run *run, const struct zlib_api *judge, const struct zlib_api *subject);
void run_fini(struct run *run);

/* Runs @program with choices from run->rng, already set; true if all was equal. */
bool run_program(struct run *run, void (*program)(struct run *run));

/* The program that the seed chooses among all kinds. */
bool run_seed(struct run *run, uint64_t seed);

/* Begins a step and says what it is, for diff_fail() and --verbose. */
void diff_step(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The step ended otherwise on the two sides, or wrongly. */
void diff_fail(struct run *run, const char *format, ...)
	__attribute__((format(printf, 2, 3), noreturn));

/* Fails unless the judge's number is the subject's. */
void diff_equal(struct run *run, const char *name, unsigned long judge, unsigned long subject);

/* run->ret and the streams' msg, state and allocator fields, and what was allocated. */
void diff_equal_ret(struct run *run);
void diff_equal_msg(struct run *run);
void diff_equal_allocs(struct run *run);

/* Fails if a side wrote beside the buffers that it was given. */
void diff_intact(struct run *run);

/* Memory that ends with the run; a failure to get any ends the process. */
void *run_alloc(struct run *run, size_t bytes);

/* A random place: at the end or the beginning of a side's area. */
uint8_t *place_in(struct run *run, int side, const void *bytes, size_t nr);
uint8_t *place_out(struct run *run, int side, size_t nr);
uint8_t *place_aux(struct run *run, int side, const void *bytes, size_t nr);

/* Bytes that grow; their memory is the run's. */
struct grown {
	uint8_t *bytes;
	size_t nr;
	size_t room;
};

void grown_add(struct run *run, struct grown *g, const void *bytes, size_t nr);

/* Now and then true: the run's streams get allocators that keep a log. */
bool use_allocators(struct run *run);
void set_allocators(struct run *run, z_stream *strm, int side, bool is_custom);

/* A random header that lasts as long as the run; both sides may be given it. */
gz_header *make_header(struct run *run);

/* The kinds of programs. */
void deflate_program(struct run *run);
void inflate_program(struct run *run);
void back_program(struct run *run);
void sums_program(struct run *run);
void block_program(struct run *run);
void file_program(struct run *run);

/* As inflate_program(), of this stream, whose content is at most @room_hint long. */
void inflate_stream(struct run *run, const uint8_t *stream, size_t bytes, size_t room_hint);

#endif

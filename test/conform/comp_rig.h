/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * What the compression tests share: data of every kind, zlib as judge in both
 * directions, sessions and blocks that check what always holds.
 *
 * WD_TEST_LONG=1 takes more combinations and goes beyond 4 GiB; WD_TEST_SEED
 * repeats a run, whose seed a failure prints.
 */
#ifndef TEST_COMP_RIG_H
#define TEST_COMP_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <wd/comp.h>

#define NR(a) (sizeof(a) / sizeof((a)[0]))

#define SIZE_MAX_TESTED (1u << 20)
#define ROOM_MAX	(SIZE_MAX_TESTED + (SIZE_MAX_TESTED >> 3) + 4096)
#define BRIEF_PART	8
#define MAX_IOV		4096u

#define NR_FORMATS 3
#define NR_LEVELS  7
#define NR_SIZES   11

extern const enum wd_comp_format formats[NR_FORMATS];
extern const int levels[NR_LEVELS];
extern const size_t sizes[NR_SIZES];

enum kind {
	KIND_TEXT,
	KIND_CODE,
	KIND_RANDOM,
	KIND_ZEROS,
	KIND_TINY,
	NR_KINDS
};

extern bool is_long;
extern bool is_brief; /* one in BRIEF_PART of many like cases */
extern uint64_t random_state;
extern uint64_t seed;
extern uint8_t *data[NR_KINDS];
extern uint8_t *packed; /* ROOM_MAX, and a guard byte that nobody may touch */
extern uint8_t *back;

/* From random_state, which a test sets. */
uint32_t next_random(void);

/* Words, as in English. */
void make_text(uint8_t *at, size_t n);

/* A format as zlib's windowBits. */
int zlib_bits(enum wd_comp_format format);

/* zlib decodes @src to exactly @want, and nothing is left over. */
void judge(enum wd_comp_format format, const uint8_t *src, size_t len, const uint8_t *want,
	   size_t want_len);

/* zlib compresses, with a flush or a new block every @step bytes unless 0; returns the length. */
size_t zlib_pack(enum wd_comp_format format, int level, const uint8_t *src, size_t n, size_t step,
		 uint8_t *dst, size_t room);

/* A session that waits long enough for an emulated processor. */
struct wd_comp *open_session(uint32_t op, enum wd_comp_format format, int level);

/* One block; what it says must hold, whatever the status, which is returned. */
uint32_t block(struct wd_comp *c, const uint8_t *src, size_t n, uint8_t *dst, size_t room,
	       struct wd_comp_io *io);

/* Runs the tests over fresh data; the exit status of the program. */
int comp_rig_run(const char *name, const struct CMUnitTest *tests, size_t nr);

#endif

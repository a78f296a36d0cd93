/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * What fails at every n: memory, threads, descriptors.  A way of calling the
 * library is run with the first, the second, ... such call of library and chip
 * model failing, and with all from there on.  The answer is right or a clean
 * error, and what was left behind serves the next call.  Each run is a process of
 * its own, so that the library begins from nothing and a leak checker sees the
 * end.
 *
 * The linker's --wrap brings the calls here, which sanitizers do not mind.
 */
#ifndef TEST_NTH_FAULT_H
#define TEST_NTH_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <wd/comp.h>

#define DATA_BYTES 300000u
#define PACKED_MAX (DATA_BYTES + 4096u)

extern uint8_t data[DATA_BYTES];
extern uint8_t packed[PACKED_MAX]; /* by zlib, as gzip */
extern size_t packed_bytes;
extern uint8_t out[PACKED_MAX];

#define WRONG 1 /* what no error of the library's is */

/* Whether @bytes of out are the data as gzip, or the data: 0 or WRONG. */
int judge_packed(size_t bytes);
int judge_plain(size_t bytes);

/* The same for any part of the data, anywhere. */
int judge_part(const uint8_t *at, size_t bytes, size_t from, size_t len);

/* From here on nothing fails. */
void nth_fault_disarm(void);

/* Whether something failed; in a child that is told to its parent. */
bool nth_fault_has_failed(void);
void nth_fault_note_failed(void);

/* Whether it is what calls that failed may lead to. */
bool nth_fault_is_clean(int error);

/* Memory of the test's own, which does not fail. */
void *nth_fault_alloc(size_t align, size_t bytes);

struct way {
	const char *name;
	int (*run)(void);
	/* settings; NULL: as they are */
	const char *embed;
	const char *workers;
	const char *stats;
};

/* Runs all of them at every n; the exit status of the program. */
int nth_fault_run(const struct way *ways, size_t nr);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* Input of the compression benchmark: files named by the user, or a mix of this machine's own. */
#ifndef BENCH_SAMPLE_H
#define BENCH_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

struct sample {
	uint8_t *bytes;
	size_t nr_bytes;
};

/* The files one after the other.  Returns 0, or -1 after a message. */
int sample_read_files(char *const *paths, struct sample *s);

/* Up to @max bytes of headers, programs, documents and libraries of this machine. */
int sample_gather(size_t max, struct sample *s);

/* The files, or up to @max bytes of this machine where none is named. */
int sample_open(char *const *paths, size_t max, struct sample *s);

/* @bytes that no codec makes smaller; the same every time. */
int sample_make_random(size_t bytes, struct sample *s);

void sample_fini(struct sample *s);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * A line on the terminal for work that takes longer than about a second: bytes
 * read, percent where the size is known, rate.  It is wiped when the work ends.
 */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *name;
	uint64_t total; /* bytes of input, 0 when not known */
	uint64_t start_ns;
	uint64_t next_ns; /* when to draw again */
	int width;	  /* of what stands on the terminal now */
	bool is_on;
};

uint64_t progress_now_ns(void);

/* Draws nothing, ever, unless @is_wanted and standard error is a terminal. */
void progress_start(struct progress *progress, const char *name, uint64_t total, bool is_wanted);

/* @done bytes of input are dealt with. */
void progress_update(struct progress *progress, uint64_t done);

/* Wipes the line, also before a message; a later update draws it again. */
void progress_wipe(struct progress *progress);

#endif

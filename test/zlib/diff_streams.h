/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* Compressed streams that the judge made, for programs that inflate. */
#ifndef DIFF_STREAMS_H
#define DIFF_STREAMS_H

#include "diff_decode.h"

struct made_stream {
	enum wrap wrap;
	int window_bits;
	struct grown bytes;
	size_t first_bytes; /* of the first member, without what follows it */
	size_t room;	    /* what the first member decodes to */
	struct grown dictionary;
	bool is_bad;
};

/* A random stream, whole or damaged. */
void make_stream(struct run *run, struct made_stream *m);

/* A whole raw one without a dictionary. */
void make_raw_stream(struct run *run, struct made_stream *m);

/* Flips, cuts or inserts something; nothing else has to be wrong afterwards. */
void damage(struct run *run, struct grown *bytes);

#endif

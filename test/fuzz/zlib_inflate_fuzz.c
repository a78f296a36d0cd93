/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Any bytes as a compressed stream: libwdz beside the system's zlib, which must
 * agree at every step.  Input: CHOICE_BYTES that choose the calls and their sizes
 * (more calls follow from a fixed seed), then the stream.  Buffers lie between
 * unmapped pages.  ZLIB_DIFF_SUBJECT names another library to try.
 */
#include <stdlib.h>

#include "test/zlib/diff_run.h"

#define CHOICE_BYTES 24u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *stream;
	size_t bytes;
};

static struct input input;

static struct run *get_run(void)
{
	static struct zlib_api judge;
	static struct zlib_api subject;
	static struct run run;
	const char *path = getenv("ZLIB_DIFF_SUBJECT");

	if (!run.api[JUDGE] &&
	    (zlib_api_load(&judge, "libz.so.1") ||
	     zlib_api_load(&subject, path ? path : WDZ_PATH) || run_init(&run, &judge, &subject)))
		exit(1);
	return &run;
}

static void inflate_input(struct run *run)
{
	/* Room for what such a stream often has, so that it can be whole at once. */
	inflate_stream(run, input.stream, input.bytes, 200000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run *run = get_run();
	size_t nr = size < CHOICE_BYTES ? size : CHOICE_BYTES;

	run->kind = "inflate, by a fuzzer's bytes";
	rng_bytes(&run->rng, data, nr);
	input = (struct input){ .stream = data + nr, .bytes = size - nr };
	if (!run_program(run, inflate_input))
		abort();
	return 0;
}

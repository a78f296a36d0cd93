/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Any calls of deflate and its kin: the program of test/zlib, on libwdz beside the
 * system's zlib, with the input's bytes for its choices.  Buffers lie between
 * unmapped pages.  ZLIB_DIFF_SUBJECT names another library to try.
 */
#include <stdlib.h>

#include "test/zlib/diff_run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run *run = get_run();

	run->kind = "deflate, by a fuzzer's bytes";
	rng_bytes(&run->rng, data, size);
	if (!run_program(run, deflate_program))
		abort();
	return 0;
}

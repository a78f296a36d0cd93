/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Fuzz target of the walk over deflate streams.  Input: the bytes to walk over.
 * What is found must lie within them and be found again without the bytes
 * behind it, not with one less; reopened and ended anew it must be a stream
 * whose last block is the new one.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "chip/qm/zip_join.h"

#define EMPTY_BYTES 2 /* of an empty block in the fixed code */
#define EMPTY_BITS  10

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool is_right)
{
	if (!is_right)
		abort();
}

/* As zip_join_find_last(), in memory of its own. */
static bool find_last(struct zip_join *j, const uint8_t *data, size_t size,
		      struct zip_last_block *ret_last)
{
	uint8_t *copy = malloc(size ? size : 1);
	bool is_found;

	check(copy != NULL);
	memcpy(copy, data, size);
	is_found = zip_join_find_last(j, copy, size, ret_last);
	free(copy);
	return is_found;
}

static void check_reopened(struct zip_join *j, const uint8_t *data, size_t bytes)
{
	uint8_t *longer = malloc(bytes + ZIP_JOIN_GROWTH + EMPTY_BYTES);
	struct zip_last_block last;
	size_t grown;

	check(longer != NULL);
	memcpy(longer, data, bytes);
	grown = zip_join_reopen(j, longer, bytes);
	check(grown > bytes && grown <= bytes + ZIP_JOIN_GROWTH);
	check(!zip_join_find_last(j, longer, grown, &last));
	memcpy(longer + grown, "\x03", EMPTY_BYTES);
	check(zip_join_find_last(j, longer, grown + EMPTY_BYTES, &last));
	check(last.header == (uint64_t)grown * 8 && last.end == last.header + EMPTY_BITS);
	free(longer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct zip_join *j = malloc(sizeof(*j));
	struct zip_last_block last, again;
	size_t bytes;

	check(j != NULL);
	if (find_last(j, data, size, &last)) {
		bytes = (size_t)((last.end + 7) / 8);
		check(last.header < last.end && bytes <= size);
		check(data[last.header / 8] >> last.header % 8 & 1);
		check(find_last(j, data, bytes, &again));
		check(again.header == last.header && again.end == last.end);
		check(!find_last(j, data, bytes - 1, &again));
		check_reopened(j, data, bytes);
	}
	free(j);
	return 0;
}

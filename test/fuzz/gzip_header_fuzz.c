/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Fuzz target of the header parser.  Input: a byte that chooses the format, a
 * byte that says how to cut, then the bytes to read.  However they are cut, the
 * answer must be the same, nothing beyond them may be read, and a header that
 * was read must survive being built and read again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "alg/gzip_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool is_right)
{
	if (!is_right)
		abort();
}

/* Reads in pieces of 1 to @step bytes, each in memory of its own. */
static enum header_result feed_in_pieces(struct header_parser *p, const uint8_t *src, size_t len,
					 size_t step, size_t *ret_used)
{
	enum header_result result = HEADER_MORE;
	size_t at = 0;

	for (size_t i = 0; at < len && result == HEADER_MORE; i++) {
		size_t run = 1 + (i * 7) % step;
		uint8_t *piece;
		size_t used;

		run = run < len - at ? run : len - at;
		piece = malloc(run);
		check(piece != NULL);
		memcpy(piece, src + at, run);
		result = header_parser_feed(p, piece, run, &used);
		free(piece);
		check(used <= run);
		check(result != HEADER_MORE || used == run);
		at += used;
	}
	*ret_used = at;
	return result;
}

static void check_round_trip(const struct header_parser *p)
{
	uint8_t buf[GZIP_HEADER_MAX];
	size_t n = gzip_header_build(buf, &p->said);
	struct header_parser again;
	size_t used;

	check(n <= sizeof(buf));
	header_parser_init(&again, WD_COMP_GZIP);
	check(header_parser_feed(&again, buf, n, &used) == HEADER_DONE && used == n);
	check(again.said.mtime == p->said.mtime && again.said.os == p->said.os);
	check(again.said.has_name == p->said.has_name);
	check(strcmp(again.said.name, p->said.name) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct header_parser whole;
	struct header_parser cut;
	enum header_result whole_result;
	enum header_result cut_result;
	enum wd_comp_format format;
	size_t whole_used;
	size_t cut_used;

	if (size < 3)
		return 0;
	format = (data[0] & 1) != 0 ? WD_COMP_ZLIB : WD_COMP_GZIP;
	header_parser_init(&whole, format);
	header_parser_init(&cut, format);
	whole_result = header_parser_feed(&whole, data + 2, size - 2, &whole_used);
	cut_result = feed_in_pieces(&cut, data + 2, size - 2, 1 + data[1], &cut_used);
	check(whole_used <= size - 2);
	check(whole_result == cut_result && whole_used == cut_used);
	check(strlen(whole.said.name) < sizeof(whole.said.name));
	check(strcmp(whole.said.name, cut.said.name) == 0);
	if (whole_result == HEADER_DONE && format == WD_COMP_GZIP)
		check_round_trip(&whole);
	return 0;
}

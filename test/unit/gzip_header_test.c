/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The header parser and builders: every flag of RFC 1952, every place to cut,
 * lengths that lie, and zlib's own idea of what it reads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "alg/gzip_header.h"
#include "base/bytes.h"
#include "base/compiler.h"

#define FHCRC	 (1u << 1)
#define FEXTRA	 (1u << 2)
#define FNAME	 (1u << 3)
#define FCOMMENT (1u << 4)

#define MTIME 0x5f3759dfu

/* Writes a header with the parts that @flags name, followed by one byte of data. */
static size_t make_header(uint8_t *buf, unsigned int flags, size_t extra, const char *name)
{
	static const char comment[] = "a comment";
	size_t n = 10;

	memset(buf, 0, n);
	buf[0] = 0x1f;
	buf[1] = 0x8b;
	buf[2] = 8;
	buf[3] = flags;
	bytes_put_le32(buf + 4, MTIME);
	buf[9] = 3;
	if ((flags & FEXTRA) != 0) {
		bytes_put_le16(buf + n, extra);
		memset(buf + n + 2, 'x', extra);
		n += 2 + extra;
	}
	if ((flags & FNAME) != 0) {
		memcpy(buf + n, name, strlen(name) + 1);
		n += strlen(name) + 1;
	}
	if ((flags & FCOMMENT) != 0) {
		memcpy(buf + n, comment, sizeof(comment));
		n += sizeof(comment);
	}
	if ((flags & FHCRC) != 0) {
		bytes_put_le16(buf + n, crc32(0, buf, n));
		n += 2;
	}
	buf[n] = 0xa5;
	return n;
}

static enum header_result feed_all(struct header_parser *p, const uint8_t *src, size_t len,
				   size_t *ret_used)
{
	header_parser_init(p, WD_COMP_GZIP);
	return header_parser_feed(p, src, len, ret_used);
}

static void reads_every_flag_at_every_cut(void **state)
{
	uint8_t buf[512];
	struct header_parser p;

	(void)state;
	for (unsigned int flags = 0; flags < 32; flags++) {
		size_t len = make_header(buf, flags, 11, "name.txt");

		for (size_t cut = 0; cut <= len; cut++) {
			size_t first;
			size_t used;

			if (cut < len)
				assert_int_equal(feed_all(&p, buf, cut, &first), HEADER_MORE);
			else
				assert_int_equal(feed_all(&p, buf, cut, &first), HEADER_DONE);
			assert_int_equal(first, cut);
			assert_int_equal(header_parser_feed(&p, buf + cut, len + 1 - cut, &used),
					 HEADER_DONE);
			assert_int_equal(first + used, len);
			assert_int_equal(p.said.mtime, MTIME);
			assert_int_equal(p.said.os, 3);
			assert_int_equal(p.said.has_name, (flags & FNAME) != 0);
			assert_string_equal(p.said.name, (flags & FNAME) != 0 ? "name.txt" : "");
		}
	}
}

static void reads_byte_by_byte(void **state)
{
	uint8_t buf[512];
	struct header_parser p;
	size_t len = make_header(buf, 31, 100, "n");
	size_t used;

	(void)state;
	header_parser_init(&p, WD_COMP_GZIP);
	for (size_t i = 0; i < len; i++) {
		enum header_result result = header_parser_feed(&p, buf + i, 1, &used);

		assert_int_equal(used, 1);
		assert_int_equal(result, i + 1 == len ? HEADER_DONE : HEADER_MORE);
	}
	/* Once done it takes nothing more, and nothing is all it needs to say so. */
	assert_int_equal(header_parser_feed(&p, buf, len, &used), HEADER_DONE);
	assert_int_equal(used, 0);
}

static void refuses_bad_bytes_where_they_are(void **state)
{
	static const struct {
		unsigned int at;
		uint8_t byte;
	} bad[] = { { 0, 0x1e }, { 0, 'P' },  { 1, 0x8a }, { 1, 0x9d }, { 2, 0 },   { 2, 7 },
		    { 2, 9 },	 { 3, 0x20 }, { 3, 0x40 }, { 3, 0x80 }, { 3, 0xff } };
	uint8_t buf[64];
	struct header_parser p;
	size_t used;

	(void)state;
	for (size_t i = 0; i < BASE_ARRAY_SIZE(bad); i++) {
		size_t len = make_header(buf, 0, 0, "");

		buf[bad[i].at] = bad[i].byte;
		assert_int_equal(feed_all(&p, buf, len, &used), HEADER_BAD);
		assert_int_equal(used, bad[i].at);
		assert_int_equal(header_parser_is_no_gzip(&p), bad[i].at < 2);
		assert_int_equal(header_parser_feed(&p, buf, len, &used), HEADER_BAD);
		assert_int_equal(used, 0);
	}
}

static void verifies_header_crc(void **state)
{
	uint8_t buf[512];
	struct header_parser p;
	size_t len = make_header(buf, 31, 5, "abc");
	size_t used;

	(void)state;
	/* Every bit that the sum covers; where it moves the header's end, the rest may be missing. */
	for (size_t bit = 3 * 8; bit < len * 8; bit++) {
		enum header_result result;

		buf[bit / 8] ^= 1u << bit % 8;
		result = feed_all(&p, buf, len, &used);
		if (bit != 3 * 8 + 1) /* the flag that asks for the sum */
			assert_int_not_equal(result, HEADER_DONE);
		if (result == HEADER_BAD)
			assert_false(header_parser_is_no_gzip(&p));
		buf[bit / 8] ^= 1u << bit % 8;
	}
	assert_int_equal(feed_all(&p, buf, len, &used), HEADER_DONE);
}

static void keeps_only_so_much_of_a_name(void **state)
{
	size_t long_len = 70000;
	char *name = malloc(long_len + 1);
	uint8_t *buf = malloc(long_len + 200);
	struct header_parser p;

	(void)state;
	assert_true(name != NULL && buf != NULL);
	memset(name, 'n', long_len);
	for (size_t len = 250; len <= long_len; len += len < 260 ? 1 : long_len - 260) {
		size_t want = len < 255 ? len : 255;
		size_t total;
		size_t used;

		name[len] = '\0';
		total = make_header(buf, FNAME, 0, name);
		assert_int_equal(feed_all(&p, buf, total, &used), HEADER_DONE);
		assert_int_equal(used, total);
		assert_int_equal(strlen(p.said.name), want);
		/* In pieces of 100 the same is kept. */
		header_parser_init(&p, WD_COMP_GZIP);
		for (size_t at = 0; at < total; at += used)
			header_parser_feed(&p, buf + at, total - at < 100 ? total - at : 100,
					   &used);
		assert_int_equal(strlen(p.said.name), want);
		name[len] = 'n';
	}
	free(buf);
	free(name);
}

static void passes_extra_of_any_length(void **state)
{
	static const size_t lengths[] = { 0, 1, 255, 256, 65535 };
	uint8_t *buf = malloc(70000);
	struct header_parser p;
	size_t used;

	(void)state;
	assert_non_null(buf);
	for (size_t i = 0; i < BASE_ARRAY_SIZE(lengths); i++) {
		size_t len = make_header(buf, FEXTRA | FNAME | FHCRC, lengths[i], "e");

		assert_int_equal(feed_all(&p, buf, len + 1, &used), HEADER_DONE);
		assert_int_equal(used, len);
		/* A length that says more than there is: it waits, and reads nothing beyond. */
		assert_int_equal(feed_all(&p, buf, len - 3, &used), HEADER_MORE);
		assert_int_equal(used, len - 3);
	}
	free(buf);
}

static void a_name_without_end_never_ends(void **state)
{
	uint8_t buf[4096];
	struct header_parser p;
	size_t used;

	(void)state;
	make_header(buf, FNAME, 0, "");
	memset(buf + 10, 'n', sizeof(buf) - 10);
	assert_int_equal(feed_all(&p, buf, sizeof(buf), &used), HEADER_MORE);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(header_parser_feed(&p, buf + 10, sizeof(buf) - 10, &used),
				 HEADER_MORE);
		assert_int_equal(used, sizeof(buf) - 10);
	}
	assert_int_equal(strlen(p.said.name), 255);
}

static void zlib_headers(void **state)
{
	struct header_parser p;
	size_t used;

	(void)state;
	for (unsigned int word = 0; word < 65536; word++) {
		uint8_t buf[2] = { word >> 8, word };
		bool is_good = (buf[0] & 15) == 8 && buf[0] >> 4 <= 7 && word % 31 == 0 &&
			       (buf[1] & 0x20) == 0;

		header_parser_init(&p, WD_COMP_ZLIB);
		assert_int_equal(header_parser_feed(&p, buf, 2, &used),
				 is_good ? HEADER_DONE : HEADER_BAD);
		header_parser_init(&p, WD_COMP_ZLIB);
		if (header_parser_feed(&p, buf, 1, &used) == HEADER_MORE)
			assert_int_equal(header_parser_feed(&p, buf + 1, 1, &used),
					 is_good ? HEADER_DONE : HEADER_BAD);
		else
			assert_false(is_good);
		assert_false(header_parser_is_no_gzip(&p));
	}
	header_parser_init(&p, WD_COMP_DEFLATE);
	assert_int_equal(header_parser_feed(&p, NULL, 0, &used), HEADER_DONE);
	assert_int_equal(used, 0);
}

static void builds_zlib_headers(void **state)
{
	static const uint8_t flg[] = { 0x9c, 0x01, 0x5e, 0x5e, 0x5e, 0x5e,
				       0x9c, 0xda, 0xda, 0xda, 0x01, 0xda };
	struct header_parser p;
	uint8_t buf[2];
	size_t used;

	(void)state;
	for (unsigned int level = 0; level < BASE_ARRAY_SIZE(flg); level++) {
		assert_int_equal(zlib_header_build(buf, level, 15), 2);
		assert_int_equal(buf[0], 0x78);
		assert_int_equal(buf[1], flg[level]);
		for (unsigned int bits = 12; bits <= 15; bits++) {
			zlib_header_build(buf, level, bits);
			assert_int_equal(buf[0] >> 4, bits - 8);
			header_parser_init(&p, WD_COMP_ZLIB);
			assert_int_equal(header_parser_feed(&p, buf, 2, &used), HEADER_DONE);
		}
	}
}

static void builds_gzip_headers(void **state)
{
	static const uint8_t plain[10] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3 };
	struct wd_comp_gzip_header h = { .size = sizeof(h), .mtime = MTIME, .os = 255 };
	uint8_t buf[GZIP_HEADER_MAX];
	struct header_parser p;
	size_t used;

	(void)state;
	assert_int_equal(gzip_header_build(buf, NULL), 10);
	assert_memory_equal(buf, plain, 10);
	assert_int_equal(gzip_header_build(buf, &h), 10);
	assert_int_equal(buf[3], 0);
	/* Names of every length, and one without its end. */
	h.has_name = 1;
	for (size_t len = 0; len <= sizeof(h.name); len++) {
		size_t kept = len < 255 ? len : 255;
		size_t n;

		memset(h.name, 0, sizeof(h.name));
		memset(h.name, 'q', len);
		n = gzip_header_build(buf, &h);
		assert_int_equal(n, 10 + kept + 1);
		assert_int_equal(feed_all(&p, buf, n, &used), HEADER_DONE);
		assert_int_equal(used, n);
		assert_int_equal(strlen(p.said.name), kept);
		assert_int_equal(p.said.mtime, MTIME);
		assert_int_equal(p.said.os, 255);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_flag_at_every_cut),
		cmocka_unit_test(reads_byte_by_byte),
		cmocka_unit_test(refuses_bad_bytes_where_they_are),
		cmocka_unit_test(verifies_header_crc),
		cmocka_unit_test(keeps_only_so_much_of_a_name),
		cmocka_unit_test(passes_extra_of_any_length),
		cmocka_unit_test(a_name_without_end_never_ends),
		cmocka_unit_test(zlib_headers),
		cmocka_unit_test(builds_zlib_headers),
		cmocka_unit_test(builds_gzip_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Headers of gzip (RFC 1952) and zlib (RFC 1950).  The parser is a machine over
 * the header's parts: each step takes as many bytes of its part as there are,
 * so that any cut of the input gives the same answer, and it keeps nothing that
 * a hostile length could make large.
 */
#include "alg/gzip_header.h"

#include <string.h>

#include "base/bytes.h"
#include "base/compiler.h"
#include "base/sums.h"

#define GZIP_CM_DEFLATE 8

#define GZIP_FHCRC    (1u << 1)
#define GZIP_FEXTRA   (1u << 2)
#define GZIP_FNAME    (1u << 3)
#define GZIP_FCOMMENT (1u << 4)
#define GZIP_RESERVED 0xe0u

#define GZIP_OS_UNIX 3

#define ZLIB_CM_MASK	0x0fu
#define ZLIB_CINFO_MAX	7
#define ZLIB_FDICT	(1u << 5)
#define ZLIB_FLEVEL_BIT 6
#define ZLIB_CHECK	31 /* the header as a big-endian number is a multiple of it */

enum header_part {
	PART_FIXED,
	PART_EXTRA_LEN,
	PART_EXTRA,
	PART_NAME,
	PART_COMMENT,
	PART_HCRC,
	PART_DONE,
	PART_BAD,
};

void header_parser_init(struct header_parser *p, enum wd_comp_format format)
{
	p->format = format;
	p->part = format == WD_COMP_DEFLATE ? PART_DONE : PART_FIXED;
	p->flags = 0;
	p->fill = 0;
	p->left = 0;
	p->name_len = 0;
	p->crc = 0;
	memset(&p->said, 0, offsetof(struct wd_comp_gzip_header, name) + 1);
	p->said.size = sizeof(p->said);
}

/* Whether byte @i of the fixed part may have this value; each is judged as it comes. */
static bool is_fixed_ok(const struct header_parser *p, unsigned int i, uint8_t byte)
{
	if (p->format == WD_COMP_ZLIB) {
		if (i == 0)
			return (byte & ZLIB_CM_MASK) == GZIP_CM_DEFLATE &&
			       byte >> 4 <= ZLIB_CINFO_MAX;
		return (p->fixed[0] << 8 | byte) % ZLIB_CHECK == 0 && (byte & ZLIB_FDICT) == 0;
	}
	switch (i) {
	case 0:
		return byte == GZIP_ID1;
	case 1:
		return byte == GZIP_ID2;
	case 2:
		return byte == GZIP_CM_DEFLATE;
	case 3:
		return (byte & GZIP_RESERVED) == 0;
	default:
		return true;
	}
}

/* The first part after @part that the flags ask for. */
static uint8_t part_after(const struct header_parser *p, enum header_part part)
{
	switch (part) {
	case PART_FIXED:
		if ((p->flags & GZIP_FEXTRA) != 0)
			return PART_EXTRA_LEN;
		BASE_FALLTHROUGH;
	case PART_EXTRA:
		if ((p->flags & GZIP_FNAME) != 0)
			return PART_NAME;
		BASE_FALLTHROUGH;
	case PART_NAME:
		if ((p->flags & GZIP_FCOMMENT) != 0)
			return PART_COMMENT;
		BASE_FALLTHROUGH;
	case PART_COMMENT:
		if ((p->flags & GZIP_FHCRC) != 0)
			return PART_HCRC;
		BASE_FALLTHROUGH;
	default:
		return PART_DONE;
	}
}

static void enter(struct header_parser *p, uint8_t part)
{
	p->part = part;
	p->fill = 0;
}

/* A gzip header without any of its options, all there: nearly every one. */
static bool is_plain(const struct header_parser *p, const uint8_t *src, size_t len)
{
	static const uint8_t plain[] = { GZIP_ID1, GZIP_ID2, GZIP_CM_DEFLATE, 0 };

	return p->format == WD_COMP_GZIP && p->fill == 0 && len >= GZIP_FIXED_BYTES &&
	       memcmp(src, plain, sizeof(plain)) == 0;
}

static size_t take_fixed(struct header_parser *p, const uint8_t *src, size_t len)
{
	size_t want = p->format == WD_COMP_ZLIB ? ZLIB_HEADER_BYTES : GZIP_FIXED_BYTES;
	size_t used = 0;

	if (is_plain(p, src, len)) {
		p->said.mtime = bytes_get_le32(src + 4);
		p->said.os = src[9];
		p->part = PART_DONE;
		return GZIP_FIXED_BYTES;
	}
	for (; used < len && p->fill < want; used++) {
		if (!is_fixed_ok(p, p->fill, src[used])) {
			p->part = PART_BAD;
			return used;
		}
		p->fixed[p->fill++] = src[used];
	}
	if (p->fill < want)
		return used;
	if (p->format == WD_COMP_ZLIB) {
		p->part = PART_DONE;
		return used;
	}
	p->flags = p->fixed[3];
	p->said.mtime = bytes_get_le32(p->fixed + 4);
	p->said.os = p->fixed[9];
	p->said.has_name = (p->flags & GZIP_FNAME) != 0;
	if ((p->flags & GZIP_FHCRC) != 0)
		p->crc = sums_crc32(0, p->fixed, GZIP_FIXED_BYTES);
	enter(p, part_after(p, PART_FIXED));
	return used;
}

/* Collects a little-endian number of two bytes; true once it is there. */
static bool take_le16(struct header_parser *p, const uint8_t *src, size_t len, size_t *ret_used)
{
	size_t used = 0;

	while (used < len && p->fill < 2)
		p->fixed[p->fill++] = src[used++];
	*ret_used = used;
	return p->fill == 2;
}

/* Takes a string up to and with its end; a name is kept as far as there is room. */
static size_t take_string(struct header_parser *p, const uint8_t *src, size_t len)
{
	const uint8_t *end = memchr(src, 0, len);
	size_t body = end != NULL ? (size_t)(end - src) : len;

	if (p->part == PART_NAME) {
		size_t room = sizeof(p->said.name) - 1 - p->name_len;
		size_t keep = base_min_u64(body, room);

		memcpy(p->said.name + p->name_len, src, keep);
		p->name_len += keep;
		p->said.name[p->name_len] = '\0';
	}
	if (end == NULL)
		return body;
	enter(p, part_after(p, p->part));
	return body + 1;
}

static size_t take_part(struct header_parser *p, const uint8_t *src, size_t len)
{
	size_t used;

	switch (p->part) {
	case PART_EXTRA_LEN:
		if (take_le16(p, src, len, &used)) {
			p->left = bytes_get_le16(p->fixed);
			enter(p, p->left > 0 ? PART_EXTRA : part_after(p, PART_EXTRA));
		}
		return used;
	case PART_EXTRA:
		used = base_min_u64(len, p->left);
		p->left -= used;
		if (p->left == 0)
			enter(p, part_after(p, PART_EXTRA));
		return used;
	default:
		return take_string(p, src, len);
	}
}

enum header_result header_parser_feed(struct header_parser *p, const uint8_t *src, size_t len,
				      size_t *ret_used)
{
	size_t used = 0;
	size_t n;

	while (used < len && p->part < PART_DONE) {
		if (p->part == PART_FIXED) {
			used += take_fixed(p, src + used, len - used);
		} else if (p->part == PART_HCRC) {
			if (take_le16(p, src + used, len - used, &n))
				p->part = bytes_get_le16(p->fixed) == (p->crc & 0xffff) ?
						  PART_DONE :
						  PART_BAD;
			used += n;
		} else {
			n = take_part(p, src + used, len - used);
			if ((p->flags & GZIP_FHCRC) != 0)
				p->crc = sums_crc32(p->crc, src + used, n);
			used += n;
		}
	}
	*ret_used = used;
	if (p->part == PART_DONE)
		return HEADER_DONE;
	return p->part == PART_BAD ? HEADER_BAD : HEADER_MORE;
}

size_t gzip_header_build(uint8_t *buf, const struct wd_comp_gzip_header *header)
{
	size_t n = GZIP_FIXED_BYTES;
	size_t name_len;

	memset(buf, 0, GZIP_FIXED_BYTES);
	buf[0] = GZIP_ID1;
	buf[1] = GZIP_ID2;
	buf[2] = GZIP_CM_DEFLATE;
	buf[9] = GZIP_OS_UNIX;
	if (header == NULL)
		return n;
	bytes_put_le32(buf + 4, header->mtime);
	buf[9] = header->os;
	if (header->has_name) {
		name_len = strnlen(header->name, sizeof(header->name) - 1);
		buf[3] = GZIP_FNAME;
		memcpy(buf + n, header->name, name_len);
		buf[n + name_len] = '\0';
		n += name_len + 1;
	}
	return n;
}

size_t zlib_header_build(uint8_t *buf, int level, unsigned int window_bits)
{
	unsigned int flevel;
	unsigned int check;

	if (level == WD_COMP_LEVEL_FASTEST || level == 1)
		flevel = 0;
	else if (level == WD_COMP_LEVEL_DEFAULT || level == 6)
		flevel = 2;
	else
		flevel = level < 6 ? 1 : 3;
	buf[0] = GZIP_CM_DEFLATE | (window_bits - 8) << 4;
	buf[1] = flevel << ZLIB_FLEVEL_BIT;
	check = (buf[0] << 8 | buf[1]) % ZLIB_CHECK;
	if (check != 0)
		buf[1] += ZLIB_CHECK - check;
	return ZLIB_HEADER_BYTES;
}

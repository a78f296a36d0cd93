/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Headers of gzip (RFC 1952) and zlib (RFC 1950): built whole, and read from
 * bytes that arrive in pieces of any size.  Trailers are the device's.
 */
#ifndef ALG_GZIP_HEADER_H
#define ALG_GZIP_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <wd/comp.h>

#define GZIP_ID1 0x1f
#define GZIP_ID2 0x8b

#define GZIP_FIXED_BYTES   10u /* up to and with OS */
#define GZIP_TRAILER_BYTES 8u
#define ZLIB_HEADER_BYTES  2u
#define ZLIB_TRAILER_BYTES 4u
#define GZIP_HEADER_MAX	   (GZIP_FIXED_BYTES + sizeof(((struct wd_comp_gzip_header *)0)->name))

enum header_result {
	HEADER_MORE, /* all was taken and the header goes on */
	HEADER_DONE, /* the next byte is the first of the deflate data */
	HEADER_BAD,  /* no header, or one that is refused; stays so */
};

/* A header being read.  Begin with header_parser_init(). */
struct header_parser {
	uint8_t format; /* enum wd_comp_format */
	uint8_t part;	/* enum header_part, in the .c */
	uint8_t flags;	/* gzip: FLG */
	uint8_t fill;	/* bytes of fixed that are there */
	uint16_t left;	/* bytes of FEXTRA yet to come */
	uint16_t name_len;
	uint32_t crc; /* of all header bytes before FHCRC, once FLG asks for it */
	uint8_t fixed[GZIP_FIXED_BYTES]; /* the part being collected */
	struct wd_comp_gzip_header said; /* what a gzip header said, valid when DONE */
};

void header_parser_init(struct header_parser *p, enum wd_comp_format format);

/*
 * Reads on.  @ret_used is how many of the @len bytes belong to the header; of a
 * bad header, how many came before the byte that is wrong.
 */
enum header_result header_parser_feed(struct header_parser *p, const uint8_t *src, size_t len,
				      size_t *ret_used);

/* A gzip header that turned out BAD before its second byte: what came is no gzip at all. */
static inline bool header_parser_is_no_gzip(const struct header_parser *p)
{
	return p->format == WD_COMP_GZIP && p->fill < 2;
}

/*
 * Writes a gzip header to @buf, which has room for GZIP_HEADER_MAX bytes, and
 * returns its length.  @header NULL: no name, no time, made on Unix.
 */
size_t gzip_header_build(uint8_t *buf, const struct wd_comp_gzip_header *header);

/* Writes the two bytes of a zlib header; returns their number. */
size_t zlib_header_build(uint8_t *buf, int level, unsigned int window_bits);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Writes the seed inputs of zip_sqe_fuzz into a directory: one of each kind of
 * request that works, for the fuzzer to break.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/bytes.h"
#include "hw/hisi_sgl_hw.h"
#include "hw/hisi_zip_hw.h"

#define IMAGE_ADDR 0x10000u /* as in zip_sqe_fuzz.c */
#define DATA_BYTES 600u
#define SGL_AT	   1024u
#define IMAGE_SIZE 2048u
#define IMAGE_MAX  20480u
#define CONTEXT_AT 24576u /* in the zeros behind the image */
#define DEST_AT	   65536u

struct seed {
	uint8_t options;
	unsigned int nr_sqes;
	uint8_t queue[8];
	struct hisi_zip_sqe sqe[8];
	size_t image_bytes;
	uint8_t image[IMAGE_MAX];
};

static struct hisi_zip_sqe *add(struct seed *s, uint8_t queue, uint32_t format, uint32_t dw7,
				uint32_t src_at, uint32_t src_bytes)
{
	struct hisi_zip_sqe *sqe = &s->sqe[s->nr_sqes];

	memset(sqe, 0, sizeof(*sqe));
	s->queue[s->nr_sqes++] = queue;
	bytes_put_le32(&sqe->input_data_length, src_bytes);
	bytes_put_le32(&sqe->dw7, HISI_ZIP_DW7_TYPE3 << HISI_ZIP_DW7_TYPE_SHIFT | dw7);
	bytes_put_le32(&sqe->dw9, format | HISI_ZIP_WINDOW_32K << HISI_ZIP_DW9_WINDOW_SHIFT);
	bytes_put_le32(&sqe->dest_avail_out, 4096);
	bytes_put_le32(&sqe->source_addr_l, IMAGE_ADDR + src_at);
	bytes_put_le32(&sqe->dest_addr_l, IMAGE_ADDR + DEST_AT);
	bytes_put_le32(&sqe->stream_ctx_addr_l, IMAGE_ADDR + CONTEXT_AT);
	return sqe;
}

/* Two entries over the image's data, two over the destination. */
static void put_sgl(uint8_t *block, uint32_t at, uint32_t first, uint32_t second)
{
	bytes_put_le16(block + 10, 2);
	bytes_put_le16(block + 12, 4);
	bytes_put_le32(block + 64, IMAGE_ADDR + at);
	bytes_put_le32(block + 64 + 16, first);
	bytes_put_le32(block + 96, IMAGE_ADDR + at + first);
	bytes_put_le32(block + 96 + 16, second);
}

static void use_sgl(struct seed *s, struct hisi_zip_sqe *sqe, uint32_t src_bytes)
{
	put_sgl(s->image + SGL_AT, 0, 100, src_bytes - 100);
	put_sgl(s->image + SGL_AT + 192, DEST_AT, 50, 4096);
	bytes_put_le32(&sqe->source_addr_l, IMAGE_ADDR + SGL_AT);
	bytes_put_le32(&sqe->dest_addr_l, IMAGE_ADDR + SGL_AT + 192);
	bytes_put_le32(&sqe->dw9,
		       bytes_get_le32(&sqe->dw9) | HISI_ZIP_BUF_SGL << HISI_ZIP_DW9_BUF_TYPE_SHIFT);
}

static int save(const struct seed *s, const char *dir, const char *name)
{
	char path[4096];
	uint8_t head[2] = { s->options, (uint8_t)(s->nr_sqes - 1) };
	FILE *f;
	int ret;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "wb");
	if (!f)
		return -1;
	fwrite(head, 1, sizeof(head), f);
	for (unsigned int i = 0; i < s->nr_sqes; i++) {
		fwrite(&s->queue[i], 1, 1, f);
		fwrite(&s->sqe[i], 1, sizeof(s->sqe[i]), f);
	}
	fwrite(s->image, 1, s->image_bytes, f);
	ret = ferror(f) ? -1 : 0;
	return fclose(f) ? -1 : ret;
}

static void put_text(uint8_t *p)
{
	static const char line[] = "A queue lives in the caller's address space. ";

	for (unsigned int i = 0; i < DATA_BYTES; i++)
		p[i] = (uint8_t)(line[i % (sizeof(line) - 1)] ^ (i % 97 == 0));
}

/* A headerless stream with its trailer, in place of the text; returns its length. */
static uint32_t put_stream(uint8_t *p, uint32_t format)
{
	uint8_t text[DATA_BYTES];
	z_stream z = { .next_in = text, .avail_in = DATA_BYTES, .next_out = p, .avail_out = 1000 };
	uint32_t n;

	put_text(text);
	if (deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK ||
	    deflate(&z, Z_FINISH) != Z_STREAM_END)
		abort();
	n = (uint32_t)z.total_out;
	deflateEnd(&z);
	if (format == HISI_ZIP_REQ_ZLIB) {
		bytes_put_be32(p + n, (uint32_t)adler32(1, text, DATA_BYTES));
		return n + 4;
	}
	bytes_put_le32(p + n, (uint32_t)crc32(0, text, DATA_BYTES));
	bytes_put_le32(p + n + 4, DATA_BYTES);
	return format == HISI_ZIP_REQ_GZIP ? n + 8 : n;
}

static const uint32_t first = HISI_ZIP_DW7_STATEFUL | HISI_ZIP_DW7_STREAM_NEW;
static const uint32_t middle = HISI_ZIP_DW7_STATEFUL;
static const uint32_t last = HISI_ZIP_DW7_STATEFUL | HISI_ZIP_DW7_FINISH;

static int save_compress(const char *dir, uint32_t format, uint8_t options, uint32_t level)
{
	struct seed s = { .options = options, .image_bytes = IMAGE_SIZE };
	struct hisi_zip_sqe *sqe;
	char name[64];

	put_text(s.image);
	sqe = add(&s, 0, format, 0, 0, DATA_BYTES);
	bytes_put_le32(&sqe->dw9, bytes_get_le32(&sqe->dw9) | level << HISI_ZIP_DW9_LEVEL_SHIFT);
	sqe = add(&s, 0, format, 0, 0, DATA_BYTES);
	use_sgl(&s, sqe, DATA_BYTES);
	add(&s, 0, format, first, 0, 200);
	add(&s, 0, format, middle, 200, 300);
	add(&s, 0, format, last, 500, 100);
	snprintf(name, sizeof(name), "compress-%u-%u-%u", format, options, level);
	return save(&s, dir, name);
}

static int save_inflate(const char *dir, uint32_t format, uint8_t options)
{
	struct seed s = { .options = options, .image_bytes = IMAGE_SIZE };
	uint32_t n = put_stream(s.image, format);
	struct hisi_zip_sqe *sqe;
	char name[64];

	add(&s, 1, format, 0, 0, n);
	sqe = add(&s, 1, format, 0, 0, n);
	use_sgl(&s, sqe, n > 100 ? n : 101);
	add(&s, 1, format, first, 0, 20);
	sqe = add(&s, 1, format, middle, 20, n - 20);
	bytes_put_le32(&sqe->dest_avail_out, 300);
	add(&s, 1, format, middle, 0, 0);
	add(&s, 1, format, middle, n - 8, 8);
	snprintf(name, sizeof(name), "inflate-%u-%u", format, options);
	return save(&s, dir, name);
}

/* What does not compress, short and long, with room to spare and without. */
static int save_random(const char *dir, const char *name, uint32_t bytes, uint32_t level)
{
	struct seed s = { .options = 4, .image_bytes = bytes };
	struct hisi_zip_sqe *sqe;
	uint32_t random = 2463534242u;

	for (uint32_t i = 0; i < bytes; i++) {
		random ^= random << 13;
		random ^= random >> 17;
		random ^= random << 5;
		s.image[i] = (uint8_t)(random >> 11);
	}
	for (uint32_t extra = 0; extra <= 100; extra += 50) {
		sqe = add(&s, 0, HISI_ZIP_REQ_ZLIB, 0, 0, bytes);
		bytes_put_le32(&sqe->dest_avail_out, bytes - 41 + extra);
		bytes_put_le32(&sqe->dw9,
			       bytes_get_le32(&sqe->dw9) | level << HISI_ZIP_DW9_LEVEL_SHIFT);
	}
	add(&s, 0, HISI_ZIP_REQ_GZIP, first, 0, bytes / 2);
	add(&s, 0, HISI_ZIP_REQ_GZIP, middle, bytes / 2, bytes / 2);
	add(&s, 0, HISI_ZIP_REQ_GZIP, last, 0, bytes);
	for (unsigned int i = 3; i < s.nr_sqes; i++)
		bytes_put_le32(&s.sqe[i].dest_avail_out, bytes + 20);
	return save(&s, dir, name);
}

int main(int argc, char **argv)
{
	int ret = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
		return 2;
	}
	for (uint32_t format = 1; format <= 3; format++)
		for (uint8_t options = 0; options <= 4; options++) {
			if (options == 3)
				continue; /* what 1 and 2 do already */
			ret |= save_compress(argv[1], format, options, 0);
			ret |= save_inflate(argv[1], format, options);
			if (!(options & 1))
				ret |= save_compress(argv[1], format, options, 3 * format + 2);
		}
	ret |= save_random(argv[1], "random-short", 1000, 1);
	ret |= save_random(argv[1], "random-long", IMAGE_MAX, 1);
	ret |= save_random(argv[1], "random-careful", IMAGE_MAX, 6);
	return ret ? 1 : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The stand-in device of alg_comp_test: the four queue calls that the algorithm
 * layer uses, over zlib.  Each request is done when it is received, so that a
 * layer that touches buffers too early is seen by AddressSanitizer or by wrong
 * data.
 */
#include "alg_comp_device.h"

#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "base/bytes.h"

#define STORED_BYTES 65535u
#define NR_STREAMS   8
#define ODD_ROOM_MIN 200 /* hardware: more than this for pieces of a stream */
#define REQUEST_MAX  (127u * STORED_BYTES)

struct fake_script fake;
struct fake_seen seen;

/* A stream's codec, which hardware would keep in the caller's state buffer. */
struct stream {
	bool is_used;
	bool is_deflate;
	bool is_ended; /* inflate: deflate data whole, trailer not */
	z_stream z;
	uLong sum;
	uint32_t size;
	uint8_t trailer[8];
	unsigned int trailer_fill;
};

static struct stream streams[NR_STREAMS];
static struct wd_comp_req *in_flight;

static void stream_drop(struct stream *s)
{
	if (s->is_used && s->is_deflate)
		deflateEnd(&s->z);
	else if (s->is_used)
		inflateEnd(&s->z);
	s->is_used = false;
}

static bool fake_reset(void)
{
	bool was_clean = seen.queues_open == 0 && seen.wrong == 0 && in_flight == NULL;

	for (size_t i = 0; i < NR_STREAMS; i++)
		stream_drop(&streams[i]);
	in_flight = NULL;
	memset(&fake, 0, sizeof(fake));
	memset(&seen, 0, sizeof(seen));
	return was_clean;
}

static unsigned int trailer_bytes(uint8_t format)
{
	return format == WD_COMP_GZIP ? 8 : format == WD_COMP_ZLIB ? 4 : 0;
}

static uLong sum_begin(uint8_t format)
{
	return format == WD_COMP_GZIP ? crc32(0, NULL, 0) : adler32(0, NULL, 0);
}

static uLong sum_update(uint8_t format, uLong sum, const uint8_t *p, size_t n)
{
	return format == WD_COMP_GZIP ? crc32(sum, p, n) : adler32(sum, p, n);
}

static void trailer_put(uint8_t format, uint8_t *at, uLong sum, uint32_t size)
{
	if (format == WD_COMP_GZIP) {
		bytes_put_le32(at, sum);
		bytes_put_le32(at + 4, size);
	} else if (format == WD_COMP_ZLIB) {
		bytes_put_be32(at, sum);
	}
}

static struct stream *stream_begin(bool is_deflate, const struct wd_comp_req *req)
{
	static unsigned int next;
	struct stream *s = &streams[next++ % NR_STREAMS];
	int level = req->level >= 1 && req->level <= 9 ? req->level : 6;

	stream_drop(s);
	memset(s, 0, sizeof(*s));
	s->is_used = true;
	s->is_deflate = is_deflate;
	s->sum = sum_begin(req->format);
	if (is_deflate)
		assert_int_equal(deflateInit2(&s->z, level, Z_DEFLATED, -(int)req->window_bits, 8,
					      Z_DEFAULT_STRATEGY),
				 Z_OK);
	else
		assert_int_equal(inflateInit2(&s->z, -15), Z_OK);
	return s;
}

/* The stream of a stateful request; word[0] is its number from 1. */
static struct stream *stream_of(bool is_deflate, struct wd_comp_req *req)
{
	struct wd_comp_state *state = req->state;

	if (!state->begun) {
		struct stream *s = stream_begin(is_deflate, req);

		state->begun = 1;
		state->word[0] = s - streams + 1;
		return s;
	}
	assert_in_range(state->word[0], 1, NR_STREAMS);
	assert_true(streams[state->word[0] - 1].is_used);
	assert_int_equal(streams[state->word[0] - 1].is_deflate, is_deflate);
	return &streams[state->word[0] - 1];
}

static size_t put_stored(uint8_t *dst, const uint8_t *src, size_t n, bool is_last)
{
	uint8_t *at = dst;

	do {
		size_t run = n < STORED_BYTES ? n : STORED_BYTES;

		n -= run;
		*at++ = is_last && n == 0;
		bytes_put_le16(at, run);
		bytes_put_le16(at + 2, ~run);
		memcpy(at + 4, src, run);
		at += 4 + run;
		src += run;
	} while (n > 0);
	return at - dst;
}

/* One piece into @out, which has room for the worst; never worse than stored blocks. */
static size_t deflate_piece(struct stream *s, const uint8_t *src, size_t n, bool is_last,
			    uint8_t *out)
{
	size_t bound = n + (n / STORED_BYTES + (n % STORED_BYTES != 0)) * 5;
	size_t room = n + n / 8 + 1024;
	uint8_t *try;
	size_t got;

	if (n == 0 && !is_last)
		return 0;
	if (n == 0)
		bound = 5;
	try = malloc(room);
	assert_non_null(try);
	s->z.next_in = (Bytef *)(uintptr_t)src;
	s->z.avail_in = n;
	s->z.next_out = try;
	s->z.avail_out = room;
	deflate(&s->z, is_last ? Z_FINISH : Z_SYNC_FLUSH);
	assert_int_equal(s->z.avail_in, 0);
	got = room - s->z.avail_out;
	if (got > bound)
		got = put_stored(out, src, n, is_last);
	else
		memcpy(out, try, got);
	free(try);
	return got;
}

static uint32_t do_compress(struct wd_comp_req *req, const uint8_t *src, uint8_t *dst)
{
	bool is_last = req->state == NULL || (req->flags & WD_COMP_F_FINISH) != 0;
	struct stream *s = req->state != NULL ? stream_of(true, req) : stream_begin(true, req);
	uint8_t *out = malloc(req->src_len + req->src_len / 1000 + 1024);
	size_t got;

	assert_non_null(out);
	got = deflate_piece(s, src, req->src_len, is_last, out);
	s->sum = sum_update(req->format, s->sum, src, req->src_len);
	s->size += req->src_len;
	if (is_last) {
		trailer_put(req->format, out + got, s->sum, s->size);
		got += trailer_bytes(req->format);
		stream_drop(s);
	}
	if (fake.level_max_stream != 0 && req->state != NULL && req->level > fake.level_max_stream)
		req->level = fake.level_max_stream;
	if (got > req->dst_len) {
		free(out);
		return WD_STATUS_OUTPUT_FULL;
	}
	memcpy(dst, out, got);
	free(out);
	req->consumed = req->src_len;
	req->produced = got;
	return WD_STATUS_OK;
}

/* Collects the trailer; the status that follows. */
static uint32_t take_trailer(struct stream *s, struct wd_comp_req *req, const uint8_t *src,
			     uint32_t n)
{
	unsigned int want = trailer_bytes(req->format);
	uint8_t right[8];

	while (req->consumed < n && s->trailer_fill < want)
		s->trailer[s->trailer_fill++] = src[req->consumed++];
	if (s->trailer_fill < want)
		return WD_STATUS_OK;
	trailer_put(req->format, right, s->sum, s->size);
	return memcmp(right, s->trailer, want) == 0 ? WD_STATUS_STREAM_END : WD_STATUS_BAD_CHECKSUM;
}

static uint32_t do_inflate(struct wd_comp_req *req, const uint8_t *src, uint8_t *dst)
{
	struct stream *s = req->state != NULL ? stream_of(false, req) : stream_begin(false, req);
	bool is_stateless = req->state == NULL;
	uint32_t n = req->src_len;
	uint32_t status = WD_STATUS_OK;
	int ret = Z_OK;

	if (!is_stateless && fake.step_bytes != 0 && n > fake.step_bytes)
		n = fake.step_bytes;
	if (!s->is_ended) {
		s->z.next_in = (Bytef *)(uintptr_t)src;
		s->z.avail_in = n;
		s->z.next_out = dst;
		s->z.avail_out = req->dst_len;
		ret = inflate(&s->z, Z_SYNC_FLUSH);
		req->consumed = n - s->z.avail_in;
		req->produced = req->dst_len - s->z.avail_out;
		s->sum = sum_update(req->format, s->sum, dst, req->produced);
		s->size += req->produced;
		s->is_ended = ret == Z_STREAM_END;
	}
	if (ret == Z_DATA_ERROR)
		status = WD_STATUS_BAD_DATA;
	else if (s->is_ended)
		status = take_trailer(s, req, src, n);
	else if (req->produced == req->dst_len && !fake.is_full_ok)
		status = WD_STATUS_OUTPUT_FULL;
	if (!is_stateless)
		return status;
	stream_drop(s);
	if (status == WD_STATUS_OK && req->produced == req->dst_len && !s->is_ended)
		return WD_STATUS_OUTPUT_FULL;
	if (status == WD_STATUS_OK)
		return WD_STATUS_BAD_DATA; /* cut short */
	return status == WD_STATUS_STREAM_END && !fake.is_end_always ? WD_STATUS_OK : status;
}

/* Copies between scattered memory and a flat buffer of @n bytes. */
static void spread(const struct iovec *iov, size_t offset, uint8_t *flat, size_t n, bool is_write)
{
	for (; n > 0; iov++) {
		size_t run = iov->iov_len - offset;

		run = run < n ? run : n;
		if (run > 0 && is_write)
			memcpy((uint8_t *)iov->iov_base + offset, flat, run);
		else if (run > 0)
			memcpy(flat, (const uint8_t *)iov->iov_base + offset, run);
		flat += run;
		n -= run;
		offset = 0;
	}
}

static uint32_t do_request(struct wd_comp_req *req)
{
	bool is_sgl = (req->flags & WD_COMP_F_SGL) != 0;
	const uint8_t *src = req->src;
	uint8_t *dst = req->dst;
	uint8_t *flat_src = NULL;
	uint8_t *flat_dst = NULL;
	uint32_t status;

	if (is_sgl) {
		flat_src = malloc(req->src_len);
		flat_dst = malloc(req->dst_len);
		assert_true(flat_src != NULL && flat_dst != NULL);
		spread(req->src, req->src_offset, flat_src, req->src_len, false);
		src = flat_src;
		dst = flat_dst;
	}
	status = req->head.op == WD_OP_COMPRESS ? do_compress(req, src, dst) :
						  do_inflate(req, src, dst);
	if (is_sgl)
		spread(req->dst, req->dst_offset, flat_dst, req->produced, true);
	free(flat_src);
	free(flat_dst);
	return status;
}

/* What the contract of struct wd_comp_req and of compress pieces demands. */
static bool is_right(const struct wd_comp_req *req)
{
	bool is_compress = req->head.op == WD_OP_COMPRESS;
	bool is_last = req->state == NULL || (req->flags & WD_COMP_F_FINISH) != 0;

	if (req->src_len > WD_COMP_PIECE_MAX || req->dst_len > WD_COMP_PIECE_MAX)
		return false;
	if (req->src == NULL || req->dst == NULL || req->dst_len == 0)
		return false;
	if (is_compress && (req->flags & WD_COMP_F_SGL) == 0 && req->src_len > REQUEST_MAX)
		return false;
	if (is_compress && (req->window_bits < 12 || req->window_bits > 15))
		return false;
	if (!is_compress && req->level != 0)
		return false;
	if (req->state != NULL && (req->dst_len <= ODD_ROOM_MIN || req->state->buf == NULL ||
				   (uintptr_t)req->state->buf % 64 != 0))
		return false;
	/* This chip has no word for nothing: an empty piece is only asked for to end or to drain. */
	if (is_compress && req->src_len == 0 && !is_last)
		return false;
	if ((req->flags & WD_COMP_F_SGL) != 0) {
		const struct iovec *src = req->src;
		const struct iovec *dst = req->dst;

		return req->src_nr > 0 && req->dst_nr > 0 && req->src_len > 0 &&
		       req->src_offset < src->iov_len && req->dst_offset < dst->iov_len;
	}
	return req->src_nr == 0 && req->dst_nr == 0;
}

int wd_request_queue(struct wd_queue *q)
{
	if (fake.request_queue_ret != 0)
		return fake.request_queue_ret;
	assert_int_equal(q->size, sizeof(*q));
	assert_null(q->queue);
	strncpy(seen.alg, q->capa.alg, sizeof(seen.alg) - 1);
	memcpy(seen.device, q->device, sizeof(seen.device));
	seen.timeout_ms = q->timeout_ms;
	seen.queues_open++;
	q->queue = &seen;
	return 0;
}

void wd_release_queue(struct wd_queue *q)
{
	if (q == NULL || q->queue == NULL)
		return;
	/* What is in flight is done before the queue is gone: it may still write. */
	if (in_flight != NULL)
		in_flight->head.status = do_request(in_flight);
	in_flight = NULL;
	seen.is_out = false;
	seen.queues_open--;
	q->queue = NULL;
}

int wd_send(struct wd_queue *q, struct wd_req *head)
{
	struct wd_comp_req *req = (struct wd_comp_req *)(void *)head;
	const uint8_t *src = req->src;

	assert_non_null(q->queue);
	if (fake.send_ret != 0)
		return fake.send_ret;
	if (fake.nr_busy_sends > 0) {
		fake.nr_busy_sends--;
		return -EAGAIN;
	}
	if (seen.is_out || !is_right(req) || req->head.op != q->capa.op)
		seen.wrong++;
	seen.requests++;
	seen.is_out = true;
	seen.last = *req;
	if (req->head.op == WD_OP_COMPRESS && req->state != NULL && req->src_len % 4 != 0 &&
	    (req->flags & WD_COMP_F_FINISH) == 0)
		seen.odd_pieces++;
	if (seen.watch_src != NULL && src >= seen.watch_src &&
	    src < seen.watch_src + seen.watch_src_len)
		seen.direct_src_bytes += req->src_len;
	req->head.status = WD_STATUS_PENDING;
	in_flight = req;
	return 0;
}

int wd_recv_sync(struct wd_queue *q, struct wd_req **ret_req)
{
	static struct wd_req stranger;
	struct wd_comp_req *req = in_flight;

	assert_non_null(q->queue);
	if (req == NULL)
		return -EAGAIN;
	if (fake.timeout_at == seen.requests && fake.nr_timeouts > 0) {
		fake.nr_timeouts--;
		return -ETIMEDOUT;
	}
	if (fake.stranger_at == seen.requests) {
		fake.stranger_at = 0;
		*ret_req = &stranger;
		return 0;
	}
	req->head.device_id = 7;
	req->head.retries = 1;
	req->head.bounced_bytes = req->src_len;
	if (fake.fail_at == seen.requests)
		req->head.status = fake.fail_status;
	else if (fake.stuck_at == seen.requests)
		req->head.status = WD_STATUS_OK;
	else
		req->head.status = do_request(req);
	if (fake.lie_at == seen.requests)
		req->consumed = req->head.op == WD_OP_COMPRESS ? req->consumed - 1 :
								 req->src_len + 1;
	in_flight = NULL;
	seen.is_out = false;
	*ret_req = &req->head;
	return 0;
}

/* ------------------------------------------------------------- data and its judge */

const enum wd_comp_format fake_formats[3] = { WD_COMP_DEFLATE, WD_COMP_ZLIB, WD_COMP_GZIP };

uint8_t *fake_random(size_t n)
{
	uint8_t *p = malloc(n + 1);
	uint64_t x = 88172645463325252u;

	assert_non_null(p);
	for (size_t i = 0; i < n; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		p[i] = x >> 24;
	}
	return p;
}

uint8_t *fake_text(size_t n)
{
	uint8_t *p = fake_random(n);

	for (size_t i = 0; i < n; i++)
		p[i] = i % 7 == 0 ? ' ' : i > 40 && p[i] < 200 ? p[i - 37] : 'a' + p[i] % 16;
	return p;
}

static int zlib_bits(enum wd_comp_format format)
{
	return format == WD_COMP_GZIP ? 31 : format == WD_COMP_ZLIB ? 15 : -15;
}

/* Compresses with zlib; the result is the caller's. */
uint8_t *fake_zlib_pack(enum wd_comp_format format, const uint8_t *src, size_t n, size_t *ret_len)
{
	size_t room = compressBound(n) + 64;
	uint8_t *out = malloc(room);
	z_stream z = { .next_in = (Bytef *)(uintptr_t)src, .avail_in = n };

	assert_non_null(out);
	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, zlib_bits(format), 8, 0), Z_OK);
	z.next_out = out;
	z.avail_out = room;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	*ret_len = room - z.avail_out;
	deflateEnd(&z);
	return out;
}

/* zlib must read @packed to its last byte and find @want. */
void fake_judge(enum wd_comp_format format, const uint8_t *packed, size_t len, const uint8_t *want,
		size_t want_len)
{
	uint8_t *out = malloc(want_len + 1);
	z_stream z = { .next_in = (Bytef *)(uintptr_t)packed, .avail_in = len };

	assert_non_null(out);
	assert_int_equal(inflateInit2(&z, zlib_bits(format)), Z_OK);
	z.next_out = out;
	z.avail_out = want_len + 1;
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.avail_in, 0);
	assert_int_equal(z.avail_out, 1);
	assert_memory_equal(out, want, want_len);
	inflateEnd(&z);
	free(out);
}

struct wd_comp *fake_open_session(uint32_t op, enum wd_comp_format format)
{
	struct wd_comp_opts opts = { .size = sizeof(opts), .op = op, .format = format };
	struct wd_comp *c = NULL;

	assert_int_equal(wd_comp_open(&opts, &c), 0);
	return c;
}

/* Two members, an empty one, one with a name; then something else. */
size_t fake_members(const uint8_t *text, size_t n, uint8_t *out, unsigned int nr)
{
	size_t total = 0;

	for (unsigned int i = 0; i < nr; i++) {
		size_t len;
		uint8_t *packed = fake_zlib_pack(WD_COMP_GZIP, text + (i == 1 ? n / 2 : 0),
						 i == 0 ? n / 2 :
						 i == 1 ? n - n / 2 :
							  0,
						 &len);

		memcpy(out + total, packed, len);
		total += len;
		free(packed);
	}
	return total;
}

int fake_begin_test(void **state)
{
	(void)state;
	fake_reset();
	return 0;
}

int fake_end_test(void **state)
{
	(void)state;
	return fake_reset() ? 0 : -1;
}

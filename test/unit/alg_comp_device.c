/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The scripted devices of the algorithm layer's tests: two backends and a driver
 * over zlib.  Each request is done when it is received, or by who waits for it,
 * so that a layer that touches buffers too early is seen by AddressSanitizer or
 * by wrong data.  One lock around all of it: sessions of several threads use it.
 */
#include "alg_comp_device.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <wd/config.h>
#include <wd/driver.h>
#include <zlib.h>

#include "base/barrier.h"
#include "base/bytes.h"
#include "base/compiler.h"
#include "base/wait.h"
#include "core/backend.h"
#include "core/registry.h"

#define STORED_BYTES 65535u
#define NR_STREAMS   16
#define ODD_ROOM_MIN 200 /* hardware: more than this for pieces of a stream */
#define REQUEST_MAX  (127u * STORED_BYTES)

struct fake_script fake;
struct fake_seen seen;

/* A stream's codec, which hardware would keep in the caller's state buffer. */
struct stream {
	bool is_used;
	bool is_deflate;
	bool is_ended; /* inflate: deflate data whole, trailer not */
	uint32_t number;
	z_stream z;
	uLong sum; /* inflate's */
	uint32_t size;
	uint8_t trailer[8];
	unsigned int trailer_fill;
};

/* A request at a device. */
struct held {
	struct wd_comp_req *req;
	unsigned int nr; /* as the device counts */
};

struct fake_queue {
	struct wd_backend_queue bq;
	struct fake_queue *next;
	unsigned int dev;
	uint32_t op;
	bool is_stopped;
	bool is_dead;
	unsigned int depth;
	/* in flight, in order: finished ones, then published ones, then the rest */
	struct held held[FAKE_DEPTH];
	unsigned int nr_held;
	unsigned int nr_published;
	unsigned int nr_done;
};

static pthread_mutex_t device_lock = PTHREAD_MUTEX_INITIALIZER;
static struct stream streams[FAKE_DEVICES][NR_STREAMS];
static uint32_t last_stream;
static struct fake_queue *queues;
static _Atomic uint32_t nr_arms;

static void lock(void)
{
	pthread_mutex_lock(&device_lock);
}

static void unlock(void)
{
	pthread_mutex_unlock(&device_lock);
}

/* ------------------------------------------------------------- the codec */

static void stream_drop(struct stream *s)
{
	if (s->is_used && s->is_deflate)
		deflateEnd(&s->z);
	else if (s->is_used)
		inflateEnd(&s->z);
	s->is_used = false;
}

void fake_forget_streams(void)
{
	unsigned int i, k;

	lock();
	for (i = 0; i < FAKE_DEVICES; i++)
		for (k = 0; k < NR_STREAMS; k++)
			stream_drop(&streams[i][k]);
	unlock();
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

/* A stream of the device, in place of the one that began first. */
static struct stream *stream_begin(unsigned int dev, bool is_deflate, const struct wd_comp_req *req)
{
	struct stream *s = &streams[dev][0];
	int level = req->level >= 1 && req->level <= 9 ? req->level : 6;
	int bits = req->window_bits != 0 ? req->window_bits : 15;
	unsigned int i;

	for (i = 0; i < NR_STREAMS; i++) {
		if (!streams[dev][i].is_used) {
			s = &streams[dev][i];
			break;
		}
		if (streams[dev][i].number < s->number)
			s = &streams[dev][i];
	}
	stream_drop(s);
	memset(s, 0, sizeof(*s));
	s->is_used = true;
	s->is_deflate = is_deflate;
	s->number = ++last_stream;
	s->sum = sum_begin(req->format);
	if (is_deflate)
		deflateInit2(&s->z, level, Z_DEFLATED, -bits, 8, Z_DEFAULT_STRATEGY);
	else
		inflateInit2(&s->z, -15);
	return s;
}

/* The stream of a stateful request, or NULL when the device does not know it. */
static struct stream *stream_of(unsigned int dev, bool is_deflate, struct wd_comp_req *req)
{
	struct wd_comp_state *state = req->state;
	unsigned int i;

	if (!state->begun) {
		struct stream *s = stream_begin(dev, is_deflate, req);

		state->begun = 1;
		state->word[0] = s->number;
		state->checksum = s->sum;
		state->size = 0;
		return s;
	}
	for (i = 0; i < NR_STREAMS; i++) {
		struct stream *s = &streams[dev][i];

		if (s->is_used && s->number == state->word[0] && s->is_deflate == is_deflate)
			return s;
	}
	seen.lost++;
	return NULL;
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
	if (try == NULL)
		abort();
	s->z.next_in = (Bytef *)(uintptr_t)src;
	s->z.avail_in = n;
	s->z.next_out = try;
	s->z.avail_out = room;
	deflate(&s->z, is_last ? Z_FINISH : Z_SYNC_FLUSH);
	got = room - s->z.avail_out;
	if (got > bound)
		got = put_stored(out, src, n, is_last);
	else
		memcpy(out, try, got);
	free(try);
	return got;
}

static void worsen(struct fake_device *d, uint8_t *dst, struct wd_comp_req *req)
{
	if (d->nr_wrong == 0 || req->produced == 0)
		return;
	d->nr_wrong--;
	switch (d->wrong) {
	case FAKE_WRONG_BIT:
		dst[req->produced / 2] ^= 0x10;
		break;
	case FAKE_WRONG_LENGTH:
		if (req->produced < req->dst_len)
			dst[req->produced++] = 0x55;
		break;
	case FAKE_WRONG_TRAILER:
		dst[req->produced - 1] ^= 0x80;
		break;
	case FAKE_WRONG_CUT:
		req->produced--;
		break;
	}
}

static uint32_t do_compress(unsigned int dev, struct wd_comp_req *req, const uint8_t *src,
			    uint8_t *dst)
{
	struct fake_device *d = &fake.dev[dev];
	bool is_last = req->state == NULL || (req->flags & WD_COMP_F_FINISH) != 0;
	struct stream *s = req->state != NULL ? stream_of(dev, true, req) :
						stream_begin(dev, true, req);
	uint8_t *out;
	uLong sum;
	uint32_t size;
	size_t got;

	if (s == NULL)
		return WD_STATUS_STATE_LOST;
	out = malloc(req->src_len + req->src_len / 1000 + 1024);
	if (out == NULL)
		abort();
	got = deflate_piece(s, src, req->src_len, is_last, out);
	/* The sums are the state's: a device that goes on with a stream knows them from there. */
	sum = req->state != NULL ? req->state->checksum : s->sum;
	sum = sum_update(req->format, sum, src, req->src_len);
	size = (req->state != NULL ? req->state->size : 0) + req->src_len;
	if (is_last) {
		trailer_put(req->format, out + got, sum, size);
		got += trailer_bytes(req->format);
		stream_drop(s);
	}
	if (d->level_max_stream != 0 && req->state != NULL && req->level > d->level_max_stream)
		req->level = d->level_max_stream;
	if (got > req->dst_len) {
		free(out);
		return WD_STATUS_OUTPUT_FULL;
	}
	if (req->state != NULL) {
		req->state->checksum = sum;
		req->state->size = size;
	}
	memcpy(dst, out, got);
	free(out);
	req->consumed = req->src_len;
	req->produced = got;
	worsen(d, dst, req);
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

static uint32_t do_inflate(unsigned int dev, struct wd_comp_req *req, const uint8_t *src,
			   uint8_t *dst)
{
	const struct fake_device *d = &fake.dev[dev];
	struct stream *s = req->state != NULL ? stream_of(dev, false, req) :
						stream_begin(dev, false, req);
	bool is_stateless = req->state == NULL;
	uint32_t n = req->src_len;
	uint32_t status = WD_STATUS_OK;
	int ret = Z_OK;

	if (s == NULL)
		return WD_STATUS_STATE_LOST;
	if (!is_stateless && d->step_bytes != 0 && n > d->step_bytes)
		n = d->step_bytes;
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
	else if (req->produced == req->dst_len && !d->is_full_ok)
		status = WD_STATUS_OUTPUT_FULL;
	if (is_stateless || status == WD_STATUS_STREAM_END || status >= WD_STATUS_BAD_DATA)
		stream_drop(s);
	if (!is_stateless)
		return status;
	if (status == WD_STATUS_OK && req->produced == req->dst_len && !s->is_ended)
		return WD_STATUS_OUTPUT_FULL;
	if (status == WD_STATUS_OK)
		return WD_STATUS_BAD_DATA; /* cut short */
	return status == WD_STATUS_STREAM_END && !d->is_end_always ? WD_STATUS_OK : status;
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

static uint32_t do_request(unsigned int dev, struct wd_comp_req *req)
{
	bool is_sgl = (req->flags & WD_COMP_F_SGL) != 0;
	const uint8_t *src = req->src;
	uint8_t *dst = req->dst;
	uint8_t *flat_src = NULL;
	uint8_t *flat_dst = NULL;
	uint32_t status;

	if (is_sgl) {
		flat_src = malloc(req->src_len + 1);
		flat_dst = malloc(req->dst_len + 1);
		if (flat_src == NULL || flat_dst == NULL)
			abort();
		spread(req->src, req->src_offset, flat_src, req->src_len, false);
		src = flat_src;
		dst = flat_dst;
	}
	status = req->head.op == WD_OP_COMPRESS ? do_compress(dev, req, src, dst) :
						  do_inflate(dev, req, src, dst);
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
	if (is_compress && req->window_bits != 0 &&
	    (req->window_bits < 12 || req->window_bits > 15))
		return false;
	if (!is_compress && req->level != 0)
		return false;
	if (req->state != NULL && (req->dst_len <= ODD_ROOM_MIN || req->state->buf == NULL ||
				   (uintptr_t)req->state->buf % 64 != 0))
		return false;
	/* This chip has no word for nothing: only to begin, to end or to drain. */
	if (is_compress && req->src_len == 0 && !is_last && req->state->begun)
		return false;
	if ((req->flags & WD_COMP_F_SGL) != 0) {
		const struct iovec *src = req->src;
		const struct iovec *dst = req->dst;

		return req->src_nr > 0 && req->dst_nr > 0 && req->src_len > 0 &&
		       req->src_offset < src->iov_len && req->dst_offset < dst->iov_len;
	}
	return req->src_nr == 0 && req->dst_nr == 0;
}

/* ------------------------------------------------------------- a device's work */

/* A device that fails leaves traces where it may write: nobody may believe them. */
static void scribble(struct wd_comp_req *req)
{
	if ((req->flags & WD_COMP_F_SGL) == 0)
		memset(req->dst, 0xee, req->dst_len < 64 ? req->dst_len : 64);
	if (req->state == NULL)
		return;
	req->state->begun = 1;
	req->state->word[0] = 0xdead;
	req->state->checksum ^= 0x5a5a5a5a;
	req->state->size += 12345;
}

static bool is_failing(const struct fake_device *d, unsigned int nr)
{
	return d->fail_at != 0 && nr >= d->fail_at &&
	       nr - d->fail_at < (d->nr_fails > 0 ? d->nr_fails : 1);
}

static void take_time(const struct fake_device *d, const struct wd_comp_req *req)
{
	uint64_t end = wait_clock_ns() + d->fixed_ns + d->ns_per_kib * (req->src_len / 1024);

	if (d->fixed_ns == 0 && d->ns_per_kib == 0)
		return;
	while (wait_clock_ns() < end)
		;
}

static void finish_one(struct fake_queue *fq)
{
	const struct held *h = &fq->held[fq->nr_done++];
	struct fake_device *d = &fake.dev[fq->dev];
	struct wd_comp_req *req = h->req;

	take_time(d, req);
	req->head.retries = d->is_bouncing ? 1 : 0;
	req->head.bounced_bytes = d->is_bouncing ? req->src_len : 0;
	if (is_failing(d, h->nr)) {
		if (d->fail_status > WD_STATUS_BAD_CHECKSUM)
			scribble(req);
		req->head.status = d->fail_status;
		return;
	}
	req->head.status = d->stuck_at == h->nr ? WD_STATUS_OK : do_request(fq->dev, req);
	if (d->lie_at == h->nr)
		req->consumed = req->head.op == WD_OP_COMPRESS ? req->consumed - 1 :
								 req->src_len + 1;
}

/* Works on up to @nr of what was published. */
static unsigned int work(struct fake_queue *fq, unsigned int nr)
{
	unsigned int n = 0;

	while (n < nr && fq->nr_done < fq->nr_published) {
		finish_one(fq);
		n++;
	}
	return n;
}

void fake_finish(unsigned int dev, unsigned int nr)
{
	struct fake_queue *fq;

	lock();
	for (fq = queues; fq != NULL; fq = fq->next) {
		/* The results before who is told looks. */
		if (fq->dev == dev && work(fq, nr) > 0)
			wait_event_signal(wd_load_acquire(&fq->bq.event));
	}
	unlock();
}

unsigned int fake_nr_held(unsigned int dev)
{
	const struct fake_queue *fq;
	unsigned int n = 0;

	lock();
	for (fq = queues; fq != NULL; fq = fq->next)
		if (fq->dev == dev)
			n += fq->nr_held;
	unlock();
	return n;
}

unsigned int fake_nr_arms(void)
{
	return wd_load_acquire(&nr_arms);
}

void fake_await_arms(unsigned int nr)
{
	const uint64_t deadline_ns = wait_clock_ns() + 60000 * WAIT_NS_PER_MS;
	uint32_t now;

	while ((now = wd_load_acquire(&nr_arms)) < nr) {
		assert_true(wait_clock_ns() < deadline_ns);
		wait_park(&nr_arms, now, deadline_ns);
	}
}

/* ------------------------------------------------------------- the driver */

static struct fake_queue *queue_of(void *queue)
{
	return *(struct fake_queue **)queue;
}

static int fake_probe(const char *api)
{
	return strcmp(api, "f1") == 0 ? 0 : -EOPNOTSUPP;
}

static int fake_drv_open(void *queue, struct wd_port *port, const struct wd_capa *capa,
			 uint32_t *depth)
{
	struct fake_queue *fq = base_container_of(port, struct fake_queue, bq.port);
	const struct fake_device *d = &fake.dev[fq->dev];

	lock();
	*(struct fake_queue **)queue = fq;
	fq->op = capa->op;
	fq->depth = d->depth != 0 ? d->depth : FAKE_DEPTH;
	strncpy(seen.alg, capa->alg, sizeof(seen.alg) - 1);
	unlock();
	*depth = fq->depth;
	return 0;
}

static void fake_drv_close(void *queue)
{
	(void)queue;
}

static void note_request(const struct fake_queue *fq, const struct wd_comp_req *req)
{
	const uint8_t *src = req->src;

	if (!is_right(req) || req->head.op != fq->op)
		seen.wrong++;
	seen.requests++;
	seen.by[fq->dev]++;
	seen.last = *req;
	if (req->head.op == WD_OP_COMPRESS && req->state != NULL && req->src_len % 4 != 0 &&
	    (req->flags & WD_COMP_F_FINISH) == 0)
		seen.odd_pieces++;
	if (req->head.op == WD_OP_COMPRESS && req->state != NULL && req->src_len == 0 &&
	    (req->flags & WD_COMP_F_FINISH) == 0)
		seen.primes++;
	if (seen.watch_src != NULL && src >= seen.watch_src &&
	    src < seen.watch_src + seen.watch_src_len)
		seen.direct_src_bytes += req->src_len;
}

static void publish(struct fake_queue *fq)
{
	seen.doorbells += fq->nr_published != fq->nr_held;
	fq->nr_published = fq->nr_held;
}

static int send_locked(struct fake_queue *fq, struct wd_req *const *reqs, unsigned int nr)
{
	struct fake_device *d = &fake.dev[fq->dev];
	unsigned int n;

	if (d->is_gone || fq->is_dead)
		return -ENODEV;
	if (d->send_ret != 0)
		return d->send_ret;
	if (d->nr_busy_sends > 0) {
		d->nr_busy_sends--;
		return -EAGAIN;
	}
	for (n = 0; n < nr && fq->nr_held < fq->depth; n++) {
		struct wd_comp_req *req = (struct wd_comp_req *)(void *)reqs[n];

		note_request(fq, req);
		req->head.status = WD_STATUS_PENDING;
		req->head.retries = 0;
		req->head.bounced_bytes = 0;
		fq->held[fq->nr_held++] = (struct held){ .req = req, .nr = seen.by[fq->dev] };
		if (d->dies_at == seen.by[fq->dev])
			fq->is_dead = true;
		if ((req->head.flags & WD_REQ_F_MORE) == 0 || fq->nr_held == fq->depth)
			publish(fq);
	}
	return n > 0 ? (int)n : -EAGAIN;
}

static int fake_send(void *queue, struct wd_req *const *reqs, unsigned int nr)
{
	int ret;

	lock();
	ret = send_locked(queue_of(queue), reqs, nr);
	unlock();
	return ret;
}

static int fake_flush(void *queue)
{
	lock();
	publish(queue_of(queue));
	unlock();
	return 0;
}

/* Hands out the first @n. */
static int take(struct fake_queue *fq, struct wd_req **ret_reqs, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		ret_reqs[i] = &fq->held[i].req->head;
	memmove(fq->held, fq->held + n, (fq->nr_held - n) * sizeof(fq->held[0]));
	fq->nr_held -= n;
	fq->nr_published -= n < fq->nr_published ? n : fq->nr_published;
	fq->nr_done -= n < fq->nr_done ? n : fq->nr_done;
	return (int)n;
}

static int fake_recv(void *queue, struct wd_req **ret_reqs, unsigned int nr)
{
	struct fake_queue *fq = queue_of(queue);
	const struct fake_device *d = &fake.dev[fq->dev];
	int ret;

	lock();
	if (fq->dev != FAKE_HERE && !d->is_silent && !d->is_gone && !fq->is_dead && !fq->is_stopped)
		work(fq, nr);
	ret = take(fq, ret_reqs, base_min_u32(nr, fq->nr_done));
	if (ret == 0 && (d->is_gone || fq->is_dead))
		ret = -ENODEV;
	unlock();
	return ret;
}

static void fake_arm(void *queue)
{
	struct fake_queue *fq = queue_of(queue);

	(void)fq;
	atomic_fetch_add(&nr_arms, 1);
	wait_wake(&nr_arms);
}

static int fake_abandon(void *queue, struct wd_req **ret_reqs, unsigned int nr)
{
	struct fake_queue *fq = queue_of(queue);
	unsigned int i;
	int ret;

	lock();
	seen.wrong += !fq->is_stopped;
	nr = base_min_u32(nr, fq->nr_held);
	for (i = 0; i < nr; i++)
		fq->held[i].req->head.status = WD_STATUS_DEVICE_GONE;
	ret = take(fq, ret_reqs, nr);
	unlock();
	return ret;
}

static const struct wd_driver fake_driver = {
	.abi = WD_DRIVER_ABI,
	.name = "fake",
	.queue_bytes = sizeof(struct fake_queue *),
	.probe = fake_probe,
	.open = fake_drv_open,
	.close = fake_drv_close,
	.send = fake_send,
	.flush = fake_flush,
	.recv = fake_recv,
	.arm = fake_arm,
	.abandon = fake_abandon,
};

extern const struct wd_driver *const wd_drivers[];
const struct wd_driver *const wd_drivers[] = { &fake_driver, NULL };

/* ------------------------------------------------------------- the backends */

static bool is_here(const struct wd_backend_host *host)
{
	return strcmp(host->backend->name, "here") == 0;
}

static int fake_scan(struct wd_backend_host *host,
		     void (*found)(void *arg, const struct wd_device_info *info), void *arg)
{
	unsigned int first = is_here(host) ? FAKE_HERE : 0;
	unsigned int nr = is_here(host) ? fake.nr_here : fake.nr_devices;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		const struct fake_device *d = &fake.dev[first + i];
		struct wd_device_info info = { .driver = "fake",
					       .api = "f1",
					       .algs = "deflate\nzlib\ngzip",
					       .flags = WD_CAPA_F_SVA | WD_CAPA_F_LEVELS,
					       .numa_node = -1,
					       .latency = 10 };

		info.flags |= is_here(host) ? WD_CAPA_F_HERE : 0;
		info.throughput = d->throughput != 0 ? d->throughput : 10;
		snprintf(info.name, sizeof(info.name), "%u", i);
		found(arg, &info);
	}
	return 0;
}

static unsigned int dev_of(const struct wd_backend_host *host, const char *name)
{
	return (is_here(host) ? FAKE_HERE : 0) + (unsigned int)(name[0] - '0');
}

static int fake_free_queues(struct wd_backend_host *host, const char *name)
{
	unsigned int dev = dev_of(host, name);
	const struct fake_queue *fq;
	int n;

	lock();
	n = fake.dev[dev].nr_queues != 0 ? (int)fake.dev[dev].nr_queues : FAKE_QUEUES;
	for (fq = queues; fq != NULL; fq = fq->next)
		n -= fq->dev == dev;
	unlock();
	return n;
}

static int fake_backend_open(struct wd_backend_host *host, const char *name, uint32_t flags,
			     struct wd_backend_queue **ret_queue)
{
	unsigned int dev = dev_of(host, name);
	struct fake_queue *fq;

	(void)flags;
	if (fake.dev[dev].open_ret != 0)
		return fake.dev[dev].open_ret;
	fq = calloc(1, sizeof(*fq));
	if (fq == NULL)
		abort();
	fq->dev = dev;
	fq->bq.port.api = "f1";
	lock();
	snprintf(seen.device, sizeof(seen.device), "%s:%s", host->backend->name, name);
	seen.queues_open++;
	seen.queues_opened++;
	fq->next = queues;
	queues = fq;
	unlock();
	*ret_queue = &fq->bq;
	return 0;
}

static void fake_fini(struct wd_backend_host *host)
{
	(void)host;
}

static int fake_start(struct wd_backend_queue *bq)
{
	(void)bq;
	return 0;
}

/* What a device is at is done before it stops: it may still write. */
static void fake_stop(struct wd_backend_queue *bq)
{
	struct fake_queue *fq = base_container_of(bq, struct fake_queue, bq);
	const struct fake_device *d = &fake.dev[fq->dev];

	lock();
	if (!fq->is_stopped && !d->is_gone && d->ends_one)
		work(fq, 1);
	fq->is_stopped = true;
	unlock();
}

static void fake_close(struct wd_backend_queue *bq)
{
	struct fake_queue *fq = base_container_of(bq, struct fake_queue, bq);
	struct fake_queue **p;

	lock();
	for (p = &queues; *p != fq; p = &(*p)->next)
		;
	*p = fq->next;
	seen.queues_open--;
	unlock();
	free(fq);
}

static int here_run(struct wd_backend_queue *bq, unsigned int budget, enum backend_runner runner)
{
	struct fake_queue *fq = base_container_of(bq, struct fake_queue, bq);
	unsigned int n = 0;

	(void)runner;
	lock();
	if (!fake.dev[fq->dev].is_silent && !fake.dev[fq->dev].is_gone)
		n = work(fq, budget);
	unlock();
	return (int)n;
}

static uint64_t here_due_ns(struct wd_backend_queue *bq)
{
	(void)bq;
	return 0;
}

static int here_run_elsewhere(struct wd_backend_queue *bq)
{
	(void)bq;
	return -EAGAIN; /* there is no thread here */
}

#define BACKEND                                                                              \
	.scan = fake_scan, .free_queues = fake_free_queues, .open = fake_backend_open,       \
	.fini = fake_fini, .end_threads = fake_fini, .start = fake_start, .stop = fake_stop, \
	.close = fake_close

static const struct wd_backend fake_backend = { .name = "fake", BACKEND };
static const struct wd_backend here_backend = { .name = "here",
						BACKEND,
						.run = here_run,
						.due_ns = here_due_ns,
						.run_elsewhere = here_run_elsewhere };

const struct wd_backend *const wd_backends[] = { &fake_backend, &here_backend, NULL };

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

struct wd_comp *fake_open(const struct wd_comp_opts *opts)
{
	struct wd_comp *c = NULL;

	assert_int_equal(wd_comp_open(opts, &c), 0);
	return c;
}

struct wd_comp *fake_open_session(uint32_t op, enum wd_comp_format format)
{
	const struct wd_comp_opts opts = { .size = sizeof(opts), .op = op, .format = format };

	return fake_open(&opts);
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

struct wd_counters fake_counters(void)
{
	struct wd_device_stats stats[FAKE_DEVICES];
	struct wd_counters sum = { 0 };
	int i, nr;

	memset(stats, 0, sizeof(stats));
	for (i = 0; i < FAKE_DEVICES; i++)
		stats[i].size = sizeof(stats[i]);
	nr = wd_stats_read(0, stats, FAKE_DEVICES);
	assert_in_range(nr, 1, FAKE_DEVICES);
	for (i = 0; i < nr; i++) {
		const struct wd_counters *c = &stats[i].counters;

		assert_int_equal(c->sent, c->received + c->abandoned);
		sum.sent += c->sent;
		sum.received += c->received;
		sum.abandoned += c->abandoned;
		sum.errors += c->errors;
		sum.retries += c->retries;
		sum.spilled += c->spilled;
		sum.bounced_bytes += c->bounced_bytes;
		sum.timeouts += c->timeouts;
		sum.failures += c->failures;
	}
	return sum;
}

void fake_rescan(void)
{
	registry_fini();
	assert_int_equal(seen.queues_open, 0);
}

void fake_configure(const char *name, const char *value)
{
	fake_rescan();
	assert_int_equal(wd_config_set(name, value), 0);
}

static bool fake_reset(void)
{
	bool was_clean;

	registry_fini(); /* idle queues */
	was_clean = seen.queues_open == 0 && seen.wrong == 0;
	fake_forget_streams();
	memset(&fake, 0, sizeof(fake));
	memset(&seen, 0, sizeof(seen));
	fake.nr_devices = 1;
	wd_store_relaxed(&nr_arms, 0);
	return was_clean;
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

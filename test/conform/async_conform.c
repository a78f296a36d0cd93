/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Sessions with many operations in flight: handed out by poll, wait and
 * descriptor, or through a callback, in bursts, as streams; given up; several
 * sessions on few queues.  Each operation ends exactly once with the right data,
 * and the counters add up to what the operations say.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <wd/stats.h>

#include "conform/comp_rig.h"

#define NR_OPS	    160
#define DEPTH	    32
#define BLOCK_MAX   (64u << 10)
#define WAIT_MS	    60000
#define NR_THREADS  6
#define BIG_BYTES   (9u << 20)
#define DEVICES_MAX 16

/* One block on its way: compressed, then decompressed again by the other session. */
struct op {
	struct wd_comp_io io;
	const uint8_t *src;
	size_t len;
	uint8_t *out; /* room for the bound */
	size_t room;
	unsigned int nr_ended;
};

static struct op ops[NR_OPS];
static uint64_t nr_requests, nr_retries; /* that operations say they took */

static struct wd_comp *open_async(uint32_t op, enum wd_comp_format format, struct wd_sched *sched,
				  void (*done)(void *arg, struct wd_comp_io *io), void *arg)
{
	const struct wd_comp_opts opts = { .size = sizeof(opts),
					   .op = op,
					   .format = format,
					   .level = 1,
					   .timeout_ms = WAIT_MS,
					   .sched = sched,
					   .depth = DEPTH,
					   .done = done,
					   .arg = arg };
	struct wd_comp *c;

	assert_int_equal(wd_comp_open(&opts, &c), 0);
	return c;
}

static void make_ops(enum wd_comp_format format)
{
	unsigned int i;

	for (i = 0; i < NR_OPS; i++) {
		struct op *op = &ops[i];
		size_t offset = next_random() % (SIZE_MAX_TESTED - BLOCK_MAX);

		memset(op, 0, sizeof(*op));
		op->src = data[i % NR_KINDS] + offset;
		op->len = i < 4 ? i : next_random() % BLOCK_MAX;
		op->room = wd_comp_bound(format, op->len);
		op->out = malloc(op->room);
		assert_non_null(op->out);
		op->io.src = op->src;
		op->io.src_len = op->len;
		op->io.dst = op->out;
		op->io.dst_len = op->room;
		op->io.head.user = op;
	}
}

static void check_op(enum wd_comp_format format, const struct op *op)
{
	assert_int_equal(op->nr_ended, 1);
	assert_int_equal(op->io.head.error, 0);
	assert_int_equal(op->io.head.status, WD_STATUS_OK);
	assert_int_equal(op->io.consumed, op->len);
	assert_true(op->io.head.requests >= 1);
	assert_string_not_equal(wd_device_name(op->io.head.device_id), "none");
	judge(format, op->out, op->io.produced, op->src, op->len);
}

static void free_ops(enum wd_comp_format format)
{
	unsigned int i;

	for (i = 0; i < NR_OPS; i++) {
		check_op(format, &ops[i]);
		free(ops[i].out);
	}
}

static void ended(struct wd_comp_io *io)
{
	struct op *op = io->head.user;

	assert_ptr_equal(io, &op->io);
	assert_null(io->head.job);
	op->nr_ended++;
	__atomic_fetch_add(&nr_requests, io->head.requests, __ATOMIC_RELAXED);
	__atomic_fetch_add(&nr_retries, io->head.retries, __ATOMIC_RELAXED);
}

/* Submits as many as fit, from @from on; returns where it stopped. */
static unsigned int submit_some(struct wd_comp *c, unsigned int from)
{
	for (; from < NR_OPS; from++) {
		int ret = wd_comp_submit(c, &ops[from].io);

		if (ret == -EAGAIN)
			break;
		assert_int_equal(ret, 0);
	}
	return from;
}

enum shape {
	SHAPE_POLL,
	SHAPE_WAIT,
	SHAPE_FD,
	NR_SHAPES
};

/* Until something can be taken.  Returns how many. */
static int take_some(struct wd_comp *c, enum shape shape, int epoll, struct wd_comp_io **ios,
		     unsigned int nr)
{
	struct epoll_event event;
	int n;

	if (shape == SHAPE_WAIT)
		return wd_comp_wait(c, ios, nr, 0);
	n = wd_comp_poll(c, ios, nr);
	if (n == 0 && shape == SHAPE_FD)
		assert_int_equal(epoll_wait(epoll, &event, 1, WAIT_MS), 1);
	return n;
}

static int watch(struct wd_comp *c)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	int fd = wd_comp_fd(c);

	assert_true(epoll >= 0 && fd >= 0);
	assert_int_equal(wd_comp_fd(c), fd);
	assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
	return epoll;
}

static void go_through(enum wd_comp_format format, enum shape shape)
{
	struct wd_comp *c = open_async(WD_OP_COMPRESS, format, NULL, NULL, NULL);
	int epoll = shape == SHAPE_FD ? watch(c) : -1;
	struct wd_comp_io *ios[5];
	unsigned int sent = 0, nr_back = 0;

	make_ops(format);
	while (nr_back < NR_OPS) {
		int i, n;

		sent = submit_some(c, sent);
		assert_int_equal(wd_comp_in_flight(c), sent - nr_back);
		n = take_some(c, shape, epoll, ios, NR(ios));
		assert_true(n >= 0);
		for (i = 0; i < n; i++)
			ended(ios[i]);
		nr_back += (unsigned int)n;
	}
	assert_int_equal(wd_comp_in_flight(c), 0);
	assert_int_equal(wd_comp_poll(c, ios, NR(ios)), 0);
	assert_int_equal(wd_comp_wait(c, ios, NR(ios), 0), 0);
	free_ops(format);
	if (epoll >= 0)
		close(epoll);
	wd_comp_close(c);
}

static void every_shape_hands_out_each_once(void **state)
{
	unsigned int format, shape;

	(void)state;
	for (format = 0; format < NR_FORMATS; format++)
		for (shape = 0; shape < NR_SHAPES; shape++)
			go_through(formats[format], shape);
}

/* ------------------------------------------------------------- callback */

struct chain {
	struct wd_comp *c;
	unsigned int sent;
	unsigned int back;
};

static void go_on(void *arg, struct wd_comp_io *io)
{
	struct chain *chain = arg;

	ended(io);
	chain->back++;
	if (chain->sent < NR_OPS)
		assert_int_equal(wd_comp_submit(chain->c, &ops[chain->sent++].io), 0);
}

static void callbacks_submit_what_follows(void **state)
{
	struct chain chain = { 0 };

	(void)state;
	chain.c = open_async(WD_OP_COMPRESS, WD_COMP_GZIP, NULL, go_on, &chain);
	make_ops(WD_COMP_GZIP);
	while (chain.sent < DEPTH / 2)
		assert_int_equal(wd_comp_submit(chain.c, &ops[chain.sent++].io), 0);
	while (chain.back < NR_OPS)
		assert_true((chain.back & 1 ? wd_comp_poll(chain.c, NULL, 3) :
					      wd_comp_wait(chain.c, NULL, 3, 0)) >= 0);
	free_ops(WD_COMP_GZIP);
	wd_comp_close(chain.c);
}

/* ------------------------------------------------------------- bursts */

static void bursts_are_taken_as_far_as_there_is_room(void **state)
{
	struct wd_comp *c = open_async(WD_OP_COMPRESS, WD_COMP_ZLIB, NULL, NULL, NULL);
	struct wd_comp_io *all[NR_OPS], *ios[DEPTH];
	unsigned int i, sent = 0, nr_back = 0;

	(void)state;
	make_ops(WD_COMP_ZLIB);
	for (i = 0; i < NR_OPS; i++)
		all[i] = &ops[i].io;
	while (nr_back < NR_OPS) {
		int n = wd_comp_submit_burst(c, all + sent, NR_OPS - sent);

		assert_true(n > 0 || (n == -EAGAIN && sent - nr_back == DEPTH) || sent == NR_OPS);
		sent += n > 0 ? (unsigned int)n : 0;
		assert_true(sent - nr_back <= DEPTH);
		n = wd_comp_wait(c, ios, NR(ios), 0);
		assert_true(n > 0);
		for (i = 0; i < (unsigned int)n; i++)
			ended(ios[i]);
		nr_back += (unsigned int)n;
	}
	free_ops(WD_COMP_ZLIB);
	wd_comp_close(c);
}

/* ------------------------------------------------------------- both ways */

static void decompressing_gives_the_data_back(void **state)
{
	struct wd_comp *c = open_async(WD_OP_DECOMPRESS, WD_COMP_GZIP, NULL, NULL, NULL);
	struct wd_comp_io ios[DEPTH] = { 0 }, *one;
	const size_t len = 10000;
	uint8_t *out = malloc(DEPTH * len);
	size_t packed_len;
	unsigned int i;

	(void)state;
	assert_non_null(out);
	/* Two members: one operation, two requests. */
	packed_len = zlib_pack(WD_COMP_GZIP, 6, data[KIND_CODE], len / 2, 0, packed, ROOM_MAX);
	packed_len += zlib_pack(WD_COMP_GZIP, 6, data[KIND_CODE] + len / 2, len - len / 2, 0,
				packed + packed_len, ROOM_MAX - packed_len);
	for (i = 0; i < DEPTH; i++) {
		ios[i] = (struct wd_comp_io){
			.src = packed, .src_len = packed_len, .dst = out + i * len, .dst_len = len
		};
		assert_int_equal(wd_comp_submit(c, &ios[i]), 0);
	}
	for (i = 0; i < DEPTH; i++) {
		assert_int_equal(wd_comp_wait(c, &one, 1, 0), 1);
		assert_int_equal(one->head.error, 0);
		assert_int_equal(one->head.status, WD_STATUS_OK);
		assert_true(one->head.requests >= 2);
		nr_requests += one->head.requests;
		assert_int_equal(one->produced, len);
		assert_memory_equal(one->dst, data[KIND_CODE], len);
	}
	free(out);
	wd_comp_close(c);
}

static void bad_data_is_an_answer(void **state)
{
	struct wd_comp *c = open_async(WD_OP_DECOMPRESS, WD_COMP_ZLIB, NULL, NULL, NULL);
	struct wd_comp_io io = {
		.src = data[KIND_RANDOM], .src_len = 1000, .dst = back, .dst_len = 1000
	};
	struct wd_comp_io *one;

	(void)state;
	assert_int_equal(wd_comp_submit(c, &io), 0);
	assert_int_equal(wd_comp_wait(c, &one, 1, 0), 1);
	assert_ptr_equal(one, &io);
	assert_int_equal(io.head.error, 0);
	assert_int_equal(io.head.status, WD_STATUS_BAD_DATA);
	nr_requests += io.head.requests;
	wd_comp_close(c);
}

/* ------------------------------------------------------------- large ones */

static void what_is_done_in_pieces_is_so_here_too(void **state)
{
	struct wd_comp *c = open_async(WD_OP_COMPRESS, WD_COMP_GZIP, NULL, NULL, NULL);
	size_t room = wd_comp_bound(WD_COMP_GZIP, BIG_BYTES);
	uint8_t *src = malloc(BIG_BYTES), *out = malloc(room);
	struct wd_comp_io big = { .src = src, .src_len = BIG_BYTES, .dst = out, .dst_len = room };
	struct wd_comp_io other = big;
	struct wd_comp_io small = {
		.src = data[KIND_TEXT], .src_len = 5000, .dst = packed, .dst_len = ROOM_MAX
	};
	struct wd_comp_io *one;
	size_t at;
	int n;

	(void)state;
	assert_true(src && out);
	for (at = 0; at < BIG_BYTES; at += SIZE_MAX_TESTED / 2)
		memcpy(src + at, data[KIND_CODE], SIZE_MAX_TESTED / 2);
	assert_int_equal(wd_comp_submit(c, &big), 0);
	/* A second such has to wait its turn, a small one has not. */
	assert_int_equal(wd_comp_submit(c, &other), -EAGAIN);
	assert_int_equal(wd_comp_submit(c, &small), 0);
	for (n = 0; n < 2; n++) {
		assert_int_equal(wd_comp_wait(c, &one, 1, 0), 1);
		assert_int_equal(one->head.error, 0);
		assert_int_equal(one->head.status, WD_STATUS_OK);
		nr_requests += one->head.requests;
	}
	judge(WD_COMP_GZIP, out, big.produced, src, BIG_BYTES);
	judge(WD_COMP_GZIP, packed, small.produced, data[KIND_TEXT], 5000);
	free(src);
	free(out);
	wd_comp_close(c);
}

/* ------------------------------------------------------------- streams */

static void streams_go_piece_by_piece(void **state)
{
	struct wd_comp *c = open_async(WD_OP_COMPRESS, WD_COMP_GZIP, NULL, NULL, NULL);
	size_t at = 0, made = 0;
	struct wd_comp_io *one;

	(void)state;
	for (;;) {
		size_t n = next_random() % 200000;
		bool is_last = at + n >= SIZE_MAX_TESTED;
		struct wd_comp_io io = { .src = data[KIND_TEXT] + at,
					 .src_len = is_last ? SIZE_MAX_TESTED - at : n,
					 .dst = packed + made,
					 .dst_len = ROOM_MAX - made < 100000 ? ROOM_MAX - made :
									       100000 };

		assert_int_equal(wd_comp_submit_stream(
					 c, &io, is_last ? WD_COMP_FINISH : WD_COMP_SYNC_FLUSH),
				 0);
		assert_int_equal(wd_comp_submit_stream(c, &io, WD_COMP_NO_FLUSH), -EAGAIN);
		assert_int_equal(wd_comp_wait(c, &one, 1, 0), 1);
		assert_int_equal(io.head.error, 0);
		nr_requests += io.head.requests;
		at += io.consumed;
		made += io.produced;
		if (io.head.status == WD_STATUS_STREAM_END)
			break;
	}
	judge(WD_COMP_GZIP, packed, made, data[KIND_TEXT], SIZE_MAX_TESTED);
	wd_comp_close(c);
}

/* ------------------------------------------------------------- giving up */

static void cancelling_hands_out_each_once(void **state)
{
	struct wd_comp *c = open_async(WD_OP_COMPRESS, WD_COMP_DEFLATE, NULL, NULL, NULL);
	struct wd_comp_io *ios[DEPTH];
	unsigned int i, nr_cancelled = 0, sent;
	int n, given_up;

	(void)state;
	make_ops(WD_COMP_DEFLATE);
	sent = submit_some(c, 0);
	assert_int_equal(sent, DEPTH);
	n = wd_comp_wait(c, ios, 3, 0);
	assert_true(n > 0);
	for (i = 0; i < (unsigned int)n; i++)
		ended(ios[i]);
	given_up = wd_comp_cancel(c);
	assert_true(given_up >= 0);
	/* The device is done with their buffers. */
	for (i = 0; i < sent; i++)
		if (!ops[i].nr_ended && ops[i].io.head.status == WD_STATUS_CANCELLED)
			memset(ops[i].out, 0xa5, ops[i].room);
	n = wd_comp_poll(c, ios, DEPTH);
	for (i = 0; i < (unsigned int)n; i++) {
		nr_cancelled += ios[i]->head.status == WD_STATUS_CANCELLED;
		ended(ios[i]);
	}
	assert_int_equal(nr_cancelled, given_up);
	assert_int_equal(wd_comp_in_flight(c), 0);
	for (i = 0; i < sent; i++) {
		assert_int_equal(ops[i].nr_ended, 1);
		assert_int_equal(ops[i].io.head.error, 0);
		if (ops[i].io.head.status != WD_STATUS_CANCELLED)
			check_op(WD_COMP_DEFLATE, &ops[i]);
	}
	/* The session goes on. */
	for (i = 0; i < NR_OPS; i++)
		ops[i].nr_ended = 0;
	for (sent = 0, i = 0; i < NR_OPS;) {
		int k;

		sent = submit_some(c, sent);
		n = wd_comp_wait(c, ios, DEPTH, 0);
		assert_true(n > 0);
		for (k = 0; k < n; k++)
			ended(ios[k]);
		i += (unsigned int)n;
	}
	free_ops(WD_COMP_DEFLATE);
	wd_comp_close(c);
}

static void closing_gives_up_what_is_in_flight(void **state)
{
	struct wd_comp *c = open_async(WD_OP_COMPRESS, WD_COMP_DEFLATE, NULL, NULL, NULL);
	unsigned int i;

	(void)state;
	make_ops(WD_COMP_DEFLATE);
	assert_int_equal(submit_some(c, 0), DEPTH);
	wd_comp_close(c);
	for (i = 0; i < NR_OPS; i++) {
		/* What was not handed out says what it took all the same. */
		nr_requests += i < DEPTH ? ops[i].io.head.requests : 0;
		free(ops[i].out);
	}
}

static void a_call_that_waits_comes_in_between(void **state)
{
	struct wd_comp *c = open_async(WD_OP_COMPRESS, WD_COMP_ZLIB, NULL, NULL, NULL);
	struct wd_comp_io io = {
		.src = data[KIND_TEXT], .src_len = 30000, .dst = packed, .dst_len = ROOM_MAX
	};
	struct wd_comp_io *ios[DEPTH];
	unsigned int i, nr_back = 0, sent;

	(void)state;
	make_ops(WD_COMP_ZLIB);
	for (sent = 0; nr_back < NR_OPS;) {
		int n;

		sent = submit_some(c, sent);
		assert_int_equal(wd_comp_block(c, &io), 0);
		assert_int_equal(io.head.status, WD_STATUS_OK);
		nr_requests += io.head.requests;
		judge(WD_COMP_ZLIB, packed, io.produced, data[KIND_TEXT], 30000);
		n = wd_comp_poll(c, ios, DEPTH);
		assert_true(n >= 0);
		for (i = 0; i < (unsigned int)n; i++)
			ended(ios[i]);
		nr_back += (unsigned int)n;
	}
	free_ops(WD_COMP_ZLIB);
	wd_comp_close(c);
}

/* ------------------------------------------------------------- few queues */

struct client {
	pthread_t thread;
	struct wd_sched *sched;
	unsigned int number;
};

/* Every kind of client: one waits, one polls, one does both by turns. */
static void *client_main(void *arg)
{
	struct client *client = arg;
	struct wd_comp *c = open_async(WD_OP_COMPRESS, WD_COMP_GZIP, client->sched, NULL, NULL);
	const size_t len = 3000 + 1000 * client->number;
	const size_t room = wd_comp_bound(WD_COMP_GZIP, len);
	struct wd_comp_io ios[4] = { 0 }, *one;
	unsigned int i, nr_left = 60;
	uint8_t *out = malloc(NR(ios) * room);

	assert_non_null(out);
	for (i = 0; i < NR(ios); i++) {
		ios[i] = (struct wd_comp_io){ .src = data[KIND_CODE] + 100 * client->number,
					      .src_len = len,
					      .dst = out + i * room,
					      .dst_len = room };
		assert_int_equal(wd_comp_submit(c, &ios[i]), 0);
	}
	while (nr_left > 0) {
		bool is_waiting = client->number % 3 == 0 ||
				  (client->number % 3 == 1 && nr_left & 1);
		int n = is_waiting ? wd_comp_wait(c, &one, 1, 0) : wd_comp_poll(c, &one, 1);

		assert_true(n >= 0);
		if (n == 0)
			continue;
		assert_int_equal(one->head.error, 0);
		assert_int_equal(one->head.status, WD_STATUS_OK);
		judge(WD_COMP_GZIP, one->dst, one->produced, one->src, len);
		__atomic_fetch_add(&nr_requests, one->head.requests, __ATOMIC_RELAXED);
		__atomic_fetch_add(&nr_retries, one->head.retries, __ATOMIC_RELAXED);
		nr_left--;
		if (nr_left >= NR(ios))
			assert_int_equal(wd_comp_submit(c, one), 0);
	}
	wd_comp_close(c);
	free(out);
	return NULL;
}

static void sessions_share_queues(void **state)
{
	const struct wd_sched_opts opts = { .size = sizeof(opts), .queues = 2, .small_bytes = -1 };
	struct client clients[NR_THREADS];
	struct wd_sched *sched;
	unsigned int i;

	(void)state;
	assert_int_equal(wd_sched_open(&opts, &sched), 0);
	for (i = 0; i < NR_THREADS; i++) {
		clients[i] = (struct client){ .sched = sched, .number = i };
		assert_int_equal(pthread_create(&clients[i].thread, NULL, client_main, &clients[i]),
				 0);
	}
	for (i = 0; i < NR_THREADS; i++)
		pthread_join(clients[i].thread, NULL);
	wd_sched_close(sched);
}

/* Two event loops on one queue: the one with nothing out does not keep events from the other. */
static void an_idle_descriptor_is_in_nobodys_way(void **state)
{
	const struct wd_sched_opts opts = { .size = sizeof(opts), .queues = 1, .small_bytes = -1 };
	struct wd_comp_io io = {
		.src = data[KIND_TEXT], .src_len = 40000, .dst = packed, .dst_len = ROOM_MAX
	};
	struct wd_comp_io *one;
	struct epoll_event event;
	struct wd_comp *idle, *busy;
	struct wd_sched *sched;
	int idle_epoll, busy_epoll, n, i;

	(void)state;
	assert_int_equal(wd_sched_open(&opts, &sched), 0);
	idle = open_async(WD_OP_COMPRESS, WD_COMP_GZIP, sched, NULL, NULL);
	busy = open_async(WD_OP_COMPRESS, WD_COMP_GZIP, sched, NULL, NULL);
	idle_epoll = watch(idle);
	busy_epoll = watch(busy);
	for (i = 0; i < 20; i++) {
		while ((n = wd_comp_poll(idle, &one, 1)) > 0)
			;
		assert_int_equal(n, 0);
		assert_int_equal(wd_comp_submit(busy, &io), 0);
		while ((n = wd_comp_poll(busy, &one, 1)) == 0)
			assert_int_equal(epoll_wait(busy_epoll, &event, 1, WAIT_MS), 1);
		assert_int_equal(n, 1);
		assert_int_equal(io.head.error, 0);
		nr_requests += io.head.requests;
		judge(WD_COMP_GZIP, packed, io.produced, data[KIND_TEXT], 40000);
	}
	/* Nothing happened to the other. */
	while (wd_comp_poll(idle, &one, 1) > 0)
		;
	assert_int_equal(epoll_wait(idle_epoll, &event, 1, 0), 0);
	close(idle_epoll);
	close(busy_epoll);
	wd_comp_close(idle);
	wd_comp_close(busy);
	wd_sched_close(sched);
}

/* ------------------------------------------------------------- bad calls */

static void nonsense_is_refused(void **state)
{
	struct wd_comp *c = open_async(WD_OP_COMPRESS, WD_COMP_GZIP, NULL, NULL, NULL);
	struct wd_comp_io io = { .src_len = 1, .dst = packed, .dst_len = 100 };
	struct wd_comp_io *one;

	(void)state;
	assert_int_equal(wd_comp_submit(NULL, &io), -EINVAL);
	assert_int_equal(wd_comp_submit(c, NULL), -EINVAL);
	assert_int_equal(wd_comp_submit(c, &io), -EINVAL);
	assert_int_equal(wd_comp_submit_burst(c, NULL, 1), -EINVAL);
	assert_int_equal(wd_comp_poll(c, NULL, 1), -EINVAL);
	assert_int_equal(wd_comp_poll(c, &one, 0), -EINVAL);
	assert_int_equal(wd_comp_wait(c, &one, 1, -1), -EINVAL);
	assert_int_equal(wd_comp_fd(NULL), -EINVAL);
	assert_int_equal(wd_comp_cancel(NULL), -EINVAL);
	assert_int_equal(wd_comp_cancel(c), 0);
	assert_int_equal(wd_comp_in_flight(NULL), 0);
	io.src_len = 0;
	assert_int_equal(wd_comp_submit(c, &io), 0);
	assert_int_equal(wd_comp_wait(c, &one, 1, 0), 1);
	nr_requests += io.head.requests;
	wd_comp_close(c);
}

/* The last one: what all of them did. */
static void counters_add_up(void **state)
{
	struct wd_device_stats stats[DEVICES_MAX] = { 0 };
	struct wd_counters sum = { 0 };
	int i, n;

	(void)state;
	for (i = 0; i < DEVICES_MAX; i++)
		stats[i].size = sizeof(stats[i]);
	n = wd_stats_read(0, stats, DEVICES_MAX);
	assert_true(n > 0 && n <= DEVICES_MAX);
	for (i = 0; i < n; i++) {
		sum.sent += stats[i].counters.sent;
		sum.received += stats[i].counters.received;
		sum.abandoned += stats[i].counters.abandoned;
		sum.retries += stats[i].counters.retries;
		sum.failures += stats[i].counters.failures;
		sum.errors += stats[i].counters.errors;
	}
	/* Nothing failed: whatever came back unanswered was given up here. */
	assert_int_equal(sum.failures, 0);
	assert_int_equal(sum.errors, 0);
	assert_int_equal(sum.retries, 0);
	assert_int_equal(sum.sent, sum.received + sum.abandoned);
	assert_int_equal(sum.sent, nr_requests);
	assert_int_equal(sum.retries, nr_retries);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_shape_hands_out_each_once),
		cmocka_unit_test(callbacks_submit_what_follows),
		cmocka_unit_test(bursts_are_taken_as_far_as_there_is_room),
		cmocka_unit_test(decompressing_gives_the_data_back),
		cmocka_unit_test(bad_data_is_an_answer),
		cmocka_unit_test(what_is_done_in_pieces_is_so_here_too),
		cmocka_unit_test(streams_go_piece_by_piece),
		cmocka_unit_test(cancelling_hands_out_each_once),
		cmocka_unit_test(closing_gives_up_what_is_in_flight),
		cmocka_unit_test(a_call_that_waits_comes_in_between),
		cmocka_unit_test(sessions_share_queues),
		cmocka_unit_test(an_idle_descriptor_is_in_nobodys_way),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(counters_add_up),
	};

	return comp_rig_run("async", tests, NR(tests));
}

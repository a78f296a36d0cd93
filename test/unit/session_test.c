/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Sessions over scripted devices (alg_comp_device.c): many operations in flight,
 * waiting, giving up, queues shared by threads, devices that fail under them, and
 * children.  What a single call does is alg_comp_test's.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "alg_comp_device.h"
#include "base/compiler.h"
#include "base/wait.h"
#include "lib/t_assert.h"
#include "lib/t_fork.h"

#define TEXT_BYTES  3000
#define ROOM_BYTES  4000
#define LONG_MS	    60000 /* nothing takes that long: only a test that failed waits for it */
#define IS_SOON_NS  (LONG_MS / 4 * WAIT_NS_PER_MS)
#define SAMPLES_MAX 64

/* Operations with a buffer each. */
struct batch {
	uint8_t *text;
	struct wd_comp_io io[SAMPLES_MAX];
	uint8_t room[SAMPLES_MAX][ROOM_BYTES];
	unsigned int nr_back[SAMPLES_MAX];
};

static struct batch *batch_new(void)
{
	struct batch *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	b->text = fake_text(TEXT_BYTES);
	for (unsigned int i = 0; i < SAMPLES_MAX; i++)
		b->io[i] = (struct wd_comp_io){ .head.user = &b->nr_back[i],
						.src = b->text + i,
						.src_len = TEXT_BYTES - i,
						.dst = b->room[i],
						.dst_len = ROOM_BYTES };
	return b;
}

static void batch_free(struct batch *b)
{
	free(b->text);
	free(b);
}

static void submit(struct wd_comp *c, struct batch *b, unsigned int first, unsigned int nr)
{
	for (unsigned int i = first; i < first + nr; i++)
		assert_ok(wd_comp_submit(c, &b->io[i]));
}

static void note_back(struct batch *b, struct wd_comp_io *io)
{
	unsigned int *nr_back = io->head.user;

	assert_ptr_equal(nr_back, &b->nr_back[io - b->io]);
	assert_int_equal(++*nr_back, 1);
	assert_null(io->head.job);
}

static void judge(enum wd_comp_format format, const struct wd_comp_io *io)
{
	assert_int_equal(io->head.error, 0);
	assert_int_equal(io->head.status, WD_STATUS_OK);
	assert_int_equal(io->consumed, io->src_len);
	fake_judge(format, io->dst, io->produced, io->src, io->src_len);
}

/* Waits until nothing is in flight; each must come back once and right. */
static unsigned int take_all(struct wd_comp *c, struct batch *b, enum wd_comp_format format)
{
	unsigned int n = 0;

	while (wd_comp_in_flight(c) > 0) {
		struct wd_comp_io *back[7];
		int got = wd_comp_wait(c, back, 7, 0);

		assert_in_range(got, 1, 7);
		for (int i = 0; i < got; i++, n++) {
			note_back(b, back[i]);
			judge(format, back[i]);
		}
	}
	return n;
}

static const struct wd_comp_opts zlib_opts = { .size = sizeof(zlib_opts),
					       .op = WD_OP_COMPRESS,
					       .format = WD_COMP_ZLIB };

/* A session that waits for long, over at most one queue of each device where @sched says so. */
static struct wd_comp *open_patient(struct wd_sched *sched)
{
	struct wd_comp_opts opts = zlib_opts;

	opts.timeout_ms = LONG_MS;
	opts.sched = sched;
	return fake_open(&opts);
}

static struct wd_sched *open_sched(const struct wd_sched_opts *opts)
{
	struct wd_sched *sched = NULL;

	assert_ok(wd_sched_open(opts, &sched));
	return sched;
}

static struct wd_sched *open_one_queue(void)
{
	const struct wd_sched_opts opts = { .size = sizeof(opts), .queues = 1 };

	return open_sched(&opts);
}

/* Silence is no failure in this test. */
static void never_hang(void)
{
	fake_configure("hang_ms", "600000");
}

/* ------------------------------------------------------------- in flight */

static void operations_come_back_once_and_in_order(void **state)
{
	struct batch *b = batch_new();
	struct wd_comp_opts opts = zlib_opts;
	struct wd_comp_io *back[SAMPLES_MAX];
	struct wd_comp *c;

	(void)state;
	opts.depth = 8;
	c = fake_open(&opts);
	assert_int_equal(wd_comp_poll(c, back, 1), 0);
	assert_int_equal(wd_comp_wait(c, back, 1, 0), 0); /* at once: nothing is in flight */
	submit(c, b, 0, 8);
	assert_int_equal(wd_comp_submit(c, &b->io[8]), -EAGAIN);
	assert_int_equal(wd_comp_in_flight(c), 8);
	assert_int_equal(wd_comp_wait(c, back, 3, 0), 3);
	for (unsigned int i = 0; i < 3; i++)
		assert_ptr_equal(back[i], &b->io[i]);
	assert_int_equal(wd_comp_in_flight(c), 5);
	submit(c, b, 8, 3);
	for (unsigned int i = 0; i < 3; i++)
		note_back(b, back[i]);
	assert_int_equal(take_all(c, b, WD_COMP_ZLIB), 8);
	/* The arguments. */
	assert_int_equal(wd_comp_submit(NULL, &b->io[0]), -EINVAL);
	assert_int_equal(wd_comp_submit(c, NULL), -EINVAL);
	assert_int_equal(wd_comp_poll(c, NULL, 1), -EINVAL);
	assert_int_equal(wd_comp_poll(c, back, 0), -EINVAL);
	assert_int_equal(wd_comp_wait(c, back, 1, -1), -EINVAL);
	assert_int_equal(wd_comp_cancel(NULL), -EINVAL);
	assert_int_equal(wd_comp_fd(NULL), -EINVAL);
	assert_int_equal(wd_comp_in_flight(NULL), 0);
	wd_comp_close(c);
	batch_free(b);
}

static void a_burst_rings_once(void **state)
{
	struct batch *b = batch_new();
	struct wd_comp_opts opts = zlib_opts;
	struct wd_comp_io *ios[20];
	struct wd_comp *c;

	(void)state;
	opts.depth = 16;
	c = fake_open(&opts);
	for (unsigned int i = 0; i < 20; i++)
		ios[i] = &b->io[i];
	assert_int_equal(wd_comp_submit_burst(c, ios, 0), 0);
	assert_int_equal(wd_comp_submit_burst(c, NULL, 1), -EINVAL);
	assert_int_equal(wd_comp_submit_burst(c, ios, 9), 9);
	assert_int_equal(seen.doorbells, 1);
	assert_int_equal(wd_comp_submit_burst(c, ios + 9, 11), 7);
	assert_int_equal(seen.doorbells, 2);
	assert_int_equal(wd_comp_submit_burst(c, ios + 16, 1), -EAGAIN);
	assert_int_equal(take_all(c, b, WD_COMP_ZLIB), 16);
	/* Up to one that makes no sense. */
	b->io[18].dst = NULL;
	assert_int_equal(wd_comp_submit_burst(c, ios + 16, 4), 2);
	assert_int_equal(wd_comp_submit_burst(c, ios + 18, 2), -EINVAL);
	assert_int_equal(take_all(c, b, WD_COMP_ZLIB), 2);
	wd_comp_close(c);
	batch_free(b);
}

static void what_failed_in_a_burst_is_published_again(void **state)
{
	struct batch *b = batch_new();
	struct wd_comp_io *ios[8];
	struct wd_comp *c;

	(void)state;
	never_hang();
	c = fake_open(&zlib_opts);
	for (unsigned int i = 0; i < 8; i++)
		ios[i] = &b->io[i];
	fake.dev[0].fail_status = WD_STATUS_DEVICE_ERROR;
	fake.dev[0].fail_at = 6;
	fake.dev[0].nr_fails = 3;
	assert_int_equal(wd_comp_submit_burst(c, ios, 8), 8);
	assert_int_equal(take_all(c, b, WD_COMP_ZLIB), 8);
	assert_int_equal(seen.requests, 11);
	wd_comp_close(c);
	batch_free(b);
}

struct chain {
	struct wd_comp *c;
	struct batch *b;
	unsigned int nr_submitted;
	unsigned int nr_done;
};

static void submit_next(void *arg, struct wd_comp_io *io)
{
	struct chain *chain = arg;

	note_back(chain->b, io);
	judge(WD_COMP_ZLIB, io);
	chain->nr_done++;
	if (chain->nr_submitted < 50)
		assert_ok(wd_comp_submit(chain->c, &chain->b->io[chain->nr_submitted++]));
}

static void a_done_function_may_submit_others(void **state)
{
	struct chain chain = { .b = batch_new() };
	struct wd_comp_opts opts = zlib_opts;

	(void)state;
	opts.done = submit_next;
	opts.arg = &chain;
	opts.depth = 3;
	chain.c = fake_open(&opts);
	submit(chain.c, chain.b, 0, 3);
	chain.nr_submitted = 3;
	while (wd_comp_in_flight(chain.c) > 0)
		assert_true(wd_comp_wait(chain.c, NULL, 2, 0) > 0);
	assert_int_equal(chain.nr_done, 50);
	assert_int_equal(seen.requests, 50);
	wd_comp_close(chain.c);
	batch_free(chain.b);
}

static void calls_that_wait_go_between(void **state)
{
	struct batch *b = batch_new();
	struct wd_comp *c = fake_open(&zlib_opts);
	struct wd_comp_io io = b->io[60];

	(void)state;
	submit(c, b, 0, 5);
	assert_ok(wd_comp_block(c, &io));
	judge(WD_COMP_ZLIB, &io);
	submit(c, b, 5, 5);
	io.produced = 0;
	assert_ok(wd_comp_stream(c, &io, WD_COMP_NO_FLUSH));
	/* A stream under way keeps blocks out, but not those in. */
	assert_int_equal(wd_comp_submit(c, &b->io[10]), -EBUSY);
	assert_int_equal(wd_comp_submit_stream(c, &io, WD_COMP_FINISH), -EAGAIN);
	assert_int_equal(take_all(c, b, WD_COMP_ZLIB), 10);
	wd_comp_close(c);
	batch_free(b);
}

static void streams_are_submitted_piece_by_piece(void **state)
{
	uint8_t *text = fake_text(200000);
	uint8_t *packed = malloc(300000);
	struct wd_comp *c = fake_open_session(WD_OP_COMPRESS, WD_COMP_GZIP);
	struct wd_comp_io io = { .dst = packed }, other, *back;
	size_t len = 0;

	(void)state;
	for (unsigned int i = 0; i < 10; i++) {
		io.src = text + i * 20000;
		io.src_len = 20000;
		io.dst = packed + len;
		io.dst_len = 300000 - len;
		assert_ok(wd_comp_submit_stream(c, &io,
						i == 9 ? WD_COMP_FINISH :
						i & 1  ? WD_COMP_SYNC_FLUSH :
							 WD_COMP_NO_FLUSH));
		other = io;
		assert_int_equal(wd_comp_submit_stream(c, &other, WD_COMP_FINISH), -EAGAIN);
		assert_int_equal(wd_comp_in_flight(c), 1);
		assert_int_equal(wd_comp_wait(c, &back, 1, 0), 1);
		assert_ptr_equal(back, &io);
		assert_int_equal(io.head.status, i == 9 ? WD_STATUS_STREAM_END : WD_STATUS_OK);
		len += io.produced;
	}
	fake_judge(WD_COMP_GZIP, packed, len, text, 200000);
	wd_comp_close(c);
	free(packed);
	free(text);
}

/* Its input may be in the session already: it waits for room, and is not refused. */
static void a_stream_waits_for_room(void **state)
{
	uint8_t text[1000] = "some text";
	uint8_t packed[2000];
	struct wd_comp *c = fake_open_session(WD_OP_COMPRESS, WD_COMP_GZIP);
	struct wd_comp_io io = { .src = text, .src_len = 1000, .dst = packed, .dst_len = 2000 };
	struct wd_comp_io *back;

	(void)state;
	fake.dev[0].nr_busy_sends = 3;
	assert_ok(wd_comp_submit_stream(c, &io, WD_COMP_FINISH));
	assert_int_equal(wd_comp_wait(c, &back, 1, 0), 1);
	assert_int_equal(io.head.status, WD_STATUS_STREAM_END);
	fake_judge(WD_COMP_GZIP, packed, io.produced, text, 1000);
	/* A block that finds none is the caller's at once. */
	fake.dev[0].nr_busy_sends = 1;
	assert_int_equal(wd_comp_submit(c, &io), -EAGAIN);
	assert_int_equal(wd_comp_in_flight(c), 0);
	wd_comp_close(c);
}

static void large_blocks_take_turns(void **state)
{
	const size_t n = (9u << 20) + 1;
	uint8_t *text = fake_text(n);
	size_t bound = wd_comp_bound(WD_COMP_GZIP, n);
	uint8_t *packed = malloc(bound);
	struct wd_comp *c = fake_open_session(WD_OP_COMPRESS, WD_COMP_GZIP);
	struct wd_comp_io io = { .src = text, .src_len = n, .dst = packed, .dst_len = bound };
	struct wd_comp_io other = io, small = io, *back[2];

	(void)state;
	assert_ok(wd_comp_submit(c, &io));
	assert_int_equal(wd_comp_submit(c, &other), -EAGAIN);
	small.src_len = 100;
	small.dst = malloc(200);
	small.dst_len = 200;
	assert_ok(wd_comp_submit(c, &small));
	for (int n_back = 0; n_back < 2;)
		n_back += wd_comp_wait(c, back + n_back, 2 - (unsigned int)n_back, 0);
	fake_judge(WD_COMP_GZIP, packed, io.produced, text, n);
	fake_judge(WD_COMP_GZIP, small.dst, small.produced, text, 100);
	wd_comp_close(c);
	free(small.dst);
	free(packed);
	free(text);
}

/* ------------------------------------------------------------- waiting, giving up */

static void a_wait_that_runs_out_changes_nothing(void **state)
{
	struct batch *b = batch_new();
	struct wd_comp_io *back;
	struct wd_comp *c;
	uint64_t start;

	(void)state;
	never_hang();
	c = fake_open(&zlib_opts);
	fake.dev[0].is_silent = true;
	submit(c, b, 0, 3);
	start = wait_clock_ns();
	assert_int_equal(wd_comp_wait(c, &back, 1, 3), -ETIMEDOUT);
	assert_true(wait_clock_ns() - start >= 3 * WAIT_NS_PER_MS);
	assert_int_equal(wd_comp_in_flight(c), 3);
	assert_int_equal(wd_comp_poll(c, &back, 1), 0);
	fake_finish(0, 1);
	assert_int_equal(wd_comp_poll(c, &back, 1), 1);
	note_back(b, back);
	fake.dev[0].is_silent = false;
	assert_int_equal(take_all(c, b, WD_COMP_ZLIB), 2);
	wd_comp_close(c);
	assert_int_equal(fake_counters().timeouts, 1);
	batch_free(b);
}

/* Finished, being worked on, with the device, and waiting for room: each comes back once. */
static void cancel_gives_all_back(void **state)
{
	uint8_t *text = fake_text(1000);
	uint8_t packed[2000], back_room[8][1000];
	size_t len = fake_members(text, 1000, packed, 2);
	struct wd_comp_io io[8], *back[8];
	struct wd_comp *c;
	unsigned int nr_ok = 0;
	int n;

	(void)state;
	never_hang();
	c = fake_open_session(WD_OP_DECOMPRESS, WD_COMP_GZIP);
	fake.dev[0].is_silent = true;
	for (unsigned int i = 0; i < 6; i++) {
		io[i] = (struct wd_comp_io){
			.src = packed, .src_len = len, .dst = back_room[i], .dst_len = 1000
		};
		assert_ok(wd_comp_submit(c, &io[i]));
	}
	/* Of the first three the first member is done; there is no room for their second ones. */
	fake_finish(0, 3);
	fake.dev[0].send_ret = -EAGAIN;
	assert_int_equal(wd_comp_poll(c, back, 8), 0);
	fake.dev[0].send_ret = 0;
	fake.dev[0].ends_one = true;
	n = wd_comp_cancel(c);
	assert_int_equal(wd_comp_in_flight(c), 6);
	assert_int_equal(fake_nr_held(0), 0);
	memset(back_room, 0, sizeof(back_room)); /* the device touches it no more */
	assert_int_equal(wd_comp_poll(c, back, 8), 6);
	for (unsigned int i = 0; i < 6; i++) {
		assert_null(back[i]->head.job);
		assert_int_equal(back[i]->head.error, 0);
		nr_ok += back[i]->head.status == WD_STATUS_OK;
		for (unsigned int k = 0; k < i; k++)
			assert_ptr_not_equal(back[i], back[k]);
	}
	assert_int_equal(nr_ok + (unsigned int)n, 6);
	assert_true(n >= 5);
	assert_int_equal(wd_comp_cancel(c), 0);
	assert_int_equal(wd_comp_in_flight(c), 0);
	/* And goes on as if nothing had been. */
	fake.dev[0].is_silent = false;
	assert_ok(wd_comp_block(c, &io[3]));
	assert_int_equal(io[3].produced, 1000);
	assert_memory_equal(back_room[3], text, 1000);
	wd_comp_close(c);
	assert_int_equal(fake_counters().failures, 0);
	free(text);
}

static void cancel_keeps_what_was_finished(void **state)
{
	struct batch *b = batch_new();
	struct wd_comp_io *back[8];
	struct wd_comp *c;

	(void)state;
	never_hang();
	c = fake_open(&zlib_opts);
	fake.dev[0].is_silent = true;
	submit(c, b, 0, 5);
	fake_finish(0, 2);
	assert_int_equal(wd_comp_poll(c, back, 1), 1); /* and the second one is in the session */
	note_back(b, back[0]);
	fake_finish(0, 1); /* in the queue */
	assert_int_equal(wd_comp_cancel(c), 2);
	assert_int_equal(wd_comp_poll(c, back, 8), 4);
	for (unsigned int i = 0; i < 4; i++) {
		note_back(b, back[i]);
		if (i < 2)
			judge(WD_COMP_ZLIB, back[i]);
		else
			assert_int_equal(back[i]->head.status, WD_STATUS_CANCELLED);
	}
	/* Closing gives up as well, and hands out nothing. */
	submit(c, b, 5, 5);
	wd_comp_close(c);
	assert_int_equal(fake_nr_held(0), 0);
	batch_free(b);
}

static void a_cancelled_stream_is_over(void **state)
{
	uint8_t text[1000] = "some text";
	uint8_t packed[2000];
	struct wd_comp_io io = { .src = text, .src_len = 1000, .dst = packed, .dst_len = 2000 };
	struct wd_comp_io *back;
	struct wd_comp *c;

	(void)state;
	never_hang();
	c = fake_open_session(WD_OP_COMPRESS, WD_COMP_GZIP);
	fake.dev[0].is_silent = true;
	assert_ok(wd_comp_submit_stream(c, &io, WD_COMP_FINISH));
	assert_int_equal(wd_comp_cancel(c), 1);
	assert_int_equal(wd_comp_poll(c, &back, 1), 1);
	assert_int_equal(io.head.status, WD_STATUS_CANCELLED);
	fake.dev[0].is_silent = false;
	assert_int_equal(wd_comp_stream(c, &io, WD_COMP_FINISH), -EIO);
	wd_comp_reset(c);
	assert_ok(wd_comp_stream(c, &io, WD_COMP_FINISH));
	fake_judge(WD_COMP_GZIP, packed, io.produced, text, 1000);
	wd_comp_close(c);
}

/* ------------------------------------------------------------- the descriptor */

static bool is_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	assert_true(poll(&p, 1, 0) >= 0);
	return (p.revents & POLLIN) != 0;
}

static void the_descriptor_tells_when_to_poll(void **state)
{
	struct batch *b = batch_new();
	struct wd_comp_io *back[8], sync_io = b->io[60];
	struct wd_comp *c;
	int fd;

	(void)state;
	never_hang();
	c = fake_open(&zlib_opts);
	fake.dev[0].is_silent = true;
	fd = wd_comp_fd(c);
	assert_true(fd >= 0);
	assert_int_equal(wd_comp_fd(c), fd);
	assert_int_equal(wd_comp_poll(c, back, 8), 0);
	assert_false(is_readable(fd));

	/* Sent after the last look. */
	submit(c, b, 0, 2);
	assert_false(is_readable(fd));
	fake_finish(0, 1);
	assert_true(is_readable(fd));
	assert_int_equal(wd_comp_poll(c, back, 8), 1);
	note_back(b, back[0]);
	assert_int_equal(wd_comp_poll(c, back, 8), 0);
	assert_false(is_readable(fd));
	fake_finish(0, 1);
	assert_true(is_readable(fd));
	/* Two at once, taken one by one: readable until none is found. */
	submit(c, b, 2, 1);
	fake_finish(0, 1);
	assert_int_equal(wd_comp_poll(c, back, 1), 1);
	assert_true(is_readable(fd));
	assert_int_equal(wd_comp_poll(c, back, 1), 1);
	assert_int_equal(wd_comp_poll(c, back, 1), 0);
	assert_false(is_readable(fd));

	/* What ended without the device: at once, and given up. */
	b->io[3].dst_len = 0;
	assert_ok(wd_comp_submit(c, &b->io[3]));
	assert_true(is_readable(fd));
	assert_int_equal(wd_comp_poll(c, back, 8), 1);
	assert_int_equal(wd_comp_poll(c, back, 8), 0);
	submit(c, b, 4, 1);
	assert_false(is_readable(fd));
	assert_int_equal(wd_comp_cancel(c), 1);
	assert_true(is_readable(fd));
	assert_int_equal(wd_comp_poll(c, back, 8), 1);
	assert_int_equal(wd_comp_poll(c, back, 8), 0);
	assert_false(is_readable(fd));

	/* Found by a call that waits for another, over a queue that was opened after the descriptor. */
	submit(c, b, 5, 1);
	fake.dev[0].is_silent = false;
	assert_ok(wd_comp_block(c, &sync_io));
	assert_true(is_readable(fd));
	assert_int_equal(wd_comp_poll(c, back, 8), 1);
	wd_comp_close(c);
	batch_free(b);
}

static void without_anybody_to_do_the_work_there_is_no_descriptor(void **state)
{
	struct wd_comp *c;

	(void)state;
	fake.nr_devices = 0;
	fake.nr_here = 1;
	c = fake_open(&zlib_opts);
	assert_int_equal(wd_comp_fd(c), -EAGAIN);
	wd_comp_close(c);
}

/* ------------------------------------------------------------- queues in common */

struct worker {
	pthread_t thread;
	struct wd_comp *c;
	struct wd_comp_io io;
	uint8_t room[ROOM_BYTES];
	const uint8_t *text;
	unsigned int nr_rounds;
	int ret;
	uint64_t took_ns;
};

static void start(struct worker *w, void *(*run)(void *))
{
	assert_ok(pthread_create(&w->thread, NULL, run, w));
}

static void join(struct worker *w)
{
	assert_ok(pthread_join(w->thread, NULL));
}

static void fill(struct worker *w, const uint8_t *text)
{
	w->text = text;
	w->io = (struct wd_comp_io){
		.src = text, .src_len = TEXT_BYTES, .dst = w->room, .dst_len = ROOM_BYTES
	};
}

static void *wait_for_one(void *arg)
{
	struct worker *w = arg;
	struct wd_comp_io *back = NULL;
	uint64_t begin = wait_clock_ns();

	w->ret = wd_comp_wait(w->c, &back, 1, 0);
	if (w->ret == 1 && back != &w->io)
		w->ret = -EFAULT;
	w->took_ns = wait_clock_ns() - begin;
	return NULL;
}

static void assert_served(struct worker *w)
{
	assert_int_equal(w->ret, 1);
	assert_true(w->took_ns < IS_SOON_NS);
	assert_int_equal(w->io.head.status, WD_STATUS_OK);
	fake_judge(WD_COMP_ZLIB, w->room, w->io.produced, w->text, TEXT_BYTES);
}

/* Some operations waited for, others polled; every third round with two in flight. */
static void *work_along(void *arg)
{
	struct worker *w = arg;
	struct wd_comp_io other = w->io, *back[2];
	uint8_t room[ROOM_BYTES];
	unsigned int i;

	other.dst = room;
	for (i = 0; i < w->nr_rounds && w->ret == 0; i++) {
		int n = 0;

		if (i % 3 == 0) {
			w->ret = wd_comp_block(w->c, &w->io);
			continue;
		}
		while ((w->ret = wd_comp_submit(w->c, &w->io)) == -EAGAIN)
			wait_yield();
		if (i % 3 == 1 && w->ret == 0 && wd_comp_submit(w->c, &other) == 0)
			n--;
		for (n--; n < 0 && w->ret >= 0;) {
			w->ret = i & 1 ? wd_comp_poll(w->c, back, 2) :
					 wd_comp_wait(w->c, back, 2, 0);
			n += w->ret > 0 ? w->ret : 0;
		}
		if (w->ret > 0)
			w->ret = 0;
	}
	return NULL;
}

static void threads_share_a_queue(void **state)
{
	uint8_t *text = fake_text(TEXT_BYTES);
	struct wd_sched *sched;
	struct worker w[4];
	unsigned int i, k;

	(void)state;
	for (k = 0; k < 2; k++) {
		/* A device elsewhere, and one whose work the waiting threads do. */
		fake.nr_devices = k == 0;
		fake.nr_here = k == 1;
		fake.dev[0].depth = 5;
		fake.dev[FAKE_HERE].depth = 5;
		never_hang();
		sched = open_one_queue();
		memset(w, 0, sizeof(w));
		for (i = 0; i < 4; i++) {
			fill(&w[i], text);
			w[i].c = open_patient(sched);
			w[i].nr_rounds = 60;
		}
		assert_int_equal(seen.queues_open, 1);
		for (i = 0; i < 4; i++)
			start(&w[i], work_along);
		for (i = 0; i < 4; i++) {
			join(&w[i]);
			w[i].ret = w[i].ret == 0 ? 1 : w[i].ret;
			assert_served(&w[i]);
			wd_comp_close(w[i].c);
		}
		wd_sched_close(sched);
		fake_counters();
	}
	free(text);
}

/* What is another's is put where it finds it, without the device's help. */
static void one_that_does_not_poll_holds_up_nobody(void **state)
{
	struct batch *b = batch_new();
	struct wd_sched *sched;
	struct wd_comp *lazy, *busy;
	struct wd_comp_io *back[SAMPLES_MAX];

	(void)state;
	never_hang();
	sched = open_one_queue();
	lazy = open_patient(sched);
	busy = open_patient(sched);
	submit(lazy, b, 0, 20);
	submit(busy, b, 20, 20);
	assert_int_equal(take_all(busy, b, WD_COMP_ZLIB), 20);
	assert_int_equal(fake_nr_held(0), 0);
	fake.dev[0].is_silent = true;
	assert_int_equal(wd_comp_poll(lazy, back, SAMPLES_MAX), 20);
	for (unsigned int i = 0; i < 20; i++) {
		assert_ptr_equal(back[i], &b->io[i]);
		judge(WD_COMP_ZLIB, back[i]);
	}
	wd_comp_close(lazy);
	wd_comp_close(busy);
	wd_sched_close(sched);
	batch_free(b);
}

/* Two sleep on one queue: whoever is woken wakes the other when it is that one's turn. */
static void sleepers_hand_over_the_lead(void **state)
{
	uint8_t *text = fake_text(TEXT_BYTES);
	struct wd_sched *sched;
	struct worker w[3] = { 0 };
	unsigned int i;

	(void)state;
	never_hang();
	sched = open_one_queue();
	fake.dev[0].is_silent = true;
	for (i = 0; i < 3; i++) {
		fill(&w[i], text);
		w[i].c = open_patient(sched);
		assert_ok(wd_comp_submit(w[i].c, &w[i].io));
	}
	for (i = 0; i < 3; i++) {
		start(&w[i], wait_for_one);
		fake_await_arms(i + 1);
	}
	for (i = 0; i < 3; i++) {
		fake_finish(0, 1);
		join(&w[i]);
		assert_served(&w[i]);
	}
	for (i = 0; i < 3; i++)
		wd_comp_close(w[i].c);
	wd_sched_close(sched);
	free(text);
}

/* One with a descriptor that has stopped looking must not keep the lead from one that sleeps. */
static void who_only_watches_does_not_lead(void **state)
{
	uint8_t *text = fake_text(TEXT_BYTES);
	struct wd_sched *sched;
	struct worker w[2] = { 0 };
	unsigned int i;

	(void)state;
	never_hang();
	sched = open_one_queue();
	fake.dev[0].is_silent = true;
	for (i = 0; i < 2; i++) {
		fill(&w[i], text);
		w[i].c = open_patient(sched);
	}
	assert_true(wd_comp_fd(w[0].c) >= 0);
	for (i = 0; i < 2; i++)
		assert_ok(wd_comp_submit(w[i].c, &w[i].io));
	for (i = 0; i < 2; i++) {
		unsigned int arms = fake_nr_arms();

		start(&w[i], wait_for_one);
		fake_await_arms(arms + 1);
	}
	for (i = 0; i < 2; i++) {
		fake_finish(0, 1);
		join(&w[i]);
		assert_served(&w[i]);
	}
	for (i = 0; i < 2; i++)
		wd_comp_close(w[i].c);
	wd_sched_close(sched);
	free(text);
}

/* The one that closes gives up the queue: what is others' is done again, and they are told. */
static void closing_leaves_others_their_work(void **state)
{
	uint8_t *text = fake_text(TEXT_BYTES);
	struct wd_sched *sched;
	struct worker w = { 0 };
	struct wd_comp *c;
	struct wd_comp_io io;
	uint8_t room[ROOM_BYTES];

	(void)state;
	never_hang();
	sched = open_one_queue();
	fake.dev[0].is_silent = true;
	fill(&w, text);
	w.c = open_patient(sched);
	c = open_patient(sched);
	io = w.io;
	io.dst = room;
	assert_true(wd_comp_fd(c) >= 0);
	assert_ok(wd_comp_submit(c, &io));
	assert_ok(wd_comp_submit(w.c, &w.io));
	{
		unsigned int arms = fake_nr_arms();

		start(&w, wait_for_one);
		fake_await_arms(arms + 1);
	}
	wd_comp_close(c);
	/* Sent again over another queue, and it is told of that one. */
	{
		const uint64_t deadline_ns = wait_clock_ns() + IS_SOON_NS;

		while (fake_nr_held(0) == 0 && wait_clock_ns() < deadline_ns)
			wait_yield();
		assert_int_equal(fake_nr_held(0), 1);
	}
	fake_finish(0, 1);
	join(&w);
	assert_served(&w);
	assert_int_equal(w.io.head.requests, 2);
	assert_int_equal(w.io.head.retries, 1);
	wd_comp_close(w.c);
	wd_sched_close(sched);
	free(text);
}

/* ------------------------------------------------------------- devices that fail */

static void refused_at_sending_with_others_in_flight(void **state)
{
	struct batch *b = batch_new();
	struct wd_comp *c;

	(void)state;
	fake.nr_devices = 2;
	never_hang();
	c = fake_open(&zlib_opts);
	fake.dev[0].is_silent = true;
	submit(c, b, 0, 4);
	fake.dev[0].send_ret = -ENODEV;
	submit(c, b, 4, 1);
	assert_int_equal(take_all(c, b, WD_COMP_ZLIB), 5);
	assert_int_equal(seen.by[0], 4);
	assert_int_equal(seen.by[1], 5);
	assert_int_equal(b->io[0].head.requests, 2);
	assert_int_equal(b->io[0].head.retries, 1);
	assert_string_equal(wd_device_name(b->io[0].head.device_id), "fake:1");
	assert_int_equal(b->io[4].head.requests, 1);
	assert_int_equal(b->io[4].head.retries, 0);
	assert_true((b->io[4].head.flags & WD_IO_F_SPILLED) != 0);
	wd_comp_close(c);
	assert_int_equal(fake_counters().retries, 4);
	batch_free(b);
}

static void gone_with_several_in_flight(void **state)
{
	struct batch *b = batch_new();
	struct wd_comp *c;

	(void)state;
	fake.nr_devices = 2;
	never_hang();
	c = fake_open(&zlib_opts);
	fake.dev[0].is_silent = true;
	fake.dev[0].dies_at = 6;
	submit(c, b, 0, 3);
	fake_finish(0, 2);
	submit(c, b, 3, 3);
	/* Two came back done, four were not and are done by the other. */
	assert_int_equal(take_all(c, b, WD_COMP_ZLIB), 6);
	for (unsigned int i = 0; i < 6; i++) {
		assert_string_equal(wd_device_name(b->io[i].head.device_id),
				    i < 2 ? "fake:0" : "fake:1");
		assert_int_equal(b->io[i].head.retries, i >= 2);
	}
	assert_int_equal(fake_counters().abandoned, 4);
	assert_int_equal(fake_counters().failures, 1);
	wd_comp_close(c);
	batch_free(b);
}

/* With no other device the same one is asked again, over a new queue. */
static void a_dead_queue_is_replaced(void **state)
{
	struct batch *b = batch_new();
	struct wd_comp *c;

	(void)state;
	never_hang();
	c = open_patient(NULL);
	fake.dev[0].is_silent = true;
	fake.dev[0].dies_at = 10;
	submit(c, b, 0, 10);
	fake.dev[0].is_silent = false;
	assert_int_equal(take_all(c, b, WD_COMP_ZLIB), 10);
	assert_int_equal(seen.requests, 20);
	assert_int_equal(seen.queues_opened, 2);
	wd_comp_close(c);
	batch_free(b);
}

static void a_queue_dies_under_two_sessions(void **state)
{
	struct batch *b = batch_new();
	struct wd_sched *sched;
	struct wd_comp *c[2];

	(void)state;
	fake.nr_devices = 2;
	never_hang();
	sched = open_one_queue();
	c[0] = open_patient(sched);
	c[1] = open_patient(sched);
	fake.dev[0].is_silent = true;
	submit(c[0], b, 0, 5);
	submit(c[1], b, 5, 5);
	submit(c[0], b, 10, 5);
	fake.dev[0].is_gone = true;
	assert_int_equal(take_all(c[1], b, WD_COMP_ZLIB), 5);
	assert_int_equal(take_all(c[0], b, WD_COMP_ZLIB), 10);
	assert_int_equal(seen.by[1], 15);
	wd_comp_close(c[0]);
	wd_comp_close(c[1]);
	wd_sched_close(sched);
	assert_int_equal(fake_counters().failures, 1);
	batch_free(b);
}

static size_t compress_in_pieces(struct wd_comp *c, const uint8_t *text, size_t n, size_t step,
				 uint8_t *packed, size_t room)
{
	size_t at = 0, len = 0;
	struct wd_comp_io io = { 0 };

	while (io.head.status != WD_STATUS_STREAM_END) {
		size_t run = step < n - at ? step : n - at;

		io = (struct wd_comp_io){
			.src = text + at, .src_len = run, .dst = packed + len, .dst_len = room - len
		};
		assert_ok(wd_comp_stream(c, &io,
					 at + run == n ? WD_COMP_FINISH : WD_COMP_SYNC_FLUSH));
		at += io.consumed;
		len += io.produced;
	}
	return len;
}

/* The failing device is anywhere, alone or not; whatever it left behind, the stream is right. */
static void compress_streams_go_on_elsewhere(void **state)
{
	static const uint32_t statuses[] = { WD_STATUS_DEVICE_ERROR, WD_STATUS_DEVICE_GONE,
					     WD_STATUS_STATE_LOST, WD_STATUS_BAD_DATA };
	const size_t n = 50000;
	uint8_t *text = fake_text(n);
	uint8_t *packed = malloc(2 * n);
	unsigned int k = 0;

	(void)state;
	for (unsigned int nr_devices = 1; nr_devices <= 3; nr_devices++) {
		for (unsigned int at = 1; at <= 6; at++, k++) {
			enum wd_comp_format format = fake_formats[k % 3];
			struct wd_comp *c;
			size_t len;

			fake.nr_devices = nr_devices;
			fake_rescan();
			seen.primes = 0;
			memset(seen.by, 0, sizeof(seen.by));
			fake.dev[0].fail_status = statuses[k % 4];
			fake.dev[0].fail_at = at;
			c = fake_open_session(WD_OP_COMPRESS, format);
			len = compress_in_pieces(c, text, n, 9999, packed, 2 * n);
			fake_judge(format, packed, len, text, n);
			/* A first piece needs no context to be made. */
			assert_int_equal(seen.primes, at > 1);
			wd_comp_close(c);
		}
	}
	/* From one to the next, where making the context fails as well. */
	fake_rescan();
	memset(seen.by, 0, sizeof(seen.by));
	for (unsigned int i = 0; i < 3; i++) {
		fake.dev[i].fail_status = WD_STATUS_DEVICE_ERROR;
		fake.dev[i].fail_at = i == 0 ? 2 : 1;
	}
	{
		struct wd_comp *c = fake_open_session(WD_OP_COMPRESS, WD_COMP_GZIP);
		size_t len = compress_in_pieces(c, text, n, 9999, packed, 2 * n);

		fake_judge(WD_COMP_GZIP, packed, len, text, n);
		wd_comp_close(c);
	}
	assert_int_equal(seen.lost, 0);
	free(packed);
	free(text);
}

/* A stream stays where it was begun although others take turns. */
static void streams_stay_with_their_device(void **state)
{
	const struct wd_sched_opts sched_opts = { .size = sizeof(sched_opts),
						  .policy = WD_SCHED_ROUND_ROBIN };
	const size_t n = 50000;
	uint8_t *text = fake_text(n);
	uint8_t *packed = malloc(2 * n);
	struct wd_sched *sched;
	struct wd_comp *c;
	size_t len;

	(void)state;
	fake.nr_devices = 3;
	fake_rescan();
	sched = open_sched(&sched_opts);
	c = open_patient(sched);
	for (unsigned int i = 0; i < 3; i++) {
		len = compress_in_pieces(c, text, n, 10000, packed, 2 * n);
		fake_judge(WD_COMP_ZLIB, packed, len, text, n);
	}
	assert_int_equal(seen.lost, 0);
	assert_int_equal(seen.primes, 0);
	/* They had no choice, that is no detour. */
	assert_int_equal(fake_counters().spilled, 0);
	assert_true(seen.by[0] > 0 && seen.by[1] > 0 && seen.by[2] > 0);
	wd_comp_close(c);
	wd_sched_close(sched);
	free(packed);
	free(text);
}

static void inflate_streams_end_with_their_device(void **state)
{
	const size_t n = 50000;
	uint8_t *text = fake_text(n);
	uint8_t *back = malloc(n);
	size_t len;
	uint8_t *packed = fake_zlib_pack(WD_COMP_GZIP, text, n, &len);
	struct wd_comp_io io;
	struct wd_comp *c;

	(void)state;
	fake.nr_devices = 2;
	fake_rescan();
	c = fake_open_session(WD_OP_DECOMPRESS, WD_COMP_GZIP);
	fake.dev[0].fail_status = WD_STATUS_DEVICE_ERROR;
	fake.dev[0].fail_at = 1;
	/* The first piece is nobody's yet. */
	io = (struct wd_comp_io){ .src = packed, .src_len = 1000, .dst = back, .dst_len = n };
	assert_ok(wd_comp_stream(c, &io, WD_COMP_NO_FLUSH));
	assert_string_equal(wd_device_name(io.head.device_id), "fake:1");
	assert_int_equal(io.head.retries, 1);
	fake.dev[1].fail_status = WD_STATUS_DEVICE_ERROR;
	fake.dev[1].fail_at = 2;
	io.src = packed + 1000;
	io.src_len = len - 1000;
	assert_int_equal(wd_comp_stream(c, &io, WD_COMP_FINISH), -EIO);
	assert_int_equal(wd_comp_stream(c, &io, WD_COMP_FINISH), -EIO);
	wd_comp_reset(c);
	io = (struct wd_comp_io){ .src = packed, .src_len = 1000, .dst = back, .dst_len = n };
	assert_ok(wd_comp_stream(c, &io, WD_COMP_NO_FLUSH));
	/* Gone: says so. */
	fake.dev[0].is_gone = true;
	fake.dev[1].is_gone = true;
	io.src = packed + 1000;
	assert_int_equal(wd_comp_stream(c, &io, WD_COMP_NO_FLUSH), -ENODEV);
	wd_comp_close(c);
	free(packed);
	free(back);
	free(text);
}

/* In pieces, with a failure at each of the first few requests. */
static void large_blocks_begin_again(void **state)
{
	const size_t n = (18u << 20) + 7;
	uint8_t *text = fake_text(n);
	uint8_t *back = malloc(n);
	size_t bound = wd_comp_bound(WD_COMP_GZIP, n);
	uint8_t *packed = malloc(bound);
	const struct wd_comp_opts opts = {
		.size = sizeof(opts), .op = WD_OP_COMPRESS, .format = WD_COMP_GZIP, .level = 1
	};
	struct wd_comp_io io;

	(void)state;
	fake.nr_devices = 2;
	for (unsigned int at = 1; at <= 3; at++) {
		struct wd_comp *c;

		fake_rescan();
		memset(seen.by, 0, sizeof(seen.by));
		fake.dev[0].fail_status = at == 1 ? WD_STATUS_DEVICE_GONE : WD_STATUS_DEVICE_ERROR;
		fake.dev[0].fail_at = at;
		c = fake_open(&opts);
		io = (struct wd_comp_io){
			.src = text, .src_len = n, .dst = packed, .dst_len = bound
		};
		assert_ok(wd_comp_block(c, &io));
		assert_int_equal(io.head.status, WD_STATUS_OK);
		assert_int_equal(io.head.retries, 1);
		fake_judge(WD_COMP_GZIP, packed, io.produced, text, n);
		wd_comp_close(c);

		memset(seen.by, 0, sizeof(seen.by));
		c = fake_open_session(WD_OP_DECOMPRESS, WD_COMP_GZIP);
		io = (struct wd_comp_io){
			.src = packed, .src_len = io.produced, .dst = back, .dst_len = n
		};
		memset(back, 0, n);
		assert_ok(wd_comp_block(c, &io));
		assert_int_equal(io.head.status, WD_STATUS_OK);
		assert_int_equal(io.produced, n);
		assert_int_equal(io.head.retries, 1);
		assert_memory_equal(back, text, n);
		wd_comp_close(c);
	}
	free(packed);
	free(back);
	free(text);
}

/* Small input, more output than a request can write: the session's one stream goes round. */
static void inflates_that_outgrow_a_request_take_turns(void **state)
{
	const size_t n = (9u << 20) + 3;
	uint8_t *zeros = calloc(1, n);
	size_t len;
	uint8_t *packed = fake_zlib_pack(WD_COMP_GZIP, zeros, n, &len);
	struct wd_comp *c = fake_open_session(WD_OP_DECOMPRESS, WD_COMP_GZIP);
	struct wd_comp_io io[3], *back[3];
	int n_back = 0;

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		io[i] = (struct wd_comp_io){
			.src = packed, .src_len = len, .dst = malloc(n), .dst_len = n
		};
		assert_ok(wd_comp_submit(c, &io[i]));
	}
	while (n_back < 3) {
		int got = wd_comp_wait(c, back, 3, 0);

		assert_true(got > 0);
		n_back += got;
	}
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(io[i].head.error, 0);
		assert_int_equal(io[i].head.status, WD_STATUS_OK);
		assert_int_equal(io[i].produced, n);
		assert_memory_equal(io[i].dst, zeros, n);
		free(io[i].dst);
	}
	wd_comp_close(c);
	free(packed);
	free(zeros);
}

/* Begun before the stream was, and done after it: neither treads on the other. */
static void a_block_leaves_a_stream_alone(void **state)
{
	const size_t n = (9u << 20) + 3;
	uint8_t *zeros = calloc(1, n);
	uint8_t *room = malloc(n);
	uint8_t *text = fake_text(TEXT_BYTES);
	uint8_t back[TEXT_BYTES];
	size_t len, text_len;
	uint8_t *packed = fake_zlib_pack(WD_COMP_GZIP, zeros, n, &len);
	uint8_t *packed_text = fake_zlib_pack(WD_COMP_GZIP, text, TEXT_BYTES, &text_len);
	struct wd_comp *c = fake_open_session(WD_OP_DECOMPRESS, WD_COMP_GZIP);
	struct wd_comp_io block = { .src = packed, .src_len = len, .dst = room, .dst_len = n };
	struct wd_comp_io io = {
		.src = packed_text, .src_len = 200, .dst = back, .dst_len = TEXT_BYTES
	};
	struct wd_comp_io *handed_out;

	(void)state;
	assert_ok(wd_comp_submit(c, &block));
	assert_ok(wd_comp_stream(c, &io, WD_COMP_NO_FLUSH));
	assert_int_equal(wd_comp_poll(c, &handed_out, 1), 0);
	io.src = packed_text + 200;
	io.src_len = text_len - 200;
	io.dst = back + io.produced;
	io.dst_len -= io.produced;
	assert_ok(wd_comp_stream(c, &io, WD_COMP_FINISH));
	assert_int_equal(io.head.status, WD_STATUS_STREAM_END);
	assert_memory_equal(back, text, TEXT_BYTES);
	assert_int_equal(wd_comp_wait(c, &handed_out, 1, 0), 1);
	assert_int_equal(block.head.error, 0);
	assert_int_equal(block.produced, n);
	assert_memory_equal(room, zeros, n);
	wd_comp_close(c);
	free(packed_text);
	free(packed);
	free(text);
	free(room);
	free(zeros);
}

/* ------------------------------------------------------------- who served it */

static void the_numbers_add_up(void **state)
{
	struct batch *b = batch_new();
	struct wd_counters sum;
	struct wd_comp *c;
	uint64_t requests = 0, retries = 0, bounced = 0, spilled = 0;
	unsigned int by[2] = { 0, 0 };

	(void)state;
	fake.nr_devices = 2;
	fake_rescan();
	c = fake_open(&zlib_opts);
	fake.dev[0].is_bouncing = true;
	fake.dev[1].is_bouncing = true;
	fake.dev[0].fail_status = WD_STATUS_DEVICE_ERROR;
	fake.dev[0].fail_at = 3;
	fake.dev[0].nr_fails = 4;
	fake.dev[0].depth = 0;
	submit(c, b, 0, 30);
	fake.dev[0].nr_busy_sends = 5;
	submit(c, b, 30, 10);
	assert_int_equal(take_all(c, b, WD_COMP_ZLIB), 40);
	for (unsigned int i = 0; i < 40; i++) {
		const char *name = wd_device_name(b->io[i].head.device_id);

		requests += b->io[i].head.requests;
		retries += b->io[i].head.retries;
		bounced += b->io[i].head.bounced_bytes;
		spilled += (b->io[i].head.flags & WD_IO_F_SPILLED) != 0;
		assert_true(strcmp(name, "fake:0") == 0 || strcmp(name, "fake:1") == 0);
		by[name[5] - '0']++;
	}
	sum = fake_counters();
	assert_int_equal(seen.requests, 44);
	assert_int_equal(sum.sent, 44);
	assert_int_equal(requests, 44);
	assert_int_equal(by[0], seen.by[0] - 4);
	assert_int_equal(by[1], seen.by[1]);
	/* The device's own second tries are the request's; ours are the queues'. */
	assert_int_equal(sum.retries, 4);
	assert_int_equal(retries, 44 + 4);
	assert_int_equal(sum.bounced_bytes, bounced);
	assert_int_equal(sum.errors, 4);
	assert_int_equal(sum.spilled, spilled);
	assert_int_equal(spilled, 9);
	wd_comp_close(c);
	batch_free(b);
}

/* ------------------------------------------------------------- children */

/* What a child does must not end in cmocka's hands: it says a number and leaves. */
#define CHILD_CHECK(condition)                     \
	do {                                       \
		if (!(condition))                  \
			_exit(__LINE__ % 251 + 1); \
	} while (0)

static void assert_child(pid_t pid)
{
	int status;

	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

struct shared {
	size_t block_len, stream_len;
	uint8_t block[ROOM_BYTES];
	uint8_t stream[ROOM_BYTES];
};

/* Goes on with an inherited session; the output is the caller's to judge. */
static int go_on(struct wd_comp *blocks, struct wd_comp *stream, const uint8_t *text,
		 struct shared *out)
{
	struct wd_comp_io io = {
		.src = text, .src_len = TEXT_BYTES, .dst = out->block, .dst_len = ROOM_BYTES
	};
	struct wd_comp_io *back;

	if (wd_comp_in_flight(blocks) > 0 && wd_comp_cancel(blocks) < 0)
		return 1;
	while (wd_comp_poll(blocks, &back, 1) > 0)
		;
	if (wd_comp_block(blocks, &io) != 0 || io.head.status != WD_STATUS_OK)
		return 2;
	out->block_len = io.produced;
	io.src = text + 1000;
	io.src_len = TEXT_BYTES - 1000;
	io.dst = out->stream + out->stream_len;
	io.dst_len = ROOM_BYTES - out->stream_len;
	if (wd_comp_stream(stream, &io, WD_COMP_FINISH) != 0 ||
	    io.head.status != WD_STATUS_STREAM_END)
		return 3;
	out->stream_len += io.produced;
	return 0;
}

static void judge_shared(const struct shared *out, const uint8_t *text)
{
	fake_judge(WD_COMP_ZLIB, out->block, out->block_len, text, TEXT_BYTES);
	fake_judge(WD_COMP_GZIP, out->stream, out->stream_len, text, TEXT_BYTES);
}

static void both_go_on_after_a_fork(void **state)
{
	uint8_t *text = fake_text(TEXT_BYTES);
	struct batch *b = batch_new();

	(void)state;
	if (!t_forks_are_seen())
		skip();
	/* A child that finds its stream's context, one that does not; with a scheduler, without. */
	for (unsigned int k = 0; k < 4; k++) {
		struct shared *out = mmap(NULL, 2 * sizeof(*out), PROT_READ | PROT_WRITE,
					  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		struct wd_comp_opts opts = { .size = sizeof(opts),
					     .op = WD_OP_COMPRESS,
					     .format = WD_COMP_GZIP };
		struct wd_comp_io io = {
			.src = text, .src_len = 1000, .dst = out[0].stream, .dst_len = ROOM_BYTES
		};
		struct wd_comp *blocks, *stream;
		pid_t pid;

		fake.nr_devices = 2;
		never_hang();
		opts.sched = k & 1 ? open_one_queue() : NULL;
		blocks = open_patient(opts.sched);
		stream = fake_open(&opts);
		assert_ok(wd_comp_stream(stream, &io, WD_COMP_SYNC_FLUSH));
		out[0].stream_len = io.produced;
		memcpy(&out[1], &out[0], sizeof(out[0]));
		assert_true(wd_comp_fd(blocks) >= 0);
		fake.dev[0].is_silent = true;
		submit(blocks, b, k * 5, 5);
		pid = fork();
		fake.dev[0].is_silent = false;
		if (pid == 0) {
			if (k & 2)
				fake_forget_streams();
			CHILD_CHECK(go_on(blocks, stream, text, &out[1]) == 0);
			CHILD_CHECK(wd_comp_in_flight(blocks) == 0);
			wd_comp_close(blocks);
			wd_comp_close(stream);
			wd_sched_close(opts.sched);
			_exit(0);
		}
		assert_child(pid);
		assert_int_equal(take_all(blocks, b, WD_COMP_ZLIB), 5);
		assert_ok(go_on(blocks, stream, text, &out[0]));
		judge_shared(&out[0], text);
		judge_shared(&out[1], text);
		wd_comp_close(blocks);
		wd_comp_close(stream);
		wd_sched_close(opts.sched);
		munmap(out, 2 * sizeof(*out));
	}
	batch_free(b);
	free(text);
}

/* A child for which there is no device is told so, each time, until there is one. */
static void a_child_without_devices_is_told(void **state)
{
	uint8_t *text;
	struct wd_comp *c;
	pid_t pid;

	(void)state;
	if (!t_forks_are_seen())
		skip();
	text = fake_text(TEXT_BYTES);
	c = fake_open(&zlib_opts);
	pid = fork();
	if (pid == 0) {
		struct wd_comp *none;
		uint8_t room[ROOM_BYTES];
		struct wd_comp_io io = {
			.src = text, .src_len = TEXT_BYTES, .dst = room, .dst_len = ROOM_BYTES
		};

		fake.nr_devices = 0;
		CHILD_CHECK(wd_comp_open(&zlib_opts, &none) == -ENODEV);
		CHILD_CHECK(wd_comp_block(c, &io) == -ENODEV);
		CHILD_CHECK(wd_comp_block(c, &io) == -ENODEV);
		wd_comp_close(c);
		_exit(0);
	}
	assert_child(pid);
	wd_comp_close(c);
	free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_begin_test, fake_end_test)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(operations_come_back_once_and_in_order),
		TEST(a_burst_rings_once),
		TEST(what_failed_in_a_burst_is_published_again),
		TEST(a_done_function_may_submit_others),
		TEST(calls_that_wait_go_between),
		TEST(streams_are_submitted_piece_by_piece),
		TEST(a_stream_waits_for_room),
		TEST(large_blocks_take_turns),
		TEST(a_wait_that_runs_out_changes_nothing),
		TEST(cancel_gives_all_back),
		TEST(cancel_keeps_what_was_finished),
		TEST(a_cancelled_stream_is_over),
		TEST(the_descriptor_tells_when_to_poll),
		TEST(without_anybody_to_do_the_work_there_is_no_descriptor),
		TEST(threads_share_a_queue),
		TEST(one_that_does_not_poll_holds_up_nobody),
		TEST(sleepers_hand_over_the_lead),
		TEST(who_only_watches_does_not_lead),
		TEST(closing_leaves_others_their_work),
		TEST(refused_at_sending_with_others_in_flight),
		TEST(gone_with_several_in_flight),
		TEST(a_dead_queue_is_replaced),
		TEST(a_queue_dies_under_two_sessions),
		TEST(compress_streams_go_on_elsewhere),
		TEST(streams_stay_with_their_device),
		TEST(inflate_streams_end_with_their_device),
		TEST(large_blocks_begin_again),
		TEST(inflates_that_outgrow_a_request_take_turns),
		TEST(a_block_leaves_a_stream_alone),
		TEST(the_numbers_add_up),
		TEST(both_go_on_after_a_fork),
		TEST(a_child_without_devices_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Memory, threads and descriptors that are not to be had (nth_fault.h), on the
 * ways of calling that need more than memory: operations in flight, descriptors,
 * workers, schedulers, verify, devices that do not take any pointer, shared
 * memory, counters that are shown, a child that goes on.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <wd/comp.h>
#include <wd/mem.h>
#include <wd/memop.h>
#include <wd/stats.h>

#include "fault/nth_fault.h"
#include "lib/t_fork.h"

#define NR_OPS	    8u
#define OP_BYTES    6000u
#define OP_ROOM	    (OP_BYTES + 4096u)
#define OP_STEP	    100u /* between the beginnings of their input */
#define POLL_MS	    30000
#define SHARE_BYTES 16384u
#define STREAM_STEP 70000u
#define DEVICES_MAX 8u

static uint8_t outs[NR_OPS][OP_ROOM];
static uint8_t shared[SHARE_BYTES];

static int open_session(uint32_t flags, struct wd_sched *sched, struct wd_comp **ret_comp)
{
	const struct wd_comp_opts opts = { .size = sizeof(opts),
					   .op = WD_OP_COMPRESS,
					   .format = WD_COMP_GZIP,
					   .level = 1,
					   .flags = flags,
					   .sched = sched,
					   .depth = NR_OPS };

	return wd_comp_open(&opts, ret_comp);
}

static int block(struct wd_comp *c)
{
	struct wd_comp_io io = {
		.src = data, .src_len = DATA_BYTES, .dst = out, .dst_len = PACKED_MAX
	};
	int ret = wd_comp_block(c, &io);

	if (ret)
		return ret;
	return io.head.status == WD_STATUS_OK ? judge_packed(io.produced) : WRONG;
}

static int run_block(void)
{
	struct wd_comp *c;
	int ret = open_session(0, NULL, &c);

	if (ret)
		return ret;
	ret = block(c);
	wd_comp_close(c);
	return ret;
}

/* ------------------------------------------------------------- in flight */

/* What ended; the first error of any stays. */
static int check_ended(const struct wd_comp_io *io, int ret)
{
	size_t i = (size_t)(uintptr_t)io->head.user;

	if (ret || io->head.error)
		return ret ? ret : io->head.error;
	return io->head.status == WD_STATUS_OK ?
		       judge_part(outs[i], io->produced, i * OP_STEP, OP_BYTES) :
		       WRONG;
}

/* Takes what is out, by descriptor unless that is negative. */
static int take_all(struct wd_comp *c, int fd, unsigned int sent)
{
	struct wd_comp_io *ios[3];
	unsigned int nr_back = 0;
	int ret = 0;

	while (nr_back < sent) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int i, n;

		n = fd < 0 ? wd_comp_wait(c, ios, 3, 0) : wd_comp_poll(c, ios, 3);
		if (n < 0 || (n == 0 && fd < 0))
			return n < 0 ? n : WRONG;
		for (i = 0; i < n; i++)
			ret = check_ended(ios[i], ret);
		nr_back += (unsigned int)n;
		if (n == 0 && poll(&p, 1, POLL_MS) != 1)
			return WRONG;
	}
	return ret;
}

static int fly(struct wd_comp *c, int fd)
{
	struct wd_comp_io io[NR_OPS] = { 0 };
	unsigned int i;
	int ret = 0, taken;

	for (i = 0; i < NR_OPS && !ret; i += !ret) {
		io[i] = (struct wd_comp_io){ .src = data + i * OP_STEP,
					     .src_len = OP_BYTES,
					     .dst = outs[i],
					     .dst_len = OP_ROOM,
					     .head.user = (void *)(uintptr_t)i };
		ret = wd_comp_submit(c, &io[i]);
	}
	/* An error of one that was not taken is the answer, unless others are wrong. */
	taken = take_all(c, fd, i);
	return taken == WRONG || !ret ? taken : ret;
}

static int run_in_flight(void)
{
	struct wd_comp *c;
	int ret = open_session(0, NULL, &c);

	if (ret)
		return ret;
	ret = fly(c, -1);
	wd_comp_close(c);
	return ret;
}

static int run_descriptor(void)
{
	struct wd_comp *c;
	int fd, ret = open_session(0, NULL, &c);

	if (ret)
		return ret;
	fd = wd_comp_fd(c);
	ret = fd < 0 ? fd : fly(c, fd);
	/* Whatever became of the descriptor, waiting is as good. */
	if (ret < 0) {
		nth_fault_disarm();
		if (fly(c, -1))
			ret = WRONG;
	}
	wd_comp_close(c);
	return ret;
}

static int run_queue_descriptor(void)
{
	struct wd_queue q = { .size = sizeof(q), .capa = { .alg = "memop", .op = WD_OP_CRC32 } };
	struct wd_memop_req req = { .head.op = WD_OP_CRC32, .src = data, .len = OP_BYTES };
	struct wd_req *back;
	struct pollfd p = { .events = POLLIN };
	int ret = wd_request_queue(&q);

	if (ret)
		return ret;
	p.fd = wd_queue_fd(&q);
	ret = p.fd < 0 ? p.fd : wd_send(&q, &req.head);
	while (!ret && (ret = wd_recv(&q, &back)) == -EAGAIN)
		ret = poll(&p, 1, POLL_MS) == 1 ? 0 : WRONG;
	if (!ret && (back != &req.head || req.head.status != WD_STATUS_OK))
		ret = WRONG;
	wd_release_queue(&q);
	return ret;
}

/* ------------------------------------------------------------- schedulers, verify */

static int run_scheduler(void)
{
	static const char *const names[] = { "embed:hisi_zip-1", "embed:hisi_zip-0", NULL };
	const struct wd_sched_opts opts = {
		.size = sizeof(opts), .policy = WD_SCHED_NAMED, .small_bytes = -1, .devices = names
	};
	struct wd_sched *sched;
	struct wd_comp *c;
	int ret = wd_sched_open(&opts, &sched);

	if (ret)
		return ret;
	ret = open_session(0, sched, &c);
	if (!ret) {
		ret = block(c);
		wd_comp_close(c);
	}
	wd_sched_close(sched);
	return ret;
}

/* In pieces, so that each but the first is checked with a history. */
static int stream_through(struct wd_comp *c)
{
	struct wd_comp_io io = { 0 };
	size_t at = 0, made = 0;

	while (io.head.status != WD_STATUS_STREAM_END) {
		size_t n = DATA_BYTES - at < STREAM_STEP ? DATA_BYTES - at : STREAM_STEP;
		int ret;

		io = (struct wd_comp_io){ .src = data + at,
					  .src_len = n,
					  .dst = out + made,
					  .dst_len = PACKED_MAX - made };
		ret = wd_comp_stream(c, &io,
				     at + n == DATA_BYTES ? WD_COMP_FINISH : WD_COMP_NO_FLUSH);
		if (ret)
			return ret;
		if (io.head.status != WD_STATUS_OK && io.head.status != WD_STATUS_STREAM_END)
			return WRONG;
		at += io.consumed;
		made += io.produced;
	}
	return judge_packed(made);
}

static int run_verified(void)
{
	struct wd_comp *c;
	int ret = open_session(WD_COMP_OPT_VERIFY, NULL, &c);

	if (ret)
		return ret;
	ret = block(c);
	if (!ret)
		ret = stream_through(c);
	wd_comp_close(c);
	return ret;
}

/* ------------------------------------------------------------- memory of other kinds */

static int run_scattered(void)
{
	struct iovec from[2] = { { data, 1000 }, { data + 1000, DATA_BYTES - 1000 } };
	struct iovec to[2] = { { out, 70000 }, { out + 70000, PACKED_MAX - 70000 } };
	struct wd_comp_io io = { 0 };
	struct wd_comp *c;
	int ret = open_session(0, NULL, &c);

	if (ret)
		return ret;
	ret = wd_comp_block_sgl(c, from, 2, to, 2, &io);
	if (!ret)
		ret = io.head.status == WD_STATUS_OK ? judge_packed(io.produced) : WRONG;
	if (!ret)
		ret = stream_through(c);
	wd_comp_close(c);
	return ret;
}

/* One request over memory that the device is allowed to use in place. */
static int copy_shared(struct wd_queue *q)
{
	struct wd_memop_req req = { .head.op = WD_OP_COPY,
				    .src = shared,
				    .dst = shared + SHARE_BYTES / 2,
				    .len = SHARE_BYTES / 2 };
	struct wd_req *back;
	int ret;

	memcpy(shared, data, SHARE_BYTES / 2);
	memset(shared + SHARE_BYTES / 2, 0, SHARE_BYTES / 2);
	ret = wd_send(q, &req.head);
	if (!ret)
		ret = wd_recv_sync(q, &back);
	if (ret)
		return ret;
	return req.head.status == WD_STATUS_OK && !req.head.bounced_bytes &&
			       !memcmp(shared + SHARE_BYTES / 2, data, SHARE_BYTES / 2) ?
		       0 :
		       WRONG;
}

static int run_shared(void)
{
	struct wd_queue q = { .size = sizeof(q), .capa = { .alg = "memop", .op = WD_OP_COPY } };
	int ret = wd_request_queue(&q);

	if (ret)
		return ret;
	ret = wd_mem_share(&q, shared, SHARE_BYTES, WD_SHARE_READ | WD_SHARE_WRITE);
	if (!ret) {
		ret = copy_shared(&q);
		if (wd_mem_unshare(&q, shared, SHARE_BYTES))
			ret = WRONG;
	}
	wd_release_queue(&q);
	return ret;
}

/* ------------------------------------------------------------- counters, a child */

static int run_counted(void)
{
	struct wd_device_stats stats[DEVICES_MAX] = { 0 };
	int i, n, pids[2], ret = run_block();

	if (ret)
		return ret;
	for (i = 0; i < (int)DEVICES_MAX; i++)
		stats[i].size = sizeof(stats[i]);
	n = wd_stats_read(0, stats, DEVICES_MAX);
	for (i = 0; i < n && i < (int)DEVICES_MAX; i++)
		if (stats[i].counters.sent != stats[i].counters.received)
			ret = WRONG;
	if (n <= 0 || ret)
		return n < 0 ? n : WRONG;
	n = wd_stats_list(pids, 2);
	return n < 0 ? n : 0;
}

enum child_says {
	CHILD_DONE = 0,
	CHILD_WRONG = 1,
	CHILD_FAILED = 2, /* cleanly, and then could */
	CHILD_DONE_ALTHOUGH = 3,
};

/* Goes on with the parent's session; ends without a leak checker, as the parent's is its own. */
static void go_on_in_child(struct wd_comp *c)
{
	int ret = block(c);
	enum child_says says = nth_fault_has_failed() ? CHILD_DONE_ALTHOUGH : CHILD_DONE;

	nth_fault_disarm();
	if (ret && (!nth_fault_has_failed() || !nth_fault_is_clean(ret) || block(c)))
		says = CHILD_WRONG;
	else if (ret)
		says = CHILD_FAILED;
	if (says == CHILD_WRONG)
		fprintf(stderr, "the child was answered %d\n", ret);
	wd_comp_close(c);
	_exit(says);
}

static int run_child_goes_on(void)
{
	struct wd_comp *c;
	int status, ret = open_session(0, NULL, &c);
	pid_t pid;

	if (ret)
		return ret;
	ret = block(c);
	pid = ret || !t_forks_are_seen() ? -1 : fork();
	if (pid == 0)
		go_on_in_child(c);
	if (pid > 0 && (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) ||
			WEXITSTATUS(status) == CHILD_WRONG))
		ret = WRONG;
	if (pid > 0 && WEXITSTATUS(status) != CHILD_DONE)
		nth_fault_note_failed();
	/* What the child did is nothing to the parent. */
	if (pid > 0 && !ret)
		ret = block(c);
	wd_comp_close(c);
	return ret;
}

static const struct way ways[] = {
	{ .name = "in flight", .run = run_in_flight },
	{ .name = "descriptor", .run = run_descriptor },
	{ .name = "queue's descriptor", .run = run_queue_descriptor },
	{ .name = "workers", .run = run_in_flight, .workers = "2" },
	{ .name = "workers, descriptor", .run = run_descriptor, .workers = "1" },
	{ .name = "scheduler", .run = run_scheduler, .embed = "hisi_zip,hisi_zip" },
	{ .name = "a device elsewhere", .run = run_block, .embed = "hisi_zip:delay=1us,hisi_zip" },
	{ .name = "verify", .run = run_verified, .embed = "hisi_zip,hisi_zip" },
	{ .name = "share", .run = run_scattered, .embed = "hisi_zip:memory=share" },
	{ .name = "bounce", .run = run_scattered, .embed = "hisi_zip:memory=bounce" },
	{ .name = "shared in place", .run = run_shared, .embed = "dummy:memory=share" },
	{ .name = "counters shown", .run = run_counted, .stats = "on" },
	{ .name = "a child", .run = run_child_goes_on },
};

int main(void)
{
	return nth_fault_run(ways, sizeof(ways) / sizeof(ways[0]));
}

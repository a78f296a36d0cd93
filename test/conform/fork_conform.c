/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * A process that forks with requests in flight: the device goes on with the
 * parent's memory, the child has queues of its own, and neither disturbs the
 * other.  Over every way that a device reaches memory.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include <wd/mem.h>
#include <wd/memop.h>

#include "queue_rig.h"
#include "lib/t_fork.h"

#define BUF_BYTES 8192
#define NR_REQS	  6
#define DELAY_MS  300

extern char **environ;

static char *self;
static const char *workers = "0"; /* as the environment has them */

struct copy {
	struct wd_memop_req req;
	unsigned char src[BUF_BYTES];
	unsigned char dst[BUF_BYTES];
};

static struct copy copies[NR_REQS];

/* ------------------------------------------------ whose bytes the device sees */

static void send_copies(struct wd_queue *q, const char *mode)
{
	unsigned int i;

	for (i = 0; i < NR_REQS; i++) {
		struct copy *c = &copies[i];

		memset(c->src, 'A', BUF_BYTES);
		memset(c->dst, '-', BUF_BYTES);
		c->req = (struct wd_memop_req){
			.head = { .op = WD_OP_COPY }, .src = c->src, .dst = c->dst, .len = BUF_BYTES
		};
		if (!strcmp(mode, "share")) {
			assert_ok(wd_mem_share(q, c->src, BUF_BYTES, WD_SHARE_READ));
			assert_ok(wd_mem_share(q, c->dst, BUF_BYTES, WD_SHARE_WRITE));
		}
		assert_ok(wd_send(q, &c->req.head));
	}
}

/* The child's own use of the queue that it inherited, with its own copy of everything. */
static void copy_in_child(struct wd_queue *q)
{
	struct wd_req *back;
	unsigned int i;

	CHILD_CHECK(wd_recv(q, &back) == -EAGAIN);
	for (i = 0; i < NR_REQS; i++) {
		memset(copies[i].src, 'C', BUF_BYTES);
		memset(copies[i].dst, '-', BUF_BYTES);
	}
	CHILD_CHECK(!wd_send(q, &copies[0].req.head));
	CHILD_CHECK(!wd_recv_sync(q, &back) && back == &copies[0].req.head);
	CHILD_CHECK(!back->status && copies[0].dst[BUF_BYTES - 1] == 'C');
	wd_release_queue(q);
}

static void receive_copies(struct wd_queue *q, unsigned char want)
{
	unsigned int i, k;

	for (i = 0; i < NR_REQS; i++) {
		struct wd_req *back = NULL;

		assert_ok(wd_recv_sync(q, &back));
		assert_int_equal(back->status, WD_STATUS_OK);
	}
	for (i = 0; want && i < NR_REQS; i++)
		for (k = 0; k < BUF_BYTES; k++)
			assert_int_equal(copies[i].dst[k], want);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/*
 * Sends, forks, overwrites the sources with 'B', and only then lets the device get
 * to them.  A device that copies has had the bytes when they were sent.
 */
static void fork_before_the_device_reads(const char *mode, const char *embed, uint32_t flags)
{
	unsigned char want = strcmp(mode, "bounce") ? 'B' : 'A';
	struct wd_queue q = { .size = sizeof(q),
			      .capa = { .alg = "memop", .op = WD_OP_COPY },
			      .flags = flags };
	uint64_t start;
	unsigned int i;
	pid_t pid;

	assert_ok(rig_up(embed, flags ? workers : "1"));
	assert_ok(wd_request_queue(&q));
	start = now_ms();
	send_copies(&q, mode);
	fflush(NULL);
	pid = fork();
	if (!pid) {
		copy_in_child(&q);
		exit(0);
	}
	for (i = 0; i < NR_REQS; i++)
		memset(copies[i].src, 'B', BUF_BYTES);
	/* On a machine so slow that the delay is over, who was first cannot be told. */
	if (!flags && now_ms() - start >= DELAY_MS)
		want = 0;
	if (flags)
		assert_child(pid);
	receive_copies(&q, want);
	if (!flags)
		assert_child(pid);
	wd_release_queue(&q);
	wd_fini();
}

static void the_device_reads_the_parents_bytes(void **state)
{
	static const char *const modes[] = { "sva", "share", "bounce" };
	unsigned int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		char embed[64];

		/* Nobody works on it before the parent receives. */
		snprintf(embed, sizeof(embed), "dummy:memory=%s", modes[i]);
		fork_before_the_device_reads(modes[i], embed, WD_QUEUE_F_NEAR);
		if (RIG_HAS_ASAN)
			continue;
		/* A worker does, after a while. */
		snprintf(embed, sizeof(embed), "dummy:memory=%s:delay=%uus", modes[i],
			 DELAY_MS * 1000);
		fork_before_the_device_reads(modes[i], embed, 0);
	}
}

/* ------------------------------------------------ queues of a child */

static void use_queue(struct wd_queue *q)
{
	struct wd_req req = { 0 }, *back = NULL;

	CHILD_CHECK(wd_recv(q, &back) == -EAGAIN);
	CHILD_CHECK(wd_recv_sync(q, &back) == -EAGAIN);
	CHILD_CHECK(!wd_send(q, &req));
	CHILD_CHECK(!wd_recv_sync(q, &back) && back == &req && !req.status);
}

/* Three generations, each with a request in flight while it forks the next. */
static void nest(struct wd_queue *q, int depth)
{
	struct wd_req req = { 0 }, *back;
	pid_t pid;
	int status;

	use_queue(q);
	if (!depth)
		return;
	CHILD_CHECK(!wd_send(q, &req));
	pid = fork();
	if (!pid) {
		nest(q, depth - 1);
		exit(0);
	}
	CHILD_CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && !status);
	CHILD_CHECK(!wd_recv_sync(q, &back) && back == &req);
}

static void each_generation_has_its_own(void **state)
{
	struct wd_device_info devices[RIG_DEVICES_MAX];
	int i, k, n;

	(void)state;
	n = rig_devices(devices);
	assert_true(n > 0);
	for (i = 0; i < n; i++) {
		char alg[sizeof(devices[i].algs)], other_alg[sizeof(devices[i].algs)];
		struct wd_queue q = rig_wish(&devices[i], alg);
		struct wd_queue unused = rig_wish(&devices[i], other_alg);
		struct wd_req req[3] = { { 0 } }, *back;
		pid_t pid;

		assert_ok(wd_request_queue(&q));
		assert_ok(wd_request_queue(&unused));
		for (k = 0; k < 3; k++)
			assert_ok(wd_send(&q, &req[k]));
		fflush(NULL);
		pid = fork();
		if (!pid) {
			wd_release_queue(&unused);
			nest(&q, 3);
			/* One is given back, the others' go with the process. */
			wd_release_queue(&q);
			exit(0);
		}
		assert_child(pid);
		for (k = 0; k < 3; k++) {
			assert_ok(wd_recv_sync(&q, &back));
			assert_int_equal(back->status, WD_STATUS_OK);
		}
		assert_int_equal(wd_recv(&q, &back), -EAGAIN);
		wd_release_queue(&q);
		wd_release_queue(&unused);
	}
}

static void a_child_that_wants_nothing_just_leaves(void **state)
{
	struct wd_queue q = { .size = sizeof(q), .capa = { .alg = "memop", .op = WD_OP_COPY } };
	struct wd_req req = { 0 }, *back;
	pid_t pid;

	(void)state;
	assert_ok(wd_request_queue(&q));
	assert_ok(wd_send(&q, &req));
	fflush(NULL);
	pid = fork();
	if (!pid)
		exit(0);
	assert_child(pid);
	assert_ok(wd_recv_sync(&q, &back));
	wd_release_queue(&q);
}

static short poll_for(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	assert_true(poll(&p, 1, ms) >= 0);
	return p.revents;
}

/* Nothing that the child does is seen by who polls in the parent, and the reverse. */
static void descriptors_are_not_shared(void **state)
{
	struct wd_queue q = { .size = sizeof(q), .capa = { .alg = "memop", .op = WD_OP_COPY } };
	struct wd_req req = { 0 }, *back;
	int fd, k;
	pid_t pid;

	(void)state;
	assert_ok(wd_request_queue(&q));
	fd = wd_queue_fd(&q);
	assert_true(fd >= 0);
	assert_int_equal(wd_recv(&q, &back), -EAGAIN);
	/* The worker that came with it is at work. */
	assert_ok(wd_send(&q, &req));
	assert_int_equal(poll_for(fd, 60000), POLLIN);
	assert_ok(wd_recv(&q, &back));
	assert_int_equal(wd_recv(&q, &back), -EAGAIN);
	fflush(NULL);
	pid = fork();
	if (!pid) {
		struct pollfd p = { .events = POLLIN };

		CHILD_CHECK(wd_recv(&q, &back) == -EAGAIN);
		/* The parent's went with its queue. */
		CHILD_CHECK(fcntl(fd, F_GETFD) == -1);
		p.fd = wd_queue_fd(&q);
		CHILD_CHECK(p.fd >= 0);
		for (k = 0; k < 20; k++) {
			CHILD_CHECK(wd_recv(&q, &back) == -EAGAIN);
			CHILD_CHECK(!wd_send(&q, &req));
			CHILD_CHECK(poll(&p, 1, 60000) == 1);
			CHILD_CHECK(!wd_recv(&q, &back));
		}
		exit(0);
	}
	assert_child(pid);
	assert_int_equal(poll_for(fd, 0), 0);
	assert_ok(wd_send(&q, &req));
	assert_int_equal(poll_for(fd, 60000), POLLIN);
	assert_ok(wd_recv(&q, &back));
	assert_int_equal(wd_queue_fd(&q), fd);
	wd_release_queue(&q);
}

/* ------------------------------------------------ other programs */

static int list_in_another_program(bool is_vfork)
{
	char *argv[] = { self, (char *)(uintptr_t) "--count-descriptors", NULL };
	int status = -1;
	pid_t pid;

	if (is_vfork) {
		pid = vfork();
		if (!pid) {
			execv(self, argv);
			_exit(255);
		}
	} else {
		assert_ok(posix_spawn(&pid, self, NULL, NULL, argv, environ));
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void another_program_inherits_no_descriptor(void **state)
{
	struct wd_queue q = { .size = sizeof(q), .capa = { .alg = "memop", .op = WD_OP_COPY } };
	struct wd_req req = { 0 }, *back;
	int before;

	(void)state;
	wd_fini();
	before = list_in_another_program(false);
	assert_ok(wd_init());
	assert_ok(wd_request_queue(&q));
	assert_true(wd_queue_fd(&q) >= 0);
	assert_ok(wd_send(&q, &req));
	assert_int_equal(list_in_another_program(false), before);
	assert_int_equal(list_in_another_program(true), before);
	assert_ok(wd_recv_sync(&q, &back));
	wd_release_queue(&q);
}

/* ------------------------------------------------ threads at work meanwhile */

#define THREADS 3
#define FORKS	25

static _Atomic uint32_t is_over;

static void *work_until_over(void *arg)
{
	unsigned int round = 0;

	while (!atomic_load(&is_over)) {
		struct wd_queue q = { .size = sizeof(q),
				      .capa = { .alg = "memop", .op = WD_OP_COPY },
				      .depth = 4 };
		struct wd_req req = { 0 }, *back;

		/* Each its own way through the library's locks. */
		if (round++ % 4 == 0 && wd_list_devices(NULL, 0) <= 0)
			return arg;
		if (wd_request_queue(&q))
			return arg;
		if (round % 3 == 0 && wd_queue_fd(&q) < 0)
			return arg;
		if (wd_send(&q, &req) || wd_recv_sync(&q, &back) || back != &req)
			return arg;
		wd_release_queue(&q);
	}
	return NULL;
}

static void fork_and_use(struct wd_queue *q)
{
	struct wd_queue own = { .size = sizeof(own), .capa = { .alg = "memop", .op = WD_OP_COPY } };
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (!pid) {
		use_queue(q);
		CHILD_CHECK(!wd_request_queue(&own));
		use_queue(&own);
		CHILD_CHECK(wd_queue_fd(&own) >= 0);
		use_queue(&own);
		wd_release_queue(&own);
		wd_release_queue(q);
		wd_fini();
		/* What only the stacks of threads knew that are not here is lost: no exit(). */
		_exit(0);
	}
	assert_child(pid);
}

static void threads_work_while_one_forks(void **state)
{
	struct wd_queue q = { .size = sizeof(q), .capa = { .alg = "memop", .op = WD_OP_COPY } };
	pthread_t thread[THREADS];
	char mark;
	int i;

	(void)state;
	if (RIG_HAS_ASAN)
		skip();
	atomic_store(&is_over, 0);
	assert_ok(wd_request_queue(&q));
	for (i = 0; i < THREADS; i++)
		assert_ok(pthread_create(&thread[i], NULL, work_until_over, &mark));
	for (i = 0; i < FORKS; i++)
		fork_and_use(&q);
	atomic_store(&is_over, 1);
	for (i = 0; i < THREADS; i++) {
		void *failed;

		pthread_join(thread[i], &failed);
		assert_null(failed);
	}
	use_queue(&q);
	wd_release_queue(&q);
}

static int up(void **state)
{
	(void)state;
	return rig_up("hisi_zip,dummy", workers);
}

static int down(void **state)
{
	(void)state;
	wd_fini();
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_device_reads_the_parents_bytes),
		cmocka_unit_test_setup_teardown(each_generation_has_its_own, up, down),
		cmocka_unit_test_setup_teardown(a_child_that_wants_nothing_just_leaves, up, down),
		cmocka_unit_test_setup_teardown(descriptors_are_not_shared, up, down),
		cmocka_unit_test_setup_teardown(another_program_inherits_no_descriptor, up, down),
		cmocka_unit_test_setup_teardown(threads_work_while_one_forks, up, down),
	};

	if (!t_forks_are_seen())
		return 77;
	if (argc == 2 && !strcmp(argv[1], "--count-descriptors"))
		return rig_count("/proc/self/fd");
	self = argv[0];
	/*
	 * AddressSanitizer's malloc may be locked in a child by a thread that is not
	 * there, as one that starts or ends is in it.
	 */
	if (getenv("WD_EMBED_WORKERS") && !RIG_HAS_ASAN)
		workers = strdup(getenv("WD_EMBED_WORKERS"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}

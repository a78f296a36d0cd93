/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The core alone: backends and drivers here are scripted, so that devices can
 * be of every kind, refuse, stay silent and die.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <wd/driver.h>
#include <wd/mem.h>
#include <wd/wd.h>

#include "base/barrier.h"
#include "base/wait.h"
#include "core/lane.h"
#include "core/queue.h"
#include "core/registry.h"
#include "lib/t_assert.h"
#include "lib/t_fork.h"

#define DEPTH 4

/* ------------------------------------------------ a scripted device */

static struct {
	/* what it does */
	int open_err;
	int start_err;
	int drv_open_err;
	int nr_free[4];
	bool is_silent; /* keeps what it gets */
	bool is_gone;
	bool is_on_event; /* completes only when complete_when_armed() says so */
	int elsewhere_err;
	/* what was done to it */
	unsigned int nr_open, nr_close, nr_start, nr_stop, nr_drv_open, nr_drv_close;
	unsigned int nr_scan, nr_flush, nr_elsewhere;
	uint32_t open_flags;
	_Atomic uint32_t nr_arm;
	struct wd_backend_queue *bq; /* the last one opened */
	/* in flight, in order */
	struct wd_req *held[DEPTH];
	unsigned int nr_held;
	_Atomic unsigned int nr_ready; /* of these, finished */
} dev;

static const struct wd_device_info devices[] = {
	{ .name = "far-0",
	  .driver = "scripted",
	  .api = "s1",
	  .algs = "alpha\nbeta",
	  .flags = WD_CAPA_F_SVA,
	  .numa_node = 1,
	  .throughput = 10,
	  .latency = 10 },
	{ .name = "near-1",
	  .driver = "scripted",
	  .api = "s1",
	  .algs = "alpha",
	  .flags = WD_CAPA_F_SVA | WD_CAPA_F_LEVELS,
	  .numa_node = 0,
	  .throughput = 10,
	  .latency = 20 },
	{ .name = "fast-2",
	  .driver = "scripted",
	  .api = "s1",
	  .algs = "alpha\nalphabet",
	  .numa_node = -1,
	  .throughput = 50,
	  .latency = 5 },
	{ .name = "odd-3",
	  .driver = "scripted",
	  .api = "unknown",
	  .algs = "alpha\ngamma",
	  .flags = WD_CAPA_F_SVA,
	  .numa_node = 0,
	  .throughput = 99,
	  .latency = 1 },
};

static int s_scan(struct wd_backend_host *host,
		  void (*found)(void *arg, const struct wd_device_info *info), void *arg)
{
	unsigned int i;

	(void)host;
	dev.nr_scan++;
	for (i = 0; i < 4; i++)
		found(arg, &devices[i]);
	return 0;
}

static int s_free_queues(struct wd_backend_host *host, const char *name)
{
	(void)host;
	return dev.nr_free[name[strlen(name) - 1] - '0'];
}

static int s_open(struct wd_backend_host *host, const char *name, uint32_t flags,
		  struct wd_backend_queue **ret_queue)
{
	(void)host;
	(void)name;
	dev.open_flags = flags;
	if (dev.open_err)
		return dev.open_err;
	*ret_queue = calloc(1, sizeof(**ret_queue));
	assert_non_null(*ret_queue);
	dev.bq = *ret_queue;
	dev.nr_open++;
	return 0;
}

static void s_fini(struct wd_backend_host *host)
{
	(void)host;
}

static int s_start(struct wd_backend_queue *bq)
{
	(void)bq;
	dev.nr_start++;
	return dev.start_err;
}

static void s_stop(struct wd_backend_queue *bq)
{
	(void)bq;
	dev.nr_stop++;
}

static void s_close(struct wd_backend_queue *bq)
{
	dev.nr_close++;
	free(bq);
}

static void s_end_threads(struct wd_backend_host *host)
{
	(void)host;
}

static int s_run_elsewhere(struct wd_backend_queue *bq)
{
	(void)bq;
	dev.nr_elsewhere++;
	return dev.elsewhere_err;
}

static const struct wd_backend scripted_backend = {
	.name = "test",
	.scan = s_scan,
	.free_queues = s_free_queues,
	.open = s_open,
	.fini = s_fini,
	.end_threads = s_end_threads,
	.start = s_start,
	.stop = s_stop,
	.close = s_close,
	.run_elsewhere = s_run_elsewhere,
};

const struct wd_backend *const wd_backends[] = { &scripted_backend, NULL };

static int d_probe(const char *api)
{
	return strcmp(api, "s1") ? -EOPNOTSUPP : 0;
}

static int d_open(void *queue, struct wd_port *port, const struct wd_capa *capa, uint32_t *depth)
{
	(void)queue;
	(void)port;
	(void)capa;
	if (dev.drv_open_err)
		return dev.drv_open_err;
	dev.nr_drv_open++;
	*depth = DEPTH;
	return 0;
}

static void d_close(void *queue)
{
	(void)queue;
	dev.nr_drv_close++;
	dev.nr_held = 0;
	dev.nr_ready = 0;
}

static int d_send(void *queue, struct wd_req *const *reqs, unsigned int nr)
{
	unsigned int n;

	(void)queue;
	if (dev.is_gone)
		return -ENODEV;
	for (n = 0; n < nr && dev.nr_held < DEPTH; n++)
		dev.held[dev.nr_held++] = reqs[n];
	if (!dev.is_silent && !dev.is_on_event)
		dev.nr_ready = dev.nr_held;
	return n ? (int)n : -EAGAIN;
}

static int d_flush(void *queue)
{
	(void)queue;
	dev.nr_flush++;
	return 0;
}

static int take(struct wd_req **ret_reqs, unsigned int nr, unsigned int have, uint32_t status)
{
	unsigned int n, ready;

	for (n = 0; n < nr && n < have; n++) {
		ret_reqs[n] = dev.held[n];
		ret_reqs[n]->status = status;
	}
	memmove(dev.held, dev.held + n, (dev.nr_held - n) * sizeof(dev.held[0]));
	dev.nr_held -= n;
	ready = dev.nr_ready;
	dev.nr_ready = ready - (n < ready ? n : ready);
	return (int)n;
}

static int d_recv(void *queue, struct wd_req **ret_reqs, unsigned int nr)
{
	int n = take(ret_reqs, nr, dev.nr_ready, WD_STATUS_OK);

	(void)queue;
	return n || !dev.is_gone ? n : -ENODEV;
}

static void d_arm(void *queue)
{
	(void)queue;
	atomic_fetch_add(&dev.nr_arm, 1);
	wait_wake(&dev.nr_arm);
}

static int d_abandon(void *queue, struct wd_req **ret_reqs, unsigned int nr)
{
	(void)queue;
	/* Not before the device was stopped: it might still write. */
	assert_true(dev.nr_stop > 0);
	return take(ret_reqs, nr, dev.nr_held, WD_STATUS_DEVICE_GONE);
}

static const struct wd_driver scripted_driver = {
	.abi = WD_DRIVER_ABI,
	.name = "scripted",
	.queue_bytes = 1,
	.probe = d_probe,
	.open = d_open,
	.close = d_close,
	.send = d_send,
	.flush = d_flush,
	.recv = d_recv,
	.arm = d_arm,
	.abandon = d_abandon,
};

extern const struct wd_driver *const wd_drivers[];
const struct wd_driver *const wd_drivers[] = { &scripted_driver, NULL };

/* ------------------------------------------------ helpers */

static int fresh(void **state)
{
	unsigned int i;

	(void)state;
	registry_fini(); /* idle queues of earlier tests */
	memset(&dev, 0, sizeof(dev));
	for (i = 0; i < 4; i++)
		dev.nr_free[i] = 8;
	return 0;
}

static struct wd_queue wish(const char *alg, uint32_t depth)
{
	return (struct wd_queue){ .size = sizeof(struct wd_queue),
				  .capa = { .alg = alg, .op = WD_OP_COPY },
				  .depth = depth };
}

static void assert_device(struct wd_capa capa, const char *name, const char *want)
{
	struct wd_queue q = wish(capa.alg, 0);

	q.capa = capa;
	strcpy(q.device, name);
	assert_ok(wd_request_queue(&q));
	assert_string_equal(q.device, want);
	wd_release_queue(&q);
	registry_fini();
}

/* ------------------------------------------------ tests */

static void the_suitable_device_is_chosen(void **state)
{
	const struct wd_capa node0 = { .alg = "alpha", .flags = WD_CAPA_F_NUMA_NODE };
	struct wd_capa capa = node0;
	struct wd_queue q;

	(void)state;
	/* Nearest node; a device that no driver knows is none. */
	assert_device(capa, "", "test:near-1");
	capa.numa_node = 1;
	assert_device(capa, "", "test:far-0");
	/* An unknown node is between the near and the far one. */
	dev.nr_free[0] = 0;
	assert_device(capa, "", "test:fast-2");
	dev.nr_free[0] = 8;
	/* By name, against distance. */
	assert_device(node0, "test:far-0", "test:far-0");
	/* Features and wishes. */
	capa = (struct wd_capa){ .alg = "alpha",
				 .flags = WD_CAPA_F_NUMA_NODE | WD_CAPA_F_LEVELS,
				 .numa_node = 1 };
	assert_device(capa, "", "test:near-1");
	capa = (struct wd_capa){ .alg = "alpha", .throughput = 11 };
	assert_device(capa, "", "test:fast-2");
	capa = (struct wd_capa){ .alg = "alpha", .latency = 5 };
	assert_device(capa, "", "test:fast-2");
	/* Whole names only: "alpha" is not "alphabet", "beta" is far's. */
	capa = (struct wd_capa){ .alg = "alphabet" };
	assert_device(capa, "", "test:fast-2");
	capa = (struct wd_capa){ .alg = "beta" };
	assert_device(capa, "", "test:far-0");

	q = wish("alph", 0);
	assert_int_equal(wd_request_queue(&q), -ENODEV);
	q = wish("gamma", 0);
	assert_int_equal(wd_request_queue(&q), -ENODEV);
	q = wish("alpha", 0);
	strcpy(q.device, "test:nowhere");
	assert_int_equal(wd_request_queue(&q), -ENODEV);
	q = wish("alpha", 0);
	q.capa.flags = WD_CAPA_F_LEVELS | WD_CAPA_F_SVA;
	q.capa.throughput = 50;
	assert_int_equal(wd_request_queue(&q), -ENODEV);
}

static void equally_near_the_emptier_wins(void **state)
{
	struct wd_capa capa = { .alg = "alpha", .flags = WD_CAPA_F_NUMA_NODE, .numa_node = 7 };

	(void)state;
	dev.nr_free[2] = 0; /* the one of unknown node */
	dev.nr_free[1] = 9;
	assert_device(capa, "", "test:near-1");
	dev.nr_free[0] = 10;
	assert_device(capa, "", "test:far-0");
}

static void full_devices_are_busy_not_missing(void **state)
{
	struct wd_queue q = wish("alpha", 77);

	(void)state;
	memset(dev.nr_free, 0, sizeof(dev.nr_free));
	assert_int_equal(wd_request_queue(&q), -EBUSY);
	assert_null(q.queue);
}

static void nonsense_is_refused(void **state)
{
	struct wd_queue q;
	int i;

	(void)state;
	assert_int_equal(wd_request_queue(NULL), -EINVAL);
	for (i = 0; i < 10; i++) {
		q = wish("alpha", 0);
		switch (i) {
		case 0:
			q.size--;
			break;
		case 1:
			q.capa.alg = NULL;
			break;
		case 2:
			q.capa.alg = "";
			break;
		case 3:
			q.flags = 1u << 31;
			break;
		case 4:
			q.capa.flags = 1u << 31;
			break;
		case 5:
			q.timeout_ms = -1;
			break;
		case 6:
			q.reserved[5] = 1;
			break;
		case 7:
			memset(q.device, 'x', sizeof(q.device));
			break;
		case 8:
			q.capa.throughput = 100;
			break;
		case 9:
			q.capa.reserved = 1;
			break;
		}
		assert_int_equal(wd_request_queue(&q), -EINVAL);
	}
	q = wish("alpha", 0);
	assert_ok(wd_request_queue(&q));
	assert_int_equal(wd_request_queue(&q), -EINVAL); /* holds a queue */
	assert_int_equal(wd_send(&q, NULL), -EINVAL);
	assert_int_equal(wd_recv(&q, NULL), -EINVAL);
	assert_int_equal(wd_recv_sync(&q, NULL), -EINVAL);
	wd_release_queue(&q);
	wd_release_queue(&q);
	wd_release_queue(NULL);
	assert_int_equal(wd_send(&q, &(struct wd_req){ 0 }), -EINVAL);
	assert_int_equal(wd_flush(&q), -EINVAL);
	assert_int_equal(wd_flush(NULL), -EINVAL);
}

/* Each step of connecting fails once: the error comes out, all before it is undone. */
static void a_failed_connection_leaves_nothing(void **state)
{
	struct wd_queue q;
	int step;

	(void)state;
	for (step = 0; step < 3; step++) {
		fresh(NULL);
		q = wish("alpha", 500 + (unsigned int)step);
		*(step == 0 ? &dev.open_err :
		  step == 1 ? &dev.drv_open_err :
			      &dev.start_err) = -EIO;
		assert_int_equal(wd_request_queue(&q), -EIO);
		assert_null(q.queue);
		assert_int_equal(dev.nr_open, dev.nr_close);
		assert_int_equal(dev.nr_drv_open, dev.nr_drv_close);
	}
}

static void send_and_receive(void **state)
{
	struct wd_req req[DEPTH + 1] = { { 0 } }, *reqs[DEPTH + 1], *back[DEPTH + 1];
	struct wd_queue q = wish("alpha", 0);
	unsigned int i;

	(void)state;
	for (i = 0; i <= DEPTH; i++)
		reqs[i] = &req[i];
	assert_ok(wd_request_queue(&q));
	assert_int_equal(q.depth, DEPTH);
	assert_int_equal(wd_recv(&q, back), -EAGAIN);
	assert_int_equal(wd_recv_sync(&q, back), -EAGAIN); /* at once: nothing in flight */
	assert_int_equal(wd_recv_burst(&q, back, 3), 0);
	assert_int_equal(wd_send_burst(&q, reqs, 0), 0);
	assert_int_equal(wd_send_burst(&q, reqs, DEPTH + 1), DEPTH);
	assert_int_equal(wd_send(&q, reqs[DEPTH]), -EAGAIN);
	assert_ok(wd_recv(&q, back));
	assert_ptr_equal(back[0], &req[0]);
	assert_ok(wd_recv_sync(&q, back));
	assert_ptr_equal(back[0], &req[1]);
	assert_int_equal(wd_recv_burst(&q, back, 10), DEPTH - 2);
	assert_ptr_equal(back[1], &req[3]);
	assert_ok(wd_flush(&q));
	assert_int_equal(dev.nr_flush, 1);
	wd_release_queue(&q);
}

static void a_released_queue_is_used_again(void **state)
{
	struct wd_queue q = wish("alpha", 321), other = wish("alpha", 322);
	struct wd_req req = { 0 };

	(void)state;
	assert_ok(wd_request_queue(&q));
	wd_release_queue(&q);
	assert_null(q.queue);
	assert_int_equal(dev.nr_close, 0);
	q.depth = 321;
	q.device[0] = '\0';
	assert_ok(wd_request_queue(&q));
	assert_int_equal(dev.nr_open, 1);
	/* Another wish is another queue. */
	assert_ok(wd_request_queue(&other));
	assert_int_equal(dev.nr_open, 2);
	/* With work in flight it is not fit to be kept. */
	dev.is_silent = true;
	assert_ok(wd_send(&q, &req));
	wd_release_queue(&q);
	assert_int_equal(dev.nr_stop, 1);
	assert_int_equal(dev.nr_close, 1);
	wd_release_queue(&other);
}

static void silence_ends_at_the_deadline(void **state)
{
	struct wd_req req = { 0 }, *back;
	struct wd_queue q = wish("alpha", 0);
	uint64_t start;

	(void)state;
	q.timeout_ms = 20;
	assert_ok(wd_request_queue(&q));
	dev.is_silent = true;
	assert_ok(wd_send(&q, &req));
	start = wait_clock_ns();
	assert_int_equal(wd_recv_sync(&q, &back), -ETIMEDOUT);
	assert_true(wait_clock_ns() - start >= 20 * WAIT_NS_PER_MS);
	assert_true(dev.nr_arm > 0);
	/* The request is still the device's, and comes back when it answers. */
	dev.nr_ready = 1;
	assert_ok(wd_recv_sync(&q, &back));
	assert_ptr_equal(back, &req);
	wd_release_queue(&q);
}

/* What a device does when a request is finished: it shows it, then it reports. */
static void *complete_when_armed(void *arg)
{
	while (!wd_load_acquire(&dev.nr_arm))
		wait_park(&dev.nr_arm, 0, WAIT_FOREVER);
	wd_store_release(&dev.nr_ready, 1);
	wait_event_signal(wd_load_acquire(&dev.bq->event));
	return arg;
}

static void a_sleeper_is_woken_by_the_event(void **state)
{
	struct wd_req req = { 0 }, *back;
	struct wd_queue q = wish("alpha", 0);
	pthread_t thread;

	(void)state;
	q.timeout_ms = 60000;
	assert_ok(wd_request_queue(&q));
	dev.is_on_event = true;
	assert_ok(wd_send(&q, &req));
	assert_ok(pthread_create(&thread, NULL, complete_when_armed, NULL));
	assert_ok(wd_recv_sync(&q, &back));
	assert_ptr_equal(back, &req);
	pthread_join(thread, NULL);
	wd_release_queue(&q);
}

static void a_dead_device_answers_each_request_once(void **state)
{
	struct wd_req req[3] = { { 0 } }, *back[3];
	struct wd_queue q = wish("alpha", 0);
	unsigned int i;

	(void)state;
	assert_ok(wd_request_queue(&q));
	dev.is_silent = true;
	for (i = 0; i < 3; i++)
		assert_ok(wd_send(&q, &req[i]));
	dev.is_gone = true;
	assert_int_equal(wd_send(&q, &req[0]), -ENODEV);
	assert_ok(wd_recv(&q, back));
	assert_ptr_equal(back[0], &req[0]);
	assert_int_equal(req[0].status, WD_STATUS_DEVICE_GONE);
	assert_int_equal(wd_recv_burst(&q, back, 3), 2);
	assert_ptr_equal(back[1], &req[2]);
	assert_int_equal(wd_recv(&q, back), -ENODEV);
	assert_int_equal(wd_recv_sync(&q, back), -ENODEV);
	assert_int_equal(wd_recv_burst(&q, back, 3), -ENODEV);
	assert_int_equal(wd_flush(&q), -ENODEV);
	assert_int_equal(wd_mem_share(&q, &req, 1, WD_SHARE_READ), -ENODEV);
	/* Not kept for others. */
	wd_release_queue(&q);
	assert_int_equal(dev.nr_close, 1);
}

static void a_queue_that_was_refused_is_not_kept(void **state)
{
	struct wd_req req = { 0 };
	struct wd_queue q = wish("alpha", 0);

	(void)state;
	assert_ok(wd_request_queue(&q));
	dev.is_gone = true;
	assert_int_equal(wd_send(&q, &req), -ENODEV);
	wd_release_queue(&q);
	assert_int_equal(dev.nr_close, 1);
	/* A queue that was kept is looked at before it is handed out again. */
	dev.is_gone = false;
	q.device[0] = '\0';
	q.depth = 0;
	assert_ok(wd_request_queue(&q));
	wd_release_queue(&q);
	assert_int_equal(dev.nr_open, 2);
	assert_int_equal(dev.nr_close, 1);
	dev.is_gone = true;
	q.device[0] = '\0';
	q.depth = 0;
	assert_ok(wd_request_queue(&q));
	assert_int_equal(dev.nr_open, 3);
	assert_int_equal(dev.nr_close, 2);
	wd_release_queue(&q);
}

/* What a device makes of shared memory is share_test's; here: what can be asked for. */
static void ranges_are_shared_and_taken_back(void **state)
{
	struct wd_queue q = wish("alpha", 0);
	char memory[64];

	(void)state;
	strcpy(q.device, "test:far-0");
	assert_ok(wd_request_queue(&q));
	assert_ok(wd_mem_share(&q, memory, 64, WD_SHARE_READ | WD_SHARE_WRITE));
	assert_int_equal(wd_mem_share(&q, memory, 0, WD_SHARE_READ), -EINVAL);
	assert_int_equal(wd_mem_share(&q, NULL, 8, WD_SHARE_READ), -EINVAL);
	assert_int_equal(wd_mem_share(&q, memory, 8, 0), -EINVAL);
	assert_int_equal(wd_mem_share(&q, memory, SIZE_MAX, WD_SHARE_READ), -EINVAL);
	assert_int_equal(wd_mem_share(&q, memory, 8, WD_SHARE_ALL), -EINVAL);
	assert_int_equal(wd_mem_unshare(&q, memory, 32), -EINVAL);
	assert_ok(wd_mem_unshare(&q, memory, 64));
	assert_int_equal(wd_mem_unshare(&q, memory, 64), -EINVAL);
	wd_release_queue(&q);
}

/* ------------------------------------------------ the descriptor */

static short poll_now(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };

	assert_true(poll(&p, 1, 0) >= 0);
	return p.revents;
}

static void the_descriptor_tells_when_to_look(void **state)
{
	struct wd_req req[DEPTH + 1] = { { 0 } }, *back;
	struct wd_queue q = wish("alpha", 0);
	unsigned int i;
	int fd;

	(void)state;
	assert_int_equal(wd_queue_fd(NULL), -EINVAL);
	assert_int_equal(wd_queue_fd(&q), -EINVAL);
	assert_ok(wd_request_queue(&q));
	/* Without anybody to work on it there is none. */
	dev.elsewhere_err = -EAGAIN;
	assert_int_equal(wd_queue_fd(&q), -EAGAIN);
	dev.elsewhere_err = 0;
	fd = wd_queue_fd(&q);
	assert_true(fd >= 0);
	assert_int_equal(wd_queue_fd(&q), fd);
	assert_int_equal(dev.nr_elsewhere, 2);

	assert_int_equal(poll_now(fd), POLLIN | POLLOUT);
	assert_int_equal(wd_recv(&q, &back), -EAGAIN);
	assert_int_equal(poll_now(fd), POLLOUT);
	assert_true(dev.nr_arm > 0);
	dev.is_on_event = true;
	for (i = 0; i < DEPTH; i++)
		assert_ok(wd_send(&q, &req[i]));
	assert_int_equal(poll_now(fd), POLLOUT);
	assert_int_equal(wd_send(&q, &req[DEPTH]), -EAGAIN);
	assert_int_equal(poll_now(fd), 0);
	dev.nr_ready = 2;
	wait_event_signal(wd_load_acquire(&dev.bq->event));
	assert_int_equal(poll_now(fd), POLLIN);
	assert_ok(wd_recv(&q, &back));
	assert_int_equal(poll_now(fd), POLLIN | POLLOUT);
	assert_ok(wd_recv(&q, &back));
	assert_int_equal(wd_recv(&q, &back), -EAGAIN);
	assert_int_equal(poll_now(fd), POLLOUT);

	/* Gone: readable until the end. */
	dev.is_gone = true;
	wait_event_signal(wd_load_acquire(&dev.bq->event));
	assert_int_equal(poll_now(fd), POLLIN | POLLOUT);
	for (i = 2; i < DEPTH; i++) {
		assert_ok(wd_recv(&q, &back));
		assert_int_equal(back->status, WD_STATUS_DEVICE_GONE);
	}
	assert_int_equal(wd_recv(&q, &back), -ENODEV);
	assert_int_equal(poll_now(fd), POLLIN | POLLOUT);
	assert_int_equal(wd_queue_fd(&q), -ENODEV);
	wd_release_queue(&q);
	assert_int_equal(poll_now(fd), POLLNVAL);
}

/* A queue that workers are at is not what the next who asks wants. */
static void queues_with_a_wish_of_their_own_are_told_apart(void **state)
{
	struct wd_queue q = wish("alpha", 0), near = wish("alpha", 0);

	(void)state;
	near.flags = WD_QUEUE_F_NEAR;
	assert_ok(wd_request_queue(&near));
	assert_int_equal(dev.open_flags, BACKEND_QUEUE_F_NEAR);
	wd_release_queue(&near);
	assert_ok(wd_request_queue(&q));
	assert_int_equal(dev.open_flags, 0);
	assert_int_equal(dev.nr_open, 2);
	assert_ok(lane_run_elsewhere(&q));
	wd_release_queue(&q);
	assert_int_equal(dev.nr_close, 1);
	near.depth = 0;
	near.device[0] = '\0';
	assert_ok(wd_request_queue(&near));
	assert_int_equal(dev.nr_open, 2);
	wd_release_queue(&near);
}

/* ------------------------------------------------ life */

static void the_last_fini_gives_all_back(void **state)
{
	struct wd_queue q = wish("alpha", 0);

	(void)state;
	wd_fini(); /* one too many is none */
	assert_ok(wd_init());
	assert_ok(wd_init());
	assert_ok(wd_request_queue(&q));
	wd_release_queue(&q);
	wd_fini();
	assert_int_equal(dev.nr_close, 0);
	/* With a queue in somebody's hands nothing ends. */
	q.depth = 0;
	assert_ok(wd_request_queue(&q));
	wd_fini();
	assert_int_equal(dev.nr_close, 0);
	wd_release_queue(&q);
	assert_ok(wd_init());
	wd_fini();
	assert_int_equal(dev.nr_close, 1);
	wd_fini();
	assert_int_equal(wd_list_devices(NULL, 0), 4);
}

/* What a child does here must not end in cmocka's hands: it says a number and leaves. */
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

static void use_in_child(struct wd_queue *q, struct wd_req *req, int parent_fd)
{
	struct wd_req *back;
	void *parents = q->queue;
	unsigned int nr_open = dev.nr_open;

	CHILD_CHECK(lane_is_foreign(q));
	/* No device to be had: said, and tried again at the next call. */
	dev.open_err = -EBUSY;
	CHILD_CHECK(wd_recv(q, &back) == -EBUSY);
	CHILD_CHECK(wd_send(q, req) == -EBUSY);
	CHILD_CHECK(q->queue == parents);
	dev.open_err = 0;
	/* Nothing of the parent's is in flight here; its driver is not asked to end anything. */
	dev.nr_held = 0;
	dev.nr_ready = 0;
	CHILD_CHECK(wd_recv_sync(q, &back) == -EAGAIN);
	CHILD_CHECK(q->queue && q->queue != parents);
	CHILD_CHECK(dev.nr_open == nr_open + 1);
	CHILD_CHECK(!dev.nr_stop && !dev.nr_close && !dev.nr_drv_close);
	CHILD_CHECK(fcntl(parent_fd, F_GETFD) == -1 && fcntl(parent_fd + 1, F_GETFD) == -1);
	CHILD_CHECK(!strcmp(q->device, "test:near-1"));
	CHILD_CHECK(wd_send(q, req) == 0);
	CHILD_CHECK(wd_recv_sync(q, &back) == 0 && back == req);
	CHILD_CHECK(wd_queue_fd(q) >= 0);
}

static void a_child_connects_anew(void **state)
{
	struct wd_queue q = wish("alpha", 0), idle = wish("alpha", 7), unused = wish("alpha", 9);
	struct wd_req req[2] = { { 0 } }, *back;
	int depth, fd;
	pid_t pid;

	(void)state;
	if (!t_forks_are_seen())
		skip();
	strcpy(q.device, "test:near-1");
	assert_ok(wd_request_queue(&q));
	assert_ok(wd_request_queue(&idle));
	assert_ok(wd_request_queue(&unused));
	wd_release_queue(&idle);
	fd = wd_queue_fd(&q);
	assert_true(fd >= 0);
	assert_int_equal(wd_recv(&q, &back), -EAGAIN);
	dev.is_on_event = true;
	assert_ok(wd_send(&q, &req[0]));
	pid = fork();
	if (!pid) {
		dev.is_on_event = false;
		use_in_child(&q, &req[1], fd);
		wd_release_queue(&unused);
		CHILD_CHECK(!unused.queue && !dev.nr_close);
		/* And a child of its own, three deep. */
		for (depth = 0; depth < 3; depth++) {
			int own_fd = wd_queue_fd(&q);

			pid = fork();
			if (pid) {
				int status;

				CHILD_CHECK(waitpid(pid, &status, 0) == pid && !status);
				CHILD_CHECK(fcntl(own_fd, F_GETFD) != -1);
				wd_release_queue(&q);
				registry_fini();
				_exit(0);
			}
			use_in_child(&q, &req[1], own_fd);
		}
		wd_release_queue(&q);
		registry_fini();
		_exit(0);
	}
	assert_child(pid);
	/* The parent never noticed. */
	assert_int_equal(poll_now(fd), POLLOUT);
	assert_int_equal(wd_queue_fd(&q), fd);
	dev.nr_ready = 1;
	wait_event_signal(wd_load_acquire(&((struct core_queue *)q.queue)->bq->event));
	assert_int_equal(poll_now(fd), POLLIN | POLLOUT);
	assert_ok(wd_recv(&q, &back));
	assert_ptr_equal(back, &req[0]);
	wd_release_queue(&q);
	wd_release_queue(&unused);
}

/* A child that leaves the library alone, or only lets go, touches no device. */
static void a_child_that_wants_nothing_gets_nothing(void **state)
{
	struct wd_queue q = wish("alpha", 0);
	pid_t pid;

	(void)state;
	if (!t_forks_are_seen())
		skip();
	assert_ok(wd_request_queue(&q));
	pid = fork();
	if (!pid) {
		registry_fini();
		CHILD_CHECK(!dev.nr_stop && !dev.nr_close);
		wd_release_queue(&q);
		wd_fini();
		registry_fini();
		CHILD_CHECK(!dev.nr_stop && !dev.nr_close && dev.nr_scan == 1);
		_exit(0);
	}
	assert_child(pid);
	wd_release_queue(&q);
}

struct child_thread {
	struct wd_queue *q;
	bool is_bad;
};

static void *recv_nothing(void *arg)
{
	struct child_thread *t = arg;
	struct wd_req *back;

	t->is_bad = wd_recv(t->q, &back) != -EAGAIN;
	return NULL;
}

/* Several threads of a child come upon the inherited queue at once: one connects it. */
static void threads_of_a_child_share_what_one_connects(void **state)
{
	struct wd_queue q = wish("alpha", 0);
	struct child_thread t[4];
	pthread_t thread[4];
	pid_t pid;
	int i;

	(void)state;
	if (!t_forks_are_seen())
		skip();
	q.flags = WD_QUEUE_F_SHARED;
	assert_ok(wd_request_queue(&q));
	pid = fork();
	if (!pid) {
		for (i = 0; i < 4; i++) {
			t[i] = (struct child_thread){ .q = &q };
			CHILD_CHECK(!pthread_create(&thread[i], NULL, recv_nothing, &t[i]));
		}
		for (i = 0; i < 4; i++) {
			pthread_join(thread[i], NULL);
			CHILD_CHECK(!t[i].is_bad);
		}
		CHILD_CHECK(dev.nr_open == 2);
		wd_release_queue(&q);
		registry_fini();
		_exit(0);
	}
	assert_child(pid);
	wd_release_queue(&q);
}

static void devices_are_listed(void **state)
{
	struct wd_device_info info[5];
	struct {
		struct wd_device_info info;
		uint64_t more;
	} later[3];
	unsigned int i;

	(void)state;
	for (i = 0; i < 5; i++)
		info[i].size = sizeof(info[i]);
	dev.nr_free[1] = 3;
	assert_int_equal(wd_list_devices(NULL, 0), 4);
	assert_int_equal(wd_list_devices(NULL, 1), -EINVAL);
	assert_int_equal(wd_list_devices(info, 5), 4);
	assert_string_equal(info[1].name, "test:near-1");
	assert_string_equal(info[1].backend, "test");
	assert_int_equal(info[1].free_queues, 3);
	assert_string_equal(wd_device_name(info[1].id), "test:near-1");
	assert_string_equal(wd_device_name(0), "none");
	assert_string_equal(wd_device_name(12345), "none");
	/* A caller of an older release asks for less. */
	memset(info, 0xee, sizeof(info));
	info[0].size = 8;
	assert_int_equal(wd_list_devices(info, 1), 4);
	assert_int_equal(info[0].size, 8);
	assert_int_equal((unsigned char)info[0].name[0], 0xee);
	/* A caller of a later release has larger elements; what is not known stays. */
	memset(later, 0xee, sizeof(later));
	for (i = 0; i < 3; i++)
		later[i].info.size = sizeof(later[i]);
	assert_int_equal(wd_list_devices(&later[0].info, 3), 4);
	assert_string_equal(later[2].info.name, "test:fast-2");
	assert_int_equal(later[1].more, 0xeeeeeeeeeeeeeeee);
	later[1].info.size++;
	assert_int_equal(wd_list_devices(&later[0].info, 3), -EINVAL);
}

static char last_line[600];

static void keep_line(void *arg, enum wd_log_level level, const char *text)
{
	(void)arg;
	(void)level;
	snprintf(last_line, sizeof(last_line), "%s", text);
}

static void the_log_tells_of_a_dead_device(void **state)
{
	struct wd_queue q = wish("alpha", 0);
	struct wd_req *back;

	(void)state;
	wd_set_log(keep_line, NULL, WD_LOG_WARN);
	strcpy(q.device, "test:near-1");
	assert_ok(wd_request_queue(&q));
	dev.is_gone = true;
	assert_int_equal(wd_recv(&q, &back), -ENODEV);
	assert_non_null(strstr(last_line, "test:near-1"));
	wd_set_log(NULL, NULL, WD_LOG_ERROR);
	wd_release_queue(&q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_suitable_device_is_chosen, fresh),
		cmocka_unit_test_setup(equally_near_the_emptier_wins, fresh),
		cmocka_unit_test_setup(full_devices_are_busy_not_missing, fresh),
		cmocka_unit_test_setup(nonsense_is_refused, fresh),
		cmocka_unit_test_setup(a_failed_connection_leaves_nothing, fresh),
		cmocka_unit_test_setup(send_and_receive, fresh),
		cmocka_unit_test_setup(a_released_queue_is_used_again, fresh),
		cmocka_unit_test_setup(silence_ends_at_the_deadline, fresh),
		cmocka_unit_test_setup(a_sleeper_is_woken_by_the_event, fresh),
		cmocka_unit_test_setup(a_dead_device_answers_each_request_once, fresh),
		cmocka_unit_test_setup(a_queue_that_was_refused_is_not_kept, fresh),
		cmocka_unit_test_setup(ranges_are_shared_and_taken_back, fresh),
		cmocka_unit_test_setup(the_descriptor_tells_when_to_look, fresh),
		cmocka_unit_test_setup(queues_with_a_wish_of_their_own_are_told_apart, fresh),
		cmocka_unit_test_setup(the_last_fini_gives_all_back, fresh),
		cmocka_unit_test_setup(a_child_connects_anew, fresh),
		cmocka_unit_test_setup(a_child_that_wants_nothing_gets_nothing, fresh),
		cmocka_unit_test_setup(threads_of_a_child_share_what_one_connects, fresh),
		cmocka_unit_test_setup(devices_are_listed, fresh),
		cmocka_unit_test_setup(the_log_tells_of_a_dead_device, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

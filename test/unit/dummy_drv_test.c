/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The dummy machine's driver against its model, through the few lines that a
 * backend is here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <zlib.h>

#include <wd/driver.h>
#include <wd/memop.h>

#include "base/barrier.h"
#include "chip/chip.h"
#include "hw/dummy_hw.h"
#include "uapi/wd_dummy.h"

#define QUEUES_MAX 2u
#define PAGE	   4096u
#define FAR_AWAY   0x4000000000000000ull /* where a device sees memory of its own */

extern const struct wd_driver wd_dummy_driver;

static const struct wd_driver *const drv = &wd_dummy_driver;

/* One queue of the driver on one of the model, or on a device that the test plays. */
struct rig_queue {
	struct wd_port port;
	struct chip_queue *chip_queue; /* NULL: no model */
	void *drv_queue;
	uint32_t depth;
	uint32_t nr_slots; /* as control says */
	int control_err;
	_Atomic unsigned int nr_events;
};

struct rig {
	struct chip *chip;
	struct rig_queue q[QUEUES_MAX];
};

static void *own_map(void *owner, uint64_t addr, size_t bytes, bool is_write)
{
	(void)owner;
	(void)bytes;
	(void)is_write;
	return (void *)(uintptr_t)addr;
}

static void rig_raise(void *owner, void *queue_owner)
{
	struct rig_queue *q = queue_owner;

	(void)owner;
	atomic_fetch_add(&q->nr_events, 1);
}

static void rig_ring(void *arg, uint32_t offset, uint64_t value)
{
	struct rig_queue *q = arg;

	q->chip_queue->chip->ops->queue_doorbell(q->chip_queue, offset, value);
}

static int rig_control(struct wd_port *port, unsigned long cmd, void *param)
{
	struct rig_queue *q = (struct rig_queue *)(void *)port; /* port is its first member */
	struct wd_dummy_info *info = param;

	if (q->chip_queue)
		return q->chip_queue->chip->ops->queue_control(q->chip_queue, cmd, param);
	assert_int_equal(cmd, WD_DUMMY_CMD_GET_INFO);
	info->nr_slots = q->nr_slots;
	return q->control_err;
}

static void *zeroed(size_t bytes)
{
	void *p = aligned_alloc(PAGE, (bytes + PAGE - 1) / PAGE * PAGE);

	assert_non_null(p);
	memset(p, 0, (bytes + PAGE - 1) / PAGE * PAGE);
	return p;
}

static void open_drv(struct rig_queue *q, uint32_t depth_wished)
{
	const struct wd_capa capa = { .alg = "memop" };

	q->drv_queue = zeroed(drv->queue_bytes);
	q->depth = depth_wished;
	assert_int_equal(drv->open(q->drv_queue, &q->port, &capa, &q->depth), 0);
}

static struct rig *rig_create_on(void *(*map)(void *, uint64_t, size_t, bool),
				 const struct wd_port_memory *lent, uint32_t nr_queues,
				 uint32_t nr_slots, uint32_t depth_wished)
{
	struct chip_config config = {
		.nr_queues = nr_queues,
		.depth = nr_slots,
		.dma = { .map = map },
		.raise = rig_raise,
	};
	struct rig *rig = calloc(1, sizeof(*rig));
	uint32_t i;

	assert_non_null(rig);
	assert_int_equal(chip_create(chip_find_model("dummy"), &config, &rig->chip), 0);
	for (i = 0; i < nr_queues; i++) {
		struct rig_queue *q = &rig->q[i];
		struct wd_region *dus = &q->port.region[WD_REGION_DUS];
		const struct chip_ops *ops = rig->chip->ops;
		struct chip_queue_layout layout;

		assert_int_equal(ops->queue_open(rig->chip, q, &q->chip_queue), 0);
		ops->queue_layout(q->chip_queue, &layout);
		dus->addr = zeroed(layout.dus_bytes);
		dus->bytes = layout.dus_bytes;
		q->port.api = "dummy_v3";
		q->port.flags = lent ? 0 : WD_CAPA_F_SVA;
		q->port.memory = lent;
		q->port.ring = rig_ring;
		q->port.ring_arg = q;
		q->port.control = rig_control;
		assert_int_equal(ops->queue_bind(q->chip_queue,
						 (uintptr_t)dus->addr + (lent ? FAR_AWAY : 0),
						 dus->bytes),
				 0);
		open_drv(q, depth_wished);
		assert_int_equal(ops->queue_start(q->chip_queue), 0);
	}
	return rig;
}

static struct rig *rig_create(uint32_t nr_queues, uint32_t nr_slots, uint32_t depth_wished)
{
	return rig_create_on(own_map, NULL, nr_queues, nr_slots, depth_wished);
}

static void rig_destroy(struct rig *rig)
{
	uint32_t i;

	for (i = 0; i < QUEUES_MAX; i++) {
		struct rig_queue *q = &rig->q[i];

		if (!q->drv_queue)
			continue;
		if (q->chip_queue)
			rig->chip->ops->queue_stop(q->chip_queue);
		drv->close(q->drv_queue);
		if (q->chip_queue)
			rig->chip->ops->queue_close(q->chip_queue);
		free(q->drv_queue);
		free(q->port.region[WD_REGION_DUS].addr);
		free(q->port.region[WD_REGION_MMIO].addr);
	}
	if (rig->chip)
		rig->chip->ops->destroy(rig->chip);
	free(rig);
}

static int run(struct rig_queue *q, unsigned int budget)
{
	return q->chip_queue->chip->ops->queue_run(q->chip_queue, budget, NULL);
}

static int send_one(struct rig_queue *q, struct wd_memop_req *req)
{
	struct wd_req *head = &req->head;

	return drv->send(q->drv_queue, &head, 1);
}

static struct wd_memop_req *recv_one(struct rig_queue *q)
{
	struct wd_req *head = NULL;
	int n = drv->recv(q->drv_queue, &head, 1);

	assert_true(n == 0 || n == 1);
	return n ? (struct wd_memop_req *)(void *)head : NULL;
}

static struct wd_memop_req memop(enum wd_op op, const void *src, void *dst, uint64_t len)
{
	return (struct wd_memop_req){
		.head = { .op = op,
			  .retries = 9,
			  .bounced_bytes = 9 }, /* as an earlier use left them */
		.src = src,
		.dst = dst,
		.len = len,
	};
}

static uint32_t round_trip(struct rig_queue *q, struct wd_memop_req *req)
{
	assert_int_equal(send_one(q, req), 1);
	assert_int_equal(req->head.status, WD_STATUS_PENDING);
	assert_null(recv_one(q));
	assert_int_equal(run(q, 1), 1);
	assert_ptr_equal(recv_one(q), req);
	assert_int_equal(req->head.retries, 0);
	assert_int_equal(req->head.bounced_bytes, 0);
	return req->head.status;
}

static void operations_do_what_they_say(void **state)
{
	static uint8_t src[100001], dst[100001];
	struct rig *rig = rig_create(1, 0, 0);
	struct rig_queue *q = &rig->q[0];
	struct wd_memop_req req;
	size_t i;

	(void)state;
	assert_int_equal(q->depth, 256);
	for (i = 0; i < sizeof(src); i++)
		src[i] = (uint8_t)(i * 31);
	req = memop(WD_OP_COPY, src, dst, sizeof(src));
	assert_int_equal(round_trip(q, &req), WD_STATUS_OK);
	assert_int_equal(req.done, sizeof(src));
	assert_memory_equal(src, dst, sizeof(src));
	req = memop(WD_OP_CRC32, src, NULL, sizeof(src));
	assert_int_equal(round_trip(q, &req), WD_STATUS_OK);
	assert_int_equal(req.crc, crc32(0, src, sizeof(src)));
	req = memop(WD_OP_FILL, NULL, dst, 21);
	memcpy(&req.pattern, "pattern!", 8);
	assert_int_equal(round_trip(q, &req), WD_STATUS_OK);
	assert_memory_equal(dst, "pattern!pattern!patte", 21);
	assert_int_equal(dst[21], src[21]);
	req = memop(WD_OP_COPY, src, dst, 0);
	assert_int_equal(round_trip(q, &req), WD_STATUS_OK);
	rig_destroy(rig);
}

/* A NOP may be no more than a head: nothing behind it is read or written. */
static void nop_is_no_more_than_its_head(void **state)
{
	struct rig *rig = rig_create(1, 8, 0);
	struct wd_req *head = calloc(1, sizeof(*head)), *back = NULL;
	unsigned int round;

	(void)state;
	assert_non_null(head);
	for (round = 0; round < 2; round++) {
		assert_int_equal(drv->send(rig->q[0].drv_queue, &head, 1), 1);
		assert_int_equal(run(&rig->q[0], 1), 1);
		assert_int_equal(drv->recv(rig->q[0].drv_queue, &back, 1), 1);
		assert_ptr_equal(back, head);
		assert_int_equal(head->status, WD_STATUS_OK);
	}
	free(head);
	rig_destroy(rig);
}

static void bad_requests_come_back_with_their_status(void **state)
{
	static uint8_t data[100];
	struct rig *rig = rig_create(1, 8, 0);
	struct rig_queue *q = &rig->q[0];
	struct wd_memop_req req;

	(void)state;
	req = memop(WD_OP_COPY, data, data + 10, 20);
	assert_int_equal(round_trip(q, &req), WD_STATUS_BAD_REQUEST);
	req = memop(WD_OP_CRC32, data, NULL, DUMMY_LEN_MAX + 1);
	assert_int_equal(round_trip(q, &req), WD_STATUS_BAD_REQUEST);
	req = memop(WD_OP_CRC32, (void *)UINTPTR_MAX, NULL, 100);
	assert_int_equal(round_trip(q, &req), WD_STATUS_BAD_ADDRESS);
	req = memop(WD_OP_COMPRESS, data, NULL, 1);
	assert_int_equal(send_one(q, &req), -EOPNOTSUPP);
	req = memop(WD_OP_NOP, NULL, NULL, 0);
	assert_int_equal(round_trip(q, &req), WD_STATUS_OK);
	rig_destroy(rig);
}

/* Any depth: full when it says so, and each request comes back once. */
static void every_depth_fills_and_empties(void **state)
{
	static const uint32_t depths[] = { 1, 2, 3, 63, 64, 65, 100, 1000, 1023, 1024 };
	static struct wd_memop_req reqs[DUMMY_SLOTS_MAX + 1];
	struct wd_memop_req *req;
	uint32_t i, d, n;

	(void)state;
	for (d = 0; d < sizeof(depths) / sizeof(depths[0]); d++) {
		struct rig *rig = rig_create(1, DUMMY_SLOTS_MAX, depths[d]);
		struct rig_queue *q = &rig->q[0];
		unsigned int round;

		assert_int_equal(q->depth, depths[d]);
		for (round = 0; round < 3; round++) {
			for (i = 0; i < depths[d]; i++) {
				reqs[i] = memop(WD_OP_NOP, NULL, NULL, 0);
				assert_int_equal(send_one(q, &reqs[i]), 1);
			}
			assert_int_equal(send_one(q, &reqs[i]), -EAGAIN);
			assert_int_equal(run(q, 2000), depths[d]);
			for (n = 0; (req = recv_one(q)) != NULL; n++) {
				assert_int_equal(req->head.status, WD_STATUS_OK);
				req->head.status = WD_STATUS_BAD_DATA; /* seen */
			}
			assert_int_equal(n, depths[d]);
		}
		rig_destroy(rig);
	}
}

static void burst_is_taken_as_far_as_there_is_room(void **state)
{
	struct wd_memop_req reqs[10];
	struct wd_req *heads[10];
	struct rig *rig = rig_create(1, 8, 0);
	struct rig_queue *q = &rig->q[0];
	struct chip_counters c;
	uint32_t i;

	(void)state;
	for (i = 0; i < 10; i++) {
		reqs[i] = memop(WD_OP_NOP, NULL, NULL, 0);
		heads[i] = &reqs[i].head;
	}
	reqs[5].head.op = 99;
	assert_int_equal(drv->send(q->drv_queue, heads, 10), 5);
	assert_int_equal(drv->send(q->drv_queue, heads + 5, 5), -EOPNOTSUPP);
	assert_int_equal(drv->send(q->drv_queue, heads + 6, 4), 3);
	rig->chip->ops->counters(rig->chip, &c);
	assert_int_equal(c.doorbells, 2); /* one for each burst */
	assert_int_equal(run(q, 100), 8);
	assert_int_equal(drv->recv(q->drv_queue, heads, 3), 3);
	assert_int_equal(drv->recv(q->drv_queue, heads, 10), 5);
	assert_int_equal(drv->recv(q->drv_queue, heads, 10), 0);
	rig_destroy(rig);
}

static void more_to_come_waits_for_flush(void **state)
{
	struct rig *rig = rig_create(1, 4, 0);
	struct rig_queue *q = &rig->q[0];
	struct wd_memop_req reqs[5];
	uint32_t i;

	(void)state;
	for (i = 0; i < 5; i++) {
		reqs[i] = memop(WD_OP_NOP, NULL, NULL, 0);
		reqs[i].head.flags = WD_REQ_F_MORE;
	}
	assert_int_equal(send_one(q, &reqs[0]), 1);
	assert_int_equal(run(q, 8), 0);
	assert_int_equal(drv->flush(q->drv_queue), 0);
	assert_int_equal(run(q, 8), 1);
	assert_ptr_equal(recv_one(q), &reqs[0]);

	assert_int_equal(send_one(q, &reqs[0]), 1);
	reqs[1].head.flags = 0; /* the next without it publishes both */
	assert_int_equal(send_one(q, &reqs[1]), 1);
	assert_int_equal(run(q, 8), 2);
	assert_non_null(recv_one(q));
	assert_non_null(recv_one(q));

	/* A full queue is published: else recv would wait for ever. */
	reqs[1].head.flags = WD_REQ_F_MORE;
	for (i = 0; i < 4; i++)
		assert_int_equal(send_one(q, &reqs[i]), 1);
	assert_int_equal(run(q, 8), 0);
	assert_int_equal(send_one(q, &reqs[4]), -EAGAIN);
	assert_int_equal(run(q, 8), 4);
	rig_destroy(rig);
}

static void answers_come_out_of_order(void **state)
{
	static uint8_t data[0x40000];
	struct rig *rig = rig_create(1, 8, 0);
	struct rig_queue *q = &rig->q[0];
	struct wd_memop_req large = memop(WD_OP_COPY, data, data + 0x20000, 0x20000);
	struct wd_memop_req small = memop(WD_OP_COPY, data, data + 0x20000, 16);

	(void)state;
	assert_int_equal(send_one(q, &large), 1);
	assert_int_equal(send_one(q, &small), 1);
	assert_int_equal(run(q, 1), 1);
	assert_ptr_equal(recv_one(q), &small);
	assert_null(recv_one(q));
	assert_int_equal(run(q, 1), 1);
	assert_ptr_equal(recv_one(q), &large);
	rig_destroy(rig);
}

#define REFUSAL_REQUESTS 100000u

/* One of two users that want more than the device holds. */
struct refused_user {
	struct wd_memop_req reqs[16];
	bool is_sent[16];
	unsigned int nr_sent, nr_received, nr_retries, nr_max_retries;
};

static void send_all_free(struct rig_queue *q, struct refused_user *u)
{
	unsigned int i;

	for (i = 0; i < 16 && u->nr_sent < REFUSAL_REQUESTS / 2; i++) {
		if (u->is_sent[i])
			continue;
		u->reqs[i] = memop(WD_OP_NOP, NULL, NULL, 0);
		assert_int_equal(send_one(q, &u->reqs[i]), 1); /* depth is kept, refused or not */
		u->is_sent[i] = true;
		u->nr_sent++;
	}
}

static void recv_all(struct rig_queue *q, struct refused_user *u)
{
	struct wd_req *heads[16];
	int i, n = drv->recv(q->drv_queue, heads, 16);

	for (i = 0; i < n; i++) {
		size_t k = (size_t)((struct wd_memop_req *)(void *)heads[i] - u->reqs);

		assert_true(k < 16 && u->is_sent[k]); /* in flight, and not answered before */
		assert_int_equal(heads[i]->status, WD_STATUS_OK);
		u->is_sent[k] = false;
		u->nr_received++;
		u->nr_retries += heads[i]->retries;
		if (heads[i]->retries > u->nr_max_retries)
			u->nr_max_retries = heads[i]->retries;
	}
}

/*
 * Two queues of 16 on a device that has 16 entries and one for each queue: many
 * submissions are refused, each request is answered once, and all are.
 */
static void refused_requests_are_neither_lost_nor_doubled(void **state)
{
	static struct refused_user u[2];
	struct rig *rig = rig_create(2, 16, 0);
	unsigned int rounds = 0, nr_before;
	struct chip_counters c;
	uint32_t i;

	(void)state;
	memset(u, 0, sizeof(u));
	do {
		nr_before = u[0].nr_received + u[1].nr_received;
		for (i = 0; i < 2; i++) {
			send_all_free(&rig->q[i], &u[i]);
			run(&rig->q[i], 1 + rounds * 7 % 5); /* leaves entries taken */
		}
		for (i = 0; i < 2; i++)
			recv_all(&rig->q[i], &u[i]);
		rounds++;
		assert_true(u[0].nr_received + u[1].nr_received > nr_before);
	} while (u[0].nr_received + u[1].nr_received < REFUSAL_REQUESTS);
	rig->chip->ops->counters(rig->chip, &c);
	assert_int_equal(c.requests, REFUSAL_REQUESTS);
	assert_int_equal(c.completions, REFUSAL_REQUESTS);
	assert_int_equal(c.errors, 0);
	assert_true(c.refused > REFUSAL_REQUESTS / 100);
	assert_int_equal(c.refused, u[0].nr_retries + u[1].nr_retries);
	assert_true(u[0].nr_max_retries < 20 && u[1].nr_max_retries < 20);
	for (i = 0; i < 2; i++)
		assert_int_equal(drv->recv(rig->q[i].drv_queue, (struct wd_req *[1]){ NULL }, 1),
				 0);
	rig_destroy(rig);
}

/* Where one user holds all entries and nobody runs its queue, the other still gets on. */
static void hog_does_not_stop_others(void **state)
{
	struct rig *rig = rig_create(2, 8, 0);
	struct wd_memop_req hog[8], reqs[8];
	unsigned int n = 0, rounds = 0;
	uint32_t i;

	(void)state;
	for (i = 0; i < 8; i++) {
		hog[i] = reqs[i] = memop(WD_OP_NOP, NULL, NULL, 0);
		assert_int_equal(send_one(&rig->q[0], &hog[i]), 1);
	}
	assert_int_equal(run(&rig->q[0], 0), 0); /* fetched, none served */
	for (i = 0; i < 8; i++)
		assert_int_equal(send_one(&rig->q[1], &reqs[i]), 1);
	while (n < 8) {
		run(&rig->q[1], 1);
		n += recv_one(&rig->q[1]) != NULL;
		assert_true(++rounds < 100);
	}
	assert_int_equal(run(&rig->q[0], 8), 8);
	rig_destroy(rig);
}

static void gone_device_hands_out_each_request_once(void **state)
{
	struct rig *rig = rig_create(1, 8, 0);
	struct rig_queue *q = &rig->q[0];
	struct wd_memop_req reqs[8];
	struct wd_req *heads[8];
	uint32_t i;

	(void)state;
	for (i = 0; i < 7; i++) {
		reqs[i] = memop(WD_OP_NOP, NULL, NULL, 0);
		assert_int_equal(send_one(q, &reqs[i]), 1);
	}
	reqs[7] = reqs[0];
	assert_int_equal(run(q, 2), 2);
	rig->chip->ops->reset(rig->chip);
	assert_int_equal(send_one(q, &reqs[7]), -ENODEV);
	assert_int_equal(drv->flush(q->drv_queue), -ENODEV);
	/* What was done is done. */
	assert_int_equal(recv_one(q)->head.status, WD_STATUS_OK);
	assert_int_equal(recv_one(q)->head.status, WD_STATUS_OK);
	assert_int_equal(drv->recv(q->drv_queue, heads, 8), -ENODEV);
	rig->chip->ops->queue_stop(q->chip_queue);
	assert_int_equal(drv->abandon(q->drv_queue, heads, 2), 2);
	assert_int_equal(drv->abandon(q->drv_queue, heads + 2, 6), 3);
	assert_int_equal(drv->abandon(q->drv_queue, heads, 8), 0);
	for (i = 0; i < 5; i++) {
		assert_int_equal(heads[i]->status, WD_STATUS_DEVICE_GONE);
		heads[i]->status = WD_STATUS_OK; /* seen */
	}
	assert_int_equal(drv->recv(q->drv_queue, heads, 8), -ENODEV);
	rig_destroy(rig);
}

static void armed_completion_is_an_event(void **state)
{
	struct rig *rig = rig_create(1, 8, 0);
	struct rig_queue *q = &rig->q[0];
	struct wd_memop_req a = memop(WD_OP_NOP, NULL, NULL, 0), b = a;

	(void)state;
	drv->arm(q->drv_queue);
	assert_int_equal(q->nr_events, 0);
	send_one(q, &a);
	run(q, 1);
	assert_int_equal(q->nr_events, 1);

	/* There already when armed: an event at once. */
	drv->arm(q->drv_queue);
	assert_int_equal(q->nr_events, 2);
	assert_ptr_equal(recv_one(q), &a);
	drv->arm(q->drv_queue);
	assert_int_equal(q->nr_events, 2);
	send_one(q, &a);
	send_one(q, &b);
	run(q, 2);
	assert_int_equal(q->nr_events, 3);
	rig_destroy(rig);
}

/* ---- a device with memory of its own */

/* The port's memory: every mapping is a copy. */
static struct {
	unsigned int nr_mapped;
	unsigned int nr_lent;
	unsigned int room; /* mappings that can be made */
} memory;

/* No pointer is one of its addresses. */
static void *far_map(void *owner, uint64_t addr, size_t bytes, bool is_write)
{
	(void)owner;
	(void)bytes;
	(void)is_write;
	return addr >= FAR_AWAY ? (void *)(uintptr_t)(addr - FAR_AWAY) : NULL;
}

static void *memory_alloc(struct wd_port *port, size_t bytes, uint64_t *ret_addr)
{
	void *p = zeroed(bytes);

	(void)port;
	memory.nr_lent++;
	*ret_addr = (uintptr_t)p + FAR_AWAY;
	return p;
}

static void memory_free(struct wd_port *port, void *ptr, size_t bytes)
{
	(void)port;
	(void)bytes;
	memory.nr_lent--;
	free(ptr);
}

static int memory_map(struct wd_port *port, void *ptr, size_t bytes, uint32_t direction,
		      struct wd_mapping *m)
{
	(void)port;
	assert_true(bytes && direction);
	if (memory.nr_mapped == memory.room)
		return -EAGAIN;
	memory.nr_mapped++;
	*m = (struct wd_mapping){ .ptr = ptr, .bytes = bytes, .direction = direction };
	m->bounce = malloc(bytes);
	assert_non_null(m->bounce);
	if (direction & WD_MAP_READ)
		memcpy(m->bounce, ptr, bytes);
	m->addr = (uintptr_t)m->bounce + FAR_AWAY;
	return 0;
}

static void memory_unmap(struct wd_port *port, struct wd_mapping *m, size_t written)
{
	(void)port;
	assert_true(memory.nr_mapped && m->bounce && written <= m->bytes);
	memory.nr_mapped--;
	memcpy(m->ptr, m->bounce, written);
	free(m->bounce);
	m->bounce = NULL;
}

static const struct wd_port_memory port_memory = {
	.alloc = memory_alloc,
	.free = memory_free,
	.map = memory_map,
	.unmap = memory_unmap,
};

static void memory_of_its_own_is_used_for_all(void **state)
{
	static uint8_t src[5000], dst[5000];
	struct rig *rig = rig_create_on(far_map, &port_memory, 2, 8, 0);
	struct rig_queue *q = &rig->q[0];
	struct wd_memop_req req[8];
	struct wd_req *heads[8];
	unsigned int i;

	(void)state;
	memory.room = 100;
	for (i = 0; i < sizeof(src); i++)
		src[i] = (uint8_t)(i * 7);
	req[0] = memop(WD_OP_COPY, src, dst, sizeof(src));
	assert_int_equal(send_one(q, &req[0]), 1);
	assert_int_equal(memory.nr_mapped, 2);
	assert_int_equal(run(q, 1), 1);
	assert_ptr_equal(recv_one(q), &req[0]);
	assert_int_equal(req[0].head.status, WD_STATUS_OK);
	assert_memory_equal(src, dst, sizeof(src));
	assert_int_equal(req[0].head.bounced_bytes, 10000);
	/* What makes no sense is refused by the device as ever, and costs no copy. */
	req[0] = memop(WD_OP_COPY, src, src + 10, 20);
	assert_int_equal(round_trip(q, &req[0]), WD_STATUS_BAD_REQUEST);
	req[0] = memop(WD_OP_FILL, NULL, dst, DUMMY_LEN_MAX + 1);
	assert_int_equal(round_trip(q, &req[0]), WD_STATUS_BAD_REQUEST);
	req[0] = memop(WD_OP_CRC32, (void *)UINTPTR_MAX, NULL, 100);
	assert_int_equal(round_trip(q, &req[0]), WD_STATUS_BAD_ADDRESS);
	req[0] = memop(WD_OP_NOP, NULL, NULL, 50);
	assert_int_equal(round_trip(q, &req[0]), WD_STATUS_OK);

	/* No room for copies is as a full queue, unless nothing is in flight. */
	for (i = 0; i < 8; i++) {
		req[i] = memop(WD_OP_COPY, src + i, dst + 10 * i, 10);
		req[i].head.flags = WD_REQ_F_MORE;
		heads[i] = &req[i].head;
	}
	memory.room = 1;
	assert_int_equal(drv->send(q->drv_queue, heads, 8), -ENOMEM);
	assert_int_equal(memory.nr_mapped, 0);
	memory.room = 5;
	assert_int_equal(drv->send(q->drv_queue, heads, 8), 2);
	assert_int_equal(memory.nr_mapped, 4);
	assert_int_equal(drv->send(q->drv_queue, heads + 2, 6), -EAGAIN);
	assert_int_equal(run(q, 8), 2); /* was published */
	assert_non_null(recv_one(q));
	assert_int_equal(drv->send(q->drv_queue, heads + 2, 6), 1);
	/* What never comes back is not copied back. */
	memset(dst, 0x33, sizeof(dst));
	rig->chip->ops->queue_stop(q->chip_queue);
	assert_int_equal(drv->abandon(q->drv_queue, heads, 8), 2);
	assert_int_equal(heads[0]->bounced_bytes, 10);
	assert_int_equal(dst[10] & dst[20], 0x33);
	assert_int_equal(memory.nr_mapped, 0);
	rig_destroy(rig);
	assert_int_equal(memory.nr_lent, 0);
}

/* Refused and handed over again, a request keeps what it has mapped. */
static void refused_requests_stay_mapped(void **state)
{
	static uint8_t src[16][64], dst[16][64];
	struct rig *rig = rig_create_on(far_map, &port_memory, 2, 16, 0);
	struct wd_memop_req hog[16], req[16], *back;
	unsigned int i, n = 0, rounds = 0, nr_retries = 0;

	(void)state;
	memory.room = 1000;
	for (i = 0; i < 16; i++) {
		hog[i] = memop(WD_OP_NOP, NULL, NULL, 0);
		assert_int_equal(send_one(&rig->q[0], &hog[i]), 1);
	}
	assert_int_equal(run(&rig->q[0], 0), 0); /* fetched, none served */
	for (i = 0; i < 16; i++) {
		memset(src[i], (int)i + 1, sizeof(src[i]));
		req[i] = memop(WD_OP_COPY, src[i], dst[i], sizeof(src[i]));
		assert_int_equal(send_one(&rig->q[1], &req[i]), 1);
	}
	while (n < 16) {
		run(&rig->q[1], 1);
		back = recv_one(&rig->q[1]);
		if (back) {
			assert_int_equal(back->head.status, WD_STATUS_OK);
			assert_int_equal(back->head.bounced_bytes, 128);
			nr_retries += back->head.retries;
			n++;
		}
		assert_int_equal(memory.nr_mapped, 2 * (16 - n));
		assert_true(++rounds < 1000);
	}
	assert_true(nr_retries);
	assert_memory_equal(src, dst, sizeof(src));
	rig_destroy(rig);
	assert_int_equal(memory.nr_lent, 0);
}

/* ---- two threads */

struct runner {
	struct rig_queue *q;
	_Atomic bool is_done;
};

static void *run_until_done(void *arg)
{
	struct runner *runner = arg;

	while (!atomic_load(&runner->is_done))
		if (run(runner->q, 5) <= 0)
			sched_yield();
	return NULL;
}

#define THREAD_REQUESTS 20000u

static void threads_share_a_queue(void **state)
{
	static uint8_t src[64][256], dst[64][256];
	static struct wd_memop_req reqs[64];
	struct rig *rig = rig_create(1, 64, 0);
	struct runner runner = { .q = &rig->q[0] };
	unsigned int nr_sent = 0, nr_received = 0;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, run_until_done, &runner), 0);
	while (nr_received < THREAD_REQUESTS) {
		struct wd_memop_req *req;

		while (nr_sent < THREAD_REQUESTS && nr_sent - nr_received < 64) {
			size_t i = 0;

			while (reqs[i].head.user) /* in flight */
				i++;
			memset(src[i], (int)(nr_sent + 1), sizeof(src[i]));
			reqs[i] = memop(WD_OP_COPY, src[i], dst[i], sizeof(src[i]));
			reqs[i].head.user = &reqs[i];
			reqs[i].head.flags = nr_sent % 3 ? WD_REQ_F_MORE : 0;
			assert_int_equal(send_one(runner.q, &reqs[i]), 1);
			nr_sent++;
		}
		assert_int_equal(drv->flush(runner.q->drv_queue), 0);
		req = recv_one(runner.q);
		if (!req) {
			sched_yield();
			continue;
		}
		assert_int_equal(req->head.status, WD_STATUS_OK);
		assert_memory_equal(req->src, req->dst, req->len);
		req->head.user = NULL;
		nr_received++;
	}
	atomic_store(&runner.is_done, true);
	pthread_join(thread, NULL);
	rig_destroy(rig);
}

/* Sleeps on events alone: were one missed, this would not end. */
static void sleeper_misses_no_answer(void **state)
{
	struct rig *rig = rig_create(1, 4, 0);
	struct runner runner = { .q = &rig->q[0] };
	struct wd_memop_req req = memop(WD_OP_NOP, NULL, NULL, 0);
	unsigned int i, seen;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, run_until_done, &runner), 0);
	for (i = 0; i < 5000; i++) {
		assert_int_equal(send_one(runner.q, &req), 1);
		do {
			seen = atomic_load(&runner.q->nr_events);
			drv->arm(runner.q->drv_queue);
			if (recv_one(runner.q))
				break;
			while (atomic_load(&runner.q->nr_events) == seen)
				sched_yield();
		} while (!recv_one(runner.q));
	}
	atomic_store(&runner.is_done, true);
	pthread_join(thread, NULL);
	rig_destroy(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(operations_do_what_they_say),
		cmocka_unit_test(nop_is_no_more_than_its_head),
		cmocka_unit_test(bad_requests_come_back_with_their_status),
		cmocka_unit_test(every_depth_fills_and_empties),
		cmocka_unit_test(burst_is_taken_as_far_as_there_is_room),
		cmocka_unit_test(more_to_come_waits_for_flush),
		cmocka_unit_test(answers_come_out_of_order),
		cmocka_unit_test(refused_requests_are_neither_lost_nor_doubled),
		cmocka_unit_test(hog_does_not_stop_others),
		cmocka_unit_test(gone_device_hands_out_each_request_once),
		cmocka_unit_test(armed_completion_is_an_event),
		cmocka_unit_test(memory_of_its_own_is_used_for_all),
		cmocka_unit_test(refused_requests_stay_mapped),
		cmocka_unit_test(threads_share_a_queue),
		cmocka_unit_test(sleeper_misses_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

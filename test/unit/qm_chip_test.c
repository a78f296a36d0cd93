/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The queue manager model by its doorbells and memory alone: SQEs are written
 * and CQEs are read as bytes of the hardware's description.  The requests ask
 * for nothing (no input, room 16), so that only the queue manager is at work.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/barrier.h"
#include "base/bytes.h"
#include "base/wait.h"
#include "chip/chip.h"
#include "lib/t_assert.h"
#include "uapi/hisi_qm.h"

#define PAGE 4096u

struct rig {
	struct chip *chip;
	_Atomic unsigned int nr_raised;
	unsigned int depth;
	uint64_t lost_from, lost_to; /* memory that the chip cannot reach any more */
};

struct pair {
	struct rig *rig;
	struct chip_queue *q;
	uint8_t *dus;
	size_t dus_bytes;
	uint16_t number;
	uint32_t tail; /* slots filled */
};

static void raised(void *owner, void *queue_owner)
{
	struct rig *rig = owner;

	(void)queue_owner;
	atomic_fetch_add(&rig->nr_raised, 1);
}

static void *map(void *owner, uint64_t addr, size_t bytes, bool is_write)
{
	struct rig *rig = owner;

	(void)is_write;
	if (addr < rig->lost_to && addr + bytes > rig->lost_from)
		return NULL;
	return (void *)(uintptr_t)addr;
}

static void rig_open(struct rig *rig, unsigned int depth, unsigned int nr_queues)
{
	struct chip_config config = { .flags = CHIP_F_TRACE,
				      .nr_queues = nr_queues,
				      .depth = depth,
				      .raise = raised,
				      .owner = rig };

	memset(rig, 0, sizeof(*rig));
	rig->depth = depth;
	config.dma.map = map;
	assert_ok(chip_create(chip_find_model("hisi_zip"), &config, &rig->chip));
}

static void rig_close(struct rig *rig)
{
	rig->chip->ops->destroy(rig->chip);
}

static void pair_open(struct rig *rig, struct pair *p)
{
	struct chip_queue_layout layout;
	struct hisi_qp_info info;
	struct hisi_qp_ctx ctx = { .qc_type = 0 };
	const struct chip_ops *ops = rig->chip->ops;

	memset(p, 0, sizeof(*p));
	p->rig = rig;
	assert_ok(ops->queue_open(rig->chip, p, &p->q));
	ops->queue_layout(p->q, &layout);
	/* Facts 2.4: rings up to a page's end, and one page more. */
	p->dus_bytes = layout.dus_bytes;
	assert_int_equal(p->dus_bytes, (144u * rig->depth + PAGE - 1) / PAGE * PAGE + PAGE);
	p->dus = aligned_alloc(PAGE, p->dus_bytes);
	assert_non_null(p->dus);
	memset(p->dus, 0, p->dus_bytes);
	assert_ok(ops->queue_bind(p->q, (uintptr_t)p->dus, p->dus_bytes));
	assert_ok(ops->queue_control(p->q, UACCE_CMD_QM_SET_QP_CTX, &ctx));
	p->number = ctx.id;
	assert_ok(ops->queue_control(p->q, UACCE_CMD_QM_SET_QP_INFO, &info));
	assert_int_equal(info.sqe_size, 128);
	assert_int_equal(info.sq_depth, rig->depth);
	assert_int_equal(info.cq_depth, rig->depth);
	assert_ok(ops->queue_start(p->q));
}

static void pair_close(struct pair *p)
{
	p->q->chip->ops->queue_stop(p->q);
	p->q->chip->ops->queue_close(p->q);
	free(p->dus);
}

static void doorbell(struct pair *p, unsigned int cmd, unsigned int idx, unsigned int prio)
{
	uint64_t value = p->number | (uint64_t)cmd << 12 | (uint64_t)idx << 32 |
			 (uint64_t)prio << 48;

	p->q->chip->ops->queue_doorbell(p->q, 0x1000, value);
}

/* An SQE that asks for nothing, every byte that is not a result filled with a pattern. */
static void fill_sqe(struct pair *p, unsigned int slot)
{
	uint8_t *sqe = p->dus + 128u * slot;
	unsigned int i;

	for (i = 0; i < 128; i++)
		sqe[i] = (uint8_t)(0x40 + slot + i);
	bytes_put_le32(sqe + 16, 0);	      /* no input */
	bytes_put_le32(sqe + 28, 0x30000000); /* type 3, stateless */
	bytes_put_le32(sqe + 36, 0x03);	      /* gzip */
	bytes_put_le32(sqe + 56, 0x10);	      /* room 16 */
}

static void push(struct pair *p, unsigned int nr)
{
	while (nr--) {
		fill_sqe(p, p->tail);
		p->tail = (p->tail + 1) % p->rig->depth;
	}
	doorbell(p, 0, p->tail, 0);
}

static const uint8_t *cqe_at(const struct pair *p, unsigned int idx)
{
	return p->dus + 128u * p->rig->depth + 16u * idx;
}

static int run(struct pair *p, unsigned int budget)
{
	return p->q->chip->ops->queue_run(p->q, budget, NULL);
}

static void finished_sqes_come_back_whole(void **state)
{
	struct rig rig;
	struct pair p, other;
	uint8_t want[128];
	unsigned int i;

	(void)state;
	rig_open(&rig, 6, 4);
	pair_open(&rig, &other);
	pair_open(&rig, &p);
	assert_int_equal(p.number, 1);
	push(&p, 2);
	assert_int_equal(run(&p, 8), 2);
	for (i = 0; i < 2; i++) {
		const uint8_t *sqe = p.dus + 128u * i;
		const uint8_t *cqe = cqe_at(&p, i);
		uint8_t keep[128];

		memcpy(keep, sqe, 128);
		fill_sqe(&p, i);
		memcpy(want, sqe, 128);
		/* Results: consumed, produced, level word, status. */
		memset(want, 0, 16);
		memset(keep + 8, 0, 4);
		assert_memory_equal(keep, want, 60);
		/* From head address to tag: as they were. */
		assert_memory_equal(keep + 64, want + 64, 48);
		/* Slot, queue number 1, phase 1. */
		assert_int_equal(cqe[8], i);
		assert_int_equal(cqe[9], 0);
		assert_int_equal(cqe[10], 1);
		assert_int_equal(cqe[11], 0);
		assert_int_equal(cqe[14], 1);
		assert_int_equal(cqe[15], 0);
	}
	assert_int_equal(cqe_at(&p, 2)[14], 0);
	pair_close(&p);
	pair_close(&other);
	rig_close(&rig);
}

/* Odd and even depths, many laps, every fill: slots in order, phase per lap. */
static void any_depth_goes_round(void **state)
{
	static const unsigned int depth[] = { 2, 3, 5, 7, 64, 100, 1023, 1024, 4096 };
	unsigned int d;

	(void)state;
	for (d = 0; d < sizeof(depth) / sizeof(depth[0]); d++) {
		unsigned int done = 0, round;
		struct rig rig;
		struct pair p;

		rig_open(&rig, depth[d], 1);
		pair_open(&rig, &p);
		for (round = 0; done < 3 * depth[d] + 1; round++) {
			unsigned int nr = 1 + round % (depth[d] - 1), i;

			push(&p, nr);
			assert_int_equal(run(&p, nr), nr);
			for (i = 0; i < nr; i++, done++) {
				const uint8_t *cqe = cqe_at(&p, done % depth[d]);

				assert_int_equal(bytes_get_le16(cqe + 8), done % depth[d]);
				assert_int_equal(cqe[14], 1 ^ (done / depth[d] & 1));
			}
			doorbell(&p, 1, done % depth[d], 0);
		}
		pair_close(&p);
		rig_close(&rig);
	}
}

static void completions_wait_for_room(void **state)
{
	struct rig rig;
	struct pair p;

	(void)state;
	rig_open(&rig, 4, 1);
	pair_open(&rig, &p);
	push(&p, 3);
	assert_int_equal(run(&p, 8), 3);
	/* None was acknowledged: the CQ has no room, so this one has to wait. */
	push(&p, 1);
	assert_int_equal(run(&p, 8), 0);
	assert_false(p.q->chip->ops->queue_has_work(p.q));
	doorbell(&p, 1, 1, 0);
	assert_true(p.q->chip->ops->queue_has_work(p.q));
	assert_int_equal(run(&p, 8), 1);
	pair_close(&p);
	rig_close(&rig);
}

static void events_follow_the_arm_flag(void **state)
{
	struct rig rig;
	struct pair p;

	(void)state;
	rig_open(&rig, 16, 1);
	pair_open(&rig, &p);
	assert_int_equal(rig.nr_raised, 0);
	/* The first completion after start, with no doorbell. */
	push(&p, 1);
	run(&p, 8);
	assert_int_equal(rig.nr_raised, 1);
	/* Not armed: silence. */
	push(&p, 2);
	run(&p, 8);
	assert_int_equal(rig.nr_raised, 1);
	/* Armed with CQEs behind the index unseen: at once. */
	doorbell(&p, 1, 1, 1);
	assert_int_equal(rig.nr_raised, 2);
	/* Armed with nothing new: at the next completion, once. */
	doorbell(&p, 1, 3, 1);
	assert_int_equal(rig.nr_raised, 2);
	push(&p, 3);
	run(&p, 8);
	assert_int_equal(rig.nr_raised, 3);
	pair_close(&p);
	rig_close(&rig);
}

static void wrong_doorbells_do_nothing(void **state)
{
	struct chip_counters counters;
	struct rig rig;
	struct pair p;
	const struct chip_ops *ops;

	(void)state;
	rig_open(&rig, 8, 2);
	pair_open(&rig, &p);
	ops = rig.chip->ops;
	fill_sqe(&p, 0);
	ops->queue_doorbell(p.q, 0x1000, 1ull << 32 | 1); /* another queue's number */
	ops->queue_doorbell(p.q, 0x340, 1ull << 32);	  /* another place */
	ops->queue_doorbell(p.q, 0x1000, 8ull << 32);	  /* index beyond the ring */
	ops->queue_doorbell(p.q, 0x1000, 0xffffull << 32);
	ops->queue_doorbell(p.q, 0x1000, 1ull << 32 | 2ull << 12); /* kernel's commands */
	ops->queue_doorbell(p.q, 0x1000, 1ull << 32 | 3ull << 12);
	ops->queue_doorbell(p.q, 0x1000, 1ull << 32 | 15ull << 12);
	ops->queue_doorbell(p.q, 0x1000, 8ull << 32 | 1ull << 12); /* CQ index */
	assert_int_equal(run(&p, 8), 0);
	ops->counters(rig.chip, &counters);
	assert_int_equal(counters.bad_doorbells, 8);
	assert_int_equal(counters.doorbells, 0);
	/* The same index twice is no work the second time. */
	doorbell(&p, 0, 1, 0);
	assert_int_equal(run(&p, 8), 1);
	doorbell(&p, 0, 1, 0);
	assert_int_equal(run(&p, 8), 0);
	ops->counters(rig.chip, &counters);
	assert_int_equal(counters.requests, 1);
	assert_int_equal(counters.completions, 1);
	assert_int_equal(counters.errors, 0);
	pair_close(&p);
	/* Totals outlive the queue. */
	ops->counters(rig.chip, &counters);
	assert_int_equal(counters.requests, 1);
	rig_close(&rig);
}

static void states_are_kept(void **state)
{
	struct chip_queue *q, *third;
	const struct chip_ops *ops;
	struct hisi_qp_ctx ctx = { .qc_type = 2 };
	struct pair p;
	struct rig rig;
	void *memory;

	(void)state;
	rig_open(&rig, 8, 2);
	ops = rig.chip->ops;
	assert_int_equal(ops->free_queues(rig.chip), 2);
	pair_open(&rig, &p);
	assert_ok(ops->queue_open(rig.chip, NULL, &q));
	assert_int_equal(ops->free_queues(rig.chip), 0);
	assert_int_equal(ops->queue_open(rig.chip, NULL, &third), -EBUSY);

	assert_int_equal(ops->queue_start(q), -EINVAL); /* no memory yet */
	memory = aligned_alloc(PAGE, 2 * PAGE);
	assert_non_null(memory);
	assert_int_equal(ops->queue_bind(q, (uintptr_t)memory + 1, 2 * PAGE), -EINVAL);
	assert_int_equal(ops->queue_bind(q, (uintptr_t)memory, PAGE), -EINVAL);
	assert_int_equal(ops->queue_bind(q, UINT64_MAX - PAGE + 1, 2 * PAGE), -EINVAL);
	assert_int_equal(ops->queue_control(q, UACCE_CMD_QM_SET_QP_CTX, &ctx), -EINVAL);
	assert_int_equal(ops->queue_control(q, 0x5700, &ctx), -EINVAL);
	/* A doorbell before the start is nobody's. */
	ops->queue_doorbell(q, 0x1000, 1ull << 32 | 1);
	assert_int_equal(ops->queue_run(q, 1, NULL), 0);
	ops->queue_close(q);
	free(memory);

	assert_int_equal(ops->queue_start(p.q), -EINVAL); /* twice */
	ctx.qc_type = 1;
	assert_int_equal(ops->queue_control(p.q, UACCE_CMD_QM_SET_QP_CTX, &ctx), -EINVAL);
	ops->queue_stop(p.q);
	push(&p, 1);
	assert_int_equal(run(&p, 1), 0);
	assert_int_equal(ops->queue_start(p.q), -EINVAL);
	pair_close(&p);
	assert_int_equal(ops->free_queues(rig.chip), 2);
	rig_close(&rig);
}

static void reset_sets_the_status_words_and_stops(void **state)
{
	struct rig rig;
	struct pair p;
	unsigned int raised_before;

	(void)state;
	rig_open(&rig, 8, 1);
	pair_open(&rig, &p);
	push(&p, 2);
	assert_int_equal(run(&p, 1), 1);
	raised_before = rig.nr_raised;
	rig.chip->ops->reset(rig.chip);
	assert_int_equal(bytes_get_le32(p.dus + p.dus_bytes - 4), 1);
	assert_int_equal(bytes_get_le32(p.dus + p.dus_bytes - 8), 1);
	assert_int_equal(run(&p, 1), 0);
	/* Sleepers are told. */
	assert_int_equal(rig.nr_raised, raised_before + 1);
	pair_close(&p);
	rig_close(&rig);
}

static void a_lost_ring_fails_its_queue_alone(void **state)
{
	struct chip_counters counters;
	struct pair p, other;
	struct rig rig;

	(void)state;
	rig_open(&rig, 8, 2);
	pair_open(&rig, &p);
	pair_open(&rig, &other);
	rig.lost_from = (uintptr_t)p.dus;
	rig.lost_to = rig.lost_from + 128;
	push(&p, 1);
	assert_int_equal(run(&p, 8), 0);
	assert_int_equal(bytes_get_le32(p.dus + p.dus_bytes - 4), 1);
	assert_int_equal(bytes_get_le32(p.dus + p.dus_bytes - 8), 1);
	assert_int_equal(cqe_at(&p, 0)[14], 0);
	assert_int_equal(rig.nr_raised, 1);
	push(&other, 1);
	assert_int_equal(run(&other, 8), 1);
	assert_int_equal(bytes_get_le32(other.dus + other.dus_bytes - 4), 0);
	rig.chip->ops->counters(rig.chip, &counters);
	assert_int_equal(counters.errors, 1);
	assert_int_equal(counters.completions, 1);
	pair_close(&p);
	pair_close(&other);
	rig_close(&rig);
}

static void the_record_tells_the_order(void **state)
{
	static const uint32_t want[] = { CHIP_EVENT_START,    CHIP_EVENT_DOORBELL, CHIP_EVENT_FETCH,
					 CHIP_EVENT_COMPLETE, CHIP_EVENT_RAISE,	   CHIP_EVENT_FETCH,
					 CHIP_EVENT_COMPLETE, CHIP_EVENT_STOP };
	struct chip_trace_entry entry[16];
	struct rig rig;
	struct pair p;
	unsigned int i;

	(void)state;
	rig_open(&rig, 8, 1);
	pair_open(&rig, &p);
	push(&p, 2);
	run(&p, 2);
	pair_close(&p);
	assert_int_equal(chip_trace_read(rig.chip, 0, entry, 16), 8);
	for (i = 0; i < 8; i++) {
		assert_int_equal(entry[i].event, want[i]);
		assert_int_equal(entry[i].seq, i + 1);
	}
	assert_int_equal(entry[5].a, 1); /* slot */
	assert_int_equal(chip_trace_read(rig.chip, 7, entry, 16), 2);
	rig_close(&rig);
}

/*
 * Workers serve several queues; the sender does not run anything itself.  A
 * queue kept full does not keep the others from being served.
 */
static void workers_serve_all_queues(void **state)
{
	enum {
		QUEUES = 5,
		EACH = 3000
	};
	struct chip_workers_config config = { .nr_threads = 2, .budget = 4, .spin_ns = 1000 };
	unsigned int got[QUEUES] = { 0 }, sent[QUEUES] = { 0 }, left = QUEUES * EACH, i;
	uint64_t deadline = wait_clock_ns() + 120000 * WAIT_NS_PER_MS;
	struct chip_workers *workers;
	struct pair p[QUEUES];
	struct rig rig;

	(void)state;
	rig_open(&rig, 32, QUEUES);
	assert_ok(chip_workers_create(&config, &workers));
	for (i = 0; i < QUEUES; i++) {
		pair_open(&rig, &p[i]);
		assert_ok(chip_workers_add(workers, p[i].q));
	}
	while (left) {
		assert_true(wait_clock_ns() < deadline);
		for (i = 0; i < QUEUES; i++) {
			unsigned int room = 31 - (sent[i] - got[i]);

			if (room > EACH - sent[i])
				room = EACH - sent[i];
			if (room) {
				push(&p[i], room);
				chip_workers_kick(workers);
				sent[i] += room;
			}
			while (got[i] < sent[i]) {
				const uint8_t *cqe = cqe_at(&p[i], got[i] % 32);
				uint32_t dw3 = wd_load_acquire((_Atomic uint32_t *)(cqe + 12));

				if ((dw3 >> 16 & 1) == (got[i] / 32 & 1))
					break;
				assert_int_equal(bytes_get_le16(cqe + 8), got[i] % 32);
				got[i]++;
				left--;
			}
			doorbell(&p[i], 1, got[i] % 32, 0);
			chip_workers_kick(workers);
		}
		wait_yield();
	}
	for (i = 0; i < QUEUES; i++) {
		chip_workers_remove(workers, p[i].q);
		pair_close(&p[i]);
	}
	chip_workers_destroy(workers);
	rig_close(&rig);
}

/* Queues come and go while the workers serve others, sleep and are woken. */
static void queues_come_and_go(void **state)
{
	enum {
		ROUNDS = 1500
	};
	struct chip_workers_config config = { .nr_threads = 2 };
	uint64_t deadline = wait_clock_ns() + 120000 * WAIT_NS_PER_MS;
	struct chip_workers *workers;
	struct pair p[2];
	struct rig rig;
	unsigned int i;

	(void)state;
	rig_open(&rig, 4, 2);
	assert_ok(chip_workers_create(&config, &workers));
	pair_open(&rig, &p[1]);
	assert_ok(chip_workers_add(workers, p[1].q));
	for (i = 0; i < ROUNDS; i++) {
		const uint8_t *cqe;

		pair_open(&rig, &p[0]);
		assert_ok(chip_workers_add(workers, p[0].q));
		push(&p[0], 1);
		chip_workers_kick(workers);
		cqe = cqe_at(&p[0], 0);
		while (!(wd_load_acquire((_Atomic uint32_t *)(cqe + 12)) >> 16 & 1)) {
			assert_true(wait_clock_ns() < deadline);
			wait_yield();
		}
		p[0].q->chip->ops->queue_stop(p[0].q);
		chip_workers_remove(workers, p[0].q);
		p[0].q->chip->ops->queue_close(p[0].q);
		free(p[0].dus);
	}
	chip_workers_remove(workers, p[1].q);
	pair_close(&p[1]);
	chip_workers_destroy(workers);
	rig_close(&rig);
}

/* Two threads at one queue: each request is done once, by whoever holds the queue. */
static void *run_until_told(void *arg)
{
	struct pair *p = arg;

	while (!wd_load_acquire(&p->rig->nr_raised))
		if (run(p, 3) <= 0)
			wait_yield();
	return NULL;
}

static void one_runner_at_a_time(void **state)
{
	enum {
		ROUNDS = 400
	};
	struct chip_counters counters;
	struct rig rig;
	struct pair p;
	pthread_t thread[2];
	unsigned int i, done = 0;

	(void)state;
	rig_open(&rig, 64, 1);
	pair_open(&rig, &p);
	/* The first completion raises; from here on only the test does. */
	push(&p, 1);
	assert_int_equal(run(&p, 1), 1);
	doorbell(&p, 1, 1, 0);
	wd_store_relaxed(&rig.nr_raised, 0);
	for (i = 0; i < 2; i++)
		assert_ok(pthread_create(&thread[i], NULL, run_until_told, &p));
	for (done = 1; done < ROUNDS * 60; done += 60) {
		const uint8_t *last = cqe_at(&p, (done + 59) % 64);
		unsigned int phase = 1 ^ ((done + 59) / 64 & 1);

		push(&p, 60);
		while ((wd_load_acquire((_Atomic uint32_t *)(last + 12)) >> 16 & 1) != phase)
			wait_yield();
		doorbell(&p, 1, (done + 60) % 64, 0);
	}
	wd_store_release(&rig.nr_raised, 1);
	for (i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	rig.chip->ops->counters(rig.chip, &counters);
	assert_int_equal(counters.requests, done);
	assert_int_equal(counters.completions, done);
	pair_close(&p);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finished_sqes_come_back_whole),
		cmocka_unit_test(any_depth_goes_round),
		cmocka_unit_test(completions_wait_for_room),
		cmocka_unit_test(events_follow_the_arm_flag),
		cmocka_unit_test(wrong_doorbells_do_nothing),
		cmocka_unit_test(states_are_kept),
		cmocka_unit_test(reset_sets_the_status_words_and_stops),
		cmocka_unit_test(a_lost_ring_fails_its_queue_alone),
		cmocka_unit_test(the_record_tells_the_order),
		cmocka_unit_test(workers_serve_all_queues),
		cmocka_unit_test(queues_come_and_go),
		cmocka_unit_test(one_runner_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The dummy machine's model under several threads: runners that turn each other
 * away, and stop and reset while a request is being worked on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <endian.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "base/barrier.h"
#include "base/wait.h"
#include "chip/chip.h"
#include "hw/dummy_hw.h"

#define PAGE	  4096u
#define SLOTS	  128u
#define DUS_BYTES (4 * PAGE)
#define WAIT_NS	  (120000 * WAIT_NS_PER_MS) /* a machine busy with other things takes its time */

/* A started queue in our own memory. */
struct rig {
	struct chip *chip;
	struct chip_queue *queue;
	uint8_t *dus;
	struct dummy_record *records;
	/* the second mapping of a copy waits until told */
	_Atomic bool is_holding;
	_Atomic bool is_held;
	_Atomic bool is_released;
	const void *hold_at;
};

static void *own_map(void *owner, uint64_t addr, size_t bytes, bool is_write)
{
	struct rig *rig = owner;
	unsigned int i;

	(void)bytes;
	(void)is_write;
	if (atomic_load(&rig->is_holding) && addr == (uintptr_t)rig->hold_at) {
		atomic_store(&rig->is_held, true);
		/* The second request is work to do until stop or reset has begun. */
		while (rig->queue->chip->ops->queue_has_work(rig->queue))
			sched_yield();
		/* Long enough for a stop that does not wait to return. */
		for (i = 0; i < 2000; i++)
			sched_yield();
		atomic_store(&rig->is_released, true);
	}
	return (void *)(uintptr_t)addr;
}

static void *zeroed(size_t bytes)
{
	void *p = aligned_alloc(PAGE, bytes);

	assert_non_null(p);
	memset(p, 0, bytes);
	return p;
}

static struct rig *rig_create(void)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct chip_config config = { .depth = SLOTS, .dma = { .map = own_map }, .owner = rig };
	const struct chip_ops *ops;

	assert_non_null(rig);
	rig->dus = zeroed(DUS_BYTES);
	rig->records = zeroed(SLOTS * DUMMY_RECORD_BYTES);
	assert_int_equal(chip_create(chip_find_model("dummy"), &config, &rig->chip), 0);
	ops = rig->chip->ops;
	assert_int_equal(ops->queue_open(rig->chip, NULL, &rig->queue), 0);
	assert_int_equal(ops->queue_bind(rig->queue, (uintptr_t)rig->dus, DUS_BYTES), 0);
	assert_int_equal(ops->queue_start(rig->queue), 0);
	return rig;
}

static void rig_destroy(struct rig *rig)
{
	rig->chip->ops->queue_stop(rig->queue);
	rig->chip->ops->queue_close(rig->queue);
	rig->chip->ops->destroy(rig->chip);
	free(rig->dus);
	free(rig->records);
	free(rig);
}

static void put_desc(struct rig *rig, uint32_t slot, struct dummy_desc desc)
{
	desc.record = htole64((uintptr_t)&rig->records[slot]);
	memcpy(rig->dus + DUMMY_DUS_SLOTS + slot * DUMMY_DESC_BYTES, &desc, sizeof(desc));
}

static uint64_t done_word(struct rig *rig, uint32_t group)
{
	return le64toh(
		wd_load_acquire((_Atomic uint64_t *)(void *)(rig->dus + DUMMY_DUS_DONE(group))));
}

/* ---- two who submit and run */

#define ROUNDS 30000u

struct submitter {
	struct rig *rig;
	uint32_t group; /* each has its own, as SUBMIT is one state for 64 slots */
	struct submitter *other;
	_Atomic unsigned int nr_rounds; /* done */
};

/* Waits until @look says yes; false if it never does. */
static bool wait_for(bool (*look)(struct submitter *s), struct submitter *s)
{
	uint64_t deadline = wait_clock_ns() + WAIT_NS;
	unsigned int i;

	for (i = 1; !look(s); i++) {
		if (i % 64)
			continue;
		if (wait_clock_ns() > deadline)
			return false;
		sched_yield();
	}
	return true;
}

static bool is_answered(struct submitter *s)
{
	return done_word(s->rig, s->group) == (atomic_load(&s->nr_rounds) + 1) % 2;
}

static bool has_other_caught_up(struct submitter *s)
{
	return atomic_load(&s->other->nr_rounds) >= atomic_load(&s->nr_rounds);
}

/*
 * Submits, runs once, and then only looks: whoever turned it away must have
 * seen its submission.  The rounds keep step, or the other's next would hide it.
 */
static void *submit_and_run_once(void *arg)
{
	struct submitter *s = arg;
	const struct chip_ops *ops = s->rig->chip->ops;
	unsigned int round;

	for (round = 1; round <= ROUNDS; round++) {
		ops->queue_doorbell(s->rig->queue, DUMMY_REG_SUBMIT(s->group), round % 2);
		ops->queue_run(s->rig->queue, 1000, NULL);
		if (!wait_for(is_answered, s))
			break;
		atomic_fetch_add(&s->nr_rounds, 1);
		if (!wait_for(has_other_caught_up, s))
			break;
	}
	return NULL;
}

static void submission_of_one_turned_away_is_not_lost(void **state)
{
	struct rig *rig = rig_create();
	struct submitter s[2] = { { .rig = rig, .group = 0, .other = &s[1] },
				  { .rig = rig, .group = 1, .other = &s[0] } };
	pthread_t thread;

	(void)state;
	put_desc(rig, 0, (struct dummy_desc){ .opcode = DUMMY_OP_NOP });
	put_desc(rig, 64, (struct dummy_desc){ .opcode = DUMMY_OP_NOP });
	assert_int_equal(pthread_create(&thread, NULL, submit_and_run_once, &s[1]), 0);
	submit_and_run_once(&s[0]);
	pthread_join(thread, NULL);
	assert_int_equal(s[0].nr_rounds, ROUNDS);
	assert_int_equal(s[1].nr_rounds, ROUNDS);
	rig_destroy(rig);
}

/* ---- stop and reset */

static void *run_all(void *arg)
{
	struct rig *rig = arg;

	rig->chip->ops->queue_run(rig->queue, 1000, NULL);
	return NULL;
}

/* Returns only after the request that was being worked on; the next is not begun. */
static void end_while_working(void (*end)(struct rig *rig))
{
	struct rig *rig = rig_create();
	uint8_t *data = zeroed(4 * PAGE);
	struct dummy_desc desc = { .opcode = DUMMY_OP_COPY, .len = htole64(PAGE) };
	pthread_t thread;
	size_t i;

	desc.src = htole64((uintptr_t)data);
	desc.dst = htole64((uintptr_t)(data + PAGE));
	put_desc(rig, 0, desc);
	desc.dst = htole64((uintptr_t)(data + 2 * PAGE));
	put_desc(rig, 1, desc);
	memset(data, 0x11, PAGE);
	rig->hold_at = data + PAGE;
	atomic_store(&rig->is_holding, true);
	rig->chip->ops->queue_doorbell(rig->queue, DUMMY_REG_SUBMIT(0), 3);
	assert_int_equal(pthread_create(&thread, NULL, run_all, rig), 0);
	while (!atomic_load(&rig->is_held))
		sched_yield();
	end(rig);
	assert_true(atomic_load(&rig->is_released));
	/* A write of the chip from here on is a race for ThreadSanitizer, or seen below. */
	memset(data, 0x22, 4 * PAGE);
	assert_int_equal(done_word(rig, 0), 1);
	assert_false(rig->chip->ops->queue_has_work(rig->queue));
	pthread_join(thread, NULL);
	for (i = 0; i < 4 * PAGE; i++)
		assert_int_equal(data[i], 0x22);
	assert_int_equal(done_word(rig, 0), 1);
	rig_destroy(rig);
	free(data);
}

static void end_by_stop(struct rig *rig)
{
	rig->chip->ops->queue_stop(rig->queue);
}

static void end_by_reset(struct rig *rig)
{
	rig->chip->ops->reset(rig->chip);
}

static void nothing_is_touched_after_stop(void **state)
{
	(void)state;
	end_while_working(end_by_stop);
}

static void nothing_is_touched_after_reset(void **state)
{
	(void)state;
	end_while_working(end_by_reset);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(submission_of_one_turned_away_is_not_lost),
		cmocka_unit_test(nothing_is_touched_after_stop),
		cmocka_unit_test(nothing_is_touched_after_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

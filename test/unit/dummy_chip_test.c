/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The dummy machine's model, driven by its registers and its memory alone: the
 * test is the user.  Memory is an arena whose bounds every access is checked
 * against, mapped or only read and written.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "chip/chip.h"
#include "hw/dummy_hw.h"
#include "uapi/wd_dummy.h"

#define ARENA_BASE  0x7000000000ull
#define ARENA_BYTES (1u << 20)
#define PAGE	    4096u
#define QUEUES_MAX  3u

/* Offsets in the arena. */
#define DUS_AT(n)     (0x20000u * (n))
#define RECORD_AT(n)  (0x60000u + 0x8000u * (n))
#define DATA_AT	      0x80000u
#define RECORD_NO_ONE 0x12345000ull

enum map_mode {
	MAP_WHOLE,
	MAP_NEVER, /* read and write only */
};

struct rig_queue {
	struct chip_queue *queue;
	uint32_t number;
	uint64_t submitted[DUMMY_GROUPS_MAX];
	uint64_t taken[DUMMY_GROUPS_MAX];
	unsigned int nr_raised;
};

struct rig {
	struct chip *chip;
	uint8_t *arena;
	enum map_mode mode;
	struct rig_queue q[QUEUES_MAX];
	void (*on_raise)(struct rig *rig, struct rig_queue *q);
	int seen; /* by on_raise */
};

static bool is_inside(uint64_t addr, size_t bytes)
{
	return addr >= ARENA_BASE && addr - ARENA_BASE <= ARENA_BYTES &&
	       bytes <= ARENA_BYTES - (addr - ARENA_BASE);
}

static void *arena_map(void *owner, uint64_t addr, size_t bytes, bool is_write)
{
	struct rig *rig = owner;

	(void)is_write;
	if (!is_inside(addr, bytes) || rig->mode == MAP_NEVER)
		return NULL;
	return rig->arena + (addr - ARENA_BASE);
}

static int arena_read(void *owner, uint64_t addr, void *buf, size_t bytes)
{
	struct rig *rig = owner;

	if (!is_inside(addr, bytes))
		return -EFAULT;
	memcpy(buf, rig->arena + (addr - ARENA_BASE), bytes);
	return 0;
}

static int arena_write(void *owner, uint64_t addr, const void *buf, size_t bytes)
{
	struct rig *rig = owner;

	if (!is_inside(addr, bytes))
		return -EFAULT;
	memcpy(rig->arena + (addr - ARENA_BASE), buf, bytes);
	return 0;
}

static void rig_raise(void *owner, void *queue_owner)
{
	struct rig *rig = owner;
	struct rig_queue *q = queue_owner;

	q->nr_raised++;
	if (rig->on_raise)
		rig->on_raise(rig, q);
}

static struct chip_config rig_config(struct rig *rig, uint32_t nr_queues, uint32_t depth)
{
	return (struct chip_config){
		.flags = CHIP_F_TRACE,
		.nr_queues = nr_queues,
		.depth = depth,
		.dma = { .map = arena_map, .read = arena_read, .write = arena_write },
		.owner = rig,
		.raise = rig_raise,
	};
}

/* A chip with @nr_queues started queues of @depth slots. */
static struct rig *rig_create(uint32_t nr_queues, uint32_t depth, enum map_mode mode)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct chip_config config;
	uint32_t i;

	assert_non_null(rig);
	rig->mode = mode;
	rig->arena = aligned_alloc(PAGE, ARENA_BYTES);
	assert_non_null(rig->arena);
	memset(rig->arena, 0, ARENA_BYTES);
	config = rig_config(rig, nr_queues, depth);
	assert_int_equal(chip_create(chip_find_model("dummy"), &config, &rig->chip), 0);
	for (i = 0; i < nr_queues; i++) {
		const struct chip_ops *ops = rig->chip->ops;

		rig->q[i].number = i;
		assert_int_equal(ops->queue_open(rig->chip, &rig->q[i], &rig->q[i].queue), 0);
		assert_int_equal(ops->queue_bind(rig->q[i].queue, ARENA_BASE + DUS_AT(i), 0x20000),
				 0);
		assert_int_equal(ops->queue_start(rig->q[i].queue), 0);
	}
	return rig;
}

static void rig_destroy(struct rig *rig)
{
	const struct chip_ops *ops = rig->chip->ops;
	uint32_t i;

	for (i = 0; i < QUEUES_MAX; i++) {
		if (!rig->q[i].queue)
			continue;
		ops->queue_stop(rig->q[i].queue);
		ops->queue_close(rig->q[i].queue);
	}
	ops->destroy(rig->chip);
	free(rig->arena);
	free(rig);
}

static int rig_run(struct rig_queue *q, unsigned int budget)
{
	return q->queue->chip->ops->queue_run(q->queue, budget, NULL);
}

static void rig_ring(struct rig_queue *q, uint32_t offset, uint64_t value)
{
	q->queue->chip->ops->queue_doorbell(q->queue, offset, value);
}

static struct chip_counters rig_counters(struct rig *rig)
{
	struct chip_counters counters;

	rig->chip->ops->counters(rig->chip, &counters);
	return counters;
}

static struct dummy_record *rig_record(struct rig *rig, uint32_t number, uint32_t slot)
{
	return (struct dummy_record *)(void *)(rig->arena + RECORD_AT(number)) + slot;
}

static void put_desc(struct rig *rig, struct rig_queue *q, uint32_t slot,
		     const struct dummy_desc *from)
{
	struct dummy_desc desc = *from;

	if (!desc.record)
		desc.record =
			htole64(ARENA_BASE + RECORD_AT(q->number) + slot * DUMMY_RECORD_BYTES);
	memset(rig_record(rig, q->number, slot), 0, DUMMY_RECORD_BYTES);
	memcpy(rig->arena + DUS_AT(q->number) + DUMMY_DUS_SLOTS + slot * DUMMY_DESC_BYTES, &desc,
	       sizeof(desc));
	q->submitted[slot / DUMMY_GROUP] ^= 1ull << slot % DUMMY_GROUP;
}

static void submit(struct rig_queue *q, uint32_t group)
{
	rig_ring(q, DUMMY_REG_SUBMIT(group), q->submitted[group]);
}

/* Fills @slot and rings for it. */
static void give(struct rig *rig, struct rig_queue *q, uint32_t slot, const struct dummy_desc *desc)
{
	put_desc(rig, q, slot, desc);
	submit(q, slot / DUMMY_GROUP);
}

static uint64_t done_word(struct rig *rig, struct rig_queue *q, uint32_t group)
{
	uint64_t word;

	memcpy(&word, rig->arena + DUS_AT(q->number) + DUMMY_DUS_DONE(group), sizeof(word));
	return le64toh(word);
}

/* Whether @slot was answered since this was last true for it. */
static bool take(struct rig *rig, struct rig_queue *q, uint32_t slot)
{
	uint64_t bit = 1ull << slot % DUMMY_GROUP;

	if (!((done_word(rig, q, slot / DUMMY_GROUP) ^ q->taken[slot / DUMMY_GROUP]) & bit))
		return false;
	q->taken[slot / DUMMY_GROUP] ^= bit;
	return true;
}

static uint32_t dus_state(struct rig *rig, struct rig_queue *q)
{
	uint32_t state;

	memcpy(&state, rig->arena + DUS_AT(q->number) + DUMMY_DUS_STATE, sizeof(state));
	return le32toh(state);
}

static const struct dummy_desc nop = { .opcode = DUMMY_OP_NOP };

static struct dummy_desc copy_desc(uint64_t src, uint64_t dst, uint64_t len)
{
	return (struct dummy_desc){
		.opcode = DUMMY_OP_COPY,
		.tag = htole32(77),
		.len = htole64(len),
		.src = htole64(src),
		.dst = htole64(dst),
	};
}

static void life_is_ordered(void **state)
{
	struct rig rig = { .arena = aligned_alloc(PAGE, ARENA_BYTES) };
	struct chip_config config = rig_config(&rig, 2, 100);
	struct chip_queue *a, *b, *c = NULL;
	struct chip_queue_layout layout;
	struct wd_dummy_info info = { 0 };
	const struct chip_ops *ops;

	(void)state;
	config.nr_queues = 1025;
	assert_int_equal(chip_create(chip_find_model("dummy"), &config, &rig.chip), -EINVAL);
	config.nr_queues = 2;
	assert_int_equal(chip_create(chip_find_model("dummy"), &config, &rig.chip), 0);
	ops = rig.chip->ops;
	assert_int_equal(ops->free_queues(rig.chip), 2);
	assert_int_equal(ops->queue_open(rig.chip, NULL, &a), 0);
	assert_int_equal(ops->queue_open(rig.chip, NULL, &b), 0);
	assert_int_equal(ops->queue_open(rig.chip, NULL, &c), -EBUSY);
	assert_null(c);
	assert_int_equal(ops->free_queues(rig.chip), 0);

	ops->queue_layout(a, &layout);
	assert_int_equal(layout.mmio_bytes, DUMMY_MMIO_BYTES);
	assert_int_equal(layout.dus_bytes, 8192); /* 256 + 100 * 64, in pages */
	assert_int_equal(ops->queue_control(a, WD_DUMMY_CMD_GET_INFO, &info), 0);
	assert_int_equal(info.nr_slots, 100);
	assert_int_equal(ops->queue_control(a, WD_DUMMY_CMD_GET_INFO + 1, &info), -EINVAL);

	assert_int_equal(ops->queue_start(a), -EINVAL); /* not bound */
	assert_int_equal(ops->queue_bind(a, ARENA_BASE + 8, layout.dus_bytes), -EINVAL);
	assert_int_equal(ops->queue_bind(a, ARENA_BASE, layout.dus_bytes - 1), -EINVAL);
	assert_int_equal(ops->queue_bind(a, UINT64_MAX - 4095, layout.dus_bytes), -EINVAL);
	assert_int_equal(ops->queue_bind(a, ARENA_BASE, layout.dus_bytes), 0);
	assert_int_equal(ops->queue_run(a, 1, NULL), 0); /* not started: nothing to do */
	assert_int_equal(ops->queue_start(a), 0);
	assert_int_equal(ops->queue_start(a), -EINVAL);
	assert_int_equal(ops->queue_bind(a, ARENA_BASE, layout.dus_bytes), -EINVAL);
	ops->queue_stop(a);
	assert_int_equal(ops->queue_start(a), -EINVAL);
	ops->queue_close(a);
	ops->queue_close(b); /* never started */
	assert_int_equal(ops->free_queues(rig.chip), 2);
	ops->destroy(rig.chip);
	free(rig.arena);
}

static void requests_are_served(void **state)
{
	struct rig *rig = rig_create(1, 8, MAP_WHOLE);
	struct rig_queue *q = &rig->q[0];
	uint8_t *data = rig->arena + DATA_AT;
	struct dummy_desc desc = copy_desc(ARENA_BASE + DATA_AT, ARENA_BASE + DATA_AT + 0x1000, 26);
	struct chip_counters c;

	(void)state;
	memcpy(data, "abcdefghijklmnopqrstuvwxyz", 26);
	give(rig, q, 3, &desc);
	assert_true(rig->chip->ops->queue_has_work(q->queue));
	assert_int_equal(rig_run(q, 9), 1);
	assert_true(take(rig, q, 3));
	assert_int_equal(rig_record(rig, 0, 3)->status, DUMMY_ST_DONE);
	assert_int_equal(le32toh(rig_record(rig, 0, 3)->tag), 77);
	assert_int_equal(le64toh(rig_record(rig, 0, 3)->done), 26);
	assert_memory_equal(data + 0x1000, data, 26);
	c = rig_counters(rig);
	assert_int_equal(c.bytes_in, 26);
	assert_int_equal(c.bytes_out, 26);
	rig_destroy(rig);
}

/* The engine's errors reach the record, and the queue goes on. */
static void bad_descriptors_fail_alone(void **state)
{
	struct rig *rig = rig_create(1, 8, MAP_WHOLE);
	struct rig_queue *q = &rig->q[0];
	struct dummy_desc desc = copy_desc(ARENA_BASE + DATA_AT, ARENA_BASE + ARENA_BYTES - 10, 11);

	(void)state;
	put_desc(rig, q, 0, &desc);
	desc.opcode = 0xff;
	put_desc(rig, q, 1, &desc);
	put_desc(rig, q, 2, &nop);
	submit(q, 0);
	assert_int_equal(rig_run(q, 9), 3);
	assert_int_equal(rig_record(rig, 0, 0)->status, DUMMY_ST_FAILED);
	assert_int_equal(rig_record(rig, 0, 0)->error, DUMMY_ERR_ADDRESS);
	assert_int_equal(rig_record(rig, 0, 1)->status, DUMMY_ST_FAILED);
	assert_int_equal(rig_record(rig, 0, 1)->error, DUMMY_ERR_OPCODE);
	assert_int_equal(rig_record(rig, 0, 2)->status, DUMMY_ST_DONE);
	assert_int_equal(rig_counters(rig).errors, 2);
	assert_int_equal(dus_state(rig, q), DUMMY_STATE_WORKING);
	rig_destroy(rig);
}

/* The order of completions in the trace. */
static unsigned int completed(struct rig *rig, uint32_t *ret_slots, unsigned int nr)
{
	static struct chip_trace_entry entries[512];
	unsigned int n = chip_trace_read(rig->chip, 0, entries, 512);
	unsigned int i, k = 0;

	for (i = 0; i < n && k < nr; i++)
		if (entries[i].event == CHIP_EVENT_COMPLETE)
			ret_slots[k++] = (uint32_t)entries[i].a;
	return k;
}

static void small_ones_overtake_large_ones(void **state)
{
	static const uint32_t expected[] = { 1, 3, 70, 0, 2 };
	struct rig *rig = rig_create(1, 128, MAP_WHOLE);
	struct rig_queue *q = &rig->q[0];
	struct dummy_desc large =
		copy_desc(ARENA_BASE + DATA_AT, ARENA_BASE + DATA_AT + 0x20000, 0x10000);
	uint32_t order[5];

	(void)state;
	put_desc(rig, q, 0, &large);
	put_desc(rig, q, 1, &nop);
	put_desc(rig, q, 2, &large);
	put_desc(rig, q, 3, &nop);
	put_desc(rig, q, 70, &nop);
	submit(q, 0);
	submit(q, 1);
	assert_int_equal(rig_run(q, 3), 3); /* by now the small ones, submitted later */
	assert_true(take(rig, q, 1) && take(rig, q, 3) && take(rig, q, 70));
	assert_false(take(rig, q, 0) || take(rig, q, 2));
	assert_true(rig->chip->ops->queue_has_work(q->queue));
	assert_int_equal(rig_run(q, 9), 2);
	assert_true(take(rig, q, 0) && take(rig, q, 2));
	assert_false(rig->chip->ops->queue_has_work(q->queue));
	assert_int_equal(completed(rig, order, 5), 5);
	assert_memory_equal(order, expected, sizeof(expected));
	rig_destroy(rig);
}

/* However many small ones come, a large one waits for eight of them at most. */
static void large_ones_are_not_starved(void **state)
{
	struct rig *rig = rig_create(1, 16, MAP_WHOLE);
	struct rig_queue *q = &rig->q[0];
	struct dummy_desc large =
		copy_desc(ARENA_BASE + DATA_AT, ARENA_BASE + DATA_AT + 0x20000, 0x10000);
	unsigned int nr_small = 0;

	(void)state;
	give(rig, q, 0, &large);
	give(rig, q, 1, &nop);
	while (!take(rig, q, 0)) {
		assert_int_equal(rig_run(q, 1), 1);
		if (take(rig, q, 1)) {
			give(rig, q, 1, &nop);
			nr_small++;
		}
	}
	assert_int_equal(nr_small, 8);
	rig_destroy(rig);
}

/* Among equals every slot has its turn, whatever is submitted again before it. */
static void slots_take_turns(void **state)
{
	struct rig *rig = rig_create(1, 100, MAP_WHOLE);
	struct rig_queue *q = &rig->q[0];
	unsigned int nr = 0;

	(void)state;
	give(rig, q, 0, &nop);
	give(rig, q, 99, &nop);
	while (!take(rig, q, 99)) {
		assert_int_equal(rig_run(q, 1), 1);
		if (take(rig, q, 0))
			give(rig, q, 0, &nop);
		assert_true(++nr <= 2);
	}
	rig_destroy(rig);
}

static void full_device_says_retry(void **state)
{
	struct rig *rig = rig_create(2, 4, MAP_WHOLE);
	struct rig_queue *a = &rig->q[0], *b = &rig->q[1];
	struct chip_counters c;
	uint32_t i, nr_retry = 0;

	(void)state;
	/* One queue alone has room for all its slots. */
	for (i = 0; i < 4; i++)
		put_desc(rig, a, i, &nop);
	submit(a, 0);
	assert_int_equal(rig_run(a, 1), 1);
	c = rig_counters(rig);
	assert_int_equal(c.requests, 4);
	assert_int_equal(c.refused, 0);

	/* It holds 3 still, 2 of them in shared entries; 2 of 4 are left, and one that is b's own. */
	for (i = 0; i < 4; i++)
		put_desc(rig, b, i, &nop);
	submit(b, 0);
	assert_int_equal(rig_run(b, 8), 3);
	for (i = 0; i < 4; i++) {
		assert_true(take(rig, b, i));
		nr_retry += rig_record(rig, 1, i)->status == DUMMY_ST_RETRY;
	}
	assert_int_equal(nr_retry, 1);
	c = rig_counters(rig);
	assert_int_equal(c.refused, 1);
	assert_int_equal(c.requests, 7);
	assert_int_equal(c.completions, 4);

	/* What was refused is taken the next time, and what a held comes to its end. */
	give(rig, b, 3, &nop);
	assert_int_equal(rig_run(b, 8), 1);
	assert_int_equal(rig_record(rig, 1, 3)->status, DUMMY_ST_DONE);
	assert_int_equal(rig_run(a, 8), 3);
	c = rig_counters(rig);
	assert_int_equal(c.requests, 8);
	assert_int_equal(c.completions, 8);
	rig_destroy(rig);
}

/* Entries of a queue that is stopped serve the others again. */
static void stopping_gives_room_back(void **state)
{
	struct rig *rig = rig_create(2, 8, MAP_WHOLE);
	struct rig_queue *a = &rig->q[0], *b = &rig->q[1];
	uint32_t i;

	(void)state;
	for (i = 0; i < 8; i++) {
		put_desc(rig, a, i, &nop);
		put_desc(rig, b, i, &nop);
	}
	submit(a, 0);
	assert_int_equal(rig_run(a, 1), 1);
	assert_true(rig->chip->ops->queue_has_work(a->queue));
	rig->chip->ops->queue_stop(a->queue);
	assert_false(rig->chip->ops->queue_has_work(a->queue));
	assert_int_equal(rig_run(a, 8), 0);
	assert_int_equal(__builtin_popcountll(done_word(rig, a, 0)), 1);
	submit(b, 0);
	assert_int_equal(rig_run(b, 8), 8);
	assert_int_equal(rig_counters(rig).refused, 0);
	rig_destroy(rig);
}

/* With no place for the answer, the queue ends, and its user is told; others go on. */
static void unreachable_record_ends_the_queue(void **state)
{
	static const uint64_t bad[] = { RECORD_NO_ONE, ARENA_BASE + RECORD_AT(0) + 8,
					ARENA_BASE + ARENA_BYTES, UINT64_MAX - 31 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct rig *rig = rig_create(2, 8, i % 2 ? MAP_NEVER : MAP_WHOLE);
		struct dummy_desc desc = { .record = htole64(bad[i]) };

		put_desc(rig, &rig->q[0], 0, &nop);
		put_desc(rig, &rig->q[0], 1, &desc);
		put_desc(rig, &rig->q[0], 2, &nop);
		submit(&rig->q[0], 0);
		assert_int_equal(rig_run(&rig->q[0], 8), 2);
		assert_int_equal(dus_state(rig, &rig->q[0]), DUMMY_STATE_FAULT);
		assert_int_equal(rig->q[0].nr_raised, 1);
		assert_int_equal(done_word(rig, &rig->q[0], 0), 1);
		assert_int_equal(rig_run(&rig->q[0], 8), 0);
		assert_false(rig->chip->ops->queue_has_work(rig->q[0].queue));
		give(rig, &rig->q[1], 0, &nop);
		assert_int_equal(rig_run(&rig->q[1], 8), 1);
		assert_int_equal(dus_state(rig, &rig->q[1]), DUMMY_STATE_WORKING);
		rig_destroy(rig);
	}
}

static void bad_doorbells_are_counted_and_ignored(void **state)
{
	struct rig *rig = rig_create(1, 70, MAP_WHOLE);
	struct rig_queue *q = &rig->q[0];
	static const struct {
		uint32_t offset;
		uint64_t value;
	} bad[] = {
		{ DUMMY_REG_SUBMIT(2), 1 },	  /* no such group */
		{ DUMMY_REG_SUBMIT(1), 1u << 6 }, /* no such slot */
		{ DUMMY_REG_SUBMIT(0) + 4, 1 },	  { DUMMY_REG_SUBMIT(0) - 8, 1 },
		{ DUMMY_REG_ARM + 8, 1 },	  { UINT32_MAX, 1 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		rig_ring(q, bad[i].offset, bad[i].value);
		assert_int_equal(rig_counters(rig).bad_doorbells, i + 1);
		assert_false(rig->chip->ops->queue_has_work(q->queue));
	}
	/* Said again, a state changes nothing. */
	give(rig, q, 69, &nop);
	submit(q, 1);
	assert_int_equal(rig_run(q, 9), 1);
	submit(q, 1);
	assert_int_equal(rig_run(q, 9), 0);
	assert_int_equal(rig_counters(rig).doorbells, 3);
	rig->chip->ops->queue_stop(q->queue);
	submit(q, 1);
	assert_int_equal(rig_counters(rig).bad_doorbells, i + 1);
	rig_destroy(rig);
}

/* A flip of a slot that the device holds is the user's mistake: one answer, and no hang. */
static void slot_flipped_twice_is_answered_once(void **state)
{
	struct rig *rig = rig_create(1, 8, MAP_WHOLE);
	struct rig_queue *q = &rig->q[0];

	(void)state;
	put_desc(rig, q, 0, &nop);
	put_desc(rig, q, 1, &nop);
	submit(q, 0);
	assert_int_equal(rig_run(q, 1), 1);
	put_desc(rig, q, 1, &nop);
	submit(q, 0);
	assert_int_equal(rig_run(q, 8), 1);
	assert_false(rig->chip->ops->queue_has_work(q->queue));
	assert_int_equal(rig_counters(rig).completions, 2);
	rig_destroy(rig);
}

static void events_come_once_and_are_not_missed(void **state)
{
	struct rig *rig = rig_create(1, 8, MAP_WHOLE);
	struct rig_queue *q = &rig->q[0];
	struct dummy_desc flagged = { .flags = htole16(DUMMY_DESC_F_EVENT) };

	(void)state;
	give(rig, q, 0, &nop);
	rig_run(q, 8);
	assert_int_equal(q->nr_raised, 0); /* not armed */

	rig_ring(q, DUMMY_REG_ARM, 1); /* one taken: wait for the next */
	assert_int_equal(q->nr_raised, 0);
	give(rig, q, 0, &nop);
	give(rig, q, 1, &nop);
	rig_run(q, 8);
	assert_int_equal(q->nr_raised, 1); /* once for two */

	rig_ring(q, DUMMY_REG_ARM, 2); /* one of the three was not taken yet */
	assert_int_equal(q->nr_raised, 2);
	rig_ring(q, DUMMY_REG_ARM, 3);
	assert_int_equal(q->nr_raised, 2);
	give(rig, q, 0, &nop);
	rig_run(q, 8);
	assert_int_equal(q->nr_raised, 3);

	give(rig, q, 0, &flagged);
	rig_run(q, 8);
	assert_int_equal(q->nr_raised, 4);
	assert_int_equal(rig_counters(rig).events, 4);
	rig_destroy(rig);
}

static void run_from_inside(struct rig *rig, struct rig_queue *q)
{
	rig->seen = rig_run(q, 1);
	if (q->nr_raised == 1)
		give(rig, q, 1, &nop);
}

/* A second runner is turned away, and the first finds what came meanwhile. */
static void one_runner_at_a_time(void **state)
{
	struct rig *rig = rig_create(1, 8, MAP_WHOLE);
	struct rig_queue *q = &rig->q[0];
	struct dummy_desc flagged = { .flags = htole16(DUMMY_DESC_F_EVENT) };

	(void)state;
	rig->on_raise = run_from_inside;
	give(rig, q, 0, &flagged);
	assert_int_equal(rig_run(q, 8), 2);
	assert_int_equal(rig->seen, -EBUSY);
	assert_true(take(rig, q, 1));
	rig_destroy(rig);
}

static _Atomic uint32_t interrupt_word;

static void interrupt_run(struct rig *rig, struct rig_queue *q)
{
	(void)rig;
	(void)q;
	atomic_store(&interrupt_word, 1);
}

/* A run that is wanted elsewhere leaves after the request it is at. */
static void interrupted_run_leaves(void **state)
{
	struct rig *rig = rig_create(1, 8, MAP_WHOLE);
	struct rig_queue *q = &rig->q[0];
	struct dummy_desc flagged = { .flags = htole16(DUMMY_DESC_F_EVENT) };
	const struct chip_ops *ops = rig->chip->ops;
	const struct chip_pace pace = { .interrupt = &interrupt_word };

	(void)state;
	rig->on_raise = interrupt_run;
	put_desc(rig, q, 0, &flagged);
	put_desc(rig, q, 1, &nop);
	submit(q, 0);
	assert_int_equal(ops->queue_run(q->queue, 8, &pace), 1);
	assert_int_equal(ops->queue_run(q->queue, 8, &pace), 0);
	assert_true(ops->queue_has_work(q->queue));
	assert_int_equal(rig_run(q, 8), 1);
	rig_destroy(rig);
}

static void reset_ends_all_queues(void **state)
{
	struct rig *rig = rig_create(3, 8, MAP_WHOLE);
	const struct chip_ops *ops = rig->chip->ops;
	struct chip_queue *queue;
	uint32_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		put_desc(rig, &rig->q[i], 0, &nop);
		put_desc(rig, &rig->q[i], 1, &nop);
		submit(&rig->q[i], 0);
	}
	assert_int_equal(rig_run(&rig->q[0], 1), 1);
	ops->reset(rig->chip);
	for (i = 0; i < 3; i++) {
		assert_int_equal(dus_state(rig, &rig->q[i]), DUMMY_STATE_RESET);
		assert_int_equal(rig->q[i].nr_raised, 1);
		assert_int_equal(rig_run(&rig->q[i], 8), 0);
		assert_false(ops->queue_has_work(rig->q[i].queue));
		assert_int_equal(ops->queue_start(rig->q[i].queue), -EINVAL);
	}
	assert_int_equal(done_word(rig, &rig->q[0], 0), 1);
	assert_int_equal(done_word(rig, &rig->q[1], 0), 0);

	/* Closed and opened again, it works. */
	ops->queue_stop(rig->q[0].queue);
	ops->queue_close(rig->q[0].queue);
	memset(rig->arena, 0, 0x20000);
	assert_int_equal(ops->queue_open(rig->chip, &rig->q[0], &queue), 0);
	rig->q[0] = (struct rig_queue){ .queue = queue };
	assert_int_equal(ops->queue_bind(queue, ARENA_BASE, 0x20000), 0);
	assert_int_equal(ops->queue_start(queue), 0);
	give(rig, &rig->q[0], 0, &nop);
	assert_int_equal(rig_run(&rig->q[0], 8), 1);
	assert_int_equal(rig_counters(rig).requests, 3);
	rig_destroy(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(life_is_ordered),
		cmocka_unit_test(requests_are_served),
		cmocka_unit_test(bad_descriptors_fail_alone),
		cmocka_unit_test(small_ones_overtake_large_ones),
		cmocka_unit_test(large_ones_are_not_starved),
		cmocka_unit_test(slots_take_turns),
		cmocka_unit_test(full_device_says_retry),
		cmocka_unit_test(stopping_gives_room_back),
		cmocka_unit_test(unreachable_record_ends_the_queue),
		cmocka_unit_test(bad_doorbells_are_counted_and_ignored),
		cmocka_unit_test(slot_flipped_twice_is_answered_once),
		cmocka_unit_test(events_come_once_and_are_not_missed),
		cmocka_unit_test(one_runner_at_a_time),
		cmocka_unit_test(interrupted_run_leaves),
		cmocka_unit_test(reset_ends_all_queues),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Faults of the chip models: how they are written, whom they strike, and what each
 * kind does to both models.
 */
#include <errno.h>
#include <pthread.h>

#include "test/unit/chip_rig.h"

/* ---- what faults are written as, and whom they strike */

static void specs_are_read(void **state)
{
	static const struct {
		const char *text;
		struct chip_fault want;
	} specs[] = {
		{ "drop@1", { .kind = CHIP_FAULT_DROP, .first = 1 } },
		{ "duplicate@7", { .kind = CHIP_FAULT_DUPLICATE, .first = 7 } },
		{ "corrupt-completion@2/3",
		  { .kind = CHIP_FAULT_CORRUPT_COMPLETION, .first = 2, .every = 3 } },
		{ "corrupt-result@10/20*30",
		  { .kind = CHIP_FAULT_CORRUPT_RESULT, .first = 10, .every = 20, .count = 30 } },
		{ "corrupt-output@18446744073709551615",
		  { .kind = CHIP_FAULT_CORRUPT_OUTPUT, .first = UINT64_MAX } },
		{ "error@1/1*4294967295",
		  { .kind = CHIP_FAULT_ERROR, .first = 1, .every = 1, .count = UINT32_MAX } },
		{ "hang@5", { .kind = CHIP_FAULT_HANG, .first = 5 } },
		{ "reset@6", { .kind = CHIP_FAULT_RESET, .first = 6 } },
		{ "refuse@1/1", { .kind = CHIP_FAULT_REFUSE, .first = 1, .every = 1 } },
		{ "delay@3:250us", { .kind = CHIP_FAULT_DELAY, .first = 3, .delay_ns = 250000 } },
		{ "delay@3/4*5:6ms",
		  { .kind = CHIP_FAULT_DELAY,
		    .first = 3,
		    .every = 4,
		    .count = 5,
		    .delay_ns = 6000000 } },
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		struct chip_fault got;

		memset(&got, 0xee, sizeof(got));
		assert_ok(chip_fault_parse(specs[i].text, &got));
		assert_int_equal(got.kind, specs[i].want.kind);
		assert_int_equal(got.first, specs[i].want.first);
		assert_int_equal(got.every, specs[i].want.every);
		assert_int_equal(got.count, specs[i].want.count);
		assert_int_equal(got.delay_ns, specs[i].want.delay_ns);
	}
}

static void bad_specs_are_refused(void **state)
{
	static const char *const specs[] = {
		"",
		"@1",
		"drop",
		"drop@",
		"drop@0",
		"drop@-1",
		"drop@+1",
		"drop@ 1",
		"drop@1 ",
		"drop@0x1",
		"drop @1",
		"Drop@1",
		"dro@1",
		"drops@1",
		"drop@1@2",
		"drop@1/",
		"drop@1/0",
		"drop@1/2*",
		"drop@1/2*0",
		"drop@1*2",
		"drop@1/2*4294967296",
		"drop@18446744073709551616",
		"drop@1/99999999999999999999",
		"drop@1:5us",
		"delay@1",
		"delay@1:",
		"delay@1:5",
		"delay@1:5s",
		"delay@1:5ns",
		"delay@1:us",
		"delay@1:0us",
		"delay@1:5usx",
		"delay@1:5us/2",
		"delay@1:18446744073710ms",
	};
	struct chip_fault fault = { .kind = 77 };
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(specs) / sizeof(specs[0]); i++)
		if (chip_fault_parse(specs[i], &fault) != -EINVAL)
			fail_msg("\"%s\" was read", specs[i]);
	assert_int_equal(fault.kind, 77);
}

static void senseless_faults_are_refused(void **state)
{
	static const struct chip_fault bad[] = {
		{ .kind = 0, .first = 1 },
		{ .kind = CHIP_FAULT_REFUSE + 1, .first = 1 },
		{ .kind = CHIP_FAULT_DROP, .first = 0 },
		{ .kind = CHIP_FAULT_DELAY, .first = 1 },
		{ .kind = CHIP_FAULT_DROP, .first = 1, .delay_ns = 1 },
	};
	static const struct chip_fault many[CHIP_FAULTS_MAX + 1];
	struct chip_config config = { .nr_faults = 1 };
	struct chip *chip;
	struct rig rig;
	unsigned int i;

	(void)state;
	FOR_EACH_MODEL(m)
	{
		rig_open(&rig, m);
		chip_dma_use_own_memory(&config);
		for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
			assert_int_equal(chip_inject(rig.chip, &bad[i]), -EINVAL);
			config.faults = &bad[i];
			config.nr_faults = 1;
			assert_int_equal(chip_create(chip_find_model(models[m]), &config, &chip),
					 -EINVAL);
		}
		config.faults = many;
		config.nr_faults = CHIP_FAULTS_MAX + 1;
		assert_int_equal(chip_create(chip_find_model(models[m]), &config, &chip), -EINVAL);
		check_chip_works(&rig);
		rig_close(&rig);
	}
}

static void faults_strike_by_number(void **state)
{
	static const struct {
		const char *text;
		uint32_t slots;
	} cases[] = {
		{ "error@1", 0x001 },	  { "error@4", 0x008 },	    { "error@13", 0x000 },
		{ "error@2/3", 0x492 },	  { "error@2/3*2", 0x012 }, { "error@1/1", 0xfff },
		{ "error@3/1*3", 0x01c }, { "error@12/5", 0x800 },
	};
	struct chip_fault fault;
	struct chip_config config = { .faults = &fault, .nr_faults = 1 };
	struct rig rig;
	struct user u;
	unsigned int i;

	(void)state;
	FOR_EACH_MODEL(m)
	{
		for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			assert_ok(chip_fault_parse(cases[i].text, &fault));
			rig_open_with(&rig, m, config);
			/* Copied: what becomes of the array is nothing to the chip. */
			memset(&fault, 0, sizeof(fault));
			user_open(&rig, &u);
			send_all(&u, 12);
			assert_int_equal(errors_of(&u, 12), cases[i].slots);
			user_close(&u);
			rig_close(&rig);
		}
	}
}

static void faults_count_from_when_they_are_set(void **state)
{
	struct user u, other;
	struct rig rig;

	(void)state;
	FOR_EACH_MODEL(m)
	{
		rig_open(&rig, m);
		check_chip_works(&rig);
		user_open(&rig, &u);
		user_open(&rig, &other);
		inject(&rig, "error@4");
		/* All queues count. */
		send_all(&u, 2);
		assert_int_equal(errors_of(&u, 2), 0);
		inject(&rig, "error@3");
		send_all(&other, 6);
		assert_int_equal(errors_of(&other, 6), 0x06);
		user_close(&u);
		user_close(&other);
		rig_close(&rig);
	}
}

static void spent_faults_make_room(void **state)
{
	const struct chip_fault soon = { .kind = CHIP_FAULT_ERROR, .first = 1 };
	const struct chip_fault late = { .kind = CHIP_FAULT_ERROR, .first = 1000 };
	struct rig rig;
	struct user u;
	unsigned int i;

	(void)state;
	FOR_EACH_MODEL(m)
	{
		rig_open(&rig, m);
		user_open(&rig, &u);
		for (i = 0; i < CHIP_FAULTS_MAX - 1; i++)
			assert_ok(chip_inject(rig.chip, &late));
		assert_ok(chip_inject(rig.chip, &soon));
		assert_int_equal(chip_inject(rig.chip, &soon), -ENOSPC);
		send_all(&u, 1);
		assert_int_equal(errors_of(&u, 1), 1);
		assert_ok(chip_inject(rig.chip, &late));
		assert_int_equal(chip_inject(rig.chip, &soon), -ENOSPC);
		user_close(&u);
		rig_close(&rig);
	}
}

/* ---- each kind */

static void drop_leaves_no_completion(void **state)
{
	struct chip_counters c;
	struct rig rig;
	struct user u;

	(void)state;
	FOR_EACH_MODEL(m)
	{
		rig_open(&rig, m);
		user_open(&rig, &u);
		inject(&rig, "drop@2");
		send_all(&u, 3);
		assert_int_equal(run(&u, 8), 3);
		assert_int_equal(take_all(&u), 0x5);
		/* It was done, and what tells of it was not written. */
		assert_true(is_right(&u, 1));
		assert_int_equal(produced(&u, 1), 0);
		assert_int_equal(u.record[1].status, DUMMY_ST_NONE);
		assert_false(has_work(&u));
		c = counters(&rig);
		assert_int_equal(c.requests, 3);
		assert_int_equal(c.completions, 2);
		assert_int_equal(c.errors, 0);
		user_close(&u);
		rig_close(&rig);
	}
}

static void duplicate_completes_twice(void **state)
{
	uint32_t slot, i, nr[4] = { 0 };
	struct rig rig;
	struct user u;

	(void)state;
	FOR_EACH_MODEL(m)
	{
		memset(nr, 0, sizeof(nr));
		rig_open(&rig, m);
		user_open(&rig, &u);
		inject(&rig, "duplicate@2");
		send_all(&u, 4);
		for (i = 0; i < 4; i++) {
			assert_int_equal(run(&u, 1), 1);
			while (take(&u, &slot))
				nr[slot]++;
		}
		assert_int_equal(nr[0], 1);
		assert_int_equal(nr[1], 2);
		assert_int_equal(nr[2], 1);
		assert_int_equal(nr[3], 1);
		assert_int_equal(counters(&rig).requests, 4);
		assert_int_equal(counters(&rig).completions, 5);
		user_close(&u);
		rig_close(&rig);
	}
}

/* A full CQ has no room for the second one. */
static void duplicate_respects_the_ring(void **state)
{
	struct rig rig;
	struct user u;

	(void)state;
	rig_open(&rig, 0);
	user_open(&rig, &u);
	inject(&rig, "duplicate@15");
	send_all(&u, 15);
	assert_int_equal(run(&u, 100), 15);
	assert_int_equal(take_all(&u), 0x7fff);
	user_close(&u);
	rig_close(&rig);
}

static void corrupt_completion_names_another(void **state)
{
	uint32_t slot;
	struct rig rig;
	struct user u;

	(void)state;
	FOR_EACH_MODEL(m)
	{
		rig_open(&rig, m);
		user_open(&rig, &u);
		inject(&rig, "corrupt-completion@1/1*2");
		send_all(&u, 3);
		assert_int_equal(run(&u, 8), 3);
		if (rig.is_zip) {
			assert_true(take(&u, &slot));
			assert_int_equal(slot, 1);
			assert_true(take(&u, &slot));
			assert_true(slot >= DEPTH);
			assert_true(take(&u, &slot));
			assert_int_equal(slot, 2);
		} else {
			assert_int_equal(le32toh(u.record[0].tag), 101);
			assert_int_equal(le32toh(u.record[1].tag), ~101u);
			assert_int_equal(le32toh(u.record[2].tag), 102);
			assert_int_equal(take_all(&u), 7);
		}
		assert_true(is_right(&u, 0) && is_right(&u, 1));
		user_close(&u);
		rig_close(&rig);
	}
}

static void corrupt_result_exceeds_the_buffers(void **state)
{
	struct rig rig;
	struct user u;

	(void)state;
	FOR_EACH_MODEL(m)
	{
		rig_open(&rig, m);
		user_open(&rig, &u);
		inject(&rig, "corrupt-result@1/1*2");
		send_all(&u, 3);
		assert_int_equal(run(&u, 8), 3);
		assert_int_equal(take_all(&u), 7);
		assert_int_equal(produced(&u, 0), rig.is_zip ? ROOM + 1 : BYTES + 1);
		assert_int_equal(produced(&u, 1), UINT32_MAX);
		assert_true(produced(&u, 2) <= BYTES);
		if (rig.is_zip) {
			assert_int_equal(bytes_get_le32(zip_sqe(&u, 0)), BYTES + 1);
			assert_int_equal(bytes_get_le32(zip_sqe(&u, 1)), UINT32_MAX);
		}
		assert_int_equal(status_of(&u, 0) | status_of(&u, 1), 0);
		assert_true(counters(&rig).bytes_out <= 3 * BYTES);
		user_close(&u);
		rig_close(&rig);
	}
}

static unsigned int count_bits(const uint8_t *a, const uint8_t *b, uint32_t bytes)
{
	unsigned int n = 0;

	while (bytes--)
		n += (unsigned int)__builtin_popcount(*a++ ^ *b++);
	return n;
}

static void corrupt_output_differs_by_one_bit(void **state)
{
	uint32_t bytes;
	struct rig rig;
	struct user u;

	(void)state;
	FOR_EACH_MODEL(m)
	{
		rig_open(&rig, m);
		user_open(&rig, &u);
		inject(&rig, "corrupt-output@2");
		send_all(&u, 2);
		assert_int_equal(run(&u, 8), 2);
		assert_int_equal(take_all(&u), 3);
		assert_int_equal(status_of(&u, 1), status_of(&u, 0));
		bytes = produced(&u, 0);
		assert_int_equal(produced(&u, 1), bytes);
		assert_int_equal(count_bits(u.out[0], u.out[1], ROOM), 1);
		assert_int_not_equal(u.out[0][bytes / 2], u.out[1][bytes / 2]);
		assert_true(is_right(&u, 0));
		user_close(&u);
		rig_close(&rig);
	}
}

/* A block of two entries and one more block, each of half of what is at @p. */
static void put_sgl(uint8_t sgl[2][128], uint8_t *p, uint32_t bytes)
{
	memset(sgl, 0, 2 * 128);
	put_addr(sgl[0], sgl[1]);
	bytes_put_le16(sgl[0] + 10, 1);
	put_addr(sgl[0] + 64, p);
	bytes_put_le32(sgl[0] + 64 + 16, bytes / 2 - 100);
	bytes_put_le16(sgl[1] + 10, 1);
	put_addr(sgl[1] + 64, p + bytes / 2 - 100);
	bytes_put_le32(sgl[1] + 64 + 16, bytes / 2 + 100);
}

/* Inflate, into a scatter list: the bit is in the list's second block. */
static void corrupt_output_finds_its_way_through_a_list(void **state)
{
	_Alignas(64) static uint8_t src_sgl[2][128], dst_sgl[2][128];
	struct user deflate, u;
	struct rig rig;
	uint32_t bytes;
	uint8_t *sqe;

	(void)state;
	rig_open(&rig, 0);
	user_open(&rig, &deflate);
	send_all(&deflate, 1);
	assert_int_equal(run(&deflate, 1), 1);
	bytes = produced(&deflate, 0);
	user_open_as(&rig, &u, 1);
	put_sgl(src_sgl, deflate.out[0], bytes);
	put_sgl(dst_sgl, u.out[0], BYTES);
	inject(&rig, "corrupt-output@1");
	zip_send(&u, src_sgl, bytes & ~1u);
	sqe = zip_sqe(&u, 0);
	bytes_put_le32(src_sgl[1] + 64 + 16, bytes);
	bytes_put_le32(sqe + 16, bytes);
	bytes_put_le32(sqe + 36, 0x4101);
	bytes_put_le32(sqe + 56, BYTES);
	put_addr(sqe + 80, dst_sgl);
	assert_int_equal(run(&u, 1), 1);
	assert_int_equal(status_of(&u, 0), 0);
	assert_int_equal(produced(&u, 0), BYTES);
	assert_int_equal(count_bits(u.out[0], rig.in, BYTES), 1);
	assert_int_not_equal(u.out[0][BYTES / 2], rig.in[BYTES / 2]);
	user_close(&u);
	user_close(&deflate);
	rig_close(&rig);
}

static void corrupt_output_of_the_other_memory_operations(void **state)
{
	struct dummy_desc fill = { .opcode = DUMMY_OP_FILL, .len = htole64(999) };
	struct dummy_desc crc = { .opcode = DUMMY_OP_CRC32, .len = htole64(BYTES) };
	struct dummy_desc bad = { .opcode = 99 };
	uint8_t zeros[ROOM] = { 0 };
	struct rig rig;
	struct user u;

	(void)state;
	rig_open(&rig, 1);
	user_open(&rig, &u);
	inject(&rig, "corrupt-output@1/1");
	fill.dst = htole64((uintptr_t)u.out[0]);
	crc.src = htole64((uintptr_t)rig.in);
	dummy_send(&u, 0, fill);
	dummy_send(&u, 1, crc);
	dummy_send(&u, 2, (struct dummy_desc){ .opcode = DUMMY_OP_NOP });
	dummy_send(&u, 3, bad);
	assert_int_equal(run(&u, 8), 4);
	assert_int_equal(take_all(&u), 0xf);
	assert_int_equal(count_bits(u.out[0], zeros, ROOM), 1);
	assert_int_not_equal(u.out[0][499], 0);
	assert_int_equal(__builtin_popcount(le32toh(u.record[1].crc) ^
					    (uint32_t)crc32(0, rig.in, BYTES)),
			 1);
	assert_int_equal(u.record[2].status, DUMMY_ST_DONE);
	assert_int_equal(u.record[3].error, DUMMY_ERR_OPCODE);
	user_close(&u);
	rig_close(&rig);
}

static void error_does_nothing_and_says_so(void **state)
{
	uint8_t zeros[ROOM] = { 0 };
	struct chip_counters c;
	struct rig rig;
	struct user u;

	(void)state;
	FOR_EACH_MODEL(m)
	{
		rig_open(&rig, m);
		user_open(&rig, &u);
		inject(&rig, "error@2");
		send_all(&u, 3);
		assert_int_equal(run(&u, 8), 3);
		assert_int_equal(take_all(&u), 7);
		/* Codes that no description has. */
		assert_int_equal(status_of(&u, 1), rig.is_zip ? 0x7f : 0xff);
		assert_int_equal(produced(&u, 1), 0);
		assert_memory_equal(u.out[1], zeros, ROOM);
		assert_true(is_right(&u, 0) && is_right(&u, 2));
		c = counters(&rig);
		assert_int_equal(c.errors, 1);
		assert_int_equal(c.completions, 3);
		assert_int_equal(c.bytes_in, 2 * BYTES);
		user_close(&u);
		rig_close(&rig);
	}
}

static void hang_ends_with_reset(void **state)
{
	struct rig rig;
	struct user u, other;

	(void)state;
	FOR_EACH_MODEL(m)
	{
		rig_open(&rig, m);
		user_open(&rig, &u);
		user_open(&rig, &other);
		inject(&rig, "hang@2");
		send_all(&u, 3);
		send_all(&other, 1);
		assert_int_equal(run(&u, 8), 1);
		/* All queues, and no time when it would be over. */
		assert_int_equal(run(&u, 8), 0);
		assert_int_equal(run(&other, 8), 0);
		assert_false(has_work(&u) || has_work(&other));
		assert_int_equal(due_ns(&u), 0);
		assert_int_equal(take_all(&u), 1);
		assert_int_equal(take_all(&other), 0);
		assert_false(is_told_of_reset(&u));
		rig.chip->ops->reset(rig.chip);
		assert_true(is_told_of_reset(&u) && is_told_of_reset(&other));
		assert_false(has_work(&u) || has_work(&other));
		assert_int_equal(run(&u, 8), 0);
		check_chip_works(&rig);
		user_close(&u);
		user_close(&other);
		rig_close(&rig);
	}
}

static void a_hung_queue_can_be_stopped(void **state)
{
	struct rig rig;
	struct user u;

	(void)state;
	FOR_EACH_MODEL(m)
	{
		rig_open(&rig, m);
		user_open(&rig, &u);
		inject(&rig, "hang@1");
		send_all(&u, 1);
		assert_int_equal(run(&u, 8), 0);
		user_close(&u);
		rig_close(&rig);
	}
}

static void chip_resets_itself(void **state)
{
	unsigned int raised_before;
	struct rig rig;
	struct user u, other;

	(void)state;
	FOR_EACH_MODEL(m)
	{
		rig_open(&rig, m);
		user_open(&rig, &u);
		user_open(&rig, &other);
		inject(&rig, "reset@2");
		send_all(&u, 3);
		send_all(&other, 1);
		assert_int_equal(run(&u, 1), 1);
		raised_before = rig.nr_raised;
		assert_int_equal(run(&u, 8), 0);
		assert_true(is_told_of_reset(&u) && is_told_of_reset(&other));
		assert_int_equal(rig.nr_raised, raised_before + 2);
		assert_int_equal(take_all(&u), 1);
		assert_false(has_work(&u) || has_work(&other));
		assert_int_equal(run(&u, 8), 0);
		assert_int_equal(run(&other, 8), 0);
		assert_int_equal(u.q->chip->ops->queue_start(u.q), -EINVAL);
		check_chip_works(&rig);
		user_close(&u);
		user_close(&other);
		rig_close(&rig);
	}
}

static void openings_are_refused(void **state)
{
	const struct chip_ops *ops;
	struct chip_queue *q[4];
	struct rig rig;

	(void)state;
	FOR_EACH_MODEL(m)
	{
		rig_open(&rig, m);
		ops = rig.chip->ops;
		check_chip_works(&rig);
		inject(&rig, "refuse@2/1*2");
		assert_ok(ops->queue_open(rig.chip, NULL, &q[0]));
		assert_int_equal(ops->queue_open(rig.chip, NULL, &q[1]), -EBUSY);
		assert_int_equal(ops->queue_open(rig.chip, NULL, &q[1]), -EBUSY);
		assert_int_equal(ops->free_queues(rig.chip), 3);
		assert_ok(ops->queue_open(rig.chip, NULL, &q[1]));
		ops->queue_close(q[0]);
		ops->queue_close(q[1]);
		check_chip_works(&rig);
		rig_close(&rig);
	}
}

static void the_record_tells_of_faults(void **state)
{
	struct chip_trace_entry entry[32];
	unsigned int i, n, nr = 0;
	struct rig rig;
	struct user u;

	(void)state;
	FOR_EACH_MODEL(m)
	{
		rig_open(&rig, m);
		user_open(&rig, &u);
		inject(&rig, "duplicate@2");
		inject(&rig, "corrupt-output@2");
		send_all(&u, 2);
		assert_int_equal(run(&u, 8), 2);
		n = chip_trace_read(rig.chip, 0, entry, 32);
		for (i = 0, nr = 0; i < n; i++) {
			if (entry[i].event != CHIP_EVENT_FAULT)
				continue;
			nr++;
			assert_int_equal(entry[i].a, 1);
			assert_int_equal(entry[i].b, 1u << CHIP_FAULT_DUPLICATE |
							     1u << CHIP_FAULT_CORRUPT_OUTPUT);
		}
		assert_int_equal(nr, 1);
		user_close(&u);
		rig_close(&rig);
	}
}

/* ---- a reset from inside, several runners */

struct runner {
	struct user u;
	pthread_barrier_t *barrier;
	pthread_t thread;
};

static void *run_to_the_end(void *arg)
{
	struct runner *r = arg;

	pthread_barrier_wait(r->barrier);
	while (run(&r->u, 2) > 0)
		;
	return NULL;
}

static void run_both(struct runner *r)
{
	pthread_barrier_t barrier;
	unsigned int i;

	assert_ok(pthread_barrier_init(&barrier, NULL, 2));
	for (i = 0; i < 2; i++) {
		r[i].barrier = &barrier;
		assert_ok(pthread_create(&r[i].thread, NULL, run_to_the_end, &r[i]));
	}
	for (i = 0; i < 2; i++)
		pthread_join(r[i].thread, NULL);
	pthread_barrier_destroy(&barrier);
}

static void runners_meet_resets_together(void **state)
{
	/* One for both, and one each. */
	static const char *const faults[] = { "reset@6", "reset@5/1*2", "reset@1/1*2" };
	enum {
		ROUNDS = 50
	};
	unsigned int round, i;
	struct runner r[2];
	struct rig rig;

	(void)state;
	FOR_EACH_MODEL(m)
	{
		rig_open(&rig, m);
		for (round = 0; round < ROUNDS; round++) {
			for (i = 0; i < 2; i++) {
				user_open(&rig, &r[i].u);
				send_all(&r[i].u, 8);
			}
			inject(&rig, faults[round % 3]);
			run_both(r);
			for (i = 0; i < 2; i++) {
				assert_true(is_told_of_reset(&r[i].u));
				assert_false(has_work(&r[i].u));
				user_close(&r[i].u);
			}
			/* What no request met strikes here at the latest. */
			user_open(&rig, &r[0].u);
			send_all(&r[0].u, 8);
			run(&r[0].u, 8);
			user_close(&r[0].u);
			check_chip_works(&rig);
		}
		rig_close(&rig);
	}
}

struct stopper {
	struct user *u;
	_Atomic uint32_t is_over;
};

static void *reset_again_and_again(void *arg)
{
	struct stopper *s = arg;

	while (!wd_load_acquire(&s->is_over)) {
		s->u->q->chip->ops->reset(s->u->q->chip);
		wait_yield();
	}
	return NULL;
}

/* From inside and outside at once, while the owner opens, runs and stops. */
static void resets_from_both_sides(void **state)
{
	enum {
		ROUNDS = 200
	};
	struct stopper s = { 0 };
	struct user keep, u;
	pthread_t thread;
	unsigned int round;
	struct rig rig;

	(void)state;
	FOR_EACH_MODEL(m)
	{
		rig_open(&rig, m);
		user_open(&rig, &keep);
		inject(&rig, "reset@3/3");
		inject(&rig, "hang@7/7");
		s.u = &keep;
		wd_store_relaxed(&s.is_over, 0);
		assert_ok(pthread_create(&thread, NULL, reset_again_and_again, &s));
		for (round = 0; round < ROUNDS; round++) {
			user_open(&rig, &u);
			send_all(&u, 4);
			run(&u, 8);
			assert_int_equal(take_all(&u) & ~0xfu, 0);
			user_close(&u);
		}
		wd_store_release(&s.is_over, 1);
		pthread_join(thread, NULL);
		user_close(&keep);
		rig_close(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(specs_are_read),
		cmocka_unit_test(bad_specs_are_refused),
		cmocka_unit_test(senseless_faults_are_refused),
		cmocka_unit_test(faults_strike_by_number),
		cmocka_unit_test(faults_count_from_when_they_are_set),
		cmocka_unit_test(spent_faults_make_room),
		cmocka_unit_test(drop_leaves_no_completion),
		cmocka_unit_test(duplicate_completes_twice),
		cmocka_unit_test(duplicate_respects_the_ring),
		cmocka_unit_test(corrupt_completion_names_another),
		cmocka_unit_test(corrupt_result_exceeds_the_buffers),
		cmocka_unit_test(corrupt_output_differs_by_one_bit),
		cmocka_unit_test(corrupt_output_finds_its_way_through_a_list),
		cmocka_unit_test(corrupt_output_of_the_other_memory_operations),
		cmocka_unit_test(error_does_nothing_and_says_so),
		cmocka_unit_test(hang_ends_with_reset),
		cmocka_unit_test(a_hung_queue_can_be_stopped),
		cmocka_unit_test(chip_resets_itself),
		cmocka_unit_test(openings_are_refused),
		cmocka_unit_test(the_record_tells_of_faults),
		cmocka_unit_test(runners_meet_resets_together),
		cmocka_unit_test(resets_from_both_sides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

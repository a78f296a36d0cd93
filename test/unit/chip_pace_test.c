/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Chip models that take their time, and runs that have little of it: delays, pace,
 * and the workers who must neither spin nor oversleep.
 */
#include <errno.h>

#include "test/unit/chip_rig.h"

/* ---- delays */

static void delays_hold_requests_back(void **state)
{
	const struct chip_config config = { .delay_ns = 2 * WAIT_NS_PER_MS,
					    .delay_ns_per_kib = WAIT_NS_PER_MS };
	uint64_t before, after, due;
	unsigned int i;
	struct rig rig;
	struct user u;

	(void)state;
	FOR_EACH_MODEL(m)
	{
		rig_open_with(&rig, m, config);
		user_open(&rig, &u);
		assert_false(has_work(&u));
		assert_int_equal(due_ns(&u), 0);
		send_all(&u, 2);
		assert_true(has_work(&u));
		/* Nobody has looked yet; so who cannot look himself is told to try. */
		assert_true(due_ns(&u) && due_ns(&u) < wait_clock_ns());
		for (i = 0; i < 2; i++) {
			before = wait_clock_ns();
			assert_int_equal(run(&u, 8), i);
			after = wait_clock_ns();
			due = due_ns(&u);
			/* 2 ms, and 1 ms for each KiB of 4. */
			assert_in_range(due, before + 6 * WAIT_NS_PER_MS,
					after + 6 * WAIT_NS_PER_MS);
			if (wait_clock_ns() < due)
				assert_int_equal(run(&u, 8), 0);
			assert_int_equal(take_all(&u), i ? 1u << (i - 1) : 0);
			wait_until(due);
			assert_true(has_work(&u));
			assert_int_equal(due_ns(&u), due);
		}
		assert_int_equal(run(&u, 8), 1);
		assert_int_equal(take_all(&u), 2);
		assert_int_equal(due_ns(&u), 0);
		assert_false(has_work(&u));
		assert_true(is_right(&u, 0) && is_right(&u, 1));
		assert_int_equal(counters(&rig).completions, 2);
		user_close(&u);
		rig_close(&rig);
	}
}

static void a_delay_holds_its_queue_alone(void **state)
{
	const struct chip_fault fault = { .kind = CHIP_FAULT_DELAY,
					  .first = 2,
					  .delay_ns = FAR_OFF };
	uint64_t start = wait_clock_ns();
	struct rig rig;
	struct user u, other;

	(void)state;
	FOR_EACH_MODEL(m)
	{
		rig_open(&rig, m);
		user_open(&rig, &u);
		user_open(&rig, &other);
		assert_ok(chip_inject(rig.chip, &fault));
		send_all(&u, 3);
		assert_int_equal(run(&u, 8), 1);
		assert_int_equal(run(&u, 8), 0);
		assert_false(has_work(&u));
		assert_true(due_ns(&u) >= start + FAR_OFF);
		send_all(&other, 3);
		assert_true(has_work(&other));
		assert_int_equal(run(&other, 8), 3);
		assert_int_equal(take_all(&u), 1);
		/* Not later than the queue's end. */
		u.q->chip->ops->queue_stop(u.q);
		assert_int_equal(due_ns(&u), 0);
		user_close(&u);
		user_close(&other);
		rig_close(&rig);
	}
}

/* However long, it is a time to come. */
static void delays_do_not_overflow(void **state)
{
	struct chip_config config = { .delay_ns = UINT64_MAX, .delay_ns_per_kib = UINT64_MAX };
	struct rig rig;
	struct user u;

	(void)state;
	FOR_EACH_MODEL(m)
	{
		rig_open_with(&rig, m, config);
		user_open(&rig, &u);
		send_all(&u, 1);
		assert_int_equal(run(&u, 8), 0);
		assert_false(has_work(&u));
		assert_true(due_ns(&u) == UINT64_MAX);
		rig.chip->ops->reset(rig.chip);
		assert_int_equal(due_ns(&u), 0);
		user_close(&u);
		rig_close(&rig);
	}
}

/* A slot that is held back is the device's: flipped again, it is still served once. */
static void a_held_slot_is_the_devices(void **state)
{
	const struct chip_config config = { .delay_ns = WAIT_NS_PER_MS };
	struct rig rig;
	struct user u;

	(void)state;
	rig_open_with(&rig, 1, config);
	user_open(&rig, &u);
	send_all(&u, 1);
	assert_int_equal(run(&u, 8), 0);
	dummy_copy(&u, 0, 10);
	wait_until(due_ns(&u));
	assert_int_equal(run(&u, 8), 1);
	assert_false(has_work(&u));
	assert_int_equal(due_ns(&u), 0);
	assert_int_equal(take_all(&u), 1);
	assert_int_equal(produced(&u, 0), BYTES);
	user_close(&u);
	rig_close(&rig);
}

/* ---- pace */

static int run_paced(struct user *u, unsigned int budget, uint64_t long_ns)
{
	const struct chip_pace pace = { .long_ns = long_ns };

	return u->q->chip->ops->queue_run(u->q, budget, &pace);
}

/* The least long_ns with which a run does @nr requests of @model. */
static uint64_t find_pace(unsigned int m, unsigned int nr)
{
	uint64_t low = 0, high = 1ull << 40;

	while (high - low > 1) {
		uint64_t middle = low + (high - low) / 2;
		struct rig rig;
		struct user u;

		rig_open(&rig, m);
		user_open(&rig, &u);
		send_all(&u, nr);
		*(run_paced(&u, nr, middle) == (int)nr ? &high : &low) = middle;
		user_close(&u);
		rig_close(&rig);
	}
	return high;
}

static void long_requests_are_left(void **state)
{
	uint64_t one_ns;
	struct rig rig;
	struct user u;

	(void)state;
	FOR_EACH_MODEL(m)
	{
		one_ns = find_pace(m, 1);
		/* 4 KiB: neither nothing nor a lifetime. */
		assert_in_range(one_ns, 50, 10 * WAIT_NS_PER_MS);
		rig_open(&rig, m);
		user_open(&rig, &u);
		send_all(&u, 8);
		assert_int_equal(run_paced(&u, 8, one_ns - 1), -E2BIG);
		assert_true(has_work(&u));
		assert_int_equal(take_all(&u), 0);
		/* The run as a whole is measured. */
		assert_int_equal(run_paced(&u, 8, one_ns), 1);
		assert_int_equal(run_paced(&u, 8, 3 * one_ns - 1), 2);
		assert_int_equal(run_paced(&u, 1, 3 * one_ns), 1);
		assert_int_equal(run_paced(&u, 8, one_ns - 1), -E2BIG);
		assert_int_equal(run_paced(&u, 1, 0), 1);
		assert_int_equal(run(&u, 8), 3);
		assert_int_equal(take_all(&u), 0xff);
		assert_int_equal(run_paced(&u, 8, 1), 0);
		assert_int_equal(counters(&rig).requests, 8);
		user_close(&u);
		rig_close(&rig);
	}
}

/* A fault counts a request once, however often a run leaves it. */
static void what_pace_leaves_is_counted_once(void **state)
{
	struct rig rig;
	struct user u;

	(void)state;
	FOR_EACH_MODEL(m)
	{
		rig_open(&rig, m);
		user_open(&rig, &u);
		inject(&rig, "error@2");
		send_all(&u, 3);
		assert_int_equal(run_paced(&u, 8, 1), -E2BIG);
		assert_int_equal(run_paced(&u, 8, 1), -E2BIG);
		assert_int_equal(errors_of(&u, 3), 2);
		user_close(&u);
		rig_close(&rig);
	}
}

static void larger_requests_take_longer(void **state)
{
	static const uint32_t sizes[] = { 1, 100, 5000, 100000, 8000000 };
	const uint64_t limit = 5 * WAIT_NS_PER_MS;
	uint8_t *big = zeroed(8000000);
	struct rig rig;
	struct user u;
	unsigned int i;

	(void)state;
	rig_open(&rig, 0);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		user_open(&rig, &u);
		zip_send(&u, big, sizes[i]);
		/* Too little room ends it early: only the estimate knows that. */
		assert_int_equal(run_paced(&u, 1, limit), sizes[i] < 1000000 ? 1 : -E2BIG);
		user_close(&u);
	}
	/* By far the slowest level. */
	user_open(&rig, &u);
	zip_send(&u, big, 100000);
	bytes_put_le32(zip_sqe(&u, 0) + 36, 0xb4001);
	assert_int_equal(run_paced(&u, 1, limit), -E2BIG);
	/* What is refused takes no time. */
	bytes_put_le32(zip_sqe(&u, 0) + 28, 0);
	assert_int_equal(run_paced(&u, 1, 1), 1);
	user_close(&u);
	/* Little input, but much room; much input, but little room. */
	user_open_as(&rig, &u, 1);
	zip_send(&u, big, 100);
	bytes_put_le32(zip_sqe(&u, 0) + 56, 8000000);
	put_addr(zip_sqe(&u, 0) + 80, big);
	assert_int_equal(run_paced(&u, 1, limit), 1);
	zip_send(&u, big, 8000000);
	assert_int_equal(run_paced(&u, 1, limit), -E2BIG);
	user_close(&u);
	rig_close(&rig);
	free(big);
}

/* ---- workers */

struct looks {
	struct chip_ops ops;
	const struct chip_ops *below;
	_Atomic uint64_t nr;
};

static struct looks looks;

static bool count_look(struct chip_queue *q)
{
	atomic_fetch_add(&looks.nr, 1);
	return looks.below->queue_has_work(q);
}

/* Has the looks for work counted from here on. */
static void count_looks(struct chip *chip)
{
	looks.ops = *chip->ops;
	looks.below = chip->ops;
	looks.ops.queue_has_work = count_look;
	atomic_store(&looks.nr, 0);
	chip->ops = &looks.ops;
}

static uint32_t take_until(struct user *u, uint32_t slots)
{
	uint64_t deadline = wait_clock_ns() + DEADLINE;
	uint32_t got = 0;

	while ((got |= take_all(u)) != slots && wait_clock_ns() < deadline)
		wait_yield();
	return got;
}

/* One doorbell and one kick: the workers wake by themselves for what comes due. */
static void workers_come_back_when_due(void **state)
{
	const struct chip_config config = { .delay_ns = WAIT_NS_PER_MS };
	const struct chip_workers_config pool = { .nr_threads = 2, .spin_ns = 1000 };
	struct chip_workers *workers;
	struct user u[2];
	struct rig rig;
	unsigned int i;

	(void)state;
	FOR_EACH_MODEL(m)
	{
		rig_open_with(&rig, m, config);
		assert_ok(chip_workers_create(&pool, &workers));
		for (i = 0; i < 2; i++) {
			user_open(&rig, &u[i]);
			assert_ok(chip_workers_add(workers, u[i].q));
			send_all(&u[i], 5);
			chip_workers_kick(workers);
		}
		for (i = 0; i < 2; i++) {
			assert_int_equal(take_until(&u[i], 0x1f), 0x1f);
			chip_workers_remove(workers, u[i].q);
			user_close(&u[i]);
		}
		chip_workers_destroy(workers);
		rig_close(&rig);
	}
}

/* Work that is held back, or a chip that hangs, is no reason to look around. */
static void workers_sleep_while_work_is_held_back(void **state)
{
	static const char *const faults[] = { "delay@1:1000000ms", "hang@1" };
	const struct chip_workers_config pool = { .nr_threads = 2, .spin_ns = 1000 };
	struct chip_workers *workers;
	uint64_t deadline, seen;
	unsigned int i;
	struct rig rig;
	struct user u;

	(void)state;
	FOR_EACH_MODEL(m)
	{
		for (i = 0; i < 2; i++) {
			rig_open(&rig, m);
			inject(&rig, faults[i]);
			count_looks(rig.chip);
			user_open(&rig, &u);
			assert_ok(chip_workers_create(&pool, &workers));
			assert_ok(chip_workers_add(workers, u.q));
			send_all(&u, 1);
			chip_workers_kick(workers);
			deadline = wait_clock_ns() + DEADLINE;
			do {
				assert_true(wait_clock_ns() < deadline);
				seen = atomic_load(&looks.nr);
				wait_until(wait_clock_ns() + 20 * WAIT_NS_PER_MS);
			} while (atomic_load(&looks.nr) != seen || !seen || has_work(&u));
			chip_workers_remove(workers, u.q);
			chip_workers_destroy(workers);
			user_close(&u);
			rig_close(&rig);
		}
	}
}

/* Faults are set while workers are at it; each strikes one request and no other. */
static void faults_are_set_at_work(void **state)
{
	enum {
		ROUNDS = 40
	};
	const struct chip_workers_config pool = { .nr_threads = 2, .spin_ns = 1000 };
	struct chip_workers *workers;
	unsigned int round, i;
	struct user u[2];
	struct rig rig;

	(void)state;
	FOR_EACH_MODEL(m)
	{
		rig_open(&rig, m);
		assert_ok(chip_workers_create(&pool, &workers));
		for (i = 0; i < 2; i++) {
			user_open(&rig, &u[i]);
			assert_ok(chip_workers_add(workers, u[i].q));
		}
		for (round = 0; round < ROUNDS; round++) {
			inject(&rig, round % 2 ? "error@3" : "delay@2:50us");
			for (i = 0; i < 2; i++) {
				u[i].tail = rig.is_zip ? u[i].tail : 0;
				if (rig.is_zip)
					zip_send(&u[i], rig.in, BYTES);
				else
					dummy_copy(&u[i], 0, BYTES);
				chip_workers_kick(workers);
			}
			for (i = 0; i < 2; i++) {
				uint32_t slot = rig.is_zip ? round % DEPTH : 0;

				assert_int_equal(take_until(&u[i], 1u << slot), 1u << slot);
			}
		}
		for (i = 0; i < 2; i++) {
			chip_workers_remove(workers, u[i].q);
			user_close(&u[i]);
		}
		chip_workers_destroy(workers);
		/* "error@3" of a round is met by the first request of the next. */
		assert_int_equal(counters(&rig).requests, 2 * ROUNDS);
		assert_int_equal(counters(&rig).completions, 2 * ROUNDS);
		assert_int_equal(counters(&rig).errors, ROUNDS / 2 - 1);
		rig_close(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delays_hold_requests_back),
		cmocka_unit_test(a_delay_holds_its_queue_alone),
		cmocka_unit_test(delays_do_not_overflow),
		cmocka_unit_test(a_held_slot_is_the_devices),
		cmocka_unit_test(long_requests_are_left),
		cmocka_unit_test(what_pace_leaves_is_counted_once),
		cmocka_unit_test(larger_requests_take_longer),
		cmocka_unit_test(workers_come_back_when_due),
		cmocka_unit_test(workers_sleep_while_work_is_held_back),
		cmocka_unit_test(faults_are_set_at_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* The pure functions of base, and park and wake. */
#include <errno.h>
#include <pthread.h>

#include "base/barrier.h"
#include "base/bytes.h"
#include "base/ring.h"
#include "base/wait.h"
#include "lib/t_assert.h"

static void rings_wrap_at_any_depth(void **state)
{
	uint32_t depth, idx, phase, laps;

	(void)state;
	for (depth = 2; depth < 20; depth++) {
		phase = 1;
		idx = 0;
		for (laps = 0; laps < 3 * depth; laps++) {
			assert_int_equal(phase, 1 ^ (laps / depth & 1));
			assert_int_equal(ring_fill(0, idx, depth), idx);
			phase = ring_next_phase(phase, idx, depth);
			idx = ring_next(idx, depth);
			assert_int_equal(idx, (laps + 1) % depth);
		}
		assert_int_equal(ring_fill(depth - 1, 0, depth), 1);
		assert_int_equal(ring_fill(1, 0, depth), depth - 1);
	}
}

static void bytes_have_an_order(void **state)
{
	const uint8_t p[] = { 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99 };
	uint8_t q[4];

	(void)state;
	assert_int_equal(bytes_get_le16(p + 1), 0x3322);
	assert_int_equal(bytes_get_le32(p + 1), 0x55443322);
	assert_int_equal(bytes_get_le64(p + 1), 0x9988776655443322ull);
	bytes_put_le16(q, 0xabcd);
	assert_bytes(q, 0xcd, 0xab);
	bytes_put_le32(q, 0x01020304);
	assert_bytes(q, 4, 3, 2, 1);
	bytes_put_be32(q, 0x01020304);
	assert_bytes(q, 1, 2, 3, 4);
	assert_int_equal(bytes_bitrev32(0x00000001), 0x80000000);
	assert_int_equal(bytes_bitrev32(0xf00000a1), 0x8500000f);
	assert_int_equal(bytes_field_get(0x12345678, 8, 8), 0x56);
	assert_int_equal(bytes_field_get(0x12345678, 0, 32), 0x12345678);
}

static _Atomic uint32_t word;

static void *wake_later(void *arg)
{
	wd_store_release(&word, 1);
	wait_wake(&word);
	return arg;
}

static void who_parks_is_woken(void **state)
{
	uint64_t deadline = wait_clock_ns() + 60000 * WAIT_NS_PER_MS;
	pthread_t thread;

	(void)state;
	/* The word has changed already: no sleep. */
	assert_ok(wait_park(&word, 7, WAIT_FOREVER));
	/* A deadline that has passed. */
	assert_int_equal(wait_park(&word, 0, wait_clock_ns()), -ETIMEDOUT);
	assert_ok(pthread_create(&thread, NULL, wake_later, NULL));
	while (!wd_load_acquire(&word))
		assert_ok(wait_park(&word, 0, deadline));
	pthread_join(thread, NULL);
}

#define LOCK_ROUNDS 20000

static struct wait_mutex lock;
static unsigned int nr_locked;

static void *count_locked(void *arg)
{
	unsigned int i;

	for (i = 0; i < LOCK_ROUNDS; i++) {
		wait_mutex_lock(&lock);
		nr_locked++;
		wait_mutex_unlock(&lock);
	}
	return arg;
}

static void the_lock_lets_one_in(void **state)
{
	pthread_t thread[3];
	unsigned int i;

	(void)state;
	for (i = 0; i < 3; i++)
		assert_ok(pthread_create(&thread[i], NULL, count_locked, NULL));
	for (i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(nr_locked, 3 * LOCK_ROUNDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rings_wrap_at_any_depth),
		cmocka_unit_test(bytes_have_an_order),
		cmocka_unit_test(who_parks_is_woken),
		cmocka_unit_test(the_lock_lets_one_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

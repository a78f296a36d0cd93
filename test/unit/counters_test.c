/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* Who counts where: blocks of queues, totals of devices, more of both than there is room for. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/counters.h"
#include "core/stats_page.h"
#include "lib/t_assert.h"

#define QUEUES	1000u
#define DEVICES (STATS_DEVICES_MAX + 6u)

static char dir[] = "/tmp/wd-counters-XXXXXX";

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

/* Fails where a test left something in it. */
static int remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

static struct counters *create(const char *where)
{
	struct counters *c = NULL;

	assert_ok(counters_create_in(where, &c));
	counters_add_device(c, 1, "first");
	counters_add_device(c, 2, "second");
	return c;
}

static struct wd_counters sum_of(struct counters *c, uint32_t id, uint32_t nr_queues)
{
	struct wd_counters sum;
	uint32_t nr;

	counters_read(c, id, &sum, &nr);
	assert_int_equal(nr, nr_queues);
	return sum;
}

static void a_closed_queue_joins_its_device(void **state)
{
	struct counters *c = create(NULL);
	struct counter_block *a = counters_open(c, 1);
	struct counter_block *b = counters_open(c, 2);
	struct wd_counters sum;

	(void)state;
	assert_true(a && b && a != b);
	counter_bump(a, COUNTER_SENT, 5);
	counter_bump(a, COUNTER_RECEIVED, 3);
	counter_bump(a, COUNTER_FAILURES, 1);
	counter_bump(b, COUNTER_SENT, 7);
	sum = sum_of(c, 1, 1);
	assert_int_equal(sum.sent, 5);
	counters_close(c, a);
	sum = sum_of(c, 1, 0);
	assert_int_equal(sum.sent, 5);
	assert_int_equal(sum.received, 3);
	assert_int_equal(sum.failures, 1);
	/* The block serves another device, from nothing. */
	assert_ptr_equal(counters_open(c, 2), a);
	assert_int_equal(counter_get(a, COUNTER_SENT), 0);
	counter_bump(a, COUNTER_SENT, 1);
	assert_int_equal(sum_of(c, 2, 2).sent, 8);
	assert_int_equal(sum_of(c, 1, 0).sent, 5);
	counters_add(c, 1, COUNTER_POPULATED_PAGES, 9);
	assert_int_equal(sum_of(c, 1, 0).populated_pages, 9);
	assert_int_equal(sum_of(c, 3, 0).sent, 0);
	assert_null(counters_open(c, 3));
	counters_destroy(c);
	counters_destroy(NULL);
	counters_hide(NULL);
}

/* Each counter of the enum is the field of its name. */
static void counters_have_their_places(void **state)
{
	struct counters *c = create(NULL);
	struct counter_block *b = counters_open(c, 1);
	struct wd_counters sum;
	unsigned int i;

	(void)state;
	for (i = 0; i < COUNTERS_NR; i++)
		counter_bump(b, i, i + 1);
	sum = sum_of(c, 1, 1);
	assert_int_equal(sum.sent, COUNTER_SENT + 1);
	assert_int_equal(sum.received, COUNTER_RECEIVED + 1);
	assert_int_equal(sum.abandoned, COUNTER_ABANDONED + 1);
	assert_int_equal(sum.errors, COUNTER_ERRORS + 1);
	assert_int_equal(sum.retries, COUNTER_RETRIES + 1);
	assert_int_equal(sum.spilled, COUNTER_SPILLED + 1);
	assert_int_equal(sum.bounced_bytes, COUNTER_BOUNCED_BYTES + 1);
	assert_int_equal(sum.populated_pages, COUNTER_POPULATED_PAGES + 1);
	assert_int_equal(sum.timeouts, COUNTER_TIMEOUTS + 1);
	assert_int_equal(sum.failures, COUNTER_FAILURES + 1);
	counters_destroy(c);
}

/* What the page has no room for counts all the same, and is seen once it is closed. */
static void a_thousand_queues(void **state)
{
	struct counter_block *block[QUEUES];
	struct counters *c = create(dir);
	struct stats_page *page;
	uint64_t shown = 0;
	unsigned int i, k;

	(void)state;
	for (i = 0; i < QUEUES; i++) {
		block[i] = counters_open(c, 1 + i % 2);
		assert_non_null(block[i]);
		assert_int_equal((uintptr_t)block[i] % 128, 0);
		for (k = 0; k < COUNTERS_NR; k++)
			assert_int_equal(counter_get(block[i], k), 0);
		counter_bump(block[i], COUNTER_SENT, i + 1);
	}
	/* 1 + 3 + ... + 999, and 2 + 4 + ... + 1000 */
	assert_int_equal(sum_of(c, 1, QUEUES / 2).sent, 250000);
	assert_int_equal(sum_of(c, 2, QUEUES / 2).sent, 250500);
	assert_ok(stats_page_read(dir, getpid(), &page));
	assert_int_equal(wd_load_relaxed(&page->device[0].nr_queues), QUEUES / 2);
	for (i = 0; i < STATS_BLOCKS_MAX; i++)
		shown += counter_get(&page->block[i], COUNTER_SENT);
	assert_int_equal(shown, STATS_BLOCKS_MAX * (STATS_BLOCKS_MAX + 1) / 2);
	free(page);
	/* Every third, and each comes back from nothing; then all. */
	for (i = 0; i < QUEUES; i += 3)
		counters_close(c, block[i]);
	for (i = 0; i < QUEUES; i += 3) {
		block[i] = counters_open(c, 1 + i % 2);
		assert_non_null(block[i]);
		assert_int_equal(counter_get(block[i], COUNTER_SENT), 0);
	}
	assert_int_equal(sum_of(c, 1, QUEUES / 2).sent, 250000);
	for (i = QUEUES; i-- > 0;)
		counters_close(c, block[i]);
	assert_int_equal(sum_of(c, 1, 0).sent, 250000);
	assert_int_equal(sum_of(c, 2, 0).sent, 250500);
	assert_ok(stats_page_read(dir, getpid(), &page));
	assert_int_equal(counter_get(&page->device[0].total, COUNTER_SENT), 250000);
	assert_int_equal(counter_get(&page->device[1].total, COUNTER_SENT), 250500);
	assert_int_equal(wd_load_relaxed(&page->device[1].nr_queues), 0);
	free(page);
	counters_destroy(c);
}

static void devices_beyond_the_room_count_unseen(void **state)
{
	struct counters *c = NULL;
	struct stats_page *page;
	unsigned int i;

	(void)state;
	assert_ok(counters_create_in(dir, &c));
	for (i = 1; i <= DEVICES; i++) {
		struct counter_block *b;
		char name[WD_DEVICE_NAME_MAX + 20];

		/* A name too long is cut, as everywhere. */
		snprintf(name, sizeof(name), "%u-%060u", i, i);
		counters_add_device(c, i, name);
		b = counters_open(c, i);
		assert_non_null(b);
		counter_bump(b, COUNTER_SENT, i);
		counters_close(c, b);
		counters_add(c, i, COUNTER_SENT, 1);
	}
	for (i = 1; i <= DEVICES; i++)
		assert_int_equal(sum_of(c, i, 0).sent, i + 1);
	assert_ok(stats_page_read(dir, getpid(), &page));
	for (i = 0; i < STATS_DEVICES_MAX; i++) {
		assert_int_equal(wd_load_relaxed(&page->device[i].total.device_id), i + 1);
		assert_int_equal(strlen(page->device[i].name), WD_DEVICE_NAME_MAX - 1);
	}
	free(page);
	counters_destroy(c);
}

#define READS  300u
#define FOLDS  300u
#define WRITER 2u

static _Atomic uint32_t is_over;

static void *send_and_receive(void *arg)
{
	struct counter_block *b = arg;

	while (!wd_load_acquire(&is_over)) {
		counter_bump(b, COUNTER_SENT, 3);
		counter_bump(b, COUNTER_RECEIVED, 2);
		counter_bump(b, COUNTER_ABANDONED, 1);
	}
	return NULL;
}

static void check_sums(const uint64_t now[COUNTERS_NR], uint64_t before[COUNTERS_NR])
{
	unsigned int k;

	assert_true(now[COUNTER_SENT] >= now[COUNTER_RECEIVED] + now[COUNTER_ABANDONED]);
	for (k = 0; k < COUNTERS_NR; k++)
		assert_true(now[k] >= before[k]);
	memcpy(before, now, sizeof(now[0]) * COUNTERS_NR);
}

/* From inside and from outside: never more back than was out, and never less than before. */
static void reading_does_not_wait_for_writers(void **state)
{
	uint64_t own[COUNTERS_NR] = { 0 }, others[WRITER][COUNTERS_NR] = { 0 };
	struct counters *c = create(dir);
	struct counter_block *block[WRITER];
	pthread_t thread[WRITER];
	unsigned int i, k, n;

	(void)state;
	wd_store_relaxed(&is_over, 0);
	for (i = 0; i < WRITER; i++) {
		block[i] = counters_open(c, 1);
		assert_ok(pthread_create(&thread[i], NULL, send_and_receive, block[i]));
	}
	for (n = 0; n < READS; n++) {
		struct wd_counters sum = sum_of(c, 1, WRITER);
		uint64_t now[COUNTERS_NR];
		struct stats_page *page;

		memcpy(now, &sum, sizeof(now));
		check_sums(now, own);
		assert_ok(stats_page_read(dir, getpid(), &page));
		for (i = 0; i < WRITER; i++) {
			for (k = 0; k < COUNTERS_NR; k++)
				now[k] = counter_get(&page->block[i], k);
			check_sums(now, others[i]);
		}
		free(page);
	}
	wd_store_release(&is_over, 1);
	for (i = 0; i < WRITER; i++)
		pthread_join(thread[i], NULL);
	counters_destroy(c);
}

static void *open_and_close(void *arg)
{
	struct counters *c = arg;
	unsigned int i;

	for (i = 0; i < FOLDS; i++) {
		struct counter_block *b = counters_open(c, 2);

		assert_non_null(b);
		counter_bump(b, COUNTER_SENT, 1);
		counters_close(c, b);
	}
	wd_store_release(&is_over, 1);
	return NULL;
}

static void reading_does_not_wait_for_queues_that_close(void **state)
{
	struct counters *c = create(dir);
	struct stats_page *page;
	pthread_t thread;

	(void)state;
	wd_store_relaxed(&is_over, 0);
	assert_ok(pthread_create(&thread, NULL, open_and_close, c));
	do {
		assert_ok(stats_page_read(dir, getpid(), &page));
		assert_true(counter_get(&page->device[1].total, COUNTER_SENT) <= FOLDS);
		free(page);
	} while (!wd_load_acquire(&is_over));
	pthread_join(thread, NULL);
	assert_int_equal(sum_of(c, 2, 0).sent, FOLDS);
	counters_destroy(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_closed_queue_joins_its_device),
		cmocka_unit_test(counters_have_their_places),
		cmocka_unit_test(a_thousand_queues),
		cmocka_unit_test(devices_beyond_the_room_count_unseen),
		cmocka_unit_test(reading_does_not_wait_for_writers),
		cmocka_unit_test(reading_does_not_wait_for_queues_that_close),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}

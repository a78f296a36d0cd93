/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Ranges shared with a device that the test plays, page by page: what the
 * backend is told against what was asked for.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include <wd/mem.h>

#include "core/queue.h"
#include "core/share.h"
#include "lib/t_assert.h"

#define PAGES 48u
#define BASE  0x10000000u
#define READ  WD_MAP_READ
#define WRITE WD_MAP_WRITE
#define BOTH  (READ | WRITE)

/* A device's rights, as it was told. */
static struct fake {
	uint32_t rights[PAGES];
	unsigned int nr_shares;
	unsigned int nr_unshares;
	unsigned int fails_at; /* this share of those to come fails, 0: none */
} fake;

static size_t page_bytes;

static size_t page_at(uintptr_t addr)
{
	assert_int_equal(addr % page_bytes, 0);
	assert_true(addr >= BASE && addr <= BASE + PAGES * page_bytes);
	return (addr - BASE) / page_bytes;
}

static int fake_share(struct wd_backend_host *host, const char *name, uintptr_t addr, size_t bytes,
		      uint32_t direction)
{
	size_t i, end = page_at(addr + bytes);

	(void)host;
	assert_string_equal(name, "fake-0");
	assert_true(direction && bytes);
	if (fake.fails_at && !--fake.fails_at)
		return -ENOSPC;
	fake.nr_shares++;
	for (i = page_at(addr); i < end; i++) {
		/* Told of changes alone. */
		assert_true(fake.rights[i] != direction);
		fake.rights[i] = direction;
	}
	return 0;
}

static void fake_unshare(struct wd_backend_host *host, const char *name, uintptr_t addr,
			 size_t bytes)
{
	size_t i, end = page_at(addr + bytes);

	(void)host;
	(void)name;
	assert_true(bytes);
	fake.nr_unshares++;
	for (i = page_at(addr); i < end; i++) {
		assert_true(fake.rights[i]);
		fake.rights[i] = 0;
	}
}

static const struct wd_backend fake_backend = {
	.name = "fake",
	.share = fake_share,
	.unshare = fake_unshare,
};

static struct wd_backend_host host = { .backend = &fake_backend };

static void device_init(struct wd_device *d)
{
	page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	fake = (struct fake){ 0 };
	*d = (struct wd_device){ .host = &host,
				 .backend_name = "fake-0",
				 .info = { .flags = WD_CAPA_F_SHARE } };
}

static int add(struct wd_device *d, unsigned int from, unsigned int to, uint32_t direction)
{
	return share_add(d, BASE + from * page_bytes, (to - from) * page_bytes, direction);
}

static void drop(struct wd_device *d, unsigned int from, unsigned int to, uint32_t direction)
{
	share_remove(d, BASE + from * page_bytes, (to - from) * page_bytes, direction);
}

static bool covers(struct wd_device *d, unsigned int from, unsigned int to, uint32_t direction)
{
	return share_covers(d->shares, BASE + from * page_bytes, (to - from) * page_bytes,
			    direction);
}

static void overlapping_ranges_are_told_once(void **state)
{
	struct wd_device d;

	(void)state;
	device_init(&d);
	assert_ok(add(&d, 2, 6, BOTH));
	assert_int_equal(fake.nr_shares, 1);
	assert_ok(add(&d, 4, 8, BOTH));	 /* 6 to 8 */
	assert_ok(add(&d, 3, 7, BOTH));	 /* nothing */
	assert_ok(add(&d, 8, 9, BOTH));	 /* touches */
	assert_ok(add(&d, 2, 9, BOTH));	 /* nothing */
	assert_ok(add(&d, 0, 12, BOTH)); /* on both sides */
	assert_int_equal(fake.nr_shares, 5);
	assert_true(covers(&d, 0, 12, BOTH));
	assert_false(covers(&d, 0, 13, READ));
	drop(&d, 0, 12, BOTH);
	assert_int_equal(fake.nr_unshares, 2);
	drop(&d, 4, 8, BOTH);
	drop(&d, 2, 6, BOTH);
	assert_int_equal(fake.nr_unshares, 2);
	drop(&d, 2, 9, BOTH); /* 2 to 3 and 7 to 8: the others are covered */
	assert_int_equal(fake.nr_unshares, 4);
	assert_true(covers(&d, 3, 7, BOTH) && covers(&d, 8, 9, BOTH));
	assert_false(covers(&d, 7, 8, READ) || covers(&d, 2, 3, READ));
	drop(&d, 8, 9, BOTH);
	drop(&d, 3, 7, BOTH);
	share_table_destroy(&d);
}

static void rights_are_the_union_and_pages_stay_reachable(void **state)
{
	struct wd_device d;

	(void)state;
	device_init(&d);
	assert_ok(add(&d, 0, 8, READ));
	assert_ok(add(&d, 2, 4, WRITE));
	assert_ok(add(&d, 2, 4, READ));
	assert_int_equal(fake.rights[1], READ);
	assert_int_equal(fake.rights[2], BOTH);
	assert_true(covers(&d, 0, 8, READ) && covers(&d, 2, 4, BOTH));
	assert_false(covers(&d, 1, 4, WRITE));
	drop(&d, 0, 8, READ);
	assert_int_equal(fake.rights[3], BOTH);
	drop(&d, 2, 4, READ);
	assert_int_equal(fake.rights[3], WRITE);
	assert_false(covers(&d, 2, 4, READ));
	assert_int_equal(fake.nr_unshares, 2); /* on both sides, of the first */
	drop(&d, 2, 4, WRITE);
	assert_int_equal(fake.rights[3], 0);
	share_table_destroy(&d);
}

static void bytes_are_rounded_to_whole_pages(void **state)
{
	struct wd_device d;
	uintptr_t at;

	(void)state;
	device_init(&d);
	at = BASE + 3 * page_bytes;
	assert_ok(share_add(&d, at - 1, 2, READ));
	assert_true(covers(&d, 2, 4, READ));
	assert_ok(share_add(&d, at + 5, page_bytes - 5, READ));
	assert_int_equal(fake.nr_shares, 1);
	share_remove(&d, at - 1, 2, READ);
	assert_false(covers(&d, 2, 3, READ));
	assert_true(share_covers(d.shares, at, page_bytes, READ));
	assert_false(share_covers(d.shares, at, page_bytes + 1, READ));
	assert_false(share_covers(d.shares, at - 1, 2, READ));
	assert_false(share_covers(d.shares, at, SIZE_MAX, READ));
	share_remove(&d, at + 5, page_bytes - 5, READ);
	assert_int_equal(share_add(&d, UINTPTR_MAX - 9, 5, READ), -EFAULT);
	share_table_destroy(&d);
}

/* ---- at random, against counts per page */

#define LIVE_MAX 12u

struct live {
	unsigned int from, to;
	uint32_t direction;
};

static uint32_t random_state;

static uint32_t next_random(uint32_t below)
{
	random_state = random_state * 1664525u + 1013904223u;
	return (random_state >> 8) % below;
}

static struct live random_range(void)
{
	unsigned int a = next_random(PAGES), b = (a + next_random(20)) % PAGES;

	return (struct live){ a < b ? a : b, (a < b ? b : a) + 1, 1 + next_random(3) };
}

static void expect_rights(struct wd_device *d, const struct live *live, unsigned int nr)
{
	uint32_t want[PAGES] = { 0 };
	struct live r = random_range();
	bool is_covered = true;
	unsigned int i, k;

	for (i = 0; i < nr; i++)
		for (k = live[i].from; k < live[i].to; k++)
			want[k] |= live[i].direction;
	assert_memory_equal(want, fake.rights, sizeof(want));
	for (k = r.from; k < r.to; k++)
		is_covered &= (want[k] & r.direction) == r.direction;
	assert_int_equal(covers(d, r.from, r.to, r.direction), is_covered);
}

static void any_order_is_right_and_failures_leave_all_as_it_was(void **state)
{
	struct live live[LIVE_MAX];
	unsigned int nr = 0, step, nr_failed = 0;
	struct wd_device d;

	(void)state;
	device_init(&d);
	random_state = 7;
	assert_ok(share_table_create(&d));
	for (step = 0; step < 20000; step++) {
		if (nr < LIVE_MAX && next_random(5) > 1) {
			live[nr] = random_range();
			fake.fails_at = next_random(3) ? 0 : 1 + next_random(4);
			if (add(&d, live[nr].from, live[nr].to, live[nr].direction))
				nr_failed++;
			else
				nr++;
			fake.fails_at = 0;
		} else if (nr) {
			unsigned int i = next_random(nr);

			drop(&d, live[i].from, live[i].to, live[i].direction);
			live[i] = live[--nr];
		}
		expect_rights(&d, live, nr);
	}
	assert_true(nr_failed > 100);
	while (nr--)
		drop(&d, live[nr].from, live[nr].to, live[nr].direction);
	expect_rights(&d, live, 0);
	share_table_destroy(&d);
}

static void a_queue_takes_its_ranges_with_it(void **state)
{
	struct core_queue cq = { 0 };
	struct wd_device d;
	unsigned int i;

	(void)state;
	device_init(&d);
	cq.device = &d;
	assert_ok(add(&d, 0, 2, READ)); /* another queue's */
	for (i = 0; i < 4; i++) {
		struct share_range *r = malloc(sizeof(*r));

		assert_non_null(r);
		*r = (struct share_range){ cq.ranges, BASE + i * page_bytes, page_bytes, READ };
		assert_ok(share_add(&d, r->addr, r->bytes, r->direction));
		cq.ranges = r;
	}
	core_queue_forget_ranges_locked(&cq);
	assert_null(cq.ranges);
	assert_true(covers(&d, 0, 2, READ));
	assert_int_equal(fake.rights[2] | fake.rights[3], 0);
	drop(&d, 0, 2, READ);
	share_table_destroy(&d);
}

/* ---- asked for while it changes */

struct asker {
	struct wd_device *d;
	_Atomic bool is_done;
};

static void *ask(void *arg)
{
	struct asker *a = arg;

	while (!atomic_load(&a->is_done)) {
		assert_true(covers(a->d, 10, 20, READ));
		assert_false(covers(a->d, 30, 41, READ));
	}
	return NULL;
}

static void what_stays_is_found_while_the_rest_changes(void **state)
{
	pthread_t threads[2];
	struct asker asker;
	struct wd_device d;
	unsigned int i;

	(void)state;
	device_init(&d);
	asker = (struct asker){ .d = &d };
	assert_ok(add(&d, 10, 20, READ));
	for (i = 0; i < 2; i++)
		assert_ok(pthread_create(&threads[i], NULL, ask, &asker));
	for (i = 0; i < 5000; i++) {
		unsigned int from = i % 24, to = from + 1 + i % 7;

		assert_ok(add(&d, from, to, 1 + i % 3));
		assert_ok(add(&d, from, 40, READ));
		drop(&d, from, to, 1 + i % 3);
		drop(&d, from, 40, READ);
	}
	atomic_store(&asker.is_done, true);
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	drop(&d, 10, 20, READ);
	share_table_destroy(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(overlapping_ranges_are_told_once),
		cmocka_unit_test(rights_are_the_union_and_pages_stay_reachable),
		cmocka_unit_test(bytes_are_rounded_to_whole_pages),
		cmocka_unit_test(any_order_is_right_and_failures_leave_all_as_it_was),
		cmocka_unit_test(a_queue_takes_its_ranges_with_it),
		cmocka_unit_test(what_stays_is_found_while_the_rest_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* Counters of front ends: counted by any thread, read from inside and outside. */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <wd/stats.h>
#include <wd/wd.h>

#include "base/barrier.h"
#include "base/compiler.h"
#include "core/stats_page.h"
#include "lib/t_assert.h"
#include "lib/t_fork.h"

#define FRONTS_MAX STATS_FRONTS_MAX
#define THREADS	   4u
#define ADDS	   20000u
#define ENDS	   40u

/* Each test begins with no front: the last user takes the counters down. */
static int begin_anew(void **state)
{
	(void)state;
	if (wd_init())
		return -1;
	wd_fini();
	return 0;
}

static int add_streams(const char *front, uint64_t n)
{
	const uint64_t add[WD_FRONT_COUNTERS_NR] = { [WD_FRONT_STREAMS] = n };

	return wd_stats_front_add(front, add);
}

/* How many there are; all of them are read. */
static int read_fronts(int pid, struct wd_front_stats stats[FRONTS_MAX])
{
	unsigned int i;

	memset(stats, 0xa5, FRONTS_MAX * sizeof(*stats));
	for (i = 0; i < FRONTS_MAX; i++)
		stats[i].size = sizeof(*stats);
	return wd_stats_read_fronts(pid, stats, FRONTS_MAX);
}

/* Where the page cannot be made, there is only the inside. */
static bool is_shown(void)
{
	return wd_stats_read_fronts(getpid(), NULL, 0) >= 0;
}

static void counts_are_read(void **state)
{
	const uint64_t add[WD_FRONT_COUNTERS_NR] = { 5, 4, 3, 2, UINT64_C(1) << 40, 7 };
	static const uint64_t none[WD_FRONT_COUNTERS_NR];
	struct wd_front_stats stats[FRONTS_MAX];
	int pid, i;

	(void)state;
	assert_int_equal(read_fronts(0, stats), 0);
	assert_ok(wd_stats_front_add("zlib", add));
	assert_ok(wd_stats_front_add("zlib", none));
	assert_ok(wd_stats_front_add("other", none));
	assert_ok(wd_stats_front_add("zlib", add));
	for (pid = 0; pid <= getpid() && (!pid || is_shown()); pid += getpid()) {
		assert_int_equal(read_fronts(pid, stats), 2);
		assert_string_equal(stats[0].name, "zlib");
		assert_string_equal(stats[1].name, "other");
		for (i = 0; i < WD_FRONT_COUNTERS_NR; i++) {
			assert_int_equal(stats[0].counter[i], 2 * add[i]);
			assert_int_equal(stats[1].counter[i], 0);
		}
		assert_int_equal(stats[0].size, sizeof(stats[0]));
		assert_int_equal(stats[0].reserved, 0);
	}
	/* They go when the devices' do. */
	assert_ok(begin_anew(NULL));
	assert_int_equal(read_fronts(0, stats), 0);
	assert_ok(add_streams("zlib", 1));
	assert_int_equal(read_fronts(0, stats), 1);
	assert_int_equal(stats[0].counter[WD_FRONT_STREAMS], 1);
}

static void names_that_are_none_are_refused(void **state)
{
	static const char *const bad[] = { "",	       " ",	 "a b",
					   "tab\t",    "line\n", "\033[m",
					   "\303\251", "\x7f",	 "four-and-twenty-letters-" };
	static const char longest[] = "three-and-twenty-letter";
	struct wd_front_stats stats[FRONTS_MAX];
	unsigned int i;

	(void)state;
	assert_int_equal(sizeof(longest), WD_FRONT_NAME_MAX);
	for (i = 0; i < BASE_ARRAY_SIZE(bad); i++)
		assert_int_equal(add_streams(bad[i], 1), -EINVAL);
	assert_int_equal(add_streams(NULL, 1), -EINVAL);
	assert_int_equal(wd_stats_front_add("x", NULL), -EINVAL);
	assert_int_equal(read_fronts(0, stats), 0);
	assert_ok(add_streams(longest, 1));
	assert_int_equal(read_fronts(0, stats), 1);
	assert_string_equal(stats[0].name, longest);
}

static void there_is_room_for_eight(void **state)
{
	struct wd_front_stats stats[FRONTS_MAX];
	char name[] = "front-0";
	unsigned int i;

	(void)state;
	for (i = 0; i < FRONTS_MAX; i++, name[6]++)
		assert_ok(add_streams(name, i + 1));
	assert_int_equal(add_streams("ninth", 1), -ENOSPC);
	assert_int_equal(add_streams("ninth", 1), -ENOSPC);
	/* Those that are there go on. */
	assert_ok(add_streams("front-7", 100));
	assert_int_equal(read_fronts(0, stats), FRONTS_MAX);
	for (i = 0; i < FRONTS_MAX - 1; i++)
		assert_int_equal(stats[i].counter[WD_FRONT_STREAMS], i + 1);
	assert_int_equal(stats[i].counter[WD_FRONT_STREAMS], 100 + FRONTS_MAX);
	/* Room for fewer tells how many. */
	memset(stats, 0, sizeof(stats));
	stats[0].size = sizeof(stats[0]);
	assert_int_equal(wd_stats_read_fronts(0, stats, 1), FRONTS_MAX);
	assert_string_equal(stats[0].name, "front-0");
	assert_int_equal(stats[1].size, 0);
	if (is_shown())
		assert_int_equal(wd_stats_read_fronts(getpid(), NULL, 0), FRONTS_MAX);
}

static void *add_many(void *arg)
{
	const uint64_t queued[WD_FRONT_COUNTERS_NR] = {
		[WD_FRONT_STREAMS] = 1, [WD_FRONT_QUEUED] = 1, [WD_FRONT_QUEUED_BYTES] = 3
	};
	const uint64_t other[WD_FRONT_COUNTERS_NR] = {
		[WD_FRONT_STREAMS] = 1, [WD_FRONT_OTHER_BYTES] = 2
	};
	unsigned int i;

	(void)arg;
	for (i = 0; i < ADDS; i++) {
		assert_ok(wd_stats_front_add("zlib", i % 2 ? other : queued));
		assert_ok(wd_stats_front_add("openssl", queued));
	}
	return NULL;
}

static void check_growth(const struct wd_front_stats *now, uint64_t before[WD_FRONT_COUNTERS_NR])
{
	unsigned int i;

	assert_true(now->counter[WD_FRONT_STREAMS] >= now->counter[WD_FRONT_QUEUED]);
	for (i = 0; i < WD_FRONT_COUNTERS_NR; i++)
		assert_true(now->counter[i] >= before[i]);
	memcpy(before, now->counter, sizeof(now->counter));
}

static void threads_add_up(void **state)
{
	uint64_t before[2][WD_FRONT_COUNTERS_NR] = { 0 };
	struct wd_front_stats stats[FRONTS_MAX];
	pthread_t thread[THREADS];
	bool shown;
	unsigned int i;

	(void)state;
	assert_ok(add_streams("zlib", 1));
	shown = is_shown();
	for (i = 0; i < THREADS; i++)
		assert_ok(pthread_create(&thread[i], NULL, add_many, NULL));
	do {
		assert_true(read_fronts(0, stats) >= 1);
		check_growth(&stats[0], before[0]);
		if (shown) {
			assert_true(read_fronts(getpid(), stats) >= 1);
			check_growth(&stats[0], before[1]);
		}
	} while (stats[0].counter[WD_FRONT_STREAMS] < THREADS * ADDS + 1);
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(read_fronts(0, stats), 2);
	assert_int_equal(stats[0].counter[WD_FRONT_STREAMS], THREADS * ADDS + 1);
	assert_int_equal(stats[0].counter[WD_FRONT_QUEUED], THREADS * ADDS / 2);
	assert_int_equal(stats[0].counter[WD_FRONT_MOVED], 0);
	assert_int_equal(stats[0].counter[WD_FRONT_QUEUED_BYTES], 3 * THREADS * ADDS / 2);
	assert_int_equal(stats[0].counter[WD_FRONT_OTHER_BYTES], THREADS * ADDS);
	assert_int_equal(stats[1].counter[WD_FRONT_STREAMS], THREADS * ADDS);
	assert_int_equal(stats[1].counter[WD_FRONT_QUEUED], THREADS * ADDS);
}

static _Atomic uint32_t is_over;

static void *add_until_over(void *arg)
{
	uint64_t n = 0;

	(void)arg;
	while (!wd_load_acquire(&is_over)) {
		assert_ok(add_streams("zlib", 1));
		n++;
	}
	return n ? NULL : &is_over;
}

/* Who counts when the counters are taken down begins anew, and touches nothing that is gone. */
static void the_end_may_come_at_any_time(void **state)
{
	pthread_t thread[2];
	unsigned int i;
	void *ret;

	(void)state;
	wd_store_relaxed(&is_over, 0);
	for (i = 0; i < 2; i++)
		assert_ok(pthread_create(&thread[i], NULL, add_until_over, NULL));
	for (i = 0; i < ENDS; i++) {
		assert_ok(wd_init());
		wd_fini();
	}
	/* Each of them has counted something. */
	assert_ok(add_streams("zlib", 1));
	wd_store_release(&is_over, 1);
	for (i = 0; i < 2; i++) {
		pthread_join(thread[i], &ret);
		assert_null(ret);
	}
}

/* ---------------------------------------------------------------- processes */

struct child {
	int pid;
	int order; /* closed: it is to end */
	int said;
};

/* In a child: what is wrong, or 0. */
static char count_in_child(void)
{
	struct wd_front_stats stats[FRONTS_MAX];

	/* The parent's are not its own. */
	if (read_fronts(0, stats) != 0)
		return 1;
	if (add_streams("childs", 11) || add_streams("zlib", 22))
		return 2;
	if (read_fronts(0, stats) != 2 || strcmp(stats[0].name, "childs") != 0)
		return 3;
	return stats[1].counter[WD_FRONT_STREAMS] != 22 ? 4 : 0;
}

/* As one whose first call in the child is to count for a front that the parent has named. */
static char count_at_once_in_child(void)
{
	struct wd_front_stats stats[FRONTS_MAX];

	if (add_streams("zlib", 33) || read_fronts(0, stats) != 1)
		return 1;
	return stats[0].counter[WD_FRONT_STREAMS] != 33 ? 2 : 0;
}

static struct child start_child(char (*run)(void))
{
	int order[2], said[2];
	struct child child;
	char byte;

	assert_ok(pipe(order));
	assert_ok(pipe(said));
	child.pid = fork();
	assert_true(child.pid >= 0);
	if (!child.pid) {
		close(order[1]);
		close(said[0]);
		byte = run();
		/* What is read is the pipe's end. */
		if (write(said[1], &byte, 1) != 1 || read(order[0], &byte, 1) != 0)
			_exit(1);
		exit(0);
	}
	close(order[0]);
	close(said[1]);
	child.order = order[1];
	child.said = said[0];
	assert_int_equal(read(child.said, &byte, 1), 1);
	assert_int_equal(byte, 0);
	return child;
}

static void end_child(const struct child *child)
{
	int status;

	close(child->order);
	close(child->said);
	assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
	assert_int_equal(status, 0);
}

static void a_child_counts_for_itself(void **state)
{
	struct wd_front_stats stats[FRONTS_MAX];
	struct child child;
	int pid;

	(void)state;
	if (!t_forks_are_seen())
		skip();
	assert_ok(add_streams("zlib", 1));
	child = start_child(count_in_child);
	if (is_shown()) {
		assert_int_equal(read_fronts(child.pid, stats), 2);
		assert_string_equal(stats[0].name, "childs");
		assert_int_equal(stats[0].counter[WD_FRONT_STREAMS], 11);
		assert_string_equal(stats[1].name, "zlib");
		assert_int_equal(stats[1].counter[WD_FRONT_STREAMS], 22);
	}
	end_child(&child);
	assert_int_equal(wd_stats_read_fronts(child.pid, NULL, 0), -ESRCH);
	child = start_child(count_at_once_in_child);
	end_child(&child);
	for (pid = 0; pid <= getpid() && (!pid || is_shown()); pid += getpid()) {
		assert_int_equal(read_fronts(pid, stats), 1);
		assert_int_equal(stats[0].counter[WD_FRONT_STREAMS], 1);
	}
}

static void arguments_are_checked(void **state)
{
	struct wd_front_stats one = { 0 };
	/* As a program of a later release has it: what it does not know is left alone. */
	struct {
		struct wd_front_stats known;
		uint64_t later;
	} longer[2] = { 0 };

	(void)state;
	assert_ok(add_streams("zlib", 1));
	assert_int_equal(wd_stats_read_fronts(-1, NULL, 0), -EINVAL);
	assert_int_equal(wd_stats_read_fronts(0, NULL, 1), -EINVAL);
	assert_int_equal(wd_stats_read_fronts(0, &one, 1), -EINVAL);
	one.size = 12;
	assert_int_equal(wd_stats_read_fronts(0, &one, 1), -EINVAL);
	one.size = 8;
	assert_int_equal(wd_stats_read_fronts(0, &one, 1), 1);
	assert_int_equal(one.size, 8);
	assert_int_equal(one.name[0], '\0');
	longer[0].known.size = sizeof(longer[0]);
	assert_int_equal(wd_stats_read_fronts(0, &longer[0].known, 2), -EINVAL);
	longer[1].known.size = sizeof(longer[0]);
	longer[0].later = 42;
	assert_int_equal(wd_stats_read_fronts(0, &longer[0].known, 2), 1);
	assert_string_equal(longer[0].known.name, "zlib");
	assert_int_equal(longer[0].known.size, sizeof(longer[0]));
	assert_int_equal(longer[0].later, 42);
	assert_int_equal(wd_stats_read_fronts(1, NULL, 0), -ESRCH);
}

/* Unseen by others, it counts for itself all the same. */
static void not_shown_it_counts(void **state)
{
	struct wd_front_stats stats[FRONTS_MAX];

	(void)state;
	assert_ok(setenv("WD_STATS", "off", 1));
	assert_ok(begin_anew(NULL));
	assert_ok(add_streams("zlib", 6));
	assert_int_equal(read_fronts(0, stats), 1);
	assert_int_equal(stats[0].counter[WD_FRONT_STREAMS], 6);
	assert_false(is_shown());
	if (t_forks_are_seen()) {
		struct child child = start_child(count_in_child);

		end_child(&child);
	}
	assert_int_equal(read_fronts(0, stats), 1);
	assert_int_equal(stats[0].counter[WD_FRONT_STREAMS], 6);
}

/* What keeps the registry from being read is said, and the next call tries again. */
static void a_wrong_setting_is_told(void **state)
{
	(void)state;
	assert_ok(setenv("WD_STATS", "perhaps", 1));
	assert_int_equal(add_streams("zlib", 1), -EINVAL);
	assert_int_equal(wd_stats_read_fronts(0, NULL, 0), -EINVAL);
	assert_ok(setenv("WD_STATS", "on", 1));
	assert_ok(add_streams("zlib", 1));
}

#define TEST(f) cmocka_unit_test_setup(f, begin_anew)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(counts_are_read),
		TEST(names_that_are_none_are_refused),
		TEST(there_is_room_for_eight),
		TEST(threads_add_up),
		TEST(the_end_may_come_at_any_time),
		TEST(a_child_counts_for_itself),
		TEST(arguments_are_checked),
		TEST(not_shown_it_counts),
		TEST(a_wrong_setting_is_told),
	};

	if (setenv("WD_STATS", "on", 1))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* The public calls that read counters, over the devices of this machine. */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <wd/stats.h>
#include <wd/wd.h>

#include "lib/t_assert.h"
#include "lib/t_fork.h"

#define DEVICES_MAX 16
#define REQUESTS    5u
#define IN_FLIGHT   2u

static struct wd_device_stats stats[DEVICES_MAX];

/* The counters of the device of @name, read as @pid's. */
static struct wd_device_stats read_device(int pid, const char *name)
{
	int i, nr;

	for (i = 0; i < DEVICES_MAX; i++)
		stats[i].size = sizeof(stats[i]);
	nr = wd_stats_read(pid, stats, DEVICES_MAX);
	assert_true(nr > 0 && nr <= DEVICES_MAX);
	for (i = 0; i < nr && strcmp(stats[i].name, name) != 0; i++)
		;
	assert_true(i < nr);
	return stats[i];
}

static bool is_listed(int pid)
{
	int nr = wd_stats_list(NULL, 0);
	bool is_found = false;
	int *pids;
	int i, n;

	assert_true(nr >= 0);
	/* Others come and go meanwhile. */
	pids = calloc((size_t)nr + 64, sizeof(*pids));
	assert_non_null(pids);
	n = wd_stats_list(pids, (unsigned int)nr + 64);
	for (i = 0; i < n && i < nr + 64; i++)
		is_found |= pids[i] == pid;
	free(pids);
	return is_found;
}

/* sent = received + abandoned + in flight, at any moment, from inside and outside. */
static void the_numbers_add_up(void **state)
{
	struct wd_queue q = { .size = sizeof(q), .capa = { .alg = "deflate" } };
	struct wd_req req[REQUESTS] = { 0 };
	struct wd_device_stats s;
	struct wd_req *back;
	unsigned int i;
	int pid;

	(void)state;
	q.capa.op = WD_OP_COMPRESS;
	assert_ok(wd_request_queue(&q));
	for (i = 0; i < REQUESTS; i++)
		assert_ok(wd_send(&q, &req[i]));
	for (i = IN_FLIGHT; i < REQUESTS; i++)
		assert_ok(wd_recv_sync(&q, &back));
	/* Where the page cannot be made, there is only the inside. */
	for (pid = 0; pid <= getpid() && (!pid || is_listed(pid)); pid += getpid()) {
		s = read_device(pid, q.device);
		assert_int_equal(s.queues, 1);
		assert_int_equal(s.id, back->device_id);
		assert_int_equal(s.counters.sent, REQUESTS);
		assert_int_equal(s.counters.received, REQUESTS - IN_FLIGHT);
		assert_int_equal(s.counters.abandoned, 0);
	}
	wd_release_queue(&q);
	for (pid = 0; pid <= getpid() && (!pid || is_listed(pid)); pid += getpid()) {
		s = read_device(pid, wd_device_name(back->device_id));
		assert_int_equal(s.counters.sent, REQUESTS);
		assert_int_equal(s.counters.sent, s.counters.received + s.counters.abandoned);
		assert_int_equal(s.counters.errors, 0);
	}
}

/* Whether a file of that process lies there; to ask the library would remove it. */
static bool has_left_a_page(int pid)
{
	DIR *d = opendir("/dev/shm");
	struct dirent *entry;
	bool is_found = false;
	char start[64];

	snprintf(start, sizeof(start), "warpdrive-stats-%d-", pid);
	while (d && (entry = readdir(d)) != NULL)
		is_found |= !strncmp(entry->d_name, start, strlen(start));
	if (d)
		closedir(d);
	return is_found;
}

/* In a child: not 0 tells what is wrong.  It ends with a queue in its hands. */
static int use_in_child(bool is_shown)
{
	/* The child ends with it, and that is no leak. */
	static struct wd_queue q = { .size = sizeof(q), .capa = { .alg = "deflate" } };
	struct wd_device_stats one = { .size = sizeof(one) };
	struct wd_req req = { 0 };

	q.capa.op = WD_OP_COMPRESS;
	if (wd_request_queue(&q) || wd_send(&q, &req))
		return 1;
	if (is_listed(getpid()) != is_shown || has_left_a_page(getpid()) != is_shown)
		return 2;
	if (is_shown && wd_stats_read(getpid(), &one, 1) < 1)
		return 3;
	return 0;
}

static void a_child_shows_its_own(void **state)
{
	bool is_shown = is_listed(getpid());
	struct wd_counters before, after;
	int pid, status;

	(void)state;
	if (!t_forks_are_seen())
		skip();
	before = read_device(is_shown ? getpid() : 0, "embed:hisi_zip-0").counters;
	assert_true(before.sent > 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		exit(use_in_child(is_shown));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	/* Although it gave nothing back. */
	assert_false(has_left_a_page(pid));
	after = read_device(is_shown ? getpid() : 0, "embed:hisi_zip-0").counters;
	assert_memory_equal(&before, &after, sizeof(before));
}

static void the_end_takes_the_page_away(void **state)
{
	(void)state;
	if (access("/dev/shm", W_OK) == 0)
		assert_true(is_listed(getpid()));
	assert_ok(wd_init());
	wd_fini();
	assert_false(is_listed(getpid()));
	assert_int_equal(wd_stats_read(getpid(), NULL, 0), -ESRCH);
}

static void arguments_are_checked(void **state)
{
	struct wd_device_stats one = { 0 };
	/* As a program of a later release has it: what it does not know is left alone. */
	struct {
		struct wd_device_stats known;
		uint64_t later;
	} longer[2] = { 0 };
	int nr = wd_stats_read(0, NULL, 0);
	int pid;

	(void)state;
	assert_true(nr >= 1);
	assert_int_equal(wd_stats_read(-1, NULL, 0), -EINVAL);
	assert_int_equal(wd_stats_read(0, NULL, 1), -EINVAL);
	assert_int_equal(wd_stats_read(0, &one, 1), -EINVAL);
	one.size = 12;
	assert_int_equal(wd_stats_read(0, &one, 1), -EINVAL);
	one.size = 8;
	assert_int_equal(wd_stats_read(0, &one, 1), nr);
	assert_int_equal(one.size, 8);
	assert_true(one.id != 0);
	assert_int_equal(one.name[0], '\0');
	longer[0].known.size = sizeof(longer[0]);
	assert_int_equal(wd_stats_read(0, &longer[0].known, 2), -EINVAL);
	longer[1].known.size = sizeof(longer[0]);
	longer[0].later = 42;
	assert_int_equal(wd_stats_read(0, &longer[0].known, 2), nr);
	assert_int_equal(longer[0].known.size, sizeof(longer[0]));
	assert_true(*longer[0].known.name);
	assert_int_equal(longer[0].later, 42);
	assert_int_equal(wd_stats_read(1, NULL, 0), -ESRCH);
	assert_int_equal(wd_stats_list(NULL, 1), -EINVAL);
	assert_true(wd_stats_list(&pid, 1) >= 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_numbers_add_up),
		cmocka_unit_test(a_child_shows_its_own),
		cmocka_unit_test(the_end_takes_the_page_away),
		cmocka_unit_test(arguments_are_checked),
	};

	if (setenv("WD_STATS", "on", 1))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The page that counters are shown in: how it comes and goes, who may read it,
 * and what is made of one that somebody else has written.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <wd/wd.h>

#include "core/counters.h"
#include "core/stats_page.h"
#include "lib/t_assert.h"

#define STRANGER 4321 /* a user who is not us */

static char dir[] = "/tmp/wd-stats-page-XXXXXX";
static char path[256]; /* of this process's page */
static struct proc_id self;

static void name_page(char *ret_path, size_t room, const struct proc_id *id)
{
	snprintf(ret_path, room, "%s/warpdrive-stats-%" PRId32 "-%" PRIu64 "-%" PRIu64, dir,
		 id->pid, id->start, id->space);
}

static int make_dir(void **state)
{
	(void)state;
	if (!mkdtemp(dir) || proc_read_id(0, &self))
		return -1;
	name_page(path, sizeof(path), &self);
	return 0;
}

/* Fails where a test left something in it. */
static int remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

static struct counters *create(void)
{
	struct counters *c = NULL;

	assert_ok(counters_create_in(dir, &c));
	counters_add_device(c, 1, "embed:first-0");
	counters_add_device(c, 2, "embed:second-1");
	return c;
}

static void write_file(const char *name, const void *bytes, size_t len)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	close(fd);
}

static bool is_there(const char *name)
{
	struct stat st;

	return lstat(name, &st) == 0;
}

static int read_page(int pid)
{
	struct stats_page *page;
	int err = stats_page_read(dir, pid, &page);

	if (!err)
		free(page);
	return err;
}

/* ---------------------------------------------------------------- comes and goes */

static void a_page_is_its_users_and_goes_with_the_counters(void **state)
{
	mode_t mask = umask(0777);
	struct counters *c = create();
	struct counter_block *b = counters_open(c, 2);
	struct stats_page *page;
	struct stat st;
	int pids[2] = { 0 };

	(void)state;
	umask(mask);
	assert_ok(lstat(path, &st));
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	assert_int_equal(st.st_uid, geteuid());
	assert_int_equal(st.st_size, sizeof(struct stats_page));
	assert_int_equal(stats_page_list(dir, pids, 2), 1);
	assert_int_equal(pids[0], getpid());
	assert_int_equal(stats_page_list(dir, NULL, 0), 1);
	counter_bump(b, COUNTER_RETRIES, 3);
	assert_ok(stats_page_read(dir, getpid(), &page));
	assert_string_equal(page->device[1].name, "embed:second-1");
	assert_int_equal(wd_load_relaxed(&page->block[0].device_id), 2);
	assert_int_equal(counter_get(&page->block[0], COUNTER_RETRIES), 3);
	free(page);
	assert_int_equal(read_page(1), -ESRCH);
	/* Hidden, it counts on. */
	counters_hide(c);
	assert_false(is_there(path));
	assert_int_equal(read_page(getpid()), -ESRCH);
	assert_int_equal(stats_page_list(dir, NULL, 0), 0);
	counter_bump(b, COUNTER_SENT, 1);
	counters_close(c, b);
	counters_destroy(c);
	c = create();
	assert_true(is_there(path));
	counters_destroy(c);
	assert_false(is_there(path));
}

/* Somebody else's file of that name is not ours to remove. */
static void what_took_its_place_stays(void **state)
{
	struct counters *c = create();

	(void)state;
	assert_ok(unlink(path));
	write_file(path, "x", 1);
	counters_destroy(c);
	assert_true(is_there(path));
	assert_ok(unlink(path));
}

static void no_directory_is_no_error_to_readers(void **state)
{
	int pid;

	(void)state;
	assert_int_equal(stats_page_list("/nonexistent", &pid, 1), 0);
	assert_true(stats_page_list("/etc/passwd", &pid, 1) < 0);
}

/* A process that shows its page until it is told to end, by a pipe or a signal. */
struct child {
	int pid;
	int order;
	int done;
};

static struct child start_child(struct counters *parents, struct counter_block *parents_block)
{
	int order[2], done[2];
	struct child child;

	assert_ok(pipe2(order, O_CLOEXEC));
	assert_ok(pipe2(done, O_CLOEXEC));
	child.pid = fork();
	assert_true(child.pid >= 0);
	if (!child.pid) {
		struct counters *c = NULL;
		struct counter_block *b;
		char byte;

		close(order[1]);
		close(done[0]);
		if (parents) {
			counters_abandon(parents);
			counter_bump(parents_block, COUNTER_SENT, 1000);
			counters_hide(parents);
		}
		if (counters_create_in(dir, &c))
			_exit(1);
		counters_add_device(c, 1, "embed:child-0");
		b = counters_open(c, 1);
		counter_bump(b, COUNTER_SENT, 11);
		byte = 'r';
		/* What is read is the pipe's end. */
		if (write(done[1], &byte, 1) != 1 || read(order[0], &byte, 1) != 0)
			_exit(1);
		_exit(0); /* without taking anything away */
	}
	close(order[0]);
	close(done[1]);
	child.order = order[1];
	child.done = done[0];
	return child;
}

static void wait_until_ready(const struct child *child)
{
	char byte;

	assert_int_equal(read(child->done, &byte, 1), 1);
}

/* It is left a zombie: only its parent does not know yet. */
static void end_child(const struct child *child, int sig)
{
	siginfo_t info;

	close(child->order);
	if (sig)
		kill(child->pid, sig);
	assert_ok(waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOWAIT));
	close(child->done);
}

static void a_child_leaves_its_parents_page_alone(void **state)
{
	struct counters *c = create();
	struct counter_block *b = counters_open(c, 1);
	struct stats_page *page;
	struct child child;
	int pids[4];

	(void)state;
	counter_bump(b, COUNTER_SENT, 1);
	child = start_child(c, b);
	wait_until_ready(&child);
	assert_int_equal(counter_get(b, COUNTER_SENT), 1);
	assert_true(is_there(path));
	assert_int_equal(stats_page_list(dir, pids, 4), 2);
	assert_true(pids[0] == child.pid || pids[1] == child.pid);
	assert_ok(stats_page_read(dir, child.pid, &page));
	assert_string_equal(page->device[0].name, "embed:child-0");
	assert_int_equal(counter_get(&page->block[0], COUNTER_SENT), 11);
	free(page);
	assert_ok(stats_page_read(dir, getpid(), &page));
	assert_int_equal(counter_get(&page->block[0], COUNTER_SENT), 1);
	free(page);
	end_child(&child, 0);
	assert_int_equal(waitpid(child.pid, NULL, 0), child.pid);
	assert_int_equal(stats_page_list(dir, pids, 4), 1);
	counters_destroy(c);
}

/* Killed, it leaves its page behind, which the next who looks removes: even before its parent knows. */
static void what_the_dead_leave_is_removed(void **state)
{
	char childs[256];
	struct child child = start_child(NULL, NULL);
	struct counters *c;
	struct proc_id id;

	(void)state;
	wait_until_ready(&child);
	assert_ok(proc_read_id(child.pid, &id));
	name_page(childs, sizeof(childs), &id);
	assert_ok(read_page(child.pid));
	end_child(&child, SIGKILL);
	assert_true(is_there(childs));
	assert_true(proc_has_ended(&id));
	assert_int_equal(read_page(child.pid), -ESRCH);
	assert_false(is_there(childs));
	assert_int_equal(waitpid(child.pid, NULL, 0), child.pid);
	/* Processes that show theirs look as well. */
	write_file(childs, "x", 1);
	c = create();
	assert_false(is_there(childs));
	counters_destroy(c);
}

/* Our number, but another time or another PID namespace. */
static void a_number_used_again_is_another_process(void **state)
{
	struct proc_id before = self, elsewhere = self;
	char old[256], other[256];

	(void)state;
	before.start--;
	elsewhere.space++;
	name_page(old, sizeof(old), &before);
	name_page(other, sizeof(other), &elsewhere);
	write_file(old, "x", 1);
	write_file(other, "x", 1);
	assert_int_equal(read_page(getpid()), -ESRCH);
	assert_int_equal(stats_page_list(dir, NULL, 0), 0);
	assert_false(is_there(old));
	assert_true(is_there(other));
	assert_ok(unlink(other));
}

/* A page from before exec() is not the present program's, which shows its own. */
static void a_page_of_an_earlier_program_gives_way(void **state)
{
	struct counters *before = create(), *c;
	struct stats_page *page;
	uint64_t image = self.image + 4096;
	int fd = open(path, O_RDWR | O_CLOEXEC);

	(void)state;
	assert_int_equal(pwrite(fd, &image, sizeof(image), offsetof(struct stats_header, image)),
			 sizeof(image));
	close(fd);
	assert_int_equal(read_page(getpid()), -ESRCH);
	assert_int_equal(stats_page_list(dir, NULL, 0), 0);
	c = create();
	counters_add_device(c, 3, "embed:third-2");
	assert_ok(stats_page_read(dir, getpid(), &page));
	assert_string_equal(page->device[2].name, "embed:third-2");
	free(page);
	counters_destroy(before);
	assert_true(is_there(path));
	counters_destroy(c);
	assert_false(is_there(path));
}

/* ---------------------------------------------------------------- cannot be shown */

static char said[256];
static unsigned int nr_said;

static void keep_line(void *arg, enum wd_log_level level, const char *text)
{
	(void)arg;
	assert_int_equal(level, WD_LOG_WARN);
	snprintf(said, sizeof(said), "%s", text);
	nr_said++;
}

/* It counts, and says once why nobody else will see. */
static void counts_unseen(const char *where, const char *why)
{
	struct counters *c = NULL;
	struct counter_block *b;
	struct wd_counters sum;
	uint32_t nr;

	nr_said = 0;
	wd_set_log(keep_line, NULL, WD_LOG_INFO);
	assert_ok(counters_create_in(where, &c));
	wd_set_log(NULL, NULL, WD_LOG_INFO);
	assert_int_equal(nr_said, 1);
	assert_non_null(strstr(said, where));
	assert_non_null(strstr(said, why));
	counters_add_device(c, 1, "x");
	b = counters_open(c, 1);
	counter_bump(b, COUNTER_SENT, 2);
	counters_read(c, 1, &sum, &nr);
	assert_int_equal(sum.sent, 2);
	assert_true(stats_page_list(dir, NULL, 0) <= 0);
	counters_hide(c);
	counters_abandon(c);
	counters_close(c, b);
	counters_destroy(c);
}

static void a_directory_that_will_not_do(void **state)
{
	char link[256], target[256];

	(void)state;
	counts_unseen("/nonexistent", strerror(ENOENT));
	counts_unseen("/etc/passwd", strerror(ENOTDIR));
	/* Not even root can make files there. */
	counts_unseen("/proc/self", "");
	/* One that anybody can rearrange. */
	assert_ok(chmod(dir, 0777));
	counts_unseen(dir, strerror(EACCES));
	assert_int_equal(read_page(getpid()), -EACCES);
	assert_ok(chmod(dir, 01777));
	counters_destroy(create());
	assert_ok(chmod(dir, 0700));
	snprintf(link, sizeof(link), "%s/link", dir);
	snprintf(target, sizeof(target), "%s/target", dir);
	assert_ok(mkdir(target, 0700));
	assert_ok(symlink(target, link));
	counts_unseen(link, strerror(ENOTDIR));
	assert_ok(unlink(link));
	assert_ok(rmdir(target));
}

static void a_name_that_is_taken(void **state)
{
	char target[256];
	struct stat st;

	(void)state;
	snprintf(target, sizeof(target), "%s/target", dir);
	write_file(target, "precious", 8);
	assert_ok(symlink(target, path));
	counts_unseen(dir, strerror(EEXIST));
	assert_int_equal(read_page(getpid()), -ESRCH);
	assert_ok(lstat(path, &st));
	assert_true(S_ISLNK(st.st_mode));
	assert_ok(unlink(path));
	assert_ok(stat(target, &st));
	assert_int_equal(st.st_size, 8);
	assert_ok(unlink(target));

	assert_ok(mkdir(path, 0700));
	counts_unseen(dir, strerror(EEXIST));
	assert_int_equal(read_page(getpid()), -ESRCH);
	assert_ok(rmdir(path));

	/* Nobody writes to it: whoever opens it must not wait. */
	assert_ok(mkfifo(path, 0600));
	assert_int_equal(read_page(getpid()), -ESRCH);
	assert_int_equal(stats_page_list(dir, NULL, 0), 0);
	assert_ok(unlink(path));
}

/* Only root can try this: root makes a stranger's file, then is a stranger. */
static void another_users_page(void **state)
{
	struct counters *c;
	struct proc_id gone = self;
	char theirs[256];

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_ok(chmod(dir, 01777));
	/* A stranger's file under our name: not of this process's user. */
	c = create();
	assert_ok(chown(path, STRANGER, (gid_t)-1));
	assert_int_equal(read_page(getpid()), -EACCES);
	assert_int_equal(stats_page_list(dir, NULL, 0), 0);
	counters_destroy(c);
	/* Of the dead, only our own are ours to remove. */
	gone.start--;
	name_page(theirs, sizeof(theirs), &gone);
	write_file(theirs, "x", 1);
	assert_ok(chown(theirs, STRANGER, (gid_t)-1));
	assert_int_equal(stats_page_list(dir, NULL, 0), 0);
	assert_true(is_there(theirs));
	assert_ok(unlink(theirs));

	c = create();
	assert_ok(seteuid(STRANGER));
	assert_int_equal(read_page(getpid()), -EACCES);
	assert_int_equal(stats_page_list(dir, NULL, 0), 0);
	assert_ok(seteuid(0));
	counters_destroy(c);
	/* The other way round: root sees a user's. */
	assert_ok(seteuid(STRANGER));
	c = create();
	assert_ok(seteuid(0));
	assert_int_equal(stats_page_list(dir, NULL, 0), 0);
	assert_ok(setresuid((uid_t)-1, (uid_t)-1, STRANGER));
	assert_int_equal(stats_page_list(dir, NULL, 0), 1);
	assert_ok(read_page(getpid()));
	assert_ok(setresuid((uid_t)-1, (uid_t)-1, 0));
	counters_destroy(c);
	assert_ok(chmod(dir, 0700));
}

/* ---------------------------------------------------------------- lies */

struct lie {
	const char *what;
	size_t offset;
	size_t len;
	uint64_t value;
	int err;
};

#define LIE(member, v, e)                                              \
	{                                                              \
#member, offsetof(struct stats_page, member),          \
			sizeof(((struct stats_page *)0)->member), v, e \
	}

static const struct lie lies[] = {
	LIE(header.magic, 0, -ESRCH), /* not ready yet */
	LIE(header.magic, STATS_PAGE_MAGIC + 1, -EIO),
	LIE(header.version, STATS_PAGE_VERSION + 1, -EIO),
	LIE(header.bytes, 0, -EIO),
	LIE(header.bytes, UINT32_MAX, -EIO),
	LIE(header.nr_devices, STATS_DEVICES_MAX + 1, -EIO),
	LIE(header.nr_blocks, UINT32_MAX, -EIO),
	LIE(header.nr_blocks, 0, -EIO),
	LIE(header.nr_counters, COUNTERS_NR + 1, -EIO),
	LIE(header.pid, 1, -EIO),
	LIE(header.start, 1, -EIO),
	/* stopped half way: better than nothing */
	LIE(header.changes, 1, 0),
	LIE(device[0].name[0], 0, -EIO),
	LIE(device[0].name[0], '\033', -EIO),
	LIE(device[0].name[1], '\n', -EIO),
	LIE(device[0].name[1], 0xff, -EIO),
	LIE(device[0].name[1], ' ', -EIO),
	LIE(device[1].total.device_id, 1, -EIO),
	LIE(device[1].total.device_id, 77, 0),	 /* no queue of it is open */
	LIE(device[9].total.device_id, 9, -EIO), /* without a name */
	LIE(device[0].total.device_id, 0, -EIO), /* a queue of it is */
	LIE(block[7].device_id, 3, -EIO),
	LIE(block[STATS_BLOCKS_MAX - 1].device_id, UINT32_MAX, -EIO),
	LIE(block[7].device_id, 2, 0),
	LIE(block[8].value[0], UINT64_MAX, 0),
	LIE(header.nr_fronts, STATS_FRONTS_MAX + 1, -EIO),
	LIE(header.nr_fronts, 0, -EIO),
	LIE(front[0].name[0], 0, -EIO),
	LIE(front[0].name[1], ' ', -EIO),
	LIE(front[0].name[1], 0x80, -EIO),
	LIE(front[0].name[0], 'b', -EIO), /* as the other one */
	LIE(front[0].is_named, 0, 0),
	LIE(front[5].is_named, 1, -EIO), /* without a name */
	LIE(front[1].value[0], UINT64_MAX, 0),
};

static void lies_are_seen(void **state)
{
	struct counters *c = create();
	int fd = open(path, O_RDWR | O_CLOEXEC);
	uint8_t unended[WD_DEVICE_NAME_MAX];
	unsigned int i;

	(void)state;
	assert_non_null(counters_open(c, 1));
	assert_ok(counters_add_front(c, "a"));
	assert_ok(counters_add_front(c, "b"));
	for (i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		const struct lie *lie = &lies[i];
		uint64_t truth = 0;
		int err;

		assert_true(lie->len <= sizeof(truth));
		assert_int_equal(pread(fd, &truth, lie->len, (off_t)lie->offset), lie->len);
		assert_int_equal(pwrite(fd, &lie->value, lie->len, (off_t)lie->offset), lie->len);
		err = read_page(getpid());
		if (err != lie->err)
			fail_msg("%s: %d, not %d", lie->what, err, lie->err);
		assert_int_equal(pwrite(fd, &truth, lie->len, (off_t)lie->offset), lie->len);
		assert_ok(read_page(getpid()));
	}
	memset(unended, 'x', sizeof(unended));
	assert_int_equal(pwrite(fd, unended, sizeof(unended),
				offsetof(struct stats_page, device[1].name)),
			 sizeof(unended));
	assert_int_equal(read_page(getpid()), -EIO);
	assert_int_equal(
		pwrite(fd, "embed:second-1", 15, offsetof(struct stats_page, device[1].name)), 15);
	assert_ok(read_page(getpid()));
	assert_int_equal(pwrite(fd, unended, WD_FRONT_NAME_MAX,
				offsetof(struct stats_page, front[1].name)),
			 WD_FRONT_NAME_MAX);
	assert_int_equal(read_page(getpid()), -EIO);
	close(fd);
	counters_destroy(c);
}

static void sizes_that_are_not_a_pages(void **state)
{
	struct counters *c = create();
	struct stats_page *page;

	(void)state;
	assert_ok(stats_page_read(dir, getpid(), &page));
	counters_destroy(c);
	/* Under the name of this process, but of no page that is mapped. */
	write_file(path, page, sizeof(*page) - 1);
	assert_int_equal(read_page(getpid()), -EIO);
	assert_int_equal(stats_page_list(dir, NULL, 0), 1);
	assert_ok(truncate(path, sizeof(page->header) - 1));
	assert_int_equal(read_page(getpid()), -EIO);
	assert_ok(truncate(path, sizeof(*page) + 1));
	assert_int_equal(read_page(getpid()), -EIO);
	assert_ok(truncate(path, 0));
	assert_int_equal(read_page(getpid()), -ESRCH);
	assert_int_equal(stats_page_list(dir, NULL, 0), 0);
	assert_ok(unlink(path));
	free(page);
}

#define ROUNDS 300u

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/* Whatever lies in the file, and whatever the library does next with its own page. */
static void nonsense_harms_nobody(void **state)
{
	struct counters *c = create();
	int fd = open(path, O_RDWR | O_CLOEXEC);
	const uint64_t one_stream[WD_FRONT_COUNTERS_NR] = { [WD_FRONT_STREAMS] = 1 };
	struct counter_block *b = NULL;
	struct wd_front_stats front;
	struct stats_page *truth;
	uint32_t seed = 1;
	unsigned int i, k;

	(void)state;
	assert_ok(counters_add_front(c, "front"));
	assert_ok(stats_page_read(dir, getpid(), &truth));
	for (i = 0; i < ROUNDS; i++) {
		uint8_t bytes[64];
		size_t len = 1 + next_random(&seed) % sizeof(bytes);
		/* Half of them in what describes the page. */
		size_t room = i % 2 ? sizeof(*truth) : sizeof(truth->header) + 512;
		struct wd_counters sum;
		struct stats_page *page;
		uint32_t nr;
		int err;

		for (k = 0; k < len; k++)
			bytes[k] = (uint8_t)next_random(&seed);
		assert_int_equal(pwrite(fd, bytes, len, (off_t)(next_random(&seed) % (room - len))),
				 len);
		err = stats_page_read(dir, getpid(), &page);
		assert_true(!err || err == -EIO || err == -ESRCH);
		if (!err)
			free(page);
		stats_page_list(dir, NULL, 0);
		if (b)
			counters_close(c, b);
		b = counters_open(c, 1 + i % 2);
		assert_non_null(b);
		counters_read(c, 1, &sum, &nr);
		assert_int_equal(nr, !(i % 2));
		/* By the name that it was given, whatever stands in the page. */
		assert_true(counters_count_front(c, "front", one_stream));
		assert_true(counters_read_front(c, 0, &front));
		assert_string_equal(front.name, "front");
		assert_false(counters_read_front(c, 1, &front));
		if (i % 16 == 15)
			assert_int_equal(pwrite(fd, truth, sizeof(*truth), 0), sizeof(*truth));
	}
	close(fd);
	free(truth);
	counters_destroy(c);
	assert_false(is_there(path));
}

static void names_that_are_none(void **state)
{
	static const char *const names[] = {
		"warpdrive-stats-",
		"warpdrive-stats-1-2",
		"warpdrive-stats-01-2-3",
		"warpdrive-stats-1-2-3x",
		"warpdrive-stats--1-2-3",
		"warpdrive-stats-0-2-3",
		"warpdrive-stats-99999999999-2-3",
		"warpdrive-stats-1- 2-3",
		"warpdrive-stats-1-2-99999999999999999999999999",
		"other",
	};
	char name[256];
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(name, sizeof(name), "%s/%s", dir, names[i]);
		write_file(name, "x", 1);
	}
	assert_int_equal(stats_page_list(dir, NULL, 0), 0);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(name, sizeof(name), "%s/%s", dir, names[i]);
		assert_ok(unlink(name));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_is_its_users_and_goes_with_the_counters),
		cmocka_unit_test(what_took_its_place_stays),
		cmocka_unit_test(no_directory_is_no_error_to_readers),
		cmocka_unit_test(a_child_leaves_its_parents_page_alone),
		cmocka_unit_test(what_the_dead_leave_is_removed),
		cmocka_unit_test(a_number_used_again_is_another_process),
		cmocka_unit_test(a_page_of_an_earlier_program_gives_way),
		cmocka_unit_test(a_directory_that_will_not_do),
		cmocka_unit_test(a_name_that_is_taken),
		cmocka_unit_test(another_users_page),
		cmocka_unit_test(lies_are_seen),
		cmocka_unit_test(sizes_that_are_not_a_pages),
		cmocka_unit_test(nonsense_harms_nobody),
		cmocka_unit_test(names_that_are_none),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}

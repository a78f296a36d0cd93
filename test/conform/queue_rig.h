/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* What the tests of a queue's life share: a configuration, its devices, a queue, a child. */
#ifndef TEST_QUEUE_RIG_H
#define TEST_QUEUE_RIG_H

#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <wd/wd.h>

#include "lib/t_assert.h"

#define RIG_DEVICES_MAX 16

#ifndef __has_feature
#define __has_feature(x) 0 /* gcc says it otherwise */
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define RIG_HAS_ASAN 1
#else
#define RIG_HAS_ASAN 0
#endif

/* In a child: it says where it failed by its status, and cmocka is not to see it. */
#define CHILD_CHECK(condition)                     \
	do {                                       \
		if (!(condition))                  \
			_exit(__LINE__ % 251 + 1); \
	} while (0)

static inline void assert_child(pid_t pid)
{
	int status;

	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* The library is down, comes up with this, and stays up until the next wd_fini(). */
static inline int rig_up(const char *embed, const char *workers)
{
	setenv("WD_EMBED", embed, 1);
	setenv("WD_EMBED_WORKERS", workers, 1);
	return wd_init();
}

static inline int rig_devices(struct wd_device_info *devices)
{
	int i;

	for (i = 0; i < RIG_DEVICES_MAX; i++)
		devices[i].size = sizeof(devices[i]);
	return wd_list_devices(devices, RIG_DEVICES_MAX);
}

/* A queue of that device, for the first of its algorithms; @alg has its room. */
static inline struct wd_queue rig_wish(const struct wd_device_info *d, char *alg)
{
	struct wd_queue q = { .size = sizeof(q) };

	snprintf(alg, sizeof(d->algs), "%s", d->algs);
	alg[strcspn(alg, "\n")] = '\0';
	q.capa.alg = alg;
	q.capa.op = strcmp(alg, "memop") ? WD_OP_COMPRESS : WD_OP_COPY;
	snprintf(q.device, sizeof(q.device), "%s", d->name);
	return q;
}

/* Entries of a folder of /proc; of fd, the one that lists counts as well. */
static inline int rig_count(const char *path)
{
	DIR *dir = opendir(path);
	int n = -2; /* "." and ".." */

	if (!dir)
		return -1;
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static inline void *rig_say_id(void *arg)
{
	*(long *)arg = syscall(SYS_gettid);
	return NULL;
}

/*
 * Threads of the process; a sanitizer's own, begun with the program's first, among
 * them.  One that was joined stays in the list for a moment.
 */
static inline int rig_threads(void)
{
	pthread_t thread;
	char path[64];
	long id = 0;

	assert_int_equal(pthread_create(&thread, NULL, rig_say_id, &id), 0);
	pthread_join(thread, NULL);
	snprintf(path, sizeof(path), "/proc/self/task/%ld", id);
	while (!access(path, F_OK))
		sched_yield();
	return rig_count("/proc/self/task");
}

/* How many there are, once they are @want or nothing changes for long. */
static inline int rig_await_threads(int want)
{
	time_t deadline = time(NULL) + 60;
	int n;

	while ((n = rig_count("/proc/self/task")) != want && time(NULL) < deadline)
		sched_yield();
	return n;
}

#endif

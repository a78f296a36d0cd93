/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* The output under its temporary name, and the signals that remove it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* renameat2(), mkostemp() */
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "temp_file.h"

#define TEMP_NAME ".wd-XXXXXX"

/*
 * The only writable globals of the tool: a signal handler has nothing but
 * globals to learn from that a file is to be removed, and which.  The name is
 * written while the signals are blocked.
 */
static volatile sig_atomic_t temp_exists;
static char temp_name[PATH_MAX];

static const int ending_signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGTERM, SIGXCPU, SIGXFSZ };

#define ENDING_SIGNALS_NR (sizeof(ending_signals) / sizeof(ending_signals[0]))

static void ending_set(sigset_t *ret_set)
{
	sigemptyset(ret_set);
	for (size_t i = 0; i < ENDING_SIGNALS_NR; i++)
		sigaddset(ret_set, ending_signals[i]);
}

static void on_ending_signal(int sig)
{
	if (temp_exists)
		unlink(temp_name);
	/* The default action is back (SA_RESETHAND): the parent sees which signal it was. */
	raise(sig);
}

void temp_file_catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_ending_signal, .sa_flags = SA_RESETHAND };

	ending_set(&action.sa_mask);
	for (size_t i = 0; i < ENDING_SIGNALS_NR; i++) {
		struct sigaction old;

		if (sigaction(ending_signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaction(ending_signals[i], &action, NULL);
	}
}

static void block_signals(sigset_t *ret_old)
{
	sigset_t set;

	ending_set(&set);
	sigprocmask(SIG_BLOCK, &set, ret_old);
}

static void restore_signals(const sigset_t *old)
{
	sigprocmask(SIG_SETMASK, old, NULL);
}

int temp_file_create(const char *target)
{
	const char *slash = strrchr(target, '/');
	size_t dir_len = slash ? slash + 1 - target : 0;
	sigset_t old;
	int fd;

	if (dir_len + sizeof(TEMP_NAME) > sizeof(temp_name))
		return -ENAMETOOLONG;
	block_signals(&old);
	memcpy(temp_name, target, dir_len);
	memcpy(temp_name + dir_len, TEMP_NAME, sizeof(TEMP_NAME));
	fd = mkostemp(temp_name, O_CLOEXEC);
	if (fd < 0)
		fd = -errno;
	else
		temp_exists = 1;
	restore_signals(&old);
	return fd;
}

void temp_file_remove(void)
{
	sigset_t old;

	block_signals(&old);
	if (temp_exists)
		unlink(temp_name);
	temp_exists = 0;
	restore_signals(&old);
}

/* File systems that know no exclusive rename know links, or neither. */
static int rename_exclusive(const char *target)
{
	if (renameat2(AT_FDCWD, temp_name, AT_FDCWD, target, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	if (link(temp_name, target) < 0)
		return -errno;
	unlink(temp_name);
	return 0;
}

int temp_file_install(const char *target, bool replace)
{
	sigset_t old;
	int ret;

	block_signals(&old);
	if (replace)
		ret = rename(temp_name, target) < 0 ? -errno : 0;
	else
		ret = rename_exclusive(target);
	if (ret == 0)
		temp_exists = 0;
	restore_signals(&old);
	return ret;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Whether the kernel wipes pages in a child, by which the library tells a fork.
 * An emulator of another processor may say yes to the request and not do it, and
 * then does so to whatever madvise() is asked for.
 */
#ifndef TEST_T_FORK_H
#define TEST_T_FORK_H

#include <stdbool.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static inline bool t_forks_are_seen(void)
{
	size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
	volatile char *page =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int status = 1;
	pid_t pid;

	if (page == MAP_FAILED)
		return false;
	page[0] = 1;
	madvise((void *)(unsigned long)page, bytes, MADV_WIPEONFORK);
	pid = fork();
	if (!pid)
		_exit(page[0]);
	waitpid(pid, &status, 0);
	munmap((void *)(unsigned long)page, bytes);
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

static inline bool t_madvise_is_heard(void)
{
	return t_forks_are_seen();
}

#endif

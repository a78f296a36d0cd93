/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* Clock, median, processors; measurements in a process of their own. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "measure.h"

#define NS_PER_S 1000000000ull

static uint64_t read_clock(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

uint64_t measure_now_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t measure_thread_cpu_ns(void)
{
	return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

static int compare_doubles(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double measure_median(double *values, size_t nr)
{
	if (!nr)
		return 0;
	qsort(values, nr, sizeof(*values), compare_doubles);
	return values[nr / 2];
}

int measure_find_cpus(int cpu[2])
{
	cpu_set_t set;
	int i, nr = 0;

	if (sched_getaffinity(0, sizeof(set), &set))
		return 0;
	for (i = 0; i < CPU_SETSIZE && nr < 2; i++)
		if (CPU_ISSET(i, &set))
			cpu[nr++] = i;
	return nr;
}

int measure_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

int measure_in_child(int (*run)(const void *arg, double *ret_value), const void *arg,
		     double *ret_value)
{
	double value = 0;
	int fds[2], status, has_value;
	pid_t pid;

	if (pipe(fds))
		return -1;
	fflush(NULL);
	pid = fork();
	if (!pid) {
		int err = run(arg, &value);

		if (!err && write(fds[1], &value, sizeof(value)) != sizeof(value))
			err = -1;
		_exit(err ? EXIT_FAILURE : EXIT_SUCCESS);
	}
	close(fds[1]);
	has_value = pid > 0 && read(fds[0], &value, sizeof(value)) == sizeof(value);
	close(fds[0]);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status) ||
	    WEXITSTATUS(status) || !has_value)
		return -1;
	*ret_value = value;
	return 0;
}

uint64_t measure_parse(const char *text, uint64_t max)
{
	char *end;
	unsigned long long v;

	if (*text < '0' || *text > '9')
		return 0;
	errno = 0;
	v = strtoull(text, &end, 10);
	return errno || *end || v > max ? 0 : v;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* Clock, median, processors; measurements in a process of their own. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

double measure_percentile(const double *sorted, size_t nr, unsigned int percent)
{
	return nr ? sorted[(nr - 1) * percent / 100] : 0;
}

int measure_apart(int (*run)(const void *arg, void *ret_result), const void *arg, void *ret_result,
		  size_t bytes)
{
	int fds[2], status, has_result;
	pid_t pid;

	if (pipe(fds))
		return -1;
	fflush(NULL);
	pid = fork();
	if (!pid) {
		int err = run(arg, ret_result);

		if (!err && write(fds[1], ret_result, bytes) != (ssize_t)bytes)
			err = -1;
		_exit(err ? EXIT_FAILURE : EXIT_SUCCESS);
	}
	close(fds[1]);
	has_result = pid > 0 && read(fds[0], ret_result, bytes) == (ssize_t)bytes;
	close(fds[0]);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !has_result)
		return -1;
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -1;
}

struct one_number {
	int (*run)(const void *arg, double *ret_value);
	const void *arg;
};

static int run_one_number(const void *arg, void *ret_result)
{
	const struct one_number *n = arg;

	return n->run(n->arg, ret_result);
}

int measure_in_child(int (*run)(const void *arg, double *ret_value), const void *arg,
		     double *ret_value)
{
	const struct one_number n = { run, arg };
	double value = 0;

	if (measure_apart(run_one_number, &n, &value, sizeof(value)))
		return -1;
	*ret_value = value;
	return 0;
}

static void end_process(int signal)
{
	static const char text[] = "benchmark: took too long, something hangs\n";

	(void)signal;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(2);
	_exit(EXIT_FAILURE);
}

void measure_limit(unsigned int seconds)
{
	signal(SIGALRM, end_process);
	alarm(seconds);
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

size_t measure_parse_list(const char *text, uint64_t max, size_t *ret_values, size_t room)
{
	char number[24];
	size_t n, nr = 0;

	for (;;) {
		n = strcspn(text, ",");
		if (n >= sizeof(number) || nr == room)
			return 0;
		memcpy(number, text, n);
		number[n] = '\0';
		ret_values[nr] = (size_t)measure_parse(number, max);
		if (!ret_values[nr++])
			return 0;
		text += n;
		if (!*text++)
			return nr;
	}
}

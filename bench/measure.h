/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* Clock, median, processors: what every benchmark needs. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stddef.h>
#include <stdint.h>

/* Monotonic time. */
uint64_t measure_now_ns(void);

/* What the calling thread has used of a processor; a system call. */
uint64_t measure_thread_cpu_ns(void);

/* The median; @values are left sorted.  0 of none. */
double measure_median(double *values, size_t nr);

/* The first two processors that this process may run on; returns how many there are (0 to 2). */
int measure_find_cpus(int cpu[2]);

/* The calling thread, and those it starts later, run on @cpu alone. */
int measure_pin(int cpu);

/*
 * Runs @run in a child process, because the library reads its configuration
 * once and keeps its threads.  Returns what @run returned, its result in
 * *ret_value, or -1 when the child did not come so far.
 */
int measure_in_child(int (*run)(const void *arg, double *ret_value), const void *arg,
		     double *ret_value);

/* The same for a result of any kind, of up to PIPE_BUF bytes. */
int measure_apart(int (*run)(const void *arg, void *ret_result), const void *arg, void *ret_result,
		  size_t bytes);

/*
 * Ends the process with a message when it still runs after @seconds: whatever
 * hangs, a benchmark does not.  Counts anew with each call.
 */
void measure_limit(unsigned int seconds);

/* @values, sorted by measure_median(): what @percent of them do not exceed.  0 of none. */
double measure_percentile(const double *sorted, size_t nr, unsigned int percent);

/* A decimal number of 1 to @max from a command line, or 0. */
uint64_t measure_parse(const char *text, uint64_t max);

/* Several with commas between them.  How many, or 0: not understood, or more than @room. */
size_t measure_parse_list(const char *text, uint64_t max, size_t *ret_values, size_t room);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The program's log callback.  It may be set before anything else and from any
 * thread, so it has a lock of its own and calls out while holding it: two
 * lines never mix.
 */
#include <stdarg.h>
#include <stdio.h>

#include "base/barrier.h"
#include "base/wait.h"
#include "core/registry.h"

#define LINE_BYTES 512

typedef void log_call(void *arg, enum wd_log_level level, const char *text);

static struct {
	struct wait_mutex lock;
	/* NULL while the rest is changed, which is when another thread may fork */
	_Atomic(log_call *) log;
	void *arg;
	enum wd_log_level level;
} sink;

void wd_set_log(void (*log)(void *arg, enum wd_log_level level, const char *text), void *arg,
		enum wd_log_level level)
{
	registry_life(); /* or a child would find the lock as its parent had it */
	wait_mutex_lock(&sink.lock);
	wd_store_relaxed(&sink.log, NULL);
	wd_full_mb();
	sink.arg = arg;
	sink.level = level;
	wd_store_release(&sink.log, log);
	wait_mutex_unlock(&sink.lock);
}

void log_begin_life(void)
{
	wd_store_relaxed(&sink.lock.word, 0);
}

void log_write(enum wd_log_level level, const char *fmt, ...)
{
	char line[LINE_BYTES];
	log_call *log;
	va_list args;

	wait_mutex_lock(&sink.lock);
	log = wd_load_relaxed(&sink.log);
	if (log && level <= sink.level) {
		va_start(args, fmt);
		vsnprintf(line, sizeof(line), fmt, args);
		va_end(args);
		log(sink.arg, level, line);
	}
	wait_mutex_unlock(&sink.lock);
}

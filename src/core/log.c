/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The program's log callback.  It may be set before anything else and from any
 * thread, so it has a lock of its own and calls out while holding it: two
 * lines never mix.
 */
#include <stdarg.h>
#include <stdio.h>

#include "base/wait.h"
#include "core/registry.h"

#define LINE_BYTES 512

static struct {
	struct wait_mutex lock;
	void (*log)(void *arg, enum wd_log_level level, const char *text);
	void *arg;
	enum wd_log_level level;
} sink;

void wd_set_log(void (*log)(void *arg, enum wd_log_level level, const char *text), void *arg,
		enum wd_log_level level)
{
	wait_mutex_lock(&sink.lock);
	sink.log = log;
	sink.arg = arg;
	sink.level = level;
	wait_mutex_unlock(&sink.lock);
}

void log_write(enum wd_log_level level, const char *fmt, ...)
{
	char line[LINE_BYTES];
	va_list args;

	wait_mutex_lock(&sink.lock);
	if (sink.log && level <= sink.level) {
		va_start(args, fmt);
		vsnprintf(line, sizeof(line), fmt, args);
		va_end(args);
		sink.log(sink.arg, level, line);
	}
	wait_mutex_unlock(&sink.lock);
}

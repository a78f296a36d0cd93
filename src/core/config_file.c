/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * A file of settings: lines "name = value", blank ones, and comments from a #
 * at the line's beginning or after white space.  What stands in it is foreign:
 * anything else in it is told with file and line.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/config_reading.h"

#define FILE_BYTES_MAX 65536
#define LINE_BYTES_MAX 1200 /* any value, its name, and room for blanks */
#define SHOWN_MAX      64   /* bytes of a line that a complaint repeats */

struct config_file {
	struct config_reading *reading;
	const char *path;
	unsigned int line;			 /* from 1 */
	unsigned int set_at[CONFIG_SETTINGS_NR]; /* line, 0: not yet */
};

/* ---------------------------------------------------------------- lines */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Cuts @text off behind its last byte that is not blank; returns the first such one. */
static char *trim(char *text)
{
	size_t n = strlen(text);

	while (n && is_blank(text[n - 1]))
		n--;
	text[n] = '\0';
	while (is_blank(*text))
		text++;
	return text;
}

static void cut_comment(char *text)
{
	char *p;

	for (p = text; *p; p++) {
		if (*p == '#' && (p == text || is_blank(p[-1]))) {
			*p = '\0';
			return;
		}
	}
}

/* The end of @path where all of it has no room: the file's name is there. */
static void format_origin(const struct config_file *f, char origin[CONFIG_ORIGIN_BYTES])
{
	char line[16];
	size_t n = strlen(f->path);
	size_t room;

	snprintf(line, sizeof(line), ":%u", f->line);
	room = CONFIG_ORIGIN_BYTES - 1 - strlen(line);
	if (n <= room)
		snprintf(origin, CONFIG_ORIGIN_BYTES, "%s%s", f->path, line);
	else
		snprintf(origin, CONFIG_ORIGIN_BYTES, "...%s%s",
			 f->path + n - (room - strlen("...")), line);
}

static int take_assignment(struct config_file *f, char *text, const char *origin)
{
	char *equals = strchr(text, '=');
	const char *name;
	int i;

	if (!equals)
		return config_reading_complain(
			f->reading, origin, "expected NAME = VALUE, not '%.*s'", SHOWN_MAX, text);
	*equals = '\0';
	name = trim(text);
	i = config_find(name);
	if (i < 0)
		return config_reading_complain(f->reading, origin, "no setting is called '%.*s'",
					       SHOWN_MAX, name);
	if (f->set_at[i])
		return config_reading_complain(f->reading, origin, "%s is set in line %u already",
					       name, f->set_at[i]);
	f->set_at[i] = f->line;
	return config_reading_take(f->reading, (unsigned int)i, trim(equals + 1), origin);
}

/* @text has a byte of room behind its @n. */
static int take_line(struct config_file *f, char *text, size_t n)
{
	char origin[CONFIG_ORIGIN_BYTES];
	size_t i;

	format_origin(f, origin);
	if (n > LINE_BYTES_MAX)
		return config_reading_complain(f->reading, origin, "longer than %d bytes",
					       LINE_BYTES_MAX);
	if (n && text[n - 1] == '\r')
		n--;
	for (i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		if ((c < ' ' && c != '\t') || c == 0x7f)
			return config_reading_complain(f->reading, origin,
						       "byte %zu is 0x%02x, which is no text",
						       i + 1, c);
	}
	text[n] = '\0';
	cut_comment(text);
	text = trim(text);
	return *text ? take_assignment(f, text, origin) : 0;
}

static int take_lines(struct config_file *f, char *text, size_t n)
{
	int err = 0;

	while (n && !err) {
		const char *newline = memchr(text, '\n', n);
		size_t length = newline ? (size_t)(newline - text) : n;
		size_t step = newline ? length + 1 : length;

		f->line++;
		err = take_line(f, text, length);
		text += step;
		n -= step;
	}
	return err;
}

/* ---------------------------------------------------------------- the file */

/* Only a plain file: nothing that a reader would wait for, or that has no end. */
static int check_kind(struct config_reading *reading, const char *path, int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return config_reading_complain(reading, path, "%m");
	if (S_ISDIR(st.st_mode))
		return config_reading_complain(reading, path, "is a directory");
	if (!S_ISREG(st.st_mode))
		return config_reading_complain(reading, path, "is not a plain file");
	return 0;
}

/* Up to @size bytes.  Returns how many, or -1 with errno set. */
static ssize_t read_all(int fd, char *buf, size_t size)
{
	size_t n = 0;

	while (n < size) {
		ssize_t got = read(fd, buf + n, size - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (!got)
			break;
		n += (size_t)got;
	}
	return (ssize_t)n;
}

static int take_file(struct config_reading *reading, const char *path, int fd)
{
	struct config_file f = { .reading = reading, .path = path };
	char *text;
	ssize_t n;
	int err = check_kind(reading, path, fd);

	if (err)
		return err;
	/* A byte more tells a file that is too large; it is also the last line's room. */
	text = malloc(FILE_BYTES_MAX + 1);
	if (!text)
		return -ENOMEM;
	n = read_all(fd, text, FILE_BYTES_MAX + 1);
	if (n < 0)
		err = config_reading_complain(reading, path, "%m");
	else if (n > FILE_BYTES_MAX)
		err = config_reading_complain(reading, path, "is larger than %d bytes",
					      FILE_BYTES_MAX);
	else
		err = take_lines(&f, text, (size_t)n);
	free(text);
	return err;
}

int config_file_read(struct config_reading *reading, const char *path, bool is_named)
{
	/* O_NONBLOCK: to open a pipe would wait for its other end. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int err;

	if (fd < 0 && !is_named && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0 && is_named)
		return config_reading_complain(reading, "WD_CONFIG", "%m: '%s'", path);
	if (fd < 0)
		return config_reading_complain(reading, path, "%m");
	err = take_file(reading, path, fd);
	close(fd);
	return err;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* Processes as /proc shows them. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/compiler.h"
#include "core/proc.h"

/* Fields of /proc/PID/stat, as proc(5) numbers them. */
#define FIELD_STATE	  3
#define FIELD_NUM_THREADS 20
#define FIELD_START	  22
#define FIELD_STARTSTACK  28

#define UIDS_NR 4 /* real, effective, saved, of the file system */

/* The text of a file of /proc/PID, @pid 0 being our own.  A count, or a negative errno. */
static ssize_t read_text(int pid, const char *name, char *text, size_t room)
{
	int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char path[64];
	size_t len = 0;
	ssize_t n = 0;
	int fd;

	if (proc < 0)
		return -errno;
	if (pid)
		snprintf(path, sizeof(path), "%d/%s", pid, name);
	else
		snprintf(path, sizeof(path), "self/%s", name);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	n = -errno;
	close(proc);
	if (fd < 0)
		return n;
	do {
		n = read(fd, text + len, room - 1 - len);
		len += n > 0 ? (size_t)n : 0;
	} while ((n > 0 && len < room - 1) || (n < 0 && errno == EINTR));
	n = n < 0 ? -errno : (ssize_t)len;
	close(fd);
	text[len] = '\0';
	return n;
}

/* The name of the program, field 2, may hold anything, also what ends it. */
static const char *find_field(const char *stat, unsigned int field)
{
	const char *p = strrchr(stat, ')');
	unsigned int i;

	for (i = 2; p && i < field; i++) {
		p = strchr(p, ' ');
		p = p ? p + 1 : NULL;
	}
	return p;
}

static uint64_t read_field(const char *stat, unsigned int field)
{
	const char *p = find_field(stat, field);

	return p ? strtoull(p, NULL, 10) : 0;
}

/* The first thread may have ended while others work on: that is no end. */
static bool is_over(const char *stat)
{
	const char *state = find_field(stat, FIELD_STATE);

	return state && (*state == 'Z' || *state == 'X') &&
	       read_field(stat, FIELD_NUM_THREADS) <= 1;
}

/* As proc_read_id(), but -ENOENT for what /proc does not show: gone, or hidden from us. */
static int look_up(int pid, struct proc_id *ret_id)
{
	char text[1024];
	struct stat space;
	ssize_t n;

	if (stat("/proc/self/ns/pid", &space) < 0)
		return errno == ENOENT ? -EOPNOTSUPP : -errno;
	n = read_text(pid, "stat", text, sizeof(text));
	if (n < 0)
		return (int)n;
	/* What is mounted there may be another namespace's. */
	if (!pid && atoi(text) != getpid())
		return -EOPNOTSUPP;
	if (!find_field(text, FIELD_STARTSTACK))
		return -EOPNOTSUPP;
	if (is_over(text))
		return -ESRCH;
	*ret_id = (struct proc_id){
		.pid = pid ? pid : getpid(),
		.start = read_field(text, FIELD_START),
		.space = space.st_ino,
		/* Where the stack begins is chosen anew for each program, unless told otherwise. */
		.image = read_field(text, FIELD_STARTSTACK),
	};
	return 0;
}

int proc_read_id(int pid, struct proc_id *ret_id)
{
	int err = look_up(pid, ret_id);

	return err == -ENOENT ? -ESRCH : err;
}

bool proc_has_ended(const struct proc_id *id)
{
	struct proc_id now;

	switch (look_up(id->pid, &now)) {
	case 0:
		return now.start != id->start;
	case -ESRCH:
		return true;
	case -ENOENT:
		return kill(id->pid, 0) < 0 && errno == ESRCH;
	default:
		return false;
	}
}

bool proc_has_uid(int pid, uid_t uid)
{
	char text[4096];
	unsigned long found[UIDS_NR];
	const char *line;
	unsigned int i;

	if (read_text(pid, "status", text, sizeof(text)) < 0)
		return false;
	line = strstr(text, "\nUid:");
	if (!line || sscanf(line, "\nUid: %lu %lu %lu %lu", &found[0], &found[1], &found[2],
			    &found[3]) != UIDS_NR)
		return false;
	for (i = 0; i < UIDS_NR; i++)
		if (found[i] == uid)
			return true;
	return false;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Which process a number means: numbers are used again, and the same process may
 * become another program.  Read from /proc, so that a process says of itself what
 * others find out about it.
 */
#ifndef CORE_PROC_H
#define CORE_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct proc_id {
	int32_t pid;
	uint64_t start; /* when it was started, in ticks since boot */
	uint64_t space; /* the PID namespace that pid belongs to */
	uint64_t image; /* changes with exec(); 0: not known */
};

/*
 * @pid 0: this process.  Returns 0, -ESRCH (ended, also where its parent does
 * not know yet), or another negative errno (/proc is not ours, or not there).
 */
int proc_read_id(int pid, struct proc_id *ret_id);

/* Whether a process that was seen as @id is there no more.  In doubt it is there. */
bool proc_has_ended(const struct proc_id *id);

/* Whether @uid is one of the user ids that the process has. */
bool proc_has_uid(int pid, uid_t uid);

#endif

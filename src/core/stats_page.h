/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The page that a process shows its counters in: a small file that it maps and
 * that others read.  Here is what lies where, how it comes and goes, and how a
 * stranger's is read; what is written into it is counters.c's.
 *
 * All pages lie in STATS_DIR, so that writer and reader need agree on nothing,
 * in any session, service or set-uid program.  A page belongs to the user whose
 * files the process makes (mode 0600), and its name says whose it is:
 * warpdrive-stats-PID-START-SPACE (core/proc.h).  One that a process left behind
 * is removed by the next of its user's that looks.
 */
#ifndef CORE_STATS_PAGE_H
#define CORE_STATS_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <wd/wd.h>

#include "core/counters.h"
#include "core/proc.h"

#define STATS_DIR "/dev/shm"

#define STATS_PAGE_MAGIC   0x3173746174736477u /* "wdstats1" in memory */
#define STATS_PAGE_VERSION 2
#define STATS_DEVICES_MAX  64
#define STATS_BLOCKS_MAX   256
#define STATS_FRONTS_MAX   8

struct stats_header {
	_Atomic uint64_t magic; /* 0 until the rest is in place */
	uint32_t version;
	uint32_t bytes; /* of the page */
	uint32_t nr_devices;
	uint32_t nr_blocks;
	uint32_t nr_counters;
	int32_t pid;
	uint64_t start;
	uint64_t image;
	/* odd while counts move from one place to another: those who look then look again */
	_Atomic uint32_t changes;
	uint32_t nr_fronts;
} BASE_ALIGNED(128);

struct stats_device {
	struct counter_block total; /* of closed queues; its device_id is 0 in a free place */
	char name[WD_DEVICE_NAME_MAX];
	_Atomic uint32_t nr_queues; /* open, also those whose blocks are not in the page */
	uint32_t reserved;
} BASE_ALIGNED(128);

/* A front end's counters, which any thread adds to. */
struct stats_front {
	_Atomic uint64_t value[WD_FRONT_COUNTERS_NR];
	_Atomic uint32_t is_named; /* 0 in a free place */
	uint32_t reserved;
	char name[WD_FRONT_NAME_MAX];
} BASE_ALIGNED(128);

struct stats_page {
	struct stats_header header;
	struct stats_device device[STATS_DEVICES_MAX];
	struct counter_block block[STATS_BLOCKS_MAX]; /* of open queues */
	struct stats_front front[STATS_FRONTS_MAX];
};

_Static_assert(offsetof(struct stats_front, is_named) == 48 &&
		       offsetof(struct stats_front, name) == 56,
	       "a front's place has no holes");
_Static_assert(sizeof(struct stats_header) == 128 && sizeof(struct stats_device) == 256 &&
		       sizeof(struct counter_block) == 128 && sizeof(struct stats_front) == 128 &&
		       sizeof(struct stats_page) == 50304,
	       "the page's layout is that of its version");

/* A page that is shown: where, and which file it is. */
struct stats_place {
	const char *dir;
	struct proc_id id;
	uint64_t dev;
	uint64_t ino;
};

/*
 * Shows a zeroed page of this process in @dir, a string that stays.  Removes what
 * ended processes of this user left there.  Returns 0 or a negative errno.
 */
int stats_page_show(const char *dir, struct stats_page **ret_page, struct stats_place *ret_place);

/* Takes the name away.  The page stays until it is unmapped. */
void stats_page_hide(const struct stats_place *place);

/* Whether @name, in @room bytes at most, ends and is of visible characters, of one at least. */
bool stats_is_name(const char *name, size_t room);

/*
 * Copies another process's page, checked: each name of a device or front is one,
 * ids and names of fronts are unique, and blocks belong to devices.  Returns 0,
 * -ESRCH, -EACCES, -EIO, -ENOMEM.
 */
int stats_page_read(const char *dir, int pid, struct stats_page **ret_copy);

/* The processes whose pages we may read.  As wd_stats_list(). */
int stats_page_list(const char *dir, int *pids, unsigned int nr);

#endif

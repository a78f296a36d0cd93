/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * How a page of counters comes, goes and is read.  What lies in the directory was
 * put there by anybody: a name counts only with the owner that it must have, and
 * bytes only once copied and checked.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/compiler.h"
#include "core/stats_page.h"

#define NAME_BYTES  96
#define NAME_FORMAT "warpdrive-stats-%" PRId32 "-%" PRIu64 "-%" PRIu64

#define READ_TRIES 32 /* a writer moves counts within a microsecond, a copy lasts ten */

/* ---------------------------------------------------------------- names and the directory */

static void format_name(char name[NAME_BYTES], const struct proc_id *id)
{
	snprintf(name, NAME_BYTES, NAME_FORMAT, id->pid, id->start, id->space);
}

static bool parse_name(const char *name, struct proc_id *ret_id)
{
	struct proc_id id = { 0 };
	char same[NAME_BYTES];

	if (sscanf(name, "warpdrive-stats-%" SCNd32 "-%" SCNu64 "-%" SCNu64, &id.pid, &id.start,
		   &id.space) != 3 ||
	    id.pid <= 0)
		return false;
	/* There is one way only to write it. */
	format_name(same, &id);
	if (strcmp(name, same) != 0)
		return false;
	*ret_id = id;
	return true;
}

/* What the public calls say of an open that failed. */
static int open_error(int err)
{
	switch (err) {
	case ENOENT:
		return -ESRCH;
	case EACCES:
		return -EACCES;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

/* Nobody but its owner, us or root, may take away or swap what others put there. */
static bool is_dir_safe(const struct stat *st)
{
	return (st->st_uid == 0 || st->st_uid == geteuid()) &&
	       (!(st->st_mode & (S_IWGRP | S_IWOTH)) || (st->st_mode & S_ISVTX));
}

static int open_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (!fstat(fd, &st) && is_dir_safe(&st))
		return fd;
	close(fd);
	return -EACCES;
}

/* ---------------------------------------------------------------- looking around */

struct scan {
	DIR *dir;
	int fd;
	uint64_t space;
};

/* One page of a process that lives. */
struct found {
	char name[NAME_BYTES];
	struct proc_id id;
	uid_t owner;
};

/* Returns 0, -ESRCH (no such directory: nobody shows anything), or as stats_page_read(). */
static int scan_open(struct scan *scan, const char *path)
{
	struct proc_id self;
	int err = proc_read_id(0, &self);

	/* Without /proc there is no telling who lives. */
	if (err)
		return err == -ESRCH ? -EIO : open_error(-err);
	scan->fd = open_dir(path);
	if (scan->fd < 0)
		return open_error(-scan->fd);
	scan->dir = fdopendir(scan->fd);
	if (!scan->dir) {
		err = open_error(errno);
		close(scan->fd);
		return err;
	}
	scan->space = self.space;
	return 0;
}

static void scan_close(struct scan *scan)
{
	closedir(scan->dir);
}

/*
 * The next page of a process that lives; what ended processes of this user have
 * left is removed on the way.  Pages of other PID namespaces are not ours to
 * judge: there the same number is another process.
 */
static bool scan_next(struct scan *scan, struct found *ret_found)
{
	struct dirent *entry;
	struct stat st;

	while ((entry = readdir(scan->dir)) != NULL) {
		if (!parse_name(entry->d_name, &ret_found->id) ||
		    ret_found->id.space != scan->space ||
		    fstatat(scan->fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		if (!proc_has_ended(&ret_found->id)) {
			strcpy(ret_found->name, entry->d_name);
			ret_found->owner = st.st_uid;
			return true;
		}
		if (st.st_uid == geteuid())
			unlinkat(scan->fd, entry->d_name, 0);
	}
	return false;
}

/* ---------------------------------------------------------------- showing one's own */

static int prepare_page(int fd, const struct proc_id *id, struct stats_page **ret_page)
{
	struct stats_page *page;
	int err;

	/* Whatever mask of ours took away. */
	if (fchmod(fd, S_IRUSR | S_IWUSR) < 0)
		return -errno;
	/* All of it now: where memory is short, a write to a hole would be a signal. */
	do
		err = posix_fallocate(fd, 0, sizeof(*page));
	while (err == EINTR);
	if (err)
		return -err;
	page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return -errno;
	page->header.version = STATS_PAGE_VERSION;
	page->header.bytes = sizeof(*page);
	page->header.nr_devices = STATS_DEVICES_MAX;
	page->header.nr_blocks = STATS_BLOCKS_MAX;
	page->header.nr_counters = COUNTERS_NR;
	page->header.nr_fronts = STATS_FRONTS_MAX;
	page->header.pid = id->pid;
	page->header.start = id->start;
	page->header.image = id->image;
	/* the header before what makes it one, for whoever reads the file meanwhile */
	wd_store_release(&page->header.magic, STATS_PAGE_MAGIC);
	*ret_page = page;
	return 0;
}

static int create_file(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			S_IRUSR | S_IWUSR);

	return fd < 0 ? -errno : fd;
}

/*
 * A page of our name and user is of this very process: from before exec(), or of
 * another copy of the library in it.  The last to come is shown.
 */
static int replace_file(int dir, const char *name)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
		return -EEXIST;
	if (unlinkat(dir, name, 0) < 0)
		return -errno;
	return create_file(dir, name);
}

static int show_in(int dir, struct stats_page **ret_page, struct stats_place *place)
{
	char name[NAME_BYTES];
	struct stat st;
	int err, fd;

	format_name(name, &place->id);
	fd = create_file(dir, name);
	if (fd == -EEXIST)
		fd = replace_file(dir, name);
	if (fd < 0)
		return fd;
	err = fstat(fd, &st) < 0 ? -errno : prepare_page(fd, &place->id, ret_page);
	/* The mapping is enough. */
	close(fd);
	if (err) {
		unlinkat(dir, name, 0);
		return err;
	}
	place->dev = st.st_dev;
	place->ino = st.st_ino;
	return 0;
}

int stats_page_show(const char *dir, struct stats_page **ret_page, struct stats_place *ret_place)
{
	struct stats_place place = { .dir = dir };
	int err = proc_read_id(0, &place.id);
	int fd;

	if (err)
		return err;
	/* What ended processes have left, should nobody ever ask. */
	stats_page_list(dir, NULL, 0);
	fd = open_dir(dir);
	if (fd < 0)
		return fd;
	err = show_in(fd, ret_page, &place);
	close(fd);
	if (!err)
		*ret_place = place;
	return err;
}

void stats_page_hide(const struct stats_place *place)
{
	int dir = open_dir(place->dir);
	char name[NAME_BYTES];
	struct stat st;

	if (dir < 0)
		return;
	format_name(name, &place->id);
	if (!fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) && st.st_dev == place->dev &&
	    st.st_ino == place->ino)
		unlinkat(dir, name, 0);
	close(dir);
}

/* ---------------------------------------------------------------- reading another's */

/* Whether the page is ours, or we are root and its process is its owner's. */
static bool is_readable(const struct found *found)
{
	if (found->owner == geteuid())
		return true;
	return geteuid() == 0 && proc_has_uid(found->id.pid, found->owner);
}

static int check_header(const struct stats_header *h, const struct proc_id *id)
{
	struct proc_id now;

	if (!wd_load_relaxed(&h->magic))
		return -ESRCH;
	if (wd_load_relaxed(&h->magic) != STATS_PAGE_MAGIC || h->version != STATS_PAGE_VERSION ||
	    h->bytes != sizeof(struct stats_page) || h->nr_devices != STATS_DEVICES_MAX ||
	    h->nr_blocks != STATS_BLOCKS_MAX || h->nr_counters != COUNTERS_NR ||
	    h->nr_fronts != STATS_FRONTS_MAX || h->pid != id->pid || h->start != id->start)
		return -EIO;
	if (proc_read_id(id->pid, &now))
		return -ESRCH;
	/* The process is another program by now. */
	return h->image && now.image && h->image != now.image ? -ESRCH : 0;
}

/*
 * Opens a page.  A descriptor, -ESRCH (it went away, is not ready, or of an earlier
 * program), or a negative errno as stats_page_read().
 */
static int open_page(const struct scan *scan, const struct found *found)
{
	int fd = openat(scan->fd, found->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stats_header header;
	struct stat st;
	int err = -EACCES;

	if (fd < 0)
		return open_error(errno);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != found->owner)
		goto out_close;
	err = -ESRCH;
	if (st.st_size == 0)
		goto out_close;
	err = -EIO;
	if (st.st_size != sizeof(struct stats_page) ||
	    pread(fd, &header, sizeof(header), 0) != sizeof(header))
		goto out_close;
	err = check_header(&header, &found->id);
	if (err)
		goto out_close;
	return fd;

out_close:
	close(fd);
	return err;
}

static bool read_page(int fd, struct stats_page *copy)
{
	return pread(fd, copy, sizeof(*copy), 0) == sizeof(*copy);
}

/* Counters of the page by a number: devices' first, then blocks'. */
static struct counter_block *block_at(struct stats_page *page, unsigned int i)
{
	return i < STATS_DEVICES_MAX ? &page->device[i].total : &page->block[i - STATS_DEVICES_MAX];
}

static bool has_front_shrunk(const struct stats_front *first, const struct stats_front *then)
{
	unsigned int k;

	for (k = 0; k < WD_FRONT_COUNTERS_NR; k++)
		if (wd_load_relaxed(&then->value[k]) < wd_load_relaxed(&first->value[k]))
			return true;
	return false;
}

/* Whether nothing moved between two copies; counters that shrank did, or were not read whole. */
static bool is_settled(struct stats_page *first, struct stats_page *then)
{
	uint32_t changes = wd_load_relaxed(&first->header.changes);
	unsigned int i, k;

	if (changes % 2 || changes != wd_load_relaxed(&then->header.changes))
		return false;
	for (i = 0; i < STATS_DEVICES_MAX + STATS_BLOCKS_MAX; i++)
		for (k = 0; k < COUNTERS_NR; k++)
			if (counter_get(block_at(then, i), k) < counter_get(block_at(first, i), k))
				return false;
	for (i = 0; i < STATS_FRONTS_MAX; i++)
		if (has_front_shrunk(&first->front[i], &then->front[i]))
			return false;
	return true;
}

/* Keeps of a later copy what counts before all else, so that it is not less than its parts. */
static void take_from_first(struct stats_page *first, struct stats_page *then)
{
	unsigned int i, k;

	for (i = 0; i < STATS_DEVICES_MAX + STATS_BLOCKS_MAX; i++)
		for (k = 0; k < COUNTERS_NR; k++)
			if (k != COUNTER_SENT)
				wd_store_relaxed(&block_at(then, i)->value[k],
						 counter_get(block_at(first, i), k));
	for (i = 0; i < STATS_FRONTS_MAX; i++)
		for (k = 0; k < WD_FRONT_COUNTERS_NR; k++)
			if (k != WD_FRONT_STREAMS)
				wd_store_relaxed(&then->front[i].value[k],
						 wd_load_relaxed(&first->front[i].value[k]));
}

/*
 * Reads by copies, not through a mapping: the file is its owner's to cut short.
 * Of two copies what came back is taken from the first and what was sent from
 * the second, so that never more is back than was out; so with a front's streams.
 */
static int copy_page(int fd, struct stats_page *first, struct stats_page *then)
{
	unsigned int tries;

	for (tries = 0; tries < READ_TRIES; tries++) {
		if (!read_page(fd, first))
			return -EIO;
		wd_full_mb(); /* the first copy before the second */
		if (!read_page(fd, then))
			return -EIO;
		if (!is_settled(first, then))
			continue;
		take_from_first(first, then);
		return 0;
	}
	/* It never comes to rest, or was stopped half way: as good as it gets. */
	return 0;
}

bool stats_is_name(const char *name, size_t room)
{
	size_t i, len = strnlen(name, room);

	if (!len || len == room)
		return false;
	for (i = 0; i < len; i++)
		if (name[i] <= ' ' || name[i] > '~')
			return false;
	return true;
}

static bool has_device(const struct stats_page *page, unsigned int nr, uint32_t id)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (wd_load_relaxed(&page->device[i].total.device_id) == id)
			return true;
	return false;
}

static bool are_fronts_right(const struct stats_page *page)
{
	unsigned int i, k;

	for (i = 0; i < STATS_FRONTS_MAX; i++) {
		const struct stats_front *front = &page->front[i];

		if (!wd_load_relaxed(&front->is_named))
			continue;
		if (!stats_is_name(front->name, sizeof(front->name)))
			return false;
		for (k = 0; k < i; k++)
			if (wd_load_relaxed(&page->front[k].is_named) &&
			    !strcmp(page->front[k].name, front->name))
				return false;
	}
	return true;
}

static int check_copy(const struct stats_page *page, const struct proc_id *id)
{
	int err = check_header(&page->header, id);
	unsigned int i;

	if (err)
		return err;
	for (i = 0; i < STATS_DEVICES_MAX; i++) {
		uint32_t device_id = wd_load_relaxed(&page->device[i].total.device_id);

		if (device_id &&
		    (!stats_is_name(page->device[i].name, sizeof(page->device[i].name)) ||
		     has_device(page, i, device_id)))
			return -EIO;
	}
	for (i = 0; i < STATS_BLOCKS_MAX; i++) {
		uint32_t device_id = wd_load_relaxed(&page->block[i].device_id);

		if (device_id && !has_device(page, STATS_DEVICES_MAX, device_id))
			return -EIO;
	}
	return are_fronts_right(page) ? 0 : -EIO;
}

static struct stats_page *alloc_copy(void)
{
	return aligned_alloc(_Alignof(struct stats_page), sizeof(struct stats_page));
}

static int read_found(const struct scan *scan, const struct found *found,
		      struct stats_page **ret_copy)
{
	struct stats_page *first = alloc_copy();
	struct stats_page *then = alloc_copy();
	int err = -ENOMEM;
	int fd;

	if (!first || !then)
		goto out_free;
	fd = open_page(scan, found);
	err = fd < 0 ? fd : copy_page(fd, first, then);
	if (fd >= 0)
		close(fd);
	if (!err)
		err = check_copy(then, &found->id);
	if (!err) {
		*ret_copy = then;
		then = NULL;
	}
out_free:
	free(first);
	free(then);
	return err;
}

int stats_page_read(const char *dir, int pid, struct stats_page **ret_copy)
{
	struct found found;
	struct scan scan;
	int err = scan_open(&scan, dir);
	int ret = -ESRCH;

	if (err)
		return err;
	while (scan_next(&scan, &found)) {
		if (found.id.pid != pid)
			continue;
		err = is_readable(&found) ? read_found(&scan, &found, ret_copy) : -EACCES;
		/* There may be one of a stranger under the same process's name. */
		if (err != -ESRCH)
			ret = err;
		if (!err)
			break;
	}
	scan_close(&scan);
	return ret;
}

int stats_page_list(const char *dir, int *pids, unsigned int nr)
{
	struct found found;
	struct scan scan;
	int err = scan_open(&scan, dir);
	int n = 0;

	if (err)
		return err == -ESRCH ? 0 : err;
	while (scan_next(&scan, &found)) {
		int fd;

		if (!is_readable(&found))
			continue;
		fd = open_page(&scan, &found);
		if (fd >= 0)
			close(fd);
		/* What makes no sense is said so where it is read. */
		else if (fd != -EIO)
			continue;
		if ((unsigned int)n < nr)
			pids[n] = found.id.pid;
		n++;
	}
	scan_close(&scan);
	return n;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * One FILE of the command line, by gzip's rules.  The output stands under a
 * temporary name until it is whole; the input goes away after that and only
 * then, so that at each moment one of the two is there and good.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "comp_file.h"
#include "comp_name.h"
#include "temp_file.h"
#include "wd_tool.h"

struct comp_file {
	const struct comp_opts *opts;
	struct comp_source source;
	struct comp_sink sink;
	struct comp_tally tally;
	struct stat in_stat;   /* of what is read */
	struct stat name_stat; /* of its name: a symbolic link's own */
	bool is_stdin;
	bool may_replace; /* a target already there */
	char path[PATH_MAX];
	char target[PATH_MAX]; /* "": standard output or nowhere */
};

static enum comp_end fail_errno(const char *name, int err)
{
	tool_say(name, "%s", strerror(err));
	return COMP_END_FAILED;
}

static enum comp_end skip(const struct comp_file *file, const char *name, const char *why)
{
	if (!file->opts->is_quiet)
		tool_say(name, "%s", why);
	return COMP_END_SKIPPED;
}

/* ---------------------------------------------------------------- input */

static int try_open(struct comp_file *file)
{
	int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY;

	/* A file that will be replaced must be the file itself, and a pipe is never one. */
	if (comp_opts_is_in_place(file->opts)) {
		flags |= O_NONBLOCK;
		if (!file->opts->is_forced)
			flags |= O_NOFOLLOW;
	}
	file->source.fd = open(file->path, flags);
	return file->source.fd < 0 ? -errno : 0;
}

/* Like gzip -d, takes NAME for NAME.gz and the like. */
static int try_suffixes(struct comp_file *file, const char *name)
{
	const char *const suffixes[] = { ".gz", ".z", "-z", ".Z", file->opts->suffix };
	int err = -ENOENT;

	for (size_t i = 0; err == -ENOENT && i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		err = comp_name_add_suffix(name, suffixes[i], file->path, sizeof(file->path));
		if (err == 0)
			err = try_open(file);
	}
	return err;
}

static enum comp_end open_input(struct comp_file *file, const char *name)
{
	int err = comp_name_add_suffix(name, "", file->path, sizeof(file->path));

	if (err)
		return fail_errno(name, -err);
	err = try_open(file);
	if (err == -ENOENT && file->opts->is_decompress &&
	    !comp_name_suffix(name, file->opts->suffix))
		err = try_suffixes(file, name);
	file->source.name = file->path;
	if (err == -ELOOP && !file->opts->is_forced && lstat(file->path, &file->name_stat) == 0 &&
	    S_ISLNK(file->name_stat.st_mode)) {
		tool_say(file->path, "is a symbolic link; -f follows it");
		return COMP_END_FAILED;
	}
	if (err)
		return fail_errno(file->path, -err);
	if (fstat(file->source.fd, &file->in_stat) < 0 || lstat(file->path, &file->name_stat) < 0)
		return fail_errno(file->path, errno);
	return COMP_END_DONE;
}

/* Files whose replacement would take more away than the file. */
static enum comp_end check_in_place(const struct comp_file *file)
{
	const struct stat *st = &file->in_stat;
	char text[80];

	if (!S_ISREG(st->st_mode))
		return skip(file, file->path, "is not a directory or a regular file -- ignored");
	if (st->st_mode & S_ISUID)
		return skip(file, file->path, "is set-user-ID on execution -- ignored");
	if (st->st_mode & S_ISGID)
		return skip(file, file->path, "is set-group-ID on execution -- ignored");
	if (file->opts->is_forced)
		return COMP_END_DONE;
	if (st->st_mode & S_ISVTX)
		return skip(file, file->path, "has the sticky bit set -- ignored");
	if (st->st_nlink > 1) {
		snprintf(text, sizeof(text), "has %lu other link%s -- ignored",
			 (unsigned long)st->st_nlink - 1, st->st_nlink > 2 ? "s" : "");
		return skip(file, file->path, text);
	}
	return COMP_END_DONE;
}

/* Whether it is a file to work on; the name it will have follows from its own. */
static enum comp_end check_input(struct comp_file *file)
{
	const char *suffix = comp_name_suffix(file->path, file->opts->suffix);
	bool is_in_place = comp_opts_is_in_place(file->opts);
	char text[80];

	if (S_ISDIR(file->in_stat.st_mode))
		return skip(file, file->path, "is a directory -- ignored");
	if (!is_in_place)
		return COMP_END_DONE;
	if (file->opts->is_decompress && !suffix)
		return skip(file, file->path, "unknown suffix -- ignored");
	if (!file->opts->is_decompress && suffix && !file->opts->is_forced) {
		snprintf(text, sizeof(text), "already has %.32s suffix -- unchanged", suffix);
		skip(file, file->path, text);
		return COMP_END_PACKED;
	}
	return check_in_place(file);
}

static enum comp_end check_terminal(const struct comp_file *file)
{
	const struct comp_opts *opts = file->opts;
	bool is_to_terminal = !opts->is_decompress && file->sink.is_stdout && isatty(STDOUT_FILENO);
	bool is_from_terminal = opts->is_decompress && file->is_stdin && isatty(STDIN_FILENO);

	if (opts->is_forced || (!is_to_terminal && !is_from_terminal))
		return COMP_END_DONE;
	tool_say(NULL, "compressed data not %s a terminal; -f forces it. For help: wd help %s",
		 is_to_terminal ? "written to" : "read from",
		 opts->is_decompress ? "decompress" : "compress");
	return COMP_END_FATAL;
}

/* --------------------------------------------------------------- output */

static int name_target(struct comp_file *file, const struct wd_comp_gzip_header *header)
{
	const struct comp_opts *opts = file->opts;
	char *target = file->target;
	size_t room = sizeof(file->target);

	if (opts->output)
		return comp_name_add_suffix(opts->output, "", target, room);
	if (!opts->is_decompress)
		return comp_name_add_suffix(file->path, opts->suffix, target, room);
	if (opts->has_name && header && header->has_name &&
	    comp_name_restore(file->path, header->name, target, room) == 0)
		return 0;
	return comp_name_drop_suffix(file->path, comp_name_suffix(file->path, opts->suffix), target,
				     room);
}

static bool ask_overwrite(const char *target)
{
	int c = 0;
	bool is_yes;

	fprintf(stderr, "wd: %s already exists; do you wish to overwrite (y or n)? ", target);
	fflush(stderr);
	is_yes = (c = getchar()) == 'y' || c == 'Y';
	while (c != '\n' && c != EOF)
		c = getchar();
	return is_yes;
}

/* What stands under the target's name: nothing, something to replace, or an obstacle. */
static enum comp_end check_target(struct comp_file *file)
{
	const char *target = file->target;
	struct stat st;

	file->may_replace = file->opts->is_forced;
	if (lstat(target, &st) < 0)
		return errno == ENOENT ? COMP_END_DONE : fail_errno(target, errno);
	if (st.st_dev == file->in_stat.st_dev && st.st_ino == file->in_stat.st_ino) {
		tool_say(target, "is both input and output");
		return COMP_END_FAILED;
	}
	/* A rename would put a plain file in the place of a device, say. */
	if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode)) {
		tool_say(target, "is not a regular file; not overwritten");
		return COMP_END_FAILED;
	}
	if (file->may_replace)
		return COMP_END_DONE;
	if (file->is_stdin || !isatty(STDIN_FILENO))
		return skip(file, target, "already exists; not overwritten");
	file->may_replace = ask_overwrite(target);
	return file->may_replace ? COMP_END_DONE : skip(file, target, "not overwritten");
}

static enum comp_end open_target(struct comp_sink *sink, const struct wd_comp_gzip_header *header)
{
	struct comp_file *file = sink->owner;
	enum comp_end end;
	int ret = name_target(file, header);

	if (ret < 0)
		return fail_errno(file->path, -ret);
	end = check_target(file);
	if (end != COMP_END_DONE)
		return end;
	sink->fd = temp_file_create(file->target);
	if (sink->fd < 0)
		return fail_errno(file->target, -sink->fd);
	sink->name = file->target;
	return COMP_END_DONE;
}

static enum comp_end open_stdout(struct comp_sink *sink, const struct wd_comp_gzip_header *header)
{
	(void)header;
	sink->fd = STDOUT_FILENO;
	return COMP_END_DONE;
}

static enum comp_end open_nowhere(struct comp_sink *sink, const struct wd_comp_gzip_header *header)
{
	(void)header;
	sink->fd = -1;
	return COMP_END_DONE;
}

static void choose_sink(struct comp_file *file)
{
	const struct comp_opts *opts = file->opts;
	struct comp_sink *sink = &file->sink;

	sink->fd = -1;
	sink->owner = file;
	if (opts->is_list || opts->is_test) {
		sink->open = open_nowhere;
	} else if (opts->is_to_stdout || (file->is_stdin && !opts->output)) {
		sink->open = open_stdout;
		sink->name = "stdout";
		sink->is_stdout = true;
	} else {
		sink->open = open_target;
	}
}

/* --------------------------------------------------------------- finish */

/*
 * Owner first, for a change of owner clears mode bits.  Where the group cannot
 * be kept, it gets no more than everybody has.
 */
static int copy_owner_and_mode(const struct comp_file *file)
{
	const struct stat *st = &file->in_stat;
	mode_t mode = st->st_mode & (S_IRWXU | S_IRWXG | S_IRWXO);
	int fd = file->sink.fd;

	if (!S_ISREG(st->st_mode)) {
		mode_t mask = umask(0);

		umask(mask);
		return fchmod(fd, 0666 & ~mask) < 0 ? -errno : 0;
	}
	if (fchown(fd, -1, st->st_gid) < 0)
		mode &= S_IRWXU | S_IRWXO | ((mode & S_IRWXO) << 3);
	/* Without privilege the file stays the caller's own, as with cp -p. */
	if (fchown(fd, st->st_uid, -1) < 0 && errno != EPERM && errno != EINVAL)
		return -errno;
	return fchmod(fd, mode) < 0 ? -errno : 0;
}

static int copy_times(const struct comp_file *file)
{
	const struct wd_comp_gzip_header *header = &file->tally.header;
	struct timespec times[2] = { file->in_stat.st_atim, file->in_stat.st_mtim };
	bool is_restored = file->opts->is_decompress && file->opts->has_name &&
			   file->tally.has_header && header->mtime;

	if (!S_ISREG(file->in_stat.st_mode))
		times[0] = times[1] = (struct timespec){ .tv_nsec = UTIME_OMIT };
	if (is_restored)
		times[1] = (struct timespec){ .tv_sec = header->mtime };
	return futimens(file->sink.fd, times) < 0 ? -errno : 0;
}

static int sync_directory(const char *target)
{
	char dir[PATH_MAX];
	int len = comp_name_base(target) - target;
	int fd, ret;

	snprintf(dir, sizeof(dir), "%.*s", len ? len : 1, len ? target : ".");
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = fsync(fd) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

/* Gives the output what it keeps of its input, and its name. */
static enum comp_end install_target(struct comp_file *file)
{
	int ret = copy_owner_and_mode(file);

	if (ret == 0)
		ret = copy_times(file);
	if (ret == 0 && file->opts->is_synced && fsync(file->sink.fd) < 0)
		ret = -errno;
	if (close(file->sink.fd) < 0 && ret == 0)
		ret = -errno;
	file->sink.fd = -1;
	if (ret == 0)
		ret = temp_file_install(file->target, file->may_replace);
	if (ret == -EEXIST)
		return skip(file, file->target, "already exists; not overwritten");
	if (ret == 0 && file->opts->is_synced)
		ret = sync_directory(file->target);
	return ret ? fail_errno(file->target, -ret) : COMP_END_DONE;
}

/* The input goes only if its name still means what was read, all of it. */
static enum comp_end remove_input(const struct comp_file *file)
{
	struct stat st;

	if (fstat(file->source.fd, &st) < 0)
		return fail_errno(file->path, errno);
	if (st.st_size != file->in_stat.st_size ||
	    st.st_mtim.tv_sec != file->in_stat.st_mtim.tv_sec ||
	    st.st_mtim.tv_nsec != file->in_stat.st_mtim.tv_nsec) {
		skip(file, file->path, "changed while it was read; not removed");
		return COMP_END_REMARK;
	}
	if (lstat(file->path, &st) < 0)
		return fail_errno(file->path, errno);
	if (st.st_dev != file->name_stat.st_dev || st.st_ino != file->name_stat.st_ino) {
		skip(file, file->path, "is another file now; not removed");
		return COMP_END_REMARK;
	}
	return unlink(file->path) < 0 ? fail_errno(file->path, errno) : COMP_END_DONE;
}

static enum comp_end finish(struct comp_file *file, enum comp_end end)
{
	const struct comp_opts *opts = file->opts;
	bool is_replaced = comp_opts_is_in_place(opts) && !opts->is_kept && !file->is_stdin;
	enum comp_end installed = COMP_END_DONE;

	if (end != COMP_END_DONE && end != COMP_END_REMARK)
		return end;
	if (*file->target)
		installed = install_target(file);
	if (installed == COMP_END_DONE && *file->target && is_replaced)
		installed = remove_input(file);
	if (installed == COMP_END_SKIPPED || installed == COMP_END_FAILED)
		return installed;
	if (opts->is_verbose && !opts->is_list)
		comp_report_done(opts, file->source.name, *file->target ? file->target : NULL,
				 is_replaced && *file->target, &file->tally);
	return installed == COMP_END_REMARK ? installed : end;
}

/* ------------------------------------------------------------------ run */

static void make_header(const struct comp_file *file, struct wd_comp_gzip_header *ret_header)
{
	memset(ret_header, 0, sizeof(*ret_header));
	ret_header->size = sizeof(*ret_header);
	ret_header->os = 3;
	if (!file->opts->has_name || !S_ISREG(file->in_stat.st_mode))
		return;
	/* The field has 32 bits and counts from 1970; outside of that the time is not known. */
	if (file->in_stat.st_mtime > 0 && file->in_stat.st_mtime <= UINT32_MAX)
		ret_header->mtime = file->in_stat.st_mtime;
	if (file->is_stdin)
		return;
	ret_header->has_name = 1;
	snprintf(ret_header->name, sizeof(ret_header->name), "%s", comp_name_base(file->path));
}

static void list(const struct comp_file *file, struct comp_table *table)
{
	const struct wd_comp_gzip_header *header = &file->tally.header;
	const char *suffix = comp_name_suffix(file->path, file->opts->suffix);
	time_t when = S_ISREG(file->in_stat.st_mode) ? file->in_stat.st_mtime : 0;
	bool is_original = file->opts->has_name && file->tally.has_header;
	const char *name = file->is_stdin ? "stdout" : file->path;
	char plain[PATH_MAX];

	if (is_original && header->mtime)
		when = header->mtime;
	if (suffix && comp_name_drop_suffix(file->path, suffix, plain, sizeof(plain)) == 0)
		name = plain;
	if (is_original && header->has_name && !file->is_stdin &&
	    comp_name_restore(file->path, header->name, plain, sizeof(plain)) == 0)
		name = plain;
	comp_table_row(table, file->opts, name, when, &file->tally);
}

static enum comp_end pump(struct comp_file *file, struct comp_job *job)
{
	const struct comp_opts *opts = file->opts;
	bool is_shown = !opts->is_quiet && !(file->sink.is_stdout && isatty(STDOUT_FILENO));
	uint64_t total = S_ISREG(file->in_stat.st_mode) ? file->in_stat.st_size : 0;
	struct wd_comp_gzip_header header;

	progress_start(&file->source.progress, file->source.name, total, is_shown);
	if (opts->is_decompress)
		return comp_job_decompress(job, &file->source, &file->sink, &file->tally);
	make_header(file, &header);
	return comp_job_compress(job, &file->source, &header, &file->sink, &file->tally);
}

enum comp_end comp_file_run(const struct comp_opts *opts, struct comp_job *job, const char *name,
			    struct comp_table *table)
{
	struct comp_file file = { .opts = opts };
	enum comp_end end = COMP_END_DONE;

	file.is_stdin = strcmp(name, "-") == 0;
	file.source.fd = STDIN_FILENO;
	file.source.name = "stdin";
	choose_sink(&file);
	if (!file.is_stdin) {
		end = open_input(&file, name);
		if (end == COMP_END_DONE)
			end = check_input(&file);
	} else if (fstat(STDIN_FILENO, &file.in_stat) < 0) {
		return fail_errno("stdin", errno);
	}
	if (end == COMP_END_DONE)
		end = check_terminal(&file);
	if (end == COMP_END_DONE)
		end = finish(&file, pump(&file, job));
	if (opts->is_list && (end == COMP_END_DONE || end == COMP_END_REMARK))
		list(&file, table);

	/* A target that has not got its name by now gets none. */
	temp_file_remove();
	if (file.sink.fd > STDERR_FILENO)
		close(file.sink.fd);
	if (!file.is_stdin && file.source.fd >= 0)
		close(file.source.fd);
	return end;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * wd run: starts a program with a library of ours in the place of one that it
 * knows.  The loader does that (LD_PRELOAD); here the library is found, and what
 * the loader would pass over in silence is said.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* asprintf() */
#endif
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "wd_tool.h"

/* As env(1) has them, so that a script can tell ours from the program's. */
enum {
	EXIT_NOT_PREPARED = 125,
	EXIT_CANNOT_RUN = 126,
	EXIT_NOT_FOUND = 127,
};

#define LIBRARY	  "libwdz.so.1"
#define PATH_ROOM PATH_MAX

/* Where execvp() looks when PATH is not set. */
#define PATH_UNSET "/bin:/usr/bin"

static const char usage[] =
	"Usage: wd run --zlib [--] PROGRAM [ARGUMENT]...\n"
	"Run PROGRAM with libwdz in the place of zlib: what it compresses and decompresses\n"
	"goes through queues where that gains, and is done by zlib as ever where not.\n\n"
	"  -h, --help         this text\n"
	"  -z, --zlib         in the place of zlib; there is nothing else yet, so it must be given\n\n"
	"What PROGRAM starts gets libwdz as well.  'wd explain --zlib' says what would be done.\n\n"
	"Exit status: that of PROGRAM; 125 nothing was tried, 126 PROGRAM cannot be run,\n"
	"127 there is no PROGRAM.\n";

/* From the folder of wd: as installed, as Debian and others install, in a build folder. */
static const char *const places[] = {
	"../" WD_LIBDIR,
	"../lib",
	"../lib/" WD_MULTIARCH,
	"../frontend/zlib",
};

#define PLACES_NR (sizeof(places) / sizeof(places[0]))

static int find_own_folder(char folder[PATH_ROOM])
{
	ssize_t len = readlink("/proc/self/exe", folder, PATH_ROOM - 1);
	char *slash;

	if (len < 0)
		return -errno;
	folder[len] = '\0';
	slash = strrchr(folder, '/');
	if (!slash)
		return -ENOENT;
	*slash = '\0';
	return 0;
}

static bool join(const char *folder, const char *name, char ret_path[PATH_ROOM])
{
	return snprintf(ret_path, PATH_ROOM, "%s/%s", folder, name) < PATH_ROOM;
}

static void say_places(const char *folder)
{
	tool_say(LIBRARY, "not found; looked for it in");
	for (size_t i = 0; i < PLACES_NR; i++)
		if (i == 0 || strcmp(places[i], places[0]) != 0)
			fprintf(stderr, "  %s/%s\n", folder, places[i]);
}

/* The library's absolute path, or NULL after a message. */
static const char *find_library(char ret_path[PATH_ROOM])
{
	char folder[PATH_ROOM], place[PATH_ROOM], real[PATH_ROOM];
	int err = find_own_folder(folder);

	if (err) {
		tool_say("/proc/self/exe", "%s", strerror(-err));
		return NULL;
	}
	for (size_t i = 0; i < PLACES_NR; i++) {
		if (!join(folder, places[i], place) || !realpath(place, real) ||
		    !join(real, LIBRARY, ret_path) || access(ret_path, R_OK) < 0)
			continue;
		/* What the loader separates names at, or expands: there is no quoting. */
		if (!strpbrk(ret_path, " :$"))
			return ret_path;
		tool_say(ret_path,
			 "LD_PRELOAD cannot name it: a space, a colon or a $ in its path");
		return NULL;
	}
	say_places(folder);
	return NULL;
}

static int put_in_front(const char *library)
{
	const char *others = getenv("LD_PRELOAD");
	char *list;
	int err;

	if (asprintf(&list, "%s%s%s", library, others && *others ? ":" : "", others ? others : "") <
	    0)
		return -ENOMEM;
	err = setenv("LD_PRELOAD", list, 1) ? -errno : 0;
	free(list);
	return err;
}

/* The file that execvp() will run, if it is easily found. */
static bool find_program(const char *name, char ret_path[PATH_ROOM])
{
	const char *at = getenv("PATH");
	struct stat st;

	if (strchr(name, '/'))
		return snprintf(ret_path, PATH_ROOM, "%s", name) < PATH_ROOM;
	for (at = at ? at : PATH_UNSET;; at++) {
		size_t len = strcspn(at, ":");

		/* An empty element is the working directory. */
		if (snprintf(ret_path, PATH_ROOM, "%.*s%s%s", (int)len, at, len ? "/" : "./",
			     name) < PATH_ROOM &&
		    stat(ret_path, &st) == 0 && S_ISREG(st.st_mode) && access(ret_path, X_OK) == 0)
			return true;
		at += len;
		if (!*at)
			return false;
	}
}

/*
 * Runs with more rights than ours, so that the loader will not listen to us.  A
 * program of our own user with the bit set gains none; nor does root by capabilities.
 */
static bool gains_rights(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return false;
	if ((st.st_mode & S_ISUID) && st.st_uid != getuid())
		return true;
	if ((st.st_mode & S_ISGID) && (st.st_mode & S_IXGRP) && st.st_gid != getgid())
		return true;
	return getuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0;
}

/* Whether it is a program of our kind without a loader. */
static bool is_static(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool has_loader = true;
	Elf64_Phdr segment;
	Elf64_Ehdr head;

	if (fd < 0)
		return false;
	if (read(fd, &head, sizeof(head)) == sizeof(head) &&
	    memcmp(head.e_ident, ELFMAG, SELFMAG) == 0 && head.e_ident[EI_CLASS] == ELFCLASS64 &&
	    head.e_phentsize == sizeof(segment)) {
		has_loader = false;
		for (unsigned int i = 0; i < head.e_phnum && !has_loader; i++) {
			off_t at = (off_t)(head.e_phoff + i * sizeof(segment));

			if (pread(fd, &segment, sizeof(segment), at) != sizeof(segment))
				break;
			has_loader = segment.p_type == PT_INTERP;
		}
	}
	close(fd);
	return !has_loader;
}

/* It is run all the same: who asks for it wants it done. */
static void warn_of(const char *name)
{
	char path[PATH_ROOM];

	if (!find_program(name, path))
		return;
	if (gains_rights(path))
		tool_say(name, "runs with other rights than yours (set-uid, set-gid, "
			       "capabilities): it will not get " LIBRARY);
	else if (is_static(path))
		tool_say(name, "is linked statically: it will not get " LIBRARY);
}

static int run_program(char **argv)
{
	char path[PATH_ROOM];
	const char *library = find_library(path);
	int err;

	if (!library)
		return EXIT_NOT_PREPARED;
	err = put_in_front(library);
	if (err) {
		tool_say(NULL, "%s", strerror(-err));
		return EXIT_NOT_PREPARED;
	}
	warn_of(argv[0]);
	execvp(argv[0], argv);
	err = errno;
	tool_say(argv[0], "%s", strerror(err));
	return err == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
}

static int run(const struct tool_cmd *cmd, int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "zlib", no_argument, NULL, 'z' },
		{ 0 },
	};
	bool is_zlib = false;
	int opt;

	opterr = 0;
	/* Options behind PROGRAM are the program's. */
	while ((opt = getopt_long(argc, argv, "+:hz", options, NULL)) != -1) {
		switch (opt) {
		case 'h':
			fputs(usage, stdout);
			return tool_end_stdout();
		case 'z':
			is_zlib = true;
			break;
		default:
			tool_option_error(cmd, options, opt, argv);
			return EXIT_NOT_PREPARED;
		}
	}
	if (!is_zlib) {
		tool_usage_error(cmd, "in the place of what? --zlib must be given");
		return EXIT_NOT_PREPARED;
	}
	if (optind == argc) {
		tool_usage_error(cmd, "which program?");
		return EXIT_NOT_PREPARED;
	}
	return run_program(argv + optind);
}

const struct tool_cmd cmd_run = {
	.name = "run",
	.summary = "run a program with libwdz in the place of zlib",
	.usage = usage,
	.run = run,
};

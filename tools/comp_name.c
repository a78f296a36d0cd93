/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* Names of compressed files, by gzip's rules. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "comp_name.h"

const char *comp_name_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* A name that is nothing but the suffix does not count. */
static const char *ends_in(const char *name, const char *suffix)
{
	size_t name_len = strlen(name);
	size_t suffix_len = strlen(suffix);
	const char *tail;

	if (suffix_len == 0 || name_len <= suffix_len)
		return NULL;
	tail = name + name_len - suffix_len;
	return tail[-1] != '/' && strcasecmp(tail, suffix) == 0 ? tail : NULL;
}

const char *comp_name_suffix(const char *name, const char *own)
{
	static const char *const known[] = { ".gz", ".z", ".tgz", ".taz", "-gz", "-z", "_z" };
	const char *tail = ends_in(name, own);

	for (size_t i = 0; !tail && i < sizeof(known) / sizeof(known[0]); i++)
		tail = ends_in(name, known[i]);
	return tail;
}

static int fits(int len, size_t room)
{
	return len >= 0 && (size_t)len < room ? 0 : -ENAMETOOLONG;
}

int comp_name_add_suffix(const char *name, const char *own, char *ret_name, size_t room)
{
	return fits(snprintf(ret_name, room, "%s%s", name, own), room);
}

int comp_name_drop_suffix(const char *name, const char *suffix, char *ret_name, size_t room)
{
	int is_tar = strcasecmp(suffix, ".tgz") == 0 || strcasecmp(suffix, ".taz") == 0;

	return fits(snprintf(ret_name, room, "%.*s%s", (int)(suffix - name), name,
			     is_tar ? ".tar" : ""),
		    room);
}

int comp_name_restore(const char *name, const char *header_name, char *ret_name, size_t room)
{
	const char *base = comp_name_base(header_name);
	int dir_len = comp_name_base(name) - name;

	if (!*base || strcmp(base, ".") == 0 || strcmp(base, "..") == 0)
		return -EINVAL;
	return fits(snprintf(ret_name, room, "%.*s%s", dir_len, name, base), room);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Runs a fuzz target over stored inputs where there is no libFuzzer: every file
 * named on the command line, and every file of a directory named there.  Says
 * nothing unless something cannot be read.
 */
#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *path);

static int replay_file(const char *path, size_t size)
{
	/* Exactly as long as the file, so that a sanitizer sees a read beyond it. */
	uint8_t *data = malloc(size ? size : 1);
	FILE *f = fopen(path, "rb");
	int ret = -EIO;

	if (f && data && fread(data, 1, size, f) == size) {
		LLVMFuzzerTestOneInput(data, size);
		ret = 0;
	}
	if (f)
		fclose(f);
	free(data);
	return ret;
}

static int replay_directory(const char *path)
{
	char name[4096];
	DIR *dir = opendir(path);
	int ret = 0;

	if (!dir)
		return -errno;
	for (struct dirent *e = readdir(dir); e && !ret; e = readdir(dir)) {
		if (e->d_name[0] == '.')
			continue;
		if (snprintf(name, sizeof(name), "%s/%s", path, e->d_name) >= (int)sizeof(name))
			ret = -ENAMETOOLONG;
		else
			ret = replay(name);
	}
	closedir(dir);
	return ret;
}

static int replay(const char *path)
{
	struct stat st;
	int ret;

	if (stat(path, &st))
		ret = -errno;
	else if (S_ISDIR(st.st_mode))
		return replay_directory(path);
	else
		ret = replay_file(path, (size_t)st.st_size);
	if (ret)
		fprintf(stderr, "%s: %s\n", path, strerror(-ret));
	return ret;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (replay(argv[i]))
			return 1;
	return 0;
}

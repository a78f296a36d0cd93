/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* Loads a zlib beside others. */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "diff_api.h"

/* A function pointer from dlsym(), by way of bytes: ISO C has no other. */
static int find(const struct zlib_api *api, const char *name, void *ret_function)
{
	void *p = dlsym(api->handle, name);

	if (!p) {
		fprintf(stderr, "%s has no %s\n", api->path, name);
		return -ENOENT;
	}
	memcpy(ret_function, &p, sizeof(p));
	return 0;
}

int zlib_api_load(struct zlib_api *api, const char *path)
{
	int err = 0;

	memset(api, 0, sizeof(*api));
	api->path = path;
	api->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!api->handle) {
		fprintf(stderr, "%s\n", dlerror());
		return -ENOENT;
	}
#define F(name) err |= find(api, #name, &api->name);
	ZLIB_FUNCTIONS(F)
#undef F
#define F(field, name, type) err |= find(api, name, &api->field);
	ZLIB_OFFSET_FUNCTIONS(F)
#undef F
	return err ? -ENOENT : 0;
}

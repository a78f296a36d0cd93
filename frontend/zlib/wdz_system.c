/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* Finds the functions of the system's zlib, which is linked, so that it is there. */
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "wdz_system.h"

struct wdz_system wdz_system_table;
bool wdz_system_is_found;

/*
 * What an older zlib lacks, and this one is asked for.  Its callers were linked
 * against one that has it; nothing sensible can be answered.
 */
static void missing(void)
{
	abort();
}

/* A function's address, as dlsym() has it. */
static void find(void *library, const char *name, void *function, size_t bytes)
{
	void *address = dlsym(library, name);
	void (*none)(void) = missing;

	if (address)
		memcpy(function, &address, bytes);
	else
		memcpy(function, &none, bytes);
}

static uintptr_t init_begin, init_end; /* where deflateInit_() lies */

static void find_init(void *library)
{
	void *address = dlsym(library, "deflateInit_");
	const ElfW(Sym) * symbol;
	Dl_info info;

	if (!address || !dladdr1(address, &info, (void **)&symbol, RTLD_DL_SYMENT) || !symbol)
		return;
	init_begin = (uintptr_t)address;
	init_end = init_begin + symbol->st_size;
}

bool wdz_system_is_init(const void *address)
{
	wdz_system();
	return (uintptr_t)address - init_begin < init_end - init_begin;
}

static void find_all(void)
{
	/* The library that this one needs: it stays as long as this one does. */
	void *library = dlopen("libz.so.1", RTLD_LAZY | RTLD_LOCAL);

	if (!library)
		abort(); /* the loader did not start us without it */
#define WDZ_FIND(name) find(library, #name, &wdz_system_table.name, sizeof(wdz_system_table.name));
	WDZ_SYSTEM_FUNCTIONS(WDZ_FIND)
#undef WDZ_FIND
	find_init(library);
	dlclose(library);
	/* The table before the word: pairs with the acquire in wdz_system(). */
	__atomic_store_n(&wdz_system_is_found, true, __ATOMIC_RELEASE);
}

void wdz_system_find(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, find_all);
}

/*
 * While the loader is at it anyway: found at a first call, the loader's lock would be
 * taken inside of whatever lock the program holds then.
 */
__attribute__((constructor)) static void find_early(void)
{
	/* Nobody else can have called us but constructors before this one, in this thread. */
	if (!wdz_system_is_found)
		find_all();
}

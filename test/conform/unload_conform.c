/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The shared library loaded, used and unloaded again and again by a program that
 * is not linked with it: no thread, descriptor or mapping is left behind.
 *
 * usage: unload_conform PATH-OF-LIBRARY
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>

#include "queue_rig.h"

#define ROUNDS 200
#define WARM   20 /* what allocators keep for themselves is there by then */
#define SLACK  4  /* mappings that an allocator may join or split */

static const char *path;
static char workers_off[] = "0", workers_on[] = "2";

struct calls {
	int (*request)(struct wd_queue *q);
	int (*send)(struct wd_queue *q, struct wd_req *req);
	int (*recv_sync)(struct wd_queue *q, struct wd_req **ret_req);
	int (*queue_fd)(struct wd_queue *q);
	void (*release)(struct wd_queue *q);
	int (*init)(void);
	void (*fini)(void);
};

/* POSIX has it that a pointer to data becomes one to code this way. */
static void find(void *lib, const char *name, void *ret_call)
{
	void *found = dlsym(lib, name);

	assert_non_null(found);
	memcpy(ret_call, &found, sizeof(found));
}

static void load_use_unload(unsigned int round)
{
	struct wd_queue q = { .size = sizeof(q), .capa = { .alg = "memop", .op = WD_OP_COPY } };
	struct wd_req req = { 0 }, *back = NULL;
	struct calls call;
	void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	assert_non_null(lib);
	find(lib, "wd_request_queue", &call.request);
	find(lib, "wd_send", &call.send);
	find(lib, "wd_recv_sync", &call.recv_sync);
	find(lib, "wd_queue_fd", &call.queue_fd);
	find(lib, "wd_release_queue", &call.release);
	find(lib, "wd_init", &call.init);
	find(lib, "wd_fini", &call.fini);
	if (round % 4 == 1)
		assert_ok(call.init());
	assert_ok(call.request(&q));
	if (round % 4 >= 2)
		assert_true(call.queue_fd(&q) >= 0);
	assert_ok(call.send(&q, &req));
	assert_ok(call.recv_sync(&q, &back));
	assert_ptr_equal(back, &req);
	call.release(&q);
	/* Whoever forgets wd_fini() loses nothing by it. */
	if (round % 8 == 1)
		call.fini();
	assert_ok(dlclose(lib));
	assert_null(dlopen(path, RTLD_NOW | RTLD_NOLOAD));
}

static int nr_mappings(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	int c, n = 0;

	assert_non_null(f);
	while ((c = getc(f)) != EOF)
		n += c == '\n';
	fclose(f);
	return n;
}

static void nothing_is_left_behind(void **state)
{
	int threads = rig_threads();
	int fds = rig_count("/proc/self/fd");
	int mappings = 0;
	unsigned int round;

	setenv("WD_EMBED_WORKERS", *state, 1);
	for (round = 0; round < ROUNDS; round++) {
		load_use_unload(round);
		assert_int_equal(rig_await_threads(threads), threads);
		assert_int_equal(rig_count("/proc/self/fd"), fds);
		if (round == WARM)
			mappings = nr_mappings();
	}
	/* A sanitizer keeps some of each. */
	if (!RIG_HAS_ASAN)
		assert_true(nr_mappings() <= mappings + SLACK);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(nothing_is_left_behind, workers_off),
		cmocka_unit_test_prestate(nothing_is_left_behind, workers_on),
	};

	if (argc != 2)
		return 1;
	path = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}

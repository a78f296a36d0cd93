/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * libwd behind its functions' addresses, and the places where idle sessions and
 * buffers lie.  No locks: a place is emptied and filled by one exchange, so that
 * a child has nothing to repair; what another thread of the parent had borrowed
 * is not the child's to find.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "wdz_queue.h"
#include "wdz_system.h"

/* clang-format off */
#define WD_FUNCTIONS(F) \
	F(wd_comp_adler32) F(wd_comp_block) F(wd_comp_close) F(wd_comp_crc32) F(wd_comp_open) \
	F(wd_comp_reset) F(wd_comp_stream) F(wd_stats_front_add)

static struct {
#define MEMBER(name) __typeof__(name) *name;
	WD_FUNCTIONS(MEMBER)
#undef MEMBER
} wd;
/* clang-format on */

struct wdz_settings wdz_settings_read_once;
bool wdz_has_settings;
static bool is_wd_wanted_for_counting;
static bool is_wd_loaded;  /* written once its functions are known */
static bool is_wd_missing; /* or that there are none */

/* ---------------------------------------------------------------- settings */

static void read_settings(void)
{
	const char *stats = secure_getenv("WD_STATS");

	wdz_settings_read(&wdz_settings_read_once, secure_getenv);
	is_wd_wanted_for_counting = stats && strcmp(stats, "off");
	/* The settings before the word: pairs with the acquire in wdz_settings(). */
	__atomic_store_n(&wdz_has_settings, true, __ATOMIC_RELEASE);
}

void wdz_settings_find(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, read_settings);
}

/* ---------------------------------------------------------------- libwd */

static bool find(void *library, const char *name, void *function, size_t bytes)
{
	void *address = dlsym(library, name);

	memcpy(function, &address, bytes);
	return address;
}

static void load_wd(void)
{
	/* Its own search path leads to the one that was built or installed with it. */
	void *library = dlopen("libwd.so.1", RTLD_NOW | RTLD_LOCAL);
	bool is_whole = library;

#define FIND(name) is_whole = is_whole && find(library, #name, &wd.name, sizeof(wd.name));
	WD_FUNCTIONS(FIND)
#undef FIND
	if (is_whole)
		__atomic_store_n(&is_wd_loaded, true, __ATOMIC_RELEASE);
	else
		__atomic_store_n(&is_wd_missing, true, __ATOMIC_RELAXED);
	if (!is_whole && library)
		dlclose(library);
}

static bool has_wd(void)
{
	/* pairs with the release in load_wd() */
	return __atomic_load_n(&is_wd_loaded, __ATOMIC_ACQUIRE);
}

bool wdz_queue_is_there(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	if (!has_wd())
		pthread_once(&once, load_wd);
	return has_wd();
}

#define SUM_LEAST 256u /* below, there is nothing to gain */

uint32_t wdz_adler32(uint32_t adler, const void *p, size_t len)
{
	return len >= SUM_LEAST && has_wd() ? wd.wd_comp_adler32(adler, p, len) :
					      (uint32_t)wdz_system()->adler32_z(adler, p, len);
}

uint32_t wdz_crc32(uint32_t crc, const void *p, size_t len)
{
	return len >= SUM_LEAST && has_wd() ? wd.wd_comp_crc32(crc, p, len) :
					      (uint32_t)wdz_system()->crc32_z(crc, p, len);
}

/* ---------------------------------------------------------------- counters */

static const char *const front_names[WDZ_FRONTS_NR] = {
	[WDZ_FRONT_DEFLATE] = "zlib-deflate",
	[WDZ_FRONT_INFLATE] = "zlib-inflate",
};

void wdz_counts_add(enum wdz_front front, struct wdz_counts *counts)
{
	static uint64_t kept[WDZ_FRONTS_NR][WD_FRONT_COUNTERS_NR];
	static bool has_kept[WDZ_FRONTS_NR];
	const bool is_shown = has_wd() || (is_wd_wanted_for_counting && wdz_queue_is_there());
	int i;

	if (!is_shown) {
		for (i = 0; i < WD_FRONT_COUNTERS_NR; i++)
			if (counts->n[i])
				__atomic_fetch_add(&kept[front][i], counts->n[i], __ATOMIC_RELAXED);
		__atomic_store_n(&has_kept[front], true, __ATOMIC_RELEASE);
	} else {
		/* Acquires and releases: what was kept before it was known is added once. */
		if (__atomic_load_n(&has_kept[front], __ATOMIC_RELAXED) &&
		    __atomic_exchange_n(&has_kept[front], false, __ATOMIC_ACQ_REL))
			for (i = 0; i < WD_FRONT_COUNTERS_NR; i++)
				counts->n[i] +=
					__atomic_exchange_n(&kept[front][i], 0, __ATOMIC_RELAXED);
		/* Counting that fails, for want of memory say, is not the stream's concern. */
		wd.wd_stats_front_add(front_names[front], counts->n);
	}
	*counts = (struct wdz_counts){ 0 };
}

/* ---------------------------------------------------------------- sessions */

/* One per level, and one per format to decompress. */
#define KINDS_NR	(10 + WD_COMP_GZIP)
#define PLACES_PER_KIND 4

static struct wd_comp *idle[KINDS_NR][PLACES_PER_KIND];

/*
 * After a session could not be opened (no device, say) or a request not be waited
 * for, so many streams are the other library's before the next try: twice as many
 * each time, until one succeeds.
 */
#define PAUSE_MAX 4096
static int pause_left, pause_next = 1;

static void pause_after_failure(void)
{
	const int pause = __atomic_load_n(&pause_next, __ATOMIC_RELAXED);

	__atomic_store_n(&pause_left, pause, __ATOMIC_RELAXED);
	__atomic_store_n(&pause_next, pause < PAUSE_MAX ? 2 * pause : pause, __ATOMIC_RELAXED);
}

static void end_pauses(void)
{
	if (__atomic_load_n(&pause_next, __ATOMIC_RELAXED) != 1)
		__atomic_store_n(&pause_next, 1, __ATOMIC_RELAXED);
}

bool wdz_queue_is_promising(void)
{
	if (__atomic_load_n(&is_wd_missing, __ATOMIC_RELAXED))
		return false;
	return __atomic_load_n(&pause_left, __ATOMIC_RELAXED) <= 0 ||
	       __atomic_fetch_sub(&pause_left, 1, __ATOMIC_RELAXED) <= 0;
}

static unsigned int kind_of(uint32_t op, uint32_t format, int level)
{
	return op == WD_OP_COMPRESS ? (unsigned int)level : 9 + format;
}

/* An idle session of any kind, whose queue another could use. */
static struct wd_comp *take_any(void)
{
	struct wd_comp *session;
	int kind, i;

	for (kind = 0; kind < KINDS_NR; kind++)
		for (i = 0; i < PLACES_PER_KIND; i++) {
			if (!__atomic_load_n(&idle[kind][i], __ATOMIC_RELAXED))
				continue;
			session = __atomic_exchange_n(&idle[kind][i], NULL, __ATOMIC_ACQUIRE);
			if (session)
				return session;
		}
	return NULL;
}

static struct wd_comp *open_session(uint32_t op, uint32_t format, int level)
{
	const struct wd_comp_opts opts = {
		.size = sizeof(opts),
		.op = op,
		.format = format,
		.level = level,
		.flags = format == WD_COMP_GZIP ? WD_COMP_OPT_ONE_MEMBER : 0,
	};
	struct wd_comp *session, *other;

	while (wd.wd_comp_open(&opts, &session)) {
		other = take_any();
		if (!other) {
			pause_after_failure();
			return NULL;
		}
		wd.wd_comp_close(other);
	}
	return session;
}

static struct wd_comp *borrow(uint32_t op, uint32_t format, int level)
{
	struct wd_comp **place = idle[kind_of(op, format, level)];
	struct wd_comp *session;
	int i;

	if (!wdz_queue_is_there())
		return NULL;
	for (i = 0; i < PLACES_PER_KIND; i++) {
		if (!__atomic_load_n(&place[i], __ATOMIC_RELAXED))
			continue;
		/* Acquires what who gave it back wrote. */
		session = __atomic_exchange_n(&place[i], NULL, __ATOMIC_ACQUIRE);
		if (session)
			return session;
	}
	return open_session(op, format, level);
}

static void give_back(struct wd_comp *session, uint32_t op, uint32_t format, int level)
{
	struct wd_comp **place = idle[kind_of(op, format, level)];
	int i;

	for (i = 0; i < PLACES_PER_KIND; i++) {
		struct wd_comp *none = NULL;

		/* Releases the session to the next that borrows it. */
		if (__atomic_compare_exchange_n(&place[i], &none, session, false, __ATOMIC_RELEASE,
						__ATOMIC_RELAXED))
			return;
	}
	wd.wd_comp_close(session);
}

size_t wdz_queue_bound(size_t src_len, bool is_last)
{
	/* All stored, in blocks as large as can be; and what takes it to a byte, stored too. */
	return src_len + 5 * (src_len / 65535 + 1) + (is_last ? 0 : 5);
}

bool wdz_queue_deflate(struct wdz_batch *b)
{
	struct wd_comp *session = borrow(WD_OP_COMPRESS, WD_COMP_DEFLATE, b->level);
	struct wd_comp_io io = {
		.src = b->src, .src_len = b->src_len, .dst = b->dst, .dst_len = b->dst_len
	};
	int err;

	if (!session)
		return false;
	if (b->is_last) {
		err = wd.wd_comp_block(session, &io);
	} else {
		err = wd.wd_comp_stream(session, &io, WD_COMP_SYNC_FLUSH);
		if (!err)
			wd.wd_comp_reset(session);
	}
	/* The buffers must be the caller's again: closing waits for that. */
	if (err) {
		wd.wd_comp_close(session);
		pause_after_failure();
	} else {
		give_back(session, WD_OP_COMPRESS, WD_COMP_DEFLATE, b->level);
		end_pauses();
	}
	if (err || io.head.status != WD_STATUS_OK || io.consumed != b->src_len)
		return false;
	b->produced = io.produced;
	return true;
}

bool wdz_queue_inflate(enum wd_comp_format format, const void *src, size_t src_len, void *dst,
		       size_t dst_len, size_t *ret_consumed, size_t *ret_produced)
{
	struct wd_comp *session = borrow(WD_OP_DECOMPRESS, format, 0);
	struct wd_comp_io io = { .src = src, .src_len = src_len, .dst = dst, .dst_len = dst_len };
	int err;

	if (!session)
		return false;
	err = wd.wd_comp_block(session, &io);
	if (err) {
		wd.wd_comp_close(session);
		pause_after_failure();
	} else {
		give_back(session, WD_OP_DECOMPRESS, format, 0);
		end_pauses();
	}
	if (err || io.head.status != WD_STATUS_OK)
		return false;
	*ret_consumed = io.consumed;
	*ret_produced = io.produced;
	return true;
}

/* ---------------------------------------------------------------- buffers */

/* Fresh memory costs more than what is done with it here: some is kept. */
#define BUFFERS_KEPT 8
#define SPARE_MAX    (1200u << 10) /* a batch of the default size, its history, its output */

struct spare {
	size_t bytes;
};

static struct spare *spares[BUFFERS_KEPT];

/* A buffer's size stands in front of it, in a line of its own. */
#define SPARE_HEAD 64

void *wdz_buffer_get(size_t *bytes)
{
	struct spare *spare;
	int i;

	for (i = 0; i < BUFFERS_KEPT; i++) {
		if (!__atomic_load_n(&spares[i], __ATOMIC_RELAXED))
			continue;
		spare = __atomic_exchange_n(&spares[i], NULL, __ATOMIC_ACQUIRE);
		if (!spare)
			continue;
		if (spare->bytes >= *bytes && spare->bytes / 2 <= *bytes)
			goto out;
		wdz_buffer_put((char *)spare + SPARE_HEAD);
	}
	spare = malloc(SPARE_HEAD + *bytes);
	if (!spare)
		return NULL;
	spare->bytes = *bytes;
out:
	*bytes = spare->bytes;
	return (char *)spare + SPARE_HEAD;
}

void wdz_buffer_put(void *buffer)
{
	struct spare *spare;
	int i;

	if (!buffer)
		return;
	spare = (struct spare *)(void *)((char *)buffer - SPARE_HEAD);
	for (i = 0; spare->bytes <= SPARE_MAX && i < BUFFERS_KEPT; i++) {
		struct spare *none = NULL;

		if (__atomic_compare_exchange_n(&spares[i], &none, spare, false, __ATOMIC_RELEASE,
						__ATOMIC_RELAXED))
			return;
	}
	free(spare);
}

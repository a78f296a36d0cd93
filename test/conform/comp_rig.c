/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* What the compression tests share; see comp_rig.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <wd/stats.h>

#include "conform/comp_rig.h"

#define STATS_MAX 16

const enum wd_comp_format formats[NR_FORMATS] = { WD_COMP_DEFLATE, WD_COMP_ZLIB, WD_COMP_GZIP };
const int levels[NR_LEVELS] = { WD_COMP_LEVEL_DEFAULT, 1, 3, 6, 9, WD_COMP_LEVEL_FASTEST,
				WD_COMP_LEVEL_SMALLEST };
const size_t sizes[NR_SIZES] = { 0, 1, 2, 7, 100, 4095, 4096, 4097, 65535, 65536, SIZE_MAX_TESTED };

bool is_long;
bool is_brief;
uint64_t seed = 0x9e3779b97f4a7c15u;
uint64_t random_state;
uint8_t *data[NR_KINDS];
uint8_t *packed;
uint8_t *back;

/* ------------------------------------------------------------- data */

uint32_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state >> 32;
}

static size_t put(uint8_t *at, size_t room, const char *text)
{
	size_t n = strlen(text);

	n = n < room ? n : room;
	memcpy(at, text, n);
	return n;
}

/* Words by a skewed choice, so that their frequencies are like a language's. */
void make_text(uint8_t *at, size_t n)
{
	static const char *const syllables[] = { "the",	  "an", "re",	"ti",	"on", "queue",
						 "de",	  "vi", "ce",	"send", "wa", "ter",
						 "light", "o",	"ning", "ma" };

	while (n > 0) {
		uint32_t r = next_random();
		size_t used = put(at, n, syllables[(r & 15) * (r >> 4 & 15) / 16]);

		if ((r >> 8 & 3) == 0)
			used += put(at + used, n - used, (r >> 10 & 15) == 0 ? ".\n" : " ");
		at += used;
		n -= used;
	}
}

static void make_code(uint8_t *at, size_t n)
{
	static const char *const parts[] = { "if (ret != 0)\n\t\treturn ret;\n",
					     "\tret = ",
					     "static int ",
					     "(struct wd_queue *q)\n{\n",
					     "}\n\n",
					     "q->depth",
					     " = ",
					     ";\n",
					     "for (i = 0; i < ",
					     "; i++)\n\t\t" };
	char name[16];

	while (n > 0) {
		uint32_t r = next_random();
		size_t used = put(at, n, parts[r % NR(parts)]);

		snprintf(name, sizeof(name), "v_%x", r >> 8 & 0x3ff);
		used += put(at + used, n - used, name);
		at += used;
		n -= used;
	}
}

static void make_data(void)
{
	random_state = seed;
	for (unsigned int k = 0; k < NR_KINDS; k++) {
		data[k] = calloc(1, SIZE_MAX_TESTED);
		assert_non_null(data[k]);
	}
	make_text(data[KIND_TEXT], SIZE_MAX_TESTED);
	make_code(data[KIND_CODE], SIZE_MAX_TESTED);
	for (size_t i = 0; i < SIZE_MAX_TESTED; i++) {
		data[KIND_RANDOM][i] = next_random();
		data[KIND_TINY][i] = "ab"[next_random() % 7 == 0];
	}
}

/* ------------------------------------------------------------- the judge */

int zlib_bits(enum wd_comp_format format)
{
	return format == WD_COMP_GZIP ? 31 : format == WD_COMP_ZLIB ? 15 : -15;
}

void judge(enum wd_comp_format format, const uint8_t *src, size_t len, const uint8_t *want,
	   size_t want_len)
{
	uint8_t *out = malloc(want_len + 1);
	z_stream z = { .next_in = (Bytef *)(uintptr_t)src,
		       .avail_in = len,
		       .next_out = out,
		       .avail_out = want_len + 1 };

	assert_non_null(out);
	assert_int_equal(inflateInit2(&z, zlib_bits(format)), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.avail_in, 0);
	assert_int_equal(z.total_out, want_len);
	assert_true(memcmp(out, want, want_len) == 0);
	inflateEnd(&z);
	free(out);
}

/* zlib's own output, cut into blocks in many ways by flushes when @step is not 0. */
size_t zlib_pack(enum wd_comp_format format, int level, const uint8_t *src, size_t n, size_t step,
		 uint8_t *dst, size_t room)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)src, .next_out = dst, .avail_out = room };
	int ret;

	assert_int_equal(deflateInit2(&z, level, Z_DEFLATED, zlib_bits(format), 8, 0), Z_OK);
	while (step != 0 && n > step) {
		z.avail_in = step;
		assert_int_equal(deflate(&z, next_random() & 1 ? Z_FULL_FLUSH : Z_BLOCK), Z_OK);
		assert_int_equal(z.avail_in, 0);
		n -= step;
	}
	z.avail_in = n;
	ret = deflate(&z, Z_FINISH);
	assert_int_equal(ret, Z_STREAM_END);
	deflateEnd(&z);
	return z.total_out;
}

struct wd_comp *open_session(uint32_t op, enum wd_comp_format format, int level)
{
	struct wd_comp_opts opts = {
		.size = sizeof(opts),
		.op = op,
		.format = format,
		.level = level,
		.timeout_ms = 600000, /* an emulated processor takes its time */
	};
	struct wd_comp *c = NULL;

	assert_int_equal(wd_comp_open(&opts, &c), 0);
	return c;
}

/* One block; what it says must hold, whatever the status. */
uint32_t block(struct wd_comp *c, const uint8_t *src, size_t n, uint8_t *dst, size_t room,
	       struct wd_comp_io *io)
{
	*io = (struct wd_comp_io){ .src = src, .src_len = n, .dst = dst, .dst_len = room };
	dst[room] = 0xc3;
	assert_int_equal(wd_comp_block(c, io), 0);
	assert_true(io->consumed <= n && io->produced <= room);
	assert_int_equal(dst[room], 0xc3);
	return io->head.status;
}

/* ------------------------------------------------------------- running */

/* What the library warns of explains a failure. */
static void show_warning(void *arg, enum wd_log_level level, const char *text)
{
	(void)arg;
	(void)level;
	fprintf(stderr, "%s\n", text);
}

/* All sessions are closed: what was sent came back, one way or the other. */
static bool counters_add_up(void)
{
	struct wd_device_stats stats[STATS_MAX] = { 0 };
	bool is_right = true;
	int i, n;

	for (i = 0; i < STATS_MAX; i++)
		stats[i].size = sizeof(stats[i]);
	n = wd_stats_read(0, stats, STATS_MAX);
	for (i = 0; i < n && i < STATS_MAX; i++) {
		const struct wd_counters *c = &stats[i].counters;

		if (c->sent == c->received + c->abandoned && c->errors <= c->received)
			continue;
		fprintf(stderr, "%s: %llu sent, %llu received, %llu abandoned\n", stats[i].name,
			(unsigned long long)c->sent, (unsigned long long)c->received,
			(unsigned long long)c->abandoned);
		is_right = false;
	}
	return n > 0 && is_right;
}

int comp_rig_run(const char *name, const struct CMUnitTest *tests, size_t nr)
{
	const char *env = getenv("WD_TEST_SEED");
	int failed;

	wd_set_log(show_warning, NULL, WD_LOG_WARN);
	if (env != NULL)
		seed = strtoull(env, NULL, 0);
	env = getenv("WD_TEST_LONG");
	is_long = env != NULL && strcmp(env, "0") != 0;
	env = getenv("WD_TEST_BRIEF");
	is_brief = env != NULL && strcmp(env, "0") != 0;
	make_data();
	packed = malloc(ROOM_MAX + 1);
	back = malloc(ROOM_MAX + 1);
	if (packed == NULL || back == NULL)
		return 1;
	failed = _cmocka_run_group_tests(name, tests, nr, NULL, NULL) + !counters_add_up();
	if (failed != 0)
		fprintf(stderr, "repeat with WD_TEST_SEED=%#llx\n", (unsigned long long)seed);
	for (unsigned int k = 0; k < NR_KINDS; k++)
		free(data[k]);
	free(back);
	free(packed);
	return failed != 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * A scripted stand-in for the queue calls under the algorithm layer: a device
 * that does what the contract of struct wd_comp_req says, with zlib, checks
 * what it is asked, and fails where a test tells it to.
 */
#ifndef TEST_ALG_COMP_DEVICE_H
#define TEST_ALG_COMP_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <wd/comp.h>

struct fake_script {
	/* what goes wrong, counting the requests sent from 1; 0: nothing does */
	unsigned int fail_at;
	uint32_t fail_status;  /* answered instead of doing the request */
	unsigned int lie_at;   /* says it consumed (compress: less; else: more) than it can have */
	unsigned int stuck_at; /* answers OK and does nothing */
	unsigned int stranger_at;   /* wd_recv_sync() gives another request's pointer */
	unsigned int timeout_at;    /* wd_recv_sync() runs out of time ... */
	unsigned int nr_timeouts;   /* ... so often before it gives the request */
	unsigned int nr_busy_sends; /* next sends answered -EAGAIN */
	int send_ret;		    /* of every send, when not 0 */
	int request_queue_ret;
	/* how the device behaves */
	bool is_full_ok;     /* stateful inflate: OK, not OUTPUT_FULL, when the room is used up */
	bool is_end_always;  /* stateless inflate: STREAM_END, not OK */
	uint32_t step_bytes; /* stateful inflate: at most so much input per request, 0: any */
	uint8_t level_max_stream; /* level reported by stateful compress at most, 0: none told */
};

extern struct fake_script fake;

/* What was asked of it since fake_reset(). */
struct fake_seen {
	unsigned int requests;
	unsigned int queues_open;
	unsigned int odd_pieces;   /* non-final compress pieces not a multiple of 4 */
	unsigned int wrong;	   /* requests against the contract */
	uint64_t direct_src_bytes; /* input taken from within watch_src */
	const uint8_t *watch_src;
	size_t watch_src_len;
	bool is_out; /* a request was sent and not received */
	char alg[16];
	char device[WD_DEVICE_NAME_MAX];
	int32_t timeout_ms;
	struct wd_comp_req last; /* as it was sent */
};

extern struct fake_seen seen;

/*
 * Around each test: begins with no script and no memory; ends with a failure
 * when a queue or a request was left, or one was against the contract.
 */
int fake_begin_test(void **state);
int fake_end_test(void **state);

extern const enum wd_comp_format fake_formats[3];

/* Data of @n bytes, the caller's: none of it compresses, or most of it. */
uint8_t *fake_random(size_t n);
uint8_t *fake_text(size_t n);

/* What zlib makes of it, the caller's. */
uint8_t *fake_zlib_pack(enum wd_comp_format format, const uint8_t *src, size_t n, size_t *ret_len);

/* zlib must read @packed to its last byte and find @want. */
void fake_judge(enum wd_comp_format format, const uint8_t *packed, size_t len, const uint8_t *want,
		size_t want_len);

/* @text in two gzip members, then @nr - 2 empty ones; returns their length together. */
size_t fake_members(const uint8_t *text, size_t n, uint8_t *out, unsigned int nr);

struct wd_comp *fake_open_session(uint32_t op, enum wd_comp_format format);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Scripted devices under the real core: a backend and a driver that do what the
 * contract of struct wd_comp_req says, with zlib, check what they are asked, and
 * fail where a test tells them to.  "fake:0" to "fake:2" are elsewhere, "here:0"
 * is in this process: its work is done by who waits.
 */
#ifndef TEST_ALG_COMP_DEVICE_H
#define TEST_ALG_COMP_DEVICE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <wd/comp.h>
#include <wd/stats.h>

#define FAKE_HERE    3 /* index of "here:0" */
#define FAKE_DEVICES 4
#define FAKE_DEPTH   64
#define FAKE_QUEUES  64

enum fake_wrong {
	FAKE_WRONG_BIT,	    /* a bit in the middle of the output is another */
	FAKE_WRONG_LENGTH,  /* the output is longer by its own account */
	FAKE_WRONG_TRAILER, /* the last byte is another */
	FAKE_WRONG_CUT,	    /* the output ends early */
};

/* One device's; requests are counted as it was sent them, from 1. */
struct fake_device {
	unsigned int nr_queues;	    /* 0: FAKE_QUEUES */
	unsigned int depth;	    /* 0: FAKE_DEPTH */
	uint32_t throughput;	    /* class; 0: 10 */
	int open_ret;		    /* of opening a queue, when not 0 */
	int send_ret;		    /* of every send, when not 0 */
	unsigned int nr_busy_sends; /* next sends answered -EAGAIN */
	unsigned int dies_at;	    /* when sent this one that queue is dead, with all in it */
	bool is_gone;		    /* its queues are dead; those opened later too */
	unsigned int fail_at;
	unsigned int nr_fails; /* so many from fail_at on; 0: one */
	uint32_t fail_status;  /* answered instead of doing the request */
	unsigned int lie_at;   /* says it consumed (compress: less; else: more) than it can have */
	unsigned int stuck_at; /* answers OK and does nothing */
	unsigned int nr_wrong; /* next compress requests answered wrongly */
	enum fake_wrong wrong;
	bool is_silent;	     /* keeps what it gets, until fake_finish() */
	bool ends_one;	     /* silent, but when stopped it finishes one request first */
	bool is_full_ok;     /* stateful inflate: OK, not OUTPUT_FULL, when the room is used up */
	bool is_end_always;  /* stateless inflate: STREAM_END, not OK */
	bool is_bouncing;    /* says that it copied the input, and took it at the second try */
	uint32_t step_bytes; /* stateful inflate: at most so much input per request, 0: any */
	uint8_t level_max_stream; /* level reported by stateful compress at most, 0: none told */
	uint64_t fixed_ns;	  /* time that each request takes at least */
	uint64_t ns_per_kib;	  /* and for each KiB of input */
};

struct fake_script {
	unsigned int nr_devices; /* elsewhere; 1 to begin with */
	unsigned int nr_here;	 /* in this process; 0 to begin with */
	struct fake_device dev[FAKE_DEVICES];
};

extern struct fake_script fake;

/* What was asked of them since the test began. */
struct fake_seen {
	unsigned int requests;
	unsigned int by[FAKE_DEVICES]; /* of these, each device's */
	unsigned int primes;	       /* of these, empty pieces that make a context */
	unsigned int queues_open;
	unsigned int queues_opened;
	unsigned int odd_pieces;   /* non-final compress pieces not a multiple of 4 */
	unsigned int wrong;	   /* requests against the contract */
	unsigned int lost;	   /* pieces of streams that the device does not know */
	unsigned int doorbells;	   /* times that requests were published */
	uint64_t direct_src_bytes; /* input taken from within watch_src */
	const uint8_t *watch_src;
	size_t watch_src_len;
	char alg[16];
	char device[WD_DEVICE_NAME_MAX];
	struct wd_comp_req last; /* as it was sent */
};

extern struct fake_seen seen;

/*
 * Around each test: begins with one device, no script and no memory; ends with a
 * failure when a queue was left, or a request was against the contract.
 */
int fake_begin_test(void **state);
int fake_end_test(void **state);

/* Finds devices anew, as the script now says; nothing may be open. */
void fake_rescan(void);
/* A setting of the library, from the next time that devices are found: that is now. */
void fake_configure(const char *name, const char *value);

/* A silent device finishes @nr of what each of its queues has, and reports it. */
void fake_finish(unsigned int dev, unsigned int nr);
/* Requests that the device has. */
unsigned int fake_nr_held(unsigned int dev);
/* Waits until it was asked @nr times, since the test began, to report. */
void fake_await_arms(unsigned int nr);
unsigned int fake_nr_arms(void);
/* All devices forget the streams that they know. */
void fake_forget_streams(void);

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

struct wd_comp *fake_open(const struct wd_comp_opts *opts);
struct wd_comp *fake_open_session(uint32_t op, enum wd_comp_format format);

/* Counters of all devices together, which must add up with nothing in flight. */
struct wd_counters fake_counters(void);

#endif

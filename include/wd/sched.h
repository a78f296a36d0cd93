/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Which device takes a session's request, and which of its queues.  Sessions
 * share a scheduler, and through it queues: each has its own while there are
 * enough, and several have one together when there are not.  A session without
 * a scheduler of its own uses the process's, whose policy is WD_SCHED_NEAREST.
 *
 * A request goes to another device than the policy's first choice (it spills)
 * when that one's queues are full, when it is gone or answers nonsense, or when
 * it costs a small request more than doing it here.  Each request is decided
 * anew, so that work goes back by itself; a device that failed is tried again
 * after a second.
 */
#ifndef WD_SCHED_H
#define WD_SCHED_H

#include <wd/wd.h>

#ifdef __cplusplus
extern "C" {
#endif

struct wd_sched;

#define WD_SCHED_DEVICES_MAX 8 /* that one scheduler considers for one kind of work */

enum wd_sched_policy {
	WD_SCHED_NEAREST = 0,	  /* nearest NUMA node, then most capable, then least cost */
	WD_SCHED_ROUND_ROBIN = 1, /* each in turn */
	WD_SCHED_NAMED = 2,	  /* opts.devices in their order; no others */
	WD_SCHED_CUSTOM = 3,	  /* opts.choose */
};

#define WD_CANDIDATE_F_HERE (1u << 0) /* its work is done in this process */
#define WD_CANDIDATE_F_BUSY (1u << 1) /* its queues are full now */
#define WD_CANDIDATE_F_AWAY (1u << 2) /* it failed, and is not tried again yet */
#define WD_CANDIDATE_F_NEAR (1u << 3) /* on the NUMA node wished, or of the caller */
#define WD_CANDIDATE_F_COST (1u << 4) /* cost_ns is known */

/* A device that could take the request. */
struct wd_candidate {
	uint32_t device_id; /* wd_device_name() */
	uint32_t flags;	    /* WD_CANDIDATE_F_* */
	uint32_t in_flight; /* requests of this session there */
	uint32_t reserved;
	uint64_t cost_ns; /* of this request, alone: measured at first use, or given */
	uint64_t sent;	  /* requests of this scheduler so far */
};

/*
 * Chooses: returns an index into @candidates, which is the policy's first choice
 * and is taken unless it is BUSY or AWAY.  Called for every request, from any
 * thread, several at once; must not call the library.
 */
typedef unsigned int wd_sched_choose(void *arg, size_t bytes, const struct wd_candidate *candidates,
				     unsigned int nr);

#define WD_SCHED_F_NO_SPILL (1u << 0) /* the policy's choice or nothing */

struct wd_sched_opts {
	uint32_t size;	 /* sizeof(struct wd_sched_opts) */
	uint32_t policy; /* enum wd_sched_policy */
	uint32_t flags;	 /* WD_SCHED_F_* */
	uint32_t queues; /* at most so many per device and direction; 0: as many as there are */
	/*
	 * Requests up to this many bytes are done in this process where another
	 * device was chosen; -1: measured at first use.
	 */
	int64_t small_bytes;
	const char *const *devices; /* NAMED: names, NULL at the end; copied */
	wd_sched_choose *choose;    /* CUSTOM */
	void *arg;		    /* for choose */
};

/**
 * wd_sched_open() - make a scheduler
 * @opts: what is wanted; copied
 * @ret_sched: the scheduler
 *
 * Return: 0, -EINVAL, -ENOMEM.
 */
WD_API int wd_sched_open(const struct wd_sched_opts *opts, struct wd_sched **ret_sched);

/**
 * wd_sched_close() - let go of a scheduler; NULL is accepted
 * @sched: lives on until the last of its sessions is closed
 */
WD_API void wd_sched_close(struct wd_sched *sched);

/**
 * wd_sched_explain() - what would be done with a request, and why
 * @sched: a scheduler, or NULL for the process's
 * @capa: the kind of work
 * @bytes: of input
 * @candidates: the devices that were considered, in the order of discovery
 * @nr: room
 * @ret_chosen: index of the policy's first choice
 * @ret_taken: index of the one that would get it; differs from that where it spills
 *
 * Measures what was not measured yet.
 *
 * Return: how many candidates there are, at least 1, or a negative errno as
 * wd_request_queue().
 */
WD_API int wd_sched_explain(struct wd_sched *sched, const struct wd_capa *capa, size_t bytes,
			    struct wd_candidate *candidates, unsigned int nr,
			    unsigned int *ret_chosen, unsigned int *ret_taken);

#ifdef __cplusplus
}
#endif

#endif

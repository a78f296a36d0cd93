/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * What the sessions of all families share: operations (jobs) in flight, each a
 * chain of requests; sending them where the scheduler says, taking answers,
 * doing again what a device failed at, waiting, giving up.  Knows no algorithm.
 *
 * One thread at a time is inside a session.  Where sessions share a queue, any
 * of their threads takes what finished on it and puts other sessions' jobs into
 * their inbox.
 */
#ifndef ALG_SESSION_H
#define ALG_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <wd/io.h>
#include <wd/wd.h>

#include "alg/sched.h"
#include "base/compiler.h"

struct alg_session;
struct alg_job;

/* A session's part in one queue. */
struct alg_leg {
	struct sched_queue *sq; /* NULL: none now */
	struct sched_listener listener;
	bool is_others; /* the device, or its workers, do its work; else who polls it does */
	uint32_t in_flight;
	struct alg_job *oldest; /* of those in flight, in the order they were sent */
	struct alg_job *newest;
	bool is_overtaken;	     /* the oldest was, by one that came back */
	uint64_t overtaken_since_ns; /* 0: not looked at yet */
	uint64_t quiet_since_ns;     /* nothing came since; 0: not looked at yet */
	uint32_t taken_seen;	     /* sq->nr_taken then */
	uint64_t bytes_in_flight;
};

enum alg_leg_kind {
	ALG_LEG_NEAR = 0,
	ALG_LEG_FAR = 1,
	ALG_LEG_KINDS = 2
};

/* Where a session's requests of one kind go. */
struct alg_port {
	struct sched_route *route;
	struct alg_leg leg[WD_SCHED_DEVICES_MAX][ALG_LEG_KINDS];
};

/*
 * An operation.  @answered looks at the request that came back with a status
 * that is the family's to judge, and fills in the next (ALG_NEXT), or says that
 * the operation is done (0), that the device did not do what it said (ALG_REDO),
 * or what became of it (a negative errno).  @redo makes the request ready to be
 * done again on another device after a failure: 0, or a negative errno where that
 * cannot be.  One that needs what another operation of its session has now says
 * ALG_WAIT; @resume is asked again and again whether it can go on, and answers as
 * @answered.  @ended is told when it is over, before it is handed out.
 */
struct alg_job_ops {
	int (*answered)(struct alg_job *job);
	int (*redo)(struct alg_job *job);
	int (*resume)(struct alg_job *job);
	void (*ended)(struct alg_job *job);
};

#define ALG_NEXT 1
#define ALG_REDO 2
#define ALG_WAIT 3

struct alg_job {
	const struct alg_job_ops *ops;
	struct alg_job *next;  /* of the list it is in */
	struct alg_job *older; /* out over the same leg */
	struct alg_job *newer;
	struct alg_session *session;
	struct wd_io *io;
	struct wd_req *req;    /* in flight, or to be sent */
	struct alg_port *port; /* where it goes */
	size_t bytes;	       /* of input, for the scheduler */
	struct alg_leg *leg;   /* where it is */
	uint32_t device;       /* index in the route */
	sched_set only;	       /* devices that can go on with its stream; 0: any */
	sched_set avoid;       /* devices that failed at this request */
	sched_set prefer_not;  /* devices that had better not get it, if there are others */
	unsigned int nr_failed;
	bool is_in_flight; /* begun and not ended */
	bool is_out;	   /* its request is the device's */
	bool is_spilled;   /* this request */
	bool is_retry;
	bool is_sync; /* waited for by its own call; not handed out */
};

struct alg_jobs {
	struct alg_job *first;
	struct alg_job **end;
};

struct alg_session {
	struct wd_sched *sched;
	uint32_t life; /* lane_life() when its queues were its */
	int32_t timeout_ms;
	uint64_t hang_ns;
	uint32_t nr_jobs;		 /* in flight: waiting to be sent, out, in the inbox */
	uint32_t nr_ended;		 /* in ended */
	uint32_t nr_waiting;		 /* in waiting */
	uint32_t nr_polls;		 /* to look for queues that hang now and then */
	struct alg_jobs waiting;	 /* to be sent when there is room */
	struct alg_jobs held;		 /* to go on when others have ended */
	struct alg_jobs ended;		 /* to be handed out */
	_Atomic(struct alg_job *) inbox; /* taken by other sessions' threads; newest first */
	_Atomic uint32_t nr_delivering;	 /* threads that put something there just now */
	struct wait_event *event;	 /* NULL until it has to wait, or shares a queue */
	bool has_fd;
	bool is_cancelling;
	unsigned int nr_cancelled; /* by the last time */
	bool is_burst;		   /* doorbells wait for alg_session_flush() */
	struct alg_port port;	   /* of its own kind of work */
	struct alg_port *check;	   /* of checking what came of it, or NULL */
};

/*
 * An option struct of @size bytes by its caller's account, of which this
 * library knows @known: what it does not know must be zero.  Returns 0 or
 * -EINVAL.
 */
int alg_opts_check(const void *opts, uint32_t size, size_t known);

/*
 * @device: a name or NULL; @timeout_ms: 0 for the default.  Finds devices and
 * opens a queue, so that what is not to be had is known now.  Returns 0, -EINVAL,
 * -ENOMEM, or as wd_request_queue().
 */
int alg_session_open(struct alg_session *s, struct wd_sched *sched, const struct wd_capa *capa,
		     const char *device, int32_t timeout_ms, sched_probe *probe);

/* A second kind of work for the same session.  As alg_session_open(). */
int alg_session_open_check(struct alg_session *s, const struct wd_capa *capa);

/* Gives up what is in flight.  On return no device touches anything of the session's. */
void alg_session_close(struct alg_session *s);

/*
 * At the beginning of every call: in a child process what the parent had in
 * flight is forgotten, and queues are the session's own.  True when that
 * happened: nothing is in flight any more.  *ret: 0 or a negative errno.
 */
bool alg_session_enter(struct alg_session *s, int *ret);

/*
 * Begins @job, whose first request is filled in.  Returns 0, or -EAGAIN when no
 * queue has room (@may_wait: it then waits for room within the session), or a
 * negative errno.  After an error the job is not in flight.
 */
int alg_session_begin(struct alg_session *s, struct alg_job *job, bool may_wait);

/* Begins @job, which has to wait for another one of its session first. */
void alg_session_hold(struct alg_session *s, struct alg_job *job);

/* Ends @job without a request: it is handed out like any other. */
void alg_session_end_at_once(struct alg_session *s, struct alg_job *job);

/* A queue that it has now, for its counters, or NULL. */
struct wd_queue *alg_session_queue(struct alg_session *s);

/* Publishes what a burst held back. */
void alg_session_flush(struct alg_session *s);

/*
 * Takes answers; jobs that end go to the ended list.  Returns whether anything
 * happened.
 */
bool alg_session_poll(struct alg_session *s, enum lane_take how);

/* The next ended job that is handed out, or NULL. */
struct alg_job *alg_session_next_ended(struct alg_session *s);

/*
 * Waits until @job ended, or any to be handed out when it is NULL, at most
 * timeout_ms (0: the session's).  Returns 0 or -ETIMEDOUT.
 */
int alg_session_wait(struct alg_session *s, struct alg_job *job, int timeout_ms);

/* Gives up all that is in flight: jobs end CANCELLED, or done if they were.  Returns how many. */
unsigned int alg_session_cancel(struct alg_session *s);

/* As wd_queue_fd(). */
int alg_session_fd(struct alg_session *s);

/* Nothing was found: the descriptor is not readable until something happens. */
void alg_session_settle(struct alg_session *s);

#endif

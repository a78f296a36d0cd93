/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Inside of a scheduler: which devices can do a kind of work (a route), how they
 * fare, which comes first for a request, and the queues of each that sessions
 * use, alone or together.  Sessions hold routes and queues; requests are theirs.
 */
#ifndef ALG_SCHED_H
#define ALG_SCHED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <wd/sched.h>

#include "base/event.h"
#include "core/lane.h"

#define SCHED_ALG_MAX 64

struct sched_queue;
struct sched_device;

/* Why a queue gets no more requests; what is in flight is still to be taken. */
enum sched_given_up {
	SCHED_IN_USE = 0,
	SCHED_DEVICE_FAILED = 1,
	SCHED_CALLER_GAVE_UP = 2
};

/* A session that sleeps, or would, until something finishes on a queue. */
struct sched_listener {
	struct sched_listener *next;
	struct wait_event *event;
	bool is_asleep; /* in a call of the library, so that it will look when told */
	bool is_listening;
};

/*
 * A queue in use by sessions.  Its device reports to one of the listeners, the
 * leader, who takes what is finished, hands on what is others', and when it stops
 * listening leaves the lead to another.
 */
struct sched_queue {
	struct wd_queue queue;
	struct wd_sched *sched;
	struct sched_device *device;
	struct sched_queue *next;  /* under the scheduler's lock, and these */
	_Atomic uint32_t nr_users; /* changed under the lock */
	bool is_listed;
	bool is_near;
	bool is_shared;		       /* for several sessions */
	_Atomic uint32_t given_up;     /* enum sched_given_up: to be let go */
	_Atomic uint32_t nr_taken;     /* moves when anybody took something */
	struct wait_mutex lock;	       /* of what follows */
	struct sched_listener *leader; /* or NULL */
	struct sched_listener *listeners;
};

/* What a request costs alone, as a line over its size. */
struct sched_cost {
	uint64_t fixed_ns;
	uint64_t ns_per_kib;
	bool is_known;
};

struct sched_device {
	struct lane_device lane;
	struct sched_cost cost;
	_Atomic uint64_t away_until_ns; /* it failed; 0: in use */
	_Atomic uint64_t nr_sent;
	struct sched_queue *queues; /* under the scheduler's lock */
	unsigned int nr_queues;
};

/* The devices for one kind of work; found once, never changed but in numbers. */
struct sched_route {
	struct sched_route *next;
	struct wd_sched *sched;
	struct wd_capa capa; /* alg points to alg */
	char alg[SCHED_ALG_MAX];
	char device[WD_DEVICE_NAME_MAX]; /* the only one wanted, or "" */
	_Atomic uint32_t is_measured;
	unsigned int nr;
	struct sched_device devices[WD_SCHED_DEVICES_MAX];
};

/*
 * Measures a device: the ns that one request of about @bytes takes there, alone.
 * The family's; returns 0 or a negative errno.
 */
typedef int sched_probe(const struct sched_route *route, const struct sched_device *device,
			size_t bytes, uint64_t *ret_ns);

struct wd_sched {
	struct wait_mutex lock; /* routes, queues, measuring */
	_Atomic uint32_t life;	/* the process it belongs to; 0 while it is made anew in a child */
	unsigned int nr_refs;	/* opener and sessions, under lock */
	struct wd_sched *root;	/* the process's; may be this one */
	struct wd_sched_opts opts;
	char (*names)[WD_DEVICE_NAME_MAX]; /* NAMED */
	unsigned int nr_names;
	struct sched_route *routes;
	_Atomic uint32_t turn;
	struct sched_event *events; /* root: given back */
};

struct sched_event {
	struct wait_event event;
	struct sched_event *next;
};

/* @sched NULL: the process's.  Returns 0 or a negative errno; each get has its put. */
int sched_get(struct wd_sched *sched, struct wd_sched **ret_sched);
void sched_put(struct wd_sched *sched);

/* In a child: the first to use it makes it this process's. */
int sched_renew(struct wd_sched *sched);

/* The route for a kind of work; lives as long as the scheduler.  As wd_request_queue(). */
int sched_route(struct wd_sched *sched, const struct wd_capa *capa, const char *device,
		struct sched_route **ret_route);

/* Measures what the choice of a device needs and is not known. */
void sched_measure(struct sched_route *route, sched_probe *probe);

/* Devices as a set of bits, by their index in the route. */
typedef uint32_t sched_set;

#define SCHED_ANEW UINT32_MAX

/*
 * Whose turn it is: the policy's first choice, and the one that gets the request
 * when those in @full cannot and those in @avoid had better not.  *first is
 * SCHED_ANEW for a request, and stays the policy's first choice when the same
 * request is asked for again.  @in_flight: of the session, for each device; only
 * CUSTOM needs it, else NULL.  Returns its index, or -1 when all are full.
 */
int sched_choose(struct sched_route *route, size_t bytes, sched_set full, sched_set avoid,
		 const uint32_t *in_flight, unsigned int *first);

void sched_note_sent(struct sched_route *route, unsigned int device);
/* The device failed: others go first for a while. */
void sched_note_failed(struct sched_route *route, unsigned int device);

/* A queue of the device; each get has its put.  As wd_request_queue(). */
int sched_queue_get(struct sched_route *route, unsigned int device, bool is_near,
		    struct sched_queue **ret_queue);
void sched_queue_put(struct sched_queue *sq);
/* No session gets it any more; the first reason counts. */
void sched_queue_give_up(struct sched_queue *sq, enum sched_given_up why);
/* Who listens looks. */
void sched_queue_tell_all(struct sched_queue *sq);

/* @event hears of the queue; again with another @is_asleep when that changes. */
void sched_listen(struct sched_queue *sq, struct sched_listener *l, struct wait_event *event,
		  bool is_asleep);
void sched_unlisten(struct sched_queue *sq, struct sched_listener *l);

/*
 * Events of sessions.  Their memory stays until the process's scheduler ends: a
 * device may still be about to signal one that was given back.  NULL for lack of
 * memory.
 */
struct wait_event *sched_event_get(struct wd_sched *sched);
void sched_event_put(struct wd_sched *sched, struct wait_event *ev);

#endif

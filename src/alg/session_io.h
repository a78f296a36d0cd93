/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* Between session.c and session_io.c: a session's requests and its queues. */
#ifndef ALG_SESSION_IO_H
#define ALG_SESSION_IO_H

#include "alg/session.h"

static inline struct alg_job *session_jobs_pop(struct alg_jobs *jobs)
{
	struct alg_job *job = jobs->first;

	if (job == NULL)
		return NULL;
	jobs->first = job->next;
	if (jobs->first == NULL)
		jobs->end = &jobs->first;
	return job;
}

static inline void session_jobs_push(struct alg_jobs *jobs, struct alg_job *job)
{
	job->next = NULL;
	*jobs->end = job;
	jobs->end = &job->next;
}

/* How long a queue may answer nothing before it is given up. */
uint64_t session_hang_ns(int32_t timeout_ms);

/* Opens the queue that the first request would use.  As wd_request_queue(). */
int session_first_queue(struct alg_session *s);
void session_leg_drop(struct alg_leg *leg);

/* @job is over: with an errno, or 0 and what the family wrote. */
void session_end(struct alg_session *s, struct alg_job *job, int error);

/* All of these: whether anything happened. */
bool session_leg_take(struct alg_session *s, struct alg_leg *leg, enum lane_take how);
bool session_take_inbox(struct alg_session *s);
bool session_send_waiting(struct alg_session *s);
bool session_resume_held(struct alg_session *s);

/* Gives up queues that answer nothing, or not what they were asked first. */
void session_look_for_hang(struct alg_session *s);

unsigned int session_cancel_all(struct alg_session *s);

/* The session's event hears of its queues; @is_asleep: and will look when it does. */
void session_listen(struct alg_session *s, bool is_asleep);
void session_unlisten(struct alg_session *s);

/* Whether other sessions use the same queues: then a spinning waiter is in their way. */
bool session_is_crowded(struct alg_session *s);

/* When a request that is held back can go on; 0: none is. */
uint64_t session_due_ns(struct alg_session *s);
int session_run_elsewhere(struct alg_session *s);
void session_count_timeout(struct alg_session *s);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * What the sessions of all families share: one queue, one request at a time
 * handed over and waited for, and the request that a time-out left with the
 * device.  Knows no algorithm.
 */
#ifndef ALG_SESSION_H
#define ALG_SESSION_H

#include <stddef.h>
#include <stdint.h>

#include <wd/wd.h>

#include "base/compiler.h"

struct alg_session {
	struct wd_queue queue;
	/*
	 * A request that a time-out left with the device, or NULL.  Until it is
	 * back its struct and its buffers are not the session's to touch.
	 */
	struct wd_req *left_out;
};

/*
 * An option struct of @size bytes by its caller's account, of which this
 * library knows @known: what it does not know must be zero.  Returns 0 or
 * -EINVAL.
 */
int alg_opts_check(const void *opts, uint32_t size, size_t known);

/* @device: a name or NULL; @timeout_ms: 0 for the default.  As wd_request_queue(). */
int alg_session_open(struct alg_session *s, const struct wd_capa *capa, const char *device,
		     int32_t timeout_ms);

/* On return the device touches nothing of the session's; a zeroed struct is accepted. */
void alg_session_close(struct alg_session *s);

int alg_session_settle_cold(struct alg_session *s);

/*
 * To be called before a request is filled in: takes back what a time-out left
 * out; its result is dropped.  Returns 0, -ETIMEDOUT, -ENODEV, -EIO.
 */
static inline int alg_session_settle(struct alg_session *s)
{
	return base_likely(s->left_out == NULL) ? 0 : alg_session_settle_cold(s);
}

/*
 * Hands one request over and waits for it.  Returns 0 when the device answered
 * with a status that is the family's to judge (OK, STREAM_END, OUTPUT_FULL,
 * BAD_DATA, BAD_CHECKSUM), else -EIO, -ENODEV, -ETIMEDOUT, or what wd_send()
 * says against the request.
 */
int alg_session_run(struct alg_session *s, struct wd_req *req);

#endif

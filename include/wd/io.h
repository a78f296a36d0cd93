/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* What an operation of a session says of itself, whatever its family. */
#ifndef WD_IO_H
#define WD_IO_H

#include <wd/wd.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WD_IO_F_SPILLED	 (1u << 0) /* some request went to another device than the first choice */
#define WD_IO_F_VERIFIED (1u << 1) /* the output was checked: see the session's options */

/*
 * Begins the family's io struct.  The caller sets user; the rest is written by
 * the library, for good when the operation ends.
 */
struct wd_io {
	uint32_t status;	/* enum wd_status; meaningful where error is 0 */
	int32_t error;		/* 0, or the negative errno that the call returned or would have */
	uint32_t device_id;	/* who served it last: wd_device_name() */
	uint32_t flags;		/* WD_IO_F_* */
	uint32_t requests;	/* requests it took, retries included */
	uint32_t retries;	/* of these, done again after a failure */
	uint64_t bounced_bytes; /* copied because the device could not reach them in place */
	void *user;		/* the caller's own */
	void *job;		/* the library's, while it is in flight */
};

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* Version, and statuses and errors as English.  doc/errors.md has the long form. */
#include <errno.h>

#include <wd/wd.h>

#include "base/compiler.h"

#define STRINGIFY(x)	 #x
#define VERSION(a, b, c) STRINGIFY(a) "." STRINGIFY(b) "." STRINGIFY(c)

const char *wd_version(void)
{
	return VERSION(WD_VERSION_MAJOR, WD_VERSION_MINOR, WD_VERSION_PATCH);
}

const char *wd_status_text(uint32_t status)
{
	static const char *const text[] = {
		[WD_STATUS_OK] = "done",
		[WD_STATUS_PENDING] = "in flight",
		[WD_STATUS_STREAM_END] = "done, end of stream",
		[WD_STATUS_OUTPUT_FULL] = "output full",
		[WD_STATUS_BAD_DATA] = "invalid data",
		[WD_STATUS_BAD_CHECKSUM] = "checksum mismatch",
		[WD_STATUS_BAD_REQUEST] = "request refused by the device",
		[WD_STATUS_BAD_ADDRESS] = "memory out of the device's reach",
		[WD_STATUS_STATE_LOST] = "stream state lost by the device",
		[WD_STATUS_DEVICE_ERROR] = "device error",
		[WD_STATUS_DEVICE_GONE] = "device gone",
		[WD_STATUS_CANCELLED] = "cancelled",
	};

	return status < BASE_ARRAY_SIZE(text) ? text[status] : "unknown status";
}

const char *wd_error_text(int err)
{
	switch (err < 0 ? -err : 0) {
	case 0:
		return "success";
	case EAGAIN:
		return "queue full, or nothing finished";
	case EINVAL:
		return "invalid argument or setting";
	case EOPNOTSUPP:
		return "not supported by the device";
	case ENODEV:
		return "no such device, or device gone";
	case EBUSY:
		return "busy: all queues in use, or a stream under way";
	case EIO:
		return "device failed";
	case ENOSPC:
		return "output too small";
	case EBADMSG:
		return "corrupt input";
	case ETIMEDOUT:
		return "device did not answer in time";
	case ENOMEM:
		return "out of memory";
	case EFAULT:
		return "memory not mapped, or not accessible that way";
	case ENOENT:
		return "no such setting, file or directory";
	case EMFILE:
		return "out of file descriptors";
	case ESRCH:
		return "no such process, or it shows no counters";
	case EACCES:
		return "another user's, or not permitted";
	default:
		return "unknown error";
	}
}

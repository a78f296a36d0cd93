/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Sessions of all families: a queue, one request at a time, and what is left
 * when a wait ran out.  After a time-out the request stays with the device, so
 * the session sends nothing more until it has it back.
 */
#include "alg/session.h"

#include <errno.h>
#include <string.h>

#include "base/wait.h"

int alg_opts_check(const void *opts, uint32_t size, size_t known)
{
	const uint8_t *byte = opts;

	if (size < known)
		return -EINVAL;
	for (size_t i = known; i < size; i++)
		if (byte[i] != 0)
			return -EINVAL;
	return 0;
}

int alg_session_open(struct alg_session *s, const struct wd_capa *capa, const char *device,
		     int32_t timeout_ms)
{
	memset(s, 0, sizeof(*s));
	s->queue.size = sizeof(s->queue);
	s->queue.capa = *capa;
	s->queue.timeout_ms = timeout_ms;
	if (device != NULL) {
		size_t len = strnlen(device, sizeof(s->queue.device));

		if (len == sizeof(s->queue.device))
			return -EINVAL;
		memcpy(s->queue.device, device, len);
	}
	return wd_request_queue(&s->queue);
}

void alg_session_close(struct alg_session *s)
{
	wd_release_queue(&s->queue);
	s->left_out = NULL;
}

BASE_COLD int alg_session_settle_cold(struct alg_session *s)
{
	struct wd_req *done;
	int ret = wd_recv_sync(&s->queue, &done);

	if (ret == 0 && done != s->left_out)
		return -EIO;
	/* Gone, or not known: either way the device has nothing of ours any more. */
	if (ret == 0 || ret == -ENODEV || ret == -EAGAIN) {
		s->left_out = NULL;
		return 0;
	}
	return ret;
}

/*
 * The queue is ours alone and empty, so a refusal means that the device itself
 * cannot take more now; it says nothing when it can again.
 */
static BASE_COLD int send_again(struct alg_session *s, struct wd_req *req)
{
	int32_t ms = s->queue.timeout_ms > 0 ? s->queue.timeout_ms : WD_TIMEOUT_DEFAULT_MS;
	uint64_t deadline_ns = wait_clock_ns() + (uint64_t)ms * WAIT_NS_PER_MS;
	int ret;

	do {
		wait_yield();
		ret = wd_send(&s->queue, req);
		if (ret != -EAGAIN)
			return ret;
	} while (wait_clock_ns() < deadline_ns);
	return -ETIMEDOUT;
}

static BASE_COLD int recv_failed(struct alg_session *s, struct wd_req *req, int ret)
{
	if (ret == -ETIMEDOUT) {
		s->left_out = req;
		return ret;
	}
	if (ret == -ENODEV)
		return ret;
	/* Answered with another's request, or said to have none: ours may still be out. */
	s->left_out = req;
	return -EIO;
}

int alg_session_run(struct alg_session *s, struct wd_req *req)
{
	struct wd_req *done = NULL;
	int ret = wd_send(&s->queue, req);

	if (base_unlikely(ret == -EAGAIN))
		ret = send_again(s, req);
	if (base_unlikely(ret != 0))
		return ret;
	ret = wd_recv_sync(&s->queue, &done);
	if (base_unlikely(ret != 0 || done != req))
		return recv_failed(s, req, ret);
	switch (req->status) {
	case WD_STATUS_OK:
	case WD_STATUS_STREAM_END:
	case WD_STATUS_OUTPUT_FULL:
	case WD_STATUS_BAD_DATA:
	case WD_STATUS_BAD_CHECKSUM:
		return 0;
	case WD_STATUS_DEVICE_GONE:
		return -ENODEV;
	default:
		return -EIO;
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* Reading and writing of descriptors to the last byte. */
#include <errno.h>
#include <poll.h>
#include <unistd.h>
#include "file_io.h"

/* Somebody else may have made a descriptor that we share with them non-blocking. */
static int wait_ready(int fd, short events)
{
	struct pollfd entry = { .fd = fd, .events = events };

	while (poll(&entry, 1, -1) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

/* After a failed transfer: 0 to try again, or the error. */
static int recover(int fd, short events)
{
	if (errno == EINTR)
		return 0;
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return wait_ready(fd, events);
	return -errno;
}

ssize_t file_read_some(int fd, void *buf, size_t len)
{
	for (;;) {
		ssize_t nr = read(fd, buf, len);
		int err;

		if (nr >= 0)
			return nr;
		err = recover(fd, POLLIN);
		if (err)
			return err;
	}
}

ssize_t file_read_full(int fd, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t nr = file_read_some(fd, (char *)buf + done, len - done);

		if (nr < 0)
			return nr;
		if (nr == 0)
			break;
		done += nr;
	}
	return done;
}

int file_write_full(int fd, const void *buf, size_t len)
{
	const char *from = buf;

	while (len) {
		ssize_t nr = write(fd, from, len);
		int err;

		if (nr >= 0) {
			from += nr;
			len -= nr;
			continue;
		}
		err = recover(fd, POLLOUT);
		if (err)
			return err;
	}
	return 0;
}

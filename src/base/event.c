/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Something to wait for, and its descriptor: one end of a pair of sockets.  It is
 * readable while a byte from the other end lies in it, and not writable while
 * what was sent through it fills its buffer; both ends are the library's, which
 * drains and fills them.  A program may close descriptors that it does not know
 * (daemons do), and the number is then somebody else's: each end is known by its
 * inode, and looked at before anything is done with its number.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/barrier.h"
#include "base/compiler.h"
#include "base/event.h"

#define CHUNK_BYTES 512
#define FILL_MAX    4096 /* sends; a buffer as small as can be takes a few */

struct socket_end {
	int fd; /* -1: none */
	dev_t dev;
	ino_t ino;
};

struct event_fd {
	struct wait_mutex lock;	      /* of all below; is_readable is also read without */
	_Atomic uint32_t is_readable; /* a byte lies in shown */
	bool is_writable;
	struct socket_end shown; /* the caller waits for this one */
	struct socket_end other;
};

/* ---------------------------------------------------------------- one end */

static bool identify(struct socket_end *end)
{
	struct stat st;

	if (fstat(end->fd, &st))
		return false;
	end->dev = st.st_dev;
	end->ino = st.st_ino;
	return true;
}

/* Whether the number still stands for our socket. */
static bool is_ours(const struct socket_end *end)
{
	struct stat st;

	return end->fd >= 0 && !fstat(end->fd, &st) && S_ISSOCK(st.st_mode) &&
	       st.st_dev == end->dev && st.st_ino == end->ino;
}

static void close_end(struct socket_end *end)
{
	if (is_ours(end))
		close(end->fd);
	end->fd = -1;
}

static void drain(const struct socket_end *end)
{
	char chunk[CHUNK_BYTES];

	if (!is_ours(end))
		return;
	while (recv(end->fd, chunk, sizeof(chunk), MSG_DONTWAIT) > 0)
		;
}

/* Sends until no more fits. */
static void fill(const struct socket_end *end)
{
	const char chunk[CHUNK_BYTES] = { 0 };
	unsigned int i;

	if (!is_ours(end))
		return;
	for (i = 0; i < FILL_MAX; i++)
		if (send(end->fd, chunk, sizeof(chunk), MSG_DONTWAIT | MSG_NOSIGNAL) <= 0)
			return;
}

static void send_byte(const struct socket_end *end)
{
	if (is_ours(end))
		send(end->fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* ---------------------------------------------------------------- the pair */

static int pair_error(int err)
{
	switch (err) {
	case ENFILE:
		return -EMFILE;
	case ENOBUFS:
		return -ENOMEM;
	case EMFILE:
	case ENOMEM:
		return -err;
	default: /* a sandbox without such sockets */
		return -EOPNOTSUPP;
	}
}

static void close_pair(struct event_fd *f)
{
	close_end(&f->shown);
	close_end(&f->other);
}

/* Readable: what was signalled before there was a descriptor is found by looking. */
static int make_pair_locked(struct event_fd *f)
{
	const int least = 1; /* the kernel takes the least that it allows */
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds))
		return pair_error(errno);
	f->shown.fd = fds[0];
	f->other.fd = fds[1];
	if (!identify(&f->shown) || !identify(&f->other)) {
		close(fds[0]);
		close(fds[1]);
		f->shown.fd = -1;
		f->other.fd = -1;
		return -EOPNOTSUPP;
	}
	setsockopt(f->shown.fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof(least));
	send_byte(&f->other);
	wd_store_relaxed(&f->is_readable, 1);
	if (!f->is_writable)
		fill(&f->shown);
	return 0;
}

static struct event_fd *get_event_fd(struct wait_event *ev)
{
	struct event_fd *f = wd_load_acquire(&ev->fd);

	if (f)
		return f;
	f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	f->is_writable = true;
	f->shown.fd = -1;
	f->other.fd = -1;
	/* what was set above: pairs with the acquire in wait_event_signal() */
	wd_store_release(&ev->fd, f);
	return f;
}

int wait_event_fd(struct wait_event *ev)
{
	int saved_errno = errno;
	struct event_fd *f = get_event_fd(ev);
	int ret = 0;

	if (!f) {
		errno = saved_errno;
		return -ENOMEM;
	}
	wait_mutex_lock(&f->lock);
	if (!is_ours(&f->shown) || !is_ours(&f->other)) {
		close_pair(f);
		ret = make_pair_locked(f);
	}
	if (!ret)
		ret = f->shown.fd;
	wait_mutex_unlock(&f->lock);
	errno = saved_errno;
	return ret;
}

void wait_event_fini(struct wait_event *ev)
{
	int saved_errno = errno;
	struct event_fd *f = wd_load_acquire(&ev->fd);

	if (!f)
		return;
	close_pair(f);
	free(f);
	wd_store_relaxed(&ev->fd, NULL);
	errno = saved_errno;
}

void wait_event_fd_close(struct wait_event *ev)
{
	int saved_errno = errno;
	struct event_fd *f = wd_load_acquire(&ev->fd);

	if (!f)
		return;
	wait_mutex_lock(&f->lock);
	close_pair(f);
	/* Nobody is to send a byte. */
	wd_store_relaxed(&f->is_readable, 1);
	wait_mutex_unlock(&f->lock);
	errno = saved_errno;
}

/* ---------------------------------------------------------------- what it says */

static BASE_COLD void set_readable(struct event_fd *f)
{
	int saved_errno = errno;

	wait_mutex_lock(&f->lock);
	if (!wd_load_relaxed(&f->is_readable)) {
		/* First, or who is woken by the byte would find nothing to clear. */
		wd_store_relaxed(&f->is_readable, 1);
		send_byte(&f->other);
	}
	wait_mutex_unlock(&f->lock);
	errno = saved_errno;
}

void wait_event_fd_clear(struct wait_event *ev)
{
	int saved_errno = errno;
	struct event_fd *f = wd_load_relaxed(&ev->fd);

	if (!f || !wd_load_relaxed(&f->is_readable))
		return;
	wait_mutex_lock(&f->lock);
	wd_store_relaxed(&f->is_readable, 0);
	drain(&f->shown);
	wait_mutex_unlock(&f->lock);
	/* is_readable, then the caller's look: pairs with wait_event_signal() */
	wd_full_mb();
	errno = saved_errno;
}

void wait_event_fd_set_writable(struct wait_event *ev, bool is_writable)
{
	int saved_errno = errno;
	struct event_fd *f = wd_load_relaxed(&ev->fd);

	if (!f || f->is_writable == is_writable)
		return;
	wait_mutex_lock(&f->lock);
	f->is_writable = is_writable;
	if (is_writable)
		drain(&f->other);
	else
		fill(&f->shown);
	wait_mutex_unlock(&f->lock);
	errno = saved_errno;
}

void wait_event_signal(struct wait_event *ev)
{
	struct event_fd *f;

	atomic_fetch_add(&ev->seq, 1);
	/*
	 * What is signalled and seq, then nr_sleeping and is_readable: pairs with
	 * wait_event_wait() and wait_event_fd_clear()
	 */
	wd_full_mb();
	if (wd_load_relaxed(&ev->nr_sleeping))
		wait_wake(&ev->seq);
	f = wd_load_acquire(&ev->fd);
	if (f && !wd_load_relaxed(&f->is_readable))
		set_readable(f);
}

int wait_event_wait(struct wait_event *ev, uint32_t seen, uint64_t deadline_ns)
{
	int err = 0;

	atomic_fetch_add(&ev->nr_sleeping, 1);
	/* nr_sleeping, then seq: pairs with wait_event_signal() */
	wd_full_mb();
	if (wd_load_acquire(&ev->seq) == seen)
		err = wait_park(&ev->seq, seen, deadline_ns);
	atomic_fetch_sub(&ev->nr_sleeping, 1);
	return err;
}

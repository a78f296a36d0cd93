/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * A session in an event loop: standard input to standard output, a gzip member
 * for each piece that is read.  Many pieces are compressed at a time and end in
 * any order; they are written in the order in which they came.  With nothing to
 * do the program sleeps in epoll_wait() and nowhere else.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <wd/comp.h>

#define NR_PIECES   16
#define PIECE_BYTES 65536
#define ROOM_BYTES  (PIECE_BYTES + 64) /* wd_comp_bound() of a piece */

struct piece {
	struct wd_comp_io io;
	bool is_ended;
	char in[PIECE_BYTES];
	char out[ROOM_BYTES];
};

static struct piece pieces[NR_PIECES]; /* a ring */
static unsigned int nr_read, nr_written;
static bool is_at_end;

static int complain(const char *what)
{
	fprintf(stderr, "epoll_session: %s\n", what);
	return -1;
}

/* Called by wd_comp_poll(). */
static void ended(void *arg, struct wd_comp_io *io)
{
	struct piece *piece = io->head.user;

	(void)arg;
	piece->is_ended = true;
}

/* There is something to read, and room for it. */
static int read_piece(struct wd_comp *comp)
{
	struct piece *piece = &pieces[nr_read % NR_PIECES];
	ssize_t n = read(STDIN_FILENO, piece->in, sizeof(piece->in));
	int err;

	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : complain(strerror(errno));
	is_at_end = n == 0;
	/* No input at all is an empty member; else the end adds nothing. */
	if (is_at_end && nr_read > 0)
		return 0;
	memset(&piece->io, 0, sizeof(piece->io));
	piece->is_ended = false;
	piece->io.head.user = piece;
	piece->io.src = piece->in;
	piece->io.src_len = (size_t)n;
	piece->io.dst = piece->out;
	piece->io.dst_len = sizeof(piece->out);
	err = wd_comp_submit(comp, &piece->io);
	/* The queues are full just now: what is in flight makes room. */
	while (err == -EAGAIN && wd_comp_wait(comp, NULL, 1, 0) > 0)
		err = wd_comp_submit(comp, &piece->io);
	if (err)
		return complain(wd_error_text(err));
	nr_read++;
	return 0;
}

/* Writes what has ended, in order. */
static int write_pieces(void)
{
	while (nr_written < nr_read && pieces[nr_written % NR_PIECES].is_ended) {
		struct piece *piece = &pieces[nr_written++ % NR_PIECES];
		const struct wd_io *head = &piece->io.head;

		if (head->error || head->status != WD_STATUS_OK)
			return complain(head->error ? wd_error_text(head->error) :
						      wd_status_text(head->status));
		if (fwrite(piece->out, 1, piece->io.produced, stdout) != piece->io.produced)
			return complain("cannot write");
	}
	return 0;
}

/* Input is watched while there is room for it.  A plain file cannot be: it never makes wait. */
static int watch_input(int epoll, bool is_wanted)
{
	static bool is_watched;
	struct epoll_event event = { .events = EPOLLIN, .data = { .fd = STDIN_FILENO } };

	if (is_wanted == is_watched)
		return 0;
	if (epoll_ctl(epoll, is_wanted ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, STDIN_FILENO, &event))
		return errno == EPERM ? 1 : complain(strerror(errno));
	is_watched = is_wanted;
	return 0;
}

static int loop(struct wd_comp *comp, int epoll)
{
	while (!is_at_end || nr_written < nr_read) {
		bool has_room = !is_at_end && nr_read - nr_written < NR_PIECES;
		int is_file = watch_input(epoll, has_room);
		struct epoll_event events[2];
		int i, n;

		if (is_file < 0)
			return -1;
		n = epoll_wait(epoll, events, 2, is_file && has_room ? 0 : -1);
		if (n < 0 && errno != EINTR)
			return complain(strerror(errno));
		if (is_file && has_room && read_piece(comp))
			return -1;
		for (i = 0; i < n; i++)
			if (events[i].data.fd == STDIN_FILENO && read_piece(comp))
				return -1;
		/* Until it finds none: only then does the descriptor tell again. */
		while ((n = wd_comp_poll(comp, NULL, NR_PIECES)) > 0)
			;
		if (n < 0)
			return complain(wd_error_text(n));
		if (write_pieces())
			return -1;
	}
	return fflush(stdout) ? complain("cannot write") : 0;
}

int main(void)
{
	const struct wd_comp_opts opts = { .size = sizeof(opts),
					   .op = WD_OP_COMPRESS,
					   .format = WD_COMP_GZIP,
					   .depth = NR_PIECES,
					   .done = ended };
	struct epoll_event event = { .events = EPOLLIN };
	struct wd_comp *comp;
	int epoll, err;

	err = wd_comp_open(&opts, &comp);
	if (err)
		return complain(wd_error_text(err)), 1;
	event.data.fd = wd_comp_fd(comp);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (event.data.fd < 0 || epoll < 0 ||
	    epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event))
		err = complain("cannot watch the session");
	if (!err)
		err = loop(comp, epoll);
	if (epoll >= 0)
		close(epoll);
	wd_comp_close(comp);
	return err ? 1 : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * A filter from standard input to standard output with the queue calls alone:
 * request, send, flush, recv, release.  Compresses to gzip in independent
 * pieces, several in flight.  A queue gives deflate data with its trailer, so
 * that the gzip headers are written here.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <wd/comp.h>

#define PIECE_BYTES (256u << 10)
#define ROOM_BYTES  (PIECE_BYTES + 256) /* enough for data that does not compress */
#define SLOTS	    8u

static const unsigned char header[10] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3 };

/* What the device has of ours, from wd_send() until wd_recv(). */
static struct slot {
	struct wd_comp_req req;
	bool is_done;
	unsigned char in[PIECE_BYTES];
	unsigned char out[sizeof(header) + ROOM_BYTES];
} slots[SLOTS];

static int complain(const char *what)
{
	fprintf(stderr, "filter_queue: %s\n", what);
	return 1;
}

static int put(const unsigned char *from, size_t len)
{
	return fwrite(from, 1, len, stdout) == len ? 0 : complain("cannot write");
}

/* Sends a piece as a request of its own, together with those that follow. */
static int send_piece(struct wd_queue *q, struct slot *slot, size_t len)
{
	int err;

	slot->is_done = false;
	slot->req = (struct wd_comp_req){
		.head = { .op = WD_OP_COMPRESS, .flags = WD_REQ_F_MORE, .user = slot },
		.format = WD_COMP_GZIP,
		.src = slot->in,
		.src_len = len,
		.dst = slot->out + sizeof(header),
		.dst_len = ROOM_BYTES,
	};
	memcpy(slot->out, header, sizeof(header));
	err = wd_send(q, &slot->req.head);
	return err ? complain(wd_error_text(err)) : 0;
}

/* Fills the window with pieces and publishes them with one doorbell. */
static int send_window(struct wd_queue *q, unsigned int window, unsigned int head,
		       unsigned int *tail)
{
	int err;

	while (*tail - head < window && !feof(stdin)) {
		struct slot *slot = &slots[*tail % SLOTS];
		size_t len = fread(slot->in, 1, sizeof(slot->in), stdin);

		if (ferror(stdin))
			return complain("cannot read");
		if (len == 0 && *tail > 0) /* an empty input still has one member */
			break;
		if (send_piece(q, slot, len))
			return 1;
		++*tail;
	}
	err = wd_flush(q);
	return err ? complain(wd_error_text(err)) : 0;
}

static int compress(struct wd_queue *q)
{
	unsigned int window = q->depth < SLOTS ? q->depth : SLOTS;
	unsigned int head = 0, tail = 0; /* pieces written, pieces sent */
	struct wd_req *done;

	for (;;) {
		struct slot *slot = &slots[head % SLOTS];
		int err;

		if (send_window(q, window, head, &tail))
			return 1;
		if (head == tail)
			return 0;
		/* They may come back in any order; they are written in order. */
		while (!slot->is_done) {
			err = wd_recv_sync(q, &done);
			if (err)
				return complain(wd_error_text(err));
			if (done->status != WD_STATUS_OK && done->status != WD_STATUS_STREAM_END)
				return complain(wd_status_text(done->status));
			((struct slot *)done->user)->is_done = true;
		}
		if (put(slot->out, sizeof(header) + slot->req.produced))
			return 1;
		head++;
	}
}

int main(void)
{
	struct wd_queue q = {
		.size = sizeof(q),
		.capa = { .alg = "gzip", .op = WD_OP_COMPRESS },
		.depth = SLOTS,
	};
	int ret = wd_request_queue(&q);

	if (ret)
		return complain(wd_error_text(ret));
	ret = compress(&q);
	wd_release_queue(&q);
	if (ret == 0 && fflush(stdout))
		ret = complain("cannot write");
	return ret;
}

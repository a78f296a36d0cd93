/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * WarpDrive: work for an accelerator through a queue in the program's own
 * memory.  Version, devices, and the queue calls; no algorithm.  A request is
 * the struct of its family (wd/comp.h, wd/memop.h), which begins with
 * struct wd_req.
 *
 * Calls return 0, or a count where said, or a negative errno: whether the call
 * worked.  Whether the device did the work is the request's own status.
 */
#ifndef WD_WD_H
#define WD_WD_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WD_VERSION_MAJOR 0
#define WD_VERSION_MINOR 1
#define WD_VERSION_PATCH 0

#if defined(__GNUC__)
#define WD_API __attribute__((visibility("default")))
#else
#define WD_API
#endif

#define WD_DEVICE_NAME_MAX    48 /* bytes of a device name, with its end */
#define WD_TIMEOUT_DEFAULT_MS 10000

/* What a request asks for.  A family says which of them it knows. */
enum wd_op {
	WD_OP_NOP = 0,	      /* come back: every device knows it; a struct wd_req is enough */
	WD_OP_COMPRESS = 1,   /* wd/comp.h */
	WD_OP_DECOMPRESS = 2, /* wd/comp.h */
	WD_OP_COPY = 3,	      /* wd/memop.h */
	WD_OP_FILL = 4,	      /* wd/memop.h */
	WD_OP_CRC32 = 5,      /* wd/memop.h */
};

/* What became of a request.  Not an errno: the two never share a number. */
enum wd_status {
	WD_STATUS_OK = 0,
	WD_STATUS_PENDING = 1,	    /* the device has it */
	WD_STATUS_STREAM_END = 2,   /* done, and the stream's end was reached and verified */
	WD_STATUS_OUTPUT_FULL = 3,  /* consumed and produced say how far it came */
	WD_STATUS_BAD_DATA = 4,	    /* the input is not what it should be */
	WD_STATUS_BAD_CHECKSUM = 5, /* the input decodes, but its checksum differs */
	WD_STATUS_BAD_REQUEST = 6,  /* the device refuses these parameters */
	WD_STATUS_BAD_ADDRESS = 7,  /* the device cannot reach the memory named */
	WD_STATUS_STATE_LOST = 8,   /* the device no longer knows this stream */
	WD_STATUS_DEVICE_ERROR = 9, /* the device failed, or answered nonsense */
	WD_STATUS_DEVICE_GONE = 10, /* the device went away; the request was not done */
	WD_STATUS_CANCELLED = 11,   /* given up by the caller; the request was not done */
};

#define WD_REQ_F_MORE \
	(1u << 0) /* more to come: published by wd_flush() or the next send without it */

/*
 * Head of every request.  The caller sets op, flags and user; the library
 * writes the rest before it hands the request back.  From a successful send
 * until the request is received, it and its buffers are the device's.
 */
struct wd_req {
	uint16_t op;		/* enum wd_op */
	uint16_t flags;		/* WD_REQ_F_* */
	uint32_t status;	/* enum wd_status */
	uint32_t device_id;	/* who served it: see wd_device_name() */
	uint32_t retries;	/* times it was handed over again */
	uint64_t bounced_bytes; /* copied because the device could not reach them in place */
	void *user;		/* the caller's own */
};

#define WD_CAPA_F_SVA	    (1u << 0) /* the device must take any pointer as it is */
#define WD_CAPA_F_NUMA_NODE (1u << 1) /* numa_node is set: near that node, not near the caller */
#define WD_CAPA_F_LEVELS    (1u << 2) /* the device must tell compression levels apart */
#define WD_CAPA_F_SHARE	    (1u << 3) /* the device must use shared memory in place: wd/mem.h */
#define WD_CAPA_F_HERE	    (1u << 4) /* the work must be done in this process, at once */

/* What a queue must be able to do, and what the caller wishes of it. */
struct wd_capa {
	const char *alg;     /* "gzip", "zlib", "deflate", "memop" */
	uint32_t op;	     /* enum wd_op; a queue may serve one direction only */
	uint32_t flags;	     /* WD_CAPA_F_* */
	uint32_t throughput; /* 0, or the least class wanted: 1 to 99, 10 is average */
	uint32_t latency;    /* 0, or the greatest class wanted: 1 to 99, 10 is average */
	int32_t numa_node;
	uint32_t reserved;
};

#define WD_QUEUE_F_SHARED (1u << 0) /* any thread may use it at any time; costs a lock */
/*
 * A device inside this process works on it only in the thread that receives or
 * waits; its workers, if there are any, leave it alone until a request is long
 * or wd_queue_fd() was called.
 */
#define WD_QUEUE_F_NEAR (1u << 1)

/*
 * A queue, allocated by the caller: zero it, set size, capa and what else is
 * wanted, and call wd_request_queue().  One thread at a time uses it unless
 * WD_QUEUE_F_SHARED is set.
 */
struct wd_queue {
	uint32_t size;	/* sizeof(struct wd_queue) */
	uint32_t flags; /* WD_QUEUE_F_* */
	struct wd_capa capa;
	char device[WD_DEVICE_NAME_MAX]; /* in: a device's name, or "" for any; out: the one given */
	int32_t timeout_ms;		 /* of wd_recv_sync(); 0: WD_TIMEOUT_DEFAULT_MS */
	uint32_t depth; /* in: requests in flight wished for, 0 for any; out: what there is */
	uint64_t reserved[6];
	void *queue; /* the library's */
};

/**
 * wd_request_queue() - find a device and connect a queue to it
 * @q: what is wanted; q->device, q->depth and q->queue are written on success
 *
 * Of the devices that offer q->capa, the nearest NUMA node wins, then the most
 * free queues.  A device named in q->device is the only candidate.
 *
 * Thread rule: any thread; @q is the caller's alone during the call.
 * Return: 0, or -EINVAL (a field makes no sense, or @q holds a queue), -ENODEV
 * (no device offers this), -EBUSY (those that do have no free queue), -ENOMEM,
 * or what the device's driver says.
 */
WD_API int wd_request_queue(struct wd_queue *q);

/**
 * wd_release_queue() - give a queue back
 * @q: a queue, a zeroed struct, or NULL
 *
 * Requests in flight are waited for, at most as long as the device needs for
 * the one it is working on; the rest are dropped.  Their buffers are free to
 * use when this returns.  @q may be requested again.
 */
WD_API void wd_release_queue(struct wd_queue *q);

/**
 * wd_send() - hand one request to the device
 * @q: a queue
 * @req: the request (a family's struct, by its head); the device's until received
 *
 * Never blocks and makes no system call on a started queue.  Published at once
 * unless WD_REQ_F_MORE is set.
 *
 * Thread rule: the queue's owner, or any thread for WD_QUEUE_F_SHARED.
 * Return: 0, -EAGAIN when the queue is full, -EINVAL (request makes no sense),
 * -EOPNOTSUPP (the device cannot do this), -ENODEV (the device is gone),
 * -ENOMEM (for a scattered request's list).
 */
WD_API int wd_send(struct wd_queue *q, struct wd_req *req);

/**
 * wd_send_burst() - hand over several requests with one doorbell
 * @q: a queue
 * @reqs: the requests, in order
 * @nr: how many
 *
 * Return: how many of the first were taken (fewer when the queue is full), or a
 * negative errno as wd_send() when not one was.
 */
WD_API int wd_send_burst(struct wd_queue *q, struct wd_req *const *reqs, unsigned int nr);

/**
 * wd_recv() - take one finished request
 * @q: a queue
 * @ret_req: the pointer that was sent
 *
 * Never blocks.  On a device inside this process it may do the work of one
 * request of this queue.
 *
 * Return: 0, -EAGAIN when none is finished, -ENODEV once the device is gone and
 * all that was in flight came back with WD_STATUS_DEVICE_GONE.
 */
WD_API int wd_recv(struct wd_queue *q, struct wd_req **ret_req);

/**
 * wd_recv_burst() - take up to @nr finished requests
 * @q: a queue
 * @ret_reqs: room for @nr pointers
 * @nr: how many at most
 *
 * Return: how many were taken, 0 when none is finished, or -ENODEV as wd_recv().
 */
WD_API int wd_recv_burst(struct wd_queue *q, struct wd_req **ret_reqs, unsigned int nr);

/**
 * wd_recv_sync() - wait for one finished request
 * @q: a queue; q->timeout_ms bounds the wait
 * @ret_req: the pointer that was sent
 *
 * Does the work itself where the device is inside this process and nobody else
 * is at it, else spins briefly, then sleeps until the device reports.  A request
 * begun in time is done to its end, so that a wait without workers may last one
 * request longer than it should; with workers, long ones are theirs.
 *
 * Return: 0, -ENODEV as wd_recv(), -ETIMEDOUT: the request stays the device's,
 * -EAGAIN at once when nothing is in flight.
 */
WD_API int wd_recv_sync(struct wd_queue *q, struct wd_req **ret_req);

/**
 * wd_flush() - publish all that was sent with WD_REQ_F_MORE
 * @q: a queue
 *
 * Return: 0, or -ENODEV.
 */
WD_API int wd_flush(struct wd_queue *q);

/**
 * wd_queue_fd() - a descriptor that tells when to look at a queue
 * @q: a queue
 *
 * For poll(), select() and epoll: readable when something finished (or the
 * device is gone) since wd_recv() last found nothing; writable unless wd_send()
 * found the queue full and nothing was received since.  A queue has one, made by
 * the first call, the library's until the queue is released: it is not read,
 * written or closed by the caller.  From then on a device inside this process
 * works on the queue in a thread of its own, which is started if there is none.
 * Should the descriptor be closed behind the library's back, the next call makes
 * another; so it does in a child process.
 *
 * Return: the descriptor (close-on-exec), -EINVAL, -EOPNOTSUPP, -ENOMEM, -EMFILE,
 * -ENODEV, -EAGAIN (no thread could be started).
 */
WD_API int wd_queue_fd(struct wd_queue *q);

/* One device, as found.  wd_list_devices() fills the first size bytes. */
struct wd_device_info {
	uint32_t size;		       /* sizeof(struct wd_device_info), set by the caller */
	uint32_t id;		       /* of this device while the library stays loaded */
	char name[WD_DEVICE_NAME_MAX]; /* "embed:hisi_zip-0" */
	char backend[16];	       /* "embed" */
	char driver[32];	       /* "hisi_zip" */
	char api[32];		       /* "hisi_qm_v3" */
	char algs[256];		       /* names, separated by newlines */
	uint32_t flags;		       /* WD_CAPA_F_* that it has */
	int32_t numa_node;	       /* -1 unknown */
	int32_t free_queues;
	uint32_t isolated;   /* not 0: out of use after errors */
	uint32_t throughput; /* class 1 to 99, 10 is average, more is better */
	uint32_t latency;    /* class 1 to 99, 10 is average, less is better */
	uint64_t requests;   /* received by this process, as in wd/stats.h */
	uint64_t errors;     /* of those, how many ended in an error status */
};

/**
 * wd_list_devices() - describe the devices of this machine
 * @infos: array of @nr, each with the same size set; may be NULL when @nr is 0
 * @nr: room
 *
 * Return: how many devices there are (may be more than @nr), or a negative errno.
 */
WD_API int wd_list_devices(struct wd_device_info *infos, unsigned int nr);

/**
 * wd_device_name() - name of the device that served a request
 * @device_id: wd_req.device_id
 *
 * Return: the name, valid while the library stays loaded, or "none".
 */
WD_API const char *wd_device_name(uint32_t device_id);

/**
 * wd_status_text() - a status as a few words of English
 * @status: enum wd_status
 *
 * Return: a constant string, never NULL.
 */
WD_API const char *wd_status_text(uint32_t status);

/**
 * wd_error_text() - what a negative return value of this library means
 * @err: the value returned
 *
 * Return: a constant string, never NULL.
 */
WD_API const char *wd_error_text(int err);

/**
 * wd_init() - keep the library up
 *
 * Not needed: the first call that wants a device does the same.  While more
 * wd_init() than wd_fini() were called, devices stay known and idle queues and
 * workers stay ready.
 *
 * Thread rule: any thread.
 * Return: 0, or why devices could not be looked for (see wd_set_log()).
 */
WD_API int wd_init(void);

/**
 * wd_fini() - the counterpart of wd_init()
 *
 * With the last one, and no queue or session open, threads end and all memory is
 * given back; the next use begins anew and reads the configuration again.  Else
 * that happens when the library is unloaded.
 */
WD_API void wd_fini(void);

/**
 * wd_version() - version of the library in use
 *
 * Return: "major.minor.patch".
 */
WD_API const char *wd_version(void);

enum wd_log_level {
	WD_LOG_ERROR = 0,
	WD_LOG_WARN = 1,
	WD_LOG_INFO = 2,
};

/**
 * wd_set_log() - where the library's messages go
 * @log: called with one line of text without its end, from any thread; NULL for
 *	nowhere, which is the default
 * @arg: handed to @log
 * @level: the least important level wanted
 *
 * The library logs on cold paths only.  @log must not call the library.
 */
WD_API void wd_set_log(void (*log)(void *arg, enum wd_log_level level, const char *text), void *arg,
		       enum wd_log_level level);

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The chip models, as all their users see them: a table of operations on a chip
 * and on its queues.  A model is a faithful software chip: it knows nothing of
 * who runs it, reaches memory only through the owner's struct chip_dma, and
 * trusts no byte of what it reads there.  Nothing here assumes a ring, a
 * completion entry or an order of completion.
 *
 * Life: chip_create; queue_open, bind its memory, control as the chip's driver
 * ABI has it, start; doorbells from anywhere, run from one thread at a time;
 * stop, close; destroy.
 */
#ifndef CHIP_CHIP_H
#define CHIP_CHIP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chip;
struct chip_queue;

/*
 * How a chip reaches its owner's memory.  map gives a pointer through which
 * @bytes from @addr can be reached until unmap, or NULL when they cannot be
 * reached in one piece that way; then read and write are tried, which return 0
 * or -EFAULT.  unmap may be NULL.  read and write may be NULL when map always
 * knows.
 */
struct chip_dma {
	void *(*map)(void *owner, uint64_t addr, size_t bytes, bool is_write);
	void (*unmap)(void *owner, void *ptr, size_t bytes, bool is_write);
	int (*read)(void *owner, uint64_t addr, void *buf, size_t bytes);
	int (*write)(void *owner, uint64_t addr, const void *buf, size_t bytes);
};

#define CHIP_F_STRICT \
	(1u << 0)	       /* as silicon: no capabilities of ours, reserved bits must be zero */
#define CHIP_F_TRACE (1u << 1) /* keep an event record */

/* What a chip does wrong, on demand. */
enum chip_fault_kind {
	CHIP_FAULT_DROP = 1,	       /* the request is done, but no completion comes */
	CHIP_FAULT_DELAY,	       /* the request is begun only delay_ns later */
	CHIP_FAULT_DUPLICATE,	       /* completed twice */
	CHIP_FAULT_CORRUPT_COMPLETION, /* the completion names another request */
	CHIP_FAULT_CORRUPT_RESULT,     /* counts that exceed the request's buffers */
	CHIP_FAULT_CORRUPT_OUTPUT,     /* one bit of the output differs; all else is well */
	CHIP_FAULT_ERROR,	       /* not done, and an error status says so */
	CHIP_FAULT_HANG,	       /* from this request on nothing is begun, until reset */
	CHIP_FAULT_RESET,	       /* the chip resets itself with this request in flight */
	CHIP_FAULT_REFUSE,	       /* opening a queue fails with -EBUSY: counted by openings */
};

/*
 * One fault.  Requests of the chip are counted from 1, over all queues, from the
 * moment the fault is set.  It strikes request @first, and then, @every not 0,
 * each @every-th after that, @count times in all (0: no limit).
 */
struct chip_fault {
	uint32_t kind; /* enum chip_fault_kind */
	uint32_t count;
	uint64_t first;
	uint64_t every;
	uint64_t delay_ns; /* DELAY */
};

#define CHIP_FAULTS_MAX 16

struct chip_config {
	uint32_t flags;	     /* CHIP_F_* */
	uint32_t nr_queues;  /* 0: the model's usual number */
	uint32_t depth;	     /* entries of a queue, 0: the model's usual depth */
	struct chip_dma dma; /* reaches memory of all queues */
	void *owner;	     /* handed to dma and raise */
	/*
	 * A slower chip: a request is begun this long after it was fetched, and
	 * nothing behind it in its queue earlier; no processor is used meanwhile.
	 */
	uint64_t delay_ns;
	uint64_t delay_ns_per_kib;	 /* of input, added to delay_ns */
	const struct chip_fault *faults; /* copied */
	uint32_t nr_faults;		 /* at most CHIP_FAULTS_MAX */
	/* A queue reports a completion, if it was armed for that.  Called from run or doorbell. */
	void (*raise)(void *owner, void *queue_owner);
};

/* What a model is, without creating one. */
struct chip_model {
	const char *name;    /* "hisi_zip" */
	const char *api;     /* "hisi_qm_v3" */
	const char *algs;    /* names separated by newlines */
	uint32_t throughput; /* class 1 to 99, 10 is average */
	uint32_t latency;
	bool has_levels; /* tells compression levels apart (never under CHIP_F_STRICT) */
	const struct chip_ops *ops;
};

/* Begins every model's chip. */
struct chip {
	const struct chip_ops *ops;
	struct chip_config config;
	struct chip_trace *trace; /* NULL without CHIP_F_TRACE */
	/* chip_fault.c; NULL until there is a fault or a delay, then the same until destroy */
	_Atomic(struct chip_faults *) faults;
};

/* Begins every model's queue. */
struct chip_queue {
	struct chip *chip;
	void *owner; /* for config.raise */
};

/* Sizes of what a queue's user maps; 0: there is no such region. */
struct chip_queue_layout {
	size_t mmio_bytes; /* region 0: doorbells */
	size_t dus_bytes;  /* region 1: rings and status words, in the user's memory */
};

/* Running totals of a chip; they only grow. */
struct chip_counters {
	uint64_t doorbells;	/* taken */
	uint64_t bad_doorbells; /* of a wrong queue, command or index */
	uint64_t requests;	/* fetched */
	uint64_t completions;	/* written */
	uint64_t errors;	/* completions with an error status */
	uint64_t refused;	/* submissions answered "retry" */
	uint64_t events;	/* completions reported through raise */
	uint64_t lost_streams;	/* requests for a stream state no longer known */
	uint64_t bytes_in;
	uint64_t bytes_out;
};

enum chip_event {
	CHIP_EVENT_START = 1, /* queue started */
	CHIP_EVENT_DOORBELL,  /* a: value */
	CHIP_EVENT_FETCH,     /* a: slot */
	CHIP_EVENT_COMPLETE,  /* a: slot, b: status */
	CHIP_EVENT_RAISE,
	CHIP_EVENT_STOP,
	CHIP_EVENT_RESET,
	CHIP_EVENT_FAULT, /* a: slot, b: bit 1 << kind of each fault that strikes it */
};

/* One line of a chip's event record, oldest overwritten first. */
struct chip_trace_entry {
	uint64_t seq;	/* 1, 2, 3, ... */
	uint32_t event; /* enum chip_event */
	uint32_t queue; /* number */
	uint64_t a;
	uint64_t b;
};

/* How one run is paced. */
struct chip_pace {
	const _Atomic uint32_t *interrupt; /* no further request once it is not 0; NULL: never */
	/*
	 * A request that would, by the chip's estimate, make the run last longer
	 * than this is not begun; 0: any is.
	 */
	uint64_t long_ns;
};

struct chip_ops {
	int (*create)(const struct chip_model *model, const struct chip_config *config,
		      struct chip **ret_chip);
	/* All queues must be closed. */
	void (*destroy)(struct chip *chip);
	/*
	 * Resets the chip: every queue stops as hardware in reset does, with its
	 * status words set, and stays stopped until closed.
	 */
	void (*reset)(struct chip *chip);
	int (*free_queues)(struct chip *chip);
	void (*counters)(struct chip *chip, struct chip_counters *ret_counters);

	/* -EBUSY when all queues are in use. */
	int (*queue_open)(struct chip *chip, void *queue_owner, struct chip_queue **ret_queue);
	/* Stopped or never started; no other thread is inside a call on it. */
	void (*queue_close)(struct chip_queue *queue);
	/* May change with control until the queue is started. */
	void (*queue_layout)(struct chip_queue *queue, struct chip_queue_layout *ret_layout);
	/* The user's memory for region 1, zeroed, at @addr of the owner's dma. */
	int (*queue_bind)(struct chip_queue *queue, uint64_t addr, size_t bytes);
	/* The commands of the device's kernel contract (include/uapi), -EINVAL for unknown ones. */
	int (*queue_control)(struct chip_queue *queue, unsigned long cmd, void *param);
	int (*queue_start)(struct chip_queue *queue);
	/*
	 * Returns when no request of the queue is being worked on any more; none is
	 * begun, and nothing reported, later.
	 */
	void (*queue_stop)(struct chip_queue *queue);
	/*
	 * A store of @value to @offset of the queue's MMIO region.  Any thread, never
	 * fails; stores at the same moment may be counted as one.
	 */
	void (*queue_doorbell)(struct chip_queue *queue, uint32_t offset, uint64_t value);
	/*
	 * Works on up to @budget requests, as @pace says (NULL: without limits).
	 * Returns how many; -EBUSY while another thread is at it, which then does
	 * what is published; -E2BIG when the first one is too long for @pace.  On
	 * return either nothing published remains, or the budget is used up, or pace
	 * ended it, or the queue cannot go on (stopped, held back by a delay, no room
	 * for completions).
	 */
	int (*queue_run)(struct chip_queue *queue, unsigned int budget,
			 const struct chip_pace *pace);
	/* Whether a run would find work now.  Any thread. */
	bool (*queue_has_work)(struct chip_queue *queue);
	/*
	 * When work that a delay holds back can be begun, as wait_clock_ns() tells
	 * time; 0: none is held back.  A time that is past: there is work that may
	 * come to be held back, look again.  Any thread.
	 */
	uint64_t (*queue_due_ns)(struct chip_queue *queue);
};

/* All models of this build, NULL at the end, and one by name. */
extern const struct chip_model *const chip_models[];
const struct chip_model *chip_find_model(const char *name);

static inline bool chip_pace_is_interrupted(const struct chip_pace *pace)
{
	return pace && pace->interrupt &&
	       atomic_load_explicit(pace->interrupt, memory_order_relaxed);
}

/* Creates a chip; its config is copied. */
static inline int chip_create(const struct chip_model *model, const struct chip_config *config,
			      struct chip **ret_chip)
{
	return model->ops->create(model, config, ret_chip);
}

/*
 * Adds a fault to a chip at work; any thread.  One that strikes no more makes
 * room for another.  Returns 0, -EINVAL, -ENOSPC when there are CHIP_FAULTS_MAX,
 * or -ENOMEM.
 */
int chip_inject(struct chip *chip, const struct chip_fault *fault);

/*
 * Reads "kind@first", "kind@first/every", "kind@first/every*count", and for a
 * delay ":NUMBERus" or ":NUMBERms" after that.  Kinds: drop, delay, duplicate,
 * corrupt-completion, corrupt-result, corrupt-output, error, hang, reset, refuse.
 * Returns 0 or -EINVAL.
 */
int chip_fault_parse(const char *text, struct chip_fault *ret_fault);

/* Sets a chip's dma to the caller's own address space: every address is a pointer. */
void chip_dma_use_own_memory(struct chip_config *config);

/*
 * Copies out up to @nr entries of the event record, newest last, beginning with
 * entry @from_seq or the oldest kept.  Returns how many.
 */
unsigned int chip_trace_read(struct chip *chip, uint64_t from_seq,
			     struct chip_trace_entry *ret_entries, unsigned int nr);

/* ---- workers: threads that run the queues of any chips, fairly */

struct chip_workers;

struct chip_workers_config {
	unsigned int nr_threads;
	unsigned int budget; /* requests of one queue before the next is looked at; 0: 16 */
	uint64_t spin_ns;    /* how long an idle worker looks around before it sleeps */
};

int chip_workers_create(const struct chip_workers_config *config,
			struct chip_workers **ret_workers);
/*
 * Ends the threads, each after the request it is at, although there are queues;
 * all else goes on as if the workers slept.
 */
void chip_workers_stop(struct chip_workers *workers);
/* All queues must have been removed. */
void chip_workers_destroy(struct chip_workers *workers);
/* Does not wait for anybody.  Returns 0 or -ENOMEM. */
int chip_workers_add(struct chip_workers *workers, struct chip_queue *queue);
/* On return no worker touches @queue any more; lasts at most one request of any queue. */
void chip_workers_remove(struct chip_workers *workers, struct chip_queue *queue);
/* After a doorbell: wakes the workers that sleep.  Any thread; cheap when none does. */
void chip_workers_kick(struct chip_workers *workers);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Requests of 64 bytes and completions of 16 between two threads, each slot
 * with a phase word of its own: no index is shared, a slot is new when its
 * phase is the one expected on this lap.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"
#include "spsc_ring.h"

#define RING_SLOTS 1024u
#define CHUNK	   65536u /* requests between two looks at the clock */
#define WARM_UP	   65536u

#if defined(__x86_64__)
#define cpu_relax() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define cpu_relax() __asm__ volatile("yield" ::: "memory")
#else
#define cpu_relax() atomic_signal_fence(memory_order_seq_cst)
#endif

struct request_slot {
	_Alignas(64) uint8_t bytes[60];
	_Atomic uint32_t phase;
};

struct completion_slot {
	_Alignas(16) uint8_t bytes[12];
	_Atomic uint32_t phase;
};

_Static_assert(sizeof(struct request_slot) == 64, "one cache line");
_Static_assert(sizeof(struct completion_slot) == 16, "as a completion of the queue manager");

struct spsc_ring {
	_Alignas(128) struct request_slot request[RING_SLOTS];
	_Alignas(128) struct completion_slot completion[RING_SLOTS];
	_Alignas(128) _Atomic bool is_stopping;
	int server_cpu;
};

/* One side's place in a ring. */
struct place {
	uint32_t idx;
	uint32_t phase;
};

static inline void step(struct place *p)
{
	if (++p->idx == RING_SLOTS) {
		p->idx = 0;
		p->phase ^= 1;
	}
}

static inline bool is_new(_Atomic uint32_t *phase, const struct place *p)
{
	/* the phase before the rest of the slot: pairs with put_phase() */
	return atomic_load_explicit(phase, memory_order_acquire) == p->phase;
}

static inline void put_phase(_Atomic uint32_t *phase, const struct place *p)
{
	/* pairs with is_new() on the other side */
	atomic_store_explicit(phase, p->phase, memory_order_release);
}

static void *serve(void *arg)
{
	struct spsc_ring *ring = arg;
	struct place at = { .phase = 1 };
	uint8_t copy[sizeof(ring->request[0].bytes)];

	measure_pin(ring->server_cpu);
	for (;;) {
		struct request_slot *in = &ring->request[at.idx];
		struct completion_slot *out = &ring->completion[at.idx];

		while (!is_new(&in->phase, &at)) {
			if (atomic_load_explicit(&ring->is_stopping, memory_order_relaxed))
				return NULL;
			cpu_relax();
		}
		memcpy(copy, in->bytes, sizeof(copy));
		memcpy(out->bytes, copy, sizeof(out->bytes));
		put_phase(&out->phase, &at);
		step(&at);
	}
}

struct client {
	struct spsc_ring *ring;
	struct place tail;
	struct place head;
	uint8_t request[sizeof(((struct request_slot *)0)->bytes)];
};

static void drive(struct client *c, unsigned int depth, uint64_t nr)
{
	uint64_t sent = 0, received = 0;

	while (received < nr) {
		for (; sent < nr && sent - received < depth; sent++) {
			struct request_slot *out = &c->ring->request[c->tail.idx];

			memcpy(out->bytes, c->request, sizeof(out->bytes));
			put_phase(&out->phase, &c->tail);
			step(&c->tail);
		}
		for (; received < sent; received++) {
			struct completion_slot *in = &c->ring->completion[c->head.idx];

			if (!is_new(&in->phase, &c->head))
				break;
			memcpy(c->request, in->bytes, sizeof(in->bytes));
			step(&c->head);
		}
		if (depth == 1)
			cpu_relax();
	}
}

int spsc_ring_measure(const int cpu[2], unsigned int depth, uint64_t run_ns, double *ret_ns)
{
	struct client client = { .tail = { .phase = 1 }, .head = { .phase = 1 } };
	uint64_t start, now, nr = 0;
	struct spsc_ring *ring;
	pthread_t server;
	int err;

	if (depth > RING_SLOTS)
		return -EINVAL;
	ring = aligned_alloc(_Alignof(struct spsc_ring), sizeof(*ring));
	if (!ring)
		return -ENOMEM;
	memset(ring, 0, sizeof(*ring));
	ring->server_cpu = cpu[1];
	client.ring = ring;
	measure_pin(cpu[0]);
	err = pthread_create(&server, NULL, serve, ring);
	if (err)
		goto out_free;
	drive(&client, depth, WARM_UP);
	start = measure_now_ns();
	do {
		drive(&client, depth, CHUNK);
		nr += CHUNK;
		now = measure_now_ns();
	} while (now - start < run_ns);
	*ret_ns = (double)(now - start) / (double)nr;
	atomic_store_explicit(&ring->is_stopping, true, memory_order_relaxed);
	pthread_join(server, NULL);
out_free:
	free(ring);
	return -err;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Two free-running counters, each written by one side; the slots between them
 * are the engine's.  Asleep, the engine waits on a word that a send changes.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "codec_ring.h"
#include "measure.h"

#if defined(__x86_64__)
#define cpu_relax() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define cpu_relax() __asm__ volatile("yield" ::: "memory")
#else
#define cpu_relax() atomic_signal_fence(memory_order_seq_cst)
#endif

struct slot {
	const struct comp_block *block;
	uint8_t *out;
	size_t bytes;
	uint64_t planned_ns;
};

struct codec_ring {
	struct slot slot[CODEC_RING_SLOTS];
	const struct comp_blocks *blocks;
	uint8_t *outputs;
	struct direct_codec *codec;
	pthread_t thread;
	bool has_thread;
	bool is_sleeping;
	int cpu;
	uint32_t received;
	_Alignas(128) _Atomic uint32_t sent; /* the caller's */
	_Alignas(128) _Atomic uint32_t done; /* the engine's */
	_Alignas(128) _Atomic uint32_t is_asleep;
	_Atomic uint32_t wake_seq; /* slept on */
	_Atomic uint32_t is_stopping;
};

static void wake(struct codec_ring *ring)
{
	atomic_fetch_add(&ring->wake_seq, 1);
	syscall(SYS_futex, &ring->wake_seq, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void sleep_until_sent(struct codec_ring *ring, uint32_t done)
{
	uint32_t seq = atomic_load(&ring->wake_seq);

	/* announce the sleep, then look once more: pairs with codec_ring_send() */
	atomic_store(&ring->is_asleep, 1);
	if (atomic_load(&ring->sent) == done && !atomic_load(&ring->is_stopping))
		syscall(SYS_futex, &ring->wake_seq, FUTEX_WAIT_PRIVATE, seq, NULL, NULL, 0);
	atomic_store(&ring->is_asleep, 0);
}

static void *serve(void *arg)
{
	struct codec_ring *ring = arg;
	uint32_t done = 0;

	measure_pin(ring->cpu);
	for (;;) {
		/* the slot comes with the counter: pairs with codec_ring_send() */
		while (atomic_load_explicit(&ring->sent, memory_order_acquire) == done) {
			if (atomic_load_explicit(&ring->is_stopping, memory_order_relaxed))
				return NULL;
			if (ring->is_sleeping)
				sleep_until_sent(ring, done);
			else
				cpu_relax();
		}
		struct slot *s = &ring->slot[done++ % CODEC_RING_SLOTS];

		s->bytes = comp_blocks_call(ring->blocks, s->block, ring->codec, s->out);
		/* and back: pairs with codec_ring_recv() */
		atomic_store_explicit(&ring->done, done, memory_order_release);
	}
}

struct codec_ring *codec_ring_create(const struct comp_blocks *blocks, bool is_sleeping, int cpu)
{
	struct codec_ring *ring = aligned_alloc(_Alignof(struct codec_ring), sizeof(*ring));
	size_t i, bytes = CODEC_RING_SLOTS * blocks->room;

	if (!ring)
		return NULL;
	memset(ring, 0, sizeof(*ring));
	ring->blocks = blocks;
	ring->is_sleeping = is_sleeping;
	ring->cpu = cpu;
	ring->outputs = malloc(bytes);
	ring->codec = direct_codec_create(DIRECT_LIBISAL, 1);
	if (!ring->outputs || !ring->codec)
		goto out_destroy;
	memset(ring->outputs, 1, bytes);
	for (i = 0; i < CODEC_RING_SLOTS; i++)
		ring->slot[i].out = ring->outputs + i * blocks->room;
	if (pthread_create(&ring->thread, NULL, serve, ring))
		goto out_destroy;
	ring->has_thread = true;
	return ring;

out_destroy:
	codec_ring_destroy(ring);
	return NULL;
}

void codec_ring_destroy(struct codec_ring *ring)
{
	if (!ring)
		return;
	if (ring->has_thread) {
		atomic_store(&ring->is_stopping, 1);
		wake(ring);
		pthread_join(ring->thread, NULL);
	}
	direct_codec_destroy(ring->codec);
	free(ring->outputs);
	free(ring);
}

bool codec_ring_send(struct codec_ring *ring, const struct comp_block *block, uint64_t planned_ns)
{
	uint32_t sent = atomic_load_explicit(&ring->sent, memory_order_relaxed);
	struct slot *s = &ring->slot[sent % CODEC_RING_SLOTS];

	if (sent - ring->received == CODEC_RING_SLOTS)
		return false;
	s->block = block;
	s->planned_ns = planned_ns;
	/* the slot before the counter, and the counter before the look at the sleeper */
	atomic_store(&ring->sent, sent + 1);
	if (ring->is_sleeping && atomic_load(&ring->is_asleep))
		wake(ring);
	return true;
}

bool codec_ring_recv(struct codec_ring *ring, struct codec_result *ret)
{
	const struct slot *s = &ring->slot[ring->received % CODEC_RING_SLOTS];

	if (atomic_load_explicit(&ring->done, memory_order_acquire) == ring->received)
		return false;
	ring->received++;
	*ret = (struct codec_result){ s->block, s->out, s->bytes, s->planned_ns };
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * All memory ordering of the tree.  A word shared with another thread is a C11
 * atomic, read with wd_load_acquire() and written with wd_store_release(), so
 * that ThreadSanitizer sees the edge; where the other side is a device, the DMA
 * barrier named for its purpose is added on top, never used instead.
 */
#ifndef BASE_BARRIER_H
#define BASE_BARRIER_H

#include <stdatomic.h>

#define wd_load_acquire(p)     atomic_load_explicit((p), memory_order_acquire)
#define wd_load_relaxed(p)     atomic_load_explicit((p), memory_order_relaxed)
#define wd_store_release(p, v) atomic_store_explicit((p), (v), memory_order_release)
#define wd_store_relaxed(p, v) atomic_store_explicit((p), (v), memory_order_relaxed)

/* Store an index, then read the peer's "I sleep, wake me" flag. */
#define wd_full_mb() atomic_thread_fence(memory_order_seq_cst)

/* The same right after an atomic exchange, which on x86 is one already. */
#if defined(__x86_64__)
#define wd_full_mb_after_exchange() atomic_signal_fence(memory_order_seq_cst)
#else
#define wd_full_mb_after_exchange() wd_full_mb()
#endif

/*
 * wd_dma_wmb: what was stored to memory is visible to the device before the
 * doorbell that follows.  wd_dma_rmb: the phase bit was read before the CQE and
 * the payload behind it are.  x86 orders both for ordinary memory; what is left
 * is to keep the compiler from moving them.
 */
#if defined(__aarch64__)
#define wd_dma_wmb()   __asm__ volatile("dsb st" ::: "memory")
#define wd_dma_rmb()   __asm__ volatile("dmb oshld" ::: "memory")
#define wd_cpu_relax() __asm__ volatile("yield" ::: "memory")
#elif defined(__x86_64__)
#define wd_dma_wmb()   __asm__ volatile("" ::: "memory")
#define wd_dma_rmb()   __asm__ volatile("" ::: "memory")
#define wd_cpu_relax() __asm__ volatile("pause" ::: "memory")
#else
#error "teach base/barrier.h this processor's DMA ordering"
#endif

#endif

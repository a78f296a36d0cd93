/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Compiler attributes and the few macros that the whole tree shares.  Nothing
 * here is public: installed headers carry their own.
 */
#ifndef BASE_COMPILER_H
#define BASE_COMPILER_H

#include <stddef.h>
#include <stdint.h>

#define base_likely(x)	 __builtin_expect(!!(x), 1)
#define base_unlikely(x) __builtin_expect(!!(x), 0)

/* Out of line and away from the hot code: error exits of the data path. */
#define BASE_COLD	       __attribute__((cold, noinline))
#define BASE_FALLTHROUGH       __attribute__((fallthrough))
#define BASE_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* A cache line, and the pair that x86 prefetchers fetch together. */
#define BASE_CACHE_LINE 64
#define BASE_ALIGNED(n) __attribute__((aligned(n)))

#define BASE_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define base_container_of(ptr, type, member) \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline uint64_t base_min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint32_t base_min_u32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* Rounds up to a power-of-two @align; the caller has ruled out overflow. */
static inline size_t base_align_up(size_t n, size_t align)
{
	return (n + align - 1) & ~(align - 1);
}

#endif

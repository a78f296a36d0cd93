/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* The pure functions of base, park and wake, and what a fork does to a process's life. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "base/barrier.h"
#include "base/bytes.h"
#include "base/ring.h"
#include "base/sums.h"
#include "base/wait.h"
#include "lib/t_assert.h"
#include "lib/t_fork.h"

static void rings_wrap_at_any_depth(void **state)
{
	uint32_t depth, idx, phase, laps;

	(void)state;
	for (depth = 2; depth < 20; depth++) {
		phase = 1;
		idx = 0;
		for (laps = 0; laps < 3 * depth; laps++) {
			assert_int_equal(phase, 1 ^ (laps / depth & 1));
			assert_int_equal(ring_fill(0, idx, depth), idx);
			phase = ring_next_phase(phase, idx, depth);
			idx = ring_next(idx, depth);
			assert_int_equal(idx, (laps + 1) % depth);
		}
		assert_int_equal(ring_fill(depth - 1, 0, depth), 1);
		assert_int_equal(ring_fill(1, 0, depth), depth - 1);
	}
}

static void bytes_have_an_order(void **state)
{
	const uint8_t p[] = { 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99 };
	uint8_t q[4];

	(void)state;
	assert_int_equal(bytes_get_le16(p + 1), 0x3322);
	assert_int_equal(bytes_get_le32(p + 1), 0x55443322);
	assert_int_equal(bytes_get_le64(p + 1), 0x9988776655443322ull);
	bytes_put_le16(q, 0xabcd);
	assert_bytes(q, 0xcd, 0xab);
	bytes_put_le32(q, 0x01020304);
	assert_bytes(q, 4, 3, 2, 1);
	bytes_put_be32(q, 0x01020304);
	assert_bytes(q, 1, 2, 3, 4);
	assert_int_equal(bytes_bitrev32(0x00000001), 0x80000000);
	assert_int_equal(bytes_bitrev32(0xf00000a1), 0x8500000f);
	assert_int_equal(bytes_field_get(0x12345678, 8, 8), 0x56);
	assert_int_equal(bytes_field_get(0x12345678, 0, 32), 0x12345678);
}

/* At every length, begun anew or gone on with; where zlib begins anew for no buffer, these go on. */
static void sums_are_zlibs(void **state)
{
	uint8_t bytes[6000];
	size_t n;

	(void)state;
	for (n = 0; n < sizeof(bytes); n++)
		bytes[n] = (uint8_t)(255 - n * 37 % 251);
	for (n = 0; n <= sizeof(bytes); n += n < 300 ? 1 : 311) {
		uint32_t crc = sums_crc32(0, bytes, n / 3);
		uint32_t adler = sums_adler32(1, bytes, n / 3);

		assert_int_equal(sums_crc32(crc, bytes + n / 3, n - n / 3), crc32(0, bytes, n));
		assert_int_equal(sums_adler32(adler, bytes + n / 3, n - n / 3),
				 adler32(1, bytes, n));
	}
	assert_int_equal(sums_crc32(0xcbf43926, NULL, 0), 0xcbf43926);
	assert_int_equal(sums_adler32(0x091e01de, NULL, 0), 0x091e01de);
	assert_int_equal(sums_crc32(0, "123456789", 9), 0xcbf43926);
	assert_int_equal(sums_adler32(1, "123456789", 9), 0x091e01de);
}

static _Atomic uint32_t word;

static void *wake_later(void *arg)
{
	wd_store_release(&word, 1);
	wait_wake(&word);
	return arg;
}

static void who_parks_is_woken(void **state)
{
	uint64_t deadline = wait_clock_ns() + 60000 * WAIT_NS_PER_MS;
	pthread_t thread;

	(void)state;
	/* The word has changed already: no sleep. */
	assert_ok(wait_park(&word, 7, WAIT_FOREVER));
	/* A deadline that has passed. */
	assert_int_equal(wait_park(&word, 0, wait_clock_ns()), -ETIMEDOUT);
	assert_ok(pthread_create(&thread, NULL, wake_later, NULL));
	while (!wd_load_acquire(&word))
		assert_ok(wait_park(&word, 0, deadline));
	pthread_join(thread, NULL);
}

#define LOCK_ROUNDS 20000

static struct wait_mutex lock;
static unsigned int nr_locked;

static void *count_locked(void *arg)
{
	unsigned int i;

	for (i = 0; i < LOCK_ROUNDS; i++) {
		wait_mutex_lock(&lock);
		nr_locked++;
		wait_mutex_unlock(&lock);
	}
	return arg;
}

static void the_lock_lets_one_in(void **state)
{
	pthread_t thread[3];
	unsigned int i;

	(void)state;
	for (i = 0; i < 3; i++)
		assert_ok(pthread_create(&thread[i], NULL, count_locked, NULL));
	for (i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(nr_locked, 3 * LOCK_ROUNDS);
}

/* ------------------------------------------------ a process's life */

struct life_thread {
	bool is_first;
	uint32_t life;
};

static void *begin_life(void *arg)
{
	struct life_thread *t = arg;

	t->is_first = wait_life_claim();
	if (t->is_first)
		wait_life_begin(7);
	t->life = wd_load_acquire(wait_life_word());
	return NULL;
}

/* In a child: the word is 0, whichever way it is looked at, and one thread begins anew. */
static int live_anew(const _Atomic uint32_t *seen)
{
	struct life_thread t[3];
	pthread_t thread[3];
	int i, nr_first = 0;

	if ((seen && *seen) || *wait_life_word())
		return 1;
	for (i = 0; i < 3; i++)
		if (pthread_create(&thread[i], NULL, begin_life, &t[i]))
			return 1;
	for (i = 0; i < 3; i++) {
		pthread_join(thread[i], NULL);
		nr_first += t[i].is_first;
		if (t[i].life != 7)
			return 1;
	}
	return nr_first != 1;
}

static int wait_for_child(pid_t pid)
{
	int status;

	return pid < 0 || waitpid(pid, &status, 0) != pid || status;
}

static void a_child_has_another_life(void **state)
{
	pid_t pid;

	(void)state;
	if (!t_forks_are_seen())
		skip();
	assert_true(wait_life_claim());
	wait_life_begin(3);
	assert_int_equal(*wait_life_word(), 3);
	assert_false(wait_life_claim());
	pid = fork();
	if (!pid) {
		const _Atomic uint32_t *life = wait_life_word();
		int failed = live_anew(life);

		/* And its child once more. */
		pid = failed ? -1 : fork();
		if (!pid)
			_exit(live_anew(life));
		_exit(wait_for_child(pid));
	}
	assert_ok(wait_for_child(pid));
	assert_int_equal(*wait_life_word(), 3);
}

/* A kernel before 4.14, as far as madvise() goes. */
static int refuse_wipe_on_fork(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MADV_WIPEONFORK, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = 6, .filter = filter };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

/* Before anything has asked for the word: what the kernel says to that is kept. */
static void without_the_kernels_help_it_is_told_by_its_id(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (!pid) {
		if (refuse_wipe_on_fork())
			_exit(77);
		if (!wait_life_claim())
			_exit(1);
		wait_life_begin(3);
		pid = fork();
		if (!pid)
			_exit(live_anew(NULL));
		_exit(wait_for_child(pid) || *wait_life_word() != 3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rings_wrap_at_any_depth),
		cmocka_unit_test(bytes_have_an_order),
		cmocka_unit_test(sums_are_zlibs),
		cmocka_unit_test(who_parks_is_woken),
		cmocka_unit_test(the_lock_lets_one_in),
		cmocka_unit_test(without_the_kernels_help_it_is_told_by_its_id),
		cmocka_unit_test(a_child_has_another_life),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

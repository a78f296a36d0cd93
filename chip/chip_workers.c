/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Worker threads that run chip queues: round robin, a budget per queue and
 * turn.  The list of queues is replaced, never changed.  Each list has a
 * generation; a worker says which it has seen before it looks at the list, so
 * what was replaced is free once every worker has seen a newer one or sleeps.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/barrier.h"
#include "base/compiler.h"
#include "base/wait.h"
#include "chip/chip.h"

#define BUDGET_DEFAULT	16u
#define SPINS_PER_CLOCK 64u /* idle rounds between two looks at the clock, which costs 25 ns */
#define ASLEEP		0u  /* seen: the worker holds no list */

struct queue_list {
	struct queue_list *next_retired;
	unsigned int nr;
	struct chip_queue *queue[];
};

struct worker {
	struct chip_workers *pool;
	unsigned int number;
	struct wait_thread thread;
	BASE_ALIGNED(BASE_CACHE_LINE) _Atomic uint32_t seen; /* generation in use, or ASLEEP */
};

struct chip_workers {
	struct chip_workers_config config;
	struct wait_mutex lock; /* changes of the list */
	_Atomic(struct queue_list *) list;
	_Atomic uint32_t generation;  /* of list, stored after it; 1 and up */
	struct queue_list *spare;     /* as much room as list: removal must not fail */
	struct queue_list *retired;   /* replaced, perhaps still in use */
	_Atomic uint32_t is_changing; /* somebody waits: leave after the request at hand */
	_Atomic uint32_t is_stopping;
	_Atomic uint32_t nr_sleeping;
	_Atomic uint32_t wake_seq; /* parked on; changed before each wake */
	unsigned int nr_started;
	struct worker worker[];
};

/* Runs each queue of @list once, beginning at @first.  Returns whether there was work. */
static bool run_all(struct chip_workers *pool, const struct queue_list *list, unsigned int first)
{
	const struct chip_pace pace = { .interrupt = &pool->is_changing };
	bool has_worked = false;
	unsigned int i;

	for (i = 0; i < list->nr && !wd_load_relaxed(&pool->is_changing); i++) {
		unsigned int k = first + i < list->nr ? first + i : first + i - list->nr;
		struct chip_queue *q = list->queue[k];

		if (q->chip->ops->queue_has_work(q) &&
		    q->chip->ops->queue_run(q, pool->config.budget, &pace) > 0)
			has_worked = true;
	}
	return has_worked;
}

static bool any_has_work(const struct queue_list *list)
{
	unsigned int i;

	for (i = 0; i < list->nr; i++)
		if (list->queue[i]->chip->ops->queue_has_work(list->queue[i]))
			return true;
	return false;
}

/* When the first of the queues that a delay holds back can go on. */
static uint64_t find_deadline(const struct queue_list *list)
{
	uint64_t deadline_ns = WAIT_FOREVER;
	unsigned int i;

	for (i = 0; i < list->nr; i++) {
		uint64_t due_ns = list->queue[i]->chip->ops->queue_due_ns(list->queue[i]);

		if (due_ns)
			deadline_ns = base_min_u64(deadline_ns, due_ns);
	}
	return deadline_ns;
}

/* Says which generation is seen, then picks up a list that is as new or newer. */
static struct queue_list *enter(struct worker *w)
{
	/* The last use of older lists comes before: pairs with is_behind(). */
	wd_store_release(&w->seen, wd_load_acquire(&w->pool->generation));
	/* seen, then list: pairs with replace_list_locked() */
	wd_full_mb();
	return wd_load_acquire(&w->pool->list);
}

static void sleep_until_kicked(struct worker *w, struct queue_list *list)
{
	struct chip_workers *pool = w->pool;
	uint32_t seq = wd_load_acquire(&pool->wake_seq);
	uint64_t deadline_ns;

	atomic_fetch_add(&pool->nr_sleeping, 1);
	/* announce the sleep, then look once more: pairs with chip_workers_kick() */
	wd_full_mb();
	if (!any_has_work(list) && !wd_load_acquire(&pool->is_stopping)) {
		/* Asked after the look: what came due in between is past, and wakes at once. */
		deadline_ns = find_deadline(list);
		wd_store_release(&w->seen, ASLEEP);
		wait_park(&pool->wake_seq, seq, deadline_ns);
	}
	atomic_fetch_sub(&pool->nr_sleeping, 1);
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	struct chip_workers *pool = w->pool;
	struct queue_list *list = enter(w);
	uint64_t idle_since = 0;
	unsigned int first = w->number;
	unsigned int spins = 0;

	while (!wd_load_acquire(&pool->is_stopping)) {
		if (wd_load_acquire(&pool->generation) != wd_load_relaxed(&w->seen))
			list = enter(w);
		if (list->nr && run_all(pool, list, first % list->nr)) {
			first++;
			idle_since = 0;
			spins = 0;
			continue;
		}
		wd_cpu_relax();
		if (++spins % SPINS_PER_CLOCK)
			continue;
		if (!idle_since)
			idle_since = wait_clock_ns();
		if (wait_clock_ns() - idle_since < pool->config.spin_ns)
			continue;
		sleep_until_kicked(w, list);
		list = enter(w);
		idle_since = 0;
	}
	wd_store_release(&w->seen, ASLEEP);
	return NULL;
}

void chip_workers_kick(struct chip_workers *pool)
{
	if (pool->config.spin_ns == WAIT_FOREVER)
		return;
	/* the doorbell's store, then nr_sleeping: pairs with sleep_until_kicked() */
	wd_full_mb();
	if (base_likely(!wd_load_relaxed(&pool->nr_sleeping)))
		return;
	atomic_fetch_add(&pool->wake_seq, 1);
	wait_wake(&pool->wake_seq);
}

/* Whether a worker may still use a list older than the current one. */
static bool is_behind(const struct chip_workers *pool, unsigned int i)
{
	/* pairs with the release of ASLEEP, and with enter() */
	uint32_t seen = wd_load_acquire(&pool->worker[i].seen);

	return seen != ASLEEP && seen != wd_load_relaxed(&pool->generation);
}

static void free_retired_locked(struct chip_workers *pool)
{
	while (pool->retired) {
		struct queue_list *list = pool->retired;

		pool->retired = list->next_retired;
		free(list);
	}
}

/* Frees what was replaced if no worker can be using it; does not wait. */
static void try_free_retired_locked(struct chip_workers *pool)
{
	unsigned int i;

	/* the generation of the last change, then seen: pairs with enter() */
	wd_full_mb();
	for (i = 0; i < pool->nr_started; i++)
		if (is_behind(pool, i))
			return;
	free_retired_locked(pool);
}

/* Makes @list the current one; the old one is retired. */
static void replace_list_locked(struct chip_workers *pool, struct queue_list *list)
{
	struct queue_list *old = wd_load_relaxed(&pool->list);
	uint32_t generation = wd_load_relaxed(&pool->generation) + 1;

	wd_store_release(&pool->list, list);
	wd_store_release(&pool->generation, generation ? generation : 1);
	/* list and generation, then seen: pairs with enter() */
	wd_full_mb();
	old->next_retired = pool->retired;
	pool->retired = old;
}

int chip_workers_add(struct chip_workers *pool, struct chip_queue *queue)
{
	struct queue_list *old, *list, *spare;
	size_t bytes;
	int err = -ENOMEM;

	wait_mutex_lock(&pool->lock);
	try_free_retired_locked(pool);
	old = wd_load_relaxed(&pool->list);
	bytes = sizeof(*list) + (old->nr + 1) * sizeof(list->queue[0]);
	list = malloc(bytes);
	spare = malloc(bytes);
	if (!list || !spare) {
		free(list);
		free(spare);
		goto out_unlock;
	}
	list->nr = old->nr + 1;
	memcpy(list->queue, old->queue, old->nr * sizeof(list->queue[0]));
	list->queue[old->nr] = queue;
	replace_list_locked(pool, list);
	free(pool->spare);
	pool->spare = spare;
	err = 0;
out_unlock:
	wait_mutex_unlock(&pool->lock);
	if (!err)
		chip_workers_kick(pool);
	return err;
}

void chip_workers_remove(struct chip_workers *pool, struct chip_queue *queue)
{
	struct queue_list *old, *list;
	unsigned int i, n = 0;

	wait_mutex_lock(&pool->lock);
	old = wd_load_relaxed(&pool->list);
	list = pool->spare;
	for (i = 0; i < old->nr; i++)
		if (old->queue[i] != queue)
			list->queue[n++] = old->queue[i];
	list->nr = n;
	replace_list_locked(pool, list);
	wd_store_relaxed(&pool->is_changing, 1);
	for (i = 0; i < pool->nr_started; i++)
		while (is_behind(pool, i))
			wait_yield();
	wd_store_relaxed(&pool->is_changing, 0);
	/* Nobody uses the old list now, and it has room enough to be the next spare one. */
	pool->retired = old->next_retired;
	pool->spare = old;
	free_retired_locked(pool);
	wait_mutex_unlock(&pool->lock);
}

int chip_workers_create(const struct chip_workers_config *config, struct chip_workers **ret_workers)
{
	struct chip_workers *pool;
	struct queue_list *list;
	unsigned int i;
	int err = -ENOMEM;

	pool = aligned_alloc(
		BASE_CACHE_LINE,
		base_align_up(sizeof(*pool) + config->nr_threads * sizeof(pool->worker[0]),
			      BASE_CACHE_LINE));
	if (!pool)
		return -ENOMEM;
	memset(pool, 0, sizeof(*pool) + config->nr_threads * sizeof(pool->worker[0]));
	pool->config = *config;
	if (!pool->config.budget)
		pool->config.budget = BUDGET_DEFAULT;
	list = calloc(1, sizeof(*list));
	if (!list)
		goto out_free;
	wd_store_relaxed(&pool->generation, 1);
	wd_store_relaxed(&pool->list, list);
	for (i = 0; i < config->nr_threads; i++) {
		pool->worker[i].pool = pool;
		pool->worker[i].number = i;
		err = wait_thread_start(&pool->worker[i].thread, worker_main, &pool->worker[i]);
		if (err)
			goto out_stop;
		pool->nr_started++;
	}
	*ret_workers = pool;
	return 0;

out_stop:
	chip_workers_destroy(pool);
	return err;
out_free:
	free(pool);
	return err;
}

void chip_workers_stop(struct chip_workers *pool)
{
	unsigned int i;

	wd_store_release(&pool->is_stopping, 1);
	wait_mutex_lock(&pool->lock);
	/* Who is at a queue leaves it after the request at hand, not after its turn. */
	wd_store_relaxed(&pool->is_changing, 1);
	atomic_fetch_add(&pool->wake_seq, 1);
	wait_wake(&pool->wake_seq);
	for (i = 0; i < pool->nr_started; i++)
		wait_thread_join(&pool->worker[i].thread);
	pool->nr_started = 0;
	wait_mutex_unlock(&pool->lock);
}

void chip_workers_destroy(struct chip_workers *pool)
{
	if (!pool)
		return;
	chip_workers_stop(pool);
	free_retired_locked(pool);
	free(wd_load_relaxed(&pool->list));
	free(pool->spare);
	free(pool);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Schedulers: their life, the routes they find, and the choice of a device for
 * each request.  Queues are in sched_queue.c.  The process's own scheduler hangs
 * off core's registry; others are their openers'.
 */
#include "alg/sched.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "alg/probe.h"
#include "alg/session.h"
#include "base/barrier.h"
#include "base/compiler.h"
#include "core/config.h"

#define AWAY_NS	    1000000000ull /* how long a device that failed is left alone */
#define PROBE_SMALL 1024u
#define PROBE_LARGE 65536u

/* ---------------------------------------------------------------- life */

static int root_create(void **ret_root)
{
	struct wd_sched *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	s->root = s;
	s->opts.small_bytes = lane_config()->small_bytes;
	*ret_root = s;
	return 0;
}

static void free_routes(struct wd_sched *s)
{
	while (s->routes != NULL) {
		struct sched_route *r = s->routes;

		s->routes = r->next;
		free(r);
	}
}

/* Of the process's scheduler: nobody uses it, so it has no queues. */
static void root_destroy(void *root)
{
	struct wd_sched *s = root;

	free_routes(s);
	while (s->events != NULL) {
		struct sched_event *e = s->events;

		s->events = e->next;
		wait_event_fini(&e->event);
		free(e);
	}
	free(s);
}

static int check_sched_opts(const struct wd_sched_opts *opts)
{
	int ret = alg_opts_check(opts, opts->size, sizeof(*opts));

	if (ret != 0)
		return ret;
	if (opts->policy > WD_SCHED_CUSTOM || (opts->flags & ~WD_SCHED_F_NO_SPILL) != 0 ||
	    opts->small_bytes < -1)
		return -EINVAL;
	if ((opts->policy == WD_SCHED_NAMED) != (opts->devices != NULL) ||
	    (opts->policy == WD_SCHED_CUSTOM) != (opts->choose != NULL))
		return -EINVAL;
	return 0;
}

static int copy_names(struct wd_sched *s, const char *const *names)
{
	unsigned int i, n = 0;

	while (names[n] != NULL)
		n++;
	if (n == 0 || n > WD_SCHED_DEVICES_MAX)
		return -EINVAL;
	s->names = calloc(n, sizeof(*s->names));
	if (s->names == NULL)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		if (strlen(names[i]) >= sizeof(*s->names)) {
			free(s->names);
			return -EINVAL;
		}
		strcpy(s->names[i], names[i]);
	}
	s->nr_names = n;
	s->opts.devices = NULL; /* the caller's */
	return 0;
}

int wd_sched_open(const struct wd_sched_opts *opts, struct wd_sched **ret_sched)
{
	struct wd_sched *s;
	int ret;

	if (opts == NULL || ret_sched == NULL)
		return -EINVAL;
	ret = check_sched_opts(opts);
	if (ret != 0)
		return ret;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	s->opts = *opts;
	if (opts->devices != NULL) {
		ret = copy_names(s, opts->devices);
		if (ret != 0)
			goto out_free;
	}
	/* Keeps the library up, and devices the ones that the routes mean. */
	ret = sched_get(NULL, &s->root);
	if (ret != 0)
		goto out_names;
	s->nr_refs = 1;
	wd_store_relaxed(&s->life, lane_life());
	*ret_sched = s;
	return 0;

out_names:
	free(s->names);
out_free:
	free(s);
	return ret;
}

void wd_sched_close(struct wd_sched *sched)
{
	if (sched != NULL)
		sched_put(sched);
}

int sched_get(struct wd_sched *sched, struct wd_sched **ret_sched)
{
	void *root;
	int ret;

	if (sched == NULL) {
		ret = lane_root_get(root_create, root_destroy, &root);
		if (ret != 0)
			return ret;
		sched = root;
		wd_store_relaxed(&sched->life, lane_life());
	} else {
		ret = sched_renew(sched);
		if (ret != 0)
			return ret;
		wait_mutex_lock(&sched->lock);
		sched->nr_refs++;
		wait_mutex_unlock(&sched->lock);
	}
	*ret_sched = sched;
	return 0;
}

void sched_put(struct wd_sched *sched)
{
	bool is_last;

	if (sched->root == sched) {
		lane_root_put();
		return;
	}
	if (sched_renew(sched) != 0)
		return;
	wait_mutex_lock(&sched->lock);
	is_last = --sched->nr_refs == 0;
	wait_mutex_unlock(&sched->lock);
	if (!is_last)
		return;
	free_routes(sched);
	free(sched->names);
	free(sched);
	lane_root_put();
}

/* The parent's queues are not ours; its lock may be held by a thread that is not here. */
static void forget_queues(struct wd_sched *s)
{
	struct sched_route *r;
	unsigned int i;

	wd_store_relaxed(&s->lock.word, 0);
	for (r = s->routes; r != NULL; r = r->next) {
		for (i = 0; i < r->nr; i++) {
			struct sched_device *d = &r->devices[i];

			while (d->queues != NULL) {
				struct sched_queue *sq = d->queues;

				d->queues = sq->next;
				lane_forget(&sq->queue);
				free(sq);
			}
			d->nr_queues = 0;
			wd_store_relaxed(&d->away_until_ns, 0);
		}
	}
}

int sched_renew(struct wd_sched *s)
{
	uint32_t life = lane_life();
	uint32_t seen = wd_load_acquire(&s->life);
	int ret;

	if (base_likely(seen == life))
		return 0;
	/* One thread of the child does it; 0 says that it is at it. */
	if (seen == 0 || !atomic_compare_exchange_strong(&s->life, &seen, 0)) {
		while ((seen = wd_load_acquire(&s->life)) == 0)
			wait_yield();
		return seen == life ? 0 : -ENODEV;
	}
	forget_queues(s);
	ret = sched_get(NULL, &s->root);
	wd_store_release(&s->life, ret == 0 ? life : seen);
	return ret;
}

/* ---------------------------------------------------------------- events */

struct wait_event *sched_event_get(struct wd_sched *sched)
{
	struct wd_sched *root = sched->root;
	struct sched_event *e;

	wait_mutex_lock(&root->lock);
	e = root->events;
	if (e != NULL)
		root->events = e->next;
	wait_mutex_unlock(&root->lock);
	if (e == NULL)
		e = calloc(1, sizeof(*e));
	return e != NULL ? &e->event : NULL;
}

void sched_event_put(struct wd_sched *sched, struct wait_event *ev)
{
	struct wd_sched *root = sched->root;
	struct sched_event *e;

	if (ev == NULL)
		return;
	e = base_container_of(ev, struct sched_event, event);
	wait_mutex_lock(&root->lock);
	e->next = root->events;
	root->events = e;
	wait_mutex_unlock(&root->lock);
}

/* ---------------------------------------------------------------- routes */

static bool is_same_work(const struct wd_capa *a, const struct wd_capa *b)
{
	return a->op == b->op && a->flags == b->flags && a->throughput == b->throughput &&
	       a->latency == b->latency && a->numa_node == b->numa_node &&
	       strcmp(a->alg, b->alg) == 0;
}

/* NAMED: the scheduler's devices in its order.  Returns how many are left. */
static unsigned int keep_named(const struct wd_sched *s, struct lane_device *found, unsigned int nr)
{
	struct lane_device kept[WD_SCHED_DEVICES_MAX];
	unsigned int i, k, n = 0;

	for (i = 0; i < s->nr_names; i++)
		for (k = 0; k < nr; k++)
			if (strcmp(found[k].name, s->names[i]) == 0)
				kept[n++] = found[k];
	memcpy(found, kept, n * sizeof(kept[0]));
	return n;
}

/* Among those at the same distance, the more capable first. */
static void sort_capable(struct lane_device *found, unsigned int nr)
{
	unsigned int i, k;

	for (i = 1; i < nr; i++) {
		struct lane_device d = found[i];

		for (k = i; k > 0 && found[k - 1].is_near == d.is_near &&
			    found[k - 1].throughput < d.throughput;
		     k--)
			found[k] = found[k - 1];
		found[k] = d;
	}
}

static int route_find(struct wd_sched *s, struct sched_route *r)
{
	struct lane_device found[LANE_DEVICES_MAX];
	int n = lane_find_devices(&r->capa, r->device, found, LANE_DEVICES_MAX);
	unsigned int i, nr;

	if (n < 0)
		return n;
	nr = (unsigned int)n;
	if (s->opts.policy == WD_SCHED_NAMED)
		nr = keep_named(s, found, nr);
	else if (s->opts.policy == WD_SCHED_NEAREST)
		sort_capable(found, nr);
	r->nr = base_min_u32(nr, WD_SCHED_DEVICES_MAX);
	for (i = 0; i < r->nr; i++)
		r->devices[i].lane = found[i];
	return r->nr > 0 ? 0 : -ENODEV;
}

static int route_add_locked(struct wd_sched *s, const struct wd_capa *capa, const char *device,
			    struct sched_route **ret_route)
{
	struct sched_route *r = calloc(1, sizeof(*r));
	int ret;

	if (r == NULL)
		return -ENOMEM;
	strcpy(r->alg, capa->alg);
	strcpy(r->device, device);
	r->capa = *capa;
	r->capa.alg = r->alg;
	r->sched = s;
	ret = route_find(s, r);
	if (ret != 0) {
		free(r);
		return ret;
	}
	r->next = s->routes;
	s->routes = r;
	*ret_route = r;
	return 0;
}

int sched_route(struct wd_sched *sched, const struct wd_capa *capa, const char *device,
		struct sched_route **ret_route)
{
	struct sched_route *r;
	int ret = 0;

	if (capa->alg == NULL || strlen(capa->alg) >= SCHED_ALG_MAX ||
	    strlen(device) >= WD_DEVICE_NAME_MAX)
		return -EINVAL;
	wait_mutex_lock(&sched->lock);
	for (r = sched->routes; r != NULL; r = r->next)
		if (is_same_work(&r->capa, capa) && strcmp(r->device, device) == 0)
			break;
	if (r == NULL)
		ret = route_add_locked(sched, capa, device, &r);
	wait_mutex_unlock(&sched->lock);
	if (ret == 0)
		*ret_route = r;
	return ret;
}

/* ---------------------------------------------------------------- costs */

/* Whether some devices are here and others are not: else size decides nothing. */
static bool is_size_of_matter(struct sched_route *r)
{
	unsigned int i, nr_here = 0;

	for (i = 0; i < r->nr; i++)
		nr_here += r->devices[i].lane.is_here;
	return nr_here > 0 && nr_here < r->nr &&
	       (r->sched->opts.flags & WD_SCHED_F_NO_SPILL) == 0 && r->sched->opts.small_bytes < 0;
}

static void measure_device(struct sched_route *r, struct sched_device *d, sched_probe *probe)
{
	uint64_t small_ns, large_ns;

	if (probe(r, d, PROBE_SMALL, &small_ns) != 0 || probe(r, d, PROBE_LARGE, &large_ns) != 0)
		return;
	d->cost.ns_per_kib = large_ns > small_ns ?
				     (large_ns - small_ns) / ((PROBE_LARGE - PROBE_SMALL) / 1024) :
				     0;
	d->cost.fixed_ns = small_ns > d->cost.ns_per_kib ? small_ns - d->cost.ns_per_kib : 0;
	d->cost.is_known = true;
}

void sched_measure(struct sched_route *r, sched_probe *probe)
{
	unsigned int i;

	/* pairs with the release below */
	if (base_likely(wd_load_acquire(&r->is_measured)))
		return;
	wait_mutex_lock(&r->sched->lock);
	if (!wd_load_relaxed(&r->is_measured)) {
		for (i = 0; i < r->nr && is_size_of_matter(r); i++)
			measure_device(r, &r->devices[i], probe);
		/* the costs before who reads them without the lock */
		wd_store_release(&r->is_measured, 1);
	}
	wait_mutex_unlock(&r->sched->lock);
}

static uint64_t cost_of(const struct sched_device *d, size_t bytes)
{
	return d->cost.fixed_ns + bytes / 1024 * d->cost.ns_per_kib;
}

/* ---------------------------------------------------------------- choice */

static bool is_away(const struct sched_device *d)
{
	uint64_t until = wd_load_relaxed(&d->away_until_ns);

	return base_unlikely(until != 0) && wait_clock_ns() < until;
}

void sched_note_failed(struct sched_route *route, unsigned int device)
{
	struct sched_device *d = &route->devices[device];

	wd_store_relaxed(&d->away_until_ns, wait_clock_ns() + AWAY_NS);
}

void sched_note_sent(struct sched_route *route, unsigned int device)
{
	struct sched_device *d = &route->devices[device];

	/* For people and policies to look at: senders of one moment may be counted as one. */
	wd_store_relaxed(&d->nr_sent, wd_load_relaxed(&d->nr_sent) + 1);
}

static void fill_candidate(struct sched_route *r, unsigned int i, size_t bytes, sched_set full,
			   const uint32_t *in_flight, struct wd_candidate *c)
{
	const struct sched_device *d = &r->devices[i];

	*c = (struct wd_candidate){
		.device_id = d->lane.id,
		.flags = (d->lane.is_here ? WD_CANDIDATE_F_HERE : 0) |
			 (full >> i & 1 ? WD_CANDIDATE_F_BUSY : 0) |
			 (is_away(d) ? WD_CANDIDATE_F_AWAY : 0) |
			 (d->lane.is_near ? WD_CANDIDATE_F_NEAR : 0) |
			 (d->cost.is_known ? WD_CANDIDATE_F_COST : 0),
		.in_flight = in_flight != NULL ? in_flight[i] : 0,
		.cost_ns = d->cost.is_known ? cost_of(d, bytes) : 0,
		.sent = wd_load_relaxed(&d->nr_sent),
	};
}

static unsigned int choose_custom(struct sched_route *r, size_t bytes, sched_set full,
				  const uint32_t *in_flight)
{
	struct wd_candidate candidates[WD_SCHED_DEVICES_MAX];
	unsigned int i, choice;

	for (i = 0; i < r->nr; i++)
		fill_candidate(r, i, bytes, full, in_flight, &candidates[i]);
	choice = r->sched->opts.choose(r->sched->opts.arg, bytes, candidates, r->nr);
	return choice < r->nr ? choice : 0;
}

/*
 * The policy's word, whatever state the device is in.  A turn is taken once for a
 * request; a program that chooses is asked again, knowing what is full.
 */
static unsigned int first_choice(struct sched_route *r, size_t bytes, sched_set full,
				 const uint32_t *in_flight, unsigned int before)
{
	switch (r->sched->opts.policy) {
	case WD_SCHED_ROUND_ROBIN:
		if (before != SCHED_ANEW)
			return before;
		return atomic_fetch_add_explicit(&r->sched->turn, 1, memory_order_relaxed) % r->nr;
	case WD_SCHED_CUSTOM:
		return choose_custom(r, bytes, full, in_flight);
	default:
		return 0;
	}
}

/* Whether @other does a request of this size at less cost than @first, which is elsewhere. */
static bool is_better_here(struct sched_route *r, unsigned int first, unsigned int other,
			   size_t bytes)
{
	const struct sched_device *a = &r->devices[first], *b = &r->devices[other];

	if (a->lane.is_here || !b->lane.is_here)
		return false;
	if (r->sched->opts.small_bytes >= 0)
		return bytes <= (size_t)r->sched->opts.small_bytes;
	return a->cost.is_known && b->cost.is_known && cost_of(b, bytes) < cost_of(a, bytes);
}

static BASE_COLD int choose_among(struct sched_route *r, size_t bytes, sched_set full,
				  sched_set avoid, const uint32_t *in_flight, unsigned int *before)
{
	unsigned int first = first_choice(r, bytes, full, in_flight, *before);
	unsigned int i;
	int best = -1;
	int best_rank = 0;

	if (*before == SCHED_ANEW)
		*before = first;
	if (r->sched->opts.flags & WD_SCHED_F_NO_SPILL)
		return full >> first & 1 ? -1 : (int)first;
	for (i = 0; i < r->nr; i++) {
		unsigned int k = first + i < r->nr ? first + i : first + i - r->nr;
		int rank;

		if (full >> k & 1)
			continue;
		/* Each reason weighs more than all after it. */
		rank = 1 + (avoid >> k & 1 ? 0 : 8) + (is_away(&r->devices[k]) ? 0 : 4) +
		       (is_better_here(r, first, k, bytes) ? 2 : 0) + (k == first);
		if (rank > best_rank) {
			best = (int)k;
			best_rank = rank;
		}
	}
	return best;
}

int sched_choose(struct sched_route *route, size_t bytes, sched_set full, sched_set avoid,
		 const uint32_t *in_flight, unsigned int *first)
{
	if (base_likely(route->nr == 1)) {
		*first = 0;
		return full ? -1 : 0;
	}
	return choose_among(route, bytes, full, avoid, in_flight, first);
}

int wd_sched_explain(struct wd_sched *sched, const struct wd_capa *capa, size_t bytes,
		     struct wd_candidate *candidates, unsigned int nr, unsigned int *ret_chosen,
		     unsigned int *ret_taken)
{
	struct sched_route *route;
	unsigned int i, first = SCHED_ANEW;
	int ret, taken;

	if (capa == NULL || (candidates == NULL && nr > 0) || ret_chosen == NULL ||
	    ret_taken == NULL)
		return -EINVAL;
	ret = sched_get(sched, &sched);
	if (ret != 0)
		return ret;
	ret = sched_route(sched, capa, "", &route);
	if (ret != 0)
		goto out_put;
	sched_measure(route, alg_probe);
	taken = sched_choose(route, bytes, 0, 0, NULL, &first);
	for (i = 0; i < route->nr && i < nr; i++)
		fill_candidate(route, i, bytes, 0, NULL, &candidates[i]);
	*ret_chosen = first;
	*ret_taken = taken < 0 ? first : (unsigned int)taken;
	ret = (int)route->nr;
out_put:
	sched_put(sched);
	return ret;
}

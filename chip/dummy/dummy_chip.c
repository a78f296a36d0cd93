/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The model of the dummy machine (hw/dummy_hw.h), written to be copied: queues
 * at the top, then doorbells, fetching, serving and answering.
 *
 * The device can hold a limited number of descriptors.  One entry belongs to
 * each queue, the others are shared; a descriptor that finds none is answered
 * "retry".  So a queue that keeps trying always gets on, whatever others do.
 * Of those held, small ones are served before large ones, in turn of slots.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/barrier.h"
#include "base/compiler.h"
#include "base/wait.h"
#include "chip/chip_trace.h"
#include "chip/dummy/dummy_memop.h"
#include "uapi/wd_dummy.h"

#define QUEUES_DEFAULT 64u
#define QUEUES_MAX     1024u
#define SLOTS_DEFAULT  256u
#define SMALL_BYTES    4096u /* a descriptor up to this length overtakes larger ones, */
#define SMALL_STREAK   8u    /* but only so many before a larger one gets its turn */

enum dummy_queue_state {
	DUMMY_QUEUE_OPEN = 0,
	DUMMY_QUEUE_STARTED = 1,
	DUMMY_QUEUE_STOPPED = 2, /* by its owner, reset or fault; only close is left */
};

enum dummy_class {
	DUMMY_SMALL = 0,
	DUMMY_LARGE = 1,
	DUMMY_CLASSES = 2,
};

/* Descriptors of one class that the device holds, and where its turn is. */
struct dummy_held {
	uint32_t nr;
	uint32_t turn; /* the slot to look at first */
	uint64_t slots[DUMMY_GROUPS_MAX];
};

#define ARMED	   (1ull << 32)
#define HEAD_BYTES sizeof(uint64_t) /* of a record: what is stored last */

struct dummy_queue {
	struct chip_queue base;
	struct dummy_chip *dummy;
	uint32_t number;
	uint32_t nr_groups;
	uint64_t dus_addr;	/* 0: not bound */
	_Atomic uint32_t state; /* enum dummy_queue_state */
	_Atomic uint64_t armed; /* 0, or ARMED and the number of answers taken */

	/* Written by doorbells, and apart: what the runner polls, and what it does not. */
	BASE_ALIGNED(2 * BASE_CACHE_LINE) _Atomic uint64_t submitted[DUMMY_GROUPS_MAX];
	BASE_ALIGNED(2 * BASE_CACHE_LINE) _Atomic uint64_t nr_doorbells;
	_Atomic uint64_t nr_bad_doorbells;

	/* Owned by the one runner, who holds is_running; atomics are read by others to look. */
	BASE_ALIGNED(2 * BASE_CACHE_LINE) _Atomic uint32_t is_running;
	_Atomic uint32_t nr_held;
	_Atomic uint32_t nr_answered;
	uint32_t fetch_turn; /* the slot to fetch first */
	uint32_t nr_entries; /* shared ones taken, besides the queue's own */
	uint32_t streak;     /* small ones served in a row while a large one waited */
	_Atomic uint64_t fetched[DUMMY_GROUPS_MAX]; /* submission bits acted upon */
	uint64_t done[DUMMY_GROUPS_MAX];	    /* DONE words as last written */
	struct dummy_held held[DUMMY_CLASSES];
	_Atomic uint64_t nr_requests;
	_Atomic uint64_t nr_completions;
	_Atomic uint64_t nr_errors;
	_Atomic uint64_t nr_refused;
	_Atomic uint64_t nr_events;
	_Atomic uint64_t nr_bytes_in;
	_Atomic uint64_t nr_bytes_out;

	uint8_t bounce[DUMMY_PAGE_BYTES];
	struct dummy_desc desc[]; /* by slot: the copies that were checked and are used */
};

struct dummy_chip {
	struct chip base;
	struct dma_space dma;
	uint32_t nr_queues;
	uint32_t nr_slots;
	_Atomic uint32_t nr_free_entries;
	struct wait_mutex lock; /* queue table, totals of closed queues */
	struct chip_counters closed;
	struct dummy_queue *queue[]; /* by number */
};

static struct dummy_chip *to_dummy(struct chip *chip)
{
	return base_container_of(chip, struct dummy_chip, base);
}

static struct dummy_queue *to_queue(struct chip_queue *queue)
{
	return base_container_of(queue, struct dummy_queue, base);
}

/* Counters of one writer: no locked instruction, and readers see whole values. */
static void count(_Atomic uint64_t *counter, uint64_t n)
{
	wd_store_relaxed(counter, wd_load_relaxed(counter) + n);
}

/* ---- the chip and its queues */

static int dummy_chip_create(const struct chip_model *model, const struct chip_config *config,
			     struct chip **ret_chip)
{
	uint32_t nr_queues = config->nr_queues ? config->nr_queues : QUEUES_DEFAULT;
	uint32_t nr_slots = config->depth ? config->depth : SLOTS_DEFAULT;
	struct dummy_chip *dummy;
	int err;

	if (nr_queues > QUEUES_MAX)
		return -EINVAL;
	/* The owner may wish the same of all its chips. */
	nr_slots = base_min_u32(nr_slots, DUMMY_SLOTS_MAX);
	dummy = calloc(1, sizeof(*dummy) + nr_queues * sizeof(dummy->queue[0]));
	if (!dummy)
		return -ENOMEM;
	dummy->base.ops = model->ops;
	dummy->base.config = *config;
	dummy->dma = (struct dma_space){ .dma = &dummy->base.config.dma, .owner = config->owner };
	dummy->nr_queues = nr_queues;
	dummy->nr_slots = nr_slots;
	/* One queue alone is never refused; two busy ones are. */
	wd_store_relaxed(&dummy->nr_free_entries, nr_slots);
	err = chip_trace_init(&dummy->base);
	if (err) {
		free(dummy);
		return err;
	}
	*ret_chip = &dummy->base;
	return 0;
}

static void dummy_chip_destroy(struct chip *chip)
{
	chip_trace_fini(chip);
	free(to_dummy(chip));
}

static int dummy_chip_free_queues(struct chip *chip)
{
	struct dummy_chip *dummy = to_dummy(chip);
	uint32_t i;
	int n = 0;

	wait_mutex_lock(&dummy->lock);
	for (i = 0; i < dummy->nr_queues; i++)
		n += !dummy->queue[i];
	wait_mutex_unlock(&dummy->lock);
	return n;
}

static void add_counters(const struct dummy_queue *q, struct chip_counters *sum)
{
	sum->doorbells += wd_load_relaxed(&q->nr_doorbells);
	sum->bad_doorbells += wd_load_relaxed(&q->nr_bad_doorbells);
	sum->requests += wd_load_relaxed(&q->nr_requests);
	sum->completions += wd_load_relaxed(&q->nr_completions);
	sum->errors += wd_load_relaxed(&q->nr_errors);
	sum->refused += wd_load_relaxed(&q->nr_refused);
	sum->events += wd_load_relaxed(&q->nr_events);
	sum->bytes_in += wd_load_relaxed(&q->nr_bytes_in);
	sum->bytes_out += wd_load_relaxed(&q->nr_bytes_out);
}

static void dummy_chip_counters(struct chip *chip, struct chip_counters *ret_counters)
{
	struct dummy_chip *dummy = to_dummy(chip);
	uint32_t i;

	wait_mutex_lock(&dummy->lock);
	*ret_counters = dummy->closed;
	for (i = 0; i < dummy->nr_queues; i++)
		if (dummy->queue[i])
			add_counters(dummy->queue[i], ret_counters);
	wait_mutex_unlock(&dummy->lock);
}

static int dummy_queue_open(struct chip *chip, void *queue_owner, struct chip_queue **ret_queue)
{
	struct dummy_chip *dummy = to_dummy(chip);
	struct dummy_queue *q;
	size_t bytes;
	uint32_t i;
	int err = -EBUSY;

	bytes = base_align_up(sizeof(*q) + dummy->nr_slots * sizeof(q->desc[0]),
			      _Alignof(struct dummy_queue));
	q = aligned_alloc(_Alignof(struct dummy_queue), bytes);
	if (!q)
		return -ENOMEM;
	memset(q, 0, bytes);
	q->base.chip = chip;
	q->base.owner = queue_owner;
	q->dummy = dummy;
	q->nr_groups = (dummy->nr_slots + DUMMY_GROUP - 1) / DUMMY_GROUP;
	wait_mutex_lock(&dummy->lock);
	for (i = 0; i < dummy->nr_queues && err; i++) {
		if (dummy->queue[i])
			continue;
		q->number = i;
		dummy->queue[i] = q;
		err = 0;
	}
	wait_mutex_unlock(&dummy->lock);
	if (err) {
		free(q);
		return err;
	}
	*ret_queue = &q->base;
	return 0;
}

static void dummy_queue_close(struct chip_queue *queue)
{
	struct dummy_queue *q = to_queue(queue);
	struct dummy_chip *dummy = q->dummy;

	wait_mutex_lock(&dummy->lock);
	dummy->queue[q->number] = NULL;
	add_counters(q, &dummy->closed);
	wait_mutex_unlock(&dummy->lock);
	free(q);
}

static void dummy_queue_layout(struct chip_queue *queue, struct chip_queue_layout *ret_layout)
{
	size_t slots_bytes = (size_t)to_queue(queue)->dummy->nr_slots * DUMMY_DESC_BYTES;

	ret_layout->mmio_bytes = DUMMY_MMIO_BYTES;
	ret_layout->dus_bytes = base_align_up(DUMMY_DUS_SLOTS + slots_bytes, DUMMY_PAGE_BYTES);
}

static int dummy_queue_bind(struct chip_queue *queue, uint64_t addr, size_t bytes)
{
	struct dummy_queue *q = to_queue(queue);
	struct chip_queue_layout layout;

	dummy_queue_layout(queue, &layout);
	if (!addr || addr % DUMMY_DESC_BYTES || addr + bytes < addr || bytes < layout.dus_bytes ||
	    wd_load_relaxed(&q->state) != DUMMY_QUEUE_OPEN)
		return -EINVAL;
	q->dus_addr = addr;
	return 0;
}

static int dummy_queue_control(struct chip_queue *queue, unsigned long cmd, void *param)
{
	struct wd_dummy_info *info = param;

	if (cmd != WD_DUMMY_CMD_GET_INFO)
		return -EINVAL;
	*info = (struct wd_dummy_info){ .nr_slots = to_queue(queue)->dummy->nr_slots };
	return 0;
}

static int dummy_queue_start(struct chip_queue *queue)
{
	struct dummy_queue *q = to_queue(queue);
	int err = -EINVAL;

	wait_mutex_lock(&q->dummy->lock);
	if (q->dus_addr && wd_load_relaxed(&q->state) == DUMMY_QUEUE_OPEN) {
		/* what bind set, for whoever runs the queue: pairs with is_started() */
		wd_store_release(&q->state, DUMMY_QUEUE_STARTED);
		chip_trace_add(queue->chip, CHIP_EVENT_START, q->number, 0, 0);
		err = 0;
	}
	wait_mutex_unlock(&q->dummy->lock);
	return err;
}

static bool is_started(const struct dummy_queue *q)
{
	/* pairs with dummy_queue_start() */
	return wd_load_acquire(&q->state) == DUMMY_QUEUE_STARTED;
}

/* ---- who runs a queue */

static bool try_run(struct dummy_queue *q)
{
	if (!wd_load_relaxed(&q->is_running) &&
	    !atomic_exchange_explicit(&q->is_running, 1, memory_order_acquire))
		return true;
	/*
	 * Our doorbell's store, then is_running: the runner either is gone now, or
	 * will see the doorbell after it has left; pairs with end_run()
	 */
	wd_full_mb();
	return !atomic_exchange_explicit(&q->is_running, 1, memory_order_acquire);
}

static void end_run(struct dummy_queue *q)
{
	/* all that a runner owns, for the next one: pairs with try_run() */
	wd_store_release(&q->is_running, 0);
	/* is_running and nr_answered, then submitted and armed: see try_run() and arm() */
	wd_full_mb();
}

static void give_entries_back(struct dummy_queue *q)
{
	uint32_t nr_held = wd_load_relaxed(&q->nr_held);
	uint32_t nr_needed = nr_held ? nr_held - 1 : 0;

	if (q->nr_entries <= nr_needed)
		return;
	atomic_fetch_add_explicit(&q->dummy->nr_free_entries, q->nr_entries - nr_needed,
				  memory_order_relaxed);
	q->nr_entries = nr_needed;
}

/* By the runner: nothing is begun any more, and what was held is dropped. */
static void drop_all(struct dummy_queue *q)
{
	wd_store_relaxed(&q->state, DUMMY_QUEUE_STOPPED);
	wd_store_relaxed(&q->nr_held, 0);
	memset(q->held, 0, sizeof(q->held));
	give_entries_back(q);
}

static void report_event(struct dummy_queue *q)
{
	struct chip *chip = q->base.chip;

	atomic_fetch_add_explicit(&q->nr_events, 1, memory_order_relaxed);
	chip_trace_add(chip, CHIP_EVENT_RAISE, q->number, 0, 0);
	if (chip->config.raise)
		chip->config.raise(chip->config.owner, q->base.owner);
}

/* By the runner: ends the queue for its user, who may be asleep. */
static void end_queue(struct dummy_queue *q, uint32_t dus_state)
{
	drop_all(q);
	/* An area that cannot be reached cannot be told: its user finds out by its time-out. */
	dma_store_release_le32(&q->dummy->dma, q->dus_addr + DUMMY_DUS_STATE, dus_state);
	report_event(q);
}

static void dummy_queue_stop(struct chip_queue *queue)
{
	struct dummy_queue *q = to_queue(queue);

	/* A runner leaves after the request it is at. */
	wd_store_relaxed(&q->state, DUMMY_QUEUE_STOPPED);
	while (!try_run(q))
		wait_yield();
	drop_all(q);
	chip_trace_add(queue->chip, CHIP_EVENT_STOP, q->number, 0, 0);
	end_run(q);
}

static void dummy_chip_reset(struct chip *chip)
{
	struct dummy_chip *dummy = to_dummy(chip);
	uint32_t i, state;

	wait_mutex_lock(&dummy->lock);
	chip_trace_add(chip, CHIP_EVENT_RESET, 0, 0, 0);
	for (i = 0; i < dummy->nr_queues; i++) {
		struct dummy_queue *q = dummy->queue[i];

		if (!q)
			continue;
		state = atomic_exchange_explicit(&q->state, DUMMY_QUEUE_STOPPED,
						 memory_order_acquire);
		if (state != DUMMY_QUEUE_STARTED)
			continue;
		while (!try_run(q))
			wait_yield();
		end_queue(q, DUMMY_STATE_RESET);
		end_run(q);
	}
	wait_mutex_unlock(&dummy->lock);
}

/* ---- doorbells */

/* Reports an event that is due, once; the runner and an arming doorbell may both find it. */
static void check_armed(struct dummy_queue *q)
{
	uint64_t armed = wd_load_relaxed(&q->armed);

	if (base_likely(!armed) ||
	    (int32_t)(wd_load_relaxed(&q->nr_answered) - (uint32_t)armed) <= 0)
		return;
	if (atomic_compare_exchange_strong_explicit(&q->armed, &armed, 0, memory_order_relaxed,
						    memory_order_relaxed))
		report_event(q);
}

static void arm(struct dummy_queue *q, uint64_t value)
{
	wd_store_relaxed(&q->armed, ARMED | (uint32_t)value);
	/* armed, then nr_answered: pairs with end_run() */
	wd_full_mb();
	check_armed(q);
}

/* Bits of a SUBMIT register for which there are slots. */
static uint64_t group_mask(const struct dummy_queue *q, uint32_t group)
{
	uint32_t nr = q->dummy->nr_slots - group * DUMMY_GROUP;

	return nr >= DUMMY_GROUP ? UINT64_MAX : (1ull << nr) - 1;
}

static void dummy_queue_doorbell(struct chip_queue *queue, uint32_t offset, uint64_t value)
{
	struct dummy_queue *q = to_queue(queue);
	uint32_t group = (offset - DUMMY_REG_SUBMIT(0)) / sizeof(value);

	if (!is_started(q))
		goto out_bad;
	if (offset == DUMMY_REG_ARM) {
		arm(q, value);
	} else if (offset >= DUMMY_REG_SUBMIT(0) && offset % sizeof(value) == 0 &&
		   group < q->nr_groups && !(value & ~group_mask(q, group))) {
		/* the descriptors before their bits: pairs with fetch_all() */
		wd_store_release(&q->submitted[group], value);
	} else {
		goto out_bad;
	}
	count(&q->nr_doorbells, 1);
	chip_trace_add(queue->chip, CHIP_EVENT_DOORBELL, q->number, value, offset);
	return;

out_bad:
	count(&q->nr_bad_doorbells, 1);
}

/* The slots of group @g that were submitted and not fetched. */
static uint64_t find_flips(const struct dummy_queue *q, uint32_t g)
{
	/* pairs with the release in dummy_queue_doorbell() */
	return wd_load_acquire(&q->submitted[g]) ^ wd_load_relaxed(&q->fetched[g]);
}

static bool dummy_queue_has_work(struct chip_queue *queue)
{
	struct dummy_queue *q = to_queue(queue);
	bool has_work = wd_load_relaxed(&q->nr_held);
	uint32_t g;

	for (g = 0; g < q->nr_groups && !has_work; g++)
		has_work = find_flips(q, g);
	return has_work && is_started(q);
}

/* ---- answers */

/* Stores one aligned word that the user polls, after all that was written before it. */
static int store_release_le64(const struct dma_space *s, uint64_t addr, uint64_t value)
{
	_Atomic uint64_t *p = dma_map(s, addr, sizeof(value), true);

	value = htole64(value);
	if (!p)
		return dma_write(s, addr, &value, sizeof(value));
	/* pairs with the acquire of the driver's poll */
	wd_store_release(p, value);
	dma_unmap(s, p, sizeof(value), true);
	return 0;
}

static int write_record(const struct dma_space *s, const struct dummy_desc *desc,
			const struct dummy_answer *answer)
{
	struct dummy_record record = { .done = htole64(answer->done), .crc = htole32(answer->crc) };
	uint64_t addr = le64toh(desc->record);
	uint64_t head = answer->status | (uint64_t)answer->error << DUMMY_HEAD_ERROR_SHIFT |
			(uint64_t)le32toh(desc->tag) << DUMMY_HEAD_TAG_SHIFT;
	uint8_t *p;

	if (addr % DUMMY_RECORD_BYTES)
		return -EFAULT;
	p = dma_map(s, addr, sizeof(record), true);
	if (!p) {
		if (dma_write(s, addr + HEAD_BYTES, (uint8_t *)&record + HEAD_BYTES,
			      sizeof(record) - HEAD_BYTES))
			return -EFAULT;
		return store_release_le64(s, addr, head);
	}
	memcpy(p + HEAD_BYTES, (uint8_t *)&record + HEAD_BYTES, sizeof(record) - HEAD_BYTES);
	/* pairs with the acquire of the driver's poll */
	wd_store_release((_Atomic uint64_t *)(void *)p, htole64(head));
	dma_unmap(s, p, sizeof(record), true);
	return 0;
}

/* Writes the record, then flips the slot's DONE bit.  A queue without answers is at its end. */
static void answer_slot(struct dummy_queue *q, uint32_t slot, const struct dummy_desc *desc,
			const struct dummy_answer *answer)
{
	const struct dma_space *dma = &q->dummy->dma;
	uint32_t g = slot / DUMMY_GROUP;

	/* Counted first: who has seen the answer cannot be ahead of the count. */
	wd_store_relaxed(&q->nr_answered, wd_load_relaxed(&q->nr_answered) + 1);
	q->done[g] ^= 1ull << slot % DUMMY_GROUP;
	if (write_record(dma, desc, answer) ||
	    store_release_le64(dma, q->dus_addr + DUMMY_DUS_DONE(g), q->done[g])) {
		end_queue(q, DUMMY_STATE_FAULT);
		return;
	}
	if (base_unlikely(le16toh(desc->flags) & DUMMY_DESC_F_EVENT))
		report_event(q);
	/* May miss an arming doorbell of this moment: the end of the run does not. */
	check_armed(q);
}

/* ---- fetching */

/* Takes up to @nr of the shared entries and returns how many. */
static uint32_t take_entries(struct dummy_chip *dummy, uint32_t nr)
{
	uint32_t nr_free = wd_load_relaxed(&dummy->nr_free_entries);
	uint32_t nr_taken;

	do {
		nr_taken = base_min_u32(nr_free, nr);
	} while (nr_taken && !atomic_compare_exchange_weak_explicit(
				     &dummy->nr_free_entries, &nr_free, nr_free - nr_taken,
				     memory_order_relaxed, memory_order_relaxed));
	return nr_taken;
}

/* Whether there is room for one descriptor more; takes as much as all of @flips need. */
static bool has_room(struct dummy_queue *q, uint64_t flips)
{
	uint32_t nr_held = wd_load_relaxed(&q->nr_held);

	/* One entry is the queue's own. */
	if (nr_held > q->nr_entries)
		q->nr_entries += take_entries(q->dummy, (uint32_t)__builtin_popcountll(flips));
	return nr_held <= q->nr_entries;
}

static bool is_small(const struct dummy_desc *desc)
{
	return desc->opcode == DUMMY_OP_NOP || le64toh(desc->len) <= SMALL_BYTES;
}

static uint32_t slot_after(const struct dummy_queue *q, uint32_t slot)
{
	return slot + 1 == q->nr_groups * DUMMY_GROUP ? 0 : slot + 1;
}

/* Copies the descriptor of @slot, and keeps it or, without room, answers "retry". */
static void fetch_slot(struct dummy_queue *q, uint32_t slot, bool is_room)
{
	uint64_t addr = q->dus_addr + DUMMY_DUS_SLOTS + (uint64_t)slot * DUMMY_DESC_BYTES;
	struct dummy_desc *desc = &q->desc[slot];
	struct dummy_held *held;

	if (dma_read(&q->dummy->dma, addr, desc, sizeof(*desc))) {
		end_queue(q, DUMMY_STATE_FAULT);
		return;
	}
	if (!is_room) {
		count(&q->nr_refused, 1);
		answer_slot(q, slot, desc, &(struct dummy_answer){ .status = DUMMY_ST_RETRY });
		return;
	}
	held = &q->held[is_small(desc) ? DUMMY_SMALL : DUMMY_LARGE];
	held->slots[slot / DUMMY_GROUP] |= 1ull << slot % DUMMY_GROUP;
	held->nr++;
	wd_store_relaxed(&q->nr_held, wd_load_relaxed(&q->nr_held) + 1);
	q->fetch_turn = slot_after(q, slot);
	count(&q->nr_requests, 1);
	chip_trace_add(q->base.chip, CHIP_EVENT_FETCH, q->number, slot, 0);
}

/* Takes in @flips, the slots of group @g that were submitted. */
static void fetch_group(struct dummy_queue *q, uint32_t g, uint64_t flips)
{
	wd_store_relaxed(&q->fetched[g], wd_load_relaxed(&q->fetched[g]) ^ flips);
	/* A slot that is the device's already: the user broke the rules and loses the flip. */
	flips &= ~(q->held[DUMMY_SMALL].slots[g] | q->held[DUMMY_LARGE].slots[g]);
	for (; flips && is_started(q); flips &= flips - 1)
		fetch_slot(q, g * DUMMY_GROUP + (uint32_t)__builtin_ctzll(flips),
			   has_room(q, flips));
}

/*
 * Takes in all that was submitted since the last time, beginning with the slots
 * after the last one for which there was room: what was refused comes first.
 */
static void fetch_all(struct dummy_queue *q)
{
	uint32_t first = q->fetch_turn / DUMMY_GROUP;
	uint64_t mask = UINT64_MAX << q->fetch_turn % DUMMY_GROUP;
	uint32_t g = first;
	uint64_t flips;

	do {
		flips = find_flips(q, g);
		if (g == first)
			flips &= mask;
		if (flips)
			fetch_group(q, g, flips);
		g = g + 1 == q->nr_groups ? 0 : g + 1;
	} while (g != first && is_started(q));
	flips = find_flips(q, first) & ~mask;
	if (flips && is_started(q))
		fetch_group(q, first, flips);
}

/* ---- serving */

/* The next slot of @held in turn; there is one. */
static uint32_t take_turn(struct dummy_queue *q, struct dummy_held *held)
{
	uint32_t g = held->turn / DUMMY_GROUP;
	uint64_t bits = held->slots[g] & UINT64_MAX << held->turn % DUMMY_GROUP;
	uint32_t slot;

	while (!bits) {
		g = g + 1 == q->nr_groups ? 0 : g + 1;
		bits = held->slots[g];
	}
	slot = g * DUMMY_GROUP + (uint32_t)__builtin_ctzll(bits);
	held->slots[g] ^= bits & -bits;
	held->nr--;
	held->turn = slot_after(q, slot);
	return slot;
}

static uint32_t choose_slot(struct dummy_queue *q)
{
	struct dummy_held *small = &q->held[DUMMY_SMALL];
	struct dummy_held *large = &q->held[DUMMY_LARGE];

	if (!small->nr || (large->nr && q->streak == SMALL_STREAK)) {
		q->streak = 0;
		return take_turn(q, large);
	}
	q->streak = large->nr ? q->streak + 1 : 0;
	return take_turn(q, small);
}

static void serve_one(struct dummy_queue *q)
{
	uint32_t slot = choose_slot(q);
	const struct dummy_desc *desc = &q->desc[slot];
	struct dummy_answer answer;

	dummy_memop_serve(&q->dummy->dma, q->bounce, desc, &answer);
	wd_store_relaxed(&q->nr_held, wd_load_relaxed(&q->nr_held) - 1);
	count(&q->nr_completions, 1);
	count(&q->nr_bytes_in, answer.bytes_in);
	count(&q->nr_bytes_out, answer.bytes_out);
	if (base_unlikely(answer.error))
		count(&q->nr_errors, 1);
	chip_trace_add(q->base.chip, CHIP_EVENT_COMPLETE, q->number, slot, answer.error);
	answer_slot(q, slot, desc, &answer);
}

static bool may_go_on(const struct dummy_queue *q, const _Atomic uint32_t *interrupt)
{
	return is_started(q) && !(interrupt && wd_load_relaxed(interrupt));
}

/* Works as the one runner: what is held is served before more is fetched. */
static unsigned int run_submitted(struct dummy_queue *q, unsigned int budget,
				  const _Atomic uint32_t *interrupt)
{
	unsigned int nr = 0;

	if (may_go_on(q, interrupt))
		fetch_all(q);
	while (nr < budget && wd_load_relaxed(&q->nr_held) && may_go_on(q, interrupt)) {
		serve_one(q);
		nr++;
		if (nr < budget && !wd_load_relaxed(&q->nr_held) && is_started(q))
			fetch_all(q);
	}
	give_entries_back(q);
	return nr;
}

static int dummy_queue_run(struct chip_queue *queue, unsigned int budget,
			   const _Atomic uint32_t *interrupt)
{
	struct dummy_queue *q = to_queue(queue);
	unsigned int nr = 0;

	do {
		if (!try_run(q))
			return nr ? (int)nr : -EBUSY;
		nr += run_submitted(q, budget - nr, interrupt);
		end_run(q);
		check_armed(q);
	} while (nr < budget && !(interrupt && wd_load_relaxed(interrupt)) &&
		 dummy_queue_has_work(queue));
	return (int)nr;
}

static const struct chip_ops dummy_chip_ops = {
	.create = dummy_chip_create,
	.destroy = dummy_chip_destroy,
	.reset = dummy_chip_reset,
	.free_queues = dummy_chip_free_queues,
	.counters = dummy_chip_counters,
	.queue_open = dummy_queue_open,
	.queue_close = dummy_queue_close,
	.queue_layout = dummy_queue_layout,
	.queue_bind = dummy_queue_bind,
	.queue_control = dummy_queue_control,
	.queue_start = dummy_queue_start,
	.queue_stop = dummy_queue_stop,
	.queue_doorbell = dummy_queue_doorbell,
	.queue_run = dummy_queue_run,
	.queue_has_work = dummy_queue_has_work,
};

const struct chip_model chip_dummy_model = {
	.name = "dummy",
	.api = "dummy_v3",
	.algs = "memop",
	.throughput = 10,
	.latency = 10,
	.ops = &dummy_chip_ops,
};

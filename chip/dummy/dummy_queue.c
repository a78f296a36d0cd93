/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * A queue of the dummy machine: who runs it at the top, then doorbells,
 * answering, fetching and serving.
 *
 * The device can hold a limited number of descriptors.  One entry belongs to
 * each queue, the others are shared; a descriptor that finds none is answered
 * "retry".  So a queue that keeps trying always gets on, whatever others do.
 * Of those held, small ones are served before large ones, in turn of slots.
 *
 * What goes wrong on demand has a path of its own: serve_watched().  There the
 * one that is next is set aside until it may be begun, and all others wait.
 */
#include <errno.h>
#include <string.h>

#include "base/barrier.h"
#include "chip/chip_trace.h"
#include "chip/dummy/dummy.h"

#define HEAD_BYTES   sizeof(uint64_t) /* of a record: what is stored last */
#define SMALL_BYTES  4096u	      /* a descriptor up to this length overtakes larger ones, */
#define SMALL_STREAK 8u		      /* but only so many before a larger one gets its turn */

/* Counters of one writer: no locked instruction, and readers see whole values. */
static void count(_Atomic uint64_t *counter, uint64_t n)
{
	wd_store_relaxed(counter, wd_load_relaxed(counter) + n);
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
	q->set_aside = 0;
	q->flip_again = 0;
	chip_gate_pass(&q->gate);
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

void dummy_queue_stop(struct chip_queue *queue)
{
	struct dummy_queue *q = dummy_to_queue(queue);

	/* A runner leaves after the request it is at. */
	wd_store_relaxed(&q->state, DUMMY_QUEUE_STOPPED);
	while (!try_run(q))
		wait_yield();
	drop_all(q);
	chip_trace_add(queue->chip, CHIP_EVENT_STOP, q->number, 0, 0);
	end_run(q);
	/* A reset that began before may still be about to report: it holds this lock. */
	wait_mutex_lock(&q->dummy->lock);
	wait_mutex_unlock(&q->dummy->lock);
}

void dummy_queue_reset(struct dummy_queue *q)
{
	uint32_t state = DUMMY_QUEUE_STARTED;

	/* One that was not started has nothing to lose, and may be started later. */
	if (!atomic_compare_exchange_strong(&q->state, &state, DUMMY_QUEUE_STOPPED))
		return;
	while (!try_run(q))
		wait_yield();
	end_queue(q, DUMMY_STATE_RESET);
	end_run(q);
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
	wd_store_relaxed(&q->armed, DUMMY_ARMED | (uint32_t)value);
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

void dummy_queue_doorbell(struct chip_queue *queue, uint32_t offset, uint64_t value)
{
	struct dummy_queue *q = dummy_to_queue(queue);
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

static CHIP_INTO_HOT_PATH bool has_request(struct dummy_queue *q)
{
	bool has_request = wd_load_relaxed(&q->nr_held);
	uint32_t g;

	for (g = 0; g < q->nr_groups && !has_request; g++)
		has_request = find_flips(q, g);
	return has_request && is_started(q);
}

bool dummy_queue_has_work(struct chip_queue *queue)
{
	struct dummy_queue *q = dummy_to_queue(queue);

	return has_request(q) && !chip_gate_is_shut(queue->chip, &q->gate);
}

uint64_t dummy_queue_due_ns(struct chip_queue *queue)
{
	struct dummy_queue *q = dummy_to_queue(queue);

	return has_request(q) ? chip_gate_due_ns(queue->chip, &q->gate) : 0;
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

static CHIP_INTO_HOT_PATH void count_completion(struct dummy_queue *q, uint32_t slot,
						const struct dummy_answer *answer)
{
	count(&q->nr_completions, 1);
	count(&q->nr_bytes_in, answer->bytes_in);
	count(&q->nr_bytes_out, answer->bytes_out);
	if (base_unlikely(answer->error))
		count(&q->nr_errors, 1);
	chip_trace_add(q->base.chip, CHIP_EVENT_COMPLETE, q->number, slot, answer->error);
}

static CHIP_INTO_HOT_PATH void serve_one(struct dummy_queue *q, uint32_t slot)
{
	const struct dummy_desc *desc = &q->desc[slot];
	struct dummy_answer answer;

	dummy_memop_serve(&q->dummy->dma, q->bounce, desc, &answer);
	wd_store_relaxed(&q->nr_held, wd_load_relaxed(&q->nr_held) - 1);
	count_completion(q, slot, &answer);
	answer_slot(q, slot, desc, &answer);
}

/* ---- serving with faults, delays or a limit of time */

/* A slot's DONE bit turns once more: for its user it is an answer to what was not asked. */
static void flip_again(struct dummy_queue *q)
{
	uint32_t slot = q->flip_again - 1, g = slot / DUMMY_GROUP;

	q->flip_again = 0;
	q->done[g] ^= 1ull << slot % DUMMY_GROUP;
	wd_store_relaxed(&q->nr_answered, wd_load_relaxed(&q->nr_answered) + 1);
	count(&q->nr_completions, 1);
	if (store_release_le64(&q->dummy->dma, q->dus_addr + DUMMY_DUS_DONE(g), q->done[g]))
		end_queue(q, DUMMY_STATE_FAULT);
}

/* A tag that is not the descriptor's: the one that its slot may have next, or any. */
static uint32_t wrong_tag(uint32_t tag, uint64_t nth)
{
	return nth % 2 ? ~tag : tag + 1;
}

/* The same as serve_one() as a device does it that is not well. */
static BASE_COLD void serve_badly(struct dummy_queue *q, uint32_t slot,
				  const struct chip_verdict *verdict)
{
	const struct dma_space *dma = &q->dummy->dma;
	struct dummy_desc desc = q->desc[slot];
	struct dummy_answer answer;

	if (verdict->kinds & CHIP_STRUCK(CHIP_FAULT_ERROR))
		answer = dummy_memop_fail();
	else
		dummy_memop_serve(dma, q->bounce, &desc, &answer);
	if (verdict->kinds & CHIP_STRUCK(CHIP_FAULT_CORRUPT_OUTPUT) && !answer.error)
		dummy_memop_spoil(dma, &desc, &answer);
	if (verdict->kinds & CHIP_STRUCK(CHIP_FAULT_CORRUPT_RESULT))
		answer.done = verdict->nth % 2 ? UINT64_MAX : le64toh(desc.len) + 1;
	if (verdict->kinds & CHIP_STRUCK(CHIP_FAULT_CORRUPT_COMPLETION))
		desc.tag = htole32(wrong_tag(le32toh(desc.tag), verdict->nth));
	wd_store_relaxed(&q->nr_held, wd_load_relaxed(&q->nr_held) - 1);
	if (verdict->kinds & CHIP_STRUCK(CHIP_FAULT_DROP))
		return;
	count_completion(q, slot, &answer);
	answer_slot(q, slot, &desc, &answer);
	/* Both at once would be none at all. */
	if (verdict->kinds & CHIP_STRUCK(CHIP_FAULT_DUPLICATE) && is_started(q))
		q->flip_again = slot + 1;
}

/* The slot that is next, as the device's until it is begun. */
static uint32_t set_next_aside(struct dummy_queue *q)
{
	uint32_t slot;

	if (q->set_aside)
		return q->set_aside - 1;
	slot = choose_slot(q);
	q->held[DUMMY_SMALL].slots[slot / DUMMY_GROUP] |= 1ull << slot % DUMMY_GROUP;
	q->set_aside = slot + 1;
	return slot;
}

static struct chip_verdict begin_aside(struct dummy_queue *q)
{
	uint32_t slot = q->set_aside - 1;

	q->held[DUMMY_SMALL].slots[slot / DUMMY_GROUP] &= ~(1ull << slot % DUMMY_GROUP);
	q->set_aside = 0;
	return chip_gate_pass(&q->gate);
}

/* Serves the next one, if it may be begun now. */
static BASE_COLD bool serve_watched(struct dummy_queue *q, struct chip_run *run)
{
	uint32_t slot = set_next_aside(q);
	struct chip_verdict verdict;
	uint64_t bytes_in, ns;

	dummy_memop_forecast(&q->desc[slot], &bytes_in, &ns);
	if (!chip_gate_may_pass(q->base.chip, &q->gate, q->number, slot, bytes_in) ||
	    !chip_run_take_time(run, ns))
		return false;
	verdict = begin_aside(q);
	if (q->flip_again)
		flip_again(q);
	if (!is_started(q))
		return false;
	if (verdict.kinds & CHIP_STRUCK(CHIP_FAULT_RESET)) {
		/* This queue now; the others when the run has ended. */
		end_queue(q, DUMMY_STATE_RESET);
		run->end = CHIP_RUN_RESET;
		run->nr_resets = verdict.nr_resets;
		return false;
	}
	if (verdict.kinds)
		serve_badly(q, slot, &verdict);
	else
		serve_one(q, slot);
	return true;
}

static inline bool serve_next(struct dummy_queue *q, struct chip_run *run)
{
	/* What a run with a limit has set aside, one without has to find. */
	if (base_unlikely(chip_run_is_watched(run, q->base.chip) | q->set_aside))
		return serve_watched(q, run);
	serve_one(q, choose_slot(q));
	return true;
}

static bool may_go_on(const struct dummy_queue *q, const struct chip_pace *pace)
{
	return is_started(q) && !chip_pace_is_interrupted(pace);
}

/* Works as the one runner: what is held is served before more is fetched. */
static unsigned int run_submitted(struct dummy_queue *q, unsigned int budget,
				  const struct chip_pace *pace, struct chip_run *run)
{
	unsigned int nr = 0;

	/* A chip that hangs refuses nothing either. */
	if (may_go_on(q, pace) && !chip_is_hung(q->base.chip))
		fetch_all(q);
	while (nr < budget && wd_load_relaxed(&q->nr_held) && may_go_on(q, pace)) {
		if (base_unlikely(!serve_next(q, run)))
			break;
		nr++;
		if (nr < budget && !wd_load_relaxed(&q->nr_held) && is_started(q))
			fetch_all(q);
	}
	give_entries_back(q);
	return nr;
}

int dummy_queue_run(struct chip_queue *queue, unsigned int budget, const struct chip_pace *pace)
{
	struct chip_run run = chip_run_begin(pace);
	struct dummy_queue *q = dummy_to_queue(queue);
	unsigned int nr = 0;

	do {
		if (!try_run(q))
			return chip_run_result(&run, nr, -EBUSY);
		nr += run_submitted(q, budget - nr, pace, &run);
		end_run(q);
		check_armed(q);
		if (base_unlikely(run.end)) {
			if (run.end == CHIP_RUN_RESET)
				dummy_chip_reset_itself(q->dummy, run.nr_resets);
			break;
		}
	} while (nr < budget && !chip_pace_is_interrupted(pace) && dummy_queue_has_work(queue));
	return chip_run_result(&run, nr, 0);
}

void dummy_queue_add_counters(const struct dummy_queue *q, struct chip_counters *sum)
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

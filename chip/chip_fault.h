/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * What goes wrong with a chip's requests, and what holds them back: the models
 * ask here before they begin one.  A chip without faults and delays has no
 * struct chip_faults, and pays for all this with one test of that pointer.
 */
#ifndef CHIP_CHIP_FAULT_H
#define CHIP_CHIP_FAULT_H

#include <errno.h>

#include "base/barrier.h"
#include "base/compiler.h"
#include "base/wait.h"
#include "chip/chip.h"

/*
 * For what a model's hot path shares with the serving of faults: there as if
 * nobody else had it, where the compiler would make a call of it for both.
 */
#define CHIP_INTO_HOT_PATH __attribute__((always_inline)) inline

#define CHIP_STRUCK(kind) (1u << (kind))

/* What happens to one request.  Several faults may strike it: all of them do. */
struct chip_verdict {
	uint32_t kinds;	    /* CHIP_STRUCK() of each kind */
	uint32_t nr_resets; /* of the chip until then, for chip_faults_is_reset_due() */
	uint64_t nth;	    /* how often the fault had struck before: some kinds alternate */
	uint64_t delay_ns;
};

/* Takes the config's faults and delays over.  Returns 0, -EINVAL or -ENOMEM. */
int chip_faults_init(struct chip *chip);
void chip_faults_fini(struct chip *chip);

/* Counts an opening of a queue, and says whether it fails. */
bool chip_faults_refuse_opening(struct chip *chip);

/* By a model's reset, at its end and under its lock: a chip that hung is well again. */
void chip_faults_end_reset(struct chip *chip);
/*
 * Under the same lock: whether the reset is still to be done that a verdict
 * asked for when there had been @nr_resets.  A later one stopped the request's
 * queue too, and those that were started since are not to be stopped again.
 */
bool chip_faults_is_reset_due(struct chip *chip, uint32_t nr_resets);

bool chip_faults_is_hung(const struct chip_faults *faults);

/* Whether the chip begins nothing any more, until reset.  Any thread. */
static inline bool chip_is_hung(struct chip *chip)
{
	/* pairs with the release in chip_fault.c, as everywhere */
	const struct chip_faults *faults = wd_load_acquire(&chip->faults);

	return base_unlikely(faults != NULL) && chip_faults_is_hung(faults);
}

/*
 * Where a queue's next request waits until it may be begun.  One per queue,
 * zeroed, and its runner's; others read due_ns.
 */
struct chip_gate {
	_Atomic uint64_t due_ns; /* when the request can be begun; 0: at once, or not judged yet */
	bool is_judged;
	struct chip_verdict verdict;
};

/*
 * Whether the request that @queue has next, in @slot, may be begun now.  Judges
 * it when it is first asked about: it is counted, and its delay begins.
 */
bool chip_gate_may_pass(struct chip *chip, struct chip_gate *gate, uint32_t queue, uint32_t slot,
			uint64_t bytes_in);
/* The request is begun, with what happens to it; or it is dropped. */
struct chip_verdict chip_gate_pass(struct chip_gate *gate);

/*
 * For queue_due_ns, of a queue that has something to do; any thread.  Who was
 * turned away by a runner relies on it, and it may be about to find that the
 * next request is held back: so before that is known the answer is a time past.
 */
uint64_t chip_gate_due_ns(struct chip *chip, const struct chip_gate *gate);

/* Whether nothing can be begun now, for a delay or a hang.  Any thread. */
static inline bool chip_gate_is_shut(struct chip *chip, const struct chip_gate *gate)
{
	uint64_t due_ns;

	if (base_likely(!wd_load_acquire(&chip->faults)))
		return false;
	/* pairs with the release in chip_fault.c: what is asked next is as new */
	due_ns = wd_load_acquire(&gate->due_ns);
	return chip_is_hung(chip) || (due_ns && wait_clock_ns() < due_ns);
}

/* Why a run is over, apart from its budget and from what there is to do. */
enum chip_run_end {
	CHIP_RUN_TOO_LONG = 1, /* the next request is, for what is left */
	CHIP_RUN_RESET,	       /* the chip resets itself once the runner has let go */
};

/* What one run of a queue may still do, and how it ended. */
struct chip_run {
	uintptr_t is_paced; /* as wide as the pointer that is tested along with it */
	uint64_t left_ns;   /* by estimates */
	uint32_t end;	    /* enum chip_run_end, 0: it goes on */
	uint32_t nr_resets; /* of the verdict that CHIP_RUN_RESET comes from */
};

static inline struct chip_run chip_run_begin(const struct chip_pace *pace)
{
	uint64_t long_ns = pace ? pace->long_ns : 0;

	return (struct chip_run){ .is_paced = long_ns != 0, .left_ns = long_ns };
}

/* Not 0: the next request needs a closer look before it is begun.  A word, for one test of more. */
static inline uintptr_t chip_run_is_watched(const struct chip_run *run, struct chip *chip)
{
	return (uintptr_t)wd_load_acquire(&chip->faults) | run->is_paced;
}

/* Takes the time of a request out of the run's; false when there is not so much left. */
static inline bool chip_run_take_time(struct chip_run *run, uint64_t ns)
{
	if (!run->is_paced)
		return true;
	if (run->left_ns < ns) {
		run->end = CHIP_RUN_TOO_LONG;
		return false;
	}
	run->left_ns -= ns;
	return true;
}

/* What queue_run returns after @nr requests; @err: where it was turned away. */
static inline int chip_run_result(const struct chip_run *run, unsigned int nr, int err)
{
	if (base_likely(nr))
		return (int)nr;
	return run->end == CHIP_RUN_TOO_LONG ? -E2BIG : err;
}

#endif

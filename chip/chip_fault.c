/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Faults and delays of a chip.  Which requests a fault strikes follows from
 * their numbers alone, so that a test that fails can be repeated.  All is under
 * one lock: a chip that has faults need not be fast.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chip/chip_fault.h"
#include "chip/chip_trace.h"

#define NS_PER_US 1000ull
#define KIB	  1024u
#define LONG_PAST 1u /* the earliest time but 0 */

struct fault {
	struct chip_fault is;
	uint64_t set_at; /* requests, or openings, that were counted before it was set */
};

struct chip_faults {
	_Atomic uint32_t is_hung; /* stored under lock or the model's; read by anybody */
	_Atomic uint32_t nr_resets;
	_Atomic uint32_t may_delay; /* for the config's sake, or since there was such a fault */
	struct wait_mutex lock;	    /* all below */
	uint64_t nr_requests;
	uint64_t nr_openings;
	uint32_t nr;
	struct fault fault[CHIP_FAULTS_MAX];
};

static uint64_t add_saturated(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static uint64_t mul_saturated(uint64_t a, uint64_t b)
{
	uint64_t product;

	return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

static uint64_t counted(const struct chip_faults *faults, const struct fault *f)
{
	return f->is.kind == CHIP_FAULT_REFUSE ? faults->nr_openings : faults->nr_requests;
}

/* Whether @f strikes what was counted last, and how often it did before. */
static bool strikes(const struct chip_faults *faults, const struct fault *f, uint64_t *ret_nth)
{
	uint64_t number = counted(faults, f) - f->set_at;

	if (number < f->is.first)
		return false;
	number -= f->is.first;
	*ret_nth = 0;
	if (!f->is.every)
		return !number;
	*ret_nth = number / f->is.every;
	return !(number % f->is.every) && (!f->is.count || *ret_nth < f->is.count);
}

/* Whether @f strikes no more, and may make room for another. */
static bool is_spent(const struct chip_faults *faults, const struct fault *f)
{
	uint64_t number = counted(faults, f) - f->set_at;

	if (number < f->is.first)
		return false;
	if (!f->is.every)
		return true;
	return f->is.count && (number - f->is.first) / f->is.every >= f->is.count - 1;
}

/* ---- setting */

static struct chip_faults *get_faults(struct chip *chip)
{
	struct chip_faults *faults = wd_load_acquire(&chip->faults);
	struct chip_faults *expected = NULL;

	if (faults)
		return faults;
	faults = calloc(1, sizeof(*faults));
	if (!faults || atomic_compare_exchange_strong(&chip->faults, &expected, faults))
		return faults;
	free(faults);
	return expected;
}

int chip_inject(struct chip *chip, const struct chip_fault *fault)
{
	struct chip_faults *faults;
	struct fault *f;
	int err = 0;

	if (fault->kind < CHIP_FAULT_DROP || fault->kind > CHIP_FAULT_REFUSE || !fault->first ||
	    (fault->kind == CHIP_FAULT_DELAY) != (fault->delay_ns != 0))
		return -EINVAL;
	faults = get_faults(chip);
	if (!faults)
		return -ENOMEM;
	wait_mutex_lock(&faults->lock);
	for (f = faults->fault; f < faults->fault + faults->nr && !is_spent(faults, f); f++)
		;
	if (f < faults->fault + CHIP_FAULTS_MAX) {
		if (f == faults->fault + faults->nr)
			faults->nr++;
		f->is = *fault;
		f->set_at = counted(faults, f);
		if (fault->kind == CHIP_FAULT_DELAY)
			wd_store_relaxed(&faults->may_delay, 1);
	} else {
		err = -ENOSPC;
	}
	wait_mutex_unlock(&faults->lock);
	return err;
}

int chip_faults_init(struct chip *chip)
{
	struct chip_config *config = &chip->config;
	const struct chip_fault *fault = config->faults;
	struct chip_faults *faults;
	uint32_t i;
	int err = 0;

	/* The owner's array may be gone after this. */
	config->faults = NULL;
	if (config->nr_faults > CHIP_FAULTS_MAX)
		return -EINVAL;
	if (config->delay_ns || config->delay_ns_per_kib) {
		faults = get_faults(chip);
		if (!faults)
			return -ENOMEM;
		wd_store_relaxed(&faults->may_delay, 1);
	}
	for (i = 0; i < config->nr_faults && !err; i++)
		err = chip_inject(chip, &fault[i]);
	if (err)
		chip_faults_fini(chip);
	return err;
}

void chip_faults_fini(struct chip *chip)
{
	free(wd_load_relaxed(&chip->faults));
	wd_store_relaxed(&chip->faults, NULL);
}

/* ---- judging */

bool chip_faults_is_hung(const struct chip_faults *faults)
{
	return wd_load_acquire(&faults->is_hung);
}

void chip_faults_end_reset(struct chip *chip)
{
	struct chip_faults *faults = wd_load_acquire(&chip->faults);

	if (!faults)
		return;
	atomic_fetch_add(&faults->nr_resets, 1);
	wd_store_release(&faults->is_hung, 0);
}

bool chip_faults_is_reset_due(struct chip *chip, uint32_t nr_resets)
{
	/* There are faults, as the verdict came from them. */
	return wd_load_relaxed(&wd_load_acquire(&chip->faults)->nr_resets) == nr_resets;
}

bool chip_faults_refuse_opening(struct chip *chip)
{
	struct chip_faults *faults = wd_load_acquire(&chip->faults);
	bool is_refused = false;
	uint64_t nth;
	uint32_t i;

	if (!faults)
		return false;
	wait_mutex_lock(&faults->lock);
	faults->nr_openings++;
	for (i = 0; i < faults->nr; i++)
		if (faults->fault[i].is.kind == CHIP_FAULT_REFUSE &&
		    strikes(faults, &faults->fault[i], &nth))
			is_refused = true;
	wait_mutex_unlock(&faults->lock);
	return is_refused;
}

/* Counts a request and collects what strikes it.  A chip that hangs sees no requests. */
static bool judge_locked(struct chip_faults *faults, struct chip_verdict *verdict)
{
	uint64_t nth;
	uint32_t i;

	if (chip_faults_is_hung(faults))
		return false;
	faults->nr_requests++;
	verdict->nr_resets = wd_load_relaxed(&faults->nr_resets);
	for (i = 0; i < faults->nr; i++) {
		const struct fault *f = &faults->fault[i];

		if (f->is.kind == CHIP_FAULT_REFUSE || !strikes(faults, f, &nth))
			continue;
		verdict->kinds |= CHIP_STRUCK(f->is.kind);
		if (f->is.kind != CHIP_FAULT_DELAY)
			verdict->nth = nth;
		verdict->delay_ns = add_saturated(verdict->delay_ns, f->is.delay_ns);
	}
	if (verdict->kinds & CHIP_STRUCK(CHIP_FAULT_HANG))
		wd_store_release(&faults->is_hung, 1);
	return true;
}

static bool judge(struct chip_faults *faults, const struct chip_config *config,
		  struct chip_gate *gate, uint64_t bytes_in)
{
	struct chip_verdict v = { .delay_ns = config->delay_ns };
	bool is_counted;

	v.delay_ns =
		add_saturated(v.delay_ns, mul_saturated(bytes_in, config->delay_ns_per_kib) / KIB);
	wait_mutex_lock(&faults->lock);
	is_counted = judge_locked(faults, &v);
	wait_mutex_unlock(&faults->lock);
	if (!is_counted)
		return false;
	gate->verdict = v;
	gate->is_judged = true;
	if (v.delay_ns)
		/* may_delay, then due_ns: who sees this one sees that */
		wd_store_release(&gate->due_ns, add_saturated(wait_clock_ns(), v.delay_ns));
	return true;
}

bool chip_gate_may_pass(struct chip *chip, struct chip_gate *gate, uint32_t queue, uint32_t slot,
			uint64_t bytes_in)
{
	struct chip_faults *faults = wd_load_acquire(&chip->faults);

	if (!faults)
		return true;
	if (!gate->is_judged) {
		if (!judge(faults, &chip->config, gate, bytes_in))
			return false;
		if (gate->verdict.kinds)
			chip_trace_add(chip, CHIP_EVENT_FAULT, queue, slot, gate->verdict.kinds);
	}
	return !chip_gate_is_shut(chip, gate);
}

struct chip_verdict chip_gate_pass(struct chip_gate *gate)
{
	struct chip_verdict verdict = gate->verdict;

	gate->verdict = (struct chip_verdict){ 0 };
	gate->is_judged = false;
	wd_store_relaxed(&gate->due_ns, 0);
	return verdict;
}

uint64_t chip_gate_due_ns(struct chip *chip, const struct chip_gate *gate)
{
	struct chip_faults *faults = wd_load_acquire(&chip->faults);
	uint64_t due_ns;

	if (!faults || !wd_load_relaxed(&faults->may_delay) || chip_faults_is_hung(faults))
		return 0;
	due_ns = wd_load_relaxed(&gate->due_ns);
	return due_ns ? due_ns : LONG_PAST;
}

/* ---- reading */

static const char *const kind_names[] = {
	[CHIP_FAULT_DROP] = "drop",
	[CHIP_FAULT_DELAY] = "delay",
	[CHIP_FAULT_DUPLICATE] = "duplicate",
	[CHIP_FAULT_CORRUPT_COMPLETION] = "corrupt-completion",
	[CHIP_FAULT_CORRUPT_RESULT] = "corrupt-result",
	[CHIP_FAULT_CORRUPT_OUTPUT] = "corrupt-output",
	[CHIP_FAULT_ERROR] = "error",
	[CHIP_FAULT_HANG] = "hang",
	[CHIP_FAULT_RESET] = "reset",
	[CHIP_FAULT_REFUSE] = "refuse",
};

static uint32_t find_kind(const char *name, size_t bytes)
{
	uint32_t kind;

	for (kind = CHIP_FAULT_DROP; kind <= CHIP_FAULT_REFUSE; kind++)
		if (strlen(kind_names[kind]) == bytes && !memcmp(kind_names[kind], name, bytes))
			return kind;
	return 0;
}

/* Reads @mark and a number from 1 to @max behind it, and moves *text on; else leaves it. */
static bool read_number(const char **text, char mark, uint64_t max, uint64_t *ret_number)
{
	const char *p = *text;
	uint64_t n = 0;

	if (*p++ != mark)
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		uint64_t digit = (uint64_t)(*p - '0');

		if (n > (max - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	if (!n)
		return false;
	*text = p;
	*ret_number = n;
	return true;
}

static bool read_delay(const char **text, uint64_t *ret_ns)
{
	const uint64_t max = UINT64_MAX / WAIT_NS_PER_MS;
	uint64_t n;

	if (!read_number(text, ':', max, &n))
		return false;
	if (strncmp(*text, "us", 2) && strncmp(*text, "ms", 2))
		return false;
	*ret_ns = n * (**text == 'u' ? NS_PER_US : WAIT_NS_PER_MS);
	*text += 2;
	return true;
}

int chip_fault_parse(const char *text, struct chip_fault *ret_fault)
{
	size_t bytes = strcspn(text, "@");
	struct chip_fault fault = { .kind = find_kind(text, bytes) };
	uint64_t count = 0;

	text += bytes;
	if (!fault.kind || !read_number(&text, '@', UINT64_MAX, &fault.first))
		return -EINVAL;
	if (read_number(&text, '/', UINT64_MAX, &fault.every))
		read_number(&text, '*', UINT32_MAX, &count);
	fault.count = (uint32_t)count;
	if (fault.kind == CHIP_FAULT_DELAY && !read_delay(&text, &fault.delay_ns))
		return -EINVAL;
	/* Whatever could not be read is still there. */
	if (*text)
		return -EINVAL;
	*ret_fault = fault;
	return 0;
}

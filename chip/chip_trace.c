/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* A chip's event record: the last entries in a ring, under one lock. */
#include <errno.h>
#include <stdlib.h>

#include "base/wait.h"
#include "chip/chip_trace.h"

#define TRACE_ENTRIES 4096u

struct chip_trace {
	struct wait_mutex lock;
	uint64_t last_seq;
	struct chip_trace_entry entry[TRACE_ENTRIES];
};

int chip_trace_init(struct chip *chip)
{
	chip->trace = NULL;
	if (!(chip->config.flags & CHIP_F_TRACE))
		return 0;
	chip->trace = calloc(1, sizeof(*chip->trace));
	return chip->trace ? 0 : -ENOMEM;
}

void chip_trace_fini(struct chip *chip)
{
	free(chip->trace);
	chip->trace = NULL;
}

void chip_trace_write(struct chip_trace *trace, enum chip_event event, uint32_t queue, uint64_t a,
		      uint64_t b)
{
	wait_mutex_lock(&trace->lock);
	trace->last_seq++;
	trace->entry[trace->last_seq % TRACE_ENTRIES] = (struct chip_trace_entry){
		.seq = trace->last_seq, .event = event, .queue = queue, .a = a, .b = b
	};
	wait_mutex_unlock(&trace->lock);
}

unsigned int chip_trace_read(struct chip *chip, uint64_t from_seq,
			     struct chip_trace_entry *ret_entries, unsigned int nr)
{
	struct chip_trace *trace = chip->trace;
	unsigned int n = 0;
	uint64_t seq;

	if (!trace)
		return 0;
	wait_mutex_lock(&trace->lock);
	seq = trace->last_seq < TRACE_ENTRIES ? 1 : trace->last_seq - TRACE_ENTRIES + 1;
	for (seq = from_seq > seq ? from_seq : seq; seq <= trace->last_seq && n < nr; seq++)
		ret_entries[n++] = trace->entry[seq % TRACE_ENTRIES];
	wait_mutex_unlock(&trace->lock);
	return n;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* A chip's event record: models write it, tests read it through chip.h. */
#ifndef CHIP_CHIP_TRACE_H
#define CHIP_CHIP_TRACE_H

#include "chip/chip.h"

/* Begins the record if the chip's config asks for one.  Returns 0 or -ENOMEM. */
int chip_trace_init(struct chip *chip);
void chip_trace_fini(struct chip *chip);

void chip_trace_write(struct chip_trace *trace, enum chip_event event, uint32_t queue, uint64_t a,
		      uint64_t b);

/* Any thread; costs one test where no record is kept. */
static inline void chip_trace_add(struct chip *chip, enum chip_event event, uint32_t queue,
				  uint64_t a, uint64_t b)
{
	if (__builtin_expect(chip->trace != NULL, 0))
		chip_trace_write(chip->trace, event, queue, a, b);
}

#endif

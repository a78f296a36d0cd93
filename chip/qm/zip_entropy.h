/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * A cheap test whether data is worth handing to a codec at all.  Random,
 * encrypted or already compressed bytes are not, and codecs are at their
 * slowest there.
 */
#ifndef CHIP_QM_ZIP_ENTROPY_H
#define CHIP_QM_ZIP_ENTROPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ZIP_ENTROPY_SEEN_BITS 13

/* Work space of the test; contents do not matter between calls. */
struct zip_entropy {
	uint32_t seen[1u << ZIP_ENTROPY_SEEN_BITS];
	uint32_t counts[4][256];
};

/* Bytes that a match may reach back to, in two parts, oldest first. */
struct zip_past {
	const uint8_t *bytes[2];
	size_t nr_bytes[2];
};

/*
 * Whether @in is surely not worth compressing, given the @past (NULL: none).
 * @is_careful looks closer, for codecs whose own time is long.  "No" is always
 * a safe answer and is what compressible data gets within some 50 ns.
 */
bool zip_entropy_is_random(struct zip_entropy *e, const struct zip_past *past, const uint8_t *in,
			   size_t bytes, bool is_careful);

#endif

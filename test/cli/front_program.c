/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * usage: front_program [NAME]...
 *
 * Counts as a front end of each NAME would, the n-th n times 1 to 6, says "ready"
 * on a line, and ends when its standard input does.
 */
#include <stdint.h>
#include <stdio.h>

#include <wd/stats.h>

int main(int argc, char **argv)
{
	int i, k;

	if (wd_init())
		return 1;
	for (i = 1; i < argc; i++) {
		uint64_t add[WD_FRONT_COUNTERS_NR];

		for (k = 0; k < WD_FRONT_COUNTERS_NR; k++)
			add[k] = (uint64_t)i * (uint64_t)(k + 1);
		if (wd_stats_front_add(argv[i], add))
			return 1;
	}
	if (puts("ready") < 0 || fflush(stdout))
		return 1;
	while (getchar() != EOF)
		;
	wd_fini();
	return 0;
}

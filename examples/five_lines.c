/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* The least program: compresses a buffer and prints both sizes. */
#include <stdio.h>
#include <wd/comp.h>

static const char text[] =
	"An accelerator in the program's own address space, or in its place a chip "
	"in software: the same descriptor, the same doorbell, the same bytes.";

int main(void)
{
	char packed[1024];
	size_t len = sizeof(packed);
	int err = wd_comp_compress(WD_COMP_GZIP, 6, text, sizeof(text), packed, &len);

	printf("%zu bytes became %zu: %s\n", sizeof(text), len, wd_error_text(err));
	return err ? 1 : 0;
}

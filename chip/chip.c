/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* The list of models, and memory access for owners that share the chip's address space. */
#include <string.h>

#include "chip/chip.h"

extern const struct chip_model chip_hisi_zip_model;
extern const struct chip_model chip_dummy_model;

/* A new model is one line here; see doc/adding-an-accelerator.md. */
const struct chip_model *const chip_models[] = {
	&chip_hisi_zip_model,
	&chip_dummy_model,
	NULL,
};

const struct chip_model *chip_find_model(const char *name)
{
	const struct chip_model *const *m;

	for (m = chip_models; *m; m++)
		if (!strcmp((*m)->name, name))
			return *m;
	return NULL;
}

/* A wild pointer faults here as it would in memcpy: the owner is the same process. */
static void *own_memory_map(void *owner, uint64_t addr, size_t bytes, bool is_write)
{
	(void)owner;
	(void)bytes;
	(void)is_write;
	return (void *)(uintptr_t)addr;
}

void chip_dma_use_own_memory(struct chip_config *config)
{
	config->dma = (struct chip_dma){ .map = own_memory_map };
}

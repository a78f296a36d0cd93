/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Hostile SQEs, scatter lists, contexts and data against the ZIP engine.  The
 * input is one byte of options, one that says how many SQEs follow, the SQEs,
 * each behind one byte that chooses its queue, and an image of the memory that
 * they may reach, which lies at IMAGE_ADDR and is followed by zeros.
 *
 * The engine reaches that memory in one of three ways, as the options have it:
 * in place, by copying only, or through exact-size copies, where a sanitizer
 * sees each byte beyond what was asked for.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "chip/qm/engine.h"
#include "hw/hisi_zip_hw.h"

#define IMAGE_ADDR 0x10000u
#define ZEROS	   (192u << 10)
#define SQES_MAX   8u
#define MAPS_MAX   8u

#define OPTION_STRICT	 0x01
#define OPTION_DMA_MASK	 0x06
#define OPTION_DMA_COPY	 0x02
#define OPTION_DMA_EXACT 0x04

struct exact_map {
	void *copy;
	uint64_t addr;
};

struct arena {
	uint8_t *bytes;
	size_t size;
	struct exact_map maps[MAPS_MAX];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t *reach(struct arena *a, uint64_t addr, size_t bytes)
{
	if (addr < IMAGE_ADDR || bytes > a->size || addr - IMAGE_ADDR > a->size - bytes)
		return NULL;
	return a->bytes + (addr - IMAGE_ADDR);
}

static void *map_in_place(void *owner, uint64_t addr, size_t bytes, bool is_write)
{
	(void)is_write;
	return reach(owner, addr, bytes);
}

static int read_copy(void *owner, uint64_t addr, void *buf, size_t bytes)
{
	uint8_t *p = reach(owner, addr, bytes);

	if (!p)
		return -EFAULT;
	memcpy(buf, p, bytes);
	return 0;
}

static int write_copy(void *owner, uint64_t addr, const void *buf, size_t bytes)
{
	uint8_t *p = reach(owner, addr, bytes);

	if (!p)
		return -EFAULT;
	memcpy(p, buf, bytes);
	return 0;
}

static void *map_exact(void *owner, uint64_t addr, size_t bytes, bool is_write)
{
	struct arena *a = owner;
	uint8_t *p = reach(a, addr, bytes);

	(void)is_write;
	for (unsigned int i = 0; i < MAPS_MAX && p; i++)
		if (!a->maps[i].copy) {
			a->maps[i].copy = malloc(bytes);
			if (!a->maps[i].copy)
				return NULL;
			memcpy(a->maps[i].copy, p, bytes);
			a->maps[i].addr = addr;
			return a->maps[i].copy;
		}
	/* Out of reach; but whoever maps that much at once has forgotten to unmap. */
	if (p)
		abort();
	return NULL;
}

static void unmap_exact(void *owner, void *ptr, size_t bytes, bool is_write)
{
	struct arena *a = owner;

	for (unsigned int i = 0; i < MAPS_MAX; i++)
		if (a->maps[i].copy == ptr) {
			if (is_write)
				memcpy(reach(a, a->maps[i].addr, bytes), ptr, bytes);
			free(ptr);
			a->maps[i].copy = NULL;
			return;
		}
	abort();
}

static const struct chip_dma dma_in_place = { .map = map_in_place };
static const struct chip_dma dma_copy = { .read = read_copy, .write = write_copy };
static const struct chip_dma dma_exact = { .map = map_exact, .unmap = unmap_exact };

static const struct chip_dma *choose_dma(uint8_t options)
{
	if ((options & OPTION_DMA_MASK) == OPTION_DMA_COPY)
		return &dma_copy;
	return options & OPTION_DMA_EXACT ? &dma_exact : &dma_in_place;
}

/* What must hold whatever came in. */
static void check(const struct hisi_zip_sqe *before, const struct hisi_zip_sqe *after,
		  const struct engine_result *result)
{
	const uint32_t *b = (const uint32_t *)before, *a = (const uint32_t *)after;

	for (unsigned int i = 4; i < 28; i++)
		if (i != 15 && a[i] != b[i])
			abort();
	if (result->bytes_in > bytes_get_le32(&before->input_data_length) ||
	    result->bytes_out > bytes_get_le32(&before->dest_avail_out))
		abort();
	if (result->is_error !=
	    (result->status != HISI_ZIP_ST_OK && result->status != HISI_ZIP_ST_NEG_COMP &&
	     result->status != HISI_ZIP_ST_END))
		abort();
}

static void serve(const struct engine_ops *ops, void *const queues[2], const struct dma_space *dma,
		  const uint8_t *input)
{
	struct hisi_zip_sqe sqe, before;
	struct engine_result result;

	memcpy(&sqe, input + 1, sizeof(sqe));
	before = sqe;
	ops->serve(queues[input[0] & 1], dma, &sqe, &result);
	check(&before, &sqe, &result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct engine_ops *ops = &engine_zip_ops;
	void *engine = NULL, *queues[2] = { NULL, NULL };
	struct arena arena = { 0 };
	struct dma_space dma = { .owner = &arena };
	size_t nr, head;

	if (size < 2)
		return 0;
	nr = data[1] % SQES_MAX + 1;
	head = 2 + nr * (1 + HISI_ZIP_SQE_BYTES);
	if (size < head)
		return 0;
	arena.size = size - head + ZEROS;
	arena.bytes = calloc(1, arena.size);
	if (!arena.bytes)
		return 0;
	memcpy(arena.bytes, data + head, size - head);
	dma.dma = choose_dma(data[0]);
	if (!ops->create(data[0] & OPTION_STRICT ? CHIP_F_STRICT : 0, &engine) &&
	    !ops->queue_create(engine, HISI_ZIP_QC_COMPRESS, &queues[0]) &&
	    !ops->queue_create(engine, HISI_ZIP_QC_DECOMPRESS, &queues[1]))
		for (size_t i = 0; i < nr; i++)
			serve(ops, queues, &dma, data + 2 + i * (1 + HISI_ZIP_SQE_BYTES));
	ops->queue_destroy(queues[0]);
	ops->queue_destroy(queues[1]);
	ops->destroy(engine);
	for (unsigned int i = 0; i < MAPS_MAX; i++)
		if (arena.maps[i].copy)
			abort();
	free(arena.bytes);
	return 0;
}

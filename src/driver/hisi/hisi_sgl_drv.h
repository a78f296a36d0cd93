/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* A program's struct iovec array as the chip's scatter list. */
#ifndef DRIVER_HISI_SGL_DRV_H
#define DRIVER_HISI_SGL_DRV_H

#include <stdint.h>
#include <sys/uio.h>

/* Chained blocks in one allocation, kept and reused for the slot it belongs to. */
struct hisi_sgl {
	uint8_t *block;
	uint32_t nr_blocks;
};

/*
 * Fills @sgl with the pieces that cover the first @bytes of @iov.  Returns 0,
 * -EINVAL when they do not reach, or -ENOMEM.
 */
int hisi_sgl_fill(struct hisi_sgl *sgl, const struct iovec *iov, uint32_t nr, uint64_t bytes);
void hisi_sgl_fini(struct hisi_sgl *sgl);

#endif

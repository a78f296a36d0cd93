/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* A program's struct iovec array as the chip's scatter list. */
#ifndef DRIVER_HISI_SGL_DRV_H
#define DRIVER_HISI_SGL_DRV_H

#include <stdint.h>
#include <sys/uio.h>

#include <wd/driver.h>

/* Chained blocks in one allocation, kept and reused for the slot it belongs to. */
struct hisi_sgl {
	struct wd_port *port; /* whose memory it is and maps; NULL: the device takes any pointer */
	uint8_t *block;
	uint64_t addr; /* of block, to the device */
	uint32_t nr_blocks;
	uint32_t nr_mapped;
	uint32_t mapping_room;
	struct wd_mapping *mapping; /* one per entry */
};

/*
 * Fills @sgl with the pieces that cover @bytes of @iov from @offset on, mapped for
 * @direction.  Returns 0, -EINVAL when they do not reach, -ENOMEM, or as
 * wd_port_memory.map; then nothing is mapped.
 */
int hisi_sgl_fill(struct hisi_sgl *sgl, const struct iovec *iov, uint32_t nr, uint64_t offset,
		  uint64_t bytes, uint32_t direction);
/* Ends the mappings: wd_unmap() with @written bytes of all, or without @req wd_unmap_unsent(). */
void hisi_sgl_unmap(struct hisi_sgl *sgl, struct wd_req *req, uint64_t written);
void hisi_sgl_fini(struct hisi_sgl *sgl);

#endif

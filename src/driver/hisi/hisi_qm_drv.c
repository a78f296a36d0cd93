/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The cold half of the queue manager: a queue pair is asked about, its rings
 * are found in the mapped regions, and what a dead device left is handed out.
 * Facts: user ABI 1.5, 2.2, 2.4, 2.10.
 */
#include <stdlib.h>

#include "driver/hisi/hisi_qm_ring.h"
#include "uapi/hisi_qm.h"

#define DEPTH_UNKNOWN 1024u /* of both rings, where QP_INFO is not known */

static int get_info(struct wd_port *port, uint32_t sqe_bytes, struct hisi_qp_info *info)
{
	*info = (struct hisi_qp_info){ 0 };
	if (port->control(port, UACCE_CMD_QM_SET_QP_INFO, info))
		*info = (struct hisi_qp_info){ .sqe_size = sqe_bytes,
					       .sq_depth = DEPTH_UNKNOWN,
					       .cq_depth = DEPTH_UNKNOWN };
	if (info->sqe_size != sqe_bytes || info->sq_depth < HISI_QM_DEPTH_MIN ||
	    info->sq_depth > HISI_QM_DEPTH_MAX || info->cq_depth < HISI_QM_DEPTH_MIN ||
	    info->cq_depth > HISI_QM_DEPTH_MAX)
		return -EIO;
	return 0;
}

int hisi_qm_ring_open(struct hisi_qm_ring *r, struct wd_port *port, uint32_t qc_type,
		      uint32_t sqe_bytes, uint32_t *depth)
{
	const struct wd_region *mmio = &port->region[WD_REGION_MMIO];
	const struct wd_region *dus = &port->region[WD_REGION_DUS];
	struct hisi_qp_ctx ctx = { .qc_type = (uint16_t)qc_type };
	struct hisi_qp_info info;
	size_t ring_bytes;
	uint8_t *end;
	int err;

	err = port->control(port, UACCE_CMD_QM_SET_QP_CTX, &ctx);
	if (err)
		return err;
	err = get_info(port, sqe_bytes, &info);
	if (err)
		return err;
	ring_bytes = (size_t)sqe_bytes * info.sq_depth + (size_t)HISI_QM_CQE_BYTES * info.cq_depth;
	if (!dus->addr || dus->bytes < ring_bytes + HISI_QM_DS_RX_FROM_END ||
	    (!port->ring && (!mmio->addr || mmio->bytes < HISI_QM_DB_OFFSET + sizeof(uint64_t))))
		return -EIO;
	r->slot = calloc(info.sq_depth, sizeof(*r->slot));
	if (!r->slot)
		return -ENOMEM;
	end = (uint8_t *)dus->addr + dus->bytes;
	r->sq = dus->addr;
	r->cq = r->sq + (size_t)sqe_bytes * info.sq_depth;
	r->ds_rx = (_Atomic uint32_t *)(void *)(end - HISI_QM_DS_RX_FROM_END);
	r->ds_tx = (_Atomic uint32_t *)(void *)(end - HISI_QM_DS_TX_FROM_END);
	r->db = (struct wd_doorbell){
		.reg = mmio->addr ? (uint8_t *)mmio->addr + HISI_QM_DB_OFFSET : NULL,
		.ring = port->ring,
		.arg = port->ring_arg,
		.offset = HISI_QM_DB_OFFSET,
	};
	r->number = ctx.id & HISI_QM_DB_QN_MASK;
	r->sq_depth = info.sq_depth;
	r->cq_depth = info.cq_depth;
	r->cq_phase = 1;
	/* One entry stays free in both: the device takes tail == head for an empty ring. */
	r->in_flight_max = base_min_u32(info.sq_depth, info.cq_depth) - 1;
	*depth = r->in_flight_max;
	return 0;
}

void hisi_qm_ring_close(struct hisi_qm_ring *r)
{
	free(r->slot);
	r->slot = NULL;
}

int hisi_qm_ring_abandon(struct hisi_qm_ring *r, struct wd_req **ret_reqs, unsigned int nr)
{
	unsigned int n = 0;

	while (n < nr && r->sq_oldest != r->sq_tail) {
		struct wd_req *req = hisi_qm_pop(r, r->sq_oldest);

		req->status = WD_STATUS_DEVICE_GONE;
		ret_reqs[n++] = req;
	}
	return (int)n;
}

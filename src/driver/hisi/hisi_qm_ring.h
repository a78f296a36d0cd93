/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The hot half of the queue manager: place an SQE, ring the doorbell, test the
 * phase bit, take a CQE.  Facts: user ABI 2.3 to 2.7.  Nothing that the device
 * writes is used before it was copied and checked.
 */
#ifndef DRIVER_HISI_QM_RING_H
#define DRIVER_HISI_QM_RING_H

#include <errno.h>
#include <stdbool.h>

#include <wd/driver.h>

#include "base/barrier.h"
#include "base/bytes.h"
#include "base/compiler.h"
#include "base/mmio.h"
#include "base/ring.h"
#include "hw/hisi_qm_hw.h"

/* What the driver remembers of the SQE in a slot. */
struct hisi_qm_slot {
	struct wd_req *req; /* NULL: the slot is free */
	uint32_t tag;	    /* what the SQE's tag must come back as */
	uint32_t reserved;
};

struct hisi_qm_ring {
	/* read only after open */
	uint8_t *sq;
	uint8_t *cq;
	_Atomic uint32_t *ds_tx; /* 1: sending disabled, by reset */
	_Atomic uint32_t *ds_rx; /* 1: receiving disabled */
	struct hisi_qm_slot *slot;
	struct wd_doorbell db;
	uint32_t number;
	uint32_t sq_depth;
	uint32_t cq_depth;
	uint32_t in_flight_max;
	/* written by send */
	uint32_t sq_tail;
	uint32_t sq_published; /* tail as the device knows it */
	uint32_t lap;	       /* upper half of tags, so that a stale SQE is told from a new one */
	/* written by recv */
	uint32_t sq_oldest; /* first slot still in flight, or sq_tail */
	uint32_t cq_head;
	uint32_t cq_phase;
	bool is_broken; /* the device answered nonsense */
};

/* hisi_qm_drv.c: cold. */
int hisi_qm_ring_open(struct hisi_qm_ring *r, struct wd_port *port, uint32_t qc_type,
		      uint32_t sqe_bytes, uint32_t *depth);
void hisi_qm_ring_close(struct hisi_qm_ring *r);
int hisi_qm_ring_abandon(struct hisi_qm_ring *r, struct wd_req **ret_reqs, unsigned int nr);

static inline void hisi_qm_doorbell(const struct hisi_qm_ring *r, uint32_t cmd, uint32_t idx,
				    uint64_t flags)
{
	uint64_t value = r->number | (uint64_t)cmd << HISI_QM_DB_CMD_SHIFT |
			 (uint64_t)idx << HISI_QM_DB_IDX_SHIFT | flags;

	if (base_likely(r->db.ring != NULL)) {
		r->db.ring(r->db.arg, r->db.offset, value);
		return;
	}
	/* SQEs before the doorbell, seen by the device */
	wd_dma_wmb();
	wd_mmio_write64(r->db.reg, value);
}

/* Whether a reset is under way; only the exact value counts. */
static inline bool hisi_qm_is_disabled(_Atomic uint32_t *status)
{
	/* pairs with the release of the model's status words */
	return base_unlikely(wd_load_acquire(status) == htole32(HISI_QM_DS_DISABLED));
}

static inline bool hisi_qm_has_room(const struct hisi_qm_ring *r)
{
	return ring_fill(r->sq_oldest, r->sq_tail, r->sq_depth) < r->in_flight_max;
}

/* Takes the tail's slot for @req; the SQE there was filled with hisi_qm_next_tag(). */
static inline uint32_t hisi_qm_next_tag(const struct hisi_qm_ring *r)
{
	return r->lap << 16 | r->sq_tail;
}

static inline void hisi_qm_push(struct hisi_qm_ring *r, struct wd_req *req)
{
	struct hisi_qm_slot *slot = &r->slot[r->sq_tail];

	slot->tag = hisi_qm_next_tag(r);
	slot->req = req;
	req->status = WD_STATUS_PENDING;
	req->retries = 0;
	req->bounced_bytes = 0;
	r->sq_tail = ring_next(r->sq_tail, r->sq_depth);
	r->lap += !r->sq_tail;
}

static inline void hisi_qm_publish(struct hisi_qm_ring *r)
{
	if (r->sq_published == r->sq_tail)
		return;
	r->sq_published = r->sq_tail;
	hisi_qm_doorbell(r, HISI_QM_DB_CMD_SQ, r->sq_tail, 0);
}

/*
 * The slot that the next CQE completes, taken off the CQ; -EAGAIN when there is
 * none, -EIO when the device names another than the oldest in flight: it completes
 * in order (facts 2.7), and may still be at work on any other.
 */
static inline int hisi_qm_take_cqe(struct hisi_qm_ring *r, uint32_t *ret_slot)
{
	uint8_t *cqe = r->cq + (size_t)r->cq_head * HISI_QM_CQE_BYTES;
	/* the phase before the rest of the CQE, the SQE and the payload: pairs with write_cqe() */
	uint32_t dw3 = le32toh(
		wd_load_acquire((_Atomic uint32_t *)(void *)(cqe + HISI_QM_CQE_DW3_OFFSET)));
	uint32_t slot;

	if ((dw3 >> HISI_QM_CQE_DW3_PHASE_SHIFT & HISI_QM_CQE_PHASE_MASK) != r->cq_phase)
		return -EAGAIN;
	wd_dma_rmb();
	slot = bytes_get_le16(cqe + offsetof(struct hisi_qm_cqe, sq_head));
	r->cq_phase = ring_next_phase(r->cq_phase, r->cq_head, r->cq_depth);
	r->cq_head = ring_next(r->cq_head, r->cq_depth);
	if (base_unlikely(slot != r->sq_oldest || !r->slot[slot].req))
		return -EIO;
	*ret_slot = slot;
	return 0;
}

/* Frees @slot; slots are reused in ring order whatever order they completed in. */
static inline struct wd_req *hisi_qm_pop(struct hisi_qm_ring *r, uint32_t slot)
{
	struct wd_req *req = r->slot[slot].req;

	r->slot[slot].req = NULL;
	while (r->sq_oldest != r->sq_tail && !r->slot[r->sq_oldest].req)
		r->sq_oldest = ring_next(r->sq_oldest, r->sq_depth);
	return req;
}

/* Tells the device how far the CQ was read; with @flags HISI_QM_DB_C_FLAG also to report. */
static inline void hisi_qm_ack(const struct hisi_qm_ring *r, uint64_t flags)
{
	hisi_qm_doorbell(r, HISI_QM_DB_CMD_CQ, r->cq_head, flags);
}

#endif

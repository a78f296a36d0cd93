/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Driver of the dummy machine (hw/dummy_hw.h): the smallest complete one, and
 * the one to copy.  Cold functions come first, then the hot path, then the
 * table that the library knows.
 *
 * A request occupies a slot from send to recv.  Its slot is unpublished, in
 * flight, or in the backlog: the device refused it, or it came while others that
 * were refused waited.  Each answer taken lets one of the backlog follow, and one
 * more if nothing was refused meanwhile; with nothing in flight one follows
 * always, and the device always has room for one.  So the backlog never waits
 * for anything but answers.
 *
 * A device that does not take any pointer gets its records from the port, and
 * each request's buffers are mapped from send to recv (struct dummy_maps).
 */
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <wd/driver.h>
#include <wd/memop.h>

#include "base/barrier.h"
#include "base/compiler.h"
#include "base/mmio.h"
#include "hw/dummy_hw.h"
#include "uapi/wd_dummy.h"

/* What belongs to a slot of the device's table: one cache line. */
struct dummy_slot {
	/* the device's, unless it reaches memory of its own only */
	BASE_ALIGNED(BASE_CACHE_LINE) struct dummy_record record;
	struct wd_memop_req *req; /* NULL: the slot is free */
	uint32_t tag;		  /* of the answer awaited; one more with each answer taken */
};

/* Distance of two records, wherever they lie. */
#define RECORD_STRIDE sizeof(struct dummy_slot)

/* What the request of a slot has mapped, where the device does not take any pointer. */
struct dummy_maps {
	struct wd_mapping src;
	struct wd_mapping dst;
};

struct dummy_queue {
	struct wd_doorbell doorbell; /* of the region's beginning */
	struct dummy_desc *desc;     /* the device's table, in region 1 */
	_Atomic uint64_t *done_word; /* the device's, in region 1 */
	_Atomic uint32_t *state;     /* the device's, in region 1 */
	uint8_t *records;	     /* the slots' own, or memory of the port */
	struct dummy_maps *maps;     /* by slot; NULL: the device takes any pointer */
	struct wd_port *port;	     /* for them */
	uint32_t nr_slots;
	uint32_t nr_groups; /* of which slots were ever used: there may be answers */
	uint32_t nr_free;
	uint32_t unpublished_groups; /* bit g: SUBMIT of group g is to be stored */
	uint32_t nr_taken;	     /* answers, since the start */

	/* Finished slots of one group, found together and handed out one by one. */
	uint32_t found_group;
	uint64_t found;

	/* Slots that wait to be submitted again, oldest first; the indices run freely. */
	uint32_t backlog_head;
	uint32_t backlog_tail;
	uint32_t nr_refused; /* since the backlog was last looked at */

	uint64_t submitted[DUMMY_GROUPS_MAX]; /* SUBMIT registers, as last or next stored */
	uint64_t taken[DUMMY_GROUPS_MAX];     /* DONE words, as far as acted upon */
	uint16_t free[DUMMY_SLOTS_MAX];	      /* free slots; the last one freed is warm */
	uint16_t backlog[DUMMY_SLOTS_MAX];
	struct dummy_slot slot[DUMMY_SLOTS_MAX];
};

_Static_assert(_Alignof(struct dummy_queue) <= 128, "what the library aligns a queue to");
_Static_assert((DUMMY_SLOTS_MAX & (DUMMY_SLOTS_MAX - 1)) == 0, "backlog indices are masked");

/* ---- cold */

static int dummy_probe(const char *api)
{
	return strcmp(api, "dummy_v3") ? -EOPNOTSUPP : 0;
}

/* How many slots the device says there are, as far as that can be true. */
static int ask_nr_slots(struct wd_port *port, uint32_t *ret_nr_slots)
{
	struct wd_dummy_info info = { 0 };
	int err = port->control(port, WD_DUMMY_CMD_GET_INFO, &info);

	if (err)
		return err;
	if (!info.nr_slots || info.nr_slots > DUMMY_SLOTS_MAX ||
	    DUMMY_DUS_SLOTS + (size_t)info.nr_slots * DUMMY_DESC_BYTES >
		    port->region[WD_REGION_DUS].bytes)
		return -EIO;
	*ret_nr_slots = info.nr_slots;
	return 0;
}

/* Where the device's records lie, and what the device calls that place. */
static int place_records(struct dummy_queue *q, struct wd_port *port, uint64_t *ret_addr)
{
	const struct wd_port_memory *memory = port->memory;

	if (!memory) {
		q->records = (uint8_t *)q->slot;
		*ret_addr = (uintptr_t)q->slot;
		return 0;
	}
	q->maps = calloc(q->nr_slots, sizeof(*q->maps));
	if (!q->maps)
		return -ENOMEM;
	q->records = memory->alloc(port, q->nr_slots * RECORD_STRIDE, ret_addr);
	if (q->records)
		return 0;
	free(q->maps);
	return -ENOMEM;
}

static int dummy_open(void *queue, struct wd_port *port, const struct wd_capa *capa,
		      uint32_t *depth)
{
	const struct wd_region *mmio = &port->region[WD_REGION_MMIO];
	uint8_t *dus = port->region[WD_REGION_DUS].addr;
	struct dummy_queue *q = queue;
	uint32_t nr_slots = 0;
	uint64_t records;
	uint32_t slot;
	int err;

	(void)capa; /* every queue serves every operation */
	if (!(port->flags & WD_CAPA_F_SVA) && !port->memory)
		return -EOPNOTSUPP;
	if (!dus || (!port->ring && (!mmio->addr || mmio->bytes < DUMMY_MMIO_BYTES)))
		return -EIO;
	err = ask_nr_slots(port, &nr_slots);
	if (err)
		return err;
	if (*depth && *depth < nr_slots)
		nr_slots = *depth;

	q->doorbell = (struct wd_doorbell){ .reg = mmio->addr,
					    .ring = port->ring,
					    .arg = port->ring_arg };
	q->desc = (struct dummy_desc *)(void *)(dus + DUMMY_DUS_SLOTS);
	q->done_word = (_Atomic uint64_t *)(void *)(dus + DUMMY_DUS_DONE(0));
	q->state = (_Atomic uint32_t *)(void *)(dus + DUMMY_DUS_STATE);
	q->port = port;
	q->nr_slots = nr_slots;
	q->nr_groups = 1;
	err = place_records(q, port, &records);
	if (err)
		return err;
	/* What a descriptor never changes is written once; slot 0 is the first to be used. */
	for (slot = nr_slots; slot-- > 0;) {
		q->desc[slot].record = htole64(records + slot * RECORD_STRIDE);
		q->slot[slot].tag = 1; /* not that of a record never written */
		q->free[q->nr_free++] = (uint16_t)slot;
	}
	*depth = nr_slots;
	return 0;
}

static void dummy_close(void *queue)
{
	struct dummy_queue *q = queue;

	if (!q->maps)
		return;
	q->port->memory->free(q->port, q->records, q->nr_slots * RECORD_STRIDE);
	free(q->maps);
}

/* ---- buffers of devices that do not take any pointer */

/* Refused by the device whatever lies there: goes to it as it is. */
static bool is_senseless(const struct wd_memop_req *req)
{
	uintptr_t src = (uintptr_t)req->src, dst = (uintptr_t)req->dst;
	uint64_t len = req->len;

	if (len > DUMMY_LEN_MAX || (req->head.op != WD_OP_FILL && src + len < src) ||
	    (req->head.op != WD_OP_CRC32 && dst + len < dst))
		return true;
	/* Of copies it would not see it any more. */
	return req->head.op == WD_OP_COPY && src < dst + len && dst < src + len;
}

static BASE_COLD int map_buffers(struct dummy_queue *q, uint32_t nr, struct wd_memop_req *req)
{
	struct dummy_maps *m = &q->maps[nr];
	size_t src_bytes = 0, dst_bytes = 0;
	int err;

	if (req->head.op == WD_OP_NOP)
		return 0;
	if (!is_senseless(req)) {
		src_bytes = req->head.op != WD_OP_FILL ? req->len : 0;
		dst_bytes = req->head.op != WD_OP_CRC32 ? req->len : 0;
	}
	err = wd_map(q->port, req->src, src_bytes, WD_MAP_READ, &m->src);
	if (err)
		return err;
	err = wd_map(q->port, req->dst, dst_bytes, WD_MAP_WRITE, &m->dst);
	if (err)
		wd_unmap_unsent(q->port, &m->src);
	return err;
}

static BASE_COLD void unmap_buffers(struct dummy_queue *q, uint32_t nr, struct wd_req *head,
				    size_t written)
{
	wd_unmap(q->port, head, &q->maps[nr].src, 0);
	wd_unmap(q->port, head, &q->maps[nr].dst, written);
}

static BASE_COLD void put_mapped(const struct dummy_queue *q, uint32_t nr)
{
	q->desc[nr].src = htole64(q->maps[nr].src.addr);
	q->desc[nr].dst = htole64(q->maps[nr].dst.addr);
}

/* ---- after the device */

static int dummy_abandon(void *queue, struct wd_req **ret_reqs, unsigned int nr)
{
	struct dummy_queue *q = queue;
	unsigned int n = 0;
	uint32_t slot;

	for (slot = 0; slot < q->nr_slots && n < nr; slot++) {
		struct wd_memop_req *req = q->slot[slot].req;

		if (!req)
			continue;
		if (q->maps)
			unmap_buffers(q, slot, &req->head, 0);
		/* A recv after this finds nothing. */
		q->slot[slot].req = NULL;
		req->head.status = WD_STATUS_DEVICE_GONE;
		ret_reqs[n++] = &req->head;
	}
	q->backlog_head = q->backlog_tail;
	return (int)n;
}

/* ---- hot: requests to descriptors */

static inline bool device_is_gone(const struct dummy_queue *q)
{
	return base_unlikely(wd_load_acquire(q->state) != htole32(DUMMY_STATE_WORKING));
}

static inline void ring(const struct dummy_queue *q, uint32_t reg, uint64_t value)
{
	const struct wd_doorbell *db = &q->doorbell;

	/* descriptors before the bits that submit them */
	wd_dma_wmb();
	if (db->ring)
		db->ring(db->arg, reg, value);
	else
		wd_mmio_write64((volatile uint8_t *)db->reg + reg, value);
}

static inline void publish(struct dummy_queue *q)
{
	uint32_t groups = q->unpublished_groups;

	for (; groups; groups &= groups - 1) {
		uint32_t g = (uint32_t)__builtin_ctz(groups);

		ring(q, DUMMY_REG_SUBMIT(g), q->submitted[g]);
	}
	q->unpublished_groups = 0;
}

/* By enum wd_op; less than 0: not this machine's. */
static const int8_t opcodes[] = {
	[WD_OP_NOP] = DUMMY_OP_NOP,   [WD_OP_COMPRESS] = -1,	    [WD_OP_DECOMPRESS] = -1,
	[WD_OP_COPY] = DUMMY_OP_COPY, [WD_OP_FILL] = DUMMY_OP_FILL, [WD_OP_CRC32] = DUMMY_OP_CRC32,
};

static inline int to_opcode(const struct wd_req *head)
{
	return head->op < BASE_ARRAY_SIZE(opcodes) ? opcodes[head->op] : -1;
}

/* Fills the descriptor of slot @nr and flips its bit; the doorbell is for publish(). */
static inline void submit(struct dummy_queue *q, uint32_t nr, uint8_t opcode)
{
	struct dummy_slot *slot = &q->slot[nr];
	struct dummy_desc *desc = &q->desc[nr];
	const struct wd_memop_req *req = slot->req;
	uint32_t g = nr / DUMMY_GROUP;

	/* The record needs no clearing: what is there has another tag. */
	desc->opcode = opcode;
	desc->tag = htole32(slot->tag);
	/* A NOP may be no more than its head; what the device finds there it ignores. */
	if (opcode != DUMMY_OP_NOP) {
		desc->len = htole64(req->len);
		desc->src = htole64((uintptr_t)req->src);
		desc->dst = htole64((uintptr_t)req->dst);
		memcpy(desc->pattern, &req->pattern, sizeof(desc->pattern));
		if (base_unlikely(q->maps != NULL))
			put_mapped(q, nr);
	}
	q->submitted[g] ^= 1ull << nr % DUMMY_GROUP;
	q->unpublished_groups |= 1u << g;
	if (base_unlikely(g >= q->nr_groups))
		q->nr_groups = g + 1;
}

static BASE_COLD void push_backlog(struct dummy_queue *q, uint32_t nr)
{
	q->backlog[q->backlog_tail++ & (DUMMY_SLOTS_MAX - 1)] = (uint16_t)nr;
}

/* There is a free slot. */
static inline int send_one(struct dummy_queue *q, struct wd_req *head)
{
	int opcode = to_opcode(head);
	uint32_t nr = q->free[q->nr_free - 1];

	if (base_unlikely(opcode < 0))
		return -EOPNOTSUPP;
	if (base_unlikely(q->maps != NULL)) {
		int err = map_buffers(q, nr, (struct wd_memop_req *)(void *)head);

		if (err)
			return wd_map_error(err, q->nr_free < q->nr_slots);
	}
	q->nr_free--;
	head->status = WD_STATUS_PENDING;
	head->retries = 0;
	head->bounced_bytes = 0;
	q->slot[nr].req = (struct wd_memop_req *)(void *)head;
	/* What was refused goes first, or it might never. */
	if (base_unlikely(q->backlog_head != q->backlog_tail))
		push_backlog(q, nr);
	else
		submit(q, nr, (uint8_t)opcode);
	return 0;
}

static int dummy_send(void *queue, struct wd_req *const *reqs, unsigned int nr)
{
	struct dummy_queue *q = queue;
	unsigned int n = 0;
	int err = 0;

	if (device_is_gone(q))
		return -ENODEV;
	for (; n < nr && !err; n++) {
		if (base_unlikely(!q->nr_free)) {
			/* Published whatever was said: no send will come before a recv. */
			publish(q);
			return n ? (int)n : -EAGAIN;
		}
		err = send_one(q, reqs[n]);
	}
	n -= base_unlikely(err);
	/* Without memory for copies it is as with a full queue. */
	if ((n && !(reqs[n - 1]->flags & WD_REQ_F_MORE)) || base_unlikely(err == -EAGAIN))
		publish(q);
	return n ? (int)n : err;
}

static int dummy_flush(void *queue)
{
	struct dummy_queue *q = queue;

	if (device_is_gone(q))
		return -ENODEV;
	publish(q);
	return 0;
}

/* ---- hot: completion records to results */

/* Looks for a group with finished slots, after the last one: each gets its turn. */
static inline bool find_finished(struct dummy_queue *q)
{
	uint32_t nr_left = q->nr_groups;
	uint32_t g = q->found_group;
	uint64_t found;

	do {
		if (++g >= q->nr_groups)
			g = 0;
		/* the records before their bits: pairs with the device's release */
		found = le64toh(wd_load_acquire(&q->done_word[g])) ^ q->taken[g];
	} while (!found && --nr_left);
	wd_dma_rmb();
	q->found_group = g;
	q->found = found;
	return found;
}

static BASE_COLD uint32_t to_error_status(uint8_t status, uint8_t error)
{
	if (status != DUMMY_ST_FAILED)
		return WD_STATUS_DEVICE_ERROR;
	switch (error) {
	case DUMMY_ERR_OPCODE:
	case DUMMY_ERR_FIELD:
	case DUMMY_ERR_LENGTH:
	case DUMMY_ERR_OVERLAP:
		return WD_STATUS_BAD_REQUEST;
	case DUMMY_ERR_ADDRESS:
		return WD_STATUS_BAD_ADDRESS;
	default:
		return WD_STATUS_DEVICE_ERROR;
	}
}

/* The device's answer becomes the request's results, as far as it makes sense. */
static inline void take_results(struct wd_memop_req *req, struct dummy_record *record,
				uint64_t answer)
{
	uint8_t status = answer & DUMMY_HEAD_STATUS_MASK;
	uint64_t done = 0, len = 0;

	if (req->head.op != WD_OP_NOP) {
		/* One load each: what is checked is what is used. */
		done = le64toh(wd_load_relaxed((_Atomic uint64_t *)(void *)&record->done));
		len = req->len;
		req->done = base_likely(done <= len) ? done : 0;
		req->crc = le32toh(wd_load_relaxed((_Atomic uint32_t *)(void *)&record->crc));
	}
	if (base_likely(status == DUMMY_ST_DONE && done == len))
		req->head.status = WD_STATUS_OK;
	else if (done > len)
		req->head.status = WD_STATUS_DEVICE_ERROR;
	else
		req->head.status = to_error_status(status, answer >> DUMMY_HEAD_ERROR_SHIFT &
								   DUMMY_HEAD_ERROR_MASK);
}

/* Submits what waited, as many as fit in the place of what was answered. */
static BASE_COLD void follow_up(struct dummy_queue *q, uint32_t nr_finished)
{
	uint32_t nr_waiting = q->backlog_tail - q->backlog_head;
	uint32_t nr = nr_finished + (nr_finished && !q->nr_refused);

	q->nr_refused = 0;
	if (!nr && nr_waiting == q->nr_slots - q->nr_free)
		nr = 1;
	for (nr = base_min_u32(nr, nr_waiting); nr; nr--) {
		uint32_t i = q->backlog[q->backlog_head++ & (DUMMY_SLOTS_MAX - 1)];

		submit(q, i, (uint8_t)to_opcode(&q->slot[i].req->head));
	}
	publish(q);
}

static BASE_COLD void take_refusal(struct dummy_queue *q, uint32_t nr)
{
	q->slot[nr].req->head.retries++;
	q->nr_refused++;
	push_backlog(q, nr);
}

/* Hands out what was found and what more there is, up to @nr. */
static int take_finished(struct dummy_queue *q, struct wd_req **ret_reqs, unsigned int nr)
{
	unsigned int n = 0;

	while (n < nr && (q->found || find_finished(q))) {
		uint64_t bit = q->found & -q->found;
		uint32_t i = q->found_group * DUMMY_GROUP + (uint32_t)__builtin_ctzll(bit);
		struct dummy_slot *slot = &q->slot[i];
		struct dummy_record *record =
			(struct dummy_record *)(void *)(q->records + i * RECORD_STRIDE);
		struct wd_memop_req *req = slot->req;
		/* the rest of the record before its head: pairs with the device's release */
		uint64_t answer = le64toh(wd_load_acquire((_Atomic uint64_t *)(void *)record));

		wd_dma_rmb();
		/* Nonsense.  It is found again until nothing else is left: then it is the end. */
		if (base_unlikely(answer >> DUMMY_HEAD_TAG_SHIFT != slot->tag || !req))
			return n ? (int)n : -ENODEV;
		q->found ^= bit;
		q->taken[q->found_group] ^= bit;
		q->nr_taken++;
		slot->tag++;
		if (base_unlikely((answer & DUMMY_HEAD_STATUS_MASK) == DUMMY_ST_RETRY)) {
			take_refusal(q, i);
			continue;
		}
		take_results(req, record, answer);
		if (base_unlikely(q->maps != NULL))
			unmap_buffers(q, i, &req->head, req->head.op == WD_OP_NOP ? 0 : req->done);
		slot->req = NULL;
		q->free[q->nr_free++] = (uint16_t)i;
		ret_reqs[n++] = &req->head;
	}
	if (base_unlikely(q->backlog_head != q->backlog_tail))
		follow_up(q, n);
	return (int)n;
}

static int dummy_recv(void *queue, struct wd_req **ret_reqs, unsigned int nr)
{
	struct dummy_queue *q = queue;

	if (base_likely(q->found || find_finished(q)))
		return take_finished(q, ret_reqs, nr);
	if (!device_is_gone(q))
		return 0;
	/* What it answered before it went was stored before it said so. */
	return find_finished(q) ? take_finished(q, ret_reqs, nr) : -ENODEV;
}

static void dummy_arm(void *queue)
{
	struct dummy_queue *q = queue;

	/* The device compares: an answer not yet taken is an event at once. */
	ring(q, DUMMY_REG_ARM, q->nr_taken);
}

extern const struct wd_driver wd_dummy_driver;

const struct wd_driver wd_dummy_driver = {
	.abi = WD_DRIVER_ABI,
	.name = "dummy",
	.queue_bytes = sizeof(struct dummy_queue),
	.probe = dummy_probe,
	.open = dummy_open,
	.close = dummy_close,
	.send = dummy_send,
	.flush = dummy_flush,
	.recv = dummy_recv,
	.arm = dummy_arm,
	.abandon = dummy_abandon,
};

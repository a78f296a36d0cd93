/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * A chip of either model and its users, by registers and memory alone: a user
 * sends one request per slot, and looks at what becomes of it.
 */
#ifndef TEST_UNIT_CHIP_RIG_H
#define TEST_UNIT_CHIP_RIG_H

#include <stdlib.h>
#include <zlib.h>

#include "base/barrier.h"
#include "base/bytes.h"
#include "base/wait.h"
#include "chip/chip.h"
#include "hw/dummy_hw.h"
#include "lib/t_assert.h"
#include "uapi/hisi_qm.h"

#define PAGE	 4096u
#define DEPTH	 16u
#define BYTES	 4096u /* of each request's input */
#define ROOM	 8192u
#define DEADLINE (120000 * WAIT_NS_PER_MS) /* a machine busy with other things takes its time */
#define FAR_OFF	 (1000000 * WAIT_NS_PER_MS)

static const char *const models[] = { "hisi_zip", "dummy" };

#define FOR_EACH_MODEL(m) for (unsigned int m = 0; m < 2; m++)

struct rig {
	struct chip *chip;
	bool is_zip;
	_Atomic unsigned int nr_raised;
	uint8_t in[BYTES];
};

struct user {
	struct rig *rig;
	struct chip_queue *q;
	uint8_t *dus;
	size_t dus_bytes;
	uint16_t number;
	uint32_t tail;	    /* zip */
	uint32_t cq_head;   /* zip */
	uint32_t phase;	    /* zip */
	uint64_t submitted; /* dummy */
	uint64_t taken;	    /* dummy */
	struct dummy_record *record;
	uint8_t (*out)[ROOM];
};

static inline void raised(void *owner, void *queue_owner)
{
	struct rig *rig = owner;

	(void)queue_owner;
	atomic_fetch_add(&rig->nr_raised, 1);
}

static inline void rig_open_with(struct rig *rig, unsigned int m, struct chip_config config)
{
	unsigned int i;

	memset(rig, 0, sizeof(*rig));
	rig->is_zip = !m;
	for (i = 0; i < BYTES; i++)
		rig->in[i] = (uint8_t)("deflate and copy"[i % 16] + (i >> 8));
	config.flags = CHIP_F_TRACE;
	config.nr_queues = 4;
	config.depth = DEPTH;
	config.raise = raised;
	config.owner = rig;
	chip_dma_use_own_memory(&config);
	assert_ok(chip_create(chip_find_model(models[m]), &config, &rig->chip));
}

static inline void rig_open(struct rig *rig, unsigned int m)
{
	rig_open_with(rig, m, (struct chip_config){ 0 });
}

static inline void rig_close(struct rig *rig)
{
	rig->chip->ops->destroy(rig->chip);
}

static inline void *zeroed(size_t bytes)
{
	void *p = aligned_alloc(PAGE, (bytes + PAGE - 1) / PAGE * PAGE);

	assert_non_null(p);
	memset(p, 0, bytes);
	return p;
}

static inline void user_open_as(struct rig *rig, struct user *u, uint32_t qc_type)
{
	const struct chip_ops *ops = rig->chip->ops;
	struct chip_queue_layout layout;
	struct hisi_qp_ctx ctx = { .qc_type = (uint16_t)qc_type };

	memset(u, 0, sizeof(*u));
	u->rig = rig;
	u->phase = 1;
	assert_ok(ops->queue_open(rig->chip, u, &u->q));
	if (rig->is_zip) {
		assert_ok(ops->queue_control(u->q, UACCE_CMD_QM_SET_QP_CTX, &ctx));
		u->number = ctx.id;
	}
	ops->queue_layout(u->q, &layout);
	u->dus_bytes = layout.dus_bytes;
	u->dus = zeroed(u->dus_bytes);
	u->record = zeroed(DEPTH * sizeof(*u->record));
	u->out = zeroed(DEPTH * sizeof(*u->out));
	assert_ok(ops->queue_bind(u->q, (uintptr_t)u->dus, u->dus_bytes));
	assert_ok(ops->queue_start(u->q));
}

static inline void user_open(struct rig *rig, struct user *u)
{
	user_open_as(rig, u, 0);
}

static inline void user_close(struct user *u)
{
	u->q->chip->ops->queue_stop(u->q);
	u->q->chip->ops->queue_close(u->q);
	free(u->dus);
	free(u->record);
	free(u->out);
}

static inline void put_addr(uint8_t *p, const void *addr)
{
	bytes_put_le32(p, (uint32_t)(uintptr_t)addr);
	bytes_put_le32(p + 4, (uint32_t)((uint64_t)(uintptr_t)addr >> 32));
}

static inline uint8_t *zip_sqe(const struct user *u, uint32_t slot)
{
	return u->dus + 128u * slot;
}

static inline void zip_ring(struct user *u, uint32_t cmd, uint32_t idx)
{
	u->q->chip->ops->queue_doorbell(u->q, 0x1000,
					u->number | (uint64_t)cmd << 12 | (uint64_t)idx << 32);
}

/* A stateless raw deflate request at the tail. */
static inline void zip_send(struct user *u, const void *src, uint32_t bytes)
{
	uint8_t *sqe = zip_sqe(u, u->tail);

	memset(sqe, 0, 128);
	bytes_put_le32(sqe + 16, bytes);
	bytes_put_le32(sqe + 28, 0x30000000);
	bytes_put_le32(sqe + 36, 0x4001);
	bytes_put_le32(sqe + 56, ROOM);
	put_addr(sqe + 72, src);
	put_addr(sqe + 80, u->out[u->tail]);
	u->tail = (u->tail + 1) % DEPTH;
	zip_ring(u, 0, u->tail);
}

static inline void dummy_send(struct user *u, uint32_t slot, struct dummy_desc desc)
{
	desc.tag = htole32(100 + slot);
	desc.record = htole64((uintptr_t)&u->record[slot]);
	memcpy(u->dus + DUMMY_DUS_SLOTS + slot * DUMMY_DESC_BYTES, &desc, sizeof(desc));
	u->submitted ^= 1ull << slot;
	u->q->chip->ops->queue_doorbell(u->q, DUMMY_REG_SUBMIT(0), u->submitted);
}

static inline void dummy_copy(struct user *u, uint32_t slot, uint64_t bytes)
{
	dummy_send(u, slot,
		   (struct dummy_desc){ .opcode = DUMMY_OP_COPY,
					.len = htole64(bytes),
					.src = htole64((uintptr_t)u->rig->in),
					.dst = htole64((uintptr_t)u->out[slot]) });
}

/* Requests in slots 0 to @nr - 1 of a new queue, of the whole input each. */
static inline void send_all(struct user *u, uint32_t nr)
{
	uint32_t slot;

	for (slot = 0; slot < nr; slot++) {
		if (u->rig->is_zip)
			zip_send(u, u->rig->in, BYTES);
		else
			dummy_copy(u, slot, BYTES);
	}
}

/* The next completion there is: the slot that it is for. */
static inline bool take(struct user *u, uint32_t *ret_slot)
{
	const uint8_t *cqe = u->dus + 128u * DEPTH + 16u * u->cq_head;
	uint64_t found;

	if (u->rig->is_zip) {
		uint32_t dw3 = wd_load_acquire((_Atomic uint32_t *)(void *)(cqe + 12));

		if ((dw3 >> 16 & 1) != u->phase)
			return false;
		*ret_slot = bytes_get_le16(cqe + 8);
		u->cq_head = (u->cq_head + 1) % DEPTH;
		u->phase ^= !u->cq_head;
		zip_ring(u, 1, u->cq_head);
		return true;
	}
	found = wd_load_acquire((_Atomic uint64_t *)(void *)(u->dus + DUMMY_DUS_DONE(0))) ^
		u->taken;
	if (!found)
		return false;
	*ret_slot = (uint32_t)__builtin_ctzll(found);
	u->taken ^= found & -found;
	return true;
}

/* Takes all completions; returns a bit per slot, and asserts that none came twice. */
static inline uint32_t take_all(struct user *u)
{
	uint32_t slots = 0, slot;

	while (take(u, &slot)) {
		assert_true(slot < DEPTH);
		assert_false(slots & 1u << slot);
		slots |= 1u << slot;
	}
	return slots;
}

static inline uint32_t status_of(const struct user *u, uint32_t slot)
{
	if (u->rig->is_zip)
		return bytes_get_le32(zip_sqe(u, slot) + 12) & 0xff;
	return u->record[slot].status == DUMMY_ST_DONE ? 0 : u->record[slot].error;
}

static inline uint32_t produced(const struct user *u, uint32_t slot)
{
	return u->rig->is_zip ? bytes_get_le32(zip_sqe(u, slot) + 4) :
				(uint32_t)le64toh(u->record[slot].done);
}

/* Whether the output of @slot is right. */
static inline bool is_right(const struct user *u, uint32_t slot)
{
	uint8_t back[BYTES + 1];
	z_stream z = { .next_in = (Bytef *)u->out[slot],
		       .avail_in = ROOM,
		       .next_out = back,
		       .avail_out = sizeof(back) };
	int ret;

	if (!u->rig->is_zip)
		return !memcmp(u->out[slot], u->rig->in, BYTES);
	assert_int_equal(inflateInit2(&z, -15), Z_OK);
	ret = inflate(&z, Z_FINISH);
	inflateEnd(&z);
	return ret == Z_STREAM_END && z.total_out == BYTES && !memcmp(back, u->rig->in, BYTES);
}

static inline int run(struct user *u, unsigned int budget)
{
	return u->q->chip->ops->queue_run(u->q, budget, NULL);
}

static inline bool has_work(struct user *u)
{
	return u->q->chip->ops->queue_has_work(u->q);
}

static inline uint64_t due_ns(struct user *u)
{
	return u->q->chip->ops->queue_due_ns(u->q);
}

static inline struct chip_counters counters(struct rig *rig)
{
	struct chip_counters c;

	rig->chip->ops->counters(rig->chip, &c);
	return c;
}

static inline void inject(struct rig *rig, const char *text)
{
	struct chip_fault fault;

	assert_ok(chip_fault_parse(text, &fault));
	assert_ok(chip_inject(rig->chip, &fault));
}

/* Both words that tell a queue's user of a reset, or neither. */
static inline bool is_told_of_reset(const struct user *u)
{
	if (!u->rig->is_zip)
		return bytes_get_le32(u->dus + DUMMY_DUS_STATE) == DUMMY_STATE_RESET;
	assert_int_equal(bytes_get_le32(u->dus + u->dus_bytes - 4),
			 bytes_get_le32(u->dus + u->dus_bytes - 8));
	return bytes_get_le32(u->dus + u->dus_bytes - 4) == 1;
}

/* A new queue does its work. */
static inline void check_chip_works(struct rig *rig)
{
	struct user u;

	user_open(rig, &u);
	send_all(&u, 3);
	assert_true(has_work(&u));
	assert_int_equal(run(&u, 8), 3);
	assert_int_equal(take_all(&u), 7);
	assert_true(is_right(&u, 0) && is_right(&u, 2));
	user_close(&u);
}

static inline void wait_until(uint64_t deadline_ns)
{
	_Atomic uint32_t word = 0;

	while (wait_clock_ns() < deadline_ns)
		wait_park(&word, 0, deadline_ns);
}

/* Slots of @u that ended in an error, after all were served. */
static inline uint32_t errors_of(struct user *u, uint32_t nr)
{
	uint32_t slot, bad = 0;

	assert_int_equal(run(u, 100), nr);
	assert_int_equal(take_all(u), (1u << nr) - 1);
	for (slot = 0; slot < nr; slot++)
		bad |= (status_of(u, slot) ? 1u : 0) << slot;
	return bad;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * A hostile user of the dummy machine: any descriptors, doorbells, memory and
 * order of calls.  Memory is an arena outside of which nothing can be reached;
 * in one of the modes each mapping is an allocation of exactly its size.
 *
 * Input: a byte of mode, a byte of slots, a byte of arena size, then commands as
 * next_command() reads them; what is missing at the end is zeros.
 */
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "chip/chip.h"
#include "hw/dummy_hw.h"
#include "uapi/wd_dummy.h"

#define ARENA_BASE 0x40000000ull
#define PAGE	   4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the process as a finding. */
#define MUST(x)                  \
	do {                     \
		if (!(x))        \
			abort(); \
	} while (0)

enum map_mode {
	MAP_WHOLE,
	MAP_PAGES,  /* nothing that crosses a page */
	MAP_NEVER,  /* read and write only */
	MAP_COPIES, /* each mapping an allocation of its own */
};

struct user {
	const uint8_t *data;
	size_t left;
	enum map_mode mode;
	uint8_t *arena;
	size_t arena_bytes;
	unsigned int nr_mapped;
	uint64_t submitted[DUMMY_GROUPS_MAX];
	struct chip_queue *queue;
};

/* The next @bytes of the input. */
static void get(struct user *u, void *buf, size_t bytes)
{
	size_t n = bytes < u->left ? bytes : u->left;

	memset(buf, 0, bytes);
	memcpy(buf, u->data, n);
	u->data += n;
	u->left -= n;
}

static uint8_t get_u8(struct user *u)
{
	uint8_t v;

	get(u, &v, sizeof(v));
	return v;
}

static uint16_t get_u16(struct user *u)
{
	uint16_t v;

	get(u, &v, sizeof(v));
	return le16toh(v);
}

static uint64_t get_u64(struct user *u)
{
	uint64_t v;

	get(u, &v, sizeof(v));
	return le64toh(v);
}

static bool is_inside(const struct user *u, uint64_t addr, size_t bytes)
{
	return addr >= ARENA_BASE && addr - ARENA_BASE <= u->arena_bytes &&
	       bytes <= u->arena_bytes - (addr - ARENA_BASE);
}

/* A mapping in MAP_COPIES: where it goes back to, then what the model sees. */
struct copy {
	uint64_t addr;
	uint64_t pad;
	uint8_t bytes[];
};

static void *arena_map(void *owner, uint64_t addr, size_t bytes, bool is_write)
{
	struct user *u = owner;
	struct copy *copy;

	(void)is_write;
	if (!is_inside(u, addr, bytes) || u->mode == MAP_NEVER ||
	    (u->mode == MAP_PAGES && addr % PAGE + bytes > PAGE))
		return NULL;
	u->nr_mapped++;
	if (u->mode != MAP_COPIES)
		return u->arena + (addr - ARENA_BASE);
	copy = malloc(sizeof(*copy) + bytes);
	MUST(copy);
	copy->addr = addr;
	memcpy(copy->bytes, u->arena + (addr - ARENA_BASE), bytes);
	return copy->bytes;
}

static void arena_unmap(void *owner, void *ptr, size_t bytes, bool is_write)
{
	struct user *u = owner;
	struct copy *copy;

	MUST(u->nr_mapped-- > 0);
	if (u->mode != MAP_COPIES)
		return;
	copy = (struct copy *)(void *)((uint8_t *)ptr - offsetof(struct copy, bytes));
	if (is_write)
		memcpy(u->arena + (copy->addr - ARENA_BASE), copy->bytes, bytes);
	free(copy);
}

static int arena_read(void *owner, uint64_t addr, void *buf, size_t bytes)
{
	struct user *u = owner;

	if (!is_inside(u, addr, bytes))
		return -EFAULT;
	memcpy(buf, u->arena + (addr - ARENA_BASE), bytes);
	return 0;
}

static int arena_write(void *owner, uint64_t addr, const void *buf, size_t bytes)
{
	struct user *u = owner;

	if (!is_inside(u, addr, bytes))
		return -EFAULT;
	memcpy(u->arena + (addr - ARENA_BASE), buf, bytes);
	return 0;
}

static void count_event(void *owner, void *queue_owner)
{
	MUST(owner == queue_owner);
}

/* An address as it stands, or one in the arena. */
static uint64_t place(struct user *u, uint64_t raw, bool is_inner)
{
	return is_inner ? ARENA_BASE + le64toh(raw) % u->arena_bytes : le64toh(raw);
}

/* A slot, bits that bring addresses into the arena, 64 bytes; submitted unless bit 4 says not. */
static void put_desc(struct user *u)
{
	uint32_t slot = get_u8(u);
	uint8_t how = get_u8(u);
	size_t at = DUMMY_DUS_SLOTS + slot * sizeof(struct dummy_desc);
	struct dummy_desc desc;

	get(u, &desc, sizeof(desc));
	desc.src = htole64(place(u, desc.src, how & 1));
	desc.dst = htole64(place(u, desc.dst, how & 2));
	desc.record = htole64(place(u, desc.record, how & 4));
	if (how & 8)
		desc.record &= htole64(~(uint64_t)(DUMMY_RECORD_BYTES - 1));
	if (at + sizeof(desc) <= u->arena_bytes)
		memcpy(u->arena + at, &desc, sizeof(desc));
	u->submitted[slot / DUMMY_GROUP] ^= 1ull << slot % DUMMY_GROUP;
	if (!(how & 16))
		u->queue->chip->ops->queue_doorbell(u->queue, DUMMY_REG_SUBMIT(slot / DUMMY_GROUP),
						    u->submitted[slot / DUMMY_GROUP]);
}

static void put_bytes(struct user *u)
{
	size_t at = get_u16(u);
	uint8_t bytes[32];

	get(u, bytes, sizeof(bytes));
	if (at + sizeof(bytes) <= u->arena_bytes)
		memcpy(u->arena + at, bytes, sizeof(bytes));
}

static void run(struct user *u, unsigned int budget)
{
	int n = u->queue->chip->ops->queue_run(u->queue, budget, NULL);

	MUST(n >= 0 && (unsigned int)n <= budget);
	MUST(u->nr_mapped == 0);
}

static void next_command(struct user *u)
{
	const struct chip_ops *ops = u->queue->chip->ops;
	uint32_t offset;

	switch (get_u8(u) % 8) {
	case 0:
	case 1:
		put_desc(u);
		break;
	case 2:
		run(u, get_u8(u) % 16);
		break;
	case 3:
		offset = get_u16(u);
		ops->queue_doorbell(u->queue, offset, get_u64(u));
		break;
	case 4:
		put_bytes(u);
		break;
	case 5:
		ops->queue_doorbell(u->queue, DUMMY_REG_ARM, get_u8(u));
		break;
	case 6:
		run(u, 1);
		break;
	default:
		offset = get_u8(u);
		if (offset == 0x5a)
			ops->reset(u->queue->chip);
		else if (offset == 0xa5)
			ops->queue_stop(u->queue);
		break;
	}
}

/* A queue with nothing left to do has answered all that it fetched, unless it ended. */
static void finish(struct user *u)
{
	const struct chip_ops *ops = u->queue->chip->ops;
	struct chip_counters c;

	run(u, 2 * DUMMY_SLOTS_MAX);
	MUST(!ops->queue_has_work(u->queue));
	ops->counters(u->queue->chip, &c);
	MUST(c.completions <= c.requests && c.errors <= c.completions);
	ops->queue_stop(u->queue);
	run(u, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct user u = { .data = data, .left = size };
	struct chip_config config = {
		.nr_queues = 1,
		.dma = { arena_map, arena_unmap, arena_read, arena_write },
		.owner = &u,
		.raise = count_event,
	};
	struct chip_queue_layout layout;
	struct chip *chip;

	u.mode = get_u8(&u) % 4;
	config.depth = 1 + get_u8(&u);
	MUST(!chip_create(chip_find_model("dummy"), &config, &chip));
	MUST(!chip->ops->queue_open(chip, &u, &u.queue));
	chip->ops->queue_layout(u.queue, &layout);
	u.arena_bytes = layout.dus_bytes + 37u * get_u8(&u);
	u.arena = calloc(1, u.arena_bytes);
	MUST(u.arena);
	MUST(!chip->ops->queue_bind(u.queue, ARENA_BASE, layout.dus_bytes));
	MUST(!chip->ops->queue_start(u.queue));
	while (u.left)
		next_command(&u);
	finish(&u);
	chip->ops->queue_close(u.queue);
	chip->ops->destroy(chip);
	free(u.arena);
	return 0;
}

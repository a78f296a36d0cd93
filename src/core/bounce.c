/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Memory calls of a port whose device does not take any pointer.  What was
 * shared with it is used where it lies; everything else is copied to memory that
 * both sides reach, and back.
 *
 * Such memory is the queue's own and kept: slots of a power of two, cut from
 * chunks of one size, which are asked of the backend as they are needed, up to
 * wd_config.bounce_bytes for each queue.  So no queue waits for another's
 * requests, and nothing here is locked: who calls has the queue.  A mapping longer
 * than the largest slot has a chunk for itself, which goes with it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"
#include "core/queue.h"
#include "core/share.h"

#define SLOT_SHIFT_MIN 6u
#define SLOT_SHIFT_MAX 23u /* 8 MiB, what a piece of compression is at most */
#define NR_CLASSES     (SLOT_SHIFT_MAX - SLOT_SHIFT_MIN + 1)
#define CLASS_SINGLE   NR_CLASSES  /* of chunks with one mapping of any length */
#define CHUNK_BYTES    (64u << 10) /* at least; pays for asking the backend */
#define INDEX_BITS     10u	   /* of wd_mapping.slot; above: the chunk's number */
#define CHUNKS_MAX     (1u << (32 - INDEX_BITS))

_Static_assert(CHUNK_BYTES >> SLOT_SHIFT_MIN <= 1u << INDEX_BITS, "a slot's index fits");

struct bounce_chunk {
	struct bounce_chunk *next; /* with a free slot, of the same class */
	uint8_t *ptr;
	uint64_t addr;
	size_t bytes;
	uint32_t number;
	uint32_t class;
	uint32_t nr_slots;
	uint32_t nr_free;
	uint16_t free[]; /* the last one freed is warm */
};

struct bounce_pool {
	struct wd_port_memory memory; /* the port's: finds the pool */
	struct wd_backend_host *host;
	const char *device;
	struct share_table *shares; /* NULL: the device uses nothing in place */
	uint64_t bytes_max;
	uint64_t bytes; /* of all chunks */
	uint32_t nr_in_use;
	uint32_t nr_chunks; /* length of the table, holes included */
	struct bounce_chunk **chunks;
	struct bounce_chunk *roomy[NR_CLASSES];
};

static struct bounce_pool *to_pool(const struct wd_port *port)
{
	return base_container_of(port->memory, struct bounce_pool, memory);
}

/* ---------------------------------------------------------------- chunks */

static size_t slot_bytes(const struct bounce_chunk *c)
{
	return c->class == CLASS_SINGLE ? c->bytes : (size_t)1 << (c->class + SLOT_SHIFT_MIN);
}

static uint32_t class_of(size_t bytes)
{
	uint32_t class = 0;

	while (class < NR_CLASSES && bytes > (size_t)1 << (class + SLOT_SHIFT_MIN))
		class ++;
	return class;
}

/* The chunk's place in the table, made if need be.  Returns 0 or -ENOMEM. */
static int find_number(struct bounce_pool *pool, uint32_t *ret_number)
{
	struct bounce_chunk **more;
	uint32_t n = 0, room;

	while (n < pool->nr_chunks && pool->chunks[n])
		n++;
	if (n == pool->nr_chunks) {
		room = n ? n * 2 : 16;
		if (room > CHUNKS_MAX)
			return -ENOMEM;
		more = realloc(pool->chunks, room * sizeof(struct bounce_chunk *));
		if (!more)
			return -ENOMEM;
		memset(more + n, 0, (room - n) * sizeof(struct bounce_chunk *));
		pool->chunks = more;
		pool->nr_chunks = room;
	}
	*ret_number = n;
	return 0;
}

static void free_chunk(struct bounce_pool *pool, struct bounce_chunk *c)
{
	pool->host->backend->mem_free(pool->host, pool->device, c->ptr, c->bytes);
	pool->bytes -= c->bytes;
	pool->chunks[c->number] = NULL;
	free(c);
}

/* Gives chunks back that nobody uses, until there is room for @bytes more. */
static bool make_room(struct bounce_pool *pool, size_t bytes)
{
	uint32_t class;

	for (class = 0; class < NR_CLASSES; class ++) {
		struct bounce_chunk **at = &pool->roomy[class];

		while (*at && pool->bytes + bytes > pool->bytes_max) {
			struct bounce_chunk *c = *at;

			if (c->nr_free == c->nr_slots) {
				*at = c->next;
				free_chunk(pool, c);
			} else {
				at = &c->next;
			}
		}
	}
	return pool->bytes + bytes <= pool->bytes_max;
}

/* A chunk with free slots of @class, which is also where they are looked for. */
static struct bounce_chunk *add_chunk(struct bounce_pool *pool, uint32_t class, size_t bytes)
{
	uint32_t nr_slots = class == CLASS_SINGLE ? 1 :
						    (uint32_t)(bytes >> (class + SLOT_SHIFT_MIN));
	struct bounce_chunk *c;
	uint32_t i;

	if (bytes > pool->bytes_max || !make_room(pool, bytes))
		return NULL;
	c = malloc(sizeof(*c) + nr_slots * sizeof(c->free[0]));
	if (!c)
		return NULL;
	*c = (struct bounce_chunk){ .bytes = bytes, .class = class };
	if (find_number(pool, &c->number))
		goto out_free;
	c->ptr = pool->host->backend->mem_alloc(pool->host, pool->device, bytes, &c->addr);
	if (!c->ptr)
		goto out_free;
	c->nr_slots = nr_slots;
	for (i = nr_slots; i-- > 0;)
		c->free[c->nr_free++] = (uint16_t)i;
	pool->chunks[c->number] = c;
	pool->bytes += bytes;
	if (class < NR_CLASSES) {
		c->next = pool->roomy[class];
		pool->roomy[class] = c;
	}
	return c;

out_free:
	free(c);
	return NULL;
}

/* ---------------------------------------------------------------- slots */

static BASE_COLD struct bounce_chunk *add_single(struct bounce_pool *pool, size_t bytes)
{
	/* Before rounding up, which must not wrap. */
	if (bytes > pool->bytes_max)
		return NULL;
	return add_chunk(pool, CLASS_SINGLE, base_align_up(bytes, (size_t)sysconf(_SC_PAGESIZE)));
}

static struct bounce_chunk *find_chunk(struct bounce_pool *pool, size_t bytes)
{
	uint32_t class = class_of(bytes);
	size_t slot;

	if (base_unlikely(class == CLASS_SINGLE))
		return add_single(pool, bytes);
	if (base_likely(pool->roomy[class] != NULL))
		return pool->roomy[class];
	slot = (size_t)1 << (class + SLOT_SHIFT_MIN);
	/* The bound may hold it, though not the slot of its class. */
	if (slot > pool->bytes_max)
		return add_single(pool, bytes);
	return add_chunk(pool, class, slot < CHUNK_BYTES ? CHUNK_BYTES : slot);
}

static int take_slot(struct bounce_pool *pool, size_t bytes, struct wd_mapping *m)
{
	struct bounce_chunk *c = find_chunk(pool, bytes);
	uint32_t i;

	/* What others hold may come back; with nothing in use there is no more to come. */
	if (base_unlikely(!c))
		return pool->nr_in_use && bytes <= pool->bytes_max ? -EAGAIN : -ENOMEM;
	i = c->free[--c->nr_free];
	if (!c->nr_free && c->class < NR_CLASSES)
		pool->roomy[c->class] = c->next;
	pool->nr_in_use++;
	m->slot = c->number << INDEX_BITS | i;
	m->bounce = c->ptr + i * slot_bytes(c);
	m->addr = c->addr + i * slot_bytes(c);
	return 0;
}

static void give_slot(struct bounce_pool *pool, uint32_t slot)
{
	struct bounce_chunk *c = pool->chunks[slot >> INDEX_BITS];

	pool->nr_in_use--;
	if (base_unlikely(c->class == CLASS_SINGLE)) {
		free_chunk(pool, c);
		return;
	}
	if (!c->nr_free) {
		c->next = pool->roomy[c->class];
		pool->roomy[c->class] = c;
	}
	c->free[c->nr_free++] = (uint16_t)(slot & ((1u << INDEX_BITS) - 1));
}

/* ---------------------------------------------------------------- the port's calls */

static void *bounce_mem_alloc(struct wd_port *port, size_t bytes, uint64_t *ret_addr)
{
	struct bounce_pool *pool = to_pool(port);

	return pool->host->backend->mem_alloc(pool->host, pool->device, bytes, ret_addr);
}

static void bounce_mem_free(struct wd_port *port, void *ptr, size_t bytes)
{
	struct bounce_pool *pool = to_pool(port);

	if (ptr)
		pool->host->backend->mem_free(pool->host, pool->device, ptr, bytes);
}

static int bounce_map(struct wd_port *port, void *ptr, size_t bytes, uint32_t direction,
		      struct wd_mapping *ret_mapping)
{
	struct bounce_pool *pool = to_pool(port);
	struct wd_mapping m = {
		.addr = (uintptr_t)ptr, .ptr = ptr, .bytes = bytes, .direction = direction
	};
	int err;

	if (bytes &&
	    !(pool->shares && share_covers(pool->shares, (uintptr_t)ptr, bytes, direction))) {
		err = take_slot(pool, bytes, &m);
		if (base_unlikely(err))
			return err;
		if (direction & WD_MAP_READ)
			memcpy(m.bounce, ptr, bytes);
	}
	*ret_mapping = m;
	return 0;
}

static void bounce_unmap(struct wd_port *port, struct wd_mapping *m, size_t written)
{
	if (!m->bounce)
		return;
	/* How much the device wrote is its own word. */
	written = base_min_u64(written, m->bytes);
	if (m->direction & WD_MAP_WRITE && written)
		memcpy(m->ptr, m->bounce, written);
	give_slot(to_pool(port), m->slot);
	m->bounce = NULL;
}

int bounce_open(struct core_queue *cq)
{
	struct wd_device *d = cq->device;
	struct bounce_pool *pool;
	int err = 0;

	cq->bq->port.memory = NULL;
	/* Without memory to lend it is for the driver to say whether it can do with that. */
	if (d->info.flags & WD_CAPA_F_SVA || !d->host->backend->mem_alloc)
		return 0;
	if (d->info.flags & WD_CAPA_F_SHARE)
		err = share_table_create(d);
	if (err)
		return err;
	pool = calloc(1, sizeof(*pool));
	if (!pool)
		return -ENOMEM;
	pool->memory = (struct wd_port_memory){
		.alloc = bounce_mem_alloc,
		.free = bounce_mem_free,
		.map = bounce_map,
		.unmap = bounce_unmap,
	};
	pool->host = d->host;
	pool->device = d->backend_name;
	pool->bytes_max = d->host->config->bounce_bytes;
	pool->shares = d->info.flags & WD_CAPA_F_SHARE ? d->shares : NULL;
	cq->bounce = pool;
	cq->bq->port.memory = &pool->memory;
	return 0;
}

void bounce_close(struct core_queue *cq)
{
	struct bounce_pool *pool = cq->bounce;
	uint32_t i;

	if (!pool)
		return;
	for (i = 0; i < pool->nr_chunks; i++)
		if (pool->chunks[i])
			free_chunk(pool, pool->chunks[i]);
	free(pool->chunks);
	free(pool);
	cq->bounce = NULL;
	cq->bq->port.memory = NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Memory calls of a port whose device reaches memory of its own only, over a
 * backend that counts what it lends.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <wd/driver.h>

#include "core/queue.h"
#include "core/share.h"
#include "lib/t_assert.h"

#define MIB	 (1u << 20)
#define FAR_AWAY 0x4000000000000000ull /* what the device calls the same memory */
#define READ	 WD_MAP_READ
#define WRITE	 WD_MAP_WRITE

static struct fake {
	uint64_t bytes; /* lent now */
	unsigned int nr_lent;
	bool is_empty; /* no more to be had */
} fake;

static void *fake_alloc(struct wd_backend_host *host, const char *name, size_t bytes,
			uint64_t *ret_addr)
{
	void *p;

	(void)host;
	assert_string_equal(name, "fake-0");
	if (fake.is_empty)
		return NULL;
	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(p != MAP_FAILED);
	fake.bytes += bytes;
	fake.nr_lent++;
	*ret_addr = (uintptr_t)p + FAR_AWAY;
	return p;
}

static void fake_free(struct wd_backend_host *host, const char *name, void *ptr, size_t bytes)
{
	(void)host;
	(void)name;
	assert_ok(munmap(ptr, bytes));
	assert_true(fake.nr_lent && fake.bytes >= bytes);
	fake.bytes -= bytes;
	fake.nr_lent--;
}

static int fake_share(struct wd_backend_host *host, const char *name, uintptr_t addr, size_t bytes,
		      uint32_t direction)
{
	(void)host;
	(void)name;
	(void)addr;
	(void)bytes;
	(void)direction;
	return 0;
}

static void fake_unshare(struct wd_backend_host *host, const char *name, uintptr_t addr,
			 size_t bytes)
{
	(void)host;
	(void)name;
	(void)addr;
	(void)bytes;
}

static const struct wd_backend fake_backend = {
	.name = "fake",
	.share = fake_share,
	.unshare = fake_unshare,
	.mem_alloc = fake_alloc,
	.mem_free = fake_free,
};

/* One queue, as far as this needs one. */
struct rig {
	struct wd_config config;
	struct wd_backend_host host;
	struct wd_device device;
	struct wd_backend_queue bq;
	struct core_queue cq;
	struct wd_port *port;
};

static struct rig *rig_open(uint32_t flags, uint64_t bytes_max)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	fake = (struct fake){ 0 };
	rig->config.bounce_bytes = bytes_max;
	rig->host.backend = &fake_backend;
	rig->host.config = &rig->config;
	rig->device.host = &rig->host;
	rig->device.backend_name = "fake-0";
	rig->device.info.flags = flags;
	rig->cq.device = &rig->device;
	rig->cq.bq = &rig->bq;
	rig->port = &rig->bq.port;
	assert_ok(bounce_open(&rig->cq));
	return rig;
}

static void rig_close(struct rig *rig)
{
	bounce_close(&rig->cq);
	assert_null(rig->port->memory);
	assert_int_equal(fake.nr_lent, 0);
	share_table_destroy(&rig->device);
	free(rig);
}

/* As the device would find it. */
static uint8_t *seen_by_device(const struct wd_mapping *m)
{
	return (uint8_t *)(uintptr_t)(m->addr - FAR_AWAY);
}

static void any_pointer_needs_no_calls(void **state)
{
	struct rig *rig = rig_open(WD_CAPA_F_SVA, MIB);

	(void)state;
	assert_null(rig->port->memory);
	rig_close(rig);
}

static void data_goes_there_and_back(void **state)
{
	struct rig *rig = rig_open(0, MIB);
	uint8_t data[300], was[300];
	struct wd_req req = { 0 };
	struct wd_mapping m;
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(data); i++)
		was[i] = data[i] = (uint8_t)i;

	assert_ok(wd_map(rig->port, data, sizeof(data), READ, &m));
	assert_ptr_equal(m.bounce, seen_by_device(&m));
	assert_memory_equal(m.bounce, was, sizeof(was));
	memset(m.bounce, 0xee, sizeof(was)); /* not its to write: dropped */
	wd_unmap(rig->port, &req, &m, sizeof(was));
	assert_memory_equal(data, was, sizeof(was));
	assert_int_equal(req.bounced_bytes, 300);

	/* Written: so much and no more, whatever the device says. */
	assert_ok(wd_map(rig->port, data, sizeof(data), WRITE, &m));
	memset(m.bounce, 0xdd, sizeof(data));
	wd_unmap(rig->port, &req, &m, 100);
	assert_int_equal(data[99], 0xdd);
	assert_memory_equal(data + 100, was + 100, 200);
	assert_int_equal(req.bounced_bytes, 400);
	assert_ok(wd_map(rig->port, data + 1, 50, WRITE, &m));
	memset(m.bounce, 0xcc, 50);
	wd_unmap(rig->port, &req, &m, SIZE_MAX);
	assert_int_equal(data[0], 0xdd);
	assert_int_equal(data[50], 0xcc);
	assert_int_equal(data[51], 0xdd);
	assert_int_equal(req.bounced_bytes, 450);

	/* Both ways; and not sent after all. */
	assert_ok(wd_map(rig->port, data, sizeof(data), READ | WRITE, &m));
	assert_memory_equal(m.bounce, data, sizeof(data));
	memset(m.bounce, 0xbb, sizeof(data));
	wd_unmap(rig->port, &req, &m, sizeof(data));
	assert_int_equal(data[299], 0xbb);
	assert_int_equal(req.bounced_bytes, 1050);
	assert_ok(wd_map(rig->port, data, sizeof(data), READ | WRITE, &m));
	memset(m.bounce, 0xaa, sizeof(data));
	wd_unmap_unsent(rig->port, &m);
	wd_unmap_unsent(rig->port, &m);
	assert_int_equal(data[0], 0xbb);
	assert_ok(wd_map(rig->port, NULL, 0, READ, &m));
	wd_unmap(rig->port, &req, &m, 0);
	assert_int_equal(req.bounced_bytes, 1050);
	rig_close(rig);
}

static void shared_memory_is_used_where_it_lies(void **state)
{
	struct rig *rig = rig_open(WD_CAPA_F_SHARE, MIB);
	uint8_t *p = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct wd_req req = { 0 };
	struct wd_mapping m;

	(void)state;
	assert_true(p != MAP_FAILED);
	assert_ok(share_add(&rig->device, (uintptr_t)p, 32768, READ));
	assert_ok(wd_map(rig->port, p + 5, 32763, READ, &m));
	assert_null(m.bounce);
	assert_int_equal(m.addr, (uintptr_t)p + 5);
	wd_unmap(rig->port, &req, &m, 0);
	/* Across the border, and in a way that it was not shared for. */
	assert_ok(wd_map(rig->port, p + 5, 32764, READ, &m));
	assert_non_null(m.bounce);
	wd_unmap(rig->port, &req, &m, 0);
	assert_ok(wd_map(rig->port, p, 16, READ | WRITE, &m));
	assert_non_null(m.bounce);
	wd_unmap(rig->port, &req, &m, 16);
	assert_ok(share_add(&rig->device, (uintptr_t)p, 4096, WRITE));
	assert_ok(wd_map(rig->port, p, 16, READ | WRITE, &m));
	assert_null(m.bounce);
	/* What is in place stays so until it is unmapped. */
	share_remove(&rig->device, (uintptr_t)p, 4096, WRITE);
	wd_unmap(rig->port, &req, &m, 16);
	share_remove(&rig->device, (uintptr_t)p, 32768, READ);
	assert_ok(wd_map(rig->port, p, 16, READ, &m));
	assert_non_null(m.bounce);
	wd_unmap_unsent(rig->port, &m);
	assert_int_equal(req.bounced_bytes, 32764 + 32);
	munmap(p, 65536);
	rig_close(rig);
}

static void memory_has_its_bound(void **state)
{
	struct rig *rig = rig_open(0, 16 * MIB);
	uint8_t *p = malloc(20 * MIB);
	struct wd_mapping m[4], large;
	unsigned int i;

	(void)state;
	assert_non_null(p);
	memset(p, 1, 20 * MIB);
	assert_int_equal(wd_map(rig->port, p, 16 * MIB + 1, READ, &large), -ENOMEM);
	for (i = 0; i < 2; i++)
		assert_ok(wd_map(rig->port, p, 5 * MIB, READ, &m[i])); /* takes 8 */
	assert_int_equal(wd_map(rig->port, p, 1, READ, &m[2]), -EAGAIN);
	assert_int_equal(wd_map(rig->port, p, 16 * MIB + 1, READ, &large), -ENOMEM);
	assert_int_equal(fake.bytes, 16 * MIB);
	wd_unmap_unsent(rig->port, &m[0]);
	/* Kept for the next, and given back for one of another size. */
	assert_int_equal(fake.bytes, 16 * MIB);
	assert_ok(wd_map(rig->port, p, 5 * MIB, READ, &m[0]));
	wd_unmap_unsent(rig->port, &m[0]);
	assert_ok(wd_map(rig->port, p, 1, READ, &m[2]));
	assert_true(fake.bytes < 9 * MIB);
	wd_unmap_unsent(rig->port, &m[1]);
	/* Longer than any slot: with a chunk of its own, which is not kept. */
	assert_ok(wd_map(rig->port, p, 12 * MIB + 1, READ, &large));
	assert_int_equal(wd_map(rig->port, p, 5 * MIB, READ, &m[0]), -EAGAIN);
	assert_true(fake.bytes > 12 * MIB && fake.bytes <= 16 * MIB);
	wd_unmap_unsent(rig->port, &large);
	assert_true(fake.bytes < MIB);
	wd_unmap_unsent(rig->port, &m[2]);
	assert_ok(wd_map(rig->port, p, 16 * MIB, READ, &large));
	assert_int_equal(fake.bytes, 16 * MIB);
	wd_unmap_unsent(rig->port, &large);
	free(p);
	rig_close(rig);
}

static void a_backend_without_more_is_said_so(void **state)
{
	struct rig *rig = rig_open(0, 16 * MIB);
	static uint8_t data[100000];
	struct wd_mapping a, b;
	uint64_t addr;

	(void)state;
	fake.is_empty = true;
	assert_int_equal(wd_map(rig->port, data, 10, READ, &a), -ENOMEM);
	assert_null(rig->port->memory->alloc(rig->port, 10, &addr));
	fake.is_empty = false;
	assert_ok(wd_map(rig->port, data, 10, READ, &a));
	fake.is_empty = true;
	assert_ok(wd_map(rig->port, data, 10, READ, &b));
	wd_unmap_unsent(rig->port, &b);
	assert_int_equal(wd_map(rig->port, data, sizeof(data), READ, &b), -EAGAIN);
	assert_int_equal(wd_map_error(-EAGAIN, 1), -EAGAIN);
	assert_int_equal(wd_map_error(-EAGAIN, 0), -ENOMEM);
	wd_unmap_unsent(rig->port, &a);
	rig_close(rig);
}

/* ---- at random: nobody gets what another has */

#define NR_BUFFERS 64u

static uint32_t random_state;

static uint32_t next_random(uint32_t below)
{
	random_state = random_state * 1664525u + 1013904223u;
	return (random_state >> 8) % below;
}

static void slots_belong_to_one_mapping(void **state)
{
	struct rig *rig = rig_open(0, MIB);
	static uint8_t data[300000], back[300000];
	struct wd_mapping m[NR_BUFFERS] = { { 0 } };
	unsigned int step, nr_full = 0;

	(void)state;
	random_state = 11;
	for (step = 0; step < 20000; step++) {
		unsigned int i = next_random(NR_BUFFERS);
		size_t bytes = 1 + next_random(1u << (3 + next_random(15)));
		size_t k;
		int err;

		if (m[i].bytes) {
			const uint8_t *p = m[i].bounce;

			for (k = 0; k < m[i].bytes; k++)
				if (p[k] != (uint8_t)(i + 1))
					fail();
			m[i].ptr = back;
			wd_unmap(rig->port, &(struct wd_req){ 0 }, &m[i], SIZE_MAX);
			continue;
		}
		memset(data, (int)i + 1, bytes);
		err = wd_map(rig->port, data, bytes, READ | WRITE, &m[i]);
		assert_true(!err || err == -EAGAIN);
		nr_full += err != 0;
		assert_true(fake.bytes <= MIB);
	}
	assert_true(nr_full > 10);
	rig_close(rig); /* with mappings left */
}

/* Many at once of the smallest, as scatter lists have them. */
static void small_ones_share_their_pages(void **state)
{
	enum {
		NR = 65280
	};
	struct rig *rig = rig_open(0, 16 * MIB);
	struct wd_mapping *m = calloc(NR, sizeof(*m));
	uint8_t byte = 5;
	unsigned int i;

	(void)state;
	assert_non_null(m);
	for (i = 0; i < NR; i++)
		assert_ok(wd_map(rig->port, &byte, 1, READ, &m[i]));
	assert_true(fake.bytes <= 4 * MIB);
	for (i = 0; i < NR; i++)
		wd_unmap_unsent(rig->port, &m[i]);
	free(m);
	rig_close(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_pointer_needs_no_calls),
		cmocka_unit_test(data_goes_there_and_back),
		cmocka_unit_test(shared_memory_is_used_where_it_lies),
		cmocka_unit_test(memory_has_its_bound),
		cmocka_unit_test(a_backend_without_more_is_said_so),
		cmocka_unit_test(slots_belong_to_one_mapping),
		cmocka_unit_test(small_ones_share_their_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * What embedded devices reach that do not take any pointer: asked the way a
 * model asks, and by a model whose driver hands it pointers all the same.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <wd/comp.h>
#include <wd/driver.h>

#include "backend/embed_memory.h"
#include "lib/t_assert.h"

#define PAGE 65536u /* of any machine */

extern const struct wd_driver wd_hisi_zip_driver;

struct rig {
	struct embed_memory *memory;
	struct chip_config config;
};

static void rig_open(struct rig *rig, enum config_memory kind)
{
	*rig = (struct rig){ 0 };
	assert_ok(embed_memory_create(kind, &rig->memory));
	embed_memory_set_dma(rig->memory, &rig->config);
}

static void rig_close(struct rig *rig)
{
	embed_memory_destroy(rig->memory);
}

static void *map(struct rig *rig, uint64_t addr, size_t bytes, bool is_write)
{
	return rig->config.dma.map(rig->config.owner, addr, bytes, is_write);
}

static void unmap(struct rig *rig, void *ptr, size_t bytes)
{
	if (rig->config.dma.unmap)
		rig->config.dma.unmap(rig->config.owner, ptr, bytes, false);
}

static bool reaches(struct rig *rig, uint64_t addr, size_t bytes, bool is_write)
{
	void *p = map(rig, addr, bytes, is_write);

	if (p)
		unmap(rig, p, bytes);
	return p;
}

static uint8_t *pages(size_t nr)
{
	uint8_t *p =
		mmap(NULL, nr * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	return p;
}

static void pages_are_reached_as_they_were_shared(void **state)
{
	uint8_t *p = pages(8);
	uintptr_t at = (uintptr_t)p;
	struct rig rig;

	(void)state;
	rig_open(&rig, CONFIG_MEMORY_SHARE);
	assert_false(reaches(&rig, at, 1, false));
	assert_ok(embed_memory_share(rig.memory, at, 4 * PAGE, WD_MAP_READ));
	assert_ptr_equal(map(&rig, at + 3, 4 * PAGE - 3, false), p + 3);
	unmap(&rig, p + 3, 4 * PAGE - 3);
	assert_false(reaches(&rig, at, 1, true));
	assert_false(reaches(&rig, at, 4 * PAGE + 1, false));
	assert_false(reaches(&rig, at - 1, 2, false));
	/* New rights in the middle, and more behind. */
	assert_ok(embed_memory_share(rig.memory, at + PAGE, PAGE, WD_MAP_READ | WD_MAP_WRITE));
	assert_ok(embed_memory_share(rig.memory, at + 4 * PAGE, PAGE, WD_MAP_READ));
	assert_true(reaches(&rig, at + PAGE, PAGE, true));
	assert_false(reaches(&rig, at + PAGE, PAGE + 1, true));
	assert_true(reaches(&rig, at, 5 * PAGE, false));
	embed_memory_unshare(rig.memory, at + 2 * PAGE, PAGE);
	assert_false(reaches(&rig, at, 5 * PAGE, false));
	assert_true(reaches(&rig, at, 2 * PAGE, false) &&
		    reaches(&rig, at + 3 * PAGE, PAGE, false));
	embed_memory_unshare(rig.memory, at, 5 * PAGE);
	assert_false(reaches(&rig, at, 1, false));
	/* What no pointer is. */
	assert_false(reaches(&rig, 0, 1, false));
	assert_false(reaches(&rig, UINT64_MAX - 5, 4, false));
	assert_int_equal(embed_memory_share(rig.memory, (uintptr_t)1 << 50, PAGE, WD_MAP_READ),
			 -EFAULT);
	rig_close(&rig);
	munmap(p, 8 * PAGE);
}

static void own_memory_has_the_address_that_was_said(void **state)
{
	static const enum config_memory kinds[] = { CONFIG_MEMORY_SHARE, CONFIG_MEMORY_BOUNCE };
	unsigned int k, i;

	(void)state;
	for (k = 0; k < 2; k++) {
		uint8_t *p[40];
		uint64_t addr[40];
		struct rig rig;

		rig_open(&rig, kinds[k]);
		for (i = 0; i < 40; i++) {
			p[i] = embed_memory_alloc(rig.memory, PAGE, &addr[i]);
			assert_non_null(p[i]);
			assert_int_equal(p[i][0] | p[i][PAGE - 1], 0);
			assert_int_equal(addr[i] % 4096, 0);
		}
		for (i = 0; i < 40; i++) {
			assert_ptr_equal(map(&rig, addr[i], PAGE, true), p[i]);
			unmap(&rig, p[i], PAGE);
			assert_ptr_equal(map(&rig, addr[i] + PAGE - 1, 1, false), p[i] + PAGE - 1);
			unmap(&rig, p[i] + PAGE - 1, 1);
			if (kinds[k] == CONFIG_MEMORY_SHARE) {
				assert_int_equal(addr[i], (uintptr_t)p[i]);
				continue;
			}
			/* Not a pointer, no pointer either, and no way from one to the next. */
			assert_true(addr[i] >> 56);
			assert_false(reaches(&rig, (uintptr_t)p[i], 1, false));
			assert_false(reaches(&rig, addr[i], PAGE + 1, false));
			assert_false(reaches(&rig, addr[i] - 1, 2, false));
		}
		embed_memory_free(rig.memory, p[7], PAGE);
		assert_false(reaches(&rig, addr[7], 1, false));
		assert_true(reaches(&rig, addr[6], PAGE, true) &&
			    reaches(&rig, addr[8], PAGE, true));
		p[7] = embed_memory_alloc(rig.memory, 5, &addr[7]);
		assert_true(reaches(&rig, addr[7], 5, true));
		embed_memory_free(rig.memory, p[7], 5);
		for (i = 0; i < 40; i++)
			if (i != 7)
				embed_memory_free(rig.memory, p[i], PAGE);
		assert_false(reaches(&rig, addr[39], 1, false));
		rig_close(&rig);
	}
}

/* ---- taking back what is in use */

struct taker {
	struct rig *rig;
	uintptr_t at;
	_Atomic bool is_back;
};

static void *take_back(void *arg)
{
	struct taker *t = arg;

	embed_memory_unshare(t->rig->memory, t->at, 2 * PAGE);
	atomic_store(&t->is_back, true);
	return NULL;
}

static void unsharing_waits_for_who_is_there(void **state)
{
	uint8_t *p = pages(4);
	struct taker taker = { .at = (uintptr_t)p };
	unsigned int i, nr;
	pthread_t thread;
	struct rig rig;

	(void)state;
	/* With a few in use, and with more than are noted one by one. */
	for (nr = 1; nr < 200; nr += 150) {
		rig_open(&rig, CONFIG_MEMORY_SHARE);
		taker.rig = &rig;
		atomic_store(&taker.is_back, false);
		assert_ok(embed_memory_share(rig.memory, taker.at, 4 * PAGE, WD_MAP_READ));
		for (i = 0; i < nr; i++)
			assert_non_null(map(&rig, taker.at + PAGE, PAGE + 1, false));
		assert_ok(pthread_create(&thread, NULL, take_back, &taker));
		/* Nobody new gets there once it began. */
		while (reaches(&rig, taker.at, 1, false))
			sched_yield();
		assert_true(reaches(&rig, taker.at + 2 * PAGE, PAGE, false));
		for (i = 0; i < nr; i++) {
			assert_false(atomic_load(&taker.is_back));
			unmap(&rig, p + PAGE, PAGE + 1);
		}
		pthread_join(thread, NULL);
		assert_true(atomic_load(&taker.is_back));
		rig_close(&rig);
	}
	munmap(p, 4 * PAGE);
}

#define TOUCHERS 3u

static void *touch(void *arg)
{
	struct taker *t = arg;
	uint8_t *p;

	while (!atomic_load(&t->is_back)) {
		p = map(t->rig, t->at + 100, PAGE, true);
		if (!p)
			continue;
		/* Faults if the pages were taken away meanwhile. */
		atomic_store_explicit((_Atomic uint8_t *)p, 1, memory_order_relaxed);
		atomic_store_explicit((_Atomic uint8_t *)(p + PAGE - 1), 1, memory_order_relaxed);
		unmap(t->rig, p, PAGE);
	}
	return NULL;
}

static void after_unsharing_nothing_is_touched(void **state)
{
	uint8_t *p = pages(2);
	struct taker taker = { .at = (uintptr_t)p };
	pthread_t threads[TOUCHERS];
	struct rig rig;
	unsigned int i;

	(void)state;
	rig_open(&rig, CONFIG_MEMORY_SHARE);
	taker.rig = &rig;
	for (i = 0; i < TOUCHERS; i++)
		assert_ok(pthread_create(&threads[i], NULL, touch, &taker));
	for (i = 0; i < 1000; i++) {
		assert_ok(embed_memory_share(rig.memory, taker.at, 2 * PAGE,
					     WD_MAP_READ | WD_MAP_WRITE));
		if (i % 3)
			sched_yield();
		embed_memory_unshare(rig.memory, taker.at, 2 * PAGE);
		assert_ok(mprotect(p, 2 * PAGE, PROT_NONE));
		assert_ok(mprotect(p, 2 * PAGE, PROT_READ | PROT_WRITE));
	}
	atomic_store(&taker.is_back, true);
	for (i = 0; i < TOUCHERS; i++)
		pthread_join(threads[i], NULL);
	rig_close(&rig);
	munmap(p, 2 * PAGE);
}

/* ---- a driver that takes the device for one of any pointer */

struct zip_rig {
	struct rig rig;
	struct chip *chip;
	struct chip_queue *queue;
	struct wd_port port;
	void *drv_queue;
};

static void zip_ring(void *arg, uint32_t offset, uint64_t value)
{
	struct zip_rig *z = arg;

	z->chip->ops->queue_doorbell(z->queue, offset, value);
}

static int zip_control(struct wd_port *port, unsigned long cmd, void *param)
{
	struct zip_rig *z = port->ring_arg;

	return z->chip->ops->queue_control(z->queue, cmd, param);
}

static void zip_open(struct zip_rig *z, enum config_memory kind)
{
	const struct wd_capa capa = { .alg = "gzip", .op = WD_OP_COMPRESS };
	struct wd_region *dus = &z->port.region[WD_REGION_DUS];
	struct chip_queue_layout layout;
	uint32_t depth = 0;
	uint64_t addr;

	*z = (struct zip_rig){ 0 };
	rig_open(&z->rig, kind);
	assert_ok(chip_create(chip_find_model("hisi_zip"), &z->rig.config, &z->chip));
	assert_ok(z->chip->ops->queue_open(z->chip, z, &z->queue));
	z->chip->ops->queue_layout(z->queue, &layout);
	dus->bytes = layout.dus_bytes;
	dus->addr = embed_memory_alloc(z->rig.memory, dus->bytes, &addr);
	assert_non_null(dus->addr);
	assert_ok(z->chip->ops->queue_bind(z->queue, addr, dus->bytes));
	z->port.api = "hisi_qm_v3";
	z->port.flags = WD_CAPA_F_SVA;
	z->port.ring = zip_ring;
	z->port.ring_arg = z;
	z->port.control = zip_control;
	z->drv_queue = aligned_alloc(128, (wd_hisi_zip_driver.queue_bytes + 127) / 128 * 128);
	assert_non_null(z->drv_queue);
	memset(z->drv_queue, 0, wd_hisi_zip_driver.queue_bytes);
	assert_ok(wd_hisi_zip_driver.open(z->drv_queue, &z->port, &capa, &depth));
	assert_ok(z->chip->ops->queue_start(z->queue));
}

static void zip_close(struct zip_rig *z)
{
	struct wd_region *dus = &z->port.region[WD_REGION_DUS];

	z->chip->ops->queue_stop(z->queue);
	wd_hisi_zip_driver.close(z->drv_queue);
	z->chip->ops->queue_close(z->queue);
	embed_memory_free(z->rig.memory, dus->addr, dus->bytes);
	z->chip->ops->destroy(z->chip);
	rig_close(&z->rig);
	free(z->drv_queue);
}

static uint32_t do_one(struct zip_rig *z, struct wd_comp_req *req)
{
	struct wd_req *head = &req->head, *back = NULL;

	assert_int_equal(wd_hisi_zip_driver.send(z->drv_queue, &head, 1), 1);
	assert_int_equal(z->chip->ops->queue_run(z->queue, 1, NULL), 1);
	assert_int_equal(wd_hisi_zip_driver.recv(z->drv_queue, &back, 1), 1);
	assert_ptr_equal(back, head);
	return head->status;
}

static void wild_pointers_are_bad_addresses(void **state)
{
	static const enum config_memory kinds[] = { CONFIG_MEMORY_SHARE, CONFIG_MEMORY_BOUNCE };
	uint8_t *p = pages(4);
	struct iovec src = { p, 100 }, dst = { p + PAGE, 1000 };
	struct wd_comp_state stream = { .buf = p + 2 * PAGE };
	struct wd_comp_req good = { .head = { .op = WD_OP_COMPRESS },
				    .format = WD_COMP_GZIP,
				    .src = p,
				    .src_len = 100,
				    .dst = p + PAGE,
				    .dst_len = 1000 };
	unsigned int k;

	(void)state;
	for (k = 0; k < 2; k++) {
		struct wd_comp_req req = good;
		struct zip_rig z;

		zip_open(&z, kinds[k]);
		assert_int_equal(do_one(&z, &req), WD_STATUS_BAD_ADDRESS);
		req.flags = WD_COMP_F_SGL; /* not even the list is there */
		req.src = &src;
		req.src_nr = 1;
		req.dst = &dst;
		req.dst_nr = 1;
		assert_int_equal(do_one(&z, &req), WD_STATUS_BAD_ADDRESS);
		if (kinds[k] == CONFIG_MEMORY_BOUNCE) {
			zip_close(&z);
			continue;
		}
		req = good;
		assert_ok(embed_memory_share(z.rig.memory, (uintptr_t)p, PAGE, WD_MAP_READ));
		assert_int_equal(do_one(&z, &req), WD_STATUS_BAD_ADDRESS); /* the output */
		assert_ok(embed_memory_share(z.rig.memory, (uintptr_t)p + PAGE, PAGE, WD_MAP_READ));
		assert_int_equal(do_one(&z, &req), WD_STATUS_BAD_ADDRESS); /* not to be written */
		assert_ok(
			embed_memory_share(z.rig.memory, (uintptr_t)p + PAGE, PAGE, WD_MAP_WRITE));
		assert_int_equal(do_one(&z, &req), WD_STATUS_OK);
		req.state = &stream;
		assert_int_equal(do_one(&z, &req), WD_STATUS_BAD_ADDRESS); /* the context */
		assert_ok(embed_memory_share(z.rig.memory, (uintptr_t)p + 2 * PAGE, PAGE,
					     WD_MAP_READ | WD_MAP_WRITE));
		assert_int_equal(do_one(&z, &req), WD_STATUS_OK);
		req = good;
		embed_memory_unshare(z.rig.memory, (uintptr_t)p, PAGE);
		assert_int_equal(do_one(&z, &req), WD_STATUS_BAD_ADDRESS);
		zip_close(&z);
	}
	munmap(p, 4 * PAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_are_reached_as_they_were_shared),
		cmocka_unit_test(own_memory_has_the_address_that_was_said),
		cmocka_unit_test(unsharing_waits_for_who_is_there),
		cmocka_unit_test(after_unsharing_nothing_is_touched),
		cmocka_unit_test(wild_pointers_are_bad_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

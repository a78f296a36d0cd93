/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * What a user driver implements: requests of a family to the descriptors of one
 * chip and its completions back.  A driver knows nothing of where its queue
 * comes from and opens nothing itself.  Nothing here assumes a ring, a
 * completion entry, a doorbell format or an order of completion: those are one
 * vendor's.  doc/adding-an-accelerator.md goes through the smallest driver.
 */
#ifndef WD_DRIVER_H
#define WD_DRIVER_H

#include <wd/wd.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WD_DRIVER_ABI 1 /* changes with anything in this file */

#define WD_REGION_MMIO 0 /* device registers, doorbells among them */
#define WD_REGION_DUS  1 /* memory shared with the device: rings, status words */
#define WD_REGION_NR   2

struct wd_region {
	void *addr; /* NULL: the device has no such region */
	size_t bytes;
};

/*
 * One open queue as the backend lends it to the driver, from open to close.
 * The regions are mapped.  Devices inside this process have ring set; their
 * doorbells are handed to it in place of the store, so that none is lost.
 */
struct wd_port {
	const char *api; /* interface version of the device, "hisi_qm_v3" */
	uint32_t flags;	 /* WD_CAPA_F_* of the device */
	struct wd_region region[WD_REGION_NR];
	void (*ring)(void *arg, uint32_t offset, uint64_t value);
	void *ring_arg;
	/* The device's own commands (its ioctls).  Returns 0 or a negative errno. */
	int (*control)(struct wd_port *port, unsigned long cmd, void *param);
};

/* A doorbell: a plain store to a register, or the same value to the hook. */
struct wd_doorbell {
	volatile void *reg;
	void (*ring)(void *arg, uint32_t offset, uint64_t value);
	void *arg;
	uint32_t offset; /* in the MMIO region */
};

/*
 * A driver's operations on its queue, which is queue_bytes of zeroed memory,
 * aligned to 128 bytes.  One thread at a time.  send, recv, flush and arm are
 * the hot path: no allocation, lock, system call, log or division.
 */
struct wd_driver {
	uint32_t abi; /* WD_DRIVER_ABI */
	uint32_t reserved;
	const char *name; /* wd_device_info.driver that it serves */
	size_t queue_bytes;
	/* Whether it knows this device's api: 0, or -EOPNOTSUPP. */
	int (*probe)(const char *api);
	/*
	 * Prepares the queue; the device is started right after.  @depth is the
	 * wish (0: any) and returns how many requests can be in flight.
	 */
	int (*open)(void *queue, struct wd_port *port, const struct wd_capa *capa, uint32_t *depth);
	/* Frees what open took.  The device is stopped. */
	void (*close)(void *queue);
	/*
	 * Takes up to @nr requests and returns how many; -EAGAIN when full,
	 * -EINVAL or -EOPNOTSUPP for the first request, -ENODEV when the device
	 * is gone.  Sets their status to PENDING, retries and bounced_bytes to 0.
	 * Publishes unless the last one taken says WD_REQ_F_MORE; a full queue is
	 * published always.
	 */
	int (*send)(void *queue, struct wd_req *const *reqs, unsigned int nr);
	/* Publishes what send held back. */
	int (*flush)(void *queue);
	/*
	 * Takes up to @nr finished requests and returns how many; -ENODEV when none
	 * is left and the device is gone or answers nonsense: the queue is then
	 * stopped, and abandon hands out the rest.
	 */
	int (*recv)(void *queue, struct wd_req **ret_reqs, unsigned int nr);
	/*
	 * Asks the device to report the next completion (interrupt, event).  A
	 * completion already there must be reported too, or found by a recv after
	 * this.
	 */
	void (*arm)(void *queue);
	/*
	 * After the device was stopped: hands out what never came back, as
	 * DEVICE_GONE, up to @nr.  Returns a count.
	 */
	int (*abandon)(void *queue, struct wd_req **ret_reqs, unsigned int nr);
};

#ifdef __cplusplus
}
#endif

#endif

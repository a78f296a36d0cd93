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

#include <errno.h>
#include <wd/wd.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WD_DRIVER_ABI 2 /* changes with anything in this file */

#define WD_REGION_MMIO 0 /* device registers, doorbells among them */
#define WD_REGION_DUS  1 /* memory shared with the device: rings, status words */
#define WD_REGION_NR   2

struct wd_region {
	void *addr; /* NULL: the device has no such region */
	size_t bytes;
};

#define WD_MAP_READ  (1u << 0) /* the device reads it */
#define WD_MAP_WRITE (1u << 1) /* the device writes it */

/* A piece of a request's memory as the device sees it, from map to unmap; zeroed: none. */
struct wd_mapping {
	uint64_t addr; /* for the descriptor */
	void *ptr;     /* the caller's */
	size_t bytes;
	void *bounce;	    /* a copy in its place, or NULL: used where it lies */
	uint32_t direction; /* WD_MAP_* */
	uint32_t slot;	    /* the library's */
};

struct wd_port;

/*
 * Memory of a device that does not take any pointer (no WD_CAPA_F_SVA).  Called
 * by the queue's driver, under the same thread rule as its operations.  What is
 * still mapped when the driver is closed ends with the queue.
 */
struct wd_port_memory {
	/* Memory that both sides reach, zeroed, on a page boundary; NULL when there is none. */
	void *(*alloc)(struct wd_port *port, size_t bytes, uint64_t *ret_addr);
	void (*free)(struct wd_port *port, void *ptr, size_t bytes);
	/*
	 * Makes memory of a request reachable: where it lies if it was shared that
	 * way, else by a copy, which for WRITE alone begins with anything.  Returns
	 * 0, -EAGAIN (no room for the copy until others were unmapped), -ENOMEM
	 * (never).  For drivers: wd_map().
	 */
	int (*map)(struct wd_port *port, void *ptr, size_t bytes, uint32_t direction,
		   struct wd_mapping *ret_mapping);
	/*
	 * Ends that; the first @written bytes are what the device wrote, and are
	 * copied back.  For drivers: wd_unmap(), wd_unmap_unsent().
	 */
	void (*unmap)(struct wd_port *port, struct wd_mapping *mapping, size_t written);
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
	const struct wd_port_memory *memory; /* NULL: the device takes any pointer */
};

/*
 * For drivers whose port has memory.  All that a request has mapped is in one
 * place per slot: a mapping that is zeroed, or of no bytes, holds nothing.
 */
static inline int wd_map(struct wd_port *port, const void *ptr, size_t bytes, uint32_t direction,
			 struct wd_mapping *mapping)
{
	mapping->bytes = 0;
	mapping->addr = (uintptr_t)ptr;
	if (!bytes)
		return 0;
	return port->memory->map(port, (void *)(uintptr_t)ptr, bytes, direction, mapping);
}

/* When a request came back, or never will (@written 0): adds what was copied for it. */
static inline void wd_unmap(struct wd_port *port, struct wd_req *req, struct wd_mapping *mapping,
			    size_t written)
{
	if (!mapping->bytes)
		return;
	if (written > mapping->bytes)
		written = mapping->bytes;
	if (mapping->bounce && mapping->direction & WD_MAP_READ)
		req->bounced_bytes += mapping->bytes;
	if (mapping->bounce && mapping->direction & WD_MAP_WRITE)
		req->bounced_bytes += written;
	port->memory->unmap(port, mapping, written);
	mapping->bytes = 0;
}

/* When a request is not sent after all. */
static inline void wd_unmap_unsent(struct wd_port *port, struct wd_mapping *mapping)
{
	if (mapping->bytes)
		port->memory->unmap(port, mapping, 0);
	mapping->bytes = 0;
}

/*
 * What send says of a first request that could not be mapped: with nothing in
 * flight, waiting for room would be for ever.
 */
static inline int wd_map_error(int err, int has_in_flight)
{
	return err == -EAGAIN && !has_in_flight ? -ENOMEM : err;
}

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
	 * -EINVAL, -EOPNOTSUPP or -ENOMEM for the first request, -ENODEV when the
	 * device is gone.  Sets their status to PENDING, retries and bounced_bytes
	 * to 0.  Nothing stays mapped of a request that is not taken.
	 * Publishes unless the last one taken says WD_REQ_F_MORE; a full queue is
	 * published always.
	 */
	int (*send)(void *queue, struct wd_req *const *reqs, unsigned int nr);
	/* Publishes what send held back. */
	int (*flush)(void *queue);
	/*
	 * Takes up to @nr finished requests and returns how many; -ENODEV when none
	 * is left and the device is gone or answers nonsense: the queue is then
	 * stopped, and abandon hands out the rest.  bounced_bytes is now what was
	 * copied for a request, there and back.
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
	 * DEVICE_GONE, up to @nr; nothing is copied back.  Returns a count.
	 */
	int (*abandon)(void *queue, struct wd_req **ret_reqs, unsigned int nr);
};

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* What the library is told from outside; config*.c are its only readers. */
#ifndef CORE_CONFIG_H
#define CORE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <wd/wd.h>

#define CONFIG_EMBED_DEVICES_MAX 16
#define CONFIG_EMBED_FAULTS_MAX	 8
#define CONFIG_FAULT_BYTES	 64

/* How an embedded device reaches memory. */
enum config_memory {
	CONFIG_MEMORY_SVA,    /* any pointer */
	CONFIG_MEMORY_SHARE,  /* what was shared, at its address */
	CONFIG_MEMORY_BOUNCE, /* memory of its own only, at addresses of its own */
};

/*
 * One embedded device: "model" and, each after a colon, "memory=sva|share|bounce",
 * "queues=N", "depth=N", "delay=N" and "delay_per_kib=N" with ns, us or ms,
 * "node=N", "near" (workers leave it alone), "fault=SPEC" as chip_fault_parse()
 * reads it (chip.h; several).  A fault's text is kept as it is.
 */
struct config_embed {
	char model[32];
	enum config_memory memory;
	uint32_t nr_queues; /* 0: the model's own */
	uint32_t depth;	    /* 0: embed_depth */
	uint64_t delay_ns;
	uint64_t delay_ns_per_kib;
	int32_t numa_node; /* -1: unknown */
	bool is_near;
	uint32_t nr_faults;
	char fault[CONFIG_EMBED_FAULTS_MAX][CONFIG_FAULT_BYTES];
};

struct wd_config {
	/* device: name of the only device to use, "" for any */
	char device[WD_DEVICE_NAME_MAX];
	/* embed: devices to run in this process, separated by commas; "none" */
	struct config_embed embed[CONFIG_EMBED_DEVICES_MAX];
	unsigned int nr_embed;
	/* embed_workers: threads that run them; without, who waits does it */
	unsigned int embed_workers;
	/* embed_spin_us: how long an idle worker looks around before it sleeps; "forever" */
	uint64_t embed_spin_ns;
	/* embed_depth: entries of a queue, 0 for the model's own; a model may refuse some */
	unsigned int embed_depth;
	/* bounce_mib: most memory of one device's queues for copies */
	uint64_t bounce_bytes;
	/* small_bytes: wd_sched_opts.small_bytes of the process's scheduler; "auto" is -1 */
	int64_t small_bytes;
	/* hang_ms: a queue that answers nothing for so long is given up; 0: half of the wait */
	unsigned int hang_ms;
	/* stats: other processes may read this one's counters: "on", "off" */
	bool is_stats_shown;
};

/* What wd_config_set() was told; NULL when nothing was. */
struct config_overrides;

/*
 * Reads the settings of all origins (wd/config.h) into @config, which is left
 * alone unless all is well.  Returns 0, -ENOMEM, or -EINVAL with a line in
 * @complaint that says where and what.
 */
int config_read(struct wd_config *config, const struct config_overrides *overrides, char *complaint,
		size_t size);

void config_overrides_free(struct config_overrides *overrides);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The data pump of compress and decompress: bytes of one descriptor through a
 * session to another, in bounded memory.  It knows nothing of file names or of
 * what becomes of the output; it reports what went wrong with the data.
 */
#ifndef COMP_JOB_H
#define COMP_JOB_H

#include <stdbool.h>
#include <stdint.h>
#include <wd/comp.h>
#include "comp_opts.h"
#include "progress.h"

enum comp_end {
	COMP_END_DONE,	  /* the output is whole */
	COMP_END_REMARK,  /* the output is whole, and there was something to remark */
	COMP_END_SKIPPED, /* left alone, with a remark */
	COMP_END_PACKED,  /* left alone because it is compressed: no fault, as gzip has it */
	COMP_END_FAILED,  /* reported; the output is worthless */
	COMP_END_FATAL,	  /* reported, and the next file would fare no better */
};

struct comp_source {
	const char *name; /* for messages */
	int fd;
	struct progress progress;
};

/*
 * Where the output goes.  @open is called once, before the first byte is
 * written: with the header of what is decompressed, or NULL.  It sets @fd, -1
 * for nowhere, or returns SKIPPED or FAILED, which ends the job.
 */
struct comp_sink {
	const char *name; /* for messages */
	int fd;
	bool is_open;
	bool is_stdout;
	enum comp_end (*open)(struct comp_sink *sink, const struct wd_comp_gzip_header *header);
	void *owner;
};

/* What a job came to. */
struct comp_tally {
	uint64_t consumed;
	uint64_t produced;
	uint64_t requests;
	uint64_t retries;
	uint64_t bounced_bytes;
	uint64_t elapsed_ns;
	uint32_t device_id;    /* who served it, at the end */
	uint32_t level;	       /* that served it, at the end */
	uint32_t header_bytes; /* of the first member: header and trailer */
	uint32_t crc;	       /* of the last member */
	bool has_header;       /* header was read or written */
	struct wd_comp_gzip_header header;
};

struct comp_job;

/* Allocates the buffers; a device is sought when the first file comes.  0 or -ENOMEM. */
int comp_job_open(const struct comp_opts *opts, struct comp_job **ret_job);

/* Accepts NULL. */
void comp_job_close(struct comp_job *job);

/* @header goes to the first member, or NULL. */
enum comp_end comp_job_compress(struct comp_job *job, struct comp_source *source,
				const struct wd_comp_gzip_header *header, struct comp_sink *sink,
				struct comp_tally *ret_tally);

enum comp_end comp_job_decompress(struct comp_job *job, struct comp_source *source,
				  struct comp_sink *sink, struct comp_tally *ret_tally);

#endif

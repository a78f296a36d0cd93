/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Copy, fill and CRC-32 of the dummy machine, over memory that may be reachable
 * in one piece, in pieces, or by reading and writing alone.
 */
#include <endian.h>
#include <isa-l/crc.h>

#include "base/compiler.h"
#include "chip/chip_fault.h"
#include "chip/dummy/dummy_memop.h"

#define CHUNK_BYTES    (64u << 10) /* most that is mapped in one piece */
#define REQUEST_NS     100u	   /* descriptor and record */
#define BYTES_PER_NS   4u	   /* of all three; memory that is in no cache is slower than CRC */
#define ERR_UNHEARD_OF 0xff

/* Bytes from both addresses on that lie in one page each: what a bounce always reaches. */
static size_t bounce_bytes(uint64_t a, uint64_t b, uint64_t len)
{
	uint64_t in_pages = base_min_u64(DUMMY_PAGE_BYTES - a % DUMMY_PAGE_BYTES,
					 DUMMY_PAGE_BYTES - b % DUMMY_PAGE_BYTES);

	return (size_t)base_min_u64(in_pages, len);
}

/* Copies the first bytes of a range: a chunk where both sides map it, else through the bounce. */
static int copy_some(const struct dma_space *dma, uint8_t *bounce, uint64_t src, uint64_t dst,
		     uint64_t len, size_t *ret_bytes)
{
	size_t bytes = (size_t)base_min_u64(len, CHUNK_BYTES);
	void *from = dma_map(dma, src, bytes, false);
	void *to = from ? dma_map(dma, dst, bytes, true) : NULL;

	if (to) {
		/* Distinct addresses may still be the same memory. */
		memmove(to, from, bytes);
		dma_unmap(dma, to, bytes, true);
	}
	if (from)
		dma_unmap(dma, from, bytes, false);
	if (!to) {
		bytes = bounce_bytes(src, dst, len);
		if (dma_read(dma, src, bounce, bytes) || dma_write(dma, dst, bounce, bytes))
			return -EFAULT;
	}
	*ret_bytes = bytes;
	return 0;
}

static int crc_some(const struct dma_space *dma, uint8_t *bounce, uint64_t src, uint64_t len,
		    uint32_t *crc, size_t *ret_bytes)
{
	size_t bytes = (size_t)base_min_u64(len, CHUNK_BYTES);
	void *from = dma_map(dma, src, bytes, false);

	if (from) {
		*crc = crc32_gzip_refl(*crc, from, bytes);
		dma_unmap(dma, from, bytes, false);
	} else {
		bytes = bounce_bytes(src, src, len);
		if (dma_read(dma, src, bounce, bytes))
			return -EFAULT;
		*crc = crc32_gzip_refl(*crc, bounce, bytes);
	}
	*ret_bytes = bytes;
	return 0;
}

/* @offset is how far the request is: the pattern goes on where it was left. */
static int fill_some(const struct dma_space *dma, uint8_t *bounce, const uint8_t *pattern,
		     uint64_t dst, uint64_t offset, uint64_t len, size_t *ret_bytes)
{
	size_t bytes = bounce_bytes(dst, dst, len);
	uint8_t turned[DUMMY_PATTERN_BYTES];
	size_t i;

	for (i = 0; i < sizeof(turned); i++)
		turned[i] = pattern[(offset + i) % sizeof(turned)];
	for (i = 0; i < bytes; i += sizeof(turned))
		memcpy(bounce + i, turned, sizeof(turned));
	*ret_bytes = bytes;
	return dma_write(dma, dst, bounce, bytes);
}

static CHIP_INTO_HOT_PATH uint8_t check_desc(const struct dummy_desc *desc)
{
	uint64_t len = le64toh(desc->len), src = le64toh(desc->src), dst = le64toh(desc->dst);

	if (desc->opcode > DUMMY_OP_CRC32)
		return DUMMY_ERR_OPCODE;
	if (desc->rsvd0 || le16toh(desc->flags) & ~DUMMY_DESC_F_EVENT || desc->rsvd1[0] ||
	    desc->rsvd1[1])
		return DUMMY_ERR_FIELD;
	if (desc->opcode == DUMMY_OP_NOP)
		return DUMMY_ERR_NONE;
	if (len > DUMMY_LEN_MAX)
		return DUMMY_ERR_LENGTH;
	if ((desc->opcode != DUMMY_OP_FILL && src + len < src) ||
	    (desc->opcode != DUMMY_OP_CRC32 && dst + len < dst))
		return DUMMY_ERR_ADDRESS;
	if (desc->opcode == DUMMY_OP_COPY && src < dst + len && dst < src + len && len)
		return DUMMY_ERR_OVERLAP;
	return DUMMY_ERR_NONE;
}

static void work(const struct dma_space *dma, uint8_t *bounce, const struct dummy_desc *desc,
		 struct dummy_answer *answer)
{
	uint64_t len = le64toh(desc->len), src = le64toh(desc->src), dst = le64toh(desc->dst);
	size_t bytes = 0;
	int err = 0;

	while (answer->done < len) {
		uint64_t at = answer->done;

		if (desc->opcode == DUMMY_OP_COPY)
			err = copy_some(dma, bounce, src + at, dst + at, len - at, &bytes);
		else if (desc->opcode == DUMMY_OP_FILL)
			err = fill_some(dma, bounce, desc->pattern, dst + at, at, len - at, &bytes);
		else
			err = crc_some(dma, bounce, src + at, len - at, &answer->crc, &bytes);
		if (err) {
			answer->status = DUMMY_ST_FAILED;
			answer->error = DUMMY_ERR_ADDRESS;
			return;
		}
		answer->done += bytes;
	}
}

void dummy_memop_serve(const struct dma_space *dma, uint8_t *bounce, const struct dummy_desc *desc,
		       struct dummy_answer *ret_answer)
{
	struct dummy_answer answer = { .status = DUMMY_ST_DONE, .error = check_desc(desc) };

	if (answer.error)
		answer.status = DUMMY_ST_FAILED;
	else if (desc->opcode != DUMMY_OP_NOP)
		work(dma, bounce, desc, &answer);
	if (desc->opcode != DUMMY_OP_FILL)
		answer.bytes_in = answer.done;
	if (desc->opcode != DUMMY_OP_CRC32)
		answer.bytes_out = answer.done;
	*ret_answer = answer;
}

void dummy_memop_forecast(const struct dummy_desc *desc, uint64_t *ret_bytes_in, uint64_t *ret_ns)
{
	uint64_t len = desc->opcode == DUMMY_OP_NOP || check_desc(desc) ? 0 : le64toh(desc->len);

	*ret_bytes_in = desc->opcode == DUMMY_OP_FILL ? 0 : len;
	*ret_ns = REQUEST_NS + len / BYTES_PER_NS;
}

struct dummy_answer dummy_memop_fail(void)
{
	return (struct dummy_answer){ .status = DUMMY_ST_FAILED, .error = ERR_UNHEARD_OF };
}

void dummy_memop_spoil(const struct dma_space *dma, const struct dummy_desc *desc,
		       struct dummy_answer *answer)
{
	uint64_t addr = le64toh(desc->dst) + answer->done / 2;
	uint8_t byte;

	if (desc->opcode == DUMMY_OP_CRC32)
		answer->crc ^= 1u << 16;
	if (!answer->bytes_out || dma_read(dma, addr, &byte, sizeof(byte)))
		return;
	byte ^= 0x10;
	dma_write(dma, addr, &byte, sizeof(byte));
}

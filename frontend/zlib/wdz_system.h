/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The system's zlib, by its functions' addresses: the names are ours, and in a
 * program that preloads us they mean ours even inside it.  So it may call us
 * back, with streams of its own; those we hand on as they are.
 */
#ifndef FRONTEND_WDZ_SYSTEM_H
#define FRONTEND_WDZ_SYSTEM_H

#include <stdbool.h>
#include <stdint.h>

#include "wdz_zlib.h"

/* clang-format off */
/* All of them but gzprintf(), which has no fixed arguments: it is gzvprintf(). */
#define WDZ_SYSTEM_FUNCTIONS(F) \
	F(adler32) F(adler32_combine) F(adler32_combine64) F(adler32_z) F(compress) \
	F(compress2) F(compressBound) F(crc32) F(crc32_combine) F(crc32_combine64) \
	F(crc32_combine_gen) F(crc32_combine_gen64) F(crc32_combine_op) F(crc32_z) F(deflate) \
	F(deflateBound) F(deflateCopy) F(deflateEnd) F(deflateGetDictionary) F(deflateInit2_) \
	F(deflateParams) F(deflatePending) F(deflatePrime) F(deflateReset) F(deflateResetKeep) \
	F(deflateSetDictionary) F(deflateSetHeader) F(deflateTune) F(get_crc_table) F(gzbuffer) \
	F(gzclearerr) F(gzclose) F(gzclose_r) F(gzclose_w) F(gzdirect) F(gzdopen) F(gzeof) \
	F(gzerror) F(gzflush) F(gzfread) F(gzfwrite) F(gzgetc) F(gzgetc_) F(gzgets) F(gzoffset) \
	F(gzoffset64) F(gzopen) F(gzopen64) F(gzputc) F(gzputs) F(gzread) F(gzrewind) F(gzseek) \
	F(gzseek64) F(gzsetparams) F(gztell) F(gztell64) F(gzungetc) F(gzvprintf) F(gzwrite) \
	F(inflate) F(inflateBack) F(inflateBackEnd) F(inflateBackInit_) F(inflateCodesUsed) \
	F(inflateCopy) F(inflateEnd) F(inflateGetDictionary) F(inflateGetHeader) \
	F(inflateInit2_) F(inflateMark) F(inflatePrime) F(inflateReset) F(inflateReset2) \
	F(inflateResetKeep) F(inflateSetDictionary) F(inflateSync) F(inflateSyncPoint) \
	F(inflateUndermine) F(inflateValidate) F(uncompress) F(uncompress2) F(zError) \
	F(zlibCompileFlags) F(zlibVersion)

struct wdz_system {
#define WDZ_MEMBER(name) __typeof__(name) *name;
	WDZ_SYSTEM_FUNCTIONS(WDZ_MEMBER)
#undef WDZ_MEMBER
};
/* clang-format on */

extern struct wdz_system wdz_system_table;
extern bool wdz_system_is_found; /* written once its table is, read by __atomic_load */

/* Finds them; the program cannot go on without, and ends. */
void wdz_system_find(void);

/* May be the first call of all: of a static constructor, or one that runs before ours. */
static inline const struct wdz_system *wdz_system(void)
{
	/* pairs with the release in wdz_system_find() */
	if (__builtin_expect(!__atomic_load_n(&wdz_system_is_found, __ATOMIC_ACQUIRE), 0))
		wdz_system_find();
	return &wdz_system_table;
}

/* Whether an address lies in zlib's own deflateInit_(). */
bool wdz_system_is_init(const void *address);

/*
 * Whether output may go over input.  zlib reads before it writes, and gets by with
 * that; a device's buffers may not overlap.
 */
static inline bool wdz_is_overlapping(const z_stream *strm)
{
	const uintptr_t in = (uintptr_t)strm->next_in, out = (uintptr_t)strm->next_out;

	return in < out + strm->avail_out && out < in + strm->avail_in;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * All functions of one zlib, taken from a library loaded beside others: the same
 * program of calls can so be given to two of them.
 */
#ifndef DIFF_API_H
#define DIFF_API_H

#define ZLIB_CONST 1 /* input is not written to */
#include <zlib.h>

/* F(name) for each function whose name zlib.h leaves alone. */
#define ZLIB_FUNCTIONS(F)       \
	F(adler32)              \
	F(adler32_z)            \
	F(compress)             \
	F(compress2)            \
	F(compressBound)        \
	F(crc32)                \
	F(crc32_combine_op)     \
	F(crc32_z)              \
	F(deflate)              \
	F(deflateBound)         \
	F(deflateCopy)          \
	F(deflateEnd)           \
	F(deflateGetDictionary) \
	F(deflateInit2_)        \
	F(deflateInit_)         \
	F(deflateParams)        \
	F(deflatePending)       \
	F(deflatePrime)         \
	F(deflateReset)         \
	F(deflateResetKeep)     \
	F(deflateSetDictionary) \
	F(deflateSetHeader)     \
	F(deflateTune)          \
	F(get_crc_table)        \
	F(gzbuffer)             \
	F(gzclearerr)           \
	F(gzclose)              \
	F(gzclose_r)            \
	F(gzclose_w)            \
	F(gzdirect)             \
	F(gzdopen)              \
	F(gzeof)                \
	F(gzerror)              \
	F(gzflush)              \
	F(gzfread)              \
	F(gzfwrite)             \
	F(gzgetc)               \
	F(gzgetc_)              \
	F(gzgets)               \
	F(gzprintf)             \
	F(gzputc)               \
	F(gzputs)               \
	F(gzread)               \
	F(gzrewind)             \
	F(gzsetparams)          \
	F(gzungetc)             \
	F(gzwrite)              \
	F(inflate)              \
	F(inflateBack)          \
	F(inflateBackEnd)       \
	F(inflateBackInit_)     \
	F(inflateCodesUsed)     \
	F(inflateCopy)          \
	F(inflateEnd)           \
	F(inflateGetDictionary) \
	F(inflateGetHeader)     \
	F(inflateInit2_)        \
	F(inflateInit_)         \
	F(inflateMark)          \
	F(inflatePrime)         \
	F(inflateReset)         \
	F(inflateReset2)        \
	F(inflateResetKeep)     \
	F(inflateSetDictionary) \
	F(inflateSync)          \
	F(inflateSyncPoint)     \
	F(inflateUndermine)     \
	F(inflateValidate)      \
	F(uncompress)           \
	F(uncompress2)          \
	F(zError)               \
	F(zlibCompileFlags)     \
	F(zlibVersion)

/*
 * F(field, name, type) for those which zlib.h renames where offsets have 64
 * bits.  On the processors that we build for both names take the same types.
 */
#define ZLIB_OFFSET_FUNCTIONS(F)                                      \
	F(sum_adler32, "adler32_combine", adler32_combine)            \
	F(sum_adler32_64, "adler32_combine64", adler32_combine)       \
	F(sum_crc32, "crc32_combine", crc32_combine)                  \
	F(sum_crc32_64, "crc32_combine64", crc32_combine)             \
	F(sum_crc32_gen, "crc32_combine_gen", crc32_combine_gen)      \
	F(sum_crc32_gen_64, "crc32_combine_gen64", crc32_combine_gen) \
	F(file_open, "gzopen", gzopen)                                \
	F(file_open_64, "gzopen64", gzopen)                           \
	F(file_seek, "gzseek", gzseek)                                \
	F(file_seek_64, "gzseek64", gzseek)                           \
	F(file_tell, "gztell", gztell)                                \
	F(file_tell_64, "gztell64", gztell)                           \
	F(file_offset, "gzoffset", gzoffset)                          \
	F(file_offset_64, "gzoffset64", gzoffset)

struct zlib_api {
	void *handle;
	const char *path;
#define F(name) __typeof__(&name) name;
	ZLIB_FUNCTIONS(F)
#undef F
#define F(field, name, type) __typeof__(&type) field;
	ZLIB_OFFSET_FUNCTIONS(F)
#undef F
};

/*
 * Loads the library at @path for itself alone.  0, or -ENOENT if it is not to be
 * had or lacks a function; why goes to stderr.
 */
int zlib_api_load(struct zlib_api *api, const char *path);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * zlib's own header, for those who define what it declares: its functions are
 * exported, and none of its names is a macro for another.
 */
#ifndef FRONTEND_WDZ_ZLIB_H
#define FRONTEND_WDZ_ZLIB_H

#define ZLIB_INTERNAL /* gzopen() stays gzopen() */

#pragma GCC visibility push(default)
#include <zlib.h>
#pragma GCC visibility pop

#undef deflateInit
#undef deflateInit2
#undef inflateInit
#undef inflateInit2
#undef inflateBackInit
#undef gzgetc

#endif

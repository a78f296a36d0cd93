/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* Names of compressed files: which suffixes there are, and what a name becomes. */
#ifndef COMP_NAME_H
#define COMP_NAME_H

#include <stddef.h>

#define COMP_NAME_SUFFIX_MAX 30 /* as gzip's limit */

/*
 * The suffix of @name that says it is compressed: @own, or one that gzip knows,
 * in any case.  NULL when there is none; else a part of @name.
 */
const char *comp_name_suffix(const char *name, const char *own);

/* NAME to NAME.gz: 0 or -ENAMETOOLONG. */
int comp_name_add_suffix(const char *name, const char *own, char *ret_name, size_t room);

/* NAME.gz to NAME, NAME.tgz to NAME.tar; @suffix is from comp_name_suffix(). */
int comp_name_drop_suffix(const char *name, const char *suffix, char *ret_name, size_t room);

/*
 * The name that a header gives, in the directory of @name.  A header is not
 * trusted with a directory of its own.  -EINVAL when it gives none that is usable.
 */
int comp_name_restore(const char *name, const char *header_name, char *ret_name, size_t room);

/* Last part of a path. */
const char *comp_name_base(const char *path);

#endif

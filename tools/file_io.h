/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Reading and writing of descriptors to the last byte: interrupted calls, short
 * transfers and descriptors that do not block are dealt with here.
 */
#ifndef FILE_IO_H
#define FILE_IO_H

#include <stddef.h>
#include <sys/types.h>

/* Reads what there is, waiting for the first byte.  A count, 0 at the end, or a negative errno. */
ssize_t file_read_some(int fd, void *buf, size_t len);

/* Reads @len bytes, fewer only where the file ends.  A count, or a negative errno. */
ssize_t file_read_full(int fd, void *buf, size_t len);

/* Writes all of it: 0 or a negative errno. */
int file_write_full(int fd, const void *buf, size_t len);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* The library, told what a measurement needs and nothing else. */
#ifndef BENCH_LIBRARY_H
#define BENCH_LIBRARY_H

/*
 * Before the library's first use: the devices of @embed, run by @workers threads;
 * all else as by default, whatever the environment says.  0, or -1 after a message.
 */
int library_configure(const char *embed, unsigned int workers);

/* Says what of @what failed; returns -1. */
int library_fail(const char *what, int err);

/* The same where the reason is a text of ours, or wd_status_text(). */
int library_wrong(const char *what, const char *why);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The output while it is not done: a file of ours under a temporary name, mode
 * 0600, in the directory where it will stand.  A signal that ends the program
 * removes it first, at any moment.  There is one at a time.
 */
#ifndef TEMP_FILE_H
#define TEMP_FILE_H

#include <stdbool.h>

/* Has the signals that end a program remove the temporary file; ignored ones stay ignored. */
void temp_file_catch_signals(void);

/* Creates it next to @target and returns its descriptor, or a negative errno. */
int temp_file_create(const char *target);

/* Removes it, if there is one. */
void temp_file_remove(void);

/*
 * Gives it the name @target.  Without @replace a file already there stays, also
 * if it appeared just now: -EEXIST, and the temporary file is still there.
 */
int temp_file_install(const char *target, bool replace);

#endif

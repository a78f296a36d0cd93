/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Settings: a name, a value as text, and where it comes from.  Later ones
 * override: built-in default, /etc/warpdrive.conf, the file that WD_CONFIG
 * names, environment (WD_ and the name in capitals), wd_config_set().  In a
 * set-uid program neither environment nor the file it names count.
 * doc/configuration.md lists them; so does `wd config`.
 *
 * All of them are checked, also one that is overridden.  While any is wrong,
 * every call that needs a device fails with -EINVAL.
 */
#ifndef WD_CONFIG_H
#define WD_CONFIG_H

#include <wd/wd.h>

#ifdef __cplusplus
extern "C" {
#endif

struct wd_setting {
	uint32_t size;	  /* sizeof(struct wd_setting), set by the caller */
	uint32_t is_set;  /* not 0: not the default */
	char name[32];	  /* "embed_workers" */
	char value[1024]; /* as text */
	char origin[256]; /* "default", "/etc/warpdrive.conf:3", "WD_EMBED_WORKERS", "program" */
	char help[160];	  /* what it means, in a line */
};

/**
 * wd_config_set() - set one value from within the program
 * @name: of the setting
 * @value: as text, copied; NULL: no longer set by the program
 *
 * Counts from the next time that devices are looked for: before the first use,
 * or after the last wd_fini().
 *
 * Thread rule: any thread.
 * Return: 0, -ENOENT (no such setting), -EINVAL (no value for it; what was
 * expected goes to wd_set_log()), -EBUSY (in use already), -ENOMEM.
 */
WD_API int wd_config_set(const char *name, const char *value);

/**
 * wd_config_get() - read one setting, or the one at an index
 * @name: of the setting, or NULL
 * @index: without @name: 0 and up
 * @ret_setting: its size set by the caller
 *
 * Needs no device and looks for none.  Tells what counts when devices are looked
 * for next; those in use go by what counted then.
 *
 * Thread rule: any thread, while none changes the environment.
 * Return: 0, -ENOENT, -EINVAL (its size, or what the outside says of some setting:
 * wd_config_error() tells), -ENOMEM.
 */
WD_API int wd_config_get(const char *name, unsigned int index, struct wd_setting *ret_setting);

/**
 * wd_config_error() - what is wrong with the settings from outside, if anything
 * @buf: receives a line of text, empty when nothing is; may be NULL
 * @size: of @buf
 *
 * Tells of the first one only, with its origin and what was expected.  Whether a
 * chip model and its faults are known is seen only when devices are looked for.
 *
 * Thread rule: as wd_config_get().
 * Return: 0 when nothing is, -EINVAL with the text, -ENOMEM.
 */
WD_API int wd_config_error(char *buf, size_t size);

#ifdef __cplusplus
}
#endif

#endif

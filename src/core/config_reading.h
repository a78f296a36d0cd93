/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * One reading of all settings: the table of what there is, and what the outside
 * says of it.  Values are taken in rising precedence, each checked by taking it,
 * so a wrong one is told of even where a later origin overrides it.
 */
#ifndef CORE_CONFIG_READING_H
#define CORE_CONFIG_READING_H

#include <wd/config.h>

#include "base/compiler.h"
#include "core/config.h"

#define CONFIG_VALUE_BYTES     sizeof(((struct wd_setting *)0)->value)
#define CONFIG_ORIGIN_BYTES    sizeof(((struct wd_setting *)0)->origin)
#define CONFIG_EXPECTED_BYTES  192
#define CONFIG_COMPLAINT_BYTES 512
#define CONFIG_SETTINGS_NR     9

struct config_setting {
	const char *name;
	const char *fallback; /* taken first; an origin like the others but for its rank */
	const char *help;
	const char *expected; /* completes "expected ..." */
	/*
	 * Takes @text into its members of @config.  Returns 0, or -EINVAL with nothing
	 * promised of them, and perhaps a closer word in @expected (CONFIG_EXPECTED_BYTES).
	 */
	int (*take)(const char *text, struct wd_config *config, char *expected);
};

extern const struct config_setting config_settings[CONFIG_SETTINGS_NR];

/* One setting as it was last taken. */
struct config_text {
	bool is_set; /* not the default */
	char value[CONFIG_VALUE_BYTES];
	char origin[CONFIG_ORIGIN_BYTES];
};

/* Too large for a small stack: always allocated. */
struct config_reading {
	struct wd_config config;
	struct config_text text[CONFIG_SETTINGS_NR];
	char complaint[CONFIG_COMPLAINT_BYTES]; /* of a call that returned -EINVAL */
};

struct config_overrides {
	struct {
		bool is_set;
		char value[CONFIG_VALUE_BYTES];
	} value[CONFIG_SETTINGS_NR];
};

/* Where a reading looks; tests have files and a decision of their own. */
struct config_sources {
	const char *system_file; /* may be absent */
	bool is_secure;		 /* set-uid: the environment is not the program's own */
};

/* All origins, from the defaults up.  Returns 0, -EINVAL or -ENOMEM. */
int config_reading_run(struct config_reading *reading, const struct config_sources *sources,
		       const struct config_overrides *overrides);

/* The same from where this process has to look. */
int config_reading_run_here(struct config_reading *reading,
			    const struct config_overrides *overrides);

/* Takes one value.  Returns 0, or -EINVAL with the complaint. */
int config_reading_take(struct config_reading *reading, unsigned int setting, const char *value,
			const char *origin);

/* Says "@origin: ..." in the complaint; returns -EINVAL. */
BASE_PRINTF(3, 4)
int config_reading_complain(struct config_reading *reading, const char *origin, const char *fmt,
			    ...);

/* config_file.c: takes all of a file; one named by the environment must be there. */
int config_file_read(struct config_reading *reading, const char *path, bool is_named);

/* config_table.c: index of a setting, or -ENOENT. */
int config_find(const char *name);

/* Whole decimal number from @min to @max and nothing else.  Returns 0 or -EINVAL. */
int config_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value);

/* config_embed.c */
int config_take_embed(const char *text, struct wd_config *config, char *expected);

#endif

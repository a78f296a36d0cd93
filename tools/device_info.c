/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* The devices of this machine as a whole array, and their flags in words. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "device_info.h"

/* More than the machine had a moment ago, in case one was just plugged in. */
#define SPARE_DEVICES 8

int device_info_all(struct wd_device_info **ret_infos)
{
	struct wd_device_info *infos;
	int nr = wd_list_devices(NULL, 0);
	int room;

	if (nr < 0)
		return nr;
	room = nr + SPARE_DEVICES;
	infos = calloc(room, sizeof(*infos));
	if (!infos)
		return -ENOMEM;
	for (int i = 0; i < room; i++)
		infos[i].size = sizeof(infos[i]);
	nr = wd_list_devices(infos, room);
	if (nr < 0) {
		free(infos);
		return nr;
	}
	*ret_infos = infos;
	return nr < room ? nr : room;
}

void device_info_print_flags(FILE *to, const struct wd_device_info *info)
{
	static const struct {
		uint32_t flag;
		const char *name;
	} names[] = {
		{ WD_CAPA_F_SVA, "sva" },
		{ WD_CAPA_F_LEVELS, "levels" },
		{ WD_CAPA_F_SHARE, "share" },
		{ WD_CAPA_F_HERE, "here" },
	};
	const char *before = "";

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!(info->flags & names[i].flag))
			continue;
		fprintf(to, "%s%s", before, names[i].name);
		before = ",";
	}
	if (info->isolated) {
		fprintf(to, "%sisolated", before);
		before = ",";
	}
	if (!*before)
		fputc('-', to);
}

void device_info_print_algs(FILE *to, const struct wd_device_info *info, char separator)
{
	const char *alg = info->algs;
	int first = 1;

	while (*alg) {
		size_t len = strcspn(alg, "\n");

		if (len) {
			if (!first)
				fputc(separator, to);
			fwrite(alg, 1, len, to);
			first = 0;
		}
		alg += len + (alg[len] == '\n');
	}
	if (first)
		fputc('-', to);
}

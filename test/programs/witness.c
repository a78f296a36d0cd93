// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The WarpDrive authors
/*
 * Preloaded beside libwdz: leaves an empty file in $WITNESS_FOLDER when a
 * process ends that has loaded $WITNESS_LIBRARY.  Nothing else shows from
 * outside that an unmodified program's data went through a queue; LD_DEBUG would
 * write to a descriptor that daemons close and use for something else.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

__attribute__((destructor)) static void witness_loaded(void)
{
	const char *library = getenv("WITNESS_LIBRARY");
	const char *folder = getenv("WITNESS_FOLDER");
	char path[4096];
	int fd;

	if (!library || !folder || !dlopen(library, RTLD_LAZY | RTLD_NOLOAD))
		return;
	snprintf(path, sizeof(path), "%s/%ld", folder, (long)getpid());
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	if (fd >= 0)
		close(fd);
}

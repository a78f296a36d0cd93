/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* The backends of this build, real hardware first. */
#include <stddef.h>

#include "core/backend.h"

extern const struct wd_backend wd_backend_embed;

const struct wd_backend *const wd_backends[] = {
	&wd_backend_embed,
	NULL,
};

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* cmocka with the includes that it wants before it, and a few shorthands. */
#ifndef TEST_T_ASSERT_H
#define TEST_T_ASSERT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define assert_ok(expr) assert_int_equal((expr), 0)

/* Bytes at @p against a list of them. */
#define assert_bytes(p, ...)                                    \
	do {                                                    \
		static const uint8_t want_[] = { __VA_ARGS__ }; \
		assert_memory_equal((p), want_, sizeof(want_)); \
	} while (0)

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * The setting "embed": devices separated by commas, each a model's name and
 * elements after colons.  Which models there are, and what a fault's text
 * means, the backend knows.
 *
 * A fault's text may have a colon of its own, before the time of a delay
 * ("fault=delay@3:200us").  So a number with us or ms that directly follows a
 * fault belongs to it; no element of a device looks like that.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/config_reading.h"

#define ELEMENT_BYTES 96
#define QUEUES_MAX    1024
#define DEPTH_MIN     2
#define DEPTH_MAX     4096
#define NODE_MAX      1023
#define DELAY_NS_MAX  60000000000ull
#define DIGITS	      "0123456789"
#define NAME_BYTES                          \
	DIGITS "abcdefghijklmnopqrstuvwxyz" \
	       "ABCDEFGHIJKLMNOPQRSTUVWXYZ" \
	       "_-"

/* ---------------------------------------------------------------- values */

static int take_u32(const char *value, uint64_t min, uint64_t max, uint32_t *ret)
{
	uint64_t n;

	if (config_number(value, min, max, &n))
		return -EINVAL;
	*ret = (uint32_t)n;
	return 0;
}

static int take_memory(const char *value, struct config_embed *e)
{
	static const char *const names[] = {
		[CONFIG_MEMORY_SVA] = "sva",
		[CONFIG_MEMORY_SHARE] = "share",
		[CONFIG_MEMORY_BOUNCE] = "bounce",
	};
	unsigned int i;

	for (i = 0; i < BASE_ARRAY_SIZE(names); i++) {
		if (!strcmp(names[i], value)) {
			e->memory = (enum config_memory)i;
			return 0;
		}
	}
	return -EINVAL;
}

static int take_queues(const char *value, struct config_embed *e)
{
	return take_u32(value, 1, QUEUES_MAX, &e->nr_queues);
}

static int take_depth(const char *value, struct config_embed *e)
{
	return take_u32(value, DEPTH_MIN, DEPTH_MAX, &e->depth);
}

static int take_node(const char *value, struct config_embed *e)
{
	uint32_t node;

	if (take_u32(value, 0, NODE_MAX, &node))
		return -EINVAL;
	e->numa_node = (int32_t)node;
	return 0;
}

/* A number and its unit: there is no telling which one would be meant without. */
static int take_time(const char *value, uint64_t *ret_ns)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = { { "ns", 1 }, { "us", 1000 }, { "ms", 1000000 } };
	size_t n = strspn(value, DIGITS);
	char number[ELEMENT_BYTES];
	uint64_t count;
	unsigned int i;

	for (i = 0; i < BASE_ARRAY_SIZE(units) && strcmp(value + n, units[i].name); i++)
		;
	if (i == BASE_ARRAY_SIZE(units) || n >= sizeof(number))
		return -EINVAL;
	memcpy(number, value, n);
	number[n] = '\0';
	if (config_number(number, 0, DELAY_NS_MAX / units[i].ns, &count))
		return -EINVAL;
	*ret_ns = count * units[i].ns;
	return 0;
}

static int take_delay(const char *value, struct config_embed *e)
{
	return take_time(value, &e->delay_ns);
}

static int take_delay_per_kib(const char *value, struct config_embed *e)
{
	return take_time(value, &e->delay_ns_per_kib);
}

static int take_near(const char *value, struct config_embed *e)
{
	if (*value)
		return -EINVAL;
	e->is_near = true;
	return 0;
}

static int take_fault(const char *value, struct config_embed *e)
{
	if (!*value || strlen(value) >= CONFIG_FAULT_BYTES ||
	    e->nr_faults == CONFIG_EMBED_FAULTS_MAX)
		return -EINVAL;
	strcpy(e->fault[e->nr_faults++], value);
	return 0;
}

/* What may follow a model, each once unless @is_repeated. */
static const struct key {
	const char *name; /* with its "=", if it takes a value */
	const char *expected;
	int (*take)(const char *value, struct config_embed *e);
	bool is_repeated;
} keys[] = {
	{ "memory=", "memory=sva, share or bounce", take_memory, false },
	{ "queues=", "queues=1 to 1024", take_queues, false },
	{ "depth=", "depth=2 to 4096", take_depth, false },
	{ "delay=", "delay= and a time of up to 60000ms in ns, us or ms", take_delay, false },
	{ "delay_per_kib=", "delay_per_kib= and a time of up to 60000ms in ns, us or ms",
	  take_delay_per_kib, false },
	{ "node=", "node=0 to 1023", take_node, false },
	{ "near", "near without a value", take_near, false },
	{ "fault=", "up to 8 times fault=KIND@FIRST[/EVERY[*COUNT]][:TIME] of up to 63 bytes",
	  take_fault, true },
};

_Static_assert(QUEUES_MAX == 1024 && DEPTH_MIN == 2 && DEPTH_MAX == 4096 && NODE_MAX == 1023 &&
		       DELAY_NS_MAX == 60000000000ull && CONFIG_EMBED_FAULTS_MAX == 8 &&
		       CONFIG_FAULT_BYTES == 64,
	       "the texts above say so");

/* ---------------------------------------------------------------- elements */

/* Whether a fault's time stands at @p, up to the element's end. */
static bool is_fault_time(const char *p)
{
	size_t n = strspn(p, DIGITS);

	return n && (p[n] == 'u' || p[n] == 'm') && p[n + 1] == 's' &&
	       (!p[n + 2] || p[n + 2] == ':' || p[n + 2] == ',');
}

static size_t element_bytes(const char *p)
{
	size_t n = strcspn(p, ":,");

	if (!strncmp(p, "fault=", strlen("fault=")) && p[n] == ':' && is_fault_time(p + n + 1))
		n += 1 + strcspn(p + n + 1, ":,");
	return n;
}

static int refuse(char *expected, const char *wanted, const char *element)
{
	snprintf(expected, CONFIG_EXPECTED_BYTES, "%s, not '%s'", wanted, element);
	return -EINVAL;
}

static int take_element(const char *element, struct config_embed *e, uint32_t *seen, char *expected)
{
	unsigned int i;

	for (i = 0; i < BASE_ARRAY_SIZE(keys); i++) {
		size_t n = strlen(keys[i].name);

		if (strncmp(element, keys[i].name, n))
			continue;
		if (*seen & 1u << i && !keys[i].is_repeated)
			return refuse(expected, "each key once", element);
		*seen |= 1u << i;
		if (keys[i].take(element + n, e))
			return refuse(expected, keys[i].expected, element);
		return 0;
	}
	return refuse(
		expected,
		"memory=, queues=, depth=, delay=, delay_per_kib=, node=, near or fault=", element);
}

static int take_model(const char *element, struct config_embed *e, char *expected)
{
	size_t n = strlen(element);

	if (!n || n >= sizeof(e->model) || element[strspn(element, NAME_BYTES)])
		return refuse(expected, "a model's name", element);
	if (!strcmp(element, "none"))
		return refuse(expected, "none to stand alone", element);
	*e = (struct config_embed){ .numa_node = -1 };
	strcpy(e->model, element);
	return 0;
}

/* Copies the element at @p and moves @p behind it. */
static int next_element(const char **p, char element[ELEMENT_BYTES], char *expected)
{
	size_t n = element_bytes(*p);
	size_t room = n < ELEMENT_BYTES ? n : ELEMENT_BYTES - 1;

	memcpy(element, *p, room);
	element[room] = '\0';
	*p += n;
	return room < n ? refuse(expected, "shorter elements", element) : 0;
}

/* Moves @p to the comma or the end after the device. */
static int take_device(const char **p, struct config_embed *e, char *expected)
{
	char element[ELEMENT_BYTES];
	uint32_t seen = 0;
	int err = next_element(p, element, expected);

	if (!err)
		err = take_model(element, e, expected);
	while (!err && **p == ':') {
		++*p;
		err = next_element(p, element, expected);
		if (!err)
			err = take_element(element, e, &seen, expected);
	}
	return err;
}

int config_take_embed(const char *text, struct wd_config *config, char *expected)
{
	unsigned int n = 0;

	config->nr_embed = 0;
	if (!strcmp(text, "none"))
		return 0;
	for (;;) {
		if (n == CONFIG_EMBED_DEVICES_MAX) {
			snprintf(expected, CONFIG_EXPECTED_BYTES, "at most %d devices",
				 CONFIG_EMBED_DEVICES_MAX);
			return -EINVAL;
		}
		if (take_device(&text, &config->embed[n], expected))
			return -EINVAL;
		n++;
		if (!*text)
			break;
		text++;
	}
	config->nr_embed = n;
	return 0;
}

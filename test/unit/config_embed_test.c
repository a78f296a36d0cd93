/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/* The setting "embed": what a device's text means, and what is said of wrong ones. */
#include <errno.h>
#include <stdio.h>

#include "chip/chip.h"
#include "core/config_reading.h"
#include "lib/t_assert.h"

static struct wd_config config;
static char expected[CONFIG_EXPECTED_BYTES];

static int take(const char *text)
{
	memset(&config, 0x5a, sizeof(config));
	memset(expected, 0, sizeof(expected));
	return config_take_embed(text, &config, expected);
}

static void assert_said(const char *part)
{
	if (!strstr(expected, part))
		fail_msg("no \"%s\" in: %s", part, expected);
}

static void no_devices(void **state)
{
	(void)state;
	assert_ok(take("none"));
	assert_int_equal(config.nr_embed, 0);
}

static void embedded_devices(void **state)
{
	const struct config_embed *e = config.embed;

	(void)state;
	assert_ok(take(
		"hisi_zip:memory=share:queues=2:depth=64:delay=200us:delay_per_kib=15ns:node=1:near,"
		"dummy,dummy:memory=bounce:delay=3ms,dummy:memory=sva:delay_per_kib=1us:node=0"));
	assert_int_equal(config.nr_embed, 4);
	assert_string_equal(e[0].model, "hisi_zip");
	assert_int_equal(e[0].memory, CONFIG_MEMORY_SHARE);
	assert_int_equal(e[0].nr_queues, 2);
	assert_int_equal(e[0].depth, 64);
	assert_int_equal(e[0].delay_ns, 200000);
	assert_int_equal(e[0].delay_ns_per_kib, 15);
	assert_int_equal(e[0].numa_node, 1);
	assert_true(e[0].is_near);
	assert_int_equal(e[0].nr_faults, 0);
	assert_string_equal(e[1].model, "dummy");
	assert_int_equal(e[1].memory, CONFIG_MEMORY_SVA);
	assert_int_equal(e[1].nr_queues, 0);
	assert_int_equal(e[1].depth, 0);
	assert_int_equal(e[1].delay_ns, 0);
	assert_int_equal(e[1].delay_ns_per_kib, 0);
	assert_int_equal(e[1].numa_node, -1);
	assert_false(e[1].is_near);
	assert_int_equal(e[2].memory, CONFIG_MEMORY_BOUNCE);
	assert_int_equal(e[2].delay_ns, 3000000);
	assert_int_equal(e[3].memory, CONFIG_MEMORY_SVA);
	assert_int_equal(e[3].delay_ns_per_kib, 1000);
	assert_int_equal(e[3].numa_node, 0);
}

/* Each fault arrives as the chip reads it; the time after a delay is its own. */
static void faults_are_kept_as_they_are(void **state)
{
	static const char *const faults[] = {
		"delay@3:200us", "drop@1", "error@2/5*7", "delay@1/2:3ms", "hang@9",
	};
	const struct config_embed *e = config.embed;
	struct chip_fault fault;
	unsigned int i;

	(void)state;
	assert_ok(take(
		"dummy:fault=delay@3:200us:fault=drop@1:fault=error@2/5*7:near:fault=delay@1/2:3ms,"
		"hisi_zip:fault=delay@3:200us,dummy:fault=hang@9"));
	assert_int_equal(config.nr_embed, 3);
	assert_int_equal(e[0].nr_faults, 4);
	assert_true(e[0].is_near);
	for (i = 0; i < 4; i++)
		assert_string_equal(e[0].fault[i], faults[i]);
	assert_int_equal(e[1].nr_faults, 1);
	assert_string_equal(e[1].fault[0], faults[0]);
	assert_int_equal(e[2].nr_faults, 1);
	assert_string_equal(e[2].fault[0], faults[4]);
	for (i = 0; i < BASE_ARRAY_SIZE(faults); i++)
		assert_ok(chip_fault_parse(faults[i], &fault));
	assert_ok(chip_fault_parse(e[0].fault[0], &fault));
	assert_int_equal(fault.delay_ns, 200000);
}

static void no_more_faults_than_there_is_room_for(void **state)
{
	char value[CONFIG_VALUE_BYTES] = "dummy";
	unsigned int i;

	(void)state;
	for (i = 0; i < CONFIG_EMBED_FAULTS_MAX; i++)
		strcat(value, ":fault=drop@1");
	assert_ok(take(value));
	assert_int_equal(config.embed[0].nr_faults, CONFIG_EMBED_FAULTS_MAX);
	strcat(value, ":fault=drop@1");
	assert_int_equal(take(value), -EINVAL);
	assert_said("up to 8 times fault=");
}

static void a_fault_has_room_for_63_bytes(void **state)
{
	char value[128];

	(void)state;
	snprintf(value, sizeof(value), "dummy:fault=delay@%051d:200us", 1);
	assert_ok(take(value));
	assert_int_equal(strlen(config.embed[0].fault[0]), CONFIG_FAULT_BYTES - 1);
	snprintf(value, sizeof(value), "dummy:fault=delay@%052d:200us", 1);
	assert_int_equal(take(value), -EINVAL);
	assert_said("of up to 63 bytes");
}

static void nonsense_devices_are_named(void **state)
{
	static const char *const bad[][2] = {
		{ "", "a model's name, not ''" },
		{ "hisi_zip,", "a model's name, not ''" },
		{ ",dummy", "a model's name, not ''" },
		{ "dummy, dummy", "a model's name, not ' dummy'" },
		{ "a_name_of_no_less_than_32_letters", "a model's name" },
		{ ":near", "a model's name, not ''" },
		{ "none,dummy", "none to stand alone" },
		{ "dummy,none", "none to stand alone" },
		{ "none:near", "none to stand alone" },
		{ "d,d,d,d,d,d,d,d,d,d,d,d,d,d,d,d,d", "at most 16 devices" },
		{ "dummy:", "fault=, not ''" },
		{ "dummy:colour=blue", "fault=, not 'colour=blue'" },
		{ "dummy:memory", "fault=, not 'memory'" },
		{ "dummy:memory=", "memory=sva, share or bounce, not 'memory='" },
		{ "dummy:memory=SVA", "memory=sva, share or bounce, not 'memory=SVA'" },
		{ "dummy:queues=0", "queues=1 to 1024, not 'queues=0'" },
		{ "dummy:queues=1025", "queues=1 to 1024" },
		{ "dummy:queues=4294967297", "queues=1 to 1024" },
		{ "dummy:depth=1", "depth=2 to 4096" },
		{ "dummy:depth=4097", "depth=2 to 4096" },
		{ "dummy:delay=5",
		  "delay= and a time of up to 60000ms in ns, us or ms, not 'delay=5'" },
		{ "dummy:delay=us", "delay= and a time" },
		{ "dummy:delay=-1us", "delay= and a time" },
		{ "dummy:delay=1 us", "delay= and a time" },
		{ "dummy:delay=1s", "delay= and a time" },
		{ "dummy:delay=60001ms", "delay= and a time" },
		{ "dummy:delay=18446744073709551617ns", "delay= and a time" },
		{ "dummy:delay_per_kib=x", "delay_per_kib= and a time" },
		{ "dummy:node=-1", "node=0 to 1023" },
		{ "dummy:node=1024", "node=0 to 1023" },
		{ "dummy:nearby", "near without a value" },
		{ "dummy:near=1", "near without a value" },
		{ "dummy:near:near", "each key once, not 'near'" },
		{ "dummy:depth=2:depth=2", "each key once, not 'depth=2'" },
		{ "dummy:fault=", "up to 8 times fault=" },
		{ "dummy:near:200us", "fault=, not '200us'" },
		{ "dummy:fault=delay@1:200us:200us", "fault=, not '200us'" },
		{ "dummy:fault=delay@1:200", "fault=, not '200'" },
		{ "dummy:fault=delay@1:200usx", "fault=, not '200usx'" },
		{ "dummy:queues=000000000000000000000000000000000000000000000000000000000000000000"
		  "00000000000000000000012",
		  "shorter elements" },
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < BASE_ARRAY_SIZE(bad); i++) {
		assert_int_equal(take(bad[i][0]), -EINVAL);
		assert_said(bad[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_devices),
		cmocka_unit_test(embedded_devices),
		cmocka_unit_test(faults_are_kept_as_they_are),
		cmocka_unit_test(no_more_faults_than_there_is_room_for),
		cmocka_unit_test(a_fault_has_room_for_63_bytes),
		cmocka_unit_test(nonsense_devices_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

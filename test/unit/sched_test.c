/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The WarpDrive authors */
/*
 * Schedulers over scripted devices (alg_comp_device.c): which device a request
 * goes to, by policy, by size, by what the devices say, and which of its queues.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "alg_comp_device.h"
#include "base/compiler.h"
#include "base/wait.h"
#include "lib/t_assert.h"
#include "lib/t_fork.h"

#define TEXT_BYTES 1000
#define ROOM_BYTES 2000

static struct wd_sched *open_sched(const struct wd_sched_opts *opts)
{
	struct wd_sched *sched = NULL;

	assert_ok(wd_sched_open(opts, &sched));
	return sched;
}

static struct wd_sched *open_policy(enum wd_sched_policy policy)
{
	const struct wd_sched_opts opts = { .size = sizeof(opts), .policy = policy };

	return open_sched(&opts);
}

static int try_session(struct wd_sched *sched, const char *device, struct wd_comp **ret_comp)
{
	const struct wd_comp_opts opts = { .size = sizeof(opts),
					   .op = WD_OP_COMPRESS,
					   .format = WD_COMP_ZLIB,
					   .device = device,
					   .sched = sched };

	return wd_comp_open(&opts, ret_comp);
}

static struct wd_comp *open_session(struct wd_sched *sched)
{
	struct wd_comp *c = NULL;

	assert_ok(try_session(sched, NULL, &c));
	return c;
}

/* Compresses @n bytes; the name of the device that did it. */
static const char *served(struct wd_comp *c, size_t n, struct wd_io *ret_head)
{
	uint8_t *text = fake_text(n);
	size_t room = wd_comp_bound(WD_COMP_ZLIB, n);
	uint8_t *packed = malloc(room);
	struct wd_comp_io io = { .src = text, .src_len = n, .dst = packed, .dst_len = room };

	assert_ok(wd_comp_block(c, &io));
	assert_int_equal(io.head.status, WD_STATUS_OK);
	fake_judge(WD_COMP_ZLIB, packed, io.produced, text, n);
	free(packed);
	free(text);
	if (ret_head != NULL)
		*ret_head = io.head;
	return wd_device_name(io.head.device_id);
}

static void assert_served(struct wd_comp *c, const char *want, bool is_spilled)
{
	struct wd_io head;

	assert_string_equal(served(c, TEXT_BYTES, &head), want);
	assert_int_equal((head.flags & WD_IO_F_SPILLED) != 0, is_spilled);
}

/* Has two devices elsewhere, or so. */
static void have(unsigned int nr_devices, unsigned int nr_here)
{
	fake.nr_devices = nr_devices;
	fake.nr_here = nr_here;
	fake_rescan();
}

/* ------------------------------------------------------------- policies */

static unsigned int choose_last(void *arg, size_t bytes, const struct wd_candidate *candidates,
				unsigned int nr);

static void nonsense_is_refused(void **state)
{
	static const char *const one[] = { "fake:0", NULL };
	static const char *const none[] = { NULL };
	static const char *const nine[] = { "1", "2", "3", "4", "5", "6", "7", "8", "9", NULL };
	static const char *const long_name[] = {
		"a-device-name-that-is-as-long-as-the-field-for-it", NULL
	};
	const struct wd_sched_opts good = { .size = sizeof(good) };
	const struct wd_capa capa = { .alg = "zlib", .op = WD_OP_COMPRESS };
	struct wd_candidate candidate;
	struct wd_sched_opts opts;
	struct wd_sched *sched = NULL;
	unsigned int chosen, taken;

	(void)state;
	assert_int_equal(wd_sched_open(NULL, &sched), -EINVAL);
	assert_int_equal(wd_sched_open(&good, NULL), -EINVAL);
#define REFUSED(...)                                                                \
	do {                                                                        \
		opts = (struct wd_sched_opts){ .size = sizeof(opts), __VA_ARGS__ }; \
		assert_int_equal(wd_sched_open(&opts, &sched), -EINVAL);            \
	} while (0)
	opts = good;
	opts.size--;
	assert_int_equal(wd_sched_open(&opts, &sched), -EINVAL);
	REFUSED(.policy = 4);
	REFUSED(.flags = 2);
	REFUSED(.small_bytes = -2);
	REFUSED(.policy = WD_SCHED_NAMED);
	REFUSED(.policy = WD_SCHED_NAMED, .devices = none);
	REFUSED(.policy = WD_SCHED_NAMED, .devices = nine);
	REFUSED(.policy = WD_SCHED_NAMED, .devices = long_name);
	REFUSED(.devices = one);
	REFUSED(.policy = WD_SCHED_CUSTOM);
	REFUSED(.choose = choose_last);
#undef REFUSED
	assert_null(sched);
	wd_sched_close(NULL);
	assert_int_equal(wd_sched_explain(NULL, NULL, 1, NULL, 0, &chosen, &taken), -EINVAL);
	assert_int_equal(wd_sched_explain(NULL, &capa, 1, NULL, 1, &chosen, &taken), -EINVAL);
	assert_int_equal(wd_sched_explain(NULL, &capa, 1, &candidate, 1, NULL, &taken), -EINVAL);
	assert_int_equal(wd_sched_explain(NULL, &capa, 1, &candidate, 1, &chosen, NULL), -EINVAL);
}

static void nearest_is_the_most_capable_of_the_near(void **state)
{
	struct wd_comp *c;

	(void)state;
	fake.dev[1].throughput = 50;
	have(3, 0);
	c = open_session(NULL);
	for (int i = 0; i < 3; i++)
		assert_served(c, "fake:1", false);
	wd_comp_close(c);
	/* The only one that the session wants. */
	assert_ok(try_session(NULL, "fake:2", &c));
	assert_served(c, "fake:2", false);
	wd_comp_close(c);
}

static void round_robin_takes_turns(void **state)
{
	struct wd_sched *sched;
	struct wd_comp *c;

	(void)state;
	have(3, 0);
	sched = open_policy(WD_SCHED_ROUND_ROBIN);
	c = open_session(sched);
	for (int i = 0; i < 9; i++)
		served(c, TEXT_BYTES, NULL);
	for (int i = 0; i < 3; i++)
		assert_int_equal(seen.by[i], 3);
	/* One that is full is passed over, which is a detour, and nobody's turn is lost. */
	fake.dev[1].send_ret = -EAGAIN;
	memset(seen.by, 0, sizeof(seen.by));
	for (int i = 0; i < 9; i++)
		served(c, TEXT_BYTES, NULL);
	assert_int_equal(seen.by[0], 3);
	assert_int_equal(seen.by[1], 0);
	assert_int_equal(seen.by[2], 6);
	assert_int_equal(fake_counters().spilled, 3);
	wd_comp_close(c);
	wd_sched_close(sched);
}

static void named_devices_come_in_their_order(void **state)
{
	static const char *const names[] = { "fake:2", "nowhere", "fake:0", NULL };
	static const char *const nobody[] = { "nowhere", NULL };
	struct wd_sched_opts opts = { .size = sizeof(opts),
				      .policy = WD_SCHED_NAMED,
				      .devices = names };
	struct wd_sched *sched;
	struct wd_comp *c;

	(void)state;
	fake.dev[1].throughput = 90;
	have(3, 0);
	sched = open_sched(&opts);
	c = open_session(sched);
	assert_served(c, "fake:2", false);
	fake.dev[2].send_ret = -EAGAIN;
	assert_served(c, "fake:0", true);
	/* And no others. */
	fake.dev[0].send_ret = -EOPNOTSUPP;
	fake.dev[2].send_ret = -EOPNOTSUPP;
	{
		uint8_t room[100];
		struct wd_comp_io io = { .src = "x", .src_len = 1, .dst = room, .dst_len = 100 };

		assert_int_equal(wd_comp_block(c, &io), -EOPNOTSUPP);
	}
	assert_int_equal(seen.by[1], 0);
	wd_comp_close(c);
	wd_sched_close(sched);
	opts.devices = nobody;
	sched = open_sched(&opts);
	assert_int_equal(try_session(sched, NULL, &c), -ENODEV);
	wd_sched_close(sched);
}

struct chooser {
	unsigned int choice;
	unsigned int nr_calls;
	unsigned int nr;
	size_t bytes;
	struct wd_candidate last[WD_SCHED_DEVICES_MAX];
};

static unsigned int choose_last(void *arg, size_t bytes, const struct wd_candidate *candidates,
				unsigned int nr)
{
	struct chooser *chooser = arg;

	chooser->nr_calls++;
	chooser->nr = nr;
	chooser->bytes = bytes;
	memcpy(chooser->last, candidates, nr * sizeof(*candidates));
	return chooser->choice;
}

static void a_program_may_choose(void **state)
{
	struct chooser chooser = { .choice = 2 };
	const struct wd_sched_opts opts = { .size = sizeof(opts),
					    .policy = WD_SCHED_CUSTOM,
					    .choose = choose_last,
					    .arg = &chooser };
	struct wd_comp_io io[3], *back[3];
	uint8_t room[3][ROOM_BYTES];
	struct wd_sched *sched;
	struct wd_comp *c;
	int i, n = 0;

	(void)state;
	have(3, 0);
	sched = open_sched(&opts);
	c = open_session(sched);
	chooser.nr_calls = 0;
	assert_served(c, "fake:2", false);
	assert_int_equal(chooser.nr_calls, 1);
	assert_int_equal(chooser.nr, 3);
	assert_int_equal(chooser.bytes, TEXT_BYTES);
	for (i = 0; i < 3; i++) {
		assert_int_equal(chooser.last[i].flags, WD_CANDIDATE_F_NEAR);
		assert_int_equal(chooser.last[i].in_flight, 0);
		assert_int_equal(chooser.last[i].cost_ns, 0);
	}
	/* It is told how they fare. */
	chooser.choice = 1;
	for (i = 0; i < 3; i++) {
		io[i] = (struct wd_comp_io){
			.src = "some text", .src_len = 9, .dst = room[i], .dst_len = ROOM_BYTES
		};
		assert_ok(wd_comp_submit(c, &io[i]));
	}
	assert_int_equal(chooser.last[1].in_flight, 2);
	assert_int_equal(chooser.last[1].sent, 2);
	assert_int_equal(chooser.last[2].sent, 1);
	while (n < 3)
		n += wd_comp_wait(c, back, 3, 0);
	/* What is full it is told, and may think again; a detour all the same. */
	fake.dev[1].send_ret = -EAGAIN;
	chooser.nr_calls = 0;
	assert_served(c, "fake:2", true);
	assert_int_equal(chooser.nr_calls, 2);
	assert_int_equal(chooser.last[1].flags, WD_CANDIDATE_F_NEAR | WD_CANDIDATE_F_BUSY);
	fake.dev[1].send_ret = 0;
	/* Nonsense is the first. */
	chooser.choice = 3;
	assert_served(c, "fake:0", false);
	wd_comp_close(c);
	wd_sched_close(sched);
}

/* ------------------------------------------------------------- spilling */

static void what_is_full_spills_and_comes_back(void **state)
{
	struct wd_comp *c;

	(void)state;
	have(2, 0);
	c = open_session(NULL);
	assert_served(c, "fake:0", false);
	fake.dev[0].send_ret = -EAGAIN;
	assert_served(c, "fake:1", true);
	assert_served(c, "fake:1", true);
	/* Each request anew. */
	fake.dev[0].send_ret = 0;
	assert_served(c, "fake:0", false);
	assert_int_equal(fake_counters().spilled, 2);
	wd_comp_close(c);
}

/* Queues that others have taken, of which there are none for us. */
static void without_a_queue_it_spills_too(void **state)
{
	struct wd_comp *c[3];

	(void)state;
	fake.dev[0].nr_queues = 1;
	have(2, 0);
	/* One queue is shared by sessions of one scheduler ... */
	for (int i = 0; i < 3; i++) {
		c[i] = open_session(NULL);
		assert_served(c[i], "fake:0", false);
	}
	for (int i = 0; i < 3; i++)
		wd_comp_close(c[i]);
	/* ... but another scheduler's is not to be had. */
	{
		struct wd_sched *sched = open_policy(WD_SCHED_NEAREST);
		struct wd_comp *other;

		c[0] = open_session(sched);
		other = open_session(NULL);
		assert_served(c[0], "fake:0", false);
		assert_served(other, "fake:1", true);
		wd_comp_close(c[0]);
		/* Given back: it is ours. */
		assert_served(other, "fake:0", false);
		wd_comp_close(other);
		wd_sched_close(sched);
	}
}

/* For a second; that it comes back after that nobody waits for here. */
static void what_failed_is_left_alone_for_a_while(void **state)
{
	const struct wd_capa capa = { .alg = "zlib", .op = WD_OP_COMPRESS };
	struct wd_candidate candidates[2];
	unsigned int chosen, taken;
	struct wd_comp *c;

	(void)state;
	have(2, 0);
	c = open_session(NULL);
	fake.dev[0].dies_at = 1;
	assert_served(c, "fake:1", true);
	assert_int_equal(seen.by[0], 1);
	/* It would do it now, but is not asked. */
	assert_served(c, "fake:1", true);
	assert_int_equal(seen.by[0], 1);
	assert_int_equal(wd_sched_explain(NULL, &capa, TEXT_BYTES, candidates, 2, &chosen, &taken),
			 2);
	assert_int_equal(chosen, 0);
	assert_int_equal(taken, 1);
	assert_int_equal(candidates[0].flags, WD_CANDIDATE_F_NEAR | WD_CANDIDATE_F_AWAY);
	assert_int_equal(candidates[1].flags, WD_CANDIDATE_F_NEAR);
	/* Away is better than nothing. */
	fake.dev[1].send_ret = -EAGAIN;
	assert_served(c, "fake:0", false);
	wd_comp_close(c);
}

/* Nor is one asked again for the same request that answered in an error. */
static void what_erred_is_not_away(void **state)
{
	struct wd_comp *c;

	(void)state;
	have(2, 0);
	c = open_session(NULL);
	fake.dev[0].fail_at = 1;
	fake.dev[0].fail_status = WD_STATUS_BAD_REQUEST;
	assert_served(c, "fake:1", true);
	assert_served(c, "fake:0", false);
	wd_comp_close(c);
}

static void who_forbids_it_does_not_spill(void **state)
{
	const struct wd_sched_opts opts = { .size = sizeof(opts), .flags = WD_SCHED_F_NO_SPILL };
	uint8_t room[100];
	struct wd_comp_io io = { .src = "x", .src_len = 1, .dst = room, .dst_len = 100 };
	struct wd_sched *sched;
	struct wd_comp *c;

	(void)state;
	have(2, 1);
	sched = open_sched(&opts);
	c = open_session(sched);
	assert_served(c, "fake:0", false);
	fake.dev[0].nr_busy_sends = 3;
	assert_served(c, "fake:0", false);
	fake.dev[0].send_ret = -ENODEV;
	assert_int_equal(wd_comp_block(c, &io), -ENODEV);
	assert_int_equal(seen.by[1] + seen.by[FAKE_HERE], 0);
	wd_comp_close(c);
	wd_sched_close(sched);
}

/* ------------------------------------------------------------- sizes */

static void small_requests_stay_here(void **state)
{
	struct wd_sched_opts opts = { .size = sizeof(opts), .small_bytes = 4096 };
	struct wd_sched *sched;
	struct wd_comp *c;
	struct wd_io head;

	(void)state;
	have(1, 1);
	sched = open_sched(&opts);
	c = open_session(sched);
	assert_string_equal(served(c, 4096, &head), "here:0");
	assert_true((head.flags & WD_IO_F_SPILLED) != 0);
	assert_string_equal(served(c, 4097, &head), "fake:0");
	assert_true((head.flags & WD_IO_F_SPILLED) == 0);
	/* Nothing was measured. */
	assert_int_equal(seen.requests, 2);
	wd_comp_close(c);
	wd_sched_close(sched);
	opts.small_bytes = 0;
	sched = open_sched(&opts);
	c = open_session(sched);
	assert_string_equal(served(c, 1, &head), "fake:0");
	wd_comp_close(c);
	wd_sched_close(sched);
	/* The process's scheduler has it from the configuration. */
	fake_configure("small_bytes", "100");
	c = open_session(NULL);
	assert_string_equal(served(c, 100, &head), "here:0");
	assert_string_equal(served(c, 101, &head), "fake:0");
	wd_comp_close(c);
}

/* A device with a long way, and one here that is slow: which is cheaper depends on the size. */
static void what_is_small_is_measured(void **state)
{
	const struct wd_capa capa = { .alg = "zlib", .op = WD_OP_COMPRESS };
	struct wd_candidate candidates[2];
	unsigned int chosen, taken;
	struct wd_comp *c;
	unsigned int measured;

	(void)state;
	fake.dev[0].fixed_ns = 5 * WAIT_NS_PER_MS;
	fake.dev[FAKE_HERE].ns_per_kib = WAIT_NS_PER_MS / 2;
	have(1, 1);
	assert_int_equal(wd_sched_explain(NULL, &capa, 1024, candidates, 2, &chosen, &taken), 2);
	measured = seen.requests;
	assert_true(measured > 0);
	assert_int_equal(chosen, 0);
	assert_int_equal(taken, 1);
	assert_true((candidates[0].flags & WD_CANDIDATE_F_COST) != 0);
	assert_true((candidates[0].flags & WD_CANDIDATE_F_HERE) == 0);
	assert_true((candidates[1].flags & WD_CANDIDATE_F_HERE) != 0);
	assert_true(candidates[0].cost_ns >= 4 * WAIT_NS_PER_MS);
	assert_true(candidates[1].cost_ns < candidates[0].cost_ns);
	assert_int_equal(wd_sched_explain(NULL, &capa, 4u << 20, candidates, 2, &chosen, &taken),
			 2);
	assert_int_equal(chosen, 0);
	assert_int_equal(taken, 0);
	/* Once for all sessions. */
	c = open_session(NULL);
	assert_string_equal(served(c, 100, NULL), "here:0");
	assert_int_equal(seen.requests, measured + 1);
	wd_comp_close(c);
	/* A device that cannot be measured is not held against it. */
	have(1, 1);
	fake.dev[0].fixed_ns = 0;
	fake.dev[FAKE_HERE].ns_per_kib = 0;
	fake.dev[0].fail_at = seen.by[0] + 1;
	fake.dev[0].fail_status = WD_STATUS_DEVICE_ERROR;
	c = open_session(NULL);
	assert_string_equal(served(c, 100, NULL), "fake:0");
	wd_comp_close(c);
}

static void decompressing_is_measured_too(void **state)
{
	const struct wd_capa capa = { .alg = "gzip", .op = WD_OP_DECOMPRESS };
	struct wd_candidate candidates[1];
	unsigned int chosen, taken;

	(void)state;
	have(1, 1);
	/* With less room than there are candidates. */
	assert_int_equal(wd_sched_explain(NULL, &capa, 1024, candidates, 1, &chosen, &taken), 2);
	assert_true((candidates[0].flags & WD_CANDIDATE_F_COST) != 0);
}

/* ------------------------------------------------------------- queues */

static void sessions_share_when_there_are_few_queues(void **state)
{
	struct wd_comp *c[6];

	(void)state;
	fake.dev[0].nr_queues = 3;
	have(1, 0);
	for (int i = 0; i < 6; i++)
		c[i] = open_session(NULL);
	assert_int_equal(seen.queues_open, 3);
	for (int i = 0; i < 6; i++)
		assert_served(c[i], "fake:0", false);
	for (int i = 0; i < 6; i++)
		wd_comp_close(c[i]);
	/* At most so many as the scheduler may have. */
	{
		const struct wd_sched_opts opts = { .size = sizeof(opts), .queues = 2 };
		struct wd_sched *sched;

		fake.dev[0].nr_queues = 0;
		have(1, 0);
		sched = open_sched(&opts);
		for (int i = 0; i < 6; i++)
			c[i] = open_session(sched);
		assert_int_equal(seen.queues_open, 2);
		/* It lives on until the last of its sessions is closed. */
		wd_sched_close(sched);
		for (int i = 0; i < 6; i++) {
			assert_served(c[i], "fake:0", false);
			wd_comp_close(c[i]);
		}
	}
	/* With plenty each has its own. */
	have(1, 0);
	for (int i = 0; i < 6; i++)
		c[i] = open_session(NULL);
	assert_int_equal(seen.queues_open, 6);
	for (int i = 0; i < 6; i++)
		wd_comp_close(c[i]);
}

static void a_child_has_queues_of_its_own(void **state)
{
	const struct wd_sched_opts opts = { .size = sizeof(opts), .queues = 1 };
	struct wd_sched *sched;
	struct wd_comp *c;
	pid_t pid;
	int status;

	(void)state;
	if (!t_forks_are_seen())
		skip();
	have(2, 0);
	sched = open_sched(&opts);
	c = open_session(sched);
	assert_served(c, "fake:0", false);
	fake.dev[0].dies_at = 2;
	assert_served(c, "fake:1", true);
	pid = fork();
	if (pid == 0) {
		uint8_t room[100];
		struct wd_comp_io io = { .src = "x", .src_len = 1, .dst = room, .dst_len = 100 };
		unsigned int opened = seen.queues_opened;
		struct wd_comp *more;

		/* A new session of the old scheduler, and the old session; away is the parent's. */
		if (try_session(sched, NULL, &more) != 0 || wd_comp_block(more, &io) != 0 ||
		    strcmp(wd_device_name(io.head.device_id), "fake:0") != 0)
			_exit(1);
		if (wd_comp_block(c, &io) != 0 || seen.queues_opened != opened + 1)
			_exit(2);
		wd_comp_close(c);
		wd_comp_close(more);
		wd_sched_close(sched);
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_served(c, "fake:1", true);
	wd_comp_close(c);
	wd_sched_close(sched);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_begin_test, fake_end_test)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nonsense_is_refused),	     TEST(nearest_is_the_most_capable_of_the_near),
		TEST(round_robin_takes_turns),	     TEST(named_devices_come_in_their_order),
		TEST(a_program_may_choose),	     TEST(what_is_full_spills_and_comes_back),
		TEST(without_a_queue_it_spills_too), TEST(what_failed_is_left_alone_for_a_while),
		TEST(what_erred_is_not_away),	     TEST(who_forbids_it_does_not_spill),
		TEST(small_requests_stay_here),	     TEST(what_is_small_is_measured),
		TEST(decompressing_is_measured_too), TEST(sessions_share_when_there_are_few_queues),
		TEST(a_child_has_queues_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

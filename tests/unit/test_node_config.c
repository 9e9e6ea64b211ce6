/* test_node_config.c - what the election is told of a configuration, as each of the nodes reads it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "hafailover/node/node_private.h"

static struct ha_config *
load(const char *low, const char *high, const char *more, const char *node)
{
	const struct ha_config_options options = { .file = "f", .node = node };
	struct problems problems = { 0 };
	struct ha_config *c;
	char text[1024];

	snprintf(text, sizeof(text),
	    "{ \"nodes\": [ { \"name\": \"lb1\", \"addresses\": [ \"%s\", \"198.51.100.1\" ] }, "
	    "{ \"name\": \"lb2\", \"addresses\": [ \"%s\", \"198.51.100.2\" ] } ], "
	    "\"secret_file\": \"/s\", %s }",
	    low, high, more);
	c = ha_config_load(str_of(text), &options, &problems);
	if (!c)
		fail_msg("%s", problems.list[0].text);
	problems_fini(&problems);
	return c;
}

static struct election_config
election(const char *low, const char *high, const char *more, const char *node)
{
	struct ha_config *c = load(low, high, more, node);
	struct election_config e = node_election_config(c);

	ha_config_free(&c);
	return e;
}

#define VIP "\"virtual_ips\": [ \"192.0.2.100\" ]"
#define INSTANCE "\"instances\": [ { \"name\": \"x\", \"virtual_ips\": [ \"192.0.2.100\" ], "

/* The last tie-break: by the numbers of the first addresses, the same on both sides. */
static void
test_order(void **state)
{
	static const struct {
		const char *one, *two;
		bool first_is_higher;
	} rows[] = {
		{ "192.0.2.1", "192.0.2.2", false },
		{ "192.0.2.2", "192.0.2.1", true },
		{ "192.0.2.9", "192.0.2.10", false },
		{ "9.0.0.1", "10.0.0.1", false },
		{ "2001:db8::9", "2001:db8::10", false },
		{ "2001:db8::a", "2001:db8::9", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct election_config a = election(rows[i].one, rows[i].two, VIP, "lb1");
		struct election_config b = election(rows[i].one, rows[i].two, VIP, "lb2");

		assert_int_equal(a.order, rows[i].first_is_higher);
		assert_int_equal(b.order, !rows[i].first_is_higher);
		assert_int_equal(a.peer_order, b.order);
		assert_int_equal(b.peer_order, a.order);
		assert_true(a.digest == b.digest);
	}
}

static void
test_prefer(void **state)
{
	static const struct {
		const char *more;
		enum election_prefer lb1, lb2;
	} rows[] = {
		{ VIP, PREFER_NONE, PREFER_NONE },
		{ INSTANCE "\"prefer\": \"lb1\" } ]", PREFER_SELF, PREFER_PEER },
		{ INSTANCE "\"prefer\": \"lb2\" } ]", PREFER_PEER, PREFER_SELF },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(
		    election("192.0.2.1", "192.0.2.2", rows[i].more, "lb1").prefer, rows[i].lb1);
		assert_int_equal(
		    election("192.0.2.1", "192.0.2.2", rows[i].more, "lb2").prefer, rows[i].lb2);
	}
}

static void
test_values(void **state)
{
	struct election_config e = election("192.0.2.1", "192.0.2.2", VIP, "lb1");

	(void)state;
	assert_int_equal(e.paths, 2);
	assert_int_equal(e.interval_ns, 100 * NS_PER_MS);
	assert_int_equal(e.dead_after, 3);
	assert_int_equal(e.lease_ns, NS_PER_S);
	assert_true(e.probe && !e.preempt);
	assert_int_equal(e.preempt_delay_ns, 0);
	assert_true(e.moves > 0 && e.moves <= ELECTION_MOVES_MAX && e.moves_within_ns > 0);
	assert_true(e.handover_ns > 0);
	e = election("192.0.2.1", "192.0.2.2",
	    "\"heartbeat\": { \"interval\": \"20ms\", \"dead_after\": 5 }, \"lease\": "
	    "\"off\", " INSTANCE "\"preempt\": true, \"preempt_delay\": \"7s\" } ]",
	    "lb1");
	assert_int_equal(e.interval_ns, 20 * NS_PER_MS);
	assert_int_equal(e.dead_after, 5);
	assert_int_equal(e.lease_ns, 0);
	assert_true(e.preempt);
	assert_int_equal(e.preempt_delay_ns, 7 * NS_PER_S);
}

/* What the nodes compare is what decides behaviour. */
static void
test_digest(void **state)
{
	uint64_t one = election("192.0.2.1", "192.0.2.2", VIP, "lb1").digest;
	uint64_t other =
	    election("192.0.2.1", "192.0.2.2", VIP ", \"lease\": \"2s\"", "lb1").digest;
	uint64_t socket =
	    election("192.0.2.1", "192.0.2.2", VIP ", \"control\": \"/x\"", "lb1").digest;

	(void)state;
	assert_true(one != 0 && one != other && one == socket);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_prefer),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_digest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

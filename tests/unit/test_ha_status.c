/* test_ha_status.c - what `hactl status` and `hactl history` are told, member by member. */
#include "hafailover/admin/status.h"

#include "tests/unit/view_fixture.h"

static void
assert_member(const json_t *o, const char *key, const char *wanted)
{
	char *text = json_dumps(json_object_get(o, key), JSON_ENCODE_ANY | JSON_SORT_KEYS);

	if (!text || strcmp(text, wanted) != 0)
		fail_msg("%s: %s instead of %s", key, text ? text : "nothing", wanted);
	free(text);
}

static json_t *
status(const struct fixture *f)
{
	json_t *o = ha_status_json(&f->view);

	assert_non_null(o);
	return o;
}

static void
test_alone(void **state)
{
	struct fixture f;
	json_t *o;

	(void)state;
	fixture_init(&f);
	o = status(&f);
	assert_member(o, "node", "\"lb1\"");
	assert_member(o, "role", "\"active\"");
	assert_member(o, "cause", "\"operator\"");
	assert_member(o, "since", "\"2026-01-02T03:03:55.000Z\"");
	assert_member(o, "started_at", "\"2026-01-02T03:03:05.000Z\"");
	assert_member(o, "term", "6");
	assert_member(o, "priority", "100");
	assert_member(o, "eligible", "true");
	assert_member(o, "standby", "false");
	assert_member(o, "vips",
	    "[{\"address\": \"192.0.2.9/32\", \"held\": true, \"interface\": \"eth7\"}, "
	    "{\"address\": \"2001:db8::9/128\", \"held\": false, \"interface\": null}]");
	assert_member(o, "config",
	    "{\"digest\": \"0000000000001234\", \"match\": null, \"peer_digest\": null}");
	assert_member(o, "lbd",
	    "{\"config\": {\"digest\": null, \"match\": null, \"peer_digest\": null}, "
	    "\"draining\": false, \"ready\": true, \"servers_total\": 3, "
	    "\"servers_unchecked\": 1, \"servers_up\": 2}");
	assert_member(o, "peer",
	    "{\"name\": \"lb2\", \"paths\": ["
	    "{\"address\": \"10.0.0.2\", \"from\": \"10.0.0.1\", \"hears_us\": false, "
	    "\"reachable\": false}, "
	    "{\"address\": \"10.1.0.2\", \"from\": \"10.1.0.1\", \"hears_us\": false, "
	    "\"reachable\": false}], "
	    "\"reachable\": false, \"ready\": false, \"role\": null, \"term\": null}");
	assert_member(o, "alarms", "[]");
	json_decref(o);
}

static void
test_peer(void **state)
{
	struct fixture f;
	json_t *o, *peer;

	(void)state;
	fixture_init(&f);
	fixture_meet(&f);
	o = status(&f);
	peer = json_object_get(o, "peer");
	assert_member(peer, "role", "\"backup\"");
	assert_member(peer, "cause", "\"listened\"");
	assert_member(peer, "since", "\"2026-01-02T03:04:00.000Z\"");
	assert_member(peer, "priority", "90");
	assert_member(peer, "lbd", "{\"draining\": false, \"ready\": true}");
	assert_member(peer, "servers_up", "1");
	assert_member(peer, "servers_unchecked", "3");
	assert_member(peer, "servers_total", "4");
	assert_member(peer, "reachable", "true");
	assert_member(peer, "ready", "true");
	assert_member(json_array_get(json_object_get(peer, "paths"), 0), "hears_us", "true");
	assert_member(json_array_get(json_object_get(peer, "paths"), 1), "reachable", "false");
	assert_member(json_array_get(json_object_get(peer, "paths"), 1), "hears_us", "false");
	assert_member(o, "config",
	    "{\"digest\": \"0000000000001234\", \"match\": true, \"peer_digest\": "
	    "\"0000000000001234\"}");
	json_decref(o);
	/* it falls silent: what it said stays, but it is not ready any more */
	f.view.now_ns += NS_PER_S;
	f.view.now_wall_ns += NS_PER_S;
	f.election.peer.last.digest = 7;
	o = status(&f);
	peer = json_object_get(o, "peer");
	assert_member(peer, "reachable", "false");
	assert_member(peer, "ready", "false");
	assert_member(peer, "since", "\"2026-01-02T03:04:00.000Z\"");
	assert_member(json_object_get(o, "config"), "match", "false");
	json_decref(o);
}

/* Ready to take over: fit, with an lbd that serves and stays. */
static void
test_peer_ready(void **state)
{
	static const struct {
		bool eligible, lbd_ready, draining, ready;
	} rows[] = {
		{ true, true, false, true },
		{ false, true, false, false },
		{ true, false, false, false },
		{ true, true, true, false },
	};
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		json_t *o;

		fixture_init(&f);
		fixture_meet(&f);
		f.election.peer.last.eligible = rows[i].eligible;
		f.election.peer.last.lbd_ready = rows[i].lbd_ready;
		f.election.peer.last.lbd_draining = rows[i].draining;
		o = status(&f);
		assert_member(
		    json_object_get(o, "peer"), "ready", rows[i].ready ? "true" : "false");
		json_decref(o);
	}
}

static void
test_hook(void **state)
{
	struct fixture f;
	json_t *o;

	(void)state;
	fixture_init(&f);
	o = status(&f);
	assert_member(o, "hook", "null");
	json_decref(o);
	f.view.hook = (struct hook_report){ .configured = true, .reason = "" };
	o = status(&f);
	assert_member(o, "hook",
	    "{\"again_in_ms\": null, \"failing\": false, \"name\": null, \"reason\": null, "
	    "\"state\": \"none\", \"tries\": 0}");
	assert_member(o, "alarms", "[]");
	json_decref(o);
	f.view.hook = (struct hook_report){
		.configured = true,
		.name = "active",
		.rule = { HOOK_WAITING, true, 3, FIXTURE_NOW + 2500 * NS_PER_MS },
		.failing = true,
		.reason = "exit status 9",
	};
	o = status(&f);
	assert_member(o, "hook",
	    "{\"again_in_ms\": 2500, \"failing\": true, \"name\": \"active\", \"reason\": "
	    "\"exit status 9\", \"state\": \"waiting\", \"tries\": 3}");
	assert_member(o, "alarms",
	    "[{\"name\": \"hook_failed\", \"text\": \"the hook \\\"active\\\" fails, tried 3 "
	    "times: exit status 9\"}]");
	json_decref(o);
}

/* Whose votes are here, and what the witness said last. */
static void
test_witness(void **state)
{
	struct fixture f;
	json_t *o;

	(void)state;
	fixture_init(&f);
	o = status(&f);
	assert_member(o, "witness", "null");
	json_decref(o);
	fixture_witness(&f);
	o = status(&f);
	assert_member(o, "witness",
	    "{\"address\": \"203.0.113.5:5406\", \"lent_to\": \"here\", \"needed\": 2, "
	    "\"reachable\": true, \"verdict\": \"granted\", "
	    "\"votes\": {\"own\": true, \"peer\": true, \"witness\": true}}");
	json_decref(o);
	f.election.vote.answer = (struct witness_answer){ .verdict = WITNESS_HELD };
	f.election.vote.given_until_ns = FIXTURE_NOW + 1;
	f.election.vote.witness_until_ns = f.election.vote.peer_until_ns = FIXTURE_NOW;
	o = status(&f);
	assert_member(o, "witness",
	    "{\"address\": \"203.0.113.5:5406\", \"lent_to\": \"peer\", \"needed\": 2, "
	    "\"reachable\": true, \"verdict\": \"held\", "
	    "\"votes\": {\"own\": false, \"peer\": false, \"witness\": false}}");
	json_decref(o);
	f.election.vote.answer.verdict = WITNESS_QUIET;
	o = status(&f);
	assert_member(json_object_get(o, "witness"), "lent_to", "\"nobody\"");
	json_decref(o);
	f.election.vote.answered_ns = FIXTURE_NOW - NS_PER_S;
	o = status(&f);
	assert_member(json_object_get(o, "witness"), "reachable", "false");
	assert_member(json_object_get(o, "witness"), "lent_to", "null");
	json_decref(o);
}

/* Every alarm of the election has a name and words of its own. */
static void
test_alarms(void **state)
{
	struct fixture f;
	json_t *list, *a;
	size_t i, j;

	(void)state;
	fixture_init(&f);
	f.election.alarms = (1u << ELECTION_ALARMS) - 1;
	list = ha_status_alarms(&f.view);
	assert_int_equal(json_array_size(list), ELECTION_ALARMS);
	json_array_foreach(list, i, a)
	{
		const char *text = json_string_value(json_object_get(a, "text"));

		assert_string_equal(json_string_value(json_object_get(a, "name")),
		    election_alarm_name((enum election_alarm)(1u << i)));
		assert_string_not_equal(text, "unknown");
		for (j = 0; j < i; j++)
			assert_string_not_equal(text,
			    json_string_value(json_object_get(json_array_get(list, j), "text")));
	}
	json_decref(list);
}

/* Which address it is, and why, is not the election's to know. */
static void
test_alarm_details(void **state)
{
	static const char refused[] = "cannot claim 192.0.2.100: Operation not permitted";
	static const char conflict[] = "192.0.2.100 is used by 02:00:00:00:00:09";
	struct fixture f;
	json_t *list;

	(void)state;
	fixture_init(&f);
	f.election.alarms = ALARM_VIP_SERVES | ALARM_CONFLICT | ALARM_VIP_FAILED;
	f.view.vip_served = "192.0.2.100 is used by 02:00:00:00:00:02, the peer";
	f.view.vip_refused = refused;
	f.view.vip_conflict = conflict;
	list = ha_status_alarms(&f.view);
	assert_member(json_array_get(list, 0), "text",
	    "\"the peer is silent, but the virtual address still serves: heartbeats are cut off "
	    "(192.0.2.100 is used by 02:00:00:00:00:02, the peer)\"");
	assert_member(
	    json_array_get(list, 1), "text", "\"192.0.2.100 is used by 02:00:00:00:00:09\"");
	assert_member(json_array_get(list, 2), "text",
	    "\"cannot claim 192.0.2.100: Operation not permitted\"");
	json_decref(list);
}

static bool
has_alarm(const json_t *list, const char *name)
{
	const json_t *a;
	size_t i;

	json_array_foreach(list, i, a)
	{
		if (strcmp(json_string_value(json_object_get(a, "name")), name) == 0)
			return true;
	}
	return false;
}

/* Digests of both lbd: the alarm only while the peer is heard, and both are known. */
static void
test_lbd_digests(void **state)
{
	static const struct {
		uint64_t ours, theirs;
		bool silent;
		const char *match;
		bool alarm;
	} rows[] = {
		{ 0, 0, false, "null", false },
		{ 7, 0, false, "null", false },
		{ 0, 7, false, "null", false },
		{ 7, 7, false, "true", false },
		{ 7, 8, false, "false", true },
		{ 7, 8, true, "false", false },
	};
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		json_t *o, *list;

		fixture_init(&f);
		fixture_meet(&f);
		f.lbd.digest = rows[i].ours;
		f.link.last.lbd_digest = rows[i].theirs;
		f.view.now_ns += rows[i].silent ? NS_PER_S : 0;
		o = status(&f);
		assert_member(
		    json_object_get(json_object_get(o, "lbd"), "config"), "match", rows[i].match);
		json_decref(o);
		list = ha_status_alarms(&f.view);
		assert_int_equal(has_alarm(list, "lbd_config_differs"), rows[i].alarm);
		json_decref(list);
	}
}

/* What makes this node unfit, and packets that come from the peer's address but cannot be its. */
static void
test_trouble(void **state)
{
	static const struct {
		struct peer_link_trouble trouble;
		int64_t ago_ns;
		const char *wanted;
	} rows[] = {
		{ { .result = PACKET_FORGED }, NS_PER_S,
		    "[{\"name\": \"secret_differs\", \"text\": \"heartbeats come from the peer's "
		    "address that another secret has sealed\"}]" },
		{ { .result = PACKET_OTHER_VERSION, .version = 9 }, NS_PER_S,
		    "[{\"name\": \"version_differs\", \"text\": \"the peer speaks version 9 of the "
		    "protocol, this node version 1\"}]" },
		{ { .result = PACKET_STRANGER, .name = "lb 3" }, NS_PER_S,
		    "[{\"name\": \"name_differs\", \"text\": \"the node at the peer's address "
		    "calls "
		    "itself \\\"lb 3\\\"\"}]" },
		{ { .result = PACKET_FORGED }, 11 * NS_PER_S, "[]" },
		{ { .result = PACKET_OK }, NS_PER_S, "[]" },
	};
	struct fixture f;
	json_t *o;

	(void)state;
	fixture_init(&f);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		f.link.trouble = rows[i].trouble;
		f.link.trouble.at_ns = FIXTURE_NOW - rows[i].ago_ns;
		o = status(&f);
		assert_member(o, "alarms", rows[i].wanted);
		json_decref(o);
	}
	f.view.track = (struct track_report){
		.why = CAUSE_GATEWAYS_LOST, .text = "no gateway answers", .lbd = &f.lbd
	};
	o = status(&f);
	assert_member(o, "eligible", "false");
	assert_member(
	    o, "alarms", "[{\"name\": \"not_eligible\", \"text\": \"no gateway answers\"}]");
	json_decref(o);
}

static void
test_history(void **state)
{
	const struct history_entry e = { .wall_ns = FIXTURE_WALL,
		.duration_ns = 1500 * NS_PER_MS,
		.term = 3,
		.from = ROLE_BACKUP,
		.to = ROLE_ACTIVE,
		.cause = CAUSE_PEER_SILENT };
	struct fixture f;
	json_t *o;

	(void)state;
	fixture_init(&f);
	o = ha_status_history(&f.view);
	assert_member(o, "history", "[]");
	json_decref(o);
	history_add(&f.history, &e);
	o = ha_status_history(&f.view);
	assert_member(o, "history",
	    "[{\"cause\": \"peer_silent\", \"duration_ms\": 1500, \"from\": \"backup\", \"node\": "
	    "\"lb1\", \"term\": 3, \"time\": \"2026-01-02T03:04:05.000Z\", \"to\": "
	    "\"active\"}]");
	json_decref(o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alone),
		cmocka_unit_test(test_peer),
		cmocka_unit_test(test_peer_ready),
		cmocka_unit_test(test_hook),
		cmocka_unit_test(test_witness),
		cmocka_unit_test(test_alarms),
		cmocka_unit_test(test_alarm_details),
		cmocka_unit_test(test_lbd_digests),
		cmocka_unit_test(test_trouble),
		cmocka_unit_test(test_history),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_hactl_servers_view.c - servers and history as tables. */
#include "tests/unit/hactl_page.h"

#include "common/clock.h"
#include "hafailover/hactl/history_view.h"
#include "hafailover/hactl/servers_view.h"

/* 2026-11-23T07:30:00Z */
static const int64_t now_wall_ns = INT64_C(1795419000) * NS_PER_S;
static const struct look plain = { 0, false };

static const char servers[] =
    "{'servers':["
    "{'pool':'web','name':'a','address':'10.0.0.11:8080','health':'up','admin':'ready',"
    "'reachable':true,'available':true,'weight':1,'configured_weight':1,'active':12,"
    "'connections':20,'reason':'connected','changed_at':'2026-11-23T07:20:00.000Z'},"
    "{'pool':'web','name':'b','address':'10.0.0.12:8080','health':'down','admin':'ready',"
    "'reachable':true,'weight':1,'configured_weight':1,'reason':'connection refused',"
    "'changed_at':null},"
    "{'pool':'api','name':'c','address':'unix:/run/c','health':'up','admin':'drain',"
    "'reachable':true,'weight':0,'configured_weight':10,'active':1,'connections':1,'reason':'',"
    "'changed_at':'2026-11-23T07:29:59Z'},"
    "{'pool':'api','name':'d\\u001b','health':'up','admin':'ready','reachable':false}]}";

static void
test_servers(void **state)
{
	json_t *json = json_of(servers);
	struct text page;

	(void)state;
	page_begin(&page);
	servers_view_print(json, now_wall_ns, plain, &page);
	page_expect(&page,
	    "SERVER     ADDRESS         STATE        FOR            WEIGHT  ACTIVE  CONNECTIONS  "
	    "LAST CHECK\n"
	    "web/a      10.0.0.11:8080  up           10 min 0 s          1      12           20  "
	    "connected\n"
	    "web/b      10.0.0.12:8080  down         -                   1       0            0  "
	    "connection refused\n"
	    "api/c      unix:/run/c     drain        1 s         0 (of 10)       1            1\n"
	    "api/d\\x1b                  unreachable  -                   0       0            "
	    "0\n");
	json_decref(json);
}

static void
test_names(void **state)
{
	json_t *json = json_of(servers);
	struct text page;

	(void)state;
	page_begin(&page);
	servers_view_names(json, &page);
	page_expect(&page, "web/a\nweb/b\napi/c\napi/d\\x1b\n");
	json_decref(json);
}

/* A name comes after the members that it stands for. */
static void
test_names_of_members(void **state)
{
	json_t *json = json_of("{'servers':[{'pool':'web','name':'app#10.0.0.1'}],"
			       "'names':[{'pool':'web','name':'app','members':1}]}");
	struct text page;

	(void)state;
	page_begin(&page);
	servers_view_names(json, &page);
	page_expect(&page, "web/app#10.0.0.1\nweb/app\n");
	assert_int_equal(
	    json_integer_value(json_object_get(servers_view_find(json, "web/app"), "members")), 1);
	assert_null(json_object_get(servers_view_find(json, "web/app#10.0.0.1"), "members"));
	json_decref(json);
}

static void
test_states(void **state)
{
	static const struct {
		const char *server, *word;
	} rows[] = {
		{ "{'admin':'maintenance','health':'up'}", "maintenance" },
		{ "{'admin':'drain','health':'down'}", "drain" },
		{ "{'admin':'drain','drained':false}", "drain" },
		{ "{'admin':'drain','drained':true}", "drained" },
		{ "{'admin':'maintenance','drained':true}", "maintenance" },
		{ "{'admin':'ready','health':'down','reachable':false}", "down" },
		{ "{'admin':'ready','health':'unknown','reachable':false}", "unreachable" },
		{ "{'admin':'ready','health':'unknown','reachable':true}", "unknown" },
		{ "{'admin':'ready','health':'up','reachable':true}", "up" },
		{ "{'admin':'ready','health':'new','reachable':true}", "new" },
		{ "{'admin':'ready','health':'unresolved','reachable':false}", "unresolved" },
		{ "{'admin':'ready','health':'up','circuit':'open'}", "circuit open" },
		{ "{'admin':'ready','health':'up','circuit':'half_open','backup':true}",
		    "half-open" },
		{ "{'admin':'drain','health':'up','circuit':'open'}", "drain" },
		{ "{'admin':'ready','health':'down','circuit':'open'}", "down" },
		{ "{'admin':'ready','health':'up','circuit':'closed','backup':true}", "backup" },
		{ "{'admin':'ready','health':'unknown','backup':true}", "unknown" },
		{ "{}", "unknown" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		json_t *json = json_of(rows[i].server);

		assert_string_equal(servers_view_state(json).word, rows[i].word);
		json_decref(json);
	}
}

static void
test_change(void **state)
{
	json_t *json =
	    json_of("{'pool':'web','name':'a\\n','admin':'drain','weight':3,'active':2}");
	struct text page;

	(void)state;
	page_begin(&page);
	servers_view_change(json, true, &page);
	servers_view_change(json, false, &page);
	page_expect(&page,
	    "web/a\\x0a: now drain, weight 3, 2 requests active\n"
	    "web/a\\x0a: was already so: drain, weight 3, 2 requests active\n");
	json_decref(json);
}

static void
test_drain(void **state)
{
	json_t *json = json_of(servers);
	json_t *empty =
	    json_of("{'pool':'web','name':'a\\n','admin':'drain','drained':true,'active':0}");
	struct text page;

	(void)state;
	assert_null(servers_view_find(json, "api/a"));
	assert_null(servers_view_find(json, "web"));
	assert_null(servers_view_find(empty, "web/a"));
	page_begin(&page);
	servers_view_drain(servers_view_find(json, "api/c"), &page);
	servers_view_drain(empty, &page);
	page_expect(&page,
	    "api/c: 1 requests, 1 connections left\n"
	    "web/a\\x0a: nothing is left\n");
	json_decref(json);
	json_decref(empty);
}

static void
test_history(void **state)
{
	json_t *json = json_of(
	    "{'history':["
	    "{'time':'2026-11-23T07:20:00.000Z','node':'lb1','from':'initialize','to':'backup',"
	    "'cause':'listened','term':0,'duration_ms':450},"
	    "{'time':'2026-11-23T07:20:01.000Z','node':'lb1','from':'backup','to':'active',"
	    "'cause':'peer_silent\\u0007','term':1,'duration_ms':7500000},"
	    "{'time':'2026-11-23T07:21:00.000Z','from':'active','to':'standby','duration_ms':null}"
	    "]}");
	struct text page;

	(void)state;
	page_begin(&page);
	history_view_print(json, plain, &page);
	page_expect(&page,
	    "TIME                      NODE  FROM        TO       CAUSE            TERM  AFTER\n"
	    "2026-11-23T07:20:00.000Z  lb1   initialize  backup   listened            0  450 ms\n"
	    "2026-11-23T07:20:01.000Z  lb1   backup      active   peer_silent\\x07     1  2 h 5 "
	    "min\n"
	    "2026-11-23T07:21:00.000Z  -     active      standby  -                   -  -\n");
	json_decref(json);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_servers),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_names_of_members),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_change),
		cmocka_unit_test(test_drain),
		cmocka_unit_test(test_history),
	};

	return cmocka_run_group_tests(tests, locale_set, NULL);
}

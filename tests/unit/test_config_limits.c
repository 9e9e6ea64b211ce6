/* test_config_limits.c - rate limits as a snapshot has them, and which of them are the same rule after a reload. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/problems.h"
#include "lbd/config/config.h"

#define PER_SECOND "\"requests_per_second\": 10"
#define LIMIT "\"rate_limit\": { " PER_SECOND " }"
#define ROUTE "\"path\": \"/a\", \"pool\": \"web\", " LIMIT

/* A listener of that name with these members and one route with those. */
static struct lbd_config *
load(const char *name, const char *listener, const char *route)
{
	const struct config_options options = { .file = "f", .node = "lb1" };
	struct problems problems = { 0 };
	struct lbd_config *c;
	char text[1024];

	snprintf(text, sizeof(text),
	    "{ \"listeners\": [ { \"name\": \"%s\", \"bind\": [\"0.0.0.0:80\"], \"pool\": \"web\", "
	    "%s, \"routes\": [ { %s } ] } ], \"pools\": [ { \"name\": \"web\", \"servers\": "
	    "[ { \"address\": \"10.0.0.11:8080\" } ] } ] }",
	    name, listener, route);
	c = config_load(str_of(text), &options, &problems);
	if (!c)
		fail_msg("%s", problems.list[0].text);
	return c;
}

static uint64_t
rule_of(const char *name, const char *listener, const char *route, bool of_route)
{
	struct lbd_config *c = load(name, listener, route);
	const struct listener_config *l = &c->listeners[0];
	uint64_t rule =
	    of_route ? l->routes[0].rate_limit.requests.rule : l->rate_limit.requests.rule;

	config_unref(&c);
	return rule;
}

static void
test_decoded(void **state)
{
	struct lbd_config *c =
	    load("in", "\"rate_limit\": { \"requests_per_minute\": 90, \"key\": \"header:X-Key\" }",
		"\"path\": \"/a\", \"pool\": \"web\", \"rate_limit\": "
		"{ " PER_SECOND ", \"burst\": 7, \"key\": \"route\" }");
	const struct rate_limit_config *l = &c->listeners[0].rate_limit;
	const struct rate_limit_config *r = &c->listeners[0].routes[0].rate_limit;

	(void)state;
	assert_true(c->listeners[0].guarded);
	assert_int_equal(l->key, RATE_BY_HEADER);
	assert_true(str_eq(l->header, STR("X-Key")));
	assert_int_equal(l->requests.rate.requests, 90);
	assert_int_equal(l->requests.rate.period_ns, INT64_C(60000000000));
	assert_int_equal(l->requests.rate.burst, 2); /* what comes in a second, rounded up */
	assert_int_equal(l->table_size, 1 << 20);
	assert_int_equal(r->key, RATE_TOGETHER);
	assert_int_equal(r->requests.rate.requests, 10);
	assert_int_equal(r->requests.rate.burst, 7);
	assert_int_equal(r->requests.rate.period_ns, INT64_C(1000000000));
	config_unref(&c);
	c = load("in", "\"http2\": true", "\"path\": \"/a\", \"pool\": \"web\"");
	assert_false(c->listeners[0].guarded);
	config_unref(&c);
}

static void
test_a_rule_is_what_it_is_for_and_how_much(void **state)
{
	static const struct {
		const char *name, *listener, *route;
		bool same_listener, same_route;
	} rows[] = {
		{ "in", LIMIT, ROUTE, true, true },
		{ "in", LIMIT, "\"path\": \"/a\", " LIMIT ", \"respond\": { \"status\": 204 }",
		    true, true },
		{ "in", LIMIT, ROUTE ", \"request_headers\": { \"remove\": [\"X-A\"] }", true,
		    true },
		{ "in", LIMIT ", \"http2\": true", ROUTE, true, true },
		{ "in", "\"rate_limit\": { " PER_SECOND ", \"burst\": 10 }", ROUTE, true, true },
		{ "in", "\"rate_limit\": { " PER_SECOND ", \"burst\": 11 }", ROUTE, false, true },
		{ "in", "\"rate_limit\": { " PER_SECOND ", \"key\": \"route\" }", ROUTE, false,
		    true },
		{ "in", LIMIT, ROUTE ", \"method\": \"GET\"", true, false },
		{ "in", LIMIT, ROUTE ", \"host\": \"a.example\"", true, false },
		{ "in", LIMIT, ROUTE ", \"headers\": [ { \"name\": \"X-A\" } ]", true, false },
		{ "in", LIMIT, ROUTE ", \"query\": [ { \"name\": \"a\" } ]", true, false },
		{ "in", LIMIT, ROUTE ", \"clients\": [ \"10.0.0.0/8\" ]", true, false },
		{ "in", LIMIT, "\"path\": \"/b\", \"pool\": \"web\", " LIMIT, true, false },
		{ "in", LIMIT, "\"path_prefix\": \"/a\", \"pool\": \"web\", " LIMIT, true, false },
		{ "on", LIMIT, ROUTE, false, false },
	};
	uint64_t listener = rule_of("in", LIMIT, ROUTE, false);
	uint64_t route = rule_of("in", LIMIT, ROUTE, true);

	(void)state;
	assert_int_not_equal(listener, route);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint64_t l = rule_of(rows[i].name, rows[i].listener, rows[i].route, false);
		uint64_t r = rule_of(rows[i].name, rows[i].listener, rows[i].route, true);

		if ((l == listener) != rows[i].same_listener || (r == route) != rows[i].same_route)
			fail_msg("row %zu: the listener's %d, the route's %d", i, l == listener,
			    r == route);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decoded),
		cmocka_unit_test(test_a_rule_is_what_it_is_for_and_how_much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

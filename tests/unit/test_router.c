/* test_router.c - which rule wins: as documented, and as a search of all of them would say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lbd/balance/hash.h"
#include "lbd/route/router.h"

enum { RULES_MAX = 200 };

/* Which rules' conditions hold. */
static bool holds[RULES_MAX];

static bool
accepts(void *arg, uint32_t rule)
{
	++*(unsigned *)arg;
	return rule < RULES_MAX && holds[rule];
}

static int
find(const struct router *r, const char *host, const char *path)
{
	unsigned asked = 0;

	return router_find(r, str_of(host), str_of(path), accepts, &asked);
}

static void
all_hold(void)
{
	memset(holds, true, sizeof(holds));
}

static void
test_the_most_specific_wins(void **state)
{
	static const struct route_rule rules[] = {
		{ .host = STR(""), .path = STR("") },
		{ .host = STR("*.example.org"), .path = STR("") },
		{ .host = STR("*.www.example.org"), .path = STR("") },
		{ .host = STR("www.example.org"), .path = STR("/a") },
		{ .host = STR("www.example.org"), .path = STR("/a/b") },
		{ .host = STR("www.example.org"), .path = STR("/a"), .exact = true },
		{ .host = STR("www.example.org"), .path = STR("/a/b/"), .exact = true },
		{ .host = STR(""), .path = STR("/everywhere") },
		{ .host = STR("www.example.org"), .path = STR("/dir/") },
	};
	static const struct {
		const char *host, *path;
		int want;
	} cases[] = {
		{ "www.example.org", "/a", 5 },
		{ "WWW.Example.ORG", "/a", 5 },
		{ "www.example.org", "/a/", 3 },
		{ "www.example.org", "/a/c", 3 },
		{ "www.example.org", "/ab", 1 }, /* no segment of its own: not below /a */
		{ "www.example.org", "/a/b", 4 },
		{ "www.example.org", "/a/b/", 6 },
		{ "www.example.org", "/a/b/c", 4 },
		{ "www.example.org", "/a/bc", 3 },
		{ "www.example.org", "/dir", 1 },
		{ "www.example.org", "/dir/", 8 },
		{ "www.example.org", "/dir/x", 8 },
		{ "www.example.org", "/", 1 },
		{ "www.example.org", "/everywhere", 1 }, /* the host decides first */
		{ "x.example.org", "/a", 1 },
		{ "y.x.example.org", "/a", 1 },
		{ "x.www.example.org", "/a", 2 },
		{ "example.org", "/a", 0 },
		{ ".example.org", "/a", 0 },
		{ "xexample.org", "/a", 0 },
		{ "", "/a", 0 },
		{ "", "*", 0 },
		{ "", "/everywhere/x", 7 },
	};
	struct arena *a = arena_new();
	struct router *r = router_new(a, rules, sizeof(rules) / sizeof(*rules));

	(void)state;
	all_hold();
	assert_non_null(r);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (find(r, cases[i].host, cases[i].path) != cases[i].want)
			fail_msg("%s%s: rule %d, expected %d", cases[i].host, cases[i].path,
			    find(r, cases[i].host, cases[i].path), cases[i].want);
	arena_free(&a);
}

static void
test_conditions_decide_between_equals_and_give_way(void **state)
{
	static const struct route_rule rules[] = {
		{ .host = STR("h"), .path = STR("/p"), .n_conditions = 0 },
		{ .host = STR("h"), .path = STR("/p"), .n_conditions = 2 },
		{ .host = STR("h"), .path = STR("/p"), .n_conditions = 1 },
		{ .host = STR("h"), .path = STR("/p"), .n_conditions = 2 },
		{ .host = STR("h"), .path = STR("/"), .n_conditions = 3 },
		{ .host = STR(""), .path = STR("/p/q"), .exact = true },
	};
	static const int order[] = { 1, 3, 2, 0, 4, 5, -1 };
	struct arena *a = arena_new();
	struct router *r = router_new(a, rules, sizeof(rules) / sizeof(*rules));

	(void)state;
	all_hold();
	for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++) {
		assert_int_equal(find(r, "h", "/p/q"), order[i]);
		if (order[i] >= 0)
			holds[order[i]] = false;
	}
	arena_free(&a);
}

static void
test_hidden_rules(void **state)
{
	static const struct route_rule rules[] = {
		{ .host = STR("h"), .path = STR("/p") },
		{ .host = STR("h"), .path = STR("/p"), .exact = true },
		{ .host = STR("h"), .path = STR("/p"), .n_conditions = 1 },
		{ .host = STR("h"), .path = STR("/p") },
		{ .host = STR("*.h"), .path = STR("") },
		{ .host = STR("h"), .path = STR("/p") },
		{ .host = STR("*.h"), .path = STR("/") },
	};
	static const int hidden[] = { 3, -1, 0, 5, -1, -1, -1 };
	struct arena *a = arena_new();
	struct router *r = router_new(a, rules, sizeof(rules) / sizeof(*rules));

	(void)state;
	for (uint32_t i = 0; i < sizeof(hidden) / sizeof(*hidden); i++)
		if (router_hidden(r, i) != hidden[i])
			fail_msg("rule %u hides %d", i, router_hidden(r, i));
	arena_free(&a);
}

static void
test_nothing_to_find(void **state)
{
	static const struct route_rule rule = {
		.host = STR("h"), .path = STR("/p"), .exact = true
	};
	char host[300];
	struct arena *a = arena_new();
	struct router *empty = router_new(a, NULL, 0), *one = router_new(a, &rule, 1);

	(void)state;
	all_hold();
	memset(host, 'h', sizeof(host) - 1);
	host[sizeof(host) - 1] = '\0';
	assert_int_equal(find(empty, "h", "/p"), -1);
	assert_int_equal(find(one, "h", "/p"), 0);
	assert_int_equal(find(one, "h", "/p/"), -1);
	assert_int_equal(find(one, "g", "/p"), -1);
	assert_int_equal(find(one, "h", ""), -1);
	assert_int_equal(find(one, host, "/p"), -1);
	arena_free(&a);
}

/* -- against a search of all rules -- */

static bool
host_matches(struct str rule, struct str host)
{
	if (!str_starts(rule, STR("*.")))
		return rule.n == 0 || str_eq(rule, host);
	rule = str_skip(rule, 1);
	return host.n > rule.n && str_eq(str_skip(host, host.n - rule.n), rule);
}

static bool
path_matches(const struct route_rule *rule, struct str path)
{
	size_t n = rule->path.n;

	if (rule->exact)
		return str_eq(rule->path, path);
	return str_starts(path, rule->path) &&
	    (n == 0 || n == path.n || path.p[n] == '/' || path.p[n - 1] == '/');
}

/* 0: any host, then wildcards by length, then exact ones. */
static size_t
host_rank(struct str host)
{
	return host.n == 0 || str_starts(host, STR("*.")) ? host.n : 1000;
}

static bool
is_better(const struct route_rule *a, const struct route_rule *b)
{
	if (host_rank(a->host) != host_rank(b->host))
		return host_rank(a->host) > host_rank(b->host);
	if (a->exact != b->exact)
		return a->exact;
	if (a->path.n != b->path.n)
		return a->path.n > b->path.n;
	return a->n_conditions > b->n_conditions;
}

static int
search(const struct route_rule *rules, int n, struct str host, struct str path)
{
	int best = -1;

	for (int i = 0; i < n; i++)
		if (holds[i] && host_matches(rules[i].host, host) &&
		    path_matches(&rules[i], path) &&
		    (best < 0 || is_better(&rules[i], &rules[best])))
			best = i;
	return best;
}

static uint64_t seed;

static uint32_t
below(uint32_t n)
{
	return (uint32_t)hash_scale(hash_next(&seed), n);
}

static struct str
random_path(struct arena *a)
{
	static const char bytes[] = "/ab/";
	char text[8] = "/";
	size_t n = 1 + below(7);

	for (size_t i = 1; i < n; i++)
		text[i] = bytes[below(4)];
	return arena_str(a, (struct str){ text, n });
}

static struct str
random_host(void)
{
	static const struct str hosts[] = { STR("a"), STR("b.a"), STR("c.b.a"), STR("a.a"),
		STR("b.b.a"), STR("d") };

	return hosts[below(6)];
}

static struct str
random_pattern(void)
{
	static const struct str patterns[] = { STR(""), STR("*.a"), STR("*.b.a") };

	return below(2) ? random_host() : patterns[below(3)];
}

static void
test_as_a_search_of_all(void **state)
{
	struct route_rule rules[RULES_MAX];

	(void)state;
	for (uint64_t start = 1; start <= 20; start++) {
		struct arena *a = arena_new();

		seed = start;

		for (int i = 0; i < RULES_MAX; i++) {
			rules[i] = (struct route_rule){ random_pattern(),
				below(8) ? random_path(a) : STR(""), false, below(3) };
			rules[i].exact = rules[i].path.n && below(2);
			holds[i] = below(3) > 0;
		}
		for (int n = 1; n <= RULES_MAX; n += 13) {
			struct router *r = router_new(a, rules, (uint32_t)n);

			for (int k = 0; k < 1000; k++) {
				struct str host = random_host(), path = random_path(a);
				unsigned asked = 0;
				int want = search(rules, n, host, path);
				int got = router_find(r, host, path, accepts, &asked);

				if (got != want)
					fail_msg("seed %llu: %.*s%.*s: rule %d, expected %d",
					    (unsigned long long)start, STR_ARG(host), STR_ARG(path),
					    got, want);
			}
		}
		arena_free(&a);
	}
}

/* Whatever number there is, only those are asked that have this host and this path. */
static void
test_many_hosts_ask_few_rules(void **state)
{
	enum { N = 10000 };
	static struct route_rule rules[N];
	struct arena *a = arena_new();
	struct router *r;
	char text[64];

	(void)state;
	all_hold();
	for (int i = 0; i < N; i++) {
		snprintf(text, sizeof(text), "host-%d.example.org", i % 100);
		rules[i].host = arena_str(a, str_of(text));
		snprintf(text, sizeof(text), "/path/%d", i / 100);
		rules[i].path = arena_str(a, str_of(text));
	}
	r = router_new(a, rules, N);
	assert_non_null(r);
	for (int i = 0; i < N; i++) {
		struct str path = rules[i].path;
		unsigned asked = 0;

		assert_int_equal(
		    router_find(r, rules[i].host, path, accepts, &asked), i < RULES_MAX ? i : -1);
		assert_int_equal(asked, 1);
	}
	arena_free(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_most_specific_wins),
		cmocka_unit_test(test_conditions_decide_between_equals_and_give_way),
		cmocka_unit_test(test_hidden_rules),
		cmocka_unit_test(test_nothing_to_find),
		cmocka_unit_test(test_as_a_search_of_all),
		cmocka_unit_test(test_many_hosts_ask_few_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

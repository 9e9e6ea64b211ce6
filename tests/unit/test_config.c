/*
 * test_config.c - lbd.json as a snapshot: what the golden files do not show.
 *
 * Decoded values, defaults that depend on others, the digest, references, names,
 * limits of size, and printing without memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <sched.h>
#include <syslog.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/problems.h"
#include "lbd/config/config.h"

#define LISTENERS "\"listeners\": [ { \"bind\": [\"0.0.0.0:80\"], \"pool\": \"web\" } ]"
#define SERVERS "\"servers\": [ { \"address\": \"10.0.0.11:8080\" } ]"
#define POOLS "\"pools\": [ { \"name\": \"web\", " SERVERS " } ]"
#define WITH(members) "{ " members ", " LISTENERS ", " POOLS " }"
#define WITH_POOL(members)                                                                         \
	"{ " LISTENERS ", \"pools\": [ { \"name\": \"web\", " SERVERS ", " members " } ] }"
#define SMALLEST "{ " LISTENERS ", " POOLS " }"

static struct lbd_config *
load(const char *text, struct problems *problems)
{
	const struct config_options options = { .file = "f", .node = "lb1" };

	return config_load(str_of(text), &options, problems);
}

static struct lbd_config *
load_good(const char *text)
{
	struct problems problems = { 0 };
	struct lbd_config *c = load(text, &problems);

	if (!c)
		fail_msg("%s", problems.list[0].text);
	return c;
}

static void
expect_problem(const char *text, const char *problem)
{
	struct problems problems = { 0 };

	assert_null(load(text, &problems));
	assert_int_equal(problems.n, 1);
	assert_string_equal(problems.list[0].text, problem);
	problems_fini(&problems);
}

static void
test_decoded(void **state)
{
	struct lbd_config *c =
	    load_good("{ \"workers\": 3, \"user\": \"www\","
		      " \"log\": { \"level\": \"warning\", \"target\": \"file:/a\", \"access\": { "
		      "\"format\": \"combined\" } },"
		      " \"admin\": { \"socket\": \"/s\", \"http\": \"off\" },"
		      " \"limits\": { \"connections\": 5, \"header_size\": \"8k\", \"uri_size\": "
		      "100, \"headers\": 7, \"body_size\": \"3g\" },"
		      " \"timeouts\": { \"connect\": \"150ms\", \"tunnel\": \"2h\" },"
		      " \"listeners\": [ { \"name\": \"l\", \"bind\": [\"[::1]:81\", \"unix:/u\"], "
		      "\"pool\": \"b\","
		      "   \"forwarded\": { \"trust\": [\"10.0.0.0/8\"], \"x_forwarded\": false, "
		      "\"rfc7239\": true } } ],"
		      " \"pools\": [ { \"name\": \"a\", " SERVERS " },"
		      "   { \"name\": \"b\", \"algorithm\": \"ip_hash\","
		      "     \"servers\": [ { \"address\": \"10.0.0.1:1\", \"weight\": 9 }, { "
		      "\"name\": \"s\", \"address\": \"unix:/x\" } ],"
		      "     \"health_check\": { \"type\": \"https\", \"host\": \"h\", "
		      "\"expect_status\": [204, 301] },"
		      "     \"retry\": { \"attempts\": 1, \"on\": [\"503\", \"timeout\"], "
		      "\"non_idempotent\": true, \"budget_percent\": 5 } } ] }");
	const struct listener_config *l = &c->listeners[0];
	const struct pool_config *p = &c->pools[1];

	(void)state;
	assert_true(c->workers == 3 && str_eq(c->user, STR("www")) && str_eq(c->node, STR("lb1")));
	assert_true(c->log.level == LOG_WARNING && c->log.target == LOG_SINK_FILE);
	assert_true(str_eq(c->log.path, STR("/a")) && c->log.access_format == ACCESS_COMBINED);
	assert_true(c->log.access_target == LOG_SINK_FILE && str_eq(c->log.access_path, STR("/a")));
	assert_true(str_eq(c->admin.socket, STR("/s")) && !c->admin.http_on);
	assert_true(c->limits.connections == 5 && c->limits.connections_per_client == 0);
	assert_true(c->limits.request.head_size == 8192 && c->limits.request.target_size == 100);
	assert_true(c->limits.request.fields == 7 && c->limits.body_size == UINT64_C(3) << 30);
	assert_true(c->timeouts.connect == 150 * NS_PER_MS);
	assert_true(c->timeouts.tunnel == 7200 * NS_PER_S && c->timeouts.drain == 30 * NS_PER_S);
	assert_true(l->n_bind == 2 && l->bind[0].sa.sa_family == AF_INET6 && l->pool == 1);
	assert_true(str_eq(l->bind_text[0], STR("[::1]:81")) && str_eq(l->name, STR("l")));
	assert_true(l->forwarded.n_trust == 1 && l->forwarded.trust[0].prefix == 104);
	assert_true(!l->forwarded.x_forwarded && l->forwarded.rfc7239);
	assert_true(p->algorithm == BALANCE_IP_HASH && p->n_servers == 2);
	assert_true(str_eq(p->servers[0].name, STR("10.0.0.1:1")) && p->servers[0].weight == 9);
	assert_true(str_eq(p->servers[1].name, STR("s")) && p->servers[1].weight == 1);
	assert_int_equal(p->servers[1].address.sa.sa_family, AF_UNIX);
	assert_true(p->health.type == CHECK_HTTPS && str_eq(p->health.host, STR("h")));
	assert_true(p->health.n_expect_status == 2 && p->health.expect_status[1] == 301);
	assert_true(p->retry.attempts == 1 && p->retry.on == (RETRY_503 | RETRY_TIMEOUT));
	assert_true(p->retry.non_idempotent && p->retry.budget_percent == 5);
	config_unref(&c);
}

static void
test_defaults(void **state)
{
	struct lbd_config *c = load_good(SMALLEST);
	cpu_set_t set;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
	assert_int_equal(c->workers, CPU_COUNT(&set));
	assert_true(c->log.level == LOG_INFO && c->log.target == LOG_SINK_STDERR);
	assert_true(c->log.access_format == ACCESS_OFF && c->log.access_target == LOG_SINK_STDERR);
	assert_true(c->user.n == 0 && c->admin.http_on && c->admin.http.in.sin_port == htons(9101));
	assert_true(c->pools[0].health.type == CHECK_TCP && c->pools[0].health.port == 0);
	assert_int_equal(c->pools[0].retry.on, RETRY_CONNECT_FAILURE | RETRY_RESET);
	assert_true(str_eq(c->listeners[0].name, STR("0.0.0.0:80")));
	assert_true(str_eq(c->pools[0].servers[0].name, STR("10.0.0.11:8080")));
	config_unref(&c);
}

static void
test_access_log_is_on_when_named(void **state)
{
	struct lbd_config *c =
	    load_good(WITH("\"log\": { \"access\": {}, \"target\": \"journal\" }"));

	(void)state;
	assert_true(
	    c->log.access_format == ACCESS_JSON && c->log.access_target == LOG_SINK_JOURNAL);
	config_unref(&c);
}

static void
test_node(void **state)
{
	const struct config_options options = { .file = "f" };
	struct problems problems = { 0 };
	struct lbd_config *c = config_load(str_of(SMALLEST), &options, &problems);
	char name[256] = "";

	(void)state;
	gethostname(name, sizeof(name) - 1);
	assert_non_null(c);
	assert_true(str_eq(c->node, str_of(name)));
	config_unref(&c);
}

static void
test_node_is_fit_for_a_host_field(void **state)
{
	char long_name[257] = "";
	const char *const rows[] = { "", "a b", "a\r\nb", "a/b", "\xff", long_name };
	struct config_options options = { .file = "f" };

	(void)state;
	memset(long_name, 'a', 256);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct problems problems = { 0 };

		options.node = rows[i];
		assert_null(config_load(str_of(SMALLEST), &options, &problems));
		assert_int_equal(problems.n, 1);
		assert_memory_equal(problems.list[0].text, "f: the name of this node, \"", 27);
		problems_fini(&problems);
	}
}

static void
test_check_timeout_follows_interval(void **state)
{
	static const struct {
		const char *text;
		int64_t timeout;
	} rows[] = {
		{ WITH_POOL("\"health_check\": {}"), 2 * NS_PER_S },
		{ WITH_POOL("\"health_check\": { \"interval\": \"500ms\" }"), 500 * NS_PER_MS },
		{ WITH_POOL("\"health_check\": { \"interval\": \"1m\" }"), 2 * NS_PER_S },
		{ WITH_POOL("\"health_check\": { \"timeout\": \"5s\" }"), 5 * NS_PER_S },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lbd_config *c = load_good(rows[i].text);

		assert_true(c->pools[0].health.timeout == rows[i].timeout);
		config_unref(&c);
	}
}

/* Their addresses come later, and from elsewhere. */
static void
test_names(void **state)
{
	struct lbd_config *c =
	    load_good("{ " LISTENERS ", \"pools\": [ { \"name\": \"web\", \"servers\": ["
		      " { \"address\": \"app.example:80\", \"resolve_max\": 3 },"
		      " { \"name\": \"b\", \"address\": \"app.example.:08081\" },"
		      " { \"address\": \"10.0.0.1:82\" }, { \"address\": \"[::1]:83\" }, { "
		      "\"address\": \"unix:/a\" } ] } ] }");
	const struct server_config *s = c->pools[0].servers;

	(void)state;
	assert_true(server_is_named(&s[0]) && server_is_named(&s[1]));
	assert_true(str_eq(s[0].name, STR("app.example:80")));
	assert_true(str_eq(s[0].host, STR("app.example")));
	assert_int_equal(s[0].port, 80);
	assert_int_equal(s[0].resolve_max, 3);
	assert_true(str_eq(s[1].host, STR("app.example.")));
	assert_int_equal(s[1].port, 8081);
	assert_int_equal(s[1].resolve_max, 16);
	for (uint32_t i = 2; i < 5; i++)
		assert_false(server_is_named(&s[i]));
	config_unref(&c);
}

/* Numbers that are no addresses are no names either: no lookup for a typing error. */
static void
test_mistyped_addresses_are_no_names(void **state)
{
	static const char *const rows[] = { "10.0.0.300:80", "10.0.0:80", "1:80", "0x7f000001:80",
		"10.0.0.0x1:80", "-a:80", ".a:80", "a b:80", "a/b:80", ":80", "a:", "a:b",
		"a:65536", "a", "v6.example:0", "v6.example:080808" };
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct problems problems = { 0 };

		snprintf(text, sizeof(text),
		    "{ " LISTENERS ", \"pools\": [ { \"name\": \"web\", \"servers\": [ { "
		    "\"address\": \"%s\" } ] } ] }",
		    rows[i]);
		assert_null(load(text, &problems));
		assert_int_equal(problems.n, 1);
		problems_fini(&problems);
	}
}

/* Listeners, pools and servers of its own; the rest goes with the last of both. */
static void
test_copy(void **state)
{
	struct lbd_config *c = load_good(SMALLEST), *copy = config_copy(c);
	char *before = config_print(c), *after;

	(void)state;
	assert_non_null(copy);
	config_unref(&c);
	after = config_print(copy);
	assert_string_equal(before, after);
	copy->listeners[0].id = copy->pools[0].id = copy->pools[0].servers[0].slot = 7;
	assert_int_equal(copy->original->listeners[0].id, 0);
	assert_int_equal(copy->original->pools[0].id, 0);
	assert_int_equal(copy->original->pools[0].servers[0].slot, 0);
	config_unref(&copy);
	free(before);
	free(after);
}

static char *
digest(const char *text)
{
	static char kept[4][17];
	static unsigned n;
	struct lbd_config *c = load_good(text);
	char *d = kept[n++ % 4];

	memcpy(d, c->digest, 17);
	config_unref(&c);
	return d;
}

static void
test_digest_is_the_same(void **state)
{
	static const char *const rows[] = {
		"{" POOLS "," LISTENERS "}", /* order of keys */
		"{\n\n" LISTENERS " ,\t" POOLS "}",
		WITH("\"comment\": 1"),
		WITH("\"$schema\": \"x\""),
		WITH("\"workers\": 7"),
		WITH("\"user\": \"x\""),
		WITH("\"log\": { \"level\": \"debug\", \"access\": {} }"),
		WITH("\"admin\": { \"socket\": \"/elsewhere\", \"http\": \"off\" }"),
		WITH(
		    "\"timeouts\": { \"connect\": \"2000ms\" }"), /* a default, spelt out otherwise */
		WITH("\"limits\": { \"header_size\": 32768 }"),
		WITH_POOL("\"algorithm\": \"weighted_round_robin\""),
		WITH_POOL("\"health_check\": { \"type\": \"tcp\" }"),
		WITH_POOL("\"retry\": { \"on\": [\"reset\", \"connect_failure\"] }"),
	};
	const char *base = digest(SMALLEST);

	(void)state;
	assert_int_equal(strlen(base), 16);
	assert_int_equal(strspn(base, "0123456789abcdef"), 16);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(base, digest(rows[i])) != 0)
			fail_msg("another digest: %s", rows[i]);
}

static void
test_digest_differs(void **state)
{
	static const char *const rows[] = {
		SMALLEST,
		WITH("\"timeouts\": { \"connect\": \"2001ms\" }"),
		WITH("\"limits\": { \"server_idle\": 511 }"),
		WITH_POOL("\"algorithm\": \"random\""),
		WITH_POOL("\"health_check\": {}"),
		WITH_POOL("\"health_check\": { \"type\": \"none\" }"),
		WITH_POOL("\"health_check\": { \"expect_status\": [201] }"),
		WITH_POOL("\"retry\": { \"on\": [] }"),
		"{ " LISTENERS ", \"pools\": [ { \"name\": \"web\", \"servers\": [ { \"address\": "
		"\"10.0.0.12:8080\" } ] } ] }",
		"{ " LISTENERS ", \"pools\": [ { \"name\": \"web\", \"servers\": [ { \"address\": "
		"\"10.0.0.11:8080\", \"weight\": 2 } ] } ] }",
	};
	enum { N = sizeof(rows) / sizeof(rows[0]) };
	char all[N][17];

	(void)state;
	for (size_t i = 0; i < N; i++) {
		memcpy(all[i], digest(rows[i]), 17);
		for (size_t j = 0; j < i; j++)
			if (strcmp(all[i], all[j]) == 0)
				fail_msg("one digest: %s and %s", rows[i], rows[j]);
	}
}

/* The pair compares digests of two machines: this one must never change by accident. */
static void
test_digest_is_known(void **state)
{
	(void)state;
	assert_string_equal(digest(SMALLEST), "a18cd169d5d6c3b7");
}

static void
test_references(void **state)
{
	struct lbd_config *c = load_good(SMALLEST), *second = config_ref(c), *none = NULL;

	(void)state;
	assert_ptr_equal(c, second);
	config_unref(&c);
	assert_null(c);
	assert_true(str_eq(second->node, STR("lb1"))); /* still there, says ASan */
	config_unref(&second);
	config_unref(&none);
}

static void
test_too_many_servers(void **state)
{
	char *text = malloc(4 << 20);
	size_t n = (size_t)sprintf(text, "{ " LISTENERS ",\n\"pools\": [");

	(void)state;
	for (int i = 0; i < 2; i++) {
		n += (size_t)sprintf(text + n, "%s{ \"name\": \"%s\", \"servers\": [", i ? "," : "",
		    i ? "web" : "b");
		for (int j = 0; j < SERVER_SLOTS_MAX / 2 + i; j++)
			n += (size_t)sprintf(text + n, "%s{\"address\":\"10.%d.%d.%d:80\"}",
			    j ? "," : "", i, j / 250, j % 250);
		n += (size_t)sprintf(text + n, "] }");
	}
	sprintf(text + n, "] }");
	expect_problem(text, "f:2: pools: hold 16385 servers together, allowed are 16384");
	free(text);
}

static void
test_many_problems_are_counted(void **state)
{
	char *text = malloc(1 << 20);
	size_t n = (size_t)sprintf(text, "{ \"listeners\": [");
	struct problems problems = { 0 };

	(void)state;
	for (int i = 0; i < 500; i++)
		n += (size_t)sprintf(text + n, "%s%d", i ? "," : "", i);
	sprintf(text + n, "], " POOLS " }");
	assert_null(load(text, &problems));
	assert_int_equal(problems.n, 500);
	assert_int_equal(problems.kept, PROBLEMS_MAX);
	problems_fini(&problems);
	free(text);
}

static void
test_read(void **state)
{
	char name[] = "/tmp/test_config.XXXXXX", block[100000];
	int fd = mkstemp(name);
	struct err err;
	char *text;
	size_t n;

	(void)state;
	memset(block, 'x', sizeof(block));
	assert_int_equal(write(fd, block, sizeof(block)), sizeof(block));
	assert_int_equal(file_read(name, CONFIG_SIZE_MAX, &text, &n, &err), 0);
	assert_int_equal(n, sizeof(block));
	assert_memory_equal(text, block, n);
	free(text);
	assert_int_equal(ftruncate(fd, CONFIG_SIZE_MAX + 1), 0);
	assert_int_equal(file_read(name, CONFIG_SIZE_MAX, &text, &n, &err), -EFBIG);
	assert_null(text);
	close(fd);
	unlink(name);
	assert_int_equal(file_read(name, CONFIG_SIZE_MAX, &text, &n, &err), -ENOENT);
	assert_non_null(strstr(err.text, name));
	assert_int_equal(file_read("/", CONFIG_SIZE_MAX, &text, &n, &err), -EISDIR);
}

/*
 * The allocator of jansson, failing once.  (Its parser aborts when that happens to it: not our
 * part.)
 */
static long fail_at, allocations;

static void *
failing_malloc(size_t n)
{
	return ++allocations == fail_at ? NULL : malloc(n);
}

static void
test_print_without_memory(void **state)
{
	struct lbd_config *c = load_good(WITH_POOL("\"health_check\": {}"));
	char *whole = config_print(c), *text;

	(void)state;
	json_set_alloc_funcs(failing_malloc, free);
	fail_at = 0;
	do {
		fail_at++;
		allocations = 0;
		text = config_print(c);
		if (text)
			assert_string_equal(text, whole);
		free(text);
	} while (allocations >= fail_at);
	json_set_alloc_funcs(malloc, free);
	assert_non_null(text);
	assert_true(fail_at > 100);
	free(whole);
	config_unref(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decoded),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_access_log_is_on_when_named),
		cmocka_unit_test(test_node),
		cmocka_unit_test(test_node_is_fit_for_a_host_field),
		cmocka_unit_test(test_check_timeout_follows_interval),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_mistyped_addresses_are_no_names),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_digest_is_the_same),
		cmocka_unit_test(test_digest_differs),
		cmocka_unit_test(test_digest_is_known),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_too_many_servers),
		cmocka_unit_test(test_many_problems_are_counted),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_print_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

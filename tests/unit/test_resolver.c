/* test_resolver.c - what is known of names: as text over a crash, and as the servers that workers get. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/problems.h"
#include "lbd/resolve/members.h"

static struct ev_loop *loop;

static void
nothing(void *arg)
{
	(void)arg;
}

/* Nobody asks for names here: they are remembered. */
static struct resolver *
resolver_with(const char *text)
{
	const struct resolver_hooks hooks = { nothing, nothing, NULL };
	struct resolver *r = resolver_new(loop, &hooks);

	assert_non_null(r);
	resolver_take(r, str_of(text));
	return r;
}

static void
expect_text(const struct resolver *r, const char *want)
{
	struct text text;

	text_init(&text, 65536);
	resolver_format(r, &text);
	assert_false(text.failed);
	assert_string_equal(text.n ? text.p : "", want);
	text_fini(&text);
}

/* The process that wrote it may have been taken over. */
static void
test_text(void **state)
{
	static const struct {
		const char *text, *kept;
	} rows[] = {
		{ "", "" },
		{ "app.example 16 10.0.0.2 10.0.0.1 2001:db8::1\n",
		    "app.example 16 10.0.0.1 10.0.0.2 2001:db8::1\n" },
		{ "APP.example 4 10.0.0.1\n", "app.example 4 10.0.0.1\n" },
		{ "app.example 4 10.0.0.1", "app.example 4 10.0.0.1\n" },
		{ "app.example 1 10.0.0.1 10.0.0.2\n", "app.example 1 10.0.0.1\n" },
		{ "app.example 4 10.0.0.1 10.0.0.1\n", "app.example 4 10.0.0.1\n" },
		/* what is no line of ours */
		{ "app.example 0 10.0.0.1\n", "" },
		{ "app.example 65 10.0.0.1\n", "" },
		{ "app.example 4294967297 10.0.0.1\n", "" },
		{ "app.example -1 10.0.0.1\n", "" },
		{ "app.example  10.0.0.1\n", "" },
		{ "app.example\n", "" },
		{ " 4 10.0.0.1\n", "" },
		{ "\n\n \n", "" },
		{ "app.example 4 10.0.0 0.0.0.0 224.0.0.1 x 10.0.0.9\n",
		    "app.example 4 10.0.0.9\n" },
		{ "app.example 4 10.0.0.1\r\n", "" },
	};
	char *long_name = calloc(1, 600);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct resolver *r = resolver_with(rows[i].text);

		expect_text(r, rows[i].kept);
		assert_true(resolver_settled(r));
		resolver_free(&r);
	}
	memset(long_name, 'a', 500);
	memcpy(long_name + 500, " 4 10.0.0.1\n", 12);
	for (struct resolver *r = resolver_with(long_name); r; resolver_free(&r))
		expect_text(r, "");
	free(long_name);
}

static struct lbd_config *
load(void)
{
	static const char text[] =
	    "{ \"listeners\": [ { \"bind\": [\"127.0.0.1:80\"], \"pool\": \"web\" } ], \"pools\": ["
	    " { \"name\": \"web\", \"servers\": ["
	    "   { \"name\": \"app\", \"address\": \"App.example:8080\", \"weight\": 3 },"
	    "   { \"address\": \"10.0.0.9:80\" },"
	    "   { \"name\": \"none\", \"address\": \"none.example:80\", \"resolve_max\": 2 } ] },"
	    " { \"name\": \"plain\", \"servers\": [ { \"address\": \"10.0.0.9:80\" } ] } ] }";
	const struct config_options options = { .file = "f", .node = "lb1", .cpus = 1 };
	struct problems problems = { 0 };
	struct lbd_config *c = config_load(str_of(text), &options, &problems);

	if (!c)
		fail_msg("%s", problems.list[0].text);
	return c;
}

static void
expect_server(const struct server_config *s, const char *name, const char *address, uint32_t weight)
{
	char text[ADDRESS_TEXT_MAX];

	address_format(&s->address, text);
	assert_string_equal(text, address);
	assert_true(str_eq(s->address_text, str_of(address)));
	assert_true(str_eq(s->name, str_of(name)));
	assert_int_equal(s->weight, weight);
}

static void
test_members(void **state)
{
	struct resolver *r =
	    resolver_with("app.example 16 10.0.0.2 10.0.0.1 2001:db8::1\nnone.example "
			  "2\nnone.example 3 10.1.1.1\n");
	struct lbd_config *written = load(), *c = members_config(written, r);
	const struct pool_config *p = &c->pools[0];

	(void)state;
	assert_ptr_not_equal(c, written);
	assert_int_equal(p->n_servers, 4);
	expect_server(&p->servers[0], "app#10.0.0.1", "10.0.0.1:8080", 3);
	expect_server(&p->servers[1], "app#10.0.0.2", "10.0.0.2:8080", 3);
	expect_server(&p->servers[2], "app#2001:db8::1", "[2001:db8::1]:8080", 3);
	expect_server(&p->servers[3], "10.0.0.9:80", "10.0.0.9:80", 1);
	assert_true(str_eq(p->servers[1].of, STR("app")));
	assert_true(str_eq(p->servers[1].host, STR("App.example"))); /* for TLS */
	assert_int_equal(p->servers[3].of.n, 0);
	assert_int_equal(p->n_unresolved, 1);
	assert_true(str_eq(p->unresolved[0]->name, STR("none")));
	assert_int_equal(c->pools[1].n_servers, 1);
	/* the one that was read stays as it is, and longer than its copy needs it */
	assert_int_equal(written->pools[0].n_servers, 3);
	assert_true(server_is_named(&written->pools[0].servers[0]));
	config_unref(&written);
	assert_true(str_eq(p->unresolved[0]->host, STR("none.example")));
	config_unref(&c);
	resolver_free(&r);
}

/* From a file of an earlier lbd: for names of the configuration alone, and they wait for an answer all the same. */
static void
test_recall(void **state)
{
	static const struct {
		const char *text, *kept;
		int wrong;
	} rows[] = {
		{ "", "", 0 },
		{ "app.example 16 10.0.0.2 10.0.0.1 2001:db8::1\n",
		    "app.example 16 10.0.0.1 10.0.0.2 2001:db8::1\n", 0 },
		{ "none.example 2 10.0.0.1 10.0.0.2 10.0.0.3\n",
		    "none.example 2 10.0.0.1 10.0.0.2\n", 0 },
		/* of another configuration */
		{ "other.example 16 10.0.0.1\nnone.example 16 10.0.0.1\n", "", 0 },
		/* what is no line of ours */
		{ "app.example 16 10.0.0.1 x\n", "app.example 16 10.0.0.1\n", 1 },
		{ "app.example 16 0.0.0.0\nother.example 16 y\n\n", "", 3 },
		{ "app.example 16\n\377\n\nnone.example 2 10.0.0.1", "none.example 2 10.0.0.1\n",
		    3 },
	};
	struct lbd_config *c = load();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct resolver *r = resolver_with("");

		assert_int_equal(resolver_recall(r, c, str_of(rows[i].text)), rows[i].wrong);
		expect_text(r, rows[i].kept);
		assert_false(resolver_settled(r));
		resolver_keep(r, c);
		expect_text(r, rows[i].kept);
		resolver_free(&r);
	}
	config_unref(&c);
}

/* A name of which nothing is known, and one that nobody has. */
static void
test_find(void **state)
{
	struct resolver *r = resolver_with("app.example 16 10.0.0.1\nnone.example 2\n");
	struct resolver_count n;

	(void)state;
	assert_int_equal(resolver_find(r, STR("APP.EXAMPLE"), 16)->n, 1);
	assert_int_equal(resolver_find(r, STR("none.example"), 2)->n, 0);
	assert_null(resolver_find(r, STR("app.example"), 2));
	resolver_count(r, &n);
	assert_int_equal(n.resolved, 1);
	assert_int_equal(n.unresolved, 1);
	assert_int_equal(n.stale, 0);
	resolver_free(&r);
}

static int
loop_make(void **state)
{
	(void)state;
	loop = ev_loop_new(EVFLAG_AUTO);
	return loop ? 0 : -1;
}

static int
loop_drop(void **state)
{
	(void)state;
	ev_loop_destroy(loop);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_recall),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_find),
	};

	return cmocka_run_group_tests(tests, loop_make, loop_drop);
}

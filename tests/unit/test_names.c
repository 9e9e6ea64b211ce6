/* test_names.c - the table of names: asked, missing, looked up, carried over. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lbd/supervisor/names.h"

static int
clear(void **state)
{
	(void)state;
	names_clear();
	return 0;
}

static void
assert_host(const char *name, const char *want)
{
	char text[ADDRESS_TEXT_MAX];
	struct address a;
	struct err err;

	assert_int_equal(names_resolve(name, &a, &err), 0);
	address_format_host(&a, text);
	assert_string_equal(text, want);
	assert_int_equal(a.in.sin_port, 0);
}

static void
test_unknown_is_missing(void **state)
{
	struct address a;
	struct err err;

	(void)state;
	assert_int_equal(names_missing(), 0);
	assert_int_equal(names_resolve("a.example", &a, &err), -EAGAIN);
	assert_int_equal(names_resolve("a.example", &a, &err), -EAGAIN);
	assert_int_equal(names_resolve("b.example", &a, &err), -EAGAIN);
	assert_int_equal(names_missing(), 2);
	names_clear();
	assert_int_equal(names_missing(), 0);
}

static void
test_take(void **state)
{
	struct address a;
	struct text text;
	struct err err;

	(void)state;
	names_take(STR("v4.example 192.0.2.1\nv6.example 2001:db8::1\nnone.example !Name or "
		       "service not known\ncut.example 192."));
	assert_host("v4.example", "192.0.2.1");
	assert_host("v6.example", "2001:db8::1");
	assert_int_equal(names_resolve("none.example", &a, &err), -ENOENT);
	assert_string_equal(err.text, "Name or service not known");
	assert_int_equal(names_missing(), 0);
	assert_int_equal(names_resolve("cut.example", &a, &err), -EAGAIN);
	assert_int_equal(names_missing(), 1);

	text_init(&text, 4096); /* and back again, without what is missing */
	names_format(&text);
	assert_string_equal(text.p,
	    "none.example !Name or service not known\n"
	    "v4.example 192.0.2.1\nv6.example 2001:db8::1\n");
	names_take((struct str){ text.p, text.n });
	text_fini(&text);
	assert_host("v6.example", "2001:db8::1");
	names_take(STR(""));
	assert_int_equal(names_resolve("v4.example", &a, &err), -EAGAIN);
}

static void
test_garbage(void **state)
{
	struct address a;
	struct err err;

	(void)state;
	names_take(STR("\n \nx\ny z\nw !\n\0 1\n"));
	assert_int_equal(names_resolve("y", &a, &err), -EINVAL);
	assert_int_equal(names_resolve("w", &a, &err), -ENOENT);
}

static void
test_look_up(void **state)
{
	struct address a;
	struct err err;

	(void)state;
	names_resolve("localhost", &a, &err);
	names_resolve("no-such-host.invalid", &a, &err);
	names_look_up();
	assert_int_equal(names_missing(), 0);
	assert_int_equal(names_resolve("localhost", &a, &err), 0);
	assert_true(a.sa.sa_family == AF_INET || a.sa.sa_family == AF_INET6);
	assert_int_equal(names_resolve("no-such-host.invalid", &a, &err), -ENOENT);
	assert_true(err.text[0] != '\0');
}

static void
test_many(void **state)
{
	struct address a;
	struct text text;
	struct err err;
	char name[64];
	int i;

	(void)state;
	text_init(&text, 10 << 20);
	for (i = 0; i < 16000; i++)
		text_printf(&text, "host-%d.example 10.0.%d.%d\n", i, i / 256, i % 256);
	names_take((struct str){ text.p, text.n });
	text_fini(&text);
	for (i = 0; i < 16000; i++) {
		snprintf(name, sizeof(name), "host-%d.example", i);
		assert_int_equal(names_resolve(name, &a, &err), 0);
		assert_int_equal(ntohl(a.in.sin_addr.s_addr), 10 << 24 | i);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_unknown_is_missing, clear),
		cmocka_unit_test_teardown(test_take, clear),
		cmocka_unit_test_teardown(test_garbage, clear),
		cmocka_unit_test_teardown(test_look_up, clear),
		cmocka_unit_test_teardown(test_many, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_tls_names.c - which certificate a host name gets: exact names, wildcards, what is no name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "lbd/tls/names.h"

static void
test_find(void **state)
{
	static const struct {
		const char *host;
		int64_t value;
	} rows[] = {
		{ "example.org", 1 },
		{ "EXAMPLE.org", 1 },
		{ "example.org.", 1 },
		{ "www.example.org", 3 }, /* exact before wildcard */
		{ "a.example.org", 2 },
		{ "A.Example.ORG", 2 },
		{ "ab.example.org", 2 },
		{ "a.b.example.org", -1 }, /* one label */
		{ ".example.org", -1 },
		{ "*.example.org", 2 }, /* nobody's Host, and no harm */
		{ "192.0.2.1", 4 },
		{ "2001:db8::1", 5 },
		{ "org", -1 },
		{ "", -1 },
		{ ".", -1 },
		{ "example.or", -1 },
		{ "example.orgg", -1 },
	};
	struct tls_names names = { 0 };

	(void)state;
	assert_int_equal(tls_names_add(&names, STR("www.example.org"), 3), 0);
	assert_int_equal(tls_names_add(&names, STR("*.Example.org"), 2), 0);
	assert_int_equal(tls_names_add(&names, STR("Example.ORG"), 1), 0);
	assert_int_equal(tls_names_add(&names, STR("192.0.2.1"), 4), 0);
	assert_int_equal(tls_names_add(&names, STR("2001:db8::1"), 5), 0);
	assert_int_equal(tls_names_add(&names, STR("example.org"), 7), 0); /* the first stays */
	tls_names_sort(&names);
	assert_int_equal(names.n, 5);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (tls_names_find(&names, str_of(rows[i].host)) != rows[i].value)
			fail_msg("%s", rows[i].host);
	tls_names_fini(&names);
}

static void
test_no_names(void **state)
{
	static const struct str bad[] = {
		{ "", 0 },
		{ "*", 1 },
		{ "*.org", 5 }, /* a whole top-level domain */
		{ "a*.example.org", 14 },
		{ "a.*.org", 7 },
		{ "a..b", 4 },
		{ ".a", 2 },
		{ "a.", 2 },
		{ "a b", 3 },
		{ "www.example.org\0.evil.org", 25 },
	};
	struct tls_names names = { 0 };
	char label[TLS_NAME_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(tls_names_add(&names, bad[i], 0), -EINVAL);
	memset(label, 'a', sizeof(label));
	assert_int_equal(tls_names_add(&names, (struct str){ label, sizeof(label) }, 0), -EINVAL);
	assert_int_equal(tls_names_find(&names, (struct str){ label, sizeof(label) }), -1);
	tls_names_fini(&names);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_no_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

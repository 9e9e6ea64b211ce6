/* test_authority.c - what of an authority is a host.  (Which ones are valid, test_h1_request says.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lbd/http/authority.h"

static void
test_name_and_host(void **state)
{
	static const struct {
		const char *authority, *name, *host;
	} rows[] = {
		{ "example.org", "example.org", "example.org" },
		{ "example.org:8443", "example.org", "example.org" },
		{ "[2001:db8::1]", "[2001:db8::1]", "2001:db8::1" },
		{ "[2001:db8::1]:443", "[2001:db8::1]", "2001:db8::1" },
		{ "192.0.2.1:1", "192.0.2.1", "192.0.2.1" },
		{ "", "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct str authority = str_of(rows[i].authority);

		assert_true(str_eq(authority_name(authority), str_of(rows[i].name)));
		assert_true(str_eq(authority_host(authority), str_of(rows[i].host)));
	}
	/* a request without Host */
	assert_int_equal(authority_name((struct str){ NULL, 0 }).n, 0);
	assert_int_equal(authority_host((struct str){ NULL, 0 }).n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_name_and_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

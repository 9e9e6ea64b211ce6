/* test_server_name.c - the server_name extension, whole and in every wrong way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lbd/tls/names.h"
#include "lbd/tls/server_name.h"

#define NAME                                                                                       \
	"\x00\x0e\x00\x00\x0b"                                                                     \
	"example.org"

static void
test_server_name(void **state)
{
	static const struct {
		struct str extension, name;
	} rows[] = {
		{ STR(NAME), STR("example.org") },
		{ STR("\x00\x04\x00\x00\x01"
		      "a"),
		    STR("a") },
		{ STR("\x00\x03\x00\x00\x00"), STR("") }, /* no name */
		{ STR(""), STR("") }, { STR("\x00\x0e"), STR("") },
		{ STR(NAME "x"), STR("") }, /* something behind it */
		{ STR("\x00\x0d\x00\x00\x0b"
		      "example.org"),
		    STR("") }, /* too short a list */
		{ STR("\x00\x0f\x00\x00\x0b"
		      "example.org"),
		    STR("") },
		{ STR("\x00\x0e\x01\x00\x0b"
		      "example.org"),
		    STR("") }, /* another type */
		{ STR("\x00\x0e\x00\x00\x0a"
		      "example.org"),
		    STR("") },
		{ STR("\x00\x0e\x00\x01\x0b"
		      "example.org"),
		    STR("") },
		{ STR("\x00\x0e\x00\x00\x0b"
		      "example\0org"),
		    STR("") }, /* cut by who reads C */
		{ STR("\x00\x08\x00\x00\x01"
		      "a"
		      "\x00\x00\x01"
		      "b"),
		    STR("") }, /* two */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (!str_eq(tls_server_name(rows[i].extension), rows[i].name))
			fail_msg("row %zu", i);
}

static void
test_longest(void **state)
{
	char text[5 + TLS_NAME_MAX + 1] = { 1, 2, 0, 0, (char)0xff };

	(void)state;
	memset(text + 5, 'a', sizeof(text) - 5);
	assert_int_equal(tls_server_name((struct str){ text, 5 + TLS_NAME_MAX }).n, TLS_NAME_MAX);
	text[1] = 3;
	text[3] = 1;
	text[4] = 0;
	assert_int_equal(tls_server_name((struct str){ text, sizeof(text) }).n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_server_name),
		cmocka_unit_test(test_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

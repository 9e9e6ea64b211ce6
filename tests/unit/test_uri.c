/* test_uri.c - what may stand in a Location, and what is escaped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lbd/http/uri.h"

static void
test_escapes(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "", "" },
		{ "https://[2001:db8::1]:8443/a?b=c&d=%20",
		    "https://[2001:db8::1]:8443/a?b=c&d=%20" },
		{ "//evil.example/", "//evil.example/" },
		{ "/%2e%00/a;b", "/%2e%00/a;b" },
		{ "/\"<>\\^`{|}", "/%22%3C%3E%5C%5E%60%7B%7C%7D" },
		{ "/\xc3\xa4 \r\n", "/%C3%A4%20%0D%0A" },
	};
	char room[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct writer w = { room, room + sizeof(room) - 1, false };

		uri_write(&w, str_of(rows[i].in));
		assert_false(w.overflow);
		*w.p = '\0';
		assert_string_equal(room, rows[i].out);
	}
}

static void
test_no_room(void **state)
{
	char room[10];
	struct writer w = { room, room + sizeof(room), false };

	(void)state;
	uri_write(&w, STR("/abcdefg<"));
	assert_true(w.overflow);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

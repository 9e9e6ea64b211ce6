/* test_forwarded_for.c - whom a trusted proxy names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lbd/http/forwarded_for.h"

enum { TRUSTED = 3 };

static struct network trust[TRUSTED];

static void
trust_init(void)
{
	static const char *const texts[TRUSTED] = { "10.0.0.0/8", "192.0.2.7", "fd00::/8" };
	struct err err;

	for (int i = 0; i < TRUSTED; i++)
		assert_int_equal(network_parse(&trust[i], str_of(texts[i]), &err), 0);
}

static void
test_names(void **state)
{
	static const struct {
		const char *first, *second; /* two fields */
		const char *want; /* NULL: nobody */
	} rows[] = {
		{ "203.0.113.5", NULL, "203.0.113.5" },
		{ "  203.0.113.5\t", NULL, "203.0.113.5" },
		{ "1.2.3.4, 203.0.113.5", NULL,
		    "203.0.113.5" }, /* what it says of others is its own */
		{ "1.2.3.4,203.0.113.5,10.0.0.9", NULL, "203.0.113.5" },
		{ "1.2.3.4,203.0.113.5,10.0.0.9,192.0.2.7 , fd00::5", NULL, "203.0.113.5" },
		{ "10.0.0.1, 10.0.0.2", NULL, "10.0.0.1" },
		{ "1.2.3.4", "203.0.113.5", "203.0.113.5" },
		{ "203.0.113.5", "10.0.0.1", "203.0.113.5" },
		{ "203.0.113.5", "", "203.0.113.5" },
		{ "2001:db8::1", NULL, "2001:db8::1" },
		{ "[2001:db8::1]", NULL, "2001:db8::1" },
		{ "[2001:db8::1]:443", NULL, "2001:db8::1" },
		{ "::ffff:203.0.113.5", NULL, "203.0.113.5" },
		{ "203.0.113.5:5000", NULL, "203.0.113.5" },
		{ "", NULL, NULL },
		{ "unknown", NULL, NULL },
		{ "203.0.113.5, unknown", NULL, NULL },
		{ "203.0.113.5, ,", NULL, "203.0.113.5" },
		{ "1.2.3.4", ",203.0.113.5,,10.0.0.1", "203.0.113.5" },
		{ "203.0.113.5, 10.0.0.1:x:y", NULL, NULL },
		{ "203.0.113.5, junk, 10.0.0.3", NULL, "10.0.0.3" }, /* as far as can be told */
		{ "[", NULL, NULL },
		{ "[]", NULL, NULL },
		{ NULL, NULL, NULL },
	};

	(void)state;
	trust_init();
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *values[] = { rows[i].first, "1.1.1.1", rows[i].second };
		struct http_head head = { .n_fields = 0 };
		struct address a = { 0 };
		char text[ADDRESS_TEXT_MAX];
		bool named;

		for (int j = 0; j < 3; j++)
			if (values[j])
				head.fields[head.n_fields++] = (struct http_field){
					.value = str_of(values[j]),
					.id = j == 1 ? FIELD_OTHER : FIELD_X_FORWARDED_FOR,
				};
		named = forwarded_for(&head, trust, TRUSTED, &a);
		if (named != (rows[i].want != NULL))
			fail_msg("row %zu: %s", i, named ? "somebody" : "nobody");
		if (!named)
			continue;
		address_format_host(&a, text);
		assert_string_equal(text, rows[i].want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

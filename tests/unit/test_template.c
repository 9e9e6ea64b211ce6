/* test_template.c - texts with variables: what they become, and what is wrong with others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lbd/route/template.h"

static const struct {
	const char *text, *want; /* or the error, for those that begin with "has" */
} cases[] = {
	{ "", "" },
	{ "plain", "plain" },
	{ "{host}", "HOST" },
	{ "https://{host}{uri}", "https://HOSTURI" },
	{ "a{method}b{node}c", "aMETHODbNODEc" },
	{ "{query}", "" }, /* nothing is written for nothing */
	{ "{{host}", "{host}" },
	{ "{{", "{" },
	{ "{{{host}}", "{HOST}" },
	{ "}", "}" },
	{ "{", "has a brace that is not closed (\"{{\" is a brace)" },
	{ "a{host", "has a brace that is not closed (\"{{\" is a brace)" },
	{ "{}", "has no variable {}" },
	{ "{hots}", "has no variable {hots}; did you mean {host}?" },
	{ "{Host}", "has no variable {Host}; did you mean {host}?" },
	{ "{server}", "has no variable {server}" },
};

static const struct str values[VARIABLE_COUNT] = {
	[VARIABLE_HOST] = { "HOST", 4 },
	[VARIABLE_METHOD] = { "METHOD", 6 },
	[VARIABLE_NODE] = { "NODE", 4 },
	[VARIABLE_URI] = { "URI", 3 },
};

static void
test_written(void **state)
{
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct template *t;
		char out[100];
		struct writer w = { out, out + sizeof(out), false };
		struct err err;
		struct str got;

		if (template_new(a, str_of(cases[i].text), VARIABLES_BEFORE_SERVER, &t, &err) ==
		    0) {
			template_write(t, values, write_str, &w);
			got = (struct str){ out, (size_t)(w.p - out) };
		} else {
			got = str_of(err.text);
		}
		if (!str_eq(got, str_of(cases[i].want)))
			fail_msg("%s: got %.*s", cases[i].text, STR_ARG(got));
	}
	arena_free(&a);
}

static void
test_too_long(void **state)
{
	struct arena *a = arena_new();
	const struct template *t;
	char out[9];
	struct writer w = { out, out + sizeof(out), false };
	struct err err;

	(void)state;
	assert_int_equal(template_new(a, STR("{host}-{host}-"), VARIABLES_ALL, &t, &err), 0);
	template_write(t, values, write_str, &w);
	assert_true(w.overflow);
	arena_free(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_written),
		cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_cookie.c - which cookies a field holds, what is left without one, how one is set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lbd/http/cookie.h"

/* All cookies of the name SRV, with a comma behind each; the first of them is what is found. */
static void
assert_found(const char *field, const char *expected)
{
	struct str values[COOKIE_VALUES], value;
	char text[256], out[256];
	struct writer w = { text, text + sizeof(text), false };
	size_t left;
	unsigned n = cookie_take(str_of(field), STR("SRV"), values, out, &left);

	assert_true(n <= COOKIE_VALUES);
	for (unsigned i = 0; i < n; i++) {
		write_str(&w, values[i]);
		write_bytes(&w, ",", 1);
	}
	write_bytes(&w, "", 1);
	assert_string_equal(text, expected);
	assert_int_equal(cookie_find(str_of(field), STR("SRV"), &value), n > 0);
	if (n)
		assert_true(str_eq(value, values[0]));
}

static void
test_found(void **state)
{
	static const struct {
		const char *field, *expected;
	} rows[] = {
		{ "", "" },
		{ "SRV=1", "1," },
		{ "a=1; SRV=2; b=3", "2," },
		{ "a=1;SRV=2;", "2," },
		{ " \t SRV=1 ;\t SRV=2 \t", "1,2," },
		{ "SRV=; SRV==1=", ",=1=," },
		{ "SRV=1; SRV=2; a=b; SRV=1", "1,2,1," },
		/* blanks inside belong to what they stand in */
		{ "SRV=a b; SRV= 1", "a b, 1," },
		{ "SRV =1; S RV=1", "" },
		/* case matters, and so does all of the name */
		{ "srv=1; SRV2=1; XSRV=1; SR=1", "" },
		/* no cookies of that name, and no cookies */
		{ ";", "" },
		{ "; ;; = ;=1", "" },
		{ "SRV", "" },
		{ "SRV; a=SRV=1", "" },
		{ "a=1, SRV=2", "" },
		{ "=SRV=1", "" },
		/* quotes hide nothing */
		{ "a=\"1; SRV=2\"", "2\"," },
		{ "a=\"; SRV=2", "2," },
		{ "SRV=\"2\"", "\"2\"," },
		{ "SRV=\xc3\xa9", "\xc3\xa9," },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_found(rows[i].field, rows[i].expected);
}

/* No byte behind the field is looked at, and none written behind the room. */
static void
test_exact_blocks(void **state)
{
	static const char text[] = "a=1; SRV=x; b";
	struct str values[COOKIE_VALUES], value;
	size_t left;

	(void)state;
	for (size_t n = 0; n < sizeof(text); n++) {
		char *block = malloc(n + (n == 0)), *out = malloc(n + (n == 0));

		assert_true(block && out);
		memcpy(block, text, n);
		assert_int_equal(cookie_find((struct str){ block, n }, STR("SRV"), &value), n >= 9);
		assert_int_equal(
		    cookie_take((struct str){ block, n }, STR("SRV"), values, out, &left), n >= 9);
		assert_true(n < 9 || (left <= n && values[0].p + values[0].n <= block + n));
		free(block);
		free(out);
	}
}

/* A browser has a few at most, with other paths; the rest is taken out, but not looked at. */
static void
test_more_than_are_looked_at(void **state)
{
	struct str values[COOKIE_VALUES];
	char out[64];
	size_t left;

	(void)state;
	assert_int_equal(
	    cookie_take(STR("SRV=1;SRV=2;SRV=3;SRV=4;SRV=5;SRV=6"), STR("SRV"), values, out, &left),
	    6);
	assert_int_equal(left, 0);
	assert_true(str_eq(values[COOKIE_VALUES - 1], STR("4")));
}

static void
test_removed(void **state)
{
	static const struct {
		const char *field, *left;
	} rows[] = {
		{ "", "" },
		{ "SRV=x", "" },
		{ "SRV=", "" },
		{ " SRV=x ;", "" },
		{ "SRV=x; SRV=y;SRV=z", "" },
		{ "SRV=x; ", "" },
		{ "SRV=x; a=1", "a=1" },
		{ "a=1; SRV=x", "a=1" },
		{ "a=1; SRV=x; b=2", "a=1; b=2" },
		{ "a=1;SRV=x;b=2", "a=1;b=2" },
		{ "SRV=x; a=1; SRV=y; b=2; SRV=z", "a=1; b=2" },
		{ "a=1 ; SRV=x", "a=1" },
		{ "a; SRV=x; =b", "a; =b" },
		{ "a=\"1; SRV=x; 2\"", "a=\"1; 2\"" },
		/* others */
		{ "srv=x; SRV2=x; XSRV=x", "srv=x; SRV2=x; XSRV=x" },
		{ "SRV; a=SRV=x", "SRV; a=SRV=x" },
		{ "SRV =x", "SRV =x" },
	};
	struct str values[COOKIE_VALUES];
	char out[64];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct str field = str_of(rows[i].field), left = { out, 0 };

		if (cookie_take(field, STR("SRV"), values, out, &left.n) == 0)
			left = field;
		assert_true(str_eq(left, str_of(rows[i].left)));
	}
}

static void
test_written(void **state)
{
	static const struct {
		struct cookie_attributes attributes;
		const char *expected;
	} rows[] = {
		{ { .path = { "/", 1 } }, "SRV=x; Path=/; SameSite=Lax" },
		{ { .path = { "/a", 2 }, .max_age_s = 3600, .secure = true, .http_only = true },
		    "SRV=x; Path=/a; Max-Age=3600; Secure; HttpOnly; SameSite=Lax" },
		{ { .path = { "/", 1 }, .http_only = true, .same_site = SAME_SITE_STRICT },
		    "SRV=x; Path=/; HttpOnly; SameSite=Strict" },
		{ { .path = { "/", 1 }, .secure = true, .same_site = SAME_SITE_NONE },
		    "SRV=x; Path=/; Secure; SameSite=None" },
		{ { .path = { "/", 1 }, .same_site = SAME_SITE_NONE }, "SRV=x; Path=/" },
		{ { .domain = { "example.org", 11 }, .path = { "/", 1 } },
		    "SRV=x; Domain=example.org; Path=/; SameSite=Lax" },
	};
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct writer w = { text, text + sizeof(text), false };

		cookie_write(&w, STR("SRV"), STR("x"), &rows[i].attributes);
		assert_int_equal(w.p - text, strlen(rows[i].expected));
		assert_memory_equal(text, rows[i].expected, strlen(rows[i].expected));
		w = (struct writer){ text, text + strlen(rows[i].expected) - 1, false };
		cookie_write(&w, STR("SRV"), STR("x"), &rows[i].attributes);
		assert_true(w.overflow);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_exact_blocks),
		cmocka_unit_test(test_more_than_are_looked_at),
		cmocka_unit_test(test_removed),
		cmocka_unit_test(test_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

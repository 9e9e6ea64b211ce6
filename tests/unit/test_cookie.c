/* test_cookie.c - which cookies a field holds, what is left without one, how one is set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lbd/http/cookie.h"

/* Everything that is found, as "name|value," for each. */
static void
assert_cookies(const char *field, const char *expected)
{
	struct str left = str_of(field);
	char text[256];
	struct writer w = { text, text + sizeof(text), false };
	struct cookie c;

	while (cookie_next(&left, &c)) {
		write_str(&w, c.name);
		write_bytes(&w, "|", 1);
		write_str(&w, c.value);
		write_bytes(&w, ",", 1);
	}
	assert_int_equal(left.n, 0);
	write_bytes(&w, "", 1);
	assert_false(w.overflow);
	assert_string_equal(text, expected);
}

static void
test_cookies_are_found(void **state)
{
	static const struct {
		const char *field, *expected;
	} rows[] = {
		{ "", "" },
		{ "a=1", "a|1," },
		{ "a=1; b=2", "a|1,b|2," },
		{ "a=1;b=2;", "a|1,b|2," },
		{ " \t a=1 ;\t b=2 \t", "a|1,b|2," },
		{ "a=", "a|," },
		{ "a==1=", "a|=1=," },
		{ "A=1; a=2; a=3", "A|1,a|2,a|3," },
		/* no names */
		{ ";", "" },
		{ "; ;;", "" },
		{ "a", "" },
		{ "a; b=1", "b|1," },
		{ "=1; b=1", "b|1," },
		{ "a; =; b", "" },
		/* blanks inside belong to what they stand in */
		{ "a b=c d", "a b|c d," },
		{ "a = 1", "a | 1," },
		/* quotes hide nothing */
		{ "a=\"1; b=2\"", "a|\"1,b|2\"," },
		{ "a=\"; b=2", "a|\",b|2," },
		/* commas separate nothing */
		{ "a=1, b=2", "a|1, b=2," },
		{ "$Version=1; a=1", "$Version|1,a|1," },
		{ "a=\xc3\xa9", "a|\xc3\xa9," },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_cookies(rows[i].field, rows[i].expected);
}

/* No byte behind the field is looked at. */
static void
test_exact_blocks(void **state)
{
	static const char text[] = "a=1; SRV=x; b";

	(void)state;
	for (size_t n = 0; n < sizeof(text); n++) {
		char *block = malloc(n + (n == 0)), *out = malloc(n + (n == 0));
		struct str left = { block, n };
		struct cookie c;

		assert_true(block && out);
		memcpy(block, text, n);
		while (cookie_next(&left, &c))
			assert_true(c.value.p + c.value.n <= block + n);
		assert_true(cookie_remove((struct str){ block, n }, STR("SRV"), out) <= n);
		free(block);
		free(out);
	}
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
	char out[64];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		size_t n = cookie_remove(str_of(rows[i].field), STR("SRV"), out);

		assert_int_equal(n, strlen(rows[i].left));
		assert_memory_equal(out, rows[i].left, n);
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
	};
	const struct cookie c = { STR("SRV"), STR("x") };
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct writer w = { text, text + sizeof(text), false };

		cookie_write(&w, &c, &rows[i].attributes);
		assert_int_equal(w.p - text, strlen(rows[i].expected));
		assert_memory_equal(text, rows[i].expected, strlen(rows[i].expected));
		w = (struct writer){ text, text + strlen(rows[i].expected) - 1, false };
		cookie_write(&w, &c, &rows[i].attributes);
		assert_true(w.overflow);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cookies_are_found),
		cmocka_unit_test(test_exact_blocks),
		cmocka_unit_test(test_removed),
		cmocka_unit_test(test_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

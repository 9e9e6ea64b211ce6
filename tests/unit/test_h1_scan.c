/* test_h1_scan.c - the wide scanners against the table, and the table against the grammar. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lbd/http/authority.h"
#include "lbd/http/scan.h"

static bool
among(const char *set, int c)
{
	return c > 0 && c < 128 && strchr(set, c);
}

static void
test_table(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		bool alnum =
		    (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');

		assert_int_equal(scan_is((char)c, SCAN_ALNUM), alnum);
		assert_int_equal(
		    scan_is((char)c, SCAN_TOKEN), alnum || among("!#$%&'*+-.^_`|~", c));
		assert_int_equal(
		    scan_is((char)c, SCAN_VALUE), c == '\t' || (c >= ' ' && c != 0x7f));
		assert_int_equal(scan_is((char)c, SCAN_TARGET), c > ' ' && c < 0x7f && c != '#');
		assert_int_equal(scan_is((char)c, SCAN_HOST), alnum || among("-._~!$&'()*+;=", c));
	}
}

/* One odd byte at each place of runs of each length, in blocks of exactly that length. */
static void
test_every_place(void **state)
{
	static const struct {
		const char *(*scan)(const char *, const char *);
		enum scan_class class;
		char filler;
	} rows[] = {
		{ scan_token, SCAN_TOKEN, 'a' },
		{ scan_token, SCAN_TOKEN, '_' },
		{ scan_value, SCAN_VALUE, ' ' },
		{ scan_value, SCAN_VALUE, '\t' },
		{ scan_target, SCAN_TARGET, '/' },
		{ scan_host, SCAN_HOST, '.' },
		{ scan_host, SCAN_HOST, '~' },
	};

	(void)state;
	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++)
		for (size_t n = 1; n < 40; n++) {
			char *p = malloc(n);

			assert_non_null(p);
			memset(p, rows[row].filler, n);
			assert_ptr_equal(rows[row].scan(p, p + n), p + n);
			for (size_t at = 0; at < n; at++)
				for (int c = 0; c < 256; c++) {
					p[at] = (char)c;
					assert_ptr_equal(rows[row].scan(p, p + n),
					    scan_class(p, p + n, rows[row].class));
					p[at] = rows[row].filler;
				}
			free(p);
		}
}

static void
test_trim(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "", "" },
		{ " ", "" },
		{ "\t \t", "" },
		{ "a", "a" },
		{ " a", "a" },
		{ "a\t", "a" },
		{ " \ta b\t ", "a b" },
		{ "\ra\n", "\ra\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_true(str_eq(scan_trim(str_of(rows[i].in)), str_of(rows[i].out)));
}

static void
test_all(void **state)
{
	(void)state;
	assert_true(scan_all(STR("a"), SCAN_TOKEN));
	assert_false(scan_all(STR(""), SCAN_TOKEN));
	assert_false(scan_all(STR("a b"), SCAN_TOKEN));
	assert_false(scan_all(STR("ab "), SCAN_TOKEN));
}

/* The rows of test_h1_request.c say what is valid; here, that no byte outside is read. */
static void
test_authority_exact(void **state)
{
	static const char *const rows[] = { "a", "a:80", "[::1]", "[::1]:8080", "a%20", "[",
		"a:", "a%", "a%2", "[::1", "[]", "[::1]:", "%41%42.example.org:1" };

	(void)state;
	assert_false(authority_valid(STR("[::1\0]")));
	assert_false(authority_valid(STR("a\0")));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t n = 0; n <= strlen(rows[i]); n++) {
			char *p = malloc(n ? n : 1);

			assert_non_null(p);
			memcpy(p, rows[i], n);
			if (n == 0)
				assert_false(authority_valid((struct str){ p, n }));
			else if (n == strlen(rows[i]))
				assert_int_equal(
				    authority_valid((struct str){ p, n }), i < 5 || i == 12);
			else
				(void)authority_valid((struct str){ p, n });
			free(p);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_every_place),
		cmocka_unit_test(test_trim),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_authority_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

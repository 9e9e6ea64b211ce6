/* test_hactl_when.c - times that daemons write, spans that people read. */
#include "tests/unit/hactl_page.h"

#include "common/clock.h"
#include "hafailover/hactl/when.h"

static void
test_parse(void **state)
{
	int64_t ns;

	(void)state;
	assert_int_equal(when_parse(STR("1970-01-01T00:00:00Z"), &ns), 0);
	assert_int_equal(ns, 0);
	assert_int_equal(when_parse(STR("2026-11-23T07:24:19.855Z"), &ns), 0);
	assert_int_equal(ns, INT64_C(1795418659855) * NS_PER_MS);
	assert_int_equal(when_parse(STR("2024-02-29T23:59:60.000000001Z"), &ns), 0);
	assert_int_equal(ns, INT64_C(1709251200) * NS_PER_S + 1);
}

static void
test_what_is_no_time(void **state)
{
	static const char *const wrong[] = { "", "Z", "now", "2026-11-23", "2026-11-23T07:24:19",
		"2026-11-23 07:24:19Z", "2026-11-23T07:24:19.Z", "2026-11-23T07:24:19.1234567890Z",
		"2026-11-23T07:24:19.1x3Z", "2026-11-23T07:24:19,5Z", "2026-11-23T07:24:19+01:00",
		"2026-13-23T07:24:19Z", "2026-00-23T07:24:19Z", "2026-11-00T07:24:19Z",
		"2026-11-32T07:24:19Z", "2026-11-23T24:24:19Z", "2026-11-23T07:60:19Z",
		"2026-11-23T07:24:61Z", "1969-11-23T07:24:19Z", "9999-11-23T07:24:19Z" };
	int64_t ns;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_int_not_equal(when_parse(str_of(wrong[i]), &ns), 0);
}

static void
test_span(void **state)
{
	static const struct {
		int64_t ns;
		const char *text;
	} rows[] = {
		{ -5 * NS_PER_S, "0 ms" },
		{ 0, "0 ms" },
		{ NS_PER_S - 1, "999 ms" },
		{ NS_PER_S, "1 s" },
		{ 60 * NS_PER_S - 1, "59 s" },
		{ 200 * NS_PER_S, "3 min 20 s" },
		{ 7500 * NS_PER_S, "2 h 5 min" },
		{ 273600 * NS_PER_S, "3 d 4 h" },
		{ INT64_MAX, "106751 d 23 h" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_string_equal(when_span(rows[i].ns).text, rows[i].text);
}

static void
test_since(void **state)
{
	(void)state;
	assert_string_equal(
	    when_since(STR("1970-01-01T00:00:01Z"), 62 * NS_PER_S).text, "1 min 1 s");
	assert_string_equal(when_since(STR("1970-01-01T00:01:00Z"), 0).text, "0 ms");
	assert_string_equal(when_since(STR("never"), 0).text, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_what_is_no_time),
		cmocka_unit_test(test_span),
		cmocka_unit_test(test_since),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_units.c - durations and sizes: read, refused, and written as they are read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "common/clock.h"
#include "common/units.h"

static void
test_durations(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
		const char *out;
	} rows[] = {
		{ "200ms", 200 * NS_PER_MS, "200ms" },
		{ "5s", 5 * NS_PER_S, "5s" },
		{ "1m", 60 * NS_PER_S, "1m" },
		{ "1h", 3600 * NS_PER_S, "1h" },
		{ "0s", 0, "0s" },
		{ "0h", 0, "0s" },
		{ "007s", 7 * NS_PER_S, "7s" },
		{ "90s", 90 * NS_PER_S, "90s" },
		{ "120s", 120 * NS_PER_S, "2m" },
		{ "60000ms", 60 * NS_PER_S, "1m" },
		{ "1001ms", 1001 * NS_PER_MS, "1001ms" },
		{ "2562047h", INT64_C(2562047) * 3600 * NS_PER_S, "2562047h" },
	};
	char text[UNITS_TEXT_MAX];
	int64_t ns;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(duration_parse(str_of(rows[i].text), &ns), 0);
		assert_true(ns == rows[i].ns);
		duration_format(ns, text);
		assert_string_equal(text, rows[i].out);
	}
}

static void
test_sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
		const char *out;
	} rows[] = {
		{ "32k", 32768, "32k" },
		{ "1m", 1 << 20, "1m" },
		{ "1024k", 1 << 20, "1m" },
		{ "1025k", 1025 * 1024, "1025k" },
		{ "3g", UINT64_C(3) << 30, "3g" },
		{ "0k", 0, "0" },
	};
	char text[UNITS_TEXT_MAX];
	uint64_t bytes;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(size_parse(str_of(rows[i].text), &bytes), 0);
		assert_true(bytes == rows[i].bytes);
		size_format(bytes, text);
		assert_string_equal(text, rows[i].out);
	}
	size_format(1000, text);
	assert_string_equal(text, "1000");
}

static void
test_refused(void **state)
{
	static const char *const rows[] = { "", "5", "s", "ms", "-1s", "+1s", " 1s", "1s ", "1 s",
		"1.5s", "1h30m", "1S", "1d", "1us", "1k", "0x5s" };
	int64_t ns;
	uint64_t bytes;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (duration_parse(str_of(rows[i]), &ns) != -EINVAL)
			fail_msg("\"%s\" was accepted", rows[i]);
	assert_int_equal(size_parse(STR("1K"), &bytes), -EINVAL);
	assert_int_equal(size_parse(STR("1kb"), &bytes), -EINVAL);
	assert_int_equal(size_parse(STR("1024"), &bytes), -EINVAL);
	assert_int_equal(size_parse(STR("1k\0"), &bytes), -EINVAL);
}

static void
test_overflow(void **state)
{
	int64_t ns;
	uint64_t bytes;

	(void)state;
	assert_int_equal(duration_parse(STR("2562048h"), &ns), -ERANGE);
	assert_int_equal(duration_parse(STR("9223372036854775808ms"), &ns), -ERANGE);
	assert_int_equal(duration_parse(STR("99999999999999999999999999s"), &ns), -ERANGE);
	assert_int_equal(size_parse(STR("8589934592g"), &bytes), -ERANGE);
	assert_int_equal(size_parse(STR("8589934591g"), &bytes), 0);
}

/* Whatever is written reads back as the same value. */
static void
test_there_and_back(void **state)
{
	char text[UNITS_TEXT_MAX];
	uint64_t bytes;
	int64_t ns;

	(void)state;
	for (int64_t ms = 0; ms < 10000000; ms = ms * 3 / 2 + 1) {
		duration_format(ms * NS_PER_MS, text);
		assert_int_equal(duration_parse(str_of(text), &ns), 0);
		assert_true(ns == ms * NS_PER_MS);
	}
	for (uint64_t k = 1; k < UINT64_C(1) << 40; k = k * 3 / 2 + 1) {
		size_format(k * 1024, text);
		assert_int_equal(size_parse(str_of(text), &bytes), 0);
		assert_true(bytes == k * 1024);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_there_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

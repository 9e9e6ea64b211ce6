/* test_suggest.c - which mistyped words are close enough to be meant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/suggest.h"

static const char *
closest(const char *typed)
{
	static const char *const words[] = { "name", "address", "weight", "on", "interval",
		"least_connections", "least_response_time" };
	struct suggestion s = { 0 };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		suggest_offer(&s, str_of(typed), str_of(words[i]));
	return s.word.p ? s.word.p : "-";
}

static void
test_words(void **state)
{
	(void)state;
	assert_string_equal(closest("name"), "name");
	assert_string_equal(closest("nmae"), "name"); /* one transposition, not two changes */
	assert_string_equal(closest("nam"), "name");
	assert_string_equal(closest("names"), "name");
	assert_string_equal(closest("adress"), "address");
	assert_string_equal(closest("wieght"), "weight");
	assert_string_equal(closest("no"), "on");
	assert_string_equal(closest("intervall"), "interval");
	assert_string_equal(closest("least_conns"), "least_connections");
	assert_string_equal(closest("leastconnections"), "least_connections");
	assert_string_equal(closest("leastconn"), "-");
	assert_string_equal(closest(""), "-");
}

static void
test_first_of_equals(void **state)
{
	struct suggestion s = { 0 };

	(void)state;
	suggest_offer(&s, STR("web3"), STR("web1"));
	suggest_offer(&s, STR("web3"), STR("web2"));
	assert_string_equal(s.word.p, "web1");
	assert_int_equal(s.distance, 1);
	suggest_offer(&s, STR("web3"), STR("web3"));
	assert_string_equal(s.word.p, "web3");
	assert_int_equal(s.distance, 0);
}

static void
test_long_words_are_left_alone(void **state)
{
	struct suggestion s = { 0 };
	char word[200];

	(void)state;
	memset(word, 'a', sizeof(word));
	suggest_offer(&s, (struct str){ word, 65 }, (struct str){ word, 65 });
	assert_null(s.word.p);
	suggest_offer(&s, (struct str){ word, 64 }, (struct str){ word, 64 });
	assert_non_null(s.word.p);
	assert_int_equal(s.distance, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_first_of_equals),
		cmocka_unit_test(test_long_words_are_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

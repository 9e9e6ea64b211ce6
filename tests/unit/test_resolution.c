/*
 * test_resolution.c - what a name's addresses become, answer by answer.
 *
 * Addresses are written as their last bytes: "1 2" is 10.0.0.1 and 10.0.0.2, "6" with a colon (":6") 2001:db8::6.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/clock.h"
#include "lbd/resolve/resolution.h"

#define S NS_PER_S

static const struct resolution_rule rule = { .max = 4, .min_ttl = S, .max_ttl = 60 * S };

static struct dns_address
address_of(const char *word)
{
	struct dns_address a = { { [10] = 0xff, [11] = 0xff, [12] = 10 } };

	if (*word == ':')
		a = (struct dns_address){ { 0x20, 0x01, 0x0d, 0xb8 } };
	a.bytes[15] = (uint8_t)atoi(word + (*word == ':'));
	return a;
}

/* "1 2": these; "": none; "!nxdomain" and the like: a failure. */
static struct dns_answer
answer_of(const char *text)
{
	struct dns_answer answer = { .result = DNS_OK, .ttl = 10 * S };
	char words[64], *word, *rest = words;

	if (*text == '!')
		return (struct dns_answer){ .result = text[1] == 'n' ? DNS_NOT_FOUND
			    : text[1] == 's'                         ? DNS_SERVER_FAILURE
								     : DNS_TIMEOUT };
	if (!*text)
		return (struct dns_answer){ .result = DNS_NO_DATA };
	snprintf(words, sizeof(words), "%s", text);
	while ((word = strtok_r(rest, " ", &rest)))
		answer.list[answer.n++] = address_of(word);
	return answer;
}

static struct resolution_news
step(struct resolution *r, const struct resolution_rule *by, const char *v4, const char *v6,
    int64_t now)
{
	const struct dns_answer answers[DNS_FAMILIES] = { answer_of(v4), answer_of(v6) };

	return resolution_step(r, by, answers, now);
}

static const char *
known(const struct resolution *r)
{
	static char text[512];
	int n = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < r->n; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "%s%s%d", i ? " " : "",
		    dns_address_family(&r->list[i].address) == DNS_IPV6 ? ":" : "",
		    r->list[i].address.bytes[15]);
	return text;
}

static void
test_answers(void **state)
{
	static const struct {
		const char *before, *before6, *v4, *v6, *after;
		bool changed;
		enum dns_result result;
	} rows[] = {
		{ "", "", "2 1", "", "1 2", true, DNS_OK },
		{ "", "", "1", ":6", "1 :6", true, DNS_OK },
		{ "1 2", "", "2 1", "", "1 2", false, DNS_OK }, /* another order */
		{ "1 2", "", "2 2 1 1", "", "1 2", false, DNS_OK }, /* twice the same */
		{ "1 2", "", "2 3", "", "2 3", true, DNS_OK },
		{ "1 2", "", "1", "", "1", true, DNS_OK },
		/* failures keep what was known */
		{ "1 2", "", "!nxdomain", "!nxdomain", "1 2", false, DNS_NOT_FOUND },
		{ "1 2", "", "!servfail", "!servfail", "1 2", false, DNS_SERVER_FAILURE },
		{ "1 2", "", "!timeout", "!timeout", "1 2", false, DNS_TIMEOUT },
		{ "1 2", "", "", "", "1 2", false, DNS_NO_DATA },
		{ "", "", "!timeout", "", "", false, DNS_TIMEOUT },
		/* of one family */
		{ "1", ":6", "2", "!timeout", "2 :6", true, DNS_TIMEOUT },
		{ "1", ":6", "!servfail", ":7", "1 :7", true, DNS_SERVER_FAILURE },
		{ "1", ":6", "!servfail", "", "1 :6", false, DNS_SERVER_FAILURE },
		{ "1", ":6", "1", "", "1", true, DNS_OK }, /* it has none any more */
		{ "1", ":6", "", ":6", ":6", true, DNS_OK },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct resolution r = { .n = 0 };
		struct resolution_news news;

		step(&r, &rule, rows[i].before, rows[i].before6, 0);
		news = step(&r, &rule, rows[i].v4, rows[i].v6, S);
		assert_string_equal(known(&r), rows[i].after);
		assert_int_equal(news.changed, rows[i].changed);
		assert_int_equal(news.result, rows[i].result);
	}
}

/* By bytes: IPv4 as ::ffff:10.x comes before 2001:db8::, whatever came first. */
static void
test_order(void **state)
{
	struct resolution r = { .n = 0 };

	(void)state;
	step(&r, &rule, "3 1", ":6", 0);
	assert_string_equal(known(&r), "1 3 :6");
	step(&r, &rule, "3 2 1", ":6", 1);
	assert_string_equal(known(&r), "1 2 3 :6");
}

/* When it is asked again: an answer's life within its bounds; failures again and again later. */
static void
test_times(void **state)
{
	static const struct {
		int64_t ttl, ttl6, wait;
	} lives[] = { { 10 * S, 20 * S, 10 * S }, { 20 * S, 5 * S, 5 * S }, { 0, 20 * S, S },
		{ 3600 * S, 3600 * S, 60 * S } };
	static const int64_t waits[] = { S, 2 * S, 4 * S, 8 * S, 16 * S, 30 * S, 30 * S };
	const struct resolution_rule short_lives = { .max = 4, .min_ttl = S, .max_ttl = 3 * S };
	struct dns_answer answers[DNS_FAMILIES] = { answer_of("1"), answer_of(":6") };
	struct resolution r = { .n = 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(lives) / sizeof(*lives); i++) {
		answers[0].ttl = lives[i].ttl;
		answers[1].ttl = lives[i].ttl6;
		assert_true(resolution_step(&r, &rule, answers, 7).again == 7 + lives[i].wait);
	}
	for (size_t i = 0; i < sizeof(waits) / sizeof(*waits); i++)
		assert_true(step(&r, &rule, "!timeout", "!timeout", 7).again == 7 + waits[i]);
	assert_int_equal(r.failures, 7);
	r.failures = UINT32_MAX;
	assert_true(step(&r, &rule, "!timeout", "", 7).again == 7 + 30 * S);
	assert_true(step(&r, &short_lives, "!timeout", "", 7).again == 7 + 3 * S);
	assert_true(step(&r, &rule, "1", "", 7).again == 7 + 10 * S);
	assert_int_equal(r.failures, 0);
	/* one family fails: the sooner of both */
	assert_true(step(&r, &rule, "1", "!timeout", 7).again == 7 + S);
}

/* Of too many those that are known stay, wherever they stand. */
static void
test_bound(void **state)
{
	struct resolution r = { .n = 0 };
	struct resolution_news news;

	(void)state;
	news = step(&r, &rule, "7 8 9 5 6", "", 0);
	assert_int_equal(news.cut, 1);
	assert_string_equal(known(&r), "5 7 8 9");
	news = step(&r, &rule, "1 2 3 4 5 6 7 8 9", "", 1);
	assert_int_equal(news.cut, 5);
	assert_false(news.changed);
	news = step(&r, &rule, "1 2 8", "", 2);
	assert_int_equal(news.cut, 0);
	assert_string_equal(known(&r), "1 2 8");
}

/* For whom each answer names a few of many: an address is kept for a while after the last answer that had it. */
static void
test_hold(void **state)
{
	const struct resolution_rule held = {
		.max = 4, .min_ttl = S, .max_ttl = 60 * S, .hold = 5 * S
	};
	struct resolution r = { .n = 0 };

	(void)state;
	step(&r, &held, "1 2", "", S);
	step(&r, &held, "2 3", "", 5 * S);
	assert_string_equal(known(&r), "1 2 3");
	step(&r, &held, "2", "", 6 * S);
	assert_string_equal(known(&r), "2 3");
	step(&r, &held, "2", "", 10 * S);
	assert_string_equal(known(&r), "2");
}

/* From a file: no answer had it, so that nothing holds it; not even soon after the machine's start. */
static void
test_remembered_until_the_first_answer(void **state)
{
	const struct resolution_rule held = {
		.max = 4, .min_ttl = S, .max_ttl = 60 * S, .hold = 60 * S
	};
	struct resolution r = { .n = 0 };
	const struct dns_address one = address_of("1");

	(void)state;
	assert_true(resolution_remember(&r, 4, &one));
	step(&r, &held, "!timeout", "!timeout", S);
	assert_string_equal(known(&r), "1");
	step(&r, &held, "2", "", 2 * S);
	assert_string_equal(known(&r), "2");
}

/* Who comes to a name that has others must be checked first; the first ones need not. */
static void
test_late(void **state)
{
	struct resolution r = { .n = 0 };

	(void)state;
	step(&r, &rule, "2 3", "", 0);
	assert_false(resolution_is_late(&r, 0));
	resolution_used(&r);
	step(&r, &rule, "1 2 3", "", 1);
	assert_true(resolution_is_late(&r, 0));
	assert_false(resolution_is_late(&r, 1));
	resolution_used(&r);
	assert_false(resolution_is_late(&r, 0));
}

static void
test_remember(void **state)
{
	struct dns_address a = address_of("2"), b = address_of("1");
	struct resolution r = { .n = 0 };

	(void)state;
	assert_true(resolution_remember(&r, 2, &a));
	assert_true(resolution_remember(&r, 2, &b));
	assert_true(resolution_remember(&r, 2, &a)); /* already there */
	a = address_of("3");
	assert_false(resolution_remember(&r, 2, &a));
	assert_string_equal(known(&r), "1 2");
}

static void
test_addresses(void **state)
{
	static const struct {
		const char *text;
		bool usable;
	} rows[] = { { "10.0.0.1", true }, { "127.0.0.1", true }, { "::1", true },
		{ "2001:db8::1", true }, { "0.0.0.0", false }, { "0.1.2.3", false },
		{ "224.0.0.1", false }, { "255.255.255.255", false }, { "::", false },
		{ "ff02::1", false } };
	char text[ADDRESS_TEXT_MAX];
	struct dns_address a;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_true(dns_address_parse(&a, str_of(rows[i].text)));
		dns_address_format(&a, text);
		assert_string_equal(text, rows[i].text);
		assert_int_equal(dns_address_usable(&a), rows[i].usable);
	}
	assert_false(dns_address_parse(&a, STR("app.example")));
	assert_false(dns_address_parse(&a, STR("")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_hold),
		cmocka_unit_test(test_remembered_until_the_first_answer),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_remember),
		cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

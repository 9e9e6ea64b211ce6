/* test_redirect.c - the Location that goes with a request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "lbd/http/h1_parse.h"
#include "lbd/http/redirect.h"

static const struct http_limits limits = { 32768, 16384, 128 };

static void
test_locations(void **state)
{
	static const struct {
		const char *line, *host, *location;
		unsigned port;
	} rows[] = {
		{ "GET /", "a.example", "https://a.example/", 443 },
		{ "GET /", "a.example:80", "https://a.example/", 443 },
		{ "POST /a?b=c&d", "A.example:8080", "https://A.example:8443/a?b=c&d", 8443 },
		{ "GET /", "[2001:db8::1]:80", "https://[2001:db8::1]/", 443 },
		{ "GET /", "[2001:db8::1]", "https://[2001:db8::1]:444/", 444 },
		{ "GET //evil.example/", "a", "https://a//evil.example/", 443 },
		{ "GET /%2e%00/a;b", "a", "https://a/%2e%00/a;b", 443 },
		{ "GET /\"<>\\^`{|}", "a", "https://a/%22%3C%3E%5C%5E%60%7B%7C%7D", 443 },
		{ "GET http://a?x", "a", "https://a/?x", 443 },
		{ "OPTIONS *", "a", "https://a/", 443 },
	};
	struct http_head head;
	char request[256], room[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct writer w = { room, room + sizeof(room), false };
		int n = snprintf(request, sizeof(request), "%s HTTP/1.1\r\nHost: %s\r\n\r\n",
		    rows[i].line, rows[i].host);

		assert_int_equal(
		    h1_parse_request((struct str){ request, (size_t)n }, &limits, &head), n);
		redirect_write(&w, &head, rows[i].port);
		assert_false(w.overflow);
		*w.p = '\0';
		assert_string_equal(room, rows[i].location);
	}
}

static void
test_no_room(void **state)
{
	struct http_head head = { .host = STR("a.example"), .target = STR("/") };
	char room[10];
	struct writer w = { room, room + sizeof(room), false };

	(void)state;
	redirect_write(&w, &head, 443);
	assert_true(w.overflow);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_locations),
		cmocka_unit_test(test_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

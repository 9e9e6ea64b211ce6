/* test_admin_request.c - which requests are read, and with which status the others are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/admin_request.h"

#define H "Host: x\r\n"

static const struct {
	const char *head;
	int status;
	const char *path, *query;
} cases[] = {
	{ "GET /metrics HTTP/1.1\r\n" H "\r\n", 200, "/metrics", "" },
	{ "GET /metrics?a=b?c HTTP/1.1\r\n" H "\r\n", 200, "/metrics", "a=b?c" },
	{ "HEAD / HTTP/1.1\r\n" H "\r\n", 200, "/", "" },
	{ "GET / HTTP/1.0\r\n\r\n", 200, "/", "" },
	{ "GET / HTTP/1.2\r\n" H "\r\n", 200, "/", "" },
	{ "GET http://any:90/m?q HTTP/1.1\r\n" H "\r\n", 200, "/m", "q" },
	{ "GET HTTP://any HTTP/1.1\r\n" H "\r\n", 200, "/", "" },
	{ "GET / HTTP/1.1\r\nhost:\t x \r\nAccept: text/*;q=0.5\r\nX-Utf8: \xc3\xa4\r\n\r\n", 200,
	    "/", "" },
	{ "GET / HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n", 200, "/", "" },

	{ "POST / HTTP/1.1\r\n" H "\r\n", 405, NULL, NULL },
	{ "get / HTTP/1.1\r\n" H "\r\n", 405, NULL, NULL },
	{ "DELETE /x HTTP/1.0\r\n\r\n", 405, NULL, NULL },
	{ "GET / HTTP/2.0\r\n" H "\r\n", 505, NULL, NULL },
	{ "GET / HTTP/0.9\r\n\r\n", 505, NULL, NULL },

	{ "\r\n\r\n", 400, NULL, NULL },
	{ "GET /\r\n\r\n", 400, NULL, NULL },
	{ "GET  / HTTP/1.1\r\n" H "\r\n", 400, NULL, NULL },
	{ "GET / HTTP/1.1 \r\n" H "\r\n", 400, NULL, NULL },
	{ "GET / x HTTP/1.1\r\n" H "\r\n", 400, NULL, NULL },
	{ " GET / HTTP/1.1\r\n" H "\r\n", 400, NULL, NULL },
	{ "G\x01T / HTTP/1.1\r\n" H "\r\n", 400, NULL, NULL },
	{ "GET / http/1.1\r\n" H "\r\n", 400, NULL, NULL },
	{ "GET / HTTP/1.10\r\n" H "\r\n", 400, NULL, NULL },
	{ "GET / HTTP/11\r\n" H "\r\n", 400, NULL, NULL },
	{ "GET metrics HTTP/1.1\r\n" H "\r\n", 400, NULL, NULL },
	{ "GET * HTTP/1.1\r\n" H "\r\n", 400, NULL, NULL },
	{ "GET /a#b HTTP/1.1\r\n" H "\r\n", 400, NULL, NULL },
	{ "GET /\x7f HTTP/1.1\r\n" H "\r\n", 400, NULL, NULL },
	{ "GET /\xc3\xa4 HTTP/1.1\r\n" H "\r\n", 400, NULL, NULL },
	{ "GET https://x/ HTTP/1.1\r\n" H "\r\n", 400, NULL, NULL },
	{ "GET / HTTP/1.1\r\n\r\n", 400, NULL, NULL },
	{ "GET / HTTP/1.1\r\n" H H "\r\n", 400, NULL, NULL },
	{ "GET / HTTP/1.0\r\n" H H "\r\n", 400, NULL, NULL },
	{ "GET / HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\n", 400, NULL, NULL },
	{ "GET / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n", 400, NULL, NULL },
	{ "GET / HTTP/1.1\r\n" H "Name : x\r\n\r\n", 400, NULL, NULL },
	{ "GET / HTTP/1.1\r\n" H "Name\r\n\r\n", 400, NULL, NULL },
	{ "GET / HTTP/1.1\r\n" H ": x\r\n\r\n", 400, NULL, NULL },
	{ "GET / HTTP/1.1\r\n" H " folded: x\r\n\r\n", 400, NULL, NULL },
	{ "GET / HTTP/1.1\r\n" H "A: b\nC: d\r\n\r\n", 400, NULL, NULL },
	{ "GET / HTTP/1.1\r\n" H "A: b\rC\r\n\r\n", 400, NULL, NULL },
	{ "GET / HTTP/1.1\n" H "\r\n", 400, NULL, NULL },
	{ "GET / HTTP/1.1\r\n" H "A: \x01\r\n\r\n", 400, NULL, NULL },
};

static void
test_cases(void **state)
{
	struct admin_request r;
	size_t i;
	int status;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t n = strlen(cases[i].head);
		char *exact = malloc(n); /* one byte read too many would be seen */

		memcpy(exact, cases[i].head, n);
		assert_int_equal(admin_request_length((struct str){ exact, n }), n);
		status = admin_request_parse((struct str){ exact, n }, &r);
		if (status != cases[i].status)
			fail_msg("%d, not %d: %s", status, cases[i].status, cases[i].head);
		if (status == 200) {
			assert_true(str_eq(r.path, str_of(cases[i].path)));
			assert_true(str_eq(r.query, str_of(cases[i].query)));
			assert_int_equal(r.head, exact[0] == 'H');
		}
		free(exact);
	}
}

static void
test_incomplete(void **state)
{
	const char *head = "GET / HTTP/1.1\r\nHost: x\r\n\r\nmore";
	size_t n, whole = strlen(head) - 4;

	(void)state;
	for (n = 0; n <= strlen(head); n++) {
		char *exact = malloc(n + !n);

		memcpy(exact, head, n);
		assert_int_equal(
		    admin_request_length((struct str){ exact, n }), n < whole ? 0 : whole);
		free(exact);
	}
}

static void
test_nul(void **state)
{
	struct admin_request r;

	(void)state;
	assert_int_equal(admin_request_parse(STR("GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n"), &r), 400);
	assert_int_equal(admin_request_parse(STR("G\0T / HTTP/1.1\r\nHost: x\r\n\r\n"), &r), 400);
	assert_int_equal(
	    admin_request_parse(STR("GET / HTTP/1.1\r\nHost: x\r\nA: \0\r\n\r\n"), &r), 400);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_incomplete),
		cmocka_unit_test(test_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_health_probe_http.c - what a check asks, and what it makes of answers, cut anywhere. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lbd/health/probe_http.h"

static const uint16_t expect[] = { 200, 204 };

static const struct health_config config = {
	.type = CHECK_HTTP, .path = { "/health", 7 }, .expect_status = expect, .n_expect_status = 2
};

static void
test_request(void **state)
{
	static const struct {
		const char *address, *host, *sent;
	} rows[] = {
		{ "192.0.2.1:80", "", "192.0.2.1:80" },
		{ "[2001:db8::1]:8080", "", "[2001:db8::1]:8080" },
		{ "unix:/run/app.sock", "", "localhost" },
		{ "192.0.2.1:80", "www.example.org", "www.example.org" },
		{ "unix:/run/app.sock", "www.example.org:8443", "www.example.org:8443" },
	};
	char text[512], wanted[512];
	struct health_config c = config;
	struct address address;
	struct err err;
	size_t i;
	int n;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(address_parse(&address, str_of(rows[i].address), &err), 0);
		c.host = str_of(rows[i].host);
		n = probe_http_request(&c, &address, text, sizeof(text));
		snprintf(wanted, sizeof(wanted),
		    "GET /health HTTP/1.1\r\nHost: %s\r\nUser-Agent: lbpair-check\r\n"
		    "Accept: */*\r\nConnection: close\r\n\r\n",
		    rows[i].sent);
		assert_string_equal(text, wanted);
		assert_int_equal(n, strlen(wanted));
		assert_int_equal(
		    probe_http_request(&c, &address, text, (size_t)n + 1), n); /* and its NUL */
		assert_int_equal(probe_http_request(&c, &address, text, (size_t)n), -EMSGSIZE);
	}
}

static void
test_answers(void **state)
{
	static const struct {
		const char *answer;
		int verdict;
		const char *reason;
	} rows[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 1, "status 200" },
		{ "HTTP/1.0 204 No Content\r\n\r\n", 1, "status 204" },
		{ "HTTP/1.1 200\r\n\r\n", 1, "status 200" },
		{ "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", -1, "status 500" },
		{ "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", -1,
		    "status 302" },
		{ "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
		  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		    1, "status 200" },
		{ "HTTP/1.1 103 Early Hints\r\n\r\n", 0, NULL },
		{ "HTTP/1.1 200 OK\r\nContent-Le", 0, NULL },
		{ "", 0, NULL },
		{ "SSH-2.0-OpenSSH_9.2p1\r\n", -1, "bad response (status_line)" },
		{ "HTTP/1.1 200 OK\nServer: x\n\n", -1, "bad response (line_end)" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", -1,
		    "bad response (content_length)" },
		{ "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
		  "Connection: upgrade\r\n\r\n",
		    -1, "bad response (upgrade)" },
	};
	char reason[PROBE_REASON_MAX], *exact;
	size_t i, n, cut;
	int verdict;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		n = strlen(rows[i].answer);
		for (cut = 0; cut <= n; cut++) {
			exact = malloc(cut + 1);
			assert_non_null(exact);
			memcpy(exact + 1, rows[i].answer, cut); /* ends where the block ends */
			verdict = probe_http_judge(&config, (struct str){ exact + 1, cut }, reason);
			free(exact);
			if (verdict == 0 && cut < n)
				continue;
			assert_int_equal(verdict, rows[i].verdict);
			if (verdict)
				assert_string_equal(reason, rows[i].reason);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

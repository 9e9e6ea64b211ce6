/*
 * test_h1_format.c - what lbd writes, byte for byte.
 *
 * That what is written is also read back the same is checked for every row of test_h1_request.c and
 * test_h1_response.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lbd/http/forwarding.h"
#include "lbd/http/h1_parse.h"

static const struct http_limits limits = { 32768, 16384, 128 };
static struct http_head head;
static char room[65536];
static struct formatted formatted;

/* All off: only what the request itself needs. */
static const struct forward plain = {
	.client = { "192.0.2.1", 9 },
	.proto = { "http", 4 },
	.default_host = { "default", 7 },
};

static void
request_check(const char *in, const struct forward *forward, const char *want)
{
	struct writer w = { room, room + sizeof(room), false };

	assert_int_equal(h1_parse_request(str_of(in), &limits, &head), strlen(in));
	h1_format_request(&w, &head, forward, &formatted);
	assert_false(w.overflow);
	*w.p = '\0';
	assert_string_equal(room, want);
}

static void
response_check(
    const char *in, struct h1_expected expected, const struct reply *reply, const char *want)
{
	struct writer w = { room, room + sizeof(room), false };

	assert_int_equal(h1_parse_response(str_of(in), &limits, expected, &head), strlen(in));
	h1_format_response(&w, &head, reply);
	assert_false(w.overflow);
	*w.p = '\0';
	assert_string_equal(room, want);
}

static void
assert_slice(struct str s, const char *text)
{
	assert_true(str_eq(s, str_of(text)));
	assert_true(s.n == 0 || (s.p >= room && s.p + s.n <= room + sizeof(room)));
}

static void
test_request_line(void **state)
{
	(void)state;
	request_check("GET /a?b HTTP/1.1\r\nHost: Example:80\r\n\r\n", &plain,
	    "GET /a?b HTTP/1.1\r\nHost: Example:80\r\n\r\n");
	request_check("brew /%2e%2E//\\|^ HTTP/1.1\r\nHost: a\r\n\r\n", &plain,
	    "brew /%2e%2E//\\|^ HTTP/1.1\r\nHost: a\r\n\r\n");
	request_check("GET / HTTP/1.0\r\n\r\n", &plain, "GET / HTTP/1.1\r\nHost: default\r\n\r\n");
	request_check(
	    "GET / HTTP/1.0\r\nHost: a\r\n\r\n", &plain, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	request_check(
	    "GET / HTTP/1.1\r\nHost:\r\n\r\n", &plain, "GET / HTTP/1.1\r\nHost: default\r\n\r\n");
	request_check(
	    "GET / HTTP/1.7\r\nHost: a\r\n\r\n", &plain, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	request_check("GET http://a/b HTTP/1.1\r\nhost: A\r\n\r\n", &plain,
	    "GET /b HTTP/1.1\r\nHost: a\r\n\r\n");
	request_check("GET http://a?q HTTP/1.1\r\nHost: a\r\n\r\n", &plain,
	    "GET /?q HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_slice(formatted.target, "/?q");
	request_check("GET https://a HTTP/1.1\r\nHost: a\r\n\r\n", &plain,
	    "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	request_check("OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n", &plain,
	    "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
}

/* Order, case and bytes of values stay; only blanks around values are made one. */
static void
test_request_fields(void **state)
{
	(void)state;
	request_check(
	    "GET / HTTP/1.1\r\nB: 1\r\na:2\r\nC: \t3\t \r\nHost: h\r\nD:\r\nE: \r\nb: 4\r\n"
	    "F: x  y\tz\r\nG: \xff\r\nH: 5 \r\nI: 6\t\r\n\r\n",
	    &plain,
	    "GET / HTTP/1.1\r\nHost: h\r\nB: 1\r\na: 2\r\nC: 3\r\nD: \r\nE: \r\nb: 4\r\n"
	    "F: x  y\tz\r\nG: \xff\r\nH: 5\r\nI: 6\r\n\r\n");
	request_check("GET / HTTP/1.1\r\nHost: h\r\nX: 1\r\nConnection: x, close\r\nY: 2\r\n"
		      "Keep-Alive: 3\r\nZ: 4\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"
		      "Proxy-Connection: keep-alive\r\nTE: gzip\r\nTrailer: T\r\n\r\n",
	    &plain, "GET / HTTP/1.1\r\nHost: h\r\nY: 2\r\nZ: 4\r\nTrailer: T\r\n\r\n");
}

static void
test_request_framing(void **state)
{
	(void)state;
	request_check("POST / HTTP/1.1\r\nContent-Length: 0007\r\nHost: a\r\n\r\n", &plain,
	    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n");
	request_check("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", &plain,
	    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
	request_check(
	    "POST / HTTP/1.1\r\nHost: a\r\n\r\n", &plain, "POST / HTTP/1.1\r\nHost: a\r\n\r\n");
	request_check("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\n\r\n", &plain,
	    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
	request_check("POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\n\r\n", &plain,
	    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
	request_check("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n"
		      "Content-Length: 999999999999999999\r\n\r\n",
	    &plain,
	    "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999999999999\r\n"
	    "Expect: 100-continue\r\n\r\n");
	request_check("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", &plain,
	    "PUT / HTTP/1.1\r\nHost: a\r\n\r\n");
	request_check("PUT / HTTP/1.0\r\nHost: a\r\nExpect: x\r\nContent-Length: 1\r\n\r\n", &plain,
	    "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n");
}

static void
test_request_connection(void **state)
{
	(void)state;
	request_check("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\n"
		      "Upgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\n\r\n",
	    &plain,
	    "GET / HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Version: 13\r\nConnection: upgrade\r\n"
	    "Upgrade: websocket\r\n\r\n");
	request_check("GET / HTTP/1.1\r\nHost: a\r\nConnection: TE\r\nTE: gzip, Trailers\r\n\r\n",
	    &plain, "GET / HTTP/1.1\r\nHost: a\r\nConnection: TE\r\nTE: trailers\r\n\r\n");
	request_check("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade, TE\r\nTE: trailers\r\n"
		      "Upgrade: websocket\r\n\r\n",
	    &plain,
	    "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
	request_check("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", &plain,
	    "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
}

static struct forward
forward_of(bool trusted, bool x_forwarded, bool rfc7239)
{
	return (struct forward){
		.client = STR("192.0.2.1"),
		.proto = STR("https"),
		.request_id = STR("ID"),
		.via = STR("lb"),
		.default_host = STR("default"),
		.trusted = trusted,
		.x_forwarded = x_forwarded,
		.rfc7239 = rfc7239,
	};
}

#define SPOKEN                                                                                     \
	"X-Forwarded-For: 198.51.100.7\r\nX-Forwarded-Proto: gopher\r\nX-Forwarded-Host: evil\r\n" \
	"Forwarded: for=198.51.100.7\r\nX-Request-Id: mine\r\nX-Forwarded-Port: 1\r\n"

static void
test_forwarded_untrusted(void **state)
{
	struct forward all = forward_of(false, true, true);
	struct forward none = forward_of(false, false, false);

	(void)state;
	request_check("GET / HTTP/1.1\r\nHost: a\r\n" SPOKEN
		      "X_Forwarded_For: 1\r\nx_forwarded-proto: 2\r\nX.Forwarded.Host: 3\r\n"
		      "X-Forwarded: 4\r\nX-Forwarded-For-: 5\r\nX_Request_Id: 6\r\n"
		      "X-Real-IP: 7\r\nVia: 1.1 other\r\n\r\n",
	    &all,
	    "GET / HTTP/1.1\r\nHost: a\r\nX-Real-IP: 7\r\nVia: 1.1 other\r\n"
	    "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: a\r\n"
	    "Forwarded: for=192.0.2.1;host=a;proto=https\r\nVia: 1.1 lb\r\nX-Request-Id: "
	    "ID\r\n\r\n");
	assert_slice(formatted.request_id, "ID");
	/* not asked to add any, but a client may still not add its own */
	request_check("GET / HTTP/1.1\r\nHost: a\r\n" SPOKEN "\r\n", &none,
	    "GET / HTTP/1.1\r\nHost: a\r\nVia: 1.1 lb\r\nX-Request-Id: ID\r\n\r\n");
	/* nor have ours dropped */
	request_check(
	    "GET / HTTP/1.1\r\nHost: a\r\nConnection: X-Forwarded-For, Forwarded, Via\r\n\r\n",
	    &all,
	    "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1\r\n"
	    "X-Forwarded-Proto: https\r\nX-Forwarded-Host: a\r\n"
	    "Forwarded: for=192.0.2.1;host=a;proto=https\r\nVia: 1.1 lb\r\nX-Request-Id: "
	    "ID\r\n\r\n");
}

static void
test_forwarded_trusted(void **state)
{
	struct forward all = forward_of(true, true, true);
	struct forward none = forward_of(true, false, false);

	(void)state;
	request_check("GET / HTTP/1.1\r\nHost: a\r\n" SPOKEN "\r\n", &all,
	    "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: gopher\r\nX-Forwarded-Host: evil\r\n"
	    "X-Forwarded-Port: 1\r\nX-Forwarded-For: 198.51.100.7, 192.0.2.1\r\n"
	    "Forwarded: for=198.51.100.7, for=192.0.2.1;host=a;proto=https\r\nVia: 1.1 lb\r\n"
	    "X-Request-Id: mine\r\n\r\n");
	assert_slice(formatted.request_id, "mine");
	/* several fields are one list */
	request_check("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1, 2\r\nX: y\r\n"
		      "X-Forwarded-For:\r\nx-forwarded-for: 3\r\nForwarded: for=1\r\n"
		      "Forwarded: for=2, for=3\r\n\r\n",
	    &all,
	    "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\nX-Forwarded-For: 1, 2, 3, 192.0.2.1\r\n"
	    "X-Forwarded-Proto: https\r\nX-Forwarded-Host: a\r\n"
	    "Forwarded: for=1, for=2, for=3, for=192.0.2.1;host=a;proto=https\r\nVia: 1.1 lb\r\n"
	    "X-Request-Id: ID\r\n\r\n");
	/* nothing to extend */
	request_check("GET / HTTP/1.1\r\nHost: a\r\n\r\n", &all,
	    "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1\r\n"
	    "X-Forwarded-Proto: https\r\nX-Forwarded-Host: a\r\n"
	    "Forwarded: for=192.0.2.1;host=a;proto=https\r\nVia: 1.1 lb\r\nX-Request-Id: "
	    "ID\r\n\r\n");
	/* passed on as it is */
	request_check("GET / HTTP/1.1\r\nHost: a\r\n" SPOKEN "\r\n", &none,
	    "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 198.51.100.7\r\n"
	    "X-Forwarded-Proto: gopher\r\nX-Forwarded-Host: evil\r\nForwarded: for=198.51.100.7\r\n"
	    "X-Forwarded-Port: 1\r\nVia: 1.1 lb\r\nX-Request-Id: mine\r\n\r\n");
	/* only one request id goes on, an empty one counts for nothing */
	request_check("GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: 1\r\nX-Request-Id: 2\r\n\r\n",
	    &none, "GET / HTTP/1.1\r\nHost: a\r\nVia: 1.1 lb\r\nX-Request-Id: 1\r\n\r\n");
	request_check("GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id:\r\n\r\n", &none,
	    "GET / HTTP/1.1\r\nHost: a\r\nVia: 1.1 lb\r\nX-Request-Id: ID\r\n\r\n");
}

static void
test_reserved(void **state)
{
	static const struct str names[] = { STR("X-Client-Subject"), STR("Client-Cert") };
	static const struct forward_line lines[] = { { STR("X-Client-Subject"), STR("CN=a") },
		{ STR("Client-Cert"), STR(":AAAA:") } };
	struct forward told = plain;
	struct writer w = { room, room + sizeof(room), false };
	const char *in =
	    "GET / HTTP/1.1\r\nHost: a\r\nX-Client-Subject: CN=b\r\nx_client.subject: CN=b\r\n"
	    "X-Client-Subjects: 1\r\nX-Client-Subjecu: 2\r\nX1Client-Subject: 3\r\n"
	    "CLIENT-CERT: :BBBB:\r\nClient-Certz: 4\r\n\r\n";

	(void)state;
	told.lines = lines;
	told.n_lines = 2;
	assert_int_equal(h1_parse_request(str_of(in), &limits, &head), strlen(in));
	forwarding_reserve(&head, names, 2);
	h1_format_request(&w, &head, &told, &formatted);
	assert_false(w.overflow);
	*w.p = '\0';
	assert_string_equal(room,
	    "GET / HTTP/1.1\r\nHost: a\r\nX-Client-Subjects: 1\r\nX-Client-Subjecu: 2\r\n"
	    "X1Client-Subject: 3\r\nClient-Certz: 4\r\nX-Client-Subject: CN=a\r\n"
	    "Client-Cert: :AAAA:\r\n\r\n");
}

static void
test_forwarded_nodes(void **state)
{
	struct forward all = forward_of(false, true, true);

	(void)state;
	all.client = STR("2001:db8::1");
	request_check("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", &all,
	    "GET / HTTP/1.1\r\nHost: [::1]:80\r\nX-Forwarded-For: 2001:db8::1\r\n"
	    "X-Forwarded-Proto: https\r\nX-Forwarded-Host: [::1]:80\r\n"
	    "Forwarded: for=\"[2001:db8::1]\";host=\"[::1]:80\";proto=https\r\nVia: 1.1 lb\r\n"
	    "X-Request-Id: ID\r\n\r\n");
	all.client = STR("unix");
	all.request_id = (struct str){ NULL, 0 };
	all.via = (struct str){ NULL, 0 };
	request_check("GET / HTTP/1.0\r\n\r\n", &all,
	    "GET / HTTP/1.1\r\nHost: default\r\nX-Forwarded-For: unknown\r\n"
	    "X-Forwarded-Proto: https\r\nForwarded: for=unknown;proto=https\r\n\r\n");
	assert_slice(formatted.request_id, "");
	all = forward_of(false, false, false);
	request_check("GET / HTTP/1.0\r\nVia: 1.0 x\r\n\r\n", &all,
	    "GET / HTTP/1.1\r\nHost: default\r\nVia: 1.0 x\r\nVia: 1.0 lb\r\n"
	    "X-Request-Id: ID\r\n\r\n");
}

static void
test_formatted(void **state)
{
	struct forward all = forward_of(false, true, false);

	(void)state;
	request_check("POST /x HTTP/1.1\r\nAccept: a\r\nUser-Agent: curl\r\nReferer: http://r/\r\n"
		      "Host: h\r\n\r\n",
	    &all,
	    "POST /x HTTP/1.1\r\nHost: h\r\nAccept: a\r\nUser-Agent: curl\r\nReferer: http://r/\r\n"
	    "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: h\r\n"
	    "Via: 1.1 lb\r\nX-Request-Id: ID\r\n\r\n");
	assert_slice(formatted.method, "POST");
	assert_slice(formatted.target, "/x");
	assert_slice(formatted.host, "h");
	assert_slice(formatted.user_agent, "curl");
	assert_slice(formatted.referer, "http://r/");
	assert_slice(formatted.request_id, "ID");
	/* not spelt as we would, apart from each other, first and last */
	request_check(
	    "GET / HTTP/1.1\r\nreferer:r\r\nHost: h\r\nA: 1\r\nB:2\r\nuser-agent:  u\r\n\r\n",
	    &plain,
	    "GET / HTTP/1.1\r\nHost: h\r\nreferer: r\r\nA: 1\r\nB: 2\r\nuser-agent: u\r\n\r\n");
	assert_slice(formatted.user_agent, "u");
	assert_slice(formatted.referer, "r");
	request_check("GET / HTTP/1.1\r\nUser-Agent: u\r\nHost: h\r\nReferer: r\r\n\r\n", &plain,
	    "GET / HTTP/1.1\r\nHost: h\r\nUser-Agent: u\r\nReferer: r\r\n\r\n");
	assert_slice(formatted.user_agent, "u");
	assert_slice(formatted.referer, "r");
	request_check(
	    "GET / HTTP/1.1\r\nHost: h\r\n\r\n", &plain, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_slice(formatted.user_agent, "");
	assert_slice(formatted.referer, "");
}

/* In every room that is too small: no byte behind it, and it says so. */
static void
test_request_overflow(void **state)
{
	static const char in[] = "GET http://a?q HTTP/1.1\r\nHost: a\r\nUser-Agent: u\r\nX:y\r\n"
				 "Referer: r\r\nTE: trailers\r\nContent-Length: 5\r\n"
				 "X-Forwarded-For: 1\r\nForwarded: for=1\r\n\r\n";
	struct forward all = forward_of(true, true, true);
	size_t whole;

	(void)state;
	assert_int_equal(h1_parse_request(str_of(in), &limits, &head), sizeof(in) - 1);
	for (whole = 1;; whole++) {
		char *exact = malloc(whole);
		struct writer w = { exact, exact + whole, false };

		assert_non_null(exact);
		h1_format_request(&w, &head, &all, &formatted);
		assert_true(w.p <= w.end);
		assert_true(!w.overflow || (!formatted.method.p && !formatted.request_id.p));
		free(exact);
		if (!w.overflow)
			break;
	}
	struct writer w = { room, room + sizeof(room), false };
	h1_format_request(&w, &head, &all, &formatted);
	assert_int_equal(w.p - room, whole);
}

static void
test_response(void **state)
{
	const struct h1_expected get = { METHOD_GET, false }, head_only = { METHOD_HEAD, false };
	const struct reply keep = { 1, true, FRAMING_LENGTH, false };
	const struct reply close = { 1, false, FRAMING_CLOSE, false };
	const struct reply old = { 0, true, FRAMING_LENGTH, false };
	const struct reply old_close = { 0, false, FRAMING_CLOSE, false };
	const struct reply chunked = { 1, true, FRAMING_CHUNKED, false };
	const struct reply none = { 1, true, FRAMING_NONE, false };

	(void)state;
	response_check("HTTP/1.0 200 OK\r\nServer: x\r\nContent-Length: 05\r\nConnection: close\r\n"
		       "Set-Cookie:a\r\nSet-Cookie: b\r\n\r\n",
	    get, &keep,
	    "HTTP/1.1 200 OK\r\nServer: x\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n"
	    "Content-Length: 5\r\n\r\n");
	response_check("HTTP/1.1 200\r\nContent-Length: 5\r\n\r\n", get, &old,
	    "HTTP/1.1 200 \r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n");
	response_check("HTTP/1.1 404 No Such\r\n\r\n", get, &close,
	    "HTTP/1.1 404 No Such\r\nConnection: close\r\n\r\n");
	response_check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: a\r\n\r\n", get,
	    &chunked, "HTTP/1.1 200 OK\r\nTrailer: a\r\nTransfer-Encoding: chunked\r\n\r\n");
	/* chunked from the server, a client that does not know it */
	response_check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", get, &old_close,
	    "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
	response_check("HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n", head_only, &none,
	    "HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n");
	response_check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", head_only, &none,
	    "HTTP/1.1 200 OK\r\n\r\n");
	response_check("HTTP/1.1 304 x\r\nContent-Length: 77\r\nETag: \"a\"\r\n\r\n", get, &none,
	    "HTTP/1.1 304 x\r\nETag: \"a\"\r\nContent-Length: 77\r\n\r\n");
	response_check(
	    "HTTP/1.1 204 x\r\nContent-Length: 0\r\n\r\n", get, &none, "HTTP/1.1 204 x\r\n\r\n");
	response_check("HTTP/1.1 204 x\r\n\r\n", get, &chunked, "HTTP/1.1 204 x\r\n\r\n");
	response_check("HTTP/1.1 200 x\r\nContent-Length: 0\r\n\r\n", get, &none,
	    "HTTP/1.1 200 x\r\nContent-Length: 0\r\n\r\n");
	response_check("HTTP/1.1 200 x\r\nConnection: x-y\r\nX-Y: 1\r\nKeep-Alive: 2\r\n"
		       "Upgrade: h2\r\nProxy-Connection: 3\r\nContent-Length: 0\r\n\r\n",
	    get, &none, "HTTP/1.1 200 x\r\nContent-Length: 0\r\n\r\n");
}

static void
test_response_interim(void **state)
{
	const struct h1_expected get = { METHOD_GET, false }, ask = { METHOD_GET, true };
	const struct reply close = { 1, false, FRAMING_NONE, false };
	const struct reply keep = { 1, true, FRAMING_NONE, false };
	const struct reply upgrade = { 1, true, FRAMING_NONE, true };

	(void)state;
	response_check(
	    "HTTP/1.1 100 Continue\r\n\r\n", get, &close, "HTTP/1.1 100 Continue\r\n\r\n");
	response_check("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: close\r\n\r\n", get,
	    &keep, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
	response_check("HTTP/1.1 101 x\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
		       "Sec-WebSocket-Accept: y\r\n\r\n",
	    ask, &upgrade,
	    "HTTP/1.1 101 x\r\nSec-WebSocket-Accept: y\r\nConnection: upgrade\r\n"
	    "Upgrade: websocket\r\n\r\n");
}

static void
test_response_overflow(void **state)
{
	const struct reply reply = { 0, true, FRAMING_LENGTH, false };
	static const char in[] = "HTTP/1.1 200 OK\r\nA: 1\r\nB:2\r\nContent-Length: 12\r\n\r\n";
	size_t n = 0;

	(void)state;
	assert_true(h1_parse_response(
			str_of(in), &limits, (struct h1_expected){ METHOD_GET, false }, &head) > 0);
	for (bool overflow = true; overflow; n++) {
		char *exact = malloc(n + 1);
		struct writer w = { exact, exact + n, false };

		assert_non_null(exact);
		h1_format_response(&w, &head, &reply);
		overflow = w.overflow;
		free(exact);
	}
	assert_int_equal(n - 1,
	    strlen("HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\nContent-Length: 12\r\n"
		   "Connection: keep-alive\r\n\r\n"));
}

static void
error_check(unsigned status, bool head_only, bool keep_alive, unsigned retry, const char *want)
{
	struct writer w = { room, room + sizeof(room), false };

	h1_format_error(&w,
	    &(struct error_response){
		.status = status,
		.head_only = head_only,
		.keep_alive = keep_alive,
		.retry_after = retry,
		.lines = status == 400 ? STR("X: y\r\nZ: a\r\n") : STR(""),
		.content_type = status == 504 ? STR("text/html") : STR(""),
		.body = STR("<p>Later."),
	    });
	*w.p = '\0';
	assert_string_equal(room, want);
	assert_true(
	    h1_parse_response((struct str){ room, (size_t)(w.p - room) }, &limits,
		(struct h1_expected){ head_only ? METHOD_HEAD : METHOD_GET, false }, &head) > 0);
	assert_int_equal(head.keep_alive, keep_alive);
	if (!head_only)
		assert_int_equal(head.length, strlen(strstr(room, "\r\n\r\n") + 4));
}

static void
test_error(void **state)
{
	(void)state;
	error_check(400, false, false, 0,
	    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 16\r\n"
	    "X: y\r\nZ: a\r\nConnection: close\r\n\r\n400 Bad Request\n");
	error_check(503, false, true, 5,
	    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: 24\r\n"
	    "Retry-After: 5\r\nConnection: keep-alive\r\n\r\n503 Service Unavailable\n");
	error_check(405, false, false, 0,
	    "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain\r\nContent-Length: 23\r\n"
	    "Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH\r\n"
	    "Connection: close\r\n\r\n405 Method Not Allowed\n");
	error_check(504, false, true, 0,
	    "HTTP/1.1 504 Gateway Timeout\r\nContent-Type: text/html\r\nContent-Length: 9\r\n"
	    "Connection: keep-alive\r\n\r\n<p>Later.");
	error_check(504, true, false, 7,
	    "HTTP/1.1 504 Gateway Timeout\r\nContent-Type: text/html\r\nContent-Length: 9\r\n"
	    "Retry-After: 7\r\nConnection: close\r\n\r\n");
	error_check(502, true, true, 0,
	    "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain\r\nContent-Length: 16\r\n"
	    "Connection: keep-alive\r\n\r\n");
}

static void
test_write_uint(void **state)
{
	static const struct {
		uint64_t v;
		const char *text;
	} rows[] = {
		{ 0, "0" },
		{ 7, "7" },
		{ 10, "10" },
		{ 1234567890, "1234567890" },
		{ UINT64_MAX, "18446744073709551615" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct writer w = { room, room + strlen(rows[i].text), false };

		write_uint(&w, rows[i].v);
		assert_false(w.overflow);
		assert_slice((struct str){ room, (size_t)(w.p - room) }, rows[i].text);
		write_uint(&w, 1);
		assert_true(w.overflow);
	}
}

static void
test_reasons(void **state)
{
	(void)state;
	assert_string_equal(http_reason(200), "OK");
	assert_string_equal(http_reason(431), "Request Header Fields Too Large");
	assert_string_equal(http_reason(299), "");
	assert_string_equal(http_reason(0), "");
	for (unsigned status = 0; status < 1000; status++) /* what we write must be readable */
		assert_true(strlen(http_reason(status)) < 40);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_line),
		cmocka_unit_test(test_request_fields),
		cmocka_unit_test(test_request_framing),
		cmocka_unit_test(test_request_connection),
		cmocka_unit_test(test_forwarded_untrusted),
		cmocka_unit_test(test_forwarded_trusted),
		cmocka_unit_test(test_reserved),
		cmocka_unit_test(test_forwarded_nodes),
		cmocka_unit_test(test_formatted),
		cmocka_unit_test(test_request_overflow),
		cmocka_unit_test(test_response),
		cmocka_unit_test(test_response_interim),
		cmocka_unit_test(test_response_overflow),
		cmocka_unit_test(test_error),
		cmocka_unit_test(test_write_uint),
		cmocka_unit_test(test_reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

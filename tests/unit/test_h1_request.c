/*
 * test_h1_request.c - docs/http-policy.md, class by class, for request heads.
 *
 * One row is one input and its verdict.  Every row is also cut at every byte, and what is accepted is
 * formatted and parsed again: see tests/fuzz/h1_oracle.h.
 */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/fuzz/h1_oracle.h"

struct row {
	struct str in;
	enum refusal want;
};

#define ROW(text, verdict)                                                                         \
	{                                                                                          \
		{ (text), sizeof(text) - 1 }, verdict                                              \
	}
#define OK(text) ROW(text, REFUSE_NOTHING)

/* A request line, otherwise right. */
#define L(line, verdict) ROW(line "\r\nHost: a\r\n\r\n", verdict)
#define L_OK(line) L(line, REFUSE_NOTHING)
#define T(target, verdict) L("GET " target " HTTP/1.1", verdict)
#define T_OK(target) T(target, REFUSE_NOTHING)
/* A Host field, as it is written. */
#define H(field, verdict) ROW("GET / HTTP/1.1\r\n" field "\r\n\r\n", verdict)
#define H_OK(field) H(field, REFUSE_NOTHING)
/* A field in an otherwise right request that may have a body. */
#define F(field, verdict) ROW("POST / HTTP/1.1\r\nHost: a\r\n" field "\r\n\r\n", verdict)
#define F_OK(field) F(field, REFUSE_NOTHING)
#define F10(field, verdict) ROW("POST / HTTP/1.0\r\nHost: a\r\n" field "\r\n\r\n", verdict)

static const struct row request_line_rows[] = {
	L_OK("GET / HTTP/1.1"),
	L_OK("get / HTTP/1.1"),
	L_OK("POST / HTTP/1.1"),
	L_OK("M-SEARCH / HTTP/1.1"),
	L_OK("!#$%&'*+-.^_`|~09azAZ / HTTP/1.1"),
	L("", REFUSE_REQUEST_LINE), /* an empty line, then "Host:" as a method */
	L("GET", REFUSE_REQUEST_LINE),
	L("GET ", REFUSE_REQUEST_LINE),
	L("GET /", REFUSE_REQUEST_LINE), /* HTTP/0.9 */
	L("GET / ", REFUSE_VERSION),
	L("GET  / HTTP/1.1", REFUSE_REQUEST_LINE),
	L("GET /  HTTP/1.1", REFUSE_VERSION),
	L("GET / HTTP/1.1 ", REFUSE_VERSION),
	L("GET / HTTP/1.1\t", REFUSE_VERSION),
	L(" GET / HTTP/1.1", REFUSE_REQUEST_LINE),
	L("\tGET / HTTP/1.1", REFUSE_REQUEST_LINE),
	L("GET\t/ HTTP/1.1", REFUSE_REQUEST_LINE),
	L("GET /\tHTTP/1.1", REFUSE_TARGET),
	L("GET\v/ HTTP/1.1", REFUSE_REQUEST_LINE),
	L("GET /\fHTTP/1.1", REFUSE_TARGET),
	L("GET / a HTTP/1.1", REFUSE_VERSION),
	L("GET / HTTP/1.1 HTTP/1.1", REFUSE_VERSION),
	L("GET / HTTP/1.1\r", REFUSE_LINE_END),
	L("GET /\rHTTP/1.1", REFUSE_REQUEST_LINE),
	L("GET\r / HTTP/1.1", REFUSE_REQUEST_LINE),
	L("G\0T / HTTP/1.1", REFUSE_REQUEST_LINE),
	L("G\x7f / HTTP/1.1", REFUSE_REQUEST_LINE),
	L("G\x80T / HTTP/1.1", REFUSE_REQUEST_LINE),
	L("GET: / HTTP/1.1", REFUSE_REQUEST_LINE),
	L("\"GET\" / HTTP/1.1", REFUSE_REQUEST_LINE),
	L("(GET) / HTTP/1.1", REFUSE_REQUEST_LINE),
	L("GET,HEAD / HTTP/1.1", REFUSE_REQUEST_LINE),
	L("{} / HTTP/1.1", REFUSE_REQUEST_LINE),
	L("GET@ / HTTP/1.1", REFUSE_REQUEST_LINE),
	L("Host: b", REFUSE_REQUEST_LINE),
	L("HTTP/1.1 200 OK", REFUSE_REQUEST_LINE),
	ROW("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", REFUSE_REQUEST_LINE), /* TLS */
	ROW("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", REFUSE_VERSION),
	ROW("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", REFUSE_VERSION_MAJOR), /* HTTP/2's preface */
	L("TRACE / HTTP/1.1", REFUSE_METHOD_DENIED),
	L("trace / HTTP/1.1", REFUSE_METHOD_DENIED),
	L("CONNECT a:443 HTTP/1.1", REFUSE_METHOD_DENIED),
	L("CONNECT / HTTP/1.1", REFUSE_METHOD_DENIED),
	L("Connect a:443 HTTP/1.0", REFUSE_METHOD_DENIED),
	L_OK("TRACER / HTTP/1.1"),
	L_OK("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1"),
	L("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1",
	    REFUSE_METHOD_LENGTH),
	L("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
	    REFUSE_METHOD_LENGTH),
};

static const struct row version_rows[] = {
	L_OK("GET / HTTP/1.0"), L_OK("GET / HTTP/1.1"), L_OK("GET / HTTP/1.2"),
	L_OK("GET / HTTP/1.9"), L("GET / HTTP/2.0", REFUSE_VERSION_MAJOR),
	L("GET / HTTP/0.9", REFUSE_VERSION_MAJOR), L("GET / HTTP/3.1", REFUSE_VERSION_MAJOR),
	L("GET / HTTP/9.9", REFUSE_VERSION_MAJOR), L("GET / HTTP/1", REFUSE_VERSION),
	L("GET / HTTP/1.", REFUSE_VERSION), L("GET / HTTP/.1", REFUSE_VERSION),
	L("GET / HTTP/11", REFUSE_VERSION), L("GET / HTTP/1.10", REFUSE_VERSION),
	L("GET / HTTP/1.01", REFUSE_VERSION), L("GET / HTTP/01.1", REFUSE_VERSION),
	L("GET / HTTP/10.1", REFUSE_VERSION), L("GET / HTTP/1.1a", REFUSE_VERSION),
	L("GET / HTTP/1,1", REFUSE_VERSION), L("GET / HTTP/+1.1", REFUSE_VERSION),
	L("GET / HTTP/1.-1", REFUSE_VERSION), L("GET / HTTP/1.x", REFUSE_VERSION),
	L("GET / HTTP/x.1", REFUSE_VERSION), L("GET / HTTP 1.1", REFUSE_VERSION),
	L("GET / HTTP//1.1", REFUSE_VERSION), L("GET / http/1.1", REFUSE_VERSION),
	L("GET / Http/1.1", REFUSE_VERSION), L("GET / HTTPS/1.1", REFUSE_VERSION),
	L("GET / HTP/1.1", REFUSE_VERSION), L("GET / XTTP/1.1", REFUSE_VERSION),
	L("GET / HTTP/1.1\0", REFUSE_VERSION),
	L("GET / HTTP/\xef\xbc\x91.1", REFUSE_VERSION), /* full-width 1 */
};

static const struct row target_rows[] = {
	T_OK("/"),
	T_OK("/index.html"),
	T_OK("//"),
	T_OK("//host/path"),
	T_OK("/?"),
	T_OK("/a/../b/./c"),
	T_OK("/%00%0d%0a%2f%5c%2e%2e"),
	T_OK("/%"),
	T_OK("/%zz"),
	T_OK("/a?b=c&d[]=e;f"),
	T_OK("/\"<>\\^`{|}"),
	T_OK("/!$&'()*+,;=:@-._~"),
	T_OK("/http://other/"),
	T_OK("/0123456789abcdef0123456789abcdef0123456789abcdef?q=0123456789abcdef"),
	T("/#", REFUSE_TARGET),
	T("/a#b", REFUSE_TARGET),
	T("/0123456789abcdef#0123456789abcdef", REFUSE_TARGET),
	T("#", REFUSE_REQUEST_LINE),
	T("/\x80", REFUSE_TARGET),
	T("/\xc3\xa9", REFUSE_TARGET),
	T("/0123456789abcdef\xc3\xa9", REFUSE_TARGET),
	T("/\xff", REFUSE_TARGET),
	T("/\0", REFUSE_TARGET),
	T("/a\0b", REFUSE_TARGET),
	T("/\x01", REFUSE_TARGET),
	T("/\x1f", REFUSE_TARGET),
	T("/\x7f", REFUSE_TARGET),
	T("/0123456789abcdef\x7f", REFUSE_TARGET),
	T("/a\\b\x08", REFUSE_TARGET),
	T("/a\nb", REFUSE_REQUEST_LINE),
	T("*", REFUSE_TARGET),
	T("**", REFUSE_TARGET),
	T("*/", REFUSE_TARGET),
	L_OK("OPTIONS * HTTP/1.1"),
	L("options * HTTP/1.1", REFUSE_TARGET),
	L("OPTIONS ** HTTP/1.1", REFUSE_TARGET),
	L("OPTIONS *? HTTP/1.1", REFUSE_TARGET),
	T("index.html", REFUSE_TARGET),
	T("a", REFUSE_TARGET),
	T("a:80", REFUSE_TARGET),
	T("?q", REFUSE_TARGET),
	T("\\", REFUSE_TARGET),
	T(".", REFUSE_TARGET),
	T("%2f", REFUSE_TARGET),
	/* absolute-form; Host is "a" */
	T_OK("http://a"),
	T_OK("http://a/"),
	T_OK("http://A/"),
	T_OK("HTTP://a/b?c"),
	T_OK("hTtPs://a/"),
	T_OK("http://a?q"),
	T_OK("http://a//"),
	T_OK("http://a/@"),
	T_OK("http://a/b:c@d"),
	L_OK("OPTIONS http://a HTTP/1.1"),
	L_OK("OPTIONS http://a/ HTTP/1.1"),
	L_OK("OPTIONS http://a?q HTTP/1.1"),
	T("http://b/", REFUSE_HOST),
	T("http://a.b/", REFUSE_HOST),
	T("http://a:80/", REFUSE_HOST), /* equal means equal text */
	T("http://a./", REFUSE_HOST),
	T("http://", REFUSE_TARGET),
	T("http:///", REFUSE_TARGET),
	T("http:///a", REFUSE_TARGET),
	T("http://?q", REFUSE_TARGET),
	T("http:", REFUSE_TARGET),
	T("http:/a", REFUSE_TARGET),
	T("http:a", REFUSE_TARGET),
	T("http//a", REFUSE_TARGET),
	T("http:\\\\a", REFUSE_TARGET),
	T("https://", REFUSE_TARGET),
	T("httpss://a/", REFUSE_TARGET),
	T("ftp://a/", REFUSE_TARGET),
	T("ws://a/", REFUSE_TARGET),
	T("file:///etc/passwd", REFUSE_TARGET),
	T("javascript:alert(1)", REFUSE_TARGET),
	T("://a/", REFUSE_TARGET),
	T("http://u@a/", REFUSE_TARGET),
	T("http://u:p@a/", REFUSE_TARGET),
	T("http://@a/", REFUSE_TARGET),
	T("http://a@b/", REFUSE_TARGET),
	T("http://a:/", REFUSE_TARGET),
	T("http://a:0/", REFUSE_TARGET),
	T("http://a:65536/", REFUSE_TARGET),
	T("http://a:99999/", REFUSE_TARGET),
	T("http://a:8o/", REFUSE_TARGET),
	T("http://a:+80/", REFUSE_TARGET),
	T("http://a:80:80/", REFUSE_TARGET),
	T("http://a\\b/", REFUSE_TARGET),
	T("http://a,b/", REFUSE_TARGET),
	T("http://a#/", REFUSE_TARGET),
	T("http://a%/", REFUSE_TARGET),
	T("http://a%2/", REFUSE_TARGET),
	T("http://[::1/", REFUSE_TARGET),
	T("http://::1/", REFUSE_TARGET),
	OK("GET http://h:65535/ HTTP/1.1\r\nHost: h:65535\r\n\r\n"),
	OK("GET http://[::1]:8080/ HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n"),
	OK("GET http://h/ HTTP/1.0\r\n\r\n"),
	ROW("GET http://h/ HTTP/1.1\r\n\r\n", REFUSE_HOST),
	ROW("GET http://h/ HTTP/1.1\r\nHost:\r\n\r\n", REFUSE_HOST),
	ROW("GET http://h/ HTTP/1.0\r\nHost: i\r\n\r\n", REFUSE_HOST),
};

static const struct row host_rows[] = {
	H_OK("Host: a"),
	H_OK("host:a"),
	H_OK("HOST: \t a \t"),
	H_OK("Host: example.com"),
	H_OK("Host: example.com."),
	H_OK("Host: EXAMPLE.com:8080"),
	H_OK("Host: a_b.example"),
	H_OK("Host: -a-"),
	H_OK("Host: a:1"),
	H_OK("Host: a:65535"),
	H_OK("Host: 192.0.2.1"),
	H_OK("Host: 192.0.2.1:80"),
	H_OK("Host: 1"),
	H_OK("Host: [::1]"),
	H_OK("Host: [2001:DB8::1]:443"),
	H_OK("Host: [::ffff:192.0.2.1]"),
	H_OK("Host: xn--bcher-kva.example"),
	H_OK("Host: a%20b"),
	H_OK("Host: a!$&'()*+;=~"),
	H_OK("Host: abcdefghijklmnopqrstuvwxyz.abcdefghijklmnopqrstuvwxyz.example.org:8443"),
	H_OK("Host:"),
	H_OK("Host: "),
	H("X: y", REFUSE_HOST),
	H("Host: a\r\nHost: a", REFUSE_HOST),
	H("Host: a\r\nHost: b", REFUSE_HOST),
	H("Host: a\r\nX: y\r\nhost: a", REFUSE_HOST),
	H("Host:\r\nHost:", REFUSE_HOST),
	H("Host:\r\nHost: a", REFUSE_HOST),
	H("Host: a b", REFUSE_HOST),
	H("Host: a, b", REFUSE_HOST),
	H("Host: a,b", REFUSE_HOST),
	H("Host: a,", REFUSE_HOST),
	H("Host: a\tb", REFUSE_HOST),
	H("Host: a@b", REFUSE_HOST),
	H("Host: u:p@b", REFUSE_HOST),
	H("Host: a/b", REFUSE_HOST),
	H("Host: /", REFUSE_HOST),
	H("Host: a?b", REFUSE_HOST),
	H("Host: a#b", REFUSE_HOST),
	H("Host: a\\b", REFUSE_HOST),
	H("Host: http://a", REFUSE_HOST),
	H("Host: a\"", REFUSE_HOST),
	H("Host: <a>", REFUSE_HOST),
	H("Host: {a}", REFUSE_HOST),
	H("Host: a|b", REFUSE_HOST),
	H("Host: a^b", REFUSE_HOST),
	H("Host: a`b", REFUSE_HOST),
	H("Host: *", REFUSE_NOTHING), /* a sub-delim, odd as it is */
	H("Host: b\xc3\xbc", REFUSE_HOST),
	H("Host: \xef\xbd\x81", REFUSE_HOST),
	H("Host: a%", REFUSE_HOST),
	H("Host: a%2", REFUSE_HOST),
	H("Host: a%2g", REFUSE_HOST),
	H("Host: a%%", REFUSE_HOST),
	H("Host: :80", REFUSE_HOST),
	H("Host: a:", REFUSE_HOST),
	H("Host: a:0", REFUSE_HOST),
	H("Host: a:00", REFUSE_HOST),
	H("Host: a:080", REFUSE_HOST),
	H("Host: a:65536", REFUSE_HOST),
	H("Host: a:100000", REFUSE_HOST),
	H("Host: a:18446744073709551696", REFUSE_HOST),
	H("Host: a:-1", REFUSE_HOST),
	H("Host: a:+80", REFUSE_HOST),
	H("Host: a:8a", REFUSE_HOST),
	H("Host: a:80:80", REFUSE_HOST),
	H("Host: a: 80", REFUSE_HOST),
	H("Host: a:80,", REFUSE_HOST),
	H("Host: ::1", REFUSE_HOST),
	H("Host: []", REFUSE_HOST),
	H("Host: [", REFUSE_HOST),
	H("Host: ]", REFUSE_HOST),
	H("Host: [::1", REFUSE_HOST),
	H("Host: ::1]", REFUSE_HOST),
	H("Host: [::1]a", REFUSE_HOST),
	H("Host: [::1]:", REFUSE_HOST),
	H("Host: [::1]:0", REFUSE_HOST),
	H("Host: [::1]80", REFUSE_HOST),
	H("Host: a[::1]", REFUSE_HOST),
	H("Host: [[::1]]", REFUSE_HOST),
	H("Host: [::1%25eth0]", REFUSE_HOST),
	H("Host: [fe80::1%eth0]", REFUSE_HOST),
	H("Host: [v1.a]", REFUSE_HOST),
	H("Host: [192.0.2.1]", REFUSE_HOST),
	H("Host: [1:2:3:4:5:6:7:8:9]", REFUSE_HOST),
	H("Host: [12345::]", REFUSE_HOST),
	H("Host: [:::]", REFUSE_HOST),
	H("Host: [example.com]", REFUSE_HOST),
	H("Host: [1111:1111:1111:1111:1111:1111:1111:1111:1111:1111]", REFUSE_HOST),
	H("Host: a\0b", REFUSE_FIELD_VALUE),
	H("Host: [::1\0]", REFUSE_FIELD_VALUE),
	H("Host : a", REFUSE_FIELD_NAME),
	H(" Host: a", REFUSE_FIELD_FOLD),
	H("Host: a\r\n b", REFUSE_FIELD_FOLD),
	ROW("GET / HTTP/1.1\r\n\r\n", REFUSE_HOST),
	ROW("GET / HTTP/1.2\r\n\r\n", REFUSE_HOST),
	OK("GET / HTTP/1.0\r\n\r\n"),
	OK("GET / HTTP/1.0\r\nHost: a\r\n\r\n"),
	ROW("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", REFUSE_HOST),
	ROW("GET / HTTP/1.0\r\nHost: a b\r\n\r\n", REFUSE_HOST),
};

static const struct row field_rows[] = {
	F_OK("X: y"),
	F_OK("X:y"),
	F_OK("X: \t y \t "),
	F_OK("X:"),
	F_OK("X: "),
	F_OK("X:  \t"),
	F_OK("X: a\tb"),
	F_OK("X: 0123456789abcdef\t0123456789abcdef"),
	F_OK("X: a: b, c=\"d\""),
	F_OK("X: \x80\xff"),
	F_OK("X: 0123456789abcde\xc3\xa9"),
	F_OK("!#$%&'*+-.^_`|~0aZ: y"),
	F_OK("X_Y: z"),
	F_OK("X-A-Name-Longer-Than-Sixteen-Bytes_With_Some.Odd~Ones: y"),
	F_OK("X: 1\r\nX: 2\r\nx: 3"),
	F("X : y", REFUSE_FIELD_NAME),
	F("X\t: y", REFUSE_FIELD_NAME),
	F("X Y: z", REFUSE_FIELD_NAME),
	F(": y", REFUSE_FIELD_NAME),
	F("X", REFUSE_FIELD_NAME),
	F("X\r\nY: z", REFUSE_FIELD_NAME),
	F("X y", REFUSE_FIELD_NAME),
	F("X=y", REFUSE_FIELD_NAME),
	F("GET / HTTP/1.1", REFUSE_FIELD_NAME),
	F("X(a): y", REFUSE_FIELD_NAME),
	F("X\"a\": y", REFUSE_FIELD_NAME),
	F("X/a: y", REFUSE_FIELD_NAME),
	F("X@a: y", REFUSE_FIELD_NAME),
	F("X[a]: y", REFUSE_FIELD_NAME),
	F("X{a}: y", REFUSE_FIELD_NAME),
	F("X\\a: y", REFUSE_FIELD_NAME),
	F("X;a: y", REFUSE_FIELD_NAME),
	F("X,a: y", REFUSE_FIELD_NAME),
	F("X<a>: y", REFUSE_FIELD_NAME),
	F("X?: y", REFUSE_FIELD_NAME),
	F("X\0: y", REFUSE_FIELD_NAME),
	F("X\x01: y", REFUSE_FIELD_NAME),
	F("X\x7f: y", REFUSE_FIELD_NAME),
	F("X\x80: y", REFUSE_FIELD_NAME),
	F("\xa0X: y", REFUSE_FIELD_NAME),
	F("X\xc3\xa9: y", REFUSE_FIELD_NAME),
	F("\x0bX: y", REFUSE_FIELD_NAME),
	F("\0: y", REFUSE_FIELD_NAME),
	F("X: \0", REFUSE_FIELD_VALUE),
	F("X: a\0b", REFUSE_FIELD_VALUE),
	F("X: 0123456789abcdef\0", REFUSE_FIELD_VALUE),
	F("X: \x01", REFUSE_FIELD_VALUE),
	F("X: a\x08", REFUSE_FIELD_VALUE),
	F("X: a\x0b", REFUSE_FIELD_VALUE),
	F("X: a\x0c", REFUSE_FIELD_VALUE),
	F("X: a\x1b[0m", REFUSE_FIELD_VALUE),
	F("X: a\x1f", REFUSE_FIELD_VALUE),
	F("X: a\x7f", REFUSE_FIELD_VALUE),
	F("X: 0123456789abcdef\x7f", REFUSE_FIELD_VALUE),
	F("X: a\t\x01", REFUSE_FIELD_VALUE),
	F("X:\x0by", REFUSE_FIELD_VALUE),
	F("X: y\r\n z", REFUSE_FIELD_FOLD),
	F("X: y\r\n\tz", REFUSE_FIELD_FOLD),
	F("X: y\r\n ", REFUSE_FIELD_FOLD),
	F("X:\r\n y", REFUSE_FIELD_FOLD),
	F(" X: y", REFUSE_FIELD_FOLD),
	F("\tX: y", REFUSE_FIELD_FOLD),
	F(" ", REFUSE_FIELD_FOLD),
	F("Content_Length: 5", REFUSE_FIELD_NAME),
	F("content_length: 5", REFUSE_FIELD_NAME),
	F("Content.Length: 5", REFUSE_FIELD_NAME),
	F("Transfer_Encoding: chunked", REFUSE_FIELD_NAME),
	F("TRANSFER_ENCODING: chunked", REFUSE_FIELD_NAME),
	F("Transfer~Encoding: chunked", REFUSE_FIELD_NAME),
	F_OK("ContentXLength: 5"),
	F_OK("Content-Length-: 5"),
	F_OK("Content_Type: a"),
	F_OK("Content-Lengt: 5"),
};

static const struct row line_end_rows[] = {
	OK("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
	ROW("GET / HTTP/1.1\nHost: a\n\n", REFUSE_LINE_END),
	ROW("GET / HTTP/1.1\nHost: a\r\n\r\n", REFUSE_LINE_END),
	ROW("GET / HTTP/1.1\r\nHost: a\n\r\n", REFUSE_LINE_END),
	ROW("GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", REFUSE_LINE_END),
	ROW("GET / HTTP/1.1\r\nHost: a\r\n\n", REFUSE_LINE_END),
	ROW("GET / HTTP/1.1\rHost: a\r\n\r\n", REFUSE_LINE_END),
	ROW("GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n", REFUSE_LINE_END),
	ROW("GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", REFUSE_LINE_END),
	ROW("GET / HTTP/1.1\r\nHost: a\r\n\rX: y\r\n\r\n", REFUSE_LINE_END),
	ROW("GET / HTTP/1.1\r\nHost: a\r\n\r\r\n", REFUSE_LINE_END),
	ROW("GET / HTTP/1.1\r\nHost: a\r\nX: \r\r\n\r\n", REFUSE_LINE_END),
	ROW("GET / HTTP/1.1\r\nHost: a\r\nX\n\r\n", REFUSE_FIELD_NAME),
	ROW("GET / HTTP/1.1\r\nHost: a\r\nX\r: y\r\n\r\n", REFUSE_FIELD_NAME),
	ROW("GET / HTTP/1.1\r\nHost: a\r\nX: 0123456789abcdef\ny\r\n\r\n", REFUSE_LINE_END),
	/* empty lines before a request */
	OK("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
	OK("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
	ROW("\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", REFUSE_REQUEST_LINE),
	ROW("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", REFUSE_LINE_END),
	ROW("\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", REFUSE_LINE_END),
	ROW("\r\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", REFUSE_LINE_END),
	ROW("\r\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", REFUSE_LINE_END),
	ROW("\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", REFUSE_LINE_END),
	ROW(" \r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", REFUSE_REQUEST_LINE),
	ROW("\0\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", REFUSE_REQUEST_LINE),
};

static const struct row framing_rows[] = {
	F_OK("Content-Length: 0"),
	F_OK("Content-Length: 5"),
	F_OK("content-length:5"),
	F_OK("Content-Length: 0005"),
	F_OK("Content-Length: \t5\t"),
	F_OK("Content-Length: 5 "),
	F_OK("Transfer-Encoding: chunked "),
	F_OK("Content-Length: 999999999999999999"),
	F("Content-Length: 1000000000000000000", REFUSE_CONTENT_LENGTH),
	F("Content-Length: 0000000000000000005", REFUSE_CONTENT_LENGTH),
	F("Content-Length: 18446744073709551615", REFUSE_CONTENT_LENGTH),
	F("Content-Length: 18446744073709551616", REFUSE_CONTENT_LENGTH),
	F("Content-Length: 18446744073709551621", REFUSE_CONTENT_LENGTH),
	F("Content-Length:", REFUSE_CONTENT_LENGTH),
	F("Content-Length: ", REFUSE_CONTENT_LENGTH),
	F("Content-Length: -5", REFUSE_CONTENT_LENGTH),
	F("Content-Length: +5", REFUSE_CONTENT_LENGTH),
	F("Content-Length: 5 ,", REFUSE_CONTENT_LENGTH),
	F("Content-Length: 5, 5", REFUSE_CONTENT_LENGTH),
	F("Content-Length: 5,5", REFUSE_CONTENT_LENGTH),
	F("Content-Length: 5, 6", REFUSE_CONTENT_LENGTH),
	F("Content-Length: ,5", REFUSE_CONTENT_LENGTH),
	F("Content-Length: 5;", REFUSE_CONTENT_LENGTH),
	F("Content-Length: 5 5", REFUSE_CONTENT_LENGTH),
	F("Content-Length: 5\t5", REFUSE_CONTENT_LENGTH),
	F("Content-Length: 0x5", REFUSE_CONTENT_LENGTH),
	F("Content-Length: 0X5", REFUSE_CONTENT_LENGTH),
	F("Content-Length: 5h", REFUSE_CONTENT_LENGTH),
	F("Content-Length: a", REFUSE_CONTENT_LENGTH),
	F("Content-Length: 1_0", REFUSE_CONTENT_LENGTH),
	F("Content-Length: 5.0", REFUSE_CONTENT_LENGTH),
	F("Content-Length: 1e1", REFUSE_CONTENT_LENGTH),
	F("Content-Length: \"5\"", REFUSE_CONTENT_LENGTH),
	F("Content-Length: chunked", REFUSE_CONTENT_LENGTH),
	F("Content-Length: \xc2\xa0"
	  "5",
	    REFUSE_CONTENT_LENGTH),
	F("Content-Length: 5\xa0", REFUSE_CONTENT_LENGTH),
	F("Content-Length: \xef\xbc\x95", REFUSE_CONTENT_LENGTH),
	F("Content-Length: 5\r\nContent-Length: 5", REFUSE_CONTENT_LENGTH),
	F("Content-Length: 5\r\nContent-Length: 6", REFUSE_CONTENT_LENGTH),
	F("Content-Length: 0\r\nContent-Length: 0", REFUSE_CONTENT_LENGTH),
	F("Content-Length: 5\r\nX: y\r\ncontent-LENGTH: 5", REFUSE_CONTENT_LENGTH),
	F("Content-Length: 5\r\n 6", REFUSE_FIELD_FOLD),
	F("Content-Length : 5", REFUSE_FIELD_NAME),
	F("Content-Length\0: 5", REFUSE_FIELD_NAME),
	F("Content-Length\xa0: 5", REFUSE_FIELD_NAME),
	F("Content-Length: 5\0", REFUSE_FIELD_VALUE),
	F("Content-Length: \x0b"
	  "5",
	    REFUSE_FIELD_VALUE),
	F("Content-Length 5", REFUSE_FIELD_NAME),
	F("Content Length: 5", REFUSE_FIELD_NAME),

	F_OK("Transfer-Encoding: chunked"),
	F_OK("transfer-encoding:chunked"),
	F_OK("Transfer-Encoding: Chunked"),
	F_OK("Transfer-Encoding: CHUNKED"),
	F_OK("Transfer-Encoding: \tchunked \t"),
	F("Transfer-Encoding:", REFUSE_TRANSFER_ENCODING),
	F("Transfer-Encoding: ", REFUSE_TRANSFER_ENCODING),
	F("Transfer-Encoding: ,", REFUSE_TRANSFER_ENCODING),
	F("Transfer-Encoding: chunked,", REFUSE_TRANSFER_ENCODING),
	F("Transfer-Encoding: ,chunked", REFUSE_TRANSFER_ENCODING),
	F("Transfer-Encoding: , chunked", REFUSE_TRANSFER_ENCODING),
	F("Transfer-Encoding: chunked, chunked", REFUSE_TRANSFER_ENCODING),
	F("Transfer-Encoding: chunked,gzip", REFUSE_TRANSFER_ENCODING),
	F("Transfer-Encoding: chunked, identity", REFUSE_TRANSFER_ENCODING),
	F("Transfer-Encoding: gzip,, chunked", REFUSE_TRANSFER_ENCODING),
	F("Transfer-Encoding: chunked;q=1", REFUSE_TRANSFER_ENCODING),
	F("Transfer-Encoding: chunked ;", REFUSE_TRANSFER_ENCODING),
	F("Transfer-Encoding: chunked chunked", REFUSE_TRANSFER_ENCODING),
	F("Transfer-Encoding: chunked foo", REFUSE_TRANSFER_ENCODING),
	F("Transfer-Encoding: \"chunked\"", REFUSE_TRANSFER_ENCODING),
	F("Transfer-Encoding: chunked\"", REFUSE_TRANSFER_ENCODING),
	F("Transfer-Encoding: \xc2\xa0"
	  "chunked",
	    REFUSE_TRANSFER_ENCODING),
	F("Transfer-Encoding: chunked\xa0", REFUSE_TRANSFER_ENCODING),
	F("Transfer-Encoding: [chunked]", REFUSE_TRANSFER_ENCODING),
	F("Transfer-Encoding: xchunked", REFUSE_TRANSFER_CODING),
	F("Transfer-Encoding: chunkedx", REFUSE_TRANSFER_CODING),
	F("Transfer-Encoding: 'chunked'", REFUSE_TRANSFER_CODING),
	F("Transfer-Encoding: chunke", REFUSE_TRANSFER_CODING),
	F("Transfer-Encoding: gzip", REFUSE_TRANSFER_CODING),
	F("Transfer-Encoding: identity", REFUSE_TRANSFER_CODING),
	F("Transfer-Encoding: gzip, chunked", REFUSE_TRANSFER_CODING),
	F("Transfer-Encoding: identity, chunked", REFUSE_TRANSFER_CODING),
	F("Transfer-Encoding: gzip, deflate", REFUSE_TRANSFER_CODING),
	F("Transfer-Encoding: chunked\0", REFUSE_FIELD_VALUE),
	F("Transfer-Encoding: \x0b"
	  "chunked",
	    REFUSE_FIELD_VALUE),
	F("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", REFUSE_TRANSFER_ENCODING),
	F("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", REFUSE_TRANSFER_ENCODING),
	F("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", REFUSE_TRANSFER_CODING),
	F("Transfer-Encoding: chunked\r\n , gzip", REFUSE_FIELD_FOLD),
	F("Transfer-Encoding:\r\n chunked", REFUSE_TRANSFER_ENCODING),
	F("Transfer-Encoding : chunked", REFUSE_FIELD_NAME),
	F("Transfer-Encoding\t: chunked", REFUSE_FIELD_NAME),
	F(" Transfer-Encoding: chunked", REFUSE_FIELD_FOLD),
	F("Transfer-Encoding: chunked\nX: y", REFUSE_LINE_END),
	F("X: y\nTransfer-Encoding: chunked", REFUSE_LINE_END),
	F("X: y\rTransfer-Encoding: chunked", REFUSE_LINE_END),
	F("Transfer-Encoding chunked", REFUSE_FIELD_NAME),

	F("Transfer-Encoding: chunked\r\nContent-Length: 5", REFUSE_FRAMING),
	F("Content-Length: 5\r\nTransfer-Encoding: chunked", REFUSE_FRAMING),
	F("Content-Length: 0\r\nTransfer-Encoding: chunked", REFUSE_FRAMING),
	F("Content-Length: 5\r\nTransfer-Encoding: identity", REFUSE_TRANSFER_CODING),
	F("Connection: Transfer-Encoding\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
	    REFUSE_FRAMING),

	F10("Content-Length: 5", REFUSE_NOTHING),
	F10("Transfer-Encoding: chunked", REFUSE_TRANSFER_ENCODING),
	F10("Transfer-Encoding: identity", REFUSE_TRANSFER_ENCODING),
	F10("Transfer-Encoding: chunked\r\nContent-Length: 5", REFUSE_TRANSFER_ENCODING),
	ROW("GET / HTTP/1.0\r\nContent-Length: 5\r\n\r\n", REFUSE_BODY_DENIED),
	ROW("HEAD / HTTP/1.0\r\nContent-Length: 5\r\n\r\n", REFUSE_BODY_DENIED),
	OK("GET / HTTP/1.0\r\nContent-Length: 0\r\n\r\n"),
	OK("PUT / HTTP/1.0\r\nContent-Length: 5\r\n\r\n"),
	OK("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"),
	OK("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
	OK("POST / HTTP/1.2\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
};

static const struct row expect_rows[] = {
	F_OK("Content-Length: 5\r\nExpect: 100-continue"),
	F_OK("Content-Length: 5\r\nexpect: 100-Continue"),
	F_OK("Expect: 100-continue"),
	F("Expect: 100-continue, 100-continue", REFUSE_EXPECT),
	F("Expect: 100-continue\r\nExpect: 100-continue", REFUSE_EXPECT),
	F("Expect: 100-continue;q=1", REFUSE_EXPECT),
	F("Expect: 100", REFUSE_EXPECT),
	F("Expect: 200-ok", REFUSE_EXPECT),
	F("Expect:", REFUSE_EXPECT),
	F("Expect: 100-continue, x", REFUSE_EXPECT),
	F10("Expect: 100-continue", REFUSE_NOTHING),
	F10("Expect: nonsense", REFUSE_NOTHING),
};

static const struct row incomplete_rows[] = {
	OK(""),
	OK("G"),
	OK("GET"),
	OK("GET "),
	OK("GET /"),
	OK("GET / "),
	OK("GET / HTTP/1.1"),
	OK("GET / HTTP/1.1\r"),
	OK("GET / HTTP/1.1\r\n"),
	OK("GET / HTTP/1.1\r\nHost"),
	OK("GET / HTTP/1.1\r\nHost: a"),
	OK("GET / HTTP/1.1\r\nHost: a\r\n"),
	OK("GET / HTTP/1.1\r\nHost: a\r\n\r"),
	OK("\r"),
	OK("\r\n"),
	OK("\r\n\r"),
	OK("\r\n\r\n"),
	/* wrong at once, although the rest is still missing */
	ROW("GET\n", REFUSE_REQUEST_LINE),
	ROW("GET / HTTP/1.1\n", REFUSE_LINE_END),
	ROW("GET / HTTQ", REFUSE_VERSION),
	ROW("GET /\x01", REFUSE_TARGET),
	ROW("GET x HTTP/1.1\r\n", REFUSE_TARGET),
	ROW("GET / HTTP/1.1\r\n X", REFUSE_FIELD_FOLD),
	ROW("GET / HTTP/1.1\r\nX Y", REFUSE_FIELD_NAME),
	ROW("GET / HTTP/1.1\r\nX: \x01", REFUSE_FIELD_VALUE),
	ROW("GET / HTTP/1.1\r\nHost: a b\r\n", REFUSE_HOST),
	ROW("GET / HTTP/1.1\r\nContent-Length: x\r\n", REFUSE_CONTENT_LENGTH),
	ROW("GET / HTTP/1.1\r\nTransfer-Encoding: x\r\n", REFUSE_TRANSFER_CODING),
};

static const char *
verdict_name(ssize_t r)
{
	return r < 0 ? refusal_name((enum refusal) - r) : r ? "accepted" : "need more";
}

static void
row_check(const struct row *row, bool complete)
{
	const struct oracle_parser parser = { .limits = oracle_limits };
	ssize_t r = oracle_prefix(&parser, row->in, row->in.n);
	ssize_t want = row->want ? -(ssize_t)row->want : complete ? (ssize_t)row->in.n : 0;
	const char *wrong = oracle_head(&parser, row->in, 1);

	if (r != want || wrong)
		fail_msg("%.*s\nwants %s, gets %s (%zd)%s%s", STR_ARG(row->in), verdict_name(want),
		    verdict_name(r), r, wrong ? ": " : "", wrong ? wrong : "");
}

#define ROWS_CHECK(rows, complete)                                                                 \
	do {                                                                                       \
		for (size_t i = 0; i < sizeof(rows) / sizeof((rows)[0]); i++)                      \
			row_check(&(rows)[i], complete);                                           \
	} while (0)

static void
test_rows(void **state)
{
	(void)state;
	ROWS_CHECK(request_line_rows, true);
	ROWS_CHECK(version_rows, true);
	ROWS_CHECK(target_rows, true);
	ROWS_CHECK(host_rows, true);
	ROWS_CHECK(field_rows, true);
	ROWS_CHECK(line_end_rows, true);
	ROWS_CHECK(framing_rows, true);
	ROWS_CHECK(expect_rows, true);
	ROWS_CHECK(incomplete_rows, false);
}

static struct http_head head;

/* Parses what must be accepted; `head` is the answer, valid until the next call. */
static void
accept(const char *text)
{
	struct str in = str_of(text);

	assert_int_equal(h1_parse_request(in, &oracle_limits, &head), in.n);
}

#define assert_str(a, text)                                                                        \
	do {                                                                                       \
		struct str a_ = (a), b_ = str_of(text);                                            \
		if (!str_eq(a_, b_))                                                               \
			fail_msg("\"%.*s\" is not \"%.*s\"", STR_ARG(a_), STR_ARG(b_));            \
	} while (0)

/* Every byte value, at every place of interest: compared with the grammar, written out. */
static bool
is_tchar(int c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	    (c > 0 && c < 128 && strchr("!#$%&'*+-.^_`|~", c));
}

static ssize_t
verdict_with(const char *before, int c, const char *after)
{
	const struct oracle_parser parser = { .limits = oracle_limits };
	char text[256];
	int n = snprintf(text, sizeof(text), "%s%c%s", before, c ? c : 'N', after);

	if (c == 0)
		text[strlen(before)] = '\0';
	return oracle_prefix(&parser, (struct str){ text, (size_t)n }, (size_t)n);
}

static void
test_every_byte(void **state)
{
	/* long enough for both the wide and the narrow way to look at bytes */
	static const char *const pads[] = { "", "0123456789", "0123456789abcdef012345" };
	char before[128], after[128];

	(void)state;
	for (int c = 0; c < 256; c++)
		for (size_t i = 0; i < 9; i++) {
			const char *left = pads[i / 3], *right = pads[i % 3];

			snprintf(before, sizeof(before), "M%s", left);
			snprintf(after, sizeof(after), "%s / HTTP/1.1\r\nHost: a\r\n\r\n", right);
			if (c != ' ')
				assert_int_equal(verdict_with(before, c, after) > 0, is_tchar(c));

			snprintf(before, sizeof(before), "GET /%s", left);
			snprintf(after, sizeof(after), "%s HTTP/1.1\r\nHost: a\r\n\r\n", right);
			if (c != ' ')
				assert_int_equal(verdict_with(before, c, after) > 0,
				    c > 0x20 && c < 0x7f && c != '#');

			snprintf(before, sizeof(before), "GET / HTTP/1.1\r\nHost: a\r\nX%s", left);
			snprintf(after, sizeof(after), "%s: y\r\n\r\n", right);
			if (c != ':')
				assert_int_equal(verdict_with(before, c, after) > 0, is_tchar(c));

			snprintf(
			    before, sizeof(before), "GET / HTTP/1.1\r\nHost: a\r\nX: y%s", left);
			snprintf(after, sizeof(after), "%sz\r\n\r\n", right);
			assert_int_equal(verdict_with(before, c, after) > 0,
			    c == '\t' || (c >= 0x20 && c != 0x7f));

			snprintf(before, sizeof(before), "GET / HTTP/1.1\r\nHost: a%s", left);
			snprintf(after, sizeof(after), "%sz\r\n\r\n", right);
			if (c != '%')
				assert_int_equal(verdict_with(before, c, after) > 0,
				    c && c < 128 && (isalnum(c) || strchr("-._~!$&'()*+;=", c)));
		}
}

static void
test_line(void **state)
{
	(void)state;
	accept("GET /a?b HTTP/1.1\r\nHost: H:1\r\n\r\n");
	assert_str(head.method, "GET");
	assert_int_equal(head.method_id, METHOD_GET);
	assert_str(head.target, "/a?b");
	assert_str(head.host, "H:1");
	assert_int_equal(head.minor, 1);
	assert_int_equal(head.n_fields, 1);

	accept("\r\n\r\nget / HTTP/1.7\r\nHost: a\r\n\r\n");
	assert_int_equal(head.method_id, METHOD_OTHER);
	assert_str(head.method, "get");
	assert_int_equal(head.minor, 1);

	accept("GET / HTTP/1.0\r\n\r\n");
	assert_int_equal(head.minor, 0);
	assert_int_equal(head.host.n, 0);
	assert_int_equal(head.n_fields, 0);
}

static void
test_methods(void **state)
{
	static const struct {
		const char *name;
		enum http_method id;
		bool idempotent;
	} rows[] = {
		{ "GET", METHOD_GET, true },
		{ "HEAD", METHOD_HEAD, true },
		{ "POST", METHOD_POST, false },
		{ "PUT", METHOD_PUT, true },
		{ "DELETE", METHOD_DELETE, true },
		{ "OPTIONS", METHOD_OPTIONS, true },
		{ "PATCH", METHOD_PATCH, false },
		{ "GEX", METHOD_OTHER, false },
		{ "PUSH", METHOD_OTHER, false },
		{ "MERGE", METHOD_OTHER, false },
		{ "REPORT", METHOD_OTHER, false },
		{ "OPTION5", METHOD_OTHER, false },
		{ "PROPFIND", METHOD_OTHER, false },
		{ "Get", METHOD_OTHER, false },
	};
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text), "%s / HTTP/1.1\r\nHost: a\r\n\r\n", rows[i].name);
		accept(text);
		assert_int_equal(head.method_id, rows[i].id);
		assert_int_equal(http_method_idempotent(head.method_id), rows[i].idempotent);
	}
}

static void
test_targets(void **state)
{
	static const struct {
		const char *method, *target, *want;
		bool slash;
	} rows[] = {
		{ "GET", "http://a", "/", false },
		{ "GET", "http://a/", "/", false },
		{ "GET", "HTTPS://a/b/c?d", "/b/c?d", false },
		{ "GET", "http://a?q=/", "?q=/", true },
		{ "GET", "http://A/", "/", false },
		{ "GET", "http://a//b", "//b", false },
		{ "OPTIONS", "http://a", "*", false },
		{ "OPTIONS", "http://a/", "/", false },
		{ "OPTIONS", "http://a?q", "?q", true },
		{ "OPTIONS", "*", "*", false },
		{ "OPTIONS", "/", "/", false },
		{ "GET", "/%7e%00?%", "/%7e%00?%", false },
	};
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: a\r\n\r\n", rows[i].method,
		    rows[i].target);
		accept(text);
		assert_str(head.target, rows[i].want);
		assert_int_equal(head.target_slash, rows[i].slash);
		assert_true(str_eq_nocase(head.host, STR("a")));
	}
	accept("GET http://h:8080/ HTTP/1.0\r\n\r\n");
	assert_str(head.host, "h:8080");
}

static void
test_framing(void **state)
{
	(void)state;
	accept("POST / HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_int_equal(head.framing, FRAMING_NONE);
	assert_false(head.has_length);
	accept("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 000\r\n\r\n");
	assert_int_equal(head.framing, FRAMING_NONE);
	assert_true(head.has_length);
	accept("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0012\r\n\r\n");
	assert_int_equal(head.framing, FRAMING_LENGTH);
	assert_true(head.has_length);
	assert_int_equal(head.length, 12);
	accept("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999999999999\r\n\r\n");
	assert_int_equal(head.length, 999999999999999999);
	accept("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: cHuNkEd\r\n\r\n");
	assert_int_equal(head.framing, FRAMING_CHUNKED);
	assert_int_equal(head.length, 0);
}

static void
test_keep_alive(void **state)
{
	static const struct {
		const char *version, *fields;
		bool keep_alive;
	} rows[] = {
		{ "1.1", "", true },
		{ "1.1", "Connection: close\r\n", false },
		{ "1.1", "Connection: Close\r\n", false },
		{ "1.1", "Connection: keep-alive\r\n", true },
		{ "1.1", "Connection: keep-alive, close\r\n", false },
		{ "1.1", "Connection: close, keep-alive\r\n", false },
		{ "1.1", "Connection: keep-alive\r\nConnection: close\r\n", false },
		{ "1.1", "Connection: close\r\nConnection: keep-alive\r\n", false },
		{ "1.1", "Connection: ,, X ,close\r\n", false },
		{ "1.1", "Connection:\tclose\t\r\n", false },
		{ "1.1", "Connection: closed\r\n", true },
		{ "1.1", "Connection: clos\r\n", true },
		{ "1.1", "Connection: \"close\"\r\n", true },
		{ "1.1", "Proxy-Connection: close\r\n", true },
		{ "1.1", "Connection:\r\n", true },
		{ "1.5", "", true },
		{ "1.0", "", false },
		{ "1.0", "Connection: keep-alive\r\n", true },
		{ "1.0", "Connection: Keep-Alive\r\n", true },
		{ "1.0", "Connection: x, keep-alive\r\n", true },
		{ "1.0", "Connection: keep-alive, close\r\n", false },
		{ "1.0", "Keep-Alive: timeout=5\r\n", false },
		{ "1.0", "Proxy-Connection: keep-alive\r\n", false },
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text), "GET / HTTP/%s\r\nHost: a\r\n%s\r\n", rows[i].version,
		    rows[i].fields);
		accept(text);
		if (head.keep_alive != rows[i].keep_alive)
			fail_msg("%s", text);
	}
}

/* Writes "Name" for each field that is passed on, "-Name" for the others. */
static const char *
hops(const char *fields)
{
	static char text[1024], out[1024];
	size_t n = 0;

	snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n%s\r\n", fields);
	accept(text);
	for (unsigned i = 0; i < head.n_fields; i++)
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%s%s%.*s", i ? " " : "",
		    head.fields[i].one_hop ? "-" : "", STR_ARG(head.fields[i].name));
	return out;
}

static void
test_one_hop(void **state)
{
	(void)state;
	assert_string_equal(hops("Host: a\r\nAccept: b\r\n"), "-Host Accept");
	assert_string_equal(hops("Host: a\r\nConnection: close\r\nKeep-Alive: 5\r\n"
				 "Proxy-Connection: x\r\nTE: trailers\r\nUpgrade: h2c\r\n"
				 "HTTP2-Settings: x\r\nTrailer: x\r\nContent-Length: 1\r\n"),
	    "-Host -Connection -Keep-Alive -Proxy-Connection -TE -Upgrade -HTTP2-Settings Trailer "
	    "-Content-Length");
	assert_string_equal(
	    hops("Host: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n"),
	    "-Host -Transfer-Encoding -Expect");
	/* before and after the fields that it names, in any case */
	assert_string_equal(hops("Host: a\r\nX: 1\r\nConnection: x, y\r\nY: 2\r\nx: 3\r\nZ: 4\r\n"),
	    "-Host -X -Connection -Y -x Z");
	assert_string_equal(hops("Host: a\r\nConnection: x\r\nX: 1\r\nConnection: ,y,\r\nY: 2\r\n"),
	    "-Host -Connection -X -Connection -Y");
	assert_string_equal(hops("Host: a\r\nConnection: keep-alive, Cookie\r\nCookie: 1\r\n"
				 "Authorization: 2\r\n"),
	    "-Host -Connection -Cookie Authorization");
	/* what may not be dropped so */
	assert_string_equal(
	    hops("Host: a\r\nConnection: X-Forwarded-For, x-forwarded-host, "
		 "X-Forwarded-Proto, X-Forwarded-Port, Forwarded, Via, close\r\n"
		 "X-Forwarded-For: 1\r\nX-Forwarded-Host: 2\r\nX-Forwarded-Proto: 3\r\n"
		 "X-Forwarded-Port: 4\r\nForwarded: 5\r\nVia: 6\r\n"),
	    "-Host -Connection X-Forwarded-For X-Forwarded-Host X-Forwarded-Proto X-Forwarded-Port "
	    "Forwarded Via");
	accept("POST / HTTP/1.1\r\nHost: a\r\nConnection: Host, Content-Length\r\n"
	       "Content-Length: 3\r\n\r\n");
	assert_str(head.host, "a");
	assert_int_equal(head.length, 3);
}

static void
test_upgrade(void **state)
{
	static const struct {
		const char *line, *fields;
		bool upgrade;
	} rows[] = {
		{ "GET / HTTP/1.1", "Connection: upgrade\r\nUpgrade: websocket\r\n", true },
		{ "GET / HTTP/1.1", "Upgrade: WebSocket\r\nConnection: Upgrade\r\n", true },
		{ "GET / HTTP/1.1", "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n",
		    true },
		{ "GET / HTTP/1.1", "Upgrade: websocket\r\n", false },
		{ "GET / HTTP/1.1", "Connection: upgrade\r\n", false },
		{ "GET / HTTP/1.1", "Connection: close\r\nUpgrade: websocket\r\n", false },
		{ "GET / HTTP/1.1", "Connection: upgrade\r\nUpgrade: h2c\r\n", false },
		{ "GET / HTTP/1.1", "Connection: upgrade\r\nUpgrade: websocket, h2c\r\n", false },
		{ "GET / HTTP/1.1", "Connection: upgrade\r\nUpgrade: h2c, websocket\r\n", false },
		{ "GET / HTTP/1.1", "Connection: upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n",
		    false },
		{ "GET / HTTP/1.1", "Connection: upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket\r\n",
		    false },
		{ "GET / HTTP/1.1", "Connection: upgrade\r\nUpgrade: websocket/13\r\n", false },
		{ "GET / HTTP/1.1", "Connection: upgrade\r\nUpgrade: websockets\r\n", false },
		{ "GET / HTTP/1.0", "Connection: upgrade\r\nUpgrade: websocket\r\n", false },
		{ "POST / HTTP/1.1", "Connection: upgrade\r\nUpgrade: websocket\r\n", false },
		{ "get / HTTP/1.1", "Connection: upgrade\r\nUpgrade: websocket\r\n", false },
		{ "GET / HTTP/1.1",
		    "Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n", false },
		{ "GET / HTTP/1.1",
		    "Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n", true },
		{ "GET / HTTP/1.1",
		    "Connection: upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n",
		    false },
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(
		    text, sizeof(text), "%s\r\nHost: a\r\n%s\r\n", rows[i].line, rows[i].fields);
		accept(text);
		if (head.upgrade_websocket != rows[i].upgrade)
			fail_msg("%s", text);
	}
}

static void
test_expect_and_te(void **state)
{
	(void)state;
	accept("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-Continue\r\n\r\n");
	assert_true(head.expect_continue);
	accept("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n");
	assert_false(head.expect_continue); /* nothing to wait for */
	accept("POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n");
	assert_false(head.expect_continue);

	accept("GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n");
	assert_true(head.te_trailers);
	accept("GET / HTTP/1.1\r\nHost: a\r\nTE: deflate;q=0.5, Trailers\r\n\r\n");
	assert_true(head.te_trailers);
	accept("GET / HTTP/1.1\r\nHost: a\r\nTE: deflate\r\nTE: trailers\r\n\r\n");
	assert_true(head.te_trailers);
	accept("GET / HTTP/1.1\r\nHost: a\r\nTE: deflate\r\n\r\n");
	assert_false(head.te_trailers);
	accept("GET / HTTP/1.1\r\nHost: a\r\nTE: trailersx, xtrailers\r\n\r\n");
	assert_false(head.te_trailers);
	accept("GET / HTTP/1.0\r\nTE: trailers\r\n\r\n");
	assert_false(head.te_trailers);
}

/* What a refusal leaves for the log. */
static void
test_refused_is_logged(void **state)
{
	static const char line[] = "GET /x HTTP/3.0\r\nHost: a\r\n\r\n";
	static const char field[] = "GET /x HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n";
	static const char early[] = "GET\r\n";

	(void)state;
	assert_int_equal(
	    h1_parse_request(str_of(line), &oracle_limits, &head), -REFUSE_VERSION_MAJOR);
	assert_str(head.method, "GET");
	assert_str(head.target, "/x");
	assert_str(head.host, "");
	assert_int_equal(
	    h1_parse_request(str_of(field), &oracle_limits, &head), -REFUSE_FIELD_NAME);
	assert_str(head.host, "a");
	assert_int_equal(
	    h1_parse_request(str_of(early), &oracle_limits, &head), -REFUSE_REQUEST_LINE);
	assert_str(head.target, "");
}

/* A request of one line "<before>xxx...<after>" with n bytes of x. */
static struct str
stretched(const char *before, size_t n, const char *after)
{
	static char room[70000];
	size_t b = strlen(before), a = strlen(after);

	assert_true(b + n + a <= sizeof(room));
	memcpy(room, before, b);
	memset(room + b, 'x', n);
	memcpy(room + b + n, after, a);
	return (struct str){ room, b + n + a };
}

static void
limit_check(struct oracle_parser *parser, struct str in, ssize_t want)
{
	const char *wrong = oracle_cuts(parser, in, 97);

	if (wrong)
		fail_msg("%s", wrong);
	assert_int_equal(oracle_prefix(parser, in, in.n), want);
}

static void
test_limits(void **state)
{
	struct oracle_parser parser = { .limits = { 1000, 100, 3 } };
	const char *line = "GET / HTTP/1.1\r\nHost: a\r\nX: ",
		   *end = " HTTP/1.1\r\nHost: a\r\n\r\n";
	size_t used = strlen(line) + 4;
	struct str in;

	(void)state;
	in = stretched("GET /", 99, end);
	limit_check(&parser, in, (ssize_t)in.n);
	limit_check(&parser, stretched("GET /", 100, end), -REFUSE_TARGET_LENGTH);
	limit_check(&parser, stretched("GET /", 100, ""), -REFUSE_TARGET_LENGTH);
	limit_check(&parser, stretched("GET /", 99, ""), 0);
	limit_check(&parser, stretched("GET http://a/", 87, " HTTP/1.1\r\nHost: a\r\n\r\n"), 122);
	limit_check(&parser, stretched("GET http://a/", 92, ""), -REFUSE_TARGET_LENGTH);

	in = stretched(line, 1000 - used, "\r\n\r\n");
	limit_check(&parser, in, 1000);
	limit_check(&parser, stretched(line, 1001 - used, "\r\n\r\n"), -REFUSE_HEAD_SIZE);
	limit_check(&parser, stretched(line, 1500, "\r\n\r\n"), -REFUSE_HEAD_SIZE);
	limit_check(&parser, stretched(line, 1000, ""), -REFUSE_HEAD_SIZE);
	limit_check(&parser, stretched(line, 999 - strlen(line), ""), 0);
	limit_check(&parser, stretched(line, 1000 - strlen(line), ""), -REFUSE_HEAD_SIZE);
	limit_check(
	    &parser, stretched("GET / HTTP/1.1\r\nHost: a\r\n", 1000, ""), -REFUSE_HEAD_SIZE);

	in = STR("GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nY: 2\r\n\r\n");
	limit_check(&parser, in, (ssize_t)in.n);
	limit_check(
	    &parser, STR("GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nY: 2\r\nZ"), -REFUSE_FIELD_COUNT);
	limit_check(&parser, STR("GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nY: 2\r\n"), 0);
	limit_check(&parser, STR("GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nY: 2\r\n\r"), 0);
}

/* Lengths are kept in full: a long name is not a short one with a long value. */
static void
test_long_names(void **state)
{
	static const size_t sizes[] = { 255, 256, 257, 256 + 14, 511, 4096, 16384 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct str in = stretched(
		    "GET / HTTP/1.1\r\nHost: a\r\n", sizes[i], ": y\r\nContent-Length: 7\r\n\r\n");

		assert_int_equal(h1_parse_request(in, &oracle_limits, &head), in.n);
		assert_int_equal(head.n_fields, 3);
		assert_int_equal(head.fields[1].name.n, sizes[i]);
		assert_str(head.fields[1].value, "y");
		assert_int_equal(head.length, 7);
	}
}

/* The largest table, filled; and one more. */
static void
test_most_fields(void **state)
{
	struct oracle_parser parser = { .limits = { 32768, 100, HTTP_FIELDS_MAX } };
	char text[4096];
	size_t n = (size_t)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n");

	(void)state;
	for (int i = 1; i < HTTP_FIELDS_MAX; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "X:%d\r\n", i);
	memcpy(text + n, "\r\n", 2);
	limit_check(&parser, (struct str){ text, n + 2 }, (ssize_t)n + 2);
	memcpy(text + n, "Y:\r\n\r\n", 6);
	limit_check(&parser, (struct str){ text, n + 6 }, -REFUSE_FIELD_COUNT);
}

/* Naming fields costs fields times options: the options are bounded. */
static void
test_connection_options(void **state)
{
	char text[1024];
	size_t n;

	(void)state;
	for (int options = 64; options <= 65; options++) {
		n = (size_t)snprintf(
		    text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\nConnection: a");
		for (int i = 1; i < options; i++)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s", ", b");
		n += (size_t)snprintf(text + n, sizeof(text) - n, "\r\n\r\n");
		assert_int_equal(h1_parse_request((struct str){ text, n }, &oracle_limits, &head),
		    options == 64 ? (ssize_t)n : -REFUSE_FIELD_COUNT);
	}
}

/* What follows a head is not looked at. */
static void
test_pipelined(void **state)
{
	struct str in = STR("GET / HTTP/1.1\r\nHost: a\r\n\r\n\0\xff rubbish\n");

	(void)state;
	assert_int_equal(h1_parse_request(in, &oracle_limits, &head), 27);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_every_byte),
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_framing),
		cmocka_unit_test(test_keep_alive),
		cmocka_unit_test(test_one_hop),
		cmocka_unit_test(test_upgrade),
		cmocka_unit_test(test_expect_and_te),
		cmocka_unit_test(test_refused_is_logged),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_most_fields),
		cmocka_unit_test(test_connection_options),
		cmocka_unit_test(test_pipelined),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

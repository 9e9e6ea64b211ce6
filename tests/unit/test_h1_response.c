/*
 * test_h1_response.c - docs/http-policy.md for what servers answer.
 *
 * As test_h1_request.c: every row is also cut at every byte, and formatted and parsed again.
 */
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
#define L(line, verdict) ROW(line "\r\nContent-Length: 0\r\n\r\n", verdict)
#define L_OK(line) L(line, REFUSE_NOTHING)
#define F(field, verdict) ROW("HTTP/1.1 200 OK\r\n" field "\r\n\r\n", verdict)
#define F_OK(field) F(field, REFUSE_NOTHING)

static const struct row status_line_rows[] = {
	L_OK("HTTP/1.1 200 OK"), L_OK("HTTP/1.0 200 OK"), L_OK("HTTP/1.1 200 "),
	L_OK("HTTP/1.1 200"), L_OK("HTTP/1.1 200  OK "),
	L_OK("HTTP/1.1 200 A rather long reason phrase of more than sixteen bytes"),
	L_OK("HTTP/1.1 200 \xc3\xa9t\xc3\xa9"), L_OK("HTTP/1.1 200 a\tb"), L_OK("HTTP/1.1 299 x"),
	L_OK("HTTP/1.1 404 Not Found"), L_OK("HTTP/1.1 599 x"), L_OK("HTTP/1.1 600 x"),
	L_OK("HTTP/1.1 999 x"), L_OK("HTTP/1.1 100 Continue"), L_OK("HTTP/1.1 103 Early Hints"),
	L("HTTP/1.1 099 x", REFUSE_STATUS_LINE), L("HTTP/1.1 000 x", REFUSE_STATUS_LINE),
	L("HTTP/1.1 20 OK", REFUSE_STATUS_LINE), L("HTTP/1.1 2000 OK", REFUSE_STATUS_LINE),
	L("HTTP/1.1 +20 OK", REFUSE_STATUS_LINE), L("HTTP/1.1 -20 OK", REFUSE_STATUS_LINE),
	L("HTTP/1.1 2x0 OK", REFUSE_STATUS_LINE), L("HTTP/1.1 0x1 OK", REFUSE_STATUS_LINE),
	L("HTTP/1.1 OK", REFUSE_STATUS_LINE), L("HTTP/1.1 ", REFUSE_STATUS_LINE),
	L("HTTP/1.1", REFUSE_STATUS_LINE), L("HTTP/1.1  200 OK", REFUSE_STATUS_LINE),
	L("HTTP/1.1\t200 OK", REFUSE_STATUS_LINE), L("HTTP/1.1 200\tOK", REFUSE_STATUS_LINE),
	L("HTTP/1.1 200;OK", REFUSE_STATUS_LINE), L("HTTP/1.1 200OK", REFUSE_STATUS_LINE),
	L("HTTP/1.2 200 OK", REFUSE_STATUS_LINE), L("HTTP/1.9 200 OK", REFUSE_STATUS_LINE),
	L("HTTP/2.0 200 OK", REFUSE_STATUS_LINE), L("HTTP/0.9 200 OK", REFUSE_STATUS_LINE),
	L("HTTP/2 200", REFUSE_STATUS_LINE), L("HTTP/1 200 OK", REFUSE_STATUS_LINE),
	L("HTTP/1.10 200 OK", REFUSE_STATUS_LINE), L("http/1.1 200 OK", REFUSE_STATUS_LINE),
	L("ICY 200 OK", REFUSE_STATUS_LINE), L(" HTTP/1.1 200 OK", REFUSE_STATUS_LINE),
	L("\r\nHTTP/1.1 200 OK", REFUSE_STATUS_LINE), L("\nHTTP/1.1 200 OK", REFUSE_STATUS_LINE),
	L("<html>", REFUSE_STATUS_LINE), L("SSH-2.0-x", REFUSE_STATUS_LINE),
	L("GET / HTTP/1.1", REFUSE_STATUS_LINE), L("HTTP/1.1 200 \x01", REFUSE_STATUS_LINE),
	L("HTTP/1.1 200 a\0b", REFUSE_STATUS_LINE), L("HTTP/1.1 200 a\x7f", REFUSE_STATUS_LINE),
	L("HTTP/1.1 200 OK\r", REFUSE_LINE_END), L("HTTP/1.1 200 O\rK", REFUSE_LINE_END),
	L("HTTP/1.1 200\rOK", REFUSE_LINE_END),
	ROW("HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n", REFUSE_LINE_END),
	ROW("HTTP/1.1 200\nContent-Length: 0\r\n\r\n", REFUSE_LINE_END),
	ROW("\x15\x03\x03\x00\x02\x02\x28", REFUSE_STATUS_LINE), /* a TLS alert */
	ROW("\0\0\x12\x04\0\0\0\0\0", REFUSE_STATUS_LINE), /* HTTP/2 SETTINGS */
};

static const struct row field_rows[] = {
	F_OK("Content-Length: 0"),
	F_OK("X: y"),
	F_OK("X:y"),
	F_OK("X: \xe2\x82\xac"),
	F_OK("Set-Cookie: a\r\nSet-Cookie: b"),
	F_OK("Host: not ours to judge"),
	F_OK("Host: a\r\nHost: b"),
	F_OK("Expect: anything"),
	F_OK("Upgrade: h2,h2c\r\nConnection: Upgrade"),
	F("X : y", REFUSE_FIELD_NAME),
	F("X", REFUSE_FIELD_NAME),
	F(": y", REFUSE_FIELD_NAME),
	F("X Y: z", REFUSE_FIELD_NAME),
	F("X\0: y", REFUSE_FIELD_NAME),
	F("HTTP/1.1 200 OK", REFUSE_FIELD_NAME),
	F("X: a\0b", REFUSE_FIELD_VALUE),
	F("X: a\x01", REFUSE_FIELD_VALUE),
	F("X: a\x7f", REFUSE_FIELD_VALUE),
	F("X: y\r\n z", REFUSE_FIELD_FOLD),
	F("X: y\r\n\tz", REFUSE_FIELD_FOLD),
	F(" X: y", REFUSE_FIELD_FOLD),
	F("X: y\nY: z", REFUSE_LINE_END),
	F("X: y\rY: z", REFUSE_LINE_END),
	F("X: y\r\n\n", REFUSE_LINE_END),
	F("Content_Length: 5", REFUSE_FIELD_NAME),
	F("Transfer_Encoding: chunked", REFUSE_FIELD_NAME),
};

static const struct row framing_rows[] = {
	F_OK("Content-Length: 5"),
	F_OK("Content-Length: 005"),
	F("Content-Length:", REFUSE_CONTENT_LENGTH),
	F("Content-Length: x", REFUSE_CONTENT_LENGTH),
	F("Content-Length: -1", REFUSE_CONTENT_LENGTH),
	F("Content-Length: +5", REFUSE_CONTENT_LENGTH),
	F("Content-Length: 5, 5", REFUSE_CONTENT_LENGTH),
	F("Content-Length: 0x5", REFUSE_CONTENT_LENGTH),
	F("Content-Length: 18446744073709551616", REFUSE_CONTENT_LENGTH),
	F("Content-Length: 5\r\nContent-Length: 5", REFUSE_CONTENT_LENGTH),
	F("Content-Length: 5\r\nContent-Length: 6", REFUSE_CONTENT_LENGTH),
	F_OK("Transfer-Encoding: chunked"),
	F_OK("Transfer-Encoding: CHUNKED"),
	F("Transfer-Encoding:", REFUSE_TRANSFER_ENCODING),
	F("Transfer-Encoding: gzip", REFUSE_TRANSFER_CODING),
	F("Transfer-Encoding: identity", REFUSE_TRANSFER_CODING),
	F("Transfer-Encoding: gzip, chunked", REFUSE_TRANSFER_CODING),
	F("Transfer-Encoding: chunked, gzip", REFUSE_TRANSFER_ENCODING),
	F("Transfer-Encoding: chunked, chunked", REFUSE_TRANSFER_ENCODING),
	F("Transfer-Encoding: chunked,", REFUSE_TRANSFER_ENCODING),
	F("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", REFUSE_TRANSFER_ENCODING),
	F("Transfer-Encoding: chunked\r\nContent-Length: 5", REFUSE_FRAMING),
	F("Content-Length: 5\r\nTransfer-Encoding: chunked", REFUSE_FRAMING),
	ROW("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", REFUSE_TRANSFER_ENCODING),
	OK("HTTP/1.1 200 OK\r\n\r\n"),
	OK("HTTP/1.0 200 OK\r\n\r\n"),
	ROW("HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n", REFUSE_FRAMING),
	ROW("HTTP/1.1 103 x\r\nTransfer-Encoding: chunked\r\n\r\n", REFUSE_FRAMING),
	OK("HTTP/1.1 204 x\r\nContent-Length: 5\r\n\r\n"),
	ROW("HTTP/1.1 204 x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
	    REFUSE_FRAMING),
	ROW("HTTP/1.1 304 x\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
	    REFUSE_CONTENT_LENGTH),
	ROW("HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", REFUSE_UPGRADE),
};

static const struct row incomplete_rows[] = {
	OK(""),
	OK("H"),
	OK("HTTP/1.1"),
	OK("HTTP/1.1 "),
	OK("HTTP/1.1 20"),
	OK("HTTP/1.1 200"),
	OK("HTTP/1.1 200 "),
	OK("HTTP/1.1 200 OK"),
	OK("HTTP/1.1 200 OK\r"),
	OK("HTTP/1.1 200 OK\r\n"),
	OK("HTTP/1.1 200 OK\r\nX: y\r\n"),
	OK("HTTP/1.1 200 OK\r\nX: y\r\n\r"),
	ROW("HTTP/1.1 000", REFUSE_STATUS_LINE),
	ROW("HTTQ", REFUSE_STATUS_LINE),
	ROW("<", REFUSE_STATUS_LINE),
	ROW("HTTP/1.1 200 OK\r\nContent-Length: 5,", REFUSE_NOTHING),
	ROW("HTTP/1.1 200 OK\r\nContent-Length: 5,\r\n", REFUSE_CONTENT_LENGTH),
};

static const char *
verdict_name(ssize_t r)
{
	return r < 0 ? refusal_name((enum refusal) - r) : r ? "accepted" : "need more";
}

static void
row_check(const struct row *row, bool complete)
{
	const struct oracle_parser parser = {
		.response = true,
		.limits = oracle_limits,
		.expected = { .method = METHOD_GET },
	};
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
	ROWS_CHECK(status_line_rows, true);
	ROWS_CHECK(field_rows, true);
	ROWS_CHECK(framing_rows, true);
	ROWS_CHECK(incomplete_rows, false);
}

static struct http_head head;

static void
accept(const char *text, struct h1_expected expected)
{
	struct str in = str_of(text);

	assert_int_equal(h1_parse_response(in, &oracle_limits, expected, &head), in.n);
}

static void
test_status_line(void **state)
{
	const struct h1_expected get = { METHOD_GET, false };

	(void)state;
	accept("HTTP/1.0 404 Not Found\r\n\r\n", get);
	assert_int_equal(head.status, 404);
	assert_int_equal(head.minor, 0);
	assert_true(str_eq(head.reason, STR("Not Found")));
	accept("HTTP/1.1 999\r\n\r\n", get);
	assert_int_equal(head.status, 999);
	assert_int_equal(head.minor, 1);
	assert_int_equal(head.reason.n, 0);
}

/* RFC 9112 6.3: where the body ends, by status, method and fields. */
static void
test_framing(void **state)
{
	static const struct {
		unsigned status;
		enum http_method method;
		const char *fields;
		enum http_framing framing;
		bool has_length, keep_alive;
	} rows[] = {
		{ 200, METHOD_GET, "Content-Length: 5\r\n", FRAMING_LENGTH, true, true },
		{ 200, METHOD_GET, "Content-Length: 0\r\n", FRAMING_NONE, true, true },
		{ 200, METHOD_GET, "Transfer-Encoding: chunked\r\n", FRAMING_CHUNKED, false, true },
		{ 200, METHOD_GET, "", FRAMING_CLOSE, false, false },
		{ 200, METHOD_GET, "Connection: keep-alive\r\n", FRAMING_CLOSE, false, false },
		{ 200, METHOD_OTHER, "Content-Length: 5\r\n", FRAMING_LENGTH, true, true },
		{ 205, METHOD_GET, "", FRAMING_CLOSE, false, false },
		{ 206, METHOD_GET, "Content-Length: 5\r\n", FRAMING_LENGTH, true, true },
		{ 404, METHOD_GET, "Content-Length: 5\r\n", FRAMING_LENGTH, true, true },
		{ 600, METHOD_GET, "Content-Length: 5\r\n", FRAMING_LENGTH, true, true },
		{ 200, METHOD_HEAD, "Content-Length: 5\r\n", FRAMING_NONE, true, true },
		{ 200, METHOD_HEAD, "Transfer-Encoding: chunked\r\n", FRAMING_NONE, false, true },
		{ 200, METHOD_HEAD, "", FRAMING_NONE, false, true },
		{ 304, METHOD_GET, "Content-Length: 5\r\n", FRAMING_NONE, true, true },
		{ 304, METHOD_GET, "Transfer-Encoding: chunked\r\n", FRAMING_NONE, false, true },
		{ 304, METHOD_GET, "", FRAMING_NONE, false, true },
		{ 204, METHOD_GET, "", FRAMING_NONE, false, true },
		{ 204, METHOD_GET, "Content-Length: 0\r\n", FRAMING_NONE, false, true },
		{ 204, METHOD_GET, "Content-Length: 5\r\n", FRAMING_NONE, false, false },
		{ 204, METHOD_GET, "Transfer-Encoding: chunked\r\n", FRAMING_NONE, false, false },
		{ 100, METHOD_POST, "", FRAMING_NONE, false, true },
		{ 103, METHOD_GET, "Link: x\r\n", FRAMING_NONE, false, true },
		{ 100, METHOD_POST, "Content-Length: 0\r\n", FRAMING_NONE, false, true },
		{ 200, METHOD_GET, "Content-Length: 5\r\nConnection: close\r\n", FRAMING_LENGTH,
		    true, false },
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(
		    text, sizeof(text), "HTTP/1.1 %u x\r\n%s\r\n", rows[i].status, rows[i].fields);
		accept(text, (struct h1_expected){ rows[i].method, false });
		if (head.framing != rows[i].framing || head.has_length != rows[i].has_length ||
		    head.keep_alive != rows[i].keep_alive)
			fail_msg("%s", text);
	}
}

static void
test_keep_alive_1_0(void **state)
{
	const struct h1_expected get = { METHOD_GET, false };

	(void)state;
	accept("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", get);
	assert_false(head.keep_alive);
	accept("HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n", get);
	assert_true(head.keep_alive);
	accept("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n", get);
	assert_false(head.keep_alive);
}

static void
test_one_hop(void **state)
{
	(void)state;
	accept("HTTP/1.1 200 OK\r\nServer: x\r\nConnection: x-a\r\nX-A: 1\r\nX-B: 2\r\n"
	       "Keep-Alive: timeout=5\r\nUpgrade: h2c\r\nContent-Length: 0\r\nTrailer: x\r\n\r\n",
	    (struct h1_expected){ METHOD_GET, false });
	for (unsigned i = 0; i < head.n_fields; i++) {
		bool passed = i == 0 || i == 3 || i == 7;

		assert_int_equal(head.fields[i].one_hop, !passed);
	}
}

static void
test_upgrade(void **state)
{
	static const struct {
		const char *text;
		bool asked, accepted;
	} rows[] = {
		{ "HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", true,
		    true },
		{ "HTTP/1.1 101 x\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\r\n", true,
		    true },
		{ "HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
		  "Content-Length: 0\r\n\r\n",
		    true, true },
		{ "HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", false,
		    false },
		{ "HTTP/1.1 101 x\r\n\r\n", true, false },
		{ "HTTP/1.1 101 x\r\nUpgrade: websocket\r\n\r\n", true, false },
		{ "HTTP/1.1 101 x\r\nConnection: upgrade\r\n\r\n", true, false },
		{ "HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n", true, false },
		{ "HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: websocket, h2c\r\n\r\n", true,
		    false },
		{ "HTTP/1.0 101 x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", true,
		    false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct oracle_parser parser = {
			.response = true,
			.limits = oracle_limits,
			.expected = { .method = METHOD_GET, .upgrade = rows[i].asked },
		};
		struct str in = str_of(rows[i].text);
		const char *wrong = oracle_head(&parser, in, 1);
		ssize_t r = h1_parse_response(in, &oracle_limits, parser.expected, &head);

		if (r != (rows[i].accepted ? (ssize_t)in.n : -REFUSE_UPGRADE) || wrong)
			fail_msg("%s%s", rows[i].text, wrong ? wrong : "");
		if (r > 0)
			assert_true(head.upgrade_websocket);
	}
	/* any other answer to a request that asks is an ordinary one */
	accept("HTTP/1.1 200 OK\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
	       "Content-Length: 3\r\n\r\n",
	    (struct h1_expected){ METHOD_GET, true });
	assert_false(head.upgrade_websocket);
	assert_int_equal(head.framing, FRAMING_LENGTH);
}

static void
test_limits(void **state)
{
	const struct http_limits limits = { 100, 0, 2 };
	const struct h1_expected get = { METHOD_GET, false };
	char text[200];

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, "HTTP/1.1 200 ", 13);
	assert_int_equal(h1_parse_response((struct str){ text, 99 }, &limits, get, &head), 0);
	assert_int_equal(
	    h1_parse_response((struct str){ text, 100 }, &limits, get, &head), -REFUSE_HEAD_SIZE);
	memcpy(text + 96, "\r\n\r\n", 4);
	assert_int_equal(h1_parse_response((struct str){ text, 100 }, &limits, get, &head), 100);
	assert_int_equal(h1_parse_response((struct str){ text, 200 }, &limits, get, &head), 100);
	assert_int_equal(
	    h1_parse_response(STR("HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\nC"), &limits, get, &head),
	    -REFUSE_FIELD_COUNT);
}

/* Whatever was refused of a server's answer, the client gets a 502; the table is for requests. */
static void
test_refusals(void **state)
{
	(void)state;
	for (enum refusal r = REFUSE_NOTHING + 1; r < REFUSE_COUNT; r++) {
		unsigned status = refusal_status(r);

		assert_true(status >= 400 && status < 600);
		assert_true(*http_reason(status));
		assert_non_null(refusal_name(r));
		assert_true(strlen(refusal_name(r)) > 3);
		for (enum refusal other = REFUSE_NOTHING; other < r; other++)
			assert_string_not_equal(refusal_name(other), refusal_name(r));
	}
	assert_int_equal(refusal_status(REFUSE_TARGET_LENGTH), 414);
	assert_int_equal(refusal_status(REFUSE_HEAD_SIZE), 431);
	assert_int_equal(refusal_status(REFUSE_FIELD_COUNT), 431);
	assert_int_equal(refusal_status(REFUSE_EXPECT), 417);
	assert_int_equal(refusal_status(REFUSE_METHOD_DENIED), 405);
	assert_int_equal(refusal_status(REFUSE_TRANSFER_CODING), 501);
	assert_int_equal(refusal_status(REFUSE_VERSION_MAJOR), 505);
	assert_string_equal(refusal_name(REFUSE_FRAMING), "framing");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_status_line),
		cmocka_unit_test(test_framing),
		cmocka_unit_test(test_keep_alive_1_0),
		cmocka_unit_test(test_one_hop),
		cmocka_unit_test(test_upgrade),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_h2_session_server.c - a session with a server: what is asked, what comes of it, and how streams end.  The
 * server is frames written by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <nghttp2/nghttp2.h>

#include "lbd/http/h2_session.h"

static const struct http_limits limits = { .head_size = 4096, .fields = 16 };
static const struct str head_of_get = STR("GET /a?b HTTP/1.1\r\nHost: test\r\nX-A: 1\r\n"
					  "Connection: TE\r\nTE: trailers\r\n\r\n");

struct call {
	unsigned status, heads, ended, closed;
	enum refusal refusal;
	enum h2_closing how;
	size_t bytes;
	struct str trailers;
	bool sent;
};

static struct http_head head;
static struct h2_session *session;
static struct call calls[3];

static void
on_response(void *arg, enum refusal refusal, bool end)
{
	struct call *c = arg;

	(void)end;
	c->heads++;
	c->status = head.status;
	c->refusal = refusal;
}

static bool
on_awaits(void *arg)
{
	return ((const struct call *)arg)->status < 200;
}

static void
on_data(void *arg, const char *p, size_t n)
{
	(void)p;
	((struct call *)arg)->bytes += n;
}

static void
on_end(void *arg, struct str trailers)
{
	struct call *c = arg;

	c->ended++;
	c->trailers = (struct str){ NULL, trailers.n };
}

static void
on_closed(void *arg, enum h2_closing how)
{
	struct call *c = arg;

	c->closed++;
	c->how = how;
}

static void
on_sent(void *arg, size_t bytes, bool end)
{
	(void)bytes;
	((struct call *)arg)->sent = end;
}

/* A tunnel's client says nothing yet. */
static size_t
on_waiting(void *arg, bool *end)
{
	(void)arg;
	*end = false;
	return 0;
}

static const struct h2_events events = {
	.waiting = on_waiting,
	.data = on_data,
	.end = on_end,
	.closed = on_closed,
	.sent = on_sent,
	.response = on_response,
	.awaits = on_awaits,
};

/* --- the server --- */

static void
feed(const char *p, size_t n)
{
	h2_session_feed(session, p, n, 1);
}

#define FEED(bytes) feed((bytes), sizeof(bytes) - 1)

static size_t
output(char *to, size_t size)
{
	return h2_session_output(session, to, size);
}

static void
ask(unsigned n)
{
	static char out[H2_OUTPUT_MIN];

	for (unsigned i = 0; i < n; i++)
		assert_int_equal(
		    h2_session_ask(session, head_of_get, STR("http"), H2_NOTHING, &calls[i]),
		    2 * i + 1);
	output(out, sizeof(out));
}

static int
setup(void **state)
{
	static const struct call none;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		calls[i] = none;
	session = h2_session_connect(&events, NULL, &limits, &head, H2_WINDOW_ANSWER);
	return session ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	h2_session_free(&session);
	return 0;
}

/* --- the cases --- */

static nghttp2_nv *
decode(nghttp2_hd_inflater *hd, const char *p, size_t n)
{
	static nghttp2_nv nv;
	int flags = 0;
	ssize_t used = nghttp2_hd_inflate_hd2(hd, &nv, &flags, (const uint8_t *)p, n, 1);

	assert_true(used > 0 && flags & NGHTTP2_HD_INFLATE_EMIT);
	return &nv;
}

/* The preface, SETTINGS, WINDOW_UPDATE, and the request, of which nothing of one hop is left but te. */
static void
test_a_request(void **state)
{
	static char out[H2_OUTPUT_MIN];
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
	nghttp2_hd_inflater *hd;
	size_t n, at = sizeof(preface) - 1, size;

	(void)state;
	assert_int_equal(
	    h2_session_ask(session, head_of_get, STR("http"), H2_NOTHING, &calls[0]), 1);
	n = output(out, sizeof(out));
	assert_true(n > at && memcmp(out, preface, at) == 0);
	while (at + 9 <= n && out[at + 3] != NGHTTP2_HEADERS)
		at += 9 + (size_t)((unsigned char)out[at + 1] << 8 | (unsigned char)out[at + 2]);
	size = (unsigned char)out[at + 2];
	assert_int_equal(at + 9 + size, n);
	assert_int_equal(out[at + 4], NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM);
	assert_true(calls[0].sent);
	assert_int_equal(nghttp2_hd_inflate_new(&hd), 0);
	assert_memory_equal(decode(hd, out + at + 9, size)->name, ":method", 7);
	nghttp2_hd_inflate_del(hd);
	assert_null(memmem(out + at, n - at, "onnection", 9));
}

/* RFC 8441: only when the server has said so; without the key that HTTP/1 has. */
static void
test_a_websocket(void **state)
{
	static const struct str chat = STR(
	    "GET /chat HTTP/1.1\r\nHost: test\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	    "X-A: 1\r\nX-Request-Id: 2\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
	static const char *const names[] = { ":method", ":scheme", ":authority", ":path",
		":protocol", "x-a", "x-request-id" };
	static char out[H2_OUTPUT_MIN];
	nghttp2_hd_inflater *hd;
	const char *p = out + 9;
	nghttp2_nv nv;
	size_t n;
	int flags;

	(void)state;
	assert_false(h2_session_settled(session) || h2_session_tunnels(session));
	FEED("\0\0\6\4\0\0\0\0\0\0\x08\0\0\0\1");
	assert_true(h2_session_settled(session) && h2_session_tunnels(session));
	output(out, sizeof(out));
	assert_int_equal(h2_session_ask(session, chat, STR("http"), H2_WEBSOCKET, &calls[0]), 1);
	n = output(out, sizeof(out));
	assert_int_equal(out[3], NGHTTP2_HEADERS);
	assert_int_equal(out[4], NGHTTP2_FLAG_END_HEADERS);
	assert_int_equal(nghttp2_hd_inflate_new(&hd), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		p += nghttp2_hd_inflate_hd2(
		    hd, &nv, &flags, (const uint8_t *)p, (size_t)(out + n - p), 1);
		assert_true(flags & NGHTTP2_HD_INFLATE_EMIT);
		assert_true(str_eq(str_of(names[i]), (struct str){ (char *)nv.name, nv.namelen }));
		/* what differs each time stays out of the table that all share */
		assert_int_equal(nv.flags & NGHTTP2_NV_FLAG_NO_INDEX, i == 6);
		if (i == 0)
			assert_memory_equal(nv.value, "CONNECT", 7);
	}
	assert_ptr_equal(p, out + n);
	nghttp2_hd_inflate_del(hd);
}

static void
test_an_answer(void **state)
{
	(void)state;
	ask(1);
	FEED("\0\0\0\4\0\0\0\0\0"); /* SETTINGS */
	FEED("\0\0\5\1\4\0\0\0\1\x48\3"
	     "103"); /* :status 103 */
	assert_int_equal(calls[0].status, 103);
	FEED("\0\0\1\1\4\0\0\0\1\x88"); /* 200 */
	assert_int_equal(calls[0].status, 200);
	FEED("\0\0\3\0\0\0\0\0\1abc");
	FEED("\0\0\5\1\5\0\0\0\1\0\1x\1y"); /* trailers */
	assert_int_equal(calls[0].heads, 2);
	assert_int_equal(calls[0].bytes, 3);
	assert_int_equal(calls[0].ended, 1);
	assert_int_equal(calls[0].trailers.n, 6);
	assert_int_equal(calls[0].closed, 1);
	assert_int_equal(calls[0].how, H2_CLOSED);
}

static void
test_how_streams_end(void **state)
{
	(void)state;
	ask(3);
	FEED("\0\0\0\4\0\0\0\0\0");
	FEED("\0\0\4\3\0\0\0\0\1\0\0\0\2"); /* RST_STREAM INTERNAL_ERROR */
	assert_int_equal(calls[0].how, H2_CLOSED);
	FEED("\0\0\4\3\0\0\0\0\3\0\0\0\7"); /* REFUSED_STREAM */
	assert_int_equal(calls[1].how, H2_REFUSED);
	assert_int_equal(h2_session_streams_max(session), H2_STREAMS_MAX);
	FEED("\0\0\x8\7\0\0\0\0\0\0\0\0\3\0\0\0\0"); /* GOAWAY: 3 was the last */
	assert_int_equal(calls[2].how, H2_UNSEEN);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(calls[i].closed, 1);
	assert_int_equal(h2_session_streams_max(session), 0);
	assert_int_equal(h2_session_offence(session), H2_NO_OFFENCE);
}

static void
test_the_servers_limit(void **state)
{
	(void)state;
	assert_int_equal(h2_session_streams_max(session), H2_STREAMS_MAX);
	FEED("\0\0\6\4\0\0\0\0\0\0\3\0\0\0\2"); /* MAX_CONCURRENT_STREAMS 2 */
	assert_int_equal(h2_session_streams_max(session), 2);
}

static void
test_a_malformed_answer(void **state)
{
	(void)state;
	ask(1);
	FEED("\0\0\0\4\0\0\0\0\0");
	FEED("\0\0\xf\1\4\0\0\0\1\x88\0\nconnection\1x");
	assert_int_not_equal(calls[0].refusal, REFUSE_NOTHING);
}

static void
test_ping(void **state)
{
	static char out[H2_OUTPUT_MIN];

	(void)state;
	FEED("\0\0\0\4\0\0\0\0\0");
	h2_session_ping(session);
	output(out, sizeof(out));
	assert_int_equal(h2_session_pongs(session), 0);
	FEED("\0\0\x8\6\1\0\0\0\0\0\0\0\0\0\0\0\0");
	assert_int_equal(h2_session_pongs(session), 1);
}

/* What is no HTTP/2, what nobody may send, and floods end the session. */
static void
test_offences(void **state)
{
	static char out[H2_OUTPUT_MIN];

	FEED("HTTP/1.1 400 Bad Request\r\n\r\n");
	output(out, sizeof(out));
	assert_int_equal(h2_session_offence(session), H2_PROTOCOL);
	assert_int_equal(h2_session_streams_max(session), 0);
	teardown(state);
	setup(state);
	ask(1);
	FEED("\0\0\0\4\0\0\0\0\0");
	FEED("\0\0\5\5\4\0\0\0\1\0\0\0\2\x82"); /* PUSH_PROMISE */
	output(out, sizeof(out));
	assert_int_equal(h2_session_offence(session), H2_PROTOCOL);
	teardown(state);
	setup(state);
	FEED("\0\0\0\4\0\0\0\0\0");
	for (unsigned i = 0; i < 2000 && !h2_session_offence(session); i++) {
		FEED("\0\0\x8\6\0\0\0\0\0\0\0\0\0\0\0\0\0");
		output(out, sizeof(out));
	}
	assert_int_equal(h2_session_offence(session), H2_CONTROL_FRAMES);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_request, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_websocket, setup, teardown),
		cmocka_unit_test_setup_teardown(test_an_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_how_streams_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_servers_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_malformed_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ping, setup, teardown),
		cmocka_unit_test_setup_teardown(test_offences, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

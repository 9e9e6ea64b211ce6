/* test_h2_session.c - frames in, events out; answers in, frames out; how a session ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "lbd/http/h2_session.h"

enum { DATA = 0, HEADERS = 1, RST_STREAM = 3, PING = 6, GOAWAY = 7 };
enum { END_STREAM = 1, END_HEADERS = 4 };
enum { INTERNAL_ERROR = 2, ENHANCE_YOUR_CALM = 11, FRAMES = 8192 };

static const struct http_limits limits = { .head_size = 16384, .target_size = 64, .fields = 8 };
static const char get[] = "\x82\x86\x84\x41\x04test"; /* GET http://test/, by HPACK's tables */

/* The session's owner: what it was told, and what it answers. */
static struct {
	struct h2_session *session;
	struct http_head head;
	unsigned requests, ended, closed;
	struct str trailers; /* of its answers; their body is "ok" */
	bool large; /* they have a field of 60,000 bytes, and may fail */
	bool failed;
} owner;

struct frame {
	uint8_t type, flags;
	int32_t stream;
	uint32_t code; /* of RST_STREAM; GOAWAY: its last stream is `stream` */
};

static struct frame sent[FRAMES];
static unsigned n_sent;

/* --- the owner --- */

static void *
on_request(void *arg, int32_t id, enum refusal refusal, size_t size)
{
	static char value[60000];
	struct http_head answer = { .status = 200, .n_fields = owner.large };
	int err;

	(void)arg;
	memset(value, 'v', sizeof(value));
	answer.fields[0] =
	    (struct http_field){ STR("x"), { value, sizeof(value) }, FIELD_OTHER, false, false };
	assert_int_equal(refusal, REFUSE_NOTHING);
	assert_true(size > 0 && str_eq(owner.head.host, STR("test")));
	owner.requests++;
	err = h2_session_respond(owner.session, id, &answer, false);
	assert_true(err == 0 || owner.large);
	owner.failed |= err != 0;
	return &owner;
}

static void
on_data(void *stream, const char *p, size_t n)
{
	(void)stream;
	(void)p;
	(void)n;
}

static void
on_end(void *stream, struct str trailers)
{
	(void)stream;
	assert_int_equal(trailers.n, 0);
	owner.ended++;
}

static void
on_closed(void *stream, enum h2_closing how)
{
	(void)stream;
	(void)how;
	owner.closed++;
}

static size_t
on_waiting(void *stream, bool *end)
{
	(void)stream;
	*end = true;
	return 2;
}

static void
on_take(void *stream, char *to, size_t n)
{
	(void)stream;
	memcpy(to, "ok", n);
}

static struct str
on_trailers(void *stream)
{
	(void)stream;
	return owner.trailers;
}

static void
on_sent(void *stream, size_t bytes, bool end)
{
	(void)stream;
	(void)bytes;
	(void)end;
}

static const struct h2_events events = {
	.request = on_request,
	.data = on_data,
	.end = on_end,
	.closed = on_closed,
	.waiting = on_waiting,
	.take = on_take,
	.trailers = on_trailers,
	.sent = on_sent,
};

/* --- the peer --- */

static size_t
frame_write(char *to, unsigned type, unsigned flags, int32_t stream, struct str payload)
{
	const unsigned char head[9] = { 0, (unsigned char)(payload.n >> 8),
		(unsigned char)payload.n, (unsigned char)type, (unsigned char)flags, 0, 0,
		(unsigned char)(stream >> 8), (unsigned char)stream };

	memcpy(to, head, sizeof(head));
	memcpy(to + sizeof(head), payload.p, payload.n);
	return sizeof(head) + payload.n;
}

/* All of it, however often it takes a turn; how often. */
static unsigned
feed(const char *p, size_t n)
{
	unsigned turns = 0;
	size_t used;

	for (; n > 0; p += used, n -= used, turns++)
		used = h2_session_feed(owner.session, p, n, 1);
	return turns;
}

static void
peer_says(unsigned type, unsigned flags, int32_t stream, struct str payload)
{
	char bytes[256];

	feed(bytes, frame_write(bytes, type, flags, stream, payload));
}

static void
peer_asks(int32_t stream)
{
	peer_says(HEADERS, END_STREAM | END_HEADERS, stream, STR(get));
}

static uint32_t
number(const char *p, size_t n)
{
	uint32_t v = 0;

	while (n--)
		v = v << 8 | (unsigned char)*p++;
	return v;
}

/* Takes all that is to be sent apart. */
static void
output(void)
{
	static char bytes[1 << 20];
	size_t n, all = 0, size;

	while ((n = h2_session_output(owner.session, bytes + all, sizeof(bytes) - all)) > 0)
		all += n;
	n_sent = 0;
	for (const char *p = bytes; p < bytes + all; p += 9 + size) {
		struct frame *f = &sent[n_sent++];

		assert_true(n_sent < FRAMES);
		size = number(p, 3);
		*f = (struct frame){ (uint8_t)p[3], (uint8_t)p[4], (int32_t)number(p + 5, 4), 0 };
		if (f->type == RST_STREAM)
			f->code = number(p + 9, 4);
		if (f->type == GOAWAY) {
			f->stream = (int32_t)number(p + 9, 4);
			f->code = number(p + 13, 4);
		}
	}
}

/* The last one that was sent of that type. */
static const struct frame *
last(unsigned type)
{
	for (unsigned i = n_sent; i > 0; i--)
		if (sent[i - 1].type == type)
			return &sent[i - 1];
	return NULL;
}

static int
setup(void **state)
{
	static const char start[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";

	(void)state;
	memset(&owner, 0, sizeof(owner));
	owner.session = h2_session_new(&events, &owner, &limits, &owner.head);
	assert_non_null(owner.session);
	feed(start, sizeof(start) - 1);
	output();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	h2_session_free(&owner.session);
	return 0;
}

/* --- the tests --- */

static void
test_a_request_and_its_answer(void **state)
{
	(void)state;
	peer_asks(1);
	assert_int_equal(owner.requests, 1);
	assert_int_equal(owner.ended, 1);
	output();
	assert_int_equal(last(HEADERS)->flags, END_HEADERS);
	assert_int_equal(last(DATA)->flags, END_STREAM);
	assert_int_equal(owner.closed, 1);
	assert_true(h2_session_reads(owner.session) && !h2_session_over(owner.session));
}

static void
test_many_requests_at_once_take_turns(void **state)
{
	enum { N = 3 * (H2_FEED_WORK / H2_FEED_REQUEST - 1) };
	static char bytes[N * 64];
	size_t n = 0;

	(void)state;
	for (int32_t i = 0; i < N; i++)
		n += frame_write(bytes + n, HEADERS, END_STREAM | END_HEADERS, 2 * i + 1, STR(get));
	assert_int_equal(feed(bytes, n), 3);
	assert_int_equal(owner.requests, N);
}

/* nghttp2 would end a head that it pauses at its last field only when more bytes come. */
static void
test_the_last_field_of_all_is_too_much_for_a_turn(void **state)
{
	enum { N = 8, VALUE = 5000 };
	static const char field[] = "\x00\x01x\x7f\x89\x26"; /* x, and VALUE bytes */
	static char bytes[N * (VALUE + 64)], head[VALUE + 64];
	size_t n = 0, size = sizeof(get) - 1;

	(void)state;
	memcpy(head, get, size);
	memcpy(head + size, field, sizeof(field) - 1);
	size += sizeof(field) - 1;
	memset(head + size, 'y', VALUE);
	size += VALUE;
	for (int32_t i = 0; i < N; i++)
		n += frame_write(bytes + n, HEADERS, END_STREAM | END_HEADERS, 2 * i + 1,
		    (struct str){ head, size });
	feed(bytes, n);
	assert_int_equal(owner.requests, N);
}

/* There being no room even for a refusal must not keep the connection alive. */
static void
test_out_of_memory_it_ends(void **state)
{
	(void)state;
	owner.large = true;
	for (int32_t id = 1; id < 40; id += 2)
		peer_asks(id);
	assert_true(owner.failed);
	assert_true(h2_session_memory(owner.session) < H2_MEMORY_MAX + 64 * 1024);
	output();
	assert_int_equal(h2_session_offence(owner.session), H2_MEMORY);
	assert_false(h2_session_reads(owner.session));
	assert_int_equal(last(GOAWAY)->code, ENHANCE_YOUR_CALM);
	assert_true(h2_session_over(owner.session));
}

/* Those that nghttp2 itself refuses, beyond a hundred streams: they would wait by the thousand. */
static void
test_refusals_count_before_they_are_sent(void **state)
{
	enum { N = 8000 };
	static char bytes[N * 32];
	size_t n = 0;

	(void)state;
	for (int32_t i = 0; i < N; i++)
		n += frame_write(bytes + n, HEADERS, END_HEADERS, 2 * i + 1, STR(get));
	feed(bytes, n);
	assert_int_equal(owner.requests, H2_STREAMS_MAX);
	assert_int_equal(h2_session_offence(owner.session), H2_RESETS);
	assert_false(h2_session_reads(owner.session));
	assert_true(h2_session_memory(owner.session) < 192 * 1024);
	output();
	assert_int_equal(last(GOAWAY)->code, ENHANCE_YOUR_CALM);
	assert_true(h2_session_over(owner.session));
}

static void
test_resets_beyond_the_budget(void **state)
{
	const char cancel[] = { 0, 0, 0, 8 };
	int32_t id = 1;

	(void)state;
	for (; h2_session_reads(owner.session) && id < 1000; id += 2) {
		peer_says(HEADERS, END_HEADERS, id, STR(get));
		peer_says(RST_STREAM, 0, id, (struct str){ cancel, sizeof(cancel) });
	}
	assert_int_equal(owner.requests, 101);
	assert_int_equal(owner.closed, 100);
	assert_int_equal(h2_session_offence(owner.session), H2_RESETS);
	output();
	assert_int_equal(last(GOAWAY)->code, ENHANCE_YOUR_CALM);
}

static void
test_shutdown(void **state)
{
	(void)state;
	peer_asks(1);
	h2_session_shutdown(owner.session);
	output();
	assert_int_equal(last(GOAWAY)->stream, INT32_MAX);
	assert_non_null(last(PING));
	peer_asks(3); /* was on its way */
	assert_int_equal(owner.requests, 2);
	h2_session_shutdown(owner.session); /* no answer to the PING */
	peer_asks(5); /* it is taken, and must not be said not to be */
	output();
	assert_int_equal(last(GOAWAY)->stream, 5);
	assert_int_equal(last(GOAWAY)->code, 0);
	peer_asks(7);
	output();
	assert_int_equal(owner.requests, 3);
	assert_int_equal(owner.closed, 3);
	assert_true(h2_session_over(owner.session));
}

/* Without them gRPC would take the answer for broken, or for good. */
static void
test_trailers_that_cannot_be_sent(void **state)
{
	static char lines[129 * 6 + 1];

	(void)state;
	for (unsigned i = 0; i < 129; i++)
		memcpy(lines + 6 * i, "a: b\r\n", 6);
	owner.trailers = (struct str){ lines, 128 * 6 };
	peer_asks(1);
	output();
	assert_int_equal(last(HEADERS)->flags, END_STREAM | END_HEADERS);
	assert_int_equal(last(DATA)->flags, 0);
	owner.trailers.n += 6;
	peer_asks(3);
	output();
	assert_null(last(DATA));
	assert_int_equal(last(RST_STREAM)->code, INTERNAL_ERROR);
	assert_int_equal(owner.closed, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_request_and_its_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_many_requests_at_once_take_turns, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_the_last_field_of_all_is_too_much_for_a_turn, setup, teardown),
		cmocka_unit_test_setup_teardown(test_out_of_memory_it_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_refusals_count_before_they_are_sent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_resets_beyond_the_budget, setup, teardown),
		cmocka_unit_test_setup_teardown(test_shutdown, setup, teardown),
		cmocka_unit_test_setup_teardown(test_trailers_that_cannot_be_sent, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

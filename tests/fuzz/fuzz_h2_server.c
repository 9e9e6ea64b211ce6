/*
 * fuzz_h2_server.c - what a server says on an HTTP/2 connection on which it was asked five things.
 *
 * However the bytes are cut, the same answers, bodies and ends come out, and the same bytes are sent.  An answer
 * that is taken, written as HTTP/1, parses as the same answer.
 */
#include "lbd/http/h1_format.h"
#include "tests/fuzz/h2_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CALLS = 5, HEAD = 96 * 1024 };

static const struct http_limits limits = { .head_size = 4096, .fields = 32 };

struct call {
	struct trial *trial;
	int32_t id;
	uint64_t body; /* hash of what came */
	bool answered, closed;
};

/* One way of delivering the input, and what came of it. */
struct trial {
	struct h2_session *session;
	struct http_head head;
	struct call calls[CALLS];
	uint64_t events, output; /* hashes */
};

static unsigned
fields_of(const struct http_head *head)
{
	unsigned n = 0;

	for (unsigned i = 0; i < head->n_fields; i++)
		n += !head->fields[i].one_hop;
	return n;
}

/* A client reads what was meant; HTTP/1 must be told that nothing follows. */
static void
check_translation(struct http_head *head)
{
	static char text[HEAD];
	static struct http_head parsed;
	static const struct http_limits wide = { HEAD, HEAD, HTTP_FIELDS_MAX };
	const struct reply reply = {
		.client_minor = 1, .keep_alive = true, .framing = head->framing
	};
	struct writer w = { text, text + sizeof(text), false };
	ssize_t n;

	head->has_length |= head->framing == FRAMING_NONE && head->status != 304;
	h1_format_response(&w, head, &reply);
	n = h1_parse_response((struct str){ text, (size_t)(w.p - text) }, &wide,
	    (struct h1_expected){ METHOD_GET, false }, &parsed);
	if (w.overflow || n != w.p - text)
		fail("as HTTP/1 it is no answer, or more than one");
	if (parsed.status != head->status)
		fail("another status");
	if (parsed.framing != head->framing ||
	    (head->framing == FRAMING_LENGTH && parsed.length != head->length))
		fail("another framing");
	if (fields_of(&parsed) != fields_of(head))
		fail("another number of fields");
}

static struct call *
call_of(void *arg)
{
	struct call *c = arg;

	if (c->closed)
		fail("an event after the last one");
	return c;
}

static void
on_response(void *arg, enum refusal refusal, bool end)
{
	struct call *c = call_of(arg);
	struct trial *t = c->trial;

	note_number(&t->events, (uint64_t)c->id << 32 | refusal);
	if (c->answered)
		fail("two answers");
	if (refusal)
		return;
	note_number(&t->events, t->head.status << 1 | end);
	check_translation(&t->head);
	c->answered = t->head.status >= 200;
}

static bool
on_awaits(void *arg)
{
	return !call_of(arg)->answered;
}

static void
on_data(void *arg, const char *p, size_t n)
{
	struct call *c = call_of(arg);

	if (!c->answered)
		fail("a body without a head");
	note(&c->body, p, n);
	if (c->id != 1) /* that client does not read */
		h2_session_consume(c->trial->session, c->id, n);
}

static void
on_end(void *arg, struct str trailers)
{
	struct call *c = call_of(arg);

	note_number(&c->trial->events, c->body);
	note(&c->trial->events, trailers.p, trailers.n);
}

static void
on_closed(void *arg, enum h2_closing how)
{
	struct call *c = call_of(arg);

	note_number(&c->trial->events, ~((uint64_t)c->id << 8 | how));
	c->closed = true;
}

static size_t
on_waiting(void *arg, bool *end)
{
	*end = true;
	return (size_t)call_of(arg)->id;
}

static void
on_take(void *arg, char *to, size_t n)
{
	(void)call_of(arg);
	memset(to, 'x', n);
}

static struct str
on_trailers(void *arg)
{
	return call_of(arg)->id == 7 ? STR("x-sum: 1\r\n") : (struct str){ NULL, 0 };
}

static void
on_sent(void *arg, size_t bytes, bool end)
{
	(void)call_of(arg);
	(void)bytes;
	(void)end;
}

static const struct h2_events events = {
	.response = on_response,
	.awaits = on_awaits,
	.data = on_data,
	.end = on_end,
	.closed = on_closed,
	.waiting = on_waiting,
	.take = on_take,
	.trailers = on_trailers,
	.sent = on_sent,
};

/* Streams 1 and 5 have no body, 3 and 7 have one, 9 is a tunnel. */
static void
start(struct trial *t)
{
	static const struct {
		struct str head;
		enum h2_follows follows;
	} asked[CALLS] = {
		{ STR("GET /a HTTP/1.1\r\nHost: test\r\n\r\n"), H2_NOTHING },
		{ STR("POST /b HTTP/1.1\r\nHost: test\r\n\r\n"), H2_BODY },
		{ STR("GET /c HTTP/1.1\r\nHost: test\r\n\r\n"), H2_NOTHING },
		{ STR("POST /d HTTP/1.1\r\nHost: test\r\n\r\n"), H2_BODY },
		{ STR("GET /e HTTP/1.1\r\nHost: test\r\n\r\n"), H2_WEBSOCKET },
	};

	*t = (struct trial){ .events = UINT64_C(14695981039346656037) };
	t->output = t->events;
	t->session = h2_session_connect(&events, t, &limits, &t->head, H2_WINDOW_ANSWER);
	if (!t->session)
		fail("out of memory");
	for (unsigned i = 0; i < CALLS; i++) {
		struct call *c = &t->calls[i];

		c->trial = t;
		c->id = h2_session_ask(t->session, asked[i].head, STR("http"), asked[i].follows, c);
		if (c->id < 0)
			fail("not asked");
	}
	note_output(&t->output, t->session);
}

/* Gives it in pieces of `piece` bytes; how many of them it took until the connection was over. */
static size_t
deliver(struct trial *t, const uint8_t *data, size_t size, size_t piece)
{
	size_t at;

	start(t);
	at = feed_in_pieces(t->session, data, size, piece);
	note_output(&t->output, t->session);
	note_number(&t->events, h2_session_offence(t->session));
	note_number(&t->events, h2_session_streams_max(t->session));
	if (h2_session_memory(t->session) > H2_MEMORY_MAX + 64 * 1024)
		fail("too much memory");
	h2_session_free(&t->session);
	return at;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct trial whole, cut;

	if (size > 64 * 1024)
		return 0;
	/* what stands behind the end is read only if it comes in the same piece */
	size = deliver(&cut, data, size, 1);
	deliver(&whole, data, size, size ? size : 1);
	if (whole.events != cut.events || whole.output != cut.output)
		fail("byte by byte it means something else");
	deliver(&cut, data, size, size / 3 + 1);
	if (whole.events != cut.events || whole.output != cut.output)
		fail("in three it means something else");
	return 0;
}

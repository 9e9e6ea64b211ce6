/*
 * fuzz_h2.c - what follows the preface on an HTTP/2 connection.
 *
 * However the bytes are cut, the same requests, bodies and ends come out, and the same bytes are sent.  A
 * request that is taken, written as HTTP/1, parses as the same request: translation can inject nothing.
 */
#include "lbd/http/h1_format.h"
#include "tests/fuzz/h2_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STREAMS = 4096, HEAD = 96 * 1024 };

static const struct http_limits limits = { .head_size = 4096, .target_size = 1024, .fields = 32 };

struct stream {
	struct trial *trial;
	int32_t id;
	uint64_t body; /* hash of what came */
	bool open;
};

/* One way of delivering the input, and what came of it. */
struct trial {
	struct h2_session *session;
	struct http_head head;
	struct stream streams[STREAMS];
	unsigned n_streams;
	uint64_t events, output; /* hashes */
};

static void
same(struct str a, struct str b, const char *what)
{
	if (!str_eq(a, b))
		fail(what);
}

/* A server reads what was meant. */
static void
check_translation(const struct http_head *head)
{
	static char text[HEAD];
	static struct http_head parsed;
	static const struct http_limits wide = { HEAD, HEAD, HTTP_FIELDS_MAX };
	const struct forward forward = { .client = STR("192.0.2.1"), .proto = STR("http") };
	struct writer w = { text, text + sizeof(text), false };
	struct formatted out;
	unsigned fields = 0;
	ssize_t n;

	h1_format_request(&w, head, &forward, &out);
	n = h1_parse_request((struct str){ text, (size_t)(w.p - text) }, &wide, &parsed);
	if (w.overflow || n != w.p - text)
		fail("as HTTP/1 it is no request, or more than one");
	same(parsed.method, head->method, "another method");
	same(parsed.target, head->target, "another target");
	same(parsed.host, head->host, "another host");
	if (parsed.framing != head->framing || parsed.length != head->length)
		fail("another framing");
	for (unsigned i = 0; i < head->n_fields; i++)
		fields += !head->fields[i].one_hop && head->fields[i].id != FIELD_FORWARDED &&
		    head->fields[i].id != FIELD_X_REQUEST_ID &&
		    head->fields[i].id != FIELD_X_FORWARDED_FOR &&
		    head->fields[i].id != FIELD_X_FORWARDED_HOST &&
		    head->fields[i].id != FIELD_X_FORWARDED_PROTO &&
		    head->fields[i].id != FIELD_LIKE_FORWARDING;
	for (unsigned i = 0; i < parsed.n_fields; i++)
		fields -= !parsed.fields[i].one_hop;
	if (fields)
		fail("another number of fields");
}

static void *
on_request(void *owner, int32_t id, enum refusal refusal, size_t size)
{
	struct trial *t = owner;
	struct stream *s = &t->streams[t->n_streams];
	struct http_head answer = { .status = 200 };

	note_number(&t->events, (uint64_t)id << 32 | refusal);
	note_number(&t->events, size);
	if (!refusal)
		check_translation(&t->head);
	if (t->n_streams == STREAMS || (refusal && refusal_status(refusal) == 400))
		return NULL;
	t->n_streams++;
	*s = (struct stream){ t, id, 0, true };
	answer.status = refusal ? refusal_status(refusal) : 200;
	if (h2_session_respond(t->session, id, &answer, id % 4 == 1) < 0)
		fail("no answer");
	return s;
}

static struct stream *
stream_of(void *arg)
{
	struct stream *s = arg;

	if (!s->open)
		fail("an event after the last one");
	return s;
}

static void
on_data(void *arg, const char *p, size_t n)
{
	struct stream *s = stream_of(arg);

	note(&s->body, p, n);
	h2_session_consume(s->trial->session, s->id, n);
}

static void
on_end(void *arg, struct str trailers)
{
	struct stream *s = stream_of(arg);

	note_number(&s->trial->events, s->body);
	note(&s->trial->events, trailers.p, trailers.n);
}

static void
on_closed(void *arg, enum h2_closing how)
{
	struct stream *s = stream_of(arg);

	(void)how;
	note_number(&s->trial->events, ~(uint64_t)s->id);
	s->open = false;
}

static size_t
on_waiting(void *arg, bool *end)
{
	const struct stream *s = stream_of(arg);

	*end = true;
	return (size_t)s->id % 3;
}

static void
on_take(void *arg, char *to, size_t n)
{
	(void)stream_of(arg);
	memset(to, 'x', n);
}

static struct str
on_trailers(void *arg)
{
	return stream_of(arg)->id % 8 == 3 ? STR("x-sum: 1\r\n") : (struct str){ NULL, 0 };
}

static void
on_sent(void *arg, size_t bytes, bool end)
{
	(void)stream_of(arg);
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

/* Gives it in pieces of `piece` bytes; how many of them it took until the connection was over. */
static size_t
deliver(struct trial *t, const uint8_t *data, size_t size, size_t piece)
{
	static const char start[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
	size_t at;

	memset(t, 0, offsetof(struct trial, streams));
	t->n_streams = 0;
	t->events = t->output = UINT64_C(14695981039346656037);
	t->session = h2_session_new(&events, t, &limits, &t->head);
	if (!t->session)
		fail("out of memory");
	h2_session_feed(t->session, start, sizeof(start) - 1, 0);
	at = feed_in_pieces(t->session, data, size, piece);
	note_output(&t->output, t->session);
	note_number(&t->events, h2_session_offence(t->session));
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

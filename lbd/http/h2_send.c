/* h2_send.c - heads for the peer, and nghttp2's callbacks for what goes out. */
#include "lbd/http/h1_fields.h"
#include "lbd/http/h2_session_parts.h"
#include "lbd/http/word.h"

enum { FRAME_HEAD = 9, TRAILERS_MAX = 128, ADDED_MAX = 64 /* fields, to a request */ };

static ssize_t
on_send(nghttp2_session *ng, const uint8_t *p, size_t n, int flags, void *arg)
{
	struct h2_session *s = h2_session_of(arg);
	size_t room = (size_t)(s->out_end - s->out);

	(void)ng;
	(void)flags;
	if (room == 0)
		return NGHTTP2_ERR_WOULDBLOCK;
	if (n > room)
		n = room;
	memcpy(s->out, p, n);
	s->out += n;
	return (ssize_t)n;
}

/* DATA goes straight from its owner's memory to where the output is put together. */
static int
on_send_data(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *head, size_t n,
    nghttp2_data_source *source, void *arg)
{
	struct h2_session *s = h2_session_of(arg);
	void *stream = nghttp2_session_get_stream_user_data(ng, frame->hd.stream_id);

	(void)source;
	CHECK(frame->data.padlen == 0);
	if ((size_t)(s->out_end - s->out) < n + FRAME_HEAD)
		return NGHTTP2_ERR_WOULDBLOCK;
	if (!stream)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	memcpy(s->out, head, FRAME_HEAD);
	s->events->take(stream, s->out + FRAME_HEAD, n);
	s->out += n + FRAME_HEAD;
	return 0;
}

static nghttp2_nv
pair(struct str name, struct str value)
{
	/* nghttp2 copies both, and writes the name in lower case */
	return (nghttp2_nv){ (uint8_t *)(uintptr_t)name.p, (uint8_t *)(uintptr_t)value.p, name.n,
		value.n, NGHTTP2_NV_FLAG_NONE };
}

static int
trailers_submit(struct h2_session *s, int32_t id, struct str lines)
{
	nghttp2_nv nv[TRAILERS_MAX];
	struct http_field f;
	size_t n = 0;
	ssize_t r;

	while ((r = h1_field_parse(lines, &f)) > H1_EMPTY_LINE) {
		if (n == TRAILERS_MAX)
			return -1;
		nv[n++] = pair(f.name, f.value);
		lines = str_skip(lines, (size_t)r);
	}
	return nghttp2_submit_trailer(s->ng, id, nv, n);
}

static ssize_t
on_read_data(nghttp2_session *ng, int32_t id, uint8_t *buffer, size_t most, uint32_t *flags,
    nghttp2_data_source *source, void *arg)
{
	struct h2_session *s = h2_session_of(arg);
	void *stream = nghttp2_session_get_stream_user_data(ng, id);
	struct str trailers;
	size_t waiting, n;
	bool end;

	(void)buffer;
	(void)source;
	if (!stream)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	waiting = s->events->waiting(stream, &end);
	if (waiting == 0 && !end)
		return NGHTTP2_ERR_DEFERRED;
	n = waiting < most ? waiting : most;
	h2_session_offend(s, h2_budget_sent(&s->budget, n, n < waiting));
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	if (!end || n < waiting)
		return (ssize_t)n;
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	trailers = s->events->trailers(stream);
	if (trailers.n == 0)
		return (ssize_t)n;
	if (trailers_submit(s, id, trailers)) /* without them it would look complete */
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
	return (ssize_t)n;
}

/* RFC 9113 8.1: the answer is complete, the rest of the request is not wanted. */
static void
stream_ended(struct h2_session *s, int32_t id)
{
	int r = 0;

	s->budget.answers++;
	if (nghttp2_session_get_stream_remote_close(s->ng, id) == 0)
		r = nghttp2_submit_rst_stream(s->ng, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
	(void)h2_session_submitted(s, r);
}

/* Resets that we chose ourselves, and those that say no more than that the answer is complete. */
static bool
peers_fault(uint32_t code)
{
	return code != NGHTTP2_NO_ERROR && code != NGHTTP2_INTERNAL_ERROR && code != NGHTTP2_CANCEL;
}

static void
reset_sent(struct h2_session *s)
{
	if (s->resets_due > 0)
		s->resets_due--;
	else
		h2_session_offend(s, h2_budget_reset(&s->budget));
}

static int
on_frame_send(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
	struct h2_session *s = h2_session_of(arg);
	void *stream = nghttp2_session_get_stream_user_data(ng, frame->hd.stream_id);
	bool body = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;
	bool end = body && frame->hd.flags & NGHTTP2_FLAG_END_STREAM;

	if (stream)
		s->events->sent(stream, frame->hd.length + FRAME_HEAD, end);
	if (end && !s->client)
		stream_ended(s, frame->hd.stream_id);
	if (frame->hd.type == NGHTTP2_RST_STREAM && peers_fault(frame->rst_stream.error_code))
		reset_sent(s);
	if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR &&
	    s->offence == H2_NO_OFFENCE) {
		s->offence = H2_PROTOCOL;
		s->cut = true;
	}
	return 0;
}

static struct str
digits_of(char *end, uint64_t v)
{
	char *p = end;

	do
		*--p = (char)('0' + v % 10);
	while (v /= 10);
	return (struct str){ p, (size_t)(end - p) };
}

int
h2_send_head(struct h2_session *s, int32_t id, const struct http_head *head, bool end)
{
	nghttp2_data_provider body = { .read_callback = on_read_data };
	char status[3], length[20];
	nghttp2_nv nv[HTTP_FIELDS_MAX + 2];
	size_t n = 0;

	nv[n++] = pair(STR(":status"), digits_of(status + sizeof(status), head->status));
	for (unsigned i = 0; i < head->n_fields; i++)
		if (!head->fields[i].one_hop)
			nv[n++] = pair(head->fields[i].name, head->fields[i].value);
	if (head->has_length && head->status >= 200 && head->status != 204)
		nv[n++] =
		    pair(STR("content-length"), digits_of(length + sizeof(length), head->length));
	if (head->status < 200)
		return nghttp2_submit_headers(s->ng, NGHTTP2_FLAG_NONE, id, NULL, nv, n, NULL);
	return nghttp2_submit_response(s->ng, id, nv, n, end ? NULL : &body);
}

/* What stands before `end` at in->p, which is skipped with it. */
static struct str
word_take(struct str *in, char end)
{
	const char *p = memchr(in->p, end, in->n);
	struct str word = { in->p, p ? (size_t)(p - in->p) : in->n };

	*in = str_skip(*in, word.n + (p != NULL));
	return word;
}

/* RFC 9113 8.2.2: all that is said of one hop, but for what HTTP/2 says so as well. */
static bool
field_belongs(enum field_id id)
{
	static const uint32_t kept =
	    FIELD_BIT(FIELD_TE) | FIELD_BIT(FIELD_CONTENT_LENGTH) | FIELD_BIT(FIELD_EXPECT);

	return !field_among(id, FIELDS_ONE_HOP & ~kept);
}

/*
 * Different for each client, or request: it would push what is alike out of HPACK's table, which is searched for
 * each field, and clients that share the connection must not find out by it what others sent (RFC 7541 7.1).
 */
static nghttp2_nv
pair_of(enum field_id id, const struct http_field *f)
{
	static const uint32_t apart = FIELD_BIT(FIELD_X_REQUEST_ID) |
	    FIELD_BIT(FIELD_X_FORWARDED_FOR) | FIELD_BIT(FIELD_FORWARDED) |
	    FIELD_BIT(FIELD_COOKIE) | FIELD_BIT(FIELD_REFERER);
	nghttp2_nv nv = pair(f->name, f->value);

	if (field_among(id, apart))
		nv.flags = NGHTTP2_NV_FLAG_NO_INDEX;
	return nv;
}

int32_t
h2_send_request(
    struct h2_session *s, struct str head, struct str scheme, enum h2_follows follows, void *stream)
{
	nghttp2_data_provider body = { .read_callback = on_read_data };
	nghttp2_nv nv[HTTP_FIELDS_MAX + ADDED_MAX];
	bool tunnel = follows == H2_WEBSOCKET;
	struct http_field f;
	size_t n = 4;
	ssize_t r;

	nv[0] = pair(STR(":method"), word_take(&head, ' '));
	nv[1] = pair(STR(":scheme"), scheme);
	nv[3] = pair(STR(":path"), word_take(&head, ' '));
	word_take(&head, '\n');
	r = h1_field_parse(head, &f); /* Host, always the first */
	CHECK(r > H1_EMPTY_LINE);
	nv[2] = pair(STR(":authority"), f.value);
	if (tunnel) {
		nv[0] = pair(STR(":method"), STR("CONNECT"));
		nv[n++] = pair(STR(":protocol"), STR("websocket"));
	}
	for (head = str_skip(head, (size_t)r); (r = h1_field_parse(head, &f)) > H1_EMPTY_LINE;
	     head = str_skip(head, (size_t)r)) {
		enum field_id id = field_id_of(f.name);

		if (!field_belongs(id) || (tunnel && word_is(f.name, "sec-websocket-key")))
			continue;
		CHECK(n < sizeof(nv) / sizeof(nv[0]));
		nv[n++] = pair_of(id, &f);
	}
	return nghttp2_submit_request(
	    s->ng, NULL, nv, n, follows == H2_NOTHING ? NULL : &body, stream);
}

void
h2_send_callbacks(nghttp2_session_callbacks *c)
{
	nghttp2_session_callbacks_set_send_callback(c, on_send);
	nghttp2_session_callbacks_set_send_data_callback(c, on_send_data);
	nghttp2_session_callbacks_set_on_frame_send_callback(c, on_frame_send);
}

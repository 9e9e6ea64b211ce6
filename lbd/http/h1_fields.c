/* h1_fields.c - field lines and what they say about framing and the connection. */
#include "lbd/http/h1_fields.h"

#include "lbd/http/authority.h"
#include "lbd/http/field.h"
#include "lbd/http/scan.h"
#include "lbd/http/word.h"

/* CRLF at p: 2, 0 when cut off, or the refusal of what stands there instead. */
static ssize_t
line_end(const char *p, const char *end)
{
	if (p == end)
		return 0;
	if (*p == '\r' && p + 1 == end)
		return 0;
	return *p == '\r' && p[1] == '\n' ? 2 : -REFUSE_LINE_END;
}

/* Why the name that ends at q is none. */
static ssize_t
name_refuse(const char *p, const char *q)
{
	if (q == p && scan_is_blank(*p))
		return -REFUSE_FIELD_FOLD;
	return q == p && *p == '\n' ? -REFUSE_LINE_END : -REFUSE_FIELD_NAME;
}

ssize_t
h1_field_parse(struct str in, struct str *name, struct str *value)
{
	const char *p = in.p, *end = in.p + in.n, *q = scan_token(p, end), *v;
	ssize_t r;

	*name = (struct str){ p, (size_t)(q - p) };
	if (q == end)
		return 0;
	if (q == p && *p == '\r')
		return line_end(p, end);
	if (q == p || *q != ':')
		return name_refuse(p, q);
	for (v = q + 1; v < end && scan_is_blank(*v); v++)
		;
	q = scan_value(v, end);
	if (q < end && *q != '\r' && *q != '\n')
		return -REFUSE_FIELD_VALUE;
	if ((r = line_end(q, end)) <= 0)
		return r;
	*value = (struct str){ v, (size_t)(q - v) };
	while (value->n && scan_is_blank(value->p[value->n - 1]))
		value->n--;
	return q + 2 - p;
}

/* Cuts the next member off a comma-separated list; empty members are skipped.  False at its end. */
static bool
list_next(struct str *list, struct str *member)
{
	while (list->n) {
		const char *comma = memchr(list->p, ',', list->n);
		size_t n = comma ? (size_t)(comma - list->p) : list->n;

		*member = scan_trim((struct str){ list->p, n });
		*list = str_skip(*list, comma ? n + 1 : n);
		if (member->n)
			return true;
	}
	return false;
}

static enum refusal
connection_note(struct h1_facts *facts, struct str list)
{
	struct str member;

	while (list_next(&list, &member)) {
		if (++facts->options > H1_OPTIONS_MAX)
			return REFUSE_FIELD_COUNT;
		if (word_is(member, "keep-alive"))
			facts->keep_alive = true;
		else if (word_is(member, "close"))
			facts->close = true;
		else if (word_is(member, "upgrade"))
			facts->upgrade = true;
		else
			facts->named = true;
	}
	return REFUSE_NOTHING;
}

/* 1 to 18 digits: no sign, no list, nothing that overflows anywhere. */
static enum refusal
length_note(struct http_head *head, struct str value)
{
	if (head->has_length || value.n == 0 || value.n > 18)
		return REFUSE_CONTENT_LENGTH;
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] < '0' || value.p[i] > '9')
			return REFUSE_CONTENT_LENGTH;
		head->length = head->length * 10 + (uint64_t)(value.p[i] - '0');
	}
	head->has_length = true;
	return REFUSE_NOTHING;
}

/* A well-formed list with a coding that lbd does not know, and chunked nowhere but last. */
static bool
coding_unknown(struct str list)
{
	bool chunked = false, unknown = false;

	for (;;) {
		const char *comma = memchr(list.p, ',', list.n);
		size_t n = comma ? (size_t)(comma - list.p) : list.n;
		struct str coding = scan_trim((struct str){ list.p, n });

		if (chunked || !scan_all(coding, SCAN_TOKEN))
			return false;
		chunked = word_is(coding, "chunked");
		unknown |= !chunked;
		if (!comma)
			return unknown;
		list = str_skip(list, n + 1);
	}
}

static enum refusal
coding_note(const struct http_head *head, struct str value, bool again)
{
	if (again || head->minor == 0)
		return REFUSE_TRANSFER_ENCODING;
	if (word_is(value, "chunked"))
		return REFUSE_NOTHING;
	return coding_unknown(value) ? REFUSE_TRANSFER_CODING : REFUSE_TRANSFER_ENCODING;
}

static enum refusal
host_note(struct http_head *head, struct str value, bool again)
{
	if (again || (value.n && !authority_valid(value)))
		return REFUSE_HOST;
	head->host = value;
	return REFUSE_NOTHING;
}

/* RFC 9110 10.1.1: HTTP/1.0 has no expectations. */
static enum refusal
expect_note(struct http_head *head, struct str value, bool again)
{
	if (head->minor == 0)
		return REFUSE_NOTHING;
	if (again || !word_is(value, "100-continue"))
		return REFUSE_EXPECT;
	head->expect_continue = true;
	return REFUSE_NOTHING;
}

static void
te_note(struct http_head *head, struct str list)
{
	struct str member;

	while (list_next(&list, &member))
		head->te_trailers |= head->minor > 0 && word_is(member, "trailers");
}

static enum refusal
field_note(struct http_head *head, struct h1_facts *facts, const struct http_field *f)
{
	bool again = h1_seen(facts, f->id);

	facts->seen |= 1u << f->id;
	switch (f->id) {
	case FIELD_CONNECTION:
		return connection_note(facts, f->value);
	case FIELD_CONTENT_LENGTH:
		return length_note(head, f->value);
	case FIELD_TRANSFER_ENCODING:
		return coding_note(head, f->value, again);
	case FIELD_HOST:
		return facts->response ? REFUSE_NOTHING : host_note(head, f->value, again);
	case FIELD_EXPECT:
		return facts->response ? REFUSE_NOTHING : expect_note(head, f->value, again);
	case FIELD_TE:
		te_note(head, f->value);
		return REFUSE_NOTHING;
	case FIELD_UPGRADE:
		facts->websocket = !again && word_is(f->value, "websocket");
		return REFUSE_NOTHING;
	case FIELD_OTHER:
		return field_resembles_framing(f->name) ? REFUSE_FIELD_NAME : REFUSE_NOTHING;
	case FIELD_COOKIE:
	case FIELD_DATE:
	case FIELD_FORWARDED:
	case FIELD_HTTP2_SETTINGS:
	case FIELD_KEEP_ALIVE:
	case FIELD_PROXY_CONNECTION:
	case FIELD_REFERER:
	case FIELD_RETRY_AFTER:
	case FIELD_TRAILER:
	case FIELD_USER_AGENT:
	case FIELD_VIA:
	case FIELD_X_FORWARDED_FOR:
	case FIELD_X_FORWARDED_HOST:
	case FIELD_X_FORWARDED_PROTO:
	case FIELD_X_REQUEST_ID:
	case FIELD_ID_COUNT:
		break;
	}
	return REFUSE_NOTHING;
}

static void
named_mark(struct http_head *head, struct str list)
{
	struct str member;

	while (list_next(&list, &member))
		for (unsigned i = 0; i < head->n_fields; i++) {
			struct http_field *f = &head->fields[i];

			if (!f->one_hop && str_eq_nocase(f->name, member))
				f->one_hop = field_droppable(f->id, f->name);
		}
}

ssize_t
h1_fields_parse(
    struct str in, const struct http_limits *limits, struct http_head *head, struct h1_facts *facts)
{
	const char *start = in.p;
	enum refusal refusal;
	ssize_t r;

	for (;;) {
		struct http_field *f = &head->fields[head->n_fields];
		struct str name, value;

		if (head->n_fields >= limits->fields && in.n && *in.p != '\r')
			return -REFUSE_FIELD_COUNT;
		if ((r = h1_field_parse(in, &name, &value)) <= 0)
			return r;
		in = str_skip(in, (size_t)r);
		if (name.n == 0)
			break;
		f->name = name;
		f->value = value;
		f->id = field_id_of(name);
		f->one_hop = field_one_hop(f->id);
		head->n_fields++;
		if ((refusal = field_note(head, facts, f)))
			return -(ssize_t)refusal;
	}
	for (unsigned i = 0; facts->named && i < head->n_fields; i++)
		if (head->fields[i].id == FIELD_CONNECTION)
			named_mark(head, head->fields[i].value);
	return in.p - start;
}

bool
h1_persistent(const struct http_head *head, const struct h1_facts *facts)
{
	return !facts->close && (head->minor > 0 || facts->keep_alive);
}

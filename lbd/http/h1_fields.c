/* h1_fields.c - field lines and what they say about framing and the connection. */
#include "lbd/http/h1_fields.h"

#include "common/check.h"
#include "lbd/http/authority.h"
#include "lbd/http/field.h"
#include "lbd/http/scan.h"
#include "lbd/http/word.h"

/* What stands at p is not CRLF: is it cut off, or something else? */
static ssize_t
not_crlf(const char *p, const char *end, enum refusal other)
{
	if (p == end || (*p == '\r' && p + 1 == end))
		return 0;
	return -(ssize_t)(*p == '\r' || *p == '\n' ? REFUSE_LINE_END : other);
}

/* The line at p does not begin with a name and a colon behind it, at q. */
static ssize_t
not_field(const char *p, const char *q, const char *end)
{
	if (q == end)
		return 0;
	if (q > p)
		return -REFUSE_FIELD_NAME;
	if (scan_is_crlf(p, end))
		return H1_EMPTY_LINE;
	return not_crlf(p, end, scan_is_blank(*p) ? REFUSE_FIELD_FOLD : REFUSE_FIELD_NAME);
}

ssize_t
h1_field_parse(struct str in, struct http_field *f)
{
	const char *p = in.p, *end = in.p + in.n, *colon = scan_token(p, end), *q;

	if (colon == end || *colon != ':' || colon == p)
		return not_field(p, colon, end);
	q = scan_value(colon + 1, end);
	if (!scan_is_crlf(q, end))
		return not_crlf(q, end, REFUSE_FIELD_VALUE);
	f->name = (struct str){ p, (size_t)(colon - p) };
	f->value = scan_trim((struct str){ colon + 1, (size_t)(q - colon - 1) });
	f->verbatim = false;
	return q + 2 - p;
}

static inline bool
at_colon(const char *p, const char *end)
{
	return end - p >= 4 && memcmp(p, ": ", 2) == 0;
}

/*
 * Behind a line that is complete and spelt as we would spell it; NULL for any other.  Nearly all lines are:
 * most of the time that a head costs is spent here.
 */
static inline const char *
verbatim_parse(const char *p, const char *end, struct http_field *f)
{
	const char *colon = scan_name(p, end), *v, *q;

	if (!at_colon(colon, end)) {
		colon = scan_token(colon, end);
		if (!at_colon(colon, end))
			return NULL;
	}
	if (colon == p)
		return NULL;
	v = colon + 2;
	q = scan_value(v, end);
	/* of the bytes in a value, only blanks are not above ' ' */
	if (!scan_is_crlf(q, end) || (unsigned char)*v <= ' ' || (unsigned char)q[-1] <= ' ')
		return NULL;
	f->name = (struct str){ p, (size_t)(colon - p) };
	f->value = (struct str){ v, (size_t)(q - v) };
	f->verbatim = true;
	return q + 2;
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

	if (word_is(list, "keep-alive")) { /* by far the most frequent */
		facts->keep_alive = true;
		return REFUSE_NOTHING;
	}
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

/* Inlined where every field of HTTP/1 passes. */
__attribute__((always_inline)) static inline enum refusal
field_note(struct http_head *head, struct h1_facts *facts, const struct http_field *f)
{
	bool again = h1_seen(facts, f->id);

	facts->seen |= FIELD_BIT(f->id);
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
	case FIELD_LIKE_FRAMING:
		return REFUSE_FIELD_NAME;
	case FIELD_OTHER:
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
	case FIELD_LIKE_FORWARDING:
	case FIELD_ID_COUNT:
		break;
	}
	return REFUSE_NOTHING;
}

enum refusal
h1_field_note(struct http_head *head, struct h1_facts *facts, const struct http_field *f)
{
	return field_note(head, facts, f);
}

static void
named_mark(struct http_head *head, struct str list)
{
	struct str member;

	while (list_next(&list, &member))
		for (unsigned i = 0; i < head->n_fields; i++) {
			struct http_field *f = &head->fields[i];

			if (!f->one_hop && str_eq_nocase(f->name, member))
				f->one_hop = field_droppable(f->id);
		}
}

static ssize_t
lines_parse(
    struct str in, const struct http_limits *limits, struct http_head *head, struct h1_facts *facts)
{
	struct http_field *f = head->fields, *last = f + limits->fields;
	const char *p = in.p, *end = in.p + in.n, *next;
	enum refusal refusal;
	ssize_t r;

	for (; f < last && p < end && *p != '\r'; f++, p = next) {
		next = verbatim_parse(p, end, f);
		if (!next) {
			r = h1_field_parse((struct str){ p, (size_t)(end - p) }, f);
			if (r <= 0)
				return r;
			next = p + r;
		}
		f->one_hop = false;
		f->id = field_id_of(f->name);
		if (f->id == FIELD_OTHER)
			continue;
		f->one_hop = field_among(f->id, FIELDS_ONE_HOP);
		if ((refusal = field_note(head, facts, f)))
			return -(ssize_t)refusal;
	}
	if (f == last && p < end && *p != '\r')
		return -REFUSE_FIELD_COUNT;
	head->n_fields = (unsigned)(f - head->fields);
	return scan_is_crlf(p, end) ? p + 2 - in.p : not_crlf(p, end, REFUSE_LINE_END);
}

ssize_t
h1_fields_parse(
    struct str in, const struct http_limits *limits, struct http_head *head, struct h1_facts *facts)
{
	ssize_t r;

	CHECK(limits->fields <= HTTP_FIELDS_MAX);
	r = lines_parse(in, limits, head, facts);
	if (r <= 0 || !facts->named)
		return r;
	for (unsigned i = 0; i < head->n_fields; i++)
		if (head->fields[i].id == FIELD_CONNECTION)
			named_mark(head, head->fields[i].value);
	return r;
}

bool
h1_persistent(const struct http_head *head, const struct h1_facts *facts)
{
	return !facts->close && (head->minor > 0 || facts->keep_alive);
}

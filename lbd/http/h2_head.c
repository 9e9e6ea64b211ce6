/* h2_head.c - judges each field as it comes, and the request when it is complete. */
#include "lbd/http/h2_head.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "common/check.h"
#include "lbd/http/authority.h"
#include "lbd/http/h1_fields.h"
#include "lbd/http/h1_format.h"
#include "lbd/http/h1_target.h"
#include "lbd/http/scan.h"
#include "lbd/http/trailer.h"
#include "lbd/http/word.h"

enum {
	TEXT_FIRST = 1024,
	FIELD_OVERHEAD = 32, /* RFC 9113 6.5.2 */
	LINE_OVERHEAD = 4 /* ": " CRLF */
};

/* RFC 9113 8.2.2: what HTTP/2 says by other means. */
static const uint32_t connection_fields = FIELD_BIT(FIELD_CONNECTION) |
    FIELD_BIT(FIELD_HTTP2_SETTINGS) | FIELD_BIT(FIELD_KEEP_ALIVE) |
    FIELD_BIT(FIELD_PROXY_CONNECTION) | FIELD_BIT(FIELD_TRANSFER_ENCODING) |
    FIELD_BIT(FIELD_UPGRADE);

static const struct str pseudo_names[PSEUDO_COUNT] = {
	[PSEUDO_METHOD] = { ":method", 7 },
	[PSEUDO_SCHEME] = { ":scheme", 7 },
	[PSEUDO_AUTHORITY] = { ":authority", 10 },
	[PSEUDO_PATH] = { ":path", 5 },
	[PSEUDO_PROTOCOL] = { ":protocol", 9 },
	[PSEUDO_STATUS] = { ":status", 7 },
};

struct h2_block *
h2_block_new(void)
{
	struct h2_block *b = malloc(sizeof(*b));

	if (!b)
		return NULL;
	b->text = malloc(TEXT_FIRST);
	b->size = TEXT_FIRST;
	if (!b->text)
		h2_block_free(&b);
	return b;
}

void
h2_block_free(struct h2_block **bp)
{
	if (*bp)
		free((*bp)->text);
	free(*bp);
	*bp = NULL;
}

void
h2_block_start(struct h2_block *b, enum h2_block_kind kind)
{
	b->used = b->n = 0;
	b->decoded = 0;
	b->refusal = REFUSE_NOTHING;
	b->kind = kind;
	memset(b->pseudo, 0, sizeof(b->pseudo));
}

/* Room for n more bytes.  0 or -ENOMEM. */
static int
text_room(struct h2_block *b, size_t n)
{
	size_t size = b->size;
	char *text;

	while (size - b->used < n)
		size *= 2;
	if (size == b->size)
		return 0;
	text = realloc(b->text, size);
	if (!text)
		return -ENOMEM;
	b->text = text;
	b->size = (uint32_t)size;
	return 0;
}

static void
text_add(struct h2_block *b, const char *p, size_t n)
{
	if (n)
		memcpy(b->text + b->used, p, n);
	b->used += (uint32_t)n;
}

static void
text_add_line(struct h2_block *b, struct str name, struct str value)
{
	text_add(b, name.p, name.n);
	text_add(b, ": ", 2);
	text_add(b, value.p, value.n);
	text_add(b, "\r\n", 2);
}

/* Lower case, and nothing that HTTP/1 could not carry. */
static bool
name_valid(struct str s)
{
	if (!scan_all(s, SCAN_TOKEN))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] >= 'A' && s.p[i] <= 'Z')
			return false;
	return true;
}

static bool
value_valid(struct str s)
{
	if (s.n == 0)
		return true;
	return scan_value(s.p, s.p + s.n) == s.p + s.n && !scan_is_blank(s.p[0]) &&
	    !scan_is_blank(s.p[s.n - 1]);
}

static enum refusal
pseudo_add(struct h2_block *b, struct str name, struct str value)
{
	int i = 0;

	while (i < PSEUDO_COUNT && !str_eq(pseudo_names[i], name))
		i++;
	if (i == PSEUDO_COUNT || b->kind != (i == PSEUDO_STATUS ? H2_RESPONSE : H2_REQUEST))
		return REFUSE_PSEUDO_HEADER;
	if (b->n > 0 || b->pseudo[i].n || value.n == 0)
		return REFUSE_PSEUDO_HEADER;
	b->pseudo[i].at = b->used;
	b->pseudo[i].n = (uint32_t)value.n;
	text_add(b, value.p, value.n);
	return REFUSE_NOTHING;
}

static enum refusal
field_add(struct h2_block *b, const struct http_limits *limits, struct str name, struct str value)
{
	enum field_id id = field_id_of(name);

	if (b->n == limits->fields)
		return REFUSE_FIELD_COUNT;
	if (!name_valid(name))
		return REFUSE_FIELD_NAME;
	if (!value_valid(value))
		return REFUSE_FIELD_VALUE;
	if (field_among(id, connection_fields))
		return REFUSE_CONNECTION_FIELD;
	if (id == FIELD_TE && !word_is(value, "trailers"))
		return REFUSE_CONNECTION_FIELD;
	b->fields[b->n].at = b->used;
	b->fields[b->n].name_n = (uint16_t)name.n;
	b->fields[b->n].value_n = (uint32_t)value.n;
	b->fields[b->n].crumb = id == FIELD_COOKIE;
	b->n++;
	text_add_line(b, name, value);
	return REFUSE_NOTHING;
}

/* Dropped, not refused, as in HTTP/1: who reads a trailer must not take it for a head's field. */
static enum refusal
trailer_add(struct h2_block *b, struct str name, struct str value)
{
	if (!name_valid(name) || !value_valid(value))
		return REFUSE_TRAILER;
	if (field_in_trailer(name))
		text_add_line(b, name, value);
	return REFUSE_NOTHING;
}

int
h2_block_add(
    struct h2_block *b, const struct http_limits *limits, struct str name, struct str value)
{
	b->decoded += name.n + value.n + FIELD_OVERHEAD;
	if (b->refusal)
		return 0;
	if (b->decoded > (b->kind == H2_TRAILERS ? TRAILER_MAX : limits->head_size)) {
		b->refusal = REFUSE_HEAD_SIZE;
		return 0;
	}
	if (text_room(b, name.n + value.n + LINE_OVERHEAD) < 0)
		return -ENOMEM;
	if (name.n && name.p[0] == ':')
		b->refusal = pseudo_add(b, name, value);
	else if (b->kind == H2_TRAILERS)
		b->refusal = trailer_add(b, name, value);
	else
		b->refusal = field_add(b, limits, name, value);
	return 0;
}

struct str
h2_block_trailers(const struct h2_block *b)
{
	return (struct str){ b->text, b->refusal ? 0 : b->used };
}

static struct str
pseudo(const struct h2_block *b, enum h2_pseudo which)
{
	return (struct str){ b->text + b->pseudo[which].at, b->pseudo[which].n };
}

static struct str
field_value(const struct h2_block *b, uint32_t i)
{
	return (struct str){ b->text + b->fields[i].at + b->fields[i].name_n + 2,
		b->fields[i].value_n };
}

/*
 * RFC 9113 8.2.3: crumbs become one field, in the place of the first; written behind the rest, for which
 * there is room.
 */
static struct http_field
cookie_join(struct h2_block *b)
{
	const struct str name = STR("cookie");
	struct str value = { b->text + b->used + name.n + 2, 0 };
	uint32_t start = b->used;

	text_add(b, name.p, name.n);
	text_add(b, ": ", 2);
	for (uint32_t i = 0; i < b->n; i++) {
		struct str crumb = field_value(b, i);

		if (!b->fields[i].crumb || crumb.n == 0)
			continue;
		if (b->used > start + name.n + 2)
			text_add(b, "; ", 2);
		text_add(b, crumb.p, crumb.n);
	}
	value.n = (size_t)(b->text + b->used - value.p);
	text_add(b, "\r\n", 2);
	return (struct http_field){ { b->text + start, name.n }, value, FIELD_COOKIE, false, true };
}

/* Makes the text large enough to hold all crumbs once more.  How many there are; -1: out of memory. */
static int
crumbs_prepare(struct h2_block *b)
{
	size_t size = LINE_OVERHEAD + sizeof("cookie");
	int n = 0;

	for (uint32_t i = 0; i < b->n; i++) {
		if (!b->fields[i].crumb)
			continue;
		size += b->fields[i].value_n + 2;
		n++;
	}
	return n > 1 && text_room(b, size) < 0 ? -1 : n;
}

static enum refusal
fields_take(struct h2_block *b, struct http_head *head, struct h1_facts *facts)
{
	int crumbs = crumbs_prepare(b);
	bool joined = false;
	enum refusal refusal;

	if (crumbs < 0)
		return REFUSE_HEAD_SIZE;
	for (uint32_t i = 0; i < b->n; i++) {
		struct http_field *f = &head->fields[head->n_fields];
		struct str name = { b->text + b->fields[i].at, b->fields[i].name_n };

		if (b->fields[i].crumb && crumbs > 1) {
			if (!joined)
				head->fields[head->n_fields++] = cookie_join(b);
			joined = true;
			continue;
		}
		*f = (struct http_field){ name, field_value(b, i), field_id_of(name), false, true };
		f->one_hop = field_among(f->id, FIELDS_ONE_HOP);
		if ((refusal = h1_field_note(head, facts, f)))
			return refusal;
		head->n_fields++;
	}
	return REFUSE_NOTHING;
}

/* RFC 8441: the one tunnel there is.  A server gets it as the HTTP/1 request that means the same. */
static enum refusal
method_decide(struct h2_block *b, struct http_head *head)
{
	struct str protocol = pseudo(b, PSEUDO_PROTOCOL);

	if (head->method.n == 0)
		return REFUSE_PSEUDO_HEADER;
	if (!scan_all(head->method, SCAN_TOKEN))
		return REFUSE_REQUEST_LINE;
	if (protocol.n == 0)
		return h1_method_decide(head);
	if (!str_eq(head->method, STR("CONNECT")))
		return REFUSE_PSEUDO_HEADER;
	if (!word_is(protocol, "websocket"))
		return REFUSE_PROTOCOL;
	head->method = STR("GET");
	head->method_id = METHOD_GET;
	head->upgrade_websocket = true;
	return REFUSE_NOTHING;
}

static enum refusal
target_decide(struct h2_block *b, const struct http_limits *limits, struct http_head *head)
{
	struct str scheme = pseudo(b, PSEUDO_SCHEME), path = head->target;

	if (scheme.n == 0 || path.n == 0)
		return REFUSE_PSEUDO_HEADER;
	if (!word_is(scheme, "http") && !word_is(scheme, "https"))
		return REFUSE_TARGET;
	if (path.n > limits->target_size)
		return REFUSE_TARGET_LENGTH;
	if (scan_target(path.p, path.p + path.n) != path.p + path.n)
		return REFUSE_TARGET;
	if (path.p[0] == '/')
		return REFUSE_NOTHING;
	return str_eq(path, STR("*")) && head->method_id == METHOD_OPTIONS ? REFUSE_NOTHING
									   : REFUSE_TARGET;
}

/* RFC 9113 8.3.1: `:authority` and Host say the same, and one of them is there. */
static enum refusal
host_decide(struct h2_block *b, struct http_head *head, const struct h1_facts *facts)
{
	struct str authority = pseudo(b, PSEUDO_AUTHORITY);

	if (authority.n == 0)
		return h1_seen(facts, FIELD_HOST) && head->host.n ? REFUSE_NOTHING : REFUSE_HOST;
	if (!authority_valid(authority))
		return REFUSE_HOST;
	if (h1_seen(facts, FIELD_HOST) && !str_eq_nocase(head->host, authority))
		return REFUSE_HOST;
	head->host = authority;
	return REFUSE_NOTHING;
}

static enum refusal
framing_decide(struct http_head *head, bool end)
{
	if (head->upgrade_websocket) {
		head->expect_continue = false;
		return head->has_length || end ? REFUSE_CONTENT_LENGTH : REFUSE_NOTHING;
	}
	if (end && head->length > 0)
		return REFUSE_CONTENT_LENGTH;
	if (head->length > 0)
		head->framing = FRAMING_LENGTH;
	else if (!end && !head->has_length)
		head->framing = FRAMING_CHUNKED;
	if (head->framing == FRAMING_NONE)
		head->expect_continue = false;
	return REFUSE_NOTHING;
}

enum refusal
h2_block_request(
    struct h2_block *b, const struct http_limits *limits, bool end, struct http_head *head)
{
	struct h1_facts facts = { .response = false };
	enum refusal refusal = b->refusal;

	memset(head, 0, offsetof(struct http_head, fields));
	head->minor = HTTP_2;
	head->keep_alive = true;
	head->method = pseudo(b, PSEUDO_METHOD);
	head->target = pseudo(b, PSEUDO_PATH);
	if (!refusal)
		refusal = method_decide(b, head);
	if (!refusal)
		refusal = fields_take(b, head, &facts);
	if (!refusal)
		refusal = target_decide(b, limits, head);
	if (!refusal)
		refusal = host_decide(b, head, &facts);
	if (!refusal)
		refusal = framing_decide(head, end);
	return refusal;
}

/* Three digits, and none of RFC 9113 8.6. */
static enum refusal
status_decide(struct h2_block *b, struct http_head *head)
{
	struct str s = pseudo(b, PSEUDO_STATUS);

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return REFUSE_STATUS_LINE;
		head->status = head->status * 10 + (unsigned)(s.p[i] - '0');
	}
	if (s.n != 3 || head->status < 100)
		return REFUSE_STATUS_LINE;
	return head->status == 101 ? REFUSE_UPGRADE : REFUSE_NOTHING;
}

/* Whoever ends here what has a length was asked by HEAD, or nghttp2 tells. */
static enum refusal
response_framing_decide(struct http_head *head, bool end)
{
	bool bare = head->status < 200 || head->status == 204;

	if (head->status < 200 && end)
		return REFUSE_FRAMING;
	if (bare) {
		head->has_length = false;
		head->length = 0;
	}
	if (end || bare || head->status == 304)
		head->framing = FRAMING_NONE;
	else if (head->has_length)
		head->framing = head->length ? FRAMING_LENGTH : FRAMING_NONE;
	else
		head->framing = FRAMING_CHUNKED;
	return REFUSE_NOTHING;
}

enum refusal
h2_block_response(struct h2_block *b, bool end, struct http_head *head)
{
	struct h1_facts facts = { .response = true };
	enum refusal refusal = b->refusal;

	memset(head, 0, offsetof(struct http_head, fields));
	head->minor = HTTP_2;
	head->keep_alive = true;
	if (!refusal)
		refusal = status_decide(b, head);
	if (!refusal)
		refusal = fields_take(b, head, &facts);
	head->reason = str_of(http_reason(head->status));
	return refusal ? refusal : response_framing_decide(head, end);
}

/*
 * h1_response.c - response heads, read against the request that they answer.
 *
 * Servers are trusted no more than clients: whatever leaves the framing in doubt is refused, and becomes
 * a 502.
 */
#include <stddef.h>

#include "lbd/http/h1_fields.h"
#include "lbd/http/scan.h"

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Why "HTTP/1.D DDD" is not what it starts with: cut off, or wrong. */
static ssize_t
not_status(struct str in)
{
	static const char pattern[] = "HTTP/1.1 000";
	size_t i;

	for (i = 0; i < in.n && pattern[i]; i++) {
		bool same = in.p[i] == pattern[i] || (i == 7 && in.p[i] == '0');

		if (pattern[i] == '0' ? !is_digit(in.p[i]) : !same)
			return -REFUSE_STATUS_LINE;
	}
	return pattern[i] ? 0 : -REFUSE_STATUS_LINE;
}

static ssize_t
status_parse(struct str in, struct http_head *head)
{
	const char *p = in.p, *code = p + 9;

	if (in.n < 12 || memcmp(p, "HTTP/1.", 7) != 0 || (p[7] != '1' && p[7] != '0') ||
	    p[8] != ' ' || !is_digit(code[0]) || !is_digit(code[1]) || !is_digit(code[2]) ||
	    code[0] == '0')
		return not_status(in);
	head->minor = p[7] == '1';
	head->status = (unsigned)(code[0] - '0') * 100 + (unsigned)(code[1] - '0') * 10 +
	    (unsigned)(code[2] - '0');
	return 12;
}

/* " reason" CRLF; some servers leave out the blank when there is no reason. */
static ssize_t
reason_parse(struct str in, struct http_head *head)
{
	const char *end = in.p + in.n, *p = in.p, *q;

	if (p == end)
		return 0;
	if (*p == ' ')
		p++;
	else if (*p != '\r')
		return *p == '\n' ? -REFUSE_LINE_END : -REFUSE_STATUS_LINE;
	q = scan_value(p, end);
	if (q == end)
		return 0;
	if (*q != '\r')
		return *q == '\n' ? -REFUSE_LINE_END : -REFUSE_STATUS_LINE;
	if (q + 1 == end)
		return 0;
	if (q[1] != '\n')
		return -REFUSE_LINE_END;
	head->reason = (struct str){ p, (size_t)(q - p) };
	return q + 2 - in.p;
}

/* RFC 9112 6.3, rules 1 to 8, without those that allow a doubt. */
static enum refusal
framing_decide(struct http_head *head, const struct h1_facts *facts, enum http_method method)
{
	bool chunked = h1_seen(facts, FIELD_TRANSFER_ENCODING);
	bool bare = head->status < 200 || head->status == 204;

	if (chunked && head->has_length)
		return REFUSE_FRAMING;
	if (bare && (chunked || head->length > 0)) {
		if (head->status < 200) /* where would the next head start? */
			return REFUSE_FRAMING;
		head->keep_alive = false; /* there may be a body that must not be there */
	}
	if (bare) {
		head->has_length = false;
		head->length = 0;
	}
	if (bare || head->status == 304 || method == METHOD_HEAD)
		head->framing = FRAMING_NONE;
	else if (chunked)
		head->framing = FRAMING_CHUNKED;
	else if (head->has_length)
		head->framing = head->length ? FRAMING_LENGTH : FRAMING_NONE;
	else
		head->framing = FRAMING_CLOSE;
	if (head->framing == FRAMING_CLOSE)
		head->keep_alive = false;
	return REFUSE_NOTHING;
}

static ssize_t
head_parse(struct str in, const struct http_limits *limits, struct h1_expected expected,
    struct http_head *head)
{
	struct h1_facts facts = { .response = true };
	struct str rest = in;
	enum refusal refusal;
	ssize_t r;

	if ((r = status_parse(rest, head)) <= 0)
		return r;
	rest = str_skip(rest, (size_t)r);
	if ((r = reason_parse(rest, head)) <= 0)
		return r;
	rest = str_skip(rest, (size_t)r);
	if ((r = h1_fields_parse(rest, limits, head, &facts)) <= 0)
		return r;
	rest = str_skip(rest, (size_t)r);
	head->keep_alive = h1_persistent(head, &facts);
	if ((refusal = framing_decide(head, &facts, expected.method)))
		return -(ssize_t)refusal;
	if (head->status == 101) {
		head->upgrade_websocket = facts.upgrade && facts.websocket && head->minor > 0;
		if (!expected.upgrade || !head->upgrade_websocket)
			return -REFUSE_UPGRADE;
	}
	return rest.p - in.p;
}

ssize_t
h1_parse_response(struct str in, const struct http_limits *limits, struct h1_expected expected,
    struct http_head *head)
{
	bool more = in.n >= limits->head_size;
	ssize_t r;

	memset(head, 0, offsetof(struct http_head, fields));
	if (more)
		in.n = limits->head_size;
	r = head_parse(in, limits, expected, head);
	return r == 0 && more ? -REFUSE_HEAD_SIZE : r;
}

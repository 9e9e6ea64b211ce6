/*
 * h1_request.c - request heads.
 *
 * The head is read once from left to right, so that the first thing wrong decides, however the bytes
 * arrive.  Method and target are judged when the request line is complete, the rest at the end of each
 * line; what needs the whole head comes last.
 */
#include <stddef.h>

#include "lbd/http/h1_fields.h"
#include "lbd/http/h1_target.h"
#include "lbd/http/scan.h"
#include "lbd/http/word.h"

enum { METHOD_MAX = 64, EMPTY_LINES_MAX = 2 };

__attribute__((always_inline)) static inline enum http_method
method_of(struct str s)
{
	switch (s.n) {
	case 3:
		if (memcmp(s.p, "GET", 3) == 0)
			return METHOD_GET;
		return memcmp(s.p, "PUT", 3) == 0 ? METHOD_PUT : METHOD_OTHER;
	case 4:
		if (memcmp(s.p, "POST", 4) == 0)
			return METHOD_POST;
		return memcmp(s.p, "HEAD", 4) == 0 ? METHOD_HEAD : METHOD_OTHER;
	case 5:
		return memcmp(s.p, "PATCH", 5) == 0 ? METHOD_PATCH : METHOD_OTHER;
	case 6:
		return memcmp(s.p, "DELETE", 6) == 0 ? METHOD_DELETE : METHOD_OTHER;
	case 7:
		return memcmp(s.p, "OPTIONS", 7) == 0 ? METHOD_OPTIONS : METHOD_OTHER;
	}
	return METHOD_OTHER;
}

/* In any case: a server that ignores the case of methods would open a tunnel. */
static bool
method_denied(struct str s)
{
	return word_is(s, "connect") || word_is(s, "trace");
}

enum refusal
h1_method_decide(struct http_head *head)
{
	head->method_id = method_of(head->method);
	if (head->method.n > METHOD_MAX) {
		head->method.n = METHOD_MAX;
		return REFUSE_METHOD_LENGTH;
	}
	return method_denied(head->method) ? REFUSE_METHOD_DENIED : REFUSE_NOTHING;
}

/* RFC 9112 2.2: a client may send an empty line too many after a body. */
static enum refusal
empty_lines_skip(struct str *in)
{
	for (int lines = 0; in->n && (in->p[0] == '\r' || in->p[0] == '\n'); lines++) {
		if (lines == EMPTY_LINES_MAX)
			return REFUSE_REQUEST_LINE;
		if (in->p[0] == '\n' || (in->n > 1 && in->p[1] != '\n'))
			return REFUSE_LINE_END;
		*in = str_skip(*in, in->n > 1 ? 2 : 1);
	}
	return REFUSE_NOTHING;
}

/* "HTTP/D.D" CRLF.  What is misspelt is refused at its first wrong byte, another major at the end. */
static ssize_t
version_parse(struct str in, unsigned *minor)
{
	static const char pattern[] = "HTTP/0.0\r\n", usual[] = "HTTP/1.1\r\n";
	size_t i;

	if (in.n >= sizeof(usual) - 1 && memcmp(in.p, usual, sizeof(usual) - 1) == 0) {
		*minor = 1;
		return sizeof(usual) - 1;
	}
	for (i = 0; i < in.n && pattern[i]; i++) {
		bool digit = in.p[i] >= '0' && in.p[i] <= '9';

		if (pattern[i] == '0' ? digit : in.p[i] == pattern[i])
			continue;
		return i >= 8 && (in.p[i] == '\n' || i == 9) ? -REFUSE_LINE_END : -REFUSE_VERSION;
	}
	if (pattern[i])
		return 0;
	if (in.p[5] != '1')
		return -REFUSE_VERSION_MAJOR;
	*minor = in.p[7] != '0';
	return (ssize_t)i;
}

static ssize_t
method_parse(struct str in, struct http_head *head)
{
	const char *end = in.p + in.n, *q = scan_token(in.p, end);

	head->method = (struct str){ in.p, (size_t)(q - in.p) };
	if (head->method.n > METHOD_MAX) {
		head->method.n = METHOD_MAX;
		return -REFUSE_METHOD_LENGTH;
	}
	if (q == end)
		return 0;
	if (q == in.p || *q != ' ')
		return -REFUSE_REQUEST_LINE;
	head->method_id = method_of(head->method);
	return q + 1 - in.p;
}

static ssize_t
target_parse(struct str in, uint32_t limit, struct http_head *head)
{
	const char *end = in.p + in.n, *q = scan_target(in.p, end);

	head->target = (struct str){ in.p, (size_t)(q - in.p) };
	if (head->target.n > limit) {
		head->target.n = limit;
		return -REFUSE_TARGET_LENGTH;
	}
	if (q == end)
		return 0;
	if (*q == '\r' || *q == '\n' || q == in.p)
		return -REFUSE_REQUEST_LINE;
	return *q == ' ' ? q + 1 - in.p : -REFUSE_TARGET;
}

/* The line with its CRLF; on success head->target is what is forwarded. */
static ssize_t
line_parse(
    struct str in, const struct http_limits *limits, struct http_head *head, struct str *authority)
{
	struct str rest = in;
	enum refusal refusal;
	ssize_t r;

	if ((r = method_parse(rest, head)) <= 0)
		return r;
	rest = str_skip(rest, (size_t)r);
	if ((r = target_parse(rest, limits->target_size, head)) <= 0)
		return r;
	rest = str_skip(rest, (size_t)r);
	if ((r = version_parse(rest, &head->minor)) <= 0)
		return r;
	rest = str_skip(rest, (size_t)r);
	if (method_denied(head->method))
		return -REFUSE_METHOD_DENIED;
	refusal = h1_target_resolve(head, authority);
	return refusal ? -(ssize_t)refusal : rest.p - in.p;
}

static enum refusal
host_decide(struct http_head *head, const struct h1_facts *facts, struct str authority)
{
	if (head->minor > 0 && !h1_seen(facts, FIELD_HOST))
		return REFUSE_HOST;
	if (authority.n == 0)
		return REFUSE_NOTHING;
	if (h1_seen(facts, FIELD_HOST) && !str_eq_nocase(head->host, authority))
		return REFUSE_HOST;
	head->host = authority;
	return REFUSE_NOTHING;
}

static enum refusal
framing_decide(struct http_head *head, const struct h1_facts *facts)
{
	bool chunked = h1_seen(facts, FIELD_TRANSFER_ENCODING);

	if (chunked && head->has_length)
		return REFUSE_FRAMING;
	if (chunked)
		head->framing = FRAMING_CHUNKED;
	else if (head->length > 0)
		head->framing = FRAMING_LENGTH;
	if (head->framing != FRAMING_NONE && head->minor == 0 &&
	    (head->method_id == METHOD_GET || head->method_id == METHOD_HEAD))
		return REFUSE_BODY_DENIED; /* peers of that age take the body for a request */
	return REFUSE_NOTHING;
}

static ssize_t
head_parse(struct str in, const struct http_limits *limits, struct http_head *head)
{
	struct h1_facts facts = { .response = false };
	struct str rest = in, authority;
	enum refusal refusal;
	ssize_t r;

	if ((refusal = empty_lines_skip(&rest)))
		return -(ssize_t)refusal;
	if ((r = line_parse(rest, limits, head, &authority)) <= 0)
		return r;
	rest = str_skip(rest, (size_t)r);
	if ((r = h1_fields_parse(rest, limits, head, &facts)) <= 0)
		return r;
	rest = str_skip(rest, (size_t)r);
	if ((refusal = host_decide(head, &facts, authority)))
		return -(ssize_t)refusal;
	if ((refusal = framing_decide(head, &facts)))
		return -(ssize_t)refusal;
	if (head->framing == FRAMING_NONE)
		head->expect_continue = false; /* nothing to wait for */
	head->keep_alive = h1_persistent(head, &facts);
	head->upgrade_websocket = facts.upgrade && facts.websocket && head->minor > 0 &&
	    head->method_id == METHOD_GET && head->framing == FRAMING_NONE;
	return rest.p - in.p;
}

ssize_t
h1_parse_request(struct str in, const struct http_limits *limits, struct http_head *head)
{
	bool more = in.n >= limits->head_size;
	ssize_t r;

	memset(head, 0, offsetof(struct http_head, fields));
	if (more)
		in.n = limits->head_size;
	r = head_parse(in, limits, head);
	return r == 0 && more ? -REFUSE_HEAD_SIZE : r;
}

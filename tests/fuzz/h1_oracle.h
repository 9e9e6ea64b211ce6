/*
 * h1_oracle.h - what must hold for whatever bytes the HTTP/1 parsers are given; for fuzzing and unit tests.
 *
 * Every check answers NULL, or a sentence about what is wrong.  Inputs are copied into heap blocks of
 * exactly their size first, so that a sanitizer sees a read of one byte too many.
 */
#ifndef TESTS_FUZZ_H1_ORACLE_H
#define TESTS_FUZZ_H1_ORACLE_H

#include <stdio.h>
#include <stdlib.h>

#include "lbd/http/field.h"
#include "lbd/http/h1_format.h"
#include "lbd/http/h1_parse.h"

static const struct http_limits oracle_limits = {
	.head_size = 32768,
	.target_size = 16384,
	.fields = 128,
};

static inline char *
oracle_copy(struct str s)
{
	char *p = malloc(s.n ? s.n : 1);

	if (!p)
		abort();
	if (s.n)
		memcpy(p, s.p, s.n);
	return p;
}

/* Requests and responses behind one signature. */
struct oracle_parser {
	bool response;
	struct http_limits limits;
	struct h1_expected expected;
};

static inline ssize_t
oracle_parse(const struct oracle_parser *parser, struct str in, struct http_head *head)
{
	if (parser->response)
		return h1_parse_response(in, &parser->limits, parser->expected, head);
	return h1_parse_request(in, &parser->limits, head);
}

/* The answer for the first `n` bytes alone. */
static inline ssize_t
oracle_prefix(const struct oracle_parser *parser, struct str in, size_t n)
{
	static struct http_head head;
	char *copy = oracle_copy((struct str){ in.p, n });
	ssize_t r = oracle_parse(parser, (struct str){ copy, n }, &head);

	free(copy);
	return r;
}

/*
 * A cut may only turn an answer into "need more", and what is refused stays refused.  All cuts are tried,
 * or every `stride`th.
 */
static inline const char *
oracle_cuts(const struct oracle_parser *parser, struct str in, size_t stride)
{
	ssize_t whole = oracle_prefix(parser, in, in.n), part, before = 0;

	if (whole > (ssize_t)in.n)
		return "more bytes eaten than there are";
	for (size_t n = 0; n < in.n; n += stride, before = part) {
		part = oracle_prefix(parser, in, n);
		if (part != 0 && part != whole)
			return "a prefix gets another answer than the whole";
		if (before < 0 && part == 0)
			return "refused, then not refused";
		if (whole > 0 && (n >= (size_t)whole) != (part > 0))
			return "accepted too early or too late";
	}
	return NULL;
}

static inline bool
oracle_inside(struct str s, struct str in)
{
	return s.n == 0 || (s.p >= in.p && s.p + s.n <= in.p + in.n);
}

/* Are the fields of a head what its bytes can carry, and slices of them? */
static inline const char *
oracle_fields(const struct http_head *head, struct str in)
{
	for (unsigned i = 0; i < head->n_fields; i++) {
		const struct http_field *f = &head->fields[i];

		if (!oracle_inside(f->name, in) || !oracle_inside(f->value, in))
			return "a field outside of the input";
		if (f->name.n == 0 || strcspn(f->name.p, ":") != f->name.n)
			return "a field name that is none";
		if (f->id != field_id_of(f->name))
			return "a wrong field id";
		for (size_t k = 0; k < f->value.n; k++)
			if ((unsigned char)f->value.p[k] < ' ' && f->value.p[k] != '\t')
				return "a control character in a value";
	}
	return NULL;
}

/* The fields of `was` that are passed on must be in `is`, in their order, and `*at` behind the last. */
static inline const char *
oracle_passed(const struct http_head *was, uint32_t owned, const struct http_head *is, unsigned *at)
{
	for (unsigned i = 0; i < was->n_fields; i++) {
		const struct http_field *f = &was->fields[i];

		if (f->one_hop || field_among(f->id, owned))
			continue;
		if (*at == is->n_fields || !str_eq(f->name, is->fields[*at].name) ||
		    !str_eq(f->value, is->fields[*at].value))
			return "a field was lost or changed";
		++*at;
	}
	return NULL;
}

static inline const char *
oracle_same_framing(const struct http_head *a, const struct http_head *b)
{
	if (a->framing != b->framing || a->length != b->length || a->has_length != b->has_length)
		return "framing changed";
	return NULL;
}

/* What we write for a request must be read back as the same request. */
static inline const char *
oracle_request_again(const struct http_head *head, bool trusted)
{
	static struct http_head again;
	static char room[131072];
	const struct http_limits limits = { sizeof(room), 32768, HTTP_FIELDS_MAX };
	const struct forward forward = {
		.client = STR("2001:db8::1"),
		.proto = STR("https"),
		.request_id = STR("0123456789abcdef"),
		.via = STR("lbd"),
		.default_host = STR("default.example"),
		.trusted = trusted,
		.x_forwarded = true,
		.rfc7239 = true,
	};
	const uint32_t owned = FIELD_BIT(FIELD_X_REQUEST_ID) | FIELD_BIT(FIELD_FORWARDED) |
	    FIELD_BIT(FIELD_X_FORWARDED_FOR) |
	    (trusted ? 0
		     : FIELD_BIT(FIELD_X_FORWARDED_HOST) | FIELD_BIT(FIELD_X_FORWARDED_PROTO) |
			FIELD_BIT(FIELD_LIKE_FORWARDING));
	struct writer w = { room, room + sizeof(room), false };
	struct formatted formatted;
	unsigned at = 1;
	const char *wrong;

	h1_format_request(&w, head, &forward, &formatted);
	if (w.overflow)
		return "does not fit";
	if (h1_parse_request((struct str){ room, (size_t)(w.p - room) }, &limits, &again) !=
	    w.p - room)
		return "we do not accept what we write";
	if (!str_eq(again.method, head->method) || again.minor != 1 || !again.keep_alive)
		return "method or version changed";
	if (again.target.n != head->target.n + head->target_slash ||
	    memcmp(again.target.p + head->target_slash, head->target.p, head->target.n) != 0)
		return "target changed";
	if (!str_eq(again.host, head->host.n ? head->host : forward.default_host))
		return "host changed";
	if (again.expect_continue != head->expect_continue ||
	    again.upgrade_websocket != head->upgrade_websocket ||
	    again.te_trailers != (head->te_trailers && !head->upgrade_websocket))
		return "expectations changed";
	if ((wrong = oracle_same_framing(head, &again)))
		return wrong;
	if (!str_eq(formatted.target, again.target) || !str_eq(formatted.host, again.host) ||
	    !str_eq(formatted.method, again.method))
		return "the log would say something else";
	return oracle_passed(head, owned, &again, &at);
}

static inline const char *
oracle_response_again(const struct http_head *head, struct h1_expected expected)
{
	static struct http_head again;
	static char room[131072];
	const struct http_limits limits = { sizeof(room), 0, HTTP_FIELDS_MAX };
	const struct reply reply = {
		.client_minor = 1,
		.keep_alive = head->keep_alive,
		.framing = head->framing,
		.upgrade = head->upgrade_websocket,
	};
	struct writer w = { room, room + sizeof(room), false };
	unsigned at = 0;
	const char *wrong;

	h1_format_response(&w, head, &reply);
	if (w.overflow)
		return "does not fit";
	if (h1_parse_response((struct str){ room, (size_t)(w.p - room) }, &limits, expected,
		&again) != w.p - room)
		return "we do not accept what we write";
	if (again.status != head->status || !str_eq(again.reason, head->reason) || again.minor != 1)
		return "status line changed";
	if (again.upgrade_websocket != head->upgrade_websocket)
		return "upgrade changed";
	if (head->status >= 200 && again.keep_alive != head->keep_alive)
		return "keep-alive changed";
	if ((wrong = oracle_same_framing(head, &again)))
		return wrong;
	return oracle_passed(head, 0, &again, &at);
}

/* What an accepted request must be, whatever it was. */
static inline const char *
oracle_request_sane(const struct http_head *head)
{
	if (head->method.n == 0 || head->method.n > 64 || head->target.n == 0)
		return "no method or no target";
	if (head->target.p[0] != '/' && !head->target_slash && !str_eq(head->target, STR("*")))
		return "a target that is not origin-form";
	if (head->framing == FRAMING_CLOSE ||
	    (head->framing == FRAMING_LENGTH) != (head->length > 0))
		return "a body without an end";
	if (head->minor == 0 &&
	    (head->framing == FRAMING_CHUNKED || head->te_trailers || head->expect_continue ||
		head->upgrade_websocket))
		return "a feature of HTTP/1.1 in HTTP/1.0";
	return NULL;
}

static inline const char *
oracle_response_sane(const struct http_head *head, struct h1_expected expected)
{
	bool bare = head->status < 200 || head->status == 204 || head->status == 304 ||
	    expected.method == METHOD_HEAD;

	if (head->status < 100 || head->status > 999)
		return "a status out of range";
	if (bare && head->framing != FRAMING_NONE)
		return "a body where there is none";
	if ((head->framing == FRAMING_LENGTH) != (head->length > 0 && !bare))
		return "a length that frames nothing";
	if (head->framing == FRAMING_CLOSE && head->keep_alive)
		return "reused after a body that ends with the connection";
	if (head->status == 101 && (!expected.upgrade || !head->upgrade_websocket))
		return "an upgrade that nobody asked for";
	return NULL;
}

/* Everything at once. */
static inline const char *
oracle_head(const struct oracle_parser *parser, struct str in, size_t stride)
{
	static struct http_head head;
	const char *wrong = oracle_cuts(parser, in, stride);
	char *copy = oracle_copy(in);
	ssize_t r = oracle_parse(parser, (struct str){ copy, in.n }, &head);

	if (!wrong && r > 0)
		wrong = oracle_fields(&head, (struct str){ copy, (size_t)r });
	if (!wrong && r > 0 && parser->response)
		wrong = oracle_response_sane(&head, parser->expected);
	if (!wrong && r > 0 && parser->response)
		wrong = oracle_response_again(&head, parser->expected);
	if (!wrong && r > 0 && !parser->response)
		wrong = oracle_request_sane(&head);
	if (!wrong && r > 0 && !parser->response)
		wrong = oracle_request_again(&head, false);
	if (!wrong && r > 0 && !parser->response)
		wrong = oracle_request_again(&head, true);
	free(copy);
	return wrong;
}

#endif

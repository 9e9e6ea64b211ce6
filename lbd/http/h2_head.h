/*
 * h2_head.h - a message's header block, field by field as HPACK gives it, becomes a message head.  Pure.
 *
 * Everything that the same request could not say in HTTP/1 is refused, so that writing it down for a server
 * adds nothing to it and takes nothing away: RFC 9113 8.1 to 8.3 and 10.3, docs/http-policy.md.  Fields are
 * kept as the lines that they will be in HTTP/1.  One block is decoded at a time on a connection, and
 * its text grows no further than the limits; what is beyond them is counted, not kept.
 */
#ifndef LBD_HTTP_H2_HEAD_H
#define LBD_HTTP_H2_HEAD_H

#include "lbd/http/h1_parse.h"

enum h2_pseudo {
	PSEUDO_METHOD,
	PSEUDO_SCHEME,
	PSEUDO_AUTHORITY,
	PSEUDO_PATH,
	PSEUDO_PROTOCOL,
	PSEUDO_STATUS, /* of responses, which have no other */
	PSEUDO_COUNT
};

enum h2_block_kind { H2_REQUEST, H2_RESPONSE, H2_TRAILERS };

struct h2_block {
	char *text; /* pseudo-header values, then lines; allocated */
	uint32_t used, size;
	uint32_t n; /* regular fields, all crumbs of a cookie among them */
	uint64_t
	    decoded; /* RFC 9113 6.5.2: names, values and 32 for each field, beyond all limits */
	enum refusal refusal; /* the first one */
	enum h2_block_kind kind;
	struct {
		uint32_t at, n;
	} pseudo[PSEUDO_COUNT]; /* n = 0: absent */
	struct {
		uint32_t at, value_n;
		uint16_t name_n;
		bool crumb;
	} fields[HTTP_FIELDS_MAX];
};

struct h2_block *h2_block_new(void); /* NULL: out of memory */
void h2_block_free(struct h2_block **);

/* Empties it for the next one. */
void h2_block_start(struct h2_block *, enum h2_block_kind);

/* 0 or -ENOMEM; whether it may stand there is noted, and said at the end. */
int h2_block_add(struct h2_block *, const struct http_limits *, struct str name, struct str value);

/*
 * All of it is there; *head, which borrows the block's text, is the request.  `end`: no body follows.
 * Otherwise head->method, target and host hold what was understood, for the log.
 */
enum refusal
h2_block_request(struct h2_block *, const struct http_limits *, bool end, struct http_head *);

/* The same of a response, as one to GET: of one to HEAD, framing and length are the head's alone. */
enum refusal h2_block_response(struct h2_block *, bool end, struct http_head *);

/* Of trailers: "name: value" CRLF for each that may stand there; empty when they were refused. */
struct str h2_block_trailers(const struct h2_block *);

#endif

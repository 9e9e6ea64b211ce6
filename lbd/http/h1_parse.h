/*
 * h1_parse.h - HTTP/1 message heads from bytes.  Pure: no I/O, no allocation, no repair.
 *
 * Both functions look at the bytes from the start of a message each time; they keep no state between
 * calls, so that delivery byte by byte gives the same answer as the whole.  What they accept is written
 * in docs/http-policy.md, class by class.  RFC 9112; the checks of RFC 9110 that framing and routing
 * depend on are done here too, so that a head which comes out may be forwarded.
 */
#ifndef LBD_HTTP_H1_PARSE_H
#define LBD_HTTP_H1_PARSE_H

#include <sys/types.h>

#include "lbd/http/head.h"
#include "lbd/http/refusal.h"

struct http_limits {
	uint32_t head_size; /* bytes of a whole head, start line included */
	uint32_t target_size; /* bytes of a request target */
	uint32_t fields; /* number of fields, at most HTTP_FIELDS_MAX */
};

/* What a response must be read against. */
struct h1_expected {
	enum http_method method; /* of the request: HEAD has no body */
	bool upgrade; /* the request asked to upgrade to WebSocket */
};

/*
 * >0: bytes of the head, including the empty line; *head is filled.
 *  0: incomplete, nothing wrong so far.
 * <0: -(enum refusal).  For a request head->method, target and host hold what was understood before the
 *     refusal (else empty), for the log.
 * At most two empty lines before a request line are skipped and counted in the answer.
 */
ssize_t h1_parse_request(struct str in, const struct http_limits *, struct http_head *head);
ssize_t h1_parse_response(
    struct str in, const struct http_limits *, struct h1_expected, struct http_head *head);

#endif

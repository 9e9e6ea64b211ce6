/*
 * h1_target.h - what a request target asks for: RFC 9112 section 3.2.
 *
 * Of the four forms, origin-form, absolute-form and asterisk-form are understood; authority-form belongs to
 * CONNECT, which is refused before.
 */
#ifndef LBD_HTTP_H1_TARGET_H
#define LBD_HTTP_H1_TARGET_H

#include "lbd/http/head.h"
#include "lbd/http/refusal.h"

/*
 * Turns head->target, as received, into what is forwarded.  *authority is that of an absolute-form target,
 * else empty.
 */
enum refusal h1_target_resolve(struct http_head *, struct str *authority);

/* head->method_id of a method that is a token; one too long is cut, for the log. */
enum refusal h1_method_decide(struct http_head *);

#endif

/*
 * redirect.h - where a request should have gone: the same host and target over TLS.  Pure.
 *
 * What stands in a target but not in a URI is escaped, so that a Location is one whatever the client sent.
 */
#ifndef LBD_HTTP_REDIRECT_H
#define LBD_HTTP_REDIRECT_H

#include "lbd/http/h1_format.h"

/* RFC 3986 appendix A: whatever may not stand in a URI is escaped; a '%' is the client's own escape. */
void uri_write(struct writer *, struct str);

/* "https://HOST:PORT/TARGET", without the port if it is 443.  The host must not be empty. */
void redirect_write(struct writer *, const struct http_head *, unsigned port);

#endif

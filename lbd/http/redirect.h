/*
 * redirect.h - where a request should have gone: the same host and target over TLS.  Pure.
 *
 * What stands in a target but not in a URI is escaped, so that a Location is one whatever the client sent.
 */
#ifndef LBD_HTTP_REDIRECT_H
#define LBD_HTTP_REDIRECT_H

#include "lbd/http/h1_format.h"

/* "https://HOST:PORT/TARGET", without the port if it is 443.  The host must not be empty. */
void redirect_write(struct writer *, const struct http_head *, unsigned port);

#endif

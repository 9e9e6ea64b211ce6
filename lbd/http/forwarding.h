/*
 * forwarding.h - what lbd tells a server about the client: X-Forwarded-*, Forwarded, Via, X-Request-Id.
 *
 * A client that is not trusted cannot say anything of the kind: what it sent is left out, in every spelling
 * that a server might read.
 */
#ifndef LBD_HTTP_FORWARDING_H
#define LBD_HTTP_FORWARDING_H

#include "lbd/http/h1_format.h"

/* FIELD_BIT of the client's fields that are not copied: dropped, or extended by forwarding_write. */
uint32_t forwarding_owned(const struct forward *);

/*
 * The client's fields with these names, in every spelling that a server may take for one of them, go no further:
 * only lbd says such things.
 */
void forwarding_reserve(struct http_head *, const struct str *names, uint32_t n);

/* The generated id, or what a trusted client sent. */
struct str forwarding_request_id(const struct http_head *, const struct forward *);

/* Returns the request id as written. */
struct str forwarding_write(struct writer *, const struct http_head *, const struct forward *);

#endif

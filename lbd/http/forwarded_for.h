/*
 * forwarded_for.h - whom X-Forwarded-For names, when who sent it is trusted.  Pure.
 *
 * Read from the right: each proxy adds whom it heard, so the first one that is not trusted itself is the
 * client, and what stands before it is only what that one said.
 */
#ifndef LBD_HTTP_FORWARDED_FOR_H
#define LBD_HTTP_FORWARDED_FOR_H

#include "common/address.h"
#include "lbd/http/head.h"

/* If all are trusted, the first.  False, and *client is as it was: nobody is named. */
bool forwarded_for(const struct http_head *, const struct network *trust, uint32_t n_trust,
    struct address *client);

#endif

/*
 * sticky.h - what a cookie says of a server: a word that tells nothing, and that nobody makes without the secret.
 *
 * The first 96 bits of HMAC-SHA256 of the server's name, in base64url.  Secret and name are all that goes into
 * it: both nodes of a pair have the same words, before and after a restart, and so have pools with servers of the
 * same names.  Like those of hash.h, these numbers are an interface, and tests pin them.  Pure; made with a
 * snapshot, read-only afterwards.
 */
#ifndef LBD_BALANCE_STICKY_H
#define LBD_BALANCE_STICKY_H

#include "common/str.h"
#include "lbd/balance/balancer.h"

enum { STICKY_WORD_SIZE = 16 };

struct sticky;

/* For up to SERVER_SLOTS_MAX servers, of which only the names are looked at, now.  NULL: out of memory. */
struct sticky *sticky_new(struct str secret, const struct balance_server *servers, uint32_t n);

/* With the other one's secret. */
struct sticky *sticky_like(const struct sticky *, const struct balance_server *servers, uint32_t n);

void sticky_free(struct sticky **);

/* Of the server with that index. */
struct str sticky_word(const struct sticky *, uint32_t index);

/* The index of the server whose word that is, or -1: nobody's.  Any text may be asked for. */
int sticky_find(const struct sticky *, struct str word);

#endif

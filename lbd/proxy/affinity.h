/*
 * affinity.h - which server a request asks for: by its cookie (stickiness), by what is hashed (hash_key).
 *
 * Both are read once, when the exchange starts, for all tries.  The cookie is between the client and lbd alone: no
 * server sees it, and a client gets it again only when its server is another one.  try.c decides who serves.
 */
#ifndef LBD_PROXY_AFFINITY_H
#define LBD_PROXY_AFFINITY_H

#include "lbd/proxy/exchange.h"

/* The request's head is in worker->head; takes the cookie out of it.  END_OK or END_OUT_OF_MEMORY. */
enum termination affinity_read(struct exchange *);

/* It has a cookie: may that server have this exchange, or is it out of service, or tried already? */
bool affinity_holds(const struct exchange *);

/* The head of x->server's response is in worker->head: adds the cookie, if the client has another or none. */
void affinity_tell(struct exchange *);

#endif

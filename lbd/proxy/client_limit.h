/*
 * client_limit.h - how many connections each client has, over all workers; who has its share gets no more.
 *
 * Touched when a connection is made and when it ends, and only where limits.connections_per_client is set.
 * Memory grows with the connections that are open, not with the addresses ever seen.
 */
#ifndef LBD_PROXY_CLIENT_LIMIT_H
#define LBD_PROXY_CLIENT_LIMIT_H

#include <stdint.h>

struct client_limit;
struct client_count; /* of one client: it is there while the client has a connection */

struct client_limit *client_limit_new(void); /* NULL: out of memory */
void client_limit_free(struct client_limit **);

/*
 * One connection more, of which there may be `most`.  NULL: there are, or out of memory, and nothing was
 * counted.  A client is what has these 16 bytes.
 */
struct client_count *client_limit_enter(struct client_limit *, const uint8_t ip[16], uint32_t most);

/* One less; matches an enter.  *count = NULL. */
void client_limit_leave(struct client_limit *, struct client_count **count);

#endif

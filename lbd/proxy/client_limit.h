/*
 * client_limit.h - how many connections each client address has, over all workers.
 *
 * Touched when a connection is made and when it ends, and only where limits.connections_per_client is set.
 * Memory grows with the connections that are open, not with the addresses ever seen.
 */
#ifndef LBD_PROXY_CLIENT_LIMIT_H
#define LBD_PROXY_CLIENT_LIMIT_H

#include <stdint.h>

struct client_limit;

struct client_limit *client_limit_new(void); /* NULL: out of memory */
void client_limit_free(struct client_limit **);

/* One connection more; how many it has now.  UINT32_MAX: out of memory, nothing was counted. */
uint32_t client_limit_enter(struct client_limit *, const uint8_t ip[16]);

/* One less; matches an enter that counted. */
void client_limit_leave(struct client_limit *, const uint8_t ip[16]);

#endif

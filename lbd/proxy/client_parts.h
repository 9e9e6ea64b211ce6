/* client_parts.h - what the files of client.h ask of each other. */
#ifndef LBD_PROXY_CLIENT_PARTS_H
#define LBD_PROXY_CLIENT_PARTS_H

#include "lbd/proxy/client.h"

/* client.c */
void client_become(struct client *, enum client_state);
void client_linger(struct client *); /* our last word is said */
void client_finish(struct client *); /* the same; at once where that loses nothing (conn_ktls.h) */

/* client_requests.c: in CLIENT_IDLE and CLIENT_HEAD; `fed`: there is nothing to read, it was kept. */
void client_head_readable(struct client *, bool fed);
void client_head_parse(struct client *, struct span data, size_t kept);

/* client_requests.c: in CLIENT_EXCHANGE, while nobody wants to read. */
void client_pipelined_readable(struct client *);

/* client_idle.c: comes into the list of idle ones, as the newest; leaves it. */
void client_idle_link(struct client *);
void client_idle_unlink(struct client *);

static inline const struct timeouts_config *
client_timeouts(const struct client *c)
{
	return &c->listener->snapshot->config->timeouts;
}

#endif

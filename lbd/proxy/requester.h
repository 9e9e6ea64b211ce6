/*
 * requester.h - whom a request is from: who connected, or, if forwarded.trust holds that one, whom it names.
 */
#ifndef LBD_PROXY_REQUESTER_H
#define LBD_PROXY_REQUESTER_H

#include "lbd/proxy/client.h"

/* May it speak for others? */
bool requester_is_trusted(const struct client *);

/*
 * Of the request in worker->head, IPv4 as ::ffff:a.b.c.d.  False, and all bytes are 0: it has no address, it came
 * through a unix socket.
 */
bool requester_ip(const struct client *, uint8_t ip[16]);

/* The same as text, where that is not the client itself; its length, or 0. */
size_t requester_name(const struct client *, char text[CLIENT_ADDRESS_MAX]);

#endif

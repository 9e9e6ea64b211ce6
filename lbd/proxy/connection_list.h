/*
 * connection_list.h - the client connections of one worker as rows, for an operator who asks.
 */
#ifndef LBD_PROXY_CONNECTION_LIST_H
#define LBD_PROXY_CONNECTION_LIST_H

#include "lbd/proxy/client.h"

struct connection_row {
	char client[CLIENT_ADDRESS_MAX];
	uint8_t client_n;
	const char *state; /* "idle", "head", "exchange", "tunnel", "linger": static text */
	uint16_t listener, pool, server; /* ids of stats.h */
	int64_t age_ns;
	uint64_t requests, bytes_in, bytes_out;
};

/* Worker's own thread.  How many of at most `max` rows were filled. */
uint32_t connection_list(const struct worker *, struct connection_row *rows, uint32_t max);

#endif

/*
 * choose.h - a server of a pool for an exchange, or for a connection in TCP mode, which counts as the server's
 * from then on.
 *
 * Counts are atomics of the server table: max_connections holds over all workers.
 */
#ifndef LBD_PROXY_CHOOSE_H
#define LBD_PROXY_CHOOSE_H

#include "lbd/proxy/client.h"

enum {
	CHOICE_NONE = -1, /* there is no server (left) */
	CHOICE_FULL = -2 /* those that there are have as many as they may */
};

struct choosing {
	uint64_t hash; /* for the algorithms that go by one */
	int first; /* this server if it is not full, whatever the algorithm; CHOICE_NONE */
	bool
	    repeatable; /* it may be tried elsewhere if it fails: it may probe a server's circuit */
	uint64_t *probe; /* says whether it does */
	const struct balance_tried *tried;
};

/* The index of a server that is not among those tried, whose count has grown by one; or why there is none. */
int server_choose(struct worker *, struct pool *, const struct choosing *);

/* One less; where the server has a limit, perhaps since the last reload, the next may start. */
void server_leave(struct worker *, const struct server_config *);

/* It could not be reached: too often, and health checks are told. */
void server_not_reached(struct worker *, const struct server_config *);

#endif

/* upstream_parts.h - what the files of upstream.h ask of each other. */
#ifndef LBD_PROXY_UPSTREAM_PARTS_H
#define LBD_PROXY_UPSTREAM_PARTS_H

#include "lbd/proxy/exchange.h"

/* upstream_opening.c: what happens to one that upstream_opening() holds for.  May close it. */
void
upstream_opening_connected(struct upstream *); /* or it failed: an error shows in the first send */
void upstream_opening_readable(struct upstream *); /* in the handshake */
void upstream_opening_expired(struct upstream *);

/* upstream_set.c: as the pool has it; NULL: out of memory. */
struct upstream_set *
upstream_set_get(struct proxy *, const struct server_config *, const struct pool *);

/* upstream.c */
void upstream_close(struct upstream *);
void upstream_unshare(struct upstream *); /* it is HTTP/1 from now on, or ends */

/* upstream_own.c: it serves that client alone; it ends; some rest, and there may be too many of them */
void upstream_own_link(struct upstream *, struct client *);
void upstream_own_unlink(struct upstream *);
void upstream_own_trim(const struct client *);

/* The newest one to that server that rests, and of which nothing has been heard; NULL: none. */
struct upstream *upstream_own_idle(const struct client *, uint32_t slot);

static inline struct upstream_set *
upstream_set_of(const struct upstream *u)
{
	return u->conn.worker->proxy->upstreams[u->slot];
}

/* How long it may be opening: so long, but not longer than the try may last. */
static inline void
upstream_opening_deadline(struct upstream *u, int64_t timeout_ns, int64_t try_by)
{
	struct worker *w = u->conn.worker;
	int64_t at = w->now + timeout_ns;

	timer_set(&w->wheel, &u->conn.timer, at < try_by ? at : try_by);
}

#endif

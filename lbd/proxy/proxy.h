/*
 * proxy.h - what the connections of one worker have in common: lists, idle pools, the recently dead.
 *
 * Clients, upstreams and exchanges that end in the middle of a callback are closed at once but freed only
 * at the end of the turn, so that a caller further up may still look at them.
 */
#ifndef LBD_PROXY_PROXY_H
#define LBD_PROXY_PROXY_H

#include "lbd/limit/keyed_hash.h"
#include "lbd/proxy/h2_round.h"
#include "lbd/proxy/pipe.h"
#include "lbd/worker/worker.h"

struct client;
struct client_limit;
struct exchange;
struct late_work;
struct tcp_session;
struct upstream;
struct upstream_set;

/* Memory of one kind of object; dead ones are used again from the next turn on. */
struct cache {
	size_t size;
	void *free; /* linked through their first word */
	void *dead;
	uint32_t n_free;
};

void *cache_get(struct cache *); /* not cleared; NULL: out of memory */
void cache_put(struct cache *, void *);

struct proxy {
	struct worker *worker;
	struct client *clients; /* all of them */
	struct client *idle_oldest, *idle_newest;
	uint32_t n_clients;
	struct client *handshake_first, *handshake_last; /* wait for their turn */
	uint32_t n_handshakes; /* under way */
	uint32_t adoption; /* snapshots adopted so far */
	struct upstream_set **upstreams; /* by slot; made on first use */
	struct pool *waiting; /* pools for which exchanges wait */
	_Atomic uint32_t n_waiting; /* those exchanges */
	ev_async server_free; /* an exchange gave its server up, here or in another worker */
	struct late_work *late, *late_now; /* to be done; late_turn is at these */
	ev_async late_turn; /* is fed when there is the first */
	struct h2_round h2_round;
	char *h2_bytes; /* SCRATCH_READ: what a session reads or writes; made on first use */
	char *edit_room; /* EDIT_ROOM: values of header fields; made on first use */
	char *cookie_room; /* COOKIE_ROOM: cookies; likewise */
	struct cache client_cache, upstream_cache, exchange_cache, stream_cache, call_cache,
	    tcp_cache;
	struct pipe_pool pipes;
	struct proxy_shared *shared;
};

/* What the proxies of all workers share. */
struct proxy_shared {
	struct client_limit *limit;
	struct hash_secret secret; /* of the keys of rate limits */
	void (*suspect)(
	    void *, uint32_t slot); /* any thread; tells the health checks: it does not answer */
	void *suspect_arg;
	void (*drained)(
	    void *); /* any thread: a server that drains may have no connection any more */
	void *drained_arg;
	struct worker *const *workers;
	uint32_t n_workers;
	_Atomic uint32_t n_waiting; /* exchanges that wait for a server, over all workers */
	_Atomic uint64_t *heads; /* [SERVER_POOLS_MAX][n_workers]; proxy/queue.c */
	retry_count *requests; /* [n_workers][SERVER_POOLS_MAX], for retry budgets */
};

/* The hooks through which a worker knows this room. */
extern const struct worker_hooks proxy_hooks;

/* Sets worker->proxy.  0 or -ENOMEM. */
int proxy_init(struct worker *, struct proxy_shared *);

/* After proxy_cut of every worker: what ends in one still looks at the queues of the others. */
void proxy_fini(struct worker *);

/* Own thread: one exchange or connection less at that server. */
void proxy_server_left(const struct worker *, uint32_t slot);

/* Own thread: no new connections; idle ones end now, the others with their present exchange. */
void proxy_drain(struct worker *);

/* Own thread: idle connections end, gently. */
void proxy_close_idle(struct worker *);

/* Own thread: a server is down, and what is in TCP mode with it ends where its pool says so. */
void proxy_leave_server(struct worker *, uint32_t slot);

/* Own thread, or after it has ended: ends all that is left. */
void proxy_cut(struct worker *);

#endif

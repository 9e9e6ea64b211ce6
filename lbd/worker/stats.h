/*
 * stats.h - the counters of one worker: it alone writes them, the main thread reads and sums.
 *
 * All are relaxed atomics, written as load + store (one writer), so that the request path pays no
 * locked instruction, no lock and no allocation beyond the first request of a new (listener,
 * pool, server, status).  Listeners, pools and servers are named by interned ids that survive
 * reloads and are never given to another name (stats_names): a new server in a reused slot
 * inherits no counts.  A block is made once per worker and never freed before the process ends.
 * Summing: stats_sum.h.
 */
#ifndef LBD_WORKER_STATS_H
#define LBD_WORKER_STATS_H

#include "common/str.h"
#include "lbd/http/h2_budget.h"
#include "lbd/http/proxy_header.h"
#include "lbd/tls/failure.h"
#include "lbd/worker/stats_counter.h"
#include "lbd/worker/termination.h"

enum {
	STATS_LISTENERS_MAX = 1024,
	STATS_POOLS_MAX = 4096,
	STATS_SERVERS_MAX = 0xffff, /* different pool/server names while the process lives */
	STATS_NO_SERVER = 0xffff,
	STATS_NO_POOL = 0xffff
};

/* Names to small ids, for good.  Main thread only. */
struct stats_names;
struct stats_names *stats_names_new(void);
void stats_names_free(struct stats_names **);
int stats_listener_id(struct stats_names *, struct str name); /* -ENOSPC, -ENOMEM */
int stats_pool_id(struct stats_names *, struct str name);
/* On -ENOSPC count under STATS_NO_SERVER: no reason to refuse a configuration. */
int stats_server_id(struct stats_names *, struct str pool, struct str server);
/* Empty for STATS_NO_POOL and STATS_NO_SERVER.  They live as long as `names`. */
struct str stats_listener_name(const struct stats_names *, uint32_t id);
struct str stats_pool_name(const struct stats_names *, uint32_t id);
struct str stats_server_name(const struct stats_names *, uint32_t id); /* without its pool */

/* Handshakes that succeeded. */
enum stats_handshake {
	STATS_TLS_1_2,
	STATS_TLS_1_2_RESUMED,
	STATS_TLS_1_3,
	STATS_TLS_1_3_RESUMED,
	STATS_HANDSHAKES
};

/* What became of a request to a pool with a cookie. */
enum stats_sticky {
	STATS_STICKY_NEW, /* it had none */
	STATS_STICKY_KEPT, /* its server answered */
	STATS_STICKY_MOVED, /* another one did */
	STATS_STICKY_UNKNOWN, /* it had one of nobody's */
	STATS_STICKIES
};

struct stats_listener {
	counter connections; /* open now (a gauge: written by its worker alone) */
	counter connections_total;
	counter bytes_in, bytes_out; /* client side */
	counter rejected[TERMINATION_COUNT];
	counter http2_streams; /* open now (a gauge) */
	counter http2_streams_total;
	counter http2_held; /* streams that waited for a window */
	counter http2_resets; /* streams that the client gave up */
	counter http2_cut[H2_OFFENCES]; /* connections */
	counter tls_handshakes[STATS_HANDSHAKES];
	counter tls_failures[TLS_FAILURES];
	counter ktls_connections, ktls_bytes; /* of which the kernel made the records */
	counter proxy_faults[PROXY_FAULTS]; /* connections refused for want of a PROXY header */
};

struct stats_pool {
	counter retries;
	counter retries_denied; /* by the budget */
	counter queued; /* waiting for a server now (a gauge) */
	counter queued_total;
	counter sticky[STATS_STICKIES];
	counter http1_tunnels; /* that a server of HTTP/2 would not take as streams */
	counter http2_cut[H2_OFFENCES]; /* connections to its servers */
	counter tls_handshakes[STATS_HANDSHAKES]; /* with its servers */
	counter tls_failures[TLS_FAILURES];
};

struct stats;

struct stats *stats_new(void);
void stats_free(struct stats **);

/*
 * Made on first use, then stable; called by the worker when it adopts a snapshot.  NULL: out of
 * memory.
 */
struct stats_listener *stats_listener(struct stats *, uint32_t listener_id);
struct stats_pool *stats_pool(struct stats *, uint32_t pool_id);

/*
 * One finished exchange.  Times in nanoseconds, -1 where there was none.  `server` is a
 * stats_server_id, not a slot.  `now_ns` picks the quantile slice.
 */
struct stats_exchange {
	uint16_t listener, pool, server, status; /* status 0: none was sent */
	int64_t duration_ns, connect_ns, response_ns;
};
void stats_exchange(struct stats *, const struct stats_exchange *, int64_t now_ns);

/* The worker's loop: how late timers ran.  What is shown is a peak that decays by 1/8 a report. */
void stats_loop_lag(struct stats *, int64_t lag_ns);

#endif

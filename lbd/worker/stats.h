/*
 * stats.h - the counters of one worker: it alone writes them, the main thread reads and sums.
 *
 * All are relaxed atomics, written as load + store (one writer), so that the request path pays no locked
 * instruction, no lock and no allocation beyond the first request of a new (listener, pool, server, status).
 * Listeners and pools are named by interned ids that survive reloads (stats_names), servers by their slot in
 * the server table.  A block is made once per worker and never freed before the process ends.
 */
#ifndef LBD_WORKER_STATS_H
#define LBD_WORKER_STATS_H

#include <stdatomic.h>
#include <stdint.h>

#include "common/str.h"
#include "lbd/worker/termination.h"

typedef _Atomic uint64_t counter; /* the one typedef: it reads as what it is */

static inline void
counter_add(counter *c, uint64_t n)
{
	atomic_store_explicit(
	    c, atomic_load_explicit(c, memory_order_relaxed) + n, memory_order_relaxed);
}

static inline uint64_t
counter_get(const counter *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

enum {
	STATS_LISTENERS_MAX = 1024,
	STATS_POOLS_MAX = 4096,
	STATS_NO_SERVER = 0xffff,
	STATS_NO_POOL = 0xffff
};

/* Names to small ids, for good.  Main thread only. */
struct stats_names;
struct stats_names *stats_names_new(void);
void stats_names_free(struct stats_names **);
int stats_listener_id(struct stats_names *, struct str name); /* -ENOSPC, -ENOMEM */
int stats_pool_id(struct stats_names *, struct str name);
struct str stats_listener_name(const struct stats_names *, uint32_t id);
struct str stats_pool_name(const struct stats_names *, uint32_t id);

struct stats_listener {
	counter connections; /* open now (a gauge: written by its worker alone) */
	counter connections_total;
	counter bytes_in, bytes_out; /* client side */
	counter rejected[TERMINATION_COUNT];
};

struct stats_pool {
	counter retries;
	counter retries_denied; /* by the budget */
};

struct stats;

struct stats *stats_new(void);
void stats_free(struct stats **);

/* Made on first use, then stable; called by the worker when it adopts a snapshot.  NULL: out of memory. */
struct stats_listener *stats_listener(struct stats *, uint32_t listener_id);
struct stats_pool *stats_pool(struct stats *, uint32_t pool_id);

/* One finished exchange.  Times in nanoseconds, -1 where there was none.  `now_ns` picks the quantile slice. */
struct stats_exchange {
	uint16_t listener, pool, server, status;
	int64_t duration_ns, connect_ns, response_ns;
};
void stats_exchange(struct stats *, const struct stats_exchange *, int64_t now_ns);

/* The worker's loop: how late timers ran. */
void stats_loop_lag(struct stats *, int64_t lag_ns);

#endif

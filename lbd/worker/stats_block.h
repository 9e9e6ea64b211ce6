/*
 * stats_block.h - what a block of statistics is made of; for stats.c, which writes, and
 * stats_sum.c, which reads.  Nobody else includes it.
 */
#ifndef LBD_WORKER_STATS_BLOCK_H
#define LBD_WORKER_STATS_BLOCK_H

#include "lbd/worker/histogram.h"
#include "lbd/worker/stats.h"
#include "lbd/worker/stats_table.h"

struct stats_requests { /* of a (listener, pool, server, status) */
	struct stats_item item;
	counter count;
};

struct stats_route { /* a (listener, pool) */
	struct stats_item item;
	struct histogram duration;
	struct histogram_minute minute;
};

struct stats_pool_block {
	struct stats_pool counters; /* first: what stats_pool hands out */
	struct histogram connect, response;
};

struct stats {
	_Atomic(struct stats_listener *) listeners[STATS_LISTENERS_MAX];
	_Atomic(struct stats_pool_block *) pools[STATS_POOLS_MAX];
	struct stats_table requests, routes;
	struct stats_requests
	    *last_requests; /* the writer's caches: the items of the last exchange */
	struct stats_route *last_route;
	counter uncounted; /* exchanges that no memory was left to count */
	_Atomic int64_t loop_lag_ns;
};

/* The key of stats_requests; of a route without server and status. */
static inline uint64_t
stats_key(uint16_t listener, uint16_t pool, uint16_t server, uint16_t status)
{
	return (uint64_t)listener << 48 | (uint64_t)pool << 32 | (uint64_t)server << 16 | status;
}

#endif

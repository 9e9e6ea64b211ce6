/*
 * stats_sum.h - the statistics of all workers together, for whoever shows them.
 *
 * Main thread; the workers go on counting meanwhile, so that the parts of a sum may be moments
 * apart, but none ever goes back.  `blocks` are the blocks of all workers.
 */
#ifndef LBD_WORKER_STATS_SUM_H
#define LBD_WORKER_STATS_SUM_H

#include <sys/types.h>

#include "lbd/worker/histogram.h"
#include "lbd/worker/stats.h"

struct stats_blocks {
	struct stats *const *block;
	unsigned n;
};

struct stats_requests_sum {
	uint16_t listener, pool, server, status;
	uint64_t count;
};

/* The number of rows, each key once, sorted; the caller frees *rows.  -ENOMEM. */
ssize_t stats_sum_requests(struct stats_blocks, struct stats_requests_sum **rows);

enum { STATS_QUANTILES = 4 };
extern const struct stats_quantile {
	unsigned permille;
	const char *text;
} stats_quantiles[STATS_QUANTILES]; /* 0.5, 0.95, 0.99, 0.999 */

struct stats_route_sum {
	uint16_t listener, pool;
	struct histogram_sum duration;
	int64_t quantile_ns[STATS_QUANTILES]; /* of the last minute; -1: there was nothing */
};

/* As stats_sum_requests, by listener and pool. */
ssize_t stats_sum_routes(struct stats_blocks, int64_t now_ns, struct stats_route_sum **rows);

struct stats_listener_sum {
	uint64_t connections, connections_total, bytes_in, bytes_out;
	uint64_t rejected[TERMINATION_COUNT];
	uint64_t http2_streams, http2_streams_total, http2_held, http2_resets;
	uint64_t http2_cut[H2_OFFENCES];
	uint64_t tls_handshakes[STATS_HANDSHAKES], tls_failures[TLS_FAILURES];
	uint64_t ktls_connections, ktls_bytes;
	uint64_t proxy_faults[PROXY_FAULTS];
};
void stats_sum_listener(struct stats_blocks, uint32_t listener_id, struct stats_listener_sum *);

struct stats_pool_sum {
	uint64_t retries, retries_denied, queued, queued_total, http1_tunnels;
	uint64_t sticky[STATS_STICKIES];
	uint64_t http2_cut[H2_OFFENCES];
	uint64_t tls_handshakes[STATS_HANDSHAKES], tls_failures[TLS_FAILURES];
	struct histogram_sum connect, response;
};
void stats_sum_pool(struct stats_blocks, uint32_t pool_id, struct stats_pool_sum *);

/* Of one worker: connections open now, over all listeners that ever were; the loop's lag. */
uint64_t stats_connections(const struct stats *);
int64_t stats_loop_lag_ns(const struct stats *);

uint64_t stats_sum_connections(struct stats_blocks);

/* Exchanges that could not be counted for want of memory. */
uint64_t stats_sum_uncounted(struct stats_blocks);

#endif

/*
 * traffic.h - what lbd's metrics say about its traffic at one moment; two of them give rates.  Pure.
 */
#ifndef HAFAILOVER_HACTL_TRAFFIC_H
#define HAFAILOVER_HACTL_TRAFFIC_H

#include "common/arena.h"

enum { TRAFFIC_QUANTILES = 4, TRAFFIC_CLASSES = 6 };

/* Of a listener and pool, or of a pool and server. */
struct traffic_row {
	struct str listener, pool, server;
	double classes[TRAFFIC_CLASSES]; /* requests by the hundreds of their status; 0: none */
	double quantile_s[TRAFFIC_QUANTILES]; /* p50, p95, p99, p99.9; < 0: not known */
};

struct traffic_rows {
	struct traffic_row *rows;
	size_t n, size, found; /* found: the one looked up last */
};

struct traffic {
	struct arena *arena; /* private */
	struct traffic_rows routes, servers;
	double classes[TRAFFIC_CLASSES];
	double bytes_in, bytes_out, connections; /* since the start */
};

/* From the text of /metrics.  0 or -ENOMEM; call traffic_fini in either case. */
int traffic_parse(struct traffic *, struct str metrics);
void traffic_fini(struct traffic *);

double traffic_requests(const double classes[TRAFFIC_CLASSES]);

/* The same row of another moment; NULL: it was not there. */
const struct traffic_row *
traffic_find(const struct traffic_rows *, struct str listener, struct str pool, struct str server);

#endif

/*
 * metrics_series.h - the families of metrics.c that are more than one number a listener, pool,
 * server or process: several labels, or histograms.
 */
#ifndef LBD_ADMIN_METRICS_SERIES_H
#define LBD_ADMIN_METRICS_SERIES_H

#include "lbd/admin/admin.h"
#include "lbd/admin/metrics_text.h"

/* Which ids the present configuration names. */
struct metrics_named {
	bool listeners[STATS_LISTENERS_MAX];
	bool pools[STATS_POOLS_MAX];
	bool servers[STATS_SERVERS_MAX];
};

/* What all families are written from. */
struct metrics {
	const struct admin_source *source;
	const struct admin_state *state;
	const struct lbd_config *config;
	struct metrics_text text;
	struct metrics_named *named;
	struct stats_requests_sum *requests;
	struct stats_route_sum *routes;
	size_t n_requests, n_routes;
};

void metrics_write_requests(struct metrics *);
void metrics_write_durations(struct metrics *);
void metrics_write_quantiles(struct metrics *);
void metrics_write_connect(struct metrics *);
void metrics_write_response(struct metrics *);
void metrics_write_rejected(struct metrics *);
void metrics_write_sticky(struct metrics *);
void metrics_write_http2_cut(struct metrics *);
void metrics_write_handshakes(struct metrics *);
void metrics_write_handshake_failures(struct metrics *);
void metrics_write_proxy_faults(struct metrics *);
void metrics_write_certificates(struct metrics *);
void metrics_write_revocations(struct metrics *);
void metrics_write_server_http2_cut(struct metrics *);
void metrics_write_server_handshakes(struct metrics *);
void metrics_write_server_handshake_failures(struct metrics *);
void metrics_write_bytes(struct metrics *);
void metrics_write_checks(struct metrics *);
void metrics_write_circuit_opened(struct metrics *);
void metrics_write_check_duration(struct metrics *);
void metrics_write_dns_queries(struct metrics *);
void metrics_write_dns_names(struct metrics *);
void metrics_write_config_info(struct metrics *);
void metrics_write_build_info(struct metrics *);
void metrics_write_loop_lag(struct metrics *);
void metrics_write_start_time(struct metrics *);

#endif

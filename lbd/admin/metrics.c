/*
 * metrics.c - one row a family: its name, type and help, and the number or the function behind
 * it.
 */
#include "lbd/admin/metrics.h"

#include <errno.h>
#include <stdlib.h>

#include "lbd/admin/metrics_series.h"
#include "lbd/admin/pool_view.h"

/* --- one number a listener --- */

static uint64_t
connections(const struct metrics *m, const struct listener_config *l)
{
	struct stats_listener_sum sum;

	stats_sum_listener(m->source->stats, l->id, &sum);
	return sum.connections;
}

static uint64_t
connections_total(const struct metrics *m, const struct listener_config *l)
{
	struct stats_listener_sum sum;

	stats_sum_listener(m->source->stats, l->id, &sum);
	return sum.connections_total;
}

static uint64_t
http2_streams(const struct metrics *m, const struct listener_config *l)
{
	struct stats_listener_sum sum;

	stats_sum_listener(m->source->stats, l->id, &sum);
	return sum.http2_streams;
}

static uint64_t
http2_streams_total(const struct metrics *m, const struct listener_config *l)
{
	struct stats_listener_sum sum;

	stats_sum_listener(m->source->stats, l->id, &sum);
	return sum.http2_streams_total;
}

static uint64_t
http2_held(const struct metrics *m, const struct listener_config *l)
{
	struct stats_listener_sum sum;

	stats_sum_listener(m->source->stats, l->id, &sum);
	return sum.http2_held;
}

static uint64_t
http2_resets(const struct metrics *m, const struct listener_config *l)
{
	struct stats_listener_sum sum;

	stats_sum_listener(m->source->stats, l->id, &sum);
	return sum.http2_resets;
}

static uint64_t
ktls_connections(const struct metrics *m, const struct listener_config *l)
{
	struct stats_listener_sum sum;

	stats_sum_listener(m->source->stats, l->id, &sum);
	return sum.ktls_connections;
}

static uint64_t
ktls_bytes(const struct metrics *m, const struct listener_config *l)
{
	struct stats_listener_sum sum;

	stats_sum_listener(m->source->stats, l->id, &sum);
	return sum.ktls_bytes;
}

/* --- one number a pool --- */

static uint64_t
retries(const struct metrics *m, const struct pool_config *p)
{
	struct stats_pool_sum sum;

	stats_sum_pool(m->source->stats, p->id, &sum);
	return sum.retries;
}

static uint64_t
retries_denied(const struct metrics *m, const struct pool_config *p)
{
	struct stats_pool_sum sum;

	stats_sum_pool(m->source->stats, p->id, &sum);
	return sum.retries_denied;
}

static uint64_t
http1_tunnels(const struct metrics *m, const struct pool_config *p)
{
	struct stats_pool_sum sum;

	stats_sum_pool(m->source->stats, p->id, &sum);
	return sum.http1_tunnels;
}

static uint64_t
queued(const struct metrics *m, const struct pool_config *p)
{
	struct stats_pool_sum sum;

	stats_sum_pool(m->source->stats, p->id, &sum);
	return sum.queued;
}

static uint64_t
queued_total(const struct metrics *m, const struct pool_config *p)
{
	struct stats_pool_sum sum;

	stats_sum_pool(m->source->stats, p->id, &sum);
	return sum.queued_total;
}

static uint64_t
panic(const struct metrics *m, const struct pool_config *p)
{
	return pool_view(m->source->servers, p).panics;
}

/* --- one number a server --- */

static uint64_t
is_up(const struct server_table *t, const struct server_config *s)
{
	return server_is_well(t, s->slot);
}

static uint64_t
is_available(const struct server_table *t, const struct server_config *s)
{
	return server_available(t, s->slot);
}

static uint64_t
weight(const struct server_table *t, const struct server_config *s)
{
	return server_weight(t, s->slot, s->weight);
}

static uint64_t
circuit_open(const struct server_table *t, const struct server_config *s)
{
	return !breaker_is_closed(&t->load[s->slot].breaker);
}

static uint64_t
active(const struct server_table *t, const struct server_config *s)
{
	return atomic_load_explicit(&t->active[s->slot], memory_order_relaxed);
}

static uint64_t
idle_connections(const struct server_table *t, const struct server_config *s)
{
	return atomic_load_explicit(&t->load[s->slot].idle_connections, memory_order_relaxed);
}

/* --- one number --- */

static uint64_t
ready(const struct metrics *m)
{
	return !m->state->not_ready;
}

static uint64_t
draining(const struct metrics *m)
{
	return m->state->draining;
}

static uint64_t
log_written(const struct metrics *m)
{
	return access_log_written(m->source->access_log);
}

static uint64_t
log_dropped(const struct metrics *m)
{
	return access_log_dropped(m->source->access_log);
}

static uint64_t
uncounted(const struct metrics *m)
{
	return stats_sum_uncounted(m->source->stats);
}

static uint64_t
generation(const struct metrics *m)
{
	return m->source->generation;
}

/* Exactly one of the functions is set. */
static const struct family {
	const char *name, *type, *help;
	uint64_t (*listener)(const struct metrics *, const struct listener_config *);
	uint64_t (*pool)(const struct metrics *, const struct pool_config *);
	uint64_t (*server)(const struct server_table *, const struct server_config *);
	uint64_t (*one)(const struct metrics *);
	void (*series)(struct metrics *);
} families[] = {
	{ "lbpair_requests_total", "counter",
	    "Requests that ended, by the status that the client got (0: none).",
	    .series = metrics_write_requests },
	{ "lbpair_request_duration_seconds", "histogram",
	    "Time from the first byte of a request to the end of its response.",
	    .series = metrics_write_durations },
	{ "lbpair_request_duration_quantile_seconds", "gauge",
	    "Quantiles of the same over the last minute, within 5 %.",
	    .series = metrics_write_quantiles },
	{ "lbpair_upstream_connect_seconds", "histogram",
	    "Time to connect to a server, where a request needed a new connection.",
	    .series = metrics_write_connect },
	{ "lbpair_upstream_response_seconds", "histogram",
	    "Time from a request sent to the head of the server's response.",
	    .series = metrics_write_response },
	{ "lbpair_retries_total", "counter", "Requests tried again.", .pool = retries },
	{ "lbpair_retries_denied_total", "counter",
	    "Requests not tried again because the retry budget was used up.",
	    .pool = retries_denied },
	{ "lbpair_server_http1_tunnels_total", "counter",
	    "WebSockets that went by HTTP/1 because a server of HTTP/2 does not take them as "
	    "streams.",
	    .pool = http1_tunnels },
	{ "lbpair_queued", "gauge", "Requests that wait for a server below its max_connections.",
	    .pool = queued },
	{ "lbpair_queued_total", "counter", "Requests that had to wait for a server.",
	    .pool = queued_total },
	{ "lbpair_sticky_total", "counter",
	    "Requests to pools with stickiness, by what became of their cookie.",
	    .series = metrics_write_sticky },
	{ "lbpair_pool_panic", "gauge",
	    "1 while more than half of the servers are unavailable, so that all are tried.",
	    .pool = panic },
	{ "lbpair_connections", "gauge", "Client connections open now.", .listener = connections },
	{ "lbpair_connections_total", "counter", "Client connections accepted.",
	    .listener = connections_total },
	{ "lbpair_rejected_total", "counter",
	    "Requests and connections that did not end well, by reason.",
	    .series = metrics_write_rejected },
	{ "lbpair_http2_streams", "gauge", "Streams of HTTP/2 clients open now.",
	    .listener = http2_streams },
	{ "lbpair_http2_streams_total", "counter", "Streams that HTTP/2 clients opened.",
	    .listener = http2_streams_total },
	{ "lbpair_http2_requests_held_total", "counter",
	    "Requests of HTTP/2 clients that waited because the client's windows were shut.",
	    .listener = http2_held },
	{ "lbpair_http2_resets_total", "counter",
	    "Streams that HTTP/2 clients gave up before their answer was complete.",
	    .listener = http2_resets },
	{ "lbpair_http2_connections_cut_total", "counter",
	    "HTTP/2 connections that lbd ended because of what the client did, by reason.",
	    .series = metrics_write_http2_cut },
	{ "lbpair_tls_handshakes_total", "counter",
	    "TLS handshakes with clients, by version, full or resumed from a ticket.",
	    .series = metrics_write_handshakes },
	{ "lbpair_tls_handshake_failures_total", "counter",
	    "TLS handshakes with clients that failed, by reason.",
	    .series = metrics_write_handshake_failures },
	{ "lbpair_tls_ktls_connections_total", "counter",
	    "Connections of clients that gave their key to the kernel, because they were sent "
	    "much.",
	    .listener = ktls_connections },
	{ "lbpair_tls_ktls_bytes_total", "counter",
	    "Bytes sent to clients after that; also part of lbpair_bytes_total.",
	    .listener = ktls_bytes },
	{ "lbpair_proxy_protocol_failures_total", "counter",
	    "Connections refused because they did not begin with a proper PROXY header, by reason.",
	    .series = metrics_write_proxy_faults },
	{ "lbpair_tls_certificate_days", "gauge",
	    "Days until a certificate expires; negative when it has.",
	    .series = metrics_write_certificates },
	{ "lbpair_tls_crl_days", "gauge",
	    "Days until a list of revoked certificates expires; negative when it has.",
	    .series = metrics_write_revocations },
	{ "lbpair_server_http2_connections_cut_total", "counter",
	    "HTTP/2 connections that lbd ended because of what the server did, by reason.",
	    .series = metrics_write_server_http2_cut },
	{ "lbpair_server_tls_handshakes_total", "counter",
	    "TLS handshakes with servers, by version, full or resumed.",
	    .series = metrics_write_server_handshakes },
	{ "lbpair_server_tls_handshake_failures_total", "counter",
	    "TLS handshakes with servers that failed, by reason.",
	    .series = metrics_write_server_handshake_failures },
	{ "lbpair_bytes_total", "counter",
	    "Bytes received from clients (in) and sent to them (out).",
	    .series = metrics_write_bytes },
	{ "lbpair_server_up", "gauge", "1 if checks find the server well and it can be reached.",
	    .server = is_up },
	{ "lbpair_server_available", "gauge",
	    "1 if the server may get requests: up, its circuit closed, not in drain or "
	    "maintenance.",
	    .server = is_available },
	{ "lbpair_server_weight", "gauge", "The weight in force.", .server = weight },
	{ "lbpair_server_circuit_open", "gauge",
	    "1 while the circuit breaker keeps requests from the server, but for probes.",
	    .server = circuit_open },
	{ "lbpair_server_circuit_opened_total", "counter",
	    "Times that the circuit of the server opened, by reason.",
	    .series = metrics_write_circuit_opened },
	{ "lbpair_server_active", "gauge", "Requests at the server now.", .server = active },
	{ "lbpair_server_idle_connections", "gauge",
	    "Connections kept open to the server for further requests.",
	    .server = idle_connections },
	{ "lbpair_server_checks_total", "counter", "Health checks, by result: pass or fail.",
	    .series = metrics_write_checks },
	{ "lbpair_server_check_duration_seconds", "gauge", "How long the last health check took.",
	    .series = metrics_write_check_duration },
	{ "lbpair_dns_queries_total", "counter",
	    "Questions for addresses of servers' names, by result.",
	    .series = metrics_write_dns_queries },
	{ "lbpair_dns_names", "gauge",
	    "Names of servers: resolved, stale (the last answer was a failure), or unresolved.",
	    .series = metrics_write_dns_names },
	{ "lbpair_config_info", "gauge", "1, with the digest of the configuration in force.",
	    .series = metrics_write_config_info },
	{ "lbpair_build_info", "gauge", "1, with the version.",
	    .series = metrics_write_build_info },
	{ "lbpair_ready", "gauge", "1 if lbd serves.", .one = ready },
	{ "lbpair_draining", "gauge", "1 while lbd takes no new connections and lets the rest end.",
	    .one = draining },
	{ "lbpair_worker_loop_lag_seconds", "gauge",
	    "How late the timers of a worker were at their worst lately.",
	    .series = metrics_write_loop_lag },
	{ "lbpair_access_log_written_total", "counter", "Lines written to the access log.",
	    .one = log_written },
	{ "lbpair_access_log_dropped_total", "counter",
	    "Lines of the access log lost to a full ring or a failing target.",
	    .one = log_dropped },
	{ "lbpair_uncounted_total", "counter",
	    "Requests missing in the counters for want of memory.", .one = uncounted },
	{ "lbpair_process_start_time_seconds", "gauge",
	    "When the proxy process started, in seconds since 1970.",
	    .series = metrics_write_start_time },
	{ "lbpair_proxy_generation", "gauge",
	    "Number of the proxy process: 1 at first, one more after each crash.",
	    .one = generation },
};

static void
write_listeners(struct metrics *m, const struct family *f)
{
	for (uint32_t i = 0; i < m->config->n_listeners; i++) {
		const struct listener_config *l = &m->config->listeners[i];
		struct metric_labels labels = metric_label("listener", l->name);

		metrics_count(&m->text, &labels, f->listener(m, l));
	}
}

static void
write_pools(struct metrics *m, const struct family *f)
{
	for (uint32_t i = 0; i < m->config->n_pools; i++) {
		const struct pool_config *p = &m->config->pools[i];
		struct metric_labels labels = metric_label("pool", p->name);

		metrics_count(&m->text, &labels, f->pool(m, p));
	}
}

static void
write_servers(struct metrics *m, const struct family *f)
{
	for (uint32_t i = 0; i < m->config->n_pools; i++) {
		const struct pool_config *p = &m->config->pools[i];

		for (uint32_t j = 0; j < p->n_servers; j++) {
			const struct server_config *s = &p->servers[j];
			struct metric_labels labels = metric_label("pool", p->name);

			labels = metric_and(labels, "server", s->name);
			metrics_count(&m->text, &labels, f->server(m->source->servers, s));
		}
	}
}

static void
write_family(struct metrics *m, const struct family *f)
{
	metrics_family(&m->text, f->name, f->type, f->help);
	if (f->listener)
		write_listeners(m, f);
	else if (f->pool)
		write_pools(m, f);
	else if (f->server)
		write_servers(m, f);
	else if (f->one)
		metrics_count(&m->text, NULL, f->one(m));
	else
		f->series(m);
}

static struct metrics_named *
named_by(const struct lbd_config *config)
{
	struct metrics_named *n = calloc(1, sizeof(*n));

	for (uint32_t i = 0; n && i < config->n_listeners; i++)
		n->listeners[config->listeners[i].id] = true;
	for (uint32_t i = 0; n && i < config->n_pools; i++) {
		const struct pool_config *p = &config->pools[i];

		n->pools[p->id] = true;
		for (uint32_t j = 0; j < p->n_servers; j++)
			if (p->servers[j].id != STATS_NO_SERVER)
				n->servers[p->servers[j].id] = true;
	}
	return n;
}

int
metrics_write(const struct admin_source *source, const struct admin_state *state, int64_t now_ns,
    struct text *out)
{
	struct metrics m = { .source = source, .state = state, .config = state->config };
	ssize_t n_requests = stats_sum_requests(source->stats, &m.requests);
	ssize_t n_routes = stats_sum_routes(source->stats, now_ns, &m.routes);

	m.text.out = out;
	m.named = named_by(state->config);
	if (m.named && n_requests >= 0 && n_routes >= 0) {
		m.n_requests = (size_t)n_requests;
		m.n_routes = (size_t)n_routes;
		for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++)
			write_family(&m, &families[i]);
	} else {
		out->failed = true;
	}
	free(m.named);
	free(m.requests);
	free(m.routes);
	return out->failed ? -ENOMEM : 0;
}

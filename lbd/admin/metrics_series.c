/* metrics_series.c - who writes what series; all from struct metrics, nothing is remembered. */
#include "lbd/admin/metrics_series.h"

#include <stdio.h>

#include "common/clock.h"
#include "lbd/admin/certificate_view.h"

/* --- requests --- */

static bool
is_named(const struct metrics *m, uint16_t listener, uint16_t pool, uint16_t server)
{
	return m->named->listeners[listener] && (pool == STATS_NO_POOL || m->named->pools[pool]) &&
	    (server == STATS_NO_SERVER || m->named->servers[server]);
}

static struct metric_labels
route_labels(const struct metrics *m, uint16_t listener, uint16_t pool)
{
	const struct stats_names *names = m->source->names;
	struct metric_labels labels =
	    metric_label("listener", stats_listener_name(names, listener));

	return metric_and(labels, "pool", stats_pool_name(names, pool));
}

void
metrics_write_requests(struct metrics *m)
{
	for (size_t i = 0; i < m->n_requests; i++) {
		const struct stats_requests_sum *r = &m->requests[i];
		struct str server = stats_server_name(m->source->names, r->server);
		struct metric_labels labels = route_labels(m, r->listener, r->pool);
		char code[8];

		if (!is_named(m, r->listener, r->pool, r->server))
			continue;
		snprintf(code, sizeof(code), "%u", r->status);
		labels = metric_and(labels, "server", server);
		labels = metric_and(labels, "code", str_of(code));
		metrics_count(&m->text, &labels, r->count);
	}
}

static bool
has_durations(const struct metrics *m, uint32_t listener, uint32_t pool)
{
	for (size_t i = 0; i < m->n_routes; i++)
		if (m->routes[i].listener == listener && m->routes[i].pool == pool)
			return true;
	return false;
}

void
metrics_write_durations(struct metrics *m)
{
	static const struct histogram_sum nothing;
	struct metric_labels labels;

	for (size_t i = 0; i < m->n_routes; i++) {
		const struct stats_route_sum *r = &m->routes[i];

		if (!is_named(m, r->listener, r->pool, STATS_NO_SERVER))
			continue;
		labels = route_labels(m, r->listener, r->pool);
		metrics_histogram(&m->text, &labels, &r->duration);
	}
	for (uint32_t i = 0; i < m->config->n_listeners; i++) {
		const struct listener_config *l = &m->config->listeners[i];
		uint32_t pool = m->config->pools[l->pool].id;

		if (l->pool_name.n == 0 || has_durations(m, l->id, pool))
			continue;
		labels = route_labels(m, (uint16_t)l->id, (uint16_t)pool);
		metrics_histogram(&m->text, &labels, &nothing);
	}
}

void
metrics_write_quantiles(struct metrics *m)
{
	for (size_t i = 0; i < m->n_routes; i++) {
		const struct stats_route_sum *r = &m->routes[i];
		struct metric_labels route = route_labels(m, r->listener, r->pool);

		if (!is_named(m, r->listener, r->pool, STATS_NO_SERVER))
			continue;
		for (size_t q = 0; q < STATS_QUANTILES; q++) {
			struct str text = str_of(stats_quantiles[q].text);
			struct metric_labels labels = metric_and(route, "quantile", text);

			if (r->quantile_ns[q] >= 0)
				metrics_seconds(&m->text, &labels, r->quantile_ns[q]);
		}
	}
}

/* --- pools --- */

void
metrics_write_connect(struct metrics *m)
{
	for (uint32_t i = 0; i < m->config->n_pools; i++) {
		const struct pool_config *p = &m->config->pools[i];
		struct metric_labels labels = metric_label("pool", p->name);
		struct stats_pool_sum sum;

		stats_sum_pool(m->source->stats, p->id, &sum);
		metrics_histogram(&m->text, &labels, &sum.connect);
	}
}

void
metrics_write_response(struct metrics *m)
{
	for (uint32_t i = 0; i < m->config->n_pools; i++) {
		const struct pool_config *p = &m->config->pools[i];
		struct metric_labels labels = metric_label("pool", p->name);
		struct stats_pool_sum sum;

		stats_sum_pool(m->source->stats, p->id, &sum);
		metrics_histogram(&m->text, &labels, &sum.response);
	}
}

/* --- listeners --- */

void
metrics_write_rejected(struct metrics *m)
{
	for (uint32_t i = 0; i < m->config->n_listeners; i++) {
		const struct listener_config *l = &m->config->listeners[i];
		struct metric_labels listener = metric_label("listener", l->name);
		struct stats_listener_sum sum;

		stats_sum_listener(m->source->stats, l->id, &sum);
		for (unsigned t = 0; t < TERMINATION_COUNT; t++) {
			struct str reason = str_of(termination_name((enum termination)t));
			struct metric_labels labels = metric_and(listener, "reason", reason);

			if (t != END_OK && t != END_CLIENT_CLOSED)
				metrics_count(&m->text, &labels, sum.rejected[t]);
		}
	}
}

static void
write_http2_cut(struct metrics *m, struct metric_labels of, const uint64_t counts[H2_OFFENCES])
{
	for (unsigned o = H2_NO_OFFENCE + 1; o < H2_OFFENCES; o++) {
		struct str reason = str_of(h2_offence_name((enum h2_offence)o));
		struct metric_labels labels = metric_and(of, "reason", reason);

		metrics_count(&m->text, &labels, counts[o]);
	}
}

void
metrics_write_http2_cut(struct metrics *m)
{
	for (uint32_t i = 0; i < m->config->n_listeners; i++) {
		const struct listener_config *l = &m->config->listeners[i];
		struct stats_listener_sum sum;

		stats_sum_listener(m->source->stats, l->id, &sum);
		write_http2_cut(m, metric_label("listener", l->name), sum.http2_cut);
	}
}

void
metrics_write_server_http2_cut(struct metrics *m)
{
	for (uint32_t i = 0; i < m->config->n_pools; i++) {
		const struct pool_config *p = &m->config->pools[i];
		struct stats_pool_sum sum;

		if (!p->http2)
			continue;
		stats_sum_pool(m->source->stats, p->id, &sum);
		write_http2_cut(m, metric_label("pool", p->name), sum.http2_cut);
	}
}

void
metrics_write_sticky(struct metrics *m)
{
	static const char *const outcomes[STATS_STICKIES] = {
		[STATS_STICKY_NEW] = "new",
		[STATS_STICKY_KEPT] = "kept",
		[STATS_STICKY_MOVED] = "moved",
		[STATS_STICKY_UNKNOWN] = "unknown",
	};

	for (uint32_t i = 0; i < m->config->n_pools; i++) {
		const struct pool_config *p = &m->config->pools[i];
		struct metric_labels of = metric_label("pool", p->name);
		struct stats_pool_sum sum;

		if (!p->stickiness.type)
			continue;
		stats_sum_pool(m->source->stats, p->id, &sum);
		for (unsigned k = 0; k < STATS_STICKIES; k++) {
			struct metric_labels labels =
			    metric_and(of, "outcome", str_of(outcomes[k]));

			metrics_count(&m->text, &labels, sum.sticky[k]);
		}
	}
}

/* --- TLS, of listeners and of pools --- */

static void
write_handshakes(
    struct metrics *m, struct metric_labels of, const uint64_t counts[STATS_HANDSHAKES])
{
	static const struct {
		const char *version, *resumed;
	} names[STATS_HANDSHAKES] = {
		[STATS_TLS_1_2] = { "TLSv1.2", "no" },
		[STATS_TLS_1_2_RESUMED] = { "TLSv1.2", "yes" },
		[STATS_TLS_1_3] = { "TLSv1.3", "no" },
		[STATS_TLS_1_3_RESUMED] = { "TLSv1.3", "yes" },
	};
	struct metric_labels version, labels;

	for (unsigned h = 0; h < STATS_HANDSHAKES; h++) {
		version = metric_and(of, "version", str_of(names[h].version));
		labels = metric_and(version, "resumed", str_of(names[h].resumed));
		metrics_count(&m->text, &labels, counts[h]);
	}
}

static void
write_handshake_failures(
    struct metrics *m, struct metric_labels of, const uint64_t counts[TLS_FAILURES])
{
	for (unsigned f = 0; f < TLS_FAILURES; f++) {
		struct str reason = str_of(tls_failure_name((enum tls_failure)f));
		struct metric_labels labels = metric_and(of, "reason", reason);

		metrics_count(&m->text, &labels, counts[f]);
	}
}

void
metrics_write_handshakes(struct metrics *m)
{
	for (uint32_t i = 0; i < m->config->n_listeners; i++) {
		const struct listener_config *l = &m->config->listeners[i];
		struct stats_listener_sum sum;

		if (!l->tls.n_certificates)
			continue;
		stats_sum_listener(m->source->stats, l->id, &sum);
		write_handshakes(m, metric_label("listener", l->name), sum.tls_handshakes);
	}
}

void
metrics_write_handshake_failures(struct metrics *m)
{
	for (uint32_t i = 0; i < m->config->n_listeners; i++) {
		const struct listener_config *l = &m->config->listeners[i];
		struct stats_listener_sum sum;

		if (!l->tls.n_certificates)
			continue;
		stats_sum_listener(m->source->stats, l->id, &sum);
		write_handshake_failures(m, metric_label("listener", l->name), sum.tls_failures);
	}
}

void
metrics_write_proxy_faults(struct metrics *m)
{
	for (uint32_t i = 0; i < m->config->n_listeners; i++) {
		const struct listener_config *l = &m->config->listeners[i];
		struct metric_labels of = metric_label("listener", l->name);
		struct stats_listener_sum sum;

		if (!l->proxied.all && !l->proxied.n_from)
			continue;
		stats_sum_listener(m->source->stats, l->id, &sum);
		for (unsigned f = PROXY_NO_FAULT + 1; f < PROXY_FAULTS; f++) {
			struct str reason = str_of(proxy_fault_name((enum proxy_fault)f));
			struct metric_labels labels = metric_and(of, "reason", reason);

			metrics_count(&m->text, &labels, sum.proxy_faults[f]);
		}
	}
}

void
metrics_write_server_handshakes(struct metrics *m)
{
	for (uint32_t i = 0; i < m->config->n_pools; i++) {
		const struct pool_config *p = &m->config->pools[i];
		struct stats_pool_sum sum;

		if (!p->tls.min_version)
			continue;
		stats_sum_pool(m->source->stats, p->id, &sum);
		write_handshakes(m, metric_label("pool", p->name), sum.tls_handshakes);
	}
}

void
metrics_write_server_handshake_failures(struct metrics *m)
{
	for (uint32_t i = 0; i < m->config->n_pools; i++) {
		const struct pool_config *p = &m->config->pools[i];
		struct stats_pool_sum sum;

		if (!p->tls.min_version)
			continue;
		stats_sum_pool(m->source->stats, p->id, &sum);
		write_handshake_failures(m, metric_label("pool", p->name), sum.tls_failures);
	}
}

/* --- more of listeners --- */

void
metrics_write_bytes(struct metrics *m)
{
	for (uint32_t i = 0; i < m->config->n_listeners; i++) {
		const struct listener_config *l = &m->config->listeners[i];
		struct metric_labels listener = metric_label("listener", l->name);
		struct metric_labels in = metric_and(listener, "direction", STR("in"));
		struct metric_labels out = metric_and(listener, "direction", STR("out"));
		struct stats_listener_sum sum;

		stats_sum_listener(m->source->stats, l->id, &sum);
		metrics_count(&m->text, &in, sum.bytes_in);
		metrics_count(&m->text, &out, sum.bytes_out);
	}
}

/* --- servers --- */

typedef void server_fn(struct metrics *, const struct metric_labels *, const struct server_load *);

static void
each_server(struct metrics *m, server_fn *write)
{
	for (uint32_t i = 0; i < m->config->n_pools; i++) {
		const struct pool_config *p = &m->config->pools[i];

		for (uint32_t j = 0; j < p->n_servers; j++) {
			const struct server_config *s = &p->servers[j];
			struct metric_labels labels = metric_label("pool", p->name);

			labels = metric_and(labels, "server", s->name);
			write(m, &labels, &m->source->servers->load[s->slot]);
		}
	}
}

static void
write_checks(struct metrics *m, const struct metric_labels *labels, const struct server_load *load)
{
	struct metric_labels pass = metric_and(*labels, "result", STR("pass"));
	struct metric_labels fail = metric_and(*labels, "result", STR("fail"));

	metrics_count(&m->text, &pass, atomic_load(&load->checks_passed));
	metrics_count(&m->text, &fail, atomic_load(&load->checks_failed));
}

void
metrics_write_checks(struct metrics *m)
{
	each_server(m, write_checks);
}

static void
write_check_duration(
    struct metrics *m, const struct metric_labels *labels, const struct server_load *load)
{
	metrics_seconds(&m->text, labels, atomic_load(&load->check_duration_us) * NS_PER_US);
}

void
metrics_write_check_duration(struct metrics *m)
{
	each_server(m, write_check_duration);
}

static void
write_circuit_opened(
    struct metrics *m, const struct metric_labels *labels, const struct server_load *load)
{
	for (int r = 0; r < BREAKER_REASONS; r++) {
		const char *reason = breaker_reason_name((enum breaker_reason)r);
		struct metric_labels of = metric_and(*labels, "reason", str_of(reason));

		metrics_count(&m->text, &of, atomic_load(&load->breaker.opened[r]));
	}
}

void
metrics_write_circuit_opened(struct metrics *m)
{
	each_server(m, write_circuit_opened);
}

/* --- the process --- */

/* One of several pairs with the same certificate: they end together. */
void
metrics_write_certificates(struct metrics *m)
{
	const struct tls_shelf *s = m->state->certificates;
	int64_t now = clock_wall_ns();

	for (uint32_t i = 0; s && i < s->n; i++) {
		struct metric_labels labels = metric_label("certificate", s->list[i].certificate);

		if (i == 0 || !str_eq(s->list[i - 1].certificate, s->list[i].certificate))
			metrics_integer(&m->text, &labels, certificate_days(&s->list[i], now));
	}
}

void
metrics_write_dns_queries(struct metrics *m)
{
	struct resolver_count n;

	if (!m->source->resolver)
		return;
	resolver_count(m->source->resolver, &n);
	for (enum dns_result r = 0; r < DNS_RESULTS; r++) {
		struct metric_labels labels = metric_label("result", str_of(dns_result_name(r)));

		metrics_count(&m->text, &labels, n.queries[r]);
	}
}

void
metrics_write_dns_names(struct metrics *m)
{
	const struct metric_labels resolved = metric_label("state", STR("resolved"));
	const struct metric_labels stale = metric_label("state", STR("stale"));
	const struct metric_labels unresolved = metric_label("state", STR("unresolved"));
	struct resolver_count n;

	if (!m->source->resolver)
		return;
	resolver_count(m->source->resolver, &n);
	metrics_count(&m->text, &resolved, n.resolved);
	metrics_count(&m->text, &stale, n.stale);
	metrics_count(&m->text, &unresolved, n.unresolved);
}

void
metrics_write_config_info(struct metrics *m)
{
	struct metric_labels labels = metric_label("digest", str_of(m->config->digest));

	metrics_count(&m->text, &labels, 1);
}

void
metrics_write_build_info(struct metrics *m)
{
	struct metric_labels labels = metric_label("version", STR(LBPAIR_VERSION));

	metrics_count(&m->text, &labels, 1);
}

void
metrics_write_loop_lag(struct metrics *m)
{
	for (unsigned i = 0; i < m->source->stats.n; i++) {
		char worker[16];
		struct metric_labels labels;

		snprintf(worker, sizeof(worker), "%u", i);
		labels = metric_label("worker", str_of(worker));
		metrics_seconds(&m->text, &labels, stats_loop_lag_ns(m->source->stats.block[i]));
	}
}

void
metrics_write_start_time(struct metrics *m)
{
	metrics_seconds(&m->text, NULL, m->source->started_wall_ns);
}

void
metrics_write_revocations(struct metrics *m)
{
	const struct tls_shelf *s = m->state->certificates;
	int64_t now = clock_wall_ns();

	for (uint32_t i = 0; s && i < s->n_revocations; i++) {
		const struct tls_shelf_revocations *r = &s->revocations[i];
		struct metric_labels labels = metric_label("file", r->path);

		if (r->lists.until != INT64_MAX)
			metrics_integer(&m->text, &labels, revocations_days(r, now));
	}
}

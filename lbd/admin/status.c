/*
 * status.c - numbers and names into JSON; all of it is read at this moment, nothing is
 * remembered.
 */
#include "lbd/admin/status.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "lbd/admin/certificate_view.h"
#include "lbd/admin/json_build.h"
#include "lbd/admin/pool_view.h"

/* RFC 3339 with milliseconds; null when it never was. */
static json_t *
json_time(int64_t wall_ns)
{
	time_t second = (time_t)(wall_ns / NS_PER_S);
	char stamp[32], text[64];
	struct tm tm;

	if (wall_ns == 0)
		return json_null();
	gmtime_r(&second, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, sizeof(text), "%s.%03dZ", stamp, (int)(wall_ns % NS_PER_S / NS_PER_MS));
	return json_string(text);
}

static json_t *
listener_json(const struct admin_source *source, const struct listener_config *l)
{
	json_t *o = json_object(), *bind = json_array();
	struct stats_listener_sum sum;

	stats_sum_listener(source->stats, l->id, &sum);
	for (uint32_t i = 0; i < l->n_bind; i++)
		json_append(&bind, json_of_str(l->bind_text[i]));
	json_put(&o, "name", json_of_str(l->name));
	json_put(&o, "bind", bind);
	json_put(&o, "pool", json_of_str(l->pool_name));
	json_put(&o, "connections", json_of_count(sum.connections));
	return o;
}

static json_t *
listeners_json(const struct admin_source *source, const struct lbd_config *config)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < config->n_listeners; i++)
		json_append(&list, listener_json(source, &config->listeners[i]));
	return list;
}

static json_t *
workers_json(const struct admin_source *source)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < source->stats.n; i++) {
		const struct stats *s = source->stats.block[i];
		json_t *o = json_object();

		json_put(&o, "id", json_integer(i));
		json_put(&o, "connections", json_of_count(stats_connections(s)));
		json_put(&o, "loop_lag_ms", json_of_thousandths(stats_loop_lag_ns(s) / NS_PER_US));
		json_append(&list, o);
	}
	return list;
}

static void
alarm_add(json_t **list, const char *name, struct str pool, const char *text)
{
	json_t *o = json_object();

	json_put(&o, "name", json_string(name));
	json_put(&o, "pool", json_of_str(pool));
	json_put(&o, "text", json_string(text));
	json_append(list, o);
}

static void
certificate_alarms_add(json_t **list, const struct tls_shelf *certificates)
{
	char text[512];

	for (uint32_t i = 0; certificates && i < certificates->n; i++) {
		const char *name =
		    certificate_alarm(&certificates->list[i], clock_wall_ns(), text, sizeof(text));

		if (name)
			alarm_add(list, name, STR(""), text);
	}
	for (uint32_t i = 0; certificates && i < certificates->n_revocations; i++) {
		const char *name = revocations_alarm(
		    &certificates->revocations[i], clock_wall_ns(), text, sizeof(text));

		if (name)
			alarm_add(list, name, STR(""), text);
	}
}

/* A single failure is nobody's concern: the name is soon asked for again. */
enum { NAME_STALE_FAILURES = 3 };

static void
stale_alarms_add(json_t **list, const struct resolver *resolver, const struct pool_config *p)
{
	struct name_view v = { 0 };
	char text[512];

	while (name_view_next(p, &v)) {
		const struct server_config *s = v.members;
		const struct resolution *known = resolver_find(resolver, s->host, s->resolve_max);

		if (!known || known->failures < NAME_STALE_FAILURES)
			continue;
		snprintf(text, sizeof(text), "%.*s has its last good addresses: DNS: %s",
		    STR_ARG(s->host),
		    dns_result_name(resolver_result(resolver, s->host, s->resolve_max)));
		alarm_add(list, "name_stale", p->name, text);
	}
}

static void
names_alarms_add(json_t **list, const struct admin_source *source, const struct lbd_config *config)
{
	char text[512];

	for (uint32_t i = 0; i < config->n_pools; i++) {
		const struct pool_config *p = &config->pools[i];

		for (uint32_t j = 0; j < p->n_unresolved; j++) {
			snprintf(text, sizeof(text), "%.*s has no address",
			    STR_ARG(p->unresolved[j]->host));
			alarm_add(list, "name_unresolved", p->name, text);
		}
		if (source->resolver)
			stale_alarms_add(list, source->resolver, p);
	}
}

/* What an operator should look at now. */
static json_t *
alarms_json(const struct admin_source *source, const struct admin_state *state)
{
	const struct lbd_config *config = state->config;
	json_t *list = json_array();

	for (uint32_t i = 0; i < config->n_pools; i++) {
		const struct pool_config *p = &config->pools[i];
		struct pool_view view = pool_view(source->servers, p);

		if (view.available == 0)
			alarm_add(&list, "pool_down", p->name, "no server is available");
		else if (view.panics)
			alarm_add(&list, "pool_panic", p->name,
			    "more than half of the servers are not available: all are tried");
	}
	names_alarms_add(&list, source, config);
	certificate_alarms_add(&list, state->certificates);
	return list;
}

static json_t *
config_json(const struct admin_state *state)
{
	json_t *o = json_object();

	json_put(&o, "file", json_string(state->config_file));
	json_put(&o, "digest", json_string(state->config->digest));
	json_put(&o, "loaded_at", json_time(state->config_loaded_wall_ns));
	return o;
}

static uint64_t
requests_total(struct stats_blocks stats)
{
	struct stats_requests_sum *rows;
	ssize_t n = stats_sum_requests(stats, &rows);
	uint64_t total = 0;

	for (ssize_t i = 0; i < n; i++)
		total += rows[i].count;
	if (n >= 0)
		free(rows);
	return total;
}

json_t *
status_json(const struct admin_source *source, const struct admin_state *state)
{
	const struct lbd_config *config = state->config;
	struct pool_count servers = pool_view_count(source->servers, config);
	json_t *o = json_object();

	json_put(&o, "version", json_string(LBPAIR_VERSION));
	json_put(&o, "pid", json_integer(getpid()));
	json_put(&o, "started_at", json_time(source->started_wall_ns));
	json_put(
	    &o, "uptime_s", json_of_thousandths((clock_ns() - source->started_ns) / NS_PER_MS));
	json_put(&o, "node", json_of_str(config->node));
	json_put(&o, "generation", json_integer(source->generation));
	json_put(&o, "config", config_json(state));
	json_put(&o, "ready", json_boolean(!state->not_ready));
	json_put(&o, "not_ready", state->not_ready ? json_string(state->not_ready) : json_null());
	json_put(&o, "draining", json_boolean(state->draining));
	json_put(&o, "yielding", json_boolean(state->yielding));
	json_put(&o, "listeners", listeners_json(source, config));
	json_put(&o, "workers", workers_json(source));
	json_put(&o, "servers_up", json_integer(servers.up));
	json_put(&o, "servers_unchecked", json_integer(servers.unchecked));
	json_put(&o, "servers_total", json_integer(servers.servers));
	json_put(&o, "connections", json_of_count(stats_sum_connections(source->stats)));
	json_put(&o, "requests_total", json_of_count(requests_total(source->stats)));
	json_put(&o, "alarms", alarms_json(source, state));
	return o;
}

static json_t *
checks_json(const struct admin_source *source, uint32_t slot)
{
	const struct server_load *load = &source->servers->load[slot];
	json_t *o = json_object();

	json_put(&o, "passed", json_of_count(atomic_load(&load->checks_passed)));
	json_put(&o, "failed", json_of_count(atomic_load(&load->checks_failed)));
	json_put(&o, "duration_ms", json_of_thousandths(atomic_load(&load->check_duration_us)));
	json_put(&o, "checked_at", json_time(source->checked_wall_ns(source->owner, slot)));
	return o;
}

/* A check may quote what a server sent. */
static json_t *
reason_json(const char *reason)
{
	json_t *text = json_string(reason);

	return text ? text : json_string("(not UTF-8)");
}

json_t *
status_server(
    const struct admin_source *source, const struct pool_config *p, const struct server_config *s)
{
	const struct server_table *t = source->servers;
	const struct server_shared *shared = &t->shared[s->slot];
	const struct server_load *load = &t->load[s->slot];
	json_t *o = json_object();

	json_put(&o, "pool", json_of_str(p->name));
	json_put(&o, "name", json_of_str(s->name));
	json_put(&o, "address", json_of_str(s->address_text));
	json_put(&o, "health", json_string(server_health_name(atomic_load(&shared->health))));
	json_put(&o, "admin", json_string(server_admin_name(atomic_load(&shared->admin))));
	json_put(&o, "reachable", json_boolean(!atomic_load(&shared->unreachable)));
	json_put(&o, "drained", json_boolean(server_drained(t, s->slot)));
	json_put(
	    &o, "circuit", json_string(breaker_state_name(breaker_look(&load->breaker).state)));
	json_put(&o, "backup", json_boolean(s->backup));
	json_put(&o, "available", json_boolean(server_available(t, s->slot)));
	json_put(&o, "weight", json_integer(server_weight(t, s->slot, s->weight)));
	json_put(&o, "configured_weight", json_integer(s->weight));
	json_put(&o, "active", json_integer(atomic_load(&t->active[s->slot])));
	json_put(&o, "connections", json_integer(atomic_load(&load->connections)));
	json_put(&o, "idle", json_integer(atomic_load(&load->idle_connections)));
	json_put(&o, "checks", checks_json(source, s->slot));
	json_put(&o, "reason", reason_json(source->check_reason(source->owner, s->slot)));
	json_put(&o, "changed_at", json_time(atomic_load(&shared->changed_wall_ns)));
	return o;
}

/* What the operator has set for a name; `configured` where nothing is. */
static void
name_settings(json_t **o, const struct admin_source *source, const struct pool_config *p,
    const struct name_view *v)
{
	int slot = name_view_slot(source->servers, p, v);
	uint8_t admin = slot < 0 ? ADMIN_READY : atomic_load(&source->servers->shared[slot].admin);
	uint32_t weight =
	    slot < 0 ? v->weight : server_weight(source->servers, (uint32_t)slot, v->weight);

	json_put(o, "admin", json_string(server_admin_name(admin)));
	json_put(o, "drained", json_boolean(name_view_drained(source->servers, p, v)));
	json_put(o, "weight", json_integer(weight));
	json_put(o, "configured_weight", json_integer(v->weight));
}

json_t *
status_name(
    const struct admin_source *source, const struct pool_config *p, const struct name_view *v)
{
	uint64_t active = 0, connections = 0;
	json_t *o = json_object();

	for (uint32_t i = 0; i < v->n; i++) {
		active += atomic_load(&source->servers->active[v->members[i].slot]);
		connections += atomic_load(&source->servers->load[v->members[i].slot].connections);
	}
	json_put(&o, "pool", json_of_str(p->name));
	json_put(&o, "name", json_of_str(v->name));
	json_put(&o, "members", json_integer(v->n));
	name_settings(&o, source, p, v);
	json_put(&o, "active", json_of_count(active));
	json_put(&o, "connections", json_of_count(connections));
	return o;
}

/* A name without an address: what the others have, as far as it makes sense. */
static json_t *
status_unresolved(
    const struct admin_source *source, const struct pool_config *p, const struct server_config *s)
{
	enum dns_result why = resolver_result(source->resolver, s->host, s->resolve_max);
	const struct name_view v = { .name = s->name, .weight = s->weight };
	char reason[64];
	json_t *o = json_object();

	snprintf(reason, sizeof(reason), "DNS: %s",
	    why == DNS_OK ? "no answer yet" : dns_result_name(why));
	json_put(&o, "pool", json_of_str(p->name));
	json_put(&o, "name", json_of_str(s->name));
	json_put(&o, "address", json_of_str(s->address_text));
	json_put(&o, "health", json_string("unresolved"));
	name_settings(&o, source, p, &v);
	json_put(&o, "reachable", json_false());
	json_put(&o, "available", json_false());
	json_put(&o, "active", json_integer(0));
	json_put(&o, "connections", json_integer(0));
	json_put(&o, "idle", json_integer(0));
	json_put(&o, "reason", json_string(reason));
	json_put(&o, "changed_at", json_null());
	return o;
}

json_t *
status_servers(const struct admin_source *source, const struct admin_state *state)
{
	json_t *o = json_object(), *list = json_array(), *names = json_array();

	for (uint32_t i = 0; i < state->config->n_pools; i++) {
		const struct pool_config *p = &state->config->pools[i];
		struct name_view v = { 0 };

		for (uint32_t j = 0; j < p->n_servers; j++)
			json_append(&list, status_server(source, p, &p->servers[j]));
		for (uint32_t j = 0; j < p->n_unresolved; j++)
			json_append(&list, status_unresolved(source, p, p->unresolved[j]));
		while (name_view_next(p, &v))
			json_append(&names, status_name(source, p, &v));
	}
	json_put(&o, "servers", list);
	json_put(&o, "names", names);
	return o;
}

/*
 * commands.c - reads a request, does it or says precisely what is wrong with it.
 *
 *   {"command":"server","name":"POOL/NAME","action":"ready|drain|maintenance"}
 *   {"command":"server","name":"POOL/NAME","action":"weight","value":N}      null: as configured
 *   {"command":"connections","limit":N}
 *   {"command":"yield","on":true,"idle_ms":N,"for_ms":N}     {"command":"yield","on":false}
 *   {"command":"watch","of":"status|servers"}
 *   {"command":"status"}, "servers", "certificates", "renew", "metrics", "reload"
 */
#include "lbd/admin/commands.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "lbd/admin/certificate_view.h"
#include "lbd/admin/json_build.h"
#include "lbd/admin/name_view.h"
#include "lbd/admin/status.h"

/* --- status, servers, watch --- */

static void
run_status(struct control_token *token, const json_t *request, void *context)
{
	struct admin_state state = admin_state_of(context);

	(void)request;
	control_result(token, status_json(admin_source_of(context), &state));
}

static void
run_servers(struct control_token *token, const json_t *request, void *context)
{
	struct admin_state state = admin_state_of(context);

	(void)request;
	control_result(token, status_servers(admin_source_of(context), &state));
}

/* The text as admin.http has it, for who has no other way than this socket. */
static void
run_metrics(struct control_token *token, const json_t *request, void *context)
{
	struct text text;

	(void)request;
	text_init(&text, CONTROL_QUEUE_MAX);
	if (admin_metrics(context, &text) == 0)
		control_result(token, json_pack("{s:s%}", "metrics", text.p, text.n));
	else
		control_refuse(token, "the metrics do not fit here: admin.http has them");
	text_fini(&text);
}

static void
run_watch(struct control_token *token, const json_t *request, void *context)
{
	const struct admin_source *source = admin_source_of(context);
	struct admin_state state = admin_state_of(context);
	const json_t *of = json_object_get(request, "of");
	const char *what = of ? json_string_value(of) : "status";
	bool servers = what && strcmp(what, "servers") == 0;
	json_t *now;

	if (!servers && !(what && strcmp(what, "status") == 0)) {
		control_refuse(token, "\"of\" must be status or servers");
		return;
	}
	now = servers ? status_servers(source, &state) : status_json(source, &state);
	if (!now) {
		control_refuse(token, "out of memory");
		return;
	}
	control_subscribe(token, servers ? TOPIC_SERVERS : TOPIC_STATUS, now);
	admin_watched(context);
}

/* --- reload --- */

static void
run_reload(struct control_token *token, const json_t *request, void *context)
{
	const struct admin_source *source = admin_source_of(context);

	(void)request;
	source->reload(source->owner, token, false);
}

/* --- certificates --- */

static void
run_certificates(struct control_token *token, const json_t *request, void *context)
{
	struct admin_state state = admin_state_of(context);

	(void)request;
	control_result(token, certificates_json(&state, clock_wall_ns()));
}

static void
run_renew(struct control_token *token, const json_t *request, void *context)
{
	const struct admin_source *source = admin_source_of(context);

	(void)request;
	source->reload(source->owner, token, true);
}

void
admin_reload_answer(struct control_token *token, const char *why_not)
{
	if (why_not)
		control_refuse(token, "%s", why_not);
	else
		control_reply(token, NULL);
}

/* --- connections --- */

enum { LISTING_DEFAULT = 1000, LISTING_MAX = 20000 };

struct admin_listing {
	struct control_token *token;
	json_t *rows;
	uint32_t n, limit;
	uint64_t total; /* connections when it was asked for */
};

static void
run_connections(struct control_token *token, const json_t *request, void *context)
{
	const struct admin_source *source = admin_source_of(context);
	const json_t *limit = json_object_get(request, "limit");
	json_int_t n = limit ? json_integer_value(limit) : LISTING_DEFAULT;
	struct admin_listing *l;

	if ((limit && !json_is_integer(limit)) || n < 1 || n > LISTING_MAX) {
		control_refuse(token, "\"limit\" must be an integer in 1..%d", LISTING_MAX);
		return;
	}
	l = calloc(1, sizeof(*l));
	if (!l) {
		control_refuse(token, "out of memory");
		return;
	}
	l->token = token;
	l->rows = json_array();
	l->limit = (uint32_t)n;
	l->total = stats_sum_connections(source->stats);
	source->list_connections(source->owner, l);
}

uint32_t
admin_listing_wants(const struct admin_listing *l)
{
	return l->limit - l->n;
}

void
admin_listing_add(struct admin_listing *l, const struct admin_connection *c)
{
	json_t *o = json_object();

	if (l->n == l->limit) {
		json_decref(o);
		return;
	}
	l->n++;
	json_put(&o, "client", json_of_str(c->client));
	json_put(&o, "listener", json_of_str(c->listener));
	json_put(&o, "state", json_of_str(c->state));
	json_put(&o, "worker", json_integer(c->worker));
	json_put(&o, "age_s", json_of_thousandths(c->age_ns / NS_PER_MS));
	json_put(&o, "requests", json_of_count(c->requests));
	json_put(&o, "pool", json_of_str(c->pool));
	json_put(&o, "server", json_of_str(c->server));
	json_put(&o, "bytes_in", json_of_count(c->bytes_in));
	json_put(&o, "bytes_out", json_of_count(c->bytes_out));
	json_append(&l->rows, o);
}

void
admin_listing_answer(struct admin_listing **lp)
{
	struct admin_listing *l = *lp;
	json_t *o = json_object();

	*lp = NULL;
	json_put(&o, "total", json_of_count(l->total > l->n ? l->total : l->n));
	json_put(&o, "connections", l->rows);
	control_result(l->token, o);
	free(l);
}

/* --- server --- */

/* A server, or a name that stands for its members. */
struct found {
	const struct pool_config *pool;
	const struct server_config *server; /* NULL: a name */
	struct name_view name;
	uint32_t slot; /* of the server, or of the name */
};

enum { KNOWN_MAX = 20 };

/* One more name of n, after a comma; only some when there are many. */
static void
known_add(struct text *known, uint32_t i, uint32_t n, struct str pool, struct str server)
{
	if (i > KNOWN_MAX)
		return;
	if (i == KNOWN_MAX)
		text_printf(known, ", ... (%u in all)", n);
	else
		text_printf(known, "%s%.*s%s%.*s", i ? ", " : "", STR_ARG(pool),
		    server.n ? "/" : "", STR_ARG(server));
}

static void
refuse_pool(struct control_token *token, const struct lbd_config *config, struct str name)
{
	struct text known;

	text_init(&known, CONTROL_LINE_MAX);
	for (uint32_t i = 0; i < config->n_pools; i++)
		known_add(&known, i, config->n_pools, config->pools[i].name, STR(""));
	control_refuse(token, "no pool %.*s; known: %s", STR_ARG(name), known.p ? known.p : "none");
	text_fini(&known);
}

/* Names before what they stand for. */
static void
refuse_server(struct control_token *token, const struct pool_config *pool, struct str name)
{
	uint32_t n = pool->n_unresolved + pool->n_servers, at = 0;
	struct name_view v = { 0 };
	struct text known;

	while (name_view_next(pool, &v))
		n++;
	v = (struct name_view){ 0 };
	text_init(&known, CONTROL_LINE_MAX);
	while (name_view_next(pool, &v))
		known_add(&known, at++, n, pool->name, v.name);
	for (uint32_t i = 0; i < pool->n_unresolved; i++)
		known_add(&known, at++, n, pool->name, pool->unresolved[i]->name);
	for (uint32_t i = 0; i < pool->n_servers; i++)
		known_add(&known, at++, n, pool->name, pool->servers[i].name);
	control_refuse(token, "no server %.*s/%.*s; known: %s", STR_ARG(pool->name), STR_ARG(name),
	    known.p ? known.p : "none");
	text_fini(&known);
}

static const struct pool_config *
pool_named(const struct lbd_config *config, struct str name)
{
	for (uint32_t i = 0; i < config->n_pools; i++)
		if (str_eq(config->pools[i].name, name))
			return &config->pools[i];
	return NULL;
}

/* Of that pool.  False: refused. */
static bool
server_find_in(struct control_token *token, const struct admin_source *source, struct str name,
    struct found *found)
{
	int slot;

	for (uint32_t i = 0; i < found->pool->n_servers; i++) {
		found->server = &found->pool->servers[i];
		found->slot = found->server->slot;
		if (str_eq(found->server->name, name))
			return true;
	}
	found->server = NULL;
	if (!name_view_find(found->pool, name, &found->name)) {
		refuse_server(token, found->pool, name);
		return false;
	}
	slot = server_table_slot(source->servers, found->pool->name, name);
	if (slot < 0) {
		control_refuse(token, "no room for the state of %.*s", STR_ARG(name));
		return false;
	}
	found->slot = (uint32_t)slot;
	return true;
}

/* By "POOL/NAME"; a server's name may have slashes.  False: refused. */
static bool
server_find(struct control_token *token, const struct admin_source *source,
    const struct lbd_config *config, const json_t *request, struct found *found)
{
	const char *name = json_string_value(json_object_get(request, "name"));
	const char *slash = name ? strchr(name, '/') : NULL;
	struct str pool;

	if (!slash) {
		control_refuse(token, "\"name\" must be a text POOL/NAME");
		return false;
	}
	pool = (struct str){ name, (size_t)(slash - name) };
	found->pool = pool_named(config, pool);
	if (!found->pool) {
		refuse_pool(token, config, pool);
		return false;
	}
	return server_find_in(token, source, str_of(slash + 1), found);
}

static void
server_reply(struct control_token *token, const struct admin_source *source,
    const struct found *found, bool changed)
{
	json_t *o = json_object();

	json_put(&o, "changed", json_boolean(changed));
	json_put(&o, "server",
	    found->server ? status_server(source, found->pool, found->server)
			  : status_name(source, found->pool, &found->name));
	control_result(token, o);
}

static struct str
found_name(const struct found *found)
{
	return found->server ? found->server->name : found->name.name;
}

static void
server_weigh(struct control_token *token, const struct admin_source *source,
    const struct found *found, const json_t *value)
{
	json_int_t n = json_is_null(value) ? -1 : json_integer_value(value);
	uint32_t configured = found->server ? found->server->weight : found->name.weight;
	bool changed;

	if (!json_is_null(value) && !(json_is_integer(value) && n >= 0 && n <= SERVER_WEIGHT_MAX)) {
		control_refuse(token,
		    "\"value\" must be an integer in 0..%d, or null for the configured weight",
		    SERVER_WEIGHT_MAX);
		return;
	}
	changed = server_set_weight(source->servers, found->slot, (int32_t)n);
	for (uint32_t i = 0; i < found->name.n; i++)
		changed |=
		    server_set_weight(source->servers, found->name.members[i].slot, (int32_t)n);
	if (changed)
		log_notice("server_weight", "pool=%s server=%s weight=%u",
		    log_quoted(found->pool->name).text, log_quoted(found_name(found)).text,
		    server_weight(source->servers, found->slot, configured));
	server_reply(token, source, found, changed);
}

static bool
slot_administer(const struct admin_source *source, uint32_t slot, enum server_admin admin)
{
	bool changed;

	if (atomic_load(&source->servers->shared[slot].admin) == ADMIN_MAINTENANCE)
		server_comes_up(source->servers, slot, clock_ns());
	changed = server_set_admin(source->servers, slot, admin, clock_wall_ns());
	if (changed && admin != ADMIN_READY)
		source->close_idle(source->owner, slot);
	return changed;
}

static void
server_administer(struct control_token *token, const struct admin_source *source,
    const struct found *found, enum server_admin admin)
{
	bool changed = slot_administer(source, found->slot, admin);

	for (uint32_t i = 0; i < found->name.n; i++)
		changed |= slot_administer(source, found->name.members[i].slot, admin);
	if (changed)
		log_notice("server_admin", "pool=%s server=%s admin=%s",
		    log_quoted(found->pool->name).text, log_quoted(found_name(found)).text,
		    server_admin_name(admin));
	server_reply(token, source, found, changed);
}

static void
run_server(struct control_token *token, const json_t *request, void *context)
{
	static const enum server_admin actions[] = { ADMIN_READY, ADMIN_DRAIN, ADMIN_MAINTENANCE };
	const struct admin_source *source = admin_source_of(context);
	const char *action = json_string_value(json_object_get(request, "action"));
	struct admin_state state = admin_state_of(context);
	struct found found = { 0 };

	if (!server_find(token, source, state.config, request, &found))
		return;
	if (action && strcmp(action, "weight") == 0) {
		server_weigh(token, source, &found, json_object_get(request, "value"));
		admin_changed(context);
		return;
	}
	for (size_t i = 0; action && i < sizeof(actions) / sizeof(*actions); i++)
		if (strcmp(action, server_admin_name(actions[i])) == 0) {
			server_administer(token, source, &found, actions[i]);
			admin_changed(context);
			admin_servers_drained(context);
			return;
		}
	control_refuse(token, "\"action\" must be ready, drain, maintenance or weight");
}

/* --- yield --- */

enum { YIELD_MS_MAX = 3600 * 1000 };

static bool
read_ms(struct control_token *token, const json_t *request, const char *key, int64_t *ns)
{
	const json_t *value = json_object_get(request, key);
	json_int_t ms = json_integer_value(value);

	if (!json_is_integer(value) || ms < 1 || ms > YIELD_MS_MAX) {
		control_refuse(token, "\"%s\" must be an integer in 1..%d", key, YIELD_MS_MAX);
		return false;
	}
	*ns = ms * NS_PER_MS;
	return true;
}

static void
run_yield(struct control_token *token, const json_t *request, void *context)
{
	const struct admin_source *source = admin_source_of(context);
	const json_t *on = json_object_get(request, "on");
	int64_t idle_ns = 0, for_ns = 0;

	if (!json_is_boolean(on)) {
		control_refuse(token, "\"on\" must be true or false");
		return;
	}
	if (json_is_true(on) &&
	    (!read_ms(token, request, "idle_ms", &idle_ns) ||
		!read_ms(token, request, "for_ms", &for_ns)))
		return;
	source->yield(source->owner, json_is_true(on), idle_ns, for_ns);
	control_reply(token, NULL);
}

const struct control_command admin_commands[ADMIN_COMMANDS] = {
	{ "status", true, run_status, "The state of this lbd: ready, listeners, workers, alarms." },
	{ "servers", true, run_servers, "All servers with their health, weight and load." },
	{ "server", false, run_server,
	    "name: POOL/NAME, action: ready, drain, maintenance, or weight with value." },
	{ "reload", false, run_reload,
	    "Reads the configuration again; answers when it is in force." },
	{ "certificates", true, run_certificates,
	    "Certificates of the listeners, and how long they are good for." },
	{ "renew", false, run_renew,
	    "Reads the files of certificates again; answers when they are in force." },
	{ "connections", true, run_connections, "Client connections; limit: how many at most." },
	{ "yield", false, run_yield,
	    "on: connections end with their next answer, idle ones after idle_ms, within for_ms." },
	{ "metrics", true, run_metrics, "The text of /metrics." },
	{ "watch", true, run_watch,
	    "of: status or servers; now, at every change and twice a second." },
};

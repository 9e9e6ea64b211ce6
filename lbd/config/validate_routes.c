/*
 * validate_routes.c - routes: which pools they mean, whether each has one thing to do; then the router.
 */
#include "lbd/config/schema.h"

#include <stdlib.h>

#include "lbd/http/authority.h"
#include "lbd/route/target.h"

/* Everything that concerns one route. */
struct route_check {
	struct lbd_config *c;
	struct json_decoder *d;
	uint32_t listener, index;
	struct route_config *route;
};

#define PROBLEM(k, format, ...)                                                                    \
	json_config_problem(                                                                       \
	    (k)->d, "listeners[%u].routes[%u]" format, (k)->listener, (k)->index, ##__VA_ARGS__)

static void
host_lower(struct arena *a, struct str *host)
{
	char text[256];

	if (host->n == 0 || host->n >= sizeof(text))
		return;
	for (size_t i = 0; i < host->n; i++)
		text[i] =
		    (char)(host->p[i] >= 'A' && host->p[i] <= 'Z' ? host->p[i] | 0x20 : host->p[i]);
	*host = arena_str(a, (struct str){ text, host->n });
}

static void
check_normal(struct route_check *k, const char *key, struct str path)
{
	char out[4096], wanted[JSON_SHOWN_MAX];
	struct target normal;

	if (path.n == 0 || path.n > sizeof(out))
		return;
	switch (target_normalise(path, out, &normal)) {
	case TARGET_NORMAL:
		return;
	case TARGET_CHANGED:
		if (str_eq(path, normal.whole))
			return;
		json_config_quote(normal.whole, wanted);
		PROBLEM(k, ".%s: is never the path of a request; %s is", key, wanted);
		return;
	case TARGET_BAD:
		PROBLEM(k, ".%s: is never the path of a request: such are refused", key);
	}
}

/* What a route may do, of which it must do one. */
static void
check_actions(struct route_check *k)
{
	const struct route_config *r = k->route;
	int n = (r->pool_name.n > 0) + (r->split != NULL) + (r->redirect.to.n > 0) +
	    (r->respond.status > 0);

	if (n != 1)
		PROBLEM(k, ": has %s of pool, split, redirect and respond; it needs one",
		    n ? "more than one" : "none");
}

static void
check_redirect(struct route_check *k)
{
	struct route_redirect_config *r = &k->route->redirect;
	struct err err;

	if (r->to.n == 0)
		return;
	if (template_new(k->c->arena, r->to, VARIABLES_BEFORE_SERVER, &r->location, &err) < 0)
		PROBLEM(k, ".redirect.to: %s", err.text);
}

static void
check_respond(struct route_check *k)
{
	const struct route_respond_config *r = &k->route->respond;

	if ((r->status == 204 || r->status == 304) && r->body.n)
		PROBLEM(k, ".respond.body: has no place in a response with status %u", r->status);
}

/* No server gets these requests: what would happen on the way there never does. */
static void
check_unserved(struct route_check *k)
{
	const struct route_config *r = k->route;

	if (r->replace_prefix.p)
		PROBLEM(k, ".replace_prefix: has no effect on what no server gets");
	if (header_edits_any(&r->request_headers))
		PROBLEM(k, ".request_headers: has no effect on what no server gets");
}

/* One pool is a split of one. */
static void
shares_complete(struct route_check *k)
{
	struct route_config *r = k->route;
	uint64_t total = 0;

	r->shares = r->split;
	r->n_shares = r->n_split;
	if (r->pool_name.n) {
		r->shares = arena_alloc(k->c->arena, sizeof(*r->shares));
		r->n_shares = 1;
		if (!r->shares)
			return;
		*r->shares = (struct route_share_config){ r->pool_name, 0, 1 };
	}
	for (uint32_t i = 0; i < r->n_shares; i++) {
		int pool = config_find_pool(k->c, k->d, r->shares[i].pool_name,
		    r->split ? "listeners[%u].routes[%u].split[%u].pool"
			     : "listeners[%u].routes[%u].pool",
		    k->listener, k->index, i);

		if (pool >= 0)
			r->shares[i].pool = (uint32_t)pool;
		if (pool >= 0)
			config_check_tcp_pool(k->c, k->d, k->listener, (uint32_t)pool);
		total += r->shares[i].weight;
	}
	if (r->n_shares && total == 0)
		PROBLEM(k, ".split: all weights are 0");
	r->total = (uint32_t)total;
	if (r->n_shares)
		r->pool = r->shares[0].pool;
}

/* What a route of a listener in TCP mode cannot look at or do: there are no requests. */
static void
check_tcp(struct route_check *k)
{
	const struct route_config *r = k->route;
	const struct {
		const char *key;
		bool given;
	} keys[] = {
		{ "host", r->host.n > 0 },
		{ "path", r->path.n > 0 },
		{ "path_prefix", r->path_prefix.n > 0 },
		{ "method", r->methods.n > 0 },
		{ "headers", r->n_headers > 0 },
		{ "query", r->n_query > 0 },
		{ "replace_prefix", r->replace_prefix.p != NULL },
		{ "request_headers", header_edits_any(&r->request_headers) },
		{ "response_headers", header_edits_any(&r->response_headers) },
		{ "rate_limit", r->rate_limit.table_size > 0 },
		{ "redirect", r->redirect.to.n > 0 },
		{ "respond", r->respond.status > 0 },
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (keys[i].given)
			PROBLEM(k, ".%s: has no effect with protocol \"tcp\"", keys[i].key);
}

/* By the protocol of the listener. */
static void
check_protocol(struct route_check *k)
{
	struct listener_config *l = &k->c->listeners[k->listener];

	if (l->protocol == LISTENER_TCP)
		check_tcp(k);
	else if (k->route->sni.n && !l->tls.n_certificates)
		PROBLEM(k, ".sni: has no effect without tls: clients say no name");
	if (k->route->sni.n && l->protocol == LISTENER_TCP && !l->tls.n_certificates)
		l->peeks = true;
}

/* In TCP mode the name that a client asks for is all the host there is, and no condition. */
static uint32_t
count_conditions(const struct route_config *r, enum listener_protocol protocol)
{
	return (r->methods.n > 0) + (r->n_clients > 0) +
	    (r->sni.n > 0 && protocol == LISTENER_HTTP) + r->n_headers + r->n_query;
}

static void
route_complete(struct route_check *k)
{
	struct route_config *r = k->route;

	r->n_conditions = count_conditions(r, k->c->listeners[k->listener].protocol);
	r->changes = r->replace_prefix.p || header_edits_any(&r->request_headers) ||
	    header_edits_any(&r->response_headers);
	check_protocol(k);
	if (r->path.n && r->path_prefix.n)
		PROBLEM(k, ".path_prefix: has no effect beside path");
	if (r->replace_prefix.p && !r->path_prefix.n)
		PROBLEM(k, ".replace_prefix: has no effect without path_prefix");
	if (r->redirect.to.n || r->respond.status)
		check_unserved(k);
	check_normal(k, "replace_prefix", r->replace_prefix);
	host_lower(k->c->arena, &r->host);
	host_lower(k->c->arena, &r->sni);
	check_normal(k, "path", r->path);
	check_normal(k, "path_prefix", r->path_prefix);
	check_actions(k);
	check_redirect(k);
	check_respond(k);
	shares_complete(k);
}

static struct route_rule
rule_of(const struct listener_config *l, const struct route_config *r)
{
	if (l->protocol == LISTENER_TCP)
		return (struct route_rule){ .host = r->sni, .n_conditions = r->n_conditions };
	return (struct route_rule){
		.host = authority_host(r->host), /* without brackets */
		.path = r->path.n ? r->path : r->path_prefix,
		.exact = r->path.n > 0,
		.n_conditions = r->n_conditions,
	};
}

/* What is written twice is a mistake: only one of the two can be meant. */
static void
check_hidden(struct lbd_config *c, struct json_decoder *d, uint32_t listener)
{
	const struct listener_config *l = &c->listeners[listener];

	for (uint32_t i = 0; i < l->n_routes; i++) {
		int hidden = l->routes[i].n_conditions ? ROUTER_NONE : router_hidden(l->router, i);

		if (hidden != ROUTER_NONE)
			json_config_problem(d,
			    "listeners[%u].routes[%d]: is never asked: routes[%u] has the same "
			    "host and path and no conditions",
			    listener, hidden, i);
	}
}

bool
config_routes_complete(struct lbd_config *c, struct json_decoder *d, uint32_t listener)
{
	struct listener_config *l = &c->listeners[listener];
	struct route_rule *rules;

	if (l->n_routes == 0)
		return true;
	rules = calloc(l->n_routes, sizeof(*rules));
	if (!rules)
		return false;
	for (uint32_t i = 0; i < l->n_routes; i++) {
		route_complete(&(struct route_check){ c, d, listener, i, &l->routes[i] });
		rules[i] = rule_of(l, &l->routes[i]);
	}
	l->router = router_new(c->arena, rules, l->n_routes);
	free(rules);
	if (l->router && d->problems->n == 0) /* else conditions may be missing */
		check_hidden(c, d, listener);
	return l->router != NULL;
}

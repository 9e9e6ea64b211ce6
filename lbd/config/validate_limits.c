/* validate_limits.c - what rate limits and lists of networks mean: rates, keys, trees. */
#include "lbd/config/schema.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "lbd/limit/network_tree.h"

/* From an empty bucket to a full one. */
static const int64_t FILL_MAX_NS = 30 * 24 * 3600 * NS_PER_S;

/* What becomes of a route's requests; all else says which they are. */
static const char *const actions[] = { "rate_limit", "replace_prefix", "request_headers",
	"response_headers", "pool", "split", "redirect", "respond" };

static json_t *
conditions_json(const struct route_config *route)
{
	json_t *conditions = json_config_encode(config_route_fields, route);

	for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++)
		json_object_del(conditions, actions[i]);
	return conditions;
}

/* The first bytes of a hash over all that makes it this rule.  False: out of memory. */
static bool
rule_number(const struct listener_config *l, const struct route_config *route,
    const struct rate_limit_config *r, const char *what, uint64_t *number)
{
	json_t *rule = json_pack("{s:o, s:o, s:s, s:o}", "listener",
	    json_stringn(l->name.p ? l->name.p : "", l->name.n), "route",
	    route ? conditions_json(route) : json_null(), "of", what, "limit",
	    json_config_encode(config_rate_limit_fields, r));
	char *text = rule ? json_dumps(rule, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	unsigned char hash[EVP_MAX_MD_SIZE];
	bool done = text && EVP_Digest(text, strlen(text), hash, NULL, EVP_sha256(), NULL) == 1;

	if (done)
		memcpy(number, hash, sizeof(*number));
	free(text);
	json_decref(rule);
	return done;
}

static void
key_complete(struct rate_limit_config *r)
{
	const struct str header = STR("header:");

	r->key = RATE_BY_CLIENT;
	if (str_eq(r->key_text, STR("route")))
		r->key = RATE_TOGETHER;
	if (!str_starts(r->key_text, header))
		return;
	r->key = RATE_BY_HEADER;
	r->header = str_skip(r->key_text, header.n);
}

static void
count_complete(struct json_decoder *d, struct rate_count_config *c, const char *path,
    const char *what, const char *burst)
{
	if (c->per_second && c->per_minute)
		json_config_problem(d,
		    "%s: has both of %s_per_second and %s_per_minute; it needs one", path, what,
		    what);
	if (c->burst == 0)
		c->burst = c->per_second ? c->per_second : (c->per_minute + 59) / 60;
	c->rate = (struct rate){
		.requests = c->per_second ? c->per_second : c->per_minute,
		.burst = c->burst,
		.period_ns = c->per_second ? NS_PER_S : 60 * NS_PER_S,
	};
	if (c->burst * (c->rate.period_ns / c->rate.requests) > FILL_MAX_NS)
		json_config_problem(
		    d, "%s.%s: at this rate it takes more than 30 days", path, burst);
}

/* What there is to count: in TCP mode connections alone, and routes come after those. */
static void
check_counts(struct json_decoder *d, const struct listener_config *l,
    const struct route_config *route, const struct rate_limit_config *r, const char *path)
{
	char quoted[JSON_SHOWN_MAX];

	if (!rate_count_any(&r->requests) && !rate_count_any(&r->connections))
		json_config_problem(d,
		    route ? "%s: has none of requests_per_second and requests_per_minute; it needs "
			    "one"
			  : "%s: has none of requests_per_second, requests_per_minute, "
			    "connections_per_second and connections_per_minute; it needs one",
		    path);
	if (route && rate_count_any(&r->connections))
		json_config_problem(d,
		    "%s.connections_per_%s: has no place in a route: connections are counted when "
		    "they are made",
		    path, r->connections.per_second ? "second" : "minute");
	if (rate_count_any(&r->requests) && !route && l->protocol == LISTENER_TCP)
		json_config_problem(d,
		    "%s.requests_per_%s: has no effect with protocol \"tcp\", which has "
		    "connections alone: connections_per_%s counts those",
		    path, r->requests.per_second ? "second" : "minute",
		    r->requests.per_second ? "second" : "minute");
	if (rate_count_any(&r->requests) || r->key == RATE_BY_CLIENT)
		return;
	json_config_quote(r->key_text, quoted);
	json_config_problem(d,
	    "%s.key: %s is a key of requests; connections are counted by \"client_ip\" alone", path,
	    quoted);
}

/* `path` is that of the limit. */
static bool
rate_limit_complete(struct json_decoder *d, const struct listener_config *l,
    const struct route_config *route, struct rate_limit_config *r, const char *path)
{
	if (r->table_size == 0)
		return true;
	key_complete(r);
	check_counts(d, l, route, r, path);
	if (rate_count_any(&r->requests))
		count_complete(d, &r->requests, path, "requests", "burst");
	if (rate_count_any(&r->connections))
		count_complete(d, &r->connections, path, "connections", "connection_burst");
	return rule_number(l, route, r, "requests", &r->requests.rule) &&
	    rule_number(l, route, r, "connections", &r->connections.rule);
}

/* Both lists in one tree.  False: out of memory. */
static bool
list_add(struct json_decoder *d, struct network_tree *tree, const struct network *list, uint32_t n,
    enum access_verdict verdict, uint32_t listener)
{
	char text[ADDRESS_TEXT_MAX];

	for (uint32_t i = 0; i < n; i++) {
		int code = network_tree_add(tree, d->arena, &list[i], (int)verdict);

		if (code == -ENOMEM)
			return false;
		if (code == 0)
			continue;
		network_format(&list[i], text);
		json_config_problem(
		    d, "listeners[%u].access.deny[%u]: \"%s\" is in allow, too", listener, i, text);
	}
	return true;
}

static bool
access_complete(struct json_decoder *d, struct access_config *a, uint32_t listener)
{
	struct network_tree *tree;

	if (a->n_allow + a->n_deny == 0)
		return true;
	tree = network_tree_new(d->arena);
	a->tree = tree;
	return tree && list_add(d, tree, a->allow, a->n_allow, ACCESS_ALLOW, listener) &&
	    list_add(d, tree, a->deny, a->n_deny, ACCESS_DENY, listener);
}

/* Of those alone that hold an address.  False: out of memory. */
static bool
tree_make(struct arena *a, const struct network *list, uint32_t n, const struct network_tree **tree)
{
	struct network_tree *t = n ? network_tree_new(a) : NULL;

	*tree = t;
	for (uint32_t i = 0; t && i < n; i++)
		if (network_tree_add(t, a, &list[i], 1) < 0)
			return false;
	return t || n == 0;
}

bool
config_limits_complete(struct lbd_config *c, struct json_decoder *d, uint32_t listener)
{
	struct listener_config *l = &c->listeners[listener];
	char path[64];

	snprintf(path, sizeof(path), "listeners[%u].rate_limit", listener);
	if (!tree_make(d->arena, l->forwarded.trust, l->forwarded.n_trust, &l->forwarded.trusted) ||
	    !access_complete(d, &l->access, listener) ||
	    !rate_limit_complete(d, l, NULL, &l->rate_limit, path))
		return false;
	l->guarded = l->access.tree || rate_count_any(&l->rate_limit.requests);
	for (uint32_t i = 0; i < l->n_routes; i++) {
		struct route_config *r = &l->routes[i];

		if (!tree_make(d->arena, r->clients, r->n_clients, &r->client_tree))
			return false;
		snprintf(path, sizeof(path), "listeners[%u].routes[%u].rate_limit", listener, i);
		if (!rate_limit_complete(d, l, r, &r->rate_limit, path))
			return false;
		l->guarded |= r->rate_limit.table_size > 0;
	}
	return true;
}

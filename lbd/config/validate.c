/*
 * validate.c - what one row of a table cannot say: names that refer to each other, duplicates,
 * sums.
 *
 * Runs over whatever was decoded, so every check leaves alone what is missing: that is a
 * problem already. Duplicates are found by sorting, for there may be thousands of servers.
 */
#include "lbd/config/schema.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/suggest.h"
#include "common/units.h"

enum { NODE_NAME_MAX = 255 };

/*
 * A text with where it stands, for sorting: equal ones become neighbours, in the order of the
 * file.
 */
struct entry {
	struct str text;
	uint32_t i, j;
};

struct validation {
	struct json_decoder *d;
	struct lbd_config *c;
	struct entry *entries; /* as many as the longest list needs */
	bool pools_named; /* else it is of no use to miss a name */
};

typedef void
say_repeated(const struct validation *, const struct entry *again, const struct entry *first);

static int
entry_compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	size_t n = x->text.n < y->text.n ? x->text.n : y->text.n;
	int rc = n ? memcmp(x->text.p, y->text.p, n) : 0;

	if (rc == 0)
		rc = (x->text.n > y->text.n) - (x->text.n < y->text.n);
	if (rc == 0)
		rc = (x->i > y->i) - (x->i < y->i);
	return rc ? rc : (x->j > y->j) - (x->j < y->j);
}

static void
find_repeated(const struct validation *v, uint32_t n, say_repeated *say)
{
	struct entry *list = v->entries;
	uint32_t first = 0;

	qsort(list, n, sizeof(*list), entry_compare);
	for (uint32_t i = 1; i < n; i++) {
		if (!str_eq(list[i].text, list[first].text))
			first = i;
		else if (list[i].text.n)
			say(v, &list[i], &list[first]);
	}
}

static void
say_listener(const struct validation *v, const struct entry *again, const struct entry *first)
{
	const struct listener_config *a = &v->c->listeners[again->i];
	const struct listener_config *b = &v->c->listeners[first->i];

	if (a->n_bind && b->n_bind && address_equal(&a->bind[0], &b->bind[0]))
		return; /* that is said of the address */
	json_config_problem(v->d,
	    "listeners[%u].name: \"%.*s\" is the name of listeners[%u] already", again->i,
	    STR_ARG(again->text), first->i);
}

static void
say_bind(const struct validation *v, const struct entry *again, const struct entry *first)
{
	json_config_problem(v->d,
	    "listeners[%u].bind[%u]: \"%.*s\" is bound by listeners[%u].bind[%u] already", again->i,
	    again->j, STR_ARG(again->text), first->i, first->j);
}

static void
say_pool(const struct validation *v, const struct entry *again, const struct entry *first)
{
	json_config_problem(v->d, "pools[%u].name: \"%.*s\" is the name of pools[%u] already",
	    again->i, STR_ARG(again->text), first->i);
}

static void
say_server(const struct validation *v, const struct entry *again, const struct entry *first)
{
	const struct server_config *s = &v->c->pools[again->i].servers[again->j];

	json_config_problem(v->d,
	    "pools[%u].servers[%u].name: \"%.*s\" is the name of pools[%u].servers[%u] already%s",
	    again->i, again->j, STR_ARG(again->text), first->i, first->j,
	    str_eq(s->name, s->address_text) ? " (a server without a name has its address as one)"
					     : "");
}

int
config_find_pool(
    const struct lbd_config *c, struct json_decoder *d, struct str name, const char *path, ...)
{
	struct suggestion close = { 0 };
	char quoted[JSON_SHOWN_MAX], where[256];
	va_list args;

	for (uint32_t i = 0; i < c->n_pools; i++) {
		if (str_eq(c->pools[i].name, name))
			return (int)i;
		suggest_offer(&close, name, c->pools[i].name);
	}
	va_start(args, path);
	vsnprintf(where, sizeof(where), path, args);
	va_end(args);
	json_config_quote(name, quoted);
	if (close.word.p)
		json_config_problem(d, "%s: there is no pool %s; did you mean \"%.*s\"?", where,
		    quoted, STR_ARG(close.word));
	else
		json_config_problem(d, "%s: there is no pool %s", where, quoted);
	return -1;
}

/* What of a pool is about requests.  NULL: nothing. */
static const char *
pool_needs_http(const struct pool_config *p)
{
	if (p->http2)
		return "http2";
	if (p->stickiness.type != STICKY_OFF)
		return "stickiness";
	return p->hash_by != HASH_CLIENT_IP ? "hash_key" : NULL;
}

void
config_check_tcp_pool(
    const struct lbd_config *c, struct json_decoder *d, uint32_t listener, uint32_t pool)
{
	const char *key = pool_needs_http(&c->pools[pool]);

	if (key && c->listeners[listener].protocol == LISTENER_TCP)
		json_config_problem(d,
		    "pools[%u].%s: is of no use to listeners[%u], whose protocol is \"tcp\"", pool,
		    key, listener);
}

static void
check_pool_exists(const struct validation *v, uint32_t i)
{
	struct listener_config *l = &v->c->listeners[i];
	int pool;

	if (l->pool_name.n == 0 && l->n_bind && (l->protocol != LISTENER_TCP || l->n_routes == 0))
		json_config_problem(
		    v->d, "listeners[%u].pool: is missing, expected the name of a pool", i);
	if (l->pool_name.n == 0 || !v->pools_named)
		return;
	pool = config_find_pool(v->c, v->d, l->pool_name, "listeners[%u].pool", i);
	if (pool < 0)
		return;
	l->pool = (uint32_t)pool;
	config_check_tcp_pool(v->c, v->d, i, l->pool);
}

static bool
is_without_port(const struct address *a)
{
	/* sin6_port lies where sin_port does */
	return (a->sa.sa_family == AF_INET || a->sa.sa_family == AF_INET6) && a->in.sin_port == 0;
}

static void
check_binds(const struct validation *v, uint32_t i)
{
	const struct listener_config *l = &v->c->listeners[i];
	char text[ADDRESS_TEXT_MAX];

	for (uint32_t j = 0; j < l->n_bind; j++) {
		if (is_without_port(&l->bind[j]))
			json_config_problem(
			    v->d, "listeners[%u].bind[%u]: port 0 is outside 1..65535", i, j);
		if (!v->c->admin.http_on || !address_equal(&l->bind[j], &v->c->admin.http))
			continue;
		address_format(&l->bind[j], text);
		json_config_problem(
		    v->d, "listeners[%u].bind[%u]: \"%s\" is admin.http already", i, j, text);
	}
}

/* Two values in one field would be read as either. */
static void
check_client_headers(const struct validation *v, uint32_t i)
{
	const struct str *names = v->c->listeners[i].tls.client_headers.name;

	for (int j = 1; j < TLS_PEER_VALUES; j++)
		for (int k = 0; k < j; k++)
			if (names[j].n && str_eq_nocase(names[j], names[k]))
				json_config_problem(v->d,
				    "listeners[%u].tls.client_headers: \"%.*s\" is there twice", i,
				    STR_ARG(names[j]));
}

/* What lbd speaks itself. */
static void
check_alpn(const struct validation *v, uint32_t i)
{
	struct str left = v->c->listeners[i].tls.alpn.wire, name;
	char quoted[JSON_SHOWN_MAX];

	for (unsigned j = 0; alpn_next(&left, &name); j++) {
		if (str_eq(name, STR("h2")) || str_eq(name, STR("http/1.1")))
			continue;
		json_config_quote(name, quoted);
		json_config_problem(v->d,
		    "listeners[%u].tls.alpn[%u]: %s is not known, expected \"h2\" or \"http/1.1\"",
		    i, j, quoted);
	}
}

/* Of TLS, what is for HTTP alone.  Protocols are agreed on as the file says: lbd does not know what is spoken. */
static void
check_tls_of_tcp(const struct validation *v, uint32_t i)
{
	struct tls_config *t = &v->c->listeners[i].tls;

	if (!t->check_host)
		json_config_problem(
		    v->d, "listeners[%u].tls.check_host: has no effect with protocol \"tcp\"", i);
	for (int j = 0; j < TLS_PEER_VALUES; j++) {
		if (t->client_headers.name[j].n == 0)
			continue;
		json_config_problem(v->d,
		    "listeners[%u].tls.client_headers: has no effect with protocol \"tcp\"", i);
		break;
	}
	if (!t->alpn.given)
		t->alpn.wire.n = 0;
}

static void
check_tls(const struct validation *v, uint32_t i)
{
	const struct tls_config *t = &v->c->listeners[i].tls;

	if (t->client_verify != TLS_VERIFY_OFF && t->client_ca.n == 0)
		json_config_problem(v->d,
		    "listeners[%u].tls.client_ca: is missing: client_verify needs a file of "
		    "authorities",
		    i);
	check_client_headers(v, i);
	if (t->n_certificates && v->c->listeners[i].protocol == LISTENER_TCP)
		check_tls_of_tcp(v, i);
	else
		check_alpn(v, i);
}

static void
check_listener(const struct validation *v, uint32_t i)
{
	const struct listener_config *l = &v->c->listeners[i];
	char quoted[JSON_SHOWN_MAX];

	check_pool_exists(v, i);
	if ((v->pools_named && !config_routes_complete(v->c, v->d, i)) ||
	    !config_limits_complete(v->c, v->d, i))
		problems_add(v->d->problems, 0, "%s: out of memory", v->d->file);
	check_binds(v, i);
	check_tls(v, i);
	if (config_check_name(l->name)) { /* a derived one: others are checked by their row */
		json_config_quote(l->name, quoted);
		json_config_problem(v->d,
		    "listeners[%u].name: is missing, and %s cannot serve as a name", i, quoted);
	}
}

static void
check_listeners(const struct validation *v)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < v->c->n_listeners; i++) {
		check_listener(v, i);
		v->entries[i] = (struct entry){ v->c->listeners[i].name, i, 0 };
	}
	find_repeated(v, v->c->n_listeners, say_listener);
	for (uint32_t i = 0; i < v->c->n_listeners; i++)
		for (uint32_t j = 0; j < v->c->listeners[i].n_bind; j++)
			v->entries[n++] = (struct entry){ v->c->listeners[i].bind_text[j], i, j };
	find_repeated(v, n, say_bind);
}

static void
check_server(const struct validation *v, uint32_t i, uint32_t j)
{
	const struct pool_config *p = &v->c->pools[i];
	const struct server_config *s = &p->servers[j];
	char quoted[JSON_SHOWN_MAX];

	if (is_without_port(&s->address))
		json_config_problem(
		    v->d, "pools[%u].servers[%u].address: port 0 is outside 1..65535", i, j);
	if (p->health.port && s->address.sa.sa_family == AF_UNIX)
		json_config_problem(v->d,
		    "pools[%u].health_check.port: servers[%u] is a unix socket and has no ports", i,
		    j);
	json_config_quote(s->name, quoted);
	if (config_check_name(s->name))
		json_config_problem(v->d,
		    "pools[%u].servers[%u].name: is missing, and %s cannot serve as a name", i, j,
		    quoted);
	if (p->name.n + 1 + s->name.n + CONFIG_MEMBER_MAX >= SERVER_KEY_MAX && s->host.n &&
	    server_is_named(s))
		json_config_problem(v->d,
		    "pools[%u].servers[%u].name: %s and the pool's name have %zu bytes together, "
		    "allowed are %d where an address is added",
		    i, j, quoted, p->name.n + s->name.n, SERVER_KEY_MAX - CONFIG_MEMBER_MAX - 2);
	else if (p->name.n + 1 + s->name.n > CONFIG_KEY_MAX)
		json_config_problem(v->d,
		    "pools[%u].servers[%u].name: %s and the pool's name have %zu bytes together, "
		    "allowed are %d",
		    i, j, quoted, p->name.n + s->name.n, CONFIG_KEY_MAX - 1);
}

static void
check_server_tls(const struct validation *v, uint32_t i)
{
	const struct pool_config *p = &v->c->pools[i];
	const struct tls_server_config *t = &p->tls;

	if (t->certificate.n && !t->key.n)
		json_config_problem(
		    v->d, "pools[%u].tls.key: is missing, for there is a certificate", i);
	if (t->key.n && !t->certificate.n)
		json_config_problem(
		    v->d, "pools[%u].tls.certificate: is missing, for there is a key", i);
	for (uint32_t j = 0; j < p->n_servers; j++)
		if (t->verify && !t->server_name.n && p->servers[j].address.sa.sa_family == AF_UNIX)
			json_config_problem(v->d,
			    "pools[%u].tls.server_name: is missing, for servers[%u] is a unix "
			    "socket and "
			    "has no name to verify",
			    i, j);
}

static void
check_affinity(const struct validation *v, uint32_t i)
{
	const struct pool_config *p = &v->c->pools[i];
	bool tickets = false;

	if (p->hash_balance_factor > 0 && p->hash_balance_factor <= 100)
		json_config_problem(v->d,
		    "pools[%u].hash_balance_factor: %u percent of a fair share are not enough for "
		    "all requests: allowed are 0, which is no bound, and 101..1000",
		    i, p->hash_balance_factor);
	if (!p->stickiness.type || p->stickiness.secret_file.n)
		return;
	for (uint32_t j = 0; j < v->c->n_listeners; j++)
		tickets = tickets || v->c->listeners[j].tls.ticket_secret_file.n;
	json_config_problem(v->d, "pools[%u].stickiness.secret_file: is missing, and %s", i,
	    tickets ? "listeners have different files in tls.ticket_secret_file"
		    : "no listener has a tls.ticket_secret_file to use");
}

static void
check_breaker(const struct validation *v, uint32_t i)
{
	const struct breaker_config *b = &v->c->pools[i].breaker;
	char open[UNITS_TEXT_MAX], most[UNITS_TEXT_MAX];

	if (!b->open)
		return;
	if (!b->consecutive_failures && !b->error_percent)
		json_config_problem(v->d,
		    "pools[%u].circuit_breaker: would never open: consecutive_failures and "
		    "error_percent are both 0",
		    i);
	if (b->max_open < b->open) {
		duration_format(b->open, open);
		duration_format(b->max_open, most);
		json_config_problem(v->d,
		    "pools[%u].circuit_breaker.max_open: \"%s\" is shorter than open, \"%s\"", i,
		    most, open);
	}
}

static void
check_pool(const struct validation *v, uint32_t i)
{
	const struct pool_config *p = &v->c->pools[i];
	char timeout[UNITS_TEXT_MAX], interval[UNITS_TEXT_MAX];

	check_server_tls(v, i);
	check_affinity(v, i);
	check_breaker(v, i);

	if (p->health.interval && p->health.timeout > p->health.interval) {
		duration_format(p->health.timeout, timeout);
		duration_format(p->health.interval, interval);
		json_config_problem(v->d,
		    "pools[%u].health_check.timeout: \"%s\" is longer than the interval, \"%s\"", i,
		    timeout, interval);
	}
	for (uint32_t j = 0; j < p->n_servers; j++) {
		check_server(v, i, j);
		v->entries[j] = (struct entry){ p->servers[j].name, i, j };
	}
	find_repeated(v, p->n_servers, say_server);
}

static void
check_pools(const struct validation *v)
{
	uint64_t servers = 0;

	for (uint32_t i = 0; i < v->c->n_pools; i++) {
		check_pool(v, i);
		servers += v->c->pools[i].n_servers;
	}
	for (uint32_t i = 0; i < v->c->n_pools; i++)
		v->entries[i] = (struct entry){ v->c->pools[i].name, i, 0 };
	find_repeated(v, v->c->n_pools, say_pool);
	if (servers > SERVER_SLOTS_MAX)
		json_config_problem(v->d, "pools: hold %llu servers together, allowed are %d",
		    (unsigned long long)servers, SERVER_SLOTS_MAX);
}

static void
check_resolver(const struct lbd_config *c, struct json_decoder *d)
{
	const struct resolver_config *r = &c->resolver;
	char min[UNITS_TEXT_MAX], max[UNITS_TEXT_MAX];

	for (uint32_t i = 0; i < r->n_servers; i++) {
		if (r->servers[i].sa.sa_family == AF_UNIX)
			json_config_problem(
			    d, "resolver.servers[%u]: a unix socket cannot be asked for names", i);
		if (is_without_port(&r->servers[i]))
			json_config_problem(
			    d, "resolver.servers[%u]: port 0 is outside 1..65535", i);
	}
	if (r->max_ttl == 0 || r->min_ttl <= r->max_ttl)
		return;
	duration_format(r->min_ttl, min);
	duration_format(r->max_ttl, max);
	json_config_problem(d, "resolver.min_ttl: \"%s\" is longer than max_ttl, \"%s\"", min, max);
}

static size_t
longest_list(const struct lbd_config *c)
{
	size_t binds = 0, most = c->n_pools;

	for (uint32_t i = 0; i < c->n_listeners; i++)
		binds += c->listeners[i].n_bind;
	for (uint32_t i = 0; i < c->n_pools; i++)
		most = c->pools[i].n_servers > most ? c->pools[i].n_servers : most;
	most = binds > most ? binds : most;
	return c->n_listeners > most ? c->n_listeners : most;
}

static bool
are_pools_named(const struct lbd_config *c)
{
	for (uint32_t i = 0; i < c->n_pools; i++)
		if (c->pools[i].name.n == 0)
			return false;
	return c->n_pools > 0;
}

/* The node's name becomes a Host field, where a request has none. */
static void
check_node(const struct lbd_config *c, struct json_decoder *d)
{
	const char *wrong = c->node.n == 0 ? "is empty" : config_check_host(c->node);
	char quoted[JSON_SHOWN_MAX];

	if (!wrong && c->node.n <= NODE_NAME_MAX)
		return;
	json_config_quote(c->node, quoted);
	problems_add(d->problems, 0, "%s: the name of this node, %s, %s; give another with --node",
	    d->file, quoted, wrong ? wrong : "is too long");
}

void
config_validate(struct lbd_config *c, struct json_decoder *d)
{
	struct validation v = {
		.d = d,
		.c = c,
		.entries = calloc(longest_list(c) + 1, sizeof(*v.entries)),
		.pools_named = are_pools_named(c),
	};

	if (!v.entries) {
		problems_add(d->problems, 0, "%s: out of memory", d->file);
		return;
	}
	if (is_without_port(&c->admin.http))
		json_config_problem(d, "admin.http: port 0 is outside 1..65535");
	check_node(c, d);
	check_resolver(c, d);
	check_listeners(&v);
	check_pools(&v);
	free(v.entries);
}

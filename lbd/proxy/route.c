/* route.c - the conditions of a route that a router does not know, by the request's head and its client. */
#include "lbd/proxy/route.h"

#include "lbd/http/authority.h"
#include "lbd/limit/network_tree.h"
#include "lbd/proxy/requester.h"
#include "lbd/route/target.h"
#include "lbd/tls/tls.h"

struct asking {
	const struct listener_config *listener;
	const struct http_head *head;
	const struct client *client;
	struct str query;
};

/* A name and perhaps a value: has the request that? */
typedef bool has_match(const struct asking *, const struct route_match_config *);

static bool
lists_method(struct str list, struct str method)
{
	while (list.n) {
		const char *blank = memchr(list.p, ' ', list.n);
		size_t n = blank ? (size_t)(blank - list.p) : list.n;

		if (str_eq((struct str){ list.p, n }, method))
			return true;
		list = str_skip(list, blank ? n + 1 : n);
	}
	return false;
}

static bool
value_matches(const struct route_match_config *m, struct str value)
{
	return !m->value.p || str_eq(m->value, value);
}

static bool
has_header(const struct asking *a, const struct route_match_config *m)
{
	for (unsigned i = 0; i < a->head->n_fields; i++) {
		const struct http_field *f = &a->head->fields[i];

		if (str_eq_nocase(f->name, m->name) && value_matches(m, f->value))
			return true;
	}
	return false;
}

/* As it came: nothing is decoded. */
static bool
has_parameter(const struct asking *a, const struct route_match_config *m)
{
	struct str left = a->query;

	while (left.n) {
		const char *end = memchr(left.p, '&', left.n);
		struct str one = { left.p, end ? (size_t)(end - left.p) : left.n };
		const char *sign = memchr(one.p, '=', one.n);
		size_t name_n = sign ? (size_t)(sign - one.p) : one.n;
		struct str value = str_skip(one, sign ? name_n + 1 : one.n);

		if (str_eq((struct str){ one.p, name_n }, m->name) && value_matches(m, value))
			return true;
		left = str_skip(left, end ? one.n + 1 : one.n);
	}
	return false;
}

static bool
has_all(const struct asking *a, const struct route_match_config *list, uint32_t n, has_match *has)
{
	for (uint32_t i = 0; i < n; i++)
		if (!has(a, &list[i]))
			return false;
	return true;
}

/* "*.NAME" is everything that ends in .NAME. */
static bool
is_name(struct str pattern, struct str name)
{
	if (!str_starts(pattern, STR("*.")))
		return str_eq_nocase(pattern, name);
	pattern = str_skip(pattern, 1);
	return name.n > pattern.n && str_eq_nocase(pattern, str_skip(name, name.n - pattern.n));
}

static bool
has_name(const struct route_config *r, const struct client *c)
{
	return r->sni.n == 0 || (c->conn.tls && is_name(r->sni, tls_name_asked(c->conn.tls)));
}

static bool
is_client(const struct route_config *r, const struct client *client)
{
	uint8_t ip[16];

	return !r->client_tree ||
	    (requester_ip(client, ip) && network_tree_find(r->client_tree, ip));
}

static bool
accepts(void *arg, uint32_t rule)
{
	const struct asking *a = arg;
	const struct route_config *r = &a->listener->routes[rule];

	if (r->n_conditions == 0)
		return true;
	return (r->methods.n == 0 || lists_method(r->methods, a->head->method)) &&
	    has_name(r, a->client) && is_client(r, a->client) &&
	    has_all(a, r->headers, r->n_headers, has_header) &&
	    has_all(a, r->query, r->n_query, has_parameter);
}

static struct str
without_root(struct str host)
{
	host.n -= host.n > 0 && host.p[host.n - 1] == '.';
	return host;
}

static struct str
query_of(struct str target, struct str path)
{
	return str_skip(target, path.n < target.n ? path.n + 1 : path.n);
}

enum refusal
route_find(struct client *c, const struct route_config **route)
{
	const struct listener_config *l = c->listener->conf;
	struct worker *w = c->conn.worker;
	struct http_head *head = &w->head;
	struct asking a = { .listener = l, .head = head, .client = c };
	struct target target;
	int rule;

	if (target_normalise(head->target, w->format, &target) == TARGET_BAD)
		return REFUSE_TARGET;
	head->target = target.whole;
	a.query = query_of(target.whole, target.path);
	if (head->target_slash) /* "http://host?query" */
		target.path = STR("/");
	rule = router_find(
	    l->router, without_root(authority_host(head->host)), target.path, accepts, &a);
	*route = rule >= 0 ? &l->routes[rule] : NULL;
	return REFUSE_NOTHING;
}

static bool
accepts_client(void *arg, uint32_t rule)
{
	const struct client *c = arg;

	return is_client(&c->listener->conf->routes[rule], c);
}

const struct route_config *
route_find_name(struct client *c, struct str name)
{
	const struct listener_config *l = c->listener->conf;
	int rule;

	if (!l->router)
		return NULL;
	rule = router_find(l->router, without_root(name), STR("/"), accepts_client, c);
	return rule >= 0 ? &l->routes[rule] : NULL;
}

uint32_t
route_pool(struct worker *w, const struct route_config *r)
{
	uint64_t number;
	uint32_t i;

	if (r->n_shares == 1)
		return r->pool;
	number = hash_scale(worker_random(w), r->total);
	for (i = 0; number >= r->shares[i].weight; i++)
		number -= r->shares[i].weight;
	return r->shares[i].pool;
}

static struct str
without_slash(struct str s)
{
	s.n -= s.n > 0 && s.p[s.n - 1] == '/';
	return s;
}

/* The target may lie in that room itself. */
void
route_rewrite(struct worker *w, const struct route_config *r)
{
	struct http_head *head = &w->head;
	struct str to = without_slash(r->replace_prefix);
	struct str rest =
	    str_skip(head->target, head->target_slash ? 0 : without_slash(r->path_prefix).n);
	bool slash = to.n == 0 && (rest.n == 0 || rest.p[0] != '/');
	char *p = w->format;

	memmove(p + to.n + slash, rest.p, rest.n);
	if (to.n)
		memcpy(p, to.p, to.n);
	if (slash)
		p[0] = '/';
	head->target = (struct str){ p, to.n + slash + rest.n };
	head->target_slash = false;
}

void
route_variables(
    const struct exchange *x, const struct formatted *request, struct str values[VARIABLE_COUNT])
{
	const struct client *c = x->client;
	struct str target = str_eq(request->target, STR("*")) ? STR("/") : request->target;
	struct str path = target_path(target);

	for (int i = 0; i < VARIABLE_COUNT; i++)
		values[i] = (struct str){ NULL, 0 };
	values[VARIABLE_CLIENT_IP] =
	    x->named_n ? (struct str){ x->named, x->named_n } : client_address(c);
	values[VARIABLE_HOST] = request->host;
	values[VARIABLE_HOSTNAME] = without_root(authority_name(request->host));
	values[VARIABLE_LISTENER] = x->listener->name;
	values[VARIABLE_METHOD] = request->method;
	values[VARIABLE_NODE] = x->snapshot->config->node;
	values[VARIABLE_PATH] = path;
	values[VARIABLE_QUERY] = query_of(target, path);
	values[VARIABLE_REQUEST_ID] = request->request_id;
	values[VARIABLE_SCHEME] = c->conn.tls ? STR("https") : STR("http");
	if (x->server)
		values[VARIABLE_SERVER] = x->server->name;
	if (c->conn.tls)
		values[VARIABLE_TLS_VERSION] = tls_version_name(c->conn.tls);
	values[VARIABLE_URI] = target;
}

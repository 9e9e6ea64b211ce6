/*
 * router.c - hosts in a table, wildcards in the same one by what follows the asterisk; under each a tree of paths.
 *
 * Rules for the same host and path are a chain in the order in which they are asked.
 */
#include "lbd/route/router.h"

#include <stdlib.h>

#include "lbd/route/host_table.h"

struct router {
	struct host_table *hosts;
	struct path_node any_host;
	uint32_t *next; /* of each rule: the one that is asked if it does not hold, or RULE_NONE */
	uint64_t ends[(HOST_SIZE_MAX + 64) / 64]; /* a bit for each length of a wildcard's end */
	bool wildcards; /* there are any */
};

/* An order of rules: that of their specificity, as far as hosts and paths do not decide. */
struct ranked {
	uint32_t rule, n_conditions;
};

/* No host begins with a dot, and so ends of wildcards are no hosts. */
static struct path_node *
paths_of(struct router *r, struct arena *a, struct str host)
{
	struct host_name name;

	if (host.n == 0)
		return &r->any_host;
	if (str_starts(host, STR("*."))) {
		host = str_skip(host, 1);
		r->ends[host.n / 64] |= UINT64_C(1) << host.n % 64;
		r->wildcards = true;
	}
	return host_name_read(&name, host) ? host_table_add(r->hosts, a, &name) : NULL;
}

static int
by_rank(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->n_conditions != y->n_conditions)
		return x->n_conditions < y->n_conditions ? -1 : 1;
	return x->rule > y->rule ? -1 : 1;
}

/* Those that are asked last come first: each becomes the head of its chain. */
static struct ranked *
rank(struct arena *a, const struct route_rule *rules, uint32_t n)
{
	struct ranked *order = arena_alloc(a, (n + 1) * sizeof(*order));

	for (uint32_t i = 0; order && i < n; i++)
		order[i] = (struct ranked){ i, rules[i].n_conditions };
	if (order)
		qsort(order, n, sizeof(*order), by_rank);
	return order;
}

static bool
rule_add(struct router *r, struct arena *a, const struct route_rule *rule, uint32_t number)
{
	struct path_node *paths;
	uint32_t *first;

	if (rule->host.n > HOST_SIZE_MAX) /* no request has that */
		return true;
	paths = paths_of(r, a, rule->host);
	first = paths ? path_tree_list(paths, a, rule->path, rule->exact) : NULL;

	if (!first)
		return false;
	r->next[number] = *first;
	*first = number;
	return true;
}

struct router *
router_new(struct arena *a, const struct route_rule *rules, uint32_t n)
{
	struct router *r = arena_alloc(a, sizeof(*r));
	struct ranked *order = rank(a, rules, n);

	if (!r || !order)
		return NULL;
	path_tree_init(&r->any_host);
	r->hosts = host_table_new(a, n);
	r->next = arena_alloc(a, (n + 1) * sizeof(*r->next));
	if (!r->hosts || !r->next)
		return NULL;
	for (uint32_t i = 0; i < n; i++)
		if (!rule_add(r, a, &rules[order[i].rule], order[i].rule))
			return NULL;
	return r;
}

/* Whoever has no conditions is the last one to be asked. */
int
router_hidden(const struct router *r, uint32_t rule)
{
	return r->next[rule] == RULE_NONE ? ROUTER_NONE : (int)r->next[rule];
}

struct search {
	const struct router *router;
	struct str path;
	router_accepts *accepts;
	void *arg;
};

static int
find_path(const struct path_node *paths, const struct search *s)
{
	struct path_walk walk = path_tree_walk(paths, s->path);
	uint32_t rule;

	while ((rule = path_tree_next(&walk)) != RULE_NONE)
		for (; rule != RULE_NONE; rule = s->router->next[rule])
			if (s->accepts(s->arg, rule))
				return (int)rule;
	return ROUTER_NONE;
}

static int
find_host(const struct host_name *name, size_t from, const struct search *s)
{
	const struct path_node *paths = host_table_find(s->router->hosts, name, from);

	return paths ? find_path(paths, s) : ROUTER_NONE;
}

static bool
is_end(const struct router *r, size_t n)
{
	return r->ends[n / 64] >> n % 64 & 1;
}

/* The longest end first. */
static int
find_wildcard(const struct host_name *name, const struct search *s)
{
	int rule = ROUTER_NONE;

	for (size_t i = 1; rule < 0 && i < name->n; i++)
		if (name->text[i] == '.' && is_end(s->router, name->n - i))
			rule = find_host(name, i, s);
	return rule;
}

int
router_find(
    const struct router *r, struct str host, struct str path, router_accepts *accepts, void *arg)
{
	const struct search s = { r, path, accepts, arg };
	struct host_name name;
	int rule = ROUTER_NONE;

	if (host_name_read(&name, host)) {
		if (name.text[0] != '.')
			rule = find_host(&name, 0, &s);
		if (rule < 0 && r->wildcards)
			rule = find_wildcard(&name, &s);
	}
	return rule < 0 ? find_path(&r->any_host, &s) : rule;
}

/*
 * router.c - hosts in a hash table, wildcards in another one by what follows the asterisk; under each a tree
 * of paths.
 */
#include "lbd/route/router.h"

#include <stdlib.h>

#include "lbd/balance/hash.h"
#include "lbd/route/path_tree.h"

enum { HOST_MAX = 255 };

struct host {
	struct str name; /* n == 0: a free place */
	struct path_node *paths;
};

struct host_table {
	struct host *places;
	uint32_t mask; /* places - 1, a power of two */
};

struct router {
	struct host_table exact, wildcards;
	struct path_node *any_host;
	size_t wildcard_max; /* bytes of the longest */
};

/* An order of rules: that of their specificity, as far as hosts and paths do not decide. */
struct ranked {
	uint32_t rule, n_conditions;
};

static bool
table_init(struct host_table *t, struct arena *a, uint32_t n)
{
	uint32_t size = 2;

	while (size < 2 * n)
		size *= 2;
	t->mask = size - 1;
	t->places = arena_alloc(a, size * sizeof(*t->places));
	return t->places != NULL;
}

/* The place of that name, or the free one where it belongs. */
static struct host *
table_place(const struct host_table *t, struct str name)
{
	uint64_t at = balance_hash(name.p, name.n);

	for (;; at++) {
		struct host *h = &t->places[at & t->mask];

		if (h->name.n == 0 || str_eq(h->name, name))
			return h;
	}
}

static struct path_node *
table_add(struct host_table *t, struct arena *a, struct str name)
{
	struct host *h = table_place(t, name);

	if (!h->paths) {
		h->paths = path_tree_new(a);
		if (h->paths)
			h->name = name;
	}
	return h->paths;
}

static struct path_node *
paths_of(struct router *r, struct arena *a, struct str host)
{
	struct str end;

	if (host.n == 0)
		return r->any_host;
	if (!str_starts(host, STR("*.")))
		return table_add(&r->exact, a, host);
	end = str_skip(host, 1);
	if (end.n > r->wildcard_max)
		r->wildcard_max = end.n;
	return table_add(&r->wildcards, a, end);
}

static int
by_rank(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->n_conditions != y->n_conditions)
		return x->n_conditions > y->n_conditions ? -1 : 1;
	return x->rule < y->rule ? -1 : 1;
}

/* In that order each list comes to be in order. */
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

struct router *
router_new(struct arena *a, const struct route_rule *rules, uint32_t n)
{
	struct router *r = arena_alloc(a, sizeof(*r));
	struct ranked *order = rank(a, rules, n);

	if (!r || !order || !table_init(&r->exact, a, n) || !table_init(&r->wildcards, a, n))
		return NULL;
	r->any_host = path_tree_new(a);
	for (uint32_t i = 0; i < n; i++) {
		const struct route_rule *rule = &rules[order[i].rule];
		struct path_node *paths = paths_of(r, a, rule->host);

		if (!paths || !path_tree_add(paths, a, rule->path, rule->exact, order[i].rule))
			return NULL;
	}
	return r;
}

struct search {
	struct str path;
	router_accepts *accepts;
	void *arg;
};

static int
find_path(const struct path_node *paths, const struct search *s)
{
	struct path_walk walk = path_tree_walk(paths, s->path);
	struct rule_list found;

	while (path_tree_next(&walk, &found))
		for (uint32_t i = 0; i < found.n; i++)
			if (s->accepts(s->arg, found.rules[i]))
				return (int)found.rules[i];
	return -1;
}

static int
find_wildcard(const struct router *r, struct str host, const struct search *s)
{
	int rule = -1;

	for (size_t i = 1; rule < 0 && i + 1 < host.n; i++) {
		struct str end = str_skip(host, i);
		const struct host *h;

		if (host.p[i] != '.' || end.n > r->wildcard_max)
			continue;
		h = table_place(&r->wildcards, end);
		if (h->paths)
			rule = find_path(h->paths, s);
	}
	return rule;
}

/* ASCII alone has cases in a host: RFC 9110 section 4.2.3. */
static struct str
lower(struct str host, char out[HOST_MAX])
{
	for (size_t i = 0; i < host.n; i++)
		out[i] =
		    (char)(host.p[i] >= 'A' && host.p[i] <= 'Z' ? host.p[i] | 0x20 : host.p[i]);
	return (struct str){ out, host.n };
}

int
router_find(
    const struct router *r, struct str host, struct str path, router_accepts *accepts, void *arg)
{
	const struct search s = { path, accepts, arg };
	char text[HOST_MAX];
	const struct host *h;
	int rule = -1;

	if (host.n > 0 && host.n <= HOST_MAX) {
		host = lower(host, text);
		h = table_place(&r->exact, host);
		if (h->paths)
			rule = find_path(h->paths, &s);
		if (rule < 0 && r->wildcard_max)
			rule = find_wildcard(r, host, &s);
	}
	return rule < 0 ? find_path(r->any_host, &s) : rule;
}

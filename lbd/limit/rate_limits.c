/* rate_limits.c - chains of a hash table; numbers of rules are hashes already. */
#include "lbd/limit/rate_limits.h"

#include <stdlib.h>

enum { CHAINS = 1024 };

struct entry {
	struct entry *next;
	uint64_t rule;
	struct rate_table *table;
	bool used;
};

struct rate_limits {
	struct entry *chains[CHAINS];
};

struct rate_limits *
rate_limits_new(void)
{
	return calloc(1, sizeof(struct rate_limits));
}

void
rate_limits_free(struct rate_limits **lp)
{
	struct rate_limits *l = *lp;

	*lp = NULL;
	if (!l)
		return;
	rate_limits_begin(l);
	rate_limits_end(l);
	free(l);
}

static struct entry *
find(const struct rate_limits *l, uint64_t rule)
{
	struct entry *e = l->chains[rule % CHAINS];

	while (e && e->rule != rule)
		e = e->next;
	return e;
}

struct rate_table *
rate_limits_get(struct rate_limits *l, uint64_t rule, struct rate rate, size_t size, int64_t now_ns)
{
	struct entry *e = find(l, rule);

	if (e)
		return e->table;
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->table = rate_table_new(rate, size, now_ns);
	if (!e->table) {
		free(e);
		return NULL;
	}
	e->rule = rule;
	e->next = l->chains[rule % CHAINS];
	l->chains[rule % CHAINS] = e;
	return e->table;
}

void
rate_limits_begin(struct rate_limits *l)
{
	for (int i = 0; i < CHAINS; i++)
		for (struct entry *e = l->chains[i]; e; e = e->next)
			e->used = false;
}

void
rate_limits_use(struct rate_limits *l, uint64_t rule)
{
	struct entry *e = find(l, rule);

	if (e)
		e->used = true;
}

void
rate_limits_end(struct rate_limits *l)
{
	for (int i = 0; i < CHAINS; i++) {
		struct entry **ep = &l->chains[i], *e;

		while ((e = *ep)) {
			if (e->used) {
				ep = &e->next;
				continue;
			}
			*ep = e->next;
			rate_table_free(&e->table);
			free(e);
		}
	}
}

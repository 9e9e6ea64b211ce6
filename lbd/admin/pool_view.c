/* pool_view.c - counts servers; the rule of panic is the balancer's. */
#include "lbd/admin/pool_view.h"

bool
pool_server_is_up(const struct server_table *t, uint32_t slot)
{
	const struct server_shared *s = &t->shared[slot];

	return atomic_load_explicit(&s->health, memory_order_relaxed) != HEALTH_DOWN &&
	    !atomic_load_explicit(&s->unreachable, memory_order_relaxed);
}

/*
 * Does the server count when panic is decided?  One of weight 0 does only if all that operate
 * have it.
 */
static bool
counts(const struct server_table *t, const struct server_config *s, bool any_weight)
{
	return server_operating(t, s->slot) &&
	    (!any_weight || server_weight(t, s->slot, s->weight) > 0);
}

static bool
is_unchecked(const struct server_table *t, const struct pool_config *p, uint32_t slot)
{
	const struct server_shared *s = &t->shared[slot];

	return p->health.type != CHECK_NONE &&
	    atomic_load_explicit(&s->health, memory_order_relaxed) == HEALTH_UNKNOWN;
}

struct pool_view
pool_view(const struct server_table *t, const struct pool_config *p)
{
	struct pool_view view = { .servers = p->n_servers };
	uint32_t counting = 0, good = 0;
	bool any_weight = false;

	for (uint32_t i = 0; i < p->n_servers; i++) {
		const struct server_config *s = &p->servers[i];

		if (server_available(t, s->slot)) {
			view.available++;
			view.unchecked += is_unchecked(t, p, s->slot);
		}
		any_weight = any_weight ||
		    (server_operating(t, s->slot) && server_weight(t, s->slot, s->weight) > 0);
	}
	for (uint32_t i = 0; i < p->n_servers; i++) {
		const struct server_config *s = &p->servers[i];

		if (!counts(t, s, any_weight))
			continue;
		counting++;
		good += server_available(t, s->slot);
	}
	view.panics = good < counting - good;
	return view;
}

struct pool_count
pool_view_count(const struct server_table *t, const struct lbd_config *config)
{
	struct pool_count n = { 0 };

	for (uint32_t i = 0; i < config->n_pools; i++) {
		struct pool_view view = pool_view(t, &config->pools[i]);

		n.servers += view.servers;
		n.up += view.available - view.unchecked;
		n.unchecked += view.unchecked;
	}
	return n;
}

/* pool_view.c - counts servers; the rule of panic is the balancer's. */
#include "lbd/admin/pool_view.h"

/* Does a server like this one have a share of the requests?  One of weight 0 does only if all that operate have it. */
static bool
has_share(const struct server_table *t, const struct server_config *s, bool any_weight)
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

/* Those that count when panic is decided, those of them that are available, and that nobody has checked yet. */
struct count {
	uint32_t all, available, new;
};

static void
count_add(struct count *n, const struct server_table *t, uint32_t slot)
{
	n->all++;
	n->available += server_available(t, slot);
	n->new += server_is_new(t, slot);
}

/* Of the two kinds, the one in use: backups only where no other is available. */
static struct count
count_of(struct count backups, struct count others)
{
	return others.available == 0 && (backups.available || others.all == 0) ? backups : others;
}

struct pool_view
pool_view(const struct server_table *t, const struct pool_config *p)
{
	struct pool_view view = { .servers = p->n_servers + p->n_unresolved };
	struct count kinds[2] = { 0 }, n; /* others, backups */
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

		if (has_share(t, s, any_weight))
			count_add(&kinds[s->backup], t, s->slot);
	}
	n = count_of(kinds[1], kinds[0]);
	if (n.available)
		n.all -= n.new;
	view.panics = n.available < n.all - n.available;
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

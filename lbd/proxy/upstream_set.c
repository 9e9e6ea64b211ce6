/* upstream_set.c - what a worker has to each server: made on first use, renewed with configurations, forgotten. */
#include <stdlib.h>

#include "lbd/proxy/h2_server.h"
#include "lbd/proxy/upstream_parts.h"

/* Shared ones look at it themselves, for they may be at work right now. */
static void
set_close_idle(struct upstream_set *set)
{
	struct upstream *u, *next;

	for (u = set->idle; u; u = next) {
		next = u->next;
		upstream_close(u);
	}
	for (u = set->shared; u; u = u->next)
		h2_server_wake(u->h2);
}

/* What is open now is not for those that come from now on. */
static void
set_renew(struct upstream_set *set)
{
	set->generation++;
	set_close_idle(set);
}

/* As the pool has it.  0 or -ENOMEM. */
static int
set_follow(struct upstream_set *set, const struct pool *pool, const struct server_config *server)
{
	if (address_equal(&server->address, &set->address) &&
	    tls_target_is(&set->target, pool->tls, server->host) &&
	    set->proxy_header == pool->conf->proxy_header)
		return 0;
	set_renew(set);
	set->address = server->address;
	set->proxy_header = pool->conf->proxy_header;
	return tls_target_set(&set->target, pool->tls, server->host);
}

/*
 * Made on first use.  If an exchange of an old configuration was the first, the first one of the present
 * configuration sets it right.
 */
struct upstream_set *
upstream_set_get(struct proxy *proxy, const struct server_config *server, const struct pool *p)
{
	struct upstream_set **sp = &proxy->upstreams[server->slot], *set = *sp;
	bool present = p->snapshot == proxy->worker->snapshot;

	if (set && (set->adoption == proxy->adoption || !present))
		return set;
	if (!set)
		*sp = set = calloc(1, sizeof(*set));
	if (!set || set_follow(set, p, server) < 0)
		return NULL;
	set->adoption = proxy->adoption - !present;
	return set;
}

void
upstream_sets_renew(struct proxy *proxy, const struct pool *pool)
{
	for (uint32_t i = 0; i < pool->conf->n_servers; i++) {
		const struct server_config *server = &pool->conf->servers[i];
		struct upstream_set *set = proxy->upstreams[server->slot];

		if (set && set_follow(set, pool, server) == 0)
			set->adoption = proxy->adoption;
	}
}

void
upstream_sets_forget(struct proxy *proxy, const struct pool_config *pool)
{
	for (uint32_t i = 0; i < pool->n_servers; i++) {
		struct upstream_set *set = proxy->upstreams[pool->servers[i].slot];

		if (set && set->adoption != proxy->adoption)
			set_renew(set);
	}
}

void
upstream_close_idle_at(struct proxy *proxy, uint32_t slot)
{
	if (proxy->upstreams[slot])
		set_close_idle(proxy->upstreams[slot]);
}

void
upstream_close_idle(struct proxy *proxy)
{
	for (uint32_t slot = 0; slot < SERVER_SLOTS_MAX; slot++)
		upstream_close_idle_at(proxy, slot);
}

void
upstreams_fini(struct proxy *proxy)
{
	for (uint32_t i = 0; i < SERVER_SLOTS_MAX; i++) {
		struct upstream_set *set = proxy->upstreams[i];

		if (!set)
			continue;
		while (set->shared)
			upstream_close(set->shared);
		tls_target_fini(&set->target);
		free(set);
	}
	free(proxy->upstreams);
}

/* choose.c - asks the pool's balancer, and counts. */
#include "lbd/proxy/choose.h"

#include "lbd/balance/limit.h"
#include "lbd/proxy/circuit.h"
#include "lbd/proxy/queue.h"

enum { RACES_MAX = 16 };

void
server_leave(struct worker *w, const struct server_config *s)
{
	atomic_fetch_sub(&w->servers->active[s->slot], 1);
	proxy_server_left(w, s->slot);
	queue_server_free(w->proxy);
}

void
server_not_reached(struct worker *w, const struct server_config *s)
{
	if (server_connect_failed(w->servers, s->slot))
		w->proxy->shared->suspect(w->proxy->shared->suspect_arg, s->slot);
}

/* One more, unless that is at its limit. */
static bool
server_take(const struct worker *w, const struct server_config *s)
{
	_Atomic uint32_t *active = &w->servers->active[s->slot];

	if (s->max_connections)
		return limit_take(active, s->max_connections);
	atomic_fetch_add_explicit(active, 1, memory_order_relaxed);
	return true;
}

/*
 * The first choice was full: another one.  Other workers may fill it at this moment; who has lost so often
 * waits for the next that comes free.
 */
static int
server_choose_below_limit(const struct worker *w, struct pool *p, const struct choosing *c)
{
	for (int races = 0; races < RACES_MAX; races++) {
		int index = balancer_pick_below_limit(p->balancer, c->hash, c->tried, w->now);

		if (index < 0)
			break;
		if (server_take(w, &p->conf->servers[index]))
			return index;
	}
	return CHOICE_FULL;
}

/* A server whose circuit is to be probed, or -1. */
static int
server_choose_suspect(struct worker *w, struct pool *p, const struct choosing *c)
{
	int index = circuit_choose(w, p, c->repeatable, c->probe);

	if (index < 0 || server_take(w, &p->conf->servers[index]))
		return index;
	circuit_forgo(w, &p->conf->servers[index], c->probe);
	return -1;
}

int
server_choose(struct worker *w, struct pool *p, const struct choosing *c)
{
	uint64_t version = atomic_load_explicit(&w->servers->version, memory_order_acquire);
	int index;

	if (p->version != version || w->now >= p->outlook.due_ns) {
		p->version = version;
		p->outlook = balancer_update(p->balancer, w->now);
	}
	if (c->first >= 0 && server_take(w, &p->conf->servers[c->first]))
		return c->first;
	if (p->outlook.probes && c->tried->n == 0 && (index = server_choose_suspect(w, p, c)) >= 0)
		return index;
	index = balancer_pick(p->balancer, c->hash, c->tried, w->now);
	if (index < 0)
		return CHOICE_NONE;
	if (server_take(w, &p->conf->servers[index]))
		return index;
	return server_choose_below_limit(w, p, c);
}

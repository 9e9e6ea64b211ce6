/* stats.c - counting: finds the item of an exchange, most often the one of the exchange before. */
#include "lbd/worker/stats.h"

#include <stdlib.h>

#include "common/check.h"
#include "lbd/worker/stats_block.h"

struct stats *
stats_new(void)
{
	struct stats *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	stats_table_init(&s->requests, sizeof(struct stats_requests));
	stats_table_init(&s->routes, sizeof(struct stats_route));
	return s;
}

void
stats_free(struct stats **sp)
{
	struct stats *s = *sp;

	*sp = NULL;
	if (!s)
		return;
	for (size_t i = 0; i < STATS_LISTENERS_MAX; i++)
		free(atomic_load_explicit(&s->listeners[i], memory_order_relaxed));
	for (size_t i = 0; i < STATS_POOLS_MAX; i++)
		free(atomic_load_explicit(&s->pools[i], memory_order_relaxed));
	stats_table_fini(&s->requests);
	stats_table_fini(&s->routes);
	free(s);
}

struct stats_listener *
stats_listener(struct stats *s, uint32_t id)
{
	struct stats_listener *l;

	CHECK(id < STATS_LISTENERS_MAX);
	l = atomic_load_explicit(&s->listeners[id], memory_order_relaxed);
	if (!l && (l = calloc(1, sizeof(*l))))
		atomic_store_explicit(&s->listeners[id], l, memory_order_release);
	return l;
}

static struct stats_pool_block *
pool_block(struct stats *s, uint32_t id)
{
	struct stats_pool_block *p;

	CHECK(id < STATS_POOLS_MAX);
	p = atomic_load_explicit(&s->pools[id], memory_order_relaxed);
	if (!p && (p = calloc(1, sizeof(*p))))
		atomic_store_explicit(&s->pools[id], p, memory_order_release);
	return p;
}

struct stats_pool *
stats_pool(struct stats *s, uint32_t id)
{
	struct stats_pool_block *p = pool_block(s, id);

	return p ? &p->counters : NULL;
}

static struct stats_requests *
requests_of(struct stats *s, uint64_t key)
{
	if (!s->last_requests || s->last_requests->item.key != key)
		s->last_requests = stats_table_find(&s->requests, key);
	return s->last_requests;
}

static struct stats_route *
route_of(struct stats *s, uint64_t key)
{
	if (!s->last_route || s->last_route->item.key != key)
		s->last_route = stats_table_find(&s->routes, key);
	return s->last_route;
}

static void
upstream_times(struct stats *s, const struct stats_exchange *x)
{
	struct stats_pool_block *p;

	if (x->pool == STATS_NO_POOL || !(p = pool_block(s, x->pool)))
		return;
	if (x->connect_ns >= 0)
		histogram_add(&p->connect, x->connect_ns);
	if (x->response_ns >= 0)
		histogram_add(&p->response, x->response_ns);
}

void
stats_exchange(struct stats *s, const struct stats_exchange *x, int64_t now_ns)
{
	struct stats_requests *requests =
	    requests_of(s, stats_key(x->listener, x->pool, x->server, x->status));
	struct stats_route *route = route_of(s, stats_key(x->listener, x->pool, 0, 0));

	if (!requests || !route) {
		counter_add(&s->uncounted, 1);
		return;
	}
	counter_add(&requests->count, 1);
	if (x->duration_ns >= 0) {
		histogram_add(&route->duration, x->duration_ns);
		histogram_minute_add(&route->minute, x->duration_ns, now_ns);
	}
	upstream_times(s, x);
}

void
stats_loop_lag(struct stats *s, int64_t lag_ns)
{
	int64_t peak = atomic_load_explicit(&s->loop_lag_ns, memory_order_relaxed);

	peak -= peak / 8;
	if (lag_ns > peak)
		peak = lag_ns;
	atomic_store_explicit(&s->loop_lag_ns, peak, memory_order_relaxed);
}

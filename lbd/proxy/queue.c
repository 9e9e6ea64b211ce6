/* queue.c - lists of waiting exchanges, and who wakes them. */
#include "lbd/proxy/queue.h"

#include "common/check.h"

static void
on_server_free(struct ev_loop *loop, ev_async *a, int revents)
{
	struct proxy *proxy = a->data;

	(void)loop;
	(void)revents;
	proxy->freed = true;
}

void
queue_init(struct proxy *proxy)
{
	ev_async_init(&proxy->server_free, on_server_free);
	proxy->server_free.data = proxy;
	ev_async_start(proxy->worker->loop, &proxy->server_free);
}

static void
pool_link(struct proxy *proxy, struct pool *p)
{
	p->next_waiting = proxy->waiting;
	p->prev_waiting = &proxy->waiting;
	if (p->next_waiting)
		p->next_waiting->prev_waiting = &p->next_waiting;
	proxy->waiting = p;
}

static void
pool_unlink(struct pool *p)
{
	*p->prev_waiting = p->next_waiting;
	if (p->next_waiting)
		p->next_waiting->prev_waiting = p->prev_waiting;
}

void
queue_add(struct exchange *x)
{
	struct proxy *proxy = exchange_worker(x)->proxy;
	struct pool *p = x->pool;

	CHECK(!x->queued);
	x->queued = true;
	x->next_waiting = NULL;
	x->prev_waiting = p->last_waiting;
	if (x->prev_waiting)
		x->prev_waiting->next_waiting = x;
	else
		p->first_waiting = x;
	p->last_waiting = x;
	if (p->first_waiting == x)
		pool_link(proxy, p);
	counter_add(&p->stats->queued, 1);
	atomic_fetch_add(&proxy->n_waiting, 1);
	atomic_fetch_add(&proxy->shared->n_waiting, 1);
	proxy->freed =
	    true; /* a server given up before we counted has woken nobody: look once more */
}

void
queue_remove(struct exchange *x)
{
	struct proxy *proxy = exchange_worker(x)->proxy;
	struct pool *p = x->pool;

	CHECK(x->queued);
	x->queued = false;
	if (x->prev_waiting)
		x->prev_waiting->next_waiting = x->next_waiting;
	else
		p->first_waiting = x->next_waiting;
	if (x->next_waiting)
		x->next_waiting->prev_waiting = x->prev_waiting;
	else
		p->last_waiting = x->prev_waiting;
	if (!p->first_waiting)
		pool_unlink(p);
	counter_add(&p->stats->queued, (uint64_t)-1);
	atomic_fetch_sub(&proxy->n_waiting, 1);
	atomic_fetch_sub(&proxy->shared->n_waiting, 1);
}

void
queue_server_free(struct proxy *proxy)
{
	struct proxy_shared *shared = proxy->shared;

	if (atomic_load(&shared->n_waiting) == 0)
		return;
	proxy->freed = true;
	for (uint32_t i = 0; i < shared->n_workers; i++) {
		struct proxy *other = shared->workers[i]->proxy;

		if (other != proxy && atomic_load(&other->n_waiting) > 0)
			ev_async_send(other->worker->loop, &other->server_free);
	}
}

/* First come, first served; the next one starts only if the one before could. */
static void
pool_serve(struct pool *p)
{
	while (p->first_waiting && exchange_try_queued(p->first_waiting))
		;
}

void
queue_turn(struct proxy *proxy)
{
	struct pool *p, *next;

	if (!proxy->freed)
		return;
	proxy->freed = false;
	for (p = proxy->waiting; p; p = next) {
		next = p->next_waiting;
		pool_serve(p);
	}
}

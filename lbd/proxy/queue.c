/* queue.c - lists of those who wait, and who wakes them. */
#include "lbd/proxy/queue.h"

#include "common/check.h"
#include "lbd/balance/limit.h"

enum { PASSED_OVER_MAX = 16 }; /* so that a look at a long queue stays cheap */

/* In this worker: once what else has come is handled. */
static void
serve_soon(struct proxy *proxy)
{
	ev_feed_event(proxy->worker->loop, &proxy->server_free, EV_CUSTOM);
}

/* Behind the others: a pool may have two queues, of the old configuration and of the new one. */
static void
pool_link(struct proxy *proxy, struct pool *p)
{
	struct pool **end = &proxy->waiting;

	while (*end)
		end = &(*end)->next_waiting;
	p->next_waiting = NULL;
	p->prev_waiting = end;
	*end = p;
}

static void
pool_unlink(struct pool *p)
{
	*p->prev_waiting = p->next_waiting;
	if (p->next_waiting)
		p->next_waiting->prev_waiting = p->prev_waiting;
}

static struct proxy *
proxy_of(const struct pool *p)
{
	return p->snapshot->worker->proxy;
}

static struct pool_load *
load_of(const struct pool *p)
{
	return &p->snapshot->worker->servers->pools[p->conf->id];
}

/* --- whose turn it is --- */

/* What that worker shows of its queue for that pool: the number of the first who waits for any server, or 0. */
static _Atomic uint64_t *
head_of(const struct proxy_shared *shared, uint32_t pool_id, uint32_t worker)
{
	return &shared->heads[(size_t)pool_id * shared->n_workers + worker];
}

/* The first that any server would do for; who has been to one has no turn: it goes when it can. */
static uint64_t
first_arrival(const struct pool *p)
{
	const struct waiter *w = p->first_waiting;

	for (int i = 0; w && i < PASSED_OVER_MAX; i++, w = w->next)
		if (!w->again)
			return w->arrival;
	return 0;
}

static uint64_t
earlier(uint64_t a, uint64_t b)
{
	return a == 0 || (b && b < a) ? b : a;
}

/* Shows it anew; the pool may be there twice, in two configurations. */
static void
head_show(const struct proxy *proxy, uint32_t pool_id)
{
	uint64_t first = 0;

	for (const struct pool *p = proxy->waiting; p; p = p->next_waiting)
		if (p->conf->id == pool_id)
			first = earlier(first, first_arrival(p));
	atomic_store(head_of(proxy->shared, pool_id, proxy->worker->id), first);
}

/* The number that has its turn, and whose it is; 0: nobody waits for any server. */
static uint64_t
head_first(const struct proxy_shared *shared, uint32_t pool_id, uint32_t *worker)
{
	uint64_t first = 0;

	for (uint32_t i = 0; i < shared->n_workers; i++) {
		uint64_t head = atomic_load(head_of(shared, pool_id, i));

		if (head == 0 || earlier(first, head) != head)
			continue;
		first = head;
		*worker = i;
	}
	return first;
}

bool
queue_is_before(const struct pool *p)
{
	uint32_t worker;

	return atomic_load(&load_of(p)->queued) > 0 &&
	    head_first(proxy_of(p)->shared, p->conf->id, &worker);
}

static bool
has_turn(const struct pool *p, const struct waiter *w)
{
	uint32_t worker;

	return w->again || head_first(proxy_of(p)->shared, p->conf->id, &worker) == w->arrival;
}

/* The turn may have passed to another worker, who may not know. */
static void
turn_pass(const struct proxy *proxy, uint32_t pool_id)
{
	uint32_t worker;

	if (head_first(proxy->shared, pool_id, &worker) && worker != proxy->worker->id)
		ev_async_send(proxy->shared->workers[worker]->loop,
		    &proxy->shared->workers[worker]->proxy->server_free);
}

bool
queue_add(struct waiter *w, struct pool *p, bool again, waiter_serve *serve)
{
	struct proxy *proxy = proxy_of(p);
	uint32_t size = p->conf->queue.size;

	CHECK(!w->pool);
	if (!limit_take(&load_of(p)->queued, size ? size : UINT32_MAX))
		return false;
	*w = (struct waiter){ .prev = p->last_waiting, .pool = p, .again = again, .serve = serve };
	w->arrival = atomic_fetch_add(&load_of(p)->arrivals, 1) + 1;
	if (w->prev)
		w->prev->next = w;
	else
		p->first_waiting = w;
	p->last_waiting = w;
	if (p->first_waiting == w)
		pool_link(proxy, p);
	counter_add(&p->stats->queued, 1);
	counter_add(&p->stats->queued_total, 1);
	atomic_fetch_add(&proxy->n_waiting, 1);
	atomic_fetch_add(&proxy->shared->n_waiting, 1);
	head_show(proxy, p->conf->id);
	serve_soon(
	    proxy); /* a server given up before we counted has woken nobody: look once more */
	return true;
}

void
queue_remove(struct waiter *w)
{
	struct pool *p = w->pool;
	struct proxy *proxy;

	CHECK(p);
	proxy = proxy_of(p);
	w->pool = NULL;
	if (w->prev)
		w->prev->next = w->next;
	else
		p->first_waiting = w->next;
	if (w->next)
		w->next->prev = w->prev;
	else
		p->last_waiting = w->prev;
	if (!p->first_waiting)
		pool_unlink(p);
	counter_add(&p->stats->queued, (uint64_t)-1);
	atomic_fetch_sub(&load_of(p)->queued, 1);
	atomic_fetch_sub(&proxy->n_waiting, 1);
	atomic_fetch_sub(&proxy->shared->n_waiting, 1);
	head_show(proxy, p->conf->id);
	turn_pass(proxy, p->conf->id);
}

/* All but one, which may be NULL. */
static void
others_serve_soon(struct proxy_shared *shared, const struct proxy *but)
{
	for (uint32_t i = 0; i < shared->n_workers; i++) {
		struct proxy *proxy = shared->workers[i]->proxy;

		if (proxy != but && atomic_load(&proxy->n_waiting) > 0)
			ev_async_send(proxy->worker->loop, &proxy->server_free);
	}
}

void
queue_server_free(struct proxy *proxy)
{
	if (atomic_load(&proxy->shared->n_waiting) == 0)
		return;
	if (atomic_load(&proxy->n_waiting) > 0)
		serve_soon(proxy);
	others_serve_soon(proxy->shared, proxy);
}

void
queue_servers_changed(struct proxy_shared *shared)
{
	if (atomic_load(&shared->n_waiting) > 0)
		others_serve_soon(shared, NULL);
}

/*
 * First come, first served; the next one starts only if the one before could, unless that has been to a
 * server already and may not go there again.
 */
static void
pool_serve(struct pool *p)
{
	/* the last exchange of an old configuration may end here, and the pool with it */
	struct snapshot *s = snapshot_ref(p->snapshot);
	struct waiter *w, *next;
	int passed_over = 0;

	for (w = p->first_waiting; w; w = next) {
		next = w->next;
		if (!has_turn(p, w))
			break;
		if (w->serve(w))
			continue;
		if (!w->again || ++passed_over == PASSED_OVER_MAX)
			break;
	}
	snapshot_unref(&s);
}

static void
on_server_free(struct ev_loop *loop, ev_async *a, int revents)
{
	struct proxy *proxy = a->data;
	struct pool *p, *next;

	(void)loop;
	(void)revents;
	for (p = proxy->waiting; p; p = next) {
		next = p->next_waiting;
		pool_serve(p);
	}
}

void
queue_init(struct proxy *proxy)
{
	ev_async_init(&proxy->server_free, on_server_free);
	proxy->server_free.data = proxy;
	ev_set_priority(&proxy->server_free, -1); /* before turn_over, which has EV_MINPRI */
	ev_async_start(proxy->worker->loop, &proxy->server_free);
}

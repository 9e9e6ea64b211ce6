/* proxy.c - a worker's connections taken together: making and ending the room, snapshots, drain. */
#include "lbd/proxy/proxy.h"

#include <errno.h>
#include <stdlib.h>

#include "common/check.h"
#include "lbd/proxy/client.h"
#include "lbd/proxy/exchange.h"
#include "lbd/proxy/h2_call.h"
#include "lbd/proxy/h2_connection.h"
#include "lbd/proxy/h2_stream.h"
#include "lbd/proxy/late_work.h"
#include "lbd/proxy/queue.h"
#include "lbd/proxy/tcp_session.h"
#include "lbd/proxy/upstream.h"
#include "lbd/tls/context.h"

enum { CACHE_KEEP = 1024, MAKE_ROOM_LOOKS = 16 };

void *
cache_get(struct cache *c)
{
	void *p = c->free;

	if (!p)
		return malloc(c->size);
	c->free = *(void **)p;
	c->n_free--;
	return p;
}

void
cache_put(struct cache *c, void *p)
{
	*(void **)p = c->dead;
	c->dead = p;
}

/* The turn is over: nobody looks at the dead any more. */
static void
cache_turn(struct cache *c)
{
	void *p;

	while ((p = c->dead)) {
		c->dead = *(void **)p;
		if (c->n_free >= CACHE_KEEP) {
			free(p);
			continue;
		}
		*(void **)p = c->free;
		c->free = p;
		c->n_free++;
	}
}

static void
cache_fini(struct cache *c)
{
	void *p;

	cache_turn(c);
	while ((p = c->free)) {
		c->free = *(void **)p;
		free(p);
	}
}

static void
proxy_turn_end(struct worker *w)
{
	cache_turn(&w->proxy->client_cache);
	cache_turn(&w->proxy->upstream_cache);
	cache_turn(&w->proxy->exchange_cache);
	cache_turn(&w->proxy->stream_cache);
	cache_turn(&w->proxy->call_cache);
	cache_turn(&w->proxy->tcp_cache);
}

static bool
proxy_make_room(struct worker *w)
{
	struct client *c = w->proxy->idle_oldest;
	int looked = 0;

	while (c && looked < MAKE_ROOM_LOOKS && !client_gives_way(c)) {
		c = c->newer;
		looked++;
	}
	if (!c || looked == MAKE_ROOM_LOOKS)
		return false;
	counter_add(&c->stats->rejected[END_CONNECTIONS_LIMIT], 1);
	client_close(c, false);
	return true;
}

static struct listener *
listener_named(struct snapshot *s, struct str name)
{
	for (uint32_t i = 0; i < s->config->n_listeners; i++)
		if (str_eq(s->listeners[i].conf->name, name))
			return &s->listeners[i];
	return NULL;
}

static bool
speaks_h2(const struct listener *l)
{
	return l->tls ? alpn_holds(l->conf->tls.alpn.wire, STR("h2")) : l->conf->http2;
}

/* Would it be taken there?  Has it proved what the listener now asks for? */
static bool
is_alike(const struct client *c, const struct listener *l)
{
	if (!l->tls != !c->listener->tls || (c->h2 && !speaks_h2(l)) ||
	    l->conf->protocol != c->listener->conf->protocol)
		return false;
	return !l->tls || tls_context_alike(c->listener->tls, l->tls);
}

/* Connections obey the new configuration from their next request on. */
static void
clients_adopt(struct proxy *proxy, struct snapshot *old, struct snapshot *now)
{
	struct client *c, *next;
	struct listener *l;

	for (c = proxy->clients; c; c = next) {
		next = c->next;
		if (c->listener->snapshot != old)
			continue; /* retired by an earlier change */
		l = listener_named(now, c->listener->conf->name);
		if (l && is_alike(c, l))
			c->listener = l;
		else
			client_retire(c);
	}
}

/* Servers that are gone lose their idle connections, and so do those whose address changed. */
static void
upstreams_adopt(struct proxy *proxy, struct snapshot *old, struct snapshot *now)
{
	proxy->adoption++;
	for (uint32_t i = 0; i < now->config->n_pools; i++)
		upstream_sets_renew(proxy, &now->pools[i]);
	for (uint32_t i = 0; i < old->config->n_pools; i++)
		upstream_sets_forget(proxy, &old->config->pools[i]);
}

static void
proxy_adopted(struct worker *w, struct snapshot *old)
{
	if (!old)
		return;
	clients_adopt(w->proxy, old, w->snapshot);
	upstreams_adopt(w->proxy, old, w->snapshot);
}

const struct worker_hooks proxy_hooks = {
	.accepted = client_accepted,
	.make_room = proxy_make_room,
	.adopted = proxy_adopted,
	.turn_end = proxy_turn_end,
};

int
proxy_init(struct worker *w, struct proxy_shared *shared)
{
	struct proxy *proxy = calloc(1, sizeof(*proxy));

	if (!proxy)
		return -ENOMEM;
	proxy->worker = w;
	proxy->shared = shared;
	proxy->client_cache.size = sizeof(struct client);
	proxy->upstream_cache.size = sizeof(struct upstream);
	proxy->exchange_cache.size = sizeof(struct exchange);
	proxy->stream_cache.size = sizeof(struct h2_stream);
	proxy->call_cache.size = sizeof(struct h2_call);
	proxy->tcp_cache.size = sizeof(struct tcp_session);
	proxy->upstreams = calloc(SERVER_SLOTS_MAX, sizeof(struct upstream_set *));
	if (!proxy->upstreams) {
		free(proxy);
		return -ENOMEM;
	}
	w->proxy = proxy;
	queue_init(proxy);
	late_work_init(proxy);
	h2_round_init(proxy);
	return 0;
}

void
proxy_fini(struct worker *w)
{
	struct proxy *proxy = w->proxy;

	if (!proxy)
		return;
	upstreams_fini(proxy);
	cache_fini(&proxy->client_cache);
	cache_fini(&proxy->upstream_cache);
	cache_fini(&proxy->exchange_cache);
	cache_fini(&proxy->stream_cache);
	cache_fini(&proxy->call_cache);
	cache_fini(&proxy->tcp_cache);
	pipe_pool_fini(&proxy->pipes);
	free(proxy->h2_bytes);
	free(proxy->edit_room);
	free(proxy->cookie_room);
	free(proxy);
	w->proxy = NULL;
}

void
proxy_server_left(const struct worker *w, uint32_t slot)
{
	const struct proxy_shared *shared = w->proxy->shared;

	if (atomic_load(&w->servers->load[slot].drains) && server_drained(w->servers, slot))
		shared->drained(shared->drained_arg);
}

void
proxy_drain(struct worker *w)
{
	struct client *c, *next;

	worker_drain(w);
	for (c = w->proxy->clients; c; c = next) {
		next = c->next;
		client_retire(c);
	}
	upstream_close_idle(w->proxy);
}

void
proxy_close_idle(struct worker *w)
{
	struct client *c, *next;

	for (c = w->proxy->idle_oldest; c; c = next) {
		next = c->newer;
		client_close_idle(c);
	}
}

void
proxy_leave_server(struct worker *w, uint32_t slot)
{
	struct client *c, *next;

	for (c = w->proxy->clients; c; c = next) {
		next = c->next;
		if (c->tcp && tcp_session_is_at(c->tcp, slot))
			tcp_session_end(c->tcp, END_SERVER_DOWN);
	}
}

void
proxy_cut(struct worker *w)
{
	struct client *c, *next;

	for (c = w->proxy->clients; c; c = next) {
		next = c->next;
		if (c->exchange && c->exchange->termination == END_OK)
			c->exchange->termination = END_DRAIN;
		if (c->h2)
			h2_connection_blame(c->h2, END_DRAIN);
		if (c->tcp)
			tcp_session_end(c->tcp, END_DRAIN);
		else
			client_close(c, false);
	}
	upstream_close_idle(w->proxy);
}

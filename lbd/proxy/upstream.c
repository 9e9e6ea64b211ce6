/* upstream.c - connections to servers: new ones, kept ones, shared ones. */
#include "lbd/proxy/upstream_parts.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "common/check.h"
#include "common/clock.h"
#include "lbd/proxy/conn_tls.h"
#include "lbd/proxy/h2_server.h"
#include "lbd/proxy/h2_stream.h"
#include "lbd/proxy/h2_websocket.h"
#include "lbd/proxy/origin.h"
#include "lbd/proxy/tcp_session.h"

static struct upstream *
upstream_of(struct conn *c)
{
	struct upstream *u = (struct upstream *)c;

	_Static_assert(offsetof(struct upstream, conn) == 0, "cast from conn");
	CHECK(u->magic == UPSTREAM_MAGIC);
	return u;
}

static struct server_load *
load_of(const struct upstream *u)
{
	return &u->conn.worker->servers->load[u->slot];
}

static void
list_add(struct upstream **list, struct upstream *u)
{
	u->next = *list;
	u->prev = list;
	if (u->next)
		u->next->prev = &u->next;
	*list = u;
}

static void
list_remove(struct upstream *u)
{
	*u->prev = u->next;
	if (u->next)
		u->next->prev = u->prev;
}

static void
idle_count(const struct upstream *u, int one)
{
	upstream_set_of(u)->n_idle += (uint32_t)one;
	atomic_fetch_add_explicit(
	    &load_of(u)->idle_connections, (uint32_t)one, memory_order_relaxed);
}

static void
idle_unlink(struct upstream *u)
{
	idle_count(u, -1);
	if (!u->h2)
		list_remove(u);
}

void
upstream_unshare(struct upstream *u)
{
	list_remove(u);
	h2_server_free(&u->h2);
}

void
upstream_close(struct upstream *u)
{
	if (u->state == UPSTREAM_IDLE)
		idle_unlink(u);
	if (u->h2)
		upstream_unshare(u);
	upstream_own_unlink(u);
	atomic_fetch_sub(&load_of(u)->connections, 1);
	proxy_server_left(u->conn.worker, u->slot);
	conn_close(&u->conn, false);
	u->magic = 0;
	cache_put(&u->conn.worker->proxy->upstream_cache, u);
}

/* A server may send tickets whenever it likes. */
static bool
says_nothing(struct upstream *u)
{
	struct span data;

	return u->conn.tls && conn_read(&u->conn, &data, SCRATCH_READ) == -EAGAIN;
}

static void
on_readable(struct ev_loop *loop, ev_io *io, int revents)
{
	struct upstream *u = upstream_of(io->data);

	(void)loop;
	(void)revents;
	switch (u->state) {
	case UPSTREAM_CONNECTING:
		upstream_opening_connected(u);
		break;
	case UPSTREAM_SECURING:
		upstream_opening_readable(u);
		break;
	case UPSTREAM_BUSY:
	case UPSTREAM_IDLE:
		if (u->h2)
			h2_server_readable(u->h2);
		else if (u->session)
			tcp_session_server_readable(u->session);
		else if (u->state == UPSTREAM_BUSY)
			exchange_upstream_readable(u->exchange);
		else if (!says_nothing(u))
			upstream_close(u); /* FIN, an error, or bytes that answer nothing */
	}
}

static void
on_writable(struct ev_loop *loop, ev_io *io, int revents)
{
	struct upstream *u = upstream_of(io->data);

	(void)loop;
	(void)revents;
	if (u->state == UPSTREAM_CONNECTING)
		upstream_opening_connected(u);
	else if (u->h2 && !upstream_opening(u))
		h2_server_writable(u->h2);
	else if (u->session && !upstream_opening(u))
		tcp_session_server_writable(u->session);
	else if (u->state == UPSTREAM_BUSY)
		exchange_upstream_writable(u->exchange);
	else
		conn_flush(&u->conn);
}

static void
on_expired(struct timer *t)
{
	struct upstream *u =
	    upstream_of((struct conn *)(void *)((char *)t - offsetof(struct conn, timer)));

	switch (u->state) {
	case UPSTREAM_CONNECTING:
	case UPSTREAM_SECURING:
		upstream_opening_expired(u);
		break;
	case UPSTREAM_BUSY:
		if (u->h2)
			h2_server_expired(u->h2);
		else if (u->session)
			tcp_session_server_expired(u->session);
		else
			exchange_upstream_expired(u->exchange);
		break;
	case UPSTREAM_IDLE:
		upstream_close(u);
	}
}

static const struct conn_events upstream_events = { on_readable, on_writable, on_expired };

/* -1 with errno. */
static int
socket_open(const struct address *a)
{
	int fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd >= 0 && a->sa.sa_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static void
opening_await(struct upstream *u, const struct pool *p, int64_t try_by)
{
	u->state = UPSTREAM_CONNECTING;
	ev_io_start(u->conn.worker->loop, &u->conn.write);
	upstream_opening_deadline(u, p->snapshot->config->timeouts.connect, try_by);
}

/* For an exchange of an old configuration: the server may be none of the new one's, so it is not kept. */
static struct upstream *
upstream_open(struct client *c, const struct pool *p, const struct server_config *server,
    struct upstream_set *set, int64_t try_by)
{
	struct proxy *proxy = c->conn.worker->proxy;
	struct upstream *u = cache_get(&proxy->upstream_cache);
	int fd = u ? socket_open(&set->address) : -1;

	if (fd < 0) {
		if (u)
			cache_put(&proxy->upstream_cache, u);
		else
			errno = ENOMEM;
		return NULL;
	}
	conn_init(&u->conn, proxy->worker, fd, &upstream_events);
	u->magic = UPSTREAM_MAGIC;
	u->slot = server->slot;
	u->generation = set->generation - (p->snapshot != proxy->worker->snapshot);
	u->reused = false;
	u->exchange = NULL;
	u->session = NULL;
	u->h2 = NULL;
	u->client = NULL;
	u->proxy_header = set->proxy_header;
	if (u->proxy_header)
		upstream_own_link(u, c);
	u->stats = p->stats;
	u->state = UPSTREAM_BUSY;
	u->idle_limit = TIMER_NEVER;
	atomic_fetch_add_explicit(&load_of(u)->connections, 1, memory_order_relaxed);
	if (connect(fd, &set->address.sa, set->address.len) < 0) {
		int err = errno;

		if (err != EINPROGRESS) { /* EAGAIN: a unix socket's queue is full */
			upstream_close(u);
			errno = err;
			return NULL;
		}
		u->state = UPSTREAM_CONNECTING;
	}
	if (set->target.tls || u->proxy_header) /* they come when we are told that it is writable */
		u->state = UPSTREAM_CONNECTING;
	if (u->state == UPSTREAM_CONNECTING)
		opening_await(u, p, try_by);
	conn_read_on(&u->conn);
	return u;
}

/* The newest one of which nothing has been heard: an end or stray bytes may be about to be handled. */
static struct upstream *
idle_quiet(struct upstream_set *set)
{
	while (set->idle && ev_is_pending(&set->idle->conn.read))
		upstream_close(set->idle);
	return set->idle;
}

/* What the server may send ahead of this answer: little, where much waits for the client already. */
static uint32_t
window_for(const struct exchange *x)
{
	return x->stream && !h2_stream_ahead_room(x->stream) ? H2_WINDOW_NARROW : H2_WINDOW_ANSWER;
}

static bool
may_join(const struct upstream *u, const struct upstream_set *set, uint32_t window)
{
	return u->generation == set->generation && u->h2->window == window &&
	    h2_server_has_room(u->h2);
}

/* The newest that has room. */
static struct upstream *
shared_find(const struct upstream_set *set, uint32_t window)
{
	for (struct upstream *u = set->shared; u; u = u->next)
		if (may_join(u, set, window))
			return u;
	return NULL;
}

static struct upstream *
shared_find_of(
    const struct client *c, const struct upstream_set *set, uint32_t slot, uint32_t window)
{
	for (struct upstream *u = c->upstreams; u; u = u->next_of)
		if (u->slot == slot && u->h2 && may_join(u, set, window))
			return u;
	return NULL;
}

/* For this exchange; NULL: none is open. */
static struct upstream *
shared_for(const struct upstream_set *set, const struct exchange *x)
{
	uint32_t window = window_for(x);

	return set->proxy_header ? shared_find_of(x->client, set, x->slot, window)
				 : shared_find(set, window);
}

/* As a stream, if that can be: of a client of HTTP/1 it must say how to answer it. */
static bool
may_share_tunnel(const struct upstream_set *set, struct exchange *x)
{
	const struct upstream *u;

	if (x->http1_tunnel || (!x->stream && !websocket_key(buffer_text(x->request)).n))
		return false;
	u = shared_for(set, x);
	if (u && h2_server_tunnels(u->h2) == H2_TUNNELS_REFUSED) {
		x->http1_tunnel = true;
		counter_add(&x->pool->stats->http1_tunnels, 1);
	}
	return !x->http1_tunnel;
}

static bool
may_share(const struct upstream_set *set, struct exchange *x)
{
	return x->pool->conf->http2 && x->client->conn.worker->now >= set->http1_until &&
	    (!x->wants_upgrade || may_share_tunnel(set, x));
}

/* A new one, for this exchange and others. */
static struct upstream *
shared_open(const struct exchange *x, const struct server_config *server, struct upstream_set *set)
{
	struct upstream *u = upstream_open(x->client, x->pool, server, set, x->try_by);

	if (!u)
		return NULL;
	u->h2 = h2_server_new(u, window_for(x));
	if (!u->h2) {
		upstream_close(u);
		errno = ENOMEM;
		return NULL;
	}
	list_add(&set->shared, u);
	if (u->state == UPSTREAM_BUSY) /* it is told of it like of all others */
		opening_await(u, x->pool, x->try_by);
	return u;
}

static struct upstream *
shared_get(const struct server_config *server, struct upstream_set *set, struct exchange *x)
{
	struct upstream *u = shared_for(set, x);

	if (!u)
		u = shared_open(x, server, set);
	if (!u)
		return NULL;
	x->call = h2_call_new(u->h2, x);
	if (!x->call) {
		h2_server_wake(u->h2);
		errno = ENOMEM;
		return NULL;
	}
	if (u->state == UPSTREAM_IDLE) {
		idle_count(u, -1);
		u->state = UPSTREAM_BUSY;
		timer_clear(&u->conn.timer);
	}
	return u;
}

struct upstream *
upstream_get(
    struct proxy *proxy, const struct server_config *server, struct exchange *x, bool fresh)
{
	struct upstream_set *set = upstream_set_get(proxy, server, x->pool);
	struct upstream *u = NULL;

	if (!set) {
		errno = ENOMEM;
		return NULL;
	}
	if (may_share(set, x))
		return shared_get(server, set, x);
	if (!fresh)
		u = set->proxy_header ? upstream_own_idle(x->client, server->slot)
				      : idle_quiet(set);
	if (u) {
		idle_unlink(u);
		u->state = UPSTREAM_BUSY;
		u->reused = true;
	} else {
		u = upstream_open(x->client, x->pool, server, set, x->try_by);
		if (!u)
			return NULL;
	}
	u->exchange = x;
	return u;
}

struct upstream *
upstream_connect(
    struct proxy *proxy, const struct server_config *server, struct tcp_session *session)
{
	struct upstream_set *set = upstream_set_get(proxy, server, session->pool);
	struct upstream *u;

	if (!set) {
		errno = ENOMEM;
		return NULL;
	}
	u = upstream_open(session->client, session->pool, server, set, session->try_by);
	if (u)
		u->session = session;
	return u;
}

static bool
may_idle(const struct upstream *u)
{
	const struct snapshot *s = u->conn.worker->snapshot;

	return u->generation == upstream_set_of(u)->generation && !u->conn.broken && !u->conn.eof &&
	    !u->conn.out && !u->conn.in && !(u->conn.tls && conn_tls_has_more(&u->conn)) &&
	    !u->conn.worker->draining && server_operating(u->conn.worker->servers, u->slot) &&
	    upstream_set_of(u)->n_idle < s->config->limits.server_idle;
}

void
upstream_release(struct upstream **up, bool reusable)
{
	struct upstream *u = *up;
	struct upstream_set *set = upstream_set_of(u);
	int64_t limit = u->conn.worker->snapshot->config->timeouts.server_idle;

	*up = NULL;
	u->exchange = NULL;
	if (!reusable || !may_idle(u)) {
		upstream_close(u);
		return;
	}
	u->state = UPSTREAM_IDLE;
	list_add(&set->idle, u);
	idle_count(u, 1);
	conn_read_on(&u->conn);
	conn_deadline(&u->conn, u->idle_limit < limit ? u->idle_limit : limit);
	if (u->client)
		upstream_own_trim(u->client);
}

void
upstream_settle(struct upstream *u)
{
	const struct upstream_set *set = upstream_set_of(u);
	const struct worker *w = u->conn.worker;
	const struct lbd_config *config = w->snapshot->config;
	bool idle = u->state == UPSTREAM_IDLE;

	if (u->h2->probing && !u->h2->dead)
		return;
	if (!h2_server_may_rest(u->h2) || u->generation != set->generation || w->draining ||
	    !server_operating(w->servers, u->slot) ||
	    (!idle && set->n_idle >= config->limits.server_idle)) {
		upstream_close(u);
		return;
	}
	if (idle)
		return;
	u->state = UPSTREAM_IDLE;
	idle_count(u, 1);
	conn_deadline(&u->conn, config->timeouts.server_idle);
	if (u->client)
		upstream_own_trim(u->client);
}

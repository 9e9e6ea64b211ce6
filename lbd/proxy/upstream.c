/* upstream.c - opening, reusing and keeping connections to servers. */
#include "lbd/proxy/upstream.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/check.h"
#include "common/clock.h"
#include "lbd/proxy/conn_tls.h"
#include "lbd/proxy/exchange.h"
#include "lbd/proxy/handshake.h"

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

static struct upstream_set *
set_of(const struct upstream *u)
{
	return u->conn.worker->proxy->upstreams[u->slot];
}

static void
idle_unlink(struct upstream *u)
{
	*u->prev = u->next;
	if (u->next)
		u->next->prev = u->prev;
	set_of(u)->n_idle--;
	atomic_fetch_sub_explicit(&load_of(u)->idle_connections, 1, memory_order_relaxed);
}

static void
upstream_close(struct upstream *u)
{
	if (u->state == UPSTREAM_IDLE)
		idle_unlink(u);
	atomic_fetch_sub_explicit(&load_of(u)->connections, 1, memory_order_relaxed);
	conn_close(&u->conn, false);
	u->magic = 0;
	cache_put(&u->conn.worker->proxy->upstream_cache, u);
}

/* It can be used. */
static void
upstream_ready(struct upstream *u)
{
	u->state = UPSTREAM_BUSY;
	exchange_connected(u->exchange);
}

static void
handshake_went(struct upstream *u, int result, enum tls_failure why)
{
	if (result == -EAGAIN)
		return;
	if (result) {
		exchange_server_untrusted(u->exchange, why);
		return;
	}
	counter_add(&u->exchange->pool->stats->tls_handshakes[handshake_kind(u->conn.tls)], 1);
	upstream_ready(u);
}

static void
upstream_secure(struct upstream *u)
{
	enum tls_failure why = TLS_FAIL_MEMORY;
	int r = -ENOMEM;

	u->state = UPSTREAM_SECURING;
	u->conn.tls = tls_connect(&set_of(u)->target);
	if (u->conn.tls)
		r = conn_handshake_start(&u->conn, &why);
	if (r == -EPIPE) {
		exchange_try_failed(u->exchange, TRY_CONNECT, END_CONNECT_FAILED);
		return;
	}
	conn_deadline(&u->conn, exchange_timeouts(u->exchange)->tls_handshake);
	handshake_went(u, r, why);
}

/* Or it failed: an error shows in the first send. */
static void
upstream_connected(struct upstream *u)
{
	ev_io_stop(u->conn.worker->loop, &u->conn.write);
	if (set_of(u)->target.tls)
		upstream_secure(u);
	else
		upstream_ready(u);
}

/* A server may send tickets whenever it likes. */
static bool
says_nothing(struct upstream *u)
{
	struct span data;

	return u->conn.tls && conn_read(&u->conn, &data, SCRATCH_READ) == -EAGAIN;
}

static void
upstream_handshake(struct upstream *u)
{
	enum tls_failure why;
	int r = conn_handshake(&u->conn, &why);

	handshake_went(u, r, why);
}

static void
on_readable(struct ev_loop *loop, ev_io *io, int revents)
{
	struct upstream *u = upstream_of(io->data);

	(void)loop;
	(void)revents;
	switch (u->state) {
	case UPSTREAM_CONNECTING:
		upstream_connected(u);
		break;
	case UPSTREAM_SECURING:
		upstream_handshake(u);
		break;
	case UPSTREAM_BUSY:
		exchange_upstream_readable(u->exchange);
		break;
	case UPSTREAM_IDLE:
		if (!says_nothing(u))
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
		upstream_connected(u);
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

	if (u->state == UPSTREAM_IDLE)
		upstream_close(u);
	else
		exchange_upstream_expired(u->exchange);
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

/* `of_the_past`: for an old configuration; the server may be none of the new one's, so it is not kept. */
static struct upstream *
upstream_open(struct proxy *proxy, const struct server_config *server, struct upstream_set *set,
    bool of_the_past)
{
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
	u->generation = set->generation - of_the_past;
	u->reused = false;
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
	if (set->target.tls) /* the handshake begins when we are told that it is writable */
		u->state = UPSTREAM_CONNECTING;
	if (u->state == UPSTREAM_CONNECTING)
		ev_io_start(proxy->worker->loop, &u->conn.write);
	conn_read_on(&u->conn);
	return u;
}

static void
set_close_idle(struct upstream_set *set)
{
	struct upstream *u, *next;

	for (u = set->idle; u; u = next) {
		next = u->next;
		upstream_close(u);
	}
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
	    tls_target_is(&set->target, pool->tls, server->host))
		return 0;
	set_renew(set);
	set->address = server->address;
	return tls_target_set(&set->target, pool->tls, server->host);
}

/*
 * Made on first use; NULL: out of memory.  If an exchange of an old configuration was the first, the first
 * one of the present configuration sets it right.
 */
static struct upstream_set *
set_get(struct proxy *proxy, const struct server_config *server, const struct exchange *x)
{
	struct upstream_set **sp = &proxy->upstreams[server->slot], *set = *sp;
	bool present = x->snapshot == proxy->worker->snapshot;

	if (set && (set->adoption == proxy->adoption || !present))
		return set;
	if (!set)
		*sp = set = calloc(1, sizeof(*set));
	if (!set || set_follow(set, x->pool, server) < 0)
		return NULL;
	set->adoption = proxy->adoption - !present;
	return set;
}

/* The newest one of which nothing has been heard: an end or stray bytes may be about to be handled. */
static struct upstream *
idle_quiet(struct upstream_set *set)
{
	while (set->idle && ev_is_pending(&set->idle->conn.read))
		upstream_close(set->idle);
	return set->idle;
}

struct upstream *
upstream_get(
    struct proxy *proxy, const struct server_config *server, struct exchange *x, bool fresh)
{
	struct upstream_set *set = set_get(proxy, server, x);
	struct upstream *u;

	if (!set) {
		errno = ENOMEM;
		return NULL;
	}
	u = fresh ? NULL : idle_quiet(set);
	if (u) {
		idle_unlink(u);
		u->state = UPSTREAM_BUSY;
		u->reused = true;
	} else {
		u = upstream_open(proxy, server, set, x->snapshot != proxy->worker->snapshot);
		if (!u)
			return NULL;
	}
	u->exchange = x;
	return u;
}

static bool
may_idle(const struct upstream *u)
{
	const struct snapshot *s = u->conn.worker->snapshot;

	return u->generation == set_of(u)->generation && !u->conn.broken && !u->conn.eof &&
	    !u->conn.out && !u->conn.in && !(u->conn.tls && conn_tls_has_more(&u->conn)) &&
	    !u->conn.worker->draining && set_of(u)->n_idle < s->config->limits.server_idle;
}

void
upstream_release(struct upstream **up, bool reusable)
{
	struct upstream *u = *up;
	struct upstream_set *set = set_of(u);
	int64_t limit = u->conn.worker->snapshot->config->timeouts.server_idle;

	*up = NULL;
	u->exchange = NULL;
	if (!reusable || !may_idle(u)) {
		upstream_close(u);
		return;
	}
	u->state = UPSTREAM_IDLE;
	u->next = set->idle;
	u->prev = &set->idle;
	if (u->next)
		u->next->prev = &u->next;
	set->idle = u;
	set->n_idle++;
	atomic_fetch_add_explicit(&load_of(u)->idle_connections, 1, memory_order_relaxed);
	conn_read_on(&u->conn);
	conn_deadline(&u->conn, u->idle_limit < limit ? u->idle_limit : limit);
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
upstream_close_idle(struct proxy *proxy)
{
	for (uint32_t i = 0; i < SERVER_SLOTS_MAX; i++)
		if (proxy->upstreams[i])
			set_close_idle(proxy->upstreams[i]);
}

void
upstreams_fini(struct proxy *proxy)
{
	for (uint32_t i = 0; i < SERVER_SLOTS_MAX; i++) {
		if (proxy->upstreams[i])
			tls_target_fini(&proxy->upstreams[i]->target);
		free(proxy->upstreams[i]);
	}
	free(proxy->upstreams);
}

/* tcp_session.c - the course of a connection in TCP mode: its start, its relay, its end and its record. */
#include "lbd/proxy/tcp_session.h"

#include <errno.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/clock.h"
#include "lbd/proxy/route.h"
#include "lbd/tls/tls.h"

static struct tcp_session *
session_of(struct conn *c)
{
	struct client *client = (struct client *)c;

	CHECK(client->magic == CLIENT_MAGIC && client->tcp->magic == TCP_SESSION_MAGIC);
	return client->tcp;
}

void
tcp_session_end(struct tcp_session *s, enum termination why)
{
	if (s->termination == END_OK)
		s->termination = why;
	s->reset = why != END_OK && why != END_TUNNEL_IDLE && why != END_CLIENT_FIN_TIMEOUT;
	client_close(s->client, s->reset);
}

bool
tcp_session_is_at(const struct tcp_session *s, uint32_t slot)
{
	return s->phase == TCP_RELAY && s->server->slot == slot &&
	    s->pool->conf->health.on_down == ON_DOWN_CLOSE;
}

/* --- its end --- */

static struct str
name_of(const struct tcp_session *s)
{
	return (struct str){ s->name, s->name_n };
}

static void
session_log(const struct tcp_session *s, int64_t duration)
{
	const struct client *c = s->client;
	struct worker *w = tcp_worker(s);

	access_log_put(w->access_log, w->id,
	    &(struct access_record){
		.wall_ns = clock_wall_ns() - duration,
		.duration_ns = duration,
		.connect_ns = s->connect_ns,
		.response_ns = -1,
		.bytes_in = c->conn.bytes_read,
		.bytes_out = c->conn.bytes_sent,
		.retries = (uint16_t)s->retries,
		.minor = ACCESS_TCP,
		.termination = s->termination,
		.listener = s->listener->name,
		.client = client_address(c),
		.host = name_of(s),
		.pool = s->pool ? s->pool->conf->name : (struct str){ NULL, 0 },
		.server = s->server ? s->server->name : (struct str){ NULL, 0 },
		.tls_version =
		    c->conn.tls ? tls_version_name(c->conn.tls) : (struct str){ NULL, 0 },
	    });
}

static void
session_record(const struct tcp_session *s)
{
	struct worker *w = tcp_worker(s);
	int64_t duration = w->now - s->client->accepted;

	client_count_end(s->client, s->termination);
	stats_exchange(w->stats,
	    &(struct stats_exchange){
		.listener = (uint16_t)s->listener->id,
		.pool = s->pool ? (uint16_t)s->pool->conf->id : STATS_NO_POOL,
		.server = s->server ? (uint16_t)s->server->id : STATS_NO_SERVER,
		.duration_ns = duration,
		.connect_ns = s->connect_ns,
		.response_ns = -1,
	    },
	    w->now);
	if (s->snapshot->config->log.access_format != ACCESS_OFF)
		session_log(s, duration);
}

void
tcp_session_client_gone(struct tcp_session *s)
{
	struct worker *w = tcp_worker(s);

	CHECK(s->magic == TCP_SESSION_MAGIC);
	if (s->waiter.pool)
		queue_remove(&s->waiter);
	if (s->phase == TCP_RELAY)
		relay_fini(&s->relay);
	tcp_release_server(s);
	session_record(s);
	free(s->name);
	snapshot_unref(&s->snapshot);
	s->client->tcp = NULL;
	s->magic = 0;
	cache_put(&w->proxy->tcp_cache, s);
}

/* --- the relay --- */

static void
on_over(struct relay *r, enum termination why)
{
	tcp_session_end(
	    (struct tcp_session *)(void *)((char *)r - offsetof(struct tcp_session, relay)), why);
}

void
tcp_session_connected(struct tcp_session *s)
{
	struct client *c = s->client;
	struct worker *w = tcp_worker(s);
	int err = conn_error(&s->upstream->conn);

	if (err) {
		tcp_session_connect_failed(s, END_CONNECT_FAILED);
		return;
	}
	s->connect_ns = w->now - s->tried_at;
	tcp_tell(s, CIRCUIT_GOOD);
	server_connect_worked(w->servers, s->server->slot);
	server_response_time(
	    w->servers, s->server->slot, (uint32_t)(s->connect_ns / NS_PER_US), w->now);
	s->phase = TCP_RELAY;
	timer_clear(&c->conn.timer);
	relay_start(&s->relay, &c->conn, &s->upstream->conn, tcp_timeouts(s), on_over);
	if (c->tcp == s)
		relay_client_readable(&s->relay); /* what it has said meanwhile */
}

void
tcp_session_server_readable(struct tcp_session *s)
{
	struct client *c = s->client;

	CHECK(s->magic == TCP_SESSION_MAGIC && s->phase == TCP_RELAY);
	relay_server_readable(&s->relay);
	client_count_bytes(c);
}

void
tcp_session_server_writable(struct tcp_session *s)
{
	CHECK(s->magic == TCP_SESSION_MAGIC && s->phase == TCP_RELAY);
	relay_server_writable(&s->relay);
}

void
tcp_session_server_expired(struct tcp_session *s)
{
	CHECK(s->magic == TCP_SESSION_MAGIC && s->phase == TCP_RELAY);
	relay_expired(&s->relay);
}

/* --- the client --- */

/* There is no server yet: a little waits for it, the rest in the kernel. */
static void
early_readable(struct tcp_session *s)
{
	struct conn *c = &s->client->conn;
	size_t kept = buffer_used(c->in);
	struct span data;
	ssize_t n;

	if (kept >= TCP_EARLY_MAX) {
		conn_read_off(c);
		return;
	}
	n = conn_read(c, &data, TCP_EARLY_MAX - kept);
	if (n == -EAGAIN || n == 0) /* who sends no more may still want an answer */
		return;
	if (n < 0)
		tcp_session_end(s, END_CLIENT_CLOSED);
	else if (conn_keep(c, data.p, data.n) < 0)
		tcp_session_end(s, END_OUT_OF_MEMORY);
}

static void
on_readable(struct ev_loop *loop, ev_io *io, int revents)
{
	struct tcp_session *s = session_of(io->data);
	struct client *c = s->client;

	(void)loop;
	(void)revents;
	switch (s->phase) {
	case TCP_HELLO:
		tcp_hello_readable(s);
		break;
	case TCP_CONNECT:
		early_readable(s);
		break;
	case TCP_RELAY:
		relay_client_readable(&s->relay);
		client_count_bytes(c);
		break;
	}
}

static void
on_writable(struct ev_loop *loop, ev_io *io, int revents)
{
	struct tcp_session *s = session_of(io->data);
	struct client *c = s->client;

	(void)loop;
	(void)revents;
	if (s->phase == TCP_RELAY)
		relay_client_writable(&s->relay);
	else
		conn_flush(&c->conn); /* of its handshake */
	client_count_bytes(c);
}

static void
on_expired(struct timer *t)
{
	struct conn *c = (struct conn *)(void *)((char *)t - offsetof(struct conn, timer));
	struct tcp_session *s = session_of(c);

	if (s->phase == TCP_HELLO)
		tcp_hello_expired(s);
	else if (s->waiter.pool)
		tcp_session_end(s, END_QUEUE_TIMEOUT);
	else if (s->paused)
		tcp_try_first(s);
	else
		conn_read_on(c);
}

static const struct conn_events session_events = { on_readable, on_writable, on_expired };

/* --- its start --- */

void
tcp_session_routed(struct tcp_session *s, const struct route_config *route)
{
	const struct listener_config *l = s->listener;

	if (!route && l->pool_name.n == 0) {
		tcp_session_end(s, END_NO_ROUTE);
		return;
	}
	s->pool = &s->snapshot->pools[route ? route_pool(tcp_worker(s), route) : l->pool];
	s->phase = TCP_CONNECT;
	tcp_try_first(s);
}

void
tcp_session_start(struct client *c)
{
	struct worker *w = c->conn.worker;
	struct tcp_session *s = cache_get(&w->proxy->tcp_cache);

	if (!s) {
		client_count_end(c, END_OUT_OF_MEMORY);
		client_close(c, true);
		return;
	}
	*s = (struct tcp_session){
		.magic = TCP_SESSION_MAGIC,
		.phase = TCP_CONNECT,
		.client = c,
		.snapshot = snapshot_ref(c->listener->snapshot),
		.listener = c->listener->conf,
		.connect_ns = -1,
	};
	c->tcp = s;
	client_busy(c);
	timer_clear(&c->conn.timer);
	conn_events_set(&c->conn, &session_events);
	tcp_hello_start(s);
}

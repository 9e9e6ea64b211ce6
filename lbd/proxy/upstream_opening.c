/*
 * upstream_opening.c - a connection to a server until it can be used: connected, secured, and by what is agreed in
 * the handshake, shared or not.
 */
#include "lbd/proxy/upstream_parts.h"

#include <errno.h>

#include "common/clock.h"
#include "common/log.h"
#include "lbd/proxy/conn_tls.h"
#include "lbd/proxy/h2_server.h"
#include "lbd/proxy/handshake.h"
#include "lbd/proxy/origin.h"
#include "lbd/proxy/proxied.h"
#include "lbd/proxy/tcp_session.h"

/* For which a server that chose HTTP/1 where HTTP/2 was offered is not offered it again. */
static const int64_t HTTP1_NS = 60 * NS_PER_S;

/* Of those that wait for it; NULL: none is left. */
static struct exchange *
waiting(const struct upstream *u)
{
	return u->h2 ? h2_server_waiting(u->h2) : u->exchange;
}

struct opening {
	const struct pool *pool;
	const struct server_config *server;
	int64_t try_by;
};

/* For whom it is.  False: nobody is left. */
static bool
opening_of(const struct upstream *u, struct opening *o)
{
	const struct exchange *x = u->session ? NULL : waiting(u);

	if (u->session)
		*o = (struct opening){ u->session->pool, u->session->server, u->session->try_by };
	else if (x)
		*o = (struct opening){ x->pool, x->server, x->try_by };
	return u->session || x;
}

/* Each exchange that waits for it tries elsewhere, or gives up; no other one joins.  May close it. */
static void
opening_failed(struct upstream *u, enum termination why)
{
	enum try_failure failure = TRY_CONNECT;
	struct exchange *x;

	if (u->session) {
		tcp_session_connect_failed(u->session, why);
		return;
	}
	if (!u->h2) {
		exchange_try_failed(u->exchange, failure, why);
		return;
	}
	h2_server_give_up(u->h2);
	while ((x = waiting(u))) {
		exchange_try_failed(x, failure, why);
		failure = TRY_CONNECT_JOINED;
	}
}

static void
securing_failed(struct upstream *u, enum tls_failure why)
{
	struct opening o;

	counter_add(&u->stats->tls_failures[why], 1);
	if (opening_of(u, &o))
		log_warning("server_tls_failed", "pool=%s server=%s reason=%s",
		    log_quoted(o.pool->conf->name).text, log_quoted(o.server->name).text,
		    tls_failure_name(why));
	opening_failed(u, why == TLS_FAIL_TIMEOUT ? END_SERVER_TLS_TIMEOUT : END_SERVER_TLS);
}

/* It speaks HTTP/1 alone: the first of those that wait has it to itself, the others open their own. */
static void
become_http1(struct upstream *u)
{
	struct exchange *first = h2_server_waiting(u->h2), *x;

	upstream_set_of(u)->http1_until = u->conn.worker->now + HTTP1_NS;
	if (!first) {
		upstream_close(u);
		return;
	}
	h2_server_give_up(u->h2);
	origin_release(first, false);
	first->upstream = u;
	while ((x = h2_server_waiting(u->h2))) {
		origin_release(x, false);
		exchange_reconnect(x);
	}
	upstream_unshare(u);
	u->exchange = first;
}

/* It can be used. */
static void
upstream_ready(struct upstream *u)
{
	u->state = UPSTREAM_BUSY;
	if (u->h2 && u->conn.tls && !tls_agreed_on_h2(u->conn.tls))
		become_http1(u);
	if (u->h2)
		h2_server_start(u->h2);
	else if (u->session)
		tcp_session_connected(u->session);
	else if (u->exchange)
		exchange_connected(u->exchange);
}

static void
handshake_went(struct upstream *u, int result, enum tls_failure why)
{
	if (result == -EAGAIN)
		return;
	if (result) {
		securing_failed(u, why);
		return;
	}
	counter_add(&u->stats->tls_handshakes[handshake_kind(u->conn.tls)], 1);
	upstream_ready(u);
}

/* In TCP mode what the client was promised. */
static struct str
offered(const struct upstream *u, char room[1 + ALPN_NAME_MAX])
{
	const struct tls *client = u->session ? u->session->client->conn.tls : NULL;
	struct str promised;

	if (!u->session)
		return u->h2 ? STR("\x02h2\x08http/1.1") : STR("\x08http/1.1");
	promised = client ? tls_protocol(client) : (struct str){ NULL, 0 };
	if (promised.n == 0)
		return promised;
	room[0] = (char)promised.n;
	memcpy(room + 1, promised.p, promised.n);
	return (struct str){ room, 1 + promised.n };
}

static void
upstream_secure(struct upstream *u)
{
	enum tls_failure why = TLS_FAIL_MEMORY;
	char room[1 + ALPN_NAME_MAX];
	int r = -ENOMEM;
	struct opening o;

	if (!opening_of(u, &o))
		return; /* shared, and about to be closed */
	u->state = UPSTREAM_SECURING;
	upstream_opening_deadline(u, o.pool->snapshot->config->timeouts.tls_handshake, o.try_by);
	u->conn.tls = tls_connect(&upstream_set_of(u)->target, offered(u, room));
	if (u->conn.tls)
		r = conn_handshake_start(&u->conn, &why);
	if (r == -EPIPE)
		opening_failed(u, END_CONNECT_FAILED);
	else
		handshake_went(u, r, why);
}

/* Whom it serves, if the server wants to know.  False: it is of no use. */
static bool
upstream_introduce(struct upstream *u)
{
	char header[PROXY_FORMAT_MAX];
	size_t n;

	if (!u->proxy_header)
		return true;
	if (!u->client)
		return false; /* shared, and about to be closed */
	n = proxied_write(u->client, u->proxy_header, header);
	if (u->session ? conn_send(&u->conn, header, n) == 0 /* perhaps it is the server's turn */
		       : conn_send_ahead(&u->conn, header, n) == 0)
		return true;
	opening_failed(u, END_CONNECT_FAILED);
	return false;
}

/* Or it failed: an error shows in the first send. */
void
upstream_opening_connected(struct upstream *u)
{
	ev_io_stop(u->conn.worker->loop, &u->conn.write);
	if (!upstream_introduce(u))
		return;
	if (upstream_set_of(u)->target.tls)
		upstream_secure(u);
	else
		upstream_ready(u);
}

void
upstream_opening_readable(struct upstream *u)
{
	enum tls_failure why;
	int r = conn_handshake(&u->conn, &why);

	handshake_went(u, r, why);
}

void
upstream_opening_expired(struct upstream *u)
{
	if (u->state == UPSTREAM_SECURING)
		securing_failed(u, TLS_FAIL_TIMEOUT);
	else
		opening_failed(u, END_CONNECT_TIMEOUT);
}

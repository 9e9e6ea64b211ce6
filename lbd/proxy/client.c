/* client.c - a client's connection from accept to close: who hears of its events, and how it ends. */
#include "lbd/proxy/client.h"

#include <string.h>
#include <unistd.h>

#include "common/check.h"
#include "common/clock.h"
#include "lbd/proxy/admission.h"
#include "lbd/proxy/client_limit.h"
#include "lbd/proxy/client_parts.h"
#include "lbd/proxy/conn_ktls.h"
#include "lbd/proxy/exchange.h"
#include "lbd/proxy/h2_connection.h"
#include "lbd/proxy/handshake.h"
#include "lbd/proxy/proxied.h"
#include "lbd/proxy/tcp_session.h"
#include "lbd/proxy/upstream.h"

static const int64_t LINGER_NS = 2 * NS_PER_S;

static struct client *
client_of(struct conn *c)
{
	struct client *client = (struct client *)c;

	_Static_assert(offsetof(struct client, conn) == 0, "cast from conn");
	CHECK(client->magic == CLIENT_MAGIC);
	return client;
}

void
client_become(struct client *c, enum client_state state)
{
	if (c->state == state)
		return;
	if (c->state == CLIENT_IDLE)
		client_idle_unlink(c);
	c->state = (uint8_t)state;
	if (state == CLIENT_IDLE)
		client_idle_link(c);
}

static void
count_ktls(struct client *c)
{
	uint64_t sent = c->conn.bytes_sent - c->conn.tls->offloaded_at;

	counter_add(&c->stats->ktls_connections, c->counted_ktls == 0 && sent > 0);
	counter_add(&c->stats->ktls_bytes, sent - c->counted_ktls);
	c->counted_ktls = sent;
}

void
client_count_bytes(struct client *c)
{
	counter_add(&c->stats->bytes_in, c->conn.bytes_read - c->counted_in);
	counter_add(&c->stats->bytes_out, c->conn.bytes_sent - c->counted_out);
	c->counted_in = c->conn.bytes_read;
	c->counted_out = c->conn.bytes_sent;
	if (c->conn.offloaded)
		count_ktls(c);
}

void
client_count_end(struct client *c, enum termination why)
{
	if (why != END_OK && why != END_CLIENT_CLOSED)
		counter_add(&c->stats->rejected[why], 1);
}

void
client_close(struct client *c, bool reset)
{
	struct worker *w = c->conn.worker;

	if (!conn_is_open(&c->conn))
		return;
	if (c->state == CLIENT_HANDSHAKE)
		handshake_leave(c);
	if (c->exchange)
		exchange_client_gone(c->exchange);
	CHECK(!c->exchange);
	if (c->h2)
		h2_connection_free(&c->h2);
	if (c->tcp)
		tcp_session_client_gone(c->tcp);
	upstreams_end(c);
	client_become(c, CLIENT_LINGER); /* out of the idle list */
	client_count_bytes(c);
	counter_add(&c->stats->connections, (uint64_t)-1);
	if (c->counted)
		client_limit_leave(w->proxy->shared->limit, &c->counted);
	conn_close(&c->conn, reset);
	*c->prev = c->next;
	if (c->next)
		c->next->prev = c->prev;
	w->proxy->n_clients--;
	if (c->retired)
		snapshot_unref(&c->retired);
	c->magic = 0;
	cache_put(&w->proxy->client_cache, c);
	worker_connection_closed(w);
}

/*
 * Closing while the client still sends would reset the connection and may destroy our answer on its way
 * (RFC 9112 9.6): first our FIN, then a short while of reading into nothing.
 */
void
client_linger(struct client *c)
{
	client_become(c, CLIENT_LINGER);
	conn_keep(&c->conn, NULL, 0);
	conn_shutdown(&c->conn);
	if (c->conn.eof && !c->conn.out) {
		client_close(c, false);
		return;
	}
	conn_deadline(&c->conn, LINGER_NS);
	conn_read_on(&c->conn);
}

void
client_finish(struct client *c)
{
	if (c->conn.offloaded)
		client_linger(c);
	else
		client_close(c, false);
}

static void
linger_readable(struct client *c)
{
	struct span data;
	ssize_t n = conn_read(&c->conn, &data, SCRATCH_READ);

	if (n == 0 && c->conn.out && !c->conn.broken)
		return; /* who sends no more still gets the rest */
	if (n == 0 || (n < 0 && n != -EAGAIN))
		client_close(c, false);
}

/* While the kernel holds a record, a client that takes some of what came before has time. */
static void
linger_expired(struct client *c)
{
	if (conn_ktls_moves(&c->conn))
		conn_deadline(&c->conn, client_timeouts(c)->client_body);
	else
		client_close(c, c->conn.offloaded && c->conn.out);
}

static void
on_readable(struct ev_loop *loop, ev_io *io, int revents)
{
	struct client *c = client_of(io->data);

	(void)loop;
	switch ((enum client_state)c->state) {
	case CLIENT_PROXIED:
		proxied_readable(c);
		break;
	case CLIENT_HANDSHAKE:
		handshake_readable(c);
		break;
	case CLIENT_IDLE:
	case CLIENT_HEAD:
		client_head_readable(c, revents & EV_CUSTOM);
		break;
	case CLIENT_EXCHANGE:
		if (c->exchange->tunnel || !c->exchange->request_body.done)
			exchange_client_readable(c->exchange);
		else
			client_pipelined_readable(c);
		break;
	case CLIENT_LINGER:
		linger_readable(c);
		break;
	}
}

static void
on_writable(struct ev_loop *loop, ev_io *io, int revents)
{
	struct client *c = client_of(io->data);

	(void)loop;
	(void)revents;
	if (c->exchange) {
		exchange_client_writable(c->exchange);
		return;
	}
	if (conn_flush(&c->conn) != -EAGAIN && (c->conn.broken || c->conn.eof))
		client_close(c, false);
}

static void
on_expired(struct timer *t)
{
	struct client *c =
	    client_of((struct conn *)(void *)((char *)t - offsetof(struct conn, timer)));

	switch ((enum client_state)c->state) {
	case CLIENT_PROXIED:
		proxied_refuse(c, PROXY_TIMEOUT);
		break;
	case CLIENT_HANDSHAKE:
		handshake_failed(c, TLS_FAIL_TIMEOUT);
		break;
	case CLIENT_HEAD:
		c->requests++;
		exchange_refuse(c, NULL, END_CLIENT_HEADER_TIMEOUT);
		break;
	case CLIENT_EXCHANGE:
		exchange_client_expired(c->exchange);
		break;
	case CLIENT_IDLE:
		client_finish(c);
		break;
	case CLIENT_LINGER:
		linger_expired(c);
		break;
	}
}

static const struct conn_events client_events = { on_readable, on_writable, on_expired };

void
client_set_address(struct client *c, const struct address *peer)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	char text[ADDRESS_TEXT_MAX];

	c->family = (uint8_t)peer->sa.sa_family;
	memset(c->ip, 0, sizeof(c->ip));
	if (c->family == AF_INET) {
		memcpy(c->ip, mapped, sizeof(mapped));
		memcpy(c->ip + 12, &peer->in.sin_addr, 4);
		c->port = ntohs(peer->in.sin_port);
	} else if (c->family == AF_INET6) {
		memcpy(c->ip, &peer->in6.sin6_addr, 16);
		c->port = ntohs(peer->in6.sin6_port);
	}
	c->address_n = (uint8_t)address_format_host(peer, text);
	CHECK(c->address_n < CLIENT_ADDRESS_MAX);
	memcpy(c->address, text, c->address_n);
}

static void
client_init(struct client *c, struct listener *l, int fd, const struct address *peer)
{
	struct worker *w = l->snapshot->worker;
	struct proxy *proxy = w->proxy;

	*c = (struct client){ .magic = CLIENT_MAGIC, .listener = l, .stats = l->stats };
	conn_init(&c->conn, w, fd, &client_events);
	client_set_address(c, peer);
	c->accepted = c->head_started = w->now;
	c->next = proxy->clients;
	c->prev = &proxy->clients;
	if (c->next)
		c->next->prev = &c->next;
	proxy->clients = c;
	proxy->n_clients++;
	c->state = CLIENT_LINGER; /* nothing yet */
	client_become(c, CLIENT_IDLE);
	counter_add(&c->stats->connections, 1);
	counter_add(&c->stats->connections_total, 1);
}

void
client_secured(struct client *c)
{
	if (c->listener->conf->protocol == LISTENER_TCP) {
		tcp_session_start(c);
		return;
	}
	client_become(c, CLIENT_IDLE);
	if (tls_agreed_on_h2(c->conn.tls)) {
		h2_connection_start(c, (struct span){ c->conn.worker->scratch, 0 });
		return;
	}
	conn_deadline(&c->conn, client_timeouts(c)->client_header);
	conn_read_on(&c->conn);
}

/* TLS begins with what was read already. */
static void
client_secure(struct client *c, const struct span *data)
{
	if (data && conn_tls_begin(&c->conn, data->p, data->n) < 0) {
		client_close(c, false);
		return;
	}
	client_become(c, CLIENT_HANDSHAKE);
	handshake_enter(c);
}

/* What was read already goes first. */
static void
client_pass_on(struct client *c, const struct span *data)
{
	if (!data || conn_keep(&c->conn, data->p, data->n) == 0) {
		tcp_session_start(c);
		return;
	}
	client_count_end(c, END_OUT_OF_MEMORY);
	client_close(c, true);
}

void
client_admit(struct client *c, const struct span *data)
{
	if (!admission_connection(c))
		return;
	if (c->listener->tls) {
		client_secure(c, data);
		return;
	}
	if (c->listener->conf->protocol == LISTENER_TCP) {
		client_pass_on(c, data);
		return;
	}
	client_become(c, CLIENT_IDLE);
	conn_deadline(&c->conn, client_timeouts(c)->client_header);
	if (!data)
		client_head_readable(c, false);
	else if (data->n)
		client_head_parse(c, *data, 0);
	if (conn_is_open(&c->conn) && c->state != CLIENT_EXCHANGE)
		conn_read_on(&c->conn);
}

void
client_accepted(struct listener *l, int fd, const struct address *peer)
{
	struct worker *w = l->snapshot->worker;
	struct client *c = cache_get(&w->proxy->client_cache);

	if (!c) {
		close(fd);
		worker_connection_closed(w);
		return;
	}
	client_init(c, l, fd, peer);
	if (proxied_expected(l->conf, peer)) {
		client_become(c, CLIENT_PROXIED);
		proxied_enter(c);
	} else {
		client_admit(c, NULL);
	}
}

void
client_idle(struct client *c)
{
	client_become(c, CLIENT_IDLE);
}

void
client_busy(struct client *c)
{
	client_become(c, CLIENT_EXCHANGE);
}

void
client_end(struct client *c)
{
	conn_events_set(&c->conn, &client_events);
	client_linger(c);
}

/* client.c - a client's connection from accept to close, request after request. */
#include "lbd/proxy/client.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/check.h"
#include "common/clock.h"
#include "lbd/proxy/admission.h"
#include "lbd/proxy/client_limit.h"
#include "lbd/proxy/exchange.h"
#include "lbd/proxy/h2_connection.h"
#include "lbd/proxy/handshake.h"
#include "lbd/proxy/proxied.h"
#include "lbd/proxy/tcp_session.h"
#include "lbd/proxy/upstream.h"

static const int64_t LINGER_NS = 2 * NS_PER_S;
static const int64_t NEW_NS = NS_PER_S; /* a new connection may take so long to speak */
enum {
	HEAD_READ_MAX = 64 * 1024, /* bytes of a head and what comes with it; more than any head */
	PIPELINED_MAX = 16 * 1024, /* bytes of later requests that may wait */
	PARSE_ALWAYS = 4096
};

static struct client *
client_of(struct conn *c)
{
	struct client *client = (struct client *)c;

	_Static_assert(offsetof(struct client, conn) == 0, "cast from conn");
	CHECK(client->magic == CLIENT_MAGIC);
	return client;
}

static const struct timeouts_config *
timeouts_of(const struct client *c)
{
	return &c->listener->snapshot->config->timeouts;
}

static void
idle_unlink(struct client *c)
{
	struct proxy *proxy = c->conn.worker->proxy;

	if (c->older)
		c->older->newer = c->newer;
	else
		proxy->idle_oldest = c->newer;
	if (c->newer)
		c->newer->older = c->older;
	else
		proxy->idle_newest = c->older;
}

static void
idle_link(struct client *c)
{
	struct proxy *proxy = c->conn.worker->proxy;

	c->newer = NULL;
	c->older = proxy->idle_newest;
	if (c->older)
		c->older->newer = c;
	else
		proxy->idle_oldest = c;
	proxy->idle_newest = c;
}

static void
client_become(struct client *c, enum client_state state)
{
	if (c->state == state)
		return;
	if (c->state == CLIENT_IDLE)
		idle_unlink(c);
	c->state = (uint8_t)state;
	if (state == CLIENT_IDLE)
		idle_link(c);
}

void
client_count_bytes(struct client *c)
{
	counter_add(&c->stats->bytes_in, c->conn.bytes_read - c->counted_in);
	counter_add(&c->stats->bytes_out, c->conn.bytes_sent - c->counted_out);
	c->counted_in = c->conn.bytes_read;
	c->counted_out = c->conn.bytes_sent;
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
static void
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

static void
linger_readable(struct client *c)
{
	struct span data;
	ssize_t n = conn_read(&c->conn, &data, SCRATCH_READ);

	if (n == 0 || (n < 0 && n != -EAGAIN))
		client_close(c, false);
}

/*
 * A head is parsed from its start each time more of it comes.  Long ones only when there is a whole line
 * more, or too much of one, so that a drip of bytes costs no more than a drip.
 */
static bool
worth_parsing(const struct span *data, size_t kept, const struct http_limits *limits)
{
	return kept < PARSE_ALWAYS || data->n > limits->target_size ||
	    memchr(data->p + kept, '\n', data->n - kept) != NULL;
}

static void
head_incomplete(struct client *c, const struct span *data)
{
	if (c->conn.eof) {
		client_close(c, false);
		return;
	}
	if (conn_keep(&c->conn, data->p, data->n) < 0) {
		exchange_refuse(c, NULL, END_OUT_OF_MEMORY);
		return;
	}
	if (c->state == CLIENT_IDLE &&
	    c->requests) /* the first head's runs since the connection is there */
		conn_deadline(&c->conn, timeouts_of(c)->client_header);
	client_become(c, CLIENT_HEAD);
	if (c->conn.tls)
		conn_tls_read_on(&c->conn);
}

/* RFC 9113 3.3: the client knows that we speak HTTP/2; true also if that is still open. */
static bool
preface_seen(struct client *c, const struct span *data)
{
	size_t n = data->n < h2_preface.n ? data->n : h2_preface.n;

	if (memcmp(data->p, h2_preface.p, n) != 0)
		return false;
	if (n < h2_preface.n)
		head_incomplete(c, data);
	else
		h2_connection_start(c, *data);
	return true;
}

static void
head_parse(struct client *c, struct span data, size_t kept)
{
	struct worker *w = c->conn.worker;
	const struct http_limits *limits = &c->listener->snapshot->config->limits.request;
	struct span rest;
	ssize_t eaten = 0;

	if (c->state == CLIENT_IDLE)
		c->head_started = w->now;
	if (c->requests == 0 && c->listener->conf->http2 && preface_seen(c, &data))
		return;
	if (worth_parsing(&data, kept, limits))
		eaten = h1_parse_request((struct str){ data.p, data.n }, limits, &w->head);
	if (eaten == 0) {
		head_incomplete(c, &data);
		return;
	}
	c->requests++;
	if (eaten < 0) {
		exchange_refuse(c, NULL, (enum termination) - eaten);
		return;
	}
	client_become(c, CLIENT_EXCHANGE);
	timer_clear(&c->conn.timer);
	conn_keep(&c->conn, NULL, 0);
	rest = (struct span){ data.p + eaten, data.n - (size_t)eaten };
	exchange_start(c, NULL, (size_t)eaten, rest);
}

/* `fed`: called for bytes that were kept while the exchange before ran. */
static void
head_readable(struct client *c, bool fed)
{
	struct span data;
	size_t kept = buffer_used(c->conn.in);
	ssize_t n;

	if (fed) {
		data = conn_kept(&c->conn);
		head_parse(c, data, 0);
		return;
	}
	n = conn_read(&c->conn, &data, HEAD_READ_MAX - kept);
	if (n == -EAGAIN)
		return;
	if (n <= 0)
		client_close(
		    c, false); /* between requests, or in the middle of a head: no answer is due */
	else
		head_parse(c, data, kept);
}

/* While an exchange no longer reads a body: later requests wait, within reason. */
static void
pipelined_readable(struct client *c)
{
	size_t kept = buffer_used(c->conn.in);
	struct span data;
	ssize_t n;

	if (kept >= PIPELINED_MAX) {
		conn_read_off(&c->conn);
		return;
	}
	n = conn_read(&c->conn, &data, PIPELINED_MAX - kept);
	if (n == -EAGAIN || n == 0) /* a client that only sends no more still gets its answer */
		return;
	if (n < 0 || conn_keep(&c->conn, data.p, data.n) < 0)
		client_close(c, false);
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
		head_readable(c, revents & EV_CUSTOM);
		break;
	case CLIENT_EXCHANGE:
		if (c->exchange->tunnel || !c->exchange->request_body.done)
			exchange_client_readable(c->exchange);
		else
			pipelined_readable(c);
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
	case CLIENT_LINGER:
		client_close(c, false);
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
	conn_deadline(&c->conn, timeouts_of(c)->client_header);
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
	conn_deadline(&c->conn, timeouts_of(c)->client_header);
	if (!data)
		head_readable(c, false);
	else if (data->n)
		head_parse(c, *data, 0);
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

/* What arrived meanwhile is looked at in the next round of events, not deeper in this one. */
static void
client_next(struct client *c)
{
	if (!c->conn.in && c->conn.eof) {
		client_close(c, false);
		return;
	}
	conn_read_on(&c->conn);
	if (!c->conn.in) {
		client_become(c, CLIENT_IDLE);
		conn_deadline(&c->conn, timeouts_of(c)->client_idle);
		return;
	}
	client_become(c, CLIENT_HEAD);
	c->head_started = c->conn.worker->now;
	conn_deadline(&c->conn, timeouts_of(c)->client_header);
	ev_feed_event(c->conn.worker->loop, &c->conn.read, EV_CUSTOM);
}

void
client_exchange_ended(struct client *c, bool keep_alive, bool linger)
{
	c->exchange = NULL;
	client_count_bytes(c);
	if (c->conn.broken)
		client_close(c, false);
	else if (keep_alive && !c->conn.worker->draining && !c->retired)
		client_next(c);
	else if (linger || c->conn.in || c->conn.out)
		client_linger(c);
	else
		client_close(c, false);
}

/* Of TLS, whole ones or the beginning of one: the socket no longer has them. */
static bool
has_records(const struct client *c)
{
	return c->conn.tls && (conn_tls_has_more(&c->conn) || tls_has_part(c->conn.tls));
}

/* Nothing of a next request is here, read or unread. */
static bool
client_is_silent(const struct client *c)
{
	char byte;

	return c->state == CLIENT_IDLE && !c->conn.in && !has_records(c) &&
	    recv(c->conn.read.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

bool
client_gives_way(const struct client *c)
{
	bool new = c->requests == 0 && c->conn.worker->now - c->accepted < NEW_NS;

	return !new &&client_is_silent(c);
}

bool
client_yields(const struct client *c)
{
	char byte;

	return atomic_load_explicit(&c->conn.worker->shared->yielding, memory_order_relaxed) &&
	    !c->conn.in && !has_records(c) &&
	    recv(c->conn.read.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

void
client_close_idle(struct client *c)
{
	if (c->h2)
		h2_connection_retire(c->h2);
	else if (client_is_silent(c))
		client_linger(c);
}

void
client_retire(struct client *c)
{
	if (c->h2) {
		h2_connection_retire(c->h2);
	} else if (client_is_silent(c)) { /* not one in TCP mode: it is never idle */
		client_close(c, false);
		return;
	}
	if (!c->retired)
		c->retired = snapshot_ref(c->listener->snapshot);
}

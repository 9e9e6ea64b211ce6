/* h2_connection.c - the socket, the turn and the end of an HTTP/2 connection. */
#include "lbd/proxy/h2_connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/clock.h"
#include "lbd/proxy/conn_tls.h"
#include "lbd/proxy/exchange.h"
#include "lbd/proxy/h2_line.h"
#include "lbd/proxy/h2_round.h"
#include "lbd/proxy/h2_wire.h"

static const int64_t GOAWAY_NS = NS_PER_S; /* to hear that the client knows we are ending */

const struct str h2_preface = STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

static struct h2_connection *
connection_of(void *arg)
{
	struct h2_connection *h = arg;

	CHECK(h->magic == H2_CONNECTION_MAGIC);
	return h;
}

static const struct timeouts_config *
timeouts_of(const struct h2_connection *h)
{
	return &h->client->listener->snapshot->config->timeouts;
}

void
h2_connection_wake(struct h2_connection *h)
{
	late_work_add(h->client->conn.worker->proxy, &h->turn);
}

/* --- requests --- */

/* The worker's head is a tunnel's; `key` is what its server must prove. */
static bool
tunnel_prepare(struct worker *w, char key[WEBSOCKET_KEY_SIZE])
{
	const uint64_t random[2] = { worker_random(w), worker_random(w) };

	websocket_key_make(random, key);
	return websocket_request(&w->head, key);
}

/* A stream that gets an answer, or why it is reset without one. */
static enum termination
stream_open(struct h2_connection *h, int32_t id, enum refusal refusal, size_t size,
    struct h2_stream **stream)
{
	if (refusal && refusal_status(refusal) == 400)
		return (enum termination)refusal;
	if (!h2_stream_may_hold(h, size))
		return END_CLIENT_LIMIT;
	*stream = h2_stream_new(h, id, size);
	return *stream ? END_OK : END_OUT_OF_MEMORY;
}

void *
h2_connection_request(void *arg, int32_t id, enum refusal refusal, size_t size)
{
	struct h2_connection *h = connection_of(arg);
	struct client *c = h->client;
	struct worker *w = c->conn.worker;
	struct h2_stream *s;
	enum termination why;

	c->requests++;
	c->head_started = w->now;
	why = stream_open(h, id, refusal, size, &s);
	if (why != END_OK) {
		exchange_refuse_silently(c, why);
		return NULL;
	}
	client_busy(c);
	s->incoming.chunked = w->head.framing == FRAMING_CHUNKED;
	if (!refusal && w->head.upgrade_websocket && !tunnel_prepare(w, s->websocket_key))
		refusal = REFUSE_FIELD_COUNT;
	if (refusal)
		exchange_refuse(c, s, (enum termination)refusal);
	else
		exchange_start(c, s, size, (struct span){ w->scratch, 0 });
	return s;
}

/* --- the turn --- */

static void
work_ready(struct h2_connection *h)
{
	struct h2_stream *s;

	while ((s = h->ready)) {
		h->ready = s->next_ready;
		s->ready = false;
		h2_stream_do_ready(s);
	}
}

static void
work_progressed(struct h2_connection *h)
{
	struct h2_stream *s;

	while ((s = h->progressed)) {
		h->progressed = s->next_progressed;
		s->progressed = false;
		h2_stream_do_progressed(s);
	}
}

/* False: there is still more. */
static bool
work_output(struct h2_connection *h)
{
	struct conn *c = &h->client->conn;
	bool sent = false, all = h2_wire_write(c, h->session, &sent);

	if (sent)
		h->out_since = c->worker->now;
	return all;
}

static void
timer_update(struct h2_connection *h)
{
	struct conn *c = &h->client->conn;
	int64_t at = TIMER_NEVER;

	if (c->out)
		at = h->out_since + timeouts_of(h)->client_body;
	else if (h2_session_in_head(h->session))
		at = h->head_since + timeouts_of(h)->client_header;
	else if (h->ending && !h->insisted)
		at = h->ending_since + GOAWAY_NS;
	else if (!h->streams)
		at = h->idle_since + timeouts_of(h)->client_idle;
	if (at == TIMER_NEVER)
		timer_clear(&c->timer);
	else
		timer_set(&c->worker->wheel, &c->timer, at);
}

/* The last word is said; the client still gets it. */
static void
connection_end(struct h2_connection *h)
{
	struct client *c = h->client;

	h2_connection_free(&c->h2);
	client_end(c);
}

static bool
must_end(const struct h2_connection *h)
{
	const struct client *c = h->client;
	const struct worker *w = c->conn.worker;

	if (w->draining || c->retired)
		return true;
	return c->requests > 0 && atomic_load_explicit(&w->shared->yielding, memory_order_relaxed);
}

/* Nothing is read while the client does not take what it was sent. */
static void
reading_update(struct h2_connection *h)
{
	struct conn *c = &h->client->conn;

	if (c->out)
		conn_read_off(c);
	else
		conn_read_on(c);
}

static void
idle_update(struct h2_connection *h)
{
	struct client *c = h->client;

	if (h->streams || c->state == CLIENT_IDLE)
		return;
	h->idle_since = c->conn.worker->now;
	client_idle(c);
}

static void
connection_turn(struct late_work *w)
{
	struct h2_connection *h = connection_of((char *)w - offsetof(struct h2_connection, turn));
	struct client *c = h->client;

	if (!h->ending && must_end(h))
		h2_connection_retire(h);
	work_ready(h);
	h2_line_release(h);
	if (!work_output(h))
		h2_connection_wake(h);
	work_progressed(h);
	client_count_bytes(c);
	if (c->conn.broken) {
		client_close(c, false);
	} else if (!c->conn.out && h2_session_over(h->session)) {
		connection_end(h);
	} else {
		if (!c->conn.in) /* all that came was looked at, and what had to be reset is gone */
			h2_line_serve(h);
		idle_update(h);
		reading_update(h);
		timer_update(h);
	}
}

/* --- the socket --- */

static void
connection_feed(struct h2_connection *h, struct span data)
{
	struct conn *c = &h->client->conn;
	struct worker *w = c->worker;
	bool in_head = h2_session_in_head(h->session);
	size_t used = h2_wire_feed(c, h->session, data);

	if (!in_head)
		h->head_since = w->now;
	h2_round_worked(w->proxy, h2_session_work(h->session) / H2_FEED_REQUEST);
	h2_connection_wake(h);
	if (conn_keep(c, w->proxy->h2_bytes + used, data.n - used) < 0)
		c->broken = true;
	else if (used < data.n || h->unread)
		h2_round_put(h);
}

static struct client *
client_of(struct conn *c)
{
	struct client *client = (struct client *)c;

	CHECK(client->magic == CLIENT_MAGIC);
	return client;
}

static void
connection_read(struct h2_connection *h)
{
	struct client *c = h->client;
	struct span data;
	ssize_t n = conn_read(&c->conn, &data, H2_READ_MAX);

	h->unread = false;
	if (n == -EAGAIN)
		return;
	if (n <= 0)
		client_close(c, false);
	else
		connection_feed(h, data);
}

void
h2_connection_go_on(struct h2_connection *h)
{
	struct conn *c = &h->client->conn;
	struct span kept = conn_kept(c);

	h2_connection_wake(h);
	if (kept.n)
		connection_feed(h, kept);
	else if (h->unread && !c->out)
		connection_read(h);
}

static void
on_readable(struct ev_loop *loop, ev_io *io, int revents)
{
	struct client *c = client_of(io->data);

	(void)loop;
	(void)revents;
	c->h2->unread = h2_round_over(c->conn.worker->proxy);
	if (c->h2->unread)
		h2_round_put(c->h2);
	else if (!c->h2->prev_behind)
		connection_read(c->h2);
}

static void
on_writable(struct ev_loop *loop, ev_io *io, int revents)
{
	struct client *c = client_of(io->data);

	(void)loop;
	(void)revents;
	if (conn_flush(&c->conn) == -EAGAIN)
		c->h2->out_since = c->conn.worker->now;
	h2_connection_wake(c->h2);
}

static void
on_expired(struct timer *t)
{
	struct client *c =
	    client_of((struct conn *)(void *)((char *)t - offsetof(struct conn, timer)));
	struct h2_connection *h = c->h2;

	if (c->conn.out) {
		client_close(c, true);
		return;
	}
	h2_connection_wake(h);
	if (h2_session_in_head(h->session)) {
		counter_add(&c->stats->rejected[END_CLIENT_HEADER_TIMEOUT], 1);
		h2_session_end(h->session);
	} else if (h->ending && !h->insisted) {
		h->insisted = true;
		h2_session_shutdown(h->session);
	} else {
		h2_session_end(h->session);
	}
}

static const struct conn_events events = { on_readable, on_writable, on_expired };

/* --- its life --- */

void
h2_connection_start(struct client *c, struct span data)
{
	struct worker *w = c->conn.worker;
	struct h2_connection *h = malloc(sizeof(*h));

	if (!h || h2_wire_init(w->proxy) < 0) {
		free(h);
		client_close(c, false);
		return;
	}
	*h = (struct h2_connection){
		.magic = H2_CONNECTION_MAGIC,
		.client = c,
		.line_end = &h->line,
		.turn = { .run = connection_turn },
		.idle_since = w->now,
		.head_since = w->now,
	};
	h->session = h2_session_new(
	    &h2_stream_events, h, &c->listener->snapshot->config->limits.request, &w->head);
	c->h2 = h;
	if (!h->session) {
		client_close(c, false);
		return;
	}
	conn_events_set(&c->conn, &events);
	conn_keep(&c->conn, NULL, 0);
	client_idle(c);
	connection_feed(h, data);
	conn_read_on(&c->conn);
}

void
h2_connection_blame(struct h2_connection *h, enum termination why)
{
	for (struct h2_stream *s = h->streams; s; s = s->next)
		if (s->exchange && s->exchange->termination == END_OK)
			s->exchange->termination = why;
}

void
h2_connection_retire(struct h2_connection *h)
{
	if (h->ending)
		return;
	h->ending = true;
	h->ending_since = h->client->conn.worker->now;
	h2_session_shutdown(h->session);
	h2_connection_wake(h);
}

static void
count_offence(struct h2_connection *h)
{
	enum h2_offence offence = h->session ? h2_session_offence(h->session) : H2_NO_OFFENCE;

	if (offence)
		counter_add(&h->client->stats->http2_cut[offence], 1);
}

void
h2_connection_free(struct h2_connection **hp)
{
	struct h2_connection *h = *hp;
	struct proxy *proxy = h->client->conn.worker->proxy;

	h2_round_remove(h);
	for (struct h2_stream *s = h->streams, *next; s; s = next) {
		next = s->next;
		s->closed = true; /* nothing more is said of it */
		h2_stream_cut(s);
		h2_stream_free(s);
	}
	*hp = NULL;
	count_offence(h);
	late_work_remove(proxy, &h->turn);
	h2_session_free(&h->session);
	h->magic = 0;
	free(h);
}

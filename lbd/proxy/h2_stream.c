/* h2_stream.c - bytes between an exchange and its stream, and what the session tells of that. */
#include "lbd/proxy/h2_stream.h"

#include <errno.h>
#include <string.h>

#include "common/check.h"
#include "lbd/http/body.h"
#include "lbd/proxy/exchange.h"
#include "lbd/proxy/h2_connection.h"
#include "lbd/proxy/h2_line.h"
#include "lbd/proxy/h2_upload.h"

enum {
	HELD_MAX = 160 * 1024, /* of a connection: beyond it each stream has a small buffer */
	HEADS_MAX = 512 * 1024,
	AHEAD_USUAL = 64 * 1024, /* beyond it windows of new streams are narrow ... */
	AHEAD_MAX = 256 * 1024, /* ... and beyond this none grows */
	ROOM_MIN = 1024
};

static struct h2_stream *
stream_of(void *arg)
{
	struct h2_stream *s = arg;

	CHECK(s->magic == H2_STREAM_MAGIC);
	return s;
}

static struct worker *
worker_of(const struct h2_stream *s)
{
	return s->connection->client->conn.worker;
}

static struct buffer_pool *
pool_of(const struct h2_stream *s)
{
	return &worker_of(s)->buffers;
}

static void
on_expired(struct timer *t)
{
	struct h2_stream *s = stream_of((char *)t - offsetof(struct h2_stream, timer));

	if (s->exchange)
		exchange_client_expired(s->exchange);
	else
		h2_stream_cut(s);
}

bool
h2_stream_may_hold(const struct h2_connection *h, size_t n)
{
	return !h->streams || h->heads + n <= HEADS_MAX;
}

static void
hold(struct h2_stream *s, size_t n)
{
	s->heads += n;
	s->connection->heads += n;
}

/* Half of it is for heads alone: they are refused beyond it, a copy is only left out. */
bool
h2_stream_hold_copy(struct h2_stream *s, size_t n)
{
	if (s->connection->heads + n > HEADS_MAX / 2)
		return false;
	hold(s, n);
	return true;
}

bool
h2_stream_ahead_room(const struct h2_stream *s)
{
	return s->connection->ahead + H2_WINDOW_ANSWER <= AHEAD_USUAL;
}

bool
h2_stream_ahead_take(struct h2_stream *s, size_t n)
{
	if (s->connection->ahead + n > AHEAD_MAX)
		return false;
	s->connection->ahead += n;
	return true;
}

void
h2_stream_ahead_add(struct h2_stream *s, ptrdiff_t n)
{
	s->connection->ahead += (size_t)n;
}

struct h2_stream *
h2_stream_new(struct h2_connection *h, int32_t id, size_t head_size)
{
	struct h2_stream *s = cache_get(&h->client->conn.worker->proxy->stream_cache);

	if (!s)
		return NULL;
	*s = (struct h2_stream){ .magic = H2_STREAM_MAGIC, .id = id, .connection = h };
	timer_init(&s->timer, on_expired);
	s->next = h->streams;
	s->prev = &h->streams;
	if (s->next)
		s->next->prev = &s->next;
	h->streams = s;
	hold(s, head_size);
	counter_add(&h->client->stats->http2_streams, 1);
	counter_add(&h->client->stats->http2_streams_total, 1);
	return s;
}

static void
list_remove(struct h2_stream **list, struct h2_stream *s, bool ready)
{
	while (*list && *list != s)
		list = ready ? &(*list)->next_ready : &(*list)->next_progressed;
	if (*list)
		*list = ready ? s->next_ready : s->next_progressed;
}

void
h2_stream_free(struct h2_stream *s)
{
	struct h2_connection *h = s->connection;
	struct worker *w = worker_of(s);

	CHECK(!s->exchange);
	if (s->ready)
		list_remove(&h->ready, s, true);
	if (s->progressed)
		list_remove(&h->progressed, s, false);
	*s->prev = s->next;
	if (s->next)
		s->next->prev = s->prev;
	timer_remove(&w->wheel, &s->timer);
	if (s->out)
		h->held -= s->out->size;
	h->heads -= s->heads;
	h2_incoming_fini(&s->incoming, w);
	buffer_put(&w->buffers, &s->out);
	buffer_put(&w->buffers, &s->trailers_out);
	counter_add(&h->client->stats->http2_streams, (uint64_t)-1);
	s->magic = 0;
	cache_put(&w->proxy->stream_cache, s);
}

/* --- the request --- */

static void
make_ready(struct h2_stream *s)
{
	struct h2_connection *h = s->connection;

	if (s->ready || !s->reading || !h2_incoming_has_more(&s->incoming))
		return;
	s->ready = true;
	s->next_ready = h->ready;
	h->ready = s;
	h2_connection_wake(h);
}

void
h2_stream_read_on(struct h2_stream *s)
{
	s->reading = true;
	make_ready(s);
}

void
h2_stream_do_ready(struct h2_stream *s)
{
	struct exchange *x;

	/* each time something is read, or `reading` ends */
	while (s->reading && h2_incoming_has_more(&s->incoming)) {
		x = s->exchange;
		if (!x || (!x->tunnel && x->request_body.done))
			return;
		exchange_client_readable(x);
	}
}

/* The client may send as much again. */
static void
consumed(struct h2_stream *s, size_t n)
{
	h2_session_consume(s->connection->session, s->closed ? 0 : s->id, n);
	h2_connection_wake(s->connection);
}

ssize_t
h2_stream_read(struct h2_stream *s, struct span *data, size_t most)
{
	size_t taken;
	ssize_t n = h2_incoming_read(&s->incoming, worker_of(s), data, most, &taken);

	if (taken) {
		consumed(s, taken);
		h2_upload_taken(s, taken);
	}
	return n;
}

static void
on_data(void *arg, const char *p, size_t n)
{
	struct h2_stream *s = stream_of(arg);

	if (!s->exchange) {
		consumed(s, n); /* nobody wants it any more */
		return;
	}
	if (buffer_append(pool_of(s), &s->incoming.body, p, n) < 0) {
		consumed(s, n);
		h2_stream_cut(s);
		return;
	}
	make_ready(s);
}

/* A body of known length has none in HTTP/1. */
static int
trailers_keep(struct h2_stream *s, struct str trailers)
{
	if (trailers.n == 0)
		return 0;
	if (!h2_stream_may_hold(s->connection, trailers.n))
		return -ENOBUFS;
	hold(s, trailers.n);
	return buffer_append(pool_of(s), &s->incoming.trailers, trailers.p, trailers.n);
}

static void
on_end(void *arg, struct str trailers)
{
	struct h2_stream *s = stream_of(arg);

	s->incoming.ended = true;
	if (s->incoming.chunked && s->exchange && trailers_keep(s, trailers) < 0) {
		h2_stream_cut(s);
		return;
	}
	make_ready(s);
}

/* --- the answer --- */

/* How much may wait for the client.  Less, once the other streams have much. */
static size_t
share(const struct h2_stream *s)
{
	size_t others = s->connection->held - (s->out ? s->out->size : 0);

	return others + BUFFER_LARGE_SIZE <= HELD_MAX ? BUFFER_LARGE_SIZE : BUFFER_SMALL_SIZE;
}

bool
h2_stream_full(const struct h2_stream *s)
{
	return buffer_used(s->out) >= share(s);
}

/* Others may have filled up since it was asked last: then it takes a little, and is full. */
size_t
h2_stream_room(const struct h2_stream *s)
{
	return h2_stream_full(s) ? ROOM_MIN : share(s) - buffer_used(s->out);
}

bool
h2_stream_may_answer(const struct h2_stream *s, size_t n)
{
	return s->connection->held + n <= HELD_MAX;
}

int
h2_stream_send(struct h2_stream *s, const char *p, size_t n)
{
	const struct buffer *before = s->out;
	size_t size = before ? before->size : 0;
	int err;

	if (n == 0)
		return 0;
	err = buffer_append(pool_of(s), &s->out, p, n);
	s->connection->held += (s->out ? s->out->size : 0) - size;
	if (err)
		return err;
	if (!before)
		h2_session_resume(s->connection->session, s->id);
	h2_connection_wake(s->connection);
	return 0;
}

int
h2_stream_flush(const struct h2_stream *s)
{
	if (h2_stream_pending(s))
		return s->closed ? -EPIPE : -EAGAIN;
	return 0;
}

int
h2_stream_respond(struct h2_stream *s, const struct http_head *head, struct span data, bool end)
{
	int err = h2_session_respond(s->connection->session, s->id, head, end && data.n == 0);

	h2_connection_wake(s->connection);
	return err ? err : h2_stream_send(s, data.p, data.n);
}

int
h2_stream_answer(struct h2_stream *s, const char *p, size_t n)
{
	static const struct http_limits limits = { .head_size = FORMAT_SIZE,
		.fields = HTTP_FIELDS_MAX };
	struct h1_expected expected = { METHOD_GET, false };
	struct http_head *head = &worker_of(s)->head;
	ssize_t eaten = h1_parse_response((struct str){ p, n }, &limits, expected, head);
	int err;

	CHECK(eaten > 0);
	p += eaten;
	n -= (size_t)eaten;
	err = h2_stream_respond(s, head, (struct span){ NULL, 0 }, n == 0);
	return err ? err : h2_stream_send(s, p, n);
}

void
h2_stream_refuse(struct h2_stream *s, const char *p, size_t n)
{
	struct worker *w = worker_of(s);

	if (h2_stream_answer(s, p, n) < 0) {
		h2_stream_cut(s);
		return;
	}
	h2_stream_finish(s);
	timer_set(&w->wheel, &s->timer,
	    w->now + s->connection->client->listener->snapshot->config->timeouts.client_body);
}

int
h2_stream_trailers(struct h2_stream *s, const char *p, size_t n)
{
	return buffer_append(pool_of(s), &s->trailers_out, p, n);
}

void
h2_stream_finish(struct h2_stream *s)
{
	if (s->finished)
		return;
	s->finished = true;
	h2_session_resume(s->connection->session, s->id);
	h2_connection_wake(s->connection);
}

void
h2_stream_cut(struct h2_stream *s)
{
	if (s->exchange)
		exchange_client_gone(s->exchange);
	if (s->closed)
		return;
	h2_session_reset(s->connection->session, s->id);
	h2_connection_wake(s->connection);
}

void
h2_stream_exchange_ended(struct h2_stream *s)
{
	size_t unread = buffer_used(s->incoming.body);

	timer_clear(&s->timer);
	h2_line_leave(s);
	h2_upload_end(s);
	if (unread)
		consumed(s, unread);
	buffer_put(pool_of(s), &s->incoming.body);
}

static size_t
on_waiting(void *arg, bool *end)
{
	const struct h2_stream *s = stream_of(arg);

	*end = s->finished;
	return buffer_used(s->out);
}

static void
make_progressed(struct h2_stream *s)
{
	struct h2_connection *h = s->connection;

	if (s->progressed)
		return;
	s->progressed = true;
	s->next_progressed = h->progressed;
	h->progressed = s;
}

static void
on_take(void *arg, char *to, size_t n)
{
	struct h2_stream *s = stream_of(arg);

	if (n == 0)
		return;
	if (s->on_credit)
		h2_line_leave(s);
	if (buffer_take(s->out, to, n)) {
		s->connection->held -= s->out->size;
		buffer_put(pool_of(s), &s->out);
	}
	make_progressed(s);
}

static struct str
on_trailers(void *arg)
{
	return buffer_text(stream_of(arg)->trailers_out);
}

static void
on_sent(void *arg, size_t bytes, bool end)
{
	struct h2_stream *s = stream_of(arg);

	s->bytes_sent += bytes;
	if (!end)
		return;
	s->end_sent = true;
	make_progressed(s);
}

void
h2_stream_do_progressed(struct h2_stream *s)
{
	struct exchange *x = s->exchange;

	if (x && (x->take_by != TIMER_NEVER || x->tunnel))
		exchange_client_writable(x);
}

/* A tunnel whose both sides have ended may still owe the server something. */
static void
closed_exchange(struct h2_stream *s)
{
	if (s->exchange->tunnel && h2_incoming_has_more(&s->incoming)) {
		s->reading = true;
		h2_stream_do_ready(s);
	}
	if (s->exchange && s->end_sent)
		exchange_client_writable(s->exchange);
	if (s->exchange)
		exchange_client_gone(s->exchange);
}

static void
on_closed(void *arg, enum h2_closing how)
{
	struct h2_stream *s = stream_of(arg);
	struct stats_listener *stats = s->connection->client->stats;

	(void)how;
	s->closed = true;
	if (!s->end_sent && s->exchange)
		counter_add(&stats->http2_resets, 1);
	if (s->exchange)
		closed_exchange(s);
	h2_connection_wake(s->connection);
	h2_stream_free(s);
}

const struct h2_events h2_stream_events = {
	.request = h2_connection_request,
	.data = on_data,
	.end = on_end,
	.closed = on_closed,
	.waiting = on_waiting,
	.take = on_take,
	.trailers = on_trailers,
	.sent = on_sent,
};

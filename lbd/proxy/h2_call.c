/* h2_call.c - bytes between an exchange and its stream to a server, and what the session tells of that. */
#include "lbd/proxy/h2_call.h"

#include <errno.h>
#include <string.h>

#include "common/check.h"
#include "lbd/proxy/exchange.h"
#include "lbd/proxy/h2_server.h"
#include "lbd/proxy/h2_stream.h"

static struct h2_call *
call_of(void *arg)
{
	struct h2_call *c = arg;

	CHECK(c->magic == H2_CALL_MAGIC);
	return c;
}

static struct worker *
worker_of(const struct h2_call *c)
{
	return h2_server_conn(c->server)->worker;
}

static struct buffer_pool *
pool_of(const struct h2_call *c)
{
	return &worker_of(c)->buffers;
}

static struct h2_session *
session_of(const struct h2_call *c)
{
	return c->closed ? NULL : c->server->session;
}

/* The server is silent; or a stream that was complete for us is not for it. */
static void
on_expired(struct timer *t)
{
	struct h2_call *c = call_of((char *)t - offsetof(struct h2_call, timer));

	if (c->exchange) {
		h2_server_probe(c->server);
		exchange_upstream_expired(c->exchange);
	} else if (session_of(c)) {
		h2_session_reset(session_of(c), c->id);
		h2_server_wake(c->server);
	}
}

struct h2_call *
h2_call_new(struct h2_server *h, struct exchange *x)
{
	struct h2_call *c = cache_get(&h2_server_conn(h)->worker->proxy->call_cache);

	if (!c)
		return NULL;
	*c = (struct h2_call){
		.magic = H2_CALL_MAGIC,
		.server = h,
		.exchange = x,
		.reused = h2_server_open(h) && h->n_calls == 0,
		.tunnel = x->wants_upgrade,
		.told =
		    x->wants_upgrade ? h2_server_tunnels(h) == H2_TUNNELS_TAKEN : h2_server_open(h),
		.reading = true,
		.window = h->window,
	};
	if (x->stream)
		h2_stream_ahead_add(x->stream, c->window);
	timer_init(&c->timer, on_expired);
	if (c->tunnel && !c->told) /* what the server takes is to be known by then */
		timer_set(&worker_of(c)->wheel, &c->timer,
		    worker_of(c)->now + exchange_timeouts(x)->connect);
	body_init(&c->body, x->request_body.framing, 0, BODY_PAYLOAD, true);
	h2_server_add(h, c);
	return c;
}

static void
buffers_put(struct h2_call *c)
{
	struct worker *w = worker_of(c);

	h2_incoming_fini(&c->incoming, w);
	buffer_put(&w->buffers, &c->out);
	buffer_put(&w->buffers, &c->trailers_out);
}

void
h2_call_free(struct h2_call *c)
{
	struct worker *w = worker_of(c);

	CHECK(!c->exchange);
	buffers_put(c);
	timer_remove(&w->wheel, &c->timer);
	h2_server_remove(c->server, c);
	c->magic = 0;
	cache_put(&w->proxy->call_cache, c);
}

void
h2_call_release(struct h2_call **cp, bool complete)
{
	struct h2_call *c = *cp;
	struct worker *w = worker_of(c);
	int64_t patience = c->exchange->snapshot->config->timeouts.response;

	*cp = NULL;
	if (c->exchange->stream)
		h2_stream_ahead_add(c->exchange->stream, -(ptrdiff_t)c->window);
	c->exchange = NULL;
	c->server->n_used--;
	h2_server_wake(c->server);
	if (!session_of(c) || c->id == 0) {
		h2_call_free(c);
		return;
	}
	if (complete && c->finished) {
		h2_incoming_fini(&c->incoming, w);
		timer_set(&w->wheel, &c->timer, w->now + patience); /* for its END_STREAM */
		return;
	}
	timer_clear(&c->timer);
	buffers_put(c);
	h2_session_reset(session_of(c), c->id);
}

static void
make_ready(struct h2_call *c)
{
	if (c->ready)
		return;
	c->ready = true;
	c->next_ready = c->server->ready;
	c->server->ready = c;
	h2_server_wake(c->server);
}

/* Something of the answer, its end, or that there will be none. */
static bool
has_more(const struct h2_call *c)
{
	return h2_incoming_has_more(&c->incoming) || (c->closed && !c->incoming.ended);
}

void
h2_call_do_ready(struct h2_call *c)
{
	if (c->drained && c->exchange) {
		c->drained = false;
		exchange_upstream_writable(c->exchange);
	}
	/* each time something is read, `reading` ends, or the exchange lets go */
	while (c->exchange && c->reading && c->told && has_more(c))
		exchange_upstream_readable(c->exchange);
	if (c->exchange)
		exchange_upstream_quiet(c->exchange);
}

/* --- the request --- */

int
h2_call_ask(struct h2_call *c, const char *head, size_t n)
{
	const struct exchange *x = c->exchange;
	enum h2_follows follows = x->request_body.framing == FRAMING_NONE ? H2_NOTHING : H2_BODY;
	struct str scheme = h2_server_conn(c->server)->tls ? STR("https") : STR("http");

	if (!session_of(c))
		return -EPIPE;
	if (c->tunnel)
		follows = H2_WEBSOCKET;
	c->finished = follows == H2_NOTHING;
	c->id = h2_session_ask(session_of(c), (struct str){ head, n }, scheme, follows, c);
	h2_server_wake(c->server);
	if (c->id > 0)
		return 0;
	c->id = 0;
	return -ENOMEM;
}

/* What was appended last loses its chunks; trailers go where they belong. */
static int
unframe(struct h2_call *c, size_t n)
{
	char *p = c->out->data + c->out->end - n;
	struct body_step step = body_decode(&c->body, p, n);

	CHECK(!step.refusal && step.eaten == n); /* we framed it ourselves, in whole lines */
	c->out->end -= (uint32_t)(n - step.out);
	if (c->out->start == c->out->end)
		buffer_put(pool_of(c), &c->out);
	if (step.trailers)
		return buffer_append(pool_of(c), &c->trailers_out, p + step.out, step.trailers);
	return 0;
}

int
h2_call_send(struct h2_call *c, const char *p, size_t n, bool end)
{
	int err;

	if (!session_of(c))
		return -EPIPE;
	if (n == 0 && !end)
		return 0;
	err = n ? buffer_append(pool_of(c), &c->out, p, n) : 0;
	if (!err && n && c->body.framing == FRAMING_CHUNKED)
		err = unframe(c, n);
	if (err)
		return err;
	c->finished = end;
	h2_session_resume(session_of(c), c->id);
	h2_server_wake(c->server);
	return 0;
}

void
h2_call_shutdown(struct h2_call *c)
{
	c->finished = true;
	if (!session_of(c))
		return;
	h2_session_resume(session_of(c), c->id);
	h2_server_wake(c->server);
}

static size_t
on_waiting(void *arg, bool *end)
{
	const struct h2_call *c = call_of(arg);

	*end = c->finished;
	return buffer_used(c->out);
}

static void
on_take(void *arg, char *to, size_t n)
{
	struct h2_call *c = call_of(arg);

	if (n == 0 || !buffer_take(c->out, to, n))
		return;
	buffer_put(pool_of(c), &c->out);
	c->drained = true;
	make_ready(c);
}

static struct str
on_trailers(void *arg)
{
	return buffer_text(call_of(arg)->trailers_out);
}

static void
on_sent(void *arg, size_t bytes, bool end)
{
	struct h2_call *c = call_of(arg);

	(void)bytes;
	c->left = true;
	c->end_sent |= end;
	if (end && c->tunnel) {
		c->drained = true;
		make_ready(c);
	}
}

/* --- the answer --- */

static bool
on_awaits(void *arg)
{
	return !call_of(arg)->answered;
}

static void
on_response(void *arg, enum refusal refusal, bool end)
{
	struct h2_call *c = call_of(arg);
	struct exchange *x = c->exchange;
	struct http_head *head = &worker_of(c)->head;

	(void)end;
	c->answered = head->status >= 200;
	if (!x)
		return;
	if (x->method == METHOD_HEAD)
		head->framing = FRAMING_NONE;
	c->incoming.chunked =
	    head->framing == FRAMING_CHUNKED && !(c->tunnel && head->status / 100 == 2);
	if (refusal)
		exchange_answer(x, END_SERVER_BAD_RESPONSE);
	else
		exchange_upstream_head(x);
	if (c->exchange && c->exchange->head)
		make_ready(c);
}

static void
on_data(void *arg, const char *p, size_t n)
{
	struct h2_call *c = call_of(arg);

	if (!c->exchange) {
		h2_session_consume(c->server->session, c->id, n);
		return;
	}
	if (buffer_append(pool_of(c), &c->incoming.body, p, n) < 0)
		h2_session_reset(c->server->session, c->id);
	make_ready(c);
}

static void
on_end(void *arg, struct str trailers)
{
	struct h2_call *c = call_of(arg);

	if (c->incoming.chunked && trailers.n && c->exchange &&
	    buffer_append(pool_of(c), &c->incoming.trailers, trailers.p, trailers.n) < 0) {
		h2_session_reset(c->server->session, c->id);
		return;
	}
	c->incoming.ended = true;
	make_ready(c);
}

static void
on_closed(void *arg, enum h2_closing how)
{
	struct h2_call *c = call_of(arg);

	c->closed = true;
	c->how = c->left ? how : H2_UNSEEN;
	if (c->exchange)
		make_ready(c);
	else
		h2_call_free(c);
}

void
h2_call_lost(struct h2_call *c)
{
	on_closed(c, H2_CLOSED);
}

/* To a client that has read what it was sent more may come, unless it has much to read already. */
static void
widen(struct h2_call *c)
{
	struct h2_stream *s = c->exchange->stream;
	uint32_t window = c->window < H2_WINDOW_ANSWER ? H2_WINDOW_ANSWER : H2_WINDOW_WIDE;

	if (s && (s->out || !h2_stream_ahead_take(s, window - c->window)))
		return;
	c->window = window;
	h2_session_widen(session_of(c), c->id, window);
}

/* The server may send as much again. */
static void
consumed(struct h2_call *c, size_t n)
{
	c->taken += n;
	if (!session_of(c))
		return;
	h2_session_consume(session_of(c), c->id, n);
	if (c->window < H2_WINDOW_WIDE && c->taken >= 2 * (uint64_t)c->window)
		widen(c);
	h2_server_wake(c->server);
}

ssize_t
h2_call_read(struct h2_call *c, struct span *data, size_t most)
{
	size_t taken;
	ssize_t n = h2_incoming_read(&c->incoming, worker_of(c), data, most, &taken);

	if (taken)
		consumed(c, taken);
	return n == -EAGAIN && c->closed ? -ECONNRESET : n;
}

void
h2_call_read_on(struct h2_call *c)
{
	c->reading = true;
	if (has_more(c))
		make_ready(c);
}

const struct h2_events h2_call_events = {
	.data = on_data,
	.end = on_end,
	.closed = on_closed,
	.waiting = on_waiting,
	.take = on_take,
	.trailers = on_trailers,
	.sent = on_sent,
	.response = on_response,
	.awaits = on_awaits,
};

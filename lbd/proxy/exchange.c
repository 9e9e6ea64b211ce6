/* exchange.c - the course of an exchange: its start, its timers, its end. */
#include "lbd/proxy/exchange.h"

#include <errno.h>
#include <string.h>

#include "common/check.h"
#include "common/clock.h"
#include "lbd/http/forwarding.h"
#include "lbd/proxy/admission.h"
#include "lbd/proxy/affinity.h"
#include "lbd/proxy/downstream.h"
#include "lbd/proxy/edit.h"
#include "lbd/proxy/h2_line.h"
#include "lbd/proxy/origin.h"
#include "lbd/proxy/queue.h"
#include "lbd/proxy/requester.h"
#include "lbd/proxy/route.h"
#include "lbd/tls/peer.h"

/* What a head may grow by, apart from a blank in each field, three times the
 * authority, and the client's certificate. */
enum {
	ADDED_MAX = 512,
	LINE_OVERHEAD = 4 /* ": " CRLF */
};

static const int64_t WATCH_AFTER_NS = 10 * NS_PER_MS;
static const struct str VIA = { "lbpair", 6 };

/* The eight digits of 32 bits, all at once: a nibble a byte, then '0' or 'a' - 10 added. */
static uint64_t
hex_of(uint32_t v)
{
	uint64_t n = v, letters;

	n = (n | n << 16) & UINT64_C(0x0000ffff0000ffff);
	n = (n | n << 8) & UINT64_C(0x00ff00ff00ff00ff);
	n = (n | n << 4) & UINT64_C(0x0f0f0f0f0f0f0f0f);
	letters = (n + UINT64_C(0x0606060606060606)) >> 4 & UINT64_C(0x0101010101010101);
	return n + UINT64_C(0x3030303030303030) + letters * ('a' - '0' - 10);
}

static void
request_id_make(struct worker *w, char id[REQUEST_ID_SIZE])
{
	uint64_t a = worker_random(w), b = worker_random(w);
	uint64_t text[REQUEST_ID_SIZE / 8] = {
		hex_of((uint32_t)a),
		hex_of((uint32_t)(a >> 32)),
		hex_of((uint32_t)b),
		hex_of((uint32_t)(b >> 32)),
	};

	memcpy(id, text, REQUEST_ID_SIZE);
}

/* What the server is told of the client's certificate.  The bytes that it takes, or -ENOMEM. */
static ssize_t
peer_tell(const struct exchange *x, struct forward_line lines[TLS_PEER_VALUES], unsigned *n)
{
	const struct tls_config *conf = &x->listener->tls;
	const struct tls_peer *peer;
	size_t size = 0;

	*n = 0;
	if (conf->client_verify == TLS_VERIFY_OFF || !x->client->conn.tls)
		return 0;
	peer = tls_peer(x->client->conn.tls);
	if (!peer)
		return -ENOMEM;
	for (int i = 0; i < TLS_PEER_VALUES; i++) {
		struct forward_line line = { conf->client_headers.name[i], peer->values[i] };

		if (line.name.n == 0 || line.value.n == 0)
			continue;
		lines[(*n)++] = line;
		size += line.name.n + line.value.n + LINE_OVERHEAD;
	}
	return (ssize_t)size;
}

/* What the configuration changes in the head, and the bytes that it may grow by.  False: there is no room. */
static bool
head_edit(struct exchange *x, struct http_head *head, struct forward *f, size_t *grown)
{
	unsigned n = head->n_fields;

	*grown = 0;
	if (!x->pool)
		return true;
	if (x->route && x->route->changes && x->route->replace_prefix.p) {
		route_rewrite(exchange_worker(x), x->route);
		*grown += x->route->replace_prefix.n + 1;
	}
	if (!edit_request(x, forwarding_request_id(head, f), &f->host))
		return false;
	*grown += f->host.n;
	for (; n < head->n_fields; n++)
		*grown += head->fields[n].name.n + head->fields[n].value.n + LINE_OVERHEAD;
	return true;
}

/* Writes the head for the server.  END_OK, or why not. */
static enum termination
head_format(struct exchange *x, struct http_head *head, size_t head_size)
{
	const struct lbd_config *config = x->snapshot->config;
	struct forward_line lines[TLS_PEER_VALUES];
	struct worker *w = exchange_worker(x);
	char id[REQUEST_ID_SIZE];
	struct forward f = {
		.client = client_address(x->client),
		.proto = x->client->conn.tls ? STR("https") : STR("http"),
		.request_id = { id, sizeof(id) },
		.via = VIA,
		.default_host = config->node,
		.trusted = requester_is_trusted(x->client),
		.x_forwarded = x->listener->forwarded.x_forwarded,
		.rfc7239 = x->listener->forwarded.rfc7239,
		.lines = lines,
	};
	struct writer out;
	size_t authority = head->host.n > f.default_host.n ? head->host.n : f.default_host.n;
	ssize_t told = peer_tell(x, lines, &f.n_lines);
	size_t grown;

	if (told < 0)
		return END_OUT_OF_MEMORY;
	if (config->n_reserved)
		forwarding_reserve(head, config->reserved, config->n_reserved);
	request_id_make(w, id);
	if (!head_edit(x, head, &f, &grown))
		return (enum termination)REFUSE_HEAD_SIZE;
	x->request = buffer_get(&w->buffers,
	    head_size + head->n_fields + ADDED_MAX + 3 * authority + (size_t)told + grown);
	if (!x->request)
		return END_OUT_OF_MEMORY;
	out = (struct writer){ x->request->data, x->request->data + x->request->size, false };
	h1_format_request(&out, head, &f, &x->sent);
	CHECK(!out.overflow);
	x->request->end = (uint32_t)(out.p - x->request->data);
	return END_OK;
}

/* NULL: none, lbd answers itself. */
static struct pool *
pool_of(const struct client *c, const struct route_config *route)
{
	const struct listener *l = c->listener;

	if (l->conf->redirect.status || (route && !route->n_shares))
		return NULL;
	return &l->snapshot->pools[route ? route_pool(c->conn.worker, route) : l->conf->pool];
}

static void
exchange_init(struct exchange *x, struct client *c, struct h2_stream *stream,
    const struct route_config *route, size_t head_size)
{
	const struct http_head *head = &c->conn.worker->head;
	*x = (struct exchange){
		.magic = EXCHANGE_MAGIC,
		.client = c,
		.stream = stream,
		.snapshot = snapshot_ref(c->listener->snapshot),
		.pool = pool_of(c, route),
		.listener = c->listener->conf,
		.route = route,
		.method = head->method_id,
		.minor = (uint8_t)head->minor,
		.keep_alive = head->keep_alive,
		.wants_upgrade = head->upgrade_websocket,
		.te_trailers = head->te_trailers,
		.expects_continue = head->expect_continue,
		.replayable = true,
		.sticky = STICKY_NONE,
		.started = c->head_started,
		.take_by = TIMER_NEVER,
		.body_by = TIMER_NEVER,
		.try_by = TIMER_NEVER,
		.connect_ns = -1,
		.response_ns = -1,
		.bytes_in = head_size,
	};
	*downstream_exchange(x) = x;
	x->sent_before = downstream_bytes_sent(x);
}

static void
exchange_free(struct exchange *x)
{
	struct worker *w = exchange_worker(x);

	CHECK(!x->upstream);
	buffer_put(&w->buffers, &x->request);
	buffer_put(&w->buffers, &x->held);
	buffer_put(&w->buffers, &x->head);
	snapshot_unref(&x->snapshot);
	*downstream_exchange(x) = NULL;
	if (x->stream)
		h2_stream_exchange_ended(x->stream);
	x->magic = 0;
	cache_put(&w->proxy->exchange_cache, x);
}

void
exchange_client_timer(struct exchange *x)
{
	struct timer *t = downstream_timer(x);
	int64_t at = x->take_by < x->body_by ? x->take_by : x->body_by;

	if (at == TIMER_NEVER)
		timer_clear(t);
	else
		timer_set(&exchange_worker(x)->wheel, t, at);
}

void
exchange_await_reader(struct exchange *x)
{
	x->take_by = exchange_worker(x)->now + exchange_timeouts(x)->client_body;
	exchange_client_timer(x);
}

void
exchange_reader_came(struct exchange *x)
{
	x->take_by = TIMER_NEVER;
	exchange_client_timer(x);
}

/* The last byte for the client is with its socket. */
static void
exchange_end(struct exchange *x)
{
	struct client *c = x->client;
	bool keep_alive = x->keep_alive, linger = !x->request_body.done;
	bool stream = x->stream;

	exchange_record(x);
	exchange_free(x);
	if (!stream)
		client_exchange_ended(c, keep_alive, linger);
}

void
exchange_complete(struct exchange *x)
{
	x->response_done = true;
	if (!x->request_body.done)
		x->keep_alive = false;
	exchange_release_server(x, x->server_keep_alive && x->request_body.done);
	downstream_finish(x);
	if (x->stream)
		h2_line_leave(x->stream);
	if (downstream_broken(x)) {
		downstream_cut(x, false);
	} else if (downstream_pending(x)) {
		if (!x->request_body.done)
			downstream_read_off(x);
		x->body_by = TIMER_NEVER;
		exchange_await_reader(x);
	} else {
		exchange_end(x);
	}
}

static bool
is_servers_fault(enum termination why)
{
	return why == END_SERVER_RESET || why == END_SERVER_TIMEOUT ||
	    why == END_SERVER_BAD_RESPONSE;
}

void
exchange_cut(struct exchange *x, enum termination why)
{
	if (is_servers_fault(why))
		exchange_tell(x, CIRCUIT_BROKEN);
	if (x->termination == END_OK)
		x->termination = why;
	/* a body that ends with the connection looks complete unless that is reset */
	downstream_cut(x, x->responding && (x->minor == 0 || x->until_close));
}

void
exchange_client_gone(struct exchange *x)
{
	if (x->termination == END_OK && !(x->tunnel && x->response_done))
		x->termination = END_CLIENT_CLOSED;
	if (x->waiter.pool)
		queue_remove(&x->waiter);
	tunnel_gone(x);
	exchange_release_server(x, false);
	exchange_record(x);
	exchange_free(x);
}

/*
 * A new connection is not watched while its first answer is quick: many have only the one request, and
 * are spared the epoll_ctl.  Otherwise we want to see it when the client goes away.
 */
static void
watch_client_later(struct client *c)
{
	const struct exchange *x = c->exchange;

	if (x->waiter.pool || ev_is_active(&c->conn.read) || !x->request_body.done || c->conn.out)
		return;
	conn_deadline(&c->conn, WATCH_AFTER_NS);
}

/* RFC 9110 15.5.20: a client that has more than one name of ours, or lies. */
static bool
is_misdirected(const struct client *c, const struct http_head *head)
{
	return c->conn.tls && head->host.n && !tls_serves(c->conn.tls, head->host);
}

/* Its route (NULL: none), or why nothing comes of it. */
static enum termination
head_judge(struct client *c, const struct route_config **route)
{
	*route = NULL;
	if (is_misdirected(c, &c->conn.worker->head))
		return (enum termination)REFUSE_MISDIRECTED;
	return c->listener->conf->router ? (enum termination)route_find(c, route) : END_OK;
}

void
exchange_start(struct client *c, struct h2_stream *stream, size_t head_size, struct span rest)
{
	struct worker *w = c->conn.worker;
	const struct route_config *route;
	enum termination why = head_judge(c, &route), denied = END_OK;
	uint32_t retry_after = 0;
	struct exchange *x;

	if (why != END_OK) {
		exchange_refuse(c, stream, why);
		return;
	}
	if (c->listener->conf->guarded)
		denied = admission_request(c, route, &retry_after);
	x = cache_get(&w->proxy->exchange_cache);
	if (!x) {
		exchange_refuse(c, stream, END_OUT_OF_MEMORY);
		return;
	}
	exchange_init(x, c, stream, route, head_size);
	if (denied != END_OK)
		x->pool = NULL;
	x->retry_after = retry_after;
	if (x->listener->forwarded.trusted)
		x->named_n = (uint8_t)requester_name(c, x->named);
	why = x->pool ? affinity_read(x) : END_OK;
	if (why == END_OK)
		why = head_format(x, &w->head, head_size);
	if (why == END_OK)
		why = request_start(x, rest);
	if (why == END_OK)
		why = denied;
	if (why != END_OK) {
		exchange_answer(x, why);
		return;
	}
	if (!x->pool) {
		exchange_answer_own(x);
		return;
	}
	retry_budget_request(
	    &w->proxy->shared->requests[w->id * SERVER_POOLS_MAX + x->pool->conf->id], w->now);
	if (stream) {
		h2_line_add(stream);
		return;
	}
	exchange_try_first(x);
	if (c->exchange == x)
		watch_client_later(c);
}

void
exchange_upstream_readable(struct exchange *x)
{
	CHECK(x->magic == EXCHANGE_MAGIC);
	if (x->tunnel)
		tunnel_server_readable(x);
	else
		response_readable(x);
}

void
exchange_upstream_writable(struct exchange *x)
{
	CHECK(x->magic == EXCHANGE_MAGIC);
	if (x->tunnel)
		tunnel_server_writable(x);
	else if (origin_flush(x) == 0)
		request_resume(x);
	/* broken: the read watcher tells what came before it broke */
}

/* The server's silence counts only while it is the server's turn: one of the two is always timed. */
static bool
waits_for_client(const struct exchange *x)
{
	return x->take_by != TIMER_NEVER || x->body_by != TIMER_NEVER;
}

void
exchange_upstream_expired(struct exchange *x)
{
	CHECK(x->magic == EXCHANGE_MAGIC);
	if (x->tunnel)
		tunnel_expired(x);
	else if (waits_for_client(x)) {
		x->try_by = TIMER_NEVER;
		origin_deadline(x, exchange_timeouts(x)->response);
	} else if (x->responding)
		exchange_cut(x, END_SERVER_TIMEOUT);
	else
		exchange_try_failed(x, TRY_TIMEOUT, END_SERVER_TIMEOUT);
}

void
exchange_client_readable(struct exchange *x)
{
	CHECK(x->magic == EXCHANGE_MAGIC);
	if (x->tunnel)
		tunnel_client_readable(x);
	else
		request_readable(x);
}

void
exchange_client_writable(struct exchange *x)
{
	int r;

	CHECK(x->magic == EXCHANGE_MAGIC);
	if (x->tunnel) {
		tunnel_client_writable(x);
		return;
	}
	r = downstream_flush(x);
	if (r == -EAGAIN) {
		exchange_await_reader(x);
		return;
	}
	if (r < 0) {
		downstream_cut(x, false);
		return;
	}
	exchange_reader_came(x);
	if (x->response_done)
		exchange_end(x);
	else
		response_resume(x);
}

void
exchange_client_expired(struct exchange *x)
{
	int64_t now = exchange_worker(x)->now;

	CHECK(x->magic == EXCHANGE_MAGIC);
	if (x->waiter.pool) {
		queue_remove(&x->waiter);
		exchange_answer(x, END_QUEUE_TIMEOUT);
	} else if (now >= x->take_by)
		exchange_cut(x, END_CLIENT_STALLED);
	else if (now >= x->body_by)
		request_expired(x);
	else
		downstream_read_on(x);
}

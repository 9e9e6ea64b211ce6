/* exchange.c - the course of an exchange: start, a server, another server, the end. */
#include "lbd/proxy/exchange.h"

#include <errno.h>
#include <string.h>

#include "common/check.h"
#include "common/clock.h"
#include "lbd/balance/balancer.h"
#include "lbd/proxy/queue.h"

/* What a head may grow by, apart from a blank in each field and three times the authority. */
enum { ADDED_MAX = 512 };

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

static bool
client_is_trusted(const struct client *c, const struct listener_config *conf)
{
	struct address a = { 0 };

	if (conf->forwarded.n_trust == 0 || c->family == AF_UNIX)
		return false;
	a.sa.sa_family = c->family;
	if (c->family == AF_INET)
		memcpy(&a.in.sin_addr, c->ip + 12, 4);
	else
		memcpy(&a.in6.sin6_addr, c->ip, 16);
	for (uint32_t i = 0; i < conf->forwarded.n_trust; i++)
		if (network_holds(&conf->forwarded.trust[i], &a))
			return true;
	return false;
}

/* Writes the head for the server.  0 or -ENOMEM. */
static int
head_format(struct exchange *x, const struct http_head *head, size_t head_size)
{
	struct worker *w = exchange_worker(x);
	char id[REQUEST_ID_SIZE];
	struct forward f = {
		.client = client_address(x->client),
		.proto = STR("http"),
		.request_id = { id, sizeof(id) },
		.via = VIA,
		.default_host = x->snapshot->config->node,
		.trusted = client_is_trusted(x->client, x->listener),
		.x_forwarded = x->listener->forwarded.x_forwarded,
		.rfc7239 = x->listener->forwarded.rfc7239,
	};
	struct writer out;
	size_t authority = head->host.n > f.default_host.n ? head->host.n : f.default_host.n;

	x->request =
	    buffer_get(&w->buffers, head_size + head->n_fields + ADDED_MAX + 3 * authority);
	if (!x->request)
		return -ENOMEM;
	request_id_make(w, id);
	out = (struct writer){ x->request->data, x->request->data + x->request->size, false };
	h1_format_request(&out, head, &f, &x->sent);
	CHECK(!out.overflow);
	x->request->end = (uint32_t)(out.p - x->request->data);
	return 0;
}

static void
exchange_init(struct exchange *x, struct client *c, const struct http_head *head, size_t head_size)
{
	struct snapshot *s = c->listener->snapshot;

	*x = (struct exchange){
		.magic = EXCHANGE_MAGIC,
		.client = c,
		.snapshot = snapshot_ref(s),
		.pool = &s->pools[c->listener->conf->pool],
		.listener = c->listener->conf,
		.method = head->method_id,
		.minor = (uint8_t)head->minor,
		.keep_alive = head->keep_alive,
		.wants_upgrade = head->upgrade_websocket,
		.te_trailers = head->te_trailers,
		.expects_continue = head->expect_continue,
		.replayable = true,
		.started = c->head_started,
		.take_by = TIMER_NEVER,
		.body_by = TIMER_NEVER,
		.connect_ns = -1,
		.response_ns = -1,
		.bytes_in = head_size,
		.sent_before = c->conn.bytes_sent,
	};
	c->exchange = x;
}

static void
exchange_free(struct exchange *x)
{
	struct worker *w = exchange_worker(x);

	CHECK(!x->upstream);
	buffer_put(&w->buffers, &x->request);
	buffer_put(&w->buffers, &x->held);
	snapshot_unref(&x->snapshot);
	x->client->exchange = NULL;
	x->magic = 0;
	cache_put(&w->proxy->exchange_cache, x);
}

/* One exchange less; where the server has a limit, perhaps since the last reload, the next may start. */
static void
server_leave(struct worker *w, const struct server_config *s)
{
	atomic_fetch_sub(&w->servers->active[s->slot], 1);
	queue_server_free(w->proxy);
}

void
exchange_release_server(struct exchange *x, bool reusable)
{
	if (x->holds_active)
		server_leave(exchange_worker(x), x->server);
	x->holds_active = false;
	if (x->upstream)
		upstream_release(&x->upstream, reusable);
}

void
exchange_client_timer(struct exchange *x)
{
	struct conn *c = &x->client->conn;
	int64_t at = x->take_by < x->body_by ? x->take_by : x->body_by;

	if (at == TIMER_NEVER)
		timer_clear(&c->timer);
	else
		timer_set(&c->worker->wheel, &c->timer, at);
}

void
exchange_await_reader(struct exchange *x)
{
	x->take_by = exchange_worker(x)->now + exchange_timeouts(x)->client_body;
	exchange_client_timer(x);
}

/* The last byte for the client is with its socket. */
static void
exchange_end(struct exchange *x)
{
	struct client *c = x->client;
	bool keep_alive = x->keep_alive, linger = !x->request_body.done;

	exchange_record(x);
	exchange_free(x);
	client_exchange_ended(c, keep_alive, linger);
}

void
exchange_complete(struct exchange *x)
{
	struct client *c = x->client;

	x->response_done = true;
	if (!x->request_body.done)
		x->keep_alive = false;
	exchange_release_server(x, x->server_keep_alive && x->request_body.done);
	if (c->conn.broken) {
		client_close(c, false);
	} else if (c->conn.out) {
		if (!x->request_body.done)
			conn_read_off(&c->conn);
		x->body_by = TIMER_NEVER;
		exchange_await_reader(x);
	} else {
		exchange_end(x);
	}
}

void
exchange_cut(struct exchange *x, enum termination why)
{
	if (x->termination == END_OK)
		x->termination = why;
	/* a body that ends with the connection looks complete unless that is reset */
	client_close(x->client, x->responding && (x->minor == 0 || x->until_close));
}

void
exchange_client_gone(struct exchange *x)
{
	if (x->termination == END_OK && !(x->tunnel && x->response_done))
		x->termination = END_CLIENT_CLOSED;
	if (x->queued)
		queue_remove(x);
	exchange_release_server(x, false);
	exchange_record(x);
	exchange_free(x);
}

/* What server_choose says when there is no index. */
enum { CHOICE_NONE = -1, CHOICE_FULL = -2 };

/* Counts the exchange as the server's, unless that is at its limit. */
static bool
server_take(struct exchange *x, int index)
{
	const struct server_config *s = &x->pool->conf->servers[index];
	_Atomic uint32_t *active = &exchange_worker(x)->servers->active[s->slot];

	if (s->max_connections == 0)
		atomic_fetch_add_explicit(active, 1, memory_order_relaxed);
	else if (atomic_fetch_add(active, 1) >= s->max_connections) {
		atomic_fetch_sub(active, 1);
		return false;
	}
	x->server = s;
	x->slot = s->slot;
	x->holds_active = true;
	return true;
}

/* The first choice was full: the next ones. */
static int
server_choose_below_limit(struct exchange *x, uint64_t hash, int full)
{
	struct balance_tried tried = x->tried;

	while (full >= 0 && tried.n < BALANCE_TRIED_MAX) {
		tried.index[tried.n++] = (uint32_t)full;
		full = balancer_pick(x->pool->balancer, hash, &tried, exchange_worker(x)->now);
		if (full >= 0 && server_take(x, full))
			return full;
	}
	return CHOICE_FULL;
}

/* The index of the server for the next try, which counts the exchange as its own from now on. */
static int
server_choose(struct exchange *x)
{
	struct worker *w = exchange_worker(x);
	struct pool *p = x->pool;
	uint64_t version = atomic_load_explicit(&w->servers->version, memory_order_acquire);
	uint64_t hash = 0;
	int index;

	if (p->version != version) {
		p->version = version;
		balancer_update(p->balancer);
	}
	if (p->conf->algorithm == BALANCE_IP_HASH || p->conf->algorithm == BALANCE_CONSISTENT_HASH)
		hash = balance_hash(x->client->ip, sizeof(x->client->ip));
	index = balancer_pick(p->balancer, hash, &x->tried, w->now);
	if (index < 0)
		return CHOICE_NONE;
	return server_take(x, index) ? index : server_choose_below_limit(x, hash, index);
}

static enum retry_verdict
retry_verdict(const struct exchange *x, enum try_failure failure)
{
	return retry_decide(&(struct retry_case){
	    .failure = failure,
	    .idempotent = http_method_idempotent(x->method),
	    .replayable = x->replayable && x->interim == 0, /* it has not begun to answer */
	    .retries = x->retries - x->fresh, /* RETRY_SAME is no attempt, and happens once */
	    .conf = &x->pool->conf->retry,
	});
}

/* True if the exchange may be tried again after that, should another server be left. */
static bool
retry_take(struct exchange *x, enum try_failure failure)
{
	int64_t now = exchange_worker(x)->now;

	switch (retry_verdict(x, failure)) {
	case RETRY_NO:
		return false;
	case RETRY_SAME:
		x->fresh = true;
		break;
	case RETRY_BUDGETED:
		if (!retry_budget_take(
			&x->pool->budget, x->pool->conf->retry.budget_percent, now)) {
			counter_add(&x->pool->stats->retries_denied, 1);
			return false;
		}
		/* fall through */
	case RETRY_FREE:
		if (x->tried.n < BALANCE_TRIED_MAX)
			x->tried.index[x->tried.n++] =
			    (uint32_t)(x->server - x->pool->conf->servers);
		break;
	}
	x->retrying = true;
	return true;
}

static void
connect_failed(struct exchange *x)
{
	struct worker *w = exchange_worker(x);

	if (server_connect_failed(w->servers, x->slot))
		w->proxy->shared->suspect(w->proxy->shared->suspect_arg, x->slot);
}

/* Connected or connecting.  False: that failed at once. */
static bool
try_start(struct exchange *x)
{
	struct worker *w = exchange_worker(x);

	if (x->retrying) {
		x->retries++;
		counter_add(&x->pool->stats->retries, 1);
		x->retrying = false;
	}
	x->tried_at = w->now;
	x->body_by = TIMER_NEVER;
	x->response_ns = x->connect_ns = -1;
	x->upstream = upstream_get(w->proxy, x->server, x, x->fresh);
	if (!x->upstream && errno == EMFILE && w->hooks->make_room(w))
		x->upstream = upstream_get(w->proxy, x->server, x, x->fresh);
	return x->upstream != NULL;
}

static void
request_sent(struct exchange *x)
{
	x->sent_at = exchange_worker(x)->now;
	conn_deadline(&x->upstream->conn, exchange_timeouts(x)->response);
	request_resume(x);
}

enum try_result { TRY_GOES_ON, TRY_AGAIN, TRY_ENDED };

static enum try_result
try_lost(struct exchange *x, enum try_failure failure, enum termination why)
{
	if (failure == TRY_CONNECT)
		connect_failed(x);
	exchange_release_server(x, false);
	x->failed_why = why;
	if (retry_take(x, failure))
		return TRY_AGAIN;
	exchange_answer(x, why);
	return TRY_ENDED;
}

/* There is no server for it now. */
static void
no_server(struct exchange *x, int choice)
{
	if (choice == CHOICE_NONE) {
		exchange_answer(x, x->retrying ? x->failed_why : END_NO_SERVER);
	} else if (request_hold(x) < 0) {
		exchange_answer(x, END_OUT_OF_MEMORY);
	} else {
		counter_add(&x->pool->stats->queued_total, 1);
		queue_add(x);
		if (x->request_body.done)
			conn_read_on(&x->client->conn); /* to see whether it goes away */
		conn_deadline(&x->client->conn, exchange_timeouts(x)->queue);
	}
}

/* A connection that could not even be tried says nothing of the server. */
static bool
is_our_fault(int err)
{
	return err == EMFILE || err == ENFILE || err == ENOMEM || err == ENOBUFS ||
	    err == EADDRNOTAVAIL;
}

/* A server was chosen. */
static enum try_result
try_server(struct exchange *x)
{
	if (!try_start(x)) {
		if (!is_our_fault(errno))
			return try_lost(x, TRY_CONNECT, END_CONNECT_FAILED);
		exchange_answer(x, END_NO_RESOURCES);
		return TRY_ENDED;
	}
	if (x->upstream->state == UPSTREAM_CONNECTING) {
		if (request_hold(x) < 0) {
			exchange_answer(x, END_OUT_OF_MEMORY);
			return TRY_ENDED;
		}
		conn_deadline(&x->upstream->conn, exchange_timeouts(x)->connect);
		return TRY_GOES_ON;
	}
	if (!x->upstream->reused)
		x->connect_ns = 0;
	if (request_send(x) < 0)
		return try_lost(
		    x, x->upstream->reused ? TRY_REUSE_UNSENT : TRY_CONNECT, END_CONNECT_FAILED);
	request_sent(x);
	return TRY_GOES_ON;
}

static enum try_result
try_once(struct exchange *x, int choice)
{
	if (choice >= 0)
		return try_server(x);
	no_server(x, choice);
	return TRY_ENDED;
}

static void
exchange_try(struct exchange *x)
{
	while (try_once(x, server_choose(x)) == TRY_AGAIN)
		;
}

bool
exchange_try_queued(struct exchange *x)
{
	int choice = server_choose(x);

	if (choice == CHOICE_FULL)
		return false;
	queue_remove(x);
	timer_clear(&x->client->conn.timer);
	if (try_once(x, choice) == TRY_AGAIN)
		exchange_try(x);
	return true;
}

void
exchange_try_failed(struct exchange *x, enum try_failure failure, enum termination why)
{
	if (try_lost(x, failure, why) == TRY_AGAIN)
		exchange_try(x);
}

static enum try_failure
failure_of(unsigned status)
{
	if (status == 502)
		return TRY_STATUS_502;
	return status == 503 ? TRY_STATUS_503 : TRY_STATUS_504;
}

bool
exchange_retry_status(struct exchange *x, unsigned status, bool has_retry_after)
{
	const struct server_config *answered = x->server;
	int choice;

	if (status < 502 || status > 504 || has_retry_after || !retry_take(x, failure_of(status)))
		return false;
	choice = server_choose(x);
	if (choice < 0) { /* nobody else to ask: the client gets what this one said */
		x->retrying = false;
		return false;
	}
	server_leave(exchange_worker(x), answered);
	upstream_release(&x->upstream, false);
	if (try_once(x, choice) == TRY_AGAIN)
		exchange_try(x);
	return true;
}

/*
 * A new connection is not watched while its first answer is quick: many have only the one request, and
 * are spared the epoll_ctl.  Otherwise we want to see it when the client goes away.
 */
static void
watch_client_later(struct client *c)
{
	const struct exchange *x = c->exchange;

	if (x->queued || ev_is_active(&c->conn.read) || !x->request_body.done || c->conn.out)
		return;
	conn_deadline(&c->conn, WATCH_AFTER_NS);
}

void
exchange_start(struct client *c, size_t head_size, struct span rest)
{
	struct worker *w = c->conn.worker;
	struct exchange *x = cache_get(&w->proxy->exchange_cache);
	enum termination why;

	if (!x) {
		exchange_refuse(c, END_OUT_OF_MEMORY);
		return;
	}
	exchange_init(x, c, &w->head, head_size);
	if (head_format(x, &w->head, head_size) < 0) {
		exchange_answer(x, END_OUT_OF_MEMORY);
		return;
	}
	why = request_start(x, rest);
	if (why != END_OK) {
		exchange_answer(x, why);
		return;
	}
	retry_budget_request(&x->pool->budget, w->now);
	if (x->pool->first_waiting)
		no_server(x, CHOICE_FULL); /* not before those */
	else
		exchange_try(x);
	if (c->exchange == x)
		watch_client_later(c);
}

void
exchange_connected(struct exchange *x)
{
	struct worker *w = exchange_worker(x);
	struct upstream *u = x->upstream;

	u->state = UPSTREAM_BUSY;
	ev_io_stop(w->loop, &u->conn.write);
	if (request_send(x) < 0) {
		exchange_try_failed(x, TRY_CONNECT, END_CONNECT_FAILED);
		return;
	}
	x->connect_ns = w->now - x->tried_at;
	server_connect_worked(w->servers, x->slot);
	request_sent(x);
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
	else if (conn_flush(&x->upstream->conn) == 0)
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
	else if (x->upstream->state == UPSTREAM_CONNECTING)
		exchange_try_failed(x, TRY_CONNECT, END_CONNECT_TIMEOUT);
	else if (waits_for_client(x))
		conn_deadline(&x->upstream->conn, exchange_timeouts(x)->response);
	else if (x->responding)
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
	struct client *c = x->client;
	int r;

	CHECK(x->magic == EXCHANGE_MAGIC);
	if (x->tunnel) {
		tunnel_client_writable(x);
		return;
	}
	r = conn_flush(&c->conn);
	if (r == -EAGAIN) {
		exchange_await_reader(x);
		return;
	}
	if (r < 0) {
		client_close(c, false);
		return;
	}
	x->take_by = TIMER_NEVER;
	exchange_client_timer(x);
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
	if (x->queued) {
		queue_remove(x);
		exchange_answer(x, END_QUEUE_TIMEOUT);
	} else if (now >= x->take_by)
		exchange_cut(x, END_CLIENT_STALLED);
	else if (now >= x->body_by)
		request_expired(x);
	else
		conn_read_on(&x->client->conn);
}

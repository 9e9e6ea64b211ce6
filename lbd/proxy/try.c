/* try.c - a server for the exchange, another server, none: choice, connection, retries. */
#include <errno.h>

#include "common/check.h"
#include "lbd/balance/balancer.h"
#include "lbd/balance/limit.h"
#include "lbd/proxy/affinity.h"
#include "lbd/proxy/downstream.h"
#include "lbd/proxy/origin.h"
#include "lbd/proxy/queue.h"

/* One exchange less; where the server has a limit, perhaps since the last reload, the next may start. */
static void
server_leave(struct worker *w, const struct server_config *s)
{
	atomic_fetch_sub(&w->servers->active[s->slot], 1);
	proxy_server_left(w, s->slot);
	queue_server_free(w->proxy);
}

void
exchange_tell(struct exchange *x, enum circuit_result result)
{
	const struct pool_config *p = x->pool->conf;

	/* of an old configuration: the present one may have no breaker, and has none to close it */
	if (p->breaker.open && x->snapshot == exchange_worker(x)->snapshot)
		circuit_tell(exchange_worker(x), p, x->server, &x->probe, result);
}

void
exchange_release_server(struct exchange *x, bool reusable)
{
	if (x->holds_active)
		server_leave(exchange_worker(x), x->server);
	x->holds_active = false;
	if (x->probe)
		circuit_forgo(exchange_worker(x), x->server, &x->probe);
	origin_release(x, reusable);
}

/* What server_choose says when there is no index. */
enum { CHOICE_NONE = -1, CHOICE_FULL = -2 };

enum { RACES_MAX = 16 };

/* Counts the exchange as the server's, unless that is at its limit. */
static bool
server_take(struct exchange *x, int index)
{
	const struct server_config *s = &x->pool->conf->servers[index];
	_Atomic uint32_t *active = &exchange_worker(x)->servers->active[s->slot];

	if (s->max_connections == 0)
		atomic_fetch_add_explicit(active, 1, memory_order_relaxed);
	else if (!limit_take(active, s->max_connections))
		return false;
	x->server = s;
	x->slot = s->slot;
	x->holds_active = true;
	x->http1_tunnel = false;
	return true;
}

/*
 * The first choice was full: another one.  Other workers may fill it at this moment; who has lost so often
 * waits for the next that comes free.
 */
static int
server_choose_below_limit(struct exchange *x)
{
	for (int races = 0; races < RACES_MAX; races++) {
		int index = balancer_pick_below_limit(
		    x->pool->balancer, x->hash, &x->tried, exchange_worker(x)->now);

		if (index < 0)
			break;
		if (server_take(x, index))
			return index;
	}
	return CHOICE_FULL;
}

/* Whether it may be tried again elsewhere. */
static bool
is_repeatable(const struct exchange *x)
{
	return x->replayable &&
	    (http_method_idempotent(x->method) || x->pool->conf->retry.non_idempotent);
}

/* A server whose circuit is to be probed by this exchange, or -1. */
static int
server_choose_suspect(struct exchange *x)
{
	struct worker *w = exchange_worker(x);
	int index = circuit_choose(w, x->pool, is_repeatable(x), &x->probe);

	if (index < 0 || server_take(x, index))
		return index;
	circuit_forgo(w, &x->pool->conf->servers[index], &x->probe);
	return -1;
}

/* The index of the server for the next try, which counts the exchange as its own from now on. */
static int
server_choose(struct exchange *x)
{
	struct worker *w = exchange_worker(x);
	struct pool *p = x->pool;
	uint64_t version = atomic_load_explicit(&w->servers->version, memory_order_acquire);
	int index;

	if (p->version != version || w->now >= p->outlook.due_ns) {
		p->version = version;
		p->outlook = balancer_update(p->balancer, w->now);
	}
	if (x->sticky >= 0 && affinity_holds(x) && server_take(x, x->sticky))
		return x->sticky;
	if (p->outlook.probes && x->tried.n == 0 && (index = server_choose_suspect(x)) >= 0)
		return index;
	index = balancer_pick(p->balancer, x->hash, &x->tried, w->now);
	if (index < 0)
		return CHOICE_NONE;
	return server_take(x, index) ? index : server_choose_below_limit(x);
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

/* Only what is complete can be tried again: the others have the time that their clients need. */
static int64_t
try_deadline(const struct exchange *x)
{
	int64_t most = x->pool->conf->retry.per_try_timeout;

	return most && x->request_body.done ? x->tried_at + most : TIMER_NEVER;
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
	x->try_by = try_deadline(x);
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
	origin_deadline(x, exchange_timeouts(x)->response);
	request_resume(x);
}

enum try_result { TRY_GOES_ON, TRY_AGAIN, TRY_ENDED };

/* The end of an idle connection, or a refused stream, says nothing of the server; of a shared one, one is told. */
static bool
is_servers_fault(enum try_failure failure)
{
	return failure == TRY_CONNECT || failure == TRY_RESET || failure == TRY_TIMEOUT;
}

static enum try_result
try_lost(struct exchange *x, enum try_failure failure, enum termination why)
{
	if (failure == TRY_CONNECT)
		connect_failed(x);
	if (is_servers_fault(failure))
		exchange_tell(x, CIRCUIT_BAD);
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
	} else if (!queue_add(x)) {
		exchange_answer(x, END_QUEUE_FULL);
	} else {
		if (x->request_body.done)
			downstream_read_on(x); /* to see whether it goes away */
		downstream_deadline(x, exchange_timeouts(x)->queue);
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
	if (origin_opening(x)) {
		if (request_hold(x) < 0) {
			exchange_answer(x, END_OUT_OF_MEMORY);
			return TRY_ENDED;
		}
		return TRY_GOES_ON;
	}
	if (!origin_reused(x))
		x->connect_ns = 0;
	if (request_send(x) < 0)
		return try_lost(
		    x, origin_reused(x) ? TRY_REUSE_UNSENT : TRY_CONNECT, END_CONNECT_FAILED);
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

void
exchange_try_first(struct exchange *x)
{
	if (queue_is_before(x))
		no_server(x, CHOICE_FULL); /* not before those */
	else
		exchange_try(x);
}

bool
exchange_try_queued(struct exchange *x)
{
	int choice = server_choose(x);

	if (choice == CHOICE_FULL)
		return false;
	queue_remove(x);
	timer_clear(downstream_timer(x));
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
	bool failed = status >= 502 && status <= 504;
	int choice;

	exchange_tell(x, failed ? CIRCUIT_BAD : CIRCUIT_GOOD);
	if (!failed || has_retry_after || !retry_take(x, failure_of(status)))
		return false;
	choice = server_choose(x);
	if (choice < 0) { /* nobody else to ask: the client gets what this one said */
		retry_budget_return(&x->pool->budget);
		x->retrying = false;
		return false;
	}
	server_leave(exchange_worker(x), answered);
	origin_release(x, false);
	if (try_once(x, choice) == TRY_AGAIN)
		exchange_try(x);
	return true;
}

void
exchange_connected(struct exchange *x)
{
	struct worker *w = exchange_worker(x);

	if (request_send(x) < 0) {
		exchange_try_failed(
		    x, TRY_CONNECT, x->upstream->conn.tls ? END_SERVER_RESET : END_CONNECT_FAILED);
		return;
	}
	x->connect_ns = w->now - x->tried_at;
	server_connect_worked(w->servers, x->slot);
	request_sent(x);
}

void
exchange_reconnect(struct exchange *x)
{
	if (try_server(x) == TRY_AGAIN)
		exchange_try(x);
}

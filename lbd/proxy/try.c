/* try.c - a server for the exchange, another server, none: choice, connection, retries. */
#include <errno.h>

#include "common/check.h"
#include "lbd/proxy/affinity.h"
#include "lbd/proxy/choose.h"
#include "lbd/proxy/downstream.h"
#include "lbd/proxy/origin.h"
#include "lbd/proxy/queue.h"

void
exchange_tell(struct exchange *x, enum circuit_result result)
{
	if (x->pool->conf->breaker.open)
		circuit_tell(exchange_worker(x), x->pool, x->server, &x->probe, result);
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

/* Whether it may be tried again elsewhere. */
static bool
is_repeatable(const struct exchange *x)
{
	return x->replayable &&
	    (http_method_idempotent(x->method) || x->pool->conf->retry.non_idempotent);
}

/* The index of the server for the next try, which counts the exchange as its own from now on; or CHOICE_... */
static int
choose(struct exchange *x)
{
	struct choosing how = {
		.hash = x->hash,
		.first = x->sticky >= 0 && affinity_holds(x) ? x->sticky : CHOICE_NONE,
		.repeatable = is_repeatable(x),
		.probe = &x->probe,
		.tried = &x->tried,
	};
	int index = server_choose(exchange_worker(x), x->pool, &how);

	if (index >= 0) {
		x->server = &x->pool->conf->servers[index];
		x->slot = x->server->slot;
		x->holds_active = true;
		x->http1_tunnel = false;
	}
	return index;
}

/* In panic a server gets requests all the same. */
static bool
is_spared(const struct exchange *x)
{
	return !breaker_is_closed(&exchange_worker(x)->servers->load[x->slot].breaker) &&
	    !balancer_panics(x->pool->balancer);
}

static enum retry_verdict
retry_verdict(const struct exchange *x, enum try_failure failure)
{
	return retry_decide(&(struct retry_case){
	    .failure = failure,
	    .idempotent = http_method_idempotent(x->method),
	    .replayable = x->replayable && x->interim == 0, /* it has not begun to answer */
	    .spared = is_spared(x),
	    .retries = x->retries - x->fresh, /* RETRY_SAME is no attempt, and happens once */
	    .conf = &x->pool->conf->retry,
	});
}

static struct retry_budget
budget_of(const struct exchange *x)
{
	const struct worker *w = exchange_worker(x);
	const struct proxy_shared *shared = w->proxy->shared;
	const struct pool_config *p = x->pool->conf;

	return (struct retry_budget){
		.retries = &w->servers->pools[p->id].retries,
		.requests = &shared->requests[p->id],
		.n_workers = shared->n_workers,
		.stride = SERVER_POOLS_MAX,
		.percent = p->retry.budget_percent,
		.least = p->retry.budget_min,
	};
}

/* Whether the exchange may be tried again after that, should another server be left. */
static enum retry_verdict
retry_take(struct exchange *x, enum try_failure failure)
{
	struct retry_budget budget = budget_of(x);
	enum retry_verdict verdict = retry_verdict(x, failure);

	switch (verdict) {
	case RETRY_NO:
		return RETRY_NO;
	case RETRY_SAME:
		x->fresh = true;
		break;
	case RETRY_BUDGETED:
		if (!retry_budget_take(&budget, exchange_worker(x)->now)) {
			counter_add(&x->pool->stats->retries_denied, 1);
			return RETRY_NO;
		}
		/* fall through */
	case RETRY_FREE:
		if (x->tried.n < BALANCE_TRIED_MAX)
			x->tried.index[x->tried.n++] =
			    (uint32_t)(x->server - x->pool->conf->servers);
		break;
	}
	x->retrying = true;
	return verdict;
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
	if (!is_repeatable(x))
		x->try_by = TIMER_NEVER; /* no other try would come of it */
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
		server_not_reached(exchange_worker(x), x->server);
	if (is_servers_fault(failure))
		exchange_tell(x, CIRCUIT_BAD);
	exchange_release_server(x, false);
	x->failed_why = why;
	if (retry_take(x, failure) != RETRY_NO)
		return TRY_AGAIN;
	exchange_answer(x, why);
	return TRY_ENDED;
}

static bool try_queued(struct waiter *);

/* There is no server for it now. */
static void
no_server(struct exchange *x, int choice)
{
	if (choice == CHOICE_NONE) {
		exchange_answer(x, x->retrying ? x->failed_why : END_NO_SERVER);
	} else if (request_hold(x) < 0) {
		exchange_answer(x, END_OUT_OF_MEMORY);
	} else if (!queue_add(&x->waiter, x->pool, x->tried.n > 0, try_queued)) {
		exchange_answer(x, END_QUEUE_FULL);
	} else {
		if (x->request_body.done)
			downstream_read_on(x); /* to see whether it goes away */
		downstream_deadline(x, exchange_timeouts(x)->queue);
	}
}

/* A server was chosen. */
static enum try_result
try_server(struct exchange *x)
{
	if (!try_start(x)) {
		if (!upstream_lacks(errno))
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
	while (try_once(x, choose(x)) == TRY_AGAIN)
		;
}

void
exchange_try_first(struct exchange *x)
{
	if (queue_is_before(x->pool))
		no_server(x, CHOICE_FULL); /* not before those */
	else
		exchange_try(x);
}

/* The next try, now that a server may be free. */
static bool
try_queued(struct waiter *w)
{
	struct exchange *x =
	    (struct exchange *)(void *)((char *)w - offsetof(struct exchange, waiter));
	int choice = choose(x);

	if (choice == CHOICE_FULL)
		return false;
	queue_remove(w);
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
	struct retry_budget budget;
	enum retry_verdict verdict;
	int choice;

	exchange_tell(x, failed ? CIRCUIT_BAD : CIRCUIT_GOOD);
	if (!failed || has_retry_after)
		return false;
	verdict = retry_take(x, failure_of(status));
	if (verdict == RETRY_NO)
		return false;
	choice = choose(x);
	if (choice == CHOICE_NONE) { /* nobody else to ask: the client gets what this one said */
		budget = budget_of(x);
		if (verdict == RETRY_BUDGETED)
			retry_budget_return(&budget, exchange_worker(x)->now);
		x->retrying = false;
		return false;
	}
	server_leave(exchange_worker(x), answered);
	x->holds_active = choice >= 0;
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

/* tcp_try.c - a server for the session, another server, none. */
#include <errno.h>

#include "common/clock.h"
#include "lbd/proxy/choose.h"
#include "lbd/proxy/retry.h"
#include "lbd/proxy/tcp_session.h"

/* After so long we want to see when the client goes away; most connects are quicker. */
static const int64_t WATCH_AFTER_NS = 10 * NS_PER_MS;

/* For which servers that could not be connected to are left alone: they may just be restarting. */
static const int64_t PAUSE_NS = NS_PER_S;

void
tcp_release_server(struct tcp_session *s)
{
	if (s->upstream) {
		if (s->reset)
			conn_close(&s->upstream->conn, true);
		upstream_release(&s->upstream, false);
	}
	if (s->holds_active)
		server_leave(tcp_worker(s), s->server);
	s->holds_active = false;
	if (s->probe)
		circuit_forgo(tcp_worker(s), s->server, &s->probe);
}

void
tcp_tell(struct tcp_session *s, enum circuit_result result)
{
	if (s->pool->conf->breaker.open)
		circuit_tell(tcp_worker(s), s->pool, s->server, &s->probe, result);
}

/* The index of the server for the next try, which counts the session as its own from now on; or CHOICE_... */
static int
choose(struct tcp_session *s)
{
	struct choosing how = {
		.first = CHOICE_NONE,
		.repeatable = true, /* nothing is sent before it is connected */
		.probe = &s->probe,
		.tried = &s->tried,
	};
	int index;

	if (balance_hashes(s->pool->conf->algorithm))
		how.hash = balance_hash(s->client->ip, sizeof(s->client->ip));
	index = server_choose(tcp_worker(s), s->pool, &how);
	if (index >= 0) {
		s->server = &s->pool->conf->servers[index];
		s->holds_active = true;
	}
	return index;
}

/* Nothing was sent: another server may be asked, should one be left. */
static bool
retry_take(struct tcp_session *s)
{
	const struct retry_case failed = {
		.failure = TRY_CONNECT,
		.replayable = true,
		.retries = s->retries,
		.conf = &s->pool->conf->retry,
	};

	if (retry_decide(&failed) != RETRY_FREE)
		return false;
	if (s->tried.n < BALANCE_TRIED_MAX)
		s->tried.index[s->tried.n++] = (uint32_t)(s->server - s->pool->conf->servers);
	s->retries++;
	counter_add(&s->pool->stats->retries, 1);
	return true;
}

/* True: to be tried again. */
static bool
try_lost(struct tcp_session *s, enum termination why)
{
	server_not_reached(tcp_worker(s), s->server);
	tcp_tell(s, CIRCUIT_BAD);
	tcp_release_server(s);
	s->failed_why = why;
	if (retry_take(s))
		return true;
	tcp_session_end(s, why);
	return false;
}

/* A server was chosen.  True: to be tried again. */
static bool
try_server(struct tcp_session *s)
{
	struct worker *w = tcp_worker(s);
	struct conn *c = &s->client->conn;
	int64_t most = s->pool->conf->retry.per_try_timeout;

	s->tried_at = w->now;
	s->try_by = most ? w->now + most : TIMER_NEVER;
	s->upstream = upstream_connect(w->proxy, s->server, s);
	if (!s->upstream && errno == EMFILE && w->hooks->make_room(w))
		s->upstream = upstream_connect(w->proxy, s->server, s);
	if (!s->upstream) {
		if (!upstream_lacks(errno))
			return try_lost(s, END_CONNECT_FAILED);
		tcp_session_end(s, END_NO_RESOURCES);
	} else if (!upstream_opening(s->upstream)) {
		tcp_session_connected(s);
	} else if (!ev_is_active(&c->read)) {
		conn_deadline(c, WATCH_AFTER_NS);
	}
	return false;
}

static bool try_queued(struct waiter *);

/* There is another try, but no other server. */
static void
pause_begin(struct tcp_session *s)
{
	struct conn *c = &s->client->conn;
	int64_t connect = tcp_timeouts(s)->connect;

	s->tried.n = 0;
	s->paused = true;
	conn_read_on(c); /* to see whether it goes away */
	conn_deadline(c, connect < PAUSE_NS ? connect : PAUSE_NS);
}

/* There is no server for it now. */
static void
no_server(struct tcp_session *s, int choice)
{
	struct conn *c = &s->client->conn;

	if (choice == CHOICE_NONE && s->tried.n) {
		pause_begin(s);
		return;
	}
	if (choice == CHOICE_NONE) {
		tcp_session_end(s, s->retries ? s->failed_why : END_NO_SERVER);
		return;
	}
	if (!queue_add(&s->waiter, s->pool, s->tried.n > 0, try_queued)) {
		tcp_session_end(s, END_QUEUE_FULL);
		return;
	}
	conn_read_on(c); /* to see whether it goes away */
	conn_deadline(c, tcp_timeouts(s)->queue);
}

/* True: to be tried again. */
static bool
try_once(struct tcp_session *s, int choice)
{
	if (choice >= 0)
		return try_server(s);
	no_server(s, choice);
	return false;
}

static void
try_on(struct tcp_session *s)
{
	while (try_once(s, choose(s)))
		;
}

void
tcp_try_first(struct tcp_session *s)
{
	s->paused = false;
	if (queue_is_before(s->pool))
		no_server(s, CHOICE_FULL); /* not before those */
	else
		try_on(s);
}

/* A server may be free. */
static bool
try_queued(struct waiter *w)
{
	struct tcp_session *s =
	    (struct tcp_session *)(void *)((char *)w - offsetof(struct tcp_session, waiter));
	int choice = choose(s);

	if (choice == CHOICE_FULL)
		return false;
	queue_remove(w);
	timer_clear(&s->client->conn.timer);
	if (try_once(s, choice))
		try_on(s);
	return true;
}

void
tcp_session_connect_failed(struct tcp_session *s, enum termination why)
{
	if (try_lost(s, why))
		try_on(s);
}

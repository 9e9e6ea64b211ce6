/* h2_server.c - the socket, the turn and the end of an HTTP/2 connection to a server. */
#include "lbd/proxy/h2_server.h"

#include <errno.h>
#include <stdlib.h>

#include "common/check.h"
#include "lbd/proxy/exchange.h"
#include "lbd/proxy/h2_call.h"
#include "lbd/proxy/h2_wire.h"
#include "lbd/proxy/origin.h"

static const struct http_limits answer_limits = {
	.head_size = 64 * 1024,
	.fields = HTTP_FIELDS_MAX,
};

static struct h2_server *
server_of(void *arg)
{
	struct h2_server *h = arg;

	CHECK(h->magic == H2_SERVER_MAGIC);
	return h;
}

void
h2_server_wake(struct h2_server *h)
{
	late_work_add(h2_server_conn(h)->worker->proxy, &h->turn);
}

/* --- calls --- */

void
h2_server_add(struct h2_server *h, struct h2_call *c)
{
	c->next = h->calls;
	c->prev = &h->calls;
	if (c->next)
		c->next->prev = &c->next;
	h->calls = c;
	h->n_calls++;
	h->n_used++;
}

void
h2_server_remove(struct h2_server *h, struct h2_call *c)
{
	struct h2_call **p = &h->ready;

	while (c->ready && *p != c)
		p = &(*p)->next_ready;
	if (c->ready)
		*p = c->next_ready;
	*c->prev = c->next;
	if (c->next)
		c->next->prev = c->prev;
	h->n_calls--;
}

bool
h2_server_has_room(const struct h2_server *h)
{
	uint32_t most = h->session ? h2_session_streams_max(h->session) : H2_STREAMS_MAX;

	return !h->dead && !h->probing && h->n_calls < most;
}

enum h2_tunnels
h2_server_tunnels(const struct h2_server *h)
{
	if (!h->session || !h2_session_settled(h->session))
		return H2_TUNNELS_UNKNOWN;
	return h2_session_tunnels(h->session) ? H2_TUNNELS_TAKEN : H2_TUNNELS_REFUSED;
}

/* The oldest whose exchange waits, tunnels left out or not; they stand newest first. */
static struct h2_call *
call_waiting(const struct h2_server *h, bool tunnels)
{
	struct h2_call *oldest = NULL;

	for (struct h2_call *c = h->calls; c; c = c->next)
		if (c->exchange && !c->told && (tunnels || !c->tunnel))
			oldest = c;
	return oldest;
}

struct exchange *
h2_server_waiting(const struct h2_server *h)
{
	const struct h2_call *c = call_waiting(h, true);

	return c ? c->exchange : NULL;
}

/* --- the turn --- */

static void
work_ready(struct h2_server *h)
{
	struct h2_call *c;

	while ((c = h->ready)) {
		h->ready = c->next_ready;
		c->ready = false;
		h2_call_do_ready(c);
	}
}

static bool
work_output(struct h2_server *h)
{
	bool sent = false;

	return h2_wire_write(h2_server_conn(h), h->session, &sent);
}

static void
probe_update(struct h2_server *h)
{
	if (!h->probing || h2_session_pongs(h->session) == h->pongs)
		return;
	h->probing = false;
	timer_clear(&h2_server_conn(h)->timer);
}

static void
server_turn(struct late_work *w)
{
	struct h2_server *h = server_of((char *)w - offsetof(struct h2_server, turn));
	struct conn *c = h2_server_conn(h);

	work_ready(h);
	if (h->session && !work_output(h))
		h2_server_wake(h);
	if (h->session && (c->broken || (!c->out && h2_session_over(h->session))))
		h2_server_die(h);
	if (h->session)
		probe_update(h);
	if (h->n_used == 0 && !h->ready)
		upstream_settle(h->upstream);
}

void
h2_server_probe(struct h2_server *h)
{
	const struct conn *c = h2_server_conn(h);

	if (h->probing || !h->session)
		return;
	h->probing = true;
	h->pongs = h2_session_pongs(h->session);
	h2_session_ping(h->session);
	conn_deadline(h2_server_conn(h), c->worker->snapshot->config->timeouts.connect);
	h2_server_wake(h);
}

/* --- what it takes --- */

/* That server would not take it as a call: it gets a connection to itself, as in HTTP/1. */
static void
tunnel_divert(struct exchange *x)
{
	x->http1_tunnel = true;
	counter_add(&x->pool->stats->http1_tunnels, 1);
	origin_release(x, false);
	exchange_reconnect(x);
}

static void
tunnels_settle(struct h2_server *h)
{
	bool taken = h2_server_tunnels(h) == H2_TUNNELS_TAKEN;
	struct h2_call *c;

	h->settled = true;
	while ((c = call_waiting(h, true))) {
		c->told = true;
		if (taken)
			exchange_connected(c->exchange);
		else
			tunnel_divert(c->exchange);
	}
}

/* --- the socket --- */

void
h2_server_readable(struct h2_server *h)
{
	struct conn *c = h2_server_conn(h);
	struct span data;
	ssize_t n = conn_read(c, &data, H2_READ_MAX);

	if (n == -EAGAIN)
		return;
	if (n > 0)
		h2_wire_feed(c, h->session, data);
	else
		h2_server_die(h);
	if (!h->settled && h->session && h2_session_settled(h->session))
		tunnels_settle(h);
	h2_server_wake(h);
}

void
h2_server_writable(struct h2_server *h)
{
	conn_flush(h2_server_conn(h));
	h2_server_wake(h);
}

void
h2_server_expired(struct h2_server *h)
{
	h2_server_die(h); /* its PING was not answered */
}

/* --- its life --- */

struct h2_server *
h2_server_new(struct upstream *u, uint32_t window)
{
	struct h2_server *h = malloc(sizeof(*h));

	if (!h || h2_wire_init(u->conn.worker->proxy) < 0) {
		free(h);
		return NULL;
	}
	*h = (struct h2_server){
		.magic = H2_SERVER_MAGIC,
		.upstream = u,
		.window = window,
		.turn = { .run = server_turn },
	};
	return h;
}

/* Some may end meanwhile, and others begin, which know. */
static void
calls_tell(struct h2_server *h)
{
	struct h2_call *c;

	while ((c = call_waiting(h, false))) {
		c->told = true;
		exchange_connected(c->exchange);
	}
}

void
h2_server_start(struct h2_server *h)
{
	struct worker *w = h2_server_conn(h)->worker;

	timer_clear(&h2_server_conn(h)->timer);
	h->session = h2_session_connect(&h2_call_events, h, &answer_limits, &w->head, h->window);
	if (!h->session)
		h2_server_die(h);
	calls_tell(h);
	h2_server_wake(h);
}

void
h2_server_give_up(struct h2_server *h)
{
	h->dead = true;
	h2_server_wake(h);
}

bool
h2_server_may_rest(const struct h2_server *h)
{
	return !h->dead && h->session && h2_session_streams_max(h->session) > 0;
}

static void
count_offence(struct h2_server *h)
{
	enum h2_offence offence = h2_session_offence(h->session);
	struct upstream *u = h->upstream;

	if (offence)
		counter_add(&u->stats->http2_cut[offence], 1);
}

void
h2_server_die(struct h2_server *h)
{
	struct h2_call *c, *next;

	if (h->dead)
		return;
	h->dead = true;
	if (h->session)
		count_offence(h);
	conn_close(h2_server_conn(h), false);
	for (c = h->calls; c; c = next) {
		next = c->next;
		c->told |= c->tunnel && h->session;
		h2_call_lost(c);
	}
	h2_session_free(&h->session);
	h2_server_wake(h);
}

void
h2_server_free(struct h2_server **hp)
{
	struct h2_server *h = *hp;

	*hp = NULL;
	CHECK(h->n_used == 0);
	h2_server_die(h);
	late_work_remove(h2_server_conn(h)->worker->proxy, &h->turn);
	while (h->calls)
		h2_call_free(h->calls);
	h->magic = 0;
	free(h);
}

/* h2_shut.c - the line of those who wait for a window, and the credit of those who need not. */
#include "lbd/proxy/h2_shut.h"

#include "lbd/proxy/exchange.h"
#include "lbd/proxy/h2_connection.h"

enum { CREDIT = 8 /* of a connection: so many exchanges without a window */ };

/* It needs none, has one, or has credit from now on. */
static bool
may_go(struct h2_stream *s)
{
	struct h2_connection *h = s->connection;

	if (s->exchange->method == METHOD_HEAD || !h2_session_shut(h->session, s->id))
		return true;
	if (h->on_credit == CREDIT)
		return false;
	h->on_credit++;
	s->on_credit = true;
	return true;
}

static void
line_remove(struct h2_stream *s)
{
	struct h2_stream **at = &s->connection->shut;

	while (*at != s)
		at = &(*at)->next_shut;
	*at = s->next_shut;
	s->shut = false;
}

bool
h2_shut_waits(struct h2_stream *s)
{
	struct h2_connection *h = s->connection;
	struct h2_stream **end = &h->shut;

	if (may_go(s))
		return false;
	while (*end)
		end = &(*end)->next_shut;
	*end = s;
	s->next_shut = NULL;
	s->shut = true;
	counter_add(&h->client->stats->http2_held, 1);
	return true;
}

/* No stream is freed meanwhile: that is only done while the session is fed or gives output. */
void
h2_shut_serve(struct h2_connection *h)
{
	for (struct h2_stream *s = h->shut, *next; s; s = next) {
		next = s->next_shut;
		if (!may_go(s))
			continue;
		line_remove(s);
		s->exchange->take_by = TIMER_NEVER;
		exchange_client_timer(s->exchange);
		exchange_try_first(s->exchange);
	}
}

void
h2_shut_leave(struct h2_stream *s)
{
	struct h2_connection *h = s->connection;

	if (s->shut)
		line_remove(s);
	if (s->on_credit)
		h->on_credit--;
	s->on_credit = false;
	if (h->shut)
		h2_connection_wake(h);
}

/* h2_line.c - the line, and the credit of those who need no window. */
#include "lbd/proxy/h2_line.h"

#include "lbd/proxy/exchange.h"
#include "lbd/proxy/h2_connection.h"
#include "lbd/proxy/h2_round.h"
#include "lbd/proxy/origin.h"

enum { CREDIT = 1 /* of a connection: so many exchanges without a window */ };

void
h2_line_add(struct h2_stream *s)
{
	struct h2_connection *h = s->connection;

	s->next_in_line = NULL;
	s->prev_in_line = h->line_end;
	*h->line_end = s;
	h->line_end = &s->next_in_line;
	h2_connection_wake(h);
}

static void
line_remove(struct h2_stream *s)
{
	struct h2_connection *h = s->connection;

	*s->prev_in_line = s->next_in_line;
	if (s->next_in_line)
		s->next_in_line->prev_in_line = s->prev_in_line;
	else
		h->line_end = s->prev_in_line;
	s->prev_in_line = NULL;
}

/* It needs none, has or had one, or has credit from now on. */
static bool
may_go(struct h2_stream *s)
{
	struct h2_connection *h = s->connection;

	if (s->released || s->exchange->method == METHOD_HEAD ||
	    !h2_session_shut(h->session, s->id))
		return true;
	if (h->on_credit == CREDIT)
		return false;
	h->on_credit++;
	s->on_credit = true;
	return true;
}

static void
wait(struct h2_stream *s)
{
	if (s->held)
		return;
	s->held = true;
	counter_add(&s->connection->client->stats->http2_held, 1);
	exchange_await_reader(s->exchange);
}

static bool
is_opening(const struct exchange *x)
{
	return x && x->upstream && origin_opening(x);
}

/* The work that it was; the exchange may be over. */
static unsigned
go(struct h2_stream *s)
{
	line_remove(s);
	if (s->held)
		exchange_reader_came(s->exchange);
	exchange_try_first(s->exchange);
	return is_opening(s->exchange) ? H2_WORK_OPENING : H2_WORK_REQUEST;
}

/* No stream is freed meanwhile: that is only done while the session is fed or gives output. */
void
h2_line_serve(struct h2_connection *h)
{
	struct h2_stream *s = h->line, *next;
	unsigned work = 0;

	for (; s && work < H2_WORK_SLICE; s = next) {
		next = s->next_in_line;
		if (may_go(s))
			work += go(s);
		else
			wait(s);
	}
	h2_round_worked(h->client->conn.worker->proxy, work);
	if (s)
		h2_round_put(h);
}

void
h2_line_release(struct h2_connection *h)
{
	for (struct h2_stream *s = h->line; s && s->held; s = s->next_in_line)
		s->released = s->released || !h2_session_shut(h->session, s->id);
}

void
h2_line_leave(struct h2_stream *s)
{
	struct h2_connection *h = s->connection;

	if (s->prev_in_line)
		line_remove(s);
	if (s->on_credit)
		h->on_credit--;
	s->on_credit = false;
	if (h->line)
		h2_connection_wake(h);
}

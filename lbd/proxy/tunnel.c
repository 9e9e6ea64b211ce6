/*
 * tunnel.c - after 101 (Switching Protocols): bytes both ways, each side's end passed on.
 *
 * A side that stops sending gets nothing taken away: the other direction goes on until it ends too, or
 * until nothing has moved either way for timeouts.tunnel.  The timer is the server connection's.
 */
#include <errno.h>

#include "common/check.h"
#include "lbd/proxy/exchange.h"

static void
tunnel_end(struct exchange *x, enum termination why)
{
	if (x->termination == END_OK)
		x->termination = why;
	x->response_done = true;
	client_close(x->client, false);
}

static void
tunnel_active(struct exchange *x)
{
	conn_deadline(&x->upstream->conn, exchange_timeouts(x)->tunnel);
}

/* Over when neither side sends any more and all has been delivered. */
static bool
tunnel_is_over(const struct exchange *x)
{
	const struct conn *c = &x->client->conn, *u = &x->upstream->conn;

	return c->eof && u->eof && !c->out && !u->out;
}

/* Nothing more is taken from one side before the other has what was. */
static void
tunnel_balance(struct conn *from, const struct conn *to)
{
	if (to->out)
		conn_read_off(from);
	else
		conn_read_on(from);
}

/* One direction. */
static void
tunnel_move(struct exchange *x, struct conn *from, struct conn *to)
{
	struct span data;
	ssize_t n = conn_read(from, &data, SCRATCH_READ);

	if (n == -EAGAIN)
		return;
	if (n < 0) {
		tunnel_end(x, from == &x->client->conn ? END_CLIENT_CLOSED : END_SERVER_RESET);
		return;
	}
	tunnel_active(x);
	if (n == 0) {
		conn_shutdown(to);
		if (tunnel_is_over(x))
			tunnel_end(x, END_OK);
		return;
	}
	if (from == &x->client->conn)
		x->bytes_in += (uint64_t)n;
	if (conn_send(to, data.p, data.n) < 0) {
		tunnel_end(x, to == &x->client->conn ? END_CLIENT_CLOSED : END_SERVER_RESET);
		return;
	}
	tunnel_balance(from, to);
}

/* `to` takes bytes again. */
static void
tunnel_drained(struct exchange *x, struct conn *from, struct conn *to)
{
	int r = conn_flush(to);

	if (r == -EAGAIN) {
		tunnel_active(x);
		return;
	}
	if (r < 0)
		tunnel_end(x, to == &x->client->conn ? END_CLIENT_CLOSED : END_SERVER_RESET);
	else if (tunnel_is_over(x))
		tunnel_end(x, END_OK);
	else
		conn_read_on(from);
}

void
tunnel_start(struct exchange *x, struct span rest)
{
	struct worker *w = exchange_worker(x);
	struct conn *c = &x->client->conn, *u = &x->upstream->conn;
	struct writer out = { w->format, w->format + FORMAT_SIZE, false };
	struct reply reply = { .client_minor = 1, .keep_alive = true, .upgrade = true };
	struct span early;

	x->tunnel = true;
	x->responding = true;
	x->take_by = TIMER_NEVER;
	timer_clear(&c->timer); /* from now on the server's is the tunnel's */
	x->status = 101;
	x->response_ns = w->now - x->sent_at;
	h1_format_response(&out, &w->head, &reply);
	if (conn_send(c, w->format, (size_t)(out.p - w->format)) < 0 ||
	    conn_send(c, rest.p, rest.n) < 0) {
		tunnel_end(x, END_CLIENT_CLOSED);
		return;
	}
	conn_keep(u, NULL, 0);
	early = conn_kept(c); /* what the client sent before it had the answer */
	if (conn_send(u, early.p, early.n) < 0) {
		tunnel_end(x, END_SERVER_RESET);
		return;
	}
	conn_keep(c, NULL, 0);
	tunnel_balance(c, u);
	tunnel_balance(u, c);
	tunnel_active(x);
	if (c->eof)
		conn_shutdown(u);
}

void
tunnel_client_readable(struct exchange *x)
{
	tunnel_move(x, &x->client->conn, &x->upstream->conn);
}

void
tunnel_server_readable(struct exchange *x)
{
	tunnel_move(x, &x->upstream->conn, &x->client->conn);
}

void
tunnel_client_writable(struct exchange *x)
{
	tunnel_drained(x, &x->upstream->conn, &x->client->conn);
}

void
tunnel_server_writable(struct exchange *x)
{
	tunnel_drained(x, &x->client->conn, &x->upstream->conn);
}

void
tunnel_expired(struct exchange *x)
{
	tunnel_end(x, END_TUNNEL_IDLE);
}

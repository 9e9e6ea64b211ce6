/*
 * tunnel.c - after 101 (Switching Protocols): bytes both ways, each side's end passed on.
 *
 * A side that stops sending gets nothing taken away: the other direction goes on until it ends too, or
 * until nothing has moved either way for timeouts.tunnel.  The timer is the server connection's.
 */
#include <errno.h>

#include "common/check.h"
#include "lbd/proxy/affinity.h"
#include "lbd/proxy/downstream.h"

static void
tunnel_end(struct exchange *x, enum termination why)
{
	if (x->termination == END_OK)
		x->termination = why;
	x->response_done = true;
	downstream_cut(x, false);
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
	const struct conn *u = &x->upstream->conn;

	return downstream_eof(x) && u->eof && !downstream_pending(x) && !u->out;
}

/* Nothing more is taken from one side before the other has what was. */
static void
client_balance(struct exchange *x)
{
	if (x->upstream->conn.out)
		downstream_read_off(x);
	else
		downstream_read_on(x);
}

static void
server_balance(struct exchange *x)
{
	if (downstream_full(x))
		conn_read_off(&x->upstream->conn);
	else
		conn_read_on(&x->upstream->conn);
}

void
tunnel_client_readable(struct exchange *x)
{
	struct conn *to = &x->upstream->conn;
	struct span data;
	ssize_t n = downstream_read(x, &data, SCRATCH_READ);

	if (n == -EAGAIN)
		return;
	if (n < 0) {
		tunnel_end(x, END_CLIENT_CLOSED);
		return;
	}
	tunnel_active(x);
	if (n == 0) {
		conn_shutdown(to);
		if (tunnel_is_over(x))
			tunnel_end(x, END_OK);
		return;
	}
	x->bytes_in += (uint64_t)n;
	if (conn_send(to, data.p, data.n) < 0)
		tunnel_end(x, END_SERVER_RESET);
	else
		client_balance(x);
}

void
tunnel_server_readable(struct exchange *x)
{
	struct span data;
	ssize_t n = conn_read(&x->upstream->conn, &data, downstream_room(x));

	if (n == -EAGAIN)
		return;
	if (n < 0) {
		tunnel_end(x, END_SERVER_RESET);
		return;
	}
	tunnel_active(x);
	if (n == 0) {
		downstream_shutdown(x);
		if (tunnel_is_over(x))
			tunnel_end(x, END_OK);
		return;
	}
	if (downstream_send(x, data.p, data.n) < 0)
		tunnel_end(x, END_CLIENT_CLOSED);
	else
		server_balance(x);
}

/* A side took some of what waited for it: true if all, and more may be read for it. */
static bool
tunnel_drained(struct exchange *x, int flushed, enum termination broken)
{
	if (flushed == -EAGAIN)
		tunnel_active(x);
	else if (flushed < 0)
		tunnel_end(x, broken);
	else if (tunnel_is_over(x))
		tunnel_end(x, END_OK);
	else
		return true;
	return false;
}

void
tunnel_client_writable(struct exchange *x)
{
	if (tunnel_drained(x, downstream_flush(x), END_CLIENT_CLOSED))
		conn_read_on(&x->upstream->conn);
}

void
tunnel_server_writable(struct exchange *x)
{
	if (tunnel_drained(x, conn_flush(&x->upstream->conn), END_SERVER_RESET))
		downstream_read_on(x);
}

/* The server's 101 as the client's protocol says it, and what came with it.  0 or -errno. */
static int
tunnel_answer(struct exchange *x, struct span rest)
{
	struct worker *w = exchange_worker(x);
	struct writer out = { w->format, w->format + FORMAT_SIZE, false };
	struct reply reply = { .client_minor = 1, .keep_alive = true, .upgrade = true };
	int err;

	if (x->stream)
		return h2_stream_respond(x->stream, &w->head, rest, false);
	h1_format_response(&out, &w->head, &reply);
	err = downstream_send(x, w->format, (size_t)(out.p - w->format));
	return err ? err : downstream_send(x, rest.p, rest.n);
}

void
tunnel_start(struct exchange *x, struct span rest)
{
	struct http_head *head = &exchange_worker(x)->head;
	struct conn *u = &x->upstream->conn;
	struct span early;

	if (x->stream && !websocket_response(head, x->stream->websocket_key)) {
		exchange_answer(x, END_SERVER_BAD_RESPONSE);
		return;
	}
	exchange_tell(x, CIRCUIT_GOOD);
	x->tunnel = true;
	x->responding = true;
	x->take_by = TIMER_NEVER;
	timer_clear(downstream_timer(x)); /* from now on the server's is the tunnel's */
	x->status = (uint16_t)head->status;
	x->response_ns = exchange_worker(x)->now - x->sent_at;
	affinity_tell(x);
	if (tunnel_answer(x, rest) < 0) {
		tunnel_end(x, END_CLIENT_CLOSED);
		return;
	}
	conn_keep(u, NULL, 0);
	early = downstream_kept(x); /* what the client sent before it had the answer */
	if (conn_send(u, early.p, early.n) < 0) {
		tunnel_end(x, END_SERVER_RESET);
		return;
	}
	downstream_keep(x, NULL, 0);
	client_balance(x);
	server_balance(x);
	tunnel_active(x);
	if (downstream_eof(x))
		conn_shutdown(u);
}

void
tunnel_expired(struct exchange *x)
{
	tunnel_end(x, END_TUNNEL_IDLE);
}

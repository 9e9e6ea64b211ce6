/*
 * tunnel.c - after 101 (Switching Protocols): bytes both ways, each side's end passed on.
 *
 * A side that stops sending gets nothing taken away: the other direction goes on until it ends too, or
 * until nothing has moved either way for timeouts.tunnel.  The timer is the server's side's.  A server that
 * speaks HTTP/2 gives it a stream instead of a connection.
 */
#include <errno.h>

#include "common/check.h"
#include "lbd/proxy/affinity.h"
#include "lbd/proxy/downstream.h"
#include "lbd/proxy/origin.h"

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
	origin_deadline(x, exchange_timeouts(x)->tunnel);
}

/* Over when neither side sends any more and all has been delivered. */
static bool
tunnel_is_over(const struct exchange *x)
{
	return downstream_eof(x) && origin_eof(x) && !downstream_pending(x) && !origin_unsent(x);
}

/* Nothing more is taken from one side before the other has what was. */
static void
client_balance(struct exchange *x)
{
	if (origin_pending(x))
		downstream_read_off(x);
	else
		downstream_read_on(x);
}

static void
server_balance(struct exchange *x)
{
	if (downstream_full(x))
		origin_read_off(x);
	else
		origin_read_on(x);
}

void
tunnel_client_readable(struct exchange *x)
{
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
		origin_shutdown(x);
		if (tunnel_is_over(x))
			tunnel_end(x, END_OK);
		return;
	}
	x->bytes_in += (uint64_t)n;
	if (origin_send(x, data.p, data.n) < 0)
		tunnel_end(x, END_SERVER_RESET);
	else
		client_balance(x);
}

void
tunnel_server_readable(struct exchange *x)
{
	struct span data;
	ssize_t n = origin_read(x, &data, downstream_room(x));

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
		origin_read_on(x);
}

void
tunnel_server_writable(struct exchange *x)
{
	if (tunnel_drained(x, origin_flush(x), END_SERVER_RESET))
		downstream_read_on(x);
}

/* The server's yes, as the client's protocol says it, and what came with it.  0 or -errno. */
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

/* From the server's version of HTTP to the client's.  False: the server's yes is none. */
static bool
tunnel_translate(struct exchange *x, char accept[WEBSOCKET_ACCEPT_SIZE])
{
	struct http_head *head = &exchange_worker(x)->head;

	if (x->call && x->stream)
		return true;
	if (x->call)
		return websocket_grant(head, websocket_key(buffer_text(x->request)), accept);
	return !x->stream || websocket_response(head, x->stream->websocket_key);
}

/* What the client sent before it had the answer. */
static int
tunnel_send_early(struct exchange *x)
{
	struct span early;
	int err;

	if (!x->call)
		conn_keep(&x->upstream->conn, NULL, 0);
	early = downstream_kept(x);
	err = origin_send(x, early.p, early.n);
	downstream_keep(x, NULL, 0);
	return err;
}

void
tunnel_start(struct exchange *x, struct span rest)
{
	char accept[WEBSOCKET_ACCEPT_SIZE];

	if (!tunnel_translate(x, accept)) {
		exchange_answer(x, END_SERVER_BAD_RESPONSE);
		return;
	}
	exchange_tell(x, CIRCUIT_GOOD);
	x->tunnel = true;
	x->responding = true;
	x->take_by = TIMER_NEVER;
	timer_clear(downstream_timer(x)); /* from now on the server's is the tunnel's */
	x->status = (uint16_t)exchange_worker(x)->head.status;
	x->response_ns = exchange_worker(x)->now - x->sent_at;
	affinity_tell(x);
	if (tunnel_answer(x, rest) < 0) {
		tunnel_end(x, END_CLIENT_CLOSED);
		return;
	}
	if (tunnel_send_early(x) < 0) {
		tunnel_end(x, END_SERVER_RESET);
		return;
	}
	client_balance(x);
	server_balance(x);
	tunnel_active(x);
	if (downstream_eof(x))
		origin_shutdown(x);
}

void
tunnel_expired(struct exchange *x)
{
	tunnel_end(x, END_TUNNEL_IDLE);
}

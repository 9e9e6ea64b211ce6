/*
 * tunnel.c - after 101 (Switching Protocols): bytes both ways, each side's end passed on.
 *
 * Between two connections that is the relay's affair, as in TCP mode.  Where a side is a stream of HTTP/2 it is done
 * here by the same rules: nothing is taken before the other side has what was, and a side that stops sending gets
 * nothing taken away.  The timer is the server's side's.
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
on_over(struct relay *r, enum termination why)
{
	tunnel_end((struct exchange *)(void *)((char *)r - offsetof(struct exchange, relay)), why);
}

/* --- with a stream of HTTP/2 --- */

static bool
client_has_ended(const struct exchange *x)
{
	return downstream_eof(x) && !origin_unsent(x);
}

static bool
server_has_ended(const struct exchange *x)
{
	return origin_eof(x) && !downstream_pending(x);
}

static void
tunnel_active(struct exchange *x)
{
	origin_deadline(
	    x, relay_patience(exchange_timeouts(x), client_has_ended(x), server_has_ended(x)));
}

/* Over when neither side sends any more and all has been delivered. */
static bool
tunnel_is_over(const struct exchange *x)
{
	return client_has_ended(x) && server_has_ended(x);
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
	ssize_t n;

	if (x->relayed) {
		relay_client_readable(&x->relay);
		return;
	}
	n = downstream_read(x, &data, SCRATCH_READ);
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
	ssize_t n;

	if (x->relayed) {
		relay_server_readable(&x->relay);
		return;
	}
	n = origin_read(x, &data, downstream_room(x));
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
	if (flushed < 0 && flushed != -EAGAIN) {
		tunnel_end(x, broken);
		return false;
	}
	if (tunnel_is_over(x)) {
		tunnel_end(x, END_OK);
		return false;
	}
	tunnel_active(x);
	return flushed == 0;
}

void
tunnel_client_writable(struct exchange *x)
{
	if (x->relayed)
		relay_client_writable(&x->relay);
	else if (tunnel_drained(x, downstream_flush(x), END_CLIENT_CLOSED))
		origin_read_on(x);
}

void
tunnel_server_writable(struct exchange *x)
{
	if (x->relayed)
		relay_server_writable(&x->relay);
	else if (tunnel_drained(x, origin_flush(x), END_SERVER_RESET))
		downstream_read_on(x);
}

/* --- its start and its end --- */

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
	struct span early = downstream_kept(x);
	int err = origin_send(x, early.p, early.n);

	downstream_keep(x, NULL, 0);
	return err;
}

/* From here on bytes pass. */
static void
tunnel_open(struct exchange *x)
{
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

static void
tunnel_relay(struct exchange *x)
{
	struct conn *client = &x->client->conn;

	x->relayed = true;
	x->bytes_in -= client->bytes_read - buffer_used(client->in);
	relay_start(&x->relay, client, &x->upstream->conn, exchange_timeouts(x), on_over);
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
	if (!x->call)
		conn_keep(&x->upstream->conn, NULL, 0);
	if (x->call || x->stream)
		tunnel_open(x);
	else
		tunnel_relay(x);
}

void
tunnel_expired(struct exchange *x)
{
	if (x->relayed)
		relay_expired(&x->relay);
	else
		tunnel_end(x, relay_impatience(client_has_ended(x), server_has_ended(x)));
}

void
tunnel_gone(struct exchange *x)
{
	if (!x->relayed)
		return;
	x->bytes_in += x->client->conn.bytes_read;
	relay_fini(&x->relay);
}

/*
 * downstream.h - the client's side of an exchange: its bytes, its patience, its end.
 *
 * What an exchange asks of whoever it serves, so that it need not know how that speaks: what is read is
 * the request's body, what is sent goes to the client in order, and what it does not take is kept until it
 * does.  In HTTP/1 the exchange has the client's connection to itself; in HTTP/2 a stream of it, and only heads
 * are written otherwise (h2_stream_respond).
 */
#ifndef LBD_PROXY_DOWNSTREAM_H
#define LBD_PROXY_DOWNSTREAM_H

#include "lbd/proxy/exchange.h"
#include "lbd/proxy/h2_stream.h"

/* Who knows of this exchange. */
static inline struct exchange **
downstream_exchange(const struct exchange *x)
{
	return x->stream ? &x->stream->exchange : &x->client->exchange;
}

/* As conn_read: more of the request's body, or of a tunnel. */
static inline ssize_t
downstream_read(struct exchange *x, struct span *data, size_t most)
{
	if (x->stream)
		return h2_stream_read(x->stream, data, most);
	return conn_read(&x->client->conn, data, most);
}

/* As conn_kept and conn_keep. */
static inline struct span
downstream_kept(struct exchange *x)
{
	if (x->stream)
		return (struct span){ NULL, 0 };
	return conn_kept(&x->client->conn);
}

static inline int
downstream_keep(struct exchange *x, const char *p, size_t n)
{
	if (x->stream)
		return 0; /* whole pieces were read */
	return conn_keep(&x->client->conn, p, n);
}

/* As conn_read_on: `exchange_client_readable` is called when there is something. */
static inline void
downstream_read_on(struct exchange *x)
{
	if (x->stream)
		h2_stream_read_on(x->stream);
	else
		conn_read_on(&x->client->conn);
}

static inline void
downstream_read_off(struct exchange *x)
{
	if (x->stream)
		x->stream->reading = false;
	else
		conn_read_off(&x->client->conn);
}

/* The client sends no more. */
static inline bool
downstream_eof(const struct exchange *x)
{
	return x->stream ? x->stream->incoming.end_read : x->client->conn.eof;
}

/* As conn_send.  After the last byte of the last response the connection is closed. */
static inline int
downstream_send(struct exchange *x, const char *p, size_t n)
{
	struct conn *c = &x->client->conn;

	if (x->stream)
		return h2_stream_send(x->stream, p, n);
	c->ending = x->response_body.done && !x->keep_alive;
	return conn_send(c, p, n);
}

/* Something that was sent has not left yet. */
static inline bool
downstream_pending(const struct exchange *x)
{
	return x->stream ? h2_stream_pending(x->stream) : x->client->conn.out != NULL;
}

/* So much waits that nothing more should be sent. */
static inline bool
downstream_full(const struct exchange *x)
{
	return x->stream ? h2_stream_full(x->stream) : x->client->conn.out != NULL;
}

/* How much may be read for it at once. */
static inline size_t
downstream_room(const struct exchange *x)
{
	return x->stream ? h2_stream_room(x->stream) : SCRATCH_READ;
}

/* As conn_flush. */
static inline int
downstream_flush(struct exchange *x)
{
	return x->stream ? h2_stream_flush(x->stream) : conn_flush(&x->client->conn);
}

static inline bool
downstream_broken(const struct exchange *x)
{
	return x->stream ? x->stream->closed && !x->stream->end_sent : x->client->conn.broken;
}

static inline uint64_t
downstream_bytes_sent(const struct exchange *x)
{
	return x->stream ? x->stream->bytes_sent : x->client->conn.bytes_sent;
}

static inline struct timer *
downstream_timer(struct exchange *x)
{
	return x->stream ? &x->stream->timer : &x->client->conn.timer;
}

static inline void
downstream_deadline(struct exchange *x, int64_t timeout_ns)
{
	struct worker *w = exchange_worker(x);

	timer_set(&w->wheel, downstream_timer(x), w->now + timeout_ns);
}

/* All of the response was sent. */
static inline void
downstream_finish(struct exchange *x)
{
	if (x->stream)
		h2_stream_finish(x->stream);
}

/* In a tunnel: we send no more. */
static inline void
downstream_shutdown(struct exchange *x)
{
	if (x->stream)
		h2_stream_finish(x->stream);
	else
		conn_shutdown(&x->client->conn);
}

/* As client_close: ends the exchange at once.  `reset`: so that nobody takes a cut body for whole. */
static inline void
downstream_cut(struct exchange *x, bool reset)
{
	if (x->stream)
		h2_stream_cut(x->stream);
	else
		client_close(x->client, reset);
}

#endif

/*
 * downstream.h - the client's side of an exchange: its bytes, its patience, its end.
 *
 * What an exchange asks of whoever it serves, so that it need not know how that speaks: what is read is
 * the request's body, what is sent goes to the client in order, and what it does not take is kept until it
 * does.  In HTTP/1 the exchange has the client's connection to itself.
 */
#ifndef LBD_PROXY_DOWNSTREAM_H
#define LBD_PROXY_DOWNSTREAM_H

#include "lbd/proxy/exchange.h"

/* As conn_read: more of the request's body, or of a tunnel. */
static inline ssize_t
downstream_read(struct exchange *x, struct span *data, size_t most)
{
	return conn_read(&x->client->conn, data, most);
}

/* As conn_kept and conn_keep. */
static inline struct span
downstream_kept(struct exchange *x)
{
	return conn_kept(&x->client->conn);
}

static inline int
downstream_keep(struct exchange *x, const char *p, size_t n)
{
	return conn_keep(&x->client->conn, p, n);
}

/* As conn_read_on: `exchange_client_readable` is called when there is something. */
static inline void
downstream_read_on(struct exchange *x)
{
	conn_read_on(&x->client->conn);
}

static inline void
downstream_read_off(struct exchange *x)
{
	conn_read_off(&x->client->conn);
}

/* The client sends no more. */
static inline bool
downstream_eof(const struct exchange *x)
{
	return x->client->conn.eof;
}

/* As conn_send.  After the last byte of the last response the connection is closed. */
static inline int
downstream_send(struct exchange *x, const char *p, size_t n)
{
	struct conn *c = &x->client->conn;

	c->ending = x->response_body.done && !x->keep_alive;
	return conn_send(c, p, n);
}

/* Something that was sent has not left yet. */
static inline bool
downstream_pending(const struct exchange *x)
{
	return x->client->conn.out != NULL;
}

/* So much waits that nothing more should be sent. */
static inline bool
downstream_full(const struct exchange *x)
{
	return downstream_pending(x);
}

/* How much may be read for it at once; not 0 unless it is full. */
static inline size_t
downstream_room(const struct exchange *x)
{
	(void)x;
	return SCRATCH_READ;
}

/* As conn_flush. */
static inline int
downstream_flush(struct exchange *x)
{
	return conn_flush(&x->client->conn);
}

static inline bool
downstream_broken(const struct exchange *x)
{
	return x->client->conn.broken;
}

static inline uint64_t
downstream_bytes_sent(const struct exchange *x)
{
	return x->client->conn.bytes_sent;
}

static inline struct timer *
downstream_timer(struct exchange *x)
{
	return &x->client->conn.timer;
}

static inline void
downstream_deadline(struct exchange *x, int64_t timeout_ns)
{
	struct worker *w = exchange_worker(x);

	timer_set(&w->wheel, downstream_timer(x), w->now + timeout_ns);
}

/* In a tunnel: we send no more. */
static inline void
downstream_shutdown(struct exchange *x)
{
	conn_shutdown(&x->client->conn);
}

/* As client_close: ends the exchange at once.  `reset`: so that nobody takes a cut body for whole. */
static inline void
downstream_cut(struct exchange *x, bool reset)
{
	client_close(x->client, reset);
}

#endif

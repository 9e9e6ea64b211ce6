/*
 * origin.h - the server's side of an exchange: its bytes, its patience, its end.
 *
 * The counterpart of downstream.h: what an exchange asks of whoever serves it, so that it need not know how that
 * speaks.  In HTTP/1 the exchange has the server's connection to itself; in HTTP/2 a call on it.  There the head of an
 * answer comes by itself (exchange_upstream_head); all else reads and is sent as in HTTP/1.
 */
#ifndef LBD_PROXY_ORIGIN_H
#define LBD_PROXY_ORIGIN_H

#include "lbd/proxy/exchange.h"
#include "lbd/proxy/h2_call.h"
#include "lbd/proxy/h2_server.h"

/* The request's head. */
static inline int
origin_ask(struct exchange *x, const char *head, size_t n)
{
	return x->call ? h2_call_ask(x->call, head, n) : conn_send(&x->upstream->conn, head, n);
}

/* As conn_send: more of its body. */
static inline int
origin_send(struct exchange *x, const char *p, size_t n)
{
	return x->call ? h2_call_send(x->call, p, n, x->request_body.done && !x->call->tunnel)
		       : conn_send(&x->upstream->conn, p, n);
}

/* Nothing can be asked yet. */
static inline bool
origin_opening(const struct exchange *x)
{
	return x->call ? !x->call->told : upstream_opening(x->upstream);
}

/* In a tunnel: the server sends no more; we send no more. */
static inline bool
origin_eof(const struct exchange *x)
{
	return x->call ? x->call->incoming.end_read : x->upstream->conn.eof;
}

static inline void
origin_shutdown(struct exchange *x)
{
	if (x->call)
		h2_call_shutdown(x->call);
	else
		conn_shutdown(&x->upstream->conn);
}

/* In a tunnel: something that was sent, or that we send no more, has not left yet. */
static inline bool
origin_unsent(const struct exchange *x)
{
	const struct h2_call *c = x->call;

	return c ? c->out || (c->finished && !c->end_sent) : x->upstream->conn.out != NULL;
}

/* Something that was sent has not left yet. */
static inline bool
origin_pending(const struct exchange *x)
{
	return x->call ? x->call->out != NULL : x->upstream->conn.out != NULL;
}

/* As conn_flush. */
static inline int
origin_flush(struct exchange *x)
{
	if (x->call)
		return x->call->out ? -EAGAIN : 0;
	return conn_flush(&x->upstream->conn);
}

static inline bool
origin_broken(const struct exchange *x)
{
	return x->call ? x->call->closed : x->upstream->conn.broken;
}

/* As conn_read: more of the answer. */
static inline ssize_t
origin_read(struct exchange *x, struct span *data, size_t most)
{
	return x->call ? h2_call_read(x->call, data, most)
		       : conn_read(&x->upstream->conn, data, most);
}

/* As conn_keep: in HTTP/2 whole pieces were read. */
static inline int
origin_keep(struct exchange *x, const char *p, size_t n)
{
	return x->call ? 0 : conn_keep(&x->upstream->conn, p, n);
}

/* As conn_read_on: `exchange_upstream_readable` is called when there is something. */
static inline void
origin_read_on(struct exchange *x)
{
	if (x->call)
		h2_call_read_on(x->call);
	else
		conn_read_on(&x->upstream->conn);
}

static inline void
origin_read_off(struct exchange *x)
{
	if (x->call)
		x->call->reading = false;
	else
		conn_read_off(&x->upstream->conn);
}

static inline struct timer *
origin_timer(struct exchange *x)
{
	return x->call ? &x->call->timer : &x->upstream->conn.timer;
}

/* In so long, but not later than the try may last. */
static inline void
origin_deadline(struct exchange *x, int64_t timeout_ns)
{
	struct worker *w = exchange_worker(x);
	int64_t at = w->now + timeout_ns;

	timer_set(&w->wheel, origin_timer(x), at < x->try_by ? at : x->try_by);
}

/* It was open, and idle, before this exchange. */
static inline bool
origin_reused(const struct exchange *x)
{
	return x->call ? x->call->reused : x->upstream->reused;
}

/* There is no answer, and none comes: what that says of the request. */
static inline enum try_failure
origin_failure(const struct exchange *x)
{
	const struct h2_call *c = x->call;

	if (!c)
		return x->upstream->reused && !x->upstream->conn.in ? TRY_REUSE_DIED : TRY_RESET;
	if (c->how == H2_UNSEEN && !x->fresh)
		return TRY_REUSE_UNSENT;
	if (c->how != H2_CLOSED)
		return TRY_REFUSED;
	return c->reused && !x->fresh ? TRY_REUSE_DIED : TRY_RESET;
}

static inline void
origin_release(struct exchange *x, bool reusable)
{
	if (x->call) {
		h2_call_release(&x->call, reusable);
		x->upstream = NULL;
	} else if (x->upstream) {
		upstream_release(&x->upstream, reusable);
	}
}

#endif

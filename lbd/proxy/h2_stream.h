/*
 * h2_stream.h - one request of an HTTP/2 connection: what its exchange asks of the client's side.
 *
 * Holds what came of the request and was not read yet, no more than the window that the client was given, and
 * what waits to be sent, no more than h2_stream_room allowed.  A stream may outlive its exchange until the client
 * has what was sent.
 */
#ifndef LBD_PROXY_H2_STREAM_H
#define LBD_PROXY_H2_STREAM_H

#include "lbd/http/head.h"
#include "lbd/proxy/conn.h"
#include "lbd/proxy/h2_incoming.h"
#include "lbd/proxy/h2_websocket.h"

enum { H2_STREAM_MAGIC = 0x1bd30f0f };

struct exchange;
struct h2_connection;

struct h2_stream {
	uint32_t magic;
	int32_t id;
	struct h2_connection *connection;
	struct exchange *exchange; /* NULL: refused, or it has ended */
	struct h2_stream *next, **prev; /* of the connection */
	struct h2_stream *next_ready, *next_progressed;
	struct h2_stream *next_in_line, **prev_in_line; /* h2_line.h; NULL: it is not */
	struct timer timer;
	struct h2_incoming incoming; /* the request's body */
	uint64_t taken; /* of it, by the exchange */
	struct buffer *out; /* of the answer's, not yet sent */
	struct buffer *trailers_out; /* as lines */
	size_t heads; /* its share of connection->heads */
	uint64_t bytes_sent; /* in frames */
	bool ready, progressed; /* in those lists */
	bool held, released; /* it had to wait in line for a window; and got one */
	bool on_credit; /* its exchange went on without a window */
	bool reading; /* its exchange wants to know what comes */
	bool finished; /* all of the answer was sent to us */
	bool end_sent; /* and to the client */
	bool closed;
	char websocket_key[WEBSOCKET_KEY_SIZE]; /* of a tunnel, for the server */
};

/* What follows is for downstream.h; each as its namesake in conn.h. */
ssize_t h2_stream_read(struct h2_stream *, struct span *data, size_t most);
void h2_stream_read_on(struct h2_stream *);
int h2_stream_send(struct h2_stream *, const char *p, size_t n);
int h2_stream_flush(const struct h2_stream *);

/* Nothing more should be sent; how much may be, at once. */
bool h2_stream_full(const struct h2_stream *);
size_t h2_stream_room(const struct h2_stream *);

/* The answer's head, and what came with it.  `end`: that is all.  0 or -ENOMEM. */
int h2_stream_respond(struct h2_stream *, const struct http_head *, struct span data, bool end);

/* There is memory for an answer of that size, even if nobody reads it. */
bool h2_stream_may_answer(const struct h2_stream *, size_t n);

/* An answer of our own, complete, as HTTP/1 says it. */
int h2_stream_answer(struct h2_stream *, const char *p, size_t n);

/* The same without an exchange: the stream ends with it. */
void h2_stream_refuse(struct h2_stream *, const char *p, size_t n);

/* Lines to follow the body.  0 or -ENOMEM. */
int h2_stream_trailers(struct h2_stream *, const char *p, size_t n);

/* Nothing more is sent. */
void h2_stream_finish(struct h2_stream *);

/* Ends stream and exchange at once, so that nobody takes the answer for complete. */
void h2_stream_cut(struct h2_stream *);

/* Its exchange is over, and the answer with the client. */
void h2_stream_exchange_ended(struct h2_stream *);

/* Something was sent, and has not left. */
static inline bool
h2_stream_pending(const struct h2_stream *s)
{
	return s->out || (s->finished && !s->end_sent);
}

/* A copy of so much of its body may be held, besides heads. */
bool h2_stream_hold_copy(struct h2_stream *, size_t n);

/*
 * What servers of HTTP/2 may send ahead of what the client reads is bounded over all streams: has a new one room
 * for a usual window?  Then so much more, if there is room for it, or in any case; or less.
 */
bool h2_stream_ahead_room(const struct h2_stream *);
bool h2_stream_ahead_take(struct h2_stream *, size_t n);
void h2_stream_ahead_add(struct h2_stream *, ptrdiff_t n);

/* --- for the connection --- */

/* Heads and trailers are held for as long as their stream lives; not more than so many bytes of a connection. */
bool h2_stream_may_hold(const struct h2_connection *, size_t n);

/* NULL: out of memory. */
struct h2_stream *h2_stream_new(struct h2_connection *, int32_t id, size_t head_size);
void h2_stream_free(struct h2_stream *);

/* Lets the exchange look at what came, or go on. */
void h2_stream_do_ready(struct h2_stream *);
void h2_stream_do_progressed(struct h2_stream *);

extern const struct h2_events h2_stream_events;

#endif

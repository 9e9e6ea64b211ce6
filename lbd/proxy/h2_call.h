/*
 * h2_call.h - one request to a server that speaks HTTP/2: what its exchange asks of the server's side.
 *
 * The counterpart of h2_stream.h.  The exchange speaks HTTP/1: here chunks become DATA and trailers, and what comes
 * becomes chunks (h2_incoming.h).  The call begins with its exchange's choice of a connection, which may be opening
 * still, and may outlive it until the server has said its last word, so that a stream that ends well is not reset.
 */
#ifndef LBD_PROXY_H2_CALL_H
#define LBD_PROXY_H2_CALL_H

#include "lbd/http/body.h"
#include "lbd/http/h2_session.h"
#include "lbd/proxy/h2_incoming.h"

enum { H2_CALL_MAGIC = 0x1bd31010 };

struct exchange;
struct h2_server;

struct h2_call {
	uint32_t magic;
	int32_t id; /* 0: not asked yet */
	struct h2_server *server;
	struct exchange *exchange; /* NULL: it has let go of it */
	struct h2_call *next, **prev; /* of the connection */
	struct h2_call *next_ready;
	struct timer timer;
	struct h2_incoming incoming; /* the answer's body */
	uint64_t taken; /* of that, by the exchange */
	uint32_t window; /* what the server may send ahead of that */
	struct buffer *out; /* of the request's, not yet sent */
	struct buffer *trailers_out; /* as lines */
	struct body body; /* undoes the chunks of the request's */
	bool ready; /* in that list */
	bool reading; /* its exchange wants to know what comes */
	bool drained; /* and that the server took what it was sent */
	bool told; /* that the connection is open; of a tunnel: and that it may be one */
	bool tunnel;
	bool reused; /* it was idle before */
	bool left; /* the head is on its way */
	bool answered; /* a final head has come */
	bool finished; /* all of the request was sent to us */
	bool end_sent; /* and to the server */
	bool closed; /* nothing more comes */
	enum h2_closing how;
};

/* On a connection that has room.  NULL: out of memory. */
struct h2_call *h2_call_new(struct h2_server *, struct exchange *);

/* The exchange lets go of it; `complete`: both messages are. */
void h2_call_release(struct h2_call **, bool complete);

/* For origin.h: as its namesakes in conn.h. */
int
h2_call_ask(struct h2_call *, const char *head, size_t n); /* the request's head; 0 or -ENOMEM */
int h2_call_send(struct h2_call *, const char *p, size_t n, bool end);
ssize_t h2_call_read(struct h2_call *, struct span *data, size_t most);
void h2_call_read_on(struct h2_call *);
void h2_call_shutdown(struct h2_call *); /* of a tunnel: we send no more */

/* --- for the connection --- */

void h2_call_free(struct h2_call *);

/* Tells its exchange what is to be told. */
void h2_call_do_ready(struct h2_call *);

/* The connection is gone: no more comes than what has. */
void h2_call_lost(struct h2_call *);

extern const struct h2_events h2_call_events;

#endif

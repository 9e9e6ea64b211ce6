/*
 * h2_server.h - a connection to a server that speaks HTTP/2: many calls at once, each on its stream.
 *
 * The counterpart of h2_connection.h.  Belongs to its upstream (upstream->h2), from the moment that this is opened,
 * so that further exchanges need not open one of their own; the session begins when it is known that the server
 * speaks HTTP/2.  It takes calls until it has as many as the server allows, the server says that it ends, or
 * its address or TLS change; then it ends with its last call.
 */
#ifndef LBD_PROXY_H2_SERVER_H
#define LBD_PROXY_H2_SERVER_H

#include "lbd/http/h2_session.h"
#include "lbd/proxy/late_work.h"
#include "lbd/proxy/upstream.h"

enum { H2_SERVER_MAGIC = 0x1bd31111 };

struct h2_call;

struct h2_server {
	uint32_t magic;
	struct upstream *upstream;
	struct h2_session *session; /* NULL: not open yet, or no more */
	struct h2_call *calls; /* all of them, newest first */
	struct h2_call *ready; /* something is to be told to their exchanges */
	uint32_t n_calls, n_used; /* used: with an exchange */
	uint32_t window; /* of each answer, at first */
	struct late_work turn;
	bool dead; /* nothing is sent or received any more */
	bool settled; /* what it takes is known, and those who waited for that were told */
	bool probing; /* a PING is to be answered */
	uint32_t pongs; /* before that */
};

/* NULL: out of memory. */
struct h2_server *h2_server_new(struct upstream *, uint32_t window);

/* It is open: begins, and tells all calls.  */
void h2_server_start(struct h2_server *);

/* It is over: calls get what has come for them.  It is closed, and freed, when the last exchange let go. */
void h2_server_die(struct h2_server *);

/* It will not open: no call begins any more. */
void h2_server_give_up(struct h2_server *);

/* Is it of any use for calls to come? */
bool h2_server_may_rest(const struct h2_server *);

/* For upstream_close: no exchange has a call any more. */
void h2_server_free(struct h2_server **);

/* May one more call begin? */
bool h2_server_has_room(const struct h2_server *);

/* What happens to the socket, once it is open. */
void h2_server_readable(struct h2_server *);
void h2_server_writable(struct h2_server *);
void h2_server_expired(struct h2_server *);

/* A call got no answer: is the server still there? */
void h2_server_probe(struct h2_server *);

/* The exchange that has waited longest for it to open, or NULL. */
struct exchange *h2_server_waiting(const struct h2_server *);

/* May a call be a tunnel?  RFC 8441: not before the server has said so. */
enum h2_tunnels { H2_TUNNELS_UNKNOWN, H2_TUNNELS_TAKEN, H2_TUNNELS_REFUSED };
enum h2_tunnels h2_server_tunnels(const struct h2_server *);

/* --- for calls --- */

void h2_server_add(struct h2_server *, struct h2_call *);
void h2_server_remove(struct h2_server *, struct h2_call *);

/* Something is to be done before the turn is over. */
void h2_server_wake(struct h2_server *);

static inline struct conn *
h2_server_conn(const struct h2_server *h)
{
	return &h->upstream->conn;
}

static inline bool
h2_server_open(const struct h2_server *h)
{
	return h->session != NULL;
}

#endif

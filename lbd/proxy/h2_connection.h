/*
 * h2_connection.h - a client's connection that speaks HTTP/2: many exchanges at once, each on its stream.
 *
 * Belongs to its client (client->h2), which keeps the socket, and turns what the socket brings into events of
 * a session (lbd/http/h2_session.h).  Whatever any stream has to send waits until all events of the loop's
 * turn are handled, and then leaves in one write; so does everything that must not happen within the
 * session's own callbacks.  As long as the client does not take what it was sent, nothing more is read from it.
 */
#ifndef LBD_PROXY_H2_CONNECTION_H
#define LBD_PROXY_H2_CONNECTION_H

#include "lbd/http/h2_session.h"
#include "lbd/proxy/client.h"
#include "lbd/proxy/late_work.h"

enum { H2_CONNECTION_MAGIC = 0x1bd30fff };

struct h2_stream;

struct h2_connection {
	uint32_t magic;
	struct client *client;
	struct h2_session *session;
	struct h2_stream *streams; /* all of them */
	struct h2_stream *ready; /* something of their request may be read */
	struct h2_stream *progressed; /* the client took something of their answer */
	struct h2_stream *line, **line_end; /* for a server: h2_line.h */
	unsigned on_credit; /* so many left it without a window */
	struct h2_stream *wide; /* it may send more ahead than others: h2_upload.h; or NULL */
	size_t held; /* memory of what waits for the client, over all streams */
	size_t ahead; /* and what servers may send before the client reads, of HTTP/2 */
	size_t heads; /* and of their heads and trailers, which no window holds back */
	struct late_work turn;
	struct h2_connection *next_behind, **prev_behind; /* h2_round.h; NULL: it is not */
	bool unread; /* the socket was readable, and was left alone */
	bool ending; /* no new streams, once the client knows */
	bool insisted; /* it did not say that it does */
	int64_t head_since, idle_since, out_since, ending_since;
};

extern const struct str h2_preface; /* the first bytes of a client that knows that we speak it */

/* The client speaks HTTP/2, and `data`, in scratch memory, is what it said so far.  May close it. */
void h2_connection_start(struct client *, struct span data);

/* For client_close.  Exchanges end as if the client had gone. */
void h2_connection_free(struct h2_connection **);

/* For proxy_cut: why the exchanges end. */
void h2_connection_blame(struct h2_connection *, enum termination);

/* No new requests; it ends with the last exchange. */
void h2_connection_retire(struct h2_connection *);

/* Something is to be done before the turn is over. */
void h2_connection_wake(struct h2_connection *);

/* For h2_stream.c: a request, or what was understood of one, is in the worker's head. */
void *h2_connection_request(void *arg, int32_t id, enum refusal, size_t size);

/* For h2_round.c: with what was left over. */
void h2_connection_go_on(struct h2_connection *);

#endif

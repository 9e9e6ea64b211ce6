/*
 * h2_incoming.h - a body that came on a stream and was not read yet, of a request or of an answer.
 *
 * One of unknown length reads as HTTP/1 would frame it, chunk by chunk and trailers at the end, so that everything
 * above knows one kind of body.
 */
#ifndef LBD_PROXY_H2_INCOMING_H
#define LBD_PROXY_H2_INCOMING_H

#include "lbd/proxy/conn.h"

struct h2_incoming {
	struct buffer *body; /* not yet read */
	struct buffer *trailers; /* as lines */
	bool chunked; /* is read as chunks */
	bool ended; /* all of it has come */
	bool end_read; /* and was read */
};

/*
 * As conn_read; `taken` says how much of the body that was, and that the peer may send as much again.  0: all was
 * read before.
 */
ssize_t h2_incoming_read(
    struct h2_incoming *, struct worker *, struct span *data, size_t most, size_t *taken);

void h2_incoming_fini(struct h2_incoming *, struct worker *);

static inline bool
h2_incoming_has_more(const struct h2_incoming *in)
{
	return in->body || (in->ended && !in->end_read);
}

#endif

/* h2_wire.h - bytes between a connection and its HTTP/2 session, whoever is at the other end. */
#ifndef LBD_PROXY_H2_WIRE_H
#define LBD_PROXY_H2_WIRE_H

#include "lbd/http/h2_session.h"
#include "lbd/proxy/conn.h"

enum { H2_READ_MAX = 64 * 1024 /* in one turn: others want theirs, too */ };

/* Before the first session of a worker.  0 or -ENOMEM. */
int h2_wire_init(struct proxy *);

/*
 * The session gets a copy of what stands in scratch memory: exchanges that start meanwhile use that.  How much is
 * used up; the rest stands in proxy->h2_bytes behind that.
 */
size_t h2_wire_feed(struct conn *, struct h2_session *, struct span data);

/*
 * One write, unless there is more than that, or the socket takes no more.  False: there is still more.  *sent is
 * set if something went.
 */
bool h2_wire_write(struct conn *, struct h2_session *, bool *sent);

#endif

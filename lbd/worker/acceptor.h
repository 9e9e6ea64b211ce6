/*
 * acceptor.h - taking connections from a worker's listening sockets, and when not to.
 *
 * At limits.connections (over all workers) the oldest idle connection makes room; if none is idle the
 * acceptors wait until a connection ends, in whichever worker.  Without descriptors (EMFILE) they wait a
 * tenth of a second, since no event tells when one is free: a full table never spins.
 */
#ifndef LBD_WORKER_ACCEPTOR_H
#define LBD_WORKER_ACCEPTOR_H

#include <ev.h>

struct acceptor;
struct listener;
struct snapshot;

void acceptor_init(struct acceptor *, struct listener *, int fd);

void acceptors_start(struct snapshot *);

/*
 * Stops all of them.  What still waits in the queue of a socket that `next` (NULL: nobody) does not
 * listen on is taken first, since closing the socket would reset it.
 */
void acceptors_stop(struct snapshot *, const struct snapshot *next);

/* libev callbacks of the worker: room was made, descriptors may be free again. */
void acceptor_on_room(struct ev_loop *, ev_async *, int revents);
void acceptor_on_again(struct ev_loop *, ev_timer *, int revents);

#endif

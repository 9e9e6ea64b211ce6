/*
 * acceptor.h - accepts connections on a libev loop, for the administrative servers.
 *
 * Takes a listening socket over.  When the process or the system is out of descriptors or memory it pauses
 * for 100 ms instead of spinning; the owner may pause it too.  Workers have their own listeners.
 */
#ifndef COMMON_ACCEPTOR_H
#define COMMON_ACCEPTOR_H

#include <ev.h>
#include <stdbool.h>

struct acceptor;

/* `fd` is non-blocking, close-on-exec, and the callee's. */
typedef void acceptor_fn(struct acceptor *, int fd);

struct acceptor {
	struct ev_loop *loop;
	ev_io io;
	ev_timer retry;
	bool paused; /* by its owner */
	acceptor_fn *accepted;
	void *owner;
};

void acceptor_start(struct acceptor *, struct ev_loop *, int fd, acceptor_fn *, void *owner);
void acceptor_pause(struct acceptor *);
void acceptor_resume(struct acceptor *);

/* Closes the listening socket. */
void acceptor_stop(struct acceptor *);

#endif

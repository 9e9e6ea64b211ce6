/*
 * admin_listener.h - accepts connections on a libev loop, for the administrative servers.
 *
 * Takes a listening socket over.  When the process or the system is out of descriptors or memory it pauses
 * for 100 ms instead of spinning; the owner may pause it too.  Workers have their own listeners.
 */
#ifndef COMMON_ADMIN_LISTENER_H
#define COMMON_ADMIN_LISTENER_H

#include <ev.h>
#include <stdbool.h>

struct admin_listener;

/* `fd` is non-blocking, close-on-exec, and the callee's. */
typedef void admin_listener_fn(struct admin_listener *, int fd);

struct admin_listener {
	struct ev_loop *loop;
	ev_io io;
	ev_timer retry;
	bool paused; /* by its owner */
	admin_listener_fn *accepted;
	void *owner;
};

void admin_listener_start(
    struct admin_listener *, struct ev_loop *, int fd, admin_listener_fn *, void *owner);
void admin_listener_pause(struct admin_listener *);
void admin_listener_resume(struct admin_listener *);

/* Closes the listening socket. */
void admin_listener_stop(struct admin_listener *);

#endif

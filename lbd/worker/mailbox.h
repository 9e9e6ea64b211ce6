/*
 * mailbox.h - run this function over there: messages to the thread that owns an event loop.
 *
 * Any thread may post; the owner's loop runs the functions in the order of posting.  A letter is embedded
 * in whatever it carries; its function frees that, or keeps it.
 */
#ifndef LBD_WORKER_MAILBOX_H
#define LBD_WORKER_MAILBOX_H

#include <ev.h>
#include <stdatomic.h>

struct letter {
	struct letter *next;
	void (*open)(struct letter *, void *owner); /* runs in the owner's thread */
};

struct mailbox {
	struct letter *_Atomic newest; /* a stack: the owner turns it round */
	struct ev_loop *loop;
	ev_async wake;
	void *owner;
};

/* Owner's thread, or before it starts.  Does not keep the loop alive by itself. */
void mailbox_init(struct mailbox *, struct ev_loop *, void *owner);

/* Runs what is still in it, then stops. */
void mailbox_fini(struct mailbox *);

void mailbox_post(struct mailbox *, struct letter *);

#endif

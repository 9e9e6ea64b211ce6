/*
 * child.h - a process without privileges that the supervisor forked: hears it, kills it, buries it.
 *
 * The proxy process is one.  Needs libev's default loop, since that one watches children.  Everything that a process
 * said before it died is delivered before `died`.
 */
#ifndef LBD_SUPERVISOR_CHILD_H
#define LBD_SUPERVISOR_CHILD_H

#include <ev.h>
#include <sys/types.h>

#include "lbd/supervisor/channel.h"
#include "lbd/supervisor/identity.h"

/* In the new process; returns its exit status. */
typedef int child_main_fn(void *owner, int channel);

struct child {
	/* set by the owner */
	const char *name; /* of the process */
	struct ev_loop *loop;
	void *owner;
	child_main_fn *main;
	void (*message)(void *owner, struct channel_message *);
	void (*died)(void *owner, int wait_status); /* may start it again */
	/* read by the owner */
	pid_t pid; /* 0: there is none */
	int64_t started_ns, heard_ns, killed_ns; /* 0: not killed */
	/* private */
	int channel;
	ev_io io;
	ev_child watcher;
};

/* 0 or -errno with a reason.  The loop must not be used in the new process: it is destroyed. */
int child_start(struct child *, const struct identity *, struct err *);

/* 0 or -errno with a reason; -ESRCH when there is no process. */
int child_send(struct child *, const struct channel_message *, struct err *);

/* Its death is reported as any other. */
void child_kill(struct child *, int signal_number);

#endif

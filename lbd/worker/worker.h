/*
 * worker.h - one thread, one event loop, and everything that its connections share.
 *
 * A worker accepts on its own sockets and hands each connection to the room above (worker_hooks).  It
 * keeps the time of the present turn, the deadlines, the buffers, the scratch memory that messages are
 * handled in, and the configuration snapshot.  Other threads reach it by its mailbox only.
 *
 * Scratch memory: input is read to `scratch`, with SCRATCH_BEFORE bytes of room before it, so that a
 * rewritten head can be put directly in front of a body, and some behind.  It is valid until the callback
 * that read into it returns.
 */
#ifndef LBD_WORKER_WORKER_H
#define LBD_WORKER_WORKER_H

#include <ev.h>
#include <pthread.h>

#include "lbd/worker/access_log.h"
#include "lbd/worker/buffer.h"
#include "lbd/worker/mailbox.h"
#include "lbd/worker/snapshot.h"
#include "lbd/worker/timer.h"

struct tls_engine;

enum {
	WORKER_MAGIC = 0x1bd30aaa,
	SCRATCH_BEFORE = 4096,
	SCRATCH_READ =
	    256 * 1024, /* what one read may add: large ones halve the cost of large bodies */
	/* what may be kept: a head that is not complete, and all that one read brought behind it */
	SCRATCH_KEPT = 64 * 1024 + SCRATCH_READ,
	SCRATCH_BEHIND = 64,
	FORMAT_SIZE = 96 * 1024 /* a head as it is sent: what came, and what lbd adds */
};

/* What all workers of a process share.  Atomics. */
struct worker_shared {
	_Atomic uint32_t connections; /* client connections open now */
	_Atomic bool yielding; /* connections end with their present exchange */
	_Atomic uint32_t waiting; /* workers whose acceptors wait for a connection to end */
	struct worker *const *workers;
	uint32_t n_workers;
	void (*emptied)(void *); /* any thread: the last connection of the process ended */
	void *emptied_arg;
};

struct worker_hooks {
	void (*accepted)(struct listener *, int fd, const struct address *peer); /* owns fd */
	bool (*make_room)(struct worker *); /* closes its oldest idle connection; false: none */
	void (*adopted)(struct worker *, struct snapshot *old); /* old may be NULL */
	void (*turn_end)(struct worker *); /* before the loop waits */
};

struct worker {
	uint32_t magic;
	unsigned id;
	struct ev_loop *loop;
	pthread_t thread;
	struct mailbox inbox;
	struct worker_shared *shared;
	const struct worker_hooks *hooks;

	int64_t now; /* CLOCK_MONOTONIC at the start of this turn */
	struct timer_wheel wheel;
	int64_t tick_at; /* when `tick` is set to go off */
	ev_timer tick;
	ev_check turn_start;
	ev_prepare turn_end; /* what was put off is done; then, last of all: */
	ev_prepare turn_over;
	bool waits_for_room; /* acceptors are paused until a connection ends */
	ev_async room; /* one has ended, perhaps in another worker */
	ev_timer accept_again; /* after EMFILE: no event says when a descriptor is free */
	_Atomic int64_t beat_ns; /* the last turn; the main thread looks whether it moves */

	struct buffer_pool buffers;
	char *scratch; /* SCRATCH_KEPT + SCRATCH_READ bytes, with room before and behind */
	char *format; /* FORMAT_SIZE */
	struct http_head head;

	struct server_table *servers;
	struct stats *stats;
	struct access_log *access_log;
	struct snapshot *snapshot; /* NULL until the first is adopted */
	struct tls_engine *tls; /* worker_tls */
	struct proxy *proxy; /* the room above */
	uint64_t random[2];
	bool draining; /* no new connections; the present ones end as soon as they can */
};

/* Makes a worker without a thread; its mailbox may be used at once.  NULL with a reason. */
struct worker *worker_new(unsigned id, struct worker_shared *, const struct worker_hooks *,
    struct server_table *, struct access_log *, struct err *);
void worker_free(struct worker **);

/* 0 or -errno.  The thread runs until worker_stop. */
int worker_start(struct worker *);

/* Other threads: ends the loop, waits for the thread. */
void worker_stop(struct worker *);

/* Other threads: makes it the current snapshot; `adopted` of the snapshot follows. */
void worker_give(struct worker *, struct snapshot *);

/* Own thread: closes the acceptors for good. */
void worker_drain(struct worker *);

/* Own thread: a client connection ended (accepted again counts it). */
void worker_connection_closed(struct worker *);

/* Own thread: xoroshiro128+, not for secrets. */
uint64_t worker_random(struct worker *);

/* Main thread: its TLS engine, made when it is first needed.  NULL with a reason. */
struct tls_engine *worker_tls(struct worker *, struct err *);

#endif

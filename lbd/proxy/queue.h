/*
 * queue.h - exchanges, and connections in TCP mode, that wait because every server they may use is at its
 * max_connections.
 *
 * Each worker has a queue per pool, and shows the others the number of the one that came first: over all workers it is
 * first come, first served.  Whoever gives a server up, in any worker, wakes the queues; whoever is no longer the first
 * wakes the next.  The limits are atomics of the server table, so that they hold over all workers.
 * Who waits holds no scratch memory, and no more is read from its client than a little.
 */
#ifndef LBD_PROXY_QUEUE_H
#define LBD_PROXY_QUEUE_H

#include "lbd/proxy/proxy.h"

struct waiter;

/* The next try, now that a server may be free; false: all are still full.  Else it may have ended. */
typedef bool waiter_serve(struct waiter *);

/* Embedded in who waits. */
struct waiter {
	struct waiter *next, *prev;
	struct pool *pool; /* in whose queue it is; NULL: in none */
	uint64_t arrival; /* its number there, over all workers */
	bool again; /* it has been to a server, to which it may not go again */
	waiter_serve *serve;
};

void queue_init(struct proxy *);

/* To the end of the pool's queue.  False: that is full, over all workers. */
bool queue_add(struct waiter *, struct pool *, bool again, waiter_serve *);
void queue_remove(struct waiter *);

/* Somebody waits for that pool, in any worker, who must not be overtaken. */
bool queue_is_before(const struct pool *);

/* A server has been given up: queues here and elsewhere may go on. */
void queue_server_free(struct proxy *);

/* Any thread: others may be chosen now than before. */
void queue_servers_changed(struct proxy_shared *);

#endif

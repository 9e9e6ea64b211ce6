/*
 * queue.h - exchanges that wait because every server they may use is at its max_connections.
 *
 * Each worker has a queue per pool, and shows the others the number of the one that came first: over all workers it is
 * first come, first served.  Whoever gives a server up, in any worker, wakes the queues; whoever is no longer the first
 * wakes the next.  The limits are atomics of the server table, so that they hold over all workers.
 * A queued exchange holds no scratch memory, and nothing of a body is read from its client.
 */
#ifndef LBD_PROXY_QUEUE_H
#define LBD_PROXY_QUEUE_H

#include "lbd/proxy/exchange.h"

void queue_init(struct proxy *);

/* To the end of its pool's queue.  False: that is full, over all workers. */
bool queue_add(struct exchange *);
void queue_remove(struct exchange *);

/* Somebody waits for its pool, in any worker, who must not be overtaken. */
bool queue_is_before(const struct exchange *);

/* A server has been given up: queues here and elsewhere may go on. */
void queue_server_free(struct proxy *);

/* Any thread: others may be chosen now than before. */
void queue_servers_changed(struct proxy_shared *);

#endif

/*
 * snapshot.h - one configuration as one worker uses it: balancers, listeners and their sockets.
 *
 * The main thread builds it, so that a lack of memory fails the reload and not a worker; then it
 * belongs to its worker, which counts references without atomics: one for being current, one for each
 * exchange that started under it.  With the last one it goes back to the main thread, which frees it.
 */
#ifndef LBD_WORKER_SNAPSHOT_H
#define LBD_WORKER_SNAPSHOT_H

#include <ev.h>

#include "common/address.h"
#include "common/err.h"
#include "lbd/config/config.h"
#include "lbd/worker/mailbox.h"
#include "lbd/worker/stats.h"

struct worker;
struct listener;
struct sticky;
struct tls_context;
struct tls_shelf;
struct tls_upstream;

/* One listening socket of this worker. */
struct acceptor {
	ev_io io;
	struct listener *listener;
	uint32_t batch; /* how many to take at once: what the last turn found */
};

struct listener {
	struct snapshot *snapshot;
	const struct listener_config *conf;
	struct stats_listener *stats;
	struct tls_context *tls; /* NULL: plain */
	struct acceptor *acceptors; /* one per address in conf->bind */
};

struct pool {
	struct snapshot *snapshot;
	const struct pool_config *conf;
	struct balance_server *servers;
	struct balancer *balancer;
	struct sticky *sticky; /* words of its cookie; NULL: it has none */
	struct stats_pool *stats;
	struct tls_upstream *tls; /* NULL: plain */
	uint64_t version; /* of the server table when the balancer was updated */
	struct balance_outlook outlook; /* from then on */
	struct waiter *first_waiting, *last_waiting; /* for a server; proxy/queue.h */
	struct pool *next_waiting, **prev_waiting; /* pools for which some wait */
};

struct snapshot {
	struct letter letter; /* on its way to the worker, and at the end back */
	struct letter adoption; /* for `adopted` to send */
	struct worker *worker;
	struct lbd_config *config;
	uint32_t references; /* worker's thread */
	struct listener *listeners;
	struct pool *pools;
	void (*adopted)(struct snapshot *); /* both run in the worker's thread */
	void (*retired)(struct snapshot *);
	void *owner;
};

/* Where what is of TLS comes from. */
struct snapshot_tls {
	const struct tls_shelf *shelf; /* NULL: from the other snapshot */
	const struct snapshot
	    *like; /* of this worker; listeners and pools differ in their servers alone */
};

/*
 * Takes a reference to the configuration, whose slots and ids must be set.  fds[i][b] is this worker's
 * socket for listeners[i].bind[b]; they stay the caller's.  So does the shelf with certificates.
 * `seed`: see balancer_new.  NULL with a reason.
 */
struct snapshot *snapshot_new(struct worker *, struct lbd_config *, int *const *fds,
    struct snapshot_tls, uint64_t seed, struct err *);

/* Main thread, after `retired`, or before it was given to the worker. */
void snapshot_free(struct snapshot **);

static inline struct snapshot *
snapshot_ref(struct snapshot *s)
{
	s->references++;
	return s;
}

static inline void
snapshot_unref(struct snapshot **sp)
{
	struct snapshot *s = *sp;

	*sp = NULL;
	if (--s->references == 0)
		s->retired(s);
}

#endif

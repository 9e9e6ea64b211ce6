/*
 * rollout.h - a new configuration for all workers, and the end of the old one.
 *
 * A rollout gives every server its slot and every name its id, builds a snapshot for each worker, hands
 * them over and waits until all have adopted them.  Old snapshots come back when their last exchange has
 * ended; when all of a configuration are back, it is freed and the slots that only it named with it.  So
 * a reload never waits for long connections, and nothing piles up behind it.  Main thread.
 */
#ifndef LBD_ROLLOUT_H
#define LBD_ROLLOUT_H

#include "lbd/supervisor/listen_table.h"
#include "lbd/worker/worker.h"

struct generation;
struct rate_limits;
struct tls_shelf;

struct rollout {
	struct worker *const *workers;
	unsigned n_workers;
	struct server_table *servers;
	struct stats_names *names;
	struct rate_limits *limits;
	struct mailbox *inbox; /* of the main thread; its owner is not used here */
	void (*adopted)(void *arg); /* all workers have it */
	void *arg;
	/* private */
	struct generation *generations; /* newest first */
};

/* Slots, ids and tables of limits into the configuration, which is not shared yet.  0 or -errno with a reason. */
int rollout_prepare(struct rollout *, struct lbd_config *, struct err *);

/*
 * After rollout_prepare; `listens` has every address, the shelf every certificate.  0, and `adopted` follows; or
 * -errno with a reason, and nothing has changed.
 */
int rollout_start(struct rollout *, struct lbd_config *, const struct listen_table *,
    const struct tls_shelf *, struct err *);

/* After the workers have ended. */
void rollout_fini(struct rollout *);

#endif

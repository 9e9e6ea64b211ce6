/*
 * rollout.h - a new configuration for all workers, and the end of the old one.
 *
 * A rollout gives every server its slot and every name its id, builds a snapshot for each worker, hands
 * them over and waits until all have adopted them.  Old snapshots come back when their last exchange has
 * ended; when all of a configuration are back, it is freed and the slots that only it named with it.  So
 * a reload never waits for long connections, and nothing piles up behind it.  Main thread.
 *
 * The same configuration with other servers (resolve/members.h) is rolled out like the last one: what is of TLS
 * is taken over.
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
	void (*adopted)(void *arg); /* all workers have the newest */
	void *arg;
	/* private */
	struct generation *generations; /* newest first */
	const struct snapshot *newest[CONFIG_WORKERS_MAX]; /* the workers hold them */
};

/* Slots, ids and tables of limits into the configuration, which is not shared yet.  0 or -errno with a reason. */
int rollout_prepare(struct rollout *, struct lbd_config *, struct err *);

/*
 * After rollout_prepare; `listens` has every address, the shelf every certificate.  NULL: listeners and pools are those
 * of the last rollout, but for their servers.  0, and `adopted` follows, unless another rollout comes before; or
 * -errno with a reason, and nothing has changed.
 */
int rollout_start(struct rollout *, struct lbd_config *, const struct listen_table *,
    const struct tls_shelf *, struct err *);

/* Configurations that are in use, the present one included. */
unsigned rollout_generations(const struct rollout *);

/* After the workers have ended. */
void rollout_fini(struct rollout *);

#endif

/*
 * node.h - this node: feeds the election with what happens and does what comes out.
 *
 * One process, one thread for everything that matters, one libev loop.  A thread for heartbeats of
 * its own was considered and left out: nothing on the loop waits.  Announcements go out in batches,
 * scripts run in processes, the disk belongs to keeper.c's thread, and log lines that would have to
 * wait are dropped.  The step that is due comes first in every turn of the loop, before any socket
 * is read, so that a stall is noticed before what piled up meanwhile is believed.
 */
#ifndef HAFAILOVER_NODE_NODE_H
#define HAFAILOVER_NODE_NODE_H

#include <ev.h>

#include "hafailover/config/config.h"

struct node;

struct node_options {
	struct ha_config_options config;
	int control_fd; /* listening; taken over */
	int http_fd; /* listening, or -1; taken over */
};

/* Takes *config over, also on failure.  NULL: see err. */
struct node *
node_start(struct ev_loop *, struct ha_config **config, const struct node_options *, struct err *);

/* All of the loop's watchers are gone afterwards; the addresses are released. */
void node_free(struct node **);

/* Hands the service over, then ends the loop.  The second time: ends it at once. */
void node_stop(struct node *);

/* Reads the file again.  What is wrong with it is logged, and changes nothing. */
void node_reload(struct node *);

/* The log file was renamed: a new one is begun. */
void node_log_reopen(struct node *);

#endif

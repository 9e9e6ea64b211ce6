/*
 * admin.h - what an operator sees and does: the control socket, /metrics and /healthz.
 *
 * Runs in the main thread on its loop and never waits: it reads counters and the server table,
 * sets what the operator sets there, and asks its owner for the two things that take time, a
 * reload and the list of connections; those are answered later.  It knows its owner by struct
 * admin_source alone.
 *
 *   commands.c  the control socket's commands      status.c   JSON of the state
 *   metrics.c   one row per metric                 metrics_text.c  the exposition format
 *   pool_view.c, certificate_view.c  what status and metrics both say
 *   name_view.c  the members of a name taken together
 */
#ifndef LBD_ADMIN_ADMIN_H
#define LBD_ADMIN_ADMIN_H

#include "common/control.h"
#include "lbd/config/config.h"
#include "lbd/resolve/resolver.h"
#include "lbd/worker/access_log.h"
#include "lbd/worker/stats_sum.h"

struct admin;
struct admin_listing;
struct tls_shelf;

/* What changes; asked for anew each time. */
struct admin_state {
	const struct lbd_config *config; /* the present one; slots and ids are set */
	const char *config_file;
	int64_t config_loaded_wall_ns;
	const struct tls_shelf *certificates; /* NULL: none */
	const char *not_ready; /* why it does not serve (yet); NULL: it does */
	bool draining;
	bool yielding; /* connections end, because the other node has taken over */
};

struct admin_source {
	void *owner; /* handed to the functions */
	void (*state)(void *owner, struct admin_state *);

	/*
	 * Answer with admin_reload_answer, now or later.  `renew`: only the files that the present
	 * configuration names are read again.
	 */
	void (*reload)(void *owner, struct control_token *, bool renew);

	/* Connections end with their next answer, idle ones after so long; at most for so long. */
	void (*yield)(void *owner, bool on, int64_t idle_ns, int64_t for_ns);

	/* Connections to that server that only wait end; soon, in all workers. */
	void (*close_idle)(void *owner, uint32_t slot);

	/*
	 * Add rows, at most admin_listing_wants of them, then admin_listing_answer; now or later.
	 */
	void (*list_connections)(void *owner, struct admin_listing *);

	/* What the last check of the server in that slot found; "" if there was none.  And when. */
	const char *(*check_reason)(void *owner, uint32_t slot);
	int64_t (*checked_wall_ns)(void *owner, uint32_t slot);

	const struct resolver *resolver; /* of names of servers; NULL: none */
	struct server_table *servers;
	const struct stats_names *names;
	struct stats_blocks stats; /* one per worker, in their order */
	const struct access_log *access_log;
	int64_t started_ns, started_wall_ns; /* this process */
	unsigned generation; /* 1 at first, one more after each crash */
};

/*
 * `source` is copied.  The control socket is listening; taken over, also on failure.  NULL with a
 * reason.
 */
struct admin *
admin_start(struct ev_loop *, const struct admin_source *, int control_fd, struct err *);
void admin_stop(struct admin **);

/*
 * Serves HTTP there from now on (taken over), and no more where it did; -1: nowhere.  0 or
 * -errno.
 */
int admin_listen(struct admin *, int http_fd, struct err *);

/*
 * Ready, draining or a server's state may have changed: who watches is told at once, not within
 * 50 ms.
 */
void admin_changed(struct admin *);

/* A server that drains, or is in maintenance, may have lost its last connection. */
void admin_servers_drained(struct admin *);

/* The end of a reload that was asked for: NULL when all of it holds, or why nothing has changed. */
void admin_reload_answer(struct control_token *, const char *why_not);

/* One client connection. */
struct admin_connection {
	struct str client, listener, state; /* "idle", "head", "exchange", ... */
	struct str pool, server; /* of the present exchange; empty: none */
	unsigned worker;
	int64_t age_ns;
	uint64_t requests, bytes_in, bytes_out;
};

/*
 * How many more rows are wanted; any thread's number may be taken as an upper bound for each
 * worker.
 */
uint32_t admin_listing_wants(const struct admin_listing *);
void admin_listing_add(struct admin_listing *, const struct admin_connection *);

/* Sends and frees it. */
void admin_listing_answer(struct admin_listing **);

#endif

/*
 * state.h - the supervisor's state, shared by its own files alone.
 *
 * supervisor.c starts and ends it, watch.c keeps the proxy process alive, reload.c changes the configuration.
 */
#ifndef LBD_SUPERVISOR_STATE_H
#define LBD_SUPERVISOR_STATE_H

#include <ev.h>

#include "common/unix_socket.h"
#include "lbd/supervisor/child.h"
#include "lbd/supervisor/log_files.h"
#include "lbd/supervisor/restart_policy.h"
#include "lbd/supervisor/supervisor.h"
#include "lbd/tls/files.h"

enum { RELOAD_WAITERS_MAX = 128 };

/* Of what: only the files that the configuration in force names, or that as well.  The greater includes the less. */
enum reload_of { RELOAD_NOTHING, RELOAD_FILES, RELOAD_ALL };

/* Who asked for a reload: control clients by their numbers, or a signal. */
struct reload_request {
	enum reload_of of;
	unsigned n;
	uint64_t waiters[RELOAD_WAITERS_MAX];
};

enum reload_state { RELOAD_IDLE, RELOAD_HANDS_OVER };

struct reload {
	enum reload_state state;
	struct reload_request now, next;
	char *text; /* of the file */
	size_t text_n;
	struct lbd_config *config;
	struct log_files files;
	struct tls_files tls;
	uint64_t number; /* of the CONFIG, so that no late answer counts */
	ev_timer deadline;
};

struct supervisor {
	struct supervisor_options options;
	struct ev_loop *loop;
	struct lbd_config *config; /* the last one that was committed */
	char *text; /* what it was read from */
	size_t text_n;
	struct identity identity;
	void *servers;
	char *names; /* what the last process knew, as it wrote it; NULL: nothing */
	size_t names_n;
	struct listen_table listens;
	struct tls_files files; /* what `config` names: certificates, keys */
	struct listen_table admin; /* admin.http: one address or none */
	int control_fd, access_log_fd; /* for the next proxy process */
	struct unix_socket_file control_file;
	struct child proxy;
	bool proxy_ready;
	struct restart_policy policy;
	struct reload reload;
	unsigned generation;
	int64_t died_ns; /* when the last process did; 0: none has */
	bool was_ready; /* at least once */
	bool draining;
	int status; /* of exit */
	ev_signal term, interrupt, hangup, usr1;
	ev_timer tick; /* liveness */
	ev_timer restart; /* after too many deaths */
	ev_timer cut; /* the drain took too long */
	int64_t ticked_ns, pinged_ns, ping_every_ns;
};

/* watch.c */
void watch_init(struct supervisor *);
int watch_start(struct supervisor *, struct err *); /* the first process */
void watch_restart(struct supervisor *); /* now, if it is waiting to */

/* reload.c */
void reload_init(struct supervisor *);
/* waiter NULL: nobody waits. */
void reload_ask(struct supervisor *, enum reload_of, const uint64_t *waiter);
void reload_result(struct supervisor *, const struct channel_message *);
void reload_proxy_died(struct supervisor *);
void reload_abort(struct supervisor *); /* for good: lbd ends */

/* supervisor.c */
void supervisor_end(struct supervisor *, int status);
const struct address *supervisor_admin_address(const struct lbd_config *); /* NULL: off */

#endif

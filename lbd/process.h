/*
 * process.h - the main thread of the proxy process: its state, for the files that share it.
 *
 *   proxy_process.c  start, the supervisor's messages, heartbeat, drain, the end
 *   process_config.c  a new configuration, from the supervisor's message to the workers
 *   process_names.c  names of servers: their addresses change, and the workers get a configuration with others
 *   process_yield.c  connections end here because the other node has taken over
 *   process_admin.c  what the control socket and the metrics see and ask for
 */
#ifndef LBD_PROCESS_H
#define LBD_PROCESS_H

#include "lbd/admin/admin.h"
#include "lbd/health/prober.h"
#include "lbd/proxy/proxy.h"
#include "lbd/resolve/names_file.h"
#include "lbd/resolve/resolver.h"
#include "lbd/rollout.h"
#include "lbd/supervisor/channel.h"
#include "lbd/supervisor/proxy_start.h"
#include "lbd/tls/shelf.h"

struct config_load;
struct ping;
struct rate_limits;
struct reload_wait;

struct process {
	struct proxy_start *start;
	struct ev_loop *loop;
	struct mailbox inbox;
	struct lbd_config *config; /* what the workers have, or get just now */
	struct lbd_config *written; /* the same with names; without, it is `config` */
	int64_t config_loaded_wall_ns;
	struct tls_shelf *shelf; /* its certificates */
	unsigned ktls; /* kinds of keys that the kernel takes */
	bool ktls_asked;
	struct server_table servers;
	struct stats_names *names;
	struct rate_limits *limits;
	struct access_log *access_log;
	struct worker **workers;
	unsigned n_workers;
	struct worker_shared workers_shared;
	struct proxy_shared proxy_shared;
	struct rollout rollout;
	struct resolver *resolver;
	struct names_file *names_file;
	struct names_wait *names_wait; /* for the first answers; NULL: nobody waits */
	bool names_changed; /* names have other addresses than the workers know of */
	ev_timer names_pace; /* until it is not too soon for another rollout */
	int64_t rolled_ns; /* when the last rollout began */
	struct prober *prober;
	struct admin *admin;
	struct stats **stats; /* the workers' */
	struct reload_wait *reloads; /* asked for, not answered */
	uint64_t last_reload;
	ev_io channel;
	struct tls_files files; /* of the CHANNEL_CONFIG that follows */
	struct config_load *loading; /* NULL: none */
	bool ready; /* said so to the supervisor */
	uint64_t config_number; /* of the CHANNEL_CONFIG that runs; 0: none */
	ev_timer heartbeat;
	struct ping *pings;
	_Atomic unsigned unanswered; /* pings */
	struct letter *drains;
	unsigned to_drain; /* workers that have not heard of it */
	bool draining;
	ev_timer drain_deadline;
	struct letter *sweeps;
	unsigned to_sweep; /* workers that have not closed their idle connections yet */
	ev_timer sweep, yield_end;
	ev_async emptied; /* the last client connection ended */
	ev_async drained; /* perhaps a server's */
	int status;
};

void process_send(struct process *, struct channel_message *);

/* Each worker runs `tell` with that slot in its own thread.  False: out of memory, and not all of them do. */
bool
process_tell_workers(struct process *, void (*tell)(struct worker *, uint32_t slot), uint32_t slot);

/* Connections end with their next answer, idle ones after `idle_ns`; at most for so long. */
void process_yield(struct process *, bool on, int64_t idle_ns, int64_t for_ns);
/* The workers exist.  0, or -1: out of memory. */
int process_yield_init(struct process *);

/* CHANNEL_CONFIG, and CHANNEL_FILES before it; the result is sent now or later. */
void process_config_take(struct process *, struct channel_message *);
void process_config_files(struct process *, struct channel_message *);
void process_config_result(struct process *, uint64_t number, const char *why_not);

/* The one to start with.  0 or -errno with a reason. */
int process_config_first(struct process *, struct err *);

/* The one in force, with the addresses that names have now.  0 or -errno with a reason. */
int process_config_again(struct process *, struct err *);

/* Waits for the names of the first configuration, and nothing else runs on the loop yet.  0 or -errno with a reason. */
int process_names_start(struct process *, struct err *);
void process_names_stop(struct process *);

/*
 * Asks for the names of a configuration to come, and runs `go` when they are answered, or after a while: before it
 * returns, or later.
 */
void process_names_await(
    struct process *, struct lbd_config *, void (*go)(void *arg, const char *why_not), void *arg);

/* `written` was rolled out; or another one, whose names were asked for, was refused. */
void process_names_follow(struct process *);
void process_names_revert(struct process *);

/* What runs beside the main thread is over then. */
void process_config_wait(struct process *);

/* Records go where the configuration says from now on; fd: taken over. */
void process_access_log(struct process *, const struct log_config *, int fd);

/* Starts admin; the workers exist.  0 or -errno with a reason. */
int process_admin_start(struct process *, struct err *);
void process_admin_stop(struct process *);

/* The supervisor has finished a reload that was asked for here. */
void process_reload_done(struct process *, uint64_t number, const char *why_not);

#endif

/* node_private.h - the node's state, shared by node*.c alone. */
#ifndef HAFAILOVER_NODE_NODE_PRIVATE_H
#define HAFAILOVER_NODE_NODE_PRIVATE_H

#include "hafailover/admin/control.h"
#include "hafailover/admin/service.h"
#include "hafailover/hook/hook.h"
#include "hafailover/node/node.h"
#include "hafailover/peer/witness_link.h"
#include "hafailover/state/keeper.h"
#include "hafailover/steering/connections.h"
#include "hafailover/steering/steering.h"
#include "hafailover/vip/vip_answer.h"
#include "hafailover/vrrp/vrrp.h"

enum { NODE_MAGIC = 0x68616e6f, NODE_PROBES = 2 };

/* Is the virtual address in use?  One IPv4 and one IPv6 address are asked for, if there are such. */
struct node_probe {
	uint32_t id;
	struct probe *asked[NODE_PROBES];
	bool holder; /* it is ours */
	bool here; /* or still here, for connections that are left: only neighbours are asked */
	bool blind; /* no service is known that could be asked */
	struct vip_answer answer;
};

/* Events that came up while a step was being done. */
enum node_nested {
	NESTED_VIP_FAILED = 1 << 0,
	NESTED_STALLED = 1 << 1,
	NESTED_TRACKED = 1 << 2,
	NESTED_CONFLICT = 1 << 3,
	NESTED_CONFLICT_PEER = 1 << 4,
	NESTED_VIP_GONE = 1 << 5,
	NESTED_PROBED = 1 << 6,
};

/* Which connections are counted. */
enum node_count { COUNT_NONE, COUNT_FIRST, COUNT_ALL };

struct node_steer {
	struct steering *program; /* NULL: switched off, or refused */
	struct err refused; /* by the kernel: why; or code 0 */
	int64_t look_ns; /* next, whether it is attached */
	bool began; /* the election has taken part since this process started */
	char told[sizeof(((struct err *)NULL)->text)]; /* the obstacle that was logged */
	enum steering_mode mode; /* the rules */
	uint64_t steered_before; /* packets of earlier moves */
	ev_timer renewal;
	enum node_count counting;
	struct connections *connections;
	bool drained; /* told */
};

struct node {
	uint32_t magic;
	struct ev_loop *loop;
	struct ha_config_options options;
	struct ha_config *config;

	struct link_table *links;
	struct link_watch watch;
	struct neighbour_table *neighbours;
	struct vip_table *vips;
	struct announcer *announcer;
	struct peer_link *link; /* native */
	struct vrrp *router; /* VRRP */
	struct witness_link *witness; /* NULL: there is none */
	struct track *track;
	struct keeper *keeper;
	struct hook *hook;
	struct ha_control *control;
	struct node_probe probe;
	struct node_steer steer;

	uint64_t session;
	bool begun; /* the election has had its ELECTION_START */
	ev_timer begin;
	bool vrrp; /* which of the two decides */
	struct election election;
	struct vrrp_election vrrp_election;
	bool stepping;
	unsigned nested; /* enum node_nested */
	int64_t due_ns; /* of the next step */
	ev_timer tick;
	ev_check check;
	struct service_timers service;
	int64_t boot_ahead_ns; /* CLOCK_BOOTTIME before CLOCK_MONOTONIC */

	ev_timer linger; /* a planned move: addresses go a little later */
	bool end_with_linger;

	struct control_token *command; /* an operator waits for its end */
	struct term saved;
	int64_t since_ns; /* of the role before the present step */
	int64_t started_wall_ns;
	struct history history;
	uint64_t transitions[CAUSE_N];
	unsigned alarms; /* logged */
	bool peer_gave_way; /* of two that were Active */
	int64_t dual_told_ns; /* the end of the last time that both were Active, as logged */
	struct err vip_refused, vip_conflict, vip_served; /* the last one, for who asks why */
	struct delay delay;
	bool stopping;
};

/* Steps the election, now or, from within a step, right after it. */
void node_feed(struct node *, const struct election_event *);

/* The probe has ended; it may have done so at once, within the step that began it. */
void node_probed(struct node *);

/* What tracking says is weighed anew: it depends on the configuration. */
void node_track_again(struct node *);

/* An advertisement was heard. */
void node_advertisement(void *owner, const struct vrrp_heard *);

/* node_protocol.c: native or VRRP. */
void node_machine_init(struct node *);
void node_machine_configure(struct node *, const struct ha_config *);
struct election_out node_machine_step(struct node *, const struct election_event *, int64_t now_ns);
bool node_machine_stopped(const struct node *);
struct standing node_standing(const struct node *, int64_t now_ns);
bool node_may_linger(const struct node *, const struct election_out *, int64_t now_ns);
int64_t node_dead_ns(const struct node *);
int64_t node_config_dead_ns(const struct ha_config *);
void node_say(struct node *, int64_t now_ns); /* for ELECTION_DO_SEND */
int node_peer_apply(struct node *, const struct ha_config *, struct err *); /* opens or changes */
bool node_is_peer_mac(const struct node *, const uint8_t mac[LINK_MAC]);

/* node_act.c: what a step says is to be done, and the tale of it. */
void node_act(struct node *, const struct election_out *, int64_t now_ns);
bool
node_tell(struct node *, const struct election_out *, int64_t now_ns); /* there was something */
void node_command_answer(struct node *, enum refusal);
void node_vips_release(struct node *);
/* Another station has an address of ours: which, for the alarm's words. */
void node_station_note(
    const struct node *, const struct address *vip, const uint8_t mac[LINK_MAC], struct err *note);
void node_linger_init(struct node *);
void node_linger_end(struct node *); /* at once */
struct ha_view node_view(struct node *);

/* node_command.c: the control socket and the metrics; takes their descriptors over. */
int node_control_open(struct node *, const struct node_options *, struct err *);

/* node_probe.c */
void node_probe_start(struct node *, uint32_t id, int64_t budget_ns);
void node_probe_stop(struct node *);

/* node_steer.c: connections at a planned move. */
void node_steer_init(struct node *);
void node_steer_open(struct node *);
void node_steer_close(struct node *);
void node_steer_prepare(
    struct node *, const struct election_out *, int64_t now_ns); /* before it is done */
void node_steer_follow(struct node *, int64_t now_ns); /* after that */
void node_steer_link(struct node *, const struct link *, unsigned changes);
/* Why this node cannot steer.  NULL: it can. */
const char *node_steer_obstacle(const struct node *);
struct steering_counters node_steer_counters(const struct node *);
uint64_t node_steer_packets(const struct node *); /* steered in this move, or the last */

/* node_config.c: from configuration to parts. */
struct election_config node_election_config(const struct ha_config *);
int node_vips_apply(struct node *, const struct ha_config *, struct err *);
/* The interfaces of virtual addresses, in the order in which MACs are told; how many. */
size_t node_vip_links(const struct node *, const struct link *links[WIRE_MACS_MAX]);
void node_macs_tell(struct node *);
/* Both nodes' view of a new file; 0 or -errno with a reason: then nothing has changed. */
int node_config_apply(struct node *, struct err *);

#endif

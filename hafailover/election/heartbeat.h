/*
 * heartbeat.h - what one node tells the other: the content of a heartbeat, for one instance.
 *
 * The election writes it (election_heartbeat) and reads it (ELECTION_HEARTBEAT); the wire codec
 * encodes, authenticates and refuses replays.  Everything here comes from a node that has the
 * secret; nothing here has been trusted beyond that.  Enumerations go over the wire by number: new
 * names are added at their ends.
 */
#ifndef HAFAILOVER_ELECTION_HEARTBEAT_H
#define HAFAILOVER_ELECTION_HEARTBEAT_H

#include <stdbool.h>
#include <stdint.h>

enum { HEARTBEAT_PATHS_MAX = 8 };

enum role {
	ROLE_INITIALIZE, /* listens before it takes part */
	ROLE_BACKUP,
	ROLE_ACTIVE,
	ROLE_FAULT, /* not eligible */
	ROLE_STANDBY, /* told not to serve */
	ROLE_N,
};

/* Why a role changed, in logs, metrics and `hactl history`. */
enum cause {
	CAUSE_NONE,
	CAUSE_START, /* the daemon began to listen */
	CAUSE_LISTENED, /* heard what it needed, or nothing for long enough */
	CAUSE_ADOPTED, /* started again while the kernel still held the addresses */
	CAUSE_PEER_SILENT, /* no heartbeat on any path, and the virtual address is silent too */
	CAUSE_NO_SERVICE, /* no heartbeat; the address answers, nothing serves on it */
	CAUSE_PEER_STOPPED, /* it said so */
	CAUSE_VACANT, /* nobody was Active, and this node is the better one */
	CAUSE_OPERATOR, /* hactl failover */
	CAUSE_STANDBY, /* hactl standby on, or off */
	CAUSE_STOP, /* the service is being stopped */
	CAUSE_INELIGIBLE, /* tracking, without a more exact name */
	CAUSE_LBD_DOWN,
	CAUSE_LINK_DOWN,
	CAUSE_GATEWAYS_LOST,
	CAUSE_SCRIPT_FAILED,
	CAUSE_ELIGIBLE, /* fit again */
	CAUSE_NO_SERVERS, /* no server up here, some up there */
	CAUSE_PREEMPT, /* the higher priority */
	CAUSE_PREFER, /* the preferred node */
	CAUSE_DUAL_ACTIVE, /* both were Active, the other wins */
	CAUSE_UNHEARD, /* both were Active, and the other does not hear us */
	CAUSE_CONFLICT, /* the peer is not heard, but its announcement of the address was */
	CAUSE_STALL, /* this process did not run for too long */
	CAUSE_ISOLATED, /* neither the peer nor the network is there */
	CAUSE_VIP_FAILED, /* the kernel refused the addresses */
	CAUSE_NO_VOTE, /* neither the witness nor the peer lends its vote */
	CAUSE_N,
};

/* Why a planned move is refused or was given up. */
enum refusal {
	REFUSAL_NONE,
	REFUSAL_PEER_UNREACHABLE,
	REFUSAL_PEER_DEAF, /* we hear it, it does not hear us */
	REFUSAL_PEER_STARTING,
	REFUSAL_PEER_STOPPING,
	REFUSAL_PEER_STANDBY,
	REFUSAL_PEER_INELIGIBLE,
	REFUSAL_PEER_LBD_NOT_READY,
	REFUSAL_PEER_LBD_DRAINING,
	REFUSAL_CONFIG_DIFFERS,
	REFUSAL_PEER_NO_SERVERS, /* none up there, some up here */
	REFUSAL_STARTING, /* from here on: this node, not the peer */
	REFUSAL_STOPPING,
	REFUSAL_STANDBY,
	REFUSAL_INELIGIBLE,
	REFUSAL_NO_SERVERS,
	REFUSAL_ALREADY, /* it is so */
	REFUSAL_BUSY, /* another move is under way */
	REFUSAL_TIMED_OUT, /* the peer did not claim in time */
	REFUSAL_PEER_REFUSED, /* it said no, for a reason that this version does not know */
	REFUSAL_OVERTAKEN, /* something else changed the roles meanwhile */
	REFUSAL_PEER_PRIORITY, /* VRRP: it has the highest there is */
	REFUSAL_NO_VOTE, /* neither the witness nor the peer lends its vote */
	REFUSAL_N,
};

enum message {
	MESSAGE_NONE,
	MESSAGE_TAKE, /* claim, then I release */
	MESSAGE_REFUSED, /* the answer, when not by claiming */
	MESSAGE_N,
};

struct heartbeat {
	uint64_t session; /* random, new with each start of the daemon */
	uint64_t sequence; /* one higher in each heartbeat of a session; equal on all paths */
	uint64_t heard_session, heard; /* newest of the receiver's heartbeats that arrived; or 0 */
	uint8_t hears; /* bit n: heard the receiver on path n within the dead interval */
	uint8_t order; /* place among the nodes by address: the last tie-break, higher wins */
	bool ask; /* answer at once */

	enum role role;
	enum cause cause; /* of the role */
	int64_t age_ns; /* of the role */
	bool holding; /* the kernel has the virtual addresses */
	bool owner; /* the last Active, as far as it knows */
	bool listening; /* started or stalled: does not claim yet */
	bool stopping; /* with role not Active: farewell */
	uint64_t term;

	bool eligible; /* as tracking sees it, and not in standby, and not stopping */
	bool lbd_ready, lbd_draining;
	bool steers; /* can send connections of the receiver on to it, and be silent */
	bool draining; /* not Active, and holds the addresses silently for connections ... */
	uint32_t connections; /* ... of which so many are left */
	uint16_t servers_up;
	uint16_t priority; /* the effective one */
	uint64_t digest; /* of the configuration */
	int64_t interval_ns; /* the next heartbeat follows by then */
	int64_t dead_ns; /* it takes the receiver for dead after so long */

	enum message message;
	uint32_t message_id; /* an answer has that of the question */
	enum cause message_cause; /* of TAKE: why */
	enum refusal message_refusal; /* of REFUSED: why not */

	/* with a witness; election_vote.c */
	enum cause want; /* claims for that when it has a second vote */
	int64_t vote_ns; /* lends its vote for so long from when it heard `heard`; 0: not */
};

/* "backup", "peer_silent", "peer is in standby"; never NULL, "unknown" for other numbers. */
const char *role_name(enum role);
const char *cause_name(enum cause);
const char *refusal_text(enum refusal);

/* "" or a stable word such as "peer_unreachable", for JSON. */
const char *refusal_name(enum refusal);

#endif

/* heartbeat.c - the names of what a heartbeat says. */
#include "hafailover/election/heartbeat.h"

#include <stddef.h>

static const char *
name_at(const char *const *names, size_t n, unsigned i)
{
	return i < n && names[i] ? names[i] : "unknown";
}

const char *
role_name(enum role role)
{
	static const char *const names[ROLE_N] = { "initialize", "backup", "active", "fault",
		"standby" };

	return name_at(names, ROLE_N, role);
}

const char *
cause_name(enum cause cause)
{
	static const char *const names[CAUSE_N] = {
		[CAUSE_NONE] = "none",
		[CAUSE_START] = "start",
		[CAUSE_LISTENED] = "listened",
		[CAUSE_ADOPTED] = "adopted",
		[CAUSE_PEER_SILENT] = "peer_silent",
		[CAUSE_NO_SERVICE] = "no_service",
		[CAUSE_PEER_STOPPED] = "peer_stopped",
		[CAUSE_VACANT] = "vacant",
		[CAUSE_OPERATOR] = "operator",
		[CAUSE_STANDBY] = "standby",
		[CAUSE_STOP] = "stop",
		[CAUSE_INELIGIBLE] = "ineligible",
		[CAUSE_LBD_DOWN] = "lbd_down",
		[CAUSE_LINK_DOWN] = "link_down",
		[CAUSE_GATEWAYS_LOST] = "gateways_lost",
		[CAUSE_SCRIPT_FAILED] = "script_failed",
		[CAUSE_ELIGIBLE] = "eligible",
		[CAUSE_NO_SERVERS] = "no_servers",
		[CAUSE_PREEMPT] = "preempt",
		[CAUSE_PREFER] = "prefer",
		[CAUSE_DUAL_ACTIVE] = "dual_active",
		[CAUSE_UNHEARD] = "unheard",
		[CAUSE_CONFLICT] = "conflict",
		[CAUSE_STALL] = "stall",
		[CAUSE_ISOLATED] = "isolated",
		[CAUSE_VIP_FAILED] = "vip_failed",
		[CAUSE_NO_VOTE] = "no_vote",
	};

	return name_at(names, CAUSE_N, cause);
}

struct refusal_words {
	const char *name, *text;
};

static const struct refusal_words refusals[REFUSAL_N] = {
	[REFUSAL_NONE] = { "", "" },
	[REFUSAL_PEER_UNREACHABLE] = { "peer_unreachable", "the peer is not heard on any path" },
	[REFUSAL_PEER_DEAF] = { "peer_deaf", "the peer is heard but does not hear this node" },
	[REFUSAL_PEER_STARTING] = { "peer_starting", "the peer has only just started and listens" },
	[REFUSAL_PEER_STOPPING] = { "peer_stopping", "the peer is stopping" },
	[REFUSAL_PEER_STANDBY] = { "peer_standby", "the peer is in standby" },
	[REFUSAL_PEER_INELIGIBLE] = { "peer_ineligible", "the peer is not eligible" },
	[REFUSAL_PEER_LBD_NOT_READY] = { "peer_lbd_not_ready", "lbd on the peer is not ready" },
	[REFUSAL_PEER_LBD_DRAINING] = { "peer_lbd_draining", "lbd on the peer is draining" },
	[REFUSAL_CONFIG_DIFFERS] = { "config_differs", "the configurations of the nodes differ" },
	[REFUSAL_PEER_NO_SERVERS] = { "peer_no_servers",
	    "the peer has no server up, this node has" },
	[REFUSAL_STARTING] = { "starting",
	    "this node has only just started or stalled and listens" },
	[REFUSAL_STOPPING] = { "stopping", "this node is stopping" },
	[REFUSAL_STANDBY] = { "standby", "this node is in standby" },
	[REFUSAL_INELIGIBLE] = { "ineligible", "this node is not eligible" },
	[REFUSAL_NO_SERVERS] = { "no_servers", "this node has no server up, the peer has" },
	[REFUSAL_ALREADY] = { "already", "it is so already" },
	[REFUSAL_BUSY] = { "busy", "another move is under way" },
	[REFUSAL_TIMED_OUT] = { "timed_out", "the peer did not take over in time" },
	[REFUSAL_PEER_REFUSED] = { "peer_refused", "the peer refused" },
	[REFUSAL_OVERTAKEN] = { "overtaken", "the roles changed for another reason meanwhile" },
	[REFUSAL_PEER_PRIORITY] = { "peer_priority",
	    "the peer's priority is the highest there is: it gives way to nobody" },
	[REFUSAL_NO_VOTE] = { "no_vote", "neither the witness nor the peer lends its vote" },
};

const char *
refusal_text(enum refusal refusal)
{
	return (unsigned)refusal < REFUSAL_N ? refusals[refusal].text : "unknown";
}

const char *
refusal_name(enum refusal refusal)
{
	return (unsigned)refusal < REFUSAL_N ? refusals[refusal].name : "unknown";
}

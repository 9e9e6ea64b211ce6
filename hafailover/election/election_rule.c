/* election_rule.c - comparisons and conditions: they read and change nothing. */
#include "common/clock.h"
#include "hafailover/election/election_private.h"
#include "hafailover/election/fitness.h"

static const int64_t CONFLICT_SHOWN_NS = 60 * NS_PER_S;

int64_t
election_dead_ns(const struct election *e)
{
	int64_t interval = e->config.interval_ns;

	if (e->peer.known && e->peer.last.interval_ns > interval)
		interval = e->peer.last.interval_ns;
	return interval * e->config.dead_after;
}

bool
election_peer_reachable(const struct election *e, int64_t now)
{
	return peer_view_reachable(&e->peer, election_dead_ns(e), now);
}

bool
election_peer_active(const struct election *e, int64_t now)
{
	return election_peer_reachable(e, now) && e->peer.last.role == ROLE_ACTIVE;
}

/* Silence is counted from the last sign of life, or from when we began to listen. */
int64_t
election_quiet_since(const struct election *e)
{
	return e->peer.any_ns > e->listen_from_ns ? e->peer.any_ns : e->listen_from_ns;
}

int64_t
election_silence_ns(const struct election *e, int64_t now)
{
	return now - election_quiet_since(e);
}

static struct fitness
fitness(const struct election *e)
{
	return (struct fitness){ e->tracked ? &e->track : NULL, e->broken_until_ns, e->stopping,
		e->standby };
}

bool
election_fit(const struct election *e, int64_t now)
{
	const struct fitness f = fitness(e);

	return fitness_good(&f, now);
}

enum cause
election_unfit_why(const struct election *e, int64_t now)
{
	const struct fitness f = fitness(e);

	return fitness_why(&f, now);
}

/* Not to have run for so long: the peer may have claimed, or the kernel have ended the lease. */
int64_t
election_stall_ns(const struct election *e)
{
	int64_t limit = e->config.interval_ns * e->config.dead_after;

	if (e->peer.known && e->peer.last.dead_ns && e->peer.last.dead_ns < limit)
		limit = e->peer.last.dead_ns;
	if (e->config.lease_ns && e->config.lease_ns < limit)
		limit = e->config.lease_ns;
	return limit;
}

/* The role of a node that is not Active. */
enum role
election_rest(const struct election *e, int64_t now)
{
	const struct fitness f = fitness(e);

	return fitness_rest(&f, now);
}

bool
election_damped(const struct election *e, int64_t now)
{
	uint32_t moves = e->config.moves;

	return moves && e->n_moved >= moves &&
	    now - e->moved_ns[(e->n_moved - moves) % ELECTION_MOVES_MAX] <
	    e->config.moves_within_ns;
}

/* Both are Active: who stays?  The later claim has the higher term. */
bool
election_beats(const struct heartbeat *a, const struct heartbeat *b)
{
	if (a->eligible != b->eligible)
		return a->eligible;
	if (a->term != b->term)
		return a->term > b->term;
	if (a->priority != b->priority)
		return a->priority > b->priority;
	return a->order > b->order;
}

/* Nobody is Active: who claims?  The last owner, so that a short fault of both moves nothing. */
bool
election_better(const struct heartbeat *a, const struct heartbeat *b, bool preempt)
{
	bool a_serves = a->servers_up > 0, b_serves = b->servers_up > 0;

	if (a->eligible != b->eligible)
		return a->eligible;
	if (a_serves != b_serves)
		return a_serves;
	if (preempt && a->priority != b->priority)
		return a->priority > b->priority;
	if (a->owner != b->owner)
		return a->owner;
	if (a->priority != b->priority)
		return a->priority > b->priority;
	return a->order > b->order;
}

/* No server is up here, and some are there. */
bool
election_poorer(const struct election *e)
{
	return !e->track.servers_up && e->peer.last.servers_up;
}

bool
election_poorer_peer(const struct election *e)
{
	return e->track.servers_up && !e->peer.last.servers_up;
}

/* Why the peer cannot take over, whatever the operator wants. */
enum refusal
election_peer_unready(const struct election *e, int64_t now)
{
	const struct heartbeat *p = &e->peer.last;

	if (!election_peer_reachable(e, now))
		return REFUSAL_PEER_UNREACHABLE;
	if (p->stopping)
		return REFUSAL_PEER_STOPPING;
	if (p->role == ROLE_STANDBY)
		return REFUSAL_PEER_STANDBY;
	if (p->role == ROLE_INITIALIZE || p->listening)
		return REFUSAL_PEER_STARTING;
	if (e->peer.deaf_since_ns)
		return REFUSAL_PEER_DEAF;
	if (!p->lbd_ready)
		return REFUSAL_PEER_LBD_NOT_READY;
	if (p->lbd_draining)
		return REFUSAL_PEER_LBD_DRAINING;
	return p->eligible ? REFUSAL_NONE : REFUSAL_PEER_INELIGIBLE;
}

/* Why this node cannot claim now. */
enum refusal
election_self_unready(const struct election *e, int64_t now)
{
	if (e->stopping)
		return REFUSAL_STOPPING;
	if (e->listening || e->role == ROLE_INITIALIZE)
		return REFUSAL_STARTING;
	if (e->standby)
		return REFUSAL_STANDBY;
	return election_fit(e, now) ? REFUSAL_NONE : REFUSAL_INELIGIBLE;
}

static enum refusal
check_giving(const struct election *e, bool force, int64_t now)
{
	enum refusal why = election_peer_unready(e, now);

	if (why != REFUSAL_NONE || force)
		return why;
	if (e->peer.last.digest != e->config.digest)
		return REFUSAL_CONFIG_DIFFERS;
	return election_poorer_peer(e) ? REFUSAL_PEER_NO_SERVERS : REFUSAL_NONE;
}

static enum refusal
check_taking(const struct election *e, bool force, int64_t now)
{
	enum refusal why = election_self_unready(e, now);
	bool heard = election_peer_reachable(e, now);

	if (why != REFUSAL_NONE)
		return why;
	if (heard && e->peer.deaf_since_ns)
		return REFUSAL_PEER_DEAF;
	if (force)
		return REFUSAL_NONE;
	if (!heard)
		return REFUSAL_PEER_UNREACHABLE;
	if (e->peer.last.digest != e->config.digest)
		return REFUSAL_CONFIG_DIFFERS;
	return election_poorer(e) ? REFUSAL_NO_SERVERS : REFUSAL_NONE;
}

enum refusal
election_check_failover(const struct election *e, enum election_target to, bool force, int64_t now)
{
	bool active = e->role == ROLE_ACTIVE;

	if (e->handover.asked)
		return REFUSAL_BUSY;
	if (e->stopping)
		return REFUSAL_STOPPING;
	if (to == TARGET_SELF && active)
		return REFUSAL_ALREADY;
	if (active)
		return check_giving(e, force, now);
	if (to != TARGET_PEER)
		return check_taking(e, force, now);
	return election_peer_active(e, now) ? REFUSAL_ALREADY : REFUSAL_PEER_INELIGIBLE;
}

/* Its claim is no surprise: an operator, a preference, or a TAKE that we gave up too early. */
bool
election_move_is_planned(const struct heartbeat *h, int64_t recent_ns)
{
	if (h->age_ns > recent_ns)
		return false;
	switch (h->cause) {
	case CAUSE_OPERATOR:
	case CAUSE_STANDBY:
	case CAUSE_STOP:
	case CAUSE_INELIGIBLE:
	case CAUSE_LBD_DOWN:
	case CAUSE_LINK_DOWN:
	case CAUSE_GATEWAYS_LOST:
	case CAUSE_SCRIPT_FAILED:
	case CAUSE_NO_SERVERS:
	case CAUSE_PREEMPT:
	case CAUSE_PREFER:
	case CAUSE_VIP_FAILED:
		return true;
	case CAUSE_NONE:
	case CAUSE_START:
	case CAUSE_LISTENED:
	case CAUSE_ADOPTED:
	case CAUSE_PEER_SILENT:
	case CAUSE_NO_SERVICE:
	case CAUSE_PEER_STOPPED:
	case CAUSE_VACANT:
	case CAUSE_ELIGIBLE:
	case CAUSE_DUAL_ACTIVE:
	case CAUSE_UNHEARD:
	case CAUSE_CONFLICT:
	case CAUSE_STALL:
	case CAUSE_ISOLATED:
	case CAUSE_NO_VOTE:
	case CAUSE_N:
		return false;
	}
	return false; /* a cause of a later version */
}

/* Nobody is Active as far as this node knows, and nobody can be. */
static bool
nobody(const struct election *e, int64_t now)
{
	if (e->role == ROLE_ACTIVE || e->role == ROLE_BACKUP)
		return false;
	return !election_peer_reachable(e, now) ||
	    (e->peer.last.role != ROLE_ACTIVE && !e->peer.last.eligible);
}

/* Who is not there is not missed yet. */
static bool
is_starting(const struct election *e)
{
	return e->listening || (e->role == ROLE_INITIALIZE && !e->stopping);
}

static unsigned
alarms_of_peer(const struct election *e, int64_t now)
{
	int64_t dead = election_dead_ns(e);
	uint8_t all = (uint8_t)((1U << e->config.paths) - 1);
	int64_t deaf = e->peer.deaf_since_ns;
	unsigned a = 0;

	if (!election_peer_reachable(e, now))
		return is_starting(e) ? 0 : ALARM_PEER_SILENT;
	if ((peer_view_paths(&e->peer, dead, now) & all) != all)
		a |= ALARM_PATH_SILENT;
	if (deaf && now - deaf >= dead)
		a |= ALARM_PEER_DEAF;
	if (e->peer.last.digest != e->config.digest)
		a |= ALARM_CONFIG_DIFFERS;
	return a;
}

unsigned
election_alarms(const struct election *e, int64_t now)
{
	unsigned a = alarms_of_peer(e, now);

	if ((a & ALARM_PEER_SILENT) && e->role == ROLE_BACKUP &&
	    e->probe.last == ELECTION_VIP_SERVES && e->probe.served_ns)
		a |= ALARM_VIP_SERVES;
	if (e->dual_since_ns && e->dual_certain)
		a |= ALARM_DUAL_ACTIVE;
	if (e->conflict_ns && now - e->conflict_ns < CONFLICT_SHOWN_NS)
		a |= ALARM_CONFLICT;
	if (election_damped(e, now))
		a |= ALARM_DAMPED;
	if (!is_starting(e) && nobody(e, now))
		a |= ALARM_NOBODY_ACTIVE;
	if (e->role == ROLE_ACTIVE && e->tracked && !election_fit(e, now))
		a |= ALARM_ACTIVE_UNFIT;
	if (now < e->broken_until_ns)
		a |= ALARM_VIP_FAILED;
	return a | election_vote_alarms(e, now);
}

const char *
election_alarm_name(enum election_alarm alarm)
{
	switch (alarm) {
	case ALARM_PEER_SILENT:
		return "peer_silent";
	case ALARM_PATH_SILENT:
		return "path_silent";
	case ALARM_PEER_DEAF:
		return "peer_deaf";
	case ALARM_VIP_SERVES:
		return "vip_serves";
	case ALARM_DUAL_ACTIVE:
		return "dual_active";
	case ALARM_CONFLICT:
		return "conflict";
	case ALARM_DAMPED:
		return "damped";
	case ALARM_CONFIG_DIFFERS:
		return "config_differs";
	case ALARM_NOBODY_ACTIVE:
		return "nobody_active";
	case ALARM_ACTIVE_UNFIT:
		return "active_unfit";
	case ALARM_WITNESS_SILENT:
		return "witness_silent";
	case ALARM_WITNESS_REFUSES:
		return "witness_refuses";
	case ALARM_NO_VOTE:
		return "no_vote";
	case ALARM_VIP_FAILED:
		return "vip_failed";
	}
	return "unknown";
}

/* vrrp_election_rule.c - priorities, times and conditions: they read and change nothing. */
#include "common/clock.h"
#include "hafailover/election/fitness.h"
#include "hafailover/election/vrrp_election_private.h"

enum { ADVERTISEMENTS_MISSED = 3 };

static const int64_t CONFLICT_SHOWN_NS = 60 * NS_PER_S;

static struct fitness
fitness(const struct vrrp_election *e)
{
	return (struct fitness){ e->tracked ? &e->track : NULL, e->broken_until_ns, e->stopping,
		e->standby };
}

bool
vrrp_election_fit(const struct vrrp_election *e, int64_t now)
{
	const struct fitness f = fitness(e);

	return fitness_good(&f, now);
}

enum cause
vrrp_election_unfit_why(const struct vrrp_election *e, int64_t now)
{
	const struct fitness f = fitness(e);

	return fitness_why(&f, now);
}

/* The role of a node that is not Active. */
enum role
vrrp_election_rest(const struct vrrp_election *e, int64_t now)
{
	const struct fitness f = fitness(e);

	return fitness_rest(&f, now);
}

static bool
has_servers(const struct vrrp_election *e)
{
	return !e->track.lbd_ready || e->track.servers_up > 0 || e->track.servers_pending;
}

uint8_t
vrrp_election_rank(const struct vrrp_election *e)
{
	return e->yielded || !has_servers(e) ? 1 : (uint8_t)e->track.priority;
}

uint8_t
vrrp_election_advertises(const struct vrrp_election *e, int64_t now)
{
	if (e->role != ROLE_ACTIVE || e->yield.on || !vrrp_election_fit(e, now))
		return 0;
	return e->lifted && has_servers(e) ? e->lifted : vrrp_election_rank(e);
}

/* --- times --- */

/* Version 2 has a Skew_Time of up to a second, whatever the interval. */
int64_t
vrrp_election_skew_ns(const struct vrrp_election *e)
{
	int64_t of = e->config.version == 2 ? NS_PER_S : e->active_interval_ns;

	return (256 - vrrp_election_rank(e)) * of / 256;
}

int64_t
vrrp_election_down_ns(const struct vrrp_election *e)
{
	return ADVERTISEMENTS_MISSED * e->active_interval_ns + vrrp_election_skew_ns(e);
}

int64_t
vrrp_election_dead_ns(const struct vrrp_election *e)
{
	return ADVERTISEMENTS_MISSED * e->config.interval_ns;
}

bool
vrrp_election_hears(const struct vrrp_election *e, int64_t now)
{
	if (e->role == ROLE_ACTIVE && e->peer.heard_ns <= e->since_ns)
		return false; /* it has given way, or is gone */
	return e->peer.known && e->peer.last.priority > 0 &&
	    now - e->peer.heard_ns < vrrp_election_down_ns(e);
}

/* --- what is shown --- */

static bool
nobody(const struct vrrp_election *e, int64_t now)
{
	bool out = e->role == ROLE_FAULT || e->role == ROLE_STANDBY;

	return out && !vrrp_election_hears(e, now) && now - e->since_ns >= vrrp_election_down_ns(e);
}

unsigned
vrrp_election_alarms(const struct vrrp_election *e, int64_t now)
{
	unsigned a = 0;

	if (e->dual_since_ns && now - e->dual_since_ns >= vrrp_election_dead_ns(e))
		a |= ALARM_DUAL_ACTIVE;
	if (e->conflict_ns && now - e->conflict_ns < CONFLICT_SHOWN_NS)
		a |= ALARM_CONFLICT;
	if (vrrp_election_hears(e, now) && e->peer.last.addresses_differ)
		a |= ALARM_CONFIG_DIFFERS;
	if (nobody(e, now))
		a |= ALARM_NOBODY_ACTIVE;
	if (e->role == ROLE_ACTIVE && e->tracked && !vrrp_election_fit(e, now))
		a |= ALARM_ACTIVE_UNFIT;
	if (now < e->broken_until_ns)
		a |= ALARM_VIP_FAILED;
	return a;
}

bool
vrrp_election_may_linger(const struct vrrp_election *e, const struct election_out *out)
{
	const struct election_transition *t = &out->transitions[0];

	if (!out->n_transitions || t->from != ROLE_ACTIVE || !e->track.lbd_ready ||
	    !e->peer.known || e->peer.last.priority == 0 || e->peer.heard_ns != e->since_ns)
		return false;
	return t->cause == CAUSE_OPERATOR || t->cause == CAUSE_STANDBY || t->cause == CAUSE_STOP ||
	    t->cause == CAUSE_PREEMPT || t->cause == CAUSE_SCRIPT_FAILED ||
	    t->cause == CAUSE_GATEWAYS_LOST;
}

struct standing
vrrp_election_standing(const struct vrrp_election *e, int64_t now)
{
	int64_t dual = e->dual_since_ns ? now - e->dual_since_ns : 0;

	return (struct standing){
		.role = e->role,
		.cause = e->cause,
		.since_ns = e->since_ns,
		.priority = e->role == ROLE_ACTIVE ? vrrp_election_advertises(e, now)
						   : vrrp_election_rank(e),
		.standby = e->standby,
		.peer_reachable = vrrp_election_hears(e, now),
		.alarms = e->alarms,
		.dual_ns = e->dual_total_ns + dual,
	};
}

/*
 * vrrp_election_move.c - planned moves: who goes says so by priority 0 and waits to hear the next
 * one; who comes has the higher priority.
 */
#include "common/clock.h"
#include "hafailover/election/vrrp_election_private.h"

/* The other one's loop, and the network. */
static const int64_t MARGIN_NS = 500 * NS_PER_MS;
static const int64_t YIELD_MAX_NS = 10 * NS_PER_S;

static void
answer(struct election_out *out, enum refusal why)
{
	out->answered = true;
	out->refusal = why;
}

void
vrrp_election_answer(struct vrrp_election *e, enum refusal why, struct election_out *out)
{
	if (e->yield.on && e->yield.command)
		answer(out, why);
	e->yield.command = false;
}

/* --- away from here --- */

/*
 * Others claim after their Skew_Time.  An operator has time for a second advertisement, lest the
 * first is lost; who stops does not keep the machine waiting.
 */
static int64_t
yield_takes(const struct vrrp_election *e, enum cause cause)
{
	int64_t interval = e->config.interval_ns;
	int64_t skew = e->config.version == 2 ? NS_PER_S : interval;
	int64_t ns = skew + MARGIN_NS + (cause == CAUSE_STOP ? 0 : interval);

	return ns < YIELD_MAX_NS ? ns : YIELD_MAX_NS;
}

void
vrrp_election_begin_yield(
    struct vrrp_election *e, enum cause cause, int64_t now, struct election_out *out)
{
	e->yield.on = true;
	e->yield.cause = cause;
	e->yield.until_ns = now + yield_takes(e, cause);
	e->yield.command = e->yield.forced = false;
	e->send_ns = now + e->config.interval_ns;
	out->todo &= ~(unsigned)ELECTION_DO_ANNOUNCE;
	out->todo |= ELECTION_DO_HUSH | ELECTION_DO_SEND;
}

void
vrrp_election_yield_done(struct vrrp_election *e, struct election_out *out)
{
	if (!e->yield.on)
		return;
	vrrp_election_answer(e, REFUSAL_NONE, out);
	e->standby |= e->yield.cause == CAUSE_STANDBY;
	e->yielded = e->yield.cause == CAUSE_OPERATOR;
}

void
vrrp_election_yield_failed(struct vrrp_election *e, int64_t now, struct election_out *out)
{
	bool forced = e->yield.forced; /* standby alone can be */

	vrrp_election_answer(e, forced ? REFUSAL_NONE : REFUSAL_TIMED_OUT, out);
	if (forced || e->stopping) {
		e->standby |= forced;
		vrrp_election_let_go(e, forced ? CAUSE_STANDBY : CAUSE_STOP, now, out);
		out->todo |= ELECTION_DO_SEND;
		return;
	}
	e->yield.on = false;
	e->send_ns = now + e->config.interval_ns;
	out->todo |= ELECTION_DO_SEND | ELECTION_DO_ANNOUNCE;
}

/* --- here --- */

/* What the present Active must hear to give way; 0: it will not for any. */
static unsigned
lift(const struct vrrp_election *e)
{
	unsigned other = e->peer.last.priority, own = e->track.priority;

	if (own > other)
		return own;
	return other < VRRP_LIFTED_MAX ? other + 1 : 0;
}

static enum refusal
check_taking(const struct vrrp_election *e, bool force, int64_t now)
{
	bool heard = vrrp_election_hears(e, now);

	if (e->standby)
		return REFUSAL_STANDBY;
	if (e->role == ROLE_INITIALIZE)
		return REFUSAL_STARTING;
	if (!vrrp_election_fit(e, now))
		return REFUSAL_INELIGIBLE;
	if (heard && e->track.lbd_ready && !e->track.servers_up)
		return REFUSAL_NO_SERVERS;
	if (heard)
		return lift(e) ? REFUSAL_NONE : REFUSAL_PEER_PRIORITY;
	return force ? REFUSAL_NONE : REFUSAL_PEER_UNREACHABLE;
}

static enum refusal
check_failover(const struct vrrp_election *e, enum election_target to, bool force, int64_t now)
{
	bool active = e->role == ROLE_ACTIVE;

	if (e->yield.on)
		return REFUSAL_BUSY;
	if (e->stopping)
		return REFUSAL_STOPPING;
	if (active)
		return to == TARGET_SELF ? REFUSAL_ALREADY : REFUSAL_NONE;
	if (to != TARGET_PEER)
		return check_taking(e, force, now);
	return vrrp_election_hears(e, now) ? REFUSAL_ALREADY : REFUSAL_PEER_UNREACHABLE;
}

void
vrrp_election_failover(
    struct vrrp_election *e, const struct election_event *ev, int64_t now, struct election_out *out)
{
	enum refusal why = check_failover(e, ev->failover.to, ev->failover.force, now);

	if (why != REFUSAL_NONE) {
		answer(out, why);
	} else if (e->role == ROLE_ACTIVE) {
		vrrp_election_begin_yield(e, CAUSE_OPERATOR, now, out);
		e->yield.command = true;
	} else {
		vrrp_election_take_over(
		    e, vrrp_election_hears(e, now) ? (uint8_t)lift(e) : 0, now, out);
		answer(out, REFUSAL_NONE);
	}
}

/* --- standby --- */

static void
standby_on(struct vrrp_election *e, bool force, int64_t now, struct election_out *out)
{
	if (e->role != ROLE_ACTIVE) {
		e->standby = true;
		answer(out, REFUSAL_NONE);
		return;
	}
	vrrp_election_begin_yield(e, CAUSE_STANDBY, now, out);
	e->yield.command = true;
	e->yield.forced = force;
}

void
vrrp_election_stand_by(
    struct vrrp_election *e, const struct election_event *ev, int64_t now, struct election_out *out)
{
	if (e->yield.on || e->stopping) {
		answer(out, e->stopping ? REFUSAL_STOPPING : REFUSAL_BUSY);
	} else if (ev->standby.on && !e->standby) {
		standby_on(e, ev->standby.force, now, out);
	} else {
		e->standby = ev->standby.on;
		answer(out, REFUSAL_NONE);
	}
}

/*
 * election_drain.c - what becomes of connections at a planned move.
 *
 * Both nodes can steer: the peer claims, and sends what it does not know to this node, which still
 * has the addresses, silently, until its connections have ended or time is up.  A claim of ours,
 * because the peer gave the service back or died, ends that, and nobody's connection.
 *
 * Otherwise connections end first, as far as they do in time, and then the service moves.  Faults
 * do not wait for that.
 */
#include "common/clock.h"
#include "hafailover/election/election_private.h"

/* Who asked for the address just before the announcement still comes for so long. */
static const int64_t DRAIN_LEAST_NS = 300 * NS_PER_MS;

bool
election_drains(const struct election *e)
{
	return e->drain.on;
}

bool
election_steers(const struct election *e)
{
	return e->steer.on;
}

bool
election_counts(const struct election *e)
{
	return e->drain.on || (e->handover.asked && e->handover.empties);
}

static bool
both_steer(const struct election *e)
{
	return e->config.drain_ns && e->track.steers && e->peer.last.steers;
}

/* --- the old node --- */

void
election_begin_drain(struct election *e, int64_t now, struct election_out *out)
{
	if (!(out->todo & ELECTION_DO_RELEASE) || !both_steer(e) ||
	    !election_may_linger(e, out, now))
		return;
	out->todo &= ~(unsigned)ELECTION_DO_RELEASE;
	out->todo |= ELECTION_DO_HUSH | ELECTION_DO_SEND;
	e->drain.on = true;
	e->drain.since_ns = now;
	e->drain.until_ns = now + e->config.drain_ns;
	e->counted = false;
}

static bool
is_drained(const struct election *e, int64_t now)
{
	if (now >= e->drain.until_ns)
		return true;
	return e->counted && !e->connections && now - e->drain.since_ns >= DRAIN_LEAST_NS;
}

void
election_upkeep_drain(struct election *e, int64_t now, struct election_out *out)
{
	if (!e->drain.on)
		return;
	if (!(out->todo & (ELECTION_DO_RELEASE | ELECTION_DO_CLAIM))) {
		if (!is_drained(e, now))
			return;
		out->todo |= ELECTION_DO_RELEASE | ELECTION_DO_SEND;
	}
	e->drain.on = false;
}

int64_t
election_drain_deadline(const struct election *e)
{
	int64_t least = e->drain.since_ns + DRAIN_LEAST_NS;

	if (e->handover.asked && e->handover.empties)
		return e->handover.empties_until_ns;
	if (!e->drain.on)
		return INT64_MAX;
	return e->stepped_ns < least && least < e->drain.until_ns ? least : e->drain.until_ns;
}

/* --- the new node --- */

static bool
peer_has_more(struct election *e, int64_t now)
{
	const struct heartbeat *p = &e->peer.last;

	if (!election_peer_reachable(e, now))
		return false;
	if (p->role != ROLE_ACTIVE)
		e->steer.agreed = false;
	return p->draining || e->steer.agreed;
}

void
election_upkeep_steer(struct election *e, int64_t now, struct election_out *out)
{
	bool claims = (out->todo & ELECTION_DO_CLAIM) && e->planned;

	if (e->role != ROLE_ACTIVE) {
		e->steer.on = e->steer.agreed = false;
		return;
	}
	if (claims && both_steer(e) && e->peer.last.role == ROLE_ACTIVE)
		e->steer.agreed = true;
	e->steer.on = peer_has_more(e, now) && both_steer(e);
}

/* --- without steering --- */

static bool
can_wait(const struct election *e)
{
	enum cause cause = e->handover.cause;

	return e->track.lbd_ready &&
	    (cause == CAUSE_OPERATOR || cause == CAUSE_STANDBY || cause == CAUSE_STOP);
}

void
election_begin_emptying(struct election *e, int64_t now)
{
	e->handover.empties = e->config.drain_ns && !both_steer(e) && can_wait(e);
	if (!e->handover.empties)
		return;
	e->handover.empties_until_ns = now + e->config.drain_ns;
	e->handover.until_ns += e->config.drain_ns;
	e->counted = false;
}

/* The peer cannot take over, or the reason to wait is gone: that is decided elsewhere. */
void
election_upkeep_emptying(struct election *e, int64_t now, struct election_out *out)
{
	if (!e->handover.asked || !e->handover.empties)
		return;
	if (now < e->handover.empties_until_ns && (!e->counted || e->connections) &&
	    e->track.lbd_ready)
		return;
	e->handover.empties = false;
	e->handover.until_ns = now + e->config.handover_ns;
	out->todo |= ELECTION_DO_HUSH | ELECTION_DO_SEND;
}

void
election_count(struct election *e, uint32_t connections)
{
	if (!election_counts(e))
		return;
	e->connections = connections;
	e->counted = true;
}

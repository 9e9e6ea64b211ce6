/*
 * election_yield.c - when must an Active go?
 *
 * When a better one is Active, too; when it should and the peer can take over: then the peer claims
 * before we release (TAKE, repeated until it does, refuses or time is up); when the service stops;
 * when the network is not there.  An unfit Active whose peer is no better stays.
 */
#include "common/clock.h"
#include "hafailover/election/election_private.h"

enum { DAMPED_HOLD_DEADS = 10 }; /* damped: unfit for so long before it yields */

static const int64_t CONFLICT_REPEAT_NS = NS_PER_S;

static void
dual_ended(struct election *e, int64_t from, int64_t now)
{
	e->dual_from_ns = from;
	e->dual_to_ns = now;
	e->dual_total_ns += now - from;
	e->dual_since_ns = 0;
}

/* A heartbeat may come late: out of the neighbour queue of a machine that died and is back. */
static void
dual_confirm(struct election *e)
{
	const struct heartbeat *p = &e->peer.last;

	if (p->session == e->dual_session && p->heard_session == e->session &&
	    p->heard >= e->active_from)
		e->dual_certain = true;
}

/* Since when are both Active?  Since the later of the two became so. */
static int64_t
dual_since(const struct election *e, int64_t now)
{
	int64_t self = now - e->since_ns, age = e->peer.last.age_ns;

	return now - (age < self ? age : self);
}

static void
lose(struct election *e, int64_t now, struct election_out *out)
{
	enum cause cause = CAUSE_DUAL_ACTIVE;

	if (e->handover.asked)
		cause = e->handover.cause;
	else if (election_move_is_planned(&e->peer.last, 2 * election_dead_ns(e)))
		cause = e->peer.last.cause;
	else if (e->planned && now < e->broken_until_ns) /* agreed, and then not able */
		cause = CAUSE_VIP_FAILED;
	else
		dual_ended(e, dual_since(e, now), now);
	election_end_handover(e, REFUSAL_NONE, now, out);
	election_let_go(e, cause, false, now, out);
	election_adopt_term(e, e->peer.last.term, out);
}

static void
win(struct election *e, int64_t now, struct election_out *out)
{
	if (e->peer.last.term >= e->term) {
		election_adopt_term(e, e->peer.last.term + 1, out);
		out->todo |= ELECTION_DO_SEND;
	}
	if (e->dual_since_ns || (e->planned && now - e->since_ns < election_dead_ns(e)))
		return;
	e->dual_since_ns = dual_since(e, now);
	e->dual_session = e->peer.last.session;
	e->dual_certain = false;
	out->todo |= ELECTION_DO_ANNOUNCE | ELECTION_DO_SEND;
}

/*
 * Rule 5.  A winner whom the other does not hear must go as well: the other cannot know that it
 * lost, and nobody else can end this.
 */
static void
meet_other_active(struct election *e, int64_t now, struct election_out *out)
{
	struct heartbeat self = election_describe(e, now);
	int64_t deaf = e->peer.deaf_since_ns;

	if (election_beats(&e->peer.last, &self)) {
		lose(e, now, out);
		return;
	}
	win(e, now, out);
	if (deaf && now - deaf >= election_dead_ns(e)) {
		dual_ended(e, e->dual_since_ns ? e->dual_since_ns : now, now);
		election_let_go(e, CAUSE_UNHEARD, false, now, out);
	}
}

/* The loser may have had the last word with the neighbours: the winner announces again. */
void
election_settle_dual(struct election *e, int64_t now, struct election_out *out)
{
	if (!e->dual_since_ns)
		return;
	dual_confirm(e);
	if (e->role == ROLE_ACTIVE && election_peer_active(e, now))
		return;
	if (e->dual_certain)
		dual_ended(e, e->dual_since_ns, now);
	e->dual_since_ns = 0;
	if (e->role == ROLE_ACTIVE)
		out->todo |= ELECTION_DO_ANNOUNCE;
}

/*
 * The peer's address without its heartbeats may be all that is left of it: a dead daemon's lease
 * runs on for a while, and without leases the address stays for good.
 */
static bool
may_be_left_over(const struct election *e, int64_t now)
{
	if (!e->config.lease_ns)
		return e->peer.any_ns < e->since_ns;
	return now - e->since_ns < 3 * e->config.lease_ns / 2;
}

/*
 * No heartbeats, but the peer's address: one must go, and they cannot talk.  The unfit one; of two
 * fit ones that of the lower order, once it is certain that the other lives.
 */
static bool
conflict_lost(const struct election *e, int64_t now)
{
	if (election_peer_reachable(e, now))
		return false;
	if (e->tracked && !election_fit(e, now))
		return true;
	return e->config.order < e->config.peer_order && !may_be_left_over(e, now);
}

void
election_conflict(struct election *e, bool by_peer, int64_t now, struct election_out *out)
{
	bool again = e->conflict_ns && now - e->conflict_ns < CONFLICT_REPEAT_NS;

	if (!again)
		e->conflict_ns = now;
	if (e->role != ROLE_ACTIVE)
		return;
	if (by_peer && conflict_lost(e, now))
		election_let_go(e, CAUSE_CONFLICT, false, now, out);
	else if (!again)
		out->todo |= ELECTION_DO_ANNOUNCE;
}

void
election_begin_handover(struct election *e, enum cause cause, int64_t now, struct election_out *out)
{
	e->handover.asked = true;
	e->handover.command = e->handover.standby = e->handover.forced = false;
	e->handover.cause = cause;
	e->handover.id++;
	e->handover.until_ns = now + e->config.handover_ns;
	election_begin_emptying(e, now);
	if (!e->handover.empties)
		out->todo |= ELECTION_DO_HUSH | ELECTION_DO_SEND;
}

void
election_end_handover(struct election *e, enum refusal why, int64_t now, struct election_out *out)
{
	bool failed = why != REFUSAL_NONE;
	bool forced = e->handover.forced && failed && why != REFUSAL_OVERTAKEN;

	if (!e->handover.asked)
		return;
	e->handover.asked = false;
	e->handover.again_ns = failed ? now + e->config.handover_ns : 0;
	if (e->handover.standby && (!failed || e->handover.forced))
		e->standby = true;
	if (forced)
		election_let_go(e, CAUSE_STANDBY, false, now, out);
	else if (failed)
		out->todo |= ELECTION_DO_ANNOUNCE | ELECTION_DO_SEND;
	if (e->handover.command)
		election_answer(out, forced ? REFUSAL_NONE : why);
}

/* The newest heartbeat may hold an answer. */
void
election_peer_answered(struct election *e, int64_t now, struct election_out *out)
{
	const struct heartbeat *p = &e->peer.last;
	enum refusal why = p->message_refusal;

	if (!e->handover.asked || p->message != MESSAGE_REFUSED || p->message_id != e->handover.id)
		return;
	if (why == REFUSAL_NONE || (unsigned)why >= REFUSAL_N)
		why = REFUSAL_PEER_REFUSED;
	election_end_handover(e, why, now, out);
}

static bool
damped_hold(const struct election *e, int64_t now)
{
	return election_damped(e, now) &&
	    now - e->unfit_since_ns < DAMPED_HOLD_DEADS * election_dead_ns(e);
}

/* Why the service should move.  CAUSE_NONE: it should not. */
static enum cause
wish(struct election *e, int64_t now)
{
	if (e->stopping)
		return CAUSE_STOP;
	if (e->tracked && !election_fit(e, now))
		return damped_hold(e, now) ? CAUSE_NONE : election_unfit_why(e, now);
	if (election_vote_asked(e, now) != CAUSE_NONE)
		return election_vote_asked(e, now);
	if (!e->tracked || !election_peer_reachable(e, now) || !election_poorer(e) ||
	    e->track.servers_pending) {
		e->richer_since_ns = 0;
		return CAUSE_NONE;
	}
	if (!e->richer_since_ns)
		e->richer_since_ns = now;
	if (now - e->richer_since_ns < election_dead_ns(e) || election_damped(e, now))
		return CAUSE_NONE;
	return CAUSE_NO_SERVERS;
}

static void
upkeep_handover(struct election *e, int64_t now, struct election_out *out)
{
	if (!e->handover.asked)
		return;
	if (!election_peer_reachable(e, now))
		election_end_handover(e, REFUSAL_PEER_UNREACHABLE, now, out);
	else if (now >= e->handover.until_ns)
		election_end_handover(e, REFUSAL_TIMED_OUT, now, out);
}

/* Neither the clients' network nor the peer: whoever else is there must take us for gone. */
static bool
isolated(const struct election *e, int64_t now)
{
	int64_t dead = election_dead_ns(e);

	return e->tracked && !e->track.eligible && e->track.isolated &&
	    now - e->unfit_since_ns >= dead && election_silence_ns(e, now) >= dead;
}

void
election_decide_yield(struct election *e, int64_t now, struct election_out *out)
{
	enum cause cause;

	if (election_peer_active(e, now))
		meet_other_active(e, now, out);
	upkeep_handover(e, now, out);
	if (e->role == ROLE_ACTIVE && election_vote_lost(e, now))
		election_let_go(e, CAUSE_NO_VOTE, true, now, out);
	election_upkeep_emptying(e, now, out);
	if (e->role != ROLE_ACTIVE || e->handover.asked)
		return;
	cause = wish(e, now);
	if (cause != CAUSE_NONE && now >= e->handover.again_ns &&
	    election_peer_unready(e, now) == REFUSAL_NONE)
		election_begin_handover(e, cause, now, out);
	else if (e->stopping)
		election_let_go(e, CAUSE_STOP, false, now, out);
	else if (cause != CAUSE_NONE && !election_peer_reachable(e, now) &&
	    election_vote_wanted(e, now))
		election_let_go(e, cause, false, now, out);
	else if (isolated(e, now))
		election_let_go(e, CAUSE_ISOLATED, true, now, out);
}

/* The causes of a move that leaves a node behind which could go on serving. */
static bool
is_left_serving(enum cause cause)
{
	return cause == CAUSE_OPERATOR || cause == CAUSE_STANDBY || cause == CAUSE_STOP ||
	    cause == CAUSE_PREEMPT || cause == CAUSE_PREFER || cause == CAUSE_NO_SERVERS ||
	    cause == CAUSE_SCRIPT_FAILED || cause == CAUSE_GATEWAYS_LOST;
}

bool
election_may_linger(const struct election *e, const struct election_out *out, int64_t now)
{
	const struct election_transition *t = &out->transitions[0];

	return out->n_transitions && t->from == ROLE_ACTIVE && is_left_serving(t->cause) &&
	    e->track.lbd_ready && election_peer_active(e, now) && e->peer.last.term > e->owner_term;
}

/*
 * election.c - a step: was there a stall?  What does the event tell?  What is to be decided?  What
 * is due?  Events only change what is known; decisions follow from what is known, so that one that
 * a lost packet kept back is taken at the next step.
 */
#include "hafailover/election/election.h"

#include <string.h>

#include "common/check.h"
#include "common/clock.h"
#include "hafailover/election/election_private.h"

enum {
	LISTEN_DEADS = 3, /* at start, without a word from the peer */
	HASTY_SENDS = 5, /* heartbeats within an interval while something waits for them */
};

static const int64_t BROKEN_NS = 5 * NS_PER_S;

void
election_configure(struct election *e, const struct election_config *c)
{
	CHECK(c->paths >= 1 && c->paths <= HEARTBEAT_PATHS_MAX && c->moves <= ELECTION_MOVES_MAX);
	CHECK(c->interval_ns > 0 && c->dead_after > 0 && c->handover_ns > 0);
	CHECK(!c->witness || c->lease_ns);
	e->config = *c;
}

void
election_init(struct election *e, const struct election_config *c)
{
	memset(e, 0, sizeof(*e));
	election_configure(e, c);
}

void
election_answer(struct election_out *out, enum refusal why)
{
	out->answered = true;
	out->refusal = why;
}

static void
change_role(
    struct election *e, enum role to, enum cause cause, int64_t now, struct election_out *out)
{
	CHECK(cause != CAUSE_NONE);
	CHECK(out->n_transitions < sizeof(out->transitions) / sizeof(*out->transitions));
	if (e->role == ROLE_ACTIVE || to == ROLE_ACTIVE)
		election_forget_probes(e);
	out->transitions[out->n_transitions++] = (struct election_transition){ e->role, to, cause };
	e->role = to;
	e->cause = cause;
	e->since_ns = now;
	e->better_since_ns = e->vacant_since_ns = e->richer_since_ns = 0;
	e->vacant_from = 0;
	out->todo |= ELECTION_DO_SEND;
}

/* What an operator wants is no sign of trouble. */
static void
note_move(struct election *e, enum cause cause, int64_t now)
{
	if (cause != CAUSE_OPERATOR && cause != CAUSE_STANDBY && cause != CAUSE_STOP)
		e->moved_ns[e->n_moved++ % ELECTION_MOVES_MAX] = now;
}

/* With a witness renewals wait for votes: a little more often, and none of them matters. */
static int64_t
refresh_interval(const struct election *e)
{
	return e->config.lease_ns / (e->config.witness ? 6 : 3);
}

void
election_become_active(
    struct election *e, enum cause cause, bool planned, int64_t now, struct election_out *out)
{
	note_move(e, cause, now);
	change_role(e, ROLE_ACTIVE, cause, now, out);
	election_vote_claimed(e);
	election_order_end(e, REFUSAL_NONE, out);
	e->holding = e->owner = true;
	e->owner_term = e->term;
	e->active_from = e->sequence + 1;
	e->planned = planned;
	e->take.refused = false;
	e->handover.again_ns = 0;
	e->refreshed_ns = now;
	e->refresh_ns = now + refresh_interval(e);
	out->todo &= ~(unsigned)ELECTION_DO_RELEASE;
	out->todo |= ELECTION_DO_CLAIM | ELECTION_DO_ANNOUNCE;
}

static void
release(struct election *e, struct election_out *out)
{
	e->holding = false;
	out->todo &= ~(unsigned)(ELECTION_DO_CLAIM | ELECTION_DO_REFRESH | ELECTION_DO_ANNOUNCE);
	out->todo |= ELECTION_DO_RELEASE;
}

void
election_let_go(
    struct election *e, enum cause cause, bool keep, int64_t now, struct election_out *out)
{
	election_end_handover(e, REFUSAL_OVERTAKEN, now, out);
	note_move(e, cause, now);
	change_role(e, election_rest(e, now), cause, now, out);
	e->owner = keep;
	release(e, out);
	election_vote_drop(e, now, out);
}

void
election_adopt_term(struct election *e, uint64_t term, struct election_out *out)
{
	if (term <= e->term)
		return;
	e->term = term;
	if (e->role == ROLE_ACTIVE)
		e->owner_term = term;
	out->todo |= ELECTION_DO_PERSIST;
}

/* What this node says of itself; without what belongs to one packet. */
struct heartbeat
election_describe(const struct election *e, int64_t now)
{
	return (struct heartbeat){
		.session = e->session,
		.order = e->config.order,
		.role = e->role,
		.cause = e->cause,
		.age_ns = now - e->since_ns,
		.holding = e->holding,
		.owner = e->owner,
		.listening = e->listening,
		.stopping = e->stopping,
		.term = e->term,
		.eligible = election_fit(e, now) && !e->standby && !e->stopping,
		.lbd_ready = e->track.lbd_ready,
		.lbd_draining = e->track.lbd_draining,
		.steers = e->track.steers,
		.draining = e->drain.on,
		.connections = e->counted && e->drain.on ? e->connections : 0,
		.servers_up = e->track.servers_up,
		.priority = e->track.priority,
		.digest = e->config.digest,
		.interval_ns = e->config.interval_ns,
		.dead_ns = election_dead_ns(e),
	};
}

static void
add_message(const struct election *e, struct heartbeat *h)
{
	if (e->handover.asked && !e->handover.empties) {
		h->message = MESSAGE_TAKE;
		h->message_id = e->handover.id;
		h->message_cause = e->handover.cause;
	} else if (e->take.refused) {
		h->message = MESSAGE_REFUSED;
		h->message_id = e->take.refused_id;
		h->message_refusal = e->take.why;
	}
}

struct heartbeat
election_heartbeat(struct election *e, int64_t now)
{
	struct heartbeat h = election_describe(e, now);

	h.sequence = ++e->sequence;
	h.ask = e->ask;
	e->ask = false;
	if (e->peer.known) {
		h.heard_session = e->peer.last.session;
		h.heard = e->peer.last.sequence;
		h.hears = peer_view_paths(&e->peer, h.dead_ns, now);
	}
	add_message(e, &h);
	election_vote_send(e, &h, now);
	return h;
}

static void
listen(struct election *e, int64_t for_ns, int64_t now, struct election_out *out)
{
	if (!e->listening || e->listen_until_ns < now + for_ns)
		e->listen_until_ns = now + for_ns;
	e->listening = e->ask = true;
	e->listen_from_ns = now;
	e->fresh_from = e->sequence + 1;
	election_forget_probes(e);
	out->todo |= ELECTION_DO_SEND;
}

static void
start(struct election *e, const struct election_start *s, int64_t now, struct election_out *out)
{
	int64_t dead = e->config.interval_ns * e->config.dead_after, patience = LISTEN_DEADS * dead;

	CHECK(!e->session && s->session);
	e->session = s->session;
	e->term = e->owner_term = s->term;
	e->standby = s->standby;
	e->role = ROLE_INITIALIZE;
	e->cause = CAUSE_START;
	e->since_ns = e->stepped_ns = e->send_ns = now;
	e->holding = e->owner = s->held && !s->standby;
	if (s->held && s->standby)
		release(e, out);
	if (e->holding) /* it must be renewed before it ends */
		patience = s->lease_left_ns / 2 < dead ? s->lease_left_ns / 2 : dead;
	e->adopt_until_ns = now +
	    (s->lease_left_ns > 0 && s->lease_left_ns < e->config.lease_ns ? s->lease_left_ns
									   : e->config.lease_ns);
	election_vote_start(e, now);
	listen(e, patience, now, out);
}

/*
 * Rule 1.  Whatever waits to be read may be as old as the stall: the peer must answer what we send
 * from now on before we believe that nobody else is Active.
 */
static void
wake(struct election *e, int64_t now, struct election_out *out)
{
	if (e->role == ROLE_ACTIVE)
		election_let_go(e, CAUSE_STALL, true, now, out);
	else if (e->holding || e->drain.on)
		release(e, out);
	listen(e, election_dead_ns(e), now, out);
}

/* It says so now, and did not before. */
static bool
gave_way(const struct heartbeat *before, const struct heartbeat *p)
{
	return p->cause == CAUSE_DUAL_ACTIVE &&
	    (before->cause != CAUSE_DUAL_ACTIVE || p->age_ns < before->age_ns);
}

static void
heard(struct election *e, const struct election_event *ev, int64_t now, struct election_out *out)
{
	const struct heartbeat *p = &e->peer.last, before = *p;
	uint64_t session = e->peer.known ? p->session : 0;
	bool back = !election_peer_reachable(e, now);

	CHECK(ev->heartbeat.path < e->config.paths);
	if (!peer_view_hear(&e->peer, e->session, ev->heartbeat.path, &ev->heartbeat.content, now))
		return;
	if (p->session != session || p->ask)
		out->todo |= ELECTION_DO_SEND;
	/* It may have been Active unheard, lost before we knew, and had the neighbours' ear last. */
	if (e->role == ROLE_ACTIVE && p->role != ROLE_ACTIVE && (back || gave_way(&before, p)))
		out->todo |= ELECTION_DO_ANNOUNCE | ELECTION_DO_SEND;
	if (p->heard_session == e->session && p->heard >= e->fresh_from)
		e->listening = false;
	if (e->role != ROLE_ACTIVE || p->role != ROLE_ACTIVE)
		election_adopt_term(e, p->term, out);
	if (e->role != ROLE_ACTIVE && p->owner && p->term > e->owner_term)
		e->owner = false;
	election_vote_heard(e, now);
	election_asked_to_take(e, now, out);
	election_peer_answered(e, now, out);
}

static void
tracked(struct election *e, const struct election_track *t, int64_t now, struct election_out *out)
{
	const struct election_track *was = &e->track;

	if (!e->tracked || was->eligible != t->eligible) {
		e->fit_since_ns = t->eligible ? now : 0;
		e->unfit_since_ns = t->eligible ? 0 : now;
		out->todo |= ELECTION_DO_SEND;
	}
	if (was->lbd_ready != t->lbd_ready || was->lbd_draining != t->lbd_draining ||
	    was->priority != t->priority || was->steers != t->steers ||
	    !was->servers_up != !t->servers_up)
		out->todo |= ELECTION_DO_SEND;
	e->tracked = true;
	e->track = *t;
}

static void
failover(struct election *e, const struct election_event *ev, int64_t now, struct election_out *out)
{
	enum refusal why = election_check_failover(e, ev->failover.to, ev->failover.force, now);

	if (why == REFUSAL_NONE && e->role == ROLE_ACTIVE) {
		election_begin_handover(e, CAUSE_OPERATOR, now, out);
		e->handover.command = true;
		return;
	}
	if (why == REFUSAL_NONE)
		election_operator_claims(e, now, out);
	else
		election_answer(out, why);
}

static void
standby_on(struct election *e, bool force, int64_t now, struct election_out *out)
{
	enum refusal why = election_peer_unready(e, now);

	if (e->role == ROLE_ACTIVE && why == REFUSAL_NONE) {
		election_begin_handover(e, CAUSE_STANDBY, now, out);
		e->handover.command = e->handover.standby = true;
		e->handover.forced = force;
		return;
	}
	if (e->role == ROLE_ACTIVE && !force) {
		election_answer(out, why);
		return;
	}
	e->standby = true;
	if (e->role == ROLE_ACTIVE)
		election_let_go(e, CAUSE_STANDBY, false, now, out);
	else if (e->holding)
		release(e, out);
	election_answer(out, REFUSAL_NONE);
}

static void
standby(struct election *e, const struct election_event *ev, int64_t now, struct election_out *out)
{
	if (e->handover.asked) {
		election_answer(out, REFUSAL_BUSY);
	} else if (e->stopping) {
		election_answer(out, REFUSAL_STOPPING);
	} else if (ev->standby.on && !e->standby) {
		standby_on(e, ev->standby.force, now, out);
	} else {
		e->standby = ev->standby.on;
		out->todo |= ELECTION_DO_SEND;
		election_answer(out, REFUSAL_NONE);
	}
}

static void
vip_failed(struct election *e, int64_t now)
{
	if (now >= e->broken_until_ns)
		e->unfit_since_ns = now;
	e->broken_until_ns = now + BROKEN_NS;
}

static void
take_in(struct election *e, const struct election_event *ev, int64_t now, struct election_out *out)
{
	switch (ev->type) {
	case ELECTION_START:
		start(e, &ev->start, now, out);
		break;
	case ELECTION_TIMER:
	case ELECTION_STALLED: /* dealt with before */
		break;
	case ELECTION_HEARTBEAT:
		heard(e, ev, now, out);
		break;
	case ELECTION_PROBED:
		election_probed(e, ev, now, out);
		break;
	case ELECTION_TRACKED:
		tracked(e, &ev->tracked, now, out);
		break;
	case ELECTION_CONFLICT:
		election_conflict(e, ev->conflict.by_peer, now, out);
		break;
	case ELECTION_VIP_GONE:
		if (e->role == ROLE_ACTIVE && election_vote_covers(e, now))
			out->todo |= ELECTION_DO_REFRESH | ELECTION_DO_ANNOUNCE;
		break;
	case ELECTION_WITNESS:
		election_witnessed(e, &ev->witness, now);
		break;
	case ELECTION_VIP_FAILED:
		vip_failed(e, now);
		break;
	case ELECTION_FAILOVER:
		failover(e, ev, now, out);
		break;
	case ELECTION_STANDBY:
		standby(e, ev, now, out);
		break;
	case ELECTION_STOP:
		e->stopping = true;
		break;
	case ELECTION_CONNECTIONS:
		election_count(e, ev->connections);
		break;
	}
}

/* Nobody agreed in time, or somebody else has it: as if there had been nothing to adopt. */
static void
adoption_failed(struct election *e, int64_t now, struct election_out *out)
{
	int64_t listened = now - e->since_ns;
	int64_t wanted = LISTEN_DEADS * e->config.interval_ns * e->config.dead_after;

	release(e, out);
	if (!e->peer.known && listened < wanted)
		listen(e, wanted - listened, now, out);
}

/* The end of listening at start: adopt, or take the place of a node that is not Active. */
static void
enter(struct election *e, int64_t now, struct election_out *out)
{
	if (!e->holding) {
		change_role(e, election_rest(e, now), CAUSE_LISTENED, now, out);
		return;
	}
	if (!election_may_adopt(e) || !election_vote_seek(e, CAUSE_ADOPTED, now, out)) {
		if (now >= e->adopt_until_ns)
			adoption_failed(e, now, out);
		return;
	}
	if (!e->term)
		election_adopt_term(e, 1, out);
	election_become_active(e, CAUSE_ADOPTED, false, now, out);
}

static void
decide_start(struct election *e, int64_t now, struct election_out *out)
{
	struct heartbeat self = election_describe(e, now);

	self.term = e->owner_term; /* of our own claim: the peer's has been adopted by now */
	if (e->holding &&
	    (e->stopping ||
		(election_peer_active(e, now) && election_beats(&e->peer.last, &self)))) {
		e->owner = false;
		release(e, out);
	} else if (e->holding && election_vip_is_taken(e)) {
		e->owner = false;
		adoption_failed(e, now, out);
	}
	if (!e->listening && !e->stopping)
		enter(e, now, out);
}

/* Backup, Fault and Standby follow from what is known. */
static void
settle(struct election *e, int64_t now, struct election_out *out)
{
	enum role rest = election_rest(e, now);
	enum cause cause = CAUSE_ELIGIBLE;

	if (rest == e->role)
		return;
	if (rest == ROLE_INITIALIZE)
		cause = CAUSE_STOP;
	else if (rest == ROLE_STANDBY || e->role == ROLE_STANDBY)
		cause = CAUSE_STANDBY;
	else if (rest == ROLE_FAULT)
		cause = election_unfit_why(e, now);
	change_role(e, rest, cause, now, out);
}

static void
decide(struct election *e, int64_t now, struct election_out *out)
{
	if (e->listening && now >= e->listen_until_ns)
		e->listening = false;
	if (e->role == ROLE_INITIALIZE)
		decide_start(e, now, out);
	else if (e->role != ROLE_ACTIVE)
		settle(e, now, out);
	election_decide_claim(e, now, out);
	if (e->role == ROLE_ACTIVE)
		election_decide_yield(e, now, out);
	election_settle_dual(e, now, out);
	election_begin_drain(e, now, out);
	election_upkeep_drain(e, now, out);
	election_upkeep_steer(e, now, out);
	election_vote_upkeep(e, now, out);
	if (e->stopping && e->role != ROLE_ACTIVE && !e->drain.on) {
		e->stopped = true;
		out->todo |= ELECTION_DO_SEND | ELECTION_DO_STOPPED;
	}
}

static void
refresh(struct election *e, int64_t now, struct election_out *out)
{
	if (e->role != ROLE_ACTIVE || !e->config.lease_ns || now < e->refresh_ns ||
	    !election_vote_covers(e, now))
		return;
	e->refreshed_ns = now;
	e->refresh_ns = now + refresh_interval(e);
	out->todo |= ELECTION_DO_REFRESH;
}

/* An Active that hears nobody may be one of two: the sooner they meet, the sooner that ends. */
static bool
in_haste(const struct election *e, int64_t now)
{
	return (e->handover.asked && !e->handover.empties) ||
	    (e->role == ROLE_ACTIVE && !election_peer_reachable(e, now));
}

static void
send(struct election *e, int64_t now, struct election_out *out)
{
	int64_t interval = e->config.interval_ns;

	if (in_haste(e, now))
		interval /= HASTY_SENDS;
	if (e->send_ns > now + interval)
		e->send_ns = now + interval;
	if (now < e->send_ns)
		return;
	out->todo |= ELECTION_DO_SEND;
	e->ask = e->listening || e->vacant_from || e->take.from;
	e->send_ns += interval;
	if (e->send_ns <= now)
		e->send_ns = now + interval;
}

static int64_t
next_step(const struct election *e, int64_t now)
{
	int64_t at = election_claim_deadline(e, now), vote = election_vote_deadline(e, now);

	if (vote < at)
		at = vote;
	if (e->send_ns < at)
		at = e->send_ns;
	if (e->role == ROLE_ACTIVE && e->config.lease_ns && e->refresh_ns > now &&
	    e->refresh_ns < at)
		at = e->refresh_ns;
	if (e->listening && e->listen_until_ns < at)
		at = e->listen_until_ns;
	if (e->handover.asked && e->handover.until_ns < at)
		at = e->handover.until_ns;
	if (election_drain_deadline(e) < at)
		at = election_drain_deadline(e);
	if (e->role == ROLE_INITIALIZE && e->holding && e->adopt_until_ns > now &&
	    e->adopt_until_ns < at)
		at = e->adopt_until_ns;
	return at > now ? at : now + NS_PER_MS;
}

static bool
stalled(const struct election *e, const struct election_event *ev, int64_t now)
{
	return ev->type == ELECTION_STALLED || now - e->stepped_ns > election_stall_ns(e);
}

/*
 * No stall yet, but what came meanwhile waits to be read: nobody was silent until it is.  Who is
 * always late must decide all the same.
 */
static void
note_lateness(struct election *e, int64_t now)
{
	int64_t quarter = e->config.interval_ns / 4;

	if (now - e->stepped_ns > e->config.interval_ns + quarter &&
	    now > e->unread_ns + election_dead_ns(e))
		e->unread_ns = now + quarter;
}

struct election_out
election_step(struct election *e, const struct election_event *ev, int64_t now)
{
	struct election_out out = { .timer_ns = INT64_MAX };

	CHECK(e->session || ev->type == ELECTION_START);
	if (e->stopped)
		return out;
	if (ev->type != ELECTION_START && stalled(e, ev, now))
		wake(e, now, &out);
	if (ev->type != ELECTION_START)
		note_lateness(e, now);
	e->stepped_ns = now;
	take_in(e, ev, now, &out);
	election_upkeep_probe(e, now, &out);
	decide(e, now, &out);
	refresh(e, now, &out);
	send(e, now, &out);
	e->alarms = election_alarms(e, now);
	if (!e->stopped)
		out.timer_ns = next_step(e, now);
	return out;
}

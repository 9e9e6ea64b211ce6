/*
 * election_claim.c - when may a node that is not Active claim?
 *
 * The peer is silent: only when the virtual address is, too.  It is asked from half the dead
 * interval on, so that two answers are there when that ends.  The peer is heard: when nobody is
 * Active and this node is the better one, when it may preempt, or when the peer says TAKE.
 *
 * A paused machine whose clock stood still wakes with a queue of old heartbeats and cannot know it.
 * So what the peer says must be the answer to a question asked for the purpose: "vacant" and TAKE
 * count once it has heard a heartbeat that we sent after we first read of them.
 */
#include <string.h>

#include "common/check.h"
#include "hafailover/election/election_private.h"

enum {
	PROBES_NEEDED = 2, /* in a row: one question can be lost */
	VACANT_DEADS = 3, /* after so long the lesser node claims, too */
};

static void
claim(struct election *e, enum cause cause, bool planned, int64_t now, struct election_out *out)
{
	CHECK(e->role != ROLE_ACTIVE && !e->listening);
	if (!election_vote_seek(e, cause, now, out))
		return;
	e->term++; /* the peer's was adopted when it was heard */
	out->todo |= ELECTION_DO_PERSIST;
	election_become_active(e, cause, planned, now, out);
}

void
election_forget_probes(struct election *e)
{
	uint32_t id = e->probe.id;

	memset(&e->probe, 0, sizeof(e->probe));
	e->probe.id = id;
}

static void
ask_for_vip(struct election *e, int64_t now, struct election_out *out)
{
	e->probe.id++;
	e->probe.pending = true;
	e->probe.started_ns = now;
	out->todo |= ELECTION_DO_PROBE;
	out->probe_id = e->probe.id;
	out->probe_budget_ns = election_dead_ns(e) / 4;
}

/* When a Backup may begin to ask: half of the dead interval before it could claim. */
static int64_t
suspect_from(const struct election *e)
{
	int64_t half = election_dead_ns(e) / 2;
	int64_t from = election_quiet_since(e) + half;

	return e->listening && e->listen_until_ns - half > from ? e->listen_until_ns - half : from;
}

/*
 * A holder that does not hear its peer looks for another holder now and then.  A Backup whose peer
 * said farewell asks at once; one whose better peer does not claim asks before it does so itself.
 */
static int64_t
probe_from(const struct election *e)
{
	int64_t dead = election_dead_ns(e);

	if (e->role == ROLE_ACTIVE)
		return election_quiet_since(e) + 3 * dead;
	if (e->vacant_since_ns && e->peer.last.stopping)
		return e->vacant_since_ns;
	if (e->vacant_since_ns && e->vacant_since_ns + 2 * dead < suspect_from(e))
		return e->vacant_since_ns + 2 * dead;
	return suspect_from(e);
}

/* Cut off from everybody while others claimed, it must not go on where it was. */
static bool
adopts_unheard(const struct election *e)
{
	return e->role == ROLE_INITIALIZE && e->holding && !e->stopping && !e->peer.known;
}

bool
election_may_adopt(const struct election *e)
{
	bool cannot_ask = e->probe.last == ELECTION_VIP_UNKNOWN && e->probe.bad >= PROBES_NEEDED;

	return !e->config.probe || e->peer.known || e->probe.silent || cannot_ask;
}

bool
election_vip_is_taken(const struct election *e)
{
	return adopts_unheard(e) &&
	    (e->probe.last == ELECTION_VIP_SERVES || e->probe.last == ELECTION_VIP_NO_SERVICE);
}

static bool
probes_wanted(const struct election *e, int64_t now)
{
	bool claims =
	    e->role == ROLE_BACKUP || (e->role == ROLE_INITIALIZE && !e->holding && !e->stopping);

	if (!e->config.probe)
		return false;
	return adopts_unheard(e) || ((claims || e->role == ROLE_ACTIVE) && now >= probe_from(e));
}

static void
probe_result(struct election *e, enum election_vip result, int64_t now)
{
	bool again;

	e->probe.pending = false;
	e->probe.last = result;
	e->probe.silent = result == ELECTION_VIP_SILENT ? e->probe.silent + 1 : 0;
	e->probe.bad = result == ELECTION_VIP_SERVES ? 0 : e->probe.bad + 1;
	if (result == ELECTION_VIP_SERVES)
		e->probe.served_ns = now;
	again = result == ELECTION_VIP_SILENT && e->probe.silent < PROBES_NEEDED;
	e->probe.due_ns = again ? now : e->probe.started_ns + e->config.interval_ns;
	if (e->role == ROLE_ACTIVE)
		e->probe.due_ns = e->probe.started_ns + 3 * election_dead_ns(e);
}

/* Twice its budget; its answer may wait to be read. */
static int64_t
probe_expires(const struct election *e)
{
	int64_t at = e->probe.started_ns + election_dead_ns(e) / 2;

	return at > e->unread_ns ? at : e->unread_ns;
}

void
election_upkeep_probe(struct election *e, int64_t now, struct election_out *out)
{
	if (!probes_wanted(e, now)) {
		election_forget_probes(e);
		return;
	}
	if (e->probe.pending && now >= probe_expires(e))
		probe_result(e, ELECTION_VIP_UNKNOWN, now);
	if (!e->probe.pending && now >= e->probe.due_ns)
		ask_for_vip(e, now, out);
}

void
election_probed(
    struct election *e, const struct election_event *ev, int64_t now, struct election_out *out)
{
	if (!e->probe.pending || ev->probed.id != e->probe.id)
		return;
	probe_result(e, ev->probed.result, now);
	if (e->role == ROLE_ACTIVE &&
	    (ev->probed.result == ELECTION_VIP_NO_SERVICE ||
		ev->probed.result == ELECTION_VIP_SERVES))
		election_conflict(e, ev->probed.by_peer, now, out);
}

static bool
vip_is_silent(const struct election *e)
{
	return !e->config.probe || e->probe.silent >= PROBES_NEEDED;
}

/* From then on the peer's silence means something: a heartbeat was due, and a little more. */
static int64_t
missed_from(const struct election *e)
{
	int64_t dead = election_dead_ns(e), interval = dead / e->config.dead_after;
	int64_t late = interval + interval / 4;

	return election_quiet_since(e) + (late > dead / 2 ? late : dead / 2);
}

/*
 * Neither the peer nor a gateway is heard any more: it may be this node that is cut off.  What a gateway answered
 * before a heartbeat was missed proves nothing: the cable may have been pulled between the two.
 */
static bool
is_cut_off(const struct election *e)
{
	return e->track.network_ns && e->track.network_ns < missed_from(e);
}

/* Rule 3.  CAUSE_NONE: not yet. */
static enum cause
silent_peer(const struct election *e, int64_t now)
{
	int64_t dead = election_dead_ns(e), silence = election_silence_ns(e, now);

	if (silence < dead || now < e->unread_ns || is_cut_off(e))
		return CAUSE_NONE;
	if (vip_is_silent(e))
		return CAUSE_PEER_SILENT;
	if (silence >= 2 * dead && e->probe.bad >= PROBES_NEEDED &&
	    now - e->probe.served_ns >= dead)
		return CAUSE_NO_SERVICE;
	return CAUSE_NONE;
}

/* The peer will have heard the next heartbeat when it answers. */
static uint64_t
ask_peer(struct election *e, struct election_out *out)
{
	e->ask = true;
	out->todo |= ELECTION_DO_SEND;
	return e->sequence + 1;
}

static bool
answered(const struct election *e, uint64_t from)
{
	return e->peer.last.heard_session == e->session && e->peer.last.heard >= from;
}

/* The peer is heard and is not Active. */
static enum cause
vacancy(struct election *e, int64_t now, struct election_out *out)
{
	const struct heartbeat *p = &e->peer.last;
	struct heartbeat self = election_describe(e, now);

	if (!e->vacant_since_ns)
		e->vacant_since_ns = now;
	if (p->holding)
		return CAUSE_NONE; /* it started again and is about to adopt */
	if (!election_better(&self, p, e->config.preempt))
		e->vacant_from = 0;
	else if (!e->vacant_from)
		e->vacant_from = ask_peer(e, out);
	else if (answered(e, e->vacant_from))
		return CAUSE_VACANT;
	if (!vip_is_silent(e))
		return CAUSE_NONE;
	if (p->stopping)
		return CAUSE_PEER_STOPPED;
	if (now - e->vacant_since_ns >= VACANT_DEADS * election_dead_ns(e))
		return CAUSE_VACANT;
	return CAUSE_NONE;
}

/* Which preference this node has over the Active peer. */
static enum cause
preference(const struct election *e, int64_t now)
{
	const struct heartbeat *p = &e->peer.last;

	if (e->peer.deaf_since_ns || p->digest != e->config.digest || election_damped(e, now))
		return CAUSE_NONE;
	if (!e->track.lbd_ready || e->track.lbd_draining || election_poorer(e))
		return CAUSE_NONE;
	if (e->config.prefer == PREFER_SELF)
		return CAUSE_PREFER;
	if (e->config.prefer == PREFER_NONE && e->config.preempt && e->track.priority > p->priority)
		return CAUSE_PREEMPT;
	return CAUSE_NONE;
}

static enum cause
preemption(struct election *e, int64_t now)
{
	enum cause cause = preference(e, now);

	if (cause == CAUSE_NONE)
		e->better_since_ns = 0;
	else if (!e->better_since_ns)
		e->better_since_ns = now;
	if (cause == CAUSE_NONE || now - e->better_since_ns < e->config.preempt_delay_ns)
		return CAUSE_NONE;
	return cause;
}

void
election_order_end(struct election *e, enum refusal why, struct election_out *out)
{
	if (e->order_until_ns)
		election_answer(out, why);
	e->order_until_ns = 0;
}

/* An operator's order that waits for a vote. */
static void
order_upkeep(struct election *e, int64_t now, struct election_out *out)
{
	enum refusal why = election_self_unready(e, now);

	if (!e->order_until_ns || e->role == ROLE_ACTIVE)
		return;
	if (why != REFUSAL_NONE)
		election_order_end(e, why, out);
	else if (now >= e->order_until_ns)
		election_order_end(e, REFUSAL_NO_VOTE, out);
}

static bool
is_planned(enum cause cause)
{
	return cause == CAUSE_PREEMPT || cause == CAUSE_PREFER || cause == CAUSE_OPERATOR;
}

void
election_decide_claim(struct election *e, int64_t now, struct election_out *out)
{
	enum cause cause;

	if (!election_peer_active(e, now) || e->role != ROLE_BACKUP)
		e->better_since_ns = 0;
	if (!election_peer_reachable(e, now) || e->peer.last.role == ROLE_ACTIVE)
		e->vacant_since_ns = 0, e->vacant_from = 0;
	order_upkeep(e, now, out);
	if (e->role != ROLE_BACKUP || e->listening)
		return;
	if (e->order_until_ns)
		cause = CAUSE_OPERATOR;
	else if (!election_peer_reachable(e, now))
		cause = silent_peer(e, now);
	else if (e->peer.last.role == ROLE_ACTIVE)
		cause = preemption(e, now);
	else
		cause = vacancy(e, now, out);
	if (cause != CAUSE_NONE)
		claim(e, cause, is_planned(cause), now, out);
}

/* As the one who asked will read it: what is true of this node is true of its peer. */
static enum refusal
as_peer(enum refusal why)
{
	switch ((unsigned)why) {
	case REFUSAL_STOPPING:
		return REFUSAL_PEER_STOPPING;
	case REFUSAL_STARTING:
		return REFUSAL_PEER_STARTING;
	case REFUSAL_STANDBY:
		return REFUSAL_PEER_STANDBY;
	default:
		return REFUSAL_PEER_INELIGIBLE;
	}
}

static void
refuse_to_take(struct election *e, enum refusal why, struct election_out *out)
{
	e->take.refused = true;
	e->take.refused_id = e->peer.last.message_id;
	e->take.why = as_peer(why);
	out->todo |= ELECTION_DO_SEND;
}

/* The newest heartbeat says TAKE, or no longer does. */
void
election_asked_to_take(struct election *e, int64_t now, struct election_out *out)
{
	const struct heartbeat *p = &e->peer.last;
	enum refusal why = election_self_unready(e, now);
	bool again = e->take.session == p->session && e->take.id == p->message_id;

	e->take.refused = false;
	if (p->message != MESSAGE_TAKE || p->role != ROLE_ACTIVE || e->role == ROLE_ACTIVE) {
		e->take.from = 0;
	} else if (why != REFUSAL_NONE) {
		refuse_to_take(e, why, out);
	} else if (!again) {
		e->take.session = p->session;
		e->take.id = p->message_id;
		e->take.from = ask_peer(e, out);
		election_vote_seek(e, p->message_cause, now, out);
	} else if (e->take.from && answered(e, e->take.from)) {
		claim(e, p->message_cause, true, now, out);
		if (e->role == ROLE_ACTIVE)
			e->take.from = 0;
	}
}

/* With a witness the claim may have to wait for a vote, and the answer for the claim. */
void
election_operator_claims(struct election *e, int64_t now, struct election_out *out)
{
	e->order_until_ns = now + e->config.drain_ns + e->config.handover_ns;
	claim(e, CAUSE_OPERATOR, true, now, out);
}

static int64_t
next(int64_t a, int64_t b, int64_t now)
{
	return b > now && b < a ? b : a;
}

int64_t
election_claim_deadline(const struct election *e, int64_t now)
{
	int64_t dead = election_dead_ns(e), quiet = election_quiet_since(e), at = INT64_MAX;

	at = next(at, probe_from(e), now);
	at = next(at, quiet + dead, now);
	at = next(at, quiet + 2 * dead, now);
	at = next(at, e->unread_ns, now);
	if (e->probe.pending)
		at = next(at, probe_expires(e), now);
	else if (e->config.probe)
		at = next(at, e->probe.due_ns, now);
	if (e->order_until_ns)
		at = next(at, e->order_until_ns, now);
	if (e->better_since_ns)
		at = next(at, e->better_since_ns + e->config.preempt_delay_ns, now);
	return at;
}

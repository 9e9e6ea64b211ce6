/*
 * election_vote.c - with a witness: nobody is Active without two of three votes.
 *
 * The three are this node's, its peer's and the witness's, and each is lent to one node at a time,
 * for a while.  Any two majorities share a vote: so there are never two Actives, however the network
 * is cut, and any one of the three may be lost.  While the nodes hear each other they need no
 * witness; a node that is alone with the witness has its vote instead of the peer's.
 *
 * A vote of the peer is lent by a heartbeat, until so long after it heard the one of ours that it
 * answers.  We count from when we sent that, it counts from when that came: our end comes first, by
 * VOTE_MARGIN of it for clocks that run apart.  It is void before its time when the peer says that
 * it neither is nor wants to be Active: it counts only answers to what it sends after it began to
 * want.  A node that starts may have lent its vote before: it waits as long.
 *
 * What the kernel has outlives this process: addresses are renewed only if their lease ends before
 * the votes do.  An Active that cannot renew in time lets go.
 *
 * A planned move: the Active says TAKE, the peer wants, the Active lends it its own vote and stays
 * until it hears that the peer is Active; but when it hears nothing any more, it lets go.
 */
#include "common/clock.h"
#include "hafailover/election/election_private.h"

enum { VOTE_MARGIN = 16, SILENT_DEADS = 3 };

static int64_t
vote_ns(const struct election *e)
{
	return witness_lease_ns(e->config.lease_ns);
}

static int64_t
counted(int64_t from, int64_t ns)
{
	return from + ns - ns / VOTE_MARGIN;
}

static int64_t
later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static bool
own_is_free(const struct election *e, int64_t now)
{
	return now >= e->vote.given_until_ns;
}

/*
 * Started again, with the addresses still there.  Whose vote it gets has not got its own: the peer
 * would not lend its one then, and the witness is asked only if it still counts this node.
 */
static bool
adopts(const struct election *e)
{
	return e->role == ROLE_INITIALIZE && e->holding;
}

static bool
is_still_counted(const struct election *e)
{
	return e->vote.answered_id && e->vote.answer.yours;
}

/* --- what the votes allow --- */

/* The kernel may be a little late. */
static int64_t
lent_until(const struct election *e)
{
	return later(e->vote.witness_until_ns, e->vote.peer_until_ns) -
	    e->config.lease_ns / VOTE_MARGIN;
}

/* What stays silently after a planned move stays by agreement. */
int64_t
election_vote_bound(const struct election *e)
{
	return e->config.witness && e->role == ROLE_ACTIVE ? lent_until(e) : INT64_MAX;
}

bool
election_vote_covers(const struct election *e, int64_t now)
{
	return !e->config.witness || lent_until(e) >= now + e->config.lease_ns;
}

bool
election_vote_lost(const struct election *e, int64_t now)
{
	if (!e->config.witness)
		return false;
	return now >= e->refreshed_ns + e->config.lease_ns ||
	    (!own_is_free(e, now) && !election_peer_reachable(e, now));
}

/* --- wanting --- */

static void
want(struct election *e, enum cause cause, int64_t now, struct election_out *out)
{
	if (e->vote.want == CAUSE_NONE) {
		e->vote.want_from = e->sequence + 1;
		e->vote.want_ns = e->vote.ask_ns = now;
	}
	if (e->vote.want != cause)
		out->todo |= ELECTION_DO_SEND;
	e->vote.want = cause;
}

bool
election_vote_seek(struct election *e, enum cause cause, int64_t now, struct election_out *out)
{
	bool agreed = e->take.from && now < e->vote.peer_until_ns;

	if (!e->config.witness)
		return true;
	e->vote.sought = true;
	want(e, cause, now, out);
	return (own_is_free(e, now) || agreed || adopts(e)) && election_vote_covers(e, now);
}

/* An Active that is asked to by its peer moves the service there. */
enum cause
election_vote_asked(const struct election *e, int64_t now)
{
	enum cause cause = e->peer.last.want;

	if (!e->config.witness || !election_peer_reachable(e, now))
		return CAUSE_NONE;
	return cause == CAUSE_OPERATOR || cause == CAUSE_PREEMPT || cause == CAUSE_PREFER
	    ? cause
	    : CAUSE_NONE;
}

/* Unheard by us, the peer has asked the witness for the vote that we have. */
bool
election_vote_wanted(const struct election *e, int64_t now)
{
	return e->config.witness && now < e->vote.witness_until_ns && e->vote.answer.wanted;
}

/* --- the peer's vote, and ours for the peer --- */

void
election_vote_heard(struct election *e, int64_t now)
{
	const struct heartbeat *p = &e->peer.last;
	int64_t lent = p->vote_ns < vote_ns(e) ? p->vote_ns : vote_ns(e), sent;

	if (!e->config.witness)
		return;
	if (p->role != ROLE_ACTIVE && p->want == CAUSE_NONE && !p->holding)
		e->vote.given_until_ns = 0;
	if (!lent || p->heard_session != e->session || p->heard < e->vote.want_from ||
	    p->heard + ELECTION_SENT_MAX <= e->sequence)
		return;
	if (e->role != ROLE_ACTIVE && e->vote.want == CAUSE_NONE)
		return;
	sent = e->vote.sent_ns[p->heard % ELECTION_SENT_MAX];
	if (sent <= now)
		e->vote.peer_until_ns = later(e->vote.peer_until_ns, counted(sent, lent));
}

static bool
gives(const struct election *e, int64_t now)
{
	const struct heartbeat *p = &e->peer.last;
	struct heartbeat self;

	if (!election_peer_reachable(e, now) || (p->role != ROLE_ACTIVE && p->want == CAUSE_NONE) ||
	    e->take.from)
		return false;
	if (e->role == ROLE_ACTIVE)
		return e->handover.asked && !e->handover.empties && p->want != CAUSE_NONE;
	if (adopts(e))
		return false;
	if (e->vote.want == CAUSE_NONE || p->role == ROLE_ACTIVE)
		return true;
	self = election_describe(e, now);
	return election_better(p, &self, e->config.preempt);
}

void
election_vote_send(struct election *e, struct heartbeat *h, int64_t now)
{
	e->vote.sent_ns[h->sequence % ELECTION_SENT_MAX] = now;
	if (!e->config.witness)
		return;
	h->want = e->vote.want;
	if (!gives(e, now))
		return;
	h->vote_ns = vote_ns(e);
	e->vote.given_until_ns = later(e->vote.given_until_ns, e->peer.last_ns + vote_ns(e));
}

/* --- the witness --- */

static void
ask(struct election *e, enum witness_wish wish, int64_t now, struct election_out *out)
{
	if (out->todo & ELECTION_DO_WITNESS)
		return;
	e->vote.ask_id++;
	e->vote.asked_ns[e->vote.ask_id % ELECTION_ASKED_MAX] = now;
	out->witness = (struct witness_request){ .id = e->vote.ask_id,
		.wish = wish,
		.has = now < e->vote.witness_until_ns,
		.lease_ns = vote_ns(e) };
	out->todo |= ELECTION_DO_WITNESS;
	e->vote.takes = wish == WITNESS_TAKE;
}

void
election_witnessed(struct election *e, const struct witness_answer *a, int64_t now)
{
	uint32_t id = a->id;

	if (!id || id <= e->vote.answered_id || e->vote.ask_id - id >= ELECTION_ASKED_MAX)
		return;
	e->vote.answered_id = id;
	e->vote.answered_ns = now;
	e->vote.answer = *a;
	e->vote.left_until_ns = now + a->left_ns;
	if (a->verdict == WITNESS_GRANTED && id >= e->vote.ask_from &&
	    (e->role == ROLE_ACTIVE || e->vote.want != CAUSE_NONE))
		e->vote.witness_until_ns =
		    counted(e->vote.asked_ns[id % ELECTION_ASKED_MAX], vote_ns(e));
	else if (!a->yours)
		e->vote.witness_until_ns = 0;
}

void
election_vote_drop(struct election *e, int64_t now, struct election_out *out)
{
	if (!e->config.witness)
		return;
	if (e->vote.want != CAUSE_NONE)
		out->todo |= ELECTION_DO_SEND;
	if (e->vote.takes)
		ask(e, WITNESS_GIVE_BACK, now, out);
	e->vote.want = CAUSE_NONE;
	e->vote.peer_until_ns = e->vote.witness_until_ns = 0;
	e->vote.ask_from = e->vote.ask_id + 1;
}

void
election_vote_claimed(struct election *e)
{
	e->vote.want = CAUSE_NONE;
	e->vote.given_until_ns = 0;
}

void
election_vote_start(struct election *e, int64_t now)
{
	e->vote.answered_ns = e->vote.ask_ns = now;
	if (e->config.witness)
		e->vote.given_until_ns = now + vote_ns(e);
}

static bool
takes(const struct election *e, int64_t now)
{
	if (e->role == ROLE_ACTIVE)
		return true;
	if (adopts(e))
		return e->vote.want != CAUSE_NONE && is_still_counted(e);
	return e->vote.want != CAUSE_NONE && own_is_free(e, now) && !election_peer_active(e, now);
}

/* When to ask again, at the latest: when what stands in the way ends. */
static int64_t
ask_at(const struct election *e, int64_t now)
{
	int64_t at = e->vote.ask_ns;

	if (!takes(e, now))
		return at;
	if (!e->vote.takes)
		return now;
	return e->role != ROLE_ACTIVE && e->vote.left_until_ns > now && e->vote.left_until_ns < at
	    ? e->vote.left_until_ns
	    : at;
}

void
election_vote_upkeep(struct election *e, int64_t now, struct election_out *out)
{
	bool taking = e->take.from && election_peer_reachable(e, now);

	if (!e->config.witness)
		return;
	if (e->role != ROLE_ACTIVE && !e->vote.sought && !taking &&
	    (e->vote.want != CAUSE_NONE || e->vote.takes))
		election_vote_drop(e, now, out);
	e->vote.sought = false;
	if (now < ask_at(e, now))
		return;
	ask(e, takes(e, now) ? WITNESS_TAKE : WITNESS_LOOK, now, out);
	e->vote.ask_ns = now + (e->vote.takes ? e->config.interval_ns : election_dead_ns(e));
}

int64_t
election_vote_deadline(const struct election *e, int64_t now)
{
	int64_t at = ask_at(e, now);

	if (!e->config.witness)
		return INT64_MAX;
	if (e->vote.want != CAUSE_NONE && !own_is_free(e, now) && e->vote.given_until_ns < at)
		at = e->vote.given_until_ns;
	if (e->role == ROLE_ACTIVE && e->refreshed_ns + e->config.lease_ns < at)
		at = e->refreshed_ns + e->config.lease_ns;
	return at;
}

/* --- for those who look --- */

bool
election_witness_answers(const struct election *e, int64_t now)
{
	return e->vote.answered_id &&
	    now - e->vote.answered_ns < SILENT_DEADS * election_dead_ns(e);
}

struct election_votes
election_votes(const struct election *e, int64_t now)
{
	return (struct election_votes){ .own = own_is_free(e, now),
		.peer = now < e->vote.peer_until_ns,
		.witness = now < e->vote.witness_until_ns };
}

unsigned
election_vote_alarms(const struct election *e, int64_t now)
{
	unsigned a = 0;

	if (!e->config.witness)
		return 0;
	if (now - e->vote.answered_ns >= SILENT_DEADS * election_dead_ns(e))
		a |= ALARM_WITNESS_SILENT;
	if (e->vote.answered_id && e->vote.answer.verdict == WITNESS_TOO_LONG)
		a |= ALARM_WITNESS_REFUSES;
	if (e->vote.want != CAUSE_NONE && now - e->vote.want_ns >= 2 * vote_ns(e))
		a |= ALARM_NO_VOTE;
	return a;
}

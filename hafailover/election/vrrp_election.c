/*
 * vrrp_election.c - a step: what happened, then what follows from it, as RFC 9568 section 6.4 has it.
 *
 * The comments that name sections are the RFC's; all else is described in the header.
 */
#include "hafailover/election/vrrp_election.h"

#include <string.h>

#include "common/check.h"
#include "common/clock.h"
#include "hafailover/election/vrrp_election_private.h"

static const int64_t BROKEN_NS = 5 * NS_PER_S;
static const int64_t STEP_AT_LEAST_NS = NS_PER_S;

/* Who is late reads before it believes in silence. */
static const int64_t READ_FIRST_NS = NS_PER_MS;

/* Against another Active no more often than this. */
static const int64_t ANNOUNCE_NS = NS_PER_S;

void
vrrp_election_configure(struct vrrp_election *e, const struct vrrp_election_config *c)
{
	CHECK((c->version == 2 || c->version == 3) && c->interval_ns > 0);
	if (c->version == 2 || e->role != ROLE_BACKUP) /* else the Active's word counts */
		e->active_interval_ns = c->interval_ns;
	e->send_ns = 0; /* said anew in the next step */
	e->config = *c;
}

void
vrrp_election_init(struct vrrp_election *e, const struct vrrp_election_config *c)
{
	memset(e, 0, sizeof(*e));
	vrrp_election_configure(e, c);
}

/* --- roles --- */

static void
change_role(
    struct vrrp_election *e, enum role to, enum cause cause, int64_t now, struct election_out *out)
{
	CHECK(cause != CAUSE_NONE);
	CHECK(out->n_transitions < sizeof(out->transitions) / sizeof(*out->transitions));
	out->transitions[out->n_transitions++] = (struct election_transition){ e->role, to, cause };
	e->role = to;
	e->cause = cause;
	e->since_ns = now;
	e->lower_since_ns = 0;
}

static void
send(struct vrrp_election *e, int64_t now, struct election_out *out)
{
	out->todo |= ELECTION_DO_SEND;
	e->send_ns = now + e->config.interval_ns;
}

static void
become_active(struct vrrp_election *e, enum cause cause, int64_t now, struct election_out *out)
{
	change_role(e, ROLE_ACTIVE, cause, now, out);
	e->active_interval_ns = e->config.interval_ns;
	e->holding = true;
	e->yielded = false;
	send(e, now, out);
	out->todo &= ~(unsigned)ELECTION_DO_RELEASE;
	out->todo |= ELECTION_DO_CLAIM | ELECTION_DO_ANNOUNCE;
}

void
vrrp_election_take_over(
    struct vrrp_election *e, uint8_t lifted, int64_t now, struct election_out *out)
{
	e->lifted = lifted;
	become_active(e, CAUSE_OPERATOR, now, out);
}

static void
release(struct vrrp_election *e, struct election_out *out)
{
	e->holding = false;
	out->todo &= ~(unsigned)(ELECTION_DO_CLAIM | ELECTION_DO_REFRESH | ELECTION_DO_ANNOUNCE);
	out->todo |= ELECTION_DO_RELEASE;
}

static void
arm(struct vrrp_election *e, enum cause claim, int64_t in_ns, int64_t now)
{
	e->claim = claim;
	e->down_ns = now + in_ns;
	e->unread = false;
}

static void
dual_end(struct vrrp_election *e, int64_t until_ns)
{
	if (e->dual_since_ns)
		e->dual_total_ns += until_ns - e->dual_since_ns;
	e->dual_since_ns = 0;
}

void
vrrp_election_let_go(
    struct vrrp_election *e, enum cause cause, int64_t now, struct election_out *out)
{
	vrrp_election_answer(e, REFUSAL_OVERTAKEN, out);
	dual_end(e, now);
	e->lifted = 0;
	e->yield.on = false;
	change_role(e, vrrp_election_rest(e, now), cause, now, out);
	arm(e, CAUSE_VACANT, vrrp_election_down_ns(e), now);
	release(e, out);
}

/* 6.4.2 (330), (335): nobody shall wait for what will not come. */
static void
let_go_and_say_so(struct vrrp_election *e, enum cause cause, int64_t now, struct election_out *out)
{
	vrrp_election_let_go(e, cause, now, out);
	send(e, now, out);
}

/* --- advertisements --- */

static void
learn(struct vrrp_election *e, const struct vrrp_heard *h, int64_t now)
{
	if (e->config.version == 3)
		e->active_interval_ns = h->interval_ns;
	arm(e, CAUSE_PEER_SILENT, vrrp_election_down_ns(e), now);
}

/* 6.4.2: the lower priority is not listened to, so that the timer runs out. */
static bool
preempts(struct vrrp_election *e, const struct vrrp_heard *h, int64_t now)
{
	uint8_t own = vrrp_election_rank(e);
	bool may = e->config.preempt || own == VRRP_OWNER;

	if (!may || h->priority >= own) {
		e->lower_since_ns = 0;
		return false;
	}
	if (!e->lower_since_ns)
		e->lower_since_ns = now;
	return now - e->lower_since_ns >= e->config.preempt_delay_ns;
}

static void
backup_hears(struct vrrp_election *e, const struct vrrp_heard *h, int64_t now)
{
	if (h->priority == 0 && e->claim == CAUSE_PEER_STOPPED)
		return; /* who is unfit says so again and again: the first time counts */
	if (h->priority == 0)
		arm(e, CAUSE_PEER_STOPPED, vrrp_election_skew_ns(e), now);
	else if (preempts(e, h, now))
		e->claim = CAUSE_PREEMPT;
	else
		learn(e, h, now);
}

static void
lose(struct vrrp_election *e, const struct vrrp_heard *h, int64_t now, struct election_out *out)
{
	bool higher = h->priority > vrrp_election_advertises(e, now);
	enum cause cause = higher ? CAUSE_PREEMPT : CAUSE_DUAL_ACTIVE;

	if (e->yield.on)
		cause = e->yield.cause;
	else if (!vrrp_election_fit(e, now))
		cause = vrrp_election_unfit_why(e, now);
	vrrp_election_yield_done(e, out);
	vrrp_election_let_go(e, cause, now, out);
	learn(e, h, now);
}

/* 6.4.3 (735): the other one hears at once that it is not alone, and so do the neighbours. */
static void
win(struct vrrp_election *e, int64_t now, struct election_out *out)
{
	if (!e->dual_since_ns)
		e->dual_since_ns = now;
	send(e, now, out);
	if (e->announced_ns && now - e->announced_ns < ANNOUNCE_NS)
		return;
	e->announced_ns = now;
	out->todo |= ELECTION_DO_ANNOUNCE;
}

static void
active_hears(
    struct vrrp_election *e, const struct vrrp_heard *h, int64_t now, struct election_out *out)
{
	uint8_t own = vrrp_election_advertises(e, now);

	if (h->priority == 0 && own > 0) /* of two that stop, neither answers the other */
		send(e, now, out);
	else if (h->priority > own || (h->priority == own && h->sender_higher))
		lose(e, h, now, out);
	else
		win(e, now, out);
}

static void
hear(struct vrrp_election *e, const struct vrrp_heard *h, int64_t now, struct election_out *out)
{
	e->peer.known = true;
	e->peer.last = *h;
	e->peer.heard_ns = now;
	if (e->role == ROLE_BACKUP)
		backup_hears(e, h, now);
	else if (e->role == ROLE_ACTIVE)
		active_hears(e, h, now, out);
}

/* --- other events --- */

/*
 * Does the kernel still hold the addresses because they were renewed so lately that nobody can have
 * claimed since?
 */
static bool
goes_on(const struct vrrp_election *e, const struct election_start *s)
{
	return s->held && !s->standby && e->config.lease_ns &&
	    e->config.lease_ns - s->lease_left_ns < vrrp_election_dead_ns(e);
}

static void
start(
    struct vrrp_election *e, const struct election_start *s, int64_t now, struct election_out *out)
{
	CHECK(!e->started);
	e->started = true;
	e->standby = s->standby;
	e->cause = CAUSE_START;
	e->since_ns = e->stepped_ns = now;
	e->holding = goes_on(e, s);
	if (s->held && !e->holding)
		release(e, out);
}

static void
vip_failed(struct vrrp_election *e, int64_t now, struct election_out *out)
{
	e->broken_until_ns = now + BROKEN_NS;
	if (e->role == ROLE_ACTIVE)
		let_go_and_say_so(e, CAUSE_VIP_FAILED, now, out);
}

static void
conflict(struct vrrp_election *e, int64_t now, struct election_out *out)
{
	bool again = e->conflict_ns && now - e->conflict_ns < ANNOUNCE_NS;

	if (again)
		return;
	e->conflict_ns = now;
	if (e->role == ROLE_ACTIVE)
		out->todo |= ELECTION_DO_ANNOUNCE;
}

/* What an Active says of itself now, it says at once. */
static void
tracked(
    struct vrrp_election *e, const struct election_track *t, int64_t now, struct election_out *out)
{
	uint8_t said = vrrp_election_advertises(e, now);

	e->tracked = true;
	e->track = *t;
	if (e->role == ROLE_ACTIVE && vrrp_election_advertises(e, now) != said)
		send(e, now, out);
}

static void
stop(struct vrrp_election *e, struct election_out *out)
{
	e->stopping = true;
	if (e->yield.on && e->yield.command)
		vrrp_election_answer(e, REFUSAL_STOPPING, out);
}

static void
take_in(
    struct vrrp_election *e, const struct election_event *ev, int64_t now, struct election_out *out)
{
	switch (ev->type) {
	case ELECTION_START:
		start(e, &ev->start, now, out);
		break;
	case ELECTION_TRACKED:
		tracked(e, &ev->tracked, now, out);
		break;
	case ELECTION_CONFLICT:
		conflict(e, now, out);
		break;
	case ELECTION_VIP_GONE:
		if (e->role == ROLE_ACTIVE)
			out->todo |= ELECTION_DO_REFRESH | ELECTION_DO_ANNOUNCE;
		break;
	case ELECTION_VIP_FAILED:
		vip_failed(e, now, out);
		break;
	case ELECTION_FAILOVER:
		vrrp_election_failover(e, ev, now, out);
		break;
	case ELECTION_STANDBY:
		vrrp_election_stand_by(e, ev, now, out);
		break;
	case ELECTION_STOP:
		stop(e, out);
		break;
	case ELECTION_TIMER:
	case ELECTION_STALLED: /* dealt with before */
	case ELECTION_CONNECTIONS: /* VRRP has no word for what is left */
		break;
	case ELECTION_HEARTBEAT:
	case ELECTION_PROBED:
	case ELECTION_WITNESS:
		CHECK_NEVER();
	}
}

/* --- what follows --- */

/* Others may have claimed meanwhile, or it was the machine that slept. */
static void
wake(struct vrrp_election *e, int64_t now, struct election_out *out)
{
	if (e->role == ROLE_ACTIVE) {
		let_go_and_say_so(e, CAUSE_STALL, now, out);
	} else if (e->role == ROLE_BACKUP) {
		arm(e, CAUSE_VACANT, vrrp_election_down_ns(e), now);
	}
}

static bool
stalled(const struct vrrp_election *e, int64_t now)
{
	return e->role == ROLE_ACTIVE && now - e->stepped_ns > vrrp_election_dead_ns(e);
}

/* 6.4.1: the owner claims at once, everybody else listens first. */
static void
take_part(struct vrrp_election *e, enum cause cause, int64_t now, struct election_out *out)
{
	if (e->holding || vrrp_election_rank(e) == VRRP_OWNER) {
		become_active(e, e->holding ? CAUSE_ADOPTED : CAUSE_VACANT, now, out);
		return;
	}
	e->active_interval_ns = e->config.interval_ns;
	change_role(e, ROLE_BACKUP, cause, now, out);
	arm(e, CAUSE_VACANT, vrrp_election_down_ns(e), now);
}

static enum cause
rest_cause(const struct vrrp_election *e, enum role rest, int64_t now)
{
	if (rest == ROLE_INITIALIZE)
		return CAUSE_STOP;
	if (rest == ROLE_STANDBY || e->role == ROLE_STANDBY)
		return CAUSE_STANDBY;
	if (rest == ROLE_FAULT)
		return vrrp_election_unfit_why(e, now);
	return e->role == ROLE_FAULT ? CAUSE_ELIGIBLE : CAUSE_START;
}

/* Backup, Fault and Standby follow from what is known. */
static void
settle(struct vrrp_election *e, int64_t now, struct election_out *out)
{
	enum role rest = vrrp_election_rest(e, now);

	if (e->role == ROLE_INITIALIZE && !e->tracked && rest != ROLE_STANDBY)
		return;
	if (rest == ROLE_BACKUP && e->role != ROLE_BACKUP) {
		take_part(e, rest_cause(e, rest, now), now, out);
		return;
	}
	if (e->holding)
		release(e, out);
	if (rest != e->role)
		change_role(e, rest, rest_cause(e, rest, now), now, out);
}

static void
backup_decide(struct vrrp_election *e, int64_t now, struct election_out *out)
{
	if (now < e->down_ns)
		return;
	if (e->unread) {
		become_active(e, e->claim, now, out);
		return;
	}
	e->unread = true;
	e->down_ns = now + READ_FIRST_NS;
}

/* The other Active is silent: it may have had the last word with the neighbours. */
static void
dual_settle(struct vrrp_election *e, int64_t now, struct election_out *out)
{
	if (!e->dual_since_ns || now - e->peer.heard_ns < vrrp_election_dead_ns(e))
		return;
	dual_end(e, e->peer.heard_ns);
	out->todo |= ELECTION_DO_ANNOUNCE;
}

static void
active_decide(struct vrrp_election *e, int64_t now, struct election_out *out)
{
	dual_settle(e, now, out);
	if (e->tracked && !e->track.eligible && e->track.why == CAUSE_LINK_DOWN) {
		let_go_and_say_so(e, CAUSE_LINK_DOWN, now, out);
		return;
	}
	if (e->stopping && (!e->yield.on || e->yield.cause != CAUSE_STOP))
		vrrp_election_begin_yield(e, CAUSE_STOP, now, out);
	if (e->yield.on && now >= e->yield.until_ns)
		vrrp_election_yield_failed(e, now, out);
	if (e->role == ROLE_ACTIVE && now >= e->send_ns)
		send(e, now, out);
}

static int64_t
next_step(const struct vrrp_election *e, int64_t now)
{
	int64_t at = now + STEP_AT_LEAST_NS;

	if (e->role == ROLE_ACTIVE && e->send_ns < at)
		at = e->send_ns;
	if (e->role == ROLE_ACTIVE && e->yield.on && e->yield.until_ns < at)
		at = e->yield.until_ns;
	if (e->role == ROLE_BACKUP && e->down_ns < at)
		at = e->down_ns;
	if (e->role == ROLE_FAULT && e->broken_until_ns > now && e->broken_until_ns < at)
		at = e->broken_until_ns;
	return at;
}

static void
decide(struct vrrp_election *e, int64_t now, struct election_out *out)
{
	if (e->role != ROLE_ACTIVE)
		settle(e, now, out);
	if (e->role == ROLE_BACKUP)
		backup_decide(e, now, out);
	if (e->role == ROLE_ACTIVE)
		active_decide(e, now, out);
	if (e->stopping && e->role != ROLE_ACTIVE) {
		e->stopped = true;
		out->todo |= ELECTION_DO_STOPPED;
	}
	e->alarms = vrrp_election_alarms(e, now);
	if (!e->stopped)
		out->timer_ns = next_step(e, now);
}

struct election_out
vrrp_election_step(struct vrrp_election *e, const struct election_event *ev, int64_t now)
{
	struct election_out out = { .timer_ns = INT64_MAX };

	CHECK(e->started || ev->type == ELECTION_START);
	if (e->stopped)
		return out;
	if (ev->type == ELECTION_STALLED || stalled(e, now))
		wake(e, now, &out);
	e->stepped_ns = now;
	take_in(e, ev, now, &out);
	decide(e, now, &out);
	return out;
}

struct election_out
vrrp_election_hear(struct vrrp_election *e, const struct vrrp_heard *h, int64_t now)
{
	struct election_out out = { .timer_ns = INT64_MAX };

	CHECK(e->started && h->interval_ns > 0);
	if (e->stopped)
		return out;
	if (stalled(e, now))
		wake(e, now, &out);
	e->stepped_ns = now;
	hear(e, h, now, &out);
	decide(e, now, &out);
	return out;
}

/* judge.c - the rules of judge.h, held against what the world really did. */
#include "tests/simulation/judge.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CAUSE_BIT(cause) (UINT64_C(1) << (cause))

/* Causes that need no fault and no command. */
static const uint64_t always = CAUSE_BIT(CAUSE_LISTENED) | CAUSE_BIT(CAUSE_ELIGIBLE) |
    CAUSE_BIT(CAUSE_PREEMPT) | CAUSE_BIT(CAUSE_PREFER) | CAUSE_BIT(CAUSE_VACANT) |
    CAUSE_BIT(CAUSE_INELIGIBLE) | CAUSE_BIT(CAUSE_DUAL_ACTIVE) | CAUSE_BIT(CAUSE_PEER_SILENT) |
    CAUSE_BIT(CAUSE_NO_SERVICE);

#define CUT_OFF (CAUSE_BIT(CAUSE_UNHEARD) | CAUSE_BIT(CAUSE_CONFLICT) | CAUSE_BIT(CAUSE_NO_VOTE))

static const uint64_t reasons[FAULT_TYPES] = {
	[FAULT_CUT] = CUT_OFF,
	[FAULT_LAN] = CUT_OFF,
	[FAULT_LOSSY] = CUT_OFF,
	[FAULT_SLOW] = CUT_OFF,
	[FAULT_PARTITION] = CUT_OFF,
	[FAULT_KILL] =
	    CAUSE_BIT(CAUSE_ADOPTED) | CAUSE_BIT(CAUSE_CONFLICT) | CAUSE_BIT(CAUSE_NO_VOTE),
	[FAULT_FREEZE] =
	    CAUSE_BIT(CAUSE_STALL) | CAUSE_BIT(CAUSE_CONFLICT) | CAUSE_BIT(CAUSE_NO_VOTE),
	[FAULT_PAUSE] = CAUSE_BIT(CAUSE_STALL) | CUT_OFF,
	[FAULT_POWER] = CAUSE_BIT(CAUSE_NO_VOTE),
	[FAULT_LINK] = CAUSE_BIT(CAUSE_LINK_DOWN) | CAUSE_BIT(CAUSE_ISOLATED) | CUT_OFF,
	[FAULT_GATEWAY] = CAUSE_BIT(CAUSE_GATEWAYS_LOST) | CAUSE_BIT(CAUSE_ISOLATED),
	[FAULT_LBD] = CAUSE_BIT(CAUSE_LBD_DOWN),
	[FAULT_LBD_FLAPS] = CAUSE_BIT(CAUSE_LBD_DOWN),
	[FAULT_SERVERS] = CAUSE_BIT(CAUSE_NO_SERVERS),
	[FAULT_LATE] = CAUSE_BIT(CAUSE_STALL) | CAUSE_BIT(CAUSE_NO_VOTE),
	[FAULT_FAILOVER] = CAUSE_BIT(CAUSE_OPERATOR),
	[FAULT_STANDBY] = CAUSE_BIT(CAUSE_STANDBY),
	[FAULT_STOP] =
	    CAUSE_BIT(CAUSE_STOP) | CAUSE_BIT(CAUSE_PEER_STOPPED) | CAUSE_BIT(CAUSE_NO_VOTE),
	[FAULT_WITNESS] = CAUSE_BIT(CAUSE_NO_VOTE),
	[FAULT_WITNESS_RESTARTS] = CAUSE_BIT(CAUSE_NO_VOTE),
	[FAULT_WITNESS_CUT] = CAUSE_BIT(CAUSE_NO_VOTE),
};

void
judge_wrong(struct world *w, const char *format, ...)
{
	struct judge *j = w->judge;
	va_list args;

	if (j->verdict[0])
		return;
	va_start(args, format);
	vsnprintf(j->verdict, sizeof(j->verdict), format, args);
	va_end(args);
	world_say(w, "WRONG: %s", j->verdict);
}

int64_t
judge_dead_ns(const struct world *w)
{
	return w->nodes[0].config.interval_ns * w->nodes[0].config.dead_after;
}

int64_t
judge_delay_ns(const struct world *w)
{
	int64_t a = w->wires[0][0].delay_ns, b = w->wires[1][0].delay_ns;

	return a > b ? a : b;
}

int64_t
judge_slack_ns(const struct world *w, int64_t ns)
{
	int64_t late =
	    w->nodes[0].late_ns > w->nodes[1].late_ns ? w->nodes[0].late_ns : w->nodes[1].late_ns;

	return ns / 20 + 2 * late;
}

void
judge_init(struct judge *j, struct judge_totals *totals)
{
	memset(j, 0, sizeof(*j));
	j->totals = totals;
	j->real = always;
	totals->schedules++;
}

void
judge_fault(struct world *w, enum fault_type type, unsigned n)
{
	struct judge *j = w->judge;

	j->real |= reasons[type];
	j->faults++;
	j->hit_ns[n] = w->now_ns;
}

void
judge_started(struct world *w, unsigned n)
{
	w->judge->term[n] = 0;
	w->judge->heard_ns[n] = 0;
	w->judge->commands[n] = 0;
	w->judge->unlucky[n] = 0;
	w->judge->started_ns[n] = w->now_ns;
	w->judge->held[n] = world_holds(w, n);
}

void
judge_woke(struct world *w, unsigned n, int64_t stood_ns)
{
	const struct election *e = &w->nodes[n].election;
	int64_t dead = judge_dead_ns(w);

	if (w->judge->lingers_ns[n])
		w->judge->lingers_ns[n] = w->now_ns;
	if (stood_ns <= dead + judge_slack_ns(w, dead))
		return;
	if (e->role == ROLE_ACTIVE || world_lingers(w, n))
		judge_wrong(w, "node %u stood for %d ms and still %s", n,
		    (int)(stood_ns / NS_PER_MS), e->role == ROLE_ACTIVE ? "is Active" : "lingers");
}

void
judge_died(struct world *w, unsigned n)
{
	w->judge->hit_ns[n] = w->now_ns;
	w->judge->commands[n] = 0;
}

void
judge_probed(struct world *w, unsigned n, bool lost)
{
	w->judge->unlucky[n] = lost ? w->judge->unlucky[n] + 1 : 0;
}

void
judge_command(struct world *w, unsigned n)
{
	if (w->nodes[n].process != PROCESS_RUNNING)
		return;
	w->judge->commands[n]++;
	w->judge->command_ns[n] = w->now_ns;
	w->judge->totals->commands++;
}

/* Rule 2. */
static void
check_claim_in_silence(struct world *w, unsigned n, enum cause cause)
{
	struct judge *j = w->judge;
	const struct node *node = &w->nodes[n];
	int64_t dead = judge_dead_ns(w), sees = j->sees_since_ns[n], heard = j->heard_ns[n];

	if (cause != CAUSE_PEER_SILENT && cause != CAUSE_NO_SERVICE)
		return;
	if (cause == CAUSE_NO_SERVICE)
		dead *= 2;
	if (heard && w->now_ns - heard < dead * 9 / 10)
		judge_wrong(w, "node %u claims: %s, but heard its peer %d ms ago", n,
		    cause_name(cause), (int)((w->now_ns - heard) / NS_PER_MS));
	dead = judge_dead_ns(w);
	if (!node->config.probe || !sees || j->unlucky[n] >= 2)
		return;
	if (w->now_ns - sees > dead / 2 + judge_slack_ns(w, dead))
		judge_wrong(w, "node %u claims: %s, but has seen the address serve for %d ms", n,
		    cause_name(cause), (int)((w->now_ns - sees) / NS_PER_MS));
}

/*
 * Nobody was Active: true, or not known yet.  A machine whose clock stood still has to believe old
 * heartbeats if it had asked its peer or the address just before, or cannot ask the address.
 */
static void
check_vacancy(struct world *w, unsigned n, enum cause cause, unsigned silent)
{
	const struct node *other = &w->nodes[!n];

	if (cause != CAUSE_VACANT && cause != CAUSE_PEER_STOPPED)
		return;
	if (other->process != PROCESS_RUNNING || other->election.role != ROLE_ACTIVE)
		return;
	if ((!other->config.probe || silent >= 2 || w->nodes[n].paused_asking) &&
	    w->now_ns - w->judge->hit_ns[n] < NS_PER_S)
		return;
	if (w->now_ns - w->judge->became_ns[!n] > 2 * judge_dead_ns(w) + judge_delay_ns(w))
		judge_wrong(w, "node %u claims: %s, but the other has long been Active", n,
		    cause_name(cause));
}

static bool
is_agreed(enum cause cause)
{
	static const uint64_t agreed = CAUSE_BIT(CAUSE_OPERATOR) | CAUSE_BIT(CAUSE_STANDBY) |
	    CAUSE_BIT(CAUSE_STOP) | CAUSE_BIT(CAUSE_PREEMPT) | CAUSE_BIT(CAUSE_PREFER) |
	    CAUSE_BIT(CAUSE_NO_SERVERS) | CAUSE_BIT(CAUSE_SCRIPT_FAILED) |
	    CAUSE_BIT(CAUSE_GATEWAYS_LOST);

	return agreed & CAUSE_BIT(cause);
}

static void
check_claim(struct world *w, unsigned n, enum cause cause, struct judge_was was)
{
	const struct election *e = &w->nodes[n].election;
	struct judge *j = w->judge;

	j->moves++;
	j->became_ns[n] = w->now_ns;
	if (is_agreed(cause))
		j->took_ns[n] = w->now_ns;
	j->last_claim = cause;
	j->totals->claims[cause]++;
	if (cause == CAUSE_ADOPTED)
		return;
	if (e->term <= was.term)
		judge_wrong(w, "node %u claims without a higher term", n);
	check_claim_in_silence(w, n, cause);
	check_vacancy(w, n, cause, was.silent);
	if (cause == CAUSE_PREEMPT && !e->config.preempt && !e->config.witness)
		judge_wrong(w, "node %u preempts, but may not", n);
	if (cause == CAUSE_PREFER && e->config.prefer != PREFER_SELF)
		judge_wrong(w, "node %u is not preferred", n);
	if (!w->nodes[n].tracks || !e->track.eligible || e->standby || e->stopping)
		judge_wrong(w, "node %u claims, but may not", n);
}

/* Rule 5: what the claimer was told is not long past. */
static void
check_take(struct world *w, unsigned n, enum cause cause, const struct election_event *ev)
{
	const struct judge *j = w->judge;
	int64_t ago = w->now_ns - j->asked_ns[!n];

	if (ev->type != ELECTION_HEARTBEAT || ev->heartbeat.content.message != MESSAGE_TAKE ||
	    cause != ev->heartbeat.content.message_cause)
		return;
	if (ago > judge_delay_ns(w) + 100 * NS_PER_MS && !w->nodes[n].paused_asking)
		judge_wrong(
		    w, "node %u takes what it was offered %d ms ago", n, (int)(ago / NS_PER_MS));
}

/* An address without heartbeats is the peer's only if the peer has run since we claimed. */
static void
check_conflict(struct world *w, unsigned n, int64_t active_since)
{
	const struct judge *j = w->judge;
	int64_t lease = w->nodes[n].config.lease_ns;

	if (!lease || !j->halted_ns[!n] || w->now_ns - w->nodes[!n].resumed_ns < 3 * lease / 2)
		return;
	if (j->halted_ns[!n] < active_since && w->nodes[n].election.track.eligible)
		judge_wrong(w, "node %u yields to what is left of its peer", n);
}

/* Heard, or listened for long enough: one dead interval if it was about to adopt. */
static void
check_listened(struct world *w, unsigned n)
{
	int64_t since = w->now_ns - w->judge->started_ns[n], dead = judge_dead_ns(w);

	if (w->judge->held[n])
		dead /= 3;
	if (!w->nodes[n].election.peer.known && since < 3 * dead - judge_slack_ns(w, 3 * dead))
		judge_wrong(w, "node %u listened for %d ms", n, (int)(since / NS_PER_MS));
}

bool
judge_other_holds(const struct world *w, unsigned n)
{
	const struct judge *j = w->judge;
	int64_t hit = j->hit_ns[0] > j->hit_ns[1] ? j->hit_ns[0] : j->hit_ns[1];

	return world_holds(w, !n) || w->now_ns - j->left_ns[!n] <= judge_delay_ns(w) + NS_PER_MS ||
	    w->now_ns - hit <= 3 * NS_PER_S / 2 + judge_delay_ns(w);
}

/* Rule 5: a release upon hearing that the other one has it. */
static void
check_release(struct world *w, unsigned n, const struct election_event *ev)
{
	if (ev->type != ELECTION_HEARTBEAT || ev->heartbeat.content.role != ROLE_ACTIVE)
		return;
	if (!judge_other_holds(w, n))
		judge_wrong(w, "node %u releases, but the other does not hold", n);
}

static void
check_transitions(struct world *w, unsigned n, struct judge_was was,
    const struct election_event *ev, const struct election_out *out)
{
	struct judge *j = w->judge;
	unsigned i;

	for (i = 0; i < out->n_transitions; i++) {
		const struct election_transition *t = &out->transitions[i];

		j->changed_ns = w->now_ns;
		j->totals->changes[t->cause]++;
		if (!(j->real & CAUSE_BIT(t->cause)))
			judge_wrong(w, "node %u: no reason for %s", n, cause_name(t->cause));
		if (t->from == t->to)
			judge_wrong(w, "node %u: no change: %s", n, cause_name(t->cause));
		if (t->cause == CAUSE_LISTENED && t->to != ROLE_STANDBY)
			check_listened(w, n);
		if (t->cause == CAUSE_CONFLICT)
			check_conflict(w, n, j->became_ns[n]);
		if (t->to == ROLE_ACTIVE)
			check_take(w, n, t->cause, ev);
		if (t->to == ROLE_ACTIVE && t->cause != CAUSE_ADOPTED)
			j->agreed = ev->type == ELECTION_HEARTBEAT &&
			    ev->heartbeat.content.message == MESSAGE_TAKE;
		if (t->to == ROLE_ACTIVE)
			check_claim(w, n, t->cause, was);
		if (t->from == ROLE_ACTIVE)
			j->left_ns[n] = w->now_ns;
		if (t->from == ROLE_ACTIVE)
			check_release(w, n, ev);
	}
}

/* Rule 3. */
static void
check_told(struct world *w, unsigned n, struct judge_was was, const struct election_event *ev)
{
	const struct heartbeat *h = &ev->heartbeat.content;
	const struct election *e = &w->nodes[n].election;

	if (ev->type != ELECTION_HEARTBEAT || was.role != ROLE_ACTIVE || h->role != ROLE_ACTIVE)
		return;
	if (h->eligible && h->term > was.term && e->role == ROLE_ACTIVE &&
	    e->peer.last.sequence == h->sequence && e->peer.last.session == h->session)
		judge_wrong(w, "node %u stays Active with term %llu beside %llu", n,
		    (unsigned long long)was.term, (unsigned long long)h->term);
}

/* Rule 12: a drain ends in its time, not before its connections have, unless by a claim or a stall. */
static void
check_drained(struct world *w, unsigned n, struct judge_was was, const struct election_event *ev,
    const struct election_out *out)
{
	const struct election *e = &w->nodes[n].election;
	int64_t now = world_local(w, n), lasted = now - e->drain.since_ns;

	if (!was.drains && election_drains(e))
		w->judge->totals->drains++;
	if (!was.drains || election_drains(e) || !(out->todo & ELECTION_DO_RELEASE))
		return;
	if (!e->connections && e->counted)
		w->judge->totals->emptied++;
	else if (lasted < e->config.drain_ns && ev->type != ELECTION_STALLED &&
	    now - was.stepped_ns < judge_dead_ns(w) / 2)
		judge_wrong(w, "node %u releases with %u connections left", n, e->connections);
}

void
judge_step(struct world *w, unsigned n, struct judge_was was, const struct election_event *ev,
    const struct election_out *out)
{
	const struct election *e = &w->nodes[n].election;
	struct judge *j = w->judge;

	check_drained(w, n, was, ev, out);
	check_transitions(w, n, was, ev, out);
	check_told(w, n, was, ev);
	if (e->term < j->term[n])
		judge_wrong(w, "node %u: term fell to %llu", n, (unsigned long long)e->term);
	j->term[n] = e->term;
	if (e->peer.known && e->peer.last.session == was.session &&
	    e->peer.last.sequence < was.sequence)
		judge_wrong(w, "node %u goes back to an older heartbeat", n);
	if (e->holding != (e->role == ROLE_ACTIVE) && e->role != ROLE_INITIALIZE)
		judge_wrong(w, "node %u: %s, and holding %d", n, role_name(e->role), e->holding);
	if (!(out->todo & ELECTION_DO_STOPPED) && out->timer_ns <= world_local(w, n))
		judge_wrong(w, "node %u: timer in the past", n);
	if (e->handover.asked)
		j->asked_ns[n] = w->now_ns;
	if (out->answered && j->commands[n])
		j->commands[n]--;
	if (out->answered && out->refusal == REFUSAL_NONE)
		j->totals->commands_done++;
}

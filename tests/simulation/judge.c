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

static const uint64_t reasons[FAULT_TYPES] = {
	[FAULT_CUT] = CAUSE_BIT(CAUSE_UNHEARD) | CAUSE_BIT(CAUSE_CONFLICT),
	[FAULT_LAN] = CAUSE_BIT(CAUSE_UNHEARD) | CAUSE_BIT(CAUSE_CONFLICT),
	[FAULT_LOSSY] = CAUSE_BIT(CAUSE_UNHEARD) | CAUSE_BIT(CAUSE_CONFLICT),
	[FAULT_SLOW] = CAUSE_BIT(CAUSE_UNHEARD) | CAUSE_BIT(CAUSE_CONFLICT),
	[FAULT_KILL] = CAUSE_BIT(CAUSE_ADOPTED) | CAUSE_BIT(CAUSE_CONFLICT),
	[FAULT_FREEZE] = CAUSE_BIT(CAUSE_STALL) | CAUSE_BIT(CAUSE_CONFLICT),
	[FAULT_PAUSE] =
	    CAUSE_BIT(CAUSE_STALL) | CAUSE_BIT(CAUSE_CONFLICT) | CAUSE_BIT(CAUSE_UNHEARD),
	[FAULT_LINK] = CAUSE_BIT(CAUSE_LINK_DOWN) | CAUSE_BIT(CAUSE_ISOLATED) |
	    CAUSE_BIT(CAUSE_UNHEARD) | CAUSE_BIT(CAUSE_CONFLICT),
	[FAULT_GATEWAY] = CAUSE_BIT(CAUSE_GATEWAYS_LOST) | CAUSE_BIT(CAUSE_ISOLATED),
	[FAULT_LBD] = CAUSE_BIT(CAUSE_LBD_DOWN),
	[FAULT_LBD_FLAPS] = CAUSE_BIT(CAUSE_LBD_DOWN),
	[FAULT_SERVERS] = CAUSE_BIT(CAUSE_NO_SERVERS),
	[FAULT_LATE] = CAUSE_BIT(CAUSE_STALL),
	[FAULT_FAILOVER] = CAUSE_BIT(CAUSE_OPERATOR),
	[FAULT_STANDBY] = CAUSE_BIT(CAUSE_STANDBY),
	[FAULT_STOP] = CAUSE_BIT(CAUSE_STOP) | CAUSE_BIT(CAUSE_PEER_STOPPED),
};

__attribute__((format(printf, 2, 3))) static void
wrong(struct world *w, const char *format, ...)
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

static int64_t
dead_ns(const struct world *w)
{
	return w->nodes[0].config.interval_ns * w->nodes[0].config.dead_after;
}

static int64_t
delay_ns(const struct world *w)
{
	int64_t a = w->wires[0][0].delay_ns, b = w->wires[1][0].delay_ns;

	return a > b ? a : b;
}

/* Clocks run apart, timers fire late. */
static int64_t
slack_ns(const struct world *w, int64_t ns)
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
}

void
judge_died(struct world *w, unsigned n)
{
	w->judge->hit_ns[n] = w->now_ns;
	w->judge->commands[n] = 0;
}

void
judge_unlucky(struct world *w, unsigned n)
{
	w->judge->unlucky_ns[n] = w->now_ns;
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
	int64_t dead = dead_ns(w), sees = j->sees_since_ns[n], heard = j->heard_ns[n];

	if (cause != CAUSE_PEER_SILENT && cause != CAUSE_NO_SERVICE)
		return;
	if (heard && w->now_ns - heard < dead * 9 / 10)
		wrong(w, "node %u claims: %s, but heard its peer %d ms ago", n, cause_name(cause),
		    (int)((w->now_ns - heard) / NS_PER_MS));
	if (!node->config.probe || !sees || w->now_ns - j->unlucky_ns[n] < 2 * dead)
		return;
	if (w->now_ns - sees > dead / 2 + slack_ns(w, dead))
		wrong(w, "node %u claims: %s, but has seen the address serve for %d ms", n,
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
	if (w->now_ns - w->judge->became_ns[!n] > 2 * dead_ns(w) + delay_ns(w))
		wrong(w, "node %u claims: %s, but the other has long been Active", n,
		    cause_name(cause));
}

static void
check_claim(struct world *w, unsigned n, enum cause cause, struct judge_was was)
{
	const struct election *e = &w->nodes[n].election;
	struct judge *j = w->judge;

	j->moves++;
	j->became_ns[n] = w->now_ns;
	j->last_claim = cause;
	j->totals->claims[cause]++;
	if (cause == CAUSE_ADOPTED)
		return;
	if (e->term <= was.term)
		wrong(w, "node %u claims without a higher term", n);
	check_claim_in_silence(w, n, cause);
	check_vacancy(w, n, cause, was.silent);
	if (cause == CAUSE_PREEMPT && !e->config.preempt)
		wrong(w, "node %u preempts, but may not", n);
	if (cause == CAUSE_PREFER && e->config.prefer != PREFER_SELF)
		wrong(w, "node %u is not preferred", n);
	if (!w->nodes[n].tracks)
		wrong(w, "node %u claims before it knows that it is eligible", n);
}

/* Rule 5: a release upon hearing that the other one has it. */
static void
check_release(struct world *w, unsigned n, const struct election_event *ev)
{
	const struct judge *j = w->judge;
	int64_t hit = j->hit_ns[0] > j->hit_ns[1] ? j->hit_ns[0] : j->hit_ns[1];

	if (ev->type != ELECTION_HEARTBEAT || ev->heartbeat.content.role != ROLE_ACTIVE)
		return;
	if (!world_holds(w, !n) && w->now_ns - hit > 3 * NS_PER_S / 2 + delay_ns(w))
		wrong(w, "node %u releases, but the other does not hold", n);
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
			wrong(w, "node %u: no reason for %s", n, cause_name(t->cause));
		if (t->from == t->to)
			wrong(w, "node %u: no change: %s", n, cause_name(t->cause));
		if (t->to == ROLE_ACTIVE)
			check_claim(w, n, t->cause, was);
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
		wrong(w, "node %u stays Active with term %llu beside %llu", n,
		    (unsigned long long)was.term, (unsigned long long)h->term);
}

void
judge_step(struct world *w, unsigned n, struct judge_was was, const struct election_event *ev,
    const struct election_out *out)
{
	const struct election *e = &w->nodes[n].election;
	struct judge *j = w->judge;

	check_transitions(w, n, was, ev, out);
	check_told(w, n, was, ev);
	if (e->term < j->term[n])
		wrong(w, "node %u: term fell to %llu", n, (unsigned long long)e->term);
	j->term[n] = e->term;
	if (e->holding != (e->role == ROLE_ACTIVE) && e->role != ROLE_INITIALIZE)
		wrong(w, "node %u: %s, and holding %d", n, role_name(e->role), e->holding);
	if (!(out->todo & ELECTION_DO_STOPPED) && out->timer_ns <= world_local(w, n))
		wrong(w, "node %u: timer in the past", n);
	if (out->answered && j->commands[n])
		j->commands[n]--;
	if (out->answered && out->refusal == REFUSAL_NONE)
		j->totals->commands_done++;
}

/* Rule 1, while heartbeats arrive. */
void
judge_heard(struct world *w, unsigned n, const struct packet *p)
{
	struct judge *j = w->judge;
	int64_t gap = w->nodes[!n].config.interval_ns * 5 / 2 + delay_ns(w), told;

	j->heard_ns[n] = w->now_ns;
	if (!j->dual_ns || p->sent_ns < j->dual_ns)
		return;
	if (!j->told_from_ns || w->now_ns - j->told_ns > gap)
		j->told_from_ns = w->now_ns;
	j->told_ns = w->now_ns;
	told = w->now_ns - j->told_from_ns;
	if (told > j->totals->dual_told_ns[j->dual_cause])
		j->totals->dual_told_ns[j->dual_cause] = told;
	if (told > JUDGE_DUAL_DEADS * dead_ns(w) + delay_ns(w) + slack_ns(w, dead_ns(w)))
		wrong(
		    w, "both hold, %d ms after the first heartbeat since", (int)(told / NS_PER_MS));
}

/* Rule 1, while they see each other's address. */
static void
check_seen(struct world *w)
{
	struct judge *j = w->judge;
	bool seen = j->dual_ns && world_sees_address(w, 0) && world_sees_address(w, 1) &&
	    w->nodes[0].process == PROCESS_RUNNING && w->nodes[1].process == PROCESS_RUNNING &&
	    w->nodes[0].config.probe && !w->arp_loss && !w->wires[0][0].loss &&
	    !w->wires[1][0].loss &&
	    (w->nodes[0].config.lease_ns || j->dual_cause != CAUSE_NO_SERVICE);

	if (!seen)
		j->seen_from_ns = 0;
	else if (!j->seen_from_ns)
		j->seen_from_ns = w->now_ns;
	else if (w->now_ns - j->seen_from_ns >
	    JUDGE_SEEN_DEADS * dead_ns(w) + 2 * w->nodes[0].config.lease_ns + delay_ns(w))
		wrong(w, "both hold and see each other");
}

static void
watch_dual(struct world *w)
{
	struct judge *j = w->judge;
	bool dual = world_holds(w, 0) && world_holds(w, 1);
	int64_t took = w->now_ns - j->dual_ns;

	if (dual && !j->dual_ns) {
		j->dual_ns = w->now_ns;
		j->told_from_ns = j->told_ns = 0;
		j->dual_cause = j->last_claim;
		j->totals->dual[j->dual_cause]++;
		world_say(w, "  both hold");
	} else if (!dual && j->dual_ns) {
		if (took > j->totals->dual_max_ns[j->dual_cause])
			j->totals->dual_max_ns[j->dual_cause] = took;
		j->dual_ns = 0;
		world_say(w, "  one holds, after %d us", (int)(took / NS_PER_US));
	}
}

static void
watch_node(struct world *w, unsigned n)
{
	struct judge *j = w->judge;
	int64_t limit = w->nodes[n].config.handover_ns;

	if (!world_sees_service(w, n))
		j->sees_since_ns[n] = 0;
	else if (!j->sees_since_ns[n])
		j->sees_since_ns[n] = w->now_ns;
	if (w->nodes[n].process != PROCESS_RUNNING)
		j->command_ns[n] = w->now_ns;
	if (j->commands[n] &&
	    w->now_ns - j->command_ns[n] > limit + slack_ns(w, limit) + dead_ns(w))
		wrong(w, "node %u: a command was not answered", n);
}

void
judge_look(struct world *w)
{
	watch_dual(w);
	check_seen(w);
	watch_node(w, 0);
	watch_node(w, 1);
}

/* Rule 9: is the right one Active? */
static void
check_right_one(struct world *w, unsigned active)
{
	const struct election *a = &w->nodes[active].election, *b = &w->nodes[!active].election;
	bool may = (b->config.prefer == PREFER_SELF) ||
	    (b->config.prefer == PREFER_NONE && b->config.preempt &&
		b->track.priority > a->track.priority);

	if (may && !(b->alarms & ALARM_DAMPED))
		wrong(w, "in the end node %u is Active, the other should be", active);
}

static void
check_end_of(struct world *w, unsigned n)
{
	const struct election *e = &w->nodes[n].election;
	unsigned fine = ALARM_DAMPED | ALARM_CONFLICT;

	if (e->alarms & ~fine)
		wrong(w, "in the end node %u has alarms %#x", n, e->alarms);
	if (w->nodes[n].process != PROCESS_RUNNING)
		wrong(w, "in the end node %u does not run", n);
	if (e->role != ROLE_ACTIVE && e->role != ROLE_BACKUP)
		wrong(w, "in the end node %u is in %s", n, role_name(e->role));
	if (world_holds(w, n) != (e->role == ROLE_ACTIVE))
		wrong(w, "in the end node %u is in %s and %s", n, role_name(e->role),
		    world_holds(w, n) ? "holds" : "does not hold");
}

void
judge_end(struct world *w)
{
	const struct election *a = &w->nodes[0].election, *b = &w->nodes[1].election;
	struct judge *j = w->judge;
	int64_t settled = j->changed_ns - w->heal_ns;

	check_end_of(w, 0);
	check_end_of(w, 1);
	if ((a->role == ROLE_ACTIVE) == (b->role == ROLE_ACTIVE))
		wrong(w, "in the end %s are Active", a->role == ROLE_ACTIVE ? "both" : "none");
	if (a->term != b->term)
		wrong(w, "in the end terms differ");
	check_right_one(w, a->role != ROLE_ACTIVE);
	if (settled > JUDGE_SETTLE_NS)
		wrong(w, "roles changed %d ms after all was well", (int)(settled / NS_PER_MS));
	if (j->moves > JUDGE_MOVES_FREE + JUDGE_MOVES_PER_FAULT * j->faults)
		wrong(w, "%u moves for %u faults", j->moves, j->faults);
	if (settled > j->totals->settle_max_ns)
		j->totals->settle_max_ns = settled;
	if (j->moves > j->totals->moves_max)
		j->totals->moves_max = j->moves;
	j->totals->steps += w->steps;
}

/* judge_watch.c - what may not last, and how it must end. */
#include "tests/simulation/judge.h"

/* Rule 1, while heartbeats arrive. */
void
judge_heard(struct world *w, unsigned n, const struct packet *p)
{
	struct judge *j = w->judge;
	int64_t gap = w->nodes[!n].config.interval_ns * 5 / 2 + judge_delay_ns(w), told;

	j->heard_ns[n] = w->now_ns;
	if (!j->dual_ns || p->sent_ns < j->dual_ns)
		return;
	if (!j->told_from_ns || w->now_ns - j->told_ns > gap)
		j->told_from_ns = w->now_ns;
	j->told_ns = w->now_ns;
	told = w->now_ns - j->told_from_ns;
	if (told > j->totals->dual_told_ns[j->dual_cause])
		j->totals->dual_told_ns[j->dual_cause] = told;
	if (told > JUDGE_DUAL_DEADS * judge_dead_ns(w) + judge_delay_ns(w) +
		judge_slack_ns(w, judge_dead_ns(w)))
		judge_wrong(
		    w, "both hold, %d ms after the first heartbeat since", (int)(told / NS_PER_MS));
}

/* Without leases an address may be all that is left of a peer that was not heard since the claim. */
static bool
heard_since_claim(const struct world *w)
{
	const struct election *a = &w->nodes[0].election;

	return a->peer.any_ns >= a->since_ns;
}

/* Rule 1, while they see each other's address. */
static void
check_seen(struct world *w)
{
	struct judge *j = w->judge;
	int64_t later = j->became_ns[0] > j->became_ns[1] ? j->became_ns[0] : j->became_ns[1];
	bool seen = j->dual_ns && world_sees_address(w, 0) && world_sees_address(w, 1) &&
	    w->nodes[0].process == PROCESS_RUNNING && w->nodes[1].process == PROCESS_RUNNING &&
	    w->nodes[0].config.probe && !w->arp_loss && !w->wires[0][0].loss &&
	    !w->wires[1][0].loss && (w->nodes[0].config.lease_ns || heard_since_claim(w));

	for (unsigned n = 0; n < NODES; n++) /* its clock may have stood still */
		if (later < w->nodes[n].resumed_ns)
			later = w->nodes[n].resumed_ns;
	if (!seen)
		j->seen_from_ns = 0;
	else if (!j->seen_from_ns || j->seen_from_ns < later + 3 * w->nodes[0].config.lease_ns / 2)
		j->seen_from_ns = w->now_ns;
	else if (w->now_ns - j->seen_from_ns >
	    JUDGE_SEEN_DEADS * judge_dead_ns(w) + judge_delay_ns(w) + judge_slack_ns(w, NS_PER_S))
		judge_wrong(w, "both hold and see each other");
}

static bool
stopped_clock(const struct world *w)
{
	int64_t long_ago = 3 * witness_lease_ns(w->nodes[0].config.lease_ns);
	unsigned n;

	for (n = 0; n < NODES; n++)
		if (w->nodes[n].resumed_ns && w->now_ns - w->nodes[n].resumed_ns < long_ago)
			return true;
	return false;
}

/* It had handed over, held on for what was left, and died: its kernel ends that. */
static bool
was_left_behind(struct world *w)
{
	bool left = false;
	unsigned n;

	for (n = 0; n < NODES; n++) {
		const struct node *node = &w->nodes[n];
		int64_t *until = &w->judge->left_until_ns[n];

		if (node->process == PROCESS_RUNNING && node->election.role != ROLE_INITIALIZE)
			*until = 0;
		else if (node->process != PROCESS_RUNNING && !w->judge->halted_ns[n])
			*until = node->election.role == ROLE_ACTIVE
			    ? 0
			    : w->now_ns + node->config.lease_ns * 17 / 16;
		left |= w->now_ns < *until;
	}
	return left;
}

/* Rule 13. */
static void
check_dual_with_witness(struct world *w)
{
	struct judge *j = w->judge;
	int64_t dead = judge_dead_ns(w), delay = judge_delay_ns(w), limit;
	unsigned n;

	if (!j->dual_ns || delay > j->dual_delay_ns)
		j->dual_delay_ns = delay;
	limit = dead + j->dual_delay_ns + judge_slack_ns(w, dead);
	if (was_left_behind(w) || !w->nodes[0].config.witness || !j->dual_ns || stopped_clock(w))
		return;
	for (n = 0; n < NODES; n++) /* its kernel ends the lease */
		if (j->halted_ns[n] || w->now_ns - j->started_ns[n] < 2 * NS_PER_S)
			limit = 2 * dead + w->nodes[n].config.lease_ns * 17 / 16;
	if (!j->agreed)
		judge_wrong(w, "both hold in spite of the witness");
	else if (w->now_ns - j->dual_ns > limit)
		judge_wrong(w, "both hold for %d ms after a planned move",
		    (int)((w->now_ns - j->dual_ns) / NS_PER_MS));
}

static void
watch_dual(struct world *w)
{
	struct judge *j = w->judge;
	bool dual =
	    world_holds(w, 0) && world_holds(w, 1) && !world_lingers(w, 0) && !world_lingers(w, 1);
	int64_t took = w->now_ns - j->dual_ns;

	if (dual && !j->dual_ns) {
		j->dual_ns = w->now_ns;
		j->told_from_ns = j->told_ns = 0;
		j->dual_cause = j->last_claim;
		j->totals->dual[j->dual_cause]++;
		if (j->dual_cause == CAUSE_VACANT && w->now_ns - j->hit_ns[0] > 2 * NS_PER_S &&
		    w->now_ns - j->hit_ns[1] > 2 * NS_PER_S && !w->wires[0][0].loss &&
		    judge_delay_ns(w) < 10 * NS_PER_MS)
			judge_wrong(w, "both thought themselves the better one");
		world_say(w, "  both hold");
	} else if (!dual && j->dual_ns) {
		if (took > j->totals->dual_max_ns[j->dual_cause])
			j->totals->dual_max_ns[j->dual_cause] = took;
		j->dual_ns = 0;
		world_say(w, "  one holds, after %d us", (int)(took / NS_PER_US));
	}
}

/* A machine whose clock stood still knows nothing of its last pause. */
static int64_t
lived_ns(const struct world *w, int64_t since)
{
	int64_t pause = 0;
	unsigned n;

	for (n = 0; n < NODES; n++) {
		const struct node *node = &w->nodes[n];

		if (since < node->resumed_ns && node->resumed_ns - node->paused_ns > pause)
			pause = node->resumed_ns - node->paused_ns;
	}
	return w->now_ns - since - pause;
}

/* Rule 12: agreed, and not long ago. */
static void
linger_begins(struct world *w, unsigned n)
{
	struct judge *j = w->judge;
	int64_t dead = judge_dead_ns(w), now = w->now_ns;
	int64_t told = 2 * dead + judge_delay_ns(w) + judge_slack_ns(w, 2 * dead);

	j->totals->lingers++;
	j->lingers_ns[n] = now;
	j->linger_limit_ns[n] = 0;
	if (lived_ns(w, j->took_ns[!n]) > told && lived_ns(w, j->asked_ns[n]) > 100 * NS_PER_MS)
		judge_wrong(w, "node %u lingers, and nothing was agreed", n);
	if (!judge_other_holds(w, n))
		judge_wrong(w, "node %u lingers, but the other does not hold", n);
	if (!w->nodes[n].election.track.lbd_ready)
		judge_wrong(w, "node %u lingers without lbd", n);
}

/* Rule 12, once it has begun. */
static void
check_linger(struct world *w, unsigned n)
{
	struct judge *j = w->judge;
	const struct node *node = &w->nodes[n];
	int64_t limit = node->stay_ns + judge_slack_ns(w, node->stay_ns);

	if (!node->lingers) {
		j->lingers_ns[n] = 0;
		return;
	}
	if (!j->lingers_ns[n])
		linger_begins(w, n);
	if (j->linger_limit_ns[n] < limit)
		j->linger_limit_ns[n] = limit;
	if (node->election.role == ROLE_ACTIVE)
		judge_wrong(w, "node %u is Active and lingers", n);
	if (world_lingers(w, !n))
		judge_wrong(w, "both linger");
	if (node->process == PROCESS_RUNNING &&
	    w->now_ns - j->lingers_ns[n] > j->linger_limit_ns[n])
		judge_wrong(w, "node %u lingers for %d ms", n,
		    (int)((w->now_ns - j->lingers_ns[n]) / NS_PER_MS));
}

static bool
overlaps(const struct world *w, unsigned n)
{
	return world_lingers(w, n) && w->nodes[n].process == PROCESS_RUNNING && world_holds(w, !n);
}

/* How long a planned move has two holders. */
static void
watch_overlap(struct world *w)
{
	struct judge *j = w->judge;

	if (!overlaps(w, 0) && !overlaps(w, 1))
		j->overlap_ns = 0;
	else if (!j->overlap_ns)
		j->overlap_ns = w->now_ns;
	else if (w->now_ns - j->overlap_ns > j->totals->linger_max_ns)
		j->totals->linger_max_ns = w->now_ns - j->overlap_ns;
}

static bool
fit(const struct node *node)
{
	return node->process == PROCESS_RUNNING && node->tracks && node->lbd_up && node->carrier &&
	    node->gateways && !node->election.standby && !node->election.stopping;
}

static bool
is_clear(const struct world *w)
{
	return !w->wires[0][0].loss && !w->wires[1][0].loss && judge_delay_ns(w) < 10 * NS_PER_MS;
}

/* The node could have the vote of the witness if the other one has not. */
static bool
witness_kept(const struct world *w, unsigned n)
{
	int64_t quiet = w->third.terms.quiet_until_ns;

	return w->third.up && w->now_ns + w->now_ns / 1000000 * w->third.ppm > quiet &&
	    !w->third.cut[n] && w->nodes[n].carrier && is_clear(w);
}

/* Rule 15. */
static bool
hear_each_other(const struct world *w)
{
	unsigned n;

	for (n = 0; n < NODES; n++)
		if (w->nodes[n].process != PROCESS_RUNNING || w->wires[n][0].cut ||
		    !w->nodes[n].carrier || w->nodes[n].late_ns > judge_dead_ns(w) / 4)
			return false;
	return w->lan && is_clear(w);
}

static void
check_steering(struct world *w, unsigned n)
{
	struct judge *j = w->judge;
	const struct election *e = &w->nodes[n].election, *peer = &w->nodes[!n].election;
	bool wanted = peer->role == ROLE_ACTIVE || election_drains(peer);
	bool lost;

	if (w->nodes[n].process != PROCESS_RUNNING)
		return;
	if (election_steers(e) && (e->role != ROLE_ACTIVE || election_drains(e)))
		judge_wrong(w, "node %u steers, and is not Active", n);
	lost = hear_each_other(w) && e->role == ROLE_ACTIVE &&
	    (election_steers(e) ? !wanted : election_drains(peer));
	if (!lost)
		j->lost_ns[n] = 0;
	else if (!j->lost_ns[n])
		j->lost_ns[n] = w->now_ns;
	else if (w->now_ns - j->lost_ns[n] > 2 * judge_dead_ns(w) + judge_delay_ns(w))
		judge_wrong(w, "node %u %s", n,
		    election_steers(e) ? "steers to nobody" : "does not steer to who drains");
}

static bool
path_open(const struct world *w, unsigned from, unsigned path)
{
	if (path == 0 && !w->lan)
		return false;
	return !w->wires[from][path].cut;
}

static bool
parted(const struct world *w)
{
	unsigned n, path;

	for (n = 0; n < NODES; n++)
		for (path = 0; path < w->nodes[n].config.paths; path++)
			if (path_open(w, n, path))
				return false;
	return true;
}

/* Rule 14. */
static void
check_kept(struct world *w, unsigned n)
{
	struct judge *j = w->judge;
	const struct node *node = &w->nodes[n];
	int64_t lease = witness_lease_ns(node->config.lease_ns);
	bool kept = node->config.witness && fit(node) && witness_kept(w, n) && parted(w) &&
	    (w->third.cut[!n] || !w->nodes[!n].powered) && !world_sees_service(w, n) &&
	    w->now_ns - node->started_ns > 2 * lease && !node->paused_ns &&
	    node->late_ns <= 3 * NS_PER_MS;

	if (!kept)
		j->kept_ns[n] = 0;
	else if (!j->kept_ns[n])
		j->kept_ns[n] = w->now_ns;
	if (kept && node->election.role != ROLE_ACTIVE && w->now_ns - j->kept_ns[n] > JUDGE_KEPT_NS)
		judge_wrong(w, "node %u keeps the witness and is not Active", n);
}

/* Rule 10. */
static void
check_lonely(struct world *w, unsigned n)
{
	struct judge *j = w->judge;
	const struct node *node = &w->nodes[n];
	int64_t dead = judge_dead_ns(w);
	bool lonely = node->election.role != ROLE_ACTIVE && fit(node) &&
	    (!node->config.witness || witness_kept(w, n)) && !world_sees_service(w, n) &&
	    node->late_ns < dead / 2 && w->nodes[!n].late_ns < dead / 2;
	int64_t from;

	if (w->nodes[!n].election.role == ROLE_ACTIVE && w->nodes[!n].process == PROCESS_RUNNING &&
	    w->now_ns - j->heard_ns[n] < 2 * dead)
		lonely = false;
	if (node->config.witness && w->nodes[!n].election.role == ROLE_ACTIVE && fit(&w->nodes[!n]))
		lonely = false; /* it may keep the witness, too */
	if (!lonely)
		j->lonely_ns[n] = 0;
	else if (!j->lonely_ns[n])
		j->lonely_ns[n] = w->now_ns;
	from = j->lonely_ns[n];
	if (node->config.witness)
		dead += witness_lease_ns(node->config.lease_ns) / 4;
	if (lonely &&
	    w->now_ns - from >
		JUDGE_TAKE_DEADS * dead + judge_delay_ns(w) + judge_slack_ns(w, 8 * dead))
		judge_wrong(w, "node %u is fit, nobody serves, and it is not Active", n);
}

/* Rule 11. */
static void
check_cut_off(struct world *w, unsigned n)
{
	struct judge *j = w->judge;
	const struct node *node = &w->nodes[n];
	int64_t dead = judge_dead_ns(w), from;
	bool off = node->process == PROCESS_RUNNING && node->tracks &&
	    (!node->carrier || !node->gateways) && node->late_ns < dead / 2;

	if (!off)
		j->cut_off_ns[n] = 0;
	else if (!j->cut_off_ns[n])
		j->cut_off_ns[n] = w->now_ns;
	from = j->cut_off_ns[n] > j->heard_ns[n] ? j->cut_off_ns[n] : j->heard_ns[n];
	if (off && node->election.role == ROLE_ACTIVE &&
	    w->now_ns - from > JUDGE_ISOLATED_DEADS * dead + judge_slack_ns(w, dead))
		judge_wrong(w, "node %u is cut off and still Active", n);
}

static void
watch_node(struct world *w, unsigned n)
{
	struct judge *j = w->judge;
	int64_t limit = w->nodes[n].config.handover_ns + w->nodes[n].config.drain_ns;

	check_linger(w, n);
	check_steering(w, n);
	check_lonely(w, n);
	check_cut_off(w, n);
	check_kept(w, n);
	if (w->nodes[n].process == PROCESS_RUNNING)
		j->halted_ns[n] = 0;
	else if (!j->halted_ns[n])
		j->halted_ns[n] = w->now_ns;
	if (w->nodes[n].process == PROCESS_RUNNING && w->nodes[n].election.handover.asked)
		j->asked_ns[n] = w->now_ns;
	if (!world_sees_service(w, n))
		j->sees_since_ns[n] = 0;
	else if (!j->sees_since_ns[n])
		j->sees_since_ns[n] = w->now_ns;
	if (w->nodes[n].process != PROCESS_RUNNING)
		j->command_ns[n] = w->now_ns;
	if (j->commands[n] &&
	    w->now_ns - j->command_ns[n] > limit + judge_slack_ns(w, limit) + judge_dead_ns(w))
		judge_wrong(w, "node %u: a command was not answered", n);
}

void
judge_look(struct world *w)
{
	watch_dual(w);
	check_dual_with_witness(w);
	watch_overlap(w);
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
		judge_wrong(w, "in the end node %u is Active, the other should be", active);
}

static void
check_end_of(struct world *w, unsigned n)
{
	const struct election *e = &w->nodes[n].election;
	unsigned fine = ALARM_DAMPED | ALARM_CONFLICT;

	if (e->alarms & ~fine)
		judge_wrong(w, "in the end node %u has alarms %#x", n, e->alarms);
	if (w->nodes[n].process != PROCESS_RUNNING)
		judge_wrong(w, "in the end node %u does not run", n);
	if (e->role != ROLE_ACTIVE && e->role != ROLE_BACKUP)
		judge_wrong(w, "in the end node %u is in %s", n, role_name(e->role));
	if (world_holds(w, n) != (e->role == ROLE_ACTIVE))
		judge_wrong(w, "in the end node %u is in %s and %s", n, role_name(e->role),
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
		judge_wrong(
		    w, "in the end %s are Active", a->role == ROLE_ACTIVE ? "both" : "none");
	if (a->term != b->term)
		judge_wrong(w, "in the end terms differ");
	check_right_one(w, a->role != ROLE_ACTIVE);
	if (settled > JUDGE_SETTLE_NS + w->linger_ns + w->nodes[0].config.drain_ns)
		judge_wrong(
		    w, "roles changed %d ms after all was well", (int)(settled / NS_PER_MS));
	if (j->moves > JUDGE_MOVES_FREE + JUDGE_MOVES_PER_FAULT * j->faults)
		judge_wrong(w, "%u moves for %u faults", j->moves, j->faults);
	if (settled > j->totals->settle_max_ns)
		j->totals->settle_max_ns = settled;
	if (j->moves > j->totals->moves_max)
		j->totals->moves_max = j->moves;
	j->totals->steps += w->steps;
}

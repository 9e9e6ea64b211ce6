/* test_election_yield.c - an Active beside another, planned moves, commands, leases, damping. */
#include "hafailover/election/election.h"
#include "tests/unit/election_fixture.h"

static void
test_two_actives(void **state)
{
	static const struct {
		bool own_fit, peer_fit;
		uint64_t peer_term; /* ours is 6 */
		uint16_t peer_priority; /* ours is 100 */
		uint8_t peer_order; /* ours is 3 */
		bool stays;
	} rows[] = {
		{ true, true, 7, 1, 1, false },
		{ true, true, 5, 200, 9, true },
		{ true, true, 6, 101, 1, false },
		{ true, true, 6, 99, 9, true },
		{ true, true, 6, 100, 9, false },
		{ true, true, 6, 100, 1, true },
		{ true, false, 9, 200, 9, true },
		{ false, true, 1, 1, 1, false },
		{ false, false, 7, 1, 1, false },
	};
	struct election_config c = fixture_config();
	struct fixture f;
	size_t i;

	(void)state;
	c.order = 3;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		fixture_beside(&f, &c, ROLE_BACKUP);
		fixture_wait(&f, DEAD); /* so that nothing is planned when they meet */
		f.e.track.eligible = rows[i].own_fit;
		f.peer.role = ROLE_ACTIVE;
		f.peer.age_ns = 4 * NS_PER_S;
		f.peer.eligible = rows[i].peer_fit;
		f.peer.term = rows[i].peer_term;
		f.peer.priority = rows[i].peer_priority;
		f.peer.order = rows[i].peer_order;
		fixture_clear(&f);
		fixture_hear(&f);
		assert_int_equal(f.e.role == ROLE_ACTIVE, rows[i].stays);
		if (rows[i].stays) {
			assert_true(f.done & ELECTION_DO_ANNOUNCE);
			assert_true(f.e.alarms & ALARM_DUAL_ACTIVE);
			assert_true(f.e.term > rows[i].peer_term);
		} else {
			assert_int_equal(f.last.cause, CAUSE_DUAL_ACTIVE);
			assert_true(f.done & ELECTION_DO_RELEASE);
			assert_true(f.e.term >= rows[i].peer_term);
			assert_int_equal(f.e.dual_to_ns - f.e.dual_from_ns, 4 * NS_PER_S);
		}
	}
}

/* Who hands over goes on answering for a little while, if the peer has really taken over. */
static void
test_lingering(void **state)
{
	static const struct {
		enum cause cause;
		uint64_t peer_term; /* ours was 6 */
		int64_t heard_ago_ns;
		bool lbd_ready, may;
	} rows[] = {
		{ CAUSE_OPERATOR, 7, 0, true, true },
		{ CAUSE_PREEMPT, 7, 0, true, true },
		{ CAUSE_GATEWAYS_LOST, 7, 0, true, true },
		{ CAUSE_OPERATOR, 7, 0, false, false },
		{ CAUSE_OPERATOR, 6, 0, true, false },
		{ CAUSE_OPERATOR, 7, NS_PER_S, true, false },
		{ CAUSE_LBD_DOWN, 7, 0, true, false },
		{ CAUSE_LINK_DOWN, 7, 0, true, false },
		{ CAUSE_DUAL_ACTIVE, 7, 0, true, false },
		{ CAUSE_STALL, 7, 0, true, false },
	};
	struct election_config c = fixture_config();
	struct fixture f;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct election_out out = { .n_transitions = 1 };

		fixture_beside(&f, &c, ROLE_BACKUP);
		f.e.peer.last.role = ROLE_ACTIVE;
		f.e.peer.last.term = rows[i].peer_term;
		f.e.track.lbd_ready = rows[i].lbd_ready;
		out.transitions[0] =
		    (struct election_transition){ ROLE_ACTIVE, ROLE_BACKUP, rows[i].cause };
		assert_int_equal(
		    election_may_linger(&f.e, &out, f.now + rows[i].heard_ago_ns), rows[i].may);
		out.transitions[0].from = ROLE_BACKUP;
		assert_false(election_may_linger(&f.e, &out, f.now));
		out.n_transitions = 0;
		assert_false(election_may_linger(&f.e, &out, f.now));
	}
}

/* The loser may have had the last word: the winner announces when it is gone. */
static void
test_winner_announces_again(void **state)
{
	struct election_config c = fixture_config();
	struct fixture f;

	(void)state;
	fixture_beside(&f, &c, ROLE_BACKUP);
	f.peer.role = ROLE_ACTIVE;
	f.peer.term = 2;
	f.peer.age_ns = NS_PER_S;
	fixture_live(&f, INTERVAL);
	fixture_clear(&f);
	f.peer.role = ROLE_BACKUP;
	fixture_hear(&f);
	assert_true(f.done & ELECTION_DO_ANNOUNCE);
	assert_int_equal(f.changes, 0);
	assert_false(f.e.alarms & ALARM_DUAL_ACTIVE);
	assert_true(f.e.dual_total_ns >= NS_PER_S);
}

/* It may have been Active without our hearing of it: neighbours may have learned its address last. */
static void
test_winner_that_did_not_hear_announces_again(void **state)
{
	static const struct {
		int64_t silence_ns; /* before the peer is heard again */
		enum role role;
		enum cause cause;
		int64_t age_ns; /* it was 2 s at the heartbeat before */
		bool announces;
	} rows[] = {
		{ 1200 * NS_PER_MS, ROLE_BACKUP, CAUSE_LISTENED, 3 * NS_PER_S, true },
		{ 1200 * NS_PER_MS, ROLE_BACKUP, CAUSE_DUAL_ACTIVE, 0, true },
		{ 100 * NS_PER_MS, ROLE_BACKUP, CAUSE_DUAL_ACTIVE, 0, true },
		{ 100 * NS_PER_MS, ROLE_FAULT, CAUSE_DUAL_ACTIVE, 0, true },
		{ 100 * NS_PER_MS, ROLE_BACKUP, CAUSE_LISTENED, 3 * NS_PER_S, false },
		{ 100 * NS_PER_MS, ROLE_FAULT, CAUSE_LBD_DOWN, 0, false },
	};
	struct election_config c = fixture_config();
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		fixture_beside(&f, &c, ROLE_BACKUP);
		f.peer.cause = CAUSE_LISTENED;
		f.peer.age_ns = 2 * NS_PER_S;
		fixture_hear(&f);
		fixture_wait(&f, rows[i].silence_ns);
		fixture_clear(&f);
		f.peer.role = rows[i].role;
		f.peer.cause = rows[i].cause;
		f.peer.age_ns = rows[i].age_ns;
		fixture_hear(&f);
		assert_int_equal(!!(f.done & ELECTION_DO_ANNOUNCE), rows[i].announces);
		fixture_clear(&f);
		f.peer.age_ns += INTERVAL; /* the same again is no news */
		fixture_hear(&f);
		assert_false(f.done & ELECTION_DO_ANNOUNCE);
		assert_int_equal(f.e.role, ROLE_ACTIVE);
	}
}

/* What a machine had queued when it died arrives when it is back: nobody was Active beside us. */
static void
test_late_heartbeat_of_the_dead(void **state)
{
	struct election_config c = fixture_config();
	struct fixture f;

	(void)state;
	fixture_beside(&f, &c, ROLE_BACKUP);
	fixture_wait(&f, NS_PER_S);
	f.e.active_from = f.e.sequence; /* claimed after the peer fell silent */
	f.peer.role = ROLE_ACTIVE;
	f.peer.term = 2;
	f.peer.age_ns = NS_PER_S;
	f.peer.sequence++;
	f.peer.heard = f.e.active_from - 1;
	fixture_clear(&f);
	fixture_step(
	    &f, &(struct election_event){ .type = ELECTION_HEARTBEAT, .heartbeat = { 0, f.peer } });
	assert_true(f.e.dual_since_ns && f.done & ELECTION_DO_ANNOUNCE);
	assert_false(f.e.alarms & ALARM_DUAL_ACTIVE);
	f.peer.session++;
	f.peer.sequence = 1;
	f.peer.role = ROLE_INITIALIZE;
	fixture_hear(&f);
	assert_true(f.e.dual_since_ns == 0 && f.e.dual_total_ns == 0);
}

/* We win, but the loser does not hear us: after a dead interval the winner goes. */
static void
test_unheard(void **state)
{
	struct election_config c = fixture_config();
	struct fixture f;

	(void)state;
	fixture_beside(&f, &c, ROLE_BACKUP);
	f.peer.role = ROLE_ACTIVE;
	f.peer.term = 2;
	f.peer.hears = 0;
	fixture_live(&f, DEAD - INTERVAL);
	assert_int_equal(f.changes, 0);
	fixture_live(&f, INTERVAL);
	assert_moved(&f, ROLE_BACKUP, CAUSE_UNHEARD);
	assert_true(f.e.alarms & ALARM_PEER_DEAF);
}

static void
peer_takes(struct fixture *f)
{
	assert_true(f->e.handover.asked);
	f->peer.role = ROLE_ACTIVE;
	f->peer.term = f->e.term + 1;
	f->peer.age_ns = 0;
	f->peer.cause = f->e.handover.cause;
	fixture_hear(f);
}

static void
test_failover(void **state)
{
	struct election_config c = fixture_config();
	struct heartbeat h;
	struct fixture f;

	(void)state;
	fixture_beside(&f, &c, ROLE_BACKUP);
	fixture_command(&f, ELECTION_FAILOVER, false, false);
	assert_false(f.out.answered);
	assert_true(f.out.todo & ELECTION_DO_HUSH);
	h = election_heartbeat(&f.e, f.now);
	assert_int_equal(h.message, MESSAGE_TAKE);
	assert_int_equal(h.message_cause, CAUSE_OPERATOR);
	assert_int_equal(f.e.role, ROLE_ACTIVE); /* until the peer has it */
	fixture_command(&f, ELECTION_FAILOVER, false, false);
	assert_true(f.out.answered);
	assert_int_equal(f.out.refusal, REFUSAL_BUSY);
	fixture_clear(&f);
	peer_takes(&f);
	assert_moved(&f, ROLE_BACKUP, CAUSE_OPERATOR);
	assert_true(f.done & ELECTION_DO_RELEASE);
	assert_int_equal(f.e.alarms, 0);
	assert_int_equal(f.e.dual_total_ns, 0);
}

static void
test_failover_gives_up(void **state)
{
	struct election_config c = fixture_config();
	struct fixture f;

	(void)state;
	fixture_beside(&f, &c, ROLE_BACKUP);
	fixture_command(&f, ELECTION_FAILOVER, false, false);
	fixture_clear(&f);
	fixture_live(&f, c.handover_ns - INTERVAL);
	assert_true(f.e.handover.asked);
	while (!f.out.answered)
		fixture_wait(&f, NS_PER_MS);
	assert_int_equal(f.out.refusal, REFUSAL_TIMED_OUT);
	assert_true(f.done & ELECTION_DO_ANNOUNCE);
	assert_int_equal(f.changes, 0);

	fixture_beside(&f, &c, ROLE_BACKUP);
	fixture_command(&f, ELECTION_FAILOVER, false, false);
	f.peer.message = MESSAGE_REFUSED;
	f.peer.message_id = f.e.handover.id;
	f.peer.message_refusal = REFUSAL_PEER_STANDBY;
	f.peer.sequence++;
	fixture_step(
	    &f, &(struct election_event){ ELECTION_HEARTBEAT, .heartbeat = { 0, f.peer } });
	assert_true(f.out.answered);
	assert_int_equal(f.out.refusal, REFUSAL_PEER_STANDBY);
}

static void
test_refusals(void **state)
{
	struct election_config c = fixture_config();
	struct fixture f;
	unsigned i;

	(void)state;
	for (i = 0; i < 11; i++) {
		static const enum refusal want[] = { REFUSAL_NONE, REFUSAL_PEER_STANDBY,
			REFUSAL_PEER_STARTING, REFUSAL_PEER_STOPPING, REFUSAL_PEER_DEAF,
			REFUSAL_PEER_LBD_NOT_READY, REFUSAL_PEER_LBD_DRAINING,
			REFUSAL_PEER_INELIGIBLE, REFUSAL_CONFIG_DIFFERS, REFUSAL_PEER_NO_SERVERS,
			REFUSAL_PEER_UNREACHABLE };
		bool force =
		    want[i] == REFUSAL_CONFIG_DIFFERS || want[i] == REFUSAL_PEER_NO_SERVERS;
		struct heartbeat *p = &f.peer;

		fixture_beside(&f, &c, ROLE_BACKUP);
		p->role = i == 1 ? ROLE_STANDBY : i == 2 ? ROLE_INITIALIZE : ROLE_BACKUP;
		p->stopping = i == 3;
		p->hears = i == 4 ? 0 : 3;
		p->lbd_ready = i != 5;
		p->lbd_draining = i == 6;
		p->eligible = i != 7;
		p->digest = i == 8 ? 8 : 7;
		p->servers_up = i == 9 ? 0 : 2;
		fixture_hear(&f);
		if (i == 10)
			fixture_wait(&f, DEAD);
		assert_int_equal(
		    election_check_failover(&f.e, TARGET_OTHER, false, f.now), want[i]);
		assert_int_equal(election_check_failover(&f.e, TARGET_PEER, true, f.now),
		    force ? REFUSAL_NONE : want[i]);
		assert_int_equal(
		    election_check_failover(&f.e, TARGET_SELF, true, f.now), REFUSAL_ALREADY);
	}
}

static void
test_operator_on_backup(void **state)
{
	struct election_config c = fixture_config();
	struct fixture f;

	(void)state;
	fixture_beside(&f, &c, ROLE_ACTIVE);
	assert_int_equal(election_check_failover(&f.e, TARGET_PEER, false, f.now), REFUSAL_ALREADY);
	fixture_command(&f, ELECTION_FAILOVER, false, false);
	assert_true(f.out.answered);
	assert_int_equal(f.out.refusal, REFUSAL_NONE);
	assert_moved(&f, ROLE_ACTIVE, CAUSE_OPERATOR);

	fixture_beside(&f, &c, ROLE_ACTIVE);
	fixture_wait_probing(&f, 2 * DEAD, ELECTION_VIP_SERVES);
	fixture_command(&f, ELECTION_FAILOVER, false, false);
	assert_int_equal(f.out.refusal, REFUSAL_PEER_UNREACHABLE);
	fixture_command(&f, ELECTION_FAILOVER, false, true);
	assert_moved(&f, ROLE_ACTIVE, CAUSE_OPERATOR);
}

static void
test_standby(void **state)
{
	struct election_config c = fixture_config();
	struct fixture f;

	(void)state;
	fixture_beside(&f, &c, ROLE_BACKUP);
	fixture_command(&f, ELECTION_STANDBY, true, false);
	assert_false(f.out.answered);
	fixture_clear(&f);
	peer_takes(&f);
	assert_moved(&f, ROLE_STANDBY, CAUSE_STANDBY);
	fixture_clear(&f);
	fixture_wait_probing(&f, 5 * NS_PER_S, ELECTION_VIP_SILENT);
	assert_int_equal(f.changes, 0); /* also when the peer dies */
	fixture_command(&f, ELECTION_STANDBY, false, false);
	fixture_wait_probing(&f, INTERVAL, ELECTION_VIP_SILENT);
	assert_int_equal(f.e.role, ROLE_ACTIVE);

	fixture_clear(&f);
	fixture_command(&f, ELECTION_STANDBY, true, false);
	assert_int_equal(f.out.refusal, REFUSAL_PEER_UNREACHABLE);
	assert_int_equal(f.changes, 0);
	fixture_command(&f, ELECTION_STANDBY, true, true);
	assert_moved(&f, ROLE_STANDBY, CAUSE_STANDBY);
	assert_true(f.done & ELECTION_DO_RELEASE);
}

/* Unfit: yields to a fit peer, and to no other. */
static void
test_unfit(void **state)
{
	struct election_config c = fixture_config();
	struct fixture f;

	(void)state;
	fixture_beside(&f, &c, ROLE_BACKUP);
	f.peer.eligible = false;
	f.peer.role = ROLE_FAULT;
	fixture_hear(&f);
	fixture_track(&f, false, CAUSE_LBD_DOWN);
	fixture_live(&f, 5 * NS_PER_S);
	assert_int_equal(f.changes, 0);
	assert_false(f.e.handover.asked);
	assert_int_equal(f.e.alarms, ALARM_ACTIVE_UNFIT);
	f.peer.eligible = true;
	f.peer.role = ROLE_BACKUP;
	fixture_hear(&f);
	assert_true(f.e.handover.asked);
	peer_takes(&f);
	assert_moved(&f, ROLE_FAULT, CAUSE_LBD_DOWN);
}

static void
test_no_servers(void **state)
{
	struct election_config c = fixture_config();
	struct fixture f;

	(void)state;
	fixture_beside(&f, &c, ROLE_BACKUP);
	f.e.track.servers_up = 0;
	f.peer.servers_up = 0;
	fixture_live(&f, NS_PER_S);
	assert_false(f.e.handover.asked);
	f.peer.servers_up = 1;
	f.e.track.servers_pending = true; /* lbd has only begun to ask */
	fixture_live(&f, NS_PER_S);
	assert_false(f.e.handover.asked);
	f.e.track.servers_pending = false;
	fixture_live(&f, DEAD - INTERVAL);
	assert_false(f.e.handover.asked);
	fixture_live(&f, 2 * INTERVAL);
	peer_takes(&f);
	assert_moved(&f, ROLE_BACKUP, CAUSE_NO_SERVERS);
}

static void
test_stop(void **state)
{
	struct election_config c = fixture_config();
	struct heartbeat h;
	struct fixture f;

	(void)state;
	fixture_beside(&f, &c, ROLE_BACKUP);
	fixture_command(&f, ELECTION_STOP, false, false);
	assert_true(f.e.handover.asked);
	assert_false(f.done & (ELECTION_DO_STOPPED | ELECTION_DO_RELEASE));
	peer_takes(&f);
	assert_moved(&f, ROLE_INITIALIZE, CAUSE_STOP);
	assert_true(f.done & ELECTION_DO_STOPPED);
	assert_true(f.done & ELECTION_DO_RELEASE);

	fixture_beside(&f, &c, ROLE_BACKUP);
	f.peer.eligible = false;
	fixture_hear(&f);
	fixture_command(&f, ELECTION_STOP, false, false);
	assert_int_equal(
	    f.out.todo & (ELECTION_DO_STOPPED | ELECTION_DO_RELEASE | ELECTION_DO_SEND),
	    ELECTION_DO_STOPPED | ELECTION_DO_RELEASE | ELECTION_DO_SEND);
	h = election_heartbeat(&f.e, f.now);
	assert_true(h.stopping && !h.eligible && !h.holding);
	fixture_command(&f, ELECTION_TIMER, false, false);
	assert_int_equal(f.out.todo, 0);

	fixture_beside(&f, &c, ROLE_BACKUP); /* the peer never takes it */
	fixture_command(&f, ELECTION_STOP, false, false);
	fixture_live(&f, c.handover_ns + INTERVAL);
	assert_true(f.done & ELECTION_DO_STOPPED);
}

static void
test_isolated(void **state)
{
	struct election_config c = fixture_config();
	struct election_event ev = { .type = ELECTION_TRACKED };
	struct fixture f;

	(void)state;
	ev.tracked.why = CAUSE_LINK_DOWN;
	ev.tracked.isolated = true;
	ev.tracked.lbd_ready = true;
	fixture_beside(&f, &c, ROLE_BACKUP);
	fixture_step(&f, &ev);
	fixture_wait(&f, DEAD);
	assert_moved(&f, ROLE_FAULT, CAUSE_ISOLATED);
	assert_true(f.e.owner);

	fixture_beside(&f, &c, ROLE_BACKUP); /* lbd down is not isolation */
	fixture_track(&f, false, CAUSE_LBD_DOWN);
	f.peer.eligible = false;
	fixture_wait(&f, NS_PER_S);
	assert_int_equal(f.e.role, ROLE_ACTIVE);
}

static void
test_conflict(void **state)
{
	struct election_config c = fixture_config();
	struct election_event ev = { .type = ELECTION_CONFLICT };
	struct fixture f;

	(void)state;
	fixture_beside(&f, &c, ROLE_BACKUP);
	fixture_step(&f, &ev); /* a stranger */
	assert_true(f.out.todo & ELECTION_DO_ANNOUNCE);
	assert_true(f.e.alarms & ALARM_CONFLICT);
	ev.conflict.by_peer = true;
	fixture_step(&f, &ev); /* heard: heartbeats decide */
	assert_int_equal(f.changes, 0);
	fixture_wait(&f, NS_PER_S);
	fixture_step(&f, &ev);
	assert_moved(&f, ROLE_BACKUP, CAUSE_CONFLICT);

	c.order = 2;
	fixture_beside(&f, &c, ROLE_BACKUP);
	fixture_wait(&f, NS_PER_S);
	fixture_step(&f, &ev);
	assert_int_equal(f.changes, 0);
	fixture_track(
	    &f, false, CAUSE_LBD_DOWN); /* whatever the order: the peer can only be fitter */
	fixture_step(&f, &ev);
	assert_moved(&f, ROLE_FAULT, CAUSE_CONFLICT);
}

/* Until its lease must have ended, a dead peer's address is no sign of life. */
static void
test_left_over(void **state)
{
	struct election_config c = fixture_config();
	struct election_event ev = { .type = ELECTION_CONFLICT, .conflict = { true } };
	struct fixture f;

	(void)state;
	fixture_beside(&f, &c, ROLE_ACTIVE);
	fixture_wait_probing(&f, 2 * DEAD, ELECTION_VIP_NO_SERVICE);
	assert_moved(&f, ROLE_ACTIVE, CAUSE_NO_SERVICE);
	fixture_step(&f, &ev);
	fixture_wait(&f, 3 * NS_PER_S / 2 - NS_PER_MS);
	fixture_step(&f, &ev);
	assert_int_equal(f.changes, 1);
	fixture_wait(&f, NS_PER_MS);
	fixture_step(&f, &ev);
	assert_int_equal(f.last.cause, CAUSE_CONFLICT);
}

static void
test_lease(void **state)
{
	static const struct election_event gone = { .type = ELECTION_VIP_GONE };
	struct election_config c = fixture_config();
	struct fixture f;
	int64_t last;
	int i;

	(void)state;
	fixture_beside(&f, &c, ROLE_BACKUP);
	for (last = f.e.refreshed_ns, i = 0; i < 30; i++) {
		fixture_live(&f, INTERVAL);
		assert_true(f.now - f.e.refreshed_ns <= NS_PER_S / 3);
	}
	assert_true(f.e.refreshed_ns > last);
	assert_true(f.done & ELECTION_DO_REFRESH);
	assert_false(f.done & ELECTION_DO_ANNOUNCE);
	fixture_step(&f, &gone);
	assert_true(f.out.todo & ELECTION_DO_REFRESH);
	assert_true(f.out.todo & ELECTION_DO_ANNOUNCE);
	fixture_beside(&f, &c, ROLE_ACTIVE);
	fixture_live(&f, NS_PER_S);
	fixture_step(&f, &gone);
	assert_false(f.done & (ELECTION_DO_REFRESH | ELECTION_DO_CLAIM));
}

static void
test_vip_failed(void **state)
{
	static const struct election_event failed = { .type = ELECTION_VIP_FAILED };
	struct election_config c = fixture_config();
	struct fixture f;

	(void)state;
	fixture_beside(&f, &c, ROLE_BACKUP);
	fixture_step(&f, &failed);
	assert_int_equal(f.changes, 0);
	peer_takes(&f);
	assert_moved(&f, ROLE_FAULT, CAUSE_VIP_FAILED);
	assert_true(f.e.alarms & ALARM_VIP_FAILED);
	fixture_live(&f, 6 * NS_PER_S);
	assert_int_equal(f.e.role, ROLE_BACKUP);
}

/* It took over by agreement, and the kernel refuses: that is the cause, and nobody is to blame. */
static void
test_vip_failed_in_a_planned_move(void **state)
{
	static const struct election_event failed = { .type = ELECTION_VIP_FAILED };
	struct election_config c = fixture_config();
	struct fixture f;

	(void)state;
	fixture_beside(&f, &c, ROLE_BACKUP);
	f.e.planned = true;
	f.e.peer.last.role = ROLE_ACTIVE;
	fixture_step(&f, &failed);
	assert_moved(&f, ROLE_FAULT, CAUSE_VIP_FAILED);
	assert_true(f.e.dual_total_ns == 0);
}

/* Four moves within a minute: then what is not needed waits. */
static void
test_damping(void **state)
{
	struct election_config c = fixture_config();
	struct fixture f;
	int i;

	(void)state;
	fixture_beside(&f, &c, ROLE_BACKUP);
	for (i = 0; i < 4; i++)
		f.e.moved_ns[f.e.n_moved++ % ELECTION_MOVES_MAX] = f.now;
	fixture_hear(&f);
	assert_true(f.e.alarms & ALARM_DAMPED);
	f.e.track.servers_up = 0;
	fixture_live(&f, 5 * NS_PER_S);
	assert_false(f.e.handover.asked);
	fixture_track(&f, false, CAUSE_LBD_DOWN);
	fixture_live(&f, 10 * DEAD - INTERVAL);
	assert_false(f.e.handover.asked);
	fixture_live(&f, 2 * INTERVAL); /* not a flap: it is needed */
	assert_true(f.e.handover.asked);
	fixture_track(&f, true, CAUSE_NONE);
	f.e.track.servers_up = 2;
	fixture_live(&f, 60 * NS_PER_S);
	assert_false(f.e.alarms & ALARM_DAMPED);
}

static void
test_names(void **state)
{
	unsigned i, k;

	(void)state;
	for (i = 0; i < CAUSE_N; i++)
		for (k = 0; k < i; k++)
			assert_string_not_equal(
			    cause_name((enum cause)i), cause_name((enum cause)k));
	for (i = 0; i < REFUSAL_N; i++)
		for (k = 0; k < i; k++)
			assert_string_not_equal(
			    refusal_name((enum refusal)i), refusal_name((enum refusal)k));
	for (i = 0; i < ROLE_N; i++)
		assert_string_not_equal(role_name((enum role)i), "unknown");
	for (i = 0; i < ELECTION_ALARMS; i++)
		assert_string_not_equal(
		    election_alarm_name((enum election_alarm)(1 << i)), "unknown");
	assert_string_equal(cause_name((enum cause)99), "unknown");
	assert_string_equal(refusal_text((enum refusal)99), "unknown");
	assert_string_equal(role_name((enum role)99), "unknown");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_actives),
		cmocka_unit_test(test_lingering),
		cmocka_unit_test(test_winner_announces_again),
		cmocka_unit_test(test_winner_that_did_not_hear_announces_again),
		cmocka_unit_test(test_late_heartbeat_of_the_dead),
		cmocka_unit_test(test_unheard),
		cmocka_unit_test(test_failover),
		cmocka_unit_test(test_failover_gives_up),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_operator_on_backup),
		cmocka_unit_test(test_standby),
		cmocka_unit_test(test_unfit),
		cmocka_unit_test(test_no_servers),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_isolated),
		cmocka_unit_test(test_conflict),
		cmocka_unit_test(test_left_over),
		cmocka_unit_test(test_lease),
		cmocka_unit_test(test_vip_failed),
		cmocka_unit_test(test_vip_failed_in_a_planned_move),
		cmocka_unit_test(test_damping),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

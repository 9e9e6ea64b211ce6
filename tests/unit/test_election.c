/* test_election.c - claims: start, silence, probes, vacancy, preemption, stalls. */
#include "hafailover/election/election.h"
#include "tests/unit/election_fixture.h"

static const struct election_start fresh = { .term = 5 };

static void
test_alone(void **state)
{
	struct election_config c = fixture_config();
	struct fixture f;

	(void)state;
	fixture_init(&f, &c, fresh);
	assert_true(f.done & ELECTION_DO_SEND);
	fixture_track(&f, true, CAUSE_NONE);
	fixture_clear(&f);
	fixture_wait_probing(&f, 3 * DEAD - NS_PER_MS, ELECTION_VIP_SILENT);
	assert_int_equal(f.e.role, ROLE_INITIALIZE);
	fixture_wait_probing(&f, NS_PER_MS, ELECTION_VIP_SILENT);
	assert_int_equal(f.changes, 2);
	assert_int_equal(f.e.role, ROLE_ACTIVE);
	assert_int_equal(f.e.cause, CAUSE_PEER_SILENT);
	assert_int_equal(f.e.term, 6);
	assert_int_equal(f.out.todo &
		(ELECTION_DO_CLAIM | ELECTION_DO_ANNOUNCE | ELECTION_DO_SEND | ELECTION_DO_PERSIST),
	    ELECTION_DO_CLAIM | ELECTION_DO_ANNOUNCE | ELECTION_DO_SEND | ELECTION_DO_PERSIST);
	assert_true(f.e.alarms & ALARM_PEER_SILENT);
}

static void
test_start_beside_active(void **state)
{
	struct election_config c = fixture_config();
	struct fixture f;

	(void)state;
	fixture_init(&f, &c, fresh);
	f.peer.role = ROLE_ACTIVE;
	f.peer.term = 9;
	fixture_track(&f, true, CAUSE_NONE);
	fixture_clear(&f);
	fixture_hear(&f);
	assert_moved(&f, ROLE_BACKUP, CAUSE_LISTENED);
	assert_int_equal(f.e.term, 9);
	assert_true(f.done & ELECTION_DO_PERSIST);
	fixture_live(&f, 10 * NS_PER_S);
	assert_int_equal(f.changes, 1);
	assert_int_equal(f.e.alarms, 0);
}

/* Heard, but it has not heard us: perhaps an old heartbeat. */
static void
test_start_wants_an_answer(void **state)
{
	struct election_config c = fixture_config();
	struct election_event ev = { .type = ELECTION_HEARTBEAT };
	struct fixture f;

	(void)state;
	fixture_init(&f, &c, fresh);
	fixture_track(&f, true, CAUSE_NONE);
	f.peer.heard_session = 0x77;
	f.peer.sequence = 1;
	f.peer.heard = 100;
	ev.heartbeat.content = f.peer;
	fixture_step(&f, &ev);
	assert_int_equal(f.e.role, ROLE_INITIALIZE);
	f.peer.heard_session = OWN;
	fixture_hear(&f);
	assert_int_equal(f.e.role, ROLE_BACKUP);
}

static void
test_adopts(void **state)
{
	struct election_config c = fixture_config();
	struct election_start held = { .term = 5, .held = true, .lease_left_ns = NS_PER_S / 2 };
	struct fixture f;

	(void)state;
	fixture_init(&f, &c, held);
	fixture_clear(&f);
	fixture_wait_probing(&f, NS_PER_S / 4 - NS_PER_MS, ELECTION_VIP_SILENT);
	assert_int_equal(f.changes, 0);
	fixture_wait(&f, NS_PER_MS); /* half of the lease that is left */
	assert_moved(&f, ROLE_ACTIVE, CAUSE_ADOPTED);
	assert_int_equal(f.e.term, 5);
	assert_false(f.done & ELECTION_DO_RELEASE);

	fixture_init(&f, &c, held);
	fixture_clear(&f);
	fixture_hear(&f); /* a Backup answers: no need to wait */
	assert_moved(&f, ROLE_ACTIVE, CAUSE_ADOPTED);
	fixture_live(&f, NS_PER_S); /* tracking has not reported: no reason to move */
	assert_int_equal(f.changes, 1);

	fixture_init(&f, &c, held);
	fixture_clear(&f);
	f.peer.role = ROLE_ACTIVE;
	f.peer.term = 6;
	fixture_hear(&f);
	assert_true(f.done & ELECTION_DO_RELEASE);
	assert_false(f.done & ELECTION_DO_CLAIM);
	assert_int_not_equal(f.e.role, ROLE_ACTIVE);

	c.order = 3; /* its place does not help it: the peer claimed later */
	fixture_init(&f, &c, held);
	fixture_track(&f, true, CAUSE_NONE);
	fixture_clear(&f);
	f.peer.role = ROLE_ACTIVE;
	f.peer.term = 6;
	fixture_hear(&f);
	assert_true(f.done & ELECTION_DO_RELEASE);
	assert_int_not_equal(f.e.role, ROLE_ACTIVE);

	held.standby = true;
	fixture_init(&f, &c, held);
	assert_true(f.done & ELECTION_DO_RELEASE);
	fixture_hear(&f);
	assert_int_equal(f.e.role, ROLE_STANDBY);
}

/* Cut off from everybody, it may have died long ago: what it has may be somebody else's by now. */
static void
test_adopts_unheard(void **state)
{
	static const struct {
		enum election_vip answer;
		int64_t lease_left_ns;
		bool adopts;
	} rows[] = {
		{ ELECTION_VIP_SILENT, NS_PER_S / 2, true },
		{ ELECTION_VIP_SILENT, -NS_PER_S,
		    true }, /* the kernel is late: there is time to ask */
		{ ELECTION_VIP_UNKNOWN, NS_PER_S / 2, true }, /* nobody can be asked here */
		{ ELECTION_VIP_NO_SERVICE, NS_PER_S / 2, false },
		{ ELECTION_VIP_NO_SERVICE, -NS_PER_S, false },
		{ ELECTION_VIP_SERVES, NS_PER_S / 2, false },
	};
	struct election_config c = fixture_config();
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct election_start held = {
			.term = 5, .held = true, .lease_left_ns = rows[i].lease_left_ns
		};

		fixture_init(&f, &c, held);
		assert_int_equal(f.e.role, ROLE_INITIALIZE);
		fixture_clear(&f);
		fixture_wait_probing(&f, NS_PER_S / 2, rows[i].answer);
		assert_int_equal(f.e.role == ROLE_ACTIVE, rows[i].adopts);
		assert_int_equal(!(f.done & ELECTION_DO_RELEASE), rows[i].adopts);
		if (rows[i].adopts)
			continue;
		assert_true(f.e.listening); /* as long as one that had nothing */
		assert_int_equal(f.e.alarms, 0);
	}
}

static void
test_peer_silent(void **state)
{
	struct election_config c = fixture_config();
	struct fixture f;

	(void)state;
	fixture_beside(&f, &c, ROLE_ACTIVE);
	fixture_wait_probing(&f, DEAD - NS_PER_MS, ELECTION_VIP_SILENT);
	assert_int_equal(f.changes, 0);
	assert_true(f.e.probe.silent >= 2);
	fixture_wait_probing(&f, NS_PER_MS, ELECTION_VIP_SILENT);
	assert_moved(&f, ROLE_ACTIVE, CAUSE_PEER_SILENT);
	assert_int_equal(f.e.term, 6);
}

/* Late by less than a stall: what has come meanwhile is read before silence is believed. */
static void
test_late(void **state)
{
	static const struct election_event timer = { .type = ELECTION_TIMER };
	struct election_config c = fixture_config();
	struct fixture f;

	(void)state;
	c.probe = false;
	fixture_beside(&f, &c, ROLE_ACTIVE);
	fixture_wait(&f, DEAD / 2);
	f.now += DEAD - NS_PER_MS;
	fixture_step(&f, &timer);
	assert_int_equal(f.changes, 0);
	fixture_hear(&f); /* it was in the queue */
	fixture_wait(&f, DEAD - NS_PER_MS);
	assert_int_equal(f.changes, 0);

	fixture_beside(&f, &c, ROLE_ACTIVE);
	fixture_wait(&f, DEAD / 2);
	f.now += DEAD - NS_PER_MS;
	fixture_step(&f, &timer);
	fixture_wait(&f, INTERVAL / 4); /* nothing was */
	assert_moved(&f, ROLE_ACTIVE, CAUSE_PEER_SILENT);
}

static void
test_vip_serves(void **state)
{
	struct election_config c = fixture_config();
	struct fixture f;
	int64_t silent_from;

	(void)state;
	fixture_beside(&f, &c, ROLE_ACTIVE);
	fixture_wait_probing(&f, 30 * NS_PER_S, ELECTION_VIP_SERVES);
	assert_int_equal(f.changes, 0);
	assert_int_equal(f.e.alarms, ALARM_PEER_SILENT | ALARM_VIP_SERVES);
	silent_from = f.now;
	fixture_wait_probing(&f, INTERVAL, ELECTION_VIP_SILENT);
	assert_moved(&f, ROLE_ACTIVE, CAUSE_PEER_SILENT);
	assert_true(f.e.since_ns - silent_from <= INTERVAL);
}

/* One question can be lost. */
static void
test_one_silent_probe(void **state)
{
	struct election_config c = fixture_config();
	struct fixture f;
	unsigned i;

	(void)state;
	fixture_beside(&f, &c, ROLE_ACTIVE);
	fixture_wait_probing(&f, NS_PER_S, ELECTION_VIP_SERVES);
	for (i = 0; i < 100; i++) {
		while (!f.e.probe.pending)
			fixture_wait(&f, NS_PER_MS);
		fixture_probed(&f, i % 2 ? ELECTION_VIP_SERVES : ELECTION_VIP_SILENT);
	}
	assert_int_equal(f.changes, 0);
}

static void
test_no_service(void **state)
{
	static const enum election_vip bad[] = { ELECTION_VIP_NO_SERVICE, ELECTION_VIP_UNKNOWN };
	struct election_config c = fixture_config();
	struct fixture f;
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		fixture_beside(&f, &c, ROLE_ACTIVE);
		fixture_wait_probing(&f, 2 * DEAD - NS_PER_MS, bad[i]);
		assert_int_equal(f.changes, 0);
		fixture_wait_probing(&f, NS_PER_MS, bad[i]);
		assert_moved(&f, ROLE_ACTIVE, CAUSE_NO_SERVICE);
	}
	fixture_beside(&f, &c, ROLE_ACTIVE); /* a prober that never answers */
	fixture_wait(&f, 2 * DEAD + DEAD / 2);
	assert_moved(&f, ROLE_ACTIVE, CAUSE_NO_SERVICE);
}

static void
test_without_probes(void **state)
{
	struct election_config c = fixture_config();
	struct fixture f;

	(void)state;
	c.probe = false;
	fixture_beside(&f, &c, ROLE_ACTIVE);
	fixture_wait(&f, DEAD);
	assert_moved(&f, ROLE_ACTIVE, CAUSE_PEER_SILENT);
	assert_false(f.done & ELECTION_DO_PROBE);
}

static void
test_unfit_never_claims(void **state)
{
	struct election_config c = fixture_config();
	struct fixture f;

	(void)state;
	fixture_beside(&f, &c, ROLE_ACTIVE);
	fixture_track(&f, false, CAUSE_LBD_DOWN);
	assert_moved(&f, ROLE_FAULT, CAUSE_LBD_DOWN);
	fixture_wait_probing(&f, 10 * NS_PER_S, ELECTION_VIP_SILENT);
	assert_int_equal(f.changes, 1);
	assert_true(f.e.alarms & ALARM_NOBODY_ACTIVE);
	fixture_track(&f, true, CAUSE_NONE);
	assert_int_equal(f.e.role, ROLE_BACKUP);
	fixture_wait_probing(&f, INTERVAL, ELECTION_VIP_SILENT);
	assert_int_equal(f.e.role, ROLE_ACTIVE);
}

/* Any path will do. */
static void
test_one_path(void **state)
{
	struct election_config c = fixture_config();
	struct election_event ev = { .type = ELECTION_HEARTBEAT };
	struct fixture f;
	unsigned i;

	(void)state;
	fixture_beside(&f, &c, ROLE_ACTIVE);
	for (i = 0; i < 20; i++) {
		f.peer.sequence++;
		ev.heartbeat.path = 1;
		ev.heartbeat.content = f.peer;
		fixture_step(&f, &ev);
		fixture_wait(&f, INTERVAL);
	}
	assert_int_equal(f.changes, 0);
	assert_int_equal(f.e.alarms, ALARM_PATH_SILENT);
}

/* Nobody is Active: which of two claims, and not before it was answered? */
static void
test_vacant(void **state)
{
	static const struct {
		struct heartbeat peer;
		bool owner, claims;
	} rows[] = {
		{ { .eligible = true, .servers_up = 2, .priority = 100 }, false,
		    false }, /* order */
		{ { .eligible = true, .servers_up = 2, .priority = 99 }, false, true },
		{ { .eligible = true, .servers_up = 2, .priority = 101 }, false, false },
		{ { .eligible = true, .servers_up = 2, .priority = 101 }, true, true },
		{ { .eligible = true, .servers_up = 0, .priority = 101 }, false, true },
		{ { .eligible = false, .servers_up = 2, .priority = 101 }, false, true },
		{ { .eligible = true, .servers_up = 2, .priority = 99, .owner = true }, false,
		    false },
		{ { .eligible = true, .priority = 1, .holding = true }, false, false }, /* adopts */
	};
	struct election_config c = fixture_config();
	struct fixture f;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		fixture_beside(&f, &c, ROLE_ACTIVE);
		f.e.owner = rows[i].owner;
		f.peer.role = ROLE_BACKUP;
		f.peer.eligible = rows[i].peer.eligible;
		f.peer.servers_up = rows[i].peer.servers_up;
		f.peer.priority = rows[i].peer.priority;
		f.peer.owner = rows[i].peer.owner;
		f.peer.holding = rows[i].peer.holding;
		f.peer.term = 5;
		fixture_hear(&f);
		if (!f.changes)
			fixture_hear(&f);
		assert_int_equal(f.changes, rows[i].claims);
		if (rows[i].claims)
			assert_moved(&f, ROLE_ACTIVE, CAUSE_VACANT);
	}
}

/* The better one does not claim: in the end the lesser one does, if the address is silent. */
static void
test_vacant_for_long(void **state)
{
	struct election_config c = fixture_config();
	struct fixture f;

	(void)state;
	fixture_beside(&f, &c, ROLE_ACTIVE);
	f.peer.role = ROLE_BACKUP;
	f.peer.holding = false;
	fixture_live(&f, 3 * DEAD); /* no answer to the probe: not silent */
	assert_int_equal(f.changes, 0);
	while (f.e.role == ROLE_BACKUP && f.now < f.e.vacant_since_ns + 4 * DEAD) {
		fixture_hear(&f);
		fixture_probed(&f, ELECTION_VIP_SILENT);
		fixture_wait(&f, INTERVAL / 10);
	}
	assert_moved(&f, ROLE_ACTIVE, CAUSE_VACANT);
}

static void
test_farewell(void **state)
{
	struct election_config c = fixture_config();
	struct fixture f;

	(void)state;
	fixture_beside(&f, &c, ROLE_ACTIVE);
	f.peer.role = ROLE_INITIALIZE;
	f.peer.stopping = true;
	f.peer.eligible = f.peer.holding = false;
	f.peer.hears = 0;
	f.peer.heard_session = 0;
	fixture_hear(&f);
	fixture_wait_probing(&f, 20 * NS_PER_MS, ELECTION_VIP_SILENT);
	assert_moved(&f, ROLE_ACTIVE, CAUSE_PEER_STOPPED);
}

static void
test_preempt(void **state)
{
	static const struct {
		bool preempt;
		enum election_prefer prefer;
		uint16_t peer_priority, servers;
		uint64_t digest;
		enum cause cause; /* CAUSE_NONE: stays */
	} rows[] = {
		{ false, PREFER_NONE, 50, 2, 7, CAUSE_NONE },
		{ true, PREFER_NONE, 50, 2, 7, CAUSE_PREEMPT },
		{ true, PREFER_NONE, 100, 2, 7, CAUSE_NONE },
		{ true, PREFER_NONE, 150, 2, 7, CAUSE_NONE },
		{ true, PREFER_NONE, 50, 0, 7, CAUSE_NONE },
		{ true, PREFER_NONE, 50, 2, 8, CAUSE_NONE },
		{ false, PREFER_SELF, 150, 2, 7, CAUSE_PREFER },
		{ true, PREFER_PEER, 50, 2, 7, CAUSE_NONE },
	};
	struct election_config c = fixture_config();
	struct fixture f;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		fixture_beside(&f, &c, ROLE_ACTIVE);
		c.preempt = rows[i].preempt;
		c.prefer = rows[i].prefer;
		c.preempt_delay_ns = 2 * NS_PER_S;
		election_configure(&f.e, &c);
		f.peer.priority = rows[i].peer_priority;
		f.peer.digest = rows[i].digest;
		f.e.track.servers_up = rows[i].servers;
		fixture_live(&f, 2 * NS_PER_S - INTERVAL);
		assert_int_equal(f.changes, 0);
		fixture_live(&f, 2 * INTERVAL);
		if (rows[i].cause == CAUSE_NONE)
			assert_int_equal(f.changes, 0);
		else
			assert_moved(&f, ROLE_ACTIVE, rows[i].cause);
		c = fixture_config();
	}
}

static void
test_take(void **state)
{
	struct election_config c = fixture_config();
	struct election_event ev = { .type = ELECTION_HEARTBEAT };
	struct fixture f;

	(void)state;
	fixture_beside(&f, &c, ROLE_ACTIVE);
	f.peer.message = MESSAGE_TAKE;
	f.peer.message_id = 3;
	f.peer.message_cause = CAUSE_LBD_DOWN;
	f.peer.sequence++;
	f.peer.heard = f.e.sequence; /* before the question */
	ev.heartbeat.content = f.peer;
	fixture_step(&f, &ev);
	assert_int_equal(f.changes, 0);
	assert_true(f.out.todo & ELECTION_DO_SEND); /* asks */
	fixture_hear(&f);
	assert_moved(&f, ROLE_ACTIVE, CAUSE_LBD_DOWN);
	assert_int_equal(f.e.term, 6);
	assert_int_equal(f.e.alarms, 0); /* the former Active is about to go: no alarm */
}

static void
test_take_refused(void **state)
{
	struct election_config c = fixture_config();
	struct heartbeat h;
	struct fixture f;

	(void)state;
	fixture_beside(&f, &c, ROLE_ACTIVE);
	fixture_track(&f, false, CAUSE_LBD_DOWN);
	f.peer.message = MESSAGE_TAKE;
	f.peer.message_id = 3;
	f.peer.message_cause = CAUSE_OPERATOR;
	fixture_hear(&f);
	h = election_heartbeat(&f.e, f.now);
	assert_int_equal(h.message, MESSAGE_REFUSED);
	assert_int_equal(h.message_id, 3);
	assert_int_equal(h.message_refusal, REFUSAL_PEER_INELIGIBLE);
	f.peer.message = MESSAGE_NONE;
	fixture_hear(&f);
	h = election_heartbeat(&f.e, f.now);
	assert_int_equal(h.message, MESSAGE_NONE);
}

/* The stall comes first: what waits to be read cannot make it Active again, an answer can. */
static void
test_stall(void **state)
{
	struct election_config c = fixture_config();
	struct election_event ev = { .type = ELECTION_HEARTBEAT };
	struct fixture f;
	int i;

	(void)state;
	fixture_beside(&f, &c, ROLE_BACKUP);
	f.now += DEAD + INTERVAL;
	for (i = 0; i < 10; i++) {
		f.peer.sequence++;
		f.peer.heard = f.e.fresh_from ? f.e.fresh_from - 1 : 0;
		if (!i)
			f.peer.heard = f.e.sequence;
		ev.heartbeat.content = f.peer;
		fixture_step(&f, &ev);
		if (!i)
			assert_true(f.out.todo & ELECTION_DO_RELEASE);
	}
	assert_moved(&f, ROLE_BACKUP, CAUSE_STALL);
	assert_true(f.e.listening);
	fixture_hear(&f);
	fixture_hear(&f);
	assert_int_equal(f.e.role, ROLE_ACTIVE);
	assert_int_equal(f.e.cause, CAUSE_VACANT);
}

/* A stall while it listens does not shorten the listening. */
static void
test_stall_at_start(void **state)
{
	struct election_config c = fixture_config();
	struct fixture f;

	(void)state;
	fixture_init(&f, &c, fresh);
	fixture_track(&f, true, CAUSE_NONE);
	f.now += DEAD + NS_PER_MS;
	fixture_step(&f, &(struct election_event){ .type = ELECTION_TIMER });
	fixture_wait_probing(&f, 2 * DEAD - 2 * NS_PER_MS, ELECTION_VIP_SILENT);
	assert_int_equal(f.e.role, ROLE_INITIALIZE);
	fixture_wait_probing(&f, 2 * NS_PER_MS, ELECTION_VIP_SILENT);
	assert_int_equal(f.e.role, ROLE_ACTIVE);
}

/* Its clock stood still: it cannot know that what it reads is old, so it asks. */
static void
test_paused_unnoticed(void **state)
{
	struct election_config c = fixture_config();
	struct election_event ev = { .type = ELECTION_HEARTBEAT };
	struct fixture f;
	uint64_t heard;
	int i;

	(void)state;
	fixture_beside(&f, &c, ROLE_ACTIVE);
	heard = f.e.sequence;
	f.e.owner = true;
	for (i = 0; i < 20; i++) {
		f.peer.role = i < 10 ? ROLE_FAULT : ROLE_ACTIVE;
		f.peer.eligible = i >= 10;
		f.peer.holding = i >= 10;
		f.peer.sequence++;
		f.peer.heard = heard;
		ev.heartbeat.content = f.peer;
		fixture_step(&f, &ev);
	}
	assert_int_equal(f.changes, 0);
}

static void
test_no_stall(void **state)
{
	struct election_config c = fixture_config();
	struct election_event ev = { .type = ELECTION_TIMER };
	struct fixture f;

	(void)state;
	fixture_beside(&f, &c, ROLE_BACKUP);
	f.now += DEAD - NS_PER_MS;
	fixture_hear(&f);
	assert_int_equal(f.changes, 0);
	ev.type = ELECTION_STALLED;
	fixture_step(&f, &ev);
	assert_moved(&f, ROLE_BACKUP, CAUSE_STALL);
}

/*
 * Who hears no gateway since its peer missed a heartbeat may be cut off itself, and does not claim.  A gateway that
 * answered between the last heartbeat and the next was asked before the cable was pulled.
 */
static void
test_gateways(void **state)
{
	static const struct {
		int64_t
		    after_ns; /* asked so long after the peer's last heartbeat; answered at once */
		uint32_t dead_after;
		bool claims;
	} rows[] = {
		{ 0, 3, false },
		{ 60 * NS_PER_MS, 3, false },
		{ 125 * NS_PER_MS, 3, false },
		{ 150 * NS_PER_MS, 3, true },
		{ 100 * NS_PER_MS, 2, false },
		{ 125 * NS_PER_MS, 2, true },
		{ 400 * NS_PER_MS, 10, false },
		{ 500 * NS_PER_MS, 10, true },
	};
	struct election_event ev = { .type = ELECTION_TRACKED };
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct election_config c = fixture_config();

		c.dead_after = rows[i].dead_after;
		fixture_beside(&f, &c, ROLE_ACTIVE);
		ev.tracked = f.e.track;
		ev.tracked.network_ns = f.e.peer.any_ns + rows[i].after_ns;
		fixture_wait_probing(&f, rows[i].after_ns, ELECTION_VIP_SILENT);
		fixture_step(&f, &ev);
		fixture_wait_probing(&f, 5 * NS_PER_S, ELECTION_VIP_SILENT);
		assert_int_equal(f.e.role == ROLE_ACTIVE, rows[i].claims);
	}
}

static void
test_no_gateway(void **state)
{
	struct election_config c = fixture_config();
	struct election_event ev = { .type = ELECTION_TRACKED };
	struct fixture f;

	(void)state;
	fixture_beside(&f, &c, ROLE_ACTIVE);
	ev.tracked = f.e.track;
	ev.tracked.network_ns = f.now; /* as old as the last heartbeat */
	fixture_step(&f, &ev);
	fixture_wait_probing(&f, 5 * NS_PER_S, ELECTION_VIP_SILENT);
	assert_int_equal(f.e.role, ROLE_BACKUP);
	fixture_wait_probing(&f, NS_PER_S, ELECTION_VIP_UNKNOWN);
	assert_int_equal(f.e.role, ROLE_BACKUP);
	fixture_wait_probing(&f, NS_PER_S, ELECTION_VIP_SILENT);
	ev.tracked.network_ns = f.now;
	fixture_step(&f, &ev);
	assert_moved(&f, ROLE_ACTIVE, CAUSE_PEER_SILENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alone),
		cmocka_unit_test(test_start_beside_active),
		cmocka_unit_test(test_start_wants_an_answer),
		cmocka_unit_test(test_adopts),
		cmocka_unit_test(test_adopts_unheard),
		cmocka_unit_test(test_peer_silent),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_vip_serves),
		cmocka_unit_test(test_one_silent_probe),
		cmocka_unit_test(test_no_service),
		cmocka_unit_test(test_without_probes),
		cmocka_unit_test(test_unfit_never_claims),
		cmocka_unit_test(test_one_path),
		cmocka_unit_test(test_vacant),
		cmocka_unit_test(test_vacant_for_long),
		cmocka_unit_test(test_farewell),
		cmocka_unit_test(test_preempt),
		cmocka_unit_test(test_take),
		cmocka_unit_test(test_take_refused),
		cmocka_unit_test(test_stall),
		cmocka_unit_test(test_stall_at_start),
		cmocka_unit_test(test_paused_unnoticed),
		cmocka_unit_test(test_gateways),
		cmocka_unit_test(test_no_gateway),
		cmocka_unit_test(test_no_stall),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_election_drain.c - connections at a planned move: they stay behind the old node's silence
 * where both can steer, and end before the move where not.
 */
#include <stddef.h>

#include "hafailover/election/election.h"

#include "election_fixture.h"

static const int64_t DRAIN = 30 * NS_PER_S, LEAST = 300 * NS_PER_MS;

static void
track(struct fixture *f, bool steers, bool lbd_ready)
{
	struct election_event ev = { .type = ELECTION_TRACKED };

	ev.tracked = (struct election_track){ .eligible = lbd_ready,
		.why = lbd_ready ? CAUSE_NONE : CAUSE_LBD_DOWN,
		.lbd_ready = lbd_ready,
		.steers = steers,
		.servers_up = 2,
		.priority = 100 };
	fixture_step(f, &ev);
}

static void
count(struct fixture *f, uint32_t n)
{
	const struct election_event ev = { .type = ELECTION_CONNECTIONS, .connections = n };

	fixture_step(f, &ev);
}

static void
begin(struct fixture *f, enum role peer, bool self_steers, bool peer_steers)
{
	struct election_config c = fixture_config();

	c.drain_ns = DRAIN;
	fixture_beside(f, &c, peer);
	track(f, self_steers, true);
	f->peer.steers = peer_steers;
	fixture_hear(f);
	fixture_clear(f);
}

static void
peer_claims(struct fixture *f)
{
	f->peer.role = ROLE_ACTIVE;
	f->peer.cause = CAUSE_OPERATOR;
	f->peer.age_ns = 0;
	f->peer.term = f->e.term + 1;
	f->peer.holding = true;
	fixture_hear(f);
}

/* From Active, by order, to draining. */
static void
move_away(struct fixture *f)
{
	begin(f, ROLE_BACKUP, true, true);
	fixture_command(f, ELECTION_FAILOVER, false, false);
	assert_true(f->e.handover.asked && !f->e.handover.empties);
	peer_claims(f);
	assert_moved(f, ROLE_BACKUP, CAUSE_OPERATOR);
}

static void
test_it_drains_and_releases_when_all_have_ended(void **state)
{
	struct fixture f;

	(void)state;
	move_away(&f);
	assert_false(f.done & ELECTION_DO_RELEASE);
	assert_true(f.done & ELECTION_DO_HUSH);
	assert_true(election_drains(&f.e) && election_counts(&f.e) && !election_steers(&f.e));
	assert_true(election_heartbeat(&f.e, f.now).draining);
	count(&f, 2);
	assert_int_equal(election_heartbeat(&f.e, f.now).connections, 2);
	fixture_live(&f, 5 * NS_PER_S);
	assert_true(election_drains(&f.e));
	fixture_clear(&f);
	count(&f, 0);
	assert_true(f.done & ELECTION_DO_RELEASE && f.done & ELECTION_DO_SEND);
	assert_false(election_drains(&f.e) || election_counts(&f.e));
	assert_false(election_heartbeat(&f.e, f.now).draining);
	assert_int_equal(f.changes, 0);
}

/* Who asked for the address just before comes a moment later. */
static void
test_it_drains_for_a_moment_at_least(void **state)
{
	struct fixture f;
	int64_t begun;

	(void)state;
	move_away(&f);
	begun = f.now;
	count(&f, 0);
	assert_true(election_drains(&f.e));
	fixture_wait(&f, LEAST - NS_PER_MS);
	assert_true(election_drains(&f.e));
	fixture_hear(&f);
	fixture_wait(&f, 2 * NS_PER_MS);
	assert_false(election_drains(&f.e));
	assert_true(f.done & ELECTION_DO_RELEASE);
	assert_true(f.now - begun < LEAST + 2 * NS_PER_MS);
}

static void
test_it_does_not_drain_for_ever(void **state)
{
	struct fixture f;

	(void)state;
	move_away(&f);
	count(&f, 9);
	fixture_live(&f, DRAIN - INTERVAL);
	assert_true(election_drains(&f.e));
	fixture_live(&f, 2 * INTERVAL);
	assert_false(election_drains(&f.e));
	assert_true(f.done & ELECTION_DO_RELEASE);
}

static void
test_who_drains_claims_when_the_new_node_dies(void **state)
{
	struct fixture f;
	int64_t died;

	(void)state;
	move_away(&f);
	count(&f, 3);
	fixture_live(&f, NS_PER_S);
	fixture_clear(&f);
	died = f.now;
	fixture_wait_probing(&f, DEAD + INTERVAL, ELECTION_VIP_SILENT);
	assert_moved(&f, ROLE_ACTIVE, CAUSE_PEER_SILENT);
	assert_true(f.e.since_ns - died <= DEAD + INTERVAL / 2);
	assert_false(election_drains(&f.e) || f.done & ELECTION_DO_RELEASE);
}

static void
test_who_drains_takes_the_service_back(void **state)
{
	struct fixture f;

	(void)state;
	move_away(&f);
	count(&f, 3);
	fixture_live(&f, NS_PER_S);
	fixture_clear(&f);
	f.peer.message = MESSAGE_TAKE;
	f.peer.message_id = 77;
	f.peer.message_cause = CAUSE_OPERATOR;
	fixture_hear(&f);
	fixture_hear(&f);
	assert_moved(&f, ROLE_ACTIVE, CAUSE_OPERATOR);
	assert_true(!election_drains(&f.e) && election_steers(&f.e));
	assert_false(f.done & ELECTION_DO_RELEASE);
}

static void
test_a_stall_ends_the_drain(void **state)
{
	struct fixture f;
	const struct election_event stalled = { .type = ELECTION_STALLED };

	(void)state;
	move_away(&f);
	count(&f, 3);
	fixture_clear(&f);
	fixture_step(&f, &stalled);
	assert_true(f.done & ELECTION_DO_RELEASE);
	assert_false(election_drains(&f.e));
}

static void
test_a_stop_waits_for_the_drain(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, ROLE_BACKUP, true, true);
	fixture_command(&f, ELECTION_STOP, false, false);
	peer_claims(&f);
	assert_true(election_drains(&f.e));
	count(&f, 1);
	fixture_live(&f, NS_PER_S);
	assert_false(f.done & ELECTION_DO_STOPPED);
	count(&f, 0);
	assert_true(f.out.todo & ELECTION_DO_RELEASE && f.out.todo & ELECTION_DO_STOPPED);
}

/* --- the new node --- */

static void
take_over(struct fixture *f)
{
	begin(f, ROLE_ACTIVE, true, true);
	f->peer.message = MESSAGE_TAKE;
	f->peer.message_id = 5;
	f->peer.message_cause = CAUSE_OPERATOR;
	fixture_hear(f);
	assert_false(election_steers(&f->e));
	fixture_hear(f);
	assert_moved(f, ROLE_ACTIVE, CAUSE_OPERATOR);
}

static void
test_it_steers_from_the_claim_to_the_end_of_the_drain(void **state)
{
	struct fixture f;

	(void)state;
	take_over(&f);
	assert_true(election_steers(&f.e)); /* the peer has not heard of it */
	f.peer.message = MESSAGE_NONE;
	fixture_hear(&f);
	assert_true(election_steers(&f.e));
	f.peer.role = ROLE_BACKUP;
	f.peer.draining = true;
	f.peer.holding = false;
	f.peer.term = f.e.term;
	fixture_live(&f, 5 * NS_PER_S);
	assert_true(election_steers(&f.e));
	f.peer.draining = false;
	fixture_hear(&f);
	assert_false(election_steers(&f.e));
}

static void
test_it_stops_steering_to_the_dead(void **state)
{
	struct fixture f;

	(void)state;
	take_over(&f);
	f.peer.role = ROLE_BACKUP;
	f.peer.draining = true;
	f.peer.term = f.e.term;
	fixture_live(&f, NS_PER_S);
	assert_true(election_steers(&f.e));
	fixture_wait_probing(&f, DEAD + INTERVAL, ELECTION_VIP_SILENT);
	assert_false(election_steers(&f.e));
	assert_int_equal(f.e.role, ROLE_ACTIVE);
}

/* Only one steers at a time: it drains now, so the other does. */
static void
test_who_gives_back_steers_no_more(void **state)
{
	struct fixture f;

	(void)state;
	take_over(&f);
	f.peer.role = ROLE_BACKUP;
	f.peer.message = MESSAGE_NONE;
	f.peer.draining = true;
	f.peer.term = f.e.term;
	fixture_live(&f, NS_PER_S);
	fixture_command(&f, ELECTION_FAILOVER, false, false);
	f.peer.draining = false;
	peer_claims(&f);
	assert_true(election_drains(&f.e) && !election_steers(&f.e));
}

/* --- without steering --- */

static void
test_without_steering_nothing_stays(void **state)
{
	static const struct {
		bool self, peer;
	} rows[] = { { false, true }, { true, false }, { false, false } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fixture f;

		begin(&f, ROLE_BACKUP, rows[i].self, rows[i].peer);
		fixture_command(&f, ELECTION_FAILOVER, false, false);
		count(&f, 0);
		peer_claims(&f);
		assert_true(f.done & ELECTION_DO_RELEASE);
		assert_false(election_drains(&f.e));
	}
}

static void
test_without_steering_connections_end_first(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, ROLE_BACKUP, false, true);
	fixture_command(&f, ELECTION_FAILOVER, false, false);
	assert_true(election_counts(&f.e) && !election_drains(&f.e));
	assert_false(f.out.answered || f.done & ELECTION_DO_HUSH);
	assert_int_equal(election_heartbeat(&f.e, f.now).message, MESSAGE_NONE);
	count(&f, 4);
	fixture_live(&f, 5 * NS_PER_S);
	assert_int_equal(election_heartbeat(&f.e, f.now).message, MESSAGE_NONE);
	assert_int_equal(f.e.role, ROLE_ACTIVE);
	count(&f, 0);
	assert_true(f.done & ELECTION_DO_HUSH);
	assert_int_equal(election_heartbeat(&f.e, f.now).message, MESSAGE_TAKE);
	assert_false(election_counts(&f.e));
	peer_claims(&f);
	assert_true(f.out.answered || f.done & ELECTION_DO_RELEASE);
	assert_int_equal(f.e.role, ROLE_BACKUP);
}

static void
test_without_steering_the_wait_has_an_end(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, ROLE_BACKUP, false, false);
	fixture_command(&f, ELECTION_STANDBY, true, false);
	count(&f, 4);
	fixture_live(&f, DRAIN + INTERVAL);
	assert_int_equal(election_heartbeat(&f.e, f.now).message, MESSAGE_TAKE);
	assert_true(f.e.handover.asked);
}

/* What is broken is not waited for. */
static void
test_without_steering_a_fault_moves_at_once(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, ROLE_BACKUP, false, false);
	fixture_command(&f, ELECTION_FAILOVER, false, false);
	count(&f, 4);
	assert_true(f.e.handover.empties);
	track(&f, false, false);
	assert_int_equal(election_heartbeat(&f.e, f.now).message, MESSAGE_TAKE);

	begin(&f, ROLE_BACKUP, false, false);
	track(&f, false, false);
	assert_true(f.e.handover.asked && !f.e.handover.empties);
}

static void
test_without_a_drain_time_nothing_waits(void **state)
{
	struct election_config c = fixture_config();
	struct fixture f;

	(void)state;
	fixture_beside(&f, &c, ROLE_BACKUP);
	track(&f, true, true);
	f.peer.steers = true;
	fixture_hear(&f);
	fixture_clear(&f);
	fixture_command(&f, ELECTION_FAILOVER, false, false);
	assert_false(f.e.handover.empties);
	peer_claims(&f);
	assert_true(f.done & ELECTION_DO_RELEASE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_drains_and_releases_when_all_have_ended),
		cmocka_unit_test(test_it_drains_for_a_moment_at_least),
		cmocka_unit_test(test_it_does_not_drain_for_ever),
		cmocka_unit_test(test_who_drains_claims_when_the_new_node_dies),
		cmocka_unit_test(test_who_drains_takes_the_service_back),
		cmocka_unit_test(test_a_stall_ends_the_drain),
		cmocka_unit_test(test_a_stop_waits_for_the_drain),
		cmocka_unit_test(test_it_steers_from_the_claim_to_the_end_of_the_drain),
		cmocka_unit_test(test_it_stops_steering_to_the_dead),
		cmocka_unit_test(test_who_gives_back_steers_no_more),
		cmocka_unit_test(test_without_steering_nothing_stays),
		cmocka_unit_test(test_without_steering_connections_end_first),
		cmocka_unit_test(test_without_steering_the_wait_has_an_end),
		cmocka_unit_test(test_without_steering_a_fault_moves_at_once),
		cmocka_unit_test(test_without_a_drain_time_nothing_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

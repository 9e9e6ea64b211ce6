/*
 * test_vrrp_election.c - the state machine of RFC 9568 by its tables, our additions, and pairs of
 * machines under random faults, which must end with one Active that holds the addresses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "hafailover/election/vrrp_election.h"

static const int64_t INTERVAL = NS_PER_S / 5, READ_FIRST = NS_PER_MS;

struct fixture {
	struct vrrp_election e;
	int64_t now;
	struct election_out out; /* of the last step */
	unsigned done; /* todo of all steps since clear() */
};

static struct vrrp_election_config
config(void)
{
	return (struct vrrp_election_config){
		.version = 3, .interval_ns = INTERVAL, .lease_ns = NS_PER_S, .preempt = true
	};
}

static void
step(struct fixture *f, const struct election_event *ev)
{
	f->out = vrrp_election_step(&f->e, ev, f->now);
	f->done |= f->out.todo;
}

static void
clear(struct fixture *f)
{
	f->done = 0;
}

/* Goes on in time, and steps whenever that is due. */
static void
pass(struct fixture *f, int64_t ns)
{
	const struct election_event timer = { .type = ELECTION_TIMER };
	int64_t end = f->now + ns;

	while (f->out.timer_ns <= end) {
		f->now = f->out.timer_ns > f->now ? f->out.timer_ns : f->now;
		step(f, &timer);
	}
	f->now = end;
}

static void
track(struct fixture *f, bool eligible, enum cause why, unsigned servers, unsigned priority)
{
	const struct election_event ev = { .type = ELECTION_TRACKED,
		.tracked = { .eligible = eligible,
		    .why = why,
		    .lbd_ready = eligible,
		    .servers_up = (uint16_t)servers,
		    .priority = (uint16_t)priority } };

	step(f, &ev);
}

static void
hear(struct fixture *f, unsigned priority, bool higher)
{
	const struct vrrp_heard h = {
		.priority = (uint8_t)priority, .interval_ns = INTERVAL, .sender_higher = higher
	};

	f->out = vrrp_election_hear(&f->e, &h, f->now);
	f->done |= f->out.todo;
}

static void
start_with(struct fixture *f, const struct vrrp_election_config *c, struct election_start s)
{
	const struct election_event ev = { .type = ELECTION_START, .start = s };

	memset(f, 0, sizeof(*f));
	f->now = 1000 * NS_PER_S;
	vrrp_election_init(&f->e, c);
	step(f, &ev);
}

/* Fit, two servers up, priority 100. */
static void
backup_of(struct fixture *f, const struct vrrp_election_config *c)
{
	start_with(f, c, (struct election_start){ .session = 1 });
	track(f, true, CAUSE_NONE, 2, 100);
	assert_int_equal(f->e.role, ROLE_BACKUP);
	clear(f);
}

static void
backup(struct fixture *f)
{
	const struct vrrp_election_config c = config();

	backup_of(f, &c);
}

static void
active(struct fixture *f)
{
	backup(f);
	pass(f, NS_PER_S);
	assert_int_equal(f->e.role, ROLE_ACTIVE);
	clear(f);
}

static void
failover(struct fixture *f, enum election_target to, bool force)
{
	const struct election_event ev = { .type = ELECTION_FAILOVER, .failover = { to, force } };

	step(f, &ev);
}

static void
standby(struct fixture *f, bool on, bool force)
{
	const struct election_event ev = { .type = ELECTION_STANDBY, .standby = { on, force } };

	step(f, &ev);
}

static void
plain(struct fixture *f, enum election_event_type type)
{
	const struct election_event ev = { .type = type };

	step(f, &ev);
}

static uint8_t
said(const struct fixture *f)
{
	return vrrp_election_advertises(&f->e, f->now);
}

/* --- 6.4.2: Backup --- */

/* Not a nanosecond before, and with what waits to be read, right after it. */
static void
claims_after(struct fixture *f, int64_t ns)
{
	pass(f, ns - 1);
	assert_int_equal(f->e.role, ROLE_BACKUP);
	pass(f, 1 + READ_FIRST);
	assert_int_equal(f->e.role, ROLE_ACTIVE);
}

static void
test_active_down_interval(void **state)
{
	static const struct {
		uint8_t version, priority;
		int64_t interval, skew;
	} rows[] = {
		{ 3, 100, NS_PER_S, 156 * NS_PER_S / 256 },
		{ 3, 254, NS_PER_S, 2 * NS_PER_S / 256 },
		{ 3, 1, NS_PER_S / 100, 255 * (NS_PER_S / 100) / 256 },
		{ 2, 100, NS_PER_S, 156 * NS_PER_S / 256 },
		{ 2, 100, 5 * NS_PER_S, 156 * NS_PER_S / 256 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct vrrp_election_config c = config();
		struct fixture f;

		c.version = rows[i].version;
		c.interval_ns = rows[i].interval;
		start_with(&f, &c, (struct election_start){ .session = 1 });
		track(&f, true, CAUSE_NONE, 1, rows[i].priority);
		claims_after(&f, 3 * rows[i].interval + rows[i].skew);
	}
}

static void
test_a_claim(void **state)
{
	struct fixture f;

	(void)state;
	active(&f);
	assert_int_equal(f.e.cause, CAUSE_VACANT);
	assert_int_equal(said(&f), 100);
	backup(&f);
	pass(&f, NS_PER_S);
	assert_true(f.done & ELECTION_DO_CLAIM && f.done & ELECTION_DO_SEND);
	assert_true(f.done & ELECTION_DO_ANNOUNCE);
	clear(&f);
	pass(&f, INTERVAL);
	assert_int_equal(f.done, ELECTION_DO_SEND);
}

static void
test_backup_is_kept_by_advertisements(void **state)
{
	struct fixture f;

	(void)state;
	backup(&f);
	for (int i = 0; i < 20; i++) {
		hear(&f, 100, false);
		pass(&f, INTERVAL);
	}
	assert_int_equal(f.e.role, ROLE_BACKUP);
	assert_int_equal(f.done, 0);
	claims_after(&f, 3 * INTERVAL + 156 * INTERVAL / 256 - INTERVAL);
	assert_int_equal(f.e.cause, CAUSE_PEER_SILENT);
}

static void
test_priority_0_shortens_it_to_skew_time(void **state)
{
	struct fixture f;

	(void)state;
	backup(&f);
	hear(&f, 200, false);
	hear(&f, 0, false);
	claims_after(&f, 156 * INTERVAL / 256);
	assert_int_equal(f.e.cause, CAUSE_PEER_STOPPED);
}

static void
test_what_waits_to_be_read_comes_first(void **state)
{
	struct fixture f;

	(void)state;
	backup(&f);
	hear(&f, 200, false);
	f.now += 10 * NS_PER_S; /* did not run */
	plain(&f, ELECTION_TIMER);
	assert_int_equal(f.e.role, ROLE_BACKUP);
	hear(&f, 200, false);
	pass(&f, 2 * INTERVAL);
	assert_int_equal(f.e.role, ROLE_BACKUP);
}

/* An unfit Active says 0 with each advertisement; rank 1 makes Skew_Time as long as the interval. */
static void
test_priority_0_again_does_not_put_it_off(void **state)
{
	struct fixture f;

	(void)state;
	backup(&f);
	track(&f, true, CAUSE_NONE, 0, 100);
	hear(&f, 200, false);
	for (int i = 0; i < 3 && f.e.role == ROLE_BACKUP; i++) {
		hear(&f, 0, false);
		pass(&f, INTERVAL);
	}
	assert_int_equal(f.e.role, ROLE_ACTIVE);
}

static void
test_an_active_says_at_once_what_it_is_worth(void **state)
{
	struct fixture f;

	(void)state;
	active(&f);
	pass(&f, INTERVAL / 2);
	clear(&f);
	track(&f, true, CAUSE_NONE, 2, 100); /* as before */
	assert_int_equal(f.out.todo & ELECTION_DO_SEND, 0);
	track(&f, true, CAUSE_NONE, 0, 100);
	assert_true(f.out.todo & ELECTION_DO_SEND);
	track(&f, false, CAUSE_LBD_DOWN, 0, 100);
	assert_true(f.out.todo & ELECTION_DO_SEND);
}

static void
test_a_reload_takes_effect_at_once(void **state)
{
	struct vrrp_election_config c = config();
	struct fixture f;

	(void)state;
	c.version = 2;
	c.interval_ns = 10 * NS_PER_S;
	backup_of(&f, &c);
	c.interval_ns = NS_PER_S;
	vrrp_election_configure(&f.e, &c);
	hear(&f, 200, false);
	claims_after(&f, 3 * NS_PER_S + 156 * NS_PER_S / 256);

	c.interval_ns = 40 * NS_PER_S;
	vrrp_election_configure(&f.e, &c);
	pass(&f, NS_PER_S);
	clear(&f);
	c.interval_ns = NS_PER_S;
	vrrp_election_configure(&f.e, &c);
	step(&f, &(const struct election_event){ .type = ELECTION_TIMER });
	assert_true(f.out.todo & ELECTION_DO_SEND);
	clear(&f);
	pass(&f, NS_PER_S);
	assert_true(f.done & ELECTION_DO_SEND);
}

static void
test_failover_to_no_server(void **state)
{
	struct fixture f;

	(void)state;
	backup(&f);
	track(&f, true, CAUSE_NONE, 0, 100);
	hear(&f, 50, true);
	failover(&f, TARGET_OTHER, true);
	assert_true(f.out.answered);
	assert_int_equal(f.out.refusal, REFUSAL_NO_SERVERS);
	assert_int_equal(f.e.role, ROLE_BACKUP);
}

static void
test_version_3_learns_the_interval(void **state)
{
	struct vrrp_heard h = { .priority = 200, .interval_ns = NS_PER_S };
	struct fixture f;

	(void)state;
	backup(&f);
	f.out = vrrp_election_hear(&f.e, &h, f.now);
	claims_after(&f, 3 * NS_PER_S + 156 * NS_PER_S / 256);
	clear(&f);
	pass(&f, INTERVAL); /* its own is its own */
	assert_int_equal(f.done, ELECTION_DO_SEND);
}

static void
test_preemption(void **state)
{
	struct vrrp_election_config c = config();
	struct fixture f;

	(void)state;
	backup(&f);
	hear(&f, 200, false);
	for (int i = 0; i < 3; i++) {
		hear(&f, 99, true);
		pass(&f, INTERVAL);
		assert_int_equal(f.e.role, ROLE_BACKUP);
	}
	pass(&f, INTERVAL);
	assert_int_equal(f.e.role, ROLE_ACTIVE);
	assert_int_equal(f.e.cause, CAUSE_PREEMPT);
	assert_false(vrrp_election_hears(&f.e, f.now)); /* it was before that */
	c.preempt = false;
	backup_of(&f, &c);
	for (int i = 0; i < 20; i++) {
		hear(&f, 1, false);
		pass(&f, INTERVAL);
	}
	assert_int_equal(f.e.role, ROLE_BACKUP);
}

static void
test_preempt_delay(void **state)
{
	struct vrrp_election_config c = config();
	struct fixture f;
	int64_t since;

	(void)state;
	c.preempt_delay_ns = 5 * NS_PER_S;
	backup_of(&f, &c);
	for (since = f.now; f.e.role == ROLE_BACKUP; pass(&f, INTERVAL))
		hear(&f, 99, false);
	assert_true(f.now - since >= c.preempt_delay_ns + 2 * INTERVAL);
	assert_true(f.now - since <= c.preempt_delay_ns + 5 * INTERVAL);
}

/* --- 6.4.3: Active --- */

static void
test_two_actives(void **state)
{
	static const struct {
		unsigned priority;
		bool higher, lost;
		enum cause cause;
	} rows[] = {
		{ 101, false, true, CAUSE_PREEMPT },
		{ 101, true, true, CAUSE_PREEMPT },
		{ 100, true, true, CAUSE_DUAL_ACTIVE },
		{ 100, false, false, CAUSE_VACANT },
		{ 99, true, false, CAUSE_VACANT },
		{ 0, true, false, CAUSE_VACANT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fixture f;

		active(&f);
		hear(&f, rows[i].priority, rows[i].higher);
		assert_int_equal(f.e.role == ROLE_BACKUP, rows[i].lost);
		assert_int_equal(f.e.cause, rows[i].cause);
		assert_int_equal(!!(f.done & ELECTION_DO_RELEASE), rows[i].lost);
		assert_int_equal(!!(f.done & ELECTION_DO_SEND), !rows[i].lost);
	}
}

static void
test_a_loser_waits_a_whole_interval(void **state)
{
	struct fixture f;

	(void)state;
	active(&f);
	hear(&f, 200, false);
	claims_after(&f, 3 * INTERVAL + 156 * INTERVAL / 256);
}

static void
test_a_winner_says_so_to_everybody(void **state)
{
	struct fixture f;
	int announced = 0;

	(void)state;
	active(&f);
	for (int i = 0; i < 20; i++) {
		clear(&f);
		hear(&f, 50, true);
		assert_true(f.done & ELECTION_DO_SEND);
		announced += !!(f.done & ELECTION_DO_ANNOUNCE);
		pass(&f, INTERVAL);
	}
	assert_in_range(announced, 3, 5); /* once a second of four */
	assert_true(f.e.alarms & ALARM_DUAL_ACTIVE);
	clear(&f);
	pass(&f, NS_PER_S);
	assert_false(f.e.alarms & ALARM_DUAL_ACTIVE);
	assert_true(f.done & ELECTION_DO_ANNOUNCE); /* the other had the last word */
	assert_int_equal(f.e.dual_total_ns, 19 * INTERVAL);
}

static void
test_the_owner(void **state)
{
	const struct vrrp_election_config c = config();
	struct fixture f;

	(void)state;
	start_with(&f, &c, (struct election_start){ .session = 1 });
	track(&f, true, CAUSE_NONE, 1, 255);
	assert_int_equal(f.e.role, ROLE_ACTIVE);
	hear(&f, 254, true);
	assert_int_equal(f.e.role, ROLE_ACTIVE);
}

/* --- tracking --- */

static void
test_unfit_nodes(void **state)
{
	struct fixture f;

	(void)state;
	backup(&f);
	track(&f, false, CAUSE_LBD_DOWN, 0, 100);
	assert_int_equal(f.e.role, ROLE_FAULT);
	assert_int_equal(f.e.cause, CAUSE_LBD_DOWN);
	pass(&f, 60 * NS_PER_S);
	assert_int_equal(f.e.role, ROLE_FAULT);
	assert_true(f.e.alarms & ALARM_NOBODY_ACTIVE);
	track(&f, true, CAUSE_NONE, 2, 100);
	assert_int_equal(f.e.role, ROLE_BACKUP);
	claims_after(&f, 3 * INTERVAL + 156 * INTERVAL / 256);
}

static void
test_an_unfit_active_serves_until_another_comes(void **state)
{
	struct fixture f;

	(void)state;
	active(&f);
	track(&f, false, CAUSE_SCRIPT_FAILED, 2, 100);
	assert_int_equal(said(&f), 0);
	pass(&f, 60 * NS_PER_S);
	assert_int_equal(f.e.role, ROLE_ACTIVE);
	assert_true(f.e.alarms & ALARM_ACTIVE_UNFIT);
	hear(&f, 0, false); /* it is no better: neither answers */
	assert_int_equal(f.e.role, ROLE_ACTIVE);
	hear(&f, 1, false);
	assert_int_equal(f.e.role, ROLE_FAULT);
	assert_int_equal(f.e.cause, CAUSE_SCRIPT_FAILED);
	assert_true(f.done & ELECTION_DO_RELEASE);
}

static void
test_two_that_stop_do_not_answer_each_other(void **state)
{
	struct fixture f;

	(void)state;
	active(&f);
	track(&f, false, CAUSE_SCRIPT_FAILED, 2, 100);
	hear(&f, 0, true); /* one must go, or each goes on for ever */
	assert_int_equal(f.e.role, ROLE_FAULT);
}

static void
test_without_a_link_it_is_over_at_once(void **state)
{
	struct fixture f;

	(void)state;
	active(&f);
	track(&f, false, CAUSE_LINK_DOWN, 2, 100);
	assert_int_equal(f.e.role, ROLE_FAULT);
	assert_true(f.done & ELECTION_DO_RELEASE && f.done & ELECTION_DO_SEND);
	assert_int_equal(said(&f), 0);
}

static void
test_no_server_up_is_priority_1(void **state)
{
	struct fixture f;

	(void)state;
	active(&f);
	track(&f, true, CAUSE_NONE, 0, 100);
	assert_int_equal(said(&f), 1);
	hear(&f, 2, false);
	assert_int_equal(f.e.role, ROLE_BACKUP);
	for (int i = 0; i < 20; i++) {
		hear(&f, 2, false);
		pass(&f, INTERVAL);
	}
	assert_int_equal(f.e.role, ROLE_BACKUP);
	track(&f, true, CAUSE_NONE, 1, 100);
	for (int i = 0; i < 5; i++) {
		hear(&f, 2, false);
		pass(&f, INTERVAL);
	}
	assert_int_equal(f.e.role, ROLE_ACTIVE);
}

static void
test_addresses_that_the_kernel_refuses(void **state)
{
	struct fixture f;

	(void)state;
	active(&f);
	plain(&f, ELECTION_VIP_FAILED);
	assert_int_equal(f.e.role, ROLE_FAULT);
	assert_int_equal(f.e.cause, CAUSE_VIP_FAILED);
	assert_true(f.done & ELECTION_DO_SEND);
	pass(&f, 5 * NS_PER_S);
	assert_int_equal(f.e.role, ROLE_BACKUP);
	active(&f);
	plain(&f, ELECTION_VIP_GONE);
	assert_true(f.done & ELECTION_DO_REFRESH && f.done & ELECTION_DO_ANNOUNCE);
	clear(&f);
	plain(&f, ELECTION_CONFLICT);
	assert_true(f.done & ELECTION_DO_ANNOUNCE && f.e.alarms & ALARM_CONFLICT);
}

/* --- start, stop, stall --- */

static void
test_going_on_after_a_crash(void **state)
{
	static const struct {
		int64_t lease, left;
		bool on;
	} rows[] = {
		{ NS_PER_S, NS_PER_S / 2, true }, /* 500 ms ago; others wait 600 */
		{ NS_PER_S, NS_PER_S / 4, false },
		{ 60 * NS_PER_S, 59 * NS_PER_S, false },
		{ 0, INT64_MAX, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct vrrp_election_config c = config();
		struct fixture f;

		c.lease_ns = rows[i].lease;
		start_with(&f, &c,
		    (struct election_start){
			.session = 1, .held = true, .lease_left_ns = rows[i].left });
		assert_int_equal(!!(f.done & ELECTION_DO_RELEASE), !rows[i].on);
		track(&f, true, CAUSE_NONE, 1, 100);
		assert_int_equal(f.e.role, rows[i].on ? ROLE_ACTIVE : ROLE_BACKUP);
		assert_int_equal(f.e.cause, rows[i].on ? CAUSE_ADOPTED : CAUSE_START);
	}
}

static void
test_who_is_unfit_or_in_standby_does_not_go_on(void **state)
{
	const struct vrrp_election_config c = config();
	struct election_start s = { .session = 1, .held = true, .lease_left_ns = NS_PER_S };
	struct fixture f;

	(void)state;
	start_with(&f, &c, s);
	track(&f, false, CAUSE_LBD_DOWN, 0, 100);
	assert_int_equal(f.e.role, ROLE_FAULT);
	assert_true(f.done & ELECTION_DO_RELEASE);
	s.standby = true;
	start_with(&f, &c, s);
	assert_int_equal(f.e.role, ROLE_STANDBY);
	assert_true(f.done & ELECTION_DO_RELEASE);
}

static void
test_stop(void **state)
{
	struct fixture f;

	(void)state;
	active(&f);
	plain(&f, ELECTION_STOP);
	assert_int_equal(f.e.role, ROLE_ACTIVE); /* until the other one is heard */
	assert_true(f.done & ELECTION_DO_SEND && f.done & ELECTION_DO_HUSH);
	assert_int_equal(said(&f), 0);
	hear(&f, 1, false);
	assert_true(f.done & ELECTION_DO_RELEASE && f.done & ELECTION_DO_STOPPED);
	assert_int_equal(f.e.cause, CAUSE_STOP);
	assert_true(vrrp_election_may_linger(&f.e, &f.out));
	active(&f);
	plain(&f, ELECTION_STOP);
	pass(&f, NS_PER_S); /* nobody comes */
	assert_true(f.done & ELECTION_DO_RELEASE && f.done & ELECTION_DO_STOPPED);
	assert_int_equal(f.out.timer_ns, INT64_MAX);
	backup(&f);
	plain(&f, ELECTION_STOP);
	assert_int_equal(f.done, ELECTION_DO_STOPPED); /* nothing is sent */
}

static void
test_a_stall(void **state)
{
	struct fixture f;

	(void)state;
	active(&f);
	f.now += 3 * INTERVAL + 2;
	plain(&f, ELECTION_TIMER);
	assert_int_equal(f.e.role, ROLE_BACKUP);
	assert_int_equal(f.e.cause, CAUSE_STALL);
	assert_true(f.done & ELECTION_DO_RELEASE && f.done & ELECTION_DO_SEND);
	assert_int_equal(said(&f), 0);
	claims_after(&f, 3 * INTERVAL + 156 * INTERVAL / 256);
	active(&f);
	f.now += 2 * INTERVAL;
	plain(&f, ELECTION_TIMER);
	assert_int_equal(f.e.role, ROLE_ACTIVE);
	plain(&f, ELECTION_STALLED); /* the machine slept */
	assert_int_equal(f.e.role, ROLE_BACKUP);
	backup(&f);
	pass(&f, 3 * INTERVAL);
	plain(&f, ELECTION_STALLED);
	claims_after(&f, 3 * INTERVAL + 156 * INTERVAL / 256);
}

static void
test_a_stalled_active_hears_late(void **state)
{
	struct fixture f;

	(void)state;
	active(&f);
	f.now += NS_PER_S;
	hear(&f, 50, false); /* of a lower priority, but it has claimed */
	assert_int_equal(f.e.role, ROLE_BACKUP);
}

/* --- planned moves --- */

static void
test_failover_away(void **state)
{
	struct fixture f;

	(void)state;
	active(&f);
	failover(&f, TARGET_OTHER, false);
	assert_false(f.out.answered);
	assert_int_equal(f.done, ELECTION_DO_SEND | ELECTION_DO_HUSH);
	assert_int_equal(said(&f), 0);
	failover(&f, TARGET_OTHER, false);
	assert_int_equal(f.out.refusal, REFUSAL_BUSY);
	f.now += INTERVAL;
	hear(&f, 50, false);
	assert_true(f.out.answered);
	assert_int_equal(f.out.refusal, REFUSAL_NONE);
	assert_int_equal(f.e.role, ROLE_BACKUP);
	assert_int_equal(f.e.cause, CAUSE_OPERATOR);
	assert_true(vrrp_election_may_linger(&f.e, &f.out));
	for (int i = 0; i < 50; i++) { /* preemption does not undo it */
		hear(&f, 50, false);
		pass(&f, INTERVAL);
	}
	assert_int_equal(f.e.role, ROLE_BACKUP);
	pass(&f, NS_PER_S); /* the other one dies */
	assert_int_equal(f.e.role, ROLE_ACTIVE);
	assert_int_equal(said(&f), 100);
}

static void
test_failover_to_nobody(void **state)
{
	struct fixture f;

	(void)state;
	active(&f);
	failover(&f, TARGET_PEER, false);
	pass(&f, 500 * NS_PER_MS + 2 * INTERVAL - 1);
	assert_false(f.out.answered);
	clear(&f);
	pass(&f, 1);
	assert_true(f.out.answered);
	assert_int_equal(f.out.refusal, REFUSAL_TIMED_OUT);
	assert_int_equal(f.e.role, ROLE_ACTIVE);
	assert_true(f.done & ELECTION_DO_ANNOUNCE && f.done & ELECTION_DO_SEND);
	assert_int_equal(said(&f), 100);
}

static void
test_failover_here(void **state)
{
	static const struct {
		uint8_t other, want; /* 0: refused */
	} rows[] = { { 50, 100 }, { 100, 101 }, { 200, 201 }, { 253, 254 }, { 254, 0 },
		{ 255, 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fixture f;

		backup(&f);
		hear(&f, rows[i].other, true);
		failover(&f, TARGET_OTHER, false);
		assert_true(f.out.answered);
		assert_int_equal(
		    f.out.refusal, rows[i].want ? REFUSAL_NONE : REFUSAL_PEER_PRIORITY);
		assert_int_equal(said(&f), rows[i].want);
		if (!rows[i].want)
			continue;
		assert_true(f.done & ELECTION_DO_CLAIM);
		hear(&f, 255, false);
		assert_int_equal(f.e.role, ROLE_BACKUP);
		pass(&f, NS_PER_S);
		assert_int_equal(said(&f), 100); /* lifted no more */
	}
}

static void
test_failover_is_refused(void **state)
{
	struct fixture f;

	(void)state;
	backup(&f);
	failover(&f, TARGET_SELF, false);
	assert_int_equal(f.out.refusal, REFUSAL_PEER_UNREACHABLE);
	failover(&f, TARGET_PEER, false);
	assert_int_equal(f.out.refusal, REFUSAL_PEER_UNREACHABLE);
	failover(&f, TARGET_SELF, true);
	assert_int_equal(f.out.refusal, REFUSAL_NONE);
	assert_int_equal(f.e.role, ROLE_ACTIVE);
	failover(&f, TARGET_SELF, false);
	assert_int_equal(f.out.refusal, REFUSAL_ALREADY);
	backup(&f);
	hear(&f, 100, false);
	failover(&f, TARGET_PEER, false);
	assert_int_equal(f.out.refusal, REFUSAL_ALREADY);
	track(&f, false, CAUSE_LBD_DOWN, 0, 100);
	failover(&f, TARGET_SELF, true);
	assert_int_equal(f.out.refusal, REFUSAL_INELIGIBLE);
}

static void
test_standby(void **state)
{
	struct fixture f;

	(void)state;
	backup(&f);
	standby(&f, true, false);
	assert_true(f.out.answered && f.e.role == ROLE_STANDBY);
	pass(&f, 10 * NS_PER_S);
	assert_int_equal(f.e.role, ROLE_STANDBY);
	standby(&f, false, false);
	assert_int_equal(f.e.role, ROLE_BACKUP);
	active(&f);
	standby(&f, true, false);
	assert_false(f.out.answered);
	hear(&f, 50, false);
	assert_true(f.out.answered && f.e.role == ROLE_STANDBY && f.e.standby);
	active(&f);
	standby(&f, true, false);
	pass(&f, 500 * NS_PER_MS + 2 * INTERVAL);
	assert_int_equal(f.out.refusal, REFUSAL_TIMED_OUT);
	assert_true(f.e.role == ROLE_ACTIVE && !f.e.standby);
	standby(&f, true, true);
	pass(&f, 500 * NS_PER_MS + 2 * INTERVAL);
	assert_int_equal(f.out.refusal, REFUSAL_NONE);
	assert_true(f.e.role == ROLE_STANDBY && f.e.standby);
}

static void
test_what_ends_a_planned_move_answers_it(void **state)
{
	struct fixture f;

	(void)state;
	active(&f);
	failover(&f, TARGET_OTHER, false);
	plain(&f, ELECTION_STOP);
	assert_true(f.out.answered);
	assert_int_equal(f.out.refusal, REFUSAL_STOPPING);
	pass(&f, NS_PER_S);
	assert_true(f.done & ELECTION_DO_STOPPED);
	active(&f);
	failover(&f, TARGET_OTHER, false);
	track(&f, false, CAUSE_LINK_DOWN, 2, 100);
	assert_true(f.out.answered);
	assert_int_equal(f.out.refusal, REFUSAL_OVERTAKEN);
}

/* --- pairs --- */

struct pair {
	struct fixture of[2];
	bool up[2], holds[2], cut;
	int64_t now;
	uint64_t random;
};

static unsigned
chance(struct pair *p, unsigned n)
{
	p->random = p->random * 6364136223846793005U + 1442695040888963407U;
	return (unsigned)(p->random >> 33) % n;
}

static void
deeds(struct pair *p, int i)
{
	unsigned todo = p->of[i].done;

	p->of[i].done = 0;
	if (todo & ELECTION_DO_RELEASE)
		p->holds[i] = false;
	if (todo & (ELECTION_DO_CLAIM | ELECTION_DO_REFRESH))
		p->holds[i] = true;
	if (!(todo & ELECTION_DO_SEND) || p->cut || !p->up[1 - i])
		return;
	p->of[1 - i].now = p->now;
	hear(&p->of[1 - i], vrrp_election_advertises(&p->of[i].e, p->now), i == 1);
	deeds(p, 1 - i);
}

static void
boot(struct pair *p, int i)
{
	struct vrrp_election_config c = config();

	c.preempt = p->random % 2;
	backup_of(&p->of[i], &c);
	p->of[i].now = p->now;
	vrrp_election_init(&p->of[i].e, &c);
	step(&p->of[i],
	    &(struct election_event){ .type = ELECTION_START, .start = { .session = 1 } });
	track(&p->of[i], true, CAUSE_NONE, 1, 100 + (unsigned)i * 50);
	p->up[i] = true;
	p->holds[i] = false;
	deeds(p, i);
}

static void
run(struct pair *p, int64_t ns)
{
	const struct election_event timer = { .type = ELECTION_TIMER };
	int64_t end = p->now + ns;

	for (; p->now < end; p->now += NS_PER_MS)
		for (int i = 0; i < 2; i++) {
			p->of[i].now = p->now;
			if (!p->up[i] || p->of[i].out.timer_ns > p->now)
				continue;
			step(&p->of[i], &timer);
			deeds(p, i);
		}
}

static void
mischief(struct pair *p)
{
	int i = (int)chance(p, 2);
	struct fixture *f = &p->of[i];

	f->now = p->now;
	if (!p->up[i]) {
		boot(p, i);
		return;
	}
	switch (chance(p, 7)) {
	case 0:
		p->up[i] = p->holds[i] = false;
		return;
	case 1:
		p->cut = !p->cut;
		return;
	case 2:
		failover(f, (enum election_target)chance(p, 3), chance(p, 2));
		break;
	case 3:
		standby(f, chance(p, 3) == 0, chance(p, 2));
		break;
	case 4:
		track(f, chance(p, 3) > 0, CAUSE_LBD_DOWN, chance(p, 2), 100 + (unsigned)i * 50);
		break;
	case 5:
		plain(f, ELECTION_STALLED);
		break;
	case 6:
		plain(f, ELECTION_VIP_FAILED);
		break;
	}
	deeds(p, i);
}

/* Everything works again, and nobody asks for anything. */
static void
mend(struct pair *p)
{
	p->cut = false;
	for (int i = 0; i < 2; i++) {
		p->of[i].now = p->now;
		if (!p->up[i])
			boot(p, i);
		track(&p->of[i], true, CAUSE_NONE, 1, 100 + (unsigned)i * 50);
		deeds(p, i);
	}
	run(p, 3 * NS_PER_S); /* planned moves end */
	for (int i = 0; i < 2; i++) {
		p->of[i].now = p->now;
		standby(&p->of[i], false, false);
		deeds(p, i);
	}
	run(p, 8 * NS_PER_S);
}

static void
test_pairs_under_faults(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct pair p = { .now = 5000 * NS_PER_S, .random = seed * 977 };
		int n = 0;

		boot(&p, 0);
		boot(&p, 1);
		for (int i = 0; i < 12; i++) {
			run(&p, (int64_t)chance(&p, 1500) * NS_PER_MS);
			mischief(&p);
		}
		mend(&p);
		for (int i = 0; i < 2; i++) {
			bool is = p.of[i].e.role == ROLE_ACTIVE;

			n += is;
			if (is != p.holds[i] || (!is && p.of[i].e.role != ROLE_BACKUP))
				fail_msg("seed %d: node %d", (int)seed, i);
		}
		if (n != 1)
			fail_msg("seed %d: %d are active", (int)seed, n);
	}
}

static void
test_standing(void **state)
{
	struct standing s;
	struct fixture f;

	(void)state;
	backup(&f);
	hear(&f, 120, true);
	s = vrrp_election_standing(&f.e, f.now);
	assert_true(s.role == ROLE_BACKUP && s.peer_reachable && s.priority == 100 && s.term == 0);
	active(&f);
	s = vrrp_election_standing(&f.e, f.now);
	assert_true(s.role == ROLE_ACTIVE && !s.peer_reachable && s.since_ns == f.e.since_ns);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_active_down_interval),
		cmocka_unit_test(test_a_claim),
		cmocka_unit_test(test_backup_is_kept_by_advertisements),
		cmocka_unit_test(test_priority_0_shortens_it_to_skew_time),
		cmocka_unit_test(test_priority_0_again_does_not_put_it_off),
		cmocka_unit_test(test_an_active_says_at_once_what_it_is_worth),
		cmocka_unit_test(test_a_reload_takes_effect_at_once),
		cmocka_unit_test(test_failover_to_no_server),
		cmocka_unit_test(test_what_waits_to_be_read_comes_first),
		cmocka_unit_test(test_version_3_learns_the_interval),
		cmocka_unit_test(test_preemption),
		cmocka_unit_test(test_preempt_delay),
		cmocka_unit_test(test_two_actives),
		cmocka_unit_test(test_a_loser_waits_a_whole_interval),
		cmocka_unit_test(test_a_winner_says_so_to_everybody),
		cmocka_unit_test(test_the_owner),
		cmocka_unit_test(test_unfit_nodes),
		cmocka_unit_test(test_an_unfit_active_serves_until_another_comes),
		cmocka_unit_test(test_two_that_stop_do_not_answer_each_other),
		cmocka_unit_test(test_without_a_link_it_is_over_at_once),
		cmocka_unit_test(test_no_server_up_is_priority_1),
		cmocka_unit_test(test_addresses_that_the_kernel_refuses),
		cmocka_unit_test(test_going_on_after_a_crash),
		cmocka_unit_test(test_who_is_unfit_or_in_standby_does_not_go_on),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_a_stall),
		cmocka_unit_test(test_a_stalled_active_hears_late),
		cmocka_unit_test(test_failover_away),
		cmocka_unit_test(test_failover_to_nobody),
		cmocka_unit_test(test_failover_here),
		cmocka_unit_test(test_failover_is_refused),
		cmocka_unit_test(test_standby),
		cmocka_unit_test(test_what_ends_a_planned_move_answers_it),
		cmocka_unit_test(test_pairs_under_faults),
		cmocka_unit_test(test_standing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * test_election_vote.c - with a witness nobody is Active without two of three votes: whose votes
 * count, for how long, and what an Active does that loses them.  The witness is witness_rule.c.
 */
#include "hafailover/election/election.h"
#include "tests/unit/election_fixture.h"

enum { HERE = 1, THERE = 2 };

static const int64_t SECOND = NS_PER_S;

struct world {
	struct fixture f;
	struct witness_lease lease;
	struct witness_terms terms;
	bool up; /* the witness */
	unsigned takes; /* how often it was asked for its vote */
	int64_t asked_ns; /* for the last time */
};

static int64_t
vote(void)
{
	return witness_lease_ns(SECOND);
}

/* What a vote of that length is worth to who counts from `from`. */
static int64_t
counted(int64_t from, int64_t ns)
{
	return from + ns - ns / 16;
}

static void
answer(struct world *w, struct witness_answer a)
{
	const struct election_event ev = { .type = ELECTION_WITNESS, .witness = a };

	fixture_step(&w->f, &ev);
}

/* The witness and the empty network answer at once. */
static void
respond(struct world *w)
{
	for (;;) {
		unsigned todo = w->f.out.todo;
		struct witness_request r = w->f.out.witness;

		w->f.out.todo = 0;
		if (todo & ELECTION_DO_WITNESS) {
			w->takes += r.wish == WITNESS_TAKE;
			w->asked_ns = w->f.now;
		}
		if (todo & ELECTION_DO_WITNESS && w->up)
			answer(w, witness_decide(&w->lease, &w->terms, HERE, &r, w->f.now));
		else if (!fixture_probed(&w->f, ELECTION_VIP_SILENT))
			return;
	}
}

static void
drive(struct world *w, int64_t ns)
{
	static const struct election_event timer = { .type = ELECTION_TIMER };
	int64_t until = w->f.now + ns;

	while (w->f.out.timer_ns <= until) {
		w->f.now = w->f.out.timer_ns;
		fixture_step(&w->f, &timer);
		respond(w);
	}
	w->f.now = until;
}

static void
live(struct world *w, int64_t ns)
{
	for (; ns > 0; ns -= INTERVAL) {
		fixture_hear(&w->f);
		respond(w);
		drive(w, INTERVAL);
	}
	fixture_hear(&w->f);
	respond(w);
}

static void
begin(struct world *w, struct election_start start)
{
	struct election_config c = fixture_config();

	memset(w, 0, sizeof(*w));
	c.witness = true;
	fixture_init(&w->f, &c, start);
	w->terms.longest_ns = vote();
	w->up = true;
	fixture_track(&w->f, true, CAUSE_NONE);
	respond(w);
}

/* Alone with the witness for a while. */
static void
alone(struct world *w)
{
	begin(w, (struct election_start){ .term = 5 });
	drive(w, 3 * SECOND);
	assert_int_equal(w->f.e.role, ROLE_ACTIVE);
	fixture_clear(&w->f);
}

/* Beside a peer that is not Active, and lends its vote; or that is. */
static void
beside(struct world *w, enum role peer)
{
	begin(w, (struct election_start){ .term = 5 });
	w->f.peer.role = peer;
	w->f.peer.holding = peer == ROLE_ACTIVE;
	w->f.peer.term = 5;
	w->f.peer.priority = 1;
	w->f.peer.vote_ns = peer == ROLE_ACTIVE ? 0 : vote();
	live(w, 3 * SECOND);
	assert_int_equal(w->f.e.role, peer == ROLE_ACTIVE ? ROLE_BACKUP : ROLE_ACTIVE);
	fixture_clear(&w->f);
}

/* What it says next. */
static struct heartbeat
said(struct world *w)
{
	return election_heartbeat(&w->f.e, w->f.now);
}

/* It may have lent its vote before it started: it waits until that is over. */
static void
test_start_waits(void **state)
{
	struct world w;
	int64_t started;

	(void)state;
	begin(&w, (struct election_start){ .term = 5 });
	started = w.f.now;
	drive(&w, vote() - 1);
	assert_int_equal(w.f.e.role, ROLE_BACKUP);
	assert_int_equal(w.takes, 0);
	drive(&w, 1);
	assert_int_equal(w.f.e.role, ROLE_ACTIVE);
	assert_int_equal(w.f.e.cause, CAUSE_PEER_SILENT);
	assert_true(w.f.now == started + vote());
	assert_true(w.f.done & ELECTION_DO_CLAIM);
	assert_int_equal(w.lease.holder, HERE);
}

/* The addresses are still there: adopted at once if the witness still counts this node ... */
static void
test_adoption(void **state)
{
	const struct election_start held = { .term = 5, .held = true, .lease_left_ns = SECOND };
	struct world w;

	(void)state;
	begin(&w, held);
	w.lease = (struct witness_lease){ .holder = HERE, .until_ns = w.f.now + SECOND };
	drive(&w, DEAD + INTERVAL);
	assert_int_equal(w.f.e.role, ROLE_ACTIVE);
	assert_int_equal(w.f.e.cause, CAUSE_ADOPTED);

	/* ... else the own vote may be lent, and one vote is not enough. */
	begin(&w, held);
	drive(&w, SECOND - 1);
	assert_int_equal(w.f.e.role, ROLE_INITIALIZE);
	assert_int_equal(w.takes, 0);
	drive(&w, 1);
	assert_true(w.f.done & ELECTION_DO_RELEASE);
	assert_int_not_equal(w.f.e.role, ROLE_ACTIVE);
	drive(&w, 2 * SECOND);
	assert_int_equal(w.f.e.role, ROLE_ACTIVE);
	assert_int_equal(w.f.e.cause, CAUSE_PEER_SILENT);

	/* The peer's vote does as well: it would not lend it if it had ours. */
	begin(&w, held);
	w.up = false;
	w.f.peer.vote_ns = vote();
	live(&w, DEAD);
	assert_int_equal(w.f.e.cause, CAUSE_ADOPTED);
}

/* A grant is counted from when it was asked for, whenever it comes. */
static void
test_grant_counts_from_question(void **state)
{
	struct world w;
	int64_t asked;
	uint32_t id;

	(void)state;
	alone(&w);
	w.up = false;
	w.asked_ns = 0;
	while (!w.asked_ns)
		drive(&w, NS_PER_MS);
	asked = w.asked_ns;
	id = w.f.e.vote.ask_id;
	drive(&w, INTERVAL / 2);
	answer(&w,
	    (struct witness_answer){
		.id = id, .verdict = WITNESS_GRANTED, .yours = true, .left_ns = vote() });
	assert_true(w.f.e.vote.witness_until_ns == counted(asked, vote()));
	assert_true(election_vote_bound(&w.f.e) == counted(asked, vote()) - SECOND / 16);
	/* what was answered already, or was never asked, says nothing */
	answer(&w, (struct witness_answer){ .id = id, .verdict = WITNESS_HELD });
	answer(&w, (struct witness_answer){ .id = id + 1, .verdict = WITNESS_HELD });
	answer(&w, (struct witness_answer){ .id = id - 1, .verdict = WITNESS_HELD });
	assert_true(w.f.e.vote.witness_until_ns == counted(asked, vote()));
	drive(&w, INTERVAL);
	answer(&w, (struct witness_answer){ .id = w.f.e.vote.ask_id, .verdict = WITNESS_HELD });
	assert_true(w.f.e.vote.witness_until_ns == 0);
}

static void
hear(struct world *w, uint64_t heard)
{
	struct election_event ev = { .type = ELECTION_HEARTBEAT };

	w->f.peer.sequence++;
	w->f.peer.heard = heard;
	ev.heartbeat.content = w->f.peer;
	fixture_step(&w->f, &ev);
}

/* So is a vote of the peer: from when we sent what it answers. */
static void
test_peer_counts_from_heartbeat(void **state)
{
	struct world w;
	uint64_t sent;
	int64_t at, until;

	(void)state;
	beside(&w, ROLE_BACKUP);
	sent = said(&w).sequence;
	at = w.f.now;
	drive(&w, INTERVAL / 2);
	hear(&w, sent);
	assert_true(w.f.e.vote.peer_until_ns == counted(at, vote()));
	until = w.f.e.vote.peer_until_ns;
	hear(&w, sent - 20); /* older: it is worth less, and takes nothing away */
	assert_true(w.f.e.vote.peer_until_ns == until);
	sent = said(&w).sequence;
	w.f.peer.vote_ns = vote() / 2; /* it counts in shorter ones */
	drive(&w, INTERVAL / 2);
	w.f.e.vote.peer_until_ns = 0;
	hear(&w, sent);
	assert_true(w.f.e.vote.peer_until_ns < w.f.now + vote() / 2);
	w.f.peer.vote_ns = 0;
	until = w.f.e.vote.peer_until_ns;
	hear(&w, said(&w).sequence);
	assert_true(w.f.e.vote.peer_until_ns == until);
}

/* A vote that was lent for an earlier claim may be somebody else's by now. */
static void
test_votes_of_an_earlier_want(void **state)
{
	struct world w;
	uint64_t before;

	(void)state;
	beside(&w, ROLE_ACTIVE);
	w.up = false;
	w.f.peer.role = ROLE_BACKUP;
	w.f.peer.holding = false;
	hear(&w, said(&w).sequence);
	before = said(&w).sequence;
	hear(&w, before); /* the answer: nobody is Active, so this node wants to be */
	assert_int_equal(w.f.e.vote.want, CAUSE_VACANT);
	assert_int_equal(said(&w).want, CAUSE_VACANT);
	w.f.peer.vote_ns = vote();
	hear(&w, before);
	assert_int_equal(w.f.e.role, ROLE_BACKUP);
	assert_true(w.f.e.vote.peer_until_ns == 0);
	hear(&w, w.f.e.sequence);
	assert_int_equal(w.f.e.role, ROLE_ACTIVE);
}

/* The addresses are gone from the kernel before anybody else can have the votes. */
static void
test_lost_votes(void **state)
{
	struct world w;
	int64_t last;

	(void)state;
	alone(&w);
	w.up = false;
	last = w.f.e.vote.witness_until_ns;
	assert_true(last > w.f.now && last <= w.f.now + vote());
	while (w.f.e.role == ROLE_ACTIVE) {
		fixture_clear(&w.f);
		drive(&w, NS_PER_MS);
		assert_true(w.f.now < last);
		if (w.f.done & ELECTION_DO_REFRESH)
			assert_true(w.f.now + SECOND <= last);
	}
	assert_true(w.f.done & ELECTION_DO_RELEASE);
	assert_int_equal(w.f.last.cause, CAUSE_NO_VOTE);
	assert_true(election_vote_bound(&w.f.e) == INT64_MAX);
	drive(&w, 5 * SECOND);
	assert_int_equal(w.f.e.role, ROLE_BACKUP);
	assert_true(w.f.e.alarms & ALARM_NO_VOTE && w.f.e.alarms & ALARM_WITNESS_SILENT);
	w.up = true;
	drive(&w, SECOND);
	assert_int_equal(w.f.e.role, ROLE_ACTIVE);
	assert_false(w.f.e.alarms & (ALARM_NO_VOTE | ALARM_WITNESS_SILENT));
}

/* Nodes that hear each other need no witness. */
static void
test_without_witness(void **state)
{
	struct world w;

	(void)state;
	beside(&w, ROLE_BACKUP);
	w.up = false;
	live(&w, 10 * SECOND);
	assert_int_equal(w.f.e.role, ROLE_ACTIVE);
	assert_int_equal(w.f.changes, 0);
	assert_true(w.f.e.alarms & ALARM_WITNESS_SILENT);
	assert_false(election_witness_answers(&w.f.e, w.f.now));
	assert_true(election_votes(&w.f.e, w.f.now).peer);
	assert_false(election_votes(&w.f.e, w.f.now).witness);
}

/* A Backup lends its vote to the Active, and has none to claim with until that has run out. */
static void
test_lends(void **state)
{
	struct world w;
	int64_t heard;

	(void)state;
	beside(&w, ROLE_ACTIVE);
	assert_true(said(&w).vote_ns == vote());
	heard = w.f.e.peer.last_ns;
	assert_true(w.f.e.vote.given_until_ns == heard + vote());
	assert_false(election_votes(&w.f.e, w.f.now).own);
	drive(&w, heard + vote() - 1 - w.f.now);
	assert_int_equal(w.f.e.vote.want, CAUSE_PEER_SILENT);
	assert_int_equal(w.f.e.role, ROLE_BACKUP);
	assert_int_equal(w.takes, 0);
	drive(&w, 1);
	assert_int_equal(w.f.e.role, ROLE_ACTIVE);
}

/* It is its own again when the peer neither is Active, nor wants to be, nor has the addresses. */
static void
test_void(void **state)
{
	static const struct {
		enum role role;
		enum cause want;
		bool holding, freed;
	} rows[] = {
		{ ROLE_BACKUP, CAUSE_NONE, false, true },
		{ ROLE_BACKUP, CAUSE_NONE, true, false },
		{ ROLE_BACKUP, CAUSE_VACANT, false, false },
		{ ROLE_ACTIVE, CAUSE_NONE, true, false },
	};
	struct world w;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		beside(&w, ROLE_ACTIVE);
		said(&w);
		assert_true(w.f.e.vote.given_until_ns > w.f.now);
		w.f.peer.role = rows[i].role;
		w.f.peer.want = rows[i].want;
		w.f.peer.holding = rows[i].holding;
		w.f.peer.priority = 200;
		hear(&w, w.f.e.sequence);
		assert_int_equal(w.f.e.vote.given_until_ns > w.f.now, !rows[i].freed);
	}
}

/* An Active keeps its vote but for a planned move; having lent it, it goes when nothing is heard. */
static void
test_active_lends(void **state)
{
	struct world w;

	(void)state;
	beside(&w, ROLE_BACKUP);
	w.f.peer.want = CAUSE_PEER_SILENT;
	w.f.peer.vote_ns = 0;
	live(&w, INTERVAL);
	assert_true(said(&w).vote_ns == 0);
	w.f.peer.want = CAUSE_NONE;
	w.f.peer.vote_ns = vote();
	live(&w, INTERVAL);
	fixture_command(&w.f, ELECTION_FAILOVER, false, false);
	respond(&w);
	assert_true(said(&w).vote_ns == 0); /* the peer has not asked for it yet */
	w.f.peer.want = CAUSE_OPERATOR;
	w.f.peer.vote_ns = 0;
	hear(&w, w.f.e.sequence);
	assert_true(said(&w).vote_ns == vote());
	assert_int_equal(w.f.e.role, ROLE_ACTIVE);
	assert_true(election_votes(&w.f.e, w.f.now).witness); /* which is not enough now */
	drive(&w, DEAD + INTERVAL);
	assert_int_equal(w.f.e.role, ROLE_BACKUP);
	assert_int_equal(w.f.last.cause, CAUSE_NO_VOTE);
}

/* The better of two that want it gets the other's vote. */
static void
test_better_one_gets_it(void **state)
{
	struct world w;

	(void)state;
	for (int better = 0; better < 2; better++) {
		beside(&w, ROLE_ACTIVE);
		w.up = false;
		w.f.peer.role = ROLE_BACKUP;
		w.f.peer.holding = false;
		w.f.peer.want = CAUSE_VACANT;
		w.f.peer.priority = better ? 200 : 1;
		live(&w, 2 * INTERVAL);
		assert_int_equal(said(&w).vote_ns > 0, better);
	}
}

/* One that must not serve gives the witness's vote to the peer that asks there for it. */
static void
test_unfit_makes_room(void **state)
{
	const struct witness_request wants = { 1, WITNESS_TAKE, false, SECOND };
	struct world w;

	(void)state;
	alone(&w);
	fixture_track(&w.f, false, CAUSE_LBD_DOWN);
	drive(&w, 5 * SECOND);
	assert_int_equal(w.f.e.role, ROLE_ACTIVE); /* nobody else is there */
	witness_decide(&w.lease, &w.terms, THERE, &wants, w.f.now);
	drive(&w, 2 * INTERVAL);
	assert_int_equal(w.f.e.role, ROLE_FAULT);
	assert_int_equal(w.f.last.cause, CAUSE_LBD_DOWN);
	assert_int_equal(w.lease.holder, WITNESS_NOBODY); /* given back */

	alone(&w);
	witness_decide(&w.lease, &w.terms, THERE, &wants, w.f.now);
	drive(&w, SECOND);
	assert_int_equal(w.f.e.role, ROLE_ACTIVE); /* a fit one stays */
}

/* An operator's order waits for a vote; what cannot be had is refused. */
static void
test_order(void **state)
{
	struct world w;
	bool answered = false;

	(void)state;
	begin(&w, (struct election_start){ .term = 5 });
	w.up = false;
	drive(&w, 3 * SECOND);
	assert_int_equal(w.f.e.role, ROLE_BACKUP);
	fixture_command(&w.f, ELECTION_FAILOVER, false, true);
	assert_false(w.f.out.answered);
	for (int i = 0; i < 3000 && !answered; i++) {
		static const struct election_event timer = { .type = ELECTION_TIMER };

		w.f.now += NS_PER_MS;
		fixture_step(&w.f, &timer);
		answered = w.f.out.answered;
	}
	assert_true(answered);
	assert_int_equal(w.f.out.refusal, REFUSAL_NO_VOTE);
	fixture_command(&w.f, ELECTION_FAILOVER, false, true);
	w.up = true;
	w.f.out.todo |= ELECTION_DO_WITNESS;
	drive(&w, SECOND);
	assert_int_equal(w.f.e.role, ROLE_ACTIVE);
	assert_int_equal(w.f.e.cause, CAUSE_OPERATOR);
}

/* The witness lends for less than our addresses need. */
static void
test_witness_refuses(void **state)
{
	struct world w;

	(void)state;
	begin(&w, (struct election_start){ .term = 5 });
	w.terms.longest_ns = vote() - 1;
	drive(&w, 5 * SECOND);
	assert_int_equal(w.f.e.role, ROLE_BACKUP);
	assert_true(w.f.e.alarms & ALARM_WITNESS_REFUSES && w.f.e.alarms & ALARM_NO_VOTE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start_waits),
		cmocka_unit_test(test_adoption),
		cmocka_unit_test(test_grant_counts_from_question),
		cmocka_unit_test(test_peer_counts_from_heartbeat),
		cmocka_unit_test(test_votes_of_an_earlier_want),
		cmocka_unit_test(test_lost_votes),
		cmocka_unit_test(test_without_witness),
		cmocka_unit_test(test_lends),
		cmocka_unit_test(test_void),
		cmocka_unit_test(test_active_lends),
		cmocka_unit_test(test_better_one_gets_it),
		cmocka_unit_test(test_unfit_makes_room),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_witness_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

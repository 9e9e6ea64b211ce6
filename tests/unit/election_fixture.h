/* election_fixture.h - one election, a clock that tests turn, and a peer made of words. */
#ifndef ELECTION_FIXTURE_H
#define ELECTION_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "hafailover/election/election.h"

enum { OWN = 0xa, PEER = 0xb };

struct fixture {
	struct election e;
	struct heartbeat peer; /* what it says next */
	int64_t now;
	struct election_out out; /* of the last step */
	unsigned done; /* todo of all steps since fixture_clear */
	struct election_transition last; /* transition */
	unsigned changes;
};

static const int64_t INTERVAL = 100 * NS_PER_MS, DEAD = 300 * NS_PER_MS;

static inline struct election_config
fixture_config(void)
{
	return (struct election_config){
		.order = 0,
		.peer_order = 1,
		.paths = 2,
		.digest = 7,
		.interval_ns = INTERVAL,
		.dead_after = 3,
		.lease_ns = NS_PER_S,
		.probe = true,
		.moves = 4,
		.moves_within_ns = 60 * NS_PER_S,
		.handover_ns = NS_PER_S,
	};
}

static inline void
fixture_clear(struct fixture *f)
{
	f->done = 0;
	f->changes = 0;
	memset(&f->last, 0, sizeof(f->last));
}

static inline void
fixture_step(struct fixture *f, const struct election_event *ev)
{
	f->out = election_step(&f->e, ev, f->now);
	f->done |= f->out.todo;
	f->changes += f->out.n_transitions;
	if (f->out.n_transitions)
		f->last = f->out.transitions[f->out.n_transitions - 1];
	if (f->out.todo & ELECTION_DO_SEND)
		election_heartbeat(&f->e, f->now);
}

/* Time goes by; the timer is served as promised. */
static inline void
fixture_wait(struct fixture *f, int64_t ns)
{
	static const struct election_event timer = { .type = ELECTION_TIMER };
	int64_t until = f->now + ns;

	while (f->out.timer_ns <= until) {
		assert_true(f->out.timer_ns > f->now);
		f->now = f->out.timer_ns;
		fixture_step(f, &timer);
	}
	f->now = until;
}

/* The peer is heard on both paths, and says that it has heard our newest heartbeat. */
static inline void
fixture_hear(struct fixture *f)
{
	struct election_event ev = { .type = ELECTION_HEARTBEAT };

	f->peer.sequence++;
	f->peer.heard = f->e.sequence;
	ev.heartbeat.content = f->peer;
	fixture_step(f, &ev);
	ev.heartbeat.path = 1;
	fixture_step(f, &ev);
}

/* As fixture_wait, with the peer's heartbeats in between. */
static inline void
fixture_live(struct fixture *f, int64_t ns)
{
	for (; ns > 0; ns -= INTERVAL) {
		fixture_hear(f);
		fixture_wait(f, ns < INTERVAL ? ns : INTERVAL);
	}
	fixture_hear(f);
}

static inline void
fixture_track(struct fixture *f, bool eligible, enum cause why)
{
	struct election_event ev = { .type = ELECTION_TRACKED };

	ev.tracked = (struct election_track){ .eligible = eligible,
		.why = why,
		.lbd_ready = eligible,
		.servers_up = eligible ? 2 : 0,
		.priority = 100 };
	fixture_step(f, &ev);
}

/* Answers the probe that the machine asked for; false: none is under way. */
static inline bool
fixture_probed(struct fixture *f, enum election_vip result)
{
	struct election_event ev = { .type = ELECTION_PROBED };

	if (!f->e.probe.pending)
		return false;
	ev.probed.id = f->e.probe.id;
	ev.probed.result = result;
	ev.probed.by_peer = true;
	fixture_step(f, &ev);
	return true;
}

/* As fixture_wait; every probe is answered so at once. */
static inline void
fixture_wait_probing(struct fixture *f, int64_t ns, enum election_vip result)
{
	int64_t until = f->now + ns;

	while (f->now < until) {
		int64_t next = f->out.timer_ns < until ? f->out.timer_ns : until;

		fixture_wait(f, next - f->now);
		while (fixture_probed(f, result))
			;
	}
}

static inline void
fixture_init(struct fixture *f, const struct election_config *c, struct election_start start)
{
	struct election_event ev = { .type = ELECTION_START, .start = start };

	memset(f, 0, sizeof(*f));
	f->now = 1000 * NS_PER_S;
	f->peer = (struct heartbeat){ .session = PEER,
		.heard_session = OWN,
		.hears = 3,
		.order = 1,
		.role = ROLE_BACKUP,
		.eligible = true,
		.lbd_ready = true,
		.servers_up = 2,
		.priority = 100,
		.digest = 7,
		.interval_ns = INTERVAL,
		.dead_ns = DEAD };
	election_init(&f->e, c);
	ev.start.session = OWN;
	fixture_step(f, &ev);
}

/* Started and fit, beside a Backup (then Active with term 6) or an Active with term 5. */
static inline void
fixture_beside(struct fixture *f, const struct election_config *c, enum role peer)
{
	fixture_init(f, c, (struct election_start){ .term = 5 });
	fixture_track(f, true, CAUSE_NONE);
	f->peer.role = peer;
	f->peer.term = 5;
	f->peer.holding = peer == ROLE_ACTIVE;
	f->peer.order = f->e.config.peer_order;
	if (peer == ROLE_BACKUP)
		f->peer.priority = 1; /* so that it is not the better one */
	fixture_live(f, INTERVAL);
	fixture_live(f, INTERVAL);
	f->peer.priority = 100;
	f->peer.term = f->e.term;
	fixture_live(f, 5 * NS_PER_S);
	assert_int_equal(f->e.role, peer == ROLE_ACTIVE ? ROLE_BACKUP : ROLE_ACTIVE);
	fixture_clear(f);
}

static inline void
fixture_command(struct fixture *f, enum election_event_type type, bool on, bool force)
{
	struct election_event ev = { .type = type };

	if (type == ELECTION_FAILOVER)
		ev.failover.force = force;
	if (type == ELECTION_STANDBY) {
		ev.standby.on = on;
		ev.standby.force = force;
	}
	fixture_step(f, &ev);
}

#define assert_moved(f, to_, cause_)                                                               \
	do {                                                                                       \
		assert_int_equal((f)->changes, 1);                                                 \
		assert_string_equal(role_name((f)->last.to), role_name(to_));                      \
		assert_string_equal(cause_name((f)->last.cause), cause_name(cause_));              \
	} while (0)

#endif

/*
 * judge.h - what may never happen, checked while a schedule runs.
 *
 *  1. Two holders: not for longer than it takes to tell.  Both kernels may hold the addresses
 *     - planned: from the claim until the first heartbeat of the claimer reaches the other, which
 *       then lingers (rule 12);
 *     - while the nodes hear nothing of each other and neither sees the other's address;
 *     - after a claim over an address behind which nothing serves, until its lease ends or the
 *       first heartbeat arrives;
 *     - for a machine that was paused: from its waking until its first step, or, where its clock
 *       stood still as well, until the first heartbeat of the other arrives.
 *     So: heartbeats of one direction arrive steadily and both still hold after
 *     JUDGE_DUAL_DEADS dead intervals, or they see each other's address for JUDGE_SEEN_DEADS
 *     (with leases: once the later claim is older than one and a half of them; without: if the one
 *     that is to yield has heard its peer since it claimed): wrong.
 *  2. Nobody claims over an address that serves and that it can see, unless by agreement or order;
 *     nor before the dead interval, nor unfit, nor in standby.  Over one behind which nothing
 *     serves only after two dead intervals.
 *  3. An Active that hears a fit Active with a higher term is not Active after that step.
 *  4. Every change has a cause, and that cause was real.
 *  5. Planned moves: the other one holds before this one releases, and had asked.
 *  6. Terms only grow; each claim has a higher one than whatever the claimer knew.
 *  7. Moves are bounded by the number of faults.
 *  8. Commands are answered in time.
 *  9. When all is well again: one Active within JUDGE_SETTLE_NS, the right one, and then no change.
 * 10. A fit node is Active within JUDGE_TAKE_DEADS when it neither hears an Active peer nor sees
 *     the peer's address serve.
 * 11. Who wakes from a stall is not Active after its first step; who is cut off from clients and
 *     peer not after JUDGE_ISOLATED_DEADS.
 * 12. Who has handed over by agreement, an order or a preference, and nobody else, lingers: holds on
 *     for the time that is set, counted while it runs.  The other holds when that begins, its own lbd
 *     is ready; it is not Active, the other does not linger, too, and a stall ends it.  A drain is
 *     that for its own time, or until the last connection has ended, and not less.
 * 13. With a witness nobody else ever holds: two holders only in a planned move, for a dead interval,
 *     where who lingered has died, or where a clock stood still.
 * 14. With a witness the fit node that keeps it, while the other hears neither, is Active within
 *     JUDGE_KEPT_NS.
 * 15. Who steers is Active and does not drain.  While the nodes hear each other, an Active steers
 *     to a peer that drains, and to no other, but for two dead intervals.
 */
#ifndef SIMULATION_JUDGE_H
#define SIMULATION_JUDGE_H

#include "tests/simulation/faults.h"
#include "tests/simulation/world.h"

#define JUDGE_SETTLE_NS (6 * NS_PER_S)
#define JUDGE_KEPT_NS (3 * NS_PER_S / 2) /* with a lease of a second */
enum {
	JUDGE_DUAL_DEADS = 3,
	JUDGE_SEEN_DEADS = 5,
	JUDGE_TAKE_DEADS = 8,
	JUDGE_ISOLATED_DEADS = 4,
	JUDGE_MOVES_FREE = 4,
	JUDGE_MOVES_PER_FAULT = 4,
};

/* Over all schedules. */
struct judge_totals {
	uint64_t schedules, steps, claims[CAUSE_N], changes[CAUSE_N], dual[CAUSE_N];
	int64_t dual_max_ns[CAUSE_N], dual_told_ns[CAUSE_N]; /* by cause of the later claim */
	uint64_t commands, commands_done;
	unsigned moves_max;
	int64_t settle_max_ns;
	uint64_t lingers, drains, emptied;
	int64_t linger_max_ns; /* both held so long, by design */
};

struct judge {
	struct judge_totals *totals;
	char verdict[256]; /* "": nothing wrong */

	uint64_t real; /* bit per cause: there was a reason for it */
	int64_t heard_ns[NODES]; /* last heartbeat that a step of the node has seen, global time */
	uint64_t term[NODES]; /* highest seen in this life */
	int64_t sees_since_ns[NODES]; /* the other's address serves and is visible */
	unsigned unlucky[NODES]; /* probes in a row that were lost by chance */
	int64_t started_ns[NODES];
	bool held[NODES]; /* when it started */
	int64_t halted_ns[NODES]; /* the daemon does not run since; 0: it runs */
	int64_t asked_ns[NODES]; /* last said TAKE */
	int64_t lonely_ns[NODES]; /* rule 10 holds since; 0: not */
	int64_t cut_off_ns[NODES]; /* neither clients nor peer since; 0: not so */
	int64_t hit_ns[NODES]; /* last fault that touched it */
	int64_t became_ns[NODES], left_ns[NODES]; /* Active */
	int64_t took_ns[NODES]; /* last, by agreement, order or preference */
	int64_t lingers_ns[NODES]; /* since, or since it woke; 0: does not linger */
	int64_t linger_limit_ns[NODES];
	int64_t overlap_ns; /* both hold and one lingers, since; 0: not so */
	int64_t lost_ns[NODES]; /* rule 15 does not hold since; 0: it does */

	int64_t dual_ns, told_from_ns, told_ns, seen_from_ns;
	enum cause dual_cause;
	bool agreed; /* the last claim was on a TAKE */
	int64_t left_until_ns[NODES]; /* its kernel may have what it did not serve with any more */
	int64_t dual_delay_ns; /* the longest way of a packet since both hold */
	int64_t kept_ns[NODES]; /* rule 14 holds since; 0: not */
	unsigned moves, faults;
	unsigned commands[NODES]; /* unanswered */
	int64_t command_ns[NODES]; /* the last of them */
	int64_t changed_ns; /* last change of any role */
	enum cause last_claim;
};

void judge_init(struct judge *, struct judge_totals *);

/* After a step of `node`, before anything of it is done; and what was until then. */
struct judge_was {
	enum role role;
	uint64_t term;
	unsigned silent; /* probes of the address */
	uint64_t session, sequence; /* newest heartbeat of the peer */
	bool drains;
	int64_t stepped_ns;
};
void judge_step(struct world *, unsigned node, struct judge_was, const struct election_event *,
    const struct election_out *);

/* A heartbeat was taken in by that step. */
void judge_heard(struct world *, unsigned node, const struct packet *);
void judge_started(struct world *, unsigned node);
void judge_died(struct world *, unsigned node);
void judge_fault(struct world *, enum fault_type, unsigned node);
void judge_probed(struct world *, unsigned node, bool lost);
void judge_woke(struct world *, unsigned node, int64_t stood_ns);
void judge_command(struct world *, unsigned node);

/* Private to judge*.c. */
__attribute__((format(printf, 2, 3))) void judge_wrong(struct world *, const char *format, ...);
int64_t judge_dead_ns(const struct world *);
int64_t judge_delay_ns(const struct world *);
int64_t judge_slack_ns(const struct world *, int64_t ns); /* clocks run apart, timers are late */
/* The other one holds, or did so until it was hurt, or until what is under way was sent. */
bool judge_other_holds(const struct world *, unsigned node);

/* After each happening. */
void judge_look(struct world *);
void judge_end(struct world *);

#endif

/*
 * witness_rule.h - to whom a witness lends its vote: one lease for each pair.  Pure: no socket, no
 * clock.
 *
 * Only who has the lease renews it; the other one waits until it has run out or was given back.  A
 * witness that has just started does not know what it has lent before.  So for the longest time that
 * it ever lends for it grants nothing new; a node that still has its lease says so, and goes on.
 * A node counts from when it asked, the witness from when it answers: the node's end comes first.
 */
#ifndef HAFAILOVER_ELECTION_WITNESS_RULE_H
#define HAFAILOVER_ELECTION_WITNESS_RULE_H

#include <stdbool.h>
#include <stdint.h>

enum witness_wish {
	WITNESS_LOOK, /* only tell how it stands */
	WITNESS_TAKE, /* lend it to me, or for longer */
	WITNESS_GIVE_BACK, /* the addresses are off */
	WITNESS_WISHES,
};

struct witness_request {
	uint32_t id; /* the answer has the same */
	enum witness_wish wish;
	bool has; /* by an earlier answer it has the lease now */
	int64_t lease_ns;
};

enum witness_verdict {
	WITNESS_GRANTED,
	WITNESS_HELD,
	WITNESS_FREE,
	WITNESS_QUIET, /* just started: for left_ns nothing new is granted */
	WITNESS_TOO_LONG, /* it does not lend for so long */
	WITNESS_VERDICTS,
};

struct witness_answer {
	uint32_t id;
	enum witness_verdict verdict;
	bool yours; /* GRANTED, HELD: who asked has it, not the other */
	bool wanted; /* it is yours, and the other one has asked for it within its length */
	int64_t left_ns; /* GRANTED, HELD: of the lease; QUIET: of that */
};

enum { WITNESS_NOBODY = 0 };

/* The lease of a pair.  All zero: nobody has it. */
struct witness_lease {
	unsigned holder; /* WITNESS_NOBODY, or one of two numbers of the caller's */
	int64_t until_ns;
	int64_t wanted_until_ns; /* the other one wants it; 0: not */
};

struct witness_terms {
	int64_t quiet_until_ns;
	int64_t longest_ns;
};

struct witness_answer witness_decide(struct witness_lease *, const struct witness_terms *,
    unsigned who, const struct witness_request *, int64_t now_ns);

/* The lease that goes with addresses which the kernel keeps for address_lease_ns. */
int64_t witness_lease_ns(int64_t address_lease_ns);

/* "granted", "held", ... */
const char *witness_verdict_name(enum witness_verdict);

#endif

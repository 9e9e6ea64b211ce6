/*
 * witness_table.h - a witness of many pairs: who asks, is it new, and what is answered.  Pure: no
 * socket, no clock.
 *
 * Replays are refused without synchronised clocks.  Each start of a node is a session, named by 64
 * random bits, and its questions are numbered: within a session only a higher number is news.
 * Another session is believed only if it echoes the pair's present challenge, which changes with each
 * session that is accepted, and with each start of the witness: whatever was recorded before cannot
 * have it.  A question that does not is answered by the challenge, and asked again.
 *
 * What a pair has here is of one size whatever it sends: two nodes, by name.  A third name takes the
 * place of one that has nothing and was not heard for as long as votes are lent.  A pair begins, at
 * the start or with a new configuration, by lending nothing new for as long: who had its vote from
 * an earlier life of this witness is not known.
 */
#ifndef HAFAILOVER_PEER_WITNESS_TABLE_H
#define HAFAILOVER_PEER_WITNESS_TABLE_H

#include "hafailover/peer/witness_wire.h"

enum { WITNESS_PAIRS_MAX = 1024 };

/* What became of a packet; those after _CHALLENGED are not answered. */
enum witness_result {
	WITNESS_ANSWERED,
	WITNESS_CHALLENGED,
	WITNESS_OLD, /* seen before, overtaken, or replayed */
	WITNESS_STRANGER, /* a third node of a pair that has two */
	WITNESS_UNKNOWN, /* of no pair that is configured here */
	WITNESS_FORGED,
	WITNESS_OTHER_VERSION,
	WITNESS_MALFORMED,
	WITNESS_RESULTS,
};

struct witness_node {
	char name[WIRE_NAME_MAX + 1]; /* "": free */
	uint64_t session;
	uint32_t seen; /* highest number */
	int64_t heard_ns;
};

struct witness_pair {
	char name[WIRE_NAME_MAX + 1]; /* as the witness's operator calls it */
	struct witness_key key;
	struct witness_node nodes[2]; /* the holder of the lease is 1 or 2: index + 1 */
	struct witness_lease lease;
	struct witness_terms terms;
	uint64_t challenge;
	uint64_t count[WITNESS_RESULTS], granted;
};

struct witness_table {
	uint64_t host; /* this start of the witness; random, not 0 */
	struct witness_pair *pairs; /* [n], by number; the caller's */
	size_t n;
	uint64_t lost[WITNESS_RESULTS]; /* packets of no pair */
};

/* `terms.longest_ns` is the witness's, quiet_until_ns counts from now. */
void witness_pair_init(struct witness_pair *, const char *name, const struct witness_key *,
    int64_t longest_ns, int64_t now_ns);

/* By number.  False: two pairs have the same secret; *a and *b are their names. */
bool witness_table_sort(struct witness_table *, const char **a, const char **b);

/* Pairs with the same secret go on where they are in the other table, under their new names. */
void
witness_table_inherit(struct witness_table *, const struct witness_table *from, int64_t longest_ns);

/* A packet came.  `reply` is to be sent back where it came from if the result has one. */
struct witness_heard {
	enum witness_result result;
	struct witness_pair *pair; /* NULL: of none */
	const struct witness_node *node; /* that asked; NULL: not known */
	bool lent, ended; /* its vote was lent to another than before; was given back */
	uint8_t reply[WITNESS_WIRE_SIZE];
};
void witness_table_hear(
    struct witness_table *, struct str packet, int64_t now_ns, struct witness_heard *);

/* Has that node the pair's vote now?  NULL: nobody has. */
const struct witness_node *witness_pair_holder(const struct witness_pair *, int64_t now_ns);

/* "answered", "old", ... */
const char *witness_result_name(enum witness_result);

#endif

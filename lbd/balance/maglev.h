/*
 * maglev.h - a lookup table for consistent hashing, after Eisenbud and others, "Maglev" (NSDI
 * 2016).  Pure.
 *
 * Each member wants the table's places in an order of its own, which its name decides; they take
 * turns, as often as their weights say, and take the first place on their list that is still free.
 * So shares are exact to a place, and a member that comes or goes moves little more than its own
 * share.  The table is a function of names and weights, whatever their order.  The finished table
 * is an interface, like hash.h: it decides who sticks to whom.
 */
#ifndef LBD_BALANCE_MAGLEV_H
#define LBD_BALANCE_MAGLEV_H

#include <stdint.h>

#include "common/str.h"
#include "lbd/balance/hash.h"

/*
 * Places, a prime: a server of a thousand still gets 65, and shares are that exact.  One size for
 * all pools: with another size everybody moves, so no number of servers may be the one at which it
 * changes.
 */
enum { MAGLEV_SIZE = 65537 };

struct maglev {
	uint32_t n;
	uint16_t *table; /* [MAGLEV_SIZE] of members */
	struct maglev_member *members; /* [n] in the order of turns */
};

/*
 * For members 0..n-1; add their names, then build.  0 < n < 65535.  0 or -ENOMEM; maglev_fini in
 * either case.
 */
int maglev_init(struct maglev *, uint32_t n);
void maglev_fini(struct maglev *);
void maglev_name(struct maglev *, uint32_t member, struct str name);

/*
 * Weights by member, at least one of them positive.  Nobody of weight 0 is in the table, everybody
 * else is.
 */
void maglev_build(struct maglev *, const uint32_t *weights);

static inline uint32_t
maglev_pick(const struct maglev *m, uint64_t hash)
{
	return m->table[hash_scale(hash, MAGLEV_SIZE)];
}

#endif

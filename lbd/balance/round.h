/*
 * round.h - whose turn is it?  Smooth weighted round robin over members 0..n-1.  Pure.
 *
 * In every round of W turns (W = sum of weights) a member of weight w gets exactly w, spread
 * evenly: its k-th turn is due within the k-th w-th part of the round, and of those that are due
 * the one whose part ends first goes (earliest eligible virtual deadline first).  So 5:1:1 gives a
 * b a a c a a, never aaaaabc.  A turn costs O(log n), with equal weights O(1).
 *
 * round_update keeps what members have had of the present round; whoever joins or changes weight is
 * taken to have had a fair part of it, so that a server coming back gets no burst.
 */
#ifndef LBD_BALANCE_ROUND_H
#define LBD_BALANCE_ROUND_H

#include <stdbool.h>
#include <stdint.h>

struct round {
	uint32_t n; /* members that there may be */
	uint32_t n_members; /* of weight > 0 */
	uint32_t turn, total; /* turns taken of this round, and W */
	uint32_t *weight, *taken; /* [n] */
	uint32_t after_last; /* the member that had the last turn, plus 1 */
	bool equal; /* all weights the same: members take turns in order of `members` */
	uint32_t *members; /* [n_members] in ascending order, with equal weights */
	uint64_t *due, *waiting; /* heaps, with unequal weights; see round.c */
	uint32_t n_due, n_waiting;
	uint64_t work; /* members moved or looked at so far: what turns cost */
};

/* Nobody is a member yet.  n < 65536.  0 or -ENOMEM; round_fini in either case. */
int round_init(struct round *, uint32_t n);
void round_fini(struct round *);

/* Weights for all n, 0 for those that are no members, each below 65536. */
void round_update(struct round *, const uint32_t *weights);

/* The member whose turn it is.  There must be one. */
uint32_t round_next(struct round *);

#endif

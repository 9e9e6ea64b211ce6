/*
 * choice.h - one of n by weight, from a 64-bit number, in O(1): Walker's alias method in integers.
 * Pure.
 *
 * The number may be random or a hash: the same number and weights give the same answer on every
 * machine.  With equal weights the answer is number * n / 2^64.
 */
#ifndef LBD_BALANCE_CHOICE_H
#define LBD_BALANCE_CHOICE_H

#include <stdint.h>

struct choice {
	uint32_t n;
	uint64_t total; /* sum of weights */
	uint64_t *cut; /* [n] of `total` parts of column i, this many are i's, ... */
	uint32_t *other; /* [n] ... and the rest belong to this one */
	uint32_t *stack; /* [n] for choice_build */
};

/* 0 or -ENOMEM; choice_fini in either case. */
int choice_init(struct choice *, uint32_t n);
void choice_fini(struct choice *);

/* At least one weight must be positive. */
void choice_build(struct choice *, const uint32_t *weights);

uint32_t choice_pick(const struct choice *, uint64_t number);

#endif

/*
 * hash.h - 64-bit hashing that gives the same number on every machine, for ever.
 *
 * Which server a client sticks to hangs on these numbers: they are an interface, as a file format
 * is, and tests pin them.  Both nodes of a pair, every worker and every later version must agree.
 * Not keyed and not cryptographic: whoever may choose the key can choose the server.
 */
#ifndef LBD_BALANCE_HASH_H
#define LBD_BALANCE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* XXH64 with seed 0. */
uint64_t balance_hash(const void *bytes, size_t n);

/* One to one, every bit depends on every bit: the finaliser of SplitMix64. */
static inline uint64_t
hash_mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* The next number of the sequence that starts at *state: SplitMix64. */
static inline uint64_t
hash_next(uint64_t *state)
{
	*state += UINT64_C(0x9e3779b97f4a7c15);
	return hash_mix(*state);
}

/* A number in 0..n-1, as x is in 0..2^64-1; by the high bits of x. */
static inline uint64_t
hash_scale(uint64_t x, uint64_t n)
{
	return (uint64_t)(((unsigned __int128)x * n) >> 64);
}

#endif

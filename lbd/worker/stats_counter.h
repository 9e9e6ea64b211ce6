/*
 * stats_counter.h - a number that one thread counts up and others may read.
 *
 * Relaxed, and written as load + store because there is one writer: no locked instruction.
 */
#ifndef LBD_WORKER_STATS_COUNTER_H
#define LBD_WORKER_STATS_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

typedef _Atomic uint64_t counter; /* the one typedef: it reads as what it is */

static inline void
counter_add(counter *c, uint64_t n)
{
	atomic_store_explicit(
	    c, atomic_load_explicit(c, memory_order_relaxed) + n, memory_order_relaxed);
}

static inline uint64_t
counter_get(const counter *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

#endif

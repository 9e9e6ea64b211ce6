/*
 * limit.h - a count that threads share and that never goes above its limit, not even for a moment: whoever looks
 * meanwhile would take a place for taken, and nobody would tell it otherwise.
 */
#ifndef LBD_BALANCE_LIMIT_H
#define LBD_BALANCE_LIMIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* One more, if that is within the limit. */
static inline bool
limit_take(_Atomic uint32_t *count, uint32_t limit)
{
	uint32_t n = atomic_load(count);

	while (n < limit)
		if (atomic_compare_exchange_weak(count, &n, n + 1))
			return true;
	return false;
}

#endif

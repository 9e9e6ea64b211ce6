/*
 * delay.h - how late this process runs when it wants to: what heartbeats and leases depend on.  Pure.
 *
 * A histogram since the start, and the worst of this and the last minute.
 */
#ifndef HAFAILOVER_ADMIN_DELAY_H
#define HAFAILOVER_ADMIN_DELAY_H

#include <stdint.h>

#include "common/clock.h"

enum { DELAY_BOUNDS = 10 };

extern const struct delay_bound {
	int64_t ns;
	const char *seconds;
} delay_bounds[DELAY_BOUNDS];

struct delay {
	uint64_t buckets[DELAY_BOUNDS + 1]; /* each alone, the last one without a bound */
	uint64_t n;
	int64_t sum_ns;
	int64_t minute; /* number of the present one */
	int64_t worst_ns, worst_before_ns; /* of it and of the one before */
};

void delay_add(struct delay *, int64_t late_ns, int64_t now_ns);
int64_t delay_worst_ns(const struct delay *, int64_t now_ns);

#endif

/*
 * clock.h - time as this project counts it: CLOCK_MONOTONIC in nanoseconds, in an int64_t.
 *
 * Names carry the unit (`_ns`, `_us`, `_ms`).  Wall-clock time is only for logs.  Pure code takes
 * `now` as an argument and includes nothing but the conversions below.
 */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

static inline int64_t
clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* Wall-clock time since 1970 in nanoseconds, for logs only. */
static inline int64_t
clock_wall_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

#endif

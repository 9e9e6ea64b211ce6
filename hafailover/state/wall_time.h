/* wall_time.h - wall-clock time as RFC 3339 in UTC with milliseconds, for people. */
#ifndef HAFAILOVER_STATE_WALL_TIME_H
#define HAFAILOVER_STATE_WALL_TIME_H

#include <stdio.h>

#include "common/clock.h"

struct wall_time {
	char text[48];
};

static inline struct wall_time
wall_time_text(int64_t wall_ns)
{
	time_t second = (time_t)(wall_ns / NS_PER_S);
	struct wall_time w;
	char stamp[32];
	struct tm tm;

	gmtime_r(&second, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(w.text, sizeof(w.text), "%s.%03dZ", stamp, (int)(wall_ns % NS_PER_S / NS_PER_MS));
	return w;
}

#endif

/*
 * when.h - times and spans as people read them.  Pure.
 */
#ifndef HAFAILOVER_HACTL_WHEN_H
#define HAFAILOVER_HACTL_WHEN_H

#include "common/str.h"

/* RFC 3339 in UTC, with or without a fraction: since 1970 in nanoseconds.  0 or -EINVAL. */
int when_parse(struct str, int64_t *wall_ns);

/* "850 ms", "12 s", "3 min 20 s", "2 h 5 min", "3 d 4 h"; less than nothing is nothing. */
enum { WHEN_TEXT_MAX = 48 };
struct when_text {
	char text[WHEN_TEXT_MAX];
};
struct when_text when_span(int64_t ns);

/* How long ago that was; "" if `time` is none. */
struct when_text when_since(struct str time, int64_t now_wall_ns);

#endif

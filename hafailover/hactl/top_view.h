/*
 * top_view.h - what `hactl top` shows, from two moments of lbd.  Pure.
 */
#ifndef HAFAILOVER_HACTL_TOP_VIEW_H
#define HAFAILOVER_HACTL_TOP_VIEW_H

#include <jansson.h>

#include "common/err.h"
#include "hafailover/hactl/display.h"
#include "hafailover/hactl/traffic.h"

/* One moment. */
struct top_moment {
	int64_t at_ns; /* 0: there is none */
	json_t *status, *servers; /* lbd's answers */
	struct traffic traffic;
	bool has_traffic;
	struct err why; /* not */
};

/* Rates need `before`, of the same proxy process; without it they are shown as "-". */
struct top_view {
	const struct top_moment *now, *before;
	struct look look;
};

void top_view_print(const struct top_view *, struct text *);

#endif

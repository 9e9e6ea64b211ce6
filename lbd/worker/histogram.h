/*
 * histogram.h - how long things took.  Pure: `now` is an argument.
 *
 * struct histogram has the fixed buckets that Prometheus wants, since the process started.
 * struct histogram_minute has log-linear buckets (16 to an octave, from 1 us to 73 minutes; what
 * is longer counts as the longest) of the last minute, in a ring of slices of 10 seconds: a
 * quantile is within 5 % of the exact one.  One thread adds; another may read meanwhile and sees
 * a moment's blur at worst.
 *
 * Readers sum the histograms of all workers into a ..._sum and ask that.
 */
#ifndef LBD_WORKER_HISTOGRAM_H
#define LBD_WORKER_HISTOGRAM_H

#include "lbd/worker/stats_counter.h"

enum { HISTOGRAM_BOUNDS = 15, HISTOGRAM_BUCKETS = HISTOGRAM_BOUNDS + 1 };

struct histogram_bound {
	int64_t ns;
	const char *seconds; /* the same as a metric's `le` */
};
extern const struct histogram_bound histogram_bounds[HISTOGRAM_BOUNDS];

struct histogram {
	counter buckets[HISTOGRAM_BUCKETS]; /* each alone, not cumulated; the last has no bound */
	counter sum_ns;
};

struct histogram_sum {
	uint64_t buckets[HISTOGRAM_BUCKETS];
	uint64_t count, sum_ns;
};

void histogram_add(struct histogram *, int64_t ns);
void histogram_sum_add(struct histogram_sum *, const struct histogram *);

enum {
	MINUTE_SLICE_S = 10,
	MINUTE_SLICES = 6, /* summed; one more is kept, so that none is cleared while it is read */
	MINUTE_BUCKETS = 528
};

struct histogram_minute {
	struct {
		_Atomic int64_t tick; /* which 10 seconds, + 1; 0: empty */
		_Atomic uint32_t buckets[MINUTE_BUCKETS];
	} slices[MINUTE_SLICES + 1];
};

struct histogram_minute_sum {
	uint64_t buckets[MINUTE_BUCKETS];
	uint64_t count;
};

void histogram_minute_add(struct histogram_minute *, int64_t ns, int64_t now_ns);

/* Adds the slices that are younger than a minute at `now_ns`. */
void histogram_minute_sum_add(
    struct histogram_minute_sum *, const struct histogram_minute *, int64_t now_ns);

/* The duration that `permille` of all did not exceed (nearest rank).  -1: there was none. */
int64_t histogram_quantile(const struct histogram_minute_sum *, unsigned permille);

#endif

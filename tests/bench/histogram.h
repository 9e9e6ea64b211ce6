/*
 * histogram.h - log-linear counts of durations: 64 steps per power of two, so within 1.6 %.
 *
 * Nanoseconds up to 2^40 (18 minutes); whatever is longer counts as that.
 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_STEP_BITS = 6, HISTOGRAM_BITS = 40 };
enum { HISTOGRAM_STEPS = 1 << HISTOGRAM_STEP_BITS };
enum { HISTOGRAM_BUCKETS = (HISTOGRAM_BITS - HISTOGRAM_STEP_BITS + 1) * HISTOGRAM_STEPS };

struct histogram {
	uint64_t total;
	uint64_t counts[HISTOGRAM_BUCKETS];
};

static inline unsigned
histogram_bucket(int64_t ns)
{
	uint64_t v = ns < 0 ? 0 : (uint64_t)ns;
	unsigned shift;

	if (v >= UINT64_C(1) << HISTOGRAM_BITS)
		return HISTOGRAM_BUCKETS - 1;
	if (v < HISTOGRAM_STEPS)
		return (unsigned)v;
	shift = 63 - (unsigned)__builtin_clzll(v) - HISTOGRAM_STEP_BITS;
	return (shift + 1) * HISTOGRAM_STEPS + (unsigned)(v >> shift) - HISTOGRAM_STEPS;
}

/* The middle of a bucket. */
static inline double
histogram_value(unsigned bucket)
{
	unsigned shift = bucket / HISTOGRAM_STEPS;
	double low = bucket % HISTOGRAM_STEPS;

	if (!shift)
		return low;
	return (low + HISTOGRAM_STEPS + 0.5) * (double)(UINT64_C(1) << (shift - 1));
}

static inline void
histogram_add(struct histogram *h, int64_t ns)
{
	h->counts[histogram_bucket(ns)]++;
	h->total++;
}

/* The value that a share of all values (0..1) does not exceed. */
static inline double
histogram_quantile(const struct histogram *h, double share)
{
	uint64_t rank = (uint64_t)(share * (double)h->total), seen = 0;
	unsigned i;

	if (rank >= h->total)
		rank = h->total ? h->total - 1 : 0;
	for (i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += h->counts[i];
		if (seen > rank)
			return histogram_value(i);
	}
	return 0;
}

#endif

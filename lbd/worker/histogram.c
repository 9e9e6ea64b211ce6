/*
 * histogram.c - buckets, sums and quantiles.
 *
 * Log-linear: a value is counted in units of 64 ns.  Its highest bit names the octave, the four
 * below it one of 16 buckets there; so a bucket is at most 1/16 of its values wide, and its
 * middle is within 1/32 (3.2 %) of each of them.
 */
#include "lbd/worker/histogram.h"

#include <string.h>

#include "common/check.h"
#include "common/clock.h"

const struct histogram_bound histogram_bounds[HISTOGRAM_BOUNDS] = {
	{ 500 * NS_PER_US, "0.0005" },
	{ 1 * NS_PER_MS, "0.001" },
	{ 2500 * NS_PER_US, "0.0025" },
	{ 5 * NS_PER_MS, "0.005" },
	{ 10 * NS_PER_MS, "0.01" },
	{ 25 * NS_PER_MS, "0.025" },
	{ 50 * NS_PER_MS, "0.05" },
	{ 100 * NS_PER_MS, "0.1" },
	{ 250 * NS_PER_MS, "0.25" },
	{ 500 * NS_PER_MS, "0.5" },
	{ 1 * NS_PER_S, "1" },
	{ 2500 * NS_PER_MS, "2.5" },
	{ 5 * NS_PER_S, "5" },
	{ 10 * NS_PER_S, "10" },
	{ 30 * NS_PER_S, "30" },
};

void
histogram_add(struct histogram *h, int64_t ns)
{
	unsigned i = 0;

	while (i < HISTOGRAM_BOUNDS && ns > histogram_bounds[i].ns)
		i++;
	counter_add(&h->buckets[i], 1);
	counter_add(&h->sum_ns, (uint64_t)ns);
}

void
histogram_sum_add(struct histogram_sum *sum, const struct histogram *h)
{
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		uint64_t n = counter_get(&h->buckets[i]);

		sum->buckets[i] += n;
		sum->count += n;
	}
	sum->sum_ns += counter_get(&h->sum_ns);
}

enum { UNIT_BITS = 6, SUB_BITS = 4, VALUE_BITS = 36 };
_Static_assert(MINUTE_BUCKETS == (VALUE_BITS - SUB_BITS + 1) << SUB_BITS, "buckets of all octaves");

static unsigned
bucket_of(int64_t ns)
{
	uint64_t v = (uint64_t)ns >> UNIT_BITS;
	unsigned octave;

	if (v >> SUB_BITS == 0)
		return (unsigned)v;
	if (v >> VALUE_BITS)
		return MINUTE_BUCKETS - 1;
	octave = 63u - (unsigned)__builtin_clzll(v) - SUB_BITS;
	return (octave << SUB_BITS) + (unsigned)(v >> octave);
}

/* The middle of a bucket. */
static int64_t
bucket_value(unsigned bucket)
{
	unsigned octave = bucket >> SUB_BITS;
	uint64_t units = bucket;

	if (octave)
		octave--; /* the first two octaves' buckets are one unit wide */
	units -= (uint64_t)octave << SUB_BITS;
	return (
	    int64_t)(((units << octave) << UNIT_BITS) + ((UINT64_C(1) << octave << UNIT_BITS) / 2));
}

static int64_t
tick_of(int64_t now_ns)
{
	return now_ns / (MINUTE_SLICE_S * NS_PER_S) + 1;
}

void
histogram_minute_add(struct histogram_minute *m, int64_t ns, int64_t now_ns)
{
	int64_t tick = tick_of(now_ns);
	size_t i = (size_t)(tick % (MINUTE_SLICES + 1));
	_Atomic uint32_t *b = &m->slices[i].buckets[bucket_of(ns)];

	if (atomic_load_explicit(&m->slices[i].tick, memory_order_relaxed) != tick) {
		for (unsigned k = 0; k < MINUTE_BUCKETS; k++)
			atomic_store_explicit(&m->slices[i].buckets[k], 0, memory_order_relaxed);
		atomic_store_explicit(&m->slices[i].tick, tick, memory_order_release);
	}
	atomic_store_explicit(
	    b, atomic_load_explicit(b, memory_order_relaxed) + 1, memory_order_relaxed);
}

void
histogram_minute_sum_add(
    struct histogram_minute_sum *sum, const struct histogram_minute *m, int64_t now_ns)
{
	int64_t now = tick_of(now_ns);

	for (size_t i = 0; i < MINUTE_SLICES + 1; i++) {
		int64_t tick = atomic_load_explicit(&m->slices[i].tick, memory_order_acquire);

		if (tick == 0 || tick <= now - MINUTE_SLICES)
			continue;
		for (unsigned k = 0; k < MINUTE_BUCKETS; k++) {
			uint32_t n =
			    atomic_load_explicit(&m->slices[i].buckets[k], memory_order_relaxed);

			sum->buckets[k] += n;
			sum->count += n;
		}
	}
}

int64_t
histogram_quantile(const struct histogram_minute_sum *sum, unsigned permille)
{
	uint64_t rank = (sum->count * permille + 999) / 1000, seen = 0;

	CHECK(permille >= 1 && permille <= 1000);
	for (unsigned k = 0; k < MINUTE_BUCKETS; k++) {
		seen += sum->buckets[k];
		if (sum->buckets[k] && seen >= rank)
			return bucket_value(k);
	}
	return -1;
}

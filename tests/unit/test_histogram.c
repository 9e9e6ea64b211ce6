/* test_histogram.c - buckets at their bounds, quantiles against exact ones, the minute that passes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/clock.h"
#include "lbd/worker/histogram.h"

static uint64_t
next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void
test_bounds_rise_and_say_what_they_are(void **state)
{
	(void)state;
	for (int i = 0; i < HISTOGRAM_BOUNDS; i++) {
		double seconds = strtod(histogram_bounds[i].seconds, NULL);

		assert_int_equal(histogram_bounds[i].ns, (int64_t)(seconds * 1e9 + 0.5));
		if (i)
			assert_true(histogram_bounds[i].ns > histogram_bounds[i - 1].ns);
	}
}

static void
test_a_bound_belongs_to_its_bucket(void **state)
{
	(void)state;
	for (unsigned i = 0; i < HISTOGRAM_BOUNDS; i++) {
		struct histogram h = { 0 };
		struct histogram_sum sum = { 0 };

		histogram_add(&h, histogram_bounds[i].ns);
		histogram_add(&h, histogram_bounds[i].ns + 1);
		histogram_sum_add(&sum, &h);
		assert_int_equal(sum.buckets[i], 1);
		assert_int_equal(sum.buckets[i + 1], 1);
		assert_int_equal(sum.count, 2);
		assert_int_equal(sum.sum_ns, 2 * histogram_bounds[i].ns + 1);
	}
}

static void
test_sums_add_up(void **state)
{
	struct histogram a = { 0 }, b = { 0 };
	struct histogram_sum sum = { 0 };

	(void)state;
	histogram_add(&a, 0);
	histogram_add(&a, 2 * NS_PER_MS);
	histogram_add(&b, 2 * NS_PER_MS);
	histogram_add(&b, 3600 * NS_PER_S);
	histogram_sum_add(&sum, &a);
	histogram_sum_add(&sum, &b);
	assert_int_equal(sum.count, 4);
	assert_int_equal(sum.buckets[0], 1);
	assert_int_equal(sum.buckets[2], 2);
	assert_int_equal(sum.buckets[HISTOGRAM_BOUNDS], 1);
	assert_int_equal(sum.sum_ns, 3600 * NS_PER_S + 4 * NS_PER_MS);
}

static int64_t
quantile_of(const struct histogram_minute *m, int64_t now_ns, unsigned permille)
{
	struct histogram_minute_sum sum = { 0 };

	histogram_minute_sum_add(&sum, m, now_ns);
	return histogram_quantile(&sum, permille);
}

static void
assert_near(int64_t found, int64_t exact)
{
	double error = ((double)found - (double)exact) / (double)exact;

	if (error > 0.05 || error < -0.05)
		fail_msg("%lld is not within 5 %% of %lld", (long long)found, (long long)exact);
}

/* Every octave, the edges of its buckets and what lies between. */
static void
test_one_value_is_found_within_five_percent(void **state)
{
	uint64_t seed = 42;

	(void)state;
	for (unsigned bits = 10; bits < 42; bits++)
		for (unsigned i = 0; i < 200; i++) {
			struct histogram_minute m = { 0 };
			int64_t low = INT64_C(1) << bits, at = low;

			if (i == 1)
				at = 2 * low - 1;
			else if (i > 1)
				at = low + (int64_t)(next_random(&seed) % (uint64_t)low);
			histogram_minute_add(&m, at, 0);
			assert_near(quantile_of(&m, 0, 1), at);
			assert_near(quantile_of(&m, 0, 1000), at);
		}
}

static void
test_what_is_too_long_is_the_longest(void **state)
{
	struct histogram_minute m = { 0 };

	(void)state;
	histogram_minute_add(&m, INT64_MAX, 0);
	assert_near(quantile_of(&m, 0, 500), (INT64_C(1) << 42) - 1);
}

static int
compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

enum { VALUES = 10000 };

static int64_t
value_uniform(uint64_t r)
{
	return 1000 + (int64_t)(r % (50 * (uint64_t)NS_PER_MS));
}

static int64_t
value_two_humps(uint64_t r)
{
	int64_t base = r % 20 ? 300 * NS_PER_US : 2 * NS_PER_S;

	return base + (int64_t)((r >> 8) % (uint64_t)base);
}

static int64_t
value_over_all_octaves(uint64_t r)
{
	return (int64_t)((r >> 22 | 1) >> (r % 32)) + 1024;
}

static void
test_quantiles_are_within_five_percent(void **state)
{
	static int64_t (*const shapes[])(
	    uint64_t) = { value_uniform, value_two_humps, value_over_all_octaves };
	static const unsigned permilles[] = { 1, 500, 950, 990, 999, 1000 };
	static int64_t values[VALUES];
	uint64_t seed = 7;

	(void)state;
	for (size_t s = 0; s < sizeof(shapes) / sizeof(*shapes); s++) {
		struct histogram_minute m = { 0 };

		for (size_t i = 0; i < VALUES; i++) {
			values[i] = shapes[s](next_random(&seed));
			histogram_minute_add(&m, values[i], (int64_t)i * NS_PER_MS);
		}
		qsort(values, VALUES, sizeof(*values), compare);
		for (size_t q = 0; q < sizeof(permilles) / sizeof(*permilles); q++) {
			size_t rank = (VALUES * permilles[q] + 999) / 1000;

			assert_near(quantile_of(&m, 10 * NS_PER_S, permilles[q]), values[rank - 1]);
		}
	}
}

static void
test_nothing_has_no_quantile(void **state)
{
	struct histogram_minute m = { 0 };

	(void)state;
	assert_int_equal(quantile_of(&m, 0, 500), -1);
	assert_int_equal(quantile_of(&m, 3600 * NS_PER_S, 500), -1);
}

/* What was added in one slice is seen for 50 to 60 seconds, whenever one looks. */
static void
test_a_minute_passes(void **state)
{
	struct histogram_minute m = { 0 };
	int64_t start = 1234560 * NS_PER_S;

	(void)state;
	histogram_minute_add(&m, NS_PER_MS, start + 9 * NS_PER_S);
	assert_near(quantile_of(&m, start + 9 * NS_PER_S, 500), NS_PER_MS);
	assert_near(quantile_of(&m, start + 59 * NS_PER_S, 500), NS_PER_MS);
	assert_int_equal(quantile_of(&m, start + 60 * NS_PER_S, 500), -1);
}

static void
test_old_slices_are_used_again(void **state)
{
	struct histogram_minute m = { 0 };
	struct histogram_minute_sum sum;

	(void)state;
	for (int64_t second = 0; second < 1000; second++) {
		histogram_minute_add(&m, (second + 1) * NS_PER_MS, second * NS_PER_S);
		sum = (struct histogram_minute_sum){ 0 };
		histogram_minute_sum_add(&sum, &m, second * NS_PER_S);
		assert_int_equal(sum.count, second < 60 ? second + 1 : 51 + second % 10);
		assert_near(histogram_quantile(&sum, 1000), (second + 1) * NS_PER_MS);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounds_rise_and_say_what_they_are),
		cmocka_unit_test(test_a_bound_belongs_to_its_bucket),
		cmocka_unit_test(test_sums_add_up),
		cmocka_unit_test(test_one_value_is_found_within_five_percent),
		cmocka_unit_test(test_what_is_too_long_is_the_longest),
		cmocka_unit_test(test_quantiles_are_within_five_percent),
		cmocka_unit_test(test_nothing_has_no_quantile),
		cmocka_unit_test(test_a_minute_passes),
		cmocka_unit_test(test_old_slices_are_used_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_delay.c - buckets by their bounds, and the worst of this minute and the last. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hafailover/admin/delay.h"

static const int64_t MINUTE = 60 * NS_PER_S;

static void
test_buckets(void **state)
{
	struct delay d = { 0 };
	uint64_t seen = 0;

	(void)state;
	delay_add(&d, -1, 0); /* early is not late */
	for (unsigned i = 0; i < DELAY_BOUNDS; i++) {
		delay_add(&d, delay_bounds[i].ns, 0);
		delay_add(&d, delay_bounds[i].ns + 1, 0);
	}
	assert_int_equal(d.buckets[0], 2);
	for (unsigned i = 1; i < DELAY_BOUNDS; i++)
		assert_int_equal(d.buckets[i], 2);
	assert_int_equal(d.buckets[DELAY_BOUNDS], 1);
	for (unsigned i = 0; i <= DELAY_BOUNDS; i++)
		seen += d.buckets[i];
	assert_int_equal(seen, d.n);
	assert_int_equal(d.n, 2 * DELAY_BOUNDS + 1);
}

static void
test_worst(void **state)
{
	struct delay d = { 0 };

	(void)state;
	assert_int_equal(delay_worst_ns(&d, 5 * MINUTE), 0);
	delay_add(&d, 30, 5 * MINUTE);
	delay_add(&d, 10, 5 * MINUTE + 1);
	assert_int_equal(delay_worst_ns(&d, 5 * MINUTE), 30);
	assert_int_equal(delay_worst_ns(&d, 6 * MINUTE), 30);
	delay_add(&d, 20, 6 * MINUTE);
	assert_int_equal(delay_worst_ns(&d, 6 * MINUTE), 30);
	delay_add(&d, 40, 6 * MINUTE);
	assert_int_equal(delay_worst_ns(&d, 6 * MINUTE), 40);
	delay_add(&d, 5, 7 * MINUTE);
	assert_int_equal(delay_worst_ns(&d, 7 * MINUTE), 40);
	delay_add(&d, 5, 8 * MINUTE);
	assert_int_equal(delay_worst_ns(&d, 8 * MINUTE), 5);
	assert_int_equal(delay_worst_ns(&d, 10 * MINUTE), 0);
	delay_add(&d, 7, 20 * MINUTE); /* what was before is long gone */
	assert_int_equal(delay_worst_ns(&d, 20 * MINUTE), 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buckets),
		cmocka_unit_test(test_worst),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

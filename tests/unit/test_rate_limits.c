/* test_rate_limits.c - a rule keeps its table for as long as a configuration has it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lbd/limit/rate_limits.h"

static const struct rate slow = { 1, 1, INT64_C(1000000000) };

static struct rate_table *
get(struct rate_limits *l, uint64_t rule)
{
	return rate_limits_get(l, rule, slow, RATE_SET_SIZE, 0);
}

static void
test_what_is_used_stays(void **state)
{
	struct rate_limits *l = rate_limits_new();
	const uint64_t other_chain = 2, same_chain = 1 + 1024;

	(void)state;
	assert_int_equal(rate_table_take(get(l, 1), 1, 0), 0);
	assert_int_not_equal(rate_table_take(get(l, 1), 1, 0), 0);
	assert_int_equal(rate_table_take(get(l, same_chain), 1, 0), 0);
	assert_int_equal(rate_table_take(get(l, other_chain), 1, 0), 0);
	rate_limits_begin(l);
	rate_limits_use(l, 1);
	rate_limits_use(l, 3); /* never made */
	rate_limits_end(l);
	assert_int_not_equal(rate_table_take(get(l, 1), 1, 0), 0);
	assert_int_equal(rate_table_take(get(l, same_chain), 1, 0), 0);
	assert_int_equal(rate_table_take(get(l, other_chain), 1, 0), 0);
	rate_limits_free(&l);
	assert_null(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_used_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

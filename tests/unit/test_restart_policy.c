/* test_restart_policy.c - when a process that died is started again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/clock.h"
#include "lbd/supervisor/restart_policy.h"

static void
test_at_once_unless_it_dies_young(void **state)
{
	struct restart_policy p = { 0 };
	int i;

	(void)state;
	for (i = 0; i < 100; i++)
		assert_int_equal(restart_policy_delay_ns(&p, 2 * NS_PER_S), 0);
}

static void
test_waits_longer_and_longer(void **state)
{
	static const int64_t want_ms[] = { 0, 0, 0, 0, 100, 200, 400, 800, 1600, 3200, 5000, 5000,
		5000 };
	struct restart_policy p = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(want_ms) / sizeof(want_ms[0]); i++)
		assert_int_equal(
		    restart_policy_delay_ns(&p, 2 * NS_PER_S - 1), want_ms[i] * NS_PER_MS);
	assert_int_equal(restart_policy_delay_ns(&p, 2 * NS_PER_S), 0); /* this one lived */
	for (i = 0; i < 4; i++)
		assert_int_equal(restart_policy_delay_ns(&p, 0), 0);
	assert_int_equal(restart_policy_delay_ns(&p, 0), 100 * NS_PER_MS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_at_once_unless_it_dies_young),
		cmocka_unit_test(test_waits_longer_and_longer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

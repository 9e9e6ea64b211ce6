/* test_timer.c - the timing wheel: never early, at most two slots late, lazy moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/clock.h"
#include "lbd/worker/timer.h"

enum { TIMERS = 2000 };

static struct timer_wheel wheel;

static int
expire_all(int64_t now)
{
	int n = 0;

	while (timer_expired(&wheel, now))
		n++;
	return n;
}

static void
fires_once_after_its_deadline(void **state)
{
	int64_t start = 12345 * TIMER_SLOT_NS + 7;
	struct timer t;

	(void)state;
	timer_wheel_init(&wheel, start);
	assert_int_equal(timer_wheel_next(&wheel), TIMER_NEVER);
	timer_init(&t, NULL);
	timer_set(&wheel, &t, start + 100 * NS_PER_MS);
	assert_int_equal(expire_all(start + 99 * NS_PER_MS), 0);
	assert_true(timer_wheel_next(&wheel) > start);
	assert_int_equal(expire_all(timer_wheel_next(&wheel)), 1);
	assert_int_equal(expire_all(start + 10000 * NS_PER_MS), 0);
	assert_int_equal(timer_wheel_next(&wheel), TIMER_NEVER);
}

static void
a_later_deadline_is_lazy_and_an_earlier_one_is_not(void **state)
{
	int64_t start = 0;
	struct timer t;

	(void)state;
	timer_wheel_init(&wheel, start);
	timer_init(&t, NULL);
	timer_set(&wheel, &t, 50 * NS_PER_MS);
	timer_set(&wheel, &t, 500 * NS_PER_MS);
	assert_int_equal(expire_all(400 * NS_PER_MS), 0);
	timer_set(&wheel, &t, 450 * NS_PER_MS);
	assert_int_equal(expire_all(450 * NS_PER_MS + 2 * TIMER_SLOT_NS), 1);
}

static void
cleared_and_removed_timers_are_silent(void **state)
{
	struct timer cleared, removed;

	(void)state;
	timer_wheel_init(&wheel, 0);
	timer_init(&cleared, NULL);
	timer_init(&removed, NULL);
	timer_set(&wheel, &cleared, 10);
	timer_set(&wheel, &removed, 10);
	timer_clear(&cleared);
	timer_remove(&wheel, &removed);
	timer_remove(&wheel, &removed);
	assert_int_equal(expire_all(1000 * NS_PER_MS), 0);
	timer_set(&wheel, &cleared, 1100 * NS_PER_MS);
	assert_int_equal(expire_all(1200 * NS_PER_MS), 1);
}

static void
far_deadlines_wait_their_turns(void **state)
{
	int64_t hour = 3600 * 1000 * NS_PER_MS;
	struct timer t;
	int64_t now;
	int touches = 0;

	(void)state;
	timer_wheel_init(&wheel, 0);
	timer_init(&t, NULL);
	timer_set(&wheel, &t, hour);
	for (now = 0; (now = timer_wheel_next(&wheel)) < hour; touches++)
		assert_int_equal(expire_all(now), 0);
	assert_in_range(touches, 100, 1000);
	assert_int_equal(expire_all(now), 1);
}

static void
a_wheel_that_slept_goes_on(void **state)
{
	int64_t later = 100000 * 1000 * NS_PER_MS;
	struct timer t;

	(void)state;
	timer_wheel_init(&wheel, 0);
	timer_init(&t, NULL);
	timer_set(&wheel, &t, later + NS_PER_MS);
	assert_int_equal(expire_all(later), 0);
	assert_int_equal(expire_all(later + NS_PER_MS + 2 * TIMER_SLOT_NS), 1);
}

/* Against the definition: many timers, random moves, every one fires in its window and once. */
static void
random_moves_keep_the_promise(void **state)
{
	static struct timer timers[TIMERS];
	static int64_t deadline[TIMERS];
	int64_t now = 777;
	struct timer *t;

	(void)state;
	srand(1);
	timer_wheel_init(&wheel, now);
	for (int i = 0; i < TIMERS; i++) {
		timer_init(&timers[i], NULL);
		deadline[i] = TIMER_NEVER;
	}
	for (int round = 0; round < 20000; round++) {
		int i = rand() % TIMERS;

		if (rand() % 4) {
			deadline[i] = now + (int64_t)rand() % (20000 * NS_PER_MS);
			timer_set(&wheel, &timers[i], deadline[i]);
		} else {
			deadline[i] = TIMER_NEVER;
			timer_clear(&timers[i]);
		}
		now += rand() % (5 * NS_PER_MS);
		while ((t = timer_expired(&wheel, now))) {
			i = (int)(t - timers);
			assert_true(deadline[i] <= now);
			assert_true(now - deadline[i] <= 2 * TIMER_SLOT_NS + 5 * NS_PER_MS);
			deadline[i] = TIMER_NEVER;
		}
		for (i = 0; round % 500 == 0 && i < TIMERS; i++)
			assert_true(deadline[i] > now - 2 * TIMER_SLOT_NS);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fires_once_after_its_deadline),
		cmocka_unit_test(a_later_deadline_is_lazy_and_an_earlier_one_is_not),
		cmocka_unit_test(cleared_and_removed_timers_are_silent),
		cmocka_unit_test(far_deadlines_wait_their_turns),
		cmocka_unit_test(a_wheel_that_slept_goes_on),
		cmocka_unit_test(random_moves_keep_the_promise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

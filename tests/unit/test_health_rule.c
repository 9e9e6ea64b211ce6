/* test_health_rule.c - verdicts and times, without a socket or a clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "lbd/health/health_rule.h"
#include "lbd/health/turns.h"

static struct health_config
rule(uint32_t fall, uint32_t rise, int64_t interval)
{
	return (struct health_config){ .fall = fall, .rise = rise, .interval = interval };
}

/* `results`: + good, - bad; `verdicts`: after each, u up, d down. */
static void
test_verdicts(void **state)
{
	static const struct {
		enum server_health from;
		uint32_t fall, rise;
		const char *results, *verdicts;
	} rows[] = {
		{ HEALTH_UNKNOWN, 3, 2, "+", "u" },
		{ HEALTH_UNKNOWN, 3, 2, "-", "d" },
		{ HEALTH_NEW, 3, 2, "+", "u" },
		{ HEALTH_NEW, 3, 2, "-", "d" },
		{ HEALTH_UP, 3, 2, "--+---", "uuuuud" },
		{ HEALTH_UP, 3, 2, "---++", "uuddu" },
		{ HEALTH_UP, 3, 2, "----+-++", "uudddddu" },
		{ HEALTH_UP, 1, 1, "-+-+", "dudu" },
		{ HEALTH_DOWN, 3, 2, "+-+-++", "dddddu" },
		{ HEALTH_DOWN, 3, 5, "+++++", "ddddu" },
		{ HEALTH_UNKNOWN, 3, 2, "-+--++--+", "ddddduuuu" },
	};
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct health_config c = rule(rows[i].fall, rows[i].rise, NS_PER_S);
		struct health_state s = { rows[i].from, 0, 0 };

		for (k = 0; rows[i].results[k]; k++) {
			enum server_health before = s.health;
			bool changed = health_step(&s, &c, rows[i].results[k] == '+');

			assert_int_equal(
			    s.health, rows[i].verdicts[k] == 'u' ? HEALTH_UP : HEALTH_DOWN);
			assert_int_equal(changed, s.health != before);
		}
	}
}

static void
test_counts_do_not_wrap(void **state)
{
	struct health_config c = rule(3, 2, NS_PER_S);
	struct health_state s = { HEALTH_DOWN, 0, UINT32_MAX };

	(void)state;
	health_step(&s, &c, false);
	assert_int_equal(s.bad, UINT32_MAX);
	s = (struct health_state){ HEALTH_UP, UINT32_MAX, 0 };
	health_step(&s, &c, true);
	assert_int_equal(s.good, UINT32_MAX);
}

static void
test_faster_while_changing(void **state)
{
	static const struct {
		struct health_state s;
		int64_t interval_ms, after_ms; /* 0: on the grid */
	} rows[] = {
		{ { HEALTH_UP, 1, 0 }, 5000, 0 }, { { HEALTH_UP, 0, 1 }, 5000, 1000 },
		{ { HEALTH_UP, 0, 2 }, 5000, 1000 }, { { HEALTH_DOWN, 0, 3 }, 5000, 0 },
		{ { HEALTH_DOWN, 1, 0 }, 5000, 1000 }, { { HEALTH_UP, 0, 1 }, 1000, 200 },
		{ { HEALTH_UP, 0, 1 }, 300, 100 }, /* not under 100 ms */
		{ { HEALTH_UP, 0, 1 }, 50, 50 }, /* nor slower than the interval */
	};
	int64_t started = 1000 * NS_PER_S, due, interval;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct health_config c = rule(3, 2, rows[i].interval_ms * NS_PER_MS);

		interval = c.interval;
		due = health_due_ns(&rows[i].s, &c, 12345, 99, started);
		if (rows[i].after_ms)
			assert_int_equal(due - started, rows[i].after_ms * NS_PER_MS);
		else
			assert_in_range(due - started, interval * 4 / 10, interval * 16 / 10);
	}
}

/*
 * Settled, the gaps are an interval, give or take the jitter at both ends, and nothing accumulates.
 */
static void
test_grid(void **state)
{
	struct health_config c = rule(3, 2, 5 * NS_PER_S);
	struct health_state s = { HEALTH_UP, 9, 0 };
	int64_t start = 777777 * NS_PER_MS, now = start, due, most = 0, least = INT64_MAX;
	uint64_t random = 5;
	int i;

	(void)state;
	for (i = 0; i < 10000; i++, now = due) {
		due = health_due_ns(&s, &c, hash_mix(7), hash_next(&random), now);
		if (i == 0)
			continue; /* on its way to the grid */
		most = due - now > most ? due - now : most;
		least = due - now < least ? due - now : least;
	}
	assert_in_range(least, 4 * NS_PER_S, 4 * NS_PER_S + 200 * NS_PER_MS);
	assert_in_range(most, 6 * NS_PER_S - 200 * NS_PER_MS, 6 * NS_PER_S);
	assert_in_range(now - start, 9999 * c.interval, 10001 * c.interval);
}

/* A thousand servers checked at the same moment are spread evenly when they come again. */
static void
test_servers_are_spread(void **state)
{
	struct health_config c = rule(3, 2, 5 * NS_PER_S);
	struct health_state s = { HEALTH_UP, 1, 0 };
	uint32_t slices[10] = { 0 }, i, k;
	uint64_t random = 1;
	char key[32];
	int64_t due;
	int n;

	(void)state;
	for (i = 0; i < 1000; i++) {
		n = snprintf(key, sizeof(key), "web/10.0.0.%u:80", i);
		due = health_due_ns(
		    &s, &c, balance_hash(key, (size_t)n), hash_next(&random), 99 * NS_PER_S);
		slices[due / (c.interval / 10) % 10]++;
	}
	for (k = 0; k < 10; k++)
		assert_in_range(slices[k], 60, 140); /* 100, and over four deviations */
}

static void
count_run(void *owner)
{
	++*(uint32_t *)owner;
}

/* In order, never more than the limit, and whoever leaves while waiting is not run. */
static void
test_turns(void **state)
{
	uint32_t runs[6] = { 0 }, i;
	struct turn turns[6];
	struct turns q;

	(void)state;
	turns_init(&q, 2);
	for (i = 0; i < 6; i++) {
		turns[i] = (struct turn){ .run = count_run, .owner = &runs[i] };
		turns_ask(&q, &turns[i]);
	}
	turns_go(&q);
	assert_true(runs[0] && runs[1] && !runs[2]);
	assert_int_equal(q.n_running, 2);
	assert_int_equal(q.n_waiting, 4);
	turns_leave(&q, &turns[2]);
	turns_leave(&q, &turns[5]); /* the last one: the end must move */
	turns_leave(&q, &turns[0]);
	turns_leave(&q, &turns[0]); /* once more is nothing */
	turns_ask(&q, &turns[2]);
	turns_go(&q);
	assert_true(!runs[2] && runs[3] && !runs[4]);
	turns_leave(&q, &turns[1]);
	turns_leave(&q, &turns[3]);
	turns_go(&q);
	assert_true(runs[4] && runs[2] && !runs[5]);
	assert_int_equal(q.n_waiting, 0);
	turns_ask(&q, &turns[5]); /* to an emptied queue */
	turns_leave(&q, &turns[4]);
	turns_go(&q);
	assert_int_equal(runs[5], 1);
	assert_int_equal(q.n_running, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_counts_do_not_wrap),
		cmocka_unit_test(test_faster_while_changing),
		cmocka_unit_test(test_grid),
		cmocka_unit_test(test_servers_are_spread),
		cmocka_unit_test(test_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

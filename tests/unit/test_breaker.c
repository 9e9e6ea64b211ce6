/* test_breaker.c - every transition of a circuit breaker; the last tests are for ThreadSanitizer. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/clock.h"
#include "lbd/balance/breaker.h"

enum { THREADS = 4, ROUNDS = 20000 };

static const int64_t start = 1000 * NS_PER_S;

static struct breaker breaker;
static _Atomic uint32_t ejected;
static int64_t now;
static struct breaker_opening opening;

static const struct breaker_config usual = {
	.consecutive_failures = 5,
	.error_percent = 50,
	.min_requests = 20,
	.window = 10 * NS_PER_S,
	.open = 30 * NS_PER_S,
	.max_open = 300 * NS_PER_S,
	.max_ejected_percent = 50,
	.probes = 1,
};
static struct breaker_config conf;

static int
setup(void **state)
{
	(void)state;
	breaker = (struct breaker){ 0 };
	ejected = 0;
	now = start;
	conf = usual;
	return 0;
}

static bool
failed(uint64_t probe)
{
	const struct breaker_room room = { &ejected, 1 };

	return breaker_failed(&breaker, &conf, room, probe, now, &opening);
}

static bool
succeeded(uint64_t probe)
{
	return breaker_succeeded(&breaker, &conf, probe, now);
}

static uint64_t
probe(void)
{
	return breaker_probe(&breaker, &conf, true, now);
}

static void
assert_state(enum breaker_state state, uint32_t n_ejected)
{
	assert_int_equal(breaker_look(&breaker).state, state);
	assert_int_equal(breaker_is_closed(&breaker), state == BREAKER_CLOSED);
	assert_int_equal(ejected, n_ejected);
}

/* Failures in a row until it opens: for how long? */
static int64_t
open_now(void)
{
	for (uint32_t i = 1; i < conf.consecutive_failures; i++)
		assert_false(failed(0));
	assert_true(failed(0));
	assert_state(BREAKER_OPEN, 1);
	assert_int_equal(breaker_look(&breaker).until_ns, now + opening.for_ns);
	return opening.for_ns;
}

static void
close_now(void)
{
	uint64_t p;

	now = breaker_look(&breaker).until_ns;
	p = probe();
	assert_true(p != 0);
	assert_state(BREAKER_HALF_OPEN, 1);
	assert_true(succeeded(p));
	assert_state(BREAKER_CLOSED, 0);
}

/* --- opening --- */

static void
test_opens_after_so_many_in_a_row(void **state)
{
	(void)state;
	conf.error_percent = 0;
	for (int i = 0; i < 100; i++) {
		for (int k = 0; k < 4; k++)
			assert_false(failed(0));
		assert_false(succeeded(0));
	}
	assert_int_equal(open_now(), conf.open);
	assert_int_equal(opening.reason, BREAKER_FAILURES);
	assert_int_equal(breaker.opened[BREAKER_FAILURES], 1);
}

/* `requests`, the first `bad` of each ten fail: which one opens it?  0: none. */
static uint32_t
opened_at(uint32_t requests, uint32_t bad, int64_t gap_ns)
{
	for (uint32_t i = 0; i < requests; i++) {
		now += gap_ns;
		if (i % 10 < bad ? failed(0) : succeeded(0))
			return i + 1;
	}
	return 0;
}

static void
test_opens_at_the_error_rate(void **state)
{
	static const struct {
		const char *what;
		uint32_t bad, percent, min;
		int64_t gap_ns;
		uint32_t at;
	} rows[] = {
		{ "half of them, when there are enough", 5, 50, 20, NS_PER_MS, 21 },
		{ "fewer", 3, 50, 20, NS_PER_MS, 0 },
		{ "fewer would do, but not so few", 3, 30, 1000, NS_PER_MS, 0 },
		{ "as many as there must be", 3, 30, 100, NS_PER_MS, 101 },
		{ "the first, where one is enough", 1, 50, 1, NS_PER_MS, 1 },
		{ "too slow for the window", 10, 50, 20, 600 * NS_PER_MS, 0 },
		{ "just within it", 10, 50, 20, 400 * NS_PER_MS, 20 },
		{ "not looked at", 10, 0, 1, NS_PER_MS, 0 },
		{ "all of them", 10, 100, 20, NS_PER_MS, 20 },
		{ "nearly all", 9, 100, 20, NS_PER_MS, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint32_t at;

		setup(state);
		conf.consecutive_failures = 0;
		conf.error_percent = rows[i].percent;
		conf.min_requests = rows[i].min;
		at = opened_at(500, rows[i].bad, rows[i].gap_ns);
		if (at != rows[i].at)
			fail_msg("%s: opened at %u, expected %u", rows[i].what, at, rows[i].at);
		if (at)
			assert_int_equal(opening.reason, BREAKER_RATE);
	}
}

/* What the window holds is what the last ten seconds were, at any age of the machine. */
static void
test_window_slides(void **state)
{
	static const int64_t ages[] = { 11, 1000, 8388000, 8388700, 16777000, 16777300,
		INT64_C(1) << 30 };

	for (size_t i = 0; i < sizeof(ages) / sizeof(*ages); i++) {
		setup(state);
		conf.consecutive_failures = 0;
		for (now = ages[i] * NS_PER_S; now < (ages[i] + 400) * NS_PER_S; now += NS_PER_S) {
			for (int k = 0; k < 5; k++)
				assert_false(succeeded(0));
			for (int k = 0; k < 4; k++)
				assert_false(failed(0));
		}
		now += 8 * NS_PER_S; /* all seconds but the last are forgotten: 9 requests */
		for (int k = 0; k < 10; k++)
			assert_false(failed(0));
		assert_true(failed(0));
	}
}

static void
test_a_full_part_keeps_the_share(void **state)
{
	(void)state;
	conf.consecutive_failures = 0;
	for (int i = 0; i < 3 << 20; i++)
		assert_false(succeeded(0));
	for (int i = 0; i < 1000; i++)
		assert_false(failed(0));
	conf.error_percent = 1;
	assert_int_equal(opened_at(100000, 10, 0) > 1000, true);
}

static void
test_revoked_is_no_request_more(void **state)
{
	const struct breaker_room room = { &ejected, 1 };

	(void)state;
	conf.consecutive_failures = 0;
	conf.error_percent = 100;
	for (int i = 0; i < 19; i++) {
		assert_false(succeeded(0));
		assert_false(breaker_revoked(&breaker, &conf, room, now, &opening));
	}
	assert_false(succeeded(0));
	assert_true(breaker_revoked(&breaker, &conf, room, now, &opening));
	assert_state(BREAKER_OPEN, 1);
	assert_false(breaker_revoked(&breaker, &conf, room, now, &opening));
}

/* --- the share of a pool --- */

static void
test_no_more_than_there_is_room_for(void **state)
{
	struct breaker other = { 0 };
	struct breaker_room room = { &ejected, 1 };

	(void)state;
	open_now();
	for (int i = 0; i < 100; i++)
		assert_false(breaker_failed(&other, &conf, room, 0, now, &opening));
	assert_true(breaker_is_closed(&other));
	close_now();
	assert_true(breaker_failed(&other, &conf, room, 0, now, &opening));
	assert_int_equal(ejected, 1);
	room.most = 0;
	for (int i = 0; i < 100; i++)
		assert_false(breaker_failed(&breaker, &conf, room, 0, now, &opening));
}

/* --- open, half-open --- */

static void
test_open_takes_no_notice(void **state)
{
	(void)state;
	open_now();
	assert_false(failed(0));
	assert_false(succeeded(0));
	assert_int_equal(probe(), 0);
	now += conf.open - NS_PER_MS;
	assert_int_equal(probe(), 0);
	now += NS_PER_MS;
	assert_true(probe() != 0);
}

static void
test_one_probe_decides(void **state)
{
	uint64_t p;

	(void)state;
	open_now();
	now += conf.open;
	p = probe();
	assert_state(BREAKER_HALF_OPEN, 1);
	assert_int_equal(probe(), 0);
	assert_false(succeeded(0)); /* is no probe */
	assert_false(failed(0));
	assert_state(BREAKER_HALF_OPEN, 1);
	assert_true(failed(p));
	assert_int_equal(opening.reason, BREAKER_PROBE);
	assert_int_equal(opening.for_ns, 2 * conf.open);
	assert_state(BREAKER_OPEN, 1);
	assert_false(failed(p));
	assert_false(succeeded(p));
	close_now();
}

static void
test_all_probes_must_succeed(void **state)
{
	uint64_t p;

	(void)state;
	conf.probes = 3;
	open_now();
	now += conf.open;
	p = probe();
	assert_true(probe() == p && probe() == p);
	assert_int_equal(probe(), 0);
	assert_false(succeeded(p));
	assert_false(succeeded(p));
	assert_int_equal(probe(), 0); /* no more, though these are over */
	assert_true(succeeded(p));
	assert_state(BREAKER_CLOSED, 0);
	open_now();
	now = breaker_look(&breaker).until_ns;
	p = probe();
	probe();
	assert_false(succeeded(p));
	assert_true(failed(p));
	assert_state(BREAKER_OPEN, 1);
}

static void
test_probes_of_another_time_mean_nothing(void **state)
{
	uint64_t first, second;

	(void)state;
	conf.probes = 2;
	open_now();
	now += conf.open;
	first = probe();
	probe();
	assert_true(failed(first));
	now = breaker_look(&breaker).until_ns;
	second = probe();
	assert_true(second != first);
	assert_false(succeeded(first));
	assert_false(failed(first));
	breaker_return(&breaker, first);
	assert_int_equal(probe(), second);
	assert_int_equal(probe(), 0);
	assert_state(BREAKER_HALF_OPEN, 1);
}

static void
test_a_probe_given_back_is_given_again(void **state)
{
	uint64_t p;

	(void)state;
	open_now();
	now += conf.open;
	p = probe();
	assert_int_equal(probe(), 0);
	breaker_return(&breaker, p);
	assert_int_equal(probe(), p);
	assert_true(succeeded(p));
	breaker_return(&breaker, p);
	assert_state(BREAKER_CLOSED, 0);
}

/* What cannot be repeated goes there only if nothing else comes. */
static void
test_unrepeatable_probes_wait(void **state)
{
	(void)state;
	conf.probes = 2;
	open_now();
	now += 2 * conf.open - NS_PER_MS;
	assert_int_equal(breaker_probe(&breaker, &conf, false, now), 0);
	now += NS_PER_MS;
	assert_true(breaker_probe(&breaker, &conf, false, now) != 0);
	assert_int_equal(breaker_probe(&breaker, &conf, false, now), 0);
	now += conf.open;
	assert_true(breaker_probe(&breaker, &conf, false, now) != 0);
}

/* --- for how long --- */

static void
test_open_time_doubles_up_to_the_longest(void **state)
{
	static const int64_t seconds[] = { 30, 60, 120, 240, 300, 300 };

	(void)state;
	for (size_t i = 0; i < sizeof(seconds) / sizeof(*seconds); i++) {
		assert_int_equal(open_now(), seconds[i] * NS_PER_S);
		close_now();
	}
	for (int i = 0; i < 100; i++) {
		open_now();
		close_now();
	}
	assert_int_equal(open_now(), 300 * NS_PER_S);
}

static void
test_good_time_takes_doublings_back(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		open_now();
		close_now();
	}
	now += conf.open - NS_PER_MS;
	assert_int_equal(open_now(), 240 * NS_PER_S);
	close_now();
	now += 2 * conf.open;
	assert_int_equal(open_now(), 120 * NS_PER_S);
	close_now();
	now += 100 * conf.open;
	assert_int_equal(open_now(), 30 * NS_PER_S);
}

static void
test_closed_begins_with_a_clean_sheet(void **state)
{
	(void)state;
	open_now();
	now += conf.open;
	conf.error_percent = 1;
	close_now();
	for (uint32_t i = 1; i < conf.consecutive_failures; i++)
		assert_false(failed(0));
	assert_true(failed(0));
}

static void
test_reset_forgets(void **state)
{
	(void)state;
	assert_false(breaker_reset(&breaker));
	open_now();
	assert_true(breaker_reset(&breaker));
	assert_state(BREAKER_CLOSED, 0);
	assert_int_equal(open_now(), conf.open);
}

static void
test_names(void **state)
{
	(void)state;
	assert_string_equal(breaker_state_name(BREAKER_HALF_OPEN), "half_open");
	assert_string_equal(breaker_reason_name(BREAKER_PROBE), "probe");
}

/* --- many threads --- */

static _Atomic uint32_t n_events;
static _Atomic uint64_t ticket;

static void
run_threads(void *(*run)(void *))
{
	pthread_t threads[THREADS];

	n_events = 0;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static void *
fail_often(void *arg)
{
	const struct breaker_room room = { &ejected, 1 };
	struct breaker_opening o;

	(void)arg;
	for (int i = 0; i < ROUNDS; i++)
		n_events += breaker_failed(&breaker, &conf, room, 0, now, &o);
	return NULL;
}

static void *
probe_often(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t p = breaker_probe(&breaker, &conf, true, now);

		if (p) {
			ticket = p;
			n_events++;
		}
	}
	return NULL;
}

static void
test_of_many_threads_one_opens_and_one_probes(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++) {
		run_threads(fail_often);
		assert_int_equal(n_events, 1);
		assert_state(BREAKER_OPEN, 1);
		now = breaker_look(&breaker).until_ns;
		run_threads(probe_often);
		assert_int_equal(n_events, 1);
		assert_true(i % 2 ? succeeded(ticket) : failed(ticket));
		if (i % 2 == 0)
			close_now();
		now += 10 * conf.open;
	}
}

enum { POOL = 4, POOL_MOST = 2 };
static struct breaker pool[POOL];

/* Servers that come and go at once, each thread with a clock of its own. */
static void *
suffer(void *arg)
{
	const struct breaker_room room = { &ejected, POOL_MOST };
	struct breaker_opening o;
	int64_t clock = start;

	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		struct breaker *b = &pool[i % POOL];
		uint64_t p = breaker_probe(b, &conf, true, clock);

		clock += 5 * NS_PER_MS;
		if (p && i % 3 == 0)
			breaker_return(b, p);
		else if (i % 5 && p)
			breaker_succeeded(b, &conf, p, clock);
		else
			breaker_failed(b, &conf, room, p, clock, &o);
		if (ejected > POOL_MOST)
			n_events++;
	}
	return NULL;
}

static void
test_never_more_ejected_than_there_is_room_for(void **state)
{
	uint32_t open = 0, opened = 0;

	(void)state;
	conf.consecutive_failures = 1;
	conf.open = conf.max_open = 10 * NS_PER_MS;
	run_threads(suffer);
	assert_int_equal(n_events, 0);
	for (int i = 0; i < POOL; i++) {
		open += !breaker_is_closed(&pool[i]);
		opened += (uint32_t)pool[i].opened[BREAKER_FAILURES];
	}
	assert_int_equal(ejected, open);
	assert_true(opened > 100);
	for (int i = 0; i < POOL; i++)
		breaker_reset(&pool[i]);
	assert_int_equal(ejected, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_opens_after_so_many_in_a_row, setup),
		cmocka_unit_test_setup(test_opens_at_the_error_rate, setup),
		cmocka_unit_test_setup(test_window_slides, setup),
		cmocka_unit_test_setup(test_a_full_part_keeps_the_share, setup),
		cmocka_unit_test_setup(test_revoked_is_no_request_more, setup),
		cmocka_unit_test_setup(test_no_more_than_there_is_room_for, setup),
		cmocka_unit_test_setup(test_open_takes_no_notice, setup),
		cmocka_unit_test_setup(test_one_probe_decides, setup),
		cmocka_unit_test_setup(test_all_probes_must_succeed, setup),
		cmocka_unit_test_setup(test_probes_of_another_time_mean_nothing, setup),
		cmocka_unit_test_setup(test_a_probe_given_back_is_given_again, setup),
		cmocka_unit_test_setup(test_unrepeatable_probes_wait, setup),
		cmocka_unit_test_setup(test_open_time_doubles_up_to_the_longest, setup),
		cmocka_unit_test_setup(test_good_time_takes_doublings_back, setup),
		cmocka_unit_test_setup(test_closed_begins_with_a_clean_sheet, setup),
		cmocka_unit_test_setup(test_reset_forgets, setup),
		cmocka_unit_test_setup(test_names, setup),
		cmocka_unit_test_setup(test_of_many_threads_one_opens_and_one_probes, setup),
		cmocka_unit_test_setup(test_never_more_ejected_than_there_is_room_for, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

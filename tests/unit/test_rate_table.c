/* test_rate_table.c - token buckets: exact, whatever threads do, and of bounded size, whatever keys come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "lbd/balance/hash.h"
#include "lbd/limit/rate_table.h"

enum { THREADS = 4 };

static const int64_t START = INT64_C(1000000000000), MS = 1000000, S = 1000 * MS;

/* An interval of 40 units: 10,240 ns. */
static const struct rate fast = { 100000, 20, INT64_C(1000000000) };
static const int64_t FAST_NS = 10240;

/* What a key gets when it asks that often at that moment. */
static unsigned
asks(struct rate_table *t, uint64_t key, unsigned times, int64_t now)
{
	unsigned passed = 0;

	for (unsigned i = 0; i < times; i++)
		passed += rate_table_take(t, key, now) == 0;
	return passed;
}

static void
test_a_burst_and_then_the_rate(void **state)
{
	static const struct rate rates[] = {
		{ 1, 1, INT64_C(1000000000) },
		{ 10, 20, INT64_C(1000000000) },
		{ 3, 5, INT64_C(1000000000) },
		{ 1000, 100, INT64_C(1000000000) },
		{ 9999, 1000, INT64_C(1000000000) },
		{ 10000, 1000000, INT64_C(1000000000) },
		{ 10, 3, INT64_C(60000000000) },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(*rates); i++) {
		const struct rate *r = &rates[i];
		struct rate_table *t = rate_table_new(*r, RATE_SET_SIZE, START);
		unsigned most = r->requests < 1000 ? r->requests : 1000, passed = 0;
		int64_t step = r->period_ns / r->requests / 10, end = most * 10 * step;

		assert_int_equal(asks(t, 1, r->burst + 5, START), r->burst);
		for (int64_t at = step; at <= end; at += step)
			passed += asks(t, 1, 1, START + at);
		if (passed > most || passed + 1 + most / 1000 < most)
			fail_msg("row %zu: %u more instead of %u", i, passed, most);
		assert_int_equal(
		    asks(t, 1, r->burst + 5, START + end + r->burst * 11 * step), r->burst);
		rate_table_free(&t);
		assert_null(t);
	}
}

static void
test_who_is_refused_hears_how_long(void **state)
{
	struct rate_table *t =
	    rate_table_new((struct rate){ 2, 1, INT64_C(1000000000) }, RATE_SET_SIZE, START);
	int64_t wait;

	(void)state;
	assert_int_equal(rate_table_ask(t, 1, START), 0);
	assert_int_equal(rate_table_take(t, 1, START), 0);
	wait = rate_table_take(t, 1, START);
	assert_in_range(wait, 499 * MS, 501 * MS);
	for (int i = 0; i < 100; i++) /* no token is lost by asking */
		assert_int_equal(rate_table_take(t, 1, START), wait);
	assert_int_equal(rate_table_ask(t, 1, START), wait);
	assert_int_not_equal(rate_table_take(t, 1, START + wait - MS), 0);
	assert_int_equal(rate_table_ask(t, 1, START + wait), 0);
	assert_int_equal(rate_table_take(t, 1, START + wait), 0);
	assert_int_not_equal(rate_table_ask(t, 1, START + wait), 0);
	rate_table_free(&t);
}

static void
test_a_clock_that_lags_gives_nothing(void **state)
{
	struct rate_table *t =
	    rate_table_new((struct rate){ 10, 5, INT64_C(1000000000) }, RATE_SET_SIZE, START);

	(void)state;
	assert_int_equal(asks(t, 1, 10, START + 5 * S), 5);
	assert_int_equal(asks(t, 1, 10, START), 0);
	assert_int_equal(asks(t, 1, 10, START + 5 * S - MS), 0);
	assert_int_equal(asks(t, 1, 10, START + 5 * S), 0);
	rate_table_free(&t);
}

/* 48 bits of 256 ns. */
static void
test_time_wraps(void **state)
{
	const int64_t edge = START - 10 * S + (INT64_C(1) << 56);
	struct rate_table *t = rate_table_new(fast, RATE_SET_SIZE, START);

	(void)state;
	for (int64_t now = edge - 60 * S; now < edge + 60 * S; now += S)
		assert_int_equal(asks(t, 2, 30, now), 20);
	for (int64_t now = edge - 10 * FAST_NS; now < edge + 10 * FAST_NS; now += FAST_NS)
		rate_table_take(t, 3, now);
	assert_int_equal(asks(t, 3, 30, edge + 10 * FAST_NS), 20);
	rate_table_free(&t);
}

/* --- many keys --- */

static void
test_a_million_keys(void **state)
{
	const uint32_t burst = 5;
	const size_t size = 64 * 1024, buckets = size / 8;
	struct rate_table *t =
	    rate_table_new((struct rate){ 1, burst, INT64_C(1000000000) }, size, START);
	uint64_t limited = 1, sequence = 2, passed = 0;

	(void)state;
	assert_int_equal(asks(t, hash_mix(limited), 10, START), burst);
	for (int i = 0; i < 1000000; i++) {
		passed += asks(t, hash_next(&sequence), 1, START);
		if (i % 10000 == 0)
			assert_int_equal(asks(t, hash_mix(limited), 1, START), 0);
	}
	assert_in_range(passed, buckets * burst / 2, buckets * burst);
	assert_int_equal(asks(t, hash_mix(limited), 10, START + S), 1);
	/* when the flood is over, the next one gets all that is due to him */
	assert_int_equal(asks(t, hash_next(&sequence), 10, START + 20 * S), burst);
	rate_table_free(&t);
}

/* Who has used little, or nothing for a while, goes first. */
static void
test_who_owes_most_is_kept(void **state)
{
	struct rate_table *t =
	    rate_table_new((struct rate){ 1, 10, INT64_C(1000000000) }, RATE_SET_SIZE, START);

	(void)state;
	for (uint64_t key = 1; key <= RATE_WAYS; key++)
		assert_int_equal(asks(t, key, (unsigned)key, START), key);
	assert_int_equal(asks(t, 100, 20, START), 9); /* instead of key 1, and with what it owed */
	assert_int_equal(asks(t, 8, 20, START), 2);
	assert_int_equal(asks(t, 7, 20, START), 3);
	assert_int_equal(asks(t, 3, 20, START), 7);
	assert_int_equal(asks(t, 1, 20, START), 8); /* instead of key 2 */
	assert_int_equal(asks(t, 2, 20, START), 6); /* instead of key 4: it has gained nothing */
	rate_table_free(&t);
}

static void
test_none_gets_more_than_its_share(void **state)
{
	enum { KEYS = 100, BURST = 7, ROUNDS = 20000 };
	struct rate_table *t = rate_table_new(
	    (struct rate){ 1, BURST, INT64_C(1000000000) }, 2 * RATE_SET_SIZE, START);
	unsigned passed[KEYS] = { 0 };
	uint64_t random = 3;

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t key = hash_next(&random) % KEYS;

		passed[key] += asks(t, hash_mix(key), 1, START + i * MS);
		assert_true(passed[key] <= BURST + (unsigned)i / 1000);
	}
	rate_table_free(&t);
}

/* --- threads --- */

static struct rate_table *table;
static _Atomic int64_t clock_now;
static _Atomic unsigned let_through;

static void *
hammer(void *arg)
{
	unsigned passed = 0;

	(void)arg;
	for (int i = 0; i < 50000; i++)
		passed += asks(table, 1, 1, atomic_fetch_add(&clock_now, 379));
	atomic_fetch_add(&let_through, passed);
	return NULL;
}

static void
run(void *(*thread)(void *))
{
	pthread_t threads[THREADS];

	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, thread, (void *)i), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

/* They ask every 379 ns: the bucket is never full. */
static void
test_threads_get_burst_and_rate_together(void **state)
{
	int64_t end;

	(void)state;
	table = rate_table_new(fast, RATE_SET_SIZE, START);
	let_through = asks(table, 1, 1000, START);
	assert_int_equal(let_through, 20);
	atomic_store(&clock_now, START);
	run(hammer);
	end = atomic_load(&clock_now);
	let_through += asks(table, 1, 1000, end);
	assert_int_equal(let_through, 20 + (end - START) / FAST_NS);
	rate_table_free(&table);
}

enum { NEW_KEYS = 2000, NEW_BURST = 3 };

static _Atomic unsigned of_key[NEW_KEYS];

static void
nobody_has_come(void)
{
	for (int key = 0; key < NEW_KEYS; key++)
		of_key[key] = 0;
}

/* All see each key for the first time at about the same moment. */
static void *
meet(void *arg)
{
	size_t own = (size_t)arg;

	for (uint64_t key = 0; key < NEW_KEYS; key++)
		for (unsigned i = 0; i < NEW_BURST; i++)
			if (rate_table_take(table, hash_mix(key), START + (int64_t)own) == 0)
				atomic_fetch_add(&of_key[key], 1);
	return NULL;
}

static void
test_threads_make_one_bucket_for_a_key(void **state)
{
	const struct rate rate = { 1, NEW_BURST, INT64_C(1000000000) };

	(void)state;
	for (int round = 0; round < 20; round++) {
		nobody_has_come();
		table =
		    rate_table_new(rate, 1 << 20, START); /* no two keys of a set have one tag */
		run(meet);
		for (int key = 0; key < NEW_KEYS; key++)
			assert_int_equal(of_key[key], NEW_BURST);
		rate_table_free(&table);
	}
}

/* In a table that is far too small nobody gets more either. */
static void
test_threads_in_a_crowd(void **state)
{
	const struct rate rate = { 1, NEW_BURST, INT64_C(1000000000) };

	(void)state;
	for (int round = 0; round < 20; round++) {
		nobody_has_come();
		table = rate_table_new(rate, 4 * RATE_SET_SIZE, START);
		run(meet);
		for (int key = 0; key < NEW_KEYS; key++)
			assert_true(of_key[key] <= NEW_BURST);
		rate_table_free(&table);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_burst_and_then_the_rate),
		cmocka_unit_test(test_who_is_refused_hears_how_long),
		cmocka_unit_test(test_a_clock_that_lags_gives_nothing),
		cmocka_unit_test(test_time_wraps),
		cmocka_unit_test(test_a_million_keys),
		cmocka_unit_test(test_who_owes_most_is_kept),
		cmocka_unit_test(test_none_gets_more_than_its_share),
		cmocka_unit_test(test_threads_get_burst_and_rate_together),
		cmocka_unit_test(test_threads_make_one_bucket_for_a_key),
		cmocka_unit_test(test_threads_in_a_crowd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

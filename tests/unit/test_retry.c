/* test_retry.c - which failures may be tried again, and how much of that the budget allows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <pthread.h>

#include "lbd/balance/retry_budget.h"
#include "lbd/proxy/retry.h"

enum {
	ALL =
	    RETRY_CONNECT_FAILURE | RETRY_RESET | RETRY_TIMEOUT | RETRY_502 | RETRY_503 | RETRY_504
};

static const struct row {
	const char *what;
	enum try_failure failure;
	bool idempotent, replayable;
	uint32_t retries, attempts;
	unsigned on;
	bool non_idempotent;
	enum retry_verdict want;
} rows[] = {
	{ "GET, refused", TRY_CONNECT, true, true, 0, 2, ALL, false, RETRY_FREE },
	{ "POST, refused: nothing was sent", TRY_CONNECT, false, true, 0, 2, ALL, false,
	    RETRY_FREE },
	{ "the same, with others", TRY_CONNECT_JOINED, false, true, 0, 2, ALL, false, RETRY_FREE },
	{ "refused, no attempts left", TRY_CONNECT, true, true, 2, 2, ALL, false, RETRY_NO },
	{ "refused, not configured", TRY_CONNECT, true, true, 0, 2, RETRY_RESET, false, RETRY_NO },
	{ "GET on a dead idle connection", TRY_REUSE_UNSENT, true, true, 0, 0, 0, false,
	    RETRY_SAME },
	{ "POST on one, unsent", TRY_REUSE_UNSENT, false, true, 0, 0, 0, false, RETRY_SAME },
	{ "GET sent, reused connection died", TRY_REUSE_DIED, true, true, 0, 0, 0, false,
	    RETRY_SAME },
	{ "POST sent, reused connection died", TRY_REUSE_DIED, false, true, 0, 2, ALL, false,
	    RETRY_NO },
	{ "the same, allowed", TRY_REUSE_DIED, false, true, 0, 2, ALL, true, RETRY_BUDGETED },
	{ "a stream that the server refused, POST", TRY_REFUSED, false, true, 0, 2, ALL, false,
	    RETRY_BUDGETED },
	{ "the same, body gone", TRY_REFUSED, true, false, 0, 2, ALL, false, RETRY_NO },
	{ "the same, no attempts left", TRY_REFUSED, true, true, 2, 2, ALL, false, RETRY_NO },
	{ "GET, new connection reset", TRY_RESET, true, true, 0, 2, ALL, false, RETRY_BUDGETED },
	{ "POST, new connection reset", TRY_RESET, false, true, 0, 2, ALL, false, RETRY_NO },
	{ "POST, allowed", TRY_RESET, false, true, 0, 2, ALL, true, RETRY_BUDGETED },
	{ "PUT whose body is gone", TRY_RESET, true, false, 0, 2, ALL, true, RETRY_NO },
	{ "time-out, configured", TRY_TIMEOUT, true, true, 1, 2, RETRY_TIMEOUT, false,
	    RETRY_BUDGETED },
	{ "time-out, not configured", TRY_TIMEOUT, true, true, 0, 2, RETRY_RESET, false, RETRY_NO },
	{ "502", TRY_STATUS_502, true, true, 0, 2, RETRY_502, false, RETRY_BUDGETED },
	{ "503, only 502 configured", TRY_STATUS_503, true, true, 0, 2, RETRY_502, false,
	    RETRY_NO },
	{ "504", TRY_STATUS_504, true, true, 0, 2, RETRY_504, false, RETRY_BUDGETED },
};

static void
decides_by_what_may_have_happened(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		struct retry_config conf = {
			.attempts = r->attempts, .on = r->on, .non_idempotent = r->non_idempotent
		};
		struct retry_case c = { r->failure, r->idempotent, r->replayable, false, r->retries,
			&conf };

		if (retry_decide(&c) != r->want)
			fail_msg("%s: got %d, want %d", r->what, retry_decide(&c), r->want);
	}
}

/* What was in flight to a server that is spared from now on is no more than that; else all rules hold. */
static void
a_spared_server_costs_no_budget(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		struct retry_config conf = {
			.attempts = r->attempts, .on = r->on, .non_idempotent = r->non_idempotent
		};
		struct retry_case c = { r->failure, r->idempotent, r->replayable, true, r->retries,
			&conf };
		enum retry_verdict want = r->want == RETRY_BUDGETED ? RETRY_FREE : r->want;

		if (retry_decide(&c) != want)
			fail_msg("%s, spared: got %d, want %d", r->what, retry_decide(&c), want);
	}
}

/* --- the budget, of a pool that several workers serve --- */

enum { WORKERS = 4, STRIDE = 3, ROUNDS = 20000, LEAST = 3 };

static const int64_t s = INT64_C(1000000000);
static retry_count retries, requests[WORKERS * STRIDE];

static int
setup(void **state)
{
	(void)state;
	retries = 0;
	for (int i = 0; i < WORKERS * STRIDE; i++)
		requests[i] = 0;
	return 0;
}

static struct retry_budget
budget(uint32_t percent)
{
	return (struct retry_budget){ &retries, requests, WORKERS, STRIDE, percent, LEAST };
}

static void
requests_come(int worker, int n, int64_t now)
{
	for (int i = 0; i < n; i++)
		retry_budget_request(&requests[worker * STRIDE], now);
}

static int
take_all(uint32_t percent, int64_t now)
{
	struct retry_budget b = budget(percent);
	int taken = 0;

	while (retry_budget_take(&b, now))
		taken++;
	return taken;
}

static void
budget_has_a_floor(void **state)
{
	struct retry_budget b = budget(20);

	(void)state;
	assert_int_equal(take_all(20, 1), LEAST);
	retry_budget_return(&b, 1);
	assert_int_equal(take_all(20, 1), 1);
}

static void
budget_is_a_share_of_the_last_seconds(void **state)
{
	(void)state;
	for (int i = 0; i < WORKERS; i++)
		requests_come(i, 250, 7 * s);
	assert_int_equal(take_all(20, 8 * s), 200);
	assert_int_equal(take_all(20, 12 * s), 0); /* the half before still counts */
	requests_come(2, 500, 12 * s);
	assert_int_equal(take_all(20, 13 * s), 100);
	assert_int_equal(take_all(20, 16 * s), 0); /* 100 of 500 */
	assert_int_equal(take_all(20, 40 * s), LEAST); /* forgotten: the floor again */
}

static void
budget_of_nothing_is_the_floor(void **state)
{
	(void)state;
	requests_come(0, 1000, 1);
	assert_int_equal(take_all(0, 1), LEAST);
}

/* Workers look at their clocks at different moments. */
static void
budget_forgives_clocks(void **state)
{
	(void)state;
	requests_come(0, 500, 5 * s);
	requests_come(1, 500, 5 * s - 1);
	assert_int_equal(take_all(20, 5 * s - 1), 200);
	assert_int_equal(take_all(20, 5 * s), 0);
}

static void
budget_counts_are_bounded(void **state)
{
	(void)state;
	requests_come(0, 3 << 20, 1);
	assert_int_equal(take_all(100, 1), (1 << 20) - 1);
}

static void *
take_often(void *arg)
{
	struct retry_budget b = budget(20);
	long taken = 0;

	for (int i = 0; i < ROUNDS; i++)
		taken += retry_budget_take(&b, s);
	*(long *)arg = taken;
	return NULL;
}

static void *
request_often(void *arg)
{
	for (int i = 0; i < ROUNDS; i++)
		retry_budget_request(arg, s);
	return NULL;
}

static void
budget_is_exact_with_many_threads(void **state)
{
	pthread_t threads[WORKERS];
	long taken[WORKERS], sum = 0;

	(void)state;
	for (int i = 0; i < WORKERS; i++)
		pthread_create(&threads[i], NULL, request_often, &requests[i * STRIDE]);
	for (int i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < WORKERS; i++)
		pthread_create(&threads[i], NULL, take_often, &taken[i]);
	for (int i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < WORKERS; i++)
		sum += taken[i];
	assert_int_equal(sum, WORKERS * ROUNDS / 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decides_by_what_may_have_happened),
		cmocka_unit_test(a_spared_server_costs_no_budget),
		cmocka_unit_test_setup(budget_has_a_floor, setup),
		cmocka_unit_test_setup(budget_is_a_share_of_the_last_seconds, setup),
		cmocka_unit_test_setup(budget_of_nothing_is_the_floor, setup),
		cmocka_unit_test_setup(budget_forgives_clocks, setup),
		cmocka_unit_test_setup(budget_counts_are_bounded, setup),
		cmocka_unit_test_setup(budget_is_exact_with_many_threads, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

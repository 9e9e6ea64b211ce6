/* test_retry.c - which failures may be tried again, and how much of that the budget allows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

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
		struct retry_case c = { r->failure, r->idempotent, r->replayable, r->retries,
			&conf };

		if (retry_decide(&c) != r->want)
			fail_msg("%s: got %d, want %d", r->what, retry_decide(&c), r->want);
	}
}

static void
budget_has_a_floor(void **state)
{
	struct retry_budget b = { 0 };

	(void)state;
	for (int i = 0; i < RETRY_BUDGET_MIN; i++)
		assert_true(retry_budget_take(&b, 20, 1));
	assert_false(retry_budget_take(&b, 20, 1));
	retry_budget_return(&b);
	assert_true(retry_budget_take(&b, 20, 1));
	assert_false(retry_budget_take(&b, 20, 1));
}

static void
budget_is_a_share_of_the_last_seconds(void **state)
{
	const int64_t s = INT64_C(1000000000);
	struct retry_budget b = { 0 };
	int taken = 0;

	(void)state;
	for (int i = 0; i < 1000; i++)
		retry_budget_request(&b, 7 * s);
	while (retry_budget_take(&b, 20, 8 * s))
		taken++;
	assert_int_equal(taken, 200);
	assert_false(retry_budget_take(&b, 20, 12 * s)); /* the half before still counts */
	assert_true(retry_budget_take(&b, 20, 40 * s)); /* forgotten: the floor again */
}

static void
budget_of_nothing_is_the_floor(void **state)
{
	struct retry_budget b = { 0 };
	int taken = 0;

	(void)state;
	for (int i = 0; i < 1000; i++)
		retry_budget_request(&b, 1);
	while (retry_budget_take(&b, 0, 1))
		taken++;
	assert_int_equal(taken, RETRY_BUDGET_MIN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decides_by_what_may_have_happened),
		cmocka_unit_test(budget_has_a_floor),
		cmocka_unit_test(budget_is_a_share_of_the_last_seconds),
		cmocka_unit_test(budget_of_nothing_is_the_floor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

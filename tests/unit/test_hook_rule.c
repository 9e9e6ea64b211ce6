/* test_hook_rule.c - which hook runs when: roles that change while one runs, fails, or waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "hafailover/hook/hook_rule.h"

enum event { ENTER, ENTER_BARE, PASSED, FAILED, TIMER };

struct row {
	enum event event;
	int at_s;
	enum hook_do todo;
	enum hook_state state;
	unsigned tries;
	bool failing;
};

static enum hook_do
feed(struct hook_rule *r, const struct row *row)
{
	switch (row->event) {
	case ENTER:
	case ENTER_BARE:
		return hook_rule_enter(r, row->event == ENTER);
	case PASSED:
	case FAILED:
		return hook_rule_ended(r, row->event == PASSED, row->at_s * NS_PER_S);
	case TIMER:
		return hook_rule_timer(r, row->at_s * NS_PER_S);
	}
	return HOOK_DO_NOTHING;
}

static void
run(const struct row *rows, size_t n)
{
	struct hook_rule r = { 0 };

	for (size_t i = 0; i < n; i++) {
		enum hook_do todo = feed(&r, &rows[i]);

		if (todo != rows[i].todo || r.state != rows[i].state || r.tries != rows[i].tries ||
		    hook_rule_failing(&r) != rows[i].failing)
			fail_msg("step %zu: does %d, is %s after %u tries", i, todo,
			    hook_state_name(r.state), r.tries);
	}
}

#define RUN(rows) run(rows, sizeof(rows) / sizeof(*(rows)))

static void
test_success(void **state)
{
	static const struct row rows[] = {
		{ TIMER, 0, HOOK_DO_NOTHING, HOOK_NONE, 0, false },
		{ ENTER_BARE, 0, HOOK_DO_NOTHING, HOOK_NONE, 0, false },
		{ ENTER, 0, HOOK_DO_RUN, HOOK_RUNNING, 1, false },
		{ TIMER, 100, HOOK_DO_NOTHING, HOOK_RUNNING, 1, false },
		{ PASSED, 101, HOOK_DO_NOTHING, HOOK_DONE, 1, false },
		{ TIMER, 1000, HOOK_DO_NOTHING, HOOK_DONE, 1, false },
		{ ENTER, 1001, HOOK_DO_RUN, HOOK_RUNNING, 1, false },
		{ PASSED, 1002, HOOK_DO_NOTHING, HOOK_DONE, 1, false },
		{ ENTER_BARE, 1003, HOOK_DO_NOTHING, HOOK_NONE, 0, false },
	};

	(void)state;
	RUN(rows);
}

/* 1, 2, 4, 8, 16, 30, 30 seconds, without end, until it succeeds. */
static void
test_pauses(void **state)
{
	static const struct row rows[] = {
		{ ENTER, 0, HOOK_DO_RUN, HOOK_RUNNING, 1, false },
		{ FAILED, 10, HOOK_DO_NOTHING, HOOK_WAITING, 1, true },
		{ TIMER, 10, HOOK_DO_NOTHING, HOOK_WAITING, 1, true },
		{ TIMER, 11, HOOK_DO_RUN, HOOK_RUNNING, 2, true },
		{ FAILED, 20, HOOK_DO_NOTHING, HOOK_WAITING, 2, true },
		{ TIMER, 21, HOOK_DO_NOTHING, HOOK_WAITING, 2, true },
		{ TIMER, 22, HOOK_DO_RUN, HOOK_RUNNING, 3, true },
		{ FAILED, 30, HOOK_DO_NOTHING, HOOK_WAITING, 3, true },
		{ TIMER, 33, HOOK_DO_NOTHING, HOOK_WAITING, 3, true },
		{ TIMER, 34, HOOK_DO_RUN, HOOK_RUNNING, 4, true },
		{ FAILED, 40, HOOK_DO_NOTHING, HOOK_WAITING, 4, true },
		{ TIMER, 48, HOOK_DO_RUN, HOOK_RUNNING, 5, true },
		{ FAILED, 50, HOOK_DO_NOTHING, HOOK_WAITING, 5, true },
		{ TIMER, 66, HOOK_DO_RUN, HOOK_RUNNING, 6, true },
		{ FAILED, 70, HOOK_DO_NOTHING, HOOK_WAITING, 6, true },
		{ TIMER, 99, HOOK_DO_NOTHING, HOOK_WAITING, 6, true },
		{ TIMER, 100, HOOK_DO_RUN, HOOK_RUNNING, 7, true },
		{ FAILED, 110, HOOK_DO_NOTHING, HOOK_WAITING, 7, true },
		{ TIMER, 139, HOOK_DO_NOTHING, HOOK_WAITING, 7, true },
		{ TIMER, 140, HOOK_DO_RUN, HOOK_RUNNING, 8, true },
		{ PASSED, 141, HOOK_DO_NOTHING, HOOK_DONE, 8, false },
	};

	(void)state;
	RUN(rows);
}

/* The old one ends before the new one begins; of several roles meanwhile, the last counts. */
static void
test_superseded(void **state)
{
	static const struct row rows[] = {
		{ ENTER, 0, HOOK_DO_RUN, HOOK_RUNNING, 1, false },
		{ ENTER, 1, HOOK_DO_KILL, HOOK_ENDING, 0, false },
		{ TIMER, 2, HOOK_DO_NOTHING, HOOK_ENDING, 0, false },
		{ FAILED, 2, HOOK_DO_RUN, HOOK_RUNNING, 1, false },
		{ ENTER, 3, HOOK_DO_KILL, HOOK_ENDING, 0, false },
		{ ENTER_BARE, 3, HOOK_DO_NOTHING, HOOK_ENDING, 0, false },
		{ ENTER, 3, HOOK_DO_NOTHING, HOOK_ENDING, 0, false },
		{ PASSED, 4, HOOK_DO_RUN, HOOK_RUNNING, 1, false }, /* just before it was killed */
		{ ENTER, 5, HOOK_DO_KILL, HOOK_ENDING, 0, false },
		{ ENTER_BARE, 5, HOOK_DO_NOTHING, HOOK_ENDING, 0, false },
		{ FAILED, 6, HOOK_DO_NOTHING, HOOK_NONE, 0, false },
	};

	(void)state;
	RUN(rows);
}

/* What has failed is not tried again in another role, and the next one's pauses begin anew. */
static void
test_superseded_while_it_waits(void **state)
{
	static const struct row rows[] = {
		{ ENTER, 0, HOOK_DO_RUN, HOOK_RUNNING, 1, false },
		{ FAILED, 1, HOOK_DO_NOTHING, HOOK_WAITING, 1, true },
		{ TIMER, 2, HOOK_DO_RUN, HOOK_RUNNING, 2, true },
		{ FAILED, 3, HOOK_DO_NOTHING, HOOK_WAITING, 2, true },
		{ ENTER_BARE, 4, HOOK_DO_NOTHING, HOOK_NONE, 0, false },
		{ TIMER, 100, HOOK_DO_NOTHING, HOOK_NONE, 0, false },
		{ ENTER, 101, HOOK_DO_RUN, HOOK_RUNNING, 1, false },
		{ FAILED, 102, HOOK_DO_NOTHING, HOOK_WAITING, 1, true },
		{ ENTER, 102, HOOK_DO_RUN, HOOK_RUNNING, 1, false },
		{ FAILED, 103, HOOK_DO_NOTHING, HOOK_WAITING, 1, true },
		{ TIMER, 104, HOOK_DO_RUN, HOOK_RUNNING, 2, true },
	};

	(void)state;
	RUN(rows);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_success),
		cmocka_unit_test(test_pauses),
		cmocka_unit_test(test_superseded),
		cmocka_unit_test(test_superseded_while_it_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

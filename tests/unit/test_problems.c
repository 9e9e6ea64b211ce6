/* test_problems.c - the list of complaints: it keeps, it sorts, it stops growing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/problems.h"

static void
test_bounded(void **state)
{
	struct problems p;

	(void)state;
	problems_init(&p);
	for (unsigned i = 0; i < 3 * PROBLEMS_MAX; i++)
		problems_add(&p, i, "number %u", i);
	assert_int_equal(p.n, 3 * PROBLEMS_MAX);
	assert_int_equal(p.kept, PROBLEMS_MAX);
	assert_string_equal(p.list[0].text, "number 0");
	assert_string_equal(p.list[PROBLEMS_MAX - 1].text, "number 199");
	problems_fini(&p);
	assert_int_equal(p.n, 0);
}

static void
test_sorted_by_line(void **state)
{
	static const unsigned lines[] = { 7, 3, 7, 1, 3, 0 };
	static const char *const want[] = { "0e", "1d", "3b", "3f", "7a", "7c" };
	struct problems p = { 0 };

	(void)state;
	for (unsigned i = 0; i < 6; i++)
		problems_add(&p, lines[i], "%u%c", lines[i], "abcdfe"[i]);
	problems_sort(&p);
	for (unsigned i = 0; i < 6; i++)
		assert_string_equal(p.list[i].text, want[i]);
	problems_fini(&p);
}

static void
test_empty(void **state)
{
	struct problems p = { 0 };

	(void)state;
	problems_sort(&p);
	problems_fini(&p);
	assert_null(p.list);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_sorted_by_line),
		cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

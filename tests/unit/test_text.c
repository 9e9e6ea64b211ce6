/* test_text.c - the growing text: content, limit, hand-over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/text.h"

static void
test_appends(void **state)
{
	struct text t;
	char *p;
	size_t n;
	int i;

	(void)state;
	text_init(&t, 1 << 20);
	text_append(&t, STR("a"));
	text_append(&t, (struct str){ NULL, 0 });
	text_printf(&t, "%d-%s", 7, "x");
	assert_string_equal(t.p, "a7-x");
	for (i = 0; i < 10000; i++)
		text_printf(&t, "%09d\n", i);
	assert_false(t.failed);
	assert_int_equal(t.n, 4 + 100000);
	assert_memory_equal(t.p + 4 + 99990, "000009999\n", 11);
	p = text_take(&t, &n);
	assert_int_equal(n, 100004);
	assert_null(t.p);
	free(p);
	text_append(&t, STR("again"));
	assert_string_equal(t.p, "again");
	text_fini(&t);
	text_fini(&t);
}

static void
test_drops(void **state)
{
	struct text t;

	(void)state;
	text_init(&t, 100);
	text_drop(&t, 0);
	text_append(&t, STR("first second"));
	text_drop(&t, 6);
	assert_string_equal(t.p, "second");
	text_drop(&t, 6);
	assert_string_equal(t.p, "");
	text_append(&t, STR("x"));
	assert_string_equal(t.p, "x");
	text_fini(&t);
}

/* Exactly the limit fits; one byte more fails, and so does all that follows. */
static void
test_limit(void **state)
{
	struct text t;
	size_t n;

	(void)state;
	text_init(&t, 8);
	text_append(&t, STR("1234"));
	text_printf(&t, "%s", "5678");
	assert_false(t.failed);
	assert_string_equal(t.p, "12345678");
	text_append(&t, STR(""));
	assert_false(t.failed);
	text_printf(&t, "%c", '9');
	assert_true(t.failed);
	assert_int_equal(t.n, 8);
	assert_string_equal(t.p, "12345678");
	text_append(&t, STR(""));
	assert_null(text_take(&t, &n));
	assert_int_equal(n, 0);
	assert_false(t.failed);
	text_append(&t, STR("new"));
	assert_string_equal(t.p, "new");
	text_fini(&t);
}

static void
test_takes_nothing_from_nothing(void **state)
{
	struct text t;
	size_t n = 9;

	(void)state;
	text_init(&t, 8);
	assert_null(text_take(&t, &n));
	assert_int_equal(n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_appends),
		cmocka_unit_test(test_drops),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_takes_nothing_from_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

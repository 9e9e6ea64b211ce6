/* test_hactl_table.c - columns line up, and fit. */
#include "tests/unit/hactl_page.h"

#include "hafailover/hactl/table.h"

static const struct table_column columns[] = {
	{ "NAME", false, 4 },
	{ "N", true, 0 },
	{ "REASON", false, 6 },
};

static struct table *
table_of_two(void)
{
	struct table *t = table_new(columns, 3);

	table_add(t, STYLE_PLAIN, STR("web/first"));
	table_printf(t, STYLE_PLAIN, "%d", 7);
	table_add(t, STYLE_BAD, STR("connection refused"));
	table_add(t, STYLE_GOOD, STR("日本"));
	table_printf(t, STYLE_PLAIN, "%d", 1234);
	table_add(t, STYLE_PLAIN, STR(""));
	return t;
}

static void
expect(struct table *t, struct look look, const char *expected)
{
	struct text page;

	page_begin(&page);
	table_print(&t, &page, look);
	assert_null(t);
	page_expect(&page, expected);
}

static void
test_as_wide_as_needed(void **state)
{
	(void)state;
	expect(table_of_two(), (struct look){ 0, false },
	    "NAME          N  REASON\n"
	    "web/first     7  connection refused\n"
	    "日本       1234\n");
}

static void
test_the_widest_flexible_column_gives_way(void **state)
{
	(void)state;
	expect(table_of_two(), (struct look){ 30, false },
	    "NAME          N  REASON\n"
	    "web/first     7  connection r…\n"
	    "日本       1234\n");
	expect(table_of_two(), (struct look){ 20, false },
	    "NAME       N  REASON\n"
	    "web/f…     7  conne…\n"
	    "日本    1234\n");
}

static void
test_no_column_is_cut_below_its_least(void **state)
{
	(void)state;
	expect(table_of_two(), (struct look){ 5, false },
	    "NAME     N  REASON\n"
	    "web…     7  conne…\n"
	    "日本  1234\n");
}

static void
test_a_wide_character_is_not_halved(void **state)
{
	static const struct table_column one[] = { { "N", false, 4 } };
	struct table *t = table_new(one, 1);

	(void)state;
	table_add(t, STYLE_PLAIN, STR("日本語"));
	expect(t, (struct look){ 4, false }, "N\n日…\n");
}

static void
test_colour_takes_no_room(void **state)
{
	(void)state;
	expect(table_of_two(), (struct look){ 0, true },
	    "\033[1mNAME\033[0m          \033[1mN\033[0m  \033[1mREASON\033[0m\n"
	    "web/first     7  \033[31mconnection refused\033[0m\n"
	    "\033[32m日本\033[0m       1234\n");
}

static void
test_cells_are_cleaned(void **state)
{
	struct table *t = table_new(columns, 3);

	(void)state;
	table_add(t, STYLE_PLAIN, STR("a\nb"));
	table_add(t, STYLE_PLAIN, STR("\033[2J"));
	table_add(t, STYLE_PLAIN, STR("\xff"));
	expect(t, (struct look){ 0, false },
	    "NAME          N  REASON\n"
	    "a\\x0ab  \\x1b[2J  \\xff\n");
}

static void
test_no_rows(void **state)
{
	struct table *t = table_new(columns, 3);

	(void)state;
	table_add(t, STYLE_PLAIN, STR("half a row"));
	expect(t, (struct look){ 0, false }, "NAME        N  REASON\n");
	expect(table_new(columns, 3), (struct look){ 0, false }, "NAME  N  REASON\n");
}

static void
test_a_table_that_is_not_there_fails_the_page(void **state)
{
	struct table *t = NULL;
	struct text page;

	(void)state;
	page_begin(&page);
	table_add(t, STYLE_PLAIN, STR("x"));
	table_print(&t, &page, (struct look){ 0, false });
	assert_true(page.failed);
	text_fini(&page);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_wide_as_needed),
		cmocka_unit_test(test_the_widest_flexible_column_gives_way),
		cmocka_unit_test(test_no_column_is_cut_below_its_least),
		cmocka_unit_test(test_a_wide_character_is_not_halved),
		cmocka_unit_test(test_colour_takes_no_room),
		cmocka_unit_test(test_cells_are_cleaned),
		cmocka_unit_test(test_no_rows),
		cmocka_unit_test(test_a_table_that_is_not_there_fails_the_page),
	};

	return cmocka_run_group_tests(tests, locale_set, NULL);
}

/* test_hactl_display.c - no byte of a name moves the cursor, and columns are counted as a terminal does. */
#include "tests/unit/hactl_page.h"

#include "hafailover/hactl/display.h"

static void
expect_clean(struct str in, const char *expected)
{
	struct text page;

	page_begin(&page);
	display_clean(&page, in);
	page_expect(&page, expected);
}

static void
test_what_can_be_seen_stays(void **state)
{
	(void)state;
	expect_clean(STR(""), "");
	expect_clean(STR("web/a-1.example:80 [x]~"), "web/a-1.example:80 [x]~");
	expect_clean(STR("Köln"), "Köln");
	expect_clean(STR("日本 🙂"), "日本 🙂");
	expect_clean(STR("e\xcc\x81"), "e\xcc\x81"); /* a combining accent */
}

static void
test_control_characters_are_named(void **state)
{
	(void)state;
	expect_clean(STR("a\033[2Jb"), "a\\x1b[2Jb");
	expect_clean(STR("a\nb\tc\r\x07"), "a\\x0ab\\x09c\\x0d\\x07");
	expect_clean(STR("\x7f"), "\\x7f");
	expect_clean((struct str){ "a\0b", 3 }, "a\\x00b");
	expect_clean(STR("\xc2\x9b"), "\\u{009b}"); /* CSI in one character */
	expect_clean(STR("\xe2\x80\xae"
			 "drow"),
	    "\\u{202e}drow");
	expect_clean(STR("a\xe2\x80\x8b"), "a\\u{200b}");
	expect_clean(STR("\xef\xbb\xbf"), "\\u{feff}");
	expect_clean(STR("\xc2\xad"), "\\u{00ad}");
	expect_clean(STR("\xd8\x9c"), "\\u{061c}");
	expect_clean(STR("\xe1\xa0\x8e"), "\\u{180e}");
	expect_clean(STR("\xe2\x81\xa6"), "\\u{2066}");
	expect_clean(STR("\xef\xbf\xb9"), "\\u{fff9}");
	expect_clean(STR("\xf3\xa0\x80\xa1"), "\\u{e0021}");
}

static void
test_what_is_not_utf8_is_shown_by_byte(void **state)
{
	(void)state;
	expect_clean(STR("\xff"), "\\xff");
	expect_clean(STR("a\xc3"), "a\\xc3"); /* cut off */
	expect_clean(STR("\xe2\x80"), "\\xe2\\x80");
	expect_clean(STR("\xc0\x8a"), "\\xc0\\x8a"); /* overlong */
	expect_clean(STR("\xe0\x80\x8a"), "\\xe0\\x80\\x8a");
	expect_clean(STR("\xf0\x80\x80\x8a"), "\\xf0\\x80\\x80\\x8a");
	expect_clean(STR("\xed\xa0\x80"), "\\xed\\xa0\\x80"); /* a surrogate */
	expect_clean(STR("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80"); /* beyond the last */
	expect_clean(STR("\xc3(x"), "\\xc3(x");
}

/* In a block of exactly their size: a reader beyond the end is seen by the address sanitizer. */
static void
test_every_sequence_of_three_bytes_comes_out_harmless(void **state)
{
	static const unsigned char bytes[] = { 0x00, 0x1b, 0x41, 0x7f, 0x80, 0x9b, 0xa0, 0xbf, 0xc0,
		0xc2, 0xdf, 0xe0, 0xe2, 0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xff };
	enum { N = sizeof(bytes) };

	(void)state;
	for (unsigned i = 0; i < N * N * N; i++) {
		char *in = malloc(3);
		struct text page;

		assert_non_null(in);
		in[0] = (char)bytes[i % N];
		in[1] = (char)bytes[i / N % N];
		in[2] = (char)bytes[i / N / N];
		page_begin(&page);
		display_clean(&page, (struct str){ in, 3 });
		assert_int_equal(strlen(page.p), page.n);
		for (size_t j = 0; j < page.n; j++)
			assert_true((unsigned char)page.p[j] >= 0x20 && page.p[j] != 0x7f);
		free(in);
		text_fini(&page);
	}
}

static void
test_width(void **state)
{
	(void)state;
	assert_int_equal(display_width(STR("")), 0);
	assert_int_equal(display_width(STR("abc")), 3);
	assert_int_equal(display_width(STR("Köln")), 4);
	assert_int_equal(display_width(STR("日本")), 4);
	assert_int_equal(display_width(STR("e\xcc\x81")), 1);
	assert_int_equal(display_width(STR("\033[31mred\033[0m")), 3);
}

static void
expect_cut(struct str in, size_t width, struct str expected)
{
	struct str cut = display_cut(in, width);

	assert_int_equal(cut.n, expected.n);
	assert_memory_equal(cut.p, expected.p, expected.n);
}

static void
test_cut(void **state)
{
	(void)state;
	expect_cut(STR("abc"), 3, STR("abc"));
	expect_cut(STR("abc"), 2, STR("ab"));
	expect_cut(STR("abc"), 0, STR(""));
	expect_cut(STR("Köln"), 2, STR("Kö"));
	expect_cut(STR("日本"), 3, STR("日")); /* no half of a wide one */
	expect_cut(STR("e\xcc\x81x"), 1, STR("e\xcc\x81"));
	expect_cut(STR("\033[31mred\033[0m"), 2, STR("\033[31mre"));
	expect_cut(STR("\033[31mred\033[0m"), 3, STR("\033[31mred\033[0m"));
}

static void
test_style(void **state)
{
	(void)state;
	assert_string_equal(style_on(STYLE_GOOD, false), "");
	assert_string_equal(style_off(STYLE_GOOD, false), "");
	assert_string_equal(style_on(STYLE_GOOD, true), "\033[32m");
	assert_string_equal(style_off(STYLE_GOOD, true), "\033[0m");
	assert_string_equal(style_off(STYLE_PLAIN, true), "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_can_be_seen_stays),
		cmocka_unit_test(test_control_characters_are_named),
		cmocka_unit_test(test_what_is_not_utf8_is_shown_by_byte),
		cmocka_unit_test(test_every_sequence_of_three_bytes_comes_out_harmless),
		cmocka_unit_test(test_width),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_style),
	};

	return cmocka_run_group_tests(tests, locale_set, NULL);
}

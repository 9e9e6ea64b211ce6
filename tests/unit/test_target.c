/* test_target.c - targets and their one spelling; what is normal stays as it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lbd/route/target.h"

/* want NULL: bad; "": as it came. */
static const struct {
	const char *target, *want;
} cases[] = {
	{ "/", "" },
	{ "*", "" },
	{ "/a/b?c=%41/../..", "" },
	{ "/a//b", "" },
	{ "/a.b/c..d/e.", "" },
	{ "/%41%7e%2D%5f", "/A~-_" },
	{ "/%c3%a9", "/%C3%A9" },
	{ "/a%2fb", "/a%2Fb" },
	{ "/%25%34%31", "/%2541" }, /* decoded once, not twice */
	{ "/a/./b", "/a/b" },
	{ "/a/../b", "/b" },
	{ "/a/..", "/" },
	{ "/a/.", "/a/" },
	{ "/a/b/..", "/a/" },
	{ "/a/b/../", "/a/" },
	{ "/.", "/" },
	{ "/./", "/" },
	{ "/a/%2e%2E/b", "/b" },
	{ "/a/.%2e/b?x=../y", "/b?x=../y" },
	{ "/a//../b", "/a/b" }, /* an empty segment is one */
	{ "/a/b/c/./../../g", "/a/g" }, /* RFC 3986 section 5.2.4 */
	{ "/...", "/..." },
	{ "/.a/..b", "/.a/..b" },
	{ "/..", NULL },
	{ "/../a", NULL },
	{ "/a/../..", NULL },
	{ "/a/../../b", NULL },
	{ "/%2e%2e/a", NULL },
	{ "/%", NULL },
	{ "/%4", NULL },
	{ "/%4?1", NULL },
	{ "/%g1", NULL },
	{ "/%1g", NULL },
	{ "/%00", NULL },
	{ "/a%?41", NULL },
};

static void
test_normalised(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *want = cases[i].want;
		struct str target = str_of(cases[i].target);
		char *out = malloc(target.n); /* so that a sanitizer sees a byte too many */
		struct target normal;
		enum target_verdict verdict = target_normalise(target, out, &normal);
		struct str got = normal.whole;

		if (verdict != (!want ? TARGET_BAD : *want ? TARGET_CHANGED : TARGET_NORMAL))
			fail_msg("%s: verdict %d", cases[i].target, verdict);
		if (verdict == TARGET_NORMAL && !str_eq(got, target))
			fail_msg("%s: changed", cases[i].target);
		if (verdict != TARGET_BAD && !str_eq(normal.path, target_path(got)))
			fail_msg("%s: path %.*s", cases[i].target, STR_ARG(normal.path));
		if (verdict == TARGET_CHANGED && !str_eq(got, str_of(want)))
			fail_msg("%s: got %.*s", cases[i].target, STR_ARG(got));
		free(out);
	}
}

/* What came out stays as it is; a server that decodes once more sees no dot segment. */
static void
test_is_the_last_word(void **state)
{
	static const char bytes[] = "/.%2eE5cFa?";
	unsigned random = 1;

	(void)state;
	for (int k = 0; k < 200000; k++) {
		char target[16] = "/", once[16], twice[16];
		struct target first, second;
		size_t n = 1;

		for (; n < 12; n++) {
			random = random * 1103515245 + 12345;
			target[n] = bytes[(random >> 16) % (sizeof(bytes) - 1)];
		}
		if (target_normalise((struct str){ target, n }, once, &first) != TARGET_CHANGED)
			continue;
		switch (target_normalise(first.whole, twice, &second)) {
		case TARGET_NORMAL:
			break;
		case TARGET_CHANGED:
			assert_true(str_eq(first.whole, second.whole));
			break;
		case TARGET_BAD:
			fail_msg("%.*s became %.*s", (int)n, target, STR_ARG(first.whole));
		}
	}
}

static void
test_path(void **state)
{
	(void)state;
	assert_int_equal(target_path(STR("/a/b")).n, 4);
	assert_int_equal(target_path(STR("/a?b?c")).n, 2);
	assert_int_equal(target_path(STR("*")).n, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_normalised),
		cmocka_unit_test(test_is_the_last_word),
		cmocka_unit_test(test_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

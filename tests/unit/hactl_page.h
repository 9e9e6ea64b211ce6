/*
 * hactl_page.h - for the tests of what hactl shows: JSON that reads well in C, and pages as text.
 */
#ifndef TESTS_UNIT_HACTL_PAGE_H
#define TESTS_UNIT_HACTL_PAGE_H

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "common/text.h"

/* Quotes may be single ones. */
static inline json_t *
json_of(const char *text)
{
	char *copy = strdup(text);
	json_t *json;

	assert_non_null(copy);
	for (char *p = copy; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	json = json_loads(copy, JSON_ALLOW_NUL, NULL);
	assert_non_null(json);
	free(copy);
	return json;
}

static inline void
page_begin(struct text *page)
{
	text_init(page, 1 << 20);
}

/* Frees the page. */
static inline void
page_expect(struct text *page, const char *expected)
{
	assert_false(page->failed);
	assert_string_equal(page->p ? page->p : "", expected);
	text_fini(page);
}

/* As hactl itself sets it: else no character beyond ASCII has a width. */
static inline int
locale_set(void **state)
{
	(void)state;
	return setlocale(LC_CTYPE, "C.UTF-8") ? 0 : -1;
}

#endif

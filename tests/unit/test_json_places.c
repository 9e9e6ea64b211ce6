/* test_json_places.c - values and their lines, in texts that try to mislead a scanner. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "common/json_places.h"

/* Every value of the tree in order; the number of values below and including this one. */
static uint32_t
count_values(json_t *value)
{
	uint32_t n = 1;
	const char *key;
	json_t *inner;
	size_t i;

	json_object_foreach(value, key, inner) n += count_values(inner);
	json_array_foreach(value, i, inner) n += count_values(inner);
	return n;
}

/* The lines of all values; `after` must be where the tree says that the next value is. */
static void
check(const char *text, const uint32_t *lines, uint32_t n)
{
	size_t size = strlen(text);
	char *copy = malloc(size);
	struct json_places p;
	json_t *root;

	memcpy(copy, text, size);
	root = json_loadb(copy, size, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(root);
	assert_int_equal(json_places_init(&p, (struct str){ copy, size }), 0);
	assert_int_equal(p.n, n);
	assert_int_equal(p.n, count_values(root));
	for (uint32_t i = 0; i < n; i++)
		if (p.list[i].line != lines[i])
			fail_msg("value %u of %s: line %u", i, text, p.list[i].line);
	assert_int_equal(p.list[0].after, n);
	json_places_fini(&p);
	json_decref(root);
	free(copy);
}

#define LINES(...) (const uint32_t[]){ __VA_ARGS__ }, sizeof((uint32_t[]){ __VA_ARGS__ }) / 4

static void
test_lines(void **state)
{
	(void)state;
	check("{}", LINES(1));
	check("\n\n[]", LINES(3));
	check("{ \"a\": 1,\n  \"b\": [ 2,\n 3 ] }", LINES(1, 1, 2, 2, 3));
	check("[1,2\n,3\r\n, {\n} ]", LINES(1, 1, 1, 2, 3));
	/* a member stands where its key is */
	check("{\n\"a\"\n:\n5\n}", LINES(1, 2));
	check("{\n\"a\"\n:\n{\n\"b\":\n[\n]\n}\n}", LINES(1, 2, 5));
}

static void
test_strings_that_mislead(void **state)
{
	(void)state;
	check("[\n\"]\",\n\"\\\"]\",\n\"\\\\\",\n\"{\",\n\"\\u0022\",\n\",\"]",
	    LINES(1, 2, 3, 4, 5, 6, 7));
	check("{\n\"}\": 1,\n\"\\\":\": 2,\n\"\\\\\": 3 }", LINES(1, 2, 3, 4));
	check("[\"\\n\\n\",\n1]", LINES(1, 1, 2));
}

static void
test_scalars(void **state)
{
	(void)state;
	check("[true,false\n,null,-1.5e+3\n,0]", LINES(1, 1, 1, 2, 2, 3));
	check("[true]", LINES(1, 1));
	check("{\"a\":-0}", LINES(1, 1));
}

/* As deep as jansson goes itself. */
static void
test_deep(void **state)
{
	enum { DEPTH = 2048 };
	char *text = malloc(2 * DEPTH);
	struct json_places p;
	json_t *root;

	(void)state;
	memset(text, '[', DEPTH);
	memset(text + DEPTH, ']', DEPTH);
	root = json_loadb(text, 2 * DEPTH, 0, NULL);
	assert_non_null(root);
	assert_int_equal(json_places_init(&p, (struct str){ text, 2 * DEPTH }), 0);
	assert_int_equal(p.n, DEPTH);
	assert_int_equal(p.list[DEPTH - 1].after, DEPTH);
	json_places_fini(&p);
	json_decref(root);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_strings_that_mislead),
		cmocka_unit_test(test_scalars),
		cmocka_unit_test(test_deep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

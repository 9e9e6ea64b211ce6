/* test_buffer.c - pooled buffers: classes, growth, limits, the counters of what is out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lbd/worker/buffer.h"

static void
grows_by_class_and_keeps_its_bytes(void **state)
{
	static char big[BUFFER_HUGE_SIZE];
	struct buffer_pool pool = { 0 };
	struct buffer *b = NULL;

	(void)state;
	memset(big, 'x', sizeof(big));
	assert_int_equal(buffer_append(&pool, &b, "abc", 3), 0);
	assert_int_equal(b->size, BUFFER_TINY_SIZE);
	assert_int_equal(buffer_append(&pool, &b, big, BUFFER_SMALL_SIZE), 0);
	assert_int_equal(b->size, BUFFER_MEDIUM_SIZE);
	assert_int_equal(buffer_append(&pool, &b, big, BUFFER_MEDIUM_SIZE), 0);
	assert_int_equal(b->size, BUFFER_LARGE_SIZE);
	assert_int_equal(buffer_used(b), 3 + BUFFER_SMALL_SIZE + BUFFER_MEDIUM_SIZE);
	assert_memory_equal(b->data + b->start, "abcxxx", 6);
	assert_int_equal(pool.in_use, BUFFER_LARGE_SIZE);
	buffer_put(&pool, &b);
	assert_null(b);
	assert_int_equal(pool.in_use, 0);
	buffer_pool_fini(&pool);
}

static void
refuses_more_than_the_largest_and_changes_nothing(void **state)
{
	static char big[BUFFER_HUGE_SIZE];
	struct buffer_pool pool = { 0 };
	struct buffer *b = NULL;

	(void)state;
	assert_int_equal(buffer_append(&pool, &b, "abc", 3), 0);
	assert_int_equal(buffer_append(&pool, &b, big, BUFFER_HUGE_SIZE - 2), -ENOBUFS);
	assert_int_equal(buffer_used(b), 3);
	buffer_put(&pool, &b);
	buffer_pool_fini(&pool);
}

static void
uses_the_room_in_front_first(void **state)
{
	static char bytes[BUFFER_SMALL_SIZE];
	struct buffer_pool pool = { 0 };
	struct buffer *b = NULL;

	(void)state;
	memset(bytes, 'a', sizeof(bytes));
	bytes[sizeof(bytes) - 1] = 'z';
	assert_int_equal(buffer_append(&pool, &b, bytes, sizeof(bytes)), 0);
	b->start = b->end - 1;
	assert_int_equal(buffer_append(&pool, &b, "y", 1), 0);
	assert_int_equal(b->size, BUFFER_SMALL_SIZE);
	assert_memory_equal(b->data + b->start, "zy", 2);
	buffer_put(&pool, &b);
	buffer_pool_fini(&pool);
}

static void
a_free_buffer_is_used_again(void **state)
{
	struct buffer_pool pool = { 0 };
	struct buffer *b = buffer_get(&pool, 10), *first = b;

	(void)state;
	buffer_put(&pool, &b);
	b = buffer_get(&pool, 20);
	assert_ptr_equal(b, first);
	assert_int_equal(buffer_used(b), 0);
	buffer_put(&pool, &b);
	buffer_pool_fini(&pool);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows_by_class_and_keeps_its_bytes),
		cmocka_unit_test(refuses_more_than_the_largest_and_changes_nothing),
		cmocka_unit_test(uses_the_room_in_front_first),
		cmocka_unit_test(a_free_buffer_is_used_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

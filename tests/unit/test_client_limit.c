/* test_client_limit.c - connections counted by client address, from several threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#include "lbd/proxy/client_limit.h"

enum { THREADS = 4, ROUNDS = 20000, ADDRESSES = 50 };

static struct client_limit *limit;

static void
address_of(int i, uint8_t ip[16])
{
	memset(ip, 0, 16);
	ip[15] = (uint8_t)i;
	ip[3] = (uint8_t)(i * 7);
}

static void
counts_each_address_by_itself(void **state)
{
	uint8_t a[16], b[16];

	(void)state;
	limit = client_limit_new();
	address_of(1, a);
	address_of(2, b);
	assert_int_equal(client_limit_enter(limit, a), 1);
	assert_int_equal(client_limit_enter(limit, a), 2);
	assert_int_equal(client_limit_enter(limit, b), 1);
	client_limit_leave(limit, a);
	assert_int_equal(client_limit_enter(limit, a), 2);
	client_limit_leave(limit, a);
	client_limit_leave(limit, a);
	assert_int_equal(client_limit_enter(limit, a), 1);
	client_limit_free(&limit);
	assert_null(limit);
}

static void *
come_and_go(void *arg)
{
	uint8_t ip[16];

	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		address_of(i % ADDRESSES, ip);
		client_limit_enter(limit, ip);
		client_limit_leave(limit, ip);
	}
	return NULL;
}

static void
threads_leave_nothing_behind(void **state)
{
	pthread_t threads[THREADS];
	uint8_t ip[16];

	(void)state;
	limit = client_limit_new();
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < ADDRESSES; i++) {
		address_of(i, ip);
		assert_int_equal(client_limit_enter(limit, ip), 1);
	}
	client_limit_free(&limit);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_each_address_by_itself),
		cmocka_unit_test(threads_leave_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_client_limit.c - connections counted by client address, from several threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lbd/proxy/client_limit.h"

enum { THREADS = 4, ROUNDS = 20000, ADDRESSES = 3, MOST = 2 };

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
	struct client_count *first, *second, *other;
	uint8_t a[16], b[16];

	(void)state;
	limit = client_limit_new();
	address_of(1, a);
	address_of(2, b);
	first = client_limit_enter(limit, a, 2);
	second = client_limit_enter(limit, a, 2);
	assert_non_null(first);
	assert_non_null(second);
	assert_null(client_limit_enter(limit, a, 2));
	other = client_limit_enter(limit, b, 1);
	assert_non_null(other);
	client_limit_leave(limit, &first);
	assert_null(first);
	first = client_limit_enter(limit, a, 2);
	assert_non_null(first);
	assert_null(client_limit_enter(limit, a, 1)); /* a reload has made it less */
	client_limit_leave(limit, &first);
	client_limit_leave(limit, &second);
	second = client_limit_enter(limit, a, 1);
	assert_non_null(second);
	client_limit_leave(limit, &second);
	client_limit_leave(limit, &other);
	client_limit_free(&limit);
	assert_null(limit);
}

static void
many_clients(void **state)
{
	enum { CLIENTS = 20000 };
	struct client_count **counts = calloc(CLIENTS, sizeof(*counts));
	uint8_t ip[16] = { 0 };

	(void)state;
	limit = client_limit_new();
	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < CLIENTS; i++) {
			memcpy(ip, &i, sizeof(i));
			counts[i] = client_limit_enter(limit, ip, 1);
			assert_non_null(counts[i]);
			assert_null(client_limit_enter(limit, ip, 1));
		}
		for (uint32_t i = 0; i < CLIENTS; i++)
			client_limit_leave(limit, &counts[i]);
	}
	client_limit_free(&limit);
	free(counts);
}

static _Atomic int inside[ADDRESSES], worst, refused;

static void *
come_and_go(void *arg)
{
	struct client_count *count;
	uint8_t ip[16];
	int n, most;

	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		address_of(i % ADDRESSES, ip);
		count = client_limit_enter(limit, ip, MOST);
		if (!count) {
			atomic_fetch_add(&refused, 1);
			continue;
		}
		n = atomic_fetch_add(&inside[i % ADDRESSES], 1) + 1;
		most = atomic_load(&worst);
		while (n > most && !atomic_compare_exchange_weak(&worst, &most, n))
			;
		sched_yield();
		atomic_fetch_sub(&inside[i % ADDRESSES], 1);
		client_limit_leave(limit, &count);
	}
	return NULL;
}

static void
threads_keep_to_it_and_leave_nothing_behind(void **state)
{
	struct client_count *counts[MOST];
	pthread_t threads[THREADS];
	uint8_t ip[16];

	(void)state;
	limit = client_limit_new();
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_true(worst <= MOST);
	for (int i = 0; i < ADDRESSES; i++) {
		address_of(i, ip);
		for (int j = 0; j < MOST; j++)
			assert_non_null(counts[j] = client_limit_enter(limit, ip, MOST));
		assert_null(client_limit_enter(limit, ip, MOST));
		for (int j = 0; j < MOST; j++)
			client_limit_leave(limit, &counts[j]);
	}
	client_limit_free(&limit);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_each_address_by_itself),
		cmocka_unit_test(many_clients),
		cmocka_unit_test(threads_keep_to_it_and_leave_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

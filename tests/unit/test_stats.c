/* test_stats.c - names keep their ids, workers add up, and a reader may look while a worker counts. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/clock.h"
#include "lbd/worker/stats_sum.h"

static struct stats_exchange
exchange(uint16_t listener, uint16_t pool, uint16_t server, uint16_t status)
{
	return (struct stats_exchange){ listener, pool, server, status, NS_PER_MS, -1, -1 };
}

static void
count(struct stats *s, struct stats_exchange x, unsigned times)
{
	while (times--)
		stats_exchange(s, &x, 0);
}

static void
test_names_keep_their_ids(void **state)
{
	struct stats_names *names = stats_names_new();
	char text[16];

	(void)state;
	for (int i = 0; i < STATS_LISTENERS_MAX; i++) {
		snprintf(text, sizeof(text), "l%d", i);
		assert_int_equal(stats_listener_id(names, str_of(text)), i);
	}
	assert_int_equal(stats_listener_id(names, STR("one more")), -ENOSPC);
	assert_int_equal(stats_listener_id(names, STR("l17")), 17);
	assert_true(str_eq(stats_listener_name(names, 1023), STR("l1023")));
	assert_int_equal(stats_pool_id(names, STR("l17")), 0);
	assert_true(str_eq(stats_pool_name(names, 0), STR("l17")));
	assert_true(str_eq(stats_pool_name(names, STATS_NO_POOL), STR("")));
	stats_names_free(&names);
	assert_null(names);
}

static void
test_servers_are_told_apart_by_pool(void **state)
{
	struct stats_names *names = stats_names_new();
	int a = stats_server_id(names, STR("web"), STR("s1"));
	int b = stats_server_id(names, STR("api"), STR("s1"));
	int c = stats_server_id(names, STR("web"), STR("unix:/run/s.sock"));

	(void)state;
	assert_int_not_equal(a, b);
	assert_int_equal(stats_server_id(names, STR("web"), STR("s1")), a);
	assert_true(str_eq(stats_server_name(names, (uint32_t)b), STR("s1")));
	assert_true(str_eq(stats_server_name(names, (uint32_t)c), STR("unix:/run/s.sock")));
	assert_true(str_eq(stats_server_name(names, STATS_NO_SERVER), STR("")));
	stats_names_free(&names);
}

static void
test_server_ids_end_before_no_server(void **state)
{
	struct stats_names *names = stats_names_new();
	char text[16];

	(void)state;
	for (int i = 0; i < STATS_SERVERS_MAX; i++) {
		snprintf(text, sizeof(text), "s%d", i);
		assert_int_equal(stats_server_id(names, STR("p"), str_of(text)), i);
	}
	assert_int_equal(stats_server_id(names, STR("p"), STR("new")), -ENOSPC);
	assert_int_equal(stats_server_id(names, STR("p"), STR("s65534")), STATS_NO_SERVER - 1);
	stats_names_free(&names);
}

static void
test_two_workers_add_up(void **state)
{
	struct stats *s[2] = { stats_new(), stats_new() };
	struct stats_blocks blocks = { s, 2 };
	struct stats_requests_sum *rows;

	(void)state;
	count(s[0], exchange(1, 2, 3, 200), 5);
	count(s[0], exchange(1, 2, 3, 503), 1);
	count(s[0], exchange(0, STATS_NO_POOL, STATS_NO_SERVER, 400), 2);
	count(s[1], exchange(1, 2, 3, 200), 7);
	count(s[1], exchange(1, 2, 4, 200), 1);
	count(s[1], exchange(1, 2, 3, 200), 1);
	assert_int_equal(stats_sum_requests(blocks, &rows), 4);
	assert_int_equal(rows[0].status, 400);
	assert_int_equal(rows[0].pool, STATS_NO_POOL);
	assert_int_equal(rows[0].server, STATS_NO_SERVER);
	assert_int_equal(rows[0].count, 2);
	assert_int_equal(rows[1].listener, 1);
	assert_int_equal(rows[1].pool, 2);
	assert_int_equal(rows[1].server, 3);
	assert_int_equal(rows[1].status, 200);
	assert_int_equal(rows[1].count, 13);
	assert_int_equal(rows[2].status, 503);
	assert_int_equal(rows[2].count, 1);
	assert_int_equal(rows[3].server, 4);
	assert_int_equal(rows[3].count, 1);
	assert_int_equal(stats_sum_uncounted(blocks), 0);
	free(rows);
	stats_free(&s[0]);
	stats_free(&s[1]);
}

static void
test_many_keys_are_all_found_again(void **state)
{
	struct stats *s = stats_new();
	struct stats_blocks blocks = { &s, 1 };
	struct stats_requests_sum *rows;
	ssize_t n;

	(void)state;
	for (int round = 0; round < 3; round++)
		for (uint16_t server = 0; server < 3000; server++)
			for (uint16_t status = 200; status < 204; status++)
				count(s, exchange(0, 0, server, status), 1);
	n = stats_sum_requests(blocks, &rows);
	assert_int_equal(n, 12000);
	for (ssize_t i = 0; i < n; i++) {
		assert_int_equal(rows[i].server, i / 4);
		assert_int_equal(rows[i].status, 200 + i % 4);
		assert_int_equal(rows[i].count, 3);
	}
	free(rows);
	stats_free(&s);
}

static void
test_times_go_where_they_belong(void **state)
{
	struct stats *s[2] = { stats_new(), stats_new() };
	struct stats_blocks blocks = { s, 2 };
	struct stats_exchange x = { 4, 5, 6, 200, 30 * NS_PER_MS, NS_PER_MS, 20 * NS_PER_MS };
	struct stats_route_sum *routes;
	struct stats_pool_sum pool;

	(void)state;
	stats_exchange(s[0], &x, 0);
	x.connect_ns = -1; /* a connection was used again */
	stats_exchange(s[1], &x, 0);
	x.response_ns = -1;
	x.duration_ns = 300 * NS_PER_MS;
	stats_exchange(s[1], &x, 0);
	assert_int_equal(stats_sum_routes(blocks, 0, &routes), 1);
	assert_int_equal(routes[0].listener, 4);
	assert_int_equal(routes[0].pool, 5);
	assert_int_equal(routes[0].duration.count, 3);
	assert_int_equal(routes[0].duration.sum_ns, 360 * NS_PER_MS);
	assert_in_range(routes[0].quantile_ns[0], 28500000, 31500000);
	assert_in_range(routes[0].quantile_ns[3], 285000000, 315000000);
	free(routes);
	stats_sum_pool(blocks, 5, &pool);
	assert_int_equal(pool.connect.count, 1);
	assert_int_equal(pool.connect.sum_ns, NS_PER_MS);
	assert_int_equal(pool.response.count, 2);
	assert_int_equal(stats_sum_routes(blocks, 600 * NS_PER_S, &routes), 1);
	assert_int_equal(routes[0].quantile_ns[0], -1);
	assert_int_equal(routes[0].duration.count, 3);
	free(routes);
	stats_free(&s[0]);
	stats_free(&s[1]);
}

static void
test_listeners_and_pools_add_up(void **state)
{
	struct stats *s[2] = { stats_new(), stats_new() };
	struct stats_blocks blocks = { s, 2 };
	struct stats_listener_sum listener;
	struct stats_pool_sum pool;

	(void)state;
	counter_add(&stats_listener(s[0], 3)->connections, 2);
	counter_add(&stats_listener(s[1], 3)->connections, 5);
	counter_add(&stats_listener(s[1], 3)->connections, (uint64_t)-1);
	counter_add(&stats_listener(s[1], 8)->connections, 1);
	counter_add(&stats_listener(s[1], 3)->rejected[END_CLIENT_LIMIT], 9);
	counter_add(&stats_pool(s[0], 1)->retries, 3);
	counter_add(&stats_pool(s[1], 1)->retries, 4);
	assert_ptr_equal(stats_pool(s[1], 1), stats_pool(s[1], 1));
	stats_sum_listener(blocks, 3, &listener);
	assert_int_equal(listener.connections, 6);
	assert_int_equal(listener.rejected[END_CLIENT_LIMIT], 9);
	stats_sum_pool(blocks, 1, &pool);
	assert_int_equal(pool.retries, 7);
	stats_sum_pool(blocks, 2, &pool);
	assert_int_equal(pool.retries, 0);
	assert_int_equal(stats_connections(s[1]), 5);
	stats_free(&s[0]);
	stats_free(&s[1]);
}

static void
test_the_lag_is_a_peak_that_decays(void **state)
{
	struct stats *s = stats_new();

	(void)state;
	stats_loop_lag(s, 80 * NS_PER_MS);
	assert_int_equal(stats_loop_lag_ns(s), 80 * NS_PER_MS);
	stats_loop_lag(s, NS_PER_MS);
	assert_int_equal(stats_loop_lag_ns(s), 70 * NS_PER_MS);
	stats_loop_lag(s, 90 * NS_PER_MS);
	assert_int_equal(stats_loop_lag_ns(s), 90 * NS_PER_MS);
	for (int i = 0; i < 100; i++)
		stats_loop_lag(s, 0);
	assert_in_range(stats_loop_lag_ns(s), 0, NS_PER_MS);
	stats_free(&s);
}

enum { THREAD_ROUNDS = 200 };

static void *
counting_thread(void *arg)
{
	struct stats *s = arg;

	for (unsigned round = 0; round < THREAD_ROUNDS; round++)
		for (unsigned server = 0; server <= round; server++) {
			struct stats_exchange x =
			    exchange(server % 8, server % 16, (uint16_t)server, 200);

			counter_add(&stats_listener(s, server % 8)->connections_total, 1);
			stats_exchange(s, &x, round * NS_PER_S);
		}
	return NULL;
}

static uint64_t
sum_of_all(struct stats_blocks blocks)
{
	struct stats_requests_sum *rows;
	struct stats_route_sum *routes;
	struct stats_listener_sum listener;
	ssize_t n = stats_sum_requests(blocks, &rows);
	uint64_t total = 0;

	for (ssize_t i = 0; i < n; i++) {
		total += rows[i].count;
		if (i)
			assert_true(rows[i].server > rows[i - 1].server ||
			    rows[i].listener > rows[i - 1].listener ||
			    rows[i].pool > rows[i - 1].pool);
	}
	free(rows);
	n = stats_sum_routes(blocks, 0, &routes);
	assert_true(n >= 0);
	free(routes);
	stats_sum_listener(blocks, 1, &listener);
	return total;
}

static void
test_a_reader_looks_on(void **state)
{
	struct stats *s[2] = { stats_new(), stats_new() };
	struct stats_blocks blocks = { s, 2 };
	const uint64_t all = 2 * (uint64_t)THREAD_ROUNDS * (THREAD_ROUNDS + 1) / 2;
	uint64_t total = 0, before;
	pthread_t threads[2];

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, counting_thread, s[i]), 0);
	do {
		before = total;
		total = sum_of_all(blocks);
		assert_true(total >= before);
	} while (total < all);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(sum_of_all(blocks), all);
	stats_free(&s[0]);
	stats_free(&s[1]);
}

static void
test_ends_have_names(void **state)
{
	(void)state;
	assert_string_equal(termination_name(END_OK), "ok");
	assert_string_equal(termination_name(END_CLIENT_CLOSED), "client_closed");
	assert_string_equal(termination_name(END_DRAIN), "drain");
	for (int t = 1; t < TERMINATION_COUNT; t++) {
		const char *name = termination_name((enum termination)t);

		assert_string_not_equal(name, "");
		for (int other = 0; other < t; other++)
			assert_string_not_equal(name, termination_name((enum termination)other));
		if (t < REFUSE_COUNT)
			assert_string_equal(name, refusal_name((enum refusal)t));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_keep_their_ids),
		cmocka_unit_test(test_servers_are_told_apart_by_pool),
		cmocka_unit_test(test_server_ids_end_before_no_server),
		cmocka_unit_test(test_two_workers_add_up),
		cmocka_unit_test(test_many_keys_are_all_found_again),
		cmocka_unit_test(test_times_go_where_they_belong),
		cmocka_unit_test(test_listeners_and_pools_add_up),
		cmocka_unit_test(test_the_lag_is_a_peak_that_decays),
		cmocka_unit_test(test_a_reader_looks_on),
		cmocka_unit_test(test_ends_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_balancer.c - who may be chosen at all, by each algorithm, and at what cost. */
#include "tests/unit/balancer_fixture.h"

/* -- who may be chosen -- */

static void
test_idle_pool_follows_weights(void **state)
{
	static const uint32_t weights[] = { 5, 3, 0, 2 };
	uint32_t counts[SERVERS_MAX], a, i;
	struct balancer *b;

	(void)state;
	for (a = 0; a < ALGORITHMS; a++) {
		servers_make(4, weights, 4);
		b = make(algorithms[a], 4, 3);
		count_picks(b, KEYS, counts);
		assert_int_equal(counts[2], 0);
		for (i = 0; i < 4; i++) {
			if (algorithms[a] == BALANCE_ROUND_ROBIN ||
			    algorithms[a] == BALANCE_LEAST_CONNECTIONS)
				assert_int_equal(counts[i], KEYS * weights[i] / 10);
			else if (algorithms[a] != BALANCE_LEAST_RESPONSE_TIME)
				assert_share(counts[i], KEYS, weights[i] / 10.0);
		}
		balancer_free(&b);
		assert_null(b);
	}
}

static void
test_weights_all_zero_are_equal(void **state)
{
	uint32_t counts[SERVERS_MAX], a, i;
	struct balancer *b;

	(void)state;
	for (a = 0; a < ALGORITHMS; a++) {
		servers_make(4, (uint32_t[]){ 0 }, 1);
		b = make(algorithms[a], 4, 3);
		count_picks(b, KEYS, counts);
		for (i = 0; i < 4; i++)
			assert_in_range(counts[i], 0.225 * KEYS, 0.275 * KEYS);
		balancer_free(&b);
	}
}

static void
test_weight_zero_serves_when_alone(void **state)
{
	struct balancer *b;
	uint32_t a;

	(void)state;
	for (a = 0; a < ALGORITHMS; a++) {
		servers_make(3, (uint32_t[]){ 4, 0, 4 }, 3);
		b = make(algorithms[a], 3, 3);
		server_set_admin(&table, servers[0].slot, ADMIN_DRAIN, 0);
		server_set_admin(&table, servers[2].slot, ADMIN_MAINTENANCE, 0);
		balancer_update(b, now);
		assert_int_equal(pick(b, key(1)), 1);
		assert_false(balancer_panics(b));
		server_set_admin(&table, servers[0].slot, ADMIN_READY, 0);
		server_set_admin(&table, servers[2].slot, ADMIN_READY, 0);
		balancer_free(&b);
	}
}

static void
test_unavailable_gets_nothing(void **state)
{
	uint32_t counts[SERVERS_MAX], a;
	struct balancer *b;

	(void)state;
	for (a = 0; a < ALGORITHMS; a++) {
		b = make_equal(algorithms[a], 7);
		server_set_health(&table, servers[0].slot, HEALTH_DOWN, 0);
		server_set_admin(&table, servers[1].slot, ADMIN_DRAIN, 0);
		server_set_admin(&table, servers[2].slot, ADMIN_MAINTENANCE, 0);
		server_set_unreachable(&table, servers[3].slot, true);
		server_set_weight(&table, servers[4].slot, 0);
		balancer_update(b, now);
		count_picks(b, KEYS, counts);
		assert_int_equal(counts[0] + counts[1] + counts[2] + counts[3] + counts[4], 0);
		assert_in_range(counts[5], 0.45 * KEYS, 0.55 * KEYS);
		assert_false(balancer_panics(b));
		server_table_keep(&table, NULL, 0);
		balancer_free(&b);
	}
}

static void
test_nobody_in_operation(void **state)
{
	struct balancer *b;
	uint32_t a, i;

	(void)state;
	for (a = 0; a < ALGORITHMS; a++) {
		b = make_equal(algorithms[a], 3);
		for (i = 0; i < 3; i++)
			server_set_admin(&table, servers[i].slot, ADMIN_DRAIN, 0);
		balancer_update(b, now);
		assert_int_equal(pick(b, key(1)), -1);
		assert_false(balancer_panics(b));
		server_set_admin(&table, servers[1].slot, ADMIN_READY, 0);
		balancer_update(b, now);
		assert_int_equal(pick(b, key(1)), 1);
		server_table_keep(&table, NULL, 0);
		balancer_free(&b);
	}
}

static void
test_panic_is_more_than_half(void **state)
{
	static const struct {
		uint32_t n, down, drained;
		bool panics;
	} rows[] = {
		{ 1, 0, 0, false },
		{ 1, 1, 0, true },
		{ 2, 1, 0, false },
		{ 2, 2, 0, true },
		{ 3, 1, 0, false },
		{ 3, 2, 0, true },
		{ 4, 2, 0, false },
		{ 4, 3, 0, true },
		{ 4, 1, 2, false }, /* those in drain do not count */
		{ 4, 1, 3, true },
		{ 5, 2, 2, true },
	};
	uint32_t a, i, k, counts[SERVERS_MAX];
	struct balancer *b;

	(void)state;
	for (a = 0; a < ALGORITHMS; a++) {
		for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
			b = make_equal(algorithms[a], rows[i].n);
			for (k = 0; k < rows[i].down; k++)
				server_set_health(&table, servers[k].slot, HEALTH_DOWN, 0);
			for (; k < rows[i].down + rows[i].drained; k++)
				server_set_admin(&table, servers[k].slot, ADMIN_DRAIN, 0);
			balancer_update(b, now);
			assert_int_equal(balancer_panics(b), rows[i].panics);
			count_picks(b, 2000, counts);
			for (k = 0; k < rows[i].down; k++)
				assert_int_equal(counts[k] > 0, rows[i].panics);
			for (; k < rows[i].down + rows[i].drained; k++)
				assert_int_equal(counts[k], 0);
			for (; k < rows[i].n; k++)
				assert_true(counts[k] > 0);
			server_table_keep(&table, NULL, 0);
			balancer_free(&b);
		}
	}
}

/*
 * Those that wait for their first check get nothing and do not make a panic; where nobody else is available, they
 * are better than nothing.
 */
static void
test_new_ones(void **state)
{
	uint32_t a, k, counts[SERVERS_MAX];
	struct balancer *b;

	(void)state;
	for (a = 0; a < ALGORITHMS; a++) {
		b = make_equal(algorithms[a], 5);
		for (k = 2; k < 5; k++)
			server_await_check(&table, servers[k].slot);
		balancer_update(b, now);
		assert_false(balancer_panics(b));
		count_picks(b, 2000, counts);
		assert_true(counts[0] > 0 && counts[1] > 0);
		assert_int_equal(counts[2] + counts[3] + counts[4], 0);
		server_set_health(&table, servers[0].slot, HEALTH_DOWN, 0);
		server_set_admin(&table, servers[1].slot, ADMIN_DRAIN, 0);
		balancer_update(b, now);
		assert_true(balancer_panics(b));
		count_picks(b, 2000, counts);
		assert_true(counts[2] > 0 && counts[3] > 0 && counts[4] > 0);
		server_set_health(&table, servers[2].slot, HEALTH_UP, 0);
		balancer_update(b, now);
		assert_false(balancer_panics(b)); /* one is well, one is not */
		server_table_keep(&table, NULL, 0);
		balancer_free(&b);
	}
}

/* A pool whose names have no addresses. */
static void
test_nobody_at_all(void **state)
{
	struct balancer *b;

	(void)state;
	for (uint32_t a = 0; a < ALGORITHMS; a++) {
		b = balancer_new(algorithms[a], servers, 0, &table, 1);
		assert_non_null(b);
		balancer_update(b, now);
		assert_int_equal(pick(b, key(1)), -1);
		assert_false(balancer_panics(b));
		balancer_free(&b);
	}
}

/* -- retries -- */

static void
tried_add(struct balance_tried *t, int i)
{
	assert_true(i >= 0);
	t->index[t->n++] = (uint32_t)i;
}

static bool
tried_has(const struct balance_tried *t, int i)
{
	uint32_t k;

	for (k = 0; k < t->n; k++)
		if (t->index[k] == (uint32_t)i)
			return true;
	return false;
}

/* Nobody twice, everybody once, then nobody: also where one server has nearly all the weight. */
static void
test_retries_try_everybody_once(void **state)
{
	static const uint32_t weights[][4] = { { 1, 1, 1, 1 }, { 256, 1, 1, 2 }, { 5, 3, 2, 7 } };
	struct balance_tried tried;
	struct balancer *b;
	uint32_t a, w, k;
	int got;

	(void)state;
	for (a = 0; a < ALGORITHMS; a++) {
		for (w = 0; w < 3; w++) {
			servers_make(6, weights[w], 4);
			b = make(algorithms[a], 6, 1);
			for (k = 0; k < 500; k++) {
				tried.n = 0;
				while ((got = balancer_pick(b, key(k), &tried, now)) >= 0) {
					assert_false(tried_has(&tried, got));
					tried_add(&tried, got);
				}
				assert_int_equal(tried.n, 6);
			}
			balancer_free(&b);
		}
	}
}

/*
 * What a failed server's traffic does to the others: by weight, no single neighbour takes it all.
 */
static void
test_retries_spread(void **state)
{
	uint32_t counts[SERVERS_MAX], a, i;
	struct balance_tried tried = { 1, { 0 } };
	struct balancer *b;
	int got;

	(void)state;
	for (a = 0; a < ALGORITHMS; a++) {
		b = make_equal(algorithms[a], 5);
		memset(counts, 0, sizeof(counts));
		for (i = 0; i < KEYS; i++) {
			got = balancer_pick(b, key(i), &tried, now);
			assert_in_range(got, 1, 4);
			counts[got]++;
		}
		for (i = 1; i < 5; i++)
			assert_in_range(counts[i], 0.2 * KEYS, 0.4 * KEYS);
		balancer_free(&b);
	}
}

static void
test_retries_in_panic_go_to_the_available_first(void **state)
{
	struct balance_tried tried;
	struct balancer *b;
	uint32_t a, i, k, counts[SERVERS_MAX];
	int got;

	(void)state;
	for (a = 0; a < ALGORITHMS; a++) {
		b = make_equal(algorithms[a], 10);
		for (i = 0; i < 6; i++)
			server_set_health(&table, servers[i].slot, HEALTH_DOWN, 0);
		balancer_update(b, now);
		assert_true(balancer_panics(b));
		memset(counts, 0, sizeof(counts));
		for (k = 0; k < 2000; k++) {
			tried.n = 0;
			tried_add(&tried, 0);
			for (i = 0; i < 4; i++) {
				got = balancer_pick(b, key(k), &tried, now);
				assert_in_range(got, 6, 9);
				tried_add(&tried, got);
				counts[got] += i == 0;
			}
			for (; i < 9; i++) { /* then the others all the same */
				got = balancer_pick(b, key(k), &tried, now);
				assert_in_range(got, 1, 5);
				tried_add(&tried, got);
			}
			assert_int_equal(balancer_pick(b, key(k), &tried, now), -1);
		}
		for (i = 6; i < 10; i++)
			assert_in_range(counts[i], 300, 800);
		server_table_keep(&table, NULL, 0);
		balancer_free(&b);
	}
}

/* -- a thousand servers -- */

/* One of forty has room: everybody finds it, and nobody when it is full, or was tried. */
static void
test_below_limit_finds_the_last(void **state)
{
	enum { N = 40, ROOM = 33 };
	const struct balance_tried tried = { 1, { ROOM } };
	struct balancer *b;
	uint32_t a, i;

	(void)state;
	for (a = 0; a < ALGORITHMS; a++) {
		b = make_equal(algorithms[a], N);
		for (i = 0; i < N; i++) {
			servers[i].max_connections = 2;
			table.active[servers[i].slot] = i == ROOM ? 1 : 2;
		}
		for (i = 0; i < 100; i++)
			assert_int_equal(balancer_pick_below_limit(b, key(i), &untried, now), ROOM);
		assert_int_equal(balancer_pick_below_limit(b, key(1), &tried, now), -1);
		table.active[servers[ROOM].slot] = 2;
		assert_int_equal(balancer_pick_below_limit(b, key(1), &untried, now), -1);
		servers[7].max_connections = 0; /* no limit */
		assert_int_equal(balancer_pick_below_limit(b, key(1), &untried, now), 7);
		balancer_free(&b);
		for (i = 0; i < N; i++) {
			table.active[servers[i].slot] = 0;
			servers[i].max_connections = 0;
		}
	}
}

static void
test_work_with_a_thousand_servers(void **state)
{
	/*
	 * round robin of equal weights, and least connections with an idle server near, look at one
	 * or two
	 */
	static const uint32_t at_most[ALGORITHMS] = { 1, 3, 1, 1, 3, 1 };
	struct balancer *b;
	uint64_t before;
	uint32_t a, i;

	(void)state;
	for (a = 0; a < ALGORITHMS; a++) {
		b = make_equal(algorithms[a], 1000);
		for (i = 0; i < 1000; i++)
			table.active[servers[i].slot] = i % 4 == 0;
		before = balancer_work(b);
		for (i = 0; i < KEYS; i++)
			pick(b, key(i));
		assert_true(balancer_work(b) - before <= (uint64_t)at_most[a] * KEYS);
		balancer_free(&b);
	}
	b = make_equal(BALANCE_LEAST_CONNECTIONS, 1000);
	for (i = 0; i < 1000; i++)
		table.active[servers[i].slot] = 1;
	before = balancer_work(b);
	pick(b, 0);
	assert_int_equal(
	    balancer_work(b) - before, 1001); /* nobody idle: all are looked at, once */
	balancer_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_idle_pool_follows_weights),
		CASE(test_weights_all_zero_are_equal),
		CASE(test_weight_zero_serves_when_alone),
		CASE(test_unavailable_gets_nothing),
		CASE(test_nobody_in_operation),
		CASE(test_panic_is_more_than_half),
		CASE(test_new_ones),
		CASE(test_nobody_at_all),
		CASE(test_retries_try_everybody_once),
		CASE(test_retries_spread),
		CASE(test_retries_in_panic_go_to_the_available_first),
		CASE(test_below_limit_finds_the_last),
		CASE(test_work_with_a_thousand_servers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
